"""The examples of the README and of the docs, word for word but for the port: what a newcomer copies has to work.

Marked like this, a block of `sh` or `python` runs against a relay started as `make demo` does:

    <!-- test: demo -->
    ```sh
    curl -s http://localhost:5001/health
    ```
    <!-- expect: a part of what it prints -->

`test: bounded` starts the same relay with a bound.
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
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
KINDS = {"demo": {}, "bounded": {"PROVIDER_DEMO_CONCURRENCY": "100"}}
MARKED = re.compile(
    r"^<!-- test: (?P<kind>\w+) -->\n```(?P<language>sh|python)\n(?P<code>.*?)^```\n<!-- expect: (?P<expected>.+?) -->$",
    re.MULTILINE | re.DOTALL,
)


class Example(NamedTuple):
    kind: str
    language: str
    code: str
    expected: str
    place: str


def examples() -> list[Example]:
    found = []
    for page in PAGES:
        text = page.read_text() if page.exists() else ""
        for match in MARKED.finditer(text):
            found.append(
                Example(
                    *match.groups(),
                    f"{page.name} line {text[: match.start()].count(chr(10)) + 1}",
                )
            )
    return found


def demo_settings() -> dict[str, str]:
    """What `make demo` sets."""
    recipe = re.search(
        r"^demo:.*\n(?:\t.*\n)*?\t@((?:\w+=\S+ )+)exec ",
        (ROOT / "Makefile").read_text(),
        re.MULTILINE,
    )
    assert recipe, (
        "the Makefile's demo target does not set variables and start the relay"
    )
    return dict(pair.split("=", 1) for pair in recipe[1].split())


def test_each_marked_block_is_one() -> None:
    assert README.exists(), "README.md is missing"
    marks = sum(len(re.findall(r"<!--\s*test\b", page.read_text())) for page in PAGES)
    assert marks == len(examples()), (
        "a mark without a block of sh or python, or a block without what to expect"
    )
    kinds = [
        example.kind for example in examples() if example.place.startswith("README")
    ]
    assert (
        kinds
        and set(kinds) == {"demo"}
        and {example.kind for example in examples()} <= set(KINDS)
    )


@pytest.fixture(scope="module")
def relays(launch: Callable[..., Relay]) -> dict[str, Relay]:
    unset = {"ONE_MIN_BASE_URL": None, "ONE_MIN_ASSET_URL": None}
    return {
        kind: launch(**demo_settings(), **unset, **more) for kind, more in KINDS.items()
    }


@needs_localhost
@pytest.mark.parametrize("example", examples(), ids=lambda example: example.place)
def test_example_does_what_it_says(example: Example, relays: dict[str, Relay]) -> None:
    assert ":5001" in example.code, "the block does not name the relay's port"
    code = example.code.replace(":5001", f":{relays[example.kind].port}")
    command = (
        ["sh", "-c", code] if example.language == "sh" else [sys.executable, "-c", code]
    )
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
