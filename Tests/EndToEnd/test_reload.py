"""Reloading the settings, by signal and by request: all of them or none, and only the changes are noticeable."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import conftest
import local_http
import pytest
from chat import ask, body, stream, vendor_error
from chat import text_of as text
from limited import client as plain
from memcached import wait_for
from operating import PASSWORD, Operator
from relay_process import provider

ONE, TWO, THREE = (f"token-of-the-reload-tests-{number}" for number in (1, 2, 3))
OK = {"status": 0, "msg": "Configuration reloaded"}


class Documented:
    """A relay whose settings are in a file, except for those that tests need."""

    def __init__(self, start_relay, path, settings):
        self.path = path
        self.settings = dict(settings)
        self.write()
        self.relay = start_relay(ENV_FILE=str(path), HOST="", THREADS="", RATE_LIMIT="")

    def write(self, **changed):
        self.settings |= changed
        lines = [f"{name}={value}\n" for name, value in self.settings.items() if value is not None]
        self.path.write_text("".join(lines))

    def reload(self, **changed):
        self.write(**changed)
        return local_http.post(f"{self.relay.base_url}/reload_config")

    def client(self, token=ONE):
        return plain(self.relay, token)


@pytest.fixture
def documented(start_relay, tmp_path, server):
    conftest.secrets.update((ONE, TWO, THREE))
    for model in ("first/1", "second/1", "third/1"):
        server.says(model, {"text": f"by {model}"})
    settings = {
        "HOST": "127.0.0.1", "THREADS": "2", "RATE_LIMIT": "off", "KEY_A_TOKEN": ONE,
        **provider("ROW", "openai", server.base_url, "fast=first/1"),
    }  # fmt: skip
    yield lambda **more: Documented(start_relay, tmp_path / "relay.env", settings | more)
    server.take_violations()


def said(http, model="fast"):
    return text(ask(http, model=model))


def test_a_signal_brings_other_settings_into_use(documented):
    it = documented()
    with it.client() as http:
        assert said(http) == "by first/1"
        it.write(PROVIDER_ROW_MODELS="fast=second/1,new=third/1")
        it.relay.signal(signal.SIGHUP)
        it.relay.wait_for_line(lambda line: line["message"] == "settings reloaded")
        assert said(http) == "by second/1" and said(http, "new") == "by third/1"
        metrics = http.get("/metrics").text
        assert 'model="new",status="200"' in metrics and 'model="fast",status="200"} 2' in metrics


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_does_so_too(documented, method):
    it = documented()
    it.write(PROVIDER_ROW_MODELS="fast=second/1", KEY_A_TOKEN=None, KEY_B_TOKEN=TWO)
    answer = local_http.request(method, f"{it.relay.base_url}/reload_config")
    assert answer.status_code == 200 and answer.json() == OK
    with it.client() as old, it.client(TWO) as new:
        assert ask(old, model="fast").status_code == 401
        assert said(new) == "by second/1"
        assert 'caller="b"} 1' in new.get("/metrics").text


def test_settings_with_problems_change_nothing(documented):
    it = documented()
    answer = it.reload(PROVIDER_ROW_MODELS="fast=second/1", PROVIDER_ROW_TIMOUT="5", RATE_LIMIT="often", DEFAULT_MODEL="none")
    found = answer.json()
    assert answer.status_code == 422 and found["status"] == 1 and found["msg"] == "Configuration not changed"
    assert [problem.split("  ")[1].split(":")[0] for problem in found["errors"]] == [
        "RATE_LIMIT", "PROVIDER_ROW_TIMOUT", "DEFAULT_MODEL",
    ], found["errors"]  # fmt: skip
    assert ONE not in answer.text
    with it.client() as http:
        assert said(http) == "by first/1"
        it.relay.signal(signal.SIGHUP)
        it.relay.wait_for_line(lambda line: line["message"] == "settings were not reloaded")
        assert said(http) == "by first/1"


@pytest.mark.parametrize("content", [None, "", "# KEY_A_TOKEN=x\n"], ids=["missing", "empty", "comments"])
def test_a_file_that_has_lost_its_settings_changes_nothing(start_relay, tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / ".env"
    settings = f"PROVIDER_E_KIND=echo\nKEY_A_TOKEN={ONE}\n"
    path.write_text(settings)
    relay = start_relay(RELOAD_ACCESS="local")
    path.unlink() if content is None else path.write_text(content)
    answer = local_http.post(f"{relay.base_url}/reload_config")
    problem = ".env  the settings in use are from this file, which is missing or empty; put it back, or restart the relay"
    assert answer.status_code == 422 and answer.json()["errors"] == [problem]
    relay.signal(signal.SIGHUP)
    wait_for(lambda: sum(line.get("problem") == problem for line in relay.log_lines()) == 2)
    with plain(relay, "nobody") as stranger, plain(relay, ONE) as http:
        assert ask(stranger, model="echo").status_code == 401
        assert ask(http, model="echo").status_code == 200
    path.write_text(settings.replace(ONE, TWO))
    assert local_http.post(f"{relay.base_url}/reload_config").json() == OK
    with plain(relay, TWO) as http:
        assert ask(http, model="echo").status_code == 200


def test_running_requests_end_under_the_old_settings(documented, server):
    it = documented()
    gate = threading.Event()
    server.says("first/1", {"text": "one two three four", "pause": gate, "pieces": 520})
    with it.client() as http:
        with http.stream("POST", "/v1/chat/completions", json=body(model="fast", stream=True)) as answer:
            lines = answer.iter_lines()
            next(lines)
            assert it.reload(PROVIDER_ROW_MODELS="other=second/1").json() == OK
            gate.set()
            rest = list(lines)
        assert "data: [DONE]" in rest and '"finish_reason":"stop"' in "".join(rest)
        assert ask(http, model="fast").status_code == 404 and said(http, "other") == "by second/1"


def test_limits_keep_their_counts(documented):
    it = documented(RATE_LIMIT="3/hour")
    with it.client() as http:
        assert said(http) and said(http)
        assert it.reload(PROVIDER_ROW_MODELS="fast=second/1").json() == OK
        assert said(http) == "by second/1"
        assert ask(http, model="fast").status_code == 429
        assert it.reload(RATE_LIMIT="5/hour").json() == OK
        assert said(http), "another limit begins anew"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("KEY_A_RATE_LIMIT", "1/30 seconds", "9/30 seconds"),
        ("KEY_A_RATE_LIMIT", "1/30 seconds", "off"),
        ("KEY_A_RATE_LIMIT", "1 concurrent;1/30 seconds;99/hour", None),
        ("RATE_LIMIT_BY_MODEL", "fast=1/30 seconds", "fast=9/30 seconds"),
        ("RATE_LIMIT_BY_MODEL", "fast=1/30 seconds", "fast=off"),
        ("RATE_LIMIT_SESSION", "1/30 seconds", "9/30 seconds"),
        ("RATE_LIMIT_CHAT", "1/30 seconds", "off"),
        ("RATE_LIMIT_TOTAL", "1/30 seconds", "off"),
        ("RATE_LIMIT_TOTAL", "1 concurrent;1/30 seconds", "off"),
        ("RATE_LIMIT_SESSION", "1/30 seconds", "off"),
        ("RATE_LIMIT_USER", "1/30 seconds", "9/30 seconds"),
        ("RATE_LIMIT_USER", "1/30 seconds", "off"),
    ],
)
def test_requests_that_wait_begin_when_their_limit_is_raised_or_gone(documented, name, before, after):
    it = documented(RATE_LIMIT_WAIT="120s", **{name: before})
    with it.client() as http, ThreadPoolExecutor(3) as pool:
        http.headers["X-Claude-Code-Session-Id"] = "one"
        assert ask(http, model="fast", user="ann").status_code == 200
        waiting = [pool.submit(ask, http, model="fast", user="ann") for _ in range(3)]
        wait_for(lambda: "relay_limit_waiting 3" in http.get("/metrics").text)
        assert it.reload(**{name: after}).status_code == 200
        assert [one.result(timeout=15).status_code for one in waiting] == [200] * 3
        assert "relay_limit_waiting 0" in http.get("/metrics").text


def test_requests_that_wait_count_in_limits_that_a_reload_brings(documented):
    it = documented(RATE_LIMIT_WAIT="120s", KEY_A_RATE_LIMIT="1/30 seconds")
    with it.client() as http, ThreadPoolExecutor(3) as pool:
        assert ask(http, model="fast").status_code == 200
        waiting = [pool.submit(ask, http, model="fast") for _ in range(3)]
        wait_for(lambda: "relay_limit_waiting 3" in http.get("/metrics").text)
        assert it.reload(KEY_A_RATE_LIMIT=None, RATE_LIMIT_BY_MODEL="fast=1/30 seconds").status_code == 200
        wait_for(lambda: [one.done() for one in waiting].count(True) == 1)
        assert "relay_limit_waiting 2" in http.get("/metrics").text
        assert it.reload(RATE_LIMIT_BY_MODEL=None).status_code == 200
        assert [one.result(timeout=15).status_code for one in waiting] == [200] * 3


@pytest.mark.parametrize("off", [{"KEY_A_ENABLED": "false"}, {"KEY_A_TOKEN": TWO}, {"KEY_A_TOKEN": None}])
def test_requests_that_wait_end_when_their_key_is_off_or_gone(documented, off):
    """With the error of a new request. Those of other keys wait on."""
    it = documented(RATE_LIMIT_TOTAL="1/8 seconds", RATE_LIMIT_WAIT="120s", KEY_B_TOKEN=THREE)
    with it.client() as http, it.client(THREE) as other, ThreadPoolExecutor(3) as pool:
        assert ask(http, model="fast").status_code == 200
        waiting = [pool.submit(ask, http, model="fast") for _ in range(2)]
        patient = pool.submit(ask, other, model="fast")
        wait_for(lambda: "relay_limit_waiting 3" in http.get("/metrics").text)
        assert it.reload(**off).status_code == 200
        expected = ask(http, model="fast")
        assert expected.status_code == 401
        for one in waiting:
            answer = one.result(timeout=5)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, expected.json()["error"]["code"])
        assert patient.result(timeout=30).status_code == 200


def test_what_needs_a_restart_is_named(documented):
    it = documented()
    waiting = {"waiting_for_restart": ["HOST", "THREADS", "SLOT_SECONDS"]}
    assert it.reload(SLOT_SECONDS="60", THREADS="1", HOST="127.0.0.2").json() == OK | waiting
    line = it.relay.wait_for_line(lambda line: line["message"] == "settings that need a restart have changed")
    assert line["settings"] == "HOST, THREADS, SLOT_SECONDS"


def test_the_log_says_what_is_in_force_and_the_operator_sees_the_rest(documented):
    it = documented(ADMIN_PASSWORD=PASSWORD, RELOAD_ACCESS="local")
    changes = {"MEMCACHED_HOST": "192.0.2.1", "MEMCACHED_TIMEOUT": "1s", "RATE_LIMIT": "7/minute"}
    waiting = ["MEMCACHED_HOST", "MEMCACHED_TIMEOUT"]
    assert it.reload(**changes).json() == OK | {"waiting_for_restart": waiting}
    line = it.relay.wait_for_line(lambda line: line["message"] == "settings reloaded")
    assert "limits: in this process alone" in line["summary"] and "7 per minute" in line["summary"]
    assert "192.0.2.1" not in line["summary"]
    operator = Operator(it.relay.base_url)
    assert operator.data("/admin/config")["waiting_for_restart"] == waiting
    assert operator.post("/admin/reload").json()["waiting_for_restart"] == waiting
    assert it.reload(MEMCACHED_HOST=None, MEMCACHED_TIMEOUT=None).json() == OK
    assert operator.data("/admin/config")["waiting_for_restart"] == []


def test_what_needs_a_restart_is_named_until_it_is_as_at_the_start(documented):
    it = documented()

    def named():
        return [line["settings"] for line in it.relay.log_lines() if "need a restart" in line["message"]]

    changes = [
        ({"THREADS": "1"}, ["THREADS"]), ({"SLOT_SECONDS": "60"}, ["THREADS", "SLOT_SECONDS"]), ({}, ["THREADS", "SLOT_SECONDS"]),
        ({"THREADS": "2", "SLOT_SECONDS": None}, []),
    ]  # fmt: skip
    for change, waiting in changes:
        answer = it.reload(**change).json()
        assert (answer.pop("waiting_for_restart", []), answer) == (waiting, OK)
    it.relay.signal(signal.SIGHUP)
    wait_for(lambda: sum(line["message"] == "settings have not changed" for line in it.relay.log_lines()) == 2)
    assert named() == ["THREADS", "THREADS, SLOT_SECONDS", "THREADS, SLOT_SECONDS"]


def test_the_log_level_changes_at_once(documented):
    it = documented(LOG_LEVEL="error")
    assert it.reload(LOG_LEVEL="info").json() == OK
    it.relay.wait_for_line(lambda line: line["message"] == "settings have not changed" or "duration_ms" in line)


def test_who_may_reload(documented):
    it = documented()
    url = f"{it.relay.base_url}/reload_config"

    def reload(**headers):
        return local_http.post(url, headers=headers).status_code

    assert reload() == 200
    for name in ("X-Forwarded-For", "forwarded", "Via", "X-Real-IP", "X-Forwarded-Proto"):
        answer = local_http.post(url, headers={name: "1.2.3.4"})
        assert answer.status_code == 403 and answer.json() == {"status": 1, "msg": "Not permitted"}
    it.write(RELOAD_ACCESS="open")
    assert reload() == 200
    assert reload(via="a") == 200
    assert reload(via="a") == 429
    it.write(RELOAD_ACCESS="off")
    it.relay.signal(signal.SIGHUP)
    it.relay.wait_for_line(lambda line: line["message"] == "settings reloaded" and "log" not in line)
    wait_for(lambda: reload() == 404)


def test_no_request_fails_while_settings_change(documented):
    it = documented(RATE_LIMIT="off")
    ended, failed = threading.Event(), []

    def press(is_streamed):
        with it.client() as http:
            while not ended.is_set():
                if is_streamed:
                    answer = stream(http, model="fast")
                    is_good = answer.is_done and answer.text().startswith("by ")
                else:
                    is_good = ask(http, model="fast").status_code == 200
                if not is_good:
                    failed.append(answer)

    threads = [threading.Thread(target=press, args=(at % 2 == 0,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for at in range(12):
        models = f"fast={('first/1', 'second/1')[at % 2]},other{at}=third/1"
        assert it.reload(PROVIDER_ROW_MODELS=models).json() == OK
        assert it.reload(PROVIDER_ROW_WEIGHT="many").status_code == 422
        it.write(PROVIDER_ROW_WEIGHT=None)
    ended.set()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.fixture
def reloaded(serve, tmp_path):
    """`providers, http, reload = reloaded(a=2)`: `reload(text)` writes these settings to a file, and reloads them."""
    path = tmp_path / "more.env"
    path.write_text("")

    def made(**how):
        providers, http = serve(ENV_FILE=str(path), **how)

        def reload(text):
            path.write_text(text)
            answer = local_http.post(f"{http.relay.base_url}/reload_config")
            assert answer.json() == OK

        return providers, http, reload

    return made


@pytest.mark.parametrize("change", ["", "LOG_LEVEL=debug\n", "PROVIDER_A_KEY_WEIGHTS=1,2\n"])
def test_keys_rest_on(reloaded, change):
    providers, http, reload = reloaded(a=2, b=1, PROVIDER_B_PRIORITY=2)
    providers.answers("a", {"status": 402, "json": vendor_error("no")})
    assert ask(http).status_code == 200
    reload(change)
    assert ask(http).status_code == 200
    assert providers.order() == "aabb"
    assert http.get("/metrics").text.count("relay_provider_key_resting{") == 2


def test_other_headers_end_the_cooldowns_of_their_provider(documented, server):
    it = documented(PROVIDER_ROW_API_KEYS="key-of-reload-0,key-of-reload-1")
    server.says("first/1", {"status": 402, "json": vendor_error("no")}, {"text": "yes"})
    with it.client() as http:
        assert ask(http, model="fast").status_code == 200
        for change, resting in ({"LOG_LEVEL": "debug"}, 1), ({"PROVIDER_ROW_HEADERS": "X-Organization: corrected"}, 0):
            assert it.reload(**change).json() == OK
            assert http.get("/metrics").text.count("relay_provider_key_resting{") == resting, change


@pytest.mark.parametrize("change", ["", "LOG_LEVEL=debug\n"])
def test_turns_begin_anew(reloaded, change):
    providers, http, reload = reloaded(a=1, b=1)
    assert ask(http).status_code == 200
    reload(change)
    assert [ask(http).status_code for _ in range(2)] == [200, 200]
    assert providers.order() == "aab"


@pytest.mark.parametrize("change", ["", "PROVIDER_C_KIND=echo\n"])
def test_calls_that_wait_are_counted_on(reloaded, vendor, change):
    providers, http, reload = reloaded(a=1, PROVIDER_A_CONCURRENCY=1, QUEUE_TIMEOUT="30s")
    (key,) = providers.keys["a"]
    vendor.answers(key, {"stall_at": -1, "answer": "served"})
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, http)
        vendor.wait(key, "stalled", 1)
        try:
            second = pool.submit(ask, http)
            wait_for(lambda: "relay_queue_waiting 1" in http.get("/metrics").text)
            reload(change)
            assert "relay_queue_waiting 1" in http.get("/metrics").text
        finally:
            vendor.answers(key, {"answer": "served"})
            vendor.release(key)
        assert [first.result().status_code, second.result().status_code] == [200, 200]
    assert "relay_queue_waiting 0" in http.get("/metrics").text


@pytest.mark.parametrize("change", ["PROVIDER_A_CONCURRENCY=3\n", "LOG_LEVEL=info\n", "PROVIDER_C_KIND=echo\n"])
def test_calls_that_wait_begin_when_their_capacity_is_raised_or_gone(reloaded, vendor, change):
    providers, http, reload = reloaded(a=1, QUEUE_TIMEOUT="60s")
    reload("PROVIDER_A_CONCURRENCY=1\n")
    (key,) = providers.keys["a"]
    vendor.answers(key, {"stall_at": -1, "answer": "served"})
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(ask, http) for _ in range(3)]
        try:
            vendor.wait(key, "stalled", 1)
            wait_for(lambda: "relay_queue_waiting 2" in http.get("/metrics").text)
            reload(change)
            vendor.wait(key, "stalled", 3)
        finally:
            vendor.answers(key, {"answer": "served"})
            vendor.release(key)
        assert [call.result().status_code for call in calls] == [200] * 3
