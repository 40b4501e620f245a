"""Each script of Benchmarks can at least be started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "Benchmarks"
FILES = [*FOLDER.iterdir(), *(FOLDER / "parts").iterdir()]
SCRIPTS = sorted(str(path.relative_to(FOLDER)) for path in FILES if path.is_file() and not path.suffix and os.access(path, os.X_OK))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_tells_how_it_is_used(name: str) -> None:
    done = subprocess.run([sys.executable, FOLDER / name, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")
