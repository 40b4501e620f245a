"""The operator's API: what it shows agrees with what happened, and its changes take effect."""

import base64
import csv
import hashlib
import io
import json
import os
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import conftest
import httpx
import local_http
import pictures
import pytest
from limited import chat_body
from memcached import wait_for
from operating import PASSWORD, SECRET, SETTINGS, Operator, login, token
from relay_process import ROOT, Relay

TEAM, OTHER = "token-of-the-admin-api-tests-1", "token-of-the-admin-api-tests-2"
LIMITS = {"KEY_TEAM_TOKEN": TEAM, "KEY_TEAM_RATE_LIMIT_CHAT": "10/minute;100000 tokens/day", "KEY_OTHER_TOKEN": OTHER}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def operated(launch, folder):
    conftest.secrets.update((PASSWORD, SECRET, TEAM, OTHER))
    relay = launch(
        **SETTINGS, **LIMITS, DATA_DIR=folder, CACHE="true", ADMIN_LOG_BODIES="true", ADMIN_BODY_KB="2", PROVIDER_DEMO_MODELS="echo,fast=echo",
        PROVIDER_FAR_KIND="openai", PROVIDER_FAR_BASE_URL="http://127.0.0.1:1/v1", PROVIDER_FAR_API_KEYS="far-key-one-1234,far-key-two-5678",
        PROVIDER_FAR_MODELS="far=far-model", FALLBACK_ATTEMPTS="1",
    )  # fmt: skip
    yield relay
    relay.stop()


@pytest.fixture(scope="module")
def operator(operated):
    return Operator(operated.base_url)


def ask(relay: Relay, model: str = "echo", key: str = TEAM, content: str = "Hello", **fields) -> httpx.Response:
    body = chat_body(model=model, messages=[{"role": "user", "content": content}], **fields)
    return local_http.post(relay.v1 + "/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30)


REVERSED = {"from": "2026-01-02", "to": "2026-01-01"}


def test_limits_are_what_the_next_request_is_told(operated, operator):
    for _ in range(3):
        answer = ask(operated)
        assert answer.status_code == 200, answer.text
    [chat] = [item for item in operator.items("/admin/limits", caller="team") if item["unit"] == "requests"]
    assert (chat["caller"], chat["quota"], chat["used"], chat["left"], chat["waiting"]) == ("team", "10 requests per minute", "3", "7", 0)
    assert 0 < chat["resets_at"] - time.time() < 64
    assert chat in operator.items("/admin/limits", caller="TEAM"), "the case of a name does not matter"
    assert ask(operated).headers["x-ratelimit-remaining-requests"] == "6"
    answer = operator.post("/admin/limits/reset", {"caller": "team", "id": chat["id"]})
    assert answer.status_code == 200 and answer.json()["data"] == {"all_instances": False}
    assert ask(operated).headers["x-ratelimit-remaining-requests"] == "9"
    for body, status in (({"caller": "team", "id": "x"}, 404), ({"caller": "none", "id": chat["id"]}, 404), ({"caller": "team"}, 400), ([], 400)):
        assert operator.ask("POST", "/admin/limits/reset", json=body).status_code == status
    [tokens] = [item for item in operator.items("/admin/limits", caller="team") if item["unit"] == "tokens"]
    assert int(tokens["used"]) > 3

    def give_back(amount):
        return operator.ask("POST", "/admin/limits/give-back", json={"caller": "team", "id": tokens["id"], "amount": amount})

    assert give_back("3 tokens").json()["data"] == {"amount": "3 tokens", "all_instances": False}
    [after] = [item for item in operator.items("/admin/limits", caller="team") if item["unit"] == "tokens"]
    assert int(after["used"]) == int(tokens["used"]) - 3
    assert [give_back(amount).status_code for amount in ("3 usd", "-3 tokens", "3", None)] == [400] * 4
    assert give_back("99999 tokens").json()["data"]["amount"] == f"{after['used']} tokens", "at most what was used"
    assert give_back("1 tokens").status_code == 404
    everybody = operator.get("/admin/limits").json()
    assert everybody["total"] >= 2 and {item["caller"] for item in everybody["items"]} >= {"team"}


def test_a_limit_of_all_callers_stands_once_and_no_callers_row_resets_it(start_relay):
    relay = start_relay(**SETTINGS, **LIMITS, RATE_LIMIT_TOTAL="50/hour;9 concurrent")
    operator = Operator(relay.base_url)
    assert [ask(relay, key=key).status_code for key in (TEAM, OTHER, OTHER)] == [200, 200, 200]

    def rows(**fields):
        return {item["quota"]: item for item in operator.items("/admin/limits", **fields) if item["limit"] == "total"}

    def used(quota, **fields):
        [item] = [item for item in operator.items("/admin/limits", **fields) if item["quota"] == quota]
        return item["caller"], item["used"]

    listed = [item["limit"] for item in operator.items("/admin/limits")]
    assert listed[:2] == ["total", "total"] and listed.count("total") == 2 and "total" not in [item["limit"] for item in operator.items("/admin/limits", page=2)]
    total = rows()["50 requests per hour"]
    assert (total["caller"], total["used"], total["left"]) == (None, "3", "47") and rows(caller="team")["50 requests per hour"]["caller"] is None
    assert [item["quota"] for item in operator.data("/admin/overview")["limits"] if item["limit"] == "total"] == ["50 requests per hour"]

    def reset(**body):
        return operator.ask("POST", "/admin/limits/reset", json=body)

    named = reset(caller="team", id=total["id"])
    assert named.status_code == 400 and "counts several callers together" in named.text and "leave out 'caller'" in named.text
    own = next(item for item in operator.items("/admin/limits", caller="team") if item["quota"] == "10 requests per minute")
    assert reset(id=own["id"]).status_code == 400
    assert reset(id="no-such-limit").status_code == 404 == reset(caller="team", id="group.requests.3600:none").status_code
    assert reset(id=rows()["9 concurrent"]["id"]).status_code == 400
    assert used("50 requests per hour") == (None, "3"), "what was refused changed nothing"
    assert reset(caller="team", id=own["id"]).status_code == 200
    assert used("50 requests per hour") == (None, "3") and used("10 requests per minute") == ("team", "0")
    assert ask(relay).status_code == 200
    assert reset(id=total["id"]).status_code == 200
    assert used("50 requests per hour") == (None, "0") and used("10 requests per minute") == ("team", "1")
    assert operator.data("/admin/config")["actions"][0]["target"] == f"all callers {total['id']}"


def test_a_parameter_that_is_there_twice_is_refused(operator):
    answer = operator.ask("GET", "/admin/limits", params=[("caller", "team"), ("caller", "other")])
    assert answer.status_code == 400 and "'caller' is there more than once" in answer.json()["msg"]


def test_an_unknown_parameter_is_named_and_nothing_is_done(operated, operator):
    routes = re.findall(r"^## (GET|POST|DELETE) `(/admin[^`]*)`", (ROOT / "docs" / "admin-api.md").read_text(), re.MULTILINE)
    assert len(routes) > 30
    for method, path in routes:
        path = re.sub(r"\{\w+\}", "1", path)
        if path == "/admin":
            assert operator.get(path, utm_source="mail").status_code == 200, "a page, to which links may have anything"
            continue
        ways = [{"params": {"amounts": "3"}}] + ([{"json": {"amounts": "3", "username": "x"}}] if method != "GET" else [])
        for way in ways:
            answer = operator.ask(method, path, **way)
            assert answer.status_code == 400 and "'amounts'" in answer.json()["msg"], (method, path, way, answer.text)
    [chat] = [item for item in operator.items("/admin/limits", caller="team") if item["unit"] == "requests"]
    ask(operated)
    answer = operator.post("/admin/limits/reset", {"caller": "team", "id": chat["id"], "amount": "1 requests"})
    assert answer.status_code == 400 and answer.json()["msg"] == "Unknown parameter 'amount'. Known: caller, id."
    [left] = [item for item in operator.items("/admin/limits", caller="team") if item["unit"] == "requests"]
    assert int(left["used"]) == int(chat["used"]) + 1


def test_a_callers_own_usage(operated):
    told = local_http.get(operated.v1 + "/usage", headers={"Authorization": f"Bearer {TEAM}"})
    assert told.status_code == 200, told.text
    body = told.json()
    assert (body["object"], body["caller"]) == ("usage", "team")
    assert {limit["limit"] for limit in body["limits"]} >= {"10 requests per minute", "100000 tokens per day"}
    assert all(limit["is_used_up"] is (limit["left"] == "0") for limit in body["limits"])
    assert local_http.get(operated.v1 + "/usage").json()["caller"] is None
    assert local_http.get(operated.base_url + "/usage", headers={"Authorization": f"Bearer {TEAM}"}).status_code == 404
    operator = Operator(operated.base_url)
    wait_for(lambda: any(row["caller"] == "team" for row in operator.items("/admin/usage", by="caller")))
    [day] = local_http.get(operated.v1 + "/usage", headers={"Authorization": f"Bearer {TEAM}"}).json()["days"]
    assert set(day) == {"date", "requests", "prompt_tokens", "completion_tokens", "cost", "unpriced", "cost_is_partial"}
    assert day["requests"] >= 3 and day["unpriced"] >= 1


def test_callers_see_of_the_limits_of_all_only_whether_one_is_used_up(operated, start_relay):
    """Neither the response nor the headers tell a caller what others have used."""
    tokens = ask(operated, key=OTHER, max_tokens=1).json()["usage"]["total_tokens"]
    settings = {"KEY_A_TOKEN": TEAM, "KEY_B_TOKEN": OTHER, "KEY_B_RATE_LIMIT": "9/hour", "RATE_LIMIT": "off"}
    relay = start_relay(**SETTINGS, **settings, RATE_LIMIT_TOTAL=f"100/hour;{3 * tokens} tokens/day")

    def told():
        answer = local_http.get(relay.v1 + "/usage", headers={"Authorization": f"Bearer {OTHER}"})
        assert answer.status_code == 200, answer.text
        total, own = answer.json()["limits"]
        assert (own["name"], own["limit"], own["is_used_up"]) == ("key", "9 requests per hour", False)
        return total

    nothing = {"limit": "all callers together", "name": "total", "used": None, "left": None, "resets_at": None, "is_used_up": False}
    assert told() == nothing
    assert not [name for name in ask(relay, key=TEAM, max_tokens=1).headers if "ratelimit" in name]
    assert told() == nothing
    headers = ask(relay, key=OTHER, max_tokens=1).headers
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("9", "8")
    assert "x-ratelimit-limit-tokens" not in headers
    assert ask(relay, key=TEAM, max_tokens=1).status_code == 200
    used_up = told()
    assert used_up["is_used_up"] and used_up["used"] is None and used_up["left"] is None and used_up["resets_at"] > time.time()
    refused = ask(relay, key=OTHER, max_tokens=1)
    assert refused.status_code == 429 and refused.headers["x-ratelimit-remaining-tokens"] == "0"


def test_the_pages_own_requests_are_not_counted(start_relay, clock):
    wall = clock(0)
    relay = start_relay(**SETTINGS, **wall.environment)
    operator = Operator(relay.base_url)
    live = local_http.Client(headers={"Authorization": f"Bearer {operator.token}"}, timeout=10)
    with live, live.stream("GET", relay.base_url + "/admin/live") as events:
        assert next(events.iter_lines()) == "event: overview"
        assert operator.items("/admin/running") == []
        time_of = operator.items("/admin/instances")[0]["seen_at"]
        wall.advance_until(lambda: operator.items("/admin/instances")[0]["seen_at"] > time_of, 15)
        assert operator.items("/admin/instances")[0]["running"] == 0
        assert operator.data("/admin/overview")["running"] == 0


def test_records_their_filters_and_their_end(operated, operator):
    ask(operated, content="unlike any other", user="somebody")
    assert ask(operated, model="far", key=OTHER).status_code >= 500
    wait_for(lambda: operator.items("/admin/req_logs", model="far") != [])
    [failed] = operator.items("/admin/req_logs", model="far", status="failed", caller="other", provider="far")
    assert failed["status"] == "failed" and failed["service_provider"] == "openai_far" and failed["api_error"]
    assert failed["token"] == "toke...-2" and failed["uri"] == "/chat/completions" and len(failed["md5"]) == 32
    detail = operator.data(f"/admin/req_logs/{failed['id']}")
    assert {call["provider"] for call in detail["calls"]} == {"far"} and detail["calls"][0]["key"] in ("k1", "k2")
    page = operator.get("/admin/req_logs", per_page=2, order_by="time", order_dir="asc").json()
    assert len(page["items"]) == 2 and page["total"] > 4
    older = operator.items("/admin/req_logs", before=failed["id"])
    assert failed["id"] not in [item["id"] for item in older] and older
    for hostile in ("%", "_", "'; DROP TABLE requests;--", '"', "\\", "\0", "a" * 200):
        assert operator.get("/admin/req_logs", keywords=hostile).status_code in (200, 400)
    assert operator.items("/admin/req_logs", keywords="%") == []
    assert operator.get("/admin/req_logs", keywords="a" * 201).status_code == 400
    assert operator.get("/admin/req_logs", keywords="a" * 60_000).status_code in (400, 414, 431)
    for wrong in ({"order_by": "nothing"}, {"per_page": 201}, {"page": 0}, {"status": "ended"}, {"from": "yesterday"}, {"min_cost": "-1"}, {"before": "x"}, {"color": "red"}, REVERSED):
        answer = operator.get("/admin/req_logs", **wrong)
        assert answer.status_code == 400 and answer.json()["status"] == 1, wrong
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert operator.items("/admin/req_logs", **{"from": today, "to": today}) != []
    assert operator.items("/admin/req_logs", to="2020-01-01T00:00:00+01:00") == []
    assert operator.ask("DELETE", f"/admin/req_logs/{failed['id']}").json()["msg"] == "Deleted"
    assert operator.get(f"/admin/req_logs/{failed['id']}").json() == {"status": 1, "msg": "Not found"}
    ids = ",".join(str(item["id"]) for item in page["items"])
    assert operator.ask("DELETE", f"/admin/req_logs/bulkDelete/{ids}").json()["msg"] == "Deleted"
    again = operator.ask("DELETE", f"/admin/req_logs/bulkDelete/{ids}")
    assert (again.status_code, again.json()) == (404, {"status": 1, "msg": "Not found"}), "none of them is there"
    assert operator.ask("DELETE", "/admin/req_logs/bulkDelete/a,b").status_code == 400


def test_failures_are_told_from_refusals_and_client_errors(start_relay):
    """In the filters of records and in the minutes of the overview."""
    relay = start_relay(
        **SETTINGS, KEY_TEAM_TOKEN=TEAM, KEY_TEAM_RATE_LIMIT_CHAT="4/hour", PROVIDER_DEMO_MODELS="echo", PROVIDER_FAR_KIND="openai",
        PROVIDER_FAR_BASE_URL="http://127.0.0.1:1/v1", PROVIDER_FAR_MODELS="far",
    )  # fmt: skip
    assert [ask(relay, model).status_code for model in ("echo", "far", "far")] == [200, 502, 502]
    assert ask(relay, temperature="hot").status_code == 400
    assert [ask(relay).status_code for _ in range(4)] == [200, 429, 429, 429]
    operator = Operator(relay.base_url)
    wait_for(lambda: len(operator.items("/admin/req_logs")) == 8)
    kinds = {"": 8, "completed": 2, "failed": 6, "failures": 2, "refusals": 3, "client_errors": 1}
    assert {kind: operator.get("/admin/req_logs", status=kind).json()["total"] for kind in kinds} == kinds
    assert {item["http_status"] for item in operator.items("/admin/req_logs", status="failures")} == {502}
    figures = operator.data("/admin/req_figures")
    assert [figures[name] for name in ("requests", "failed", "failures", "refusals", "cut")] == [8, 6, 2, 3, False]
    served = operator.items("/admin/req_logs", status="completed")
    figures = operator.data("/admin/req_figures", status="completed")
    durations = sorted(item["duration_ms"] for item in served)
    assert (figures["requests"], figures["failed"], figures["p50_ms"], figures["p95_ms"]) == (2, 0, *durations)
    assert figures["prompt_tokens"] == sum(item["prompt"] for item in served) > 0 and figures["unpriced"] == 2 and figures["cost"] is None
    assert operator.get("/admin/req_figures", status="ended").status_code == 400 == operator.get("/admin/req_figures", before="7").status_code
    none = operator.data("/admin/req_figures", caller="nobody")
    assert (none["requests"], none["p50_ms"], none["span_ms"]) == (0, None, 0)
    outcome = operator.get("/admin/timeline", last="1h", measure="outcome").json()
    assert {row["name"]: sum(row["values"]) for row in outcome["series"]} == {"answered": 2, "client errors": 1, "refused by limits": 3, "failures": 2}
    assert [outcome["sum"][name] for name in ("requests", "failures", "refusals", "client_errors")] == [8, 2, 3, 1]
    causes = {row["cause"]: row["requests"] for row in operator.items("/admin/timeline", last="7d", by="cause")}
    kinds = {"far: cannot connect to …: connection refused": 2, "Rate limit reached for requests: 4 per hour": 3}
    assert kinds.items() <= causes.items() and sum(causes.values()) == 6 and len(causes) == 3, causes
    time.sleep(1.5)  # The overview may be so old.
    minutes = operator.data("/admin/overview")["minutes"]
    assert [sum(minute[name] for minute in minutes) for name in ("requests", "errors", "failures", "refusals")] == [8, 6, 2, 3]


def test_bodies_are_kept_masked_and_short(operated, operator):
    encoded = base64.b64encode(pictures.png(20, 20, [hashlib.sha512(bytes([row])).digest()[:60] for row in range(20)])).decode()
    assert len(encoded) > 300
    image = "data:image/png;base64," + encoded
    secret = f"my key is {TEAM}, and sk-" + "a1" * 20
    for stream in (False, True):
        before = {item["id"] for item in operator.items("/admin/req_logs")}
        assert ask(operated, content=secret + " word" * 500, stream=stream, metadata={"api_key": "nobody-sees-it"}).status_code == 200
        wait_for(lambda seen=before: operator.items("/admin/req_logs")[0]["id"] not in seen)
        [listed] = operator.items("/admin/req_logs", per_page=1)
        record = operator.data(f"/admin/req_logs/{listed['id']}")
        assert (listed["request_data"], listed["response_data"]) == (None, None)
        assert record["request_data"].startswith("{") and "my key is ***, and *** word" in record["request_data"], record["request_data"]
        assert record["response_data"].startswith('[{"content":"' if stream else '{"id":"chatcmpl-'), record["response_data"]
        for text in (record["request_data"], record["response_data"]):
            assert len(text.encode()) <= 2048 and TEAM not in text and "sk-a1" not in text and "nobody-sees" not in text
        assert record["limits"] == ["key.chat: 10 requests per minute", "key.chat: 100000 tokens per day"], record["limits"]
        assert record["ttfb_ms"] >= 0 and (record["wait_limits_ms"], record["wait_capacity_ms"]) == (0, 0)
    body = {"model": "echo", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": image}}]}]}
    local_http.post(operated.v1 + "/chat/completions", json=body, headers={"Authorization": f"Bearer {OTHER}"})
    wait_for(lambda: operator.items("/admin/req_logs", per_page=1)[0]["caller"] == "other")
    [listed] = operator.items("/admin/req_logs", per_page=1)
    body = operator.data(f"/admin/req_logs/{listed['id']}")["request_data"]
    assert "[image/png, " in body and encoded[:40] not in body


def test_records_begin_with_a_password(start_relay, tmp_path):
    """One that a reload brings, too. Records are in memory, with their bodies, and nobody else's requests are."""
    (tmp_path / ".env").write_text("PROVIDER_DEMO_KIND=echo\nANONYMOUS_MODELS=all\nRELOAD_ACCESS=open\n")
    relay = start_relay(ENV_FILE=tmp_path / ".env")
    assert ask(relay, content="before").status_code == 200
    with (tmp_path / ".env").open("a") as settings:
        settings.write(f"ADMIN_PASSWORD={PASSWORD}\nADMIN_LOG_BODIES=true\n")
    assert local_http.post(relay.base_url + "/reload_config").status_code == 200
    operator = Operator(relay.base_url)
    assert operator.items("/admin/req_logs") == []
    assert ask(relay, content="after").status_code == 200
    wait_for(lambda: len(operator.items("/admin/req_logs", model="echo")) == 1)
    [listed] = operator.items("/admin/req_logs", model="echo")
    record = operator.data(f"/admin/req_logs/{listed['id']}")
    assert "after" in record["request_data"] and "after" in record["response_data"] and record["limits"] == []


def test_sums_are_those_of_the_records(operated, operator):
    wait_for(lambda: operator.get("/admin/usage", by="model").json()["sum"]["requests"] > 0)
    records = operator.items("/admin/req_logs", per_page=200)
    told = operator.get("/admin/usage", by="model,caller").json()
    for name, key in (("requests", None), ("prompt_tokens", "prompt"), ("completion_tokens", "completion")):
        total = len(records) if key is None else sum(record[key] for record in records)
        assert told["sum"][name] == total == sum(row[name] for row in told["items"]), name
    rows = list(csv.DictReader(io.StringIO(operator.get("/admin/usage", by="model,caller", format="csv").text)))
    assert [row["model"] for row in rows] == [item["model"] or "" for item in told["items"]]
    for wrong in ("", "x", "model,model", "day,model,caller,provider"):
        assert operator.get("/admin/usage", by=wrong or ",").status_code == 400
    assert operator.get("/admin/usage", **REVERSED).status_code == 400
    assert operator.data("/admin/statistics")["count"] == len({record["model"] for record in records})
    days = operator.data("/admin/statistics_model_day")
    assert len(days["xAxis"]["data"]) == 7 and all(len(row["data"]) == 7 for row in days["series"])


def test_ranges_with_minutes(operated, operator):
    """A range ends before `to`, and is a 400 if it is none."""
    [newest, *_] = operator.items("/admin/req_logs")
    end = newest["updated_at"]
    whole = operator.get("/admin/timeline").json()["sum"]["requests"]
    before = operator.get("/admin/timeline", **{"from": "2026-01-01", "to": end}).json()
    after = operator.get("/admin/timeline", **{"from": end}).json()
    assert 1 <= after["sum"]["requests"] < whole == before["sum"]["requests"] + after["sum"]["requests"]
    assert before["step"] == "day" and after["step"] == "minute"
    minute = {"from": end[:16], "to": "2099-01-01T00:00"}
    listed = operator.get("/admin/req_logs", **minute).json()["total"]
    with pytest.raises(AssertionError):  # More than 3,000 days.
        operator.items("/admin/timeline", **minute)
    minute["to"] = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 60))
    assert operator.get("/admin/timeline", **minute).json()["sum"]["requests"] == listed >= after["sum"]["requests"]
    assert operator.get("/admin/req_logs", last="15m").json()["total"] == whole
    for wrong in ({"last": "2h"}, {"from": "2026-01-31T24:00"}, {"from": end, "to": end}, {"from": "1970-01-01"}, {"last": "1h", "from": end}, {"by": "day"}, {"measure": "x"}):
        assert operator.get("/admin/timeline", **wrong).status_code == 400, wrong
    rows = list(csv.DictReader(io.StringIO(operator.get("/admin/timeline", by="caller", format="csv").text)))
    assert sum(int(row["requests"]) for row in rows) == whole


def test_formulas_are_no_formulas_in_csv(operated, operator):
    for model in ("=1+1", "@x", '-a",b'):
        ask(operated, model=model)
    wait_for(lambda: len(operator.get("/admin/usage", by="model").json()["items"]) > 3)
    rows = list(csv.DictReader(io.StringIO(operator.get("/admin/usage", by="model", format="csv").text)))
    assert not [row for row in rows if row["model"][:1] in ("=", "+", "-", "@")]


def test_providers_and_their_resume(operated, operator):
    for _ in range(6):
        ask(operated, model="far", key=OTHER)
    rows = {(row["name"], row["mapped_model"]): row for row in operator.items("/admin/provider")}
    far = rows["far", "far"]
    assert (far["provider"], far["original_model"], far["base_url"]) == ("openai", "far-model", "http://127.0.0.1:1/v1")
    assert far["errors"] and far["errors"].keys() <= {"unreachable", "connect_timeout"} and far["p50_ms"] <= far["p95_ms"]
    assert rows["demo", "fast"]["errors"] == {}
    assert far["api_key"] == "far-...34, far-...78" and rows["demo", "fast"]["state"] == "ok"
    assert far["state"].startswith(("cooldown until ", "circuit open until ")), far
    assert operator.post("/admin/provider/far/resume").status_code == 200
    [far] = [row for row in operator.items("/admin/provider") if row["name"] == "far"]
    assert far["state"] == "ok" and {key["state"] for key in far["keys"]} == {"ok"}
    assert operator.post("/admin/provider/none/resume").status_code == 404
    assert operator.post("/admin/provider/far/resume", {"key": "k9"}).status_code == 404


def test_the_cache(operated, operator):
    for _ in range(2):
        assert ask(operated, content="twice the same", key=OTHER).status_code == 200
    listed = operator.get("/admin/req_cache", order_by="hit_count").json()
    [entry] = [item for item in listed["items"] if item["caller"] == "other" and item["hit_count"] == 1]
    assert (entry["hit_count"], entry["model"], entry["caller"], entry["req"], entry["resp"]) == (1, "echo", "other", None, None)
    shown = operator.data(f"/admin/req_cache/md5/{entry['md5']}")
    assert shown == operator.data(f"/admin/req_cache/{entry['id']}") == entry | {"req": shown["req"], "resp": shown["resp"]}
    assert "twice the same" in shown["req"] and "twice the same" in shown["resp"]
    assert operator.ask("DELETE", f"/admin/req_cache/{entry['id']}").status_code == 200
    assert operator.get(f"/admin/req_cache/{entry['id']}").status_code == 404
    assert operator.ask("DELETE", f"/admin/req_cache/bulkDelete/{entry['id']},none").status_code == 404
    assert operator.ask("DELETE", "/admin/req_cache").status_code == 200
    assert operator.get("/admin/req_cache").json()["total"] == 0


def test_the_overview_live(operated, operator):
    overview = operator.data("/admin/overview")
    assert len(overview["minutes"]) == 60 and {row["name"] for row in overview["providers"]} == {"demo", "far"}
    sums = {"requests", "prompt_tokens", "completion_tokens", "cost", "unpriced", "cost_is_partial"}
    assert set(overview["today"]) == sums and overview["running"] == 0
    headers = {"Authorization": f"Bearer {operator.token}"}
    with local_http.Client() as http:
        streams = [http.send(http.build_request("GET", operated.base_url + "/admin/live", headers=headers), stream=True) for _ in range(100)]
        assert [answer.status_code for answer in streams] == [200] * 32 + [429] * 68
        assert "32 live streams" in json.loads(streams[-1].read())["msg"]
        lines = streams[0].iter_lines()
        assert next(lines) == "event: overview" and set(json.loads(next(lines)[6:])["data"]) >= {"minutes", "running"}
        for answer in streams:
            answer.close()
    wait_for(lambda: operator.items("/admin/running") is not None)
    # A session that ends takes its streams along.
    session = token(operated.base_url, "10.20.0.1")
    with local_http.stream("GET", operated.base_url + "/admin/live", headers={"Authorization": f"Bearer {session}"}, timeout=10) as answer:
        events = answer.iter_lines()
        assert next(events) == "event: overview"
        Operator(operated.base_url, session).get("/admin/logout")
        began = time.monotonic()
        assert sum(1 for line in events if line.startswith("event:")) <= 2 and time.monotonic() - began < 5


def test_what_is_running(operated, operator):
    with socket.create_connection(("127.0.0.1", operated.port)) as peer:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {TEAM}\r\nContent-Type: application/json\r\n"
        peer.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        wait_for(lambda: operator.items("/admin/running") != [])
        [item] = operator.items("/admin/running")
        assert set(item) == {"id", "caller", "model", "provider", "age_ms", "waiting_for", "bytes"} and item["caller"] == "team"
        time.sleep(1.5)  # The overview may be so old.
        assert operator.data("/admin/overview")["running"] == 1
    wait_for(lambda: operator.items("/admin/running") == [])


def test_the_settings_and_what_was_done(operated, operator):
    data = operator.data("/admin/config")
    assert "environment" in data["sources"] and "ADMIN_PASSWORD=...  # environment\n" in data["content"]
    assert {"reset limit", "resume provider", "login"} <= {action["act"] for action in data["actions"]}
    by_name = {row["name"]: row for row in data["settings"]}
    assert by_name["CACHE"] == {"name": "CACHE", "value": "true", "source": "environment", "changed": True}
    assert not by_name["MAX_UPLOAD_MB"]["changed"]


def test_no_secret_is_in_any_response(operated, operator):
    texts = [operator.get(path).text for path in ("/admin/config", "/admin/provider", "/admin/req_logs?per_page=200", "/admin/limits", "/admin/overview", "/admin/instances", "/admin")]
    for secret in (PASSWORD, SECRET, TEAM, OTHER, "far-key-one-1234", operator.token):
        assert not [text for text in texts if secret in text]


def test_sessions_and_logouts_of_several_relays(start_relay, store, tmp_path, clock):
    """One secret and password make one session. A logout reaches the other relays, and survives restarts."""
    wall = clock(0)
    settings = SETTINGS | {"MEMCACHED_SERVERS": store.address} | wall.environment
    one, two = start_relay(**settings, DATA_DIR=tmp_path), start_relay(**settings)
    stays, leaves = token(one.base_url), token(one.base_url, "10.9.9.8")
    assert Operator(two.base_url, leaves).get("/admin/config").status_code == 200
    assert Operator(one.base_url, leaves).get("/admin/logout").status_code == 302
    wall.advance_until(lambda: Operator(two.base_url, leaves).get("/admin/config").status_code == 401, 12)
    assert Operator(two.base_url, stays).get("/admin/config").status_code == 200
    # Logins count over both.
    wrong = [login(relay.base_url, "wrong-horse-battery", **{"X-Forwarded-For": "10.11.0.1"}).status_code for relay in (one, two) * 4]
    assert sorted(wrong) == [401] * 5 + [429] * 3
    # So do those of many who guess at once, each for itself; others log in meanwhile.
    addresses = [f"10.12.0.{number}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        guesses = list(pool.map(lambda number: login((one, two)[number // 20 % 2].base_url, "wrong-horse-battery", **{"X-Forwarded-For": addresses[number % 20]}), range(160)))
        assert token(two.base_url, "10.13.0.1")
    for place in range(20):
        statuses = [guess.status_code for guess in guesses[place::20]]
        assert sorted(statuses) == [401] * 5 + [429] * 3, statuses
    wait_for(lambda: (tmp_path / "admin-sessions").exists())
    one.stop()
    two.stop()
    store.flush()
    again = start_relay(**SETTINGS, DATA_DIR=tmp_path)
    assert Operator(again.base_url, leaves).get("/admin/config").status_code == 401
    assert Operator(again.base_url, stays).get("/admin/config").status_code == 200


def test_two_relays_share_what_their_operator_does(start_relay, store, tmp_path, clock):
    """Both relays are listed as long as they run. A limit that is reset at one is free at the other."""
    settings = SETTINGS | {"MEMCACHED_SERVERS": store.address, "KEY_TEAM_TOKEN": TEAM, "KEY_TEAM_RATE_LIMIT_CHAT": "2/hour", "KEY_OTHER_TOKEN": OTHER}
    settings |= {"CACHE": "true", "CACHE_STORE": "memcached"}
    settings["USAGE_LOG_FILE"] = str(tmp_path / "one-for-both")
    wall = clock(0)
    settings |= wall.environment
    one, two = start_relay(**settings), start_relay(**settings)
    first = Operator(one.base_url)
    wall.advance_until(lambda: len(first.items("/admin/instances")) == 2, 15)
    listed = first.items("/admin/instances")
    assert {item["name"].rsplit(":", 1)[1] for item in listed} == {str(one.port), str(two.port)}
    assert len({item["settings"] for item in listed}) == 1 and {item["store"] for item in listed} == {"ok"}
    assert [ask(relay).status_code for relay in (one, two, one, two, one, two)] == [200, 200, 429, 429, 429, 429]
    [limit] = [item for item in first.items("/admin/limits", caller="team") if item["unit"] == "requests"]
    assert (limit["used"], limit["left"]) == ("2", "0")
    answer = first.post("/admin/limits/reset", {"caller": "team", "id": limit["id"]})
    assert answer.json()["data"] == {"all_instances": True}
    assert ask(one).status_code == 200
    wall.advance_until(lambda: ask(two).status_code == 200, 12)
    assert (ask(one).status_code, ask(two).status_code) == (429, 429)
    # All entries of the cache that they share go at once, and elsewhere within two seconds.
    def cached(relay):
        return ask(relay, key=OTHER, content="shared").headers["x-relay-cache"]

    assert cached(one) == "miss"
    wait_for(lambda: (cached(one), cached(two)) == ("hit", "hit"))
    assert first.ask("DELETE", "/admin/req_cache").json()["msg"] == "Deleted"
    wall.advance_until(lambda: cached(two) == "miss", 4)
    wait_for(lambda: (cached(one), cached(two)) == ("hit", "hit"))
    two.stop()
    wall.advance_until(lambda: len(first.items("/admin/instances")) == 1, 40)
    store.flush()
    assert cached(one) == "miss"
    wait_for(lambda: cached(one) == "hit")


def test_what_clients_paste(operated, operator):
    told = operator.get("/admin/clients", kind="known", key="team", model="fast").json()
    assert (told["address"], told["kind"], told["key"], told["model"]) == (operated.base_url, "known", "team", "fast")
    assert {"echo", "fast", "far"} <= set(told["models"]) and {"kind": "anonymous", "key": None} in told["callers"]
    assert [item["name"] for item in told["items"]][:2] == ["curl", "OpenAI SDK for Python"] and told["total"] == 7
    for item in told["items"]:
        assert operated.base_url in item["text"] and "fast" in item["text"] and "RELAY_KEY" in item["text"] and TEAM not in item["text"]
    # What is to be pasted into a shell asks for what it says.
    shell = told["items"][0]["text"]
    ran = subprocess.run(["bash", "-c", shell], env={"PATH": os.environ["PATH"], "RELAY_KEY": TEAM}, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(ran.stdout)["model"] == "fast"
    for wrong, status in (({"kind": "unknown"}, 400), ({"key": "nobody"}, 404), ({"kind": "passthrough"}, 404), ({"key": "team", "model": "none"}, 404)):
        assert operator.get("/admin/clients", **wrong).status_code == status, wrong


def test_the_pages(start_relay, operated):
    relay = start_relay(**SETTINGS, PUBLIC_URL="https://ai.example", PUBLIC_USAGE_PAGE="true", NOT_FOUND_REDIRECT_URL="https://example.org/")
    page = local_http.get(f"{relay.base_url}/admin")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>relay admin · ai.example</title>" in page.text and 'data-user=""' in page.text
    session = Operator(relay.base_url)
    assert 'data-user="admin"' in session.get("/admin").text
    usage = local_http.get(f"{relay.base_url}/usage")
    assert "<title>relay usage · ai.example</title>" in usage.text and "access-control-allow-origin" not in usage.headers
    closed = local_http.get(f"{operated.base_url}/usage")
    assert closed.status_code == 404 and "Did you mean /v1/usage?" in closed.text
    for path in ("/admin", "/usage"):
        slashed = local_http.get(f"{relay.base_url}{path}/")
        assert (slashed.status_code, slashed.headers["location"]) == (302, path)
    assert local_http.request("POST", f"{relay.base_url}/admin/").status_code == 404 == local_http.get(f"{operated.base_url}/usage/").status_code
    assert local_http.request("HEAD", f"{relay.base_url}/usage").content == b""


SOMETIMES = {"cached_tokens", "cache_writes", "cache_writes_1h", "unpriced", "cost_is_partial", "errors", "partial"}
"""Members that a response has only if there is something to say."""
SAMPLE = re.compile(r"GET `([^`{]+)`.*?^```text\n(\{.*?)^```$", re.MULTILINE | re.DOTALL)


def compare(place: str, shown: Any, found: Any) -> None:
    """The members of an example are those of the response. `…` in an example stands for others."""
    assert shown is None or found is None or type(shown) is type(found) or {type(shown), type(found)} == {int, float}, f"{place}: {shown}, {found}"
    if isinstance(shown, dict) and place.rpartition(".")[2] not in ("errors", "tool_uses"):
        assert set(shown) - set(found) <= SOMETIMES | {"…"}, f"{place}: the response has no {set(shown) - set(found)}"
        assert "…" in shown or set(found) - set(shown) <= SOMETIMES, f"{place}: the example has no {set(found) - set(shown)}"
        for name in set(shown) & set(found):
            compare(f"{place}.{name}", shown[name], found[name])
    elif isinstance(shown, list) and shown and found:
        compare(f"{place}[]", shown[0], found[0])


def test_the_examples_of_the_reference_have_the_members_of_responses(operated, operator):
    ask(operated)
    wait_for(lambda: operator.items("/admin/req_logs") != [] and operator.items("/admin/usage") != [])
    samples = [SAMPLE.match(section) for section in (ROOT / "docs/admin-api.md").read_text().split("\n## ")]
    assert len([sample for sample in samples if sample]) >= 10
    for path, text in (sample.groups() for sample in samples if sample):
        sample = re.sub(r"(?<=[{,])…(?=[,}])", '"…":0', text.replace("\n", "").replace("[…]", "[]"))
        fields = {"/admin/usage": {"by": "day,model"}, "/admin/timeline": {"by": "model", "last": "7d"}}
        answer = operator.get(path, **fields.get(path, {}))
        assert answer.status_code == 200, f"{path}: {answer.text}"
        compare(path, json.loads(sample), answer.json())
