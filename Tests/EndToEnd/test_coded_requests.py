"""Compressed JSON requests (`Content-Encoding: gzip` or `zstd`): all that clients may send, broken ones, and bombs."""

import base64
import gzip
import json
import random
import subprocess
import threading
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from conftest import TEAM_TOKEN, running
from openai_vendor import Server
from rawhttp import CHAT, Answer, ask, assert_error, chunked, connected, request, wait_until
from relay_process import Relay, judges_memory
from test_memory import MEGABYTE, resident
from test_metrics import Scrape

ECHO = {"PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "all", "MEMORY_MB": "128", "MAX_BODY_MB": "8"}
LIMIT = 8 * MEGABYTE
TURN = [{"role": "user", "content": "Grüße"}]
SURFACES = {
    CHAT: {"messages": TURN},
    "/v1/responses": {"input": TURN},
    "/v1/messages": {"messages": TURN, "max_tokens": 100},
    "/v1/messages/count_tokens": {"messages": TURN},
    "/v1/completions": {"prompt": "Grüße"},
}


def zstd(data: bytes, *options: str) -> bytes:
    return subprocess.run(["zstd", "-q", "-c", *options], input=data, capture_output=True, check=True).stdout


CODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": partial(gzip.compress, mtime=0), "zstd": zstd}
CODINGS = pytest.mark.parametrize("coding", CODERS)


def chat(content: str = "Grüße") -> bytes:
    return json.dumps({"model": "echo", "messages": [{"role": "user", "content": content}]}).encode()


PLAIN = chat()
PACKED = {coding: coder(PLAIN) for coding, coder in CODERS.items()}


echo = running(lambda: Relay(ECHO))


def post(relay: Relay, body: bytes, coding: str, path: str = CHAT, **fields: str | None) -> Answer:
    return ask(relay.port, request("POST", path, body, content_encoding=coding, **fields), seconds=60)


def text_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    return answer.json()["choices"][0]["message"]["content"]


@CODINGS
@pytest.mark.parametrize("path", SURFACES)
def test_each_endpoint_reads_coded_bodies(echo: Relay, path: str, coding: str) -> None:
    body = json.dumps({"model": "echo"} | SURFACES[path]).encode()
    answer = post(echo, CODERS[coding](body), coding, path)
    assert answer.status == 200, answer.body
    assert path.endswith("count_tokens") or "Grüße" in json.dumps(answer.json(), ensure_ascii=False)


@CODINGS
@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings"])
def test_the_vendor_gets_the_same_bytes(passing: Relay, server: Server, path: str, coding: str) -> None:
    fields = {"messages": TURN, "seed": 7} if path == CHAT else {"input": "Grüße"}
    body = json.dumps({"model": "fast"} | fields).encode()
    for content, value in ((body, "identity"), (CODERS[coding](body), coding)):
        answer = post(passing, content, value, path, authorization=f"Bearer {TEAM_TOKEN}")
        assert answer.status == 200, answer.body
    plain, coded = server.requests[-2:]
    assert plain["raw"] == coded["raw"] and plain["headers"] == coded["headers"]
    assert server.take_violations() == []


@pytest.mark.parametrize("value", ["GZIP", "x-gzip", " gzip ", "identity", "Zstd"])
def test_names_of_codings(echo: Relay, value: str) -> None:
    name = value.strip().lower().removeprefix("x-")
    assert "Grüße" in text_of(post(echo, PACKED.get(name, PLAIN), value))


@pytest.mark.parametrize("value", ["br", "deflate", "compress", "gzip, gzip", "gzip, zstd", "identity, gzip", "gzip;q=1", "zst"])
def test_other_codings(echo: Relay, value: str) -> None:
    assert assert_error(post(echo, PACKED["gzip"], value), 415)["code"] == "unsupported_media_type"


def test_a_coded_body_still_needs_its_media_type(echo: Relay) -> None:
    assert_error(post(echo, PACKED["gzip"], "gzip", content_type="text/plain"), 415)
    form = {"content_type": "multipart/form-data; boundary=b"}
    assert_error(post(echo, PACKED["gzip"], "gzip", "/v1/audio/transcriptions", **form), 415)
    assert_error(post(echo, PACKED["gzip"], "gzip", "/v1/images/edits", **form), 415)


@CODINGS
def test_members_and_frames_follow_each_other(echo: Relay, coding: str) -> None:
    coder = CODERS[coding]
    parts = [coder(PLAIN[:7]), coder(b""), coder(PLAIN[7:20]), coder(PLAIN[20:])]
    if coding == "zstd":
        parts[1:1] = [b"\x50\x2a\x4d\x18\x03\0\0\0abc", zstd(b"", "--no-check")]
    assert "Grüße" in text_of(post(echo, b"".join(parts), coding))


def frame(*blocks: bytes, window: int = 0x40) -> bytes:
    """Returns a frame of zstd with the first `blocks`. `window`: its window descriptor (RFC 8878, 3.1.1.1.2)."""
    return b"\x28\xb5\x2f\xfd\x00" + bytes([window]) + b"".join(blocks)


def repeated(count: int, *, is_last: bool = False) -> bytes:
    """Returns a block of zstd with `count` spaces."""
    return (count << 3 | 1 << 1 | is_last).to_bytes(3, "little") + b" "


BROKEN = {
    "gzip": [PACKED["gzip"][:-1], b"", PLAIN, PACKED["gzip"] + PACKED["zstd"]],
    "zstd": [PACKED["zstd"][:-1], PACKED["zstd"] + PACKED["gzip"], zstd(PLAIN, "--long=24"), frame(repeated(8, is_last=True), window=0x70)],
}


@pytest.mark.parametrize(
    ("coding", "body"), [(coding, body) for coding, bodies in BROKEN.items() for body in bodies], ids=lambda x: repr(x)[:40]
)
def test_broken_bodies(echo: Relay, coding: str, body: bytes) -> None:
    assert_error(post(echo, body, coding), 400)
    assert "Grüße" in text_of(post(echo, PACKED[coding], coding)), "the next request is not touched"


def test_a_window_of_8_mb_is_read(echo: Relay) -> None:
    body = chat("x" * 1000)
    assert text_of(post(echo, zstd(body, "--long=23"), "zstd")).endswith("x")
    spaces = frame(repeated(100), repeated(len(PLAIN), is_last=True), window=0x68)
    assert "Grüße" in text_of(post(echo, zstd(PLAIN) + spaces, "zstd"))


@CODINGS
def test_one_byte_beyond_the_limit(echo: Relay, coding: str) -> None:
    body = PLAIN + b" " * (LIMIT - len(PLAIN))
    assert "Grüße" in text_of(post(echo, CODERS[coding](body), coding))
    error = assert_error(post(echo, CODERS[coding](body + b" "), coding), 413)
    assert "when it is decompressed" in error["message"] and "MAX_BODY_MB" in error["message"]


def test_coded_bytes_that_decode_to_nothing_are_limited_too(echo: Relay) -> None:
    for coding, member in (("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstd(b""))):
        many = member * (LIMIT // len(member) + 1)
        assert_error(post(echo, many, coding), 413)
        fields = {"content_length": None, "transfer_encoding": "chunked", "content_type": "application/json"}
        head = request("POST", CHAT, None, content_encoding=coding, **fields)
        assert_error(ask(echo.port, head + chunked(many)), 413)
        assert "Grüße" in text_of(post(echo, member * 50_000 + PACKED[coding], coding))


def gzip_bomb() -> bytes:
    """Returns 1 GB of spaces: one compressed megabyte, repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = packer.compress(b" " * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + megabyte * 1024


def zstd_bomb() -> bytes:
    """Returns 10 GB of spaces with a window of 8 MB."""
    return frame(repeated(131_072) * (10 * 8192), window=0x68)


@judges_memory
@pytest.mark.parametrize(("coding", "bomb"), [("gzip", gzip_bomb), ("zstd", zstd_bomb)])
def test_bombs_end_at_the_limit(start_relay: Callable[..., Relay], coding: str, bomb: Callable[[], bytes]) -> None:
    relay = start_relay(**ECHO | {"MEMORY_MB": "512"})
    packed = bomb()
    before = resident(relay)
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(post(relay, packed, coding))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            assert ask(relay.port, request("POST", CHAT, PLAIN)).status == 200, "others are served"
            thread.join(0.1)
    assert [answer.status for answer in answers] == [413] * 4
    # A caller has a quarter of the memory budget.
    assert resident(relay) - before < 128 * MEGABYTE
    assert wait_until(lambda: held(relay) == 0, 20)


def held(relay: Relay) -> float:
    return Scrape(relay)("relay_memory_held_bytes", by="large") or 0


def at(server: Server) -> dict[str, str]:
    settings = {"KIND": "openai", "BASE_URL": server.base_url, "API_KEY": "key-of-the-row", "MODELS": "echo=up-coded"}
    return ECHO | {f"PROVIDER_DEMO_{name}": value for name, value in settings.items()}


@CODINGS
def test_decoded_bytes_are_counted(start_relay: Callable[..., Relay], server: Server, coding: str) -> None:
    relay = start_relay(**at(server))
    gate = threading.Event()
    server.says("up-coded", {"gate": gate})
    content = "All work and no play. " * (4 * MEGABYTE // 22)
    with connected(relay.port) as peer:
        peer.send(request("POST", CHAT, CODERS[coding](chat(content)), content_encoding=coding))
        assert wait_until(lambda: len(server.asked("up-coded")) == 1, 20)
        assert 2 * len(content) <= held(relay) <= 2 * len(content) + 2 * MEGABYTE
        gate.set()
        assert peer.receive().status == 200
    assert wait_until(lambda: held(relay) == 0, 20)
    assert server.take_violations() == []


def noise(size: int) -> str:
    """Returns text that is compressed to three quarters of its size."""
    return base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode()


@CODINGS
@pytest.mark.parametrize("content", ["All work and no play. " * (5 * MEGABYTE // 22), noise(5 * MEGABYTE)], ids=["text", "noise"])
def test_bodies_do_not_wait_for_each_other(start_relay: Callable[..., Relay], server: Server, coding: str, content: str) -> None:
    """Three of them fit into the memory of an address. The others wait for these, and not for each other."""
    relay = start_relay(**at(server))
    server.says("up-coded", {})
    packed = request("POST", CHAT, CODERS[coding](chat(content)), content_encoding=coding)
    answers: list[Answer] = []
    threads = [threading.Thread(target=lambda: answers.append(ask(relay.port, packed, seconds=30))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * 8, [answer.body[:200] for answer in answers]
    assert wait_until(lambda: held(relay) == 0, 20)


@CODINGS
def test_a_client_that_leaves_gives_the_memory_back(echo: Relay, coding: str) -> None:
    packed = CODERS[coding](chat(noise(4 * MEGABYTE)))
    with connected(echo.port) as peer:
        peer.send(request("POST", CHAT, packed, content_encoding=coding)[:-1])
        assert wait_until(lambda: held(echo) > 2_000_000, 20)
    assert wait_until(lambda: held(echo) == 0, 20)


def test_a_memory_too_small_for_the_window_is_told(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(**ECHO | {"MEMORY_MB": "32", "MAX_BODY_MB": "4"})
    body = zstd(chat("All work and no play. " * 50_000), "--long=23")
    assert "memory" in assert_error(post(relay, body, "zstd"), 413)["message"]
    assert text_of(post(relay, zstd(chat("Hi")), "zstd"))
