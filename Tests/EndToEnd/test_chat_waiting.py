"""Streams whose vendor is silent: after ten seconds the client hears from the relay, and what comes later is whole."""

import json
import socket
import struct

import httpx
from chat import PATH, body, streamed

PATIENCE_SECONDS = 10


class Waiting:
    """A streamed chat, read up to its second sign of life."""

    def __init__(self, relay, key, **fields):
        content = json.dumps(body("a cat", stream=True, **fields)).encode()
        head = f"POST {PATH} HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        self.peer = socket.create_connection(
            ("127.0.0.1", relay.port), timeout=3 * PATIENCE_SECONDS
        )
        self.peer.sendall(
            f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
        )
        self.got = b""

    def read_until(self, mark):
        while mark not in self.got:
            data = self.peer.recv(65536)
            assert data, self.got
            self.got += data

    def rest(self):
        while data := self.peer.recv(65536):
            self.got += data
        head, _, content = self.got.partition(b"\r\n\r\n")
        pieces, out = content, b""
        while pieces:
            size, _, pieces = pieces.partition(b"\r\n")
            out += pieces[: int(size, 16)]
            pieces = pieces[int(size, 16) + 2 :]
        lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        headers = httpx.Headers(
            [(name.decode(), value.decode()) for name, value in lines]
        )
        return streamed(int(head.split()[1]), headers, out)


def test_a_silent_vendor(relay, vendor, new_key):
    """All at once, since each takes ten seconds."""
    stalled = {"stall_at": -1}
    cases = {
        "image": ({"model": "midjourney"}, [stalled]), "speech": ({"model": "tts-1"}, [stalled]),
        "text": ({}, [stalled | {"answer": "late"}]), "choices": ({"n": 2}, [stalled | {"answer": "late"}]),
        "failing": ({"model": "dall-e-2"}, [stalled | {"status": 500, "text": ""}]),
        "leaving": ({"model": "dall-e-2"}, [stalled]), "resetting": ({"model": "tts-1"}, [stalled]),
    }  # fmt: skip
    keys = {name: new_key() for name in cases}
    vendor.answers_all(
        {keys[name]: scenarios for name, (_, scenarios) in cases.items()}
    )
    waits = {
        name: Waiting(relay, keys[name], **fields)
        for name, (fields, _) in cases.items()
    }
    for key in keys.values():
        vendor.wait(key, "stalled")
    for wait in waits.values():
        wait.read_until(b'"role":"assistant"')
        assert (
            b"200 OK" in wait.got.partition(b"\r\n")[0]
            and b'finish_reason":"' not in wait.got
        )

    leaving, resetting = waits.pop("leaving").peer, waits.pop("resetting").peer
    leaving.close()
    resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    resetting.close()
    for name in ("leaving", "resetting"):
        vendor.wait(keys[name], "client_closed")

    for name in waits:
        vendor.release(keys[name])
    ended = {name: wait.rest() for name, wait in waits.items()}
    failed = ended.pop("failing")
    assert (
        failed.error["code"] == "upstream_error"
        and not failed.is_done
        and failed.text() == ""
    )
    for name, whole in ended.items():
        assert whole.is_done and whole.error is None and whole.finish() == "stop", name
    assert ended["text"].text() == "late" and ended["choices"].text(1) == "late"
    assert ended["image"].text().startswith("![Image 1](") and ended[
        "speech"
    ].text().startswith("\U0001f50a")
