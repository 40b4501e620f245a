"""The vendor's stream as bytes: written unusually, ended anyhow, repeating itself. `OneMinStreamTests` cut it anywhere."""

import base64

import pytest
from chat import either, stream


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


def test_the_repeated_text_is_not_counted_for_stop(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": ["Hel", "lo"], "repeat": True})
    assert either(http, True, stop="oH") == ("Hello", "stop")
