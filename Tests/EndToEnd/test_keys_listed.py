"""The list of keys that operators see: groups and keys with what is left of their budgets, the nearest to an end first."""

import datetime
import json
import subprocess
import uuid

import pytest
from chat import PATH, body
from conftest import VENDOR_KEY, secrets
from memcached import wait_for
from operating import SETTINGS, Operator
from relay_process import INHERITED, binary
from spending import PRICE, PROMPT

NAMES = ["ANN", "BOB", "CAT", "SOON", "OLD", "OFF"]
TOKENS = {name: f"token-{uuid.uuid4().hex}" for name in NAMES}
ONE = (PROMPT * PRICE[0] + 500 * PRICE[1]) / 1e6
"""The dollars of a response."""


@pytest.fixture
def settings(seller, tmp_path):
    secrets.update(TOKENS.values())
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)
    return seller.settings(VENDOR_KEY, "m,n") | SETTINGS | {f"KEY_{name}_TOKEN": token for name, token in TOKENS.items()} | {
        "DATA_DIR": str(tmp_path), "PROVIDER_FREE_KIND": "echo", "GROUP_ENG_RATE_LIMIT": "1 usd/month", "KEY_ANN_GROUP": "eng", "KEY_BOB_GROUP": "eng,ops", "GROUP_OPS_MODELS": "m",
        "KEY_ANN_RATE_LIMIT": "0.10 usd/calendar-day;50/minute", "KEY_CAT_RATE_LIMIT": "10 usd/day", "KEY_CAT_MODELS": "m",
        "KEY_SOON_EXPIRES": soon.isoformat(timespec="seconds"), "KEY_OLD_EXPIRES": "2020-01-31", "KEY_OFF_ENABLED": "false",
    }  # fmt: skip


def command(settings, *words):
    done = subprocess.run([str(binary()), *words], env=INHERITED | {"ENV_FILE": "/dev/null"} | settings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_keys_are_listed_with_what_is_left(start_relay, caller, settings):
    relay = start_relay(**settings)
    operator = Operator(relay.base_url)
    for name, model in (("ANN", "m"), ("ANN", "m"), ("CAT", "m"), ("SOON", "m"), ("SOON", "echo")):
        answer = caller(relay, TOKENS[name]).post(PATH, json=body("word " * PROMPT, model=model))
        assert answer.status_code == 200
    wait_for(lambda: sum(row["requests"] for row in operator.items("/admin/keys") if row["kind"] == "key") == 5)
    rows = operator.items("/admin/keys")
    assert [row["name"] for row in rows[:5]] == ["soon", "eng", "ann", "bob", "cat"], "what ends next, then by the part of a budget that is used"
    by_name = {row["name"]: row for row in rows}
    states = {name: row.get("state") for name, row in by_name.items()}
    assert states == {"soon": "ends soon", "eng": None, "ann": "ok", "bob": "ok", "cat": "ok", "ops": None, "old": "ended", "off": "off"}
    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    eng, ann, cat = (by_name[name] for name in ("eng", "ann", "cat"))
    for row, count in ((eng, 2), (ann, 2), (cat, 1)):
        assert (row["requests"], row["failures"], row["last_used"]) == (count, 0, today)
        assert float(row["cost_today"]) == float(row["cost_month"]) == pytest.approx(count * ONE)
        assert row["unpriced_today"] == row["unpriced_month"] == 0
    assert by_name["soon"]["unpriced_today"] == by_name["soon"]["unpriced_month"] == 1
    assert (eng["kind"], ann["kind"], ann["groups"], cat["groups"], cat["models"]) == ("group", "key", ["eng"], [], ["m"])
    (month,), (day,) = eng["budgets"], ann["budgets"]
    assert (month["quota"], day["quota"]) == ("1.00 usd per month", "0.10 usd per calendar-day"), "limits of minutes are left out"
    assert float(month["left"]) == pytest.approx(1 - 2 * ONE) and float(day["left"]) == pytest.approx(0.10 - 2 * ONE)
    midnight = datetime.datetime.fromtimestamp(day["resets_at"], datetime.UTC)
    assert (midnight.hour, midnight.minute) == (0, 0)
    assert by_name["bob"]["cost_today"] is None and by_name["bob"]["last_used"] is None

    run = settings | {"PORT": relay.base_url.rpartition(":")[2]}
    printed = json.loads(command(run, "keys", "--json"))["items"]
    for budget in (budget for row in [*printed, *rows] for budget in row["budgets"]):
        del budget["resets_at"]  # of a sliding window it is told to the second, and a second later it may be another
    assert printed == rows
    lines = command(run, "keys").splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == ["KEY", "soon", "group eng", ""] and lines[3].startswith("  ann  ")
    assert lines[1].count(f"≥ {by_name['soon']['cost_today']}") == 2 and "≥" not in lines[2]
    assert "ended, 2020-02-01T00:00:00Z" in "".join(lines) and any(line.startswith("  bob (eng,ops)  ") for line in lines)
    sums = json.loads(command(run, "usage", "--by", "group", "--json"))
    assert [(row["group"], row["requests"]) for row in sums["rows"]] == [(None, 3), ("eng", 2)] and sums["total"]["requests"] == 5
