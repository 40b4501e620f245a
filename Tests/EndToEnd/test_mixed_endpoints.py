"""Images and audio of models that 1min.ai and an OpenAI-compatible server both serve: one takes over from the other."""

import base64
import uuid

import conftest
import pictures
import pytest
from chat import plain
from relay_process import provider
from test_openai_endpoints import FAILED, generate

SHARED = "at/mixed"
FILLING = "black-forest-labs/flux-fill-pro"
MODELS = ("gpt-image-1", "dall-e-2", "tts-1", "whisper-1", FILLING)
# Models that only 1min.ai serves, by the endpoint. None of them serves a request that names no model.
ALONE = {
    "generations": "dall-e-3", "edits": "gpt-image-1-mini", "variations": "recraft", "speech": "tts-1-hd",
    "transcriptions": "gpt-4o-transcribe",
}  # fmt: skip
PICTURE = pictures.picture("cat")
WAV = pictures.RECORDINGS["wav"] + bytes(600)
HALF = pictures.png(8, 8, [bytes([0, 0, 0, 0] * 8)] * 8, 6)
TOKEN = "token-of-mixed-endpoints"
ASKS = {
    "generations": lambda http: generate(http, model="gpt-image-1"),
    "edits": lambda http: http.post(
        "/v1/images/edits", data={"model": "gpt-image-1", "prompt": "a hat"}, files={"image": ("a.png", PICTURE, "image/png")}
    ),
    "variations": lambda http: http.post(
        "/v1/images/variations", data={"model": "dall-e-2"}, files={"image": ("a.png", PICTURE, "image/png")}
    ),
    "speech": lambda http: http.post("/v1/audio/speech", json={"model": "tts-1", "input": "Hi", "voice": "coral"}),
    "transcriptions": lambda http: http.post(
        "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("a.wav", WAV, "audio/wav")}
    ),
    "translations": lambda http: http.post(
        "/v1/audio/translations", data={"model": "whisper-1"}, files={"file": ("a.wav", WAV, "audio/wav")}
    ),
}
every = pytest.mark.parametrize("name", ASKS)
BROKEN = {"status": 500, "text": ""}


def settings(first, key, server, vendor):
    return {
        "KEY_TEAM_TOKEN": TOKEN, "PROVIDERS": first, "BREAKER_FAILURES": 1000,
        **provider("ROW", "openai", server.base_url, ",".join(f"{model}={SHARED}" for model in MODELS), API_KEY=conftest.VENDOR_KEY, PRIORITY=1 if first == "row" else 2, COST="1/2"),
        **provider("ONE", "onemin", vendor.base_url, ",".join((*MODELS, *ALONE.values())), API_KEY=key, PRIORITY=1 if first == "one" else 2),
        "RATE_LIMIT_IMAGES": "1000000 images/hour;1000000 tokens/hour", "RATE_LIMIT_AUDIO": "100000000 credits/hour;100 usd/hour",
    }  # fmt: skip


@pytest.fixture(scope="module")
def relays(launch, server, vendor):
    """A relay by the provider that it calls first; `row` is the server, `one` is 1min.ai with a constant key."""
    made = {}
    for first in ("row", "one"):
        conftest.secrets.add(key := f"mixed-{uuid.uuid4().hex}")
        made[first] = key, launch(**settings(first, key, server, vendor))
    return made


@pytest.fixture
def both(relays, server, vendor, caller):
    def made(first):
        key, relay = relays[first]
        server.says(SHARED, {})
        vendor.answers(key, {})
        return key, caller(relay, TOKEN)

    yield made
    assert server.take_violations() == []


def by(answer):
    assert answer.status_code == 200, answer.text
    return answer.headers["x-relay-provider"], answer.headers["x-relay-attempts"]


@every
@pytest.mark.parametrize("first", ["row", "one"])
def test_the_first_serves(both, first, name):
    _, http = both(first)
    assert by(ASKS[name](http)) == (first, "1")


class Deployment:
    """A client of paths like Azure's, which name the model whatever the body says."""

    def __init__(self, http, model, said):
        self.http, self.model, self.said = http, model, said

    def post(self, path, **content):
        for fields in (content.get("json"), content.get("data")):
            if fields:
                del fields["model"]
                fields |= self.said
        return self.http.post(path.replace("/v1/", f"/openai/deployments/{self.model}/"), **content)


@every
@pytest.mark.parametrize("said", [{}, {"model": "whisper-1"}], ids=["nameless", "other"])
@pytest.mark.parametrize("first", ["row", "one"])
def test_a_deployment_names_the_model(both, server, vendor, first, name, said):
    key, http = both(first)
    for ask in [ASKS[name]] + [lambda http: edit(http, named(PICTURE))] * (name == "edits"):
        if name in ALONE:
            assert by(ask(Deployment(http, ALONE[name], said))) == ("one", "1")
            assert vendor.requests(key, "/api/features")[-1]["body"]["model"] == ALONE[name]
        refused = ask(Deployment(http, "zzz", said)).json()["error"]
        assert (refused["code"], "`zzz`" in refused["message"]) == ("model_not_found", True)
        assert server.asked(SHARED) == []
        own = {"variations": "dall-e-2", "speech": "tts-1"}.get(name, "whisper-1" if name[0] == "t" else "gpt-image-1")
        assert by(ask(Deployment(http, own, said))) == (first, "1")
        server.says(SHARED, {})


@every
def test_1min_takes_over_from_a_server(both, server, name):
    key, http = both("row")
    server.says(SHARED, FAILED)
    assert by(ASKS[name](http)) == ("one", "2")
    assert len(server.asked(SHARED)) == 1


@every
def test_a_server_takes_over_from_1min(both, server, vendor, name):
    key, http = both("one")
    vendor.answers(key, BROKEN)
    assert by(ASKS[name](http)) == ("row", "2")
    (seen,) = server.asked(SHARED)
    assert seen["path"].endswith(name)


@every
def test_both_fail(both, server, vendor, name):
    key, http = both("row")
    server.says(SHARED, FAILED)
    vendor.answers(key, BROKEN)
    answer = ASKS[name](http)
    assert answer.status_code == 502
    assert plain(answer.json()["error"]["message"]) == "All providers failed: row: 500 failed; one: 500 failed"


@every
def test_a_refusal_is_final(both, server, vendor, name):
    key, http = both("row")
    server.says(SHARED, {"status": 400, "json": {"error": {"message": "It is wrong."}}})
    before = len(vendor.requests(key))
    assert ASKS[name](http).status_code == 400
    assert len(vendor.requests(key)) == before


@every
def test_a_slow_server_has_no_more_than_the_time_for_all(start_relay, server, vendor, caller, name):
    """The vendors' own time-outs are much longer."""
    conftest.secrets.add(key := f"mixed-{uuid.uuid4().hex}")
    relay = start_relay(**settings("row", key, server, vendor), FALLBACK_DEADLINE="1s")
    server.says(SHARED, {"stall": True, "raw": b"", "cut": True})
    answer = ASKS[name](caller(relay, TOKEN))
    assert answer.status_code == 504 and answer.json()["error"]["code"] == "upstream_timeout", answer.text
    assert server.left.wait(5)
    server.left.clear()


def test_what_1min_cannot_do_is_for_the_server(both, server):
    _, http = both("one")
    answer = http.post("/v1/images/generations", json={"model": "gpt-image-1", "prompt": "A cat", "n": 1, "size": "1x3"})
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "row", answer.text
    two = [("model", (None, "gpt-image-1")), ("prompt", (None, "x"))] + [("image[]", ("a.png", PICTURE, "image/png"))] * 2
    assert http.post("/v1/images/edits", files=two).headers["x-relay-provider"] == "row"


@pytest.fixture
def relayed(start_relay, server, vendor, caller):
    """`relayed("row", ...)`: the key of 1min.ai, and a client of a relay of its own."""

    def made(first, **more):
        conftest.secrets.add(key := f"mixed-{uuid.uuid4().hex}")
        relay = start_relay(**(settings(first, key, server, vendor) | more))
        server.says(SHARED, {})
        vendor.answers(key, {})
        return key, caller(relay, TOKEN)

    yield made
    assert server.take_violations() == []


def test_who_cannot_serve_is_not_the_first_that_is_asked(relayed, vendor):
    key, http = relayed("one", FALLBACK="false")
    assert by(generate(http, model="gpt-image-1", size="1x3")) == ("row", "1")
    assert vendor.requests(key) == []
    assert by(generate(http, model="gpt-image-1")) == ("one", "1")


STAND_INS = {"PROVIDER_ONE_MODELS": ",".join((*MODELS, "midjourney", "magic-art_7_0"))}


@pytest.mark.parametrize("first", ["row", "one"])
def test_other_models_vary_where_both_fail(relayed, server, vendor, first):
    key, http = relayed(first, **STAND_INS)
    server.says(SHARED, FAILED)
    vendor.answers(key, BROKEN, {})
    assert by(ASKS["variations"](http)) == ("one", "3")
    calls = [request["body"]["model"] for request in vendor.requests(key, "/api/features")]
    assert calls == ["dall-e-2", "magic-art_7_0"]
    vendor.answers(key, BROKEN)
    failed = ASKS["variations"](http)
    assert failed.status_code == 502 and failed.headers["x-relay-attempts"] == "4"


def test_other_models_vary_for_one_that_1min_does_not_vary(relayed, server, vendor):
    key, http = relayed("one", **STAND_INS)

    def vary(picture=PICTURE):
        files = {"image": ("a.png", picture, "image/png")}
        return http.post("/v1/images/variations", data={"model": "gpt-image-1"}, files=files)

    assert by(vary()) == ("row", "1")
    server.says(SHARED, FAILED)
    assert by(vary()) == ("one", "2")
    assert vendor.feature(key)["model"] == "magic-art_7_0"
    # A form that cannot be read here is for the server alone.
    assert vary(b"no picture").headers["x-relay-attempts"] == "1"
    assert len(vendor.requests(key, "/api/features")) == 1


@pytest.mark.parametrize("name", ["transcriptions", "translations"])
def test_recordings_that_1min_writes_down_have_their_price(relayed, vendor, name):
    key, http = relayed("one", PROVIDER_ONE_COST="2/4", RATE_LIMIT_AUDIO="5 usd/hour;10000 tokens/hour")
    vendor.answers(key, {"metadata": {"inputToken": 12, "outputToken": 3}})
    answer = ASKS[name](http)
    assert by(answer) == ("one", "1") and answer.headers["x-relay-cost"] == "0.036"
    assert answer.headers["x-ratelimit-remaining-tokens"] == "9000"
    vendor.answers(key, {"metadata": {"inputToken": 3000, "outputToken": 0}})
    answer = ASKS[name](http)
    # The server might serve it too, of which 1,000 tokens are expected at first.
    assert answer.headers["x-relay-cost"] == "6" and answer.headers["x-ratelimit-remaining-tokens"] == str(10000 - 15 - 1000)
    refused = ASKS[name](http)
    assert refused.status_code == 429 and refused.json()["error"]["code"] == "insufficient_quota"


def test_an_edit_with_a_mask(both, server):
    _, http = both("row")
    server.says(SHARED, FAILED)
    files = {"image": ("a.png", PICTURE, "image/png"), "mask": ("m.png", HALF, "image/png")}
    assert by(http.post("/v1/images/edits", data={"model": FILLING, "prompt": "x"}, files=files)) == ("one", "2")


@pytest.mark.parametrize("first", ["row", "one"])
def test_nobody_takes_over_a_long_recording(both, server, vendor, first):
    key, http = both(first)
    server.says(SHARED, FAILED)
    vendor.answers(key, BROKEN)
    parts = [("model", (None, "whisper-1")), ("file", ("a.wav", WAV + bytes(3_000_000), "audio/wav"))]
    before = len(vendor.requests(key))
    answer = http.post("/v1/audio/transcriptions", files=parts)
    assert answer.status_code == 502 and answer.headers["x-relay-provider"] == first
    assert (len(server.asked(SHARED)), len(vendor.requests(key)) > before) == ((1, False) if first == "row" else (0, True))


def test_a_long_recording_passes_over_the_broken_kind(start_relay, server, vendor, caller):
    conftest.secrets.add(key := f"mixed-{uuid.uuid4().hex}")
    http = caller(start_relay(**settings("row", key, server, vendor) | {"BREAKER_FAILURES": 3}), TOKEN)
    server.says(SHARED, FAILED)
    vendor.answers(key, {})
    assert {by(ASKS["transcriptions"](http)) for _ in range(3)} == {("one", "2")}
    parts = [("model", (None, "whisper-1")), ("file", ("a.wav", WAV + bytes(3_000_000), "audio/wav"))]
    assert by(http.post("/v1/audio/transcriptions", files=parts)) == ("one", "1")


def test_a_long_recording_passes_over_the_kind_that_is_full(start_relay, server, vendor, caller):
    conftest.secrets.add(key := f"mixed-{uuid.uuid4().hex}")
    http = caller(start_relay(**settings("row", key, server, vendor), PROVIDER_ROW_QPS="0.01"), TOKEN)
    server.says(SHARED, {})
    vendor.answers(key, {})
    parts = [("model", (None, "whisper-1")), ("file", ("a.wav", WAV + bytes(3_000_000), "audio/wav"))]
    assert [by(http.post("/v1/audio/transcriptions", files=parts)) for _ in range(2)] == [("row", "1"), ("one", "1")]


def edit(http, *images, **fields):
    return http.post("/v1/images/edits", json={"model": "gpt-image-1", "prompt": "a hat", "images": list(images)} | fields)


def named(content):
    return {"image_url": "data:image/png;base64," + base64.b64encode(content).decode()}


@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("first", ["row", "one"])
def test_edits_in_json_fall_back_to_the_other_kind(both, server, vendor, first, is_masked):
    key, http = both(first)
    picture = pictures.png(8, 8, [bytes([9, 9, 9, 255] * 8)] * 8, 6)
    fields = {"mask": named(HALF)} if is_masked else {}
    model = FILLING if is_masked else "gpt-image-1"
    assert by(edit(http, named(picture), model=model, **fields)) == (first, "1")
    server.says(SHARED, FAILED if first == "row" else {})
    vendor.answers(key, {} if first == "row" else BROKEN)
    assert by(edit(http, named(picture), model=model, **fields)) == ("one" if first == "row" else "row", "2")
    server.says(SHARED, FAILED)
    vendor.answers(key, BROKEN)
    answer = edit(http, named(picture), model=model, **fields)
    assert answer.status_code == 502 and "All providers failed" in answer.json()["error"]["message"]


def test_edits_in_json_of_several_pictures_are_for_the_server(both, server):
    _, http = both("one")
    assert edit(http, named(PICTURE), named(PICTURE)).headers["x-relay-provider"] == "row"
    assert len(server.body(SHARED)["images"]) == 2


def test_a_file_that_is_elsewhere_is_brought_by_its_bytes(both, server, vendor):
    """Files are at 1min.ai, so the server, which does not have them, is not called."""
    key, http = both("row")
    form = {"files": {"file": ("cat.png", PICTURE, "image/png")}, "data": {"purpose": "vision"}}
    id = http.post("/v1/files", **form).json()["id"]
    assert by(edit(http, {"file_id": id})) == ("one", "1")
    assert server.asked(SHARED) == []
