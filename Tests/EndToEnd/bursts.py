"""Many requests at the same time, each on its own connection, so that all loops of a relay get some; and a vendor that
lets calls gather and responds to them at the same time."""

import asyncio
import os
import signal
import subprocess
from collections import defaultdict
from typing import Any

import httpx
from vendor_faults import FaultyServer, Reply

ANSWER_SECONDS = 60.0
"""In which any answer must have ended: more than all time-outs of the relays here, and the rest is for a slow machine."""
GATHER_SECONDS = 0.2
HELD_SECONDS = 0.05
"""Enough for all that is sent meanwhile."""


class Caller:
    """A client. `await post(path, json=...)` returns the response, or an error if there was none."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self.port = port
        self.headers = {"Host": f"127.0.0.1:{port}", "Connection": "close"} | headers

    async def post(self, path: str, **content: Any) -> httpx.Response:
        return await self.send(self.written("POST", path, **content))

    def written(self, method: str, path: str, **content: Any) -> bytes:
        request = httpx.Request(method, f"http://127.0.0.1:{self.port}{path}", headers=self.headers, **content)
        head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
        return "\r\n".join([*head, "", ""]).encode() + request.read()

    async def send(self, request: bytes) -> httpx.Response:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(request)
                return parsed(await reader.read(-1))
            finally:
                writer.close()


def hold(process: subprocess.Popen[bytes]) -> None:
    """Stops a process for a moment, so that everything sent meanwhile reaches all its loops at once."""
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        asyncio.get_running_loop().call_later(HELD_SECONDS, process.send_signal, signal.SIGCONT)


async def all_at_once(caller: Caller, requests: list[bytes]) -> list[httpx.Response | BaseException]:
    return await asyncio.gather(*map(caller.send, requests), return_exceptions=True)


def parsed(answer: bytes) -> httpx.Response:
    """Returns a whole response; a truncated one is an error."""
    head, is_whole, body = answer.partition(b"\r\n\r\n")
    if not is_whole:
        raise ConnectionError(f"ended after {answer[:100]!r}")
    status, *lines = head.decode().split("\r\n")
    fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    known = dict(fields)
    if "chunked" in known.get("transfer-encoding", ""):
        body = joined(body)
    elif len(body) != int(known.get("content-length", 0)):
        raise ConnectionError(f"{len(body)} bytes of {known.get('content-length')} came")
    fields = [field for field in fields if field[0] != "transfer-encoding"]
    return httpx.Response(int(status.split()[1]), headers=fields, content=body)


def joined(chunks: bytes) -> bytes:
    out, at = [], 0
    while True:
        end = chunks.find(b"\r\n", at)
        if end < 0:
            raise ConnectionError("the last chunk did not come")
        size = int(chunks[at:end], 16)
        if size == 0:
            return b"".join(out)
        out.append(chunks[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


class GatheringServer(FaultyServer):
    """A vendor where calls of one name wait until there are `count` of them, or for `GATHER_SECONDS`. It holds
    `process` while it responds to them."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.process: subprocess.Popen[bytes] | None = None
        self.waiting: dict[str, list[asyncio.Future[None]]] = defaultdict(list)

    async def gathered(self, name: str) -> None:
        waiting = self.waiting[name]
        mine = asyncio.get_running_loop().create_future()
        waiting.append(mine)
        if len(waiting) == self.count:
            self.let_go(name, waiting)
        elif len(waiting) == 1:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self.let_go, name, waiting)
        await mine

    def let_go(self, name: str, waiting: list[asyncio.Future[None]]) -> None:
        if self.waiting.get(name) is waiting:
            del self.waiting[name]
            if self.process:
                hold(self.process)
        for one in waiting:
            if not one.done():
                one.set_result(None)

    async def reply(self, name: str, head: bytes, body: bytes) -> Reply:
        await self.gathered(name)
        return await super().reply(name, head, body)
