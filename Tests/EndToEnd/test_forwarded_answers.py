"""Answers of OpenAI's other endpoints that go on as they came: what they cost, and what is no answer."""

import json

import openai_endpoints as fake
import pytest
from chat import ask
from openai_vendor import whole
from test_openai_endpoints import ASKS, embed, generate, transcribe, two_providers

TOKEN = "token-of-forwarded-answers"


@pytest.fixture(scope="module")
def priced(launch, server):
    """A model `m` with prices for prompts, completions and cached prompts."""
    return launch(
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_MODELS="m=at/priced",
        PROVIDER_ROW_COSTS="m=1/2/0.1", KEY_A_TOKEN=TOKEN,
    )  # fmt: skip


@pytest.fixture
def two(start_relay, server, caller):
    """A model `m` of two providers; the first is asked first."""

    def made(**more):
        bounds = {"PROVIDER_OTHER_PRIORITY": 2, "BREAKER_FAILURES": 1000}
        relay = start_relay(**two_providers(server), **bounds, KEY_A_TOKEN=TOKEN, **more)
        return caller(relay, TOKEN)

    return made


def pictures(count):
    return fake.IMAGES | {"data": [{"b64_json": "A" * count}]}


# --- Costs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "usage, cost",
    [
        ({"prompt_tokens": 1000, "total_tokens": 1000}, "1"),
        ({"total_tokens": 1000}, "1"),
        ({"prompt_tokens": None, "total_tokens": 1000}, "1"),
        ({"completion_tokens": 100, "total_tokens": 1100}, "1.2"),
        ({"output_tokens": 100, "total_tokens": 50}, "0.2"),
        ({"total_tokens": None}, "0.002"),
        ({"prompt_tokens": 1000, "prompt_tokens_details": {"cached_tokens": 900}}, "0.19"),
        ({"input_tokens": 1000, "output_tokens": 100, "input_tokens_details": {"cached_tokens": 900}}, "0.39"),
        ({"input_tokens": 1000, "input_tokens_details": {"cached_tokens": 9000}}, "0.1"),
        ({"input_tokens": 1000, "input_tokens_details": {"cached_tokens": None}}, "1"),
    ],
)
def test_the_cost_of_what_is_told(priced, server, caller, usage, cost):
    server.says("at/priced", {"json": fake.embeddings({"input": "x"}) | {"usage": usage}})
    assert embed(caller(priced, TOKEN), model="m").headers["x-relay-cost"] == cost


@pytest.mark.parametrize(
    "usage, completion, cost",
    [
        # As xAI tells it, and servers that translate Gemini's counts.
        ({"prompt_tokens": 30, "completion_tokens": 10, "total_tokens": 135, "completion_tokens_details": {"reasoning_tokens": 95}}, 105, "0.24"),
        ({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 610}, 510, "1.12"),
        ({"prompt_tokens": 30, "completion_tokens": 100, "total_tokens": 130, "completion_tokens_details": {"reasoning_tokens": 95}}, 100, "0.23"),
        ({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 130, "prompt_tokens_details": {"cached_tokens": 20}}, 10, "0.102"),
    ],
)  # fmt: skip
def test_thoughts_beside_the_completion(priced, server, caller, usage, completion, cost):
    server.says("at/priced", {"json": whole({}) | {"usage": usage}})
    http = caller(priced, TOKEN)
    assert ask(http, model="m").headers["x-relay-cost"] == cost
    told = http.post("/v1/responses", json={"model": "m", "input": "Hi"}).json()["usage"]
    assert told["output_tokens"] == completion


def test_the_cost_of_a_large_answer(priced, server, caller):
    http = caller(priced, TOKEN)
    for count in (100_000, 1_000_000, 8_000_000):
        server.says("at/priced", {"json": pictures(count)})
        answer = generate(http, model="m")
        assert answer.headers["x-relay-cost"] == "0.091" and answer.json() == pictures(count)
    server.says("at/priced", {"json": pictures(9_000_000)})
    answer = generate(http, model="m")
    assert "x-relay-cost" not in answer.headers and answer.json() == pictures(9_000_000)
    line = priced.wait_for_line(lambda line: line.get("id") == answer.headers["x-request-id"])
    assert line["prompt_tokens"] == 11


# --- Cuts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [10, 60_000, 500_000, 8_000_000])
def test_another_takes_over_after_a_cut(two, server, length):
    http = two()
    raw = json.dumps(pictures(9_000_000)).encode()[:length]
    server.says("at/first", {"raw": raw, "cut": True})
    answer = generate(http, model="m")
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "other"


def test_without_memory_an_answer_goes_on_as_it_comes(two, server):
    http = two(MEMORY_MB=32)
    server.says("at/first", {"json": pictures(8_000_000)})
    answer = generate(http, model="m")
    assert answer.json() == pictures(8_000_000) and "content-length" not in answer.headers


# --- No answers -------------------------------------------------------------------------------

NONE = {
    "nothing": b"{}",
    "no members": b'{"object":"list","data":[],"results":[]}',
    "null": b'{"object":"list","data":null,"results":null,"text":null}',
    "another answer": b'{"id":"chatcmpl-1","choices":[]}',
    "a detail": b'{"detail":"Not authenticated"}',
    "a message": b'{"message":"no","status":401}',
    "errors": b'{"errors":[{"message":"boom"}]}',
    "a code": b'{"code":1113,"msg":"out of balance"}',
    "no success": b'{"success":false,"data":[1],"results":[1],"text":"x"}',
    "an object": b'{"object":"error","message":"no credit","code":40301}',
    "a type": b'{"type":"error","error":{"type":"api_error","message":"no"}}',
    "a text": b'{"error":"no","data":[1],"results":[1],"text":"x"}',
    "a list": b"[1]",
    "a text alone": b'"Hello"',
}
BROKEN = [
    b'{"data":[0.1,,2],"results":[1],"text":"x"}', b'{data:1}', b'{"data":[1]"results":[1],"text":"x"}',
    b'{"data":[1],"results":[1],"text":"\xff\xfe"}', b'{"data":[1],"results":[1],"text":"x"}<html>',
    b'{"data":[NaN],"results":[NaN],"text":NaN}', b'{"data":[}],"results":[}],"text":}',
]  # fmt: skip
JSON = ["embeddings", "moderations", "generations", "edits", "variations", "transcriptions", "translations"]


@pytest.mark.parametrize("pieces", [5, 100_000])
def test_another_takes_over_from_what_is_no_answer(two, server, pieces):
    http = two()
    for name in JSON:
        for raw in [*NONE.values(), *BROKEN]:
            server.says("at/first", {"raw": raw, "pieces": pieces})
            answer = ASKS[name](http, model="m")
            assert answer.status_code == 200, (name, raw, answer.text)
            assert answer.headers["x-relay-provider"] == "other", (name, raw)
            assert len(server.asked("at/first")) == 1


TOLD = {
    b'{"object":"error","message":"Bad size.","code":400}': (400, None),
    b'{"type":"error","error":{"type":"rate_limit_error","message":"no"}}': (429, "rate_limit_exceeded"),
    b'{"error":"no","code":"insufficient_quota"}': (429, "insufficient_quota"),
    b'{"errors":[{"code":"model_not_found","message":"no"}]}': (404, "model_not_found"),
    b'{"data":[1],"type":"error","code":"overloaded_error"}': (503, "upstream_error"),
}


@pytest.mark.parametrize("raw", TOLD)
def test_the_failure_that_is_told(start_relay, server, caller, raw):
    relay = start_relay(
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_MODELS="m=at/told", KEY_A_TOKEN=TOKEN,
    )  # fmt: skip
    server.says("at/told", {"raw": raw})
    answer = embed(caller(relay, TOKEN), model="m")
    assert (answer.status_code, answer.json()["error"]["code"]) == TOLD[raw]


def test_a_long_answer_that_is_none(two, server):
    http = two()
    good = json.dumps(pictures(1_000_000)).encode()
    for raw in (good, good[:-1] + b",}", good[:-1] + b',"success":false}', good.replace(b'"data"', b'"date"')):
        server.says("at/first", {"raw": raw})
        assert generate(http, model="m").headers["x-relay-provider"] == ("first" if raw == good else "other")


def test_silence_is_a_transcript(two, server):
    http = two()
    server.says("at/first", {"json": {"text": ""}})
    assert ASKS["transcriptions"](http, model="m").json() == {"text": ""}


# --- Types ------------------------------------------------------------------------------------

TYPES = ["text/plain", "application/octet-stream", "text/html", "audio/mpeg", "application/json; charset=utf-8"]


@pytest.mark.parametrize("kind", TYPES)
def test_json_is_told_as_json(two, server, kind):
    http = two()
    for name, good in {"embeddings": fake.embeddings({"input": "x"}), "moderations": fake.MODERATION, "generations": fake.IMAGES}.items():
        server.says("at/first", {"raw": json.dumps(good).encode(), "type": kind})
        answer = ASKS[name](http, model="m")
        assert answer.headers["x-relay-provider"] == "first" and answer.json().keys() == good.keys()
        assert answer.headers["content-type"] == (kind if kind in TYPES[-1:] else "application/json")


ERROR = b' {"error":{"message":"boom","code":"slow"}}'
PAGES = [b"<html><body>Bad gateway</body></html>", b"\n<!DOCTYPE HTML>\n<p>x"]


@pytest.mark.parametrize("pieces", [1, 100_000])
def test_errors_and_pages_are_neither_sound_nor_texts(two, server, pieces):
    http = two()
    speak, translate = ASKS["speech"], ASKS["translations"]
    asks = {
        "speech": lambda: speak(http, model="m"),
        "json": lambda: transcribe(http, model="m"),
        "text": lambda: transcribe(http, model="m", response_format="text"),
        "verbose": lambda: translate(http, model="m"),
    }
    for name, asked in asks.items():
        for kind in (*TYPES[:4], "image/png"):
            details = [b'{"detail":"Not authenticated"}', b'{ "message" : "no"}'] if name != "text" else []
            for raw in [ERROR, *PAGES, *details]:
                server.says("at/first", {"raw": raw, "type": kind, "pieces": pieces})
                answer = asked()
                assert answer.status_code == 200, (name, raw, answer.text)
                assert answer.headers["x-relay-provider"] == "other", (name, kind, raw)


@pytest.mark.parametrize("kind", TYPES)
def test_a_transcript_in_json_whatever_it_is_called(two, server, kind):
    http = two()
    server.says("at/first", {"raw": json.dumps(fake.TRANSCRIPT | {"model": "x"}, indent=1).encode(), "type": kind})
    answer = transcribe(http, model="m")
    assert answer.headers["x-relay-provider"] == "first" and answer.json() == fake.TRANSCRIPT | {"model": "m"}
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("pieces", [1, 100_000])
def test_what_only_looks_like_an_error(two, server, pieces):
    http = two()
    for text in (b'{"a": 1} is an object', b"{inaudible}", b"< 5", b"{", b"<"):
        for form in ("text", "srt", "vtt"):
            server.says("at/first", {"raw": text, "type": "text/plain", "pieces": pieces})
            answer = transcribe(http, model="m", response_format=form)
            assert answer.content == text and answer.headers["content-type"] == "text/plain"
    for sound in (b"{" + bytes(200), b'{"' + bytes(200), b"<" + bytes(200), b"<html"[:4] + bytes(2), b" " * 100 + b"\0"):
        server.says("at/first", {"raw": sound, "type": "audio/pcm", "pieces": pieces})
        answer = ASKS["speech"](http, model="m")
        assert answer.content == sound and answer.headers["content-type"] == "audio/pcm"
