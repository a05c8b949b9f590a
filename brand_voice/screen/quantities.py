"""Reading numbers out of copy: figures, number words, percentages, prices, units, in English and German.

"1,000" and "1.000", "10%" and "10 %", "12-oz" and "12 oz.", "4,5 g" and "4.5 g", "two" and "2", "½" and "0.5" read
alike. A figure whose separator is ambiguous has both readings, and agrees with another when they share one. What a
number counts is known only by the unit after it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

Kind = Literal["percent", "money", "clock", "plain"]

_ENGLISH = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen",
    "twenty thirty forty fifty sixty seventy eighty ninety",
)
_GERMAN = (
    "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn",
    "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
)
_ONE = "a an single once ein eine einen einem einer einmal"
_TWO = "both twice double pair beide beiden beides zweimal doppelt paar"
_HALF = "half halves halved halb halbe halber halben halbes hälfte"


def _number_words() -> dict[str, float]:
    (ones_en, tens_en), (ones_de, tens_de) = ([words.split() for words in pair] for pair in (_ENGLISH, _GERMAN))
    words: dict[str, float] = {word: i for ones in (ones_en, ones_de) for i, word in enumerate(ones, 1)}
    for ten, english, german in zip(range(20, 100, 10), tens_en, tens_de, strict=True):
        words[english] = words[german] = ten
        for one in range(1, 10):
            words[f"{english}-{ones_en[one - 1]}"] = words[f"{english} {ones_en[one - 1]}"] = ten + one
            words[f"{'ein' if one == 1 else ones_de[one - 1]}und{german}"] = ten + one
    words |= {"hundred": 100, "hundert": 100, "thousand": 1000, "tausend": 1000, "dozen": 12, "dutzend": 12}
    words |= {"quarter": 0.25, "viertel": 0.25}
    for same, value in ((_ONE, 1), (_TWO, 2), (_HALF, 0.5)):
        words |= dict.fromkeys(same.split(), value)
    return words


WORDS = _number_words()
"""Number words to values."""
VAGUE = frozenset(word for word, value in WORDS.items() if value <= 1 or value == 2) - {"two", "zwei"}
"""Number words that mostly do not count anything: "one of them", "both", "half"."""

_DIMENSIONS = (
    ("mass", 1, "g gr gram grams gramm"),
    ("mass", 1000, "kg kilo kilos kilogram kilograms kilogramm"),
    ("mass", 0.001, "mg milligram milligrams milligramm"),
    ("imperial mass", 1, "oz ounce ounces unze unzen"),
    ("imperial mass", 16, "lb lbs pound pounds"),
    ("volume", 1, "ml milliliter milliliters millilitre millilitres"),
    ("volume", 1000, "l liter liters litre litres"),
    ("length", 1, "mm millimeter millimetre millimeters millimetres"),
    ("length", 10, "cm centimeter centimetre centimeters centimetres zentimeter"),
    ("length", 1000, "m meter meters metre metres"),
    ("length", 1_000_000, "km kilometer kilometers kilometre kilometres"),
    ("imperial length", 1, "inch inches zoll"),
    ("imperial length", 12, "ft foot feet"),
    ("time", 1, "s sec secs second seconds sek sekunde sekunden"),
    ("time", 60, "min mins minute minutes minuten"),
    ("time", 3600, "h hr hrs hour hours stunde stunden std"),
    ("time", 86_400, "day days tag tage tagen night nights nacht nächte nächten"),
    ("time", 604_800, "week weeks woche wochen"),
    ("months", 1, "month months monat monate monaten"),
    ("months", 12, "year years jahr jahre jahren"),
    ("temperature", 1, "°c °"),
    ("fahrenheit", 1, "°f"),
    ("power", 1, "w watt watts"),
    ("power", 1000, "kw kilowatt kilowatts"),
    ("light", 1, "lumen lumens lm"),
    ("speed", 1, "m/s"),
    ("area weight", 1, "g/m² gsm"),
    ("area", 1, "m² sqm"),
    ("denier", 1, "denier"),
)
"""Dimension, factor to its smallest unit, words. Metric and imperial are not converted into each other."""
_UNITS = {word: (dimension, float(factor)) for dimension, factor, words in _DIMENSIONS for word in words.split()}

_PERCENT = r"(?:%|percent\b|per\ cent\b|prozent\b)"
_FRACTIONS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3}


def _any_of(words: Iterable[str]) -> str:
    """Alternatives, longest first, grouped by first letter: several times faster than a flat list."""
    groups = groupby(sorted(words, key=lambda word: (word[0], -len(word))), key=lambda word: word[0])
    return "|".join(f"{first}(?:{'|'.join(re.escape(word[1:]) for word in group)})" for first, group in groups)


_QUANTITY = re.compile(
    rf"""
    (?P<minus>(?<![\w.,])-|(?<!\w)minus\ )?
    (?:(?P<money>[$€£])\ ?)?
    (?:(?P<figure>(?<!\w)(?<!\d[.,])\d+(?:[.,]\d+)*)(?P<minutes>:[0-5]\d(?!\d|:\d))?(?P<half>\ ?[½¼¾⅓⅔])?
      |(?P<fraction>[½¼¾⅓⅔])
      |(?<![\w-])(?P<word>{_any_of(WORDS)})(?:[ -](?P<times>hundred|thousand|dozen))?(?!\w))
    (?:st\b|nd\b|rd\b|th\b)?
    (?:\ ?(?P<percent>{_PERCENT})
      |\ ?(?P<currency>[$€£](?!\d)|(?:dollars?|euros?|usd|eur)\b)
      |\ ?(?P<clock>[ap]\.?m\b\.?|uhr\b)
      |[ -]?(?P<unit>°\ ?[cf]\b|°|(?:{_any_of(_UNITS)})(?![^\W_])))?
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in a text."""

    start: int
    end: int
    values: frozenset[float]
    """Plausible readings of it, in the smallest unit of the dimension."""
    bare: frozenset[float]
    """The same without the unit."""
    kind: Kind
    dimension: str | None
    """What it measures, where a unit follows."""
    word: str | None
    """The number word, if it was one."""
    is_about: bool = False
    """Whether the text hedges it: "about 10 minutes"."""
    is_shared: bool = False
    """Whether its unit may stand with the next number: "28" in "28 x 12 cm", "three" in "three or four weeks"."""

    def agrees(self, other: "Quantity") -> bool:
        """Whether `other` says the same: same value, same kind, and the same dimension where both name one."""
        if self.kind in ("percent", "money"):
            return self.kind == other.kind and bool(self.values & other.values)
        if self.dimension and other.dimension:
            return self.dimension == other.dimension and bool(self.values & other.values)
        if self.dimension and not other.is_shared:
            return False
        return bool(self.bare & other.bare)


_ABOUT = re.compile(
    r"(?:\b(?:about|around|roughly|nearly|almost|approximately|approx\.|etwa|rund|circa|ca\.|ungefähr|knapp)"
    r"|~) ?(?:the |an? |every |alle )?\Z"
)
_SHARED = re.compile(rf" ?(?:x|×|by|to|or|and|bis|oder|und|mal|[-–/,]) ?(?:\d|(?:{_any_of(WORDS)})\b)")


def quantities(folded: str) -> Iterator[Quantity]:
    """Numbers of a folded text, left to right."""
    return map(_read, _QUANTITY.finditer(folded))


def _read(match: re.Match[str]) -> Quantity:
    bare = _values(match)
    dimension, factor = _UNITS.get((match["unit"] or "").replace(" ", ""), (None, 1.0))
    is_below_zero = bool(match["minus"]) and dimension in ("temperature", "fahrenheit")
    if is_below_zero:
        bare = frozenset(-value for value in bare)
    kind = _kind(match)
    starts = [match.start(group) for group in ("money", "figure", "fraction", "word") if match[group]]
    return Quantity(
        start=match.start() if is_below_zero else starts[0],
        end=match.end() if kind in ("percent", "money") or dimension else _end_of_number(match),
        values=frozenset(round(value * factor, 6) for value in bare),
        bare=bare,
        kind=kind,
        dimension=dimension,
        word=match["word"],
        is_about=_ABOUT.search(match.string, max(0, starts[0] - 18), starts[0]) is not None,
        is_shared=_SHARED.match(match.string, _end_of_number(match)) is not None,
    )


def _kind(match: re.Match[str]) -> Kind:
    if match["percent"]:
        return "percent"
    if match["money"] or match["currency"]:
        return "money"
    return "clock" if match["clock"] or match["minutes"] else "plain"


def _end_of_number(match: re.Match[str]) -> int:
    return max(match.end(group) for group in ("figure", "minutes", "half", "fraction", "word", "times", "clock"))


def _values(match: re.Match[str]) -> frozenset[float]:
    if match["word"]:
        times = WORDS[match["times"]] if match["times"] else 1.0
        return frozenset({WORDS[match["word"]] * times})
    if match["fraction"]:
        return frozenset({_FRACTIONS[match["fraction"]]})
    part = _FRACTIONS[match["half"].strip()] if match["half"] else 0.0
    part += int(match["minutes"][1:]) / 60 if match["minutes"] else 0.0
    return frozenset(value + part for value in readings(match["figure"]))


_GROUPED = {",": re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?"), ".": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?")}


def readings(figure: str) -> set[float]:
    """What a figure may mean: "1,000" is a thousand, "4,5" four and a half, "1.000" either a thousand or one."""
    found = set()
    for comma, point in ((",", "."), (".", ",")):
        if _GROUPED[comma].fullmatch(figure):
            found.add(float(figure.replace(comma, "").replace(point, ".")))
    if figure.count(".") + figure.count(",") <= 1 and not (found and "," in figure):
        found.add(float(figure.replace(",", ".")))
    return found or {float(part) for part in re.split("[.,]", figure)}


_LISTED = re.compile(r",\s*(?:and |or |und |oder )?|\s(?:and|or|und|oder|&)\s")


def counted(lines: str) -> Iterator[Quantity]:
    """Numbers nobody wrote but a reader may count: a line that lists three things allows "three"."""
    for line in lines.split("\n"):
        items = float(len(_LISTED.split(line)))
        if items > 1:
            yield Quantity(0, 0, frozenset({items}), frozenset({items}), "plain", None, None)
