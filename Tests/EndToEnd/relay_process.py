"""Relays as processes: started with a clean environment, observed, ended and checked."""

import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 15.0
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LLVM_PROFILE_FILE")
INHERITED = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
"""What each program of the suite inherits of the environment."""
DEFAULTS = {
    "HOST": "127.0.0.1",
    "THREADS": "2",
    "LOG_FORMAT": "json",
    "RATE_LIMIT": "off",
    "RATE_LIMIT_FAILED_AUTH": "off",
    "ONE_MIN_MODELS_REFRESH": "0",
    # With them a relay does not restart itself, which takes a quarter of the processor time of its start.
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=32",
}
"""What every relay of the suite is started with; the place for settings that the whole suite needs."""


def provider(name: str, kind: str, base_url: str | None = None, models: str | None = None, **fields: Any) -> dict[str, Any]:
    """Returns the settings of a provider: `fields` are further ones of it."""
    known = {"KIND": kind, "BASE_URL": base_url, "MODELS": models}
    return {f"PROVIDER_{name}_{field}": value for field, value in (known | fields).items() if value is not None}


def has_localhost() -> bool:
    try:
        return bool(socket.getaddrinfo("localhost", 80, socket.AF_INET))
    except socket.gaierror:
        return False


needs_localhost = pytest.mark.skipif(not has_localhost(), reason="the hosts file does not know localhost (/etc/hosts)")
IS_SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ
judges_memory = pytest.mark.skipif(IS_SANITIZED, reason="sanitizers keep what is freed")
preloads = pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer wants to be loaded first")


def binary() -> Path:
    """Returns RELAY_BINARY, or else the newer of the debug and the release build."""
    if chosen := os.environ.get("RELAY_BINARY"):
        return Path(chosen)
    built = [path for kind in ("debug", "release") if (path := ROOT / ".build" / kind / "relay").exists()]
    assert built, "no relay is built: swift build, or set RELAY_BINARY"
    return max(built, key=lambda path: path.stat().st_mtime)


PORTS = range(20_000, 32_000)
"""Below those that the kernel gives to outgoing connections: one of these cannot take a port before it is used."""
tried = itertools.count(os.getpid() * 997)


def free_port() -> int:
    """Returns a free port. It is a different one each time, also in other test processes."""
    while True:
        port = PORTS[next(tried) % len(PORTS)]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Relay:
    """One running relay. `base_url`: `http://127.0.0.1:PORT`; `v1`: the same with `/v1`. A setting that is None is left
    out."""

    def __init__(self, environment: dict[str, str | None]) -> None:
        settings = {name: value for name, value in (INHERITED | DEFAULTS | environment).items() if value is not None}
        self.port = int(settings.setdefault("PORT", str(free_port())))
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.v1 = self.base_url + "/v1"
        self.stderr: list[str] = []
        self.arrived = threading.Condition()
        self.ended = False
        self.was_stopped = False
        """In good order, so that all that it had to write is written."""
        self.writes = "USAGE_LOG_FILE" in environment and environment["USAGE_LOG_FILE"] == "-"
        self.process = subprocess.Popen(
            [str(binary())],
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.reader = threading.Thread(target=self.read_stderr, daemon=True)
        self.reader.start()
        self.await_ready()

    def read_stderr(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self.arrived:
                self.stderr.append(line.decode("utf-8", "backslashreplace").rstrip("\n"))
                self.arrived.notify_all()

    def await_ready(self) -> None:
        ends = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None:
                self.reader.join(5)  # a busy machine may not have read all that the relay wrote
            assert self.process.returncode is None, f"relay ended with {self.process.returncode}: {self.tail()}"
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", "/ready")
                if connection.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            if time.monotonic() > ends:
                self.process.kill()
                raise AssertionError(f"relay not ready after {START_SECONDS} s: {self.tail()}")
            time.sleep(0.01)

    def text(self) -> str:
        """Returns all of standard error so far."""
        with self.arrived:
            return "\n".join(self.stderr)

    def tail(self) -> str:
        """Returns the last lines of standard error, for messages."""
        return self.text()[-2000:]

    def log_lines(self) -> list[dict[str, Any]]:
        """Returns all of standard error so far, which must be JSON lines."""
        with self.arrived:
            return [json.loads(line) for line in self.stderr]

    def wait_for_line(self, wanted: Callable[[dict[str, Any]], bool], seconds: float = 5.0) -> dict[str, Any]:
        """Returns the first log line that is `wanted`, and waits for it if necessary."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found.extend(line for line in map(json.loads, self.stderr) if wanted(line))
            return bool(found)

        with self.arrived:
            assert self.arrived.wait_for(is_there, seconds), "no such log line:\n" + "\n".join(self.stderr[-20:])
        return found[0]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """Ends the relay as a crash would."""
        self.ended = True
        self.process.kill()
        self.process.wait()
        self.close_pipes()

    def close_pipes(self) -> None:
        """Closes the pipes, because a session starts more relays than it may have open files."""
        self.reader.join(5)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None and not self.reader.is_alive():
                pipe.close()

    def begin_to_stop(self) -> None:
        """Asks the relay to stop without waiting; `stop` must follow."""
        if not self.ended and self.process.poll() is None:
            self.signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ends the relay, once. It must end quickly, with status 0, having written only log lines."""
        if self.ended:
            return
        self.begin_to_stop()
        self.ended = True
        self.reader.join(STOP_SECONDS)  # the end of its output, whereas wait() polls
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"relay still ran {STOP_SECONDS} s after SIGTERM: {self.tail()}") from None
        assert self.process.stdout is not None
        written = self.process.stdout.read()
        self.close_pipes()
        assert self.process.returncode == 0, f"relay ended with {self.process.returncode}: {self.tail()}"
        self.was_stopped = True
        self.written = written
        assert self.writes or written == b"", "the relay wrote to standard output"
        for line in self.stderr:
            assert isinstance(json.loads(line), dict), f"not a log line: {line}"
