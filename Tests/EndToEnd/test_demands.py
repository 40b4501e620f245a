"""What a request demands comes, whoever serves it: one call alone."""

import itertools
import json
from dataclasses import dataclass

import anthropic_vendor
import checked
import cloudflare_vendor
import cohere_vendor
import gemini_vendor
import httpx
import openai_vendor
import pytest
import test_vertex
import vertex_vendor
from chat import PATH, body, streamed
from conftest import TEAM_TOKEN, VENDOR_KEY, secrets
from test_openai_stream import Built

BOTH = pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
CUT = {"anthropic": "max_tokens", "openai": "length", "cloudflare": "length", "responses": "max_output_tokens"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NAMES = ("weather", "time")
TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in NAMES]
NAMED = {"type": "function", "function": {"name": "weather"}}
ROME = ("weather", {"city": "Rome"})
OSLO = ("weather", {"city": "Oslo"})
NOW = ("time", {"city": "Rome"})
ROWS = {
    "claude": ("anthropic", "claude-sonnet-4-6"), "google": ("gemini", "gemini-3-flash"), "cohere": ("cohere", "command-a-03-2025"),
    "cf": ("cloudflare", None), "vgoogle": ("gemini", test_vertex.PRO), "vclaude": ("anthropic", vertex_vendor.CLAUDE),
    "open": ("openai", "open-model"), "resp": ("responses", "resp-model"),
}  # fmt: skip
NATIVE = [row for row in ROWS if row != "open"]
"""The answers of the other pass through to chat completions as they come."""
ALL = [(row, "chat") for row in NATIVE] + [(row, "messages") for row in ROWS]
EACH = pytest.mark.parametrize("row, surface", ALL, ids=["-".join(one) for one in ALL])
numbers = itertools.count()


@pytest.fixture(scope="module")
def fakes():
    secrets.update((VENDOR_KEY, TEAM_TOKEN, vertex_vendor.REFRESH, vertex_vendor.CLIENT["client_secret"], "ya29.token-number"))
    vertex, openai = vertex_vendor.Vertex(), openai_vendor.Server()
    running = {
        "claude": anthropic_vendor.AnthropicServer(), "google": gemini_vendor.start(), "cohere": cohere_vendor.start(),
        "cf": cloudflare_vendor.start(), "vgoogle": vertex, "vclaude": vertex, "open": openai, "resp": openai,
    }  # fmt: skip
    yield running
    for one in {id(one): one for one in running.values()}.values():
        one.stop()


@pytest.fixture(scope="module")
def relay(launch, fakes):
    settings = {}
    for row, (wire, model) in ROWS.items():
        kind = "openai" if wire == "responses" else wire
        models = f"{row}={model}" if model else ",".join(f"cf-{number}=@cf/demand/{number}" for number in range(100))
        if row.startswith("v"):
            kind = "vertexai_gemini" if wire == "gemini" else "vertexai_claude"
            settings |= test_vertex.settings(kind, fakes[row], row.upper(), MODELS=models)
            continue
        more = {"KIND": kind, "BASE_URL": fakes[row].base_url, "API_KEY": VENDOR_KEY, "MODELS": models}
        more |= {"CHAT_VIA": "responses"} if wire == "responses" else {}
        more |= {"ACCOUNT_ID": cloudflare_vendor.ACCOUNT} if wire == "cloudflare" else {}
        settings |= {f"PROVIDER_{row.upper()}_{name}": value for name, value in more.items()}
    return launch(**settings, KEY_TEAM_TOKEN=TEAM_TOKEN)


@pytest.fixture
def team(relay, fakes):
    with checked.client(httpx, base_url=relay.base_url, headers={"Authorization": f"Bearer {TEAM_TOKEN}"}, timeout=30) as http:
        yield http
    assert [found for fake in fakes.values() for found in fake.take_violations()] == []


@dataclass
class Vendor:
    """The model of one provider: `alias` of it for clients."""

    fake: object
    wire: str
    model: str
    alias: str

    def says(self, *said):
        self.fake.says(self.model, *(self.script(**one) for one in said))

    def script(self, text=None, calls=(), is_cut=False):
        calls = [(f"call_{at}", name, arguments) for at, (name, arguments) in enumerate(calls)]
        if self.wire == "anthropic":
            content = [anthropic_vendor.text(text)] if text else []
            content += [anthropic_vendor.use(f"toolu_{id}", name, arguments) for id, name, arguments in calls]
            script = {"content": content}
        else:
            written = [(name, arguments) for _, name, arguments in calls]
            if self.wire != "gemini":
                written = [(id, name, json.dumps(arguments)) for id, name, arguments in calls]
            script = ({"text": text} if text else {}) | ({"calls": written} if calls else {})
        return script | ({"stop" if self.wire == "anthropic" else "finish": CUT.get(self.wire, "MAX_TOKENS")} if is_cut else {})

    @property
    def times(self):
        return len(self.fake.asked(self.model))

    def has_tools(self, at):
        return "tools" in self.fake.asked(self.model)[at]["body"]


@pytest.fixture
def vendor_of(fakes):
    def made(row):
        wire, model = ROWS[row]
        if model:
            return Vendor(fakes[row], wire, model, row)
        # What a model there does not do is remembered.
        number = next(numbers)
        return Vendor(fakes[row], wire, f"@cf/demand/{number}", f"cf-{number}")

    return made


# --- Asking -----------------------------------------------------------------------------------


@dataclass
class Got:
    text: str = ""
    calls: tuple = ()
    finish: str | None = None
    status: int = 200
    error: dict | None = None
    retry: str | None = None


def chat(http, is_streamed, **fields):
    answer = http.post(PATH, json=body(**fields) | ({"stream": True} if is_streamed else {}))
    head = {"status": answer.status_code, "retry": answer.headers.get("x-should-retry")}
    if is_streamed:
        read = streamed(answer.status_code, answer.headers, answer.content)
        built = Built(read.chunks)
        return Got(built.text, tuple(built.told()[2]), built.finish, error=read.error, **head)
    if answer.status_code != 200:
        return Got(error=answer.json()["error"], **head)
    choice = answer.json()["choices"][0]
    calls = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in choice["message"].get("tool_calls", ())]
    return Got(choice["message"]["content"] or "", tuple(calls), choice["finish_reason"], **head)


def messages(http, is_streamed, model, tools=TOOLS, tool_choice="auto", parallel_tool_calls=True):
    choice = {"required": {"type": "any"}, "auto": {"type": "auto"}}.get(str(tool_choice), {"type": "tool", "name": "weather"})
    asked = {
        "model": model, "max_tokens": 500, "messages": [{"role": "user", "content": "Weather?"}], "stream": is_streamed,
        "tools": [{"name": tool["function"]["name"], "input_schema": SCHEMA} for tool in tools],
        "tool_choice": choice | ({} if parallel_tool_calls else {"disable_parallel_tool_use": True}),
    }  # fmt: skip
    answer = http.post("/v1/messages", json=asked)
    head = {"status": answer.status_code, "retry": answer.headers.get("x-should-retry")}
    if answer.status_code != 200:
        return Got(error=answer.json()["error"], **head)
    if not is_streamed:
        content = answer.json()["content"]
        calls = [(block["name"], block["input"]) for block in content if block["type"] == "tool_use"]
        text = "".join(block["text"] for block in content if block["type"] == "text")
        return Got(text, tuple(calls), answer.json()["stop_reason"], **head)
    got, written = Got(**head), []
    for event in answer.text.strip().split("\n\n"):
        data = json.loads(event.split("data: ")[1])
        if data["type"] == "content_block_start" and data["content_block"]["type"] == "tool_use":
            written.append([data["content_block"]["name"], ""])
        elif data["type"] == "content_block_delta":
            got.text += data["delta"].get("text", "")
            if "partial_json" in data["delta"]:
                written[-1][1] += data["delta"]["partial_json"]
        elif data["type"] == "message_delta":
            got.finish = data["delta"]["stop_reason"]
        elif data["type"] == "error":
            got.error = data["error"]
    got.calls = tuple((name, json.loads(arguments)) for name, arguments in written)
    return got


SURFACES = {"chat": chat, "messages": messages}
FINISH = {"chat": "tool_calls", "messages": "tool_use"}


# --- Calls ------------------------------------------------------------------------------------


@BOTH
@EACH
def test_one_call_alone(team, vendor_of, row, surface, is_streamed):
    for choice in ("auto", NAMED):
        vendor = vendor_of(row)
        vendor.says({"calls": [ROME, OSLO]})
        got = SURFACES[surface](team, is_streamed, model=vendor.alias, tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)
        assert (got.calls, got.finish) == ((ROME,), FINISH[surface]) and vendor.times == 1
