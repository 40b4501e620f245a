"""The end-to-end tests' order needs the seconds of every file (Tests/EndToEnd/longest_first.py)."""

import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "EndToEnd"


def test_every_file_has_its_seconds() -> None:
    recorded = json.loads((FOLDER / "seconds.json").read_text())
    files = {file.name for file in FOLDER.glob("test_*.py")}
    assert not files - set(recorded), "run them once with RECORD_SECONDS=1"
    assert not set(recorded) - files, "these files are gone: remove their lines"
