"""What Claude Code has besides works with each kind."""

import jobs
import pytest
from test_jobs import assert_usual


@pytest.mark.parametrize("kind", ["openai", "onemin"])
def test_claude_code_finds_tools_searches_and_delegates(serve, claude, tmp_path, kind):
    relay, vendor = serve(kind, jobs.wide_claude_job())
    run = claude(relay.base_url, home=tmp_path / "relayed").run(jobs.PROMPT)
    assert jobs.faults_of(run) == []
    results = [block for line in run.lines() for block in jobs.blocks(line) if block["type"] == "tool_result"]
    assert [block["tool_use_id"] for block in results] == list(dict.fromkeys(block["tool_use_id"] for block in results))
    assert results[0]["content"] == [{"type": "tool_reference", "tool_name": "WebSearch"}]
    assert results[1]["content"].startswith("Web search results")
    assert_usual(relay)
