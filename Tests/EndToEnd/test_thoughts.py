"""Reasoning of models: given to clients with its signatures, and accepted back only by the vendor that made it."""


import anthropic
import checked
import httpx2
import officials
import pytest
from anthropic_vendor import SIGNATURE as CLAUDE_SIGNATURE
from anthropic_vendor import sealed, text, thought, use
from chat import ask, stream
from conftest import CLAUDE_KEY, TEAM_TOKEN
from memcached import wait_for
from relay_process import provider
from responding import PATH as RESPONSES
from responding import body as response_body
from responding import events

THOUGHT, SAID, SIGNATURE = "so it", " is told", "signed by echo"


CLAUDE = "claude-sonnet-4-5"
MIXED = [thought("One"), text("Fi\u00e9rst"), sealed(), thought("", CLAUDE_SIGNATURE + "2"), text("Second"), thought("Three", CLAUDE_SIGNATURE + "3")]


@pytest.mark.parametrize("bound", [100, 20_000], ids=["whole", "gathered"])
def test_thoughts_and_texts_in_their_order(translating, anthropic_server, bound, is_streamed):
    # What the client makes of the response goes back as it is.
    anthropic_server.says(CLAUDE, {"content": [*MIXED, use("toolu_1", "f", {})], "open": True}, {"open": True})
    told = [(block["type"], block.get("text", block.get("thinking")), block.get("signature", block.get("data"))) for block in MIXED]
    tools = [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    sent = {"model": "claude", "max_tokens": bound, "messages": [{"role": "user", "content": "Hi"}], "tools": tools}
    with checked.client(httpx2, timeout=30) as http:
        claude = anthropic.Anthropic(api_key=TEAM_TOKEN, base_url=translating.base_url, max_retries=0, http_client=http)
        message = officials.message(claude, is_streamed, **sent)
        blocks = [block.model_dump() for block in message.content]
        assert [(one["type"], one.get("text", one.get("thinking")), one.get("signature", one.get("data"))) for one in blocks[:-1]] == told
        result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "ok"}
        answered = [{"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]
        claude.messages.create(**sent | {"messages": [*sent["messages"], *answered]})
    back = anthropic_server.asked(CLAUDE)[1]["body"]["messages"][1]["content"]
    assert [block["type"] for block in back] == [block["type"] for block in MIXED] + ["tool_use"]
    assert anthropic_server.take_violations() == []


SIGNED = {
    "one": ([thought("One"), text("said")], CLAUDE_SIGNATURE),
    "one after a text": ([text("said"), thought("One")], CLAUDE_SIGNATURE),
    "two": ([thought("One"), thought("Two", CLAUDE_SIGNATURE + "2"), text("said")], None),
    "two with a text between": ([thought("One"), text("said"), thought("Two", CLAUDE_SIGNATURE + "2")], None),
    "one and a sealed one": ([thought("One"), sealed(), text("said")], None),
    "a sealed one and one": ([sealed(), thought("One"), text("said")], None),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNED)
def test_a_chat_has_the_signature_of_a_single_thought(talking, anthropic_server, name):
    content, signature = SIGNED[name]
    anthropic_server.says(CLAUDE, {"content": content})
    whole = ask(talking, model="claude", max_tokens=100).json()["choices"][0]["message"]
    deltas = [choice["delta"] for choice in stream(talking, model="claude", max_tokens=100).choices(0)]
    streamed = [delta["extra_content"] for delta in deltas if "extra_content" in delta]
    wanted = [{"thought_signature": signature}] if signature else []
    assert [message["extra_content"] for message in [whole] if "extra_content" in message] == wanted == streamed
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == whole["reasoning_content"]


LOOPS = {
    "one": [thought("One"), text("said")],
    "two": [thought("One"), thought("Two", CLAUDE_SIGNATURE + "2")],
    "one and a sealed one": [thought(""), text("said"), sealed()],
    "one around each text": [thought("One"), text("sa"), thought("Two", CLAUDE_SIGNATURE + "2"), text("id"), sealed()],
}


@pytest.mark.parametrize("mark", [{}, {"cache_control": {"type": "ephemeral"}}], ids=["unmarked", "marked"])
@pytest.mark.parametrize("name", LOOPS)
def test_a_chat_gets_its_reasoning_back_with_its_tool_calls(talking, anthropic_server, name, mark, is_streamed):
    content = LOOPS[name]
    anthropic_server.says(CLAUDE, {"content": [*content, use("toolu_1", "f", {})]}, {})
    messages = [{"role": "user", "content": "Hi"}]
    fields = {"model": "claude", "max_tokens": 100, "reasoning_effort": "low", "tools": [{"type": "function", "function": {"name": "f"}}]}
    if is_streamed:
        assert stream(talking, messages=messages, **fields).is_done
    else:
        ask(talking, messages=messages, **fields)
    call = {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"type": "text", "text": "said"} | mark
    messages += [{"role": "assistant", "content": [said], "tool_calls": [call]}, {"role": "tool", "tool_call_id": "toolu_1", "content": "ok"}]
    ask(talking, messages=messages, **fields)
    first, second = (seen["body"] for seen in anthropic_server.asked(CLAUDE))
    reasoning = [block for block in content if block["type"] != "text"]
    # The client has joined the texts.
    before = 2 if name == "two" else 1
    called = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    assert second["messages"][1]["content"] == [*reasoning[:before], said, *reasoning[before:], called]
    assert first["thinking"] == second["thinking"] and anthropic_server.take_violations() == []


def test_other_instances_give_the_reasoning_back(start_relay, caller, anthropic_server, store):
    at = provider("ANT", "anthropic", f"{anthropic_server.base_url}/v1", f"claude={CLAUDE}", API_KEY=CLAUDE_KEY)
    one, other = (caller(start_relay(**at, KEY_TEAM_TOKEN=TEAM_TOKEN, MEMCACHED_SERVERS=store.address), TEAM_TOKEN) for _ in range(2))
    anthropic_server.says(CLAUDE, {"content": [thought("Nobody else may read this."), sealed(), use("toolu_1", "f", {})]}, {})
    fields = {"model": "claude", "max_tokens": 100, "reasoning_effort": "low", "tools": [{"type": "function", "function": {"name": "f"}}]}
    message = ask(one, messages=[{"role": "user", "content": "Hi"}], **fields).json()["choices"][0]["message"]
    wait_for(lambda: any(key.startswith("relay:1:thought:") for key in store.keys()))
    called = {"role": "assistant", "content": None, "tool_calls": message["tool_calls"]}
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "ok"}
    ask(other, messages=[{"role": "user", "content": "Hi"}, called, result], **fields)
    content = anthropic_server.asked(CLAUDE)[1]["body"]["messages"][1]["content"]
    assert [block["type"] for block in content] == ["thinking", "redacted_thinking", "tool_use"] and b"Nobody" not in store.dump()


def test_items_in_their_order(talking, anthropic_server, is_streamed):
    anthropic_server.says(CLAUDE, {"content": MIXED})
    answer = talking.post(RESPONSES, json=response_body("Hi", model="claude", max_output_tokens=100, stream=is_streamed))
    output = events(answer)[-1]["response"]["output"] if is_streamed else answer.json()["output"]
    told = [(item["type"], "".join(part["text"] for part in item["content"])) for item in output]
    # Thoughts without words have signatures alone.
    assert told == [("reasoning", "One"), ("message", "Fi\u00e9rst"), ("reasoning", ""), ("reasoning", ""), ("message", "Second"), ("reasoning", "Three")]
    assert {item["status"] for item in output} == {"completed"}
    anthropic_server.says(CLAUDE, {"content": MIXED})
    whole = ask(talking, model="claude", max_tokens=100).json()["choices"][0]["message"]
    assert (whole["content"], whole["reasoning_content"]) == ("Fi\u00e9rstSecond", "OneThree")
