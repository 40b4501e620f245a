"""Scripts/check-mentions on a small tree: names and files in backticks exist."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "Scripts/check-mentions"

CODE = """
/// OldName is only in a comment.
struct ChatPlan { let isStreamed: Bool; func start() {} }
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "Sources/Routes/Text").mkdir(parents=True)
    (tmp_path / "Sources/Routes/Text/ChatPlan+Text.swift").write_text(CODE)
    return tmp_path


def missing(tree: Path, page: str) -> list[str]:
    (tree / "ARCHITECTURE.md").write_text(f"# Page\n\n{page}\n")
    done = subprocess.run([sys.executable, SCRIPT, tree], capture_output=True, text=True)
    assert done.returncode == (1 if done.stdout else 0)
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["OldName", "ChatPlan.stop", "hasStreams", "Plan.swift", "ChatPlan+Old", "[OldTerms]"])
def test_a_name_that_is_gone_is_found(tree: Path, name: str) -> None:
    gone = "stop" if name == "ChatPlan.stop" else name.strip("[]")
    assert missing(tree, f"A `{name}`.") == [f"ARCHITECTURE.md:3: `{gone}` is in no source"]


def test_what_belongs_to_another_type_is_found(tree: Path) -> None:
    (tree / "Sources/Router.swift").write_text("final class Router { init() {} }\n")
    page = "`Router.start`, `ChatPlan.start`, `ChatPlan.isStreamed`, `Router.init`"
    assert missing(tree, page) == ["ARCHITECTURE.md:3: `Router.start` is in no source"]


def test_comments_are_read(tree: Path) -> None:
    (tree / "Sources/Old.swift").write_text("/// Not `ChatPlan` but `OldTerms`.\nlet text = \"`OldTerms2`\"\n")
    done = subprocess.run([sys.executable, SCRIPT, tree], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["Sources/Old.swift:1: `OldTerms` is in no source"]


def test_what_exists_is_not_found(tree: Path) -> None:
    page = "`ChatPlan`, `ChatPlan.start`, `isStreamed`, `Text`, `ChatPlan+Text`, `ChatPlan+Text.swift`, `RATE_LIMIT`, OldName"
    assert missing(tree, page) == []
    assert missing(tree, "```\n`OldName`\n```") == []
