"""GET /metrics, read by Prometheus' own parser."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import local_http
import pytest
from chat import MODEL, PATH, ask, body, refusal, stream
from prometheus_client.parser import text_string_to_metric_families

ROUTE = "/chat/completions"
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Scrape:
    """The contents of one response of /metrics."""

    def __init__(self, relay: Any, **headers: str) -> None:
        answer = local_http.get(relay.base_url + "/metrics", headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA_TYPE)
        self.text = answer.text
        self.families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        self.samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in self.families.values():
            assert family.documentation and family.type in ("counter", "gauge", "histogram"), family.name
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.samples, f"twice: {key}"
                self.samples[key] = sample.value

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.samples.get((name, frozenset(labels.items())))

    def all(self, name: str) -> dict[tuple[str, ...], float]:
        """Returns samples by the values of their labels, in order of the labels' names."""
        return {tuple(value for _, value in sorted(labels)): count for (found, labels), count in self.samples.items() if found == name}

    def requests(self) -> dict[tuple[str, ...], float]:
        """Returns the requests by model, route and status."""
        return self.all("relay_requests_total")


def scrape_until(relay: Any, wanted: Callable[[Scrape], bool]) -> Scrape:
    """Returns the first scrape that is `wanted`: a client's disconnect has its effect a little later."""
    ends = time.monotonic() + 5
    while not wanted(got := Scrape(relay)):
        assert time.monotonic() < ends, got.text
    return got


def raw(relay: Any, data: bytes) -> socket.socket:
    """Returns a connection on which `data` was sent."""
    peer = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
    peer.sendall(data)
    return peer


def chat_request(key: str, **fields: Any) -> bytes:
    content = json.dumps(body(**fields)).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


@pytest.fixture
def own(start_relay, http):
    """A relay of this test alone, and `http` on it."""
    relay = start_relay(PROVIDER_MAIN_KIND="onemin", PROVIDER_MAIN_TIMEOUT="300ms", PROVIDER_MAIN_IDLE_TIMEOUT="300ms")
    http.base_url = relay.base_url
    return relay


def test_requests_of_all_kinds(own, http, vendor, api_key, new_key):
    usage = {"metadata": {"inputToken": 100, "outputToken": 7}}
    vendor.answers(api_key, usage)
    for _ in range(3):
        ask(http).raise_for_status()
    for _ in range(2):
        assert stream(http).is_done
    ask(http, model="gpt-4o").raise_for_status()
    assert refusal(http, model='no-such-"model"\\\n')[0] == 404
    assert http.get("/no/such/path").status_code == 404
    assert http.put(PATH).status_code == 405
    assert http.options(PATH).status_code == 204
    assert http.get("/v1/models").status_code == 200
    with raw(own, b"NONSENSE\r\n\r\n") as peer:
        assert peer.recv(4096).startswith(b"HTTP/1.1 400 ")
    got = Scrape(own)
    assert got.requests() == {
        (MODEL, ROUTE, "200"): 5,
        ("gpt-4o", ROUTE, "200"): 1,
        ("other", ROUTE, "404"): 1,
        ("", ROUTE, "405"): 1,
        ("", "OPTIONS", "204"): 1,
        ("", "/models", "200"): 1,
        ("", "/ready", "200"): 1,
        ("", "other", "404"): 1,
        ("", "other", "400"): 1,
    }
    assert got.all("relay_tokens_total") == {
        ("prompt", MODEL): 500, ("completion", MODEL): 35, ("prompt", "gpt-4o"): 100, ("completion", "gpt-4o"): 7,
    }  # fmt: skip
    for name in ("relay_request_duration_seconds", "relay_request_first_byte_seconds"):
        assert got(name + "_count", route=ROUTE) == got(name + "_bucket", route=ROUTE, le="+Inf") == 8
        assert got(name + "_count", route="other") == 2
        buckets = [count for (found, labels), count in got.samples.items() if found == name + "_bucket" and ("route", ROUTE) in labels]
        assert buckets == sorted(buckets) and len(buckets) == 16
        assert 0 <= got(name + "_sum", route=ROUTE) < 60
    assert got.all("relay_upstream_errors_total") == {}
    assert Scrape(own).requests()["", "/metrics", "200"] == 1


def test_failures_by_cause(own, http, vendor, new_key):
    expected: dict[str, int] = {}

    def fail(scenario: dict[str, Any], status: int, cause: str, **fields: Any) -> None:
        key = new_key()
        vendor.answers(key, scenario)
        http.headers["Authorization"] = f"Bearer {key}"
        if fields.get("stream"):
            assert stream(http).error
        else:
            assert ask(http, **fields).status_code == status
        expected[cause] = expected.get(cause, 0) + 1

    fail({"status": 500, "json": {"message": "no"}}, 502, "failed")
    fail({"status": 401, "json": {"message": "no"}}, 401, "refused_key")
    fail({"status": 429, "json": {"message": "no"}}, 429, "refused_rate_limit")
    fail({"status": 400, "json": {"message": "no"}}, 400, "refused_request")
    fail({"status": 406, "json": {"message": "no"}}, 402, "refused_credit")
    fail({"cut_at": 10, "framing": "length"}, 502, "broken")
    fail({"stall_at": -1}, 504, "first_byte_timeout")
    fail({"stall_at": 10, "framing": "length"}, 504, "idle_timeout")
    fail({"deltas": ["a", "b"], "cut_at": 50}, 502, "broken", stream=True)
    got = Scrape(own)
    found = {cause: count for (cause, provider), count in got.all("relay_upstream_errors_total").items()}
    assert found == expected
    assert all(provider == "main" for _, provider in got.all("relay_upstream_errors_total"))
    assert got.requests() == {
        (MODEL, ROUTE, "502"): 3,
        (MODEL, ROUTE, "401"): 1,
        (MODEL, ROUTE, "402"): 1,
        (MODEL, ROUTE, "429"): 1,
        (MODEL, ROUTE, "400"): 1,
        (MODEL, ROUTE, "504"): 2,
        ("", "/ready", "200"): 1,
    }


def test_a_vendor_that_is_not_there(start_relay, http):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        relay = start_relay(ONE_MIN_BASE_URL=f"http://127.0.0.1:{taken.getsockname()[1]}")
        http.base_url = relay.base_url
        assert ask(http).status_code == 502
    assert Scrape(relay).all("relay_upstream_errors_total") == {("unreachable", "onemin"): 1}


@pytest.mark.parametrize("stall_at", [-1, 60], ids=["before-head", "within"])
def test_a_client_that_leaves(start_relay, vendor, api_key, stall_at):
    relay = start_relay()
    vendor.answers(api_key, {"deltas": ["first", "second"], "stall_at": stall_at})
    # The connection that asked whether the relay is ready may still be ending.
    before = scrape_until(relay, lambda got: got("relay_open_connections") == 1)
    peers = [raw(relay, chat_request(api_key, stream=True)) for _ in range(3)]
    vendor.wait(api_key, "stalled", 3)
    streams = 3 if stall_at > 0 else 0
    during = scrape_until(relay, lambda got: got("relay_open_streams") == streams)
    assert during("relay_requests_in_flight") == 4, "three and the scrape"
    assert during("relay_open_connections") == before("relay_open_connections") + 3
    for peer in peers:
        peer.close()
    vendor.wait(api_key, "client_closed", 3)
    after = scrape_until(relay, lambda got: got.requests().get((MODEL, ROUTE, "499")) == 3)
    assert (after("relay_requests_in_flight"), after("relay_open_streams")) == (1, 0)
    assert after.all("relay_upstream_errors_total") == {("cancelled", "onemin"): 3}
    assert after("relay_request_duration_seconds_count", route=ROUTE) == 3
    assert after("relay_request_first_byte_seconds_count", route=ROUTE) == (streams or None)
    scrape_until(relay, lambda got: got("relay_open_connections") == before("relay_open_connections"))


def test_the_process(start_relay):
    began = time.time()
    relay = start_relay(THREADS="2")
    got = Scrape(relay)
    assert began - 1 <= got("process_start_time_seconds") <= time.time() + 1
    assert 1 << 20 < got("process_heap_bytes") < got("process_resident_memory_bytes") < 1 << 30
    assert 5 < got("process_open_fds") < got("process_max_fds")
    assert got("process_threads") > got("relay_loops") == 2
    assert got("process_cpu_seconds_total") >= 0
    assert got("relay_log_lines_dropped_total") == 0
    ((_, version),) = got.families["relay_build_info"].samples[0].labels.items()
    front = local_http.get(relay.base_url, headers={"Accept": "application/json"})
    assert version == front.json()["version"]


def test_only_known_names_become_labels(start_relay):
    relay = start_relay(PROVIDER_DEMO_KIND="echo", PROVIDER_DEMO_MODELS='a"b\\c=x, plain', ANONYMOUS_MODELS="all")
    with local_http.Client(base_url=relay.base_url) as http:
        for model in ('a"b\\c', "plain", *(f"made-up-{number}" for number in range(600))):
            http.post(PATH, json=body("Hello", model=model))
        for number in range(600):
            http.get(f"/made/up/{number}")
    assert Scrape(relay).requests() == {
        ('a"b\\c', ROUTE, "200"): 1,
        ("plain", ROUTE, "200"): 1,
        ("other", ROUTE, "404"): 600,
        ("", "other", "404"): 600,
        ("", "/ready", "200"): 1,
    }


def test_with_a_token(start_relay, new_key):
    token = new_key("token")
    relay = start_relay(METRICS_TOKEN=token)
    url = relay.base_url + "/metrics"
    wrong = [token[:-1], token + "x", token[:-1] + "x", token.upper()]
    for given in (None, "Bearer", "Basic " + token, *("Bearer " + key for key in wrong)):
        answer = local_http.get(url, headers={"Authorization": given} if given else {})
        assert answer.status_code == 401 and "relay_" not in answer.text, given
        assert token[:4] not in answer.text
    assert Scrape(relay, Authorization=f"Bearer {token}").requests()["", "/metrics", "401"] == 7
    assert local_http.head(url, headers={"Authorization": f"bearer {token}"}).status_code == 200
    assert local_http.get(relay.base_url + "/health").status_code == 200


def test_known_callers_are_counted_by_name(start_relay, http, vendor, new_key):
    key = new_key()
    vendor.answers(key, {"answer": "a", "metadata": {"inputToken": 1000, "outputToken": 500}})
    relay = start_relay(
        PROVIDER_MAIN_KIND="onemin", PROVIDER_MAIN_API_KEYS=key, PROVIDER_MAIN_COST="0.001/0.004",
        KEY_TEAM_TOKEN="token-of-the-team", KEY_IDLE_TOKEN="token-of-nobody", ANONYMOUS_MODELS="all",
    )  # fmt: skip
    for number, token in enumerate(["token-of-the-team", "token-of-the-team", "token-of-a-stranger"]):
        headers = {"Authorization": f"Bearer {token}"}
        answer = local_http.post(relay.base_url + PATH, json=body(stream=number == 1), headers=headers)
        assert answer.status_code == 200
    got = Scrape(relay)
    assert got.all("relay_caller_requests_total") == {("team",): 2}
    assert got.all("relay_caller_tokens_total") == {("team", "prompt"): 2000, ("team", "completion"): 1000}
    assert got.all("relay_caller_cost_usd_total") == {("team",): 0.006}
