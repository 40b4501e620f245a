"""pydantic-ai: tools, output types by tools and by a format, streams."""

import pytest
from conftest import MODEL
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, RunContext
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


class City(BaseModel):
    name: str
    inhabitants: int


class Country(BaseModel):
    name: str
    cities: list[City]


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel], ids=["chat", "responses"])
def model(request, relay, key):
    return request.param(MODEL, provider=OpenAIProvider(base_url=relay.v1, api_key=key))


async def test_text(model):
    done = await Agent(model, instructions="Be brief.").run("Hello")
    assert done.output == "Well, you said: Hello"
    assert done.usage.input_tokens > 0 and done.usage.output_tokens > 0


async def test_a_stream(model):
    async with Agent(model).run_stream("Hello there, this is text") as streamed:
        pieces = [piece async for piece in streamed.stream_text(delta=True, debounce_by=None)]
    assert "".join(pieces) == "Well, you said: Hello there, this is text" and len(pieces) > 1


async def test_a_tool(model):
    agent = Agent(model)

    @agent.tool
    async def get_weather(_: RunContext[None], city: str, days: int) -> str:
        return f"Sunny in {city} for {days} days"

    assert (await agent.run("The weather of 'Oslo' for 3 days?")).output == "The tool says: Sunny in Oslo for 3 days"


@pytest.mark.parametrize("output", [Country, NativeOutput(Country)], ids=["tool", "format"])
async def test_an_output_type(model, output):
    done = await Agent(model, output_type=output).run("Describe 'France' with 7 people")
    assert done.output == Country(name="France", cities=[City(name="France", inhabitants=7)])


async def test_turns(model):
    agent = Agent(model)
    first = await agent.run("One")
    assert (await agent.run("Two", message_history=first.all_messages())).output == "Well, you said: Two"
