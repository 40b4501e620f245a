"""The reference of counted figures: those on record, or those of the recorded commit, built and counted here."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

DECIDING = ("compiler", "libc", "processor")  # facts that change the count of the same commit


def reasons_to_build(recorded: dict[str, str], here: dict[str, str], known: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """Why the figures on record cannot be compared with those of this machine; none: they can. `recorded` and `here` are
    the facts of both, `known` and `wanted` the figures' names."""
    reasons = [
        f"{name} is {here[name]}, on record {recorded.get(name, 'unknown')}"
        for name in DECIDING
        if recorded.get(name) != here[name]
    ]
    known = set(known)
    return reasons + [f"{name} is not on record" for name in wanted if name not in known]


def buildable(commit: str) -> str | None:
    """Returns why a record of that commit cannot be built again; None if it can."""
    if not commit:
        return "no commit is on record"
    return f"the record was made of {commit}" if " " in commit else None


@contextmanager
def built(root: Path, commit: str) -> Iterator[Path]:
    """Builds the relay of `commit` by its own Makefile, in a worktree that exists inside the block."""
    if reason := buildable(commit):
        sys.exit(f"{reason}: nothing to compare with; record a commit without changes (--write)")
    with tempfile.TemporaryDirectory(prefix="relay-recorded-") as folder:
        tree = Path(folder).resolve() / "tree"
        git = ["git", "-C", str(root), "worktree"]
        if subprocess.run([*git, "add", "--quiet", "--detach", tree, commit]).returncode:
            sys.exit(f"no commit {commit} here, which is on record: fetch the whole history (git fetch --unshallow)")
        try:
            inherited = {name: text for name, text in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
            done = subprocess.run(["make", "-C", tree, "release"], stdout=sys.stderr, env=inherited)
            if done.returncode:
                sys.exit(f"commit {commit} cannot be built here")
            yield (tree / ".build/release/relay").resolve()
        finally:
            subprocess.run([*git, "remove", "--force", tree], check=True)
