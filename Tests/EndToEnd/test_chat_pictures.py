"""Images in chat requests: they reach the vendor unchanged, once, and at their position in the conversation."""

import asyncio
import base64
import hashlib
import json
import os
import socket
import threading
from contextlib import contextmanager

import local_http
import openai
import parts
import pytest
from chat import CHAT_PATH, MODEL, PATH, ask, body, refusal, stream, text_of
from memcached import wait_for
from parts import data_url, text, user
from pictures import picture
from relay_process import judges_memory

ASSETS = "/api/assets"
BLIND = "o3-mini"
GIF = base64.b64decode("R0lGODlhAQABAAAAACwAAAAAAQABAAA=")
JPEG = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x02\x00\x03\x01\x01\x11\x00" + bytes(40) + b"\xff\xd9"
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L\x0e\x00\x00\x00\x2f\x01\x00\x00\x00" + bytes(9)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
WHERE = "messages[0].content[1].image_url"


def asked(http, *messages, **fields):
    return ask(http, messages=list(messages), **fields)


def seen(http, picture, words="What is it?", **fields):
    return asked(http, user(text(words), parts.picture(picture)), **fields)


def test_a_picture_arrives_as_it_is(client, vendor, api_key, is_streamed):
    mine = picture("mine", 20, 10)
    message = user(text("What is it?"), parts.picture(mine, detail="low"))
    got = client.chat.completions.create(model=MODEL, messages=[message], stream=is_streamed)
    if is_streamed:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in got)
    else:
        assert got.choices[0].message.content and got.usage.prompt_tokens >= 1
    assert parts.pictures_of(vendor, api_key) == [mine]
    assert parts.call(vendor, api_key)["prompt"] == "What is it?\n[Image 1]"
    assert [request["path"] for request in vendor.requests(api_key)] == [ASSETS, CHAT_PATH]


def test_pictures_of_all_messages_in_their_order(client, vendor, api_key):
    mine = [picture(f"mine {number}") for number in range(4)]
    shown = list(map(parts.picture, mine))
    client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Be brief."},
            user(shown[0], text("The first."), shown[1], text("The second.")),
            {"role": "assistant", "content": "I see."},
            user(text("And é"), text("se?"), shown[2], shown[3]),
        ],
    )
    assert parts.pictures_of(vendor, api_key) == mine
    prompt = parts.call(vendor, api_key)["prompt"]
    assert "[Image 1]\nThe first.\n[Image 2]\nThe second." in prompt
    assert "And é\nse?\n[Image 3]\n[Image 4]\n" in prompt


def test_a_picture_alone(http, vendor, api_key):
    assert asked(http, user(parts.picture(GIF))).status_code == 200
    assert parts.call(vendor, api_key)["prompt"] == "[Image 1]"
    assert parts.pictures_of(vendor, api_key) == [GIF]


@pytest.mark.parametrize("role", ["system", "assistant", "user"])
def test_other_forms_and_roles(http, vendor, api_key, role):
    mine = picture("mine")
    content = [
        text("Look"), {"type": "image_url", "image_url": data_url(mine)},
        {"type": "input_image", "image_url": data_url(mine), "detail": "high"},
    ]  # fmt: skip
    assert asked(http, {"role": role, "content": content}, {"role": "user", "content": "So?"}).status_code == 200
    assert parts.pictures_of(vendor, api_key) == [mine, mine]
    assert len(vendor.requests(api_key, ASSETS)) == 1


def test_of_a_tool(http, vendor, api_key):
    call = {"id": "call_1", "type": "function", "function": {"name": "draw", "arguments": "{}"}}
    assert asked(
        http,
        {"role": "user", "content": "Draw"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [text("Done:"), parts.picture(GIF)]},
    ).status_code == 200  # fmt: skip
    assert "[call_1] Done:\n[Image 1]" in parts.call(vendor, api_key)["prompt"]


def test_a_large_picture_arrives_as_it_is(http, vendor, api_key):
    large = BIG[:-12] + chunk(os.urandom(3_000_001)) + BIG[-12:]
    assert seen(http, large).status_code == 200
    (upload,) = vendor.uploads(api_key)
    assert upload["sha256"] == hashlib.sha256(large).hexdigest()
    assert parts.call(vendor, api_key)["attachments"]["images"] == [upload["path"]]


def test_choices_share_uploads(http, vendor, api_key):
    assert seen(http, picture("mine"), n=3).status_code == 200
    assert len(vendor.requests(api_key, ASSETS)) == 1
    assert len(vendor.requests(api_key, CHAT_PATH)) == 3


def test_a_second_attempt_shares_uploads(http, vendor, api_key):
    busy = {"status": 400, "json": {"errorCode": "OPEN_AI_UNEXPECTED_ERROR", "message": "busy"}}
    vendor.answers(api_key, busy, {"answer": "good"})
    assert text_of(seen(http, picture("mine"))) == "good"
    assert len(vendor.requests(api_key, ASSETS)) == 1


def test_a_conversation_uploads_a_picture_once(http, vendor, api_key):
    mine = picture("mine")
    for turn in range(3):
        assert stream(http, messages=[user(text(f"Turn {turn}"), parts.picture(mine))]).is_done
        assert parts.pictures_of(vendor, api_key) == [mine]
    assert len(vendor.requests(api_key, ASSETS)) == 1


def test_another_key_uploads_it_again(relay, http, vendor, api_key, new_key):
    mine = picture("mine")
    other = new_key()
    seen(http, mine)
    headers = {"Authorization": f"Bearer {other}"}
    message = user(text("Mine"), parts.picture(mine))
    answer = local_http.post(relay.base_url + PATH, headers=headers, json=body(messages=[message]))
    assert answer.status_code == 200
    assert parts.pictures_of(vendor, other) == [mine] == parts.pictures_of(vendor, api_key)


@pytest.mark.parametrize("n", [1, 3])
def test_what_the_vendor_lost_is_uploaded_anew(http, vendor, api_key, is_streamed, n):
    old, new = picture("old"), picture("new")
    seen(http, old)
    vendor.forget(api_key)
    message = user(text("Both"), parts.picture(old), parts.picture(new))
    answer = http.post(PATH, json=body(messages=[message], n=n, stream=is_streamed))
    assert answer.status_code == 200 and b'"error"' not in answer.content
    assert parts.pictures_of(vendor, api_key) == [old, new]
    assert len(vendor.requests(api_key, ASSETS)) == 3


def test_a_refusal_is_not_tried_for_ever(http, vendor, api_key):
    vendor.answers(api_key, {"answer": "good"}, {"status": 400, "json": {"message": "No such attachment"}})
    seen(http, picture("mine"))
    answer = seen(http, picture("mine"))
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "No such attachment")
    assert len(vendor.requests(api_key, CHAT_PATH)) == 3
    assert len(vendor.requests(api_key, ASSETS)) == 2


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


BIG = picture("x", 64, 64)
BROKEN = {
    "empty url": ("", "invalid_image_url"),
    "file": ("file:///etc/passwd", "invalid_image_url"),
    "long": ("https://example.org/" + "a" * 9_000, "invalid_image_url"),
    "not base64": ("data:image/png,abc", "invalid_base64_image"),
    "wrong letters": ("data:image/png;base64,iVBORw0KGgo!", "invalid_base64_image"),
    "padding within": ("data:image/png;base64," + "A" * 196_605 + "===AAAA", "invalid_base64_image"),
    "text": (data_url(b"not a picture at all"), "invalid_image_format"),
    "svg": (data_url(SVG, "image/svg+xml"), "invalid_image_format"),
    "cut in its pixels": (data_url(BIG[:-20]), "invalid_image_format"),
    "cut webp": (data_url(WEBP[:-4]), "invalid_image_format"),
    "huge": (data_url(flipped(BIG, 17)[:16] + b"\x00\x01\x00\x00\x00\x01\x00\x00" + BIG[24:]), "image_too_large"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_pictures(http, vendor, api_key, name, is_streamed):
    url, code = BROKEN[name]
    messages = [user(text("What is it?"), parts.picture(url))]
    status, error, _ = refusal(http, is_streamed, messages=messages)
    assert (status, error["type"], error["code"]) == (400, "invalid_request_error", code), error
    assert error["param"] == WHERE
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize(
    ("part", "code", "param"),
    [
        ({"type": "image_url"}, "missing_required_parameter", WHERE),
        ({"type": "image_url", "image_url": {}}, "missing_required_parameter", WHERE + ".url"),
        ({"type": "image_url", "image_url": {"url": 1}}, "invalid_type", WHERE),
        ({"type": "image_url", "image_url": [1]}, "invalid_type", WHERE),
        (parts.picture(GIF, detail=3), "invalid_type", WHERE + ".detail"),
        ({"type": "input_image", "file_id": "file-x"}, "invalid_value", "messages[0].content[1].file_id"),
    ],
)
def test_odd_parts(http, vendor, api_key, part, code, param):
    status, error, _ = refusal(http, messages=[user(text("a"), part)])
    assert (status, error["code"], error["param"]) == (400, code, param)
    assert vendor.requests(api_key) == []


def test_one_broken_among_good_ones_ends_the_request(http, vendor, api_key):
    shown = [parts.picture(picture(f"mine {number}")) for number in range(3)]
    status, error, _ = refusal(http, messages=[user(*shown, parts.picture(data_url(b"nothing")))])
    assert (status, error["param"]) == (400, "messages[0].content[3].image_url")
    assert vendor.requests(api_key, CHAT_PATH) == []


@pytest.mark.parametrize("model", [BLIND, "dall-e-3", "tts-1"])
def test_a_model_without_vision(http, vendor, api_key, model):
    status, error, _ = refusal(http, model=model, messages=[user(text("a"), parts.picture(GIF))])
    assert (status, error["code"], error["param"]) == (400, "unsupported_value", "messages")
    assert vendor.requests(api_key) == []


def test_too_many(http, vendor, api_key):
    assert asked(http, user(*[parts.picture(GIF)] * 20)).status_code == 200
    assert len(parts.pictures_of(vendor, api_key)) == 20
    status, error, _ = refusal(http, messages=[user(*[parts.picture(GIF)] * 101)])
    assert (status, error["code"], error["param"]) == (400, "too_many_parts", "messages")


def test_the_newest_twenty_are_shown(http, vendor, api_key):
    mine = [picture(f"shot {number}") for number in range(23)]
    assert asked(http, *[user(text(f"Shot {number}."), parts.picture(one)) for number, one in enumerate(mine)]).status_code == 200
    assert parts.pictures_of(vendor, api_key) == mine[3:]
    prompt = parts.call(vendor, api_key)["prompt"]
    assert prompt.count("[An earlier image is not shown.]") == 3 and "Shot 3.\n[Image 1]" in prompt
    assert "Shot 2.\n[An earlier image is not shown.]" in prompt and "[Image 20]" in prompt
    # An older one is left out even if the same picture is shown again.
    assert asked(http, *[user(parts.picture(GIF))] * 50).status_code == 200


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ({"status": 400, "json": {"message": "The file is odd"}}, (400, None, WHERE)),
        ({"status": 415, "json": {"errorCode": "UNSUPPORTED_FILE_TYPE"}}, (400, None, WHERE)),
        ({"status": 401, "json": {"message": "gone"}}, (401, "invalid_api_key", None)),
        ({"status": 429, "json": {"message": "slow"}}, (429, "rate_limit_exceeded", None)),
        ({"status": 500, "json": {"message": "oh"}}, (502, "upstream_error", None)),
        ({"text": "<html>"}, (502, "upstream_error", None)),
        ({"json": {}}, (502, "upstream_error", None)),
        ({"cut_at": -1}, (502, "upstream_error", None)),
    ],
)
def test_an_upload_that_fails(http, vendor, api_key, scenario, expected):
    vendor.answers(f"upload:{api_key}", scenario)
    status, error, _ = refusal(http, messages=[user(text("a"), parts.picture(GIF))])
    assert (status, error["code"], error["param"]) == expected
    assert vendor.requests(api_key, CHAT_PATH) == []


def test_a_failed_upload_is_not_remembered(http, vendor, api_key):
    vendor.answers(f"upload:{api_key}", {"status": 500}, {"delay_first": 0})
    assert seen(http, GIF).status_code == 502
    assert seen(http, GIF).status_code == 200


@contextmanager
def host(pages):
    """A web server on loopback that serves `pages`; yields its address and the requests it received."""
    listener = socket.create_server(("127.0.0.1", 0))
    got = []

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                head = b""
                while b"\r\n\r\n" not in head and (more := peer.recv(4096)):
                    head += more
                got.append(head)
                page = pages.get(head.split(b" ")[1].decode() if b" " in head else "", b"")
                status = "200 OK" if page else "404 Not Found"
                said = f"HTTP/1.1 {status}\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n".encode()
                peer.sendall(said + page)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", got
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture(scope="module")
def fetching(launch):
    """A relay that may download from loopback."""
    return launch(FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.1/32")


@pytest.fixture
def near(fetching, api_key):
    with local_http.Client(base_url=fetching.base_url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30) as plain:
        yield plain


def test_by_url(near, vendor, api_key):
    mine = picture("mine")
    with host({"/a.png": mine}) as (address, got):
        for _ in range(2):
            assert seen(near, address + "/a.png").status_code == 200
            assert parts.pictures_of(vendor, api_key) == [mine]
        assert asked(near, user(*[parts.picture(address + "/a.png")] * 3)).status_code == 200
        assert len(got) == 3
    assert len(vendor.requests(api_key, ASSETS)) == 1
    assert api_key.encode() not in b"".join(got)
    assert address not in json.dumps(vendor.requests(api_key))


@pytest.mark.parametrize("settings", [{}, {"FETCH_IMAGES": "http"}, {"FETCH_IMAGES": "off"}], ids=str)
def test_no_url_leads_into_the_relays_network(start_relay, vendor, api_key, settings):
    relay = start_relay(**settings)
    with (
        host({"/a.png": picture("mine")}) as (address, got),
        local_http.Client(base_url=relay.base_url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30) as plain,
    ):
        port = address.rpartition(":")[2]
        for name in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"):
            for scheme in ("http", "https"):
                url = f"{scheme}://{name}:{port}/a.png"
                status, error, _ = refusal(plain, messages=[user(text("a"), parts.picture(url))])
                assert (status, error["code"], error["param"]) == (400, "invalid_image_url", WHERE), url
        assert got == []
    assert vendor.requests(api_key) == []


def test_a_refused_request_uploads_and_fetches_nothing(start_relay, vendor, new_key):
    relay = start_relay(
        RATE_LIMIT="1/hour", FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.1/32", PROVIDER_A_KIND="onemin",
        PROVIDER_A_API_KEYS=(own := new_key()), KEY_ONE_TOKEN=(token := new_key()), KEY_ONE_MODELS=MODEL,
    )  # fmt: skip
    with host({"/a.png": GIF}) as (address, got):
        message = user(parts.picture(GIF), parts.picture(address + "/a.png"))
        http = local_http.Client(base_url=relay.base_url, timeout=30)
        bearer = {"Authorization": f"Bearer {token}"}
        wrong = {"Authorization": f"Bearer {new_key('bad')}"}
        assert http.post(PATH, json=body(messages=[message]), headers=wrong).status_code == 401
        other = body(messages=[message], model="gpt-4o")
        assert http.post(PATH, json=other, headers=bearer).status_code == 404
        assert vendor.requests(own) == [] and got == []
        assert http.post(PATH, json=body(messages=[message]), headers=bearer).status_code == 200
        uploads = len(vendor.requests(own, ASSETS))
        assert (uploads, len(got)) == (2, 1)
        later = body(messages=[user(parts.picture(picture("b")))])
        assert http.post(PATH, json=later, headers=bearer).status_code == 429
        assert len(vendor.requests(own, ASSETS)) == uploads


def test_uploads_at_once_are_few(relay, vendor, api_key):
    """At most five run with one key, over all requests and threads. The others wait for their turn."""
    vendor.answers(f"upload:{api_key}", {"stall_at": -1})

    async def run():
        async with local_http.AsyncClient(base_url=relay.base_url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30) as http:
            asks = [
                asyncio.create_task(http.post(PATH, json=body(messages=[user(*[parts.picture(picture(f"{a} {b}")) for b in range(4)])])))
                for a in range(4)
            ]
            await asyncio.to_thread(vendor.wait, api_key, "stalled", 5)
            assert len(vendor.requests(api_key, ASSETS)) == 5
            await asyncio.to_thread(vendor.release, api_key)
            return [answer.status_code for answer in await asyncio.gather(*asks)]

    assert asyncio.run(run()) == [200] * 4
    assert len(vendor.requests(api_key, ASSETS)) == 16
    events = sorted(vendor.events(api_key), key=lambda event: event["at"])
    uploads = {request["number"] for request in vendor.requests(api_key, ASSETS)}
    running = most = 0
    for event in events:
        if event["request"] in uploads:
            running += {"request": 1, "finished": -1}.get(event["event"], 0)
            most = max(most, running)
    assert most == 5


@pytest.mark.parametrize("how", ["close", "half"])
def test_a_caller_that_leaves_ends_uploads(relay, http, vendor, api_key, how):
    vendor.answers(f"upload:{api_key}", {"stall_at": -1})
    shown = [parts.picture(picture(f"mine {number}")) for number in range(7)]
    with parts.sending(relay, api_key, user(*shown)) as peer:
        vendor.wait(api_key, "stalled", 5)
        if how == "half":
            peer.shutdown(socket.SHUT_WR)
        else:
            peer.close()
        vendor.wait(api_key, "client_closed", 5)
    assert len(vendor.requests(api_key)) == 5
    # Nobody holds a turn any more.
    vendor.answers(f"upload:{api_key}", {"delay_first": 0})
    assert asked(http, user(*shown)).status_code == 200


def test_a_caller_that_leaves_ends_a_fetch(fetching, vendor, api_key):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/a.png"
        with parts.sending(fetching, api_key, user(parts.picture(address))):
            fetch, _ = listener.accept()
        with fetch:
            fetch.settimeout(10)
            while fetch.recv(4096):
                pass
    assert vendor.requests(api_key) == []


def resident_megabytes(relay):
    with open(f"/proc/{relay.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1_024


@judges_memory
def test_memory_is_given_back(start_relay, vendor, new_key):
    """An image of 20 MB in base64 leaves no memory in use after the vendor has it, even while the vendor still
    works."""
    relay = start_relay(THREADS=1)

    def large(seed):
        return BIG[:-12] + chunk(bytes([seed]) * (15 << 20)) + BIG[-12:]

    def given_back(key, seed, scenario, **fields):
        """Waits until the relay has released its memory, while the vendor does not continue."""
        before = resident_megabytes(relay)
        vendor.answers(key, scenario)
        calls = len(vendor.events(key, "stalled"))
        with parts.sending(relay, key, user(text("a"), parts.picture(large(seed))), **fields):
            vendor.wait(key, "stalled", calls + 1, seconds=20)
            wait_for(lambda: resident_megabytes(relay) - before < 8)

    key = new_key()
    for seed in (1, 2):
        given_back(key, seed, {"stall_at": -1})
    # The remembered data may be needed again, until the vendor has accepted the call.
    given_back(key, 1, {"deltas": ["a", "b"], "stall_at": 50}, stream=True)
    assert len(vendor.requests(key, ASSETS)) == 2


def chunk(data: bytes) -> bytes:
    """Returns a private chunk of a PNG."""
    return len(data).to_bytes(4, "big") + b"prVt" + data + bytes(4)


def test_the_official_client_is_told(client, vendor, api_key):
    with pytest.raises(openai.BadRequestError) as caught:
        message = user(text("a"), parts.picture(data_url(b"nothing")))
        client.chat.completions.create(model=MODEL, messages=[message], stream=True)
    assert (caught.value.code, caught.value.param) == ("invalid_image_format", WHERE)
