"""Instructions by object file and by stack, from callgrind's output."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "Benchmarks"))

import callgrind

WRITTEN = """\
# callgrind format
version: 1
events: Ir
ob=(1) /usr/bin/relay
fl=(1) ???
fn=(1) main
0 100
+3 20
* 5
cob=(2) /usr/lib/libc.so.6
cfn=(2) malloc
calls=4 0
-3 400
0x10 1
ob=(2)
fn=(2)
0 400
ob=(1)
fn=(3) other'main
9 7

totals: {}
"""


def test_costs_are_each_objects_own(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text(WRITTEN.format(533))
    assert callgrind.costs(out) == {"/usr/bin/relay": 133, "/usr/lib/libc.so.6": 400}


def test_a_sum_that_is_not_the_total_is_an_error(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text(WRITTEN.format(534))
    with pytest.raises(ValueError, match="533 instructions"):
        callgrind.costs(out)


def test_stacks_begin_with_the_outermost_caller(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text(WRITTEN.format(533))
    assert callgrind.stacks(out) == {("main",): 126, ("malloc",): 400, ("main", "other"): 7}


def test_functions_are_one_at_all_depths(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text(WRITTEN.format(533) + "fn=(4) other'2\ncfn=(1)\ncalls=1 0\n0 1\ncfn=(2)\ncalls=1 0\n0 1\n")
    assert callgrind.functions(out) == {"main": 126, "malloc": 400, "other": 7}
    assert callgrind.callees(out) == {"main": ["malloc"], "other": ["main", "malloc"]}
