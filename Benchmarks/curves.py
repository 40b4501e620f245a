"""Curves over a growing number of connections: their points, and their picture as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log2, log10

from picture import FAINT, GRID, INK, OURS

COLORS = (OURS, "#d64545", "#e0a030", "#3a9d5d", "#8a5fc0")
WIDTH, LEFT, RIGHT, TOP, PANEL, GAP, BOTTOM = 960, 84, 180, 84, 220, 52, 56
BOUNDS_MS = (1, 5, 10)


@dataclass(frozen=True)
class Point:
    """One number of connections: requests a second, latencies and processor time of a request in microseconds, connections to
    the vendor that were opened for a request."""

    connections: int
    rate: float
    p50: float
    p99: float
    processor: float
    opened: float = 0


def rate_within(points: Iterable[Point], bound_ms: float) -> float | None:
    """The most requests a second at which p99 is within the bound, of the points that were measured; None: at none."""
    return max((point.rate for point in points if point.p99 <= bound_ms * 1000), default=None)


def within_bounds(curves: dict[str, list[Point]]) -> list[list[str]]:
    """Returns a row for each program: its requests per second within each of the bounds."""
    rates = {name: [rate_within(points, bound) for bound in BOUNDS_MS] for name, points in curves.items()}
    return [[name, *("none" if rate is None else f"{rate:,.0f}" for rate in some)] for name, some in rates.items()]


def draw(curves: dict[str, list[Point]], title: str, subtitle: str) -> str:
    """Two panels over the number of connections: requests a second, and p99 in milliseconds by powers of ten."""
    height = TOP + 2 * PANEL + GAP + BOTTOM
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="20" y="32" font-size="19" font-weight="bold">{escape(title)}</text>',
        f'<text x="20" y="54" fill="{FAINT}">{escape(subtitle)}</text>',
    ]
    points = [point for some in curves.values() for point in some]
    most = max(point.rate for point in points)
    step = 10 ** floor(log10(most))
    rates = [step * count for count in range(ceil(most / step) + 1)]
    out += _panel(curves, TOP, "requests/s", lambda point: point.rate / rates[-1],
                  [(rate / rates[-1], f"{rate:,.0f}") for rate in rates])
    low, high = (round_to(log10(each(point.p99 for point in points) / 1000)) for round_to, each in ((floor, min), (ceil, max)))
    high = max(high, low + 1)
    marks = [((power - low) / (high - low), f"{10.0**power:g}") for power in range(low, high + 1)]
    out += _panel(curves, TOP + PANEL + GAP, "p99, ms", lambda point: (log10(point.p99 / 1000) - low) / (high - low), marks)
    base = TOP + 2 * PANEL + GAP
    numbers = sorted({point.connections for point in points})
    for number in numbers:
        out.append(f'<text x="{_x(number, numbers[-1]):.1f}" y="{base + 19}" text-anchor="middle" fill="{FAINT}">{number}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{base + 40}" text-anchor="middle" fill="{FAINT}">'
               "connections that ask without a pause</text>")
    return "\n".join([*out, "</svg>", ""])


def _x(number: int, most: int) -> float:
    return LEFT + log2(number) / max(log2(most), 1) * (WIDTH - LEFT - RIGHT)


def _panel(
    curves: dict[str, list[Point]], top: int, label: str, place: Callable[[Point], float], marks: list[tuple[float, str]]
) -> list[str]:
    """Draws one panel. `place` gives the height of a point or mark, from 0 to 1."""
    base, right = top + PANEL, WIDTH - RIGHT
    out = [f'<text transform="translate(18 {top + PANEL / 2:.0f}) rotate(-90)" text-anchor="middle" fill="{FAINT}">{label}</text>']
    for share, text in marks:
        y = base - share * PANEL
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{text}</text>')
    most = max(point.connections for points in curves.values() for point in points)
    for row, (name, points) in enumerate(curves.items()):
        color = COLORS[row % len(COLORS)]
        path = " ".join(f"{_x(point.connections, most):.1f},{base - place(point) * PANEL:.1f}" for point in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        out.append(f'<text x="{right + 14}" y="{top + 14 + 18 * row}" fill="{color}" font-weight="bold">{escape(name)}</text>')
    return out
