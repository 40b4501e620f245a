"""What a failed request counts as: a failure at a vendor, a refusal by a limit of the relay, or an error of the client. In the log, metrics, tiles, charts and
filters alike."""

import anthropic
import local_http
import openai
import pytest
from anthropic_vendor import failure
from conftest import CLAUDE_KEY, TEAM_TOKEN, VENDOR_KEY, secrets
from memcached import wait_for
from operating import PASSWORD, Operator
from relay_process import provider
from test_metrics import Scrape

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}


def error(status, message="No.", **more):
    return {"status": status, "json": {"error": {"message": message, "type": "x", "code": None} | more}}


CAUSES = {
    "our limit": (None, 429, "refused", "info"),
    "the vendor's 429": (error(429), 429, "failed", "warning"),
    "the vendor's 402": (error(402), 402, "failed", "warning"),
    "an empty account as 429": (error(429, "You exceeded your current quota", code="insufficient_quota"), 402, "failed", "warning"),
    "the vendor's 401": (error(401), 502, "failed", "warning"),
    "the vendor's 500": (error(500), 502, "failed", "warning"),
    "the vendor's 503": (error(503), 503, "failed", "warning"),
    "the client's 400": (error(400), 400, "client error", "info"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_has_one_class_everywhere(start_relay, server, cause):
    script, status, kind, level = CAUSES[cause]
    secrets.add(PASSWORD)
    relay = start_relay(
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_API_KEY=VENDOR_KEY, PROVIDER_ROW_MODELS="m=m/own",
        KEY_TEAM_TOKEN=TEAM_TOKEN, RATE_LIMIT="off", ADMIN_PASSWORD=PASSWORD, **({} if script else {"KEY_TEAM_RATE_LIMIT": "1/hour"}),
    )  # fmt: skip
    server.says("m/own", *([script] if script else [{}]))
    before = Scrape(relay)
    with local_http.Client(base_url=relay.base_url, headers={"Authorization": f"Bearer {TEAM_TOKEN}"}, timeout=30) as http:
        if not script:
            assert http.post("/v1/chat/completions", json=BODY).status_code == 200
        answer = http.post("/v1/chat/completions", json=BODY)
    assert answer.status_code == status, answer.text
    server.take_violations()
    if answer.status_code == 402:
        assert answer.json()["error"]["code"] == "insufficient_quota" and answer.headers["x-should-retry"] == "false" and "retry-after" not in answer.headers
    line = relay.wait_for_line(lambda line: line["message"] == "request" and line["status"] == status)
    assert line["level"] == level
    after = Scrape(relay)
    grown = {name: after("relay_request_failures_total", **{"class": name}) - before("relay_request_failures_total", **{"class": name}) for name in ("failed", "refused")}
    assert grown == {"failed": float(kind == "failed"), "refused": float(kind == "refused")}
    operator = Operator(relay.base_url)
    wait_for(lambda: len(operator.items("/admin/req_logs", status="failed")) == 1)
    found = {name: operator.get("/admin/req_logs", status=name).json()["total"] for name in ("failures", "refusals", "client_errors")}
    expected = {"failures": int(kind == "failed"), "refusals": int(kind == "refused"), "client_errors": int(kind == "client error")}
    assert found == expected
    figures = operator.data("/admin/req_figures")
    assert [figures[name] for name in ("failures", "refusals")] == [expected["failures"], expected["refusals"]]
    outcome = operator.get("/admin/timeline", last="1h", measure="outcome").json()
    assert [outcome["sum"][name] for name in ("failures", "refusals", "client_errors")] == list(expected.values())
    wait_for(lambda: sum(minute["failures"] for minute in operator.data("/admin/overview")["minutes"]) == expected["failures"])
    assert sum(minute["refusals"] for minute in operator.data("/admin/overview")["minutes"]) == expected["refusals"]


def test_an_empty_account_is_402_on_every_surface(start_relay, server, anthropic_server):
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, "m=m/own", API_KEY=VENDOR_KEY),
        **provider("ANT", "anthropic", anthropic_server.base_url, "claude=c", API_KEY=CLAUDE_KEY), KEY_TEAM_TOKEN=TEAM_TOKEN,
    )  # fmt: skip
    server.says("m/own", error(402))
    anthropic_server.says("c", {"status": 400, "json": failure("invalid_request_error", "Your credit balance is too low to access the API")})
    client = openai.OpenAI(base_url=f"{relay.base_url}/v1", api_key=TEAM_TOKEN, max_retries=3)
    for ask in (lambda: client.chat.completions.create(**BODY), lambda: client.responses.create(model="m", input="Hi"), lambda: client.embeddings.create(model="m", input="Hi")):
        with pytest.raises(openai.APIStatusError) as caught:
            ask()
        assert caught.value.status_code == 402 and caught.value.code == "insufficient_quota"
        assert "retry-after" not in caught.value.response.headers and caught.value.response.headers["x-should-retry"] == "false"
    messages = anthropic.Anthropic(base_url=relay.base_url, api_key=TEAM_TOKEN, max_retries=3)
    for model in ("claude", "m"):
        with pytest.raises(anthropic.APIStatusError) as refused:
            messages.messages.create(**BODY | {"model": model})
        assert refused.value.status_code == 402 and refused.value.body["error"]["type"] == "billing_error"
        assert "retry-after" not in refused.value.response.headers
    server.take_violations()
    anthropic_server.take_violations()
