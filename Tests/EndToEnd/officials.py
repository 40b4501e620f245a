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
