"""A strict fake of Google's Gemini API (`generateContent`), see `vendor_server`.

SCRIPT besides: text, reasoning, calls [(name, args)], signature (of the first call, or of the text), finish, usage.
Requests are checked with the types of `google-genai`, and against what the live service is known to refuse.
"""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pydantic
from google.genai import types
from vendor_server import Server, empty_ones

USAGE = {"promptTokenCount": 9, "candidatesTokenCount": 8, "thoughtsTokenCount": 3, "totalTokenCount": 20}
FIELDS = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
PATH = re.compile(r"/v1beta/(models/[^:?]+|tunedModels/[^:?]+):(generateContent|streamGenerateContent\?alt=sse)$")
MODELS = ["pro=gemini-3.1-pro", "gemini-3-flash", "gemini-3.7-flash", "gemini-2.5-pro", "gemini-2.5-flash",
          "gemini-2.5-flash-lite", "gemini-2.0-flash", "gemma-3-27b-it", "tuned=tunedModels/my-model#1", "gone=models/gemini-3-gone",
          *(f"gemini-3-mend-{number}" for number in range(40))]  # fmt: skip
SCHEMA = {
    "$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items", "prefixItems", "minItems",
    "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties", "additionalProperties", "required", "propertyOrdering",
}  # fmt: skip
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}$")
BAD_KEY = {
    "error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT",
              "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                           "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}}]},
}  # fmt: skip


def error(code: int, status: str, message: str = "It is wrong.", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


class GeminiWire:
    headers = {"x-goog-api-key"}

    def model(self, path: str, body: dict[str, Any]) -> str:
        found = PATH.match(path)
        return unquote(found[1]).removeprefix("models/") if found else path

    def is_stream(self, path: str, body: dict[str, Any]) -> bool:
        return ":stream" in path

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if path != "/v1beta/models?pageSize=1":
            return 404, error(404, "NOT_FOUND")
        return (400, BAD_KEY) if headers.get("x-goog-api-key", "").startswith("bad") else (200, {"models": []})

    def problems(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Iterator[str]:
        if not PATH.match(path):
            yield f"path {path}"
        if not headers.get("x-goog-api-key"):
            yield "no key"
        if unknown := set(body) - FIELDS:
            yield f"unknown fields {sorted(unknown)}"
        bare = json.loads(json.dumps(body))
        for tool in bare.get("tools", ()):
            for declared in tool.get("functionDeclarations", ()):
                declared.pop("parametersJsonSchema", None)
        bare.get("generationConfig", {}).pop("responseJsonSchema", None)
        for content in bare["contents"]:
            for part in content["parts"]:
                (part.get("functionCall") or {}).pop("args", None)
                (part.get("functionResponse") or {}).pop("response", None)
        yield from empty_ones(bare, "")
        yield from typed(body)
        yield from turns(body, is_new=new(self.model(path, body)))
        yield from tools(body)
        yield from settings(body)
        is_formed = body.get("generationConfig", {}).get("responseMimeType", "text/plain") != "text/plain"
        if is_formed and "tools" in body and not new(self.model(path, body)):
            yield "Function calling with a response mime type: 'application/json' is unsupported"

    def whole(self, script: dict[str, Any]) -> Any:
        parts = [part for piece in self.pieces(script) for part in piece]
        return self.answer(parts, script.get("finish", "STOP"), script)

    def events(self, script: dict[str, Any]) -> list[Any]:
        pieces = self.pieces(script)
        told = [self.answer(piece, None, script) for piece in pieces[:-1]]
        return [*told, self.answer(pieces[-1], script.get("finish", "STOP"), script)]

    @staticmethod
    def answer(parts: list[Any], finish: str | None, script: dict[str, Any]) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "usageMetadata": script.get("usage", USAGE), "modelVersion": "own", "responseId": "r1"}

    @staticmethod
    def pieces(script: dict[str, Any]) -> list[list[dict[str, Any]]]:
        """Returns the parts of each event."""
        out: list[list[dict[str, Any]]] = []
        if "reasoning" in script:
            out.append([{"text": script["reasoning"], "thought": True}])
        calls = script.get("calls", [])
        text = script.get("text", None if calls else "Hello there")
        if text:
            half = len(text) // 2
            out += [[{"text": piece}] for piece in (text[:half], text[half:]) if piece]
        for at, (name, args, *more) in enumerate(calls):
            call = {"name": name} | ({} if args is None else {"args": args}) | (more[0] if more else {})
            signed = {"thoughtSignature": script["signature"]} if at == 0 and "signature" in script else {}
            out.append([{"functionCall": call} | signed])
        last = {"thoughtSignature": script["signature"]} if "signature" in script and not calls else {}
        return [*out, [{"text": ""} | last]]


def new(model: str) -> bool:
    return model.startswith("gemini-3")


def typed(body: dict[str, Any]) -> Iterator[str]:
    """Returns what the types of Google's client refuse."""
    parts = {
        "contents": list[types.Content], "systemInstruction": types.Content, "tools": list[types.Tool],
        "toolConfig": types.ToolConfig, "generationConfig": types.GenerationConfig,
    }  # fmt: skip
    for name, kind in parts.items():
        if name in body:
            try:
                pydantic.TypeAdapter(kind).validate_python(body[name])
            except pydantic.ValidationError as error:
                yield f"{name}: {error}"


def turns(body: dict[str, Any], *, is_new: bool) -> Iterator[str]:
    waiting: list[str] = []
    before = None
    for at, content in enumerate(body["contents"]):
        role, parts = content.get("role"), content["parts"]
        if role not in ("user", "model"):
            yield f"contents[{at}]: role {role}"
        if at == 0 and role != "user":
            yield "the first turn is not the user's"
        if role == before:
            yield f"contents[{at}]: {role} twice"
        before = role
        if not parts:
            yield f"contents[{at}]: no parts"
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if [result["name"] for result in results] != waiting:
            yield f"contents[{at}]: results {[result['name'] for result in results]} for calls {waiting}"
        waiting = [call["name"] for call in calls]
        if calls and role != "model":
            yield f"contents[{at}]: calls of the user"
        for part in parts:
            if part.get("text") == "" and "thoughtSignature" not in part:
                yield f"contents[{at}]: an empty text"
            if part.get("thought"):
                yield f"contents[{at}]: a thought sent back"
        signed = [part for part in parts if "functionCall" in part and part.get("thoughtSignature")]
        if calls and is_new and not signed:
            yield f"contents[{at}]: Function call is missing a thought_signature"
        for call in calls:
            if not isinstance(call.get("args", {}), dict) or not NAME.match(call["name"]):
                yield f"contents[{at}]: call {call}"
        for result in results:
            if not isinstance(result.get("response"), dict):
                yield f"contents[{at}]: response {result}"
    if waiting:
        yield "calls without results"


def tools(body: dict[str, Any]) -> Iterator[str]:
    declared = [one for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", ())]
    names = [one["name"] for one in declared]
    if len(set(names)) != len(names):
        yield f"names twice {names}"
    for one in declared:
        if not NAME.match(one["name"]):
            yield f"name {one['name']!r}"
        yield from schema(one.get("parametersJsonSchema", {}), one["name"])
    allowed = body.get("toolConfig", {}).get("functionCallingConfig", {}).get("allowedFunctionNames", [])
    if set(allowed) - set(names):
        yield f"allowed {allowed}"
    if "toolConfig" in body and not declared:
        yield "toolConfig without tools"


def settings(body: dict[str, Any]) -> Iterator[str]:
    config = body.get("generationConfig", {})
    thinking = config.get("thinkingConfig", {})
    if {"thinkingLevel", "thinkingBudget"} <= set(thinking):
        yield "level and budget"
    if thinking.get("thinkingBudget") == 0 and thinking.get("includeThoughts"):
        yield "thoughts are wanted without thinking"
    if len(config.get("stopSequences", ())) > 5:
        yield "too many stops"
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        yield "a schema without its type"
    yield from schema(config.get("responseJsonSchema", {}), "response")


def schema(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no schema"
        return
    if unknown := set(value) - SCHEMA:
        yield f"{path}: keywords {sorted(unknown)}"
    if "$ref" in value and any(not name.startswith("$") for name in value):
        yield f"{path}: more beside $ref"
    values = value.get("enum", ["x"])
    if not all(isinstance(one, str) and one for one in values) and not all(type(one) in (int, float) for one in values):
        yield f"{path}.enum: cannot be empty, only allowed for STRING type: {values}"
    if isinstance(value.get("items"), dict) and isinstance(value["items"].get("type"), list):
        yield f"{path}.items.type: {value['items']['type']}"
    for name in ("properties", "$defs"):
        for key, inner in value.get(name, {}).items():
            yield from schema(inner, f"{path}.{name}.{key}")
    for name in ("anyOf", "oneOf", "prefixItems"):
        for at, inner in enumerate(value.get(name, ())):
            yield from schema(inner, f"{path}.{name}[{at}]")
    if "items" in value:
        yield from schema(value["items"], f"{path}.items")


def start() -> Server:
    return Server(GeminiWire())
