"""How much of a limit saturated callers get in each window, and that no window ever holds more."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from processes import Program
from scenarios import Bench, Table

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


@dataclass(frozen=True)
class Admitted:
    """When a request was sent and answered (monotonic): it was admitted between."""

    sent: float
    got: float


def windows(bench: Bench) -> None:
    """Four instances on one memcached, one caller of all that asks for more than it may have."""
    rows = []
    for case in SHORT + (LONG if bench.scale.is_long else []):
        with _instances(bench, case) as relays:
            told, other = asyncio.run(_saturate(relays, case))
        if other:
            bench.outcome.failures.append(f"{case.limit}: {other} answers were neither 200 nor 429")
        begun = min(each.sent for each in told)
        share = least(told, begun, case)
        most = fullest(told, case.seconds) / case.number
        rows.append([case.limit, str(case.windows), f"{len(told):,}", f"{share:.4f}", f"{most:.4f}"])
        name = "share of a minute's windows" if case.seconds >= 60 else "share of short windows"
        figures = bench.outcome.figures
        figures[name] = min(share, figures.get(name, share))
        figures["fullest window"] = max(most, figures.get("fullest window", 0))
    header = ["limit", "windows", "admitted", "admitted / N per window", "fullest interval / N"]
    title = f"One saturated caller over {INSTANCES} instances on memcached"
    bench.outcome.tables.append(Table(title, header, rows))


def least(told: list[Admitted], begun: float, case: Case) -> float:
    """The least that was admitted over any number of whole windows from the first request, as a share of N in each."""
    got = sorted(each.got for each in told)
    return min(
        bisect_right(got, begun + count * case.seconds) / (count * case.number) for count in range(1, case.windows + 1)
    )


def fullest(told: list[Admitted], seconds: float) -> int:
    """The most that one interval of a window's length held for certain, wherever it begins: of those sent after a
    moment, the ones that were answered before the window was over."""
    told = sorted(told, key=lambda each: each.sent)
    most = 0
    ends = [each.sent for each in told]
    for place, first in enumerate(told):
        last = bisect_right(ends, first.sent + seconds)
        most = max(most, sum(each.got < first.sent + seconds for each in told[place:last]))
    return most


@contextmanager
def _instances(bench: Bench, case: Case) -> Iterator[list[Program]]:
    setup = bench.setup
    with ExitStack() as stack:
        port = stack.enter_context(setup.upstream()).whole_port
        store = stack.enter_context(setup.start_memcached())
        own = {"RATE_LIMIT": case.limit, "MEMCACHED_SERVERS": f"127.0.0.1:{store.whole_port}"}
        yield [stack.enter_context(setup.start_relay(port, 1, f"relay {n}", own)) for n in range(INSTANCES)]


async def _saturate(relays: list[Program], case: Case) -> tuple[list[Admitted], int]:
    """Over one window more than is judged. Returns what was admitted, and how many answers were odd."""
    told: list[Admitted] = []
    odd = 0
    ends = time.monotonic() + (case.windows + 1) * case.seconds

    async def ask(relay: Program) -> None:
        nonlocal odd
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.whole_port)
        body = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
        request = (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer bench-saturated-caller\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        while (sent := time.monotonic()) < ends:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            if head.startswith(b"http/1.1 200"):
                told.append(Admitted(sent, time.monotonic()))
            elif head.startswith(b"http/1.1 429"):
                await asyncio.sleep(REFUSED_PAUSE_SECONDS)
            else:
                odd += 1
        writer.close()

    await asyncio.gather(*(ask(relay) for relay in relays for _ in range(CLIENTS)))
    return told, odd
