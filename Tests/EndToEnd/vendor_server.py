"""A strict fake of a vendor whose chats are one POST of JSON, for tests. Each kind defines its API (`Wire`).

`Server` runs in a thread of the test's process. What the vendor would refuse in a request is a violation. Answers follow the
script that was set for the request's model (`says`), each request takes the next, the last one stays.

SCRIPT, all optional, besides what the kind's own answers are made of:
    json                      the whole body, for any request
    events                    a list of what streams bring: dicts as data, strings as they are, without the end of the event
    raw                       bytes of the whole body, as they are
    status, headers, type     of the answer
    line_end, pieces          of events; sizes in which bytes are written
    cut                       true: the connection breaks at the end of what was written
    stall                     true: nothing more comes after that; `left` is set when the client has left
    slow                      seconds before anything is answered
"""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from fake_server import Handler, ScriptedServer
from openai_vendor import answer, empty_ones

__all__ = ["Server", "Wire", "empty_ones"]

HEADERS = {"host", "accept", "accept-encoding", "content-type", "content-length", "user-agent"}


class Wire(Protocol):
    """The differences between vendors."""

    headers: set[str]
    """Those of its own that it takes."""

    def model(self, path: str, body: dict[str, Any]) -> str: ...
    def is_stream(self, path: str, body: dict[str, Any]) -> bool: ...
    def problems(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Iterator[str]: ...
    def whole(self, script: dict[str, Any]) -> Any: ...
    def events(self, script: dict[str, Any]) -> list[Any]: ...
    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]: ...


class Server(ScriptedServer):
    """The running fake."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        super().__init__(handler(self))


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Requests(Handler):
        def do_GET(self) -> None:
            status, body = server.wire.get(self.path, self.lowered())
            answer(self, {}, {"status": status, "json": body})

        def do_POST(self) -> None:
            raw = self.read()
            body = json.loads(raw)
            headers = self.lowered()
            model = server.wire.model(self.path, body)
            script = server.next_script(model)
            problems = list(server.wire.problems(self.path, body, headers))
            allowed = HEADERS | server.wire.headers | set(script.get("own_headers", ()))
            problems += [f"header {name}" for name in set(headers) - allowed]
            if headers.get("content-type") != "application/json":
                problems.append("content-type")
            server.note(self.path, model, headers, body, raw, problems)
            self.left = server.left
            if script.get("slow"):
                time.sleep(script["slow"])
            is_streamed = server.wire.is_stream(self.path, body)
            answer(self, {"stream": is_streamed}, script, server.wire.whole, lambda script: events(script, script.get("events") or server.wire.events(script)))

    return Requests


def events(script: dict[str, Any], told: list[Any]) -> bytes:
    """Returns the body of a stream. A dict with a `type` is an event of that name if the script says `named`."""
    end = script.get("line_end", "\r\n")
    out = ""
    for event in told:
        text = event if isinstance(event, str) else "data: " + json.dumps(event, separators=(",", ":"))
        out += text.replace("\n", end) + end + end
    return out.encode()
