"""Runs one case of `clocks`: relays with a clock each, a store, and callers that send many requests."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from clock_cases import LIMITS, Case, Limit
from clocks import Clock, build_shim
from late_store import LateStore, go_first
from pressing import Caller
from processes import Program, Setup, file_name

CLIENTS = {60: 16, 100: 96, 1000: 96}  # over all instances, by the limit's number: enough to use it up where each waits 0.5 s
REFUSED_PAUSE_SECONDS = {60: 0.01, 100: 0.05, 1000: 0.05}
MODEST_SHARE = 0.4  # of what the limit allows
MODEST_CLIENTS = {60: 4, 100: 8, 1000: 16}
PATIENCE_SECONDS = 60  # for the last answers
LONGEST_STAY_SECONDS = 8  # of clients that leave


@dataclass
class Outcome:
    """The responses of one case, for the greedy and the modest caller of each limit, and the relays' own figures."""

    begun: float
    greedy: dict[Limit, Caller]
    modest: dict[Limit, Caller]
    without_store: Counter[str] = field(default_factory=Counter)  # decisions, by cause
    failures: int = 0  # of calls to the store
    writes: int = 0  # that were done
    lost_races: int = 0  # writes that another instance was faster than
    warnings: list[str] = field(default_factory=list)
    latest_ms: float = 0  # answer of the store
    held_ms: float = 0  # the longest that a loop of a relay could not run
    turns: Counter[str] = field(default_factory=Counter)  # of waiting requests, by outcome
    waiting: int = 0  # requests, a second after the last client has left


class Deployment:
    def __init__(self, setup: Setup, case: Case, stack: ExitStack, seed: int, older: Path | None = None) -> None:
        self.case = case
        self.older = older
        self.setup = setup
        self.stack = stack
        self.upstream = stack.enter_context(setup.upstream()).whole_port
        store = stack.enter_context(setup.start_memcached())
        self.memcached = store
        stack.callback(store.process.send_signal, signal.SIGCONT)
        go_first(store.process.pid)
        self.late = LateStore(store.whole_port, case.lateness, seed) if case.lateness else None
        if self.late:
            stack.callback(self.late.process.kill)
        self.store = self.late.port if self.late else store.whole_port
        shim = build_shim(setup.folder)
        self.clocks = [Clock(shim, setup.folder / f"clock-{n}", ahead) for n, ahead in enumerate(case.ahead)]
        self.relays: dict[int, Program] = {}

    def start(self, number: int) -> Program:
        """Returns when the relay has sent its first response."""
        own = {
            "RATE_LIMIT": "off", "ONE_MIN_API_KEYS": "bench-vendor-key", "ONE_MIN_MODELS_REFRESH": "0",
            "MEMCACHED_SERVERS": f"127.0.0.1:{self.store}", "KEY_FIRST_TOKEN": "bench-key-0123456789",
            "SHUTDOWN_SECONDS": "2",
        }  # fmt: skip
        if self.case.waits:
            own["RATE_LIMIT_WAIT"] = f"{self.case.waits}s"
        own["MEMCACHED_TIMEOUT"] = f"{self.case.timeout_ms}ms"
        for limit in limits_of(self.case):
            for kind in ("GREEDY", "MODEST"):
                name = f"KEY_{kind}{limit.number}"
                own |= {f"{name}_TOKEN": token_of(kind, limit), f"{name}_RATE_LIMIT_CHAT": limit.text}
        setup = self.setup
        if number in self.case.older and self.older:
            setup = replace(setup, relay=self.older)
        starting = setup.start_relay(self.upstream, 2, f"relay {number}", own | self.clocks[number].environment)
        relay = self.stack.enter_context(starting)
        # A stopped program does not end.
        self.stack.callback(relay.process.send_signal, signal.SIGCONT)
        self.relays[number] = relay
        return relay

    def wait_until_known(self) -> None:
        """Waits until each relay knows all others: an outage before that would be divided among fewer."""
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            if all(_sum(relay.metrics(), "relay_instances") == len(self.relays) for relay in self.relays.values()):
                return
            time.sleep(0.1)

    def set_clocks(self, instances: tuple[int, ...], ahead: float) -> None:
        for number in instances:
            self.clocks[number].set(ahead)

    def kill(self, number: int) -> None:
        self.relays.pop(number).process.kill()

    def empty_store(self) -> None:
        with socket.create_connection(("127.0.0.1", self.memcached.whole_port)) as connection:
            connection.sendall(b"flush_all\r\n")
            connection.recv(64)

    def look(self, outcome: Outcome) -> None:
        """Adds the relays' own figures to the outcome. They explain a result but do not decide it."""
        for number, relay in sorted(self.relays.items()):
            text = relay.metrics()
            for cause, count in re.findall(r'relay_limit_unshared_decisions_total\{cause="(\w+)"\} (\d+)', text):
                outcome.without_store[cause] += int(count)
            for kind, count in re.findall(r'relay_limit_turns_total\{outcome="(\w+)"\} (\d+)', text):
                outcome.turns[kind] += int(count)
            outcome.waiting += _sum(text, "relay_limit_waiting")
            outcome.held_ms = max(outcome.held_ms, relay.longest_turn_ms())
            outcome.failures += _sum(text, "relay_store_failures_total")
            outcome.writes += _sum(text, 'relay_store_operations_total{operation="write"}')
            outcome.lost_races += _sum(text, "relay_store_write_conflicts_total")
            log = self.setup.folder / f"{file_name(relay.name)}.log"
            lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
            told = Counter(line["message"] for line in lines if line.get("level") in ("warning", "error"))
            outcome.warnings += [f"relay {number}: {count} x {message}" for message, count in told.items()]


def _sum(text: str, series: str) -> int:
    return sum(map(int, re.findall(rf"^{re.escape(series)} (\d+)", text, re.M)))


def limits_of(case: Case) -> list[Limit]:
    return list(case.limits) or LIMITS


def token_of(kind: str, limit: Limit) -> str:
    return f"bench-{kind.lower()}-caller-{limit.number}"


def run(setup: Setup, case: Case, seed: int, older: Path | None = None) -> Outcome:
    """Starts everything, sends requests for the time of the case, and ends everything. The responses are kept in the
    folder."""
    os.makedirs(folder := setup.folder / case.name, exist_ok=True)
    with ExitStack() as stack:
        (folder / "upstream").unlink(missing_ok=True)
        (folder / "upstream").symlink_to((setup.folder / "upstream").resolve())
        deployment = Deployment(replace(setup, folder=folder), case, stack, seed, older)
        for number in range(case.instances):
            if not case.starts or case.starts[number] == 0:
                deployment.start(number)
        deployment.wait_until_known()
        outcome = asyncio.run(_press(deployment))
        time.sleep(1)
        deployment.look(outcome)
        if deployment.late:
            outcome.latest_ms = deployment.late.stop()[1]
    _keep(outcome, folder / "told.jsonl")
    return outcome


async def _press(deployment: Deployment) -> Outcome:
    case = deployment.case
    begun = time.monotonic()
    ends = begun + case.seconds + 0.5
    greedy, modest = ({limit: Caller(token_of(kind, limit), "gpt-4o-mini") for limit in limits_of(case)} for kind in ("GREEDY", "MODEST"))

    async def ask(number: int) -> None:
        if number not in deployment.relays:
            await asyncio.sleep(begun + case.starts[number] - time.monotonic())
            await asyncio.to_thread(deployment.start, number)
        port = deployment.relays[number].whole_port
        async with asyncio.TaskGroup() as clients:
            for limit in limits_of(case):
                for _ in range(CLIENTS[limit.number] // case.instances):
                    pause = REFUSED_PAUSE_SECONDS[limit.number]
                    clients.create_task(greedy[limit].keep_asking(number, port, ends, pause))
                for _ in range(case.leavers):
                    clients.create_task(greedy[limit].keep_leaving(number, port, ends, LONGEST_STAY_SECONDS))
                count = max(1, MODEST_CLIENTS[limit.number] // case.instances)
                every = limit.seconds / (MODEST_SHARE * limit.number) * count * case.instances
                for place in range(count):
                    first = begun + every * (place * case.instances + number) / (count * case.instances)
                    clients.create_task(modest[limit].ask_every(every, first, number, port, ends))

    async def at(seconds: float, do: Callable[..., None], *what: object) -> None:
        await asyncio.sleep(begun + seconds - time.monotonic())
        do(*what)

    async with asyncio.timeout(case.seconds + PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        for number in range(case.instances):
            tasks.create_task(ask(number))
        for step in case.steps:
            tasks.create_task(at(step.at, deployment.set_clocks, step.instances, step.ahead))
        for stop in case.stops:
            process = deployment.relays[stop.instance].process
            tasks.create_task(at(stop.at, process.send_signal, signal.SIGSTOP))
            tasks.create_task(at(stop.at + stop.seconds, process.send_signal, signal.SIGCONT))
        for kill in case.kills:
            tasks.create_task(at(kill.at, deployment.kill, kill.instance))
        for loss in case.losses:
            if loss.seconds:
                process = deployment.memcached.process
                tasks.create_task(at(loss.at, process.send_signal, signal.SIGSTOP))
                tasks.create_task(at(loss.at + loss.seconds, process.send_signal, signal.SIGCONT))
            else:
                tasks.create_task(at(loss.at, deployment.empty_store))
    return Outcome(begun, greedy, modest)


def _keep(outcome: Outcome, path: Path) -> None:
    """Writes each response as a line: kind, limit, relay, sent and received in seconds from the beginning, status."""
    with path.open("w") as file:
        for kind, callers in (("greedy", outcome.greedy), ("modest", outcome.modest)):
            for limit, caller in callers.items():
                for each in caller.told:
                    sent, got = each.sent - outcome.begun, each.got - outcome.begun
                    file.write(json.dumps([kind, limit.number, each.relay, round(sent, 6), round(got, 6), each.status]) + "\n")
