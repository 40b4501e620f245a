"""What the vendors of agents refuse: whatever the newest types of their clients do not know, and what breaks their rules."""

import json
import sys
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import anthropic_vendor
import openai_vendor
import pydantic
from anthropic.types.beta import message_count_tokens_params, message_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from openai.types.responses.tool_param import ToolParam
from typing_extensions import NoExtraItems, is_typeddict

SIGNATURE = anthropic_vendor.SIGNATURE + "c2NyaXB0ZWQ="
SEALED = "gAAAAAscripted"


def forbid_unknown(package: str) -> None:
    """Lets the request types of a client refuse unknown fields."""
    for name, module in list(sys.modules.items()):
        for known in vars(module).values() if name.startswith(package) else ():
            if is_typeddict(known) and getattr(known, "__extra_items__", NoExtraItems) is NoExtraItems:
                known.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}


def by_type(union: Any) -> dict[str, pydantic.TypeAdapter[Any]]:
    """Returns the members of a union by their `type`: the problems of one are shorter than those of all."""
    members: dict[str, list[Any]] = {}
    for member in typing.get_args(union):
        kind = typing.get_type_hints(member)["type"]
        for name in typing.get_args(kind):
            members.setdefault(str(name), []).append(member)
    return {name: pydantic.TypeAdapter(typing.Union[tuple(found)]) for name, found in members.items()}  # noqa: UP007


forbid_unknown("anthropic.types")
forbid_unknown("openai.types")
MESSAGE = pydantic.TypeAdapter(message_create_params.MessageCreateParams)
COUNTED = pydantic.TypeAdapter(message_count_tokens_params.MessageCountTokensParams)
CHAT = pydantic.TypeAdapter(completion_create_params.CompletionCreateParams)
RESPONSE = pydantic.TypeAdapter(response_create_params.ResponseCreateParams)
ITEMS, TOOLS = by_type(ResponseInputItemParam), by_type(ToolParam)


@dataclass
class Asked:
    """One request as it came. `headers` keep their order and their names."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    raw: bytes
    body: Any
    step: int | None = None
    problems: list[str] = field(default_factory=list)
    status: int = 200

    def header(self, name: str) -> str | None:
        """Returns the header's lines, joined by commas; None if it is not there."""
        found = [value for known, value in self.headers if known.lower() == name]
        return ", ".join(found) if found else None


def type_problems(adapter: pydantic.TypeAdapter[Any], body: Any) -> Iterator[str]:
    try:
        consume(adapter.validate_python(body))
    except ValueError as error:
        yield f"types: {str(error)[:3000]}"


def consume(value: Any) -> None:
    """Reads iterables to their ends, which are validated as they are read."""
    if isinstance(value, pydantic.BaseModel):
        raise ValueError(f"{value!r:.300} is not the block of a request")
    if isinstance(value, dict):
        for inner in value.values():
            consume(inner)
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for inner in value:
            consume(inner)


def message_problems(asked: Asked) -> Iterator[str]:
    """Returns what Anthropic would refuse."""
    body = asked.body
    if asked.header("anthropic-version") != anthropic_vendor.VERSION:
        yield "anthropic-version"
    if (asked.header("x-api-key") is None) == (asked.header("authorization") is None):
        yield "one of x-api-key and authorization"
    yield from type_problems(COUNTED if asked.path.startswith("/v1/messages/count_tokens") else MESSAGE, body)
    betas = set((asked.header("anthropic-beta") or "").replace(" ", "").split(","))
    needed = {"context_management": "context-management-2025-06-27", "mcp_servers": "mcp-client-2025-11-20"}
    for name, beta in needed.items():
        if name in body and beta not in betas:
            yield f"{name}: Extra inputs are not permitted"
    if any("defer_loading" in tool for tool in body.get("tools", ())) and not any("tool" in beta for beta in betas):
        yield "tools.0.custom.defer_loading: Extra inputs are not permitted"
    if json.dumps(body).count('"cache_control":') > 4:
        yield "A maximum of 4 blocks with cache_control may be provided."
    names = [tool["name"] for tool in body.get("tools", ()) if "name" in tool]
    if len(names) != len(set(names)):
        yield "tools: Tool names must be unique."
    choice = body.get("tool_choice", {"type": "auto"})
    if choice["type"] == "tool" and choice["name"] not in names:
        yield f"Tool '{choice['name']}' not found in provided tools"
    yield from turn_problems(body)


def turn_problems(body: dict[str, Any]) -> Iterator[str]:
    messages = body["messages"]
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    waiting: set[str] = set()
    before = ""
    for at, message in enumerate(messages):
        blocks, role = message["content"], message["role"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        if role == "system" and before != "user":
            yield f"messages.{at}: a system message must follow a user message"
        if not blocks:
            yield f"messages.{at}: all messages must have non-empty content"
        if role == "user":
            results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
            if results != waiting:
                yield f"messages.{at}: `tool_use` ids {waiting} were found without `tool_result` blocks immediately after: {results}"
        elif waiting:
            yield f"messages.{at}: `tool_use` ids {waiting} were found without `tool_result` blocks"
        for block in blocks:
            if block["type"] == "text" and not block["text"].strip():
                yield f"messages.{at}: text content blocks must be non-empty"
            if block["type"] == "thinking" and block["signature"] != SIGNATURE:
                yield f"messages.{at}: Invalid `signature` in `thinking` block"
        waiting = {block["id"] for block in blocks if block["type"] == "tool_use"}
        before = role
    if waiting:
        yield f"`tool_use` ids {waiting} were found without `tool_result` blocks"


def chat_problems(asked: Asked) -> Iterator[str]:
    """Returns what a server like OpenAI's would refuse in chat completions. As it has told its reasoning, it takes it back."""
    yield from openai_vendor.problems_of(asked.body, {})
    messages = []
    for message in asked.body["messages"]:
        own = {"reasoning_content"} if message["role"] == "assistant" else set()
        messages.append({name: value for name, value in message.items() if name not in own})
    yield from type_problems(CHAT, asked.body | {"messages": messages})


def typed_item(item: dict[str, Any]) -> dict[str, Any]:
    """Returns an item of the input without what Codex adds and leaves out. OpenAI's own server accepts it; the types of
    its client do not know it."""
    kind = item.get("type", "message")
    extra = {"internal_chat_message_metadata_passthrough"} | ({"status"} if kind == "custom_tool_call" else set())
    if kind == "reasoning" and item.get("content") is None:
        extra.add("content")
    if kind == "message" and item["role"] != "assistant":
        extra.add("id")
    item = {name: value for name, value in item.items() if name not in extra}
    if item.get("role") != "assistant" or not isinstance(item["content"], list):
        return item
    parts = [({"annotations": []} if part["type"] == "output_text" else {}) | part for part in item["content"]]
    return {"id": "msg_0", "status": "completed"} | item | {"content": parts}


def response_problems(asked: Asked) -> Iterator[str]:
    """Returns what OpenAI would refuse in responses."""
    body = {name: value for name, value in asked.body.items() if name != "client_metadata"}
    yield from type_problems(RESPONSE, body | {"input": [], "tools": []})
    for at, tool in enumerate(body.get("tools", ())):
        known = {name: value for name, value in tool.items() if name != "search_content_types"}
        yield from (f"tools[{at}]: {problem}" for problem in type_problems(TOOLS[tool["type"]], known))
    calls, outputs = set(), set()
    for at, item in enumerate(body["input"]):
        kind = item.get("type", "message")
        yield from (f"input[{at}]: {problem}" for problem in type_problems(ITEMS[kind], typed_item(item)))
        if kind in ("function_call", "custom_tool_call"):
            calls.add(item["call_id"])
        if kind in ("function_call_output", "custom_tool_call_output"):
            outputs.add(item["call_id"])
            if item["call_id"] not in calls:
                yield f"input[{at}]: no call {item['call_id']}"
        if kind == "reasoning" and item.get("encrypted_content") != SEALED:
            yield f"input[{at}]: the encrypted content could not be verified"
    if missing := calls - outputs:
        yield f"no tool output found for function calls {missing}"
