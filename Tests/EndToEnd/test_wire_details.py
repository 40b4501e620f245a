"""Details of vendors' wires that public bug reports name: text parts, counts, arguments, compressed responses."""

import gzip
import json

import anthropic_vendor
import pytest
from all_kinds import CLAUDES, GOOGLES, MODELS, SURFACES, Kinds, calling, got, request
from cohere_vendor import end, named
from conftest import TEAM_TOKEN
from openai_vendor import chunk, usage_chunk
from pictures import audio

BOTH = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def all_kinds(launch, vendor):
    running = Kinds(launch, vendor)
    yield running
    running.stop()


@pytest.fixture
def kinds(all_kinds):
    yield all_kinds
    assert all_kinds.take_violations() == []


# Arguments ---------------------------------------------------------------------------------------------------------


def doubled(kind, start):
    """Returns the events of a call whose arguments `start` precede the actual ones."""
    pieces = ['{"n"', ":1}"]
    if kind in CLAUDES:
        events = list(anthropic_vendor.all_events(calling(kind, ("a", 1))))
        for event in events:
            if event["type"] == "content_block_start":
                event["content_block"]["input"] = json.loads(start)
        return events if kind == "anthropic" else [f"event: {event['type']}\ndata: {json.dumps(event)}" for event in events]
    if kind == "cohere":
        function = {"name": "f", "arguments": start}
        deltas = [named("tool-call-delta", index=0, delta={"message": {"tool_calls": {"function": {"arguments": piece}}}}) for piece in pieces]
        return [named("tool-call-start", index=0, delta={"message": {"tool_calls": {"id": "a", "type": "function", "function": function}}}),
                *deltas, named("tool-call-end", index=0), end("TOOL_CALL")]  # fmt: skip
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": start}}
    deltas = [chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in (pieces if start == "{}" else ["".join(pieces)])]
    return [chunk({"role": "assistant", "tool_calls": [call]}), *deltas, chunk({}, "tool_calls"), usage_chunk()]


@pytest.mark.parametrize("start", ['{"n":1}', "{}"])
@pytest.mark.parametrize("surface", SURFACES)
def test_deltas_replace_the_arguments_of_the_beginning(kinds, surface, start):
    for kind in (*CLAUDES, "cohere", "chat", "cloudflare"):
        script = {"events": doubled(kind, start)} | ({"content": []} if kind == "vertexai_claude" else {})
        kinds.says(kind, script)
        answer = kinds.ask(surface, request(surface, kind, ["Go."]), is_streamed=True)
        calls = got(surface, answer, is_streamed=True)["calls"]
        assert [(name, json.loads(arguments)) for _, name, arguments in calls] == [("f", {"n": 1})], (kind, calls)


@pytest.mark.parametrize("surface", SURFACES)
def test_arguments_without_deltas_are_those_of_the_beginning(kinds, surface):
    for kind in (*CLAUDES, "cohere", "chat", "cloudflare"):
        for start in ('{"n":1}', "{}"):
            events = [event for event in doubled(kind, start) if not is_delta(event)]
            kinds.says(kind, {"events": events} | ({"content": []} if kind == "vertexai_claude" else {}))
            answer = kinds.ask(surface, request(surface, kind, ["Go."]), is_streamed=True)
            calls = got(surface, answer, is_streamed=True)["calls"]
            assert [(name, json.loads(arguments)) for _, name, arguments in calls] == [("f", json.loads(start))], (kind, calls)


def is_delta(event):
    text = event if isinstance(event, str) else json.dumps(event)
    return "input_json_delta" in text or "tool-call-delta" in text or '"tool_calls": [{"index": 0, "function"' in text


def test_an_empty_object_does_not_hold_up_the_next_call(kinds):
    calls = [{"index": at, "id": f"call{at}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for at in range(3)]
    events = [*(chunk({"role": "assistant", "tool_calls": [call]}) for call in calls), chunk({}, "tool_calls"), usage_chunk()]
    for surface in SURFACES:
        kinds.says("chat", {"events": events})
        answer = kinds.ask(surface, request(surface, "chat", ["Go."]), is_streamed=True)
        assert [call[1:] for call in got(surface, answer, is_streamed=True)["calls"]] == [("f", "{}")] * 3, answer.text
