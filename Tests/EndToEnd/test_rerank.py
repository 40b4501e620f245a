"""Reranking: documents sorted by their relevance to a query, by servers with that endpoint and by Cohere."""

import json

import cohere
import openai_endpoints
import pytest
from conftest import VENDOR_KEY
from fake_server import FakeServer, Handler
from refusals import refusal
from relay_process import provider

TOKEN = "token-of-rerank"
DOCUMENTS = ["Rome is in Italy.", {"text": "Oslo is \\u0022cold\\u0022."}, "Paris"]


def rank(http, path="/v1/rerank", **fields):
    body = {"model": "sorter", "query": "Where is Rome?", "documents": DOCUMENTS} | fields
    return http.post(path, json={name: value for name, value in body.items() if value is not None})


@pytest.fixture
def ranking(start_relay, caller, server):
    """`ranking(RATE_LIMIT_CHAT="1/hour")`: a client of a relay with a server that sorts documents."""

    def made(**more):
        rules = {**provider("ROW", "openai", server.base_url, "sorter=at/sorter", API_KEY=VENDOR_KEY), "KEY_A_TOKEN": TOKEN, "RATE_LIMIT": "off"}
        server.says("at/sorter", {})
        return caller(start_relay(**(rules | more)), TOKEN)

    yield made
    assert server.take_violations() == []


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_a_server_gets_the_request_as_it_came(ranking, server, path):
    answer = rank(ranking(PROVIDER_ROW_COSTS="sorter=each 0.002"), path, top_n=2, return_documents=True)
    assert answer.json() == openai_endpoints.RANKED | {"model": "sorter"}
    assert answer.headers["x-relay-cost"] == "0.002"
    seen = server.asked("at/sorter")[-1]
    assert seen["path"] == "/rerank"
    assert seen["body"] == {"model": "at/sorter", "query": "Where is Rome?", "documents": DOCUMENTS, "top_n": 2, "return_documents": True}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"query": None}, (400, "missing_required_parameter", "query")), ({"query": 5}, (400, "invalid_type", "query")),
        ({"documents": None}, (400, "missing_required_parameter", "documents")), ({"documents": "x"}, (400, "invalid_type", "documents")),
        ({"documents": []}, (400, "invalid_value", "documents")), ({"documents": ["x"] * 1001}, (400, "invalid_value", "documents")),
        ({"model": None}, (400, "missing_required_parameter", "model")), ({"model": "nobody"}, (404, "model_not_found", "model")),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_requests_that_are_wrong(ranking, fields, expected):
    assert refusal(rank(ranking(FALLBACK_MODEL="sorter"), **fields)) == expected


def test_a_thousand_documents(ranking):
    assert rank(ranking(), documents=["x"] * 1000).status_code == 200


def test_it_counts_as_a_chat(ranking):
    http = ranking(RATE_LIMIT_CHAT="1/hour;100 tokens/hour")
    answers = [rank(http) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[0].headers["x-ratelimit-remaining-tokens"]) < 100
    assert 'gen_ai_operation_name="rerank"' in http.get("/metrics").text


class Cohere(Handler):
    """A strict fake of version 2 of Cohere's rerank API."""

    def do_POST(self):
        body = json.loads(self.read())
        self.fake.seen.append((self.path, self.headers["authorization"], body))
        status, said = self.fake.says or (200, self.ranked(body))
        self.send(status, said, **{"Content-Type": "application/json"})

    def ranked(self, body):
        assert set(body) <= {"model", "query", "documents", "top_n", "max_tokens_per_doc"} and all(isinstance(one, str) for one in body["documents"])
        results = [{"index": at, "relevance_score": 1 / (at + 2)} for at in range(len(body["documents"]))][: body.get("top_n")]
        answer = {"id": "r1", "results": results, "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 2}}}
        cohere.V2RerankResponse.model_validate(answer)
        return answer


@pytest.fixture
def at_cohere(ranking):
    vendor = FakeServer(Cohere)
    vendor.seen, vendor.says = [], None
    more = {"PRIORITY": 1, "KIND": "cohere", "BASE_URL": vendor.base_url, "API_KEY": VENDOR_KEY,
            "MODELS": "sorter=rerank-v3.5,other=rerank-v3.5", "COSTS": "sorter=each 0.002"}  # fmt: skip
    rules = {f"PROVIDER_CO_{name}": value for name, value in more.items()}
    yield vendor, ranking(PROVIDERS="co,row", PROVIDER_ROW_PRIORITY=2, BREAKER_FAILURES=1000, **rules)
    vendor.stop()


@pytest.mark.parametrize("returns", [None, False, True])
def test_cohere_gets_what_it_knows(at_cohere, returns):
    vendor, http = at_cohere
    answer = rank(http, top_n=2, max_tokens_per_doc=100, return_documents=returns, user="me")
    texts = ["Rome is in Italy.", DOCUMENTS[1]["text"]]
    assert vendor.seen == [
        ("/v2/rerank", f"Bearer {VENDOR_KEY}",
         {"model": "rerank-v3.5", "query": "Where is Rome?", "documents": [*texts, "Paris"], "top_n": 2, "max_tokens_per_doc": 100})
    ]  # fmt: skip
    results = [{"index": at, "relevance_score": 1 / (at + 2)} | ({"document": {"text": texts[at]}} if returns else {}) for at in range(2)]
    said = answer.json()
    assert (said["id"], said["model"], said["results"]) == ("r1", "sorter", results)
    assert said["meta"]["billed_units"] == {"search_units": 2} and answer.headers["x-relay-cost"] == "0.004"


@pytest.mark.parametrize("says", [(500, {"message": "It broke."}), (401, {"message": "invalid api token"}), (200, {"id": "r1"})])
def test_the_next_provider_takes_over_from_cohere(at_cohere, says):
    vendor, http = at_cohere
    vendor.says = says
    answer = rank(http)
    assert (answer.status_code, answer.headers["x-relay-provider"], answer.headers["x-relay-attempts"]) == (200, "row", "2")


def test_what_cohere_does_not_take_is_for_the_next_provider(at_cohere):
    vendor, http = at_cohere
    assert rank(http, documents=[{"text": 5}]).headers["x-relay-provider"] == "row"
    assert refusal(rank(http, model="other", documents=[{"text": 5}])) == (400, "invalid_type", "documents")
    assert vendor.seen == []


def test_cohere_has_no_other_endpoint(at_cohere):
    _, http = at_cohere
    answer = http.post("/v1/embeddings", json={"model": "sorter", "input": "x"})
    assert (answer.status_code, answer.headers["x-relay-provider"], answer.headers["x-relay-attempts"]) == (200, "row", "1")
    assert refusal(http.post("/v1/embeddings", json={"model": "other", "input": "x"})) == (404, "unsupported_endpoint", None)
