"""The rules of 1min.ai, checked strictly: an unexpected request is a *violation*, even if the real vendor might accept
it. Formats follow the vendor's public documentation."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CATALOGUE_FILE = Path(__file__).parents[2] / "Sources/Upstream/OneMin/Catalogue/models.json"
CATALOGUE: dict[str, dict[str, Any]] = {model["id"]: model for model in json.loads(CATALOGUE_FILE.read_text("utf-8"))}

FEATURE_TYPES = {
    "chat": "UNIFY_CHAT_WITH_AI",
    "code": "CODE_GENERATOR",
    "image": "IMAGE_GENERATOR",
    "image_edit": "IMAGE_EDITOR",
    "image_inpaint": "IMAGE_INPAINTER",
    "image_variation": "IMAGE_VARIATOR",
    "text_to_speech": "TEXT_TO_SPEECH",
    "speech_to_text": "SPEECH_TO_TEXT",
    "audio_translation": "AUDIO_TRANSLATOR",
}
"""Feature in the catalogue -> the vendor's `type`."""

DISABLED = {"black-forest-labs/flux-schnell"}
"""Listed as such, and refused."""

LISTED: dict[str, list[dict[str, Any]]] = {}
"""Entries that a test lists besides the catalogue's models, by type."""

DATED = dict.fromkeys(("gemini-2.5-pro", "gemini-2.5-flash", "qwen3-vl-plus"), "2026-10-09T00:00:00.000Z")
DATED |= dict.fromkeys(("o3-mini", "gpt-4.1-nano", "gpt-4-turbo", "gpt-3.5-turbo"), "2026-10-21T00:00:00.000Z")
DATED |= dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano", "o3", "o3-pro"), "2026-12-09T00:00:00.000Z")
"""`deprecationDate` of models that are active and answer, before and after their dates."""


def able(feature: str) -> list[str]:
    """Returns the models that serve a feature of the catalogue."""
    return [name for name, model in CATALOGUE.items() if feature in model["features"] and name not in DISABLED]


ALLOWED_HEADERS = {
    "host", "accept", "accept-encoding", "user-agent", "connection", "content-type", "content-length",
    "transfer-encoding", "api-key",
}  # fmt: skip
CALLERS_AGENTS = ("openai", "httpx", "stainless", "anthropic")


@dataclass
class Request:
    """One request as it was received. `headers`: lower-case names; `at`: seconds of CLOCK_MONOTONIC."""

    number: int
    connection: int
    at: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    json: Any = None
    violations: list[str] = field(default_factory=list)
    owner: str = ""
    """Whose result a request without a key reads."""
    is_unread: bool = False
    """It is answered before its body was read."""

    @property
    def key(self) -> str:
        return self.headers.get("api-key", self.owner)

    def seen(self) -> dict[str, Any]:
        """Returns the request as tests read it."""
        return {
            "number": self.number, "connection": self.connection, "at": self.at, "method": self.method,
            "path": self.path, "query": self.query, "headers": self.headers, "body": self.json,
            "violations": self.violations,
        }  # fmt: skip


@dataclass
class Refusal(Exception):
    """An error response of the vendor."""

    status: int
    body: dict[str, Any]


def error(status: int, message: str | list[str], code: str = "HTTP_EXCEPTION") -> Refusal:
    return Refusal(status, {"errorCode": code, "message": message})


def missing(*fields: str) -> Refusal:
    """Returns the response to a call without fields that its model needs: the details are a string that contains
    JSON."""
    details = [{"field": name, "message": f"Field '{name}' is required for this model"} for name in fields]
    body = {"errorCode": "MISSING_REQUIRED_FIELDS", "message": "Missing required fields", "details": json.dumps(details)}
    return Refusal(400, body)


def external(status: int, data: dict[str, Any], *, is_text: bool = True, **more: Any) -> dict[str, Any]:
    """Returns the body of a failure of the model's own provider: the reason is in the details, not in the message."""
    request = {"method": "POST", "url": "https://models.internal.example/v1/x", "headers": {"authorization": "Bearer sk-own"}}
    details = {"response": {"status": status, "data": data}, "request": request} | more
    return {
        "errorCode": "EXTERNAL_API_RESPONSE_WITH_ERROR",
        "message": "The alibaba service is a bit busy right now, please try again later.",
        "details": json.dumps(details) if is_text else details,
    }


def check_headers(request: Request, *, with_key: bool) -> None:
    """Checks that only headers occur which the vendor's documentation or HTTP itself needs."""
    for name in request.headers.keys() - ALLOWED_HEADERS:
        request.violations.append(f"header {name} must not be sent upstream")
    agent = request.headers.get("user-agent", "").lower()
    if any(name in agent for name in CALLERS_AGENTS):
        request.violations.append("the caller's user-agent was forwarded")
    if not with_key and "api-key" in request.headers:
        request.violations.append("API-KEY sent to a path that wants none")
    if with_key and not request.key:
        request.violations.append("API-KEY missing")


def check_json_body(request: Request) -> dict[str, Any]:
    """Returns the body as a JSON object. Raises the vendor's 400 if it is not one."""
    kind = request.headers.get("content-type", "").replace(" ", "").lower()
    if kind not in ("application/json", "application/json;charset=utf-8"):
        request.violations.append(f"Content-Type is {kind!r}")

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            request.violations.append("duplicate member names")
        return dict(pairs)

    try:
        text = request.body.decode("utf-8")
        request.json = json.loads(text, parse_constant=no_constant, object_pairs_hook=no_duplicates)
        json.dumps(request.json, ensure_ascii=False).encode("utf-8")
    except ValueError as problem:
        request.violations.append(f"body: {problem}")
        raise error(400, "Unexpected token in JSON") from None
    if not isinstance(request.json, dict):
        request.violations.append("body is not an object")
        raise error(400, "Unexpected token in JSON")
    return request.json


Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_object(value: Any) -> bool:
    return isinstance(value, dict)


def is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(is_text(item) for item in value)


def whole(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def check_members(request: Request, value: Any, path: str, members: dict[str, Check]) -> list[str]:
    """Checks that each member of `value` is named in `members` and passes its check. Records and returns the
    problems."""
    problems = []
    if not isinstance(value, dict):
        problems.append(f"{path} must be an object")
    else:
        for name, member in value.items():
            if name not in members:
                problems.append(f"property {path}.{name} should not exist")
            elif not members[name](member):
                problems.append(f"{path}.{name} has a bad value: {member!r:.80}")
    request.violations += problems
    return problems


def check_model(model: Any, feature: str) -> None:
    """Raises the vendor's response for a model that `feature` cannot use: a refusal, not a violation."""
    entry = next((entry for entry in LISTED.get(FEATURE_TYPES[feature], ()) if entry.get("modelId") == model), None)
    status = entry.get("status", "ACTIVE") if entry else "DISABLED" if model in DISABLED else ""
    if is_text(model) and (status == "ACTIVE" or status == "" and feature in CATALOGUE.get(model, {}).get("features", ())):
        return
    raise error(400, f"Model {model} is not supported", "UNSUPPORTED_MODEL")


def check_chat(request: Request) -> None:
    """Checks POST /api/chat-with-ai. Raises a Refusal where the vendor would refuse."""
    if request.query not in ("", "isStreaming=true", "isStreaming=false"):
        request.violations.append(f"query is {request.query!r}")
    body = check_json_body(request)
    problems = check_members(
        request,
        body,
        "body",
        {"type": is_text, "model": is_text, "promptObject": is_object, "brandVoiceId": is_text, "metadata": is_object},
    )
    if body.get("type") != "UNIFY_CHAT_WITH_AI":
        problems.append("type must be UNIFY_CHAT_WITH_AI")
        request.violations.append(problems[-1])
    prompt = body.get("promptObject", {})
    problems += check_members(request, prompt, "promptObject", {"prompt": is_text, "settings": is_object, "attachments": is_object})
    if isinstance(prompt, dict):
        if not is_text(prompt.get("prompt")):
            problems.append("promptObject.prompt should not be empty")
            request.violations.append(problems[-1])
        problems += check_settings(request, prompt.get("settings", {}))
        problems += check_attachments(request, prompt.get("attachments", {}), body.get("model"))
    if problems:
        raise error(400, problems)
    check_model(body.get("model"), "chat")


def check_settings(request: Request, settings: Any) -> list[str]:
    path = "promptObject.settings"
    problems = check_members(
        request,
        settings,
        path,
        {"webSearchSettings": is_object, "historySettings": is_object, "withMemories": lambda value: value is False},
    )
    if isinstance(settings, dict):
        problems += check_members(
            request,
            settings.get("webSearchSettings", {}),
            path + ".webSearchSettings",
            {"webSearch": is_bool, "numOfSite": whole(1, 10), "maxWord": whole(1, 100_000)},
        )
        problems += check_members(
            request,
            settings.get("historySettings", {}),
            path + ".historySettings",
            {"isMixed": is_bool, "historyMessageLimit": whole(0, 100)},
        )
    return problems


def check_attachments(request: Request, attachments: Any, model: Any) -> list[str]:
    problems = check_members(request, attachments, "promptObject.attachments", {"images": is_text_list, "files": is_text_list})
    if isinstance(attachments, dict) and attachments.get("images"):
        if not CATALOGUE.get(model, {}).get("vision"):
            problems.append("images for a model without vision")
            request.violations.append(problems[-1])
    return problems


def check_code(request: Request) -> None:
    """Checks CODE_GENERATOR on POST /api/features."""
    body = request.json
    problems = check_members(
        request,
        body,
        "body",
        {"type": is_text, "model": is_text, "conversationId": lambda value: value == "CODE_GENERATOR", "promptObject": is_object},
    )
    if "conversationId" not in body:
        problems.append("conversationId must be CODE_GENERATOR")
        request.violations.append(problems[-1])
    prompt = body.get("promptObject", {})
    problems += check_members(request, prompt, "promptObject", {"prompt": is_text})
    if not isinstance(prompt, dict) or "prompt" not in prompt:
        problems.append("promptObject.prompt should not be empty")
        request.violations.append(problems[-1])
    if problems:
        raise error(400, problems)
    check_model(body.get("model"), "code")


FEATURES: dict[str, Callable[[Request], None]] = {"CODE_GENERATOR": check_code}
"""The vendor's `type` -> check of its body, for POST /api/features."""


def check_feature(request: Request, media: dict[str, Callable[[Request], None]]) -> None:
    """Checks POST /api/features; `media`: checks of more types."""
    if request.query:
        request.violations.append(f"query is {request.query!r}")
    body = check_json_body(request)
    kind = body.get("type")
    check = (FEATURES | media).get(kind) if isinstance(kind, str) else None
    if check is None:
        request.violations.append(f"type {kind!r} is not known at /api/features")
        raise error(400, f"Invalid AI feature {kind}!")
    check(request)


def check_no_body(request: Request) -> None:
    if request.body:
        request.violations.append("GET with a body")


def check_result(request: Request) -> None:
    """Checks GET /api/results/{uuid}."""
    check_no_body(request)
    if request.query:
        request.violations.append(f"query is {request.query!r}")
    name = request.path.removeprefix("/api/results/")
    if not re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", name):
        request.violations.append(f"{name!r} is no random uuid")


def check_models(request: Request) -> None:
    """Checks GET /models?feature=TYPE."""
    check_no_body(request)
    name, _, value = request.query.partition("=")
    if name != "feature" or value not in FEATURE_TYPES.values():
        request.violations.append(f"query is {request.query!r}")
        raise error(400, "Invalid feature")


def credit_metadata(model: dict[str, Any], feature: str) -> dict[str, Any]:
    """Returns a model's token limits, as far as they are known, and the credits of chats for a token and for an
    image."""
    told = {"CONTEXT": model["context_window"], "MAX_OUTPUT_TOKEN": model["max_output_tokens"]}
    if feature == "chat":
        told |= {"INPUT": 0.15, "OUTPUT": 0.6} | ({"LOW_IMAGE": 12.75} if model["vision"] else {})
    return {name: value for name, value in told.items() if value is not None}


def listed_models(kind: str) -> dict[str, Any]:
    """Returns the response to GET /models?feature=`kind`."""
    feature = next(name for name, value in FEATURE_TYPES.items() if value == kind)
    return {
        "models": [
            {
                "modelId": model["id"], "name": model["id"], "provider": model["provider"],
                "status": "DISABLED" if model["id"] in DISABLED else "ACTIVE",
                "deprecationDate": DATED.get(model["id"]),
                "features": [FEATURE_TYPES[name] for name in model["features"] if name in FEATURE_TYPES],
                "modality": {"INPUT": ["text", "image"] if model["vision"] else ["text"], "OUTPUT": ["text"]},
                "creditMetadata": credit_metadata(model, feature),
            }
            for model in CATALOGUE.values()
            if feature in model["features"]
        ]
    }  # fmt: skip
