"""Concurrency limits: never more at once than allowed, over all relays, and each end of a request releases its slot."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import checked
import httpx
import pytest
from chat import CHAT_PATH, MODEL
from conftest import memcached_of_file
from limited import CHAT, MODELS, chat_body, client, metric, one
from memcached import Memcached, wait_for
from rawhttp import Connection, request
from records import held
from relay_process import Relay
from vendor import Vendor

BOUND = 5
HELD = {"stall_at": -1}
"""The vendor says nothing until it is released."""
LONG_SECONDS = 3600
"""A slot's lease in tests where none may end by time."""
PATIENCE = "5s"
"""No decision falls back on a single relay because the machine is busy."""


store = memcached_of_file()


@pytest.fixture(params=["memory", "memcached"])
def relays(request: pytest.FixtureRequest, launch: Callable[..., Relay], store: Memcached) -> list[Relay]:
    """Two relays that share, or one alone. A caller is an address, so that each of its requests can have a key of its
    own."""
    return shared(launch, store) if request.param == "memcached" else alone(launch)


BY_ADDRESS = {"RATE_LIMIT": "1000/hour;2 concurrent", "RATE_LIMIT_BY": "ip", "TRUSTED_PROXIES": "127.0.0.1", "SLOT_SECONDS": LONG_SECONDS}
SHARED = "chat.concurrent.0"
"""The slots of all these addresses in the store."""
started: dict[str, list[Relay]] = {}


def alone(launch: Callable[..., Relay]) -> list[Relay]:
    if "alone" not in started:
        started["alone"] = [launch(**BY_ADDRESS)]
    return started["alone"]


def shared(launch: Callable[..., Relay], store: Memcached) -> list[Relay]:
    if "shared" not in started:
        environment = BY_ADDRESS | {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": PATIENCE}
        started["shared"] = [launch(**environment) for _ in range(2)]
    return started["shared"]


numbers = itertools.count(1)


def fresh_address() -> str:
    return f"198.51.{next(numbers) // 250}.{next(numbers) % 250 + 1}"


class Held:
    """A request that is at the vendor."""

    def __init__(
        self, relay: Relay, vendor: Vendor, key: str, *, address: str | None = None, token: str | None = None,
        is_streamed: bool = False, scenario: dict[str, Any] = HELD, path: str = CHAT,
    ) -> None:  # fmt: skip
        """Begins a request. `key`: the vendor's; `token`: the caller's, if it is another one."""
        self.vendor, self.key = vendor, key
        vendor.answers(key, scenario)
        before = len(vendor.events(key, "stalled"))
        self.connection = Connection(relay.port)
        body = json.dumps(chat_body(model=MODEL) | ({"stream": True} if is_streamed else {})).encode()
        headers = {"authorization": f"Bearer {token or key}", "x_forwarded_for": address}
        self.connection.send(request("POST", path, body, **headers))
        vendor.wait(key, "stalled", before + 1)

    def end(self) -> int:
        """Lets the request finish. Returns the status."""
        self.vendor.release(self.key)
        status = self.connection.receive().status
        self.connection.close()
        return status

    def leave(self, how: str) -> None:
        {"close": self.connection.close, "reset": self.connection.reset, "half": self.connection.half_close}[how]()


def assert_refused(answer: httpx.Response, bound: int) -> None:
    """Asserts a complete refusal by `bound` concurrent requests."""
    assert answer.status_code == 429, (answer.status_code, answer.text)
    assert one(answer, "retry-after") == "1" and one(answer, "retry-after-ms") == "1000"
    assert one(answer, "x-relay-limited-by") == "relay" and "x-should-retry" not in answer.headers
    assert answer.json() == {
        "error": {
            "message": f"Rate limit reached for requests: {bound} concurrent. Please try again in 1s.",
            "type": "requests", "param": None, "code": "rate_limit_exceeded",
        }
    }  # fmt: skip


def ask(relay: Relay, key: str, address: str | None = None) -> httpx.Response:
    """Sends a request that gets a response at once if it is admitted."""
    headers = {"X-Forwarded-For": address} if address else {}
    with client(relay, key, **headers) as http:
        return http.post(CHAT, json=chat_body(model=MODEL))


def in_flight(relays: list[Relay]) -> list[int]:
    return [int(metric(relay, "relay_limit_slots")) for relay in relays]


def wait_for_slots(relays: list[Relay], *counts: int) -> None:
    wait_for(lambda: in_flight(relays) == list(counts))


@pytest.mark.parametrize("where", ["memory", "memcached"])
def test_so_many_at_once_and_no_more(start_relay, store, vendor, new_key, where):
    key = new_key()
    environment = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": PATIENCE} if where == "memcached" else {}
    relays = [start_relay(RATE_LIMIT=f"1000/hour;{BOUND} concurrent", **environment) for _ in range(2 if where == "memcached" else 1)]
    vendor.answers(key, HELD)
    headers = {"Authorization": f"Bearer {key}"}

    async def rush() -> list[httpx.Response]:
        async with checked.async_client(httpx, timeout=30) as http:
            tasks = [
                asyncio.create_task(http.post(relays[number % len(relays)].base_url + CHAT, json=chat_body(model=MODEL), headers=headers))
                for number in range(24)
            ]
            left = set(tasks)
            while len(left) > BOUND:
                done, left = await asyncio.wait(left, timeout=20, return_when=asyncio.FIRST_COMPLETED)
                assert done, f"{len(left)} are at the vendor"
            assert await asyncio.to_thread(sum_in_flight) == BOUND
            # An admitted request may still be on its way to the vendor.
            await asyncio.to_thread(wait_for, lambda: len(vendor.requests(key, CHAT_PATH)) == BOUND)
            vendor.release(key)
            return [await task for task in tasks]

    def sum_in_flight() -> int:
        return sum(in_flight(relays))

    answers = asyncio.run(rush())
    admitted = [answer for answer in answers if answer.status_code == 200]
    assert len(admitted) == BOUND
    for answer in answers:
        if answer.status_code != 200:
            assert_refused(answer, BOUND)
    assert {one(answer, "x-ratelimit-limit-requests") for answer in answers} == {"1000"}
    wait_for_slots(relays, *[0] * len(relays))
    with client(relays[0], key) as http:
        assert http.get(MODELS).status_code in (200, 429), "a list of models holds its slot as long as it takes"


STREAM = {"deltas": ["first words", "other words"]}
AFTER_FIRST = STREAM | {"stall_at": 60}
ANSWERED = {
    "answer": (False, HELD, 200),
    "streamed answer": (True, AFTER_FIRST, 200),
    "stream cut": (True, AFTER_FIRST | {"cut_at": 70}, 200),
}
LEFT = {
    "close, whole": ("close", False, HELD), "half, streamed": ("half", True, AFTER_FIRST), "reset, whole": ("reset", False, {"stall_at": 30}),
}  # fmt: skip


@contextmanager
def one_of_two(relays, store, vendor, new_key, **how: Any) -> Iterator[Held]:
    """Opens two requests of one caller, the second at another relay if there is one. The block ends the first. Its slot
    is then free at both, before a slot's time ends."""
    address, keys = fresh_address(), [new_key() for _ in range(4)]
    here, there = relays[0], relays[-1]
    ending = Held(here, vendor, keys[0], address=address, **how)
    staying = Held(there, vendor, keys[1], address=address)
    wait_for_slots(relays, *([1, 1] if len(relays) > 1 else [2]))
    assert_refused(ask(here, keys[2], address), 2)
    yield ending
    wait_for_slots(relays, *([0, 1] if len(relays) > 1 else [1]))
    if len(relays) > 1:
        # The store is told right after; nobody waits for that.
        wait_for(lambda: held(store, SHARED) == 1)
        # It has not refused anybody yet, so it remembers nothing.
        again = Held(there, vendor, keys[2], address=address)
        wait_for_slots(relays, 0, 2)
        assert_refused(ask(there, keys[3], address), 2)
        assert again.end() == 200
        wait_for_slots(relays, 0, 1)
        wait_for(lambda: held(store, SHARED) == 1)
    assert ask(here, keys[3], address).status_code == 200
    assert staying.end() == 200
    wait_for_slots(relays, *[0] * len(relays))
    ending.connection.close()


@pytest.mark.parametrize("how", ANSWERED)
def test_an_answer_frees_its_slot(relays, store, vendor, new_key, how):
    is_streamed, scenario, status = ANSWERED[how]
    with one_of_two(relays, store, vendor, new_key, is_streamed=is_streamed, scenario=scenario) as ending:
        assert ending.end() == status


@pytest.mark.parametrize("what", LEFT)
def test_a_client_that_leaves_frees_its_slot(relays, store, vendor, new_key, what):
    how, is_streamed, scenario = LEFT[what]
    with one_of_two(relays, store, vendor, new_key, is_streamed=is_streamed, scenario=scenario) as ending:
        if scenario is AFTER_FIRST:
            assert ending.connection.reads(b"first words")
        ending.leave(how)
        vendor.wait(ending.key, "client_closed")
