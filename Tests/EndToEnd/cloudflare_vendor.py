"""A strict fake of Cloudflare's Workers AI: OpenAI's API at one path, its own at another, see `vendor_server`.

SCRIPT besides that of `openai_vendor` (text, reasoning, calls, finish): own (true: the answer is in its own form, calls are (name,
arguments)), usage of that. Requests are checked as `openai_vendor` does.
"""

import re
from collections.abc import Iterator
from typing import Any

import openai_endpoints
import openai_vendor
from cohere_vendor import halves
from vendor_server import Server

ACCOUNT = "0123456789abcdef0123456789abcdef"
ROOT = f"/client/v4/accounts/{ACCOUNT}/ai"
LLAMA = "@cf/meta/llama-3.3-70b"
FIELDS = {
    "model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty",
    "seed", "tools", "tool_choice", "response_format", "reasoning_effort",
}  # fmt: skip
USAGE = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}
BAD = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}], "messages": [], "result": None}


def failure(code: int, message: str = "It is wrong.") -> dict[str, Any]:
    return {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}


class CloudflareWire:
    headers = {"authorization"}

    def model(self, path: str, body: dict[str, Any]) -> str:
        return path.removeprefix(f"{ROOT}/run/") if "/run/" in path else body.get("model", "")

    def is_stream(self, path: str, body: dict[str, Any]) -> bool:
        return body.get("stream", False)

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        if path != f"{ROOT}/models/search?per_page=1":
            return 404, failure(7003)
        return (403, BAD) if headers.get("authorization", "").startswith("Bearer bad") else (200, {"success": True, "result": []})

    def problems(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Iterator[str]:
        if not re.fullmatch(r"Bearer \S+", headers.get("authorization", "")):
            yield "no key"
        if path == f"{ROOT}/v1/embeddings":
            yield from openai_endpoints.problems_of("/embeddings", body, {}, is_form=False)
            return
        is_own = path.startswith(f"{ROOT}/run/@")
        if not is_own and path != f"{ROOT}/v1/chat/completions":
            yield f"path {path}"
        if unknown := set(body) - (FIELDS - {"model", "stream_options"} if is_own else FIELDS):
            yield f"unknown fields {sorted(unknown)}"
        if "max_tokens" not in body:
            yield "no bound"
        yield from openai_vendor.problems_of({"model": "x"} | body, {"bare": is_own})
        for at, message in enumerate(body["messages"]):
            if message["role"] == "developer" or message.get("content") is None:
                yield f"messages[{at}]: {message}"
        if is_own and "schema" in body.get("response_format", {}).get("json_schema", {}):
            yield "a schema in OpenAI's envelope"

    def whole(self, script: dict[str, Any]) -> Any:
        if not script.get("own"):
            return openai_vendor.whole(script)
        result: dict[str, Any] = {"response": script.get("text", None if "calls" in script else "Hello there")}
        if "calls" in script:
            result["tool_calls"] = [{"name": name, "arguments": arguments} for name, arguments in script["calls"]]
        return {"result": result | {"usage": script.get("usage", USAGE)}, "success": True, "errors": [], "messages": []}

    def events(self, script: dict[str, Any]) -> list[Any]:
        if not script.get("own"):
            return [*openai_vendor.chunks(script), "data: [DONE]"]
        pieces = halves(script.get("text", "" if "calls" in script else "Hello there"))
        calls = [{"name": name, "arguments": arguments} for name, arguments in script.get("calls", ())]
        out: list[Any] = [{"response": piece, "p": "abcd"} for piece in pieces]
        out += [{"response": None, "tool_calls": calls, "p": "a"}] if calls else []
        return [*out, {"response": "", "usage": script.get("usage", USAGE)}, "data: [DONE]"]


def start() -> Server:
    return Server(CloudflareWire())
