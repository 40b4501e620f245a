"""Starts the programs of a benchmark on free loopback ports, and reads what they use from /proc."""

from __future__ import annotations

import getpass
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).resolve().parent
SPINNING = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
NEVER_REFUSED = "1000000000/minute"
TUNABLES = HERE.parent / "Sources/Engine/Loop/MallocTunables.swift"
PASSED_ON = ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "LANG")


@contextmanager
def awake() -> Iterator[None]:
    """Keeps all cores awake inside the block: each runs a program of the lowest priority."""
    spinners = [subprocess.Popen([sys.executable, "-c", SPINNING]) for _ in os.sched_getaffinity(0)]
    try:
        time.sleep(0.5)  # until they run, and go behind all others
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


# The conditions of figures at one connection, and the ends of their names.
AWAKE = {nullcontext: "", awake: ", cores awake"}


@dataclass(frozen=True)
class Memory:
    """The memory of a process tree in kilobytes."""

    anonymous: int
    pss: int
    rss: int


@dataclass
class Program:
    """A running program: `whole_port` takes whole answers' requests, `stream_port` those of streams, `upload_port`
    uploads (0: whole answers' does)."""

    name: str
    dialect: str
    process: subprocess.Popen[str]
    whole_port: int
    stream_port: int
    upload_port: int = 0
    first_answer_seconds: float = 0  # from its start
    first_head: bytes = b""  # of that answer
    keys: int = 1  # callers that ask in turn when it is loaded
    store: Program | None = None  # the memcached that a relay counts in

    def port(self, kind: str) -> int:
        if kind == "upload":
            return self.upload_port or self.whole_port
        return self.whole_port if kind == "whole" else self.stream_port

    def processor_seconds(self) -> float:
        """User and system time of all threads and child processes, as in /proc/PID/stat but in nanoseconds and
        not in ticks: from each process's own clock (its number as in clock_getcpuclockid(3))."""
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self._tree())

    def memory(self) -> Memory:
        sums = {"Anonymous": 0, "Pss": 0, "Rss": 0}
        for pid in self._tree():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in sums:
                    sums[name] += int(rest.split()[0])
        return Memory(sums["Anonymous"], sums["Pss"], sums["Rss"])

    def forget_peak(self) -> None:
        """Resets `peak_kilobytes`."""
        for pid in self._tree():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_kilobytes(self) -> int:
        """The peak of resident memory, summed over the processes."""
        return sum(
            int(line.split()[1])
            for pid in self._tree()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmHWM:")
        )

    def accepted(self) -> int:
        """The number of connections that the fake vendor has accepted, including that of this request."""
        with urlopen(f"http://127.0.0.1:{self.whole_port}/accepted", timeout=10) as told:
            return int(json.load(told)["accepted"])

    def metrics(self) -> str:
        """Returns the text of a relay's `/metrics`."""
        with urlopen(f"http://127.0.0.1:{self.whole_port}/metrics", timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def longest_turn_ms(self) -> float:
        """Returns the longest turn of a relay's event loops in the last minute or two."""
        turns = re.findall(r"^relay_loop_iteration_seconds_max\{.*\} (\S+)", self.metrics(), re.M)
        return max((float(each) * 1000 for each in turns), default=0)

    def descriptors(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self._tree())

    def _tree(self) -> list[int]:
        pids = [self.process.pid]
        for pid in pids:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with suppress(OSError):  # it may have ended
                    pids += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        return pids


@dataclass(frozen=True)
class Setup:
    """The shared setup of a run's programs. `relay_settings` are added to each relay's environment, and `wrapper` is
    the command that runs each relay."""

    folder: Path
    relay: Path
    relay_settings: dict[str, str]
    nginx: Path = Path()
    memcached: Path = Path()
    wrapper: tuple[str, ...] = ()
    haproxy: Path = Path()
    start_seconds: float = 15  # the longest time from a relay's start to its first answer

    @contextmanager
    def upstream(self, *options: str) -> Iterator[Program]:
        """Starts the fake vendor (see upstream.c)."""
        process = subprocess.Popen([self.folder / "upstream", *options], stdout=subprocess.PIPE, text=True)
        with stopping(process):
            assert process.stdout
            port = int(process.stdout.readline())
            yield Program("direct", "onemin", process, port, port)

    @contextmanager
    def start_relay(
        self, upstream_port: int, threads: int | None, name: str = "relay", own: dict[str, str] | None = None
    ) -> Iterator[Program]:
        """The relay, its log going to a file; `threads` None leaves their number to it. It counts each request in
        its own memory and never refuses one, unless its `own` settings say otherwise."""
        port = free_ports(1)[0]
        settings = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        settings |= started_environment() | {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "ONE_MIN_BASE_URL": f"http://127.0.0.1:{upstream_port}",
            "LOG_FORMAT": "json",
            "RATE_LIMIT": NEVER_REFUSED,
        }
        if threads:
            settings["THREADS"] = str(threads)
        settings |= self.relay_settings | (own or {})
        path = self.folder / f"{file_name(name)}.log"
        with open(path, "w") as log:
            begun = time.monotonic()
            command = [*self.wrapper, str(self.relay)]
            process = subprocess.Popen(command, stdout=log, stderr=log, text=True, env=settings)
            with stopping(process):
                program = Program(name, "openai", process, port, port)
                await_first_answer(program, begun, path, self.start_seconds)
                yield program

    @contextmanager
    def start_memcached(self) -> Iterator[Program]:
        """Starts memcached with one thread and without logs."""
        port = free_ports(1)[0]
        command = [str(self.memcached), "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1"]
        process = subprocess.Popen([*command, "-u", getpass.getuser()], text=True)
        with stopping(process):
            program = Program("memcached", "memcached", process, port, port)
            deadline = time.monotonic() + 5
            while not is_open(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit("memcached does not start")
                time.sleep(0.005)
            yield program


def await_first_answer(program: Program, begun: float, log: Path, seconds: float = 15) -> None:
    """Returns when the program, started at `begun`, has responded to a chat request with 200 within so many seconds."""
    request = first_request(program.dialect, program.whole_port)
    while time.monotonic() < begun + seconds:
        if program.process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", program.whole_port), timeout=5) as connection:
                connection.sendall(request)
                head = connection.recv(65536)
            if head.startswith(b"HTTP/1.1 200"):
                program.first_answer_seconds = time.monotonic() - begun
                program.first_head = head.partition(b"\r\n\r\n")[0]
                return
            if b" 503 " not in head[:20]:
                sys.exit(f"{program.name} answers the first request with:\n{head.decode(errors='replace')}")
        except OSError:
            time.sleep(0.0005)
    sys.exit(f"{program.name} does not answer; its log:\n{log.read_text()[-4000:]}")


def store_counts(memcached: Program) -> dict[str, int]:
    """memcached's own counts (`stats`): items it keeps, and operations since its start. Each key of a multi-get is a
    get, and a set is any write, those that lost a race or found the key already there included."""
    received = b""
    with socket.create_connection(("127.0.0.1", memcached.whole_port), timeout=5) as connection:
        connection.sendall(b"stats\r\n")
        while not received.endswith(b"END\r\n"):
            data = connection.recv(65536)
            if not data:
                sys.exit("memcached closed the connection that asked for its stats")
            received += data
    pairs = (line.split()[1:3] for line in received.decode().splitlines() if line.startswith("STAT "))
    return {name: int(value) for name, value in pairs if name.startswith(("cmd_", "get_", "cas_", "curr_items"))}


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def filled(template: str, values: dict[str, str]) -> str:
    """Returns the template with each `@NAME@` replaced."""
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template


def file_name(name: str) -> str:
    return name.replace(",", "").replace(" ", "-")


@contextmanager
def stopping(process: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def first_request(dialect: str, port: int) -> bytes:
    """Returns a small chat request, after which the connection closes."""
    if dialect == "openai":
        target, key = "/v1/chat/completions", "Authorization: Bearer bench-key-0123456789"
        body = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}'
    else:
        target, key = "/api/chat-with-ai", "API-KEY: bench-key-0123456789"
        body = b'{"type":"UNIFY_CHAT_WITH_AI","model":"gpt-4o-mini","promptObject":{"prompt":"hi"}}'
    head = (
        f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{key}\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def free_ports(count: int) -> list[int]:
    """Returns loopback ports that nothing listens on. All are held until the last one is found."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def build_tools(folder: Path) -> None:
    """Compiles the fake vendor, the load generator and the bare trip to memcached into `folder`."""
    for name in ("upstream", "load", "trip"):
        command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", folder / name, HERE / f"{name}.c"]
        subprocess.run(command, check=True)


def started_environment() -> dict[str, str]:
    """Returns the variables that the relay adds to its environment when it restarts itself: with them, valgrind's relay
    stays in valgrind."""
    found = re.search(r'name: "([\w.]+)", value: "(\d+)"', TUNABLES.read_text())
    if not found:
        sys.exit(f"{TUNABLES}: no tunables")
    return {"GLIBC_TUNABLES": f"{found[1]}={found[2]}"}


def find_relay() -> Path:
    """Returns RELAY_BINARY, or the release build."""
    path = Path(os.environ.get("RELAY_BINARY") or HERE.parent / ".build/release/relay").resolve()
    if not os.access(path, os.X_OK):
        sys.exit(f"no relay at {path}: build it first (make release), or set RELAY_BINARY")
    return path


@contextmanager
def relays_with_one_store(count: int, own: dict[str, str]) -> Iterator[list[int]]:
    """Relays with one vendor and one memcached. Yields their ports."""
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder, ExitStack() as stack:
        build_tools(Path(folder))
        setup = Setup(Path(folder), find_relay(), {}, memcached=find_program("memcached", "memcached"))
        vendor = stack.enter_context(setup.upstream()).whole_port
        store = stack.enter_context(setup.start_memcached()).whole_port
        own = own | {"MEMCACHED_SERVERS": f"127.0.0.1:{store}"}
        yield [
            stack.enter_context(setup.start_relay(vendor, 1, f"relay {number}", own)).whole_port for number in range(count)
        ]


def find_program(name: str, package: str) -> Path:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not found:
        sys.exit(f"no {name}: apt-get install {package}")
    return Path(found)


def raise_descriptor_limit(wanted: int) -> None:
    """Raises the limit of descriptors, also for children. Ends the run if the system does not allow `wanted`
    descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    except (ValueError, OSError):
        if hard < wanted:
            sys.exit(f"the run needs {wanted} descriptors, the limit is {hard}: raise it (ulimit -Hn), or take --quick")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def parse_settings(texts: list[str]) -> dict[str, str]:
    """Returns `NAME=VALUE` texts as a mapping."""
    for text in texts:
        if "=" not in text:
            sys.exit(f"--env wants NAME=VALUE, not {text}")
    return dict(text.split("=", 1) for text in texts)
