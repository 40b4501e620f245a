"""A count like that of a vendor's prompt cache: how much of a request was already at the beginning of the one before."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MARKERS = {"cache_control"}
TABLE: list[str] = []
"""The lines that are printed at the end of the tests."""


def values(body: dict[str, Any]) -> list[str]:
    """Returns the prompt of a request in the order in which vendors cache it: tools, instructions, and the parts of each
    turn. Of 1min.ai it is one text."""
    if "promptObject" in body:
        return list(body["promptObject"]["prompt"])
    system = body.get("system", body.get("instructions", []))
    found: list[Any] = [*body.get("tools", []), *([system] if isinstance(system, str) else system)]
    for turn in body.get("messages") or body.get("input", []):
        found += parts(turn)
    return [json.dumps(without_markers(value), sort_keys=True) for value in found]


def parts(turn: dict[str, Any]) -> Iterator[Any]:
    """Returns the parts of a turn, each with what else the turn has. Neighbours of one role count as one turn, so the
    list's end does not count."""
    content = turn.get("content")
    rest = {name: value for name, value in turn.items() if name != "content"}
    if isinstance(content, list):
        yield from ([rest, part] for part in content)
    else:
        yield [rest, {"type": "text", "text": content}]


def without_markers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_markers(inner) for name, inner in value.items() if name not in MARKERS}
    return [without_markers(inner) for inner in value] if isinstance(value, list) else value


@dataclass
class Hit:
    """What one request found in the cache. `earlier`: the size of the request before; `found`: how much of it was found
    again; `whole`: the request's own size. All are characters."""

    earlier: int
    found: int
    whole: int

    @property
    def missed(self) -> int:
        return self.earlier - self.found


def line(program: str, kind: str, found: list[Hit]) -> str:
    """Returns a line of the table: of each request, in percent, what it found of the one before, and that of itself."""
    return f"{program:7}{kind:11}" + " ".join(f"{100 * hit.found / hit.earlier:6.1f}/{100 * hit.found / hit.whole:.0f}" for hit in found)


def hits(bodies: list[dict[str, Any]]) -> list[Hit]:
    """Returns what each request after the first found of the one before it."""
    out = []
    for before, after in pairwise(map(values, bodies)):
        common = len(os.path.commonprefix([before, after]))
        out.append(Hit(size(before), size(before[:common]), size(after)))
    return out


def size(found: list[str]) -> int:
    return sum(map(len, found))
