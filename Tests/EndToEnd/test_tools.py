"""Tools and structured output of a vendor that supports only text, as the official client and plain ones receive
them."""

import json
from typing import Any

import all_kinds
import local_http
import pytest
from chat import MODEL, PATH, ask, body, deltas_of, refusal, stream, streamed
from pydantic import BaseModel

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
TIME = {"type": "function", "function": {"name": "time", "parameters": {"type": "object", "properties": {}}}}
ROME = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'
SIZES = [1, 3, 1000]


def answers(vendor, key: str, *texts: str, size: int = 3) -> None:
    vendor.answers(key, *({"answer": text, "deltas": deltas_of(text, size)} for text in texts))


def message(http, is_streamed: bool, **fields: Any) -> tuple[str | None, list[tuple[str, Any]], str]:
    """Returns text, calls (name, arguments) and finish reason."""
    if not is_streamed:
        choice = ask(http, **fields).json()["choices"][0]
        said = choice["message"]
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in said.get("tool_calls", [])]
        return said["content"], [(name, json.loads(text)) for name, text in calls], choice["finish_reason"]
    got = stream(http, **fields)
    assert got.status == 200 and got.is_done, got
    found: dict[int, list[str]] = {}
    for choice in got.choices(0):
        for call in choice["delta"].get("tool_calls", []):
            if "id" in call:
                assert call["id"].startswith("call_") and call["type"] == "function"
                found[call["index"]] = [call["function"]["name"], ""]
            found[call["index"]][1] += call["function"].get("arguments", "")
    return got.text(), [(name, json.loads(text)) for name, text in found.values()], got.finish()


@pytest.mark.parametrize("size", SIZES)
def test_a_call(http, vendor, api_key, is_streamed, size):
    answers(vendor, api_key, f"Let me look.\n\n{ROME}", size=size)
    text, calls, finish = message(http, is_streamed, tools=[WEATHER, TIME])
    assert (text or "").strip() == "Let me look."
    assert (calls, finish) == ([("weather", {"city": "Rome"})], "tool_calls")
    assert '"name": "weather"' in vendor.prompt(api_key) and "additionalProperties" in vendor.prompt(api_key)


def test_several_calls(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, ROME + '\n<tool_call>{"name": "time", "arguments": {}}</tool_call>')
    _, calls, finish = message(http, is_streamed, tools=[WEATHER, TIME])
    assert (calls, finish) == ([("weather", {"city": "Rome"}), ("time", {})], "tool_calls")


def test_a_broken_call_is_repaired_once(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, '<tool_call>{"name": "wether", "arguments": {}}</tool_call>', f"Sorry!\n{ROME}")
    text, calls, finish = message(http, is_streamed, tools=[WEATHER])
    assert (text or "", calls, finish) == ("", [("weather", {"city": "Rome"})], "tool_calls")
    first, second = vendor.requests(api_key)
    assert "wether" in json.dumps(second) and "wether" not in json.dumps(first)


def test_a_call_that_stays_broken_is_text(http, vendor, api_key, is_streamed):
    broken = '<tool_call>{"name": "wether", "arguments": {}}</tool_call>'
    answers(vendor, api_key, f"So: {broken}", broken)
    text, calls, finish = message(http, is_streamed, tools=[WEATHER])
    assert (text, calls, finish) == (f"So: {broken}", [], "stop")


BROKEN = {
    "unknown": '<tool_call>{"name": "wether", "arguments": {}}</tool_call>',
    "no object": '<tool_call>{"name": "weather", "arguments": [1]}</tool_call>',
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    ("before", "words", "expected"),
    [
        ("", "It is sunny.", "It is sunny."), ("Let me look.", "It is sunny.", "Let me look.\nIt is sunny."),
        ("Let me look.\n", "It is sunny.\nTruly.", "Let me look.\nIt is sunny.\nTruly."), ("Let me look.", "", "Let me look."),
        ("Let me look.", " \n", "Let me look."), ("", "", None), ("", " ", None),
    ],
    ids=["words", "text before", "line before", "nothing after text", "blank after text", "nothing", "blank"],
)  # fmt: skip
def test_words_in_place_of_a_repaired_call_are_the_answer(http, vendor, api_key, is_streamed, broken, before, words, expected):
    answers(vendor, api_key, before + broken, words)
    text, calls, finish = message(http, is_streamed, tools=[WEATHER])
    assert (text.rstrip("\n"), calls, finish) == (broken if expected is None else expected, [], "stop")
    assert len(vendor.requests(api_key)) == 2


@pytest.mark.parametrize("surface", ["messages", "responses"])
def test_words_in_place_of_a_repaired_call_reach_each_surface(http, vendor, api_key, is_streamed, surface):
    answers(vendor, api_key, BROKEN["unknown"], "It is sunny.")
    answer = all_kinds.request(surface, MODEL, ["Go."]) | {"stream": is_streamed}
    got = all_kinds.got(surface, http.post(all_kinds.PATHS[surface], json=answer), is_streamed=is_streamed)
    assert (got["text"], got["calls"]) == ("It is sunny.", [])


def test_a_valid_call_beside_a_broken_one_stays_when_words_follow(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, ROME + BROKEN["unknown"], "It is sunny.")
    text, calls, finish = message(http, is_streamed, tools=[WEATHER])
    assert (text.strip(), calls, finish) == ("It is sunny.", [("weather", {"city": "Rome"})], "tool_calls")


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_demanded_call_that_does_not_come_is_an_error(http, vendor, api_key, is_streamed, choice):
    answers(vendor, api_key, "I would rather not.", "No.")
    status, error, headers = refusal(http, is_streamed, tools=[WEATHER], tool_choice=choice)
    assert (status, error["type"], error["code"]) == (502, "server_error", "upstream_error")
    assert headers["x-should-retry"] == "false"


def test_streams_after_an_unmet_demand_do_not_disturb_each_other(launch, vendor, new_key):
    """The handle of an ended call returns to its pool once, so it never serves two calls at a time."""
    key, held = new_key(), new_key()
    with local_http.Client(base_url=launch(THREADS=1).base_url, timeout=30) as http:
        http.headers["Authorization"] = f"Bearer {key}"
        for _ in range(3):
            answers(vendor, key, "I would rather not.", "No.")
            assert refusal(http, True, tools=[WEATHER], tool_choice="required")[0] == 502
        vendor.answers(key, {"answer": "short"})
        vendor.answers(held, {"answer": "long", "stall_at": 80})
        with http.stream("POST", PATH, json=body(stream=True), headers={"Authorization": f"Bearer {held}"}) as answer:
            vendor.wait(held, "stalled")
            assert [stream(http).text() for _ in range(3)] == ["short"] * 3
            vendor.release(held)
            got = streamed(answer.status_code, answer.headers, answer.read())
    assert (got.text(), got.is_done) == ("long", True)


def test_a_demanded_call_comes_after_a_repair(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, "I would rather not.", ROME)
    text, calls, finish = message(http, is_streamed, tools=[WEATHER], tool_choice="required")
    assert (text or "", calls, finish) == ("", [("weather", {"city": "Rome"})], "tool_calls")


def test_strict_arguments_are_judged(http, vendor, api_key, is_streamed):
    strict = {"type": "function", "function": WEATHER["function"] | {"strict": True}}
    answers(vendor, api_key, ROME.replace('"Rome"', "7"), ROME)
    assert message(http, is_streamed, tools=[strict])[1] == [("weather", {"city": "Rome"})]


def test_a_model_that_answers_itself_is_stopped(http, vendor, api_key):
    text = f"{ROME}\n<tool_response>\nSunny\n</tool_response>\nIt is sunny." + " And so on." * 100
    vendor.answers(api_key, {"answer": text, "deltas": deltas_of(text, 9), "stall_at": 1500})
    assert message(http, True, tools=[WEATHER]) == ("", [("weather", {"city": "Rome"})], "tool_calls")
    vendor.wait(api_key, "client_closed")


def test_none_offers_no_tools(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, "Plain.")
    assert message(http, is_streamed, tools=[WEATHER], tool_choice="none") == ("Plain.", [], "stop")
    assert "<tool_call>" not in vendor.prompt(api_key)


def test_the_older_form(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, ROME)
    functions = [WEATHER["function"]]
    if is_streamed:
        got = stream(http, functions=functions)
        parts = [choice["delta"]["function_call"] for choice in got.choices(0) if "function_call" in choice["delta"]]
        call = {"name": parts[0]["name"], "arguments": "".join(part.get("arguments", "") for part in parts)}
        finish = got.finish()
    else:
        choice = ask(http, functions=functions).json()["choices"][0]
        call, finish = choice["message"]["function_call"], choice["finish_reason"]
    assert (call["name"], json.loads(call["arguments"]), finish) == ("weather", {"city": "Rome"}, "function_call")


def test_a_loop_of_the_official_client(client, vendor, api_key):
    answers(vendor, api_key, ROME, "It is sunny in Rome.")
    messages: list[Any] = [{"role": "user", "content": "How is Rome?"}]
    first = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[WEATHER])
    call = first.choices[0].message.tool_calls[0]
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    second = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[WEATHER])
    assert second.choices[0].message.content == "It is sunny in Rome."
    prompt = json.dumps(vendor.requests(api_key)[-1])
    assert "<tool_response" in prompt and "sunny" in prompt and call.id in prompt


class Step(BaseModel):
    text: str
    number: int


class Plan(BaseModel):
    title: str
    steps: list[Step]


PLAN = {"title": "Tea", "steps": [{"text": "Boil", "number": 1}]}


@pytest.mark.parametrize("wrapping", ["{}", "```json\n{}\n```", "Here you are:\n{}\nAnything else?"])
def test_parse(client, vendor, api_key, wrapping):
    answers(vendor, api_key, wrapping.replace("{}", json.dumps(PLAN)))
    parsed = client.chat.completions.parse(model="gpt-4o-mini", messages=[{"role": "user", "content": "Tea"}], response_format=Plan)
    assert parsed.choices[0].message.parsed == Plan.model_validate(PLAN)


def test_a_document_is_repaired_once(http, vendor, api_key, is_streamed):
    form = {"type": "json_schema", "json_schema": {"name": "plan", "strict": True, "schema": Plan.model_json_schema()}}
    answers(vendor, api_key, '{"title": "Tea"}', json.dumps(PLAN))
    text, calls, finish = message(http, is_streamed, response_format=form)
    assert (json.loads(text or ""), calls, finish) == (PLAN, [], "stop")
    answers(vendor, api_key, '{"title": "Tea"}', "no")
    status, error, _ = refusal(http, is_streamed, response_format=form)
    assert (status, error["code"]) == (502, "upstream_error")


def test_any_object(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, 'Sure: {"a": [1, 2]}')
    assert message(http, is_streamed, response_format={"type": "json_object"}) == ('{"a": [1, 2]}', [], "stop")


def test_a_schema_that_cannot_be_used_is_refused(http, vendor, api_key, is_streamed):
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "elephant"}}}
    status, error, _ = refusal(http, is_streamed, response_format=form)
    assert (status, error["param"]) == (400, "response_format.json_schema.schema")
    assert vendor.requests(api_key) == []


CODE = {"type": "custom", "custom": {"name": "run", "description": "Runs code", "format": {
    "type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /[a-z ]+/"},
}}}  # fmt: skip
RUN = '<tool_call>\n{"name": "run", "arguments": {"input": "say \\"hi\\""}}\n</tool_call>'


def inputs(http, is_streamed: bool, **fields: Any) -> list[tuple[str, str]]:
    """Returns names and inputs of a response that consists of custom tool calls."""
    if not is_streamed:
        choice = ask(http, **fields).json()["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        calls = choice["message"]["tool_calls"]
        assert {call["type"] for call in calls} == {"custom"} and all(call["id"].startswith("call_") for call in calls)
        return [(call["custom"]["name"], call["custom"]["input"]) for call in calls]
    got = stream(http, **fields)
    assert got.is_done and got.finish() == "tool_calls", got
    deltas = [call for choice in got.choices(0) for call in choice["delta"].get("tool_calls", [])]
    found: dict[int, list[str]] = {}
    for call in deltas:
        if "id" in call:
            found[call["index"]] = [call["custom"]["name"], ""]
        found[call["index"]][1] += call["custom"]["input"]
    return [(name, text) for name, text in found.values()]


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "custom", "custom": {"name": "run"}}], ids=str)
def test_a_custom_tool(http, vendor, api_key, is_streamed, choice):
    answers(vendor, api_key, f"{RUN}\n{RUN}")
    assert inputs(http, is_streamed, tools=[WEATHER, CODE], tool_choice=choice) == [("run", 'say "hi"')] * 2
    prompt = vendor.prompt(api_key)
    assert "start: /[a-z ]+/" in prompt and '"required":["input"]' in prompt


def test_a_custom_tool_of_an_earlier_turn(http, vendor, api_key):
    answers(vendor, api_key, "Done.")
    call = {"id": "c1", "type": "custom", "custom": {"name": "run", "input": 'say "hi"'}}
    turns = [{"role": "user", "content": "Run."}, {"role": "assistant", "content": None, "tool_calls": [call]}]
    turns.append({"role": "tool", "tool_call_id": "c1", "content": "hi"})
    assert ask(http, messages=turns, tools=[CODE]).json()["choices"][0]["message"]["content"] == "Done."
    assert r'{"name": "run", "arguments": {"input":"say \"hi\""}, "id": "c1"}' in vendor.prompt(api_key)


def test_a_custom_call_without_its_input_is_repaired(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, RUN.replace("input", "code"), RUN)
    assert inputs(http, is_streamed, tools=[CODE]) == [("run", 'say "hi"')]
    error = refusal(http, tools=[CODE | {"custom": {"name": "run", "format": {"type": "grammar", "grammar": 5}}}])[1]
    assert error["param"] == "tools[0].custom.format.grammar"
