"""The relay as a process: invalid settings, a port in use, draining and exit."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import echo_of_file
from rawhttp import CHAT, ECHO_RELAY, HOST, Connection, ask, chat_body, connected, request, wait_until
from relay_process import INHERITED, Relay, binary, free_port
from vendor import Vendor

HEALTH = request("GET", "/health")
READY = request("GET", "/ready")


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a relay that is expected to end by itself."""
    settings = {"HOST": HOST, "PORT": str(free_port())} | environment
    return subprocess.run([str(binary())], env=INHERITED | settings, capture_output=True, text=True, timeout=15)


relay = echo_of_file()


def test_a_port_in_use_is_a_plain_error_and_shares_no_clients(relay: Relay) -> None:
    ended = run(**ECHO_RELAY, PORT=str(relay.port), THREADS="2")
    assert ended.returncode not in (0, None) and ended.returncode > 0, "ended by a signal"
    assert str(relay.port) in ended.stderr and "in use" in ended.stderr, ended.stderr
    assert "Fatal" not in ended.stderr and "Stack" not in ended.stderr, ended.stderr
    for _ in range(20):
        assert ask(relay.port, HEALTH).status == 200


def is_ending(port: int) -> bool:
    """Returns whether a load balancer is told so, on a connection of its own, which ends. (A loop that has not begun to end
    yet may still keep it.)"""
    with connected(port) as connection:
        answer = connection.ask(READY)
    is_closed = (answer["connection"] or "").lower() == "close"
    return is_closed and answer.status == 503 and answer.json()["status"] == "draining"


def stalled_stream(relay: Relay, vendor: Vendor, api_key: str) -> Connection:
    """A stream under way whose vendor waits to be released."""
    vendor.answers(api_key, {"stall_at": 300})
    connection = Connection(relay.port)
    body = chat_body(model="gpt-4o-mini", stream=True)
    connection.send(request("POST", CHAT, body, authorization=f"Bearer {api_key}"))
    vendor.wait(api_key, "stalled")
    return connection


def test_draining(start_relay: Callable[..., Relay], vendor: Vendor, api_key: str) -> None:
    relay = start_relay()
    stream = stalled_stream(relay, vendor, api_key)
    idle, half = Connection(relay.port), Connection(relay.port)
    assert idle.ask(HEALTH).status == 200
    # It follows a request with a response, so that its beginning has been read.
    half.send(READY + READY[:-2])
    assert half.receive().json()["status"] != "draining"
    relay.signal(signal.SIGTERM)
    assert wait_until(lambda: is_ending(relay.port)), "a load balancer is not told"
    idle.assert_closed()
    half.assert_closed()
    assert relay.process.poll() is None, "ended before its stream"
    assert is_ending(relay.port)
    vendor.release(api_key)
    answer = stream.receive()
    assert answer.status == 200 and answer.events()[-1] == "[DONE]"
    stream.assert_closed()
    assert relay.process.wait(10) == 0


def test_an_idle_relay_ends_at_once(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(**ECHO_RELAY)
    connections = [Connection(relay.port) for _ in range(5)]
    for connection in connections:
        assert connection.ask(HEALTH).status == 200
    relay.signal(signal.SIGTERM)
    assert relay.process.wait(5) == 0
    for connection in connections:
        connection.assert_closed()


@pytest.mark.parametrize("how", ["second signal", "time over"])
def test_draining_has_an_end(vendor: Vendor, api_key: str, how: str) -> None:
    seconds = "300" if how == "second signal" else "1"
    relay = Relay({"ONE_MIN_BASE_URL": vendor.base_url, "SHUTDOWN_SECONDS": seconds})
    try:
        stream = stalled_stream(relay, vendor, api_key)
        relay.signal(signal.SIGTERM)
        assert wait_until(lambda: is_ending(relay.port))
        if how == "second signal":
            relay.signal(signal.SIGTERM)
        relay.process.wait(6)
        assert relay.process.returncode != -signal.SIGSEGV
        assert b"[DONE]" not in stream.until_closed(), "a cut stream pretends to be whole"
        vendor.wait(api_key, "client_closed")
    finally:
        relay.ended = True  # its status tells that it was cut short; nothing else is to be asked of it
        relay.process.kill()
        relay.process.wait()


def test_a_request_that_the_shutdown_cuts_is_recorded_so(tmp_path: Path) -> None:
    file = tmp_path / "records"
    relay = Relay(ECHO_RELAY | {"SHUTDOWN_SECONDS": "1", "USAGE_LOG_FILE": str(file)})
    try:
        with connected(relay.port) as stream, connected(relay.port) as silent:
            stream.send(request("POST", CHAT, chat_body("!delay=200 " + "word " * 500, stream=True)))
            silent.send(request("POST", CHAT, chat_body("!delay=60000 word")))
            assert stream.reads(b"word")
            relay.signal(signal.SIGTERM)
            relay.process.wait(10)
            assert b"[DONE]" not in stream.until_closed()
        relay.reader.join(5)
    finally:
        relay.ended = True  # its status tells that it was cut short; nothing else is to be asked of it
        relay.process.kill()
        relay.process.wait()
    lines = [line for line in relay.log_lines() if line["message"] == "request" and line.get("model") == "echo"]
    assert [(line["status"], line["cause"]) for line in lines] == [(503, "the relay shut down")] * 2, lines
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert {(record["status"], record["error"]) for record in records if record.get("kind") != "call"} == {(503, "the relay shut down")}
    assert "the client left" not in file.read_text() and "cancelled" not in file.read_text()


def test_the_port_is_free_again_at_once(start_relay: Callable[..., Relay]) -> None:
    first = start_relay(**ECHO_RELAY)
    with connected(first.port) as connection:
        assert connection.ask(HEALTH).status == 200
        first.stop()
    second = start_relay(**ECHO_RELAY, PORT=str(first.port))
    assert ask(second.port, HEALTH).status == 200


def heal(program: Path, port: int) -> int:
    environment = {"HOST": HOST, "PORT": str(port)}
    return subprocess.run([str(program), "heal"], env=environment, capture_output=True, timeout=30).returncode


def state(process: int) -> str | None:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


def test_heal_ends_a_relay_that_takes_connections_and_does_not_answer(tmp_path: Path) -> None:
    program = tmp_path / "relay"  # a copy: no other relay of this machine runs it
    shutil.copy(binary(), program)
    ports = [free_port(), free_port()]
    environments = [ECHO_RELAY | {"HOST": HOST, "PORT": str(port)} for port in ports]
    # The first is left to process 1, as in a container; the second is a child of this one.
    lines = subprocess.run(
        ["bash", "-c", '"$0" </dev/null >/dev/null 2>&1 & echo $!', str(program)], env=environments[0] | {"PATH": os.defpath},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    orphan = int(lines.stdout)
    child = subprocess.Popen([str(program)], env=environments[1], stderr=subprocess.DEVNULL)
    try:
        parent = Path(f"/proc/{orphan}/stat").read_text().rpartition(")")[2].split()[1]
        if parent != "1":
            pytest.skip(f"process {parent}, not 1, takes in orphans here")
        for port in ports:
            assert wait_until(lambda port=port: heal(program, port) == 0)
        os.kill(orphan, signal.SIGSTOP)
        os.kill(child.pid, signal.SIGSTOP)
        assert heal(program, ports[0]) == 1
        assert wait_until(lambda: state(orphan) in (None, "Z"))
        assert state(child.pid) == "T", "process 1 has not started it"
        os.kill(child.pid, signal.SIGCONT)
        assert heal(program, ports[1]) == 0
        assert heal(program, ports[0]) == 1 and child.poll() is None, "nobody listens there: nothing to end"
    finally:
        for process in (orphan, child.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        child.wait()


def test_reload_reaches_the_only_relay(tmp_path: Path) -> None:
    program = tmp_path / "relay"  # a copy: no other relay of this machine runs it
    shutil.copy(binary(), program)
    file = tmp_path / "relay.env"
    file.write_text("HOST=127.0.0.1\nPROVIDER_DEMO_KIND=echo\nANONYMOUS_MODELS=all\n")

    def reload() -> tuple[int, str, str]:
        environment = {"ENV_FILE": str(file)}
        ended = subprocess.run([str(program), "reload"], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30)
        return ended.returncode, ended.stdout.splitlines()[-1], ended.stderr

    def start() -> subprocess.Popen[str]:
        environment = {"ENV_FILE": str(file), "PORT": str(free_port())}
        return subprocess.Popen([str(program)], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True)

    def line_of(relay: subprocess.Popen[str], message: str) -> str:
        assert relay.stderr is not None
        return next(line for line in relay.stderr if message in line)

    assert reload()[::2] == (1, "reload: no relay of this user runs; with systemd: sudo systemctl reload relay\n")
    relays = [start()]
    try:
        line_of(relays[0], "listening")
        # As after an update of the program.
        shutil.copy(binary(), tmp_path / "new")
        (tmp_path / "new").rename(program)
        with file.open("a") as lines:
            lines.write("KEY_TEAM_TOKEN=sk-a-token-of-the-tests\n")
        told = f"process {relays[0].pid} reads the settings again; its log has the result"
        assert reload()[:2] == (0, told)
        assert "1 known" in line_of(relays[0], "settings reloaded")
        relays[0].kill()
        relays[0].wait()
        relays = [start(), start()]
        for relay in relays:
            line_of(relay, "listening")
        ids = ", ".join(str(pid) for pid in sorted(relay.pid for relay in relays))
        assert reload()[::2] == (1, f"reload: 2 relays run; choose one of these processes with kill -HUP: {ids}\n")
        with file.open("a") as lines:
            lines.write("PORT=none\n")
        assert reload()[0] == 78 and all(relay.poll() is None for relay in relays)
    finally:
        for relay in relays:
            relay.kill()
            relay.wait()
