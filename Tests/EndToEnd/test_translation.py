"""What agents send and other vendors do not have: references to tools, fields of Anthropic's own, and search tools."""

import anthropic
import anthropic_vendor
import openai
import pytest
from conftest import TEAM_TOKEN
from test_system_turns import HI, MORE, ROWS, USE, WEATHER, anthropics, ask, official, prepare, sites, turn, turns_relay

__all__ = ["anthropics", "ask", "official", "prepare", "sites", "turns_relay"]
OTHERS = [name for name, (row, _) in ROWS.items() if "claude" not in row]
CALLABLE = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
FORCED = {"type": "tool", "name": "web_search"}


@pytest.mark.parametrize("name", OTHERS)
def test_a_reference_to_a_tool_becomes_a_line(ask, name):
    references = [{"type": "tool_reference", "tool_name": found} for found in ("weather", "other")]
    result = turn("user", [{"type": "tool_result", "tool_use_id": "toolu_1", "content": references}])
    tools = [WEATHER, WEATHER | {"name": "other", "defer_loading": True}]
    body = str(ask(name, [HI, USE, result], tools=tools))
    assert "The tool weather is available." in body and "The tool other is available." in body
    # Tools that wait for a reference are there from the beginning.
    assert "'name': 'other'" in body and "defer_loading" not in body


def ignored(anthropics, prepare, name, **fields):
    last = prepare(name)
    answer = anthropics.messages.with_raw_response.create(model=name, max_tokens=99, messages=[HI], **fields)
    return answer.headers.get("x-relay-ignored"), last()


OWN = {
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}, "diagnostics": {}, "safeguards": [],
    "speed": "fast", "container": "c", "output_config": {"effort": "high", "task_budget": {"type": "tokens", "total": 9}},
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_fields_of_anthropic_are_left_out_and_named(anthropics, prepare, name):
    assert ignored(anthropics, prepare, name)[0] is None
    named, body = ignored(anthropics, prepare, name, extra_body=OWN | {"unknown_field": 1})
    assert set(named.split(", ")) == (set(OWN) - {"output_config"}) | {"output_config.task_budget"}
    assert not (set(OWN) | {"unknown_field"}) & set(body) and "task_budget" not in str(body)
    if name == "open":
        assert body["reasoning_effort"] == "high"
    server_tool = {"type": "code_execution_20250825", "name": "code_execution"}
    named, body = ignored(anthropics, prepare, name, tools=[server_tool, {"type": "agent_toolset_20260401"}, WEATHER | {"defer_loading": True}])
    assert named == "code_execution, agent_toolset, defer_loading" and "code_execution" not in str(body) and "weather" in str(body)


@pytest.mark.parametrize("kind", ["code_execution_20250825", "computer_20250124"])
def test_a_server_tool_cannot_be_the_only_one_nor_be_forced(anthropics, kind):
    tool = {"type": kind, "name": kind.partition("_2")[0]}
    for fields, path in [({"tools": [tool]}, "tools[0].type"), ({"tools": [tool, WEATHER], "tool_choice": {"type": "tool", "name": tool["name"]}}, "tool_choice.name")]:
        with pytest.raises(anthropic.BadRequestError) as caught:
            anthropics.messages.create(model="open", max_tokens=9, messages=[HI], **fields)
        assert path in str(caught.value)


def searches(body):
    """Returns whether a vendor's request has the vendor's own search, and the names of its functions."""
    tools = body.get("tools", [])
    own = [tool for tool in tools if tool.get("type") in ("web_search", "web_search_20250305") or "googleSearch" in tool]
    functions = [tool for tool in tools if tool not in own]
    return body.get("web_search_options") == {} or len(own) == 1, len(functions)


# A search alone, forced beside another tool, and offered; and what the vendor gets. Google's search does not go with functions.
WAYS = {"alone": ([SEARCH], None), "forced": ([WEATHER, SEARCH], FORCED), "offered": ([SEARCH, WEATHER], None)}
FOUND = {
    "open": {"alone": (True, 0), "forced": (True, 1), "offered": (True, 1)}, "resp": {"alone": (True, 0), "forced": (True, 1), "offered": (True, 1)},
    "gem": {"alone": (True, 0), "forced": (True, 0), "offered": (False, 1)}, "cf": {"offered": (False, 1)}, "co": {"offered": (False, 1)},
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FOUND)
def test_search_tools_of_messages(ask, anthropics, name, way):
    tools, choice = WAYS[way]
    fields = {"tools": tools} | ({"tool_choice": choice} if choice else {})
    if way in FOUND[name]:
        assert searches(ask(name, [HI], **fields)) == FOUND[name][way]
        return
    with pytest.raises(anthropic.BadRequestError) as caught:
        anthropics.messages.create(model=name, max_tokens=9, messages=[HI], **fields)
    assert f"tools[{tools.index(SEARCH)}]" in str(caught.value) or "does not support web search" in str(caught.value)


DOMAINS, TOWN = {"allowed_domains": ["a.example", "b.example"]}, {"country": "NO", "city": "Oslo"}
PLACE = {"user_location": {"type": "approximate"} | TOWN}
OPTIONS = {"search_context_size": "low", "user_location": {"type": "approximate", "approximate": TOWN}}
ASKED = {
    "messages": {"max_tokens": 99, "messages": [HI], "tools": [SEARCH | DOMAINS | {"blocked_domains": ["c.example"]} | PLACE]},
    "responses": {"input": "Hi", "tools": [{"type": "web_search", "filters": DOMAINS, "search_context_size": "low"} | PLACE]},
    "chat/completions": {"messages": [HI], "web_search_options": OPTIONS},
}  # fmt: skip
CLAUDES = {"type": "web_search_20250305", "name": "web_search"}
# For each surface and model: what the vendor gets, and what the response names as left out.
SEARCHES = {
    ("messages", "resp"): ({"type": "web_search", "filters": DOMAINS} | PLACE, "blocked_domains"),
    ("messages", "open"): ({"user_location": OPTIONS["user_location"]}, "allowed_domains, blocked_domains, max_uses"),
    ("messages", "gem"): ({"googleSearch": {}}, "user_location, allowed_domains, blocked_domains, max_uses"),
    ("responses", "new"): (CLAUDES | DOMAINS | PLACE, "search_context_size"), ("responses", "open"): (OPTIONS, "filters"),
    ("responses", "resp"): (ASKED["responses"]["tools"][0], None),
    ("chat/completions", "resp"): ({"type": "web_search", "search_context_size": "low"} | PLACE, None),
    ("chat/completions", "new"): (CLAUDES | PLACE, "search_context_size"), ("chat/completions", "open"): (OPTIONS, None),
}  # fmt: skip
FILTERED = {"web_search_options": DOMAINS | {"max_uses": 8}}
FLAGGED = {"web_search": True}
# The same for chats with the options of other APIs, and with the relay's own field.
CHAT_SEARCHES = [
    ("resp", FILTERED, {"type": "web_search", "filters": DOMAINS}, None), ("new", FILTERED, CLAUDES | DOMAINS | {"max_uses": 8}, None),
    ("gem", FILTERED, {"googleSearch": {}}, "allowed_domains, max_uses"), ("open", FILTERED, FILTERED["web_search_options"], None),
    ("resp", FLAGGED, {"type": "web_search"}, None), ("new", FLAGGED, CLAUDES, None),
    ("gem", FLAGGED, {"googleSearch": {}}, None), ("open", FLAGGED, {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields", "sent", "left_out"), CHAT_SEARCHES)
def test_a_search_of_a_chat(turns_relay, caller, prepare, name, fields, sent, left_out):
    last = prepare(name)
    answer = caller(turns_relay, TEAM_TOKEN).post("/v1/chat/completions", json={"model": name, "messages": [HI]} | fields)
    assert answer.status_code == 200, answer.text
    body = last()
    assert "web_search" not in body and (body.get("web_search_options") == sent if name == "open" else body["tools"] == [sent])
    assert answer.headers.get("x-relay-ignored") == left_out


def test_a_search_that_cannot_be_is_refused_by_its_name(turns_relay, caller):
    chats = caller(turns_relay, TEAM_TOKEN)
    for name, fields, param, message in [
        ("co", FLAGGED, "web_search", "does not support web search"),
        ("gem", FLAGGED | {"tools": [CALLABLE]}, "web_search", "only without tools. Remove 'web_search' or 'tools'."),
        ("gem", FILTERED | {"tools": [CALLABLE]}, "web_search_options", "only without tools. Remove 'web_search_options' or 'tools'."),
    ]:
        error = chats.post("/v1/chat/completions", json={"model": name, "messages": [HI]} | fields).json()["error"]
        assert error["param"] == param and message in error["message"], error


@pytest.mark.parametrize(("surface", "name"), SEARCHES)
def test_options_of_a_search(turns_relay, caller, prepare, surface, name):
    last = prepare(name)
    answer = caller(turns_relay, TEAM_TOKEN).post(f"/v1/{surface}", json={"model": name} | ASKED[surface])
    assert answer.status_code == 200, answer.text
    body, (sent, left_out) = last(), SEARCHES[surface, name]
    assert body.get("web_search_options") == sent if name == "open" else body["tools"] == [sent]
    assert answer.headers.get("x-relay-ignored") == left_out
    assert body.get("max_tool_calls") == (8 if (surface, name) == ("messages", "resp") else None)


@pytest.mark.parametrize("kind", ["web_search", "web_search_preview", "google_search"])
def test_search_tools_of_chats_and_responses(official, prepare, kind):
    tool = {"type": kind}
    for name in ("open", "new"):
        for tools, choice, found in [([tool], "auto", (True, 0)), ([tool, CALLABLE], "auto", (True, 1)), ([tool], "required", (True, 0)), ([CALLABLE, tool], tool, (True, 1))]:
            last = prepare(name)
            official.chat.completions.create(model=name, messages=[HI], tools=tools, tool_choice=choice)
            body = last()
            assert searches(body) == found
            chosen = {"type": "tool", "name": "web_search"} if name == "new" and choice == tool else None
            assert body.get("tool_choice") == chosen
    function = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    for name in () if kind == "google_search" else ("open", "resp", "new"):
        for tools, choice, found in [([tool], "auto", (True, 0)), ([function, tool], "auto", (True, 1)), ([tool], "required", (True, 0)), ([tool, function], tool, (True, 1))]:
            last = prepare(name)
            official.responses.create(model=name, input="Hi", tools=tools, tool_choice=choice)
            assert searches(last()) == found
    for name in () if kind == "google_search" else ("cf", "co"):
        last = prepare(name)
        official.responses.create(model=name, input="Hi", tools=[function, tool])
        assert searches(last()) == (False, 1)
        answer = official.responses.with_raw_response.create(model=name, input="Hi", tools=[function, tool])
        assert answer.headers["x-relay-ignored"] == "web_search"
        with pytest.raises(openai.BadRequestError) as caught:
            official.responses.create(model=name, input="Hi", tools=[function, tool], tool_choice=tool)
        assert caught.value.param == "tools[1].type"


def test_1min_ai_searches_only_when_the_search_is_the_request(claude, vendor, new_key):
    for fields, is_search in [({"tools": [SEARCH]}, True), ({"tools": [WEATHER, SEARCH], "tool_choice": FORCED}, True), ({"tools": [WEATHER, SEARCH]}, False)]:
        key = new_key()
        claude.with_options(api_key=key).messages.create(model="gpt-4o-mini", max_tokens=99, messages=[HI], **fields)
        assert ("webSearchSettings" in str(vendor.request(key)["body"])) == is_search


def test_a_refused_search_is_learned(anthropics, sites):
    refused = {"status": 400, "json": {"error": {"message": "Unknown parameter: 'web_search_options'.", "type": "invalid_request_error", "param": "web_search_options", "code": "unknown_parameter"}}}
    site = sites["open"]
    site.says("open-model", refused, {})
    for calls in (2, 1):
        assert anthropics.messages.create(model="open", max_tokens=9, messages=[HI], tools=[SEARCH, WEATHER]).content
        assert len(site.asked("open-model")) == calls and "web_search_options" not in site.asked("open-model")[-1]["body"]
        site.says("open-model", {})
    with pytest.raises(anthropic.BadRequestError) as caught:
        anthropics.messages.create(model="open", max_tokens=9, messages=[HI], tools=[SEARCH])
    assert "does not support web search" in str(caught.value) and site.asked("open-model") == []


EMPTY = {"null": {"content": None}, "text": {"content": ""}, "list": {"content": []}, "absent": {}}
CALL = {"tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]}


@pytest.mark.parametrize("content", EMPTY)
@pytest.mark.parametrize("name", ROWS)
def test_content_may_be_empty_beside_calls_and_reasoning(official, prepare, name, content):
    prepare(name, *[{"content": [anthropic_vendor.text("Fine.")], "lax": ["content"]} if "claude" in ROWS[name][0] else {}])
    called = [{"role": "assistant"} | CALL | EMPTY[content], {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]
    thought = {"role": "assistant", "reasoning_content": "Hm."} | EMPTY[content]
    if name != "open":
        official.chat.completions.create(model=name, messages=[HI, *called, thought, MORE], tools=[CALLABLE])


def test_a_name_with_a_large_window_is_the_model(anthropics, official, prepare, sites):
    prepare("open")
    assert anthropics.messages.create(model="open[1m]", max_tokens=9, messages=[HI]).model == "open"
    assert anthropics.messages.count_tokens(model="open[1m]", messages=[HI]).input_tokens > 0
    last = prepare("new", {"content": [anthropic_vendor.text("Fine.")], "own_headers": ["anthropic-beta"]})
    assert official.chat.completions.create(model="new[1m]", messages=[HI]).model == "new"
    assert last()["model"] == "claude-opus-4-8"
    assert sites["claude"].asked("claude-opus-4-8")[-1]["headers"]["anthropic-beta"] == "context-1m-2025-08-07"
    prepare("gem")
    assert official.chat.completions.create(model="gem[1m]", messages=[HI]).choices
    with pytest.raises(openai.NotFoundError):
        official.chat.completions.create(model="nothing[1m]", messages=[HI])


@pytest.mark.parametrize("name", ["new", "gem", "co"])
def test_a_byte_order_mark_before_arguments(official, prepare, name):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '\ufeff{"city":"Rome"}'}}
    turns = [HI, {"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": "Sunny"}]
    last = prepare(name)
    official.chat.completions.create(model=name, messages=turns, tools=[CALLABLE])
    body = str(last())
    assert "Rome" in body and "\ufeff" not in body and "_raw" not in body


def test_a_byte_order_mark_before_the_arguments_of_a_vendor(anthropics, prepare):
    prepare("open", {"calls": [("call_1", "weather", '\ufeff{"city":"Rome"}')]})
    (block,) = anthropics.messages.create(model="open", max_tokens=99, messages=[HI], tools=[WEATHER]).content
    assert block.input == {"city": "Rome"}
    prepare("open", {"calls": [("call_1", "weather", '\ufeff{"city":"Rome"}')]})
    with anthropics.messages.stream(model="open", max_tokens=99, messages=[HI], tools=[WEATHER]) as stream:
        (block,) = stream.get_final_message().content
    assert block.input == {"city": "Rome"}


def test_reasoning_of_openai_goes_to_no_other_vendor(official, prepare):
    for summary in ([], [{"type": "summary_text", "text": "Hm"}]):
        item = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAAA-sealed"}
        for name in ("new", "gem", "open"):
            last = prepare(name)
            turns = [HI, item, {"role": "assistant", "content": "So."}, HI]
            official.responses.create(model=name, input=turns)
            assert "gAAAA" not in str(last())
