"""Chat by a provider of the kind cohere: requests as its vendor accepts them, whole and streamed responses, failures,
changes."""

import json

import cohere_vendor
import pytest
from chat import ask, either, refusal, stream, text_of
from cohere_vendor import end
from conftest import TEAM_TOKEN, VENDOR_KEY, http_of, running
from relay_process import provider

MODEL, THINKER = "command-a-03-2025", "command-a-reasoning-08-2025"
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": PARAMETERS}}


vendor_site = running(cohere_vendor.start)


@pytest.fixture(scope="module")
def cohere_relay(launch, vendor_site):
    return launch(
        **provider("CO", "cohere", vendor_site.base_url + "/v1", ",".join(cohere_vendor.MODELS), API_KEY=VENDOR_KEY, IDLE_TIMEOUT="3s", TIMEOUT="3s"),
        KEY_TEAM_TOKEN=TEAM_TOKEN,
    )  # fmt: skip


co = http_of("cohere_relay", "vendor_site", MODEL, THINKER)


def test_a_plain_request(co, vendor_site):
    assert text_of(ask(co, model="command")) == "Hello there"
    (seen,) = vendor_site.asked(MODEL)
    assert seen["body"] == {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    assert seen["headers"]["authorization"] == f"Bearer {VENDOR_KEY}"
    assert stream(co, model="command").text() == "Hello there"
    assert vendor_site.asked(MODEL)[1]["body"]["stream"] is True


def test_usage(co, vendor_site):
    vendor_site.says(MODEL, {"usage": {"tokens": {"input_tokens": 20.0, "output_tokens": 7.0}, "cached_tokens": 12.0}})
    for usage in (ask(co, model="command").json()["usage"], stream(co, model="command", stream_options={"include_usage": True}).usage()):
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (20, 7, 12)
    vendor_site.says(MODEL, {"usage": {"billed_units": {"input_tokens": 3, "output_tokens": 4}}})
    assert ask(co, model="command").json()["usage"]["total_tokens"] == 7
    vendor_site.says(MODEL, {"usage": {"tokens": {"input_tokens": 20.0}, "billed_units": {"input_tokens": 3, "output_tokens": 4000}}})
    for usage in (ask(co, model="command").json()["usage"], stream(co, model="command", stream_options={"include_usage": True}).usage()):
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (20, 4000)


def test_the_stop_that_ended_it(co, vendor_site, is_streamed):
    def ended(*stops):
        body = {"model": "command", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}], "stop_sequences": stops, "stream": is_streamed}
        answer = co.post("/v1/messages", json=body)
        if is_streamed:
            events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
            (end,) = (event["delta"] for event in events if event["type"] == "message_delta")
        else:
            end = answer.json()
        return end["stop_reason"], end["stop_sequence"]

    vendor_site.says(MODEL, {"finish": "STOP_SEQUENCE"})
    assert ended("END") == ("stop_sequence", "END")
    # Cohere does not say which.
    assert ended("END", "STOP") == ("end_turn", None)
    vendor_site.says(MODEL, {"finish": "COMPLETE"})
    assert ended("END") == ("end_turn", None)


def test_an_end_without_text(co, vendor_site, is_streamed):
    vendor_site.says(MODEL, {"finish": "MAX_TOKENS", "text": ""})
    assert either(co, is_streamed, model="command") == ("", "length")


def said(message):
    return {"id": "1", "message": message}


TABLE = [
    (402, said("billing"), {}, 402, "insufficient_quota", {"x-should-retry": "false"}),
    (429, said("You are using a Trial key, which is limited to 20 API calls / minute."), {}, 429, "rate_limit_exceeded", {"retry-after": "60"}),
    (429, said("slow down"), {"Retry-After": "7"}, 429, "rate_limit_exceeded", {"retry-after": "7"}),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[4]}")
def test_the_table(co, vendor_site, case, is_streamed):
    status, body, headers, told, code, own = case
    vendor_site.says(MODEL, {"status": status, "headers": headers, "json": body})
    got, found, head = refusal(co, is_streamed, model="command")
    assert (got, found["code"]) == (told, code), found
    assert {name: head[name] for name in own} == own and len(vendor_site.asked(MODEL)) == 1


FAULTS = {
    "error": ({"json": {"message": {"content": []}, "finish_reason": "ERROR"}}, 502),
    "time-out": ({"json": {"message": {"content": []}, "finish_reason": "TIMEOUT"}}, 504),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_without_an_answer(co, vendor_site, name, is_streamed):
    script, status = FAULTS[name]
    vendor_site.says(MODEL, script)
    assert refusal(co, is_streamed, model="command")[0] == status


def test_an_error_as_the_first_event(co, vendor_site):
    vendor_site.says(MODEL, {"events": [end("TIMEOUT", error="slow")]})
    assert refusal(co, True, model="command")[0] == 504


MENDS = [
    ("max tokens must be less than or equal to 8001", {"max_tokens": 9000}, {"max_tokens": 8001}),
    ("thinking is not supported for this model", {"reasoning_effort": "low"}, {}),
    ("too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received 9000.",
     {"max_tokens": 9000}, {"max_tokens": 4096}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MENDS)))
def test_mends(co, vendor_site, number, start_relay, caller):
    message, fields, left = MENDS[number]
    name = f"command-mend-{number}" if "thinking" not in message else "thinker"
    model = THINKER if name == "thinker" else name
    vendor_site.says(model, {"status": 400, "json": said(message)}, {})
    assert text_of(ask(co, model=name, **fields)) == "Hello there"
    assert stream(co, model=name, **fields).is_done
    first, second, third = [request["body"] for request in vendor_site.asked(model)]
    assert second == {name: value for name, value in third.items() if name != "stream"} and first != second
    assert set(second) - {"model", "messages"} == set(left)
    if isinstance(left, dict):
        assert {key: second[key] for key in left} == left


@pytest.mark.parametrize("number, fields", [(6, {"tools": [TOOL], "tool_choice": "required"}), (7, {"response_format": {"type": "json_object"}})])
def test_abilities_that_a_model_lacks(co, vendor_site, number, fields):
    name = f"command-mend-{number}"
    text = 'So: {"a": 1}' if number == 7 else '<tool_call>{"name":"weather","arguments":{"city":"Rome"}}</tool_call>'
    word = "response_format json" if number == 7 else "tool_choice"
    vendor_site.says(name, {"status": 400, "json": said(f"{word} is not supported with model {name}")}, {"text": text})
    choice = ask(co, model=name, **fields).json()["choices"][0]
    assert choice["finish_reason"] == ("stop" if number == 7 else "tool_calls")
    assert set(vendor_site.asked(name)[1]["body"]) == {"model", "messages"}


def test_the_callers_key_and_another_kind(start_relay, vendor_site, server, caller, new_key):
    relay = start_relay(
        **provider("OWN", "cohere", vendor_site.base_url + "/v2", "command-own", PASSTHROUGH="true", HEADERS="X-Client-Name: T"),
        ANONYMOUS_MODELS="shared", **provider("CO", "cohere", vendor_site.base_url, "shared=command-shared", API_KEY=VENDOR_KEY),
        **provider("ROW", "openai", server.base_url, "shared=shared/row", PRIORITY=2, API_KEY=VENDOR_KEY),
    )  # fmt: skip
    key = new_key()
    vendor_site.says("command-own", {"own_headers": ["x-client-name"]})
    http = caller(relay, key)
    assert text_of(ask(http, model="command-own")) == "Hello there"
    (seen,) = vendor_site.asked("command-own")
    assert seen["headers"]["authorization"] == f"Bearer {key}" and seen["headers"]["x-client-name"] == "T"
    for status, told, code in [(401, 401, "invalid_api_key"), (403, 403, "permission_denied"), (429, 429, "rate_limit_exceeded")]:
        vendor_site.says("command-own", {"status": status, "json": said("no"), "own_headers": ["x-client-name"]})
        got, found, _ = refusal(http, model="command-own")
        assert (got, found["code"]) == (told, code)
    for is_streamed in (False, True):
        vendor_site.says("command-shared", {"status": 503, "json": said("busy")})
        server.says("shared/row", {})
        assert either(caller(relay), is_streamed, model="shared") == ("Hello there", "stop")
    assert server.take_violations() == [] and vendor_site.take_violations() == []
