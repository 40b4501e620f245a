"""Random requests: responses, headers, records, metrics, limits and `relay usage` say the same, to the last digit.

`FIGURES=100000` sends as many requests.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, NamedTuple

import conftest
import httpx
import local_http
import openai_vendor
import pytest
from conftest import VENDOR_KEY
from memcached import wait_for
from openai_vendor import chunks, usage_chunk, whole
from operating import SETTINGS, Operator
from relay_process import binary
from test_metrics import Scrape
from usage import File, is_call

REQUESTS = int(os.environ.get("FIGURES", "400"))
CALLERS = {name: f"token-of-{name}-for-the-figures" for name in ("ann", "ben", "cleo")}
LIMIT = 10**9
MODELS = [*(f"model-{number}" for number in range(64)), "member-a", "member-b", "member-c"]
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses", "completions": "/v1/completions"}
# The fields of records that are compared. Whole records of 100,000 requests need gigabytes.
KEPT = (
    "request_id", "kind", "caller", "success", "error", "attempts", "cached", "estimated",
    "tokens", "prompt_tokens", "completion_tokens", "cost",
)  # fmt: skip
FAILURES = {
    "refused": {"status": 400, "json": {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": None}}},
    "failed": {"status": 500, "text": ""},
    "cut": {"cut": True},
    "garbage": {"raw": b"<html>"},
}


class Sent(NamedTuple):
    """A response: the number of its request, its tokens of the prompt and of the output, and the cost in its head."""

    number: int
    tokens: tuple[int, int] | None
    cost: str | None


@pytest.fixture(scope="module")
def vendors():
    running = [openai_vendor.Server() for _ in range(2)]
    yield running
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def relay(launch, vendors, tmp_path_factory):
    conftest.secrets.update((VENDOR_KEY, *CALLERS.values()))
    data = tmp_path_factory.mktemp("figures")
    settings: dict[str, Any] = {f"KEY_{name.upper()}_TOKEN": token for name, token in CALLERS.items()}
    for priority, (name, server, cost) in enumerate(zip(("first", "second"), vendors, ("3.01/9.07/0.31", "1.13/0.71"), strict=True), 1):
        row = f"PROVIDER_{name.upper()}_"
        settings |= {f"{row}KIND": "openai", f"{row}BASE_URL": server.base_url, f"{row}API_KEY": VENDOR_KEY, f"{row}COST": cost}
        settings |= {f"{row}MODELS": ",".join(MODELS), f"{row}PRIORITY": priority}
    return launch(
        **SETTINGS, **settings, RATE_LIMIT=f"{LIMIT} tokens/day;1000000 usd/day", DATA_DIR=data, USAGE_LOG_FILE=data / "usage.log",
        USAGE_LOG_MAX_MB="1000", BREAKER_FAILURES="1000", CACHE="true", CACHE_TTL="1h", PANEL_PAIR_MODELS="member-a,member-b", PANEL_PAIR_SUMMARY_MODEL="member-c",
    ), data  # fmt: skip


def scripts_of(dice: random.Random, usage: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Returns what the two vendors do with a request."""
    fine: dict[str, Any] = {"extra": True, "nulls": True, "text": "word " * dice.randrange(1, 9)}
    told = {"usage": usage} if usage else {"usage": None}
    events = [event for event in chunks(fine) if event["choices"]] + ([usage_chunk(**usage)] if usage else [])
    good = fine | {"whole": whole(fine) | told, "events": events}
    first = good | FAILURES[dice.choice(list(FAILURES))] if dice.random() < 0.3 else good
    return [first, good if dice.random() < 0.8 else good | FAILURES["failed"]]


def usage_of(dice: random.Random) -> dict[str, Any] | None:
    if dice.random() < 0.15:
        return None
    prompt, completion = dice.randrange(1, 5000), dice.randrange(0, 900)
    usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    if dice.random() < 0.5:
        usage["prompt_tokens_details"] = {"cached_tokens": dice.randrange(0, prompt + 1)}
    return usage


def body_of(surface: str, model: str, text: str, n: int, is_streamed: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model, "stream": is_streamed}
    if surface in ("chat", "completions"):
        body |= {"n": n} if n > 1 else {}
        body |= {"stream_options": {"include_usage": True}} if is_streamed else {}
        return body | ({"prompt": text} if surface == "completions" else {"messages": [{"role": "user", "content": text}]})
    if surface == "responses":
        return body | {"input": text}
    return body | {"max_tokens": 900, "messages": [{"role": "user", "content": text}]}


def tokens_of(surface: str, answer: httpx.Response, is_streamed: bool) -> tuple[int, int] | None:
    """Returns the tokens of the prompt and of the output that a response names; None for a failed one."""
    if answer.status_code != 200:
        return None
    if not is_streamed:
        usage = answer.json()["usage"]
    else:
        events = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: {")]
        if any(event.get("error") or event.get("type") in ("error", "response.failed") for event in events):
            return None
        found = [event.get("response", event).get("usage") for event in events]
        usage = [one for one in found if one][-1]
    if surface == "messages":
        cached = usage.get("cache_read_input_tokens") or 0
        return usage["input_tokens"] + cached + (usage.get("cache_creation_input_tokens") or 0), usage["output_tokens"]
    names = ("input_tokens", "output_tokens") if surface == "responses" else ("prompt_tokens", "completion_tokens")
    return usage[names[0]], usage[names[1]]


def is_json(script: dict[str, Any], is_streamed: bool) -> bool:
    return not is_streamed and not {"status", "raw"} & set(script)


def lost_tokens(request: dict[str, Any], calls: list[dict[str, Any]]) -> list[int]:
    """Returns the tokens of calls that were made in vain. A vendor that ignores `n` has made the first choice."""
    lost = [call for call in calls if not call["success"] and call["completion_tokens"] and request["success"]]
    return [call["tokens"] for call in lost if "too few choices" not in call["error"]]


def test_all_figures_are_the_same(relay, vendors):
    relay, data = relay
    log = File(data / "usage.log")
    sent: dict[str, Sent] = {}
    lock, left = threading.Lock(), []
    busy = [threading.Lock() for _ in range(64)]

    def ask(number: int) -> None:
        with busy[number % 64]:
            ask_alone(number)

    def ask_alone(number: int) -> None:
        # Two requests that follow each other differ only in whether the response is streamed.
        dice, is_streamed = random.Random(number // 2), number % 2 == 1
        surface, caller = dice.choice(list(PATHS)), dice.choice(list(CALLERS))
        n = dice.choice((1, 1, 1, 2, 3)) if surface in ("chat", "completions") else 1
        model, text = f"model-{number % 64}", f"Say {number // 2}"
        for server, script in zip(vendors, scripts_of(dice, usage_of(dice)), strict=True):
            # Further choices can have other numbers, also for their prompt.
            more = scripts_of(dice, usage_of(dice))[:1] if n > 1 else []
            server.says(model, *(one | ({"json": one["whole"]} if is_json(one, is_streamed) else {}) for one in [script, *more]))
        if dice.random() < 0.1:
            model = "panel/pair"
        request = {"json": body_of(surface, model, text, n, is_streamed), "headers": {"Authorization": f"Bearer {CALLERS[caller]}"}}
        times = 2 if dice.random() < 0.1 else 1
        for _ in range(times):
            if times == 1 and is_streamed and random.Random(number).random() < 0.05:
                with http.stream("POST", PATHS[surface], **request) as answer, lock:
                    left.append(answer.headers.get("x-request-id"))
                return
            answer = http.post(PATHS[surface], **request)
            # The response itself is not kept: 100,000 of them need more memory than a machine has.
            said = Sent(number, tokens_of(surface, answer, is_streamed), None if is_streamed else answer.headers.get("x-relay-cost"))
            with lock:
                sent[answer.headers["x-request-id"]] = said

    with ThreadPoolExecutor(8) as pool, local_http.Client(base_url=relay.base_url, timeout=60) as http:
        for start in range(0, REQUESTS, 400):
            list(pool.map(ask, range(start, min(start + 400, REQUESTS))))
            for server in vendors:
                server.take_violations()
                server.requests = []

    awaited = {*sent, *left} - {None}

    def is_whole() -> bool:
        while (line := unread.readline()).endswith("\n"):
            record = json.loads(line, parse_float=Decimal)
            records.append({name: record[name] for name in KEPT if name in record})
            if not is_call(record):
                awaited.discard(record["request_id"])
        if line:
            unread.seek(unread.tell() - len(line.encode()))
        return not awaited

    records: list[dict[str, Any]] = []
    with log.path.open() as unread:
        wait_for(is_whole, 60)
    requests = {record["request_id"]: record for record in records if not is_call(record) and record["caller"] in CALLERS}
    calls: dict[str, list[dict[str, Any]]] = {name: [] for name in requests}
    for record in records:
        if is_call(record):
            calls[record["request_id"]].append(record)

    costs = dict.fromkeys(CALLERS, Decimal(0))
    tokens = dict.fromkeys(CALLERS, 0)
    used, spent = dict.fromkeys(CALLERS, 0), dict.fromkeys(CALLERS, 0)
    for name, request in requests.items():
        # A request costs what its calls cost; one from the cache costs nothing.
        own = [call["cost"] for call in calls[name] if call["cost"] is not None]
        assert (request["cost"] or 0) == sum(own), (request, calls[name])
        costs[request["caller"]] += request["cost"] or 0
        tokens[request["caller"]] += request["tokens"]
        if not request["cached"]:
            used[request["caller"]] += request["tokens"]
            # Calls whose output another one replaced count in the limits, and are not part of the response.
            spent[request["caller"]] += request["tokens"] + sum(lost_tokens(request, calls[name]))
        if name not in sent:
            continue
        said = sent[name]
        if said.tokens:
            assert said.tokens == (request["prompt_tokens"], request["completion_tokens"]), (request, said)
        if said.cost is not None:
            assert Decimal(said.cost) == (request["cost"] or 0), request

    # The limits have settled what the calls cost.
    operator, metrics = Operator(relay.base_url), Scrape(relay)
    for caller in CALLERS:
        limits = {one["unit"]: one for one in operator.items("/admin/limits", caller=caller) if one["limit"] == "chat"}
        rounding = Decimal(len(requests)) / 10**9
        # The page shows cents.
        assert abs(Decimal(limits["usd"]["used"]) - costs[caller]) <= rounding + Decimal("0.005"), (caller, limits["usd"], costs)
        assert int(limits["tokens"]["used"]) == spent[caller] > 0, (caller, spent, tokens)
        cost = metrics("relay_caller_cost_usd_total", caller=caller)
        assert abs(Decimal(str(cost)) - costs[caller]) <= costs[caller] / 10**12 + rounding, caller
        counted = [metrics("relay_caller_tokens_total", caller=caller, kind=kind) for kind in ("prompt", "completion")]
        assert sum(counted) == used[caller], caller

    # `relay usage` and the page's sums say so, too.
    def usage(*words: str) -> dict[str, Any]:
        ran = subprocess.run([binary(), "usage", *words, "--json"], env={"DATA_DIR": str(data)}, capture_output=True, text=True, check=True)
        return json.loads(ran.stdout, parse_float=Decimal)

    wait_for(lambda: sum(row["requests"] for row in usage("--by", "key")["rows"] if row["key"] in CALLERS) == len(requests), 60)
    rows = {row["key"]: row for row in usage("--by", "key")["rows"]}
    for caller in CALLERS:
        row = rows[caller]
        assert row["cost"] == costs[caller], (caller, row, costs)
        assert row["prompt_tokens"] + row["completion_tokens"] == tokens[caller], (caller, row, tokens)

    check_pairs({name: request for name, request in requests.items() if len(calls[name]) == 1}, sent)


def check_pairs(requests: dict[str, dict[str, Any]], sent: dict[str, Sent]) -> None:
    """Whole and streamed responses of one call cost the same if the vendor told the usage."""
    pairs: dict[int, list[dict[str, Any]]] = {}
    for name, said in sent.items():
        if name in requests:
            pairs.setdefault(said.number // 2, []).append(requests[name])
    same = 0
    for both in pairs.values():
        if len(both) != 2 or not all(one["success"] and one["attempts"] == 1 and "estimated" not in one for one in both):
            continue
        assert both[0]["tokens"] == both[1]["tokens"] and both[0]["cost"] == both[1]["cost"], both
        same += 1
    assert same > REQUESTS / 10
