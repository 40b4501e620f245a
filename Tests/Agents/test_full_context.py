"""A full context: both programs compact their history and go on, whoever found it."""

import json

import anthropic_vendor
import httpx
import jobs
import local_http
import openai
import pytest
from conftest import TOKEN
from scripted import Call, Reply

LONG = anthropic_vendor.failure("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
FULL = {
    "error": {
        "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
    }
}  # fmt: skip
REFUSALS = {"anthropic": {"status": 400, "json": LONG}, "openai": {"status": 400, "json": FULL}, "responses": {"status": 400, "json": FULL}}


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
def test_claude_code_compacts_when_a_vendor_is_full(serve, claude, tmp_path, kind):
    script = jobs.claude_job(tmp_path / "home" / "work")
    script.failures[2] = REFUSALS[kind]
    relay, vendor = serve(kind, script)
    run = claude(relay.base_url, home=tmp_path / "home").run(jobs.PROMPT)
    assert jobs.problems_of(run, tmp_path / "home" / "work") == []
    assert any(line.get("compact_result") == "success" for line in run.lines())
    assert script.summaries == 1


def test_claude_code_compacts_when_the_relay_counts_too_much(serve, claude, tmp_path):
    folder = tmp_path / "home" / "work"
    folder.mkdir(parents=True)
    script = jobs.claude_job(folder)
    for name in ("one.txt", "two.txt"):
        (folder / name).write_text("".join(f"line {number} of a long file, a word or two more\n" for number in range(1_250)))
        script.steps.insert(-2, Reply("I read it.", (Call("Read", {"file_path": str(folder / name)}),)))
    relay, key = serve("onemin", script, model="qwen-max")
    short = {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "4000"}
    run = claude(relay.base_url, home=tmp_path / "home", settings=short).run(jobs.PROMPT)
    assert jobs.problems_of(run, folder) == []
    assert any(line.get("compact_result") == "success" for line in run.lines())


@pytest.mark.parametrize("name", ["Relay", "OpenAI"])
@pytest.mark.parametrize("kind", ["openai", "responses"])
def test_codex_compacts_when_a_vendor_is_full(serve, codex, tmp_path, kind, name):
    """Codex ends the turn, and compacts before the next one: by a request for a summary, or, where its provider is named
    OpenAI, by a compaction at the server."""
    script = jobs.codex_job()
    script.failures[2] = REFUSALS[kind]
    relay, vendor = serve(kind, script)
    program = codex(relay.v1, home=tmp_path / "home", name=name)
    first = program.run(jobs.PROMPT)
    assert first.code == 1 and "ran out of room in the model's context window" in first.out, first
    second = program.run("Go on.", "resume", "--last")
    assert jobs.problems_of(second, tmp_path / "home" / "work") == []
    relay.stop()
    statuses = [json.loads(line)["status"] for line in relay.written.splitlines() if "kind" not in json.loads(line)]
    assert statuses == [200, 200, 400, 200, 200, 200]


def test_openai_python_reads_a_full_context_as_a_failure(serve):
    script = jobs.codex_job()
    script.failures[0] = REFUSALS["openai"]
    relay, vendor = serve("openai", script)
    with local_http.Client() as http:
        client = openai.OpenAI(api_key=TOKEN, base_url=relay.v1, max_retries=0, http_client=http)
        tools = [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}]
        with client.responses.stream(model="gpt-5.5", input="Hi", tools=tools) as stream:
            events = list(stream)
        assert [event.type for event in events] == ["response.created", "response.in_progress", "response.failed"]
        assert events[-1].response.error.code == "context_length_exceeded"
    assert isinstance(http, httpx.Client)
