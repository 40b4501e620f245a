"""Scripts/check-house on small trees, each with one breach."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "Scripts/check-house"
LONG = "\n".join(["func long() {", *["    step()"] * 59, "}"])
MEMBERWISE = "init(a: A, b: B, c: C, d: D, e: E, f: F, g: G) {\n" + "".join(f"self.{n} = {n}\n" for n in "abcdefg") + "}"

SOUND = {
    "Sources/Engine/Loop/Loop.swift": "package struct Loop {}",
    "Sources/Engine/HTTP/Head.swift": 'struct Head { let loop: Loop } // Parser\nlet text = "Parser \\(loop("Parser"))"',
    "Sources/Engine/HTTP/Parser.swift": "struct Parser {\n    /// Whether the head is complete.\n    let isDone: Bool\n}",
    "Sources/Engine/Client/Fetch.swift": "import CCurl",
    "Sources/Shared/Keys/Key.swift": f"package import Engine\nstruct Key {{ {MEMBERWISE} }}",
    "Sources/Upstream/OneMin/OneMin.swift": LONG.replace("    step()\n", "", 1) + "\nstruct Vendor {}",
}

BREACHES = [
    ("imports: Engine -> Shared", "Engine/Loop/Loop.swift", "import Shared"),
    ("imports: Shared/Keys -> CCurl", "Shared/Keys/Curl.swift", "import CCurl"),
    ("imports: Utils", "Utils/Text.swift", ""),
    ("circle: Engine/Loop", "Engine/Loop/Loop.swift", "package struct Loop { let parser: Parser }"),
    ("base: Upstream/Calls/Chat -> Upstream/OneMin", "Upstream/Calls/Chat/Call.swift", "struct Call { let vendor: Vendor }"),
    ("end: Upstream/OneMin/Chat.swift", "Upstream/OneMin/Chat.swift", "attempt.next(afterRefusal: 400)"),
    ("files: Engine/Loop", None, ""),
    ("length: Shared/Keys/Long.swift long", "Shared/Keys/Long.swift", LONG),
    ("parameters: Shared/Keys/Many.swift many", "Shared/Keys/Many.swift",
     "func many(a: A, _ b: [B: C], c: (D, E) -> F, d: D<E, F>, e: E = [:], f: F, g: G)"),
    ("parameters: Shared/Keys/Init.swift init", "Shared/Keys/Init.swift", MEMBERWISE.replace("= g", "= g + 1")),
    ("onemin: Shared/Keys/Vendor.swift", "Shared/Keys/Vendor.swift", "case oneMin"),
    ("comment: Shared/Keys/Vendor.swift subject", "Shared/Keys/Vendor.swift", "/// Who serves it.\nstruct Vendor {}"),
    ("comment: Shared/Keys/Vendor.swift wording", "Shared/Keys/Vendor.swift", "struct Vendor {} // nil: it is none"),
    ("clock: Engine/HTTP/Age.swift", "Engine/HTTP/Age.swift", "let age = now.loopNanoseconds - then.loopNanoseconds"),
    ("downcast: Routes/Chat/Chat.swift", "Routes/Chat/Chat.swift", "let images = vendor as? any ImageVendor"),
]


def check(root: Path, *arguments: str, exceptions: str = "") -> subprocess.CompletedProcess[str]:
    (root / "Scripts").mkdir(exist_ok=True)
    (root / "Scripts/house-exceptions.txt").write_text(exceptions)
    return subprocess.run([sys.executable, SCRIPT, *arguments, root], capture_output=True, text=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in SOUND.items():
        write(tmp_path / name, text)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_sound_tree_passes(tree: Path) -> None:
    done = check(tree)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("breach", "path", "text"), BREACHES, ids=[breach[0] for breach in BREACHES])
def test_a_breach_fails_unless_it_is_an_exception(tree: Path, breach: str, path: str | None, text: str) -> None:
    if path:
        write(tree / "Sources" / path, text)
    else:
        for number in range(20):
            write(tree / f"Sources/Engine/Loop/File{number}.swift", "")
    done = check(tree)
    found = [line.partition(" (")[0] for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert breach in found
    assert check(tree, exceptions="".join(f"{line}\n" for line in found)).returncode == 0


def test_an_exception_that_nothing_needs_fails_until_it_is_pruned(tree: Path) -> None:
    done = check(tree, exceptions="# known\nfiles: Engine/Loop\n")
    assert done.returncode == 1
    assert "remove this line: files: Engine/Loop" in done.stdout
    assert check(tree, "--prune", exceptions="# known\nfiles: Engine/Loop\n").returncode == 0
    assert (tree / "Scripts/house-exceptions.txt").read_text() == "# known\n"
