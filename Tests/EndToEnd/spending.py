"""A vendor that writes as many tokens as it was told to, at most the request's bound, and bills what it has written.

It speaks OpenAI's chat completions and Anthropic's Messages. Each event has `step` tokens; each token is a word of five bytes.
"""

import json
import select
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

from fake_server import FakeServer, Handler
from relay_process import provider

PROMPT = 1000
WORD = "word "
PRICE = (5, 25)
"""Dollars for a million tokens."""


class Vendor(FakeServer):
    """`length` tokens for each response; `hidden` of them are reasoning that nobody sees."""

    def __init__(self) -> None:
        self.length, self.hidden, self.step, self.obeys, self.reports = 500, 0, 100, True, True
        self.unread: threading.Semaphore | None = None
        """Each event takes one, and whoever reads it gives it back: so a vendor writes no faster than its output is read."""
        self.pace = 0.0
        """The seconds that an event takes: a vendor writes no faster than its model."""
        self.refused: tuple[str, str] | None = None
        """A field that the vendor refuses, and its words."""
        self.bounds: list[int | None] = []
        self.raw: list[bytes] = []
        self.written: list[int] = []
        self.running = 0
        self.left = threading.Event()
        super().__init__(handler(self))

    def settings(self, api_key: str, models: str = "m", scale: float = 1) -> dict[str, str]:
        """The settings of a relay that offers its models at `scale` times its prices, with limits alone that a test sets."""
        price = f"{PRICE[0] * scale}/{PRICE[1] * scale} per million"
        return {
            **provider("CHATS", "openai", f"{self.base_url}/v1", models, API_KEY=api_key, COST=price),
            **provider("CLAUDE", "anthropic", self.base_url, "c", API_KEY=api_key, COST=price), "RATE_LIMIT": "off",
        }  # fmt: skip

    @property
    def billed(self) -> float:
        """The dollars of all responses so far."""
        with self.lock:
            return sum(PROMPT * PRICE[0] + tokens * PRICE[1] for tokens in self.written) / 1e6


def handler(vendor: Vendor) -> type[BaseHTTPRequestHandler]:
    class Requests(Handler):
        def do_POST(self) -> None:
            raw = self.read()
            body = json.loads(raw)
            if vendor.refused and vendor.refused[0] in body:
                error = {"message": vendor.refused[1], "type": "invalid_request_error", "param": None, "code": None}
                return self.whole({"error": error}, 400)
            bound = body.get("max_tokens") or body.get("max_completion_tokens")
            length = min(vendor.length, bound) if bound and vendor.obeys else vendor.length
            with vendor.lock:
                at = len(vendor.written)
                vendor.bounds.append(bound)
                vendor.raw.append(raw)
                vendor.written.append(0)
                vendor.running += 1
            try:
                if self.path.endswith("/messages"):
                    self.messages(body, at, length)
                else:
                    self.chat(body, at, length)
            except OSError:
                vendor.left.set()
                self.close_connection = True
            finally:
                with vendor.lock:
                    vendor.running -= 1

        def pieces(self, at: int, length: int) -> Any:
            vendor.written[at] = min(length - 1, vendor.hidden)
            while vendor.written[at] < length:
                if vendor.unread:
                    vendor.unread.acquire(timeout=20)
                    # A client that has left can be read to its end.
                    if select.select([self.connection], [], [], 0)[0]:
                        raise ConnectionResetError
                step = min(vendor.step, length - vendor.written[at])
                yield WORD * step
                vendor.written[at] += step
                if vendor.pace:
                    time.sleep(vendor.pace)

        def chat(self, body: dict[str, Any], at: int, length: int) -> None:
            finish = "length" if length < vendor.length else "stop"
            names = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

            def usage() -> dict[str, int]:
                used = vendor.written[at]
                return {"prompt_tokens": PROMPT, "completion_tokens": used, "total_tokens": PROMPT + used}

            if not body.get("stream"):
                text = "".join(self.pieces(at, length))
                message = {"role": "assistant", "content": text, "refusal": None}
                choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
                return self.whole(names | {"object": "chat.completion", "choices": [choice], "usage": usage()})
            self.begin()
            self.event(names | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
            for text in self.pieces(at, length):
                self.event(names | {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})
            self.event(names | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
            if vendor.reports:
                self.event(names | {"choices": [], "usage": usage()})
            self.chunk(b"data: [DONE]\n\n")
            self.chunk(b"")

        def messages(self, body: dict[str, Any], at: int, length: int) -> None:
            finish = "max_tokens" if length < vendor.length else "end_turn"
            message = {
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
                "stop_sequence": None, "usage": {"input_tokens": PROMPT, "output_tokens": 1},
            }  # fmt: skip
            if not body.get("stream"):
                text = "".join(self.pieces(at, length))
                usage = {"input_tokens": PROMPT, "output_tokens": vendor.written[at]}
                return self.whole(message | {"content": [{"type": "text", "text": text}], "stop_reason": finish, "usage": usage})
            self.begin()
            self.named({"type": "message_start", "message": message})
            self.named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
            for text in self.pieces(at, length):
                self.named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
            self.named({"type": "content_block_stop", "index": 0})
            usage = {"output_tokens": vendor.written[at]}
            self.named({"type": "message_delta", "delta": {"stop_reason": finish, "stop_sequence": None}, "usage": usage})
            self.named({"type": "message_stop"})
            self.chunk(b"")

        def whole(self, body: dict[str, Any], status: int = 200) -> None:
            self.send(status, body, **{"Content-Type": "application/json"})

        def begin(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()

        def event(self, body: dict[str, Any]) -> None:
            self.chunk(b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n")

        def named(self, body: dict[str, Any]) -> None:
            self.chunk(b"event: " + body["type"].encode() + b"\ndata: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n")

        def chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    return Requests
