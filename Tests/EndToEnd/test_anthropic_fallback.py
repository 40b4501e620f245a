"""A model that Anthropic and an OpenAI-compatible server both serve: one takes over from the other."""


import pytest
from anthropic_vendor import all_events, failure, text, use
from chat import PATH, either, stream
from relay_process import provider

ANT = "claude-haiku-4-5"
ROW = "other/model"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
FAULTS = {
    "500": {"status": 500, "json": failure("api_error")},
    "529": {"status": 529, "json": failure("overloaded_error")},
    "401": {"status": 401, "json": failure("authentication_error")},
    "402": {"status": 402, "json": failure("billing_error")},
    "403": {"status": 403, "json": failure("permission_error")},
    "404": {"status": 404, "json": failure("not_found_error")},
    "429": {"status": 429, "json": failure("rate_limit_error"), "headers": {"Retry-After": "60"}},
    "a limit in a 400": {"status": 400, "json": failure("invalid_request_error", "Your credit balance is too low")},
    "a page": {"raw": b"<html></html>", "type": "text/html"},
    "an error in a 200": {"json": failure("overloaded_error")},
    "an error event": {"events": [*list(all_events({}))[:2], failure("overloaded_error")]},
    "a cut": {"events": list(all_events({}))[:2], "cut": True},
}


@pytest.fixture(scope="module")
def both(launch, anthropic_server, server):
    """`both["ant"]`: a relay that calls this provider first."""
    relays = {}
    for first in ("ant", "row"):
        relays[first] = launch(
            ANONYMOUS_MODELS="all", PROVIDERS=first, BREAKER_FAILURES=1000,
            **provider("ANT", "anthropic", anthropic_server.base_url, f"m={ANT}", PRIORITY=1 if first == "ant" else 2),
            **provider("ROW", "openai", server.base_url, f"m={ROW}", PRIORITY=1 if first == "row" else 2),
        )  # fmt: skip
    return relays


@pytest.fixture
def asking(both, server, anthropic_server, caller):
    yield lambda first: caller(both[first])
    assert server.take_violations() == []
    assert [found for found in anthropic_server.take_violations() if "x-api-key" not in found] == []


@pytest.fixture(autouse=True)
def keyless(anthropic_server):
    """Lets the fake accept calls without a key, because the provider has none."""
    anthropic_server.says(ANT, {"lax": ["x-api-key"]})


def says(anthropic_server, script):
    anthropic_server.says(ANT, script | {"lax": ["x-api-key"]})


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_takes_over_from_anthropic(asking, server, anthropic_server, fault, is_streamed):
    says(anthropic_server, FAULTS[fault])
    server.says(ROW, {"text": "by the row"})
    assert either(asking("ant"), is_streamed, model="m") == ("by the row", "stop")
    assert len(anthropic_server.asked(ANT)) <= 1


def test_anthropic_takes_over_from_a_server(asking, server, anthropic_server, is_streamed):
    server.says(ROW, {"status": 500, "extra": True})
    says(anthropic_server, {"content": [text("by Claude")]})
    assert either(asking("row"), is_streamed, model="m", unknown_field=1) == ("by Claude", "stop")


def test_a_history_of_one_goes_on_with_the_other(asking, server, anthropic_server, is_streamed):
    server.says(ROW, {"calls": [("call-1.a", "weather", '{"city":"Rome"}')]})
    first = asking("row").post(PATH, json={"model": "m", "tools": [TOOL], "messages": [{"role": "user", "content": "Hi"}]})
    message = first.json()["choices"][0]["message"]
    history = [{"role": "user", "content": "Hi"}, message, {"role": "tool", "tool_call_id": "call-1.a", "content": "Sunny"}]
    server.says(ROW, {"status": 500, "nulls": True})
    says(anthropic_server, {"content": [use("toolu_1", "weather", {"city": "Oslo"})]})
    fields = {"model": "m", "tools": [TOOL], "messages": history}
    assert either(asking("row"), is_streamed, **fields)[1] == "tool_calls"
    body = anthropic_server.body(ANT)
    assert body["messages"][1]["content"] == [{"type": "tool_use", "id": "call-1_a", "name": "weather", "input": {"city": "Rome"}}]
    assert body["messages"][2]["content"][0]["tool_use_id"] == "call-1_a"


def test_nobody_takes_over_once_anthropic_has_begun(asking, server, anthropic_server):
    begun = list(all_events({"content": [text("begun")]}))[:4]
    says(anthropic_server, {"events": [*begun, failure("overloaded_error")]})
    server.says(ROW, {"text": "never"})
    got = stream(asking("ant"), model="m")
    assert got.text() == "be" and got.error and not got.is_done
    assert server.asked(ROW) == []
