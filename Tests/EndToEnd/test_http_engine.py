"""The server's parsing of requests: malformed, too large, and unusual but valid ones."""

import time

import pytest
from conftest import echo_of_file
from rawhttp import (
    CHAT,
    Answer,
    ask,
    assert_error,
    assert_owed,
    chat_body,
    chunked,
    connected,
    request,
)
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

OTHER_CODINGS = {
    f"coding {value!r}": coding(value)
    for value in (b"gzip", b"gzip, chunked", b"chunked, gzip", b"identity", b"chunked;q=1", b"chunked,")
}

MALFORMED = {
    (400,): {
        "no host": GET + b"\r\n",
        "two equal hosts": GET + HOST + HOST + b"\r\n",
        "a host that is not UTF-8": GET + b"Host: a\xffb\r\n\r\n",
        "two equal lengths": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "two lengths, cases differ": POST + b"Content-Length: 2\r\ncontent-length: 0\r\n\r\n{}",
        "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
        "length and chunked": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(BODY),
        "empty coding": coding(b""),
        "chunked in HTTP/1.0": CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + chunked(BODY),
        "space before colon": field(b"X-Test : 1"),
        "NUL in a value": field(b"X-Test: a\x00b"),
        "bare CR in a value": field(b"X-Test: a\rb"),
        "folded length": POST + b"Content-Length:\r\n 2\r\n\r\n{}",
        "all bare LF": GET.replace(b"\r\n", b"\n") + HOST.replace(b"\r\n", b"\n") + b"\n",
        "no version": b"GET /health\r\n" + HOST + b"\r\n",
        "another protocol": b"SSH-2.0-client\r\n\r\n",
        "a path that leads out": target(b"/v1/%2e%2e/health"),
        "an escape that is cut": target(b"/v1/models/%2"),
        "a chunk whose size has a sign": CHUNKED + b"+2\r\n{}\r\n0\r\n\r\n",
        "a chunk that is longer than its size": CHUNKED + b"2\r\n{}X\r\n0\r\n\r\n",
        "extension over 256 bytes": CHUNKED + b"2;" + b"a" * 300 + b"\r\n{}\r\n0\r\n\r\n",
        "extension without an end": CHUNKED + b"2;" + b"a" * 70_000,
        "size without an end": CHUNKED + b"0" * 70_000,
        "trailers over 32 KB": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"X-Trailer: aaaaaaaa\r\n" * 2_000 + b"\r\n",
        "two empty lines first": b"\r\n\r\n" + NEXT,
    },
    (400, 501): OTHER_CODINGS,
    (501,): {"coding xchunked": coding(b"xchunked")}
    | {f"method {name!r}": target(b"/health", name) for name in (b"PROPFIND", b"get", b"A-very!long~method")},
    (405,): {f"method {name!r}": target(b"/health", name) for name in (b"TRACE", b"CONNECT")}
    | {"CONNECT with an authority": target(b"relay.test:80", b"CONNECT")},
    (505,): {"HTTP/0.9 by its name": b"GET /health HTTP/0.9\r\n" + HOST + b"\r\n"},
    (400, 505): {
        "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        "TLS hello": TLS_HELLO,
        "TLS hello without a line end": TLS_HELLO[:120].replace(b"\n", b""),
    },
    (414,): {
        "query over 8 KB": target(b"/health?" + b"a" * 9_000),
        "target without an end": b"GET /" + b"a" * 20_000,
    },
    (414, 431): {"target of more than a head": b"GET /" + b"a" * 40_000},
    (431,): {
        "a field without an end": GET + HOST + b"X-Test: " + b"a" * 100_000,
        "a name without an end": GET + HOST + b"X" * 100_000,
        "101 fields": GET + HOST + b"X-Test: a\r\n" * 100 + b"\r\n",
        "fields without an end": GET + HOST + b"X-Test: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 4_000,
        "fields of 33 KB": GET + HOST + (b"X-Test: " + b"a" * 1_000 + b"\r\n") * 33 + b"\r\n",
    },
}
"""Some of each kind; `RequestParserTests`, `RequestTargetTests` and `ChunkedBodyTests` have all."""

CASES = [
    pytest.param(data, statuses, id=f"{'/'.join(map(str, statuses))} {name}")
    for statuses, named in MALFORMED.items()
    for name, data in named.items()
]


@pytest.mark.parametrize(("data", "statuses"), CASES)
@pytest.mark.parametrize("piece", [None, 1], ids=["whole", "bytewise"])
def test_malformed_input_is_refused_once_and_closed(
    relay: Relay, data: bytes, statuses: tuple[int, ...], piece: int | None
) -> None:
    if piece and len(data) > 12_000:
        piece = 997
    with connected(relay.port) as connection:
        connection.send(data, piece)
        connection.send(NEXT)
        answer = connection.receive()
        assert_error(answer, *statuses)
        if answer.status == 405:
            assert answer["allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
        assert (answer["connection"] or "").lower() == "close"
        connection.assert_closed()
    assert ask(relay.port, NEXT).status == 200


HEALTHY = {
    "plain": NEXT,
    "HTTP/1.1 with a tab after the colon": GET + b"Host:\ta\r\n\r\n",
    "no space after the colon": GET + b"Host:a\r\n\r\n",
    "spaces around a value": GET + b"Host:   a  \r\n\r\n",
    "an empty value": field(b"X-Test:"),
    "Latin-1 in a value": field(b"X-Test: \xe9\xff"),
    "UTF-8 in a value": field("X-Test: é".encode()),
    "every token character": field(b"!#$%&'*+-.^_`|~09azAZ: 1"),
    "100 fields": GET + HOST + b"X-Test: a\r\n" * 99 + b"\r\n",
    "a field of 30 KB": field(b"X-Test: " + b"a" * 30_000),
    "a target of 8 KB": target(b"/health?" + b"a" * 8_000),
    "an empty line first": b"\r\n" + NEXT,
    "absolute form": target(b"http://relay.test/health"),
    "absolute form with a port and a query": target(b"http://other.test:81/health?a=b"),
    "absolute form, https, scheme in capitals": target(b"HTTPS://relay.test/health"),
    "absolute form without a path": target(b"http://relay.test"),
    "absolute form with a query alone": target(b"http://relay.test?a=b"),
    "escapes in the path": target(b"/v1/%6dodels"),
    "escapes in the query": target(b"/health?a=%20%2e%2e"),
    "dots in the query": target(b"/health?../.."),
    "a GET with an empty body": GET + HOST + b"Content-Length: 0\r\n\r\n",
    "leading zeros in the length": GET + HOST + b"Content-Length: 000\r\n\r\n",
} | {
    f"host {value!r}": GET + b"Host: " + value + b"\r\n\r\n"
    for value in (b"127.0.0.1:80", b"[::1]", b"[2001:db8::1]:443", b"a-b.example", b"under_score.test", b"a:", b"LOCAL")
}


@pytest.mark.parametrize("data", HEALTHY.values(), ids=HEALTHY.keys())
@pytest.mark.parametrize("piece", [None, 1], ids=["whole", "bytewise"])
def test_unusual_heads_are_served_and_the_connection_kept(relay: Relay, data: bytes, piece: int | None) -> None:
    with connected(relay.port) as connection:
        connection.send(data, piece if len(data) < 12_000 else None)
        answer = connection.receive()
        assert answer.status == 200, answer.body
        assert_owed(answer)
        connection.assert_open()


@pytest.mark.parametrize(
    "data",
    [
        GET + HOST + b"Content-Length: 4\r\n\r\nbody",
        GET + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b"body"),
    ],
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


BODIES = {
    "by length": request("POST", CHAT, BODY),
    "one chunk": CHUNKED + chunked(BODY),
    "many chunks": CHUNKED + chunked(*(BODY[at : at + 3] for at in range(0, len(BODY), 3))),
    "sizes in capitals with zeros": CHUNKED + b"00%X\r\n%s\r\n000\r\n\r\n" % (len(BODY), BODY),
    "extensions": CHUNKED + b"%x;name=value;q=\"a b\"\r\n%s\r\n0;last\r\n\r\n" % (len(BODY), BODY),
    "trailers": CHUNKED + chunked(BODY)[:-2] + b"X-Sum: 1\r\nExpires: never\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("data", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("piece", [None, 1, 7], ids=["whole", "bytewise", "sevens"])
def test_bodies_in_any_framing_and_pieces(relay: Relay, data: bytes, piece: int | None) -> None:
    with connected(relay.port) as connection:
        connection.send(data, piece)
        answer = connection.receive()
        assert answer.status == 200, answer.body
        assert "hello" in answer.json()["choices"][0]["message"]["content"]
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


def test_pipelined_requests_are_answered_in_order(relay: Relay) -> None:
    sent, expected = b"", []
    for number in range(100):
        kind = number % 5
        if kind == 0:
            sent += request("POST", CHAT, chat_body(f"number {number}."))
            expected.append((200, f"number {number}."))
        elif kind == 1:
            sent += request("GET", f"/nothing/{number}/here")
            expected.append((404, f"/nothing/{number}/here"))
        elif kind == 2:
            sent += CHUNKED + chunked(chat_body(f"number {number}.", stream=True))
            expected.append((200, "[DONE]"))
        elif kind == 3:
            sent += request("HEAD", "/health")
            expected.append((200, ""))
        else:
            sent += request("PUT", "/health", b"ignored")
            expected.append((405, "method_not_allowed"))
    for piece in (None, 1000):
        with connected(relay.port) as connection:
            connection.send(sent, piece)
            for number, (status, text) in enumerate(expected):
                answer = connection.receive("HEAD" if number % 5 == 3 else "GET")
                assert answer.status == status, (number, answer.body)
                assert text in answer.body.decode(), number
            connection.assert_open()


def test_malformed_after_pipelined_requests_is_answered_in_its_turn(relay: Relay) -> None:
    with connected(relay.port) as connection:
        connection.send(request("POST", CHAT, BODY) + request("GET", "/health") + b"BAD\r\n\r\n" + NEXT)
        assert connection.receive().status == 200
        assert connection.receive().status == 200
        assert_error(connection.receive(), 400)
        connection.assert_closed()


def test_the_body_is_not_read_as_a_request(relay: Relay) -> None:
    inner = request("GET", "/health")
    with connected(relay.port) as connection:
        assert_error(connection.ask(request("POST", CHAT, inner)), 400)
        assert connection.rest == b""
        connection.assert_open()


def expecting(method: str = "POST", path: str = CHAT, size: int = len(BODY), **fields: str | None) -> bytes:
    """Returns a head that waits for 100 (Continue)."""
    return request(method, path, b"", expect="100-continue", content_length=str(size), **fields)


def test_continue_comes_when_the_body_is_wanted(relay: Relay) -> None:
    with connected(relay.port) as connection:
        connection.send(expecting())
        connection.expect_continue()
        connection.send(BODY)
        answer = connection.receive()
        assert answer.status == 200 and answer.interim == []
        connection.assert_open()


def test_continue_for_a_chunked_body(relay: Relay) -> None:
    with connected(relay.port) as connection:
        connection.send(CHUNKED.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        connection.expect_continue()
        connection.send(chunked(BODY))
        assert connection.receive().status == 200
        connection.assert_open()


def test_a_body_that_comes_unasked_needs_no_continue(relay: Relay) -> None:
    with connected(relay.port) as connection:
        answer = connection.ask(expecting() + BODY)
        assert answer.status == 200 and answer.interim in ([], [100])
        connection.assert_open()


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


def assert_too_large(answer: Answer) -> None:
    assert assert_error(answer, 413)["code"] == "request_too_large"
    assert (answer["connection"] or "").lower() == "close"


@pytest.mark.parametrize("size", [MEGABYTE + 1, 10**9, 2**53])
def test_too_large_by_its_declared_length_alone(relay: Relay, size: int) -> None:
    with connected(relay.port) as connection:
        assert_too_large(connection.ask(request("POST", CHAT, b"", content_length=str(size))))
        connection.assert_closed()


def test_too_large_is_told_to_a_client_that_sends_all_first(relay: Relay) -> None:
    data = request("POST", CHAT, b"x" * (4 * MEGABYTE))
    with connected(relay.port) as connection:
        assert_too_large(connection.ask(data))
        connection.assert_closed()


def test_one_declared_huge_chunk(relay: Relay) -> None:
    with connected(relay.port) as connection:
        connection.send(CHUNKED + b"7fffffffffff\r\n" + b"x" * (2 * MEGABYTE))
        assert_too_large(connection.receive())


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_a_body_of_just_the_limit_is_read(relay: Relay, is_chunked: bool) -> None:
    body = chat_body("x" * (MEGABYTE - len(chat_body(""))))
    assert len(body) == MEGABYTE
    with connected(relay.port) as connection:
        answer = connection.ask(CHUNKED + chunked(body) if is_chunked else request("POST", CHAT, body))
        assert answer.status == 200, answer.body[:300]
        connection.assert_open()


def test_a_chunked_body_may_pause_at_just_the_limit(relay: Relay) -> None:
    """Bytes after the last allowed one are read: the body's end, or one byte too many."""
    body = chat_body("x" * (MEGABYTE - len(chat_body(""))))
    for rest, status in ((b"0\r\n\r\n", 200), (b"1\r\nx\r\n0\r\n\r\n", 413)):
        with connected(relay.port) as connection:
            connection.send(CHUNKED + b"%x\r\n%s\r\n" % (len(body), body))
            time.sleep(0.3)
            connection.send(rest)
            assert connection.receive().status == status


def test_a_chunked_body_that_came_before_it_was_wanted(relay: Relay) -> None:
    """The body waits, as far as it was read, behind another request whose response takes a while."""
    body = chat_body("y" * 300_000)
    data = request("POST", CHAT, chat_body("!delay=500 slow")) + CHUNKED + chunked(body)
    with connected(relay.port) as connection:
        connection.send(data[:10_000])
        time.sleep(0.1)
        connection.send(data[10_000:])
        assert connection.receive().status == 200
        answer = connection.receive()
        assert answer.status == 200, answer.body[:300]
        connection.assert_open()


def test_many_small_chunks(relay: Relay) -> None:
    body = chat_body("y" * 100_000)
    with connected(relay.port) as connection:
        answer = connection.ask(CHUNKED + chunked(*(body[at : at + 1] for at in range(len(body)))))
        assert answer.status == 200, answer.body[:300]
        connection.assert_open()
