"""Capacity that is reached within a call, which another key or provider then serves."""

import conftest
import pytest
from chat import MODEL, ask, either
from memcached import wait_for
from relay_process import provider

SERVERS = "within/model"
OWN_KEY = "own-key-of-capacity-within"
KEYS = ["server-key-of-capacity-1", "server-key-of-capacity-2"]
ONE_CALL = 0.05
"""A rate that has room for one call in a test."""
JSON = {"response_format": {"type": "json_object"}}


def refusing(field, words):
    return {"status": 400, "json": {"error": {"message": words, "type": "invalid_request_error", "param": field}}}


MENDED = refusing("max_tokens", "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.")
BUSY = {"error": {"message": "busy"}}


@pytest.fixture
def both(start_relay, server, vendor, caller):
    """`both()`: a client of a relay that calls `row` first, an OpenAI-compatible server, and then `one`, 1min.ai."""

    def made(keys=1, **more):
        conftest.secrets.update((OWN_KEY, *KEYS))
        vendor.answers(OWN_KEY, {"answer": '{"by": 1}'})
        relay = start_relay(
            ANONYMOUS_MODELS="all", **provider("ROW", "openai", server.base_url, f"{MODEL}={SERVERS}", API_KEYS=",".join(KEYS[:keys])),
            **provider("ONE", "onemin", vendor.base_url, MODEL, API_KEY=OWN_KEY, PRIORITY=2), **more,
        )  # fmt: skip
        return caller(relay)

    yield made
    assert server.take_violations() == []


def is_full(answer):
    assert answer.status_code == 429 and answer.headers["x-relay-limited-by"] == "relay", answer.text
    assert answer.headers["retry-after"] == "1" and answer.json()["error"]["code"] == "rate_limit_exceeded"
    return True


@pytest.mark.parametrize("status", [409, 425])
def test_a_call_that_has_no_room_to_be_repeated_is_made_elsewhere(both, server, status, is_streamed):
    server.says(SERVERS, {"status": status, "json": BUSY})
    assert either(both(PROVIDER_ROW_QPS=ONE_CALL), is_streamed) == ('{"by": 1}', "stop")
    assert len(server.asked(SERVERS)) == 1
    alone = both(PROVIDER_ROW_QPS=ONE_CALL, FALLBACK="false")
    # The vendor's failure is the cause.
    assert ask(alone).json()["error"]["message"].startswith("The provider ")


@pytest.mark.parametrize(
    "answers, fields",
    [
        ([MENDED], {"max_tokens": 9}),
        ([refusing("response_format", "response_format is not supported")], JSON),
        ([refusing("n", "n is not supported")], {"n": 2}),
    ],
    ids=["mended", "format", "choices"],
)
def test_a_changed_call_without_room_is_made_elsewhere(both, server, answers, fields, is_streamed):
    server.says(SERVERS, *answers, {"text": '{"by": 2}'})
    assert either(both(PROVIDER_ROW_QPS=ONE_CALL), is_streamed, **fields) == ('{"by": 1}', "stop")
    assert len(server.asked(SERVERS)) == 1


def test_a_changed_call_goes_to_the_next_key_first(both, server, is_streamed):
    server.says(SERVERS, MENDED, {})
    http = both(keys=2, PROVIDER_ROW_QPS=ONE_CALL, FALLBACK="false")
    assert either(http, is_streamed, max_tokens=9) == ("Hello there", "stop")
    first, second = server.asked(SERVERS)
    assert first["headers"]["authorization"] != second["headers"]["authorization"]
    assert "max_tokens" in first["body"] and second["body"]["max_completion_tokens"] == 9


def test_a_change_without_room_is_known_to_the_next_call(both, server):
    server.says(SERVERS, MENDED, {})
    http = both(PROVIDER_ROW_QPS=1, FALLBACK="false")
    assert is_full(ask(http, max_tokens=9))
    wait_for(lambda: ask(http, max_tokens=9).headers.get("x-relay-provider") == "row")
    assert [sorted(seen["body"].keys() & {"max_tokens", "max_completion_tokens"}) for seen in server.asked(SERVERS)] == [
        ["max_tokens"], ["max_completion_tokens"],
    ]  # fmt: skip


def test_an_answer_that_is_not_repaired_for_lack_of_room_is_made_elsewhere(serve):
    providers, http = serve(a=1, b=1, PROVIDER_A_QPS=ONE_CALL, PROVIDER_B_PRIORITY=2)
    providers.answers("a", {"answer": "no json at all"})
    providers.answers("b", {"answer": '{"b": 1}'})
    for is_streamed in (False, True):
        assert either(http, is_streamed, **JSON) == ('{"b": 1}', "stop")
    assert providers.order() == "abb"
