"""Long work of many requests at once: it waits for its turn, and no provider is blamed for the wait."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx

LONG = "So it was, and so it is. " * 1_400
"""Its tokens are counted by the thread for long work."""
CROWD = 200
OTHERS = 50
WAIT_SECONDS = 10


async def asked(client: httpx.AsyncClient, token: str) -> tuple[httpx.Response, float]:
    """Sends a long chat. Returns the response, and the seconds that it took."""
    begun = time.monotonic()
    answer = await client.post(
        "/v1/chat/completions",
        headers={"Authorization": f"Bearer {token}"},
        json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": LONG}]},
    )
    return answer, time.monotonic() - begun


def test_a_crowd_of_long_chats_is_served(serve: Callable[..., Any], vendor: Any) -> None:
    tokens = {name: f"token-{uuid.uuid4().hex}" for name in ["CROWD", *(f"C{number}" for number in range(OTHERS))]}
    keys = {f"KEY_{name}_TOKEN": token for name, token in tokens.items()}
    providers, http = serve(a=1, b=1, PROVIDER_B_PRIORITY=2, THREADS=4, MEMORY_MB=512, FALLBACK_DEADLINE="120s", **keys)
    providers.answers("a", {"answer": "served"})

    async def all_at_once() -> list[tuple[httpx.Response, float]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=http.relay.base_url, timeout=120, limits=limits, trust_env=False, verify=False) as client:
            callers = [tokens["CROWD"]] * CROWD + [tokens[f"C{number}"] for number in range(OTHERS)]
            return await asyncio.gather(*(asked(client, token) for token in callers))

    answers = asyncio.run(all_at_once())
    for answer, seconds in answers[:CROWD]:
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "overloaded"), answer.text
            assert answer.headers["retry-after"] == "1" and seconds >= WAIT_SECONDS
    assert {answer.status_code for answer, _ in answers[CROWD:]} == {200}
    assert {answer.headers["x-relay-provider"] for answer, _ in answers if answer.status_code == 200} == {"a"}
    assert providers.counts("b") == [0]
