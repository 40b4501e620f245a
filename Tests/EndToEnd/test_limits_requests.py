"""Limits of requests, counted by one relay in memory: windows, groups, keys, headers of responses, uncounted
requests."""

from collections.abc import Callable
from typing import Any

import pytest
from chat import ask, body
from limited import CHAT, MODELS, assert_admitted, assert_none, assert_refused, assert_standing, chat, chat_body
from relay_process import Relay


@pytest.fixture
def limited(start_relay: Callable[..., Relay]) -> Callable[..., Relay]:
    """`limited(RATE_LIMIT="2/second")`: serves `echo` to anybody."""

    def started(**environment: Any) -> Relay:
        return start_relay(**{"PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "echo"} | environment)

    return started


def test_an_answer_that_fails_is_counted_and_says_so(limited, caller):
    http = caller(limited(RATE_LIMIT="3/minute"))
    failing = [{"role": "user", "content": "!fail=503"}]
    for remaining, is_streamed in ((2, False), (1, True)):
        answer = chat(http, messages=failing, stream=is_streamed)
        assert answer.status_code >= 500
        assert_standing(answer, "3 per minute", remaining)
    answer = chat(http, messages=[{"role": "user", "content": "!fail=429"}])
    assert answer.status_code == 429 and answer.headers["x-relay-limited-by"] == "upstream"
    assert_standing(answer, "3 per minute", 0)
    assert_refused(chat(http), "3 per minute")


def test_groups_are_apart(limited, caller):
    http = caller(limited(RATE_LIMIT="2/minute", RATE_LIMIT_MODELS="1/hour"))
    assert_admitted(chat(http), "2 per minute", 1)
    answer = http.get(MODELS + "/echo")
    assert_admitted(answer, "1 per hour", 0)
    assert_refused(http.get(MODELS), "1 per hour")
    assert_refused(http.get("/models"), "1 per hour")
    assert_admitted(http.post("/chat/completions", json=chat_body()), "2 per minute", 0)
    assert_refused(http.post("/chat/completions", json=chat_body()), "2 per minute")


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/v1/responses/input_tokens", "/messages/count_tokens"])
def test_counts_of_tokens_are_chat(limited, caller, path):
    http = caller(limited(RATE_LIMIT="off", RATE_LIMIT_CHAT="2/minute"))
    counted = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]} if "messages" in path else {"model": "echo", "input": "Hi"}
    assert_admitted(http.post(path, json=counted), "2 per minute", 1)
    assert_admitted(chat(http), "2 per minute", 0)
    assert http.post(path, json=counted).status_code == 429


def test_callers_with_keys_of_their_own_are_apart(start_relay, caller, vendor, new_key):
    relay = start_relay(RATE_LIMIT="2/minute")
    one, other = new_key(), new_key()
    for key in (one, other):
        http = caller(relay, key)
        assert ask(http).status_code == ask(http, stream=True).status_code == 200
        assert_refused(ask(http), "2 per minute")
        assert_refused(ask(http, stream=True), "2 per minute")
        assert_refused(ask(caller(relay, key, "127.0.0.2")), "2 per minute")
        assert_refused(ask(caller(relay, **{"x-api-key": key})), "2 per minute")
        assert len(vendor.requests(key)) == 2, "a refused request reached the vendor"


def test_what_is_never_limited(limited, caller):
    http = caller(limited(RATE_LIMIT="1/hour"))
    chat(http), http.get(MODELS)
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    for _ in range(3):
        for path in ("/", "/health", "/ready", "/metrics"):
            answer = http.get(path)
            assert answer.status_code == 200, path
            assert_none(answer)
        for path in (CHAT, MODELS):
            answer = http.options(path, headers=preflight)
            assert answer.status_code in (200, 204), path
            assert_none(answer)
    assert_refused(chat(http), "1 per hour")


def test_what_is_found_wrong_before_limits_is_not_counted(limited, caller):
    relay = limited(RATE_LIMIT="1/hour", MAX_BODY_MB="1", ANONYMOUS_MODELS="", KEY_A_TOKEN="sk-order-of-checks")
    http = caller(relay, "sk-order-of-checks")

    def faults() -> None:
        wrong = {"Authorization": "Bearer sk-another-one-than-that"}
        large = b'{"model":"echo","messages":[{"role":"user","content":"' + b"x" * (1 << 20) + b'"}]}'
        for answer, status in (
            (http.post("/v1/nothing", json=chat_body()), 404),
            (http.get(CHAT), 405),
            (http.post(CHAT, json=chat_body(), headers=wrong), 401),
            (http.post(CHAT, content=b"{}", headers={"Content-Type": "text/plain"}), 415),
            (http.post(CHAT, content=large, headers={"Content-Type": "application/json"}), 413),
            (http.post(CHAT, content=b"{", headers={"Content-Type": "application/json"}), 400),
            (http.post(CHAT, json={"model": "echo"}), 400),
            (http.post(CHAT, json=chat_body(temperature="hot")), 400),
            (http.post(CHAT, json=body(model="no-such")), 404),
        ):
            assert answer.status_code == status, answer.text
            assert_none(answer)

    faults()
    assert_admitted(chat(http), "1 per hour", 0)
    assert_refused(chat(http), "1 per hour")
    faults()
