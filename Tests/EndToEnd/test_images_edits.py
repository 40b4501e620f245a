"""Images made from another image: edits and variations."""

import base64
import hashlib
import socket

import pytest
from onemin_rules import CATALOGUE
from pictures import image, picture, pixels, png
from refusals import refusal

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

EDITS = "/v1/images/edits"
VARIATIONS = "/v1/images/variations"
FEATURES = "/api/features"
ASSETS = "/api/assets"
EDITORS = [model for model, said in CATALOGUE.items() if "image_edit" in said["features"]]
VARYING = [model for model, said in CATALOGUE.items() if "image_variation" in said["features"]]
DRAWN_ONLY = [model for model, said in CATALOGUE.items() if "image" in said["features"] and "image_variation" not in said["features"]]
PICTURE = picture("mine", 16, 9)
UPSTREAM = (502, "upstream_error", None)


def send(http, path, files=None, **fields):
    files = files if files is not None else {"image": ("cat.png", PICTURE, "image/png")}
    return http.post(path, files=files, data={name: str(value) for name, value in fields.items()})


def edit(http, files=None, **fields):
    return send(http, EDITS, files, **({"prompt": "a hat"} | fields))


def vary(http, files=None, **fields):
    return send(http, VARIATIONS, files, **fields)


def sent(vendor, key):
    """Returns type and `promptObject` of the only call, with the uploaded content as its image."""
    (upload,) = vendor.uploads(key)
    call = vendor.feature(key)
    assert call["promptObject"].pop("imageUrl") == upload["path"]
    assert base64.b64decode(upload["data64"]) == PICTURE
    return call["type"], call["promptObject"]


@pytest.mark.parametrize("model", EDITORS)
def test_every_model_that_edits(client, vendor, api_key, model):
    made = client.images.edit(model=model, image=("cat.png", PICTURE), prompt="a hat", n=3, response_format="b64_json")
    assert len({base64.b64decode(one.b64_json) for one in made.data}) == 3
    calls = [call["body"] for call in vendor.requests(api_key, FEATURES)]
    (upload,) = vendor.uploads(api_key)
    assert {(call["type"], call["model"]) for call in calls} == {("IMAGE_EDITOR", model)}
    assert {call["promptObject"]["imageUrl"] for call in calls} == {upload["path"]}
    assert upload["sha256"] == hashlib.sha256(PICTURE).hexdigest()


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("gpt-image-1", {}, {"size": "1024x1024", "n": 1, "quality": "medium"}),
        ("gpt-image-1", {"size": "1024x1536", "n": 2, "quality": "hd"}, {"size": "1024x1536", "n": 2, "quality": "high"}),
        ("gpt-image-1-mini", {"background": "auto", "output_format": "webp", "output_compression": 7},
         {"size": "1024x1024", "n": 1, "quality": "medium", "background": "auto", "output_format": "webp",
          "output_compression": 7}),
        ("gpt-image-2", {"size": "auto"}, {"size": "1024x1024", "quality": "medium"}),
        ("qwen-image-edit-plus", {}, {}),
        ("gpt-image-1", {"prompt": "a hat --ar 2:3"}, {"size": "1024x1536", "n": 1, "quality": "medium"}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_sent(http, vendor, api_key, model, fields, expected):
    assert edit(http, model=model, **fields).status_code == 200
    assert sent(vendor, api_key) == ("IMAGE_EDITOR", {"prompt": "a hat"} | expected)


@pytest.mark.parametrize(
    "files",
    [
        [("image[]", ("cat.png", PICTURE, "image/png"))], [("image[0]", ("cat.png", PICTURE, "image/png"))],
        [("image", ("blob", PICTURE, "application/octet-stream"))], [("image", ("cat.jpg", PICTURE, "image/jpeg"))],
        [("image", ('ca"t\u00e9.exe', PICTURE, "text/html"))], [("image", (None, PICTURE, "image/png"))],
        [("other", (None, b"x")), ("image", ("cat.png", PICTURE))],
    ],
    ids=str,
)  # fmt: skip
def test_however_the_picture_is_sent(http, vendor, api_key, files):
    """The bytes decide the type."""
    assert edit(http, files).status_code == 200
    assert vendor.uploads(api_key)[0]["type"] == "image/png" and sent(vendor, api_key)


@pytest.mark.parametrize(("kind", "extension"), [("jpeg", "jpg"), ("webp", "webp")])
def test_other_kinds_of_pictures(http, vendor, api_key, kind, extension):
    assert edit(http, {"image": ("cat", image("x", kind), "application/octet-stream")}).status_code == 200
    (upload,) = vendor.uploads(api_key)
    assert (upload["type"], upload["name"]) == (f"image/{kind}", f"image.{extension}")


def test_a_large_picture_arrives_whole(http, vendor, api_key):
    data = PICTURE + bytes(range(256)) * 40_000
    assert edit(http, {"image": ("cat.png", data, "image/png")}).status_code == 200
    assert vendor.uploads(api_key)[0]["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_picture_that_is_too_large(http, vendor, api_key):
    data = PICTURE + bytes(26 << 20)
    assert refusal(edit(http, {"image": ("cat.png", data, "image/png")})) == (413, "request_too_large", None)
    assert vendor.requests(api_key) == []


PNG = ("cat.png", PICTURE, "image/png")


@pytest.mark.parametrize(
    ("files", "fields", "expected"),
    [
        ({"other": PNG}, {}, (400, "unsupported_parameter", "other")),
        ({"image": PNG, "markup": PNG}, {}, (400, "unsupported_parameter", "markup")),
        ({"image": PNG, "markup[0]": PNG}, {}, (400, "unsupported_parameter", "markup")),
        ({"image": ("cat.png", b"", "image/png")}, {}, (400, "missing_required_parameter", "image")),
        ({"image": ("cat.png", b"no picture", "image/png")}, {}, (400, "invalid_image_format", "image")),
        ({"image": ("cat.svg", b"<svg/>", "image/svg+xml")}, {}, (400, "invalid_image_format", "image")),
        ([("image[]", PNG), ("image[]", PNG)], {}, (400, "unsupported_value", "image")),
        (None, {"prompt": ""}, (400, "missing_required_parameter", "prompt")),
        (None, {"n": "two"}, (400, "invalid_type", "n")), (None, {"n": 11}, (400, "integer_above_max_value", "n")),
        (None, {"size": "big"}, (400, "invalid_value", "size")),
        (None, {"size": "512x512"}, (400, "unsupported_value", "size")),
        (None, {"stream": "true"}, (400, "unsupported_parameter", "stream")),
        (None, {"stream": "maybe"}, (400, "invalid_type", "stream")),
        (None, {"prompt": "a" * 4001}, (400, "invalid_value", "prompt")),
        (None, {"model": "dall-e-3"}, (404, "model_not_found", "model")),
        (None, {"model": "gpt-4o"}, (404, "model_not_found", "model")),
        (None, {"model": "qwen-image-edit-plus", "size": "1024x1024"}, (400, "unsupported_value", "size")),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_edits_that_are_wrong(http, vendor, api_key, files, fields, expected):
    assert refusal(edit(http, files, **fields)) == expected
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize(
    ("upload", "expected"),
    [
        ({"status": 401, "json": {"message": "API Key has been deleted"}}, (401, "invalid_api_key", None)),
        ({"status": 400, "json": {"errorCode": "UNSUPPORTED_FILE_TYPE", "message": "odd"}}, (400, None, None)),
        ({"json": {}}, UPSTREAM), ({"cut_at": 20, "cut_how": "rst"}, UPSTREAM),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("call", [edit, vary])
def test_uploads_that_fail(http, vendor, api_key, call, upload, expected):
    vendor.answers(f"upload:{api_key}", upload)
    assert refusal(call(http, model="gpt-image-1" if call is edit else "dall-e-2")) == expected
    assert vendor.requests(api_key, FEATURES) == []


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"status": 401, "text": ""}, (401, "invalid_api_key", None)), ({"status": 500, "text": ""}, UPSTREAM),
        ({"status": 400, "json": {"message": "odd"}}, (400, None, None)), ({"record": {"status": "FAILED"}}, UPSTREAM),
        ({"results": 0}, UPSTREAM), ({"cut_at": 20}, UPSTREAM),
        ({"content64": base64.b64encode(b"<html>").decode()}, UPSTREAM),
    ],
    ids=str,
)  # fmt: skip
def test_edits_that_fail(http, vendor, api_key, scenario, expected):
    vendor.answers(api_key, scenario)
    assert refusal(edit(http)) == expected


def multipart(relay, key, path, *, cut=None):
    """Returns a connection on which a form was just sent, up to `cut` bytes of it."""
    body = b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na hat\r\n--b\r\n'
    body += b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + PICTURE + b"\r\n--b--\r\n"
    peer = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
    head = f"POST {path} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(body)}\r\n\r\n"
    peer.sendall(head.encode() + body[:cut])
    return peer


@pytest.mark.parametrize("where", ["upload", "call", "download"])
def test_a_client_that_leaves(relay, vendor, api_key, where):
    stalled = [{"stall_at": 10}]
    own = {"call": api_key, "upload": f"upload:{api_key}", "download": f"asset:{api_key}"}[where]
    vendor.answers_all({api_key: [{}]} | {own: stalled})
    with multipart(relay, api_key, EDITS):
        vendor.wait(api_key, "stalled")
    vendor.wait(api_key, "client_closed")


INPAINTERS = [model for model, said in CATALOGUE.items() if "image_inpaint" in said["features"]]
ALPHAS = [[0 if (row + column) % 3 else 255 for column in range(16)] for row in range(9)]
MASK = png(16, 9, [b"".join(bytes([7, 8, 9, alpha]) for alpha in row) for row in ALPHAS], color=6)


def with_mask(mask=MASK, data=PICTURE):
    return {"image": ("cat.png", data, "image/png"), "mask": ("mask.png", mask, "image/png")}


@pytest.mark.parametrize("model", INPAINTERS)
def test_every_model_that_inpaints(client, vendor, api_key, model):
    """Transparent parts are edited; in the vendor's masks these are white."""
    made = client.images.edit(model=model, image=("a.png", PICTURE), mask=("m.png", MASK), prompt="a hat", response_format="b64_json")
    assert len(made.data) == 1
    call = vendor.feature(api_key)
    assert (call["type"], call["model"]) == ("IMAGE_INPAINTER", model)
    uploads = {upload["path"]: base64.b64decode(upload["data64"]) for upload in vendor.uploads(api_key)}
    assert len(uploads) == 2 and uploads[call["promptObject"]["imageUrl"]] == PICTURE
    mask = pixels(uploads[call["promptObject"]["maskUrl"]])
    assert [pixel[0] for pixel in mask] == [255 - alpha for row in ALPHAS for alpha in row]


@pytest.mark.parametrize(
    ("files", "fields", "expected"),
    [
        (with_mask(picture("opaque", 16, 9)), {}, (400, "invalid_value", "mask")),
        (with_mask(data=picture("other", 8, 9)), {}, (400, "invalid_value", "mask")),
        (with_mask(MASK[:60]), {}, (400, "invalid_image_format", "mask")),
        (with_mask(b"no mask"), {}, (400, "invalid_image_format", "mask")),
        (with_mask(image("x", "jpeg")), {}, (400, "invalid_image_format", "mask")),
        (with_mask(MASK[:16] + b"\x7f\xff\xff\xff" * 2 + MASK[24:]), {}, (400, ..., "mask")),
        (with_mask(data=image("x", "jpeg")), {}, (400, "invalid_image_format", "image")),
        (with_mask(), {"model": "qwen-image-edit-plus"}, (404, "model_not_found", "model")),
        (None, {"model": "stable-image"}, (404, "model_not_found", "model")),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_masks_that_are_wrong(http, vendor, api_key, files, fields, expected):
    status, code, param = refusal(edit(http, files, **fields))
    assert (status, param) == (expected[0], expected[2]) and expected[1] in (code, ...)
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize("model", VARYING)
@pytest.mark.parametrize("count", [1, 5])
def test_every_model_that_varies(client, vendor, api_key, model, count):
    made = client.images.create_variation(model=model, image=("cat.png", PICTURE), n=count, response_format="b64_json")
    assert len({base64.b64decode(one.b64_json) for one in made.data}) == count
    calls = [call["body"] for call in vendor.requests(api_key, FEATURES)]
    assert {(call["type"], call["model"]) for call in calls} == {("IMAGE_VARIATOR", model)}
    assert len(vendor.requests(api_key, ASSETS)) == 1


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("dall-e-2", {}, {}), ("dall-e-2", {"n": 2, "size": "256x256"}, {"n": 2, "size": "256x256"}),
        ("magic-art", {}, {"n": 4, "mode": "fast", "aspect_width": 1, "aspect_height": 1}),
        ("midjourney", {"size": "1536x1024"}, {"n": 4, "mode": "fast", "aspect_width": 3, "aspect_height": 2}),
        ("recraft", {}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_sent_to_vary(http, vendor, api_key, model, fields, expected):
    assert vary(http, model=model, **fields).status_code == 200
    assert sent(vendor, api_key) == ("IMAGE_VARIATOR", expected)


def test_the_usual_model_varies(client, vendor, api_key):
    made = client.images.create_variation(image=PICTURE)
    assert made.data[0].url and vendor.feature(api_key)["model"] == "dall-e-2"


@pytest.mark.parametrize("model", DRAWN_ONLY)
def test_a_model_that_does_not_vary_is_stood_in_for(http, vendor, api_key, model):
    answer = vary(http, model=model)
    assert answer.status_code == 200 and vendor.feature(api_key)["model"] == "magic-art_7_0"


def test_a_model_that_fails_is_stood_in_for(http, vendor, api_key):
    broken = {"status": 500, "text": ""}
    vendor.answers(api_key, broken, {"record": {"status": "FAILED"}}, {"status": 400, "json": {
        "message": "Invalid model magic-art_6_1 for AI feature IMAGE_VARIATOR!"}}, {})  # fmt: skip
    answer = vary(http, model="recraft")
    assert answer.status_code == 200 and answer.headers["x-relay-attempts"] == "4"
    tried = [call["body"]["model"] for call in vendor.requests(api_key, FEATURES)]
    assert tried == ["recraft", "magic-art_7_0", "magic-art_6_1", "magic-art"]


def test_all_models_fail(http, vendor, api_key):
    vendor.answers(api_key, {"status": 500, "text": ""})
    assert refusal(vary(http)) == UPSTREAM
    tried = [call["body"]["model"] for call in vendor.requests(api_key, FEATURES)]
    assert tried[0] == "dall-e-2" and len(tried) == 7 == len(set(tried))


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"status": 401, "text": ""}, (401, "invalid_api_key", None)),
        ({"status": 406, "text": ""}, (402, "insufficient_quota", None)),
        ({"status": 429, "text": ""}, (429, "rate_limit_exceeded", None)),
        ({"status": 400, "json": {"message": "odd"}}, (400, None, None)),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_fault_of_the_model_is_told(http, vendor, api_key, scenario, expected):
    vendor.answers(api_key, scenario)
    assert refusal(vary(http)) == expected
    assert len(vendor.requests(api_key, FEATURES)) == 1


def test_others_that_do_not_fit_are_left_out(http, vendor, api_key):
    """magic-art knows no 9:16 in whole numbers up to 7; dall-e-2 has squares only."""
    vendor.answers(api_key, {"status": 500, "text": ""})
    assert refusal(vary(http, model="gpt-image-1", size="900x1600")) == (400, "unsupported_value", "model")
    assert refusal(vary(http, model="gpt-image-1", size="256x256")) == UPSTREAM
    assert {call["body"]["model"] for call in vendor.requests(api_key, FEATURES)} >= {"magic-art", "dall-e-2"}


def test_others_must_be_permitted(start_relay, vendor, new_key, caller):
    only = {"SUBSET_OF_ONE_MIN_PERMITTED_MODELS": "gpt-image-1,recraft,dall-e-2", "PERMIT_MODELS_FROM_SUBSET_ONLY": "true"}
    key = new_key()
    http = caller(start_relay(**only), key)
    vendor.answers(key, {"status": 500, "text": ""}, {})
    assert vary(http, model="recraft").status_code == 200
    assert [call["body"]["model"] for call in vendor.requests(key, FEATURES)] == ["recraft", "dall-e-2"]
    assert refusal(vary(http, model="midjourney")) == (404, "model_not_found", "model")


@pytest.mark.parametrize(
    ("files", "fields", "expected"),
    [
        ({"other": PNG}, {}, (400, "unsupported_parameter", "other")),
        ({"image": ("cat.png", b"no picture", "image/png")}, {}, (400, "invalid_image_format", "image")),
        (None, {"model": "nothing"}, (404, "model_not_found", "model")),
        (None, {"model": "gpt-4o"}, (404, "model_not_found", "model")),
        (None, {"n": 0}, (400, "integer_below_min_value", "n")),
        (None, {"size": "1536x1024"}, (400, "unsupported_value", "size")),
        (None, {"response_format": "gif"}, (400, "invalid_value", "response_format")),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_variations_that_are_wrong(http, vendor, api_key, files, fields, expected):
    assert refusal(vary(http, files, **fields)) == expected
    assert vendor.requests(api_key) == []


def test_they_are_limited_as_images_are(start_relay, new_key, caller):
    http = caller(start_relay(RATE_LIMIT=None, RATE_LIMIT_IMAGES="2/minute"), new_key())
    answers = [edit(http), vary(http), vary(http), edit(http)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
