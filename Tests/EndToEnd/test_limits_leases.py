"""Busy limits are counted ahead by leases: few store operations, unused units return, and limits are never exceeded.
Also with wrong clocks."""

import asyncio
import time
import uuid
from collections.abc import Callable

import pytest
from conftest import memcached_of_file
from limited import Crowd, Told, assert_refused, chat, client, metric, statuses
from memcached import Memcached, wait_for
from records import counts
from relay_process import Relay, preloads

PATIENCE = "5s"
"""No decision falls back on a single relay because the machine is busy."""


store = memcached_of_file()


@pytest.fixture
def two(start_relay: Callable[..., Relay], store: Memcached) -> Callable[..., list[Relay]]:
    """`two("100/minute")`: relays that share that limit."""

    def started(limit: str) -> list[Relay]:
        environment = {
            "PROVIDER_DEMO_KIND": "echo", "PROVIDER_PASS_KIND": "onemin", "PROVIDER_PASS_PASSTHROUGH": "true",
            "ANONYMOUS_MODELS": "echo", "RATE_LIMIT": limit, "MEMCACHED_SERVERS": store.address,
            "MEMCACHED_TIMEOUT": PATIENCE,
        }  # fmt: skip
        return [start_relay(**environment) for _ in range(2)]

    return started


def fresh() -> str:
    return f"key-{uuid.uuid4().hex}"


def sum_of(relays: list[Relay], name: str) -> int:
    return sum(int(metric(relay, name)) for relay in relays)


async def keep_asking(relays: list[Relay], token: str, is_enough: Callable[[list[Told]], bool]) -> list[Told]:
    """Runs eight clients of each relay that do not stop."""
    told: list[Told] = []
    is_over = asyncio.Event()
    async with Crowd(relays) as crowd:
        clients = [asyncio.create_task(crowd.keep_asking(relay, token, told, is_over)) for relay in range(len(relays)) for _ in range(8)]
        ends = time.monotonic() + 60
        while not is_enough(told):
            assert time.monotonic() < ends and not any(task.done() for task in clients)
            await asyncio.sleep(0.01)
        is_over.set()
        await asyncio.gather(*clients)
    return told


def operations(store: Memcached) -> int:
    return store.stat("cmd_get") + store.stat("cmd_set")


def test_a_busy_caller_costs_few_operations_and_the_rest_comes_back(store, two):
    relays, token = two("1000000/hour"), fresh()
    with client(relays[0], token) as http:
        assert chat(http).status_code == 200
    wait_for(lambda: len(store.keys_of("chat.requests.3600")) == 1)
    (key,) = store.keys_of("chat.requests.3600")
    before, began = operations(store), time.monotonic()
    told = asyncio.run(keep_asking(relays, token, lambda told: len(told) > 1500))
    seconds = time.monotonic() - began
    used = operations(store) - before
    assert statuses(told) == {200: len(told)}
    assert sum_of(relays, "relay_limit_leases_total") > 0
    # Two for each request without leases, less what waits together. On a slow machine leases end before they are used up.
    assert used < 0.2 * len(told) + 10 * seconds, f"{used} operations for {len(told)} requests in {seconds:.1f} s"
    # Units that were counted ahead and not used are given back when the leases end.
    wait_for(lambda: counts(store.get(key)).total == len(told) + 1, 5)
    assert sum_of(relays, "relay_limit_open_leased_units") == 0


def test_what_a_lease_left_others_may_use(two):
    """The whole limit is used, exactly, although both relays count ahead."""
    relays, token = two("400/hour"), fresh()

    def is_enough(told: list[Told]) -> bool:
        # A lease's rest is back after a second: then nothing is left at either.
        return {each.relay for each in told[-40:] if each.status == 429} == {0, 1} and (statuses(told)[200] >= 400)

    told = asyncio.run(keep_asking(relays, token, is_enough))
    assert statuses(told)[200] == 400
    assert sum_of(relays, "relay_limit_leases_total") > 0
    for relay in relays:
        with client(relay, token) as http:
            assert_refused(chat(http), "400 per hour")


@preloads
@pytest.mark.parametrize("ahead", [20, -20])
def test_a_clock_that_is_off(start_relay, clock, ahead):
    store = Memcached()
    try:
        shared = {
            "PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "echo", "RATE_LIMIT": "20/hour",
            "MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": PATIENCE, "SLOT_SECONDS": 5,
        }  # fmt: skip
        right = [start_relay(**shared) for _ in range(2)]
        off = start_relay(**shared, **clock(ahead).environment)
        line = off.wait_for_line(lambda line: line["level"] == "warning")
        assert line["message"] == "this machine's clock is off; limits are corrected for it; check NTP"
        assert abs(line["ahead_ms"] - 1000 * ahead) < 3000
        # The store's clock counts in seconds, and late.
        assert abs(metric(off, "relay_clock_difference_seconds") - ahead) < 2.5
        assert abs(metric(off, "relay_clock_correction_seconds") - ahead) < 2.5
        relays = [*right, off]
        wait_for(lambda: all(metric(relay, "relay_instances") == 3 for relay in relays))
        for relay in right:
            assert abs(metric(relay, "relay_clock_difference_seconds")) < 2.5
            assert metric(relay, "relay_clock_correction_seconds") == 0
            assert not [line for line in relay.log_lines() if line["level"] == "warning"]
        # All count the same, and say the same of when to come again.
        waits = []
        for number in range(20):
            with client(relays[number % 3]) as http:
                assert chat(http).status_code == 200
        for relay in relays:
            with client(relay) as http:
                waits.append(assert_refused(chat(http), "20 per hour", apart_ms=3500))
        assert max(waits) - min(waits) < 3500 + 1000, waits
    finally:
        store.kill()
