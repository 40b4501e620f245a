"""Uploads over MAX_UPLOAD_MB are refused as too large, whatever the vendor does before they end."""

import contextlib
import json
import socket
import struct
import threading

import conftest
import pytest
from rawhttp import chunked, connected, request

TOKEN, KEY = "token-of-large-uploads-1", "vendor-key-of-large-uploads"
LIMIT = 3 << 20
# A form is read ahead up to one megabyte.
BEGINNING = 1_500_000
BOUNDARY = "large-uploads"
ANSWERS = {
    b"/v1/audio/transcriptions": {"text": "Hello"},
    b"/v1/files": {"id": "file-1", "object": "file", "bytes": 9, "created_at": 1, "filename": "a.txt", "purpose": "user_data"},
}
FIELDS = {"/v1/audio/transcriptions": ("model", "whisper-1"), "/v1/files": ("purpose", "user_data")}


class EarlyVendor:
    """A server that answers an upload after its head, if it is told to; otherwise after its end."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.early: int | str | None = None
        self.answered = threading.Event()
        self.calls = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.answer, args=self.listener.accept()[:1], daemon=True).start()

    def answer(self, peer: socket.socket) -> None:
        self.calls += 1
        with peer, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data or (self.early and len(data) < 2_000):
                data += peer.recv(65_536)
            path, status = data.split(b" ")[1], self.early or 200
            if self.early == "reset":
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                peer.close()
                return self.answered.set()
            while not self.early and not data.endswith(b"\r\n0\r\n\r\n"):
                data += peer.recv(65_536)
            body = json.dumps(ANSWERS[path] if status == 200 else {"error": {"message": "No.", "type": "x"}}).encode()
            peer.sendall(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
            self.answered.set()
            while peer.recv(65_536):
                pass


@pytest.fixture(scope="module")
def early():
    vendor = EarlyVendor()
    yield vendor
    vendor.listener.close()


def settings(early: EarlyVendor) -> dict:
    conftest.secrets.update((TOKEN, KEY))
    return dict(
        KEY_TEAM_TOKEN=TOKEN, PROVIDER_X_KIND="openai", PROVIDER_X_BASE_URL=early.url, PROVIDER_X_API_KEY=KEY, PROVIDER_X_MODELS="whisper-1,gpt-image-1",
        MAX_UPLOAD_MB=3, BREAKER_FAILURES=1, RATE_LIMIT="off",
    )  # fmt: skip


@pytest.fixture(scope="module")
def limited(launch, early):
    return launch(**settings(early))


def form(path: str, size: int) -> bytes:
    name, value = FIELDS.get(path, ("model", "gpt-image-1"))
    file = "image" if "image" in path else "file"
    return (
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{file}"; filename="a.mp3"\r\n\r\n'.encode()
        + b"ID3" + bytes(size - 3) + f"\r\n--{BOUNDARY}--\r\n".encode()
    )  # fmt: skip


def head(path: str, length: int | None) -> bytes:
    framing = {"content_length": str(length)} if length is not None else {"content_length": None, "transfer_encoding": "chunked"}
    return request("POST", path, b"", authorization=f"Bearer {TOKEN}", content_type=f"multipart/form-data; boundary={BOUNDARY}", **framing)


def assert_too_large(answer, declared: int | None = None, limit: int = LIMIT) -> None:
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (413, "request_too_large"), answer.json()
    assert f"at most {limit} bytes are accepted. The operator can change the limit with MAX_UPLOAD_MB." in error["message"]
    assert declared is None or f"it has {declared} bytes" in error["message"]


@pytest.mark.parametrize("path", ["/v1/files", "/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits", "/v1/images/variations"])
def test_a_declared_length_is_judged_before_any_call(limited, early, path):
    early.early, early.calls = 200, 0
    with connected(limited.port) as peer:
        peer.send(head(path, 9_000_000))
        # Forms with images may have two files, and a megabyte of fields.
        assert_too_large(peer.receive("POST"), 9_000_000, 2 * LIMIT + (1 << 20) if "image" in path else LIMIT)
    assert early.calls == 0


def send_too_large(relay, early, path, says, framing) -> None:
    """Sends the rest of a form only after the vendor has responded to its beginning."""
    early.early = says
    early.answered.clear()
    body = form(path, LIMIT + 200_000)
    first, rest = body[:BEGINNING], body[BEGINNING:]
    with connected(relay.port) as peer:
        if framing == "chunked":
            peer.send(head(path, None) + chunked(first).removesuffix(b"0\r\n\r\n"))
        else:
            peer.send(head(path, len(body)) + first)
        assert early.answered.wait(20)
        peer.send(chunked(rest) if framing == "chunked" else rest)
        assert_too_large(peer.receive("POST"))


@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("says", [200, 400, 413, 500, 503, "reset"])
@pytest.mark.parametrize("path", FIELDS)
def test_an_upload_that_grows_too_large_is_no_failure_of_the_vendor(limited, early, path, says, framing):
    """Also one whose declared length does not tell which part of it the file is."""
    send_too_large(limited, early, path, says, framing)
    early.early = None
    small = form(path, 20_000)
    with connected(limited.port) as peer:
        answer = peer.ask(head(path, len(small)) + small, method="POST")
    assert answer.status == 200, answer.json()


@pytest.mark.parametrize("says", [401, 429])
@pytest.mark.parametrize("path", FIELDS)
def test_an_upload_that_grows_too_large_with_a_refused_key(start_relay, early, path, says):
    """The key counts as refused, which does not depend on the upload."""
    send_too_large(start_relay(**settings(early)), early, path, says, "chunked")
