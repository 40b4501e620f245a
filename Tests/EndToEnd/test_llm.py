"""/llm: chats with the provider that has the most room, and reports about that."""

import json

import conftest
import httpx
import pytest
from balanced import Providers
from chat import MODEL, ask
from memcached import wait_for

TOKEN = "token-of-the-llm-tests-1"
HELD = {"stall_at": -1, "answer": "served"}
HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
FAILED = {"status": 500, "text": "", "extra": True}


@pytest.fixture
def llm(serve, caller):
    """`llm(a=2, PROVIDER_A_CONCURRENCY=4)`: providers, and a client with a token."""
    conftest.secrets.add(TOKEN)

    def made(providers=None, **how):
        providers, http = serve(providers, ANONYMOUS_MODELS="", KEY_TEAM_TOKEN=TOKEN, **how)
        known = caller(http.relay, TOKEN)
        known.relay = http.relay
        return providers, known

    return made


def chat(http, **fields):
    return http.post("/llm/chat", json={"messages": HELLO} | fields)


def report(http, path, status=200):
    answer = http.get(f"/llm/{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


def test_the_answer_is_the_text(llm):
    providers, http = llm(a=1, PROVIDER_A_CONCURRENCY=4)
    providers.answers("a", {"answer": "Hello there"})
    answer = chat(http)
    assert answer.status_code == 200 and answer.json() == {"result": "Hello there"}
    assert answer.headers["x-relay-provider"] == "a"
    with http.stream("POST", "/llm/chat/stream", json={"messages": HELLO}) as answer:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.read() == b"Hello there"
    events = http.post("/llm/chat/stream", json={"messages": HELLO}, headers={"Accept": "text/event-stream"}).text
    *pieces, done, rest = events.split("\n\n")
    assert "".join(json.loads(piece.removeprefix("data: "))["content"] for piece in pieces) == "Hello there"
    assert (done, rest) == ("data: [DONE]", "")


def test_each_piece_of_a_stream_is_sent_at_once(llm, vendor):
    providers, http = llm(a=1, PROVIDER_A_CONCURRENCY=4)
    (key,) = providers.keys["a"]
    vendor.answers(key, {"answer": "one two three four", "stall_at": 300})
    with http.stream("POST", "/llm/chat/stream", json={"messages": HELLO}) as answer:
        pieces = answer.iter_bytes()
        first = next(pieces)
        vendor.wait(key, "stalled", 1)
        vendor.release(key)
        assert b"one two three four".startswith(first) and first + b"".join(pieces) == b"one two three four"


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_a_broken_stream_does_not_look_finished(llm, accept):
    providers, http = llm(a=1, PROVIDER_A_CONCURRENCY=4)
    providers.answers("a", {"answer": "one two three four", "cut_at": 300})
    with http.stream("POST", "/llm/chat/stream", json={"messages": HELLO}, headers={"Accept": accept}) as answer:
        assert answer.status_code == 200
        if accept == "*/*":
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()
        else:
            assert answer.read().decode().split("\n\n")[-2].startswith('data: {"error":"')


def test_the_provider_with_most_room_is_asked_whatever_its_priority(llm, pool, vendor):
    providers, http = llm(a=1, b=1, PROVIDER_A_CONCURRENCY=2, PROVIDER_B_CONCURRENCY=4, PROVIDER_B_PRIORITY=2, PROVIDER_B_WEIGHT=1)
    calls = []
    for name in "abbabb":
        (key,) = providers.keys[name]
        vendor.answers(key, HELD)
        before = len(vendor.events(key, "stalled"))
        calls.append(pool.submit(chat, http))
        vendor.wait(key, "stalled", before + 1)
    assert providers.order() == "abbabb"
    refused = chat(http)
    assert refused.status_code == 503 and refused.json() == {"error": "No available instances"}
    assert refused.headers["retry-after"] == "1"
    refused = http.post("/generate", json={"prompt": "Hi"})
    assert refused.status_code == 503 and set(refused.json()) == {"detail"} and refused.headers["retry-after"] == "1"
    for keys in providers.keys.values():
        vendor.release(keys[0])
    assert all(call.result().status_code == 200 for call in calls)


def test_the_next_best_is_asked_after_a_failure(llm):
    providers, http = llm(a=1, b=1, PROVIDER_A_CONCURRENCY=2, PROVIDER_B_CONCURRENCY=4)
    providers.answers("a", FAILED)
    providers.answers("b", {"answer": "by b"})
    assert chat(http).json() == {"result": "by b"}
    providers.answers("b", FAILED)
    answer = chat(http)
    assert answer.status_code == 502 and answer.json()["error"].startswith("All providers failed: ")
    for accept in ("*/*", "text/event-stream"):
        answer = http.post("/llm/chat/stream", json={"messages": HELLO}, headers={"Accept": accept})
        assert answer.status_code == 502 and set(answer.json()) == {"error"}


def test_tools(llm):
    providers, http = llm(a=1, b=1, PROVIDER_A_CONCURRENCY=9, PROVIDER_B_CONCURRENCY=2, PROVIDER_A_TOOLS="false")
    providers.answers("b", {"answer": '<tool_call>\n{"name": "look", "arguments": {"x": 1}}\n</tool_call>'})
    answer = chat(http, tools=[TOOL]).json()
    (call,) = answer["tool_calls"]
    assert set(answer) == {"result", "tool_calls"} and answer["result"] == ""
    assert call["type"] == "function" and call["function"] == {"name": "look", "arguments": '{"x": 1}'} and call["id"]
    body = {"messages": HELLO, "tools": [TOOL]}
    refused = http.post("/llm/chat/stream", json=body)
    assert refused.status_code == 400 and "text/event-stream" in refused.json()["error"]
    events = http.post("/llm/chat/stream", json=body, headers={"Accept": "text/event-stream"}).text.split("\n\n")
    pieces = [json.loads(event[6:])["tool_calls"][0] for event in events if "tool_calls" in event]
    assert pieces[0]["function"]["name"] == "look"
    assert "".join(piece["function"].get("arguments", "") for piece in pieces) == '{"x": 1}'
    assert providers.counts("a") == [0]


def test_nobody_takes_tools(llm):
    _, http = llm(a=1, b=1, PROVIDER_A_CONCURRENCY=9, PROVIDER_A_TOOLS="false")
    answer = chat(http, tools=[TOOL])
    assert answer.status_code == 503 and answer.json() == {"error": "No available instances"}


def test_errors_have_their_own_shape(llm, caller):
    _, http = llm(a=1, PROVIDER_A_CONCURRENCY=1, KEY_SLOW_TOKEN="token-of-the-llm-tests-2", KEY_SLOW_RATE_LIMIT="1/hour")
    conftest.secrets.add("token-of-the-llm-tests-2")
    for path in ("/llm/chat", "/llm/chat/stream"):
        for body in ({}, {"x": 1}, {"messages": None}):
            answer = http.post(path, json=body)
            assert answer.status_code == 400 and answer.json() == {"error": "Missing required field 'messages'"}
        for content in (b"{", b"[]", b'{"messages": 5}'):
            answer = http.post(path, content=content, headers={"Content-Type": "application/json"})
            assert answer.status_code == 400 and set(answer.json()) == {"error"}
        for headers in ({}, {"Authorization": "Bearer wrong-key-of-nobody"}):
            answer = caller(http.relay).post(path, json={"messages": HELLO}, headers=headers)
            assert answer.status_code == 401 and set(answer.json()) == {"error"}
    slow = caller(http.relay, "token-of-the-llm-tests-2")
    assert chat(slow).status_code == 200
    answer = chat(slow)
    assert answer.status_code == 429 and set(answer.json()) == {"error"} and "retry-after" in answer.headers


def test_the_reports(llm, pool, vendor):
    providers, http = llm(
        a=2, b=2, c=1, PROVIDERS="b,a,c", PROVIDER_A_LABEL="zhipu", PROVIDER_A_KEY_WEIGHTS="2,1", PROVIDER_A_WEIGHT="1.2",
        PROVIDER_A_CONCURRENCY=100, PROVIDER_B_QPS=0.05, PROVIDER_B_MODELS=f"{MODEL},only-b={MODEL}",
    )  # fmt: skip
    keys = providers.keys["a"]
    for key in keys:
        vendor.answers(key, HELD)
    providers.answers("b", {"answer": "x", "status": 500})
    assert ask(http, model="only-b").status_code == 502 and sum(providers.counts("b")) == 1
    # Chats that begin at once may choose the same key: they begin one after the other.
    calls = []
    for number in range(1, 4):
        calls.append(pool.submit(chat, http))
        wait_for(lambda number=number: sum(len(vendor.events(key, "stalled")) for key in keys) == number)
    zhipu = {
        "type": "concurrency", "current": 3, "max": 200, "weight": 1.2,
        "keys": [{"key": "k1", "weight": 2.0, "current": 2}, {"key": "k2", "weight": 1.0, "current": 1}],
    }  # fmt: skip
    found = report(http, "system-capacity")
    used = found["details"]["b"]["current"]
    # A start of 20 seconds ago counts, so that no machine is too slow to see it.
    assert 0 < used <= 0.1 and found["details"]["b"] == {
        "type": "qps", "current": used, "max": 0.1, "weight": 1.0,
        "keys": [{"key": "k1", "weight": 1.0, "current": found["details"]["b"]["keys"][0]["current"]},
                 {"key": "k2", "weight": 1.0, "current": found["details"]["b"]["keys"][1]["current"]}],
    }  # fmt: skip
    assert found["details"]["zhipu"] == zhipu and found["total_max"] == {"concurrency": 200, "qps": 0.1}
    assert found["models"] == found["details"] and found["total"] == found["total_max"]
    assert set(found["details"]) == {"zhipu", "b"} and list(found) == ["total_max", "details", "total", "models"]
    assert report(http, "model-load/zhipu") == {"model": "zhipu"} | zhipu
    one = {"model": "zhipu", "key": "k1", "weight": 2.0, "current": 2, "max": 100}
    assert report(http, "key-load/zhipu/k1") == one == report(http, f"key-load/zhipu/{keys[0]}")
    assert report(http, "key-load/zhipu/k2")["current"] == 1
    assert report(http, "models") == {"models": ["b", "zhipu"]}
    assert report(http, "keys/zhipu") == {"model": "zhipu", "keys": [{"key": "k1", "weight": 2.0}, {"key": "k2", "weight": 1.0}]}
    for path in ("model-load/nobody", "key-load/nobody/k1", "keys/nobody", "model-load/c"):
        assert report(http, path, 404) == {"error": f"Model {path.split('/')[1]} not found"}
    assert report(http, "key-load/zhipu/k3", 404) == {"error": "API key not found"}
    for key in keys:
        vendor.release(key)
    assert all(call.result().status_code == 200 for call in calls)


def test_load_in_percent(llm, pool, vendor):
    providers, http = llm(a=1, PROVIDER_A_CONCURRENCY=3)
    assert report(http, "system-load") == {"load_percent": 0}
    (key,) = providers.keys["a"]
    vendor.answers(key, HELD)
    call = pool.submit(chat, http)
    vendor.wait(key, "stalled", 1)
    assert report(http, "system-load") == {"load_percent": 33.33}
    vendor.release(key)
    assert call.result().status_code == 200


def test_who_may_read_reports(llm, caller):
    _, http = llm(a=1, b=1, PROVIDER_A_CONCURRENCY=1, PROVIDER_B_CONCURRENCY=1, PROVIDER_A_LABEL="same", PROVIDER_B_LABEL="same")
    nobody = caller(http.relay)
    for path in ("system-load", "system-capacity", "model-load/a", "key-load/a/k1", "models", "keys/a"):
        assert nobody.get(f"/llm/{path}").status_code == 401
        assert http.get(f"/llm/{path}").status_code == 200
    assert report(http, "models") == {"models": ["a", "b"]}, ("their full names, as they share a label")
    answer = nobody.get("/llm/health")
    assert answer.status_code == 200 and answer.json()["status"] == "ok" and answer.json()["timestamp"].endswith("Z")


def test_nothing_has_a_bound(llm):
    _, http = llm(a=1)
    assert report(http, "system-load") == {"load_percent": 0} and report(http, "models") == {"models": []}
    empty = {"concurrency": 0, "qps": 0}
    assert report(http, "system-capacity") == {"total_max": empty, "details": {}, "total": empty, "models": {}}
    assert chat(http).json() == {"error": "No available instances"}


def test_two_instances_report_what_the_vendor_sees(launch, caller, pool, vendor, store):
    conftest.secrets.add(TOKEN)
    providers = Providers(vendor, conftest.secrets.add, a=2)
    shared = {"MEMCACHED_SERVERS": store.address, "MEMCACHED_TIMEOUT": "5s", "PROVIDER_A_CONCURRENCY": 20}
    more = {"ANONYMOUS_MODELS": "", "KEY_TEAM_TOKEN": TOKEN}
    clients = [caller(launch(**providers.settings(**shared, **more)), TOKEN) for _ in range(2)]
    keys = providers.keys["a"]
    for key in keys:
        vendor.answers(key, HELD)

    def figures(http):
        return [*(report(http, f"key-load/a/k{at}")["current"] for at in (1, 2)), report(http, "system-capacity")["details"]["a"]["current"]]

    running = []
    for number in range(1, 6):
        running.append(pool.submit(chat, clients[number % 2]))
        wait_for(lambda number=number: sum(len(vendor.events(key, "stalled")) for key in keys) == number)
        there = [len(vendor.events(key, "stalled")) for key in keys]
        wait_for(lambda there=there, number=number: [figures(http) for http in clients] == [[*there, number]] * 2)
    for key in keys:
        vendor.release(key)
    assert all(call.result().status_code == 200 for call in running)
    wait_for(lambda: [figures(http) for http in clients] == [[0, 0, 0]] * 2)
