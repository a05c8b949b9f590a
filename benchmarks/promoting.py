"""How often the promotion gate lets an adapter pass whose true quality is known, by simulation.

Two sides write three texts for each golden brief; a text passes a measure with a probability of its brief's and its
side's own: two adapters as good as each other fail at different briefs, and one that fails at a brief fails again.
Differences and intervals come from a bootstrap clustered by brief, and `gate.loss` judges them. Nothing is trained.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.report import Table
from brand_voice.evidence import Difference, Measure
from brand_voice.gate import loss
from brand_voice.settings import MarginSettings

if TYPE_CHECKING:
    from numpy import float64
    from numpy.random import Generator
    from numpy.typing import NDArray

SHARES: dict[Measure, float] = {"all_pass": 0.70, "truth": 0.97, "voice": 0.60}
"""What the reference's texts reach: about what adapters of the shipped student do."""
BRIEFS = (20, 50, 100, 150, 300)
SAMPLES = 3
RESAMPLES = 1_000
CLUSTERED = 1.0
"""Concentration of the beta distribution of the briefs' probabilities: half of the variance lies between briefs."""
WORSE: dict[str, dict[Measure, int]] = {
    "as good as today's": {},
    "worse by one margin in all three": dict.fromkeys(SHARES, 1),
    "worse by two margins in voice alone": {"voice": 2},
    "worse by two margins in all three": dict.fromkeys(SHARES, 2),
}
"""Margins by which the candidate truly lies below the reference."""


def measure(draws: int) -> Table:
    """Pass rates by number of golden briefs and true loss."""
    rows = []
    for named, margins in WORSE.items():
        rates = [
            (pass_rate(briefs, margins, draws, concentration=CLUSTERED), pass_rate(briefs, margins, draws))
            for briefs in BRIEFS
        ]
        rows.append([named, *(f"{clustered:.0%} ({apart:.0%})" for clustered, apart in rates)])
    shares = ", ".join(f"{name} {share:.0%}" for name, share in SHARES.items())
    return Table(
        "Promotion gate: how often an adapter passes",
        ["golden briefs", *map(str, BRIEFS)],
        rows,
        notes=[
            f"{draws:,} draws a figure, {SAMPLES} texts a brief and side, 95% intervals from {RESAMPLES:,} resamples "
            f"of the briefs; today's true shares: {shares}; margins as by default. Half of a text's variance lies "
            "between briefs, other ones on each side; in brackets none does. Adapters of the shipped student lie "
            "between the two (below: the widths of their intervals)."
        ],
    )


def pass_rate(briefs: int, margins: Mapping[Measure, int], draws: int, *, concentration: float | None = None) -> float:
    """Share of adapters that the gate finds no loss in, of those truly worse by so many margins in each measure."""
    import numpy as np

    rng = np.random.default_rng(briefs)
    weights = rng.multinomial(briefs, np.full(briefs, 1 / briefs), size=RESAMPLES) / briefs  # (R, B)
    is_passing = np.ones(draws, dtype=bool)
    for name, share in SHARES.items():
        margin = getattr(MarginSettings(), name)
        candidate = _texts(rng, (draws, briefs), share - margins.get(name, 0) * margin, concentration)
        reference = _texts(rng, (draws, briefs), share, concentration)
        resampled = (candidate - reference) @ weights.T  # (D, R)
        low, high = np.quantile(resampled, (0.025, 0.975), axis=1)
        for draw in range(draws):
            difference = Difference(
                measure=name,
                candidate=candidate[draw].mean(),
                reference=reference[draw].mean(),
                low=low[draw],
                high=high[draw],
                margin=margin,
                briefs=briefs,
            )
            is_passing[draw] &= loss(difference) is None
    return float(is_passing.mean())


def _texts(rng: "Generator", shape: tuple[int, int], share: float, concentration: float | None) -> "NDArray[float64]":
    """Shares of passing texts a brief; each side finds its own briefs hard."""
    import numpy as np

    by_brief = (
        np.full(shape, share)
        if concentration is None
        else rng.beta(share * concentration, (1 - share) * concentration, size=shape)
    )
    return rng.binomial(SAMPLES, by_brief) / SAMPLES


if __name__ == "__main__":
    import sys

    sys.stdout.write(measure(2_000).markdown() + "\n")
