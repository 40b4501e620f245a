"""Prices of images, recordings and spoken texts."""

import contextlib

import httpx
import openai_endpoints as fake
import pytest
from conftest import VENDOR_KEY
from memcached import wait_for
from relay_process import provider
from test_openai_endpoints import WAV, generate, transcribe
from usage import File

TOKEN = "token-of-priced-pieces"
MODEL = "at/pieces"
TOKENS = {
    "input_tokens": 100, "output_tokens": 1000, "total_tokens": 1100, "input_tokens_details": {"image_tokens": 0, "text_tokens": 100},
}  # fmt: skip
HEARD = {"type": "tokens", "input_tokens": 100, "output_tokens": 1000, "total_tokens": 1100}
IMAGES = {"created": 1, "data": [{"b64_json": "AAAA"}]}


@pytest.fixture
def http(start_relay, server, caller):
    def made(price, **more):
        relay = start_relay(
            **provider("ROW", "openai", server.base_url, f"m={MODEL}", API_KEY=VENDOR_KEY, COSTS=f"m={price}"), KEY_A_TOKEN=TOKEN, **more,
        )  # fmt: skip
        return caller(relay, TOKEN)

    return made


@pytest.mark.parametrize(
    "price, usage, count, made, cost",
    [
        ("each 0.04", None, 1, 1, 0.04),
        ("each 0.04", None, 3, 3, 0.12),
        ("each 0.04", None, 3, 2, 0.08),
        ("each 0.04", None, 3, 4, 0.12),
        ("5/40 per million each 0.01", TOKENS, 2, 2, 0.0005 + 0.04 + 0.02),
        ("5/40 per million each 0.01", TOKENS, 2, 1, 0.0005 + 0.04 + 0.01),
        ("5/40 per million", TOKENS, 2, 2, 0.0405),
    ],
)
def test_images(http, server, price, usage, count, made, cost):
    server.says(MODEL, {"json": IMAGES | {"data": IMAGES["data"] * made} | ({"usage": usage} if usage else {})})
    answer = generate(http(price), "m", n=count)
    assert answer.status_code == 200 and float(answer.headers["x-relay-cost"]) == pytest.approx(cost)


@pytest.mark.parametrize(
    "price, usage, cost",
    [
        ("each minute 0.006", {"type": "duration", "seconds": 90}, 0.009),
        ("each minute 0.006", {"type": "duration", "seconds": 1.5}, 0.0002),
        ("each minute 0.006", {"type": "duration", "seconds": -1}, None),
        ("each minute 0.006", None, None),
        ("each minute 0.006", HEARD, None),
        ("each minute 0.006", HEARD | {"seconds": 90}, 0.009),
        ("5/40 per million each minute 0.006", HEARD | {"seconds": 90}, 0.0405 + 0.009),
        ("0 each minute 0.006", HEARD, 0),
        ("each 0.04", HEARD, None),
        ("0.006", {"type": "duration", "seconds": 90}, None),
    ],
)
def test_recordings(http, server, price, usage, cost):
    server.says(MODEL, {"json": {"text": "Hi"} | ({"usage": usage} if usage else {})})
    answer = transcribe(http(price), "m")
    header = answer.headers.get("x-relay-cost")
    assert answer.status_code == 200
    assert header is None if cost is None else float(header) == pytest.approx(cost)


def test_spoken_texts(http, server):
    server.says(MODEL, {"raw": b"ID3" + bytes(100), "type": "audio/mpeg"})
    answer = http("each 1000 characters 0.015").post("/v1/audio/speech", json={"model": "m", "input": "\u00e9" * 1234, "voice": "coral"})
    assert answer.status_code == 200
    # 1234 characters, each of two bytes.
    assert float(answer.headers["x-relay-cost"]) == pytest.approx(0.01851)


def test_a_budget_reserves_what_images_cost(http, server):
    one = http("each 0.04", RATE_LIMIT_IMAGES="0.1 usd/hour")
    server.says(MODEL, {"json": IMAGES | {"data": IMAGES["data"] * 2}})
    assert [generate(one, "m", n=count).status_code for count in (3, 2, 1)] == [429, 200, 429]


@pytest.mark.parametrize("usage", [None, TOKENS])
def test_a_limit_gets_back_images_that_were_not_made(http, server, usage):
    one = http("each 0.04", RATE_LIMIT_IMAGES="3 images/hour")
    server.says(MODEL, {"json": IMAGES | ({"usage": usage} if usage else {})})
    assert [generate(one, "m", n=count).status_code for count in (3, 2, 2)] == [200, 200, 429]


def test_a_budget_counts_the_minutes_of_recordings(http, server):
    """Each recording of a minute costs 0.006: three of them fit, where all ten were served."""
    one = http("each minute 0.006", RATE_LIMIT_AUDIO="0.02 usd/day")
    server.says(MODEL, {"json": {"text": "Hi", "usage": {"type": "duration", "seconds": 60}}})
    assert [transcribe(one, "m").status_code for _ in range(10)] == [200] * 3 + [429] * 7


def test_a_budget_reserves_the_usual_length_of_recordings(http, server):
    one = http("each minute 0.006", RATE_LIMIT_AUDIO="0.02 usd/day")
    server.says(MODEL, {"json": {"text": "Hi", "usage": {"type": "duration", "seconds": 10}}})
    # A minute is reserved at first, then the mean of ten seconds.
    assert [transcribe(one, "m").status_code for _ in range(21)] == [200] * 20 + [429]


@pytest.mark.parametrize("usage", [None, HEARD])
def test_a_budget_counts_what_recordings_of_unknown_length_reserved(http, server, usage):
    one = http("each minute 0.006", RATE_LIMIT_AUDIO="0.02 usd/day")
    server.says(MODEL, {"json": {"text": "Hi"} | ({"usage": usage} if usage else {})})
    assert [transcribe(one, "m").status_code for _ in range(5)] == [200] * 3 + [429] * 2


def test_tokens_are_not_free_because_pieces_have_a_price(http, server):
    one = http("each 0.04")
    server.says(MODEL, {"json": {"object": "list", "data": [{"index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 9, "total_tokens": 9}}})
    answer = one.post("/v1/embeddings", json={"model": "m", "input": "a"})
    assert answer.status_code == 200 and "x-relay-cost" not in answer.headers


EVENTS = {"type": "text/event-stream", "streams": True}
PARTIAL = {"type": "image_generation.partial_image", "b64_json": "AAAA", "partial_image_index": 0}
RECORDING = {"files": {"file": ("a.wav", WAV, "audio/wav")}, "data": {"model": "m", "stream": "true"}}
BROKEN_OFF = {
    "images": ("each 0.04", "/v1/images/generations", {"json": {"model": "m", "prompt": "A cat", "n": 3, "stream": True}}, EVENTS | {"raw": fake.event(PARTIAL).encode()}, 0.12),
    "images with tokens": (
        "5/40 per million each 0.04", "/v1/images/generations", {"json": {"model": "m", "prompt": "A cat", "stream": True}},
        EVENTS | {"raw": fake.event(PARTIAL | {"usage": TOKENS}).encode()}, 0.0405 + 0.04,
    ),
    "speech": (
        "each 1000 characters 0.015", "/v1/audio/speech", {"json": {"model": "m", "input": "h" * 2000, "voice": "v"}},
        {"raw": b"ID3" + bytes(200_000), "type": "audio/mpeg", "streams": True}, 0.03,
    ),
    "a search": (
        "each 0.002", "/v1/rerank", {"json": {"model": "m", "query": "q", "documents": ["a"]}},
        {"raw": b'{"results":[' + b"1," * 5_000_000, "type": "application/json"}, 0.002,
    ),
    "a recording": ("each minute 0.006", "/v1/audio/transcriptions", RECORDING, EVENTS | {"raw": fake.event({"type": "transcript.text.delta", "delta": "x"}).encode()}, 0.006),
}  # fmt: skip


@pytest.mark.parametrize("leaves", [False, True])
@pytest.mark.parametrize("name", BROKEN_OFF)
def test_pieces_of_a_response_that_breaks_off_cost_what_was_reserved(http, server, tmp_path, name, leaves):
    price, path, asked, script, cost = BROKEN_OFF[name]
    one = http(price, KEY_A_RATE_LIMIT="10 usd/day", USAGE_LOG_FILE=tmp_path / "pieces.jsonl")
    server.left.clear()
    server.says(MODEL, script | {"stall": leaves, "cut": not leaves})
    with contextlib.suppress(httpx.RemoteProtocolError), one.stream("POST", path, **asked, timeout=20) as answer:
        for _ in answer.iter_raw():
            if leaves:
                break
    if leaves:
        assert server.left.wait(10)
    request, call = File(tmp_path / "pieces.jsonl").more(2)
    assert (request["success"], request["status"]) == (False, 499 if leaves else 502)
    assert request["cost"] == call["cost"] == pytest.approx(cost)

    def used():
        return next(float(limit["used"]) for limit in one.get("/v1/usage").json()["limits"] if limit["name"] == "key")

    wait_for(lambda: used() == pytest.approx(cost), 5)


def test_each_image_of_a_stream_has_its_usage(http, server, tmp_path):
    one = http("5/40 per million", USAGE_LOG_FILE=tmp_path / "images.jsonl")
    last = {"type": "image_generation.completed", "b64_json": "AAAA", "usage": TOKENS}
    server.says(MODEL, EVENTS | {"raw": "".join(map(fake.event, (PARTIAL, last, PARTIAL, last))).encode()})
    assert generate(one, "m", n=2, stream=True).status_code == 200
    request, _ = File(tmp_path / "images.jsonl").more(2)
    assert request["cost"] == pytest.approx(2 * 0.0405) and request["tokens"] == 2 * TOKENS["total_tokens"]


WRITTEN = {"input_tokens": 1000, "output_tokens": 50_000, "reasoning_tokens": 40_000, "total_tokens": 51_000}


@pytest.mark.parametrize("writer, cost", [("at/writer", 0.0405 + 0.002 + 0.5), ("at/unknown", None)])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_the_model_that_writes_an_svg_has_its_own_price(start_relay, server, caller, tmp_path, is_streamed, writer, cost):
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, f"m={MODEL},w=at/writer", API_KEY=VENDOR_KEY, COSTS="m=5/40 per million,w=2/10 per million"),
        KEY_A_TOKEN=TOKEN, USAGE_LOG_FILE=tmp_path / "svg.jsonl",
    )  # fmt: skip
    used = {"usage": TOKENS, "svg_usage": WRITTEN | {"model": writer}}
    whole, last = {"json": IMAGES | used}, {"type": "image_generation.completed", "b64_json": "AAAA"}
    server.says(MODEL, EVENTS | {"raw": fake.event(last | used).encode()} if is_streamed else whole)
    answer = generate(caller(relay, TOKEN), "m", stream=is_streamed)
    assert answer.status_code == 200 and '"svg_usage"' in answer.text
    if not is_streamed:
        assert answer.headers.get("x-relay-cost") == (None if cost is None else f"{cost:.4f}")
    request, *calls = File(tmp_path / "svg.jsonl").more(3)
    assert request["cost"] == (None if cost is None else pytest.approx(cost))
    assert sorted(call["tokens"] for call in calls) == [1100, 51_000]


@pytest.mark.parametrize("price", ["0", "free"])
def test_what_is_free_costs_nothing(http, server, price):
    one = http(price)
    for script, ask in (
        ({"json": {"text": "Hi"}}, lambda: transcribe(one, "m")),
        ({"raw": b"WEBVTT", "type": "text/vtt"}, lambda: transcribe(one, "m", response_format="vtt")),
        ({"json": IMAGES}, lambda: one.post("/v1/images/edits", data={"model": "m", "prompt": "x"}, files={"image": ("a.png", b"\x89PNG", "image/png")})),
    ):  # fmt: skip
        server.says(MODEL, script)
        answer = ask()
        assert (answer.status_code, answer.headers.get("x-relay-cost")) == (200, "0")
