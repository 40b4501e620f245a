"""Errors of messages: Anthropic's envelope, and the exception classes of its official client."""

import datetime
import re

import anthropic
import checked
import httpx2
import pytest
import rawhttp
from limited import client as caller_of
from test_chat_errors import NO_CREDITS, vendor_error
from test_messages import HELLO, create

TEXT = {"type": "text", "text": "a"}


def said(*blocks, role="user"):
    return {"messages": [{"role": role, "content": list(blocks)}]}


def refused(http, path="/v1/messages", method="POST", **how):
    """Returns status and error of a response that must be an error in Anthropic's format, which the client checks."""
    answer = http.request(method, path, **how)
    assert answer.status_code >= 400 and answer.json()["type"] == "error", answer.text
    assert answer.headers["request-id"] == answer.json()["request_id"]
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize(
    "fields, param",
    [
        ({"model": None}, "model"), (said(TEXT, {"type": "text"}), "messages[0].content[1].text"),
        ({"metadata": {"user_id": 5}}, "metadata.user_id"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_request(http, vendor, api_key, fields, param):
    status, error = refused(http, json=HELLO | fields)
    assert (status, error["type"]) == (400, "invalid_request_error") and f"'{param}'" in error["message"]
    assert not vendor.requests(api_key)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model": "\xff"}', b"[" * 10_000])
def test_what_is_no_json(http, content):
    status, _ = refused(http, content=content, headers={"Content-Type": "application/json"})
    assert status == 400


def test_threads_are_refused_as_clients_understand(claude):
    with pytest.raises(anthropic.BadRequestError) as caught:
        create(claude, False, extra_body={"thread": {"type": "create"}})
    assert caught.value.error_code == "thread_unsupported_request"


def test_an_unknown_model(claude, is_streamed):  # noqa: F811
    with pytest.raises(anthropic.NotFoundError) as caught:
        create(claude, is_streamed, model="gpt-99")
    assert caught.value.type == "not_found_error" and "gpt-99" in caught.value.api_message
    assert caught.value.request_id.startswith("req_")


@pytest.mark.parametrize("path", ["/v1/messages", "/messages/count_tokens", "/anthropic/v1/models", "/v1/models"])
def test_without_a_key(start_relay, path):
    relay = start_relay(PROVIDER_A_KIND="echo", KEY_ANN_TOKEN="sk-ann-0123456789abcdef")
    method = "GET" if path.endswith("models") else "POST"
    for key in ({}, {"x-api-key": "sk-wrong-0123456789"}):
        headers = {"anthropic-version": "2023-06-01"} | key
        with checked.client(httpx2, base_url=relay.base_url, headers=headers) as http:
            body = {} if method == "GET" else {"json": HELLO}
            assert refused(http, path, method, **body)[1]["type"] == "authentication_error"


def test_a_wrong_key(relay, new_key):
    with checked.client(httpx2, timeout=30) as http:
        client = anthropic.Anthropic(api_key=new_key("bad"), base_url=relay.base_url, max_retries=0, http_client=http)
        with pytest.raises(anthropic.AuthenticationError) as caught:
            client.messages.create(**HELLO)
        assert caught.value.type == "authentication_error"


@pytest.mark.parametrize("path", ["/v1/messages/batches", "/messages/nothing", "/anthropic", "/anthropic/v1/files",
                                  "/anthropic/v1/chat/completions"])  # fmt: skip
def test_unknown_paths(http, path):
    status, error = refused(http, path, json=HELLO)
    assert (status, error["type"]) == (404, "not_found_error") and path in error["message"]


def test_a_wrong_method(http):
    answer = http.get("/v1/messages")
    assert (answer.status_code, answer.json()["error"]["type"]) == (405, "invalid_request_error")
    assert answer.headers["allow"] == "POST, OPTIONS"


def test_other_paths_keep_their_envelope(http):
    assert set(http.get("/v1/messagesx").json()) == {"error"}


def test_a_body_that_is_too_large(start_relay, new_key):
    relay = start_relay(MAX_BODY_MB=1)
    with caller_of(relay, new_key()) as http:
        status, error = refused(http, content=b" " * 1_100_000, headers={"Content-Type": "application/json"})
        assert (status, error["type"]) == (413, "request_too_large")
        assert refused(http, content=b"a", headers={"Content-Type": "text/plain"})[0] == 415


@pytest.mark.parametrize(
    "scenario, status, kind, exception",
    [
        ({"status": 500, "json": vendor_error("Oops")}, 502, "api_error", anthropic.InternalServerError),
        ({"status": 503, "json": vendor_error("Maintenance")}, 529, "overloaded_error", anthropic.APIStatusError),
        ({"status": 429, "json": vendor_error("Too many")}, 429, "rate_limit_error", anthropic.RateLimitError),
        ({"status": 406, "json": NO_CREDITS}, 402, "billing_error", anthropic.APIStatusError),
        ({"status": 403, "json": vendor_error("No")}, 403, "permission_error", anthropic.PermissionDeniedError),
        ({"status": 400, "json": vendor_error("too odd")}, 400, "invalid_request_error", anthropic.BadRequestError),
    ],
)
def test_failures_of_the_vendor(claude, vendor, api_key, is_streamed, scenario, status, kind, exception):  # noqa: F811
    vendor.answers(api_key, scenario)
    with pytest.raises(exception) as caught:
        create(claude, is_streamed)
    assert (caught.value.status_code, caught.value.type) == (status, kind)
    if status == 402:
        assert caught.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_stream_that_the_vendor_cuts(claude, vendor, api_key, how):
    vendor.answers(api_key, {"answer": "one two three", "deltas": ["one ", "two ", "three"], "cut_at": 120, "cut_how": how})
    texts = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        with claude.messages.stream(**HELLO) as stream:
            for text in stream.text_stream:
                texts.append(text)
    assert caught.value.type == "api_error" and "".join(texts) in "one two three"


def test_limits_of_requests(start_relay, vendor, new_key):
    relay = start_relay(RATE_LIMIT_CHAT="2/minute")
    with checked.client(httpx2, timeout=30) as http:
        client = anthropic.Anthropic(api_key=new_key(), base_url=relay.base_url, max_retries=0, http_client=http)
        for remaining in (1, 0):
            answer = client.messages.with_raw_response.create(**HELLO)
            assert answer.headers["anthropic-ratelimit-requests-limit"] == "2"
            assert answer.headers["anthropic-ratelimit-requests-remaining"] == str(remaining)
            reset = datetime.datetime.fromisoformat(answer.headers["anthropic-ratelimit-requests-reset"])
            ahead = reset - datetime.datetime.now(datetime.UTC)
            assert datetime.timedelta(0) < ahead <= datetime.timedelta(seconds=62)
            assert "anthropic-ratelimit-tokens-limit" not in answer.headers
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**HELLO)
        headers = caught.value.response.headers
        assert caught.value.type == "rate_limit_error" and int(headers["retry-after"]) >= 1
        assert headers["anthropic-ratelimit-requests-remaining"] == "0"


def test_limits_of_tokens(start_relay, new_key):
    relay = start_relay(RATE_LIMIT_CHAT="100000 tokens/minute")
    with caller_of(relay, new_key()) as http:
        headers = http.post("/v1/messages", json=HELLO).headers
    assert headers["anthropic-ratelimit-tokens-limit"] == "100000"
    assert 90_000 < int(headers["anthropic-ratelimit-tokens-remaining"]) < 100_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", headers["anthropic-ratelimit-tokens-reset"])


def test_browsers_may_read_the_headers(start_relay, new_key):
    relay = start_relay(RATE_LIMIT_CHAT="5/minute")
    with caller_of(relay, new_key(), Origin="https://a.test") as http:
        for path in ("/v1/messages", "/v1/messages/batches"):
            answer = http.post(path, json=HELLO)
            assert answer.headers["access-control-allow-origin"] == "*"
            shown = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
            assert {"request-id", "x-request-id", "retry-after"} <= shown
            assert {name for name in answer.headers if name.startswith("anthropic-")} <= shown


@pytest.mark.parametrize("path", ["/v1/messages", "/anthropic/v1/messages", "/messages"])
def test_refused_heads(relay, path):
    with rawhttp.connected(relay.port) as peer:
        answer = peer.ask(rawhttp.request("POST", path, b"{}", content_length="two"), method="POST")
    assert answer.status == 400 and answer.json()["type"] == "error"
    assert answer.json()["request_id"] == answer["request-id"]
    assert answer.json()["error"]["type"] == "invalid_request_error"
