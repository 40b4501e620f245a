"""Streams whose vendor is silent: after ten seconds the client gets a sign from the relay, and later output is
complete. All of them wait at the same time."""

import json
import socket
import struct

import httpx
import pytest
import responding
from chat import PATH, body, streamed
from limited import metric
from memcached import wait_for
from test_messages import HELLO

PATIENCE_SECONDS = 10
LATE = {"answer": "one two", "deltas": ["one", " two"]}


class Waiting:
    """A streamed request that is read step by step."""

    def __init__(self, relay, key, path, fields):
        content = json.dumps(fields | {"stream": True}).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: r\r\nConnection: close\r\n"
        if key:
            head += f"Authorization: Bearer {key}\r\n"
        self.peer = socket.create_connection(("127.0.0.1", relay.port), timeout=3 * PATIENCE_SECONDS)
        self.peer.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        self.got = b""

    def read_until(self, mark):
        while mark not in self.got:
            data = self.peer.recv(65536)
            assert data, self.got
            self.got += data

    def rest(self):
        """Reads the stream to its end."""
        while data := self.peer.recv(65536):
            self.got += data
        head, _, content = self.got.partition(b"\r\n\r\n")
        pieces, out = content, b""
        while pieces:
            size, _, pieces = pieces.partition(b"\r\n")
            out += pieces[: int(size, 16)]
            pieces = pieces[int(size, 16) + 2 :]
        lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        self.headers = httpx.Headers([(name.decode(), value.decode()) for name, value in lines])
        self.status, self.content = int(head.split()[1]), out
        return self

    def chat(self):
        return streamed(self.status, self.headers, self.content)

    def names(self):
        """Returns the names of a message's events."""
        return [event.split("\n")[0].removeprefix("event: ") for event in self.content.decode().split("\n\n") if event]


CHATS = {
    "image": ({"model": "midjourney"}, {}), "speech": ({"model": "tts-1"}, {}), "text": ({}, {"answer": "late"}),
    "choices": ({"n": 2}, {"answer": "late"}), "failing": ({"model": "dall-e-2"}, {"status": 500, "text": ""}),
    "leaving": ({"model": "dall-e-2"}, {}), "resetting": ({"model": "tts-1"}, {}),
}  # fmt: skip
MESSAGES = {"before": LATE | {"stall_at": -1}, "within": LATE | {"stall_at": 120}, "failing": {"stall_at": -1, "status": 500, "text": ""}}
RESPONSE = {"deltas": ["One ", "late"], "answer": "One late", "stall_at": 60}


@pytest.fixture(scope="module")
def ended(launch, vendor, new_key, wall):
    """All requests, by surface and case, read to their end; "leaving" and "resetting" have left before it."""
    relay = launch(**wall.environment)
    cases = {("chat", name): (PATH, body("a cat", **fields), {"stall_at": -1} | how, b'"role":"assistant"')
             for name, (fields, how) in CHATS.items()}  # fmt: skip
    cases |= {("messages", name): ("/v1/messages", HELLO, how, b"event: ping") for name, how in MESSAGES.items()}
    cases["responses", ""] = (responding.PATH, responding.body(), RESPONSE, b"\n: ping")
    keys = {case: new_key() for case in cases}
    vendor.answers_all({keys[case]: [how] for case, (_, _, how, _) in cases.items()})
    waits = {case: Waiting(relay, keys[case], path, fields) for case, (path, fields, _, _) in cases.items()}
    for key in keys.values():
        vendor.wait(key, "stalled")
    wall.advance(PATIENCE_SECONDS)
    for case, wait in waits.items():
        wait.read_until(cases[case][3])
    begun = {case: wait.got for case, wait in waits.items()}

    leaving, resetting = waits.pop(("chat", "leaving")).peer, waits.pop(("chat", "resetting")).peer
    leaving.close()
    resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    resetting.close()
    for name in ("leaving", "resetting"):
        vendor.wait(keys["chat", name], "client_closed")
    for case in waits:
        vendor.release(keys[case])
    return begun, {case: wait.rest() for case, wait in waits.items()}


def test_chats(ended):
    begun, ended = ended
    for name in CHATS:
        got = begun["chat", name]
        assert b"200 OK" in got.partition(b"\r\n")[0] and b'finish_reason":"' not in got, name
    chats = {name: wait.chat() for (surface, name), wait in ended.items() if surface == "chat"}
    failed = chats.pop("failing")
    assert failed.error["code"] == "upstream_error" and not failed.is_done and failed.text() == ""
    assert set(chats) == {"image", "speech", "text", "choices"}
    for name, whole in chats.items():
        assert whole.is_done and whole.error is None and whole.finish() == "stop", name
    assert chats["text"].text() == "late" and chats["choices"].text(1) == "late"
    assert chats["image"].text().startswith("![Image 1](") and chats["speech"].text().startswith("\U0001f50a")


def test_messages(ended):
    messages = {name: wait for (surface, name), wait in ended[1].items() if surface == "messages"}
    for name in ("before", "within"):
        names = messages[name].names()
        assert names[0] == "message_start" and names.count("ping") == 1 and names[-1] == "message_stop", names
    assert messages["before"].names()[1] == "ping"
    assert messages["failing"].names() == ["message_start", "ping", "error"]
    assert b'"type":"api_error"' in messages["failing"].content


def test_responses(ended):
    got = ended[1]["responses", ""].content
    assert got.index(b'"delta":"One "') < got.index(b": ping") < got.index(b'"delta":"late"') < got.index(b"response.completed")


def test_streams_that_wait_for_capacity(serve, vendor, clock):
    relays, wall = [], clock(0)
    for patience in ("60s", "30s"):
        providers, http = serve(a=1, PROVIDER_A_CONCURRENCY=1, QUEUE_TIMEOUT=patience, **wall.environment)
        (key,) = providers.keys["a"]
        vendor.answers(key, {"answer": "first", "stall_at": -1})
        relays.append((http.relay, key, Waiting(http.relay, None, PATH, body())))
        vendor.wait(key, "stalled", 1)
    (relay, key, first), (other, other_key, other_first) = relays
    chat, message = Waiting(relay, None, PATH, body()), Waiting(relay, None, "/v1/messages", HELLO)
    refused = Waiting(other, None, PATH, body())
    for waited, count in ((relay, 2), (other, 1)):
        wait_for(lambda waited=waited, count=count: metric(waited, "relay_queue_waiting") == count)
    wall.advance(PATIENCE_SECONDS)
    for wait, mark in ((chat, b'"role":"assistant"'), (message, b"event: ping"), (refused, b'"role":"assistant"')):
        wait.read_until(mark)
    wall.advance(20)
    assert refused.rest().chat().error["code"] == "rate_limit_exceeded"
    vendor.answers(key, {"answer": "late"})
    for stalled in (key, other_key):
        vendor.release(stalled)
    assert first.rest().chat().text() == other_first.rest().chat().text() == "first"
    assert chat.rest().chat().text() == "late" and chat.chat().is_done
    names = message.rest().names()
    assert names[:2] == ["message_start", "ping"] and names[-1] == "message_stop"
