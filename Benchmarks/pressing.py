"""Callers that send many requests to several relays, and what is certain about the times of their admissions. They use
plain sockets and do not check the format of responses, so that hundreds of clients fit beside the relays on a small
machine."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil

FAILURE_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Told:
    """One request, with times of the monotonic clock. It was decided between `earliest` and `got`. `status` 0: no
    response. `waited`: how long it waited for its turn, in seconds."""

    relay: int
    sent: float
    got: float
    status: int
    waited: float = 0

    @property
    def seconds(self) -> float:
        return self.got - self.sent

    @property
    def earliest(self) -> float:
        """The relay tells a wait in whole milliseconds."""
        return self.sent + max(0, self.waited - 0.001)


@dataclass
class Caller:
    """One key, and all its responses."""

    token: str
    model: str = "echo"
    told: list[Told] = field(default_factory=list)
    left: int = 0

    @property
    def admitted(self) -> list[Told]:
        return [each for each in self.told if each.status == 200]

    @property
    def odd(self) -> list[Told]:
        """The responses that neither admit nor refuse."""
        return [each for each in self.told if each.status not in (200, 429)]

    def request(self) -> bytes:
        body = b'{"model":"%s","messages":[{"role":"user","content":"hi"}]}' % self.model.encode()
        return (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (self.token.encode(), len(body), body)
        )

    async def keep_asking(self, relay: int, port: int, ends: float, refused_pause_seconds: float) -> None:
        """Runs one client that sends requests one after another, with a pause after a refusal."""
        async with Connection(port) as connection:
            while time.monotonic() < ends:
                status = await self._ask(relay, connection)
                if status != 200:
                    await asyncio.sleep(refused_pause_seconds if status == 429 else FAILURE_PAUSE_SECONDS)

    async def ask_times(self, count: int, relay: int, port: int) -> None:
        """Runs one client that sends so many requests."""
        async with Connection(port) as connection:
            for _ in range(count):
                await self._ask(relay, connection)

    async def ask_every(self, seconds: float, first: float, relay: int, port: int, ends: float) -> None:
        """Runs one client that sends a request every so many seconds from `first` on. Times that pass while it waits
        are skipped."""
        due = first
        async with Connection(port) as connection:
            while (due := due + seconds * max(0, ceil((time.monotonic() - due) / seconds))) < ends:
                await asyncio.sleep(due - time.monotonic())
                await self._ask(relay, connection)
                due += seconds

    async def keep_leaving(self, relay: int, port: int, ends: float, longest_seconds: float) -> None:
        """Runs one client that sends requests and leaves at a random time, if it has no response before."""
        while time.monotonic() < ends:
            async with Connection(port) as connection:
                try:
                    async with asyncio.timeout(random.random() * longest_seconds):
                        await self._ask(relay, connection)
                except TimeoutError:
                    self.left += 1

    async def _ask(self, relay: int, connection: Connection) -> int:
        sent = time.monotonic()
        status, waited = await connection.ask(self.request())
        self.told.append(Told(relay, sent, time.monotonic(), status, waited))
        return status


class Connection:
    """A connection that is opened when it is needed, and again after it was closed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.streams:
            self.streams[1].close()
        self.streams = None

    async def ask(self, request: bytes) -> tuple[int, float]:
        """Returns the status of the response, or 0 if there is none, and how long it waited for its turn."""
        try:
            self.streams = self.streams or await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self.streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]))
            waited = head.partition(b"\r\nx-relay-waited:")[2].split(b"\r\n")[0]
            return int(head.split(b" ", 2)[1]), float(waited or 0)
        except (OSError, EOFError, ValueError, IndexError):
            self.close()
            return 0, 0


def fullest(admitted: Iterable[Told], seconds: float) -> int:
    """Returns the most that one interval of so many seconds certainly held, wherever it begins: of the requests decided
    after a moment, those with a response before it was over."""
    told = sorted(admitted, key=lambda each: each.earliest)
    most = 0
    sent = [each.earliest for each in told]
    for place, first in enumerate(told):
        last = bisect_right(sent, first.earliest + seconds)
        if last - place > most:
            most = max(most, sum(each.got < first.earliest + seconds for each in told[place:last]))
    return most


def least_share(admitted: Iterable[Told], begun: float, number: int, seconds: float, windows: int) -> float:
    """Returns the least that was admitted over any number of whole windows from `begun`, as a share of `number` in
    each."""
    got = sorted(each.got for each in admitted)
    return min(bisect_right(got, begun + count * seconds) / (count * number) for count in range(1, windows + 1))
