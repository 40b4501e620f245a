"""Recordings that are transcribed, and translated."""

import hashlib
import json
import socket

import openai
import pytest
from onemin_media import SEGMENT, WORDS
from onemin_rules import CATALOGUE
from pictures import RECORDINGS, STARTS, audio
from refusals import refusal
from relay_process import provider

PATH = "/v1/audio/transcriptions"
TRANSLATE = "/v1/audio/translations"
FEATURES = "/api/features"
ASSETS = "/api/assets"
MODELS = [model for model, said in CATALOGUE.items() if "speech_to_text" in said["features"]]
TRANSLATORS = [model for model, said in CATALOGUE.items() if "audio_translation" in said["features"]]
GOOGLE = [model for model in MODELS if CATALOGUE[model]["provider"] == "google"]
OPENAI = ["gpt-4o-transcribe", "gpt-4o-transcribe-diarize"]
SPEECH = audio("mine")
FILE = ("speech.mp3", SPEECH, "audio/mpeg")
UPSTREAM = (502, "upstream_error", None)
TYPES = {
    "mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "opus": "audio/ogg",
    "webm": "audio/webm", "m4a": "audio/mp4", "mp4": "video/mp4",
}  # fmt: skip


def send(http, path=PATH, file=FILE, **fields):
    data = {name.replace("_list", "[]"): value for name, value in ({"model": "whisper-1"} | fields).items() if value}
    return http.post(path, files={"file": file}, data=data)


def form(*parts):
    """Returns a body: parts are (name, text) or (name, bytes), which is a file."""
    out = b""
    for name, value in parts:
        is_file = isinstance(value, bytes)
        extra = b'; filename="a.mp3"' if is_file else b""
        out += b'--b\r\nContent-Disposition: form-data; name="' + name.encode() + b'"' + extra + b"\r\n\r\n"
        out += (value if is_file else value.encode()) + b"\r\n"
    return out + b"--b--\r\n"


def post(http, *parts, path=PATH, **headers):
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    return http.post(path, content=form(*parts), headers=kind | headers)


def sent(vendor, key, data=SPEECH):
    """Returns the body of the only call, without its file, which must be the uploaded one."""
    (upload,) = vendor.uploads(key)
    call = vendor.feature(key)
    assert call["promptObject"].pop("audioUrl") == upload["path"]
    assert upload["sha256"] == hashlib.sha256(data).hexdigest()
    return call


@pytest.mark.parametrize("model", MODELS)
def test_every_model_writes_down(client, vendor, api_key, model):
    said = client.audio.transcriptions.create(model=model, file=FILE)
    assert said.text == WORDS
    settings = {"language": "en-US"} if model in GOOGLE else {}
    settings |= {"response_format": "text"} if model == "whisper-1" else {}
    settings |= {"response_format": "json"} if model in OPENAI else {}
    assert sent(vendor, api_key) == {"type": "SPEECH_TO_TEXT", "model": model, "promptObject": settings}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"])
def test_formats_of_every_model(http, vendor, api_key, model, kind):
    answer = send(http, model=model, response_format=kind)
    if kind in ("json", "text") or (model == "whisper-1" and kind != "diarized_json"):
        assert answer.status_code == 200 and WORDS in answer.text
    else:
        assert refusal(answer) == (400, "unsupported_value", "response_format")
        assert vendor.requests(api_key) == []


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("given", ["prompt", "temperature", "language"])
def test_what_models_take_besides(http, vendor, api_key, model, given):
    fields = {"prompt": "names", "temperature": "0.5", "language": "de"}
    answer = send(http, model=model, **{given: fields[given]})
    takes = model in ["whisper-1", *OPENAI]
    if not takes and given != "language":
        assert refusal(answer) == (400, "unsupported_parameter", given) and vendor.requests(api_key) == []
    else:
        expected = {"prompt": "names", "temperature": 0.5, "language": "de-DE" if model in GOOGLE else "de"}
        assert answer.status_code == 200
        assert sent(vendor, api_key)["promptObject"][given] == expected[given]


@pytest.mark.parametrize(
    ("model", "given", "expected"),
    [
        ("latest_long", "en", "en-US"), ("latest_long", "en-GB", "en-GB"), ("latest_long", "EN", "en-US"),
        ("telephony", "zh", "cmn-Hans-CN"), ("phone_call", "pt", "pt-BR"), ("whisper-1", "en-US", "en"),
        ("qwen3-asr-flash", "FR", "fr"), ("latest_long", "cmn-Hans-CN", "cmn-Hans-CN"),
    ],
)  # fmt: skip
def test_languages(http, vendor, api_key, model, given, expected):
    assert send(http, model=model, language=given).status_code == 200
    assert sent(vendor, api_key)["promptObject"]["language"] == expected


@pytest.mark.parametrize(
    ("model", "given"),
    [("latest_long", "xx"), ("whisper-1", "yue"), ("whisper-1", "English"), ("whisper-1", "e"),
     ("whisper-1", "en_US"), ("latest_long", "en-"), ("whisper-1", "é")],
)  # fmt: skip
def test_languages_that_are_none(http, vendor, api_key, model, given):
    assert refusal(send(http, model=model, language=given)) == (400, "invalid_value", "language")
    assert vendor.requests(api_key) == []


def test_a_temperature_of_zero_is_as_usual(http, vendor, api_key):
    assert send(http, model="latest_long", temperature="0").status_code == 200
    assert sent(vendor, api_key)["promptObject"] == {"language": "en-US"}


def test_verbose(client):
    said = client.audio.transcriptions.create(
        model="whisper-1", file=FILE, response_format="verbose_json", timestamp_granularities=["segment"]
    )
    assert (said.language, said.duration, said.text) == ("english", 2.5, WORDS)
    assert said.segments[0].model_dump() == SEGMENT and said.usage.seconds == 2.5
    assert not hasattr(said, "odd")


@pytest.mark.parametrize(("kind", "media", "start"), [
    ("text", "text/plain; charset=utf-8", WORDS), ("srt", "text/plain; charset=utf-8", "1\n00:00:00,000 --> 00:00:02"),
    ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> 00:00:02"),
])  # fmt: skip
def test_texts(http, kind, media, start):
    answer = send(http, response_format=kind)
    assert answer.headers["content-type"] == media and answer.text.startswith(start)


@pytest.mark.parametrize(
    "scenario",
    [
        {"result_object": WORDS}, {"result_object": [json.dumps({"text": WORDS})]}, {"result_object": [{"text": WORDS}]}, {"small": True},
        {"result_object": [], "record": {"aiRecordDetail": {"responseObject": {"text": WORDS}}}},
        {"record": {"status": "COMPLETED"}}, {"metadata": None}, {"ascii": True}, {"framing": "chunked"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("model", ["whisper-1", "latest_long"])
def test_wherever_the_text_is(http, vendor, api_key, scenario, model):
    vendor.answers(api_key, scenario)
    assert send(http, model=model).json()["text"] == WORDS


@pytest.mark.parametrize(
    ("text", "expected"), [("{not JSON", "{not JSON"), ('{"a":1}', '{"a":1}'), ("", ""), (' "quoted"\n', ' "quoted"\n')]
)
def test_texts_that_are_odd(http, vendor, api_key, text, expected):
    vendor.answers(api_key, {"result_object": [text]})
    assert send(http).json()["text"] == expected
    assert send(http, response_format="text").text == expected


VERBOSE = {"text": WORDS, "language": "english", "duration": "2.5"}


@pytest.mark.parametrize(
    "scenario",
    [{"result_object": [json.dumps(VERBOSE)]}, {"result_object": [VERBOSE]},
     {"result_object": [WORDS], "record": {"aiRecordDetail": {"responseObject": VERBOSE}}},
     {"result_object": [VERBOSE | {"segments": [{"id": 0, "text": "odd"}]}]}, {"result_object": [VERBOSE | {"segments": 5}]}],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_details_that_are_not_whole_are_left_out(http, vendor, api_key, scenario):
    vendor.answers(api_key, scenario)
    said = send(http, response_format="verbose_json").json()
    assert (said["language"], said["duration"], said["text"]) == ("english", 2.5, WORDS) and "segments" not in said


@pytest.mark.parametrize("kind", ["srt", "vtt", "verbose_json"])
@pytest.mark.parametrize("path", [PATH, TRANSLATE])
def test_times_are_never_made_up(http, vendor, api_key, kind, path):
    vendor.answers(api_key, {"result_object": [WORDS]})
    assert refusal(send(http, path, response_format=kind)) == (400, "unsupported_value", "response_format")


def test_usage(http, vendor, api_key):
    vendor.answers(api_key, {"metadata": {"inputToken": 30, "outputToken": 4, "credit": 3}}, {"metadata": {}})
    usage = {"type": "tokens", "input_tokens": 30, "output_tokens": 4, "total_tokens": 34}
    assert send(http, model="gpt-4o-transcribe").json()["usage"] == usage
    assert "usage" not in send(http, model="gpt-4o-transcribe").json()


def test_it_translates(client, vendor, api_key):
    said = client.audio.translations.create(model="whisper-1", file=FILE, prompt="names", temperature=0.25)
    assert said.text == WORDS
    assert sent(vendor, api_key) == {
        "type": "AUDIO_TRANSLATOR", "model": "whisper-1", "conversationId": "AUDIO_TRANSLATOR",
        "promptObject": {"response_format": "text", "prompt": "names", "temperature": 0.25},
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["json", "text", "srt", "vtt", "verbose_json"])
def test_formats_of_translations(http, kind):
    answer = send(http, TRANSLATE, response_format=kind)
    assert answer.status_code == 200 and WORDS in answer.text


@pytest.mark.parametrize("model", [model for model in [*TRANSLATORS, *MODELS, "gpt-4o", "nothing"] if model != "whisper-1"])
def test_only_one_model_translates(http, vendor, api_key, model):
    refused = send(http, TRANSLATE, model=model)
    assert refusal(refused) == (404, "model_not_found", "model")
    is_known = model in MODELS or "chat" in CATALOGUE.get(model, {"features": []})["features"]
    assert ("cannot translate recordings" in refused.text and "Models that can: `whisper-1`." in refused.text) == is_known
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize("kind", RECORDINGS)
@pytest.mark.parametrize("name", ["speech.exe", None])
def test_recordings_are_what_they_are(http, vendor, api_key, kind, name):
    data = audio("mine", kind)
    assert send(http, file=(name, data, "application/octet-stream")).status_code == 200
    (upload,) = vendor.uploads(api_key)
    assert upload["type"] == TYPES[kind] and upload["name"] == "audio." + ("ogg" if kind == "opus" else kind)
    assert upload["sha256"] == hashlib.sha256(data).hexdigest() and TYPES[kind] in STARTS


@pytest.mark.parametrize("size", [26_214_401, 28 << 20])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_recording_that_is_too_large(http, vendor, api_key, size, is_first):
    parts = [("file", audio("large", size=size)), ("model", "whisper-1")]
    answer = post(http, *(parts if is_first else parts[::-1]))
    assert refusal(answer) == (413, "request_too_large", None)
    assert vendor.requests(api_key, FEATURES) == [] and vendor.uploads(api_key) == []


@pytest.mark.parametrize(
    "data", [b"text that is called audio", b"<html>", b"\x89PNG\r\n\x1a\n" + bytes(99), bytes(9_000), b"x", b"%PDF-1.4"]
)  # fmt: skip
@pytest.mark.parametrize("is_first", [True, False])
def test_no_audio(http, vendor, api_key, data, is_first):
    parts = [("file", data), ("model", "whisper-1")]
    assert refusal(post(http, *(parts if is_first else parts[::-1]))) == (400, "invalid_value", "file")
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize("names", [["model", "file", "language"], ["file", "model", "language"], ["language", "file", "model"]])
def test_any_order(http, vendor, api_key, names):
    values = {"model": "whisper-1", "file": SPEECH, "language": "fr"}
    assert post(http, *((name, values[name]) for name in names)).json()["text"] == WORDS
    assert sent(vendor, api_key)["promptObject"] == {"response_format": "text", "language": "fr"}


GRANULARITIES = [("timestamp_granularities[]", "segment"), ("file", SPEECH), ("response_format", "verbose_json")]


@pytest.mark.parametrize("order", [1, -1])
def test_fields_that_belong_together_may_stand_apart(http, order):
    assert post(http, ("model", "whisper-1"), *GRANULARITIES[::order]).json()["duration"] == 2.5


WRONG = [
    ({"model": ""}, (400, "missing_required_parameter", "model")),
    ({"model": "nothing"}, (404, "model_not_found", "model")), ({"model": "gpt-4o"}, (404, "model_not_found", "model")),
    ({"model": "tts-1"}, (404, "model_not_found", "model")),
    ({"temperature": "1.1"}, (400, "decimal_above_max_value", "temperature")),
    ({"temperature": "-1"}, (400, "decimal_below_min_value", "temperature")),
    ({"temperature": "warm"}, (400, "invalid_type", "temperature")),
    ({"temperature": "nan"}, (400, "invalid_type", "temperature")),
    ({"response_format": "midi"}, (400, "invalid_value", "response_format")),
    ({"timestamp_granularities[]": "segment"}, (400, "invalid_value", "timestamp_granularities")),
    ({"timestamp_granularities[]": "letter"}, (400, "invalid_value", "timestamp_granularities")),
    ({"timestamp_granularities[]": "word", "response_format": "verbose_json"}, (400, "unsupported_value", "timestamp_granularities")),
    ({"stream": "perhaps"}, (400, "invalid_type", "stream")),
    ({"stream": "true", "model": "gpt-4o-transcribe"}, (400, "unsupported_parameter", "stream")),
    ({"stream": "true", "model": "latest_long"}, (400, "unsupported_parameter", "stream")),
    ({"include[]": "logprobs"}, (400, "unsupported_parameter", "include")),
    ({"chunking_strategy": '{"type":"server_vad"}'}, (400, "unsupported_value", "chunking_strategy")),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), WRONG, ids=str)
@pytest.mark.parametrize("is_first", [True, False], ids=["file first", "file last"])
def test_fields_that_are_wrong(http, vendor, api_key, fields, expected, is_first):
    """A wrong field before the file prevents the upload if it can be checked alone; otherwise the upload is never
    finished."""
    plain = [(name, value) for name, value in ({"model": "whisper-1"} | fields).items()]
    answer = post(http, *([("file", SPEECH), *plain] if is_first else [*plain, ("file", SPEECH)]))
    assert refusal(answer) == expected and vendor.requests(api_key, FEATURES) == [] == vendor.uploads(api_key)
    hangs_together = fields == {"timestamp_granularities[]": "segment"} or fields == {"model": ""}
    assert is_first or hangs_together or vendor.requests(api_key) == []


@pytest.mark.parametrize(
    "fields",
    [{"stream": "true"}, {"stream": "false", "model": "latest_long"}, {"user": "me"}, {"odd": "1"},
     {"chunking_strategy": "auto"}, {"language": ""}, {"prompt": ""}, {"temperature": "1e0"}],
    ids=str,
)  # fmt: skip
def test_fields_that_are_right(http, fields):
    assert post(http, *({"model": "whisper-1"} | fields).items(), ("file", SPEECH)).status_code == 200


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([("model", "whisper-1")], (400, "missing_required_parameter", "file")),
        ([("model", "whisper-1"), ("other", SPEECH)], (400, "unsupported_parameter", "other")),
        ([], (400, "missing_required_parameter", "file")), ([("file", SPEECH)], (400, "missing_required_parameter", "model")),
        ([("model", "whisper-1"), ("file", b"")], (400, "invalid_value", "file")),
        ([("file", b""), ("model", "whisper-1")], (400, "invalid_value", "file")),
        ([("model", "whisper-1"), ("file", SPEECH), ("file", SPEECH)], (400, "invalid_value", "file")),
        ([("model", "whisper-1"), *[("x", "y")] * 1_000, ("file", SPEECH)], (400, None, None)),
        ([("model", "whisper-1"), ("file", SPEECH), *[("x", "y")] * 1_000], (400, None, None)),
        ([("model", "whisper-1"), ("prompt", "a" * 1_100_000), ("file", SPEECH)], (413, "request_too_large", None)),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_forms_that_are_wrong(http, vendor, api_key, parts, expected):
    assert refusal(post(http, *parts)) == expected and vendor.requests(api_key, FEATURES) == []
    assert vendor.uploads(api_key) == []


def test_an_early_refusal_of_a_large_body_is_read(client, vendor, api_key):
    with pytest.raises(openai.NotFoundError) as caught:
        client.audio.transcriptions.create(model="nothing", file=("a.mp3", audio("x", size=20_000_000)))
    assert caught.value.code == "model_not_found" and vendor.requests(api_key) == []


@pytest.mark.parametrize(
    ("upload", "expected"),
    [
        ({"status": 401, "json": {"message": "API Key has been deleted"}}, (401, "invalid_api_key", None)),
        ({"status": 400, "json": {"errorCode": "UNSUPPORTED_FILE_TYPE", "message": "odd"}}, (400, None, None)),
        ({"status": 413, "answer_at": 0}, (400, None, None)), ({"status": 500, "answer_at": 0}, UPSTREAM),
        ({"cut_at": 20, "cut_how": "rst"}, UPSTREAM),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("is_first", [True, False], ids=["file first", "file last"])
def test_uploads_that_fail(http, vendor, api_key, upload, expected, is_first):
    vendor.answers(f"upload:{api_key}", upload)
    parts = [("file", audio("large", size=2_000_000)), ("model", "whisper-1")]
    assert refusal(post(http, *(parts if is_first else parts[::-1]))) == expected
    assert vendor.requests(api_key, FEATURES) == []


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"status": 401, "text": ""}, (401, "invalid_api_key", None)),
        ({"status": 406, "json": {"errorCode": "INSUFFICIENT_CREDITS"}}, (402, "insufficient_quota", None)),
        ({"status": 400, "json": {"message": "Cannot read https://s3.example/private/x.mp3"}}, (400, None, None)),
        ({"status": 400, "json": {"message": "Invalid model whisper-1 for AI feature"}}, (404, "model_not_found", "model")),
        ({"result_object": []}, UPSTREAM), ({"json": {"success": False}}, UPSTREAM),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
@pytest.mark.parametrize("path", [PATH, TRANSLATE])
def test_failures(http, vendor, api_key, path, scenario, expected):
    vendor.answers(api_key, scenario)
    answer = send(http, path)
    assert refusal(answer) == expected and "s3.example" not in answer.text


def test_a_transient_failure_is_tried_again_without_a_second_upload(http, vendor, api_key):
    busy = {"status": 400, "json": {"errorCode": "OPEN_AI_UNEXPECTED_ERROR", "message": "busy"}}
    vendor.answers(api_key, busy, {})
    answer = send(http)
    assert answer.status_code == 200 and answer.headers["x-relay-attempts"] == "1"
    assert len(vendor.requests(api_key, ASSETS)) == 1


def test_a_vendor_that_takes_too_long(start_relay, vendor, new_key, caller):
    settings = {"PROVIDER_SLOW_KIND": "onemin", "PROVIDER_SLOW_PASSTHROUGH": "true", "PROVIDER_SLOW_TIMEOUT": "200ms"}
    slow, key = start_relay(**settings), new_key()
    vendor.answers_all({key: [{"stall_at": -1}], f"upload:{key}": [{}, {"stall_at": -1}]})
    assert refusal(send(caller(slow, key))) == (504, "upstream_timeout", None)
    vendor.wait(key, "client_closed")
    assert refusal(send(caller(slow, key))) == (504, "upstream_timeout", None)
    vendor.wait(key, "client_closed", 2)


def connection(relay, key, body, *, length=None):
    """Returns a connection on which a head and a part of a form were just sent."""
    peer = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
    head = f"POST {PATH} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length or len(body)}\r\n\r\n"
    peer.sendall(head.encode() + body)
    return peer


FORMS = [
    form(("model", "whisper-1"), ("file", audio("large", size=200_000))),
    form(("file", audio("large", size=200_000)), ("model", "whisper-1")),
]


@pytest.mark.parametrize("whole", FORMS, ids=["file last", "file first"])
def test_it_is_handed_over_while_it_comes(relay, vendor, api_key, whole):
    with connection(relay, api_key, whole[:100_000], length=len(whole)) as peer:
        vendor.wait(api_key, "upload_began")
        assert vendor.requests(api_key) == []
        peer.sendall(whole[100_000:])
        assert peer.recv(12) == b"HTTP/1.1 200"
    (upload,) = vendor.uploads(api_key)
    assert upload["sha256"] == hashlib.sha256(audio("large", size=200_000)).hexdigest()


@pytest.mark.parametrize("where", ["upload", "call"])
def test_a_client_that_leaves(relay, vendor, api_key, where):
    vendor.answers_all({api_key: [{}]} | {{"call": api_key, "upload": f"upload:{api_key}"}[where]: [{"stall_at": 10}]})
    with connection(relay, api_key, FORMS[0]):
        vendor.wait(api_key, "stalled")
    vendor.wait(api_key, "client_closed")


@pytest.mark.parametrize("is_first", [True, False])
def test_permits_and_limits(start_relay, vendor, new_key, caller, is_first):
    only = {"SUBSET_OF_ONE_MIN_PERMITTED_MODELS": "gpt-4o,whisper-1", "PERMIT_MODELS_FROM_SUBSET_ONLY": "true"}
    key = new_key()
    http = caller(start_relay(**only, RATE_LIMIT=None, RATE_LIMIT_AUDIO="2/minute"), key)

    def ask(model):
        parts = [("file", SPEECH), ("model", model)]
        return post(http, *(parts if is_first else parts[::-1]))

    assert refusal(ask("latest_long")) == (404, "model_not_found", "model")
    answers = [ask("whisper-1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == ([200, 429, 429] if is_first else [200, 200, 429])
    assert len(vendor.uploads(key)) == (1 if is_first else 2), "who is refused uploads nothing"
    assert "x-ratelimit-limit-requests" in answers[0].headers


def test_credits(start_relay, vendor, new_key, caller):
    """A call reserves 100 credits at first, and then what calls cost. A failure before the call is refunded."""
    key = new_key()
    http = caller(start_relay(RATE_LIMIT=None, RATE_LIMIT_AUDIO="200 credits/day"), key)
    vendor.answers_all({key: [{"metadata": {"credit": 90}}], f"upload:{key}": [{"status": 500}] * 3 + [{}]})
    assert [send(http).status_code for _ in range(5)] == [502, 502, 502, 200, 200]
    assert refusal(post(http, ("file", b"none"), ("model", "whisper-1")))[0] == 429
    assert refusal(post(http, ("file", SPEECH), ("model", "whisper-1"))) == (429, "insufficient_quota", None)
    assert len(vendor.requests(key, ASSETS)) == 5


@pytest.mark.parametrize("is_first", [True, False])
def test_tokens_and_prices(start_relay, vendor, new_key, caller, is_first):
    key, token = new_key(), "tok-" + new_key()
    relay = start_relay(
        PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEY=key, PROVIDER_A_MODELS="whisper-1,gpt-4o-transcribe",
        PROVIDER_A_COSTS="whisper-1=3/3,gpt-4o-transcribe=2/4", KEY_ANN_TOKEN=token, RATE_LIMIT_AUDIO="5 usd/hour;9999 tokens/day",
    )  # fmt: skip
    http = caller(relay, token)
    parts = [("model", "gpt-4o-transcribe"), ("file", SPEECH)]

    def ask_for(prompt, answer):
        vendor.answers(key, {"metadata": {"inputToken": prompt, "outputToken": answer}})
        return post(http, *(parts if is_first else parts[::-1]))

    for _ in range(2):
        answer = ask_for(12, 3)
        assert answer.status_code == 200 and answer.headers["x-relay-cost"] == "0.036", answer.text
    vendor.answers(key, {"metadata": {}})
    assert "x-relay-cost" not in post(http, *parts).headers
    assert ask_for(3000, 0).headers["x-relay-cost"] == "6"
    assert refusal(ask_for(1, 1)) == (429, "insufficient_quota", None)


def test_rights(start_relay, vendor, new_key, caller):
    own, token = new_key(), "tok-" + new_key()
    settings = {"PROVIDER_A_KIND": "onemin", "PROVIDER_A_API_KEYS": own, "KEY_ANN_TOKEN": token, "KEY_ANN_MODELS": "whisper*"}
    http = caller(start_relay(**settings), token)
    assert post(http, ("file", SPEECH), ("model", "whisper-1")).status_code == 200
    for parts in ([("file", SPEECH), ("model", "latest_long")], [("model", "latest_long"), ("file", SPEECH)]):
        assert refusal(post(http, *parts)) == (404, "model_not_found", "model")
    assert len(vendor.requests(own, FEATURES)) == 1


def test_the_file_and_the_call_have_the_same_key(start_relay, vendor, new_key, caller):
    """The fake refuses files that were uploaded with another key."""
    keys, token = [new_key(), new_key()], "tok-" + new_key()
    settings = {"PROVIDER_A_KIND": "onemin", "PROVIDER_A_API_KEYS": ",".join(keys), "KEY_ANN_TOKEN": token}
    http = caller(start_relay(**settings, THREADS="1"), token)
    for parts in ([("file", SPEECH), ("model", "whisper-1")], [("model", "whisper-1"), ("file", SPEECH)]) * 2:
        assert post(http, *parts).status_code == 200
    assert [len(vendor.uploads(key)) for key in keys] == [2, 2]


def test_a_model_of_another_provider_must_stand_first(start_relay, vendor, new_key, caller):
    keys, token = [new_key(), new_key()], "tok-" + new_key()
    settings = {
        "PROVIDERS": "a,b", "KEY_ANN_TOKEN": token, **provider("A", "onemin", API_KEYS=keys[0], MODELS="whisper-1"),
        **provider("B", "onemin", API_KEYS=keys[1], MODELS="mine=latest_long"),
    }  # fmt: skip
    http = caller(start_relay(**settings), token)
    assert post(http, ("model", "mine"), ("file", SPEECH)).status_code == 200
    assert post(http, ("file", SPEECH), ("model", "whisper-1")).status_code == 200
    assert refusal(post(http, ("file", SPEECH), ("model", "mine"))) == (400, "invalid_value", "model")
    assert [len(vendor.requests(key, FEATURES)) for key in keys] == [1, 1]
