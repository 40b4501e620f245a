"""The vendors, the relays and the homes of the programs."""

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "EndToEnd"))

import caching
from programs import Claude, Codex
from relay_process import Relay
from scripted import Script
from vendor import Vendor
from vendors import ScriptedVendor

TOKEN = "token-of-the-agents-0001"
MODEL = os.environ.get("CLAUDE_MODEL", "claude-scripted")
"""The name by which Claude Code asks for the model. It sends other fields for names that it knows."""
VENDOR_KEY = "key-of-the-vendor-0001"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if caching.TABLE:
        terminalreporter.write_line("\nOf each request after the first: percent of the one before that its vendor's cache finds again / of itself. At the end another session")
    for line in caching.TABLE:
        terminalreporter.write_line(line)


@pytest.fixture
def scripted() -> Iterator[Callable[[Script], ScriptedVendor]]:
    """`scripted(script)`: a vendor that follows the script. It must have refused nothing at the end."""
    running: list[ScriptedVendor] = []

    def made(script: Script) -> ScriptedVendor:
        running.append(ScriptedVendor(script))
        return running[-1]

    yield made
    for vendor in running:
        vendor.stop()
    assert [problem for vendor in running for problem in vendor.problems()] == []


@pytest.fixture(scope="session")
def onemin() -> Iterator[Vendor]:
    running = Vendor()
    yield running
    running.stop()


@pytest.fixture
def launch() -> Iterator[Callable[..., Relay]]:
    """`launch(SETTING="value")`: a relay with one caller, `TOKEN`."""
    running: list[Relay] = []

    def made(**settings: str) -> Relay:
        running.append(Relay({"KEY_AGENTS_TOKEN": TOKEN, "USAGE_LOG_FILE": "-"} | settings))
        return running[-1]

    yield made
    for relay in running:
        relay.stop()


@pytest.fixture
def serve(scripted: Any, onemin: Vendor, launch: Any) -> Callable[..., Any]:
    """`serve(kind, script)`: a relay with one provider of this kind, and its vendor (1min.ai's: its key). The model
    `MODEL` is the vendor's `scripted`, `gpt-5.5` its own; at 1min.ai both are `model`."""

    def made(kind: str, script: Script, model: str = "gpt-4.1", **settings: str) -> tuple[Relay, Any]:
        if kind == "onemin":
            key = f"key-{uuid.uuid4().hex}"
            onemin.answers(key, {"steps": [tagged(reply) for reply in script.steps]})
            own = {"PROVIDER_ROW_KIND": "onemin", "PROVIDER_ROW_API_KEYS": key, "ONE_MIN_BASE_URL": onemin.base_url, "ONE_MIN_ASSET_URL": onemin.asset_url}
            own["PROVIDER_ROW_MODELS"] = f"{MODEL}={model},gpt-5.5={model}"
            return launch(**own, **settings), key
        vendor = scripted(script)
        own = {"PROVIDER_ROW_KIND": "anthropic" if kind == "anthropic" else "openai", "PROVIDER_ROW_BASE_URL": vendor.base_url}
        own |= {"PROVIDER_ROW_API_KEY": VENDOR_KEY, "PROVIDER_ROW_MODELS": f"{MODEL}=scripted,gpt-5.5"}
        if kind == "responses":
            own["PROVIDER_ROW_CHAT_VIA"] = "responses"
        return launch(**own, **settings), vendor

    return made


def tagged(reply: Any) -> str:
    """Returns a reply as a model writes it that has no tools of its own."""
    calls = [json.dumps({"name": call.name, "arguments": call.fields()}) for call in reply.calls]
    return "\n".join([reply.text, *(f"<tool_call>\n{call}\n</tool_call>" for call in calls)])


@pytest.fixture
def claude(tmp_path: Path) -> Callable[..., Claude]:
    """`claude(base_url)`: Claude Code, in a home of its own."""

    def made(base_url: str, **how: Any) -> Claude:
        return Claude(how.pop("home", tmp_path / "claude"), base_url, TOKEN, how.pop("model", MODEL), **how)

    return made


@pytest.fixture
def codex(tmp_path: Path) -> Callable[..., Codex]:
    """`codex(base_url)`: Codex, in a home of its own. The address ends in `/v1`."""

    def made(base_url: str, **how: Any) -> Codex:
        return Codex(how.pop("home", tmp_path / "codex"), base_url, TOKEN, how.pop("model", "gpt-5.5"), **how)

    return made
