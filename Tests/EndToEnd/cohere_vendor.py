"""A strict fake of version 2 of Cohere's chat API, see `vendor_server`.

SCRIPT besides: text, reasoning, plan, calls [(id, name, arguments)], finish, usage.
Requests are checked with the types of `cohere`, and against what the live service is known to refuse.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import cohere
import pydantic
from vendor_server import Server, empty_ones

USAGE = {"billed_units": {"input_tokens": 5.0, "output_tokens": 6.0}, "tokens": {"input_tokens": 9.0, "output_tokens": 8.0}}
FIELDS = set(inspect.signature(cohere.ClientV2.chat).parameters) - {"self", "request_options"} | {"stream"}
NOT_SENT = {"documents", "citation_options", "safety_mode", "priority", "logprobs"}
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")
MODELS = ["command=command-a-03-2025", "thinker=command-a-reasoning-08-2025", *(f"command-mend-{number}" for number in range(9))]


def strict(model: type[pydantic.BaseModel]) -> type[pydantic.BaseModel]:
    """Returns the type without unknown fields."""
    return type(model.__name__, (model,), {"model_config": pydantic.ConfigDict(extra="forbid")})


TYPES = {
    "system": strict(cohere.SystemChatMessageV2), "user": strict(cohere.UserChatMessageV2),
    "assistant": strict(cohere.AssistantChatMessageV2), "tool": strict(cohere.ToolChatMessageV2),
}  # fmt: skip


class CohereWire:
    headers = {"authorization"}

    def model(self, path: str, body: dict[str, Any]) -> str:
        return body.get("model", "")

    def is_stream(self, path: str, body: dict[str, Any]) -> bool:
        return body.get("stream", False)

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if path != "/v1/models?page_size=1":
            return 404, {"message": "not found"}
        is_bad = headers.get("authorization", "").startswith("Bearer bad")
        return (401, {"id": "1", "message": "invalid api token"}) if is_bad else (200, {"models": []})

    def problems(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Iterator[str]:
        if path != "/v2/chat":
            yield f"path {path}"
        if not headers.get("authorization", "").startswith("Bearer "):
            yield "no key"
        if unknown := set(body) - FIELDS | set(body) & NOT_SENT:
            yield f"fields {sorted(unknown)}"
        yield from empty_ones({name: value for name, value in body.items() if name not in ("tools", "response_format")}, "")
        yield from messages(body)
        yield from tools(body)
        if "presence_penalty" in body and "frequency_penalty" in body:
            yield "cannot specify both penalties"
        for name, low, high in (("presence_penalty", 0, 1), ("frequency_penalty", 0, 1), ("p", 0.01, 0.99), ("k", 0, 500), ("temperature", 0, 1)):
            if not low <= body.get(name, low) <= high:
                yield f"{name} {body[name]}"
        if len(body.get("stop_sequences", ())) > 5:
            yield "too many stops"
        if "thinking" in body:
            strict(cohere.Thinking).model_validate(body["thinking"])
            if "reasoning" not in body["model"]:
                yield "thinking"
        if form := body.get("response_format"):
            if set(form) - {"type", "json_schema"} or form["type"] != "json_object" or "tools" in body:
                yield f"response_format {form}"
            if "json_schema" in form:
                yield from objects(form["json_schema"], "json_schema")

    def whole(self, script: dict[str, Any]) -> Any:
        message: dict[str, Any] = {"role": "assistant"}
        content = [{"type": "thinking", "thinking": script["reasoning"]}] if "reasoning" in script else []
        text = script.get("text", None if script.get("calls") else "Hello there")
        if text:
            content.append({"type": "text", "text": text})
        if content:
            message["content"] = content
        if "plan" in script:
            message["tool_plan"] = script["plan"]
        if calls := script.get("calls"):
            message["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}} for id, name, arguments in calls
            ]
        answer = {"id": "a1", "finish_reason": self.finish(script), "message": message, "usage": script.get("usage", USAGE)}
        cohere.V2ChatResponse.model_validate(answer)
        return answer

    @staticmethod
    def finish(script: dict[str, Any]) -> str:
        return script.get("finish", "TOOL_CALL" if script.get("calls") else "COMPLETE")

    def events(self, script: dict[str, Any]) -> list[Any]:
        out: list[Any] = [named("message-start", id="a1", delta={"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}})]
        if "plan" in script:
            out += [named("tool-plan-delta", delta={"message": {"tool_plan": piece}}) for piece in halves(script["plan"])]
        index = 0
        text = script.get("text", None if script.get("calls") else "Hello there")
        for kind, told in (("thinking", script.get("reasoning")), ("text", text)):
            if told:
                out.append(named("content-start", index=index, delta={"message": {"content": {"type": kind, kind: ""}}}))
                out += [named("content-delta", index=index, delta={"message": {"content": {kind: piece}}}) for piece in halves(told)]
                out.append(named("citation-start", index=0, delta={"message": {"citations": {"start": 0, "end": 1, "text": "x", "sources": []}}}))
                out.append(named("content-end", index=index))
                index += 1
        for at, (id, name, arguments) in enumerate(script.get("calls", ())):
            function = {"name": name, "arguments": ""}
            out.append(named("tool-call-start", index=at, delta={"message": {"tool_calls": {"id": id, "type": "function", "function": function}}}))
            for piece in halves(arguments):
                out.append(named("tool-call-delta", index=at, delta={"message": {"tool_calls": {"function": {"arguments": piece}}}}))
            out.append(named("tool-call-end", index=at))
        return [*out, end(self.finish(script), usage=script.get("usage", USAGE)), "data: [DONE]"]


def halves(text: str) -> list[str]:
    return [piece for piece in (text[: len(text) // 2], text[len(text) // 2 :]) if piece]


def named(type: str, **fields: Any) -> dict[str, Any]:
    return {"type": type} | fields


def end(finish: str, **more: Any) -> dict[str, Any]:
    return named("message-end", id="a1", delta={"finish_reason": finish} | more)


def messages(body: dict[str, Any]) -> Iterator[str]:
    waiting: set[str] = set()
    known: set[str] = set()
    for at, message in enumerate(body["messages"]):
        role = message.get("role")
        if role not in TYPES:
            yield f"messages[{at}]: role {role}"
            continue
        try:
            TYPES[role].model_validate(message)
        except pydantic.ValidationError as error:
            yield f"messages[{at}]: {error}"
        if not message.get("content") and not message.get("tool_calls"):
            yield f"messages[{at}]: message must not be empty"
        if message.get("content") == "":
            yield f"messages[{at}]: empty content"
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                yield f"messages[{at}]: no call {message['tool_call_id']} waits"
            waiting.discard(message["tool_call_id"])
        elif waiting:
            yield f"messages[{at}]: calls {sorted(waiting)} have no result"
        for call in message.get("tool_calls", ()):
            if call["id"] in known:
                yield f"messages[{at}]: id {call['id']} twice"
            if not NAME.match(call["function"]["name"]) or not call["function"]["arguments"].startswith("{"):
                yield f"messages[{at}]: call {call}"
            waiting.add(call["id"])
            known.add(call["id"])
    if waiting:
        yield f"calls {sorted(waiting)} have no result"


def tools(body: dict[str, Any]) -> Iterator[str]:
    for tool in body.get("tools", ()):
        try:
            strict(cohere.ToolV2).model_validate(tool)
        except pydantic.ValidationError as error:
            yield f"tools: {error}"
        if set(tool["function"]) - {"name", "description", "parameters"} or not NAME.match(tool["function"]["name"]):
            yield f"tool {tool}"
        if body.get("strict_tools") and not tool["function"]["parameters"].get("required"):
            yield "a strict tool without a required parameter"
    if body.get("tool_choice", "NONE") not in ("REQUIRED", "NONE"):
        yield f"tool_choice {body['tool_choice']}"
    if {"tool_choice", "strict_tools"} & set(body) and "tools" not in body:
        yield "tool_choice without tools"


def objects(schema: Any, path: str) -> Iterator[str]:
    if isinstance(schema, dict):
        if schema.get("type") == "object" and not schema.get("required"):
            yield f"{path}: an object without required members"
        for name, inner in schema.items():
            yield from objects(inner, f"{path}.{name}")


def start() -> Server:
    return Server(CohereWire())
