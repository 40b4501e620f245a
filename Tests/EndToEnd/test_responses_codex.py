"""A session like Codex's: a WebSocket is requested, then each turn has the whole conversation and is streamed."""

import json
from typing import Any

from chat import MODEL, deltas_of
from responding import PATH, events, said, text_of

SHELL = {
    "type": "function", "name": "exec_command", "description": "Runs a command", "strict": False,
    "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]},
}  # fmt: skip
PATCH = {
    "type": "custom", "name": "apply_patch", "description": "Edits files",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch hunk+ end_patch"},
}  # fmt: skip
SPACE = {"type": "namespace", "name": "mcp__docs", "description": "Docs", "tools": [SHELL | {"name": "search", "defer_loading": True}]}
TOOLS = [SHELL, PATCH, SPACE, {"type": "tool_search"}, {"type": "web_search", "external_web_access": False}]
PATCHED = "*** Begin Patch\n*** Add File: a.txt\n+x\n*** End Patch"


def written(name: str, arguments: dict[str, Any]) -> str:
    return f"I go on.\n<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


CALLS = [
    written("exec_command", {"cmd": "ls"}), written("apply_patch", {"input": PATCHED}),
    written("mcp__docs__search", {"cmd": "docs"}), "Done with that.",
]  # fmt: skip


def output_of(item: dict[str, Any]) -> dict[str, Any]:
    kind = item["type"] + "_output"
    return {"type": kind, "call_id": item["call_id"], "output": "ok"}


def test_a_session_of_twenty_turns(start_relay, caller, store, vendor, new_key):
    texts = [CALLS[turn % 4] for turn in range(10)] + ["What was done so far."] + [CALLS[turn % 4] for turn in range(10, 21)]
    vendor.answers((key := new_key()), *({"answer": text, "deltas": deltas_of(text, 4)} for text in texts))
    relay = start_relay(
        PROVIDER_PAID_KIND="onemin", PROVIDER_PAID_API_KEYS=key, KEY_ME_TOKEN="token-of-me-00001",
        MEMCACHED_SERVERS=store.address, DEFAULT_MODEL=MODEL, RATE_LIMIT="1000/minute",
    )  # fmt: skip
    http = caller(relay, "token-of-me-00001")
    assert http.get(PATH, headers={"Connection": "Upgrade", "Upgrade": "websocket"}).status_code == 426
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "<permissions>"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Do it all."}]},
    ]
    seen: set[str] = set()
    for turn in range(20):
        sent = {
            "model": MODEL, "instructions": "You are Codex. " * 100, "input": items, "tools": TOOLS, "tool_choice": "auto",
            "parallel_tool_calls": True, "reasoning": {"effort": "high", "summary": "auto"}, "store": False,
            "stream": True, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "session",
            "text": {"verbosity": "low"}, "client_metadata": {"a": "b"}, "service_tier": "auto",
        }  # fmt: skip
        if turn == 15:
            del sent["model"]
        answer = http.post(PATH, json=sent, headers={"OpenAI-Beta": "responses=experimental", "session_id": "s"})
        assert answer.status_code == 200, answer.text
        got = events(answer)[-1]
        assert got["type"] == "response.completed" and got["response"]["store"] is False
        done = [event["item"] for event in events(answer) if event["type"] == "response.output_item.done"]
        items += [{"type": "reasoning", "id": f"rs_{turn}", "summary": [], "encrypted_content": "sealed"}, *done]
        calls = [item for item in done if item["type"] != "message"]
        seen |= {item["type"] + "/" + item["name"] for item in calls}
        items += [output_of(item) for item in calls] or [said("user", "Go on.")]
        if turn == 9:
            compact = {key: sent[key] for key in ("model", "input", "instructions", "prompt_cache_key", "tools")}
            answer = http.post(f"{PATH}/compact", json=compact)
            assert answer.status_code == 200, answer.text
            items = [*answer.json()["output"], said("user", "Go on.")]
        store.flush()
    assert seen == {"function_call/exec_command", "custom_tool_call/apply_patch", "function_call/search"}
    assert text_of(got["response"]) == "Done with that."
