"""Concurrency limits: never more at once than allowed, over all relays, and each end of a request releases its slot."""

import asyncio
import itertools
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import checked
import httpx
import pytest
from chat import CHAT_PATH, MODEL
from conftest import memcached_of_file
from limited import CHAT, FOR_ALL, MODELS, assert_none, chat_body, client, metric, one
from memcached import Memcached, wait_for
from rawhttp import Connection, request
from records import INSTANCES, held, slots
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


def assert_refused(answer: httpx.Response, bound: int, hint: str = "") -> None:
    """Asserts a complete refusal by `bound` concurrent requests."""
    assert answer.status_code == 429, (answer.status_code, answer.text)
    assert one(answer, "retry-after") == "1" and one(answer, "retry-after-ms") == "1000"
    assert one(answer, "x-relay-limited-by") == "relay" and "x-should-retry" not in answer.headers
    assert answer.json() == {
        "error": {
            "message": f"Rate limit reached for requests: {bound} concurrent. Please try again in 1s.{hint}",
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


ROWS = {
    "each caller": {"RATE_LIMIT": f"1000/hour;{BOUND} concurrent"},
    "a group": {"RATE_LIMIT_CHAT": f"{BOUND} concurrent"},
    "a model": {"RATE_LIMIT_BY_MODEL": f"gpt*={BOUND} concurrent"},
    "all callers": {"RATE_LIMIT_TOTAL": f"{BOUND} concurrent"},
    "a key": {"KEY_A_RATE_LIMIT": f"{BOUND} concurrent"},
    "a key's group": {"KEY_A_RATE_LIMIT_CHAT": f"{BOUND} concurrent"},
}


@pytest.mark.parametrize("row, where", [*((row, "memory") for row in ROWS), ("each caller", "memcached")])
def test_so_many_at_once_and_no_more(start_relay, store, vendor, new_key, row, where):
    key = new_key()
    known = {"KEY_A_TOKEN": new_key("sk"), "ONE_MIN_API_KEYS": key} if "key" in row else {}
    if where == "memcached":
        known |= {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": PATIENCE}
    relays = [start_relay(**ROWS[row], **known) for _ in range(2 if where == "memcached" else 1)]
    # All callers together: each request another caller.
    keys = [new_key() if row == "all callers" else key for _ in range(24)]
    tokens = [known.get("KEY_A_TOKEN", each) for each in keys]
    vendor.answers_all({each: [HELD] for each in keys})

    async def rush() -> list[httpx.Response]:
        async with checked.async_client(httpx, timeout=30) as http:
            def asked(number: int, token: str) -> asyncio.Task[httpx.Response]:
                url = relays[number % len(relays)].base_url + CHAT
                headers = {"Authorization": f"Bearer {token}"}
                return asyncio.create_task(http.post(url, json=chat_body(model=MODEL), headers=headers))

            tasks = [asked(number, token) for number, token in enumerate(tokens)]
            left = set(tasks)
            while len(left) > BOUND:
                done, left = await asyncio.wait(left, timeout=20, return_when=asyncio.FIRST_COMPLETED)
                assert done, f"{len(left)} are at the vendor"
            assert await asyncio.to_thread(sum_in_flight) == BOUND
            # An admitted request may still be on its way to the vendor.
            await asyncio.to_thread(wait_for, lambda: vendor_calls() == BOUND)
            for each in set(keys):
                vendor.release(each)
            return [await task for task in tasks]

    def sum_in_flight() -> int:
        return sum(in_flight(relays))

    def vendor_calls() -> int:
        return sum(len(vendor.requests(each, CHAT_PATH)) for each in set(keys))

    answers = asyncio.run(rush())
    admitted = [answer for answer in answers if answer.status_code == 200]
    assert len(admitted) == BOUND
    for answer in answers:
        if answer.status_code != 200:
            assert_refused(answer, BOUND, FOR_ALL if row == "all callers" else "")
    if row == "each caller":
        assert {one(answer, "x-ratelimit-limit-requests") for answer in answers} == {"1000"}
    else:
        for answer in admitted:
            assert_none(answer)
    wait_for_slots(relays, *[0] * len(relays))
    with client(relays[0], tokens[0]) as http:
        assert http.get(MODELS).status_code in (200, 429), "a list of models holds its slot as long as it takes"


STREAM = {"deltas": ["first words", "other words"]}
AFTER_FIRST = STREAM | {"stall_at": 60}
ANSWERED = {
    "answer": (False, HELD, 200),
    "streamed answer": (True, AFTER_FIRST, 200),
    "vendor's error": (False, {"status": 400, "json": {"message": "no"}} | HELD, 400),
    "vendor's error, streamed": (True, {"status": 400, "json": {"message": "no"}} | HELD, 400),
    "vendor's answer cut": (False, {"stall_at": 10, "cut_at": 20}, 502),
    "stream cut before its first piece": (True, STREAM | {"stall_at": 0, "cut_at": 0}, 502),
    "stream cut": (True, AFTER_FIRST | {"cut_at": 70}, 200),
    "stream reset": (True, AFTER_FIRST | {"cut_at": 70, "cut_how": "rst"}, 200),
}
LEFT = {
    f"{how}, {kind} {moment}": (how, kind == "streamed", scenario)
    for how in ("close", "reset", "half")
    for kind, moment, scenario in (
        ("whole", "before the head", HELD), ("whole", "before the body", {"stall_at": 0}),
        ("whole", "within the body", {"stall_at": 30}), ("streamed", "before the head", HELD),
        ("streamed", "before the first piece", {"stall_at": 0}), ("streamed", "after the first piece", AFTER_FIRST),
    )
    if how == "close" or moment == "before the head"
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


def test_what_is_refused_for_another_limit_holds_no_slot(start_relay, store, vendor, new_key):
    """All or nothing: a request without room in its window takes no slot."""
    environment = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": PATIENCE, "SLOT_SECONDS": LONG_SECONDS}
    relays = [start_relay(RATE_LIMIT="3/hour;7 concurrent", **environment) for _ in range(2)]
    key = new_key()
    for number in range(3):
        assert ask(relays[number % 2], key).status_code == 200
    for number in range(20):
        answer = ask(relays[number % 2], key)
        assert answer.status_code == 429 and "3 per hour" in answer.text
    wait_for(lambda: held(store, "chat.concurrent.0") == 0)
    assert in_flight(relays) == [0, 0]


def test_a_relay_that_ends_frees_its_slots(start_relay, store, vendor, new_key):
    environment = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": PATIENCE, "SLOT_SECONDS": LONG_SECONDS}
    ending, staying = (start_relay(RATE_LIMIT="3 concurrent", **environment, SHUTDOWN_SECONDS="1") for _ in range(2))
    living = int(metric(staying, "relay_instances"))
    key = new_key()
    requests = [Held(ending, vendor, key) for _ in range(3)]
    wait_for(lambda: held(store, "chat.concurrent.0") == 3)
    ending.signal(signal.SIGTERM)
    # A second's grace for what runs, then it is cut, and the slots are free: no lease has ended.
    ending.stop()
    assert held(store, "chat.concurrent.0") == 0
    vendor.answers(key, {})
    assert ask(staying, key).status_code == 200
    assert sum(entry.held for entry in slots(store, INSTANCES)) < max(living, 2)
    for each in requests:
        each.connection.close()
