"""Several relays on one real memcached: a limit holds over all of them."""

import asyncio
import json
import re
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from typing import Any

import pytest
from conftest import memcached_of_file
from limited import MODELS, Crowd, Told, assert_admitted, assert_refused, chat, client, statuses
from memcached import Memcached
from relay_process import Relay, needs_localhost

PATIENCE = "5s"
"""No decision falls back on a single relay because the machine is busy."""
BOUND = 50
FEW = 12
MINUTE_TOKENS = [f"sk-minute-{index}-{uuid.uuid4().hex}" for index in range(FEW)]


store = memcached_of_file()


@pytest.fixture(scope="module")
def relays(store: Memcached, launch: Callable[..., Relay]) -> list[Relay]:
    """Four relays that count together: 50 a minute."""
    keys: dict[str, str] = {f"KEY_M{index}_TOKEN": token for index, token in enumerate(MINUTE_TOKENS)}
    shared: dict[str, Any] = {
        "PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "echo",
        "RATE_LIMIT": f"{BOUND}/minute", "MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": PATIENCE,
        "TRUSTED_PROXIES": "127.0.0.1",
    }  # fmt: skip
    return [launch(**shared, **keys) for _ in range(4)]


numbers = count()


@pytest.fixture
def token() -> str:
    """The token of a known caller that has 50 requests a minute and has used none."""
    return MINUTE_TOKENS[next(numbers)]


def crowd_of(relays: list[Relay], ask: Callable[[Crowd], Any]) -> Any:
    async def run() -> Any:
        async with Crowd(relays) as crowd:
            return await ask(crowd)

    return asyncio.run(run())


@pytest.mark.parametrize("instances", [2, 4])
def test_a_rush(relays, token, instances):
    began = time.monotonic()
    told: list[Told] = crowd_of(relays[:instances], lambda crowd: crowd.burst(400, token))
    assert statuses(told) == {200: BOUND, 429: 400 - BOUND}
    assert time.monotonic() - began < 50, "too slow a machine to tell"
    first = min(each.got for each in told if each.status == 200)
    for each in told:
        if each.status != 429:
            continue
        assert each.code == "rate_limit_exceeded" and each.wait is not None
        # Room comes a window after the first admission, or up to two buckets later.
        assert each.got + each.wait / 1000 >= began + 60
        assert each.sent + each.wait / 1000 <= first + 61.01

    for relay in relays:
        with client(relay, token) as http:
            assert assert_refused(chat(http), f"{BOUND} per minute") > 5_000
            assert assert_refused(chat(http, stream=True), f"{BOUND} per minute") > 5_000
            assert_admitted(http.get(MODELS), f"{BOUND} per minute", 49 - relays.index(relay))


@needs_localhost
def test_one_store_by_any_of_its_names(store, start_relay):
    names = [
        {"MEMCACHED_SERVERS": store.address}, {"MEMCACHED_HOST": "127.0.0.1", "MEMCACHED_PORT": store.port},
        {"MEMCACHED_HOST": "auto", "MEMCACHED_PORT": store.port}, {"MEMCACHED_SERVERS": f"localhost:{store.port}"},
        {"MEMCACHED_HOST": "127.0.0.1", "MEMCACHED_PORT": f"tcp://127.0.0.1:{store.port}"},
    ]  # fmt: skip
    for number, name in enumerate(names):
        relay = start_relay(PROVIDER_DEMO_KIND="echo", ANONYMOUS_MODELS="echo", RATE_LIMIT="9/hour", MEMCACHED_TIMEOUT=PATIENCE, **name)
        with client(relay) as http:
            assert_admitted(chat(http), "9 per hour", 8 - number)


def test_callers_are_the_same_everywhere(relays):
    for number, relay in enumerate(relays):
        for address, left in (("198.51.100.77", 49 - number), (f"198.51.100.{number}", 49)):
            with client(relay, **{"X-Forwarded-For": address}) as http:
                assert_admitted(chat(http), f"{BOUND} per minute", left)


def test_no_secret_in_the_store_nor_in_logs(store, start_relay, vendor, new_key):
    keys = [new_key(), new_key("bad"), f"sk-known-{uuid.uuid4().hex}"]
    addresses = ["198.51.100.231", "203.0.113.142", "2001:db8:77:88::99"]
    seen_before = set(store.keys())
    relay = start_relay(
        PROVIDER_PASS_KIND="onemin", PROVIDER_PASS_PASSTHROUGH="true", PROVIDER_DEMO_KIND="echo",
        ANONYMOUS_MODELS="echo", KEY_A_TOKEN=keys[2], KEY_A_RATE_LIMIT="9/day", KEY_A_RATE_LIMIT_CHAT="8/day",
        RATE_LIMIT="7/minute;70/day", RATE_LIMIT_FAILED_AUTH="6/day", RATE_LIMIT_BY="key",
        TRUSTED_PROXIES="127.0.0.1", MEMCACHED_SERVERS=store.address,
    )  # fmt: skip
    for key in keys:
        with client(relay, key, **{"X-Forwarded-For": addresses[0]}) as http:
            assert chat(http, model="gpt-4o-mini" if key != keys[2] else "echo").status_code in (200, 401)
            http.get(MODELS)
    for address in addresses:
        with client(relay, **{"X-Forwarded-For": address}) as http:
            assert chat(http).status_code == 200
            for _ in range(7):
                chat(http)
    # Lists and entries of relays have no caller.
    found = sorted(key for key in set(store.keys()) - seen_before if not key.startswith("relay:1:"))
    for key in found:
        assert re.fullmatch(r"relay:2:[a-z.]+\.\d+:[A-Za-z0-9_-]{22}", key), key
    kinds = {key.split(":")[2] for key in found}
    assert kinds == {
        "chat.requests.60", "chat.requests.86400", "models.requests.60", "models.requests.86400",
        "key.requests.86400", "key.chat.requests.86400", "auth.requests.86400",
    }  # fmt: skip
    dump = store.dump()
    assert len(dump) > 1000
    # The address of a client stands in the lines of requests whose key or model is refused.
    open_lines = [line for line in relay.text().splitlines() if json.loads(line).get("status") not in (401, 403, 404)]
    for secret in [*keys, *addresses]:
        digest = sha256(secret.encode()).digest()
        forms = [secret.encode(), digest, digest.hex().encode(), urlsafe_b64encode(digest)[:22]]
        assert not [form for form in forms if form in dump], secret
        assert not [line for line in open_lines if secret in line], secret
        assert secret in addresses or secret not in relay.text(), secret
    for line in map(json.loads, relay.text().splitlines()):
        assert "relay:2:" not in json.dumps(line)
