"""Counts the instructions that a request costs the relay, with callgrind. See README.md, **instructions**."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import callgrind
import processes
from bench import QUICK, Bench, OtherWire

FEW, MANY = 200, 1200  # requests of the two runs whose difference counts
OWN = ("libswift", "libdispatch", "libBlocksRuntime")  # Swift's runtime, where it is not linked in
ALLOCATING = frozenset(("malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "memalign"))
# Swift seeds each process's hashes by chance, and with them the collisions in its dictionaries.
SAME_EACH_TIME = {"SWIFT_DETERMINISTIC_HASHING": "1"}


@dataclass(frozen=True)
class Count:
    """Instructions: `own` of the relay's code and Swift's runtime, `other` of all libraries; and allocations of memory."""

    own: float
    other: float
    allocations: float = 0

    def minus(self, less: Count, divisor: int) -> Count:
        own, other = self.own - less.own, self.other - less.other
        return Count(own / divisor, other / divisor, (self.allocations - less.allocations) / divisor)


@dataclass(frozen=True)
class Case:
    """A counted request and its relay: the load's kind, the events of the vendor's streams, the vendor's API (None
    for 1min.ai), settings of the relay, callers that take turns, and the body of each chat request (empty for one of
    1 KB), which goes to `target`."""

    kind: str = "whole"
    events: int = 100
    wire: OtherWire | None = None
    own: dict[str, str] = field(default_factory=dict)
    keys: int = 1
    body: bytes = b""
    target: str = "/v1/chat/completions"


@contextmanager
def counting(relay: Path, settings: dict[str, str], *options: str) -> Iterator[Bench]:
    """A bench whose relays run in callgrind, with further `options` of callgrind. All programs of it share one core: with
    a core each, the load and the vendor would answer in the midst of a turn of the relay's loop, or after it."""
    valgrind = processes.find_program("valgrind", "valgrind")
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="relay-instructions-") as name:
        folder = Path(name)
        processes.build_tools(folder)
        wrapper = (str(valgrind), "--quiet", "--tool=callgrind", f"--callgrind-out-file={out_file(folder)}", *options)
        os.sched_setaffinity(0, {max(cores)})
        try:
            memcached = Path(shutil.which("memcached") or "memcached")
            setup = processes.Setup(folder, relay, settings, memcached=memcached, wrapper=wrapper, start_seconds=120)
            yield Bench(setup, QUICK)
        finally:
            os.sched_setaffinity(0, cores)


def out_file(folder: Path) -> Path:
    return folder / "callgrind.out"


def run(bench: Bench, case: Case, requests: int) -> Path:
    """Counts a whole run, from the relay's start to its end. Returns callgrind's output."""
    setup = bench.setup
    out = out_file(setup.folder)
    out.unlink(missing_ok=True)
    with setup.upstream("--events", str(case.events)) as upstream:
        own = (case.wire.settings(upstream.whole_port) if case.wire else {}) | SAME_EACH_TIME | case.own
        with setup.start_relay(upstream.whole_port, threads=1, own=own) as relay:
            relay.keys = case.keys
            options = ["--events", str(case.events)]
            if case.body:
                path = setup.folder / "body.json"
                path.write_bytes(case.body)
                options += ["--body", str(path), "--target", case.target]
            bench.load(relay, case.kind, 1, 0, requests, *options)
    if bench.outcome.failures:
        sys.exit(f"WRONG ANSWERS: {bench.outcome.failures[0]}")
    if not out.exists():
        sys.exit("callgrind wrote nothing: the relay did not end within ten seconds")
    return out


def per_request(bench: Bench, case: Case) -> Count:
    few, many = (_count(bench, run(bench, case, requests)) for requests in (FEW, MANY))
    return many.minus(few, MANY - FEW)


def _count(bench: Bench, out: Path) -> Count:
    spent: Counter[bool] = Counter()
    for path, count in callgrind.costs(out).items():
        spent[path == str(bench.setup.relay) or Path(path).name.startswith(OWN)] += count
    return Count(spent[True], spent[False], callgrind.calls(out, ALLOCATING))
