"""Clients that leave, and a fake vendor that sees them leave. Both run in one process, so that they use the same
clock."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

KINDS = ("whole", "stream")
MOMENTS = ("before", "after")  # the first byte of the vendor's response
WAYS = ("close", "reset", "half-close")

HALF_RECORD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    b'{"aiRecord":{"status":"SUCCESS","aiRecordDetail":{"resultObject":["half'
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def event_chunk(number: int) -> bytes:
    event = b'event: content\ndata: {"content":"word %d "}\n\n' % number
    return b"%x\r\n%s\r\n" % (len(event), event)


@dataclass
class Leaver:
    """A client, and what the vendor saw of it."""

    number: int
    kind: str
    moment: str
    way: str
    reached: asyncio.Event = field(default_factory=asyncio.Event)  # its request is at the vendor
    begun: asyncio.Event = field(default_factory=asyncio.Event)  # the vendor's first byte is out
    closed: asyncio.Event = field(default_factory=asyncio.Event)  # the vendor's connection is closed
    left_at: float = 0
    closed_at: float = 0
    failure: str = ""

    def milliseconds(self) -> float:
        """The milliseconds from the client's leaving to the vendor's close."""
        return (self.closed_at - self.left_at) * 1000


class Vendor(asyncio.Protocol):
    """A vendor that responds up to the moment at which the client leaves, and never to the end."""

    def __init__(self, leavers: list[Leaver]) -> None:
        self.leavers = leavers
        self.leaver: Leaver | None = None
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not length or len(body) < int(length[1]):
            return
        self.received = b""
        number = re.search(rb"leaver-(\d+)", body)
        if not number:  # the first answer that says the relay is up
            answer = b'{"aiRecord":{"status":"SUCCESS","aiRecordDetail":{"resultObject":["hello"]}}}'
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                                 % (len(answer), answer))
            return
        self.leaver = self.leavers[int(number[1])]
        self.leaver.reached.set()
        if self.leaver.moment == "before":
            return
        self.transport.write(HALF_RECORD if self.leaver.kind == "whole" else STREAM_HEAD)
        self.leaver.begun.set()
        if self.leaver.kind == "stream":
            self.go_on(1)

    def go_on(self, number: int) -> None:
        if not self.transport.is_closing():
            self.transport.write(event_chunk(number))
            asyncio.get_running_loop().call_later(0.05, self.go_on, number + 1)

    def connection_lost(self, error: Exception | None) -> None:
        if self.leaver:
            self.leaver.closed_at = time.monotonic()
            self.leaver.closed.set()


def request(leaver: Leaver, port: int) -> bytes:
    stream = b',"stream":true' if leaver.kind == "stream" else b""
    body = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"leaver-%d"}]%s}' % (leaver.number, stream)
    return (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer bench-key-0123456789\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (port, len(body), body)
    )
