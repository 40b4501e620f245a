"""What agents send and other vendors do not have: search tools, and names of models with a large window."""

import anthropic
import anthropic_vendor
import openai
import pytest
from conftest import TEAM_TOKEN
from test_system_turns import HI, WEATHER, anthropics, official, prepare, sites, turns_relay

__all__ = ["anthropics", "official", "prepare", "sites", "turns_relay"]
CALLABLE = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
FORCED = {"type": "tool", "name": "web_search"}
FILTERED = {"web_search_options": {"max_uses": 8}}
FLAGGED = {"web_search": True}


def test_a_search_that_cannot_be_is_refused_by_its_name(turns_relay, caller):
    chats = caller(turns_relay, TEAM_TOKEN)
    for name, fields, param, message in [
        ("co", FLAGGED, "web_search", "does not support web search"),
        ("gem", FLAGGED | {"tools": [CALLABLE]}, "web_search", "only without tools. Remove 'web_search' or 'tools'."),
        ("gem", FILTERED | {"tools": [CALLABLE]}, "web_search_options", "only without tools. Remove 'web_search_options' or 'tools'."),
    ]:
        error = chats.post("/v1/chat/completions", json={"model": name, "messages": [HI]} | fields).json()["error"]
        assert error["param"] == param and message in error["message"], error


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


def test_a_byte_order_mark_before_the_arguments_of_a_vendor(anthropics, prepare):
    prepare("open", {"calls": [("call_1", "weather", '\ufeff{"city":"Rome"}')]})
    (block,) = anthropics.messages.create(model="open", max_tokens=99, messages=[HI], tools=[WEATHER]).content
    assert block.input == {"city": "Rome"}
    prepare("open", {"calls": [("call_1", "weather", '\ufeff{"city":"Rome"}')]})
    with anthropics.messages.stream(model="open", max_tokens=99, messages=[HI], tools=[WEATHER]) as stream:
        (block,) = stream.get_final_message().content
    assert block.input == {"city": "Rome"}
