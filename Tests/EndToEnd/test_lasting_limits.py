"""Limits of a month, and others of a day or longer, after memcached and all relays are gone: the database knows them."""

import datetime
import uuid

import pytest
from conftest import secrets
from limited import chat, client
from memcached import wait_for
from operating import SETTINGS, Operator
from postgres import Postgres

TOKEN = f"token-{uuid.uuid4().hex}"
LIMITS = {"PROVIDER_DEMO_KIND": "echo", "KEY_A_TOKEN": TOKEN, "KEY_B_TOKEN": f"b-{TOKEN}", "RATE_LIMIT": "off", "KEY_A_RATE_LIMIT": "20/month;30/day;1000000 tokens/month"}


@pytest.fixture
def server():
    running = Postgres()
    yield running
    running.remove()


def settings(store, place, tmp_path, server=None):
    secrets.add(TOKEN)
    data = {"sqlite": {"DATA_DIR": str(tmp_path)}, "postgres": {"USAGE_DATABASE_URL": server and server.url}}[place]
    return LIMITS | SETTINGS | data | {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s"}


def lose(store, relays):
    """Ends all relays, and memcached with its records."""
    for relay in relays:
        relay.begin_to_stop()
    for relay in relays:
        relay.stop()
    store.kill()
    store.start()


def used(relay):
    """Returns the used units of the key's limits."""
    return {limit["limit"]: limit["used"] for limit in client(relay, TOKEN).get("/v1/usage").json()["limits"]}


@pytest.mark.parametrize(("place", "count"), [("sqlite", 2), ("postgres", 4)])
def test_what_was_used_is_used_after_all_is_gone(start_relay, store, server, tmp_path, place, count):
    environment = settings(store, place, tmp_path, server)
    relays = [start_relay(**environment) for _ in range(count)]
    for at in range(13):
        assert chat(client(relays[at % count], TOKEN)).status_code == 200
    before = used(relays[0])
    assert list(before.values()).count("13") == 2
    assert len(before) == 3
    lose(store, relays)
    relays = [start_relay(**environment) for _ in range(count)]
    # Whoever asks first restores it, and nobody adds it again.
    assert [used(relay) for relay in relays] == [before] * count
    answers = [chat(client(relays[at % count], TOKEN)).status_code for at in range(4 * count)]
    assert answers.count(200) == min(7, 4 * count)
    # A flush while relays live, and a reset: neither gives anything back or takes it.
    store.flush()
    assert chat(client(relays[-1], TOKEN)).status_code == 429
    operator = Operator(relays[0].base_url)
    for limit in operator.items("/admin/limits", caller="a"):
        operator.post("/admin/limits/reset", {"caller": "a", "id": limit["id"]})
    wait_for(lambda: chat(client(relays[0], TOKEN)).status_code == 200)
    after = used(relays[0])
    lose(store, relays)
    relays = [start_relay(**environment) for _ in range(count)]
    # The operator's list of several callers asks the database, too.
    listed = [row["used"] for row in Operator(relays[-1].base_url).items("/admin/limits") if row["caller"] == "a"]
    assert sorted(listed) == sorted(after.values())
    assert used(relays[-1]) == after


def test_the_database_holds_no_name_and_no_key(start_relay, store, server, tmp_path):
    relay = start_relay(**settings(store, "postgres", tmp_path, server))
    wait_for(lambda: server.ask("SELECT to_regclass('relay_limits')") == [["relay_limits"]])
    server.ask("INSERT INTO relay_limits VALUES ('over', 1, 1, 1, 1000, '')")
    assert chat(client(relay, TOKEN)).status_code == 200
    # What has expired is deleted.
    wait_for(lambda: len(server.ask("SELECT key FROM relay_limits")) == 3 and not server.ask("SELECT key FROM relay_limits WHERE key = 'over'"))
    month = datetime.datetime.now(datetime.UTC).strftime("%Y-%m")
    rows = server.ask("SELECT key, record FROM relay_limits")
    assert sum(f".{month}." in key for key, _ in rows) == 2
    assert not any("team" in text.lower() or TOKEN in text for row in rows for text in row)
    # A second request takes the place of the first one's copy.
    (version,) = server.ask("SELECT max(version) FROM relay_limits")
    assert chat(client(relay, TOKEN)).status_code == 200
    wait_for(lambda: server.ask("SELECT max(version) FROM relay_limits") != [version])
    assert len(server.ask("SELECT key FROM relay_limits")) == 3
