"""The linker lays functions out by their names (Sources/Relay/hot-functions.txt). A renamed function silently leaves that order."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEBUG = ROOT / ".build/debug/relay"
"""A debug build has each function that a release build may have specialised, merged or outlined."""
TARGETS = ("Engine", "Limits", "Shared", "UsageRecords", "Upstream", "Routes", "relay")
OWN = re.compile(r"\$s(?:" + "|".join(f"{len(target)}{target}" for target in TARGETS) + ")")
ROLE = re.compile(
    r"^(?:specialized|merged|static|implicit|closure #\d+ in|default argument \d+ of|\(\d+\) (?:suspend|await) resume partial function for"
    r"|async function pointer to|partial apply|dispatch thunk of|[a-z -]+ (?:of|for)) "
)
"""What a symbol is beside the function or type that it names."""


def names(symbols):
    """Returns the functions and types that mangled symbols are of, without parameters: `NativeRequest.check`."""
    text = subprocess.run(
        ["swift", "demangle", "--compact", "--simplified"], input="\n".join(symbols), capture_output=True, text=True, check=True
    ).stdout
    found = []
    for name in text.splitlines():
        while (inner := ROLE.sub("", name)) != name:
            name = inner
        found.append(re.split(r"[(<\[:? ]", name)[0])
    return found


def test_the_build_has_the_functions_that_the_linker_orders():
    if not DEBUG.exists():
        pytest.skip("compares with the debug build")
    table = subprocess.run(["nm", "-j", "--defined-only", DEBUG], capture_output=True, text=True, check=True).stdout.split()
    built = set(names(symbol for symbol in table if symbol.startswith("$s")))
    lines = (ROOT / "Sources/Relay/hot-functions.txt").read_text().splitlines()
    ordered = [line for line in lines if OWN.match(line)]
    gone = [symbol for symbol, name in zip(ordered, names(ordered), strict=True) if name not in built]
    assert len(ordered) > 1000
    assert len(gone) <= len(ordered) / 20, f"run Benchmarks/order --write; gone are {gone[:20]} and others"
