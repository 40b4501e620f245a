"""Vendors of each kind that fail in each way: the bytes that they send, and a server that sends them.

A fault is a function of the kind's `Wire` and of what was asked for (whole or streamed). It gives the `Reply`: the bytes,
in pieces, and what happens at their end. A request names its cell (`cell_of`) by its key, so the server needs no state of its
own to know how to fail.
"""

import asyncio
import contextlib
import dataclasses
import json
import re
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anthropic_vendor
import cloudflare_vendor
import cohere_vendor
import gemini_vendor
import onemin_replies
import openai_vendor
import vendor_server

END_SECONDS = 15.0
"""In which the relay has to leave a vendor that goes on, or that says nothing more. Longer than the time-outs of the tests
of each fault, shorter than the long ones of the fault tests."""
FLOOD_BYTES = 24 << 20
"""More than any answer may have."""
SAID = "Hello there"
PAGE = b"<html><body><h1>Busy</h1>https://internal.example/path</body></html>"
SECRET = "/srv/vendor/internal.py"
"""Stands in the failures of vendors, and in nothing that clients are told."""


@dataclass
class Wire:
    """The responses of one kind. `pieces`: a stream's events; `begun`: the number of them that contain the first
    text."""

    whole: bytes
    pieces: list[bytes]
    failure: Callable[[int], Any]
    event: Callable[[int], bytes]
    """An event that tells a failure."""
    model: str

    @property
    def begun(self) -> int:
        return next(at for at, piece in enumerate(self.pieces) if b"Hello" in piece) + 1


def events_of(stream: bytes) -> list[bytes]:
    return [piece for piece in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", stream) if piece.strip()]


def told(failure: Any) -> bytes:
    return b"data: " + json.dumps(failure).encode() + b"\n\n"


GOOGLE_WORDS = {401: "UNAUTHENTICATED", 402: "BILLING", 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
CLAUDE_WORDS = {401: "authentication_error", 402: "billing_error", 429: "rate_limit_error", 500: "api_error", 503: "overloaded_error"}
OPENAI_WORDS = {401: "invalid_api_key", 402: "insufficient_quota", 429: "rate_limit_exceeded", 500: "server_error", 503: "service_unavailable"}
ASKED = {"type": "UNIFY_CHAT_WITH_AI", "model": "gpt-4o-mini", "promptObject": {"prompt": "Hello"}}
GEMINI, COHERE = gemini_vendor.GeminiWire(), cohere_vendor.CohereWire()


def openai_failure(status: int) -> Any:
    return {"error": {"message": f"It broke in {SECRET}.", "type": "error", "param": None, "code": OPENAI_WORDS[status]}}


def claude_failure(status: int) -> Any:
    return anthropic_vendor.failure(CLAUDE_WORDS[status], f"It broke in {SECRET}.")


def google_failure(status: int) -> Any:
    return gemini_vendor.error(status, GOOGLE_WORDS[status], f"It broke in {SECRET}.")


def onemin_failure(status: int) -> Any:
    return {"errorCode": "HTTP_EXCEPTION", "message": f"It broke in {SECRET}.", "statusCode": status}


WIRES = {
    "openai": Wire(
        json.dumps(openai_vendor.whole({})).encode(), events_of(openai_vendor.events({})), openai_failure,
        lambda status: told(openai_failure(status)), "any",
    ),
    "anthropic": Wire(
        json.dumps(anthropic_vendor.whole({})).encode(), events_of(anthropic_vendor.events({})), claude_failure,
        lambda status: b"event: error\n" + told(claude_failure(status)), "claude-sonnet-4-5",
    ),
    "gemini": Wire(
        json.dumps(GEMINI.whole({})).encode(), events_of(vendor_server.events({}, GEMINI.events({}))), google_failure,
        lambda status: told(google_failure(status)), "gemini-2.5-flash",
    ),
    "cohere": Wire(
        json.dumps(COHERE.whole({})).encode(), events_of(vendor_server.events({}, COHERE.events({}))),
        lambda status: {"id": "e1", "message": f"It broke in {SECRET}."},
        lambda status: told({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": f"It broke in {SECRET}."}}),
        "command-a-03-2025",
    ),
    "onemin": Wire(
        b"".join(onemin_replies.reply({"answer": SAID}, ASKED, streamed=False).pieces),
        onemin_replies.reply({"answer": SAID}, ASKED, streamed=True).pieces, onemin_failure,
        lambda status: b"event: error\n" + told({"error": f"It broke in {SECRET}."}), "gpt-4o-mini",
    ),
}  # fmt: skip


WIRES["cloudflare"] = dataclasses.replace(
    WIRES["openai"], failure=lambda status: cloudflare_vendor.failure(1000 + status, f"It broke in {SECRET}."),
    event=lambda status: told(cloudflare_vendor.failure(1000 + status, f"It broke in {SECRET}.")), model="@cf/meta/llama-3.3-70b",
)  # fmt: skip
WIRES["vertexai_gemini"] = WIRES["gemini"]
WIRES["vertexai_claude"] = dataclasses.replace(WIRES["anthropic"], model="claude-sonnet-4-5@20250929")


@dataclass
class Reply:
    """A response. `end`: `whole`: as the head promised; `cut`: the connection ends before that; `reset`: it ends by a
    reset; `stall`: nothing more comes; `flood`: the last chunk is repeated for ever; `drip`: it is repeated slowly."""

    pieces: list[bytes] = dataclasses.field(default_factory=list)
    end: str = "whole"
    type: str = "application/json"
    status: int = 200
    headers: tuple[str, ...] = ()
    head: bytes | None = None
    """In place of a whole one."""


def good(wire: Wire, is_streamed: bool) -> Reply:
    return Reply(list(wire.pieces), type="text/event-stream") if is_streamed else Reply([wire.whole])


def begun(wire: Wire, is_streamed: bool, end: str, *more: bytes) -> Reply:
    """Returns the beginning of a good response; of a stream, with its first text."""
    if is_streamed:
        return Reply([*wire.pieces[: wire.begun], *more], end, "text/event-stream")
    return Reply([wire.whole[: len(wire.whole) // 2]], end)


def with_type(reply: Reply, type: str) -> Reply:
    return dataclasses.replace(reply, type=type)


def refused(wire: Wire, status: int, *headers: str) -> Reply:
    return Reply([json.dumps(wire.failure(status)).encode()], status=status, headers=headers)


def empty(is_streamed: bool, end: str) -> Reply:
    return Reply([], end, "text/event-stream" if is_streamed else "application/json")


FAULTS: dict[str, Callable[[Wire, bool], Reply]] = {
    "never answers": lambda wire, is_streamed: Reply(head=b"", end="stall"),
    "stalls in its head": lambda wire, is_streamed: Reply(head=b"HTTP/1.1 200 OK\r\nContent-", end="stall"),
    "stalls after its head": lambda wire, is_streamed: empty(is_streamed, "stall"),
    "stalls in its answer": lambda wire, is_streamed: begun(wire, is_streamed, "stall"),
    "drips": lambda wire, is_streamed: begun(wire, is_streamed, "drip", b": still here\n\n")
    if is_streamed else Reply([b" "], "drip"),
    "cuts at once": lambda wire, is_streamed: Reply(head=b"", end="cut"),
    "cuts in its head": lambda wire, is_streamed: Reply(head=b"HTTP/1.1 200 OK\r\nContent-", end="cut"),
    "cuts after its head": lambda wire, is_streamed: empty(is_streamed, "cut"),
    "cuts in its first piece": lambda wire, is_streamed: Reply([wire.pieces[0][:20]], "cut", "text/event-stream")
    if is_streamed else Reply([wire.whole[:1]], "cut"),
    "cuts in its answer": lambda wire, is_streamed: begun(wire, is_streamed, "cut"),
    "resets at once": lambda wire, is_streamed: Reply(head=b"", end="reset"),
    "resets in its answer": lambda wire, is_streamed: begun(wire, is_streamed, "reset"),
    "ends in its answer": lambda wire, is_streamed: begun(wire, is_streamed, "whole"),
    "says nothing": lambda wire, is_streamed: empty(is_streamed, "whole"),
    "sends a page": lambda wire, is_streamed: Reply([PAGE], type="text/html"),
    "calls a page an answer": lambda wire, is_streamed: with_type(Reply([PAGE]), good(wire, is_streamed).type),
    "answers in the other form": lambda wire, is_streamed: good(wire, not is_streamed),
    "calls it text": lambda wire, is_streamed: with_type(good(wire, is_streamed), "text/plain"),
    "calls it the other form": lambda wire, is_streamed: with_type(good(wire, is_streamed), good(wire, not is_streamed).type),
    "breaks its JSON": lambda wire, is_streamed: Reply([b'data: {"a": [1,\n\n', b"data: ]}\n\n"], type="text/event-stream")
    if is_streamed else Reply([b'{"a": [1,']),
    "fails in a 200": lambda wire, is_streamed: Reply([json.dumps(wire.failure(503)).encode()]),
    "fails in its first event": lambda wire, is_streamed: Reply([wire.event(500)], "stall", "text/event-stream"),
    "fails in its answer": lambda wire, is_streamed: begun(wire, True, "stall", wire.event(500)),
    "401": lambda wire, is_streamed: refused(wire, 401),
    "402": lambda wire, is_streamed: refused(wire, 402),
    "429": lambda wire, is_streamed: refused(wire, 429, "Retry-After: 7"),
    "500": lambda wire, is_streamed: refused(wire, 500),
    "503": lambda wire, is_streamed: refused(wire, 503),
    "500 and a page": lambda wire, is_streamed: Reply([PAGE], type="text/html", status=500),
    "says too much": lambda wire, is_streamed: Reply([b"data: " + b"x" * 65_530, b"x" * 65_536], "flood", "text/event-stream")
    if is_streamed else Reply([b'{"a":"' + b"x" * 65_530, b"x" * 65_536], "flood"),
    "says too much in its answer": lambda wire, is_streamed: begun(wire, True, "flood", b"data: ", b"x" * 65_536),
    "stalls in a refusal": lambda wire, is_streamed: Reply([b'{"err'], "stall", status=500),
    "refuses connections": good,
}  # fmt: skip
WITH_ANOTHERS_WIRE = {"cloudflare", "vertexai_gemini", "vertexai_claude"}
"""They read as the kind does whose wire it is, which shows all faults."""
OF_ANOTHERS_WIRE = {
    "stalls in its answer", "cuts in its answer", "sends a page", "fails in a 200", "fails in its answer", "401", "429", "500 and a page",
    "refuses connections",
}  # fmt: skip
ONLY_STREAMED = {"fails in its first event", "fails in its answer", "says too much in its answer"}
AFTER_ITS_BEGINNING = {
    "stalls in its answer", "drips", "cuts in its answer", "resets in its answer", "ends in its answer", "fails in its answer",
    "says too much in its answer",
}  # fmt: skip
"""Streams that bring a first text."""
GOOD = {"answers in the other form", "calls it text", "calls it the other form"}
"""What it says is true, but not how: a good answer, or a failure."""
STATUS = {
    "never answers": 504, "stalls in its head": 504, "stalls after its head": 504, "stalls in its answer": 504, "drips": 504,
    "429": 429, "402": 402, "503": 503,
}  # fmt: skip
"""Of an error that was told before an answer; else 502."""
TOLD_IN_A_200 = {
    "openai": 503, "anthropic": 503, "gemini": 503, "vertexai_gemini": 503, "vertexai_claude": 503, "cohere": 502, "onemin": 502,
    "cloudflare": 502,
}  # fmt: skip
"""The last three have no words for a status."""


@dataclass(frozen=True)
class Cell:
    kind: str
    fault: str
    is_streamed: bool
    is_alone: bool
    """Nobody else has the model."""

    @property
    def name(self) -> str:
        words = re.sub("[^a-z0-9]+", "-", f"{self.kind} {self.fault}".lower())
        return f"{words}-{'streamed' if self.is_streamed else 'whole'}-{'alone' if self.is_alone else 'saved'}"

    @property
    def status(self) -> int:
        """Returns the status of an error that is reported before a response begins."""
        if self.fault == "fails in a 200":
            return TOLD_IN_A_200[self.kind]
        if self.fault == "stalls in a refusal":
            return 502 if self.is_streamed else 504
        return STATUS.get(self.fault, 502)

    @property
    def key(self) -> str:
        return f"cell-{self.name}-key"


CELLS = [
    Cell(kind, fault, is_streamed, is_alone)
    for kind in WIRES
    for fault in FAULTS
    for is_streamed in (False, True)
    for is_alone in (False, True)
    if (is_streamed or fault not in ONLY_STREAMED) and (kind not in WITH_ANOTHERS_WIRE or fault in OF_ANOTHERS_WIRE)
]
BY_NAME = {cell.name: cell for cell in CELLS}


class FaultyServer:
    """A server that runs while `serving` is entered. `asked`: calls by name; `left`: names of calls whose connection
    the relay has ended."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.base_url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        with socket.create_server(("127.0.0.1", 0)) as closed:
            self.dead_url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        self.asked: dict[str, int] = {}
        self.left: set[str] = set()
        self.running: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self) -> Any:
        server = await asyncio.start_server(self.serve, sock=self.listener)
        yield
        if self.running:
            await asyncio.wait(self.running, timeout=END_SECONDS)
        server.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.running.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            is_exchange = head.startswith(b"POST /token ")
            found = re.search(rb"cell-([a-z0-9-]+)-key", body if is_exchange else head)
            assert found is not None, head
            name = found[1].decode()
            if is_exchange:
                token = json.dumps({"access_token": found[0].decode(), "expires_in": 3599, "token_type": "Bearer"}).encode()
                await self.answer(Reply([token]), "", reader, writer)
            else:
                self.asked[name] = self.asked.get(name, 0) + 1
                await self.answer(await self.reply(name, head, body), name, reader, writer)
        self.running.discard(task)
        writer.close()

    async def reply(self, name: str, head: bytes, body: bytes) -> Reply:
        """Returns the response to a request with the key `cell-NAME-key`."""
        cell = BY_NAME[name]
        return FAULTS[cell.fault](WIRES[cell.kind], cell.is_streamed)

    async def answer(self, reply: Reply, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_whole = reply.end in ("whole", "cut", "reset")
        if reply.head is not None:
            writer.write(reply.head)
        else:
            lines = [f"HTTP/1.1 {reply.status} Told", f"Content-Type: {reply.type}", "Connection: close", *reply.headers]
            if is_whole:
                lines.append(f"Content-Length: {sum(map(len, reply.pieces)) + (0 if reply.end == 'whole' else 10)}")
            writer.write("\r\n".join([*lines, "", ""]).encode() + b"".join(reply.pieces))
        await writer.drain()
        if reply.end == "reset":
            # Written data comes first.
            await asyncio.sleep(0.01)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if is_whole:
            return
        left = asyncio.ensure_future(reader.read())
        try:
            async with asyncio.timeout(END_SECONDS):
                sent = 0
                while reply.end == "flood" and sent < FLOOD_BYTES and not left.done():
                    writer.write(reply.pieces[-1])
                    await writer.drain()
                    sent += len(reply.pieces[-1])
                while reply.end == "drip" and not left.done():
                    writer.write(reply.pieces[-1])
                    await writer.drain()
                    await asyncio.sleep(0.1)
                await left
                self.left.add(name)
        except OSError:
            self.left.add(name)
        except TimeoutError:
            pass
        left.cancel()
