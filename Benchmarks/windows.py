"""Measures how much of a limit saturating callers get in each window, and that no window holds more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench import Bench, Table
from pressing import Caller, fullest, least_share
from processes import Program

INSTANCES = 4
CLIENTS = 4  # of each instance; each goes on asking, whatever it is told
REFUSED_PAUSE_SECONDS = 0.002


@dataclass(frozen=True)
class Case:
    number: int
    seconds: int
    windows: int

    @property
    def limit(self) -> str:
        return f"{self.number} per {self.seconds} seconds"


SHORT = [Case(200, 1, 20), Case(500, 2, 20), Case(1000, 5, 20)]
LONG = [Case(20_000, 60, 20)]


def windows(bench: Bench) -> None:
    """Measures four instances on one memcached, with one caller that sends more requests than its limit."""
    rows = []
    for case in SHORT + (LONG if bench.scale.is_long else []):
        with _instances(bench, case) as relays:
            caller = asyncio.run(_saturate(relays, case))
        if caller.odd:
            bench.outcome.failures.append(f"{case.limit}: {len(caller.odd)} answers were neither 200 nor 429")
        admitted = caller.admitted
        begun = min(each.sent for each in admitted)
        share = least_share(admitted, begun, case.number, case.seconds, case.windows)
        most = fullest(admitted, case.seconds) / case.number
        rows.append([case.limit, str(case.windows), f"{len(admitted):,}", f"{share:.4f}", f"{most:.4f}"])
        name = "share of a minute's windows" if case.seconds >= 60 else "share of short windows"
        figures = bench.outcome.figures
        figures[name] = min(share, figures.get(name, share))
        figures["fullest window"] = max(most, figures.get("fullest window", 0))
    header = ["limit", "windows", "admitted", "admitted / N per window", "fullest interval / N"]
    title = f"One saturated caller over {INSTANCES} instances on memcached"
    bench.outcome.tables.append(Table(title, header, rows))


@contextmanager
def _instances(bench: Bench, case: Case) -> Iterator[list[Program]]:
    setup = bench.setup
    with ExitStack() as stack:
        port = stack.enter_context(setup.upstream()).whole_port
        store = stack.enter_context(setup.start_memcached())
        own = {"RATE_LIMIT": case.limit, "MEMCACHED_SERVERS": f"127.0.0.1:{store.whole_port}"}
        yield [stack.enter_context(setup.start_relay(port, 1, f"relay {n}", own)) for n in range(INSTANCES)]


async def _saturate(relays: list[Program], case: Case) -> Caller:
    """Sends requests for one window more than is evaluated. Returns the caller's responses."""
    caller = Caller("bench-saturated-caller", "gpt-4o-mini")
    ends = time.monotonic() + (case.windows + 1) * case.seconds
    await asyncio.gather(*(
        caller.keep_asking(number, relay.whole_port, ends, REFUSED_PAUSE_SECONDS)
        for number, relay in enumerate(relays) for _ in range(CLIENTS)
    ))  # fmt: skip
    return caller
