"""A streamed response begins once, whoever serves it in the end: a client that waits gets signs of life, and then the events
of the provider that takes over."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import local_http
import pytest
from anthropic_vendor import text
from conftest import TEAM_TOKEN, VENDOR_KEY

BUSY = {"status": 503, "json": {"error": {"message": "busy"}}}
TURN = [{"role": "user", "content": "Hi " * 50}]
SURFACES = {
    "chat": ("/v1/chat/completions", {"messages": TURN}),
    "messages": ("/v1/messages", {"messages": TURN, "max_tokens": 99}),
    "responses": ("/v1/responses", {"input": "Hi", "store": False}),
}
ROWS = [
    # kind, model of the relay, the vendor's model, what chats use; in the order of the providers
    ("anthropic", "chat", "claude-haiku-4-5", None), ("openai", "chat", "begun/chat", "chat"),
    ("openai", "messages", "begun/first", "chat"), ("anthropic", "messages", "claude-sonnet-4-5", None),
    ("openai", "responses", "begun/chats", "chat"), ("openai", "responses", "begun/responses", "responses"),
    ("anthropic", "falls", "claude-opus-4-5", None), ("openai", "falls", "begun/last", "chat"),
]  # fmt: skip


@pytest.fixture(scope="module")
def relay(launch, server, anthropic_server, wall):
    settings = {"KEY_TEAM_TOKEN": TEAM_TOKEN, "BREAKER_FAILURES": "1000"}
    for at, (kind, name, model, via) in enumerate(ROWS):
        address = (anthropic_server if kind == "anthropic" else server).base_url
        row = {"KIND": kind, "BASE_URL": address, "API_KEY": VENDOR_KEY, "MODELS": f"{name}={model}", "PRIORITY": str(at + 1)}
        settings |= {f"PROVIDER_P{at}_{field}": value for field, value in (row | ({"CHAT_VIA": via} if via else {})).items()}
    return launch(**settings, **wall.environment)


def events(lines):
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def test_another_takes_over_after_a_sign_of_life(relay, server, anthropic_server, wall):
    """The first provider has another API than the client, so the sign of life cannot be the beginning of a response."""
    gates = [threading.Event() for _ in SURFACES]
    first = {"chat": (anthropic_server, "claude-haiku-4-5"), "messages": (server, "begun/first"), "responses": (server, "begun/chats")}
    for gate, (vendor, model) in zip(gates, first.values(), strict=True):
        vendor.says(model, {"gate": gate, **BUSY, "lax": ["x-api-key"]})
    server.says("begun/chat", {"text": "Well."})
    anthropic_server.says("claude-sonnet-4-5", {"content": [text("Well.")]})
    server.says("begun/responses", {"text": "Well."})

    def lines(name, gate):
        path, body = SURFACES[name]
        headers = {"Authorization": f"Bearer {TEAM_TOKEN}"}
        with local_http.stream("POST", relay.base_url + path, json=body | {"model": name, "stream": True}, headers=headers, timeout=40) as answer:
            found = []
            for line in answer.iter_lines():
                gate.set()
                found.append(line)
        return found

    with ThreadPoolExecutor(len(gates)) as pool:
        read = pool.map(lines, SURFACES, gates)
        wall.advance_until(lambda: all(gate.is_set() for gate in gates), 20)
        chat, messages, responses = read
    chunks = events(chat)
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert sum("role" in choice["delta"] for chunk in chunks for choice in chunk["choices"]) == 1
    found = events(messages)
    assert found[0]["type"] == "ping" and [event["type"] for event in found].count("message_start") == 1
    assert found[-1]["type"] == "message_stop"
    found = events(responses)
    assert [event["type"] for event in found].count("response.created") == 1 and found[0]["type"] == "response.created"
    assert len({event["response"]["id"] for event in found if "response" in event}) == 1
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    for vendor in (server, anthropic_server):
        vendor.take_violations()


def test_a_translation_begins_with_the_prompts_tokens(relay, server, anthropic_server):
    anthropic_server.says("claude-opus-4-5", BUSY)
    server.says("begun/last", {"text": "Well."})
    path, body = SURFACES["messages"]
    headers = {"x-api-key": TEAM_TOKEN}
    answer = local_http.post(relay.base_url + path, json=body | {"model": "falls", "stream": True}, headers=headers, timeout=30)
    start = events(answer.text.split("\n"))[0]
    assert start["type"] == "message_start" and start["message"]["usage"]["input_tokens"] > 20
    for vendor in (server, anthropic_server):
        vendor.take_violations()
