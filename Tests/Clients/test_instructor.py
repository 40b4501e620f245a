"""instructor: objects by tools, by JSON and by a schema, whole and in parts."""

import instructor
import pytest
from conftest import MODEL
from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    inhabitants: int


MODES = [instructor.Mode.TOOLS, instructor.Mode.JSON, instructor.Mode.JSON_SCHEMA]
LYON = {"name": "Lyon", "inhabitants": 500}
ASKED = [{"role": "user", "content": "Describe 'Lyon' with 500 people"}]


@pytest.fixture(params=MODES, ids=lambda mode: mode.name.lower())
def client(request, relay, key):
    return instructor.from_openai(OpenAI(base_url=relay.v1, api_key=key, max_retries=0), mode=request.param)


def test_an_object(client):
    city = client.chat.completions.create(model=MODEL, response_model=City, messages=ASKED, max_retries=0)
    assert city.model_dump() == LYON


def test_in_parts(client):
    parts = list(client.chat.completions.create_partial(model=MODEL, response_model=City, messages=ASKED))
    assert parts[-1].model_dump() == LYON


def test_several(client):
    cities = list(client.chat.completions.create_iterable(model=MODEL, response_model=City, messages=ASKED))
    assert [city.model_dump() for city in cities] == [LYON]
