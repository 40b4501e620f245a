"""Results of a vendor at any address. The relay reads them from public addresses only, without a key and without
following anything."""

import base64
import contextlib
import socket

import pytest
from forwarders import Forwarder
from pictures import audio, picture
from relay_process import provider

IMAGES = "/v1/images/generations"
SPEECH = "/v1/audio/speech"
PICTURE = picture("elsewhere")


class Elsewhere(Forwarder):
    """A third party's server. `heads`: the requests it received; `left`: what it could not send since the relay
    left."""

    def __init__(self, answer, host="127.0.0.1"):
        self.answer = answer
        self.heads = []
        super().__init__(self.give, host)

    def give(self, peer):
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(4096)
        self.heads.append(head)
        for piece in self.answer:
            peer.sendall(piece)


@contextlib.contextmanager
def serving(*answer, host="127.0.0.1"):
    server = Elsewhere(answer, host)
    try:
        yield server
    finally:
        server.close()


def ok(content, kind="image/png"):
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


def draw(http):
    return http.post(IMAGES, json={"prompt": "a cat", "model": "dall-e-2", "response_format": "b64_json"})


def speak(http):
    return http.post(SPEECH, json={"input": "Hello", "model": "tts-1", "voice": "alloy"})


def named(place, *, signed=False):
    """Returns the vendor's response that names `place` as its only result, or as the address of the result."""
    if signed:
        return {"record": {"temporaryUrl": place}}
    return {"result_object": [place], "signed": False}


def assert_refused(answer):
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "upstream_error", answer.text


@pytest.fixture(scope="module")
def open_relay(launch):
    """A relay whose operator keeps results in a private network."""
    return launch(FETCH_ALLOW_NETWORKS="127.0.0.0/8,::1/128")


@pytest.mark.parametrize("call", [draw, speak])
@pytest.mark.parametrize("is_signed", [False, True], ids=["result", "signed"])
def test_networks_that_are_not_public_are_left_alone(http, vendor, api_key, call, is_signed):
    with serving(ok(PICTURE)) as server:
        vendor.answers(api_key, named(f"http://localhost:{server.port}/a.png", signed=is_signed))
        answer = call(http)
        assert_refused(answer)
        assert str(server.port) not in answer.text and server.accepted == 0


def test_services_of_a_cloud_are_left_alone(relay, http, vendor, api_key):
    vendor.answers(api_key, named("http://169.254.169.254/a.png"))
    answer = draw(http)
    assert_refused(answer)
    line = relay.wait_for_line(lambda line: line.get("id") == answer.headers["x-request-id"])
    assert line["cause"].endswith("cannot connect to 169.254.169.254:80: the relay may not connect to this address")


@pytest.mark.parametrize(
    ("call", "content", "kind"),
    [(draw, PICTURE, "image/png"), (speak, audio("a"), "audio/mpeg")],
    ids=["image", "sound"],
)
def test_what_an_operator_allows_is_read_without_a_key(open_relay, caller, vendor, api_key, call, content, kind):
    with serving(ok(content, kind)) as server:
        vendor.answers(api_key, named(f"http://127.0.0.1:{server.port}/a/b.bin?c=d"))
        answer = call(caller(open_relay, api_key))
        assert answer.status_code == 200
        got = answer.content if call is speak else base64.b64decode(answer.json()["data"][0]["b64_json"])
        assert got == content
        (head,) = server.heads
        assert head.startswith(b"GET /a/b.bin?c=d HTTP/1.1\r\n")
        assert b"api-key" not in head.lower() and api_key.encode() not in head and b"authorization" not in head.lower()


@pytest.mark.parametrize("status", [301, 308])
@pytest.mark.parametrize("call", [draw, speak])
def test_redirects_lead_nowhere(open_relay, caller, vendor, api_key, call, status):
    with serving(ok(PICTURE)) as target:
        where = f"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:{target.port}/\r\nContent-Length: 0\r\n\r\n".encode()
        with serving(where) as server:
            vendor.answers(api_key, named(f"http://127.0.0.1:{server.port}/a.png"))
            assert_refused(call(caller(open_relay, api_key)))
            assert server.accepted == 1 and target.accepted == 0


def test_the_asset_host_cannot_send_elsewhere(http, vendor, api_key):
    with serving(ok(PICTURE)) as target:
        sent = {"status": 302, "text": "", "headers": {"Location": f"http://127.0.0.1:{target.port}/"}}
        vendor.answers_all({api_key: [{}], f"asset:{api_key}": [sent]})
        assert_refused(draw(http))
        assert target.accepted == 0


@pytest.mark.parametrize("place", ["http://user:pass@{}/a.png", "ftp://{}/a.png", "file:///etc/passwd", "//{}/a.png", "http://{}/images/../a.png", "images\\..\\a.png"])
def test_places_that_are_none(open_relay, caller, vendor, api_key, place):
    with serving(ok(PICTURE)) as server:
        vendor.answers(api_key, named(place.format(f"127.0.0.1:{server.port}")))
        assert_refused(draw(caller(open_relay, api_key)))
        assert server.accepted == 0


def endless():
    yield b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + PICTURE[:64]
    while True:
        yield bytes(65536)


@pytest.mark.parametrize(
    "answer",
    [[ok(b"<html>")], [ok(b"")], [ok(b'{"secret":1}')], [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + PICTURE],
     [b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"], [b"odd"], [], [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000],
     endless()],
    ids=["page", "nothing", "json", "cut", "500", "odd", "close", "head", "endless"],
)  # fmt: skip
def test_answers_from_elsewhere_that_are_no_image(open_relay, caller, vendor, api_key, answer):
    with serving(*([] if not isinstance(answer, list) else answer)) as server:
        if not isinstance(answer, list):
            server.answer = answer
        vendor.answers(api_key, named(f"http://127.0.0.1:{server.port}/a.png"))
        refused = draw(caller(open_relay, api_key))
        assert_refused(refused)
        assert "secret" not in refused.text and server.accepted == 1


def test_a_server_elsewhere_that_is_silent(start_relay, caller, vendor, new_key):
    relay = start_relay(FETCH_ALLOW_NETWORKS="127.0.0.0/8", **provider("SLOW", "onemin", PASSTHROUGH="true", TIMEOUT="300ms"))
    key = new_key()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        vendor.answers(key, named(f"http://127.0.0.1:{silent.getsockname()[1]}/a.png"))
        answer = draw(caller(relay, key))
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")


def test_the_asset_host_may_be_private(relay, http, vendor, api_key):
    """Only the setting allows it: the tests' asset host is on loopback."""
    vendor.answers(api_key, {"absolute": True, "signed": False})
    assert draw(http).status_code == 200
