"""Intervals of paired differences: a percentile bootstrap clustered by brief.

A brief is the unit: all texts of both sides for it stand or fall together, so that further samples of a brief make its
own difference surer and not the number of briefs larger (B. Efron, R. Tibshirani 1993, "An Introduction to the
Bootstrap", ch. 8 and 13). Half a brief with the largest difference and half a one with the smallest are mixed in: where
no brief differs, or one in a hundred does, the plain bootstrap knows no spread and its interval is a point, as if
nothing could ever go wrong. A. Agresti and Y. Min (2005), "Simple improved confidence intervals for comparing matched
proportions", add the same two halves. `benchmarks/intervals.py` simulates what comes of it.

The draws come from a fixed seed: the same differences have the same interval.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DRAWS = 4_000
"""Resamples; the ends of an interval move by about a fortieth of its width from seed to seed."""
CHUNK = 500
"""Resamples at a time: it bounds the memory."""
LEVEL = 0.95


class Interval(NamedTuple):
    """Mean of the differences, and the ends of its interval."""

    mean: float
    low: float
    high: float


def interval(differences: Floats, extreme: float) -> Interval:
    """The mean difference of one or more briefs with its 95% interval; none can differ by more than `extreme`."""
    low, high = ends(differences[:, None], extreme)
    return Interval(float(differences.mean()), float(low[0]), float(high[0]))


def ends(differences: Floats, extreme: float | Floats = 1.0) -> tuple[Floats, Floats]:
    """Ends of the intervals of many sets of differences at once.

    `differences` has a row for each brief and a column for each set; both ends have one item for each set.
    `extreme` is one for all sets, or each one's own.
    """
    briefs, sets = differences.shape
    own = np.broadcast_to(extreme, sets)
    extremes = np.stack([own, -own])
    values = np.concatenate([np.repeat(differences, 2, axis=0), extremes])  # (2 x briefs + 2, sets): halves of briefs
    rng = np.random.default_rng(0)
    means = np.concatenate([_counts(briefs, rng) @ values / briefs for _ in range(DRAWS // CHUNK)])  # (DRAWS, sets)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


def _counts(briefs: int, rng: np.random.Generator) -> Floats:
    """How often each of `CHUNK` resamples holds each half: `briefs` halves drawn from `2 x briefs + 2` of them."""
    halves = 2 * briefs + 2
    places = rng.integers(0, halves, size=(CHUNK, briefs)) + halves * np.arange(CHUNK)[:, None]
    counts = np.bincount(places.ravel(), minlength=CHUNK * halves).reshape(CHUNK, halves)
    return counts.astype(np.float64)
