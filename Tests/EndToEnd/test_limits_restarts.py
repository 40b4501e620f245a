"""Limits that outlive the process: counters in DATA_DIR, of a relay without memcached."""

import fcntl
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from limited import client
from memcached import Memcached
from relay_process import Relay

TOKEN, SECOND = "token-of-the-restart-tests-1", "token-of-the-restart-tests-2"
CHAT = "/v1/chat/completions"
BODY = {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}
SETTINGS = {
    "PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "echo", "KEY_TEAM_TOKEN": TOKEN, "KEY_OTHER_TOKEN": SECOND,
    "RATE_LIMIT": "3/day",
}  # fmt: skip
FOLDER_IN_USE = "another relay uses DATA_DIR"
WORDS = re.compile("counters|DATA_DIR|limits")
@pytest.fixture
def lone(start_relay: Callable[..., Relay], tmp_path: Path) -> Callable[..., Relay]:
    def started(**environment: Any) -> Relay:
        return start_relay(**SETTINGS | {"DATA_DIR": tmp_path / "data"} | environment)

    return started


def admitted(relay: Relay, token: str | None = TOKEN, asks: int = 4) -> int:
    with client(relay, token) as http:
        return sum(http.post(CHAT, json=BODY).status_code == 200 for _ in range(asks))


def warnings(relay: Relay) -> list[dict[str, Any]]:
    """Those about limits and their file."""
    return [line for line in relay.log_lines() if line["level"] == "warning" and WORDS.search(line["message"])]


def wait_for_file(file: Path, since: int) -> None:
    """Until the file was written again: at most two seconds later, and some for a busy machine."""
    ends = time.monotonic() + 20
    while not file.exists() or file.stat().st_mtime_ns <= since:
        assert time.monotonic() < ends, "the counters are not written"
        time.sleep(0.05)


def test_budgets_outlive_the_end_and_a_crash(lone, tmp_path):
    first = lone(RATE_LIMIT_TOTAL="100000 tokens/day")
    assert admitted(first) == 3 and admitted(first, None) == 3
    first.stop()
    counters = tmp_path / "data/counters"
    assert stat.S_IMODE(counters.stat().st_mode) == 0o600
    second = lone(RATE_LIMIT_TOTAL="100000 tokens/day")
    assert admitted(second) == 0 and admitted(second, None) == 0
    since = time.time_ns()
    assert admitted(second, SECOND) == 3
    wait_for_file(counters, since)
    second.kill()
    third = lone(RATE_LIMIT_TOTAL="100000 tokens/day")
    assert [admitted(third, token) for token in (TOKEN, SECOND, None)] == [0, 0, 0]
    with client(third, TOKEN) as http:
        use = http.get("/v1/usage").json()
    assert "3" in str(use["limits"]), use
    content = counters.read_bytes()
    for secret in (TOKEN, SECOND, "127.0.0.1", "team", "other", "TEAM"):
        assert secret.encode() not in content
    assert [warnings(relay) for relay in (first, second, third)] == [[], [], []]
    assert sorted(os.listdir(tmp_path / "data"))[:2] == ["counters", "lock"]


def test_a_folder_that_takes_nothing_stops_nobody(lone, tmp_path):
    data = tmp_path / "data"
    (data / "counters.new").mkdir(parents=True)
    relay = lone()
    assert admitted(relay, asks=2) == 2
    line = relay.wait_for_line(lambda line: "cannot be written" in line["message"])
    assert (line["level"], line["cause"]) == ("warning", "Is a directory")
    assert admitted(relay, SECOND) == 3
    # A full disk; the system tells of it as of any other, and the relay removes what it could not complete.
    (data / "counters.new").rmdir()
    (data / "counters.new").symlink_to("/dev/full")
    wait_for_file(data / "counters", 0)
    relay.wait_for_line(lambda line: "written again" in line["message"])
    assert len(warnings(relay)) == 1
    (data / "counters.new").symlink_to("/dev/full")
    assert admitted(relay, asks=1) == 1
    line = relay.wait_for_line(lambda line: line.get("cause") == "No space left on device")
    assert line["level"] == "warning"


def test_a_start_waits_for_the_relay_that_ends(lone, tmp_path):
    relay = lone()
    assert admitted(relay) == 3
    relay.stop()
    with (tmp_path / "data/lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started: list[Relay] = []
        thread = threading.Thread(target=lambda: started.append(lone(SHUTDOWN_SECONDS="30")))
        thread.start()
        time.sleep(0.5)
        assert not started, "it serves before it has the counters"
        fcntl.flock(lock, fcntl.LOCK_UN)
        thread.join(20)
    (second,) = started
    assert admitted(second) == 0
    (waited,) = warnings(second)
    assert waited["message"] == f"{FOLDER_IN_USE}; waiting until it ends"
    assert waited["for_at_most_s"] == 30 and "DATA_DIR" in waited["remedy"]


def test_with_memcached_the_file_is_left_alone(lone, tmp_path, store: Memcached):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/counters").write_bytes(b"of somebody else")
    relay = lone(MEMCACHED_SERVERS=store.address)
    assert admitted(relay) == 3
    relay.stop()
    assert (tmp_path / "data/counters").read_bytes() == b"of somebody else"
    assert not (tmp_path / "data/lock").exists() and warnings(relay) == []
