"""The README's examples, word for word but for the port: what a newcomer copies has to work.

Marked like this, a block of `sh` or `python` runs against a relay started as `make demo` does:

    <!-- test: demo -->
    ```sh
    curl -s http://localhost:5001/health
    ```
    <!-- expect: a part of what it prints -->
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest
from relay_process import ROOT, Relay, needs_localhost

README = ROOT / "README.md"
MARKED = re.compile(
    r"^<!-- test: (?P<kind>\w+) -->\n```(?P<language>sh|python)\n(?P<code>.*?)^```\n<!-- expect: (?P<expected>.+?) -->$",
    re.MULTILINE | re.DOTALL,
)


class Example(NamedTuple):
    kind: str
    language: str
    code: str
    expected: str
    line: int


def text() -> str:
    return README.read_text() if README.exists() else ""


def examples() -> list[Example]:
    return [Example(*match.groups(), text()[: match.start()].count("\n") + 1) for match in MARKED.finditer(text())]


def demo_settings() -> dict[str, str]:
    """What `make demo` sets."""
    recipe = re.search(r"^demo:.*\n(?:\t.*\n)*?\t@((?:\w+=\S+ )+)exec ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe, "the Makefile's demo target does not set variables and start the relay"
    return dict(pair.split("=", 1) for pair in recipe[1].split())


@pytest.fixture
def demo(start_relay: Callable[..., Relay]) -> Relay:
    return start_relay(**demo_settings(), ONE_MIN_BASE_URL=None, ONE_MIN_ASSET_URL=None)


def test_each_marked_block_is_one() -> None:
    assert README.exists(), "README.md is missing"
    marks = len(re.findall(r"<!--\s*test\b", text()))
    assert marks > 0, "no block is marked for testing"
    assert marks == len(examples()), "a mark without a block of sh or python, or a block without what to expect"
    assert {example.kind for example in examples()} == {"demo"}, "a kind that no test knows"


@needs_localhost
@pytest.mark.parametrize("example", examples(), ids=lambda example: f"line {example.line}")
def test_example_does_what_it_says(example: Example, demo: Relay) -> None:
    assert ":5001" in example.code, "the block does not name the relay's port"
    code = example.code.replace(":5001", f":{demo.port}")
    command = ["sh", "-c", code] if example.language == "sh" else [sys.executable, "-c", code]
    result = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert example.expected in result.stdout, f"printed: {result.stdout}"
