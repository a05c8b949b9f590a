"""Line charts as inline SVG, made here: numbers and escaped names, no script, no style of its own.

A line is told from the others by its dashes and its name at its end, not by its colour alone; whoever cannot see it
reads the label, and the same numbers stand in a table or a sentence beside it.
"""

import html
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 400, 200
LEFT, RIGHT, TOP, BOTTOM = 42, 88, 10, 30
"""Room for the numbers, the lines' names and the axis."""
LINE_HEIGHT = 15
TICKS = 4
Point = tuple[float, float]


class Line(NamedTuple):
    """A named row of points, from left to right."""

    name: str
    points: Sequence[Point]
    has_marks: bool = False
    """Whether every point is marked: where there are few."""


class Axes(NamedTuple):
    """What the chart says of itself."""

    label: str
    """What is seen, for whoever does not see it."""
    x: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    is_share: bool = False
    """Whether y is a share, told in percent."""


def finite(points: Iterable[tuple[float | None, float | None]]) -> list[Point]:
    """The points that have numbers."""
    return [(x, y) for x, y in points if x is not None and y is not None and math.isfinite(x) and math.isfinite(y)]


def around(values: Sequence[float]) -> tuple[float, float]:
    """A range that holds all values, with some room."""
    low, high = min(values), max(values)
    room = (high - low) * 0.08 or abs(high) * 0.08 or 1.0
    return low - room, high + room


def line_chart(lines: Sequence[Line], axes: Axes) -> str:
    """The chart as an `<svg>`; empty where no line has a point."""
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    drawn = "".join(_drawn(number, line, axes) for number, line in enumerate(lines))
    return (
        f'<svg class="bv-chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(axes.label)}">'
        f"{_grid(axes)}{drawn}{_names(lines, axes)}</svg>"
    )


def _place(point: Point, axes: Axes) -> Point:
    (left, right), (low, high) = axes.x_range, axes.y_range
    across = (point[0] - left) / (right - left) if right > left else 0.5
    up = (point[1] - low) / (high - low) if high > low else 0.5
    return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def _grid(axes: Axes) -> str:
    (left, right), (low, high) = axes.x_range, axes.y_range
    parts = []
    for tick in range(TICKS + 1):
        value = low + (high - low) * tick / TICKS
        y = _place((left, value), axes)[1]
        told = f"{value:.0%}" if axes.is_share else f"{value:.2f}"
        parts.append(f'<path class="bv-grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{told}</text>')
    y = HEIGHT - BOTTOM + 18
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{LEFT}" y="{y}">{left:g}</text>' if right > left else "")
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{y}" text-anchor="end">{right:g}</text>' if right > left else "")
    parts.append(f'<text x="{middle}" y="{y}" text-anchor="middle">{html.escape(axes.x)}</text>')
    return "".join(parts)


def _drawn(number: int, line: Line, axes: Axes) -> str:
    places = [_place(point, axes) for point in line.points]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    marks = places if line.has_marks or len(places) == 1 else ()
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in marks)
    return f'<g class="bv-line-{number}"><path d="{path}"/>{dots}</g>'


def _names(lines: Sequence[Line], axes: Axes) -> str:
    """The lines' names at their ends, moved apart where ends are close."""
    ends = sorted((_place(line.points[-1], axes)[1], number) for number, line in enumerate(lines))
    parts, below = [], 0.0
    for place, (end, number) in enumerate(ends):
        rest = (len(ends) - place - 1) * LINE_HEIGHT
        y = min(max(end + 4, below), HEIGHT - BOTTOM + 4 - rest)
        below = y + LINE_HEIGHT
        name = html.escape(lines[number].name)
        parts.append(f'<text class="bv-line-{number}" x="{WIDTH - RIGHT + 8}" y="{y:.1f}">{name}</text>')
    return "".join(parts)
