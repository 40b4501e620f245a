"""The reference of counted instructions: the record, or a build of the recorded commit."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "Benchmarks"))

import recorded

FACTS = {"compiler": "Swift 6.3.1", "libc": "glibc 2.36", "processor": "AMD", "valgrind": "3.19", "commit": "abc"}
ROWS = ["chat", "stream"]
MAKEFILE = "release:\n\tmkdir -p .build/release && cp source .build/release/relay\n"


def test_the_same_facts_are_compared_with_the_record() -> None:
    here = FACTS | {"valgrind": "3.20", "commit": "def"}
    assert recorded.reasons_to_build(FACTS, here, ROWS, ROWS) == []


@pytest.mark.parametrize("name", ["compiler", "libc", "processor"])
def test_another_fact_needs_a_build(name: str) -> None:
    reasons = recorded.reasons_to_build(FACTS, FACTS | {name: "another"}, ROWS, ROWS)
    assert reasons == [f"{name} is another, on record {FACTS[name]}"]


def test_a_figure_that_is_not_on_record_needs_a_build() -> None:
    assert recorded.reasons_to_build(FACTS, FACTS, ["chat"], ROWS) == ["stream is not on record"]


def test_without_a_record_all_facts_differ() -> None:
    assert len(recorded.reasons_to_build({}, FACTS, [], ROWS)) == 5


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    return subprocess.run(["git", "-C", root, *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_the_recorded_commit_is_built_beside_the_tree_as_it_is(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "Makefile").write_text(MAKEFILE)
    (tmp_path / "source").write_text("before")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    (tmp_path / "source").write_text("after")
    with recorded.built(tmp_path, git(tmp_path, "rev-parse", "HEAD")) as relay:
        assert relay.read_text() == "before"
    assert not relay.exists()
    assert len(git(tmp_path, "worktree", "list").splitlines()) == 1
    assert (tmp_path / "source").read_text() == "after"


@pytest.mark.parametrize("commit", ["", "abc and changes", "0123456789ab"])
def test_what_cannot_be_built_ends_the_run(tmp_path: Path, commit: str) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(SystemExit), recorded.built(tmp_path, commit):
        pass
