"""Limits of each session of an agent, by the header that names it."""

import uuid

import pytest
from chat import PATH, body
from conftest import VENDOR_KEY, secrets
from limited import chat, metric
from operating import SETTINGS, Operator
from spending import PROMPT

TOKENS = [f"token-{uuid.uuid4().hex}" for _ in range(3)]
HEADER = "x-claude-code-session-id"
ECHO = {"PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT": "off"}


@pytest.fixture
def keys():
    secrets.update(TOKENS)
    return {f"KEY_{name}_TOKEN": token for name, token in zip("ABC", TOKENS, strict=True)}


def test_a_session_that_runs_away_is_stopped_and_no_other(start_relay, caller, store, keys):
    shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}
    relays = [start_relay(**ECHO, **keys, RATE_LIMIT_SESSION="3/hour", **shared) for _ in range(2)]

    def ask(token, session, count):
        asked = [caller(relays[at % 2], TOKENS[token], **({HEADER: session} if session else {})) for at in range(count)]
        return [chat(http) for http in asked]

    answers = ask(0, "one", 5)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].json()["error"]["message"].endswith(" All requests of this session share this limit.")
    assert [answer.status_code for answer in ask(0, "two", 2)] == [200, 200]
    assert [answer.status_code for answer in ask(1, "one", 2)] == [200, 200], "a session is of one caller"
    assert {answer.status_code for answer in ask(0, None, 6)} == {200}, "requests without a session are not covered"
    assert sum(metric(relay, "relay_limit_decisions_total", kind="session", outcome="admitted") for relay in relays) == 7


def test_a_budget_of_a_session_is_named_in_header_and_error(start_relay, seller, caller, keys):
    limits = {"KEY_A_RATE_LIMIT_SESSION": "0.20 usd/day", "KEY_A_RATE_LIMIT": "5 usd/day"}
    relay = start_relay(**seller.settings(VENDOR_KEY), **keys, **limits, **SETTINGS)
    http = caller(relay, TOKENS[0], **{HEADER: "one"})
    answers = [http.post(PATH, json=body("word " * PROMPT, model="m", max_tokens=32_000)) for _ in range(18)]
    assert answers[0].headers["x-relay-budget"].endswith(";session") and "limit=0.20;" in answers[0].headers["x-relay-budget"]
    assert answers[-1].status_code == 429 and answers[-1].json()["error"]["code"] == "insufficient_quota"
    assert answers[-1].json()["error"]["message"].startswith("The budget of this session, 0.20 usd per day, ")
    assert 0.8 * 0.2 <= seller.billed <= 0.2
    other = caller(relay, TOKENS[0], **{HEADER: "two"})
    assert other.post(PATH, json=body("word " * PROMPT, model="m", max_tokens=32_000)).status_code == 200
    assert not [line for line in relay.log_lines() if line["message"] == "budget"], "sessions raise no alert"
    rows = Operator(relay.base_url).items("/admin/limits", caller="a")
    assert [row["limit"] for row in rows] == ["key"], "the ids of sessions are the clients' own"
