"""Items, tools and fields that only a Responses API knows: at a provider that is called through it they go on as they
came, in their order. Other providers refuse items and tools, and do not get fields."""

import itertools
import json
from typing import Any

import local_http
import pytest
from conftest import secrets
from relay_process import provider
from responding import PATH, called, error_of, events, result

TOKEN = "token-of-own-items"
AT, CHATS = "by/own", "by/own-chats"
FUNCTION = {"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object", "properties": {}}, "strict": False}
DEEP = {"a": [1, 2.5, {"b": [[None, True, "\u2600 \"quoted\"\n"]], "": {}}], "big": 12345678901234567890}
MCP = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example", "require_approval": "never"}
TOMORROWS = {"type": "tool_of_tomorrow", **DEEP}
ITEM = {"type": "item_of_tomorrow", "id": "zz_1", "status": "completed", **DEEP}
SHOT = {"type": "computer_call_output", "call_id": "c1", "output": {"type": "computer_screenshot", "image_url": "https://a.example/b.png"}}
APPROVAL = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
KNOWN = [
    {"role": "user", "content": "Hi"}, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "rs_v1.sealed"}, called(), result(),
    {"role": "assistant", "content": "Well.", "phase": "commentary"}, {"role": "user", "content": "On"},
]  # fmt: skip
OWN = {
    "items": ["shell_call", "shell_call_output", "item_of_tomorrow", "computer_call_output", "mcp_approval_response", "computer_call", "mcp_list_tools", "image_generation_call", "web_search_call"],
    "tools": ["mcp", "shell", "tool_of_tomorrow", "image_generation", "computer_use_preview"],
    "fields": ["field_of_tomorrow", "client_metadata", "context", "new"],
}  # fmt: skip
TOOLLESS = {f"{what}-{is_streamed}": f"by/{what}-{is_streamed}" for what in ("toolless", "unforced") for is_streamed in (True, False)}


@pytest.fixture(scope="module")
def relay(launch, server):
    secrets.add(TOKEN)
    return launch(
        **provider("ROW", "openai", server.base_url, f"m={AT},kept=by/own-kept,{','.join(f'{name}={at}' for name, at in TOOLLESS.items())},strict-True=by/strict-True,strict-False=by/strict-False", CHAT_VIA="responses"),
        **provider("CHATS", "openai", server.base_url, f"c={CHATS}"), KEY_A_TOKEN=TOKEN, CACHE="true", CACHE_MODELS="kept",
    )  # fmt: skip


@pytest.fixture
def http(relay, server):
    """A client that does not check responses by OpenAI's schemas, which lack the items of these tests."""
    with local_http.Client(base_url=relay.base_url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as client:
        yield client
    assert server.take_violations() == []


def final(http, is_streamed: bool, **fields: Any) -> dict[str, Any]:
    answer = http.post(PATH, json={"model": "m", "input": "Hi", "stream": is_streamed} | fields)
    assert answer.status_code == 200, answer.text
    return events(answer)[-1]["response"] if is_streamed else answer.json()


def sent_to(http, server, is_streamed: bool, **fields: Any) -> dict[str, Any]:
    server.says(AT, {"own": OWN})
    final(http, is_streamed, **fields)
    (seen,) = server.asked(AT)
    assert seen["path"] == "/responses"
    return seen["body"]


def plain(item: dict[str, Any]) -> dict[str, Any]:
    return item | {"id": "rs_v1", "encrypted_content": "sealed"} if item.get("type") == "reasoning" else item


@pytest.mark.parametrize("at", range(len(KNOWN) + 1))
@pytest.mark.parametrize("own", [[ITEM], [ITEM, SHOT], [APPROVAL]], ids=["one", "two", "approval"])
def test_items_go_on_in_their_place(http, server, is_streamed, own, at):
    items = [*KNOWN[:at], *own, *KNOWN[at:]]
    assert sent_to(http, server, is_streamed, input=items, tools=[FUNCTION])["input"] == [plain(item) for item in items]


@pytest.mark.parametrize("tools", list(itertools.permutations([FUNCTION, FUNCTION | {"name": "other"}, MCP, TOMORROWS])), ids=str)
def test_tools_go_on_in_their_order(http, server, tools):
    assert sent_to(http, server, False, tools=list(tools))["tools"] == list(tools)


@pytest.mark.parametrize(
    ("tools", "choice"),
    [([MCP], "required"), ([MCP], "none"), ([FUNCTION, MCP], "required"), ([FUNCTION, MCP], {"type": "function", "name": "weather"}),
     ([MCP], {"type": "mcp", "server_label": "docs"}), ([FUNCTION, TOMORROWS], {"type": "tool_of_tomorrow", **DEEP}), ([MCP], "choice_of_tomorrow"),
     ([FUNCTION, MCP], {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "docs"}]})],
    ids=lambda value: json.dumps(value)[:40],
)  # fmt: skip
def test_the_choice_of_a_tool_goes_on(http, server, is_streamed, tools, choice):
    said = {"calls": [("call_1", "weather", "{}")]} if choice == {"type": "function", "name": "weather"} else {}
    server.says(AT, {"own": OWN} | said)
    final(http, is_streamed, tools=tools, tool_choice=choice)
    body = server.body(AT)
    assert (body["tools"], body["tool_choice"]) == (tools, choice)


@pytest.mark.parametrize(
    "fields",
    [{"field_of_tomorrow": DEEP}, {"client_metadata": {"session": "s"}, "field_of_tomorrow": None}, {"reasoning": {"effort": "low", "context": DEEP}},
     {"reasoning": {"context": "all"}}, {"text": {"new": DEEP}}, {"text": {"format": {"type": "json_object"}, "verbosity": "low", "new": [1]}}],
    ids=lambda value: json.dumps(value)[:40],
)  # fmt: skip
def test_fields_go_on(http, server, is_streamed, fields):
    said = {"text": "{}"} if "format" in fields.get("text", ()) else {}
    server.says(AT, {"own": OWN} | said)
    final(http, is_streamed, **fields)
    body = server.body(AT)
    for name, value in fields.items():
        assert body[name] == value | ({"summary": "auto"} if "effort" in value else {}) if isinstance(value, dict) else body[name] == value


def test_fields_that_a_server_refuses_are_left_out(http, server, is_streamed):
    model = f"by/strict-{is_streamed}"
    server.says(model, {"refuses_fields": ["client_metadata", "context"], "own": OWN})
    fields = {"client_metadata": {"a": "b"}, "field_of_tomorrow": 1, "reasoning": {"effort": "low", "context": 1}}
    done = 0
    for calls in (3, 1):
        final(http, is_streamed, model=f"strict-{is_streamed}", **fields)
        asked = [request["body"] for request in server.asked(model)][done:]
        done += calls
        assert len(asked) == calls
        assert asked[-1]["field_of_tomorrow"] == 1 and asked[-1]["reasoning"] == {"effort": "low", "summary": "auto"}
        assert "client_metadata" not in asked[-1]


@pytest.mark.parametrize(
    ("what", "words", "param", "fields"),
    [
        ("toolless", "m does not support tools", None, {}),
        ("unforced", "'tool_choice' of a named tool is not supported", "tool_choice", {"tool_choice": {"type": "function", "name": "weather"}}),
    ],
    ids=["tools", "choice"],
)
def test_tools_that_a_server_refuses_are_made_up_for(http, server, is_streamed, what, words, param, fields):
    name = f"{what}-{is_streamed}"
    refused = {"status": 400, "json": {"error": {"message": words, "type": "invalid_request_error", "param": param, "code": None}}}
    server.says(TOOLLESS[name], refused, {"text": '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>'})
    for asked, store in ((2, True), (3, False), (4, True)):
        response = final(http, is_streamed, model=name, tools=[FUNCTION], store=store, **fields)
        assert [(item["type"], item["name"], json.loads(item["arguments"])) for item in response["output"]] == [("function_call", "weather", {"city": "Rome"})]
        seen = [request["body"] for request in server.asked(TOOLLESS[name])]
        assert len(seen) == asked and not {"tools", "tool_choice"} & set(seen[-1])


@pytest.mark.parametrize(
    "error",
    [{"message": "Unknown parameter: 'other'.", "param": "input"}, {"message": "field_of_tomorrow must be a string.", "param": "field_of_tomorrow"}],
    ids=["other", "value"],
)
def test_a_refusal_of_something_else_is_not_repeated(http, server, error):
    server.says(AT, {"status": 400, "json": {"error": error}, "own": OWN})
    answer = http.post(PATH, json={"model": "m", "input": "Hi", "field_of_tomorrow": 1, "new": 1})
    assert answer.status_code == 400 and len(server.asked(AT)) == 1


def test_items_tools_and_fields_together_at_each_depth(http, server, is_streamed):
    value: Any = "deep"
    for depth in range(60):
        value = [value] if depth % 2 else {"a": value, "b": depth}
    tool, item = {"type": "tool_of_tomorrow", "x": value}, {"type": "item_of_tomorrow", "x": value}
    body = sent_to(http, server, is_streamed, input=[*KNOWN, item], tools=[tool, FUNCTION], field_of_tomorrow=value)
    assert body["input"][-1] == item and body["tools"] == [tool, FUNCTION] and body["field_of_tomorrow"] == value


IMAGE = {"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": "aGk=" * 100, "new": DEEP}
CLICK = {"id": "cu_1", "type": "computer_call", "status": "completed", "call_id": "c1", "action": {"type": "click", "x": 1, "y": 2}}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "Rome"}}
LISTED = {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "docs", "tools": [{"name": "a", "input_schema": {}}]}
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA-sealed"}
CALL = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "weather", "arguments": "{}"}
TEXT = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "Sunny.", "annotations": [], "logprobs": []}]}  # fmt: skip
OUTPUTS = {
    "alone": [CLICK], "after reasoning": [THOUGHT, CLICK], "before a text": [LISTED, IMAGE, TEXT], "between": [TEXT, SEARCH, TEXT | {"id": "msg_2"}],
    "with a call": [THOUGHT, IMAGE, CALL, SEARCH], "two": [CLICK, CLICK | {"id": "cu_2", "call_id": "c2"}],
}  # fmt: skip


def shape(item: dict[str, Any]) -> Any:
    if item["type"] == "message":
        return item["content"][0]["text"]
    return item["type"] if item["type"] in ("reasoning", "function_call") else item


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_items_come_back_and_go_back(http, server, is_streamed, name):
    said = OUTPUTS[name]
    server.says(AT, {"items": said, "own": OWN})
    answer = http.post(PATH, json={"model": "m", "input": "Hi", "stream": is_streamed, "tools": [FUNCTION, MCP]})
    assert answer.status_code == 200, answer.text
    got = events(answer)[-1]["response"] if is_streamed else answer.json()
    assert [shape(item) for item in got["output"]] == [shape(item) for item in said]
    if is_streamed:
        told = events(answer)
        done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
        assert done == got["output"] and [event["sequence_number"] for event in told] == list(range(len(told)))
        opened = [event["output_index"] for event in told if event["type"] == "response.output_item.added"]
        assert opened == list(range(len(said)))
    results = [result("fine")] if CALL in said else []
    body = sent_to(http, server, is_streamed, input=[KNOWN[0], *got["output"], *results, KNOWN[-1]], tools=[FUNCTION, MCP])
    own = [item for item in said if item["type"] in OWN["items"]]
    assert [item for item in body["input"] if item.get("type") in OWN["items"]] == own
    kinds = [item.get("type", "message") for item in body["input"]]
    assert kinds == ["message", *[item["type"] for item in said], *[item["type"] for item in results], "message"]


def test_a_stored_response_is_continued(http, server, is_streamed):
    server.says(AT, {"items": [CLICK], "own": OWN})
    first = final(http, is_streamed, input=[KNOWN[0], {"type": "item_of_tomorrow", "x": 1}], tools=[MCP])
    body = sent_to(http, server, is_streamed, previous_response_id=first["id"], input=[SHOT])
    assert body["input"] == [KNOWN[0], {"type": "item_of_tomorrow", "x": 1}, CLICK, SHOT]


def test_a_loop_of_the_vendors_own_tool_is_continued(http, server, is_streamed):
    call = {"id": "sh_1", "type": "shell_call", "status": "completed", "call_id": "c9", "action": {"commands": ["ls"]}}
    done = {"type": "shell_call_output", "call_id": "c9", "output": [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]}
    server.says(AT, {"items": [call], "own": OWN})
    first = final(http, is_streamed, input=[KNOWN[0]], tools=[{"type": "shell"}])
    body = sent_to(http, server, is_streamed, previous_response_id=first["id"], input=[done], tools=[{"type": "shell"}])
    assert body["input"] == [KNOWN[0], call, done]


def test_searches_come_back(http, server, is_streamed):
    server.says(AT, {"items": [SEARCH, TEXT], "own": OWN})
    got = final(http, is_streamed, tools=[{"type": "web_search"}], max_tool_calls=3, include=["web_search_call.action.sources"])
    assert [shape(item) for item in got["output"]] == [SEARCH, "Sunny."]
    body = server.body(AT)
    assert (body["max_tool_calls"], body["include"]) == (3, ["reasoning.encrypted_content", "web_search_call.action.sources"])


@pytest.mark.parametrize(
    ("words", "param", "fields", "kept"),
    [
        ("Invalid value: 'file_search_call.results'. Supported values are: 'reasoning.encrypted_content', and 'code_interpreter_call.outputs'.", "include[1]", {"include": ["file_search_call.results"]}, {"include": ["reasoning.encrypted_content"]}),
        ("Unsupported value: 'reasoning.summary' does not support 'concise' with this model.", "reasoning.summary", {"reasoning": {"summary": "concise"}}, {"reasoning": {"summary": "auto"}}),
    ],
    ids=["include", "summary"],
)  # fmt: skip
def test_a_word_that_a_server_refuses_changes_no_other_request(http, server, words, param, fields, kept):
    error = {"message": words, "type": "invalid_request_error", "param": param, "code": "unsupported_value"}
    server.says(AT, {"status": 400, "json": {"error": error}}, {})
    final(http, False, **fields)
    assert [server.asked(AT)[-1]["body"][name] for name in kept] == list(kept.values()) and len(server.asked(AT)) == 2
    final(http, False, reasoning={"effort": "low", "summary": "auto"}, include=["code_interpreter_call.outputs"])
    body = server.asked(AT)[-1]["body"]
    assert body["include"] == ["reasoning.encrypted_content", "code_interpreter_call.outputs"] and body["reasoning"] == {"effort": "low", "summary": "auto"}


def test_a_cached_response_has_them(http, server):
    server.says("by/own-kept", {"items": OUTPUTS["with a call"], "own": OWN})
    for is_streamed in (False, True):
        for state in ("miss", "hit"):
            answer = http.post(PATH, json={"model": "kept", "input": "Hi", "stream": is_streamed, "store": False, "tools": [FUNCTION, MCP]})
            assert answer.headers["x-relay-cache"] == state
            got = events(answer)[-1]["response"] if is_streamed else answer.json()
            assert [shape(item) for item in got["output"]] == [shape(item) for item in OUTPUTS["with a call"]]


@pytest.mark.parametrize(("fields", "param"), [
    ({"tools": [FUNCTION, MCP]}, "tools[1].type"), ({"input": [*KNOWN, ITEM]}, "input[6]"),
    ({"tools": [FUNCTION], "tool_choice": {"type": "mcp", "server_label": "docs"}}, "tool_choice.type"),
])  # fmt: skip
def test_other_providers_refuse_items_and_tools(http, fields, param):
    error = error_of(http.post(PATH, json={"model": "c", "input": "Hi"} | fields), 400)
    assert error["param"] == param and error["code"] == "unsupported_value"


def test_other_providers_do_not_get_fields(http, server, is_streamed):
    server.says(CHATS, {})
    assert final(http, is_streamed, model="c", field_of_tomorrow=1, reasoning={"context": 1}, text={"new": 1})["status"] == "completed"


@pytest.mark.parametrize("field", ["models", "n", "Model", "Instructions", "max_tokens", "file_ids"])
def test_fields_that_would_evade_the_relay_do_not_go_on(http, server, field):
    server.says(AT, {})
    answer = http.post(PATH, json={"model": "m", "input": "Hi", field: ["other"]})
    assert answer.status_code == 200 or error_of(answer, 400)["param"] == field
    assert all(field not in asked["body"] for asked in server.asked(AT))
    assert answer.status_code == (400 if field == "models" else 200)


@pytest.mark.parametrize("place", ["tools", "input"])
@pytest.mark.parametrize("value", [{"file_ids": ["file-of-somebody"]}, {"vector_store_ids": ["vs_1"]}, {"container": "cntr_1"}, {"file\\u005fid": "file-1"}])
def test_resources_of_the_providers_account_are_refused(http, server, place, value):
    server.says(AT, {})
    text = json.dumps({"model": "m", "input": "Hi", place: [{"type": "thing_of_tomorrow", "a": {"b": value}}]}).replace("\\\\u", "\\u")
    answer = http.post(PATH, content=text, headers={"content-type": "application/json"})
    assert error_of(answer, 400)["param"].startswith(place) and server.asked(AT) == []


def test_counting_and_compaction_refuse_them(http):
    for path in ("/v1/responses/input_tokens", "/v1/responses/compact"):
        assert error_of(http.post(path, json={"model": "m", "input": [ITEM]}), 400)["param"] == "input[0]"
        assert error_of(http.post(path, json={"model": "m", "input": "Hi", "tools": [MCP]}), 400)["param"] == "tools[0].type"
