"""The list of the relays that share a memcached, after one of them was killed."""

import time

from operating import SETTINGS, Operator
from relay_process import preloads

NEXT_ENTRY_SECONDS = 30  # a relay writes an entry every ten seconds, by its clock
SILENT_SECONDS = 40


def silent(operator: Operator) -> dict[str, bool]:
    """Returns whether each listed relay is silent, by its port."""
    return {item["name"].rsplit(":", 1)[1]: item["silent"] for item in operator.items("/admin/instances")}


def one_killed(start_relay, store, wall):
    """Two relays that know each other, of which one has just been killed."""
    settings = SETTINGS | {"MEMCACHED_SERVERS": store.address}
    stays, killed = (start_relay(**settings, **wall.environment) for _ in range(2))
    operator = Operator(stays.base_url)
    both = {str(stays.port): False, str(killed.port): False}
    wall.advance_until(lambda: silent(operator) == both, NEXT_ENTRY_SECONDS)
    killed.kill()
    return settings, operator, stays, killed


@preloads
def test_a_relay_that_starts_later_finds_a_killed_one_silent(start_relay, store, clock):
    wall, later = clock(0), clock(31)
    settings, operator, stays, killed = one_killed(start_relay, store, wall)
    began = wall.now()
    # By this relay's clock all entries are old. Only the killed relay writes no new one.
    later.advance(wall.now() - time.monotonic())
    late = start_relay(**settings, **later.environment)
    expected = {str(stays.port): False, str(killed.port): True, str(late.port): False}
    wall.advance_until(lambda: silent(Operator(late.base_url, operator.token)) == expected, NEXT_ENTRY_SECONDS, later)
    is_silent = silent(operator)[str(killed.port)]
    # Its last entry was at most ten seconds old when it was killed.
    assert not is_silent or wall.now() - began > 20, "its entry is not 30 seconds old"


def test_relays_with_another_secret_are_not_listed(start_relay, store, clock):
    wall = clock(0)
    settings = SETTINGS | {"MEMCACHED_SERVERS": store.address} | wall.environment
    one, other = (start_relay(**settings, STORE_SECRET=f"the-secret-of-relay-{name}") for name in "ab")
    mate = start_relay(**settings, STORE_SECRET="the-secret-of-relay-a")
    both = {str(one.port), str(mate.port)}
    operators = {relay: Operator(relay.base_url) for relay in (one, other, mate)}
    wall.advance_until(lambda: all(set(silent(operators[relay])) == both for relay in (one, mate)), NEXT_ENTRY_SECONDS)
    assert set(silent(operators[other])) == {str(other.port)}


def test_other_settings_at_the_same_memcached_are_in_the_log(start_relay, store, clock):
    wall = clock(0)
    common = {"PROVIDER_A_KIND": "echo", "KEY_TEAM_TOKEN": "sk-relay-for-tests-0001", "MEMCACHED_SERVERS": store.address} | wall.environment
    relays = [start_relay(**common, RATE_LIMIT=limit, PROVIDER_A_MODELS="echo") for limit in ("5/minute", "5/minute", "6/minute")]

    def told(relay):
        return [line for line in relay.log_lines() if line["message"] == "relays at the same memcached have other settings"]

    ports = [str(relay.port) for relay in relays]
    for place, others in (2, ports[:2]), (0, ports[2:]):
        wall.advance_until(lambda place=place: told(relays[place]), NEXT_ENTRY_SECONDS)
        [line] = told(relays[place])
        assert line["level"] == "warning" and sorted(name.rsplit(":", 1)[1] for name in line["instances"].split(", ")) == sorted(others)


def test_a_killed_relay_is_silent_within_40_seconds(start_relay, store, clock):
    wall = clock(0)
    settings, operator, stays, killed = one_killed(start_relay, store, wall)
    wall.advance_until(lambda: silent(operator)[str(killed.port)], SILENT_SECONDS)
    assert silent(operator)[str(stays.port)] is False
