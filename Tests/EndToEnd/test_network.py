"""Connections to the vendor: names, TLS, proxies."""

import contextlib
import datetime
import ipaddress
import json
import ssl
from pathlib import Path

import forwarders
import httpx
import local_http
import pytest
import trustme
from chat import PATH, body
from relay_process import provider


def ask(relay, key, **fields):
    return local_http.post(relay.base_url + PATH, json=body(**fields), headers={"Authorization": f"Bearer {key}"}, timeout=10)


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def served_by(authority, *names, **times):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, **times).configure_cert(context)
    return context


def test_an_authority_that_is_added_is_trusted(vendor, start_relay, authority, tmp_path, api_key):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with forwarders.tls(vendor.port, served_by(authority, "127.0.0.1")) as front:
        relay = start_relay(ONE_MIN_BASE_URL=f"https://127.0.0.1:{front.port}", SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        assert ask(relay, api_key).status_code == 200
        assert ask(relay, api_key, stream=True).text.endswith("data: [DONE]\n\n")


PAST, FUTURE = (datetime.datetime(year, 1, 1) for year in (2020, 2200))
UNKNOWN = "is not trusted: unable to get local issuer certificate"
FAULTS = {
    "unknown authority": ("127.0.0.1", {}, UNKNOWN, "add its certificate authority with SSL_CERT_FILE"),
    "other name": ("another.example", {}, "is for another host", "write a host of the certificate in the URL"),
    "expired": ("127.0.0.1", {"not_after": PAST}, "has expired", "have it renewed, or correct the clock of the relay's machine"),
    "early": ("127.0.0.1", {"not_before": FUTURE, "not_after": FUTURE.replace(year=2201)}, "is not valid yet", "correct the clock of the relay's machine, or have it replaced"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_vendor_that_cannot_prove_itself_gets_no_key(vendor, start_relay, authority, tmp_path, api_key, fault):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    name, times, text, advice = FAULTS[fault]
    trusted = None if fault == "unknown authority" else str(tmp_path / "ca.pem")
    with forwarders.tls(vendor.port, served_by(authority, name, **times)) as front:
        relay = start_relay(ONE_MIN_BASE_URL=f"https://127.0.0.1:{front.port}", SSL_CERT_FILE=trusted)
        for is_streamed in (False, True):
            answer = ask(relay, api_key, stream=is_streamed)
            assert answer.status_code == 502
            error = answer.json()["error"]
            assert error["code"] == "upstream_error"
            assert error["message"].startswith(f"The provider's certificate {text}. The operator can {advice}.")
            line = relay.wait_for_line(lambda line, kind=is_streamed: line.get("stream") is kind)
            assert f"the certificate of 127.0.0.1:{front.port}/" in line["cause"] and f"{text}; {advice}" in line["cause"]
    assert vendor.requests(api_key) == []


def test_http2_is_a_wish_that_a_vendor_may_decline(vendor, start_relay, authority, tmp_path, api_key):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = served_by(authority, "127.0.0.1")
    context.set_alpn_protocols(["http/1.1"])
    with forwarders.tls(vendor.port, context) as front:
        relay = start_relay(**provider("A", "onemin", f"https://127.0.0.1:{front.port}", HTTP2="true"), SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        assert ask(relay, api_key).status_code == 200


def test_calls_go_through_the_proxy_of_the_settings_only(vendor, start_relay, authority, tmp_path, api_key):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    seen = []
    with forwarders.proxy(seen) as proxy, forwarders.tls(vendor.port, served_by(authority, "127.0.0.1")) as front:
        address = f"http://127.0.0.1:{proxy.port}"
        plain = start_relay(UPSTREAM_PROXY=address)
        assert ask(plain, api_key).status_code == 200
        assert [line.split(" ")[:2] for line in seen] == [["POST", vendor.base_url + "/api/chat-with-ai"]]
        seen.clear()
        secure = start_relay(
            UPSTREAM_PROXY=address,
            ONE_MIN_BASE_URL=f"https://127.0.0.1:{front.port}",
            SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        )
        assert ask(secure, api_key).status_code == 200
        assert ask(secure, api_key, stream=True).text.endswith("data: [DONE]\n\n")
        assert {line.split(" ")[0] for line in seen} == {"CONNECT"}
        seen.clear()
        direct = start_relay(HTTP_PROXY=address, http_proxy=address, ALL_PROXY=address, all_proxy=address)
        assert ask(direct, api_key).status_code == 200
        assert seen == []


def names_of_this_machine():
    """Names in the hosts file that mean an IPv4 loopback address; libcurl itself answers `localhost`."""
    hosts = Path("/etc/hosts")
    for line in hosts.read_text().splitlines() if hosts.exists() else []:
        address, *names = line.split("#")[0].split() or [""]
        if address.startswith("127.") and ipaddress.ip_address(address):
            yield from ((address, name) for name in names if not name.startswith("localhost"))


def test_a_vendor_known_by_name_is_found_again_and_again(vendor, start_relay, new_key):
    found = next(names_of_this_machine(), None)
    if found is None:
        pytest.skip("the hosts file has no other name of a loopback address")
    address, name = found
    with forwarders.plain(vendor.port, address) as front:
        relay = start_relay(ONE_MIN_BASE_URL=f"http://{name}:{front.port}", THREADS="1")
        for turn in range(6):
            assert ask(relay, new_key(), stream=bool(turn % 2)).status_code == 200


PIECE = "x" * 1_000


class SecureVendor:
    """An OpenAI-compatible server over TLS. It ends a connection without notice after three responses, and cuts a
    stream of model `cut`."""

    def __init__(self, context):
        self.context = context
        self.front = forwarders.Forwarder(self.serve)

    def serve(self, peer):
        with self.context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=True) as inner:
            reader = inner.makefile("rb")
            for _ in range(3):
                asked = self.request(reader)
                if asked is None:
                    return
                (self.stream if asked.get("stream") else self.whole)(inner, asked["model"])
                if asked["model"] == "cut":
                    return

    def request(self, reader):
        length = 0
        while line := reader.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return json.loads(reader.read(length)) if length else None

    def whole(self, inner, model):
        message = {"role": "assistant", "content": PIECE * 200}
        answer = {"id": "a", "object": "chat.completion", "created": 1, "model": model, "usage": None}
        answer["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
        text = json.dumps(answer).encode()
        inner.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text) + text)

    def stream(self, inner, model):
        def chunk(delta, reason=None):
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            event = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
            data = b"data: " + json.dumps(event).encode() + b"\n\n"
            return b"%x\r\n" % len(data) + data + b"\r\n"

        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        inner.sendall(head + chunk({"role": "assistant", "content": ""}))
        for _ in range(10):
            inner.sendall(b"".join(chunk({"content": PIECE}) for _ in range(200)))
            if model == "cut":
                return
        inner.sendall(chunk({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


def test_tls_loses_nothing(start_relay, authority, tmp_path):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    vendor = SecureVendor(served_by(authority, "127.0.0.1"))
    relay = start_relay(
        PROVIDER_S_KIND="openai", PROVIDER_S_BASE_URL=f"https://127.0.0.1:{vendor.front.port}/v1", PROVIDER_S_MODELS="m,cut",
        PROVIDER_S_API_KEY="k-1", ANONYMOUS_MODELS="all", SSL_CERT_FILE=str(tmp_path / "ca.pem"), THREADS="1",
    )  # fmt: skip

    def content(lines):
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        choices = [event["choices"][0] for event in events if "choices" in event]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    fields = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    with local_http.Client(base_url=relay.base_url, timeout=20) as client:
        for turn in range(10):
            # The stream waits for its reader, and the vendor for it.
            with client.stream("POST", PATH, json=fields | {"stream": True}) as stream:
                whole = client.post(PATH, json=fields)
                assert whole.json()["choices"][0]["message"]["content"] == PIECE * 200, turn
                lines = list(stream.iter_lines())
            assert lines[-2:] == ["data: [DONE]", ""] and content(lines) == PIECE * 2_000, turn
        assert vendor.front.accepted < 15
        with client.stream("POST", PATH, json=fields | {"model": "cut", "stream": True}) as stream:
            lines = list(stream.iter_lines())
        assert content(lines) == PIECE * 200
        assert json.loads([line for line in lines if line][-1][6:])["error"]["code"] == "upstream_error"
    vendor.front.close()


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_audio_without_length_ends_with_close_notify(start_relay, authority, tmp_path, version, is_cut):
    context = served_by(authority, "127.0.0.1")
    context.maximum_version = version
    json_of = {"upload": b'{"text": "hi"}', "chat": response("hi")[1]}
    answers = {
        b"/v1/audio/speech": (b"audio/mpeg", b"a" * 100_000), b"/v1/chat/completions": (b"application/json", json_of["chat"]),
        b"/v1/audio/transcriptions": (b"text/plain", b"a" * 100_000), b"/v1/audio/translations": (b"application/json", json_of["upload"]),
    }  # fmt: skip

    def serve(peer):
        with context.wrap_socket(peer, server_side=True) as inner:
            received = b""
            while not received.endswith((b"}", b"--\r\n", b"0\r\n\r\n")):
                received += inner.recv(65536)
            inner.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %s\r\n\r\n%s" % answers[received.split()[1]])
            if not is_cut:
                inner.unwrap()

    front = forwarders.Forwarder(serve)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    relay = start_relay(
        PROVIDER_S_KIND="openai", PROVIDER_S_BASE_URL=f"https://127.0.0.1:{front.port}/v1", PROVIDER_S_MODELS="m,tts-1",
        PROVIDER_S_API_KEY="k-1", ANONYMOUS_MODELS="all", SSL_CERT_FILE=str(tmp_path / "ca.pem"),
    )  # fmt: skip
    fields = {"model": "tts-1", "input": "Hello", "voice": "alloy"}
    files = {"model": (None, "m"), "response_format": (None, "srt"), "file": ("a.mp3", b"ID3")}
    for path, sent in (("speech", {"json": fields}), ("transcriptions", {"files": files})):
        with pytest.raises(httpx.RemoteProtocolError) if is_cut else contextlib.nullcontext():
            assert local_http.post(f"{relay.v1}/audio/{path}", timeout=10, **sent).content == b"a" * 100_000
    # JSON shows its own end.
    assert content_of(relay) == "hi"
    assert local_http.post(relay.v1 + "/audio/translations", files=files, timeout=10).json() == {"text": "hi"}
    front.close()


def response(content, *records):
    """A chat completion as TLS records: its head, its body, and further `records`."""
    message = {"role": "assistant", "content": content}
    fields = {"id": "a", "object": "chat.completion", "created": 1, "model": "m", "usage": None}
    text = json.dumps(fields | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
    return [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(text), text, *records]


class OneSegmentVendor:
    """A TLS server that sends all records of a response at once. It serves three responses on a connection."""

    def __init__(self, context, records):
        self.context = context
        self.records = records
        self.front = forwarders.Forwarder(self.serve)

    def serve(self, peer):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        inner = self.context.wrap_bio(incoming, outgoing, server_side=True)

        def complete(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    peer.sendall(outgoing.read())
                    incoming.write(peer.recv(65536) or self.front.listener.recv(1))  # the end raises an OSError

        complete(inner.do_handshake)
        for _ in range(3):
            request = b""
            while not request.endswith(b"}"):
                request += complete(lambda: inner.read(65536))
            for record in self.records:
                inner.write(record)
            peer.sendall(outgoing.read())


def relay_before(vendor, start_relay, authority, folder, **settings):
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return start_relay(
        PROVIDER_S_KIND="openai", PROVIDER_S_BASE_URL=f"https://127.0.0.1:{vendor.front.port}/v1", PROVIDER_S_MODELS="m",
        PROVIDER_S_API_KEY="k-1", ANONYMOUS_MODELS="all", SSL_CERT_FILE=str(folder / "ca.pem"), THREADS="1", **settings,
    )  # fmt: skip


def content_of(relay):
    answer = local_http.post(relay.base_url + PATH, json={"model": "m", "messages": [{"role": "user", "content": "hi"}]}, timeout=5)
    return answer.json()["choices"][0]["message"]["content"]


def test_records_that_arrive_together_are_all_read(start_relay, authority, tmp_path):
    vendor = OneSegmentVendor(served_by(authority, "127.0.0.1"), response("one"))
    relay = relay_before(vendor, start_relay, authority, tmp_path)
    assert [content_of(relay) for _ in range(3)] == ["one"] * 3
    assert vendor.front.accepted == 1
    vendor.front.close()


def test_bytes_after_a_response_do_not_begin_the_next_one(start_relay, authority, tmp_path):
    forged = b"".join(response("forged"))
    vendor = OneSegmentVendor(served_by(authority, "127.0.0.1"), response("own", forged))
    relay = relay_before(vendor, start_relay, authority, tmp_path)
    assert [content_of(relay) for _ in range(3)] == ["own"] * 3
    assert vendor.front.accepted == 3
    vendor.front.close()


def test_a_proxy_behind_tls_loses_nothing(start_relay, authority, tmp_path):
    context = served_by(authority, "127.0.0.1")
    vendor = OneSegmentVendor(context, response("one"))
    seen = []
    with forwarders.proxy(seen) as inner, forwarders.tls(inner.port, context) as proxy:
        relay = relay_before(vendor, start_relay, authority, tmp_path, UPSTREAM_PROXY=f"https://127.0.0.1:{proxy.port}")
        assert [content_of(relay) for _ in range(3)] == ["one"] * 3
    assert [line.split(" ")[0] for line in seen] == ["CONNECT"]
    vendor.front.close()
