"""A strict fake of an OpenAI-compatible server, for tests.

`Server` runs in a thread of the test's process. Requests are checked against OpenAI's contract; what it does not have is
a violation. Answers follow the script that was set for the request's model (`says`), each request takes the next, the last
one stays; without a script they are a short text.

SCRIPT, all optional:
    text, reasoning, calls    of the answer; calls: [(id, name, arguments)]
    json                      the whole body, for requests that want no stream
    events                    a list of what streams bring: dicts as chunks, strings as they are, without the end of the event
    raw                       bytes of the whole body, as they are
    status, headers, type     of the answer
    done                      false: no [DONE]; line_end: of the events; pieces: sizes in which they are written
    cut                       true: the connection breaks at the end of what was written
    stall                     true: nothing more comes after that; `left` is set when the client has left
    gate                      an Event to wait for before anything is answered; a client that leaves meanwhile is in `gone`
    streams                   whether `raw` is written as a stream's body
    pause                     an Event, without which nothing but the first of `pieces` is written
    thinks                    true: calls in the history without the thought that led to them are refused, as DeepSeek does
    extra                     true: fields that OpenAI does not have are taken; nulls: true: and nulls
"""

import json
import queue
import select
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import openai_endpoints
import openai_files
import openai_responses
from fake_server import Handler, ScriptedServer

FIELDS = {
    "model", "messages", "n", "stop", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature",
    "top_p", "presence_penalty", "frequency_penalty", "seed", "logit_bias", "tools", "tool_choice", "parallel_tool_calls",
    "functions", "function_call", "response_format", "reasoning_effort", "verbosity", "user", "service_tier", "store",
    "prompt_cache_key", "safety_identifier", "metadata", "prediction", "logprobs", "top_logprobs", "modalities", "audio",
    "web_search_options",
}  # fmt: skip
HEADERS = {"host", "accept", "accept-encoding", "authorization", "content-type", "content-length", "user-agent"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}


def problems_of(body: dict[str, Any], script: dict[str, Any]) -> Iterator[str]:
    """Returns what a strict server would refuse."""
    if unknown := set(body) - FIELDS:
        if not script.get("extra"):
            yield f"unknown fields {sorted(unknown)}"
    if not script.get("nulls"):
        yield from empty_ones(body, "")
    if "stream_options" in body and not body.get("stream"):
        yield "stream_options without stream"
    if body.get("stream") and not script.get("bare") and body.get("stream_options", {}).get("include_usage") is not True:
        yield "a stream without include_usage"
    if "max_tokens" in body and "max_completion_tokens" in body and not script.get("extra"):
        yield "both bounds"
    if "tool_choice" in body and "tools" not in body:
        yield "tool_choice without tools"
    calls: set[str] = set()
    waiting: set[str] = set()
    for at, message in enumerate([*body["messages"], {"role": "user", "content": ""}]):
        if message["role"] != "tool" and waiting:
            yield f"messages[{at}]: an assistant message with 'tool_calls' must be followed by tool messages responding to {waiting}"
            waiting = set()
        waiting.discard(message.get("tool_call_id", ""))
        if message["role"] == "assistant":
            waiting = {call["id"] for call in message.get("tool_calls", ())}
        role = message["role"]
        if role not in ("system", "developer", "user", "assistant", "tool", "function"):
            yield f"messages[{at}]: role {role}"
        if role == "assistant":
            calls |= {call["id"] for call in message.get("tool_calls", ())}
            for call in message.get("tool_calls", ()):
                if not isinstance(call["function"]["arguments"], str):
                    yield f"messages[{at}]: arguments are not a string"
        elif "content" not in message:
            yield f"messages[{at}]: no content"
        if role == "tool" and message.get("tool_call_id") not in calls:
            yield f"messages[{at}]: no call {message.get('tool_call_id')}"
        if isinstance(content := message.get("content"), list):
            yield from part_problems(role, content, f"messages[{at}]")


THOUGHTLESS = {
    "error": {"message": "The `reasoning_content` in the thinking mode must be passed back to the API.", "type": "invalid_request_error",
              "param": None, "code": "invalid_request_error"},
}  # fmt: skip


def lacks_thoughts(body: dict[str, Any]) -> bool:
    calls = [message for message in body["messages"] if message.get("tool_calls")]
    return not all(isinstance(message.get("reasoning_content"), str) for message in calls)


def part_problems(role: str, parts: list[dict[str, Any]], place: str) -> Iterator[str]:
    allowed = {"user": {"text", "image_url", "input_audio", "file"}, "assistant": {"text", "refusal"}}.get(role, {"text"})
    for part in parts:
        if part["type"] not in allowed:
            yield f"{place}: part {part['type']} in a message of {role}"


def empty_ones(value: Any, path: str) -> Iterator[str]:
    if value is None or value == [] and path != "":
        yield f"{path} is {value}"
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in ("parameters", "schema", "metadata", "summary", "annotations", "logprobs"):
                yield from empty_ones(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from empty_ones(inner, f"{path}[{at}]")


class Server(ScriptedServer):
    """The running fake. `base_url` ends in `/v1`. Fakes of other APIs provide a handler of their own."""

    def __init__(self, make_handler: Callable[["Server"], type[BaseHTTPRequestHandler]] | None = None) -> None:
        self.models: list[dict[str, Any]] | None = None
        """What GET /models answers; None: it does not exist."""
        self.shelf = openai_files.Shelf()
        self.gone: queue.Queue[str] = queue.Queue()
        """Models whose clients left at their gate."""
        super().__init__((make_handler or handler)(self))
        self.base_url += "/v1"


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Requests(Handler):
        def do_GET(self) -> None:
            if self.path == "/v1/models" and server.models is not None:
                self.send(200, {"data": server.models})
            else:
                self.serve_file("GET")

        def do_DELETE(self) -> None:
            self.serve_file("DELETE")

        def serve_file(self, method: str) -> None:
            path = self.path.removeprefix("/v1")
            if not path.startswith("/files/"):
                return self.send_error(501)
            headers = self.lowered()
            script = server.next_script(openai_files.SCRIPT)
            problems = [f"header {name}" for name in set(headers) - HEADERS - set(script.get("own_headers", ()))]
            server.note(f"{method} {path}", "files", headers, {"model": "files"}, b"", problems)
            server.shelf.answer(self, method, path, script)

        def do_POST(self) -> None:
            headers = self.lowered()
            path = self.path.removeprefix("/v1")
            is_form = headers.get("content-type", "").startswith("multipart/form-data; boundary=")
            if path in {*openai_endpoints.ENDPOINTS, "/files"} and is_form:
                raw, body = openai_endpoints.form(self.rfile, headers)
            else:
                raw = self.read()
                body = json.loads(raw)
            script = server.next_script(openai_files.SCRIPT if path == "/files" else body.get("model", ""))
            problems = []
            if path == "/chat/completions":
                problems += problems_of(body, script)
            elif path in openai_endpoints.ENDPOINTS:
                problems += openai_endpoints.problems_of(path, body, script, is_form=is_form)
            elif path == "/files":
                problems += openai_files.problems_of(body)
            elif path == "/responses":
                problems += openai_responses.problems_of(body, script)
                problems += () if "own" in script else empty_ones(body, "")
            else:
                problems.append(f"path {self.path}")
            known = HEADERS | ({"transfer-encoding"} if is_form else set())
            problems += [f"header {name}" for name in set(headers) - known - set(script.get("own_headers", ()))]
            if headers.get("content-type") != "application/json" and not is_form:
                problems.append("content-type")
            server.note(path, body.get("model", ""), headers, body, raw, problems)
            self.left = server.left
            if "gate" in script and not passes(self.connection, script["gate"]):
                server.gone.put(body.get("model", ""))
                self.close_connection = True
                return
            if path == "/files" and not {"status", "json", "raw"} & set(script) and not problems:
                script = script | {"json": server.shelf.add(headers.get("authorization", ""), body)}
            is_edit = path == "/images/edits" and not is_form
            if (path in ("/chat/completions", "/responses") or is_edit) and (missing := server.shelf.missing(headers.get("authorization", ""), body)):
                script = {"status": 400, "json": {"error": {"message": f"No such file: {missing}", "param": "file_id"}}}
            if path == "/chat/completions" and script.get("thinks") and lacks_thoughts(body):
                script = {"status": 400, "json": THOUGHTLESS}
            if path in openai_endpoints.ENDPOINTS:
                script = openai_endpoints.answered(path, body, script)
            if path == "/responses":
                script = openai_responses.answered(body, script)
            answer(self, body, script)

    return Requests


def passes(connection: socket.socket, gate: threading.Event) -> bool:
    """Waits for the gate. Returns False if the client has left."""
    for _ in range(2_000):
        if gate.is_set():
            return True
        readable, _, _ = select.select([connection], [], [], 0.01)
        if readable and connection.recv(1, socket.MSG_PEEK) == b"":
            return False
    raise TimeoutError("the test does not open the gate")


def answer(
    handler: BaseHTTPRequestHandler,
    body: dict[str, Any],
    script: dict[str, Any],
    make_whole: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    make_events: Callable[[dict[str, Any]], bytes] | None = None,
) -> None:
    """Sends the response. `make_whole` and `make_events` are those of another API."""
    status = script.get("status", 200)
    is_stream = script.get("streams", body.get("stream", False)) and status == 200 and "json" not in script
    kind = script.get("type", "text/event-stream; charset=utf-8" if is_stream else "application/json")
    if "raw" in script:
        data = script["raw"]
    elif is_stream:
        data = (make_events or events)(script)
    else:
        data = json.dumps(script["json"] if "json" in script else (make_whole or whole)(script), separators=(",", ":")).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    for name, value in script.get("headers", {}).items():
        handler.send_header(name, value)
    if is_stream and not script.get("cut"):
        handler.send_header("Transfer-Encoding", "chunked")
    else:
        handler.send_header("Content-Length", str(len(data) + (10 if script.get("cut") else 0)))
    handler.end_headers()
    try:
        write(handler, data, script, chunked=is_stream and not script.get("cut"))
    except OSError:
        handler.close_connection = True


def write(handler: BaseHTTPRequestHandler, data: bytes, script: dict[str, Any], *, chunked: bool) -> None:
    size = script.get("pieces") or max(1, len(data))
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        if at == size and "pause" in script:
            script["pause"].wait(20)
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        handler.wfile.flush()
    if script.get("stall"):
        handler.connection.settimeout(20)
        try:
            has_left = handler.connection.recv(1) == b""
        except ConnectionResetError:
            has_left = True
        if has_left:
            handler.left.set()
        handler.close_connection = True
        return
    if chunked:
        handler.wfile.write(b"0\r\n\r\n")
    if script.get("cut"):
        handler.close_connection = True


def whole(script: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": script.get("text", "Hello there"), "refusal": None}
    if "reasoning" in script:
        message["reasoning_content"] = script["reasoning"]
    if calls := script.get("calls"):
        message["content"] = script.get("text")
        message["tool_calls"] = [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in calls
        ]
    finish = script.get("finish", "tool_calls" if calls else "stop")
    return {
        "id": "chatcmpl-vendor", "object": "chat.completion", "created": 1700000000, "model": "the-server's-own",
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": USAGE, "system_fingerprint": "fp_vendor",
    }  # fmt: skip


def chunk(delta: dict[str, Any] | None, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    if delta is None:
        del choice["delta"]
    return {
        "id": "chatcmpl-vendor", "object": "chat.completion.chunk", "created": 1700000000, "model": "the-server's-own",
        "system_fingerprint": "fp_vendor", "choices": [choice],
    } | more  # fmt: skip


def usage_chunk(**usage: Any) -> dict[str, Any]:
    return chunk({}) | {"choices": [], "usage": usage or USAGE}


def chunks(script: dict[str, Any]) -> list[Any]:
    out = [chunk({"role": "assistant", "content": "", "refusal": None})]
    if "reasoning" in script:
        out.append(chunk({"reasoning_content": script["reasoning"]}))
    text = script.get("text", None if script.get("calls") else "Hello there")
    if text:
        out += [chunk({"content": piece}) for piece in (text[: len(text) // 2], text[len(text) // 2 :]) if piece]
    for at, (id, name, arguments) in enumerate(script.get("calls", ())):
        function = {"name": name, "arguments": ""}
        out.append(chunk({"tool_calls": [{"index": at, "id": id, "type": "function", "function": function}]}))
        half = len(arguments) // 2
        for piece in (arguments[:half], arguments[half:]):
            out.append(chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]}))
    out.append(chunk({}, script.get("finish", "tool_calls" if script.get("calls") else "stop")))
    return [*out, usage_chunk()]


def events(script: dict[str, Any]) -> bytes:
    """Returns the body of a stream."""
    end = script.get("line_end", "\n")
    out = ""
    for event in script.get("events") or chunks(script):
        text = event if isinstance(event, str) else "data: " + json.dumps(event, separators=(",", ":"))
        out += text.replace("\n", end) + end + end
    if script.get("done", True):
        out += "data: [DONE]" + end + end
    return out.encode()
