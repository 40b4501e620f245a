"""Responses that Anthropic pauses: the relay asks it to continue, whole and streamed, for chat and for messages."""

import pytest
from anthropic_vendor import all_events, failure, search, thought, use
from chat import ask, refusal, stream, text_of


def text(said):
    """Returns a text block as the relay sends it back."""
    return {"type": "text", "text": said}


MODEL = "claude-sonnet-4-5"
WAYS = pytest.mark.parametrize("way", ["whole", "gathered", "streamed"])
FIRST = [thought("Hm."), text("I look. "), *search(1, "rome")]
SECOND = [text(" More: "), *search(2, "paris"), text("Found ")]
LAST = [text("them."), use("toolu_1", "f", {"a": 1})]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}
USAGE = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 2}


def paused(content, **more):
    return {"content": content, "stop": "pause_turn", "usage": USAGE, **more}


def told(http, way, **fields):
    """Returns text, calls, finish reason and usage."""
    bound = {"max_tokens": 20_000 if way == "gathered" else 100}
    if way == "streamed":
        got = stream(http, model="claude", stream_options={"include_usage": True}, **bound, **fields)
        assert got.is_done
        calls = [call for choice in got.choices(0) for call in choice["delta"].get("tool_calls", ())]
        names = [(call["index"], call["function"]["name"]) for call in calls if "name" in call["function"]]
        return got.text(), names, got.finish(), got.usage()
    answer = ask(http, model="claude", **bound, **fields).json()
    (choice,) = answer["choices"]
    calls = choice["message"].get("tool_calls") or []
    return choice["message"]["content"], [(at, call["function"]["name"]) for at, call in enumerate(calls)], choice["finish_reason"], answer["usage"]


@WAYS
def test_it_is_asked_to_go_on(talking, anthropic_server, way):
    anthropic_server.says(MODEL, paused(FIRST), paused(SECOND), {"content": LAST, "usage": USAGE})
    said, calls, finish, usage = told(talking, way, tools=[TOOL])
    assert (said, calls, finish) == ("I look.  More: Found them.", [(0, "f")], "tool_calls")
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (36, 15, 6)
    first, second, third = [seen["body"] for seen in anthropic_server.asked(MODEL)]
    asked = first["messages"]
    assert second == first | {"messages": [*asked, {"role": "assistant", "content": FIRST}]}
    ended = [*SECOND[:-1], text("Found")]
    assert third == first | {"messages": [*asked, {"role": "assistant", "content": [*FIRST, *ended]}]}


@WAYS
def test_at_most_five_times(talking, anthropic_server, way):
    anthropic_server.says(MODEL, paused(search(1, "x")[:1] + [text("So. ")]))
    said, _, finish, usage = told(talking, way)
    assert (said, finish, usage["completion_tokens"]) == ("So. " * 6, "stop", 30)
    assert len(anthropic_server.asked(MODEL)) == 6


def test_a_pause_is_told_at_last(talking, anthropic_server):
    anthropic_server.says(MODEL, paused(search(1, "x")))
    body = {"model": "claude", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
    assert talking.post("/v1/messages", json=body).json()["stop_reason"] == "pause_turn"


def test_a_beginning_of_the_answer(talking, anthropic_server):
    anthropic_server.says(MODEL, paused([text("One ")]), {"content": [text("two")]})
    messages = [{"role": "user", "content": "Count"}, {"role": "assistant", "content": "Zero"}]
    assert text_of(ask(talking, model="claude", max_tokens=100, messages=messages)) == "One two"
    assert anthropic_server.asked(MODEL)[1]["body"]["messages"][1:] == [{"role": "assistant", "content": [text("Zero"), text("One")]}]


def test_each_choice_goes_on_after_its_own_pause(talking, anthropic_server):
    for bound in (100, 20_000):
        anthropic_server.says(MODEL, paused([text("One ")], slow=0.3), paused([text("Two ")], slow=0.3), {"content": [text("end")]})
        answer = ask(talking, model="claude", n=2, max_tokens=bound).json()
        # One choice may have both parts, if the other begins late.
        said = " ".join(choice["message"]["content"] for choice in answer["choices"]).split()
        assert sorted(said) == ["One", "Two", "end", "end"]


def test_a_model_that_takes_no_beginning(talking, anthropic_server):
    model = "claude-sonnet-4-6"
    refused = {"status": 400, "json": failure("invalid_request_error", "This model does not support assistant message prefill."), "lax": ["prefill"]}
    anthropic_server.says(model, paused([text("One ")], lax=["prefill"]), refused, {"content": [text("two")]})
    got = stream(talking, model=model, max_tokens=100)
    assert (got.text(), got.finish()) == ("One two", "stop")
    assert [message["role"] for message in anthropic_server.asked(model)[2]["body"]["messages"]] == ["user", "assistant", "user"]


def test_a_hosted_tool_that_goes_on_is_no_beginning(talking, anthropic_server):
    """What is remembered of a refused text adds no turn behind a search without its result."""
    model = "claude-sonnet-4-6"
    refused = {"status": 400, "json": failure("invalid_request_error", "This model does not support assistant message prefill."), "lax": ["prefill"]}
    anthropic_server.says(model, paused([text("One ")], lax=["prefill"]), refused, {"content": [text("two")]})
    stream(talking, model=model, max_tokens=100)
    anthropic_server.says(model, paused(search(1, "x")[:1], lax=["prefill"]), {"content": [text("Found.")]})
    assert stream(talking, model=model, max_tokens=100).text() == "Found."
    assert [message["role"] for message in anthropic_server.asked(model)[-1]["body"]["messages"]] == ["user", "assistant"]


def test_a_pause_with_a_call_is_none(talking, anthropic_server):
    anthropic_server.says(MODEL, paused([use("toolu_1", "f", {})]))
    for way in ("whole", "streamed"):
        assert told(talking, way, tools=[TOOL])[1:3] == ([(0, "f")], "tool_calls")
    assert len(anthropic_server.asked(MODEL)) == 2


def test_long_streams_are_not_kept(talking, anthropic_server):
    anthropic_server.says(MODEL, paused([text("x" * 5000)]))
    assert told(talking, "streamed")[::2] == ("x" * 5000, "stop")
    anthropic_server.says(MODEL, paused([text("Short")]))
    assert told(talking, "streamed", prompt="y" * 40_000)[::2] == ("Short", "stop")
    assert len(anthropic_server.asked(MODEL)) == 1
    content = [text("x" * 5000), *search(1, "x"), text("y")]
    anthropic_server.says(MODEL, paused(content), {"content": [text("z")]})
    assert told(talking, "whole")[0] == "x" * 5000 + "yz"
    anthropic_server.says(MODEL, paused([*search(1, "x"), text("y" * 5000)]), {"content": [text("z")]})
    assert told(talking, "streamed")[0] == "y" * 5000 + "z"


def test_a_failure_of_a_later_part(talking, anthropic_server, is_streamed):
    anthropic_server.says(MODEL, paused([text("One ")]), {"status": 529, "json": failure("overloaded_error", "Busy")})
    if is_streamed:
        got = stream(talking, model="claude", max_tokens=100)
        assert got.text() == "One " and got.error and not got.finish()
    else:
        assert refusal(talking, model="claude", max_tokens=100)[0] == 503
    assert len(anthropic_server.asked(MODEL)) == 2


@pytest.mark.parametrize("size", [1, 7])
def test_parts_in_pieces(talking, anthropic_server, size):
    anthropic_server.says(MODEL, paused(FIRST, pieces=size), paused(SECOND, pieces=size), {"content": LAST, "pieces": size})
    assert told(talking, "streamed", tools=[TOOL])[0] == "I look.  More: Found them."


def test_mixed_blocks_are_not_sent_back(talking, anthropic_server):
    events = list(all_events(paused([text("One"), text("Two")])))
    starts = [event for event in events if event["type"] == "content_block_start"]
    rest = [event for event in events if event["type"] != "content_block_start"]
    anthropic_server.says(MODEL, {"events": [rest[0], *starts, *rest[1:]]})
    assert told(talking, "streamed")[::2] == ("OneTwo", "stop")
    assert len(anthropic_server.asked(MODEL)) == 1
