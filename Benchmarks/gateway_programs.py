"""Other gateways of OpenAI's chat: installed from PyPI into a virtual environment, and started before a vendor."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import processes
from processes import Program, Setup, free_ports

VENV = processes.HERE.parent / ".build/gateways"
START_SECONDS = 120
LITELLM = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:@VENDOR@/v1", api_key: bench}
"""


def packages(text: str) -> dict[str, str]:
    """The requirement of each package by its bare name."""
    lines = (line.strip() for line in text.splitlines())
    return {re.split(r"[\[=]", line)[0]: line for line in lines if line and not line.startswith("#")}


def reason(output: str) -> str:
    """Returns why pip did not install a package: the last error in its output."""
    errors = [line.partition("ERROR: ")[2] for line in output.splitlines() if line.startswith("ERROR: ")]
    return errors[-1] if errors else "pip failed without an error"


def install(requirements: dict[str, str]) -> dict[str, str]:
    """Installs missing packages, only built ones. Returns the reasons of failures by name."""
    if not (VENV / "bin/pip").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    failed = {}
    for name, requirement in requirements.items():
        command = [VENV / "bin/pip", "install", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:", requirement]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            failed[name] = reason(done.stdout)
    return failed


def litellm(folder: Path, vendor: int, port: int) -> list[str]:
    config = folder / "litellm.yaml"
    config.write_text(processes.filled(LITELLM, {"VENDOR": str(vendor)}))
    return ["litellm", "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]


def router(*command: str) -> Callable[[Path, int, int], list[str]]:
    def arguments(folder: Path, vendor: int, port: int) -> list[str]:
        return [*command, "--host", "127.0.0.1", "--port", str(port), "--worker-urls", f"http://127.0.0.1:{vendor}",
                "--policy", "round_robin", "--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_ports(1)[0])]
    return arguments


COMMANDS: dict[str, Callable[[Path, int, int], list[str]]] = {
    "litellm": litellm,
    "vllm-router": router("vllm-router"),
    "sglang-router": router("sglang-router", "launch"),
}
# One worker each, as the relay has one thread. LiteLLM asks for no key, and fetches no list of prices.
ENVIRONMENT = {
    "TOKIO_WORKER_THREADS": "1",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
}


@contextmanager
def start(setup: Setup, name: str, vendor: int) -> Iterator[Program]:
    """The gateway before the vendor; SystemExit tells why it does not answer."""
    port = free_ports(1)[0]
    command = COMMANDS[name](setup.folder, vendor, port)
    environment = {name: os.environ[name] for name in processes.PASSED_ON if name in os.environ} | ENVIRONMENT
    environment["PATH"] = f"{VENV / 'bin'}:{environment.get('PATH', '')}"
    path = setup.folder / f"{name}.log"
    with open(path, "w") as log:
        begun = time.monotonic()
        process = subprocess.Popen([VENV / "bin" / command[0], *command[1:]], stdout=log, stderr=log, text=True, env=environment)
        with processes.stopping(process):
            program = Program(name, "openai", process, port, port)
            processes.await_first_answer(program, begun, path, START_SECONDS)
            yield program
