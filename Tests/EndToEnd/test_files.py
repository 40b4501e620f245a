"""Files of callers: uploaded through the relay to the vendor, listed, looked up, read and deleted by their ids."""

import base64
import hashlib
import io
import json
import socket
import time
import uuid

import checked
import httpx2
import local_http
import openai
import pytest
import sealed
from limited import client as plain
from memcached import wait_for
from rawhttp import Closed, chunked, connected, request
from refusals import refusal
from relay_process import judges_memory

FILES = "/v1/files"
UPSTREAM = (502, "upstream_error", None)
TEXT = "Grüße, 世界!\n".encode()
NOT_FOUND = "No such File object: "


def post(http, files=None, *, path=FILES, **fields):
    """Uploads a file; `files` as in httpx."""
    given = {name: value for name, value in ({"purpose": "user_data"} | fields).items() if value is not None}
    return http.post(path, files={"file": ("a.txt", TEXT)} if files is None else files, data=given)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def official():
    """`official(relay, key)`: the official client, with checked responses."""
    clients = []

    def made(relay, key):
        clients.append(checked.client(httpx2, timeout=30))
        return openai.OpenAI(api_key=key, base_url=relay.v1, max_retries=0, http_client=clients[-1])

    yield made
    for http in clients:
        http.close()


def test_a_files_life(client, vendor, api_key):
    before = int(time.time())
    made = client.files.create(file=("report é.txt", TEXT, "text/plain"), purpose="assistants")
    assert made.id.startswith("file-") and (made.bytes, made.filename) == (len(TEXT), "report é.txt")
    assert (made.purpose, made.object, made.status) == ("assistants", "file", "processed")
    assert before <= made.created_at <= time.time() and made.expires_at is None
    (upload,) = vendor.uploads(api_key)
    assert base64.b64decode(upload["data64"]) == TEXT and upload["type"] == "text/plain"
    assert client.files.retrieve(made.id) == made
    assert client.files.list().data == [made]
    content = client.files.content(made.id)
    assert content.read() == TEXT and content.response.headers["content-type"] == "text/plain"
    assert client.files.delete(made.id).deleted
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        with pytest.raises(openai.NotFoundError) as caught:
            call(made.id)
        assert caught.value.body["message"].startswith(NOT_FOUND)
    assert client.files.list().data == []


def test_waiting_for_processing_ends_at_once(client):
    made = client.files.create(file=TEXT, purpose="user_data")
    assert client.files.wait_for_processing(made.id, poll_interval=0.01).id == made.id


def test_pages(client):
    made = [client.files.create(file=(f"{n}.txt", TEXT), purpose="vision" if n % 2 else "batch") for n in range(5)]
    names = [file.filename for file in client.files.list()]
    assert names == ["4.txt", "3.txt", "2.txt", "1.txt", "0.txt"]
    assert [file.filename for file in client.files.list(limit=2)] == names, "the client pages by itself"
    assert [file.filename for file in client.files.list(limit=2, order="asc")] == names[::-1]
    assert [file.filename for file in client.files.list(purpose="vision", limit=1)] == ["3.txt", "1.txt"]
    page = client.files.list(limit=2)
    assert page.has_more and (page.first_id, page.last_id) == (made[4].id, made[3].id)
    last = client.files.list(limit=2, after=made[1].id)
    assert [file.filename for file in last.data] == ["0.txt"] and not last.has_more
    assert not client.files.list(limit=5).has_more and client.files.list(purpose="evals").data == []
    assert client.files.list(after=made[2].id, purpose="vision").data == [made[1]]


def test_an_empty_list(http):
    assert http.get(FILES).json() == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_files_that_are_deleted_while_they_are_listed(client, order):
    for n in range(7):
        client.files.create(file=(f"{n}.txt", TEXT), purpose="batch")
    deleted = []
    for file in client.files.list(limit=2, order=order):
        client.files.delete(file.id)
        deleted.append(file.filename)
    assert deleted == [f"{n}.txt" for n in range(7)][:: 1 if order == "asc" else -1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", (400, "integer_below_min_value", "limit")), ("limit=x", (400, "invalid_type", "limit")),
        ("limit=10001", (400, "integer_above_max_value", "limit")), ("limit=%31%30", None), ("limit=+1", None),
        ("order=up", (400, "invalid_value", "order")), ("after=file-x", (400, "invalid_value", "after")),
        ("purpose=none", None), ("", None), ("&&=&a&b=", None), ("limit=", None), ("%6cimit=0",
        (400, "integer_below_min_value", "limit")), ("limit=99999999999999999999", (400, "invalid_type", "limit")),
    ],
)  # fmt: skip
def test_what_may_be_asked_of_a_list(http, query, expected):
    answer = http.get(f"{FILES}?{query}")
    if query == "limit=+1":
        assert answer.status_code == 400
    elif expected is None:
        assert answer.status_code == 200
    else:
        assert refusal(answer) == expected


BINARY = bytes(range(256)) * 20


@pytest.mark.parametrize(
    ("name", "kind", "sent"),
    [
        ("sheet.xlsx", "application/vnd.ms-excel", 'filename="sheet.xlsx"'),
        ("blob", "application/octet-stream", 'filename="blob.bin"'), ("a.zip", "", 'filename="a.zip"'),
    ],
)  # fmt: skip
def test_what_the_vendor_does_not_take(http, vendor, api_key, name, kind, sent):
    """The vendor is called anyway, because its list may grow."""
    assert refusal(post(http, {"file": (name, b"PK\3\4" + BINARY, kind)})) == (400, None, None)
    vendor.take_violations(api_key)


def part(disposition: bytes, content: bytes = TEXT, *, last: bool = False, kind: bytes = b"") -> bytes:
    head = b"--b\r\nContent-Disposition: " + disposition + b"\r\n" + kind
    return head + b"\r\n" + content + b"\r\n" + (b"--b--\r\n" if last else b"")


FILE = b'form-data; name="file"; filename="a.txt"'
PURPOSE = b'form-data; name="purpose"'


def head(key: str, **fields) -> dict[str, str | None]:
    return {"content_type": "multipart/form-data; boundary=b", "authorization": f"Bearer {key}"} | fields


def send(relay, key, body, **fields):
    with connected(relay.port) as peer:
        return peer.ask(request("POST", FILES, body, **head(key, **fields)))


@pytest.mark.parametrize("order", ["file first", "purpose first", "around"])
@pytest.mark.parametrize("framing", ["length", "chunked", "bytes"])
def test_forms_in_any_order_and_framing(relay, vendor, api_key, order, framing):
    extra = part(b'form-data; name="other"', b"x")
    body = {
        "file first": part(FILE) + part(PURPOSE, b"batch", last=True),
        "purpose first": part(PURPOSE, b"batch") + part(FILE, last=True),
        "around": extra + part(FILE) + extra + part(PURPOSE, b"batch") + extra.replace(b"x", b"y") + b"--b--",
    }[order]
    with connected(relay.port) as peer:
        if framing == "length":
            answer = peer.ask(request("POST", FILES, body, **head(api_key)))
        else:
            size = 1 if framing == "bytes" else 50
            pieces = chunked(*[body[at : at + size] for at in range(0, len(body), size)])
            fields = head(api_key, content_length=None, transfer_encoding="chunked")
            answer = peer.ask(request("POST", FILES, b"", **fields) + pieces)
        assert answer.status == 200 and answer.json()["bytes"] == len(TEXT)
        peer.assert_open()
    assert vendor.uploads(api_key)[0]["sha256"] == digest(TEXT)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"purpose": None}, (400, "missing_required_parameter", "purpose")),
        ({"purpose": ""}, (400, "missing_required_parameter", "purpose")),
        ({"purpose": "fun"}, (400, "invalid_value", "purpose")),
        ({"expires_after": "3600"}, (400, "invalid_type", "expires_after")),
        ({"expires_after[seconds]": "3600"}, (400, "missing_required_parameter", "expires_after.anchor")),
        ({"expires_after[anchor]": "created_at"}, (400, "missing_required_parameter", "expires_after.seconds")),
        ({"expires_after[anchor]": "now", "expires_after[seconds]": "3600"}, (400, "invalid_value", "expires_after.anchor")),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"},
         (400, "integer_below_min_value", "expires_after.seconds")),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "2592001"},
         (400, "integer_above_max_value", "expires_after.seconds")),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "soon"}, (400, "invalid_type", "expires_after.seconds")),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("is_behind", [False, True])
def test_fields_that_are_wrong(relay, vendor, api_key, fields, expected, is_behind):
    """Before the file, wrong fields are refused before the vendor gets the request. After it, the vendor sees no end of
    the upload."""
    given = {name: value for name, value in ({"purpose": "batch"} | fields).items() if value is not None}
    parts = [part(f'form-data; name="{name}"'.encode(), value.encode()) for name, value in given.items()]
    body = b"".join([part(FILE, TEXT * 1000), *parts] if is_behind else [*parts, part(FILE, TEXT * 1000)]) + b"--b--"
    answer = send(relay, api_key, body)
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["param"]) == expected
    assert vendor.uploads(api_key) == []
    if is_behind:
        vendor.wait(api_key, "upload_cut")


def test_expiry(client, http):
    made = client.files.create(file=("a.txt", TEXT), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600})
    assert made.expires_at == made.created_at + 3600 and client.files.retrieve(made.id) == made
    assert http.get(FILES).json()["data"][0]["expires_at"] == made.expires_at


FORM = part(PURPOSE, b"batch") + part(FILE, last=True)


@pytest.mark.parametrize(
    ("body", "fields", "expected"),
    [
        (part(PURPOSE, b"batch", last=True), {}, (400, "file")), (b"--b--\r\n", {}, (400, "file")),
        (part(FILE, b"") + part(PURPOSE, b"batch", last=True), {}, (400, "file")),
        (part(FILE) + part(FILE) + part(PURPOSE, b"batch", last=True), {}, (400, "file")),
        (FORM, {"content_type": "multipart/form-data"}, (400, None)), (FORM, {"content_type": None}, (400, None)),
        (FORM, {"content_type": "application/json"}, (400, None)), (b"", {}, (400, None)),
        (FORM, {"content_type": "multipart/form-data; boundary=c"}, (400, None)),
        (FORM, {"content_type": "multipart/form-data; boundary=" + "b" * 71}, (400, None)),
        (FORM.removesuffix(b"--b--\r\n"), {}, (400, None)), (FORM[:-20], {}, (400, None)),
        (part(b"form-data") + b"--b--", {}, (400, None)), (part(b"attachment; name=x") + b"--b--", {}, (400, None)),
        (part(b'form-data; name="x"', b"") * 1000 + FORM, {}, (400, None)),
        (part(FILE, kind=b"X: " + b"y" * 9000 + b"\r\n"), {}, (400, None)),
        (part(FILE, kind=b"Content-Transfer-Encoding: base64\r\n") + b"--b--", {}, (400, None)),
        (part(b'form-data; name="x"', b"y" * 1_048_577) + FORM, {}, (413, None)),
        (FORM, {"content_encoding": "gzip"}, (415, None)),
    ],
    ids=lambda value: str(value)[:50],
)  # fmt: skip
def test_forms_that_are_none(relay, vendor, api_key, body, fields, expected):
    answer = send(relay, api_key, body, **fields)
    assert (answer.status, answer.json()["error"]["param"]) == expected
    assert vendor.uploads(api_key) == []


@pytest.mark.parametrize("excess", [0, 1])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_the_largest_file(start_relay, vendor, api_key, excess, framing):
    relay = start_relay(MAX_UPLOAD_MB=1)
    content = b"%PDF-1.7" + bytes((1 << 20) + excess - 8)
    body = part(PURPOSE, b"batch") + part(FILE, content, last=True)
    if framing == "length":
        sent = request("POST", FILES, body, **head(api_key))
    else:
        fields = head(api_key, content_length=None, transfer_encoding="chunked")
        sent = request("POST", FILES, b"", **fields) + chunked(body)
    with connected(relay.port) as peer:
        answer = peer.ask(sent)
    if excess:
        assert answer.status == 413 and vendor.uploads(api_key) == []
        vendor.wait(api_key, "upload_cut")
    else:
        assert answer.status == 200 and vendor.uploads(api_key)[0]["sha256"] == digest(content)


def upload_body(size: int) -> bytes:
    return part(PURPOSE, b"batch") + part(FILE, TEXT * (size // len(TEXT)), last=True)


def test_a_slow_client(relay, vendor, api_key):
    """The client's file is sent to the vendor long before its end has arrived."""
    body = upload_body(200_000)
    with connected(relay.port) as peer:
        peer.send(request("POST", FILES, body, **head(api_key))[: -len(body) + 100_000])
        vendor.wait(api_key, "upload_began")
        peer.send(body[100_000:])
        assert peer.receive().status == 200


def test_a_client_that_leaves_while_it_reads(relay, http, vendor, api_key):
    content = b"%PDF-1.7\n" + BINARY * 4000
    made = post(http, {"file": ("a.pdf", content)}).json()
    with connected(relay.port, receive_bytes=4096) as peer:
        peer.send(request("GET", f"{FILES}/{made['id']}/content", authorization=f"Bearer {api_key}"))
        assert peer.reads(b"%PDF")
    vendor.wait(api_key, "client_closed")


def test_the_process_ends_when_an_upload_has(start_relay, vendor, new_key):
    relay, key = start_relay(), new_key()
    body = upload_body(1 << 20)
    with connected(relay.port) as peer:
        peer.send(request("POST", FILES, body, **head(key))[: -len(body) + 500_000])
        vendor.wait(key, "upload_began")
        relay.process.terminate()
        wait_for(lambda: is_draining(relay))
        peer.send(body[500_000:])
        answer = peer.receive()
    assert answer.status == 200 and vendor.uploads(key)[0]["size"] == answer.json()["bytes"]
    relay.stop()


def is_draining(relay) -> bool:
    return local_http.get(relay.base_url + "/ready").status_code == 503


def test_the_process_cuts_an_upload_that_takes_too_long(start_relay, vendor, new_key):
    relay, key = start_relay(SHUTDOWN_SECONDS="1s"), new_key()
    body = upload_body(1 << 20)
    with connected(relay.port) as peer:
        peer.send(request("POST", FILES, body, **head(key))[: -len(body) + 500_000])
        vendor.wait(key, "upload_began")
        relay.stop()
        vendor.wait(key, "upload_cut")
        assert peer.until_closed() == b"" and vendor.uploads(key) == []


@pytest.mark.parametrize(
    ("upload", "expected"),
    [
        ({"status": 401, "json": {"message": "API Key has been deleted"}}, (401, "invalid_api_key", None)),
        ({"status": 403, "text": ""}, (403, "permission_denied", None)),
        ({"status": 406, "json": {"errorCode": "INSUFFICIENT_CREDITS"}}, (402, "insufficient_quota", None)),
        ({"status": 400, "json": {"errorCode": "UNSUPPORTED_FILE_TYPE", "message": "odd"}}, (400, None, None)),
        ({"status": 413, "text": "<html>"}, (400, None, None)), ({"status": 429, "text": ""},
        (429, "rate_limit_exceeded", None)), ({"status": 404, "text": ""}, UPSTREAM),
        ({"status": 500, "text": "<html>"}, UPSTREAM), ({"status": 503, "text": ""}, (503, "upstream_error", None)),
        ({"text": "<html>"}, UPSTREAM), ({"text": ""}, UPSTREAM), ({"json": {}}, UPSTREAM),
        ({"json": {"fileContent": {"uuid": "x"}}}, UPSTREAM), ({"json": {"fileContent": {"path": 5}}}, UPSTREAM),
        ({"json": {"fileContent": {"path": "x" * 301}}}, UPSTREAM), ({"json": {"fileContent": {"path": "a",
        "uuid": "x" * 65}}}, UPSTREAM), ({"status": 302, "headers": {"Location": "/"}}, UPSTREAM),
        ({"cut_at": -1}, UPSTREAM), ({"cut_at": 20, "cut_how": "rst"}, UPSTREAM),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_uploads_that_the_vendor_fails(http, vendor, api_key, upload, expected):
    vendor.answers(f"upload:{api_key}", upload)
    assert refusal(post(http)) == expected
    assert http.get(FILES).json()["data"] == []


@pytest.mark.parametrize(("status", "expected"), [(401, 401), (413, 400), (500, 502), (200, 502)])
def test_a_vendor_that_answers_in_the_midst(relay, vendor, api_key, status, expected):
    vendor.answers(f"upload:{api_key}", {"answer_at": 1000, "status": status, "json": {"message": "odd"}})
    body = upload_body(4 << 20)
    with connected(relay.port) as peer:
        peer.send(request("POST", FILES, body, **head(api_key)))
        assert peer.receive().status == expected


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"status": 404, "text": ""}, UPSTREAM), ({"status": 403, "text": ""}, UPSTREAM),
        ({"status": 500, "text": ""}, UPSTREAM), ({"status": 302, "headers": {"Location": "/"}}, UPSTREAM),
        ({"cut_at": -1}, UPSTREAM), ({"text": ""}, UPSTREAM),
    ],
    ids=str,
)  # fmt: skip
def test_content_that_the_vendor_refuses(http, vendor, api_key, scenario, expected):
    made = post(http).json()
    vendor.answers(f"asset:{api_key}", scenario)
    assert refusal(http.get(f"{FILES}/{made['id']}/content")) == expected


@pytest.mark.parametrize("scenario", [{"cut_at": 50_000}, {"body64": "JVBERi0xLjcK"}, {"text": "x" * 200_000}], ids=str)
def test_content_that_is_not_whole_never_ends_well(relay, http, vendor, api_key, scenario):
    made = post(http, {"file": ("a.pdf", b"%PDF-1.7\n" + BINARY * 20)}).json()
    vendor.answers(f"asset:{api_key}", scenario)
    with connected(relay.port) as peer, pytest.raises(Closed):
        peer.ask(request("GET", f"{FILES}/{made['id']}/content", authorization=f"Bearer {api_key}"))


def test_content_is_fetched_without_the_key(http, vendor, api_key):
    """The fake reports a key at its asset host as a violation."""
    made = post(http, {"file": ("ä b.txt", TEXT)}).json()
    assert http.get(f"/files/{made['id']}/content").content == TEXT
    (read,) = [seen for seen in vendor.requests(api_key) if seen["method"] == "GET"]
    assert "api-key" not in read["headers"] and "authorization" not in read["headers"]


def test_heads_fetch_no_content(relay, http, api_key):
    made = post(http).json()
    for path in (FILES, f"{FILES}/{made['id']}", f"{FILES}/{made['id']}/content"):
        answer = http.head(path)
        assert answer.status_code == 200 and answer.content == b""


def test_no_key_no_files(relay, start_relay):
    known = start_relay(
        PROVIDER_DEMO_KIND="echo", ANONYMOUS_MODELS="all", PROVIDER_PAID_KIND="onemin", PROVIDER_PAID_API_KEYS="k",
        KEY_ME_TOKEN="token-of-mine-1",
    )  # fmt: skip
    for target, key in ((relay, None), (known, None), (known, "nobodys")):
        fields = {"headers": {"Authorization": f"Bearer {key}"}} if key else {}
        with local_http.Client(base_url=target.v1, **fields) as http:
            answers = [http.get("/files"), http.get("/files/file-x"), http.get("/files/file-x/content"),
                       http.delete("/files/file-x"), http.post("/files", files={"file": b"x"})]  # fmt: skip
        assert {answer.status_code for answer in answers} == {401}
        assert {answer.json()["error"]["code"] for answer in answers} == {"invalid_api_key"}


def test_others_files_are_not_there(relay, official, new_key):
    """Whatever is wrong with an id, the response is the same."""
    mine, other = (official(relay, new_key()) for _ in range(2))
    made = mine.files.create(file=("a.txt", TEXT), purpose="batch")
    gone = mine.files.create(file=("b.txt", TEXT), purpose="batch")
    mine.files.delete(gone.id)
    at = len(made.id) // 2
    changed = made.id[:at] + ("A" if made.id[at] != "A" else "B") + made.id[at + 1 :]
    said = set()
    for client, name in ((other, made.id), (mine, changed), (mine, made.id[:-4]), (mine, made.id + "A"), (mine, gone.id),
                         (mine, "file-" + uuid.uuid4().hex), (mine, "x"), (mine, made.id.removeprefix("file-")),
                         (mine, "file-"), (mine, "é"), (mine, "a/b"), (mine, "f" * 5000)):  # fmt: skip
        for call in (client.files.retrieve, client.files.content, client.files.delete):
            with pytest.raises(openai.NotFoundError) as caught:
                call(name)
            shown = name[:64]
            assert caught.value.body["message"] == NOT_FOUND + shown
            said.add((caught.value.type, caught.value.param, caught.value.code))
    assert said == {("invalid_request_error", "id", None)}
    assert mine.files.retrieve(made.id) == made and other.files.list().data == []


ELSEWHERE = [
    "http://127.0.0.1:{port}/x.png", "//127.0.0.1:{port}/x.png", "../x.png", "a/../../x.png", "a\r\nX: y.png",
    "%2e%2e/x.png", "a/%252e%252e/x.png", "a\\..\\x.png", "https%3a//127.0.0.1:{port}/x.png", "data:image/png,x.png",
]  # fmt: skip


@pytest.fixture(scope="module")
def deep(launch, vendor):
    return launch(ONE_MIN_ASSET_URL=vendor.asset_url + "/deep/inside")


@pytest.mark.parametrize("path", ELSEWHERE)
def test_an_id_that_a_caller_made_up_to_lead_elsewhere_is_none(deep, vendor, api_key, path):
    """A holder of a key can encrypt ids if no secret is set."""
    with socket.create_server(("127.0.0.1", 0)) as inner, plain(deep, api_key) as http:
        inner.settimeout(0)
        upload = {"uuid": "u", "path": path.format(port=inner.getsockname()[1]), "name": "a", "size": "5"}
        made = sealed.file_id(api_key, upload)
        for answer in (http.get(f"{FILES}/{made}"), http.get(f"{FILES}/{made}/content"), http.delete(f"{FILES}/{made}")):
            assert (answer.status_code, answer.json()["error"]["message"]) == (404, NOT_FOUND + made[:64])
        message = {"role": "user", "content": [{"type": "file", "file": {"file_id": made}}]}
        wanted = {"model": "gpt-4o", "messages": [message]}
        assert refusal(http.post("/v1/chat/completions", json=wanted))[:2] == (400, "invalid_value")
        wanted = {"model": "gpt-image-1", "prompt": "a", "images": [{"file_id": made}]}
        assert refusal(http.post("/v1/images/edits", json=wanted)) == (400, "invalid_value", "images[0].file_id")
        wanted["mask"] = {"file_id": made}
        assert refusal(http.post("/v1/images/edits", json=wanted))[:2] == (400, "invalid_value")
        assert vendor.requests(api_key) == []
        with pytest.raises(BlockingIOError):
            inner.accept()


@pytest.mark.parametrize("path", ["@127.0.0.1:{port}/x", "x?y#z"])
def test_a_path_that_a_caller_made_up_stays_on_the_asset_host(http, api_key, path):
    """A path must not lead to other hosts."""
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0)
        upload = {"uuid": "u", "path": path.format(port=inner.getsockname()[1]), "name": "a", "size": "5"}
        made = sealed.file_id(api_key, upload)
        assert http.get(f"{FILES}/{made}").json()["filename"] == "a", "the id is good"
        assert refusal(http.get(f"{FILES}/{made}/content")) == UPSTREAM
        with pytest.raises(BlockingIOError):
            inner.accept()


def test_a_chat_reads_an_uploaded_file_until_it_is_deleted(client, vendor, api_key):
    made = client.files.create(file=("a.txt", TEXT), purpose="user_data")
    content = [{"type": "text", "text": "Sum it up"}, {"type": "file", "file": {"file_id": made.id}}]
    messages = [{"role": "user", "content": content}]
    assert client.chat.completions.create(model="gpt-4o-mini", messages=messages).choices[0].message.content
    (call,) = vendor.requests(api_key, "/api/chat-with-ai")
    assert call["body"]["promptObject"]["attachments"]["files"] == [vendor.uploads(api_key)[0]["uuid"]]
    client.files.delete(made.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="gpt-4o-mini", messages=messages)
    assert "no file with this id exists" in caught.value.body["message"]
    assert len(vendor.requests(api_key, "/api/chat-with-ai")) == 1


KEYS = {"PROVIDER_PAID_KIND": "onemin", "KEY_A_TOKEN": "token-of-a-00001", "KEY_B_TOKEN": "token-of-b-00001"}


def test_known_callers_use_the_relays_key(start_relay, official, vendor, new_key):
    key = new_key()
    relay = start_relay(**KEYS, PROVIDER_PAID_API_KEYS=key)
    made = official(relay, "token-of-a-00001").files.create(file=("a.txt", TEXT), purpose="batch")
    assert len(vendor.uploads(key)) == 1
    assert official(relay, "token-of-a-00001").files.content(made.id).read() == TEXT
    with pytest.raises(openai.NotFoundError):
        official(relay, "token-of-b-00001").files.retrieve(made.id)


def test_who_may_use_no_provider_that_keeps_files(start_relay, official, new_key):
    relay = start_relay(**KEYS | {"KEY_B_MODELS": "echo"}, PROVIDER_PAID_API_KEYS=new_key(), PROVIDER_DEMO_KIND="echo")
    assert official(relay, "token-of-a-00001").files.create(file=TEXT, purpose="batch").id
    with pytest.raises(openai.NotFoundError) as caught:
        official(relay, "token-of-b-00001").files.create(file=TEXT, purpose="batch")
    assert caught.value.code == "unsupported_endpoint"


def test_the_providers_own_key_is_refused(start_relay, official, vendor, new_key):
    """The operator must fix this, and the caller learns nothing about a key."""
    relay = start_relay(**KEYS, PROVIDER_PAID_API_KEYS=new_key("bad"))
    with pytest.raises(openai.APIStatusError) as caught:
        official(relay, "token-of-a-00001").files.create(file=TEXT, purpose="batch")
    assert caught.value.status_code == 502
    relay.wait_for_line(lambda line: "key k1 was rejected" in str(line.get("cause")))


def test_limits(start_relay, new_key, caller):
    http = caller(start_relay(RATE_LIMIT=None, RATE_LIMIT_FILES="3/minute"), new_key())
    made = post(http).json()
    statuses = [http.get(FILES).status_code, http.get(f"{FILES}/{made['id']}").status_code, post(http).status_code]
    assert statuses == [200, 200, 429]
    assert http.get("/v1/models").status_code == 200


def test_concurrent_uploads_are_limited(start_relay, vendor, new_key, caller):
    relay, key = start_relay(RATE_LIMIT=None, RATE_LIMIT_FILES="1 concurrent"), new_key()
    http = caller(relay, key)
    body = upload_body(200_000)
    with connected(relay.port) as peer:
        peer.send(request("POST", FILES, body, **head(key))[: -len(body) + 100_000])
        vendor.wait(key, "upload_began")
        assert post(http).status_code == 429
        peer.send(body[100_000:])
        assert peer.receive().status == 200
    wait_for(lambda: post(http).status_code == 200)


def test_instances_share_files(start_relay, official, vendor, new_key, store):
    one, other = (start_relay(MEMCACHED_SERVERS=store.address) for _ in range(2))
    key = new_key()
    made = official(one, key).files.create(file=("a.txt", TEXT), purpose="batch")
    client = official(other, key)
    assert client.files.list().data == [made] and client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == TEXT
    one.stop()
    third = official(start_relay(MEMCACHED_SERVERS=store.address), key)
    assert third.files.list().data == [made]
    assert client.files.delete(made.id).deleted and third.files.list().data == []
    with pytest.raises(openai.NotFoundError):
        third.files.content(made.id)
    assert made.id.encode() not in store.dump() and key.encode() not in store.dump() and b"a.txt" not in store.dump()


@pytest.mark.parametrize("how", ["killed", "paused"])
def test_a_store_that_is_away(start_relay, official, new_key, store, how):
    relay, key = start_relay(MEMCACHED_SERVERS=store.address), new_key()
    client = official(relay, key)
    early = client.files.create(file=("a.txt", TEXT), purpose="batch")
    store.kill() if how == "killed" else store.pause()
    late = client.files.create(file=("b.txt", TEXT), purpose="batch")
    relay.wait_for_line(lambda line: line["message"] == "cannot add a file to the list of its owner")
    for made in (early, late):
        assert client.files.retrieve(made.id) == made and client.files.content(made.id).read() == TEXT
    for call in (client.files.list, lambda: client.files.delete(early.id)):
        with pytest.raises(openai.InternalServerError) as caught:
            call()
        assert (caught.value.status_code, caught.value.code) == (503, "store_unavailable")
        assert caught.value.response.headers["retry-after"] == "1"
    store.start() if how == "killed" else store.resume()

    def is_back() -> bool:
        try:
            return client.files.list() is not None
        except openai.InternalServerError:
            return False

    wait_for(is_back)
    assert client.files.delete(late.id).deleted


def test_unversioned_paths_and_wrong_methods(http):
    made = post(http, path="/files").json()
    assert http.get("/files").json()["data"] == [made]
    assert http.get(f"/files/{made['id']}").json() == made
    assert http.get(f"/files/{made['id']}/content").content == TEXT
    assert http.put("/v1/files").status_code == 405 and http.post(f"/v1/files/{made['id']}").status_code == 405
    assert http.post(f"/v1/files/{made['id']}/content").headers["allow"] == "GET, HEAD, DELETE, OPTIONS"
    assert http.delete(f"/files/{made['id']}").json()["deleted"] is True


def test_log_and_counts(start_relay, new_key, caller):
    relay = start_relay()
    http = caller(relay, new_key())
    answer = post(http, {"file": ("secret-name.txt", TEXT)})
    line = relay.wait_for_line(lambda line: line.get("id") == answer.headers["x-request-id"])
    assert (line["route"], line["status"], line["provider"]) == ("/files", 200, "onemin")
    assert answer.headers["x-relay-provider"] == line["provider"]
    read = http.get(f"{FILES}/{answer.json()['id']}/content")
    line = relay.wait_for_line(lambda line: line.get("id") == read.headers["x-request-id"])
    assert line["route"] == "/files/content"
    text = relay.text()
    assert "secret-name" not in text and answer.json()["id"] not in text and json.dumps(TEXT.decode())[1:9] not in text


def resident_kb(relay) -> int:
    with open(f"/proc/{relay.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


@judges_memory
def test_a_large_file_goes_through_unchanged_in_little_memory(start_relay, official, vendor, api_key):
    relay = start_relay()
    client = official(relay, api_key)
    before = resident_kb(relay)
    content = bytes(range(1, 251)) * (64 * 1_048_576 // 250 + 1)
    content = b"%PDF-1.7\n" + content[: (64 << 20) - 9]
    made = client.files.create(file=("large.pdf", io.BytesIO(content)), purpose="user_data")
    assert made.bytes == len(content)
    assert vendor.uploads(api_key)[0]["sha256"] == digest(content)
    got = hashlib.sha256()
    with client.files.with_streaming_response.content(made.id) as answer:
        assert answer.headers["content-type"] == "application/pdf"
        for piece in answer.iter_bytes():
            got.update(piece)
    assert got.hexdigest() == digest(content)
    assert resident_kb(relay) - before < 24 * 1024, "far less than the file"
