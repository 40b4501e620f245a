"""Refusals and failures of Anthropic's API, whole and streamed, and the client's error for each."""

import json

import pytest
import responding
from anthropic_vendor import all_events, failure, text, thought, use
from chat import ask, either, refusal, stream, text_of
from conftest import CLAUDE_KEY, TEAM_TOKEN, http_of
from relay_process import provider

MODEL = "claude-sonnet-4-5"
LIMITS = "You have reached your specified workspace API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
TABLE = [
    # status, headers, type, message, more -> status, code, param, header
    (400, {}, "invalid_request_error", LIMITS, {}, 402, "insufficient_quota", None, {"x-should-retry": "false"}),
    (400, {}, "invalid_request_error", "prompt is too long: 2 tokens > 1 maximum", {}, 400, "context_length_exceeded", "messages", {}),
    (402, {}, "billing_error", "Pay", {}, 402, "insufficient_quota", None, {"x-should-retry": "false"}),
    (404, {}, "not_found_error", "model: claude-x", {}, 404, "model_not_found", "model", {}),
    (429, {"Retry-After": "7"}, "rate_limit_error", "Slow down", {}, 429, "rate_limit_exceeded", None, {"retry-after": "7"}),
    (429, {"Retry-After": "7"}, "rate_limit_error", "No", {"details": {"error_code": "org_spend_limit_reached"}}, 429, "rate_limit_exceeded", None, {}),
    (529, {}, "overloaded_error", "Overloaded", {}, 503, "upstream_error", None, {}),
]  # fmt: skip
"""Some of what `VendorErrorTests` have."""


@pytest.fixture(scope="module")
def patient(launch, anthropic_server):
    """A relay that waits only a moment for its vendor, with cooldowns of keys."""
    return launch(
        **provider("ANT", "anthropic", anthropic_server.base_url, f"claude={MODEL}", API_KEY=CLAUDE_KEY, TIMEOUT="300ms", IDLE_TIMEOUT="300ms"),
        KEY_TEAM_TOKEN=TEAM_TOKEN, BREAKER_FAILURES=1000,
    )  # fmt: skip


short = http_of("patient", "anthropic_server")


BOUNDS = [("whole", False, 100), ("gathered", False, 20_000), ("streamed", True, 100)]


@pytest.mark.parametrize("is_streamed, bound", [(False, 100), (True, 20_000)], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[6]}")
def test_the_table(talking, anthropic_server, case, is_streamed, bound):
    status, headers, kind, message, more, told, code, param, own = case
    anthropic_server.says(MODEL, {"status": status, "headers": headers, "json": failure(kind, message, **more)})
    got, error, head = refusal(talking, is_streamed, model="claude", max_tokens=bound)
    assert (got, error["code"], error["param"]) == (told, code, param), error
    for name, value in own.items():
        assert head[name] == value
    assert len(anthropic_server.asked(MODEL)) == 1


RETRIES = [
    # status, type, header -> calls
    (409, "api_error", None, 2), (409, "api_error", "false", 1), (500, "api_error", None, 1), (500, "api_error", "True", 2),
    (500, "api_error", "odd", 1), (529, "overloaded_error", "true", 2), (504, "timeout_error", "true", 2), (400, "invalid_request_error", "true", 1),
    (429, "rate_limit_error", "true", 1),
]  # fmt: skip


@pytest.mark.parametrize("status, kind, retry, calls", RETRIES, ids=lambda one: str(one))
@pytest.mark.parametrize("is_streamed, bound", [(False, 100), (False, 20_000), (True, 100)], ids=["whole", "gathered", "streamed"])
def test_the_vendor_says_what_to_try_again(talking, anthropic_server, status, kind, retry, calls, is_streamed, bound):
    failed = {"status": status, "headers": {"X-Should-Retry": retry} if retry else {}, "json": failure(kind, "It is wrong.")}
    anthropic_server.says(MODEL, failed, {})
    if calls > 1:
        assert either(talking, is_streamed, model="claude", max_tokens=bound) == ("Hello there", "stop")
    else:
        assert refusal(talking, is_streamed, model="claude", max_tokens=bound)[0] >= 400
    assert len(anthropic_server.asked(MODEL)) == calls


IN_EVENTS = [
    ("overloaded_error", 503), ("api_error", 502), ("timeout_error", 504), ("rate_limit_error", 429), ("authentication_error", 502),
    ("permission_error", 502), ("not_found_error", 404), ("request_too_large", 413), ("billing_error", 402), ("invalid_request_error", 400),
]  # fmt: skip


@pytest.mark.parametrize("kind, told", IN_EVENTS)
@pytest.mark.parametrize("way, is_streamed, bound", BOUNDS, ids=[bound[0] for bound in BOUNDS])
def test_errors_in_a_good_answer(talking, anthropic_server, kind, told, way, is_streamed, bound):
    start = next(all_events({}))
    body = failure(kind, "model: x" if kind == "not_found_error" else "It is wrong.")
    if way == "whole":
        anthropic_server.says(MODEL, {"json": body})
    else:
        anthropic_server.says(MODEL, {"events": [start, {"type": "ping"}, body]})
    assert refusal(talking, is_streamed, model="claude", max_tokens=bound)[0] == told
    if way != "whole":
        anthropic_server.says(MODEL, {"json": body})
        assert refusal(talking, is_streamed, model="claude", max_tokens=bound)[0] == told


def parts(script):
    return list(all_events(script))


def test_a_page_that_says_too_large(talking, anthropic_server):
    anthropic_server.says(MODEL, {"raw": b"<html>413</html>", "type": "text/html", "status": 413})
    assert refusal(talking, model="claude")[0] == 413


def test_anthropics_errors_on_its_own_surface(talking, anthropic_server):
    body = {"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
    for status, kind in [(529, "overloaded_error"), (402, "billing_error"), (413, "request_too_large"), (504, "timeout_error")]:
        anthropic_server.says(MODEL, {"status": status, "json": failure(kind)})
        answer = talking.post("/v1/messages", json=body)
        assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


CONTENT = [thought("Häm"), text("Grüße\n\n\"data: x\""), use("toolu_a", "weather", {"city": "Köln"}), use("toolu_b", "now", {})]
TOLD = ("Grüße\n\n\"data: x\"", "Häm", [("weather", {"city": "Köln"}), ("now", {})], "tool_calls")


def told(got):
    text, reasoning, calls = "", "", []
    for choice in got.choices(0):
        delta = choice["delta"]
        text += delta.get("content") or ""
        reasoning += delta.get("reasoning_content") or ""
        for piece in delta.get("tool_calls", ()):
            if piece["index"] == len(calls):
                calls.append([piece["function"]["name"], ""])
            calls[piece["index"]][1] += piece["function"]["arguments"]
    return text, reasoning, [(name, json.loads(arguments)) for name, arguments in calls], got.finish()


def test_odd_events_are_left_out(talking, anthropic_server):
    events = parts({"content": CONTENT})
    odd = [
        ": comment", "event: new\ndata: {\"type\":\"new\"}", "data:", "event: x", {"type": "content_block_delta", "index": 77, "delta": {"type": "odd"}},
        {"type": "content_block_start", "index": 99, "content_block": {"type": "server_tool_use", "id": "s", "name": "s", "input": {}}},
        {"type": "content_block_delta", "index": 99, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_stop", "index": 99}, {"type": "content_block_start", "index": 98, "content_block": {"type": "new"}},
        {"type": "ping", "more": [1, None]}, {"type": "message_delta", "delta": {"stop_reason": None}, "usage": None},
    ]  # fmt: skip
    mixed = events[:1] + [event for known in events[1:] for event in [*odd, known]] + odd
    anthropic_server.says(MODEL, {"events": mixed})
    assert told(stream(talking, model="claude")) == TOLD
    anthropic_server.says(MODEL, {"events": events[:-1]})
    assert told(stream(talking, model="claude")) == TOLD


FINISHES = [
    ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("model_context_window_exceeded", "length"),
    ("refusal", "content_filter"), ("something_new", "stop"),
]  # fmt: skip


@pytest.mark.parametrize("reason, finish", FINISHES)
def test_finishes(talking, anthropic_server, reason, finish, is_streamed):
    details = {"type": "refusal", "category": None, "explanation": "It harms."} if reason == "refusal" else None
    anthropic_server.says(MODEL, {"stop": reason, "sequence": "END" if reason == "stop_sequence" else None, "details": details})
    if is_streamed:
        got = stream(talking, model="claude")
        assert got.finish() == finish and got.text() == "Hello there"
        refused = "".join(choice["delta"].get("refusal") or "" for choice in got.choices(0))
    else:
        choice = ask(talking, model="claude", max_tokens=100).json()["choices"][0]
        assert choice["finish_reason"] == finish
        refused = choice["message"]["refusal"] or ""
    assert refused == ("It harms." if details else "")
    # A client of the vendor's own API gets what its own types do not know, too.
    if reason != "something_new":
        body = {"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], "stream": is_streamed}
        answer = talking.post("/v1/messages", json=body)
        message = responding.events(answer)[-2]["delta"] if is_streamed else answer.json()
        assert message.get("stop_details") == details and message["stop_reason"] == reason
        assert message["stop_sequence"] == ("END" if reason == "stop_sequence" else None)
    answer = talking.post("/v1/responses", json={"model": "claude", "input": "Hi", "stream": is_streamed})
    response = responding.events(answer)[-1]["response"] if is_streamed else answer.json()
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(finish)
    assert (response["status"], response["incomplete_details"]) == (("incomplete", {"reason": cut}) if cut else ("completed", None))


@pytest.mark.parametrize("way, is_streamed, bound", BOUNDS, ids=[bound[0] for bound in BOUNDS])
def test_silence_after_a_pause(short, anthropic_server, way, is_streamed, bound):
    silence = {"events": [": hi"], "stall": True} | ({"raw": b" ", "cut": True} if way == "whole" else {})
    anthropic_server.says(MODEL, {"content": [text("One ")], "stop": "pause_turn"}, silence)
    if is_streamed:
        got = stream(short, model="claude", max_tokens=bound)
        assert got.text() == "One " and got.error["code"] == "upstream_timeout"
    else:
        status, _, _ = refusal(short, model="claude", max_tokens=bound)
        assert status == 504
    assert len(anthropic_server.asked(MODEL)) == 2


def test_an_empty_answer_is_a_good_one(talking, anthropic_server, is_streamed):
    anthropic_server.says(MODEL, {"content": []})
    if is_streamed:
        got = stream(talking, model="claude")
        assert got.text() == "" and got.finish() == "stop" and got.is_done
    else:
        assert text_of(ask(talking, model="claude", max_tokens=100)) == ""
        assert text_of(ask(talking, model="claude")) == ""
