"""The relay's own processing of output: `stop`, token bounds, `n`, and the reported usage."""

import pytest
from chat import ask, deltas_of, either, refusal, stream, text_of

WORDS = [f"word{number} " for number in range(400)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    ("answer", "stop", "expected"),
    [
        ("one two END three", "END", "one two "),
        ("one two END three", ["nothing", "END"], "one two "),
        ("one STOP two END three", ["END", "STOP"], "one "),
        ("ENEND", "END", "EN"),
        ("aaab", "aab", "a"),
        ("END at once", "END", ""),
        ("it has none EN", "END", "it has none EN"),
        ("prefix of both ab", ["abc", "abd"], "prefix of both ab"),
        ("ab abd", ["abc", "abd"], "ab "),
        ("你好，世界", "世界", "你好，"),
        ("🎉é🎊", "🎊", "🎉é"),
        ("line one\nline two", "\n", "line one"),
    ],
)
def test_stop(http, vendor, api_key, is_streamed, answer, stop, expected, size):
    vendor.answers(api_key, {"answer": answer, "deltas": deltas_of(answer, size)})
    assert either(http, is_streamed, stop=stop) == (expected, "stop")


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_bound_of_tokens_cuts(http, vendor, api_key, is_streamed, field):
    vendor.answers(api_key, {"deltas": WORDS})
    text, finish = either(http, is_streamed, **{field: 10})
    assert finish == "length"
    assert "".join(WORDS).startswith(text) and 1 <= len(text) <= 100


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


def test_stop_and_bound_together(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"deltas": WORDS})
    assert either(http, is_streamed, stop="word1 ", max_tokens=50) == ("word0 ", "stop")


def answers(count):
    return [
        {"answer": f"answer {number} é", "metadata": {"inputToken": 10, "outputToken": 20 + number}}
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_several_choices(http, vendor, api_key, count):
    vendor.answers(api_key, *answers(count))
    answer = ask(http, n=count).json()
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    assert sorted(texts) == [f"answer {number} é" for number in range(count)]
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["stop"] * count
    completion = sum(20 + number for number in range(count))
    assert answer["usage"]["prompt_tokens"] == 10
    assert answer["usage"]["completion_tokens"] == completion
    assert answer["usage"]["total_tokens"] == 10 + completion
    assert len(vendor.requests(api_key)) == count


def test_several_choices_streamed(http, vendor, api_key):
    vendor.answers(api_key, *answers(3))
    got = stream(http, n=3, stream_options={"include_usage": True})
    assert got.is_done
    assert sorted(got.text(index) for index in range(3)) == [f"answer {number} é" for number in range(3)]
    assert [got.finish(index) for index in range(3)] == ["stop"] * 3
    assert got.usage() == {"prompt_tokens": 10, "completion_tokens": 63, "total_tokens": 73}
    assert len(vendor.requests(api_key)) == 3


def test_choices_are_asked_for_at_the_same_time(http, vendor, api_key):
    vendor.answers(api_key, {"answer": "a", "delay_head": 0.2})
    assert ask(http, n=4).status_code == 200
    seen = [event["event"] for event in vendor.events(api_key) if event["event"] in ("request", "first_byte")]
    assert seen[:4] == ["request"] * 4


def test_stop_and_bounds_hold_for_each_choice(http, vendor, api_key):
    vendor.answers(api_key, {"answer": "one END two"}, {"deltas": WORDS})
    got = stream(http, n=2, stop="END", max_tokens=10)
    assert sorted(got.finish(index) for index in range(2)) == ["length", "stop"]
    assert "one " in (got.text(0), got.text(1))


def test_one_choice_that_fails_before_others_came_fails_the_answer(http, vendor, api_key):
    vendor.answers(api_key, {"stall_at": -1}, {"status": 500, "json": {"message": "broken"}})
    status, error, _ = refusal(http, n=2)
    assert (status, error["code"]) == (502, "upstream_error")


def test_one_failed_choice_fails_the_stream(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": ["good"]}, {"status": 500, "json": {"message": "broken"}})
    got = stream(http, n=2)
    assert got.error and not got.is_done


def test_usage_of_the_record(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": "text", "metadata": {"inputToken": 123, "outputToken": 456}})
    assert usage_of(http, is_streamed) == {"prompt_tokens": 123, "completion_tokens": 456, "total_tokens": 579}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"inputToken": 123},
        {"outputToken": 456},
        {"inputToken": None, "outputToken": None},
        {"inputToken": "123", "outputToken": "456"},
        {"inputToken": 123, "outputToken": None},
        {"inputToken": -1, "outputToken": -1},
        "none",
        [],
    ],
    ids=str,
)
def test_usage_is_estimated_without_two_numbers(http, vendor, api_key, is_streamed, metadata):
    vendor.answers(api_key, {"answer": "some words of an answer", "metadata": metadata})
    usage = usage_of(http, is_streamed)
    assert 1 <= usage["prompt_tokens"] <= 50 and 1 <= usage["completion_tokens"] <= 50
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def usage_of(http, is_streamed):
    if is_streamed:
        got = stream(http, stream_options={"include_usage": True})
        assert got.is_done
        usage = got.usage()
    else:
        usage = ask(http).json()["usage"]
    return {name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}


def test_estimates_grow_with_the_texts(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": "word " * 10, "metadata": None}, {"answer": "word " * 1000, "metadata": None})
    few, many = usage_of(http, is_streamed), usage_of(http, is_streamed)
    assert few["completion_tokens"] * 20 < many["completion_tokens"]


def test_usage_chunk_only_when_asked_for(http):
    with_usage = stream(http, stream_options={"include_usage": True, "include_obfuscation": False})
    assert with_usage.chunks[-1]["choices"] == []
    assert [chunk["usage"] for chunk in with_usage.chunks[:-1]] == [None] * (len(with_usage.chunks) - 1)
    for options in (None, {}, {"include_usage": False}, {"include_usage": None}):
        without = stream(http, stream_options=options)
        assert without.is_done and all(chunk["choices"] for chunk in without.chunks)


def test_the_usage_chunk_for_the_official_client(client):
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "a"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[-1].usage.total_tokens > 0 and chunks[-1].choices == []


def test_a_cut_answer_has_a_usage(http, vendor, api_key):
    vendor.answers(api_key, {"deltas": WORDS, "stall_at": 4000})
    usage = stream(http, max_tokens=10, stream_options={"include_usage": True}).usage()
    assert usage["prompt_tokens"] >= 1 and 1 <= usage["completion_tokens"] <= 10


def test_the_whole_answer_equals_the_stream(http, vendor, api_key):
    for fields in ({}, {"stop": "done"}, {"max_tokens": 5}):
        assert either(http, False, **fields) == either(http, True, **fields)
    assert text_of(ask(http))


def test_a_whole_answer_is_counted_by_the_vocabulary_of_its_model(http, vendor, api_key):
    vendor.answers(api_key, {"answer": " ".join(["internationalization"] * 100), "metadata": None})
    assert usage_of(http, False)["completion_tokens"] == 200
