"""Chat requests and responses, as tests write and read them."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import httpx

PATH = "/v1/chat/completions"
CHAT_PATH = "/api/chat-with-ai"
MODEL = "gpt-4o-mini"
"""A chat model with vision and without code."""


def body(prompt: str = "Hello", **fields: Any) -> dict[str, Any]:
    """Returns a request with one user message and `fields`."""
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}]} | fields


def ask(http: httpx.Client, prompt: str = "Hello", **fields: Any) -> httpx.Response:
    return http.post(PATH, json=body(prompt, **fields))


def text_of(answer: httpx.Response) -> str:
    """Returns the content of the first choice of a whole response."""
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]["message"]["content"]


@dataclass
class Streamed:
    """A streamed response, read to its end. `error` is the error of a last event, or of the response itself."""

    status: int
    headers: httpx.Headers
    chunks: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    is_done: bool = False

    def text(self, index: int = 0) -> str:
        """Returns all content of one choice."""
        return "".join(choice["delta"].get("content") or "" for choice in self.choices(index))

    def finish(self, index: int = 0) -> str | None:
        """Returns the finish_reason of one choice."""
        reasons = [choice["finish_reason"] for choice in self.choices(index) if choice["finish_reason"]]
        return reasons[0] if reasons else None

    def choices(self, index: int) -> list[dict[str, Any]]:
        return [choice for chunk in self.chunks for choice in chunk["choices"] if choice["index"] == index]

    def usage(self) -> dict[str, int] | None:
        return self.chunks[-1].get("usage") if self.chunks else None


def streamed(status: int, headers: httpx.Headers, content: bytes) -> Streamed:
    out = Streamed(status, headers)
    if headers.get("content-type", "").startswith("application/json"):
        out.error = json.loads(content)["error"]
        return out
    for event in content.split(b"\n\n"):
        if event == b"data: [DONE]":
            out.is_done = True
        elif event.startswith(b"data: "):
            value = json.loads(event[6:])
            if "error" in value:
                out.error = value["error"]
            else:
                out.chunks.append(value)
    return out


def stream(http: httpx.Client, prompt: str = "Hello", **fields: Any) -> Streamed:
    """Requests a stream and reads it to its end. Returns the response."""
    answer = http.post(PATH, json=body(prompt, stream=True, **fields))
    return streamed(answer.status_code, answer.headers, answer.content)


async def stream_async(http: httpx.AsyncClient, key: str, prompt: str = "Hello", **fields: Any) -> Streamed:
    """Requests a stream with its own key, for many at a time, and reads it to its end. Returns the response."""
    headers = {"Authorization": f"Bearer {key}"}
    answer = await http.post(PATH, json=body(prompt, stream=True, **fields), headers=headers)
    return streamed(answer.status_code, answer.headers, answer.content)


def either(http: httpx.Client, is_streamed: bool, prompt: str = "Hello", **fields: Any) -> tuple[str, str | None]:
    """Returns text and finish_reason of a whole or streamed response that must succeed."""
    if is_streamed:
        got = stream(http, prompt, **fields)
        assert got.status == 200 and got.is_done, got
        return got.text(), got.finish()
    answer = ask(http, prompt, **fields)
    return text_of(answer), answer.json()["choices"][0]["finish_reason"]


def plain(message: str) -> str:
    """Returns a message without the request's id, which ends those of 5xx."""
    return re.sub(r" \(request ID req_\w+\)$", "", message)


def refusal(http: httpx.Client, is_streamed: bool = False, **fields: Any) -> tuple[int, dict[str, Any], httpx.Headers]:
    """Returns status, error object and headers of a response that must be a JSON error."""
    answer = http.post(PATH, json=body(**fields) | ({"stream": True} if is_streamed else {}))
    assert answer.headers["content-type"].startswith("application/json"), answer.text
    assert answer.status_code >= 400, answer.text
    return answer.status_code, answer.json()["error"], answer.headers


def deltas_of(text: str, size: int) -> list[str]:
    """Returns `text` in chunks, as a vendor may send it."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def vendor_error(message: str, code: str = "HTTP_EXCEPTION") -> dict[str, str]:
    """Returns the body of a refusal by 1min.ai."""
    return {"errorCode": code, "message": message}
