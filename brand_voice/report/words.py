"""Figures and findings in words, the same on the page, in its charts and on the card.

Model text, briefs and names are untrusted: `visible` makes of them what a reader sees and nothing a reader does not,
and goes before any escaping.
"""

import math
import re
from typing import Literal, get_args

from brand_voice.evidence import Decision, Difference, Latency, Report, Role, SideFigures, SliceFigure
from brand_voice.rates import Rate

NONE = "–"
"""Stands where there is no figure."""
UNTIMED = Latency(p50_ms=None, p95_ms=None, basis="not measured")
DECISIONS: dict[Decision, str] = {"ready": "Ready", "ready_except": "Ready, except for …", "not_yet": "Not yet"}
ROLES: dict[Role, str] = {
    "candidate": "Candidate",
    "reference": "Reference",
    "teacher": "Teacher",
    "base": "Base",
    "few_shot": "Few-shot",
    "echo": "Echo of the brief",
}
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with control characters, changes of direction and other unseen ones named: `[U+202E]`."""
    return _UNSEEN.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)


def percent(share: float | None) -> str:
    """A share as a whole percentage."""
    return NONE if share is None or math.isnan(share) else f"{share:.0%}"


def rated(rate: Rate) -> str:
    """A share of counted texts as a percentage that says neither all nor none where it is not."""
    if 0 < rate.hits < rate.of:
        return ">99%" if rate.share > 0.995 else "<1%" if rate.share < 0.005 else f"{rate.share:.0%}"
    return percent(rate.share)


def points(change: float) -> str:
    """A difference of shares in percentage points, always signed."""
    if math.isnan(change):
        return NONE
    rounded = round(100 * change, 1)
    return f"{'−' if rounded < 0 else '+' if rounded > 0 else '±'}{abs(rounded):.1f}"


def span(low: float, high: float) -> str:
    """An interval of shares in percent."""
    return f"{low:.0%} to {high:.0%}"


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separated; digits after the point."""
    return NONE if value is None or math.isnan(value) else f"{value:,.{digits}f}"


def usd(amount: float | None) -> str:
    """Dollars; under ten cents with four digits, so that a fraction of a cent is not called nothing."""
    if amount is None or math.isnan(amount):
        return NONE
    return f"${amount:,.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.4f}"


def milliseconds(value: float | None) -> str:
    """A latency: milliseconds, from one second on seconds."""
    if value is None or math.isnan(value):
        return NONE
    return f"{value:.0f} ms" if value < 1_000 else f"{value / 1_000:.1f} s"


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"


def against(report: Report) -> str:
    """Whom the candidate was compared with."""
    said = {"teacher": "the teacher", "base": "the base student", "few_shot": "the base student shown examples"}
    return said.get(report.against, report.against)


def state(difference: Difference) -> Literal["no worse", "worse", "undecided", "not measured"]:
    """What a difference's interval says of the margin: `no worse`, `worse`, `undecided` or `not measured`."""
    if math.isnan(difference.low):
        return "not measured"
    return "no worse" if difference.is_no_worse else "worse" if difference.is_worse else "undecided"


def reason(report: Report) -> str:
    """The sentence as it follows the decision, which it need not say again."""
    stated = DECISIONS[report.decision].rstrip(" …")
    rest = report.sentence.removeprefix(stated).lstrip(": ")
    return rest[:1].upper() + rest[1:]


def role(report: Report, side: SideFigures) -> str:
    """What a side is to the report; the reference says who it is where it is no adapter."""
    who = {"teacher": "teacher", "base": "base", "few_shot": "few-shot"}.get(report.against)
    return f"Reference ({who})" if side.role == "reference" and who else ROLES[side.role]


def sliced(report: Report) -> dict[str, list[SliceFigure]]:
    """The slices by dimension, both in the order they came."""
    found: dict[str, list[SliceFigure]] = {}
    for each in report.slices:
        found.setdefault(each.dimension, []).append(each)
    return found


def ordered(report: Report) -> list[SideFigures]:
    """The sides in the order of their roles; one that stands for two roles once."""
    roles = get_args(Role)
    sides = sorted(report.sides, key=lambda side: roles.index(side.role))
    return list({side.name: side for side in reversed(sides)}.values())[::-1]


def spoken(code: str) -> str:
    """A name from the data as words: `off_voice` is `off voice`."""
    return code.replace("_", " ").replace(".", ": ")


def command(report: Report) -> str:
    """The command that makes this report anew; only names that are plain stand in it."""
    flags = {"--brand": report.brand, "--adapter": report.adapter, "--against": report.against.replace("_", "-")}
    flags["--samples"] = str(report.samples)
    plain = {flag: value for flag, value in flags.items() if re.fullmatch(r"[A-Za-z0-9@._-]+", value)}
    return " ".join(["brand-voice evaluate", *(f"{flag} {value}" for flag, value in plain.items())])
