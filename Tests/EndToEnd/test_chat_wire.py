"""The vendor's stream as bytes: split anywhere, written unusually, cut anywhere, repeating itself."""

import asyncio
import base64

import checked
import httpx
import pytest
from chat import PATH, Streamed, ask, body, either, stream, stream_async, text_of
from onemin_replies import compact, event, record, stream_events

TEXT = "Aé你🎉z"
REQUEST = {"type": "UNIFY_CHAT_WITH_AI", "model": "gpt-4o-mini", "promptObject": {"prompt": "Hello"}}
RECORDED = {"deltas": ["Aé", "你🎉z"], "small": True}
AT_A_TIME = 24
STRIDE = 7
"""Of the places of a cut: `FaultContractTests` and `OneMinStreamTests` have each byte."""


def stream_bytes(scenario):
    return b"".join(event(name, data, scenario) for name, data in stream_events(scenario, REQUEST, TEXT))


def all_at_once(relay, vendor, new_key, scenarios, ask_one):
    """Runs `ask_one(client, key)` for each scenario, a bounded number at a time. Returns the results in order."""
    keys = [new_key() for _ in scenarios]
    vendor.answers_all({key: [scenario] for key, scenario in zip(keys, scenarios, strict=True)})

    async def run():
        # The client's own bound costs the square of the requests that wait.
        turns = asyncio.Semaphore(AT_A_TIME)

        async def one(http, key):
            async with turns:
                return await ask_one(http, key)

        async with checked.async_client(httpx, base_url=relay.base_url, timeout=httpx.Timeout(60)) as http:
            return await asyncio.gather(*(one(http, key) for key in keys))

    return asyncio.run(run())


async def whole_async(http, key):
    return await http.post(PATH, json=body(), headers={"Authorization": f"Bearer {key}"})


def is_complete(got: Streamed):
    return got.status == 200 and got.is_done and got.finish() == "stop" and got.text() == TEXT


@pytest.mark.parametrize("odd", [{}, {"line_end": "\r\n"}, {"space": False, "comments": True}], ids=str)
def test_split_anywhere(relay, vendor, new_key, odd):
    length = len(stream_bytes(RECORDED | odd))
    scenarios = [RECORDED | odd | {"split": [at]} for at in range(1, length, STRIDE)]
    for scenario, got in zip(scenarios, all_at_once(relay, vendor, new_key, scenarios, stream_async), strict=True):
        assert is_complete(got), (scenario, got)


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize(
    "odd",
    [{}, {"line_end": "\r\n"}, {"line_end": "\r\n", "space": False, "comments": True}, {"ascii": True}],
    ids=["plain", "crlf", "odd", "ascii"],
)
def test_byte_by_byte(http, vendor, api_key, framing, odd):
    vendor.answers(api_key, RECORDED | odd | {"split": "bytes", "framing": framing, "delay_between": 0.0001})
    assert is_complete(stream(http))


def test_whole_answers_byte_by_byte(http, vendor, api_key):
    for framing in ("chunked", "length", "close"):
        vendor.answers(api_key, {"answer": TEXT, "split": "bytes", "framing": framing})
        assert text_of(ask(http)) == TEXT


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
        (["ha", "ha"], "haha", "haha"),
        (["ha", "ha"], "ha", "ha"),
        (["ha", "ha", "haha"], "haha", "haha"),
        (["ha", "ha", "haha"], "hahahaha", "hahahaha"),
        (["ha", "ha", " ho"], "haha ho", "haha ho"),
        (["Hel", "lo", "Hello"], "Hello", "Hello"),
        (["Hel", "lo", "Hello"], "HelloHello", "HelloHello"),
        (["Hello"], "Hello", "Hello"),
        (["a", "b", "ab", "c"], "ababc", "ababc"),
        (["你", "你"], "你", "你"),
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


CUTS = [{"framing": "chunked"}, {"framing": "chunked", "cut_how": "rst"}, {"framing": "length"}, {"framing": "close"}]


@pytest.mark.parametrize("cut", CUTS, ids=["chunked", "reset", "length", "close"])
def test_a_stream_that_is_cut_never_looks_complete(relay, vendor, new_key, cut):
    """If only closing marks the end, a whole result makes a complete response. Before that it is truncated."""
    length = len(stream_bytes(RECORDED | ({"without": ["done"]} if cut["framing"] == "close" else {})))
    places = [*range(0, length - 2, STRIDE), length - 2]
    scenarios = [RECORDED | cut | {"cut_at": at} for at in places]
    for at, got in zip(places, all_at_once(relay, vendor, new_key, scenarios, stream_async), strict=True):
        assert not got.is_done and got.finish() is None, (at, got)
        assert TEXT.startswith(got.text()), (at, got)
        assert got.error["type"] == "server_error" and got.error["code"] == "upstream_error", (at, got)
        assert got.status == (200 if got.text() else 502), (at, got)


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_whole_answer_that_is_cut_is_a_failure(relay, vendor, new_key, framing):
    scenario = {"answer": TEXT, "small": True, "framing": framing}
    length = len(compact(record(scenario, REQUEST, TEXT), scenario).encode())
    places = [*range(-1, length - 1, STRIDE), length - 1]
    scenarios = [scenario | {"cut_at": at} for at in places]
    for at, answer in zip(places, all_at_once(relay, vendor, new_key, scenarios, whole_async), strict=True):
        assert answer.status_code == 502, (at, answer.text)
        assert answer.json()["error"]["code"] == "upstream_error"


def test_a_proper_end_of_body_in_the_midst_of_the_stream_is_a_failure(relay, vendor, new_key):
    length = len(event("content", {"content": "Aé"}, {}) + event("content", {"content": "你🎉z"}, {}))
    places = [*range(0, length, STRIDE), length]
    scenarios = [RECORDED | {"cut_at": at, "terminator": True} for at in places]
    for at, got in zip(places, all_at_once(relay, vendor, new_key, scenarios, stream_async), strict=True):
        assert not got.is_done and got.finish() is None and got.error["code"] == "upstream_error", (at, got)


def test_broken_utf8(http, vendor, api_key):
    raw = b'event: content\ndata: {"content":"A"}\n\nevent: content\ndata: {"content":"\xff"}\n\n'
    vendor.answers(api_key, {"body64": base64.b64encode(raw + b"event: done\ndata: {}\n\n").decode()})
    got = stream(http)
    assert got.error is not None and not got.is_done or "\ufffd" not in got.text()


def test_an_event_without_end_is_bounded(http, vendor, api_key):
    """Such a line is a failure at the latest when the vendor leaves."""
    size = 4 << 20
    vendor.answers(api_key, {"events": [["content", {"content": "A"}], ["content", "x" * size]], "cut_at": size})
    got = stream(http)
    assert got.error is not None and not got.is_done and got.text() in ("A", "")
