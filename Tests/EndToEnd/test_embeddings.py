"""Embeddings of servers that know fewer fields than OpenAI, or send vectors as numbers only."""

import base64
import itertools
import json
import random
import struct

import officials
import pytest
from conftest import http_of, secrets
from relay_process import provider
from test_openai_mends import said

TOKEN = "token-of-embeddings-01"
numbers = itertools.count()
official = officials.openai_of("relay", token=TOKEN)


@pytest.fixture(scope="module")
def relay(launch, server):
    secrets.add(TOKEN)
    return launch(**provider("ROW", "openai", server.base_url, ",".join(f"vectors-{number}" for number in range(60))), KEY_A_TOKEN=TOKEN)


http = http_of("relay", "server", token=TOKEN, is_strict=False)


@pytest.fixture
def at():
    return f"vectors-{next(numbers)}"


def asked(http, server, at, *scripts, **fields):
    """Returns the response, and the bodies of the requests that the server got."""
    server.says(at, *[script | {"extra": True} for script in scripts])
    answer = http.post("/v1/embeddings", json={"model": at, "input": "Hi"} | fields)
    return answer, [request["body"] for request in server.asked(at)]


def decoded(answer):
    """Returns the vectors as a client reads them that does not look at their form."""
    assert answer.status_code == 200, answer.text
    vectors = [base64.b64decode(entry["embedding"], validate=True) for entry in answer.json()["data"]]
    return [list(struct.unpack(f"<{len(vector) // 4}f", vector)) for vector in vectors]


UNKNOWN = said("Unknown parameter: 'encoding_format'.", param="encoding_format", code="unknown_parameter")
REFUSED = [
    UNKNOWN, said("encoding_format 'base64' is not supported"), said("base64 encoding is not available"),
    {"status": 422, "json": {"detail": [{"type": "literal_error", "loc": ["body", "encoding_format"], "msg": "Input should be 'float'"}]}},
]  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED)
def test_refused_base64_is_asked_as_numbers(http, server, at, refused):
    answer, bodies = asked(http, server, at, refused, {}, encoding_format="base64")
    assert decoded(answer) == [[0.25, -0.5, 0]]
    assert [body.get("encoding_format") for body in bodies] == ["base64", None]
    answer, bodies = asked(http, server, at, {}, encoding_format="base64")
    assert decoded(answer) == [[0.25, -0.5, 0]] and [body.get("encoding_format") for body in bodies] == [None]
    answer, bodies = asked(http, server, at, {}, encoding_format="float")
    assert answer.json()["data"][0]["embedding"] == [0.25, -0.5, 0] and bodies[0]["encoding_format"] == "float"


def test_a_server_that_ignores_base64(http, official, server, at):
    inputs = ["Hi", "You"]
    answer, bodies = asked(http, server, at, {}, encoding_format="base64", input=inputs)
    assert decoded(answer) == [[0.25, -0.5, 0], [0.25, -0.5, 1]] and len(bodies) == 1
    assert [entry.embedding for entry in official.embeddings.create(model=at, input=inputs).data] == [[0.25, -0.5, 0], [0.25, -0.5, 1]]
    server.says(at, {"json": {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": "AACAPg=="}], "model": "x"}})
    assert decoded(http.post("/v1/embeddings", json={"model": at, "input": "Hi", "encoding_format": "base64"})) == [[0.25]]


@pytest.mark.parametrize("pieces", [1, 4_096])
def test_long_vectors_in_any_pieces(http, server, at, pieces):
    make = random.Random(7)
    size, count = (700, 2) if pieces == 1 else (3_500, 300)
    vectors = [[struct.unpack("<f", struct.pack("<f", make.uniform(-1, 1)))[0] for _ in range(size)] for _ in range(count)]
    data = [{"object": "embedding", "embedding": vector, "index": index, "title": 'an "embedding": [1]'} for index, vector in enumerate(vectors)]
    whole = {"object": "list", "data": data, "model": "x", "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    server.says(at, {"raw": json.dumps(whole, indent=1).encode(), "pieces": pieces})
    answer = http.post("/v1/embeddings", json={"model": at, "input": ["Hi"] * count, "encoding_format": "base64"})
    assert decoded(answer) == vectors
    assert {entry["title"] for entry in answer.json()["data"]} == {'an "embedding": [1]'} and answer.json()["usage"] == whole["usage"]


@pytest.mark.parametrize("vector", [[], [[0.5, 1], [2, 3]], None])
def test_other_forms_stay_as_they_are(http, server, at, vector):
    server.says(at, {"json": {"object": "list", "data": [{"object": "embedding", "embedding": vector, "index": 0}]}})
    answer = http.post("/v1/embeddings", json={"model": at, "input": "Hi", "encoding_format": "base64"})
    assert answer.json()["data"][0]["embedding"] == ("" if vector == [] else vector)


def test_refused_fields_are_left_out(http, server, at):
    fields = {"user": "me", "dimensions": 3, "safe": True}
    refused = [said(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter") for name in ("user", "safe")]
    answer, bodies = asked(http, server, at, *refused, {}, **fields)
    assert answer.status_code == 200 and [set(body) - {"model", "input"} for body in bodies] == [{"user", "dimensions", "safe"}, {"dimensions", "safe"}, {"dimensions"}]
    answer, bodies = asked(http, server, at, {}, **fields)
    assert len(bodies) == 1 and set(bodies[0]) == {"model", "input", "dimensions"}
    answer, bodies = asked(http, server, at, said("Unknown parameter: 'dimensions'.", param="dimensions", code="unknown_parameter"), dimensions=3)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "dimensions" and len(bodies) == 1


def test_at_most_three_changes(http, server, at):
    fields = {name: True for name in "abcd"}
    refused = [said(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter") for name in fields]
    answer, bodies = asked(http, server, at, *refused, **fields)
    assert answer.status_code == 400 and len(bodies) == 4


def test_a_refused_pair_is_changed_together_only(http, server, at):
    pair = {"encoding_format": "base64", "dimensions": 3}
    refused = said("encoding_format 'base64' cannot be used together with dimensions")
    assert [[*body] for body in asked(http, server, at, refused, {}, **pair)[1]][1] == ["model", "input", "dimensions"]
    for fields in ({"encoding_format": "base64"}, {"dimensions": 3}, pair):
        _, bodies = asked(http, server, at, {}, **fields)
        assert len(bodies) == 1 and bodies[0].get("encoding_format") == (None if fields == pair else fields.get("encoding_format"))


def test_an_endpoint_without_a_provider_names_the_kinds_that_have_it(start_relay, caller):
    relay = start_relay(PROVIDER_DEMO_KIND="echo", KEY_A_TOKEN=TOKEN)
    http = caller(relay, TOKEN)
    for path, kinds in (("embeddings", "openai or cloudflare"), ("moderations", "openai"), ("rerank", "openai or cohere")):
        answer = http.post(f"/v1/{path}", json={"model": "m", "input": "x"})
        assert answer.status_code == 404 and f"a provider of the kind {kinds}" in answer.json()["error"]["message"]
