"""A strict fake of Anthropic's Messages API, for tests.

`AnthropicServer` runs in a thread of the test's process. A request is checked against the types of Anthropic's own client and
against the rules that its documentation has beside them; one that Anthropic would refuse gets its 400, and is a violation.

SCRIPT, all optional (besides those of `openai_vendor`: json, raw, status, headers, type, cut, stall, pieces, line_end, events):
    content                   blocks of the answer, made by `text`, `thought`, `sealed` and `use`
    stop, sequence, details   stop_reason, stop_sequence and stop_details of it
    usage, id                 of it
    lax                       a rule that is not checked
    open                      true: the body is a client's own, so nothing in it is checked
"""

import base64
import json
import re
import sys
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pydantic
from anthropic.types import message_create_params
from fake_server import Handler
from openai_vendor import Server, answer, empty_ones, passes
from pictures import picture
from prompt_caching import PromptCache
from typing_extensions import is_typeddict

VERSION = "2023-06-01"
USAGE = {"input_tokens": 9, "output_tokens": 8}
HEADERS = {"host", "accept", "accept-encoding", "x-api-key", "anthropic-version", "content-type", "content-length", "user-agent"}
MOST = {
    "claude-3-7-sonnet": 64000, "claude-opus-4-20250514": 32000, "claude-sonnet-4-5": 64000, "claude-haiku-4-5": 64000,
    "claude-opus-4-5": 64000, "claude-sonnet-4-6": 128000, "claude-opus-4-8": 128000, "claude-sonnet-5-5": 128000,
    "claude-opus-5-5": 128000,
}  # fmt: skip
BUDGETED = {"claude-3-7-sonnet", "claude-opus-4-20250514", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5"}
UNSAMPLED = {"claude-opus-4-8", "claude-sonnet-5-5", "claude-opus-5-5"}
UNFORCED = {"claude-sonnet-5-5", "claude-opus-5-5"}
UNFORMED = {"claude-3-7-sonnet", "claude-opus-4-20250514"}
UNTURNED = {name for name in MOST if name not in ("claude-opus-4-8", "claude-sonnet-5-5", "claude-opus-5-5")}
"""Models that refuse turns of the role system."""
OFF = {"claude-sonnet-5-5": "between_tools", "claude-opus-5-5": None}
EFFORTS = {"claude-opus-4-5": 3, "claude-sonnet-4-6": 4}
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"
SEALED = "EmwKAhgBEgy3va3pzix/LafPsn4a"
PAGES = {"/small.png": picture("small"), "/small.pdf": b"%PDF-1.4 small"}
PATHS = {"/v1/messages", "/v1/messages/count_tokens"}
SERVED = {"server_tool_use", "web_search_tool_result", "web_search_result"}
PNG = b"\x89PNG\r\n\x1a\n"
TYPES = {PNG[:4]: "image/png", b"\xff\xd8\xff\xe0": "image/jpeg", b"GIF8": "image/gif", b"RIFF": "image/webp"}
KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "allOf", "$ref", "$defs",
    "definitions", "description", "title", "format", "minItems",
}  # fmt: skip


def strict_types() -> pydantic.TypeAdapter[Any]:
    """Returns the request types of Anthropic's client, which refuse unknown fields."""
    for name, module in list(sys.modules.items()):
        for known in vars(module).values() if name.startswith("anthropic.types") else ():
            if is_typeddict(known):
                known.__pydantic_config__ = {"extra": "forbid", "arbitrary_types_allowed": True}
    return pydantic.TypeAdapter(message_create_params.MessageCreateParams)


ADAPTER = strict_types()


def consumed(value: Any) -> None:
    """Consumes iterables, which are validated as they are read. Blocks of responses, which the client accepts too, may
    have more fields."""
    if isinstance(value, pydantic.BaseModel) and getattr(value, "type", None) not in SERVED:
        raise ValueError(f"{value} is not the block of a request")
    if isinstance(value, dict):
        for inner in value.values():
            consumed(inner)
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for inner in value:
            consumed(inner)


def problems_of(body: dict[str, Any]) -> Iterator[str]:
    # The client of today knows these no more; older models do.
    known = {name: value for name, value in body.items() if name not in ("temperature", "top_p", "top_k")}
    try:
        consumed(ADAPTER.validate_python(known))
    except ValueError as error:
        yield f"types: {error}"
        return
    yield from empty_ones({name: value for name, value in body.items() if name != "tools"}, "")
    model = body["model"]
    if body["max_tokens"] > MOST.get(model, 10**9):
        yield "max_tokens is over the maximum"
    yield from sampling_problems(body, model)
    yield from thinking_problems(body, model)
    yield from tool_problems(body, model)
    yield from format_problems(body, model)
    yield from system_problems(body.get("system", []))
    yield from turn_problems(body, model)
    if json.dumps(body).count('"cache_control":') > 4:
        yield "a maximum of 4 blocks with cache_control may be provided"
    if any(not stop.strip() for stop in body.get("stop_sequences", ())):
        yield "stop_sequences: each stop sequence must contain non-whitespace"
    if not re.fullmatch("[0-9a-f]{64}|none", body.get("metadata", {}).get("user_id", "none")):
        yield "metadata.user_id may tell a person"


def sampling_problems(body: dict[str, Any], model: str) -> Iterator[str]:
    given = {"temperature", "top_p", "top_k"} & set(body)
    if given and model in UNSAMPLED:
        yield f"{given} is not supported on this model"
    if body.get("temperature", 0) > 1:
        yield "temperature: range: 0..1"
    if {"temperature", "top_p"} <= given and model != "claude-3-7-sonnet" and model in MOST:
        yield "`temperature` and `top_p` cannot both be specified for this model"
    if given and body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
        yield f"{given} with thinking"


def thinking_problems(body: dict[str, Any], model: str) -> Iterator[str]:
    thinking = body.get("thinking", {"type": None})
    if thinking["type"] == "enabled":
        if model in UNSAMPLED:
            yield "thinking.type.enabled is not supported on this model"
        if not 1024 <= thinking["budget_tokens"] < body["max_tokens"]:
            yield f"budget_tokens {thinking['budget_tokens']} beside max_tokens {body['max_tokens']}"
    if thinking["type"] == "adaptive" and model in BUDGETED:
        yield "adaptive thinking is not supported on this model"
    if thinking["type"] in ("disabled", "between_tools") and thinking["type"] != OFF.get(model, "disabled"):
        yield f"thinking.type.{thinking['type']} is not supported on this model"
    if effort := body.get("output_config", {}).get("effort"):
        known = ["low", "medium", "high", "max", "xhigh"]
        if known.index(effort) >= EFFORTS.get(model, 0 if model in BUDGETED else 5):
            yield f"effort {effort} is not supported on this model"


def tool_problems(body: dict[str, Any], model: str) -> Iterator[str]:
    names = [tool["name"] for tool in body.get("tools", ())]
    if len(names) != len(set(names)):
        yield "tools: Tool names must be unique."
    for tool in body.get("tools", ()):
        if not re.fullmatch("[a-zA-Z0-9_-]{1,128}", tool["name"]):
            yield f"tools: name {tool['name']}"
        if "input_schema" not in tool:
            continue
        if tool["input_schema"].get("type") != "object":
            yield "tools.0.custom.input_schema.type: Field required"
        if {"anyOf", "oneOf", "allOf"} & set(tool["input_schema"]):
            yield "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
        if tool.get("strict"):
            if model in UNFORMED:
                yield "strict is not supported on this model"
            yield from schema_problems(tool["input_schema"], tool["input_schema"])
    choice = body.get("tool_choice")
    if choice is None:
        return
    if not names:
        yield "tool_choice may only be specified while providing tools"
    if choice["type"] == "tool" and choice["name"] not in names:
        yield f"Tool '{choice['name']}' not found in provided tools"
    if choice["type"] in ("any", "tool"):
        if model in UNFORCED:
            yield "tool_choice: forced tool use is not supported on this model"
        if body.get("thinking", {}).get("type") in ("enabled", "adaptive"):
            yield "Thinking may not be enabled when tool_choice forces tool use."


def format_problems(body: dict[str, Any], model: str) -> Iterator[str]:
    if form := body.get("output_config", {}).get("format"):
        if model in UNFORMED:
            yield "output_config.format: structured outputs are not supported on this model"
        yield from schema_problems(form["schema"], form["schema"])


TYPED = {"type", "properties", "anyOf", "allOf", "$ref", "enum", "const"}


def schema_problems(schema: Any, root: Any, inside: tuple[str, ...] = ()) -> Iterator[str]:
    """Returns what Anthropic refuses in a schema for structured outputs. `inside` names the references that led here."""
    if not isinstance(schema, dict):
        yield f"schema: {schema!r} is not an object"
        return
    if unknown := set(schema) - KEYWORDS:
        yield f"schema: {sorted(unknown)} is not supported"
    if not TYPED & set(schema):
        yield f"schema: {schema} has no type"
    if (schema.get("type") == "object" or "properties" in schema) and schema.get("additionalProperties") is not False:
        yield "schema: for 'object' type, 'additionalProperties' must be explicitly set to false"
    if any(isinstance(value, dict | list) for value in schema.get("enum", ())):
        yield "schema: enum with complex types"
    if reference := schema.get("$ref"):
        if reference in inside:
            yield f"schema: {reference} is recursive"
            return
        target = root
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]
        yield from schema_problems(target, root, (*inside, reference))
    for inner in schema.get("properties", {}).values():
        yield from schema_problems(inner, root, inside)
    for inner in [*([schema["items"]] if "items" in schema else []), *schema.get("anyOf", ()), *schema.get("allOf", ())]:
        yield from schema_problems(inner, root, inside)


def system_problems(system: Any) -> Iterator[str]:
    for block in system if isinstance(system, list) else []:
        if not block["text"].strip():
            yield "system: text content blocks must be non-empty"


def turn_problems(body: dict[str, Any], model: str) -> Iterator[str]:
    messages = body["messages"]
    if messages[0]["role"] != "user":
        yield "messages: first message must use the \"user\" role"
    waiting: list[str] = []
    seen: set[str] = set()
    for at, message in enumerate(messages):
        place = f"messages.{at}"
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        if not blocks:
            yield f"{place}: all messages must have non-empty content"
        if message["role"] == "system":
            if model in UNTURNED:
                yield "role 'system' is not supported on this model"
            if not at or messages[at - 1]["role"] != "user" or messages[at + 1 :] and messages[at + 1]["role"] != "assistant":
                yield f"{place}: role 'system' must follow a user turn, and precede an assistant turn or end the list"
        if at and message["role"] == messages[at - 1]["role"]:
            yield f"{place}: neighbours of one role"
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(results) != sorted(waiting):
            yield f"{place}: `tool_use` ids {waiting} were found without `tool_result` blocks immediately after: {results}"
        if [block["type"] for block in blocks[: len(results)]] != ["tool_result"] * len(results):
            yield f"{place}: `tool_result` blocks have to come first"
        for block in blocks:
            yield from block_problems(block, message["role"], place)
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if seen & set(waiting) or len(waiting) != len(set(waiting)):
            yield f"{place}: `tool_use` ids must be unique"
        seen |= set(waiting)
        if waiting and "tools" not in body:
            yield "Requests which have `tool_use` blocks must define tools"
    yield from end_problems(body, model, messages)


def end_problems(body: dict[str, Any], model: str, messages: list[dict[str, Any]]) -> Iterator[str]:
    last = messages[-1]
    thinking = body.get("thinking", {}).get("type")
    if last["role"] == "assistant":
        is_paused = isinstance(last["content"], list) and any(block["type"] in SERVED for block in last["content"])
        if not is_paused and (model in MOST and model not in BUDGETED or thinking in ("enabled", "adaptive")):
            yield "This model does not support assistant message prefill."
        text = last["content"][-1].get("text", "") if isinstance(last["content"], list) else last["content"]
        if text != text.rstrip():
            yield "messages: final assistant content cannot end with trailing whitespace"
    elif thinking == "enabled" and isinstance(last["content"], list) and any(block["type"] == "tool_result" for block in last["content"]):
        if messages[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking"):
            yield "Expected `thinking` or `redacted_thinking`, but found `tool_use`"


def block_problems(block: dict[str, Any], role: str, place: str) -> Iterator[str]:
    kind = block["type"]
    allowed = {
        "system": {"text"}, "user": {"text", "image", "document", "tool_result"}, "assistant": {"text", "thinking", "redacted_thinking", "tool_use", *SERVED},
    }  # fmt: skip
    if kind not in allowed[role]:
        yield f"{place}: {kind} in a message of {role}"
    if kind == "text" and not block["text"].strip():
        yield f"{place}: text content blocks must contain non-whitespace text"
    if kind == "thinking" and not block["signature"].startswith(SIGNATURE):
        yield f"{place}: Invalid `signature` in `thinking` block"
    if kind == "redacted_thinking" and not block["data"].startswith(SEALED):
        yield f"{place}: Invalid data in `redacted_thinking` block"
    if kind in ("tool_use", "tool_result"):
        id = block["id"] if kind == "tool_use" else block["tool_use_id"]
        if not re.fullmatch("[a-zA-Z0-9_-]+", id):
            yield f"{place}: {kind} id {id}: String should match pattern '^[a-zA-Z0-9_-]+$'"
    if kind == "tool_use" and not isinstance(block["input"], dict):
        yield f"{place}: input should be an object"
    if kind == "tool_result" and isinstance(block.get("content"), list):
        for inner in block["content"]:
            yield from block_problems(inner, "user", place)
    if kind in ("image", "document") and block["source"]["type"] == "base64":
        data = base64.b64decode(block["source"]["data"], validate=True)
        known = "application/pdf" if data[:5] == b"%PDF-" else TYPES.get(data[:4])
        if block["source"]["media_type"] != known:
            yield f"{place}: {block['source']['media_type']} appears to be {known}"


class AnthropicServer(Server):
    """The running fake. `base_url` is without a path."""

    def __init__(self) -> None:
        self.cache: PromptCache | None = None
        """The prompt cache that counts the usage of each request; None: the script does."""
        super().__init__(handler)
        self.base_url = self.base_url.removesuffix("/v1")


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Requests(Handler):
        def do_GET(self) -> None:
            if self.path in PAGES:
                return answer(self, {}, {"raw": PAGES[self.path]})
            is_known = self.path == "/v1/models" and self.headers.get("x-api-key", "").startswith("key-")
            is_known = is_known and self.headers.get("anthropic-version") == VERSION
            answer(self, {}, {"status": 200 if is_known else 401, "json": {"data": []} if is_known else failure("authentication_error")})

        def do_POST(self) -> None:
            raw = self.read()
            body = json.loads(raw)
            headers = self.lowered()
            script = server.next_script(body.get("model", ""))
            problems = [] if self.path in PATHS else [f"path {self.path}"]
            problems += [] if script.get("open") else problems_of(body)
            problems += [f"header {name}" for name in set(headers) - HEADERS - set(script.get("own_headers", ()))]
            if headers.get("content-type") != "application/json":
                problems.append("content-type")
            if "anthropic-version" not in headers:
                problems.append("anthropic-version: header is required")
            if ("x-api-key" in headers) == ("authorization" in headers):
                problems.append("one of x-api-key and authorization")
            problems = [problem for problem in problems if not any(lax in problem for lax in script.get("lax", ()))]
            server.note(self.path, body.get("model", ""), headers, body, raw, problems)
            self.left = server.left
            if "gate" in script and not passes(self.connection, script["gate"]):
                server.gone.put(body.get("model", ""))
                self.close_connection = True
                return
            if isinstance(server, AnthropicServer) and server.cache:
                with server.lock:
                    script = {"usage": server.cache.usage(body)} | script
            if problems:
                script = {"status": 400, "json": failure("invalid_request_error", problems[0])}
            answer(self, body, script, whole, events)

    return Requests


def failure(kind: str, message: str = "It is wrong.", **more: Any) -> dict[str, Any]:
    """Returns the body of a refusal."""
    return {"type": "error", "error": {"type": kind, "message": message} | more, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said, "citations": None}


def thought(said: str, signature: str = SIGNATURE) -> dict[str, Any]:
    return {"type": "thinking", "thinking": said, "signature": signature}


def sealed(data: str = SEALED) -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": data}


def use(id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": arguments, "caller": {"type": "direct"}}


def search(number: int, query: str) -> list[dict[str, Any]]:
    """Returns the content blocks of one use of Anthropic's own web search."""
    id = f"srvtoolu_{number}"
    found = {"type": "web_search_result", "url": "https://a.example", "title": "A", "encrypted_content": "RXRq"}
    return [
        {"type": "server_tool_use", "id": id, "name": "web_search", "input": {"query": query}},
        {"type": "web_search_tool_result", "tool_use_id": id, "content": [found]},
    ]


def content_of(script: dict[str, Any]) -> list[dict[str, Any]]:
    return script.get("content", [text("Hello there")])


def ending(script: dict[str, Any]) -> dict[str, Any]:
    has_calls = any(block["type"] == "tool_use" for block in content_of(script))
    return {
        "stop_reason": script.get("stop", "tool_use" if has_calls else "end_turn"),
        "stop_sequence": script.get("sequence"), "stop_details": script.get("details"),
    }  # fmt: skip


def whole(script: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": script.get("id", "msg_013Zva2CMHLNnXjNJJKqJ2EF"), "type": "message", "role": "assistant", "model": "claude-own",
        "content": content_of(script), "usage": script.get("usage", USAGE), "container": None,
    } | ending(script)  # fmt: skip


def halves(said: str) -> list[str]:
    middle = len(said) // 2
    return [piece for piece in (said[:middle], said[middle:]) if piece]


def block_events(at: int, block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    def delta(kind: str, **what: Any) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": at, "delta": {"type": kind} | what}

    empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}, "server_tool_use": {"input": {}}}.get(block["type"], {})
    yield {"type": "content_block_start", "index": at, "content_block": block | empty}
    if block["type"] == "text":
        yield from (delta("text_delta", text=piece) for piece in halves(block["text"]))
    elif block["type"] == "thinking":
        yield from (delta("thinking_delta", thinking=piece) for piece in halves(block["thinking"]))
        yield delta("signature_delta", signature=block["signature"])
    elif block["type"] in ("tool_use", "server_tool_use"):
        yield delta("input_json_delta", partial_json="")
        if block["input"]:
            yield from (delta("input_json_delta", partial_json=piece) for piece in halves(json.dumps(block["input"])))
    yield {"type": "content_block_stop", "index": at}


def all_events(script: dict[str, Any]) -> Iterator[dict[str, Any]]:
    usage = script.get("usage", USAGE)
    start = whole(script) | {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    yield {"type": "message_start", "message": start | {"usage": usage | {"output_tokens": 1}}}
    yield {"type": "ping"}
    for at, block in enumerate(content_of(script)):
        yield from block_events(at, block)
    yield {"type": "message_delta", "delta": ending(script), "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}


def events(script: dict[str, Any]) -> bytes:
    """Returns the body of a stream."""
    end = script.get("line_end", "\n")
    out = ""
    for event in script.get("events") or all_events(script):
        said = event if isinstance(event, str) else f"event: {event['type']}\ndata: {json.dumps(event, separators=(',', ':'))}"
        out += said.replace("\n", end) + end + end
    return out.encode()
