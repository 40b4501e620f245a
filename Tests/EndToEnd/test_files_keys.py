"""Uploads whose key the vendor refuses: a short file is retried with the next key."""

import uuid

import pytest
from conftest import VENDOR_KEY
from refusals import refusal
from test_files import FILES, post

TOKEN = "token-of-who-uploads"
LIMITED = {"status": 429, "text": ""}
LONG = b"x" * (2 << 20)


@pytest.fixture
def keys():
    return [f"key-{uuid.uuid4().hex}" for _ in range(3)]


@pytest.fixture
def http(start_relay, caller, keys):
    relay = start_relay(ONE_MIN_API_KEYS=",".join(keys), KEY_A_TOKEN=TOKEN, RATE_LIMIT="off")
    return caller(relay, TOKEN)


def home(http, vendor, keys):
    """Returns the key with which the caller's files are uploaded, and the other keys."""
    assert post(http).status_code == 200
    (first,) = [key for key in keys if vendor.uploads(key)]
    vendor.forget(first)
    return first, [key for key in keys if key != first]


def test_the_files_of_a_caller_are_uploaded_with_one_key(http, vendor, keys):
    first, others = home(http, vendor, keys)
    for _ in range(3):
        assert post(http).status_code == 200
    assert [len(vendor.uploads(key)) for key in (first, *others)] == [3, 0, 0]


@pytest.mark.parametrize("refused", [
    LIMITED, {"status": 401, "json": {"message": "API Key has been deleted"}},
    {"status": 406, "json": {"errorCode": "INSUFFICIENT_CREDITS"}},
    {"answer_at": 1000, "status": 401, "json": {"message": "API Key has been deleted"}},
], ids=["limited", "deleted", "poor", "before the end"])  # fmt: skip
def test_a_short_file_goes_on_with_the_next_key(http, vendor, keys, refused):
    content = b"0123456789" * 50_000
    first, others = home(http, vendor, keys)
    vendor.answers(f"upload:{first}", refused)
    made = post(http, {"file": ("a.txt", content)})
    assert made.status_code == 200, made.text
    # The vendor notes what it refuses after the end, too.
    assert vendor.uploaded(first) == ([] if "answer_at" in refused else [content])
    assert sorted(vendor.uploaded(key) for key in others) == [[], [content]]
    # The file is kept by the key that took it.
    assert http.get(f"{FILES}/{made.json()['id']}/content").content == content


def test_each_key_is_tried_once(http, vendor, keys):
    for key in keys:
        vendor.answers(f"upload:{key}", LIMITED)
    assert refusal(post(http)) == (429, "rate_limit_exceeded", None)


def test_another_failure_is_told_at_once(http, vendor, keys):
    first, others = home(http, vendor, keys)
    vendor.answers(f"upload:{first}", {"status": 500, "text": ""})
    assert post(http).status_code == 502
    assert [vendor.uploads(key) for key in others] == [[], []]


def test_a_long_file_is_not_kept(http, vendor, keys):
    first, others = home(http, vendor, keys)
    vendor.answers(f"upload:{first}", LIMITED)
    assert refusal(post(http, {"file": ("a.txt", LONG)})) == (429, "rate_limit_exceeded", None)
    assert [vendor.uploaded(key) for key in others] == [[], []]
    # The first key rests, and the next one takes it.
    assert post(http, {"file": ("a.txt", LONG)}).status_code == 200


@pytest.fixture
def both(start_relay, caller, keys, server):
    """A client of a relay with 1min.ai, which has two keys, and a server, which gets what 1min.ai does not take."""
    relay = start_relay(
        PROVIDERS="one,row", PROVIDER_ONE_KIND="onemin", PROVIDER_ONE_API_KEYS=",".join(keys[:2]), PROVIDER_ROW_KIND="openai",
        PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_API_KEY=VENDOR_KEY, PROVIDER_ROW_MODELS="m", KEY_A_TOKEN=TOKEN, RATE_LIMIT="off",
    )  # fmt: skip
    server.says("files", {})
    server.shelf.files.clear()
    yield caller(relay, TOKEN)
    assert server.take_violations() == []


@pytest.mark.parametrize("failure", [{"status": 500, "text": ""}, LIMITED, {"answer_at": 1000, "status": 503, "text": ""}], ids=str)
def test_the_next_provider_stores_what_the_first_does_not(both, vendor, server, keys, failure):
    content = b"0123456789" * 50_000
    for key in keys[:2]:
        vendor.answers(f"upload:{key}", failure)
    made = post(both, {"file": ("a.txt", content)})
    assert (made.status_code, made.headers["x-relay-provider"]) == (200, "row"), made.text
    (kept,) = server.shelf.of(VENDOR_KEY).values()
    assert kept[2] == content
    # Its holder, which is not the provider of new files, reads and deletes it.
    for key in keys[:2]:
        vendor.answers(f"upload:{key}", {})
    url = f"{FILES}/{made.json()['id']}"
    assert both.get(f"{url}/content").content == content
    assert both.delete(url).json()["deleted"] is True
    assert server.shelf.of(VENDOR_KEY) == {}


def test_a_long_file_is_not_for_the_next_provider(both, vendor, server, keys):
    first, (other,) = home(both, vendor, keys[:2])
    vendor.answers(f"upload:{first}", {"status": 500, "text": ""})
    assert post(both, {"file": ("a.txt", LONG)}).status_code == 502
    assert server.shelf.of(VENDOR_KEY) == {} and vendor.uploads(other) == []


def test_a_server_without_files_is_passed_over(start_relay, caller, server):
    url = server.base_url
    relay = start_relay(
        PROVIDERS="none,row", PROVIDER_NONE_KIND="openai", PROVIDER_NONE_BASE_URL=f"{url}/without", PROVIDER_NONE_API_KEY=VENDOR_KEY, PROVIDER_NONE_MODELS="m",
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=url, PROVIDER_ROW_API_KEY=VENDOR_KEY, PROVIDER_ROW_MODELS="m", KEY_A_TOKEN=TOKEN, RATE_LIMIT="off",
    )  # fmt: skip
    server.says("files", {})
    made = post(caller(relay, TOKEN))
    assert (made.status_code, made.headers["x-relay-provider"]) == (200, "row"), made.text
    server.take_violations()
