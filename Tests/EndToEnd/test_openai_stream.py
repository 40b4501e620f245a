"""Streams and responses as OpenAI-compatible servers really write them, and what the client receives."""

import json

import checked
import local_http
import officials
import pytest
import responding
from chat import PATH, ask, refusal, stream
from conftest import TEAM_TOKEN
from openai_vendor import USAGE, chunk, usage_chunk, whole
from relay_process import provider

MODEL = "big/model:1"
anthropics = officials.anthropic_of("passing")
ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk({}, "stop")


def call(index=None, id=None, name=None, arguments=None, type="function", **more):
    """Returns a delta with one chunk of a call."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    made = {"index": index, "id": id, "type": type if id else None, "function": function}
    return chunk({"tool_calls": [{key: value for key, value in made.items() if value is not None} | more]})


def text(content, **more):
    return chunk({"content": content}, **more)


MANNERS = ("empty delta", "the finish chunk has a delta")
"""What servers may do though OpenAI does not: it passes."""


@pytest.fixture(autouse=True)
def manners():
    yield
    checked.problems[:] = [found for found in checked.problems if not any(text in found for text in MANNERS)]


class Built:
    """A message as a client assembles it from chunks."""

    def __init__(self, chunks):
        self.text, self.reasoning, self.calls, self.finish = "", "", [], None
        for choice in [choice for one in chunks for choice in one["choices"]]:
            delta = choice["delta"]
            assert self.finish is None, "goes on after its end"
            self.text += delta.get("content") or ""
            self.reasoning += delta.get("reasoning_content") or ""
            for piece in delta.get("tool_calls", ()):
                if piece["index"] == len(self.calls):
                    assert piece["type"] == "function" and piece["id"]
                    self.calls.append([piece["id"], piece["function"]["name"], ""])
                else:
                    assert piece["index"] < len(self.calls) and "id" not in piece and "name" not in piece["function"]
                assert isinstance(piece["function"]["arguments"], str)
                self.calls[piece["index"]][2] += piece["function"]["arguments"]
            self.finish = choice["finish_reason"]

    def told(self):
        calls = [(name, json.loads(arguments)) for _, name, arguments in self.calls]
        return self.text, self.reasoning, calls, self.finish


def messages_told(team):
    """Returns text, calls and stop reason of a stream over /v1/messages, which is made from neutral events."""
    asked = {"model": "fast", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": "Hi"}],
             "tools": [{"name": name, "input_schema": {"type": "object"}} for name in ("f", "g")]}  # fmt: skip
    answer = team.post("/v1/messages", json=asked)
    assert answer.status_code == 200, answer.text
    text, calls, reason = "", [], None
    for event in answer.text.split("\n\n"):
        lines = event.split("\n")
        data = json.loads(lines[1][6:]) if len(lines) > 1 else {}
        if data.get("type") == "content_block_start" and data["content_block"]["type"] == "tool_use":
            calls.append([data["content_block"]["name"], ""])
        elif data.get("type") == "content_block_delta":
            text += data["delta"].get("text", "")
            if "partial_json" in data["delta"]:
                calls[-1][1] += data["delta"]["partial_json"]
        elif data.get("type") == "message_delta":
            reason = data["delta"]["stop_reason"]
        assert data.get("type") != "error", data
    return text, [(name, json.loads(arguments)) for name, arguments in calls], reason


REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
F1, G2 = ("f", {"x": 1}), ("g", {"x": 2})
CALLED = ("", "", [F1, G2], "tool_calls")
ONE = ("", "", [F1], "tool_calls")
HELLO = ("Hello", "", [], "stop")

QUIRKS = {
    "no role": ([text("Hello"), STOP], HELLO),
    "role repeated": ([ROLE, chunk({"role": "assistant", "content": "Hel"}), chunk({"role": "assistant", "content": "lo"}), STOP], HELLO),
    "azure": ([chunk({}, id="", model="", created=0) | {"choices": [], "prompt_filter_results": []},
               chunk({"role": "assistant"}, id="", model=""), text("Hello", id="x2"), STOP], HELLO),
    "no delta": ([ROLE, text("Hello"), chunk(None), chunk(None, "stop")], HELLO),
    "empty finish": ([ROLE, chunk({"content": "Hello"}, ""), STOP], HELLO),
    "null content": ([chunk({"role": "assistant", "content": None}), text("Hello"), chunk({"content": None}), STOP], HELLO),
    "parts": ([ROLE, chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}),
               chunk({"content": [{"type": "text", "text": "Hello"}]}), STOP], ("Hello", "Hm", [], "stop")),
    "reasoning": ([ROLE, chunk({"reasoning": "Hm", "content": ""}), text("Hello"), STOP], ("Hello", "Hm", [], "stop")),
    "thinking": ([ROLE, chunk({"thinking": "Hm"}), text("Hello"), STOP], ("Hello", "Hm", [], "stop")),
    "twins": ([ROLE, chunk({"reasoning": "Hm", "reasoning_content": "Hm"}), text("Hello"), STOP], ("Hello", "Hm", [], "stop")),
    "no index": ([ROLE, call(None, "a", "f", '{"x":'), call(arguments="1}"), call(None, "b", "g", '{"x":2}'), STOP], CALLED),
    "index 0 for all": ([ROLE, call(0, "a", "f", '{"x":1}'), call(0, "b", "g", '{"x":2}'), STOP], CALLED),
    "index from 1": ([ROLE, call(1, "a", "f", '{"x":1}'), call(2, "b", "g", '{"x":2}'), STOP], CALLED),
    "no id, no type": ([ROLE, call(0, name="f", arguments='{"x":1}'), call(1, name="g", arguments='{"x":2}'), STOP], CALLED),
    "name in each": ([ROLE, call(0, "a", "f", '{"x"'), call(0, "a", "f", ":1}"), STOP], ONE),
    "arguments first": ([ROLE, call(0, "a", arguments='{"x"'), call(0, name="f", arguments=":1}"), STOP], ONE),
    "arguments again": ([ROLE, call(0, "a", "f", '{"x"'), call(0, arguments=":1}"), call(0, arguments='{"x":1}'), STOP], ONE),
    "no arguments": ([ROLE, call(0, "a", "f"), STOP], ("", "", [("f", {})], "tool_calls")),
    "null arguments": ([ROLE, chunk({"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": None}}]}), STOP], ("", "", [("f", {})], "tool_calls")),
    "a call that says nothing": ([ROLE, call(0, "a", "f", '{"x":1}'), call(1, arguments=""), STOP], ONE),
    "tool_calls without calls": ([ROLE, text("Hello"), chunk({"tool_calls": [{"index": 0, "function": {}}]}), chunk({}, "tool_calls")], ("Hello", "", [], "tool_calls")),
    "stop with calls": ([ROLE, call(0, "a", "f", '{"x":1}'), STOP], ONE),
    "openrouter": ([": OPENROUTER PROCESSING", call(0, "a", "f", '{"x":1}'),
                    "data:" + json.dumps(chunk({"tool_calls": [{"index": 0, "id": "b", "function": {"name": "g", "arguments": {"x": 2}}}]}, "stop"))], CALLED),
    "ids and names that are empty": ([ROLE, call(0, "a", "f", ""), call(0, name="", arguments='{"x":', **{"id": ""}), call(0, name="", arguments="1}"), STOP], ONE),
    "two in a chunk, without index": ([ROLE, chunk({"tool_calls": [{"function": {"name": "f", "arguments": '{"x":1}'}}, {"function": {"name": "g", "arguments": '{"x":2}'}}]}), STOP], CALLED),
    "two in a chunk, with one index": ([ROLE, chunk({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": '{"x":1}'}}, {"index": 0, "function": {"name": "g", "arguments": '{"x"'}}]}),
                                        call(0, arguments=":2}"), STOP], CALLED),
    "one after the other, without index": ([call(None, None, "f", '{"x":'), call(None, None, None, "1}"), call(None, None, "g", '{"x":2}'), STOP], CALLED),
    "one after the other, with one index": ([call(0, None, "f", '{"x":1}'), call(0, "", "g", '{"x":'), call(0, None, None, "2}"), STOP], CALLED),
    "one name twice, without index": ([call(None, None, "f", '{"x":1}'), call(None, None, "f", '{"x":2}'), STOP], ("", "", [F1, ("f", {"x": 2})], "tool_calls")),
    "one after an empty one": ([call(None, None, "f", "{}"), call(None, None, "g", '{"x":2}'), STOP], ("", "", [("f", {}), G2], "tool_calls")),
    "the name in each piece": ([call(None, None, "f", '{"x"'), call(None, None, "f", ":1}"), STOP], ONE),
    "wrong types": ([chunk({"role": 5, "content": {}, "refusal": 5, "tool_calls": {}, "function_call": 5, "reasoning_content": []}), text("Hello"),
                     {key: value for key, value in STOP.items() if key != "choices"} | {"choices": [{"index": "0", "delta": {}, "finish_reason": 5}]}, STOP], HELLO),
    "no finish_reason": ([{key: value for key, value in one.items() if key != "choices"} | {"choices": [{"index": 0, "delta": one["choices"][0]["delta"]}]}
                          for one in (ROLE, text("Hel"), text("lo"))] + [STOP], HELLO),
    "an unasked choice": ([ROLE, text("Hello"), chunk({"content": "no"}, None, 5), STOP], HELLO),
    "more after the end": ([ROLE, text("Hello"), STOP, text("more"), STOP], HELLO),
    "a list": ([ROLE, "data: " + json.dumps([text("Hello")]), STOP], HELLO),
}  # fmt: skip


@pytest.mark.parametrize("done", [True, False], ids=["done", "end"])
@pytest.mark.parametrize("name", QUIRKS)
def test_streams_of_many_servers(team, server, name, done):
    events, wanted = QUIRKS[name]
    server.says(MODEL, {"events": [*events, usage_chunk()], "done": done, "bare": True})
    got = stream(team, model="fast", stream_options={"include_usage": True})
    assert got.status == 200 and got.is_done and got.error is None, got
    assert Built([one for one in got.chunks if one["choices"]]).told() == wanted
    assert got.usage() == USAGE and len({one["id"] for one in got.chunks}) == 1
    text, _, calls, reason = wanted
    # A message of Anthropic's API cannot stop for a tool that it does not call.
    assert messages_told(team) == (text, calls, REASONS["stop" if reason == "tool_calls" and not calls else reason])


NOTHING = [
    {}, {"content": ""}, {"content": None}, {"content": None, "reasoning_content": "", "refusal": None, "tool_calls": []},
    {"role": "assistant", "content": ""}, {"tool_calls": None},
]  # fmt: skip
SOMETHING = [{"content": " "}, {"reasoning_details": [{"type": "reasoning.encrypted"}]}, {"annotations": [1]}]


def test_chunks_that_say_nothing_are_left_out(team, server):
    server.says(MODEL, {"events": [ROLE, text("A"), *map(chunk, NOTHING), text("B"), *map(chunk, NOTHING), STOP]})
    got = stream(team, model="fast")
    assert [one["choices"][0]["delta"].get("content") for one in got.chunks] == ["", "A", "B", None]
    assert got.finish() == "stop" and got.is_done and messages_told(team) == ("AB", [], "end_turn")
    # Unknown fields stay.
    more = [chunk({}, citations=["x"]), chunk({}) | {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": [], "refusal": None}, "finish_reason": None}]}]
    server.says(MODEL, {"events": [ROLE, text("A"), *map(chunk, SOMETHING), *more, STOP]})
    got = stream(team, model="fast")
    assert len(got.chunks) == 8 and [one["choices"][0]["delta"] for one in got.chunks[2:5]] == SOMETHING
    # Nobody else began the answer.
    server.says(MODEL, {"events": [chunk({"content": ""}), chunk({"content": None}), text("A"), STOP]})
    got = stream(team, model="fast")
    assert [one["choices"][0]["delta"] for one in got.chunks] == [{"role": "assistant", "content": ""}, {"content": "A"}, {}]


def test_all_that_is_unknown_stays_in_a_corrected_chunk(team, server):
    odd = call(0, "a", "f", {"x": 1}, extra_content={"google": {"thought_signature": "abc"}})
    odd["choices"][0] |= {"native_finish_reason": None, "content_filter_results": {}}
    odd["choices"][0]["delta"]["vendor"] = [1.50]
    server.says(MODEL, {"events": [ROLE, odd | {"provider": "x"}, STOP], "bare": True})
    got = stream(team, model="fast")
    (made,) = [one for one in got.chunks if one["choices"][0]["delta"].get("tool_calls")]
    assert made["provider"] == "x" and made["choices"][0]["content_filter_results"] == {}
    assert made["choices"][0]["delta"]["vendor"] == [1.5]
    (piece,) = made["choices"][0]["delta"]["tool_calls"]
    assert piece["extra_content"] == {"google": {"thought_signature": "abc"}}
    assert piece["function"] == {"name": "f", "arguments": '{"x":1}'}


def test_a_finish_reason_that_nobody_knows(team, server, passing):
    """With output it is an end, without output a failure, and the log has it once."""
    known = len(passing.log_lines())
    for _ in range(2):
        server.says(MODEL, {"finish": "fancy"})
        assert ask(team, model="fast").json()["choices"][0]["finish_reason"] == "stop"
        assert stream(team, model="fast").finish() == "stop"
        server.says(MODEL, {"json": whole({"finish": "fancy", "text": None})})
        assert refusal(team, model="fast")[0] == 502
        server.says(MODEL, {"events": [ROLE, chunk({}, "fancy")]})
        status, _, last = refusal(team, is_streamed=True, model="fast")
        assert status == 502
    passing.wait_for_line(lambda line: line.get("id") == last["x-request-id"])
    told = [line for line in passing.log_lines()[known:] if line["message"] == "unknown finish reason"]
    assert [(line["reason"], line["level"]) for line in told] == [("fancy", "warning")]


def own_usage(last):
    """Returns the last chunk with its usage where Moonshot puts it."""
    last["choices"][0]["usage"] = USAGE
    return last


USAGES = {
    "in the last chunk": ([ROLE, text("Hi"), chunk({}, "stop", usage=USAGE)], USAGE),
    "in each": ([chunk({"role": "assistant"}, usage={"prompt_tokens": 9, "completion_tokens": 0}), text("Hi", usage=USAGE),
                 chunk({}, "stop", usage=None)], USAGE),
    "x_groq": ([ROLE, text("Hi"), chunk({}, "stop", x_groq={"id": "r", "usage": USAGE})], USAGE),
    "in the choice": ([ROLE, text("Hi"), own_usage(chunk({}, "stop"))], USAGE),
    "field by field": ([chunk({"role": "assistant"}, usage={"prompt_tokens": 9, "completion_tokens": 1}), text("Hi"), chunk({}, "stop", usage={"completion_tokens": 8})], USAGE),
    "the other way round": ([chunk({"role": "assistant"}, usage={"prompt_tokens": 9}), text("Hi"), chunk({}, "stop", usage={"prompt_tokens": None, "completion_tokens": 8})], USAGE),
    "floats": ([ROLE, text("Hi"), STOP, usage_chunk(prompt_tokens=9.0, completion_tokens=8.0, total_tokens=17.0)], USAGE),
    "no total": ([ROLE, text("Hi"), STOP, usage_chunk(prompt_tokens=9, completion_tokens=8)], USAGE),
}  # fmt: skip


@pytest.mark.parametrize("name", USAGES)
@pytest.mark.parametrize("asked", [True, False])
def test_usage_wherever_it_is_told(team, server, passing, name, asked):
    events, usage = USAGES[name]
    server.says(MODEL, {"events": events})
    got = stream(team, model="fast", **({"stream_options": {"include_usage": True}} if asked else {}))
    told = [one["usage"] for one in got.chunks if one.get("usage")]
    assert told == ([usage] if asked else []) and all(isinstance(count, int) for one in told for count in one.values())
    assert got.is_done and got.text() == "Hi"


def test_usage_that_is_never_told_is_counted(team, server):
    server.says(MODEL, {"events": [ROLE, text("Hello there"), STOP]})
    got = stream(team, model="fast", stream_options={"include_usage": True})
    assert got.usage()["completion_tokens"] > 0 and got.usage()["prompt_tokens"] > 0
    assert len({one["id"] for one in got.chunks}) == 1


SIDE_BY_SIDE = {
    "in turns": [call(0, "a", "f", ""), call(1, "b", "g", ""), call(0, arguments='{"x":'), call(1, arguments='{"y":"}'), call(0, arguments="1}"),
                 call(1, arguments='{"}')],
    "the second first": [call(0, "a", "f", ""), call(1, "b", "g", '{"y":"}{"}'), call(0, arguments='{"x":1}')],
    "one after the other": [call(0, "a", "f", '{"x"'), call(0, arguments=":1}"), call(1, "b", "g", '{"y":"}'), call(1, arguments='{"}')],
}  # fmt: skip


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_calls_that_come_side_by_side(team, anthropics, server, name):
    events = [ROLE, *SIDE_BY_SIDE[name], chunk({}, "tool_calls"), usage_chunk()]
    server.says(MODEL, {"events": events})
    assert Built(stream(team, model="fast").chunks).told()[2] == [("f", {"x": 1}), ("g", {"y": "}{"})]
    server.says(MODEL, {"events": events})
    with anthropics.messages.stream(model="fast", max_tokens=50, messages=[{"role": "user", "content": "Hi"}]) as got:
        message = got.get_final_message()
    assert [(block.name, block.input) for block in message.content] == [("f", {"x": 1}), ("g", {"y": "}{"})]
    server.says(MODEL, {"events": events})
    told = [each for each in responding.events(responding.respond(team, model="fast", stream=True)) if each["type"] == "response.output_item.done"]
    assert [(each["item"]["name"], json.loads(each["item"]["arguments"])) for each in told] == [("f", {"x": 1}), ("g", {"y": "}{"})]


IN_BETWEEN = {
    "white space": ([call(0, "a", "f", ""), text("\n"), call(0, arguments='{"x":1}')], ["f", "\n"]),
    "text": ([call(0, "a", "f", '{"x"'), text("mi"), text("d"), call(0, arguments=":1}"), text("dle")], ["f", "middle"]),
    "thoughts": ([call(0, "a", "f", '{"x"'), chunk({"reasoning_content": "Hm"}), call(0, arguments=":1}")], ["f", "Hm"]),
    "another call": ([call(0, "a", "f", '{"x"'), text("one"), call(1, "b", "g", '{"x"'), text("two"), call(0, arguments=":1}"), call(1, arguments=":2}")],
                     ["f", "one", "g", "two"]),
    "the call has no end": ([call(0, "a", "f", ""), text("Hello"), call(0, arguments="")], ["f", "Hello"]),
    "text before": ([text("He"), text("l"), text("lo"), call(0, "a", "f", '{"x"'), text("mid"), call(0, arguments=":1}")], ["Hello", "f", "mid"]),
    "older form": ([chunk({"function_call": {"name": "f", "arguments": '{"x"'}}), text("mid"), chunk({"function_call": {"arguments": ":1}"}})], ["f", "mid"]),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_BETWEEN)
def test_text_between_the_parts_of_a_call(team, anthropics, server, name):
    events, wanted = IN_BETWEEN[name]
    arguments = {"f": {"x": 1} if name != "the call has no end" else {}, "g": {"x": 2}}
    events = [ROLE, *events, chunk({}, "tool_calls"), usage_chunk()]
    server.says(MODEL, {"events": events})
    with anthropics.messages.stream(model="fast", max_tokens=50, messages=[{"role": "user", "content": "Hi"}]) as got:
        blocks = got.get_final_message().content
    told = [(block.name, block.input) if block.type == "tool_use" else getattr(block, block.type) for block in blocks]
    assert told == [(each, arguments[each]) if each in arguments else each for each in wanted]
    server.says(MODEL, {"events": events})
    done = [each["item"] for each in responding.events(responding.respond(team, model="fast", stream=True)) if each["type"] == "response.output_item.done"]
    told = [(each["name"], json.loads(each["arguments"])) if each["type"] == "function_call" else each["content"][0]["text"] for each in done]
    assert told == [(each, arguments[each]) if each in arguments else each for each in wanted]


def test_a_call_that_is_cut_by_the_bound_is_left_out_of_messages(team, anthropics, server):
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x"'}}]
    told = whole({})
    told["choices"] = [{"index": 0, "message": {"role": "assistant", "content": "So", "tool_calls": calls}, "finish_reason": "length"}]
    server.says(MODEL, {"json": told})
    message = anthropics.messages.create(model="fast", max_tokens=50, messages=[{"role": "user", "content": "Hi"}])
    assert message.stop_reason == "max_tokens" and [block.type for block in message.content] == ["text"]


@pytest.mark.parametrize("last", ["error", "cut"])
def test_a_failure_after_the_end_takes_nothing_back(team, server, last):
    late = {"error": {"message": "late", "code": 500}} if last == "error" else 'data: {"choices":[],"usa'
    server.says(MODEL, {"events": [ROLE, text("Hello there"), STOP, late], "done": False})
    got = stream(team, model="fast", stream_options={"include_usage": True})
    assert got.text() == "Hello there" and got.finish() == "stop" and got.is_done and got.error is None
    assert got.usage()["completion_tokens"] > 0


def test_done_without_a_finish_reason(team, server):
    server.says(MODEL, {"events": [ROLE, text("Hello")]})
    assert stream(team, model="fast").finish() == "stop"
    server.says(MODEL, {"events": [ROLE, call(0, "a", "f", "{}")]})
    assert stream(team, model="fast").finish() == "tool_calls"
    server.says(MODEL, {"events": [usage_chunk()]})
    assert refusal(team, is_streamed=True, model="fast")[0] == 502


def test_done_without_a_finish_reason_after_a_call_without_arguments(team, server):
    server.says(MODEL, {"events": [ROLE, call(0, "a", "f")]})
    assert Built(stream(team, model="fast").chunks).told() == ("", "", [("f", {})], "tool_calls")
    assert messages_told(team) == ("", [("f", {})], "tool_use")


@pytest.mark.parametrize("ends", [True, False])
def test_arguments_that_never_come_are_told_before_the_end(team, server, ends):
    events = [ROLE, call(0, "a", "f", ""), call(1, "b", "g", "{}"), *([chunk({}, "tool_calls")] if ends else [])]
    server.says(MODEL, {"events": events})
    got = stream(team, model="fast")
    assert Built(got.chunks).told() == ("", "", [("f", {}), ("g", {})], "tool_calls")
    last = got.chunks[-1]["choices"][0]
    assert (last["delta"], last["finish_reason"]) == ({}, "tool_calls") and got.is_done


NAMELESS = {"index": 0, "id": "a", "type": "function", "function": {"arguments": '{"x":1}'}}


@pytest.mark.parametrize("end", [[chunk({}, "tool_calls")], [STOP], []], ids=["tool_calls", "stop", "done"])
def test_a_call_whose_name_never_comes(team, server, end):
    server.says(MODEL, {"events": [ROLE, chunk({"tool_calls": [NAMELESS]}), *end]})
    assert refusal(team, is_streamed=True, model="fast")[0] == 502
    server.says(MODEL, {"events": [ROLE, text("Hello"), chunk({"tool_calls": [NAMELESS]}), *end]})
    got = stream(team, model="fast")
    assert got.text() == "Hello" and got.error and not got.is_done
    server.says(MODEL, {"events": [ROLE, text("Hello"), chunk({"tool_calls": [NAMELESS]}), chunk({}, "length")]})
    assert stream(team, model="fast").finish() == "length"
    server.says(MODEL, {"json": message(tool_calls=[NAMELESS])})
    assert refusal(team, model="fast")[0] == 502


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/plain"])
def test_a_stream_of_any_type_in_place_of_any_answer(team, server, kind, is_streamed):
    events = [ROLE, text("Look."), call(0, "a", "f", '{"x":'), call(0, arguments="1}"), chunk({}, "tool_calls"), usage_chunk()]
    raw = "".join(f"data: {json.dumps(one)}\r\n\r\n" for one in events) + "data: [DONE]\r\n\r\n"
    server.says(MODEL, {"raw": b": wait\r\n\r\n" + raw.encode(), "type": kind})
    if is_streamed:
        got = stream(team, model="fast", stream_options={"include_usage": True})
        assert Built([one for one in got.chunks if one["choices"]]).told() == ("Look.", "", [F1], "tool_calls")
        assert got.usage() == USAGE and got.is_done
        return
    told = ask(team, model="fast").json()
    (choice,) = told["choices"]
    assert choice["message"]["content"] == "Look." and choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"x":1}' and told["usage"] == USAGE
    assert messages_told(team) == ("Look.", [F1], "tool_use")
    server.says(MODEL, {"raw": raw.encode()[:200], "type": kind})
    assert refusal(team, model="fast")[0] == 502


def test_json_on_several_lines(team, server):
    """The client's events have one line each, however the server spreads its JSON."""
    told = json.dumps(whole({"text": "Look."}) | {"more": {"a": [1, 2]}}, indent=2)
    server.says(MODEL, {"raw": told.replace("\n", "\r\n").encode(), "type": "application/json"})
    got = stream(team, model="fast", stream_options={"include_usage": True})
    assert got.text() == "Look." and got.usage() == USAGE and got.is_done and got.error is None
    events = [ROLE, text("Hel"), text("lo", more={"a": [1]}), text("!"), STOP, usage_chunk()]
    lines = ["data: " + json.dumps(one, indent=1).replace("\n", "\ndata: ") for one in events]
    server.says(MODEL, {"events": lines})
    got = stream(team, model="fast", stream_options={"include_usage": True})
    assert got.text() == "Hello!" and got.usage() == USAGE and got.finish() == "stop" and got.is_done


def message(**fields):
    told = whole({})
    told["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": None} | fields
    return told


def calls(*made):
    return [{"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}} | one for one in made]


WHOLES = {
    "null content": (message(), {"content": ""}),
    "no tool calls": (message(content="Hi", tool_calls=[]), {"content": "Hi"}),
    "reasoning": (message(content="Hi", reasoning="Hm"), {"content": "Hi", "reasoning": "Hm", "reasoning_content": "Hm"}),
    "parts": (message(content=[{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]), {"content": "Hi", "reasoning_content": "Hm"}),
    "object": (message(tool_calls=calls({"function": {"name": "f", "arguments": {"x": 1}}})), {"content": None, "tool_calls": calls({})}),
    "index and more": (message(tool_calls=calls({"index": 3, "vendor": 1, "function": {"name": "f"}})), {"content": None, "tool_calls": calls({"vendor": 1, "function": {"name": "f", "arguments": "{}"}})}),
    "wrong types": (message(content={}, tool_calls={}, refusal=5), {"content": "", "refusal": None}),
    "a number": (message(content=5), {"content": "5"}),
    "no type": (message(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}]), {"content": None, "tool_calls": calls({})}),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLES)
def test_whole_answers_of_many_servers(team, server, name):
    told, wanted = WHOLES[name]
    server.says(MODEL, {"json": told})
    (choice,) = ask(team, model="fast").json()["choices"]
    assert {"refusal": None} | choice["message"] == {"role": "assistant", "refusal": None} | wanted
    assert choice["finish_reason"] == ("tool_calls" if "tool_calls" in wanted else "stop")


UNCOUNTED = {"none": {}, "null": {"usage": None}, "half": {"usage": {"prompt_tokens": 9}}, "wrong": {"usage": [1]}}


@pytest.mark.parametrize("name", UNCOUNTED)
def test_a_whole_answer_without_usage_is_counted(team, server, name):
    told = whole({})
    del told["usage"]
    server.says(MODEL, {"json": told | UNCOUNTED[name] | {"extra": {"a": 1}}})
    answer = ask(team, model="fast")
    usage = answer.json()["usage"]
    assert usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0 and usage["total_tokens"] == sum(list(usage.values())[:2])
    assert answer.text.count('"usage"') == 1 and answer.json()["extra"] == {"a": 1}


def test_usage_of_groq_in_a_whole_answer(team, server):
    told = whole({})
    del told["usage"]
    server.says(MODEL, {"json": told | {"x_groq": {"id": "r", "usage": USAGE}}})
    assert ask(team, model="fast").json()["usage"] == USAGE


@pytest.mark.parametrize("told", [{"prompt_tokens": 9.0, "completion_tokens": 8.0, "total_tokens": 17.0}, {"prompt_tokens": 9, "completion_tokens": 8}])
def test_odd_usage_in_a_whole_answer(team, server, told):
    server.says(MODEL, {"json": whole({}) | {"usage": told}})
    answer = ask(team, model="fast")
    assert answer.json()["usage"] == USAGE and b".0" not in answer.content and answer.text.count('"usage"') == 1


def test_tokens_that_are_kept_are_told(team, anthropics, server, is_streamed):
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2}}
    server.says(MODEL, {"events": [ROLE, text("Hi"), STOP, usage_chunk(**usage)]} if is_streamed else {"json": whole({}) | {"usage": usage}})
    asked = {"model": "fast", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    if is_streamed:
        with anthropics.messages.stream(**asked) as got:
            told = got.get_final_message().usage
        response = responding.events(responding.respond(team, model="fast", stream=True))[-1]["response"]
    else:
        told = anthropics.messages.create(**asked).usage
        response = responding.respond(team, model="fast").json()
    assert (told.input_tokens, told.cache_read_input_tokens, told.cache_creation_input_tokens) == (3, 4, 2)
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 4, "cache_write_tokens": 2}


def test_a_call_of_the_older_form_has_an_id(team, server, is_streamed):
    function = {"name": "f", "arguments": '{"x":1}'}
    told = {"events": [ROLE, chunk({"function_call": function}), chunk({}, "function_call")]}
    server.says(MODEL, told if is_streamed else {"json": message(function_call=function)})
    answer = responding.respond(team, model="fast", stream=is_streamed)
    response = responding.events(answer)[-1]["response"] if is_streamed else answer.json()
    (call,) = response["output"]
    assert call["call_id"].startswith("call_") and call["arguments"] == '{"x":1}'


def test_the_callers_key_is_passed_on(start_relay, server, caller):
    relay = start_relay(
        PROVIDER_OWN_KIND="openai", PROVIDER_OWN_BASE_URL=server.base_url + "/chat/completions", PROVIDER_OWN_MODELS="m9",
        PROVIDER_OWN_PASSTHROUGH="true", PROVIDER_OWN_HEADERS="X-Title: T; User-Agent: other", THREADS="1",
    )  # fmt: skip
    server.says("m9", {"own_headers": ["x-title"]})
    theirs, others = TEAM_TOKEN + "-theirs", TEAM_TOKEN + "-others"
    # The state that a loop keeps for the last caller must not reach another one.
    keys = [theirs, theirs, others, theirs, others, others]
    for key in keys:
        assert ask(caller(relay, key), model="m9").status_code == 200
    seen = [request["headers"] for request in server.asked("m9")]
    assert [headers["authorization"] for headers in seen] == [f"Bearer {key}" for key in keys]
    assert {(headers["x-title"], headers["user-agent"]) for headers in seen} == {("T", "other")}
    assert server.take_violations() == []


def test_a_server_that_wants_no_key(start_relay, server):
    relay = start_relay(**provider("LOCAL", "openai", server.base_url, "m8"), ANONYMOUS_MODELS="all")
    asked = {"model": "m8", "messages": [{"role": "user", "content": "Hi"}]}
    answer = local_http.post(relay.base_url + PATH, json=asked)
    assert answer.status_code == 200, answer.text
    assert "authorization" not in server.asked("m8")[0]["headers"]


def test_a_server_that_stays_silent_after_the_end(team, server):
    server.says(MODEL, {"events": [ROLE, text("Hello"), STOP], "done": False, "stall": True})
    got = stream(team, model="fast")
    assert got.text() == "Hello" and got.is_done and got.finish() == "stop"
