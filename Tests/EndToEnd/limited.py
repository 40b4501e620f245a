"""Responses of limited endpoints as tests read them: every header and every word of a refusal is compared."""

import asyncio
import itertools
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import checked
import httpx
from local_http import UNVERIFIED
from relay_process import Relay

FOR_ALL = " All callers share this limit."
"""What refusals by a limit of all callers together add."""
CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
STANDING = "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "ratelimit-policy", "ratelimit"
REFUSAL = ("retry-after", "retry-after-ms", "x-should-retry", "x-relay-limited-by")
NOT_FOR_REQUESTS = ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens")
SPANS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
SHOULD_NOT_RETRY_MS = 120_000


def chat_body(**fields: Any) -> dict[str, Any]:
    return {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]} | fields


def client(relay: Relay, token: str | None = None, address: str = "127.0.0.1", **headers: str) -> httpx.Client:
    """Returns a checked client from `address` of this machine, with the given key or without one."""
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    transport = httpx.HTTPTransport(local_address=address, verify=UNVERIFIED)
    return checked.client(httpx, base_url=relay.base_url, headers=headers, timeout=30, transport=transport)


def chat(http: httpx.Client, **fields: Any) -> httpx.Response:
    return http.post(CHAT, json=chat_body(**fields))


def duration(milliseconds: int) -> str:
    """Returns the duration as text: `12ms`, `1s`, `6m0s`, `24h12m0s`."""
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    seconds = -(-milliseconds // 1000)
    minutes = f"{seconds // 60 % 60}m" if seconds >= 60 else ""
    hours = f"{seconds // 3600}h" if seconds >= 3600 else ""
    return f"{hours}{minutes}{seconds % 60}s"


def milliseconds(text: str) -> int:
    if found := re.fullmatch(r"(\d+)ms", text):
        assert int(found[1]) < 1000, text
        return int(found[1])
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(\d+)s", text)
    assert found, text
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((hours * 60 + minutes) * 60 + seconds) * 1000


def window(text: str) -> tuple[int, int]:
    """Returns number and seconds of `60 per minute`, `50 per 10 seconds`."""
    found = re.fullmatch(r"(\d+) per (?:(\d+) )?([a-z]+?)s?", text)
    assert found, text
    return int(found[1]), int(found[2] or 1) * SPANS[found[3]]


def longest_wait_ms(text: str) -> float:
    """Returns the longest wait: the window and two buckets."""
    seconds = window(text)[1]
    return seconds * 1000 * (1 + 2 / (120 if seconds >= 60 else 60))


def metric(relay: Relay, name: str, **labels: str) -> float:
    """Returns one figure of /metrics."""
    with client(relay) as http:
        text = http.get("/metrics").text
    series = name + ("{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}" if labels else "")
    found = [line for line in text.splitlines() if line.startswith(series + " ")]
    assert len(found) == 1, f"{series}: {found}"
    return float(found[0].rpartition(" ")[2])


def one(answer: httpx.Response, name: str) -> str:
    values = answer.headers.get_list(name)
    assert len(values) == 1, f"{name}: {values}"
    return values[0]


def assert_standing(answer: httpx.Response, text: str, remaining: int, apart_ms: int = 0) -> None:
    """Asserts that the tightest limit is `text` (as in `60 per minute`), and that so many more requests are left.

    `apart_ms`: how far the relays' clocks may be apart.
    """
    count, seconds = window(text)
    assert one(answer, "x-ratelimit-limit-requests") == str(count)
    assert one(answer, "x-ratelimit-remaining-requests") == str(remaining)
    reset = one(answer, "x-ratelimit-reset-requests")
    assert duration(milliseconds(reset)) == reset
    assert 0 < milliseconds(reset) < longest_wait_ms(text) + 1000 + apart_ms, answer.headers
    policy = re.fullmatch(rf'("[a-z0-9-]+");q={count};w={seconds}', one(answer, "ratelimit-policy"))
    assert policy, answer.headers
    state = re.fullmatch(rf"{policy[1]};r={remaining};t=(\d+)", one(answer, "ratelimit"))
    assert state and int(state[1]) == -(-milliseconds(reset) // 1000), answer.headers
    if re.fullmatch(r"\d+ per [a-z]+", text):
        assert policy[1] == '"' + text.rpartition(" ")[2] + '"'
    assert_none(answer, NOT_FOR_REQUESTS)


def assert_none(answer: httpx.Response, names: Iterable[str] = (*STANDING, *NOT_FOR_REQUESTS, *REFUSAL)) -> None:
    assert not [name for name in names if name in answer.headers], answer.headers


def assert_admitted(answer: httpx.Response, text: str, remaining: int) -> None:
    assert answer.status_code == 200, answer.text
    assert_standing(answer, text, remaining)
    assert_none(answer, REFUSAL)


def assert_refused(answer: httpx.Response, text: str, tightest: str | None = None, what: str = "{}", apart_ms: int = 0) -> int:
    """Asserts a refusal by `text`, whose message names `what`. Returns the milliseconds to wait."""
    assert answer.status_code == 429, (answer.status_code, answer.text)
    assert_standing(answer, tightest or text, 0, apart_ms)
    wait = int(one(answer, "retry-after-ms"))
    assert 0 < wait <= longest_wait_ms(text) + apart_ms
    assert one(answer, "retry-after") == str(max(1, -(-wait // 1000)))
    assert answer.headers.get("x-should-retry") == ("false" if wait > SHOULD_NOT_RETRY_MS else None)
    assert one(answer, "x-relay-limited-by") == "relay"
    assert one(answer, "content-type").startswith("application/json")
    assert answer.json() == {
        "error": {
            "message": f"Rate limit reached for requests: {what.format(text)}. Please try again in {duration(wait)}.",
            "type": "requests",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }
    return wait


WRONG_KEYS = "too many requests with invalid keys from your address ({})"


def assert_refused_for_wrong_keys(answer: httpx.Response, text: str) -> None:
    assert_refused(answer, text, what=WRONG_KEYS)


@dataclass
class Told:
    """The result of one request, with times of the monotonic clock. `wait`: milliseconds of a refusal."""

    relay: int
    sent: float
    got: float
    status: int
    code: str | None = None
    wait: int | None = None

    @property
    def seconds(self) -> float:
        return self.got - self.sent


async def ask(http: httpx.AsyncClient, relay: int, token: str) -> Told:
    sent = time.monotonic()
    answer = await http.post(CHAT, json=chat_body(), headers={"Authorization": f"Bearer {token}"})
    got = time.monotonic()
    if answer.status_code == 200:
        return Told(relay, sent, got, 200)
    wait = int(answer.headers["retry-after-ms"]) if "retry-after-ms" in answer.headers else None
    return Told(relay, sent, got, answer.status_code, answer.json()["error"]["code"], wait)


LANES = 10


class Crowd:
    """Checked clients of several relays, each with as many connections as needed. Each relay has several clients, used
    in turn: a client's cost grows with the square of its connections."""

    def __init__(self, relays: Sequence[Relay]) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self.relays = len(relays)
        self.turns = itertools.count()
        self.clients = [
            [checked.async_client(httpx, base_url=relay.base_url, timeout=30, limits=limits) for _ in range(LANES)]
            for relay in relays
        ]

    async def __aenter__(self) -> "Crowd":
        return self

    async def __aexit__(self, *_: object) -> None:
        for lanes in self.clients:
            for http in lanes:
                await http.aclose()

    async def ask(self, relay: int, token: str) -> Told:
        return await ask(self.clients[relay][next(self.turns) // self.relays % LANES], relay, token)

    async def burst(self, count: int, token: str) -> list[Told]:
        """Sends so many requests at once, over all relays in turn."""
        return await asyncio.gather(*(self.ask(index % self.relays, token) for index in range(count)))

    async def keep_asking(self, relay: int, token: str, told: list[Told], is_over: asyncio.Event) -> None:
        """Sends requests from one client that does not stop for a refusal."""
        while not is_over.is_set():
            told.append(await self.ask(relay, token))


def statuses(told: Iterable[Told]) -> dict[int, int]:
    found: dict[int, int] = {}
    for each in told:
        found[each.status] = found.get(each.status, 0) + 1
    return found
