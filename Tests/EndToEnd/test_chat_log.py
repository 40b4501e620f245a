"""The line that each request leaves on standard error."""

import pytest
from chat import PATH, ask, body, refusal, stream


def line_of(relay, answer_headers):
    """The log line with the request's id."""
    request_id = answer_headers["x-request-id"]
    return relay.wait_for_line(lambda line: request_id in line.values())


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
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


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
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
