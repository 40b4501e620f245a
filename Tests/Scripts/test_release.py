"""Scripts/release in a small repository: what it refuses, and the tag that it makes. The steps of the workflow that publish."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
JOBS = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
ARM = "ubuntu-24.04-arm"
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


def test_both_architectures_are_built_and_asked_before_anything_is_published() -> None:
    for name, asks in (("packages", "Install each, and ask it"), ("image", "Start it, and ask it")):
        job = JOBS[name]
        matrix = job["strategy"]["matrix"]
        runners = matrix.get("runner") or [row["runner"] for row in matrix["include"]]
        assert runners == ["ubuntu-24.04", ARM] and job["runs-on"] == "${{ matrix.runner }}"
        assert job["strategy"].get("fail-fast", True) and asks in [step.get("name") for step in job["steps"]]
    assert set(JOBS["publish"]["needs"]) == {"packages", "image"} == set(JOBS) - {"publish"}
    for job in JOBS.values():
        # A step that may be passed over, or fail, would publish half of a release.
        assert "if" not in job and not job.get("continue-on-error")
        assert not any("if" in step or step.get("continue-on-error") for step in job["steps"])


def publish(step: str, folder: Path, **environment: str) -> list[str]:
    """Runs a step with programs that only write down how they are called, one word in a line of its own if it has spaces."""
    [script] = [one["run"] for one in JOBS["publish"]["steps"] if one.get("name") == step]
    (folder / "bin").mkdir()
    for name in ("docker", "gh"):
        (folder / "bin" / name).write_text(f'#!/bin/sh\ncat >/dev/null\necho "{name} $*" >>"{folder}/calls"\n')
        (folder / "bin" / name).chmod(0o755)
    own = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "GITHUB_REF_NAME": "v0.1.0"}
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=folder, env=own | environment, stdin=subprocess.DEVNULL, check=True)
    return (folder / "calls").read_text().splitlines()


def test_one_name_has_the_images_of_both_architectures(tmp_path: Path) -> None:
    calls = publish("Publish the image", tmp_path, GITHUB_REPOSITORY="Owner/Relay", GITHUB_ACTOR="a", TOKEN="t")
    name = "ghcr.io/owner/relay"
    both = [f"{name}:0.1.0-{one}" for one in ("amd64", "arm64")]
    assert calls[0].startswith("docker login ghcr.io")
    assert [call for call in calls if " load " in call] == [f"docker load --input image-{one}/image.tar.gz" for one in ("amd64", "arm64")]
    assert [call for call in calls if " push " in call] == [f"docker push {one}" for one in both]
    assert calls[-1] == f"docker buildx imagetools create --tag {name}:0.1.0 --tag {name}:latest {' '.join(both)}"


def test_the_notes_are_those_of_the_version(tmp_path: Path) -> None:
    text = (ROOT / "CHANGELOG.md").read_text().replace("## 0.1.0, unreleased", "## 0.1.0, 2026-01-02")
    (tmp_path / "CHANGELOG.md").write_text(text + "\n## 0.0.9, 2025-01-01\n- Old.\n")
    [call] = publish("Publish the files", tmp_path, GH_TOKEN="t")
    assert call.startswith("gh release create v0.1.0 --verify-tag")
    notes = (tmp_path / "notes").read_text()
    assert len(notes.strip().splitlines()) <= 40
    assert notes.strip() and notes.strip() in text and "Old." not in notes
