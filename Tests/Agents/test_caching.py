"""Sessions of eight turns and two prompts: what a vendor's prompt cache finds again of each request."""

import caching
import jobs
import pytest

CELLS = [(program, kind) for program, kinds in jobs.KINDS.items() for kind in kinds]


def session(program, made):
    """Runs a session of two prompts, of which the second resumes the first, and then a session of its own."""
    more = ["--continue"] if program == "claude" else ["resume", "--last"]
    for prompt, options in ((jobs.PROMPT, []), ("Go on, please.", more), ("Step 98 of the script. Another session.", [])):
        run = made.run(prompt, *options)
        assert run.code == 0, run


def script_of(program, folder):
    return jobs.long_claude_job(folder / "work") if program == "claude" else jobs.long_codex_job()


@pytest.mark.parametrize(("program", "kind"), CELLS)
def test_everything_but_the_newest_turn_is_found(serve, scripted, onemin, claude, codex, tmp_path, program, kind):
    program_of = {"claude": claude, "codex": codex}[program]
    alone, relayed = tmp_path / "straight", tmp_path / "relayed"
    straight = scripted(script_of(program, alone))
    session(program, program_of(straight.origin if program == "claude" else straight.base_url, home=alone))
    relay, vendor = serve(kind, script_of(program, relayed))
    session(program, program_of(relay.base_url if program == "claude" else relay.v1, home=relayed))
    sent = [asked.body for asked in straight.main()]
    got = [request["body"] for request in onemin.requests(vendor)] if kind == "onemin" else [asked.body for asked in vendor.main()]
    assert len(got) == len(sent) == 9
    own, found = hits_of(sent), hits_of(got)
    caching.TABLE.append(caching.line(program, kind, found))
    for at, (theirs, ours) in enumerate(zip(own[:-1], found[:-1], strict=True)):
        # 1min.ai's prompts end in a line that asks for the next turn.
        assert ours.missed <= theirs.missed + (100 if kind == "onemin" else 0), f"request {at + 1}: {ours}, straight {theirs}"


def hits_of(bodies):
    """Returns what each request after the first finds of the one before it, and the other session of the first one."""
    return caching.hits(bodies[:8]) + caching.hits([bodies[0], bodies[8]])
