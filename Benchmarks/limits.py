"""Measures the cost of counting: limits off, in the relay's memory and on memcached, beside nginx."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

import proxies
from bench import Bench, Round, Table, middle
from processes import AWAKE, HERE, NEVER_REFUSED, Program, store_counts

KEYS = 10_000
RUN_UP_SECONDS = 0.7  # more than a bucket of a minute's window: the last one then was a full one
OFF, MEMORY, ONE_KEY, MANY_KEYS = "limits off", "in memory", "memcached, one key", f"memcached, {KEYS:,} keys"
MANY_OFF = f"limits off, {KEYS:,} keys"


@dataclass(frozen=True)
class Counted:
    """A round, and for each of its requests memcached's operations by name and its processor time in microseconds."""

    round: Round
    operations: dict[str, float]
    store_processor: float


def decision(bench: Bench) -> None:
    """Measures the limiter alone, in memory, on one core; see Tests/Decision."""
    program = HERE.parent / ".build/release/decision-benchmark"
    if not program.exists():
        raise SystemExit(f"no {program}: build it first (make benchmark)")
    done = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True)
    times: dict[str, float] = json.loads(done.stdout)
    bench.outcome.figures["decision us"] = times["10,000 callers"]
    rows = [[name, f"{time:.3f}"] for name, time in times.items()]
    bench.outcome.tables.append(Table("A decision in memory, alone on one core", ["", "us"], rows))


def limits(bench: Bench) -> None:
    """Measures limits off, in memory and on memcached, in turn with nginx."""
    with _lanes(bench) as programs:
        for program in programs:
            bench.load(program, "whole", connections=64, requests=2 * KEYS)
        _check(bench, programs)
        busy = _interleave(bench, programs, connections=64)
        for state, suffix in AWAKE.items():
            with state():
                trips = _bare_trips(bench)
                taken = _interleave(bench, programs[:-1], connections=1)
                trips += _bare_trips(bench)
            _latency(bench, taken, trips, suffix)
    _hot_key(bench)
    _costs(bench, busy)
    _operations(bench, busy)


@contextmanager
def _lanes(bench: Bench) -> Iterator[list[Program]]:
    """Five relays, each on memcached with one of its own, and nginx; all with one thread before one vendor."""
    setup = bench.setup
    with ExitStack() as stack:
        port = stack.enter_context(setup.upstream()).whole_port

        def relay(name: str, settings: dict[str, str]) -> Program:
            return stack.enter_context(setup.start_relay(port, 1, name, settings))

        programs = [relay(name, {"RATE_LIMIT": "off"}) for name in (OFF, MANY_OFF)]
        programs[1].keys = KEYS
        programs.append(relay(MEMORY, {"RATE_LIMIT": NEVER_REFUSED}))
        for name, keys in ((ONE_KEY, 1), (MANY_KEYS, KEYS)):
            store = stack.enter_context(setup.start_memcached())
            place = {"MEMCACHED_HOST": "127.0.0.1", "MEMCACHED_PORT": str(store.whole_port)}
            program = relay(name, {"RATE_LIMIT": NEVER_REFUSED} | place)
            program.store, program.keys = store, keys
            programs.append(program)
        yield [*programs, stack.enter_context(proxies.nginx(setup, port, 1))]


def _hot_key(bench: Bench) -> None:
    """One caller of two instances, each under its own load."""
    setup = bench.setup
    with ExitStack() as stack:
        port = stack.enter_context(setup.upstream()).whole_port
        store = stack.enter_context(setup.start_memcached())
        own = {"RATE_LIMIT": NEVER_REFUSED, "MEMCACHED_SERVERS": f"127.0.0.1:{store.whole_port}"}
        relays = [stack.enter_context(setup.start_relay(port, 1, f"hot {n}", own)) for n in range(2)]
        bench.load_all(relays, "whole", connections=32, seconds=RUN_UP_SECONDS)
        rounds = []
        for _ in range(bench.scale.rounds):
            before = store_counts(store)
            results = bench.load_all(relays, "whole", connections=32, seconds=bench.scale.round_seconds)
            after = store_counts(store)
            requests = sum(result["requests"] for result in results)
            gets, sets = (after[name] - before[name] for name in ("cmd_get", "cmd_set"))
            lost = after["cas_badval"] - before["cas_badval"]
            rate = requests / max(result["seconds"] for result in results)
            rounds.append((rate, (gets + sets) / requests, gets / requests, sets / requests, lost / requests))
    figures = [median(each[place] for each in rounds) for place in range(5)]
    bench.outcome.figures["hot key operations"] = figures[1]
    row = [f"{figures[0]:,.0f}", *(f"{figure:.4f}" for figure in figures[1:])]
    header = ["requests/s of both", "gets and sets", "gets", "sets", "sets that lost"]
    title = "memcached's operations for each admitted request: one key, two instances, a minute's window"
    bench.outcome.tables.append(Table(title, header, [row]))


def _check(bench: Bench, programs: list[Program]) -> None:
    """Checks that the relay counts as configured, because figures would be worthless otherwise."""
    for program in programs:
        is_limited = b"\r\nx-ratelimit-limit-requests: 1000000000\r\n" in program.first_head.lower() + b"\r\n"
        if program.dialect == "openai" and is_limited != (program.name not in (OFF, MANY_OFF)):
            bench.outcome.failures.append(f"{program.name}: the first answer's limit is not the one that was set")
        if program.store:
            kept = store_counts(program.store)["curr_items"]
            if not program.keys <= kept < program.keys + 100:  # and a few of the relay's own
                bench.outcome.failures.append(f"{program.name}: memcached keeps {kept} records")


def _interleave(bench: Bench, programs: list[Program], connections: int) -> dict[str, list[Counted]]:
    taken: dict[str, list[Counted]] = {program.name: [] for program in programs}
    for _ in range(bench.scale.rounds):
        for program in programs:
            taken[program.name].append(_round(bench, program, connections))
    return taken


def _round(bench: Bench, program: Program, connections: int) -> Counted:
    store = program.store
    bench.load(program, "whole", connections, seconds=RUN_UP_SECONDS)
    if not store:
        return Counted(bench.round(program, "whole", connections), {}, 0)
    before, used_before = store_counts(store), store.processor_seconds()
    taken = bench.round(program, "whole", connections)
    used, after = store.processor_seconds() - used_before, store_counts(store)
    operations = {name: (after[name] - before[name]) / taken.requests for name in after}
    least = 0.9 if program.keys > 1 else 1 / taken.requests  # one write serves all that wait for the same record
    if operations["cmd_set"] < least:
        bench.outcome.failures.append(f"{program.name}: {operations['cmd_set']:.3f} writes for each request")
    return Counted(taken, operations, used / taken.requests * 1e6)


def _costs(bench: Bench, taken: dict[str, list[Counted]]) -> None:
    rounds = {name: [counted.round for counted in some] for name, some in taken.items()}
    rows = []
    for name, some in rounds.items():
        m = middle(some)
        used = median(counted.store_processor for counted in taken[name])
        store = f"{used:.1f}" if used else ""
        rows.append([name, f"{m.processor:.1f}", store, f"{m.rate:,.0f}", f"{m.p50:.0f}", f"{m.p99:.0f}"])
    for name, other in (
        (MEMORY, OFF), (ONE_KEY, OFF), (MANY_KEYS, MANY_OFF),
        (MEMORY, "nginx"), (ONE_KEY, "nginx"), (MANY_KEYS, "nginx"),
    ):
        pairs = list(zip(rounds[name], rounds[other], strict=True))
        ratios = [a.processor / b.processor for a, b in pairs]
        rates = median(a.rate / b.rate for a, b in pairs)
        processor = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        rows.append([f"{name} / {other}", processor, "", f"{rates:.2f}", "", ""])
        if (name, other) == (MEMORY, "nginx"):
            bench.outcome.figures.setdefault("chat", median(ratios))
        if (name, other) == (ONE_KEY, OFF):
            bench.outcome.figures["rate on memcached"] = rates
        if (name, other) == (MANY_KEYS, MANY_OFF):
            bench.outcome.figures["own record"] = median(ratios)
    header = ["", "processor us", "memcached's us", "requests/s", "p50 us", "p99 us"]
    bench.outcome.tables.append(Table("Limits: whole answers, 64 connections, one thread", header, rows))


def _operations(bench: Bench, taken: dict[str, list[Counted]]) -> None:
    columns = {
        "gets and sets": ("cmd_get", "cmd_set"),
        "gets": ("cmd_get",),
        "found": ("get_hits",),
        "sets": ("cmd_set",),
        "sets that lost": ("cas_badval", "cas_misses"),
    }
    rows = []
    for name in (ONE_KEY, MANY_KEYS):
        figures = [median(sum(c.operations[kind] for kind in kinds) for c in taken[name]) for kinds in columns.values()]
        rows.append([name, *(f"{figure:.4f}" for figure in figures)])
        if name == MANY_KEYS:
            bench.outcome.figures["store operations"] = figures[0]
    bench.outcome.tables.append(Table("memcached's operations for each admitted request", ["", *columns], rows))


def _bare_trips(bench: Bench) -> list[dict[str, float]]:
    """The percentiles of a program that does nothing else but ask memcached (see trip.c), for each round."""
    with bench.setup.start_memcached() as store:
        command = [bench.setup.folder / "trip", str(store.whole_port), str(bench.scale.round_seconds)]
        return [json.loads(subprocess.check_output(command)) for _ in range(bench.scale.rounds)]


def _latency(
    bench: Bench, taken: dict[str, list[Counted]], trips: list[dict[str, float]], suffix: str
) -> None:
    rounds = {name: middle([counted.round for counted in some]) for name, some in taken.items()}
    rows = []
    for name, m in rounds.items():
        off = rounds[MANY_OFF if name == MANY_KEYS else OFF]
        added = ["", ""] if name in (OFF, MANY_OFF) else [f"{m.p50 - off.p50:.0f}", f"{m.p99 - off.p99:.0f}"]
        rows.append([name, f"{m.p50:.0f}", f"{m.p99:.0f}", *added])
    asked, off = rounds[MANY_KEYS], rounds[MANY_OFF]
    bench.outcome.figures["store added p50" + suffix] = asked.p50 - off.p50
    bench.outcome.figures["store added p99" + suffix] = asked.p99 - off.p99
    p50, p99 = (median(trip[name] for trip in trips) for name in ("p50_us", "p99_us"))
    rows.append(["a bare program's trip to memcached", f"{p50:.0f}", f"{p99:.0f}", "", ""])
    header = ["", "p50 us", "p99 us", "added p50", "added p99"]
    title = f"Limits: latency at one connection, added to that with limits off{suffix}"
    bench.outcome.tables.append(Table(title, header, rows))
