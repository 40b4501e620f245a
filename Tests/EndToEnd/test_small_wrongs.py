"""Small things that were wrong or missing, each tested from outside."""

import os
import subprocess

import local_http
import pytest
from chat import PATH, ask, body, stream
from conftest import TEAM_TOKEN, VENDOR_KEY, http_of, running
from limited import client as plain
from openai_vendor import chunk, usage_chunk
from relay_process import binary, provider
from test_remote_settings import BASE, Host, check, serves
from usage import newer

PHRASE = "schlüssel, 鍵 and ключ"


host = running(Host, "function")


def test_the_key_of_a_document_is_any_text(start_relay, tmp_path, host):
    (tmp_path / "empty.env").write_text("")
    padded = (PHRASE.encode() + bytes(16))[:16].hex()
    command = ["openssl", "enc", "-aes-128-ecb", "-K", padded, "-base64"]
    host.says(subprocess.run(command, input=BASE.encode(), capture_output=True, check=True).stdout)
    relay = start_relay(CONFIG_URL=host.url, CONFIG_KEY=PHRASE, ENV_FILE=str(tmp_path / "empty.env"))
    assert serves(relay)
    for key in ("é" * 256 + "x", "a\tb"):
        code, text = check(CONFIG_URL=host.url, CONFIG_KEY=key)
        assert code == 78 and "CONFIG_KEY: " in text and "1 to 512 bytes of text" in text
    code, text = check(CONFIG_URL=host.url, CONFIG_KEY="é" * 256)
    assert "cannot be decrypted with CONFIG_KEY" in text


def started(**environment):
    """Runs `relay serve`, which must end by itself. Returns its status and output."""
    done = subprocess.run([binary(), "serve"], env={"ENV_FILE": "/dev/null", "PORT": "0"} | environment, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stderr


def test_all_that_is_wrong_with_places_is_told_at_once(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    places = [
        (str(file), "is not a folder"), (str(file / "below"), "cannot be made"), (str(tmp_path / "a/b"), "cannot be made"),
        (str(locked), "is not writable") if os.geteuid() else (str(file), "is not a folder"),
    ]  # fmt: skip
    for folder, words in places:
        for what in (check, started):
            code, text = what(
                PROVIDER_E_KIND="echo", ANONYMOUS_MODELS="all", DATA_DIR=folder, USAGE_LOG_FILE=str(tmp_path / "none/records"), TIMOUT="5",
                MAX_BODY_MB="x",
            )  # fmt: skip
            assert code == 78, (folder, text)
            assert "DATA_DIR: " in text and words in text and "USAGE_LOG_FILE: " in text and "MAX_BODY_MB: " in text
            assert "3 problems" in text or "4 problems" in text
    code, text = check(PROVIDER_E_KIND="echo", ANONYMOUS_MODELS="all", USAGE_LOG_FILE=str(tmp_path))
    assert code == 78 and "is a folder" in text
    # Nothing is made by looking.
    good = {"DATA_DIR": str(tmp_path / "data"), "USAGE_LOG_FILE": str(tmp_path / "data/records")}
    assert check(PROVIDER_E_KIND="echo", ANONYMOUS_MODELS="all", **good)[0] == 0
    assert not (tmp_path / "data").exists()


def test_a_default_model_that_nobody_serves_is_told_with_others():
    common = {"KEY_A_TOKEN": TEAM_TOKEN, "PROVIDER_E_KIND": "echo", "DEFAULT_MODEL": "nobody-has-it"}
    for name, value in [("PROVIDER_E_TIMEOUT", "x"), ("PROVIDER_E_COST", "x"), ("ONE_MIN_MODELS_REFRESH", "x"), ("PERMIT_MODELS_FROM_SUBSET_ONLY", "x")]:
        code, text = check(**common, **{name: value})
        assert code == 78 and f"{name}: " in text and 'no provider serves "nobody-has-it"' in text, text
    for name, value in [("PROVIDER_E_KIND", "x"), ("PROVIDER_E_MODELS", "=,="), ("SUBSET_OF_ONE_MIN_PERMITTED_MODELS", ",\x7f")]:
        code, text = check(**common | {name: value})
        assert code == 78 and "nobody-has-it" not in text, text


@pytest.fixture(scope="module")
def row(launch, server, tmp_path_factory):
    path = tmp_path_factory.mktemp("usage") / "records"
    relay = launch(
        USAGE_LOG_FILE=path, KEY_TEAM_TOKEN=TEAM_TOKEN, PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url,
        PROVIDER_ROW_API_KEY=VENDOR_KEY, PROVIDER_ROW_MODELS="a=row/1,short=row/8", PROVIDER_ROW_COST="0.001/0.002",
        PROVIDER_FREE_KIND="openai", PROVIDER_FREE_BASE_URL=server.base_url, PROVIDER_FREE_MODELS="unpriced=row/2",
    )  # fmt: skip
    relay.records = path
    return relay


team = http_of("row", "server", is_strict=False)


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_what_failed_without_any_use_cost_nothing(row, team, server, status):
    for model, known, cost in [("a", "row/1", 0), ("unpriced", "row/2", None)]:
        server.says(known, {"status": status, "json": {"error": {"message": "no"}}})
        file = newer(row.records)
        assert ask(team, model=model).status_code >= 400
        request, *calls = file.more(2)
        assert request["cost"] == cost and all(call["cost"] == cost for call in calls), (request, calls)


def test_the_last_chunk_keeps_what_it_has(row, team, server):
    file = newer(row.records)
    more = {"service_tier": "flex", "system_fingerprint": "fp_1", "obfuscation": "xyz", "x_own": {"a": [1, 2]}}
    server.says("row/1", {"events": [chunk({"role": "assistant", "content": "x"}), chunk({}, "stop"), usage_chunk() | more]})
    answer = stream(team, model="a", stream_options={"include_usage": True})
    file.more(2)
    last = answer.chunks[-1]
    assert last["choices"] == [] and {name: last.get(name) for name in more} == more
    assert last["id"] == answer.chunks[0]["id"] and last["model"] == "a" and last["usage"]["total_tokens"] == 17


@pytest.mark.parametrize("count", [2, 8])
def test_the_first_of_several_choices_is_kept(row, team, server, count):
    server.says("row/8", *({"text": f"answer {number}"} for number in range(20)))
    file = newer(row.records)
    choices = ask(team, model="short", n=count).json()["choices"]
    asked = server.asked("row/8")
    texts = [choice["message"]["content"] for choice in choices]
    assert [choice["index"] for choice in choices] == list(range(count))
    assert len(asked) == count and sorted(texts) == sorted(f"answer {number}" for number in range(count))
    request, *calls = file.more(1 + count)
    assert request["completion_tokens"] == 8 * count and len(calls) == count
    if count == 2:
        assert asked[0]["body"]["n"] == 2 and texts[0] == "answer 0"
    # Known from then on.
    assert ["n" in call["body"] for call in asked][1:] == [False] * (count - 1)


def test_cloudflare_tells_a_window_that_is_too_small(start_relay, server):
    relay = start_relay(PROVIDER_R_KIND="openai", PROVIDER_R_BASE_URL=server.base_url, PROVIDER_R_MODELS="a=row/9", ANONYMOUS_MODELS="all")
    words = "AiError: The estimated number of input and maximum output tokens (9000) exceeded this model context window limit (7968)."
    server.says("row/9", {"status": 400, "json": {"error": {"message": words, "code": 5021}}})
    with plain(relay) as http:
        error = ask(http, model="a").json()["error"]
    assert error["code"] == "context_length_exceeded"
    server.take_violations()


def test_an_idle_provider_shows_its_calls_at_once(start_relay, server):
    relay = start_relay(**provider("R", "openai", server.base_url, "a=row/1", API_KEY=VENDOR_KEY, CONCURRENCY="4", QPS="2"), ANONYMOUS_MODELS="all")
    report = local_http.get(f"{relay.base_url}/llm/system-capacity").json()
    assert (report["details"]["r"]["type"], report["details"]["r"]["max"]) == ("concurrency", 4), report
    assert report["total_max"] == {"concurrency": 4, "qps": 0}


def test_the_deadline_bounds_repeats(start_relay, server):
    """With one provider and one key, no call is repeated after the deadline, but the running one may continue."""
    relay = start_relay(**provider("R", "openai", server.base_url, "a=row/1", RETRIES="3"), FALLBACK_DEADLINE="1ms", ANONYMOUS_MODELS="all")
    with plain(relay) as http:
        server.says("row/1", {"status": 503, "json": {"error": {"message": "no"}}})
        assert ask(http, model="a").status_code >= 500
        assert len(server.asked("row/1")) == 1
        server.says("row/1", {})
        assert http.post(PATH, json=body(model="a")).status_code == 200
    server.take_violations()
