"""The vendor's web search and code generation, as chat requests reach them."""

import pytest
from chat import CHAT_PATH, ask, either, refusal, stream, text_of
from onemin_replies import default_answer

ANSWER = "It is sunny.\nAnd warm. 🌐 is a globe."


def search_settings(vendor, key):
    settings = vendor.requests(key)[-1]["body"]["promptObject"].get("settings", {})
    found = settings.get("webSearchSettings", {})
    return found.get("webSearch"), found.get("numOfSite"), found.get("maxWord")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"web_search": True}, (True, 3, 500)),
        ({"web_search": True, "num_of_site": 1, "max_word": 100}, (True, 1, 100)),
        ({"web_search": True, "num_of_site": 10, "max_word": 2000}, (True, 10, 2000)),
        ({"web_search": True, "num_of_site": None, "max_word": None}, (True, 3, 500)),
        ({"tools": [{"type": "retrieval"}]}, (True, 3, 500)),
        ({"tools": [{"type": "retrieval"}], "num_of_site": 2}, (True, 2, 500)),
    ],
    ids=str,
)
def test_settings(http, vendor, api_key, fields, expected):
    assert ask(http, **fields).status_code == 200
    assert search_settings(vendor, api_key) == expected


@pytest.mark.parametrize(
    ("options", "sites"),
    [
        ({}, None),
        ({"search_context_size": "low"}, 1),
        ({"search_context_size": "medium"}, 3),
        ({"search_context_size": "high"}, 5),
        ({"search_context_size": None, "user_location": None}, None),
        ({"user_location": {"type": "approximate", "approximate": {"country": "NO"}}}, None),
    ],
    ids=str,
)
def test_web_search_options(http, vendor, api_key, options, sites):
    assert ask(http, web_search_options=options).status_code == 200
    on, number, _ = search_settings(vendor, api_key)
    assert on is True and number == (sites or 3)


def test_options_of_a_search_tool(http, vendor, api_key):
    tool = {"type": "web_search", "search_context_size": "high", "max_uses": 3, "filters": {"allowed_domains": ["a.example"]}}
    answer = ask(http, tools=[tool])
    assert search_settings(vendor, api_key) == (True, 5, 500) and answer.headers["x-relay-ignored"] == "filters"


@pytest.mark.parametrize("fields", [{}, {"web_search": False}, {"num_of_site": 5}, {"web_search_options": None}], ids=str)
def test_no_search_unless_asked_for(http, vendor, api_key, fields):
    assert ask(http, **fields).status_code == 200
    assert not search_settings(vendor, api_key)[0]


@pytest.mark.parametrize("field", ["num_of_site", "max_word"])
@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_numbers_out_of_range(http, field, value):
    status, error, _ = refusal(http, web_search=True, **{field: value})
    assert (status, error["param"]) == (400, field)


@pytest.mark.parametrize("split", [None, "bytes"])
def test_progress_lines_are_dropped(http, vendor, api_key, is_streamed, split):
    vendor.answers(api_key, {"answer": ANSWER, "deltas": list(ANSWER), "progress": 3, "split": split})
    assert either(http, is_streamed, web_search=True) == (ANSWER, "stop")


def test_progress_lines_are_text_without_search(http, vendor, api_key, is_streamed):
    answer = "🌐 Crawling site https://a.example\nrest"
    vendor.answers(api_key, {"answer": answer, "deltas": list(answer)})
    assert either(http, is_streamed) == (answer, "stop")


def test_search_results_before_the_text(http, vendor, api_key, is_streamed):
    found = [{"title": "a", "url": "https://a.example"}, {"title": "b"}, "The text"]
    vendor.answers(api_key, {"result_object": found, "deltas": ["The text"]})
    assert either(http, is_streamed, web_search=True) == ("The text", "stop")


def code_of(vendor, key):
    seen = vendor.request(key)
    return seen["path"], seen["body"]["type"]


INTERPRETER = {"tools": [{"type": "code_interpreter"}]}


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("gpt-4o", INTERPRETER, ("/api/features", "CODE_GENERATOR")),
        ("gpt-4o", {}, (CHAT_PATH, "UNIFY_CHAT_WITH_AI")),
        ("gpt-4o-mini", INTERPRETER, (CHAT_PATH, "UNIFY_CHAT_WITH_AI")),
        ("grok-code-fast-1", {}, ("/api/features", "CODE_GENERATOR")),
        ("qwen3-coder-plus", INTERPRETER, ("/api/features", "CODE_GENERATOR")),
    ],
)
def test_code_generation(http, vendor, api_key, is_streamed, model, fields, expected):
    assert either(http, is_streamed, "Sort a list", model=model, **fields) == (default_answer("Sort a list"), "stop")
    assert code_of(vendor, api_key) == expected
    assert vendor.prompt(api_key) == "Sort a list"


def test_code_generation_with_bounds(http, vendor, api_key):
    vendor.answers(api_key, {"answer": "one END two", "metadata": {"inputToken": 3, "outputToken": 4}})
    got = stream(http, model="grok-code-fast-1", stop="END", stream_options={"include_usage": True})
    assert (got.text(), got.finish(), got.is_done) == ("one ", "stop", True)


def test_code_generation_that_fails(http, vendor, api_key):
    vendor.answers(api_key, {"record": {"status": "FAILED"}})
    for is_streamed in (False, True):
        status, error, _ = refusal(http, is_streamed, model="grok-code-fast-1")
        assert (status, error["code"]) == (502, "upstream_error")


def test_a_search_keeps_the_prompt(http, vendor, api_key):
    assert text_of(ask(http, "What is new?", web_search=True)) == default_answer("What is new?")
    assert vendor.prompt(api_key) == "What is new?"
