"""Chat by a provider of the kind anthropic: requests and responses on all surfaces. `VendorBodyTests` has what requests become."""

import base64
import json

import anthropic
import anthropic_vendor
import checked
import httpx2
import officials
import pytest
from anthropic_vendor import SEALED, SIGNATURE, sealed, text, thought, use
from chat import PATH, ask, refusal, stream, text_of
from conftest import CLAUDE_KEY, TEAM_TOKEN
from relay_process import provider

MODEL = "claude-sonnet-4-5"
NEW = "claude-opus-4-8"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather", "description": "Tells it",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}  # fmt: skip
CALLS = [use("toolu_a", "weather", {"city": "Rome"}), use("toolu_b", "weather", {"city": "Oslo"})]


@pytest.fixture(autouse=True)
def scripts(anthropic_server):
    for model in (MODEL, NEW):
        anthropic_server.says(model, {})


official = officials.openai_of("translating", "talking")


@pytest.fixture
def claude(translating, talking):
    with checked.client(httpx2, timeout=30) as http:
        yield anthropic.Anthropic(api_key=TEAM_TOKEN, base_url=translating.base_url, max_retries=0, http_client=http)


def user(*content):
    return {"role": "user", "content": content[0] if len(content) == 1 and isinstance(content[0], str) else list(content)}


def said(*texts):
    return [{"type": "text", "text": text} for text in texts]


def test_a_plain_request(talking, anthropic_server):
    answer = ask(talking, model="claude", max_tokens=100)
    assert text_of(answer) == "Hello there" and answer.headers["x-relay-provider"] == "ant"
    (seen,) = anthropic_server.asked(MODEL)
    assert seen["body"] == {"model": MODEL, "max_tokens": 100, "messages": [user(*said("Hello"))]}
    assert seen["headers"]["x-api-key"] == CLAUDE_KEY and seen["headers"]["anthropic-version"] == anthropic_vendor.VERSION
    assert answer.json()["usage"]["prompt_tokens"] == 9 and answer.json()["usage"]["completion_tokens"] == 8


def asked(talking, server, model="claude", upstream=MODEL, **fields):
    """Returns the body that the server receives."""
    is_demanded = fields.get("tool_choice", "none") != "none"
    server.says(upstream, {"content": [use("toolu_a", "weather", {})]} if is_demanded else {})
    talking.post(PATH, json={"model": model, "max_tokens": 100, "messages": [user("Hello")]} | fields)
    return server.body(upstream)


def test_integers_of_64_bits_stay_as_they_are(claude, talking, anthropic_server, is_streamed):
    large = {"n": [2**63, 2**64 - 1]}
    anthropic_server.says(MODEL, {"content": [use("toolu_1", "f", large)]})
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": json.dumps(large)}}
    messages = [user("Hi"), {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "a", "content": "x"}]
    asked = {"model": "claude", "max_tokens": 9, "messages": messages, "tools": [{"type": "function", "function": {"name": "f"}}]}
    if is_streamed:
        calls = [call for choice in stream(talking, **asked).choices(0) for call in choice["delta"].get("tool_calls", ())]
    else:
        calls = ask(talking, **asked).json()["choices"][0]["message"]["tool_calls"]
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == large
    assert anthropic_server.body(MODEL)["messages"][1]["content"][0]["input"] == large


def data(content, type):
    return f"data:{type};base64,{base64.b64encode(content).decode()}"


def test_pictures_and_documents_by_url(talking, claude, anthropic_server):
    base = anthropic_server.base_url
    body = asked(talking, anthropic_server, messages=[user({"type": "image_url", "image_url": {"url": f"{base}/small.png"}})])
    (block,) = body["messages"][0]["content"]
    assert block["source"] == {"type": "base64", "media_type": "image/png", "data": base64.b64encode(anthropic_vendor.PAGES["/small.png"]).decode()}
    anthropic_server.says(MODEL, {})
    document = {"type": "document", "source": {"type": "url", "url": f"{base}/small.pdf"}, "title": "Small"}
    claude.messages.create(model="claude", max_tokens=100, messages=[user(document)])
    assert anthropic_server.body(MODEL)["messages"][0]["content"] == [document]
    status, error, _ = refusal(talking, model="claude", messages=[user({"type": "image_url", "image_url": {"url": f"{base}/none"}})])
    assert status == 400 and "image" in error["message"].lower()


@pytest.mark.parametrize("model, version", [(MODEL, "2026-10-21"), (MODEL, "2023-06-01")])
def test_own_headers(start_relay, anthropic_server, caller, model, version):
    relay = start_relay(
        **provider("A", "anthropic", anthropic_server.base_url, MODEL, API_KEY=CLAUDE_KEY, HEADERS=f"Anthropic-Version: {version}; Authorization: Bearer own; anthropic-beta: x"),
        ANONYMOUS_MODELS="all",
    )  # fmt: skip
    anthropic_server.says(MODEL, {"own_headers": ["authorization", "anthropic-beta"]})
    assert text_of(ask(caller(relay), model=MODEL, temperature=0.5)) == "Hello there"
    (seen,) = anthropic_server.asked(MODEL)
    assert seen["headers"]["authorization"] == "Bearer own" and seen["headers"]["anthropic-version"] == version
    assert ("temperature" in seen["body"]) == (version == "2023-06-01")
    assert anthropic_server.take_violations() == []


@pytest.mark.parametrize("model", ["claude", "new"])
def test_thoughts_over_turns_by_anthropics_client(claude, anthropic_server, model, is_streamed):
    upstream = {"claude": MODEL, "new": NEW}[model]
    first = [thought("Rome.", SIGNATURE + "1"), sealed(SEALED + "2"), thought("Oslo.", SIGNATURE + "3"), text("I look."), *CALLS]
    anthropic_server.says(upstream, {"content": first}, {"content": [text("Fine.")]})
    tools = [{"name": "weather", "input_schema": TOOL["function"]["parameters"]}]
    thinking = {"type": "enabled", "budget_tokens": 2000} if model == "claude" else {"type": "adaptive", "display": "omitted"}
    sent = {"model": model, "max_tokens": 4000, "tools": tools, "thinking": thinking}

    def answered(messages):
        return officials.message(claude, is_streamed, messages=messages, **sent)

    history = [user("Weather?")]
    message = answered(history)
    assert message.stop_reason == "tool_use"
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "redacted_thinking", "thinking", "text", "tool_use", "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": id, "content": "Sunny"} for id in ("toolu_a", "toolu_b")]
    history += [{"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]}, user(*results)]
    assert answered(history).content[0].text == "Fine."
    one, two = anthropic_server.asked(upstream)
    assert one["body"]["thinking"] == two["body"]["thinking"] == thinking
    assert two["body"]["messages"][1]["content"][:3] == first[:3]


def test_usage_by_both_clients(claude, official, anthropic_server):
    usage = {
        "input_tokens": 5, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 300, "output_tokens": 40,
        "output_tokens_details": {"thinking_tokens": 30},
    }  # fmt: skip
    anthropic_server.says(MODEL, {"usage": usage})
    for bound in (100, 20_000):
        told = official.chat.completions.create(model="claude", messages=[user("Hi")], max_completion_tokens=bound).usage
        assert (told.prompt_tokens, told.completion_tokens, told.total_tokens) == (325, 40, 365)
        assert told.prompt_tokens_details.cached_tokens == 300
        if bound == 100:
            assert told.completion_tokens_details.reasoning_tokens == 30
    told = claude.messages.create(model="claude", messages=[user("Hi")], max_tokens=100).usage
    assert (told.input_tokens, told.cache_creation_input_tokens, told.cache_read_input_tokens) == (5, 20, 300)
    assert told.output_tokens_details.thinking_tokens == 30
    with claude.messages.stream(model="claude", messages=[user("Hi")], max_tokens=100) as events:
        last = [event for event in events if event.type == "message_delta"][-1]
    assert last.usage.output_tokens == 40
    told = official.responses.create(model="claude", input="Hi", store=False).usage
    assert (told.input_tokens, told.input_tokens_details.cache_write_tokens, told.input_tokens_details.cached_tokens) == (325, 20, 300)


def test_a_document_that_does_not_fit_its_schema_is_a_failure(talking, anthropic_server, is_streamed):
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 5}}, "required": ["a"], "additionalProperties": False}
    for is_strict in (True, False):
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": is_strict}}
        for document, fits in (('{"a":5}', True), ('{"a":1}', not is_strict), ("So: 5", not is_strict)):
            anthropic_server.says(MODEL, {"content": said(document)})
            fields = {"model": "claude", "response_format": form, "max_tokens": 50}
            if is_streamed:
                got = stream(talking, **fields)
                assert got.text() == (document if fits or document[0] == "{" else "") and got.is_done == fits
                assert got.error is None if fits else got.error["code"] == "upstream_error"
            elif fits:
                assert ask(talking, **fields).json()["choices"][0]["message"]["content"] == document
            else:
                assert refusal(talking, **fields)[0] == 502


def test_a_tool_of_an_unknown_type_is_left_out_beside_others(talking, anthropic_server):
    tools = [TOOL, {"type": "browser"}]
    asked = ask(talking, model="claude", max_tokens=50, tools=tools)
    assert asked.headers["x-relay-ignored"] == "tools"
    assert [tool["name"] for tool in anthropic_server.body(MODEL)["tools"]] == [TOOL["function"]["name"]]
    for fields in ({"tools": tools[1:]}, {"tools": tools, "tool_choice": {"type": "browser"}}):
        assert refusal(talking, model="claude", max_tokens=50, **fields)[0] == 400


def test_thoughts_of_other_vendors_stay_there(claude, anthropic_server):
    thoughts = [{"type": "thinking", "thinking": "Hm", "signature": signature} for signature in ("gemini.EpEg", "rs_1.gAAAA")]
    sealed = {"type": "redacted_thinking", "data": "rs_2.gAAAA"}
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [*thoughts, sealed, *said("So.")]}]
    claude.messages.create(model="claude", max_tokens=50, messages=[*turns, {"role": "user", "content": "More"}])
    (seen,) = anthropic_server.asked(MODEL)
    assert seen["body"]["messages"][1]["content"] == said("So.")


def test_callers_own_keys(start_relay, anthropic_server, caller, new_key):
    relay = start_relay(**provider("OWN", "anthropic", anthropic_server.base_url, MODEL, PASSTHROUGH="true"))
    key = new_key()
    assert text_of(ask(caller(relay, key), model=MODEL)) == "Hello there"
    assert anthropic_server.asked(MODEL)[0]["headers"]["x-api-key"] == key
    assert caller(relay, new_key()).get("/v1/models").status_code == 200
    assert caller(relay, new_key("bad")).get("/v1/models").status_code == 401
