"""The shapes of the programs' requests are those that the end-to-end tests play. RECORD=1 writes them again."""

import json
import os
from pathlib import Path

import jobs
import shapes

FILE = Path(__file__).parents[1] / "EndToEnd" / "agent_shapes.json"


def test_shapes_are_those_that_are_played(scripted, claude, codex, tmp_path):
    wide, long = scripted(jobs.wide_claude_job()), scripted(jobs.long_claude_job(tmp_path / "long" / "work"))
    assert claude(wide.origin, home=tmp_path / "wide", model="claude-opus-5-5").run(jobs.PROMPT).code == 0
    assert claude(long.origin, home=tmp_path / "long").run(jobs.PROMPT).code == 0
    found = {"claude": shapes.distinct(wide.journal + long.journal), "codex": []}
    for name in ("Relay", "OpenAI"):
        script = jobs.codex_job()
        vendor = scripted(script)
        script.failures[3] = jobs.full_response()
        program = codex(vendor.base_url, home=tmp_path / name, name=name)
        assert program.run(jobs.PROMPT).code == 1
        assert program.run("Go on.", "resume", "--last").code == 0
        found["codex"] += shapes.distinct(vendor.journal)
    text = written(found)
    if os.environ.get("RECORD"):
        FILE.write_text(text)
    assert FILE.read_text() == text, "the programs' requests have another shape: RECORD=1 make test-agents"


def written(found):
    """Returns the file: a shape a line."""
    lines = [f"{json.dumps(program)}: [\n" + ",\n".join(json.dumps(made) for made in made_ones) + "\n]" for program, made_ones in found.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
