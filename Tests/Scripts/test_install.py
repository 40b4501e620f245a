"""The tarball's install.sh, with a script in place of the program."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTS_SUMS = """(cd "$root" && find . -type f -print0 | sort --zero-terminated | xargs --null sha256sum) >"$work/sums"
    install -m 644 "$work/sums" "$root/SHA256SUMS\""""


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    root = tmp_path / "unpacked"
    for name in ("lib/a.so", "licences/relay", "share/man/man1/relay.1", "relay.tokens", "LICENSE", "relay.env", "relay.service"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    shutil.copy(ROOT / "deploy/package/install.sh", root)
    (root / "relay").write_text("#!/bin/sh\necho relay 1.2.3\n")
    (root / "relay").chmod(0o755)
    making = (ROOT / "Scripts/package").read_text()
    assert LISTS_SUMS in making
    subprocess.run(["bash", "-ec", LISTS_SUMS], env={"root": str(root), "work": str(tmp_path), "PATH": "/usr/bin:/bin"}, check=True)
    # Of root, the script would make a service on this machine.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "bin/id").chmod(0o755)
    return root


def install(unpacked: Path) -> subprocess.CompletedProcess[str]:
    path = f"{unpacked.parent}/bin:/usr/bin:/bin"
    return subprocess.run([unpacked / "install.sh", unpacked.parent / "prefix"], env={"PATH": path}, capture_output=True, text=True)


def test_whole_files_are_installed_and_replaced(unpacked: Path) -> None:
    first, second = install(unpacked), install(unpacked)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "in place of relay 1.2.3" in second.stdout and (unpacked.parent / "prefix/lib/relay/lib/a.so").read_text() == "lib/a.so"


@pytest.mark.parametrize("name", ["relay", "lib/a.so", "install.sh", "SHA256SUMS"])
@pytest.mark.parametrize("is_there", [True, False], ids=["changed", "missing"])
def test_damaged_files_replace_nothing(unpacked: Path, name: str, is_there: bool) -> None:
    assert install(unpacked).returncode == 0
    with (unpacked / name).open("a") as file:
        file.write("# damaged\n")
    if not is_there and name != "install.sh":
        (unpacked / name).unlink()
    (unpacked.parent / "prefix/lib/relay/marked").touch()
    done = install(unpacked)
    is_damaged = name != "SHA256SUMS" or not is_there
    assert (done.returncode == 1) == is_damaged and ("Nothing was installed" in done.stderr) == is_damaged
    assert (unpacked.parent / "prefix/lib/relay/marked").exists() == is_damaged
