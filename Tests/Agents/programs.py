"""The real programs, run without a network: each with a home of its own, a time limit, and a server of this machine."""

import importlib.util
import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LIMIT_SECONDS = 120.0
PASSED_ON = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}


def inside(package: str, *names: str) -> Path:
    """Returns the path of a file in an installed package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations, f"{package} is not installed"
    return Path(list(spec.submodule_search_locations)[0]).joinpath(*names)


@dataclass
class Run:
    """What a program did. `debug`: its log."""

    code: int
    out: str
    error: str
    debug: str = ""
    seconds: float = 0.0

    def lines(self) -> list[dict[str, Any]]:
        """Returns the JSON lines of its output."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


@dataclass
class Started:
    """A program that runs. `finish` waits for its end."""

    process: subprocess.Popen[str]
    debug: Path | None
    started: float = field(default_factory=time.monotonic)

    def interrupt(self) -> None:
        """Interrupts the program as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def finish(self, seconds: float = LIMIT_SECONDS) -> Run:
        try:
            out, error = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            out, error = self.process.communicate()
            error += f"\nkilled after {seconds} s"
        debug = self.debug.read_text("utf-8", "replace") if self.debug and self.debug.exists() else ""
        return Run(self.process.returncode, out, error, debug, time.monotonic() - self.started)


def start(command: list[str], environment: dict[str, str], folder: Path, debug: Path | None, said: str | None) -> Started:
    process = subprocess.Popen(
        command, env=PASSED_ON | environment, cwd=folder, text=True, start_new_session=True,
        stdin=subprocess.PIPE if said is not None else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    if said is not None:
        assert process.stdin is not None
        process.stdin.write(said)
        process.stdin.close()
        process.stdin = None
    return Started(process, debug)


@dataclass
class Claude:
    """Claude Code in `home`, which works in the folder `home/work`."""

    home: Path
    base_url: str
    key: str
    model: str
    settings: dict[str, str] = field(default_factory=dict)

    def start(self, prompt: str, *options: str) -> Started:
        folder = self.home / "work"
        folder.mkdir(parents=True, exist_ok=True)
        debug = self.home / "debug.log"
        debug.unlink(missing_ok=True)
        environment = {
            "HOME": str(self.home), "ANTHROPIC_BASE_URL": self.base_url, "ANTHROPIC_AUTH_TOKEN": self.key,
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": self.model, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1", "IS_SANDBOX": "1",
        } | self.settings  # fmt: skip
        environment = {name: value for name, value in environment.items() if value}
        command = [
            str(inside("claude_agent_sdk", "_bundled", "claude")), "-p", "--model", self.model, "--output-format", "stream-json", "--verbose",
            "--dangerously-skip-permissions", "--debug-file", str(debug), *options, prompt,
        ]  # fmt: skip
        return start(command, environment, folder, debug, None)

    def run(self, prompt: str, *options: str) -> Run:
        return self.start(prompt, *options).finish()


CONFIG = """\
model = "{model}"
model_provider = "relay"
{more}
[model_providers.relay]
name = "{name}"
base_url = "{base_url}"
env_key = "RELAY_KEY"
wire_api = "responses"
request_max_retries = {retries}
stream_max_retries = {retries}
"""


@dataclass
class Codex:
    """Codex in `home`, which works in the folder `home/work`. `more`: lines of its settings."""

    home: Path
    base_url: str
    key: str
    model: str
    name: str = "Relay"
    more: str = ""
    retries: int = 2

    def start(self, prompt: str, *options: str) -> Started:
        folder = self.home / "work"
        folder.mkdir(parents=True, exist_ok=True)
        settings = self.home / "codex"
        settings.mkdir(exist_ok=True)
        text = CONFIG.format(model=self.model, base_url=self.base_url, name=self.name, more=self.more, retries=self.retries)
        (settings / "config.toml").write_text(text)
        environment = {"HOME": str(self.home), "CODEX_HOME": str(settings), "RELAY_KEY": self.key, "RUST_LOG": "warn,codex_core=info,codex_api=debug"}
        command = [
            str(inside("codex_cli_bin", "bin", "codex")), "exec", *options[:1], "--json", "--skip-git-repo-check",
            "--dangerously-bypass-approvals-and-sandbox", *options[1:], prompt,
        ]  # fmt: skip
        return start(command, environment, folder, None, None)

    def run(self, prompt: str, *options: str) -> Run:
        return self.start(prompt, *options).finish()
