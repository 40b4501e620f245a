"""Token counts beside tiktoken's, and the relay with and without its token file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import relay_process

TOKENS = Path(__file__).resolve().parents[1] / "Tokens"


@pytest.fixture
def built():
    """The folder with the relay's binary."""
    return relay_process.binary().resolve().parent


def test_counts_are_those_of_tiktoken(built):
    if not (built / "count-tokens").exists():
        pytest.skip("count-tokens is not built: make build")
    programs = {"COUNT_TOKENS": str(built / "count-tokens"), "TOKEN_FILE": str(built / "relay.tokens")}
    command = [sys.executable, str(TOKENS / "compare.py")]
    done = subprocess.run(command, env=os.environ | programs, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("2420 of 2420 counts equal") == 2


def start(binary, monkeypatch, start_relay):
    monkeypatch.setenv("RELAY_BINARY", str(binary))
    return start_relay(LOG_FORMAT="json")


def complaints(relay):
    relay.wait_for_line(lambda line: line["message"] == "listening")
    return [line for line in relay.log_lines() if line["message"] == "token counts are estimates"]


def test_a_relay_with_its_token_file_says_nothing(built, monkeypatch, start_relay):
    assert not complaints(start(built / "relay", monkeypatch, start_relay))


@pytest.mark.parametrize("content", [None, b"", b"relaytok" + bytes(200), "cut"], ids=["none", "empty", "zeros", "cut"])
def test_a_relay_without_a_proper_token_file_serves(built, tmp_path, monkeypatch, start_relay, content):
    binary = tmp_path / "relay"
    shutil.copy(built / "relay", binary)
    if content == "cut":
        content = (built / "relay.tokens").read_bytes()[:-1]
    if content is not None:
        (tmp_path / "relay.tokens").write_bytes(content)
    (line,) = complaints(start(binary, monkeypatch, start_relay))
    assert line["level"] == "warning" and str(tmp_path / "relay.tokens") in line["cause"]
