"""Sends hostile text in each text field of each endpoint, and prints the cost: `make hostile`.

    hostile.py [WORD ...]      only fields in whose names a WORD stands

A release build of the relay (RELAY_BINARY) runs in front of the strict fake vendor. For each field and each text the
relay's processor time for N and for 4N bytes is measured, the least of some repetitions: 4N may take at most RATIO
times as long as N (below FLOOR_SECONDS nothing is compared: there the request itself counts), and LARGE bytes at most
MOST_SECONDS. The status is the answer's, whatever it is; a server error or no answer at all fails.
"""

import base64
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "EndToEnd"))

import httpx  # noqa: E402
from relay_process import Relay  # noqa: E402
from vendor import Vendor  # noqa: E402

LARGE = 240_000
REPETITIONS = 5
SECOND_REPETITIONS = 25
"""Where the first ones look steep."""
RATIO = 6.0
FLOOR_SECONDS = 0.002
MOST_SECONDS = 0.25
FIRST_LOOK_SECONDS = 0.004
"""A text that takes less than this for LARGE bytes is not measured again."""

TEXTS = [
    "[", "![](", "![](http://", "](", "[_V1_]", "/v1 ", "/v1 http://", "<a>", "</", "!", " ", "\n", "\u3000", "```", "~",
    "--no ", "--ar ", "\u2014", "\\", '"', ".", "a.", "../", "%2e", ";", ",", ":", "=", "&", "data:", "\U0001f310",
    "\U0001f310 ", "\U0001f310 Crawling site ", "\U0001f1e6", "\u0301\u0327", "\u0327", "a\u0301\u0327", "\u200d",
    "\U0001f468\u200d", "\u1100", "\u1161", "\u4e2d", "0", "a",
]  # fmt: skip
OPENINGS = [("\U0001f310", " "), ("s", "\u0301\u0327"), ("file-", "\u0301\u0327"), ("!delay=0 ", "a "), ("a", "\x00")]

SERVED = {
    "chat: content", "chat: content, searching the web", "chat: content, streamed", "chat: content, echoed",
    "chat: stop", "completions: prompt", "completions: prompts", "chat: filename", "chat: image prompt", "chat: image answer", "chat: speech", "images: prompt",
    "speech: input", "files: content", "files: filename", "messages: content", "messages: content, streamed",
    "messages: block", "messages: system", "messages: stop and echo", "messages: document", "messages: context",
    "messages: result", "messages: tool's description", "messages: content, counted", "responses: input",
    "responses: input, streamed", "responses: input_text", "responses: a call's output", "responses: custom input",
    "responses: action",
}  # fmt: skip
"""These are answered where nothing is wrong with the text."""

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
Send = Callable[[httpx.Client, str], httpx.Response]


def message(**more: Any) -> dict[str, Any]:
    # A model with a public vocabulary, and a window that holds all texts.
    return {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "hi"}], **more}


def said(content: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": content}


def tool_call(id: str, name: str, arguments: str) -> list[dict[str, Any]]:
    return [
        {"role": "assistant", "tool_calls": [{"id": id, "function": {"name": name, "arguments": arguments}}]},
        {"role": "tool", "tool_call_id": id, "content": "a"},
    ]


def chat_bodies() -> Iterator[tuple[str, Callable[[str], Any]]]:
    yield "model", lambda text: message(model=text)
    yield "role", lambda text: message(messages=[said("a", text)])
    yield "content", lambda text: message(messages=[said(text)])
    yield "thought", lambda text: message(
        messages=[said("a", "assistant") | {"reasoning_content": text, "extra_content": {"thought_signature": text}}]
    )
    yield "content, searching the web", lambda text: message(messages=[said(text)], web_search=True)
    yield "content, streamed", lambda text: message(messages=[said(text)], stream=True)
    yield "content, echoed", lambda text: message(model="echo", messages=[said(text)], stream=True)
    yield "system", lambda text: message(messages=[said(text, "system"), said("a")])
    yield "name", lambda text: message(messages=[said("a") | {"name": text}])
    yield "stop", lambda text: message(model="echo", stop=text, messages=[said("a")])
    yield "stop and echo", lambda text: message(model="echo", stop=[text[:200] + "$"], messages=[said(text)])
    yield "user", lambda text: message(user=text)
    yield "tool_choice", lambda text: message(tool_choice=text)
    yield "tools", lambda text: message(tools=[{"type": text}])
    yield "response_format", lambda text: message(response_format={"type": text})
    yield "modalities", lambda text: message(modalities=[text])
    yield "file_ids", lambda text: message(file_ids=[text])
    yield "a member's name", lambda text: message(**{text: "a"})
    parts: list[tuple[str, Callable[[str], Any]]] = [
        ("part type", lambda text: {"type": text}),
        ("part text", lambda text: {"type": "text", "text": text}),
        ("image_url", lambda text: {"type": "image_url", "image_url": {"url": text}}),
        ("image data", lambda text: {"type": "image_url", "image_url": {"url": "data:image/png;base64," + text}}),
        ("file_id", lambda text: {"type": "file", "file": {"file_id": text}}),
        ("filename", lambda text: {"type": "file", "file": {"filename": text, "file_data": "YWJj"}}),
        ("filename of 1,000 bytes", lambda text: {"type": "file", "file": {"filename": head(text), "file_data": "YWJj"}}),
        ("file_data", lambda text: {"type": "file", "file": {"filename": "a.txt", "file_data": text}}),
        ("file text", lambda text: {"type": "file", "file": {"filename": "a.txt", "file_data": coded(text)}}),
        ("audio format", lambda text: {"type": "input_audio", "input_audio": {"data": "YWJj", "format": text}}),
        ("audio data", lambda text: {"type": "input_audio", "input_audio": {"data": text, "format": "wav"}}),
    ]
    for name, part in parts:
        yield name, lambda text, part=part: message(messages=[said([part(text)])])
    yield "tool's name", lambda text: message(messages=tool_call("a", text, "a"))
    yield "tool's arguments", lambda text: message(messages=tool_call("a", "a", text))
    yield "tool's call, tools offered", lambda text: message(
        messages=tool_call(text[: len(text) // 2], "a", "a"), tools=[{"type": "function", "function": {"name": "a"}}]
    )
    yield "tool's call, twice", lambda text: message(messages=tool_call(text[: len(text) // 2], "a", "a"))
    tool = {"type": "custom", "custom": {"name": "a"}}
    yield "custom tool's input", lambda text: message(
        messages=[
            said(None, "assistant") | {"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "a", "input": text}}]},
            {"role": "tool", "tool_call_id": "c", "content": "a"},
        ],
        tools=[tool],
    )
    yield "custom tool's grammar", lambda text: message(
        tools=[{"type": "custom", "custom": {"name": "a", "format": {"type": "grammar", "grammar": {"definition": text}}}}]
    )
    yield "image prompt", lambda text: message(model="midjourney_6_1", messages=[said(text)])
    yield (
        "image answer",
        lambda text: message(model="midjourney_6_1", messages=[said(f"{text}\n![a](https://a.test/a.png)", "assistant"), said("[_V1_]")]),
    )
    yield "speech", lambda text: message(model="tts-1", messages=[said(text)])


def responses_bodies() -> Iterator[tuple[str, Callable[[str], Any]]]:
    def input(*items: Any, **more: Any) -> dict[str, Any]:
        return {"model": "gpt-4.1-mini", "input": list(items)} | more

    call = {"type": "function_call", "call_id": "c", "name": "a", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "a"}
    yield "input", lambda text: {"model": "gpt-4.1-mini", "input": text}
    yield "input, streamed", lambda text: {"model": "gpt-4.1-mini", "input": text, "stream": True}
    yield "input, not stored", lambda text: {"model": "gpt-4.1-mini", "input": text, "store": False}
    for name in ("instructions", "previous_response_id", "tool_choice", "truncation", "user", "include", "reasoning", "text", "model"):
        yield name, lambda text, name=name: input(said("a"), **{name: text})
    yield "a member's name", lambda text: input(said("a"), **{text: "a"})
    yield "metadata", lambda text: input(said("a"), metadata={text[: len(text) // 2]: text[: len(text) // 2]})
    yield "role", lambda text: input(said("a", text))
    yield "type", lambda text: input({"type": text})
    yield "id", lambda text: input(said("a") | {"id": text})
    yield "a member of an item", lambda text: input(said("a") | {text: "a"})
    yield "item_reference", lambda text: input({"type": "item_reference", "id": text})
    yield "compaction", lambda text: input({"type": "compaction", "encrypted_content": text})
    yield "input_text", lambda text: input(said([{"type": "input_text", "text": text}]))
    yield "input_image", lambda text: input(said([{"type": "input_image", "image_url": text}]))
    yield "input_image, data", lambda text: input(said([{"type": "input_image", "image_url": "data:image/png;base64," + text}]))
    yield "input_file", lambda text: input(said([{"type": "input_file", "filename": "a.txt", "file_data": coded(text)}]))
    yield "call_id", lambda text: input(call | {"call_id": text[: len(text) // 2]}, result | {"call_id": text[: len(text) // 2]})
    yield "a call's name", lambda text: input(call | {"name": text}, result)
    yield "a call's namespace", lambda text: input(call | {"namespace": text}, result)
    yield "a call's arguments", lambda text: input(call | {"arguments": text}, result)
    yield "a call's output", lambda text: input(call, result | {"output": text})
    yield "custom input", lambda text: input(
        {"type": "custom_tool_call", "call_id": "c", "name": "a", "input": text},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "a"},
    )
    yield "action", lambda text: input(
        {"type": "shell_call", "call_id": "c", "action": {"commands": [text]}},
        {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a"}]},
    )
    yield "thought", lambda text: input({"type": "reasoning", "content": [{"text": text}], "encrypted_content": text}, said("a"))
    yield "effort", lambda text: input({"type": "configuration_update", "reasoning": {"effort": text}}, said("a"))
    tool = {"type": "custom", "name": "a", "format": {"type": "grammar", "syntax": "lark", "definition": "a"}}
    yield "tool's type", lambda text: input(said("a"), tools=[{"type": text}])
    yield "tool's name", lambda text: input(said("a"), tools=[tool | {"name": text}])
    yield "tool's description", lambda text: input(said("a"), tools=[tool | {"description": text}])
    yield "grammar", lambda text: input(said("a"), tools=[tool | {"format": {"type": "grammar", "definition": text}}])
    yield "allowed tools", lambda text: input(
        said("a"), tools=[tool], tool_choice={"type": "allowed_tools", "tools": [{"type": "custom", "name": text}]}
    )


def block(role: str = "user", **block: Any) -> dict[str, Any]:
    """Returns a request for a message with one block."""
    return message(max_tokens=100, messages=[said([block], role)])


def used(id: str, **result: Any) -> list[dict[str, Any]]:
    """Returns a tool call, and its result."""
    use = {"type": "tool_use", "id": id, "name": "a", "input": {}}
    return [said([use], "assistant"), said([{"type": "tool_result", "tool_use_id": id, "content": "a"} | result])]


def message_bodies() -> Iterator[tuple[str, Callable[[str], Any]]]:
    tool = {"name": "a", "input_schema": {}}

    def bounded(**fields: Any) -> dict[str, Any]:
        return message(max_tokens=100_000, **fields)

    def with_tool(**fields: Any) -> dict[str, Any]:
        return bounded(tools=[tool | fields])

    def sourced(kind: str, **source: Any) -> dict[str, Any]:
        return block(type=kind, source=source)

    for name in ("model", "system", "stream", "tool_choice", "thread", "service_tier", "output_format"):
        yield name, lambda text, n=name: bounded() | {n: text}
    yield "content", lambda text: bounded(messages=[said(text)])
    yield "content, streamed", lambda text: bounded(messages=[said(text)], stream=True)
    yield "role", lambda text: bounded(messages=[said("a", text)])
    yield "block", lambda text: block(type="text", text=text)
    yield "block's type", lambda text: block(type=text)
    yield "system's block", lambda text: bounded(system=[{"type": "text", "text": text}])
    yield "stop", lambda text: bounded(stop_sequences=[text])
    yield "stop and echo", lambda text: bounded(model="echo", stop_sequences=[text[:200] + "$"], messages=[said(text)])
    yield "user_id", lambda text: bounded(metadata={"user_id": text})
    yield "thinking", lambda text: bounded(thinking={"type": text})
    yield "thinking's display", lambda text: bounded(thinking={"type": "adaptive", "display": text})
    yield "cache mark", lambda text: block(type="text", text="a", cache_control={"type": "ephemeral", "ttl": text})
    yield "effort", lambda text: bounded(output_config={"effort": text})
    yield "thought", lambda text: block("assistant", type="thinking", thinking=text, signature=text)
    yield "tool's name", lambda text: with_tool(name=text)
    yield "tool's type", lambda text: with_tool(type=text)
    yield "tool's description", lambda text: with_tool(description=text)
    yield "tool's schema", lambda text: with_tool(input_schema={"description": text}, strict=True)
    yield "tool's pattern", lambda text: with_tool(input_schema={"pattern": text}, strict=True)
    yield "named tool", lambda text: bounded(tools=[tool], tool_choice={"type": "tool", "name": text})
    yield "schema", lambda text: bounded(output_config={"format": {"type": "json_schema", "schema": {"type": text}}})
    yield "call's id", lambda text: bounded(messages=used(text[: len(text) // 2]), tools=[tool])
    yield "call's name", lambda text: block("assistant", type="tool_use", id="a", name=text, input={})
    yield "call's input", lambda text: block("assistant", type="tool_use", id="a", name="a", input={text: text[:9]})
    yield "result", lambda text: bounded(messages=used("a", content=text))
    yield "result's block", lambda text: bounded(messages=used("a", content=[{"type": text}]))
    yield "unknown result", lambda text: block(type="tool_result", tool_use_id=text)
    yield "image's url", lambda text: sourced("image", type="url", url="https://" + text)
    yield "image's data", lambda text: sourced("image", type="base64", media_type="image/png", data=text)
    yield "image's media type", lambda text: sourced("image", type="base64", media_type=text, data="YWJj")
    yield "image's file_id", lambda text: sourced("image", type="file", file_id=text)
    yield "source's type", lambda text: sourced("document", type=text)
    yield "document", lambda text: sourced("document", type="text", media_type="text/plain", data=text)
    yield "document's data", lambda text: sourced("document", type="base64", media_type="a", data=text)
    yield "document's url", lambda text: sourced("document", type="url", url="https://" + text)
    yield "title", lambda text: block(type="document", title=text, source={"type": "content", "content": "a"})
    yield "title of 1,000 bytes", lambda text: block(
        type="document", title=head(text), source={"type": "base64", "media_type": "a", "data": "YWJj"}
    )
    yield "context", lambda text: block(type="document", context=text, source={"type": "content", "content": "a"})
    yield "search result", lambda text: block(type="search_result", title=text, source="a", content=[])


def head(text: str) -> str:
    return text.encode()[:1000].decode("utf-8", "ignore")


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def as_json(path: str, body: Callable[[str], Any]) -> Send:
    def send(http: httpx.Client, text: str) -> httpx.Response:
        content = json.dumps(body(text), ensure_ascii=False).encode()
        return http.post(path, content=content, headers={"Content-Type": "application/json"})

    return send


def as_form(path: str, name: str, file: tuple[str, bytes], **usual: str) -> Send:
    def send(http: httpx.Client, text: str) -> httpx.Response:
        return http.post(path, data=usual | {name: text}, files={file[0]: ("a.bin", file[1])})

    return send


def as_filename(path: str, file: tuple[str, bytes], **usual: str) -> Send:
    def send(http: httpx.Client, text: str) -> httpx.Response:
        name = text.encode()[:6000].decode("utf-8", "ignore")
        return http.post(path, data=usual, files={file[0]: (name, file[1], "text/plain")})

    return send


def as_query(path: str, name: str) -> Send:
    return lambda http, text: http.get(path, params={name: text.encode()[:2000].decode("utf-8", "ignore")})


def as_field(path: str, name: str) -> Send:
    def send(http: httpx.Client, text: str) -> httpx.Response:
        value = text.replace("\n", " ").replace("\x00", " ").encode()[:20_000].strip()
        return http.get(path, headers=[(name.encode(), value)])

    return send


PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00" + bytes(64)
WAVE = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00" + bytes(256)


def fields() -> Iterator[tuple[str, Send]]:
    for name, body in chat_bodies():
        yield f"chat: {name}", as_json(CHAT, body)
    for name, body in responses_bodies():
        yield f"responses: {name}", as_json("/v1/responses", body)
        if "streamed" not in name:
            yield f"counted: {name}", as_json("/v1/responses/input_tokens", body)
    yield "list of items: after", as_query("/v1/responses/resp_a/input_items", "after")
    for name, body in message_bodies():
        yield f"messages: {name}", as_json(MESSAGES, body)
        if name in ("content", "block", "tool's description"):
            yield f"messages: {name}, counted", as_json(f"{MESSAGES}/count_tokens", body)
    for name in ("after_id", "before_id", "limit"):
        yield f"models: {name}", as_query("/anthropic/v1/models", name)
    for name in ("prompt", "model", "stop", "suffix", "user", "echo", "logprobs"):
        usual = {"model": "gpt-4.1-mini", "prompt": "a"}
        yield f"completions: {name}", as_json("/v1/completions", lambda text, n=name, u=usual: u | {n: text})
    yield "completions: prompts", as_json(
        "/v1/completions", lambda text: {"model": "gpt-4.1-mini", "prompt": [text, "a"], "echo": True, "stream": True}
    )
    for name in ("prompt", "model"):
        yield f"generate: {name}", as_json("/generate", lambda text, n=name: {"prompt": "a"} | {n: text})
    yield "generate: text", as_json("/generate", lambda text: text)
    yield "llm: content", as_json("/llm/chat", lambda text: {"messages": [said(text)]})
    for name in ("prompt", "model", "size", "style", "quality", "background", "output_format", "user", "response_format"):
        usual = {"model": "gpt-image-1", "prompt": "a"}
        yield f"images: {name}", as_json("/v1/images/generations", lambda text, n=name, u=usual: u | {n: text})
        yield f"edits: {name}", as_form("/v1/images/edits", name, ("image", PICTURE), **usual)
        yield f"variations: {name}", as_form("/v1/images/variations", name, ("image", PICTURE))
    yield "edits: images", as_json("/v1/images/edits", lambda text: {"prompt": "a", "images": [{"image_url": text}]})
    for name in ("input", "model", "voice", "response_format", "instructions", "stream_format"):
        usual = {"model": "tts-1", "input": "a", "voice": "alloy"}
        yield f"speech: {name}", as_json("/v1/audio/speech", lambda text, n=name, u=usual: u | {n: text})
    for name in (
        "model", "prompt", "language", "response_format", "temperature", "stream", "include", "chunking_strategy",
        "timestamp_granularities[]", "x" * 10,
    ):  # fmt: skip
        for path in ("transcriptions", "translations"):
            yield f"{path}: {name}", as_form(f"/v1/audio/{path}", name, ("file", WAVE), model="whisper-1")
    for name in ("model", "input", "user", "prompt_cache_key"):
        usual = {"model": "raw", "input": "a"}
        yield f"embeddings: {name}", as_json("/v1/embeddings", lambda text, n=name, u=usual: u | {n: text})
    yield "embeddings: names", as_json("/v1/embeddings", lambda text: {"model": "raw", "input": ["a", text], text: text})
    yield "moderations: parts", as_json("/v1/moderations", lambda text: {"model": "raw", "input": [{"type": "text", "text": text}]})
    for name in ("model", "n", "prompt", "user"):
        yield f"passed edits: {name}", as_form("/v1/images/edits", name, ("image", PICTURE), model="raw", prompt="a")
    yield "passed edits: filename", as_filename("/v1/images/edits", ("image", PICTURE), model="raw")
    # Two vendors, whose requests have different forms.
    for name in ("prompt", "size", "n", "user", "prompt_cache_key"):
        usual = {"model": "dall-e-3", "prompt": "a"}
        yield f"shared images: {name}", as_json("/v1/images/generations", lambda text, n=name, u=usual: u | {n: text})
        yield f"shared edits: {name}", as_form("/v1/images/edits", name, ("image", PICTURE), model="gpt-image-1-mini", prompt="a")
        yield f"shared variations: {name}", as_form("/v1/images/variations", name, ("image", PICTURE), model="dall-e-2")
    for name in ("input", "voice", "user"):
        usual = {"model": "tts-1-hd", "input": "a", "voice": "alloy"}
        yield f"shared speech: {name}", as_json("/v1/audio/speech", lambda text, n=name, u=usual: u | {n: text})
    for name in ("prompt", "language", "response_format", "user"):
        path = "/v1/audio/transcriptions"
        yield f"shared transcriptions: {name}", as_form(path, name, ("file", WAVE), model="latest_long")
    for name in ("purpose", "expires_after[anchor]", "expires_after[seconds]", "expires_after"):
        yield f"files: {name}", as_form("/v1/files", name, ("file", b"abc"), purpose="assistants")
    yield "files: filename", as_filename("/v1/files", ("file", b"abc"), purpose="assistants")
    yield "transcriptions: filename", as_filename("/v1/audio/transcriptions", ("file", WAVE), model="whisper-1")
    yield "files: content", lambda http, text: http.post(
        "/v1/files", data={"purpose": "assistants"}, files={"file": ("a.txt", text.encode())}
    )
    for name in ("after", "order", "purpose", "limit"):
        yield f"list of files: {name}", as_query("/v1/files", name)
    for name in ("Accept", "Origin", "X-Request-ID", "X-Forwarded-For", "Cookie", "anthropic-version"):
        yield f"head: {name}", as_field("/", name)


class Process:
    """The processor time that the relay's threads have used."""

    def __init__(self, relay: Relay) -> None:
        self.tasks = Path(f"/proc/{relay.process.pid}/task")

    def seconds(self) -> float:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self.tasks.iterdir()) / 1e9


def cost(http: httpx.Client, process: Process, send: Send, text: str, repetitions: int) -> float:
    least = float("inf")
    for _ in range(repetitions):
        before = process.seconds()
        answer = send(http, text)
        least = min(least, process.seconds() - before)
        assert answer.status_code < 500 or answer.status_code == 502, f"{answer.status_code}: {answer.text[:300]}"
    return least


def texts() -> Iterator[tuple[str, Callable[[int], str]]]:
    for pattern in TEXTS:
        yield pattern, lambda size, pattern=pattern: pattern * (size // len(pattern.encode()))
    for opening, pattern in OPENINGS:
        yield opening + pattern, lambda size, o=opening, p=pattern: o + p * (size // len(p.encode()))


def main() -> int:
    words = sys.argv[1:]
    vendor = Vendor()
    relay = Relay(
        {
            "ONE_MIN_BASE_URL": vendor.base_url,
            "ONE_MIN_ASSET_URL": vendor.asset_url,
            "PROVIDER_PASS_KIND": "onemin",
            "PROVIDER_DEMO_KIND": "echo",
            "PROVIDER_DEMO_CONCURRENCY": "1000",
            # Nobody is there: its requests are read all the same.
            "PROVIDER_ROW_KIND": "openai",
            "PROVIDER_ROW_BASE_URL": "http://127.0.0.1:1/v1",
            "PROVIDER_ROW_MODELS": "raw,dall-e-3,gpt-image-1-mini,dall-e-2,tts-1-hd,latest_long",
            "PROVIDER_ROW_PASSTHROUGH": "true",
            "ANONYMOUS_MODELS": "echo",
            "CORS_ORIGINS": "https://a.test,https://b.test",
            "THREADS": "1",
            "LOG_LEVEL": "warning",
        }
    )
    process = Process(relay)
    failures = 0
    count = 0
    worst: tuple[float, str] = (0, "")
    steepest: tuple[float, str] = (0, "")
    try:
        with httpx.Client(base_url=relay.base_url, headers={"Authorization": "Bearer key-hostile"}, timeout=120, trust_env=False) as http:
            for name, send in fields():
                if words and not any(word in name for word in words):
                    continue
                # A field that no endpoint reads to its end proves nothing.
                status = send(http, "a").status_code
                assert status == 200 or name not in SERVED, f"{name}: {status}"
                slowest: tuple[float, float, str] = (0, 0, "")
                for label, made in texts():
                    count += 1
                    large = cost(http, process, send, made(LARGE), 1)
                    ratio = 0.0
                    if large > FIRST_LOOK_SECONDS:
                        large = min(large, cost(http, process, send, made(LARGE), REPETITIONS - 1))
                        small = cost(http, process, send, made(LARGE // 4), REPETITIONS)
                        if large > RATIO * max(small, FLOOR_SECONDS / RATIO):
                            # A busy machine, or a steep text: more looks tell.
                            large = min(large, cost(http, process, send, made(LARGE), SECOND_REPETITIONS))
                            small = min(small, cost(http, process, send, made(LARGE // 4), SECOND_REPETITIONS))
                        ratio = large / max(small, FLOOR_SECONDS / RATIO)
                    where = f"{name}, {label!r}"
                    slowest = max(slowest, (large, ratio, label))
                    worst, steepest = max(worst, (large, where)), max(steepest, (ratio, where))
                    if large > MOST_SECONDS or ratio > RATIO:
                        failures += 1
                        print(f"FAILED {where}: {large * 1000:.1f} ms, 4N over N {ratio:.1f}", flush=True)
                large, ratio, label = slowest
                print(f"{name:40} {status} {large * 1000:7.2f} ms  {ratio:4.1f}  {label!r}", flush=True)
    finally:
        if not relay.ended:
            relay.stop()
        vendor.stop()
    print(
        f"{count} fields and texts of {LARGE // 1000} KB, {failures} failed; "
        f"most {worst[0] * 1000:.1f} ms ({worst[1]}), steepest {steepest[0]:.1f} ({steepest[1]})"
    )
    return 1 if failures or not count else 0


if __name__ == "__main__":
    os.environ.setdefault("RELAY_BINARY", str(Path(__file__).parents[2] / ".build" / "release" / "relay"))
    sys.exit(main())
