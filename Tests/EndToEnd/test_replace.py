"""deploy/replace with the compose files that keep records, by a stand-in for docker (`composed`): no record is lost.

Scripts/prove-image runs the same on a real engine.
"""

import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import local_http
import pytest
import yaml
from cluster import Clients
from memcached import Memcached, wait_for
from postgres import Postgres
from relay_process import INHERITED, ROOT, binary, free_port

TOKEN = "sk-of-the-tests-of-replace-1"
SETTINGS = f"PROVIDER_DEMO_KIND=echo\nKEY_TEAM_TOKEN={TOKEN}\nRATE_LIMIT=off\n"


class Project:
    """A copy of the files of a deployment, with `docker` in front of PATH."""

    def __init__(self, folder: Path, settings: str, **more: str) -> None:
        self.folder, self.state = folder / "project", folder / "state"
        shutil.copytree(ROOT / "deploy", self.folder / "deploy")
        shutil.copy(ROOT / "docker-compose.yml", self.folder)
        (self.folder / ".env").write_text(SETTINGS + settings)
        self.state.mkdir()
        program = folder / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/Tests/EndToEnd/composed.py" "$@"\n')
        program.chmod(0o755)
        self.environment = INHERITED | {"COMPOSED": str(self.state), "COMPOSED_RELAY": str(binary())} | more
        self.environment["COMPOSED_PORTS"] = " ".join(str(free_port()) for _ in range(10))
        self.environment["PATH"] = f"{program.parent}:{os.environ['PATH']}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120)

    def up(self, *scale: str) -> list[dict[str, Any]]:
        done = self.run("docker", "compose", "up", "--detach", "--no-deps", "--no-build", "--no-recreate", *scale, "relay")
        assert done.returncode == 0, done.stderr
        wait_for(lambda: all(self.answers(one) for one in self.containers()), 20)
        return self.containers()

    def containers(self) -> list[dict[str, Any]]:
        return [json.loads(file.read_text()) for file in sorted((self.state / "containers").glob("*.json"))]

    def answers(self, container: dict[str, Any]) -> bool:
        try:
            return local_http.get(f"http://127.0.0.1:{container['port']}/ready").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        for container in self.containers():
            assert self.run("docker", "stop", container["id"]).returncode == 0
            assert self.run("docker", "rm", container["id"]).returncode == 0

    def end(self) -> None:
        for container in self.containers():
            try:
                os.kill(container["pid"], signal.SIGKILL)
            except ProcessLookupError:
                pass


class Load(Clients):
    """Clients that ask any relay that runs until they are told to end. `served` has the ids of the requests that got a response."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.served: list[str] = []
        super().__init__(*[(itertools.count(first, 4),) for first in range(4)])

    def ask(self, numbers: Iterator[int]) -> None:
        number = next(numbers)
        try:
            containers = self.project.containers()
            port = containers[number % len(containers)]["port"]
            body = {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}
            headers = {"Authorization": f"Bearer {TOKEN}", "id": f"client-{number}"}
            answer = local_http.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers=headers)
        except (FileNotFoundError, httpx.TransportError):  # a relay has begun or ended meanwhile; the proxy would ask another one
            return
        if answer.status_code == 200:
            self.served.append(f"client-{number}")
        else:
            self.failures.append(answer.text)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    memcached = Memcached()
    begun: list[Project] = []

    def beginning(settings: str, **more: str) -> Project:
        begun.append(Project(tmp_path, settings, COMPOSED_MEMCACHED=memcached.address, **more))
        return begun[-1]

    yield beginning
    for project in begun:
        project.end()
    memcached.kill()


def replaced_under_load(project: Project, relays: int) -> list[str]:
    """Replaces all relays under load. Returns the ids of all requests that got a response."""
    before = [one["id"] for one in project.up()]
    assert len(before) == relays
    with Load(project) as load:
        wait_for(lambda: len(load.served) > 100)
        done = project.run("deploy/replace", "--no-build")
        assert done.returncode == 0, done.stderr + done.stdout
        so_far = len(load.served)
        wait_for(lambda: len(load.served) > so_far + 100)
    assert load.failures == []
    now = [one["id"] for one in project.containers()]
    assert len(now) == relays and not set(now) & set(before)
    project.stop()
    for log in project.state.glob("*.log"):
        assert " level=warning" not in log.read_text() and " level=error" not in log.read_text(), log.read_text()
    return load.served


def test_one_relay_keeps_its_records_in_a_volume(begin: Callable[..., Project]) -> None:
    project = begin("COMPOSE_FILE=docker-compose.yml:deploy/data.yml\n")
    served = replaced_under_load(project, 1)
    data = project.state / "volumes" / "data"
    with closing(sqlite3.connect(data / "usage.db")) as database:
        written = [name for (name,) in database.execute("SELECT request_id FROM usage WHERE kind = 0")]
    assert len(written) == len(set(written)) and set(served) - set(written) == set()
    # Sums, which each relay writes in its own transactions, are those of all, for the next relay, too.
    [container] = project.up()
    own = local_http.get(f"http://127.0.0.1:{container['port']}/v1/usage", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert sum(day["requests"] for day in own["days"]) == len(written)


def test_several_relays_keep_their_records_in_postgresql(begin: Callable[..., Project]) -> None:
    server = Postgres()
    try:
        project = begin("COMPOSE_FILE=docker-compose.yml:deploy/postgres.yml\nRELAYS=2\n", COMPOSED_POSTGRES=server.url)
        served = replaced_under_load(project, 2)
        written = [name for [name] in server.ask("SELECT request_id FROM relay_usage WHERE kind = 0")]
        assert len(written) == len(set(written)) and set(served) - set(written) == set()
        assert server.ask("SELECT sum(requests) FROM relay_usage_sums WHERE omitted = 0") == [[str(len(written))]]
    finally:
        server.remove()


def test_a_relay_that_cannot_start_changes_nothing(begin: Callable[..., Project]) -> None:
    project = begin("COMPOSE_FILE=docker-compose.yml:deploy/data.yml\n")
    before = project.up()
    (project.folder / ".env").open("a").write("RATE_LIMIT_CHTA=off\n")
    done = project.run("deploy/replace", "--no-build")
    assert done.returncode == 1 and "did you mean RATE_LIMIT_CHAT?" in done.stderr
    assert "the others stay as they are" in done.stderr and project.containers() == before


def test_the_files_fit_together() -> None:
    """The volume's folder is one that the image has for the relay's user; what is added is kept as what is there."""
    files = {name: yaml.safe_load((ROOT / name).read_text()) for name in ("docker-compose.yml", "deploy/data.yml", "deploy/postgres.yml")}
    relay = files["deploy/data.yml"]["services"]["relay"]
    folder = Path(relay["environment"]["DATA_DIR"])
    [volume] = relay["volumes"]
    assert volume == f"{next(iter(files['deploy/data.yml']['volumes']))}:{folder}"
    image = (ROOT / "Dockerfile").read_text()
    [made] = re.findall(r"install -d -m 750 (\S+)", image)
    assert Path(made).name == folder.name
    user = re.search(r"^USER (\S+)$", image, re.MULTILINE)
    assert user and f"COPY --from=gather --chown={user[1]} {Path(made).parent} {folder.parent}\n" in image
    server, memcached = files["deploy/postgres.yml"]["services"]["postgres"], files["docker-compose.yml"]["services"]["memcached"]
    for field in ("read_only", "cap_drop", "security_opt", "restart", "logging", "networks"):
        assert server[field] == memcached[field], field
    assert files["docker-compose.yml"]["networks"][server["networks"][0]] == {"internal": True} and "ports" not in server
    for name in ("deploy/data.yml", "deploy/postgres.yml"):
        assert f"COMPOSE_FILE=docker-compose.yml:{name}\n" in (ROOT / name).read_text()
