"""A known caller whose token is replaced: both tokens are one caller meanwhile."""

import uuid

import pytest
from chat import ask
from limited import assert_admitted, assert_refused, client
from memcached import Memcached, wait_for
from pictures import image

FILES = "/v1/files"
OLD, NEW = "token-that-is-replaced-1", "token-that-replaces-it-2"
SECRET = "one-secret-for-the-ids-of-all"


def chats(relay):
    return [line for line in relay.log_lines() if line.get("route") == "/chat/completions"]


@pytest.fixture
def started(start_relay):
    """`started("old,new")`: a relay whose caller `team` has these tokens."""

    def made(tokens, **more):
        return start_relay(**{"ONE_MIN_API_KEYS": "own-key-of-this-relay", "KEY_TEAM_TOKEN": tokens, "RATE_LIMIT": "3/hour"} | more)

    return made


def upload(http, name="a.txt"):
    answer = http.post(FILES, files={"file": (name, image("png") if name.endswith("png") else b"text")}, data={"purpose": "user_data"})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def listed(http):
    return {made["id"] for made in http.get(FILES).json()["data"]}


def test_both_tokens_are_one_caller(started, vendor):
    relay = started(f"{NEW}\n{OLD}")
    with client(relay, OLD) as old, client(relay, NEW) as new:
        assert_admitted(ask(old), "3 per hour", 2)
        assert_admitted(ask(new), "3 per hour", 1)
        assert_admitted(ask(old), "3 per hour", 0)
        for http in (old, new):
            assert_refused(ask(http), "3 per hour")
    wait_for(lambda: len(chats(relay)) == 5)  # the log is written by a thread of its own
    assert {line["caller"] for line in chats(relay)} == {"team"}
    with client(relay, OLD + NEW) as other:
        assert ask(other).status_code == 401
    relay.wait_for_line(lambda line: "without FILE_ID_SECRET" in line.get("problem", ""))


def test_one_record_over_a_change_of_all_tokens(started):
    store = Memcached()
    try:
        shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}
        for number, tokens in enumerate((OLD, f"{NEW},{OLD}", NEW)):
            with client(started(tokens, **shared), tokens.split(",")[0]) as http:
                assert_admitted(ask(http), "3 per hour", 2 - number)
        text = store.dump()
        assert not [token for token in (OLD, NEW, "TEAM") if token.encode() in text]
    finally:
        store.kill()


@pytest.mark.parametrize("secret", [None, SECRET], ids=["token", "secret"])
def test_files_through_a_rotation(started, vendor, secret):
    """Ids of the old token can be opened while it is in the list; with a secret, always."""
    store = Memcached()
    try:
        shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s", "RATE_LIMIT": "off",
                  "FILE_ID_SECRET": secret, "ONE_MIN_API_KEYS": f"own-{uuid.uuid4().hex}"}  # fmt: skip
        with client(started(OLD, **shared), OLD) as http:
            first = upload(http)
        during = started(f"{NEW},{OLD}", **shared)
        with client(during, OLD) as old, client(during, NEW) as new:
            assert listed(old) == listed(new) == {first}
            second = upload(old)
            for http in (old, new):
                assert listed(http) == {first, second}
                for id in (first, second):
                    assert http.get(f"{FILES}/{id}/content").content == b"text"
                assert ask(http, file_ids=[first, second]).status_code == 200
            assert old.delete(f"{FILES}/{second}").status_code == 200
            assert new.get(f"{FILES}/{second}").status_code == 404
            third = upload(new)
        with client(started(NEW, **shared), NEW) as http:
            assert http.get(f"{FILES}/{third}").status_code == 200
            assert http.get(f"{FILES}/{first}").status_code == (200 if secret else 404)
            assert listed(http) == ({first, third} if secret else {third})
    finally:
        store.kill()


def test_what_is_remembered_of_images_is_the_callers(started, vendor):
    key = f"own-{uuid.uuid4().hex}"
    relay = started(f"{NEW},{OLD}", RATE_LIMIT="off", ONE_MIN_API_KEYS=key)
    with client(relay, OLD) as old, client(relay, NEW) as new:
        made = old.post("/v1/images/generations", json={
            "model": "midjourney", "prompt": "a cat --relax", "size": "1536x1024", "response_format": "url"})  # fmt: skip
        assert made.status_code == 200, made.text
        assert ask(new, f"/v1 {made.json()['data'][0]['url']}", model="midjourney").status_code == 200
    prompt = vendor.requests(key, "/api/features")[-1]["body"]["promptObject"]
    assert (prompt["aspect_width"], prompt["aspect_height"], prompt["mode"]) == (3, 2, "relax")
