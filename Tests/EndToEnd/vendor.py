"""The fake vendor as tests use it: its process and its control calls."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import local_http

PROGRAM = Path(__file__).with_name("onemin.py")
WAIT_SECONDS = 20.0


class Vendor:
    """The running fake. `base_url`, `asset_url`: `http://127.0.0.1:PORT`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port, asset_port = map(int, self.process.stdout.readline().split())
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.asset_url = f"http://127.0.0.1:{asset_port}"
        self.http = local_http.Client(base_url=self.base_url + "/__control", timeout=60)

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(10)

    def answers(self, key: str, *scenarios: dict[str, Any]) -> None:
        """Scripts the responses to requests of `key`: each uses the next scenario, the last one stays. See `onemin`."""
        self.answers_all({key: list(scenarios)})

    def answers_all(self, scenarios: dict[str, list[dict[str, Any]]]) -> None:
        self.http.post("/scenarios", json=scenarios).raise_for_status()

    def release(self, key: str) -> None:
        """Lets stalled requests of `key` continue."""
        self.http.post("/release", json={"key": key}).raise_for_status()

    def fail_checks(self, key: str, status: int) -> None:
        """Scripts the result of checks of `key` from now on."""
        self.http.get("/checks", params={"key": key, "status": status}).raise_for_status()

    def lists(self, **how: Any) -> None:
        """Sets the list of models from now on; without arguments the whole catalogue. See `onemin`."""
        self.http.post("/models", json=how).raise_for_status()

    def requests(self, key: str, path: str | None = None) -> list[dict[str, Any]]:
        """Returns all requests of `key` so far, or those of one path."""
        seen = self.http.get("/requests", params={"key": key}).raise_for_status().json()
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
        return self.http.get("/uploads", params={"key": key}).raise_for_status().json()

    def uploaded(self, key: str) -> list[bytes]:
        """Returns the content of the uploads of `key`."""
        return [base64.b64decode(upload["data64"]) for upload in self.uploads(key)]

    def forget(self, key: str) -> None:
        """Removes the uploads of `key`."""
        self.http.post("/forget", json={"key": key}).raise_for_status()

    def results(self, key: str) -> list[bytes]:
        """Returns the content of all results of `key`, in order."""
        made = self.http.get("/results", params={"key": key}).raise_for_status().json()
        return [base64.b64decode(result["data64"]) for result in made]

    def feature(self, key: str) -> dict[str, Any]:
        """Returns the body of the only call of a feature by `key`."""
        (only,) = self.requests(key, "/api/features")
        return only["body"]

    def events(self, key: str, name: str | None = None) -> list[dict[str, Any]]:
        seen = self.http.get("/events", params={"key": key}).raise_for_status().json()
        return [event for event in seen if name in (None, event["event"])]

    def wait(self, key: str, name: str, count: int = 1, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        """Waits for the `count`th event `name` of `key` and returns it."""
        params = {"key": key, "event": name, "count": count, "timeout": seconds}
        answer = self.http.get("/events", params=params)
        events = answer.json()
        assert answer.status_code == 200, f"no {name} within {seconds} s, only {[e['event'] for e in events]}"
        return [event for event in events if event["event"] == name][count - 1]

    def take_violations(self, key: str | None = None) -> list[str]:
        """Returns the violations of requests since the last call; with `key`, all of them must be this key's."""
        found = self.http.post("/violations").raise_for_status().json()
        if key is not None:
            assert {violation["key"] for violation in found} <= {key}, found
        return [violation["text"] for violation in found]
