"""Each failure of a vendor, for each kind, whole and streamed: one good response, or one clear error in time.

All cells run at once, against one relay. Each has a provider of its own, since the keys of providers rest.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import checked
import conftest
import httpx
import pytest
from chat import PATH, Streamed, body, streamed
from cloudflare_vendor import ACCOUNT
from vendor_faults import AFTER_ITS_BEGINNING, CELLS, FAULTS, GOOD, SAID, SECRET, WIRES, Cell, FaultyServer

DEADLINE_SECONDS = 40.0
"""The total of the relay's time-outs is 10 s; the rest is for a slow machine."""
AT_ONCE = 80
"""The server checks what it is asked: were there more, a slow machine would take longer for all of them than a time-out."""
LIMITS = {"TIMEOUT": "5s", "IDLE_TIMEOUT": "5s", "TOTAL_TIMEOUT": "10s", "CONNECT_TIMEOUT": "5s"}
LEFT_BY_THE_RELAY = {fault for fault, reply in FAULTS.items() if reply(WIRES["openai"], True).end not in ("whole", "cut", "reset")}
ACCOUNT_OF_GOOGLE = {"PROJECT_ID": "my-project", "CLIENT_ID": "id-1", "CLIENT_SECRET": "secret-of-the-client"}
MESSAGES = "/v1/messages"
BY_MESSAGES = [
    cell
    for cell in CELLS
    if cell.is_alone and cell.kind in ("openai", "onemin")
    and cell.fault in {"never answers", "stalls in its answer", "cuts in its answer", "sends a page", "fails in a 200", "fails in its answer", "429"}
]  # fmt: skip
"""Some, asked for through the other surface."""


@dataclass
class Outcome:
    answer: httpx.Response
    seconds: float


@dataclass
class Table:
    server: FaultyServer
    chats: dict[Cell, Outcome]
    messages: dict[Cell, Outcome]


def settings(server: FaultyServer, healthy_url: str) -> dict[str, str]:
    # All are asked at once, and each of Gemini's floods takes 64 MB before it is too long.
    out = {"KEY_TEAM_TOKEN": conftest.TEAM_TOKEN, "FALLBACK_DEADLINE": "30s", "MEMORY_MB": "1024"}
    saved = [cell.name for cell in CELLS if not cell.is_alone]
    for cell in CELLS:
        conftest.secrets.add(cell.key)
        prefix = f"PROVIDER_{cell.name.upper().replace('-', '_')}_"
        mine = {
            "KIND": cell.kind, "API_KEY": cell.key,
            "BASE_URL": server.dead_url if cell.fault == "refuses connections" else server.base_url,
            "MODELS": f"{cell.name}={WIRES[cell.kind].model}",
        } | LIMITS  # fmt: skip
        if cell.kind == "cloudflare":
            mine["ACCOUNT_ID"] = ACCOUNT
        if cell.kind.startswith("vertexai"):
            mine |= {"REFRESH_TOKEN": mine.pop("API_KEY"), "TOKEN_URL": f"{server.base_url}/token", **ACCOUNT_OF_GOOGLE}
        out |= {prefix + name: value for name, value in mine.items()}
    healthy = {
        "KIND": "openai", "BASE_URL": healthy_url, "API_KEY": conftest.VENDOR_KEY, "PRIORITY": "2",
        "MODELS": ",".join(f"{name}=healthy" for name in saved),
    }  # fmt: skip
    return out | {f"PROVIDER_HEALTHY_{name}": value for name, value in healthy.items()}


async def ask(clients: "asyncio.Queue[httpx.AsyncClient]", path: str, cell: Cell) -> Outcome:
    asked = body(model=cell.name, max_tokens=20) | ({"stream": True} if cell.is_streamed else {})
    http = await clients.get()
    began = time.monotonic()
    try:
        return Outcome(await http.post(path, json=asked), time.monotonic() - began)
    finally:
        clients.put_nowait(http)


async def ask_all(server: FaultyServer, base_url: str) -> Table:
    """Runs all requests; each client has one connection, because a pool of many is slow."""
    headers = {"Authorization": f"Bearer {conftest.TEAM_TOKEN}"}
    clients: asyncio.Queue[httpx.AsyncClient] = asyncio.Queue()
    async with server.serving(), contextlib.AsyncExitStack() as opened:
        for _ in range(AT_ONCE):
            http = checked.async_client(httpx, base_url=base_url, headers=headers, timeout=60)
            clients.put_nowait(await opened.enter_async_context(http))
        chats = await asyncio.gather(*(ask(clients, PATH, cell) for cell in CELLS))
        messages = await asyncio.gather(*(ask(clients, MESSAGES, cell) for cell in BY_MESSAGES))
    return Table(server, dict(zip(CELLS, chats, strict=True)), dict(zip(BY_MESSAGES, messages, strict=True)))


@pytest.fixture(scope="module")
def table(launch, server):
    faulty = FaultyServer()
    server.says("healthy", {})
    relay = launch(**settings(faulty, server.base_url))
    found = asyncio.run(ask_all(faulty, relay.base_url))
    relay.stop()
    # A whole answer of a server's becomes one chunk.
    checked.problems[:] = [problem for problem in checked.problems if "the finish chunk has a delta" not in problem]
    assert server.take_violations() == []
    return found


def by_kind_and_fault(cells: Iterable[Cell]) -> Any:
    """Returns the cells as test parameters, one for each kind and fault, whole and streamed."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(f"{cell.kind} {cell.fault}", []).append(cell)
    return pytest.mark.parametrize("cells", groups.values(), ids=groups)


def read(outcome: Outcome) -> Streamed:
    answer = outcome.answer
    return streamed(answer.status_code, answer.headers, answer.content)


def said(cell: Cell, outcome: Outcome) -> str | None:
    """Returns the text of a good response that reached its end; None for other responses."""
    if outcome.answer.status_code != 200:
        return None
    if cell.is_streamed:
        got = read(outcome)
        return got.text() if got.is_done and got.error is None and got.finish() == "stop" else None
    choice = outcome.answer.json()["choices"][0]
    return choice["message"]["content"] if choice["finish_reason"] == "stop" else None


@by_kind_and_fault(cell for cell in CELLS if cell.is_alone)
def test_alone(table, cells):
    for cell in cells:
        outcome = table.chats[cell]
        assert outcome.seconds < DEADLINE_SECONDS
        assert SECRET not in outcome.answer.text and "internal.example" not in outcome.answer.text
        if cell.fault in GOOD and outcome.answer.status_code == 200:
            assert said(cell, outcome) == SAID
        elif cell.is_streamed and cell.fault in AFTER_ITS_BEGINNING:
            got = read(outcome)
            assert got.status == 200 and SAID.startswith(got.text()), got
            assert got.error and got.finish() is None and not got.is_done, outcome.answer.text
        else:
            assert outcome.answer.status_code == cell.status, outcome.answer.text
            assert outcome.answer.json()["error"]["message"]
            if cell.fault == "429":
                assert outcome.answer.headers["retry-after"] == "7"


@by_kind_and_fault(cell for cell in CELLS if not cell.is_alone)
def test_saved(table, cells):
    for cell in cells:
        outcome = table.chats[cell]
        assert outcome.seconds < DEADLINE_SECONDS
        if cell.is_streamed and cell.fault in AFTER_ITS_BEGINNING:
            got = read(outcome)
            assert got.error and got.finish() is None and not got.is_done, outcome.answer.text
            continue
        assert said(cell, outcome) == SAID, outcome.answer.text
        by = outcome.answer.headers["x-relay-provider"], outcome.answer.headers["x-relay-attempts"]
        assert by == ("healthy", "2") or cell.fault in GOOD and by == (cell.name, "1")


@by_kind_and_fault(cell for cell in CELLS if cell.fault in LEFT_BY_THE_RELAY)
def test_the_vendor_is_left(table, cells):
    assert [cell.name for cell in cells if cell.name not in table.server.left] == []


@by_kind_and_fault(BY_MESSAGES)
def test_alone_by_messages(table, cells):
    for cell in cells:
        answer = table.messages[cell].answer
        assert table.messages[cell].seconds < DEADLINE_SECONDS
        if answer.headers["content-type"].startswith("application/json"):
            assert answer.status_code >= 400
            told = answer.json()
        else:
            assert cell.is_streamed and cell.fault in AFTER_ITS_BEGINNING
            last = answer.text.strip().rpartition("\n\n")[2]
            assert last.startswith("event: error\ndata: ") and "message_stop" not in answer.text
            told = json.loads(last.partition("data: ")[2])
        assert told["type"] == "error" and told["error"]["message"]
