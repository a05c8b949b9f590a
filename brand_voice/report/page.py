"""The report as one page: a file that needs nothing else, to read on any screen or to print.

The template escapes everything that it is given, and names what cannot be seen; only the charts, which escape for
themselves, pass as they are. There is no script on the page and nothing that it would load.
"""

from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from brand_voice.evidence import MEASURES, Effort, Report
from brand_voice.gate import WORN, WORN_FROM
from brand_voice.judge import MIN_KAPPA, MIN_SHARED
from brand_voice.report import charts, words
from brand_voice.report.charts import NARROW, WIDE, Choice, Frame, Generation, Interval
from brand_voice.vote import DESCRIPTIVE_BELOW

_HERE = Path(__file__).parent


def page(report: Report) -> str:
    """The report as HTML."""
    sides = words.ordered(report)
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            sides=sides,
            voiced=[side for side in sides if side.voice is not None],
            css=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
            charts={
                "differences": _drawn(_differences, report),
                "votes": _drawn(_votes, report) if report.votes and report.votes.wins.of else None,
                "effort": _drawn(_effort, report) if len(report.effort) > 1 else None,
                "cascade": _drawn(_cascade, report) if len(report.cascade) > 1 else None,
            },
            marks=_marks(report),
            judge_notes=[note for note in report.notes if note.startswith("Judge:")],
            judge_says=_judge_says(report),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= {
        "words": words,
        "dumbbell": _dumbbell,
        "name": _name,
        "min_votes": DESCRIPTIVE_BELOW,
        "measures": MEASURES,
        "worn": WORN_FROM,
        "worn_remedy": WORN,
    }
    return environment


def _shown(value: Any) -> Any:
    """What an expression of the template puts on the page, before it is escaped."""
    return value if isinstance(value, Markup) else words.visible(str(value))


def _name(text: str) -> Markup:
    """A name that may be broken after its brand."""
    return Markup("@<wbr>").join(words.visible(part) for part in text.split("@"))


def _drawn(draw: Callable[[Report, int], str], report: Report) -> tuple[Markup, Markup]:
    """A chart for wide pages and print, and one for telephones."""
    return Markup(draw(report, WIDE)), Markup(draw(report, NARROW))


def _dumbbell(candidate: float, reference: float) -> Markup:
    return Markup(charts.dumbbell(candidate, reference))


def _differences(report: Report, width: int) -> str:
    rows = []
    for each in report.differences:
        state = words.state(each)
        if state == "not measured":
            continue
        told = f"{words.points(each.change)}  ({words.points(each.low)} to {words.points(each.high)})"
        label = MEASURES[each.measure]
        rows.append(Interval(label, each.low, each.change, each.high, -each.margin, state, told))
    desc = "; ".join(f"{row.label}: {row.told} points, margin {words.points(row.line)}: {row.state}" for row in rows)
    frame = Frame("differences", "Candidate less reference, with 95% intervals against the margins", desc, width)
    return charts.intervals(frame, rows, zero=0, axis="points, candidate less reference", unit="points")


def _votes(report: Report, width: int) -> str:
    votes = report.votes
    assert votes is not None
    state: charts.State = "undecided" if votes.verdict is None else votes.verdict
    told = f"{votes.wins.share:.0%}  ({words.span(votes.low, votes.high)})"
    row = Interval("Candidate preferred", votes.low, votes.wins.share, votes.high, 0.5 - votes.margin, state, told)
    desc = f"Of the decisive votes, with a 99% interval, against the line at {row.line:.0%}: {told}: {state}"
    frame = Frame("votes", "How often people preferred the candidate's text", desc, width)
    return charts.intervals(frame, [row], zero=0.5, axis="share of decisive votes", unit="%")


def _effort(report: Report, width: int) -> str:
    rows = [
        Generation(e.untouched.share, *e.untouched.interval, e.rejected.share, e.edit_distance, mark, e.is_teacher)
        for mark, e in zip(_marks(report), report.effort, strict=True)
    ]
    desc = "; ".join(f"{e.writer}: {_effort_told(e)}" for e in report.effort)
    return charts.generations(Frame("effort", "Reviewers' effort over the generations of writers", desc, width), rows)


def _marks(report: Report) -> list[str]:
    """Numbers for the student's generations, T for teachers."""
    generation = count(1)
    return ["T" if each.is_teacher else str(next(generation)) for each in report.effort]


def _effort_told(effort: Effort) -> str:
    untouched, rejected = words.percent(effort.untouched.share), words.percent(effort.rejected.share)
    return f"{untouched} untouched, {rejected} rejected, edit distance {words.percent(effort.edit_distance)}"


def _cascade(report: Report, width: int) -> str:
    is_money = all(point.usd_per_thousand is not None for point in report.cascade)
    rows = [
        Choice(
            (point.usd_per_thousand or 0.0) if is_money else point.by_teacher,
            point.all_pass.share,
            *point.all_pass.interval,
            str(index + 1),
        )
        for index, point in enumerate(report.cascade)
    ]
    axis = "US dollars per 1,000 texts" if is_money else "share of texts by the teacher"
    desc = "; ".join(f"{row.label}: {row.y:.0%} without a blocking finding at {row.x:.4g} {axis}" for row in rows)
    frame = Frame("cascade", "Texts without a blocking finding against cost", desc, width)
    return charts.choices(frame, rows, axis=axis, is_money=is_money)


def _judge_says(report: Report) -> str:
    """Whether the judge's figures may be leant on, and why not; it decides nothing either way."""
    judge = report.judge
    if judge is None:
        return ""
    if judge.may_gate:
        return (
            f"It agrees with people well enough to be believed (kappa from {MIN_KAPPA}, {MIN_SHARED} shared pairs or "
            "more). The decision above does not rest on it."
        )
    why = f"its kappa with people is below {MIN_KAPPA}"
    if judge.with_people.of < MIN_SHARED:
        why = f"people voted on {judge.with_people.of} of its pairs, and {MIN_SHARED} are needed"
    elif judge.kappa is None:
        why = "its kappa with people cannot be computed"
    return f"Not to be relied on: {why}."
