"""Panels whose members or summary fail, are slow, or are no longer needed; and what is left behind."""

import queue

import paneled
import pytest
from chat import plain
from limited import client, metric
from openai_vendor import USAGE, chunk
from paneled import FAILED, GOOD, TOKEN, either, panel, stream, whole

CUT = {"cut": True, "done": False, "events": [chunk({"role": "assistant", "content": ""})]}
EMPTY = {"text": ""}
BUSY = {"status": 429, "headers": {"retry-after": "0"}, "json": {"error": {"message": "slow down", "type": "requests"}}}
REFUSED = {"status": 400, "json": {"error": {"message": "no", "type": "invalid_request_error"}}}
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def faulty(launch, server):
    keys = {f"KEY_{name}_TOKEN": f"token-of-the-caller-{name.lower()}" for name in ("TOKENS", "SLOTS", "SMALL", "LEFT")}
    return launch(
        **paneled.settings(server.base_url, BREAKER_FAILURES="1000", PROVIDER_ROW_COST="0.001", **keys),
        **panel("ONCE", ATTEMPTS="1"), **panel("ONCE_OFF", ATTEMPTS="1", STATUS_FEEDBACK="off"),
        **panel("ONE", ATTEMPTS="1", MIN_ANSWERS="1", STATUS_FEEDBACK="off"),
        **panel("TWO", ATTEMPTS="1", MIN_ANSWERS="2", STATUS_FEEDBACK="off"),
        **panel("TWO_MARKS", ATTEMPTS="1", MIN_ANSWERS="2"),
        **panel("AGAIN", ATTEMPTS="3", MODELS="a", STATUS_FEEDBACK="off", MIN_ANSWERS="1"),
        **panel("LATE", DEADLINE="200ms", RETRY_DELAY="60", STATUS_FEEDBACK="off"),
        KEY_TOKENS_RATE_LIMIT=f"{LIMIT} tokens/hour;5/hour", KEY_SLOTS_RATE_LIMIT="1 concurrent",
        KEY_SMALL_RATE_LIMIT="5000 tokens/hour", KEY_LEFT_RATE_LIMIT=f"{LIMIT} tokens/hour",
    )  # fmt: skip


@pytest.fixture
def team(faulty, server):
    for name in "abc":
        server.says(f"up-{name}", {"text": f"Says {name}"})
    server.says("up-s", {"text": "Sums"})
    server.gone = queue.Queue()
    with client(faulty, TOKEN) as plain:
        yield plain
    assert server.take_violations() == []


@pytest.mark.parametrize("fault", [FAILED, CUT, BUSY, REFUSED])
def test_the_summary_fails_before_its_first_piece(team, server, fault, is_streamed):
    server.says("up-s", fault)
    _, error, status = either(team, "once-off", is_streamed)
    expected = {"FAILED": 502, "CUT": 502, "BUSY": 429, "REFUSED": 400}
    name = next(name for name in expected if globals()[name] is fault)
    assert status == expected[name] and error is not None, (status, error)


@pytest.mark.parametrize("fault", [FAILED, BUSY, REFUSED])
def test_a_summary_that_fails_after_marks_ends_the_stream_with_an_error(team, server, fault):
    server.says("up-s", fault)
    got = stream(team, "once")
    assert got.status == 200 and got.error is not None and not got.is_done and got.text().count("✅") == 3
    assert got.finish() is None


@pytest.mark.parametrize(
    ("fault", "calls", "reason"),
    [
        (FAILED, 3, "500 failed"), (BUSY, 3, "429 rate limited"), (CUT, 3, "failed"), (REFUSED, 1, "400 refused"),
        ({"status": 503, "text": ""}, 3, "503 unavailable"), ({"status": 408, "text": ""}, 3, None),
        ({"status": 409, "text": ""}, 6, None), ({"status": 404, "text": ""}, 1, None), (EMPTY, 1, None),
        ({"status": 401, "text": ""}, 1, "401 key refused"), ({"raw": b"no json"}, 1, None), ({"text": " \n"}, 1, "empty response"),
    ],
)  # fmt: skip
def test_attempts(team, server, fault, calls, reason):
    server.says("up-a", fault)
    _, error, status = either(team, "again", False)
    assert status == 502 and error["message"].startswith("Only 0 of 1 panel members answered (1 needed): a: ")
    assert len(server.asked("up-a")) == calls, error
    assert reason is None or plain(error["message"]).endswith(": a: " + reason)


def left_tokens(http, model="a"):
    """Returns what a limit of tokens has left before a call of 17 tokens, according to the call's own response."""
    return int(whole(http, model, max_tokens=1).headers["x-ratelimit-remaining-tokens"])


def test_the_tokens_of_all_calls_count_and_the_request_once(team, faulty, server):
    with client(faulty, "token-of-the-caller-tokens") as http:
        answer = whole(http, "once")
        assert answer.status_code == 200 and answer.headers["x-ratelimit-remaining-requests"] == "4"
        # Reserved before: three members and the summary, by the mean of answers so far.
        reserved = LIMIT - int(answer.headers["x-ratelimit-remaining-tokens"])
        assert reserved > 4 * USAGE["total_tokens"] / 2
        before = LIMIT - left_tokens(http)
        # Four calls at USAGE each; the present one, whose prompt has a few tokens, is reserved.
        assert 4 * USAGE["total_tokens"] <= before <= 4 * USAGE["total_tokens"] + 20
        assert answer.headers["x-relay-cost"] == f"{4 * USAGE['total_tokens'] / 1_000_000:.10f}".rstrip("0")


def test_the_cost_of_a_panel_is_unknown_if_that_of_a_call_is(start_relay, server):
    for name in "abcs":
        server.says(f"up-{name}", {"text": "Says"})
    relay = start_relay(**paneled.settings(server.base_url, PROVIDER_ROW_COSTS="a=0.001,b=0.001,s=0.001"), **panel("ALL"), **panel("TWO", MODELS="a,b"))
    with client(relay, TOKEN) as http:
        for name, isKnown in (("all", False), ("two", True)):
            answer = whole(http, name)
            assert answer.status_code == 200 and ("x-relay-cost" in answer.headers) == isKnown
            request_id = answer.headers["x-request-id"]
            line = relay.wait_for_line(lambda line, it=request_id: line.get("message") == "request" and line.get("id") == it)
            assert ("cost" in line) == isKnown
    server.take_violations()


def test_a_panel_that_cannot_be_admitted_asks_nobody(team, faulty, server):
    with client(faulty, "token-of-the-caller-small") as http:
        refused = whole(http, "once", messages=[{"role": "user", "content": "x " * 2_000}])
        assert refused.status_code == 429 and "Request too large for tokens" in refused.json()["error"]["message"]
        assert not any(server.asked(f"up-{model}") for model in "abcs")
        # One call of that size is admitted.
        assert whole(http, "a", max_tokens=4_900).status_code == 200


def test_each_call_has_a_line_in_the_log(team, faulty, server):
    server.says("up-b", FAILED)
    before = [metric(faulty, "relay_tokens_total", model=model, kind="completion") for model in ("a", "b", "once")]
    answer = whole(team, "once")
    after = [metric(faulty, "relay_tokens_total", model=model, kind="completion") for model in ("a", "b", "once")]
    tokens = USAGE["completion_tokens"]
    assert [now - then for now, then in zip(after, before, strict=True)] == [tokens, 0, tokens]
    request_id = answer.headers["x-request-id"]
    last = faulty.wait_for_line(lambda line: line.get("message") == "request" and line.get("id") == request_id)
    assert last["cost"] == 3 * 17 / 1_000_000 and last["prompt_tokens"] == USAGE["prompt_tokens"]
    lines = [line for line in faulty.log_lines() if line.get("request_id") == request_id and line["message"] == "panel call"]
    told = {line["model"]: line for line in lines}
    assert set(told) == {"a", "b", "c", "s"} and {line["panel"] for line in lines} == {"once"}
    assert told["a"]["success"] is True and told["a"]["completion_tokens"] == USAGE["completion_tokens"]
    assert told["b"]["success"] is False and told["b"]["error"] == "500 failed" and told["b"]["provider"] == "row"
    assert GOOD not in faulty.text()
