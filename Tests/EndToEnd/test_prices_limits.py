"""Limits in dollars: what is reserved by the dearest and the cheapest price, and settled with what the response says."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from chat import PATH, ask, body
from conftest import TEAM_TOKEN, VENDOR_KEY, memcached_of_file
from memcached import wait_for
from openai_vendor import chunk, events, whole
from relay_process import provider
from usage import File

MODEL = "cached/1"
PROMPT = "word " * 1000
USAGE = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010, "prompt_tokens_details": {"cached_tokens": 900}}
COST = 100 * 3 + 900 * 0.3 + 10 * 15
"""The cost of each response, in millionths of a dollar."""
ANSWER = {"json": whole({}) | {"usage": USAGE}}


store = memcached_of_file()


@pytest.fixture
def relay_with(start_relay, server):
    def start(budget, price="3/15/0.3/3.75 per million", **more):
        server.says(MODEL, ANSWER)
        return start_relay(
            **provider("ROW", "openai", server.base_url, f"m={MODEL}", API_KEY=VENDOR_KEY, COSTS=f"m={price}"), KEY_TEAM_TOKEN=TEAM_TOKEN,
            RATE_LIMIT="off", KEY_TEAM_RATE_LIMIT=f"{budget / 1e6:.6f} usd/hour", **more,
        )  # fmt: skip

    return start


def test_parallel_sessions_of_cached_prompts_fit_into_three_times_their_cost(relay_with, caller):
    sessions, turns = 10, 8
    http = caller(relay_with(3 * COST * sessions * turns), TEAM_TOKEN)

    def session(_):
        return [ask(http, PROMPT, model="m", max_tokens=10).status_code for _ in range(turns)]

    with ThreadPoolExecutor(sessions) as pool:
        assert [status for each in pool.map(session, range(sessions)) for status in each] == [200] * (sessions * turns)


def test_a_request_is_kept_out_by_what_another_holds_and_later_by_the_usual_price(relay_with, server, caller):
    """The prompt alone would cost 3750 if it were new, and 300 if it is read from the cache."""
    budget = 12_000
    http = caller(relay_with(budget), TEAM_TOKEN)
    gate = threading.Event()
    server.says(MODEL, ANSWER | {"pieces": 20, "pause": gate}, ANSWER)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, http, PROMPT, model="m")
        wait_for(lambda: server.asked(MODEL))
        refused = ask(http, PROMPT, model="m")
        gate.set()
        assert first.result().status_code == 200
    assert refused.status_code == 429 and refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert refused.json()["error"]["message"].startswith("Running requests hold the rest of the budget of this key, 0.012 usd per hour.")
    assert refused.headers["retry-after"] == "1" and "x-should-retry" not in refused.headers
    # From now on a prompt usually costs 570, and at most 10 tokens follow it.
    served = 1
    while (answer := ask(http, PROMPT, model="m", max_tokens=10)).status_code == 200:
        served += 1
    assert served == budget // COST
    error = answer.json()["error"]
    assert error["code"] == "insufficient_quota" and int(answer.headers["retry-after"]) > 3_000, "nobody holds what is gone"
    assert error["message"].startswith("The budget of this key, 0.012 usd per hour, is used up. 0.0008")


def test_clients_that_leave_while_the_vendor_thinks_pay_for_what_it_writes_until_then(relay_with, server, caller, tmp_path, is_streamed):
    """Before the first response of a model, it writes 50 tokens a second. Each costs 1000 here, and the prompt is free."""
    http = caller(relay_with(110_000, "0/1000 per million", USAGE_LOG_FILE=tmp_path / "records"), TEAM_TOKEN)
    server.says(MODEL, {"gate": threading.Event()})
    request = body("Think.", model="m", max_tokens=40, stream=is_streamed)
    answers: list[httpx.Response] = []
    left = 0
    while not answers and left < 10:
        try:
            answers.append(http.post(PATH, json=request, timeout=0.5))
        except httpx.ReadTimeout:
            left += 1
            while server.gone.get(timeout=5) != MODEL:  # another test may have left one
                pass
    assert [answer.status_code for answer in answers] == [429]
    assert left in (2, 3), "each used about 25 to 40 tokens, and the next one reserves 40"
    for record in File(tmp_path / "records").more(2 * left + 1)[:-1]:
        assert 20 <= record["completion_tokens"] <= 40 and record["estimated"], record
        assert record["cost"] == pytest.approx(record["completion_tokens"] / 1000), record


def test_a_call_that_is_left_has_the_pace_of_the_streams_before(relay_with, server, caller, tmp_path):
    """A stream brings 1000 tokens within a fifth of a second, so that half a second is enough for all reserved tokens."""
    http = caller(relay_with(10_000_000, "0/1000 per million", USAGE_LOG_FILE=tmp_path / "records"), TEAM_TOKEN)
    pause = threading.Event()
    usage = {"prompt_tokens": 1, "completion_tokens": 1000, "total_tokens": 1001}
    chunks = [chunk({"role": "assistant", "content": ""}), chunk({"content": "one"}), chunk({}, "stop", usage=usage)]
    first = len(events({"events": chunks[:2], "done": False}))
    server.says(MODEL, {"events": chunks, "pieces": first, "pause": pause}, {"gate": threading.Event()})
    with http.stream("POST", PATH, json=body("Go.", model="m", stream=True)) as answer:
        for line in answer.iter_lines():
            if "one" in line:
                threading.Timer(0.2, pause.set).start()
    with pytest.raises(httpx.ReadTimeout):
        http.post(PATH, json=body("Think.", model="m", max_tokens=200), timeout=0.5)
    assert [record["completion_tokens"] for record in File(tmp_path / "records").more(4)] == [1000, 1000, 200, 200]


def test_a_tier_that_the_request_names_reserves_its_own_price(relay_with, caller):
    http = caller(relay_with(3500, "2/2 per million priority 400/400 flex 1/1"), TEAM_TOKEN)
    # The dearest price would be 400 per million, which is more than the limit, but so much is only wished.
    assert ask(http, PROMPT, model="m", max_tokens=10).status_code == 200
    refused = ask(http, PROMPT, model="m", max_tokens=10, service_tier="priority")
    assert refused.status_code == 429, "its prompt alone costs more than the limit"
    assert ask(http, PROMPT, model="m", max_tokens=10, service_tier="flex").status_code == 200


def test_four_relays_pass_a_budget_by_no_more_than_running_requests_cost_beside_what_they_hold(relay_with, caller, store):
    budget, crowd, least = 20_000, 24, 1000 * 0.3
    relays = [relay_with(budget, MEMCACHED_SERVERS=store.address, MEMCACHED_TIMEOUT="5s") for _ in range(4)]
    callers = [caller(relay, TEAM_TOKEN) for relay in relays]
    served = 0
    with ThreadPoolExecutor(crowd) as pool:
        while True:
            answers = list(pool.map(lambda n: callers[n % 4].post(PATH, json=body(PROMPT, model="m", max_tokens=10)), range(crowd)))
            assert {answer.status_code for answer in answers} <= {200, 429}
            served += sum(answer.status_code == 200 for answer in answers)
            if not any(answer.status_code == 200 for answer in answers):
                break
    assert budget - 2 * COST <= served * COST <= budget + crowd * (COST - least)
