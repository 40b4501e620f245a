"""The examples of the README and of the docs, word for word except for the port: copied examples must work.

Each block is fenced and says its language. Settings (`dotenv`) pass `relay check` as they stand, `json`, `toml` and `yaml`
can be read. A block of `sh` or `python` has a mark before it, and runs, or says what it needs that a test does not have:

    <!-- test: demo -->
    ```sh
    curl -s http://localhost:5001/health
    ```
    <!-- expect: a part of what it prints -->

`test: demo` runs against a relay started as `make demo` does, `test: bounded` against the same with a bound, `test:
vendors` against relays with each of the last three settings above it, before the fakes of their vendors; `test: commands`
runs each line as a command of the relay, with a caller `NAME`. `<!-- not run: needs docker -->` (or network, key, systemd) is for the rest; Scripts/prove-image runs those with docker.

A `text` is what `relay limits team` prints: `test: limits after 4 chats with MODEL` sends these to a relay with the
settings above it. Those of admin-api.md are compared by AdminReferenceTests and test_admin_api.py.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import local_http
import pytest
import yaml
from all_kinds import Kinds
from anthropic_vendor import AnthropicServer
from conftest import memcached_of_file
from limited import CHAT, chat, client
from memcached import Memcached, wait_for
from openai_vendor import Server
from relay_process import INHERITED, ROOT, Relay, binary, needs_localhost
from vendor import Vendor

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
KINDS = {"demo": {}, "bounded": {"PROVIDER_DEMO_CONCURRENCY": "100"}}


def statements(code: str) -> list[str]:
    """Returns the lines of settings of nginx, of which each ends a statement, or opens or closes a block."""
    assert code.count("{") == code.count("}")
    lines = [line.strip() for line in code.splitlines()]
    assert all(line[-1] in ";{}" for line in lines), lines
    return lines


PARSERS: dict[str, Callable[[str], object]] = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load, "nginx": statements}
LANGUAGES = {"dotenv", "sh", "python", "mermaid", "text", *PARSERS}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- test: (\w+)(?: after (\d+) chats with (\S+))? -->\n\Z")
NOT_RUN = re.compile(r"<!-- not run: needs (docker|network|key|systemd) -->\n\Z")
EXPECTED = re.compile(r"\n<!-- expect: (.+?) -->")


class Block(NamedTuple):
    language: str
    code: str
    kind: str
    """How it runs; empty: it does not."""
    need: str
    expected: str
    place: str
    asks: tuple[int, str]
    """The chats before it, and their model."""
    settings: tuple[str, ...]
    """All settings above it."""


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        text = page.read_text()
        settings: tuple[str, ...] = ()
        for match in FENCE.finditer(text):
            before, after = text[: match.start()], text[match.end() :]
            mark, need, expected = MARK.search(before), NOT_RUN.search(before), EXPECTED.match(after)
            found.append(
                Block(
                    match[1], match[2], mark[1] if mark else "", need[1] if need else "", expected[1] if expected else "",
                    f"{page.name} line {before.count(chr(10)) + 1}", (int(mark[2]), mark[3]) if mark and mark[2] else (0, ""), settings,
                )  # fmt: skip
            )
            settings += (match[2],) if match[1] == "dotenv" else ()
    return found


BLOCKS = blocks()
SETTINGS = [block for block in BLOCKS if block.language == "dotenv"]
EXAMPLES = [block for block in BLOCKS if block.kind in KINDS]
COMMANDS = [block for block in BLOCKS if block.kind == "commands"]
VENDORS = [(block, settings) for block in BLOCKS if block.kind == "vendors" for settings in block.settings[-3:]]
OUTPUTS = [block for block in BLOCKS if block.kind == "limits"]


def place(block: Block) -> str:
    return block.place


def demo_settings() -> dict[str, str]:
    """Returns the settings of `make demo`."""
    recipe = re.search(r"^demo:.*\n(?:\t.*\n)*?\t@((?:\w+=\S+ )+)exec ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe, ("the Makefile's demo target does not set variables and start the relay")
    return dict(pair.split("=", 1) for pair in recipe[1].split())


def test_each_block_is_run_or_says_what_it_needs() -> None:
    for page in PAGES:
        plain = FENCE.sub("", page.read_text())
        indented = re.findall(r"^    \S.*", plain, re.MULTILINE)
        assert not indented, f"{page.name}: blocks are fenced: {indented}"
    for block in BLOCKS:
        assert block.language in LANGUAGES, block.place
        is_marked = block.language in ("sh", "python") or block.language == "text" and not block.place.startswith("admin-api.md")
        assert is_marked == bool(block.kind or block.need), f"{block.place}: a block of {block.language} and its mark"
        assert bool(block.expected) == (block.kind in {"vendors", *KINDS}), f"{block.place}: what to expect"
        assert not (block.kind and block.need) and block.kind in {"", "commands", "limits", "vendors", *KINDS}, block.place
        assert (block.language == "text") == (block.kind == "limits") or not is_marked, block.place
        if parse := PARSERS.get(block.language):
            assert parse(block.code), block.place
    marks = sum(len(re.findall(r"<!-- (?:test|not run)\b", page.read_text())) for page in PAGES)
    assert marks == sum(bool(block.kind or block.need) for block in BLOCKS), "a mark without a block"
    kinds = [example.kind for example in EXAMPLES if example.place.startswith("README")]
    assert set(kinds) == {"demo"} and len(VENDORS) == 3
    assert demo_settings()["HOST"] == "127.0.0.1"
    counts = f"{len(SETTINGS)} of settings, {len(EXAMPLES) + len(COMMANDS) + len(OUTPUTS)} run, {sum(bool(b.need) for b in BLOCKS)} not run"
    print(f"blocks: {counts}")


def run(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binary()), *words], env=INHERITED | environment, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("block", SETTINGS, ids=place)
def test_settings_pass_the_check(block: Block, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    for name in re.findall(r"/run/secrets/(\w+)", block.code):
        (tmp_path / "secrets" / name).write_text(f"sk-secret-of-{name}-0001\n")
    (tmp_path / ".env").write_text(block.code.replace("/run/secrets", str(tmp_path / "secrets")))
    # Without it, windows of an hour or more are a warning.
    if "DATA_DIR" not in block.code:
        (tmp_path / ".env").open("a").write(f"\nDATA_DIR={tmp_path}/data\n")
    checked = run(["check"], tmp_path)
    told = [line for line in checked.stderr.splitlines()[1:] if "is a placeholder, as in the README" not in line]
    assert (checked.returncode, told) == (0, []), checked.stderr


@pytest.mark.parametrize("block", [block for block in SETTINGS if block.place.startswith("README") and " #" in block.code], ids=place)
def test_settings_that_docker_passes_on_name_the_way_that_works(block: Block, tmp_path: Path) -> None:
    """`docker run --env-file` takes each line as it is."""
    lines = dict(line.split("=", 1) for line in block.code.splitlines() if line)
    checked = run(["check"], tmp_path, **lines)
    for name, value in lines.items():
        assert (f"  {name}: " in checked.stderr) >= (" #" in value), f"nothing is said about {name}: {checked.stderr}"
    told = [line for line in checked.stderr.splitlines() if "`docker run --env-file`" in line]
    assert checked.returncode == 78 and len(told) == block.code.count(" #") and all("ENV_FILE" in line for line in told)


counters = memcached_of_file()


@pytest.mark.parametrize("block", COMMANDS, ids=place)
def test_commands_do_what_they_say(block: Block, tmp_path: Path, counters: Memcached) -> None:
    lines = [line.partition("#")[0].split() for line in block.code.splitlines()]
    settings = {
        "KEY_TEAM_TOKEN": "sk-choose-something-long", "PROVIDER_DEMO_KIND": "echo", "MEMCACHED_SERVERS": counters.address,
        "DATA_DIR": str(tmp_path / "data"), "KEY_CLASS_SECRET": "a-secret-of-the-members-of-the-class",
    }  # fmt: skip
    (tmp_path / "data").mkdir()
    (tmp_path / "names.txt").write_text("Ann Lee\n")
    for program, *words in lines:
        assert program == "relay"
        done = run(["team" if word == "NAME" else word for word in words], tmp_path, **settings)
        assert done.returncode == 0 and done.stdout, f"{words}: {done.stderr}"


def comparable(table: str) -> list[str]:
    """The lines of a table without its columns' widths, the seconds that are left, and the note that memcached has just started."""
    lines = [line for line in table.splitlines() if not line.startswith("memcached started ")]
    return [re.sub(r"(?:\d+h)?(?:\d+m)?\d+s$", "SOON", " ".join(line.split())) for line in lines]


@pytest.mark.parametrize("block", OUTPUTS, ids=place)
def test_limits_are_shown_as_they_are(
    block: Block, tmp_path: Path, store: Memcached, vendor: Vendor, start_relay: Callable[..., Relay]
) -> None:
    above = block.settings[-1]
    settings = re.sub(r"^MEMCACHED_HOST=\S+", f"MEMCACHED_SERVERS={store.address}", above, flags=re.MULTILINE)
    assert settings != above, "the block above does not say that memcached is needed"
    (tmp_path / ".env").write_text(settings)
    environment = {
        f"PROVIDER_{name}_BASE_URL": vendor.base_url for name in re.findall(r"^PROVIDER_(\w+)_KIND=onemin$", settings, re.MULTILINE)
    }
    relay = start_relay(ENV_FILE=tmp_path / ".env", RATE_LIMIT="", ONE_MIN_BASE_URL=None, ONE_MIN_ASSET_URL=None, **environment)
    token = re.search(r"^KEY_TEAM_TOKEN=(\S+)", settings, re.MULTILINE)
    number, model = block.asks
    assert token and number
    with client(relay, token[1]) as http:
        assert [chat(http, model=model).status_code for _ in range(number)] == [200] * number

    def shown() -> list[str]:
        return comparable(run(["limits", "team"], tmp_path, **environment).stdout)

    # What a request used is settled after its response.
    try:
        wait_for(lambda: shown() == comparable(block.code))
    except AssertionError:
        assert shown() == comparable(block.code), run(["limits", "team"], tmp_path, **environment).stdout


@pytest.fixture(scope="module")
def relays(launch: Callable[..., Relay]) -> dict[str, Relay]:
    unset = {"ONE_MIN_BASE_URL": None, "ONE_MIN_ASSET_URL": None}
    return {kind: launch(**demo_settings(), **unset, **more) for kind, more in KINDS.items()}


@needs_localhost
@pytest.mark.parametrize("example", EXAMPLES, ids=place)
def test_example_does_what_it_says(example: Block, relays: dict[str, Relay]) -> None:
    assert_runs(example, relays[example.kind])


@needs_localhost
@pytest.mark.parametrize(("example", "settings"), VENDORS, ids=lambda value: value.place if isinstance(value, Block) else value.split("_")[1])
def test_each_first_vendor_answers(
    example: Block, settings: str, tmp_path: Path, start_relay: Callable[..., Relay], server: Server, anthropic_server: AnthropicServer,
    vendor: Vendor,
) -> None:  # fmt: skip
    """Six lines each, with nothing but the addresses of the fakes in addition."""
    assert len(settings.splitlines()) == 6 and "HOST=127.0.0.1" in settings
    # Other tests may have left failures of these models.
    server.scripts.clear()
    anthropic_server.scripts.clear()
    (tmp_path / ".env").write_text(settings)
    addresses = {
        "PROVIDER_OPENAI_BASE_URL": server.base_url, "PROVIDER_ANTHROPIC_BASE_URL": anthropic_server.base_url + "/v1",
        "PROVIDER_ONEMIN_BASE_URL": vendor.base_url,
    }  # fmt: skip
    own = {name: url for name, url in addresses.items() if name.split("_")[1] == settings.split("_")[1]}
    assert_runs(example, start_relay(ENV_FILE=tmp_path / ".env", ONE_MIN_BASE_URL=None, ONE_MIN_ASSET_URL=None, **own))
    assert server.take_violations() == anthropic_server.take_violations() == []


RECORDING = {"file": ("a.mp3", b"ID3" + bytes(200))}
ENDPOINTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "text": (CHAT, "gpt-4o-mini", {"json": {"messages": [{"role": "user", "content": "Hello"}]}}),
    "embeddings": ("/v1/embeddings", "gpt-4o-mini", {"json": {"input": "x"}}),
    "moderations": ("/v1/moderations", "gpt-4o-mini", {"json": {"input": "x"}}),
    "rerank": ("/v1/rerank", "gpt-4o-mini", {"json": {"query": "x", "documents": ["x"]}}),
    "images": ("/v1/images/generations", "gpt-image-1", {"json": {"prompt": "x"}}),
    "speech": ("/v1/audio/speech", "tts-1", {"json": {"input": "x", "voice": "alloy"}}),
    "transcriptions": ("/v1/audio/transcriptions", "whisper-1", {"files": RECORDING}),
}
"""By the words of README's table: path, 1min.ai's model, and a request without its model."""


def test_the_table_of_vendors_is_true(all_kinds: Kinds, relays: dict[str, Relay], http: httpx.Client) -> None:
    table = README.read_text().partition("## Vendors")[2].partition("\n## ")[0]
    _, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
    kinds = {kind: {"text", *row[2].split(", ")} - {""} for row in rows for kind in re.findall(r"`(\w+)`", row[1])}
    source = (ROOT / "Sources/Shared/Configuration/ProviderSettings.swift").read_text().partition("enum Kind")[2].partition("}")[0]
    assert set(kinds) == {word or name for name, word in re.findall(r'case (\w+)(?: = "(\w+)")?', source)}
    assert set().union(*kinds.values()) == {*ENDPOINTS, "files"}
    with local_http.Client(base_url=relays["demo"].base_url) as echo:
        clients = {"onemin": http, "echo": echo}
        for kind, served in kinds.items():
            for endpoint, (path, model, how) in ENDPOINTS.items():
                name = {"onemin": model, "openai": "chat"}.get(kind, kind)
                more = {"json": how["json"] | {"model": name}} if "json" in how else how | {"data": {"model": name}}
                answer = clients.get(kind, all_kinds.http).post(path, **more)
                assert (endpoint in served) == (answer.status_code != 404), f"{kind}, {endpoint}: {answer.status_code} {answer.text[:200]}"
    all_kinds.take_violations()


def test_the_first_answer_is_near() -> None:
    """Words from README's title to the first command that answers, without tables, code, pictures, and addresses of links."""
    text = README.read_text()
    first = text.index("<!-- test:")
    prose = re.sub(r"^\|.*|<!--.*?-->|!\[.*?\]\(.*?\)|(?<=\])\(.*?\)", "", FENCE.sub("", text[:first]), flags=re.MULTILINE)
    words = re.findall(r"\w\S*", prose.partition("\n")[2])
    print(f"words before the first answer: {len(words)}")
    assert 50 < len(words) <= 250


def test_all_pages_are_in_one_order_and_links_lead_somewhere() -> None:
    index = ROOT / "docs/README.md"
    assert re.findall(r"^## (.*)", index.read_text(), re.MULTILINE) == ["Start", "Configure", "Operate", "Reference", "Design"]
    listed = re.findall(r"^- \[[^]]+\]\(([\w/-]+\.md)\)", index.read_text(), re.MULTILINE)
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs/design").glob("*.md")]
    assert sorted(listed) == sorted(str(page.relative_to(index.parent)) for page in pages if page != index)
    assert "(docs/README.md)" in README.read_text().partition("## ")[0]
    for page in [*ROOT.glob("*.md"), *pages, *(ROOT / "examples").rglob("*.md")]:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))):
            file = (page.parent / target).resolve() if target else page
            assert file.exists(), f"{page.name}: {target}"
            heads = re.findall(r"^#+ (.*)", FENCE.sub("", file.read_text()), re.MULTILINE) if anchor else []
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert not anchor or anchor in slugs, f"{page.name}: {target}#{anchor}"


def test_the_changelog_says_nothing_twice() -> None:
    entries = re.split(r"^- ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    words = [set(re.findall(r"[\w/]{4,}", entry.lower())) for entry in entries]
    for place, one in enumerate(words):
        for other, its in enumerate(words[:place]):
            shared = len(one & its) / max(1, min(len(one), len(its)))
            assert shared < 0.75 or min(len(one), len(its)) < 6, f"{entries[other]}\n{entries[place]}"
        assert re.search(r"[.:)|`\w]\s*\Z", entries[place]) and not entries[place].rstrip().endswith((",", " and")), entries[place]


def assert_runs(example: Block, relay: Relay) -> None:
    assert ":5001" in example.code, "the block does not name the relay's port"
    code = example.code.replace(":5001", f":{relay.port}")
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
