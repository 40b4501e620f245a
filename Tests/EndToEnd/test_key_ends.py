"""Keys that end, that are switched off, and what all keys have that do not set their own."""

import datetime

import local_http
import pytest
from chat import PATH
from conftest import secrets
from limited import chat, chat_body, client, metric
from relay_process import preloads, provider

ONE, TWO = "token-of-key-ends-0123456789-1", "token-of-key-ends-0123456789-2"
SETTINGS = {"PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT": "off", "KEY_A_TOKEN": ONE, "KEY_B_TOKEN": TWO}


def refused(relay, code, token=ONE):
    answer = chat(client(relay, token))
    return answer.status_code == 401 and answer.json()["error"]["code"] == code


def test_a_key_ends_at_its_time(start_relay):
    secrets.update((ONE, TWO))
    now = datetime.datetime.now(datetime.UTC)
    past, later = (now - datetime.timedelta(days=1)).date(), now + datetime.timedelta(hours=1)
    relay = start_relay(**SETTINGS, KEY_A_EXPIRES=str(past), KEY_B_EXPIRES=later.isoformat(timespec="seconds"))
    assert refused(relay, "key_expired") and chat(client(relay, TWO)).status_code == 200


PASSTHROUGH = provider("X", "openai", "http://127.0.0.1:1", "m", PASSTHROUGH="true")


@preloads
def test_the_log_names_keys_that_end_soon_once_a_day(start_relay, clock):
    secrets.update((ONE, TWO))
    last = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=15)
    wall = clock(0)
    relay = start_relay(**SETTINGS, KEY_A_EXPIRES=str(last), **wall.environment)
    wall.set(3 * 86400)
    wall.advance_until(lambda: "a key expires" in relay.text(), 15)
    line = relay.wait_for_line(lambda line: line["message"] == "a key expires")
    assert line["caller"] == "a" and line["problem"].startswith("the key is refused from ")
    wall.set(20 * 86400)
    wall.advance_until(lambda: '"is past, ' in relay.text(), 15)
    ended = relay.wait_for_line(lambda line: line.get("problem", "").startswith("is past, "))
    assert ended["caller"] == "a" and refused(relay, "key_expired")


@pytest.mark.parametrize("more", [{"ANONYMOUS_MODELS": "echo"}, PASSTHROUGH], ids=["anonymous", "passthrough"])
def test_an_ended_key_is_never_a_strangers(start_relay, more):
    secrets.update((ONE, TWO))
    ends = {"KEY_A_EXPIRES": "2020-01-31", "KEY_B_ENABLED": "false", "RATE_LIMIT_FAILED_AUTH": "1/hour"}
    relay = start_relay(**SETTINGS | more | ends)
    for _ in range(3):
        assert refused(relay, "key_expired") and refused(relay, "key_disabled", TWO), "it is no guess, either"
    assert metric(relay, "relay_limit_decisions_total", kind="auth", outcome="admitted") == 0


def test_a_key_is_switched_off_and_on_by_a_reload(start_relay, tmp_path):
    secrets.update((ONE, TWO))
    file = tmp_path / "relay.env"

    def write(more=""):
        file.write_text("".join(f"{name}={value}\n" for name, value in SETTINGS.items()) + more)

    write()
    relay = start_relay(ENV_FILE=str(file), RATE_LIMIT="")
    http = client(relay, ONE)
    assert chat(http).status_code == 200
    write("KEY_A_ENABLED=false\n")
    local_http.post(f"{relay.base_url}/reload_config")
    assert http.post(PATH, json=chat_body()).status_code == 401 and refused(relay, "key_disabled")
    assert chat(client(relay, TWO)).status_code == 200
    write()
    local_http.post(f"{relay.base_url}/reload_config")
    assert chat(http).status_code == 200
