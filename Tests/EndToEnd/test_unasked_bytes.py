"""Bytes that a vendor sends on an idle connection are no caller's response, although the relay is too busy to see them
before it makes the next call.

`UNASKED=10000` is the full size, which takes three minutes.
"""

import array
import fcntl
import json
import os
import random
import select
import signal
import socket
import termios
from collections.abc import Callable
from contextlib import ExitStack

import conftest
from rawhttp import Connection, connected, request

ROUNDS = int(os.environ.get("UNASKED", "100"))
BUSY = 200
KEY = "vendor-key-of-unasked-bytes"
DELTA = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"x"}}]}\n\n'
EVENT = b"%x\r\n%s\r\n" % (len(DELTA), DELTA)


def chat(prompt: str, **fields: bool) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]} | fields
    return request("POST", "/v1/chat/completions", json.dumps(body).encode())


def received(peer: socket.socket) -> bytes:
    """Returns the body of the next request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += peer.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += peer.recv(65_536)
    return body


def completion(content: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice]}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def wait_until_acknowledged(peer: socket.socket) -> None:
    waiting = array.array("i", [1])
    while waiting[0]:
        fcntl.ioctl(peer, termios.TIOCOUTQ, waiting)


def test_unasked_bytes_are_no_response(start_relay) -> None:
    conftest.secrets.add(KEY)
    chance = random.Random(58)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=BUSY))
        relay = start_relay(
            PROVIDER_X_KIND="openai", PROVIDER_X_BASE_URL=f"http://127.0.0.1:{listener.getsockname()[1]}/v1", PROVIDER_X_API_KEY=KEY,
            PROVIDER_X_MODELS="m", ANONYMOUS_MODELS="all", THREADS="1",
        )  # fmt: skip

        def accepted() -> socket.socket:
            peer = stack.enter_context(listener.accept()[0])
            peer.settimeout(10)
            return peer

        def answer(peer: socket.socket) -> None:
            peer.sendall(completion(json.loads(received(peer))["messages"][0]["content"]))

        streams = [stack.enter_context(connected(relay.port)) for _ in range(BUSY)]
        busy = [begun(stream, accepted) for stream in streams]
        clients = [stack.enter_context(connected(relay.port)) for _ in range(4)]
        idle, descriptors = None, []
        for number in range(ROUNDS):
            client = chance.choice(clients)
            asked = chat(f"prompt {number}")
            # A relay that was stopped finds all at once, the bytes often one turn after the request.
            if is_stopped := number % 4 == 0:
                relay.signal(signal.SIGSTOP)
            for peer in chance.sample(busy, 31 if is_stopped else chance.randrange(32, 96)):
                peer.sendall(EVENT)
            # The relay finds the request and the bytes in either order.
            begin = chance.choice([0, 20])
            client.send(asked[:begin])
            if idle:
                idle.sendall(completion("evil"))
                wait_until_acknowledged(idle)
            client.send(asked[begin:])
            if is_stopped:
                relay.signal(signal.SIGCONT)
            while not (ready := select.select([listener, client], [], [], 10)[0]) or listener in ready:
                assert ready, "no response"
                if idle:
                    idle.close()
                idle = accepted()
                answer(idle)
            told = client.receive().json()["choices"][0]["message"]["content"]
            assert told == f"prompt {number}"
            for stream in select.select(streams, [], [], 0)[0]:
                assert stream.socket.recv(1 << 16)
            descriptors.append(len(os.listdir(f"/proc/{relay.process.pid}/fd")))
        assert max(descriptors[ROUNDS // 2 :]) < max(descriptors[: ROUNDS // 2]) + 10


def begun(stream: Connection, accepted: Callable[[], socket.socket]) -> socket.socket:
    """Begins a streamed response, and returns the vendor's side of it."""
    stream.send(chat("hi", stream=True))
    peer = accepted()
    received(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + EVENT)
    assert stream.head().status == 200
    return peer
