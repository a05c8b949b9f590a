"""What a student's certainty tells about its texts, measured on validation briefs, and the threshold that follows.

Certainty is the mean token log-probability of a text (nats). What it should foretell are faults; the only ones known
for every text are the rules' blocking findings, so these are what it is measured against: the area under the ROC
curve, with an interval from a bootstrap clustered by brief. The use of a threshold is beyond them: what the rules
block is handed over anyway, and a threshold adds texts with faults that no rule sees, if certainty foretells those as
it does the others.

The rule (Neyman and Pearson's): of the texts that the rules pass, a declared share at most is handed over. That bounds
what a threshold may cost, and a quantile of a few hundred texts is steadier than the best point of a curve. No
threshold is set where the interval reaches down to 0.5, where certainty may be worth nothing, or with too few texts.

The golden set has no say: it decides promotions, and must not have tuned what it judges.
"""

import random
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from brand_voice.answer_files import write_whole
from brand_voice.errors import ArtifactError
from brand_voice.rates import Rate
from brand_voice.records import AdapterManifest, Record, Sampling, now

DRAWS = 1_000
"""Of the bootstrap; 95% interval."""
MIN_OF_EACH = 10
"""Texts that the rules block, and texts that they pass, without which nothing is concluded."""
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Of the texts that the rules pass, those that each point of the curve hands over."""


class Certain(NamedTuple):
    """A text of a validation brief."""

    brief_hash: str
    mean_logprob: float
    is_blocked: bool


class CalibrationPoint(Record):
    """What a threshold would do to the texts, the rules left aside."""

    min_mean_logprob: float
    false_alarms: Rate
    """Handed over, of the texts that the rules pass."""
    caught: Rate
    """Handed over, of the texts that the rules block."""
    kept: Rate
    """Without a blocking finding, of the texts that are not handed over."""


class Calibration(Record):
    """What an adapter's certainty is worth, and the threshold; the content of `calibrations/<adapter>.json`."""

    brand: str
    adapter: str
    created_at: str
    guide_version: str
    sampling: Sampling
    """Of the texts; a threshold holds for no other."""
    briefs: int
    """Validation briefs."""
    texts: int
    failed: int
    """Texts beside these that did not come, or came without log-probabilities."""
    blocked: int
    auc: float | None
    """Chance that a text without blocking findings is more certain than one with; none without both."""
    auc_low: float | None
    auc_high: float | None
    max_false_alarms: float
    """Declared: of the texts that the rules pass, the share that may be handed over."""
    min_mean_logprob: float | None
    """A less certain text is handed over; none where only the rules decide."""
    sentence: str
    """The conclusion in words."""
    curve: tuple[CalibrationPoint, ...]


def calibrated(
    adapter: AdapterManifest,
    certain: Sequence[Certain],
    *,
    sampling: Sampling,
    guide_version: str,
    failed: int,
    max_false_alarms: float,
) -> Calibration:
    """Measure what certainty tells, and set a threshold if it tells anything."""
    passed = sorted(each.mean_logprob for each in certain if not each.is_blocked)
    blocked = sorted(each.mean_logprob for each in certain if each.is_blocked)
    auc = area(blocked, passed)
    low, high = _interval(certain) if min(len(passed), len(blocked)) >= MIN_OF_EACH else (None, None)
    is_worth_it = low is not None and low > 0.5
    threshold = passed[int(max_false_alarms * len(passed))] if is_worth_it else None
    curve = tuple(_point(passed[int(share * len(passed))], passed, blocked) for share in SHARES) if passed else ()
    return Calibration(
        brand=adapter.brand,
        adapter=adapter.name,
        created_at=now(),
        guide_version=guide_version,
        sampling=sampling,
        briefs=len({each.brief_hash for each in certain}),
        texts=len(certain),
        failed=failed,
        blocked=len(blocked),
        auc=auc,
        auc_low=low,
        auc_high=high,
        max_false_alarms=max_false_alarms,
        min_mean_logprob=threshold,
        sentence=_sentence(auc, low, high, None if threshold is None else _point(threshold, passed, blocked)),
        curve=curve,
    )


def area(blocked: Sequence[float], passed: Sequence[float]) -> float | None:
    """Area under the ROC curve: how often a passed text is the more certain of two, ties counted half; both sorted."""
    if not blocked or not passed:
        return None
    wins = sum(bisect_left(blocked, each) + bisect_right(blocked, each) for each in passed) / 2
    return wins / (len(blocked) * len(passed))


def save(calibration: Calibration, parent: Path) -> Path:
    """Write `<adapter>.json`, in place of an earlier one.

    Raises:
        InputError: it cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    path = parent / f"{calibration.adapter}.json"
    write_whole(path, (calibration.model_dump_json(indent=1) + "\n").encode())
    return path


def find(parent: Path, adapter: str) -> Calibration | None:
    """An adapter's calibration, if it was made.

    Raises:
        ArtifactError: the file is no calibration.
    """
    path = parent / f"{adapter}.json"
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as exc:
        remedy = f"make it again: brand-voice calibrate --brand {adapter.partition('@')[0]} --adapter {adapter}"
        raise ArtifactError(f"{path} cannot be used: {exc}", remedy=remedy) from exc


def stamp(parent: Path, adapter: str) -> int:
    """When an adapter's calibration was last made, in nanoseconds; 0 if never. It changes whenever `find` would."""
    try:
        return (parent / f"{adapter}.json").stat().st_mtime_ns
    except OSError:
        return 0


def _interval(certain: Iterable[Certain]) -> tuple[float, float]:
    """95% interval of the area, briefs drawn with replacement: the texts of one brief are alike."""
    by_brief: dict[str, list[Certain]] = defaultdict(list)
    for each in certain:
        by_brief[each.brief_hash].append(each)
    briefs = [by_brief[brief_hash] for brief_hash in sorted(by_brief)]
    drawn, dice = [], random.Random(0)
    for _ in range(DRAWS):
        texts = [each for brief in dice.choices(briefs, k=len(briefs)) for each in brief]
        blocked = sorted(each.mean_logprob for each in texts if each.is_blocked)
        auc = area(blocked, sorted(each.mean_logprob for each in texts if not each.is_blocked))
        drawn += [] if auc is None else [auc]
    drawn.sort()
    return drawn[int(0.025 * len(drawn))], drawn[min(len(drawn) - 1, int(0.975 * len(drawn)))]


def _point(threshold: float, passed: Sequence[float], blocked: Sequence[float]) -> CalibrationPoint:
    alarms, caught = bisect_left(passed, threshold), bisect_left(blocked, threshold)
    kept = len(passed) - alarms
    return CalibrationPoint(
        min_mean_logprob=threshold,
        false_alarms=Rate(hits=alarms, of=len(passed)),
        caught=Rate(hits=caught, of=len(blocked)),
        kept=Rate(hits=kept, of=kept + len(blocked) - caught),
    )


def _sentence(auc: float | None, low: float | None, high: float | None, point: CalibrationPoint | None) -> str:
    if auc is None or low is None:
        return f"Only the rules decide: fewer than {MIN_OF_EACH} texts that they block, or that they pass."
    measured = f"AUC {auc:.2f}, {low:.2f} to {high:.2f}"
    if point is None:
        return f"Only the rules decide: what the student was less certain of is not blocked more often ({measured})."
    return (
        f"Texts under {point.min_mean_logprob:.3f} are handed over: {point.false_alarms} of those that the rules pass, "
        f"{point.caught} of those that they block ({measured})."
    )
