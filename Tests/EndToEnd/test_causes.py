"""The cause of a failed request, in its log line and its record: provider, key and host:port, in words."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import local_http
import pytest
from fake_server import FakeServer, Handler
from memcached import wait_for
from operating import PASSWORD, Operator
from relay_process import Relay, free_port

TOKEN = "sk-relay-for-tests-0001"
HELLO = {"role": "user", "content": "Hello"}


class Refusing(Handler):
    """Refuses every key; `/slow` never answers."""

    def do_POST(self) -> None:
        self.read()
        if self.path.startswith("/slow"):
            self.fake.asked.set()
            self.fake.ended.wait(30)
            return
        self.send(503 if self.path.startswith("/busy") else 401, {"error": {"message": "no such key"}})


@pytest.fixture(scope="module")
def refusing() -> Iterator[FakeServer]:
    fake = FakeServer(Refusing)
    fake.asked, fake.ended = threading.Event(), threading.Event()
    yield fake
    fake.ended.set()
    fake.stop()


CLOSED = free_port()


@pytest.fixture(scope="module")
def relay(launch, refusing, new_key) -> Relay:
    at = refusing.base_url
    rows = {
        "ALPHA": (f"{at}/v1", "a,both,three"), "GAMMA": (f"{at}/v1", "g"), "SLOW": (f"{at}/slow/v1", "s"), "BUSY": (f"{at}/busy/v1", "three"),
        "BETA": (f"http://127.0.0.1:{CLOSED}/v1", "b,both"),
    }  # fmt: skip
    settings = {}
    for name, (url, models) in rows.items():
        fields = {"KIND": "openai", "BASE_URL": url, "MODELS": models}
        settings |= {f"PROVIDER_{name}_{field}": value for field, value in fields.items()}
        if name != "GAMMA":
            settings[f"PROVIDER_{name}_API_KEYS"] = new_key()
    return launch(
        **settings, PROVIDER_ONE_KIND="onemin", PROVIDER_ONE_API_KEYS=new_key(), PROVIDER_ONE_MODELS="gpt-4o-mini",
        KEY_TEAM_TOKEN=TOKEN, FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.1/32", BREAKER_FAILURES=1000,
        PROVIDER_ALPHA_PRIORITY=1, PROVIDER_BETA_PRIORITY=2, PROVIDER_BUSY_PRIORITY=3, ADMIN_PASSWORD=PASSWORD,
    )  # fmt: skip


def ask(relay: Relay, model: str, content: Any = "Hello") -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": content}]}
    with local_http.Client(timeout=30) as http:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return http.post(relay.base_url + "/v1/chat/completions", json=body, headers=headers)


@pytest.fixture(scope="module")
def operator(relay) -> Operator:
    return Operator(relay.base_url)


def line_and_record(relay: Relay, operator: Operator, request_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    line = relay.wait_for_line(lambda line: line["message"] == "request" and line["id"] == request_id)
    found: list[dict[str, Any]] = []
    wait_for(lambda: found.extend(operator.items("/admin/req_logs", keywords=request_id)) or found)
    return line, operator.data(f"/admin/req_logs/{found[0]['id']}")


@pytest.mark.parametrize(
    ("model", "provider", "cause"),
    [
        ("a", "alpha", "alpha: key k1 was rejected (401) at {server}/v1/chat/completions"),
        ("g", "gamma", "gamma: the provider wants a key; none is set (PROVIDER_GAMMA_API_KEYS)"),
        ("b", "beta", "beta: cannot connect to 127.0.0.1:{closed}/v1/chat/completions: connection refused"),
    ],
)
def test_a_cause_names_provider_key_and_host(relay, operator, refusing, model, provider, cause):
    answer = ask(relay, model)
    line, record = line_and_record(relay, operator, answer.headers["x-request-id"])
    expected = cause.format(server=f"127.0.0.1:{refusing.port}", closed=CLOSED)
    assert (line["cause"], line["provider"]) == (expected, provider)
    assert (record["api_error"], record["service_provider"]) == (expected, f"openai_{provider}")


@pytest.mark.parametrize("model", ["both", "three"])
def test_the_cause_is_that_of_the_provider_in_its_column(relay, operator, model):
    for _ in range(3):
        answer = ask(relay, model)
        line, record = line_and_record(relay, operator, answer.headers["x-request-id"])
        provider = line["cause"].partition(":")[0]
        words = {"alpha": "key k1 was rejected (401)", "beta": "cannot connect to", "busy": "the vendor answered 503"}
        assert line["provider"] == provider and line["cause"].startswith(f"{provider}: {words[provider]}")
        assert record["api_error"] == line["cause"] and record["service_provider"] == f"openai_{provider}"


def test_the_log_says_no_sentence_twice(relay, operator, refusing):
    for _ in range(3):
        line, _ = line_and_record(relay, operator, ask(relay, "both").headers["x-request-id"])
        last = line["provider"]
        other = {"alpha": "beta k1: cannot connect to", "beta": "alpha k1: the vendor answered 401 at"}[last]
        assert line["cause"].startswith(f"{last}: ") and ";" not in line["failed"], line
        assert line["failed"].startswith(other), line
    assert "failed" not in line_and_record(relay, operator, ask(relay, "a").headers["x-request-id"])[0]


def test_the_log_has_the_address_of_who_is_refused(start_relay):
    relay = start_relay(PROVIDER_DEMO_KIND="echo", KEY_TEAM_TOKEN=TOKEN, TRUSTED_PROXIES="127.0.0.1")
    hello = {"model": "echo", "messages": [HELLO]}
    with local_http.Client(base_url=relay.base_url, headers={"X-Forwarded-For": "192.0.2.7"}) as http:
        wrong, right = {"Authorization": "Bearer sk-wrong"}, {"Authorization": f"Bearer {TOKEN}"}
        answers = [
            http.post("/v1/chat/completions", json=hello, headers=wrong), http.post("/reload_config"),
            http.post("/v1/chat/completions", json=hello | {"model": "none"}, headers=right), http.get("/nothing"),
            http.post("/v1/chat/completions", json=hello, headers=right), http.post("/v1/chat/completions", json={}, headers=right),
        ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [401, 403, 404, 404, 200, 400]
    ids = [answer.headers["x-request-id"] for answer in answers]
    lines = [relay.wait_for_line(lambda line, name=name: line.get("id") == name) for name in ids]
    assert [line.get("client") for line in lines] == ["192.0.2.7"] * 4 + [None] * 2


def test_a_client_that_leaves_is_called_so(relay, operator, refusing):
    body = json.dumps({"model": "s", "messages": [HELLO]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {TOKEN}\r\n"
    with socket.create_connection(("127.0.0.1", relay.port)) as peer:
        peer.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        assert refusing.asked.wait(10)
    line = relay.wait_for_line(lambda line: line.get("status") == 499)
    line, record = line_and_record(relay, operator, line["id"])
    assert line["cause"] == "the client left" == record["api_error"]
    assert [call["error"] for call in record["calls"]] == ["the client left"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "connection refused"), ("127.0.0.2", "the relay may not connect to this address (FETCH_ALLOW_NETWORKS)")],
)
def test_a_picture_that_cannot_be_fetched_is_called_by_its_host(relay, operator, host, reason):
    url = f"http://{host}:{CLOSED}/private/path.png?secret=1"
    answer = ask(relay, "gpt-4o-mini", [{"type": "image_url", "image_url": {"url": url}}])
    assert answer.status_code == 400 and host not in answer.text
    line, record = line_and_record(relay, operator, answer.headers["x-request-id"])
    assert line["cause"] == f"cannot connect to {host}:{CLOSED}: {reason}" == record["api_error"]
