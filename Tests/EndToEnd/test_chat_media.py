"""Chats that name a model which makes images, or speaks."""

import re

import pytest
from chat import ask, either, refusal, stream
from onemin_rules import CATALOGUE, able

FEATURES = "/api/features"
IMAGES = able("image")
SPEAKERS = [model for model, said in CATALOGUE.items() if "text_to_speech" in said["features"]]
LINK = re.compile(r"!\[Image (\d)\]\((http://\S+)\)")
VARYING = [model for model in IMAGES if "image_variation" in CATALOGUE[model]["features"]]


@pytest.mark.parametrize("model", IMAGES)
def test_every_model_of_images(http, vendor, api_key, is_streamed, model):
    text, finish = either(http, is_streamed, "a cat", model=model, max_tokens=1, stop=["("])
    lines = text.split("\n")
    assert [LINK.fullmatch(line)[1] for line in lines] == [str(number + 1) for number in range(len(lines))]
    assert len(lines) == (4 if model.startswith(("magic-art", "midjourney")) else 1) and finish == "stop"
    call = vendor.feature(api_key)
    assert (call["type"], call["model"], call["promptObject"]["prompt"]) == ("IMAGE_GENERATOR", model, "a cat")


@pytest.mark.parametrize("model", SPEAKERS)
def test_every_model_that_speaks(http, vendor, api_key, is_streamed, model):
    text, finish = either(http, is_streamed, "Hello there", model=model)
    assert re.fullmatch("\U0001f50a \\[Audio\\.mp3\\]\\(http://\\S+\\)", text) and finish == "stop"
    assert vendor.feature(api_key)["promptObject"]["text"] == "Hello there"


def test_the_last_text_of_the_user_is_what_counts(http, vendor, api_key):
    messages = [
        {"role": "system", "content": "Be kind"}, {"role": "user", "content": "a dog"},
        {"role": "assistant", "content": "![Image 1](http://x/y.png)"},
        {"role": "user", "content": [{"type": "text", "text": "a cat --ar 3:2"}]},
    ]  # fmt: skip
    assert ask(http, model="flux-dev", messages=messages).status_code == 200
    assert vendor.feature(api_key)["promptObject"] == {"prompt": "a cat", "aspect_ratio": "3:2"}


def test_the_model_is_called_as_it_was_asked_for(http):
    assert ask(http, model="flux-dev").json()["model"] == "flux-dev"


@pytest.mark.parametrize("model", VARYING)
@pytest.mark.parametrize("command", ["/v1 {}", "more like this: /v4 {}  please", "/v2\n{}"])
def test_variation_of_an_address(http, vendor, api_key, is_streamed, model, command):
    url = f"{vendor.asset_url}/images/a.png?X-Signature=1"
    text, _ = either(http, is_streamed, command.format(url), model=model)
    call = vendor.feature(api_key)
    assert (call["type"], call["promptObject"]["imageUrl"]) == ("IMAGE_VARIATOR", url)
    assert "prompt" not in call["promptObject"] and LINK.search(text)


@pytest.mark.parametrize(("number", "expected"), [(1, "c"), (2, "d")])
def test_variation_of_an_earlier_image(http, vendor, api_key, number, expected):
    messages = [
        {"role": "user", "content": "a dog"},
        {"role": "assistant", "content": "![Image 1](http://h/a.png)\n![Image 2](http://h/b.png)"},
        {"role": "user", "content": "a cat"},
        {"role": "assistant", "content": "Here: ![Image 1](http://h/c.png) ![Image 2](http://h/d.png) [x](http://h/e)"},
        {"role": "user", "content": "thanks"}, {"role": "assistant", "content": "![broken]( )"},
        {"role": "user", "content": f"[_V{number}_]"},
    ]  # fmt: skip
    assert ask(http, model="midjourney", messages=messages).status_code == 200
    assert vendor.feature(api_key)["promptObject"]["imageUrl"] == f"http://h/{expected}.png"


def test_what_looks_like_a_variation(http, vendor, api_key):
    """If no model makes variations, or no address follows, the text is an ordinary prompt."""
    assert ask(http, "/v1 http://h/a.png", model="flux-dev").status_code == 200
    assert ask(http, "/v1 is a path", model="dall-e-2").status_code == 200
    assert ask(http, "/v9 http://h/a.png", model="dall-e-2").status_code == 200
    assert {call["body"]["type"] for call in vendor.requests(api_key, FEATURES)} == {"IMAGE_GENERATOR"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": "midjourney", "messages": [{"role": "user", "content": "[_V1_]"}]}, "messages"),
        ({"model": "dall-e-2", "messages": [{"role": "user", "content": " "}]}, "messages"),
        ({"model": "dall-e-2", "messages": [{"role": "system", "content": "a"}]}, "messages"),
        ({"model": "flux-dev", "messages": [{"role": "user", "content": "a --ar 9:1"}]}, "messages"),
        ({"model": "tts-1", "messages": [{"role": "user", "content": "a" * 4097}]}, "messages"),
        ({"model": "tts-1", "messages": [{"role": "assistant", "content": "a"}]}, "messages"),
        ({"model": "dall-e-2", "n": 2}, "n"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_refusals(http, vendor, api_key, is_streamed, fields, param):
    status, error, _ = refusal(http, is_streamed, **fields)
    assert (status, error["param"]) == (400, param) and vendor.requests(api_key) == []


@pytest.mark.parametrize("model", ["dall-e-2", "tts-1"])
@pytest.mark.parametrize(
    ("scenario", "status"),
    [({"status": 500, "text": ""}, 502), ({"status": 401, "text": ""}, 401), ({"results": 0}, 502),
     ({"record": {"status": "FAILED"}}, 502), ({"cut_at": 30}, 502)],
    ids=str,
)  # fmt: skip
def test_failures(http, vendor, api_key, is_streamed, model, scenario, status):
    vendor.answers(api_key, scenario)
    assert refusal(http, is_streamed, model=model)[0] == status


def test_speech_that_has_no_address(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"binary": True})
    assert refusal(http, is_streamed, model="tts-1")[0] == 502


def test_usage_is_told(http):
    got = stream(http, "a cat", model="dall-e-2", stream_options={"include_usage": True})
    assert got.is_done and got.usage()["completion_tokens"] > 5
