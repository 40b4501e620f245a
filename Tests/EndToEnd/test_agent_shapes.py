"""What real agents send, played on each kind: `agent_shapes.json`, which `RECORD=1 make test-agents` writes. Where the agents are
installed (`make test-agents`), each does one real job."""

import json
import os
import subprocess
from pathlib import Path

import anthropic_vendor
import cloudflare_vendor
import cohere_vendor
import gemini_vendor
import openai_vendor
import pytest
from conftest import TEAM_TOKEN, VENDOR_KEY
from limited import client as plain
from relay_process import ROOT

SHAPES = json.loads(Path(__file__).with_name("agent_shapes.json").read_text())
MODELS = {
    "anthropic": "claude-opus-5-5", "openai": "big/model:1", "responses": "gpt-5.5", "gemini": "gemini-3.1-pro",
    "cohere": "command-a-03-2025", "cloudflare": cloudflare_vendor.LLAMA, "onemin": "gpt-4.1",
}  # fmt: skip
PLAYED = [
    pytest.param(program, at, kind, id=f"{program}-{at}-{kind}")
    for program, made in SHAPES.items() for at, shape in enumerate(made) for kind in MODELS
]  # fmt: skip


@pytest.fixture(scope="module")
def vendors():
    """The fakes of all kinds but 1min.ai."""
    running = {"anthropic": anthropic_vendor.AnthropicServer(), "openai": openai_vendor.Server(), "gemini": gemini_vendor.start()}
    running |= {"cohere": cohere_vendor.start(), "cloudflare": cloudflare_vendor.start()}
    yield running
    for fake in running.values():
        fake.stop()


@pytest.fixture(scope="module")
def player(launch, vendors, new_key):
    """A relay with a provider of each kind, whose models have the kind's name."""
    paths = {"anthropic": "/v1", "openai": "", "gemini": "/v1beta", "cohere": "/v1", "cloudflare": "/client/v4"}
    settings = {"KEY_TEAM_TOKEN": TEAM_TOKEN, "PROVIDER_CLOUDFLARE_ACCOUNT_ID": cloudflare_vendor.ACCOUNT}
    for kind, model in MODELS.items():
        fake = "openai" if kind == "responses" else kind
        row = {"KIND": fake, "MODELS": f"{kind}={model}"}
        if kind == "onemin":
            row["API_KEYS"] = new_key()
        else:
            row |= {"BASE_URL": vendors[fake].base_url + paths[fake], "API_KEY": VENDOR_KEY}
        settings |= {f"PROVIDER_{kind.upper()}_{name}": value for name, value in row.items()}
    return launch(**settings, PROVIDER_RESPONSES_CHAT_VIA="responses")


@pytest.mark.parametrize(("program", "at", "kind"), PLAYED)
def test_shapes_are_accepted(player, vendors, vendor, program, at, kind):
    shape = SHAPES[program][at]
    body = json.dumps(shape["body"] | {"model": kind})
    if kind == "anthropic":
        body = body.replace("gAAAAAscripted", anthropic_vendor.SIGNATURE)
        own = {"open": True, "own_headers": ["anthropic-beta"]} if program == "claude" else {}
        vendors[kind].says(MODELS[kind], own)
    if kind == "responses":
        vendors["openai"].says(MODELS[kind], {"own": {"fields": ["client_metadata"]}})
    headers = shape["headers"] | {"Authorization": f"Bearer {TEAM_TOKEN}"}
    with plain(player) as http:
        response = http.post(shape["path"], content=body, headers=headers)
    if "'type': 'compaction'" in str(shape) and kind != "responses":  # It belongs to the server that made it.
        assert response.status_code == 400 and "encrypted_content" in response.text
        return
    if [tool.get("name") for tool in shape["body"]["tools"]] == ["web_search"] and kind in ("cohere", "cloudflare"):
        assert response.status_code == 400 and "does not support web search" in response.text
        return
    assert response.status_code == 200, response.text
    assert ('"type":"message_stop"' if program == "claude" else '"type":"response.completed"') in response.text.replace(": ", ":")
    is_compacting = "'type': 'compaction_trigger'" in str(shape)  # The relay reads what it concerns.
    if kind == "responses" and program == "codex" and not is_compacting:
        (arrived,) = vendors["openai"].asked(MODELS[kind])
        assert list(arrived["body"].items()) == list((shape["body"] | {"model": MODELS[kind]}).items())
        # The fake server knows the relay's own writing better than a client's.
        vendors["openai"].take_violations()
    if kind == "anthropic" and program == "claude":
        (arrived,) = vendors[kind].asked(MODELS[kind])
        sent = shape["body"] | {"model": MODELS[kind], "metadata": arrived["body"]["metadata"], "system": shape["body"]["system"][1:]}
        assert list(arrived["body"].items()) == list(sent.items())
        assert arrived["headers"]["anthropic-beta"] == shape["headers"]["anthropic-beta"]
    assert [problem for fake in vendors.values() for problem in fake.take_violations()] == []


@pytest.mark.parametrize("job", ["test_claude_code_does_its_job and anthropic", "test_codex_does_its_job and openai"])
def test_an_installed_agent_does_its_job(job):
    python = ROOT / ".build" / "agents" / "bin" / "python"
    if not python.exists():
        pytest.skip("make test-agents installs the agents")
    command = [str(python), "-m", "pytest", "-c", "Tests/Agents/pytest.ini", "--rootdir", "Tests/Agents", "Tests/Agents/test_jobs.py", "-k", job]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
