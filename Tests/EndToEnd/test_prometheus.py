"""The dashboard, the alert rules and the page of metrics, against a relay with traffic and a real Prometheus."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import local_http
import pytest
from chat import PATH, body
from limited import client
from memcached import Memcached
from prometheus import CHECKER, Prometheus
from relay_process import ROOT, Relay
from test_metrics import Scrape

RULES = ROOT / "docs/alerts.yml"
ALERTS = ROOT / "Tests/EndToEnd/alerts_test.yml"
"""Series, and the alerts that follow."""
DASHBOARD = ROOT / "deploy/grafana-dashboard.json"
TOKEN = "token-of-the-prometheus-tests"
NAME = re.compile(r"\b(?:relay|process|gen_ai_(?:client|server))_[a-z_]+\b")
EMPTY_ON_A_GOOD_DAY = {"Keys that rest", "Open circuit breakers", "Days until models end"}


def expressions() -> dict[str, str]:
    """Returns the expressions of the dashboard, by panel and letter, with Grafana's variables filled in."""
    found = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            found[f"{panel['title']} {target['refId']}"] = target["expr"].replace("$__rate_interval", "10s")
    return found


@pytest.fixture(scope="module")
def relay(launch: Callable[..., Relay]) -> Iterator[Relay]:
    """A relay that has served, refused and failed requests."""
    store = Memcached()
    relay = launch(
        PROVIDER_DEMO_KIND="echo", PROVIDER_DEMO_COST="0.001", PROVIDER_GONE_KIND="openai", PROVIDER_GONE_MODELS="gone",
        PROVIDER_GONE_BASE_URL="http://127.0.0.1:1/v1", PROVIDER_GONE_API_KEYS="key-of-nobody", KEY_TEAM_TOKEN=TOKEN,
        KEY_TEAM_RATE_LIMIT_MODELS="1/minute", RATE_LIMIT="1000/minute", MEMCACHED_SERVERS=store.address,
    )  # fmt: skip
    yield relay
    relay.stop()
    store.kill()


@pytest.fixture(scope="module")
def prometheus(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    running = Prometheus(tmp_path_factory.mktemp("prometheus"), [relay], RULES)
    yield running
    running.stop()


def traffic(relay: Relay) -> None:
    """Sends a few requests of each kind: successful ones, whole and streamed, with an unavailable vendor, and refused
    by a limit or a permission."""
    with client(relay, TOKEN) as http:
        for stream in (False, True, True):
            assert http.post(PATH, json=body(model="echo", stream=stream)).status_code == 200
        assert http.post(PATH, json=body(model="gone")).status_code == 502
        assert http.get("/v1/models").status_code in (200, 429)
        assert http.post(PATH, json=body(model="nobody-has-it")).status_code == 404


def checked(*words: str) -> str:
    done = subprocess.run([CHECKER, *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_valid() -> None:
    assert re.search(r"SUCCESS: \d+ rules found", checked("check", "rules", str(RULES)))
    assert "SUCCESS" in checked("test", "rules", str(ALERTS))


def test_all_metrics_are_valid_and_on_the_page(relay: Relay) -> None:
    traffic(relay)
    text = local_http.get(relay.base_url + "/metrics").text
    done = subprocess.run([CHECKER, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
    assert not [line for line in done.stderr.splitlines() if not OLD_NAMES.search(line)], done.stderr
    declared = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    page = (ROOT / "docs/metrics.md").read_text()
    assert dict(re.findall(r"^\| `([a-z_]+)` \| (\w+) ", page, re.M)) == declared
    used = {name for expression in expressions().values() for name in NAME.findall(expression)}
    used |= set(NAME.findall(RULES.read_text()))
    assert len(used) > 30
    for name in used:
        base = re.sub("_(bucket|sum|count)$", "", name)
        assert name in declared or declared.get(base) == "histogram", name
    # Each label that they name is one of some metric.
    labels = set(re.findall(r"[{,]([a-z_]+)=\"", text)) | {"le", "job", "instance", "gen_ai_token_type"}
    for expression in expressions().values():
        for group in re.findall(r"by \(([^)]*)\)", expression):
            named = {label.strip() for label in group.split(",")}
            assert named <= labels | LATER, f"{expression}: {named - labels}"


OLD_NAMES = re.compile(r"relay_loop_iteration_seconds_max|gen_ai_client_token_usage")
"""What promtool would call otherwise: a name of old, and one that others chose."""
LATER = {"key"}
"""Labels of series that only come after an event that these tests do not cause."""


def test_every_panel_shows_something(relay: Relay, prometheus: Prometheus) -> None:
    panels = expressions()
    assert len(panels) > 40
    missing = {name for name in panels if name[:-2] not in EMPTY_ON_A_GOOD_DAY}

    def is_shown() -> bool:
        traffic(relay)
        missing.difference_update([name for name in missing if prometheus.query(panels[name])])
        return not missing

    try:
        prometheus.wait_for(is_shown)
    except AssertionError as error:
        raise AssertionError(f"nothing is shown by {sorted(missing)}") from error
    for name in panels:
        prometheus.query(panels[name])


def test_the_rules_are_evaluated(relay: Relay, prometheus: Prometheus) -> None:
    def rules() -> list[dict[str, Any]]:
        (group,) = prometheus.http.get("/api/v1/rules").json()["data"]["groups"]
        found: list[dict[str, Any]] = group["rules"]
        return found if all(rule["health"] != "unknown" for rule in found) else []

    found = prometheus.wait_for(rules)
    assert [rule["name"] for rule in found if rule["health"] != "ok"] == []
    assert {rule["name"] for rule in found} == set(re.findall(r"alert: (\w+)", RULES.read_text()))
    assert not [alert for rule in found if rule["name"] == "RelayDown" for alert in rule["alerts"]]


def test_operations_have_the_names_of_the_conventions(relay: Relay) -> None:
    before = Scrape(relay)
    traffic(relay)
    after = Scrape(relay)

    def more(name: str, **labels: str) -> float:
        return (after(name, **labels) or 0) - (before(name, **labels) or 0)

    echo = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "echo", "provider": "demo", "gen_ai_request_model": "echo"}
    gone = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "provider": "gone", "gen_ai_request_model": "gone"}
    for name in (
        "gen_ai_server_request_duration_seconds", "gen_ai_server_time_to_first_token_seconds",
        "gen_ai_client_operation_duration_seconds",
    ):  # fmt: skip
        assert more(name + "_count", **echo) == more(name + "_bucket", **echo, le="+Inf") == 3, name
    assert more("gen_ai_server_request_duration_seconds_count", **gone, error_type="unreachable") == 1
    assert more("gen_ai_client_operation_duration_seconds_count", **gone, error_type="unreachable") == 1
    nobody = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "_OTHER", "gen_ai_request_model": "other"}
    assert more("gen_ai_server_request_duration_seconds_count", **nobody, error_type="404") == 1
    for kind, own in (("input", "prompt"), ("output", "completion")):
        assert more("gen_ai_client_token_usage_count", **echo, gen_ai_token_type=kind) == 3
        tokens = more("gen_ai_client_token_usage_sum", **echo, gen_ai_token_type=kind)
        assert tokens == more("relay_tokens_total", model="echo", kind=own) > 0
