"""Draws stacks as a flame graph in SVG: a function's width is its cost with all callees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from zlib import crc32

from picture import FAINT, INK

WIDTH, SIDE, TOP, ROW, LETTER = 1400, 12, 70, 17, 6.4
CUT = "callers that were not kept"
LEAST_SHARE = 0.001  # narrower ones are left out


@dataclass
class Frame:
    """A function below one caller. `cost` is with all that it called."""

    name: str
    cost: float = 0
    callees: dict[str, Frame] = field(default_factory=dict)


def tree(stacks: Mapping[tuple[str, ...], float]) -> Frame:
    root = Frame("all")
    for stack, cost in stacks.items():
        root.cost += cost
        frame = root
        for name in stack:
            frame = frame.callees.setdefault(name, Frame(name))
            frame.cost += cost
    return root


def less(many: Mapping[tuple[str, ...], int], few: Mapping[tuple[str, ...], int], divisor: int) -> dict[tuple[str, ...], float]:
    """Returns the cost of each stack for one request. A stack that cost less with more requests belongs to none."""
    return {stack: more / divisor for stack, cost in many.items() if (more := cost - few.get(stack, 0)) > 0}


def rooted(stacks: Mapping[tuple[str, ...], float], roots: tuple[str, ...], most: int) -> dict[tuple[str, ...], float]:
    """Each stack from the last function in it whose name has one of the `roots`: before it stands only what happened to
    run a task. Stacks without one that were cut at `most` functions stand together, below `CUT`."""
    read: dict[tuple[str, ...], float] = {}
    for stack, cost in stacks.items():
        begin = max((place for place, name in enumerate(stack) if any(root in name for root in roots)), default=None)
        key = stack[begin:] if begin is not None else (CUT, *stack) if len(stack) >= most else stack
        read[key] = read.get(key, 0) + cost
    return read


def draw(stacks: Mapping[tuple[str, ...], float], title: str) -> str:
    root = tree(stacks)
    placed = list(_placed(root, 0, 0, root.cost * LEAST_SHARE))
    depth = max(level for _, level, _ in placed) + 1
    height = TOP + depth * ROW + SIDE
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{SIDE}" y="30" font-size="19" font-weight="bold">{escape(title)}</text>',
        f'<text x="{SIDE}" y="52" font-size="13" fill="{FAINT}">{root.cost:,.0f} instructions outside the kernel. Callers stand below '
        f"their callees; under {LEAST_SHARE:.1%} is left out. A pointer at a bar shows its name.</text>",
    ]
    for frame, level, before in placed:
        out += _bar(frame, SIDE + before / root.cost * (WIDTH - 2 * SIDE), TOP + (depth - 1 - level) * ROW, root.cost)
    return "\n".join([*out, "</svg>", ""])


def _placed(frame: Frame, level: int, before: float, least: float) -> Iterable[tuple[Frame, int, float]]:
    """Returns frames with their level and the cost of all frames to their left. Callees are sorted by name."""
    waiting = [(frame, level, before)]
    while waiting:
        frame, level, before = waiting.pop()
        yield frame, level, before
        for name in sorted(frame.callees):
            callee = frame.callees[name]
            if callee.cost >= least:
                waiting.append((callee, level + 1, before))
            before += callee.cost


def _bar(frame: Frame, x: float, y: float, total: float) -> list[str]:
    width = frame.cost / total * (WIDTH - 2 * SIDE)
    shade = crc32(frame.name.encode())
    color = f"hsl({shade % 45 + 10},{70 + shade // 64 % 20}%,{62 + shade // 4096 % 14}%)"
    letters = int((width - 6) / LETTER)
    shown = frame.name if len(frame.name) <= letters else frame.name[: letters - 1] + "…"
    label = f'<text x="{x + 3:.1f}" y="{y + 12}">{escape(shown)}</text>' if letters > 3 else ""
    told = f"{frame.name}: {frame.cost:,.0f}, {frame.cost / total:.1%}"
    return [f'<g><title>{escape(told)}</title><rect x="{x:.1f}" y="{y}" width="{max(width - 0.4, 0.2):.1f}" height="{ROW - 1}" '
            f'fill="{color}"/>{label}</g>']
