"""Images, speech and transcripts of 1min.ai that are of no use: limits of dollars count the credits, as those of credits do."""

import base64
import contextlib

import httpx
import pytest
from memcached import wait_for
from test_media_failover import WAYS
from test_speech import connection
from usage import File

TOKEN = "token-of-media-credits"
CREDIT = 0.00001
"""The price of a credit, in dollars."""
TOLD = {"metadata": {"credit": 12}}
EMPTY = {"json": {"aiRecord": {"status": "SUCCESS", "metadata": {"credit": 12}, "aiRecordDetail": {"resultObject": []}}}}
PAGE = {"content64": base64.b64encode(b"<html>" * 20).decode(), "kind": "text/html"}
GONE = {"status": 500, "text": ""}


@pytest.fixture
def asked(start_relay, vendor, new_key, caller, tmp_path):
    """`asked(*answers, asset=...)`: the relay, a client of it and the vendor's key. At the end: `spent(...)`."""
    key = new_key()
    relay = start_relay(
        PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEY=key, PROVIDER_A_CREDIT_COST="0.00001", KEY_TEAM_TOKEN=TOKEN,
        KEY_TEAM_RATE_LIMIT="1 usd/day;100000 credits/day", USAGE_LOG_FILE=tmp_path / "usage.jsonl",
    )  # fmt: skip
    http = caller(relay, TOKEN)

    def made(*answers, asset=None):
        vendor.answers_all({key: list(answers)} | ({f"asset:{key}": [asset]} if asset else {}))
        return relay, http, key

    def used():
        limits = http.get("/v1/usage").json()["limits"]
        return {limit["limit"].split()[1]: float(limit["used"]) for limit in limits if limit["name"] == "key"}

    def spent(calls, credits):
        request, *rest = File(tmp_path / "usage.jsonl").more(1 + calls)
        assert request["cost"] == pytest.approx(credits * CREDIT) == sum(call["cost"] for call in rest)
        wait_for(lambda: used() == pytest.approx({"usd": credits * CREDIT, "credits": credits}), 5)

    made.spent = spent
    return made


@pytest.mark.parametrize(
    "way, more, answers, asset, status, credits",
    [
        ("generations", {"n": 2}, [{"results": 1} | TOLD], None, 200, 12),
        ("generations", {"n": 2}, [EMPTY, TOLD], None, 200, 24),
        ("generations", {}, [EMPTY, EMPTY], None, 502, 24),
        ("generations", {"response_format": "b64_json"}, [TOLD], GONE, 502, 12),
        ("speech", {}, [TOLD], GONE, 502, 12),
        ("speech", {}, [TOLD | PAGE], None, 502, 12),
        ("speech", {}, [TOLD], {"cut_at": 20_000}, 200, 12),
        ("transcriptions", {}, [EMPTY, EMPTY], None, 502, 24),
    ],
)
def test_the_reported_credits_count_if_the_response_is_of_no_use(asked, way, more, answers, asset, status, credits):
    _, http, _ = asked(*answers, asset=asset)
    with contextlib.suppress(httpx.RemoteProtocolError):
        answer = WAYS[way](http, **more)
        assert answer.status_code == status
        assert status != 200 or len(answer.json()["data"]) == (1 if "results" in answers[0] else 2)
    asked.spent(len(answers), credits)


@pytest.mark.parametrize("stage, credits", [("call", 100), ("audio", 12)])
def test_a_call_that_the_client_leaves_counts_what_is_known_or_usual(asked, vendor, stage, credits):
    stalled = {"stall_at": -1}
    relay, _, key = asked(stalled if stage == "call" else TOLD, asset=stalled)
    with connection(relay, TOKEN):
        vendor.wait(key, "stalled")
    asked.spent(1, credits)
