"""The fake vendor itself: what it accepts, refuses and does to its connection."""

import json
import socket
import time

import local_http
import pytest
from onemin_replies import default_answer

CHAT = "/api/chat-with-ai"


@pytest.fixture
def direct(vendor, api_key):
    headers = {"API-KEY": api_key, "User-Agent": "relay"}
    with local_http.Client(base_url=vendor.base_url, headers=headers, timeout=10) as http:
        yield http


def request(prompt="Hello", **fields):
    return {"type": "UNIFY_CHAT_WITH_AI", "model": "gpt-4o-mini", "promptObject": {"prompt": prompt}} | fields


def events(text):
    blocks = [block.split("\n") for block in text.split("\n\n") if block]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_answers_whole_and_streamed(direct):
    record = direct.post(CHAT, json=request("Hi")).json()["aiRecord"]
    assert record["aiRecordDetail"]["resultObject"] == [default_answer("Hi")]
    streamed = direct.post(CHAT + "?isStreaming=true", json=request("Hi"))
    assert streamed.headers["content-type"] == "text/event-stream"
    seen = events(streamed.text)
    assert "".join(data["content"] for name, data in seen if name == "content") == default_answer("Hi")
    assert [name for name, _ in seen][-2:] == ["result", "done"]


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "CHAT_WITH_AI"},
        {"type": None},
        {"stream": True},
        {"temperature": 1},
        {"promptObject": {"prompt": ""}},
        {"promptObject": {}},
        {"promptObject": {"prompt": "a", "conversationId": "x"}},
        {"promptObject": {"prompt": "a", "settings": {"withMemories": True}}},
        {"promptObject": {"prompt": "a", "settings": {"webSearchSettings": {"numOfSite": 11}}}},
        {"promptObject": {"prompt": "a", "settings": {"webSearchSettings": {"numOfSite": True}}}},
        {"promptObject": {"prompt": "a", "settings": {"webSearchSettings": {"maxWord": "5"}}}},
        {"promptObject": {"prompt": "a", "settings": {"webSearchSettings": {"webSearch": 1}}}},
        {"promptObject": {"prompt": "a", "settings": {"historySettings": {"isMixed": "no"}}}},
        {"promptObject": {"prompt": "a", "attachments": {"images": "x"}}},
    ],
)
def test_odd_bodies_are_refused_and_recorded(direct, vendor, api_key, odd):
    assert direct.post(CHAT, json=request(**odd)).status_code == 400
    assert vendor.take_violations(api_key)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"X-Stainless-Lang": "python"},
        {"OpenAI-Beta": "x"},
        {"Cookie": "a=b"},
        {"User-Agent": "OpenAI/Python 3"},
        {"Content-Type": "text/plain"},
    ],
)
def test_odd_headers_are_recorded(direct, vendor, api_key, headers):
    direct.post(CHAT, content=json.dumps(request()), headers={"Content-Type": "application/json"} | headers)
    assert vendor.take_violations(api_key)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"a":NaN}', b'{"a":"\xff"}', b'{"a":1,"a":2}', b'{"a":"\\ud800"}'])
def test_bodies_that_are_no_json_object(direct, vendor, api_key, body):
    answer = direct.post(CHAT, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and vendor.take_violations(api_key)


def test_paths_queries_and_methods(direct, vendor, api_key):
    assert direct.post("/api/chat", json=request()).status_code == 404
    assert direct.get(CHAT).status_code == 404
    direct.post(CHAT + "?stream=true", json=request())
    assert len(vendor.take_violations(api_key)) == 3


def test_models_and_keys_are_refused_in_the_vendors_words(direct, vendor):
    answer = direct.post(CHAT, json=request(model="whisper-1"))
    assert answer.status_code == 400
    assert answer.json()["message"] == "Model whisper-1 is not supported"
    answer = direct.post(CHAT, json=request(), headers={"API-KEY": "bad-1"})
    assert answer.status_code == 401 and answer.json()["errorCode"] == "HTTP_EXCEPTION"
    unknown = "/api/results/5f0c3a52-3c6e-4d27-8a73-3d6f4b1c9a10"
    assert direct.get(unknown).json() == {"aiRecord": None}
    assert direct.get(unknown, headers={"API-KEY": "bad-1"}).status_code == 401


def test_code_generator(direct, vendor, api_key):
    good = {"type": "CODE_GENERATOR", "model": "gpt-4o", "conversationId": "CODE_GENERATOR", "promptObject": {"prompt": "a"}}
    assert direct.post("/api/features", json=good).status_code == 200
    assert vendor.take_violations() == []
    for odd in ({"conversationId": "x"}, {"type": "CHAT_WITH_AI"}, {"promptObject": {"prompt": "a", "n": 1}}):
        assert direct.post("/api/features", json=good | odd).status_code == 400
        assert vendor.take_violations(api_key)


def test_live_model_list(vendor):
    with local_http.Client(base_url=vendor.base_url, headers={"User-Agent": "relay"}) as http:
        models = http.get("/models", params={"feature": "UNIFY_CHAT_WITH_AI"}).json()["models"]
        assert len(models) == 103
        http.get("/models?feature=UNIFY_CHAT_WITH_AI", headers={"API-KEY": "x"})
        assert vendor.take_violations("x")


def test_scenarios_follow_each_other(direct, vendor, api_key):
    vendor.answers(api_key, {"status": 500, "text": "<p>no"}, {"answer": "a"}, {"answer": "b"})
    assert direct.post(CHAT, json=request()).status_code == 500
    answers = [direct.post(CHAT, json=request()).json() for _ in range(3)]
    assert [a["aiRecord"]["aiRecordDetail"]["resultObject"] for a in answers] == [["a"], ["b"], ["b"]]


def raw(vendor, key, scenario, streamed=True):
    """Returns what the fake writes for one chat request, to the end of the connection or for 0.2 s."""
    vendor.answers(key, scenario)
    body = json.dumps(request()).encode()
    head = f"POST {CHAT}{'?isStreaming=true' if streamed else ''} HTTP/1.1\r\nHost: v\r\nAPI-KEY: {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    got = b""
    with socket.create_connection(("127.0.0.1", vendor.port)) as peer:
        peer.sendall(head.encode() + body)
        peer.settimeout(0.2)
        try:
            while data := peer.recv(65536):
                got += data
        except TimeoutError:
            pass
        except ConnectionResetError:
            got += b"RST"
    return got.partition(b"\r\n\r\n")[2]


def test_bytes_on_the_wire(vendor, new_key):
    simple = {"events": [["content", {"content": "é"}]], "framing": "close"}
    assert raw(vendor, new_key(), simple) == 'event: content\ndata: {"content":"é"}\n\n'.encode()
    odd = simple | {"line_end": "\r\n", "space": False, "comments": True, "ascii": True}
    assert raw(vendor, new_key(), odd) == b':keep going\r\nevent:content\r\ndata:{"content":"\\u00e9"}\r\n\r\n'
    assert raw(vendor, new_key(), {"body64": "YWJj", "split": "bytes"}) == b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"
    assert raw(vendor, new_key(), {"body64": "YWJj", "split": [2]}) == b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert raw(vendor, new_key(), {"body64": "YWJj", "cut_at": 1}) == b"1\r\na\r\n"
    assert raw(vendor, new_key(), {"body64": "YWJj", "cut_at": 1, "terminator": True}) == b"1\r\na\r\n0\r\n\r\n"
    assert raw(vendor, new_key(), {"body64": "YWJj", "cut_at": 2, "framing": "length"}) == b"ab"
    assert raw(vendor, new_key(), {"body64": "YWJj", "cut_at": 1, "cut_how": "rst"}).endswith(b"RST")
    assert raw(vendor, new_key(), {"body64": "YWJj", "stall_at": 2, "framing": "length"}) == b"ab"
    assert raw(vendor, new_key(), {"cut_at": -1}) == b""


def test_the_leaving_of_a_client_is_seen(vendor, api_key):
    raw(vendor, api_key, {"stall_at": -1})
    left = vendor.wait(api_key, "client_closed")
    assert left["sent"] == 0 and abs(left["at"] - time.monotonic()) < 5
    assert [event["event"] for event in vendor.events(api_key)] == ["opened", "request", "stalled", "client_closed"]
