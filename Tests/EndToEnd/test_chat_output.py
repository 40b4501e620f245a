"""The relay's own processing of output: `stop`, token bounds, `n`, and the reported usage."""

from chat import ask, either, stream

WORDS = [f"word{number} " for number in range(400)]


def test_the_larger_of_two_bounds_counts(http, vendor, api_key, is_streamed):
    """A server may know only one of the bounds, so the smaller one limits nothing."""
    vendor.answers(api_key, {"deltas": WORDS})
    text, finish = either(http, is_streamed, max_tokens=10, max_completion_tokens=5)
    assert finish == "length" and len(text) <= 100
    for older, newer in [(1, 100_000), (100_000, 1)]:
        text, finish = either(http, is_streamed, max_tokens=older, max_completion_tokens=newer)
        assert finish == "stop" and text == "".join(WORDS)


def test_what_is_cut_is_not_read_on(http, vendor, api_key):
    """The vendor never ends this stream, so the relay must have left it."""
    vendor.answers(api_key, {"deltas": WORDS, "stall_at": 4000})
    got = stream(http, max_tokens=10)
    assert got.is_done and got.finish() == "length"
    vendor.wait(api_key, "client_closed")


def test_choices_are_asked_for_at_the_same_time(http, vendor, api_key):
    vendor.answers(api_key, {"answer": "a", "delay_head": 0.2})
    assert ask(http, n=4).status_code == 200
    seen = [event["event"] for event in vendor.events(api_key) if event["event"] in ("request", "first_byte")]
    assert seen[:4] == ["request"] * 4


def test_usage_chunk_only_when_asked_for(http):
    with_usage = stream(http, stream_options={"include_usage": True, "include_obfuscation": False})
    assert with_usage.chunks[-1]["choices"] == []
    assert [chunk["usage"] for chunk in with_usage.chunks[:-1]] == [None] * (len(with_usage.chunks) - 1)
    for options in (None, {}, {"include_usage": False}, {"include_usage": None}):
        without = stream(http, stream_options=options)
        assert without.is_done and all(chunk["choices"] for chunk in without.chunks)
