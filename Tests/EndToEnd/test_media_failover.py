"""Images, speech and transcripts that two providers with two keys make in their own form: they fail over as chats do."""

import hashlib
import itertools
import socket
import time

import pytest
from balanced import places
from chat import vendor_error
from pictures import audio, picture
from test_balance import FAILED
from test_transcriptions import form, post

FEATURES = "/api/features"
MODELS = "gpt-image-1,dall-e-2,tts-1,whisper-1"
FILE = {"image": ("a.png", picture("cat"), "image/png")}
RECORDING = {"file": ("a.mp3", audio("short", size=200_000), "audio/mpeg")}
REFUSED = {"status": 401, "json": vendor_error("No")}
WAYS = {
    "generations": lambda http, **more: http.post("/v1/images/generations", json={"model": "gpt-image-1", "prompt": "A cat"} | more),
    "edits": lambda http, **more: http.post("/v1/images/edits", data={"model": "gpt-image-1", "prompt": "A hat"} | more, files=FILE),
    "variations": lambda http, **more: http.post("/v1/images/variations", data={"model": "dall-e-2"} | more, files=FILE),
    "speech": lambda http, **more: http.post("/v1/audio/speech", json={"model": "tts-1", "input": "Hi", "voice": "coral"} | more),
    "transcriptions": lambda http, **more: http.post("/v1/audio/transcriptions", data={"model": "whisper-1"} | more, files=RECORDING),
    "translations": lambda http, **more: http.post("/v1/audio/translations", data={"model": "whisper-1"} | more, files=RECORDING),
}
every = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def made(serve):
    """`made(a=2, b=2)`: providers with so many keys, and a function that asks a relay that has them."""

    def started(**how):
        models = {f"PROVIDER_{name.upper()}_MODELS": MODELS for name in ("a", "b")}
        return serve(PROVIDERS="a,b", **(models | how))

    return started


@every
def test_calls_of_one_user_keep_to_one_provider_and_key(made, way):
    providers, http = made(a=2, b=2, AFFINITY="user")
    for number in range(48):
        for _ in range(2):
            assert WAYS[way](http, user=f"user {number}").status_code == 200
    seen = places(providers, FEATURES)
    assert all(len(set(seen[at : at + 2])) == 1 for at in range(0, 96, 2))
    assert len(set(seen)) == 4


@every
def test_the_next_key_and_then_the_next_provider_serve(made, vendor, way):
    providers, http = made(a=2, b=2, PROVIDER_A_PRIORITY=1, PROVIDER_B_PRIORITY=2)
    for key in providers.keys["a"]:
        for kind in ("", "upload:"):
            vendor.answers(kind + key, REFUSED)
    answer = WAYS[way](http)
    assert (answer.status_code, answer.headers["x-relay-provider"], answer.headers["x-relay-attempts"]) == (200, "b", "3")


BUDGETS = {"PROVIDER_A_PRIORITY": 1, "PROVIDER_B_PRIORITY": 2, "RATE_LIMIT_IMAGES": "1 usd/hour", "RATE_LIMIT_AUDIO": "1 usd/hour"}


@every
def test_a_request_reserves_what_the_dearest_provider_may_cost(made, way):
    """The first credits of a model are guessed: 100 dollars at the price of the second provider."""
    providers, http = made(a=1, b=1, **BUDGETS, PROVIDER_A_CREDIT_COST="0.00001", PROVIDER_B_CREDIT_COST="1")
    assert WAYS[way](http).status_code == 429
    assert places(providers, FEATURES) == []


@pytest.mark.parametrize("way", ["generations", "edits", "variations", "transcriptions"])
def test_a_response_costs_what_its_provider_takes(made, way):
    providers, http = made(a=1, b=1, **BUDGETS, PROVIDER_A_CREDIT_COST="0.00001", PROVIDER_B_CREDIT_COST="0.00002")
    first = WAYS[way](http)
    providers.answers("a", FAILED)
    second = WAYS[way](http)
    assert [answer.headers["x-relay-provider"] for answer in (first, second)] == ["a", "b"]
    assert float(second.headers["x-relay-cost"]) == pytest.approx(2 * float(first.headers["x-relay-cost"]))


@pytest.mark.parametrize("way, text", [("generations", "prompt"), ("edits", "prompt"), ("speech", "input")])
def test_limits_of_tokens_count_the_text(made, way, text):
    _, http = made(a=1, b=1, RATE_LIMIT_IMAGES="1000 tokens/hour", RATE_LIMIT_AUDIO="1000 tokens/hour")
    answers = [WAYS[way](http, **{text: "word " * 40}) for _ in range(2)]
    assert [int(answer.headers["x-ratelimit-remaining-tokens"]) for answer in answers] == [950, 900]


def forms(data):
    parts = [("model", "whisper-1"), ("file", data)]
    return {"file last": parts, "file first": parts[::-1]}


where = pytest.mark.parametrize("where", forms(b""))
PRIORITIES = {"PROVIDER_A_PRIORITY": 1, "PROVIDER_B_PRIORITY": 2}


@where
@pytest.mark.parametrize("at", ["upload", "call"])
def test_a_recording_is_sent_again_as_a_whole(made, vendor, where, at):
    providers, http = made(a=2, b=1, **PRIORITIES)
    data = audio("again", size=300_000)
    for key in providers.keys["a"]:
        vendor.answers({"upload": f"upload:{key}", "call": key}[at], REFUSED)
    answer = post(http, *forms(data)[where], path="/v1/audio/transcriptions")
    assert (answer.status_code, answer.headers["x-relay-provider"], answer.headers["x-relay-attempts"]) == (200, "b", "3")
    (upload,) = vendor.uploads(providers.keys["b"][0])
    assert upload["sha256"] == hashlib.sha256(data).hexdigest()


@where
def test_a_key_that_is_refused_early_is_replaced_while_the_recording_arrives(made, vendor, where):
    providers, http = made(a=2, b=1, **PRIORITIES)
    data = audio("early", size=400_000)
    first, second = providers.keys["a"]
    vendor.answers(f"upload:{first}", REFUSED | {"answer_at": 1000})
    body = form(*forms(data)[where])
    head = "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: r\r\n"
    head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", http.relay.port), timeout=20) as peer:
        peer.sendall(head.encode() + body[: (at := 200_000)])
        vendor.wait(first, "finished")
        while not vendor.events(second):
            peer.sendall(body[at : (at := at + 10_000)])
            time.sleep(0.05)
        assert at < len(body), "the second key gets it before its end"
        peer.sendall(body[at:])
        assert peer.recv(12) == b"HTTP/1.1 200"
    (upload,) = vendor.uploads(second)
    assert upload["sha256"] == hashlib.sha256(data).hexdigest()


@where
def test_a_recording_that_is_not_kept_is_sent_once(made, vendor, where):
    providers, http = made(a=2, b=1, **PRIORITIES)
    vendor.answers(f"upload:{providers.keys['a'][0]}", REFUSED)
    answer = post(http, *forms(audio("long", size=1_200_000))[where], path="/v1/audio/transcriptions")
    assert (answer.status_code, answer.headers["x-relay-attempts"]) == (502, "1")
    keys = itertools.chain(providers.keys["a"][1:], providers.keys["b"])
    assert [vendor.requests(key) for key in keys] == [[], []]


def test_a_recording_is_held_until_the_limits_know_its_model(made, vendor):
    """Then all of it can be sent again, however long it is."""
    providers, http = made(a=2, b=1, **PRIORITIES, RATE_LIMIT_BY_MODEL="whisper-1=1/minute")
    data = audio("held", size=1_500_000)
    vendor.answers(f"upload:{providers.keys['a'][0]}", REFUSED)
    answers = [post(http, *forms(data)["file first"], path="/v1/audio/transcriptions") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    (upload,) = vendor.uploads(providers.keys["a"][1])
    assert upload["sha256"] == hashlib.sha256(data).hexdigest()
