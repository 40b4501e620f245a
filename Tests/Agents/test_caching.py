"""Sessions of eight turns and two prompts: what a vendor's prompt cache finds again of each request."""

import caching
import jobs
import pytest
from prompt_caching import PromptCache, dollars, whole

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


def test_what_a_cache_with_marks_reads_of_codex(serve, codex, tmp_path):
    """Anthropic's cache needs marks, which Codex does not set, and which the relay does."""
    relay, vendor = serve("anthropic", jobs.long_codex_job(), PROVIDER_ROW_PROMPT_CACHE="5m")
    session("codex", codex(relay.v1, home=tmp_path / "marked"))
    cache = PromptCache()
    usages = [cache.usage(asked.body) for asked in vendor.main()]
    assert len(usages) == 9
    lengths, found = [whole(usage) for usage in usages], [usage["cache_read_input_tokens"] for usage in usages]
    pairs = list(zip(lengths[:7], found[1:8], strict=True))
    cost, unmarked = sum(map(dollars, usages)), sum(lengths) * 5 / 1e6
    caching.TABLE.append("codex  with marks " + " ".join(f"{100 * read / before:6.1f}" for before, read in pairs) + f" ${cost:.3f}/{unmarked:.3f}")
    assert all(read >= 0.9 * before for before, read in pairs[1:]), (lengths, found)
    # Another session begins with the same tools and instructions.
    assert found[8] > 0
    assert cost < unmarked
