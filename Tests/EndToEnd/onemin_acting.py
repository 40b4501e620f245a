"""A model of a few rules, as a partner for agents and frameworks. It reads tools, forms and turns in the prompt like a
model, calls the tool that the user names, states the result, and fills in forms."""

import json
import re
from typing import Any

TURN = re.compile(r"(?:^|\n\n)(User|Assistant|Tool result): ")
REMINDER = re.compile(r"\n\nUser: <system-reminder>\n.*?</system-reminder>\s*\Z", re.DOTALL)
MARK = re.compile(r"Step (\d+) of the script\.")
"""How a scripted model begins its turns, so that a history tells which step comes next."""


def answer(prompt: str) -> str:
    tools = [json.loads(line) for line in between(prompt, "<tools>\n", "</tools>").splitlines()]
    who, said = last_turn(prompt)
    if tools and (called := chosen(tools, prompt, who, said)):
        arguments = filled(called["parameters"], called["parameters"], said)
        call = json.dumps({"name": called["name"], "arguments": arguments}, ensure_ascii=False)
        return f"<tool_call>\n{call}\n</tool_call>"
    if "# Form of the answer" in prompt:
        for mark in ("JSON Schema:", "following json_schema:"):
            if mark in prompt:
                schema = first_object(prompt.split(mark, 1)[1])
                return json.dumps(filled(schema, schema, said), ensure_ascii=False)
        keys = re.findall(r"'(\w+)'", said) or ["answer"]
        return json.dumps({key: f"a {key}" for key in keys})
    return f"The tool says: {result(said)}" if who == "Tool result" else f"Well, you said: {said[:200]}"


def next_step(history: str, steps: list[str]) -> str:
    """Returns the step that follows the last one in the history, with its mark."""
    at = max((int(number) for number in MARK.findall(history)), default=-1) + 1
    return f"Step {at} of the script. {steps[at] if at < len(steps) else 'All is done.'}"


def between(text: str, start: str, end: str) -> str:
    return text.split(start, 1)[1].split(end, 1)[0] if start in text else ""


def last_turn(prompt: str) -> tuple[str, str]:
    """Returns the role and the words of the last turn, before what the relay reminds of. A single text is the user's."""
    text = REMINDER.sub("", prompt.removesuffix("\n\n(Answer as the assistant, without a label.)"))
    turns = list(TURN.finditer(text))
    if not turns:
        return "User", text
    return turns[-1].group(1), text[turns[-1].end() :]


def result(said: str) -> str:
    return re.sub(r"</?tool_response[^>]*>", "", said).strip()


def chosen(tools: list[dict[str, Any]], prompt: str, who: str, said: str) -> dict[str, Any] | None:
    """Returns the tool to call now."""
    by_name = {tool["name"]: tool for tool in tools}
    if named := re.search(r'You must call the tool "([^"]+)" now', prompt):
        return by_name[named.group(1)]
    lowered = said.lower()

    def rank(tool: dict[str, Any]) -> int:
        words = [word for word in re.split(r"[_\W]+", tool["name"].lower()) if len(word) > 3]
        return 100 * (tool["name"].lower() in lowered) + sum(word in lowered for word in words)

    best = max(tools, key=rank)
    if "You must call at least one tool now" in prompt:
        final = [tool for tool in tools if tool["name"].startswith("final_result")]
        return final[0] if final and (who == "Tool result" or not rank(best)) else best
    return best if who == "User" and rank(best) else None


def first_object(text: str) -> dict[str, Any]:
    value, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    return value


def filled(schema: Any, root: dict[str, Any], hint: str) -> Any:
    """Returns a value that fits the schema, with the hint's contents."""
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return filled(target, root, hint)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return filled(schema[choice][0], root, hint)
    if "allOf" in schema:
        return filled(schema["allOf"][0], root, hint)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    kind = schema.get("type", "object")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: filled(value, root, hint) for name, value in properties.items()}
        case "array":
            return [filled(schema.get("items", {"type": "string"}), root, hint)]
        case "integer" | "number":
            number = re.search(r"(?<![\w.])-?\d+", hint)
            return int(number.group()) if number else schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            quoted = re.search(r"['\"]([^'\"]+)['\"]", hint)
            return quoted.group(1) if quoted else "Rome"
