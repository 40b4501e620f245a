"""Forwarders between the relay and the fake vendor in some tests: TLS in front of it, or a proxy."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

WAIT_SECONDS = 10.0


class Forwarder:
    """A forwarder that accepts on a free port of `host` and passes each connection to `serve`, on its own thread."""

    def __init__(self, serve: Callable[[socket.socket], None], host: str = "127.0.0.1") -> None:
        self.serve = serve
        self.listener = socket.create_server((host, 0))
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.peers: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                self.accepted += 1
                self.peers.append(peer)
                peer.settimeout(WAIT_SECONDS)
                threading.Thread(target=self.run, args=(peer,), daemon=True).start()

    def run(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(peer):
            self.serve(peer)

    def close(self) -> None:
        self.listener.close()

    def cut(self) -> None:
        """Ends all connections, and refuses new ones."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.drop()

    def drop(self) -> None:
        """Ends all connections."""
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)


def pump(one: socket.socket, other: socket.socket) -> None:
    """Forwards both ways until either side ends."""

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=copy, args=(other, one), daemon=True)
    back.start()
    copy(one, other)
    back.join(WAIT_SECONDS)


def pump_in_turn(inner: ssl.SSLSocket, target: socket.socket) -> None:
    """Forwards both ways in one thread: two threads may not use one TLS connection at the same time."""
    while True:
        ends = [inner] if inner.pending() else select.select([inner, target], [], [], WAIT_SECONDS)[0]
        if not ends:
            return
        for source in ends:
            data = source.recv(65536)
            if not data:
                return
            (target if source is inner else inner).sendall(data)


@contextlib.contextmanager
def plain(target_port: int, host: str = "127.0.0.1") -> Iterator[Forwarder]:
    """Forwards bytes."""

    def serve(peer: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", target_port)) as target:
            pump(peer, target)

    forwarder = Forwarder(serve, host)
    yield forwarder
    forwarder.close()


@contextlib.contextmanager
def tls(target_port: int, context: ssl.SSLContext) -> Iterator[Forwarder]:
    """Terminates TLS in front of the vendor."""

    def serve(peer: socket.socket) -> None:
        with context.wrap_socket(peer, server_side=True) as inner, socket.create_connection(("127.0.0.1", target_port)) as target:
            pump_in_turn(inner, target)

    forwarder = Forwarder(serve)
    yield forwarder
    forwarder.close()


@contextlib.contextmanager
def proxy(seen: list[str], to: int | None = None) -> Iterator[Forwarder]:
    """An HTTP proxy that records the request lines it saw: CONNECT, and GET or POST with an absolute target. `to` is
    the local port that it connects to."""

    def serve(peer: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(65536)
        line = head.split(b"\r\n", 1)[0].decode()
        seen.append(line)
        method, target, _ = line.split(" ")
        authority = target if method == "CONNECT" else target.split("/")[2]
        host, port = authority.rsplit(":", 1)
        with socket.create_connection(("127.0.0.1", to) if to else (host, int(port))) as upstream:
            if method == "CONNECT":
                peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                origin = head.replace(f"http://{authority}".encode(), b"", 1)
                upstream.sendall(b"".join(part for part in origin.splitlines(True) if b"roxy-" not in part))
            pump(peer, upstream)

    forwarder = Forwarder(serve)
    yield forwarder
    forwarder.close()
