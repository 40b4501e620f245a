"""Budgets (limits in tokens and dollars of an hour or more): used to the end and never passed, whatever bound requests have."""

import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import PATH, body
from conftest import TEAM_TOKEN, secrets
from limited import metric
from memcached import wait_for
from operating import SETTINGS, Operator
from postgres import Postgres
from relay_process import INHERITED, binary
from spending import PRICE, PROMPT, WORD
from usage import File

WORDS = "word " * PROMPT


def messages(**fields):
    return {"model": "c", "messages": [{"role": "user", "content": WORDS}]} | fields


def ask(http, model="m", **fields):
    if model == "c":
        return http.post("/v1/messages", json=messages(**fields))
    return http.post(PATH, json=body(WORDS, model="m", **fields))


@pytest.mark.parametrize("model, bound, is_streamed", [("m", 128_000, False), ("m", 32_000, True), ("c", 32_000, True)])
def test_one_after_the_other_uses_a_budget_to_its_end(relay_with, seller, caller, model, bound, is_streamed):
    http = caller(relay_with("1 usd/day"), TEAM_TOKEN)
    for _ in range(200):
        answer = ask(http, model, max_tokens=bound, stream=is_streamed)
        if answer.status_code != 200:
            break
    assert answer.status_code == 429
    error = answer.json()["error"]
    assert "insufficient_quota" == (error["details"]["error_code"] if model == "c" else error["code"])
    assert 0.97 <= seller.billed <= 1, f"{seller.billed} of 1 dollar"
    assert seller.written.count(500) >= len(seller.written) - 3, "hardly any response was lowered below what it used"


@pytest.mark.parametrize("model, stream, relays", [("m", False, 1), ("m", True, 4), ("c", True, 4)])
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


@pytest.mark.parametrize("model, count, dollars", [("c", 8, 1), ("m", 100, 10)])
def test_long_streams_that_nobody_expected_end_at_the_budget(relay_with, seller, caller, model, count, dollars):
    http = caller(relay_with(f"{dollars} usd/day"), TEAM_TOKEN)
    assert ask(http, model, max_tokens=32_000, stream=True).status_code == 200
    # More than the whole budget: who gets the next event is not settled, and one stream may get nearly all.
    (seller.length, seller.unread) = (500_000, threading.Semaphore(0))
    path, fields = ("/v1/messages", messages()) if model == "c" else (PATH, body(WORDS, model="m"))

    def read(_):
        with http.stream("POST", path, json=fields | {"max_tokens": 32_000, "stream": True}) as answer:
            assert answer.status_code == 200, answer.read()
            lines = []
            for line in answer.iter_lines():
                lines.append(line)
                if WORD in line:
                    seller.unread.release()
        # Its last event may have been dropped.
        seller.unread.release()
        return "\n".join(lines)

    with ThreadPoolExecutor(count) as pool:
        running = [pool.submit(read, at) for at in range(count)]
        wait_for(lambda: seller.running == count)
        seller.unread.release(count)
        served = [each.result() for each in running]
    wait_for(lambda: seller.running == 0)
    # Above the budget is at most an event of each stream that comes while the relay ends it, and one that is written meanwhile.
    unseen = count * 2 * seller.step * PRICE[1] / 1e6
    assert 0.95 * dollars <= seller.billed <= dollars + unseen, f"{seller.billed} of {dollars} dollars"
    used = float(ask(http, model, max_tokens=1).headers["x-relay-budget"].split("used=")[1].split(";")[0])
    assert 0.95 * dollars <= used <= dollars, f"the relay counted {used} of {dollars} dollars"
    for text in served:
        if model == "m":
            assert '"finish_reason":"length"' in text and text.endswith("data: [DONE]\n")
        else:
            assert '"stop_reason":"max_tokens"' in text and '{"type":"message_stop"}' in text


def test_hidden_reasoning_is_bounded_by_the_vendor(relay_with, seller, caller):
    http = caller(relay_with("1 usd/day"), TEAM_TOKEN)
    (seller.length, seller.hidden) = (10_200, 10_000)
    with ThreadPoolExecutor(8) as pool:
        thinking = {"type": "adaptive", "display": "omitted"}
        answers = list(pool.map(lambda _: ask(http, "c", max_tokens=32_000, stream=True, thinking=thinking), range(8)))
    assert [answer.status_code for answer in answers].count(200) >= 2
    assert seller.billed <= 1, f"{seller.billed} of 1 dollar"


def test_only_the_digits_of_the_bound_change(relay_with, seller, caller):
    http = caller(relay_with("0.05 usd/day"), TEAM_TOKEN)
    raw = '{ "max_tokens" : 32000 , "model":"c", "stream": true, "messages" : [{"role":"user","content":"Hello"}] }'
    answer = http.post("/v1/messages", content=raw, headers={"Content-Type": "application/json"})
    bound = answer.headers["x-relay-max-tokens"]
    assert answer.status_code == 200 and 1_900 < int(bound) < 2_000
    assert seller.raw[0].decode() == raw.replace("32000", bound)
    assert seller.bounds == [int(bound)]


@pytest.mark.parametrize("fields", [{"max_tokens": 32_000}, {"max_completion_tokens": 32_000}, {}, {"max_tokens": None}])
def test_a_chat_gets_what_is_paid(relay_with, seller, caller, tmp_path, fields):
    log = File(tmp_path / "usage.jsonl")
    http = caller(relay_with("0.05 usd/day", USAGE_LOG_FILE=log.path), TEAM_TOKEN)
    answer = http.post(PATH, json=body("Hello", model="m", stream=True, **fields))
    assert answer.status_code == 200
    assert 1_900 < seller.bounds[0] < 2_000 and answer.headers["x-relay-max-tokens"] == str(seller.bounds[0])
    assert [record.get("lowered_max_tokens") for record in log.more(2)] == [seller.bounds[0], None]


def test_a_response_that_waited_for_its_turn_gets_what_is_free(relay_with, seller, caller, clock):
    wall = clock(0)
    relay = relay_with("8000 tokens/hour", RATE_LIMIT_WAIT="10m", **wall.environment)
    seller.length = 6_500
    assert ask(caller(relay, TEAM_TOKEN), "c", max_tokens=6_500, stream=True).status_code == 200
    assert seller.written == [6_500]
    wall.advance(56 * 60)
    with ThreadPoolExecutor(1) as pool:
        # The relay closes the first connection, which was idle for an hour.
        waiting = pool.submit(ask, caller(relay, TEAM_TOKEN), max_tokens=3_500)
        wait_for(lambda: waiting.done() or metric(relay, "relay_limit_waiting") == 1)
        assert not waiting.done(), waiting.result().text
        wall.advance(270)
        wall.advance_until(waiting.done, 50)
    answer = waiting.result()
    assert answer.status_code == 200 and float(answer.headers["x-relay-waited"]) > 200
    assert seller.bounds[-1] == 3_500 and "x-relay-max-tokens" not in answer.headers


def test_a_bound_that_is_paid_is_not_touched(relay_with, seller, caller):
    http = caller(relay_with("5 usd/day"), TEAM_TOKEN)
    for model in "mc":
        answer = ask(http, model, max_tokens=32_000, stream=True)
        assert answer.status_code == 200 and "x-relay-max-tokens" not in answer.headers
    assert ask(http, stream=True).status_code == 200
    assert seller.bounds == [32_000, 32_000, None]


def test_nothing_is_lowered_while_a_budget_has_room(relay_with, seller, caller):
    bounds = []
    for limit in ("1000/day", "50 usd/day"):
        http = caller(relay_with(limit, PANEL_P_MODELS="m,c", PANEL_P_SUMMARY_MODEL="m"), TEAM_TOKEN)
        for fields in ({"model": "m", "n": 4}, {"model": "c", "n": 4}, {"model": "p"}, {"model": "p", "max_tokens": 8_000}):
            answer = http.post(PATH, json=body(WORDS, **fields))
            assert answer.status_code == 200 and "x-relay-max-tokens" not in answer.headers
        bounds.append(sorted(bound or 0 for bound in seller.bounds))
        seller.bounds.clear()
    assert bounds[0] == bounds[1]


@pytest.mark.parametrize("model, stream", [("m", False), ("c", True)])
def test_the_calls_of_several_choices_keep_a_budget_together(relay_with, seller, caller, model, stream):
    http = caller(relay_with("0.50 usd/day"), TEAM_TOKEN)
    seller.length = 30_000
    answer = http.post(PATH, json=body(WORDS, model=model, max_tokens=32_000, n=4, stream=stream))
    # Claude has no `n`; the other vendor returns one choice, whatever `n` is.
    assert answer.status_code == 200 and len(seller.bounds) == 4
    assert 0.8 * 0.5 <= seller.billed <= 0.5, f"{seller.billed} of 0.50 dollars"
    delivered = answer.text.count(WORD)
    assert delivered * PRICE[1] / 1e6 >= 0.75 * 0.5, f"{delivered} tokens of 0.50 dollars"


FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("fields", [{"n": 4}, {}], ids=["choices", "one"])
def test_a_call_with_emulated_tools_keeps_a_budget(relay_with, seller, caller, is_streamed, fields):
    http = caller(relay_with("0.50 usd/day"), TEAM_TOKEN)
    (seller.length, seller.refused) = (30_000, ("tools", "This model does not support tools."))
    answer = ask(http, max_tokens=32_000, tools=[FUNCTION], stream=is_streamed, **fields)
    assert answer.status_code == 200
    assert seller.billed <= 0.5, f"{seller.billed} of 0.50 dollars"
    assert sum(seller.bounds) * PRICE[1] / 1e6 <= 0.5


def test_a_correction_is_paid_by_what_the_response_left(relay_with, seller, caller):
    http = caller(relay_with("0.50 usd/day"), TEAM_TOKEN)
    (seller.length, seller.refused) = (12_000, ("tools", "This model does not support tools."))
    ask(http, max_tokens=16_000, tools=[FUNCTION], tool_choice="required", stream=True)
    # The vendor never calls the tool.
    assert len(seller.bounds) == 2 and seller.bounds[0] == 16_000 and 7_000 < seller.bounds[1] < 8_000
    assert seller.billed <= 0.5, f"{seller.billed} of 0.50 dollars"


def test_a_thinking_budget_is_kept(relay_with, seller, caller):
    http = caller(relay_with("0.05 usd/day"), TEAM_TOKEN)
    thinking = {"type": "enabled", "budget_tokens": 1_500}
    answer = http.post("/v1/messages", json=messages(max_tokens=32_000, thinking=thinking, stream=True))
    assert answer.status_code == 200 and 1_500 < seller.bounds[0] < 2_000
    refused = http.post("/v1/messages", json=messages(max_tokens=32_000, thinking=thinking | {"budget_tokens": 3_000}))
    assert refused.status_code == 429 and "too large" in refused.text


def events(answer):
    return [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: {")]


@pytest.mark.parametrize("surface", ["chat", "completions", "responses", "messages", "messages elsewhere"])
def test_a_stream_ends_in_order_where_the_vendor_obeys_no_bound(relay_with, seller, caller, surface):
    relay = relay_with("0.1 usd/day")
    http = caller(relay, TEAM_TOKEN)
    (seller.length, seller.obeys, seller.pace) = (30_000, False, 0.001)
    if surface == "chat":
        answer = http.post(PATH, json=body("Hello", model="m", stream=True, stream_options={"include_usage": True}))
        *_, last, usage = events(answer)
        assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}] and answer.text.endswith("data: [DONE]\n\n")
        used = usage["usage"]["completion_tokens"]
    elif surface == "completions":
        fields = {"model": "m", "prompt": "Hello", "stream": True, "stream_options": {"include_usage": True}}
        answer = http.post("/v1/completions", json=fields)
        *_, last, usage = events(answer)
        assert last["choices"][0]["finish_reason"] == "length"
        used = usage["usage"]["completion_tokens"]
    elif surface == "responses":
        answer = http.post("/v1/responses", json={"model": "m", "input": "Hello", "stream": True})
        last = events(answer)[-1]
        assert last["type"] == "response.incomplete"
        assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
        used = last["response"]["usage"]["output_tokens"]
    else:
        answer = http.post("/v1/messages", json=messages(model="c" if surface == "messages" else "m", max_tokens=32_000, stream=True))
        stop, delta, last = events(answer)[-3:]
        assert stop == {"type": "content_block_stop", "index": 0} and last == {"type": "message_stop"}
        assert delta["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
        used = delta["usage"]["output_tokens"]
    assert answer.status_code == 200
    assert seller.left.wait(2), "the vendor's call is cancelled"
    assert 0.6 * 4_000 < used < 1.3 * 4_000
    line = relay.wait_for_line(lambda line: line.get("message") == "request" and line.get("cause") == "budget")
    assert line["status"] == 200
    assert 'relay_budget_ends_total{unit="usd"} 1' in http.get("/metrics").text


@pytest.mark.parametrize("obeys", [True, False], ids=["lowered", "ended"])
def test_the_end_of_a_budget_is_given_to_nobody_else(relay_with, seller, caller, obeys):
    relay = relay_with(
        "0.1 usd/day", KEY_RICH_TOKEN="the-token-of-the-rich-one", KEY_RICH_RATE_LIMIT="100 usd/day", CACHE="true", CACHE_COALESCE="true",
        CACHE_SCOPE="shared",
    )  # fmt: skip
    poor, rich = caller(relay, TEAM_TOKEN), caller(relay, "the-token-of-the-rich-one")
    (seller.length, seller.pace, seller.obeys) = (30_000, 0.001, obeys)
    for stream in (True, False):
        fields = {"max_tokens": 32_000, "stream": stream, "temperature": 0}
        assert ask(poor, **fields).status_code == (200 if stream else 429)
        answer = ask(rich, **fields)
        assert answer.headers["x-relay-cache"] == "miss" and answer.text.count("word") == 30_000
        assert ask(rich, **fields).headers["x-relay-cache"] == "hit"


POOR_TOKEN, RICH_TOKEN = "the-token-of-the-poor-one", "the-token-of-the-rich-one-too"


@pytest.mark.parametrize("place", ["file", "sqlite", "postgres"])
def test_the_operator_sees_what_a_budget_ended_or_lowered(relay_with, seller, caller, tmp_path, request, place):
    secrets.update((POOR_TOKEN, RICH_TOKEN))
    server = Postgres() if place == "postgres" else None
    if server:
        request.addfinalizer(server.remove)
    data = {"file": {"USAGE_LOG_FILE": str(tmp_path / "usage.jsonl")}, "sqlite": {"DATA_DIR": str(tmp_path)}, "postgres": {"USAGE_DATABASE_URL": server and server.url}}[place]
    relay = relay_with("0.1 usd/day", **SETTINGS, **data, KEY_POOR_TOKEN=POOR_TOKEN, KEY_POOR_RATE_LIMIT="0.05 usd/day", KEY_RICH_TOKEN=RICH_TOKEN)
    ended, lowered, served = (caller(relay, token) for token in (TEAM_TOKEN, POOR_TOKEN, RICH_TOKEN))
    assert lowered.post(PATH, json=body("Hello", model="m", stream=True, max_tokens=32_000)).headers["x-relay-max-tokens"]
    assert ask(served).status_code == 200
    (seller.length, seller.obeys, seller.pace) = (30_000, False, 0.001)
    assert '"length"' in ended.post(PATH, json=body("Hello", model="m", stream=True)).text
    operator = Operator(relay.base_url)
    wait_for(lambda: len(operator.items("/admin/req_logs")) == 3)
    found = {item["caller"]: (item["status"], item["api_error"]) for item in operator.items("/admin/req_logs", status="budget")}
    assert found == {"team": ("completed", "budget"), "poor": ("completed", None)}
    assert operator.get("/admin/req_logs", status="budget").json()["total"] == 2 == operator.data("/admin/req_figures", status="budget")["requests"]
    assert operator.get("/admin/req_logs", status="failed").json()["total"] == 0
    wait_for(lambda: sum(minute["budgets"] for minute in operator.data("/admin/overview")["minutes"]) == 2)
    command = [str(binary()), "usage", "--by", "cause", "--json"]
    environment = INHERITED | {"KEY_TEAM_TOKEN": TEAM_TOKEN} | data
    told = json.loads(subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30).stdout)
    assert {row["cause"]: row["requests"] for row in told["rows"]} == {"budget": 1, "lowered by a budget": 1, None: 1}
    # What is used and left, and when it is free.
    (own,) = [row for row in ended.get("/v1/usage").json()["limits"] if row["name"] != "total"]
    assert own["limit"] == "0.10 usd per day" and float(own["used"]) >= 0.1 and float(own["left"]) == 0 and own["resets_at"]
