"""A clock that is off is corrected for limits, with a warning."""

import pytest
from limited import assert_refused, chat, client, metric
from memcached import Memcached, wait_for
from relay_process import preloads


@preloads
@pytest.mark.parametrize("ahead", [20, -20])
def test_a_clock_that_is_off(start_relay, clock, ahead):
    store = Memcached()
    try:
        shared = {
            "PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "echo", "RATE_LIMIT": "20/hour",
            "MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s", "SLOT_SECONDS": 5,
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
