"""What a brand has to serve and to learn from: adapters, snapshots, reports, what is live. Read anew each time.

Everything comes from folders with a manifest, from reports and from the store; a name that a page sends is only ever
compared with what was found here, so that no path is made of it.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from brand_voice import snapshot
from brand_voice.evidence import Report
from brand_voice.live import Promotion, Standing
from brand_voice.rates import Rate
from brand_voice.records import AdapterManifest, SnapshotManifest
from brand_voice.registry import adapters
from brand_voice.ui.charts import Point, finite
from brand_voice.ui.session import Session

CURVE, REPORT, PAGE = "curve.json", "report.json", "report.html"


class Filed(NamedTuple):
    """A report, and the folder it lies in."""

    report: Report
    folder: Path

    @property
    def page(self) -> Path | None:
        """The report to be read by people, where there is one."""
        path = self.folder / PAGE
        return path if path.is_file() else None


class Curve(NamedTuple):
    """A training's losses by step, nats per completion token."""

    training: Sequence[Point]
    validation: Sequence[Point]


class Stock(NamedTuple):
    """A brand's models; the newest stand first."""

    brand: str
    name: str
    adapters: tuple[AdapterManifest, ...]
    snapshots: tuple[SnapshotManifest, ...]
    reports: dict[str, Filed]
    """The newest of each adapter."""
    standing: Standing
    promotions: tuple[Promotion, ...]
    untouched: dict[str, Rate]
    """Of each adapter's reviewed texts, those approved as they were."""
    approved: int
    """Texts in the store to train on."""

    def adapter(self, name: str | None) -> AdapterManifest | None:
        """An adapter by name; without one what is live, or the newest."""
        wanted = (name, self.standing.live, *(manifest.name for manifest in self.adapters[:1]))
        found = {manifest.name: manifest for manifest in self.adapters}
        return next((found[each] for each in wanted if each in found), None)

    @property
    def since(self) -> Promotion | None:
        """The change by which the live adapter became so; a canary that came or went since is none."""
        return next((change for change in self.promotions if change.act in ("promote", "rollback")), None)


def stock_of(session: Session, brand: str) -> Stock:
    """Look what a brand has.

    Raises:
        BrandVoiceError: a manifest is broken, or the database cannot be used.
    """
    workspace, store = session.workspace, session.store
    verdicts = store.counts(brand).verdicts
    return Stock(
        brand=brand,
        name=session.folder(brand).guide.name,
        adapters=tuple(reversed(adapters(workspace.adapters, brand))),
        snapshots=tuple(reversed(snapshot.manifests(workspace.snapshots, brand))),
        reports=reports(workspace.evaluations, brand),
        standing=store.standing(brand),
        promotions=tuple(reversed(store.promotions(brand))),
        untouched=untouched(session, brand),
        approved=sum(count for verdict, count in verdicts.items() if verdict in ("approve", "edit")),
    )


def reports(evaluations: Path, brand: str) -> dict[str, Filed]:
    """Each adapter's newest report; what is no report of this kind is passed over."""
    found = []
    for path in evaluations.glob(f"*/{REPORT}"):
        try:
            report = Report.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue
        if report.brand == brand:
            found.append(Filed(report, path.parent))
    found.sort(key=lambda filed: filed.report.created_at)
    return {filed.report.adapter: filed for filed in found}


def untouched(session: Session, brand: str) -> dict[str, Rate]:
    """By adapter, how many of its reviewed texts were approved as they were."""
    reviews, found = session.store.current_reviews(brand), defaultdict[str, list[bool]](list)
    for draft in session.store.drafts(brand, author="student"):
        if draft.adapter and draft.id in reviews:
            found[draft.adapter].append(reviews[draft.id].verdict == "approve")
    return {name: Rate(hits=sum(verdicts), of=len(verdicts)) for name, verdicts in found.items()}


def curve_of(folder: Path) -> Curve | None:
    """An adapter's loss curve; None where there is none that can be read."""
    try:
        rows = json.loads((folder / CURVE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    lines = [finite((_number(row.get("step")), _number(row.get(key))) for row in rows) for key in ("loss", "eval_loss")]
    return Curve(*lines) if any(lines) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
