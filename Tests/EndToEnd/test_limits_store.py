"""Failures of the counter store: no request fails, the configured rule applies meanwhile, and the store is used
again."""

import json
import signal
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import forwarders
import pytest
from limited import assert_admitted, assert_refused, chat, client, metric
from memcached import Memcached, wait_for
from records import counts
from relay_process import Relay

BOUND = 20
TIMEOUTS = {"killed": "5s", "paused": "2s"}
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


def servers_down(relay: Relay) -> int:
    return int(metric(relay, "relay_store_servers_down"))


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


def make_away(store: Memcached, how: str, *relays: Relay) -> None:
    """Makes the store unavailable. Returns when these relays have noticed: none of their requests waits for it any
    more."""
    store.kill() if how == "killed" else store.pause()
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda relay: run_out(relay, fresh(), 1), relays)) == [1] * len(relays)
    for relay in relays:
        wait_for_lines(relay, store, AWAY)


def make_back(store: Memcached, how: str) -> None:
    store.start() if how == "killed" else store.resume()


def totals(store: Memcached) -> list[int]:
    """Returns the totals of the records of all callers that have 20 a minute."""
    values = (store.get(key) for key in store.keys_of("chat.requests.60"))
    return [counts(value).total for value in values if value is not None]


def wait_until_all_know_all(relays: list[Relay]) -> None:
    """Waits until so many relays divide limits as there are."""
    wait_for(lambda: all(metric(relay, "relay_instances") == len(relays) for relay in relays))


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


def wait_until_parts_are_made(store: Memcached, relays: list[Relay]) -> None:
    """Waits until each relay has claimed one part of as many as there are, and has then written again, which it needs
    to use it."""
    # It is one reading that counts: another one may lack a record that is just being written.
    first: dict[bytes, tuple[int, int]] = {}

    def are_claimed() -> bool:
        first.update(claims(store))
        return [parts for parts, _ in first.values()] == [len(relays)] * len(relays)

    wait_for(are_claimed)
    wait_for(lambda: all(claims(store).get(instance, (0, end))[1] != end for instance, (_, end) in first.items()))


def test_a_relay_that_has_no_part_yet_says_so(store, launch_with, token):
    """The others have not made room for a relay that has just started, so it admits nothing while the store is away."""
    first = launch_with(store, MEMCACHED_TIMEOUT=TIMEOUTS["killed"], SLOT_SECONDS=300)
    wait_for(lambda: list(claims(store).values()) and list(claims(store).values())[0][0] == 1)
    # On a busy machine it would have made room before the store is away.
    first.signal(signal.SIGSTOP)
    second = launch_with(store, MEMCACHED_TIMEOUT=TIMEOUTS["killed"], SLOT_SECONDS=300)
    # It knows so itself, too: its claim may stand in the store before it has the response.
    wait_for(lambda: len(claims(store)) == 2 and metric(second, "relay_instances") == 2)
    store.kill()
    first.signal(signal.SIGCONT)
    with client(second, token) as http:
        answer = chat(http)
    assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
    second.wait_for_line(lambda line: "before the other relays made room" in line["message"])
    assert all("made room" not in line["message"] for line in first.log_lines())
    store.start()
    with client(second, token) as http:
        wait_for(lambda: chat(http).status_code == 200)


@pytest.mark.parametrize("how, instances", [("killed", None), ("paused", 4)], ids=["as many as live", "four"])
def test_share_is_what_holds_unless_told_otherwise(store, launch_with, token, how, instances):
    """Each relay has its part of what its copy leaves, and no more for two seconds afterwards."""
    relays = [launch_with(store, MEMCACHED_TIMEOUT=TIMEOUTS[how], RATE_LIMIT_INSTANCES=instances, SLOT_SECONDS=5) for _ in range(2)]
    wait_until_all_know_all(relays)
    if instances is None:
        wait_until_parts_are_made(store, relays)
    parts = instances or 2
    half, one_sided = fresh(), fresh()
    for relay in relays * 3:
        with client(relay, half) as http:
            assert chat(http).status_code == 200
    make_away(store, how, *relays)
    part = BOUND // parts
    assert [run_out(relay, token) for relay in relays] == [part, part], "a caller that nobody has seen"
    lefts = [run_out(relay, half) for relay in relays]
    # The first relay has not seen the last of the six requests. What cannot be divided goes to those of lower rank, and
    # either may be the first.
    shares = [[left // parts + (rank < left % parts) for rank in range(2)] for left in (BOUND - 5, BOUND - 6)]
    assert lefts in ([shares[0][0], shares[1][1]], [shares[0][1], shares[1][0]])
    assert run_out(relays[0], one_sided) == part
    with client(relays[0], token) as http:
        assert_refused(chat(http), f"{BOUND} per minute")
    for relay in relays:
        wait_for_lines(relay, store, AWAY)
        assert servers_down(relay) == 1
    make_back(store, how)
    for relay in relays:
        wait_for_lines(relay, store, AWAY, BACK)
    # Whoever has joined what it knows keeps to its part until all must have: the record alone would leave the rest.
    (back,) = [line for line in relays[0].log_lines() if line["message"] == BACK]
    with client(relays[0], one_sided) as http:
        wait_for(lambda: chat(http).status_code == 200)
    assert time.time() >= datetime.fromisoformat(back["time"]).timestamp() + 1.99
    for relay in relays:
        wait_until_used(store, relay)
        assert servers_down(relay) == 0
    # A lost record is joined bucket by bucket: where units of both fell into one, the smaller part may be missing.
    lost = 6 if how == "killed" else 0
    # Units admitted without the store are in it now, or as soon as they are written, so that a third relay knows them.
    wait_for(lambda: {2 * part, part + 1} <= set(totals(store)) and max(totals(store)) >= 6 + sum(lefts) - lost)
    third = launch_with(store, MEMCACHED_TIMEOUT="5s")
    assert run_out(third, token) == BOUND - 2 * part
    assert 0 <= run_out(third, half) - max(0, BOUND - 6 - sum(lefts)) <= lost
    assert run_out(third, one_sided) == BOUND - part - 1
    assert run_out(third, fresh()) == BOUND


def test_local(store, launch_with, token):
    relays = [launch_with(store, RATE_LIMIT_STORE_DOWN="local", MEMCACHED_TIMEOUT=TIMEOUTS["killed"]) for _ in range(2)]
    half = fresh()
    for relay in relays * 3:
        with client(relay, half) as http:
            assert chat(http).status_code == 200
    make_away(store, "killed", *relays)
    # Each relay for itself: N for a caller that it has not seen, what its copy leaves of N for another.
    assert [run_out(relay, token) for relay in relays] == [BOUND, BOUND]
    assert [run_out(relay, half) for relay in relays] == [BOUND - 5, BOUND - 6]
    with client(relays[0], token) as http:
        assert_refused(chat(http), f"{BOUND} per minute")
    for relay in relays:
        wait_for_lines(relay, store, AWAY)
        assert servers_down(relay) == 1
    store.start()
    for relay in relays:
        wait_for_lines(relay, store, AWAY, BACK)
        wait_until_used(store, relay)
        assert servers_down(relay) == 0
    # Units admitted without the store are in it now, so that a third relay knows them.
    wait_for(lambda: sum(total >= BOUND for total in totals(store)) >= 2)
    third = launch_with(store, MEMCACHED_TIMEOUT="5s")
    assert [run_out(third, known) for known in (token, half)] == [0, 0]
    assert run_out(third, fresh()) == BOUND


def test_allow(store, launch_with, token):
    relay = launch_with(store, RATE_LIMIT_STORE_DOWN="allow", MEMCACHED_TIMEOUT=TIMEOUTS["killed"])
    assert run_out(relay, token) == BOUND
    make_away(store, "killed", relay)
    assert run_out(relay, fresh(), BOUND * 3) == BOUND * 3
    wait_for_lines(relay, store, AWAY)
    assert run_out(relay, token, BOUND) == BOUND, "also one that had used all it may have"
    store.start()
    wait_for_lines(relay, store, AWAY, BACK)
    wait_until_used(store, relay)
    assert run_out(relay, fresh()) == BOUND


def test_deny(store, launch_with, token):
    relay = launch_with(store, RATE_LIMIT_STORE_DOWN="deny", MEMCACHED_TIMEOUT=TIMEOUTS["killed"])
    with client(relay, token) as http:
        assert_admitted(chat(http), f"{BOUND} per minute", BOUND - 1)
        make_away(store, "killed")
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


def test_only_the_callers_of_a_lost_server_are_concerned(launch_with):
    stores = [Memcached(), Memcached()]
    try:
        relays = [launch_with(*stores, RATE_LIMIT_STORE_DOWN="deny", MEMCACHED_TIMEOUT="5s") for _ in range(2)]
        callers: list[list[str]] = [[], []]
        for _ in range(24):
            token = fresh()
            before = [len(store.keys_of("chat.requests.60")) for store in stores]
            with client(relays[0], token) as http:
                assert_admitted(chat(http), f"{BOUND} per minute", BOUND - 1)
            with client(relays[1], token) as http:
                assert_admitted(chat(http), f"{BOUND} per minute", BOUND - 2)
            after = [len(store.keys_of("chat.requests.60")) for store in stores]
            assert sum(after) == sum(before) + 1, "both relays find a caller at the same server"
            callers[0 if after[0] > before[0] else 1].append(token)
        assert callers[0] and callers[1]

        for lost in (0, 1):
            stores[lost].kill()
            for relay in relays:
                for server, tokens in enumerate(callers):
                    for token in tokens:
                        with client(relay, token) as http:
                            assert chat(http).status_code == (503 if server == lost else 200)
                wait_for_lines(relay, stores[lost], AWAY)
            stores[lost].start()
            for relay in relays:
                wait_for_lines(relay, stores[lost], AWAY, BACK)
                for token in callers[0] + callers[1]:
                    with client(relay, token) as http:
                        assert chat(http).status_code == 200
    finally:
        for store in stores:
            store.kill()


def test_a_store_that_is_looked_for_until_it_is_there(start_relay):
    """MEMCACHED_HOST=auto: unavailable until one server responds, and then the same one for all."""
    store = Memcached(is_started=False)
    settings = {
        "PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "echo", "RATE_LIMIT": "9/hour", "MEMCACHED_HOST": "auto",
        "MEMCACHED_PORT": f"tcp://10.0.0.1:{store.port}", "RATE_LIMIT_INSTANCES": 1,
    }  # fmt: skip
    try:
        relays = [start_relay(**settings) for _ in range(2)]
        for relay in relays:
            with client(relay) as http:
                assert_admitted(chat(http), "9 per hour", 8)
            assert metric(relay, "relay_store_servers_down") == 1
            away = relay.wait_for_line(lambda line: line["message"] == "counter store is away")
            assert away["setting"] == "MEMCACHED_HOST or MEMCACHED_SERVERS" and "in its memory" in away["meanwhile"]
            assert away["server"] == f"127.0.0.1:{store.port} or memcached:{store.port}"
        store.start()
        for relay in relays:
            wait_for(lambda relay=relay: metric(relay, "relay_store_servers_down") == 0)
        # Units that each admitted alone are added at its next write.
        left = []
        for number in range(4):
            with client(relays[number % 2]) as http:
                answer = chat(http)
                assert answer.status_code == 200
                left.append(int(answer.headers["x-ratelimit-remaining-requests"]))
        assert left[-1] == 9 - 6, left
    finally:
        store.kill()
