"""Loads of agents: many clients at once, vendors that close idle connections, and large bodies."""

import base64
import json
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import forwarders
import local_http
import pytest
import trustme
from chat import PATH
from rawhttp import connected, request, wait_until
from relay_process import Relay, judges_memory
from test_metrics import Scrape
from test_network import served_by

MANY, WAIT_SECONDS = 150, 30.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class IdleVendor:
    """An OpenAI-compatible vendor. `waits`: the number of requests that must arrive before it responds to any.
    `idle_seconds`: the longest time that a connection waits for another request, different for each; None: long
    enough."""

    def __init__(self, context: Any = None) -> None:
        self.context = context
        self.waits = threading.Barrier(1)
        self.idle_seconds: float | None = None
        self.front = forwarders.Forwarder(self.serve)

    def serve(self, peer: Any) -> None:
        with self.context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=True) if self.context else peer as inner:
            reader = inner.makefile("rb")
            while (asked := self.request(reader)) is not None:
                self.waits.wait(WAIT_SECONDS)
                inner.sendall(streamed(asked["model"]) if asked.get("stream") else whole(asked["model"]))
                inner.settimeout(random.uniform(0.0001, self.idle_seconds) if self.idle_seconds else WAIT_SECONDS)

    def request(self, reader: Any) -> Any:
        length = 0
        while line := reader.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return json.loads(reader.read(length)) if length else None


def whole(model: str) -> bytes:
    message = {"role": "assistant", "content": "Hello there"}
    answer = {"id": "a", "object": "chat.completion", "created": 1, "model": model}
    answer |= {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    answer |= {"usage": {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}}
    text = json.dumps(answer).encode()
    return HEAD % len(text) + text


def streamed(model: str) -> bytes:
    def event(delta: dict[str, str], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return b"data: %s\n\n" % json.dumps({"id": "a", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}).encode()

    body = event({"role": "assistant", "content": "Hello there"}) + event({}, "stop") + b"data: [DONE]\n\n"
    return STREAM + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.fixture(scope="module")
def vendors() -> Iterator[dict[str, IdleVendor]]:
    """Two vendors, one without TLS and one with it: the models `plain` and `secure`."""
    authority = trustme.CA()
    made = {"plain": IdleVendor(), "secure": IdleVendor(served_by(authority, "127.0.0.1"))}
    made["secure"].authority = authority  # type: ignore[attr-defined]
    yield made
    for vendor in made.values():
        vendor.front.close()


@pytest.fixture(scope="module")
def agents(launch: Callable[..., Relay], vendors: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    trusted = tmp_path_factory.mktemp("agents") / "ca.pem"
    vendors["secure"].authority.cert_pem.write_to_path(str(trusted))
    settings = {}
    for name, scheme in (("plain", "http"), ("secure", "https")):
        at = f"PROVIDER_{name.upper()}"
        settings |= {f"{at}_KIND": "openai", f"{at}_BASE_URL": f"{scheme}://127.0.0.1:{vendors[name].front.port}/v1"}
        settings |= {f"{at}_MODELS": name, f"{at}_API_KEY": "k-1"}
    relay = launch(**settings, ANONYMOUS_MODELS="all", SSL_CERT_FILE=str(trusted), THREADS="1")
    yield relay
    relay.stop()


def asked(client: Any, model: str, text: str = "Hi", **fields: Any) -> str:
    answer = client.post(PATH, json={"model": model, "messages": [{"role": "user", "content": text}]} | fields)
    assert answer.status_code == 200, answer.text
    if not fields.get("stream"):
        return str(answer.json()["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    return "".join(event["choices"][0]["delta"].get("content", "") for event in events if event["choices"])


@pytest.mark.parametrize("model", ["plain", "secure"])
def test_many_clients_find_the_connections_of_the_rush_before(
    agents: Relay, vendors: dict[str, IdleVendor], model: str, is_streamed: bool
) -> None:
    vendor = vendors[model]
    accepted = []
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": is_streamed}
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(agents.port)) for _ in range(MANY)]
        for _ in range(2):
            vendor.waits = threading.Barrier(MANY)
            for connection in connections:
                connection.send(request("POST", PATH, json.dumps(body).encode()))
            answers = [connection.receive(seconds=WAIT_SECONDS) for connection in connections]
            assert all(answer.status == 200 and b"Hello there" in answer.body for answer in answers)
            accepted.append(vendor.front.accepted)
    vendor.waits = threading.Barrier(1)
    assert accepted[0] == accepted[1] >= MANY


@pytest.mark.parametrize("model", ["plain", "secure"])
def test_a_vendor_that_closes_idle_connections_at_random_moments_costs_no_request(
    agents: Relay, vendors: dict[str, IdleVendor], model: str
) -> None:
    vendor = vendors[model]
    before, vendor.idle_seconds = vendor.front.accepted, 0.003
    with local_http.Client(base_url=agents.base_url, timeout=30) as client, ThreadPoolExecutor(8) as pool:

        def one(number: int) -> str:
            text = "Hi" if number % 10 else "word " * 60_000
            return asked(client, model, text, stream=number % 2 == 1)

        # How many are idle for so long depends on the machine.
        for _ in range(20):
            assert set(pool.map(one, range(400))) == {"Hello there"}
            if vendor.front.accepted - before > 20:
                break
    vendor.idle_seconds = None
    assert vendor.front.accepted - before > 20, "none was closed"
    assert Scrape(agents).all("relay_upstream_errors_total") == {}


def faults(relay: Relay) -> int:
    """Returns the number of page faults since the start of the process."""
    return int(Path(f"/proc/{relay.process.pid}/stat").read_text().rpartition(")")[2].split()[7])


@judges_memory
def test_large_pictures_use_the_same_memory_and_give_it_back(agents: Relay, vendors: dict[str, IdleVendor]) -> None:
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(660_000)).decode()
    picture = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    body = json.dumps({"model": "plain", "messages": [{"role": "user", "content": picture}]})
    with local_http.Client(base_url=agents.base_url, timeout=30) as client:

        def send(times: int) -> None:
            for _ in range(times):
                assert client.post(PATH, content=body, headers={"Content-Type": "application/json"}).status_code == 200

        send(5)
        before = faults(agents)
        send(20)
        # Each of the three copies of a picture has 220 pages.
        assert (faults(agents) - before) / 20 < 100
        assert (Scrape(agents)("relay_memory_held_bytes", by="kept") or 0) > len(body)
        assert wait_until(lambda: Scrape(agents)("relay_memory_held_bytes", by="kept") == 0, 20)
