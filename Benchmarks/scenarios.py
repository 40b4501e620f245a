"""The scenarios. Each starts its programs, loads them, and returns tables and figures for the goals."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import proxies
from bench import CLAUDE, PASSED, Bench, OtherWire, Round, Table, middle
from processes import AWAKE, Memory, Program


def chat(bench: Bench) -> None:
    """Measures whole responses over 64 connections."""
    _compare(bench, "whole", "chat", "Whole answers, 1 KB up and down, 64 connections, one thread")


def streams(bench: Bench) -> None:
    """Measures streams of 100 events over 64 connections."""
    _compare(bench, "stream", "stream", "Streams of 100 events, 64 connections, one thread")


def passed(bench: Bench) -> None:
    """Measures chats and streams of an OpenAI-compatible vendor, whose requests are forwarded unchanged."""
    _compare(bench, "whole", "passed chat", "Whole answers that pass as they come", PASSED)
    _compare(bench, "stream", "passed stream", "Streams of 100 events that pass as they come", PASSED)


def claude(bench: Bench) -> None:
    """Measures streams of a vendor with Anthropic's API."""
    _compare(bench, "stream", "claude stream", "Streams of 100 events from Anthropic's wire", CLAUDE)


def latency(bench: Bench) -> None:
    """Measures one connection: the time that a hop adds, with cores that sleep between its steps and with cores that do
    not."""
    rows = []
    with _all(bench) as programs:
        for kind, title in (("whole", "whole answer"), ("stream", "stream of 100 events")):
            for state, suffix in AWAKE.items():
                with state():
                    rounds = bench.interleave(programs, kind, connections=1)
                p50 = {name: median(r.p50 for r in taken) for name, taken in rounds.items()}
                p99 = {name: median(r.p99 for r in taken) for name, taken in rounds.items()}
                for name in rounds:
                    added = ["", ""] if name == "direct" else [
                        f"{p50[name] - p50['direct']:.0f}", f"{p99[name] - p99['direct']:.0f}"]
                    rows.append([title + suffix, name, f"{p50[name]:.0f}", f"{p99[name]:.0f}", *added])
                if kind == "whole":
                    bench.outcome.figures["added p50" + suffix] = p50["relay"] - p50["direct"]
                    bench.outcome.figures["added p99" + suffix] = p99["relay"] - p99["direct"]
    header = ["request", "way", "p50 us", "p99 us", "added p50", "added p99"]
    bench.outcome.tables.append(Table("Latency at one connection", header, rows))


def cores(bench: Bench) -> None:
    """Measures with all cores, which the vendor and the load use, too."""
    threads = os.cpu_count() or 1
    rows = []
    with _all(bench, threads) as programs:
        for kind in ("whole", "stream"):
            rounds = bench.interleave(programs, kind, connections=64)
            rate = {name: median(r.rate for r in taken) for name, taken in rounds.items()}
            rows.append([kind, *(f"{rate[name]:,.0f}" for name in rate), f"{rate['relay'] / rate['nginx']:.2f}"])
    title = f"Requests a second with {threads} threads, cores shared with vendor and load, 64 connections"
    bench.outcome.tables.append(Table(title, ["request", *rate, "relay / nginx"], rows))


def slow(bench: Bench) -> None:
    """Measures many open slow streams, and chat requests beside them."""
    held = {name: _hold(bench, start) for name, start in _starts(bench, bench.scale.streams).items()}
    relay, nginx = held["relay"], held["nginx"]
    count = bench.scale.streams
    rows = [
        ["anonymous KB for each stream", *(f"{h.anonymous:.1f}" for h in (relay, nginx))],
        ["Pss KB for each stream", *(f"{h.pss:.1f}" for h in (relay, nginx))],
        ["processor us for each event", *(f"{h.event_processor:.1f}" for h in (relay, nginx))],
        ["processor share of a core, %", *(f"{h.core_share * 100:.1f}" for h in (relay, nginx))],
    ]
    bench.outcome.tables.append(
        Table(f"{count:,} open slow streams, an event each second", ["", "relay", "nginx"], rows))
    rows = []
    for title, read in (
        ("processor us, 64 connections", lambda h: (h.alone.processor, h.beside.processor)),
        ("p50 us, 64 connections", lambda h: (h.alone.p50, h.beside.p50)),
        ("p99 us, 64 connections", lambda h: (h.alone.p99, h.beside.p99)),
        ("p50 us, 1 connection", lambda h: (h.single_alone.p50, h.single_beside.p50)),
        ("p99 us, 1 connection", lambda h: (h.single_alone.p99, h.single_beside.p99)),
    ):
        row = [title]
        for h in (relay, nginx):
            without, beside = read(h)
            row += [f"{without:.1f}", f"{beside:.1f}", f"{beside / without:.2f}"]
        rows.append(row)
    header = ["", "relay alone", "beside", "ratio", "nginx alone", "beside", "ratio"]
    bench.outcome.tables.append(Table(f"A chat request beside {count:,} slow streams", header, rows))
    bench.outcome.figures["KB per slow stream"] = relay.anonymous
    bench.outcome.figures["chat beside streams"] = relay.beside.processor / relay.alone.processor


def idle(bench: Bench) -> None:
    """Measures the time from the start to the first response, and the memory a second later, with each program's own
    number of threads."""
    times: dict[str, list[float]] = {"relay": [], "nginx": []}
    memory: dict[str, Memory] = {}
    with bench.setup.upstream() as upstream:
        for _ in range(bench.scale.starts):
            for name, start in _starts(bench, None).items():
                with start(upstream.whole_port) as program:
                    times[name].append(program.first_answer_seconds * 1000)
                    if name not in memory:
                        time.sleep(1)
                        memory[name] = program.memory()
    rows = [
        [name, f"{median(times[name]):.0f}", f"{max(times[name]):.0f}",
         *(f"{kilobytes / 1024:.1f}" for kilobytes in (m.anonymous, m.pss, m.rss))]
        for name, m in memory.items()
    ]
    header = ["", "first answer ms", "slowest", "anonymous MB", "Pss MB", "Rss MB"]
    bench.outcome.tables.append(Table("Start and rest", header, rows))
    bench.outcome.figures["first answer ms"] = median(times["relay"])
    bench.outcome.figures["idle anonymous MB"] = memory["relay"].anonymous / 1024
    bench.outcome.figures["idle resident MB"] = memory["relay"].rss / 1024


def memory(bench: Bench) -> None:
    """Measures anonymous memory over many chat requests, and after two waves of streams."""
    columns: dict[str, list[tuple[str, int]]] = {}
    for name, start in _starts(bench, bench.scale.streams).items():
        with _slow_upstream(bench) as upstream, start(upstream.whole_port) as program:
            steps = [("after the first answer", program.memory().anonymous)]
            first, rest = bench.scale.chats // 10, bench.scale.chats * 9 // 10
            bench.load(program, "whole", connections=64, requests=first)
            steps.append((f"after {first:,} chat requests", program.memory().anonymous))
            bench.load(program, "whole", connections=64, requests=rest)
            steps.append((f"after {first + rest:,} chat requests", program.memory().anonymous))
            for wave in ("first", "second"):
                with bench.held_streams(program, upstream):
                    time.sleep(1)
                    steps.append((f"{wave} {bench.scale.streams:,} streams open", program.memory().anonymous))
                time.sleep(4)
                steps.append((f"4 s after the {wave} ended", program.memory().anonymous))
        columns[name] = steps
    rows = [
        [title, *(f"{steps[index][1] / 1024:.1f}" for steps in columns.values())]
        for index, (title, _) in enumerate(columns["relay"])
    ]
    bench.outcome.tables.append(Table("Anonymous memory over time, MB", ["", *columns], rows))
    relay = [kilobytes / 1024 for _, kilobytes in columns["relay"]]
    bench.outcome.figures["growth over chats MB"] = relay[2] - relay[1]
    bench.outcome.figures["kept after streams"] = (relay[4] - relay[2]) / (relay[3] - relay[2])
    bench.outcome.figures["growth over waves MB"] = relay[6] - relay[4]


def _starts(bench: Bench, streams: int | None) -> dict[str, Callable[[int], Any]]:
    """Returns how relay and nginx are started: one thread and room for `streams`, or with their defaults (None)."""
    threads = 1 if streams else None
    connections = 3 * streams + 512 if streams else 1024
    return {
        "relay": lambda port: bench.setup.start_relay(port, threads),
        "nginx": lambda port: proxies.nginx(bench.setup, port, threads, connections),
    }


@contextmanager
def _all(bench: Bench, threads: int = 1, wire: OtherWire | None = None) -> Iterator[list[Program]]:
    """Starts relay, nginx, HAProxy and the fake vendor behind them."""
    with ExitStack() as stack:
        upstream = stack.enter_context(bench.setup.upstream())
        port = upstream.whole_port
        relay = stack.enter_context(bench.setup.start_relay(port, threads, own=wire and wire.settings(port)))
        others = [stack.enter_context(start(bench.setup, port, threads)) for start in (proxies.nginx, proxies.haproxy)]
        if wire:
            for program in (*others, upstream):
                program.dialect = wire.dialect
        yield [relay, *others, upstream]


def _slow_upstream(bench: Bench) -> Any:
    return bench.setup.upstream("--interval-ms", "1000")


def _compare(bench: Bench, kind: str, figure: str, title: str, wire: OtherWire | None = None) -> None:
    with _all(bench, wire=wire) as programs:
        port = programs[-1].whole_port
        with proxies.nginx(bench.setup, port, 1, logs=False) as silent:
            silent.dialect = programs[-1].dialect
            programs.insert(2, silent)
            rounds = bench.interleave(programs, kind, connections=64)
    medians = {name: middle(taken) for name, taken in rounds.items()}
    rows = [
        [name, f"{m.processor:.1f}", f"{m.rate:,.0f}", f"{m.p50:.0f}", f"{m.p99:.0f}"] for name, m in medians.items()
    ]
    relay = medians["relay"]
    for name in ("nginx", silent.name, "haproxy"):
        ratios = [a.processor / b.processor for a, b in zip(rounds["relay"], rounds[name], strict=True)]
        other = medians[name]
        rows.append([
            f"relay / {name}", f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})",
            f"{relay.rate / other.rate:.2f}", f"{relay.p50 / other.p50:.2f}", f"{relay.p99 / other.p99:.2f}",
        ])
        bench.outcome.figures.setdefault(figure, median(ratios))
    bench.outcome.tables.append(Table(title, ["", "processor us", "requests/s", "p50 us", "p99 us"], rows))


def _hold(bench: Bench, start: Callable[[int], Any]) -> Held:
    with _slow_upstream(bench) as upstream, start(upstream.whole_port) as program:
        bench.load(program, "whole", connections=64, seconds=0.5)
        alone, single_alone = bench.rounds(program, 64), bench.rounds(program, 1)
        before = program.memory()
        with bench.held_streams(program, upstream):
            time.sleep(2)
            after = program.memory()
            share = _core_share(bench, program)
            beside, single_beside = bench.rounds(program, 64, share), bench.rounds(program, 1, share)
    streams = bench.scale.streams
    return Held(
        anonymous=(after.anonymous - before.anonymous) / streams,
        pss=(after.pss - before.pss) / streams,
        core_share=share,
        event_processor=share / streams * 1e6,
        alone=alone,
        beside=beside,
        single_alone=single_alone,
        single_beside=single_beside,
    )


def _core_share(bench: Bench, program: Program) -> float:
    """Returns the share of one core that open streams use without other work, over whole turns of the vendor's
    second."""
    before, begun = program.processor_seconds(), time.monotonic()
    time.sleep(bench.scale.rounds)
    return (program.processor_seconds() - before) / (time.monotonic() - begun)


@dataclass(frozen=True)
class Held:
    """A program with many open slow streams: KB for each, and chat requests without and beside them."""

    anonymous: float
    pss: float
    core_share: float
    event_processor: float
    alone: Round
    beside: Round
    single_alone: Round
    single_beside: Round


SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "chat": chat,
    "streams": streams,
    "passed": passed,
    "claude": claude,
    "latency": latency,
    "cores": cores,
    "idle": idle,
    "slow": slow,
    "memory": memory,
}
