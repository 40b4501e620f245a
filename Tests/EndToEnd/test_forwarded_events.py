"""Event streams of OpenAI's other endpoints that are forwarded unchanged: their lines, and their end."""

import json
import re

import local_http
import openai_endpoints as fake
import pytest
from test_openai_endpoints import MODEL, generate, transcribe, two_providers

TOKEN = "token-of-forwarded-events"
EVENTS = {"type": "text/event-stream", "streams": True}
PICTURE = {"b64_json": fake.PICTURE}


def edit(http, model="fast", fields=None):
    parts = [("model", (None, model)), ("prompt", (None, "x")), ("stream", (None, "true")), ("image", ("a.png", b"\x89PNG", "image/png"))]
    parts += [(name, (None, value)) for name, value in (fields or {}).items()]
    return http.post("/v1/images/edits", files=parts)


def speak(http, model="fast"):
    return http.post("/v1/audio/speech", json={"model": model, "input": "x", "voice": "coral", "stream_format": "sse"})


STREAMS = {
    "generation": (lambda http: generate(http, stream=True), "image_generation.partial_image", "image_generation.completed"),
    "edit": (edit, "image_edit.partial_image", "image_edit.completed"),
    "speech": (speak, "speech.audio.delta", "speech.audio.done"),
    "transcript": (lambda http: transcribe(http, stream="true"), "transcript.text.delta", "transcript.text.done"),
}  # fmt: skip


@pytest.fixture
def plain(passing, team):
    """The same client without checks of the events' format."""
    with local_http.Client(base_url=team.base_url, headers=team.headers, timeout=30) as client:
        yield client


@pytest.mark.parametrize("pieces", [1, 100_000])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_without_its_last_event_is_cut(plain, passing, server, name, pieces):
    asked, kind, _ = STREAMS[name]
    first = fake.event({"type": kind, "delta": "x"})
    for more in ("", ": a comment\n\n", "data: [DONE]\n\n"):
        server.says(MODEL, EVENTS | {"raw": (first + more).encode(), "pieces": pieces})
        answer = asked(plain)
        assert answer.status_code == 200 and answer.text.startswith(first + more + 'data: {"error":')
        assert json.loads(answer.text.split("data: ")[-1])["error"]["code"] == "upstream_error"
        id = answer.headers["x-request-id"]
        line = passing.wait_for_line(lambda line, id=id: line.get("id") == id)
        place = re.escape(f"127.0.0.1:{server.base_url.split(':')[2]}/")
        assert line["status"] == 502 and re.fullmatch(f"[a-z]+: the vendor's stream was cut at {place}[a-z/]+", line["cause"])


@pytest.mark.parametrize("named", [False, True], ids=["in its data", "by its name"])
def test_a_failure_late_in_a_long_event_is_an_event_of_its_own(plain, server, named):
    long = json.dumps({"type": "image_generation.partial_image", "b64_json": "A" * 100_000})
    late = "\nevent: error" if named else ""
    data = long if named else long[:-1] + ',"error":{"message":"no"}}'
    server.says(MODEL, EVENTS | {"raw": f"data: {data}{late}\n\n".encode()})
    answer = generate(plain, stream=True)
    *_, last = answer.text.rstrip().split("\n\n")
    assert answer.status_code == 200 and json.loads(last.removeprefix("data: "))["error"]["code"] == "upstream_error"


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_with_its_last_event_is_whole(team, passing, server, name, end):
    asked, kind, last = STREAMS[name]
    usage = {"usage": {"input_tokens": 12, "output_tokens": 3}}
    raw = fake.event({"type": kind}) + fake.event({"type": last} | usage, is_named=True).rstrip() + end
    server.says(MODEL, EVENTS | {"raw": raw.encode()})
    answer = asked(team)
    assert answer.text == raw.rstrip() + "\n\n"
    line = passing.wait_for_line(lambda line: line.get("id") == answer.headers["x-request-id"])
    assert (line["status"], line["prompt_tokens"], line["completion_tokens"]) == (200, 12, 3)


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("length", [10, 200_000])
def test_an_event_that_breaks_off(plain, server, length, cut):
    first = fake.event({"type": "image_generation.partial_image"})
    broken = 'data: {"b64_json":"' + "A" * length
    server.says(MODEL, EVENTS | {"raw": (first + broken).encode(), "cut": cut, "pieces": 10_000})
    answer = generate(plain, stream=True)
    *events, error, rest = answer.text.split("\n\n")
    assert rest == "" and error.startswith('data: {"error":') and events[0] + "\n\n" == first
    assert len(events) == (2 if length > 100_000 else 1) and broken.startswith(events[-1]) or length < 100


NOTHING = {"total_tokens": 0, "input_tokens": 0, "output_tokens": 0, "input_tokens_details": {"text_tokens": 0, "image_tokens": 0}}
ASKED = {"size": "1024x1536", "quality": "low", "background": "opaque", "output_format": "jpeg"}
DEFAULTS = {"size": "auto", "quality": "auto", "background": "auto", "output_format": "png"}


@pytest.mark.parametrize("name, kind", [("generation", "image_generation.completed"), ("edit", "image_edit.completed")])
def test_a_server_that_does_not_stream_images(team, passing, server, name, kind):
    def events(told, **fields):
        server.says(MODEL, {"raw": json.dumps(told, indent=1).encode(), "type": "application/json", "extra": True})
        answer = generate(team, stream=True, **fields) if name == "generation" else edit(team, fields=fields)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        *read, rest = answer.text.split("\n\n")
        assert rest == "" and all(event.startswith(f"event: {kind}\ndata: ") for event in read)
        line = passing.wait_for_line(lambda line: line.get("id") == answer.headers["x-request-id"])
        assert (line["status"], line["stream"]) == (200, True)
        return [json.loads(event.split("\ndata: ")[1]) for event in read], line

    usage = fake.IMAGES["usage"]
    (event,), line = events(fake.IMAGES | ASKED)
    assert event == {"type": kind, "created_at": 1700000000, "usage": usage} | PICTURE | ASKED
    assert (line["prompt_tokens"], line["completion_tokens"]) == (11, 40)
    both, _ = events(fake.IMAGES | {"size": None, "data": [PICTURE, {"url": "http://x/1", "revised_prompt": "A"}]}, **ASKED)
    common = {"type": kind, "created_at": 1700000000} | ASKED
    assert both == [common | PICTURE | {"usage": NOTHING}, common | {"url": "http://x/1", "revised_prompt": "A", "usage": usage}]
    (event,), _ = events({"data": [PICTURE]}, size="x" * 65)
    assert event.pop("created_at") > 1700000000 and event == {"type": kind, "usage": NOTHING} | PICTURE | DEFAULTS
    (event,), _ = events({"data": [{"b64_json": "A" * 1_000_000}]})
    assert event["b64_json"] == "A" * 1_000_000


def test_an_image_that_is_not_requested_as_events_is_json(team, server):
    server.says(MODEL, {"json": fake.IMAGES})
    assert generate(team, stream=False).json() == fake.IMAGES


@pytest.mark.parametrize("event", [{"b64_json": "AA"}, {"type": "a"}, {"type": None}, {"object": "transcription.chunk"}])
def test_nobody_knows_the_end_of_events_without_a_type(plain, server, event):
    raw = f"data: {json.dumps(event)}\n\n"
    server.says(MODEL, EVENTS | {"raw": raw.encode()})
    assert generate(plain, stream=True).text == raw


LINES = [
    "\ufeffdata: ",
    json.dumps({"type": "image_generation.partial_image", "model": "x"} | PICTURE),
    "\n\nevent: image_generation.completed\nid: 1\n",
    'data: {"type":\ndata:"image_generation.completed",\ndata: "model":\ndata:  "x",\n: a comment\n',
    'data:"usage":{"input_tokens":12,\ndata: "output_tokens":3}}\n\n',
]  # fmt: skip


@pytest.mark.parametrize("pieces", [1, 2, 7, 100_000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_all_ends_of_lines_and_events_of_several(plain, passing, server, end, pieces):
    server.says(MODEL, EVENTS | {"raw": "".join(LINES).replace("\n", end).encode(), "pieces": pieces})
    answer = generate(plain, stream=True)
    assert "\r" not in answer.text and "\ufeff" not in answer.text
    read = []
    for event in answer.text.removesuffix("\n\n").split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in event.split("\n") if line.startswith("data:")]
        read.append(json.loads("\n".join(data)))
    assert read == [
        {"type": "image_generation.partial_image", "model": "fast"} | PICTURE,
        {"type": "image_generation.completed", "model": "fast", "usage": {"input_tokens": 12, "output_tokens": 3}},
    ]
    assert "event: image_generation.completed\nid: 1\n" in answer.text and ": a comment\n" in answer.text
    line = passing.wait_for_line(lambda line: line.get("id") == answer.headers["x-request-id"])
    assert (line["status"], line["prompt_tokens"], line["completion_tokens"]) == (200, 12, 3)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_failure_on_several_lines(start_relay, server, caller, end):
    relay = start_relay(**two_providers(server), KEY_A_TOKEN=TOKEN, PROVIDER_OTHER_PRIORITY=2, BREAKER_FAILURES=1000)
    http = caller(relay, TOKEN)
    failures = [
        'data: {"type":\ndata: "error","error":{"message":"no",\ndata:"code":"rate_limit_exceeded"}}\n\n',
        "event: error\ndata: no\ndata: more\n\n", 'data: {"error":\ndata: "no"}\n\n', 'error: {"code":429}\n\n',
    ]  # fmt: skip
    for told in failures:
        server.says("at/first", EVENTS | {"raw": told.replace("\n", end).encode()})
        answer = generate(http, model="m", stream=True)
        assert answer.headers["x-relay-provider"] == "other", told
    first = fake.event({"type": "image_generation.partial_image"})
    for told in failures:
        server.says("at/first", EVENTS | {"raw": (first + told).replace("\n", end).encode()})
        answer = generate(http, model="m", stream=True)
        assert answer.text.startswith(first + 'data: {"error":'), told


def test_lines_that_are_no_json_go_on(plain, server):
    raw = "data: a\ndata: b\n\ndata:\ndata: {\"model\":\"x\"}\n\ndata\n\ndata: {\"a\":1}\ndata: x\n\n"
    server.says(MODEL, EVENTS | {"raw": raw.encode(), "pieces": 3})
    assert generate(plain, stream=True).text == raw.replace('"x"', '"fast"')


MODERATED = {"message": "Your request was rejected by the safety system.", "type": "image_generation_user_error", "param": None, "code": "moderation_blocked"}


def test_a_refused_prompt_is_no_failure_of_the_provider(start_relay, server, caller):
    relay = start_relay(**two_providers(server), KEY_A_TOKEN=TOKEN, PROVIDER_OTHER_PRIORITY=2, BREAKER_FAILURES=1)
    http = caller(relay, TOKEN)
    first = fake.event({"type": "image_generation.partial_image"})
    refused = fake.event({"type": "error", "error": MODERATED}, is_named=True)
    for script in (
        {"status": 400, "json": {"error": MODERATED}}, {"json": {"error": MODERATED}}, EVENTS | {"raw": refused.encode()},
        EVENTS | {"raw": (first + refused).encode()},
    ):  # fmt: skip
        server.says("at/first", script)
        is_late = first.encode() in script.get("raw", b"")
        answer = generate(http, model="m", stream="streams" in script)
        assert answer.status_code == (200 if is_late else 400), answer.text
        error = json.loads(answer.text.split("data: ")[-1])["error"]
        assert (error["code"], error["message"]) == ("content_filter", MODERATED["message"])
        server.says("at/first", {})
        assert generate(http, model="m").headers["x-relay-provider"] == "first", script
