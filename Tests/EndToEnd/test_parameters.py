"""docs/parameters.md: its table contains all parameters of OpenAI's API, and the relay does what it says."""

import json
import re
from pathlib import Path

import checked
import pytest
from chat import MODEL

PAGE = Path(__file__).resolve().parents[2] / "docs/parameters.md"
ROW = re.compile(r"\| `\"(\w+)\": (.+)` \| (all|[a-z, ]+) \| (served|dropped|ignored|400)(, with `stream`)? \|")
BODIES = {
    "chat": ("/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}),
    "completions": ("/v1/completions", {"model": MODEL, "prompt": "Hello"}),
    "responses": ("/v1/responses", {"model": MODEL, "input": "Hello"}),
}
SCHEMAS = {
    "chat": "CreateChatCompletionRequest", "completions": "CreateCompletionRequest",
    "responses": "CreateResponse",
}  # fmt: skip


def rows():
    """Returns (API, parameter, example, what the relay does, whether the response is streamed) of each row and API."""
    table = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    parts = [ROW.fullmatch(line) for line in table]
    assert all(parts), [line for line, part in zip(table, parts, strict=True) if not part]
    return [
        (api, part[1], json.loads(part[2]), part[4], bool(part[5]))
        for part in parts
        for api in (BODIES if part[3] == "all" else part[3].split(", "))
    ]


@pytest.mark.parametrize("api", BODIES)
def test_all_parameters_are_named(api):
    assert {row[1] for row in rows() if row[0] == api} == set(checked.SCHEMAS["requests"][SCHEMAS[api]])


@pytest.mark.parametrize(("api", "name", "example", "does", "is_streamed"), rows(), ids=str)
def test_a_row(http, vendor, api_key, api, name, example, does, is_streamed):
    path, body = BODIES[api]
    body = body | ({"stream": True} if is_streamed else {})
    if does in ("dropped", "ignored"):
        assert http.post(path, json=body).status_code == 200
    answer = http.post(path, json=body | {name: example})
    if does == "400":
        error = answer.json()["error"]
        assert answer.status_code == 400 and error["param"].startswith(name) and error["message"]
        assert error["code"] in ("unsupported_parameter", "unsupported_value")
        assert vendor.requests(api_key) == []
        return
    assert answer.status_code == 200, answer.text
    if does != "served":
        without, given = vendor.requests(api_key)
        assert without["body"] == given["body"]
    wrong = http.post(path, json=body | {name: 5 if not isinstance(example, (int, float)) else "5"})
    assert wrong.status_code == (200 if does == "ignored" else 400), wrong.text
    assert http.post(path, json=body | {name: None}).status_code == (400 if name in ("model", "messages", "input") else 200)
