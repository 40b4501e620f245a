"""What Claude Code sends reaches a vendor of its own kind as it came, and what it has besides works with each kind."""

import re

import jobs
import pytest
from conftest import MODEL
from recorder import Recorder
from test_jobs import assert_usual

ATTRIBUTION = rb'\{"type":"text","text":"x-anthropic-billing-header:[^"]*"\},'


@pytest.mark.parametrize("info", ["own", "all"])
def test_requests_of_claude_code_reach_anthropic_as_they_came(serve, claude, tmp_path, info):
    relay, vendor = serve("anthropic", jobs.claude_job(tmp_path / "relayed" / "work"), PROVIDER_ROW_CLIENT_INFO=info)
    recorder = Recorder(relay.port)
    run = claude(recorder.origin, home=tmp_path / "relayed").run(jobs.PROMPT)
    recorder.close()
    assert jobs.problems_of(run, tmp_path / "relayed" / "work") == []
    sent, arrived = [asked for asked in recorder.requests() if asked.path.startswith("/v1/messages?")], vendor.main()
    assert len(sent) == len(arrived) == 4
    for asked, got in zip(sent, arrived, strict=True):
        expected = asked.raw.replace(b'"model":"%s"' % MODEL.encode(), b'"model":"scripted"', 1)
        if info == "own":
            user = got.body["metadata"]["user_id"]
            assert re.fullmatch("[0-9a-f]{64}", user)
            expected, count = re.subn(ATTRIBUTION, b"", expected, count=1)
            assert count == 1
            expected = re.sub(rb'"user_id":"(\\.|[^"\\])*"', b'"user_id":"' + user.encode() + b'"', expected, count=1)
        assert got.raw == expected
        for name in ("anthropic-beta", "anthropic-version"):
            assert got.header(name) == asked.header(name) is not None


def test_requests_of_codex_reach_a_responses_api_as_they_came(serve, codex, tmp_path):
    relay, vendor = serve("responses", jobs.codex_job())
    recorder = Recorder(relay.port)
    made = codex(f"{recorder.origin}/v1", home=tmp_path / "relayed")
    run = made.run(jobs.PROMPT)
    recorder.close()
    assert jobs.problems_of(run, tmp_path / "relayed" / "work") == []
    sent = [asked for asked in recorder.requests() if asked.path == "/v1/responses"]
    arrived = [got for got in vendor.main() if got.path == "/v1/responses"]
    assert len(sent) == len(arrived) == 4
    for asked, got in zip(sent, arrived, strict=True):
        assert got.raw == asked.raw.replace(b'"model":"%s"' % MODEL.encode(), b'"model":"scripted"', 1)
    # Its thinking is shown by the summaries that the vendor sent.
    assert "A file first." in run.out


@pytest.mark.parametrize("kind", jobs.KINDS["claude"])
def test_claude_code_finds_tools_searches_and_delegates(serve, claude, tmp_path, kind):
    relay, vendor = serve(kind, jobs.wide_claude_job())
    run = claude(relay.base_url, home=tmp_path / "relayed").run(jobs.PROMPT)
    assert jobs.faults_of(run) == []
    results = [block for line in run.lines() for block in jobs.blocks(line) if block["type"] == "tool_result"]
    assert [block["tool_use_id"] for block in results] == list(dict.fromkeys(block["tool_use_id"] for block in results))
    assert results[0]["content"] == [{"type": "tool_reference", "tool_name": "WebSearch"}]
    assert results[1]["content"].startswith("Web search results")
    if kind == "anthropic":
        assert "https://a.example" in results[1]["content"]
    assert_usual(relay)


def test_a_login_of_claude_code_reaches_anthropic(serve, claude, tmp_path):
    relay, vendor = serve("anthropic", jobs.claude_job(tmp_path / "relayed" / "work"), PROVIDER_ROW_PASSTHROUGH="true")
    login = {"ANTHROPIC_AUTH_TOKEN": "", "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-a-login-of-a-user-00001"}
    run = claude(relay.base_url, home=tmp_path / "relayed", settings=login).run(jobs.PROMPT)
    assert jobs.problems_of(run, tmp_path / "relayed" / "work") == []
    for asked in vendor.main():
        assert asked.header("authorization") == "Bearer sk-ant-oat01-a-login-of-a-user-00001"
        assert asked.header("x-api-key") is None and "oauth-2025-04-20" in asked.header("anthropic-beta")
