"""Records of priced usage: their columns, the lines of the bill, and sums that lack a price."""

import json
from pathlib import Path

import conftest
import pytest
from chat import PATH, ask, body
from conftest import TEAM_TOKEN, VENDOR_KEY
from memcached import wait_for
from operating import SETTINGS, Operator
from postgres import PASSWORD, Postgres
from relay_process import provider
from test_usage_data import rows, told
from usage import lines_so_far

CLAUDE = "claude-sonnet-4-5"
USAGE = {
    "input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 700, "cache_creation_input_tokens": 300,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100}, "service_tier": "batch",
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
}  # fmt: skip
LINES = [
    ("prompt", 100, 3), ("cached prompt", 700, 0.3), ("cache write", 200, 3.75), ("cache write 1h", 100, 6), ("completion", 50, 15),
    ("web_search", 2, 10_000),
]  # fmt: skip
"""The unit, the amount, and the price of one in millionths of a dollar."""
COST = sum(amount * price for _, amount, price in LINES)
DETAILS = {
    "cached_tokens": 700, "cache_writes": 300, "cache_writes_1h": 100, "service_tier": "batch",
    "tool_uses": {"web_search": 2, "web_fetch": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """`database(kind)`: the settings of a database of this kind."""
    servers = []

    def made(kind):
        if kind == "sqlite":
            return {"DATA_DIR": str(tmp_path_factory.mktemp("priced"))}
        servers.append(Postgres())
        return {"USAGE_DATABASE_URL": servers[-1].url}

    yield made
    for server in servers:
        server.remove()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_records_have_the_kinds_of_tokens_and_the_bill(start_relay, anthropic_server, caller, database, tmp_path, kind):
    conftest.secrets.add(PASSWORD)
    log = tmp_path / "priced.log"
    settings = database(kind) | SETTINGS | {
        **provider("ANT", "anthropic", anthropic_server.base_url, f"c={CLAUDE},d={CLAUDE}", API_KEY=VENDOR_KEY, COSTS="c=3/15/0.3/3.75/6 per million", FEES="web_search=0.01"),
        "KEY_TEAM_TOKEN": TEAM_TOKEN, "USAGE_LOG_FILE": str(log), "HOST": "127.0.0.1",
    }  # fmt: skip
    relay = start_relay(**settings)
    anthropic_server.says(CLAUDE, {"usage": USAGE})
    http = caller(relay, TEAM_TOKEN)
    answer = ask(http, model="c", max_tokens=500)
    assert answer.status_code == 200 and float(answer.headers["x-relay-cost"]) == pytest.approx(COST / 1e6)
    assert http.post(PATH, json=body(model="c", max_tokens=500, stream=True)).status_code == 200
    assert ask(http, model="d", max_tokens=500).status_code == 200
    wait_for(lambda: log.exists() and len(lines_so_far(log)) == 6)
    for record in lines_so_far(log):
        assert {name: record[name] for name in DETAILS} == DETAILS
        assert record["cost"] == (pytest.approx(COST / 1e6) if record["model"] == "c" else None)

    operator = Operator(relay.base_url)
    wait_for(lambda: len(operator.items("/admin/req_logs")) == 3)
    listed = operator.items("/admin/req_logs", order_dir="asc")
    for record in listed:
        assert {name: record[name] for name in DETAILS} == DETAILS
    (call,) = operator.data(f"/admin/req_logs/{listed[0]['id']}")["calls"]
    assert {name: call[name] for name in DETAILS} == DETAILS
    bill = [(line["unit"], line["amount"], line["price"] * 1e6) for line in call["bill"]]
    assert bill == [(unit, amount, pytest.approx(price)) for unit, amount, price in LINES]
    assert sum(line["product"] for line in call["bill"]) == pytest.approx(call["quota"])
    (unpriced,) = operator.data(f"/admin/req_logs/{listed[2]['id']}")["calls"]
    assert unpriced["bill"] == [] and unpriced["quota"] is None

    asked = told("usage", "--bill", listed[1]["req_id"], "--json", **settings)
    assert (asked.returncode, asked.stderr) == (0, "")
    found = json.loads(asked.stdout)
    (own,) = found["calls"]
    assert [(line["unit"], line["amount"]) for line in own["lines"]] == [(unit, amount) for unit, amount, _ in LINES]
    assert sum(line["product"] for line in own["lines"]) == pytest.approx(found["cost"]) == pytest.approx(COST / 1e6)
    shown = told("usage", "--bill", listed[1]["req_id"], **settings).stdout.splitlines()
    assert shown[0].split() == ["PROVIDER", "MODEL", "UNIT", "AMOUNT", "PRICE", "USD"]
    assert shown[1].split() == ["ant", CLAUDE, "prompt", "100", "0.000003", "0.0003"]
    assert shown[-1].split() == ["total", "0.02261"]
    other = told("usage", "--bill", listed[2]["req_id"], **settings).stdout
    assert "no price is known" in other and other.endswith("1 of 1 calls without a price.\n")
    nothing = told("usage", "--bill", "req_nothing", **settings)
    assert nothing.returncode == 1 and "no upstream call belongs to this request id" in nothing.stderr

    sums = {"cached_tokens": 2100, "cache_writes": 900, "cache_writes_1h": 300, "unpriced": 1, "cost_is_partial": True}
    for group in ("model", "provider", "session"):
        asked = json.loads(told("usage", "--by", group, "--json", **settings).stdout)
        assert {name: asked["total"].get(name) for name in sums} == sums, group
    by_model = {row["model"]: row for row in json.loads(told("usage", "--json", **settings).stdout)["rows"]}
    assert "unpriced" not in by_model["c"] and by_model["d"]["unpriced"] == 1
    text = told("usage", **settings).stdout
    assert "≥ 0.04522" in text and "1 of 3 without a price.\n" in text
    (day,) = http.get("/v1/usage").json()["days"]
    assert {name: day.get(name) for name in sums} == sums and day["cost"] == pytest.approx(2 * COST / 1e6)
    page = operator.get("/admin/usage", by="model").json()
    assert {name: page["sum"].get(name) for name in sums} == sums
    if kind == "sqlite":
        columns = "cached_tokens, cache_writes, cache_writes_1h, service_tier, tool_uses"
        found = rows(Path(settings["DATA_DIR"]), f"SELECT {columns}, bill FROM usage WHERE model = 'c' AND kind = 1")
        assert found[0][:5] == (700, 300, 100, "batch", "web_search=2,web_fetch=1")
        assert found[0][5].startswith("100 prompt at 0.000003; 700 cached prompt at 0.0000003; ")


def test_a_file_sums_what_has_a_price(start_relay, anthropic_server, caller, tmp_path):
    log = tmp_path / "partial.log"
    settings = {
        **provider("ANT", "anthropic", anthropic_server.base_url, f"c={CLAUDE},d={CLAUDE}", API_KEY=VENDOR_KEY, COSTS="c=3/15"),
        "KEY_TEAM_TOKEN": TEAM_TOKEN, "USAGE_LOG_FILE": str(log),
    }  # fmt: skip
    anthropic_server.says(CLAUDE, {"usage": USAGE})
    http = caller(start_relay(**settings), TEAM_TOKEN)
    for model in ("c", "d", "d"):
        assert ask(http, model=model, max_tokens=500).status_code == 200
    assert ask(http, model="nowhere").status_code == 404
    wait_for(lambda: log.exists() and len(lines_so_far(log)) == 7)
    found = told("usage", "--json", **settings)
    total = json.loads(found.stdout)["total"]
    assert (total["requests"], total["unpriced"], total["cached_tokens"]) == (4, 2, 2100)
    assert "2 of 4 without a price.\n" in told("usage", **settings).stdout
    refused = told("usage", "--bill", "any", **settings)
    assert refused.returncode == 1 and "bills are only in a database" in refused.stderr
