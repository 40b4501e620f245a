"""Chat by a provider of the kind anthropic: the translation of requests and responses, on all surfaces."""

import base64
import hashlib
import json

import anthropic
import anthropic_vendor
import checked
import httpx2
import officials
import pytest
from anthropic_vendor import PNG, SEALED, SIGNATURE, sealed, text, thought, use
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
MADE = [("toolu_a", "weather", {"city": "Rome"}), ("toolu_b", "weather", {"city": "Oslo"})]
SCHEMA = {
    "type": "object", "properties": {"n": {"type": "integer", "minimum": 1}, "s": {"oneOf": [{"type": "string"}, {"type": "null"}]}},
    "required": ["n"],
}  # fmt: skip
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}


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


def test_without_a_bound_it_is_the_models_and_a_whole_answer_is_a_stream(talking, anthropic_server):
    assert text_of(ask(talking, model="claude")) == "Hello there"
    body = anthropic_server.body(MODEL)
    assert (body["max_tokens"], body["stream"]) == (64000, True)
    anthropic_server.says(MODEL, {})
    assert text_of(ask(talking, model="claude", max_tokens=999_999)) == "Hello there"
    assert anthropic_server.body(MODEL)["max_tokens"] == 64000


def asked(talking, server, model="claude", upstream=MODEL, **fields):
    """Returns the body that the server receives."""
    is_demanded = fields.get("tool_choice", "none") != "none"
    server.says(upstream, {"content": [use("toolu_a", "weather", {})]} if is_demanded else {})
    talking.post(PATH, json={"model": model, "max_tokens": 100, "messages": [user("Hello")]} | fields)
    return server.body(upstream)


def test_a_history_of_all_roles(talking, anthropic_server):
    call = {"id": "call:1/é", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
    odd = {"id": "b", "type": "function", "function": {"name": "weather", "arguments": "[1]"}}
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "assistant", "content": "I begin."},
        user("One"), user("Two"), user(" \n"),
        {"role": "assistant", "content": None, "tool_calls": [call, odd]},
        user("I said something between."),
        {"role": "tool", "tool_call_id": "call:1/é", "content": "Sunny"},
        {"role": "developer", "content": "And kind."},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": "So far. \n"},
    ]  # fmt: skip
    body = asked(talking, anthropic_server, messages=messages, tools=[TOOL])
    assert body["system"] == said("Be short.")
    assert body["messages"] == [
        user(*said(".")),
        {"role": "assistant", "content": said("I begin.")},
        user(*said("One", "Two")),
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "call_1___", "name": "weather", "input": {"city": "Rome"}},
            {"type": "tool_use", "id": "b", "name": "weather", "input": {"_raw": "[1]"}},
        ]},
        user(
            {"type": "tool_result", "tool_use_id": "call_1___", "content": said("Sunny")},
            {"type": "tool_result", "tool_use_id": "b", "content": "No result.", "is_error": True},
            *said("I said something between.", "<system-reminder>\nAnd kind.\n</system-reminder>"),
        ),
        {"role": "assistant", "content": said("So far.")},
    ]  # fmt: skip
    body = asked(talking, anthropic_server, "new", NEW, messages=messages[:2])
    assert body["messages"][-1] == user(*said("Continue."))


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


def test_calls_that_end_a_history_get_results(talking, anthropic_server):
    call = {"id": "a", "type": "function", "function": {"name": "odd", "arguments": ""}}
    messages = [user("Hi"), {"role": "assistant", "tool_calls": [call]}, user("Go on"), {"role": "assistant", "tool_calls": [call]}]
    body = asked(talking, anthropic_server, messages=messages)
    ids = [block["id"] for message in body["messages"] for block in message["content"] if block["type"] == "tool_use"]
    assert ids == ["a", "a_2"] and body["messages"][-1]["content"][0]["tool_use_id"] == "a_2"
    assert body["tools"] == [{"name": "odd", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "none"}


CHOICES = [
    ({}, None),
    ({"tool_choice": "required"}, {"type": "any"}),
    ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, {"type": "tool", "name": "weather"}),
    ({"tool_choice": "none"}, {"type": "none"}),
    ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
    ({"tool_choice": "required", "parallel_tool_calls": False}, {"type": "any", "disable_parallel_tool_use": True}),
]


@pytest.mark.parametrize("fields, told", CHOICES)
def test_choices_of_tools(talking, anthropic_server, fields, told):
    body = asked(talking, anthropic_server, tools=[TOOL], **fields)
    assert body.get("tool_choice") == told
    function = TOOL["function"]
    assert body["tools"] == [{"name": "weather", "description": "Tells it", "input_schema": function["parameters"]}]


@pytest.mark.parametrize("choice", ["auto", {"type": "function", "function": {"name": "twice"}}])
def test_of_two_tools_with_one_name_the_first_is_sent(talking, anthropic_server, choice):
    tools = [{"type": "function", "function": {"name": name, "description": text, "parameters": {"type": "object"}}}
             for name, text in (("twice", "a"), ("once", "b"), ("twice", "c"))]  # fmt: skip
    anthropic_server.says(MODEL, {"content": [use("toolu_1", "twice", {})]})
    assert ask(talking, model="claude", tools=tools, tool_choice=choice).status_code == 200
    assert [(tool["name"], tool["description"]) for tool in anthropic_server.body(MODEL)["tools"]] == [("twice", "a"), ("once", "b")]


def test_tools_of_all_forms(talking, anthropic_server):
    bare = {"type": "function", "function": {"name": "bare"}}
    strict = {"type": "function", "function": {"name": "strict", "strict": True, "parameters": SCHEMA | {"additionalProperties": False}}}
    loose = {"type": "function", "function": {"name": "loose", "parameters": {"properties": {}}}}
    tools = asked(talking, anthropic_server, tools=[bare, strict, loose])["tools"]
    assert tools[0] == {"name": "bare", "input_schema": {"type": "object", "properties": {}}}
    assert tools[1]["strict"] is True and tools[1]["input_schema"]["properties"]["n"] == {"type": "integer", "description": "{minimum: 1}"}
    assert tools[2]["input_schema"] == {"type": "object", "properties": {}}
    open = {"type": "object", "additionalProperties": False}
    there = {"A": open | {"properties": {"a": {"type": "string"}}}}
    for given, told in [
        ({"properties": {}}, open | {"properties": {}}), ({"properties": {"a": {"type": "string"}}}, there["A"]),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"a": {"type": "string"}}}}}, there["A"] | {"$defs": there}),
    ]:  # fmt: skip
        (tool,) = asked(talking, anthropic_server, tools=[{"type": "function", "function": {"name": "f", "strict": True, "parameters": given}}])["tools"]
        assert tool == {"name": "f", "strict": True, "input_schema": told}
    old = "claude-opus-4-20250514"
    assert "strict" not in asked(talking, anthropic_server, old, old, tools=[strict])["tools"][0]


SAMPLES = [
    ("claude-3-7-sonnet", {"temperature": 1.7, "top_p": 0.5}, {"temperature": 1, "top_p": 0.5}),
    (MODEL, {"temperature": 0.3, "top_p": 0.5}, {"temperature": 0.3}),
    (MODEL, {"top_p": 0.5}, {"top_p": 0.5}),
    (NEW, {"temperature": 0.3, "top_p": 0.5}, {}),
    (MODEL, {"temperature": 0.3, "reasoning_effort": "low"}, {}),
    (MODEL, {"seed": 5, "presence_penalty": 1, "logit_bias": {"1": 2}, "verbosity": "low", "store": False, "prompt_cache_key": "k"}, {}),
    (MODEL, {"stop": ["END", "\u00e9"]}, {"stop_sequences": ["END", "\u00e9"]}),
    (MODEL, {"service_tier": "default"}, {"service_tier": "auto"}),
    (MODEL, {"service_tier": "flex"}, {}),
    (MODEL, {"user": "tom"}, {"metadata": {"user_id": hashlib.sha256(b"tom").hexdigest()}}),
]


@pytest.mark.parametrize("model, fields, told", SAMPLES)
def test_fields(talking, anthropic_server, model, fields, told):
    body = asked(talking, anthropic_server, model, model, **fields)
    got = {name: value for name, value in body.items() if name not in ("model", "max_tokens", "messages", "thinking", "stream")}
    assert got == told


def test_unsupported_fields(talking):
    for fields in ({"logprobs": True}, {"messages": [user({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}})]}):
        status, error, _ = refusal(talking, model="claude", **fields)
        assert (status, error["code"]) == (400, "unsupported_parameter"), error


ADAPTIVE = {"type": "adaptive", "display": "summarized"}
EFFORTS = [
    ("claude-3-7-sonnet", "low", 100, {"type": "enabled", "budget_tokens": 2048}, None, 2148),
    (MODEL, "medium", 100, {"type": "enabled", "budget_tokens": 8192}, None, 8292),
    (MODEL, "xhigh", 40_000, {"type": "enabled", "budget_tokens": 32000}, None, 64000),
    (MODEL, "none", 100, None, None, 100),
    ("claude-opus-4-5", "max", 100, {"type": "enabled", "budget_tokens": 32000}, "high", 32100),
    ("claude-sonnet-4-6", "xhigh", 100, ADAPTIVE, "high", 100),
    ("claude-sonnet-4-6", "max", 100, ADAPTIVE, "max", 100),
    (NEW, "minimal", 100, ADAPTIVE, "low", 100),
    (NEW, "xhigh", 100, ADAPTIVE, "xhigh", 100),
    (NEW, "none", 100, {"type": "disabled"}, None, 100),
    ("claude-sonnet-5-5", "none", 100, {"type": "between_tools"}, None, 100),
    ("claude-opus-5-5", "none", 100, None, "low", 100),
    ("claude-opus-4-20250514", "max", 31_000, {"type": "enabled", "budget_tokens": 16000}, None, 32000),
    ("other-model", "high", 5000, {"type": "enabled", "budget_tokens": 16384}, None, 21384),
]


@pytest.mark.parametrize("model, effort, bound, thinking, told, most", EFFORTS)
def test_efforts(talking, anthropic_server, model, effort, bound, thinking, told, most):
    body = asked(talking, anthropic_server, model, model, reasoning_effort=effort, max_tokens=bound)
    assert (body.get("thinking"), body.get("output_config", {}).get("effort"), body["max_tokens"]) == (thinking, told, most)


def test_no_budget_of_thoughts_after_calls_without_them(talking, anthropic_server):
    call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [user("Hi"), {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "a", "content": "x"}]
    fields = {"messages": messages, "tools": [TOOL], "reasoning_effort": "low"}
    assert "thinking" not in asked(talking, anthropic_server, **fields)
    assert asked(talking, anthropic_server, "new", NEW, **fields)["thinking"] == ADAPTIVE
    assert "thinking" not in asked(talking, anthropic_server, **fields | {"messages": [*messages, user("And?")]})
    later = [*messages, {"role": "assistant", "content": "Rain"}, user("And?")]
    assert "thinking" in asked(talking, anthropic_server, **fields | {"messages": later})
    assert "thinking" not in asked(talking, anthropic_server, tools=[TOOL], tool_choice="required", reasoning_effort="low")


def test_a_schema(talking, anthropic_server):
    anthropic_server.says(MODEL, {"content": [text('{"n":1}')]})
    assert text_of(ask(talking, model="claude", response_format=FORMAT)) == '{"n":1}'
    form = anthropic_server.body(MODEL)["output_config"]["format"]
    assert form == {"type": "json_schema", "schema": {
        "type": "object", "required": ["n"], "additionalProperties": False,
        "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}, "s": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    }}  # fmt: skip


@pytest.mark.parametrize("model, format", [("claude-opus-4-20250514", FORMAT), (MODEL, {"type": "json_object"})])
def test_forms_that_are_emulated(talking, anthropic_server, model, format, is_streamed):
    anthropic_server.says(model, {"content": [thought("Hm"), text('Sure: {"n": 1}')]})
    got = stream(talking, model=model, response_format=format).text() if is_streamed else text_of(ask(talking, model=model, response_format=format))
    assert got == '{"n": 1}' and "output_config" not in anthropic_server.body(model)


def test_a_demanded_call_where_the_model_takes_no_demand(talking, anthropic_server, is_streamed):
    name = "claude-opus-5-5"
    anthropic_server.says(name, {"content": [thought("Hm"), use("toolu_1", "weather", {"city": "Rome"})]})
    named = {"type": "function", "function": {"name": "weather"}}
    for choice, words in (("required", "at least one of the tools"), (named, 'the tool "weather"')):
        fields = {"model": name, "tools": [TOOL], "tool_choice": choice, "reasoning_effort": "high"}
        if is_streamed:
            got = stream(talking, **fields)
            assert got.finish() == "tool_calls"
        else:
            message = ask(talking, **fields).json()["choices"][0]["message"]
            assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"city": "Rome"}
        sent = anthropic_server.asked(name)[-1]["body"]
        assert sent["tools"][0]["name"] == "weather" and "tool_choice" not in sent and sent["thinking"]["type"] == "adaptive"
        assert "system" not in sent and sent["messages"][-1]["role"] == "system"
        assert [block["text"] for block in sent["messages"][-1]["content"]] == [f"You must call {words} now. Do not answer in text."]


def test_a_demand_in_words_follows_the_conversation(talking, anthropic_server):
    name = "claude-opus-5-5"
    anthropic_server.says(name, {"content": [use("toolu_1", "weather", {"city": "Rome"})]})
    messages = [{"role": "system", "content": "Be brief."}, user("Weather?")]
    answer = ask(talking, model=name, tools=[TOOL], tool_choice="required", parallel_tool_calls=False, messages=messages)
    assert answer.json()["choices"][0]["finish_reason"] == "tool_calls"
    sent = anthropic_server.body(name)
    assert sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert [block["text"] for block in sent["system"]] == ["Be brief."]
    demand = [{"type": "text", "text": "You must call at least one of the tools now. Do not answer in text."}]
    assert [turn["role"] for turn in sent["messages"]] == ["user", "system"] and sent["messages"][-1]["content"] == demand


def test_blank_stops_are_the_relays(talking, anthropic_server):
    anthropic_server.says(MODEL, {"content": [text("one two")]})
    assert text_of(ask(talking, model="claude", stop=[" ", "x"])) == "one"
    assert "stop_sequences" not in anthropic_server.body(MODEL)


def data(content, type):
    return f"data:{type};base64,{base64.b64encode(content).decode()}"


def test_pictures_and_files(talking, anthropic_server):
    picture = PNG + b"\0" * 20
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": data(picture, "image/jpeg")}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": data(b"%PDF-1.4 x", "application/pdf")}},
        {"type": "file", "file": {"filename": "b.txt", "file_data": data("Grüße".encode(), "text/plain")}},
    ]
    body = asked(talking, anthropic_server, messages=[user(*parts)])
    assert body["messages"][0]["content"][1:] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(picture).decode()}},
        {"type": "document", "title": "a.pdf", "source": {
            "type": "base64", "media_type": "application/pdf", "data": base64.b64encode(b"%PDF-1.4 x").decode(),
        }},
        {"type": "document", "title": "b.txt", "source": {"type": "text", "media_type": "text/plain", "data": "Grüße"}},
    ]  # fmt: skip


def test_pictures_of_others_than_the_user(talking, anthropic_server):
    picture = PNG + b"\0" * 20
    shown = {"type": "image_url", "image_url": {"url": data(picture, "image/png")}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(picture).decode()}}
    body = asked(talking, anthropic_server, messages=[
        {"role": "system", "content": [{"type": "text", "text": "Be brief"}, shown]}, user("Hi"),
        {"role": "assistant", "content": [{"type": "text", "text": "Here"}, shown]}, user("And?"),
    ])  # fmt: skip
    assert body["system"] == said("Be brief")
    assert [message["content"] for message in body["messages"]] == [[image, *said("Hi")], said("Here"), [image, *said("And?")]]


BEGUN = {
    "a blank part": ([{"type": "text", "text": "Hello "}, {"type": "text", "text": " \n"}], ["Hello"]),
    "white space of all kinds": ("Hello\u00a0\u2003\u3000\u0085 ", ["Hello"]),
    "words in between": ([{"type": "text", "text": "Hello "}, {"type": "text", "text": "you\u2003"}], ["Hello ", "you"]),
}


@pytest.mark.parametrize("case", BEGUN)
def test_the_beginning_of_an_answer_does_not_end_in_white_space(talking, anthropic_server, case):
    content, told = BEGUN[case]
    body = asked(talking, anthropic_server, messages=[user("Hi"), {"role": "assistant", "content": content}])
    assert body["messages"][-1] == {"role": "assistant", "content": said(*told)}
    messages = [user("Hi"), {"role": "assistant", "content": content}, {"role": "assistant", "content": ""}]
    assert asked(talking, anthropic_server, messages=messages)["messages"][-1]["content"] == said(*told)


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


def test_cache_marks_of_chats(talking, anthropic_server):
    mark, hour = {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    ask(talking, model="claude", max_tokens=50, tools=[{"type": "function", "function": {"name": "f"}, **mark}], messages=[
        {"role": "system", "content": [{"type": "text", "text": "S", **hour}, {"type": "text", "text": "T"}]},
        {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": None}, {"type": "text", "text": "y", "cache_control": "odd"}]},
        {"role": "assistant", "reasoning_content": "Hm", "extra_content": {"thought_signature": SIGNATURE},
         "content": [{"type": "text", "text": "u"}, {"type": "text", "text": "v", **mark}], "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "ok"}, {"type": "text", "text": "now", **mark}]},
    ])  # fmt: skip
    body = anthropic_server.body(MODEL)
    assert body["tools"][0]["cache_control"] == mark["cache_control"]
    assert body["system"] == [{"type": "text", "text": "S", **hour}, {"type": "text", "text": "T"}]
    assert "cache_control" not in str(body["messages"][0])
    assert [(block["type"], "cache_control" in block) for block in body["messages"][1]["content"]] == [
        ("thinking", False), ("text", False), ("text", True), ("tool_use", False),
    ]  # fmt: skip
    (result,) = body["messages"][2]["content"]
    assert result["cache_control"] == mark["cache_control"] and "cache_control" not in str(result["content"])


def test_effort_of_anthropics_client_is_not_about_thoughts(claude, anthropic_server):
    claude.messages.create(model="new", messages=[user("Hi")], max_tokens=100, output_config={"effort": "max"})
    body = anthropic_server.body(NEW)
    assert body["output_config"] == {"effort": "max"} and "thinking" not in body


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
    # The client's own signatures could be among them, so the server has the first word.
    first, second = anthropic_server.asked(MODEL)
    assert first["body"]["messages"][1]["content"] == [*thoughts, sealed, *said("So.")]
    assert second["body"]["messages"][1]["content"] == said("So.")
    assert len(anthropic_server.take_violations()) == 3


def test_callers_own_keys(start_relay, anthropic_server, caller, new_key):
    relay = start_relay(**provider("OWN", "anthropic", anthropic_server.base_url, MODEL, PASSTHROUGH="true"))
    key = new_key()
    assert text_of(ask(caller(relay, key), model=MODEL)) == "Hello there"
    assert anthropic_server.asked(MODEL)[0]["headers"]["x-api-key"] == key
    assert caller(relay, new_key()).get("/v1/models").status_code == 200
    assert caller(relay, new_key("bad")).get("/v1/models").status_code == 401
