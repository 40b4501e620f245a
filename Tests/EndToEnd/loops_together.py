"""Simultaneous work of many loops on their shared state: rows that once ended the process, each a burst of requests.

What loops share has times in it that another loop has read. `play` begins one row with a fresh relay.
"""

import asyncio
import contextlib
import subprocess
from dataclasses import dataclass, field

import httpx
from bursts import Caller, GatheringServer, all_at_once, hold
from relay_process import Relay
from vendor_faults import FAULTS, WIRES, Reply, good

TOKEN = "token-of-the-one-caller"
FAILED = {502, 503}
MANY = {"BREAKER_FAILURES": "1000"}
"""With the default the first loop may open the breaker alone."""


@dataclass(frozen=True)
class Row:
    """A burst of `count` requests. Each run on a relay uses another model, so that no circuit breaker knows it."""

    count: int
    statuses: set[int]
    fault: str | None = None
    """Of all that the vendor is asked."""
    providers: tuple[str, ...] = ("A",)
    keys: int = 1
    is_panel: bool = False
    prompt_bytes: int = 2
    path: str = "/v1/chat/completions"
    settings: dict[str, str] = field(default_factory=dict)
    runs_per_relay: int = 10


ROWS = {
    "two candidates fail": Row(40, FAILED, "500", providers=("A", "B")),
    "two candidates fail in turn": Row(40, FAILED, "500", providers=("A", "B"), settings={"BALANCE": "smooth"} | MANY),
    "a provider with two keys fails": Row(40, FAILED, "500", keys=2, settings=MANY),
    "a panel gets large prompts": Row(200, {200, *FAILED}, providers=("A", "B"), is_panel=True, prompt_bytes=60_000, settings=MANY),
    # One of them reloads.
    "anybody reloads": Row(200, {200, 429}, path="/reload_config", settings={"RELOAD_ACCESS": "open"}, runs_per_relay=1),
}  # fmt: skip


class Server(GatheringServer):
    def __init__(self, row: Row) -> None:
        super().__init__(row.count // len(row.providers) // row.keys)
        self.row = row

    async def reply(self, name: str, head: bytes, body: bytes) -> Reply:
        await self.gathered(name)
        return FAULTS[self.row.fault](WIRES["openai"], False) if self.row.fault else good(WIRES["openai"], b'"stream":true' in body)


def models(row: Row) -> list[str]:
    return [f"m{run}" for run in range(row.runs_per_relay)]


def settings(row: Row, threads: int, url: str) -> dict[str, str]:
    deadline = "50s"
    out = {"KEY_A_TOKEN": TOKEN, "THREADS": str(threads), "FALLBACK_DEADLINE": deadline} | row.settings
    for name in row.providers:
        fields = {
            "KIND": "openai", "BASE_URL": url, "MODELS": ",".join(f"{model}=gpt-4o-mini" for model in models(row)),
            "API_KEYS": ",".join(f"cell-{name.lower()}-{key}-key" for key in range(row.keys)),
        }  # fmt: skip
        out |= {f"PROVIDER_{name}_{field}": value for field, value in fields.items()}
    for model in models(row) if row.is_panel else ():
        members = ",".join(f"{name.lower()}/{model}" for name in row.providers)
        fields = {"MODELS": members, "SUMMARY_MODEL": model, "NAME": f"panel-{model}", "RETRY_DELAY": "10ms"}
        out |= {f"PANEL_{model.upper()}_{field}": value for field, value in fields.items()}
    return out


def burst(row: Row, caller: Caller, model: str) -> list[bytes]:
    if row.path != Row.path:
        return [caller.written("GET", row.path)] * row.count
    prompt = [{"role": "user", "content": "Hi" * (row.prompt_bytes // 2)}]
    return [caller.written("POST", row.path, json={"model": f"panel-{model}" if row.is_panel else model, "messages": prompt})] * row.count


def play(row: Row, threads: int, runs: int) -> list[str]:
    """Plays a row so many times. Returns the problems, in the words of a report."""
    return asyncio.run(played(row, threads, runs))


async def played(row: Row, threads: int, runs: int) -> list[str]:
    server, problems = Server(row), []
    async with server.serving():
        for begun in range(0, runs, row.runs_per_relay):
            relay = await asyncio.to_thread(Relay, settings(row, threads, server.base_url))
            server.process = relay.process
            caller = Caller(relay.port, {"Authorization": f"Bearer {TOKEN}"})
            for model in models(row)[: runs - begun]:
                hold(relay.process)
                answers = await all_at_once(caller, burst(row, caller, model))
                problems += problems_of(row, relay, answers)
                if problems:
                    relay.kill()
                    return problems
            await asyncio.to_thread(relay.stop)
    return problems


def problems_of(row: Row, relay: Relay, answers: list[httpx.Response | BaseException]) -> list[str]:
    if any(isinstance(answer, BaseException) for answer in answers):
        # The kernel may still be busy with the end of the process.
        with contextlib.suppress(subprocess.TimeoutExpired):
            return [f"the process ended with {relay.process.wait(1)}"]
    odd = [answer if isinstance(answer, BaseException) else answer.status_code for answer in answers]
    return [f"{odd.count(one)} answers: {one!r}" for one in sorted(set(odd), key=str) if one not in row.statuses]
