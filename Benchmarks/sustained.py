"""Measures many streams at once: how many get each event in time, and the memory of open ones."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from bench import Bench, Table
from processes import Memory, Program

PACE_MS, EVENTS, GAPS = 100, 100, 10  # an event each so often, so many of them; the longest gap, in paces
SPARE_DESCRIPTORS = 200  # of a relay beside its streams
Start = Callable[[int, int], AbstractContextManager[Program]]  # by the vendor's port and the number of connections


def streams_allowed(wanted: int, descriptors: int) -> int:
    """Returns how many streams a proxy may hold open: each has a connection of a client and one to the vendor."""
    return max(0, min(wanted, (descriptors - SPARE_DESCRIPTORS) // 2))


def is_sustained(result: dict[str, Any], streams: int, events: int) -> bool:
    """Returns whether streams of `events` events are sustained: all were open at once, none missed an event, and none
    waited too long for the next."""
    return (
        not result["failures"] and result["most_open"] == streams and result["events"] == streams * events
        and result["max_gap_ms"] <= GAPS * PACE_MS
    )  # fmt: skip


def most_sustained(steps: Iterable[int], holds: Callable[[int], bool]) -> int:
    """Returns the last of the growing steps before the first that fails; 0 if the first one fails."""
    most = 0
    for step in steps:
        if not holds(step):
            break
        most = step
    return most


def sustained(bench: Bench, starts: dict[str, Start], most: int) -> Table:
    """Doubles the number of streams from 125 up to `most`."""
    steps = [*(count for exponent in range(20) if (count := 125 * 2**exponent) < most), most]
    rows = []
    for name, start in starts.items():
        largest = {"gap": 0.0}
        with bench.setup.upstream("--interval-ms", str(PACE_MS), "--slow-events", str(EVENTS)) as vendor:
            with start(vendor.whole_port, most) as program:
                one = bench.load(program, "held", 1)["events"]

                def holds(streams: int, program: Program = program, one: int = one, largest: dict = largest) -> bool:
                    result = bench.try_load(program, "held", streams)
                    if is_held := one >= EVENTS and is_sustained(result, streams, one):
                        largest["gap"] = result["max_gap_ms"]
                    return is_held

                count = most_sustained(steps, holds)
        rows.append([name, f"{'>= ' if count == most else ''}{count:,}", f"{largest['gap']:.0f}"])
    title = f"Streams at once with each of {EVENTS} events, one each {PACE_MS} ms, and no gap over {GAPS * PACE_MS} ms"
    return Table(title, ["", "streams", "longest gap ms"], rows)


def memory(bench: Bench, starts: dict[str, Start], wanted: int) -> Table:
    """Measures the memory when idle, after a load, and with many open streams, and the size of the binary."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    streams = streams_allowed(wanted, limit)
    held = type(bench)(bench.setup, replace(bench.scale, streams=streams))
    rows = []
    for name, start in starts.items():
        with bench.setup.upstream("--interval-ms", "1000") as vendor, start(vendor.whole_port, streams) as program:
            time.sleep(1)
            steps: list[Memory] = [program.memory()]
            held.load(program, "whole", 64, seconds=2)
            steps.append(program.memory())
            with held.held_streams(program, vendor):
                time.sleep(2)
                steps.append(program.memory())
            each = (steps[2].anonymous - steps[1].anonymous) / streams
            binary = (bench.setup.relay if name == "relay" else getattr(bench.setup, name)).stat().st_size
        cells = [f"{kilobytes / 1024:.1f}" for step in steps for kilobytes in (step.anonymous, step.rss)]
        rows.append([name, *cells, f"{each:.1f}", f"{binary / 1024 / 1024:.1f}"])
    bench.outcome.failures += held.outcome.failures
    title = f"Memory, MB, with {streams:,} open streams"
    if streams < wanted:
        title += f" ({wanted:,} need {2 * wanted + SPARE_DESCRIPTORS:,} descriptors in one process, {limit:,} are allowed here)"
    header = ["", "idle anonymous", "resident", "loaded anonymous", "resident", "streams anonymous", "resident",
              "KB a stream", "binary MB"]
    return Table(title, header, rows)
