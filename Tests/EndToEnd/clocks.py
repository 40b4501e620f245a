"""Clocks of single processes, which tests set and move while the processes run (see clock_shim.c)."""

from __future__ import annotations

import math
import mmap
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from memcached import wait_for
from relay_process import IS_SANITIZED

SOURCE = Path(__file__).resolve().with_name("clock_shim.c")


def build_shim(folder: Path) -> Path:
    """Builds the library that a process is started with."""
    compiler = shutil.which("cc") or shutil.which("clang")
    assert compiler, "no C compiler"
    library = folder / "clock_shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, SOURCE], check=True)
    return library


class Clock:
    """The clocks of the processes that have `environment`."""

    def __init__(self, shim: Path, file: Path, ahead_seconds: float = 0) -> None:
        file.write_bytes(bytes(16))
        with file.open("r+b") as opened:
            self._bytes = mmap.mmap(opened.fileno(), 16)
        self.environment = {} if IS_SANITIZED else {"LD_PRELOAD": str(shim), "CLOCK_FILE": str(file)}
        self._wall, self._steady = ahead_seconds, 0.0
        self._write()

    def set(self, ahead_seconds: float) -> None:
        """Sets the wall clock ahead of the machine's by so much from now on. With a sanitizer, the test is skipped."""
        if IS_SANITIZED:
            pytest.skip("a sanitizer wants to be loaded first")
        self._wall = ahead_seconds
        self._write()

    def advance(self, seconds: float) -> None:
        """Moves all clocks forward, as if this time had passed at once. With a sanitizer, which has to be loaded first, it
        does pass, or the test is skipped."""
        if IS_SANITIZED:
            if seconds > 60:
                pytest.skip("a sanitizer wants to be loaded first, and real time would last too long")
            return time.sleep(seconds)
        self._wall += seconds
        self._steady += seconds
        self._write()

    def advance_until(self, is_so: Callable[[], bool], seconds: float, *others: Clock) -> None:
        """Lets the time of these clocks pass ten times as fast until a condition holds, at most so many seconds."""
        # A loop whose turn took a quarter of a second would be blocked.
        for _ in range(math.ceil(5 * seconds)):
            if is_so():
                return
            for clock in (self, *others)[: 1 if IS_SANITIZED else None]:
                clock.advance(0.2)
            time.sleep(0.02)
        wait_for(is_so)

    def now(self) -> float:
        """Returns the seconds of a clock that nobody sets back."""
        return time.monotonic() + self._steady

    def _write(self) -> None:
        self._bytes[:] = struct.pack("=qq", *(round(ahead * 1_000_000) for ahead in (self._wall, self._steady)))
