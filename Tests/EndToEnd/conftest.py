"""Fixtures of the end-to-end suite: a fake vendor, relays in front of it, clients that check every answer."""

import re
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import anthropic_vendor
import checked
import gemini_vendor
import httpx
import httpx2
import limited
import openai
import pytest
import spending
import usage
import vendor_server
from anthropic_vendor import AnthropicServer
from balanced import Providers
from clocks import Clock, build_shim
from memcached import Memcached
from onemin_replies import ANSWER_MARK
from openai_vendor import Server
from rawhttp import ECHO_RELAY
from relay_process import Relay, provider
from vendor import Vendor

pytest_plugins = ["failed_tests", "longest_first", "kinds_fixtures"]
VENDOR_KEY = "key-that-the-relay-has-there"
CLAUDE_KEY = "key-that-the-relay-has-at-anthropic"
TEAM_TOKEN = "token-of-the-whole-team-0"
secrets: set[str] = {ANSWER_MARK, VENDOR_KEY, CLAUDE_KEY, TEAM_TOKEN}
"""Keys, marks of prompts and of answers: none may stand in a log."""


def running(make: Callable[[], Any], scope: Any = "module") -> Any:
    """Returns the fixture of what `make` starts, which is stopped at the end: `cloud = running(cloudflare_vendor.start)`."""

    @pytest.fixture(scope=scope)
    def started() -> Iterator[Any]:
        made = make()
        yield made
        made.stop()

    return started


def http_of(relay: str, vendor: str, *models: str, token: str = TEAM_TOKEN, is_strict: bool = True) -> Any:
    """Returns the fixture of a plain client of a relay. `vendor` answers its `models` as usual, until a test scripts them; after
    the test a strict one must not have seen anything that it would refuse."""

    @pytest.fixture
    def http(request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
        fake = request.getfixturevalue(vendor)
        for model in models:
            fake.says(model, {})
        with limited.client(request.getfixturevalue(relay), token) as client:
            yield client
        violations = fake.take_violations()
        assert violations == [] or not is_strict

    return http


def memcached_of_file() -> Any:
    """Returns the fixture of a test file whose tests share a memcached: `store = memcached_of_file()`."""
    return running(Memcached)


def echo_of_file() -> Any:
    """Returns the fixture of a test file whose tests share a relay that serves `echo` to anybody."""
    return running(lambda: Relay(ECHO_RELAY))


vendor = running(Vendor, "session")
"""The fake 1min.ai."""


@pytest.fixture
def source() -> Iterator[Vendor]:
    """A fake 1min.ai whose list of models belongs to this test alone."""
    running = Vendor()
    yield running
    violations = running.take_violations()
    running.stop()
    assert violations == []


@pytest.fixture(scope="session")
def launch(vendor: Vendor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Relay]]:
    """`launch(**environment)`: a ready relay in front of the fake. It runs to the end of the session unless it is
    stopped before. A setting that is None is left out. At the end, no output of these relays may contain a key, prompt
    or response, and each logged request must be in the usage records."""
    relays: list[Relay] = []
    records = tmp_path_factory.mktemp("records")

    def started(**environment: Any) -> Relay:
        upstream = {"ONE_MIN_BASE_URL": vendor.base_url, "ONE_MIN_ASSET_URL": vendor.asset_url}
        settings = {name: str(value) for name, value in (upstream | environment).items() if value is not None}
        settings.setdefault("USAGE_LOG_FILE", str(records / f"{len(relays)}.jsonl"))
        relays.append(Relay(settings))
        return relays[-1]

    yield started
    for relay in relays:
        relay.begin_to_stop()
    for relay in relays:
        relay.stop()
    assert not told_secrets("\n".join(relay.text() for relay in relays)), "a key, a prompt or an answer is in the log"
    kept = [file.read_text() for file in sorted(records.iterdir())]
    assert not told_secrets("\n".join(kept)), "a key, a prompt or an answer is in the usage records"
    for place, relay in enumerate(relays):
        file = records / f"{place}.jsonl"
        if relay.was_stopped and file.exists():
            usage.compare(file.read_text(), relay.log_lines())


RANDOM = re.compile("[0-9a-f]{32,}")
"""The part of most secrets that no other has."""


def told_secrets(text: str) -> set[str]:
    """Returns the secrets that occur in a text of megabytes, out of thousands, in one pass."""
    by_part = {found[0][:32]: secret for secret in secrets if (found := RANDOM.search(secret))}
    runs = (found[0] for found in RANDOM.finditer(text))
    parts = (run[at : at + 32] for run in runs for at in range(len(run) - 31))
    told = {by_part[part] for part in parts if part in by_part}
    return told | {secret for secret in secrets.difference(by_part.values()) if secret in text}


@pytest.fixture
def start_relay(launch: Callable[..., Relay]) -> Iterator[Callable[..., Relay]]:
    """`start_relay(**environment)`: a relay that ends with the test."""
    own: list[Relay] = []

    def started(**environment: Any) -> Relay:
        own.append(launch(**environment))
        return own[-1]

    yield started
    for relay in own:
        relay.begin_to_stop()
    for relay in own:
        relay.stop()


@pytest.fixture(scope="session")
def relay(launch: Callable[..., Relay]) -> Relay:
    """The relay with default settings that most tests share."""
    return launch()


@pytest.fixture(scope="session")
def new_key() -> Callable[..., str]:
    """`new_key()`: a key that the vendor accepts; `new_key("bad")`: one that it refuses."""

    def made(prefix: str = "key") -> str:
        secrets.add(key := f"{prefix}-{uuid.uuid4().hex}")
        return key

    return made


@pytest.fixture
def api_key(new_key: Callable[..., str]) -> str:
    """A key for this test alone."""
    return new_key()


@pytest.fixture
def mark() -> str:
    """A word for this test's prompt, which must not occur in a log."""
    secrets.add(word := f"mark{uuid.uuid4().hex}")
    return word


@pytest.fixture
def client(relay: Relay, api_key: str) -> Iterator[openai.OpenAI]:
    """The official client, without retries."""
    with checked.client(httpx2, timeout=30) as http:
        yield openai.OpenAI(api_key=api_key, base_url=relay.v1, max_retries=0, http_client=http)


@pytest.fixture
def claude(relay: Relay, api_key: str) -> Iterator[anthropic.Anthropic]:
    """Anthropic's official client, without retries."""
    with checked.client(httpx2, timeout=30) as http:
        yield anthropic.Anthropic(api_key=api_key, base_url=relay.base_url, max_retries=0, http_client=http)


@pytest.fixture
def http(relay: Relay, api_key: str) -> Iterator[httpx.Client]:
    """A plain client with the test's key; `base_url` is the relay's, without `/v1`."""
    with limited.client(relay, api_key) as plain:
        yield plain


@pytest.fixture
def caller() -> Iterator[Callable[..., httpx.Client]]:
    """`caller(relay, token, address)`: see `limited.client`."""
    clients: list[httpx.Client] = []

    def made(*what: Any, **how: Any) -> httpx.Client:
        clients.append(limited.client(*what, **how))
        return clients[-1]

    yield made
    for http in clients:
        http.close()


@pytest.fixture
def serve(start_relay: Callable[..., Relay], vendor: Vendor, caller: Callable[..., Any]) -> Callable[..., Any]:
    """`serve(a=2, b=1, BALANCE="smooth")`: providers with so many keys, and a client of a relay that has them."""

    def made(providers: Providers | None = None, **how: Any) -> tuple[Providers, Any]:
        counts = {name: how.pop(name) for name in list(how) if name.islower()}
        providers = providers or Providers(vendor, secrets.add, **counts)
        relay = start_relay(**providers.settings(**how))
        http = caller(relay)
        http.relay = relay
        return providers, http

    return made


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def is_streamed(request: pytest.FixtureRequest) -> bool:
    """Whether the test's response is streamed: a test with this argument runs both ways."""
    return request.param


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


seller = running(spending.Vendor, "function")
"""A vendor that bills what it has written."""


@pytest.fixture
def relay_with(start_relay: Callable[..., Relay], seller: spending.Vendor) -> Callable[..., Relay]:
    """`relay_with("3 usd/day")`: a relay that offers the seller's models `m` and `c` to a team with this limit."""

    def started(limit: str, scale: float = 1, **more: Any) -> Relay:
        return start_relay(**seller.settings(VENDOR_KEY, scale=scale) | {"KEY_TEAM_TOKEN": TEAM_TOKEN, "KEY_TEAM_RATE_LIMIT": limit} | more)

    return started


store = running(Memcached, "function")
"""A memcached of this test."""


@pytest.fixture(scope="session")
def clock_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that gives a process the clocks of a test."""
    return build_shim(tmp_path_factory.mktemp("clocks"))


@pytest.fixture(scope="module")
def wall(clock_shim: Path, tmp_path_factory: pytest.TempPathFactory) -> Clock:
    """A clock for the relays of a file."""
    return Clock(clock_shim, tmp_path_factory.mktemp("clock") / "clock")


@pytest.fixture
def clock(clock_shim: Path, tmp_path: Path) -> Callable[[float], Clock]:
    """`clock(20)`: a clock for one relay, 20 s ahead of this machine's."""
    clocks: list[Clock] = []

    def made(ahead_seconds: float) -> Clock:
        clocks.append(Clock(clock_shim, tmp_path / f"clock-{len(clocks)}", ahead_seconds))
        return clocks[-1]

    return made


@pytest.fixture(scope="session")
def encodings() -> dict[str, Any]:
    """tiktoken's encodings by model."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Tokens"))
    from compare import encodings

    known = encodings()
    models = {"gpt-4o-mini": "o200k_base", "o3-mini": "o200k_base", "gpt-3.5-turbo": "cl100k_base"}
    return {model: known[name] for model, name in models.items()}


server = running(Server, "session")
"""The fake of an OpenAI-compatible server."""


@pytest.fixture(scope="module")
def passing(launch: Callable[..., Relay], server: Server) -> Iterator[Relay]:
    """A relay with one provider of the kind openai: model `fast`, which is `big/model:1` at the vendor. What the relay
    learns about the model is used within the file only."""
    server.says("big/model:1", {})
    relay = launch(**provider("ROW", "openai", server.base_url, "fast=big/model:1", API_KEY=VENDOR_KEY), KEY_TEAM_TOKEN=TEAM_TOKEN)
    yield relay
    relay.stop()


team = http_of("passing", "server", "big/model:1")
"""A plain client of `passing`."""


anthropic_server = running(AnthropicServer, "session")
"""The fake of Anthropic."""


@pytest.fixture(scope="session")
def translating(launch: Callable[..., Relay], anthropic_server: AnthropicServer) -> Relay:
    """A relay with one provider of the kind anthropic, with the models of all its forms."""
    models = ["claude=claude-sonnet-4-5", "new=claude-opus-4-8", *anthropic_vendor.MOST, "other-model"]
    return launch(
        **provider("ANT", "anthropic", f"{anthropic_server.base_url}/v1", ",".join(models), API_KEY=CLAUDE_KEY), KEY_TEAM_TOKEN=TEAM_TOKEN,
        FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.1/32",
    )  # fmt: skip


talking = http_of("translating", "anthropic_server")
"""A plain client of `translating`."""


google = running(gemini_vendor.start, "session")
"""The fake of Google's Gemini API."""


@pytest.fixture(scope="session")
def google_relay(launch: Callable[..., Relay], google: vendor_server.Server) -> Relay:
    """A relay with one provider of the kind gemini: `pro` has another name, the other models have the vendor's
    names."""
    return launch(
        **provider("GEM", "gemini", google.base_url + "/v1beta", ",".join(gemini_vendor.MODELS), API_KEY=VENDOR_KEY, IDLE_TIMEOUT="3s", TIMEOUT="3s"),
        KEY_TEAM_TOKEN=TEAM_TOKEN, FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.1/32",
    )  # fmt: skip


gem = http_of("google_relay", "google", "gemini-3.1-pro")
"""A plain client of `google_relay`."""


@pytest.fixture(autouse=True)
def nothing_wrong(vendor: Vendor) -> Iterator[None]:
    """After each test: the vendor saw no unexpected request, and each response had OpenAI's format."""
    yield
    found = [f"upstream: {text}" for text in vendor.take_violations()]
    found += [f"answer: {text}" for text in checked.problems]
    checked.problems.clear()
    assert not found, "\n".join(found[:20])
