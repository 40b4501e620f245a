"""Responses of OpenAI's other endpoints that are forwarded unchanged: their cost, and invalid ones."""

import contextlib
import json
import queue
import threading

import httpx
import openai_endpoints as fake
import pytest
from chat import ask
from memcached import wait_for
from openai_vendor import whole
from relay_process import provider
from test_openai_endpoints import ASKS, embed, generate, transcribe, two_providers
from usage import File

TOKEN = "token-of-forwarded-answers"


@pytest.fixture(scope="module")
def priced(launch, server):
    """A model `m` with prices for prompts, completions and cached prompts."""
    return launch(**provider("ROW", "openai", server.base_url, "m=at/priced", COSTS="m=1/2/0.1"), KEY_A_TOKEN=TOKEN)


@pytest.fixture
def two(start_relay, server, caller):
    """A model `m` of two providers; the first one is called first."""

    def made(**more):
        bounds = {"PROVIDER_OTHER_PRIORITY": 2, "BREAKER_FAILURES": 1000}
        relay = start_relay(**two_providers(server), **bounds, KEY_A_TOKEN=TOKEN, **more)
        return caller(relay, TOKEN)

    return made


def pictures(count):
    return fake.IMAGES | {"data": [{"b64_json": "A" * count}]}


@pytest.mark.parametrize(
    "usage, cost",
    [
        ({"prompt_tokens": 1000, "total_tokens": 1000}, "1"),
        ({"total_tokens": 1000}, "1"),
        ({"prompt_tokens": None, "total_tokens": 1000}, "1"),
        ({"completion_tokens": 100, "total_tokens": 1100}, "1.2"),
        # A prompt of no tokens is not told: it is estimated.
        ({"output_tokens": 100, "total_tokens": 50}, "0.202"),
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
        # Usage in the form of xAI, and of servers that translate Gemini's counts.
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


N = 10_000
PARTIAL = {"type": "image_generation.partial_image", "b64_json": "AAAA", "partial_image_index": 0}
TOLD = {"usage": {"input_tokens": 11, "output_tokens": 40, "total_tokens": 51}}
PICTURE = {"path": "/v1/images/generations", "json": {"model": "m", "prompt": "A cat", "stream": True}}
SPEECH = {"path": "/v1/audio/speech", "json": {"model": "m", "input": "A cat", "voice": "coral"}}
EVENTS = {"type": "text/event-stream", "streams": True}
BROKEN_OFF = {
    "events": (PICTURE, EVENTS | {"raw": fake.event(PARTIAL).encode()}, (2, 1000)),
    "events that tell": (PICTURE, EVENTS | {"raw": fake.event(PARTIAL | TOLD).encode()}, (11, 40)),
    "sound": (SPEECH, {"raw": b"ID3" + bytes(200_000), "type": "audio/mpeg", "streams": True}, (2, 1000)),
    "a beginning": (PICTURE, {"raw": b'{"data":[', "type": "application/json"}, (2, 1000)),
}


@pytest.fixture
def billed(start_relay, server, caller, tmp_path):
    """A client of a relay that limits tokens and money, and the usage records."""
    limit = f"{N} tokens/hour;100 usd/hour"
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, "m=at/billed", COSTS="m=1/2"), RATE_LIMIT_IMAGES=limit, RATE_LIMIT_AUDIO=limit,
        KEY_A_TOKEN=TOKEN, USAGE_LOG_FILE=tmp_path / "billed.jsonl",
    )  # fmt: skip
    http = caller(relay, TOKEN)
    http.relay = relay
    return http, File(tmp_path / "billed.jsonl")


def left(http, asked):
    """Returns the tokens that are left: the error for a request too large for any limit contains them, and it uses
    none."""
    words = {name: "word " * 3 * N for name in ("prompt", "input") if name in asked["json"]}
    answer = http.post(asked["path"], json=asked["json"] | words)
    assert answer.status_code == 429 and "too large" in answer.text
    return int(answer.headers["x-ratelimit-remaining-tokens"])


def assert_billed(http, file, asked, status, usage):
    request, call = file.more(2)
    is_estimated = usage == (2, 1000)
    prompt, completion = usage
    for record in (request, call):
        assert (record["prompt_tokens"], record["completion_tokens"], record["success"]) == (*usage, False)
        assert record["cost"] == pytest.approx((prompt + 2 * completion) / 1000)
        assert record.get("estimated", False) is is_estimated
    assert request["status"] == status
    line = http.relay.wait_for_line(lambda line: line.get("id") == request["request_id"])
    assert (line["prompt_tokens"], line["completion_tokens"]) == usage
    wait_for(lambda: left(http, asked) == N - sum(usage), 5)


@pytest.mark.parametrize("leaves", [False, True])
@pytest.mark.parametrize("name", BROKEN_OFF)
def test_the_cost_of_an_answer_that_breaks_off(billed, server, name, leaves):
    http, file = billed
    asked, script, usage = BROKEN_OFF[name]
    server.left.clear()
    server.says("at/billed", script | {"stall": leaves, "cut": not leaves})
    with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadTimeout):
        with http.stream("POST", asked["path"], json=asked["json"], timeout=1 if leaves and name == "a beginning" else 20) as answer:
            for _ in answer.iter_raw():
                if leaves:
                    break
    if leaves:
        assert server.left.wait(10)
    assert_billed(http, file, asked, 499 if leaves else 502, usage)


@pytest.mark.parametrize("asked", [PICTURE, SPEECH], ids=["picture", "speech"])
def test_the_cost_of_an_answer_that_is_not_waited_for(billed, server, asked):
    http, file = billed
    gate, server.gone = threading.Event(), queue.Queue()
    server.says("at/billed", {"gate": gate})
    with contextlib.suppress(httpx.ReadTimeout):
        http.post(asked["path"], json=asked["json"], timeout=0.5)
    assert server.gone.get(timeout=10) == "at/billed"
    assert_billed(http, file, asked, 499, (2, 1000))


def test_a_recording_that_does_not_come_costs_nothing(billed, server):
    http, file = billed

    def parts():
        yield b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + bytes(2_000_000)
        raise InterruptedError

    with contextlib.suppress(InterruptedError):
        http.post("/v1/audio/transcriptions", content=parts(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    request, *_ = file.more(2)
    assert (request["status"], request["tokens"]) == (499, 0) and not request["cost"]


@pytest.mark.parametrize("script", [{"status": 500, "json": {}}, {"raw": b""}, {"raw": b"<html>"}], ids=["refused", "empty", "a page"])
def test_the_cost_of_no_answer_is_none(billed, server, script):
    http, file = billed
    server.says("at/billed", script)
    assert generate(http, model="m").status_code == 502
    request, _ = file.more(2)
    assert request["tokens"] == 0 and not request["cost"] and left(http, PICTURE) == N


def test_the_cost_of_an_answer_that_is_none_is_what_was_told(billed, server):
    http, file = billed
    server.says("at/billed", {"json": {"data": [], "usage": {"prompt_tokens": 400, "total_tokens": 400}}})
    assert embed(http, model="m").status_code == 502
    request, call = file.more(2)
    assert request["tokens"] == call["tokens"] == 400 and request["cost"] == call["cost"] > 0


INVALID = {
    "an open list": (b'{"data":[{"b64_json":"AAAA"}', (2, 1000)),
    "no images but their usage": (json.dumps({"data": []} | TOLD).encode(), (11, 40)),
}


@pytest.mark.parametrize("name", INVALID)
def test_a_whole_answer_that_is_invalid_is_not_called_cut_off(billed, server, name):
    http, file = billed
    raw, usage = INVALID[name]
    server.says("at/billed", {"raw": raw, "type": "application/json"})
    answer = http.post(PICTURE["path"], json=PICTURE["json"])
    assert answer.json()["error"]["message"].startswith("The provider returned an invalid response.")
    assert_billed(http, file, PICTURE, 502, usage)


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


COUNTS = [
    ("a", 1, True), ("a", 2, False), (["a"], 1, True), (["a", "b"], 1, False), (["a", "b"], 3, False), ([1, 2, 3], 1, True), ([1, 2, 3], 3, False),
    ([[1, 2], [3]], 2, True), ([[1, 2], [3]], 1, False), (["a", 1], 1, True), ([{"text": "a"}], 2, True),
]  # fmt: skip


@pytest.mark.parametrize("texts, count, is_right", COUNTS)
def test_another_takes_over_from_a_wrong_number_of_vectors(two, server, texts, count, is_right):
    http = two()
    server.says("at/first", {"json": fake.embeddings({"input": ["x"] * count})})
    answer = embed(http, model="m", input=texts)
    assert answer.headers["x-relay-provider"] == ("first" if is_right else "other")


def test_a_wrong_number_of_vectors_is_a_failure(billed, server):
    http, file = billed
    server.says("at/billed", {"json": fake.embeddings({"input": ["x"]}, tokens=9)})
    answer = embed(http, model="m", input=["a", "b"])
    assert answer.status_code == 502 and answer.json()["error"]["message"].startswith("The provider returned an invalid response.")
    line = http.relay.wait_for_line(lambda line: line.get("id") == answer.headers["x-request-id"])
    assert line["cause"].startswith("row: the vendor returned 1 of 2 embeddings at ")
    assert [record["prompt_tokens"] for record in file.more(2)] == [9, 9]


FAILURES = {
    b'{"object":"error","message":"Bad size.","code":400}': (400, None),
    b'{"type":"error","error":{"type":"rate_limit_error","message":"no"}}': (429, "rate_limit_exceeded"),
    b'{"error":"no","code":"insufficient_quota"}': (402, "insufficient_quota"),
    b'{"errors":[{"code":"model_not_found","message":"no"}]}': (404, "model_not_found"),
    b'{"data":[1],"type":"error","code":"overloaded_error"}': (503, "upstream_error"),
}


@pytest.mark.parametrize("raw", FAILURES)
def test_the_failure_that_is_told(start_relay, server, caller, raw):
    relay = start_relay(**provider("ROW", "openai", server.base_url, "m=at/told"), KEY_A_TOKEN=TOKEN)
    server.says("at/told", {"raw": raw})
    answer = embed(caller(relay, TOKEN), model="m")
    assert (answer.status_code, answer.json()["error"]["code"]) == FAILURES[raw]


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


WAVE = b"RIFF" + bytes(200)
WRONG = {
    "words for sound": (ASKS["speech"], {"raw": b"Service unavailable", "type": "text/plain"}),
    "xml for sound": (ASKS["speech"], {"raw": b'<?xml version="1.0"?><Error/>', "type": "application/xml"}),
    "events for sound": (ASKS["speech"], EVENTS | {"raw": fake.event({"type": "speech.audio.delta"}).encode()}),
    "a failure for events": (lambda http, model: generate(http, model, stream=True), EVENTS | {"raw": b'{"error":{"message":"no"}}'}),
    "a page for events": (lambda http, model: generate(http, model, stream=True), {"raw": b"<html>", "type": "text/html", "streams": True}),
    "sound for vectors": (embed, {"raw": WAVE, "type": "audio/wav"}),
    "sound for a picture": (generate, {"raw": WAVE, "type": "image/png"}),
    "sound for a transcript": (transcribe, {"raw": WAVE, "type": "audio/wav"}),
    "words for a transcript": (transcribe, {"raw": b"Hello there", "type": "text/plain"}),
    "sound for a text": (lambda http, model: transcribe(http, model, response_format="text"), {"raw": WAVE, "type": "audio/wav"}),
    "nothing for a transcript": (transcribe, {"raw": b"", "type": "text/plain"}),
    "a page without words for a text": (lambda http, model: transcribe(http, model, response_format="text"), {"raw": b"", "type": "text/html"}),
    "no JSON for a text": (lambda http, model: transcribe(http, model, response_format="text"), {"raw": b"", "type": "application/json"}),
    "a number for a text": (lambda http, model: transcribe(http, model, response_format="text"), {"raw": b"1", "type": "application/json"}),
    "half a string for a text": (lambda http, model: transcribe(http, model, response_format="text"), {"raw": b'"Hel', "type": "application/json"}),
    "events for vectors": (embed, EVENTS | {"raw": b'data: {"data":[1]}\n\n'}),
    "events for a transcript": (transcribe, EVENTS | {"raw": fake.event({"type": "transcript.text.done", "text": "x"}).encode()}),
    "events for a transcript in one piece": (
        lambda http, model: transcribe(http, model, stream="False"), EVENTS | {"raw": fake.event({"type": "transcript.text.done", "text": "x"}).encode()},
    ),
    "events for a picture": (generate, EVENTS | {"raw": fake.event(PARTIAL).encode()}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_another_takes_over_from_another_kind_of_answer(two, server, name):
    http = two()
    asked, script = WRONG[name]
    for pieces in (1, 100_000):
        server.says("at/first", script | {"pieces": pieces})
        answer = asked(http, model="m")
        assert (answer.status_code, answer.headers["x-relay-provider"]) == (200, "other"), answer.text
    server.says("at/other", script)
    assert asked(http, model="m").status_code == 502


@pytest.mark.parametrize("form", ["text", "srt", "vtt", "tsv"])
def test_texts_of_a_transcript_are_no_json(two, server, form):
    http = two()
    # A recording without speech may have an empty text, and some servers send the text as a JSON string.
    for text in ("Hello there", "", "\n", '"Hello"', "Grüße »" * 100_000):
        for kind, raw in {"text/plain": text, "application/json": f" {json.dumps(text, ensure_ascii=False)}\n"}.items():
            server.says("at/first", {"raw": raw.encode(), "type": kind})
            answer = transcribe(http, model="m", response_format=form)
            assert answer.headers["x-relay-provider"] == "first" and answer.headers["content-type"].startswith("text/plain")
            assert answer.content.decode() == text
    server.says("at/first", {"json": {"text": "Hello"}})
    assert transcribe(http, model="m", response_format=form).json() == {"text": "Hello"}


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
