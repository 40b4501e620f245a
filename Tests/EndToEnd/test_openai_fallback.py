"""A model that an OpenAI-compatible server and 1min.ai both serve: one takes over from the other."""


import conftest
import pytest
from chat import MODEL, PATH, body, either
from relay_process import provider

SERVERS = "shared/model"
OWN_KEY = "own-key-of-the-fallback-tests"
FAILED = {"status": 500, "text": "", "extra": True}
FORMAT = {"response_format": {"type": "json_object"}}


@pytest.fixture
def both(start_relay, server, vendor, caller):
    """`both("row")`: a client of a relay that calls this provider first; `row` is the server, `one` is 1min.ai."""

    def made(first, **more):
        conftest.secrets.add(OWN_KEY)
        relay = start_relay(
            ANONYMOUS_MODELS="all", PROVIDERS=first,
            **provider("ROW", "openai", server.base_url, f"{MODEL}={SERVERS}", API_KEY=conftest.VENDOR_KEY, PRIORITY=1 if first == "row" else 2),
            **provider("ONE", "onemin", vendor.base_url, MODEL, API_KEY=OWN_KEY, PRIORITY=1 if first == "one" else 2), **more,
        )  # fmt: skip
        return caller(relay)

    yield made
    assert server.take_violations() == []


def test_1min_takes_over_from_a_server(both, server, vendor, is_streamed):
    server.says(SERVERS, FAILED)
    vendor.answers(OWN_KEY, {"answer": "by 1min"})
    assert either(both("row"), is_streamed, unknown_field={"a": 1}) == ("by 1min", "stop")


def test_a_server_takes_over_from_1min(both, server, vendor, is_streamed):
    vendor.answers(OWN_KEY, FAILED)
    server.says(SERVERS, {"extra": True})
    assert either(both("one"), is_streamed, unknown_field={"a": 1}) == ("Hello there", "stop")
    assert server.body(SERVERS)["unknown_field"] == {"a": 1}


def test_what_a_server_lacks_is_made_up_for_also_with_a_fallback(both, server, is_streamed):
    refused = {"status": 400, "json": {"error": {"message": "response_format is not supported", "param": "response_format"}}}
    server.says(SERVERS, refused, {"text": 'Sure: {"a": 1}'})
    assert either(both("row"), is_streamed, **FORMAT) == ('{"a": 1}', "stop")
    first, second = server.asked(SERVERS)
    assert "response_format" in first["body"] and "response_format" not in second["body"]


def test_a_call_that_is_made_again_is_no_attempt_more(both, server, vendor, is_streamed):
    server.says(SERVERS, {"status": 409, "json": {"error": {"message": "conflict"}}})
    vendor.answers(OWN_KEY, {"answer": "by 1min"})
    http = both("row", FALLBACK_ATTEMPTS=2)
    answer = http.post(PATH, json=body(stream=is_streamed))
    assert answer.headers["x-relay-provider"] == "one" and answer.headers["x-relay-attempts"] == "2"
    assert len(server.asked(SERVERS)) == 2


LOADING = {"status": 503, "json": {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}}


def test_a_server_that_loads_its_model_rests(both, server, vendor, is_streamed, clock):
    wall = clock(0)
    server.says(SERVERS, LOADING, {})
    vendor.answers(OWN_KEY, {"answer": "by 1min"})
    http = both("row", PROVIDER_ROW_RETRIES=2, BREAKER_FAILURES=100, **wall.environment)
    begun = wall.now()
    while (got := either(http, is_streamed)[0]) == "by 1min":
        assert len(server.asked(SERVERS)) == 1
        wall.advance(0.2)
    assert got == "Hello there" and 4.5 < wall.now() - begun < 8
