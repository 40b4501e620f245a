"""What the fake servers of the tests share: a thread of the test's process, handlers that log nothing, and scripts by model."""

import json
import socketserver
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are written apart: the body would wait 40 ms for the acknowledgement of the head.
    disable_nagle_algorithm = True

    @property
    def fake(self) -> Any:
        """The `FakeServer` of this request."""
        return self.server.fake  # type: ignore[attr-defined]

    def log_message(self, *_: Any) -> None:
        pass

    def lowered(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def read(self) -> bytes:
        return self.rfile.read(int(self.headers["content-length"]))

    def send(self, status: int, body: Any = b"", **headers: str) -> None:
        """Sends bytes as they are, and other values as JSON."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


class Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """Ignores errors, because clients leave as tests want it."""


class FakeServer:
    """A server that runs until `stop`. `base_url`: `http://127.0.0.1:PORT`."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        self.lock = threading.Lock()
        self.server = Listener(("127.0.0.1", port), handler)
        self.server.fake = self  # type: ignore[attr-defined]
        self.port = self.server.server_address[1]
        self.base_url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class ScriptedServer(FakeServer):
    """A vendor. Each request for a model takes the next of the model's scripts (`says`); the last one stays."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.scripts: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.left = threading.Event()
        super().__init__(handler)

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

    def note(self, path: str, model: str, headers: dict[str, str], body: Any, raw: bytes, problems: Iterable[str]) -> None:
        """Keeps a request, and what the vendor would refuse in it."""
        with self.lock:
            self.requests.append({"headers": headers, "body": body, "raw": raw, "path": path, "model": model, "at": time.monotonic()})
            self.violations += problems
