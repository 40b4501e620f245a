"""Bursts of requests to a running relay, while the vendors of many rows fail at the same moment; see `rows`.

`Storm.round` sends the bursts of some rows at once, with trouble beside them: settings are read anew, memcached goes away and
comes back, clients leave. Failures that the row's fault does not explain are problems, as are an end of the process and requests
that do not end.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from asking import ASKS, is_good
from bursts import Caller, GatheringServer, hold
from memcached import Memcached
from relay_process import Relay
from rows import BY_MODEL, ROWS, Row
from vendor_faults import FAULTS, SAID, SECRET, WIRES, Reply, good

TOKEN = "token-of-the-one-caller"
ROWS_AT_ONCE = 10
REST_SECONDS = 30.0
"""In which all must be over once the last answer has come."""
QUIET_SECONDS = 8
CHATS = ["chat", "streamed chat", "completion", "streamed completion", "message", "streamed message", "response", "streamed response"]
ENDS = {"chat": "[DONE]", "completion": "[DONE]", "message": "message_stop", "response": "response.completed"}
SETTINGS = {
    "KEY_A_TOKEN": TOKEN, "KEY_A_RATE_LIMIT": "9000000/minute;90000 concurrent", "FALLBACK_DEADLINE": "40s", "RELOAD_ACCESS": "open",
    "CACHE": "true", "CACHE_COALESCE": "true", "CACHE_MODELS": "cached*", "CACHE_STORE": "memcached", "CACHE_TTL": "1s",
    "USAGE_LOG_MAX_MB": "10000", "PROVIDER_HEALTHY_KIND": "openai", "PROVIDER_HEALTHY_API_KEY": "cell-healthy-as-good-key",
    "PROVIDER_HEALTHY_MODELS": "healthy=any",
}  # fmt: skip
CHANGES = [
    {"BALANCE": "sequence", "BREAKER_FAILURES": "3"},
    {"BALANCE": "smooth", "BREAKER_FAILURES": "1000"},
    {"BALANCE": "least-load", "BREAKER_FAILURES": "1000", "QUEUE_TIMEOUT": "2s"},
]
"""Those that are read anew, one after the other."""


class StormServer(GatheringServer):
    """A server where a key `cell-MODEL-as-bad-key` fails as the model's row says. Other keys are good."""

    async def reply(self, name: str, head: bytes, body: bytes) -> Reply:
        model, _, side = name.partition("-as-")
        row = BY_MODEL.get(model)
        is_streamed = b"stream" in head.split(b" ")[1].lower() or re.search(rb'"stream": ?true', body) is not None
        if row is None or not side.startswith("bad"):
            return good(WIRES[row.kind if row and "good" in row.shape.providers[0] else "openai"], is_streamed)
        await self.gathered(name)
        return FAULTS[row.fault](WIRES[row.kind], is_streamed)


@dataclass
class Asked:
    row: Row
    kind: str
    mark: str
    answer: httpx.Response | BaseException | None
    """None: the client has left."""


class Storm:
    def __init__(self, seed: int, folder: Path, threads: int = 4) -> None:
        self.random = random.Random(seed)
        self.server = StormServer(40)
        self.store = Memcached()
        self.folder = folder
        self.threads = threads
        self.order = self.random.sample(ROWS, len(ROWS))
        self.place = 0
        self.changes = 0
        self.asked: list[Asked] = []
        self.problems: list[str] = []
        self.heap: list[tuple[float, int]] = []
        """Seconds since the start, and kB that the relay had allocated when all was over."""
        self.write_settings()
        self.relay = Relay({"ENV_FILE": str(self.env_file), "THREADS": str(threads), "LOG_LEVEL": "warning"})
        self.caller = Caller(self.relay.port, {"Authorization": f"Bearer {TOKEN}"})
        self.began = time.monotonic()

    @property
    def env_file(self) -> Path:
        return self.folder / "relay.env"

    @property
    def records(self) -> Path:
        return self.folder / "usage.jsonl"

    def write_settings(self) -> None:
        settings = SETTINGS | CHANGES[self.changes % len(CHANGES)]
        settings |= {
            "MEMCACHED_SERVERS": self.store.address, "USAGE_LOG_FILE": str(self.records), "DATA_DIR": str(self.folder / "data"),
            "PROVIDER_HEALTHY_BASE_URL": self.server.base_url,
        }  # fmt: skip
        for row in ROWS:
            settings |= dict(row.settings(self.server.base_url, self.server.dead_url))
        self.env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self.changes += 1

    # --- A round -----------------------------------------------------------------------------

    async def round(self) -> bool:
        """Runs one round. Returns whether the process survived."""
        begun = len(self.asked)
        trouble = asyncio.ensure_future(self.trouble())
        await asyncio.gather(*(self.burst(row) for row in self.next_rows()))
        await trouble
        if not self.is_alive():
            return False
        for asked in self.asked[begun:]:
            self.problems += (f"{asked.row.model}, {asked.kind}, {asked.mark}: {problem}" for problem in problems_of(asked))
        await self.rest()
        return self.is_alive()

    def is_alive(self) -> bool:
        ended = self.relay.process.poll()
        if ended is not None:
            self.problems.append(f"the process ended with {ended}: {self.relay.tail()[-500:]}")
        return ended is None

    def next_rows(self) -> list[Row]:
        """Returns the next rows: each row once before the first comes again. All passes have the same rows at once, so
        that those after the first need no more memory."""
        rows = self.order[self.place : self.place + ROWS_AT_ONCE]
        self.place = (self.place + ROWS_AT_ONCE) % len(self.order) if len(rows) == ROWS_AT_ONCE else 0
        return rows

    async def burst(self, row: Row) -> None:
        if self.random.random() < 0.3:
            hold(self.relay.process)
        await asyncio.gather(*(self.ask(row) for _ in range(row.count)))

    async def ask(self, row: Row) -> None:
        kind = self.random.choice(CHATS)
        asked = Asked(row, kind, f"request{len(self.asked)}x", None)
        self.asked.append(asked)
        caller = Caller(self.relay.port, self.caller.headers | {"id": asked.mark})
        prompt = "equal prompts" if row.shape.is_cached else asked.mark
        sent = asyncio.ensure_future(ASKS[kind](OfModel(caller, row.model), prompt))
        if self.random.random() < 0.05:
            await asyncio.wait([sent], timeout=self.random.choice([0.01, 0.1, 0.5]))
            sent.cancel()
            return
        try:
            asked.answer = await sent
        except Exception as error:
            asked.answer = error

    async def trouble(self) -> None:
        """Adds trouble to the vendors' faults."""
        await asyncio.sleep(self.random.choice([0, 0.05, 0.3]))
        match self.random.choice(["none", "none", "reload", "reloads", "asked reloads", "store away", "store stands still"]):
            case "reload":
                self.write_settings()
                self.relay.signal(signal.SIGHUP)
            case "reloads":
                for _ in range(20):
                    self.relay.signal(signal.SIGHUP)
                    await asyncio.sleep(0.01)
            case "asked reloads":
                self.write_settings()
                hold(self.relay.process)
                request = self.caller.written("GET", "/reload_config")
                answers = await asyncio.gather(*[self.caller.send(request) for _ in range(100)], return_exceptions=True)
                told = Counter(answer.status_code if isinstance(answer, httpx.Response) else repr(answer) for answer in answers)
                self.problems += (f"{count} reloads: {status}" for status, count in told.items() if status not in (200, 429))
            case "store away":
                self.store.kill()
                await asyncio.sleep(0.5)
                await asyncio.to_thread(self.store.start)
            case "store stands still":
                self.store.pause()
                await asyncio.sleep(0.4)
                self.store.resume()

    # --- When all is over --------------------------------------------------------------------

    async def rest(self) -> None:
        ends = time.monotonic() + REST_SECONDS
        while (running := await self.running()) and time.monotonic() < ends:
            await asyncio.sleep(0.05)
        if running:
            self.problems.append(f"still running {REST_SECONDS} s after the last answer: {running}")

    async def measure(self) -> None:
        """Measures memory at the end: the relay frees memory that was not used for some seconds.

        What is allocated counts, not what the process has of the system: free memory can lie in pages with allocated memory.
        """
        await asyncio.sleep(QUIET_SECONDS)
        allocated = re.search(r"^process_heap_bytes (\d+)", await self.metrics(), re.M)
        self.heap.append((time.monotonic() - self.began, int(allocated[1]) // 1024))

    async def metrics(self) -> str:
        return (await self.caller.send(self.caller.written("GET", "/metrics"))).text

    async def running(self) -> dict[str, float]:
        try:
            page = await self.metrics()
        except OSError as error:
            return {repr(error): 1}
        found = dict(re.findall(r"^(relay_requests_in_flight|relay_open_streams|relay_queue_waiting|relay_limit_slots) (\S+)", page, re.M))
        # The request for this page is one.
        found["relay_requests_in_flight"] = float(found["relay_requests_in_flight"]) - 1
        return {name: float(value) for name, value in found.items() if float(value)}

    def stop(self) -> None:
        """Ends everything, and checks the output."""
        try:
            if self.is_alive():
                self.relay.stop()
                self.problems += self.judged_records()
                told = self.records.read_text() + self.relay.text()
                self.problems += (f"{word!r} is in the log or the usage records" for word in (SECRET, "-as-bad", "-as-good") if word in told)
        except AssertionError as error:
            self.problems.append(str(error))
        finally:
            self.relay.kill()
            self.store.kill()

    def judged_records(self) -> Iterator[str]:
        lines = [json.loads(line) for line in self.records.read_text().splitlines()]
        records = Counter(record["request_id"] for record in lines if record.get("kind") != "call")
        successes = {record["request_id"]: record["success"] for record in lines if record.get("kind") != "call"}
        for asked in self.asked:
            if isinstance(asked.answer, httpx.Response):
                if records[asked.mark] != 1:
                    yield f"{asked.row.model}, {asked.mark} has {records[asked.mark]} usage records"
                elif successes[asked.mark] != is_good(asked.answer):
                    yield f"{asked.row.model}, {asked.kind}, {asked.mark} is recorded as success: {successes[asked.mark]}"


@dataclass
class OfModel:
    """A request for another model than in `asking`."""

    caller: Caller
    model: str

    def post(self, path: str, json: dict[str, Any]) -> Any:
        return self.caller.post(path, json=json | {"model": self.model})


def problems_of(asked: Asked) -> Iterator[str]:
    row, kind, answer = asked.row, asked.kind, asked.answer
    if answer is None:
        return
    if isinstance(answer, BaseException):
        yield f"no answer: {answer!r}"
        return
    if SECRET in answer.text or "cell-" in answer.text:
        yield f"a vendor's secret is told: {answer.text[:300]}"
    is_streamed = kind.startswith("streamed")
    if is_good(answer):
        if not row.may_be_answered:
            yield f"answered: {answer.text[:300]}"
        if is_streamed and ENDS[kind.removeprefix("streamed ")] not in answer.text:
            yield f"it has no end: {answer.text[-300:]}"
        if not is_streamed and SAID not in answer.text:
            yield f"another answer: {answer.text[:300]}"
    elif not row.explains(answer.status_code, is_streamed) and not row.passes_on(answer.status_code, kind):
        yield f"{answer.status_code} {answer.text[:300]}"
