"""`ADMIN_VIEWER_PASSWORD`: a session that reads all that the operator reads, and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import local_http
import pytest
from operating import SETTINGS, Operator, login
from relay_process import ROOT, Relay

VIEWER = "only-a-look-at-it"
TEAM = "token-of-the-viewer-tests-1"
ROUTES = re.findall(r"^## (GET|POST|DELETE) `([^`]+)`(.*)$", (ROOT / "docs/admin-api.md").read_text(), re.MULTILINE)
CHANGES = [(method, path) for method, path, mark in ROUTES if "*changes*" in mark]
READS = [path for method, path, mark in ROUTES if method == "GET" and not mark.strip() and path != "/admin/live"]


@pytest.fixture(scope="module")
def relay(launch) -> Iterator[Relay]:
    return launch(**SETTINGS, ADMIN_VIEWER_PASSWORD=VIEWER, KEY_TEAM_TOKEN=TEAM, CACHE="true")


@pytest.fixture(scope="module")
def viewer(relay) -> Operator:
    answer = login(relay.base_url, VIEWER, **{"X-Forwarded-For": "10.7.7.7"})
    assert answer.status_code == 200 and answer.json()["data"]["viewer"] is True
    return Operator(relay.base_url, answer.json()["data"]["token"])


def filled(path: str) -> str:
    return path.replace("{name}", "demo").replace("{id}", "0123456789abcdef").replace("{ids}", "1").replace("{md5}", "0" * 32)


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_each_change_is_refused(relay, viewer, method, path):
    refused = viewer.ask(method, filled(path), json={})
    assert refused.status_code == 403 and "may only read" in refused.json()["msg"], refused.text
    headers = {"Cookie": f"token={viewer.token}", "Origin": relay.base_url}
    assert local_http.request(method, relay.base_url + filled(path), headers=headers, json={}).status_code == 403


def test_all_changes_are_tried():
    assert len(CHANGES) >= 11 and len(READS) >= 15


@pytest.mark.parametrize("path", READS)
def test_all_is_read(viewer, path):
    assert viewer.get(filled(path)).status_code in (200, 404)


def test_a_viewer_does_not_reload(relay, viewer):
    for method in ("GET", "POST"):
        assert viewer.ask(method, "/reload_config").status_code in (401, 403, 405)
    operator = Operator(relay.base_url)
    assert operator.post("/admin/reload").status_code == 200
    assert operator.data("/admin/config")["actions"][0]["act"] != "failed login"


def test_the_operator_is_told_so(relay):
    assert login(relay.base_url, **{"X-Forwarded-For": "10.7.7.8"}).json()["data"]["viewer"] is False
