"""Limits of each end user behind a known key, by the body's fields and by a header."""

import json
import subprocess
import uuid
from pathlib import Path

import pytest
from chat import PATH, body
from conftest import secrets
from limited import chat, client, metric
from memcached import wait_for
from operating import SETTINGS as OPERATED
from operating import Operator
from relay_process import INHERITED, binary
from usage import lines_so_far

TOKENS = [f"token-{uuid.uuid4().hex}" for _ in range(2)]
HEADER = "X-OpenWebUI-User-Id"
ECHO = {"PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT": "off", "ANONYMOUS_MODELS": "all"}
USERS = {"RATE_LIMIT_USER": "2/hour"}


@pytest.fixture
def keys():
    secrets.update(TOKENS)
    return {f"KEY_{name}_TOKEN": token for name, token in zip("AB", TOKENS, strict=True)}


def statuses(http, count=4, **fields):
    return [chat(http, **fields).status_code for _ in range(count)]


def test_each_end_user_has_limits_over_all_relays(start_relay, caller, store, keys):
    shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}
    relays = [start_relay(**ECHO, **keys, **USERS, **shared) for _ in range(2)]
    one, two = (caller(relay, TOKENS[0]) for relay in relays)
    assert statuses(one, 1, user="ann") + statuses(two, 3, user="ann") == [200, 200, 429, 429]
    refused = chat(two, user="ann")
    assert refused.json()["error"]["message"].endswith(" All requests of this end user share this limit.")
    assert statuses(two, 3, user="bob") == [200, 200, 429], "another user of the key"
    assert statuses(caller(relays[0], TOKENS[1]), 3, user="ann") == [200, 200, 429], "a user is of one key"
    assert statuses(one, 5) == [200] * 5, "requests that name nobody are not covered"
    assert statuses(client(relays[0]), 5, user="ann") == [200] * 5, "nor are callers without a known key"
    assert sum(metric(relay, "relay_limit_decisions_total", kind="user", outcome="admitted") for relay in relays) == 6


def test_the_first_place_that_names_somebody_counts(start_relay, caller, keys):
    relay = start_relay(**ECHO, **keys, **USERS, RATE_LIMIT_USER_FROM=f"{HEADER},safety_identifier,user")
    named = caller(relay, TOKENS[0], **{HEADER.lower(): "carl"})
    assert statuses(named, 3, user="ann") == [200, 200, 429]
    http = caller(relay, TOKENS[0])
    assert statuses(http, 1, user="carl") == [429], "an id is the same one wherever it stands"
    assert statuses(http, 3, user="ann", safety_identifier="dora") == [200, 200, 429]
    assert statuses(http, 2, user="ann") == [200, 200]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}], "metadata": {"user_id": "ann"}}),
        ("responses", {"input": "Hello", "user": "ann"}),
        ("completions", {"prompt": "Hello", "user": "ann"}),
    ],
)
def test_every_surface_names_its_user(start_relay, caller, keys, path, fields):
    relay = start_relay(**ECHO, **keys, **USERS)
    http = caller(relay, TOKENS[0])
    assert [http.post(f"/v1/{path}", json={"model": "echo"} | fields).status_code for _ in range(3)] == [200, 200, 429]


MEDIA = {
    "embeddings": lambda http, fields: http.post("/v1/embeddings", json={"model": "m", "input": "x"} | fields),
    "moderations": lambda http, fields: http.post("/v1/moderations", json={"model": "m", "input": "x"} | fields),
    "images": lambda http, fields: http.post("/v1/images/generations", json={"model": "m", "prompt": "x"} | fields),
    "edits": lambda http, fields: http.post("/v1/images/edits", data={"model": "m", "prompt": "x"} | fields, files={"image": ("a.png", b"x")}),
    "speech": lambda http, fields: http.post("/v1/audio/speech", json={"model": "m", "input": "x", "voice": "v"} | fields),
    "recordings": lambda http, fields: http.post("/v1/audio/transcriptions", data={"model": "m"} | fields, files={"file": ("a.wav", b"x")}),
    "completions": lambda http, fields: http.post("/v1/completions", json={"model": "m", "prompt": "x"} | fields),
    "generate": lambda http, fields: http.post("/generate", json={"model": "m", "prompt": "x"} | fields),
}  # fmt: skip


@pytest.mark.parametrize("name", MEDIA)
def test_each_endpoint_reads_both_fields(start_relay, server, caller, keys, tmp_path, name):
    file = tmp_path / "usage.jsonl"
    relay = start_relay(
        **keys, **USERS, PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_MODELS="m=at/users",
        RATE_LIMIT="off", USAGE_USERS="plain", USAGE_LOG_FILE=str(file),
    )  # fmt: skip
    http = caller(relay, TOKENS[0])
    server.says("at/users", {"extra": True})
    for field in ({"user": "ann"}, {"safety_identifier": "bob"}, {"safety_identifier": "eve", "user": "ann"}):
        assert [MEDIA[name](http, field).status_code for _ in range(3)] == [200, 200, 429], field

    def users():
        return [record["user"] for record in lines_so_far(file) if "kind" not in record and record["status"] == 200]

    wait_for(lambda: len(users()) == 6)
    assert users() == ["ann"] * 2 + ["bob"] * 2 + ["eve"] * 2
    server.take_violations()


def test_a_key_has_its_own_limit_and_none_without_one(start_relay, caller, keys):
    relay = start_relay(**ECHO, **keys, KEY_A_RATE_LIMIT_USER="1/hour")
    assert statuses(caller(relay, TOKENS[0]), 3, user="ann") == [200, 429, 429]
    assert statuses(caller(relay, TOKENS[1]), 3, user="ann") == [200, 200, 200]


def test_the_settings_of_the_page_limit_each_user_of_open_webui(start_relay, seller, caller):
    page = (Path(__file__).parents[2] / "docs/open-webui.md").read_text()
    settings = dict(line.split("=", 1) for line in page.split("```dotenv\n")[1].split("\n```")[0].split("\n"))
    secrets.update(value for name, value in settings.items() if name.endswith(("_TOKEN", "_API_KEY")))
    relay = start_relay(**settings | {"PROVIDER_OPENAI_BASE_URL": f"{seller.base_url}/v1"})
    told = body("Hi", model="gpt-4o-mini", max_tokens=5)
    users = [caller(relay, settings["KEY_WEBUI_TOKEN"], **{HEADER.lower(): user}) for user in ("one", "two")]
    answers = [[http.post(PATH, json=told) for _ in range(21)] for http in users]
    assert [[answer.status_code for answer in each] for each in answers] == [[200] * 20 + [429]] * 2
    assert answers[0][0].headers["x-relay-budget"].endswith(";user")


def test_ids_of_users_are_in_the_store_as_digests_alone(start_relay, caller, store, keys):
    relay = start_relay(**ECHO, **keys, **USERS, MEMCACHED_SERVERS=store.address, MEMCACHED_TIMEOUT="5s")
    assert chat(caller(relay, TOKENS[0]), user="ann-of-the-class").status_code == 200
    assert "ann-of-the-class" not in "".join(store.keys())


@pytest.mark.parametrize("form", ["off", "digest", "plain"])
@pytest.mark.parametrize("store", ["file", "data"])
def test_records_have_the_users_that_the_operator_wants(start_relay, caller, keys, tmp_path, form, store):
    file = tmp_path / "usage.jsonl"
    kept = {"USAGE_LOG_FILE": str(file)} if store == "file" else {"DATA_DIR": str(tmp_path)}
    settings = ECHO | keys | OPERATED | kept | {"USAGE_USERS": form, "RATE_LIMIT_USER_FROM": f"{HEADER},user", "STORE_SECRET": "secret-of-the-store-0123456789"}
    relay = start_relay(**settings)
    ann, other = (caller(relay, token, **{HEADER.lower(): "ann"}) for token in TOKENS)
    assert statuses(ann, 3, user="eve") + statuses(other, 1) + statuses(caller(relay, TOKENS[0]), 2, user="bob") == [200] * 6
    assert statuses(caller(relay, TOKENS[0]), 1) + statuses(client(relay), 1, user="ann") == [200] * 2, "nobody, and a stranger"
    assert statuses(other, 1, model="none") == [404], "a request that is refused has its user, too"

    def summed():
        environment = INHERITED | {"ENV_FILE": "/dev/null"} | settings
        done = subprocess.run([binary(), "usage", "--by", "user", "--json"], env=environment, capture_output=True, text=True, timeout=30)
        return [(row["user"], row["caller"], row["requests"]) for row in json.loads(done.stdout)["rows"]]

    wait_for(lambda: sum(row[2] for row in summed()) == 9)
    rows = sorted(summed(), key=lambda row: (-row[2], row[1] or ""))
    if form == "off":
        assert rows == [(None, None, 9)]
        return
    names = [name for name, _, _ in rows]
    assert [row[1:] for row in rows] == [("a", 3), (None, 2), ("a", 2), ("b", 2)]
    of_ann, of_bob, of_other = (next(name for name, who, count in rows if (who, count) == wanted) for wanted in (("a", 3), ("a", 2), ("b", 2)))
    if form == "plain":
        assert (of_ann, of_bob, of_other) == ("ann", "bob", "ann")
    else:
        assert len({of_ann, of_bob, of_other}) == 3 and all(len(name) == 22 for name in names if name), "each key has digests of its own"
    if store == "file":
        assert sum(record.get("user") == of_ann for record in lines_so_far(file)) == (5 if form == "plain" else 3)
        return
    operator = Operator(relay.base_url)
    assert {row["user"]: row["requests"] for row in operator.items("/admin/timeline", by="user", last="24h")} == (
        {"ann": 5, "bob": 2, None: 2} if form == "plain" else {of_ann: 3, of_other: 2, of_bob: 2, None: 2}
    )
    assert len(operator.items("/admin/req_logs", user=of_ann)) == (5 if form == "plain" else 3)
    assert {row["user"] for row in operator.items("/admin/req_logs")} == {*names}
