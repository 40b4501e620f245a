"""Loops that fail, or read settings, at the same moment: the process survives, and every request has a response."""

import loops_together
import pytest

THREADS, RUNS = 4, 3


@pytest.mark.parametrize("name", loops_together.ROWS)
def test_all_are_answered(name):
    row = loops_together.ROWS[name]
    # Large prompts wait for each other.
    assert loops_together.play(row, THREADS, 1 if row.is_panel else RUNS) == []
