"""What is measured. Each scenario starts its programs, loads them and returns tables and figures for the goals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from statistics import median
from typing import Any

from processes import Memory, Program, Setup


@dataclass(frozen=True)
class Scale:
    """How long and how much."""

    rounds: int
    round_seconds: float
    streams: int
    chats: int
    starts: int
    is_long: bool = False


FULL = Scale(rounds=7, round_seconds=1.5, streams=5000, chats=200_000, starts=11)
QUICK = Scale(rounds=3, round_seconds=0.5, streams=1000, chats=40_000, starts=5)


@dataclass(frozen=True)
class Table:
    title: str
    header: list[str]
    rows: list[list[str]]


@dataclass
class Outcome:
    """Tables to print, figures (by name) to hold against the goals, and answers that were wrong."""

    tables: list[Table] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Round:
    """One round against one program. Times in microseconds, `processor` the program's own for each request."""

    processor: float
    rate: float
    p50: float
    p99: float
    requests: float


@dataclass(frozen=True)
class OtherWire:
    """A vendor that is not 1min.ai: the relay's kind of provider, and the dialect in which the vendor is asked directly."""

    kind: str
    dialect: str
    path: str
    model: str

    def settings(self, port: int) -> dict[str, str]:
        return {
            "PROVIDER_VENDOR_KIND": self.kind,
            "PROVIDER_VENDOR_BASE_URL": f"http://127.0.0.1:{port}{self.path}",
            "PROVIDER_VENDOR_PASSTHROUGH": "true",
            "PROVIDER_VENDOR_MODELS": f"gpt-4o-mini={self.model}",
        }


PASSED = OtherWire("openai", "openai", "/v1", "gpt-4o-mini")
CLAUDE = OtherWire("anthropic", "anthropic", "", "claude-sonnet-4-5")


class Bench:
    def __init__(self, setup: Setup, scale: Scale) -> None:
        self.setup = setup
        self.scale = scale
        self.outcome = Outcome()

    # The scenarios

    def chat(self) -> None:
        """Whole answers, 64 connections."""
        self._compare("whole", "chat", "Whole answers, 1 KB up and down, 64 connections, one thread")

    def streams(self) -> None:
        """Streams of 100 events, 64 connections."""
        self._compare("stream", "stream", "Streams of 100 events, 64 connections, one thread")

    def passed(self) -> None:
        """The same of a vendor with OpenAI's wire, whose chats are passed on as they come."""
        self._compare("whole", "passed chat", "Whole answers that pass as they come", PASSED)
        self._compare("stream", "passed stream", "Streams of 100 events that pass as they come", PASSED)

    def claude(self) -> None:
        """Streams of a vendor with Anthropic's wire."""
        self._compare("stream", "claude stream", "Streams of 100 events from Anthropic's wire", CLAUDE)

    def latency(self) -> None:
        """One connection: what a hop adds."""
        rows = []
        with self._three() as programs:
            for kind, title in (("whole", "whole answer"), ("stream", "stream of 100 events")):
                rounds = self._interleave(programs, kind, connections=1)
                p50 = {name: median(r.p50 for r in taken) for name, taken in rounds.items()}
                p99 = {name: median(r.p99 for r in taken) for name, taken in rounds.items()}
                for name in rounds:
                    added = ["", ""] if name == "direct" else [
                        f"{p50[name] - p50['direct']:.0f}", f"{p99[name] - p99['direct']:.0f}"]
                    rows.append([title, name, f"{p50[name]:.0f}", f"{p99[name]:.0f}", *added])
                if kind == "whole":
                    self.outcome.figures["added p50"] = p50["relay"] - p50["direct"]
                    self.outcome.figures["added p99"] = p99["relay"] - p99["direct"]
        header = ["request", "way", "p50 us", "p99 us", "added p50", "added p99"]
        self.outcome.tables.append(Table("Latency at one connection", header, rows))

    def cores(self) -> None:
        """All cores, shared with the vendor and the load."""
        threads = os.cpu_count() or 1
        rows = []
        with self._three(threads) as programs:
            for kind in ("whole", "stream"):
                rounds = self._interleave(programs, kind, connections=64)
                rate = {name: median(r.rate for r in taken) for name, taken in rounds.items()}
                rows.append([kind, *(f"{rate[name]:,.0f}" for name in rate), f"{rate['relay'] / rate['nginx']:.2f}"])
        title = f"Requests a second with {threads} threads, cores shared with vendor and load, 64 connections"
        self.outcome.tables.append(Table(title, ["request", "relay", "nginx", "direct", "relay / nginx"], rows))

    def slow(self) -> None:
        """Many open slow streams, and chat requests beside them."""
        held = {name: self._hold(start) for name, start in self._starts(self.scale.streams).items()}
        relay, nginx = held["relay"], held["nginx"]
        count = self.scale.streams
        rows = [
            ["anonymous KB for each stream", *(f"{h.anonymous:.1f}" for h in (relay, nginx))],
            ["Pss KB for each stream", *(f"{h.pss:.1f}" for h in (relay, nginx))],
            ["processor us for each event", *(f"{h.event_processor:.1f}" for h in (relay, nginx))],
            ["processor share of a core, %", *(f"{h.core_share * 100:.1f}" for h in (relay, nginx))],
        ]
        self.outcome.tables.append(
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
        self.outcome.tables.append(Table(f"A chat request beside {count:,} slow streams", header, rows))
        self.outcome.figures["KB per slow stream"] = relay.anonymous
        self.outcome.figures["chat beside streams"] = relay.beside.processor / relay.alone.processor

    def idle(self) -> None:
        """Start to first answer, and memory a second after it, with each program's own number of threads."""
        times: dict[str, list[float]] = {"relay": [], "nginx": []}
        memory: dict[str, Memory] = {}
        with self.setup.upstream() as upstream:
            for _ in range(self.scale.starts):
                for name, start in self._starts(None).items():
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
        self.outcome.tables.append(Table("Start and rest", header, rows))
        self.outcome.figures["first answer ms"] = median(times["relay"])
        self.outcome.figures["idle anonymous MB"] = memory["relay"].anonymous / 1024
        self.outcome.figures["idle resident MB"] = memory["relay"].rss / 1024

    def memory(self) -> None:
        """Anonymous memory over many chat requests, and after two waves of streams."""
        columns: dict[str, list[tuple[str, int]]] = {}
        for name, start in self._starts(self.scale.streams).items():
            with self._slow_upstream() as upstream, start(upstream.whole_port) as program:
                steps = [("after the first answer", program.memory().anonymous)]
                first, rest = self.scale.chats // 10, self.scale.chats * 9 // 10
                self.load(program, "whole", connections=64, requests=first)
                steps.append((f"after {first:,} chat requests", program.memory().anonymous))
                self.load(program, "whole", connections=64, requests=rest)
                steps.append((f"after {first + rest:,} chat requests", program.memory().anonymous))
                for wave in ("first", "second"):
                    with self._held_streams(program, upstream):
                        time.sleep(1)
                        steps.append((f"{wave} {self.scale.streams:,} streams open", program.memory().anonymous))
                    time.sleep(4)
                    steps.append((f"4 s after the {wave} ended", program.memory().anonymous))
            columns[name] = steps
        rows = [
            [title, *(f"{steps[index][1] / 1024:.1f}" for steps in columns.values())]
            for index, (title, _) in enumerate(columns["relay"])
        ]
        self.outcome.tables.append(Table("Anonymous memory over time, MB", ["", *columns], rows))
        relay = [kilobytes / 1024 for _, kilobytes in columns["relay"]]
        self.outcome.figures["growth over chats MB"] = relay[2] - relay[1]
        self.outcome.figures["kept after streams"] = (relay[4] - relay[2]) / (relay[3] - relay[2])
        self.outcome.figures["growth over waves MB"] = relay[6] - relay[4]

    # Their parts

    def _starts(self, streams: int | None) -> dict[str, Callable[[int], Any]]:
        """How relay and nginx are started: one thread and room for `streams`, or as they come (None)."""
        threads = 1 if streams else None
        connections = 3 * streams + 512 if streams else 1024
        return {
            "relay": lambda port: self.setup.start_relay(port, threads),
            "nginx": lambda port: self.setup.start_nginx(port, threads, connections),
        }

    @contextmanager
    def _three(self, threads: int = 1, wire: OtherWire | None = None) -> Iterator[list[Program]]:
        """Relay, nginx and the fake vendor behind both."""
        with self.setup.upstream() as upstream:
            port = upstream.whole_port
            own = wire and wire.settings(port)
            with self.setup.start_relay(port, threads, own=own) as relay, self.setup.start_nginx(port, threads) as nginx:
                if wire:
                    nginx.dialect = upstream.dialect = wire.dialect
                yield [relay, nginx, upstream]

    def _slow_upstream(self) -> Any:
        return self.setup.upstream("--interval-ms", "1000")

    def _compare(self, kind: str, figure: str, title: str, wire: OtherWire | None = None) -> None:
        with self._three(wire=wire) as programs:
            port = programs[-1].whole_port
            with self.setup.start_nginx(port, 1, logs=False) as silent:
                silent.dialect = programs[-1].dialect
                programs.insert(2, silent)
                rounds = self._interleave(programs, kind, connections=64)
        medians = {name: middle(taken) for name, taken in rounds.items()}
        rows = [
            [name, f"{m.processor:.1f}", f"{m.rate:,.0f}", f"{m.p50:.0f}", f"{m.p99:.0f}"] for name, m in medians.items()
        ]
        relay = medians["relay"]
        for name in ("nginx", silent.name):
            ratios = [a.processor / b.processor for a, b in zip(rounds["relay"], rounds[name], strict=True)]
            other = medians[name]
            rows.append([
                f"relay / {name}", f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})",
                f"{relay.rate / other.rate:.2f}", f"{relay.p50 / other.p50:.2f}", f"{relay.p99 / other.p99:.2f}",
            ])
            self.outcome.figures.setdefault(figure, median(ratios))
        self.outcome.tables.append(Table(title, ["", "processor us", "requests/s", "p50 us", "p99 us"], rows))

    def _interleave(self, programs: list[Program], kind: str, connections: int) -> dict[str, list[Round]]:
        """Rounds in turn (A B C A B C), after one short round each that does not count."""
        for program in programs:
            self.load(program, kind, connections, seconds=0.3)
        taken: dict[str, list[Round]] = {program.name: [] for program in programs}
        for _ in range(self.scale.rounds):
            for program in programs:
                taken[program.name].append(self.round(program, kind, connections))
        return taken

    def round(self, program: Program, kind: str, connections: int, background: float = 0) -> Round:
        """`background`: the share of a core that the program uses anyway, not counted."""
        before = program.processor_seconds()
        result = self.load(program, kind, connections, seconds=self.scale.round_seconds)
        used = program.processor_seconds() - before - background * result["seconds"]
        count = max(1, result["requests"])
        return Round(used / count * 1e6, count / result["seconds"], result["p50_us"], result["p99_us"], count)

    def _rounds(self, program: Program, connections: int, background: float = 0) -> Round:
        """The median of rounds of chat."""
        taken = [self.round(program, "whole", connections, background) for _ in range(self.scale.rounds)]
        return middle(taken)

    def load(
        self, program: Program, kind: str, connections: int, seconds: float = 0, requests: int = -1, *more: str
    ) -> dict[str, Any]:
        """Runs the load generator (see load.c) and returns its line."""
        command = [*self._load_command(program, kind, connections), *more]
        command += ["--seconds", str(seconds), "--requests", str(requests)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        result: dict[str, Any] = json.loads(done.stdout)
        self._note(program, kind, result)
        return result

    def load_all(self, programs: list[Program], kind: str, connections: int, seconds: float) -> list[dict[str, Any]]:
        """A load on each at the same time."""
        running = []
        for program in programs:
            command = [*self._load_command(program, kind, connections), "--seconds", str(seconds)]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        results = [json.loads(load.communicate()[0]) for load in running]
        for program, result in zip(programs, results, strict=True):
            self._note(program, kind, result)
        return results

    def _load_command(self, program: Program, kind: str, connections: int) -> list[str]:
        port = program.port("stream" if kind == "held" else kind)
        return [
            str(self.setup.folder / "load"), "--port", str(port), "--dialect", program.dialect, "--kind", kind,
            "--connections", str(connections), "--keys", str(program.keys),
        ]

    def _note(self, program: Program, kind: str, result: dict[str, Any]) -> None:
        if result["failures"] or not result["requests"]:
            text = f"{program.name}, {kind}: {result['failures']} of {result['requests'] + result['failures']} failed"
            self.outcome.failures.append(f"{text}: {result['reason']}")

    @contextmanager
    def _held_streams(self, program: Program, upstream: Program) -> Iterator[None]:
        """Slow streams, all open inside the block; at its end the vendor ends them, and each must end properly."""
        command = self._load_command(program, "held", self.scale.streams)
        load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert load.stdout
        line = load.stdout.readline()
        try:
            if line == "open\n":
                yield
                upstream.process.send_signal(signal.SIGUSR1)
                line = load.stdout.readline()
            else:
                raise SystemExit(f"{program.name} did not open {self.scale.streams:,} streams: {line}")
        finally:
            if not line.startswith("{"):
                load.kill()
            load.wait()
            load.stdout.close()
        self._note(program, "held", json.loads(line))

    def _hold(self, start: Callable[[int], Any]) -> Held:
        with self._slow_upstream() as upstream, start(upstream.whole_port) as program:
            self.load(program, "whole", connections=64, seconds=0.5)
            alone, single_alone = self._rounds(program, 64), self._rounds(program, 1)
            before = program.memory()
            with self._held_streams(program, upstream):
                time.sleep(2)
                after = program.memory()
                share = self._core_share(program)
                beside, single_beside = self._rounds(program, 64, share), self._rounds(program, 1, share)
        streams = self.scale.streams
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

    def _core_share(self, program: Program) -> float:
        """Of one core, at rest but for the streams; over whole turns of the vendor's second."""
        before, begun = program.processor_seconds(), time.monotonic()
        time.sleep(self.scale.rounds)
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


def middle(rounds: list[Round]) -> Round:
    """Of each figure by itself."""
    return Round(*(median(getattr(each, figure.name) for each in rounds) for figure in fields(Round)))


SCENARIOS: dict[str, Callable[[Bench], None]] = {
    "chat": Bench.chat,
    "streams": Bench.streams,
    "passed": Bench.passed,
    "claude": Bench.claude,
    "latency": Bench.latency,
    "cores": Bench.cores,
    "idle": Bench.idle,
    "slow": Bench.slow,
    "memory": Bench.memory,
}
