"""A proxy in front of memcached that delays some of its responses. As a program it prints its port. On SIGTERM it
prints as JSON the number of forwarded chunks and the latest one's delay, in milliseconds from the request."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Lateness:
    """The delays: a share of all responses (0 to 1) is between `least_ms` and `most_ms` late."""

    share: float
    least_ms: float
    most_ms: float


class LateStore:
    """The proxy as a process of its own, so that no other work delays it. `address`: `127.0.0.1:PORT`."""

    def __init__(self, store_port: int, lateness: Lateness, seed: int = 1) -> None:
        numbers = (store_port, lateness.share, lateness.least_ms, lateness.most_ms, seed)
        self.process = subprocess.Popen([sys.executable, __file__, *map(str, numbers)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())
        self.address = f"127.0.0.1:{self.port}"

    def stop(self) -> tuple[int, float]:
        """Stops the proxy. Returns the number of forwarded chunks, and the most milliseconds from a request to the end
        of its response."""
        self.process.terminate()
        said = json.loads(self.process.communicate(timeout=10)[0])
        return said["pieces"], said["latest_ms"]


class Proxy:
    def __init__(self, store_port: int, lateness: Lateness, seed: int) -> None:
        self.store_port = store_port
        self.lateness = lateness
        self.chance = random.Random(seed)
        self.pieces = 0
        self.latest = 0.0

    def delay(self) -> float:
        late = self.lateness
        return self.chance.uniform(late.least_ms, late.most_ms) / 1000 if self.chance.random() < late.share else 0


class Way(asyncio.Protocol):
    """A relay's connection: its data is forwarded to memcached at once."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.asked_at = 0.0
        self.back: Back | None = None
        self.waiting: list[bytes] = []  # for the connection to memcached

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.task = asyncio.create_task(self.connect())

    async def connect(self) -> None:
        try:
            _, back = await asyncio.get_running_loop().create_connection(lambda: Back(self), "127.0.0.1", self.proxy.store_port)
        except OSError:
            self.transport.abort()
            return
        self.back = back
        back.transport.writelines(self.waiting)

    def data_received(self, data: bytes) -> None:
        self.asked_at = asyncio.get_running_loop().time()
        if self.back:
            self.back.transport.write(data)
        else:
            self.waiting.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.back:
            self.back.transport.abort()


class Back(asyncio.Protocol):
    """The other half of a connection: memcached's data is forwarded when it is due, in order."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.due = 0.0
        self.waiting: deque[tuple[float, bytes]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        loop, delay = asyncio.get_running_loop(), self.way.proxy.delay()
        self.due = max(self.due, loop.time() + delay)
        self.waiting.append((self.way.asked_at, data))
        if delay == 0 and len(self.waiting) == 1:
            self.pass_on()
        else:
            loop.call_at(self.due, self.pass_on)

    def pass_on(self) -> None:
        asked_at, data = self.waiting.popleft()
        proxy = self.way.proxy
        proxy.pieces += 1
        proxy.latest = max(proxy.latest, asyncio.get_running_loop().time() - asked_at)
        self.way.transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.way.transport.close()


def go_first(process: int = 0) -> None:
    """Raises the process's priority if that is allowed, so that a busy machine does not delay responses further."""
    threads = os.listdir(f"/proc/{process or os.getpid()}/task")
    with contextlib.suppress(PermissionError):
        for thread in threads:
            os.sched_setscheduler(int(thread), os.SCHED_RR, os.sched_param(1))


async def run(proxy: Proxy) -> None:
    loop, is_over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, is_over.set)
    server = await loop.create_server(lambda: Way(proxy), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await is_over.wait()
    print(json.dumps({"pieces": proxy.pieces, "latest_ms": proxy.latest * 1000}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store_port", type=int)
    for name in ("share", "least_ms", "most_ms"):
        parser.add_argument(name, type=float)
    parser.add_argument("seed", type=int)
    options = parser.parse_args()
    lateness = Lateness(options.share, options.least_ms, options.most_ms)
    go_first()
    asyncio.run(run(Proxy(options.store_port, lateness, options.seed)))


if __name__ == "__main__":
    main()
