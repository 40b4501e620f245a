"""A crash of the relay: the line that it leaves in the log, and the exit status."""

import datetime
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator

import pytest
from rawhttp import ECHO_RELAY, HOST, ask, request, wait_until
from relay_process import INHERITED, IS_SANITIZED, Relay, binary, free_port

pytestmark = pytest.mark.skipif(IS_SANITIZED, reason="sanitizers report faults themselves")
FAULTS = [signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV]
NO_BACKTRACE = {"SWIFT_BACKTRACE": "enable=no"}
"""Swift's runtime writes one behind the line where a toolchain is installed."""


@pytest.fixture(scope="module")
def version() -> str:
    return subprocess.run([binary(), "version"], capture_output=True, text=True).stdout.split()[1]


@pytest.fixture
def crashing() -> Iterator[list[Relay]]:
    """Relays that a test makes crash."""
    relays: list[Relay] = []
    yield relays
    for relay in relays:
        relay.kill()


def judge_time(text: str) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
    passed = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(text)
    assert abs(passed.total_seconds()) < 5, text


@pytest.mark.parametrize(("fault", "form"), list(zip(FAULTS, ["json", "text"] * 3, strict=True)))
def test_a_crash_leaves_a_line_and_its_own_status(fault: signal.Signals, form: str, version: str, crashing: list[Relay]) -> None:
    relay = Relay(ECHO_RELAY | NO_BACKTRACE | {"LOG_FORMAT": form, "LOG_LEVEL": "error"})
    crashing.append(relay)
    relay.signal(fault)
    assert relay.process.wait(5) == -fault
    relay.reader.join(5)
    (line,) = relay.stderr
    if form == "json":
        found = json.loads(line)
        judge_time(found.pop("time"))
        assert found == {"level": "error", "message": "the process crashed", "signal": fault.name, "version": version}
    else:
        time, _, rest = line.partition(" ")
        judge_time(time)
        assert rest == f"error the process crashed signal={fault.name} version={version}"


def test_a_log_that_nobody_reads_keeps_no_crash_from_ending_the_process() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    port = free_port()
    settings = INHERITED | ECHO_RELAY | NO_BACKTRACE | {"HOST": HOST, "PORT": str(port), "THREADS": "2"}
    process = subprocess.Popen([binary()], env=settings, stderr=writing)

    def is_ready() -> bool:
        try:
            return ask(port, request("GET", "/ready")).status == 200
        except OSError:
            return False

    try:
        assert wait_until(is_ready)
        process.send_signal(signal.SIGABRT)
        assert process.wait(10) == -signal.SIGABRT
    finally:
        process.kill()
        os.close(reading)
        os.close(writing)
