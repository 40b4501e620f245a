"""Tools of messages: calls, results and loops of several turns, by Anthropic's official client."""

import asyncio
import json
from typing import Any

import anthropic
import checked
import httpx2
import pytest
from anthropic import beta_tool
from chat import MODEL
from pydantic import BaseModel
from test_messages import HELLO, create
from test_tools import ROME, answers

WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}  # fmt: skip
TIME = {"type": "custom", "name": "time", "input_schema": {"type": "object", "properties": {}}}
NOW = '<tool_call>{"name": "time", "arguments": {}}</tool_call>'


def blocks(got) -> list[Any]:
    return [block.text.strip() if block.type == "text" else (block.name, block.input) for block in got.content]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_call(claude, vendor, api_key, is_streamed, size):  # noqa: F811
    answers(vendor, api_key, f"Let me look.\n\n{ROME}", size=size)
    got = create(claude, is_streamed, tools=[WEATHER, TIME])
    assert blocks(got) == ["Let me look.", ("weather", {"city": "Rome"})] and got.stop_reason == "tool_use"
    assert got.content[1].id.startswith("toolu_")
    assert '"name": "weather"' in vendor.prompt(api_key) and "required" in vendor.prompt(api_key)


def test_a_stream_byte_by_byte(claude, vendor, api_key):
    """Whatever the cuts, the message is the same as with one chunk."""
    text = f"Gr\u00fc\u00dfe \U0001f468\u200d\U0001f469\n{ROME}\n{NOW}"
    whole = {"answer": text, "deltas": [text]}
    vendor.answers(api_key, whole, whole | {"split": "bytes"}, whole | {"split": "bytes", "deltas": list(text)})
    first, *others = [create(claude, True, tools=[WEATHER, TIME]) for _ in range(3)]
    assert len(first.content) == 3 and all(blocks(other) == blocks(first) for other in others)


def test_several_calls(claude, vendor, api_key, is_streamed):  # noqa: F811
    answers(vendor, api_key, f"{ROME}\n{NOW}")
    got = create(claude, is_streamed, tools=[WEATHER, TIME])
    assert blocks(got) == [("weather", {"city": "Rome"}), ("time", {})] and got.content[0].id != got.content[1].id


def test_one_call_at_most(claude, vendor, api_key, is_streamed):  # noqa: F811
    answers(vendor, api_key, f"{ROME}\n{NOW}")
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert len(create(claude, is_streamed, tools=[WEATHER, TIME], tool_choice=choice).content) == 1


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
def test_a_demanded_call(claude, vendor, api_key, is_streamed, choice):  # noqa: F811
    answers(vendor, api_key, "I would rather not.", ROME)
    got = create(claude, is_streamed, tools=[WEATHER, TIME], tool_choice=choice)
    assert blocks(got) == [("weather", {"city": "Rome"})]


def test_a_demanded_call_that_does_not_come_is_an_error(claude, vendor, api_key, is_streamed):  # noqa: F811
    answers(vendor, api_key, "I would rather not.", "No.")
    with pytest.raises(anthropic.InternalServerError) as caught:
        create(claude, is_streamed, tools=[WEATHER], tool_choice={"type": "any"})
    assert (caught.value.status_code, caught.value.type) == (502, "api_error")
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_none_offers_no_tools(claude, vendor, api_key):
    create(claude, False, tools=[WEATHER], tool_choice={"type": "none"})
    assert "weather" not in vendor.prompt(api_key)


def test_results_go_to_the_model(claude, vendor, api_key):
    use = [
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
        {"type": "tool_use", "id": "toolu_2", "name": "time", "input": {}},
    ]
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": "noon"},
        {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True,
         "content": [{"type": "text", "text": "no "}, {"type": "text", "text": "such city"}]},
        {"type": "text", "text": "Well?"},
    ]  # fmt: skip
    turns = [{"role": "assistant", "content": use}, {"role": "user", "content": results}]
    create(claude, False, messages=HELLO["messages"] + turns, tools=[WEATHER, TIME])
    prompt = vendor.prompt(api_key)
    assert '{"name": "weather", "arguments": {"city":"Rome"}, "id": "toolu_1"}' in prompt
    assert '<tool_response id="toolu_2" name="time">\nnoon\n' in prompt
    assert '<tool_response id="toolu_1" name="weather" error="true">\nno \nsuch city\n' in prompt
    assert prompt.index("noon") < prompt.index("such city") < prompt.index("User: Well?")


def test_a_loop(claude, vendor, api_key, is_streamed):  # noqa: F811
    """Three turns; the ids of the calls are those that the model reads with the results."""
    answers(vendor, api_key, ROME, f"Hm. {NOW}", "It is noon in Rome.")
    messages: list[Any] = list(HELLO["messages"])
    for result in ("sunny", "noon"):
        got = create(claude, is_streamed, messages=messages, tools=[WEATHER, TIME])
        use = got.content[-1]
        messages += [
            {"role": "assistant", "content": got.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": result}]},
        ]
    got = create(claude, is_streamed, messages=messages, tools=[WEATHER, TIME])
    assert blocks(got) == ["It is noon in Rome."] and got.stop_reason == "end_turn"
    prompt = vendor.requests(api_key)[-1]["body"]["promptObject"]["prompt"]
    assert "sunny" in prompt and "noon" in prompt and use.id in prompt


@beta_tool
def weather(city: str) -> str:
    """The weather of a city.

    Args:
        city: its name
    """
    return f"sunny in {city}"


def test_the_tool_runner(claude, vendor, api_key, is_streamed):
    answers(vendor, api_key, ROME, "Sunny.")
    runner = claude.beta.messages.tool_runner(**HELLO, tools=[weather], stream=is_streamed)
    if is_streamed:
        *_, last = [stream.get_final_message() for stream in runner]
    else:
        last = runner.until_done()
    assert last.content[-1].text == "Sunny."
    assert "sunny in Rome" in vendor.requests(api_key)[-1]["body"]["promptObject"]["prompt"]


def test_the_tool_runner_async(relay, vendor, api_key):
    @anthropic.beta_async_tool
    async def weather(city: str) -> str:
        """The weather of a city."""
        return f"sunny in {city}"

    async def run():
        async with checked.async_client(httpx2, timeout=30) as http:
            client = anthropic.AsyncAnthropic(api_key=api_key, base_url=relay.base_url, max_retries=0, http_client=http)
            return await client.beta.messages.tool_runner(**HELLO, tools=[weather]).until_done()

    answers(vendor, api_key, ROME, "Sunny.")
    assert asyncio.run(run()).content[-1].text == "Sunny."


class City(BaseModel):
    name: str
    people: int


def test_structured_answers(claude, vendor, api_key, is_streamed):  # noqa: F811
    answers(vendor, api_key, 'Sure:\n```json\n{"name": "Rome", "people": 3}\n```')
    if is_streamed:
        with claude.messages.stream(**HELLO, output_format=City) as stream:
            got = stream.get_final_message()
    else:
        got = claude.messages.parse(**HELLO, output_format=City)
    assert got.parsed_output == City(name="Rome", people=3)
    assert '"people"' in vendor.prompt(api_key)


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_a_schema(claude, vendor, api_key, place):
    schema = {"type": "json_schema", "schema": {"type": "object", "required": ["a"]}}
    answers(vendor, api_key, "{}", '{"a": 1}')
    fields = {"output_config": {"format": schema}} if place == "output_config" else {"output_format": schema}
    got = create(claude, False, extra_body=fields)
    assert json.loads(got.content[0].text) == {"a": 1} and len(vendor.requests(api_key)) == 2


def test_web_search(claude, vendor, api_key):
    create(claude, False, tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}])
    asked = vendor.request(api_key)["body"]["promptObject"]
    assert asked["settings"]["webSearchSettings"]["webSearch"] is True if "settings" in asked else asked["webSearch"]


def test_a_stop_sequence_with_tools(claude, vendor, api_key, is_streamed):  # noqa: F811
    answers(vendor, api_key, "one END two")
    got = create(claude, is_streamed, tools=[WEATHER], stop_sequences=["END"])
    assert (blocks(got), got.stop_reason, got.stop_sequence) == (["one"], "stop_sequence", "END")


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tools": [{"name": "a b", "input_schema": {}}]}, "tools[0].name"),
        ({"tools": [{"name": "a"}]}, "tools[0].input_schema"),
        ({"tools": [WEATHER, WEATHER]}, "tools[1].name"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search", "allowed_domains": "a"}]}, "tools[0].allowed_domains"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 0}]}, "tools[0].max_uses"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search", "user_location": {"city": 5}}]}, "tools[0].user_location.city"),
        ({"tools": [WEATHER, TIME | {"strict": True, "input_schema": {"type": 5}}]}, "tools[1].input_schema"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"type": 5}}}}, "output_config.format.schema"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "time"}}, "tool_choice.name"),
        ({"tools": [WEATHER], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ],
)
def test_what_is_wrong_with_tools(claude, fields, message):
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(claude, False, extra_body=fields)
    assert message in caught.value.api_message


def test_the_model_is_asked_for(claude):
    assert create(claude, False).model == MODEL
