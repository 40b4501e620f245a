"""Bodies in usage records show no keys, however a body contains them."""

import contextlib
import json
import random
import re
import string

import conftest
import local_http
import pytest
from limited import chat_body
from memcached import wait_for
from operating import PASSWORD, SECRET, SETTINGS, Operator

LETTERS = string.ascii_letters + string.digits + "-_"
CALLER = "".join(random.choices(LETTERS, k=40))


def new_key() -> str:
    return "vk-" + "".join(random.choices(LETTERS, k=20)) + "/" + "".join(random.choices(LETTERS, k=random.randint(20, 60)))


KEYS = [new_key() for _ in range(100)]


@pytest.fixture(scope="module")
def operated(launch):
    with started(launch, 2) as running:
        yield running


@contextlib.contextmanager
def started(launch, kilobytes: int):
    conftest.secrets.update((PASSWORD, SECRET, CALLER))
    relay = launch(
        **SETTINGS, KEY_TEAM_TOKEN=CALLER, ADMIN_LOG_BODIES="true", ADMIN_BODY_KB=str(kilobytes), PROVIDER_DEMO_MODELS="echo",
        PROVIDER_FAR_KIND="openai", PROVIDER_FAR_BASE_URL="http://127.0.0.1:1/v1", PROVIDER_FAR_API_KEYS=",".join(KEYS), PROVIDER_FAR_MODELS="far",
    )  # fmt: skip
    yield relay, Operator(relay.base_url), kilobytes * 1024
    relay.stop()


def escaped(key: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in key)


def in_string(key: str) -> str:
    return json.dumps({"a": [1], "key": key, "password": "nobody-sees-it"}).replace("/", "\\/")


# How the text of a message contains a key. The message is a string of JSON again.
FORMS = [
    escaped,
    lambda key: json.dumps({"arguments": in_string(key)}),
    lambda key: f"POST / HTTP/1.1\r\nAuthorization: Bearer {key}\r\nX-Api-Key: {key}\r\n\r\n",
]


def shown(key: str, text: str) -> list[str]:
    for _ in range(3):
        text = re.sub(r"\\+u00([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text)
    text = text.replace("\\", "")
    return [key[place : place + 5] for place in range(len(key) - 4) if key[place : place + 5] in text]


def record_of(relay, operator, content: str, raw=lambda body: body, **fields) -> dict:
    def newest() -> int:
        return max([item["id"] for item in operator.items("/admin/req_logs")], default=0)

    before = newest()
    body = raw(json.dumps(chat_body(model="echo", messages=[{"role": "user", "content": content}], **fields)))
    headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": "application/json"}
    assert local_http.post(relay.v1 + "/chat/completions", content=body, headers=headers, timeout=60).status_code == 200
    wait_for(lambda: newest() > before)
    return operator.data(f"/admin/req_logs/{newest()}")


@pytest.mark.parametrize("form", FORMS)
def test_bodies_show_no_keys(operated, form, is_streamed):
    relay, operator, limit = operated
    key = CALLER if is_streamed else random.choice(KEYS)
    text = form(key)
    # The key is at the beginning, and at the cut of the request's and of the response's record.
    for length in (0, limit - 100 - random.randrange(len(text)), limit - 2 * len(text)):
        raw = (lambda body: body.replace("/", "\\/")) if random.random() < 0.5 else str
        record = record_of(relay, operator, "My: " + ". " * (max(0, length) // 2) + text, raw, stream=is_streamed)
        for body in (record["request_data"], record["response_data"]):
            assert body and len(body.encode()) <= limit
            assert not shown(key, body) and "nobody-sees-it" not in body, (key, body[-3000:])
            assert length > 0 or "***" in body, body


def test_long_bodies_are_recorded_whole(launch):
    """Long texts are masked on another thread, in the record of the same request."""
    text = " ".join(f"{number} {KEYS[number % 100]}" for number in range(6_000))
    with started(launch, 64) as (relay, operator, limit):
        records = [record_of(relay, operator, text, stream=stream) for stream in (False, True)]
    for record in records:
        for body in (record["request_data"], record["response_data"]):
            # At a cut, a record may end with the first characters of a key.
            assert len(body.encode()) <= limit and "0 *** 1 *** 2 *** 3 ***" in body and not re.search("vk-..", body.rstrip('"}]'))


def test_bytes_are_recorded_as_their_type_and_length(start_relay, server):
    conftest.secrets.update((PASSWORD, SECRET, CALLER))
    relay = start_relay(
        **SETTINGS, KEY_TEAM_TOKEN=CALLER, ADMIN_LOG_BODIES="true", PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url,
        PROVIDER_ROW_MODELS="m=at/bytes",
    )  # fmt: skip
    server.says("at/bytes", {"raw": b"ID3" + bytes(100), "type": "audio/mpeg"})
    said = {"model": "m", "input": "Hi", "voice": "v"}
    assert local_http.post(relay.v1 + "/audio/speech", json=said, headers={"Authorization": f"Bearer {CALLER}"}).status_code == 200
    operator = Operator(relay.base_url)
    wait_for(lambda: operator.items("/admin/req_logs"))
    (item,) = operator.items("/admin/req_logs")
    assert operator.data(f"/admin/req_logs/{item['id']}")["response_data"] == "[audio/mpeg, 103 bytes]"
