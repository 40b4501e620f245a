"""Requests that a server with Anthropic's API refuses, and the change after which it accepts them."""

import json

import pytest
from anthropic_vendor import SIGNATURE, failure, text, use
from chat import PATH, either, refusal
from conftest import CLAUDE_KEY, TEAM_TOKEN, http_of
from relay_process import provider

NAMES = ["claude-sonnet-4-5-x", "claude-opus-4-8-x", "claude-sonnet-5-5-x", "other"]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
FORMAT = {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}}
TOOL = {"type": "function", "function": {"name": "weather", "strict": True, "parameters": SCHEMA | {"required": ["n"]}}}
CALL = use("toolu_1", "weather", {"n": 1})
THOUGHT = {"role": "assistant", "content": "I said.", "reasoning_content": "Hm", "extra_content": {"thought_signature": SIGNATURE}}


def without(*names):
    """Returns a function that removes these fields from a request."""
    return lambda body: {name: value for name, value in body.items() if name not in names}


def changed(**fields):
    return lambda body: body | fields


def thoughtless(body):
    user, said, more = body["messages"]
    return body | {"messages": [user, said | {"content": said["content"][1:]}, more]}


TABLE = {
    # name: model, fields, words of the refusal, change
    "both": (3, {"temperature": 0.5, "top_p": 0.5}, "top_p is not supported on this model", without("temperature", "top_p")),
    "high effort": (1, {"reasoning_effort": "max"}, "effort 'max' is not supported by this model", changed(output_config={"effort": "high"})),
    "signature": (0, {"messages": [{"role": "user", "content": "a"}, THOUGHT, {"role": "user", "content": "b"}]},
                  "messages.1.content.0: Invalid `signature` in `thinking` block", thoughtless),
}  # fmt: skip


@pytest.fixture(scope="module")
def mending(launch, anthropic_server):
    models = [f"{name}-{at}" for name in NAMES for at in range(60)]
    return launch(**provider("ANT", "anthropic", anthropic_server.base_url, ",".join(models), API_KEY=CLAUDE_KEY), KEY_TEAM_TOKEN=TEAM_TOKEN)


team = http_of("mending", "anthropic_server")


@pytest.fixture
def fresh():
    """`fresh(0)`: a model of this name about which nothing was learned."""
    return lambda name: f"{NAMES[name]}-{next(fresh_numbers)}"


fresh_numbers = iter(range(60))


def refused(words):
    return {"status": 400, "json": failure("invalid_request_error", words), "lax": [""]}


@pytest.mark.parametrize("name", TABLE)
def test_a_refused_field_is_changed_and_the_change_is_kept(team, anthropic_server, fresh, name, is_streamed):
    at, fields, words, change = TABLE[name]
    model = fresh(at)
    anthropic_server.says(model, refused(words), {"lax": [""]})
    asked = {"model": model, "max_tokens": 100} | fields
    assert either(team, is_streamed, **asked) == ("Hello there", "stop")
    first, second = [request["body"] for request in anthropic_server.asked(model)]
    assert second == change(first) != first
    anthropic_server.says(model, {"lax": [""]})
    assert either(team, is_streamed, **asked) == ("Hello there", "stop")
    # A broken history is not the model's.
    assert anthropic_server.body(model) == (first if name == "signature" else second)


@pytest.mark.parametrize("refuses_adaptive", [False, True])
def test_a_refused_type_of_thinking_leaves_others(team, anthropic_server, fresh, refuses_adaptive):
    model = fresh(0)
    first, other = {"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}
    if refuses_adaptive:
        first, other = other, first
    words = "adaptive thinking" if refuses_adaptive else "thinking.type.enabled"
    anthropic_server.says(model, refused(f"{words} is not supported on this model"), *[{"lax": [""]}] * 3)
    for thinking in (first, other, first):
        asked = {"model": model, "max_tokens": 2000, "messages": [{"role": "user", "content": "Hi"}], "thinking": thinking}
        assert team.post("/v1/messages", json=asked).status_code == 200
    seen = [request["body"].get("thinking") for request in anthropic_server.asked(model)]
    assert seen == [first, None, other, None]


def test_without_their_reasoning_earlier_turns_say_the_same(team, anthropic_server, fresh):
    model, thought = fresh(0), {"type": "thinking", "thinking": "Hm", "signature": SIGNATURE}
    anthropic_server.says(model, refused("messages.1.content.0: Invalid `signature` in `thinking` block"), {"lax": [""]})
    said = [("user", "a"), ("assistant", [thought, text("b")]), ("user", "c"), ("assistant", "d"), ("user", "e")]
    turns = [{"role": role, "content": content} for role, content in said]
    answer = team.post("/v1/messages", json={"model": model, "max_tokens": 100, "messages": turns})
    assert answer.status_code == 200, answer.text
    first, second = [request["body"]["messages"] for request in anthropic_server.asked(model)]
    assert first == turns and second == [turns[0], turns[1] | {"content": [text("b")]}, *turns[2:]]


def test_of_two_tools_of_one_name_the_first_is_sent_if_two_are_refused(team, anthropic_server, fresh):
    model = fresh(0)
    anthropic_server.says(model, refused("tools: Tool names must be unique."), {"lax": [""]})
    tools = [{"name": name, "description": text, "input_schema": {"type": "object"}} for name, text in ("ab", "cd", "ae")]
    asked = {"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}], "tools": tools}
    for calls in (2, 3):
        assert team.post("/v1/messages", json=asked).status_code == 200
        seen = anthropic_server.asked(model)
        assert len(seen) == calls and seen[-1]["body"]["tools"] == tools[:2]


def test_a_model_that_is_not_claude_gets_its_reasoning_back(team, anthropic_server, fresh, is_streamed):
    model, thought = fresh(3), {"type": "thinking", "thinking": "Hm", "signature": SIGNATURE}
    anthropic_server.says(model, {"content": [thought, text("I look."), CALL], "lax": [""]})
    tools = [TOOL]
    assert either(team, is_streamed, model=model, tools=tools) == ("I look.", "tool_calls")
    called = {"role": "assistant", "content": "I look.", "tool_calls": [
        {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": '{"n": 1}'}}]}  # fmt: skip
    turns = [{"role": "user", "content": "Hi"}, called, {"role": "tool", "tool_call_id": "toolu_1", "content": "fine"}]
    anthropic_server.says(model, {"lax": [""]})
    assert either(team, is_streamed, model=model, tools=tools, messages=turns)[1] == "stop"
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"n": 1}}
    said = anthropic_server.asked(model)[-1]["body"]["messages"][1]["content"]
    assert said == [thought, {"type": "text", "text": "I look."}, use]
    items = [{"role": "user", "content": "Hi"}, {"type": "function_call", "call_id": "toolu_1", "name": "weather", "arguments": '{"n": 1}'},
             {"type": "function_call_output", "call_id": "toolu_1", "output": "fine"}]  # fmt: skip
    assert team.post("/v1/responses", json={"model": model, "input": items}).status_code == 200
    assert anthropic_server.asked(model)[-1]["body"]["messages"][1]["content"] == [thought, use]


def test_what_is_no_mend(team, anthropic_server, fresh):
    model = fresh(0)
    for words in ("temperature: Input should be less than 1", "messages: roles must be kind", "max_tokens: 65000 > 64000"):
        anthropic_server.says(model, refused(words))
        assert refusal(team, model=model, temperature=0.5)[0] == 400
        assert len(anthropic_server.asked(model)) == 1
    anthropic_server.says(model, refused("`temperature` is not supported"))
    assert refusal(team, model=model, temperature=0.5)[0] == 400
    assert len(anthropic_server.asked(model)) == 2


def test_a_schema_that_is_refused_is_emulated(team, anthropic_server, fresh, is_streamed):
    model = fresh(0)
    anthropic_server.says(model, refused("output_config.format: Extra inputs are not permitted"), {"content": [text('Well: {"n": 1}')]})
    assert either(team, is_streamed, model=model, **FORMAT) == ('{"n": 1}', "stop")
    assert either(team, is_streamed, model=model, **FORMAT) == ('{"n": 1}', "stop")
    bodies = [request["body"] for request in anthropic_server.asked(model)]
    assert ["output_config" in body for body in bodies] == [True, False, False]


def test_a_demand_that_is_refused_is_made_in_words(team, anthropic_server, fresh, is_streamed):
    model = fresh(0)
    anthropic_server.says(model, refused("tool_choice: forced tool use is not supported for this model"), {"content": [CALL]})
    fields = {"model": model, "tools": [TOOL], "tool_choice": "required"}
    assert either(team, is_streamed, **fields)[1] == "tool_calls"
    assert either(team, is_streamed, **fields)[1] == "tool_calls"
    bodies = [request["body"] for request in anthropic_server.asked(model)]
    assert ["tool_choice" in body for body in bodies] == [True, False, False]
    assert all("tools" in body for body in bodies) and ["You must call" in json.dumps(body["messages"]) for body in bodies] == [False, True, True]
    anthropic_server.says(model, {})
    assert either(team, is_streamed, **fields | {"tool_choice": "auto"})[1] == "stop"
    assert anthropic_server.body(model)["tools"][0]["name"] == "weather"


def test_what_a_callers_own_key_teaches_is_for_this_key_only(start_relay, anthropic_server, caller, new_key):
    relay = start_relay(**provider("OWN", "anthropic", anthropic_server.base_url, "m8", PASSTHROUGH="true"))
    for http in (caller(relay, new_key()), caller(relay, new_key()), caller(relay, new_key())):
        anthropic_server.says("m8", refused("temperature is not supported"), {})
        for calls in (2, 3):
            assert http.post(PATH, json={"model": "m8", "temperature": 0.5, "messages": [{"role": "user", "content": "Hi"}]}).status_code == 200
            assert len(anthropic_server.asked("m8")) == calls
