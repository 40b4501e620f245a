"""A parser of callgrind's output (valgrind's "Callgrind Format Specification")."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

COST = re.compile(r"(?:[+-]?\w+|\*) (\d+)$")  # a line of the source, its distance to the one before, or the same; instructions
NAME = re.compile(r"(c?)(ob|fn)=\((\d+)\)(?: (.+))?$")


def costs(path: Path) -> Counter[str]:
    """Returns the instructions of each object file's own code, by its path."""
    spent: Counter[str] = Counter()
    for file, _, count in _own(path):
        spent[file] += count
    return spent


def stacks(path: Path) -> Counter[tuple[str, ...]]:
    """The instructions that each function's own code took, by the functions that called it, outermost first: as many as
    `--separate-callers` told callgrind to keep. It writes them behind the function, as `function'caller'caller's caller`."""
    spent: Counter[tuple[str, ...]] = Counter()
    for _, function, count in _own(path):
        spent[tuple(reversed(function.split("'")))] += count
    return spent


def functions(path: Path, program: str = "") -> Counter[str]:
    """The instructions that each function's own code took, at whatever depth of a recursion; `program`: only those of the object
    file of that name."""
    spent: Counter[str] = Counter()
    for file, function, count in _own(path):
        if file.endswith(program):
            spent[function.partition("'")[0]] += count
    return spent


def callees(path: Path) -> dict[str, list[str]]:
    """The functions that each function called, each once, in the order of the file."""
    found: dict[str, dict[str, None]] = {}
    for caller, called, _ in _calls(path):
        found.setdefault(caller, {})[called] = None
    return {caller: list(called) for caller, called in found.items()}


def calls(path: Path, functions: frozenset[str]) -> int:
    """How often these functions were called by others than themselves."""
    return sum(count for caller, called, count in _calls(path) if called in functions and caller not in functions)


def _calls(path: Path) -> Iterator[tuple[str, str, int]]:
    """Returns caller, called function and number of each line that counts calls."""
    names: dict[str, str] = {}
    caller = called = ""
    for line in path.read_text().splitlines():
        if (match := NAME.match(line)) and match[2] == "fn":
            if match[4]:
                names[match[3]] = match[4].partition("'")[0]
            if match[1]:
                called = names[match[3]]
            else:
                caller = names[match[3]]
        elif line.startswith("calls="):
            yield caller, called, int(line.removeprefix("calls=").split()[0])


def _own(path: Path) -> Iterator[tuple[str, str, int]]:
    """Returns object file, function and instructions of each line that is not of a callee. A name follows its number
    once, and afterwards the number stands alone."""
    names: dict[tuple[str, str], str] = {}
    current = {"ob": "", "fn": ""}
    total = spent = 0
    is_call = False  # the next line is what a callee took, which stands at the callee already
    for line in path.read_text().splitlines():
        if match := COST.match(line):
            if not is_call:
                spent += int(match[1])
                yield current["ob"], current["fn"], int(match[1])
            is_call = False
        elif match := NAME.match(line):
            of_callee, kind, number, name = match.groups()
            if name:
                names[kind, number] = name
            if not of_callee:
                current[kind] = names[kind, number]
        elif line.startswith("calls="):
            is_call = True
        elif line.startswith("totals:"):
            total = int(line.split()[1])
    if not total or spent != total:
        raise ValueError(f"{path}: {spent:,} instructions in the lines, but {total:,} in all")
