"""The gate before promotion: what a report must be about, and what it must not show, for its adapter to go live.

Two questions to every measured difference from what is live today. Does the estimate lie below the margin? And is the
interval so wide that a loss of `CLOSE` margins could hide in it? Either refuses. Asking for the whole interval above
the margin, as a report does before it says "ready", would refuse most adapters that are as good as today's.

How often it lets pass, by simulation (`python -m benchmarks --only promoting`: 2,000 draws of two sides of known
quality, 3 texts a brief, all-pass 70%, truth 97%, voice 60%, default margins; half of the variance between briefs,
other ones on each side, and in brackets none; adapters of the shipped student lie between the two):

    golden briefs                               50         100         150         300
    as good as today's                      24% (57%)   57% (78%)   71% (88%)   89% (97%)
    worse by one margin in all three         4% (10%)   10% (11%)   12% (13%)   13% (12%)
    worse by two margins in voice alone      5% (11%)   10%  (9%)   12%  (7%)    6%  (2%)
    worse by two margins in all three        0%  (0%)    0%  (0%)    0%  (0%)    0%  (0%)

Against the base, where nothing is live yet, "no worse" would let an adapter pass that learned nothing. There a gain
must show as well: the interval of all-pass or voice above zero. An adapter of zeros writes what the base writes.

A report is made again in seconds, under wider margins or from another number of texts. So of all reports that fit,
each measure's strictest margin counts (`strictest`), and none decides that another one contradicts (`promotion.judge`).
"""

from collections.abc import Iterable
from typing import NamedTuple

from brand_voice.evidence import SPOKEN, Difference, Measure, Report
from brand_voice.records import AdapterManifest

CLOSE = 3
"""Margins that the interval may reach down to."""
WORN_FROM = 5
"""Adapters held against the same briefs from which on these are no longer blind: adapters get chosen for them."""
WORN = "write new held-out briefs, at least as many as these, then evaluate with --new-golden"
"""What to do about a worn golden set: one that is little more than the old briefs is as worn."""
BASE = "base"
"""What an adapter is held against where none is live."""
REQUIRED: tuple[Measure, ...] = ("all_pass", "truth")
GAINS: tuple[Measure, ...] = ("all_pass", "voice")


class Gate(NamedTuple):
    """What the gate says."""

    reasons: tuple[str, ...]
    """Why the adapter may not go live; none where it may."""
    remarks: tuple[str, ...] = ()
    """What was not judged, and what to keep in mind."""

    @property
    def passes(self) -> bool:
        """Whether the adapter may go live."""
        return not self.reasons


class Terms(NamedTuple):
    """What a report must be about to decide today."""

    adapter: AdapterManifest
    """Who is to go live."""
    live: str | None
    """Who is live and can be used; none holds the adapter against the base."""
    golden: str | None
    """The brand's newest golden set."""
    guide_version: str
    """Of the brand's guide today."""


def misfits(report: Report, terms: Terms) -> tuple[str, ...]:
    """Why a report cannot decide on this adapter today; empty where it can.

    The prompt's wording is the adapter's own matter: one trained on another wording is not found at all.
    """
    against = terms.live or BASE
    guide = terms.guide_version
    asked = (
        (report.adapter == terms.adapter.name, f"the report is about {report.adapter}"),
        (report.against == against, f"the report is against {report.against}, not against {against}"),
        (
            report.golden == terms.golden,
            f"the report is on golden set {report.golden}; the newest is {terms.golden or 'none'}",
        ),
        (report.guide_version == guide, f"the report is under guide {report.guide_version}; today's is {guide}"),
        (report.created_at >= terms.adapter.created_at, "the report is older than the adapter"),
    )
    return tuple(said for fits, said in asked if not fits)


def gate(report: Report, terms: Terms, *, decided: int = 0) -> Gate:
    """Whether an adapter may go live by this report.

    Args:
        report: what decides.
        terms: what it must be about.
        decided: how many other adapters were held against its golden briefs before.
    """
    if wrong := misfits(report, terms):  # what it found is of another question
        return Gate(wrong)
    reasons, remarks = list[str](), list[str]()
    for measure, named in SPOKEN.items():
        difference = report.difference(measure)
        if difference is not None:
            lost = loss(difference)
            reasons += [lost] if lost else []
            remarks += _erosion(difference)
        elif measure in REQUIRED:
            reasons.append(f"the report does not say how many {named} there are")
        else:
            remarks.append(f"{measure} was not judged: the report holds no difference in it")
    if report.against == BASE and not _gains(report):
        reasons.append("nothing shows that it is better than the base, which nobody trained on this brand")
    if report.votes is not None and report.votes.verdict == "worse":
        reasons.append(f"people's blind votes find it worse: it won {report.votes.wins}")
    if report.decision == "not_yet":
        remarks.append(f"the report's own decision is: {report.sentence}")
    if decided:
        worn = f": adapters get chosen for them by now; {WORN}" if decided >= WORN_FROM else ""
        others = "1 other adapter" if decided == 1 else f"{decided} other adapters"
        remarks.append(f"the briefs of golden set {report.golden} were put to {others} before, promoted or not{worn}")
    return Gate(tuple(reasons), tuple(remarks))


def strictest(report: Report, beside: Iterable[Report]) -> Report:
    """The report under the strictest margin, measure by measure, that it or any report beside it was made with."""
    margins: dict[Measure, float] = {}
    for each in (d for made in (report, *beside) for d in made.differences):
        margins[each.measure] = min(each.margin, margins.get(each.measure, each.margin))
    held = (each.model_copy(update={"margin": margins[each.measure]}) for each in report.differences)
    return report.model_copy(update={"differences": tuple(held)})


def loss(difference: Difference) -> str | None:
    """What in a difference refuses its adapter, in words; none where nothing does."""
    if difference.change < -difference.margin:
        return f"{_change(difference)}, beyond the margin of {_points(difference.margin)}"
    if difference.low < -CLOSE * difference.margin:
        most = _points(CLOSE * difference.margin)
        return f"{_change(difference)}: {difference.briefs} briefs are too few to rule out a loss of {most}"
    return None


def _erosion(difference: Difference) -> list[str]:
    """A loss that shows, but lies within the margin: one after another they add up."""
    if difference.high < 0 and loss(difference) is None:
        return [f"{_change(difference)}, within the margin; losses of several promotions add up"]
    return []


def _gains(report: Report) -> bool:
    found = (report.difference(measure) for measure in GAINS)
    return any(difference is not None and difference.low > 0 for difference in found)


def _change(difference: Difference) -> str:
    named = SPOKEN[difference.measure]
    ends = f"{_points(difference.low, signed=True)} to {_points(difference.high, signed=True)}"
    return f"{named}: {_points(difference.change, signed=True)} points (95% {ends})"


def _points(share: float, *, signed: bool = False) -> str:
    return f"{100 * share:+.1f}" if signed else f"{100 * share:g}"
