"""States of providers and their keys as the person on call sees them: lines in the log, and gauges."""

import time
from typing import Any

from chat import MODEL, ask, body, vendor_error
from fake_server import FakeServer, Handler
from memcached import wait_for
from operating import PASSWORD, Operator
from relay_process import free_port, provider

OK = {"answer": "served"}
FAILED = {"status": 500, "text": ""}
CHAT = "/v1/chat/completions"
STATES = (
    "a provider refuses a key; the key is in cooldown", "a provider accepts a key again", "a provider cannot be reached",
    "a provider can be reached again", "a circuit breaker has opened", "a circuit breaker has closed",
)  # fmt: skip
REFUSES, ACCEPTS, UNREACHABLE, REACHED, OPENED, CLOSED = STATES


def states(relay: Any) -> list[tuple[str, ...]]:
    """The lines about states so far: level, message, provider, and key or model."""
    return [
        (line["level"], line["message"], line["provider"], line.get("key", line.get("model", "")))
        for line in relay.log_lines()
        if line["message"] in STATES
    ]


def gauge(client: Any, name: str) -> list[str]:
    rows = client.get("/metrics").text.splitlines()
    return sorted(row.removeprefix(name) for row in rows if row.startswith(name + "{"))


def asks_until(client: Any, is_so: Any, model: str = MODEL, status: int | None = 200) -> None:
    """Goes on asking, as load would."""
    ends = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < ends, states(client.relay)
        answer = client.post(CHAT, json=body(model=model))
        assert status is None or answer.status_code == status, answer.text
        time.sleep(0.02)


class Refusing(Handler):
    """A server that can be reached, and fails."""

    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        self.send(500)


def test_each_state_is_told_once_when_it_begins_and_once_when_it_is_over(serve, vendor):
    port = free_port()
    providers, client = serve(
        a=3, b=1, PROVIDER_A_PRIORITY=1, BREAKER_FAILURES=2, BREAKER_SECONDS=1,
        **provider("GONE", "openai", f"http://127.0.0.1:{port}/v1", "gone", API_KEYS="key-of-nobody"),
    )  # fmt: skip
    relay = client.relay
    place = f"127.0.0.1:{vendor.base_url.rpartition(':')[2]}/"

    # Three keys are refused; the provider `b` serves.
    soon = {"headers": {"Retry-After": "1"}}
    faults = [
        {"status": 401, "json": vendor_error("API Key has been deleted")}, {"status": 402, "json": vendor_error("Pay")} | soon,
        {"status": 403, "json": vendor_error("Forbidden")} | soon,
    ]  # fmt: skip
    for key, fault in zip(providers.keys["a"], faults, strict=True):
        vendor.answers(key, fault)
    for _ in range(5):
        assert ask(client).headers["x-relay-provider"] == "b"
    relay.wait_for_line(lambda line: line["message"] == REFUSES and line["key"] == "k3")
    begun = [("warning", REFUSES, "a", key) for key in ("k1", "k2", "k3")]
    assert states(relay) == begun
    causes = [line["cause"] for line in relay.log_lines() if line["message"] == REFUSES]
    assert [cause.split(" at ")[0] for cause in causes] == [f"the vendor answered {status} HTTP_EXCEPTION" for status in (401, 402, 403)]
    assert all(f" at {place}api/" in cause and "?" not in cause for cause in causes), causes
    assert len(gauge(client, "relay_provider_key_resting")) == 3
    # Trials that fail tell nothing new; those that succeed end the state.
    calls = sum(providers.counts("a"))
    asks_until(client, lambda: sum(providers.counts("a")) >= calls + 2)
    assert states(relay) == begun
    for key in providers.keys["a"][1:]:
        vendor.answers(key, OK)
    asks_until(client, lambda: len(states(relay)) == 5)
    assert sorted(states(relay)[3:]) == [("info", ACCEPTS, "a", key) for key in ("k2", "k3")]
    assert gauge(client, "relay_provider_key_resting") == ['{provider="a",key="k1"} 1']

    # The provider fails; its breaker opens, and its trials fail for two seconds more.
    for key in providers.keys["a"]:
        vendor.answers(key, FAILED)
    ends = time.monotonic() + 2.5
    asks_until(client, lambda: time.monotonic() > ends)
    assert states(relay)[5:] == [("warning", OPENED, "a", MODEL)]
    assert gauge(client, "relay_provider_breaker_open") == [f'{{provider="a",model="{MODEL}"}} 1']
    for key in providers.keys["a"]:
        vendor.answers(key, OK)
    asks_until(client, lambda: len(states(relay)) == 7)
    assert states(relay)[6:] == [("info", CLOSED, "a", MODEL)] and gauge(client, "relay_provider_breaker_open") == []
    closed = relay.wait_for_line(lambda line: line["message"] == CLOSED)
    assert closed["after_s"] >= 2

    # A provider that cannot be reached, and that answers again, though with a failure.
    asks_until(client, lambda: len(states(relay)) == 9, "gone", 502)
    assert states(relay)[7:] == [("warning", UNREACHABLE, "gone", ""), ("warning", OPENED, "gone", "gone")]
    line = relay.wait_for_line(lambda line: line["message"] == UNREACHABLE)
    assert line["cause"].startswith(f"cannot connect to 127.0.0.1:{port}/v1/chat/completions: connection refused")
    server = FakeServer(Refusing, port)
    try:
        asks_until(client, lambda: len(states(relay)) == 10, "gone", 502)
    finally:
        server.stop()
    assert states(relay)[9:] == [("info", REACHED, "gone", "")]
    last = [line for line in relay.log_lines() if line.get("model") == "gone" and "status" in line][-1]
    assert last["cause"] == f"gone: the vendor answered 500 at 127.0.0.1:{port}/v1/chat/completions"


def test_the_operator_sees_why_and_since_when_until_a_request_was_served(serve, vendor):
    """States have a reason, and do not end with a time-out, only with a request that was served."""
    port = free_port()
    providers, client = serve(
        a=2, ADMIN_PASSWORD=PASSWORD, BREAKER_FAILURES=1, BREAKER_SECONDS=1, PROVIDER_GONE_KIND="openai",
        PROVIDER_GONE_BASE_URL=f"http://127.0.0.1:{port}/v1", PROVIDER_GONE_MODELS="gone", PROVIDER_GONE_API_KEYS="gone-key-0123456789",
    )  # fmt: skip
    relay, began = client.relay, int(time.time())
    operator = Operator(relay.base_url)

    def overview(name: str) -> dict[str, Any]:
        return next(row for row in operator.data("/admin/overview")["providers"] if row["name"] == name)

    def row(name: str) -> dict[str, Any]:
        return next(item for item in operator.items("/admin/provider") if item["name"] == name)

    assert overview("a") == {"name": "a", "state": "ok", "reason": None, "since": None, "keys": 2, "bad_keys": []}
    vendor.answers(providers.keys["a"][1], {"status": 401, "json": vendor_error("API Key has been deleted")})
    asks_until(client, lambda: row("a")["keys"][1]["state"] != "ok")
    [good, bad] = row("a")["keys"]
    assert good["state"] == "ok" and good["reason"] is None and row("a")["state"] == "ok"
    assert bad["state"].startswith("cooldown until ") and bad["reason"] == "401" and bad["since"] >= began
    line = relay.wait_for_line(lambda line: line["message"] == REFUSES)
    assert line["for_s"] == 300 and line["remedy"].startswith("correct the key in PROVIDER_A_API_KEYS and reload, or add credit and then resume")

    assert client.post(CHAT, json=body(model="gone")).status_code == 502
    gone = row("gone")
    assert gone["state"].startswith("circuit open until ") and gone["since"] >= began
    assert gone["reason"] == f"cannot connect to 127.0.0.1:{port}/v1/chat/completions: connection refused"
    line = relay.wait_for_line(lambda line: line["message"] == OPENED)
    assert line["for_s"] == 1 and "first call that succeeds" in line["remedy"]
    assert "PROVIDER_GONE_BASE_URL" in relay.wait_for_line(lambda line: line["message"] == UNREACHABLE)["remedy"]
    wait_for(lambda: not row("gone")["state"].startswith("circuit open"))
    assert (row("gone")["state"], row("gone")["reason"]) == ("unavailable", gone["reason"])
    # Each look computes the start anew, so two of them may be on different sides of a second.
    wait_for(lambda: overview("gone")["state"] == "unavailable" and overview("gone")["since"] == row("gone")["since"])
    [k2] = overview("a")["bad_keys"]
    assert (k2["name"], k2["reason"], overview("a")["state"]) == ("k2", "401", "ok")
    assert operator.post("/admin/provider/gone/resume").status_code == 200 and row("gone")["state"] == "ok"


def test_callers_keys_have_no_lines(start_relay, vendor, new_key, caller):
    relay = start_relay(PROVIDER_A_KIND="onemin", PROVIDER_A_BASE_URL=vendor.base_url, PROVIDER_A_PASSTHROUGH="true")
    for _ in range(5):
        with caller(relay, new_key("bad")) as client:
            assert ask(client).status_code == 401
    relay.wait_for_line(lambda line: line.get("status") == 401)
    assert states(relay) == []
