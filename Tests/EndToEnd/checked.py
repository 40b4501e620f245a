"""Checks of every response of the relay that passes through the suite's clients, whatever the test looks at.

`client` and `async_client` make clients of `httpx` or `httpx2` (the openai library uses the latter) whose answers are
checked when their body ends: JSON against OpenAI's schemas, event streams chunk by chunk. What is wrong goes to
`problems`, which the fixtures turn into failures: an exception in the midst of a client would look like a fault of
the network.
"""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import checked_messages
import jsonschema_rs
from checked_responses import ResponseStreamCheck, response_problems
from local_http import OPTIONS

SCHEMAS = json.loads(Path(__file__).with_name("schemas").joinpath("openai.json").read_text("utf-8"))
COMPLETION = "CreateChatCompletionResponse"
CHUNK = "CreateChatCompletionStreamResponse"
TEXT = "CreateCompletionResponse"
ERROR = "ErrorResponse"
IMAGES = "ImagesResponse"
FILE, FILES, DELETED_FILE = "OpenAIFile", "ListFilesResponse", "DeleteFileResponse"

OWN = ("/generate", "/llm/")
"""Paths whose answers have shapes of their own."""

problems: list[str] = []
"""What was wrong with answers so far; a test that expects some takes them out."""


WRITTEN = {"audio/transcriptions": "CreateTranscriptionResponse", "audio/translations": "CreateTranslationResponse"}


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["$defs"]})


def schema_problems(name: str, value: Any) -> list[str]:
    """Returns where `value` violates OpenAI's schema `name`."""
    return [f"{name}: {'.'.join(map(str, found.instance_path))}: {found.message[:200]}" for found in validator(name).iter_errors(value)]


def route(path: str) -> str:
    """Returns the route of a path: `/v1//models/` and `/models` become `models`."""
    parts = [part for part in path.split("/") if part]
    return "/".join(parts[1:] if parts[:1] == ["v1"] else parts)


def json_problems(path: str, status: int, body: bytes) -> list[str]:
    """Returns the problems of a JSON response."""
    if status == 200 and route(path).endswith("/content"):
        return []
    try:
        value = json.loads(body)
    except ValueError as problem:
        return [f"not JSON: {problem}: {body[:200]!r}"]
    where = route(path)
    if path.startswith(OWN):
        return own_problems(path, status, value)
    if status >= 400 and where != "ready":
        return schema_problems(ERROR, value) + error_problems(value)
    if where == "chat/completions":
        return schema_problems(COMPLETION, value) + completion_problems(value)
    if where == "completions":
        return schema_problems(TEXT, value) + completion_problems(value, "cmpl-")
    if where.startswith("responses"):
        return response_answer_problems(where, value)
    if where.startswith("images/"):
        return schema_problems(IMAGES, value) + images_problems(value)
    if where == "files" and "data" in value:
        return schema_problems(FILES, as_listed(value)) + files_problems(value)
    if where == "files" or where.startswith("files/") and not where.endswith("/content"):
        return schema_problems(DELETED_FILE if "deleted" in value else FILE, as_listed(value))
    if where == "audio/speech":
        return ["speech is JSON"]
    if where in WRITTEN:
        return schema_problems(WRITTEN[where] + ("VerboseJson" if "duration" in value else "Json"), value)
    if where == "models":
        return schema_problems("ListModelsResponse", value)
    if where.startswith("models/"):
        return schema_problems("Model", value)
    return []


def response_answer_problems(where: str, value: Any) -> list[str]:
    """Returns the problems of a response of the Responses API that is not an event stream."""
    if where == "responses/input_tokens":
        return [] if value == {"object": "response.input_tokens", "input_tokens": value["input_tokens"]} else [str(value)]
    if where == "responses/compact":
        *users, last = value["output"]
        found = schema_problems("CompactionBody", last) + schema_problems("ResponseUsage", value["usage"])
        found += [problem for user in users for problem in schema_problems("Item", user)]
        return found if value["object"] == "response.compaction" else [*found, f"object is {value['object']}"]
    if where.endswith("/input_items"):
        found = [problem for item in value["data"] for problem in schema_problems("Item", item)]
        ids = [item["id"] for item in value["data"]] or [""]
        ends = (value["first_id"], value["last_id"])
        return found if ends == (ids[0], ids[-1]) and len(set(ids)) == len(ids) else [*found, f"items {ids}, {ends}"]
    if "deleted" in value:
        return [] if value == {"id": where.split("/")[1], "object": "response", "deleted": True} else [str(value)]
    return schema_problems("Response", value) + response_problems(value)


def as_listed(value: Any) -> Any:
    """Returns a file object as the schema expects it: files may be uploaded for `evals`, which the response schema
    lacks."""
    return json.loads(json.dumps(value).replace('"purpose": "evals"', '"purpose": "user_data"'))


def files_problems(value: Any) -> list[str]:
    """Returns problems in a list of files that the schema does not cover."""
    ids = [file["id"] for file in value["data"]] or [""]
    ends = (value.get("first_id"), value.get("last_id"))
    return [] if ends == (ids[0], ids[-1]) and len(set(ids)) == len(ids) else [f"a list from {ends[0]} to {ends[1]}"]


def images_problems(value: Any) -> list[str]:
    """Returns problems in images that the schema does not cover."""
    found = []
    for image in value.get("data", []):
        if len({"url", "b64_json"} & set(image)) != 1:
            found.append(f"an image has the members {sorted(image)}")
        if "b64_json" in image and base64.b64encode(base64.b64decode(image["b64_json"])).decode() != image["b64_json"]:
            found.append("base64 of another kind")
        if "url" in image and not image["url"].startswith(("http://", "https://")):
            found.append(f"an address is {image['url']!r:.80}")
    return found if value.get("data") else ["no images"]


def own_problems(path: str, status: int, value: Any) -> list[str]:
    """Returns the problems of a response whose format is not OpenAI's."""
    if status < 400:
        return []
    name = "detail" if path.startswith("/generate") else "error"
    text = isinstance(value, dict) and set(value) == {name} and isinstance(value[name], list if status == 422 else str)
    return [] if text and value[name] else [f"not an error of {path}: {value}"]


def error_problems(value: Any) -> list[str]:
    found = value.get("error") if isinstance(value, dict) else None
    if not isinstance(found, dict) or set(value) != {"error"}:
        return ["not an error envelope"]
    if set(found) != {"message", "type", "param", "code"}:
        return [f"error has the members {sorted(found)}"]
    return [] if found["message"] else ["error without a message"]


def usage_problems(usage: Any) -> list[str]:
    if not isinstance(usage, dict):
        return ["usage is missing"]
    prompt, completion, total = (usage.get(f"{name}_tokens") for name in ("prompt", "completion", "total"))
    if not all(isinstance(count, int) and count >= 0 for count in (prompt, completion, total)):
        return [f"usage is {usage}"]
    return [] if total == prompt + completion else [f"usage does not add up: {usage}"]


def completion_problems(value: dict[str, Any], kind: str = "chatcmpl-") -> list[str]:
    """Returns problems in a whole response that the schema does not cover."""
    found = usage_problems(value.get("usage"))
    if not str(value.get("id", "")).startswith(kind):
        found.append(f"id is {value.get('id')}")
    choices = value.get("choices", [])
    if [choice.get("index") for choice in choices] != list(range(len(choices))) or not choices:
        found.append("choices are not numbered from 0")
    for choice in choices:
        if choice.get("message", {}).get("tool_calls") == []:
            found.append("empty tool_calls")
    return found


class StreamCheck:
    """A check of an event stream; `end` returns its problems.

    `is_left`: the client left it before its end; unless the last event was there, only what came is judged.
    """

    kind = "chatcmpl-"

    def __init__(self) -> None:
        self.rest = b""
        self.found: list[str] = []
        self.heads: set[tuple[Any, ...]] = set()
        self.started: set[int] = set()
        self.finished: set[int] = set()
        self.usages = 0
        self.is_done = False
        self.has_failed = False

    def feed(self, data: bytes) -> None:
        *events, self.rest = (self.rest + data).split(b"\n\n")
        for event in events:
            self.event(event)

    def event(self, event: bytes) -> None:
        if event.startswith(b":"):
            return
        if self.is_done or self.has_failed:
            self.found.append(f"event after the end: {event[:200]!r}")
        if not event.startswith(b"data: ") or b"\n" in event or b"\r" in event:
            self.found.append(f"not one data line: {event[:200]!r}")
        elif event == b"data: [DONE]":
            self.is_done = True
        else:
            try:
                value = json.loads(event[6:].decode("utf-8"))
            except ValueError as problem:
                self.found.append(f"chunk is not JSON: {problem}: {event[:200]!r}")
                return
            self.error(value) if "error" in value else self.chunk(value)

    def error(self, value: Any) -> None:
        if not self.started:
            self.found.append("an error before any chunk, under status 200")
        self.has_failed = True
        self.found += schema_problems(ERROR, value) + error_problems(value)

    def chunk(self, value: Any) -> None:
        self.found += schema_problems(CHUNK, value)
        self.heads.add((value.get("id"), value.get("created"), value.get("model")))
        if self.usages:
            self.found.append("chunk after the usage")
        choices = value.get("choices", [])
        if not choices:
            self.usages += 1
            self.found += usage_problems(value.get("usage"))
        elif value.get("usage") is not None:
            self.found.append("usage in a chunk with choices")
        for choice in choices:
            self.choice(choice)

    def choice(self, choice: dict[str, Any]) -> None:
        index, delta = choice.get("index", -1), choice.get("delta", {})
        if index in self.finished:
            self.found.append(f"choice {index} goes on after its end")
        if index not in self.started:
            self.started.add(index)
            if delta.get("role") != "assistant":
                self.found.append(f"choice {index} starts without a role")
        elif "role" in delta:
            self.found.append("role twice")
        elif delta.get("content") == "":
            self.found.append("empty delta")
        if choice.get("finish_reason") is not None:
            self.finished.add(index)
            if delta:
                self.found.append("the finish chunk has a delta")

    def end(self, *, is_left: bool) -> list[str]:
        if len(self.heads) > 1:
            self.found.append(f"chunks differ in id, created or model: {self.heads}")
        if any(not str(chunk_id).startswith(self.kind) for chunk_id, _, _ in self.heads):
            self.found.append(f"ids: {self.heads}")
        if not is_left or self.is_done or self.has_failed:
            if self.rest:
                self.found.append(f"ends within an event: {self.rest[:200]!r}")
            if self.is_done == self.has_failed:
                self.found.append("must end with [DONE] or an error, and not with both")
            if self.is_done and (self.finished != self.started or not self.started):
                self.found.append("[DONE] although a choice has no finish_reason")
        return self.found


class TextStreamCheck(StreamCheck):
    """A check of the stream of a legacy completion, whose chunks have the type of a whole response."""

    kind = "cmpl-"

    def chunk(self, value: Any) -> None:
        # The schema knows no chunk that does not end its choice, and no null for the usage.
        value = json.loads(json.dumps(value))
        finished = [choice.get("finish_reason") for choice in value.get("choices", [])]
        for choice in value.get("choices", []):
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        usage = value.pop("usage", None)
        self.found += schema_problems(TEXT, value)
        self.heads.add((value.get("id"), value.get("created"), value.get("model")))
        if self.usages:
            self.found.append("chunk after the usage")
        if not value["choices"]:
            self.usages += 1
            self.found += usage_problems(usage)
        elif usage is not None:
            self.found.append("usage in a chunk with choices")
        for choice, finish in zip(value["choices"], finished, strict=True):
            if choice["index"] in self.finished:
                self.found.append(f"choice {choice['index']} goes on after its end")
            self.started.add(choice["index"])
            if finish:
                self.finished.add(choice["index"])
            elif not choice["text"]:
                self.found.append("empty text")


class MediaStreamCheck:
    """A check of streams of images, speech and transcripts, whose events have their type in their data."""

    def __init__(self) -> None:
        self.body = b""

    def feed(self, data: bytes) -> None:
        self.body += data

    def end(self, *, is_left: bool) -> list[str]:
        *events, rest = self.body.split(b"\n\n")
        found = [f"a piece of an event: {rest[:200]!r}"] if rest and not is_left else []
        for event in events:
            name, _, data = event.rpartition(b"data: ")
            kind = json.loads(data).get("type")
            if name not in (b"", f"event: {kind}\n".encode()) or not kind and "error" not in json.loads(data):
                found.append(f"event {event[:200]!r}")
        return found


class TextEventsCheck(MediaStreamCheck):
    """A check of the stream of `/llm/chat/stream`: text and calls, then the end or an error."""

    def end(self, *, is_left: bool) -> list[str]:
        *events, rest = self.body.split(b"\n\n")
        if is_left:
            return []
        found = [f"a piece of an event: {rest[:200]!r}"] if rest else []
        told = [event for event in events if not event.startswith(b": ")]
        for event in told[:-1]:
            if not event.startswith((b'data: {"content":"', b'data: {"tool_calls":[')):
                found.append(f"event {event[:200]!r}")
            json.loads(event.removeprefix(b"data: "))
        if not told or told[-1] != b"data: [DONE]" and not told[-1].startswith(b'data: {"error":"'):
            found.append(f"the end is {told[-1:]}")
        return found


def answer_check(response: Any) -> Callable[[bytes | None], None]:
    """Returns the check that consumes the body of `response` in chunks. It gets None if the client has left."""
    request, kind = response.request, response.headers.get("content-type", "").partition(";")[0]
    where = f"{request.method} {request.url.path} -> {response.status_code}"
    pieces: list[bytes] = []
    speaks_messages = checked_messages.speaks(request)
    check = TextStreamCheck if route(request.url.path) == "completions" else StreamCheck
    stream: Any = None
    if kind == "text/event-stream":
        if speaks_messages:
            stream = checked_messages.MessageStreamCheck(response.headers)
        elif route(request.url.path) == "responses":
            stream = ResponseStreamCheck(schema_problems)
        elif route(request.url.path).startswith(("images/", "audio/")):
            stream = MediaStreamCheck()
        elif request.url.path.startswith(OWN):
            stream = TextEventsCheck()
        else:
            stream = check()

    def report(found: list[str]) -> None:
        problems.extend(f"{where}: {problem}" for problem in found)

    def take(data: bytes | None) -> None:
        if stream is not None:
            if data:
                stream.feed(data)
            else:
                report(stream.end(is_left=data is None))
        elif data:
            pieces.append(data)
        elif data is not None and request.method != "HEAD" and response.status_code != 204:
            if kind == "application/json" and speaks_messages:
                body = b"".join(pieces)
                report(checked_messages.json_problems(request, response.status_code, body, response.headers))
            elif kind == "application/json":
                report(json_problems(request.url.path, response.status_code, b"".join(pieces)))
            elif response.status_code >= 400:
                report([f"error of type {kind!r}"])

    if not response.headers.get("x-request-id"):
        report(["no X-Request-ID"])
    return take


def client(module: ModuleType, **options: Any) -> Any:
    """Returns a checked `Client` of `httpx` or `httpx2`."""

    class Body(module.SyncByteStream):  # type: ignore[name-defined]
        def __init__(self, inner: Any, check: Callable[[bytes | None], None]) -> None:
            self.inner, self.check, self.is_over = inner, check, False

        def __iter__(self) -> Iterator[bytes]:
            for data in self.inner:
                if data:
                    self.check(data)
                yield data
            self.is_over = True
            self.check(b"")

        def close(self) -> None:
            self.inner.close()
            if not self.is_over:
                self.is_over = True
                self.check(None)

    def watch(response: Any) -> None:
        response.stream = Body(response.stream, answer_check(response))

    return module.Client(event_hooks={"response": [watch]}, **OPTIONS, **options)


def async_client(module: ModuleType, **options: Any) -> Any:
    """Returns a checked `AsyncClient` of `httpx` or `httpx2`."""

    class Body(module.AsyncByteStream):  # type: ignore[name-defined]
        def __init__(self, inner: Any, check: Callable[[bytes | None], None]) -> None:
            self.inner, self.check, self.is_over = inner, check, False

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for data in self.inner:
                if data:
                    self.check(data)
                yield data
            self.is_over = True
            self.check(b"")

        async def aclose(self) -> None:
            await self.inner.aclose()
            if not self.is_over:
                self.is_over = True
                self.check(None)

    async def watch(response: Any) -> None:
        response.stream = Body(response.stream, answer_check(response))

    return module.AsyncClient(event_hooks={"response": [watch]}, **OPTIONS, **options)
