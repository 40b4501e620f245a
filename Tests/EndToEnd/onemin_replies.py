"""Responses of the fake 1min.ai: a scenario, or the default, becomes a status, headers and the chunks of a body."""

import base64
import hashlib
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import onemin_acting

ANSWER_MARK = "vendor-answer-5f1d"
"""Stands in every default answer, so that a search for it in a log finds answers."""


@dataclass
class Reply:
    """A response. `pieces` is the body in the chunks in which it is written, unless the scenario splits it
    otherwise."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]


def default_answer(prompt: str) -> str:
    """Returns a deterministic text with characters of one to four bytes."""
    digest = hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{ANSWER_MARK} {digest}: ça va, 你好, 🎉 and “done”."


def default_deltas(answer: str) -> list[str]:
    """Returns `answer` in chunks of seven characters."""
    return [answer[at : at + 7] for at in range(0, len(answer), 7)]


def merged(base: Any, change: Any) -> Any:
    """Returns `base` changed by `change`; objects are merged member by member."""
    if isinstance(base, dict) and isinstance(change, dict):
        return base | {name: merged(base.get(name), value) for name, value in change.items()}
    return change


def metadata(scenario: dict[str, Any], prompt: str, answer: str | list[str]) -> dict[str, Any]:
    """Returns the metadata of a record: `promptToken` is the prompt alone, `inputToken` the billed amount."""
    billed, made = max(1, len(prompt) // 4), max(1, len(answer) // 4)
    told = {
        "credit": 12, "inputToken": billed, "promptToken": billed // 2, "outputToken": made, "totalToken": billed + made,
        "inputCredit": 4, "outputCredit": 8, "finishReason": scenario.get("finish", "stop"), "executionTime": 0.365,
    }  # fmt: skip
    if scenario.get("uncounted"):
        told |= dict.fromkeys(("inputToken", "promptToken", "outputToken", "totalToken"), 0)
    return {name: value for name, value in told.items() if value is not None}


def record(scenario: dict[str, Any], request: dict[str, Any], answer: str | list[str]) -> dict[str, Any]:
    """Returns the vendor's record of a finished call. A list of texts is its result unchanged."""
    prompt = request["promptObject"].get("prompt", "")
    result: Any = [answer] if request["type"] in ("UNIFY_CHAT_WITH_AI", "CODE_GENERATOR") else answer
    if lines := progress_lines(scenario):
        result = [f"{lines}{answer}"]
    full = {
        "uuid": "5f0c3a52-3c6e-4d27-8a73-3d6f4b1c9a10", "userId": "u-1", "teamId": "t-1",
        "teamUser": {"teamId": "t-1", "userId": "u-1", "userName": "Jane Doe", "status": "ACTIVE"},
        "model": request["model"], "type": request["type"], "conversationId": None, "status": "SUCCESS",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "metadata": metadata(scenario, prompt, answer),
        "temporaryUrl": None,
        "aiRecordDetail": {"promptObject": {}, "resultObject": result, "responseObject": {}},
    }  # fmt: skip
    if scenario.get("small"):
        full = {"status": "SUCCESS", "metadata": full["metadata"], "aiRecordDetail": {"resultObject": result}}
    if "metadata" in scenario:
        full["metadata"] = scenario["metadata"]
    if "result_object" in scenario:
        full["aiRecordDetail"]["resultObject"] = scenario["result_object"]
    return {"aiRecord": merged(full, scenario.get("record", {}))}


def progress_lines(scenario: dict[str, Any]) -> str:
    count = scenario.get("progress", 0)
    return "".join(f"\U0001f310 Crawling site https://site{n}.example/page\n" for n in range(1, count + 1))


def compact(value: Any, scenario: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=bool(scenario.get("ascii")), separators=(",", ":"))


def event(name: str | None, data: Any, scenario: dict[str, Any]) -> bytes:
    """Returns one server-sent event. `data` is used unchanged if it is a string, else as JSON."""
    end, space = scenario.get("line_end", "\n"), " " if scenario.get("space", True) else ""
    text = data if isinstance(data, str) else compact(data, scenario)
    lines = [f":{space}keep going"] if scenario.get("comments") else []
    if name is not None:
        lines.append(f"event:{space}{name}")
    lines += [f"data:{space}{line}" for line in text.split("\n")]
    return (end.join(lines) + end + end).encode("utf-8")


def stream_events(scenario: dict[str, Any], request: dict[str, Any], answer: str) -> list[tuple[str | None, Any]]:
    """Returns the named events of a streamed response."""
    if "events" in scenario:
        return [(name, data) for name, data in scenario["events"]]
    deltas = list(scenario.get("deltas", default_deltas(answer)))
    if lines := progress_lines(scenario):
        deltas[:0] = [lines[at : at + 11] for at in range(0, len(lines), 11)]
    if scenario.get("repeat"):
        deltas.append(answer)
    events: list[tuple[str | None, Any]] = [("content", {"content": delta}) for delta in deltas]
    events.append(("result", record(scenario, request, answer)))
    events.append(("done", {"message": "Stream completed"}))
    return [(name, data) for name, data in events if name not in scenario.get("without", ())]


def reply(scenario: dict[str, Any], request: dict[str, Any], *, streamed: bool) -> Reply:
    """Returns the response to a chat or code request whose checked body is `request`."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if fixed := fixed_body(scenario):
        body, kind = fixed
        headers["Content-Type"] = kind
        pieces = [body]
    else:
        answer = scenario.get("answer")
        if scenario.get("acts"):
            answer = onemin_acting.answer(prompt_of(request))
        elif "steps" in scenario:
            answer = onemin_acting.next_step(prompt_of(request), scenario["steps"])
        if answer is None:
            answer = "".join(scenario["deltas"]) if "deltas" in scenario else default_answer(prompt_of(request))
        if streamed and scenario.get("stream_as", "events") == "events":
            headers["Content-Type"] = "text/event-stream"
            events = stream_events(scenario, request, answer)
            pieces = [event(name, data, scenario) for name, data in events]
        else:
            pieces = [compact(record(scenario, request, answer), scenario).encode("utf-8")]
    headers |= scenario.get("headers", {})
    return Reply(scenario.get("status", 200), headers, pieces)


def prompt_of(request: dict[str, Any]) -> str:
    return request["promptObject"]["prompt"]


def fixed_body(scenario: dict[str, Any]) -> tuple[bytes, str] | None:
    """Returns body and content type that the scenario defines itself."""
    if "json" in scenario:
        return json.dumps(scenario["json"], ensure_ascii=False).encode("utf-8"), "application/json; charset=utf-8"
    if "text" in scenario:
        return scenario["text"].encode("utf-8"), "text/html; charset=utf-8"
    if "body64" in scenario:
        return base64.b64decode(scenario["body64"]), "text/event-stream"
    return None


def portions(pieces: list[bytes], split: Any) -> list[bytes]:
    """Returns `pieces` unchanged, byte by byte (`"bytes"`), or the whole body split at the positions in a list."""
    if split is None:
        return [piece for piece in pieces if piece]
    body = b"".join(pieces)
    if split == "bytes":
        return [body[at : at + 1] for at in range(len(body))]
    edges = [0, *split, len(body)]
    return [part for low, high in pairwise(edges) if (part := body[low:high])]
