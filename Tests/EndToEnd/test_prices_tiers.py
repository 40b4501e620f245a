"""Tiers and speeds that a request chooses: under a limit in dollars, only those whose price is known reach the vendor."""

import json

import local_http
import pytest
from anthropic_vendor import whole
from conftest import CLAUDE_KEY, TEAM_TOKEN, VENDOR_KEY
from relay_process import provider

CLAUDE, GPT, VIA = "claude-opus-5-5", "gpt/own", "via/own"
USER = {"role": "user", "content": "Hi"}
BODIES = {
    "messages": ("/v1/messages", {"model": "claude", "max_tokens": 50, "messages": [USER]}),
    "chat": ("/v1/chat/completions", {"model": "gpt", "max_tokens": 50, "messages": [USER]}),
    "responses": ("/v1/responses", {"model": "via", "input": "Hi", "store": False}),
    "chat at messages": ("/v1/chat/completions", {"model": "claude", "max_tokens": 50, "messages": [USER]}),
    "messages at chat": ("/v1/messages", {"model": "gpt", "max_tokens": 50, "messages": [USER]}),
}
MODELS = {"messages": CLAUDE, "chat": GPT, "responses": VIA, "chat at messages": CLAUDE, "messages at chat": GPT}


@pytest.fixture
def sent(start_relay, server, anthropic_server):
    started = {}

    def send(surface, fields, price="1/5 per million", limit="1000 usd/hour"):
        if (price, limit) not in started:
            started[price, limit] = start_relay(
                **provider("ANT", "anthropic", anthropic_server.base_url, f"claude={CLAUDE}", API_KEY=CLAUDE_KEY, COST=price),
                **provider("ROW", "openai", server.base_url, f"gpt={GPT}", API_KEY=VENDOR_KEY, COST=price),
                **provider("VIA", "openai", server.base_url, f"via={VIA}", API_KEY=VENDOR_KEY, CHAT_VIA="responses", COST=price),
                KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_RATE_LIMIT=limit,
            )  # fmt: skip
        path, body = BODIES[surface]
        anthropic_server.says(CLAUDE, {"open": True, "raw": json.dumps(whole({}) | {"model": CLAUDE}).encode()})
        for model in (GPT, VIA):
            server.says(model, {"extra": True})
        with local_http.Client(base_url=started[price, limit].base_url, headers={"x-api-key": TEAM_TOKEN, "Authorization": f"Bearer {TEAM_TOKEN}"}, timeout=30) as http:
            answer = http.post(path, json=body | fields)
        vendor = anthropic_server if MODELS[surface] == CLAUDE else server
        seen = [request["body"] for request in vendor.asked(MODELS[surface])]
        server.take_violations()
        return answer, seen

    return send


ROWS = [
    ("messages", {"speed": "fast"}, "1/5 per million", "left out"),
    ("messages", {"speed": "fast"}, "1/5 per million fast 6/30", "passed"),
    ("messages", {"speed": "fast"}, "1/5 per million any tier", "passed"),
    ("messages", {"speed": "standard"}, "1/5 per million", "passed"),
    ("messages", {"service_tier": "standard_only"}, "1/5 per million", "passed"),
    ("messages", {"service_tier": "priority"}, "1/5 per million", "left out"),
    ("messages", {"inference_geo": "us"}, "1/5 per million", "refused"),
    ("messages", {"inference_geo": "us"}, "1/5 per million any tier", "passed"),
    ("messages", {"inference_geo": "global"}, "1/5 per million", "passed"),
    ("chat", {"service_tier": "priority"}, "1/5 per million", "left out"),
    ("chat", {"service_tier": "priority"}, "1/5 per million priority 2/10", "passed"),
    ("chat", {"service_tier": "ultrafast"}, "1/5 per million", "left out"),
    ("chat", {"service_tier": "flex"}, "1/5 per million", "passed"),
    ("chat", {"service_tier": "auto"}, "1/5 per million", "passed"),
    ("chat", {"service_tier": "priority"}, "reported 1/5 per million", "passed"),
    ("responses", {"service_tier": "priority"}, "1/5 per million", "left out"),
    ("responses", {"service_tier": "priority"}, "1/5 per million priority 2/10", "passed"),
    ("responses", {"service_tier": "flex"}, "1/5 per million", "passed"),
    ("chat", {"speed": "fast"}, "1/5 per million", "left out"),
    ("responses", {"speed": "fast"}, "1/5 per million", "left out"),
    ("messages at chat", {"speed": "fast"}, "1/5 per million", "nowhere"),
    ("chat at messages", {"service_tier": "priority"}, "1/5 per million", "nowhere"),
    ("messages at chat", {"service_tier": "priority"}, "1/5 per million", "nowhere"),
]


@pytest.mark.parametrize("price", sorted({row[2] for row in ROWS}))
def test_a_tier_without_a_price(sent, price):
    wrong = []
    for surface, fields, _, what in [row for row in ROWS if row[2] == price]:
        (name,) = fields
        answer, seen = sent(surface, fields, price)
        ignored = answer.headers.get("x-relay-ignored", "").split(", ")
        assert len(set(ignored)) == len(ignored)
        found = {
            "left out": answer.status_code == 200 and name not in seen[0] and name in ignored,
            "passed": answer.status_code == 200 and seen[0].get(name) == fields[name] and name not in ignored,
            "refused": answer.status_code == 403 and seen == [] and "price" in answer.text,
            "nowhere": answer.status_code == 200 and name not in seen[0],
        }[what]
        if not found:
            wrong.append((surface, fields, what, answer.status_code, answer.headers.get("x-relay-ignored"), answer.text[:200]))
    assert wrong == []


@pytest.mark.parametrize("limit", ["1000 requests/hour", "1000000 tokens/hour"])
def test_without_a_limit_in_dollars_nothing_changes(sent, limit):
    for surface, fields, price, _ in ROWS:
        if price != "1/5 per million" or " at " in surface:
            continue
        (name,) = fields
        answer, seen = sent(surface, fields, price, limit)
        assert answer.status_code == 200 and seen[0].get(name) == fields[name] and "x-relay-ignored" not in answer.headers


@pytest.mark.parametrize("is_streamed", [False, True])
def test_only_what_the_last_provider_lacks_is_named(start_relay, server, is_streamed):
    """The first provider has no price for the tier, so that the field is left out; the other one gets it."""
    rows = {"A": "1/5 per million", "B": "1/5 per million priority 2/10"}
    providers = {
        f"PROVIDER_{row}_{name}": value
        for at, (row, price) in enumerate(rows.items())
        for name, value in {
            "KIND": "openai", "BASE_URL": server.base_url, "API_KEY": VENDOR_KEY, "MODELS": f"gpt=tier/{row}", "COST": price, "PRIORITY": str(at + 1),
        }.items()
    }  # fmt: skip
    relay = start_relay(**providers, KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_RATE_LIMIT="1000 usd/hour")
    server.says("tier/A", {"status": 503, "json": {}})
    server.says("tier/B", {"extra": True})
    path, body = BODIES["chat"]
    with local_http.Client(base_url=relay.base_url, headers={"Authorization": f"Bearer {TEAM_TOKEN}"}, timeout=30) as http:
        answer = http.post(path, json=body | {"service_tier": "priority", "stream": is_streamed})
    assert answer.status_code == 200 and "x-relay-ignored" not in answer.headers
    sent = [server.asked(f"tier/{row}")[0]["body"].get("service_tier") for row in rows]
    assert sent == [None, "priority"]
    server.take_violations()
