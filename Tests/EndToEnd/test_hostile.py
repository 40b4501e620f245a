"""The length of outside input is checked before it is read, and no request prevents the process from ending."""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import local_http
import pytest
from chat import PATH, body
from memcached import wait_for
from relay_process import Relay
from vendor import Vendor

MARKS = "\u0301\u0327"
FORCED_STATUS = 70
# The system calls epoll_wait and epoll_pwait, on x86-64 and arm64.
EPOLL_WAITS = ("232", "281", "22")
# rt_sigtimedwait, on x86-64 and arm64.
SIGNAL_WAITS = ("128", "137")
SANITIZED = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ


def problem(answer: httpx.Response) -> tuple[int, str | None, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["param"], error["code"]


def file_part(**file: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "file", "file": file}]}]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"stop": "a" * 1001}, "stop"),
        ({"stop": ["a", MARKS * 251]}, "stop[1]"),
        ({"messages": file_part(filename="a" * 1025, file_data="YQ==")}, "messages[0].content[0].file.filename"),
    ],
)
def test_a_text_that_is_too_long_is_refused_by_its_length(http: httpx.Client, fields: dict[str, Any], param: str) -> None:
    answer = http.post(PATH, json=body(**fields))
    assert problem(answer) == (400, param, "string_above_max_length"), answer.text
    assert len(answer.text) < 500


def test_stops_of_a_thousand_bytes_are_taken(http: httpx.Client) -> None:
    assert http.post(PATH, json=body(stop=["a" * 1000, "\u00e4" * 500])).status_code == 200


@pytest.mark.parametrize("name", ["m" * 201, MARKS * 60_000, "\U0001f1e6" * 60_000])
def test_a_name_that_no_model_can_have_is_unknown_and_not_repeated_at_length(http: httpx.Client, name: str) -> None:
    for path, given in (
        (PATH, body(model=name)),
        ("/v1/images/generations", {"model": name, "prompt": "a"}),
        ("/v1/audio/speech", {"model": name, "input": "a", "voice": "alloy"}),
    ):
        answer = http.post(path, json=given)
        assert problem(answer) == (404, "model", "model_not_found"), (path, answer.text[:300])
        assert len(answer.content) < 500


@pytest.mark.parametrize("prompt", ["a" * 128_001, "[_V1_]" * 30_000])
def test_an_image_prompt_is_judged_by_its_length_in_a_chat_too(http: httpx.Client, prompt: str) -> None:
    answer = http.post("/v1/images/generations", json={"model": "gpt-image-1", "prompt": prompt})
    assert problem(answer) == (400, "prompt", "invalid_value"), answer.text
    answer = http.post(PATH, json=body(model="magic-art_7_0", messages=[{"role": "user", "content": prompt}]))
    assert problem(answer) == (400, "messages", "invalid_value"), answer.text


def test_the_name_of_a_file_is_judged_before_it_is_uploaded(http: httpx.Client, vendor: Vendor, api_key: str) -> None:
    answer = http.post("/v1/files", data={"purpose": "assistants"}, files={"file": ("a" * 1025, b"abc")})
    assert problem(answer) == (400, "file", "string_above_max_length"), answer.text
    assert vendor.requests(api_key) == []


def test_the_longest_turn_of_each_loop_is_shown(relay: Relay) -> None:
    text = local_http.get(relay.base_url + "/metrics").text
    lines = [line for line in text.splitlines() if line.startswith("relay_loop_iteration_seconds_max{")]
    assert [line.split(" ")[0] for line in lines] == [
        'relay_loop_iteration_seconds_max{loop="0"}',
        'relay_loop_iteration_seconds_max{loop="1"}',
    ]
    assert max(float(line.split(" ")[1]) for line in lines) > 0


@contextmanager
def stopped_thread(thread: int) -> Iterator[None]:
    """Stops one thread of another process by ptrace where it waits for events: elsewhere it may hold a lock."""
    seize, interrupt, resume, wall = 0x4206, 0x4207, 7, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    stopped, over = threading.Event(), threading.Event()
    failed: list[int] = []

    def trace() -> None:
        if libc.ptrace(seize, thread, None, None) != 0:
            failed.append(ctypes.get_errno())
            stopped.set()
            return
        while True:
            libc.ptrace(interrupt, thread, None, None)
            os.waitpid(thread, wall)
            if Path(f"/proc/{thread}/syscall").read_text().split()[0] in EPOLL_WAITS:
                break
            libc.ptrace(resume, thread, None, None)
            time.sleep(0.001)
        stopped.set()
        while not over.wait(0.01):
            # Whoever traces a thread has to bury it.
            if os.waitpid(thread, wall | os.WNOHANG)[0]:
                return

    tracer = threading.Thread(target=trace, daemon=True)
    tracer.start()
    stopped.wait(5)
    if failed:
        pytest.skip(f"threads cannot be traced here: {os.strerror(failed[0])}")
    yield
    over.set()
    tracer.join(5)


def loop_threads(relay: Relay) -> list[int]:
    tasks = Path(f"/proc/{relay.process.pid}/task")
    return [int(task.name) for task in tasks.iterdir() if (task / "comm").read_text() == "loop\n"]


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's runtime stands in the way of threads that are stopped")
def test_a_loop_that_is_stuck_does_not_keep_the_process(vendor: Vendor) -> None:
    relay = Relay({"ONE_MIN_BASE_URL": vendor.base_url, "ONE_MIN_ASSET_URL": vendor.asset_url, "SHUTDOWN_SECONDS": "1"})
    wait_for(lambda: len(loop_threads(relay)) == 2)
    threads = loop_threads(relay)
    # The start waits for the loops; a stopped one would keep it from waiting for signals.
    wait_for(lambda: Path(f"/proc/{relay.process.pid}/syscall").read_text().split()[0] in SIGNAL_WAITS)
    with stopped_thread(threads[0]):
        began = time.monotonic()
        relay.signal(signal.SIGTERM)
        assert relay.process.wait(15) == FORCED_STATUS, relay.tail()
        took = time.monotonic() - began
    relay.ended = True
    relay.reader.join(5)
    assert 3 <= took < 8, took
    relay.wait_for_line(lambda line: line["level"] == "error" and "killing the process" in line["message"])
