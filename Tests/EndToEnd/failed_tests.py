"""The names of the tests that failed, in the file that `FAILED_TESTS` names, so that `Scripts/e2e-test` can run them again."""

import os
from pathlib import Path

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    file = os.environ.get("FAILED_TESTS")
    if not file or not reporter or hasattr(session.config, "workerinput"):
        return
    names = {report.nodeid for kind in ("failed", "error") for report in reporter.stats.get(kind, [])}
    Path(file).write_text("".join(f"{session.config.rootpath}/{name}\n" for name in sorted(names)))
