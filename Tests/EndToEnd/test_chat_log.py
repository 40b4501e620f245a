"""The line that each request leaves on standard error."""

import re

import local_http
import pytest
from chat import PATH, ask, body, refusal, stream
from rawhttp import wait_until


def line_of(relay, answer_headers):
    """Returns the log line with the request's id."""
    request_id = answer_headers["x-request-id"]
    return relay.wait_for_line(lambda line: request_id in line.values())


def test_a_success(relay, http, vendor, api_key, mark, is_streamed):
    vendor.answers(api_key, {"answer": f"answer-{mark}", "metadata": {"inputToken": 1234, "outputToken": 5678}})
    line = line_of(relay, (stream if is_streamed else ask)(http, mark).headers)
    assert line["id"] and line["time"] and line["level"] == "info"
    assert (line["method"], line["route"], line["status"]) == ("POST", "/chat/completions", 200)
    assert (line["model"], line["provider"], line["stream"]) == ("gpt-4o-mini", "onemin", is_streamed)
    assert (line["prompt_tokens"], line["completion_tokens"]) == (1234, 5678)
    assert 0 <= line["first_byte_ms"] <= line["duration_ms"] < 30_000
    assert "cause" not in line
    assert not any(secret in str(line) for secret in (api_key, mark))


def test_a_failure_says_why(relay, http, vendor, api_key, mark, is_streamed):
    vendor.answers(api_key, {"status": 500, "json": {"message": f"see https://x.example/{api_key}/{mark}"}})
    _, _, headers = refusal(http, is_streamed, messages=[{"role": "user", "content": mark}])
    line = line_of(relay, headers)
    assert line["status"] == 502 and "500" in line["cause"]
    assert not any(secret in str(line) for secret in (api_key, mark, "://"))


@pytest.mark.parametrize(
    "scenario",
    [{"deltas": ["a", "b"], "cut_at": 50}, {"events": [["content", {"content": "a"}], ["error", {"error": "no"}]]}],
    ids=["cut", "error"],
)
def test_a_failure_within_a_stream_says_why(relay, http, vendor, api_key, mark, scenario):
    vendor.answers(api_key, scenario)
    assert line_of(relay, stream(http, mark).headers)["cause"]


def test_a_refusal_of_the_relay(relay, http, mark):
    _, _, headers = refusal(http, model="nothing", messages=[{"role": "user", "content": mark}])
    line = line_of(relay, headers)
    assert line["status"] == 404 and line["cause"] and mark not in str(line)


def test_refusals_do_not_quote_messages(relay, http, mark):
    for messages in ([{"role": "user", "content": [{"type": "text", "text": {"a": mark}}]}], mark, [mark]):
        _, _, headers = refusal(http, messages=messages)
        assert mark not in str(line_of(relay, headers))


def test_the_callers_id_is_taken(relay, http):
    answer = http.post(PATH, json=body(), headers={"id": "my-id_1.2"})
    assert answer.headers["x-request-id"]
    relay.wait_for_line(lambda line: "my-id_1.2" in line.values())


@pytest.mark.parametrize("odd", ["a" * 65, "a b", "a/b", 'a"b', "é"])
def test_odd_ids_of_callers_are_not_taken(relay, http, odd):
    answer = http.post(PATH, json=body(), headers=[(b"id", odd.encode())])
    assert answer.status_code == 200
    line = line_of(relay, answer.headers)
    assert odd not in line.values()


def test_a_caller_that_left(relay, http, vendor, api_key):
    vendor.answers(api_key, {"deltas": ["first", "second"], "stall_at": 50})
    with http.stream("POST", PATH, json=body(stream=True)) as answer:
        next(answer.iter_lines())
        headers = answer.headers
    assert line_of(relay, headers)["cause"]


def test_there_is_one_line_a_request(relay, http):
    answer = ask(http)
    request_id = answer.headers["x-request-id"]
    line_of(relay, answer.headers)
    again = ask(http)
    line_of(relay, again.headers)
    assert [request_id in line.values() for line in relay.log_lines()].count(True) == 1


def test_what_an_operator_has_to_look_at_is_a_warning(relay, http, vendor, api_key):
    vendor.answers(api_key, {"status": 500, "json": {"message": "no"}})
    assert line_of(relay, refusal(http, False)[2])["level"] == "warning"
    assert line_of(relay, refusal(http, False, model="nothing")[2])["level"] == "info"


def test_what_machines_ask_all_the_time_is_told_at_debug_only(start_relay):
    quiet, loud = start_relay(), start_relay(LOG_LEVEL="debug")
    expected = {(route, "debug") for route in ("/health", "/ready", "/metrics", "OPTIONS")}

    def lines(relay):
        return {(line.get("route"), line["level"]) for line in relay.log_lines() if line["message"] == "request"}

    for relay in (quiet, loud):
        for path in ("/health", "/ready", "/metrics"):
            assert local_http.get(relay.base_url + path).status_code == 200
        assert local_http.options(relay.base_url + PATH).status_code == 204
        assert local_http.get(relay.base_url + "/nothing", headers={"id": "last"}).status_code == 404
        relay.wait_for_line(lambda line: line.get("id") == "last")
    assert wait_until(lambda: lines(loud) == expected | {(None, "info")})
    assert lines(quiet) == {(None, "info")}


def test_a_vendor_that_is_not_found_is_named(start_relay, http):
    relay = start_relay(ONE_MIN_BASE_URL="http://no-such-vendor.invalid")
    http.base_url = relay.base_url
    line = line_of(relay, refusal(http, False)[2])
    assert (line["status"], line["level"]) == (502, "warning")
    assert line["cause"].startswith("onemin: cannot resolve no-such-vendor.invalid")


def test_the_key_that_failed_is_numbered_and_never_shown(start_relay, http, vendor, new_key):
    keys = [new_key(), new_key()]
    vendor.answers(keys[1], {"status": 500, "json": {"message": "no"}})
    relay = start_relay(ONE_MIN_API_KEYS=",".join(keys), ANONYMOUS_MODELS="all")
    http.base_url = relay.base_url
    lines = [line_of(relay, http.post(PATH, json=body()).headers) for _ in range(4)]
    assert sorted((line["status"], line.get("key")) for line in lines) == [(200, None)] * 2 + [(502, "k2")] * 2
    assert not any(key in str(lines) for key in keys)


def test_what_an_answer_cost(start_relay, http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": "a", "metadata": {"inputToken": 1234, "outputToken": 5678}})
    relay = start_relay(PROVIDER_MAIN_KIND="onemin", PROVIDER_MAIN_COST="0.001/0.004")
    http.base_url = relay.base_url
    line = line_of(relay, (stream if is_streamed else ask)(http, "a").headers)
    assert line["cost"] == 0.023946


@pytest.mark.parametrize(
    "settings, summary",
    [
        (
            {"RATE_LIMIT": "60/minute"},
            "providers: onemin (onemin, callers' own keys); callers: any with a key of the provider's; limits: in this "
            "process alone (MEMCACHED_HOST=auto looks for memcached), each group 60 per minute",
        ),
        (
            {
                "PROVIDER_MAIN_KIND": "onemin", "PROVIDER_MAIN_API_KEYS": "one-key,other-key", "PROVIDER_DEMO_KIND": "echo",
                "PROVIDER_DEMO_COST": "0.001/0.004", "KEY_TEAM_TOKEN": "token-of-the-team", "ANONYMOUS_MODELS": "echo,gpt*", "RATE_LIMIT": "off",
                "RATE_LIMIT_CHAT": "5/10 seconds;100 tokens/day", "RATE_LIMIT_TOTAL": "3 usd/day",
                "RATE_LIMIT_BY_MODEL": "gpt*=1/second", "MEMCACHED_SERVERS": "127.0.0.1:1,127.0.0.1:2",
            },
            "providers: demo (echo), main (onemin, 2 keys); callers: 1 known, without a key for echo, gpt*; limits: in "
            "memcached at 127.0.0.1:1, 127.0.0.1:2, chat 5 per 10 seconds and 100 tokens per day, images off, audio off, files "
            "off, models off, some by model, all callers together 3.00 usd per day",
        ),
    ],
    ids=["nothing set", "much set"],
)  # fmt: skip
def test_the_start_line_sums_up_the_settings(start_relay, settings, summary):
    line = start_relay(**settings).wait_for_line(lambda line: line["message"] == "listening")
    assert line["summary"] == summary
    assert not re.search("one-key|other-key|token-of", str(line))
