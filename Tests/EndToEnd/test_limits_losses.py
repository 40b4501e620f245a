"""Counts that last although memcached loses them: restarted or emptied, and then each relay is replaced by one that knows
nothing."""

import threading
import time

import conftest
import pytest
from chat import ask, body
from limited import MODELS, client
from memcached import Memcached, wait_for
from records import counts
from relay_process import provider

ONE = "token-of-the-loss-tests-1"
CALLERS = [f"token-of-the-loss-tests-{number}" for number in range(2, 14)]
SETTINGS = {
    "PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT": "off", "KEY_A_TOKEN": ONE, "KEY_A_RATE_LIMIT": "5/hour", "MEMCACHED_TIMEOUT": "2s",
    **{f"KEY_B{number}_TOKEN": token for number, token in enumerate(CALLERS)},
    **{f"KEY_B{number}_RATE_LIMIT": "3/hour" for number in range(len(CALLERS))},
}  # fmt: skip


@pytest.fixture
def own():
    """A memcached that only one test loses."""
    conftest.secrets.update((ONE, *CALLERS))
    memcached = Memcached()
    yield memcached
    memcached.kill()


def statuses(relay, token, asks):
    with client(relay, token) as http:
        return [http.get(MODELS).status_code for _ in range(asks)]


def lose(store, how):
    if how == "flush":
        store.flush()
        return
    store.kill()
    store.start()


def recorded(store, limit="key.requests.3600"):
    """Returns the units in the records of all callers."""
    values = [store.get(key) for key in store.keys_of(limit)]
    return sum(counts(value).total for value in values if value is not None)


@pytest.mark.parametrize("how", ["restart", "flush"])
def test_what_quiet_relays_know_is_put_back_and_outlives_them(start_relay, own, how):
    settings = SETTINGS | {"MEMCACHED_SERVERS": own.address}
    running = [start_relay(**settings) for _ in range(2)]
    assert statuses(running[0], ONE, 6) == [200] * 5 + [429]
    for number, token in enumerate(CALLERS):
        assert statuses(running[number % 2], token, 2) == [200] * 2
        assert statuses(running[-1], token, 1) == [200]
    lose(own, how)
    wait_for(lambda: recorded(own) == 5 + 3 * len(CALLERS))
    for relay in running:
        line = relay.wait_for_line(lambda line: "lost its records" in line["message"])
        assert (line["level"], line["server"]) == ("warning", own.address) and line["records"] > 1
        relay.kill()
    fresh = [start_relay(**settings) for _ in range(2)]
    assert all(statuses(fresh[number % 2], token, 1) == [429] for number, token in enumerate((ONE, *CALLERS)))


def test_a_relay_that_ends_puts_back_what_is_missing(start_relay, own):
    settings = SETTINGS | {"MEMCACHED_SERVERS": own.address}
    relay = start_relay(**settings)
    assert statuses(relay, ONE, 6) == [200] * 5 + [429]
    (key,) = own.keys_of("key.requests.3600")
    assert own.ask(f"delete {key}", b"\r\n") == b"DELETED\r\n"
    time.sleep(1.5)  # A record that is gone alone is no loss that a relay notices.
    assert recorded(own) == 0
    relay.stop()
    wait_for(lambda: recorded(own) == 5)
    relay = start_relay(**settings)
    lose(own, "restart")
    relay.stop()
    assert statuses(start_relay(**settings), ONE, 1) == [200], "a relay that never read a record has no copy"
    relay = start_relay(**settings)
    assert statuses(relay, ONE, 5) == [200] * 4 + [429]
    lose(own, "restart")
    relay.stop()
    assert statuses(start_relay(**settings), ONE, 1) == [429]


@pytest.mark.parametrize("how", ["restart", "flush"])
def test_what_was_settled_is_not_charged_again(start_relay, own, server, how):
    pause = threading.Event()
    server.says("big/1", {"text": "word", "pieces": 520, "pause": pause})
    server.says("small/1", {"text": "word"})
    settings = {
        "RATE_LIMIT": "off", "KEY_A_TOKEN": ONE, "KEY_A_RATE_LIMIT": "100000 tokens/day", "MEMCACHED_SERVERS": own.address,
        "MEMCACHED_TIMEOUT": "2s", **provider("ROW", "openai", server.base_url, "big=big/1,small=small/1"),
    }  # fmt: skip
    first, second = (start_relay(**settings) for _ in range(2))
    limit = "key.tokens.86400"
    with client(first, ONE) as one, client(second, ONE) as two:
        with one.stream("POST", "/v1/chat/completions", json=body(model="big", stream=True, max_tokens=60000)) as stream:
            assert stream.status_code == 200
            assert ask(two, model="small", max_tokens=10).status_code == 200
            reserved = recorded(own, limit)
            assert reserved > 500
            pause.set()
            assert "[DONE]" in stream.read().decode()
        wait_for(lambda: recorded(own, limit) < 200)
        used = recorded(own, limit)
        lose(own, how)
        wait_for(lambda: recorded(own, limit) == used)
        assert ask(two, model="small", max_tokens=10).status_code == 200
        wait_for(lambda: used < recorded(own, limit) < used + 200)
    for relay in (first, second):
        relay.stop()
    # A list of keys that is made soon after a write may lack some.
    wait_for(lambda: used < recorded(own, limit) < used + 200)
