"""nginx of the tests, with the files of this project unchanged except for paths, ports and numbers."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from memcached import wait_for
from relay_process import ROOT, free_port

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Nginx:
    """An nginx that runs with a configuration and listens on `port`."""

    def __init__(self, folder: Path, text: str, port: int) -> None:
        if NGINX is None:
            pytest.skip("nginx is not installed (Scripts/packages.txt)")
        self.port = port
        configuration = folder / "nginx.conf"
        configuration.write_text(text)
        self.log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [NGINX, "-e", "stderr", "-c", str(configuration), "-g", "daemon off;"], stdin=subprocess.DEVNULL, stderr=self.log
        )
        wait_for(lambda: is_open(port) or self.process.poll() is not None)
        assert self.process.poll() is None, Path(self.log.name).read_text()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.log.close()


def replaced(text: str, changes: dict[str, str]) -> str:
    for found, here in changes.items():
        assert found in text, found
        text = text.replace(found, here)
    return text


def compose_proxy(folder: Path, relays: list[str], relay_port: int = 0) -> Nginx:
    """Starts the proxy of the compose file before relays at `HOST:PORT`."""
    port, health = free_port(), free_port()
    text = replaced(
        (ROOT / "deploy/nginx.conf").read_text(),
        {
            " /tmp/": f" {folder}/", "listen 8080 ": f"listen 127.0.0.1:{port} ", "listen 127.0.0.1:8081": f"listen 127.0.0.1:{health}",
            "worker_processes auto;": "worker_processes 1;", "worker_connections 16000;": "worker_connections 256;",
        },
    )  # fmt: skip
    (folder / "trusted.conf").write_text(f"upstream both {{ {' '.join(f'server {relay};' for relay in relays)} }}")
    (folder / "proxies.conf").write_text("")
    (folder / "networks.conf").write_text("127.0.0.0/30 1; 127.0.0.3 0;")
    (folder / "relays.conf").write_text(f"set $relays both; set $relayPort {relay_port};")
    return Nginx(folder, text, port)
