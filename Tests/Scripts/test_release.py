"""Scripts/release in a small repository: what it refuses, and the tag that it makes."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "Scripts/release"
FILES = {
    "Sources/Shared/Settings/Product.swift": '    package static let version = "1.2.3"\n',
    "CHANGELOG.md": "# Changelog\n\n## 1.2.3, 2026-01-02\n- A line.\n\n## 1.2.2, 2026-01-01\n",
    "README.md": "# relay\nVersion 1.2.3.\n",
}


def git(root: Path, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
    return subprocess.run(["git", *own, "-C", root, *words], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "Scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "Scripts")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.name", "a")
    git(tmp_path, "config", "user.email", "a@b")
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "a", "--allow-empty")


def release(root: Path, version: str = "1.2.3") -> tuple[int, str]:
    done = subprocess.run([root / "Scripts/release", version], capture_output=True, text=True)
    return done.returncode, done.stderr


def test_a_commit_that_is_ready_gets_its_tag_once(root: Path) -> None:
    for _ in range(2):
        assert release(root) == (0, "")
        assert git(root, "tag", "--points-at", "HEAD") == "v1.2.3\n"
    commit(root)
    assert release(root) == (1, "release: another commit has the tag v1.2.3\n")


@pytest.mark.parametrize(
    ("file", "change", "reason"),
    [
        ("Sources/Shared/Settings/Product.swift", ("1.2.3", "1.2.4"), "Product.swift"),
        ("CHANGELOG.md", ("1.2.3, 2026-01-02", "1.2.3, unreleased"), "CHANGELOG.md"),
        ("CHANGELOG.md", ("## 1.2.3", "## 1.3.0, 2026-01-03\n\n## 1.2.3"), "CHANGELOG.md"),
        ("README.md", ("Version 1.2.3.", "Version 1.2.3, not yet released."), "README.md"),
    ],
)
def test_what_is_not_ready_is_refused_and_gets_no_tag(root: Path, file: str, change: tuple[str, str], reason: str) -> None:
    (root / file).write_text(FILES[file].replace(*change))
    assert "not committed" in release(root)[1]
    commit(root)
    status, told = release(root)
    assert status == 1 and told.count("\n") == 1 and reason in told
    assert git(root, "tag") == ""


def test_other_forms_of_versions_are_refused(root: Path) -> None:
    assert release(root, "v1.2.3")[0] == 1
