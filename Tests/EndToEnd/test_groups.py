"""Groups of keys: limits that several keys share besides their own, over all relays."""

import json
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chat import PATH, body
from conftest import VENDOR_KEY, secrets
from limited import chat, client, metric
from memcached import wait_for
from operating import SETTINGS, Operator
from relay_process import INHERITED, binary
from spending import PROMPT

WORDS = "word " * PROMPT
TOKENS = [f"token-{uuid.uuid4().hex}" for _ in range(50)]
NAMES = [f"K{at}" for at in range(len(TOKENS))]


def members(count, group="eng"):
    secrets.update(TOKENS)
    return {f"KEY_{name}_{field}": value for name, token in zip(NAMES[:count], TOKENS, strict=False) for field, value in (("TOKEN", token), ("GROUP", group))}


ECHO = {"PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT": "off"}


def test_keys_share_what_their_group_may_use(start_relay):
    other = {"KEY_OTHER_TOKEN": "token-of-another-caller", "KEY_OTHER_RATE_LIMIT": "9/hour"}
    relay = start_relay(**ECHO, **members(2), **other, KEY_K0_RATE_LIMIT="2/hour", GROUP_ENG_RATE_LIMIT="5/hour")
    first, second, stranger = (client(relay, token) for token in (*TOKENS[:2], "token-of-another-caller"))
    assert [chat(first).status_code for _ in range(3)] == [200, 200, 429], "its own limit holds besides"
    assert [chat(second).status_code for _ in range(3)] == [200, 200, 200]
    refusal = chat(second)
    assert refusal.status_code == 429 and refusal.json()["error"]["code"] == "rate_limit_exceeded"
    assert refusal.json()["error"]["message"].endswith(" All keys of group eng share this limit.")
    assert chat(stranger).status_code == 200
    assert metric(relay, "relay_limit_decisions_total", kind="group", outcome="admitted") == 5
    assert metric(relay, "relay_limit_decisions_total", kind="group", outcome="refused") == 1


def test_fifty_keys_over_four_relays_never_pass_it(start_relay, store):
    shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}
    relays = [start_relay(**ECHO, **members(50), GROUP_ENG_RATE_LIMIT="300/hour", **shared) for _ in range(4)]
    callers = [client(relays[at % 4], token) for at, token in enumerate(TOKENS)]
    with ThreadPoolExecutor(16) as pool:
        asked = list(pool.map(lambda at: chat(callers[at % 50]).status_code, range(500)))
    assert asked.count(200) == 300 and asked.count(429) == 200
    assert len(store.keys_of("group.requests.3600")) == 1


def test_a_group_is_one_record_more_in_the_same_call(start_relay, store):
    shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s", "SLOT_SECONDS": "3600"}
    quiet = {"KEY_ALONE_TOKEN": "token-without-a-group", "KEY_ALONE_RATE_LIMIT": "1000/hour"}
    relay = start_relay(**ECHO, **members(1), KEY_K0_RATE_LIMIT="1000/hour", GROUP_ENG_RATE_LIMIT="1000/hour", **quiet, **shared)

    def cost(token):
        """Returns the fewest reads and writes of a request; leases and new records cost more."""
        http, costs = client(relay, token), []
        for _ in range(8):
            before = [metric(relay, "relay_store_operations_total", operation=name) for name in ("read", "write")]
            assert chat(http).status_code == 200
            after = [metric(relay, "relay_store_operations_total", operation=name) for name in ("read", "write")]
            costs.append([last - first for first, last in zip(before, after, strict=True)])
        return [min(kind) for kind in zip(*costs, strict=True)]

    assert cost("token-without-a-group") == [0, 1]
    assert cost(TOKENS[0]) == [0, 2]


def priced(seller, **more):
    return seller.settings(VENDOR_KEY, "m,n") | more


def test_a_budget_of_a_group_is_used_up_by_all_of_it(start_relay, seller, caller):
    """It names the group in the message, the header and the log, and the operator can look at it and reset it."""
    relay = start_relay(**priced(seller, GROUP_ENG_RATE_LIMIT="0.20 usd/day"), **members(3), **SETTINGS)
    asked = [caller(relay, token) for token in TOKENS[:3]]

    def ask(at, model="m"):
        return asked[at % 3].post(PATH, json=body(WORDS, model=model, max_tokens=32_000))

    first = ask(0)
    assert first.status_code == 200 and first.headers["x-relay-budget"].endswith(';group="eng"')
    answers = [ask(at) for at in range(1, 40)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 0.8 * 0.2 <= seller.billed <= 0.2 and refused
    error = refused[-1].json()["error"]
    assert error["code"] == "insufficient_quota"
    assert error["message"].startswith("The budget of group eng, 0.20 usd per day, ")

    usage = [limit for limit in asked[2].get("/v1/usage").json()["limits"] if limit["name"] == "group eng"]
    assert [limit["limit"] for limit in usage] == ["0.20 usd per day"] and float(usage[0]["left"]) < 0.05
    operator = Operator(relay.base_url)
    rows = [row for row in operator.items("/admin/limits") if row.get("group")]
    assert [(row["caller"], row["group"], row["limit"], row["id"]) for row in rows] == [(None, "eng", "group eng", "group.usd.86400:eng")]
    assert [row["id"] for row in operator.items("/admin/limits", caller="k1") if row.get("group")] == ["group.usd.86400:eng"]
    wait_for(lambda: [line["group"] for line in relay.log_lines() if line["message"] == "budget"])
    assert operator.post("/admin/limits/reset", {"id": rows[0]["id"]}).status_code == 200
    assert ask(1).status_code == 200


def test_the_command_shows_a_group(start_relay, store):
    settings = {**ECHO, **members(2), "GROUP_ENG_RATE_LIMIT": "5/hour", "MEMCACHED_SERVERS": store.address}
    relay = start_relay(**settings)
    assert chat(client(relay, TOKENS[1])).status_code == 200

    def rows():
        environment = INHERITED | {"ENV_FILE": "/dev/null"} | settings
        done = subprocess.run([binary(), "limits", "k0", "--json"], env=environment, capture_output=True, text=True, timeout=30)
        return [(row["limit"], row.get("group"), row["used"]) for row in json.loads(done.stdout)["limits"]]

    wait_for(lambda: rows() == [("group", "eng", 1)])


def test_the_settings_of_the_page_serve_a_team(start_relay, seller, caller, tmp_path):
    page = (Path(__file__).parents[2] / "docs/teams.md").read_text()
    lines = page.split("```dotenv\n")[1].split("\n```")[0].split("\n")
    settings = dict(line.split("=", 1) for line in lines)
    secrets.update(value for name, value in settings.items() if name.endswith(("_TOKEN", "_API_KEY")))
    relay = start_relay(**settings | {"DATA_DIR": str(tmp_path), "PROVIDER_OPENAI_BASE_URL": f"{seller.base_url}/v1"})
    for name in ("ANN", "BOB"):
        http = caller(relay, settings[f"KEY_{name}_TOKEN"])
        assert http.post(PATH, json=body("Hi", model="gpt-4o-mini", max_tokens=5)).status_code == 200
        limits = {limit["name"]: limit["limit"] for limit in http.get("/v1/usage").json()["limits"]}
        assert limits["key"] == "60.00 usd per month" and limits["group eng"] == "500.00 usd per month"
