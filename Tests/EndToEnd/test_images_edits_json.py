"""Edits whose images are named in JSON: by data, by address, by the id of a file."""

import base64
import hashlib
import json

import local_http
import openai
import pytest
from onemin_rules import CATALOGUE
from pictures import picture, pixels, png
from refusals import refusal
from test_results_elsewhere import ok, serving

PATH = "/v1/images/edits"
ASSETS = "/api/assets"
FEATURES = "/api/features"
PICTURE = picture("to edit", 16, 9)
ALPHAS = [[0 if (row + column) % 3 else 255 for column in range(16)] for row in range(9)]
MASK = png(16, 9, [b"".join(bytes([7, 8, 9, alpha]) for alpha in row) for row in ALPHAS], color=6)
EDITING = [model for model, said in CATALOGUE.items() if "image_edit" in said["features"]]


def data(content, kind="image/png"):
    return {"image_url": f"data:{kind};base64,{base64.b64encode(content).decode()}"}


def edit(http, *images, **fields):
    return http.post(PATH, json={"prompt": "a hat", "images": list(images or [data(PICTURE)])} | fields)


def uploaded(vendor, key):
    return {upload["path"]: base64.b64decode(upload["data64"]) for upload in vendor.uploads(key)}


@pytest.fixture(scope="module")
def open_relay(launch):
    return launch(FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.0/8")


def file_of(client, content=PICTURE, name="cat.png", **more):
    return client.files.create(file=(name, content), purpose="vision", **more).id


@pytest.mark.parametrize("model", EDITING)
def test_every_model_edits_data(client, vendor, api_key, model):
    """The official client posts JSON if it is told to."""
    body = {"model": model, "prompt": "a hat", "images": [data(PICTURE)], "response_format": "b64_json"}
    made = client.post("/images/edits", body=body, cast_to=openai.types.ImagesResponse)
    assert base64.b64decode(made.data[0].b64_json) in vendor.results(api_key)
    call = vendor.feature(api_key)
    assert (call["type"], call["model"], call["promptObject"]["prompt"]) == ("IMAGE_EDITOR", model, "a hat")
    assert uploaded(vendor, api_key) == {call["promptObject"]["imageUrl"]: PICTURE}


def test_wishes_are_those_of_the_form(http, vendor, api_key):
    wishes = {"n": 2, "size": "1536x1024", "quality": "high", "output_format": "webp", "background": "opaque"}
    assert len(edit(http, **wishes, user="u", input_fidelity="high", stream=False).json()["data"]) == 2
    sent = vendor.feature(api_key)["promptObject"]
    assert {name: sent[name] for name in wishes} == wishes


def assert_masked(vendor, api_key):
    """The vendor got the picture, and the mask in its own form."""
    call = vendor.feature(api_key)
    files = uploaded(vendor, api_key)
    assert call["type"] == "IMAGE_INPAINTER" and files[call["promptObject"]["imageUrl"]] == PICTURE
    mask = pixels(files[call["promptObject"]["maskUrl"]])
    assert [pixel[0] for pixel in mask] == [255 - alpha for row in ALPHAS for alpha in row]


def test_a_mask(http, vendor, api_key):
    assert edit(http, mask=data(MASK)).status_code == 200
    assert_masked(vendor, api_key)


def test_an_address(open_relay, caller, vendor, api_key):
    with serving(ok(PICTURE)) as server:
        url = f"http://127.0.0.1:{server.port}/a.png"
        assert edit(caller(open_relay, api_key), {"image_url": url}, mask=data(MASK)).status_code == 200
        (head,) = server.heads
        assert api_key.encode() not in head
    assert PICTURE in uploaded(vendor, api_key).values() and url not in json.dumps(vendor.requests(api_key))


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/a", "https://127.0.0.1:{}/a", "https://localhost:{}/a"])
def test_addresses_that_are_not_fetched(http, vendor, api_key, url):
    with serving(ok(PICTURE)) as server:
        expected = (400, "invalid_image_url", "images[0].image_url")
        assert refusal(edit(http, {"image_url": url.format(server.port)})) == expected
        assert server.accepted == 0 and vendor.requests(api_key) == []


def test_the_id_of_a_file(client, http, vendor, api_key):
    """The vendor already has the file: it is neither read nor uploaded again."""
    answer = edit(http, {"file_id": file_of(client)})
    assert answer.status_code == 200
    (path,) = uploaded(vendor, api_key)
    assert vendor.feature(api_key)["promptObject"]["imageUrl"] == path
    assert len(vendor.requests(api_key, ASSETS)) == 1


def test_ids_of_files_with_a_mask(client, http, vendor, api_key):
    ids = {"file_id": file_of(client)}, {"file_id": file_of(client, MASK, "mask.png")}
    assert edit(http, ids[0], mask=ids[1]).status_code == 200
    assert_masked(vendor, api_key)


def test_a_file_is_used_with_the_key_that_it_was_uploaded_with(launch, caller, vendor, new_key):
    keys = [new_key(), new_key(), new_key()]
    http = caller(
        launch(PROVIDER_OWN_KIND="onemin", PROVIDER_OWN_API_KEYS=",".join(keys), KEY_ONE_TOKEN="sk-named-files"),
        "sk-named-files",
    )
    file = {"file_id": http.post("/v1/files", files={"file": ("a.png", PICTURE)}, data={"purpose": "vision"}).json()["id"]}
    (owner,) = [key for key in keys if vendor.uploads(key)]
    for _ in range(4):
        assert edit(http, file).status_code == 200
    assert len(vendor.requests(owner, FEATURES)) == 4


def test_what_is_no_file_of_the_callers(relay, client, http, vendor, api_key, new_key):
    other = openai.OpenAI(api_key=new_key(), base_url=relay.v1, max_retries=0, http_client=local_http.Client())
    gone = file_of(client)
    client.files.delete(gone)
    vendor.answers(api_key, {})
    for name in (file_of(other), gone, gone[:-2] + "AA", "file-", "file-abc", "", "x" * 5000, "../a"):
        for named in ({"file_id": name}, data(PICTURE)):
            is_mask = "image_url" in named
            answer = edit(http, named, **({"mask": {"file_id": name}} if is_mask else {}))
            assert refusal(answer) == (400, "invalid_value", "mask.file_id" if is_mask else "images[0].file_id")
            assert len(name) < 20 or name not in answer.text
    assert vendor.requests(api_key, FEATURES) == []


def test_files_that_are_no_pictures(client, http, vendor, api_key):
    expected = (400, "invalid_image_format", "images[0].file_id")
    text = {"file_id": file_of(client, b"just words", "a.txt")}
    assert refusal(edit(http, text)) == expected
    assert refusal(edit(http, text, mask=data(MASK))) == expected
    assert vendor.requests(api_key, FEATURES) == []


def test_a_file_that_the_vendor_gives_nobody(client, http, vendor, api_key):
    named = {"file_id": file_of(client)}
    vendor.answers(f"asset:{api_key}", {"status": 403, "text": ""})
    assert edit(http, named, model="qwen-image-edit-plus").status_code == 200
    assert refusal(edit(http, named, mask=data(MASK))) == (502, "upstream_error", None)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"images": [data(b"just words")]}, (400, "invalid_image_format", "images[0].image_url")),
        ({"mask": data(picture("opaque", 16, 9))}, (400, "invalid_value", "mask")),
        ({"mask": data(MASK), "model": "qwen-image-edit-plus"}, (404, "model_not_found", "model")),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_what_is_wrong(http, vendor, api_key, fields, expected):
    assert refusal(edit(http, **fields)) == expected
    assert vendor.requests(api_key) == []


def test_a_large_picture(http, vendor, api_key):
    """The largest image that may be sent in JSON."""
    large = png(16, 9, [b"\7\7\7" * 16] * 9)[:-12]
    extra = 14_000_000
    chunk = extra.to_bytes(4, "big") + b"teXt" + bytes(extra) + b"\0\0\0\0"
    large += chunk + PICTURE[-12:]
    assert edit(http, data(large)).status_code == 200
    assert vendor.uploads(api_key)[0]["sha256"] == hashlib.sha256(large).hexdigest()


def test_edits_are_counted_once_whatever_names_the_picture(start_relay, new_key, caller):
    http = caller(start_relay(RATE_LIMIT=None, RATE_LIMIT_IMAGES="2/minute"), new_key())
    answers = [edit(http), edit(http, mask=data(MASK)), edit(http)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
