"""OpenAI's other endpoints: which provider is called, which one is blamed for a failure, and what a refused request
uses."""

import time

import pytest
from chat import ask
from relay_process import provider
from test_openai_endpoints import ASKS, FAILED, WAV, embed, transcribe

TOKEN = "token-of-those-who-choose"
LONG = [("model", (None, "m")), ("file", ("a.wav", WAV + bytes(3_000_000), "audio/wav"))]
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
HEAD = (
    b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
)


@pytest.fixture
def two(start_relay, server, caller):
    """Two providers of the model `m`."""

    def made(**more):
        relay = start_relay(
            PROVIDERS="first,other", KEY_A_TOKEN=TOKEN, **provider("FIRST", "openai", server.base_url, "m=at/first"),
            **provider("OTHER", "openai", server.base_url, "m=at/other"), **more,
        )  # fmt: skip
        server.says("at/first", {})
        server.says("at/other", {})
        return caller(relay, TOKEN)

    yield made
    server.take_violations()


def record(http):
    return http.post("/v1/audio/transcriptions", files=LONG)


def slowly(http, seconds, size, pass_time=time.sleep):
    """Returns a recording of so many bytes, which arrives slowly."""

    def pieces():
        yield HEAD + WAV
        for _ in range(10):
            time.sleep(0.05)
            pass_time(seconds / 10)
            yield bytes(size // 10)
        yield b"\r\n--x--\r\n"

    return http.post("/v1/audio/transcriptions", content=pieces(), headers=FORM)


@pytest.mark.parametrize("status", [404, 405])
def test_an_endpoint_that_a_server_lacks_says_nothing_about_its_others(two, server, status):
    http = two(PROVIDER_OTHER_PRIORITY=2, BREAKER_FAILURES=1)
    server.says("at/first", {"status": status, "json": {"error": {"message": "Cannot POST"}}}, {})
    assert embed(http, model="m").headers["x-relay-provider"] == "other"
    assert ask(http, model="m").headers["x-relay-provider"] == "first"


def test_long_recordings_count_for_the_breaker(two, server):
    http = two(PROVIDER_OTHER_PRIORITY=2)
    server.says("at/first", FAILED)
    assert [record(http).status_code for _ in range(3)] == [502] * 3
    answer = record(http)
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "other"
    assert transcribe(http, model="m").headers["x-relay-attempts"] == "1"
    assert len(server.asked("at/first")) == 3


def test_a_long_recording_has_its_key_rest(two, server):
    http = two(PROVIDER_OTHER_PRIORITY=2, BREAKER_FAILURES=1, PROVIDER_FIRST_API_KEYS="long-recording-1,long-recording-2")
    server.says("at/first", {"status": 402, "json": {}}, {})
    assert record(http).json()["error"]["code"] == "insufficient_quota"
    assert [record(http).headers["x-relay-provider"] for _ in range(2)] == ["first"] * 2
    keys = [one["headers"]["authorization"] for one in server.asked("at/first")]
    assert keys[0] != keys[1] == keys[2]


def test_a_long_recording_whose_answer_is_cut_is_not_asked_for_anew(two, server):
    http = two(PROVIDER_OTHER_PRIORITY=2)
    server.says("at/first", {"json": {"text": "Hello " * 200}, "cut": True})
    assert record(http).status_code == 502
    assert server.asked("at/other") == []


@pytest.mark.parametrize("size", [100_000, 2_000_000])
@pytest.mark.parametrize("limit", ["FALLBACK_DEADLINE", "PROVIDER_FIRST_TOTAL_TIMEOUT"])
def test_a_slow_caller_is_not_the_providers_fault(two, server, limit, size, clock):
    wall = clock(0)
    http = two(PROVIDER_OTHER_PRIORITY=2, BREAKER_FAILURES=1, **{limit: "8s"}, **wall.environment)
    answer = slowly(http, 10, size, wall.advance)
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "first", answer.text
    assert embed(http, model="m").headers["x-relay-provider"] == "first"


def test_a_slow_caller_leaves_time_for_others(two, server):
    http = two(PROVIDER_OTHER_PRIORITY=2, FALLBACK_DEADLINE="1s")
    server.says("at/first", FAILED)
    assert slowly(http, 1.5, 100_000).headers["x-relay-provider"] == "other"


@pytest.mark.parametrize("limit", ["FALLBACK_DEADLINE", "PROVIDER_FIRST_TOTAL_TIMEOUT"])
def test_a_slow_provider_has_its_time_after_a_slow_caller(two, server, limit):
    http = two(PROVIDER_OTHER_PRIORITY=2, BREAKER_FAILURES=1, **{limit: "1s"})
    server.says("at/first", {"stall": True, "raw": b"", "cut": True})
    began = time.monotonic()
    assert slowly(http, 1.5, 2_000_000).status_code == 504
    assert 2.3 < time.monotonic() - began < 6
    assert server.left.wait(5)
    server.left.clear()
    assert embed(http, model="m").headers["x-relay-provider"] == "other"


def test_models_that_are_not_the_callers_look_as_if_they_were_not_there(start_relay, server, caller):
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, "mine,secret", API_KEY="key-of-some-models"), PROVIDER_ECHO_KIND="echo",
        PROVIDER_ECHO_MODELS="talk,hidden", KEY_A_TOKEN=TOKEN, KEY_A_MODELS="mine,talk", ANONYMOUS_MODELS="mine",
    )  # fmt: skip
    known, anonymous = caller(relay, TOKEN), caller(relay)
    for http in (known, anonymous):
        for name in ASKS:
            absent = ASKS[name](http, "absent").text
            for model in ("secret", "hidden"):
                answer = ASKS[name](http, model)
                assert answer.status_code == 404 and answer.json()["error"]["code"] == "model_not_found", (name, model)
                assert answer.text == absent.replace("absent", model)
    error = embed(known, "talk").json()["error"]
    assert (error["code"], error["message"]) == ("unsupported_endpoint", "No provider of this model has /embeddings. Choose another model.")
    assert embed(anonymous, "talk").json()["error"]["code"] == "model_not_found"


def test_no_other_model_embeds(two, server):
    http = two(FALLBACK_MODEL="m")
    answer = embed(http, model="text-embedding-3-small")
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "model_not_found"
    assert server.asked("at/first") == []
    assert transcribe(http, model="whisper").status_code == 200


TWICE = b'{"model":"m","input":"a","input":"b","prompt":"x","voice":"v"}'
BROKEN = HEAD + WAV + b"\r\n--x\r\nbroken\r\n\r\n"
REFUSED = {
    "embeddings": (TWICE, {}), "moderations": (TWICE, {}), "images/generations": (TWICE, {}), "audio/speech": (TWICE, {}),
    "audio/transcriptions": (BROKEN, FORM), "images/edits": (BROKEN, FORM),
}  # fmt: skip


@pytest.mark.parametrize("path", REFUSED)
def test_a_refused_request_takes_nothing(two, server, path):
    http = two(PROVIDER_FIRST_QPS=1, PROVIDER_OTHER_QPS=1, RATE_LIMIT="2/minute")
    body, headers = REFUSED[path]
    for _ in range(4):
        answer = http.post(f"/v1/{path}", content=body, headers={"Content-Type": "application/json"} | headers)
        assert answer.status_code == 400 and "x-relay-provider" not in answer.headers, answer.text
    assert [embed(http, model="m").headers["x-relay-provider"] for _ in range(2)] == ["first", "other"]


def limited(*seconds):
    return [{"status": 429, "json": {}} | ({"headers": {"Retry-After": str(one)}} if one else {}) for one in seconds]


@pytest.mark.parametrize(("first", "other", "told"), [(2, 7, "2"), (7, 2, "2"), (7, None, "1"), (None, 7, "1")])
def test_the_soonest_end_of_all_rate_limits_is_told(two, server, first, other, told):
    http = two(PROVIDER_OTHER_PRIORITY=2)
    server.says("at/first", *limited(first))
    server.says("at/other", *limited(other))
    answer = embed(http, model="m")
    assert answer.status_code == 429 and answer.headers["retry-after"] == told
