"""A stand-in for a Kubernetes cluster: each pod is a relay of this machine, as the files of deploy/kubernetes say.

It plays what decides whether a request is lost: readiness probes, rolling updates, evictions within the disruption budget,
`preStop`, SIGTERM and the grace period; nodes that learn late which pods serve; and connections that go to one of these pods
without a second try, as kube-proxy's do. All times of the files are divided by `speed`.
"""

import http.client
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml
from relay_process import INHERITED, binary, free_port

LAG_SECONDS = 3.0
"""From a pod's change until all nodes know it: less than preStop by more than a busy machine needs."""


def manifests(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Returns the resources of a kustomization, by kind and name."""
    files = yaml.safe_load((folder / "kustomization.yml").read_text())["resources"]
    found = [one for name in files for one in yaml.safe_load_all((folder / name).read_text())]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


class Pod:
    """A relay on a node. `seconds_of` divides the manifest's times."""

    def __init__(self, spec: dict[str, Any], node: str, environment: dict[str, str], log: Path, seconds_of: Callable[[float], float]) -> None:
        [self.container] = spec["containers"]
        self.node, self.port, self.log = node, free_port(), log
        self.seconds_of = seconds_of
        self.grace_seconds = spec["terminationGracePeriodSeconds"]
        self.is_ready = self.is_terminating = self.was_killed = False
        self.left = self.signalled = float("inf")
        with log.open("wb") as file:
            own = {"PORT": str(self.port), "HOST": "127.0.0.1"}
            self.process = subprocess.Popen([binary()], env=INHERITED | environment | own, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        self.threads = [threading.Thread(target=self.probe)]
        self.threads[0].start()

    def probe(self) -> None:
        probe = self.container["readinessProbe"]
        assert probe["failureThreshold"] == 1
        while self.process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=probe.get("timeoutSeconds", 1))
            try:
                connection.request("GET", probe["httpGet"]["path"])
                self.is_ready = connection.getresponse().status == 200
            except OSError:
                self.is_ready = False
            finally:
                connection.close()
            time.sleep(self.seconds_of(probe["periodSeconds"]))
        self.is_ready = False

    def terminate(self) -> None:
        self.is_terminating, self.left = True, time.monotonic()
        self.threads.append(threading.Thread(target=self.end))
        self.threads[-1].start()

    def end(self) -> None:
        pause = self.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        time.sleep(self.seconds_of(pause))
        self.signalled = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(self.seconds_of(self.grace_seconds - pause))
        except subprocess.TimeoutExpired:
            self.was_killed = True
            self.process.kill()
            self.process.wait()


class Cluster:
    """The pods of a deployment on three nodes, and the list of those that serve, as all nodes know it."""

    def __init__(self, resources: dict[tuple[str, str], dict[str, Any]], environment: dict[str, str], folder: Path, speed: float) -> None:
        self.deployment = resources["Deployment", "relay"]["spec"]
        self.budget = resources["PodDisruptionBudget", "relay"]["spec"]["maxUnavailable"]
        self.replicas = self.deployment["replicas"]
        self.environment, self.folder, self.speed = environment, folder, speed
        self.nodes = {"n1", "n2", "n3"}
        self.pods: list[Pod] = []
        self.ended = threading.Event()
        self.published: list[tuple[float, tuple[Pod, ...]]] = []
        self.publisher = threading.Thread(target=self.publish)
        self.publisher.start()
        self.keep(self.replicas)
        self.wait(lambda: len(self.known()) == self.replicas)

    def seconds_of(self, seconds: float) -> float:
        return seconds / self.speed

    def wait(self, is_so: Callable[[], bool]) -> None:
        ends = time.monotonic() + 120
        while not is_so():
            assert time.monotonic() < ends, "the cluster does not become as it should"
            time.sleep(0.01)

    def publish(self) -> None:
        while not self.ended.wait(0.01):
            at, now = time.monotonic(), tuple(pod for pod in self.serving() if pod.is_ready)
            if not self.published or self.published[-1][1] != now:
                self.published.append((at, now))

    def known(self) -> tuple[Pod, ...]:
        """Returns the pods that a node sends connections to: those of a while ago."""
        before = time.monotonic() - self.seconds_of(LAG_SECONDS)
        pods = next((pods for at, pods in reversed(self.published) if at <= before), ())
        return tuple(pod for pod in pods if pod.left > before)

    def serving(self) -> list[Pod]:
        return [pod for pod in self.pods if not pod.is_terminating]

    def start(self) -> None:
        counts = {node: sum(pod.node == node for pod in self.serving()) for node in sorted(self.nodes)}
        spec, log = self.deployment["template"]["spec"], self.folder / f"pod-{len(self.pods)}.log"
        self.pods.append(Pod(spec, min(counts, key=lambda node: counts[node]), self.environment, log, self.seconds_of))

    def keep(self, replicas: int) -> None:
        """Does what a replica set does: starts pods that are missing, ends those that are too many, all at once."""
        for _ in range(replicas - len(self.serving())):
            self.start()
        for pod in self.serving()[replicas:]:
            pod.terminate()

    def scale(self, replicas: int) -> None:
        self.replicas = replicas
        self.keep(replicas)
        self.wait(lambda: sum(pod.is_ready for pod in self.serving()) == replicas)
        self.wait(lambda: all(pod.process.poll() is not None for pod in self.pods if pod.is_terminating))

    def roll_out(self) -> None:
        update = self.deployment["strategy"]["rollingUpdate"]
        old = self.serving()
        while left := [pod for pod in old if not pod.is_terminating]:
            if len(self.serving()) < self.replicas + update["maxSurge"]:
                self.start()
            elif sum(pod.is_ready for pod in self.serving()) > self.replicas - update["maxUnavailable"]:
                random.choice(left).terminate()
            time.sleep(0.01)
        self.wait(lambda: all(pod.process.poll() is not None for pod in old))

    def drain(self, node: str) -> None:
        self.nodes.discard(node)
        while left := [pod for pod in self.serving() if pod.node == node]:
            if sum(pod.is_ready for pod in self.serving()) > self.replicas - self.budget:
                left[0].terminate()
                self.keep(self.replicas)
            time.sleep(0.01)
        self.wait(lambda: all(pod.process.poll() is not None for pod in self.pods if pod.node == node))

    def stop(self) -> None:
        for pod in self.serving():
            pod.terminate()
        for pod in self.pods:
            for thread in pod.threads:
                thread.join()
        self.ended.set()
        self.publisher.join()


class Clients:
    """Threads that call `ask` with their arguments, over and over, until the block ends."""

    def __init__(self, *arguments: tuple[Any, ...]) -> None:
        self.failures: list[str] = []
        self.is_enough = threading.Event()
        self.threads = [threading.Thread(target=self.ask_on, args=one) for one in arguments]

    def ask_on(self, *arguments: Any) -> None:
        while not self.is_enough.wait(0.005):
            self.ask(*arguments)

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_enough.set()
        for thread in self.threads:
            thread.join()


class Load(Clients):
    """Clients that ask the pods known to serve, each request once and on a connection of its own. `served` counts responses."""

    def __init__(self, cluster: Cluster, token: str, *, streams: int) -> None:
        self.cluster, self.headers = cluster, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.served = self.streamed = self.outlived = 0
        self.lock = threading.Lock()
        super().__init__(*[(f"!delay={int(cluster.seconds_of(750))} {'word ' * 20}", True)] * streams, *[("Hello", False)] * 4)

    def ask(self, text: str, is_stream: bool) -> None:
        if not (known := self.cluster.known()):
            return
        body = f'{{"model": "echo", "stream": {str(is_stream).lower()}, "messages": [{{"role": "user", "content": "{text}"}}]}}'
        pod = random.choice(known)
        connection = http.client.HTTPConnection("127.0.0.1", pod.port, timeout=60)
        try:
            connection.request("POST", "/v1/chat/completions", body, self.headers)
            response = connection.getresponse()
            content = response.read().decode()
            is_whole = content.endswith("data: [DONE]\n\n") and content.count("word") == 20 if is_stream else "Hello" in content
            fault = "" if response.status == 200 and is_whole else f"{response.status} {content[-300:]}"
        except (OSError, http.client.HTTPException) as error:
            fault = repr(error)
        finally:
            connection.close()
        with self.lock:
            self.served += not fault
            self.streamed += is_stream and not fault
            self.outlived += is_stream and time.monotonic() > pod.signalled
            if fault:
                self.failures.append(fault)
