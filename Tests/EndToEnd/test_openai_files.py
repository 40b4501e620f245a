"""Files of callers at providers of the kind openai: uploaded, read and deleted there, and named in chats by the vendor's ids."""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import conftest
import httpx
import officials
import openai
import pytest
import sealed
from chat import ask, refusal, stream
from conftest import VENDOR_KEY
from memcached import wait_for
from relay_process import provider
from usage import File

MODEL, VIA, OTHER = "big/model:1", "via/model", "other/model"
SECOND_KEY, VIA_KEY, OTHER_KEY = "second-key-at-the-server", "third-key-at-the-server", "fourth-key-at-the-server"
TOKENS = {name: f"token-of-files-{name}" for name in ("team", "else", "via")}
LINES = b'{"a": 1}\n{"b": 2}\n' * 40
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 8
FAILED = {"status": 500, "json": {"error": {"message": "It broke."}}}


def settings(server, **more):
    conftest.secrets.update((*TOKENS.values(), VENDOR_KEY, SECOND_KEY, VIA_KEY, OTHER_KEY))
    url = server.base_url
    return {
        "KEY_TEAM_TOKEN": TOKENS["team"], "KEY_ELSE_TOKEN": TOKENS["else"], "KEY_VIA_TOKEN": TOKENS["via"], "KEY_VIA_MODELS": "via",
        **provider("ROW", "openai", url, f"fast={MODEL},both={MODEL}", API_KEYS=f"{VENDOR_KEY},{SECOND_KEY}", PRIORITY=2),
        **provider("VIA", "openai", url, f"via={VIA}", API_KEY=VIA_KEY, CHAT_VIA="responses"),
        **provider("OTHER", "openai", url, f"both={OTHER},other={OTHER}", API_KEY=OTHER_KEY, PRIORITY=1), "RATE_LIMIT": "off",
        "BREAKER_FAILURES": 1000, "PROVIDERS": "row,via,other",
    } | more  # fmt: skip


@pytest.fixture(scope="module")
def keeping(launch, server):
    return launch(**settings(server))


@pytest.fixture
def calm(server):
    """The server, which must not refuse anything in the test."""
    for model in (MODEL, VIA, OTHER, "files"):
        server.says(model, {})
    yield server
    assert server.take_violations() == []


@pytest.fixture
def team(keeping, calm, caller):
    return caller(keeping, TOKENS["team"])


official = officials.openai_of("keeping", "calm", token=TOKENS["team"])


@pytest.fixture(scope="module")
def by_key(launch, server):
    """Relays of the same callers, each with one of the keys."""
    return {key: launch(**settings(server, PROVIDER_ROW_API_KEYS=key)) for key in (VENDOR_KEY, SECOND_KEY)}


def upload(http, name="a.pdf", content=PDF, kind="application/pdf", **fields):
    data = {"purpose": "user_data"} | fields
    answer = http.post("/v1/files", data=data, files={"file": (name, content, kind)})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def kept(server, *keys):
    """Returns the only file that the server has for one of these keys, with its key and id."""
    (found,) = [(key, id, file) for key in keys for id, file in server.shelf.of(key).items()]
    return found


@pytest.fixture
def empty(calm):
    calm.shelf.files.clear()
    return calm


def by_id(id, **more):
    return [{"role": "user", "content": [{"type": "text", "text": "Read it."}, {"type": "file", "file": {"file_id": id}}], **more}]


def test_a_files_life(official, empty):
    made = official.files.create(
        file=("train (1).jsonl", LINES, "application/jsonl"), purpose="fine-tune",
        expires_after={"anchor": "created_at", "seconds": 7200},
    )  # fmt: skip
    key, vendors_id, file = kept(empty, VENDOR_KEY, SECOND_KEY)
    assert file == ("train (1).jsonl", "application/jsonl", LINES, "fine-tune")
    assert empty.shelf.ends[vendors_id] == ["created_at", "7200"]
    assert vendors_id not in made.id and made.expires_at == made.created_at + 7200
    assert (made.filename, made.bytes, made.purpose) == ("train (1).jsonl", len(LINES), "fine-tune")
    assert official.files.retrieve(made.id) == made
    assert made in official.files.list().data
    assert official.files.content(made.id).read() == LINES
    assert official.files.delete(made.id).deleted
    assert empty.shelf.of(key) == {}
    assert {request["headers"]["authorization"] for request in empty.asked("files")} == {f"Bearer {key}"}
    with pytest.raises(openai.NotFoundError):
        official.files.content(made.id)
    assert made not in official.files.list().data


def test_fields_behind_the_file_go_on(team, empty):
    parts = [
        ("file", ("a b.pdf", PDF, "application/pdf")), ("purpose", (None, "batch")),
        ("expires_after[anchor]", (None, "created_at")), ("expires_after[seconds]", (None, "3600")),
    ]  # fmt: skip
    assert team.post("/v1/files", files=parts).status_code == 200
    _, id, file = kept(empty, VENDOR_KEY, SECOND_KEY)
    assert file == ("a b.pdf", "application/pdf", PDF, "batch") and empty.shelf.ends[id] == ["created_at", "3600"]


def test_a_name_that_another_model_serves_is_a_right_to_files(launch, server, empty, caller):
    more = {"KEY_NARROW_TOKEN": "token-of-files-narrow", "KEY_NARROW_MODELS": "gone", "MODEL_REPLACEMENTS": "gone:via"}
    http = caller(launch(**settings(server, **more)), "token-of-files-narrow")
    id = upload(http)
    assert ask(http, model="gone", messages=by_id(id)).status_code == 200
    assert kept(empty, VENDOR_KEY, SECOND_KEY, VIA_KEY, OTHER_KEY)[0] == VIA_KEY
    assert http.get(f"/v1/files/{id}/content").content == PDF
    assert http.delete(f"/v1/files/{id}").status_code == 200


def test_a_large_file(team, empty):
    content = bytes(range(256)) * 8_000
    id = upload(team, content=content)
    assert kept(empty, VENDOR_KEY, SECOND_KEY)[2][2] == content
    assert team.get(f"/v1/files/{id}/content").content == content


def test_nothing_is_handed_over_that_is_refused(team, empty):
    for fields in ({"purpose": "fun"}, {}, {"purpose": "batch", "expires_after[seconds]": "7200"}):
        assert team.post("/v1/files", data=fields, files={"file": ("a", LINES)}).status_code == 400
    assert empty.shelf.files == {}


def test_chats_name_the_vendors_file_with_the_key_that_it_was_uploaded_with(team, by_key, empty, caller):
    for key, is_streamed in itertools.product(by_key, (False, True)):
        empty.shelf.files.clear()
        id = upload(caller(by_key[key], TOKENS["team"]))
        _, vendors_id, _ = kept(empty, key)
        for _ in range(2):
            empty.says(MODEL, {"extra": True})
            if is_streamed:
                assert stream(team, model="fast", messages=by_id(id), odd=[1.50]).text() == "Hello there"
            else:
                assert ask(team, model="fast", messages=by_id(id), odd=[1.50]).status_code == 200
            (request,) = empty.asked(MODEL)
            assert request["headers"]["authorization"] == f"Bearer {key}"
            assert request["body"]["messages"] == by_id(vendors_id) and request["body"]["odd"] == [1.5]
            assert id.encode() not in request["raw"]


def test_files_of_different_keys_are_not_for_one_request(team, by_key, empty, caller):
    """The relay itself uploads the files of a caller with one key, as long as it can be used."""
    ids = [upload(caller(relay, TOKENS["team"]), "a.png", purpose="vision") for relay in by_key.values()]
    assert all(empty.shelf.of(key) for key in by_key)
    documents = [{"type": "file", "file": {"file_id": id}} for id in ids]
    images = [{"file_id": id} for id in ids]
    for answer in (
        ask(team, model="fast", messages=[{"role": "user", "content": documents}]),
        edit(team, images=images), edit(team, images=images[:1], mask=images[1]),
    ):  # fmt: skip
        assert answer.status_code == 400 and "with different keys; upload them again" in answer.json()["error"]["message"], answer.text
    empty.shelf.files.clear()
    ids = [upload(team, "a.png", purpose="vision") for _ in range(4)]
    assert sorted(len(empty.shelf.of(key)) for key in by_key) == [0, 4]
    assert edit(team, images=[{"file_id": id} for id in ids]).status_code == 200


def test_other_ways_to_name_a_file(team, empty):
    id = upload(team)
    _, vendors_id, _ = kept(empty, VENDOR_KEY, SECOND_KEY)
    file = {"type": "file", "file": {"file_id": vendors_id}}
    document = {"type": "document", "source": {"type": "file", "file_id": id}}
    for path, fields in (
        ("chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "file_ids": [id]}),
        ("responses", {"store": False, "input": [{"role": "user", "content": [{"type": "input_file", "file_id": id}]}]}),
        ("messages", {"max_tokens": 9, "messages": [{"role": "user", "content": [document]}]}),
    ):
        empty.says(MODEL, {})
        answer = team.post(f"/v1/{path}", json={"model": "fast"} | fields)
        assert answer.status_code == 200, answer.text
        parts = [part for message in empty.body(MODEL)["messages"] for part in message["content"] if isinstance(part, dict)]
        assert file in parts, path


def test_an_id_that_is_written_with_escapes(team, empty):
    id = upload(team)
    _, vendors_id, _ = kept(empty, VENDOR_KEY, SECOND_KEY)
    text = '{"model":"fast","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"%s"}}]}]}'
    answer = team.post("/v1/chat/completions", content=text % id.replace("file-", "file\\u002d"), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert empty.body(MODEL)["messages"][0]["content"] == [{"type": "file", "file": {"file_id": vendors_id}}]


@pytest.mark.parametrize("part", [
    '{"type":"file","file":{"file_id":"ID","file_id":"file-hidden"}}',
    '{"type":"file","file":{"file_id":"ID","file\\u005fid":"file-hidden"}}',
    '{"type":"file","file":{"file_id":"ID"},"file":{"file_id":"file-hidden"}}',
    '{"type":"file","file":{"file_id":"ID"},"fi\\u006ce":{"file\\u005fid":"file-hidden"}}',
    '{"type":"text","text":"a","type":"file","file":{"file_id":"file-hidden"}}',
    '{"type":"text","text":"a"}],"content":[{"type":"file","file":{"file_id":"file-hidden"}}',
    '{"type":"text","text":"a"}],"c\\u006fntent":[{"type":"file","file":{"file\\u005fid":"file-hidden"}}',
])  # fmt: skip
def test_an_id_that_only_other_readers_find(team, empty, part):
    """JSON parsers differ in which of two members with one name they use."""
    id = upload(team)
    _, vendors_id, _ = kept(empty, VENDOR_KEY, SECOND_KEY)
    text = '{"model":"fast","messages":[{"role":"user","content":[PART]}]}'.replace("PART", part).replace("ID", id)
    answer = team.post("/v1/chat/completions", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    sent = json.dumps(empty.body(MODEL))
    assert "hidden" not in sent and (vendors_id in sent or '"a"' in sent)


def test_chats_by_the_responses_api(keeping, empty, caller):
    http = caller(keeping, TOKENS["via"])
    id = upload(http)
    _, vendors_id, _ = kept(empty, VIA_KEY)
    picture = {"type": "input_image", "file_id": id}
    assert ask(http, model="via", messages=[{"role": "user", "content": [*by_id(id)[0]["content"], picture]}]).status_code == 200
    assert empty.body(VIA)["input"][0]["content"] == [
        {"type": "input_text", "text": "Read it."}, {"type": "input_file", "file_id": vendors_id},
        {"type": "input_image", "file_id": vendors_id, "detail": "auto"},
    ]  # fmt: skip


def test_who_has_the_file_serves(team, empty):
    id = upload(team)
    _, vendors_id, _ = kept(empty, VENDOR_KEY, SECOND_KEY)
    answer = ask(team, model="both", messages=by_id(id))
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "row"
    assert empty.asked(OTHER) == [] and empty.body(MODEL)["messages"] == by_id(vendors_id)
    assert ask(team, model="both").headers["x-relay-provider"] == "other"
    status, error, _ = refusal(team, model="other", messages=by_id(id))
    assert (status, error["code"], error["param"]) == (400, "unsupported_value", "messages[0].content[1].file.file_id")


def test_ids_that_are_none(team, empty, is_streamed):
    for id in ("file-abc", "file-" + "A" * 200, ""):
        status, error, _ = refusal(team, is_streamed, model="fast", messages=by_id(id))
        assert (status, error["param"]) == (400, "messages[0].content[1].file.file_id")
    assert empty.asked(MODEL) == []


def test_chat_completions_take_no_pictures_by_id(team, empty):
    picture = {"type": "input_image", "file_id": upload(team)}
    status, error, _ = refusal(team, model="fast", messages=[{"role": "user", "content": [picture]}])
    assert (status, error["code"], error["param"]) == (400, "unsupported_value", "messages[0].content[0].file_id")
    assert empty.asked(MODEL) == []


def test_others_files_are_not_there(team, keeping, empty, caller):
    id = upload(team)
    other = caller(keeping, TOKENS["else"])
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert other.request(method, f"/v1/files/{id}{path}").status_code == 404
    assert other.get("/v1/files").json()["data"] == []
    assert refusal(other, model="fast", messages=by_id(id))[0] == 400
    assert len(empty.shelf.files) == 1 and empty.asked(MODEL) == []


def test_a_key_that_is_gone(team, launch, empty, caller):
    id = upload(team)
    with_other_key = caller(launch(**settings(empty, PROVIDER_ROW_API_KEYS="a-new-key-at-the-server")), TOKENS["team"])
    assert with_other_key.get(f"/v1/files/{id}").status_code == 200
    for method, path in (("GET", "/content"), ("DELETE", "")):
        answer = with_other_key.request(method, f"/v1/files/{id}{path}")
        assert answer.status_code == 502 and "key that this file was uploaded with" in answer.json()["error"]["message"]
    assert refusal(with_other_key, model="fast", messages=by_id(id))[0] == 400
    assert len(empty.shelf.files) == 1


@pytest.mark.parametrize("path", ["models/x", "files/x/y", "files/..", "files/", "files/a?b", "files/%2e%2e", "chat"])
def test_ids_that_callers_make_up_lead_to_files_only(team, empty, path):
    made_up = {"size": "9", "uuid": "x", "path": path, "name": "a.txt"}
    id = sealed.file_id(TOKENS["team"], made_up, account=VENDOR_KEY, provider="row", kind="known", name="TEAM")
    for method, rest in (("GET", "/content"), ("DELETE", "")):
        assert team.request(method, f"/v1/files/{id}{rest}").status_code == 404
    assert empty.asked("files") == []


def test_callers_own_keys(launch, empty, caller):
    relay = launch(**provider("PASS", "openai", empty.base_url, f"fast={MODEL}", PASSTHROUGH="true"))
    conftest.secrets.add(key := "a-callers-own-key-at-the-server")
    http = caller(relay, key)
    id = upload(http)
    _, vendors_id, _ = kept(empty, key)
    for named in (id, vendors_id):  # what was uploaded without the relay is theirs as well
        empty.says(MODEL, {})
        assert ask(http, model="fast", messages=by_id(named)).status_code == 200
        assert empty.body(MODEL)["messages"] == by_id(vendors_id)
    assert http.get(f"/v1/files/{id}/content").content == PDF
    assert http.delete(f"/v1/files/{id}").json()["deleted"] and empty.shelf.files == {}


def test_1min_keeps_new_files_where_it_is_there(launch, empty, vendor, new_key, caller):
    conftest.secrets.add(token := "token-of-files-mixed")
    relay = launch(
        KEY_TEAM_TOKEN=token, PROVIDERS="row,one", **provider("ROW", "openai", empty.base_url, f"fast={MODEL}", API_KEY=VENDOR_KEY),
        **provider("ONE", "onemin", vendor.base_url, API_KEY=(key := new_key())),
    )  # fmt: skip
    id = upload(caller(relay, token), name="a.txt", content=b"Hello there", kind="text/plain")
    assert len(vendor.uploads(key)) == 1 and empty.shelf.files == {}
    status, error, _ = refusal(caller(relay, token), model="fast", messages=by_id(id))
    assert (status, error["code"]) == (400, "unsupported_value")


@pytest.mark.parametrize(("script", "status", "code"), [
    (FAILED, 502, "upstream_error"), ({"status": 404}, 404, "unsupported_endpoint"),
    ({"status": 400, "json": {"error": {"message": "Bad lines.", "code": "bad_lines", "param": "file"}}}, 400, "bad_lines"),
    ({"json": {"object": "file"}}, 502, "upstream_error"), ({"json": {"id": "../models"}}, 502, "upstream_error"),
    ({"json": {"id": "x" * 513}}, 502, "upstream_error"), ({"raw": b"<html>"}, 502, "upstream_error"),
])  # fmt: skip
def test_uploads_that_fail(team, empty, script, status, code):
    empty.says("files", script)
    answer = team.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a.jsonl", LINES)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    empty.says("files", {})


def test_content_and_deletions_that_fail(team, empty):
    id = upload(team)
    for script, status in ((FAILED, 502), ({"status": 404}, 404), ({"status": 400, "json": {"error": {"message": "No."}}}, 400)):
        empty.says("files", script)
        assert team.get(f"/v1/files/{id}/content").status_code == status
    empty.says("files", {"cut": True})
    assert team.get(f"/v1/files/{id}/content").status_code == 502
    for script, status in ((FAILED, 502), ({"status": 400, "json": {"error": {"message": "In use."}}}, 400)):
        empty.says("files", script)
        answer = team.delete(f"/v1/files/{id}")
        assert answer.status_code == status and team.get(f"/v1/files/{id}").status_code == 200
    assert answer.json()["error"]["message"] == "In use."
    empty.says("files", {"status": 404})
    assert team.delete(f"/v1/files/{id}").json()["deleted"]
    assert team.get(f"/v1/files/{id}").status_code == 404


@pytest.mark.parametrize(("said", "kind"), [
    (b'{"message":"not allowed"}', "application/json"), (b'{"error":"no"}', "application/json"), (b"{}", "application/json"),
    (b'{"deleted":false}', "application/json"), (b"<html>Log in</html>", "text/html"),
])  # fmt: skip
def test_a_deletion_that_is_not_confirmed_is_none(team, empty, said, kind):
    id = upload(team)
    empty.says("files", {"says": said, "type": kind})
    answer = team.delete(f"/v1/files/{id}")
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "upstream_error", answer.text
    empty.says("files", {})
    assert team.get(f"/v1/files/{id}/content").content == PDF
    assert team.delete(f"/v1/files/{id}").json()["deleted"] and empty.shelf.files == {}


def test_a_deletion_without_a_word(team, empty):
    id = upload(team)
    empty.says("files", {"says": b""})
    assert team.delete(f"/v1/files/{id}").json()["deleted"]


@pytest.mark.parametrize("script", [{"cut": True}, {"part": 30_000}])
def test_content_that_is_cut(team, empty, script):
    """A part of long content has been sent before the cut is known."""
    id = upload(team, content=PDF + bytes(50_000))
    empty.says("files", script)
    answer = team.get(f"/v1/files/{id}/content")
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "upstream_error", answer.text
    empty.says("files", {})
    id = upload(team, content=PDF + bytes(500_000))
    empty.says("files", script)
    with pytest.raises(httpx.RemoteProtocolError):
        team.get(f"/v1/files/{id}/content")


def edit(http, model="fast", **fields):
    return http.post("/v1/images/edits", json={"model": model, "prompt": "a hat"} | fields)


def test_an_edit_names_files_by_the_vendors_ids(team, by_key, empty, caller):
    for key, relay in by_key.items():
        id = upload(caller(relay, TOKENS["team"]), "a.png", purpose="vision")
        _, vendors_id, _ = kept(empty, key)
        url = {"image_url": "data:image/png;base64,iVBORw0KGgo="}
        answer = edit(team, images=[{"file_id": id}, url], mask={"file_id": id}, n=1)
        assert answer.status_code == 200, answer.text
        (seen,) = empty.asked(MODEL)
        assert seen["headers"]["authorization"] == f"Bearer {key}"
        assert seen["body"] == {
            "model": MODEL, "prompt": "a hat", "images": [{"file_id": vendors_id}, url], "mask": {"file_id": vendors_id}, "n": 1,
        }  # fmt: skip
        empty.shelf.files.clear()
        empty.says(MODEL, {})


def test_an_edit_is_for_who_has_its_files(team, empty):
    id = upload(team, "a.png", purpose="vision")
    assert edit(team, "both", images=[{"file_id": id}]).headers["x-relay-provider"] == "row"
    answer = edit(team, "other", images=[{"image_url": "data:,"}], mask={"file_id": id})
    assert answer.json()["error"]["param"] == "mask.file_id" and "does not have this file" in answer.json()["error"]["message"]
    assert empty.asked(OTHER) == []


@pytest.mark.parametrize(
    ("images", "param"),
    [
        ('[{"file_id":"file-of-the-vendor"}]', "images[0].file_id"), ('[{"image_url":"data:,"},{"file_id":"' + "x" * 3_000 + '"}]', "images[1].file_id"),
        ('[{"file_id":"%s","file_id":"file-of-the-vendor"}]', "images[0].file_id"), ('[{"file\\u005fid":"file-of-the-vendor"}]', "images[0]"),
        ("[" + ",".join(['{"file_id":"%s"}'] * 65) + "]", "images[64].file_id"),
    ],
)  # fmt: skip
def test_an_edit_may_not_name_what_is_not_the_callers(team, empty, images, param):
    images = images.replace("%s", upload(team, "a.png", purpose="vision"))
    asked = f'{{"model":"fast","prompt":"x","images":{images}}}'
    answer = team.post("/v1/images/edits", content=asked, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
    assert empty.asked(MODEL) == []


@pytest.fixture(scope="module")
def bounded(launch, server):
    return launch(**settings(server, PROVIDER_ROW_CONCURRENCY=1, KEY_TEAM_MODELS="fast"))


def no_room(answer):
    assert answer.status_code == 429, answer.text
    assert answer.headers["x-relay-limited-by"] == "relay" and answer.headers["retry-after"] == "1"
    return True


def test_calls_about_files_take_the_capacity_of_their_key(bounded, by_key, empty, caller):
    http = caller(bounded, TOKENS["team"])
    ids = {key: upload(caller(relay, TOKENS["team"])) for key, relay in by_key.items()}
    gate = threading.Event()
    before = len(empty.requests)

    def uploads():
        return [seen for seen in empty.requests[before:] if seen["path"] == "/files"]

    with ThreadPoolExecutor(2) as pool:
        # One key uploads, the other chats.
        empty.says("files", {"gate": gate})
        uploading = pool.submit(upload, http)
        wait_for(lambda: len(uploads()) == 1)
        empty.says(MODEL, {"gate": gate})
        chatting = pool.submit(ask, http, model="fast")
        wait_for(lambda: len(empty.asked(MODEL)) == 1)
        busy = [seen["headers"]["authorization"] for seen in (*uploads(), *empty.asked(MODEL))]
        assert set(busy) == {f"Bearer {key}" for key in ids}
        for id in ids.values():
            assert no_room(http.get(f"/v1/files/{id}/content")) and no_room(http.delete(f"/v1/files/{id}"))
        assert no_room(ask(http, model="fast"))
        form = {"files": {"file": ("a.pdf", PDF)}, "data": {"purpose": "user_data"}}
        assert no_room(http.post("/v1/files", **form))
        assert (len(uploads()), empty.asked("files"), len(empty.asked(MODEL))) == (1, [], 1)
        gate.set()
        assert uploading.result() and chatting.result().status_code == 200
    empty.says("files", {})
    for id in ids.values():
        assert http.get(f"/v1/files/{id}/content").content == PDF
        assert http.delete(f"/v1/files/{id}").json()["deleted"]
    assert http.get("/v1/files").status_code == 200


def test_calls_about_files_cost_nothing_and_lack_no_price(launch, empty, caller, tmp_path):
    relay = launch(**settings(empty, USAGE_LOG_FILE=tmp_path / "files.jsonl", PROVIDER_ROW_COSTS="fast=0.001", DATA_DIR=tmp_path / "data"))
    http = caller(relay, TOKENS["team"])
    id = upload(http)
    answers = [http.get("/v1/files"), http.get(f"/v1/files/{id}/content"), http.delete(f"/v1/files/{id}")]
    assert [answer.status_code for answer in answers] == [200] * 3
    records = [record for record in File(tmp_path / "files.jsonl").more(7) if record["provider"]]
    assert len(records) == 6 and {record["cost"] for record in records} == {0}
    wait_for(lambda: (days := http.get("/v1/usage").json()["days"]) and days[0]["requests"] == 4, 20)
    assert "cost_is_partial" not in http.get("/v1/usage").json()["days"][0]
    relay.stop()
