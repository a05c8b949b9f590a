"""The report in a dozen lines of Markdown, for a README or an adapter's model card."""

import re

from brand_voice.evidence import MEASURES, Cost, Difference, Report
from brand_voice.report import words

_MARKUP = re.compile(r"[\\`*_\[\]>#|~$]")
_BARE = {"&": "&amp;", "<": "&lt;", "@": "&#64;", "://": "&#58;//", "www.": "www&#46;"}
"""What becomes a tag, a link, a mention or an entity although nothing marks it, or where a backslash is not heeded."""


def card(report: Report) -> str:
    """Decision, differences, facts, cost and the command that makes it anew."""
    candidate = report.side("candidate")
    facts = candidate.facts.items() if candidate else ()
    held = "; ".join(f"{plain(words.spoken(name))} {words.rated(rate)} ({rate.hits}/{rate.of})" for name, rate in facts)
    texts = f"{candidate.texts:,} texts for {candidate.briefs:,} golden briefs" if candidate else "no texts"
    return "\n".join(
        [
            f"**{words.DECISIONS[report.decision]}** {plain(words.reason(report))}",
            "",
            f"{plain(report.adapter)} against {plain(words.against(report))}, {texts}, "
            f"{plain(report.created_at[:10])}.",
            "",
            "| | candidate | reference | difference, points (95%) | margin | |",
            "|---|---|---|---|---|---|",
            *(_row(each) for each in report.differences),
            "",
            f"Facts: {held or 'none checked'}. 1,000 accepted texts: {_cost(report)}.",
            "",
            f"    {words.command(report)}",
        ]
    )


def plain(text: str) -> str:
    """Untrusted text in one line of Markdown, with nothing in it that Markdown or HTML would act on."""
    folded = " ".join(words.visible(text).split())
    escaped = _MARKUP.sub(lambda found: f"\\{found.group()}", folded)
    for bare, entity in _BARE.items():
        escaped = escaped.replace(bare, entity)
    return escaped


def _row(each: Difference) -> str:
    state = words.state(each)
    interval = "" if state == "not measured" else f" ({words.points(each.low)} to {words.points(each.high)})"
    shares = f"{words.percent(each.candidate)} | {words.percent(each.reference)}"
    change = f"{words.points(each.change)}{interval}"
    return f"| {MEASURES[each.measure]} | {shares} | {change} | {words.points(-each.margin)} | {state} |"


def _cost(report: Report) -> str:
    told = [(words.role(report, side).lower(), side.cost) for side in words.ordered(report) if side.role != "echo"]
    return ", ".join(f"{who} {_usd(cost)}" for who, cost in told) or "not measured"


def _usd(cost: Cost) -> str:
    amount = cost.usd_per_thousand_accepted
    return "not measured" if amount is None else f"{words.usd(amount)} ({cost.basis})"
