"""Requests wait while the limits of all their vendors refuse them, with RATE_LIMIT_WAIT."""

import math
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from limited import chat, client, metric
from memcached import wait_for
from openai_vendor import Server

KEY = "token-of-waits-0123456789"
ERROR = {"error": {"message": "Rate limit reached.", "type": "requests", "code": "rate_limit_exceeded"}}


class Metered(Server):
    """A vendor that allows each model `most` calls in a sliding window. `calls` has the instant and the status of each call."""

    def __init__(self, most: int, seconds: float) -> None:
        super().__init__()
        self.most, self.seconds, self.calls, self.counting = most, seconds, {}, threading.Lock()
        self.wait, self.waits, self.broken = None, [], ()

    def next_script(self, model):
        with self.counting:
            now, calls = time.monotonic(), self.calls.setdefault(model, [])
            if model in self.broken:
                calls.append((now, 500))
                return {"status": 500, "json": {"error": {"message": "No."}}}
            recent = [at for at, status in calls if status == 200 and at > now - self.seconds]
            calls.append((now, 200 if len(recent) < self.most else 429))
            if calls[-1][1] == 200:
                return {}
            self.waits.append(self.wait or math.ceil(recent[0] + self.seconds - now))
            return {"status": 429, "headers": {"Retry-After": str(self.waits[-1])}, "json": ERROR}

    def statuses(self, model="m"):
        return [status for _, status in self.calls.get(model, [])]

    def provider(self, name="V", model="m", **more):
        given = {"KIND": "openai", "BASE_URL": self.base_url, "API_KEYS": f"vendor-key-of-{name}-0123456789", "MODELS": f"m={model}"} | more
        return {f"PROVIDER_{name}_{field}": value for field, value in given.items()}


@pytest.fixture
def metered():
    server = Metered(30, 3)
    yield server
    server.stop()
    assert server.take_violations() == []


SETTINGS = {"RATE_LIMIT": "off", "KEY_A_TOKEN": KEY}


def crowd(relay, count, **fields):
    https = [client(relay, KEY) for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda http: chat(http, model="m", **fields), https))


def waits(relay):
    text = client(relay).get("/metrics").text
    found = re.findall(r'relay_upstream_waits_total\{provider="v",outcome="(\w+)"\} (\d+)', text)
    return {outcome: int(count) for outcome, count in found}


def later(vendor, model="m"):
    """Returns the statuses of the calls after the wait that the vendor's first 429 asked for."""
    calls = vendor.calls[model]
    first = next(at for at, status in calls if status == 429)
    return [status for at, status in calls if at > first + vendor.waits[0] - 0.1]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_crowd_is_served_though_the_vendor_refuses_half_of_it(start_relay, metered, stream):
    relay = start_relay(**SETTINGS | metered.provider(), RATE_LIMIT_WAIT="60s")
    answers = crowd(relay, 60, stream=stream)
    assert [answer.status_code for answer in answers] == [200] * 60
    if stream:
        assert all(answer.text.rstrip().endswith("[DONE]") and '"error"' not in answer.text for answer in answers)
    assert later(metered).count(200) == 30 and later(metered).count(429) <= 3
    waited = [float(answer.headers["x-relay-waited"]) for answer in answers if "x-relay-waited" in answer.headers]
    assert len(waited) == 30 and 0 < min(waited) <= max(waited) < 20
    tries = [int(answer.headers["x-relay-attempts"]) for answer in answers]
    assert sum(tries) == len(metered.statuses()), "each try is told"
    assert list(waits(relay)) == ["served"] and waits(relay)["served"] >= 30


def test_two_providers_are_waited_for_at_once(start_relay, metered):
    relay = start_relay(**SETTINGS | metered.provider("V", "one") | metered.provider("W", "two"), RATE_LIMIT_WAIT="60s")
    assert [answer.status_code for answer in crowd(relay, 100)] == [200] * 100
    assert metered.statuses("one").count(200) + metered.statuses("two").count(200) == 100
    assert later(metered, "one").count(200) and later(metered, "two").count(200), "each served some that had waited"


def test_slots_of_the_relay_and_limits_of_the_vendor_are_waited_for(start_relay, metered):
    relay = start_relay(**SETTINGS | metered.provider(CONCURRENCY="4"), RATE_LIMIT_WAIT="60s", QUEUE_TIMEOUT="60s")
    assert [answer.status_code for answer in crowd(relay, 60)] == [200] * 60
    assert metered.statuses().count(429) <= 12


def test_a_callers_own_key_is_not_held_up_by_others(start_relay, metered, clock):
    """What waits are the relay's keys."""
    own, wall = Metered(100, 1), clock(0)
    settings = SETTINGS | wall.environment | metered.provider() | own.provider("P", "own", PASSTHROUGH="true", API_KEYS="", MODELS="own")
    relay = start_relay(**settings, RATE_LIMIT_WAIT="30s")
    metered.most, metered.wait = 0, 20
    with ThreadPoolExecutor(2) as pool:
        pool.submit(lambda: chat(client(relay, KEY), model="m"))
        wait_for(lambda: metered.statuses())
        began = time.monotonic()
        assert chat(client(relay, "sk-a-key-of-the-vendor-0123456789"), model="own").status_code == 200
        assert time.monotonic() - began < 5
        metered.most, metered.wait = 30, None
        wall.advance(20)
    own.stop()


def test_nobody_waits_without_the_setting(start_relay, metered):
    relay = start_relay(**SETTINGS | metered.provider())
    statuses = [answer.status_code for answer in crowd(relay, 40)]
    assert statuses.count(200) == 30 and statuses.count(429) == 10


def test_a_vendor_that_says_five_hours_holds_nobody(start_relay, metered):
    metered.most, metered.wait = 0, 18_000
    relay = start_relay(**SETTINGS | metered.provider(), RATE_LIMIT_WAIT="60s")
    began = time.monotonic()
    answer = chat(client(relay, KEY), model="m")
    assert answer.status_code == 429 and answer.headers["retry-after"] == "18000" and time.monotonic() - began < 5


def test_the_patience_ends(start_relay, metered):
    metered.most, metered.wait = 0, 1
    relay = start_relay(**SETTINGS | metered.provider(), RATE_LIMIT_WAIT="3s")
    began = time.monotonic()
    answer = chat(client(relay, KEY), model="m")
    assert answer.status_code == 429 and "retry-after" in answer.headers
    assert 1.5 < time.monotonic() - began < 10 and 2 <= len(metered.statuses()) <= 5


def test_waits_that_end_without_a_key_are_late(start_relay, metered):
    metered.most, metered.wait = 0, 1
    relay = start_relay(**SETTINGS | metered.provider(), RATE_LIMIT_WAIT="3s")
    assert {answer.status_code for answer in crowd(relay, 20)} == {429}
    assert waits(relay)["late"] >= 10 and waits(relay)["served"] >= 1


def asked(relay, key=KEY, model="m", stream=False, **headers):
    """Returns the status of a chat with these header fields, and whether it waited."""
    http, began = client(relay, key, **{name.replace("_", "-"): value for name, value in headers.items()}), time.monotonic()
    answer = chat(http, model=model, stream=stream)
    # A refusal does not say how long it waited; each wait of these tests would take two seconds.
    return answer.status_code, "x-relay-waited" in answer.headers or time.monotonic() - began > 1.8


def asked_in_time(wall, *what, **how):
    """`asked`, while the time of the relay passes quickly."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(asked, *what, **how)
        wall.advance_until(answer.done, 20)
        return answer.result()


def test_a_request_asks_for_less_patience(start_relay, metered, clock):
    wall = clock(0)
    metered.most, metered.wait = 0, 3
    relay = start_relay(**SETTINGS | metered.provider() | wall.environment, RATE_LIMIT_WAIT="60s")
    assert asked(relay, X_Relay_Wait="0.5") == (429, False) and len(metered.statuses()) == 1
    assert asked(relay, x_stainless_timeout="6") == (429, False)
    assert asked(relay, x_stainless_read_timeout="5", x_stainless_timeout="60") == (429, False)
    metered.most = 30
    assert asked_in_time(wall, relay, x_stainless_read_timeout="6", stream=True) == (200, True)
    metered.most = 0
    assert asked(relay, X_Relay_Wait="0") == (429, False)
    metered.most = 30
    assert asked_in_time(wall, relay, X_Relay_Wait="600", x_stainless_timeout="none") == (200, True)


def test_any_other_patience_is_refused(start_relay, metered):
    http = client(start_relay(**SETTINGS | metered.provider()), KEY)
    for value in ["", "-1", "600.1", "5s", "1e1", "nan", "0x1", "."]:
        for method, path in [("GET", "/v1/models"), ("POST", "/v1/chat/completions")]:
            answer = http.request(method, path, headers={"X-Relay-Wait": value})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", "X-Relay-Wait"), (value, path)


def test_a_key_has_patience_of_its_own(start_relay, metered, clock):
    wall, other = clock(0), "token-of-others-0123456789"
    metered.most, metered.wait = 0, 2
    keys = SETTINGS | wall.environment | {"KEY_B_TOKEN": other, "KEY_B_RATE_LIMIT_WAIT": "60s"}
    relay = start_relay(**keys | metered.provider())
    assert asked(relay) == (429, False)
    metered.most = 30
    assert asked_in_time(wall, relay, other) == (200, True)
    metered.most = 0
    relay = start_relay(**keys | metered.provider(), RATE_LIMIT_WAIT="60s", KEY_DEFAULT_RATE_LIMIT_WAIT="0")
    assert asked(relay) == (429, False)
    metered.most = 30
    assert asked_in_time(wall, relay, other) == (200, True)


def test_the_next_provider_is_not_waited_for(start_relay, metered):
    free = Metered(100, 1)
    metered.most = 0
    settings = SETTINGS | metered.provider("V", "one", PRIORITY="1") | free.provider("W", "two", PRIORITY="2")
    relay = start_relay(**settings, RATE_LIMIT_WAIT="60s")
    began = time.monotonic()
    assert [answer.status_code for answer in crowd(relay, 10)] == [200] * 10 and time.monotonic() - began < 20
    assert free.statuses("two") == [200] * 10
    free.stop()


def test_a_provider_that_failed_otherwise_is_not_tried_after_a_wait(start_relay, metered, clock):
    wall, broken = clock(0), Metered(100, 1)
    broken.broken = ("m",)
    settings = metered.provider("V", PRIORITY="2") | broken.provider("W", PRIORITY="1", MODELS="m,n=rest")
    relay = start_relay(**SETTINGS | settings | wall.environment, RATE_LIMIT_WAIT="60s", BREAKER_FAILURES="1")
    assert asked(relay) == (200, False)
    metered.most, metered.wait, broken.most, broken.wait = 0, 4, 0, 2
    asked(relay, X_Relay_Wait="0")
    assert asked(relay, model="n", X_Relay_Wait="0") == (429, False)
    metered.most, broken.most, called = 30, 100, len(broken.statuses())
    assert asked_in_time(wall, relay) == (200, True) and len(broken.statuses()) == called
    broken.stop()


def test_a_client_that_leaves_is_not_waited_for(start_relay, metered, clock):
    wall = clock(0)
    metered.most, metered.wait = 0, 20
    relay = start_relay(**SETTINGS | metered.provider() | wall.environment, RATE_LIMIT_WAIT="60s")
    leaving = client(relay, KEY)
    leaving.timeout = 0.5
    with pytest.raises(Exception, match="timed out"):
        chat(leaving, model="m")
    wait_for(lambda: metric(relay, "relay_requests_in_flight") == 1)
    metered.most, called = 30, len(metered.statuses())
    wall.advance(21)
    time.sleep(0.5)
    assert len(metered.statuses()) == called and not waits(relay), "no call was made for it"
    assert chat(client(relay, KEY), model="m").status_code == 200
