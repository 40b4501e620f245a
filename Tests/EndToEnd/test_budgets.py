"""Budgets (limits in tokens and dollars of an hour or more): used to the end and never passed, whatever bound requests have."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import PATH, body
from conftest import TEAM_TOKEN, VENDOR_KEY
from memcached import Memcached, wait_for
from spending import PRICE, PROMPT, Vendor

WORDS = "word " * PROMPT
ONE = (PROMPT * PRICE[0] + 500 * PRICE[1]) / 1e6
"""The dollars of a response of 500 tokens."""


@pytest.fixture
def seller():
    running = Vendor()
    yield running
    running.stop()


@pytest.fixture
def store():
    memcached = Memcached()
    yield memcached
    memcached.kill()


@pytest.fixture
def relay_with(start_relay, seller):
    def start(limit, **more):
        return start_relay(
            PROVIDER_CHATS_KIND="openai", PROVIDER_CHATS_BASE_URL=f"{seller.base_url}/v1", PROVIDER_CHATS_API_KEY=VENDOR_KEY,
            PROVIDER_CHATS_MODELS="m", PROVIDER_CHATS_COST="5/25 per million",
            PROVIDER_CLAUDE_KIND="anthropic", PROVIDER_CLAUDE_BASE_URL=seller.base_url, PROVIDER_CLAUDE_API_KEY=VENDOR_KEY,
            PROVIDER_CLAUDE_MODELS="c", PROVIDER_CLAUDE_COST="5/25 per million", KEY_TEAM_TOKEN=TEAM_TOKEN, RATE_LIMIT="off",
            KEY_TEAM_RATE_LIMIT=limit, **more,
        )  # fmt: skip

    return start


def messages(**fields):
    return {"model": "c", "messages": [{"role": "user", "content": WORDS}]} | fields


def ask(http, model="m", **fields):
    if model == "c":
        return http.post("/v1/messages", json=messages(**fields))
    return http.post(PATH, json=body(WORDS, model="m", **fields))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("bound", [32_000, 128_000])
@pytest.mark.parametrize("model", ["m", "c"])
def test_one_after_the_other_uses_a_budget_to_its_end(relay_with, seller, caller, model, bound, stream):
    http = caller(relay_with("3 usd/day"), TEAM_TOKEN)
    for _ in range(400):
        answer = ask(http, model, max_tokens=bound, stream=stream)
        if answer.status_code != 200:
            break
    assert answer.status_code == 429
    print(f"{seller.billed} of 3 dollars")
    assert 0.97 * 3 <= seller.billed <= 3, f"{seller.billed} of 3 dollars"
    assert seller.written.count(500) >= len(seller.written) - 3, "hardly any response was lowered below what it used"


@pytest.mark.parametrize("relays", [1, 4])
@pytest.mark.parametrize("model, stream", [("m", False), ("m", True), ("c", True)])
def test_eight_at_once_never_pass_a_budget(relay_with, seller, caller, store, model, stream, relays):
    more = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"} if relays > 1 else {}
    limit = f"{2 + relays / 100} usd/day"
    callers = [caller(relay_with(limit, **more), TEAM_TOKEN) for _ in range(relays)]
    refusals = 0
    with ThreadPoolExecutor(8) as pool:
        while refusals < 8:
            asked = list(pool.map(lambda at: ask(callers[at % relays], model, max_tokens=32_000, stream=stream).status_code, range(8)))
            assert set(asked) <= {200, 429}
            refusals = asked.count(429)
    for at in range(20):
        if ask(callers[at % relays], model, max_tokens=32_000, stream=stream).status_code == 429:
            break
    wait_for(lambda: seller.running == 0)
    assert 0.97 * 2 <= seller.billed <= 2 + relays / 100, f"{seller.billed} dollars"


@pytest.mark.parametrize("model", ["m", "c"])
def test_long_streams_that_nobody_expected_end_at_the_budget(relay_with, seller, caller, model):
    http = caller(relay_with("1 usd/day"), TEAM_TOKEN)
    assert ask(http, model, max_tokens=32_000, stream=True).status_code == 200
    (seller.length, seller.gate, seller.pace) = (30_000, threading.Event(), 0.002)
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(ask, http, model, max_tokens=32_000, stream=True) for _ in range(8)]
        wait_for(lambda: seller.running == 8)
        seller.gate.set()
        served = [each.result() for each in running]
    assert {answer.status_code for answer in served} == {200}
    wait_for(lambda: seller.running == 0)
    assert 0.95 <= seller.billed <= 1, f"{seller.billed} of 1 dollar"
    for answer in served:
        if model == "m":
            assert '"finish_reason":"length"' in answer.text and answer.text.endswith("data: [DONE]\n\n")
        else:
            assert '"stop_reason":"max_tokens"' in answer.text and '{"type":"message_stop"}' in answer.text


def test_hidden_reasoning_is_bounded_by_the_vendor(relay_with, seller, caller):
    http = caller(relay_with("1 usd/day"), TEAM_TOKEN)
    (seller.length, seller.hidden) = (10_200, 10_000)
    with ThreadPoolExecutor(8) as pool:
        thinking = {"type": "adaptive", "display": "omitted"}
        answers = list(pool.map(lambda _: ask(http, "c", max_tokens=32_000, stream=True, thinking=thinking), range(8)))
    assert [answer.status_code for answer in answers].count(200) >= 2
    assert seller.billed <= 1, f"{seller.billed} of 1 dollar"
