"""Draws what each limiter admitted in a sliding window, as SVG: panels of one scale, one below the other."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from html import escape
from math import ceil

LEFT, RIGHT, TOP, BOTTOM = 64, 212, 104, 56
WIDTH, UNIT, GAP = 960, 46, 34  # UNIT: height of N
STEP_SECONDS = 0.02
INK, FAINT, GRID, WITHIN, OVER, OURS = "#1f2933", "#5f6b7a", "#dfe4ea", "#9fb3c8", "#d64545", "#3578c6"


@dataclass(frozen=True)
class Curve:
    """A curve. `times` are those of the admissions, in seconds from the first request."""

    name: str
    note: str
    times: list[float]
    is_ours: bool = False


def sliding(times: list[float], window: float, end: float) -> list[tuple[float, int]]:
    """For each moment the number of admissions in the window before it."""
    times = sorted(times)
    points = []
    for step in range(ceil(end / STEP_SECONDS) + 1):
        moment = step * STEP_SECONDS
        points.append((moment, bisect_right(times, moment) - bisect_right(times, moment - window)))
    return points


def draw(curves: list[Curve], number: int, window: int, end: float, title: str, subtitle: str) -> str:
    """Draws the panels. N is `number` in `window` seconds."""
    panels = [(curve, sliding(curve.times, window, end)) for curve in curves]
    heights = [UNIT * (max(max(count for _, count in points) / number, 1) + 0.25) for _, points in panels]
    height = TOP + sum(heights) + GAP * (len(panels) - 1) + BOTTOM
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif" font-size="13" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height:.0f}" fill="#ffffff"/>',
        f'<text x="20" y="32" font-size="19" font-weight="bold">{escape(title)}</text>',
        f'<text x="20" y="54" fill="{FAINT}">{escape(subtitle)}</text>',
        *_legend(),
    ]
    top = float(TOP)
    for (curve, points), own in zip(panels, heights, strict=True):
        out += _panel(curve, points, number, window, end, top, own)
        top += own + GAP
    out += _seconds(window, end, top - GAP)
    middle = (TOP + top - GAP) / 2
    out.append(f'<text transform="translate(22 {middle:.0f}) rotate(-90)" text-anchor="middle" fill="{FAINT}">'
               f"admitted in the {window} s before</text>")
    return "\n".join([*out, "</svg>", ""])


def _x(moment: float, end: float) -> float:
    return LEFT + moment / end * (WIDTH - LEFT - RIGHT)


def _legend() -> list[str]:
    y = 74
    return [
        f'<rect x="20" y="{y}" width="14" height="12" fill="{WITHIN}"/>',
        f'<rect x="34" y="{y}" width="14" height="12" fill="{OURS}"/>',
        f'<text x="55" y="{y + 11}">admitted, by all instances together</text>',
        f'<rect x="320" y="{y}" width="14" height="12" fill="{OVER}"/>',
        f'<text x="341" y="{y + 11}">more than the limit</text>',
        f'<line x1="500" x2="528" y1="{y + 6}" y2="{y + 6}" stroke="{INK}" stroke-width="1.5" stroke-dasharray="5 3"/>',
        f'<text x="535" y="{y + 11}">N, the limit</text>',
    ]


def _panel(
    curve: Curve, points: list[tuple[float, int]], number: int, window: int, end: float, top: float, height: float
) -> list[str]:
    base = top + height
    right = WIDTH - RIGHT
    out = []
    for whole in range(int(height / UNIT) + 1):
        y = base - whole * UNIT
        label = ("0", "N")[whole] if whole < 2 else f"{whole} N"
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{GRID}"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{label}</text>')
    for count in range(int(end / window) + 1):
        x = _x(count * window, end)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{base:.1f}" stroke="{GRID}"/>')
    limit = base - UNIT
    out.append(_area([(moment, min(count, number)) for moment, count in points], number, end, base,
                     OURS if curve.is_ours else WITHIN))
    if any(count > number for _, count in points):
        over = [(moment, max(0, count - number)) for moment, count in points]
        out.append(_area(over, number, end, limit, OVER))
    out.append(f'<line x1="{LEFT}" x2="{right}" y1="{limit:.1f}" y2="{limit:.1f}" stroke="{INK}" '
               'stroke-width="1.5" stroke-dasharray="5 3"/>')
    out.append(f'<text x="{right + 14}" y="{base - UNIT + 2:.1f}" font-weight="bold">{escape(curve.name)}</text>')
    for line, text in enumerate(curve.note.split("\n")):
        out.append(f'<text x="{right + 14}" y="{base - UNIT + 19 + 16 * line:.1f}" fill="{FAINT}">{escape(text)}</text>')
    return out


def _area(points: list[tuple[float, int]], number: int, end: float, base: float, color: str) -> str:
    """Returns the area below steps, without points that change nothing."""
    path = [f"M{_x(points[0][0], end):.1f} {base:.1f}"]
    last = None
    for moment, count in points:
        y = base - count / number * UNIT
        if last is not None and last != y:
            path.append(f"L{_x(moment, end):.1f} {last:.1f}")
        if last != y:
            path.append(f"L{_x(moment, end):.1f} {y:.1f}")
        last = y
    path.append(f"L{_x(points[-1][0], end):.1f} {last:.1f}L{_x(points[-1][0], end):.1f} {base:.1f}Z")
    return f'<path d="{"".join(path)}" fill="{color}"/>'


def _seconds(window: int, end: float, base: float) -> list[str]:
    out = []
    for count in range(int(end / window) + 1):
        x = _x(count * window, end)
        out.append(f'<text x="{x:.1f}" y="{base + 19:.1f}" text-anchor="middle" fill="{FAINT}">{count * window}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    out.append(f'<text x="{middle:.1f}" y="{base + 40:.1f}" text-anchor="middle" fill="{FAINT}">'
               "seconds since the caller's first request</text>")
    return out
