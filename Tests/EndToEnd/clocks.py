"""Wall clocks of single processes, which tests set while the processes run (see clock_shim.c)."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().with_name("clock_shim.c")


def build_shim(folder: Path) -> Path:
    """Builds the library that a process is started with."""
    compiler = shutil.which("cc") or shutil.which("clang")
    assert compiler, "no C compiler"
    library = folder / "clock_shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, SOURCE], check=True)
    return library


class Clock:
    """The wall clock of a process that has `environment`."""

    def __init__(self, shim: Path, file: Path, ahead_seconds: float = 0) -> None:
        file.write_bytes(bytes(8))
        with file.open("r+b") as opened:
            self._bytes = mmap.mmap(opened.fileno(), 8)
        self.environment = {"LD_PRELOAD": str(shim), "CLOCK_FILE": str(file)}
        self.set(ahead_seconds)

    def set(self, ahead_seconds: float) -> None:
        """Sets the clock ahead of the machine's by so much from now on."""
        self._bytes[:] = struct.pack("=q", round(ahead_seconds * 1_000_000))
