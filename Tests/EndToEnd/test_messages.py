"""Anthropic's messages, whole and streamed, as its official client receives them."""

import asyncio
import json

import anthropic
import checked
import httpx2
import officials
import pytest
from chat import MODEL

HELLO = {"model": MODEL, "max_tokens": 1000, "messages": [{"role": "user", "content": "Hello"}]}
PATHS = ["/v1/messages", "/messages", "/anthropic/v1/messages", "/v1/messages/", "/v1/messages?beta=true"]


def create(claude, is_streamed: bool, **fields):
    """Creates a message, whole or with the streaming helper."""
    fields = HELLO | fields
    return officials.message(claude, is_streamed, **fields)


def test_a_message(claude, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": "Good day.", "deltas": ["Good", " day", "."]})
    got = create(claude, is_streamed)
    assert [(block.type, block.text) for block in got.content] == [("text", "Good day.")]
    assert (got.role, got.model, got.stop_reason, got.stop_sequence) == ("assistant", MODEL, "end_turn", None)
    assert got.usage.input_tokens >= 1 and got.usage.output_tokens >= 1
    assert vendor.prompt(api_key) == "Hello"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_paths_and_keys(relay, api_key, path, header):
    key = {"x-api-key": api_key} if header == "x-api-key" else {"authorization": f"Bearer {api_key}"}
    with checked.client(httpx2, base_url=relay.base_url, headers=key) as http:
        answer = http.post(path, json=HELLO)
        assert answer.status_code == 200 and answer.json()["type"] == "message"
        assert answer.headers["request-id"] == answer.headers["x-request-id"]
        streamed = http.post(path, json=HELLO | {"stream": True})
        assert streamed.headers["content-type"].startswith("text/event-stream")


def test_async(relay, new_key, vendor):
    async def ask():
        keys = [new_key() for _ in range(4)]
        vendor.answers_all({key: [{"answer": f"to {key}", "deltas": ["to ", key]}] for key in keys})
        async with checked.async_client(httpx2, timeout=30) as http:
            def client(key):
                return anthropic.AsyncAnthropic(api_key=key, base_url=relay.base_url, max_retries=0, http_client=http)

            async def streamed(key):
                async with client(key).messages.stream(**HELLO) as stream:
                    return "".join([text async for text in stream.text_stream])

            whole = await asyncio.gather(*(client(key).messages.create(**HELLO) for key in keys))
            assert [got.content[0].text for got in whole] == [f"to {key}" for key in keys]
            assert await asyncio.gather(*map(streamed, keys)) == [f"to {key}" for key in keys]

    asyncio.run(ask())


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]])
def test_a_conversation(claude, vendor, api_key, system):
    create(claude, False, system=system, messages=[
        {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": " two"}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hidden thought", "signature": "s"},
            {"type": "redacted_thinking", "data": "hidden data"}, {"type": "text", "text": "Three"},
        ]},
        {"role": "user", "content": "Four"},
    ])  # fmt: skip
    prompt = vendor.prompt(api_key)
    assert prompt.startswith("Instructions:\nBe brief.") and "User: One\n two" in prompt
    assert "Assistant: Three" in prompt and "User: Four" in prompt and "hidden" not in prompt


def test_a_prefilled_answer(claude, vendor, api_key):
    prefilled = [*HELLO["messages"], {"role": "assistant", "content": "I think"}]
    create(claude, False, messages=prefilled)
    assert "Assistant: I think" in vendor.prompt(api_key)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_stop_sequences(claude, vendor, api_key, is_streamed, size):
    text = "one two END three"
    vendor.answers(api_key, {"answer": text, "deltas": [text[at : at + size] for at in range(0, len(text), size)]})
    got = create(claude, is_streamed, stop_sequences=["never", "END", "\u00fcber"])
    assert (got.content[0].text, got.stop_reason, got.stop_sequence) == ("one two ", "stop_sequence", "END")


def test_a_stop_sequence_that_does_not_come(claude, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": "one two EN", "deltas": ["one two E", "N"]})
    got = create(claude, is_streamed, stop_sequences=["END"])
    assert (got.content[0].text, got.stop_reason, got.stop_sequence) == ("one two EN", "end_turn", None)


def test_a_bound(claude, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": "word " * 50, "deltas": ["word "] * 50})
    got = create(claude, is_streamed, max_tokens=5)
    # The vendor takes no bound: a whole response costs all that it wrote.
    assert got.stop_reason == "max_tokens" and (got.usage.output_tokens <= 5) is is_streamed
    assert got.content[0].text.count("word") <= 5
    assert got.content[0].text.strip() == " ".join(["word"] * got.content[0].text.count("word"))


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("ascii", [False, True])
def test_pieces_make_no_difference(claude, vendor, api_key, size, ascii):
    text = 'Gr\u00fc\u00dfe \U0001f468\u200d\U0001f469 "quoted" \\ \n\n end'
    deltas = [text[at : at + size] for at in range(0, len(text), size)]
    vendor.answers(api_key, {"answer": text, "deltas": deltas, "split": "bytes", "ascii": ascii})
    assert create(claude, True).content[0].text == text


def test_an_empty_answer(claude, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": "", "deltas": []})
    try:
        got = create(claude, is_streamed)
    except anthropic.APIStatusError as error:
        assert error.status_code >= 500
    else:
        assert got.content == [] and got.stop_reason == "end_turn"


def test_long_answers(claude, vendor, api_key):
    text = "word " * 80_000
    vendor.answers(api_key, {"answer": text, "deltas": [text]})
    assert create(claude, False, max_tokens=1_000_000).content[0].text == text


def test_the_first_event_has_the_count_of_the_prompt(claude, vendor, api_key):
    prompt = [{"role": "user", "content": "one two three four five"}]
    count = claude.messages.count_tokens(model=MODEL, messages=prompt).input_tokens
    with claude.messages.stream(**HELLO | {"messages": prompt}) as stream:
        first = next(iter(stream))
        # Once the vendor has reported its usage for a while, the prompt is estimated: within half of its count.
        assert first.type == "message_start" and count == 5 and 4 <= first.message.usage.input_tokens <= 7
        stream.until_done()
    assert len(vendor.requests(api_key)) == 1


def test_parameters_that_the_vendor_lacks_are_taken(claude, is_streamed):
    got = create(
        claude, is_streamed, metadata={"user_id": "u"}, service_tier="auto", output_config={"effort": "high"},
        thinking={"type": "enabled", "budget_tokens": 1024},
        extra_body={"temperature": 0.5, "top_p": 0.9, "top_k": 40, "unheard_of": {"a": 1}},
        extra_headers={"anthropic-beta": "a-2025-01-01"},
    )  # fmt: skip
    assert got.stop_reason == "end_turn"


def test_events_are_framed_as_clients_need_them(relay, api_key):
    with checked.client(httpx2, base_url=relay.base_url, headers={"x-api-key": api_key}) as http:
        text = http.post("/v1/messages", json=HELLO | {"stream": True}).text
    names = [event.split("\n")[0] for event in text.strip().split("\n\n")]
    assert names[0] == "event: message_start" and names[-1] == "event: message_stop" and "[DONE]" not in text
    assert json.loads(text.strip().split("\n\n")[-1].split("data: ")[1]) == {"type": "message_stop"}


def test_a_client_that_leaves(relay, vendor, api_key):
    vendor.answers(api_key, {"answer": "one two", "deltas": ["one", " two"], "stall_at": 120})
    with checked.client(httpx2, timeout=30) as http:
        client = anthropic.Anthropic(api_key=api_key, base_url=relay.base_url, max_retries=0, http_client=http)
        with client.messages.stream(**HELLO) as stream:
            next(iter(stream))
            vendor.wait(api_key, "stalled")
    vendor.wait(api_key, "client_closed")
