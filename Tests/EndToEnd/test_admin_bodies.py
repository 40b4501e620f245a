"""Bodies in usage records show no keys, however a body contains them."""

import contextlib
import json
import random
import re
import string

import conftest
import local_http
from limited import chat_body
from memcached import wait_for
from operating import PASSWORD, SECRET, SETTINGS, Operator
from relay_process import provider

LETTERS = string.ascii_letters + string.digits + "-_"
CALLER = "".join(random.choices(LETTERS, k=40))


def new_key() -> str:
    return "vk-" + "".join(random.choices(LETTERS, k=20)) + "/" + "".join(random.choices(LETTERS, k=random.randint(20, 60)))


KEYS = [new_key() for _ in range(100)]


@contextlib.contextmanager
def started(launch, kilobytes: int):
    conftest.secrets.update((PASSWORD, SECRET, CALLER))
    relay = launch(
        **SETTINGS, KEY_TEAM_TOKEN=CALLER, ADMIN_LOG_BODIES="true", ADMIN_BODY_KB=str(kilobytes), PROVIDER_DEMO_MODELS="echo",
        PROVIDER_FAR_KIND="openai", PROVIDER_FAR_BASE_URL="http://127.0.0.1:1/v1", PROVIDER_FAR_API_KEYS=",".join(KEYS), PROVIDER_FAR_MODELS="far",
    )  # fmt: skip
    yield relay, Operator(relay.base_url), kilobytes * 1024
    relay.stop()


def record_of(relay, operator, content: str, raw=lambda body: body, **fields) -> dict:
    def newest() -> int:
        return max([item["id"] for item in operator.items("/admin/req_logs")], default=0)

    before = newest()
    body = raw(json.dumps(chat_body(model="echo", messages=[{"role": "user", "content": content}], **fields)))
    headers = {"Authorization": f"Bearer {CALLER}", "Content-Type": "application/json"}
    assert local_http.post(relay.v1 + "/chat/completions", content=body, headers=headers, timeout=60).status_code == 200
    wait_for(lambda: newest() > before)
    return operator.data(f"/admin/req_logs/{newest()}")


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
    relay = start_relay(**SETTINGS, KEY_TEAM_TOKEN=CALLER, ADMIN_LOG_BODIES="true", **provider("ROW", "openai", server.base_url, "m=at/bytes"))
    server.says("at/bytes", {"raw": b"ID3" + bytes(100), "type": "audio/mpeg"})
    said = {"model": "m", "input": "Hi", "voice": "v"}
    assert local_http.post(relay.v1 + "/audio/speech", json=said, headers={"Authorization": f"Bearer {CALLER}"}).status_code == 200
    operator = Operator(relay.base_url)
    wait_for(lambda: operator.items("/admin/req_logs"))
    (item,) = operator.items("/admin/req_logs")
    assert operator.data(f"/admin/req_logs/{item['id']}")["response_data"] == "[audio/mpeg, 103 bytes]"
