"""FALLBACK_DEADLINE for each kind of provider: a response that has not begun by then is cancelled, one that has
continues.

Nothing but the deadline ends these calls: the providers' own time-outs are longer than the test. All are asked at once.
"""

import asyncio
from typing import Any

import checked
import conftest
import httpx
import pytest
from chat import PATH, body, streamed
from cloudflare_vendor import ACCOUNT
from test_vendor_faults import ACCOUNT_OF_GOOGLE
from vendor_faults import BY_NAME, SAID, WIRES, Cell, FaultyServer

FAULTS = ("never answers", "stalls after its head", "stalls in its answer")
CELLS = [cell for cell in BY_NAME.values() if cell.fault in FAULTS and not cell.is_alone]
BY_LIBCURL = [cell for cell in CELLS if cell.kind == "openai"]
"""Asked by HTTP/2 as well, which is libcurl's matter."""
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
WITH_TOOLS = [cell for cell in CELLS if cell.kind == "onemin"]
"""Asked with tools as well, which the relay makes up for."""
ASKED = {
    **{cell.name: (cell, {}) for cell in CELLS},
    **{f"{cell.name}-by-libcurl": (cell, {}) for cell in BY_LIBCURL},
    **{f"{cell.name}-with-tools": (cell, {"tools": TOOLS}) for cell in WITH_TOOLS},
}


def settings(faulty: FaultyServer, healthy_url: str) -> dict[str, str]:
    out = {"KEY_TEAM_TOKEN": conftest.TEAM_TOKEN, "FALLBACK_DEADLINE": "1s"}
    for name, (cell, _) in ASKED.items():
        conftest.secrets.add(cell.key)
        mine = {
            "KIND": cell.kind, "API_KEY": cell.key, "BASE_URL": faulty.base_url, "IDLE_TIMEOUT": "3s",
            "MODELS": f"{name}={WIRES[cell.kind].model}", "HTTP2": str(name.endswith("-by-libcurl")).lower(),
        }  # fmt: skip
        if cell.kind == "cloudflare":
            mine["ACCOUNT_ID"] = ACCOUNT
        if cell.kind.startswith("vertexai"):
            mine |= {"REFRESH_TOKEN": mine.pop("API_KEY"), "TOKEN_URL": f"{faulty.base_url}/token", **ACCOUNT_OF_GOOGLE}
        out |= {f"PROVIDER_{name.upper().replace('-', '_')}_{key}": value for key, value in mine.items()}
    healthy = {
        "KIND": "openai", "BASE_URL": healthy_url, "API_KEY": conftest.VENDOR_KEY, "PRIORITY": "2",
        "MODELS": ",".join(f"{name}=healthy" for name in ASKED),
    }  # fmt: skip
    return out | {f"PROVIDER_HEALTHY_{name}": value for name, value in healthy.items()}


@pytest.fixture(scope="module")
def table(launch, server):
    faulty = FaultyServer()
    server.says("healthy", {})
    relay = launch(**settings(faulty, server.base_url))

    async def ask(name: str, cell: Cell, fields: dict[str, Any]) -> httpx.Response:
        asked = body(model=name, **fields) | ({"stream": True} if cell.is_streamed else {})
        headers = {"Authorization": f"Bearer {conftest.TEAM_TOKEN}"}
        async with checked.async_client(httpx, base_url=relay.base_url, headers=headers, timeout=60) as http:
            return await http.post(PATH, json=asked)

    async def ask_all() -> list[httpx.Response]:
        async with faulty.serving():
            return await asyncio.gather(*(ask(name, cell, fields) for name, (cell, fields) in ASKED.items()))

    answers = dict(zip(ASKED, asyncio.run(ask_all()), strict=True))
    relay.stop()
    return faulty, answers


@pytest.mark.parametrize("name", ASKED)
def test_an_answer_has_to_begin_by_the_deadline(table, name):
    faulty, answers = table
    cell, _ = ASKED[name]
    answer = answers[name]
    if cell.is_streamed and cell.fault == "stalls in its answer":
        got = streamed(answer.status_code, answer.headers, answer.content)
        assert got.status == 200 and SAID.startswith(got.text()) and got.text()
        assert got.error["code"] == "upstream_timeout", answer.text
    else:
        assert answer.status_code == 504, answer.text
        assert answer.json()["error"]["code"] == "upstream_timeout"
    assert answer.headers["x-relay-attempts"] == "1"
    assert cell.name in faulty.left
