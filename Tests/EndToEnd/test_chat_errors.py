"""Failures of the vendor, as the caller sees them."""


import openai
import pytest
from chat import PATH, body, either, refusal, stream, streamed, vendor_error

SECRET_URL = "https://storage.internal.example/bucket/asset.png?X-Amz-Signature=abcdef"
BUSY = {"errorCode": "OPEN_AI_UNEXPECTED_ERROR", "message": "The model provider is busy"}
NO_CREDITS = vendor_error("The feature requires 105 credits, but the Acme Rockets team only has 35 credits", "INSUFFICIENT_CREDITS")
INVALID = "invalid_request_error"
UPSTREAM = (502, "server_error", "upstream_error")
MAPPED = [
    ({"status": 401, "json": vendor_error("API Key has been deleted")}, (401, INVALID, "invalid_api_key")),
    ({"status": 403, "json": vendor_error("Forbidden")}, (403, INVALID, "permission_denied")),
    ({"status": 406, "json": NO_CREDITS}, (402, "insufficient_quota", "insufficient_quota")),
    ({"status": 400, "json": vendor_error("Invalid model gpt-4o-mini for AI feature UNIFY_CHAT_WITH_AI!")},
     (404, INVALID, "model_not_found")),
    ({"status": 400, "json": vendor_error("prompt is too odd")}, (400, INVALID, ...)),
    ({"status": 400, "text": ""}, (400, INVALID, ...)),
    ({"status": 413, "json": vendor_error("prompt is too odd")}, (400, INVALID, ...)),
    ({"status": 400, "json": vendor_error("This model's maximum context length is 9 tokens.")}, (400, INVALID, "context_length_exceeded")),
    ({"status": 429, "json": vendor_error("Too many requests")}, (429, "requests", "rate_limit_exceeded")),
    ({"status": 500, "json": vendor_error("Internal server error")}, UPSTREAM),
    ({"status": 503, "json": vendor_error("Maintenance")}, (503, "server_error", "upstream_error")),
    ({"status": 302, "text": "", "headers": {"Location": "/api/conversations"}}, UPSTREAM),
    ({"status": 204, "text": ""}, UPSTREAM),
]  # fmt: skip

FAILED_WITH_200 = [
    {"record": {"status": "FAILED", "aiRecordDetail": {"errorMessage": "provider said no", "resultObject": []}}},
    {"text": "<html>not json"},
    {"cut_at": 30, "cut_how": "rst"},
]
"""Some of what `OneMinRecordTests` refuse."""


@pytest.mark.parametrize(("scenario", "expected"), MAPPED, ids=lambda value: str(value)[:60])
def test_refusals_of_the_vendor(http, vendor, api_key, is_streamed, scenario, expected):
    vendor.answers(api_key, scenario)
    status, error, headers = refusal(http, is_streamed)
    assert (status, error["type"]) == expected[:2]
    assert expected[2] is ... or error["code"] == expected[2]
    if "too odd" in str(scenario):
        assert "prompt is too odd" in error["message"]
    if status == 404:
        assert error["param"] in ("model", None)
    assert "Acme" not in error["message"] and "<html" not in error["message"]
    if scenario["status"] == 302:
        assert len(vendor.requests(api_key)) == 1
    if error["code"] == "insufficient_quota":
        assert headers["x-should-retry"] == "false"


@pytest.mark.parametrize("scenario", FAILED_WITH_200, ids=lambda value: str(value)[:60])
def test_failures_under_status_200(http, vendor, api_key, is_streamed, scenario):
    vendor.answers(api_key, scenario | {"stream_as": "record"})
    status, error, _ = refusal(http, is_streamed)
    assert (status, error["type"], error["code"]) == UPSTREAM


FAILURE_CODES = [
    ("UNAUTHORIZED", (401, INVALID, "invalid_api_key")),
    ("RATE_LIMITED", (429, "requests", "rate_limit_exceeded")),
    ("INSUFFICIENT_CREDITS", (402, "insufficient_quota", "insufficient_quota")),
    ("PROMPT_OBJECT_VALIDATION_FAILED", (400, INVALID, None)),
]


@pytest.mark.parametrize(("code", "expected"), FAILURE_CODES)
@pytest.mark.parametrize(
    "told",
    [
        lambda code: {"json": {"success": False, "error": {"code": code, "message": "no"}}},
        lambda code: {"json": {"success": False, "error": {"code": code}}},
        lambda code: {"events": [["error", {"errorCode": code, "message": "no"}]]},
    ],
    ids=["with words", "without words", "event"],
)
def test_codes_of_failures_under_status_200(http, vendor, api_key, is_streamed, code, expected, told):
    scenario = told(code)
    if "events" in scenario and not is_streamed:
        return
    vendor.answers(api_key, scenario)
    status, error, _ = refusal(http, is_streamed)
    assert (status, error["type"], error["code"]) == expected


@pytest.mark.parametrize("code", ["UNAUTHORIZED", "RATE_LIMITED"])
def test_a_key_that_fails_under_status_200_rests(serve, is_streamed, code):
    providers, http = serve(a=2)
    bad, good = providers.keys["a"]
    providers.vendor.answers(bad, {"json": {"success": False, "error": {"code": code, "message": "no"}}})
    providers.vendor.answers(good, {"answer": "good"})
    assert either(http, is_streamed) == ("good", "stop")
    assert providers.counts("a") == [1, 1]
    if code == "UNAUTHORIZED":
        assert [either(http, is_streamed) for _ in range(2)] == [("good", "stop")] * 2
        assert providers.counts("a") == [1, 3]


DETAILS = {"success": False, "error": {"code": "PROMPT_OBJECT_VALIDATION_FAILED", "message": "Validation failed",
           "details": [{"field": "prompt", "message": "prompt is too odd"}, {"field": "model", "message": "m"}]}}  # fmt: skip


def with_field(field):
    return {"status": 422, "json": DETAILS | {"error": DETAILS["error"] | {"details": [{"field": field, "message": "it is odd"}]}}}


def test_the_first_refused_field_is_told(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"status": 422, "json": DETAILS})
    status, error, _ = refusal(http, is_streamed)
    assert (status, error["param"], error["message"]) == (400, "messages", "prompt is too odd")
    answer = http.post("/v1/responses", json={"model": "gpt-4o-mini", "input": "a", "stream": is_streamed})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input")


@pytest.mark.parametrize(
    ("field", "param"),
    [
        ("promptObject.prompt", "messages"), ("promptObject.attachments.images", "messages"), ("model", "model"),
        ("promptObject.settings.webSearchSettings.maxWord", "web_search_options"), ("conversationId", None), ("", None),
        ("x" * 5000, None), (5, None),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_fields_have_the_callers_names(http, vendor, api_key, field, param):
    vendor.answers(api_key, with_field(field))
    status, error, _ = refusal(http)
    assert (status, error["param"], error["message"]) == (400, param, "it is odd")


@pytest.mark.parametrize(
    ("path", "fields", "field", "param"),
    [
        ("images/generations", {"model": "gpt-image-1", "prompt": "a"}, "promptObject.size", "size"),
        ("images/generations", {"model": "gpt-image-1", "prompt": "a"}, "prompt", "prompt"),
        ("images/generations", {"model": "gpt-image-1", "prompt": "a"}, "leonardo_seed", None),
        ("audio/speech", {"model": "tts-1", "input": "a", "voice": "alloy"}, "text", "input"),
        ("chat/completions", body(model="gpt-image-1"), "size", "messages"),
    ],
)
def test_fields_of_other_endpoints(http, vendor, api_key, path, fields, field, param):
    vendor.answers(api_key, with_field(field))
    answer = http.post("/v1/" + path, json=fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["message"]) == (400, param, "it is odd")


@pytest.mark.parametrize("status", [405, 410, 451])
def test_a_refusal_of_the_way_of_asking_leads_to_the_next_provider(serve, is_streamed, status):
    providers, http = serve(a=1, b=1, BALANCE="sequence")
    providers.answers("a", {"status": status, "json": vendor_error("no")})
    providers.answers("b", {"answer": "good"})
    for _ in range(2):
        assert either(http, is_streamed) == ("good", "stop")
    assert sum(providers.counts("a")) >= 1


@pytest.mark.parametrize("events", [[["done", {}]], [[None, "[DONE]"]], [["other", "x"], ["done", {}]]], ids=str)
def test_a_stream_that_brings_nothing(http, serve, vendor, api_key, events):
    vendor.answers(api_key, {"events": events})
    status, error, _ = refusal(http, is_streamed=True)
    assert (status, error["type"], error["code"]) == UPSTREAM
    providers, others = serve(a=1, b=1)
    providers.answers("a", {"events": events})
    providers.answers("b", {"answer": "good"})
    for _ in range(2):
        assert either(others, True) == ("good", "stop")
    assert providers.counts("a") != [0]


@pytest.mark.parametrize(
    "scenario",
    [
        {"status": 201, "answer": "good"},
        {"answer": "good", "small": True, "metadata": None},
        {"answer": "good", "record": {"metadata": None, "temporaryUrl": None, "teamUser": None, "more": [1]}},
    ],
    ids=lambda value: str(value)[:60],
)
def test_successes_in_other_clothes(http, vendor, api_key, is_streamed, scenario):
    vendor.answers(api_key, scenario)
    assert either(http, is_streamed) == ("good", "stop")


def test_texts_are_cleaned(http, vendor, api_key, is_streamed):
    text = f"Could not read {SECRET_URL} for key {api_key} {'x' * 5000}"
    for scenario in (
        {"status": 400, "json": vendor_error(text)},
        {"status": 422, "json": vendor_error([text, text])},
        {"status": 400, "text": text},
        {"status": 500, "json": vendor_error(text)},
        {"record": {"status": "FAILED", "aiRecordDetail": {"errorMessage": text, "resultObject": []}}},
        {"status": 403, "json": vendor_error(text)},
        {"status": 429, "json": vendor_error(text)},
    ):
        vendor.answers(api_key, scenario | {"stream_as": "record"})
        _, error, _ = refusal(http, is_streamed)
        assert "://" not in error["message"] and "Signature" not in error["message"]
        assert api_key not in error["message"]
        assert len(error["message"]) <= 600
        assert "127.0.0.1" not in error["message"]


def test_a_key_is_shown_masked_if_at_all(http, vendor, new_key):
    key = new_key("bad")
    answer = http.post(PATH, json=body(), headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 401
    assert key[4:-2] not in answer.text and key[:5] not in answer.text


@pytest.mark.parametrize("seconds", ["7", "119"])
def test_the_vendors_rate_limit_is_passed_on(http, vendor, api_key, is_streamed, seconds):
    vendor.answers(api_key, {"status": 429, "json": vendor_error("Too many requests"), "headers": {"Retry-After": seconds}})
    status, error, headers = refusal(http, is_streamed)
    assert (status, error["type"], error["code"]) == (429, "requests", "rate_limit_exceeded")
    assert headers["retry-after"] == seconds
    assert headers["x-relay-limited-by"] == "upstream"
    assert headers.get("x-should-retry") != "false"
    assert len(vendor.requests(api_key)) == 1


def test_a_long_wait_is_not_worth_a_retry(http, vendor, api_key):
    vendor.answers(api_key, {"status": 429, "json": vendor_error("no"), "headers": {"Retry-After": "3600"}})
    _, _, headers = refusal(http)
    assert headers["retry-after"] == "3600" and headers["x-should-retry"] == "false"


def test_a_busy_provider_is_asked_once_more(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"status": 400, "json": BUSY}, {"answer": "good"})
    assert either(http, is_streamed) == ("good", "stop")
    first, second = vendor.requests(api_key)
    assert first["body"] == second["body"]


TOGETHER: list[int] = []
"""`split` for a stream whose events all come in one piece."""


@pytest.fixture(params=[None, TOGETHER], ids=["apart", "together"])
def split(request):
    return request.param


@pytest.mark.parametrize("data", [{"error": "broken"}, {"message": "broken"}, {"error": {"message": "broken"}}, "broken", {}, ""], ids=str)
def test_an_error_event(http, vendor, api_key, data, split):
    vendor.answers(api_key, {"events": [["error", data]]})
    status, error, _ = refusal(http, is_streamed=True)
    assert (status, error["type"]) == (502, "server_error")
    vendor.answers(api_key, {"events": [["content", {"content": "so far"}], ["error", data]], "split": split})
    got = stream(http)
    assert (got.status, got.text(), got.finish(), got.is_done) == (200, "so far", None, False)
    assert got.error["type"] == "server_error"


def test_an_error_event_with_an_address(http, vendor, api_key):
    events = [["content", {"content": "a"}], ["error", {"error": f"see {SECRET_URL} {api_key}"}]]
    vendor.answers(api_key, {"events": events})
    got = stream(http)
    assert "://" not in got.error["message"] and api_key not in got.error["message"]


def test_a_failed_record_at_the_end_of_a_stream(http, vendor, api_key, split):
    vendor.answers(api_key, {"deltas": ["so far"], "record": {"status": "FAILED"}, "split": split})
    got = stream(http)
    assert (got.text(), got.finish(), got.is_done) == ("so far", None, False)
    assert got.error["code"] == "upstream_error"


def test_a_failed_record_before_any_content(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": [], "record": {"status": "FAILED"}})
    status, error, _ = refusal(http, is_streamed=True)
    assert (status, error["code"]) == (502, "upstream_error")


def test_the_official_client_raises_in_the_midst_of_a_stream(client, vendor, api_key):
    vendor.answers(api_key, {"events": [["content", {"content": "so far"}], ["error", {"error": "broken"}]]})
    seen = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "a"}], stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert "so far" in seen and caught.value.type == "server_error"


def test_the_official_client_raises_before_a_stream(client, vendor, api_key):
    vendor.answers(api_key, {"status": 406, "json": NO_CREDITS})
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "a"}], stream=True)
    assert (caught.value.status_code, caught.value.code) == (402, "insufficient_quota")


def post(relay, http, **fields):
    return http.post(relay.v1 + "/chat/completions", json=body(**fields))


def test_a_name_that_does_not_resolve(start_relay, http):
    relay = start_relay(ONE_MIN_BASE_URL="http://no-such-host.invalid")
    answer = post(relay, http)
    assert answer.status_code == 502 and "no-such-host" not in answer.text


def test_comments_keep_a_stream_alive(start_relay, http, vendor, api_key):
    """Time-outs count bytes, not events: each comment comes before the idle time-out is over."""
    relay = start_relay(PROVIDER_QUICK_KIND="onemin", PROVIDER_QUICK_IDLE_TIMEOUT="300ms")
    vendor.answers(api_key, {"deltas": ["a", "b", "c"], "comments": True, "delay_between": 0.15})
    answer = post(relay, http, stream=True)
    got = streamed(answer.status_code, answer.headers, answer.content)
    assert (got.text(), got.finish(), got.is_done) == ("abc", "stop", True)
