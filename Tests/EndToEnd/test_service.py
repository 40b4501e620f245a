"""The parts around the OpenAI API: the front page, health, readiness, unsupported routes, exit."""

import signal

import httpx
import local_http
import openai
import pytest
from chat import body, streamed
from memcached import wait_for
from onemin_replies import default_answer


@pytest.mark.parametrize(
    "path",
    [
        "/v1/embeddings", "/embeddings", "/v1/moderations", "/v1/rerank", "/v2/rerank", "/v1/assistants", "/v1/threads", "/v1/batches",
        "/v1/fine_tuning/jobs", "/v1/vector_stores", "/v1/realtime", "/v1/realtime/sessions",
        "/v1/conversations", "/v1/conversations/conv_1/items", "/v1/containers", "/v1/skills", "/v1/agents", "/v1/videos",
        "/v1/evals", "/v1/prompts", "/v1/chatkit/sessions", "/v1/uploads", "/chatkit",
        "/v1/live", "/v1/live/sessions", "/v1/decisions", "/v1/audio/voices", "/v1/content_provenance_checks", "/v1/safety/checks", "/v1/vaults",
    ],
)  # fmt: skip
def test_what_is_not_offered(http, path):
    answer = http.post(path, json={"model": "gpt-4o", "input": "x"})
    assert answer.status_code == http.get(path).status_code == http.delete(path).status_code == 404
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "unsupported_endpoint")


@pytest.mark.parametrize(
    "ask",
    [
        lambda client: client.embeddings.create(model="text-embedding-3-small", input="x"),
        lambda client: client.moderations.create(input="x"),
        lambda client: client.conversations.create(),
        lambda client: client.containers.create(name="x"),
        lambda client: client.vector_stores.list(),
        lambda client: client.evals.list(),
    ],
    ids=["embeddings", "moderations", "conversations", "containers", "vector stores", "evals"],
)
def test_what_is_not_offered_for_the_official_client(client, ask):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client)
    assert caught.value.code == "unsupported_endpoint" and "not offered" in caught.value.message


def test_a_path_that_only_begins_like_one_is_unknown(http):
    answer = http.post("/v1/embeddingsx", json={})
    assert answer.status_code == 404 and answer.json()["error"]["code"] is None


def test_a_relay_without_a_network(start_relay, http):
    relay = start_relay(PROVIDER_DEMO_KIND="echo", ANONYMOUS_MODELS="all")
    del http.headers["Authorization"]
    request = body("Hello there") | {"model": "echo"}
    answer = http.post(relay.v1 + "/chat/completions", json=request)
    assert answer.status_code == 200 and "Hello there" in answer.json()["choices"][0]["message"]["content"]
    got = http.post(relay.v1 + "/chat/completions", json=request | {"stream": True})
    read = streamed(got.status_code, got.headers, got.content)
    assert read.is_done and read.text() == answer.json()["choices"][0]["message"]["content"]
    assert [model["id"] for model in http.get(relay.v1 + "/models").json()["data"]] == ["echo"]


def test_ending_lets_a_running_stream_finish(start_relay, http, vendor, api_key):
    relay = start_relay()
    vendor.answers(api_key, {"stall_at": 50})
    with http.stream("POST", relay.v1 + "/chat/completions", json=body(stream=True)) as answer:
        lines = answer.iter_lines()
        first = next(lines)
        relay.signal(signal.SIGTERM)
        wait_for(lambda: local_http.get(relay.base_url + "/ready").status_code == 503)
        assert local_http.get(relay.base_url + "/ready").json()["status"] == "draining"
        vendor.release(api_key)
        rest = [first, *lines]
    assert "data: [DONE]" in rest
    relay.stop()


def test_ending_does_not_wait_for_ever(start_relay, http, vendor, api_key):
    relay = start_relay(SHUTDOWN_SECONDS="1")
    vendor.answers(api_key, {"stall_at": 50})
    with http.stream("POST", relay.v1 + "/chat/completions", json=body(stream=True)) as answer:
        lines = answer.iter_lines()
        next(lines)
        relay.stop()
        try:
            assert "data: [DONE]" not in list(lines)
        except httpx.RemoteProtocolError:
            pass  # ended without the last chunk: as good a sign as an error event
    vendor.wait(api_key, "client_closed")


def test_an_idle_connection_does_not_delay_the_end(start_relay, http, api_key):
    relay = start_relay()
    assert http.post(relay.v1 + "/chat/completions", json=body()).json()["choices"][0]["message"]["content"] == default_answer("Hello")
    relay.stop()


def test_unknown_pages_lead_elsewhere_if_that_is_wanted(start_relay):
    url = "https://example.org/docs"
    relay = start_relay(NOT_FOUND_REDIRECT_URL=url)
    with local_http.Client(base_url=relay.base_url) as http:
        for method, path in (("GET", "/docs/x?y=1"), ("HEAD", "/a"), ("GET", "/v12")):
            answer = http.request(method, path)
            assert (answer.status_code, answer.headers["location"], answer.content) == (302, url, b"")
        for method, path in (("POST", "/docs"), ("GET", "/v1/x"), ("GET", "/v1"), ("GET", "/llm/x"), ("GET", "/admin/x")):
            assert http.request(method, path).status_code == 404
        assert http.get("/health").status_code == 200
