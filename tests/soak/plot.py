"""Curves over time as an SVG file, drawn with nothing but text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import floor, log10

_WIDTH, _PANEL = 900, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 34, 30

Points = Sequence[tuple[float, float]]


@dataclass
class Panel:
    """One diagram: `lines` and `dots` are (colour, points), both over the x axis that all panels share."""

    title: str
    lines: list[tuple[str, Points]] = field(default_factory=list)
    dots: list[tuple[str, Points]] = field(default_factory=list)
    from_zero: bool = True


def svg(heading: str, x_title: str, panels: Sequence[Panel]) -> str:
    """All panels, one above the other."""
    height = 40 + _PANEL * len(panels) + 20
    every = [point for panel in panels for _, points in panel.lines + panel.dots for point in points]
    end = max(x for x, _ in every)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_WIDTH / 2}" y="24" font-size="15" text-anchor="middle">{escape(heading)}</text>',
    ]
    for number, panel in enumerate(panels):
        drawn += _panel(panel, 40 + _PANEL * number, end)
    drawn.append(f'<text x="{_WIDTH / 2}" y="{height - 6}" text-anchor="middle">{escape(x_title)}</text>')
    return "\n".join([*drawn, "</svg>", ""])


def _panel(panel: Panel, top: float, end: float) -> list[str]:
    values = [y for _, points in panel.lines + panel.dots for _, y in points]
    low, high = 0.0 if panel.from_zero else min(values), max(values)
    room = (high - low) * 0.08 or 1.0
    low, high = (low if panel.from_zero else low - room), high + room
    inner, base = _PANEL - _TOP - _BOTTOM, top + _PANEL - _BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / end * (_WIDTH - _LEFT - _RIGHT)
        return round(across, 1), round(base - (y - low) / (high - low) * inner, 1)

    drawn = [f'<text x="{_LEFT}" y="{top + 22}" font-weight="bold">{escape(panel.title)}</text>']
    for y in _ticks(low, high):
        _, down = place(0, y)
        drawn.append(f'<path d="M{_LEFT} {down}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        drawn.append(f'<text x="{_LEFT - 8}" y="{down + 4}" text-anchor="end">{y:g}</text>')
    for x in _ticks(0, end):
        across, _ = place(x, low)
        drawn.append(f'<text x="{across}" y="{base + 16}" text-anchor="middle">{x:g}</text>')
    for colour, points in panel.lines:
        path = "L".join(f"{across} {down}" for across, down in (place(x, y) for x, y in points))
        drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.2"/>')
    for colour, points in panel.dots:
        for across, down in (place(x, y) for x, y in points):
            drawn.append(f'<circle cx="{across}" cy="{down}" r="2.2" fill="{colour}"/>')
    return drawn


def _ticks(low: float, high: float) -> list[float]:
    """Some five round numbers between the two."""
    rough = (high - low) / 5
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first = -(-low // step)
    return [round((first + number) * step, 10) for number in range(int((high - first * step) // step) + 1)]
