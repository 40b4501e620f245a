"""OpenAI's other endpoints by providers of the kind openai: requests and responses are forwarded unchanged."""

import json

import httpx
import local_http
import officials
import openai_endpoints as fake
import pytest
from chat import MODEL as MINI
from conftest import VENDOR_KEY
from relay_process import provider

MODEL = "big/model:1"
FAILED = {"status": 500, "json": {"error": {"message": "It broke."}}}
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(256)) * 40
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


official = officials.openai_of("passing", "team")


def transcribe(http, model="fast", **fields):
    return http.post("/v1/audio/transcriptions", data={"model": model} | fields, files={"file": ("a.wav", WAV, "audio/wav")})


def generate(http, model="fast", **fields):
    return http.post("/v1/images/generations", json={"model": model, "prompt": "A cat"} | fields)


def embed(http, model="fast", **fields):
    return http.post("/v1/embeddings", json={"model": model, "input": "Hello"} | fields)


ASKS = {
    "embeddings": embed,
    "moderations": lambda http, model="fast": http.post("/v1/moderations", json={"model": model, "input": "Hello"}),
    "rerank": lambda http, model="fast": http.post("/v1/rerank", json={"model": model, "query": "Hello", "documents": ["a", "b"]}),
    "generations": generate,
    "edits": lambda http, model="fast": http.post(
        "/v1/images/edits", data={"model": model, "prompt": "x"}, files=[("image[]", ("a.png", PNG, "image/png"))]
    ),
    "variations": lambda http, model="fast": http.post(
        "/v1/images/variations", data={"model": model}, files={"image": ("a.png", PNG, "image/png")}
    ),
    "speech": lambda http, model="fast": http.post("/v1/audio/speech", json={"model": model, "input": "Hi", "voice": "coral"}),
    "transcriptions": transcribe,
    "translations": lambda http, model="fast": http.post(
        "/v1/audio/translations", data={"model": model}, files={"file": ("a.wav", WAV, "audio/wav")}
    ),
}
every = pytest.mark.parametrize("name", ASKS)


@every
def test_each_endpoint(team, server, name):
    answer = ASKS[name](team)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-relay-provider"] == "row" and answer.headers["x-relay-attempts"] == "1"
    (seen,) = server.asked(MODEL)
    assert seen["headers"]["authorization"] == f"Bearer {VENDOR_KEY}"
    assert seen["path"].endswith(name)


def test_json_goes_on_but_for_the_model(team, server):
    server.says(MODEL, {"extra": True})
    text = ' {"input" : ["H\\u00e9llo",  "x"], "model":"fast","dimensions":1.0, "odd":[18446744073709551615]} '
    answer = team.post("/v1/embeddings", content=text, headers={"Content-Type": "application/json"})
    assert answer.json() == fake.embeddings({"input": ["a", "b"]}) | {"model": "fast"}
    (seen,) = server.asked(MODEL)
    assert seen["body"] == json.loads(text) | {"model": MODEL}
    assert b'"dimensions":1.0' in seen["raw"] and b"[18446744073709551615]" in seen["raw"]


def test_forms_go_on_but_for_the_model(team, server):
    parts = [
        ("prompt", (None, 'A "cat"\r\n--x')), ("image[]", ("a b.png", PNG, "image/png")), ("image[]", ("b.png", PNG[:99], "image/png")),
        ("mask", ("m\u00e9.png", PNG, "application/octet-stream")), ("n", (None, "2")), ("model", (None, "fast")),
    ]  # fmt: skip
    answer = team.post("/v1/images/edits", files=parts)
    assert answer.json() == fake.IMAGES | {"data": fake.IMAGES["data"] * 2}
    body = server.body(MODEL)
    assert body["prompt"] == 'A "cat"\r\n--x' and body["n"] == "2"
    assert body["image"] == [("a b.png", "image/png", PNG), ("b.png", "image/png", PNG[:99])]
    assert body["mask"][1:] == ("application/octet-stream", PNG)


@pytest.mark.parametrize("size", [100, 2_000_000])
def test_a_recording_whose_model_follows(team, server, size):
    recording = WAV[:44] + bytes(range(256)) * (size // 256)
    parts = [("file", ("a.wav", recording, "audio/wav")), ("language", (None, "en")), ("model", (None, "fast"))]
    assert team.post("/v1/audio/transcriptions", files=parts).json() == fake.TRANSCRIPT
    body = server.body(MODEL)
    assert body["file"] == ("a.wav", "audio/wav", recording) and body["language"] == "en"


@every
def test_the_relays_own_fields_stay_here(team, server, name):
    own = {"web_search": True, "num_of_site": 3, "max_word": 5, "new_input": "x", "file_ids": ["a"]}
    if name in ("edits", "variations", "transcriptions", "translations"):
        fields = [(field, (None, str(value))) for field, value in own.items()] + [("prompt", (None, "x")), ("model", (None, "fast"))]
        file = "image" if name in ("edits", "variations") else "file"
        path = "images" if file == "image" else "audio"
        server.says(MODEL, {"extra": True})
        answer = team.post(f"/v1/{path}/{name}", files=[*fields, (file, ("a.png", PNG, "image/png"))])
    else:
        fields = {"generations": {"prompt": "x"}, "speech": {"input": "x", "voice": "v"}, "rerank": {"query": "x", "documents": ["x"]}}.get(
            name, {"input": "x"}
        )
        path = {"generations": "images/", "speech": "audio/"}.get(name, "") + name
        answer = team.post(f"/v1/{path}", json={"model": "fast"} | fields | own)
    assert answer.status_code == 200, answer.text
    assert not set(own) & set(server.body(MODEL))


DEFAULTS = {
    "generations": ("gpt-image-1", lambda http: http.post("/v1/images/generations", json={"prompt": "x", "model": None})),
    "edits": ("gpt-image-1", lambda http: http.post("/v1/images/edits", data={"prompt": "x"}, files={"image": ("a.png", PNG)})),
    "edits in JSON": ("gpt-image-1", lambda http: http.post(
        "/v1/images/edits", json={"prompt": "x", "images": [{"image_url": "data:image/png;base64,AAAA"}]}
    )),
    "variations": ("dall-e-2", lambda http: http.post("/v1/images/variations", files={"image": ("a.png", PNG)})),
    "moderations": ("omni-moderation-latest", lambda http: http.post("/v1/moderations", json={"input": "x"})),
}  # fmt: skip


@pytest.fixture(scope="module")
def defaults(launch, server):
    return launch(
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, KEY_A_TOKEN="token-of-nameless-models",
        PROVIDER_ROW_MODELS=",".join(f"{name}=my/{name}" for name in {name for name, _ in DEFAULTS.values()}),
    )  # fmt: skip


@pytest.mark.parametrize("name", DEFAULTS)
def test_requests_without_a_model(defaults, server, caller, name):
    model, ask_for = DEFAULTS[name]
    server.says(f"my/{model}", {})
    answer = ask_for(caller(defaults, "token-of-nameless-models"))
    assert answer.status_code == 200, answer.text
    assert server.body(f"my/{model}")["model"] == f"my/{model}"
    assert server.take_violations() == []


@pytest.mark.parametrize("status", [201, 202, 203, 206])
def test_the_status_of_a_success(team, server, status):
    server.says(MODEL, {"json": fake.embeddings({"input": "x"}), "status": status})
    assert embed(team).status_code == status
    server.says(MODEL, {"raw": fake.SOUND, "type": "audio/mpeg", "status": status})
    answer = ASKS["speech"](team)
    assert (answer.status_code, answer.content) == (status, fake.SOUND)
    server.says(MODEL, {"raw": b""})
    # An empty answer is none, whatever its status.
    assert embed(team).status_code == 502


def test_the_official_client(official, server):
    made = official.embeddings.create(model="fast", input=["a", "b"], encoding_format="float")
    assert [one.embedding for one in made.data] == [[0.25, -0.5, 0], [0.25, -0.5, 1]] and made.usage.total_tokens == 7
    judged = official.moderations.create(model="fast", input="x")
    assert judged.results[0].flagged and judged.model == "fast"
    pictures = official.images.generate(model="fast", prompt="x", n=2)
    assert [one.b64_json for one in pictures.data] == [fake.PICTURE] * 2 and pictures.usage.total_tokens == 51
    pictures = official.images.edit(model="fast", prompt="x", image=[("a.png", PNG), ("b.png", PNG)])
    assert pictures.data[0].b64_json == fake.PICTURE
    assert official.audio.speech.create(model="fast", input="x", voice="coral").content == fake.SOUND
    assert official.audio.transcriptions.create(model="fast", file=("a.wav", WAV)).text == "Hello there"
    assert official.audio.translations.create(model="fast", file=("a.wav", WAV)).text == "Hello there"


def test_streams_of_the_official_client(official):
    with official.images.generate(model="fast", prompt="x", stream=True) as pictures:
        assert [one.type for one in pictures] == ["image_generation.partial_image", "image_generation.completed"]
    with official.audio.transcriptions.create(model="fast", file=("a.wav", WAV), stream=True) as pieces:
        assert [one.type for one in pieces] == ["transcript.text.delta", "transcript.text.done"]
    with official.images.edit(model="fast", prompt="x", image=("a.png", PNG), stream=True) as pictures:
        assert [one.type for one in pictures] == ["image_edit.partial_image", "image_edit.completed"]


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_events_come_as_they_were(team, server, pieces):
    server.says(MODEL, {"pieces": pieces})
    answer = team.post("/v1/audio/speech", json={"model": "fast", "input": "x", "voice": "coral", "stream_format": "sse"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    kinds = [json.loads(line[6:])["type"] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert kinds == ["speech.audio.delta", "speech.audio.done"]


@pytest.mark.parametrize("pieces", [1, 1000])
def test_the_usage_of_events_is_counted(team, passing, server, pieces):
    server.says(MODEL, {"pieces": pieces})
    id = transcribe(team, stream="true").headers["x-request-id"]
    line = passing.wait_for_line(lambda line: line.get("id") == id)
    assert (line["prompt_tokens"], line["completion_tokens"], line["stream"]) == (12, 3, True)


@pytest.mark.parametrize("form, kind", [("text", "text/plain; charset=utf-8"), ("verbose_json", "application/json")])
def test_transcripts_in_other_forms(team, form, kind):
    answer = transcribe(team, response_format=form)
    assert answer.headers["content-type"] == kind
    assert answer.text == "Hello there\n" if form == "text" else answer.json() == fake.TRANSCRIPT


@pytest.mark.parametrize("pieces", [1, 13, 100_000])
def test_the_model_of_an_answer_cut_anywhere(team, server, pieces):
    odd = '{"data":[1],"a":{"model":"x","usage":{"prompt_tokens":1}},"t":"\\"model\\":\\\\", "model" : "it,}s" , "l":[{"model":1}],"usage":{"prompt_tokens":5}, "z":null }'
    server.says(MODEL, {"raw": odd.encode(), "pieces": pieces})
    answer = embed(team)
    assert answer.text == odd.replace('"it,}s" ', '"fast"').replace(' : "fast"', ' :"fast"')


def test_a_large_answer(team, server):
    large = {"object": "list", "data": [{"embedding": [0.125] * 1000}] * 300, "model": "x", "usage": {"prompt_tokens": 5}}
    server.says(MODEL, {"json": large})
    answer = embed(team, input=["x"] * 300)
    assert answer.json() == large | {"model": "fast"} and "content-length" in answer.headers
    larger = large | {"data": large["data"] * 5}
    server.says(MODEL, {"json": larger})
    answer = embed(team, input=["x"] * 300)
    assert answer.json() == larger | {"model": "fast"} and "content-length" not in answer.headers


def test_an_answer_that_is_cut(team, server):
    server.says(MODEL, {"json": fake.embeddings({"input": "x"}), "cut": True})
    assert embed(team).status_code == 502
    server.says(MODEL, {"raw": b'{"data":[' + b"1," * 300_000, "cut": True})
    assert embed(team).status_code == 502
    server.says(MODEL, {"raw": b'{"data":[' + b"1," * 5_000_000, "cut": True})
    with pytest.raises(httpx.RemoteProtocolError):
        embed(team)


FAULTS = {
    "refused": ({"status": 400, "json": {"error": {"message": "Bad size.", "type": "invalid_request_error", "param": "size", "code": "bad"}}}, 400, "bad"),
    "key": ({"status": 401, "json": {"error": {"message": "no", "code": "invalid_api_key"}}}, 502, "upstream_error"),
    "credit": ({"status": 429, "json": {"error": {"message": "no", "type": "insufficient_quota"}}}, 402, "insufficient_quota"),
    "model": ({"status": 404, "json": {"error": {"message": "no", "code": "model_not_found"}}}, 404, "model_not_found"),
    "path": ({"status": 404, "raw": b"Not Found", "type": "text/plain"}, 502, "upstream_error"),
    "failed": (FAILED, 502, "upstream_error"),
    "busy": ({"status": 503, "json": {}}, 503, "upstream_error"),
    "large": ({"status": 413, "json": {}}, 413, "request_too_large"),
    "error in a good answer": ({"json": {"error": {"message": "no", "code": "rate_limit_exceeded"}}}, 429, "rate_limit_exceeded"),
    "a page": ({"raw": b"<html></html>", "type": "text/html"}, 502, "upstream_error"),
    "nothing": ({"raw": b""}, 502, "upstream_error"),
    "error as an event": ({"raw": b'event: error\ndata: {"type":"error","error":{"message":"no","code":"rate_limit_exceeded"}}\n\n', "type": "text/event-stream", "streams": True}, 429, "rate_limit_exceeded"),
    "error in data": ({"raw": b': hi\ndata: {"type":"error","error":{"message":"no","code":"slow_down"}}\n\n', "type": "text/event-stream", "streams": True, "pieces": 1}, 429, "rate_limit_exceeded"),
    "events that end at once": ({"raw": b": hi\n\n", "type": "text/event-stream", "streams": True}, 502, "upstream_error"),
}  # fmt: skip


@pytest.fixture
def fresh(start_relay, server, caller):
    """A separate relay, because keys have cooldowns after failures: `a` and `b` are models of one provider."""
    relay = start_relay(**provider("ROW", "openai", server.base_url, "judged=judged/1", API_KEY=VENDOR_KEY), KEY_A_TOKEN="token-of-forwarded-faults")
    return caller(relay, "token-of-forwarded-faults")


@pytest.mark.parametrize("name", ["embeddings", "generations", "speech", "transcriptions"])
def test_the_table(fresh, server, name):
    for fault, (script, status, code) in FAULTS.items():
        server.says("judged/1", script)
        answer = ASKS[name](fresh, model="judged")
        assert answer.status_code == status, (fault, answer.status_code, answer.text)
        assert answer.json()["error"]["code"] == code, fault


@pytest.mark.parametrize("entry", [{}, {"b64_json": ""}, {"url": None, "revised_prompt": "x"}])
def test_an_entry_without_an_image_is_no_answer(two, server, entry):
    http = two(PROVIDER_OTHER_PRIORITY=2)
    for name in ("generations", "edits", "variations"):
        server.says("at/first", {"json": {"created": 1, "data": [{"b64_json": "QUJD"}, entry]}})
        server.says("at/other", {"json": {"created": 1, "data": [{"b64_json": "QUJD"}]}})
        answer = ASKS[name](http, model="m")
        assert answer.status_code == 200 and answer.json()["data"] == [{"b64_json": "QUJD"}]
        assert len(server.asked("at/other")) == 1


@pytest.mark.parametrize("script", [
    {"json": {"error": {"message": "no", "type": "invalid_request_error", "param": "size", "code": "bad_size"}}},
    {"raw": b'event: error\ndata: {"type":"error","error":{"message":"no","type":"invalid_request_error","param":"size","code":"bad_size"}}\n\n',
     "type": "text/event-stream", "streams": True},
], ids=["in a good answer", "as an event"])  # fmt: skip
def test_errors_keep_their_field(fresh, server, script):
    server.says("judged/1", script)
    answer = generate(fresh, model="judged")
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, "size", "bad_size")


def test_a_byte_order_mark_before_an_answer(team, server):
    server.says(MODEL, {"raw": b"\xef\xbb\xbf" + json.dumps({"object": "list", "data": [{"embedding": [1.0]}], "model": "x"}).encode(), "pieces": 2})
    answer = embed(team)
    assert answer.status_code == 200 and answer.content[:1] == b"{" and answer.json()["data"] == [{"embedding": [1.0]}]


LEAKING = "Request to https://api.internal.example/v1 with key sk-1234567890abcdef of org-abcdef123456 failed"
EVENTS = "text/event-stream"
LATE = {
    "a named event": ('event: error\ndata: {"type":"error","error":{"message":"%s","code":"rate_limit_exceeded"}}\n\n', "rate_limit_exceeded"),
    "a named event of words": ("event:error\r\ndata: %s\r\n\r\n", "upstream_error"),
    "a type at the end": ('data: {"message":"%s","code":"rate_limit_exceeded","type":"error"}\n\n', "rate_limit_exceeded"),
    "data": ('data: {"x":1,"error":{"message":"%s"},"y":2}\n\n', "upstream_error"),
    "a text": ('data: {"error":"%s"}', "upstream_error"),
    "a long failure": ('data: {"error":{"message":"%s","more":"' + "B" * 200_000 + '"}}\n\n', "upstream_error"),
}  # fmt: skip


@pytest.mark.parametrize("pieces", [7, 100_000])
@pytest.mark.parametrize("form", LATE)
def test_a_failure_after_the_first_event(team, passing, server, form, pieces):
    first = 'event: a\ndata: {"type":"a","error":null,"b64_json":"AA"}\n\n'
    told, code = LATE[form]
    raw = (first + told % LEAKING + '\n\ndata: {"type":"b"}\n\n').encode()
    server.says(MODEL, {"raw": raw, "type": EVENTS, "streams": True, "pieces": pieces})
    answer = generate(team, stream=True)
    assert answer.status_code == 200 and answer.text.startswith(first + 'data: {"error":')
    error = json.loads(answer.text[len(first) + 6 :])["error"]
    assert error["code"] == code and set(error) == {"message", "type", "param", "code"}
    for part in ("internal.example", "sk-12345", "org-abc", "BBBB"):
        assert part not in answer.text
    line = passing.wait_for_line(lambda line: line.get("id") == answer.headers["x-request-id"])
    assert line["status"] == (429 if code == "rate_limit_exceeded" else 502) and line["cause"]
    assert LEAKING not in line["cause"]


@pytest.mark.parametrize("length", [10, 300_000, 9_000_000])
def test_a_failure_late_in_a_whole_answer(team, server, length):
    error = {"message": LEAKING, "code": "rate_limit_exceeded"}
    text = json.dumps({"object": "list", "data": ["A" * length], "error": error})
    server.says(MODEL, {"raw": text.encode(), "pieces": 50_000})
    if length < 9_000_000:
        answer = embed(team)
        assert answer.status_code == 429 and "internal" not in answer.text
        return
    with pytest.raises(httpx.RemoteProtocolError), team.stream("POST", "/v1/embeddings", json={"model": "fast", "input": "x"}) as answer:
        for piece in answer.iter_text():
            assert "internal" not in piece


def test_a_large_first_event(team, server):
    raw = b'data: {"type":"a","b64_json":"' + b"A" * 2_000_000 + b'"}\n\n'
    server.says(MODEL, {"raw": raw, "type": EVENTS, "streams": True})
    assert generate(team, stream=True).content == raw


def test_what_is_missing(team):
    assert team.post("/v1/embeddings", json={"input": "x"}).json()["error"]["param"] == "model"
    assert team.post("/v1/embeddings", json={"model": "fast"}).json()["error"]["param"] == "input"
    unknown = embed(team, model="nobody")
    assert unknown.status_code == 404 and unknown.json()["error"]["code"] == "model_not_found"
    twice = '{"model":"fast","input":"a","input":"b"}'
    answer = team.post("/v1/embeddings", content=twice, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and "twice" in answer.json()["error"]["message"]
    assert local_http.post(str(team.base_url) + "/v1/embeddings", json={"model": "fast", "input": "x"}).status_code == 401
    for ask_for in (team.get, team.head, team.delete):
        for path in ("/v1/embeddings", "/v1/moderations"):
            wrong = ask_for(path)
            assert wrong.status_code == 405 and wrong.headers["allow"] == "POST, OPTIONS"
    assert team.get("/v1/assistants").status_code == 404


def test_forms_that_are_wrong(team, server):
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"--x\r\n", b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nfast\r\n--x\r\nbroken\r\n\r\n'):
        for path in ("audio/transcriptions", "images/edits"):
            assert team.post(f"/v1/{path}", content=body, headers=kind).status_code == 400
    large = [("model", (None, "fast")), ("file", ("a.wav", bytes(26_300_000), "audio/wav"))]
    assert team.post("/v1/audio/transcriptions", files=large).status_code == 413
    server.take_violations()


def test_the_callers_own_key(start_relay, server, caller, new_key):
    relay = start_relay(**provider("OWN", "openai", server.base_url, "own/forwarded", PASSTHROUGH="true"))
    key = new_key()
    http = caller(relay, key)
    for status, code in [(401, "invalid_api_key"), (429, "rate_limit_exceeded")]:
        server.says("own/forwarded", {"status": status, "json": {}})
        answer = embed(http, model="own/forwarded")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    server.says("own/forwarded", {})
    assert transcribe(http, model="own/forwarded").status_code == 200
    assert server.asked("own/forwarded")[0]["headers"]["authorization"] == f"Bearer {key}"


def two_providers(server):
    """Returns the settings of two providers whose model `m` is called as `at/first` and `at/other`, which respond
    correctly."""
    server.says("at/first", {})
    server.says("at/other", {})
    return dict(**provider("FIRST", "openai", server.base_url, "m=at/first"), **provider("OTHER", "openai", server.base_url, "m=at/other"))


@pytest.fixture
def two(start_relay, server, caller):
    """Two providers with one key each that has a cooldown, for models `m` (first by the first), and 1min.ai."""

    def made(**more):
        relay = start_relay(**two_providers(server), KEY_A_TOKEN="token-of-two-forwarders", **more)
        return caller(relay, "token-of-two-forwarders")

    yield made
    assert server.take_violations() == []


@every
def test_another_takes_over(two, server, name):
    http = two(PROVIDER_OTHER_PRIORITY=2)
    server.says("at/first", FAILED)
    answer = ASKS[name](http, model="m")
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "other", answer.text
    assert answer.headers["x-relay-attempts"] == "2"
    first, other = server.asked("at/first")[0], server.asked("at/other")[0]
    assert {k: v for k, v in first["body"].items() if k != "model"} == {k: v for k, v in other["body"].items() if k != "model"}


@every
def test_what_is_asked_once_more(two, server, name):
    http = two(PROVIDER_OTHER_PRIORITY=2)
    server.says("at/first", {"status": 409, "json": {}}, {})
    assert ASKS[name](http, model="m").headers["x-relay-provider"] == "first"
    first, second = server.asked("at/first")
    assert first["body"] == second["body"]


def test_a_replacement_serves(two, server):
    http = two(MODEL_REPLACEMENTS="gone:m")
    answer = embed(http, model="gone")
    assert answer.status_code == 200 and answer.json()["model"] == "gone"
    assert ASKS["transcriptions"](http, model="gone").status_code == 200


def test_1min_serves_by_its_features(start_relay, server, vendor, caller, new_key):
    """Models of 1min.ai are served as usual beside a provider of the kind openai."""
    key = new_key()
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, "fast,whisper-1=at/whisper", PRIORITY=2),
        **provider("ONE", "onemin", vendor.base_url, API_KEY=key), KEY_A_TOKEN="token-beside-1min-ai",
    )  # fmt: skip
    http = caller(relay, "token-beside-1min-ai")
    server.says("fast", {})
    assert transcribe(http, model="whisper-1").headers["x-relay-provider"] == "one"
    made = generate(http, model="gpt-image-1", response_format="url")
    assert made.status_code == 200 and made.headers["x-relay-provider"] == "one", made.text
    assert embed(http, model="fast").status_code == 200
    refused = embed(http, model=MINI)
    assert refused.status_code == 404 and refused.json()["error"]["code"] == "unsupported_endpoint"


def test_tokens_and_prices(start_relay, server, caller):
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, "m=at/limited", COST="2/0"), KEY_A_TOKEN="token-of-limited-calls",
        RATE_LIMIT_CHAT="1000 tokens/hour", RATE_LIMIT_IMAGES="3 images/hour",
    )  # fmt: skip
    http = caller(relay, "token-of-limited-calls")
    server.says("at/limited", {})
    left = int(embed(http, model="m", input="word " * 200).headers["x-ratelimit-remaining-tokens"])
    assert left == 1000 - 250
    answer = embed(http, model="m")
    # The first has used what its vendor says.
    assert int(answer.headers["x-ratelimit-remaining-tokens"]) == 1000 - 7 - 2
    assert answer.headers["x-relay-cost"] == "0.014"
    assert embed(http, model="m", input="word " * 2000).status_code == 429
    assert embed(http, model="m", input=[1] * 2000).status_code == 429
    server.says("at/limited", {"json": {key: value for key, value in fake.embeddings({"input": "x"}).items() if key != "usage"}})
    embed(http, model="m", input="abcd " * 40)
    assert int(embed(http, model="m").headers["x-ratelimit-remaining-tokens"]) < 1000 - 7 * 2 - 40
    server.says("at/limited", {})
    assert generate(http, model="m", n=2).status_code == 200
    assert generate(http, model="m", n=2).status_code == 429
    form = {"model": (None, "m"), "image": ("a.png", PNG), "n": (None, "2")}
    assert http.post("/v1/images/variations", files=form).status_code == 429


@pytest.fixture
def counted(start_relay, server, caller):
    """A relay with a limit of three images per hour."""
    relay = start_relay(
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_MODELS="m=at/number",
        KEY_A_TOKEN="token-of-numbered-images", RATE_LIMIT_IMAGES="3 images/hour",
    )  # fmt: skip
    server.says("at/number", {})
    return caller(relay, "token-of-numbered-images")


@pytest.mark.parametrize("path", ["generations", "edits", "variations"])
def test_what_a_server_may_read_as_another_number_of_images_is_refused(counted, server, path):
    def ask_for(n):
        if path == "generations":
            return generate(counted, model="m", n=n)
        parts = {"model": (None, "m"), "image": ("a.png", PNG), "n": (None, str(n))}
        if path == "edits":
            parts["prompt"] = (None, "x")
        return counted.post(f"/v1/images/{path}", files=parts)

    wrong = {" 3": "invalid_type", "3.0": "invalid_type", 3.5: "invalid_type", "1" * 20: "invalid_type"}
    wrong |= {0: "integer_below_min_value", -1: "integer_below_min_value", 5000: "integer_above_max_value"}
    for n, code in wrong.items():
        refused = ask_for(n)
        assert refused.status_code == 400, n
        assert (refused.json()["error"]["code"], refused.json()["error"]["param"]) == (code, "n")
    assert server.asked("at/number") == []
    assert [ask_for(2).status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("names", [("n", "n"), ("n[]", "n"), ("n[0]",)])
def test_of_several_numbers_of_images_the_largest_counts(counted, server, names):
    parts = [("model", (None, "m")), ("image", ("a.png", PNG))]
    parts += [(name, (None, number)) for name, number in zip(names, ["3", "1"], strict=False)]
    counted.post("/v1/images/variations", files=parts)
    assert len(server.asked("at/number")) == 1
    assert counted.post("/v1/images/variations", files=parts[:2]).status_code == 429
    server.take_violations()


@pytest.mark.parametrize("n", [None, ""])
def test_without_a_number_there_is_one_image(counted, server, n):
    if n is None:
        generate(counted, model="m", n=None)
    else:
        parts = {"model": (None, "m"), "image": ("a.png", PNG), "n": (None, n)}
        counted.post("/v1/images/variations", files=parts)
    assert len(server.asked("at/number")) == 1
    assert generate(counted, model="m", n=2).status_code == 200
    assert generate(counted, model="m").status_code == 429
    server.take_violations()


def test_tokens_and_prices_of_images_and_sounds(start_relay, server, caller):
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, "m=at/counted", COST="2/4"), KEY_A_TOKEN="token-of-counted-images",
        RATE_LIMIT_IMAGES="10000 tokens/hour", RATE_LIMIT_AUDIO="5 usd/hour",
    )  # fmt: skip
    http = caller(relay, "token-of-counted-images")
    server.says("at/counted", {})
    answer = generate(http, model="m", prompt="word " * 20)
    # The first call reserves 1,000 tokens besides its prompt.
    assert int(answer.headers["x-ratelimit-remaining-tokens"]) == 10000 - 1000 - 25
    assert answer.headers["x-relay-cost"] == "0.182"
    answer = generate(http, model="m")
    assert int(answer.headers["x-ratelimit-remaining-tokens"]) == 10000 - 51 - 40 - 2
    # 12 and 3 tokens of each transcript cost 0.036.
    for _ in range(3):
        assert transcribe(http, model="m").headers["x-relay-cost"] == "0.036"
    assert ASKS["speech"](http, model="m").status_code == 200
    server.says("at/counted", {"json": {"text": "x", "usage": fake.TRANSCRIPT["usage"] | {"input_tokens": 3000, "output_tokens": 0}}})
    assert transcribe(http, model="m").headers["x-relay-cost"] == "6"
    refused = transcribe(http, model="m")
    assert refused.status_code == 429 and refused.json()["error"]["code"] == "insufficient_quota"


@pytest.mark.parametrize("is_form", [True, False])
def test_the_prompt_of_an_edit_counts_if_the_server_reports_no_usage(start_relay, server, caller, is_form):
    relay = start_relay(
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_MODELS="m=at/edited",
        PROVIDER_ROW_COST="2/4", KEY_A_TOKEN="token-of-edited-images", RATE_LIMIT_IMAGES="10000 tokens/hour;5 usd/hour",
    )  # fmt: skip
    http = caller(relay, "token-of-edited-images")
    server.says("at/edited", {"json": {"created": 1, "data": [{"b64_json": "AAAA"}]}})
    fields = {"model": "m", "prompt": "word " * 20}
    if is_form:
        answer = http.post("/v1/images/edits", data=fields, files={"image": ("a.png", PNG)})
    else:
        answer = http.post("/v1/images/edits", json=fields | {"images": [{"image_url": "data:image/png;base64,AAAA"}]})
    # The cost of the image is not known: what was reserved for it counts, 1,000 tokens beside the prompt.
    assert answer.status_code == 200 and "x-relay-cost" not in answer.headers
    used = [limit["used"] for limit in http.get("/v1/usage").json()["limits"] if limit["name"] == "images"]
    assert [float(number) for number in used] == [25, 4.05]


def test_calls_of_one_user_keep_to_one_provider(two, server):
    http = two(AFFINITY="prompt_cache_key,user,prefix")
    server.says("at/first", {"extra": True})
    server.says("at/other", {"extra": True})
    ways = {
        "embeddings": lambda user: embed(http, model="m", user=user),
        "by a cache key": lambda user: embed(http, model="m", prompt_cache_key=user, user="same"),
        "images": lambda user: generate(http, model="m", user=user),
        "forms": lambda user: http.post(
            "/v1/images/edits", data={"model": "m", "prompt": "x", "user": user}, files={"image": ("a.png", PNG)}
        ),
    }
    chosen = {}
    for way, ask in ways.items():
        for user in ("a", "b", "c", "d", "e", "f"):
            took = {ask(user).headers["x-relay-provider"] for _ in range(3)}
            assert len(took) == 1, way
            assert chosen.setdefault(user, took) == took, way
    assert {name for took in chosen.values() for name in took} == {"first", "other"}
    # Without such a value they take turns.
    assert {embed(http, model="m").headers["x-relay-provider"] for _ in range(2)} == {"first", "other"}
