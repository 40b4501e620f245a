"""Google's real streams, its failures as clients see them, and changes after a refusal."""


import pytest
from chat import ask, either, refusal, stream, text_of
from conftest import TEAM_TOKEN, VENDOR_KEY
from gemini_vendor import BAD_KEY, USAGE, GeminiWire, error
from relay_process import provider
from test_gemini_chat import CALLS, MODEL, SIGNATURE, TOOL
from test_openai_stream import Built
from usage import File, is_call

part = GeminiWire.answer
RPC = "type.googleapis.com/google.rpc."
DELAY = {"@type": RPC + "RetryInfo", "retryDelay": "34.4s"}
DAY = {"@type": RPC + "QuotaFailure", "violations": [{"quotaMetric": "m", "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}
MINUTE = {"@type": RPC + "QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]}
OFF = {"@type": RPC + "ErrorInfo", "reason": "SERVICE_DISABLED"}

TABLE = [
    # status, body, headers -> status, code, header
    (400, error(400, "INVALID_ARGUMENT"), {}, 400, None, {}),
    (400, BAD_KEY, {}, 502, "upstream_error", {}),
    (403, error(403, "PERMISSION_DENIED", "You may not access this tuned model"), {}, 403, "permission_denied", {}),
    (404, "<html>no</html>", {}, 502, "upstream_error", {}),
    (429, error(429, "RESOURCE_EXHAUSTED", "Slow down.", MINUTE, DELAY), {}, 429, "rate_limit_exceeded", {"retry-after": "35"}),
    (429, error(429, "RESOURCE_EXHAUSTED"), {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}, 429, "rate_limit_exceeded", {"x-should-retry": "false"}),
    (429, error(429, "RESOURCE_EXHAUSTED", "Quota exceeded", DAY, DELAY), {}, 402, "insufficient_quota", {"x-should-retry": "false"}),
]  # fmt: skip
"""Some of what `VendorErrorTests` have."""


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[4]}")
def test_the_table(gem, google, case, is_streamed):
    status, body, headers, told, code, own = case
    sent = {"raw": body.encode(), "type": "text/html"} if isinstance(body, str) else {"json": body}
    google.says(MODEL, {"status": status, "headers": headers} | sent)
    got, found, head = refusal(gem, is_streamed, model="pro")
    assert (got, found["code"]) == (told, code), found
    assert {name: head[name] for name in own} == own
    assert len(google.asked(MODEL)) == 1


FAULTS = {
    "a list with an error": ({"json": [error(429, "RESOURCE_EXHAUSTED", "x", DELAY)]}, 429, 1),
    "a page": ({"raw": b"<html>busy</html>", "type": "text/html"}, 502, 1),
    "no candidate": ({"json": {"usageMetadata": USAGE}}, 502, 1),
    "no end": ({"json": {"candidates": [{"content": {"parts": [{"text": ""}]}}]}}, 502, 1),
    "blocked": ({"json": {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": USAGE}}, 400, 1),
    "stop without parts": ({"json": {"candidates": [{"finishReason": "STOP", "index": 0}]}}, 502, 2),
    "empty text": ({"json": part([{"text": ""}], "STOP", {})}, 502, 2),
    "malformed call": ({"json": {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}}, 502, 2),
    "too many calls": ({"json": {"candidates": [{"finishReason": "TOO_MANY_TOOL_CALLS"}]}}, 502, 2),
    "an unexpected call": ({"json": {"candidates": [{"finishReason": "UNEXPECTED_TOOL_CALL"}]}}, 502, 2),
    "other": ({"json": {"candidates": [{"finishReason": "OTHER"}]}}, 502, 2),
    "never heard of": ({"json": {"candidates": [{"finishReason": "NEW_REASON"}]}}, 502, 2),
    "missing signature": ({"json": {"candidates": [{"finishReason": "MISSING_THOUGHT_SIGNATURE"}]}}, 400, 1),
    "disabled": ({"json": {"candidates": [{"finishReason": "PUP_LIMITED_DISABLED"}]}}, 502, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_without_an_answer(gem, google, name, is_streamed):
    script, status, times = FAULTS[name]
    if "events" in script and not is_streamed:
        script = {"json": script["events"][0]}
    google.says(MODEL, script)
    got, found, _ = refusal(gem, is_streamed, model="pro")
    assert got == status, found
    assert len(google.asked(MODEL)) == times
    if name == "blocked":
        assert found["code"] == "content_filter"


TELLING = {
    "malformed": {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}], "usageMetadata": USAGE},
    "empty": {"candidates": [{"finishReason": "STOP"}], "usageMetadata": USAGE},
    "only a prompt": {"candidates": [{"finishReason": "OTHER"}], "usageMetadata": {"promptTokenCount": 31}},
}


@pytest.mark.parametrize("name", TELLING)
def test_failed_answers_cost_what_they_tell(start_relay, google, caller, tmp_path, name, is_streamed):
    """Each of the four calls costs 0.000031, and the next one would cost 0.00004."""
    log = File(tmp_path / "usage.jsonl")
    relay = start_relay(
        **provider("GEM", "gemini", google.base_url + "/v1beta", f"pro={MODEL}", API_KEY=VENDOR_KEY, COST="0.001/0.002"),
        KEY_TEAM_TOKEN=TEAM_TOKEN, RATE_LIMIT_CHAT="0.00015 usd/hour", USAGE_LOG_FILE=log.path,
    )  # fmt: skip
    http = caller(relay, TEAM_TOKEN)
    failed = {"json": TELLING[name]}
    google.says(MODEL, failed, {})
    assert either(http, is_streamed, model="pro", max_tokens=11) == ("Hello there", "stop")
    google.says(MODEL, failed)
    assert refusal(http, is_streamed, model="pro", max_tokens=11)[0] == 502
    records = log.more(6)
    assert [record["cost"] for record in records if is_call(record)] == [pytest.approx(0.000031)] * 4
    assert [record["cost"] for record in records if not is_call(record)] == [pytest.approx(0.000062)] * 2
    assert refusal(http, is_streamed, model="pro", max_tokens=20)[0] == 429


def test_a_blocked_prompt_costs_what_its_vendor_tells(start_relay, google, caller, tmp_path, is_streamed):
    log = File(tmp_path / "usage.jsonl")
    relay = start_relay(
        PROVIDER_GEM_KIND="gemini", PROVIDER_GEM_BASE_URL=google.base_url + "/v1beta", PROVIDER_GEM_API_KEY=VENDOR_KEY,
        PROVIDER_GEM_MODELS=f"pro={MODEL}", PROVIDER_GEM_COST="0.001/0.002", KEY_TEAM_TOKEN=TEAM_TOKEN, USAGE_LOG_FILE=log.path,
    )  # fmt: skip
    google.says(MODEL, {"json": {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 31}}})
    assert refusal(caller(relay, TEAM_TOKEN), is_streamed, model="pro")[0] == 400
    assert [record["cost"] for record in log.more(2)] == [pytest.approx(0.000031)] * 2


@pytest.mark.parametrize("word, told", [("MAX_TOKENS", "length"), ("SAFETY", "content_filter")])
def test_ends_without_text(gem, google, word, told, is_streamed):
    google.says(MODEL, {"json": {"candidates": [{"finishReason": word, "index": 0}], "usageMetadata": USAGE}})
    assert either(gem, is_streamed, model="pro") == ("", told)


EVENTS = [
    ": hello", part([{"text": "Hm\u00e9", "thought": True}], None, {}), part([{"text": "H\u00e9\U0001f310"}], None, {}),
    {"usageMetadata": USAGE}, {"candidates": []}, {"candidates": [{"index": 0}]}, {"candidates": [{"content": {}, "groundingMetadata": {}}]},
    "event: other\ndata: {}", part([{"functionCall": {"name": "weather", "args": CALLS[0][1]}, "thoughtSignature": SIGNATURE}], None, {}),
    part([{"executableCode": {"code": "1"}}, {"functionCall": {"name": "weather"}}, {"newPart": 1}], None, {}),
    part([{"text": ""}], "STOP", {"usage": USAGE | {"candidatesTokenCount": 9}}),
]  # fmt: skip
TOLD = ("H\u00e9\U0001f310", "Hm\u00e9", [("weather", {"city": "Rome"}), ("weather", {})], "tool_calls")


def test_a_list_in_place_of_a_stream(gem, google):
    google.says(MODEL, {"json": [event for event in EVENTS if isinstance(event, dict)]})
    got = stream(gem, model="pro", tools=[TOOL])
    assert Built([one for one in got.chunks if one["choices"]]).told() == TOLD


def test_an_end_that_comes_too_early(gem, google):
    google.says(MODEL, {"events": [part([{"text": "one"}], "STOP", {}), part([{"text": " two"}], None, {}), part([], "MAX_TOKENS", {})]})
    got = stream(gem, model="pro")
    assert (got.text(), got.finish()) == ("one two", "length")


def refused(message):
    return {"status": 400, "json": error(400, "INVALID_ARGUMENT", message)}


def asked_mended(gem, google, number, message, *answers, **fields):
    """Returns the bodies of a refused request and of its second attempt, which equals the next request."""
    name = f"gemini-3-mend-{number}"
    google.says(name, refused(message), *(answers or [{}]))
    assert text_of(ask(gem, model=name, **fields)), "no text"
    assert stream(gem, model=name, **fields).is_done
    first, second, third = google.asked(name)
    assert second["body"] == third["body"]
    return first["body"], second["body"]


def test_penalties_that_are_not_enabled(gem, google):
    first, second = asked_mended(gem, google, 0, "Penalty is not enabled for models/x", presence_penalty=1, temperature=0.5)
    assert first["generationConfig"]["presencePenalty"] == 1 and second["generationConfig"] == {"temperature": 0.5}


def test_thinking_that_is_not_known(gem, google):
    _, second = asked_mended(gem, google, 1, "Thinking level is not supported for this model.", reasoning_effort="low", max_tokens=9)
    assert second["generationConfig"] == {"maxOutputTokens": 9}


INSTRUCTIONS = (
    "Developer instruction is not enabled for models/x", "System instruction is not supported by this model.",
    "* GenerateContentRequest.system_instruction: system instruction is not enabled for models/x",
    'Invalid JSON payload received. Unknown name "systemInstruction": Cannot find field.',
)


@pytest.mark.parametrize("words", INSTRUCTIONS)
def test_instructions_that_are_not_enabled(gem, google, words):
    messages = [{"role": "system", "content": "A"}, {"role": "user", "content": "B"}]
    first, second = asked_mended(gem, google, 20 + INSTRUCTIONS.index(words), words, messages=messages)
    assert "systemInstruction" in first and second == {"contents": [{"role": "user", "parts": [{"text": "A"}, {"text": "B"}]}]}


SIGNATURES = (
    "Corrupted thought signature.", "Thought signature is not valid", "Invalid thoughtSignature in contents[1].parts[0]",
    "Invalid value at 'contents[1].parts[0].thought_signature' (TYPE_BYTES), Base64 decoding failed for \"EpEg\"",
    "Unable to submit request because Thought signature is not valid.. Learn more: https://cloud.google.com/vertex-ai",
    "Invalid JSON payload received. Unknown name \"thoughtSignature\" at 'contents[1].parts[0]': Cannot find field.",
)


@pytest.mark.parametrize("words", SIGNATURES)
def test_signatures_of_another_model(gem, google, words):
    def call(id, **more):
        return {"id": id, "type": "function", "function": {"name": "weather", "arguments": "{}"}} | more

    signed = {"extra_content": {"google": {"thought_signature": SIGNATURE}}}
    messages = [{"role": "user", "content": "B"}, {"role": "assistant", "tool_calls": [call("a", **signed), call("b")]}]
    first, second = asked_mended(gem, google, 30 + SIGNATURES.index(words), words, messages=messages, tools=[TOOL])
    assert first["contents"][1]["parts"][0]["thoughtSignature"] == SIGNATURE
    skip = [part.get("thoughtSignature") for part in second["contents"][1]["parts"]]
    assert skip == [None if "Unknown" in words else "skip_thought_signature_validator", None]
    if "Unknown" in words:
        assert len(google.take_violations()) == 2


@pytest.mark.parametrize("number, is_streamed", [(8, False), (9, True)])
def test_a_signature_that_is_missing(gem, google, number, is_streamed):
    name = f"gemini-3-mend-{number}"
    calls = [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}, "extra_content": {"google": {"thought_signature": SIGNATURE}}}]
    messages = [{"role": "user", "content": "B"}, {"role": "assistant", "tool_calls": calls}, {"role": "tool", "tool_call_id": "a", "content": "ok"}]
    missing = {"finish": "MISSING_THOUGHT_SIGNATURE", "text": ""}
    google.says(name, missing, {})
    for _ in range(2):
        assert either(gem, is_streamed, model=name, messages=messages, tools=[TOOL]) == ("Hello there", "stop")
    signatures = [seen["body"]["contents"][1]["parts"][0]["thoughtSignature"] for seen in google.asked(name)]
    assert signatures == [SIGNATURE, *["skip_thought_signature_validator"] * 2]
    google.says(name, missing)
    assert refusal(gem, is_streamed, model=name, messages=messages, tools=[TOOL])[0] == 400
    assert len(google.asked(name)) == 1


@pytest.mark.parametrize("number, is_streamed", [(4, False), (5, True)])
def test_formats_that_are_not_enabled(gem, google, number, is_streamed):
    name = f"gemini-3-mend-{number}"
    google.says(name, refused("JSON mode is not enabled for models/x"), {"text": 'So: {"a": 1}'})
    form = {"type": "json_object"}
    for _ in range(2):
        assert either(gem, is_streamed, model=name, response_format=form) == ('{"a": 1}', "stop")
    first, second, third = google.asked(name)
    assert "generationConfig" in first["body"] and "generationConfig" not in second["body"] and second["body"] == third["body"]


def test_what_is_not_mended(gem, google):
    google.says("gemini-3-mend-6", refused("Unable to submit request because temperature is out of range"))
    status, found, _ = refusal(gem, model="gemini-3-mend-6", temperature=1)
    assert status == 400 and found["param"] is None and len(google.asked("gemini-3-mend-6")) == 1
    google.says("gemini-3-mend-7", refused("Penalty is not enabled for models/x"))
    assert refusal(gem, model="gemini-3-mend-7", presence_penalty=1)[0] == 400
    assert len(google.asked("gemini-3-mend-7")) == 2
