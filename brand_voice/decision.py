"""From differences to a decision, in words: `ready`, `ready_except` or `not_yet`.

The question is non-inferiority: is the candidate no worse than the reference by more than a margin that was declared
before anybody looked? Each measure answers with the 95% interval of the paired difference. `ready` needs every measured
one to lie above its margin whole. Because all must pass, no correction for several measures is due (an
intersection-union test): at a difference exactly on one margin a false "ready" has a chance of one in forty at most,
and less where two measures lie on theirs. A measure whose interval lies below its margin is worse; one whose interval
spans it is not known to be either, and the remedy is more briefs, not another look. Under `DESCRIPTIVE_BELOW` briefs
nothing is ever ready. What could not be measured decides nothing, and the sentence says so.

Slices are many and small, and were not what the decision was made on: they can take from a "ready", never give one. A
slice is an exception where it has enough briefs, lies further below the reference than the margin, and its own interval
excludes "no difference": with no difference in truth, about one slice in forty is called one for nothing. Below the
number of briefs it is a hint at where to look.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from brand_voice.evidence import DESCRIPTIVE_BELOW, SPOKEN, Decision, Difference, SliceFigure

HINTS = 3
"""Small slices that a decision points at."""


class Decided(NamedTuple):
    """The decision and why."""

    decision: Decision
    sentence: str
    exceptions: tuple[str, ...]
    """Slices in which the candidate suffers, those that decide first."""


def decide(reference: str, differences: Sequence[Difference], slices: Sequence[SliceFigure], margin: float) -> Decided:
    """Decide, and say why.

    Args:
        reference: what the candidate is held against, in words.
        differences: the measures that could be taken.
        slices: texts without a blocking finding by slice.
        margin: of that measure; slices are held against it.
    """
    suffering = sorted((each for each in slices if each.change < -margin), key=lambda each: each.change)
    deciding = [each for each in suffering if each.high is not None and each.high < 0]
    hints = [each for each in suffering if each.is_descriptive][:HINTS]
    exceptions = tuple(f"{_slice(each)}{_points(each)}" for each in (*deciding, *hints))
    worse = [each for each in differences if each.is_worse]
    open_ = [each for each in differences if not each.is_worse and not each.is_no_worse]
    few = [each for each in differences if each.briefs < DESCRIPTIVE_BELOW]
    unmeasured = _unmeasured(differences)
    if worse or open_ or few or not differences:
        told = [f"worse than {reference}: {_told(worse)}"] if worse else []
        told += [f"not enough briefs to tell: {_told(open_, needed=True)}"] if open_ else []
        if not worse and not open_:
            counts = ", ".join(f"{each.briefs} golden briefs for {SPOKEN[each.measure]}" for each in few)
            told = [f"{counts or 'no golden briefs'}: too few to decide anything; {DESCRIPTIVE_BELOW} are the least"]
        return Decided("not_yet", f"Not yet: {'; '.join(told)}.{unmeasured}", exceptions)
    shown = f"no worse than {reference} on the golden briefs: {_told(differences)}"
    if deciding:
        where = ", ".join(_slice(each) for each in deciding)
        return Decided("ready_except", f"Ready, except for {where}. Overall {shown}.{unmeasured}", exceptions)
    return Decided("ready", f"Ready: {shown}.{unmeasured}", exceptions)


def briefs_needed(difference: Difference) -> int | None:
    """About how many golden briefs would show this difference, if it stays, no worse; none if no number would do.

    The interval narrows with the square root of the number of briefs.
    """
    distance = difference.change + difference.margin
    if distance <= 0 or not difference.briefs:
        return None
    below = difference.change - difference.low
    needed = difference.briefs * (below / distance) ** 2
    return max(10 * math.ceil(round(needed, 6) / 10), DESCRIPTIVE_BELOW)


def spoken_change(change: float) -> str:
    """A difference of shares in points: "3.1 points lower"."""
    points = abs(100 * change)
    return "the same" if points < 0.05 else f"{points:.1f} points {'lower' if change < 0 else 'higher'}"


def _told(differences: Sequence[Difference], *, needed: bool = False) -> str:
    return "; ".join(_one(each) + (_further(each) if needed else "") for each in differences)


def _one(each: Difference) -> str:
    return (
        f"{SPOKEN[each.measure]} {each.candidate:.0%} against {each.reference:.0%}, {spoken_change(each.change)} "
        f"({100 * each.low:+.1f} to {100 * each.high:+.1f}, margin {100 * each.margin:.0f}, {each.briefs} briefs)"
    )


def _further(each: Difference) -> str:
    wanted = briefs_needed(each)
    if wanted is None:
        return ", and as it stands more briefs would not help"
    return f", about {wanted} briefs would tell if it stays so" if wanted > each.briefs else ""


def _unmeasured(differences: Sequence[Difference]) -> str:
    missing = [SPOKEN[measure] for measure in SPOKEN if measure not in {each.measure for each in differences}]
    return f" Not measured: {', '.join(missing)}." if missing else ""


def _slice(each: SliceFigure) -> str:
    value = each.value.replace("_", " ")
    match each.dimension:
        case "product":
            return f"{value} products"
        case "offer":
            return "briefs with an offer" if each.value == "given" else "briefs without an offer"
        case "length":
            return f"channels of {value} characters"
    return value


def _points(each: SliceFigure) -> str:
    note = ": too few to conclude" if each.is_descriptive else ""
    return f": {spoken_change(each.change)} ({each.briefs} briefs{note})"
