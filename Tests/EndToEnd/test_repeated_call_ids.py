"""Ids of tool calls that occur twice, in requests and in responses: each result stays at its call."""

import json

import pytest
from all_kinds import MODELS, SURFACES, calling, got, read_by_the_relay, reads, request

TWICE = ["Go.", [("a", 1), ("a", 2)], {"results": [("a", 1), ("a", 2)]}, "And?"]


def test_each_result_is_read_at_its_call_by_the_smallest_surface(kinds):
    """`CallHistoryTests` have the others."""
    kinds.says("chat", {})
    assert kinds.ask("llm", request("llm", "chat", TWICE)).status_code == 200
    assert reads("chat", kinds.bodies("chat")[0]) == [(1, "result 1"), (2, "result 2")]


@pytest.mark.parametrize("turns", [["Go.", [("a", 1), ("b", 2)], {"results": [("b", 2), ("a", 1)]}, "And?"], TWICE], ids=["as it came", "changed"])
def test_chat_completions_keep_all_else_on_their_way(kinds, turns):
    body = request("chat", "chat", turns)
    body["messages"][1] |= {"own": {"a": [1]}}
    body["messages"][2]["more"] = "kept"
    kinds.says("chat", {"extra": True})
    assert kinds.ask("chat", body).status_code == 200
    (read,) = kinds.bodies("chat")
    if turns is TWICE:
        body["messages"][1]["tool_calls"][1]["id"] = body["messages"][3]["tool_call_id"] = "a_2"
    assert read["messages"] == body["messages"]


@pytest.mark.parametrize("surface", SURFACES)
def test_ids_of_one_response_differ(kinds, surface, is_streamed):
    for kind in read_by_the_relay(surface, *MODELS):
        if kind == "onemin":
            continue
        kinds.says(kind, calling(kind, ("a", 1), ("a", 2), ("b", 3)))
        answer = kinds.ask(surface, request(surface, kind, ["Go."]), is_streamed=is_streamed)
        calls = got(surface, answer, is_streamed=is_streamed)["calls"]
        assert [json.loads(arguments)["n"] for _, _, arguments in calls] == [1, 2, 3], (kind, calls)
        ids = [id for id, _, _ in calls]
        assert len(set(ids)) == 3 and ids[0] == "a" and ids[2] == "b", (kind, ids)


def test_ids_that_servers_send_in_one_list_differ(kinds):
    from openai_vendor import chunk

    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": json.dumps({"n": n})}} for n in (1, 2)]
    for listed in (calls, [call | {"index": 0} for call in calls], [call | {"index": at} for at, call in enumerate(calls)]):
        for surface in SURFACES:
            kinds.says("chat", {"events": [chunk({"role": "assistant", "tool_calls": listed}), chunk({}, "tool_calls")]})
            answer = kinds.ask(surface, request(surface, "chat", ["Go."]), is_streamed=True)
            found = got(surface, answer, is_streamed=True)["calls"]
            assert [json.loads(arguments)["n"] for _, _, arguments in found] == [1, 2], found
            assert len({id for id, _, _ in found}) == 2


@pytest.mark.parametrize("kind", ["via", "anthropic", "gemini", "cohere", "vertexai_gemini", "vertexai_claude"])
def test_functions_without_ids_keep_their_results(kinds, kind):
    def called(n):
        return {"role": "assistant", "function_call": {"name": "f", "arguments": json.dumps({"n": n})}}

    def result(n):
        return {"role": "function", "name": "f", "content": f"result {n}"}

    (named,) = request("chat", kind, [[("call_1", 4)]])["messages"]
    messages = [
        {"role": "user", "content": "Go."}, called(1), result(1), {"role": "user", "content": "On."}, called(2), called(3), result(2), result(3),
        {"role": "user", "content": "On."}, named, {"role": "tool", "tool_call_id": "call_1", "content": "result 4"}, {"role": "user", "content": "And?"},
    ]  # fmt: skip
    kinds.says(kind, {})
    assert kinds.ask("chat", request("chat", kind, []) | {"messages": messages}).status_code == 200
    (body,) = kinds.bodies(kind)
    assert reads(kind, body) == [(n, f"result {n}") for n in range(1, 5)]
