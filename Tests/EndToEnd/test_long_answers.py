"""Whole responses over 256 KB, which a worker reads and the loop passes on in slices: no character is lost or changed."""

import anthropic_vendor
import pytest
from all_kinds import CLAUDES, MODELS, SURFACES, got, request

UNIT = "0123456789 äöü 中文字 😀 \"quoted\" \\ line\n"
LONG = UNIT * 12_000
"""Some 700 KB, in which slices of 64 KB end inside characters of two to four bytes."""
WAYS = {"whole": False, "streamed": True}
# The fake 1min.ai sends streams word by word, and messages to it have a token limit that the relay keeps itself.
CASES = [
    pytest.param(kind, surface, is_streamed, id=f"{kind}-{surface}-{way}")
    for kind in MODELS for surface in SURFACES for way, is_streamed in WAYS.items()
    if kind != "onemin" or not is_streamed and surface != "messages"
]  # fmt: skip


def saying(kind, text):
    if kind in CLAUDES:
        return {"content": [anthropic_vendor.text(text)]}
    return {"answer": text, "small": True} if kind == "onemin" else {"text": text}


def asked(kinds, surface, kind, *, is_streamed, **more):
    return kinds.ask(surface, request(surface, kind, ["Go on."], tools=False) | more, is_streamed=is_streamed)


@pytest.mark.parametrize(("kind", "surface", "is_streamed"), CASES)
def test_a_long_text_arrives_whole(kinds, kind, surface, is_streamed):
    kinds.says(kind, saying(kind, LONG))
    answer = asked(kinds, surface, kind, is_streamed=is_streamed)
    assert got(surface, answer, is_streamed=is_streamed)["text"] == LONG


@pytest.mark.parametrize(("kind", "is_streamed"), [("onemin", False), ("via", False), ("via", True), ("cloudflare", False), ("cloudflare", True)])
def test_a_long_text_ends_at_a_sequence_that_the_relay_finds(kinds, kind, is_streamed):
    kinds.says(kind, saying(kind, LONG + "<END>" + UNIT))
    told = got("chat", asked(kinds, "chat", kind, is_streamed=is_streamed, stop=["<END>"]), is_streamed=is_streamed)
    assert told["text"] == LONG


@pytest.mark.parametrize("kind", ["onemin", "anthropic", "cohere"])
def test_long_choices_of_several_calls_are_whole(kinds, kind):
    kinds.says(kind, saying(kind, LONG))
    choices = asked(kinds, "chat", kind, is_streamed=False, n=2).json()["choices"]
    assert [choice["index"] for choice in choices] == [0, 1]
    assert all(choice["message"]["content"] == LONG and choice["finish_reason"] == "stop" for choice in choices)
