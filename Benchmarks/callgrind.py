"""Reads what callgrind writes (valgrind's "Callgrind Format Specification"), by object file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

COST = re.compile(r"(?:[+-]?\w+|\*) (\d+)$")  # a line of the source, its distance to the one before, or the same; instructions
NAME = re.compile(r"c?ob=\((\d+)\)(?: (.+))?$")


def costs(path: Path) -> Counter[str]:
    """The instructions that each object file's own code took, by its path. A name stands behind its number once, and
    the number alone after that."""
    names: dict[str, str] = {}
    spent: Counter[str] = Counter()
    total = 0
    current = ""
    is_call = False  # the next line is what a callee took, which stands at the callee already
    for line in path.read_text().splitlines():
        if match := COST.match(line):
            if not is_call:
                spent[current] += int(match[1])
            is_call = False
        elif match := NAME.match(line):
            if match[2]:
                names[match[1]] = match[2]
            if line.startswith("ob="):
                current = names[match[1]]
        elif line.startswith("calls="):
            is_call = True
        elif line.startswith("totals:"):
            total = int(line.split()[1])
    if not total or spent.total() != total:
        raise ValueError(f"{path}: {spent.total():,} instructions in {len(spent)} objects, but {total:,} in all")
    return spent
