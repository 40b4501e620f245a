"""Scripts/check-english on small files, each with one comment."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "Scripts/check-english"

PLANTED = [
    ("of", "Of two keys with one name the first.", "let key: Key"),
    ("that", "That the vendor charged for the call.", "let credits: Int?"),
    ("to-be", "To be sent when the call ends.", "let rest: Body"),
    ("question", "What a client may ask.", "struct Request {}"),
    ("question", "Whose key it was.", "let caller: Caller"),
    ("conjunction", "Or the default value.", "let value: Int"),
    ("pronoun", "The same for a stream.", "let limit: Int"),
    ("pronoun", "Those that are left.", "let models: [Model]"),
    ("fragment", "By its name.", "package let table: Table"),
    ("preposition", "In the order of the list, the oldest of its entries first.", "func sorted() -> [Entry]"),
    ("told", "The usage as told by the vendor.", "let usage: Usage"),
    ("told", "Returns the tokens. The vendor tells of them.", "func tokens() -> Int"),
    ("old", "Returns a key, if one can be had.", "func key() -> Key?"),
]
CLEAR = [
    ("Returns the first key of this name; nil if there is none of it.", "func key(named name: String) -> Key?"),
    ("Whether the call is part of a panel.", "let isInner: Bool"),
    ("Of one event.", "let eventLimitBytes = 1_024"),
    ("By default 60 seconds.", "let timeout = 60"),
    ("From 0 to 100 percent of the memory budget.", "func percent() -> Int"),
    ("In a panel, each member has its own key.", "func key(of member: Int) -> Key"),
    ("How to reach the store.", "let address: Address"),
]


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)


def swift(folder: Path, *comments: tuple[str, str]) -> Path:
    path = folder / "Planted.swift"
    path.write_text("".join(f"/// {comment}\n@inline(never)\n{declaration}\n\n" for comment, declaration in comments))
    return path


@pytest.mark.parametrize(("rule", "comment", "declaration"), PLANTED)
def test_each_rule_finds_its_comment(tmp_path: Path, rule: str, comment: str, declaration: str) -> None:
    path = swift(tmp_path, ("The clear comment.", "let clear: Int"), (comment, declaration))
    done = check(tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == f"{path}:5: {rule}: {comment}"
    assert done.stdout.splitlines()[1].startswith(f"{rule}: ")


def test_clear_comments_pass(tmp_path: Path) -> None:
    swift(tmp_path, *CLEAR)
    done = check(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_comment_of_several_lines_is_read_without_its_parameters(tmp_path: Path) -> None:
    path = tmp_path / "Lines.swift"
    path.write_text("    /// Returns the key\n    /// of the caller.\n    /// - Parameter name: as told by it.\n    func key() {}\n")
    assert check(path).returncode == 0
    path.write_text("/// Returns the key\n/// as told by the caller.\nfunc key() {}\n")
    assert f"{path}:1: told: " in check(path).stdout


def test_the_bound_is_the_number_of_findings(tmp_path: Path) -> None:
    swift(tmp_path, *[(comment, declaration) for _, comment, declaration in PLANTED])
    assert check("--most", str(len(PLANTED)), tmp_path).returncode == 0
    done = check("--most", str(len(PLANTED) - 1), tmp_path)
    assert done.returncode == 1
    assert f"{len(PLANTED)} comments are hard to read alone, at most {len(PLANTED) - 1}" in done.stdout


def test_one_rule_alone(tmp_path: Path) -> None:
    swift(tmp_path, *[(comment, declaration) for _, comment, declaration in PLANTED])
    assert len(check("--rule", "question", tmp_path).stdout.splitlines()) == 2 + 2
