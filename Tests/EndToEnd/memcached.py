"""A real memcached of the tests, which they kill, pause, empty and read."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from urllib.parse import unquote

from relay_process import free_port

PROGRAM = "/usr/bin/memcached"
WAIT_SECONDS = 10.0

# In place of a list of keys, while memcached itself looks for those that have expired.
BUSY = b"BUSY currently processing crawler request\r\n"


class Memcached:
    """A server on loopback. `address`: `127.0.0.1:PORT`, which stays the same after each start."""

    def __init__(self, *, is_started: bool = True) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.seen: dict[str, set[str]] = {}
        if is_started:
            self.start()

    def start(self) -> None:
        user = ["-u", "root"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            [PROGRAM, "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "16", "-t", "1", *user],
            stdin=subprocess.DEVNULL,
        )
        wait_for(self.is_answering)

    def is_answering(self) -> bool:
        assert self.process is not None and self.process.poll() is None, "memcached ended"
        try:
            return self.ask("version", b"\r\n").startswith(b"VERSION")
        except OSError:
            return False

    def kill(self) -> None:
        """Kills the server, with all its data."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    stop = kill

    def pause(self) -> None:
        """Stops the server. Returns when all its threads stand still: until the first one has run, others would still
        respond."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def flush(self) -> None:
        assert self.ask("flush_all", b"\r\n") == b"OK\r\n"

    def ask(self, command: str, end: bytes | tuple[bytes, ...] = b"END\r\n") -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as peer:
            peer.sendall(command.encode() + b"\r\n")
            got = b""
            while not got.endswith(end):
                data = peer.recv(65536)
                if not data:
                    raise ConnectionError(f"ended after {got!r}")
                got += data
            return got

    def stat(self, name: str) -> int:
        for line in self.ask("stats").decode().splitlines():
            if line.startswith(f"STAT {name} "):
                return int(line.rpartition(" ")[2])
        raise AssertionError(f"no {name}")

    def listing(self) -> list[str]:
        """Returns a line for each key: `key=NAME exp=SECONDS ...`."""
        listed = b""

        def is_listed() -> bool:
            nonlocal listed
            listed = self.ask("lru_crawler metadump all", (b"END\r\n", BUSY))
            return listed != BUSY

        wait_for(is_listed)
        return [line for line in listed.decode().splitlines() if line.startswith("key=")]

    def keys(self) -> list[str]:
        return sorted(unquote(line.split()[0].removeprefix("key=")) for line in self.listing())

    def get(self, key: str) -> bytes | None:
        got = self.ask(f"get {key}")
        if got == b"END\r\n":
            return None
        head, _, rest = got.partition(b"\r\n")
        return rest[: int(head.split()[3])]

    def set(self, key: str, value: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as peer:
            peer.sendall(b"set %s 0 60 %d\r\n%s\r\n" % (key.encode(), len(value), value))
            assert peer.recv(100) == b"STORED\r\n"

    def keys_of(self, limit: str) -> list[str]:
        """Returns the keys of one limit, as `chat.requests.60`."""
        # A list of keys lacks those that are just being written.
        return [key for key in dict.fromkeys(self.keys() + self.keys()) if re.fullmatch(rf"relay:[12]:{re.escape(limit)}:[\w-]{{22}}", key)]

    def dump(self) -> bytes:
        """Returns all keys and values, as they are sent and stored."""
        keys = self.keys()
        return self.ask("get " + " ".join(keys)) if keys else b""


def wait_for(is_so: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Waits until a condition holds."""
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends, f"not so within {seconds} s"
        time.sleep(0.01)
