"""A run with random providers, faults of their vendors and requests of all endpoints, with checks of every response.

A seed repeats settings, requests and faults, but not the order of what happens at the same time.
"""

from __future__ import annotations

import json
import random
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import local_http
from asking import ASKS, UNTOLD, answered_by, is_good
from memcached import Memcached
from relay_process import Relay
from vendors import UNTOLD as UNTOLD_FAULTS
from vendors import Call, Vendors

TOKEN = "token-of-the-one-caller"
REQUESTS = 60
SECONDS = 20
"""The longest time for an answer: the deadline of all tries, and the last one's own."""
STATUSES = {401, 402, 429, 500, 502, 503, 504, 529}


class Run:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.vendors = Vendors(seed, self.random.choice([0, 0.15, 0.3, 0.6]))
        self.prices: dict[str, list[Decimal]] = {}
        self.keys: dict[str, list[str]] = {}
        self.qps: dict[str, int] = {}
        self.settings = self.all_settings()
        self.answers: dict[str, tuple[str, httpx.Response, float]] = {}

    # --- Settings and requests ---------------------------------------------------------------

    def all_settings(self) -> dict[str, str]:
        pick = self.random
        settings = {
            "KEY_A_TOKEN": TOKEN, "LOG_LEVEL": "debug", "FALLBACK_DEADLINE": "15s",
            "BALANCE": pick.choice(["sequence", "smooth", "least-load"]), "QUEUE_TIMEOUT": pick.choice(["0", "2s"]),
            "BREAKER_FAILURES": pick.choice(["3", "1000"]), "FALLBACK": pick.choice(["true"] * 4 + ["false"]),
            "FALLBACK_ATTEMPTS": pick.choice(["0", "0", "2"]),
        }  # fmt: skip
        for place in range(pick.randint(1, 4)):
            wire = pick.choice(["openai", "openai", "anthropic", "gemini"]) if place else "openai"
            settings |= self.provider(["FIRST", "SECONDONE", "THIRD", "FOURTH"][place], wire)
        return settings

    def provider(self, name: str, wire: str) -> dict[str, str]:
        pick = self.random
        keys = [f"sk-{self.seed}-{name.lower()}-{at}-0123456789" for at in range(pick.randint(1, 3))]
        prices = [Decimal(pick.randint(1, 900)) / 100 for _ in range(3)]
        self.keys[name], self.prices[name] = keys, prices
        fields = {
            "KIND": wire, "BASE_URL": f"{self.vendors.base_url}/{wire}/{name}", "API_KEYS": ",".join(keys), "MODELS": "m=theirs",
            "PRIORITY": str(pick.choice([1, 1, 2])), "WEIGHT": str(pick.choice([1, 2, 3])), "COSTS": "m=" + "/".join(map(str, prices)),
            "TIMEOUT": "1s", "IDLE_TIMEOUT": "1s",
        }  # fmt: skip
        if pick.random() < 0.5:
            bound = pick.randint(1, 3)
            fields["CONCURRENCY"] = str(bound)
            self.vendors.bounds |= dict.fromkeys(keys, bound)
        if pick.random() < 0.25:
            bound = pick.randint(3, 8)
            fields["QPS"] = str(bound)
            self.qps |= dict.fromkeys(keys, bound)
        return {f"PROVIDER_{name}_{field}": value for field, value in fields.items()}

    def go(self) -> list[str]:
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            stack.callback(self.vendors.stop)
            settings = dict(self.settings)
            has_store = self.random.random() < 0.5
            if has_store:
                store = Memcached()
                stack.callback(store.kill)
                settings["MEMCACHED_SERVERS"] = store.address
            logs = [Path(folder) / f"{at}.jsonl" for at in range(1 + has_store)]
            relays = [Relay(settings | {"USAGE_LOG_FILE": str(log)}) for log in logs]
            with ThreadPoolExecutor(self.random.choice([1, 4, 12])) as pool:
                list(pool.map(lambda at: self.ask(at, relays), range(REQUESTS)))
            told = "".join(local_http.get(f"{relay.base_url}/metrics").text for relay in relays)
            for relay in relays:
                relay.stop()
            lines = [line for log in logs if log.exists() for line in log.read_text().splitlines()]
            told += "".join(lines) + "".join(relay.text() for relay in relays)
        records = {record["request_id"]: record for record in map(json.loads, lines) if record.get("kind") != "call"}
        return [*self.judged(records), *self.judged_bounds(), *self.judged_rests(), *self.shown_keys(told)]

    def ask(self, at: int, relays: list[Relay]) -> None:
        pick = random.Random(self.seed * 1000 + at)
        mark, kind = f"request{at}x", pick.choice([*ASKS])
        if at % 25 == 24:
            relays[0].signal(signal.SIGHUP)
        headers = {"Authorization": f"Bearer {TOKEN}", "id": mark}
        with local_http.Client(base_url=pick.choice(relays).base_url, timeout=2 * SECONDS, headers=headers) as client:
            begun = time.monotonic()
            answer = ASKS[kind](client, mark)
            self.answers[mark] = (kind, answer, time.monotonic() - begun)

    # --- What must hold ----------------------------------------------------------------------

    def judged(self, records: dict[str, dict[str, Any]]) -> Iterator[str]:
        for mark, (kind, answer, seconds) in self.answers.items():
            calls = [call for call in self.vendors.calls if call.request == mark]
            problems = [*self.judged_answer(kind, answer, calls)]
            if seconds > SECONDS:
                problems.append(f"took {seconds:.1f} s")
            if record := records.get(mark):
                problems += self.judged_record(kind, answer, calls, record)
            else:
                problems.append("is not recorded")
            asked = [(call.provider, call.key[-12], call.fault, call.usage) for call in calls]
            yield from (f"{kind} {mark}, {answer.status_code}: {problem}; {asked} {answer.text[:200]}" for problem in problems)

    def judged_answer(self, kind: str, answer: httpx.Response, calls: list[Call]) -> Iterator[str]:
        good = {call.number for call in calls if not call.fault}
        if is_good(answer):
            sources = answered_by(kind, answer)
            if not (sources or kind == "moderation" and good) or not sources <= good:
                yield f"the answer is of the calls {sources}, good are {good}"
        elif answer.status_code != 200:
            if answer.status_code not in STATUSES:
                yield "an odd status"
            if not answer.json()["error"]["message"]:
                yield "no reason"
            alone = kind not in ("chat of two choices", "images")
            if alone and any(not call.fault and not call.is_left for call in calls):
                yield "a failure though a vendor answered well"

    def judged_record(self, kind: str, answer: httpx.Response, calls: list[Call], record: dict[str, Any]) -> Iterator[str]:
        if record["success"] != is_good(answer):
            yield f"recorded as success: {record['success']}"
        if answer.status_code != 200 and record["status"] != answer.status_code:
            yield f"recorded with status {record['status']}"
        if record["attempts"] < len({call.provider for call in calls}):
            yield f"recorded with {record['attempts']} attempts"
        if kind in UNTOLD or any(call.is_left or call.fault in UNTOLD_FAULTS for call in calls):
            return
        if kind == "chat of two choices" and any(call.fault for call in calls):
            return  # A choice that is given up for another's failure may have been answered at that moment.
        cost = sum((self.cost(call) for call in calls), Decimal())
        tolds = {"the record": record["cost"], "the answer": answer.headers.get("x-relay-cost", record["cost"])}
        for name, told in tolds.items():
            if abs(Decimal(str(told or 0)) - cost) > Decimal("1e-6"):
                yield f"it cost {cost}, by {name} {told}"

    def cost(self, call: Call) -> Decimal:
        prompt, completion, cached = call.usage or (0, 0, 0)
        prices = self.prices[call.provider]
        return ((prompt - cached) * prices[0] + completion * prices[1] + cached * prices[2]) / 1000

    def judged_bounds(self) -> Iterator[str]:
        yield from self.vendors.breaches()
        for key, bound in self.qps.items():
            begun = sorted(call.begun for call in self.vendors.calls if call.key == key)
            for first, last in zip(begun, begun[bound:], strict=False):
                if last - first < 0.94:
                    yield f"{bound + 1} calls with {key} within {last - first:.3f} s"

    def judged_rests(self) -> Iterator[str]:
        """Checks that a key in a long cooldown is used only if no other one can serve the call. With bounds and other
        instances' knowledge, this could not be decided here."""
        if self.settings["FALLBACK"] == "false" or self.settings["FALLBACK_ATTEMPTS"] != "0" or self.vendors.bounds or self.qps:
            return
        if self.settings["BREAKER_FAILURES"] != "1000":
            return
        resting: dict[str, float] = {}
        asked: dict[str | None, set[str]] = defaultdict(set)
        ends = [(call.ended or 0, False, call) for call in self.vendors.calls]
        for at, begins, call in sorted([*ends, *((call.begun, True, call) for call in self.vendors.calls)], key=lambda step: step[:2]):
            if begins:
                asked[call.request].add(call.key)
                free = set(self.serving(call)) - set(resting) - asked[call.request]
                if at > resting.get(call.key, at) + 0.15 and free:
                    yield f"{call.key} was asked by {call.request} though it rested and {free} were free"
            elif call.fault in ("401", "402", "429", "429 soon"):
                resting[call.key] = at
            elif not call.fault:
                resting.pop(call.key, None)

    def serving(self, call: Call) -> Iterator[str]:
        """Returns the keys of providers that serve the call's endpoint and were not called for it."""
        asked = {other.provider for other in self.vendors.calls if other.request == call.request}
        is_text = call.path.startswith(("chat/", "v1"))
        for name, keys in self.keys.items():
            if name not in asked and (is_text or self.settings[f"PROVIDER_{name}_KIND"] == "openai"):
                yield from keys

    def shown_keys(self, told: str) -> Iterator[str]:
        told += "".join(f"{answer.headers}{answer.text}" for _, answer, _ in self.answers.values())
        yield from (f"{key} is shown" for keys in self.keys.values() for key in keys if key in told)
