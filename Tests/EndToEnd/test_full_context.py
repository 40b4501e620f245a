"""Prompts that do not fit the model's context window, as agents of each API must read it, and limits that say whose they are."""

import anthropic
import officials
import pytest
import responding
from chat import PATH, ask
from conftest import TEAM_TOKEN
from memcached import wait_for
from test_openai_errors import QUOTA, openai_error
from usage import lines_so_far

MODEL = "big/model:1"
CODE = "context_length_exceeded"
SAID = {
    "openai": "This model's maximum context length is 10 tokens. However, your messages resulted in 99 tokens.",
    "responses": "Your input exceeds the context window of this model. Please adjust your input and try again.",
    "fireworks": "The prompt is too long: 99, model maximum context length: 10",
    "anthropic": "prompt is too long: 99 tokens > 10 maximum",
}
PROMPT = "word " * 17_000
"""Too long for gpt-3.5-turbo, whose window is 16,385 tokens."""


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return tmp_path_factory.mktemp("usage") / "app.log"


@pytest.fixture(scope="module")
def relay(launch, server, records):
    settings = {"PROVIDER_VIA_CHAT_VIA": "responses", "PROVIDER_ONE_MODELS": "small=gpt-3.5-turbo,two=gpt-3.5-turbo", "PROVIDER_TWO_MODELS": "two=gpt-3.5-turbo"}
    for row, models in {"ROW": f"m={MODEL}", "VIA": "via=by/responses"}.items():
        settings |= {f"PROVIDER_{row}_KIND": "openai", f"PROVIDER_{row}_BASE_URL": server.base_url, f"PROVIDER_{row}_MODELS": models}
    settings |= {f"PROVIDER_{row}_KIND": "onemin" for row in ("ONE", "TWO")}
    settings |= {f"PROVIDER_{row}_API_KEY": f"key-of-the-vendor-{row}" for row in ("ROW", "VIA", "ONE", "TWO")}
    return launch(USAGE_LOG_FILE=records, KEY_TEAM_TOKEN=TEAM_TOKEN, **settings)


official = officials.openai_of("relay")
claude = officials.anthropic_of("relay")


@pytest.fixture
def http(relay, server, caller):
    for model in (MODEL, "by/responses"):
        server.says(model, {})
    yield caller(relay, TEAM_TOKEN)
    assert server.take_violations() == []


def record_of(records, request_id):
    """Returns the usage record of a request, which is written after the response has ended."""
    found = lambda: [line for line in lines_so_far(records) if line["request_id"] == request_id and "kind" not in line]  # noqa: E731
    wait_for(found)
    return found()[0]


def vendor_says(server, message, model=MODEL):
    server.says(model, {"status": 400, "json": openai_error(message)})


@pytest.mark.parametrize("name", SAID)
def test_the_words_come_once_on_messages(http, claude, server, name, is_streamed):
    vendor_says(server, SAID[name])
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.messages.create(model="m", max_tokens=100, messages=[{"role": "user", "content": "Hi"}], stream=is_streamed)
    error = caught.value.body["error"]
    said = SAID[name][SAID[name].lower().find("prompt is too long") :] if "prompt is too long" in SAID[name] else f"prompt is too long: {SAID[name]}"
    assert (error["type"], error["message"]) == ("invalid_request_error", said)


def test_the_count_of_the_relay_on_messages(http, claude):
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.messages.create(model="small", max_tokens=10, messages=[{"role": "user", "content": PROMPT}])
    error = caught.value.body["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith("prompt is too long: This model's maximum context length is 16385 tokens.")


def test_other_surfaces_name_the_code(http, server):
    vendor_says(server, SAID["fireworks"])
    for is_streamed in (False, True):
        error = responding.error_of(ask(http, model="m", stream=is_streamed), 400)
        assert (error["code"], error["message"]) == (CODE, SAID["fireworks"])
        answer = http.post("/v1/completions", json={"model": "m", "prompt": "Hi", "stream": is_streamed})
        assert responding.error_of(answer, 400)["code"] == CODE
    assert responding.error_of(responding.respond(http, model="m"), 400)["code"] == CODE
    assert responding.error_of(responding.respond(http, PROMPT, model="small"), 400)["code"] == CODE


# What does not fit, where the response is a stream


def failed(answer):
    assert answer.status_code == 200, answer.text
    got = responding.events(answer)
    assert [event["type"] for event in got] == ["response.created", "response.in_progress", "response.failed"]
    error = got[-1]["response"]["error"]
    assert error["code"] == CODE and got[-1]["response"]["status"] == "failed" and got[-1]["response"]["output"] == []
    return error["message"]


FAILED = {"type": "response.failed", "response": {"status": "failed", "error": {"code": CODE, "message": SAID["responses"]}}}
CREATED = {"type": "response.created", "response": {"status": "in_progress"}}


@pytest.mark.parametrize("model", ["m", "via", "small", "two", "events"])
def test_a_streamed_response_is_a_stream_that_fails(http, server, records, official, model):
    vendor_says(server, SAID["responses"])
    if model == "events":
        server.says("by/responses", {"events": [CREATED, FAILED]})
    else:
        vendor_says(server, SAID["responses"], "by/responses")
    name = "via" if model == "events" else model
    answer = responding.respond(http, PROMPT, model=name, stream=True)
    assert ("length is 16385 tokens" if model in ("small", "two") else SAID["responses"]) in failed(answer)
    record = record_of(records, answer.headers["x-request-id"])
    assert (record["status"], record["success"], record["stream"]) == (400, False, True)
    (last,) = [event for event in official.responses.create(model=name, input=PROMPT, stream=True) if event.type == "response.failed"]
    assert (last.response.status, last.response.error.code) == ("failed", CODE)


def test_other_errors_of_a_streamed_response_are_none(http, server):
    vendor_says(server, "It is wrong.")
    assert responding.error_of(responding.respond(http, model="m", stream=True), 400)["message"] == "It is wrong."


# Whose limit it is


def test_an_overloaded_vendor_is_529_on_messages(http, claude, server):
    server.says(MODEL, {"status": 529, "json": openai_error("Overloaded")})
    with pytest.raises(anthropic.InternalServerError) as caught:
        claude.messages.create(model="m", max_tokens=100, messages=[{"role": "user", "content": "Hi"}])
    assert (caught.value.status_code, caught.value.body["error"]["type"]) == (529, "overloaded_error")


@pytest.mark.parametrize("path", [PATH, responding.PATH, "/v1/messages"])
def test_a_limit_says_whose_it_is(start_relay, server, caller, path, is_streamed):
    rows = {f"PROVIDER_{row}_{name}": value for row in ("RATE", "PAID") for name, value in {
        "KIND": "openai", "BASE_URL": server.base_url, "API_KEY": f"key-of-{row}", "MODELS": f"{row.lower()}=limited/{row}"}.items()}  # fmt: skip
    http = caller(start_relay(**rows, KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_RATE_LIMIT="2/hour"), TEAM_TOKEN)
    server.says("limited/RATE", {"status": 429, "json": openai_error()})
    server.says("limited/PAID", {"status": 429, "json": QUOTA})
    body = {"input": "Hi"} if path == responding.PATH else {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    told = []
    for model in ("rate", "paid", "rate"):
        answer = http.post(path, json=body | {"stream": is_streamed, "model": model})
        # An empty account is not filled by waiting.
        assert ("retry-after" in answer.headers) is (model == "rate") and ("provider" in answer.text) is (len(told) < 2), answer.text
        told.append((answer.status_code, answer.headers.get("x-relay-limited-by")))
    assert told == [(429, "upstream"), (402, "upstream"), (429, "relay")]
