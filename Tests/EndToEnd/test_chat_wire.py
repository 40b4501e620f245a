"""The vendor's stream as bytes: written unusually, ended anyhow, repeating itself. `OneMinStreamTests` cut it anywhere."""

import base64

import pytest
from chat import Streamed, either, stream

TEXT = "Aé你🎉z"
RECORDED = {"deltas": ["Aé", "你🎉z"], "small": True}


def is_complete(got: Streamed):
    return got.status == 200 and got.is_done and got.finish() == "stop" and got.text() == TEXT


@pytest.mark.parametrize(
    "raw",
    [
        b'event: content\ndata: {"content":\ndata: "A"}\n\nevent: done\ndata: {}\n\n',
        b'id: 1\nretry: 5\nevent: content\ndata: {"content":"A"}\n\nevent: done\ndata: {}\n\n',
        b'data: {"content":"A"}\nevent: content\n\nevent: done\ndata: {}\n\n',
        b'event: content\ndata: {"delta":{"content":"A"}}\n\nevent: done\ndata: {}\n\n',
        b"event: content\ndata: A\n\nevent: done\ndata: Stream completed\n\n",
        b'event: content\ndata: {"content":"A"}\n\ndata: [DONE]\n\n',
        b'\n\n: hello\n\nevent: content\ndata: {"content":"A"}\n\nevent: done\ndata: {}\n\n',
        b'event: ping\ndata: {}\n\nevent: content\ndata: {"content":"A"}\n\nevent: done\ndata: {}\n\n',
        b'event: content\ndata: {"content":""}\n\nevent: content\ndata: {"content":"A"}\n\nevent: done\ndata: {}\n\n',
        b'\xef\xbb\xbfevent: content\ndata: {"content":"A"}\n\nevent: done\ndata: {}\n\n',
        b'event: content\ndata: {"content":"A","more":{"x":[1]}}\n\nevent: done\ndata:\n\n',
    ],
    ids=["lines", "fields", "order", "delta", "plain", "DONE", "empty", "ping", "nothing", "bom", "members"],
)
def test_ways_to_write_a_stream(http, vendor, api_key, raw):
    vendor.answers(api_key, {"body64": base64.b64encode(raw).decode()})
    got = stream(http)
    assert (got.text(), got.finish(), got.is_done) == ("A", "stop", True), got


def test_a_stream_whose_end_is_only_its_result(http, vendor, api_key):
    vendor.answers(api_key, RECORDED | {"without": ["done"]})
    assert is_complete(stream(http))


@pytest.mark.parametrize("split", [None, []], ids=["apart", "together"])
def test_a_stream_without_any_end_is_a_failure(http, vendor, api_key, split):
    vendor.answers(api_key, RECORDED | {"without": ["done", "result"], "split": split})
    got = stream(http)
    assert got.error["code"] == "upstream_error" and not got.is_done and got.finish() is None
    assert got.text() == TEXT


def test_the_deltas_may_all_be_missing(http, vendor, api_key):
    """The record is the response if no `content` came."""
    vendor.answers(api_key, {"answer": TEXT, "deltas": []})
    assert is_complete(stream(http))


def test_a_record_instead_of_a_stream(http, vendor, api_key):
    vendor.answers(api_key, {"answer": TEXT, "stream_as": "record", "metadata": {"inputToken": 5, "outputToken": 6}})
    got = stream(http, stream_options={"include_usage": True})
    assert is_complete(got)
    assert got.usage()["total_tokens"] == 11
    assert len(vendor.requests(api_key)) == 1


@pytest.mark.parametrize("split", [None, [], "bytes"], ids=["events", "together", "bytes"])
@pytest.mark.parametrize(
    ("deltas", "answer", "expected"),
    [
        (["ha", "ha"], "ha", "ha"),
        (["ha", "ha", "haha"], "haha", "haha"),
        (["Hel", "lo", "Hello"], "Hello", "Hello"),
        (["a", "b", "ab", "c"], "ababc", "ababc"),
    ],
)
def test_repeats(http, vendor, api_key, deltas, answer, expected, split):
    vendor.answers(api_key, {"deltas": deltas, "answer": answer, "split": split})
    assert either(http, True) == (expected, "stop")


def test_a_repeat_that_no_record_proves_is_dropped(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": ["ha", "ha"], "answer": "haha", "without": ["result"]})
    assert either(http, True) == ("ha", "stop")


def test_the_repeated_text_is_not_counted_for_stop(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": ["Hel", "lo"], "repeat": True})
    assert either(http, True, stop="oH") == ("Hello", "stop")


def test_a_large_event(http, vendor, api_key):
    text = "é" * 50_000
    vendor.answers(api_key, {"deltas": [text, "end"]})
    assert either(http, True) == (text + "end", "stop")


def test_a_long_stream(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": [f"{number}," for number in range(5000)]})
    text, _ = either(http, True)
    assert text == "".join(f"{number}," for number in range(5000))


def test_broken_utf8(http, vendor, api_key):
    raw = b'event: content\ndata: {"content":"A"}\n\nevent: content\ndata: {"content":"\xff"}\n\n'
    vendor.answers(api_key, {"body64": base64.b64encode(raw + b"event: done\ndata: {}\n\n").decode()})
    got = stream(http)
    assert got.error is not None and not got.is_done or "\ufffd" not in got.text()
