"""The response cache: which responses are found again, which are not cached, and for whom."""

import json
import os
import re
import shutil
import socket
import threading
import time
import uuid

import checked
import conftest
import httpx
import openai
import paneled
import pytest
from chat import PATH, streamed
from memcached import wait_for
from openai_vendor import chunk
from rawhttp import connected, request
from relay_process import provider
from sealed import altered

TEAM, MATE = "token-of-the-cache-team-0", "token-of-the-cache-mate-0"
UP = "up-kept"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
CALL = ("call_1", "look", '{"at":"Rome"}')


def environment(server, **more):
    conftest.secrets.update((TEAM, MATE))
    return {
        **provider("ROW", "openai", server.base_url, f"kept={UP},a=up-a,b=up-b,s=up-s,fresh=up-fresh", API_KEY="key-of-the-row", COST="0.001"),
        "KEY_TEAM_TOKEN": TEAM, "KEY_MATE_TOKEN": MATE, "ANONYMOUS_MODELS": "kept", "DEFAULT_MODEL": "kept", "FALLBACK_MODEL": "kept",
        "CACHE": "true", "CACHE_MODELS": "kept,e*,unknown", "MODEL_REPLACEMENTS": "ended:kept", "PANEL_EXPERTS_MODELS": "a,b",
        "PANEL_EXPERTS_SUMMARY_MODEL": "s",
    } | more  # fmt: skip


def client_of(relay, token=TEAM):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return checked.client(httpx, base_url=relay.base_url, headers=headers, timeout=30)


@pytest.fixture(scope="module")
def keeping(launch, server):
    return launch(**environment(server, CACHE_COALESCE="true"))


@pytest.fixture
def http(keeping, server):
    server.says(UP, *({"text": f"answer {number}"} for number in range(100)))
    with client_of(keeping) as plain:
        yield plain
    assert server.take_violations() == []


@pytest.fixture
def prompt(mark):
    return f"What is {mark}?"


def body(prompt, **fields):
    return {"model": "kept", "messages": [{"role": "user", "content": prompt}]} | fields


def state(answer):
    return answer.headers.get("x-relay-cache")


def states(http, *bodies, path=PATH, **how):
    answers = [http.post(path, json=one, **how) for one in bodies]
    assert all(answer.status_code == 200 for answer in answers), [answer.text for answer in answers]
    return [state(answer) for answer in answers]


def metric(text, name):
    return float(re.search(rf"^relay_cache_{name} (.*)$", text, re.M)[1])


def asked(server):
    return len(server.asked(UP))


def test_whole_answer(http, server, prompt):
    first, second = (http.post(PATH, json=body(prompt)) for _ in range(2))
    assert (state(first), state(second), asked(server)) == ("miss", "hit", 1)
    one, other = first.json(), second.json()
    assert one.pop("id") != other["id"] and other.pop("id").startswith("chatcmpl-")
    one.pop("created")
    assert time.time() - 60 < other.pop("created")
    assert one == other and one["system_fingerprint"] == "fp_vendor", "all that the vendor told"
    assert first.headers["x-relay-provider"] == "row" and first.headers["x-relay-cost"] == "0.000017"
    assert "x-relay-provider" not in second.headers and second.headers["x-relay-cost"] == "0"


@pytest.mark.parametrize("script", [{}, {"calls": [CALL]}, {"reasoning": "Hm", "text": "Yes"}], ids=["text", "calls", "thought"])
def test_stream(http, server, prompt, script):
    server.says(UP, script, {"text": "another"})
    wanted = body(prompt, stream=True, tools=[TOOL])
    got = [http.post(PATH, json=one) for one in (wanted, wanted, wanted | {"stream_options": {"include_usage": True}})]
    first, second, third = (streamed(one.status_code, one.headers, one.content) for one in got)
    assert [state(one) for one in got] == ["miss", "hit", "hit"] and asked(server) == 1
    assert first.is_done and second.is_done and third.is_done
    assert [one["choices"] for one in first.chunks] == [one["choices"] for one in second.chunks]
    assert second.usage() is None and third.usage()["total_tokens"] == 17
    assert len({first.chunks[0]["id"], second.chunks[0]["id"], third.chunks[0]["id"]}) == 3
    assert len({one["id"] for one in second.chunks}) == 1


def test_names_of_one_model(http, prompt):
    """DEFAULT_MODEL and FALLBACK_MODEL lead to the same entry. The response has the requested name."""
    unnamed = body(prompt)
    del unnamed["model"]
    answers = [http.post(PATH, json=one) for one in (body(prompt), unnamed, body(prompt, model="unknown"))]
    assert [state(one) for one in answers] == ["miss", "hit", "hit"]
    assert [one.json()["model"] for one in answers] == ["kept", "kept", "unknown"]
    chunks = [http.post(PATH, json=one | {"stream": True}) for one in (body(prompt), body(prompt, model="unknown"))]
    assert state(chunks[1]) == "hit" and b'"model":"unknown"' in chunks[1].content and b'"kept"' not in chunks[1].content


SURFACES = {
    "completions": ("/v1/completions", lambda text: {"model": "kept", "prompt": text}),
    "responses": ("/v1/responses", lambda text: {"model": "kept", "input": text}),
    "messages": ("/v1/messages", lambda text: {"model": "kept", "max_tokens": 99, "messages": [{"role": "user", "content": text}]}),
    "generate": ("/generate", lambda text: {"model": "kept", "prompt": text}),
}  # fmt: skip


def texts(value):
    """Returns all texts in a response, except ids and times."""
    if isinstance(value, dict):
        skipped = {"id", "created", "created_at", "completed_at", "item_id", "response_id", "cost", "obfuscation"}
        return [text for name, one in value.items() if name not in skipped for text in texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value]


@pytest.mark.parametrize("name", SURFACES)
def test_surfaces(http, server, prompt, name):
    path, make = SURFACES[name]
    first, second = (http.post(path, json=make(prompt)) for _ in range(2))
    assert (state(first), state(second), asked(server)) == ("miss", "hit", 1), first.text
    assert texts(first.json()) == texts(second.json()) and "answer 0" in second.text
    if name == "generate":
        assert second.json() == {"modelUsed": UP, "tokens": 17, "cost": 0, "response": "answer 0"}
        return
    assert first.json()["id"] != second.json()["id"]
    first, second = (http.post(path, json=make(prompt) | {"stream": True}) for _ in range(2))
    assert (state(first), state(second), asked(server)) == ("miss", "hit", 2)
    told = [[texts(json.loads(line[6:])) for line in one.text.splitlines() if line.startswith("data: {")] for one in (first, second)]
    assert told[0] == told[1] and len(told[0]) > 2


def test_official_client(keeping, server, prompt):
    server.says(UP, {"calls": [CALL]}, {"text": "another"})
    with checked.client(httpx, timeout=30) as plain:
        client = openai.OpenAI(api_key=TEAM, base_url=keeping.v1, max_retries=0, http_client=plain)
        answers = [client.chat.completions.create(**body(prompt, tools=[TOOL])).choices[0].message.tool_calls[0] for _ in range(2)]
        assert answers[0] == answers[1] and answers[0].function.arguments == CALL[2] and asked(server) == 1
        responses = [client.responses.create(model="kept", input=prompt) for _ in range(2)]
        assert responses[0].output_text == responses[1].output_text and asked(server) == 2
        ids = [one.id for one in responses]
        assert [client.responses.retrieve(id).id for id in ids] == ids, "each is stored"
        follow = [client.responses.create(model="kept", input="And?", previous_response_id=id).output_text for id in (*ids, ids[0])]
        assert follow[0] == follow[2] and asked(server) == 4


def test_embeddings(http, server, prompt):
    wanted = {"model": "kept", "input": prompt}
    server.says(UP, {})
    first, second, other = (http.post("/v1/embeddings", json=one) for one in (wanted, wanted | {"user": "x"}, wanted | {"model": "ended"}))
    assert [state(one) for one in (first, second, other)] == ["miss", "hit", "hit"] and asked(server) == 1
    assert first.json() == second.json() == other.json() | {"model": "kept"} and other.json()["model"] == "ended"
    long = {"model": "kept", "input": prompt + "x" * 300_000}
    server.says(UP, {"json": {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.25] * 100_000}], "model": "m"}})
    first, second = (http.post("/v1/embeddings", json=long) for _ in range(2))
    assert state(second) == "hit" and first.content == second.content and len(first.content) > 400_000


def test_panels(http, server, prompt):
    for name in ("a", "b"):
        server.says(f"up-{name}", {"text": f"{name} says"})
    server.says("up-s", {"text": "one"}, {"text": "two"}, {"text": "three"})
    assert [http.post(PATH, json=body(prompt, model="experts")).json()["choices"][0]["message"]["content"] for _ in range(2)] == ["one"] * 2
    got = [http.post(PATH, json=body(prompt, model="experts", stream=True)) for _ in range(2)]
    first, second = (streamed(one.status_code, one.headers, one.content) for one in got)
    assert state(got[1]) == "hit" and first.text() == second.text() and "a" + paneled.GOOD in second.text()
    assert len(server.asked("up-s")) == 2 and len(server.asked("up-a")) == 2


def test_long_answers(http, server, prompt):
    """Responses that are so long that a thread works on them."""
    text = "A long word. " * 40_000
    server.says(UP, {"text": text}, {"text": "another"})
    for more in ({}, {"stream": True}):
        got = [http.post(PATH, json=body(prompt, **more)) for _ in range(2)]
        server.says(UP, {"text": text})
        assert state(got[1]) == "hit" and len(got[1].content) > len(text)


def test_other_models(http, server, prompt):
    server.says("up-fresh", {})
    assert states(http, *[body(prompt, model="fresh")] * 2) == ["off", "off"]


def test_llm_chat_is_not_cached(start_relay, server):
    relay = start_relay(**environment(server, PROVIDER_ROW_CONCURRENCY="3"))
    server.says(UP, {})
    with client_of(relay) as http:
        answers = [http.post("/llm/chat", json={"messages": body("Hi")["messages"]}) for _ in range(2)]
        assert [state(one) for one in answers] == ["off", "off"] and asked(server) == 2


def test_known_callers_may_share(start_relay, server, prompt):
    relay = start_relay(**environment(server, CACHE_SCOPE="shared", KEY_LITTLE_TOKEN="token-of-the-little-one", KEY_LITTLE_MODELS="a"))
    server.says(UP, {})
    clients = [client_of(relay, token) for token in (TEAM, MATE, None, "token-of-the-little-one")]
    answers = [http.post(PATH, json=body(prompt)) for http in clients]
    assert [state(one) for one in answers] == ["miss", "hit", "miss", None] and answers[3].status_code == 404
    first = clients[0].post("/v1/responses", json={"model": "kept", "input": prompt}).json()["id"]
    follow = {"model": "kept", "input": "And?", "previous_response_id": first}
    assert states(clients[0], follow, follow, path="/v1/responses") == ["miss", "hit"]
    assert clients[1].post("/v1/responses", json=follow).status_code == 400, "another's response"
    for http in clients:
        http.close()


def test_limits_count_the_request_but_no_tokens(start_relay, server, prompt):
    relay = start_relay(**environment(server, KEY_TEAM_RATE_LIMIT="4/hour;50 tokens/hour", CACHE_TTL="1h"))
    server.says(UP, {})
    with client_of(relay) as http:
        answers = [http.post(PATH, json=body("Hi", max_tokens=20)) for _ in range(5)]
    assert [one.status_code for one in answers] == [200] * 4 + [429]
    assert [state(one) for one in answers[:4]] == ["miss", "hit", "hit", "hit"]
    assert answers[3].headers["x-ratelimit-remaining-tokens"] == answers[1].headers["x-ratelimit-remaining-tokens"]


def test_the_least_recent_goes_first(start_relay, server):
    relay = start_relay(**environment(server, CACHE_MAX_ENTRIES="2"))
    server.says(UP, {})
    with client_of(relay) as http:
        asks = [body("a"), body("b"), body("a"), body("c"), body("a"), body("b")]
        assert states(http, *asks) == ["miss", "miss", "hit", "miss", "hit", "miss"]
        text = http.get("/metrics").text
    assert [metric(text, name) for name in ("hits_total", "misses_total", "entries")] == [2, 4, 2]
    assert metric(text, "bytes") > 600
    relay.stop()
    lines = [line for line in relay.log_lines() if line.get("cached")]
    assert len(lines) == 2 and all(line["cost"] == 0 and line["prompt_tokens"] == 9 for line in lines)


def test_settings_that_are_read_anew(launch, server, prompt, tmp_path):
    file = tmp_path / "settings"
    file.write_text("CACHE=true\n")
    relay = launch(**environment(server, CACHE=None, ENV_FILE=file))
    server.says(UP, {})
    with client_of(relay) as http:
        for text, seen in (("CACHE=true", ["miss", "hit"]), ("CACHE=false", ["off", "off"]), ("CACHE=true", ["miss", "hit"])):
            file.write_text(text + "\n")
            assert http.post("/reload_config").status_code == 200
            assert states(http, *[body(prompt)] * 2) == seen
    relay.stop()


def test_a_panel_whose_settings_have_changed_begins_anew(launch, server, prompt, tmp_path):
    file = tmp_path / "settings"
    outer = "PANEL_OUTER_MODELS=experts\nPANEL_OUTER_SUMMARY_MODEL=s\n"
    file.write_text(outer)
    relay = launch(**environment(server, ENV_FILE=file, CACHE_MODELS="outer,experts"))
    for name in ("a", "b", "s"):
        server.says(f"up-{name}", *[{"text": name}] * 20)
    with client_of(relay) as http:
        for text, seen in (("", "hit"), ("PANEL_EXPERTS_SUMMARY_PROMPT=Be brief.\n", "miss"), ("PANEL_EXPERTS_TEMPERATURE=1\n", "miss"), ("", "hit")):
            wanted = [body(prompt, model=name) for name in ("experts", "outer")]
            assert set(states(http, *wanted)) <= {"miss", "hit"}
            file.write_text(outer + text)
            assert http.post("/reload_config").status_code == 200
            assert states(http, *wanted) == [seen] * 2, text
    relay.stop()


class Together:
    """Equal requests at the same time, each in a thread."""

    def __init__(self, relay, *bodies, path=PATH):
        self.answers = []
        self.threads = [threading.Thread(target=self.ask, args=(relay, path, one)) for one in bodies]
        for thread in self.threads:
            thread.start()

    def ask(self, relay, path, one):
        with client_of(relay) as http:
            self.answers.append(http.post(path, json=one))

    def ended(self):
        for thread in self.threads:
            thread.join(20)
        assert not any(thread.is_alive() for thread in self.threads)
        return self.answers


def waiting(relay, count):
    with client_of(relay) as http:
        wait_for(lambda: metric(http.get("/metrics").text, "waiting") == count)


def test_embeddings_wait_too(keeping, server, http, prompt):
    gate = threading.Event()
    server.says(UP, {"gate": gate})
    together = Together(keeping, *[{"model": "kept", "input": prompt}] * 3, path="/v1/embeddings")
    waiting(keeping, 2)
    gate.set()
    assert sorted(state(one) for one in together.ended()) == ["hit", "hit", "miss"] and asked(server) == 1


def test_a_relay_ends_while_requests_wait(launch, server, prompt):
    relay = launch(**environment(server, CACHE_COALESCE="true", SHUTDOWN_SECONDS="1"))
    server.says(UP, {"gate": threading.Event()})
    connections = []
    for _ in range(3):
        text = json.dumps(body(prompt))
        connections.append(socket.create_connection(("127.0.0.1", relay.port)))
        connections[-1].sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TEAM}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
        )
    waiting(relay, 2)
    relay.stop()


def test_a_client_that_does_not_read_holds_up_nobody(start_relay, server, prompt):
    """Others wait five seconds for it. It gets the whole response when it reads on."""
    relay = start_relay(**environment(server, CACHE_COALESCE="true", MEMORY_MB="1024", CACHE_MAX_MB="64"))
    texts = [f"{number:06}" * 2_000 for number in range(500)]
    events = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in texts), chunk({}, "stop")]
    server.says(UP, {"events": events})
    asks = json.dumps(body(prompt, stream=True)).encode()
    with connected(relay.port, receive_bytes=4_096) as leader:
        leader.send(request("POST", PATH, asks, authorization=f"Bearer {TEAM}"))
        wait_for(lambda: asked(server) == 1)
        (answer,) = Together(relay, body(prompt, stream=True)).ended()
        assert state(answer) == "hit" and asked(server) == 1
        first = leader.receive(seconds=20)
    for events in (first.events(), [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]):
        assert events.pop() == "[DONE]"
        chunks = [json.loads(event)["choices"] for event in events]
        assert [choices[0]["delta"]["content"] for choices in chunks if choices and choices[0]["delta"].get("content")] == texts


def test_relays_with_other_secrets_share_nothing(start_relay, server, store, prompt):
    """They use the same memcached, and have callers of the same names."""
    shared = environment(server, CACHE_STORE="memcached", MEMCACHED_SERVERS=store.address, CACHE_TTL="1h")
    tokens, secret = {"KEY_TEAM_TOKEN": "token-of-another-team-0"}, {"STORE_SECRET": "a-secret-of-the-stores"}
    conftest.secrets.update([*tokens.values(), *secret.values()])

    def found(scope, *settings):
        server.says(UP, {"text": "answer"})
        seen = []
        for more in settings:
            with client_of(start_relay(**shared | {"CACHE_SCOPE": scope} | more), more.get("KEY_TEAM_TOKEN", TEAM)) as http:
                before = sum(":answer:" in key for key in store.keys())
                seen += states(http, body(prompt, user=scope, seed=len(scope)))
                if seen[-1] == "miss":
                    wait_for(lambda before=before: sum(":answer:" in key for key in store.keys()) > before)
        return seen

    mate = {"KEY_MATE_TOKEN": "token-of-another-mate-0"}
    assert found("key", {}, mate, tokens, secret) == ["miss", "hit", "miss", "miss"]
    assert found("shared", {}, mate, secret, secret | tokens) == ["miss", "miss", "miss", "hit"]


def test_relays_share_by_memcached(start_relay, server, store, prompt, mark):
    shared = environment(server, CACHE_STORE="memcached", MEMCACHED_SERVERS=store.address, CACHE_TTL="1h")
    answer = f"answer{uuid.uuid4().hex}"
    long = answer + "y" * 700_000
    server.says(UP, {"text": answer})
    relays = [start_relay(**shared) for _ in range(2)]
    with client_of(relays[0]) as one, client_of(relays[1]) as other:
        asks = [(PATH, body(prompt)), (PATH, body(prompt, stream=True)), ("/v1/embeddings", {"model": "kept", "input": prompt})]
        for path, wanted in asks:
            assert states(one, wanted, path=path) == ["miss"]
        server.says(UP, {"text": long})
        assert states(one, body(prompt, seed=1)) == ["miss"]
        wait_for(lambda: sum(":answer:" in key for key in store.keys()) == 4)
        for path, wanted in asks:
            assert states(other, wanted, path=path) == ["hit"]
        assert states(other, body(prompt, seed=1)) == ["hit"]
        kept = store.dump()
        assert len(kept) > 700_000 and mark.encode() not in kept and answer.encode() not in kept and b"yyyyyyyy" not in kept
        server.says(UP, {"text": "z" * 1_100_000})
        assert states(one, *[body(prompt, seed=2)] * 2) == ["miss", "miss"], "too long for it"
        store.kill()
        assert states(one, *[body(prompt)] * 2) == ["miss", "miss"], "no harm without it"
        server.says(UP, {"text": answer})
        store.start()
        wait_for(lambda: states(one, body(prompt)) == ["hit"])


def test_answers_outlive_a_restart(launch, server, prompt, mark, tmp_path):
    kept = environment(server, CACHE_STORE="data", DATA_DIR=tmp_path, CACHE_MAX_ENTRIES="3", CACHE_TTL="1h")
    answer = f"answer{uuid.uuid4().hex}"
    server.says(UP, {"text": answer})
    wanted = [body(prompt, seed=seed, **({"stream": True} if seed == 3 else {})) for seed in range(4)]
    relay = launch(**kept)
    with client_of(relay) as http:
        assert states(http, *wanted) == ["miss"] * 4
        wait_for(lambda: states(http, wanted[3]) == ["hit"])
    relay.stop()
    before = asked(server)
    files = list((tmp_path / "cache").iterdir())
    assert len(files) == 3, "the one longest unused has gone"
    content = b"".join(file.read_bytes() for file in files)
    assert mark.encode() not in content and answer.encode() not in content
    (tmp_path / "cache" / "unfinished.new").touch()
    relay = launch(**kept)
    with client_of(relay) as http:
        wait_for(lambda: metric(http.get("/metrics").text, "entries") == 3)
        assert states(http, *wanted[1:]) == ["hit"] * 3 and asked(server) == before
        for file in files:
            file.write_bytes(altered(file.read_bytes()))
        assert states(http, *wanted[1:]) == ["miss"] * 3, "what was changed is no answer"
        wait_for(lambda: states(http, *wanted[1:]) == ["hit"] * 3)
        for file in (tmp_path / "cache").iterdir():
            os.truncate(file, 1 << 40)
        assert states(http, *wanted[1:]) == ["miss"] * 3, "no memory is taken for a file that is too long"
        wait_for(lambda: states(http, *wanted[1:]) == ["hit"] * 3)
        shutil.rmtree(tmp_path / "cache")
        assert states(http, *wanted[1:]) == ["miss"] * 3, "the directory is made again"
        wait_for(lambda: states(http, *wanted[1:]) == ["hit"] * 3)
    relay.stop()
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_directory_that_cannot_be_written(start_relay, server, prompt, tmp_path):
    (tmp_path / "cache").touch()
    relay = start_relay(**environment(server, CACHE_STORE="data", DATA_DIR=tmp_path))
    server.says(UP, {})
    with client_of(relay) as http:
        assert states(http, *[body(prompt)] * 3) == ["miss"] * 3
    relay.stop()
    lines = [line for line in relay.log_lines() if "directory of the cache" in line["message"]]
    assert len(lines) == 1 and lines[0]["level"] == "warning"
