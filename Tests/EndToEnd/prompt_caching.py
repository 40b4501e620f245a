"""A prompt cache that counts and bills as Anthropic's: `PromptCache().usage(body)` is the usage of a request.

A mark (`cache_control`) writes all that comes before it, if that is long enough. A request reads the longest beginning that
was written before and ends at a mark of its own, or at most 20 blocks before one. Beginnings are compared byte by byte; what
decides about the form of an answer stands between instructions and turns. A mark on top is one at the last block.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

BACK = 20
BYTES_PER_TOKEN = 4
LEAST = 1024
SECONDS = {"5m": 300, "1h": 3600}
COST = {"input": 5.0, "cache_read": 0.5, "5m": 6.25, "1h": 10.0}
"""Dollars of a million tokens."""


def blocks(body: dict[str, Any]) -> Iterator[tuple[Any, dict[str, str] | None]]:
    """Returns the parts of a prompt in the order in which it is cached, each with its mark."""
    for tool in body.get("tools", []):
        yield parted(tool)
    system = body.get("system", [])
    for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
        yield parted(block)
    yield [body.get("tool_choice"), body.get("thinking")], None
    for turn in body["messages"]:
        content = turn["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            bare, mark = parted(block)
            yield [turn["role"], bare], mark


def parted(block: dict[str, Any]) -> tuple[Any, dict[str, str] | None]:
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    assert "cache_control" not in json.dumps(bare), "a mark within a block"
    return bare, block.get("cache_control")


@dataclass
class PromptCache:
    least: int = LEAST
    now: Callable[[], float] = time.time
    ends: dict[tuple[str, int], float] = field(default_factory=dict)
    """When each beginning is forgotten, by its hash and number of blocks."""

    def usage(self, body: dict[str, Any]) -> dict[str, Any]:
        now, length, hashed, found, written = self.now(), 0, "", 0, {"5m": 0, "1h": 0}
        prompt = list(blocks(body))
        if body.get("cache_control"):
            prompt[-1] = prompt[-1][0], body["cache_control"]
        assert sum(mark is not None for _, mark in prompt) <= 4
        beginnings = []
        for at, (block, mark) in enumerate(prompt):
            length += len(text := json.dumps(block)) // BYTES_PER_TOKEN
            hashed = str(hash((hashed, text)))
            beginnings.append(((hashed, at), length, mark))
        for at, (_, _, mark) in enumerate(beginnings):
            if mark is not None:
                for key, length, _ in beginnings[max(0, at - BACK) : at + 1]:
                    if self.ends.get(key, 0) > now:
                        found = max(found, length)
        end = found
        for key, length, mark in beginnings:
            if mark is None or length < self.least:
                continue
            ttl = mark.get("ttl", "5m")
            written[ttl] += max(0, length - end)
            end = max(end, length)
            self.ends[key] = max(self.ends.get(key, 0), now + SECONDS[ttl])
        return {
            "input_tokens": beginnings[-1][1] - end, "output_tokens": 100, "cache_read_input_tokens": found,
            "cache_creation_input_tokens": sum(written.values()),
            "cache_creation": {f"ephemeral_{ttl}_input_tokens": tokens for ttl, tokens in written.items()},
        }  # fmt: skip


def whole(usage: dict[str, Any]) -> int:
    """Returns the length of the prompt."""
    return usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]


def dollars(usage: dict[str, Any]) -> float:
    """Returns the price of the prompt."""
    parts = {"input": usage["input_tokens"], "cache_read": usage["cache_read_input_tokens"]}
    parts |= {ttl: usage["cache_creation"][f"ephemeral_{ttl}_input_tokens"] for ttl in SECONDS}
    return sum(COST[name] * tokens for name, tokens in parts.items()) / 1e6
