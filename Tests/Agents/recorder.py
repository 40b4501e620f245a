"""A forwarder in front of a server, which keeps the requests that a program sent as they came."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import forwarders
from wires import Asked


class Recorder:
    """The running forwarder. `origin`: its address without a path."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sent: list[bytearray] = []
        self.front = forwarders.Forwarder(self.serve)
        self.origin = f"http://127.0.0.1:{self.front.port}"

    def serve(self, peer: socket.socket) -> None:
        peer.settimeout(None)
        sent = bytearray()
        self.sent.append(sent)
        with socket.create_connection(("127.0.0.1", self.port)) as target:
            back = threading.Thread(target=copy, args=(target, peer, bytearray()), daemon=True)
            back.start()
            copy(peer, target, sent)
            back.join(forwarders.WAIT_SECONDS)

    def requests(self) -> list[Asked]:
        """Returns the requests with a body so far, in the order of their connections."""
        return [asked for sent in self.sent for asked in parsed(bytes(sent)) if asked.raw]

    def close(self) -> None:
        self.front.close()
        self.front.drop()


def copy(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def parsed(sent: bytes) -> Iterator[Asked]:
    """Returns the whole requests on one connection."""
    while b"\r\n\r\n" in sent:
        head, _, sent = sent.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = [(line.split(":", 1)[0], line.split(":", 1)[1].strip()) for line in lines]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        raw, sent = sent[:length], sent[length:]
        yield Asked(method, path, headers, raw, json.loads(raw) if raw else None)
