"""One relay in front of fakes of all kinds, requests to it by each surface, and what vendors read and said, in one
form."""

import json
import re
from collections.abc import Iterator
from typing import Any

import anthropic_vendor
import checked
import cloudflare_vendor
import cohere_vendor
import gemini_vendor
import httpx
import openai_vendor
import vertex_vendor
from chat import PATH, streamed
from conftest import TEAM_TOKEN, VENDOR_KEY, secrets
from relay_process import Relay

MODELS = {
    "chat": "row/chat", "via": "row/via", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-flash", "cohere": "command-a-03-2025",
    "cloudflare": cloudflare_vendor.LLAMA, "vertexai_gemini": "gemini-2.5-flash", "vertexai_claude": vertex_vendor.CLAUDE,
    "onemin": "gpt-4o-mini",
}  # fmt: skip
"""The vendor's model of each kind; the kind is the client's name for it. Only `chat` serves /llm/chat."""
CLAUDES, GOOGLES = ("anthropic", "vertexai_claude"), ("gemini", "vertexai_gemini")


def read_by_the_relay(surface: str, *kinds: str) -> tuple[str, ...]:
    """Returns the kinds whose responses the relay reads and writes anew: Claude's messages pass as they came."""
    return tuple(kind for kind in kinds if surface != "messages" or kind not in CLAUDES)


SURFACES = ("chat", "responses", "messages")
PATHS = {"chat": PATH, "responses": "/v1/responses", "messages": "/v1/messages", "llm": "/llm/chat"}
PARAMETERS = {"type": "object", "properties": {"n": {"type": "integer"}}}


class Kinds:
    """The fakes, and the relay in front of them."""

    def __init__(self, launch: Any, onemin: Any) -> None:
        secrets.update((VENDOR_KEY, TEAM_TOKEN, vertex_vendor.REFRESH, vertex_vendor.CLIENT["client_secret"], "ya29.token-number"))
        self.onemin, self.onemin_key = onemin, "key-of-all-kinds-at-onemin"
        secrets.add(self.onemin_key)
        self.openai = openai_vendor.Server()
        vertex = vertex_vendor.Vertex()
        self.fakes = {
            "chat": self.openai, "via": self.openai, "anthropic": anthropic_vendor.AnthropicServer(), "gemini": gemini_vendor.start(),
            "cohere": cohere_vendor.start(), "cloudflare": cloudflare_vendor.start(), "vertexai_gemini": vertex, "vertexai_claude": vertex,
        }  # fmt: skip
        account = {
            "PROJECT_ID": vertex_vendor.PROJECT, "CLIENT_ID": vertex_vendor.CLIENT["client_id"], "REFRESH_TOKEN": vertex_vendor.REFRESH,
            "CLIENT_SECRET": vertex_vendor.CLIENT["client_secret"], "TOKEN_URL": vertex.tokens.url, "BASE_URL": vertex.base_url + "/v1",
        }  # fmt: skip
        root = {kind: fake.base_url for kind, fake in self.fakes.items()}
        own = {
            "chat": {"KIND": "openai", "BASE_URL": root["chat"]}, "via": {"KIND": "openai", "BASE_URL": root["via"], "CHAT_VIA": "responses"},
            "anthropic": {"BASE_URL": root["anthropic"] + "/v1"}, "gemini": {"BASE_URL": root["gemini"] + "/v1beta"},
            "cohere": {"BASE_URL": root["cohere"] + "/v1"}, "vertexai_gemini": account, "vertexai_claude": account,
            "cloudflare": {"BASE_URL": root["cloudflare"] + "/client/v4", "ACCOUNT_ID": cloudflare_vendor.ACCOUNT},
            "onemin": {"BASE_URL": onemin.base_url, "API_KEY": self.onemin_key},
        }  # fmt: skip
        settings = {}
        for kind, model in MODELS.items():
            mine = {"KIND": kind, "API_KEY": VENDOR_KEY, "MODELS": f"{kind}={model}", "COST": "1/2"} | own[kind]
            if kind.startswith("vertexai"):
                del mine["API_KEY"]
            settings |= {f"PROVIDER_{kind.upper()}_{name}": value for name, value in mine.items()}
        self.relay: Relay = launch(**settings, KEY_TEAM_TOKEN=TEAM_TOKEN, PROVIDER_CHAT_CONCURRENCY="50")
        self.http = checked.client(httpx, base_url=self.relay.base_url, headers={"Authorization": f"Bearer {TEAM_TOKEN}"}, timeout=30)

    def stop(self) -> None:
        self.http.close()
        self.relay.stop()
        for fake in {id(fake): fake for fake in self.fakes.values()}.values():
            fake.stop()

    def says(self, kind: str, *scripts: dict[str, Any]) -> None:
        if kind in CLAUDES:
            scripts = tuple({"content": [anthropic_vendor.text("Hello there")]} | script for script in scripts)
        if kind == "onemin":
            self.asked_before = len(self.onemin.requests(self.onemin_key))
            self.onemin.answers(self.onemin_key, *scripts)
        else:
            self.fakes[kind].says(MODELS[kind], *scripts)

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Returns the bodies that the vendor got since its last script."""
        if kind == "onemin":
            return [asked["body"] for asked in self.onemin.requests(self.onemin_key)[self.asked_before :]]
        return [asked["body"] for asked in self.fakes[kind].asked(MODELS[kind])]

    def take_violations(self) -> list[str]:
        return [text for fake in self.fakes.values() for text in fake.take_violations()]

    def ask(self, surface: str, body: dict[str, Any], *, is_streamed: bool = False) -> httpx.Response:
        return self.http.post(PATHS[surface], json=body | ({"stream": True} if is_streamed else {}))


def request(surface: str, kind: str, turns: list[Any], *, tools: bool = True) -> dict[str, Any]:
    """Returns a request. `turns`: texts of the user; lists of calls `(id, n)` of the assistant; and dicts with the results
    of `(id, n)` in their order: {"results": [...]}."""
    out: dict[str, Any] = {"model": kind, "max_tokens": 100} if surface == "messages" else {"model": kind}
    messages: list[dict[str, Any]] = []
    for turn in turns:
        if isinstance(turn, str):
            messages.append({"role": "user", "content": turn})
        elif isinstance(turn, list):
            messages += calls_of(surface, turn)
        else:
            messages += results_of(surface, turn["results"])
    out["input" if surface == "responses" else "messages"] = messages
    tool = {"name": "f", "description": "d"}
    if tools and surface == "messages":
        out["tools"] = [tool | {"input_schema": PARAMETERS}]
    elif tools and surface == "responses":
        out["tools"] = [{"type": "function", **tool, "parameters": PARAMETERS}]
    elif tools:
        out["tools"] = [{"type": "function", "function": tool | {"parameters": PARAMETERS}}]
    return out


def calls_of(surface: str, calls: list[tuple[str, int]]) -> list[dict[str, Any]]:
    if surface == "messages":
        return [{"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {"n": n}} for id, n in calls]}]
    if surface == "responses":
        return [{"type": "function_call", "call_id": id, "name": "f", "arguments": json.dumps({"n": n})} for id, n in calls]
    made = [{"id": id, "type": "function", "function": {"name": "f", "arguments": json.dumps({"n": n})}} for id, n in calls]
    return [{"role": "assistant", "tool_calls": made}]


def results_of(surface: str, results: list[tuple[str, int]]) -> list[dict[str, Any]]:
    if surface == "messages":
        blocks = [{"type": "tool_result", "tool_use_id": id, "content": f"result {n}"} for id, n in results]
        return [{"role": "user", "content": blocks}]
    if surface == "responses":
        return [{"type": "function_call_output", "call_id": id, "output": f"result {n}"} for id, n in results]
    return [{"role": "tool", "tool_call_id": id, "content": f"result {n}"} for id, n in results]


def reads(kind: str, body: dict[str, Any]) -> list[tuple[int, str]]:
    """Returns the calls that the vendor reads, each with its result. No id may occur twice."""
    if kind in GOOGLES:
        calls, results = [], []
        for content in body["contents"]:
            calls += [part["functionCall"]["args"]["n"] for part in content["parts"] if "functionCall" in part]
            results += [part["functionResponse"]["response"] for part in content["parts"] if "functionResponse" in part]
        return list(zip(calls, [result.get("output", "No result.") for result in results], strict=True))
    found = list(calls_in(kind, body))
    ids = [id for id, _ in found]
    assert len(set(ids)) == len(ids), ids
    results = dict(results_in(kind, body))
    return [(n, results.pop(id, "No result.")) for id, n in found]


def calls_in(kind: str, body: dict[str, Any]) -> Iterator[tuple[str, int]]:
    if kind == "onemin":
        for found in re.finditer(r'"arguments": (\{[^}]*\}), "id": ("[^"]*")', body["promptObject"]["prompt"]):
            yield json.loads(found[2]), json.loads(found[1])["n"]
    elif kind == "via":
        for item in body["input"]:
            if item.get("type") == "function_call":
                yield item["call_id"], json.loads(item["arguments"])["n"]
    elif kind in CLAUDES:
        for block in blocks(body, "tool_use"):
            yield block["id"], block["input"]["n"]
    else:
        for message in body["messages"]:
            for call in message.get("tool_calls", ()):
                yield call["id"], json.loads(call["function"]["arguments"])["n"]


def results_in(kind: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if kind == "onemin":
        for found in re.finditer(r'<tool_response id=("[^"]*")[^>]*>\n(.*?)\n</tool_response>', body["promptObject"]["prompt"], re.DOTALL):
            yield json.loads(found[1]), found[2]
    elif kind == "via":
        for item in body["input"]:
            if item.get("type") == "function_call_output":
                yield item["call_id"], item["output"]
    elif kind in CLAUDES:
        for block in blocks(body, "tool_result"):
            content = block["content"]
            yield block["tool_use_id"], content if isinstance(content, str) else "".join(part["text"] for part in content)
    else:
        for message in body["messages"]:
            if message["role"] == "tool":
                yield message["tool_call_id"], message["content"]


def blocks(body: dict[str, Any], type: str) -> list[dict[str, Any]]:
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [block for content in contents for block in content if block["type"] == type]


def got(surface: str, answer: httpx.Response, *, is_streamed: bool) -> dict[str, Any]:
    """Returns what the client got: {"text", "calls": [(id, name, arguments as text)], "usage"}."""
    assert answer.status_code == 200, answer.text
    if surface == "chat":
        return of_chat(answer, is_streamed=is_streamed)
    data = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n") if line.startswith("data: ")]
    if surface == "responses":
        response = data[-1]["response"] if is_streamed else answer.json()
        items = response["output"]
        text = "".join(part["text"] for item in items if item["type"] == "message" for part in item["content"])
        calls = [(item["call_id"], item["name"], item["arguments"]) for item in items if item["type"] == "function_call"]
        return {"text": text, "calls": calls, "usage": response["usage"]}
    content, usage = answer.json()["content"] if not is_streamed else [], {} if is_streamed else answer.json()["usage"]
    for event in data:
        if event["type"] == "content_block_start":
            content.append(event["content_block"] | {"input": ""})
        elif event["type"] == "content_block_delta":
            for name, member in (("text", "text"), ("partial_json", "input")):
                content[-1][member] = content[-1].get(member, "") + event["delta"].get(name, "")
        elif event["type"] == "message_delta":
            usage = event["usage"]
    text = "".join(block["text"] for block in content if block["type"] == "text")
    uses = [block for block in content if block["type"] == "tool_use"]
    texts = [block["input"] if is_streamed else json.dumps(block["input"]) for block in uses]
    return {"text": text, "calls": [(use["id"], use["name"], text) for use, text in zip(uses, texts, strict=True)], "usage": usage}


def of_chat(answer: httpx.Response, *, is_streamed: bool) -> dict[str, Any]:
    if not is_streamed:
        whole = answer.json()
        message = whole["choices"][0]["message"]
        calls = [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls") or ()]
        return {"text": message["content"] or "", "calls": calls, "usage": whole["usage"]}
    stream = streamed(answer.status_code, answer.headers, answer.content)
    assert stream.error is None, stream
    found: dict[int, list[str]] = {}
    for choice in stream.choices(0):
        for call in choice["delta"].get("tool_calls", ()):
            mine = found.setdefault(call["index"], ["", "", ""])
            for at, part in enumerate((call.get("id"), call["function"].get("name"), call["function"].get("arguments"))):
                mine[at] += part or ""
    return {"text": stream.text(), "calls": [tuple(call) for call in found.values()], "usage": stream.usage()}


def calling(kind: str, *calls: tuple[str, int]) -> dict[str, Any]:
    """Returns the script of a response with calls `(id, n)`."""
    if kind in CLAUDES:
        return {"content": [anthropic_vendor.use(id, "f", {"n": n}) for id, n in calls]}
    if kind in GOOGLES:
        return {"calls": [("f", {"n": n}, {"id": id}) for id, n in calls]}
    return {"calls": [(id, "f", json.dumps({"n": n})) for id, n in calls]}
