"""Each choice of time over records of 90 days: chart, list, `relay usage` and the records say the same, in SQLite and PostgreSQL.

`TIMELINES=1000000` takes as many records (ten minutes), and checks that each response takes at most 500 ms, the slowest of 20 but for one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from memcached import wait_for
from operating import ECHO, SETTINGS, Operator
from relay_process import INHERITED, ROOT, Relay, binary

sys.path.append(str(ROOT / "Benchmarks/parts"))
from operator_records import KEPT, PostgreSQL, Question, SQLite, ask

RECORDS = int(os.environ.get("TIMELINES", "4000"))
IS_LONG = RECORDS >= 1_000_000
BOUND_MS = 500
CHOICES = [{"last": name} for name in ("15m", "1h", "6h", "24h", "7d", "30d", "90d")]
GROUPS = ("", "model", "provider", "caller", "endpoint", "cause")


def between(hours: float, ago: float) -> dict[str, str]:
    """A range in minutes, which begins and ends within hours."""
    start = time.time() - ago * 3_600
    return {name: time.strftime("%Y-%m-%dT%H:%M", time.gmtime(at)) for name, at in (("from", start), ("to", start + hours * 3_600))}


def query(fields: dict[str, str]) -> str:
    return "/admin/timeline?" + "&".join(f"{name}={value}" for name, value in fields.items())


def one(place: SQLite | PostgreSQL, what: str, told: dict[str, Any], order: str = "") -> Any:
    condition = f"time >= {told['from'] * 1000} AND time < {told['to'] * 1000} AND kind = 0"
    return place.ask(f"SELECT {what} FROM {place.table} WHERE {condition} {order}")


def check(place: SQLite | PostgreSQL, operator: Operator, choice: dict[str, str]) -> None:
    measures = "outcome,duration,first_byte,requests"
    told = operator.get(query(choice | {"measure": measures})).json()
    assert not told.get("partial"), choice
    # The same range again, while the time goes on.
    choice = {name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(told[name])) for name in ("from", "to")}
    told = operator.get(query(choice | {"measure": measures})).json()
    failed = "CASE WHEN success THEN 0 ELSE 1 END"
    sums = f"count(*), coalesce(sum({failed}), 0), coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)"
    is_failure = "status >= 500 OR status IN (402, 429) AND provider IS NOT NULL"
    [found] = one(place, f"{sums}, coalesce(sum({failed} * CASE WHEN {is_failure} THEN 1 ELSE 0 END), 0)", told)
    names = ("requests", "failed", "prompt_tokens", "completion_tokens", "failures")
    assert [told["sum"][name] for name in names] == [int(value) for value in found], choice
    series = {(row["measure"], row["name"]): row["values"] for row in told["series"]}
    assert sum(series.get(("requests", "all"), [])) == told["sum"]["requests"]
    assert sum(sum(values) for (measure, _), values in series.items() if measure == "outcome") == told["sum"]["requests"]
    for _ in range(10):
        # A search ends after a second, also on a busy machine.
        listed = operator.get("/admin/req_logs", **choice).json()
        if not listed.get("partial"):
            break
    assert listed.get("total_is_bound") or listed["total"] == told["sum"]["requests"], choice
    for group in GROUPS[1:]:
        rows = operator.get(query(choice | {"by": group, "measure": "requests"})).json()
        assert sum(sum(row["values"]) for row in rows["series"]) == sum(row["requests"] for row in rows["items"]) == rows["sum"]["requests"]
        if group not in ("provider", "cause"):
            assert rows["sum"]["requests"] == told["sum"]["requests"], (choice, group)
        if group == "cause" and not rows.get("partial"):
            assert rows["sum"]["requests"] == told["sum"]["failed"], choice
    if told["sum"]["requests"] >= 400:  # Of fewer, one request more is a percent.
        for column, name in (("duration_ms", "{}_ms"), ("first_byte_ms", "first_byte_{}_ms")):
            for percent in (50, 95):
                [[exact]] = one(place, column, told, f"ORDER BY {column} LIMIT 1 OFFSET {told['sum']['requests'] * percent // 100}")
                assert told["sum"][name.format(f"p{percent}")] == pytest.approx(int(exact), rel=0.1), (choice, column, percent)


def said(settings: dict[str, str], days: int) -> dict[str, Any]:
    command = [str(binary()), "usage", "--by", "model", "--days", str(days), "--json"]
    return json.loads(subprocess.run(command, env=INHERITED | ECHO | settings, stdout=subprocess.PIPE, check=True, timeout=120).stdout)


@pytest.mark.parametrize("kind", [SQLite, PostgreSQL])
def test_each_choice_of_time(kind: type[SQLite | PostgreSQL], tmp_path: Path) -> None:
    place = kind(tmp_path)
    settings = SETTINGS | KEPT | place.settings
    try:
        Relay(settings).stop()
        place.fill(RECORDS)
        relay = Relay(settings)
        try:
            wait_for(place.is_summed, seconds=1_800)
            operator = Operator(relay.base_url)
            choices = [*CHOICES, between(10, 30), between(70.5, 200), between(45 * 24 + 0.25, 60 * 24)]
            for choice in choices:
                check(place, operator, choice)
            for days in (7, 30):
                told = operator.get(f"/admin/timeline?last={days}d&by=model").json()
                usage = said(place.settings, days)
                for name in ("requests", "failed", "prompt_tokens", "completion_tokens"):
                    assert usage["total"][name] == told["sum"][name], days
                    assert {row["model"]: row[name] for row in usage["rows"]} == {row["model"]: row[name] for row in told["items"]}
            if IS_LONG:
                questions = [Question(query(choice | {"by": group, "measure": "requests,duration"}), query(choice | {"by": group, "measure": "requests,duration"}), BOUND_MS) for choice in choices for group in GROUPS]
                timings = [ask(operator, question, 20) for question in questions]
                for timing in sorted(timings, key=lambda timing: -timing.p95_ms)[:12]:
                    print(f"{timing.p95_ms:.0f} ms: {timing.question.name}")
                assert not [timing for timing in timings if timing.p95_ms > BOUND_MS]
        finally:
            relay.stop()
    finally:
        place.close()
