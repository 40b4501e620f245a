"""A relay with a month of records, keys with limits, and a provider that fails: what the pages are looked at with."""

from __future__ import annotations

import random
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import local_http
from relay_process import Relay

PASSWORD = "correct-horse-battery"
VIEWER_PASSWORD = "only-a-look-at-it"
TEAM = "token-of-the-pages-tests-1"
KEYS = ["team", "research", "support", "mobile-app"]
MODELS = {"fast": 8, "large": 4, "reasoning": 2, "vision": 2, "embed-small": 3, "code": 1, "summary": 1}
PRICES = {"fast": 200, "large": 3000, "reasoning": 8000, "vision": 2500, "embed-small": 20, "code": 900, "summary": None}
"""Of a token, in 10^-9 dollars."""
HOSTILE = "<script>document.title='planted'</script>\"'><img src=x onerror=alert(1)>\x07\u202etxt"
DAY_MS = 86_400_000

SETTINGS = {
    "ADMIN_PASSWORD": PASSWORD,
    "ADMIN_VIEWER_PASSWORD": VIEWER_PASSWORD,
    "ADMIN_SESSION_SECRET": "a-session-secret-of-the-tests",
    "PUBLIC_USAGE_PAGE": "true",
    "ANONYMOUS_MODELS": "fast",
    "CACHE": "true",
    "TRUSTED_PROXIES": "127.0.0.0/8",
    "PROVIDER_MAIN_KIND": "echo",
    "PROVIDER_MAIN_MODELS": "fast=echo,large=echo,reasoning=echo,vision=echo",
    "PROVIDER_MAIN_COSTS": "fast=0.0002/0.0006,large=0.003/0.009,reasoning=0.008/0.024",
    "PROVIDER_BACKUP_KIND": "openai",
    "PROVIDER_BACKUP_BASE_URL": "http://127.0.0.1:1/v1",
    "PROVIDER_BACKUP_API_KEYS": "backup-key-one-1234,backup-key-two-5678",
    "PROVIDER_BACKUP_MODELS": "code=code-model",
    "RATE_LIMIT": "off",
    "RATE_LIMIT_TOTAL": "20000/day",
    "KEY_TEAM_TOKEN": TEAM,
    "KEY_TEAM_RATE_LIMIT_CHAT": "60/minute;5000 requests/day;2000000 tokens/day",
    "KEY_RESEARCH_TOKEN": "token-of-the-pages-tests-2",
    "KEY_RESEARCH_RATE_LIMIT_CHAT": "20/minute;4 concurrent",
    "KEY_SUPPORT_TOKEN": "token-of-the-pages-tests-3",
    "KEY_SUPPORT_RATE_LIMIT_CHAT": "40/hour",
    "KEY_MOBILE_APP_TOKEN": "token-of-the-pages-tests-4",
    "KEY_MOBILE_APP_MODELS": "fast",
}

COLUMNS = """id INTEGER PRIMARY KEY,
    time INTEGER NOT NULL, kind INTEGER NOT NULL, request_id TEXT NOT NULL,
    endpoint TEXT, caller TEXT, model TEXT, model_used TEXT, provider TEXT, key TEXT,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL,
    cost INTEGER, credits INTEGER,
    duration_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, stream INTEGER NOT NULL, cached INTEGER NOT NULL,
    success INTEGER NOT NULL, status INTEGER, error TEXT"""
CALL = "call_before_ms INTEGER, call_duration_ms INTEGER, call_key TEXT, call_credits INTEGER"


def row(at: int, numbers: random.Random, place: int) -> tuple[object, ...]:
    """A request with its only call, as a relay of schema 3 wrote it."""
    model = numbers.choices(list(MODELS), list(MODELS.values()))[0]
    failed = numbers.random() < (0.4 if model == "code" else 0.015)
    prompt, completion = int(numbers.lognormvariate(6.5, 1)), 0 if failed else int(numbers.lognormvariate(5.5, 0.8))
    price = PRICES[model]
    cost = None if price is None else (prompt + 3 * completion) * price * 1000
    duration = int(numbers.lognormvariate(7, 0.8))
    endpoint = "/embeddings" if model == "embed-small" else numbers.choice(["/chat/completions", "/chat/completions", "/responses", "/messages"])
    error = numbers.choice(["The provider is unavailable. Try again later.", "The provider did not answer in time."]) if failed else None
    return (
        at * 4096 + place % 2000 * 2, at, 0, f"req_{numbers.randrange(16**12):012x}", endpoint, numbers.choices(KEYS, [6, 3, 2, 4])[0], model,
        None, "backup" if model == "code" else "main", None, prompt, completion, int(numbers.random() < 0.05), cost, None, duration,
        1, int(numbers.random() < 0.5), int(numbers.random() < 0.04), int(not failed), 502 if failed else 200, error,
        min(5, duration), duration - 5, "k1", None,
    )  # fmt: skip


def older_database(folder: Path, rows: int, days: int = 30, hostile: bool = True) -> None:
    """Writes records of the days before today, of schema 3: the relay sums them at its start."""
    numbers = random.Random(7)
    now = int(time.time() * 1000) - 60_000
    times = sorted(int(now - days * DAY_MS * numbers.random() ** 1.3) for _ in range(rows))
    with closing(sqlite3.connect(folder / "usage.db")) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute(f"CREATE TABLE records ({COLUMNS}, {CALL})")
        database.execute("CREATE VIEW usage AS SELECT * FROM records")
        insert = f"INSERT INTO records VALUES ({','.join('?' * 26)})"
        database.executemany(insert, (row(at, numbers, place) for place, at in enumerate(times)))
        if hostile:
            database.execute(insert, planted(now + 1_000))
        database.execute("PRAGMA user_version = 3")


def planted(at: int) -> tuple[object, ...]:
    """A record with hostile text in each field that is text."""
    return (
        at * 4096, at, 0, f"id{HOSTILE}", f"/e{HOSTILE}", f"caller{HOSTILE}", f"model{HOSTILE}", f"used{HOSTILE}", f"provider{HOSTILE}", None,
        1, 1, 0, 5_000_000, None, 100, 1, 0, 0, 0, 502, f"error{HOSTILE}", 5, 90, f"key{HOSTILE}", None,
    )  # fmt: skip


def ask(relay: Relay, model: str = "fast", token: str = TEAM, content: str = "Hello", **fields: object) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": content}]} | fields
    return local_http.post(f"{relay.v1}/chat/completions", json=body, headers={"Authorization": f"Bearer {token}"}, timeout=120)


def bring_to_life(relay: Relay, hostile: bool) -> None:
    """Some requests of now: cached ones, some that a limit refuses, some at a provider that fails, perhaps one with hostile text."""
    tokens = [SETTINGS[f"KEY_{name}_TOKEN"] for name in ("TEAM", "RESEARCH", "SUPPORT", "MOBILE_APP")]
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, relay, ("fast", "large", "vision")[number % 3], tokens[number % 3], f"Question {number % 9}") for number in range(42)]
        asked += [pool.submit(ask, relay, "code", tokens[1]) for _ in range(6)]
        asked += [pool.submit(ask, relay, "fast", tokens[2], f"Question {number}") for number in range(24)]
        if hostile:
            asked.append(pool.submit(ask, relay, HOSTILE, tokens[0]))
    for one in asked:
        one.result()


def started(folder: Path, rows: int = 3_000, hostile: bool = True, **more: str) -> Relay:
    older_database(folder, rows, hostile=hostile)
    relay = Relay(SETTINGS | {"DATA_DIR": str(folder)} | more)
    bring_to_life(relay, hostile)
    return relay
