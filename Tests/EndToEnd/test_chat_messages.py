"""The conversion of messages into the vendor's single prompt."""

import pytest
from chat import CHAT_PATH, MODEL, PATH, ask, body


@pytest.fixture
def prompt_for(http, vendor, api_key):
    """Sends messages. Returns the prompt that the vendor received."""

    def sent(*messages, **fields):
        answer = http.post(PATH, json={"model": MODEL, "messages": list(messages)} | fields)
        assert answer.status_code == 200, answer.text
        return vendor.requests(api_key)[-1]["body"]["promptObject"]["prompt"]

    return sent


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


def system(content, role="system"):
    return {"role": role, "content": content}


def in_order(text, *parts):
    """Asserts that the parts occur in the text, one after the other."""
    at = 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is not in {text[at:]!r}"
        at = found + len(part)
    return True


@pytest.mark.parametrize(
    "content",
    [
        "  verbatim \n text ",
        [{"type": "input_text", "text": "  verbatim "}, {"type": "text", "text": "\n text "}],
        [{"type": "text", "text": "  verbatim \n text ", "cache_control": {"type": "ephemeral"}}],
        [{"type": "text", "text": ""}, {"type": "text", "text": "  verbatim \n text "}],
    ],
)
def test_a_lone_user_text_goes_verbatim(prompt_for, content):
    assert prompt_for(user(content)) == "  verbatim \n text "


def test_a_name_is_accepted(prompt_for):
    assert "text" in prompt_for({"role": "user", "content": "text", "name": "Ann"})


def test_parts_of_all_roles_are_lines(prompt_for):
    def parts(*texts):
        return [{"type": "text", "text": text} for text in texts]

    prompt = prompt_for(system(parts("rule", "-1")), user(parts("ask", "-1")), assistant(parts("reply", "-1")), user(parts("ask", "-2")))
    assert in_order(prompt, "rule\n-1", "ask\n-1", "reply\n-1", "ask\n-2")


def test_refusals_are_kept(prompt_for):
    prompt = prompt_for(user("ask-1"), assistant([{"type": "refusal", "refusal": "I will not"}]), user("ask-2"))
    assert in_order(prompt, "ask-1", "I will not", "ask-2")
    prompt = prompt_for(user("ask-1"), {"role": "assistant", "content": None, "refusal": "I cannot", "tool_calls": None}, user("ask-2"))
    assert in_order(prompt, "ask-1", "ask-2")


def call(name="weather", arguments='{"city":"Oslo"}', call_id="call_1"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize("content", [{"content": None}, {}, {"content": ""}, {"content": "Let me see."}])
def test_calls_and_their_results_are_written_back(prompt_for, content):
    prompt = prompt_for(
        user("How warm is it?"),
        {"role": "assistant", "tool_calls": [call()]} | content,
        {"role": "tool", "tool_call_id": "call_1", "content": "It is 7 degrees"},
        user("And tomorrow?"),
    )
    assert in_order(prompt, "How warm is it?", "weather", "Oslo", "It is 7 degrees", "And tomorrow?")
    assert (content.get("content") or "") in prompt
    assert "null" not in prompt.lower() and "none" not in prompt.lower()


def test_results_in_parts(prompt_for):
    prompt = prompt_for(
        user("ask"),
        {"role": "assistant", "content": None, "tool_calls": [call(), call("time", "{}", "call_2")]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "re"}, {"type": "text", "text": "sult-1"}]},
        {"role": "tool", "tool_call_id": "call_2", "content": "result-2"},
    )  # fmt: skip
    assert in_order(prompt, "ask", "weather", "time", "re\nsult-1", "result-2")


def test_the_legacy_function_role(prompt_for):
    prompt = prompt_for(
        user("ask"),
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
        {"role": "function", "name": "weather", "content": "7 degrees"},
    )
    assert in_order(prompt, "ask", "weather", "7 degrees")


@pytest.mark.parametrize("content", ["", [{"type": "text", "text": ""}]])
def test_an_empty_text_is_legal(http, content):
    """The vendor accepts no empty prompt: the fake would complain about one."""
    assert ask(http, messages=[user(content)]).status_code == 200


def test_new_input_is_a_last_turn(prompt_for):
    prompt = prompt_for(system("rule"), user("ask-1"), assistant("reply-1"), new_input="ask-2")
    assert in_order(prompt, "rule", "ask-1", "reply-1", "ask-2")


def test_a_thousand_turns(http, vendor, api_key):
    messages = [user(f"ask-{n}.") if n % 2 == 0 else assistant(f"reply-{n}.") for n in range(1001)]
    assert http.post(PATH, json=body() | {"messages": messages}).status_code == 200
    assert in_order(vendor.prompt(api_key), *(message["content"] for message in messages))


@pytest.mark.parametrize(
    ("messages", "code", "param"),
    [
        (None, "missing_required_parameter", "messages"),
        ("hello", "invalid_type", "messages"),
        ({}, "invalid_type", "messages"),
        ([None], "invalid_type", "messages[0]"),
        ([{}], "missing_required_parameter", "messages[0].role"),
        ([{"content": "a"}], "missing_required_parameter", "messages[0].role"),
        ([{"role": 5, "content": "a"}], "invalid_type", "messages[0].role"),
        ([user(5)], "invalid_type", "messages[0].content"),
        ([user({})], "invalid_type", "messages[0].content"),
        ([user([5])], "invalid_type", "messages[0].content[0]"),
        ([user([{}])], "missing_required_parameter", "messages[0].content[0].type"),
        ([user([{"type": 5}])], "invalid_type", "messages[0].content[0].type"),
        ([user([{"type": "smell"}])], "invalid_value", "messages[0].content[0].type"),
        ([user([{"type": "text", "text": 5}])], "invalid_type", "messages[0].content[0].text"),
    ],
)
def test_bad_messages(http, vendor, api_key, messages, code, param):
    answer = http.post(PATH, json=body() | {"messages": messages})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize("message", [user(None), system(None), {"role": "assistant", "content": None}])
def test_null_content_only_where_openai_allows_it(http, message):
    answer = http.post(PATH, json=body() | {"messages": [user("a"), message]})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == "messages[1].content"
    assert error["code"] in ("invalid_type", "missing_required_parameter")


def test_links_to_videos_are_broken_where_the_operator_wants_it(start_relay, caller, vendor, new_key):
    text = "See https://www.YouTube.com/watch?v=1, youtu.be/2 and example.com/youtube.com."
    broken = "See https://www.YouTube[.]com/watch?v=1, youtu[.]be/2 and example.com/youtube[.]com."
    for more, seen in (({}, text), ({"ONE_MIN_LINKS": "off"}, broken)):
        key = new_key()
        assert ask(caller(start_relay(**more), key), text).status_code == 200
        assert vendor.requests(key, CHAT_PATH)[-1]["body"]["promptObject"]["prompt"] == seen
