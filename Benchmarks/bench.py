"""The shared parts of all benchmarks: the amount of work, the load on a program, and the results."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from statistics import median
from typing import Any

from processes import Program, Setup
from proxies import Front


@dataclass(frozen=True)
class Scale:
    """The duration and the size of a benchmark."""

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
    """The outcome of a benchmark: tables to print, figures (by name) to compare with the goals, and wrong responses."""

    tables: list[Table] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Round:
    """One round against one program. Times in microseconds, `processor` the program's own for each request; `opened`: the
    connections to the vendor that it opened for each request, where a vendor counts them."""

    processor: float
    rate: float
    p50: float
    p99: float
    requests: float
    opened: float = 0


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
        self.vendor: Program | Front | None = None  # counts the connections of each round

    def interleave(self, programs: list[Program], kind: str, connections: int, *more: str) -> dict[str, list[Round]]:
        """Runs rounds in turn (A B C A B C), after one short warm-up round each."""
        for program in programs:
            self.load(program, kind, connections, 0.3, -1, *more)
        taken: dict[str, list[Round]] = {program.name: [] for program in programs}
        for _ in range(self.scale.rounds):
            for program in programs:
                taken[program.name].append(self.round(program, kind, connections, 0, *more))
        return taken

    def round(self, program: Program, kind: str, connections: int, background: float = 0, *more: str) -> Round:
        """Runs one round. `background` is the share of a core that the program uses anyway; it is not counted."""
        opened = self.vendor.accepted() if self.vendor else 0
        before = program.processor_seconds()
        result = self.load(program, kind, connections, self.scale.round_seconds, -1, *more)
        used = program.processor_seconds() - before - background * result["seconds"]
        count = max(1, result["requests"])
        opened = self.vendor.accepted() - opened - 1 if self.vendor else 0
        return Round(used / count * 1e6, count / result["seconds"], result["p50_us"], result["p99_us"], count, opened / count)

    def rounds(self, program: Program, connections: int, background: float = 0) -> Round:
        """Returns the median of several rounds of chat."""
        taken = [self.round(program, "whole", connections, background) for _ in range(self.scale.rounds)]
        return middle(taken)

    def load(
        self, program: Program, kind: str, connections: int, seconds: float = 0, requests: int = -1, *more: str
    ) -> dict[str, Any]:
        """Runs the load generator (see load.c) and returns its line."""
        result = self.try_load(program, kind, connections, seconds, requests, *more)
        self._note(program, kind, result)
        return result

    def try_load(
        self, program: Program, kind: str, connections: int, seconds: float = 0, requests: int = -1, *more: str
    ) -> dict[str, Any]:
        """Runs the load generator and returns its line, even if responses fail."""
        command = [*self._load_command(program, kind, connections), *more]
        command += ["--seconds", str(seconds), "--requests", str(requests)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    def load_all(self, programs: list[Program], kind: str, connections: int, seconds: float) -> list[dict[str, Any]]:
        """Runs a load on each program at the same time."""
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
    def held_streams(self, program: Program, upstream: Program) -> Iterator[None]:
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


def middle(rounds: list[Round]) -> Round:
    """Returns the median of each figure separately."""
    return Round(*(median(getattr(each, figure.name) for each in rounds) for figure in fields(Round)))
