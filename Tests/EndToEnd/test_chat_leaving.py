"""A caller that disconnects ends the vendor's work at once."""

import json
import socket
import struct

import pytest
from chat import PATH, ask, body, stream, text_of


def send(relay, key, *, is_streamed):
    """A connection on which a chat request was just sent."""
    content = json.dumps(body(stream=is_streamed)).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    peer = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
    peer.sendall(head.encode() + content)
    return peer


def leave(peer, how):
    if how == "half":
        peer.shutdown(socket.SHUT_WR)
        return
    if how == "reset":
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_before_the_first_byte(relay, http, vendor, api_key, how):
    vendor.answers(api_key, {"stall_at": -1}, {"answer": "good"})
    with send(relay, api_key, is_streamed=False) as peer:
        vendor.wait(api_key, "stalled")
        leave(peer, how)
        vendor.wait(api_key, "client_closed")
    assert text_of(ask(http)) == "good"
    assert len(vendor.requests(api_key)) == 2


@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_after_the_first_byte(relay, http, vendor, api_key, how):
    vendor.answers(api_key, {"deltas": ["first", "second"], "stall_at": 50}, {"answer": "good"})
    with send(relay, api_key, is_streamed=True) as peer:
        got = b""
        while b"first" not in got:
            got += peer.recv(4096)
        leave(peer, how)
        vendor.wait(api_key, "client_closed")
    assert stream(http).text() == "good"


def test_what_a_left_call_had_received_is_nobody_elses(relay, http, vendor, new_key):
    """The transfer object of a cancelled call is reused: it must be empty."""
    for number in range(8):
        key = new_key()
        vendor.answers(key, {"answer": "not yours " * 50, "stall_at": 300, "framing": "length"})
        with send(relay, key, is_streamed=bool(number % 2)):
            vendor.wait(key, "stalled")
        vendor.wait(key, "client_closed")
        assert "not yours" not in text_of(ask(http)) + stream(http).text()
