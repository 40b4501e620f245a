"""The Responses API of the strict fake `openai_vendor`: its refusals, and its responses by the scripts of chats."""

import json
from collections.abc import Iterator
from typing import Any

import pydantic
from openai.types.responses import response_create_params

BODY = pydantic.TypeAdapter(response_create_params.ResponseCreateParamsNonStreaming)
FIELDS = {
    "model", "input", "store", "include", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "temperature",
    "top_p", "max_output_tokens", "user", "service_tier", "prompt_cache_key", "safety_identifier", "metadata", "stream",
    "max_tool_calls", "truncation", "prompt_cache_retention",
}  # fmt: skip
ITEMS = {
    "function_call": {"type", "call_id", "name", "arguments"},
    "function_call_output": {"type", "call_id", "output"},
    "reasoning": {"type", "id", "summary", "encrypted_content"},
    "compaction": {"type", "id", "encrypted_content"},
    "compaction_trigger": {"type"},
}
USAGE = {
    "input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0}, "output_tokens": 8,
    "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 17,
}  # fmt: skip


def without_own(body: dict[str, Any], own: dict[str, list[str]]) -> dict[str, Any]:
    """Returns the body without the items, tools and fields that only this server knows: the script's `own`."""
    fields = own.get("fields", ())
    known = {name: value for name, value in body.items() if name not in fields}
    for name in ("reasoning", "text"):
        if name in known:
            known[name] = {key: value for key, value in known[name].items() if key not in fields}
    known["input"] = []
    for item in body["input"]:
        if item.get("type") not in own.get("items", ()):
            known["input"].append(item)
        elif known["input"] and known["input"][-1].get("type") == "reasoning":
            del known["input"][-1]  # It led to this item.
    known["tools"] = [tool for tool in body.get("tools", ()) if tool["type"] not in own.get("tools", ())]
    if len(known["tools"]) < len(body.get("tools", ())):
        known.pop("tool_choice", None)
    if not known["tools"]:
        del known["tools"]
    return known


def problems_of(body: dict[str, Any], script: dict[str, Any]) -> Iterator[str]:
    if isinstance(body["input"], str):
        body = body | {"input": [{"role": "user", "content": body["input"]}]}
    if "own" in script:
        body = without_own(body, script["own"])
    if unknown := set(body) - FIELDS:
        yield f"responses with {sorted(unknown)}"
    try:
        BODY.validate_python({name: value for name, value in body.items() if name != "stream"}, strict=True)
    except pydantic.ValidationError as error:
        yield f"responses: {str(error)[:600]}"
    if body.get("store") is not False:
        yield "a response is stored"
    if body.get("max_output_tokens", 16) < 16:
        yield "max_output_tokens below 16"
    if "tool_choice" in body and "tools" not in body:
        yield "tool_choice without tools"
    calls: set[str] = set()
    thought = False
    for at, item in enumerate(body["input"]):
        kind = item.get("type", "message")
        # What a client sends back has more members than what the relay writes.
        known = ({"role", "content"} if kind == "message" else ITEMS.get(kind, set())) | {"type"}
        if kind == "reasoning" and item.get("content"):
            known = known - {"encrypted_content"} | {"content"}
        if not known <= set(item) | {"type"} or set(item) - known - {"id", "status"} - ({"phase"} if item.get("role") == "assistant" else set()):
            yield f"input[{at}]: {kind} with {sorted(item)}"
        if kind == "compaction_trigger" and at != len(body["input"]) - 1:
            yield f"input[{at}]: a trigger that is not last"
        if kind == "function_call":
            calls.add(item["call_id"])
        if kind == "function_call_output" and item["call_id"] not in calls:
            yield f"input[{at}]: no call {item['call_id']}"
        if thought and kind not in ("function_call", "reasoning") and item.get("role") != "assistant":
            yield f"input[{at}]: a thought without what followed it"
        thought = kind == "reasoning"
    outputs = {item["call_id"] for item in body["input"] if item.get("type") == "function_call_output"}
    if missing := calls - outputs:
        yield f"no tool output found for function calls {missing}"


def output(script: dict[str, Any]) -> list[dict[str, Any]]:
    if "items" in script:
        return script["items"]
    items: list[dict[str, Any]] = []
    if "compaction" in script:
        return [{"id": "cmp_v1", "type": "compaction", "encrypted_content": script["compaction"]}]
    if "reasoning" in script:
        parts = [{"type": "summary_text", "text": part} for part in script["reasoning"].split("\n\n") if part]
        items.append({"id": "rs_1", "type": "reasoning", "summary": parts, "encrypted_content": "gAAAA-sealed"})
    text = script.get("text", None if script.get("calls") else "Hello there")
    if text is not None:
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        if script.get("refuses"):
            part = {"type": "refusal", "refusal": text}
        items.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]})
    for at, (id, name, arguments) in enumerate(script.get("calls", ())):
        items.append(
            {"id": f"fc_{at}", "type": "function_call", "status": "completed", "call_id": id, "name": name, "arguments": arguments}
        )
    return items


def response(script: dict[str, Any], **more: Any) -> dict[str, Any]:
    status, details = "completed", None
    if script.get("finish") in ("max_output_tokens", "content_filter"):
        status, details = "incomplete", {"reason": script["finish"]}
    if script.get("finish") == "unsaid":
        status = "incomplete"
    return {
        "id": "resp_vendor", "object": "response", "created_at": 1700000000, "status": status, "error": None,
        "incomplete_details": details, "instructions": None, "model": "the-server's-own", "output": output(script),
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": USAGE, "metadata": {}, "background": False,
        "max_output_tokens": None, "previous_response_id": None, "reasoning": {"effort": None, "summary": None}, "store": False,
        "temperature": 1.0, "text": {"format": {"type": "text"}}, "top_p": 1.0, "truncation": "disabled", "top_logprobs": 0,
        "service_tier": script.get("tier", "default"), "max_tool_calls": None,
    } | more  # fmt: skip


def events(script: dict[str, Any]) -> list[dict[str, Any]]:
    begun = response(script, output=[], status="in_progress", incomplete_details=None)
    del begun["usage"]
    out: list[dict[str, Any]] = [{"type": f"response.{kind}", "response": begun} for kind in ("created", "in_progress")]
    for at, item in enumerate(output(script)):
        where = {"output_index": at, "item_id": item["id"]}
        if item["type"] == "reasoning":
            out.append({"type": "response.output_item.added", "output_index": at, "item": item | {"summary": [], "encrypted_content": ""}})
            for index, part in enumerate(item["summary"]):
                place = where | {"summary_index": index}
                out.append({"type": "response.reasoning_summary_part.added", **place, "part": {"type": "summary_text", "text": ""}})
                out.append({"type": "response.reasoning_summary_text.delta", **place, "delta": part["text"]})
                out.append({"type": "response.reasoning_summary_text.done", **place, "text": part["text"]})
                out.append({"type": "response.reasoning_summary_part.done", **place, "part": part})
        elif item["type"] == "compaction":
            out.append({"type": "response.output_item.added", "output_index": at, "item": {"id": item["id"], "type": "compaction"}})
        elif item["type"] == "message":
            out.append({"type": "response.output_item.added", "output_index": at, "item": item | {"content": [], "status": "in_progress"}})
            (part,) = item["content"]
            kind = part["type"]
            text = part["refusal" if kind == "refusal" else "text"]
            place = where | {"content_index": 0}
            logs = {} if kind == "refusal" else {"logprobs": []}
            empty = {"type": kind, "refusal": ""} if kind == "refusal" else {"type": kind, "text": "", "annotations": [], "logprobs": []}
            out.append({"type": "response.content_part.added", **place, "part": empty})
            for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
                out.append({"type": f"response.{kind}.delta", **place, "delta": piece, **logs})
            for index, annotation in enumerate(part.get("annotations", ())):
                place = where | {"content_index": 0, "annotation_index": index, "annotation": annotation}
                out.append({"type": "response.output_text.annotation.added", **place})
            out.append({"type": f"response.{kind}.done", **place, "refusal" if kind == "refusal" else "text": text, **logs})
            out.append({"type": "response.content_part.done", **place, "part": part})
        elif item["type"] != "function_call":
            out.append({"type": "response.output_item.added", "output_index": at, "item": item | {"status": "in_progress"}})
            out.append({"type": f"response.{item['type']}.in_progress", **where})
        else:
            out.append({"type": "response.output_item.added", "output_index": at, "item": item | {"arguments": ""}})
            half = len(item["arguments"]) // 2
            for piece in () if script.get("at_once") else (item["arguments"][:half], item["arguments"][half:]):
                out.append({"type": "response.function_call_arguments.delta", **where, "delta": piece})
            name, arguments = item["name"], item["arguments"]
            out.append({"type": "response.function_call_arguments.done", **where, "name": name, "arguments": arguments})
        out.append({"type": "response.output_item.done", "output_index": at, "item": item})
    whole = response(script)
    out.append({"type": f"response.{whole['status']}", "response": whole})
    return [event | {"sequence_number": number} for number, event in enumerate(out)]


def answered(body: dict[str, Any], script: dict[str, Any]) -> dict[str, Any]:
    if {"json", "raw"} & set(script):
        return script
    for field in script.get("refuses_fields", ()):
        for path, holder in (("", body), ("reasoning.", body.get("reasoning", {})), ("text.", body.get("text", {}))):
            if field in holder:
                error = {"message": f"Unknown parameter: '{path}{field}'.", "type": "invalid_request_error", "param": path + field, "code": "unknown_parameter"}
                return {"status": 400, "json": {"error": error}}
    if not body.get("stream"):
        return script | {"json": response(script)}
    found = script.get("events") or events(script)
    lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in found]
    return script | {"raw": "".join(lines).encode(), "streams": True, "type": "text/event-stream"}
