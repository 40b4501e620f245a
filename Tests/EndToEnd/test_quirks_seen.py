"""What operators see of remembered quirks, and how they delete one."""

import json
import subprocess

import local_http
import pytest
from chat import ask
from operating import SETTINGS, Operator
from relay_process import INHERITED, binary, provider
from test_openai_mends import TOOL, dropped, said

ALICE, BOB = "token-of-alice-0001", "token-of-bob-00000001"
SECRET = "secret-word-of-a-prompt"
MEMBERS = {"id", "provider", "model", "quirk", "condition", "for", "callers", "learned_at", "ends_at", "words"}


@pytest.fixture
def settings(server):
    return SETTINGS | {**provider("ROW", "openai", server.base_url, "seen"), "KEY_ALICE_TOKEN": ALICE, "KEY_BOB_TOKEN": BOB}


def models_quirks(settings, port, *words):
    return subprocess.run(
        [str(binary()), "models", "--quirks", *words], env=INHERITED | {"ENV_FILE": "/dev/null", "PORT": port} | settings,
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def gauges(relay):
    rows = local_http.get(f"{relay.base_url}/metrics").text.splitlines()
    return sorted(row.removeprefix("relay_vendor_quirks") for row in rows if row.startswith("relay_vendor_quirks{"))


def shown(operator):
    return [(row["quirk"], row["condition"], row["for"], row["callers"], row["words"]) for row in operator.items("/admin/quirks")]


def test_quirks_are_listed_counted_and_deleted(start_relay, server, caller, settings):
    relay = start_relay(**settings)
    operator = Operator(relay.base_url)
    assert operator.items("/admin/quirks") == gauges(relay) == []
    alice, bob, nobody = caller(relay, ALICE), caller(relay, BOB), caller(relay)
    fine = {"extra": True, "nulls": True}
    hot = said(f"'temperature' cannot be used when tools are given. Found '{SECRET}'")
    for http, refusal, fields in [
        (alice, dropped("top_p", 1)[0], {"top_p": 0.5}), (bob, dropped("top_p", 1)[0], {"top_p": 0.5}),
        (alice, hot, {"temperature": 0.5, "tools": [TOOL], "user": SECRET}),
        (nobody, said("This model does not support tools."), {"tools": [TOOL]}),
    ]:  # fmt: skip
        server.says("seen", refusal, fine)
        assert ask(http, model="seen", **fields).status_code == 200
    server.take_violations()
    rows = operator.items("/admin/quirks")
    # `learned_at` is the first refusal, and the hour begins at the last one.
    assert all(set(row) == MEMBERS and 3_600 <= row["ends_at"] - row["learned_at"] < 3_630 for row in rows)
    assert shown(operator) == [
        ("temperature", "with tools", "one caller", 1, "'temperature' cannot be used when tools are given. Found"),
        ("tools", "", "anonymous callers", 1, "This model does not support tools."),
        ("top_p", "", "all callers", 2, "Unsupported parameter: 'top_p'"),
    ]
    assert gauges(relay) == [f'{{provider="row",model="seen",quirk="{name}"}} 1' for name in ("temperature", "tools", "top_p")]
    port = relay.base_url.rpartition(":")[2]
    table = models_quirks(settings, port)
    assert table.returncode == 0 and len(table.stdout.splitlines()) == 4 and "with tools" in table.stdout, table
    assert json.loads(models_quirks(settings, port, "--json").stdout)["items"] == operator.items("/admin/quirks")
    assert SECRET not in table.stdout + json.dumps(rows)
    wrong = models_quirks(settings | {"ADMIN_PASSWORD": "another-password"}, port)
    assert wrong.returncode == 1 and "Wrong username or password" in wrong.stderr
    [known] = [row for row in rows if row["quirk"] == "top_p"]
    answer = operator.ask("DELETE", f"/admin/quirks/{known['id']}")
    assert answer.status_code == 200 and answer.json()["data"] == {"all_instances": False}
    assert operator.ask("DELETE", f"/admin/quirks/{known['id']}").status_code == 404
    assert len(shown(operator)) == 2 and len(gauges(relay)) == 2
    assert operator.data("/admin/config")["actions"][0]["target"] == "row seen top_p"
    server.says("seen", fine)
    ask(bob, model="seen", top_p=0.5)
    assert server.asked("seen")[0]["body"]["top_p"] == 0.5
    server.take_violations()


def test_the_callers_texts_are_not_shown(start_relay, server, caller, settings):
    relay = start_relay(**settings)
    operator = Operator(relay.base_url)
    texts = ["pin 1234", "secret\tphrase", "hunter22"]
    words = "'top_p' is not supported when 'user' is set"
    server.says("seen", said(f"{words}: pin 1234 (secret\tphrase) was refused for 'hunter22'."), {"extra": True})
    messages = [{"role": "user", "content": texts[0]}, {"role": "user", "content": [{"type": "text", "text": texts[1]}]}]
    assert ask(caller(relay, ALICE), model="seen", messages=messages, user=texts[2], top_p=0.5).status_code == 200
    [row] = operator.items("/admin/quirks")
    assert row["words"].startswith(words) and row["condition"] == "with user", row
    assert not any(text.split()[-1] in json.dumps(row) + relay.text() for text in texts), row


def test_a_quirk_is_deleted_at_all_instances(start_relay, server, caller, settings, store, clock):
    wall = clock(0)
    relays = [start_relay(**settings, MEMCACHED_SERVERS=store.address, **wall.environment) for _ in range(2)]
    operators = [Operator(relay.base_url) for relay in relays]
    wall.advance_until(lambda: [len(operator.items("/admin/instances")) for operator in operators] == [2, 2], 25)
    for relay in relays:
        server.says("seen", dropped("top_p", 1)[0], {"extra": True})
        assert ask(caller(relay, ALICE), model="seen", top_p=0.5).status_code == 200
    server.take_violations()
    [first], [second] = (operator.items("/admin/quirks") for operator in operators)
    assert first["id"] == second["id"]
    answer = operators[0].ask("DELETE", f"/admin/quirks/{first['id']}")
    assert answer.json()["data"] == {"all_instances": True}
    wall.advance_until(lambda: operators[1].items("/admin/quirks") == [], 25)
