"""How the workers share the test files. Each takes one after the other, the longest first, so that all end together.

`seconds.json` has the seconds that each file took; `RECORD_SECONDS=1` writes those of the files that run, such as `RECORD_SECONDS=1 Scripts/e2e-test`.
"""

import contextlib
import importlib
import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

RECORD = Path(__file__).with_name("seconds.json")

recorded: dict[str, float] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
spent: Counter[str] = Counter()


def pytest_collection(session: pytest.Session) -> None:
    """Lets each worker compile a part of the tests before it reads those that the others have compiled.

    Pytest rewrites each assertion, which takes longer than all else that a worker does before its first test.
    """
    worker: dict[str, Any] = getattr(session.config, "workerinput", {})
    folder = RECORD.parent
    if worker and folder in map(Path, session.config.args):
        number, files = int(worker["workerid"].removeprefix("gw")), sorted(folder.glob("test_*.py"))
        for file in files[number :: worker["workercount"]]:
            with contextlib.suppress(Exception):  # it fails again where pytest says so
                importlib.import_module(file.stem)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {file: (-recorded.get(file.name, math.inf), file.name) for file in {item.path for item in items}}
    items.sort(key=lambda item: order[item.path])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    spent[Path(report.location[0]).name] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    is_worker = hasattr(session.config, "workerinput")
    if os.environ.get("RECORD_SECONDS") and not is_worker:
        known = recorded | {file: round(seconds, 1) for file, seconds in spent.items()}
        present = {file: seconds for file, seconds in sorted(known.items()) if RECORD.with_name(file).exists()}
        RECORD.write_text(json.dumps(present, indent=1) + "\n")
