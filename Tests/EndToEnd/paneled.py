"""A relay with panels in front of the strict OpenAI-compatible fake, and their responses as tests read them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
from chat import PATH, Streamed, streamed
from openai_vendor import chunk
from relay_process import provider

TOKEN = "token-of-the-panels-caller"
KEY = "key-that-the-panels-relay-has"
GOOD, BAD = " ✅\n", " ❌\n"
FAILED = {"status": 500, "text": ""}


def settings(base_url: str, **more: Any) -> dict[str, Any]:
    """Returns settings with models a, b, c (members), s (summary), va, vs (for images): each is `up-…` at the
    vendor."""
    models = ",".join(f"{name}=up-{name}" for name in ("a", "b", "c", "s", "va", "vs"))
    return {**provider("ROW", "openai", base_url, models, API_KEY=KEY), "KEY_TEAM_TOKEN": TOKEN, "STRICT_CONFIG": "true"} | more


def panel(name: str, **fields: Any) -> dict[str, Any]:
    """Returns the settings of one panel: members a, b and c, summary s, no pause between attempts."""
    given = {"MODELS": "a,b,c", "SUMMARY_MODEL": "s", "RETRY_DELAY": "0"} | fields
    return {f"PANEL_{name}_{field}": value for field, value in given.items() if value is not None}


def asked(model: str, *said: Any, **fields: Any) -> dict[str, Any]:
    """Returns the body of a request. `said`: contents of the user and the assistant in turn, or whole messages."""
    messages = [
        text if isinstance(text, dict) and "role" in text else {"role": ("user", "assistant")[at % 2], "content": text}
        for at, text in enumerate(said or ["Hello"])
    ]
    return {"model": model, "messages": messages} | fields


def whole(http: httpx.Client, model: str, *said: Any, **fields: Any) -> httpx.Response:
    return http.post(PATH, json=asked(model, *said, **fields))


def stream(http: httpx.Client, model: str, *said: Any, **fields: Any) -> Streamed:
    answer = http.post(PATH, json=asked(model, *said, stream=True, **fields))
    return streamed(answer.status_code, answer.headers, answer.content)


def either(http: httpx.Client, model: str, is_streamed: bool) -> tuple[str | None, dict[str, Any] | None, int]:
    """Returns text, error and status of a response."""
    if is_streamed:
        got = stream(http, model)
        assert got.is_done == (got.error is None)
        return got.text(), got.error, got.status
    answer = whole(http, model)
    told = answer.json()
    return (None, told["error"], answer.status_code) if "error" in told else (
        told["choices"][0]["message"]["content"], None, answer.status_code,
    )  # fmt: skip


def events(lines: Iterator[str]) -> Iterator[Any]:
    """Returns the events of a stream as they arrive: chunks, `[DONE]`, or unchanged comments."""
    for line in lines:
        if line.startswith("data: "):
            yield "[DONE]" if line == "data: [DONE]" else json.loads(line[6:])
        elif line.startswith(":"):
            yield line


def said(texts: list[str]) -> list[Any]:
    """Returns the events of a vendor's stream with these chunks."""
    return [chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in texts), chunk({}, "stop")]
