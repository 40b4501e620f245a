"""Programs that are interrupted in the middle of a response: the vendor's connection ends before its next event."""

import time

import anthropic_vendor
import jobs
import openai_vendor
import pytest
from vendors import message_script


def stalled(kind, script):
    """Returns the first events of the reply to step 1, after which the vendor waits for its client to leave."""
    reply = script.steps[1]
    if kind == "anthropic":
        events = list(anthropic_vendor.all_events(message_script(reply, 1, {})))[:4]
        raw = anthropic_vendor.events({"events": events})
    else:
        raw = openai_vendor.events({"events": openai_vendor.chunks({"text": "I begin and"})[:2], "done": False})
    return {"raw": raw, "streams": True, "stall": True, "type": "text/event-stream"}


@pytest.mark.parametrize(("program", "kind"), [("claude", "anthropic"), ("claude", "openai"), ("codex", "openai")])
def test_the_vendor_is_left_before_its_next_event(serve, claude, codex, tmp_path, program, kind):
    script = jobs.claude_job(tmp_path / "home" / "work") if program == "claude" else jobs.codex_job()
    script.failures[1] = stalled(kind, script)
    relay, vendor = serve(kind, script)
    made = claude(relay.base_url, home=tmp_path / "home") if program == "claude" else codex(relay.v1, home=tmp_path / "home")
    running = made.start(jobs.PROMPT)
    ends = time.monotonic() + 60
    while 1 not in vendor.failed:
        assert running.process.poll() is None and time.monotonic() < ends, running.finish(1)
        time.sleep(0.02)
    assert not vendor.left.is_set()
    running.interrupt()
    assert vendor.left.wait(20), "the vendor's connection is still open"
    run = running.finish(30)
    assert "killed" not in run.error
    assert len(vendor.main()) == 2
