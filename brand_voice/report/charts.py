"""Charts as SVG: figures in, a string out; no library, no script, no download.

Every chart has a title and a description for those who do not see it, takes its ink from the text around it, and tells
states apart by shape as well as by colour. Text does not shrink: a chart is drawn for a width in pixels, and a page
shows the one that fits.
"""

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal, NamedTuple

from brand_voice.report.words import visible

WIDE, NARROW = 776, 340
"""Pixels; below `STACKED_BELOW` labels stand above what they name."""
STACKED_BELOW = 500
State = Literal["no worse", "worse", "undecided"]
COLOURS: dict[str, str] = {
    "no worse": "var(--good, #2e7d4f)",
    "worse": "var(--bad, #c2362b)",
    "undecided": "var(--warn, #8f5d10)",
}
BLUE = "var(--blue, #2f6fb0)"
SOFT = "var(--soft, #6b6963)"
LINE = "var(--line, #c6c3b9)"


class Frame(NamedTuple):
    """What every chart is given beside its data."""

    key: str
    """Unique on the page; ids are made of it."""
    title: str
    desc: str
    """What the chart shows, in words."""
    width: int = WIDE


class Interval(NamedTuple):
    """A figure with the ends of its interval, and the line it must stay above."""

    label: str
    low: float
    point: float
    high: float
    line: float
    state: State
    told: str
    """The figures in words."""


class Generation(NamedTuple):
    """Reviewers' effort with one writer's texts, as shares."""

    untouched: float
    low: float
    high: float
    rejected: float
    edited: float | None
    mark: str
    """What it is called below the chart: its number, or T for a teacher."""
    is_teacher: bool


class Choice(NamedTuple):
    """A point of quality against cost."""

    x: float
    y: float
    low: float
    high: float
    label: str


class Scale(NamedTuple):
    """Values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies, kept inside."""
        share = (min(max(value, self.low), self.high) - self.low) / ((self.high - self.low) or 1)
        return round(self.start + share * (self.end - self.start), 1)


def intervals(frame: Frame, rows: Sequence[Interval], *, zero: float, axis: str, unit: Literal["points", "%"]) -> str:
    """Intervals one below the other, each against its own line.

    Args:
        frame: key, title, description and width.
        rows: as shares.
        zero: where a line goes through all rows: nothing to choose between the two sides.
        axis: what the axis counts.
        unit: `points` signs the ticks.
    """
    is_stacked = frame.width < STACKED_BELOW
    left, right, height = (8, 8, 58) if is_stacked else (184, 168, 40)
    values = [v for row in rows for v in (row.low, row.high, row.line)] + [zero]
    pad = max(0.06 * (max(values) - min(values)), 0.005)
    scale = Scale(min(values) - pad, max(values) + pad, left, frame.width - right)
    bottom = 8 + height * len(rows)
    parts: list[str] = []
    for index, row in enumerate(rows):
        foot = 8 + (index + 1) * height
        parts.append(_vertical(scale(zero), foot - 34 if is_stacked else foot - height, foot, SOFT))
        parts += _interval(row, scale, top=8 + index * height, height=height, width=frame.width)
    ticks = _ticks(scale.low, scale.high, 5 if is_stacked else 7)
    parts += _axis(scale, ticks, bottom, [_tick(t, unit) for t in ticks])
    parts.append(_text((scale.start + scale.end) / 2, bottom + 36, axis, anchor="middle", colour=SOFT))
    return _svg(frame, bottom + 44, parts)


def generations(frame: Frame, rows: Sequence[Generation]) -> str:
    """Effort over the generations of the student, oldest first; a teacher stands apart, joined to nobody."""
    is_stacked = frame.width < STACKED_BELOW
    height, right = (250, 96) if is_stacked else (270, 130)
    x = Scale(0, max(1, len(rows) - 1), 52, frame.width - right)
    y = Scale(0, 1, height - 40, 14)
    parts = _shares(y, 44, frame.width - right + 8)
    for index, row in enumerate(rows):
        parts.append(_vertical(x(index), y(row.low), y(row.high), BLUE))
        parts.append(_text(x(index), height - 20, row.mark, anchor="middle", colour=SOFT))
    series = (
        ("untouched", BLUE, [row.untouched for row in rows], "circle", ""),
        ("rejected", COLOURS["worse"], [row.rejected for row in rows], "diamond", "6 4"),
        ("edit distance", COLOURS["undecided"], [row.edited for row in rows], "hollow", "2 3"),
    )
    ends = []
    teachers = {x(i) for i, row in enumerate(rows) if row.is_teacher}
    for name, colour, values, shape, dashes in series:
        known = [(x(i), y(v)) for i, v in enumerate(values) if v is not None and not math.isnan(v)]
        own = [place for place in known if place[0] not in teachers]
        parts += [_path(own, colour, dashes), *(_mark(*place, shape, colour) for place in known)]
        ends += [(known[-1][1], name, colour)] if known else []
    for level, (_, name, colour) in zip(_apart([e[0] for e in sorted(ends)]), sorted(ends), strict=True):
        parts.append(_text(frame.width - right + 14, level + 4, name, colour=colour))
    parts.append(_text((x.start + x.end) / 2, height - 3, "generation, oldest first", anchor="middle", colour=SOFT))
    return _svg(frame, height, parts)


def choices(frame: Frame, rows: Sequence[Choice], *, axis: str, is_money: bool) -> str:
    """Quality against cost: a point a threshold, numbered as in the table, with its interval."""
    height = 260 if frame.width < STACKED_BELOW else 290
    values = [row.x for row in rows]
    pad = max(0.08 * (max(values) - min(values)), 0.02 * max(values), 1e-4)
    x = Scale(max(0.0, min(values) - pad), max(values) + pad, 52, frame.width - 20)
    floor = max(0.0, math.floor(10 * min(row.low for row in rows)) / 10)
    y = Scale(floor, 1, height - 54, 14)
    parts = _shares(y, 44, frame.width - 12)
    ticks = _ticks(x.low, x.high, 4 if frame.width < STACKED_BELOW else 7)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = max(2, math.ceil(-math.log10(step))) if step < 1 else 0
    parts += _axis(x, ticks, height - 54, [f"${t:,.{digits}f}" if is_money else f"{t:.0%}" for t in ticks])
    parts.append(_path([(x(row.x), y(row.y)) for row in sorted(rows)], LINE, ""))
    for row in rows:
        place = x(row.x), y(row.y)
        parts += [_vertical(place[0], y(row.low), y(row.high), BLUE), _mark(*place, "circle", BLUE)]
        parts.append(_text(place[0] + 8, place[1] - 8, row.label, colour=BLUE, weight=600))
    parts.append(_text((x.start + x.end) / 2, height - 10, axis, anchor="middle", colour=SOFT))
    return _svg(frame, height, parts)


def dumbbell(candidate: float, reference: float) -> str:
    """Two shares on one line of 0 to 100%; beside figures that say the same, so hidden from screen readers."""
    scale = Scale(0, 1, 6, 134)
    ours, theirs = scale(candidate), scale(reference)
    marks = _mark(theirs, 9, "hollow", SOFT) + _mark(ours, 9, "circle", BLUE)
    base = f'<path d="M6 9H134" stroke="{LINE}"/><path d="M{ours} 9H{theirs}" stroke="{SOFT}" stroke-width="2"/>'
    return f'<svg width="140" height="18" viewBox="0 0 140 18" aria-hidden="true">{base}{marks}</svg>'


def _interval(row: Interval, scale: Scale, *, top: float, height: float, width: int) -> list[str]:
    is_stacked = width < STACKED_BELOW
    middle = top + (40 if is_stacked else height / 2)
    colour = COLOURS[row.state]
    beyond = max(0.0, scale(row.line) - scale.start)
    label = (8, top + 18, "start") if is_stacked else (0, middle + 4, "start")
    told = (width - 8 if is_stacked else width, label[1], "end")
    low, high = scale(row.low), scale(row.high)
    return [
        f'<rect x="{scale.start}" y="{middle - 12}" width="{beyond:.1f}" height="24" '
        f'fill="{COLOURS["worse"]}" opacity="0.1"/>',
        _vertical(scale(row.line), middle - 12, middle + 12, COLOURS["worse"], dashes="3 3"),
        f'<path d="M{low} {middle}H{high}M{low} {middle - 5}v10M{high} {middle - 5}v10" stroke="{colour}" '
        'stroke-width="2" fill="none"/>',
        _mark(scale(row.point), middle, _SHAPES[row.state], colour),
        _text(label[0], label[1], row.label, weight=600),
        _text(told[0], told[1], row.told, anchor="end"),
    ]


_SHAPES: dict[State, str] = {"no worse": "circle", "undecided": "hollow", "worse": "diamond"}


def _svg(frame: Frame, height: float, parts: Iterable[str]) -> str:
    title, desc = f"{frame.key}-{frame.width}-title", f"{frame.key}-{frame.width}-desc"
    return (
        f'<svg role="img" aria-labelledby="{title} {desc}" viewBox="0 0 {frame.width} {height:g}" '
        f'width="{frame.width}" height="{height:g}" font-size="12.5" fill="none">'
        f'<title id="{title}">{_safe(frame.title)}</title><desc id="{desc}">{_safe(frame.desc)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _safe(text: str) -> str:
    return escape(visible(text))


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", colour: str = "currentColor", weight: int = 400
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{_safe(text)}</text>'
    )


def _vertical(x: float, top: float, bottom: float, colour: str, *, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="M{x} {top:g}V{bottom:g}" stroke="{colour}"{dashed}/>'


def _path(places: Sequence[tuple[float, float]], colour: str, dashes: str) -> str:
    drawn = "L".join(f"{x} {y}" for x, y in places)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="M{drawn}" stroke="{colour}" stroke-width="2"{dashed}/>' if len(places) > 1 else ""


def _mark(x: float, y: float, shape: str, colour: str) -> str:
    if shape == "diamond":
        return f'<path d="M{x} {y - 6}l6 6l-6 6l-6 -6Z" fill="{colour}"/>'
    fill = "var(--paper, #fff)" if shape == "hollow" else colour
    return f'<circle cx="{x}" cy="{y}" r="5" fill="{fill}" stroke="{colour}" stroke-width="2"/>'


def _axis(scale: Scale, ticks: Sequence[float], y: float, labels: Sequence[str]) -> list[str]:
    line = f'<path d="M{scale.start} {y}H{scale.end}" stroke="{LINE}"/>'
    marks = (_vertical(scale(tick), y, y + 4, LINE) for tick in ticks)
    told = (
        _text(scale(t), y + 18, label, anchor="middle", colour=SOFT) for t, label in zip(ticks, labels, strict=True)
    )
    return [line, *marks, *told]


def _shares(scale: Scale, left: float, right: float) -> list[str]:
    """Lines across for shares, a tenth or a quarter apart, with their percentages at the left."""
    step = 0.25 if scale.low == 0 else 0.1
    levels = [i * step for i in range(round(1 / step) + 1) if i * step >= scale.low - 1e-9]
    rules = (f'<path d="M{left} {scale(v)}H{right}" stroke="{LINE}" stroke-opacity="0.6"/>' for v in levels)
    return [*rules, *(_text(left - 6, scale(v) + 4, f"{v:.0%}", anchor="end", colour=SOFT) for v in levels)]


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Round values inside a range, about so many."""
    rough = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _tick(value: float, unit: str) -> str:
    rounded = round(100 * value, 1)
    if unit == "%":
        return f"{rounded:g}%"
    return f"{'−' if rounded < 0 else '+' if rounded > 0 else ''}{abs(rounded):g}"


def _apart(levels: Sequence[float], gap: float = 16) -> list[float]:
    """Sorted levels moved down where they would overlap."""
    placed: list[float] = []
    for level in levels:
        placed.append(max(level, placed[-1] + gap) if placed else level)
    return placed
