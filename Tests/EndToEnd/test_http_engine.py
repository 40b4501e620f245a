"""The server's parsing of requests: malformed, too large, and unusual but valid ones."""


import pytest
from conftest import echo_of_file
from rawhttp import CHAT, ask, assert_error, chat_body, chunked, connected, request
from relay_process import Relay

GET = b"GET /health HTTP/1.1\r\n"
HOST = b"Host: relay.test\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = chat_body()
NEXT = request("GET", "/health")
MEGABYTE = 1 << 20


relay = echo_of_file()


def field(line: bytes) -> bytes:
    """Returns a request for /health with one more header line."""
    return GET + HOST + line + b"\r\n\r\n"


def coding(value: bytes) -> bytes:
    return POST + b"Transfer-Encoding: " + value + b"\r\n\r\n" + chunked(BODY)


def target(value: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + value + b" HTTP/1.1\r\n" + HOST + b"\r\n"


TLS_HELLO = b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03" + bytes(range(200)) + b"\r\n\r\n"
MALFORMED = {
    (400,): {
        "no host": GET + b"\r\n", "length and chunked": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(BODY),
        "no version": b"GET /health\r\n" + HOST + b"\r\n", "a path that leads out": target(b"/v1/%2e%2e/health"),
        "a chunk that is longer than its size": CHUNKED + b"2\r\n{}X\r\n0\r\n\r\n", "size without an end": CHUNKED + b"0" * 70_000,
        "trailers over 32 KB": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X-Trailer: aaaaaaaa\r\n" * 2_000 + b"\r\n",
    },
    (501,): {"an unknown coding": coding(b"xchunked"), "an unknown method": target(b"/health", b"PROPFIND")},
    (405,): {"TRACE": target(b"/health", b"TRACE"), "CONNECT": target(b"relay.test:80", b"CONNECT")},
    (400, 505): {"HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00\x00\x00\x00\x00", "TLS hello": TLS_HELLO},
    (414,): {"target without an end": b"GET /" + b"a" * 20_000},
    (431,): {"a field without an end": GET + HOST + b"X-Test: " + b"a" * 100_000},
}  # fmt: skip
"""Some of each kind; `RequestParserTests`, `RequestTargetTests` and `ChunkedBodyTests` have all."""

CASES = [
    pytest.param(data, statuses, id=f"{'/'.join(map(str, statuses))} {name}")
    for statuses, named in MALFORMED.items()
    for name, data in named.items()
]


@pytest.mark.parametrize(("data", "statuses"), CASES)
def test_malformed_input_is_refused_once_and_closed(relay: Relay, data: bytes, statuses: tuple[int, ...]) -> None:
    with connected(relay.port) as connection:
        connection.send(data)
        connection.send(NEXT)
        answer = connection.receive()
        assert_error(answer, *statuses)
        if answer.status == 405:
            assert answer["allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        assert (answer["connection"] or "").lower() == "close"
        connection.assert_closed()
    assert ask(relay.port, NEXT).status == 200


@pytest.mark.parametrize(
    "data",
    [GET + HOST + b"Content-Length: 4\r\n\r\nbody", GET + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"body")],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("piece", [None, 1], ids=["whole", "bytewise"])
def test_a_body_that_nobody_wants_is_no_next_request(relay: Relay, data: bytes, piece: int | None) -> None:
    """The connection is kept if the body has arrived, and otherwise closed, as the response says."""
    with connected(relay.port) as connection:
        connection.send(data, piece)
        answer = connection.receive()
        assert answer.status == 200
        if (answer["connection"] or "").lower() == "close":
            assert piece, "closed although the whole request had come"
            connection.assert_closed()
        else:
            connection.assert_open()


def test_options_star_and_head(relay: Relay) -> None:
    with connected(relay.port) as connection:
        assert connection.ask(target(b"*", b"OPTIONS")).status in (200, 204)
        connection.send(target(b"/health", b"HEAD"))
        answer = connection.receive("HEAD")
        assert (answer.status, answer.body) == (200, b"")
        connection.assert_open()


@pytest.mark.parametrize("bad", [b"GET\r\n\r\n", field(b"a b: c"), target(b"/health", b"TRACE"), b"\x16\x03\x01\r\n"])
def test_a_malformed_request_after_head_has_a_whole_answer(relay: Relay, bad: bytes) -> None:
    with connected(relay.port) as connection:
        connection.send(target(b"/health", b"HEAD") + bad)
        assert connection.receive("HEAD").status == 200
        answer = connection.receive()
        assert_error(answer, 400, 405)
        assert answer.body and answer["connection"] == "close"
        connection.assert_closed()


@pytest.mark.parametrize("host", [b"", HOST], ids=["no host", "host"])
def test_http_1_0_is_answered_and_closed(relay: Relay, host: bytes) -> None:
    with connected(relay.port) as connection:
        answer = connection.ask(b"GET /health HTTP/1.0\r\n" + host + b"\r\n")
        assert answer.status == 200
        connection.assert_closed()


def test_stream_to_http_1_0_is_not_chunked(relay: Relay) -> None:
    body = chat_body("one two three", stream=True)
    with connected(relay.port) as connection:
        answer = connection.ask(request("POST", CHAT, body).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert answer.status == 200 and not answer.is_chunked and answer["transfer-encoding"] is None
        assert answer.events()[-1] == "[DONE]"
        connection.assert_closed()


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close", "close, te"])
def test_connection_close_is_honoured(relay: Relay, value: str) -> None:
    with connected(relay.port) as connection:
        answer = connection.ask(request("GET", "/health", connection=value))
        assert answer.status == 200 and (answer["connection"] or "").lower() == "close"
        connection.assert_closed()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("POST", CHAT, b"{"), 400),
        (request("POST", CHAT, BODY, content_type="text/plain"), 415),
        (request("POST", CHAT, chat_body(model="no-such-model")), 404),
        (request("POST", "/v1/nothing", BODY), 404),
        (request("PUT", CHAT, BODY), 405),
    ],
)
def test_refused_with_its_body_read_keeps_the_connection(relay: Relay, data: bytes, status: int) -> None:
    with connected(relay.port) as connection:
        for _ in range(3):
            answer = connection.ask(data)
            assert_error(answer, status)
            if (answer["connection"] or "").lower() == "close":
                connection.assert_closed()
                pytest.fail("closed although the whole request had come")
        connection.assert_open()


def expecting(method: str = "POST", path: str = CHAT, size: int = len(BODY), **fields: str | None) -> bytes:
    """Returns a head that waits for 100 (Continue)."""
    return request(method, path, b"", expect="100-continue", content_length=str(size), **fields)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (expecting(path="/v1/nothing"), 404),
        (expecting("PUT"), 405),
        (expecting(content_type="text/plain"), 415),
        (expecting(size=MEGABYTE + 1), 413),
        (expecting(size=10**15), 413),
    ],
    ids=["404", "405", "415", "413", "413 huge"],
)
def test_no_continue_for_an_unwanted_body(relay: Relay, data: bytes, status: int) -> None:
    with connected(relay.port) as connection:
        answer = connection.ask(data)
        assert_error(answer, status)
        assert answer.interim == [] and (answer["connection"] or "").lower() == "close"
        connection.assert_closed()


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_body_of_just_the_limit_is_read(relay: Relay, is_chunked: bool) -> None:
    body = chat_body("x" * (MEGABYTE - len(chat_body(""))))
    assert len(body) == MEGABYTE
    with connected(relay.port) as connection:
        answer = connection.ask(CHUNKED + chunked(body) if is_chunked else request("POST", CHAT, body))
        assert answer.status == 200, answer.body[:300]
        connection.assert_open()
