"""The official clients as fixtures of test files: `official = officials.openai_of("cohere_relay")`."""

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import checked
import httpx2
import openai
import pytest
from conftest import TEAM_TOKEN


def fixture(relay: str, others: tuple[str, ...], make: Callable[[Any, Any], Any]) -> Any:
    @pytest.fixture
    def client(request: pytest.FixtureRequest) -> Iterator[Any]:
        for other in others:
            request.getfixturevalue(other)
        with checked.client(httpx2, timeout=30) as http:
            yield make(request.getfixturevalue(relay), http)

    return client


def openai_of(relay: str, *others: str, token: str = TEAM_TOKEN) -> Any:
    """Returns OpenAI's client of the relay that the fixture `relay` provides. `others`: further fixtures."""

    def make(relay: Any, http: Any) -> openai.OpenAI:
        return openai.OpenAI(api_key=token, base_url=relay.v1, max_retries=0, http_client=http)

    return fixture(relay, others, make)


def anthropic_of(relay: str, *others: str, token: str = TEAM_TOKEN) -> Any:
    """Returns Anthropic's client of the relay that the fixture `relay` provides."""

    def make(relay: Any, http: Any) -> anthropic.Anthropic:
        return anthropic.Anthropic(api_key=token, base_url=relay.base_url, max_retries=0, http_client=http)

    return fixture(relay, others, make)


def choice(client: Any, is_streamed: bool, **asked: Any) -> Any:
    """Returns the first choice of a chat, whole or gathered from its stream."""
    if not is_streamed:
        return client.chat.completions.create(**asked).choices[0]
    with client.chat.completions.stream(**asked) as events:
        return events.get_final_completion().choices[0]


def message(client: Any, is_streamed: bool, **asked: Any) -> Any:
    """Returns Anthropic's message in the same way."""
    if not is_streamed:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as events:
        return events.get_final_message()


def response(client: Any, is_streamed: bool, **asked: Any) -> Any:
    """Returns a response of the Responses API in the same way."""
    if not is_streamed:
        return client.responses.create(**asked)
    with client.responses.stream(**asked) as events:
        return events.get_final_response()
