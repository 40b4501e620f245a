"""Checks of responses, whole and as events, that OpenAI's schemas do not cover."""

import json
from typing import Any

EVENTS = {
    "response.created": "ResponseCreatedEvent",
    "response.in_progress": "ResponseInProgressEvent",
    "response.completed": "ResponseCompletedEvent",
    "response.incomplete": "ResponseIncompleteEvent",
    "response.failed": "ResponseFailedEvent",
    "response.output_item.added": "ResponseOutputItemAddedEvent",
    "response.output_item.done": "ResponseOutputItemDoneEvent",
    "response.content_part.added": "ResponseContentPartAddedEvent",
    "response.content_part.done": "ResponseContentPartDoneEvent",
    "response.output_text.delta": "ResponseTextDeltaEvent",
    "response.output_text.done": "ResponseTextDoneEvent",
    "response.output_text.annotation.added": "ResponseOutputTextAnnotationAddedEvent",
    "response.refusal.delta": "ResponseRefusalDeltaEvent",
    "response.refusal.done": "ResponseRefusalDoneEvent",
    "response.reasoning_text.delta": "ResponseReasoningTextDeltaEvent",
    "response.reasoning_text.done": "ResponseReasoningTextDoneEvent",
    "response.reasoning_summary_part.added": "ResponseReasoningSummaryPartAddedEvent",
    "response.reasoning_summary_part.done": "ResponseReasoningSummaryPartDoneEvent",
    "response.reasoning_summary_text.delta": "ResponseReasoningSummaryTextDeltaEvent",
    "response.reasoning_summary_text.done": "ResponseReasoningSummaryTextDoneEvent",
    "response.function_call_arguments.delta": "ResponseFunctionCallArgumentsDeltaEvent",
    "response.function_call_arguments.done": "ResponseFunctionCallArgumentsDoneEvent",
    "response.custom_tool_call_input.delta": "ResponseCustomToolCallInputDeltaEvent",
    "response.custom_tool_call_input.done": "ResponseCustomToolCallInputDoneEvent",
}
ENDS = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
KEYS = {
    "id", "object", "created_at", "status", "error", "incomplete_details", "instructions", "model", "output",
    "parallel_tool_calls", "previous_response_id", "reasoning", "store", "temperature", "text", "tool_choice", "tools",
    "top_p", "truncation", "metadata",
}  # fmt: skip


def response_problems(value: dict[str, Any]) -> list[str]:
    """Returns the problems of a whole response."""
    found = [f"{key} is missing" for key in KEYS - value.keys()]
    if not str(value.get("id")).startswith("resp_"):
        found.append(f"id is {value.get('id')}")
    if value.get("status") != "failed":
        usage = value.get("usage") or {}
        if usage.get("total_tokens") != usage.get("input_tokens", 0) + usage.get("output_tokens", 0):
            found.append(f"usage does not add up: {usage}")
    ids = [item["id"] for item in value.get("output", [])]
    return found if len(set(ids)) == len(ids) else [*found, f"items have the ids {ids}"]


def as_listed(event: dict[str, Any]) -> dict[str, Any]:
    """Returns an event whose error has a code of OpenAI's list, which lacks the one that OpenAI sends for a full context."""
    if (event.get("response", {}).get("error") or {}).get("code") != "context_length_exceeded":
        return event
    return event | {"response": event["response"] | {"error": event["response"]["error"] | {"code": "invalid_prompt"}}}


class ResponseStreamCheck:
    """A check of the events of a response, like `checked.StreamCheck`."""

    def __init__(self, problems: Any) -> None:
        self.schema_problems = problems
        self.rest = b""
        self.found: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.open: dict[str, Any] | None = None
        self.texts: dict[str, str] = {}
        self.annotations: list[dict[str, Any]] = []
        self.done: list[dict[str, Any]] = []
        self.is_over = False

    def feed(self, data: bytes) -> None:
        *events, self.rest = (self.rest + data).split(b"\n\n")
        for event in events:
            if not event.startswith(b":"):
                self.event(event)

    def event(self, event: bytes) -> None:
        if self.is_over:
            self.found.append(f"event after the end: {event[:200]!r}")
        lines = event.split(b"\n")
        if len(lines) != 2 or not lines[0].startswith(b"event: ") or not lines[1].startswith(b"data: "):
            self.found.append(f"not an event and its data: {event[:200]!r}")
            return
        value = json.loads(lines[1][6:].decode("utf-8"))
        kind = value["type"]
        if kind.encode() != lines[0][7:]:
            self.found.append(f"{lines[0]!r} with the type {kind}")
        if value["sequence_number"] != len(self.events):
            self.found.append(f"event {len(self.events)} has the number {value['sequence_number']}")
        self.found += self.schema_problems(EVENTS[kind], as_listed(value))
        expected = ["response.created", "response.in_progress"][len(self.events) :][:1]
        if expected and expected != [kind]:
            self.found.append(f"begins with {kind}")
        self.events.append(value)
        self.follow(kind, value)

    def follow(self, kind: str, value: dict[str, Any]) -> None:
        if "response" in value:
            return self.response(kind, value["response"])
        if value["output_index"] != len(self.done):
            self.found.append(f"{kind} of item {value['output_index']} in item {len(self.done)}")
        if kind == "response.output_item.added":
            if self.open is not None:
                self.found.append("an item within another")
            self.open = value["item"]
            return None
        if self.open is None:
            self.found.append(f"{kind} outside of an item")
            return None
        if kind == "response.output_item.done":
            if value["item"]["id"] != self.open["id"] or value["item"]["type"] != self.open["type"]:
                self.found.append("another item ends than has begun")
            noted = [part["annotations"] for part in value["item"].get("content", ()) if part.get("annotations")]
            if self.annotations != [annotation for one in noted for annotation in one]:
                self.found.append(f"annotations {self.annotations} in an item with {noted}")
            self.annotations = []
            self.done.append(value["item"])
            self.open, self.texts = None, {}
            return None
        if value["item_id"] != self.open["id"]:
            self.found.append(f"{kind} of {value['item_id']} in {self.open['id']}")
        if kind == "response.output_text.annotation.added":
            if value["annotation_index"] != len(self.annotations):
                self.found.append(f"annotation {value['annotation_index']} after {len(self.annotations)}")
            self.annotations.append(value["annotation"])
            return None
        name = kind.removeprefix("response.").rpartition(".")[0]
        if kind.endswith(".delta"):
            self.texts[name] = self.texts.get(name, "") + value["delta"]
        elif kind.endswith(".done") and not name.endswith("_part"):
            whole = next(value[key] for key in ("text", "refusal", "arguments", "input") if key in value)
            if whole != self.texts.get(name, ""):
                self.found.append(f"{kind} differs from its deltas")
        return None

    def response(self, kind: str, value: dict[str, Any]) -> None:
        first = self.events[0]["response"]
        changed = [key for key in ("id", "model", "created_at") if value.get(key) != first.get(key)]
        if changed:
            self.found.append(f"{kind} changes {changed}")
        if kind not in ENDS:
            if value["status"] != "in_progress" or value["output"]:
                self.found.append(f"{kind} is not at the beginning")
            return
        self.is_over = True
        if value["status"] != ENDS[kind]:
            self.found.append(f"{kind} has the status {value['status']}")
        if value["output"] != self.done:
            self.found.append("the output is not that of the items")
        if kind != "response.failed" and self.open is not None:
            self.found.append("an item does not end")
        self.found += response_problems(value)

    def end(self, *, is_left: bool) -> list[str]:
        if not is_left or self.is_over:
            if self.rest:
                self.found.append(f"ends within an event: {self.rest[:200]!r}")
            if not self.is_over:
                self.found.append("no event at the end")
        return self.found
