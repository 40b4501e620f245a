"""Counts that last although memcached loses them: restarted or emptied, and then each relay is replaced by one that knows
nothing."""


import conftest
import pytest
from limited import MODELS, client
from memcached import Memcached, wait_for
from records import counts

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
