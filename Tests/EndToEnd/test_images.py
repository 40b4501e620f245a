"""Images made from a text."""

import base64
import json
import socket

import local_http
import pytest
from onemin_rules import CATALOGUE, able
from pictures import image
from refusals import refusal

PATH = "/v1/images/generations"
FEATURES = "/api/features"
MODELS = able("image")
FLUX = "black-forest-labs/flux-dev"
LEONARDO = "e71a1c2f-4f80-4800-934f-2c68979d8cc8"


def generate(http, **fields):
    return http.post(PATH, json={"prompt": "a cat"} | fields)


def sent(vendor, key):
    """Returns the `promptObject` of the only call."""
    return vendor.feature(key)["promptObject"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("count", [1, 5])
def test_every_model_makes_as_many_as_were_wanted(client, vendor, api_key, model, count):
    """The fake vendor checks the requests."""
    made = client.images.generate(model=model, prompt="a cat", n=count, response_format="b64_json")
    images = [base64.b64decode(one.b64_json) for one in made.data]
    assert len(images) == count and set(images) <= set(vendor.results(api_key))
    assert len(set(images)) == count
    calls = vendor.requests(api_key, FEATURES)
    assert {call["body"]["model"] for call in calls} == {model}
    assert all(call["body"]["promptObject"]["prompt"] == "a cat" for call in calls)


@pytest.mark.parametrize("size", ["2048x1024", "832x1024", "3840x2160", "640x1024", "1024x3072"])
def test_free_sizes(http, vendor, api_key, size):
    assert generate(http, model="gpt-image-2", size=size).status_code == 200
    assert sent(vendor, api_key)["size"] == size


@pytest.mark.parametrize(
    ("model", "wishes", "expected"),
    [
        ("gpt-image-1", {}, {"quality": "medium"}),
        ("gpt-image-1", {"quality": "hd"}, {"quality": "high"}),
        ("gpt-image-1", {"quality": "standard"}, {"quality": "medium"}),
        ("gpt-image-1", {"n": 3, "style": "vivid"}, {"n": 3, "style": "vivid", "quality": "medium"}),
        ("gpt-image-2", {}, {"size": "1024x1024", "quality": "medium"}),
        ("gpt-image-2", {"prompt": "a cat --ar 3:2"}, {"size": "1296x864", "quality": "medium"}),
        ("dall-e-3", {"quality": "high"}, {"quality": "hd"}),
        ("dall-e-3", {"quality": "low"}, {"quality": "standard"}),
        ("dall-e-2", {"size": "256x256", "n": 2}, {"size": "256x256", "n": 2}),
        (FLUX, {"size": "1536x1024"}, {"aspect_ratio": "3:2"}),
        (FLUX, {"size": "1920x1080"}, {"aspect_ratio": "16:9"}),
        (FLUX, {"output_format": "jpeg"}, {"output_format": "jpg"}),
        ("stable-image", {"size": "2100x900"}, {"stable_image_core_aspect_ratio": "21:9"}),
        ("stable-image", {"output_format": "jpeg"}, {"stable_image_core_output_format": "jpeg"}),
        ("stable-diffusion-xl-1024-v1-0", {"n": 2}, {"samples": 2}),
        ("recraft", {"style": "realistic_image", "n": 2}, {"style": "realistic_image", "n": 2}),
        (LEONARDO, {}, {"size": "1024x1024", "n": 1}),
        (LEONARDO, {"prompt": "a cat --ar 4:3 --no dogs"}, {"size": "1024x768", "n": 1, "negativePrompt": "dogs"}),
        ("magic-art", {}, {"n": 4, "mode": "fast", "aspect_width": 1, "aspect_height": 1}),
        ("midjourney", {"size": "1792x1024", "prompt": "a cat \u2014relax"},
         {"n": 4, "mode": "relax", "aspect_width": 7, "aspect_height": 4}),
        ("qwen-image-plus", {}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_sent(http, vendor, api_key, model, wishes, expected):
    assert generate(http, model=model, **wishes).status_code == 200
    assert sent(vendor, api_key) == {"prompt": "a cat"} | expected
    assert vendor.feature(api_key)["type"] == "IMAGE_GENERATOR"


def test_what_to_leave_out(http, vendor, api_key):
    assert generate(http, model="magic-art", prompt="a cat --no dogs, big mice --ar 3:2").status_code == 200
    assert sent(vendor, api_key)["negativePrompt"] == "dogs, big mice"
    assert sent(vendor, api_key)["prompt"] == "a cat"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"prompt": None}, (400, "missing_required_parameter", "prompt")), ({"model": "gpt-4o"}, (404, "model_not_found", "model")),
        ({"model": FLUX, "size": "1000x999"}, (400, "unsupported_value", "size")),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_fields_that_are_wrong(http, vendor, api_key, fields, expected):
    assert refusal(generate(http, **fields)) == expected
    assert vendor.requests(api_key) == []


def test_fields_that_mean_nothing_here(http):
    extra = {"user": "u", "moderation": "low", "stream": False, "partial_images": 0, "odd": [1], "n": None}
    assert generate(http, **extra).status_code == 200


def test_the_model_is_chosen_where_none_is_named(http, vendor, api_key):
    assert set(generate(http).json()["data"][0]) == {"b64_json"}
    assert vendor.feature(api_key)["model"] == "gpt-image-1"


@pytest.mark.parametrize(
    ("model", "asked", "member"),
    [("dall-e-2", None, "url"), ("dall-e-2", "url", "url"), ("dall-e-2", "b64_json", "b64_json"), (FLUX, None, "url"),
     ("gpt-image-1", None, "b64_json"), ("gpt-image-1", "url", "b64_json"), ("gpt-image-2", "b64_json", "b64_json")],
)  # fmt: skip
def test_addresses_or_data(http, vendor, api_key, model, asked, member):
    (made,) = generate(http, model=model, response_format=asked).json()["data"]
    assert (set(made) & {"url", "b64_json"}) == {member}
    reads = [request for request in vendor.requests(api_key) if request["method"] == "GET"]
    assert len(reads) == (member == "b64_json")


@pytest.mark.parametrize("scenario", [{}, {"absolute": True}, {"bare": True}, {"signed": False}], ids=str)
def test_addresses_can_be_read(http, vendor, api_key, scenario):
    vendor.answers(api_key, scenario)
    (made,) = generate(http, model=FLUX).json()["data"]
    read = local_http.get(made["url"], headers={"User-Agent": "browser"})
    assert read.content == vendor.results(api_key)[0]
    assert ("Signature" in made["url"]) == (scenario in ({}, {"bare": True}))


@pytest.mark.parametrize(
    ("scenario", "asset", "reads"),
    [
        ({"unsigned_status": 403}, {}, 1), ({"unsigned_status": 403, "absolute": True}, {}, 2),
        ({"unsigned_status": 404, "absolute": True}, {}, 2),
        ({"bare": True}, {}, 1), ({"signed": False}, {}, 1), ({"absolute": True, "signed": False}, {}, 1),
        ({"record": {"temporaryUrl": None}}, {}, 1), ({"record": {"temporaryUrl": "ftp://x/y"}}, {}, 1),
        ({"record": {"temporaryUrl": 5}}, {}, 1), ({"status": 201}, {}, 1), ({"record": {"status": "COMPLETED"}}, {}, 1),
        ({"record": {"status": None}}, {}, 1), ({"small": True}, {}, 1), ({}, {"split": "bytes"}, 1),
        ({}, {"framing": "chunked", "delay_between": 0.01}, 1),
        ({"content64": base64.b64encode(image("x", "webp")).decode()}, {}, 1),
        ({"content64": base64.b64encode(image("x", "jpeg")).decode(), "kind": "text/html"}, {}, 1),
        ({"content64": base64.b64encode(b"<?xml version='1.0'?>\n<svg/>").decode()}, {}, 1),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_data_is_what_was_made(http, vendor, api_key, scenario, asset, reads):
    vendor.answers_all({api_key: [scenario], f"asset:{api_key}": [asset]})
    (made,) = generate(http).json()["data"]
    assert base64.b64decode(made["b64_json"]) == vendor.results(api_key)[0]
    assert len([request for request in vendor.requests(api_key) if request["method"] == "GET"]) == reads


def test_of_several_the_refused_one_is_read_by_its_signed_address(http, vendor, api_key):
    """Only one result has a signed address, so the other cannot be read."""
    vendor.answers(api_key, {"unsigned_status": 403})
    assert refusal(generate(http, n=2)) == (502, "upstream_error", None)
    reads = [request["path"] for request in vendor.requests(api_key) if request["method"] == "GET"]
    assert len(reads) <= 3


@pytest.mark.parametrize("model", MODELS)
def test_variation_commands(http, model):
    (made,) = generate(http, model=model, response_format="url").json()["data"]
    varies = "image_variation" in CATALOGUE[model]["features"] and "url" in made
    assert made.get("variation_commands") == ({"variation": f"/v1 {made['url']}"} if varies else None)


UPSTREAM = (502, "upstream_error", None)


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"status": 401, "json": {"message": "API Key has been deleted"}}, (401, "invalid_api_key", None)),
        ({"status": 406, "json": {"errorCode": "INSUFFICIENT_CREDITS"}}, (402, "insufficient_quota", None)),
        ({"status": 400, "json": {"message": "Invalid model x for AI feature IMAGE_GENERATOR!"}}, (404, "model_not_found", "model")),
        ({"status": 400, "json": {"message": "prompt is too odd"}}, (400, None, None)),
        ({"status": 429, "json": {}}, (429, "rate_limit_exceeded", None)),
        ({"status": 503, "text": ""}, (503, "upstream_error", None)), ({"status": 500, "text": "<html>"}, UPSTREAM),
        ({"status": 302, "text": "", "headers": {"Location": "/api/conversations"}}, UPSTREAM),
        ({"record": {"status": "FAILED", "aiRecordDetail": {"errorMessage": "no", "resultObject": []}}}, UPSTREAM),
        ({"record": {"status": "FAILED"}}, UPSTREAM), ({"results": 0}, UPSTREAM), ({"result_object": [""]}, UPSTREAM),
        ({"result_object": 5}, UPSTREAM), ({"result_object": {}}, UPSTREAM), ({"result_object": [{}, 5]}, UPSTREAM),
        ({"json": {}}, UPSTREAM), ({"json": []}, UPSTREAM), ({"json": {"aiRecord": {}}}, UPSTREAM),
        ({"json": {"success": False, "error": {"message": "no"}}}, UPSTREAM), ({"text": "<html>"}, UPSTREAM),
        ({"text": ""}, UPSTREAM), ({"cut_at": -1}, UPSTREAM), ({"cut_at": 30, "cut_how": "rst"}, UPSTREAM),
        ({"content64": "", "unsigned_status": 200}, UPSTREAM),
        ({"content64": base64.b64encode(b"<html>no image</html>").decode()}, UPSTREAM),
        ({"content64": base64.b64encode(b'{"error":"no"}').decode()}, UPSTREAM),
        ({"result_object": ["http://127.0.0.1:1/a.png"], "signed": False}, UPSTREAM),
        ({"result_object": ["http://[bad/a.png"], "signed": False}, UPSTREAM),
        ({"result_object": ["file:///etc/passwd"], "signed": False}, UPSTREAM),
        ({"result_object": ["images/nothing.png"], "signed": False}, UPSTREAM),
        ({"result_object": ["../../api/conversations"], "signed": False}, UPSTREAM),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_failures(http, vendor, api_key, scenario, expected):
    vendor.answers(api_key, scenario)
    assert refusal(generate(http)) == expected


@pytest.mark.parametrize(
    "asset",
    [{"status": 403, "text": ""}, {"status": 500, "text": ""}, {"cut_at": 30}, {"cut_at": -1},
     {"status": 302, "text": "", "headers": {"Location": "/images/x.png"}}, {"text": "<html>"}, {"text": ""},
     {"cut_at": 30, "cut_how": "rst", "framing": "chunked"}],
    ids=str,
)  # fmt: skip
def test_results_that_cannot_be_read(http, vendor, api_key, asset):
    vendor.answers_all({api_key: [{}], f"asset:{api_key}": [asset]})
    assert refusal(generate(http)) == UPSTREAM


def test_a_result_that_is_too_large(http, vendor, api_key):
    huge = b"\x89PNG\r\n\x1a\n" + bytes(34 << 20)
    vendor.answers(api_key, {"content64": base64.b64encode(huge).decode()})
    assert refusal(generate(http)) == UPSTREAM


def test_one_of_several_calls_fails(http, vendor, api_key):
    """The other calls, which would never end, are cancelled."""
    vendor.answers(api_key, {"stall_at": -1}, {"stall_at": -1}, {"status": 500, "text": ""})
    assert refusal(generate(http, model=FLUX, n=3)) == UPSTREAM
    vendor.wait(api_key, "client_closed", 2)


def test_failures_say_nothing_of_addresses_and_keys(http, vendor, api_key):
    text = f"Could not read https://storage.internal.example/a.png?sig=1 for {api_key}"
    for scenario in ({"status": 400, "json": {"message": text}}, {"status": 500, "text": text}):
        vendor.answers(api_key, scenario)
        message = generate(http).json()["error"]["message"]
        assert "storage.internal" not in message and api_key not in message


def test_a_vendor_that_takes_too_long(start_relay, vendor, new_key, caller):
    settings = {"PROVIDER_SLOW_KIND": "onemin", "PROVIDER_SLOW_PASSTHROUGH": "true", "PROVIDER_SLOW_TIMEOUT": "200ms"}
    slow, key = start_relay(**settings), new_key()
    vendor.answers(key, {"stall_at": -1})
    assert refusal(generate(caller(slow, key))) == (504, "upstream_timeout", None)
    vendor.wait(key, "client_closed")
    vendor.answers_all({key: [{}], f"asset:{key}": [{"stall_at": 10}]})
    slow = start_relay(**settings, PROVIDER_SLOW_IDLE_TIMEOUT="200ms")
    assert refusal(generate(caller(slow, key))) == (504, "upstream_timeout", None)


@pytest.mark.parametrize("where", ["call", "download"])
def test_a_client_that_leaves(relay, vendor, api_key, where):
    stalled = [{"stall_at": 10}]
    vendor.answers_all({api_key: stalled if where == "call" else [{}], f"asset:{api_key}": stalled})
    content = json.dumps({"prompt": "a cat"}).encode()
    with socket.create_connection(("127.0.0.1", relay.port)) as peer:
        head = f"POST {PATH} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {api_key}\r\n"
        peer.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        vendor.wait(api_key, "stalled")
    vendor.wait(api_key, "client_closed")


def test_permitted_models_hold_for_images(start_relay, vendor, new_key, caller):
    """Short names do not bypass the permission."""
    only = {"SUBSET_OF_ONE_MIN_PERMITTED_MODELS": "gpt-4o,dall-e-2", "PERMIT_MODELS_FROM_SUBSET_ONLY": "true"}
    key = new_key()
    http = caller(start_relay(**only), key)
    assert generate(http, model="dall-e-2").status_code == 200
    for model in ("gpt-image-1", FLUX, "flux-dev", "anime-xl"):
        answer = generate(http, model=model)
        assert refusal(answer) == (404, "model_not_found", "model")
        assert answer.json()["error"]["message"] == f"The model {model} does not exist."
    assert generate(http).status_code == 404
    assert len(vendor.requests(key, FEATURES)) == 1


def test_images_are_limited_by_themselves(start_relay, new_key, caller):
    http = caller(start_relay(RATE_LIMIT=None, RATE_LIMIT_IMAGES="2/minute"), new_key())
    assert [generate(http, model="dall-e-2").status_code for _ in range(3)] == [200, 200, 429]
    answer = http.post("/v1/audio/speech", json={"model": "tts-1", "input": "a", "voice": "echo"})
    assert answer.status_code == 200
    assert http.post("/images/generations", json={"prompt": "a"}).headers["x-relay-limited-by"] == "relay"


def test_images_are_counted_one_by_one(start_relay, new_key, caller):
    http = caller(start_relay(RATE_LIMIT=None, RATE_LIMIT_IMAGES="5 images/hour"), new_key())
    assert generate(http, model="dall-e-2", n=3).status_code == 200
    assert generate(http, model="dall-e-2", n=3).status_code == 429
    assert generate(http, model=FLUX, n=2).status_code == 200
    assert generate(http, model=FLUX).status_code == 429


def test_a_chat_is_no_way_around_a_limit_of_images(start_relay, new_key, caller):
    http = caller(start_relay(RATE_LIMIT_TOTAL="5 images/hour"), new_key())
    chat = {"model": "midjourney", "messages": [{"role": "user", "content": "a cat"}]}
    statuses = [http.post("/v1/chat/completions", json=chat).status_code for _ in range(2)]
    assert statuses == [200, 429]
    assert [generate(http, model=FLUX).status_code for _ in range(2)] == [200, 429]
    words = chat | {"model": "gpt-4o-mini"}
    assert http.post("/v1/chat/completions", json=words).status_code == 200


@pytest.mark.parametrize("path", ["images", "audio"])
def test_credits_are_settled_by_what_the_vendor_took(start_relay, vendor, new_key, caller, path):
    """The first call reserves a hundred credits, and later ones what calls cost: 12 each."""
    key = new_key()
    http = caller(start_relay(RATE_LIMIT_TOTAL="130 credits/hour"), key)
    speech = {"model": "tts-1", "input": "a", "voice": "echo"}

    def call():
        return http.post("/v1/audio/speech", json=speech) if path == "audio" else generate(http, model=FLUX)

    answers = [call().status_code for _ in range(2)]
    assert answers == [200, 200]
    assert len(vendor.requests(key, FEATURES)) == 2
    http = caller(start_relay(RATE_LIMIT_TOTAL="50 credits/hour"), key)
    assert call().status_code == 429
