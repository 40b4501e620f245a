"""Nothing in the sources is for one kind of processor alone: what x86-64 has in addition stands beside code for all others.

It replaces no build: the workflow of releases makes and starts the relay on arm64.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "Sources"
ONLY_X86 = re.compile(r"\b_mm\d*_\w+|\b__m(?:128|256|512)\w*|\b\w*mmintrin\.h|\b__builtin_(?:ia32|cpu_)\w+|\b(?:asm|__asm__|__asm)\b|target\(\"")
X86 = re.compile(r"__x86_64__|__SSE|__AVX|arch\(x86_64\)")
FILES = sorted(path for path in SOURCES.rglob("*") if path.suffix in {".c", ".h", ".cpp", ".swift"})
UNITS = [path for path in FILES if path.suffix == ".c"]


def faults(text: str) -> Iterator[str]:
    """Returns the lines for x86-64 alone that a build for another processor reads, and Swift's that it would miss."""
    conditions: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if directive := re.match(r"\s*#\s*(if|ifdef|ifndef|elif|elseif|else|endif)\b(.*)", line):
            word, condition = directive.groups()
            if word in ("endif", "else", "elif", "elseif"):
                left = conditions.pop()
                if "arch(x86_64)" in left and word == "endif":
                    yield f"{number}: no #else for other processors"
            if word != "endif":
                conditions.append(condition)
        elif (found := ONLY_X86.search(line.partition("//")[0])) and not any(X86.search(one) for one in conditions):
            yield f"{number}: {found[0]}"


def test_nothing_is_for_one_processor_alone() -> None:
    assert len(FILES) > 500
    found = [f"{path.relative_to(SOURCES)}:{fault}" for path in FILES for fault in faults(path.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "#include <immintrin.h>\n", '__asm__("pause");\n', "__m256i a;\n", '__attribute__((target("avx2"))) int f(void);\n',
        "#if defined(__x86_64__)\n#else\n_mm_pause();\n#endif\n", "#if arch(x86_64)\nlet a = 1\n#endif\n",
    ],
)  # fmt: skip
def test_what_is_for_x86_alone_is_found(text: str) -> None:
    assert list(faults(text))
    assert not list(faults(f"#if defined(__x86_64__)\n{text}#endif\n")) or "#" in text


@pytest.mark.skipif(not shutil.which("clang"), reason="Swift's toolchain has clang")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_c_compiles_for_arm64(unit: Path, tmp_path: Path) -> None:
    """With this machine's headers, of which a few lines are wrong there: only what the file itself has counts."""
    (tmp_path / "gnu").mkdir()
    (tmp_path / "gnu/stubs-32.h").touch()
    done = subprocess.run(
        [
            "clang", "--target=aarch64-linux-gnu", "-fsyntax-only", "-ferror-limit=0", f"-I{tmp_path}", f"-I{unit.parent}/include",
            "-isystem/usr/include/x86_64-linux-gnu", str(unit),
        ],
        capture_output=True, text=True,
    )  # fmt: skip
    own = [line for line in done.stderr.splitlines() if line.startswith(str(SOURCES)) and " error: " in line]
    assert not own and "fatal error" not in done.stderr, done.stderr
