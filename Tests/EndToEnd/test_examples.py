"""The examples, by the words of their pages: what a page says to run is run, in a copy of the clone, with fakes of the vendors.

`docker` is the stand-in of `composed`; what else a compose file has is started from the same files: the proxy, nginx with TLS,
Prometheus.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from anthropic_vendor import AnthropicServer
from memcached import Memcached, wait_for
from openai_vendor import Server
from postgres import Postgres
from prometheus import CHECKER, Prometheus
from proxied import Nginx, compose_proxy, is_open, replaced
from relay_process import INHERITED, ROOT, binary, free_port, needs_localhost
from test_replace import Project

FOLDER = ROOT / "examples"
NAMES = sorted(page.parent.name for page in FOLDER.glob("*/README.md"))
BLOCK = re.compile(r"<!-- test: (start|ask) -->\n```sh\n(.*?)^```$(?:\n<!-- expect: (.+?) -->)?", re.MULTILINE | re.DOTALL)
FAILING = {"status": 500, "json": {"error": {"message": "It is broken.", "type": "server_error"}}}
pytestmark = needs_localhost


def page(name: str) -> str:
    return (FOLDER / name / "README.md").read_text()


def test_each_folder_is_listed_and_has_a_page_that_says_how_to_start_it() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\(\1/README\.md\)", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == NAMES == sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
    for name in NAMES:
        kinds = [kind for kind, _, expected in BLOCK.findall(page(name)) if (kind == "ask") == bool(expected)]
        assert kinds[0] == "start" and kinds.count("start") == 1 and "ask" in kinds
        assert page(name).count("```sh") == len(kinds) + page(name).count("<!-- not run: needs systemd -->")
        assert len(page(name).splitlines()) <= 45 and (FOLDER / name / ".env").is_file()


class Story:
    """What a page says, done in `clone`. `port` takes the place of 5001."""

    def __init__(self, name: str, clone: Path, environment: dict[str, str]) -> None:
        self.clone, self.environment = clone, environment
        blocks = BLOCK.findall(page(name))
        self.start = blocks[0][1]
        self.asks = [(code, expected) for kind, code, expected in blocks if kind == "ask"]
        self.port = 0

    def shell(self, code: str) -> subprocess.CompletedProcess[str]:
        code = code.replace("localhost:5001", f"localhost:{self.port}")
        return subprocess.run(["bash", "-ec", code], cwd=self.clone, env=self.environment, capture_output=True, text=True, timeout=60)

    def ask(self, code: str, expected: str) -> None:
        """Runs a block of the page until it prints what is expected: records are written after responses."""
        last: list[Any] = []
        try:
            wait_for(lambda: expected in (last.append(self.shell(code)) or last[-1].stdout))
        except AssertionError:
            pass
        assert last[-1].returncode == 0 and expected in last[-1].stdout, (last[0], last[-1])

    def ask_all(self) -> None:
        for code, expected in self.asks:
            self.ask(code, expected)


@pytest.fixture
def vendors(server: Server, anthropic_server: AnthropicServer) -> Iterator[dict[str, str]]:
    server.says("gpt-4o-mini", {})
    server.says("llama-3.3-70b-versatile", {})
    anthropic_server.says("claude-sonnet-4-5", {})
    anthropic_server.says("claude-haiku-4-5", {})
    yield {
        "PROVIDER_OPENAI_BASE_URL": server.base_url, "PROVIDER_GROQ_BASE_URL": server.base_url,
        "PROVIDER_CLAUDE_BASE_URL": anthropic_server.base_url + "/v1",
    }  # fmt: skip
    assert server.take_violations() == anthropic_server.take_violations() == []


def programs(folder: Path, **scripts: str) -> str:
    """Returns a PATH on which `relay`, and these scripts, come first."""
    folder.mkdir(exist_ok=True)
    for name, script in {"relay": f'exec "{binary()}" "$@"', **scripts}.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.fixture
def tell(tmp_path: Path, vendors: dict[str, str]) -> Iterator[Callable[[str], Story]]:
    """`tell("home")`: a story whose relay runs in the foreground, as its page starts it."""
    running: list[subprocess.Popen[bytes]] = []

    def telling(name: str) -> Story:
        shutil.copytree(FOLDER, tmp_path / "examples", ignore=shutil.ignore_patterns("data"))
        own = {key: url for key, url in vendors.items() if key.rpartition("_BASE")[0] in (FOLDER / name / ".env").read_text()}
        story = Story(name, tmp_path, INHERITED | own | {"PATH": programs(tmp_path / "bin")})
        story.port = free_port()
        story.environment["PORT"] = str(story.port)
        log = (tmp_path / "log").open("wb")
        running.append(
            subprocess.Popen(
                ["bash", "-ec", story.start], cwd=tmp_path, env=story.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )
        )  # fmt: skip
        wait_for(lambda: is_open(story.port) or running[-1].poll() is not None, 20)
        assert running[-1].poll() is None, (tmp_path / "log").read_text()
        return story

    yield telling
    for process in running:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(15)


@pytest.mark.parametrize("name", [name for name in NAMES if "docker" not in page(name)])
def test_a_page_without_docker_works(name: str, tell: Callable[[str], Story]) -> None:
    tell(name).ask_all()


def test_the_fallback_goes_on_while_one_vendor_works(
    tell: Callable[[str], Story], server: Server, anthropic_server: AnthropicServer
) -> None:
    story = tell("fallback")
    server.says("gpt-4o-mini", FAILING)
    story.ask_all()
    server.says("llama-3.3-70b-versatile", FAILING)
    before = len(anthropic_server.asked("claude-haiku-4-5"))
    for _ in range(3):
        story.ask_all()
    assert len(anthropic_server.asked("claude-haiku-4-5")) > before


@pytest.fixture
def compose(tmp_path: Path, vendors: dict[str, str]) -> Iterator[Callable[[str], tuple[Story, Project]]]:
    """`compose("instances")`: a story whose relays run behind the proxy of the compose file, as its page starts them."""
    store, database = Memcached(), Postgres()
    project = Project(
        tmp_path, "", COMPOSED_MEMCACHED=store.address, COMPOSED_POSTGRES=database.url,
        PROVIDER_OPENAI_BASE_URL=vendors["PROVIDER_OPENAI_BASE_URL"],
    )  # fmt: skip
    (project.folder / ".env").unlink()
    shutil.copytree(FOLDER, project.folder / "examples")
    proxies: list[Nginx] = []

    def composing(name: str) -> tuple[Story, Project]:
        story = Story(name, project.folder, project.environment)
        done = story.shell(story.start)
        assert done.returncode == 0, done.stderr
        containers = project.containers()
        assert len(containers) == int(re.findall(r"^RELAYS=(\d)$", (project.folder / ".env").read_text(), re.MULTILINE)[0])
        wait_for(lambda: all(project.answers(one) for one in containers), 20)
        (tmp_path / "proxy").mkdir()
        proxies.append(compose_proxy(tmp_path / "proxy", [f"127.0.0.1:{one['port']}" for one in containers]))
        story.port = proxies[-1].port
        return story, project

    yield composing
    for proxy in proxies:
        proxy.stop()
    project.end()
    store.kill()
    database.remove()


def test_nginx_serves_the_instances_with_tls(compose: Callable[[str], tuple[Story, Project]], tmp_path: Path) -> None:
    story, _ = compose("instances")
    authority, port, folder = trustme.CA(), free_port(), tmp_path / "tls"
    certificate = authority.issue_cert("relay.example")
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    for part in certificate.cert_chain_pems:
        part.write_to_path(str(folder / "certificate.pem"), append=True)
    site = replaced(
        (story.clone / "examples/instances/nginx.conf").read_text(),
        {"listen 443 ": f"listen 127.0.0.1:{port} ", "/etc/ssl/relay/": f"{folder}/", "127.0.0.1:5001;": f"127.0.0.1:{story.port};"},
    )
    kinds = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    nginx = Nginx(
        folder, f"worker_processes 1; pid {folder}/pid; events {{ worker_connections 256; }} http {{ access_log off; {kinds}\n{site}}}", port
    )
    try:
        curl = f'exec {shutil.which("curl")} --cacert "{folder}/authority.pem" --connect-to relay.example:443:127.0.0.1:{port} "$@"'
        story.environment["PATH"] = f"{programs(tmp_path / 'own', curl=curl).partition(':')[0]}:{story.environment['PATH']}"
        story.ask_all()
        # The limit is one for all three: its state goes on from relay to relay.
        left = [
            int(re.findall(r"^x-ratelimit-remaining-requests: (\d+)", story.shell(story.asks[0][0].replace("-s", "-sD -", 1)).stdout, re.M | re.I)[0])
            for _ in range(6)
        ]
        assert left == list(range(left[0], left[0] - 6, -1))
    finally:
        nginx.stop()


def test_prometheus_sees_each_relay(compose: Callable[[str], tuple[Story, Project]], tmp_path: Path) -> None:
    story, project = compose("monitoring")
    story.ask_all()
    own = FOLDER / "monitoring"
    services = yaml.safe_load((own / "compose.yml").read_text())["services"]
    mounted = {}
    for service in services.values():
        for source, target in (volume.split(":")[:2] for volume in service["volumes"] if volume.startswith("./")):
            assert (ROOT / source).is_file(), source
            mounted[target] = ROOT / source
        assert "front" in service["networks"] and all(port.startswith("127.0.0.1:") for port in service["ports"])
    targets = ", ".join(f'"127.0.0.1:{one["port"]}"' for one in project.containers())
    text = replaced(
        mounted["/etc/prometheus/prometheus.yml"].read_text(),
        {
            "/etc/prometheus/alerts.yml": str(mounted["/etc/prometheus/alerts.yml"]), "scrape_interval: 15s": "scrape_interval: 1s",
            "dns_sd_configs: [{names: [relay], type: A, port: 5001}]": f"static_configs: [{{targets: [{targets}]}}]",
        },
    )  # fmt: skip
    prometheus = Prometheus(tmp_path, [], Path(), text)
    try:
        prometheus.wait_for(lambda: len(prometheus.query('up{job="relay"} == 1')) == 2)
        prometheus.wait_for(lambda: prometheus.query('sum(relay_requests_total{status="200"}) > 0'))
    finally:
        prometheus.stop()
    done = subprocess.run([CHECKER, "check", "config", "--syntax-only", own / "prometheus.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # Grafana: the source that the dashboard chooses from, and the folder in which the dashboard is.
    [source] = yaml.safe_load((own / "grafana.yml").read_text())["datasources"]
    [provider] = yaml.safe_load((own / "dashboards.yml").read_text())["providers"]
    assert source["type"] == "prometheus" and source["url"] == "http://prometheus:9090" and "prometheus" in services
    assert any(Path(target).parent == Path(provider["options"]["path"]) for target in mounted if target.endswith(".json"))


@pytest.mark.parametrize("file", sorted([*FOLDER.glob("*/compose.yml"), ROOT / "docker-compose.yml", *(ROOT / "deploy").glob("*.yml")]))
def test_compose_files_follow_the_schema(file: Path) -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    done = subprocess.run([checker, "--builtin-schema", "vendor.compose-spec", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
