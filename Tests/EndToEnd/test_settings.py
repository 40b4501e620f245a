"""`relay check` and `relay config`, and that no secret is ever shown."""

import json
import os
import re
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

import checked
import httpx
import pytest
from chat import PATH, body
from relay_process import DEFAULTS, INHERITED, Relay, binary, free_port
from vendor import Vendor


def run(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary()), command], env=INHERITED | environment, cwd=folder, capture_output=True, text=True, timeout=15)


def told(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary()), *words], env=INHERITED | environment, capture_output=True, text=True, timeout=15)


def test_check(tmp_path: Path) -> None:
    good = run("check", tmp_path, ONE_MIN_API_KEYS="v-1", KEY_A_TOKEN="sk-a" * 4)
    assert (good.returncode, good.stdout, good.stderr) == (
        0,
        f"settings: the environment alone; there is no .env in {tmp_path}\nconfiguration: no problems\nusage records: not kept; DATA_DIR keeps them for one relay, USAGE_DATABASE_URL for several "
        "(with Compose: deploy/data.yml, deploy/postgres.yml)\n",
        "",
    )
    doubtful = run("check", tmp_path, ONE_MIN_API_KEYS="v-1", KEY_A_TOKEN="sk-a" * 4, KEY_A_MODELS="nothing")
    assert doubtful.returncode == 0 and doubtful.stderr.startswith("configuration: 1 warning\n")
    short = run("check", tmp_path, ONE_MIN_API_KEYS="v-1", KEY_A_TOKEN="sk-a", METRICS_TOKEN="m", RELAYS="3", PUBLISH="80")
    assert short.returncode == 0 and short.stderr.count("`openssl rand -hex 24` makes a secure value") == 2
    short = run("check", tmp_path, FILE_ID_SECRET="sk-a")
    assert short.returncode == 78 and "FILE_ID_SECRET" in short.stderr and "sk-a" not in short.stderr
    bad = run("check", tmp_path, ONE_MIN_API_KEYS="v-1")
    assert bad.returncode == 78 and "ONE_MIN_API_KEYS: nobody may use this provider" in bad.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("serv", "unknown command: serv; did you mean serve?"), ("start", "unknown command: start"),
        ("--bind", "unknown option: --bind"), ("check now --then", "check: unknown option --then; expected at most one FILE, --ask and --strict"),
    ],
)  # fmt: skip
def test_commands_that_are_none(tmp_path: Path, words: str, message: str) -> None:
    ended = subprocess.run([str(binary()), *words.split()], cwd=tmp_path, capture_output=True, text=True, timeout=15)
    assert ended.returncode == 64 and ended.stdout == ""
    assert ended.stderr.startswith(message + "\nusage: "), ended.stderr


def test_health_says_why_it_fails(tmp_path: Path) -> None:
    def told(**environment: str) -> str:
        ended = run("health", tmp_path, **environment)
        assert (ended.returncode, ended.stdout) == (1, "")
        return ended.stderr

    port = str(free_port())
    refused = f"health: cannot connect to 127.0.0.1:{port}: Connection refused; check that the relay runs with this HOST and PORT"
    assert told(PORT=port).startswith(refused)
    assert told(PORT=port, HOST="::1").startswith(f"health: cannot connect to [::1]:{port}: ")
    assert "PORT" in told(PORT="x")
    for said, reason in {
        b"": "did not respond: it closed the connection", b"SSH-2.0-OpenSSH\r\n": "is not a relay",
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n": "returned status 503",
    }.items():  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as other:

            def serve(said: bytes = said, other: socket.socket = other) -> None:
                peer, _ = other.accept()
                with peer:
                    peer.recv(1000)
                    peer.sendall(said)

            thread = threading.Thread(target=serve)
            thread.start()
            assert reason in told(PORT=str(other.getsockname()[1]))
            thread.join()


def test_the_start_says_where_limits_are_counted(start_relay: Callable[..., Relay]) -> None:
    for settings, words in (
        ({}, "limits: in this process alone (MEMCACHED_HOST=auto looks for memcached)"),
        ({"MEMCACHED_SERVERS": "127.0.0.1:1,127.0.0.1:2"}, "limits: in memcached at 127.0.0.1:1, 127.0.0.1:2"),
        ({"MEMCACHED_HOST": "auto", "MEMCACHED_PORT": 1}, "limits: in memcached, which is being searched for"),
    ):
        relay = start_relay(**settings)
        assert words in relay.wait_for_line(lambda line: line["message"] == "listening")["summary"]


def test_a_pipe_is_a_settings_file_if_somebody_writes_to_it(tmp_path: Path) -> None:
    """Kubernetes mounts secrets as links, shells pass pipes. A pipe without a writer must not hold up the start."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    nobody = run("check", tmp_path, KEY_TEAM_TOKEN_FILE=str(pipe))
    assert nobody.returncode == 78 and "a pipe that does not end" in nobody.stderr, nobody.stderr
    writer = threading.Thread(target=pipe.write_text, args=["sk-team-0123456789abcdef\n"])
    writer.start()
    shown = run("config", tmp_path, KEY_TEAM_TOKEN_FILE=str(pipe))
    writer.join()
    assert shown.returncode == 0 and "KEY_TEAM_TOKEN=sk-t...ef" in shown.stdout, shown.stderr
    (tmp_path / "real").write_text("sk-team-0123456789abcdef\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert "KEY_TEAM_TOKEN=sk-t...ef" in run("config", tmp_path, KEY_TEAM_TOKEN_FILE=str(tmp_path / "link")).stdout


def test_config_tells_value_and_source(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY_TEAM_TOKEN_FILE=token\nKEY_TEAM_MODELS=gpt*,o3\nDEFAULT_MODEL=o3\n")
    (tmp_path / "token").write_text("sk-team-0123456789abcdef\n")
    shown = run("config", tmp_path, ONE_MIN_API_KEYS="vendor-key-00001,vendor-key-00002")
    assert shown.returncode == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    for line in (
        "KEY_TEAM_TOKEN=sk-t...ef  # .env:1", "KEY_TEAM_MODELS=gpt*,o3  # .env:2", "DEFAULT_MODEL=o3  # .env:3",
        "ONE_MIN_API_KEYS=vend...01,vend...02  # environment",
        "SUBSET_OF_ONE_MIN_PERMITTED_MODELS=gpt-4o-mini,gpt-4o,o3-mini  # default",
    ):  # fmt: skip
        assert line in lines, shown.stdout


def secrets(count: int) -> list[str]:
    return [f"planted{number}{uuid.uuid4().hex}" for number in range(count)]


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_planted_secrets_are_never_shown(start_relay: Callable[..., Relay], vendor: Vendor, tmp_path: Path, log_format: str) -> None:
    token, other, one, two, three = secrets(5)
    (tmp_path / "token").write_text(token + "\n")
    settings = {
        "KEY_TEAM_TOKEN_FILE": str(tmp_path / "token"), "KEY_OTHER_TOKEN": other, "KEY_OTHER_MODELS": "fast",
        "PROVIDER_A_KIND": "onemin", "PROVIDER_A_API_KEYS": f"{one},{two}", "PROVIDER_A_MODELS": "fast=gpt-4o-mini",
        "PROVIDER_B_KIND": "onemin", "PROVIDER_B_API_KEY": f"bad-{three}", "PROVIDER_B_MODELS": "broken=gpt-4o-mini",
        "ONE_MIN_BASE_URL": vendor.base_url, "LOG_LEVEL": "debug",
    }  # fmt: skip
    seen = [run(command, tmp_path, **settings) for command in ("check", "config")]
    wrong = {"PORT": "x", "KEY_THIRD_TOKEN": other, "PROVIDER_A_API_KEY": one, "KEY_4_TOKEN": f"{three} {two}"}
    seen += [run(command, tmp_path, **(settings | wrong)) for command in ("check", "config", "serve")]
    assert [ended.returncode for ended in seen] == [0, 0, 78, 78, 78]
    texts = [ended.stdout + ended.stderr for ended in seen]
    vendor.answers(one, {"status": 400, "json": {"message": f"no {one}", "errorCode": one}}, {"status": 500}, {})
    relay = start_relay(**settings)
    for key in (token, other, other[:-1], None):
        for model in ("fast", "broken", "nothing", token):
            for is_streamed in (False, True):
                headers = {"x-api-key": key} if key else {}
                with checked.client(httpx, base_url=relay.base_url, headers=headers) as http:
                    answers = [http.post(PATH, json=body(model=model, stream=is_streamed)), http.get("/v1/models")]
                # A model that was named is quoted to him who named it.
                texts += [str(answer.headers) + answer.text.replace(model, "") for answer in answers]
    relay.stop()
    log = relay.text()
    assert "fast" in log and "rejected" in log
    told = "\n".join(texts)
    for secret in (token, other, one, two, three):
        assert secret not in told and secret[:12] not in told
    for secret in (other, one, two, three):
        assert secret not in log and secret[:12] not in log


def test_tokens_in_the_wrong_place_are_not_shown(tmp_path: Path) -> None:
    (token,) = secrets(1)
    (tmp_path / ".env").write_text(f"PROVIDER_A_KIND=onemin\nPROVIDER_A_API_KEYS=a,\n{token}\n")
    misplaced = run("check", tmp_path, KEY_A_TOKEN_FILE=token)
    assert misplaced.returncode == 78 and token not in misplaced.stderr
    assert ".env:3  this line is not NAME=value" in misplaced.stderr


def test_defaults_of_this_suite_are_offline() -> None:
    assert DEFAULTS["ONE_MIN_MODELS_REFRESH"] == "0"


def test_a_new_key_is_a_line_for_the_settings() -> None:
    for arguments in (["key", "my-team"], ["key", "MY_TEAM", "--json"]):
        done = told(*arguments)
        assert done.returncode == 0 and done.stderr == ""
        if "--json" in arguments:
            found = json.loads(done.stdout)
            setting, token = found["setting"], found["token"]
        else:
            first, *rest = done.stdout.splitlines()
            setting, token = first.split("=", 1)
            assert rest == ["# KEY_MY_TEAM_MODELS=all", "# KEY_MY_TEAM_RATE_LIMIT=60/minute"]
        assert setting == "KEY_MY_TEAM_TOKEN" and re.fullmatch(r"sk-relay-[\w-]{43}", token)
        env = {setting: token, "PROVIDER_E_KIND": "echo", "ENV_FILE": "/dev/null"}
        assert told("check", **env).stderr == ""
    assert told("key", "team").stdout != told("key", "team").stdout
    for arguments in (["key"], ["key", "a b"], ["key", ""], ["key", "a", "b"]):
        assert told(*arguments).returncode == 64
    reserved = told("key", "default")
    assert (reserved.returncode, reserved.stdout) == (64, "")
    assert reserved.stderr == "key: KEY_DEFAULT_... are what each key has that does not set its own; rename this key\n"


def test_the_models_of_the_settings() -> None:
    env = {
        "ENV_FILE": "/dev/null", "ANONYMOUS_MODELS": "all", "PROVIDERS": "row,e",
        "PROVIDER_ROW_KIND": "openai", "PROVIDER_ROW_MODELS": "fast=big/model:1,*", "PROVIDER_ROW_COST": "0.001/0.004",
        "PROVIDER_ROW_API_KEY": "key-that-nobody-sees", "PROVIDER_E_KIND": "echo", "PROVIDER_E_MODELS": "fast,other",
        "PROVIDER_E_PRIORITY": "2", "PANEL_EXPERTS_MODELS": "fast,other", "PANEL_EXPERTS_SUMMARY_MODEL": "e/fast",
    }  # fmt: skip
    done = told("models", **env)
    assert done.returncode == 0 and done.stdout.splitlines() == [
        "MODEL    PROVIDER  UPSTREAM NAME      PRIORITY  WEIGHT  USD/1000     CONTEXT  OUTPUT  CAN                                 ENDS",
        "fast     row       big/model:1        1         1       0.001/0.004                   tools,structured_outputs,streaming",
        "fast     e                            2         1                                     tools,structured_outputs,streaming",
        "other    e                            2         1                                     tools,structured_outputs,streaming",
        "experts  panel     fast,other,e/fast",
        "row also serves the models that its vendor lists; GET /v1/models of the running relay shows these.",
    ]
    found = json.loads(told("models", "--json", **env).stdout)
    parameters = ["max_tokens", "stop", "tools", "tool_choice", "response_format", "structured_outputs"]
    assert found[0] == {
        "model": "fast", "provider": "row", "upstream": "big/model:1", "priority": 1, "weight": 1, "price": "0.001/0.004",
        "shutdown_date": None, "pricing": {"prompt": "0.000001", "completion": "0.000004"},
        "capabilities": ["tools", "structured_outputs", "streaming"], "supported_parameters": parameters,
    }  # fmt: skip
    assert found[-1] == dict.fromkeys(found[0].keys() & {"provider", "upstream", "priority", "weight", "price", "shutdown_date"}) | {
        "model": "experts", "panel": ["fast", "other", "e/fast"],
    }  # fmt: skip
    assert told("models", "x", **env).returncode == 64
