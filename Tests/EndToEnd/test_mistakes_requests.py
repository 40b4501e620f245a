"""Mistakes in requests: the error messages word for word, and that their advice works.

A row has the request, the status and the message, the words of it that say what is wrong, where and what to do, and the
request that a reader makes of them, which is answered.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import local_http
import pictures
import pytest
from fake_server import FakeServer, Handler
from relay_process import Relay

CHAT = "/v1/chat/completions"
TOKEN = "sk-relay-for-tests-0001"
HELLO = {"role": "user", "content": "Hello"}
PICTURE = "data:image/png;base64," + base64.b64encode(pictures.picture("cat")).decode()


class Request(NamedTuple):
    body: Any = None
    path: str = CHAT
    method: str = "POST"
    headers: dict[str, str] = {}


class Row(NamedTuple):
    name: str
    wrong: Request
    status: int
    message: str
    what: str
    where: str
    do: str
    right: Request


def chat(**fields: Any) -> Request:
    return Request({"model": "echo", "messages": [HELLO]} | fields)


def shown(url: str, model: str) -> Request:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    return chat(model=model, messages=[HELLO, {"role": "assistant", "content": "Yes?"}, {"role": "user", "content": parts}])


GOOD = chat()
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "4"}
CALLED = {
    "role": "assistant", "content": None,
    "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}  # fmt: skip
ELSEWHERE = "Try again, or choose another model."

ROWS = [
    Row("no key", Request(chat().body, headers={"Authorization": ""}), 401,
        "No API key was provided. Send it as `Authorization: Bearer KEY`.", "No API key", "Authorization", "Bearer KEY", GOOD),
    Row("Bearer twice", Request(chat().body, headers={"Authorization": f"Bearer Bearer {TOKEN}"}), 401,
        'Incorrect API key provided. It begins with "Bearer ". Send that word once, in Authorization only.',
        "Incorrect API key", "Authorization", "Send that word once", GOOD),
    Row("key in quotes", Request(chat().body, headers={"Authorization": f'Bearer "{TOKEN}"'}), 401,
        "Incorrect API key provided. It begins with a quotation mark. Send the key without quotes.",
        "Incorrect API key", "API key", "without quotes", GOOD),
    Row("another version", Request(chat().body, "/v2/chat/completions"), 404,
        "Invalid URL (POST /v2/chat/completions). Did you mean /v1/chat/completions?", "Invalid URL",
        "/v2/chat/completions", "/v1/chat/completions", GOOD),
    Row("path twice", Request(chat().body, "/v1/chat/completions/chat/completions"), 404,
        "Invalid URL (POST /v1/chat/completions/chat/completions). Did you mean /v1/chat/completions?", "Invalid URL",
        "/v1/chat/completions/chat/completions", "Did you mean /v1/chat/completions", GOOD),
    Row("path misspelt", Request(chat().body, "/v1/chat/completion"), 404,
        "Invalid URL (POST /v1/chat/completion). Did you mean /v1/chat/completions?", "Invalid URL", "/v1/chat/completion",
        "/v1/chat/completions", GOOD),
    Row("model misspelt", chat(model="gpt-4o-mni"), 404,
        "The model `gpt-4o-mni` does not exist or you do not have access to it. Did you mean `gpt-4o-mini`?", "does not exist",
        "The model", "gpt-4o-mini", chat(model="gpt-4o-mini")),
    Row("model with its maker", chat(model="openai/gpt-4o-mini"), 404,
        "The model `openai/gpt-4o-mini` does not exist or you do not have access to it. Did you mean `gpt-4o-mini`?",
        "does not exist", "The model", "Did you mean `gpt-4o-mini`", chat(model="gpt-4o-mini")),
    Row("images of a chat model", Request({"model": "gpt-4o-mini", "prompt": "a cat"}, "/v1/images/generations"), 404,
        "The model `gpt-4o-mini` cannot make images, it can chat. Models that can: `dall-e-3`.", "cannot make images",
        "The model `gpt-4o-mini`", "dall-e-3", Request({"model": "dall-e-3", "prompt": "a cat"}, "/v1/images/generations")),
    Row("http: picture", shown("http://192.0.2.1/cat.png", "gpt-4o-mini"), 400,
        "Invalid image: 'messages[2].content[1].image_url' is not a URL that this relay fetches: only https: is, and http: "
        "where FETCH_IMAGES=http is set. Use https: or a data: URL.",
        "is not a URL that this relay fetches", "messages[2].content[1].image_url", "a data: URL", shown("PICTURE", "gpt-4o-mini")),
    Row("picture to a model without eyes", shown("PICTURE", "o3-mini"), 400,
        "Invalid value for 'messages': this model takes no pictures, and 'messages[2].content[1].image_url' is one; models that "
        "support them: gpt-4o-mini.",
        "this model takes no pictures", "messages[2].content[1]", "gpt-4o-mini", shown("PICTURE", "gpt-4o-mini")),
    Row("too many choices", chat(n=1000), 400, "Invalid value for 'n': at most 8 choices are supported.",
        "Invalid value", "'n'", "at most 8", chat(n=8)),
    Row("temperature in words", chat(temperature="hot"), 400, "Invalid type for 'temperature': expected a number.",
        "Invalid type", "temperature", "a number", chat(temperature=1)),
    Row("temperature too high", chat(temperature=5), 400, "Invalid value for 'temperature': must be at most 2.0.",
        "Invalid value", "temperature", "at most 2.0", chat(temperature=2)),
    Row("role", chat(messages=[{"role": "bot", "content": "Hello"}]), 400,
        "Invalid value for 'messages[0].role': must be system, developer, user, assistant or tool.", "Invalid value",
        "messages[0].role", "user", GOOD),
    Row("messages in words", chat(messages="Hello"), 400, "Invalid type for 'messages': expected an array.", "Invalid type",
        "messages", "an array", GOOD),
    Row("result without an id", chat(messages=[HELLO, {"role": "tool", "content": "4"}], model="gpt-4o-mini"), 400,
        "Missing required parameter: 'messages[1].tool_call_id'.", "Missing required parameter",
        "messages[1].tool_call_id", "tool_call_id", chat(messages=[HELLO, CALLED, RESULT], model="gpt-4o-mini")),
    Row("trailing comma", Request('{"model": "echo", "messages": [{"role": "user", "content": "Hello"}],}'), 400,
        "The body is not valid JSON: at byte 70, a name in double quotes is expected.", "not valid JSON", "at byte 70",
        "a name in double quotes", Request('{"model": "echo", "messages": [{"role": "user", "content": "Hello"}], "n": 1}')),
    Row("single quotes", Request("{'model': 'echo'}"), 400,
        "The body is not valid JSON: at byte 2, a name in double quotes is expected.", "not valid JSON", "at byte 2",
        "double quotes", GOOD),
    Row("bytes of Latin 1", Request('{"model": "echo", "messages": [{"role": "user", "content": "caf\udce9"}]}'), 400,
        "The body is not valid JSON in UTF-8. At byte 64 it is not UTF-8; encode the text of the body as UTF-8.",
        "not UTF-8", "At byte 64", "encode the text", chat(messages=[{"role": "user", "content": "caf\u00e9"}])),
    Row("type of a part", chat(messages=[{"role": "user", "content": [{"type": "img", "text": "a"}]}]), 400,
        "Invalid value for 'messages[0].content[0].type': this type of content part is not supported; use text, image_url, "
        "input_audio or file.",
        "not supported", "messages[0].content[0].type", "use text",
        chat(messages=[{"role": "user", "content": [{"type": "text", "text": "a"}]}])),
    Row("empty body", Request(""), 400, "The body is empty. Send a JSON object.", "is empty", "The body", "a JSON object", GOOD),
    Row("large body", Request(" " * 1_500_000 + "{}"), 413,
        "The request body is too large: it has 1500002 bytes, but at most 1048576 bytes are accepted. The operator can "
        "change the limit with MAX_BODY_MB.",
        "too large", "The request body", "at most 1048576 bytes", GOOD),
    Row("content type", Request(chat().body, headers={"Content-Type": "application/x-www-form-urlencoded"}), 415,
        "Content-Type must be application/json.", "must be", "Content-Type", "application/json", GOOD),
    Row("GET", Request(None, method="GET"), 405, "This method is not allowed for this URL.", "not allowed", "This method", "Allow", GOOD),
    Row("assistants", Request({"model": "echo"}, "/v1/assistants"), 404,
        "/assistants is not offered here. Use /v1/responses.", "is not offered here", "/assistants", "/v1/responses",
        Request({"model": "echo", "input": "Hello"}, "/v1/responses")),
    Row("vendor that cannot be found", chat(model="lost"), 502,
        f"The provider cannot be reached. {ELSEWHERE} The operator can check PROVIDER_<NAME>_BASE_URL with `relay check --ask`.",
        "cannot be reached", "The provider", "choose another model", GOOD),
    Row("vendor's own error", chat(model="ill"), 502,
        f"The provider returned an error (status 500). {ELSEWHERE}", "returned an error", "The provider",
        "choose another model", GOOD),
    Row("vendor without the path", chat(model="wrong-path"), 502,
        "The provider has no such path. It may not have the endpoint /chat/completions; else the operator can check PROVIDER_<NAME>_BASE_URL with `relay check --ask`.",
        "no such path", "The provider", "PROVIDER_<NAME>_BASE_URL", chat(model="right-path")),
    Row("vendor refuses the relay's key", chat(model="bad-key"), 502,
        "The provider refused the relay. The operator can check its key with `relay check --ask`.", "refused", "The provider",
        "`relay check --ask`", chat(model="right-path")),
    Row("vendor without the model", chat(model="no-model"), 404,
        "The model `no-model` does not exist or you do not have access to it. The provider does not serve this model; "
        "the operator can check PROVIDER_<NAME>_MODELS.",
        "does not exist", "The model", "PROVIDER_<NAME>_MODELS", chat(model="right-path")),
    Row("effort", chat(model="gpt-4o-mini", reasoning_effort="hihg"), 400,
        "Invalid value for 'reasoning_effort': must be one of none, minimal, low, medium, high, xhigh, max.", "Invalid value",
        "reasoning_effort", "high", chat(model="gpt-4o-mini", reasoning_effort="high")),
    Row("verbosity", chat(model="gpt-4o-mini", verbosity="loud"), 400,
        "Invalid value for 'verbosity': must be one of low, medium, high.", "Invalid value", "verbosity", "high",
        chat(model="gpt-4o-mini", verbosity="high")),
    Row("effort of a response", Request({"model": "gpt-4o-mini", "input": "Hello", "reasoning": {"effort": "x"}}, "/v1/responses"),
        400, "Invalid value for 'reasoning.effort': must be one of none, minimal, low, medium, high, xhigh, max.",
        "Invalid value", "reasoning.effort", "max",
        Request({"model": "gpt-4o-mini", "input": "Hello", "reasoning": {"effort": "max"}}, "/v1/responses")),
]  # fmt: skip


class Servers(Handler):
    """OpenAI-compatible servers by the first part of the path: `right` responds, the others do as their name says."""

    def do_POST(self) -> None:
        body = json.loads(self.read())
        way = self.path.split("/")[1]
        if self.path == "/right/v1/chat/completions":
            self.fake.seen.append(body)
            message = {"role": "assistant", "content": "Hello"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            return self.send(200, {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
                                   "choices": [choice], "usage": usage})  # fmt: skip
        failures = {
            "right": (404, {"detail": "Not Found"}), "ill": (500, {"error": {"message": "broken"}}),
            "key": (401, {"error": {"message": "no such key"}}),
            "model": (404, {"error": {"message": "model not found", "code": "model_not_found"}}),
        }  # fmt: skip
        self.send(*failures[way])


@pytest.fixture(scope="module")
def servers() -> Iterator[FakeServer]:
    fake = FakeServer(Servers)
    fake.seen = []
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def shared(launch, servers, new_key) -> Relay:
    at = servers.base_url
    key = new_key()
    rows = {
        "LOST": ("http://no-such-host.invalid/v1", "lost"), "ILL": (f"{at}/ill/v1", "ill"), "PATH": (f"{at}/right", "wrong-path"),
        "RIGHT": (f"{at}/right/v1", "right-path"), "KEY": (f"{at}/key/v1", "bad-key"), "MODEL": (f"{at}/model/v1", "no-model"),
    }  # fmt: skip
    settings = {}
    for name, (url, model) in rows.items():
        fields = {"KIND": "openai", "BASE_URL": url, "MODELS": model, "API_KEYS": "vendor-key-0123456789"}
        settings |= {f"PROVIDER_{name}_{field}": value for field, value in fields.items()}
    return launch(
        **settings, PROVIDER_A_KIND="echo", PROVIDER_ONE_KIND="onemin", PROVIDER_ONE_API_KEYS=key,
        PROVIDER_ONE_MODELS="gpt-4o-mini,o3-mini,dall-e-3", KEY_TEAM_TOKEN=TOKEN, MAX_BODY_MB=1, BREAKER_FAILURES=1000,
    )  # fmt: skip


def send(relay: Relay, request: Request) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} | request.headers
    content = request.body if isinstance(request.body, str) else json.dumps(request.body)
    content = content.replace("PICTURE", PICTURE)
    with local_http.Client() as http:
        body = None if request.body is None else content.encode(errors="surrogateescape")
        return http.request(request.method, relay.base_url + request.path, headers={k: v for k, v in headers.items() if v}, content=body)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_mistake_in_a_request(shared: Relay, row: Row) -> None:
    answer = send(shared, row.wrong)
    request_id = answer.headers["x-request-id"]
    error = answer.json()["error"]
    message = error["message"].removesuffix(f" (request ID {request_id})")
    assert (answer.status_code, message) == (row.status, row.message)
    assert (message != error["message"]) == (row.status >= 500)
    said = message + " ".join(answer.headers)
    assert all(words in said or words.lower() in said.lower() for words in (row.what, row.where, row.do)), said
    right = send(shared, row.right)
    assert right.status_code == 200, right.text


def test_a_server_of_openais_wire_gets_any_word(shared: Relay, servers: Any) -> None:
    fields = {"reasoning_effort": "ludicrous", "verbosity": "shouting", "service_tier": "first-class"}
    assert send(shared, chat(model="right-path", **fields)).status_code == 200
    assert fields.items() <= servers.seen[-1].items()


def test_a_refused_key_is_a_warning_though_another_provider_serves(start_relay, servers: Any) -> None:
    at = servers.base_url
    settings = {}
    for name, way in {"FIRST": "key", "SECOND": "right"}.items():
        fields = {"KIND": "openai", "BASE_URL": f"{at}/{way}/v1", "MODELS": "m", "API_KEYS": "vendor-key-0123456789"}
        settings |= {f"PROVIDER_{name}_{field}": value for field, value in fields.items()}
    relay = start_relay(**settings, KEY_TEAM_TOKEN=TOKEN)
    assert send(relay, chat(model="m")).status_code == 200
    line = relay.wait_for_line(lambda line: line["message"] == "request")
    assert line["level"] == "warning" and line["failed"].startswith("first k1: the vendor answered 401")


def test_a_limit_of_all_callers_says_so(start_relay) -> None:
    relay = start_relay(PROVIDER_A_KIND="echo", KEY_TEAM_TOKEN=TOKEN, RATE_LIMIT_TOTAL="1/hour")
    assert send(relay, GOOD).status_code == 200
    answer = send(relay, GOOD)
    said = r"Rate limit reached for requests: 1 per hour\. Please try again in \S+\. All callers share this limit\."
    assert answer.status_code == 429 and re.fullmatch(said, answer.json()["error"]["message"]), answer.text
