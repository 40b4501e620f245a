"""deploy/kubernetes: the files follow the API's schemas and fit together, and no request is lost while pods come and go.

REQUESTS=10000 plays as many requests, in the times of the files in place of a fifth of them: three minutes.
"""

import copy
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cluster import Cluster, Load, manifests
from memcached import Memcached
from postgres import Postgres
from relay_process import INHERITED, ROOT, binary

FOLDER = ROOT / "deploy/kubernetes"
RESOURCES = manifests(FOLDER)
TOKEN = "sk-of-the-tests-of-kubernetes-1"
REQUESTS = int(os.environ.get("REQUESTS", "2000"))
IS_LONG = "REQUESTS" in os.environ
SETTINGS = (FOLDER / "relay.env").read_text()
SECRETS = re.findall(r"_FILE=/run/secrets/relay/(\w+)$", SETTINGS, re.MULTILINE)


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = RESOURCES["Deployment", name]["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("version", ["1.30", kubernetes_validate.latest_version()])
def test_the_files_follow_the_schemas(version: str) -> None:
    for resource in RESOURCES.values():
        kubernetes_validate.validate(resource, version, strict=True)
    mistyped = copy.deepcopy(RESOURCES["Deployment", "relay"])
    mistyped["spec"]["template"]["spec"]["terminationGraceSeconds"] = 45
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(mistyped, version, strict=True)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="no kubectl")
def test_kustomize_makes_the_same_of_them() -> None:
    done = subprocess.run(["kubectl", "kustomize", FOLDER], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = {(one["kind"], re.sub(r"-[a-z0-9]{10}$", "", one["metadata"]["name"])): one for one in yaml.safe_load_all(done.stdout)}
    settings = made.pop(("ConfigMap", "relay"))
    assert set(made) == set(RESOURCES) and settings["data"] == {"relay.env": SETTINGS}
    spec = made["Deployment", "relay"]["spec"]["template"]["spec"]
    assert spec["volumes"][0]["configMap"]["name"] == settings["metadata"]["name"] != "relay"
    assert spec["containers"][0]["image"] == "registry.example/relay:0.1.0"


def test_the_files_fit_together() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yml").read_text())
    assert sorted(kustomization["resources"]) == sorted(file.name for file in FOLDER.glob("*.yml") if file.name != "kustomization.yml")
    for (kind, name), resource in RESOURCES.items():
        labels = RESOURCES["Deployment", name]["spec"]["template"]["metadata"]["labels"]
        spec = resource["spec"]
        selector = spec.get("podSelector") or spec["selector"]
        assert (selector if kind == "Service" else selector["matchLabels"]) == labels, (kind, name)
    for name in ("relay", "memcached"):
        [container] = pod(name)["containers"]
        [own], [offered] = container["ports"], RESOURCES["Service", name]["spec"]["ports"]
        assert own["containerPort"] == offered["port"] and own["name"] == offered["targetPort"]
        # Variables such as MEMCACHED_PORT=tcp://... would be settings.
        assert pod(name)["enableServiceLinks"] is False and pod(name)["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"] and container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert pod("memcached")["containers"][0]["args"] == compose["memcached"]["command"]
    assert pod("memcached")["containers"][0]["image"] == compose["memcached"]["image"]
    assert f"USER {pod('relay')['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text()
    ending = pod("relay")["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    seconds = re.search(r"^SHUTDOWN_SECONDS=(\d+)$", SETTINGS, re.MULTILINE)
    # Two seconds more are the relay's own.
    assert seconds and pod("relay")["terminationGracePeriodSeconds"] > ending + int(seconds[1]) + 2
    assert RESOURCES["Service", SETTINGS.partition("MEMCACHED_HOST=")[2].splitlines()[0]]


def test_the_page_makes_each_secret() -> None:
    page = (ROOT / "docs/deploy.md").read_text()
    assert SECRETS and all(f"--from-file={name}" in page for name in SECRETS)


def written(folder: Path, **secrets: str) -> Path:
    """Returns the file of settings with the secrets as files of a folder."""
    for name in SECRETS:
        (folder / name).write_text(secrets.get(name, f"sk-secret-of-{name}-0001\n"))
    settings = folder / "relay.env"
    settings.write_text(SETTINGS.replace("/run/secrets/relay", str(folder)))
    return settings


def test_the_settings_pass_the_check(tmp_path: Path) -> None:
    settings = written(tmp_path, database_url="postgres://relay:password@postgres.example/relay\n")
    done = subprocess.run([binary(), "check", "--strict", settings], env=INHERITED, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    store, database = Memcached(), Postgres()
    begun: list[Cluster] = []

    def beginning(speed: float, resources: dict[tuple[str, str], dict[str, Any]] = RESOURCES) -> Cluster:
        seconds = re.search(r"^SHUTDOWN_SECONDS=(\d+)$", SETTINGS, re.MULTILINE)
        assert seconds
        environment = {
            "ENV_FILE": str(written(tmp_path, database_url=database.url, team_token=TOKEN)), "PROVIDER_DEMO_KIND": "echo",
            "MEMCACHED_HOST": "127.0.0.1", "MEMCACHED_PORT": str(store.port), "SHUTDOWN_SECONDS": f"{int(int(seconds[1]) * 1000 / speed)}ms",
            "RATE_LIMIT": "off", "KEY_TEAM_RATE_LIMIT": "off", "THREADS": "2",
        }  # fmt: skip
        begun.append(Cluster(resources, environment, tmp_path, speed))
        return begun[-1]

    beginning.database = database
    yield beginning
    for cluster in begun:
        cluster.stop()
    store.kill()
    database.remove()


def test_a_roll_out_a_scale_in_and_a_drained_node_lose_no_request(begin: Any) -> None:
    cluster = begin(1 if IS_LONG else 5)
    with Load(cluster, TOKEN, streams=6) as load:
        cluster.roll_out()
        cluster.scale(5)
        cluster.scale(3)
        cluster.drain("n1")
        cluster.wait(lambda: load.served >= REQUESTS)
    print(f"requests: {load.served}, of them streams: {load.streamed}, streams that ended after SIGTERM: {load.outlived}")
    assert load.failures == [] and load.streamed > 5 and load.outlived > 0
    cluster.stop()
    assert len(cluster.pods) >= 9 and not any(pod.was_killed for pod in cluster.pods)
    for pod in cluster.pods:
        log = pod.log.read_text()
        assert pod.process.returncode == 0 and " level=error" not in log, log[-2000:]
    assert begin.database.ask("SELECT count(*) FROM relay_usage WHERE kind = 0") == [[str(load.served)]]


def test_without_pre_stop_requests_are_lost(begin: Any) -> None:
    """The play above can fail: nodes send connections to pods that have ended."""
    resources = copy.deepcopy(RESOURCES)
    del resources["Deployment", "relay"]["spec"]["template"]["spec"]["containers"][0]["lifecycle"]
    cluster = begin(5, resources)
    with Load(cluster, TOKEN, streams=0) as load:
        cluster.roll_out()
    assert load.failures
