"""Limits of a month or a day of the calendar: they begin anew at midnight in `TIMEZONE`."""

import datetime
import json
import subprocess
import time
import uuid
from zoneinfo import ZoneInfo

import pytest
from chat import PATH, body
from conftest import VENDOR_KEY, secrets
from limited import chat, client, milliseconds
from operating import SETTINGS, Operator
from relay_process import INHERITED, binary, preloads, provider
from spending import PROMPT

TOKEN = f"token-{uuid.uuid4().hex}"
HOUR = 3600


def seconds_to_next_month(zone):
    now = datetime.datetime.now(ZoneInfo(zone))
    first = (now.replace(day=1) + datetime.timedelta(days=31)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first.timestamp() - now.timestamp()


@preloads
def test_a_month_ends_at_midnight_in_the_zone(start_relay, clock):
    secrets.add(TOKEN)
    zone = "Asia/Kolkata"
    ahead = seconds_to_next_month(zone)
    wall = clock(ahead - HOUR)
    settings = {"PROVIDER_DEMO_KIND": "echo", "KEY_A_TOKEN": TOKEN, "RATE_LIMIT": "off", "TIMEZONE": zone}
    relay = start_relay(**settings, KEY_A_RATE_LIMIT="3/month", **wall.environment)
    http = client(relay, TOKEN)
    answers = [chat(http) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert HOUR - 120 <= int(answers[-1].headers["retry-after"]) <= HOUR
    assert "3 per month. It begins anew on 1 " in answers[-1].text and f", 00:00 ({zone})." in answers[-1].text
    last = datetime.datetime.fromtimestamp(time.time() + ahead - HOUR, ZoneInfo(zone)).date()
    assert answers[0].headers["ratelimit-policy"] == f'"month";q=3;w={last.day * 24 * HOUR}'
    wall.set(ahead + HOUR)
    assert [chat(http).status_code for _ in range(4)] == [200, 200, 200, 429]
    (limit,) = http.get("/v1/usage").json()["limits"]
    assert 28 * 24 * HOUR - 2 * HOUR - 120 < limit["resets_at"] - (time.time() + ahead + HOUR) <= 31 * 24 * HOUR
    header = milliseconds(chat(http).headers["x-ratelimit-reset-requests"]) / 1000
    assert header == pytest.approx(limit["resets_at"] - (time.time() + ahead + HOUR), abs=60)
    wall.set(ahead + 25 * HOUR)
    later = milliseconds(chat(http).headers["x-ratelimit-reset-requests"]) / 1000
    assert header - later == pytest.approx(24 * HOUR, abs=60)


def test_relays_share_a_period(start_relay, store):
    secrets.add(TOKEN)
    settings = {"PROVIDER_DEMO_KIND": "echo", "KEY_A_TOKEN": TOKEN, "RATE_LIMIT": "off"}
    settings["KEY_A_RATE_LIMIT"] = "20/month;50/calendar-day"
    relays = [start_relay(**settings, MEMCACHED_SERVERS=store.address, MEMCACHED_TIMEOUT="5s") for _ in range(4)]
    callers = [client(relay, TOKEN) for relay in relays]
    assert [chat(callers[at % 4]).status_code for at in range(40)].count(200) == 20
    month, day = (datetime.datetime.now(datetime.UTC).strftime(form) for form in ("%Y-%m", "%Y-%m-%d"))
    assert len([key for key in store.keys() if f":key.requests.{month}." in key]) == 1
    assert len([key for key in store.keys() if f":key.requests.{day}." in key]) == 1


def test_the_end_of_the_month_is_the_same_everywhere(start_relay, store):
    """In headers, for the caller, for operators, and by `relay limits`; also where the zone is half an hour off."""
    secrets.add(TOKEN)
    zone = "Asia/Kolkata"
    settings = {"PROVIDER_DEMO_KIND": "echo", "KEY_A_TOKEN": TOKEN, "RATE_LIMIT": "off", "KEY_A_RATE_LIMIT": "20/month", "TIMEZONE": zone}
    settings |= {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"} | SETTINGS
    relay = start_relay(**settings)
    http = client(relay, TOKEN)
    end = time.time() + seconds_to_next_month(zone)
    header = milliseconds(chat(http).headers["x-ratelimit-reset-requests"]) / 1000
    (own,) = http.get("/v1/usage").json()["limits"]
    (listed,) = Operator(relay.base_url).items("/admin/limits", caller="a")
    (key,) = [row for row in Operator(relay.base_url).items("/admin/keys") if row["kind"] == "key"]
    table = subprocess.run([str(binary()), "limits", "a", "--json"], env=INHERITED | {"ENV_FILE": "/dev/null"} | settings, capture_output=True, check=True)
    (told,) = json.loads(table.stdout)["limits"]
    ends = [time.time() + header, own["resets_at"], listed["resets_at"], key["budgets"][0]["resets_at"], time.time() + told["free_in_ms"] / 1000]
    assert all(abs(one - end) < 10 for one in ends), (end, ends)
    assert (told["of"], told["used"], told["left"]) == (20, 1, 19)


@preloads
def test_a_used_up_budget_says_when_it_begins_anew(start_relay, seller, caller, clock):
    """A response that ends after midnight is settled in the period in which it began."""
    secrets.add(TOKEN)
    ahead = seconds_to_next_month("UTC")
    wall = clock(ahead - HOUR)
    relay = start_relay(
        **provider("CHATS", "openai", f"{seller.base_url}/v1", "m", API_KEY=VENDOR_KEY, COST="5/25 per million"), RATE_LIMIT="off",
        KEY_A_TOKEN=TOKEN, KEY_A_RATE_LIMIT="0.20 usd/month", **wall.environment,
    )  # fmt: skip
    http = caller(relay, TOKEN)

    def ask():
        return http.post(PATH, json=body("word " * PROMPT, model="m", max_tokens=32_000))

    def left():
        return next(float(limit["left"]) for limit in http.get("/v1/usage").json()["limits"] if limit["name"] == "key")

    answers = [ask() for _ in range(40)]
    message = next(answer.json()["error"]["message"] for answer in answers[::-1] if answer.status_code == 429)
    assert message.startswith("The budget of this key, 0.20 usd per month, ")
    assert " It begins anew on 1 " in message and message.endswith(", 00:00 (UTC).")
    assert 0.8 * 0.2 <= seller.billed <= 0.2 and left() < 0.05

    wall.set(ahead + HOUR)
    assert left() == pytest.approx(0.2)
    before = seller.billed
    assert ask().status_code == 200
    assert left() == pytest.approx(0.2 - (seller.billed - before))
