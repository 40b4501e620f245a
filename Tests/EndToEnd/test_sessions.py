"""Sessions of agents: the key that their calls keep to, and their name in usage records."""

import json
import sqlite3
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import conftest
import pytest
from balanced import places
from chat import PATH, body
from limited import client
from memcached import wait_for
from operating import PASSWORD, Operator
from relay_process import INHERITED, binary, provider
from usage import is_call, lines_so_far

HEADERS = ("X-Claude-Code-Session-Id", "session-id", "X-OpenWebUI-Chat-Id", "x-opencode-session-id")
OK = {"answer": "served"}
HELD = {"stall_at": -1, "answer": "served"}
"""The vendor says nothing until it is released."""


def ask(http, session=None, header=HEADERS[0], **fields):
    headers = {} if session is None else {header: session}
    answer = http.post(PATH, json=body(**fields), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("header", HEADERS)
def test_a_session_keeps_to_one_key_on_all_instances(serve, header):
    providers, http = serve(a=2, b=2)
    _, other = serve(providers)
    for number in range(60):
        ask(http, f"session {number}", header.upper())
        ask(other, f"session {number}", header)
    seen = places(providers)
    assert all(len(set(seen[at : at + 2])) == 1 for at in range(0, 120, 2))
    assert len(set(seen)) == 4


def test_the_first_header_names_the_session(serve):
    providers, http = serve(a=2, b=2)
    for number in range(12):
        alone = {HEADERS[0]: f"one {number}"}
        several = {header: f"{header} {number}" for header in reversed(HEADERS[1:])}
        for headers in (alone, several | alone, {HEADERS[1]: several[HEADERS[1]]}, several):
            assert http.post(PATH, json=body(), headers=headers).status_code == 200
    seen = places(providers)
    assert all(seen[at] == seen[at + 1] and seen[at + 2] == seen[at + 3] for at in range(0, 48, 4))
    assert any(seen[at] != seen[at + 2] for at in range(0, 48, 4))


def test_a_value_counts_for_its_caller_alone(serve):
    tokens = ["token-of-the-first-caller", "token-of-the-second-caller"]
    conftest.secrets.update(tokens)
    providers, http = serve(a=4, KEY_ONE_TOKEN=tokens[0], KEY_TWO_TOKEN=tokens[1])
    for number in range(20):
        for token in tokens * 2:
            with client(http.relay, token) as caller:
                ask(caller, f"session {number}")
    seen = places(providers)
    assert all(seen[at : at + 2] == seen[at + 2 : at + 4] for at in range(0, 80, 4))
    assert any(seen[at] != seen[at + 1] for at in range(0, 80, 4))


def test_parallel_calls_of_a_session_go_to_the_key_with_two_calls_fewer(serve, vendor):
    """2 keys, 3 sessions, 10 parallel calls of one of them."""
    providers, http = serve(a=2, AFFINITY="session")
    sessions = ("busy", "second", "third")
    for session in sessions:
        ask(http, session)
    homes = dict(zip(sessions, places(providers), strict=True))
    keys = providers.keys["a"]
    providers.answers("a", HELD)

    def begin(pool, session):
        before = sum(len(vendor.events(key, "stalled")) for key in keys)
        call = pool.submit(ask, http, session)
        wait_for(lambda: sum(len(vendor.events(key, "stalled")) for key in keys) > before)
        return call

    with ThreadPoolExecutor(16) as pool:
        calls = [begin(pool, "busy") for _ in range(10)]
        own = [place == homes["busy"] for place in places(providers)[3:]]
        # Each second call after the second one leaves the key that then has two calls more.
        assert own == [True, True, False, True, False, True, False, True, False, True]
        calls += [begin(pool, session) for session in sessions[1:]]
        assert places(providers)[13:] == [homes[session] for session in sessions[1:]]
        providers.answers("a", OK)
        for key in keys:
            vendor.release(key)
        for call in calls:
            call.result()
    for session in sessions * 2:
        ask(http, session)
    assert places(providers)[15:] == [homes[session] for session in sessions * 2]


def test_the_order_of_other_requests_stays(serve):
    weights = {"PROVIDER_A_WEIGHT": 3, "PROVIDER_B_WEIGHT": 2, "PROVIDER_A_KEY_WEIGHTS": "2,1"}
    providers, http = serve(a=2, b=1, **weights)
    plain, without = serve(a=2, b=1, **weights, AFFINITY="off")
    found = []
    for number in range(20):
        for session in range(number % 3):
            ask(http, f"session {session} {number}")
        before = len(places(providers))
        ask(http)
        ask(without)
        found.append(places(providers)[before])
    assert found == places(plain) and plain.order() == "aaabb" * 4
    assert [Counter(found)[place] for place in ("a0", "a1", "b0")] == [8, 4, 8]


@pytest.mark.parametrize("how", [{"AFFINITY": "off"}, {"BALANCE": "least-load", "AFFINITY": "session"}, {"BALANCE": "least-load"}])
def test_where_sessions_do_not_count(serve, how):
    providers, http = serve(a=1, b=1, **how)
    for _ in range(6):
        ask(http, "one session")
    assert providers.order() == "ababab"


def test_forwarded_requests_keep_to_the_key_too(start_relay, server, caller):
    relay = start_relay(ANONYMOUS_MODELS="all", **provider("A", "openai", server.base_url, "m=at/a", API_KEYS="session-key-1,session-key-2"))
    http = caller(relay)
    for number in range(10):
        for _ in range(2):
            answer = http.post("/v1/embeddings", json={"model": "m", "input": "x"}, headers={"session-id": f"s{number}"})
            assert answer.status_code == 200
    keys = [call["headers"]["authorization"] for call in server.asked("at/a")]
    assert keys[::2] == keys[1::2] and len(set(keys)) == 2


def usage(**settings):
    environment = {name: str(value) for name, value in settings.items()}
    found = subprocess.run(
        [str(binary()), "usage", "--by", "session", "--json"], env=INHERITED | environment, capture_output=True, timeout=30
    )
    assert (found.returncode, found.stderr) == (0, b""), found
    return json.loads(found.stdout)


def test_records_name_the_session(start_relay, server, tmp_path):
    file, folder = tmp_path / "app.log", tmp_path / "data"
    relay = start_relay(
        ANONYMOUS_MODELS="all", PROVIDER_A_KIND="openai", PROVIDER_A_BASE_URL=server.base_url, PROVIDER_A_MODELS="m=at/a",
        USAGE_LOG_FILE=file, DATA_DIR=folder, ADMIN_PASSWORD=PASSWORD, KEY_TEAM_TOKEN="token-of-a-team-with-sessions",
    )  # fmt: skip
    conftest.secrets.add("token-of-a-team-with-sessions")
    long = "x" * 65
    names = ["5f1c", "5f1c", "y" * 64, long, long, None]
    with client(relay, "token-of-a-team-with-sessions") as http:
        for name in names:
            ask(http, name, model="m")
    wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") >= 12)
    records = [record for record in lines_so_far(file) if not is_call(record)]
    found = [record.get("session") for record in records]
    digest = found[3]
    assert found == ["5f1c", "5f1c", "y" * 64, digest, digest, None] and len(digest) == 43 and "x" * 8 not in digest
    assert all("session" not in record for record in lines_so_far(file) if is_call(record))
    operator = Operator(relay.base_url)
    wait_for(lambda: len(operator.items("/admin/req_logs", endpoint="/chat/completions")) == 6)
    for name, count in Counter(found[:5]).items():
        listed = operator.items("/admin/req_logs", session=name)
        assert [record["session"] for record in listed] == [name] * count
        assert operator.data(f"/admin/req_logs/{listed[0]['id']}")["session"] == name
    assert operator.items("/admin/req_logs", session="5f1") == []
    assert len(operator.items("/admin/req_logs", session="5f1c", status="completed", caller="team")) == 2
    assert operator.items("/admin/req_logs", session="5f1c", status="429") == []
    for settings in ({"USAGE_LOG_FILE": file}, {"DATA_DIR": folder}):
        told = usage(**settings)
        rows = {row["session"]: (row["caller"], row["requests"]) for row in told["rows"]}
        # The operator's requests are not recorded.
        assert rows == {"5f1c": ("team", 2), "y" * 64: ("team", 1), digest: ("team", 2), None: (None, 1)}, told
        assert told["total"]["requests"] == 6 and told["total"]["failed"] == 0
    with closing(sqlite3.connect(f"file:{folder}/usage.db?mode=ro", uri=True)) as database:
        plan = database.execute("EXPLAIN QUERY PLAN SELECT id FROM records WHERE session = 'a'").fetchall()
        assert "records_session" in plan[0][-1]
        assert database.execute("SELECT count(*) FROM usage WHERE session IS NOT NULL AND kind = 1").fetchone() == (0,)
