"""Check `truth`: numbers, prices, codes, dates, offers and product names in the copy come from the brief.

Readers miss invented facts, and a student that has the style down invents them fluently. What is checked here is what
can be read off the text: a false adjective passes. Figures block; number words and days of the week only warn, because
good copy counts its own list ("three tins") and names a morning. Codes are compared as written.
"""

import re
from collections.abc import Iterator, Sequence

from brand_voice.guide import Brand
from brand_voice.records import Finding, Severity
from brand_voice.screen.patterns import Terms
from brand_voice.screen.quantities import VAGUE, Quantity, counted, quantities
from brand_voice.screen.text import Copy, Span, blank, fold, occurrences, shown
from brand_voice.screen.weekdays import days_and_months

_CODE_WORD = re.compile(r"\b[cC](?:ode|ODE):?\s+[\"'“]?(?P<code>(?=\w*[A-Z])[A-Z0-9]{3,})\b")
_MIXED = re.compile(r"(?<![\w.,/-])(?P<letters>[^\W\d_]+)(?P<digits>\d+)\w*")
_TOKEN = re.compile(r"\w+")
_DEADLINE = re.compile(
    r"\b(?:through|until|till|by|ends?|ending|before|bis|endet|nur noch bis|spätestens)(?: zum| am)? $"
)
_BARGAIN = re.compile(r"[%$€£]|\b(?:off|free|sale|offer|order|save|gratis|rabatt|kostenlos|bestell\w*|spar\w*)\b")
_PROMISES: tuple[tuple[str, str, str], ...] = (
    (
        "discount",
        r"\b\d+ ?% (?:off|rabatt)\b|\bon sale\b|\bdiscounted\b|\brabatt\w*|\breduziert\b",
        r"\boff\b|\bsave\b|\bdiscount|\bsale\b|\d ?%|\bhalf price\b|[$€£]|\brabatt",
    ),
    (
        "free shipping",
        r"\bfree (?:shipping|delivery|postage)\b|\bships? free\b|\bshipping is free\b"
        r"|\b(?:gratis|kostenlose[rn]?) ?versand\b|\bversandkostenfrei\b",
        r"\bfree (?:shipping|delivery|postage)\b|\bships? free\b|versand",
    ),
    ("free return", r"\bfree returns?\b|\bkostenlose (?:rückgabe|retoure)\b", r"\bfree returns?\b|\bkostenlose r"),
    (
        "gift",
        r"\bfree (?:gift|sample|bag|box|trial|mug|refill)\b|\bfor free\b"
        r"|\bgratis(?:probe|geschenk)\b",
        r"\bfree\b|gratis|kostenlos",
    ),
    ("half price", r"\bhalf[- ]price\b|\bhalf off\b|\bzum halben preis\b", r"\bhalf\b|\b50 ?%|halb"),
    (
        "two-for-one offer",
        r"\b(?:two|2)[- ]for[- ](?:one|1)\b|\bbuy one,? get one\b|\bbogo\b",
        r"\b(?:two|2)[- ]for[- ](?:one|1)\b|\bbuy one\b|\bbogo\b",
    ),
)
"""A promise, how copy makes it, and what of the brief allows it (English, or the brand's first language)."""
_PROMISED = re.compile("|".join(f"(?P<p{i}>{made})" for i, (_, made, _) in enumerate(_PROMISES)))
_ALLOWED = tuple(re.compile(allowed) for _, _, allowed in _PROMISES)


class Truth:
    """The brand's catalogue and approved claims, prepared."""

    def __init__(self, brand: Brand, catalogue: Sequence[str] = ()) -> None:
        self._approved = "\n".join(fold(claim) for claim in brand.approved_claims)
        self._names = Terms({name.strip() for name in catalogue if name.strip()})

    def check(self, copy: Copy) -> Iterator[Finding]:
        """Findings on what the brief does not say."""
        said = f"{copy.said}\n{self._approved}"
        others = list(self._other_names(copy))
        yield from others
        named = [(f.start, f.end) for f in others if f.start is not None and f.end is not None]
        codes = list(_codes(copy, said))
        yield from (finding for _, finding in codes if finding)
        text = blank(copy.folded, [*copy.names, *named, *(span for span, _ in codes)])
        yield from _numbers(copy, text, said)
        yield from _dates(copy, said)
        yield from _promises(copy, said)

    def _other_names(self, copy: Copy) -> Iterator[Finding]:
        own = [*copy.names, *copy.required]
        for start, end, name in self._names.find(copy.text):
            if fold(name) in copy.said or any(a <= start and end <= b for a, b in own):
                continue
            yield _finding("product", "block", f'"{name}" is another product.', (start, end))


def _finding(rule: str, severity: Severity, message: str, span: Span) -> Finding:
    return Finding(rule=f"truth.{rule}", check="truth", severity=severity, message=message, start=span[0], end=span[1])


def _numbers(copy: Copy, text: str, said: str) -> Iterator[Finding]:
    numbers = [number for number in quantities(text) if number.word not in VAGUE]
    if not numbers:
        return
    facts = blank(said, list(occurrences(said, fold(copy.brief.product.name))))
    known = [*quantities(facts), *counted(facts)]
    for number in numbers:
        span = (number.start, number.end)
        facts_of_it = [other for other in known if number.agrees(other)]
        if facts_of_it:
            if not number.is_about and all(fact.is_about for fact in facts_of_it):
                yield _finding("approximate", "warn", f'The brief says "about {shown(copy.text[slice(*span)])}".', span)
            continue
        rule, severity = _gravity(number, is_timed=any(fact.kind == "clock" for fact in known))
        yield _finding(rule, severity, f'"{shown(copy.text[slice(*span)])}" is not in the brief.', span)


def _gravity(number: Quantity, *, is_timed: bool) -> tuple[str, Severity]:
    """Rule and severity; an hour is a mood ("the 6 a.m. pot") unless the brief names another one."""
    if number.kind == "clock":
        return "time", "block" if is_timed else "warn"
    if number.kind != "plain":
        return ("percent" if number.kind == "percent" else "price"), "block"
    if number.word:
        return "number_word", "warn"
    return "number", "block"


def _codes(copy: Copy, said: str) -> Iterator[tuple[Span, Finding | None]]:
    """Codes and model numbers, each with a finding unless the brief holds it."""
    seen: set[int] = set()
    for match in _CODE_WORD.finditer(copy.text):
        seen.add(match.start("code"))
        known = match["code"] in _TOKEN.findall(copy.brief.said())
        message = f'Code "{match["code"]}" is not in the brief.'
        yield match.span("code"), None if known else _finding("code", "block", message, match.span("code"))
    for match in _MIXED.finditer(copy.text):
        if match.start() in seen:
            continue
        known = fold(match.group()) in _TOKEN.findall(said) or _is_apart(match, said)
        message = f'"{shown(match.group())}" is not in the brief.'
        yield match.span(), None if known else _finding("code", "block", message, match.span())


def _is_apart(match: re.Match[str], said: str) -> bool:
    """Whether the brief writes it in two words: "R5" for "R 5", "LSF30" for "SPF 30"."""
    letters = {"lsf": "spf"}.get(fold(match["letters"]), fold(match["letters"]))
    return bool(re.search(rf"\b{re.escape(letters)}[ -]{match['digits']}\b", said))


def _dates(copy: Copy, said: str) -> Iterator[Finding]:
    days = list(days_and_months(copy.folded, copy.text))
    known = {day.key for day in days_and_months(said)} if days else set()
    for day in days:
        if day.key in known:
            continue
        message = f'"{shown(copy.text[day.start : day.end])}" is not in the brief.'
        if _is_deadline(copy.folded, day.start, day.end):
            yield _finding("deadline", "block", message, (day.start, day.end))
        else:
            yield _finding("date", "warn", message, (day.start, day.end))


def _is_deadline(folded: str, start: int, end: int) -> bool:
    """Whether the day ends an offer ("20% off until Friday") and not a mood ("hang it up until May")."""
    before, after = folded[max(0, start - 50) : start], folded[end : end + 40]
    near = re.split(r"[.!?] ", before)[-1] + re.split(r"[.!?] ", after)[0]
    return bool(_DEADLINE.search(folded, max(0, start - 24), start) and _BARGAIN.search(near))


def _promises(copy: Copy, said: str) -> Iterator[Finding]:
    for match in _PROMISED.finditer(copy.folded):
        kind = next(i for i in range(len(_PROMISES)) if match[f"p{i}"] is not None)
        if not _ALLOWED[kind].search(said):
            yield _finding("offer", "block", f"The brief offers no {_PROMISES[kind][0]}.", match.span())
