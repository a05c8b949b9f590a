"""What a brand has to serve and to learn from: adapters, snapshots, reports, what is live. Read anew each time.

Everything comes from folders with a manifest, from reports and from the store; a name that a page sends is only ever
compared with what was found here, so that no path is made of it.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from brand_voice import promotion, snapshot
from brand_voice.effort import effort
from brand_voice.live import Promotion, Standing
from brand_voice.rates import Rate
from brand_voice.records import AdapterManifest, SnapshotManifest
from brand_voice.registry import Filed, adapters, reports
from brand_voice.ui.charts import Point, finite
from brand_voice.ui.session import Session

CURVE = "curve.json"


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
    filed: tuple[Filed, ...]
    """The newest report of each adapter against each opponent, the oldest first."""
    standing: Standing
    opponent: str
    """Whom the gate holds a candidate against: what is live, or `base`."""
    promotions: tuple[Promotion, ...]
    untouched: dict[str, Rate]
    """Of each writer's reviewed texts, those approved as they were."""
    approved: int
    """Texts in the store to train on."""

    def adapter(self, name: str | None) -> AdapterManifest | None:
        """An adapter by name; without one what is live, or the newest."""
        wanted = (name, self.standing.live, *(manifest.name for manifest in self.adapters[:1]))
        found = {manifest.name: manifest for manifest in self.adapters}
        return next((found[each] for each in wanted if each in found), None)

    @property
    def reports(self) -> dict[str, Filed]:
        """The newest of each adapter."""
        return {each.report.adapter: each for each in self.filed}

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
        filed=_newest(reports(workspace.evaluations, brand).filed),
        standing=store.standing(brand),
        opponent=promotion.opponent(session.context(brand)),
        promotions=tuple(reversed(store.promotions(brand))),
        untouched={each.writer: each.untouched for each in effort(store.reviewed_by_writer(brand))},
        approved=sum(count for verdict, count in verdicts.items() if verdict in ("approve", "edit")),
    )


def _newest(filed: Sequence[Filed]) -> tuple[Filed, ...]:
    """The last of each question, in the order given."""
    last = {(each.report.adapter, each.report.against): each for each in filed}
    return tuple(each for each in filed if last[each.report.adapter, each.report.against] is each)


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
