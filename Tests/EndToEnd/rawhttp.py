"""HTTP/1.1 over a bare socket, for tests that care about single bytes.

Nothing here repairs or repeats anything: bytes go out as given, and exactly one answer is read at a time. Every wait
has an end. Times are seconds.
"""

import json
import selectors
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

HOST = "127.0.0.1"
WAIT_SECONDS = 10.0


class Closed(Exception):
    """An error: the server ended the connection before the response was complete. `got`: the bytes received so far."""

    def __init__(self, got: bytes) -> None:
        super().__init__(f"closed after {got[:300]!r}")
        self.got = got


@dataclass
class Answer:
    """One response. `interim`: the statuses of the 1xx responses before it; `pieces`: the sizes of its chunks, if
    any."""

    status: int
    version: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)
    pieces: list[int] = field(default_factory=list)
    is_chunked: bool = False

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def __getitem__(self, name: str) -> str | None:
        """Returns the field's value; None if it is absent. Fails if the field occurs twice."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} is given {len(values)} times: {values}"
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[str]:
        """Returns the data of the response's server-sent events."""
        parts = self.body.decode().split("\n\n")
        return [part.removeprefix("data: ") for part in parts if part.startswith("data: ")]


def request(method: str, target: str, body: bytes | None = None, **fields: str | None) -> bytes:
    """Returns a well-formed request. `fields`: `content_type="text/plain"` becomes `Content-Type: text/plain`; None
    leaves a default (Host, Content-Length, Content-Type with a body) out."""
    defaults: dict[str, str | None] = {"host": "relay.test"}
    if body is not None:
        defaults |= {"content_type": "application/json", "content_length": str(len(body))}
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{as_field(name)}: {value}" for name, value in (defaults | fields).items() if value is not None]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def as_field(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("_"))


def chunked(*chunks: bytes) -> bytes:
    """Returns a chunked body with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


class Connection:
    """One connection to the relay."""

    def __init__(self, port: int, *, receive_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(WAIT_SECONDS)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect((HOST, port))
        self.rest = b""

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, data: bytes, piece: int | None = None) -> None:
        """Sends all of `data`; with `piece`, in writes of so many bytes. It is not an error if the server stops
        reading: its response shows that."""
        try:
            for at in range(0, len(data), piece or max(len(data), 1)):
                self.socket.sendall(data[at : at + (piece or len(data))])
        except (BrokenPipeError, ConnectionResetError):
            pass

    def more(self, ends: float) -> bytes:
        """Returns the next bytes, empty at the end of the connection. Raises TimeoutError after `ends` (of the
        monotonic clock)."""
        left = ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing more came in time")
        self.socket.settimeout(left)
        try:
            return self.socket.recv(1 << 18)
        except ConnectionResetError:
            return b""

    def _until(self, mark: bytes, ends: float) -> bytes:
        """Returns the bytes before `mark`, which is dropped."""
        while mark not in self.rest:
            if not (data := self.more(ends)):
                raise Closed(self.rest)
            self.rest += data
        found, _, self.rest = self.rest.partition(mark)
        return found

    def _exactly(self, count: int, ends: float) -> bytes:
        parts, have = [self.rest], len(self.rest)
        while have < count:
            if not (data := self.more(ends)):
                raise Closed(b"".join(parts))
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.rest = whole[count:]
        return whole[:count]

    def head(self, seconds: float = WAIT_SECONDS) -> Answer:
        """Returns only the head of the next response, after any 1xx."""
        ends = time.monotonic() + seconds
        interim: list[int] = []
        while True:
            lines = self._until(b"\r\n\r\n", ends).decode("latin-1").split("\r\n")
            version, status, _ = (lines[0] + " ").split(" ", 2)
            assert version in ("HTTP/1.1", "HTTP/1.0") and len(status) == 3, f"no status line: {lines[0]!r}"
            fields = []
            for line in lines[1:]:
                name, colon, value = line.partition(":")
                assert colon and name and name == name.strip(), f"no field: {line!r}"
                fields.append((name, value.strip()))
            if not status.startswith("1"):
                return Answer(int(status), version, fields, interim=interim)
            interim.append(int(status))

    def receive(self, method: str = "GET", seconds: float = WAIT_SECONDS) -> Answer:
        """Returns one whole response to a request of `method`. Bytes that follow it stay for the next call."""
        ends = time.monotonic() + seconds
        answer = self.head(seconds)
        length, coding = answer["content-length"], answer["transfer-encoding"]
        assert length is None or coding is None, "Content-Length and Transfer-Encoding"
        if method == "HEAD" or answer.status in (204, 304):
            return answer
        if coding is not None:
            assert coding == "chunked", coding
            answer.is_chunked = True
            parts = list(self.chunks(ends))
            answer.pieces = [len(part) for part in parts]
            answer.body = b"".join(parts)
        elif length is not None:
            answer.body = self._exactly(int(length), ends)
        else:
            answer.body = self.until_closed(ends - time.monotonic())
        return answer

    def chunks(self, ends: float) -> Iterator[bytes]:
        """Returns the chunks of a body, up to and without the last."""
        while size := int(self._until(b"\r\n", ends), 16):
            part = self._exactly(size + 2, ends)
            assert part.endswith(b"\r\n"), "a chunk does not end with CR LF"
            yield part[:-2]
        assert self._until(b"\r\n", ends) == b"", "trailers"

    def ask(self, data: bytes, *, method: str = "GET", seconds: float = WAIT_SECONDS) -> Answer:
        self.send(data)
        return self.receive(method, seconds)

    def until_closed(self, seconds: float = WAIT_SECONDS) -> bytes:
        """Returns all bytes until the server closes. Raises TimeoutError if it does not."""
        ends = time.monotonic() + seconds
        parts, self.rest = [self.rest], b""
        while data := self.more(ends):
            parts.append(data)
        return b"".join(parts)

    def reads(self, mark: bytes, seconds: float = WAIT_SECONDS) -> bool:
        """Reads until `mark` has arrived. Returns False if the server closes before."""
        ends = time.monotonic() + seconds
        while mark not in self.rest:
            if not (data := self.more(ends)):
                return False
            self.rest = self.rest[-len(mark) :] + data
        return True

    def assert_closed(self, seconds: float = WAIT_SECONDS) -> None:
        """Asserts that the server closes without sending anything before."""
        try:
            rest = self.until_closed(seconds)
        except TimeoutError:
            raise AssertionError("the connection was not closed") from None
        assert rest == b"", f"more than one answer: {rest[:300]!r}"

    def assert_open(self) -> None:
        """Asserts that the connection serves one more request."""
        assert self.rest == b"", f"more than one answer: {self.rest[:300]!r}"
        assert self.ask(request("GET", "/health")).status == 200

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()


def readable(connections: list[Connection], seconds: float) -> list[Connection]:
    """Returns the connections on which something has arrived, or arrives within the time."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
        return [key.data for key, _ in selector.select(seconds)]


@contextmanager
def connected(port: int, *, receive_bytes: int | None = None) -> Iterator[Connection]:
    connection = Connection(port, receive_bytes=receive_bytes)
    try:
        yield connection
    finally:
        connection.close()


def ask(port: int, data: bytes, *, method: str = "GET", seconds: float = WAIT_SECONDS) -> Answer:
    """Sends one request on its own connection. Returns the response."""
    with connected(port) as connection:
        return connection.ask(data, method=method, seconds=seconds)


def wait_until(is_so: Any, seconds: float = WAIT_SECONDS, *, every: float = 0.01) -> bool:
    """Polls a condition without an event to wait for, mostly in /proc. Returns False if it did not become true."""
    ends = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends:
            return False
        time.sleep(every)
    return True


ECHO_RELAY = {"PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "all", "RATE_LIMIT": "off", "MAX_BODY_MB": "1"}
"""Settings of a relay that needs no vendor and no key; its bodies end at a megabyte."""
CHAT = "/v1/chat/completions"


def chat_body(text: str = "hello", **fields: Any) -> bytes:
    return json.dumps({"model": "echo", "messages": [{"role": "user", "content": text}]} | fields).encode()


def assert_error(answer: Answer, *statuses: int) -> dict[str, Any]:
    """Asserts an error in the format of all errors. Returns the members of `error`."""
    assert answer.status in statuses, (answer.status, answer.body[:300])
    assert (answer["content-type"] or "").split(";")[0] == "application/json", answer.fields
    assert_owed(answer)
    whole = answer.json()
    assert set(whole) == {"error"}, whole
    error = whole["error"]
    assert set(error) == {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str) and error["message"]
    assert error["type"] == ("server_error" if answer.status >= 500 else "invalid_request_error"), error
    assert all(error[name] is None or isinstance(error[name], str) for name in ("param", "code")), error
    return error


def assert_owed(answer: Answer) -> None:
    """Asserts the headers that every response has."""
    assert answer["x-request-id"], answer.fields
    assert answer["access-control-allow-origin"], answer.fields
    assert "x-request-id" in (answer["access-control-expose-headers"] or "").lower(), answer.fields
