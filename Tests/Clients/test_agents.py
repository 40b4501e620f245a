"""The OpenAI Agents SDK: agents with tools, an output type and a hand-over, whole and streamed."""

import pytest
from agents import Agent, ModelSettings, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from conftest import MODEL
from openai import AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(True)


class City(BaseModel):
    name: str
    inhabitants: int


@function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"Sunny in {city}."


@pytest.fixture(params=[OpenAIChatCompletionsModel, OpenAIResponsesModel], ids=["chat", "responses"])
def model(request, relay, key):
    return request.param(model=MODEL, openai_client=AsyncOpenAI(base_url=relay.v1, api_key=key, max_retries=0))


async def test_text(model):
    agent = Agent(name="plain", instructions="Be brief.", model=model)
    assert (await Runner.run(agent, "Hello there")).final_output == "Well, you said: Hello there"


async def test_a_tool(model):
    agent = Agent(name="weather", instructions="Use tools.", model=model, tools=[get_weather])
    done = await Runner.run(agent, "What is the weather in 'Oslo'?")
    assert done.final_output == "The tool says: Sunny in Oslo."


async def test_a_tool_streamed(model):
    agent = Agent(name="weather", instructions="Use tools.", model=model, tools=[get_weather])
    streamed = Runner.run_streamed(agent, "What is the weather in 'Oslo'?")
    kinds = [event.item.type async for event in streamed.stream_events() if event.type == "run_item_stream_event"]
    assert kinds == ["tool_call_item", "tool_call_output_item", "message_output_item"]
    assert streamed.final_output == "The tool says: Sunny in Oslo."


async def test_a_demanded_tool(model):
    settings = ModelSettings(tool_choice="required")
    agent = Agent(name="weather", model=model, tools=[get_weather], model_settings=settings)
    done = await Runner.run(agent, "Say something of 'Bern'.")
    assert done.final_output == "The tool says: Sunny in Bern."


async def test_an_output_type(model):
    agent = Agent(name="city", model=model, output_type=City)
    assert (await Runner.run(agent, "Describe 'Lyon' with 500 people")).final_output == City(name="Lyon", inhabitants=500)


async def test_a_handoff(model):
    other = Agent(name="geographer", instructions="Know cities.", model=model)
    agent = Agent(name="first", model=model, handoffs=[other])
    done = await Runner.run(agent, "transfer_to_geographer please")
    assert done.last_agent.name == "geographer"


async def test_turns(model):
    agent = Agent(name="plain", model=model)
    first = await Runner.run(agent, "One")
    again = await Runner.run(agent, [*first.to_input_list(), {"role": "user", "content": "Two"}])
    assert again.final_output == "Well, you said: Two"
