"""Failures of the counter store: no request fails, the configured rule applies meanwhile, and the store is used
again."""

import json
import signal
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import forwarders
import pytest
from limited import assert_admitted, chat, client, metric
from memcached import Memcached, wait_for
from records import counts
from relay_process import Relay

BOUND = 20
TIMEOUT = "5s"
"""Where the store refuses connections nobody waits for it, and a busy machine should not count as an outage."""


@pytest.fixture
def launch_with(start_relay: Callable[..., Relay]) -> Callable[..., Relay]:
    """`launch_with(store, RATE_LIMIT=...)`: a relay that counts there, 20 a minute, and serves `echo` to callers with
    any key."""

    def started(*stores: Memcached, **environment: Any) -> Relay:
        return start_relay(
            **{
                "PROVIDER_DEMO_KIND": "echo", "PROVIDER_PASS_KIND": "onemin", "PROVIDER_PASS_PASSTHROUGH": "true",
                "ANONYMOUS_MODELS": "echo", "RATE_LIMIT": f"{BOUND}/minute",
                "MEMCACHED_SERVERS": ",".join(store.address for store in stores),
            } | environment
        )  # fmt: skip

    return started


@pytest.fixture
def token() -> str:
    return fresh()


def fresh() -> str:
    """Returns the key of a caller that has used nothing."""
    return f"key-{uuid.uuid4().hex}"


def lines(relay: Relay, store: Memcached) -> list[str]:
    """Returns the relay's warnings about that store, but for those of lost records: see test_limits_losses.py."""
    found = [line for line in relay.log_lines() if line["level"] == "warning" and store.address in json.dumps(line)]
    return [line["message"] for line in found if "lost its records" not in line["message"]]


def wait_for_lines(relay: Relay, store: Memcached, *wanted: str) -> None:
    wait_for(lambda: len(lines(relay, store)) >= len(wanted))
    assert lines(relay, store) == list(wanted), relay.tail()


AWAY, BACK = "counter store is away", "counter store is back"


def wait_until_used(store: Memcached, relay: Relay) -> None:
    """Waits until requests of this relay reach the store."""
    before = store.stat("cmd_get")

    def is_used() -> bool:
        with client(relay, fresh()) as http:
            assert chat(http).status_code in (200, 503)
        return store.stat("cmd_get") > before

    wait_for(is_used)


def run_out(relay: Relay, token: str, bound: int = 200) -> int:
    """Returns how many requests are admitted until the first refusal."""
    with client(relay, token) as http:
        for number in range(bound):
            if chat(http).status_code != 200:
                return number
    return bound


def make_away(store: Memcached, *relays: Relay) -> None:
    """Ends the store. Returns when these relays have noticed: none of their requests waits for it any
    more."""
    store.kill()
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda relay: run_out(relay, fresh(), 1), relays)) == [1] * len(relays)
    for relay in relays:
        wait_for_lines(relay, store, AWAY)


def totals(store: Memcached) -> list[int]:
    """Returns the totals of the records of all callers that have 20 a minute."""
    values = (store.get(key) for key in store.keys_of("chat.requests.60"))
    return [counts(value).total for value in values if value is not None]


def claims(store: Memcached) -> dict[bytes, tuple[int, int]]:
    """Returns for each instance the number of parts that it counts, and the end of its claim (milliseconds)."""
    found = {}
    for value in filter(None, map(store.get, store.keys_of("known"))):
        rest = value[1:]

        def number() -> int:
            nonlocal rest
            read = 0
            while True:
                byte, rest = rest[0], rest[1:]
                read = read << 7 | byte & 127
                if byte < 128:
                    return read

        for _ in range(number()):
            instance, rest = rest[:8], rest[8:]
            found[instance] = (number(), number())
            number()
    return found


def test_a_relay_that_has_no_part_yet_says_so(store, launch_with, token):
    """The others have not made room for a relay that has just started, so it admits nothing while the store is away."""
    first = launch_with(store, MEMCACHED_TIMEOUT=TIMEOUT, SLOT_SECONDS=300)
    wait_for(lambda: list(claims(store).values()) and list(claims(store).values())[0][0] == 1)
    # On a busy machine it would have made room before the store is away.
    first.signal(signal.SIGSTOP)
    second = launch_with(store, MEMCACHED_TIMEOUT=TIMEOUT, SLOT_SECONDS=300)
    # It knows so itself, too: its claim may stand in the store before it has the response.
    wait_for(lambda: len(claims(store)) == 2 and metric(second, "relay_instances") == 2)
    store.kill()
    first.signal(signal.SIGCONT)
    with client(second, token) as http:
        answer = chat(http)
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1" and "x-should-retry" not in answer.headers
    assert answer.json()["error"]["message"].startswith("The relay cannot check its limits at the moment.")
    second.wait_for_line(lambda line: "before the other relays made room" in line["message"])
    assert all("made room" not in line["message"] for line in first.log_lines())
    store.start()
    with client(second, token) as http:
        wait_for(lambda: chat(http).status_code == 200)


def test_allow(store, launch_with, token):
    relay = launch_with(store, RATE_LIMIT_STORE_DOWN="allow", MEMCACHED_TIMEOUT=TIMEOUT)
    assert run_out(relay, token) == BOUND
    make_away(store, relay)
    assert run_out(relay, fresh(), BOUND * 3) == BOUND * 3
    wait_for_lines(relay, store, AWAY)
    assert run_out(relay, token, BOUND) == BOUND, "also one that had used all it may have"
    store.start()
    wait_for_lines(relay, store, AWAY, BACK)
    wait_until_used(store, relay)
    assert run_out(relay, fresh()) == BOUND


def test_deny(store, launch_with, token):
    relay = launch_with(store, RATE_LIMIT_STORE_DOWN="deny", MEMCACHED_TIMEOUT=TIMEOUT)
    with client(relay, token) as http:
        assert_admitted(chat(http), f"{BOUND} per minute", BOUND - 1)
        make_away(store)
        for is_streamed in (False, True, False, True):
            answer = chat(http, stream=is_streamed)
            assert answer.status_code == 503
            error = answer.json()["error"]
            assert (error["type"], error["code"], error["param"]) == ("server_error", "overloaded", None)
            assert (answer.headers["retry-after"], answer.headers["retry-after-ms"]) == ("1", "1000")
            assert "x-relay-limited-by" not in answer.headers and "x-should-retry" not in answer.headers
        assert http.get("/ready").status_code == http.get("/health").status_code == 200
        wait_for_lines(relay, store, AWAY)
        store.start()
        wait_for_lines(relay, store, AWAY, BACK)
        wait_for(lambda: chat(http).status_code == 200)
        assert run_out(relay, fresh()) == BOUND


def test_connections_that_are_closed_while_nobody_asks_are_no_outage(store, launch_with, token):
    """A relay that looks at the store's clock finds its connection closed, and opens another."""
    with forwarders.plain(store.port) as way:
        relay = launch_with(store, MEMCACHED_SERVERS=f"127.0.0.1:{way.port}", MEMCACHED_TIMEOUT="5s")
        with client(relay, token) as http:
            assert chat(http).status_code == 200
        before = way.accepted
        way.drop()
        wait_for(lambda: way.accepted > before)
        with client(relay, token) as http:
            assert_admitted(chat(http), f"{BOUND} per minute", BOUND - 2)
        assert not [line for line in relay.log_lines() if line["level"] == "warning"]


def test_a_relay_that_starts_without_its_store(launch_with, token):
    store = Memcached(is_started=False)
    relay = launch_with(store, MEMCACHED_TIMEOUT="5s")
    try:
        wait_for_lines(relay, store, AWAY)
        assert run_out(relay, token) == BOUND
        assert lines(relay, store) == [AWAY], "once"
        store.start()
        wait_for_lines(relay, store, AWAY, BACK)
        wait_until_used(store, relay)
        wait_for(lambda: BOUND in totals(store))
        other = launch_with(store, MEMCACHED_TIMEOUT="5s")
        assert run_out(other, token) == 0
        assert lines(other, store) == []
    finally:
        store.kill()
