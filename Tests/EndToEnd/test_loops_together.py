"""Loops that fail, or read settings, at the same moment: the process survives, and every request has a response."""

import loops_together
import pytest

RUNS = 3


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("name", loops_together.ROWS)
def test_all_are_answered(name, threads):
    row = loops_together.ROWS[name]
    # Large prompts wait for each other.
    assert loops_together.play(row, threads, 1 if row.is_panel else RUNS) == []
