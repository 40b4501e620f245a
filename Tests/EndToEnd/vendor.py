"""The fake vendor as tests use it: its process and its control calls."""

import base64
import json
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

PROGRAM = Path(__file__).with_name("onemin.py")
WAIT_SECONDS = 20.0


class Vendor:
    """The running fake. `base_url`, `asset_url`: `http://127.0.0.1:PORT`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([sys.executable, str(PROGRAM), "--port", "0"], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port, asset_port = map(int, self.process.stdout.readline().split())
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.asset_url = f"http://127.0.0.1:{asset_port}"
        self.control = threading.local()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """Returns status and value of a control call. Each thread has a connection: there are several calls for each test, and
        `httpx` takes five times as long."""
        if not hasattr(self.control, "connection"):
            self.control.connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection: HTTPConnection = self.control.connection
        connection.request(method, f"/__control{path}?{urlencode(query)}", None if body is None else json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or "null")

    def get(self, path: str, **query: Any) -> Any:
        status, value = self.ask("GET", path, **query)
        assert status == 200, (path, status, value)
        return value

    def post(self, path: str, body: Any = None) -> Any:
        status, value = self.ask("POST", path, body)
        assert status == 200, (path, status, value)
        return value

    def answers(self, key: str, *scenarios: dict[str, Any]) -> None:
        """Scripts the responses to requests of `key`: each uses the next scenario, the last one stays. See `onemin`."""
        self.answers_all({key: list(scenarios)})

    def answers_all(self, scenarios: dict[str, list[dict[str, Any]]]) -> None:
        self.post("/scenarios", scenarios)

    def release(self, key: str) -> None:
        """Lets stalled requests of `key` continue."""
        self.post("/release", {"key": key})

    def fail_checks(self, key: str, status: int) -> None:
        """Scripts the result of checks of `key` from now on."""
        self.get("/checks", key=key, status=status)

    def lists(self, **how: Any) -> None:
        """Sets the list of models from now on; without arguments the whole catalogue. See `onemin`."""
        self.post("/models", how)

    def requests(self, key: str, path: str | None = None) -> list[dict[str, Any]]:
        """Returns all requests of `key` so far, or those of one path."""
        seen = self.get("/requests", key=key)
        return [request for request in seen if path in (None, request["path"])]

    def request(self, key: str) -> dict[str, Any]:
        """Returns the only request of `key`."""
        (only,) = self.requests(key)
        return only

    def prompt(self, key: str) -> str:
        """Returns the prompt of the only request of `key`."""
        return self.request(key)["body"]["promptObject"]["prompt"]

    def uploads(self, key: str) -> list[dict[str, Any]]:
        """Returns the uploads of `key`."""
        return self.get("/uploads", key=key)

    def uploaded(self, key: str) -> list[bytes]:
        """Returns the content of the uploads of `key`."""
        return [base64.b64decode(upload["data64"]) for upload in self.uploads(key)]

    def forget(self, key: str) -> None:
        """Removes the uploads of `key`."""
        self.post("/forget", {"key": key})

    def results(self, key: str) -> list[bytes]:
        """Returns the content of all results of `key`, in order."""
        made = self.get("/results", key=key)
        return [base64.b64decode(result["data64"]) for result in made]

    def feature(self, key: str) -> dict[str, Any]:
        """Returns the body of the only call of a feature by `key`."""
        (only,) = self.requests(key, "/api/features")
        return only["body"]

    def events(self, key: str, name: str | None = None) -> list[dict[str, Any]]:
        seen = self.get("/events", key=key)
        return [event for event in seen if name in (None, event["event"])]

    def wait(self, key: str, name: str, count: int = 1, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Waits for the `count`th event `name` of `key` and returns it."""
        status, events = self.ask("GET", "/events", key=key, event=name, count=count, timeout=seconds)
        assert status == 200, f"no {name} within {seconds} s, only {[e['event'] for e in events]}"
        return [event for event in events if event["event"] == name][count - 1]

    def take_violations(self, key: str | None = None) -> list[str]:
        """Returns the violations of requests since the last call; with `key`, all of them must be this key's."""
        found = self.post("/violations")
        if key is not None:
            assert {violation["key"] for violation in found} <= {key}, found
        return [violation["text"] for violation in found]
