"""Prompts are counted where the count is needed: for vendors that report their usage, an estimate is reserved."""

import conftest
import openai
import pytest
from conftest import TEAM_TOKEN, VENDOR_KEY
from memcached import wait_for
from metered import Account
from openai_vendor import chunk, usage_chunk, whole
from operating import SETTINGS as OPERATED
from operating import Operator
from relay_process import provider
from usage import lines_so_far

MODEL = "gpt-4o-mini"
SMALL = "the-token-of-the-small-one"
LINES = ["def area(radius: float) -> float:", "    return 3.14159 * radius ** 2  # 圆的面积, größer als null", '{"ok": [1, 2, 3]}']
PROMPT = "\n".join(LINES * 120)
"""Longer than what is kept until somebody asks for its count."""
LEARNED = 20
REPORTED = {"prompt_tokens": 3000, "completion_tokens": 7, "total_tokens": 3007}
ANSWER, ANSWER_TOKENS = "one two", 2
FACTOR = 1.5
chats: list[bool] = []
"""All that were answered by the relay of this file."""


@pytest.fixture(scope="module")
def count(encodings):
    return len(encodings[MODEL].encode_ordinary(PROMPT))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("usage") / "records"


@pytest.fixture(scope="module")
def relay(launch, server, path, count):
    conftest.secrets.add(SMALL)
    return launch(
        **OPERATED, USAGE_LOG_FILE=path, KEY_TEAM_TOKEN=TEAM_TOKEN, RATE_LIMIT_CHAT="10000000 tokens/hour", KEY_SMALL_TOKEN=SMALL,
        KEY_SMALL_RATE_LIMIT_CHAT=f"{count + 100} tokens/hour",
        **provider("ROW", "openai", server.base_url, f"{MODEL}={MODEL}", API_KEY=VENDOR_KEY),
    )  # fmt: skip


class Metered(Account):
    """A caller whose limit no prompt exceeds: the tokens left are read as operators read them."""

    def __init__(self, relay, operator):
        super().__init__(relay, TEAM_TOKEN)
        self.operator = operator

    def left(self, **fields):
        (left,) = (row["left"] for row in self.operator.items("/admin/limits", caller="team") if row["unit"] == "tokens")
        return int(left)


@pytest.fixture(scope="module")
def operator(relay):
    return Operator(relay.base_url)


@pytest.fixture
def one(relay, operator):
    caller = Metered(relay, operator)
    yield caller
    caller.http.close()


@pytest.fixture
def chat(one, server):
    """`chat(stream, usage)`: one response that reports this usage; returns the tokens that are left while it is
    reserved."""

    def asked(stream, usage=None, caller=one):
        events = [chunk({"role": "assistant", "content": ANSWER}), chunk({}, "stop")]
        answer = {name: value for name, value in whole({"text": ANSWER}).items() if name != "usage"}
        if usage:
            events.append(usage_chunk(**usage))
            answer["usage"] = usage
        server.says(MODEL, {"events": events} if stream else {"json": answer})
        messages = [{"role": "user", "content": PROMPT}]
        headers = caller.ask(MODEL, stream=stream, max_tokens=100, messages=messages)
        chats.append(stream)
        return int(headers["x-ratelimit-remaining-tokens"])

    asked(False)
    yield asked
    server.take_violations()


@pytest.fixture
def records(path):
    """`records()`: the record of the last successful request, which agrees with that of its call."""

    def answered():
        return [record for record in lines_so_far(path) if record["success"]] if path.exists() else []

    def last():
        wait_for(lambda: len(answered()) == 2 * len(chats))
        request, call = answered()[-2:]
        same = ("tokens", "estimated", "exact")
        assert [request.get(name) for name in same] == [call.get(name) for name in same]
        return request

    return last


def test_a_vendor_that_reports_is_charged_by_its_reports(one, chat, count, is_streamed):
    left = one.left()
    for number in range(LEARNED):
        assert left - chat(is_streamed, REPORTED) == count + 100, number
        left -= REPORTED["total_tokens"]
        one.assert_left(left)
    # It is known by now to report.
    reserved = left - chat(is_streamed, REPORTED) - 100
    assert count / FACTOR <= reserved != count
    one.assert_left(left - REPORTED["total_tokens"])


def test_a_vendor_that_never_reports_is_charged_by_the_exact_count(one, chat, records, count, is_streamed):
    left = one.left()
    for number in range(1, 4):
        chat(is_streamed)
        one.assert_left(left - number * (count + ANSWER_TOKENS))
        record = records()
        assert (record["prompt_tokens"], record["estimated"], record["exact"]) == (count, True, True)


def test_a_vendor_that_stops_reporting_is_estimated_once_at_most(one, chat, records, count, is_streamed):
    for _ in range(LEARNED):
        chat(is_streamed, REPORTED)
        assert "estimated" not in records()
    left = one.left()
    chat(is_streamed)
    first = records()
    assert first["estimated"]
    if is_streamed:
        # The prompt of a stream is given up when its answer begins.
        assert "exact" not in first and count / FACTOR <= first["prompt_tokens"] != count
    else:
        assert first["exact"] and first["prompt_tokens"] == count
    chat(is_streamed)
    assert records()["prompt_tokens"] == count
    one.assert_left(left - first["tokens"] - count - ANSWER_TOKENS)
    # Nor is it believed again after one report.
    chat(is_streamed, REPORTED)
    assert records()["tokens"] == REPORTED["total_tokens"]
    chat(is_streamed)
    assert records()["prompt_tokens"] == count


def test_if_a_request_can_ever_be_admitted_is_said_by_the_exact_count(relay, chat, count, encodings):
    large = PROMPT + " one" * 101
    assert len(encodings[MODEL].encode_ordinary(large)) == count + 101, "a token more than the limit"
    for _ in range(LEARNED):
        chat(False, REPORTED)
    small = Account(relay, SMALL)
    try:
        with pytest.raises(openai.APIStatusError) as refused:
            small.ask(MODEL, max_tokens=100, messages=[{"role": "user", "content": large}])
        assert (refused.value.status_code, "too large" in refused.value.message) == (429, True), refused.value
        assert chat(False, REPORTED | {"prompt_tokens": 1}, small) == 0
    finally:
        small.http.close()
