"""Figures that are read from curves and from many streams."""

import sys
from pathlib import Path
from xml.etree import ElementTree

sys.path.append(str(Path(__file__).resolve().parents[2] / "Benchmarks"))

import curves
import sustained

POINTS = [curves.Point(1, 100, 50, 900, 10), curves.Point(2, 180, 60, 4_000, 9), curves.Point(4, 170, 90, 30_000, 9)]
HELD = {"failures": 0, "most_open": 3, "events": 12, "max_gap_ms": 900.0}


def test_the_rate_within_a_bound_is_the_highest_that_was_measured_there() -> None:
    assert curves.rate_within(POINTS, 0.5) is None
    assert curves.rate_within(POINTS, 1) == 100
    assert curves.rate_within(POINTS, 10) == 180
    assert curves.within_bounds({"relay": POINTS}) == [["relay", "100", "180", "180"]]


def test_a_picture_has_a_line_for_each_program_in_each_panel() -> None:
    root = ElementTree.fromstring(curves.draw({"relay": POINTS, "a < b": POINTS}, "title", "subtitle"))
    lines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert [len(line.attrib["points"].split()) for line in lines] == [3, 3, 3, 3]
    assert "a < b" in "".join(root.itertext())


def test_streams_are_sustained_only_with_all_their_events_in_time() -> None:
    assert sustained.is_sustained(HELD, 3, 4)
    for name, value in (("failures", 1), ("most_open", 2), ("events", 11), ("max_gap_ms", 1001.0)):
        assert not sustained.is_sustained(HELD | {name: value}, 3, 4)


def test_the_search_ends_at_the_first_number_that_does_not_hold() -> None:
    tried = []
    assert sustained.most_sustained([1, 2, 4, 8], lambda count: tried.append(count) or count < 4) == 2
    assert tried == [1, 2, 4]
    assert sustained.most_sustained([1], lambda _: False) == 0


def test_each_stream_needs_two_descriptors() -> None:
    assert sustained.streams_allowed(10_000, 20_200) == 10_000
    assert sustained.streams_allowed(10_000, 20_000) == 9_900
    assert sustained.streams_allowed(10_000, 100) == 0
