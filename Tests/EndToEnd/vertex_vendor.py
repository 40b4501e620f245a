"""Strict fakes of Google's Vertex AI, for models of Google and Claude, and of Google's token server, see `vendor_server`.

What requests say is checked by the fakes of Gemini and of Anthropic; here is what differs: addresses, tokens, and fields.
Scripts are set for `model` at any location, or for `location/model` at one.
"""

import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, unquote

import anthropic_vendor
import gemini_vendor
import vendor_server
from fake_server import FakeServer, Handler

PROJECT = "my-project"
CLIENT = {"client_id": "id-1.apps.googleusercontent.com", "client_secret": "secret-of-the-client/+&"}
REFRESH = "1//refresh-token-of-the-relay"
CLAUDE = "claude-sonnet-4-5@20250929"
PATH = re.compile(
    r"/v1/projects/my-project/locations/([a-z0-9-]+)/publishers/(google|anthropic)/models/([^:?]+):"
    r"(generateContent|streamGenerateContent\?alt=sse|rawPredict|streamRawPredict)$"
)
OPEN_SCHEMA = {
    "type", "format", "title", "description", "nullable", "items", "minItems", "maxItems", "enum", "properties", "required",
    "minProperties", "maxProperties", "minimum", "maximum", "minLength", "maxLength", "pattern", "anyOf", "propertyOrdering",
}  # fmt: skip


class Tokens(FakeServer):
    """Google's token server. `answers` are (status, body) of the next exchanges; then a new token for each."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.violations: list[str] = []
        self.answers: list[tuple[int, Any]] = []
        self.refresh = REFRESH
        self.seconds: float = 3599
        self.current = ""
        self.past: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(self.handler())
        self.url = f"{self.base_url}/token"

    def stop(self) -> None:
        self.gate.set()
        super().stop()

    def reset(self) -> None:
        with self.lock:
            self.forms, self.answers, self.seconds, self.refresh = [], [], 3599, REFRESH
        self.gate.set()

    def good(self, header: str) -> bool:
        token = header.removeprefix("Bearer ")
        return header.startswith("Bearer ") and (token.startswith("ya29.own") or token in self.past | {self.current} and token != "")

    def answer(self) -> tuple[int, Any]:
        with self.lock:
            if self.answers:
                return self.answers.pop(0)
            self.past.add(self.current)
            self.current = f"ya29.token-number-{len(self.past)}"
            return 200, {"access_token": self.current, "expires_in": self.seconds, "scope": "x", "token_type": "Bearer"}

    def handler(tokens: "Tokens") -> type[BaseHTTPRequestHandler]:
        class Requests(Handler):
            def do_POST(self) -> None:
                raw = self.read()
                form = dict(parse_qsl(raw.decode(), strict_parsing=True))
                wanted = CLIENT | {"refresh_token": tokens.refresh, "grant_type": "refresh_token"}
                with tokens.lock:
                    tokens.forms.append(form)
                    if self.headers["content-type"] != "application/x-www-form-urlencoded":
                        tokens.violations.append(f"content-type {self.headers['content-type']}")
                    if form != wanted or self.path != "/token":
                        tokens.violations.append(f"{self.path} {form}")
                tokens.gate.wait(20)
                status, body = tokens.answer()
                if isinstance(body, dict) and "refresh_token" in body:
                    tokens.refresh = body["refresh_token"]
                try:
                    vendor_server.answer(self, {}, {"status": status, "json": body})
                except OSError:
                    self.close_connection = True

        return Requests


class VertexWire:
    """The API of both publishers behind one address."""

    headers = {"authorization"}

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.gemini = gemini_vendor.GeminiWire()

    def parts(self, path: str) -> tuple[str, str, str, str]:
        found = PATH.match(path)
        return (found[1], found[2], unquote(found[3]), found[4]) if found else ("", "", path, "")

    def model(self, path: str, body: dict[str, Any]) -> str:
        location, _, model, _ = self.parts(path)
        return f"{location}/{model}"

    def is_stream(self, path: str, body: dict[str, Any]) -> bool:
        return "stream" in self.parts(path)[3]

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if path != f"/v1/projects/{PROJECT}/locations/global":
            return 404, gemini_vendor.error(404, "NOT_FOUND")
        is_known = self.tokens.good(headers.get("authorization", ""))
        return (200, {"name": "x"}) if is_known else (401, gemini_vendor.error(401, "UNAUTHENTICATED"))

    def problems(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Iterator[str]:
        location, publisher, model, method = self.parts(path)
        if not publisher:
            yield f"path {path}"
            return
        if "%40" in path:
            yield f"an escaped @ in {path}"
        if not self.tokens.good(headers.get("authorization", "")):
            yield f"token {headers.get('authorization')}"
        if publisher == "anthropic":
            yield from claude(body, model, method, headers)
        else:
            yield from self.google(body, model)

    def google(self, body: dict[str, Any], model: str) -> Iterator[str]:
        for tool in body.get("tools", ()):
            for declared in tool["functionDeclarations"]:
                if "parametersJsonSchema" in declared:
                    yield "parametersJsonSchema: Cannot find field"
                yield from schema(declared.get("parameters", {"type": "OBJECT"}), declared["name"])
        config = body.get("generationConfig", {})
        if "responseJsonSchema" in config:
            yield "responseJsonSchema: Cannot find field"
        if "responseSchema" in config:
            yield from schema(config["responseSchema"], "responseSchema")
            yield from empty_objects(config["responseSchema"], "responseSchema")
        yield from self.gemini.problems(f"/v1beta/models/{model}:generateContent", body, {"x-goog-api-key": "checked here"})

    def whole(self, script: dict[str, Any]) -> Any:
        return anthropic_vendor.whole(script) if "content" in script else self.gemini.whole(script)

    def events(self, script: dict[str, Any]) -> list[Any]:
        if "content" not in script:
            return self.gemini.events(script)
        return [f"event: {event['type']}\ndata: {vendor_server.json.dumps(event)}" for event in anthropic_vendor.all_events(script)]


def claude(body: dict[str, Any], model: str, method: str, headers: dict[str, str]) -> Iterator[str]:
    if model == "count-tokens":
        if set(body) - {"model", "messages", "anthropic_version", "system", "tools"} or "model" not in body:
            yield f"count-tokens: {sorted(body)}"
        body = {name: value for name, value in body.items() if name != "model"} | {"max_tokens": 1}
    if "model" in body or "cache_control" in body:
        yield "Extra inputs are not permitted"
    if body.get("anthropic_version") != "vertex-2023-10-16" or "anthropic-version" in headers:
        yield "anthropic_version: Field required"
    if body.get("stream", False) != (method == "streamRawPredict"):
        yield f"stream {body.get('stream')} at {method}"
    rest = {name: value for name, value in body.items() if name != "anthropic_version"}
    yield from anthropic_vendor.problems_of({"model": model.partition("@")[0]} | rest)


def schema(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no schema"
        return
    if unknown := set(value) - OPEN_SCHEMA:
        yield f"{path}: Unknown name {sorted(unknown)}"
    if value.get("type", "STRING") not in ("OBJECT", "ARRAY", "STRING", "INTEGER", "NUMBER", "BOOLEAN"):
        yield f"{path}: type {value['type']}"
    if "anyOf" in value and set(value) - {"anyOf", "nullable"}:
        yield f"{path}: more beside anyOf"
    if any(not isinstance(one, str) or not one for one in value.get("enum", ())):
        yield f"{path}: enum {value['enum']}"
    if set(value.get("required", ())) - set(value.get("properties", {})):
        yield f"{path}: required {value['required']}"
    for name, inner in value.get("properties", {}).items():
        yield from schema(inner, f"{path}.{name}")
    for at, inner in enumerate(value.get("anyOf", ())):
        yield from schema(inner, f"{path}[{at}]")
    if "items" in value:
        yield from schema(value["items"], f"{path}.items")


def empty_objects(value: dict[str, Any], path: str) -> Iterator[str]:
    if value.get("type") == "OBJECT" and not value.get("properties"):
        yield f"{path}.properties: should be non-empty for OBJECT type"
    for inner in [*value.get("properties", {}).values(), *value.get("anyOf", ()), *([value["items"]] if "items" in value else [])]:
        yield from empty_objects(inner, path)


class Vertex(vendor_server.Server):
    """The running fake, with its token server."""

    def __init__(self) -> None:
        self.tokens = Tokens()
        super().__init__(VertexWire(self.tokens))

    def stop(self) -> None:
        super().stop()
        self.tokens.stop()

    def says(self, model: str, *scripts: dict[str, Any]) -> None:
        super().says(model if "/" in model else f"global/{model}", *scripts)

    def asked(self, model: str) -> list[dict[str, Any]]:
        return super().asked(model if "/" in model else f"global/{model}")

    def take_violations(self) -> list[str]:
        with self.tokens.lock:
            found, self.tokens.violations = self.tokens.violations, []
        return found + super().take_violations()


def waited(condition: Any, seconds: float = 10) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
