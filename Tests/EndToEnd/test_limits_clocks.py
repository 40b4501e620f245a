"""Wall clocks that are wrong or are set under load, and a store that responds late: limits are never exceeded."""

import asyncio
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from clocks import Clock
from limited import metric
from memcached import Memcached
from pressing import Caller, Told, fullest
from relay_process import Relay, preloads

PATIENCE = "5s"
"""No decision falls back on a single relay because the machine is busy."""
NUMBER, SECONDS = 60, 6
CORRECTED_SECONDS = 3
"""A clock that is further off is corrected by the store's, to 1.5 s: the bound holds in intervals that much shorter."""
TOKEN = "sk-pressing"
REFUSED_PAUSE_SECONDS = 0.01


@pytest.fixture
def start(start_relay: Callable[..., Relay], store: Memcached) -> Callable[..., Relay]:
    """`start(clock)`: a relay that counts in the store by that clock."""

    def started(clock: Clock | None = None, **environment: Any) -> Relay:
        settings = {
            "PROVIDER_DEMO_KIND": "echo", "KEY_A_TOKEN": TOKEN, "RATE_LIMIT": f"{NUMBER} per {SECONDS} seconds",
            "MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": PATIENCE,
        }  # fmt: skip
        return start_relay(**settings | (clock.environment if clock else {}) | environment)

    return started


def press(relays: list[Relay], seconds: float, caller: Caller, clients: int = 12) -> list[Told]:
    """Runs clients at all relays for so long. Returns all admissions of the caller."""

    async def run() -> None:
        places, ends = cycle(enumerate(relays)), time.monotonic() + seconds
        chosen = (next(places) for _ in range(clients))
        await asyncio.gather(
            *(caller.keep_asking(number, relay.port, ends, REFUSED_PAUSE_SECONDS) for number, relay in chosen)
        )

    asyncio.run(run())
    assert not caller.odd, caller.odd[:5]
    return caller.admitted


def assert_never_over(admitted: list[Told], bound: int, seconds: float) -> None:
    assert len(admitted) >= bound, "too few to show anything"
    most = fullest(admitted, seconds)
    assert most <= bound, f"{most} within {seconds} s"


@preloads
def test_clocks_that_are_far_apart_from_the_start(start, clock):
    relays = [start(clock(ahead)) for ahead in (20, -20, 0, 0)]
    assert_never_over(press(relays, 7, Caller(TOKEN)), NUMBER, SECONDS - CORRECTED_SECONDS)


@preloads
@pytest.mark.parametrize("ahead", [20, -20])
def test_one_that_begins_alone_with_a_wrong_clock(start, clock, ahead):
    """Only the store can show the first instance that its clock is wrong. Later ones continue to count."""
    alone, caller = start(clock(ahead)), Caller(TOKEN)
    press([alone], 1, caller)
    assert_never_over(press([alone, start()], 4, caller), NUMBER, SECONDS - CORRECTED_SECONDS)
    assert abs(metric(alone, "relay_clock_correction_seconds") - ahead) < 2.5
