"""A million usage records in a database, and how long the operator's questions about them take."""

from __future__ import annotations

import io
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from operating import SETTINGS, Operator
from postgres import Postgres
from relay_process import Relay

DAYS = 90
DAY_MS = 86_400_000
KEPT = {"USAGE_DATA_DAYS": str(DAYS + 10)}  # else the relay deletes the oldest records while it sums them up
NEW = 100_000  # the newest records, which keywords find at once
COLUMNS = (
    "time", "kind", "request_id", "endpoint", "caller", "model", "model_used", "provider", "key", "prompt_tokens", "completion_tokens",
    "estimated", "cost", "credits", "duration_ms", "attempts", "stream", "cached", "success", "status", "error", "first_byte_ms",
    "limits_wait_ms", "capacity_wait_ms", "limits",
)  # fmt: skip
ENDPOINTS = ("/chat/completions", "/responses", "/messages", "/embeddings", "/images/generations", "/generate")
FAILURES = ((429, "groq-1: 429 rate limited"), (500, "the vendor answered 500"), (499, "the client left"), (400, "Invalid 'n'"))


def rows(count: int) -> Iterator[tuple[Any, ...]]:
    """Requests in the order of their times: common and rare callers and models, one failure in thirty."""
    dice = random.Random(1)
    now = int(time.time() * 1000) - 1_000
    callers = [f"team-{number}" for number in range(40)]
    models = [f"model-{number}" for number in range(20)]
    weights = [1 / (place + 1) for place in range(40)]
    for number in range(count):
        at = now - (count - 1 - number) * DAYS * DAY_MS // count
        caller, model = dice.choices(callers, weights)[0], dice.choices(models, weights[:20])[0]
        if number % (count // 10) == 7:
            caller, model = "rare", "rare-model"
        status, error = dice.choice(FAILURES) if dice.random() < 1 / 30 else (200, None)
        if number in (5, count - NEW + 1_000):
            error = f"found once, {'old' if number == 5 else 'new'}"
            status = 502
        yield (
            at, 0, f"req_{number:024d}", dice.choice(ENDPOINTS), caller, model, "vendor/" + model, f"provider-{dice.randrange(5)}", None,
            dice.randrange(4_000), dice.randrange(800), 0, dice.randrange(10**10), None, int(dice.lognormvariate(7.5, 1)), 1, dice.randrange(2), 0,
            int(status == 200), status, error, int(dice.lognormvariate(5.5, 0.8)), 0, 0, "chat: 60 requests per minute",
        )  # fmt: skip


class SQLite:
    """The file of a `DATA_DIR`. Half of its requests have their only call in their row."""

    table = "records"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "usage.db"
        self.settings = {"DATA_DIR": str(folder)}

    def fill(self, count: int) -> None:
        marks = ",".join("?" * (len(COLUMNS) + 5))
        calls = ("call_before_ms", "call_duration_ms", "call_key", "call_credits")
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("DELETE FROM records")
            database.executemany(
                f"INSERT INTO records (id,{','.join(COLUMNS + calls)}) VALUES ({marks})",
                ((row[0] * 4096 + place % 2, *row, *((2, row[14], "k1", None) if place % 2 else (None,) * 4)) for place, row in enumerate(rows(count))),
            )
            database.execute("DELETE FROM sums")
            database.execute("DELETE FROM hours")
            database.execute("UPDATE sums_state SET mark = (SELECT max(id) FROM records), last_id = (SELECT max(id) FROM records)")

    def ask(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as database:
            return database.execute(sql).fetchall()

    def is_summed(self) -> bool:
        return self.ask("SELECT mark FROM sums_state") == [(0,)]

    def close(self) -> None:
        pass


class PostgreSQL:
    """A server of the tests'."""

    table = "relay_usage"

    def __init__(self, folder: Path) -> None:
        # Ten minutes, as a test has, are not enough. The memory is PostgreSQL's default.
        self.server = Postgres("7200", "128MB")
        self.settings = {"USAGE_DATABASE_URL": self.server.url}

    def fill(self, count: int) -> None:
        text = io.StringIO()
        flags = {COLUMNS.index(name) for name in ("estimated", "stream", "cached", "success")}
        for number, row in enumerate(rows(count)):
            fields = ("\\N" if value is None else ("t" if value else "f") if place in flags else str(value) for place, value in enumerate(row))
            text.write(f"7\t{number}\t" + "\t".join(fields) + "\n")
        self.server.ask("DELETE FROM relay_usage")
        copy = f"COPY relay_usage (process, number, {', '.join(COLUMNS)}) FROM STDIN"
        subprocess.run(["psql", "--no-psqlrc", "--quiet", self.server.url, "--command", copy], input=text.getvalue(), text=True, check=True)
        self.server.ask("VACUUM ANALYZE relay_usage")

    def ask(self, sql: str) -> list[Any]:
        return self.server.ask(sql)

    def is_summed(self) -> bool:
        return self.ask("SELECT summed_from FROM relay_usage_process WHERE process = 7") == [["0"]]

    def close(self) -> None:
        self.server.remove()


@dataclass
class Question:
    """A question of an operator, the time that its response may take, and whether it may be partial."""

    name: str
    path: str
    bound_ms: int
    is_partial: bool = False
    finds: int | None = None

    def check(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert self.is_partial or not body.get("partial"), (self.name, "partial")
        if self.finds is not None:
            assert len(body["items"]) == self.finds, (self.name, len(body["items"]))


def questions() -> list[Question]:
    now = time.time()
    day = time.strftime("%Y-%m-%d", time.gmtime(now - 30 * 86_400))
    hour = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 40 * 86_400 + 3_600 * place)) for place in (0, 1)]
    first = time.strftime("%Y-%m-%d", time.gmtime(now - (DAYS - 1) * 86_400))
    filters = {
        "newest": "", "caller": "caller=team-0", "caller, seldom": "caller=rare", "caller unknown": "caller=nobody",
        "model": "model=model-3", "model, seldom": "model=rare-model", "provider": "provider=provider-2",
        "endpoint": "endpoint=/messages", "completed": "status=completed", "failed": "status=failed", "status 429": "status=429",
        "status seldom (502)": "status=502", "day": f"from={day}&to={day}", "hour": f"from={hour[0]}&to={hour[1]}",
        "caller and model": "caller=team-9&model=model-11", "caller and failed": "caller=team-30&status=failed",
        "provider and day": f"provider=provider-1&from={day}&to={day}", "rare and 429": "caller=rare&status=429",
        "all": "caller=team-3&model=model-2&provider=provider-4&endpoint=/generate&status=failed", "page 100": "page=100&per_page=100",
    }  # fmt: skip
    found = [Question(name, "/admin/req_logs?" + query, 300) for name, query in filters.items()]
    for by in ("day", "day,model", "caller", "model,provider", "day,caller,model"):
        found.append(Question(f"usage by {by}", f"/admin/usage?by={by}&from={first}", 200))
    for last in (6 / 24, 1, 7, 30):
        start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - last * 86_400))
        span = f"{last:g} days" if last >= 1 else "6 hours"
        for query in ("measure=outcome,duration,first_byte", "by=cause&measure=failed", "by=model&measure=duration", "by=caller&measure=cost"):
            found.append(Question(f"timeline of {span}, {query}", f"/admin/timeline?{query}&from={start}", 300))
    for view in ("overview", "provider", "keys", "limits", "req_figures"):
        found.append(Question(view, f"/admin/{view}", 300, is_partial=True))
    found.append(Question("keywords, new", "/admin/req_logs?keywords=found%20once,%20new&per_page=1", 300, is_partial=True))
    found.append(Question("keywords, nowhere", "/admin/req_logs?keywords=found%20never", 1_100, is_partial=True))
    return found


@dataclass
class Timing:
    """The slowest response but for one in twenty."""

    question: Question
    p95_ms: float


def measure(kind: Callable[[Path], SQLite | PostgreSQL], folder: Path, count: int, tries: int) -> list[Timing]:
    """Fills a database that a relay made, has a relay sum it up, and asks."""
    place = kind(folder)
    settings = SETTINGS | KEPT | place.settings
    try:
        Relay(settings).stop()
        place.fill(count)
        relay = Relay(settings)
        try:
            began = time.monotonic()
            while not place.is_summed():
                assert time.monotonic() - began < 1_800, "the records are not summed"
                time.sleep(0.5)
            print(f"summed after {time.monotonic() - began:.0f} s", flush=True)
            operator = Operator(relay.base_url)
            return [ask(operator, question, tries) for question in questions()]
        finally:
            relay.stop()
    finally:
        place.close()


def ask(operator: Operator, question: Question, tries: int) -> Timing:
    times = []
    for _ in range(tries):
        began = time.monotonic()
        answer = operator.get(question.path)
        times.append((time.monotonic() - began) * 1000)
        question.check(answer)
    return Timing(question, sorted(times)[-1 - tries // 20])
