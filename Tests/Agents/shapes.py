"""The shapes of requests: fields, types, kinds of blocks and headers, with words of our own in place of all others."""

import json
from typing import Any

from wires import Asked

KEPT = {
    "type", "role", "name", "tool_name", "effort", "display", "keep", "summary", "verbosity", "syntax", "status", "execution", "tool_choice",
    "id", "call_id", "tool_use_id", "signature", "encrypted_content", "model", "include", "search_content_types",
}  # fmt: skip
"""Fields whose texts are words of the API, or of the scripted vendor."""
SCHEMAS = {"input_schema", "parameters", "output_schema"}
FREE = {"input", "arguments", "client_metadata", "internal_chat_message_metadata_passthrough"}
"""Fields whose members are the program's own."""
ATTRIBUTION = "x-anthropic-billing-header:"
HEADERS = {"anthropic-beta", "anthropic-version", "anthropic-dangerous-direct-browser-access", "x-app", "originator", "x-codex-beta-features", "accept", "content-type"}
UNKEPT = {"host", "content-length", "authorization", "connection", "accept-encoding", "user-agent"}


def shape(asked: Asked) -> dict[str, Any]:
    headers = {name.lower(): value if name.lower() in HEADERS else "a-value" for name, value in asked.headers if name.lower() not in UNKEPT}
    return {"path": asked.path, "headers": headers, "body": reduced(asked.body, "")}


def reduced(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        if name in SCHEMAS:
            return {"type": "object", "properties": {"word": {"type": "string"}}}
        if name in FREE:
            return {"word": "A word."}
        return {key: reduced(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [reduced(inner, name if isinstance(inner, str) else "") for inner in (some_tools(value) if name == "tools" else value)]
    if not isinstance(value, str):
        return value
    if name in KEPT:
        return "an-id" if name == "id" and len(value) > 30 else value
    if value.startswith(ATTRIBUTION):
        return f"{ATTRIBUTION} cc_version=1.0.0; cc_entrypoint=a-test;"
    return '{"word":"A word."}' if name == "arguments" else "Words in place of others." if len(value) > 60 else "Some words."


def some_tools(tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the first tool of each form, and those that the job calls."""
    forms: set[Any] = set()
    out = []
    for tool in tools:
        form = (tool.get("type"), *sorted(tool))
        if form not in forms or tool.get("name") in ("Write", "WebSearch", "ToolSearch", "exec_command", "apply_patch"):
            out.append(tool)
        forms.add(form)
    return out


def distinct(asked: list[Asked]) -> list[dict[str, Any]]:
    """Returns the shapes of these requests: of several with the same fields the last one, which has the longest history."""
    found: dict[str, dict[str, Any]] = {}
    for request in asked:
        made = shape(request)
        form = [made["path"], sorted(made["headers"]), sorted(made["body"]), sorted(forms_of(made["body"]))]
        found.pop(key := json.dumps(form), None)
        found[key] = made
    return list(found.values())


def forms_of(value: Any) -> set[str]:
    """Returns the kinds of blocks, items, tools and turns in a body."""
    if isinstance(value, list):
        return set().union(*map(forms_of, value))
    if not isinstance(value, dict):
        return set()
    kinds = {f"{name} {value[name]}" for name in ("type", "role") if isinstance(value.get(name), str)}
    return kinds.union(*map(forms_of, value.values()))
