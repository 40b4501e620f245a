"""A scripted vendor for real agents, strict (`wires`): it serves Anthropic's Messages, and OpenAI's chats and Responses."""

import json
import sys
import traceback
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

import anthropic_vendor
import onemin_acting
import openai_responses
import openai_vendor
from fake_server import Handler
from scripted import Call, Reply, Script
from wires import SEALED, SIGNATURE, Asked, chat_problems, message_problems, response_problems


def message_script(reply: Reply, at: int | None, body: dict[str, Any]) -> dict[str, Any]:
    content = []
    if reply.thought is not None and body.get("thinking", {}).get("type") in ("adaptive", "enabled"):
        content.append(anthropic_vendor.thought("" if body["thinking"].get("display") == "omitted" else reply.thought, SIGNATURE))
    content.append(anthropic_vendor.text(reply.text))
    for index, call in enumerate(reply.calls):
        content.append(anthropic_vendor.use(f"toolu_{at}_{index}", call.name, call.fields()))
    return {"id": f"msg_scripted_{at}_{len(json.dumps(body))}", "content": content, "usage": usage_of(body), "headers": {"request-id": "req_scripted"}}


def usage_of(body: dict[str, Any]) -> dict[str, Any]:
    return {"input_tokens": len(json.dumps(body)) // 4, "output_tokens": 8, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}


def chat_script(reply: Reply, at: int | None) -> dict[str, Any]:
    calls = [(f"call_{at}_{index}", call.name, json.dumps(call.fields())) for index, call in enumerate(reply.calls)]
    return {"text": reply.text, "calls": calls} | ({"reasoning": reply.thought} if reply.thought else {})


def response_events(reply: Reply, at: int | None, freeform: set[str]) -> dict[str, Any]:
    """Returns the script of a response whose items have ids of their own."""
    script = {"text": reply.text} | ({"reasoning": reply.thought} if reply.thought else {})
    found = openai_responses.events(script)
    start, end = found[0], found[-1]
    middle = json.loads(json.dumps(found[1:-1]).replace('"msg_1"', f'"msg_{at}"').replace('"rs_1"', f'"rs_{at}"').replace("gAAAA-sealed", SEALED))
    items = [event["item"] for event in middle if event["type"] == "response.output_item.done"]
    for index, call in enumerate(reply.calls):
        item, events = call_events(call, f"{at}_{index}", len(items), is_free=call.name in freeform)
        items.append(item)
        middle += events
    events = [start, *middle, end | {"response": end["response"] | {"output": items}}]
    return {"events": [event | {"sequence_number": number} for number, event in enumerate(events)]}


def call_events(call: Call, id: str, at: int | None, *, is_free: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    kind, name = ("custom_tool_call", "input") if is_free else ("function_call", "arguments")
    value = call.arguments if is_free else json.dumps(call.fields())
    item = {"id": f"{'ctc' if is_free else 'fc'}_{id}", "type": kind, "status": "completed", "call_id": f"call_{id}", "name": call.name, name: value}
    where = {"output_index": at, "item_id": item["id"]}
    event = f"response.{kind}_{name}" if is_free else "response.function_call_arguments"
    return item, [
        {"type": "response.output_item.added", "output_index": at, "item": item | {name: "", "status": "in_progress"}},
        {"type": f"{event}.delta", **where, "delta": value},
        {"type": f"{event}.done", **where, name: value},
        {"type": "response.output_item.done", "output_index": at, "item": item},
    ]


def compaction_events(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the script of a compaction: one item, from which the model knows how far it was."""
    at = max(map(int, onemin_acting.MARK.findall(json.dumps(items))), default=-1)
    item = {"id": "cmp_1", "type": "compaction", "encrypted_content": f"Step {at} of the script. So it was."}
    response = openai_responses.response({"text": ""}, output=[item])
    events = [
        {"type": "response.created", "response": response | {"output": [], "usage": None, "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": response},
    ]
    return {"events": [event | {"sequence_number": number} for number, event in enumerate(events)]}


class ScriptedVendor(openai_vendor.Server):
    """The running vendor of all three wires. `origin`: its address without a path."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.journal: list[Asked] = []
        self.listed: list[dict[str, Any]] = []
        self.failed: set[int] = set()
        super().__init__(handler)
        self.server.handle_error = self.note_failure
        self.origin = self.base_url.removesuffix("/v1")

    def note_failure(self, *_: Any) -> None:
        """Keeps what went wrong here, apart from clients that leave."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.violations.append("".join(traceback.format_exception(error)))

    def main(self) -> list[Asked]:
        """Returns the requests that a step of the script answered, in order."""
        with self.lock:
            return [asked for asked in self.journal if asked.step is not None]

    def problems(self) -> list[str]:
        with self.lock:
            return self.violations + [f"{asked.method} {asked.path}: {problem}" for asked in self.journal for problem in asked.problems]


def handler(server: ScriptedVendor) -> type[BaseHTTPRequestHandler]:
    class Requests(Handler):
        def asked(self) -> Asked:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = Asked(self.command, self.path, list(self.headers.items()), raw, json.loads(raw) if raw else None)
            with server.lock:
                server.journal.append(asked)
            return asked

        def do_HEAD(self) -> None:
            self.asked()
            self.send(200)

        def do_GET(self) -> None:
            asked = self.asked()
            if urlsplit(self.path).path == "/v1/models":
                listed = {"data": server.listed, "has_more": False, "first_id": None, "last_id": None, "object": "list"}
                return openai_vendor.answer(self, {}, {"json": listed})
            asked.status = 404
            openai_vendor.answer(self, {}, {"status": 404, "json": {"error": {"message": "not found", "type": "not_found_error"}}})

        def do_POST(self) -> None:
            asked = self.asked()
            path = urlsplit(self.path).path
            self.left = server.left
            wire = {"/v1/messages": self.messages, "/v1/messages/count_tokens": self.count,
                    "/v1/chat/completions": self.chat, "/v1/responses": self.respond}.get(path)  # fmt: skip
            if wire is None:
                asked.problems.append("unknown path")
                return openai_vendor.answer(self, {}, {"status": 404, "json": {}})
            wire(asked)

        def turn(self, asked: Asked) -> tuple[int | None, Reply, dict[str, Any] | None]:
            """Returns the next turn of the script, and what is sent in its place."""
            turns = asked.body.get("messages") or asked.body["input"]
            at, reply = server.script.reply(turns, has_tools=bool(asked.body.get("tools")))
            asked.step = at
            if at in server.script.failures and at not in server.failed:
                server.failed.add(at)
                return at, reply, server.script.failures[at]
            return at, reply, None

        def send(self, asked: Asked, script: dict[str, Any], *how: Any) -> None:
            asked.status = script.get("status", 200)
            openai_vendor.answer(self, asked.body, script, *how)

        def messages(self, asked: Asked) -> None:
            asked.problems += message_problems(asked)
            if asked.problems:
                refusal = anthropic_vendor.failure("invalid_request_error", asked.problems[0])
                return self.send(asked, {"status": 400, "json": refusal})
            at, reply, failure = self.turn(asked)
            if [tool.get("type", "")[:10] for tool in asked.body.get("tools", ())] == ["web_search"]:
                asked.step, failure = None, {"content": [*anthropic_vendor.search(1, "relays"), anthropic_vendor.text("I found one.")]}
            self.send(asked, failure or message_script(reply, at, asked.body), anthropic_vendor.whole, anthropic_vendor.events)

        def count(self, asked: Asked) -> None:
            asked.problems += message_problems(asked)
            self.send(asked, {"json": {"input_tokens": len(asked.raw) // 4}})

        def chat(self, asked: Asked) -> None:
            asked.problems += chat_problems(asked)
            if asked.problems:
                return self.send(asked, {"status": 400, "json": {"error": {"message": asked.problems[0], "type": "invalid_request_error"}}})
            at, reply, failure = self.turn(asked)
            self.send(asked, failure or chat_script(reply, at))

        def respond(self, asked: Asked) -> None:
            asked.problems += response_problems(asked)
            if asked.problems:
                return self.send(asked, {"status": 400, "json": {"error": {"message": asked.problems[0], "type": "invalid_request_error"}}})
            if asked.body["input"][-1].get("type") == "compaction_trigger":
                return self.send(asked, openai_responses.answered(asked.body, compaction_events(asked.body["input"])))
            at, reply, failure = self.turn(asked)
            freeform = {tool["name"] for tool in asked.body.get("tools", ()) if tool["type"] == "custom"}
            self.send(asked, failure or openai_responses.answered(asked.body, response_events(reply, at, freeform)))

    return Requests

