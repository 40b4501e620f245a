"""A fake of many vendors in one server: three APIs, random responses and faults, and a record of each call."""

from __future__ import annotations

import base64
import json
import random
import re
import select
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from fake_server import FakeServer, Handler

REFUSALS = {"429": 429, "429 soon": 429, "401": 401, "402": 402, "500": 500, "503": 503, "529": 529}
"""Statuses by the names of faults; `soon` tells a second in `Retry-After`."""
FAULTS = [*REFUSALS, "cut", "stall", "hang", "error in a 200", "error as an event", "empty", "page", "204"]
UNTOLD = ("cut", "stall", "hang")
"""The caller cannot know what such a call used."""
HANG_SECONDS = 6


@dataclass
class Call:
    number: int
    provider: str
    key: str
    path: str
    request: str | None
    """The mark of the client's request, which stands in its prompt."""
    fault: str | None
    delay: float
    prompt: int
    completion: int
    cached: int
    begun: float
    ended: float | None = None
    usage: tuple[int, int, int] | None = None
    """Prompt, completion and cached tokens, as they were told."""
    is_left: bool = False
    """The relay went before the answer."""

    @property
    def mark(self) -> str:
        return f"mark{self.number}k"


class Vendors(FakeServer):
    """`url`/WIRE/PROVIDER is the address of a provider; WIRE: openai, anthropic, gemini."""

    def __init__(self, seed: int, share_of_faults: float) -> None:
        self.random = random.Random(seed)
        self.share_of_faults = share_of_faults
        self.calls: list[Call] = []
        self.bounds: dict[str, int] = {}
        """The most calls at once, by the key."""
        self.crowds: list[list[Call]] = []
        """The calls that ran at once with one key, wherever these are more than its bound."""
        self.running: defaultdict[str, list[Call]] = defaultdict(list)
        super().__init__(handler(self))

    def begin(self, provider: str, key: str, path: str, raw: bytes) -> Call:
        found = re.search(rb"request\d+x", raw)
        with self.lock:
            pick = self.random
            fault = pick.choice(FAULTS) if pick.random() < self.share_of_faults else None
            prompt = pick.randint(1, 2000)
            call = Call(
                len(self.calls), provider, key, path, found and found[0].decode(), fault, pick.choice([0, 0, 0.01, 0.05, 0.15]),
                prompt, pick.randint(1, 2000), pick.choice([0, prompt // 2]), time.monotonic(),
            )  # fmt: skip
            self.calls.append(call)
            self.running[key].append(call)
            if len(self.running[key]) > self.bounds.get(key, sys.maxsize):
                self.crowds.append(list(self.running[key]))
        return call

    def breaches(self) -> Iterator[str]:
        """Returns the calls over their key's bound. The relay may begin another call before this side has noticed a
        cancelled one."""
        for calls in self.crowds:
            held = [call for call in calls if not call.is_left and call.fault not in ("stall", "hang")]
            if len(held) > self.bounds[calls[0].key]:
                yield f"{len(held)} calls at once with {held[0].key}, by {held[-1].request} {held[-1].path}"

    def end(self, call: Call) -> None:
        """Ends a call before its last byte is written, because the relay may begin the next one as soon as it has that
        byte."""
        with self.lock:
            if call.ended is None:
                self.running[call.key].remove(call)
                call.ended = time.monotonic()


def handler(vendors: Vendors) -> type[BaseHTTPRequestHandler]:
    class Requests(Handler):
        def do_POST(self) -> None:
            _, wire, provider, path = self.path.split("?")[0].split("/", 3)
            raw = read_body(self)
            bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
            key = bearer or self.headers.get("x-api-key") or self.headers.get("x-goog-api-key") or ""
            call = vendors.begin(provider, key, path, raw)
            try:
                if is_there(self.connection, call.delay):
                    answer(Answering(self, call, lambda: vendors.end(call)), wire, raw)
                else:
                    call.is_left = True
                    self.close_connection = True
            finally:
                vendors.end(call)

    return Requests


def read_body(handler: BaseHTTPRequestHandler) -> bytes:
    if not handler.headers.get("transfer-encoding"):
        return handler.rfile.read(int(handler.headers.get("content-length") or 0))
    raw = b""
    while size := int(handler.rfile.readline(), 16):
        raw += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return raw


def is_there(connection: socket.socket, seconds: float) -> bool:
    """Waits for so many seconds, or until the other side has left. Returns whether it is still there."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            if select.select([connection], [], [], left)[0] and not connection.recv(1, socket.MSG_PEEK):
                return False
        except OSError:
            return False
    return True


@dataclass
class Answering:
    handler: BaseHTTPRequestHandler
    call: Call
    end: Callable[[], None]

    def send(self, status: int, data: bytes, kind: str = "application/json", headers: dict[str, str] | None = None) -> None:
        is_cut = status == 200 and self.call.fault in ("cut", "stall")
        if is_cut:
            data = data[: len(data) // 2]
        self.handler.send_response(status)
        if status != 204:
            self.handler.send_header("Content-Length", str(len(data) + (9 if is_cut else 0)))
            self.handler.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.handler.send_header(name, value)
        if self.call.fault != "stall":
            self.end()
        self.handler.end_headers()
        self.handler.wfile.write(data)
        self.handler.close_connection = is_cut
        if self.call.fault == "stall":
            self.handler.wfile.flush()
            is_there(self.handler.connection, HANG_SECONDS)

    def json(self, value: Any) -> None:
        self.send(200, json.dumps(value).encode())

    def events(self, events: list[Any], *, are_named: bool = False) -> None:
        lines = [
            (f"event: {event['type']}\n" if are_named else "") + f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n"
            for event in events
        ]
        self.send(200, "".join(lines).encode(), "text/event-stream")


def answer(to: Answering, wire: str, raw: bytes) -> None:
    call = to.call
    error = {"message": "the vendor's own words", "type": "api_error", "code": None}
    if call.fault in REFUSALS:
        headers = {"Retry-After": "1"} if call.fault.endswith("soon") else {}
        return to.send(REFUSALS[call.fault], json.dumps({"error": error}).encode(), headers=headers)
    match call.fault:
        case "error in a 200":
            return to.json({"error": error})
        case "error as an event":
            return to.events([{"error": error}])
        case "empty":
            return to.send(200, b"")
        case "page":
            return to.send(200, b"<html><body>Bad gateway</body></html>", "text/html")
        case "204":
            return to.send(204, b"")
        case "hang":
            is_there(to.handler.connection, HANG_SECONDS)
            to.handler.close_connection = True
            return None
    if call.fault not in UNTOLD:
        call.usage = (call.prompt, call.completion, call.cached)
    return {"openai": openai, "anthropic": anthropic, "gemini": gemini}[wire](to, raw)


def openai(to: Answering, raw: bytes) -> None:
    call, is_json = to.call, raw.startswith(b"{")
    body = json.loads(raw) if is_json else {"stream": b'name="stream"' in raw}
    tokens = {"input_tokens": call.prompt, "output_tokens": call.completion, "total_tokens": call.prompt + call.completion}
    if not call.path.startswith("chat/") and call.usage:
        call.usage = (call.prompt, call.completion, 0)
    picture = base64.b64encode(call.mark.encode()).decode()
    match call.path:
        case "chat/completions":
            return openai_chat(to, is_streamed=body.get("stream") is True)
        case "embeddings":
            call.usage = call.usage and (call.prompt, 0, 0)
            usage = {"prompt_tokens": call.prompt, "total_tokens": call.prompt}
            vector = {"object": "embedding", "index": 0, "embedding": [call.number, 0.5]}
            return to.json({"object": "list", "model": "m", "data": [vector], "usage": usage})
        case "moderations":
            verdict = {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.1}}
            return to.json({"id": call.mark, "model": "m", "results": [verdict]})
        case "audio/speech":
            return to.send(200, b"ID3\x04" + call.mark.encode() * 50, "audio/mpeg")
        case "audio/transcriptions" if body["stream"]:
            done = {"type": "transcript.text.done", "text": call.mark, "usage": {"type": "tokens"} | tokens}
            return to.events([{"type": "transcript.text.delta", "delta": "a "}, done])
        case "audio/transcriptions" | "audio/translations":
            return to.json({"text": call.mark, "usage": {"type": "tokens"} | tokens})
        case "images/generations" if body.get("stream"):
            part = {"type": "image_generation.partial_image", "b64_json": picture, "partial_image_index": 0}
            return to.events([part, {"type": "image_generation.completed", "b64_json": picture, "usage": tokens}], are_named=True)
        case "images/generations" | "images/edits":
            # Some servers make one, whatever was asked for.
            count = 1 if call.provider.endswith("ONE") else body.get("n", 1)
            return to.json({"created": 1, "data": [{"b64_json": picture}] * count, "usage": tokens})
    return to.send(404, b"{}")


def openai_chat(to: Answering, *, is_streamed: bool) -> None:
    call = to.call
    usage = {
        "prompt_tokens": call.prompt, "completion_tokens": call.completion, "total_tokens": call.prompt + call.completion,
        "prompt_tokens_details": {"cached_tokens": call.cached},
    }  # fmt: skip
    told = {"id": "x", "created": 1, "model": "m"}
    if not is_streamed:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"Say {call.mark}"}}
        return to.json(told | {"object": "chat.completion", "choices": [choice], "usage": usage})
    told["object"] = "chat.completion.chunk"
    deltas = [{"role": "assistant", "content": ""}, {"content": "Say "}, {"content": call.mark}, {}]
    chunks: list[Any] = [told | {"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}]} for delta in deltas]
    return to.events([*chunks, told | {"choices": [], "usage": usage}, "[DONE]"])


def anthropic(to: Answering, raw: bytes) -> None:
    call = to.call
    usage = {"input_tokens": call.prompt - call.cached, "output_tokens": call.completion, "cache_read_input_tokens": call.cached}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    if not json.loads(raw).get("stream"):
        content = [{"type": "text", "text": f"Say {call.mark}"}]
        return to.json(message | {"content": content, "stop_reason": "end_turn", "usage": usage})
    texts = [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in ("Say ", call.mark)]
    start = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    events = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *texts,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": call.completion}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return to.events(events, are_named=True)


def gemini(to: Answering, _: bytes) -> None:
    call = to.call
    usage = {
        "promptTokenCount": call.prompt, "candidatesTokenCount": call.completion,
        "totalTokenCount": call.prompt + call.completion, "cachedContentTokenCount": call.cached,
    }  # fmt: skip

    def told(text: str, **more: str) -> dict[str, Any]:
        candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}} | more
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"}

    if "streamGenerateContent" in call.path:
        return to.events([told("Say "), told(call.mark, finishReason="STOP")])
    return to.json(told(f"Say {call.mark}", finishReason="STOP"))
