"""Alerts about budgets: each mark is logged and posted once, by all relays together, and no request waits for it."""

import json
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest
from chat import PATH, body
from conftest import TEAM_TOKEN, secrets
from fake_server import FakeServer, Handler
from limited import client
from memcached import Memcached, wait_for
from operating import SETTINGS, Operator
from relay_process import free_port, provider
from spending import PROMPT
from test_key_families import SECRET, keys

RELAYS = int(os.environ.get("RELAYS", "4"))
RUNS = int(os.environ.get("RUNS", "1"))
HOOK = "/services/secret-path-of-the-hook"
LIMIT = "0.35 usd/day"
WORDS = "word " * PROMPT


class Receiver(FakeServer):
    """A receiver of alerts. `statuses` are those of its next answers; it answers nothing while `gate` is closed."""

    def __init__(self):
        self.posts, self.statuses, self.gate = [], [], threading.Event()
        self.gate.set()
        receiver = self

        class Posts(Handler):
            def do_POST(self):
                receiver.posts.append((self.path, self.headers["content-type"], json.loads(self.read())))
                receiver.gate.wait(60)
                self.send(receiver.statuses.pop(0) if receiver.statuses else 200)

        super().__init__(Posts)
        self.url = self.base_url + HOOK

    def stop(self):
        self.gate.set()
        super().stop()

    @property
    def alerts(self):
        return [post[2] for post in self.posts]


@pytest.fixture
def receiver():
    secrets.add(HOOK)
    running = Receiver()
    yield running
    running.stop()


def ask(http):
    return http.post(PATH, json=body(WORDS, model="m")).status_code


def use_up(*callers):
    """Sends requests, in turn, until one is refused."""
    for number in range(400):
        if ask(callers[number % len(callers)]) == 429:
            return
    raise AssertionError("the budget has no end")


def use(http, percent):
    """Uses so much of `LIMIT`, of which each request takes 5 %. An alert has the use of the moment at which it is decided, so
    wait for it before more is used."""
    for _ in range(percent // 5):
        assert ask(http) == 200


def lines(relay):
    return [line for line in relay.log_lines() if line["message"] == "budget"]


def metric(http, outcome):
    return int(http.get("/metrics").text.split(f'relay_budget_alerts_total{{outcome="{outcome}"}} ')[1].split("\n")[0])


@pytest.mark.parametrize("limit", ["key", "total"])
def test_each_mark_is_posted_once(relay_with, receiver, caller, limit):
    names = {"key": {}, "total": {"KEY_TEAM_RATE_LIMIT": "off", "RATE_LIMIT_TOTAL": "0.35 usd/day"}}[limit]
    relay = relay_with(LIMIT, BUDGET_ALERT_URL=receiver.url, **names)
    http = caller(relay, TEAM_TOKEN)
    use(http, 85)
    wait_for(lambda: len(receiver.posts) == 1)
    use_up(http)
    wait_for(lambda: len(receiver.posts) == 2)
    assert all(ask(http) == 429 for _ in range(3))
    time.sleep(0.5)
    first, last = receiver.alerts
    assert receiver.posts[0][:2] == (HOOK, "application/json")
    assert set(first) == {"text", "event", "caller", "group", "limit", "used", "percent", "resets", "time"}
    whose = "key team" if limit == "key" else "all callers together"
    assert first["text"].startswith(f"The budget of {whose}, 0.35 usd per day, is used to {first['percent']} %: {first['used']:.2f}")
    assert (first["event"], first["group"], first["limit"]) == ("budget", None, "0.35 usd per day")
    assert first["caller"] == last["caller"] == ("team" if limit == "key" else None)
    assert 80 <= first["percent"] < 90 and last["percent"] == 100 and first["used"] / 0.35 == pytest.approx(first["percent"] / 100, abs=0.02)
    assert first["time"] < first["resets"]
    assert [line["percent"] for line in lines(relay)] == [first["percent"], 100]
    assert {line["level"] for line in lines(relay)} == {"warning"}
    wait_for(lambda: metric(http, "sent") == 2)


def test_the_last_mark_shows_what_is_used(relay_with, receiver, caller):
    # Twenty requests leave a rest that is too small for another one.
    http = caller(relay_with("0.36 usd/day", BUDGET_ALERT_URL=receiver.url, BUDGET_ALERTS="100"), TEAM_TOKEN)
    use_up(http)
    wait_for(lambda: len(receiver.posts) == 1)
    (alert,) = receiver.alerts
    assert alert["percent"] == 100 and 0.3 < alert["used"] < 0.36
    assert " has too little left for a request: 0.3" in alert["text"] and " of 0.36 are used. All of it" in alert["text"]


def test_the_budget_of_a_member_has_its_name(start_relay):
    settings = {
        "PROVIDER_DEMO_KIND": "echo", "PROVIDER_DEMO_MODELS": "m=echo", "PROVIDER_DEMO_COST": "5/25 per million", "KEY_CLASS_SECRET": SECRET,
        "KEY_CLASS_RATE_LIMIT": LIMIT, "RATE_LIMIT": "off",
    }  # fmt: skip
    relay = start_relay(**settings)
    ann, bob = (client(relay, key) for key in keys("ann", "bob", settings=settings).values())
    use_up(ann)
    assert ask(bob) == 200
    # The echo is so fast that the first mark may be passed before it is looked at.
    relay.wait_for_line(lambda line: line["message"] == "budget" and line["percent"] == 100, seconds=60)
    assert {line["caller"] for line in lines(relay)} == {"class.ann"}


def test_without_a_url_alerts_are_logged(relay_with, caller):
    relay = relay_with(LIMIT, BUDGET_ALERTS="50")
    use(caller(relay, TEAM_TOKEN), 55)
    relay.wait_for_line(lambda line: line["message"] == "budget")
    (line,) = lines(relay)
    assert (line["caller"], line["limit"]) == ("team", "0.35 usd per day") and 50 <= line["percent"] < 60


@pytest.mark.parametrize("host", ["prod-1.westeurope.logic.azure.com:443", "default1.1.environment.api.powerplatform.com", "hooks.slack.com"])
def test_a_workflow_of_teams_gets_a_card(start_relay, receiver, caller, host):
    secrets.add(HOOK)
    url = f"http://{host}{HOOK}"
    relay = start_relay(
        **provider("DEMO", "echo", MODELS="m=echo", COST="5/25 per million"), KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_RATE_LIMIT="0.35 usd/day",
        RATE_LIMIT="off", BUDGET_ALERT_URL=url, BUDGET_ALERTS="50", UPSTREAM_PROXY=receiver.url.removesuffix(HOOK),
    )  # fmt: skip
    use_up(caller(relay, TEAM_TOKEN))
    wait_for(lambda: receiver.posts)
    (path, _, alert) = receiver.posts[0]
    assert path == url
    message = {name: alert.pop(name) for name in ("type", "attachments") if name in alert}
    text = {"type": "TextBlock", "text": alert["text"], "wrap": True}
    card = {"type": "AdaptiveCard", "version": "1.4", "body": [text]}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    assert message == ({} if "slack" in host else {"type": "message", "attachments": [attachment]})
    assert set(alert) == {"text", "event", "caller", "group", "limit", "used", "percent", "resets", "time"}


def test_other_units_and_rates_give_no_alert(relay_with, receiver, caller):
    relay = relay_with("20000 tokens/day;0.05 usd/minute", BUDGET_ALERT_URL=receiver.url)
    use_up(caller(relay, TEAM_TOKEN))
    time.sleep(0.5)
    assert receiver.posts == [] == lines(relay)


def test_open_reservations_give_no_alert(relay_with, receiver, seller, caller):
    """Eight requests hold all of the budget, and use little."""
    http = caller(relay_with("0.5 usd/day", BUDGET_ALERT_URL=receiver.url), TEAM_TOKEN)
    seller.length = 10
    with ThreadPoolExecutor(8) as pool:
        assert 200 in list(pool.map(lambda _: ask(http), range(8)))
    time.sleep(0.5)
    assert receiver.posts == []


def echo(start_relay, receiver, limit, **more):
    """Starts a relay at which a word costs a tenth of a cent."""
    settings = {"PROVIDER_E_KIND": "echo", "PROVIDER_E_COST": "1000/1000 per million", "KEY_TEAM_TOKEN": TEAM_TOKEN, "RATE_LIMIT": "off"}
    return start_relay(**settings, KEY_TEAM_RATE_LIMIT=limit, BUDGET_ALERT_URL=receiver.url, **more)


def test_a_request_that_is_too_large_for_the_rest_is_no_alert(start_relay, receiver, caller):
    http = caller(echo(start_relay, receiver, "10 usd/month"), TEAM_TOKEN)
    assert http.post(PATH, json=body("word " * 800, model="echo", max_tokens=1000)).status_code == 200
    large = body("word " * 7900, model="echo", max_tokens=1000)
    refused = [http.post(PATH, json=large) for _ in range(2)]
    assert [answer.status_code for answer in refused] == [429, 429] and "left, and this request needs" in refused[0].text
    time.sleep(0.5)
    assert receiver.posts == []


def test_use_is_told_although_it_changes_no_record(start_relay, receiver, caller):
    """The echo uses exactly what was reserved, so memcached's record stays as it is."""
    store = Memcached()
    more = {"MEMCACHED_HOST": "127.0.0.1", "MEMCACHED_PORT": str(store.port), "BUDGET_ALERTS": "10,80,100"}
    http = caller(echo(start_relay, receiver, "10 usd/month", **more), TEAM_TOKEN)
    assert http.post(PATH, json=body("word " * 900, model="echo", max_tokens=1000)).status_code == 200
    wait_for(lambda: receiver.alerts, seconds=30)
    assert 10 <= receiver.alerts[0]["percent"] < 80 and re.fullmatch(r"[0-9-]+T00:00:00Z", receiver.alerts[0]["resets"])
    store.kill()


@pytest.mark.parametrize("is_flushed", [False, True])
def test_all_relays_together_post_once(relay_with, receiver, caller, clock, is_flushed):
    """Each relay waits for seconds until it is sure that no other has posted."""
    wall = clock(0)
    for run in range(RUNS):
        store = Memcached()
        try:
            receiver.posts.clear()
            more = {"BUDGET_ALERT_URL": receiver.url, "MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}
            relays = [relay_with("0.7 usd/day", **more, **wall.environment) for _ in range(RELAYS)]
            callers = [caller(relay, TEAM_TOKEN) for relay in relays]
            for number in range(34):
                assert ask(callers[number % RELAYS]) == 200
            wall.advance_until(lambda: len(receiver.posts) == 1, 60)
            if is_flushed:
                store.flush()
            use_up(*callers)
            wall.advance_until(lambda: len(receiver.posts) >= 2, 60)
            for _ in range(10):
                wall.advance(1)
                time.sleep(0.1)
            assert [alert["percent"] // 20 for alert in receiver.alerts] == [4, 5], (run, receiver.alerts)
            assert sum(len(lines(relay)) for relay in relays) == 2
            for relay in relays:
                relay.stop()
        finally:
            store.kill()


def test_a_store_that_stalls_loses_no_alert(relay_with, receiver, caller, clock):
    """The store ends the relay's claim of the mark, but its response comes too late."""
    wall, store = clock(0), Memcached()
    try:
        more = {"BUDGET_ALERT_URL": receiver.url, "BUDGET_ALERTS": "80", "MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}
        relay = relay_with(LIMIT, **more, **wall.environment)
        http = caller(relay, TEAM_TOKEN)
        use(http, 85)
        before = set(store.keys())
        wall.advance_until(lambda: set(store.keys()) - before, 20)
        store.pause()
        # Three seconds until the claim has lasted, and five until its end is given up.
        for _ in range(45):
            wall.advance(0.2)
            time.sleep(0.02)
        store.resume()
        wall.advance_until(lambda: receiver.posts, 90)
        wall.advance(30)
        time.sleep(0.5)
        assert (len(receiver.posts), len(lines(relay))) == (1, 1)
    finally:
        store.kill()


def test_an_alert_of_a_relay_that_ends_is_posted_by_the_next(relay_with, receiver, caller, clock):
    wall, store = clock(0), Memcached()
    try:
        more = {"BUDGET_ALERT_URL": receiver.url, "BUDGET_ALERTS": "80", "MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}
        relay = relay_with(LIMIT, **more, **wall.environment)
        use(caller(relay, TEAM_TOKEN), 85)
        claims = []

        def is_claimed():
            claims[:] = [line.split()[:2] for line in store.listing() if ":alert" in line.replace("%3A", ":")]
            return claims

        wall.advance_until(is_claimed, 20)
        ((key, expiry),) = claims
        assert 0 < int(expiry.removeprefix("exp=")) - time.time() < 25
        relay.stop()
        assert "an alert about a budget was not posted before the relay ended" in relay.text()
        http = caller(relay_with(LIMIT, **more, **wall.environment), TEAM_TOKEN)
        use(http, 5)
        for _ in range(12):
            wall.advance(1)
            time.sleep(0.05)
        assert receiver.posts == []
        # In place of the time in which the claim expires.
        assert store.ask(f"delete {unquote(key.removeprefix('key='))}", b"\r\n") == b"DELETED\r\n"
        wall.advance_until(lambda: receiver.posts, 60)
        assert [alert["percent"] for alert in receiver.alerts] == [90]
    finally:
        store.kill()


def test_a_budget_that_is_free_again_gives_new_alerts(relay_with, receiver, caller):
    relay = relay_with(LIMIT, BUDGET_ALERT_URL=receiver.url, **SETTINGS)
    http = caller(relay, TEAM_TOKEN)
    for posts in (1, 3):
        use(http, 85)
        wait_for(lambda posts=posts: len(receiver.posts) == posts)
        use_up(http)
        wait_for(lambda posts=posts: len(receiver.posts) == posts + 1)
        answer = Operator(relay.base_url).ask("POST", "/admin/limits/reset", json={"caller": "team", "id": "key.usd.86400"})
        assert answer.status_code == 200
    assert [alert["percent"] // 20 for alert in receiver.alerts] == [4, 5, 4, 5]


def test_a_receiver_that_fails_is_tried_three_times(relay_with, receiver, caller, clock):
    receiver.statuses = [500, 404, 503]
    wall = clock(0)
    relay = relay_with(LIMIT, BUDGET_ALERT_URL=receiver.url, BUDGET_ALERTS="80", **wall.environment)
    http = caller(relay, TEAM_TOKEN)
    use_up(http)
    for tries, pause in ((1, 2), (2, 8), (3, 0)):
        wait_for(lambda tries=tries: len(receiver.posts) == tries)
        wall.advance(pause)
    line = relay.wait_for_line(lambda line: line["message"].startswith("an alert about a budget"))
    assert line["cause"] == "the receiver answered 503" and len(receiver.posts) == 3
    assert receiver.alerts[0] == receiver.alerts[2]
    assert (metric(http, "sent"), metric(http, "failed")) == (0, 1)
    assert HOOK not in relay.text()


def test_an_alert_that_the_end_of_the_relay_prevents_is_logged(relay_with, receiver, caller):
    receiver.statuses = [500] * 3
    relay = relay_with(LIMIT, BUDGET_ALERT_URL=receiver.url, BUDGET_ALERTS="80")
    use_up(caller(relay, TEAM_TOKEN))
    wait_for(lambda: len(receiver.posts) == 1)
    relay.stop()
    (line,) = [line for line in relay.log_lines() if line["message"].startswith("an alert about a budget")]
    assert line["message"] == "an alert about a budget was not posted before the relay ended"
    assert (line["caller"], line["limit"]) == ("team", "0.35 usd per day") and 80 <= line["percent"] <= 100
    assert HOOK not in relay.text()


def test_no_request_waits_for_a_receiver(relay_with, receiver, caller):
    receiver.gate.clear()
    http = caller(relay_with(LIMIT, BUDGET_ALERT_URL=receiver.url), TEAM_TOKEN)
    use_up(http)
    wait_for(lambda: len(receiver.posts) >= 1)
    # It has still answered nothing.
    assert ask(http) == 429 and not receiver.gate.is_set()


def test_a_receiver_that_is_away(relay_with, caller, clock):
    wall = clock(0)
    relay = relay_with(LIMIT, BUDGET_ALERT_URL=f"http://127.0.0.1:{free_port()}{HOOK}", BUDGET_ALERTS="80", **wall.environment)
    http = caller(relay, TEAM_TOKEN)
    use_up(http)
    wall.advance_until(lambda: "an alert about a budget" in relay.text(), 40)
    line = relay.wait_for_line(lambda line: line["message"].startswith("an alert about a budget"))
    assert "cannot connect" in line["cause"] and HOOK not in relay.text()
    assert metric(http, "failed") == 1
