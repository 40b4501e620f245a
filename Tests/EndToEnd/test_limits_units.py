"""Limits of tokens, money and credits: the reservation before a call, and the settlement after it, however it ends."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import memcached_of_file
from limited import MODELS, STANDING
from memcached import Memcached
from metered import FIRST_ANSWER, PROMPT_TOKENS, Account, account, assert_refused, assert_tokens, assert_too_large, metadata
from relay_process import Relay, provider

N = 10_000
TOKENS = f"{N} tokens/hour"
PRICED = {"PROVIDER_A_KIND": "onemin", "PROVIDER_A_PASSTHROUGH": "true", "PROVIDER_A_COST": "0.001/0.004"}
SOON = range(100)
"""The tokens that a vendor may have written when its client leaves at once: 50 a second before the model's first response."""
LEAST = 256
"""The fewest tokens that are likely."""
BUSY = {"status": 400, "json": {"errorCode": "OPEN_AI_UNEXPECTED_ERROR", "message": "The model provider is busy"}}


memcached = memcached_of_file()


@pytest.fixture(params=["memory", "memcached"])
def limited(request: pytest.FixtureRequest, start_relay: Callable[..., Relay], memcached: Memcached) -> Any:
    """`limited(RATE_LIMIT_CHAT="5/minute")`: a relay that counts in its memory, or in a real memcached."""

    def started(**environment: Any) -> Relay:
        if request.param == "memcached":
            environment |= {"MEMCACHED_SERVERS": memcached.address, "MEMCACHED_TIMEOUT": "5s"}
        return start_relay(**environment)

    return started


@pytest.fixture
def caller(new_key: Callable[..., str]) -> Iterator[Callable[..., Account]]:
    """`caller(relay)`: a new caller with a key of the vendor; `caller(relay, key)`: one with that key."""
    opened = []

    def made(relay: Relay, key: str | None = None) -> Account:
        opened.append(account(relay, key or new_key()))
        return opened[-1].__enter__()

    yield made
    for each in opened:
        each.__exit__(None, None, None)


def test_tokens_are_held_and_then_counted(limited, caller, vendor, is_streamed):
    one = caller(limited(RATE_LIMIT_CHAT=TOKENS))
    vendor.answers(one.key, {"answer": "good"} | metadata())
    assert_tokens(one.ask(stream=is_streamed, max_tokens=500), N, N - PROMPT_TOKENS - 500)
    one.assert_left(N - 30)
    assert_tokens(one.ask(stream=is_streamed, max_tokens=500), N, N - 30 - PROMPT_TOKENS - (LEAST if is_streamed else 500))
    one.assert_left(N - 60)
    # The prompt once, the answer as often as it is made.
    # A stream reserves twice the mean, at least 256 tokens; a whole response up to its bound.
    assert_tokens(one.ask(stream=is_streamed, max_tokens=100, n=3), N, N - 60 - PROMPT_TOKENS - 300)
    one.assert_left(N - 60 - 70)


def test_a_model_is_not_held_to_more_than_fits(limited, caller, vendor):
    """gpt-4o-mini writes at most 16,384 tokens: larger reported numbers are not believed."""
    relay = limited(RATE_LIMIT_CHAT=TOKENS)
    one, other, third = caller(relay), caller(relay), caller(relay)
    vendor.answers(one.key, {"answer": "good"} | metadata(answer=16_384))
    one.ask(max_tokens=100)
    # The rest of the prompt and the mean does not fit.
    vendor.answers(other.key, {"answer": "good"} | metadata(answer=20_000))
    assert_tokens(other.ask(), N, 0)
    other.assert_left(N - 10 - 1)
    vendor.answers(third.key, {"answer": "good"} | metadata())
    assert_tokens(third.ask(stream=True), N, 0)


@pytest.mark.parametrize("status", [400, 401, 406, 429, 500, 503])
def test_what_the_vendor_refuses_is_given_back(limited, caller, vendor, is_streamed, status):
    one = caller(limited(RATE_LIMIT_CHAT=TOKENS))
    vendor.answers(one.key, {"status": status, "json": {"errorCode": "HTTP_EXCEPTION", "message": "no"}})
    error = one.refused(stream=is_streamed)
    held = PROMPT_TOKENS + FIRST_ANSWER if is_streamed else N // 2
    assert error.response.headers["x-ratelimit-remaining-tokens"] == str(N - held)
    one.assert_left(N)


FAILED = {"record": {"status": "FAILED", "aiRecordDetail": {"errorMessage": "no", "resultObject": []}}, "without": ["content"]}
ENDS = {
    "a refusal in the midst of a success": ({}, [FAILED], None, 0),
    "no refusal: the vendor has the prompt": ({}, [{"cut_at": 0, "framing": "length"}], None, PROMPT_TOKENS),
    "a repair that fails": (
        {"response_format": {"type": "json_object"}}, [{"answer": "no document"} | metadata(), {"status": 500, "text": ""}], None, 30,
    ),
    "a call that is made again": ({}, [BUSY, {"answer": "good"} | metadata()], 2, 30),
}  # fmt: skip
"""The request's fields, the vendor's responses, its calls if the last one is good, and the tokens that are used."""


@pytest.mark.parametrize("end", ENDS)
def test_what_is_used_when_a_call_has_ended(limited, caller, vendor, is_streamed, end):
    fields, answers, calls, used = ENDS[end]
    one = caller(limited(RATE_LIMIT_CHAT=TOKENS))
    vendor.answers(one.key, *answers)
    if calls:
        assert one.ask(stream=is_streamed, **fields)["x-relay-attempts"] == "1" and len(vendor.requests(one.key)) == calls
    else:
        assert one.refused(stream=is_streamed, **fields).status_code == 502
    one.assert_left(N - used)


def test_choices_that_are_given_up_for_a_refusal(limited, caller, vendor, is_streamed):
    one = caller(limited(RATE_LIMIT_CHAT=f"{TOKENS};300 credits/hour"))
    no = {"status": 400, "json": {"message": "no"}}
    vendor.answers(one.key, no | {"delay_head": 0.1}, {"stall_at": -1})
    assert one.refused(stream=is_streamed, n=3).status_code == 400
    vendor.wait(one.key, "client_closed", 2)
    one.assert_left(N)
    vendor.answers(one.key, {"answer": "good"} | metadata())
    one.soon(n=3)


def test_a_client_that_leaves_in_the_midst(limited, caller, vendor):
    one = caller(limited(RATE_LIMIT_CHAT=TOKENS))
    first = 'event: content\ndata: {"content":"eight ch"}\n\n'
    vendor.answers(one.key, {"deltas": ["eight ch", "and more"], "stall_at": len(first)})
    stream = one.stream()
    assert [next(stream), next(stream)][1].choices[0].delta.content == "eight ch"
    assert one.left() == N - PROMPT_TOKENS - FIRST_ANSWER, "held as long as it runs"
    stream.close()
    vendor.wait(one.key, "client_closed")
    one.assert_left(N - PROMPT_TOKENS - 2, unseen=SOON)


def test_too_large(limited, caller, vendor):
    one = caller(limited(RATE_LIMIT_CHAT="1000 tokens/minute"))
    long = [{"role": "user", "content": " ".join(["internationalization"] * 501)}]
    for _ in range(2):
        assert_too_large(one.refused(messages=long), "tokens", "1000 per minute", "1002")
    assert not vendor.requests(one.key)
    # The bound of the output refuses nothing.
    vendor.answers(one.key, {"answer": "good"} | metadata(2, 1))
    one.ask(max_tokens=128_000)
    one.ask(max_tokens=500, n=2)


@pytest.mark.parametrize("unit", ["tokens", "usd", "credits"])
def test_a_mean_locks_nobody_out(start_relay, vendor, unit):
    """Long responses to one caller leave to another what is free, and each caller's own mean counts first."""
    relay = start_relay(
        RATE_LIMIT_CHAT={"tokens": "5000 tokens/day", "usd": "0.0151 usd/day", "credits": "5000 credits/day"}[unit],
        PROVIDER_A_KIND="onemin", PROVIDER_A_BASE_URL=vendor.base_url, PROVIDER_A_API_KEY="key-of-means",
        PROVIDER_A_COST="0.001/0.003", **{f"KEY_{name}_TOKEN": f"sk-means-{unit}-{name}-0123" for name in "AB"},
    )  # fmt: skip
    long = {"answer": "good"} | metadata(answer=9000, credit=9000)
    vendor.answers("key-of-means", long)
    with account(relay, f"sk-means-{unit}-A-0123") as a, account(relay, f"sk-means-{unit}-B-0123") as b:
        a.ask()
        for _ in range(8):
            vendor.answers("key-of-means", {"answer": "good"} | metadata(answer=30, credit=30))
            b.ask()
        # The own mean of B is 30 by now, so several requests fit beside each other.
        if unit == "tokens":
            assert int(b.ask(stream=True)["x-ratelimit-remaining-tokens"]) > 4_000


def test_a_budget_of_dollars(limited, caller, vendor):
    one = caller(limited(RATE_LIMIT_CHAT="0.0001 usd/day", **PRICED))
    vendor.answers(one.key, {"answer": "good"} | metadata())
    # 2 and 20 tokens held: 0.000082; 10 and 20 used: 0.00009.
    headers = one.ask(max_tokens=20)
    assert headers["x-relay-cost"] == "0.00009"
    assert headers["x-relay-budget"].startswith("usd;limit=0.0001;used=0.000082;left=0.000018;resets=2")
    assert headers["ratelimit-policy"] == '"day-usd";q=100;w=86400;qu="usd-micro"'
    assert headers["ratelimit"].startswith('"day-usd";r=18;t=')
    wait = assert_refused(one.refused(max_tokens=20), "usd", "0.0001 per day")
    assert wait > 80_000_000
    assert_refused(one.refused(max_tokens=20, stream=True), "usd", "0.0001 per day")
    # 0.000006 still fit.
    vendor.answers(one.key, {"status": 400, "json": {"message": "no"}}, {"answer": "g"} | metadata(2, 1))
    assert one.refused(max_tokens=1).status_code == 400
    assert "x-relay-cost" not in one.soon(max_tokens=1, stream=True)
    # The bound of the output refuses nothing if nothing else is used.
    assert_refused(one.refused(max_tokens=25), "usd", "0.0001 per day")


def test_the_dearest_candidate_is_held(limited, caller, vendor):
    relay = limited(RATE_LIMIT_CHAT="0.0001 usd/day", **PRICED, PROVIDERS="b,a", **provider("B", "onemin", PASSTHROUGH="true", COST="0.0005"))
    one = caller(relay)
    vendor.answers(one.key, {"answer": "good"} | metadata())
    long = [{"role": "user", "content": " ".join(["internationalization"] * 51)}]
    assert_too_large(one.refused(messages=long), "usd", "0.0001 per day", "0.000102")
    # Counted at the price of who answered.
    headers = one.ask(max_tokens=24)
    assert (headers["x-relay-provider"], headers["x-relay-cost"]) == ("b", "0.000015")
    one.ask(max_tokens=20)


def test_without_a_price_nothing_is_held(limited, caller):
    relay = limited(
        RATE_LIMIT_CHAT="0.000000001 usd/day;5000 tokens/day", PROVIDER_E_KIND="echo", PROVIDER_P_KIND="echo",
        PROVIDER_P_MODELS="dear=echo", PROVIDER_P_COST="0.01", KEY_A_TOKEN="sk-no-price-0123456789",
    )  # fmt: skip
    one = caller(relay, "sk-no-price-0123456789")
    for _ in range(3):
        assert "x-relay-cost" not in one.ask(model="echo")
    assert_too_large(one.refused(model="dear", max_tokens=8), "usd", "0.000000001 per day", "0.00002")


def test_a_budget_of_credits(limited, caller, vendor, is_streamed):
    one = caller(limited(RATE_LIMIT_CHAT="120 credits/day"))
    vendor.answers(one.key, {"answer": "good"} | metadata(credit=15))
    one.ask(stream=is_streamed)  # 100 held, 15 used
    one.ask(stream=is_streamed)  # of 105 are left; the mean is 15
    vendor.answers(one.key, BUSY, {"answer": "good"} | metadata(credit=14.5), {"answer": "good"} | metadata(credit=15))
    one.ask(stream=is_streamed)  # a second attempt
    one.ask(stream=is_streamed, n=2)
    vendor.answers(one.key, {"status": 500, "text": ""}, {"answer": "good"} | metadata(credit=31))
    assert one.refused(stream=is_streamed).status_code == 502
    one.ask(stream=is_streamed, n=2)  # 75 + 2 * 31: more than there is
    assert_refused(one.refused(stream=is_streamed), "credits", "120 per day")


def test_limits_by_model(limited, caller):
    relay = limited(RATE_LIMIT_BY_MODEL="gpt-4o-mini=off, gpt-4o*=2/hour;5000 tokens/hour,*=1/day", FALLBACK_MODEL="o3-mini")
    one, other = caller(relay), caller(relay)
    for _ in range(3):
        assert not [name for name in STANDING if name in one.ask()]
    for who in (one, other):
        for remaining in (1, 0):
            headers = who.ask(model="gpt-4o", max_tokens=100)
            assert headers["x-ratelimit-limit-requests"] == "2"
            assert headers["x-ratelimit-remaining-requests"] == str(remaining)
            assert headers["x-ratelimit-limit-tokens"] == "5000"
            assert headers["ratelimit-policy"] == '"hour";q=2;w=3600, "hour-tokens";q=5000;w=3600'
        assert_refused(who.refused(model="gpt-4o"), "requests", "2 per hour")
        assert not [name for name in STANDING if name in who.ask()]
    # Each model has its own account; names that nobody serves share their substitute's.
    one.ask(model="gpt-4.1")
    one.ask(model="no-such")
    assert_refused(one.refused(model="gpt-4.1"), "requests", "1 per day")
    for name in ("no-such", "nor-this", "o3-mini"):
        assert_refused(one.refused(model=name), "requests", "1 per day")
    answer = one.http.get(relay.base_url + MODELS, headers={"Authorization": f"Bearer {one.key}"})
    assert answer.status_code == 200 and not [name for name in STANDING if name in answer.headers]


def test_a_name_that_is_replaced_has_limits_of_its_own(limited, caller):
    """The rows of the replaced name are not its replacement's."""
    relay = limited(RATE_LIMIT_BY_MODEL="gone=1/hour,gpt-4o-mini=2/hour", MODEL_REPLACEMENTS="gone:gpt-4o-mini", KEY_A_TOKEN="token-a")
    one = caller(relay)
    one.ask(model="gone")
    assert_refused(one.refused(model="gone"), "requests", "1 per hour")
    for _ in range(2):
        one.ask(model="gpt-4o-mini")
    assert_refused(one.refused(model="gpt-4o-mini"), "requests", "2 per hour")


def test_a_model_is_limited_by_the_name_that_was_asked_for(limited, caller):
    relay = limited(RATE_LIMIT_BY_MODEL="fast=1/hour", **PRICED, PROVIDER_A_MODELS="fast=gpt-4o-mini,slow=gpt-4o-mini")
    one = caller(relay)
    one.ask(model="fast")
    assert_refused(one.refused(model="fast"), "requests", "1 per hour")
    for _ in range(2):
        one.ask(model="slow")


def test_everybody_together(start_relay, caller, vendor, new_key):
    relay = start_relay(RATE_LIMIT="off", RATE_LIMIT_TOTAL="3/hour;3000 tokens/hour")
    one, other = caller(relay), caller(relay)
    one.ask(max_tokens=100)
    other.ask(max_tokens=100)
    answer = one.http.get(relay.base_url + MODELS, headers={"Authorization": f"Bearer {one.key}"})
    assert answer.status_code == 200 and answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-ratelimit-limit-tokens" not in answer.headers
    for who in (one, other, caller(relay)):
        assert_refused(who.refused(max_tokens=1), "requests", "3 per hour")


def test_what_runs_at_the_end_is_settled(start_relay, caller, vendor, memcached, new_key):
    """A relay that is asked to stop lets its streams end, and refunds what they did not use."""
    shared = {"RATE_LIMIT_CHAT": "2000 tokens/hour", "MEMCACHED_SERVERS": memcached.address, "MEMCACHED_TIMEOUT": "5s"}
    key = new_key()
    ending, staying = (start_relay(**shared) for _ in range(2))
    here, there = caller(ending, key), caller(staying, key)
    first = 'event: content\ndata: {"content":"eight ch"}\n\n'
    vendor.answers(key, {"deltas": ["eight ch", "and more"], "stall_at": len(first)} | metadata())
    stream = here.stream()
    next(stream)
    ending.signal(signal.SIGTERM)
    vendor.release(key)
    for _ in stream:
        pass
    ending.stop()
    assert there.ask(max_tokens=1900)["x-ratelimit-remaining-tokens"] == str(2000 - 30 - 1902)


def test_the_store_knows_limits_by_their_unit(start_relay, caller, vendor, memcached):
    relay = start_relay(
        RATE_LIMIT_CHAT="7/hour;70000 tokens/day", RATE_LIMIT_TOTAL="0.5 usd/week", RATE_LIMIT_BY_MODEL="*=500 credits/s",
        **PRICED, MEMCACHED_SERVERS=memcached.address,
    )  # fmt: skip
    one = caller(relay)
    before = set(memcached.keys())
    one.ask()
    # Lists and entries of relays are no limits.
    kinds = {key.rpartition(":")[0] for key in set(memcached.keys()) - before if not key.startswith("relay:1:")}
    assert kinds == {"relay:2:chat.requests.3600", "relay:2:chat.tokens.86400", "relay:2:total.usd.604800", "relay:2:model.credits.1"}
    dump = memcached.dump()
    assert one.key.encode() not in dump and b"gpt-4o" not in dump
