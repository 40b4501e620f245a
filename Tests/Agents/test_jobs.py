"""Both programs do a small job through the relay, with vendors of each kind, just as they do it straight at the vendor."""

import json

import jobs
import pytest


@pytest.fixture(scope="session")
def straight(tmp_path_factory):
    """`straight(name)`: a run of the program without the relay, made once."""
    runs = {}

    def made(name, start):
        if name not in runs:
            folder = tmp_path_factory.mktemp("straight")
            runs[name] = start(folder)
            assert jobs.problems_of(runs[name], folder / "straight" / "work") == []
        return runs[name]

    return made


@pytest.mark.parametrize("kind", jobs.KINDS["claude"])
def test_claude_code_does_its_job(serve, scripted, claude, straight, tmp_path, kind):
    def alone(folder):
        vendor = scripted(jobs.claude_job(folder / "straight" / "work"))
        return claude(vendor.origin, home=folder / "straight").run(jobs.PROMPT)

    before = straight("claude", alone)
    relay, vendor = serve(kind, jobs.claude_job(tmp_path / "relayed" / "work"))
    run = claude(relay.base_url, home=tmp_path / "relayed").run(jobs.PROMPT)
    assert jobs.problems_of(run, tmp_path / "relayed" / "work") == []
    assert jobs.steady(run.debug + run.error) - jobs.steady(before.debug + before.error) == set()
    lines = jobs.steady if kind == "anthropic" else jobs.kinds_of_lines
    assert lines(run.out) - lines(before.out) == set()
    assert_usual(relay, 4)


@pytest.mark.parametrize("kind", jobs.KINDS["codex"])
def test_codex_does_its_job(serve, scripted, codex, straight, tmp_path, kind):
    def alone(folder):
        return codex(scripted(jobs.codex_job()).base_url, home=folder / "straight").run(jobs.PROMPT)

    before = straight("codex", alone)
    relay, vendor = serve(kind, jobs.codex_job())
    run = codex(relay.v1, home=tmp_path / "relayed").run(jobs.PROMPT)
    assert jobs.problems_of(run, tmp_path / "relayed" / "work") == []
    assert jobs.steady(run.error) - jobs.steady(before.error) == set()
    assert jobs.kinds_of_lines(run.out) - jobs.kinds_of_lines(before.out) == set()
    assert_usual(relay, 4)


def assert_usual(relay, count=None):
    """Each request of the job was served at once: none was refused, and no call to the vendor was repeated."""
    relay.stop()
    records = [record for record in map(json.loads, relay.written.splitlines()) if "kind" not in record]
    assert {(record["status"], record["attempts"]) for record in records} == {(200, 1)}, relay.written.decode()
    assert len(records) == (count or len(records))
