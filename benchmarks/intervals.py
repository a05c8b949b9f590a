"""How often the intervals of an evaluation hold the truth, and how often its rule says "ready" when it should not.

Texts are drawn, none is written. A text passes where a normal deviate lies below the quantile of its side's share; a
part of the deviate belongs to the brief (a hard brief is hard for both sides), a part to the brief and the side, the
rest to the text alone. So briefs differ, samples of a brief hang together, and the true difference is known.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from benchmarks.report import Table
from brand_voice.decision import decide
from brand_voice.evidence import Decision, Difference, Measure, SliceFigure
from brand_voice.rates import Rate
from brand_voice.resample import Floats, ends
from brand_voice.settings import MarginSettings

OF_BRIEF, OF_BRIEF_AND_SIDE = 0.3, 0.2
"""Parts of a deviate's variance."""
BRIEFS, SAMPLES = (50, 142, 400), (1, 3)
SHARES = ((0.96, 0.05), (0.99, 0.03), (0.80, 0.05))
"""A reference's share and the margin: texts that pass, true texts, texts that sound like the brand."""
MEASURES: tuple[tuple[Measure, float], ...] = (("all_pass", 0.96), ("truth", 0.99), ("voice", 0.80))
APART = 0.1
"""Standard deviation of a brief's difference in variety, as the demo's reports have it."""
CHANNELS = 8
SETS = 500
"""Evaluations at a time: it bounds the memory."""


class Drawn(NamedTuple):
    """Many evaluations' differences in one measure."""

    briefs: Floats
    """A brief's difference, `(briefs, evaluations)`."""
    low: Floats
    high: Floats

    @classmethod
    def of(cls, briefs: Floats, extremes: float | Floats = 1.0) -> "Drawn":
        """With their intervals; `extremes` is one for all evaluations, or each one's own."""
        own = np.broadcast_to(extremes, briefs.shape[1])
        parts = [ends(briefs[:, at : at + SETS], own[at : at + SETS]) for at in range(0, briefs.shape[1], SETS)]
        low, high = (np.concatenate([part[end] for part in parts]) for end in (0, 1))
        return cls(briefs, low, high)

    def holds(self, truth: float) -> float:
        """Share of the intervals that hold the true difference."""
        return float(((self.low <= truth) & (truth <= self.high)).mean())

    def no_worse(self, margin: float) -> float:
        """Share of the intervals above the margin."""
        return float((self.low > -margin).mean())


def measure(draws: int) -> Iterator[Table]:
    """Both tables, from so many simulated evaluations a row."""
    yield _coverage(draws)
    yield _rule(draws)


def _coverage(draws: int) -> Table:
    rows = []
    for briefs in BRIEFS:
        for samples in SAMPLES:
            for share, margin in SHARES:
                rng = np.random.default_rng(0)
                same, worse = (Drawn.of(_differences(rng, share, by, (briefs, samples, draws))) for by in (0, margin))
                name = f"{briefs} briefs, {samples} text{'s' * (samples > 1)} each, {share:.0%}, margin {margin:.0%}"
                told = (same.holds(0), worse.holds(-margin), worse.no_worse(margin), same.no_worse(margin))
                rows.append((name, *(f"{value:.1%}" for value in told)))
    head = ("one measure", "holds 0", "holds the margin", 'false "no worse"', 'true "no worse"')
    notes = (
        f"{draws:,} simulated evaluations a row: how often the 95% interval holds a true difference of 0, and one "
        "exactly at the margin; how often the latter is called no worse (2.5% is aimed at), and how often the former "
        "is. The reference has one text a brief.",
    )
    return Table("Intervals: one measure", head, rows, notes)


def _rule(draws: int) -> Table:
    """The whole rule, slices included, with none, one or two measures exactly on their margins."""
    rows = []
    for briefs in (142, 400):
        for on_margin in ((), ("all_pass",), ("truth",), ("voice",), ("diversity",), ("all_pass", "truth")):
            told = Counter(_decisions(on_margin, briefs, draws))
            name = f"{briefs} briefs, {', '.join(on_margin) or 'nothing'} on the margin"
            shares = (told[decision] / draws for decision in ("ready", "ready_except", "not_yet"))
            rows.append((name, *(f"{share:.1%}" for share in shares)))
    notes = (
        f"{draws:,} simulated evaluations a row, three texts a brief, shares of 96%, 99% and 80%, {CHANNELS} channels. "
        'On the margin every "ready" and every "ready except" is false; with nothing on it every "not yet" is for want '
        'of briefs, and every "ready except" for nothing.',
    )
    return Table("Intervals: the decision", ("the rule", "ready", "ready except", "not yet"), rows, notes)


def _differences(rng: np.random.Generator, share: float, by: float, shape: tuple[int, int, int]) -> Floats:
    """Differences of briefs between a reference's one text and a candidate's, whose true share is lower `by`."""
    briefs, samples, sets = shape
    hard = rng.normal(0, OF_BRIEF**0.5, (briefs, sets))

    def passed(true_share: float, texts: int) -> Floats:
        line = NormalDist().inv_cdf(true_share)
        own = hard + rng.normal(0, OF_BRIEF_AND_SIDE**0.5, (briefs, sets))
        left = (1 - OF_BRIEF - OF_BRIEF_AND_SIDE) ** 0.5
        rest = [rng.normal(0, left, (briefs, sets)) for _ in range(texts)]
        found: Floats = np.mean([own + each < line for each in rest], axis=0, dtype=np.float64)
        return found

    return passed(share - by, samples) - passed(share, 1)


def _decisions(on_margin: Sequence[str], briefs: int, draws: int) -> list[Decision]:
    rng = np.random.default_rng(1)
    margins = MarginSettings()
    by = {name: getattr(margins, name) * (name in on_margin) for name in ("all_pass", "truth", "voice", "diversity")}
    found = {name: Drawn.of(_differences(rng, share, by[name], (briefs, 3, draws))) for name, share in MEASURES}
    apart = rng.normal(-by["diversity"], APART, (briefs, draws))
    found["diversity"] = Drawn.of(apart, np.abs(apart).max(axis=0))
    slices = [Drawn.of(found["all_pass"].briefs[channel::CHANNELS]) for channel in range(CHANNELS)]
    return [_decided(found, slices, margins, at) for at in range(draws)]


def _decided(found: dict[Measure, Drawn], slices: Sequence[Drawn], margins: MarginSettings, at: int) -> Decision:
    """What the rule says of one simulated evaluation."""
    differences = [
        Difference(
            measure=name,
            candidate=float(drawn.briefs[:, at].mean()),
            reference=0.0,
            low=float(drawn.low[at]),
            high=float(drawn.high[at]),
            margin=getattr(margins, name),
            briefs=len(drawn.briefs),
        )
        for name, drawn in found.items()
    ]
    figures = [_slice(drawn, at) for drawn in slices]
    return decide("it", differences, figures, margins.all_pass).decision


def _slice(drawn: Drawn, at: int) -> SliceFigure:
    briefs = len(drawn.briefs)
    lower = round(float(-drawn.briefs[:, at].sum()) * 3)
    own, other = Rate(hits=3 * briefs - lower, of=3 * briefs), Rate(hits=1, of=1)
    figure = SliceFigure(dimension="channel", value="x", briefs=briefs, candidate=own, reference=other)
    return figure if figure.is_descriptive else figure.model_copy(update={"high": float(drawn.high[at])})
