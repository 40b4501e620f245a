"""Speech from text."""

import base64
import json
import socket

import openai
import pytest
from onemin_rules import CATALOGUE
from pictures import AUDIO_STARTS, audio
from refusals import refusal

PATH = "/v1/audio/speech"
FEATURES = "/api/features"
MODELS = [model for model, said in CATALOGUE.items() if "text_to_speech" in said["features"]]
TYPES = {"mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav", "pcm": "audio/pcm"}
UPSTREAM = (502, "upstream_error", None)


def speak(http, **fields):
    return http.post(PATH, json={"model": "tts-1", "input": "Hello there", "voice": "alloy"} | fields)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("is_binary", [False, True], ids=["record", "binary"])
def test_every_model_speaks(client, vendor, api_key, model, is_binary):
    vendor.answers(api_key, {"binary": is_binary})
    spoken = client.audio.speech.create(model=model, voice="alloy", input="Hello")
    number = vendor.requests(api_key, FEATURES)[0]["number"]
    assert spoken.content == audio(f"{number} 0")
    assert spoken.response.headers["content-type"] == "audio/mpeg"
    call = vendor.feature(api_key)
    assert (call["type"], call["model"]) == ("TEXT_TO_SPEECH", model)
    settings = {"response_format": "mp3"} if model.startswith("tts-1") else {}
    assert call["promptObject"] == {"text": "Hello", "voice": "alloy"} | settings


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("is_binary", [False, True], ids=["record", "binary"])
def test_formats(http, vendor, api_key, kind, is_binary):
    vendor.answers(api_key, {"binary": is_binary})
    answer = speak(http, response_format=kind, speed=1.5)
    assert answer.status_code == 200 and answer.headers["content-type"] == TYPES[kind]
    assert answer.content.startswith(AUDIO_STARTS[kind]) and len(answer.content) == 30_000
    assert vendor.feature(api_key)["promptObject"]["response_format"] == kind
    assert vendor.feature(api_key)["promptObject"]["speed"] == 1.5


@pytest.mark.parametrize("made", [kind for kind in TYPES if kind != "pcm"])
@pytest.mark.parametrize("model", ["qwen3-tts-flash", "tts-1"])
def test_the_type_is_what_was_made(http, vendor, api_key, model, made):
    vendor.answers(api_key, {"made_as": made, "kind": "audio/mpeg"})
    assert speak(http, model=model).headers["content-type"] == TYPES[made]


@pytest.mark.parametrize(
    "scenario",
    [{"absolute": True}, {"bare": True}, {"signed": False}, {"unsigned_status": 403}, {"small": True},
     {"record": {"status": "COMPLETED"}}, {"binary": True, "split": "bytes", "content64": "SUQzBAAAAAAAAAAA"},
     {"binary": True, "framing": "chunked", "kind": "application/octet-stream"},
     {"binary": True, "framing": "close", "kind": "audio/mpeg"}],
    ids=str,
)  # fmt: skip
def test_wherever_the_audio_is(http, vendor, api_key, scenario):
    vendor.answers(api_key, scenario)
    answer = speak(http)
    assert answer.status_code == 200 and answer.content.startswith(b"ID3")
    assert answer.headers["content-type"] == "audio/mpeg"


def test_a_large_one_is_whole(http, vendor, api_key):
    data = audio("large", size=6_000_000)
    vendor.answers(api_key, {"content64": base64.b64encode(data).decode()})
    assert speak(http).content == data


def test_a_reader_that_is_slow_gets_all(relay, vendor, api_key):
    data = audio("slow", size=8_000_000)
    vendor.answers(api_key, {"content64": base64.b64encode(data).decode(), "binary": True})
    with connection(relay, api_key) as peer:
        vendor.wait(api_key, "first_byte")
        got = b""
        while piece := peer.recv(65536):
            got += piece
            if got.endswith(b"0\r\n\r\n"):
                break
    assert got.count(data[100:132]) >= 1 and len(got) > len(data)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input": None}, (400, "missing_required_parameter", "input")), ({"model": "gpt-4o"}, (404, "model_not_found", "model")),
        ({"model": "google-tts", "response_format": "wav"}, (400, "unsupported_value", "response_format")),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_fields_that_are_wrong(http, vendor, api_key, fields, expected):
    assert refusal(speak(http, **fields)) == expected
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize(
    "fields",
    [{"input": "é" * 4096}, {"instructions": "softly"}, {"stream_format": "audio"}, {"speed": 1}, {"odd": 1},
     {"voice": {"id": "echo"}}, {"model": "elevenlabs-tts", "voice": "Rachel", "speed": 1, "response_format": "mp3"}],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_fields_that_are_right(http, fields):
    assert speak(http, **fields).status_code == 200


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"status": 401, "json": {"message": "API Key has been deleted"}}, (401, "invalid_api_key", None)),
        ({"status": 406, "json": {"errorCode": "INSUFFICIENT_CREDITS"}}, (402, "insufficient_quota", None)),
        ({"status": 400, "json": {"message": "text is too odd"}}, (400, None, None)),
        ({"status": 500, "text": "<html>"}, UPSTREAM), ({"status": 503, "text": ""}, (503, "upstream_error", None)),
        ({"record": {"status": "FAILED"}}, UPSTREAM), ({"results": 0}, UPSTREAM), ({"json": {}}, UPSTREAM),
        ({"text": "<html>no audio</html>"}, UPSTREAM), ({"text": ""}, UPSTREAM), ({"cut_at": -1}, UPSTREAM),
        ({"cut_at": 20}, UPSTREAM), ({"content64": ""}, UPSTREAM), ({"content64": "", "binary": True}, UPSTREAM),
        ({"content64": base64.b64encode(b'{"error":"none"}').decode()}, UPSTREAM),
        ({"content64": base64.b64encode(b"<html>").decode(), "binary": True}, UPSTREAM),
        ({"content64": base64.b64encode(b'{"error":"x"}').decode(), "binary": True, "kind": "audio/pcm"}, UPSTREAM),
        ({"result_object": ["audios/nothing.mp3"], "signed": False}, UPSTREAM),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["mp3", "pcm"])
def test_failures(http, vendor, api_key, scenario, expected, kind):
    vendor.answers(api_key, scenario)
    assert refusal(speak(http, response_format=kind)) == expected


@pytest.mark.parametrize("asset", [{"status": 500, "text": ""}, {"cut_at": -1}, {"cut_at": 0}, {"text": "<html>"}])
def test_audio_that_cannot_be_read(http, vendor, api_key, asset):
    vendor.answers_all({api_key: [{}], f"asset:{api_key}": [asset]})
    assert refusal(speak(http)) == UPSTREAM


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("is_binary", [False, True])
def test_audio_that_is_cut_never_looks_whole(relay, vendor, api_key, how, is_binary):
    cut = {"cut_at": 20_000, "cut_how": how}
    vendor.answers_all({api_key: [{"binary": True} | cut if is_binary else {}], f"asset:{api_key}": [cut]})
    with connection(relay, api_key) as peer:
        got = b""
        try:
            while piece := peer.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
    assert got.startswith(b"HTTP/1.1 200") and b'"error"' not in got
    assert not got.endswith(b"0\r\n\r\n")


def test_the_official_client_sees_a_cut(client, vendor, api_key):
    vendor.answers_all({api_key: [{}], f"asset:{api_key}": [{"cut_at": 20_000}]})
    with pytest.raises(Exception, match=r".*") as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input="Hello")
    assert not isinstance(caught.value, AssertionError)


def connection(relay, key):
    """A connection on which a request was just sent."""
    content = json.dumps({"model": "tts-1", "input": "Hello", "voice": "alloy"}).encode()
    peer = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
    head = f"POST {PATH} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {key}\r\n"
    peer.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    return peer


@pytest.mark.parametrize("stall_at", [-1, 4, 20_000])
@pytest.mark.parametrize("where", ["binary", "record", "download"])
def test_a_client_that_leaves(relay, vendor, api_key, where, stall_at):
    stalled = {"stall_at": min(stall_at, 100) if where == "record" else stall_at}
    own = {"binary": where == "binary"} | (stalled if where != "download" else {})
    vendor.answers_all({api_key: [own], f"asset:{api_key}": [stalled]})
    with connection(relay, api_key):
        vendor.wait(api_key, "stalled")
    vendor.wait(api_key, "client_closed")


def test_permits_and_limits(start_relay, new_key, caller):
    only = {"SUBSET_OF_ONE_MIN_PERMITTED_MODELS": "gpt-4o,tts-1", "PERMIT_MODELS_FROM_SUBSET_ONLY": "true"}
    http = caller(start_relay(**only, RATE_LIMIT=None, RATE_LIMIT_AUDIO="1/minute"), new_key())
    assert refusal(speak(http, model="tts-1-hd")) == (404, "model_not_found", "model")
    assert [speak(http).status_code for _ in range(2)] == [200, 429]
    assert http.post("/v1/images/generations", json={"prompt": "a"}).status_code == 404


def test_the_official_client_streams(client, vendor, api_key):
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="echo", input="Hello") as spoken:
        assert b"".join(spoken.iter_bytes()) == vendor.results(api_key)[0]
    with pytest.raises(openai.NotFoundError):
        client.audio.speech.create(model="nothing", voice="echo", input="Hello")
