"""Families of keys: a secret computes the keys of all members, without a list of them."""

import datetime
import json
import stat
import subprocess
from pathlib import Path

import local_http
import pytest
from chat import PATH
from conftest import secrets
from limited import chat, chat_body, client, metric
from memcached import wait_for
from operating import SETTINGS as OPERATED
from operating import Operator
from relay_process import INHERITED, binary
from test_key_ends import PASSTHROUGH

SECRET, FORMER = "secret-of-a-class-0123456789-0123456789", "former-secret-of-a-class-0123456789-0123"
ECHO = {"PROVIDER_DEMO_KIND": "echo", "RATE_LIMIT": "off"}
CLASS = ECHO | {"KEY_CLASS_SECRET": SECRET}


def command(*words, settings=CLASS):
    environment = INHERITED | {"ENV_FILE": "/dev/null"} | settings
    return subprocess.run([binary(), "key", *words], env=environment, capture_output=True, text=True, timeout=30)


def keys(*members, settings=CLASS, **options):
    """Returns the keys that `relay key class` prints."""
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = command("class", *members, *words, settings=settings)
    assert done.returncode == 0, done.stderr
    found = dict(line.split(",") for line in done.stdout.splitlines())
    secrets.update({SECRET, FORMER, *found.values()})
    return found


def refused(relay, key):
    answer = chat(client(relay, key))
    return answer.status_code == 401 and answer.json()["error"]["code"]


def test_each_member_has_the_limits_of_the_family_and_all_share_its_group(start_relay, tmp_path):
    limits = {"KEY_CLASS_RATE_LIMIT": "3/hour", "KEY_CLASS_GROUP": "school", "GROUP_SCHOOL_RATE_LIMIT": "5/hour"}
    relay = start_relay(**CLASS | limits | OPERATED, DATA_DIR=str(tmp_path))
    ann, bob = (client(relay, key) for key in keys("ann", "bob").values())
    assert [limit["name"] for limit in ann.get("/v1/usage").json()["limits"]] == ["key", "group school"]
    assert [chat(ann).status_code for _ in range(4)] == [200, 200, 200, 429]
    refusal = [chat(bob) for _ in range(3)]
    assert [answer.status_code for answer in refusal] == [200, 200, 429]
    assert "All keys of group school" in refusal[-1].json()["error"]["message"]
    assert metric(relay, "relay_caller_requests_total", caller="class") >= 7, "one series for all members"

    operator = Operator(relay.base_url)
    of_ann = [row for row in operator.items("/admin/limits", caller="class.ann") if row["limit"] == "key"]
    assert [(row["caller"], row["used"]) for row in of_ann] == [("class.ann", "3")]
    answer = operator.ask("GET", "/admin/limits", params={"caller": "class"})
    assert answer.status_code == 404 and "name a member" in answer.text
    wait_for(lambda: {"class.ann", "class.bob"} <= {row["caller"] for row in operator.items("/admin/limits")})
    listed = [(row["kind"], row["name"], row["requests"]) for row in operator.items("/admin/keys")]
    assert listed[0][:2] == ("group", "school") and {row[1] for row in listed[1:]} == {"class.ann", "class.bob"} and all(row[2] for row in listed)
    assert operator.post("/admin/limits/reset", {"caller": "class.bob", "id": of_ann[0]["id"]}).status_code == 200
    environment = INHERITED | {"ENV_FILE": "/dev/null"} | CLASS | limits | {"DATA_DIR": str(tmp_path)}
    done = subprocess.run([binary(), "usage", "--by", "group", "--json"], env=environment, capture_output=True, text=True, timeout=30)
    assert [row["group"] for row in json.loads(done.stdout)["rows"] if row["group"]] == ["school"], done.stdout


def test_the_command_shows_the_limits_of_a_member(start_relay, store):
    settings = CLASS | {"KEY_CLASS_RATE_LIMIT": "3/hour", "MEMCACHED_SERVERS": store.address}
    relay = start_relay(**settings)
    assert chat(client(relay, keys("ann")["ann"])).status_code == 200

    def used(name):
        environment = INHERITED | {"ENV_FILE": "/dev/null"} | settings
        done = subprocess.run([binary(), "limits", name, "--json"], env=environment, capture_output=True, text=True, timeout=30)
        return [row["used"] for row in json.loads(done.stdout)["limits"]] if done.returncode == 0 else None

    wait_for(lambda: used("class.ann") == [1])
    assert used("class.bob") == [0] and used("class.Bob") is None and used("other.ann") is None
    assert used("class") is None, "a family has no limits of its own"


def test_a_key_of_any_relay_is_accepted_by_each_without_the_store(start_relay):
    gone = {"MEMCACHED_SERVERS": "127.0.0.1:1", "KEY_CLASS_RATE_LIMIT": "5/hour", "LIMITS_ON_FAILURE": "allow"}
    key = keys("ann")["ann"]
    for _ in range(2):
        assert chat(client(start_relay(**CLASS), key)).status_code == 200
    assert client(start_relay(**CLASS | gone), key).get("/v1/models").status_code in (200, 503), "known, whatever is counted"


@pytest.mark.parametrize("more", [{"ANONYMOUS_MODELS": "echo"}, PASSTHROUGH], ids=["anonymous", "passthrough"])
def test_a_forged_or_ended_key_is_never_a_strangers(start_relay, more):
    relay = start_relay(**CLASS | more, KEY_CLASS_REVOKED="eve")
    found = keys("ann", "eve") | {"old": keys("ann", expires="2020-01-31")["ann"]}
    assert chat(client(relay, found["ann"])).status_code == 200
    assert refused(relay, found["eve"]) == "key_revoked" and refused(relay, found["old"]) == "key_expired"
    forged = found["ann"].replace("ann", "bob")
    secrets.add(forged)
    assert refused(relay, forged) == "invalid_api_key"


def test_forged_keys_are_guesses(start_relay):
    relay = start_relay(**CLASS, RATE_LIMIT_FAILED_AUTH="3/hour")
    forged = [f"rk-class.m{at}.0.AAAAAAAAAAAAAAAAAAAAAA" for at in range(5)]
    assert [chat(client(relay, key)).status_code for key in forged] == [401, 401, 401, 429, 429]


def test_a_revocation_and_a_new_secret_hold_after_a_reload(start_relay, tmp_path):
    file, revoked = tmp_path / "relay.env", tmp_path / "revoked"
    revoked.write_text("nobody\n")

    def write(**settings):
        lines = ECHO | {"KEY_CLASS_REVOKED_FILE": str(revoked)} | settings
        file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))

    write(KEY_CLASS_SECRET=FORMER)
    old = keys("ann", "bob", settings=CLASS | {"KEY_CLASS_SECRET": FORMER})
    day = datetime.date.today() + datetime.timedelta(days=30)
    dated = keys("bob", settings=CLASS | {"KEY_CLASS_SECRET": FORMER}, expires=day)["bob"]
    relay = start_relay(ENV_FILE=str(file))
    ann, bob, dated_bob = (client(relay, key) for key in (old["ann"], old["bob"], dated))
    assert [chat(http).status_code for http in (ann, bob, dated_bob)] == [200, 200, 200]

    revoked.write_text(f"ann\nbob.{(day - datetime.date(1970, 1, 1)).days}\n")
    write(KEY_CLASS_SECRET=SECRET, KEY_CLASS_SECRET_BEFORE=FORMER)
    local_http.post(f"{relay.base_url}/reload_config")
    answers = [http.post(PATH, json=chat_body()) for http in (ann, dated_bob)]
    assert [answer.json()["error"]["code"] for answer in answers] == ["key_revoked"] * 2
    assert chat(bob).status_code == 200 and chat(client(relay, keys("bob")["bob"])).status_code == 200
    write(KEY_CLASS_SECRET=SECRET)
    local_http.post(f"{relay.base_url}/reload_config")
    assert refused(relay, old["bob"]) == "invalid_api_key"


def test_the_file_of_keys_is_its_owners_alone(tmp_path):
    output = tmp_path / "keys.csv"
    done = command("class", "ann", "bob", "--output", str(output))
    assert done.stdout == f"2 keys are in {output}\n" and stat.S_IMODE(output.stat().st_mode) == 0o600
    assert dict(line.split(",") for line in output.read_text().splitlines()) == keys("ann", "bob")


@pytest.mark.parametrize(
    ("content", "words", "expected"),
    [
        ("ann\nAnn Lee\n", [], "key: line 2: a member is 1 to 64 of a-z, 0-9, _ and -; --slug makes such a name of it\n"),
        ("ann\n\nann@school.edu\n", [], "key: line 3: a member is 1 to 64 of "),
        ("Ann Lee\nann-lee\n", ["--slug"], "key: line 2: the member ann-lee is named twice (line 1)\n"),
        ("!!!\n", ["--slug"], "key: line 1: a member is 1 to 64 of a-z, 0-9, _ and -; write this name in Latin letters\n"),
        ("Ann\nИван 3\n", ["--slug"], "key: line 2: a member is 1 to 64 of a-z, 0-9, _ and -; write this name in Latin letters\n"),
        ("a" * 65 + "\n", ["--slug"], "key: line 1: a member is 1 to 64 of a-z, 0-9, _ and -; shorten this name\n"),
        ("\n", [], "key: the file has no names\n"),
        ("ann\n", ["--expires", "2027-02-30"], "key: the last day of a key is a date such as 2027-01-31\n"),
    ],
)
def test_names_that_are_no_members(tmp_path, content, words, expected):
    file = tmp_path / "names"
    file.write_text(content)
    done = command("class", "--file", str(file), *words)
    assert done.returncode == 64 and not done.stdout and expected in done.stderr


def test_a_byte_order_mark_before_the_names_is_none_of_them(tmp_path):
    file = tmp_path / "names"
    file.write_text("ann\nbob\n", encoding="utf-8-sig")
    assert command("class", "--file", str(file)).stdout == command("class", "ann", "bob").stdout
    file.write_text("Ann Lee\n")
    assert command("class", "--file", str(file), "--slug").stdout.startswith("Ann Lee,ann-lee,")


def test_keys_that_have_ended_are_said_to(tmp_path):
    done = command("class", "ann", "--expires", "2020-01-31")
    assert done.returncode == 0 and done.stdout.startswith("ann,")
    assert done.stderr == "key: 2020-01-31 is over, so these keys are refused\n"
    later = str(datetime.date.today() + datetime.timedelta(days=40))
    assert command("class", "ann", "--expires", later).stderr == ""
    for setting, expected in (
        ({"KEY_CLASS_EXPIRES": str(datetime.date.today() + datetime.timedelta(days=30))}, ["key: KEY_CLASS_EXPIRES ends these keys earlier"]),
        ({"KEY_CLASS_EXPIRES": later}, []),
        ({"KEY_CLASS_ENABLED": "false"}, ["key: KEY_CLASS_ENABLED=false refuses these keys"]),
    ):
        done = command("class", "ann", "--expires", later, settings=CLASS | setting)
        assert done.returncode == 0
        assert [line for line in done.stderr.splitlines() if line.startswith("key: ")] == expected


def test_keys_that_are_revoked_are_said_to():
    done = command("class", "ann", "bob", settings=CLASS | {"KEY_CLASS_REVOKED": "ann"})
    assert done.returncode == 0 and done.stderr == "key: ann is revoked, so this key is refused\n"


def test_the_command_says_what_is_missing():
    done = command("class", "ann", settings=ECHO | {"KEY_B_TOKEN": "token-of-another-caller-0123"})
    assert done.returncode == 64 and "KEY_CLASS_SECRET is not set; set it to a secret of at least 32 characters" in done.stderr


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"KEY_A_SECRET": "short-secret-0123456789"}, "KEY_A_SECRET must have at least 32 characters"),
        ({"KEY_A_SECRET": SECRET, "KEY_A_TOKEN": "token-0123456789-0123"}, "KEY_A_SECRET KEY_A_TOKEN is also set"),
        ({"KEY_A_SECRET": SECRET, "KEY_A_REVOKED": "ann,Bob"}, 'KEY_A_REVOKED "Bob" is no member'),
        ({"KEY_A_TOKEN": "token-0123456789-0123", "KEY_A_REVOKED": "ann"}, "KEY_A_REVOKED belongs to a family"),
        ({"KEY_DEFAULT_SECRET": SECRET}, "KEY_DEFAULT_SECRET KEY_DEFAULT_... are what each key has"),
    ],
)
def test_mistakes_in_the_settings_of_a_family(settings, expected):
    environment = INHERITED | {"ENV_FILE": "/dev/null"} | ECHO | settings
    done = subprocess.run([binary(), "check"], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and expected in done.stderr.replace(":", ""), done.stderr
    assert SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize(("content", "is_revoked"), [("", False), ("\n\n", False), ("# left school\n", False), ("# left\nann\n", True)])
def test_a_list_of_revoked_members_may_be_empty(tmp_path, content, is_revoked):
    file = tmp_path / "revoked"
    file.write_text(content)
    done = command("class", "ann", settings=CLASS | {"KEY_CLASS_REVOKED_FILE": str(file)})
    assert done.returncode == 0 and ("ann is revoked" in done.stderr) == is_revoked, done.stderr


def test_the_settings_of_the_page_serve_a_class(start_relay):
    page = (Path(__file__).parents[2] / "docs/classes.md").read_text()
    settings = dict(line.split("=", 1) for line in page.split("```dotenv\n")[1].split("\n```")[0].split("\n"))
    secrets.update(value for name, value in settings.items() if name.endswith(("_SECRET", "_API_KEY", "_PASSWORD")))
    relay = start_relay(**settings)
    models = client(relay, keys("ann", settings=settings)["ann"]).get("/v1/models")
    assert [row["id"] for row in models.json()["data"]] == ["gpt-4o-mini"]
