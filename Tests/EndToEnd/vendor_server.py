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
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from openai_vendor import empty_ones, write

__all__ = ["Server", "Wire", "empty_ones"]

HEADERS = {"host", "accept", "content-type", "content-length", "user-agent"}


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


class Server:
    """The running fake. `base_url`: `http://127.0.0.1:PORT`."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.lock = threading.Lock()
        self.scripts: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.left = threading.Event()
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler(self))
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients leave as tests want it
        self.base_url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def says(self, model: str, *scripts: dict[str, Any]) -> None:
        """Scripts the responses to requests for `model` (the vendor's name)."""
        with self.lock:
            self.scripts[model] = list(scripts)
            self.requests = [request for request in self.requests if request["model"] != model]

    def asked(self, model: str) -> list[dict[str, Any]]:
        """Returns the requests for `model`: {"headers", "body", "path", "raw", "at"}."""
        with self.lock:
            return [request for request in self.requests if request["model"] == model]

    def body(self, model: str) -> dict[str, Any]:
        """Returns the body of the only request for `model`."""
        (only,) = self.asked(model)
        return only["body"]

    def take_violations(self) -> list[str]:
        with self.lock:
            found, self.violations = self.violations, []
        return found

    def next_script(self, model: str) -> dict[str, Any]:
        with self.lock:
            scripts = self.scripts.get(model) or [{}]
            return scripts.pop(0) if len(scripts) > 1 else scripts[0]


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def lowered(self) -> dict[str, str]:
            return {name.lower(): value for name, value in self.headers.items()}

        def do_GET(self) -> None:
            status, body = server.wire.get(self.path, self.lowered())
            answer(self, {"status": status, "json": body}, is_streamed=False)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            body = json.loads(raw)
            headers = self.lowered()
            model = server.wire.model(self.path, body)
            script = server.next_script(model)
            problems = list(server.wire.problems(self.path, body, headers))
            allowed = HEADERS | server.wire.headers | set(script.get("own_headers", ()))
            problems += [f"header {name}" for name in set(headers) - allowed]
            if headers.get("content-type") != "application/json":
                problems.append("content-type")
            with server.lock:
                server.requests.append(
                    {"headers": headers, "body": body, "raw": raw, "path": self.path, "model": model, "at": time.monotonic()}
                )
                server.violations += problems
            self.left = server.left
            if script.get("slow"):
                time.sleep(script["slow"])
            answer(self, script, is_streamed=server.wire.is_stream(self.path, body), wire=server.wire)

    return Handler


def answer(handler: BaseHTTPRequestHandler, script: dict[str, Any], *, is_streamed: bool, wire: Wire | None = None) -> None:
    status = script.get("status", 200)
    is_stream = is_streamed and status == 200 and "json" not in script
    kind = script.get("type", "text/event-stream; charset=utf-8" if is_stream else "application/json")
    if "raw" in script:
        data = script["raw"]
    elif is_stream:
        data = events(script, script.get("events") or wire.events(script))
    else:
        whole = script["json"] if "json" in script else wire.whole(script)
        data = json.dumps(whole, separators=(",", ":")).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    for name, value in script.get("headers", {}).items():
        handler.send_header(name, value)
    if is_stream and not script.get("cut"):
        handler.send_header("Transfer-Encoding", "chunked")
    else:
        handler.send_header("Content-Length", str(len(data) + (10 if script.get("cut") else 0)))
    handler.end_headers()
    try:
        write(handler, data, script, chunked=is_stream and not script.get("cut"))
    except OSError:
        handler.close_connection = True


def events(script: dict[str, Any], told: list[Any]) -> bytes:
    """Returns the body of a stream. A dict with a `type` is an event of that name if the script says `named`."""
    end = script.get("line_end", "\r\n")
    out = ""
    for event in told:
        text = event if isinstance(event, str) else "data: " + json.dumps(event, separators=(",", ":"))
        out += text.replace("\n", end) + end + end
    return out.encode()
