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
    "mistral": {"object": "error", "message": "It is wrong.", "type": "invalid_request_error", "code": "3280"},
    "detail": {"detail": [{"loc": ["body"], "msg": "It is wrong.", "type": "extra_forbidden"}]},
    "mistral's detail": {"object": "error", "message": {"detail": [{"loc": ["body"], "msg": "It is wrong.", "type": "x"}]}, "type": "invalid_request_error"},
    "detail text": {"detail": "It is wrong."},
    "msg": {"code": 1301, "msg": "It is wrong."},
    "array": [openai_error()],
    "errors": {"errors": [{"message": "It is wrong."}]},
    "errors as texts": {"errors": ["It is wrong."]},
    "object": {"error": {"message": {"detail": "It is wrong."}}},
    "error in an error": {"error": {"code": 400, "error": {"msg": "It is wrong."}}},
    "detail object": {"detail": {"error": {"message": "It is wrong.", "type": "x"}}},
    "description": {"error": "invalid_request", "error_description": "It is wrong."},
    "problem": {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "It is wrong."},
    "problem's title": {"type": "about:blank", "title": "It is wrong.", "status": 400},
    "apigee": {"fault": {"faultstring": "It is wrong.", "detail": {"errorcode": "steps.json.Failed"}}},
    "amazon": {"__type": "com.amazon.coral#ValidationException", "Message": "It is wrong."},
    "minimax": {"base_resp": {"status_code": 2013, "status_msg": "It is wrong."}},
    "cloudflare": {"success": False, "errors": [{"code": 1, "message": "It is wrong."}], "messages": [], "result": None},
    "baidu": {"error_code": 336001, "error_msg": "It is wrong."},
    "spring": {"timestamp": "x", "status": 400, "error": "Bad Request", "message": "It is wrong.", "path": "/v1"},
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
    (422, {}, {"detail": [{"msg": "Extra", "type": "extra_forbidden"}]}, 400, None, None, {}),
    (400, {}, openai_error(code="invalid_base64_image"), 400, "invalid_base64_image", None, {}),
    (400, {}, LONG, 400, "context_length_exceeded", "messages", {}),
    (400, {}, {"error": {"type": "exceed_context_size_error", "code": 400, "message": "x"}}, 400, "context_length_exceeded", "messages", {}),
    (500, {}, openai_error("the request exceeds the available context size"), 400, "context_length_exceeded", "messages", {}),
    (413, {}, openai_error("Request body too large for gpt-4o model. Max size: 8000 tokens.", code="tokens_limit_reached"), 400, "context_length_exceeded", "messages", {}),
    (400, {}, openai_error(code="content_filter"), 400, "content_filter", None, {}),
    (400, {}, openai_error(code="content_policy_violation"), 400, "content_filter", None, {}),
    (403, {}, {"error": {"code": 403, "message": "Input flagged by moderation"}}, 400, "content_filter", None, {}),
    (400, {}, openai_error("Input may contain inappropriate content.", code="data_inspection_failed"), 400, "content_filter", None, {}),
    (400, {}, {"error": {"code": "1301", "message": "System detected potentially unsafe content"}, "contentFilter": [{"level": 1}]}, 400, "content_filter", None, {}),
    (403, {}, {"code": "no permission", "error": "Content violates usage guidelines. Team: a, API key ID: b, Model: c"}, 400, "content_filter", None, {}),
    (400, {}, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***xx."}, 502, "upstream_error", None, {}),
    (400, {}, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}}], 502, "upstream_error", None, {}),
    (400, {}, openai_error("Invalid API key for the MCP server of the tool", param="tools[0]"), 400, None, "tools[0]", {}),
    (400, {}, openai_error("The file 'my api key' is invalid"), 400, None, None, {}),
    (400, {}, openai_error("Budget has been exceeded! Current cost: 10.1", type="budget_exceeded"), 402, "insufficient_quota", None, {}),
    (400, {}, openai_error("Organization has been restricted.", code="organization_restricted"), 502, "upstream_error", None, {}),
    (400, {}, [{"error": {"code": 400, "message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}}], 502, "upstream_error", None, {}),
    (400, {}, [{"error": {"code": 400, "message": "The file is not active yet.", "status": "FAILED_PRECONDITION"}}], 400, None, None, {}),
    (401, {}, openai_error("key not allowed to access model", type="key_model_access_denied", code="401"), 403, "permission_denied", None, {}),
    (400, {}, {"title": "Bad Request", "status": 400, "detail": "Function id '01': DEGRADED function cannot be invoked"}, 503, "upstream_error", None, {}),
    (401, {}, openai_error(code="invalid_api_key"), 502, "upstream_error", None, {}),
    (402, {}, {"error": {"message": "Insufficient Balance"}}, 402, "insufficient_quota", None, {"x-should-retry": "false"}),
    (429, {}, QUOTA, 402, "insufficient_quota", None, {"x-should-retry": "false"}),
    (429, {}, openai_error("Your account a is suspended due to insufficient balance, please recharge", type="exceeded_current_quota_error"), 402, "insufficient_quota", None, {}),
    (429, {}, {"error": {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."}}, 402, "insufficient_quota", None, {}),
    (429, {}, {"error": {"code": "1113", "message": "余额不足或无可用资源包,请充值。"}}, 402, "insufficient_quota", None, {}),
    (400, {}, {"code": "Arrearage", "message": "Access denied, please make sure your account is in good standing."}, 402, "insufficient_quota", None, {}),
    (403, {}, openai_error("Access denied due to overdue account"), 402, "insufficient_quota", None, {}),
    (402, {}, {"error": {"code": 402, "message": "Insufficient credits. Add more using our page."}}, 402, "insufficient_quota", None, {}),
    (403, {}, {"error": {"code": 403, "message": "Key limit exceeded (total limit)."}}, 402, "insufficient_quota", None, {}),
    (403, {}, {"code": "no permission", "error": "Your team a has either used all available credits or reached its monthly spending limit."}, 402, "insufficient_quota", None, {}),
    (429, {}, {"code": "used up", "error": "Your team a has either used all available credits or reached its monthly spending limit."}, 402, "insufficient_quota", None, {}),
    (403, {}, {"code": "x", "error": "You have run out of credits or need a Grok subscription."}, 402, "insufficient_quota", None, {}),
    (403, {}, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}, 402, "insufficient_quota", None, {}),
    (402, {}, openai_error("Credit limit exceeded, please navigate to our page"), 402, "insufficient_quota", None, {}),
    (412, {}, openai_error("Account a is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices.", code="PRECONDITION_FAILED", type="error"), 402, "insufficient_quota", None, {}),
    (403, {}, {"error": {"code": "AccountOverdueError", "message": "Your account has an overdue balance.", "type": "Forbidden"}}, 402, "insufficient_quota", None, {}),
    (403, {}, {"code": "no permission", "error": "Your newly created team doesn't have any credits or licenses yet. You can purchase those on our page."}, 402, "insufficient_quota", None, {}),
    (403, {}, openai_error("用户额度不足, 剩余额度: 0", type="new_api_error", code="insufficient_user_quota"), 402, "insufficient_quota", None, {}),
    (403, {}, openai_error("token quota is not enough, token remain quota: 0", type="one_api_error"), 402, "insufficient_quota", None, {}),
    (401, {}, openai_error("该令牌额度已用尽", type="new_api_error"), 402, "insufficient_quota", None, {}),
    (429, {}, openai_error("Your account is not active, please check your billing details.", type="billing_not_active", code="billing_not_active"), 402, "insufficient_quota", None, {}),
    (503, {}, openai_error("The load balancer exhausted its tries"), 503, "upstream_error", None, {}),
    (402, {}, openai_error("Prompt tokens limit exceeded: 9 > 5. See https://a.b/settings/credits"), 400, "insufficient_quota", "messages", {}),
    (403, {}, openai_error("You are out of quota for this key"), 402, "insufficient_quota", None, {}),
    (429, {}, openai_error("Quota exceeded: 60 requests per minute. See our page on billing."), 429, "rate_limit_exceeded", None, {}),
    (429, {}, openai_error("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 requests"), 429, "rate_limit_exceeded", None, {}),
    (429, {}, openai_error("Allocated quota exceeded, please increase your quota limit.", code="Throttling.AllocationQuota"), 429, "rate_limit_exceeded", None, {}),
    (429, {}, openai_error("Quota exceeded for x.googleapis.com/input_tokens_per_minute_per_base_model"), 429, "rate_limit_exceeded", None, {}),
    (404, {}, openai_error("Model with id 'x' not found", type="invalid_request_error"), 404, "model_not_found", "model", {}),
    (400, {}, openai_error("tool message: no valid tool call precedes it"), 400, None, None, {}),
    (400, {}, openai_error("The tool get_balance exceeded 64 arguments"), 400, None, None, {}),
    (500, {}, openai_error("upstream answered 429: Too Many Requests"), 429, "rate_limit_exceeded", None, {}),
    (429, {}, [GOOGLES_MINUTE], 429, "rate_limit_exceeded", None, {"retry-after": "27"}),
    (429, {}, openai_error(json.dumps(GOOGLES_MINUTE), code=429), 429, "rate_limit_exceeded", None, {"retry-after": "27"}),
    (400, {}, openai_error(code="invalid_base64_image"), 400, "invalid_base64_image", None, {}),
    (400, {}, openai_error(code="image_too_large"), 400, "image_too_large", None, {}),
    (429, {}, openai_error("x", code="organization_spend_limit_exceeded"), 402, "insufficient_quota", None, {}),
    (400, {}, HARD_LIMIT, 402, "insufficient_quota", None, {"x-should-retry": "false"}),
    (403, {}, openai_error("Not you"), 502, "upstream_error", None, {}),
    (403, {}, openai_error("You have no access to this model"), 403, "permission_denied", None, {}),
    (404, {}, openai_error(code="model_not_found"), 404, "model_not_found", "model", {}),
    (404, {}, {"error": {"code": "DeploymentNotFound", "message": "x"}}, 404, "model_not_found", "model", {}),
    (400, {}, {"error": "No models loaded. Please load a model"}, 404, "model_not_found", "model", {}),
    (400, {}, openai_error("xyz is not a valid model ID"), 404, "model_not_found", "model", {}),
    (400, {}, openai_error("Model Not Exist", code="invalid_request_error"), 404, "model_not_found", "model", {}),
    (400, {}, openai_error("The model `x` has been decommissioned.", code="model_decommissioned"), 404, "model_not_found", "model", {}),
    (400, {}, openai_error("The requested model 'x' is not a chat model.", code="model_not_supported"), 404, "model_not_found", "model", {}),
    (400, {}, openai_error("Unavailable model: x", code="unavailable_model"), 404, "model_not_found", "model", {}),
    (400, {}, openai_error("Unable to access x.", code="model_not_available"), 404, "model_not_found", "model", {}),
    (400, {}, openai_error("Invalid model 'x'.", type="invalid_model", code=400), 404, "model_not_found", "model", {}),
    (400, {}, openai_error("Invalid model name passed in model=x.", code="400"), 404, "model_not_found", "model", {}),
    (400, {}, {"error": {"code": "1211", "message": "模型不存在，请检查模型代码。"}}, 404, "model_not_found", "model", {}),
    (400, {}, openai_error("x is not accessible via this endpoint", code="unsupported_api_for_model"), 400, "unsupported_api_for_model", None, {}),
    (404, {}, openai_error("No endpoints found for meta/x.", code=404), 404, "model_not_found", "model", {}),
    (404, {}, openai_error("No endpoints found that support image input", code=404), 400, None, None, {}),
    (500, {}, openai_error("image input is not supported - hint: you may need to provide the mmproj", code=500), 400, None, None, {}),
    (404, {}, {"status": 404, "title": "Not Found", "detail": "Function '01': Not found for account 'a'"}, 404, "model_not_found", "model", {}),
    (400, {}, {"message": "Invocation of model ID x with on-demand throughput isn’t supported."}, 404, "model_not_found", "model", {}),
    (400, {}, openai_error("输入内容长度超过模型最大上下文长度：最大131072", code="1261"), 400, "context_length_exceeded", "messages", {}),
    (404, {}, openai_error("Item with id 'rs_1' not found.", type="invalid_request_error", param="input"), 400, None, "input", {}),
    (404, {}, openai_error("Invalid URL (POST /v2/chat)", type="invalid_request_error"), 502, "upstream_error", None, {}),
    (404, {}, {"detail": "Not Found"}, 502, "upstream_error", None, {}),
    (405, {}, {}, 502, "upstream_error", None, {}),
    (408, {}, {}, 504, "upstream_timeout", None, {}),
    (504, {}, {}, 504, "upstream_timeout", None, {}),
    (413, {}, {}, 413, "request_too_large", None, {}),
    (413, {}, openai_error("tokens per minute", type="tokens", code="rate_limit_exceeded"), 429, "rate_limit_exceeded", None, {}),
    (429, {"Retry-After": "7"}, openai_error(code="rate_limit_exceeded"), 429, "rate_limit_exceeded", None, {"retry-after": "7"}),
    (429, {"Retry-After": "9", "Retry-After-Ms": "2100"}, {}, 429, "rate_limit_exceeded", None, {"retry-after": "3"}),
    (429, {}, openai_error(type="rate_limit_error", code="slow_down"), 429, "rate_limit_exceeded", None, {"retry-after": "1"}),
    (429, {"x-ms-retry-after-ms": "6500"}, openai_error(), 429, "rate_limit_exceeded", None, {"retry-after": "7"}),
    (429, {"x-ratelimit-reset-requests": "2m3.2s", "x-ratelimit-reset-tokens": "500ms"}, openai_error(), 429, "rate_limit_exceeded", None, {"retry-after": "1"}),
    (429, {"x-ratelimit-reset-requests-day": "3301.4", "x-ratelimit-remaining-requests-day": "0", "x-ratelimit-reset-tokens": "9"}, {}, 429, "rate_limit_exceeded", None, {"retry-after": "3302"}),
    (429, {"Retry-After": "2", "x-ratelimit-reset": "9s"}, {}, 429, "rate_limit_exceeded", None, {"retry-after": "2"}),
    (429, {}, openai_error("Rate limit reached on tokens per min. Please try again in 6.57s. Visit our pages."), 429, "rate_limit_exceeded", None, {"retry-after": "7"}),
    (429, {}, openai_error("Please retry after 45 seconds."), 429, "rate_limit_exceeded", None, {"retry-after": "45"}),
    (503, {"Retry-After": "3"}, openai_error(code="server_is_overloaded"), 503, "upstream_error", None, {"retry-after": "3"}),
    (529, {}, {}, 503, "upstream_error", None, {}),
    (500, {}, openai_error(), 502, "upstream_error", None, {}),
    (302, {}, {}, 502, "upstream_error", None, {}),
]  # fmt: skip


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
