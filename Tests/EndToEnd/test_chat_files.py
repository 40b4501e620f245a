"""Documents in chat requests: sent with the request, or uploaded before and named by their ids."""

import base64

import local_http
import parts
import pytest
import sealed
from chat import CHAT_PATH, MODEL, PATH, ask, body, refusal
from onemin_assets import EXTENSIONS
from parts import text, user
from pictures import AUDIO_STARTS, picture

ASSETS = "/api/assets"
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 20
DOCX = b"PK\x03\x04" + bytes(26) + b"word/document.xml" + bytes(100)
DOC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)
WHERE = "messages[0].content[1].file.file_data"


def sent(http, data, name="notes.txt", kind="text/plain", **fields):
    return ask(http, messages=[user(text("Read it."), parts.file(data, name, kind))], **fields)


def test_a_document_arrives_as_it_is(client, vendor, api_key, is_streamed):
    message = user(text("Read it."), parts.file(PDF, "my report.pdf", "application/pdf"), text("Well?"))
    got = client.chat.completions.create(model=MODEL, messages=[message], stream=is_streamed)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in got) if is_streamed else got.choices
    (upload,) = parts.files_of(vendor, api_key)
    assert base64.b64decode(upload["data64"]) == PDF
    assert (upload["name"], upload["type"]) == ("my report.pdf", "application/pdf")
    assert parts.call(vendor, api_key)["prompt"] == "Read it.\n[File 1: my report.pdf]\nWell?"


@pytest.mark.parametrize(
    ("data", "given", "name", "kind"),
    [
        (b"# Title\n\n* one", "notes.md", "notes.txt", "text/plain"),
        (b"print('h\xc3\xa9')", "script.py", "script.txt", "text/plain"),
        (PDF, "wrong.txt", "wrong.pdf", "application/pdf"),
        (DOC, "old.doc", "old.doc", "application/msword"),
        (DOCX, "new.docx", "new.docx", next(kind for kind in EXTENSIONS if kind.endswith("wordprocessingml.document"))),
        (b"x", "../../etc/passwd", "passwd.txt", "text/plain"),
        (b"x", "C:\\letters\\a.txt", "a.txt", "text/plain"),
        (b"x", "stra\u00dfe \u96ea.txt", "stra\u00dfe \u96ea.txt", "text/plain"),
        (b"x", "a\r\nb.txt", "ab.txt", "text/plain"),
    ],
)
def test_kinds_are_told_by_content(http, vendor, api_key, data, given, name, kind):
    assert sent(http, data, given, "application/octet-stream").status_code == 200
    (upload,) = parts.files_of(vendor, api_key)
    assert (base64.b64decode(upload["data64"]), upload["name"], upload["type"]) == (data, name, kind)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": base64.b64encode(PDF).decode()}},
        {"type": "file", "file": {"file_data": parts.data_url(PDF)}},
        {"type": "input_file", "filename": "a.pdf", "file_data": parts.data_url(PDF)},
    ],
    ids=["base64", "no-name", "responses"],
)
def test_other_forms(http, vendor, api_key, part):
    assert ask(http, messages=[user(text("a"), part)]).status_code == 200
    assert [base64.b64decode(file["data64"]) for file in parts.files_of(vendor, api_key)] == [PDF]


@pytest.mark.parametrize("model", [MODEL, "o3-mini"], ids=["vision", "blind"])
def test_with_and_without_vision(http, vendor, api_key, model):
    assert sent(http, PDF, model=model).status_code == 200
    assert len(parts.files_of(vendor, api_key)) == 1


def test_beside_pictures_and_search(http, vendor, api_key):
    mine = picture("mine")
    message = user(parts.file(b"one", "1.txt"), parts.picture(mine), parts.file(b"two", "2.txt"), text("Compare."))
    assert ask(http, messages=[message], web_search=True).status_code == 200
    assert [file["name"] for file in parts.files_of(vendor, api_key)] == ["1.txt", "2.txt"]
    assert parts.pictures_of(vendor, api_key) == [mine]
    call = parts.call(vendor, api_key)
    assert call["prompt"] == "[File 1: 1.txt]\n[Image 1]\n[File 2: 2.txt]\nCompare."
    assert call["settings"]["webSearchSettings"]["webSearch"] is True


def test_code_is_not_made_where_files_are_brought(http, vendor, api_key):
    """Code generation accepts only a prompt: files are not dropped for it."""
    model = "gpt-4o"
    tools = [{"type": "code_interpreter"}]
    assert sent(http, PDF, model=model, tools=tools).status_code == 200
    assert len(parts.files_of(vendor, api_key)) == 1


def test_a_conversation_uploads_a_file_once(http, vendor, api_key):
    for _ in range(3):
        assert sent(http, PDF, "a.pdf").status_code == 200
    assert len(vendor.requests(api_key, ASSETS)) == 1
    vendor.forget(api_key)
    assert sent(http, PDF, "a.pdf").status_code == 200
    assert len(vendor.requests(api_key, ASSETS)) == 2


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (AUDIO_STARTS["mp3"] + bytes(100), "unsupported_value"),
        (b"\xff\xfe\x00latin", "unsupported_value"),
        (b"", "invalid_value"),
    ],
    ids=["sound", "binary", "empty"],
)
def test_what_is_no_document(http, vendor, api_key, data, code):
    status, error, _ = refusal(http, messages=[user(text("a"), parts.file(data, "a.txt"))])
    assert (status, error["type"], error["code"], error["param"]) == (400, "invalid_request_error", code, WHERE)
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize(
    ("file", "code", "param"),
    [
        ({}, "missing_required_parameter", "messages[0].content[1].file.file_id"),
        ({"file_data": "data:text/plain,abc"}, "invalid_value", WHERE),
        ({"file_url": "https://example.invalid/a"}, "invalid_value", "messages[0].content[1].file.file_url"),
    ],
)
def test_odd_parts(http, vendor, api_key, file, code, param):
    status, error, _ = refusal(http, messages=[user(text("a"), {"type": "file", "file": file})])
    assert (status, error["code"], error["param"]) == (400, code, param)
    assert vendor.requests(api_key) == []


def test_a_vendor_that_names_no_id(http, vendor, api_key):
    vendor.answers(f"upload:{api_key}", {"json": {"asset": {"key": "documents/a.pdf"}}})
    assert sent(http, PDF).status_code == 502
    assert vendor.requests(api_key, CHAT_PATH) == []


@pytest.fixture
def uploaded(http, vendor, api_key):
    """Returns a document and an image that the vendor keeps for the key."""
    assert ask(http, messages=[user(parts.file(PDF, "a.pdf"), parts.picture(picture("b")))]).status_code == 200
    return sorted(vendor.uploads(api_key), key=lambda upload: upload["type"])


def by_id(id):
    return {"type": "file", "file": {"file_id": id}}


def test_by_id(client, vendor, api_key, uploaded):
    file, image = (sealed.file_id(api_key, upload) for upload in uploaded)
    message = user(by_id(file), text("Read it, look at it."), by_id(image), {"type": "input_image", "file_id": image})
    client.chat.completions.create(model=MODEL, messages=[message])
    call = parts.call(vendor, api_key)
    assert call["attachments"] == {"images": [uploaded[1]["path"]] * 2, "files": [uploaded[0]["uuid"]]}
    assert call["prompt"] == "[File 1: a.pdf]\nRead it, look at it.\n[Image 1]\n[Image 2]"
    assert len(vendor.requests(api_key, ASSETS)) == 2


def test_files_of_the_whole(http, vendor, api_key, uploaded):
    file, image = (sealed.file_id(api_key, upload) for upload in uploaded)
    assert ask(http, "Read it.", file_ids=[file, image]).status_code == 200
    call = parts.call(vendor, api_key)
    assert call["attachments"] == {"images": [uploaded[1]["path"]], "files": [uploaded[0]["uuid"]]}
    assert call["prompt"] == "Read it."
    assert ask(http, "Nothing.", file_ids=[]).status_code == 200
    assert "attachments" not in parts.call(vendor, api_key)


def test_ids_that_are_not_the_callers(http, vendor, api_key, new_key, uploaded):
    good = sealed.file_id(api_key, uploaded[0])
    calls = len(vendor.requests(api_key))
    unknown = [
        sealed.file_id(new_key(), uploaded[0]), good[:-1] + ("A" if good[-1] != "A" else "B"), good[:-8], "file-", "",
        "file-abc", uploaded[0]["uuid"], "file-" + "A" * 2_000, sealed.file_id(api_key, uploaded[0], kind="known"),
        sealed.file_id(api_key, uploaded[0], secret="other"), sealed.file_id(api_key, uploaded[0], expires_at=1),
    ]  # fmt: skip
    for id in unknown:
        status, error, _ = refusal(http, messages=[user(text("a"), by_id(id))])
        assert (status, error["code"]) == (400, "invalid_value"), id
        assert error["param"] == "messages[0].content[1].file.file_id"
        status, error, _ = refusal(http, file_ids=[good, id])
        assert (status, error["code"], error["param"]) == (400, "invalid_value", "file_ids[1]")
    assert len(vendor.requests(api_key)) == calls


def test_no_address_in_an_id_reaches_the_vendor(http, vendor, api_key, uploaded):
    """Without FILE_ID_SECRET callers can encrypt ids themselves."""
    calls = len(vendor.requests(api_key))
    made_up = uploaded[1] | {"path": "https://169.254.169.254/cat.png"}
    status, error, _ = refusal(http, file_ids=[sealed.file_id(api_key, made_up)])
    assert (status, error["code"], error["param"]) == (400, "invalid_value", "file_ids[0]")
    assert len(vendor.requests(api_key)) == calls


def test_a_file_of_another_provider(http, vendor, api_key, uploaded):
    for how in ({"provider": "other"}, {"account": "another key"}):
        id = sealed.file_id(api_key, uploaded[0], **how)
        status, error, _ = refusal(http, file_ids=[id])
        assert (status, error["code"], error["param"]) == (400, "unsupported_value", "file_ids[0]")


def test_a_picture_by_id_for_a_model_without_vision(http, vendor, api_key, uploaded):
    id = sealed.file_id(api_key, uploaded[1])
    status, error, _ = refusal(http, model="o3-mini", file_ids=[id])
    assert (status, error["param"]) == (400, "messages")


def test_a_document_in_place_of_a_picture(http, vendor, api_key, uploaded):
    part = {"type": "input_image", "file_id": sealed.file_id(api_key, uploaded[0])}
    status, error, _ = refusal(http, messages=[user(text("a"), part)])
    assert (status, error["code"]) == (400, "invalid_image_format")


def test_too_many(http, vendor, api_key, uploaded):
    id = sealed.file_id(api_key, uploaded[0])
    assert ask(http, file_ids=[id] * 20).status_code == 200
    status, error, _ = refusal(http, file_ids=[id] * 21)
    assert (status, error["code"], error["param"]) == (400, "too_many_parts", "file_ids[20]")


def test_with_the_key_that_it_was_uploaded_with(start_relay, vendor, new_key):
    """Only one of the relay's keys knows the file."""
    own, token, secret = [new_key() for _ in range(3)], new_key(), "a-secret-of-forty-visible-characters-...-"
    relay = start_relay(PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEYS=",".join(own), KEY_ONE_TOKEN=token, FILE_ID_SECRET=secret)
    headers = {"Authorization": f"Bearer {token}"}
    with local_http.Client(base_url=relay.base_url, headers=headers, timeout=30) as http:
        for _ in own:
            answer = sent(http, PDF, "a.pdf")
            assert answer.status_code == 200
        provider = answer.headers["x-relay-provider"]
        ids = []
        for key in own:
            (upload,) = vendor.uploads(key)
            how = {"account": key, "provider": provider, "kind": "known", "secret": secret}
            ids.append(sealed.file_id(token, upload, **how))
            for _ in range(2):
                assert ask(http, file_ids=ids[-1:]).status_code == 200
            assert len(vendor.requests(key, CHAT_PATH)) == 3
        status, error, _ = refusal(http, file_ids=ids)
        assert (status, error["param"]) == (400, "file_ids[1]")


def test_a_vendor_that_keeps_nothing(start_relay, new_key):
    relay = start_relay(PROVIDER_DEMO_KIND="echo", ANONYMOUS_MODELS="all")
    for part in (parts.file(PDF), parts.picture(picture("a")), parts.sound(AUDIO_STARTS["wav"])):
        answer = local_http.post(relay.base_url + PATH, json=body(model="echo", messages=[user(text("a"), part)]))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "unsupported_value", "messages")
    answer = local_http.post(relay.base_url + PATH, json=body(model="echo", file_ids=["file-1"]))
    assert answer.status_code == 400
