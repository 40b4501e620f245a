"""Memory of all requests together: incomplete bodies, JSON that is expensive to read, callers over their limit."""

import base64
import json
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import conftest
import pytest
from chat import ask as chat
from chat import body, deltas_of
from clocks import Clock
from pictures import RECORDINGS, picture
from rawhttp import ask, connected, readable, request, wait_until
from relay_process import Relay, judges_memory, provider
from test_metrics import Scrape

CHAT = "/v1/chat/completions"
MEGABYTE = 1 << 20
ECHO = {"PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "all"}
SMALL = request("POST", CHAT, json.dumps(body(model="echo")).encode())


def head(length: int, **fields: str | None) -> bytes:
    fields = {"content_type": "application/json", "content_length": str(length)} | fields
    return request("POST", CHAT, None, **fields)


def resident(relay: Relay, what: str = "VmHWM") -> int:
    for line in Path(f"/proc/{relay.process.pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {what}")


def test_a_refusal_for_want_of_memory_says_when_to_come_again(start_relay: Callable[..., Relay], clock: Callable[[float], Clock]) -> None:
    wall = clock(0)
    relay = start_relay(**ECHO, MEMORY_MB="32", **wall.environment)
    with connected(relay.port) as first, connected(relay.port) as second:
        first.send(head(4 * MEGABYTE) + b"[" * (3 * MEGABYTE))
        second.send(head(4 * MEGABYTE) + b"[" * (3 * MEGABYTE // 2))
        refused = [(503, "overloaded", "server_error"), (408, None, "invalid_request_error")]
        wall.advance_until(lambda: any(line.get("status") in (408, 503) for line in relay.log_lines()), 30)
        answer = readable([first, second], 10)[0].receive(seconds=10)
        error = answer.json()["error"]
        assert (answer.status, error["code"], error["type"]) in refused
        assert answer["retry-after"] == ("2" if answer.status == 503 else None)


def shaped(part: bytes, count: int, opening: bytes, closing: bytes) -> bytes:
    return opening + b",".join([part] * count) + closing


MESSAGE = b'{"role":"user","content":"x"}'
PART = b'{"type":"text","text":"x"}'
START = b'{"model":"echo","messages":['


@pytest.fixture(scope="module")
def echo(launch: Callable[..., Relay]) -> Relay:
    return launch(**ECHO)


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        (shaped(b"0", 100_001, b'{"x":{"y":[', b"]}}"), "too_many_values", None),
        (shaped(b'"a":1', 100_001, b'{"x":{', b"}}"), "too_many_values", None),
        (shaped(PART, 34_000, START + b'{"role":"user","content":[', b"]}]}"), "too_many_values", None),
        (shaped(MESSAGE, 10_001, START, b"]}"), "array_above_max_length", "messages"),
        (shaped(b"0", 10_001, b'{"stop":[', b"]}"), "array_above_max_length", "stop"),
        (b"[" * 100_000, "nested_too_deeply", None),
    ],
    ids=["values", "members", "parts", "messages", "stop", "brackets"],
)
@pytest.mark.parametrize("is_large", [False, True], ids=["on the loop", "by the thread for it"])
def test_what_is_too_much_is_counted_before_it_is_parsed(echo: Relay, text: bytes, code: str, param: str | None, is_large: bool) -> None:
    sent = text + b" " * 1_000_000 if is_large else text
    with connected(echo.port) as connection:
        answer = connection.ask(request("POST", CHAT, sent))
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["param"]) == (400, code, param)
    assert error["type"] == "invalid_request_error"


def test_a_large_body_is_read_like_a_small_one(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(**ECHO, MEMORY_MB="256")
    for size in (1_000, 65_535, 65_536, 262_144, 300_000, 2_000_000):
        text = json.dumps(body(model="echo", messages=[{"role": "user", "content": "ä" * (size // 2)}]), ensure_ascii=False)
        with connected(relay.port) as connection:
            answer = connection.ask(request("POST", CHAT, text.encode()))
        assert answer.status == 200 and answer.json()["choices"][0]["message"]["content"] == "ä" * (size // 2)
    for wrong in (b"{" + b" " * 300_000, b'{"model":"\xff"}' + b" " * 300_000):
        with connected(relay.port) as connection:
            answer = connection.ask(request("POST", CHAT, wrong))
        assert answer.status == 400 and "not valid JSON" in answer.json()["error"]["message"]


@judges_memory
def test_json_that_finds_no_memory_is_no_fault_of_the_client(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(**ECHO, MEMORY_MB="256")
    text = json.dumps(body(model="echo", messages=[{"role": "user", "content": "x" * 8_000_000}])).encode()
    with connected(relay.port) as connection:
        assert connection.ask(request("POST", CHAT, text)).status == 200

    refused = []

    def finds_no_memory() -> bool:
        room = resident(relay, "VmSize") + 40 * MEGABYTE
        resource.prlimit(relay.process.pid, resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
        with connected(relay.port) as connection:
            answer = connection.ask(request("POST", CHAT, text))
        refused[:] = [answer] if answer.status != 200 else []
        return bool(refused)

    # An answer can be here before the memory of its request is freed, which is then room for the next one.
    assert wait_until(finds_no_memory)
    answer = refused[0]
    assert answer.status == 503 and answer.json()["error"]["code"] == "overloaded"
    assert answer["retry-after"] == "2"
    with connected(relay.port) as connection:
        assert connection.ask(SMALL).status == 200


def test_a_small_body_of_such_a_caller_is_judged_as_any(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(**ECHO, RATE_LIMIT_CHAT="1/hour")
    assert [ask(relay.port, SMALL).status for _ in range(2)] == [200, 429]
    for part in (b"", b"{"):
        with connected(relay.port) as connection:
            connection.send(head(10) + part)
            connection.send(b"{" * (10 - len(part)))
            assert connection.receive().status == 400


def test_what_a_head_tells_to_be_wrong_is_answered_before_the_body(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(PROVIDER_DEMO_KIND="echo", KEY_A_TOKEN="sk-known-0123456789", RATE_LIMIT_CHAT="1/hour")
    key = {"authorization": "Bearer sk-known-0123456789"}
    asked = request("POST", CHAT, json.dumps(body(model="echo")).encode(), **key)
    assert [ask(relay.port, asked).status for _ in range(2)] == [200, 429]
    for fields, length, status in (
        ({"authorization": "Bearer sk-wrong-0123456789"}, 1_000_000, 401),
        ({}, 1_000_000, 401),
        (key | {"content_type": "text/plain"}, 1_000_000, 415),
        (key, 1_000_000_000, 413),
        (key, 1_000_000, 429),
    ):
        with connected(relay.port) as connection:
            answer = connection.ask(head(length, **fields) + b"[")
        assert answer.status == status, (fields, answer.body)


def test_a_call_that_is_held_counts_until_its_answer_ends(relay: Relay, vendor, http, api_key: str) -> None:
    arguments = '{"city": "' + "x" * 400_000 + '"}'
    text = f'<tool_call>\n{{"name": "weather", "arguments": {arguments}}}\n</tool_call>'
    vendor.answers(api_key, {"answer": text, "deltas": deltas_of(text, 4_000), "stall_at": 300_000})
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    before = Scrape(relay)("relay_memory_held_bytes", by="large")

    def held() -> float:
        return (Scrape(relay)("relay_memory_held_bytes", by="large") or 0) - (before or 0)

    with connected(relay.port) as peer:
        content = json.dumps(body(stream=True, tools=[tool])).encode()
        peer.send(request("POST", CHAT, content, authorization=f"Bearer {api_key}"))
        assert wait_until(lambda: held() >= 250_000, 20)
        vendor.release(api_key)
        assert peer.receive().status == 200
    assert wait_until(lambda: held() == 0, 20)


def test_stored_history_counts_until_the_request_ends(start_relay: Callable[..., Relay], vendor, new_key, caller) -> None:
    key = new_key()
    relay = start_relay(PROVIDER_PAID_KIND="onemin", PROVIDER_PAID_API_KEYS=key, KEY_A_TOKEN="token-of-a-00001")
    http = caller(relay, "token-of-a-00001")
    vendor.answers(key, {"answer": "Hi."}, {"answer": "Hi.", "stall_at": 0})
    first = http.post("/v1/responses", json={"model": "gpt-4o-mini", "input": "a" * 200_000}).json()
    assert first["store"] is True
    with ThreadPoolExecutor() as threads:
        more = {"model": "gpt-4o-mini", "input": "More", "previous_response_id": first["id"]}
        second = threads.submit(http.post, "/v1/responses", json=more)
        assert wait_until(lambda: (Scrape(relay)("relay_memory_held_bytes", by="large") or 0) >= 400_000, 20)
        vendor.release(key)
        assert second.result().status_code == 200
    assert wait_until(lambda: Scrape(relay)("relay_memory_held_bytes", by="large") == 0, 20)


@judges_memory
def test_an_answer_that_finds_no_memory_is_no_fault_of_the_vendor(serve, vendor) -> None:
    providers, http = serve(a=1, b=1, MEMORY_MB=32)
    providers.answers("a", {"answer": "x" * 30 * MEGABYTE})
    answer = chat(http)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded")
    assert "out of memory" in answer.json()["error"]["message"] and answer.headers["retry-after"] == "2"
    assert providers.counts("b") == [0]
    providers.answers("a", {"answer": "served"})
    assert chat(http).status_code == 200


@pytest.mark.parametrize("kind", ["json", "form", "form of two kinds of vendors", "form with the model last"])
def test_large_bodies_of_a_caller_are_served_one_after_the_other(start_relay, server, vendor, caller, kind) -> None:
    """A caller may use 16 MB, and all bodies would end up waiting for each other if each took its memory in steps."""
    conftest.secrets.add(token := "token-of-large-bodies")
    relay = start_relay(
        KEY_A_TOKEN=token, RATE_LIMIT="off", MEMORY_MB="64", **provider("ROW", "openai", server.base_url, "m,gpt-image-1", API_KEY=conftest.VENDOR_KEY),
        **provider("ONE", "onemin", vendor.base_url, "gpt-image-1", API_KEY=conftest.VENDOR_KEY, PRIORITY=2),
    )  # fmt: skip
    model = "gpt-image-1" if "two" in kind else "m"
    server.says(model, {})
    count, megabytes = (3, 5) if kind == "json" else (5, 7) if kind == "form" else (6, 4)
    content = picture("large") + bytes(megabytes * MEGABYTE)
    fields = {"model": model, "prompt": "a hat"}
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    given = {"json": fields | {"images": [{"image_url": url}]}} if kind == "json" else {"data": fields, "files": {"image": ("a.png", content)}}
    path = "/v1/images/edits"
    if "last" in kind:
        path, given = "/v1/audio/transcriptions", {"files": [("file", ("a.wav", RECORDINGS["wav"] + content)), ("model", (None, "m"))]}
    http = caller(relay, token)
    with ThreadPoolExecutor(count) as threads:
        answers = list(threads.map(lambda _: http.post(path, **given), range(count)))
    assert [answer.status_code for answer in answers] == [200] * count
    assert server.take_violations() == []


@judges_memory
def test_half_sent_bodies_leave_room_for_small_chats(start_relay: Callable[..., Relay], clock: Callable[[float], Clock]) -> None:
    wall = clock(0)
    relay = start_relay(**ECHO, MEMORY_MB="64", **wall.environment)
    part = b"[" + b"x" * (7 * MEGABYTE)
    with ExitStack() as stack:
        greedy = []
        for _ in range(30):
            connection = stack.enter_context(connected(relay.port))
            connection.socket.setblocking(False)
            connection.socket.send(head(8 * MEGABYTE))
            greedy.append([connection, 0])
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            for one in greedy:
                try:
                    one[1] += one[0].socket.send(part[one[1] :]) if one[1] < len(part) else 0
                except (BlockingIOError, ConnectionError):
                    pass
            assert ask(relay.port, SMALL).status == 200
        assert resident(relay) <= (64 + 64) * MEGABYTE

        def refused() -> list[int]:
            return [line["status"] for line in relay.log_lines() if line.get("status") in (408, 503)]

        # The remaining ones do not wait: there is room for them now.
        wall.advance_until(lambda: len(refused()) >= 20, 30)
        assert 503 in refused()
    assert ask(relay.port, SMALL).status == 200
    counted = Scrape(relay)
    assert counted("relay_memory_budget_bytes") == 64 * MEGABYTE
    assert (counted("relay_memory_waits_total") or 0) > 0
    assert (counted("relay_memory_refusals_total", how="refused") or 0) > 0
    # A client that leaves while its bytes wait in the kernel is noticed when they are read, or after its 5 s.
    wall.advance_until(lambda: Scrape(relay)("relay_memory_held_bytes", by="large") == 0, 40)
