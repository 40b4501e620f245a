"""A real Prometheus of the tests, which scrapes relays and is queried as Grafana does it."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import local_http
from relay_process import Relay, free_port

PROGRAM, CHECKER = "/usr/bin/prometheus", "/usr/bin/promtool"
WAIT_SECONDS = 20.0


class Prometheus:
    """A Prometheus that scrapes the relays once a second, with these rules or settings, and keeps its data in `folder`."""

    def __init__(self, folder: Path, relays: list[Relay], rules: Path, text: str = "") -> None:
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        targets = ", ".join(f'"127.0.0.1:{relay.port}"' for relay in relays)
        settings = folder / "prometheus.yml"
        settings.write_text(
            text or f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{rules}']\n"
            f"scrape_configs: [{{job_name: relay, static_configs: [{{targets: [{targets}]}}]}}]\n"
        )
        self.log = (folder / "prometheus.log").open("w+b")
        self.process = subprocess.Popen(
            [PROGRAM, f"--config.file={settings}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )  # fmt: skip
        self.http = local_http.Client(base_url=self.base_url, timeout=10)
        self.wait_for(lambda: self.http.get("/-/ready").status_code == 200)

    def wait_for(self, is_so: Callable[[], Any]) -> Any:
        """Waits until the condition holds. Returns its result."""
        ends = time.monotonic() + WAIT_SECONDS
        while True:
            assert self.process.poll() is None, f"Prometheus ended: {self.tail()}"
            try:
                if found := is_so():
                    return found
            except httpx.TransportError:
                pass
            assert time.monotonic() < ends, f"not so within {WAIT_SECONDS} s: {self.tail()}"
            time.sleep(0.05)

    def tail(self) -> str:
        self.log.seek(0)
        return self.log.read()[-2000:].decode()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Returns the current series of a query."""
        answer = self.http.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(15)
        self.log.close()
        self.http.close()
