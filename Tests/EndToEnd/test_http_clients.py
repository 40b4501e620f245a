"""Clients that are slow, leave, flood or do not read: each is bounded, none disturbs the others."""

import os
import resource
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from conftest import running
from rawhttp import CHAT, ECHO_RELAY, Connection, ask, chat_body, chunked, connected, readable, request, wait_until
from relay_process import Relay, judges_memory
from vendor import Vendor

HEALTH = request("GET", "/health")
CHUNKED_HEAD = request("POST", CHAT, content_type="application/json", transfer_encoding="chunked")


own_relay = running(lambda: Relay(ECHO_RELAY), "function")
"""A relay whose process is measured."""


def descriptors(relay: Relay) -> int:
    return len(os.listdir(f"/proc/{relay.process.pid}/fd"))


def resident_bytes(relay: Relay) -> int:
    with open(f"/proc/{relay.process.pid}/status") as status:
        (line,) = (line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def processor_seconds(relay: Relay) -> float:
    """Returns user and system time so far."""
    with open(f"/proc/{relay.process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@judges_memory
def test_clients_that_never_read_are_bounded_in_memory(start_relay: Callable[..., Relay], vendor: Vendor, api_key: str) -> None:
    """Streams of megabytes go to clients that read nothing. Their waiting output does not grow with the stream."""
    piece = "0123456789abcde " * 256
    pieces, clients, bound = 2_000, 4, 8 << 20
    vendor.answers(api_key, {"deltas": [piece] * pieces, "without": ["result"]})
    relay = start_relay()
    body = chat_body(model="gpt-4o-mini", stream=True)
    data = request("POST", CHAT, body, authorization=f"Bearer {api_key}")
    assert len(piece) * pieces * clients > 3 * bound, "too little to prove anything"
    assert ask(relay.port, HEALTH).status == 200
    before = resident_bytes(relay)
    with ExitStack() as stack:
        stalled = [stack.enter_context(connected(relay.port, receive_bytes=4096)) for _ in range(clients)]
        for connection in stalled:
            connection.send(data)
        for connection in stalled:
            assert connection.head().status == 200
        used = processor_seconds(relay)

        def is_quiet() -> bool:
            nonlocal used
            time.sleep(0.5)
            now, used = processor_seconds(relay) - used, processor_seconds(relay)
            return now < 0.05

        assert wait_until(is_quiet, 30), "the relay does not come to rest while nobody reads"
        grown = resident_bytes(relay) - before
        assert grown < bound, f"{grown >> 10} KB for {clients} clients that do not read"
        assert ask(relay.port, HEALTH).status == 200
        stalled[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        assert stalled[0].reads(b"[DONE]", 60), "the stream was cut"


LEAVINGS: dict[str, Callable[[Connection], None]] = {
    "close": Connection.close,
    "reset": Connection.reset,
    "half-close": Connection.half_close,
}


@pytest.mark.parametrize("leave", LEAVINGS.values(), ids=LEAVINGS.keys())
def test_leaving_is_noticed_while_more_than_the_server_reads_is_waiting(
    start_relay: Callable[..., Relay], vendor: Vendor, api_key: str, leave: Callable[[Connection], None]
) -> None:
    """Behind a stalled response so many requests wait that reading has stopped: an end of input would not be read."""
    vendor.answers(api_key, {"stall_at": 300})
    relay = start_relay()
    connection = Connection(relay.port)
    body = chat_body(model="gpt-4o-mini", stream=True)
    connection.send(request("POST", CHAT, body, authorization=f"Bearer {api_key}"))
    vendor.wait(api_key, "stalled")
    connection.send(HEALTH * 2_000)
    used = processor_seconds(relay)
    time.sleep(0.5)
    assert processor_seconds(relay) - used < 0.2, "the relay spins over what it does not read"
    leave(connection)
    vendor.wait(api_key, "client_closed")
    connection.close()
    assert ask(relay.port, HEALTH).status == 200


def test_running_out_of_descriptors_pauses_accepting_only(own_relay: Relay) -> None:
    flood = 80
    with ExitStack() as stack:
        kept = [stack.enter_context(connected(own_relay.port)) for _ in range(4)]
        for connection in kept:
            assert connection.ask(HEALTH).status == 200
        limit = descriptors(own_relay) + 16
        resource.prlimit(own_relay.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        waiting = [Connection(own_relay.port) for _ in range(flood)]
        for connection in waiting:
            connection.send(HEALTH)
        assert wait_until(lambda: descriptors(own_relay) >= limit - 8), "the limit was not reached"
        for connection in kept:
            assert connection.ask(HEALTH).status == 200
        used = processor_seconds(own_relay)
        time.sleep(1)
        used = processor_seconds(own_relay) - used
        assert used < 0.3, f"{used} s of processor time in a second in which nothing can be done"
        for connection in kept:
            assert connection.ask(HEALTH).status == 200
        while waiting:
            served = readable(waiting, 10)
            assert served, f"{len(waiting)} clients are not served although others have left"
            for connection in served:
                assert connection.receive().status == 200
                connection.close()
                waiting.remove(connection)
        for connection in kept:
            connection.assert_open()
    assert ask(own_relay.port, HEALTH).status == 200


def test_idle_connections_cost_no_processor_time(own_relay: Relay) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connected(own_relay.port)) for _ in range(200)]
        for connection in connections[::2]:
            assert connection.ask(HEALTH).status == 200
        for connection in connections[1::2]:
            connection.send(HEALTH[:10])
        assert ask(own_relay.port, HEALTH).status == 200
        used = processor_seconds(own_relay)
        time.sleep(1)
        assert processor_seconds(own_relay) - used < 0.2
        for connection in connections[1::2]:
            connection.send(HEALTH[10:])
            assert connection.receive().status == 200


def test_concurrent_clients_get_their_own_answers(own_relay: Relay) -> None:
    """Whole and streamed, chunked and not, on kept connections: no byte of another client's response."""

    def work(worker: int) -> None:
        with connected(own_relay.port) as connection:
            for turn in range(30):
                word = f"worker{worker}turn{turn}end"
                body = chat_body(word, stream=turn % 2 == 1)
                data = CHUNKED_HEAD + chunked(body) if turn % 3 == 0 else request("POST", CHAT, body)
                answer = connection.ask(data, seconds=60)
                text = answer.body.decode()
                assert answer.status == 200 and text.count("worker") >= 1, text
                assert f"worker{worker}" in text and "turn" in text
                ids.add(answer["x-request-id"] or "")

    ids: set[str] = set()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
    assert len(ids) == 600
