"""Usage records: one line for each request and for each upstream call, however they end."""

import json
import os
import signal
import socket
import subprocess
import threading

import conftest
import local_http
import officials
import openai_endpoints as fake
import parts
import pytest
from anthropic_vendor import all_events, text
from chat import PATH, ask, body, stream
from conftest import TEAM_TOKEN, VENDOR_KEY
from limited import client as plain
from memcached import wait_for
from openai_vendor import USAGE, chunk, usage_chunk, whole
from operating import SETTINGS, Operator
from pictures import audio
from relay_process import binary, free_port, provider
from test_openai_endpoints import transcribe
from usage import CALL, REQUEST, File, is_call, lines, newer

PROMPT, COMPLETION = USAGE["prompt_tokens"], USAGE["completion_tokens"]
COST = (PROMPT + 2 * COMPLETION) / 1e6
SECOND_KEY = "second-key-that-the-relay-has-there"
MAIN_KEY = "key-0123456789abcdef"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("usage") / "app.log"


@pytest.fixture(scope="module")
def recording(launch, server, vendor, path):
    """A relay with a provider that has two keys, one that has none, 1min.ai, and a panel."""
    conftest.secrets.add(SECOND_KEY)
    return launch(
        USAGE_LOG_FILE=path, KEY_TEAM_TOKEN=TEAM_TOKEN,
        **provider("ROW", "openai", server.base_url, "fast=big/1,other=big/2,emb=emb/1", API_KEYS=f"{VENDOR_KEY},{SECOND_KEY}", COST="0.001/0.002", PRIORITY=1),
        **provider("SPARE", "openai", server.base_url, "fast=spare/1", PRIORITY=2),
        **provider("MAIN", "onemin", API_KEY=MAIN_KEY, MODELS="gpt-4o-mini,tts-1,whisper-1,dall-e-3"), PANEL_EXPERTS_MODELS="fast,other",
        PANEL_EXPERTS_SUMMARY_MODEL="other",
    )  # fmt: skip


@pytest.fixture
def file(path, recording):
    """The records of this test."""
    return newer(path)


@pytest.fixture
def team(recording, server, file):
    for model in ("big/1", "big/2", "spare/1"):
        server.says(model, {})
    with plain(recording, TEAM_TOKEN) as http:
        yield http
    server.take_violations()


official = officials.openai_of("recording", "team")


def told(record, **wanted):
    assert [record[name] for name in wanted] == list(wanted.values()), record


def test_a_request_and_its_call_have_a_line_each(official, file, mark, is_streamed):
    asked = {"model": "fast", "messages": [{"role": "user", "content": mark}]}
    if is_streamed:
        assert list(official.chat.completions.create(stream=True, **asked))
    else:
        official.chat.completions.create(**asked)
    request, call = file.more(2)
    both = {
        "endpoint": "/chat/completions", "caller": "team", "model": "fast", "model_used": "big/1", "provider": "row",
        "error": None, "prompt_tokens": PROMPT, "completion_tokens": COMPLETION, "tokens": PROMPT + COMPLETION, "cost": COST,
        "success": True, "status": 200,
    }  # fmt: skip
    told(request, attempts=1, stream=is_streamed, cached=False, **both)
    assert call["key"] in ("k1", "k2")
    told(call, kind="call", request_id=request["request_id"], **both)
    assert tuple(request) == REQUEST and tuple(call) == CALL
    assert request["duration_ms"] >= call["duration_ms"] >= 0 and request["time"] >= call["time"]


def test_an_answer_without_the_demanded_call_is_counted_too(team, server, file, is_streamed):
    server.says("big/1", {"text": "It is sunny."}, {"text": '<tool_call>{"name": "weather", "arguments": {}}</tool_call>'})
    asked = {
        "model": "fast", "max_tokens": 50, "messages": [{"role": "user", "content": "Weather?"}], "tool_choice": {"type": "any"},
        "tools": [{"name": "weather", "input_schema": {"type": "object"}}], "stream": is_streamed,
    }  # fmt: skip
    assert team.post("/v1/messages", json=asked).status_code == 200
    request, unmet, call = file.more(3)
    told(unmet, kind="call", prompt_tokens=PROMPT, completion_tokens=COMPLETION, success=False)
    assert not [record for record in (request, unmet, call) if "estimated" in record]
    assert unmet["error"].startswith("The model's output does not match the format or the tools that the request demands")
    told(call, kind="call", prompt_tokens=PROMPT, completion_tokens=COMPLETION, success=True)
    told(request, status=200, prompt_tokens=2 * PROMPT, completion_tokens=2 * COMPLETION, cost=2 * COST, success=True)


def test_a_demanded_call_that_never_comes_is_counted(team, vendor, file, is_streamed):
    vendor.answers(MAIN_KEY, {"answer": "It is sunny."}, {"answer": "It is."})
    tool = {"type": "function", "function": {"name": "weather"}}
    fields = body(model="gpt-4o-mini", tools=[tool], tool_choice="required", stream=is_streamed)
    assert team.post(PATH, json=fields).status_code == 502
    request, *calls = file.more(3)
    told(request, status=502, success=False)
    for call, is_success in zip(calls, (True, False), strict=True):
        told(call, kind="call", success=is_success)
        assert call["completion_tokens"] > 0 and call["prompt_tokens"] > 0
    assert request["tokens"] == sum(call["tokens"] for call in calls)


def test_each_of_several_prompts_has_the_vendors_usage(team, file, server, is_streamed):
    def script(prompt, completion):
        told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": prompt - 1}, "completion_tokens_details": {"reasoning_tokens": 2}}  # fmt: skip
        if not is_streamed:
            return {"json": whole({}) | {"usage": told}}
        return {"events": [chunk({"role": "assistant", "content": "x"}), chunk({}, "stop"), usage_chunk(**told)]}

    server.says("big/1", script(1000, 10), script(3000, 20))
    asked = {"model": "fast", "prompt": ["one", "two"]}
    if is_streamed:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    answer = team.post("/v1/completions", json=asked)
    usage = json.loads(answer.text.split("data: ")[-2])["usage"] if is_streamed else answer.json()["usage"]
    assert usage == {
        "prompt_tokens": 4000, "completion_tokens": 30, "total_tokens": 4030,
        "prompt_tokens_details": {"cached_tokens": 3998}, "completion_tokens_details": {"reasoning_tokens": 4},
    }  # fmt: skip
    request, *calls = file.more(3)
    told(request, prompt_tokens=4000, completion_tokens=30, cost=0.00406)
    assert sorted((call["prompt_tokens"], call["completion_tokens"], call["cost"]) for call in calls) == [
        (1000, 10, 0.00102), (3000, 20, 0.00304),
    ]  # fmt: skip


def test_choices_one_by_one_keep_the_details(start_relay, anthropic_server, caller, tmp_path, is_streamed):
    log = File(tmp_path / "n.jsonl")
    relay = start_relay(
        **provider("ANT", "anthropic", anthropic_server.base_url, "c=claude-sonnet-4-5", API_KEY=VENDOR_KEY, COSTS="c=0.01/0.04/0.001"),
        KEY_TEAM_TOKEN=TEAM_TOKEN, USAGE_LOG_FILE=log.path,
    )  # fmt: skip
    usage = {"input_tokens": 100, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 700, "output_tokens": 50}
    anthropic_server.says("claude-sonnet-4-5", {"usage": usage})
    asked = body(model="c", n=2) | ({"stream": True, "stream_options": {"include_usage": True}} if is_streamed else {})
    http = caller(relay, TEAM_TOKEN)
    answer = http.post(PATH, json=asked)
    got = json.loads(answer.text.split("data: ")[-2])["usage"] if is_streamed else answer.json()["usage"]
    assert (got["prompt_tokens"], got["completion_tokens"]) == (1000, 100)
    assert got["prompt_tokens_details"] == {"cached_tokens": 700, "cache_write_tokens": 200}
    request, *calls = log.more(3)
    told(request, prompt_tokens=1000, completion_tokens=100, cost=0.0114)
    for call in calls:
        told(call, prompt_tokens=1000, completion_tokens=50, cost=0.0057)


def test_an_answer_with_too_few_choices_is_counted(start_relay, server, caller, tmp_path):
    log = File(tmp_path / "short.jsonl")
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, "short=short/1", API_KEY=VENDOR_KEY), KEY_TEAM_TOKEN=TEAM_TOKEN, USAGE_LOG_FILE=log.path,
    )  # fmt: skip
    server.says("short/1", {})
    assert len(ask(caller(relay, TEAM_TOKEN), model="short", n=2).json()["choices"]) == 2
    request, short, *calls = log.more(3)
    told(request, success=True, prompt_tokens=PROMPT)
    told(short, success=False, prompt_tokens=PROMPT, completion_tokens=COMPLETION)
    for call in calls:
        told(call, success=True, prompt_tokens=PROMPT, completion_tokens=COMPLETION)


def test_the_client_may_name_its_request(team, file):
    team.post(PATH, json=body(model="fast"), headers={"id": "mine.1"})
    assert [record["request_id"] for record in file.more(2)] == ["mine.1", "mine.1"]


@pytest.mark.parametrize(
    "ask_for, status, model",
    [
        (lambda http: http.post(PATH, content=b"{"), 400, None),
        (lambda http: http.post(PATH, json=body(model="none")), 404, "none"),
        (lambda http: http.post(PATH, json=body(model="fast"), headers={"Authorization": "Bearer wrong"}), 401, None),
        (lambda http: http.post(PATH, json=body(model="x" * 5_000)), 404, None),
        (lambda http: http.post(PATH, json=body(model="fast", temperature="hot")), 400, "fast"),
        (lambda http: http.post("/v1/responses", json={"model": "fast", "input": "x" * 300_000, "temperature": 9}), 400, "fast"),
        (lambda http: http.post("/v1/audio/speech", json={"model": "tts-1", "input": 5, "voice": "alloy"}), 400, "tts-1"),
    ],
)
def test_a_refusal_has_a_line(team, file, ask_for, status, model):
    assert ask_for(team).status_code == status
    (record,) = file.more(1)
    told(record, status=status, success=False, model=model, provider=None, attempts=0, tokens=0, cost=None)
    assert record["error"] and tuple(record) == REQUEST


def test_strangers_write_nothing(start_relay, tmp_path):
    """Only refused keys have a record, one a minute from each address; known callers have all of their own."""
    recording = start_relay(
        USAGE_LOG_FILE=tmp_path / "records", KEY_TEAM_TOKEN=TEAM_TOKEN, PROVIDER_E_KIND="echo", PROVIDER_E_MODELS="fast"
    )
    with socket.create_connection(("127.0.0.1", recording.port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b"400" in connection.recv(100)
    wrong = {"Authorization": "Bearer wrong"}
    with plain(recording) as http, plain(recording, TEAM_TOKEN) as team:
        for one in (http, team):
            assert one.post("/v1/nothing", json={}).status_code == 404
            assert one.get("/.env").status_code == 404
            assert one.get("/admin%2flogin").status_code == 404
            assert one.put(PATH, json={}).status_code == 405
        for _ in range(3):
            assert http.post(PATH, json=body(model="fast"), headers=wrong).status_code == 401
        assert team.post(PATH, content=b"{").status_code == 400
    recording.stop()
    refused, invalid = lines((tmp_path / "records").read_text())
    told(refused, status=401, caller=None, success=False, endpoint="/chat/completions")
    told(invalid, status=400, caller="team", success=False)


def test_questions_of_machines_have_none(team, file):
    assert team.get("/health").status_code == 200 and team.get("/metrics").status_code == 200
    assert team.get("/v1/models").status_code == 200
    told(file.more(1)[0], endpoint="/models", caller="team", status=200, provider=None)


def test_each_candidate_that_was_called_has_a_line(team, file, server):
    # The first key is refused, the second finds the vendor out of order, the other provider serves.
    server.says("big/1", {"status": 401, "json": {"error": {"message": "no", "code": "invalid_api_key"}}}, {"status": 500, "json": {}})
    assert ask(team, model="fast").status_code == 200
    request, first, second, third = file.more(4)
    told(request, attempts=3, provider="spare", model_used="spare/1", success=True, cost=None, tokens=PROMPT + COMPLETION)
    told(first, provider="row", status=401, success=False, tokens=0)
    told(second, provider="row", status=500, success=False, tokens=0)
    told(third, provider="spare", key=None, status=200, success=True, tokens=PROMPT + COMPLETION, cost=None)
    assert {first["key"], second["key"]} == {"k1", "k2"} and "401" in first["error"]


def test_a_call_that_never_came_through_has_no_status(start_relay, tmp_path):
    path = tmp_path / "records"
    relay = start_relay(USAGE_LOG_FILE=path, ANONYMOUS_MODELS="all", **provider("ROW", "openai", "http://127.0.0.1:9", "fast"))
    with plain(relay) as http:
        assert ask(http, model="fast").status_code == 502
    request, call = File(path).more(2)
    told(request, status=502, success=False, attempts=1, provider="row")
    told(call, status=None, success=False)
    assert "127.0.0.1" in call["error"]


def test_each_choice_is_a_call_where_the_vendor_has_one(team, file, vendor):
    assert ask(team, model="gpt-4o-mini", n=3).status_code == 200
    request, *calls = file.more(4)
    told(request, provider="main", attempts=1)
    assert all(is_call(call) and call["provider"] == "main" and call["success"] for call in calls)
    assert request["completion_tokens"] == sum(call["completion_tokens"] for call in calls)


def test_tokens_that_the_vendor_did_not_tell_are_marked(team, file, server):
    server.says("big/2", {"events": [chunk({"role": "assistant", "content": "one two"}), chunk({}, "stop")]})
    assert stream(team, model="other").text() == "one two"
    request, call = file.more(2)
    assert request["estimated"] and call["estimated"] and request["tokens"] > 0
    assert list(request)[-1] == list(call)[-1] == "estimated"


def test_a_panel_has_a_line_for_each_member_and_the_summary(team, file):
    assert ask(team, model="experts").status_code == 200
    request, *calls = file.more(4)
    told(request, model="experts", attempts=3, success=True, cost=pytest.approx(3 * COST))
    assert sorted(call["model"] for call in calls) == ["fast", "other", "other"]
    assert {call["request_id"] for call in calls} == {request["request_id"]}


@pytest.mark.parametrize("leaves", [False, True])
def test_a_stream_that_breaks_off_is_recorded_as_far_as_it_came(team, file, server, leaves):
    events = [chunk({"role": "assistant", "content": ""}), chunk({"content": "one two three"})]
    server.says("big/2", {"events": events, "done": False, "stall": leaves, "cut": not leaves})
    with team.stream("POST", PATH, json=body(model="other", stream=True)) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if leaves and "one" in line:
                break
    request, call = file.more(2)
    told(request, status=499 if leaves else 502, success=False, provider="row", stream=True)
    told(call, success=False, tokens=request["tokens"], cost=request["cost"])
    assert request["completion_tokens"] > 2 and request["cost"] > 0 and request["estimated"]


def test_the_use_that_was_told_before_a_stream_broke_off(team, file, server):
    used = {"prompt_tokens": 1000, "completion_tokens": 1, "total_tokens": 1001}
    events = [chunk({"role": "assistant", "content": ""}, usage=used), chunk({"content": "one two three"})]
    server.says("big/2", {"events": events, "done": False, "cut": True})
    team.post(PATH, json=body(model="other", stream=True))
    request, call = file.more(2)
    for record in (request, call):
        told(record, prompt_tokens=1000, success=False)
        assert record["completion_tokens"] > 2
    assert request["cost"] == call["cost"] > 0


TOLD = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}


def broken_events(*events):
    return {"events": [chunk({"role": "assistant", "content": "one"}), *events], "done": False, "cut": True}


REPORTED_FAILURES = {
    "a stream that breaks off": (True, broken_events(usage_chunk(**TOLD))),
    "a response without choices": (False, {"json": whole({}) | {"choices": [], "usage": TOLD}}),
    "a stream without choices": (True, {"events": [usage_chunk(**TOLD)]}),
}


@pytest.mark.parametrize("name", REPORTED_FAILURES)
def test_the_reported_use_of_a_failed_call_is_no_estimate(team, file, server, name):
    is_streamed, script = REPORTED_FAILURES[name]
    server.says("big/2", script)
    team.post(PATH, json=body(model="other", stream=is_streamed))
    for record in file.more(2):
        told(record, prompt_tokens=1000, completion_tokens=50, success=False)
        assert "estimated" not in record, record


def test_the_reported_use_of_a_forwarded_call_that_failed_is_no_estimate(team, file, server):
    used = {"type": "tokens", "input_tokens": 1000, "output_tokens": 50, "total_tokens": 1050}
    events = [{"type": "transcript.text.delta", "delta": "one", "usage": used}, {"type": "error", "error": {"message": "no"}}]
    server.says("big/2", {"raw": "".join(fake.event(event) for event in events).encode(), "streams": True, "type": "text/event-stream"})
    transcribe(team, model="other", stream="true")
    for record in file.more(2):
        told(record, prompt_tokens=1000, completion_tokens=50, success=False)
        assert "estimated" not in record, record


@pytest.mark.parametrize(("reported", "is_estimated"), [(50, False), (1, True)])
def test_the_use_of_a_choice_that_breaks_off(start_relay, anthropic_server, caller, tmp_path, reported, is_estimated):
    log = File(tmp_path / "n.jsonl")
    relay = start_relay(
        PROVIDER_ANT_KIND="anthropic", PROVIDER_ANT_BASE_URL=anthropic_server.base_url, PROVIDER_ANT_API_KEY=VENDOR_KEY,
        PROVIDER_ANT_MODELS="c=claude-sonnet-4-5", KEY_TEAM_TOKEN=TEAM_TOKEN, USAGE_LOG_FILE=log.path,
    )  # fmt: skip
    usage = {"input_tokens": 1000, "output_tokens": reported}
    events = list(all_events({"usage": usage, "content": [text("one two three four")]}))[:-2]
    events[0]["message"]["usage"] = usage
    anthropic_server.says("claude-sonnet-4-5", {"events": events, "cut": True})
    caller(relay, TEAM_TOKEN).post(PATH, json=body(model="c", n=2, stream=True))
    request, *calls = log.more(3)
    for record in (request, *calls):
        assert record["prompt_tokens"] == 1000 and record["completion_tokens"] >= max(4, reported), record
        assert ("estimated" in record) == is_estimated, record


def test_speech_and_images_have_the_estimate_of_their_text(team, file):
    answer = team.post("/v1/audio/speech", json={"model": "tts-1", "input": "Hello", "voice": "alloy"})
    assert answer.status_code == 200
    request, call = file.more(2)
    told(request, endpoint="/audio/speech", model="tts-1", tokens=2, estimated=True, success=True)
    told(call, provider="main", key="k1", tokens=2, estimated=True, success=True)
    assert team.post("/v1/images/generations", json={"model": "dall-e-3", "prompt": "Hello", "n": 3}).status_code == 200
    request, *calls = file.more(4)
    told(request, endpoint="/images/generations", tokens=2, estimated=True, success=True)
    for call in calls:
        told(call, tokens=2, estimated=True)


def test_a_helper_is_a_call_too(team, file):
    message = parts.user(parts.sound(audio("mine", "wav"), "wav"))
    assert team.post(PATH, json=body(model="gpt-4o-mini", messages=[message])).status_code == 200
    request, helper, call = file.more(3)
    told(request, model="gpt-4o-mini", model_used="gpt-4o-mini", provider="main")
    told(helper, model="whisper-1", model_used="whisper-1", provider="main", success=True)
    told(call, model="gpt-4o-mini", provider="main", success=True)


def unknown_models(http, count):
    """Makes so many records of about 700 bytes."""
    for _ in range(count):
        http.post(PATH, json=body(model="x" * 250))


@pytest.fixture
def echo(start_relay, tmp_path, caller):
    """`echo(...)`: a relay with other settings of its records, and a client."""

    def made(path=tmp_path / "records", **more):
        relay = start_relay(USAGE_LOG_FILE=path, ANONYMOUS_MODELS="all", PROVIDER_E_KIND="echo", PROVIDER_E_MODELS="echo", **more)
        return relay, caller(relay)

    return made


def test_files_are_replaced_before_they_grow_too_large(echo, tmp_path):
    relay, _ = echo(USAGE_LOG_MAX_MB=1, USAGE_LOG_FILES=2, LOG_LEVEL="error", KEY_TEAM_TOKEN=TEAM_TOKEN, RATE_LIMIT="off")
    threads = [threading.Thread(target=unknown_models, args=(plain(relay, TEAM_TOKEN), 900)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    relay.stop()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["records", "records.1"]
    sizes = [file.stat().st_size for file in files]
    assert max(sizes) <= 1_048_576 and sizes[1] > 1_047_000
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o640
        lines(file.read_text())


def test_a_signal_opens_the_file_anew(echo, tmp_path):
    path = tmp_path / "records"
    relay, http = echo(path)
    ask(http, model="echo")
    file = File(path)
    file.more(2)
    path.rename(tmp_path / "old")
    relay.signal(signal.SIGHUP)
    wait_for(path.exists)
    ask(http, model="echo")
    File(path).more(2)
    assert len(lines((tmp_path / "old").read_text())) == 2


def test_records_may_go_to_standard_output(echo):
    relay, http = echo("-")
    ask(http, model="echo")
    relay.stop()
    request, call = lines(relay.written.decode())
    told(request, model="echo", success=True) and told(call, model="echo")


def test_a_full_disk_stops_no_request(echo):
    relay, http = echo("/dev/full")
    for _ in range(3):
        assert ask(http, model="echo").status_code == 200
    warning = relay.wait_for_line(lambda line: line["message"] == "usage records cannot be written")
    assert "No space left" in warning["cause"] and warning["to"] == "file"
    metrics = http.get("/metrics").text
    assert 'relay_usage_records_waiting{to="file"} 6' in metrics
    wait_for(lambda: 'relay_usage_write_failures_total{to="file"} 0' not in http.get("/metrics").text)
    relay.stop()
    warnings = [line for line in relay.log_lines() if line["message"].startswith("usage records")]
    assert [line["message"] for line in warnings] == ["usage records cannot be written", "usage records are lost"]
    assert warnings[1]["count"] == 6


def test_a_reload_changes_the_file(start_relay, tmp_path):
    env, one, two = tmp_path / "env", tmp_path / "one", tmp_path / "two"
    rest = "ANONYMOUS_MODELS=all\nPROVIDER_E_KIND=echo\nPROVIDER_E_MODELS=echo\n"

    def write(path):
        env.write_text(rest + (f"USAGE_LOG_FILE={path}\n" if path else ""))

    write(None)
    relay = start_relay(ENV_FILE=env, USAGE_LOG_FILE="")
    with plain(relay) as http:
        for path in (one, two, None, one):
            write(path)
            assert http.post("/reload_config").status_code == 200
            ask(http, model="echo")
        write(tmp_path / "none" / "there")
        answer = local_http.post(f"{relay.base_url}/reload_config")
        assert answer.status_code == 422 and "No such file" in str(answer.json()["errors"])
        ask(http, model="echo")
    relay.stop()
    # A request that brings other settings ends when these are in use.
    endpoints = [[record["endpoint"] for record in lines(path.read_text()) if not is_call(record)] for path in (one, two)]
    chat, reload = "/chat/completions", "/reload_config"
    assert endpoints == [[reload, chat, reload, chat, reload, chat], [reload, chat]]


def test_a_file_that_cannot_be_written_stops_the_start():
    environment = {
        "PATH": os.environ["PATH"], "ANONYMOUS_MODELS": "all", "PROVIDER_E_KIND": "echo", "PROVIDER_E_MODELS": "echo",
        "USAGE_LOG_FILE": "/nowhere/app.log", "PORT": str(free_port()),
    }  # fmt: skip
    ended = subprocess.run([binary()], check=False, env=environment, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 78 and "USAGE_LOG_FILE: /nowhere/app.log cannot be made: /nowhere is missing" in ended.stderr


STRANGERS = int(os.environ.get("STRANGERS", "2000"))
SCANNED = ["/.env", "/wp-login.php", "/v1/nothing", "/admin%2flogin", "/v1/models/x/y", "/" + "a" * 200]


def test_scanners_leave_no_trace(start_relay, tmp_path):
    """Requests for unknown paths from 100 addresses add no record and no memory."""
    path = tmp_path / "records"
    relay = start_relay(**SETTINGS, USAGE_LOG_FILE=path, LOG_LEVEL="error")
    operator = Operator(relay.base_url)
    with plain(relay) as http:
        assert ask(http, model="echo").status_code == 200
    wait_for(lambda: operator.items("/admin/req_logs") != [] and path.exists() and path.stat().st_size > 0)

    def scan(count):
        for batch in range(count // 50):
            requests = [
                f"GET {SCANNED[number % len(SCANNED)]}?{batch} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.2.3.{batch % 100}\r\n\r\n" for number in range(50)
            ]
            requests[-1] = requests[-1].replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
            with socket.create_connection(("127.0.0.1", relay.port)) as connection:
                connection.sendall("".join(requests).encode())
                assert b"".join(iter(lambda: connection.recv(65_536), b"")).count(b"HTTP/1.1 404") == 50

    def resident():
        with open(f"/proc/{relay.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    scan(STRANGERS // 4)
    size, before, days = path.stat().st_size, resident(), operator.data("/admin/statistics")
    scan(STRANGERS)
    assert resident() - before < 4_096
    assert operator.data("/admin/statistics") == days and len(operator.items("/admin/req_logs")) == 1
    # What the next request writes is all that is new.
    with plain(relay) as http:
        assert ask(http, model="echo").status_code == 200
    wait_for(lambda: len(operator.items("/admin/req_logs")) == 2)
    wait_for(lambda: path.stat().st_size > size)
    assert path.stat().st_size < 3 * size
