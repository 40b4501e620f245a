"""Scripts/check-workflows on small workflows, each with one fault."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "Scripts/check-workflows"
GOOD = """
on: push
jobs:
  one:
    runs-on: ubuntu-24.04
    steps:
      - run: echo "$HOME"
"""


def check(root: Path, workflow: str) -> tuple[int, str]:
    file = root / ".github/workflows/one.yml"
    file.parent.mkdir(parents=True)
    file.write_text(workflow)
    done = subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True)
    return done.returncode, done.stderr


def test_a_good_workflow_passes(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD) == (0, "")


@pytest.mark.parametrize(
    ("change", "fault"),
    [(("runs-on", "run-on"), "one.yml"), (('"$HOME"', "$HOME"), "SC2086"), (('"$HOME"', "${{ github.ref_name }}"), "becomes code")],
)
def test_a_fault_is_found(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    status, told = check(tmp_path, GOOD.replace(*change))
    assert status == 1 and fault in told
