"""Optional fields that servers refuse are left out, and numbers above a bound are lowered, whatever their names."""

import json

import local_http
import pytest
from chat import ask, either, text_of
from conftest import CLAUDE_KEY
from relay_process import provider
from test_messages_lane import OPEN, USER
from test_openai_mends import TOOL, said
from test_quirks import refusal_in

ALICE = "token-of-alice-0001"
TEXT = "Say what parameter, store and user mean: is it supported?"
MODELS = [f"open-{number}" for number in range(200)]


@pytest.fixture(scope="module")
def models():
    """The models that no test has asked for yet."""
    return iter(MODELS)


@pytest.fixture(scope="module")
def open_relay(launch, server):
    relay = launch(**provider("ROW", "openai", server.base_url, ",".join(MODELS)), KEY_ALICE_TOKEN=ALICE, BREAKER_FAILURES="1000")
    yield relay
    relay.stop()


@pytest.fixture
def opened(open_relay, server, caller, models):
    yield caller(open_relay, ALICE), models
    server.take_violations()


def answered(http, server, at, refused, fields, is_streamed=False):
    """Returns the bodies of a refused request and its repetitions."""
    fine = {"extra": True, "nulls": True}
    server.says(at, refused | fine, fine)
    asked = {"messages": [{"role": "user", "content": TEXT}]} | fields
    assert either(http, is_streamed, model=at, **asked) == ("Hello there", "stop"), refused
    return [request["body"] for request in server.asked(at)]


@pytest.mark.parametrize("name", ["tools", "response_format", "logprobs", "modalities", "messages"])
def test_what_a_response_depends_on_is_not_left_out(opened, server, name):
    http, models = opened
    at = next(models)
    fields = {"tools": [TOOL], "logprobs": True, "modalities": ["text"]}
    server.says(at, said(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter") | {"extra": True})
    assert ask(http, model=at, **{name: fields[name]} if name in fields and name != "tools" else {}).status_code == 400
    assert len(server.asked(at)) == 1


BOUNDS = [
    ("max_tokens is too large: 9000. This model supports at most 5000 completion tokens, whereas you provided 9000.", {"max_tokens": 9000}, 5000),
    ("`max_tokens` must be less than or equal to `5000`, the maximum value for `max_tokens` is less than the `context_window` for this model", {"max_tokens": 9000}, 5000),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 5000]", {"max_tokens": 9000}, 5000),
    ("max_completion_tokens: 9000 > 5000, which is the maximum allowed number of output tokens", {"max_completion_tokens": 9000}, 5000),
    ("top_k must be less than 100", {"top_k": 200}, 99),
    ("Too high: this model makes at most 5000 output tokens", {"max_tokens": 9000}, 5000),
]  # fmt: skip


@pytest.mark.parametrize("words, fields, bound", BOUNDS)
def test_a_number_above_a_bound_is_lowered(opened, server, words, fields, bound):
    http, models = opened
    at = next(models)
    [name] = fields
    assert [body[name] for body in answered(http, server, at, said(words), fields)] == [fields[name], bound]
    for given, sent in ((bound + 7, bound), (3, 3)):
        server.says(at, {"extra": True})
        ask(http, model=at, **{name: given})
        assert server.body(at)[name] == sent


UNKNOWN = {"error": {"message": "Unknown parameter: 'store'.", "param": "store", "code": "unknown_parameter"}}
PROVIDER = {"message": "Provider returned error", "code": 400}
DEEP = {"error": PROVIDER | {"metadata": {"raw": json.dumps({"error": PROVIDER | {"metadata": {"raw": json.dumps(UNKNOWN)}}})}}}
INSIDE = {
    "raw text": {"error": PROVIDER | {"metadata": {"raw": "Unknown parameter: 'store'."}}},
    "raw JSON": {"error": PROVIDER | {"metadata": {"raw": json.dumps(UNKNOWN)}}},
    "raw object": {"error": PROVIDER | {"metadata": {"raw": UNKNOWN}}},
    "flat": PROVIDER | {"metadata": {"raw": json.dumps(UNKNOWN)}},
    "three deep": DEEP,
    "in a message": {"error": {"message": f"litellm.BadRequestError: OpenAIException - {json.dumps(UNKNOWN)}. Received Model Group=x"}},
    "in a message twice": {"error": {"message": f"upstream said {json.dumps({'error': {'message': 'see ' + json.dumps(UNKNOWN)}})}"}},
}  # fmt: skip


@pytest.mark.parametrize("place", INSIDE)
def test_an_error_inside_an_error_is_read(opened, server, place, is_streamed):
    http, models = opened
    bodies = answered(http, server, next(models), {"status": 400, "json": INSIDE[place]}, {"store": True, "user": "me"}, is_streamed)
    assert len(bodies) == 2 and bodies[1] == {name: value for name, value in bodies[0].items() if name != "store"}


WINDOWS = [
    "This model's maximum context length is 32768 tokens. However, you requested 37000 tokens (5000 in the messages, 32000 in the completion).",
    "This endpoint's maximum context length is 32768 tokens. However, you requested about 37000 tokens (5000 of text input, 32000 in the output).",
    "'max_tokens' is too large: 32000. This model's maximum context length is 32768 tokens and your request has 5000 input tokens (32000 > 32768 - 5000).",
    "input length and `max_tokens` exceed context limit: 5000 + 32000 > 32768, decrease input length or `max_tokens` and try again",
]  # fmt: skip


@pytest.mark.parametrize("words", WINDOWS)
def test_prompt_and_completion_together_leave_the_rest(opened, server, words):
    http, models = opened
    at = next(models)
    assert [body["max_tokens"] for body in answered(http, server, at, said(words), {"max_tokens": 32_000})] == [32_000, 27_768]
    server.says(at, {})
    ask(http, model=at, max_tokens=32_000)
    assert server.body(at)["max_tokens"] == 32_000, "the next prompt may be shorter"
    server.says(at, said(words.replace("5000", "32600").replace("37000", "64600")))
    answer = ask(http, model=at, max_tokens=32_000)
    assert answer.json()["error"]["code"] == "context_length_exceeded", "too little is left"


AFFORD = "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford {0}."


@pytest.mark.parametrize("fields", [{}, {"max_tokens": 64_000}, {"max_completion_tokens": 64_000}])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_completion_is_as_long_as_the_account_can_pay(opened, server, fields, is_streamed):
    http, models = opened
    at = next(models)
    name = next(iter(fields), "max_tokens")
    refused = said(AFFORD.format(4_000)) | {"status": 402}
    assert [body.get(name) for body in answered(http, server, at, refused, fields, is_streamed)] == [fields.get(name), 4_000]
    server.says(at, {})
    ask(http, model=at, **fields)
    assert server.body(at).get(name) == fields.get(name), "the account may have more by then"
    server.says(at, said(AFFORD.format(200)) | {"status": 402})
    assert ask(http, model=at, **fields).status_code == 402
    assert len(server.asked(at)) == 1, "too little is left"


LOOSE = {"type": "object", "properties": {"a": {"type": ["array", "null"], "description": None}, "b": {"anyOf": [{"type": "object"}]}, "c": {"default": None}}}
TIDY = {"type": "object", "properties": {"a": {"type": ["array", "null"], "items": {}}, "b": {"anyOf": [{"type": "object", "properties": {}}]}, "c": {"default": None}}}
SCHEMA_WORDS = [
    "Invalid schema for function 'weather': In context=('properties', 'a'), array schema missing items.",
    "Invalid schema for function 'weather': In context=('properties', 'b', 'anyOf', '0'), object schema missing properties.",
    "tools.0.function.parameters: None is not of type 'string'",
]  # fmt: skip


def tools_with(schema, api):
    function = {"name": "weather", "parameters": schema}
    return {"tools": [{"type": "function"} | function | {"strict": False}] if api == "responses" else [{"type": "function", "function": function}]}


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("words", SCHEMA_WORDS)
def test_schemas_get_what_the_server_demands(opened, server, words, is_streamed):
    http, models = opened
    at = next(models)
    refused = said(words, param="tools[0].function.parameters", code="invalid_function_parameters")
    bodies = answered(http, server, at, refused, tools_with(LOOSE, "chat"), is_streamed)
    assert [body["tools"][0]["function"]["parameters"] for body in bodies] == [LOOSE, TIDY]
    server.says(at, {"extra": True, "nulls": True})
    ask(http, model=at, **tools_with(LOOSE, "chat"))
    assert server.body(at)["tools"][0]["function"]["parameters"] == TIDY, "it is remembered"


def test_a_format_gets_what_the_server_demands(opened, server):
    http, models = opened
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    refused = said("Invalid schema for response_format 'x': In context=(), object schema missing properties.", param="response_format", code="invalid_json_schema")
    bodies = answered(http, server, next(models), refused, {"response_format": form})
    assert [body["response_format"]["json_schema"]["schema"] for body in bodies] == [{"type": "object"}, {"type": "object", "properties": {}}]


def test_tools_of_other_apis_have_whole_schemas(opened, server):
    http, models = opened
    for path, fields in (
        ("/v1/messages", {"max_tokens": 9, "messages": [USER], "tools": [{"name": "weather", "input_schema": LOOSE}]}),
        ("/v1/responses", {"input": "Hi"} | tools_with(LOOSE, "responses")),
    ):
        at = next(models)
        server.says(at, {})
        answer = http.post(path, json={"model": at} | fields)
        assert answer.status_code == 200, answer.text
        assert server.body(at)["tools"][0]["function"]["parameters"] == TIDY


CALLED = [
    {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "fine"}, {"role": "assistant", "content": ""}, {"role": "user", "content": "So?"},
]  # fmt: skip


@pytest.mark.parametrize("words", [
    "messages[1].content: message content must be non-empty", "The text field in the ContentBlock object at messages.1.content.0 is blank.",
    "messages: text content blocks must be non-empty", "Invalid 'messages[1].content': empty string. Expected a string with minimum length 1",
])  # fmt: skip
def test_an_empty_text_beside_calls_is_left_out(opened, server, words):
    http, models = opened
    at = next(models)
    bodies = answered(http, server, at, said(words), {"messages": CALLED})
    wanted = [{name: value for name, value in message.items() if name != "content" or "tool_calls" not in message} for message in CALLED]
    assert [body["messages"] for body in bodies] == [CALLED, wanted]
    server.says(at, {"extra": True, "nulls": True})
    ask(http, model=at, messages=CALLED)
    assert server.body(at)["messages"] == wanted, "it is remembered"


NO_STREAM = said("Your organization must be verified to stream this model.", param="stream", code="unsupported_value")
ONLY_STREAMS = [
    "This model only supports streaming. Set stream=true", "This model only support stream mode, please enable the stream parameter to access the model.",
    "parameter.enable_thinking must be set to false for non-streaming calls", "enable thinking can not be support when `stream=False`.",
]  # fmt: skip


def told(http, api, at, is_streamed):
    """Returns the text of a response by one API."""
    path, fields = {"chat": ("chat/completions", {"messages": [USER]}), "messages": ("messages", {"max_tokens": 9, "messages": [USER]}),
                    "responses": ("responses", {"input": "Hi", "store": False})}[api]  # fmt: skip
    # One chunk may have all of a whole response, which the checked client refuses.
    headers = {"Authorization": http.headers["Authorization"]}
    answer = local_http.post(f"{http.base_url}/v1/{path}".replace("//v1", "/v1"), json={"model": at, "stream": is_streamed} | fields, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream") is is_streamed
    deltas = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    if api == "chat":
        return "".join(choice["delta"].get("content") or "" for event in deltas for choice in event["choices"]) if is_streamed else text_of(answer)
    if api == "messages":
        return "".join(event["delta"].get("text", "") for event in deltas if "text_delta" in str(event)) if is_streamed else answer.json()["content"][0]["text"]
    return "".join(event["delta"] for event in deltas if event["type"] == "response.output_text.delta") if is_streamed else answer.json()["output"][0]["content"][0]["text"]


@pytest.mark.parametrize("api", ["chat", "messages", "responses"])
def test_a_model_that_streams_never_or_always(opened, server, api):
    http, models = opened
    for refused, is_streamed in [(NO_STREAM, True), *((said(words), False) for words in ONLY_STREAMS)]:
        at = next(models)
        server.says(at, refused, {"streams": not is_streamed})
        for number, sent in enumerate(([is_streamed, not is_streamed], [not is_streamed])):
            assert told(http, api, at, is_streamed) == "Hello there"
            assert [request["body"].get("stream", False) for request in server.asked(at)][2 * number :] == sent
        server.says(at, {})
        assert told(http, api, at, not is_streamed) == "Hello there", "the other form is as it was"


FORMS = {
    "stop": (said("Unsupported parameter: 'stop' is not supported with this model.", param="stop", code="unsupported_parameter"), {"stop": ["there"]}, ["stop"]),
    "two stops": (said("Invalid 'stop': array too long. Expected an array with maximum length 1, but got an array with length 2 instead.", param="stop"),
                  {"stop": ["1", "there"]}, ["stop"]),
    "format text": (said("response_format 'text' is not supported by this model"), {"response_format": {"type": "text"}}, ["response_format"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_a_refused_form_is_served_without_it(opened, server, name, is_streamed):
    http, models = opened
    refused, fields, gone = FORMS[name]
    at = next(models)
    fine = {"extra": True, "nulls": True}
    server.says(at, refused | fine, fine)
    text, end = either(http, is_streamed, model=at, **fields)
    assert (text, end) == ("Hello " if "stop" in fields else "Hello there", "stop")
    first, second = [request["body"] for request in server.asked(at)]
    assert all(field in first and field not in second for field in gone)


def test_a_tool_that_cannot_be_named_is_demanded_in_words(opened, server):
    http, models = opened
    at = next(models)
    named = {"type": "function", "function": {"name": "weather"}}
    call = '<tool_calls>[{"name": "weather", "arguments": {"city": "Rome"}}]</tool_calls>'
    server.says(at, said("tool_choice: Input should be 'none', 'auto' or 'required'") | {"extra": True}, {"text": call, "extra": True})
    ask(http, model=at, tools=[TOOL], tool_choice=named)
    assert ["tool_choice" in request["body"] for request in server.asked(at)][:2] == [True, False]


@pytest.mark.parametrize("words, changed", [
    ("max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens for this model", {"max_tokens": 8192}),
    ("context_hints: Extra inputs are not permitted", {"context_hints": None}),
    ("messages.0.mood: Extra inputs are not permitted", {"messages": [USER]}),
])  # fmt: skip
def test_messages_that_go_on_as_they_came(start_relay, anthropic_server, words, changed):
    relay = start_relay(**provider("ROW", "anthropic", anthropic_server.base_url, "open", API_KEY=CLAUDE_KEY), KEY_ALICE_TOKEN=ALICE)
    body = {"model": "open", "max_tokens": 9000, "messages": [USER | {"mood": "odd"}], "context_hints": {"a": 1}}
    wanted = {name: value for name, value in (body | changed).items() if value is not None}
    for scripts in ([refusal_in("anthropic", words), {}], [{}]):
        anthropic_server.says("open", *[OPEN | {"extra": True} | script for script in scripts])
        answer = local_http.post(f"{relay.base_url}/v1/messages", json=body, headers={"x-api-key": ALICE})
        assert answer.status_code == 200, answer.text
        assert [seen["body"] for seen in anthropic_server.asked("open")][-1] == wanted
    anthropic_server.take_violations()
