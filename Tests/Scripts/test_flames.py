"""Stacks as a flame graph."""

import sys
from pathlib import Path
from xml.etree import ElementTree

sys.path.append(str(Path(__file__).resolve().parents[2] / "Benchmarks"))

import flames

STACKS = {("main", "read"): 30.0, ("main", "write <a>"): 60.0, ("main",): 10.0, ("main", "write <a>", "tiny"): 0.05}


def test_a_frame_has_the_cost_of_all_that_it_called() -> None:
    root = flames.tree(STACKS)
    main = root.callees["main"]
    assert root.cost == main.cost == 100.05
    assert {name: frame.cost for name, frame in main.callees.items()} == {"read": 30, "write <a>": 60.05}


def test_what_the_start_took_falls_out() -> None:
    many, few = {("a",): 1_000, ("start",): 70, ("end",): 5}, {("a",): 200, ("start",): 70, ("end",): 9}
    assert flames.less(many, few, 100) == {("a",): 8.0}


def test_a_stack_begins_with_the_last_task_in_it() -> None:
    stacks = {("a", "run()", "b", "run()", "c"): 1.0, ("run()", "c"): 2.0, ("a", "b"): 3.0, ("a", "b", "c"): 4.0}
    assert flames.rooted(stacks, ("run",), 3) == {("run()", "c"): 3.0, ("a", "b"): 3.0, (flames.CUT, "a", "b", "c"): 4.0}


def test_each_frame_is_a_bar_as_wide_as_its_cost_unless_it_is_tiny() -> None:
    root = ElementTree.fromstring(flames.draw(STACKS, "title"))
    bars = {}
    for group in (element for element in root if element.tag.endswith("}g")):
        title, bar = list(group)[:2]
        bars[title.text.rpartition(":")[0]] = bar.attrib
    assert bars.keys() == {"all", "main", "read", "write <a>"}
    assert abs(float(bars["write <a>"]["width"]) / float(bars["main"]["width"]) - 0.6) < 0.01
    assert float(bars["write <a>"]["x"]) > float(bars["read"]["x"])
    assert float(bars["read"]["y"]) < float(bars["main"]["y"])
