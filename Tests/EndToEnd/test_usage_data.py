"""Databases of usage records, and `relay usage`."""

import json
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import conftest
import local_http
import pytest
from chat import PATH, ask, body
from conftest import TEAM_TOKEN, VENDOR_KEY
from memcached import wait_for
from openai_vendor import USAGE
from operating import SETTINGS, Operator
from postgres import PASSWORD, Postgres
from relay_process import INHERITED, IS_SANITIZED, binary, free_port

PROMPT, COMPLETION = USAGE["prompt_tokens"], USAGE["completion_tokens"]
COST = (PROMPT + 2 * COMPLETION) * 1_000_000  # of 10^-12 dollars, by COSTS
WRITER = binary().parent / "write-usage"
KILLED_RATE = 5_000


def settings(server, **more):
    conftest.secrets.add(PASSWORD)
    return {
        "KEY_TEAM_TOKEN": TEAM_TOKEN, "PROVIDER_ROW_KIND": "openai", "PROVIDER_ROW_BASE_URL": server.base_url,
        "PROVIDER_ROW_API_KEY": VENDOR_KEY, "PROVIDER_ROW_MODELS": "fast=big/1,bad=big/2", "PROVIDER_ROW_COST": "0.001/0.002",
    } | {name: str(value) for name, value in more.items()}  # fmt: skip


def told(*words, **environment):
    return subprocess.run([str(binary()), *words], env=INHERITED | environment, capture_output=True, text=True, timeout=30, cwd="/")


def rows(folder, sql):
    with closing(sqlite3.connect(f"file:{folder}/usage.db?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def count(folder):
    return rows(folder, "SELECT count(*) FROM usage")[0][0] if (folder / "usage.db").exists() else 0


def metric(relay, name, to):
    text = local_http.get(relay.base_url + "/metrics").text
    (value,) = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f'{name}{{to="{to}"}}')]
    return int(value)


@pytest.fixture
def team(server, caller):
    """`team(relay)`: a client; the server succeeds for `fast` and fails for `bad`."""
    server.says("big/1", {})
    server.says("big/2", {"status": 500})
    yield lambda relay: caller(relay, TEAM_TOKEN)
    server.take_violations()


def use(http, good=3, bad=1):
    for _ in range(good):
        assert ask(http, model="fast").status_code == 200
    for _ in range(bad):
        assert ask(http, model="bad").status_code >= 500


def check_report(environment, good=3, bad=1):
    """Checks the output of `relay usage` about requests of `use`."""
    asked = {}
    for group in ("model", "caller", "key", "provider", "day"):
        found = told("usage", "--by", group, "--json", "--days", "2", **environment)
        assert (found.returncode, found.stderr) == (0, ""), found
        asked[group] = json.loads(found.stdout)
        assert asked[group]["by"] == group
    by_model = {row["model"]: row for row in asked["model"]["rows"]}
    assert by_model["fast"] == {
        "model": "fast", "requests": good, "failed": 0, "prompt_tokens": PROMPT * good, "completion_tokens": COMPLETION * good,
        "cost": pytest.approx(COST * good / 1e12, rel=1e-12),
    }  # fmt: skip
    assert (by_model["bad"]["requests"], by_model["bad"]["failed"]) == (bad, bad)
    for group, name in (("caller", "team"), ("key", "team"), ("day", datetime.now(UTC).strftime("%Y-%m-%d"))):
        (row,) = asked[group]["rows"]
        assert (row[group], row["requests"], row["failed"]) == (name, good + bad, bad)
        assert asked[group]["total"]["requests"] == good + bad
    (row,) = asked["provider"]["rows"]
    assert row["provider"] == "row" and row["calls"] >= good + bad and row["calls"] - row["failed"] == good


def test_sqlite(launch, server, team, tmp_path):
    folder = tmp_path / "data"
    environment = settings(server, DATA_DIR=folder)
    relay = launch(**environment)
    http = team(relay)
    nothing = told("usage", **environment)
    assert nothing.returncode == 0 and nothing.stdout.startswith("no records from ")
    use(http)
    wait_for(lambda: count(folder) >= 8)
    names = "kind, caller, model, model_used, provider, key, prompt_tokens, completion_tokens, cost, success, status"
    used = ("team", "fast", "big/1", "row")
    assert rows(folder, f"SELECT {names} FROM usage WHERE model = 'fast' ORDER BY id LIMIT 2") == [
        (0, *used, None, PROMPT, COMPLETION, COST, 1, 200), (1, *used, "k1", PROMPT, COMPLETION, COST, 1, 200),
    ]  # fmt: skip
    assert rows(folder, "SELECT count(*) FROM records WHERE model = 'fast'") == [(3,)], "a usual request is one row"
    check_report(environment)
    assert rows(folder, "SELECT success, status FROM usage WHERE model = 'bad' AND kind = 0")[0][0] == 0
    # A terminal gets nothing that a caller has put into a name.
    assert ask(http, model="x\u001b[31m\u202ey").status_code == 404
    wait_for(lambda: count(folder) >= 9)
    table = told("usage", **environment).stdout.splitlines()
    assert table[0].split() == ["MODEL", "REQUESTS", "FAILED", "PROMPT", "TOKENS", "COMPLETION", "TOKENS", "USD"]
    assert table[1].split() == ["fast", "3", "0", str(PROMPT * 3), str(COMPLETION * 3), f"{COST * 3 / 1e12:.6f}".rstrip("0")]
    assert {line.split()[0] for line in table[2:4]} == {"bad", "x?[31m?y"} and table[4].split()[:3] == ["total", "5", "2"]
    # The file is left as by a crash: nothing that was written is lost, and the next relay continues.
    relay.kill()
    again = launch(**environment)
    assert rows(folder, "PRAGMA integrity_check") == [("ok",)] and count(folder) >= 9
    use(team(again), good=1, bad=0)
    again.stop()
    assert not (folder / "usage.db-wal").exists(), "the file was not closed"
    assert count(folder) >= 11
    assert json.loads(told("usage", "--json", **environment).stdout)["total"]["requests"] == 6


def test_a_change_needs_a_restart(launch, server, tmp_path):
    file = tmp_path / "relay.env"
    file.write_text(f"DATA_DIR={tmp_path}/one\n")
    relay = launch(**settings(server, ENV_FILE=file))
    file.write_text(f"DATA_DIR={tmp_path}/two\nUSAGE_DATABASE_URL=postgres://a:{PASSWORD}@host/db\nUSAGE_DATA_DAYS=7\n")
    relay.signal(signal.SIGHUP)
    line = relay.wait_for_line(lambda line: line["message"] == "settings that need a restart have changed")
    assert line["settings"] == "DATA_DIR, USAGE_DATABASE_URL, USAGE_DATA_DAYS"
    shown = told("config", ENV_FILE=str(file)).stdout
    assert "USAGE_DATABASE_URL=post...db" in shown and PASSWORD not in shown


def test_what_cannot_start(server, tmp_path):
    (tmp_path / "file").touch()
    for more, status, lines, cause in (
        ({"DATA_DIR": tmp_path / "a" / "b"}, 78, 2, f"cannot be made: {tmp_path}/a is missing; make it, or name another folder"),
        ({"DATA_DIR": tmp_path / "file"}, 78, 2, "is not a folder; name another folder"),
        ({"USAGE_DATABASE_URL": f"postgres://a:{PASSWORD}%zz@host/db"}, 78, 2, "libpq rejects this URL; write it as postgres://"),
    ):
        found = told(HOST="127.0.0.1", PORT=str(free_port()), **settings(server, **more))
        assert found.returncode == status and cause in found.stderr and len(found.stderr.splitlines()) == lines, found
        assert PASSWORD not in found.stderr


def test_without_a_place_of_records_there_are_none(tmp_path):
    nowhere = told("usage")
    assert nowhere.returncode == 1
    assert nowhere.stderr == "usage: no usage records are stored; set DATA_DIR, USAGE_DATABASE_URL or USAGE_LOG_FILE\n"
    assert told("usage", USAGE_LOG_FILE="-").returncode == 1


def test_lines_of_a_file(launch, server, team, tmp_path):
    file = tmp_path / "app.log"
    environment = settings(server, USAGE_LOG_FILE=file)
    use(team(launch(**environment)))
    wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") >= 8)
    check_report(environment)
    with file.open("a") as more:
        more.write("no record\n")
    assert json.loads(told("usage", "--json", **environment).stdout)["bad_lines"] == 1
    assert told("usage", **environment).stdout.endswith("Lines that are not records: 1.\n")
    file.write_text(file.read_text().removesuffix("no record\n"))


def written_and_killed(folder, rate):
    """Kills a writer of so many records a second. Returns the last record stored, and the last handed over a second before."""
    folder.mkdir()
    told_at = []
    writer = subprocess.Popen([WRITER, folder, str(rate)], stdout=subprocess.PIPE, text=True)
    with writer.stdout:
        for line in writer.stdout:
            told_at.append((time.monotonic(), int(line)))
            if len(told_at) == 25:
                writer.kill()
    writer.wait()
    killed = told_at[24][0]
    assert rows(folder, "PRAGMA integrity_check") == [("ok",)]
    ((first, last, number),) = rows(folder, "SELECT min(request_id + 0), max(request_id + 0), count(*) FROM usage")
    assert (first, number) == (1, last), "there is a gap"
    return last, max(number for at, number in told_at if at <= killed - 1)


@pytest.mark.skipif(not WRITER.exists(), reason="write-usage is not built beside the relay")
def test_killed_while_it_writes(tmp_path):
    """With 5,000 records a second there is never a gap, and nothing older than a second is lost.

    A machine that others keep busy may hold writes for longer than that second; each further try writes half as many.
    """
    for index in range(6):
        rate = KILLED_RATE >> index
        last, taken = written_and_killed(tmp_path / str(index), rate)
        if last >= taken > (0 if IS_SANITIZED else rate):
            return
    pytest.fail(f"{last} records are stored of {taken} that were a second old")


@pytest.fixture
def folder(tmp_path):
    """A folder on a disk of a megabyte."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield small
    subprocess.run(["umount", "--lazy", small], check=True)


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
        while filler.write(bytes(4096)):
            pass


def test_full_disk(launch, server, team, folder):
    """Requests continue, with one warning and a metric. When there is space again, everything is written."""
    relay = launch(**settings(server, DATA_DIR=folder))
    http = team(relay)
    fill(folder)
    use(http, good=3, bad=0)
    wait_for(lambda: metric(relay, "relay_usage_write_failures_total", "sqlite") >= 2)
    use(http, good=3, bad=0)
    assert metric(relay, "relay_usage_records_waiting", "sqlite") > 0
    (folder / "filler").unlink()
    wait_for(lambda: metric(relay, "relay_usage_records_total", "sqlite") >= 12)
    assert count(folder) >= 12 and metric(relay, "relay_usage_records_dropped_total", "sqlite") == 0
    warnings = [line["message"] for line in relay.log_lines() if line["level"] == "warning"]
    assert warnings == ["usage records cannot be written", "usage records are written again"]
    relay.stop()


def test_a_start_on_a_full_disk(launch, server, team, folder):
    """A full disk hurts a relay that starts no more than one that runs."""
    fill(folder)
    relay = launch(**settings(server, DATA_DIR=folder))
    use(team(relay), good=3, bad=0)
    relay.wait_for_line(lambda line: line["message"] == "the file of usage records cannot be opened yet")
    (folder / "filler").unlink()
    wait_for(lambda: metric(relay, "relay_usage_records_total", "sqlite") >= 6)
    assert metric(relay, "relay_usage_records_dropped_total", "sqlite") == 0
    relay.stop()


def test_a_database_that_hangs_does_not_hold_up_the_end(start_relay, server, team):
    postgres = Postgres()
    try:
        relay = start_relay(**settings(server, USAGE_DATABASE_URL=postgres.url, SHUTDOWN_SECONDS=1))
        use(team(relay), good=1, bad=0)
        wait_for(lambda: postgres.ask("SELECT to_regclass('relay_usage')") != [[""]] and postgres.ask("SELECT count(*) > 0 FROM relay_usage") == [["t"]])
        postgres.run("pause")
        use(team(relay), good=1, bad=0)
        relay.process.terminate()
        assert relay.process.wait(60) == 0
        relay.wait_for_line(lambda line: line["message"].startswith("the database of usage records does not respond"))
    finally:
        postgres.run("resume")
        postgres.remove()


def test_the_first_start_with_an_empty_database_warns_of_nothing(start_relay):
    postgres = Postgres()
    try:
        relay = start_relay(**SETTINGS, USAGE_DATABASE_URL=postgres.url)
        operator = Operator(relay.base_url)
        for path in ("/admin/overview", "/admin/usage?by=model", "/admin/req_logs"):
            assert operator.get(path).status_code == 200, path
        assert [line for line in relay.log_lines() if line["level"] not in ("info", "debug")] == []
    finally:
        relay.stop()
        postgres.remove()


def test_relays_that_start_together_on_an_empty_database(launch):
    """One of them creates the tables, the others wait for it."""
    for _ in range(3):
        postgres = Postgres()
        try:
            with ThreadPoolExecutor(3) as pool:
                relays = list(pool.map(lambda _: launch(**SETTINGS, USAGE_DATABASE_URL=postgres.url), range(3)))  # noqa: B023
            for relay in relays:
                assert Operator(relay.base_url).get("/admin/usage?by=model").status_code == 200
                assert [line for line in relay.log_lines() if line["level"] not in ("info", "debug")] == []
                relay.stop()
        finally:
            postgres.remove()


def test_a_failed_start_is_taken_back(start_relay, server, team):
    postgres = Postgres()
    try:
        postgres.run("stop")
        relay = start_relay(**settings(server, USAGE_DATABASE_URL=postgres.url))
        relay.wait_for_line(lambda line: line["message"] == "the usage database cannot be used")
        postgres.run("start")
        use(team(relay), good=1, bad=0)
        relay.wait_for_line(lambda line: line["message"] == "usage records are written again")
        relay.stop()
        assert sum(line["message"] == "usage records are written again" for line in relay.log_lines()) == 1
    finally:
        postgres.remove()


def test_postgres(launch, server, team):
    """Two relays and one database, which becomes unavailable and available again."""
    postgres = Postgres()
    try:
        environment = settings(server, USAGE_DATABASE_URL=postgres.url)
        relays = [launch(**environment) for _ in range(2)]
        one, other = (team(relay) for relay in relays)
        use(one, good=2)
        use(other, good=1, bad=0)

        def number():
            (found,) = postgres.ask("SELECT to_regclass('relay_usage')")
            return int(postgres.ask("SELECT count(*) FROM relay_usage")[0][0]) if found != [""] else 0

        wait_for(lambda: number() >= 8)
        check_report(environment)
        postgres.run("stop")
        for _ in range(5):
            use(one, bad=0, good=1)
        line = relays[0].wait_for_line(lambda line: line["message"] == "usage records cannot be written")
        assert line["setting"] == "USAGE_DATABASE_URL" and "no room are lost" in line["meanwhile"]
        assert metric(relays[0], "relay_usage_records_waiting", "postgres") == 10
        away = told("usage", **environment)
        assert away.returncode == 1 and away.stderr.startswith("usage: USAGE_DATABASE_URL: ") and PASSWORD not in away.stderr
        postgres.run("start")
        relays[0].wait_for_line(lambda line: line["message"] == "usage records are written again")
        relays[1].stop()
        use(one, good=1, bad=0)
        relays[0].stop()
        check_report(environment, good=9)
        assert postgres.ask("SELECT count(*) - count(DISTINCT (process, number)) FROM relay_usage") == [["0"]]
        for relay in relays:
            assert PASSWORD not in relay.text()
    finally:
        postgres.remove()


def test_posts_nothing(launch, server, team, tmp_path, mark):
    """No prompt, key or answer is in the database."""
    folder = tmp_path / "data"
    relay = launch(**settings(server, DATA_DIR=folder))
    http = team(relay)
    assert ask(http, mark, model="fast").status_code == 200
    assert http.post(PATH, json=body(mark, model="bad")).status_code >= 500
    relay.stop()
    kept = b"".join(file.read_bytes() for file in Path(folder).iterdir())
    assert b"team" in kept and not conftest.told_secrets(kept.decode(errors="replace"))
