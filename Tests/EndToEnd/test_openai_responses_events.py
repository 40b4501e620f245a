"""Streams of the Responses API that report a part of the response late, at once, or interleaved."""

import json

import pytest
import responding
from chat import ask, stream
from conftest import http_of, secrets
from openai_responses import events, response
from relay_process import provider
from test_openai_chat import CALLS, TOOL
from test_openai_responses import calls_of

TOKEN = "token-of-events-of-responses"
AT = "by/events"


@pytest.fixture(scope="module")
def relay(launch, server):
    secrets.add(TOKEN)
    return launch(**provider("ROW", "openai", server.base_url, f"m={AT}", CHAT_VIA="responses"), KEY_A_TOKEN=TOKEN)


http = http_of("relay", "server", token=TOKEN)


def item(at, arguments, **more):
    return {"type": "function_call", "id": f"fc_{at}", "call_id": CALLS[at][0], "name": CALLS[at][1], "arguments": arguments} | more


def added(at, **more):
    return {"type": "response.output_item.added", "output_index": at, "item": item(at, "", **more)}


def delta(at, text):
    return {"type": "response.function_call_arguments.delta", "output_index": at, "delta": text}


def arguments_done(at, text):
    return {"type": "response.function_call_arguments.done", "output_index": at, "arguments": text}


def done(at, arguments, **more):
    return {"type": "response.output_item.done", "output_index": at, "item": item(at, arguments, **more)}


def end(script=None, **more):
    return {"type": "response.completed", "response": response(script or {"calls": CALLS}, **more)}


A, B = (arguments for _, _, arguments in CALLS)
NO_OUTPUT = end(output=[])
STREAMS = {
    "side by side": [added(0), added(1), delta(0, A[:3]), delta(1, B[:3]), delta(0, A[3:]), delta(1, B[3:]),
                     arguments_done(0, A), arguments_done(1, B), done(0, A), done(1, B), end()],
    "side by side, the second ends first": [added(0), added(1), delta(1, B), done(1, B), delta(0, A), done(0, A), NO_OUTPUT],
    "side by side, and no end": [added(0), added(1), delta(0, A[:3]), delta(1, B), delta(0, A[3:]), NO_OUTPUT],
    "arguments when they are whole": [added(0), arguments_done(0, A), added(1), arguments_done(1, B), NO_OUTPUT],
    "arguments in the item": [added(0), added(1), done(0, A), done(1, B), NO_OUTPUT],
    "arguments in the answer": [added(0), added(1), end()],
    "half of the arguments": [added(0), delta(0, A[:4]), done(0, A), added(1), delta(1, B[:4]), arguments_done(1, B), NO_OUTPUT],
    "half of them in the answer": [added(0), delta(0, A[:4]), added(1), delta(1, B[:4]), end()],
    "an object": [done(0, {"city": "Rome"}), done(1, B), NO_OUTPUT],
    "the answer alone": [end()],
    "other numbers in the answer": [added(0), delta(0, A), done(0, A), added(1), delta(1, B), done(1, B), end({"text": "", "calls": CALLS})],
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_calls_one_after_the_other(http, server, name):
    server.says(AT, {"events": STREAMS[name]})
    got = stream(http, model="m", tools=[TOOL])
    assert got.error is None and got.is_done and got.finish() == "tool_calls"
    assert calls_of(got) == CALLS
    numbers = [piece["index"] for choice in got.choices(0) for piece in choice["delta"].get("tool_calls", ())]
    assert numbers == sorted(numbers)


def test_text_between_the_parts_of_a_call(http, server):
    text = {"type": "response.output_text.delta", "output_index": 1, "delta": "mid"}
    server.says(AT, {"events": [added(0), delta(0, A[:3]), text, delta(0, A[3:]), done(0, A), NO_OUTPUT]})
    told = [each["item"] for each in responding.events(responding.respond(http, model="m", stream=True)) if each["type"] == "response.output_item.done"]
    assert [each["type"] for each in told] == ["function_call", "message"]
    assert json.loads(told[0]["arguments"]) == json.loads(A) and told[1]["content"][0]["text"] == "mid"


def test_a_call_without_arguments_has_an_empty_object(http, server, is_streamed):
    server.says(AT, {"calls": [("call_a", "weather", "")]})
    if is_streamed:
        assert calls_of(stream(http, model="m", tools=[TOOL])) == [("call_a", "weather", "{}")]
    else:
        (call,) = ask(http, model="m", tools=[TOOL]).json()["choices"][0]["message"]["tool_calls"]
        assert call["function"] == {"name": "weather", "arguments": "{}"}


@pytest.mark.parametrize("name", ["text", "refusal", "thought"])
def test_what_only_the_answer_at_the_end_tells(http, server, name):
    script = {"text": "I will not", "refuses": True} if name == "refusal" else {"text": "Hello there"}
    if name == "thought":
        script |= {"reasoning": "First.\n\nSecond."}
    told = [events(script)[0], events(script)[-1]]
    server.says(AT, {"events": told})
    got = stream(http, model="m")
    assert got.error is None and got.is_done and got.finish() == "stop"
    refusal = "".join(choice["delta"].get("refusal") or "" for choice in got.choices(0))
    thought = "".join(choice["delta"].get("reasoning_content") or "" for choice in got.choices(0))
    assert (got.text(), refusal) == (("", "I will not") if name == "refusal" else ("Hello there", ""))
    assert thought == script.get("reasoning", "")


def test_nothing_is_told_twice(http, server):
    script = {"reasoning": "First.\n\nSecond.", "text": "I ask", "calls": CALLS}
    for pieces in (events(script), [event for event in events(script) if event["type"] != "response.output_item.done"]):
        server.says(AT, {"events": pieces})
        got = stream(http, model="m", tools=[TOOL])
        thought = "".join(choice["delta"].get("reasoning_content") or "" for choice in got.choices(0))
        assert (got.text(), thought, calls_of(got)) == ("I ask", script["reasoning"], CALLS)
