"""The line that each request leaves on standard error."""

import pytest
from chat import PATH, ask, body, refusal, stream


def line_of(relay, answer_headers):
    """The log line with the request's id."""
    request_id = answer_headers["x-request-id"]
    return relay.wait_for_line(lambda line: request_id in line.values())


def values(line):
    return [str(value) for value in line.values()]


def has_duration(line):
    return any(
        isinstance(value, (int, float)) and any(word in name for word in ("ms", "duration", "seconds", "_s"))
        for name, value in line.items()
    )


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_a_success(relay, http, vendor, api_key, mark, is_streamed):
    vendor.answers(api_key, {"answer": "text", "metadata": {"inputToken": 1234, "outputToken": 5678}})
    answer = (stream if is_streamed else ask)(http, mark)
    line = line_of(relay, answer.headers)
    assert {"gpt-4o-mini", "200", "1234", "5678"} <= set(values(line)), line
    assert any("/chat/completions" in value for value in values(line)), line
    assert has_duration(line), line
    assert not any(secret in str(line) for secret in (api_key, mark, "text "))


def test_a_failure_says_why(relay, http, vendor, api_key, mark):
    vendor.answers(api_key, {"status": 500, "json": {"message": "the vendor's own words"}})
    answer = ask(http, mark)
    line = line_of(relay, answer.headers)
    assert "502" in values(line), line
    assert any("500" in value or "upstream" in value for value in values(line)), line
    assert api_key not in str(line) and mark not in str(line)


def test_a_failure_within_a_stream_says_why(relay, http, vendor, api_key, mark):
    vendor.answers(api_key, {"deltas": ["a", "b"], "cut_at": 50})
    line = line_of(relay, stream(http, mark).headers)
    assert any("upstream" in value for value in values(line)), line


def test_a_refusal_of_the_relay(relay, http, mark):
    _, _, headers = refusal(http, model="nothing", messages=[{"role": "user", "content": mark}])
    line = line_of(relay, headers)
    assert "404" in values(line), line
    assert any("model_not_found" in value for value in values(line)), line


def test_the_callers_id_is_taken(relay, http):
    answer = http.post(PATH, json=body(), headers={"id": "my-id_1.2"})
    assert answer.headers["x-request-id"]
    relay.wait_for_line(lambda line: "my-id_1.2" in line.values())


@pytest.mark.parametrize("odd", ["a" * 65, "a b", "a/b", "a\"b", "é"])
def test_odd_ids_of_callers_are_not_taken(relay, http, odd):
    answer = http.post(PATH, json=body(), headers=[(b"id", odd.encode())])
    assert answer.status_code == 200
    line = line_of(relay, answer.headers)
    assert odd not in values(line)


def test_a_caller_that_left(relay, http, vendor, api_key):
    vendor.answers(api_key, {"deltas": ["first", "second"], "stall_at": 50})
    with http.stream("POST", PATH, json=body(stream=True)) as answer:
        next(answer.iter_lines())
        headers = answer.headers
    line = line_of(relay, headers)
    assert any(word in str(line).lower() for word in ("client", "gone", "left", "cancel", "499")), line


def test_there_is_one_line_a_request(relay, http):
    answer = ask(http)
    request_id = answer.headers["x-request-id"]
    line_of(relay, answer.headers)
    again = ask(http)
    line_of(relay, again.headers)
    assert [request_id in line.values() for line in relay.log_lines()].count(True) == 1
