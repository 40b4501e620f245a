"""`relay limits`: what a caller used, read from memcached while relays count there."""

import hashlib
import json
import os
import pty
import re
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import conftest
import operating
from limited import MODELS, chat, client
from memcached import Memcached, wait_for
from relay_process import INHERITED, Relay, binary, provider

TEAM = f"token-{uuid.uuid4().hex}"
STRANGER = f"stranger-{uuid.uuid4().hex}"
SETTINGS = {
    "PROVIDER_DEMO_KIND": "echo", "PROVIDER_DEMO_2_KIND": "echo",
    **provider("OTHER", "openai", "http://127.0.0.1:1", "o", COST="1", PASSTHROUGH="true"), "ANONYMOUS_MODELS": "echo",
    "KEY_TEAM_A_TOKEN": TEAM, "RATE_LIMIT": "60/minute;70/day;5 concurrent", "KEY_TEAM_A_RATE_LIMIT": "7/hour;3.50 usd/day",
    "RATE_LIMIT_BY_MODEL": "echo=9/hour", "RATE_LIMIT_TOTAL": "75/hour", "MEMCACHED_TIMEOUT": "5s",
}  # fmt: skip


def told(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(binary()), "limits", *words],
        env=INHERITED | {"ENV_FILE": "/dev/null"} | environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert TEAM not in done.stdout + done.stderr and STRANGER not in done.stdout + done.stderr
    return done


def used(*words: str, **environment: str) -> dict[str, tuple[Any, ...]]:
    """Returns by limit: used, of, left."""
    done = told(*words, "--json", **environment)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    rows = json.loads(done.stdout)["limits"]
    told_rows = {
        f"{row['limit']} {row['model'] or ''} {row['unit']}/{row['window_seconds']}".replace("  ", " "): (
            row["used"], row["of"], row["left"],
        )
        for row in rows
    }  # fmt: skip
    assert len(told_rows) == len(rows), done.stdout
    return told_rows


def test_it_tells_what_was_used(start_relay: Callable[..., Relay], store: Memcached) -> None:
    conftest.secrets.update((TEAM, STRANGER))
    settings = SETTINGS | {"MEMCACHED_SERVERS": store.address}
    relays = [start_relay(**settings) for _ in range(2)]
    before = used("team-a", **settings)
    assert before["key requests/3600"] == (0, 7, 7) and "model echo requests/3600" not in before
    for number in range(4):
        with client(relays[number % 2], TEAM) as http:
            assert chat(http).status_code == 200
    with client(relays[0], TEAM) as http:
        assert http.get(MODELS).status_code == 200
    with client(relays[0], STRANGER) as http:
        assert [chat(http).status_code for _ in range(2)] == [200, 200]
    wait_for(lambda: used("team-a", **settings)["chat concurrent/0"] == (0, 5, 5))
    for name in ("team-a", "TEAM_A"):
        got = used(name, **settings)
        assert got["chat requests/60"] == (4, 60, 56) and got["chat requests/86400"] == (4, 70, 66)
        assert got["models requests/60"] == (1, 60, 59) and got["images requests/60"] == (0, 60, 60)
        assert got["key requests/3600"] == (5, 7, 2) and got["key usd/86400"] == (0, 3.5, 3.5)
        assert got["model echo requests/3600"] == (4, 9, 5)
        assert got["total requests/3600"] == (7, 75, 68)
    digest = hashlib.sha256(STRANGER.encode())
    logged = urlsafe_b64encode(digest.digest()).decode()[:16]
    relays[0].wait_for_line(lambda line: line.get("caller") == logged)
    for text in (logged, digest.hexdigest(), digest.hexdigest().upper()):
        got = used("--digest", text, **settings)
        assert got["chat requests/60"] == (2, 60, 58) and got["model echo requests/3600"] == (2, 9, 7)
        assert not any(name.startswith("key") for name in got)
    by_address = told("team-a", **settings, RATE_LIMIT_BY="ip")
    assert "limits that count by address are left out" in by_address.stdout and "chat " not in by_address.stdout


def test_a_table_for_people(store: Memcached) -> None:
    settings = SETTINGS | {"MEMCACHED_SERVERS": store.address}
    plain = told("team-a", **settings)
    assert store.stat("cmd_get") > 10 and (store.stat("cmd_set"), store.keys()) == (0, []), "reading wrote something"
    assert plain.stdout.startswith("caller team-a\nLIMIT") and "\x1b" not in plain.stdout
    assert re.search(r"^key +7 requests per hour +0 +7$", plain.stdout, re.M), plain.stdout
    assert re.search(r"^key +3.50 usd per day +0.00 +3.50$", plain.stdout, re.M), plain.stdout
    assert on_terminal(settings).startswith("caller team-a\r\n\x1b[1mLIMIT")
    age = re.compile(r"started \d+ s ago")
    uncolored = on_terminal(settings | {"NO_COLOR": "1"})
    assert age.sub("", uncolored) == age.sub("", plain.stdout).replace("\n", "\r\n")


def on_terminal(settings: dict[str, str]) -> str:
    """Returns what the command writes to a terminal."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [str(binary()), "limits", "team-a"],
        env=INHERITED | {"ENV_FILE": "/dev/null"} | settings,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        got = b""
        try:
            while data := os.read(master, 65536):
                got += data
        except OSError:  # a terminal whose other side is closed
            pass
        assert process.wait(30) == 0
    os.close(master)
    return got.decode()


def test_two_ways_show_limits_without_memcached(start_relay: Callable[..., Relay]) -> None:
    """Those that the command names."""
    conftest.secrets.update((TEAM, operating.PASSWORD, operating.SECRET))
    relay = start_relay(**SETTINGS | operating.SETTINGS)
    with client(relay, TEAM) as http:
        assert chat(http).status_code == 200
        own = {limit["limit"]: limit["used"] for limit in http.get("/v1/usage").json()["limits"]}
    listed = {limit["quota"]: limit["used"] for limit in operating.Operator(relay.base_url).items("/admin/limits", caller="team-a")}
    assert own["7 requests per hour"] == listed["7 requests per hour"] == "1"


def test_when_there_is_nothing_to_tell(store: Memcached) -> None:
    alone = told("team-a", **SETTINGS)
    assert (alone.returncode, alone.stdout) == (1, "") and "memory of each relay process" in alone.stderr
    assert "the admin page (ADMIN_PASSWORD)" in alone.stderr and "GET /v1/usage with the caller's key" in alone.stderr
    away = told("team-a", **SETTINGS, MEMCACHED_HOST="127.0.0.1", MEMCACHED_PORT="1")
    assert (away.returncode, away.stdout) == (1, "") and away.stderr == "limits: memcached 127.0.0.1:1: connection refused\n"
    for words in (["--digest", "no-digest"], ["--digest", "g" * 64], ["nobody"], [TEAM], ["--digest"], [], ["a", "b"]):
        wrong = told(*words, **SETTINGS, MEMCACHED_SERVERS=store.address)
        assert (wrong.returncode, wrong.stdout) == (64, ""), words
    assert told("teem-a", **SETTINGS).stderr == "limits: no KEY_<NAME>_TOKEN with this NAME is set; did you mean team-a?\n"


def test_an_amount_is_given_back(start_relay: Callable[..., Relay], store: Memcached) -> None:
    settings = SETTINGS | {"MEMCACHED_SERVERS": store.address, "KEY_TEAM_A_RATE_LIMIT": "100000 tokens/day;7/hour;9/month"}
    conftest.secrets.update((TEAM, STRANGER))
    relay = start_relay(**settings)
    absent = told("team-a", "--give-back", "1 tokens", **settings)
    assert absent.returncode != 0 and "nothing was given back: no use of these limits is recorded" in absent.stderr
    with client(relay, TEAM) as http:
        assert chat(http).status_code == 200
    wait_for(lambda: 0 < used("team-a", **settings)["key tokens/86400"][0] < 1000)
    before = used("team-a", **settings)["key tokens/86400"][0]
    after = used("team-a", "--give-back", "2", "tokens", **settings)
    assert after["key tokens/86400"][0] == before - 2 and after["key requests/3600"][0] == 1
    assert used("team-a", "--give-back", "900 tokens", **settings)["key tokens/86400"][0] == 0
    assert "nothing was given back: no use" in told("team-a", "--give-back", "1 tokens", **settings).stderr
    assert {f"key requests/{days * 86400}" for days in range(28, 32)} & set(used("team-a", **settings))
    lacking = told("team-a", "--give-back", "1 usd", **settings)
    assert lacking.returncode != 0 and "nothing was given back: the caller has no limit in usd" in lacking.stderr
    for words in (["1", "request"], ["x", "usd"], ["1.5", "tokens"], ["1"]):
        done = told("team-a", "--give-back", *words, **settings)
        assert done.returncode != 0 and "3.20 usd" in done.stderr, done.stderr


def test_an_amount_may_have_been_given_back_when_memcached_does_not_answer(start_relay: Callable[..., Relay], store: Memcached) -> None:
    settings = SETTINGS | {"MEMCACHED_SERVERS": store.address, "KEY_TEAM_A_RATE_LIMIT": "100000 tokens/day"}
    conftest.secrets.update((TEAM, operating.PASSWORD, operating.SECRET))
    relay = start_relay(**settings | operating.SETTINGS)
    operator = operating.Operator(relay.base_url)
    [tokens] = [item for item in operator.items("/admin/limits", caller="team-a") if item["unit"] == "tokens"]
    store.kill()
    hint = "; the amount may have been given back: see what is used before you try again\n"
    for words in ([], ["--give-back", "1 tokens"]):
        failed = told("team-a", *words, **settings)
        assert failed.returncode != 0 and failed.stderr.endswith(hint) == bool(words), failed.stderr
    for path, more in (("reset", {}), ("give-back", {"amount": "1 tokens"})):
        answer = operator.post(f"/admin/limits/{path}", {"caller": "team-a", "id": tokens["id"]} | more)
        assert answer.status_code == 503 and "it is unknown whether the limit was changed" in answer.text, answer.text
