"""Details of vendors' wires that public bug reports name: text parts, counts, arguments, compressed responses."""

import gzip
import json

import anthropic_vendor
import local_http
import pytest
from all_kinds import CLAUDES, GOOGLES, MODELS, PATHS, SURFACES, calling, got, read_by_the_relay, request
from cohere_vendor import end, named
from conftest import TEAM_TOKEN
from openai_vendor import chunk, usage_chunk
from pictures import audio
from vendor_faults import WIRES


def with_parts(surface, kind):
    """Returns a request with two text parts in a message of the system, of the user and of the assistant, and in a
    result."""
    body = request(surface, kind, ["Q", [("a", 1)], {"results": [("a", 1)]}])
    items = body["input" if surface == "responses" else "messages"]
    written = {"user": "input_text", "assistant": "output_text"} if surface == "responses" else {"user": "text", "assistant": "text"}

    def parts(role, *texts):
        return [{"type": written[role], "text": text} for text in texts]

    items[0]["content"] = parts("user", "user1", "user2")
    if surface == "messages":
        items[1]["content"] = [*parts("assistant", "said1", "said2"), *items[1]["content"]]
        items[2]["content"][0]["content"] = parts("user", "result1", "result2")
        return body | {"system": parts("user", "system1", "system2")}
    if surface == "responses":
        items.insert(1, {"role": "assistant", "content": parts("assistant", "said1", "said2")})
        items[-1]["output"] = parts("user", "result1", "result2")
    else:
        items[1]["content"] = parts("assistant", "said1", "said2")
        items[2]["content"] = parts("user", "result1", "result2")
    items.insert(0, {"role": "system", "content": parts("user", "system1", "system2")})
    return body


@pytest.mark.parametrize("surface", SURFACES)
def test_text_parts_are_never_glued_together(kinds, surface):
    for kind in MODELS:
        kinds.says(kind, {})
        answer = kinds.ask(surface, with_parts(surface, kind))
        assert answer.status_code == 200, (kind, answer.text)
        text = json.dumps(kinds.bodies(kind)[0])
        for name in ("system", "user", "said", "result"):
            assert f"{name}1" in text and f"{name}2" in text and f"{name}1{name}2" not in text, (kind, text)
        if kind == "onemin":
            assert "user1\\nuser2" in text and "said1\\nsaid2" in text and "result1\\nresult2" in text, text


def test_text_parts_are_lines_where_a_server_needs_strings(kinds):
    body = with_parts("chat", "chat")
    problem = {"error": {"message": "messages[1].content: Input should be a valid string", "type": "invalid_request_error", "param": None, "code": None}}
    kinds.says("chat", {"status": 400, "json": problem}, {})
    answer = kinds.ask("chat", body)
    assert answer.status_code == 200, answer.text
    contents = [message["content"] for message in kinds.bodies("chat")[-1]["messages"]]
    assert contents == ["system1\nsystem2", "user1\nuser2", "said1\nsaid2", "result1\nresult2"]


def zeros(kind, more):
    """Returns a stream whose last counts are zeros, or in the other order; and the right numbers."""
    if kind in CLAUDES:
        start, last = {"input_tokens": 50, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20, "output_tokens": 1}, {
            "input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 7,
        }  # fmt: skip
        if more == "last":
            start, last = dict.fromkeys(start, 0), start | {"output_tokens": 7}
        events = list(anthropic_vendor.all_events({"content": [anthropic_vendor.text("Hi")]}))
        events[0]["message"]["usage"] = start
        events[-2]["usage"] = last
        return events if kind == "anthropic" else [f"event: {event['type']}\ndata: {json.dumps(event)}" for event in events]
    if kind in GOOGLES:
        told = [{"promptTokenCount": 100, "candidatesTokenCount": 7, "cachedContentTokenCount": 30, "totalTokenCount": 107},
                {"promptTokenCount": 0, "candidatesTokenCount": 0, "cachedContentTokenCount": 0, "totalTokenCount": 0}]  # fmt: skip
        told = told[::-1] if more == "last" else told
        parts = [{"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi"}]}, "index": 0}], "usageMetadata": told[0]},
                 {"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "index": 0, "finishReason": "STOP"}], "usageMetadata": told[1]}]  # fmt: skip
        return parts
    full = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107, "prompt_tokens_details": {"cached_tokens": 30}}
    none = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}}
    told = [none, full] if more == "last" else [full, none]
    return [chunk({"role": "assistant", "content": "Hi"}, usage=told[0]), chunk({}, "stop"), usage_chunk(**told[1])]


@pytest.mark.parametrize("more", ["first", "last"])
@pytest.mark.parametrize("surface", SURFACES)
def test_the_larger_count_counts(kinds, surface, more):
    for kind in read_by_the_relay(surface, *CLAUDES, *GOOGLES, "chat", "cloudflare"):
        kinds.says(kind, {"events": zeros(kind, more), "content": [anthropic_vendor.text("Hi")]} if kind in CLAUDES else {"events": zeros(kind, more)})
        options = {"stream_options": {"include_usage": True}} if surface == "chat" else {}
        answer = kinds.ask(surface, request(surface, kind, ["Go."], tools=False) | options, is_streamed=True)
        usage = got(surface, answer, is_streamed=True)["usage"]
        if surface == "chat":
            found = (usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]["cached_tokens"])
        elif surface == "responses":
            found = (usage["input_tokens"], usage["output_tokens"], usage["input_tokens_details"]["cached_tokens"])
        else:
            read, written = usage.get("cache_read_input_tokens", 0), usage.get("cache_creation_input_tokens", 0)
            found = (usage["input_tokens"] + read + written, usage["output_tokens"], read)
            assert written == 0
        assert found == (100, 7, 30), (kind, usage)
        line = kinds.relay.wait_for_line(lambda line, answer=answer: line.get("id") == answer.headers["x-request-id"])
        assert (line["prompt_tokens"], line["completion_tokens"]) == (100, 7), line


def doubled(kind, start):
    """Returns the events of a call whose arguments `start` precede the actual ones."""
    pieces = ['{"n"', ":1}"]
    if kind in CLAUDES:
        events = list(anthropic_vendor.all_events(calling(kind, ("a", 1))))
        for event in events:
            if event["type"] == "content_block_start":
                event["content_block"]["input"] = json.loads(start)
        return events if kind == "anthropic" else [f"event: {event['type']}\ndata: {json.dumps(event)}" for event in events]
    if kind == "cohere":
        function = {"name": "f", "arguments": start}
        deltas = [named("tool-call-delta", index=0, delta={"message": {"tool_calls": {"function": {"arguments": piece}}}}) for piece in pieces]
        return [named("tool-call-start", index=0, delta={"message": {"tool_calls": {"id": "a", "type": "function", "function": function}}}),
                *deltas, named("tool-call-end", index=0), end("TOOL_CALL")]  # fmt: skip
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": start}}
    deltas = [chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in (pieces if start == "{}" else ["".join(pieces)])]
    return [chunk({"role": "assistant", "tool_calls": [call]}), *deltas, chunk({}, "tool_calls"), usage_chunk()]


@pytest.mark.parametrize("start", ['{"n":1}', "{}"])
@pytest.mark.parametrize("surface", SURFACES)
def test_deltas_replace_the_arguments_of_the_beginning(kinds, surface, start):
    for kind in read_by_the_relay(surface, *CLAUDES, "cohere", "chat", "cloudflare"):
        script = {"events": doubled(kind, start)} | ({"content": []} if kind == "vertexai_claude" else {})
        kinds.says(kind, script)
        answer = kinds.ask(surface, request(surface, kind, ["Go."]), is_streamed=True)
        calls = got(surface, answer, is_streamed=True)["calls"]
        assert [(name, json.loads(arguments)) for _, name, arguments in calls] == [("f", {"n": 1})], (kind, calls)


@pytest.mark.parametrize("surface", SURFACES)
def test_arguments_without_deltas_are_those_of_the_beginning(kinds, surface):
    for kind in read_by_the_relay(surface, *CLAUDES, "cohere", "chat", "cloudflare"):
        for start in ('{"n":1}', "{}"):
            events = [event for event in doubled(kind, start) if not is_delta(event)]
            kinds.says(kind, {"events": events} | ({"content": []} if kind == "vertexai_claude" else {}))
            answer = kinds.ask(surface, request(surface, kind, ["Go."]), is_streamed=True)
            calls = got(surface, answer, is_streamed=True)["calls"]
            assert [(name, json.loads(arguments)) for _, name, arguments in calls] == [("f", json.loads(start))], (kind, calls)


def is_delta(event):
    text = event if isinstance(event, str) else json.dumps(event)
    return "input_json_delta" in text or "tool-call-delta" in text or '"tool_calls": [{"index": 0, "function"' in text


def test_an_empty_object_does_not_hold_up_the_next_call(kinds):
    calls = [{"index": at, "id": f"call{at}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for at in range(3)]
    events = [*(chunk({"role": "assistant", "tool_calls": [call]}) for call in calls), chunk({}, "tool_calls"), usage_chunk()]
    for surface in SURFACES:
        kinds.says("chat", {"events": events})
        answer = kinds.ask(surface, request(surface, "chat", ["Go."]), is_streamed=True)
        assert [call[1:] for call in got(surface, answer, is_streamed=True)["calls"]] == [("f", "{}")] * 3, answer.text


CODED = {"headers": {"Content-Encoding": "gzip"}}


def test_a_coded_response_is_a_failure(kinds, is_streamed):
    for kind in MODELS:
        for raw in (gzip.compress(b'{"choices":[]}'), b"not compressed at all"):
            kinds.says(kind, CODED | ({} if kind == "onemin" else {"raw": raw}))
            answer = kinds.ask("chat", request("chat", kind, ["Go."], tools=False), is_streamed=is_streamed)
            assert answer.status_code == 502 and answer.json()["error"]["code"] == "upstream_error", (kind, answer.text)
            line = kinds.relay.wait_for_line(lambda line, answer=answer: line.get("id") == answer.headers["x-request-id"])
            assert "compressed" in line["cause"], line


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/v1/embeddings", {"input": "Hi"}), ("/v1/audio/speech", {"input": "Hi", "voice": "alloy"}), ("/v1/audio/transcriptions", {"response_format": "text"})],
)  # fmt: skip
def test_a_coded_response_of_another_endpoint_is_a_failure(kinds, path, fields):
    kinds.says("chat", CODED | {"raw": gzip.compress(b"a transcript"), "type": "text/plain"})
    fields = {"model": "chat"} | fields
    is_form = path.endswith("transcriptions")
    sent = {"data": fields, "files": {"file": ("a.mp3", audio("a"), "audio/mpeg")}} if is_form else {"json": fields}
    answer = kinds.http.post(path, **sent)
    assert answer.status_code == 502 and answer.json()["error"]["code"] == "upstream_error", answer.text


def test_the_next_candidate_serves_what_the_first_compresses(start_relay, server, caller):
    at = {f"PROVIDER_{name}_BASE_URL": server.base_url for name in ("A", "B")}
    relay = start_relay(
        **at, KEY_TEAM_TOKEN=TEAM_TOKEN, FALLBACK="true", PROVIDER_A_KIND="openai", PROVIDER_A_MODELS="m=row/coded", PROVIDER_B_KIND="openai",
        PROVIDER_B_MODELS="m=row/plain", PROVIDER_B_PRIORITY="2",
    )  # fmt: skip
    server.says("row/coded", CODED | {"raw": gzip.compress(b"{}")})
    server.says("row/plain", {})
    for is_streamed in (False, True):
        answer = caller(relay, TEAM_TOKEN).post("/v1/chat/completions", json=request("chat", "m", ["Go."], tools=False) | {"stream": is_streamed})
        assert got("chat", answer, is_streamed=is_streamed)["text"] == "Hello there"
    assert server.take_violations() == []


def test_a_coded_refusal_stays_that_refusal(kinds):
    raw = gzip.compress(b'{"error":{"message":"slow down"}}')
    kinds.says("chat", CODED | {"status": 429, "raw": raw})
    answer = kinds.ask("chat", request("chat", "chat", ["Go."], tools=False))
    assert answer.status_code == 429 and raw not in answer.content


READABLE = "messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
HIDDEN = ["key-0123456789abcdef012345", "db-12.eu-west-1.internal.example.com", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123"]


def refusal_of(kind, words):
    if kind == "cohere":
        return {"id": "e1", "message": words}
    if kind in GOOGLES:
        return {"error": {"code": 400, "message": words, "status": "INVALID_ARGUMENT"}}
    if kind in CLAUDES:
        return anthropic_vendor.failure("invalid_request_error", words)
    if kind == "cloudflare":
        return {"success": False, "errors": [{"code": 5006, "message": words}], "messages": [], "result": None}
    return {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}


@pytest.mark.parametrize("surface", SURFACES)
def test_the_field_of_a_refusal_is_readable(kinds, surface):
    for kind in MODELS:
        if kind == "onemin":
            continue
        kinds.says(kind, {"status": 400, "json": refusal_of(kind, f"{READABLE} ({' '.join(HIDDEN)})")})
        answer = kinds.ask(surface, request(surface, kind, ["Go."], tools=False))
        assert answer.status_code == 400, (kind, answer.text)
        message = answer.json()["error"]["message"]
        assert READABLE in message, (kind, message)
        assert not any(secret in message for secret in HIDDEN), message


@pytest.mark.parametrize("surface", SURFACES)
def test_a_client_that_leaves_ends_the_vendors_call(kinds, surface):
    for kind, wire in WIRES.items():
        name = {"openai": "chat"}.get(kind, kind)
        if name == "onemin":
            continue
        fake = kinds.fakes[name]
        fake.left.clear()
        kinds.says(name, {"raw": b"".join(wire.pieces[: wire.begun]), "stall": True})
        asked = request(surface, name, ["Go."], tools=False) | {"stream": True}
        with local_http.stream("POST", kinds.relay.base_url + PATHS[surface], json=asked, headers=kinds.http.headers) as answer:
            assert any("Hello" in piece for piece in answer.iter_text()), name
        assert fake.left.wait(10), name
