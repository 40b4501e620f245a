"""Scripts/check-pages on small trees, each with one fault."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "Scripts/check-pages"
SOUND = {
    "pages.c": 'static const char style[] = {\n#embed "style.css"\n};\nstatic const char page[] = {\n#embed "page.html"\n};\n'
    'static const char pageScript[] = {\n#embed "elements.js"\n    ,\n#embed "page.js"\n};\n',
    "style.css": ".name { color: red; }\n",
    "page.html": '<p class="name"></p>\n',
    "elements.js": 'const find = (selector) => document.querySelector(selector);\nconst space = "http://www.w3.org/2000/svg";\n',
    "page.js": 'find("p").textContent = space;\n',
}
FAULTS = [
    ("innerHTML", "page.js", 'find("p").innerHTML = space;\n'),
    ("no-undef", "page.js", "finds(space);\nfind();\n"),
    ("no-unused-vars", "page.js", 'find(space);\nconst unused = "";\n'),
    ("another host", "page.js", 'find(space + "https://example.org/a.js");\n'),
    ("another host", "page.html", '<p class="name"><a href="//example.org/">x</a></p>\n'),
    ("refused by the page's", "page.html", '<p class="name" onclick="x()"></p>\n'),
    ("ends the script", "page.js", 'find(space + "</script>");\n'),
    ("no page has it", "other.js", "\n"),
    ("nothing has the class", "style.css", ".name { color: red; }\n.other { color: red; }\n"),
    ("at most 81920", "page.js", 'find("p").textContent = space;\n' + f"// {'x' * 81_920}\n"),
    ("asks for another file", "style.css", '.name { color: red; }\n@import "x";\n'),
]


def check(root: Path, changed: dict[str, str]) -> subprocess.CompletedProcess[str]:
    for name, text in (SOUND | changed).items():
        path = root / "Sources/CPages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return subprocess.run([sys.executable, SCRIPT, root], capture_output=True, text=True, check=False)


def test_sound_pages_pass(tmp_path: Path) -> None:
    run = check(tmp_path, {})
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(("fault", "name", "text"), FAULTS, ids=[f"{name} {fault}" for fault, name, _ in FAULTS])
def test_each_fault_is_found(tmp_path: Path, fault: str, name: str, text: str) -> None:
    run = check(tmp_path, {name: text})
    assert run.returncode == 1 and fault in run.stderr and len(run.stderr.splitlines()) == 1, run.stderr
