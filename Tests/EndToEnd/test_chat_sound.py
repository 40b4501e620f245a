"""Audio in chat requests: it is transcribed first, and the transcript replaces it at its position."""

import base64

import local_http
import parts
import pytest
from chat import CHAT_PATH, MODEL, PATH, ask, body, refusal, stream
from parts import text, user
from pictures import audio

FEATURES = "/api/features"
ASSETS = "/api/assets"
WAV = audio("mine", "wav")
MP3 = audio("mine", "mp3")
WHERE = "messages[0].content[1].input_audio.data"


def words(said, credits=7, **more):
    """Returns the vendor's response to a transcription call."""
    return {"answer": said, "metadata": {"credit": credits}} | more


@pytest.mark.parametrize(("data", "kind"), [(WAV, "wav"), (MP3, "mp3"), (MP3, "wav")])
def test_words_stand_where_the_sound_stood(client, vendor, api_key, is_streamed, data, kind):
    vendor.answers(api_key, words("I like cats, \u201creally\u201d."), {"answer": "good"})
    message = user(text("What is said?"), parts.sound(data, kind), text("Answer in English."))
    got = client.chat.completions.create(model=MODEL, messages=[message], stream=is_streamed)
    said = "".join(c.choices[0].delta.content or "" for c in got) if is_streamed else got.choices[0].message.content
    assert said == "good"
    call = parts.call(vendor, api_key)
    assert call["prompt"] == "What is said?\nI like cats, \u201creally\u201d.\nAnswer in English."
    assert "attachments" not in call
    (upload,) = vendor.uploads(api_key)
    assert base64.b64decode(upload["data64"]) == data
    (feature,) = vendor.requests(api_key, FEATURES)
    assert feature["body"] == {
        "type": "SPEECH_TO_TEXT", "model": "whisper-1",
        "promptObject": {"audioUrl": upload["path"], "response_format": "text"},
    }  # fmt: skip


@pytest.mark.parametrize(
    "scenario",
    [
        {"result_object": "spoken"},
        {"result_object": ['{"text": "spoken", "segments": []}']},
        {"result_object": [{"a": 1}, "spoken"]},
        {"json": {"aiRecord": {"aiRecordDetail": {"resultObject": None, "responseObject": {"text": "spoken"}}}}},
    ],
)
def test_records_of_all_kinds(http, vendor, api_key, scenario):
    vendor.answers(api_key, scenario, {"answer": "good"})
    assert ask(http, messages=[user(parts.sound(WAV))]).status_code == 200
    assert parts.call(vendor, api_key)["prompt"] == "spoken"


def test_silence(http, vendor, api_key):
    vendor.answers(api_key, {"result_object": [""]}, {"answer": "good"})
    assert ask(http, messages=[user(text("What is said?"), parts.sound(WAV))]).status_code == 200
    assert parts.call(vendor, api_key)["prompt"] == "What is said?"


def test_words_for_a_model_without_vision(http, vendor, api_key):
    assert stream(http, model="o3-mini", messages=[user(parts.sound(WAV))]).is_done


def test_choices_share_words(http, vendor, api_key):
    sound = parts.sound(WAV)
    assert ask(http, messages=[user(sound, text("and"), sound)], n=3).status_code == 200
    assert len(vendor.requests(api_key, FEATURES)) == 1 == len(vendor.requests(api_key, ASSETS))
    assert len(vendor.requests(api_key, CHAT_PATH)) == 3
    lines = parts.call(vendor, api_key)["prompt"].split("\n")
    assert lines[1] == "and" and lines[0] == lines[2] != ""


@pytest.mark.parametrize(
    ("sound", "code", "param"),
    [
        ({"data": "AAAA", "format": "flac"}, "invalid_value", "format"),
        ({"data": base64.b64encode(audio("a", "flac")).decode(), "format": "wav"}, "invalid_value", "data"),
        (None, "missing_required_parameter", None),
    ],
)
def test_broken_sounds(http, vendor, api_key, sound, code, param):
    part = {"type": "input_audio"} | ({} if sound is None else {"input_audio": sound})
    status, error, _ = refusal(http, messages=[user(text("a"), part)])
    path = "messages[0].content[1].input_audio" + (f".{param}" if param else "")
    assert (status, error["code"], error["param"]) == (400, code, path)
    assert vendor.requests(api_key) == []


def test_too_many(http, vendor, api_key):
    status, error, _ = refusal(http, messages=[user(*[parts.sound(WAV)] * 6)])
    assert (status, error["code"], error["param"]) == (400, "too_many_parts", "messages")


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"status": 400, "json": {"message": "Audio at https://a.b/c could not be read"}}, (400, None, WHERE)),
        ({"status": 500, "json": {"message": "oh"}}, (502, "upstream_error", None)),
        ({"json": {"aiRecord": {"aiRecordDetail": {}}}}, (502, "upstream_error", None)),
        ({"json": {"aiRecord": {"status": "FAILED"}}}, (502, "upstream_error", None)),
        ({"text": "<html>"}, (502, "upstream_error", None)),
        ({"cut_at": 20}, (502, "upstream_error", None)),
    ],
)
def test_words_that_fail(http, vendor, api_key, scenario, expected):
    vendor.answers(api_key, scenario)
    status, error, _ = refusal(http, messages=[user(text("a"), parts.sound(WAV))])
    assert (status, error["code"], error["param"]) == expected
    assert "a.b" not in error["message"]
    assert vendor.requests(api_key, CHAT_PATH) == []


def test_who_may_use_no_model_that_hears(start_relay, vendor, new_key):
    relay = start_relay(
        PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEYS=(own := new_key()),
        KEY_ONE_TOKEN=(one := new_key()), KEY_ONE_MODELS=MODEL,
        KEY_TWO_TOKEN=(two := new_key()), KEY_TWO_MODELS=f"{MODEL},qwen3-asr-flash",
    )  # fmt: skip
    ask = {"url": relay.base_url + PATH, "json": body(messages=[user(text("a"), parts.sound(WAV))])}
    answer = local_http.post(**ask, headers={"Authorization": f"Bearer {one}"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_value", WHERE)
    assert vendor.requests(own) == []
    assert local_http.post(**ask, headers={"Authorization": f"Bearer {two}"}).status_code == 200
    (feature,) = vendor.requests(own, FEATURES)
    assert feature["body"]["model"] == "qwen3-asr-flash"
    assert feature["body"]["promptObject"].keys() == {"audioUrl"}


limits = pytest.mark.parametrize(
    "limit, credit",
    [
        ({"RATE_LIMIT_CHAT": "1000 credits/day"}, 1),
        ({"RATE_LIMIT_CHAT": "0.01 usd/day", "PROVIDER_A_KIND": "onemin", "PROVIDER_A_PASSTHROUGH": "true",
          "PROVIDER_A_CREDIT_COST": "0.00001"}, 0.00001),
    ],
    ids=["credits", "dollars"],
)  # fmt: skip


@limits
def test_credits_count(start_relay, vendor, api_key, limit, credit):
    """The credits of both calls are reserved before, and counted after."""
    relay = start_relay(**limit)
    message = user(parts.sound(WAV))
    chat = {"answer": "good", "metadata": {"credit": 30}}
    with local_http.Client(base_url=relay.base_url, headers={"Authorization": f"Bearer {api_key}"}) as http:
        # The first credits of each model are 100.
        for credits, used in ((7, 200), (800, None)):
            vendor.answers(api_key, words("hi", credits), chat)
            answer = ask(http, messages=[message])
            assert answer.status_code == 200
            held = float(answer.headers["x-relay-budget"].partition("used=")[2].partition(";")[0])
            assert used is None or held == pytest.approx(used * credit)
        assert ask(http).status_code == 200
    assert len(vendor.requests(api_key, FEATURES)) == 2


@limits
def test_credits_of_words_for_nothing(start_relay, vendor, api_key, limit, credit):
    """The vendor charged the transcript, although the chat then failed."""
    relay = start_relay(**limit)
    with local_http.Client(base_url=relay.base_url, headers={"Authorization": f"Bearer {api_key}"}) as http:
        vendor.answers(api_key, words("hi", 950), {"status": 500})
        assert ask(http, messages=[user(parts.sound(WAV))]).status_code == 502
        assert ask(http).status_code == 429
