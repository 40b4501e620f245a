"""Checks of responses in Anthropic's format, by the types of its official client: all known members must fit, and no
others may exist."""

import json
from typing import Any

import pydantic
from anthropic import types
from anthropic.types.shared.error_response import ErrorResponse

EVENTS: dict[str, Any] = {
    "message_start": types.RawMessageStartEvent,
    "content_block_start": types.RawContentBlockStartEvent,
    "content_block_delta": types.RawContentBlockDeltaEvent,
    "content_block_stop": types.RawContentBlockStopEvent,
    "message_delta": types.RawMessageDeltaEvent,
    "message_stop": types.RawMessageStopEvent,
}
STATUS_TYPES = {
    401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 502: "api_error", 504: "timeout_error",
    529: "overloaded_error",
}  # fmt: skip
VENDORS_ID = "req_011CSHoEeqs5C35K2UUqR7Fy"
UNTYPED = {"request_too_large"}
"""Types of errors that Anthropic documents, and that its client has no class for."""


def speaks(request: Any) -> bool:
    """Returns whether a request is one that Anthropic's clients make."""
    parts = [part for part in request.url.path.split("/") if part and part != "v1"]
    first = parts[0] if parts else ""
    return first in ("messages", "anthropic") or first == "models" and "anthropic-version" in request.headers


def extras(value: Any, where: str = "") -> list[str]:
    """Returns members that the client's types do not know."""
    if isinstance(value, list):
        return [found for index, one in enumerate(value) for found in extras(one, f"{where}[{index}]")]
    if not isinstance(value, pydantic.BaseModel):
        return []
    found = [f"{where}.{name} is unknown" for name in value.model_extra or {}]
    return found + [more for name, one in value for more in extras(one, f"{where}.{name}")]


def type_problems(kind: Any, value: Any) -> list[str]:
    try:
        return extras(kind.model_validate_json(json.dumps(value), strict=True), kind.__name__)
    except pydantic.ValidationError as wrong:
        return [f"{kind.__name__}: {one['loc']}: {one['msg']}" for one in wrong.errors()]


def error_problems(status: int | None, value: Any, headers: Any) -> list[str]:
    """Returns the problems of an error. `status` is None for an error within a stream."""
    if not isinstance(value, dict) or set(value) != {"type", "error", "request_id"}:
        return [f"not an error envelope: {value!r:.200}"]
    kind = value["error"].get("type")
    plain = value | {"error": {name: one for name, one in value["error"].items() if name != "details"}}
    found = [] if kind in UNTYPED else type_problems(ErrorResponse, plain)
    # A budget of the relay that is used up: a relay in front of it must not retry.
    if "details" in value["error"] and (status, value["error"]["details"]) != (429, {"error_code": "insufficient_quota"}):
        found += type_problems(types.ThreadUnsupportedRequestErrorDetails, value["error"]["details"])
    if set(value["error"]) - {"details"} != {"type", "message"} or not value["error"]["message"]:
        found.append(f"an error has the members {sorted(value['error'])}")
    # The fake of Anthropic has one id, with which its errors go on.
    if value["request_id"] not in (headers.get("request-id"), VENDORS_ID):
        found.append(f"request_id is {value['request_id']}, the header has {headers.get('request-id')}")
    if status is not None and kind != STATUS_TYPES.get(status, "invalid_request_error"):
        found.append(f"{status} is {kind}")
    return found


def message_problems(value: dict[str, Any]) -> list[str]:
    """Returns problems in a whole message that the types do not cover."""
    found = [] if str(value.get("id")).startswith("msg_") else [f"id is {value.get('id')}"]
    calls = [block for block in value["content"] if block["type"] == "tool_use"]
    if (value["stop_reason"] == "tool_use") != bool(calls):
        found.append(f"{value['stop_reason']} with {len(calls)} calls")
    if (value["stop_reason"] == "stop_sequence") != (value["stop_sequence"] is not None):
        found.append(f"{value['stop_reason']} with the sequence {value['stop_sequence']}")
    if value["stop_reason"] is None:
        found.append("no stop_reason")
    if any(block["type"] == "text" and not block["text"] for block in value["content"]):
        found.append("an empty text")
    if len({call["id"] for call in calls}) < len(calls):
        found.append("an id of a call is there twice")
    if value["usage"]["input_tokens"] < 1:
        found.append(f"usage is {value['usage']}")
    return found


def json_problems(request: Any, status: int, body: bytes, headers: Any) -> list[str]:
    """Returns the problems of a JSON response."""
    try:
        value = json.loads(body)
    except ValueError as problem:
        return [f"not JSON: {problem}: {body[:200]!r}"]
    found = [] if headers.get("request-id") == headers.get("x-request-id") else ["request-id is not x-request-id"]
    if status >= 400:
        return found + error_problems(status, value, headers)
    parts = [part for part in request.url.path.split("/") if part and part not in ("v1", "anthropic")]
    if parts == ["messages", "count_tokens"]:
        return found + type_problems(types.MessageTokensCount, value)
    if parts == ["messages"]:
        return found + (type_problems(types.Message, value) or message_problems(value))
    if parts == ["models"]:
        if set(value) != {"data", "has_more", "first_id", "last_id"}:
            found.append(f"a list has the members {sorted(value)}")
        return found + [wrong for model in value["data"] for wrong in type_problems(types.ModelInfo, model)]
    return found + type_problems(types.ModelInfo, value)


class MessageStreamCheck:
    """A check of the events of a message, like `checked.StreamCheck`; `end` returns their problems."""

    def __init__(self, headers: Any) -> None:
        self.headers = headers
        self.rest = b""
        self.found: list[str] = [] if headers.get("request-id") else ["no request-id"]
        self.message: dict[str, Any] | None = None
        self.blocks: list[dict[str, Any]] = []
        self.open: int | None = None
        self.last = ""

    def feed(self, data: bytes) -> None:
        *events, self.rest = (self.rest + data).split(b"\n\n")
        for event in events:
            self.event(event)

    def event(self, event: bytes) -> None:
        lines = event.decode("utf-8").split("\n")
        if all(line.startswith(":") for line in lines):
            return  # comments
        if len(lines) != 2 or not lines[0].startswith("event: ") or not lines[1].startswith("data: "):
            self.found.append(f"not an event: {event[:200]!r}")
            return
        name, value = lines[0][7:], json.loads(lines[1][6:])
        if value.get("type") != name:
            self.found.append(f"{name} is of type {value.get('type')}")
        if self.last in ("message_stop", "error"):
            self.found.append(f"{name} after the end")
        if name == "error":
            self.last = name
            self.found += error_problems(None, value, self.headers)
            if self.message is None:
                self.found.append("an error before any event, under status 200")
        elif name == "ping":
            self.found += [] if value == {"type": "ping"} else [f"a ping is {value}"]
        elif name not in EVENTS:
            self.found.append(f"an event {name}")
        else:
            self.last = name
            wrong = type_problems(EVENTS[name], value)
            self.found += wrong
            if not wrong:
                getattr(self, name)(value)
        if self.message is None:
            self.found.append(f"{name} comes first")

    def message_start(self, value: Any) -> None:
        if self.message is not None:
            self.found.append("message_start twice")
        self.message = value["message"]
        if self.message["content"] or self.message["stop_reason"] is not None:
            self.found.append(f"the message starts as {self.message}")

    def content_block_start(self, value: Any) -> None:
        if self.open is not None or value["index"] != len(self.blocks):
            self.found.append(f"block {value['index']} starts after {len(self.blocks)}, {self.open} is open")
        self.open = value["index"]
        block = value["content_block"]
        if block.get("text") or block.get("input") or block.get("thinking"):
            self.found.append(f"a block starts with {block}")
        self.blocks.append(block | ({"partial": ""} if block["type"] == "tool_use" else {}))

    def content_block_delta(self, value: Any) -> None:
        if value["index"] != self.open:
            self.found.append(f"a delta of block {value['index']}, while {self.open} is open")
            return
        block, delta = self.blocks[value["index"]], value["delta"]
        kinds = {"text": {"text_delta"}, "tool_use": {"input_json_delta"}, "thinking": {"thinking_delta", "signature_delta"}}
        if delta["type"] not in kinds[block["type"]]:
            self.found.append(f"{delta['type']} in a block of type {block['type']}")
        elif delta["type"] == "text_delta":
            block["text"] += delta["text"]
            self.found += [] if delta["text"] else ["an empty delta"]
        elif delta["type"] == "input_json_delta":
            block["partial"] += delta["partial_json"]

    def content_block_stop(self, value: Any) -> None:
        if value["index"] != self.open:
            self.found.append(f"block {value['index']} stops, {self.open} is open")
            return
        self.open = None
        block = self.blocks[value["index"]]
        if "partial" in block:
            block["input"] = json.loads(block.pop("partial") or "{}")
            self.found += [] if isinstance(block["input"], dict) else [f"input is {block['input']!r:.80}"]

    def message_delta(self, value: Any) -> None:
        assert self.message is not None
        if self.open is not None:
            self.found.append(f"message_delta while {self.open} is open")
        whole = self.message | {"content": self.blocks} | value["delta"]
        whole["usage"] = self.message["usage"] | value["usage"]
        self.found += type_problems(types.Message, whole) or message_problems(whole)

    def message_stop(self, _: Any) -> None:
        pass

    def end(self, *, is_left: bool) -> list[str]:
        if not is_left:
            if self.rest:
                self.found.append(f"ends within an event: {self.rest[:200]!r}")
            if self.last not in ("message_stop", "error"):
                self.found.append(f"ends after {self.last}")
        return self.found
