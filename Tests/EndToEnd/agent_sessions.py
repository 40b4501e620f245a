"""Random sessions of an agent, as bodies of each surface, and the rule that a vendor's prompt cache needs.

A session is a list of steps; before each assistant turn there is a request with all that came before. The rule
(`broken`): the vendor's request for a longer history begins with that for a shorter one.
"""

import base64
import json
import random
import re
from typing import Any

from pictures import picture

WORDS = ["fix", "the", "tests", "of", "parser", "na\u00efve", "\U0001f600", "a \"quoted\" word", "line\nbreak", "</tag>", "{}", "\\"]
TOOLS = ["read_file", "write_file", "list_files", "search"]
IMAGE = base64.b64encode(picture("small")).decode()
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"


class Session:
    """The steps of a session. A step is a tuple: its kind and its content.

    ("system", text); ("user", [text or None for an image]); ("assistant", thought or None, text or None, [(id, name,
    arguments)]); ("result", id, name, text)."""

    def __init__(self, seed: int, turns: int = 30) -> None:
        self.random = random.Random(seed)
        self.has_tools = self.random.random() < 0.7
        self.steps: list[tuple[Any, ...]] = [("system", self.text()) for _ in range(self.random.randint(0, 2))]
        self.asks: list[int] = []
        """The numbers of steps with which a request is sent."""
        self.calls = 0
        self.user()
        for _ in range(turns):
            self.turn()
        self.tools = [tool(name) for name in TOOLS] if self.has_tools else []
        self.choices = [self.random.choice(["auto", "auto", "required", self.random.choice(TOOLS)]) for _ in self.asks]
        """What each request demands of the tools: nothing, a call, or a call of one tool."""

    def text(self) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 6))) + "."

    def user(self) -> None:
        parts: list[str | None] = [self.text() for _ in range(self.random.choice([1, 1, 2]))]
        if self.random.random() < 0.15:
            parts.append(None)
        self.steps.append(("user", parts))

    def turn(self) -> None:
        chance = self.random.random
        if chance() < 0.2:
            self.steps.append(("system", self.text()))
        self.asks.append(len(self.steps))
        thought = self.text() if chance() < 0.4 else None
        calls = []
        for _ in range(self.random.choice([0, 0, 1, 1, 2, 3]) if self.has_tools else 0):
            self.calls += 1
            calls.append((f"call_{self.calls}", self.random.choice(TOOLS), {"path": self.text(), "lines": [1, 2.5, True]}))
        said = self.text() if not calls or chance() < 0.5 else None
        self.steps.append(("assistant", thought, said, calls))
        for id, name, _ in calls:
            self.steps.append(("result", id, name, self.text()))
        if not calls or chance() < 0.1:
            self.user()
            if chance() < 0.1:
                self.user()


def tool(name: str) -> tuple[str, str, dict[str, Any]]:
    properties = {"path": {"type": "string"}, "lines": {"type": "array", "items": {"type": "number"}}, "a": {"type": "boolean"}}
    return name, f"Does what {name} says.", {"type": "object", "properties": properties, "required": ["path"]}


def chat(session: Session, steps: list[tuple[Any, ...]]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for kind, *rest in steps:
        if kind == "system":
            messages.append({"role": "system", "content": rest[0]})
        elif kind == "user":
            parts = [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{IMAGE}"}} if text is None
                else {"type": "text", "text": text}
                for text in rest[0]
            ]  # fmt: skip
            messages.append({"role": "user", "content": rest[0][0] if len(parts) == 1 else parts})
        elif kind == "assistant":
            thought, said, calls = rest
            message: dict[str, Any] = {"role": "assistant", "content": said}
            if thought:
                message["reasoning_content"] = thought
            if calls:
                message["tool_calls"] = [
                    {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
                    for id, name, given in calls
                ]
            messages.append(message)
        else:
            messages.append({"role": "tool", "tool_call_id": rest[0], "content": rest[2]})
    tools = [
        {"type": "function", "function": {"name": name, "description": says, "parameters": schema}}
        for name, says, schema in session.tools
    ]
    return {"messages": messages} | ({"tools": tools} if tools else {})


def legacy(session: Session, steps: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Chat completions with functions, whose calls have no ids. Only the first call of a turn is made."""
    first = {step[3][0][0] for step in steps if step[0] == "assistant" and step[3]}
    steps = [step for step in steps if step[0] != "result" or step[1] in first]
    body = chat(session, steps)
    for message in body["messages"]:
        if "tool_calls" in message:
            message["function_call"] = message.pop("tool_calls")[0]["function"]
        if message["role"] == "tool":
            id = message.pop("tool_call_id")
            (name,) = [step[2] for step in steps if step[0] == "result" and step[1] == id]
            message |= {"role": "function", "name": name}
    if "tools" in body:
        body["functions"] = [tool["function"] for tool in body.pop("tools")]
    return body


def messages(session: Session, steps: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Anthropic's Messages, with marks for the cache at the end of the instructions and of the last two user turns."""
    leading = next(at for at, step in enumerate(steps) if step[0] != "system")
    turns: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for kind, *rest in steps[leading:]:
        if kind != "result" and results:
            turns.append({"role": "user", "content": results})
            results = []
        if kind == "system":
            turns.append({"role": "system", "content": rest[0]})
        elif kind == "user":
            blocks = [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}} if text is None
                else {"type": "text", "text": text}
                for text in rest[0]
            ]  # fmt: skip
            turns.append({"role": "user", "content": blocks})
        elif kind == "assistant":
            thought, said, calls = rest
            content: list[dict[str, Any]] = [{"type": "thinking", "thinking": thought, "signature": SIGNATURE}] if thought else []
            content += [{"type": "text", "text": said}] if said else []
            content += [{"type": "tool_use", "id": id, "name": name, "input": given} for id, name, given in calls]
            turns.append({"role": "assistant", "content": content})
        else:
            results.append({"type": "tool_result", "tool_use_id": rest[0], "content": rest[2]})
    if results:
        turns.append({"role": "user", "content": results})
    for turn in [turn for turn in turns if turn["role"] == "user"][-2:]:
        turn["content"][-1]["cache_control"] = {"type": "ephemeral"}
    tools = [{"name": name, "description": says, "input_schema": schema} for name, says, schema in session.tools]
    body = {"messages": turns, "max_tokens": 900} | ({"tools": tools} if tools else {})
    if leading:
        body["system"] = [{"type": "text", "text": step[1]} for step in steps[:leading]]
        body["system"][-1]["cache_control"] = {"type": "ephemeral"}
    return body


def responses(session: Session, steps: list[tuple[Any, ...]]) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for kind, *rest in steps:
        if kind == "system":
            items.append({"type": "message", "role": "developer", "content": [{"type": "input_text", "text": rest[0]}]})
        elif kind == "user":
            parts = [
                {"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}"} if text is None
                else {"type": "input_text", "text": text}
                for text in rest[0]
            ]  # fmt: skip
            items.append({"type": "message", "role": "user", "content": parts})
        elif kind == "assistant":
            thought, said, calls = rest
            if said:
                items.append({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": said, "annotations": []}]})
            for id, name, given in calls:
                items.append({"type": "function_call", "call_id": id, "name": name, "arguments": json.dumps(given)})
        else:
            items.append({"type": "function_call_output", "call_id": rest[0], "output": rest[2]})
    tools = [{"type": "function", "name": name, "description": says, "parameters": schema} for name, says, schema in session.tools]
    return {"input": items, "store": False} | ({"tools": tools} if tools else {})


def demanding(surface: str, choice: str) -> dict[str, Any]:
    """Returns the fields with which a request demands a tool call."""
    if choice == "auto":
        return {}
    if surface == "messages":
        return {"tool_choice": {"type": "any"} if choice == "required" else {"type": "tool", "name": choice}}
    if surface == "legacy":
        return {} if choice == "required" else {"function_call": {"name": choice}}
    function = {"name": choice} if surface == "responses" else {"function": {"name": choice}}
    return {"tool_choice": "required" if choice == "required" else {"type": "function"} | function}


SURFACES = {
    "chat": ("/v1/chat/completions", chat), "legacy": ("/v1/chat/completions", legacy), "messages": ("/v1/messages", messages),
    "responses": ("/v1/responses", responses),
}  # fmt: skip

CLOSING = re.compile(
    r"(User: <system-reminder>\n(You must call|# Form of the answer)(?:(?!</system-reminder>).)*</system-reminder>\n\n)?"
    r"\((Answer as the assistant, without a label|Continue the assistant's last message where it ends)\.\)$",
    re.DOTALL,
)
"""The end of a prompt for 1min.ai, after the history: what the request demands, and who speaks next."""
FREE = {"max_tokens", "max_completion_tokens", "max_output_tokens"}
"""Bounds, which may follow the length of the prompt."""


def unmarked(value: Any) -> Any:
    """Returns the JSON value without marks of the cache; objects as lists of pairs, so that their order counts."""
    if isinstance(value, dict):
        return [(name, unmarked(one)) for name, one in value.items() if name != "cache_control"]
    return [unmarked(one) for one in value] if isinstance(value, list) else value


def history_of(body: dict[str, Any]) -> str:
    return next(name for name in ("messages", "input", "contents") if name in body)


def turn_grew(before: Any, after: Any) -> bool:
    """Whether a turn is the earlier one with further parts. Only lists of parts can grow."""
    one, other = dict(before), dict(after)
    lists = [name for name in one if isinstance(one[name], list) and name in other and one[name] != other[name]]
    if [name for name, _ in before] != [name for name, _ in after] or len(lists) > 1:
        return False
    return all(one[name] == (other[name][: len(one[name])] if name in lists else other[name]) for name in one)


def broken(before: bytes, after: bytes) -> str | None:
    """Returns what breaks the rule between the requests for a history and for a longer one; None if nothing does."""
    one, other = json.loads(before), json.loads(after)
    if "promptObject" in one:
        texts = [body["promptObject"]["prompt"] for body in (one, other)]
        texts = [CLOSING.sub("", text) for text in texts]
        if texts[1].startswith(texts[0]):
            return None
        at = next((at for at, pair in enumerate(zip(*texts, strict=False)) if pair[0] != pair[1]), min(map(len, texts)))
        return f"the prompt differs at {at} of {len(texts[0])}: {texts[0][max(0, at - 60):at + 60]!r} {texts[1][max(0, at - 60):at + 60]!r}"
    history = history_of(one)
    if [name for name in one if name not in FREE] != [name for name in other if name not in FREE]:
        return f"fields {list(one)} {list(other)}"
    for name in one:
        if name != history and name not in FREE and unmarked(one[name]) != unmarked(other[name]):
            return f"{name}: {one[name]} {other[name]}"
    turns, more = unmarked(one[history]), unmarked(other[history])
    if len(turns) > len(more):
        return f"{len(turns)} turns became {len(more)}"
    for at, turn in enumerate(turns):
        if turn != more[at] and not (at == len(turns) - 1 and turn_grew(turn, more[at])):
            return f"turn {at} of {len(turns)}: {turn} {more[at]}"
    return None
