"""Refusals of OpenAI-compatible servers, as the client sees them."""

import gzip
import json
import zlib

import pytest
from chat import ask, refusal, stream, text_of
from memcached import wait_for
from openai_vendor import chunk, whole
from relay_process import provider
from test_openai_chat import MODEL
from test_openai_endpoints import WAV


def openai_error(message="It is wrong.", **fields):
    return {"error": {"message": message, "type": None, "param": None, "code": None} | fields}


ENVELOPES = {
    "openai": openai_error(),
    "text": {"error": "It is wrong."},
    "mistral's detail": {"object": "error", "message": {"detail": [{"loc": ["body"], "msg": "It is wrong.", "type": "x"}]}, "type": "invalid_request_error"},
    "array": [openai_error()],
    "apigee": {"fault": {"faultstring": "It is wrong.", "detail": {"errorcode": "steps.json.Failed"}}},
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelopes(team, server, name, is_streamed):
    server.says(MODEL, {"status": 400, "json": ENVELOPES[name]})
    status, error, _ = refusal(team, is_streamed, model="fast")
    assert (status, error["message"], error["type"]) == (400, "It is wrong.", "invalid_request_error")


PLAIN = json.dumps(openai_error("It is wrong.")).encode()
UNREAD = "The provider rejected this request."
PACKED = {
    "gzip": ("gzip", gzip.compress(PLAIN), "It is wrong."),
    "gzip's beginning": ("gzip", gzip.compress(PLAIN)[:-4], "It is wrong."),
    "long": ("gzip", gzip.compress(bytes(10_000_000)), UNREAD),
    "damaged": ("gzip", gzip.compress(PLAIN)[:6] + PLAIN, UNREAD),
    "deflate": ("deflate", zlib.compress(PLAIN), UNREAD),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_packed_refusal(team, server, name, is_streamed):
    coding, packed, message = PACKED[name]
    server.says(MODEL, {"status": 400, "raw": packed, "headers": {"Content-Encoding": coding}})
    status, error, _ = refusal(team, is_streamed, model="fast")
    assert (status, error["message"]) == (400, message)


FIELDS = openai_error(param="messages[0].content", code="bad_thing")
LONG = openai_error("This model's maximum context length is 10 tokens.", code="context_length_exceeded", param="messages")
QUOTA = openai_error("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")
GOOGLES_MINUTE = {"error": {
    "code": 429, "status": "RESOURCE_EXHAUSTED",
    "message": "You exceeded your current quota, please check your plan and billing details. Please retry in 26.3s.",
    "details": [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "26.3s"},
    ],
}}  # fmt: skip
HARD_LIMIT = openai_error("Billing hard limit has been reached", type="invalid_request_error", code="billing_hard_limit_reached")
TABLE = [
    # status, headers, body -> status, code, param, header
    (400, {}, FIELDS, 400, "bad_thing", "messages[0].content", {}),
    (400, {}, LONG, 400, "context_length_exceeded", "messages", {}),
    (400, {}, openai_error(code="content_filter"), 400, "content_filter", None, {}),
    (401, {}, openai_error(code="invalid_api_key"), 502, "upstream_error", None, {}),
    (429, {}, QUOTA, 402, "insufficient_quota", None, {"x-should-retry": "false"}),
    (429, {}, [GOOGLES_MINUTE], 429, "rate_limit_exceeded", None, {"retry-after": "27"}),
    (400, {}, HARD_LIMIT, 402, "insufficient_quota", None, {"x-should-retry": "false"}),
    (403, {}, openai_error("You have no access to this model"), 403, "permission_denied", None, {}),
    (404, {}, openai_error(code="model_not_found"), 404, "model_not_found", "model", {}),
    (404, {}, {"detail": "Not Found"}, 502, "upstream_error", None, {}),
    (408, {}, {}, 504, "upstream_timeout", None, {}),
    (413, {}, {}, 413, "request_too_large", None, {}),
    (429, {"Retry-After": "9", "Retry-After-Ms": "2100"}, {}, 429, "rate_limit_exceeded", None, {"retry-after": "3"}),
    (429, {"x-ratelimit-reset-requests-day": "3301.4", "x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-tokens": "9"}, {}, 429, "rate_limit_exceeded", None, {"retry-after": "3302"}),
    (429, {}, openai_error("Rate limit reached on tokens per min. Please try again in 6.57s. Visit our pages."), 429, "rate_limit_exceeded", None, {"retry-after": "7"}),
    (503, {"Retry-After": "3"}, openai_error(code="server_is_overloaded"), 503, "upstream_error", None, {"retry-after": "3"}),
    (500, {}, openai_error(), 502, "upstream_error", None, {}),
    (302, {}, {}, 502, "upstream_error", None, {}),
]  # fmt: skip
"""Some of what `VendorErrorTests` have."""


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[4]}")
def test_the_table(team, server, case, is_streamed):
    status, headers, body, told, code, param, own = case
    server.says(MODEL, {"status": status, "headers": headers, "json": body or {"x": 1}})
    got, error, head = refusal(team, is_streamed, model="fast")
    assert (got, error["code"], error["param"]) == (told, code, param), error
    for name, value in own.items():
        assert head[name] == value
    assert len(server.asked(MODEL)) == 1


BEGUN = {
    "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
    "choices": [{"index": 0, "delta": {"content": "So"}, "finish_reason": None}],
}  # fmt: skip
INSIDE = [
    ({"message": "This model's maximum context length is 10 tokens. However, you requested 70000 tokens"}, "context_length_exceeded"),
    ({"message": "Prompt is too long", "type": "server_error"}, "context_length_exceeded"),
    ({"message": "The image is not valid.", "code": "invalid_base64_image"}, "invalid_base64_image"),
]


@pytest.mark.parametrize("error, code", INSIDE)
@pytest.mark.parametrize("begun", [False, True])
def test_an_error_within_a_stream_has_its_code(team, server, error, code, begun):
    server.says(MODEL, {"events": [*([BEGUN] if begun else []), {"error": error}], "done": False})
    out = stream(team, model="fast")
    assert out.error["code"] == code and out.status == (200 if begun else 400)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_error_with_status_200_keeps_its_field(team, server, is_streamed):
    error = openai_error(type="invalid_request_error", code="bad_thing", param="messages[0].content")
    server.says(MODEL, {"events": [error], "done": False} if is_streamed else {"json": error})
    status, found, _ = refusal(team, is_streamed, model="fast")
    assert (status, found["code"], found["param"]) == (400, "bad_thing", "messages[0].content")


def test_an_error_in_mid_stream_keeps_its_field(team, server):
    error = openai_error(type="invalid_request_error", code="bad_thing", param="messages[0].content")
    server.says(MODEL, {"events": [chunk({"role": "assistant", "content": "Hi"}), error], "done": False})
    found = stream(team, model="fast")
    assert found.text() == "Hi" and found.error["param"] == "messages[0].content"


MINIMAX = [
    (1002, "rate limit", 429, "rate_limit_exceeded"), (1004, "login fail", 502, "upstream_error"), (1008, "insufficient balance", 402, "insufficient_quota"),
    (1027, "output new_sensitive", 400, "content_filter"), (2013, "invalid params, context window exceeds limit", 400, "context_length_exceeded"),
    (2013, "invalid params, unknown role", 400, None), (1000, "unknown error", 502, "upstream_error"),
    (1000, "Rate limit reached for RPM", 429, "rate_limit_exceeded"),
]  # fmt: skip


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("number, words, status, code", MINIMAX)
def test_minimax_reports_errors_with_status_200(team, server, number, words, status, code, is_streamed):
    told = {"id": "x", "choices": None, "base_resp": {"status_code": number, "status_msg": words}}
    server.says(MODEL, {"events": [told], "done": False} if is_streamed else {"json": told})
    assert (lambda found: (found[0], found[1]["code"]))(refusal(team, is_streamed, model="fast")) == (status, code)


def test_minimax_reports_success_with_status_200(team, server):
    server.says(MODEL, {"json": whole({}) | {"base_resp": {"status_code": 0, "status_msg": ""}}})
    assert text_of(ask(team, model="fast")) == "Hello there"


def test_a_prompt_that_an_account_cannot_pay_rests_no_key(start_relay, server, caller, new_key):
    key = new_key()
    relay = start_relay(**provider("ROW", "openai", server.base_url, "m=at/limit", API_KEYS=key), KEY_A_TOKEN="token-of-hard-limits")
    http = caller(relay, "token-of-hard-limits")
    server.says("at/limit", {"status": 402, "json": openai_error("Prompt tokens limit exceeded: 12000 > 4000. To increase, visit our page.", code=402)}, {})
    status, error, _ = refusal(http, model="m")
    assert (status, error["code"], error["param"]) == (400, "insufficient_quota", "messages")
    assert text_of(ask(http, model="m")) == "Hello there"


ECHOES = {
    "/v1/chat/completions": lambda text: {"messages": [{"role": "user", "content": "Hi"}], "user": text},
    "/v1/embeddings": lambda text: {"input": text},
    "/v1/moderations": lambda text: {"input": text},
    "/v1/images/generations": lambda text: {"prompt": text},
    "/v1/audio/transcriptions": lambda text: {"prompt": text},
}


@pytest.fixture
def at_two_keys(start_relay, server, caller, new_key):
    """Two callers of a provider with two keys, and a function that returns the numbers of the keys that were used."""
    keys = [new_key(), new_key()]
    relay = start_relay(
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_API_KEYS=",".join(keys),
        PROVIDER_ROW_MODELS="m=at/limit", KEY_A_TOKEN="token-of-hard-limits", KEY_B_TOKEN="token-of-a-neighbour",
    )  # fmt: skip

    def used():
        return [keys.index(seen["headers"]["authorization"].removeprefix("Bearer ")) for seen in server.asked("at/limit")]

    return caller(relay, "token-of-hard-limits"), caller(relay, "token-of-a-neighbour"), used


@pytest.mark.parametrize("path", ECHOES)
@pytest.mark.parametrize("words", ["Invalid value: '{}'.", "Cannot use {} here"])
@pytest.mark.parametrize("text", ["Insufficient Balance", "invalid api key", "my model not exist"])
def test_words_of_one_callers_request_rest_no_key(at_two_keys, server, path, words, text):
    http, other, used = at_two_keys
    server.says("at/limit", {"status": 400, "json": openai_error(words.format(text), type="invalid_request_error")}, {})
    fields = ECHOES[path](text) | {"model": "m"}
    how = {"data": fields, "files": {"file": ("a.wav", WAV, "audio/wav")}} if "audio" in path else {"json": fields}
    answer = http.post(path, **how)
    assert answer.status_code == 400, answer.text
    for _ in range(2):
        assert text_of(ask(other, model="m")) == "Hello there"
    assert used() == [0, 1, 0], "the keys take turns"


@pytest.mark.parametrize("status", [400, 429])
def test_an_error_within_one_callers_request_rests_no_key(at_two_keys, server, status):
    http, other, used = at_two_keys
    inner = GOOGLES_MINUTE["error"] | {"code": "insufficient_quota", "details": [{"retryDelay": "80000s"}]}
    text = json.dumps({"error": inner})
    server.says("at/limit", {"status": status, "json": openai_error(text)}, {})
    http.post("/v1/embeddings", json={"model": "m", "input": text})
    assert text_of(ask(other, model="m")) == "Hello there"
    wait_for(lambda: text_of(ask(other, model="m")) == "Hello there" and used()[-1] == 0)


@pytest.mark.parametrize("is_first", [True, False])
def test_words_of_one_callers_request_in_a_stream_rest_no_key(at_two_keys, server, is_first):
    http, other, used = at_two_keys
    event = {"error": {"message": "Cannot use 'Insufficient Balance'"}}
    server.says("at/limit", {"events": [*([] if is_first else [BEGUN]), event], "done": False}, {})
    assert stream(http, model="m", user="Insufficient Balance").error["code"] == "upstream_error"
    for _ in range(2):
        assert text_of(ask(other, model="m")) == "Hello there"
    assert used() == [0, 1, 0], "the keys take turns"


def test_the_vendors_own_words_rest_a_key(at_two_keys, server):
    http, other, used = at_two_keys
    server.says("at/limit", {"status": 400, "json": openai_error("Insufficient Balance")}, {})
    for client in (http, other):
        assert text_of(ask(client, "What is a balance?", model="m")) == "Hello there"
    assert used() == [0, 1, 1]


def test_a_key_at_its_hard_limit_rests(at_two_keys, server):
    http, _, used = at_two_keys
    server.says("at/limit", {"status": 400, "json": HARD_LIMIT}, {})
    for _ in range(3):
        answer = http.post("/v1/images/generations", json={"model": "m", "prompt": "x"})
        assert answer.status_code == 200, answer.text
    assert used() == [0, 1, 1, 1]


@pytest.mark.parametrize("status, body", [(409, {}), (425, {}), (400, openai_error(code="tool_use_failed"))])
def test_what_is_asked_once_more(team, server, status, body):
    server.says(MODEL, {"status": status, "json": body or {"x": 1}}, {})
    assert ask(team, model="fast").status_code == 200
    server.says(MODEL, {"status": status, "json": body or {"x": 1}})
    assert refusal(team, True, model="fast")[0] == 502
    assert len(server.asked(MODEL)) == 2


def test_fields_of_another_wire_are_not_named(team, server):
    server.says(MODEL, {"status": 400, "json": FIELDS})
    answer = team.post("/v1/responses", json={"model": "fast", "input": "Hi", "store": False})
    assert answer.status_code == 400 and answer.json()["error"]["param"] is None
    answer = team.post(
        "/v1/messages", json={"model": "fast", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    )
    assert answer.status_code == 400 and answer.json()["error"]["message"] == "It is wrong."


def test_the_callers_own_key(start_relay, server, caller, new_key):
    relay = start_relay(**provider("OWN", "openai", server.base_url, "m7", PASSTHROUGH="true"))
    http = caller(relay, new_key())
    for status, told, code in [(401, 401, "invalid_api_key"), (403, 403, "permission_denied"), (429, 429, "rate_limit_exceeded")]:
        server.says("m7", {"status": status, "json": openai_error()})
        got, error, _ = refusal(http, model="m7")
        assert (got, error["code"]) == (told, code)
