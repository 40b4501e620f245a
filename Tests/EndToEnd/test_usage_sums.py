"""The sums by day and hour of the database of usage records: computed from an older relay's rows, in steps that kills only
delay."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from memcached import wait_for
from relay_process import binary

WRITER = binary().parent / "write-usage"
ROWS = int(os.environ.get("SUMMED_ROWS", "60000"))
KILLS = 10
COLUMNS = """id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL, kind INTEGER NOT NULL, request_id TEXT NOT NULL,
    endpoint TEXT, caller TEXT, model TEXT, model_used TEXT, provider TEXT, key TEXT,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL,
    cost INTEGER, credits INTEGER,
    duration_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, stream INTEGER NOT NULL, cached INTEGER NOT NULL,
    success INTEGER NOT NULL, status INTEGER, error TEXT"""
CALL = "call_before_ms INTEGER, call_duration_ms INTEGER, call_key TEXT, call_credits INTEGER"
DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def older_database(path: Path) -> None:
    """Creates a file of schema 3, whose relay kept no sums."""
    numbers = random.Random(1)
    start = int(time.time() * 1000) - 80 * DAY_MS
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"CREATE TABLE records ({COLUMNS}, {CALL})")
        database.execute("CREATE VIEW usage AS SELECT * FROM records")
        database.executemany(
            f"INSERT INTO records VALUES ({','.join('?' * 26)})",
            (
                (
                    (at := start + number * 80 * DAY_MS // ROWS) * 4096,
                    at,
                    kind := int(numbers.random() < 0.2),
                    f"req_{number}",
                    "/chat/completions",
                    numbers.choice(["team", "ops", None]),
                    numbers.choice(["fast", "large"]),
                    None,
                    "row",
                    None,
                    numbers.randrange(5000),
                    numbers.randrange(500),
                    0,
                    numbers.choice([None, numbers.randrange(10**15)]),
                    None,
                    100,
                    1,
                    0,
                    0,
                    int(numbers.random() < 0.9),
                    200,
                    None,
                    None if kind else numbers.choice([None, 90_000]),
                    5,
                    "k1",
                    None,
                )
                for number in range(ROWS)
            ),
        )
        database.execute("PRAGMA user_version = 3")


def records(database: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Returns the expected sums, by day and caller."""
    return database.execute(
        f"""
        SELECT day, ifnull(caller, ''), sum(request), sum(request AND NOT success), sum(request * prompt_tokens),
            sum(request * ifnull(cost, 0)), sum(1 - request), sum((1 - request) * completion_tokens)
        FROM (
            SELECT time / {DAY_MS} AS day, 1 - kind AS request, * FROM records
            UNION ALL SELECT (time - call_before_ms) / {DAY_MS}, 0, * FROM records WHERE call_before_ms IS NOT NULL
        ) GROUP BY 1, 2 ORDER BY 1, 2"""
    ).fetchall()


def sums(database: sqlite3.Connection, omitted: int) -> list[tuple[object, ...]]:
    """Returns the sums that omit fields: 8 caller, 4 model, 2 provider, 1 endpoint."""
    return database.execute(
        f"""
        SELECT day, caller, sum(requests), sum(failed), sum(prompt_tokens), sum(cost) * 1000000 + sum(cost_rest), sum(calls),
            sum(call_completion_tokens)
        FROM sums WHERE omitted = {omitted} GROUP BY 1, 2 ORDER BY 1, 2"""
    ).fetchall()


def records_by_hour(database: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Returns the expected sums by hour, and how many requests took 100 to 149 ms, which is the fourth bucket."""
    return database.execute(
        f"""
        SELECT hour, sum(request), sum(request * prompt_tokens), sum(1 - request), sum(request AND duration_ms BETWEEN 100 AND 149)
        FROM (
            SELECT time / {HOUR_MS} AS hour, 1 - kind AS request, * FROM records
            UNION ALL SELECT (time - call_before_ms) / {HOUR_MS}, 0, * FROM records WHERE call_before_ms IS NOT NULL
        ) GROUP BY 1 ORDER BY 1"""
    ).fetchall()


def hours(database: sqlite3.Connection, omitted: int) -> list[tuple[object, ...]]:
    return database.execute(
        f"SELECT hour, sum(requests), sum(prompt_tokens), sum(calls), sum(duration_3) FROM hours WHERE omitted = {omitted} GROUP BY 1 ORDER BY 1"
    ).fetchall()


def mark(database: sqlite3.Connection) -> int:
    (found,) = database.execute("SELECT mark FROM sums_state").fetchone()
    return int(found)


@pytest.mark.skipif(
    not WRITER.exists(), reason="write-usage is not built beside the relay"
)
def test_rows_of_an_older_relay_are_summed_whatever_kills_it(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    older_database(path)
    numbers = random.Random(2)
    marks: list[int] = []
    with closing(sqlite3.connect(path)) as database:
        for kill in range(KILLS + 1):
            with subprocess.Popen(
                [WRITER, tmp_path, "200"], stdout=subprocess.PIPE
            ) as writer:
                assert writer.stdout is not None
                assert writer.stdout.readline(), "it began to write"
                if kill < KILLS:
                    time.sleep(numbers.random() * 0.2)
                else:
                    wait_for(lambda: mark(database) == 0, seconds=600)
                writer.kill()
            marks.append(mark(database))
        assert marks == sorted(marks, reverse=True) and marks[-1] == 0, (
            "each start goes on where the last one was"
        )
        for omitted in (0, 3, 5, 6):
            assert sums(database, omitted) == records(database)
        for omitted in (9, 11, 13, 15):
            assert hours(database, omitted) == records_by_hour(database)
