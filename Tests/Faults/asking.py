"""The requests of all endpoints, and the upstream calls whose output a client received."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import httpx

WAV = ("a.wav", b"RIFF" + b"\0" * 2000, "audio/wav")
PNG = ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 500, "image/png")
FAILED_STREAM = ('"error":{', "response.failed", "event: error")


def post(path: str, **body: Any) -> Callable[[httpx.Client, str], httpx.Response]:
    """Returns a function that sends a request with the mark in place of MARK."""

    def asked(client: httpx.Client, mark: str) -> httpx.Response:
        message = [{"role": "user", "content": mark}]
        filled = {name: {"MARK": mark, "MESSAGES": message}.get(value, value) if isinstance(value, str) else value for name, value in body.items()}
        return client.post(f"/v1/{path}", json={"model": "m"} | filled)

    return asked


def form(path: str, file: tuple[str, bytes, str], name: str = "file", **fields: str) -> Callable[[httpx.Client, str], httpx.Response]:
    def asked(client: httpx.Client, mark: str) -> httpx.Response:
        return client.post(f"/v1/{path}", data={"model": "m", "prompt": mark} | fields, files={name: file})

    return asked


ASKS = {
    "chat": post("chat/completions", messages="MESSAGES"),
    "streamed chat": post("chat/completions", messages="MESSAGES", stream=True, stream_options={"include_usage": True}),
    "chat of two choices": post("chat/completions", messages="MESSAGES", n=2),
    "completion": post("completions", prompt="MARK"),
    "streamed completion": post("completions", prompt="MARK", stream=True),
    "message": post("messages", messages="MESSAGES", max_tokens=2000),
    "streamed message": post("messages", messages="MESSAGES", max_tokens=2000, stream=True),
    "response": post("responses", input="MARK"),
    "streamed response": post("responses", input="MARK", stream=True),
    "embedding": post("embeddings", input="MARK"),
    "moderation": post("moderations", input="MARK"),
    "image": post("images/generations", prompt="MARK"),
    "images": post("images/generations", prompt="MARK", n=3),
    "streamed image": post("images/generations", prompt="MARK", stream=True, partial_images=1),
    "edit": form("images/edits", PNG, "image"),
    "speech": post("audio/speech", input="MARK", voice="alloy"),
    "transcript": form("audio/transcriptions", WAV),
    "streamed transcript": form("audio/transcriptions", WAV, stream="true"),
    "translation": form("audio/translations", WAV),
}
UNTOLD = ("moderation", "speech")
"""Their vendors tell no usage."""


def is_good(answer: httpx.Response) -> bool:
    is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
    return answer.status_code == 200 and not (is_stream and any(word in answer.text for word in FAILED_STREAM))


def answered_by(kind: str, answer: httpx.Response) -> set[int]:
    """Returns the numbers of the upstream calls that a response came from."""
    text = answer.content.decode("latin1")
    if kind == "embedding":
        return {int(answer.json()["data"][0]["embedding"][0])}
    if kind in ("image", "images", "edit", "streamed image"):
        pictures = re.findall(r'"b64_json": ?"([^"]+)"', text)
        text = " ".join(base64.b64decode(picture).decode() for picture in pictures)
    return {int(number) for number in re.findall(r"mark(\d+)k", text)}
