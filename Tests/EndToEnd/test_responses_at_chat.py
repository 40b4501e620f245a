"""Bodies of the Responses API sent to `/v1/chat/completions`: each vendor gets what it gets from `/v1/responses`, and
the client gets a chat completion."""

from typing import Any

import anthropic_vendor
import pytest
from all_kinds import CLAUDES, MODELS, PARAMETERS, calling, got

FUNCTION = {"name": "f", "description": "d", "parameters": PARAMETERS}
TOOL = {"type": "function", **FUNCTION}
FORMAT = {"type": "json_schema", "name": "x", "strict": True, "schema": PARAMETERS | {"additionalProperties": False, "required": ["n"]}}
HISTORY = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [{"type": "input_text", "text": "One."}, {"type": "input_text", "text": "Two."}]},
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"n": 1}', "status": "completed"},
    {"type": "function_call_output", "call_id": "call_1", "output": "result 1"},
    {"role": "assistant", "content": [{"type": "output_text", "text": "Three.", "annotations": []}]},
    {"role": "user", "content": "Four."},
]
BODIES: dict[str, dict[str, Any]] = {
    "a text": {"input": "Hi"},
    "a history with tools": {
        "instructions": "You are a pirate.", "input": HISTORY, "tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False,
        "max_output_tokens": 321, "include": ["reasoning.encrypted_content"], "truncation": "disabled",
    },
    "tools of a chat": {"input": HISTORY, "tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "auto"},
    "a custom tool": {"input": HISTORY, "tools": [TOOL, {"type": "custom", "name": "c", "description": "d"}]},
    "a format": {"input": "Hi", "text": {"format": FORMAT, "verbosity": "low"}, "max_output_tokens": 321},
    "reasoning": {"input": "Hi", "reasoning": {"effort": "low", "summary": "auto"}, "temperature": 0.5, "metadata": {"a": "b"}},
    "unknown fields": {"input": "Hi", "x_unknown": [1], "max_tool_calls": 3, "background": False, "user": "u", "prompt_cache_key": "k"},
    "null messages": {"input": "Hi", "messages": None},
}  # fmt: skip


def in_json(kind: str) -> dict[str, Any]:
    """Returns the script of a response in the format."""
    if kind == "onemin":
        return {"answer": '{"n": 1}', "deltas": ['{"n": 1}']}
    return {"content": [anthropic_vendor.text('{"n": 1}')]} if kind in CLAUDES else {"text": '{"n": 1}'}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("kind", MODELS)
def test_vendors_get_the_same_from_both_endpoints(kinds, kind, name, is_streamed):
    said = in_json(kind) if name == "a format" else {}
    body = BODIES[name] | {"model": kind}
    sent = []
    for surface in ("responses", "chat"):
        kinds.says(kind, said | ({"own": {"fields": ["x_unknown"]}} if kind == "via" else {}))
        answer = kinds.ask(surface, body, is_streamed=is_streamed)
        assert answer.status_code == 200, (surface, answer.text)
        assert got(surface, answer, is_streamed=is_streamed)["text"], surface
        sent.append(kinds.bodies(kind))
    assert sent[0] == sent[1] and len(sent[0]) == 1
    assert kinds.take_violations() == []


def test_calls_come_back_as_calls_of_a_chat(kinds, is_streamed):
    for kind in MODELS:
        if kind == "onemin":
            continue
        kinds.says(kind, calling(kind, ("call_9", 7)))
        answer = kinds.ask("chat", {"model": kind} | BODIES["a history with tools"], is_streamed=is_streamed)
        assert [call[1:] for call in got("chat", answer, is_streamed=is_streamed)["calls"]] in ([("f", '{"n": 7}')], [("f", '{"n":7}')]), kind
    assert kinds.take_violations() == []


def test_the_usage_of_a_stream_comes_if_asked(kinds):
    for kind in MODELS:
        for include in (True, False):
            kinds.says(kind, {})
            body = {"model": kind, "input": "Hi", "stream_options": {"include_usage": include}}
            answer = kinds.ask("chat", body, is_streamed=True)
            assert answer.status_code == 200 and ('"prompt_tokens"' in answer.text) is include, (kind, answer.text)
    assert kinds.take_violations() == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"input": "Hi", "previous_response_id": "resp_1"}, "previous_response_id"), ({"input": 7}, "input"), ({}, "messages"), ({"messages": None}, "messages"),
     ({"input": [{"type": "message"}]}, "input[0].role"), ({"input": "Hi", "background": True}, "background")],
)  # fmt: skip
def test_mistakes_are_named(kinds, fields, param):
    for kind in MODELS:
        answer = kinds.ask("chat", {"model": kind} | fields)
        assert answer.status_code == 400 and answer.json()["error"]["param"] == param, (kind, answer.text)


def test_a_chat_sent_to_responses_names_the_field(kinds):
    for kind in MODELS:
        answer = kinds.ask("responses", {"model": kind, "messages": [{"role": "user", "content": "Hi"}]})
        assert answer.status_code == 400 and answer.json()["error"]["param"] == "input", (kind, answer.text)
