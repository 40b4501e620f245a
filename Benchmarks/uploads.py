"""Measures the cost of forwarding files: a large one alone, and many at once, beside nginx without request
buffering."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

import proxies
from bench import Bench, Table
from processes import Program

MEGABYTE = 1_000_000
LARGE_MEGABYTES = 512
MANY, MANY_MEGABYTES = 200, 5


@dataclass(frozen=True)
class Passed:
    """One round: processor seconds and seconds per gigabyte, and the peak of resident memory in megabytes."""

    processor: float
    seconds: float
    resident: float


def uploads(bench: Bench) -> None:
    """Both in turn with nginx and the vendor alone. nginx passes on the vendor's own form, the relay OpenAI's, which it
    reads and writes anew."""
    setup = bench.setup
    with (
        setup.upstream() as vendor,
        setup.start_relay(vendor.whole_port, 1, "relay", {"MAX_UPLOAD_MB": "600"}) as relay,
        proxies.nginx(setup, vendor.whole_port, 1) as nginx,
    ):
        programs = [relay, nginx, vendor]
        large = _interleave(bench, programs, 1, LARGE_MEGABYTES, 1)
        many = _interleave(bench, programs, MANY, MANY_MEGABYTES, MANY)
    bench.outcome.figures["upload resident MB"] = max(passed.resident for passed in large["relay"])
    _table(bench, large, f"An upload of {LARGE_MEGABYTES} MB, one thread")
    _table(bench, many, f"{MANY} uploads of {MANY_MEGABYTES} MB at once, one thread")


def _interleave(
    bench: Bench, programs: list[Program], connections: int, megabytes: int, requests: int
) -> dict[str, list[Passed]]:
    taken: dict[str, list[Passed]] = {program.name: [] for program in programs}
    for _ in range(bench.scale.rounds):
        for program in programs:
            taken[program.name].append(_round(bench, program, connections, megabytes, requests))
    return taken


def _round(bench: Bench, program: Program, connections: int, megabytes: int, requests: int) -> Passed:
    path = "/v1/files" if program.dialect == "openai" else "/api/assets"
    program.forget_peak()
    before = program.processor_seconds()
    size = str(megabytes * MEGABYTE)
    result = bench.load(program, "upload", connections, 0, requests, "--path", path, "--request-bytes", size)
    gigabytes = requests * megabytes / 1000
    used = program.processor_seconds() - before
    return Passed(used / gigabytes, result["seconds"] / gigabytes, program.peak_kilobytes() / 1024)


def _table(bench: Bench, taken: dict[str, list[Passed]], title: str) -> None:
    rows = [
        [name, f"{median(p.processor for p in some):.2f}", f"{1000 / median(p.seconds for p in some):,.0f}",
         f"{max(p.resident for p in some):.1f}"]
        for name, some in taken.items()
    ]
    pairs = list(zip(taken["relay"], taken["nginx"], strict=True))
    ratios = [a.processor / b.processor for a, b in pairs]
    rate = median(b.seconds / a.seconds for a, b in pairs)
    processor = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    rows.append(["relay / nginx", processor, f"{rate:.2f}", ""])
    bench.outcome.tables.append(Table(title, ["", "processor s/GB", "MB/s", "most resident MB"], rows))
