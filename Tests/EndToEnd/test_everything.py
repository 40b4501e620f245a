"""`everything.env`, a deployment that uses all parts of the relay: its settings are valid as they are, and it starts.

Only the places of its files are others, and its document at config.example.org is served by a proxy. Names of which this
version knows nothing are left out, as far as they are of `COMING`.
"""

import base64
import hashlib
import os
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import conftest
import forwarders
import operating
import pytest
import trustme
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from relay_process import INHERITED, ROOT, Relay, binary
from test_network import served_by

COMING = ("CACHE", "USAGE_", "DATA_DIR")
TOKENS = {
    name: f"planted-{name}-{os.urandom(12).hex()}"
    for name in ("team_token", "onemin_keys", "gemini_1", "gemini_2", "admin_password", "admin_session", "config_key")
}
REMOTE = "FALLBACK_ATTEMPTS=4\nADMIN_TIMEZONE=UTC\n"


def known() -> re.Pattern[str]:
    """Returns the names in the settings' reference."""
    names = []
    for row, file in re.findall(r"^\| (`[A-Z_<>]+`(?:, `[A-Z_<>]+`)*)( \*file\*)? \|", (ROOT / "docs/settings.md").read_text(), re.M):
        names += [name.replace("<NAME>", "[A-Z0-9_]+") + ("(_FILE)?" if file else "") for name in re.findall("`(.+?)`", row)]
    assert len(names) > 80
    return re.compile("|".join(names))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the settings and all files that they name."""
    conftest.secrets.update(TOKENS.values())
    for name, text in TOKENS.items():
        (tmp_path / name).write_text(text + "\n")
    (tmp_path / "summary.txt").write_text("Say it in one sentence.\n")
    (tmp_path / "data").mkdir()
    names = known()
    lines = []
    for line in (Path(__file__).parent / "everything.env").read_text().splitlines(True):
        name = line.partition("=")[0]
        if name.startswith(COMING) and not names.fullmatch(name):
            continue
        line = re.sub("=/(run/secrets|etc/relay)/", f"={tmp_path}/", line)
        lines.append(re.sub("=/data", f"={tmp_path}/data", line))
    (tmp_path / "everything.env").write_text("".join(lines))
    return tmp_path


@pytest.fixture
def environment(folder: Path) -> Iterator[dict[str, str]]:
    """The environment that makes config.example.org reachable on this machine."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = served_by(authority, "config.example.org")
    key, nonce = hashlib.sha256(TOKENS["config_key"].encode()).digest(), os.urandom(12)
    sealed = base64.b64encode(nonce + AESGCM(key).encrypt(nonce, REMOTE.encode(), None))
    document = b"aes-256-gcm:" + sealed

    def head_of(peer: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(65536)
        return head

    def serve(peer: socket.socket) -> None:
        assert head_of(peer).startswith(b"CONNECT config.example.org:443 ")
        peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(peer, server_side=True) as inner:
            assert head_of(inner).startswith(b"GET /relay.env.enc ")
            inner.sendall(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(document) + document
            )

    proxy = forwarders.Forwarder(serve)
    yield {
        "ENV_FILE": str(folder / "everything.env"),
        "UPSTREAM_PROXY": f"http://127.0.0.1:{proxy.port}",
        "SSL_CERT_FILE": str(folder / "ca.pem"),
    }
    proxy.close()


def told(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(binary()), command], env=INHERITED | environment, capture_output=True, text=True, timeout=30
    )
    for secret in TOKENS.values():
        assert secret not in done.stdout + done.stderr
    return done


def test_its_settings_are_right(environment: dict[str, str], folder: Path) -> None:
    checked = told("check", environment)
    assert (checked.returncode, checked.stdout.splitlines()[1].partition(",")[0]) == (0, "configuration: no problems"), checked.stderr
    warned = {line.split()[1] for line in checked.stderr.splitlines()[1:]}
    assert not {"ADMIN_PASSWORD:", "RELOAD_ACCESS:"} & warned, checked.stderr
    shown = told("config", environment).stdout
    assert "FALLBACK_ATTEMPTS=4  # CONFIG_URL:1\n" in shown
    assert f"ADMIN_PASSWORD=...  # {folder}/everything.env:" in shown


def test_it_starts(environment: dict[str, str], start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(**environment, MEMCACHED_HOST="127.0.0.1", MEMCACHED_PORT="1")
    assert operating.login(relay.base_url, TOKENS["admin_password"]).status_code == 200
