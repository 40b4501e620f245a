"""Requests wait for their turn in limits that have no room, with RATE_LIMIT_WAIT."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from limited import CHAT, MODELS, chat, client, metric
from memcached import wait_for
from openai_vendor import Server

KEY = "token-of-turns-0123456789"
SETTINGS = {"KEY_A_TOKEN": KEY, "PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT_MODELS": "1/minute"}


class Timed(Server):
    """A vendor that keeps the instants of its calls, which wait for their gates if it `waits`."""

    def __init__(self) -> None:
        super().__init__()
        self.times, self.gates, self.waits = [], [], False

    def next_script(self, model):
        self.times.append(time.monotonic())
        if not self.waits:
            return {}
        self.gates.append(threading.Event())
        return {"gate": self.gates[-1]}


@pytest.fixture
def timed():
    server = Timed()
    yield server
    server.stop()
    assert server.take_violations() == []


def later(body):
    """Runs `body` on a thread of its own. Returns a function that waits for its result."""
    pool = ThreadPoolExecutor(1)
    return pool.submit(body).result


def turns(relay, outcome):
    return metric(relay, "relay_limit_turns_total", outcome=outcome)


def waiting(relay, count):
    wait_for(lambda: metric(relay, "relay_limit_waiting") == count)


def asked(relay, **headers):
    return chat(client(relay, KEY, **{name.replace("_", "-"): value for name, value in headers.items()}))


def crowd(count, relays):
    """Sends requests to all relays at once. Returns how long those waited that did, in seconds."""
    https = [client(relays[index % len(relays)], KEY) for index in range(count)]
    for http in https:
        http.timeout = 120
    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(lambda http: chat(http, model="m"), https))
    assert [answer.status_code for answer in answers] == [200] * count
    return [float(answer.headers["x-relay-waited"]) for answer in answers if "x-relay-waited" in answer.headers]


def patient(vendor, limit):
    """Returns the settings of relays whose requests wait."""
    provider = {"PROVIDER_V_KIND": "openai", "PROVIDER_V_BASE_URL": vendor.base_url, "PROVIDER_V_MODELS": "m"}
    key = {"KEY_A_TOKEN": KEY, "PROVIDER_V_API_KEYS": "vendor-key-0123456789"}
    return provider | key | {"RATE_LIMIT": limit, "RATE_LIMIT_WAIT": "120s"}


def test_a_crowd_at_four_relays_is_served_in_turn(start_relay, store, timed):
    shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}
    relays = [start_relay(**patient(timed, "10/4 seconds"), **shared) for _ in range(4)]
    waited = crowd(30, relays)
    assert len(waited) >= 15 and max(waited) < 60
    # The machine may be late between an admission and its call.
    times = sorted(timed.times)
    assert all(times[index + 10] - times[index] > 1 for index in range(len(times) - 10))
    assert sum(turns(relay, "used") for relay in relays) == len(waited)


def test_a_request_says_how_long_it_waited(start_relay, clock):
    wall = clock(0)
    relay = start_relay(**SETTINGS, RATE_LIMIT="1/10 seconds", RATE_LIMIT_WAIT="60s", **wall.environment)
    assert "x-relay-waited" not in asked(relay).headers
    answer = later(lambda: asked(relay))
    waiting(relay, 1)
    wall.advance_until(lambda: turns(relay, "used") == 1, 20)
    answer = answer()
    assert answer.status_code == 200 and 0 < float(answer.headers["x-relay-waited"]) < 30
    assert turns(relay, "used") == 1 and metric(relay, "relay_limit_wait_seconds_count", kind="caller") == 1
    line = relay.wait_for_line(lambda line: "limits_wait_ms" in line)
    assert abs(line["limits_wait_ms"] - 1000 * float(answer.headers["x-relay-waited"])) < 2


def test_a_stream_that_waits_gets_signs_of_life(start_relay, clock):
    wall, begun = clock(0), threading.Event()
    relay = start_relay(**SETTINGS, RATE_LIMIT="1/20 seconds", RATE_LIMIT_WAIT="60s", **wall.environment)
    assert asked(relay).status_code == 200
    call = {"model": "echo", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}

    def read():
        with client(relay, KEY).stream("POST", CHAT, json=call, timeout=60) as response:
            assert response.status_code == 200 and "x-relay-waited" not in response.headers
            begun.set()
            return response.read().decode()

    text = later(read)
    waiting(relay, 1)
    wall.advance_until(begun.is_set, 15)
    assert metric(relay, "relay_limit_waiting") == 1, "it has begun before its turn"
    wall.advance_until(lambda: turns(relay, "used") == 1, 20)
    text = text()
    assert "Hello" in text and text.endswith("data: [DONE]\n\n")
    assert turns(relay, "used") == 1


def test_who_does_not_wait_is_told_when_to_return(start_relay):
    relay = start_relay(**SETTINGS, RATE_LIMIT="2/minute", RATE_LIMIT_WAIT="60s")
    assert [asked(relay).status_code for _ in range(2)] == [200] * 2
    for headers in [{"X_Relay_Wait": "0"}, {"X_Relay_Wait": "0.5"}, {"x_stainless_read_timeout": "5"}]:
        answer = asked(relay, **headers)
        assert answer.status_code == 429 and 1 <= int(answer.headers["retry-after"]) <= 61
    with client(relay, KEY) as http:
        assert [http.get(MODELS).status_code for _ in range(2)] == [200, 429], "a GET never waits"


def test_so_many_wait_and_the_end_of_the_relay_refuses_them(start_relay):
    settings = SETTINGS | {"RATE_LIMIT": "1/hour", "RATE_LIMIT_CHAT": "1/minute", "SHUTDOWN_SECONDS": "1"}
    relay = start_relay(**settings, RATE_LIMIT_WAIT="10m", RATE_LIMIT_WAITING="4")
    assert asked(relay).status_code == 200
    answers = [later(lambda: asked(relay)) for _ in range(2)]
    waiting(relay, 2)
    assert asked(relay).status_code == 429, "a caller has half of the places"
    relay.begin_to_stop()
    for answer in answers:
        assert (answer().status_code, answer().headers["retry-after"]) == (503, "1")
        assert answer().json()["error"]["message"].startswith("The relay is shutting down. Please try again.")


def held(relay, token=KEY, **fields):
    """Sends a request that the vendor answers when its gate is open. Returns a function that waits for its response."""
    return later(lambda: chat(client(relay, token), model="m", **fields))


def called(vendor, count):
    wait_for(lambda: len(vendor.gates) == count)


@pytest.mark.parametrize("limits", ["2000 tokens/minute;5 concurrent", "2000 tokens/minute;60/minute", "2000 tokens/month;60/minute"])
@pytest.mark.parametrize("where", ["memory", "memcached"])
def test_what_a_request_gives_back_goes_to_the_next(start_relay, store, timed, limits, where):
    timed.waits = True
    shared = {"MEMCACHED_SERVERS": store.address} if where == "memcached" else {}
    relay = start_relay(**patient(timed, "1000/minute") | shared | {"KEY_A_RATE_LIMIT": limits, "RATE_LIMIT_TOTAL": "1000/minute"})
    first = held(relay, max_tokens=1500)
    called(timed, 1)
    second = held(relay, max_tokens=1500)
    waiting(relay, 1)
    timed.gates[0].set()
    called(timed, 2)
    timed.gates[1].set()
    assert [first().status_code, second().status_code] == [200] * 2
    assert float(second().headers["x-relay-waited"]) < 30
