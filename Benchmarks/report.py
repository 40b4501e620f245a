"""Turns outcomes into Markdown, and writes it into README.md."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
from datetime import date
from pathlib import Path

from bench import Outcome, Table


class AtLeast(float):
    """A goal that is met from a value on."""


TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

# figure, what it says, most (or least) that it may be, as in README.md
GOALS = [
    ("chat", "chat request, processor time, limits in memory, relay / nginx", 1.4),
    ("stream", "translated stream of 100 events, processor time, relay / nginx", 1.4),
    ("passed chat", "passed-on chat request, processor time, relay / nginx", 1.3),
    ("passed stream", "passed-on stream of 100 events, processor time, relay / nginx", 1.1),
    ("claude stream", "stream of 100 events from Anthropic's wire, processor time, relay / nginx", 1.4),
    ("KB per slow stream", "anonymous KB for each open slow stream", 20),
    ("chat beside streams", "processor time of a chat request beside slow streams / alone", 1.1),
    ("idle anonymous MB", "idle, anonymous MB", 6),
    ("idle resident MB", "idle, resident MB", 20),
    ("first answer ms", "start to first answer, ms", 100),
    ("added p50", "added latency at one connection over direct, p50 us", 35),
    ("added p99", "added latency at one connection over direct, p99 us", 60),
    ("added p50, cores awake", "the same, no core asleep, p50 us", 35),
    ("added p99, cores awake", "the same, no core asleep, p99 us", 60),
    ("growth over chats MB", "anonymous MB gained between a tenth and all chat requests", 1),
    ("kept after streams", "share of the slow streams' memory still held 4 s after their end", 0.5),
    ("growth over waves MB", "anonymous MB gained from the first wave of streams to the second", 1),
    ("upload resident MB", "most resident during an upload of 512 MB, MB", 30),
    ("rate on memcached", "requests/s, limits on memcached, one key / limits off", AtLeast(0.85)),
    ("store operations", "memcached's gets and sets for each admitted request, 10,000 keys", 2),
    ("own record", "processor time with a record of its own for each request, 10,000 keys / limits off", 1.9),
    ("store added p50", "latency added by limits on memcached at one connection, 10,000 keys, p50 us", 60),
    ("store added p50, cores awake", "the same, no core asleep", 60),
    ("hot key operations", "memcached's gets and sets for each admitted request, one key, two instances", 0.02),
    ("20 KB in 22 messages, passed on", "20 KB in 22 messages, passed on, processor time, relay / nginx", 2.0),
    ("20 KB in 22 messages, translated", "20 KB in 22 messages, translated, processor time, relay / nginx", 2.5),
    ("200 KB in 22 messages, passed on", "200 KB in 22 messages, passed on, processor time, relay / nginx", 3.0),
    ("200 KB in 22 messages, translated", "200 KB in 22 messages, translated, processor time, relay / nginx", 4.5),
    ("60 tools (63 KB), passed on", "60 tools (63 KB), passed on, processor time, relay / nginx", 2.5),
    ("Messages, 200 KB and 60 tools, passed on", "Messages, 200 KB and 60 tools, passed on, processor time, relay / nginx", 3),
    ("a picture of 0.9 MB, passed on", "a picture of 0.9 MB, passed on, processor time, relay / nginx", 3.0),
    ("whole at 512", "1 KB at 512 connections, passed on, processor time, relay / nginx", 1.4),
    ("whole at 1024", "1 KB at 1,024 connections, passed on, processor time, relay / nginx", 1.4),
    ("stream at 512", "a stream at 512 connections, passed on, processor time, relay / nginx", 1.4),
    ("stream at 1024", "a stream at 1,024 connections, passed on, processor time, relay / nginx", 1.4),
    ("whole at 512 behind TLS", "1 KB at 512 connections, the vendor behind TLS, processor time, relay / nginx", 1.4),
    ("whole at 1024 behind TLS", "1 KB at 1,024 connections, the vendor behind TLS, processor time, relay / nginx", 1.4),
    ("stream at 512 behind TLS", "a stream at 512 connections, the vendor behind TLS, processor time, relay / nginx", 1.4),
    ("stream at 1024 behind TLS", "a stream at 1,024 connections, the vendor behind TLS, processor time, relay / nginx", 1.4),
    ("tokens", "requests of 1 to 200 KB with a limit on tokens / on requests, processor time", 1.1),
    ("longest turn ms", "longest turn of the event loop beside prompts of 1 MB, ms", 5),
    ("opened", "connections to the vendor opened for each request, 512 and 1,024 connections", 0.001),
    ("decision us", "a decision in memory, us of one core", 1),
    ("share of short windows", "admitted / N per window, four instances, windows of seconds", AtLeast(0.96)),
    ("share of a minute's windows", "admitted / N per window, four instances, windows of a minute", AtLeast(0.98)),
    ("fullest window", "the fullest interval of a window's length / N", 1),
    ("store added p99", "latency added by limits on memcached at one connection, 10,000 keys, p99 us", 170),
    ("store added p99, cores awake", "the same, no core asleep", 170),
]


class OthersClock:
    """Measures the processor time that other programs use during the run."""

    def __init__(self) -> None:
        self._busy, self._all = _machine_ticks()
        self._own = _own_seconds()

    def cores_used_by_others(self) -> float:
        """The cores of this machine that other programs used, on average."""
        busy, all_ticks = _machine_ticks()
        cores = os.cpu_count() or 1
        seconds = (all_ticks - self._all) / TICKS_PER_SECOND / cores
        busy_seconds = (busy - self._busy) / TICKS_PER_SECOND
        return max(0.0, busy_seconds - (_own_seconds() - self._own)) / max(seconds, 0.01)


def _machine_ticks() -> tuple[int, int]:
    """Returns busy (with steal) and all ticks of all cores since the machine's start."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def _own_seconds() -> float:
    usages = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def render(table: Table) -> str:
    """Returns aligned Markdown: the first column left, the others right."""
    lines = [table.header, *table.rows]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(table.header))]

    def row(cells: list[str]) -> str:
        padded = [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([f"**{table.title}**", "", row(table.header), row(rule), *map(row, table.rows)])


def goals(outcome: Outcome) -> Table:
    """Returns the table of figures beside their goals. A figure is compared as it is printed."""
    rows = []
    for figure, text, bound in GOALS:
        if figure not in outcome.figures:
            continue
        measured = round(outcome.figures[figure], 2)
        is_least = isinstance(bound, AtLeast)
        is_met = measured >= bound if is_least else measured <= bound
        rows.append([text, f"{'>=' if is_least else '<='} {bound:g}", f"{measured:.2f}", "met" if is_met else "missed"])
    return Table("Goals", ["", "goal", "measured", ""], rows)


def machine(programs: list[Path], others: float, is_quick: bool) -> str:
    """Returns the facts about the machine that figures depend on. `programs` print their versions with `-v`."""
    system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    facts = [
        f"{processor()}, {os.cpu_count()} cores, "
        f"{int(memory.group(1)) / 1024 / 1024 if memory else 0:.0f} GB",
        f"{system.group(1) if system else 'Linux'}, kernel {platform.release()}",
        *(first_line([str(program), "-v"]) for program in programs),
        f"libcurl {first_line(['dpkg-query', '-W', '-f', '${Version}', 'libcurl4'])}",
        first_line(["swift", "--version"]),
        f"{date.today().isoformat()}{', --quick' if is_quick else ''}",
        f"other programs used {others:.2f} cores meanwhile",
    ]
    return "\n".join(f"- {fact}" for fact in facts if fact)


def processor() -> str:
    """Returns this machine's processor model."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return model.group(1) if model else platform.machine()


def first_line(command: list[str]) -> str:
    """Returns the first line that the command prints; empty if it cannot be run."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return ""
    return done.stdout.strip().partition("\n")[0] if done.returncode == 0 else ""


def write(readme: Path, text: str, markers: tuple[str, str] = ("<!-- results -->\n", "<!-- end of results -->")) -> None:
    """Replaces the text between the markers."""
    begin, end = markers
    head, found, rest = readme.read_text().partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found and found_end):
        raise SystemExit(f"{readme} lacks the markers {begin.strip()} and {end}")
    readme.write_text(f"{head}{begin}\n{text}\n\n{end}{tail}")
