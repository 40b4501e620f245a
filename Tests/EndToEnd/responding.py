"""Requests of the Responses API as tests write and read them."""

import json
from typing import Any

import httpx
from chat import MODEL

PATH = "/v1/responses"
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
    "strict": True,
}
ROME = '<tool_call>\n{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call>'


def body(input: Any = "Hello", **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "input": input} | fields


def respond(http: httpx.Client, input: Any = "Hello", **fields: Any) -> httpx.Response:
    return http.post(PATH, json=body(input, **fields))


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """Returns the data of all events."""
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    lines = answer.text.split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def final(http: httpx.Client, is_streamed: bool, input: Any = "Hello", **fields: Any) -> dict[str, Any]:
    """Returns the response, also that of a stream."""
    answer = respond(http, input, stream=is_streamed, **fields)
    assert answer.status_code == 200, answer.text
    return events(answer)[-1]["response"] if is_streamed else answer.json()


def text_of(response: dict[str, Any]) -> str:
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts)


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}


def called(call_id: str = "call_1", name: str = "weather", arguments: str = '{"city":"Rome"}') -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def result(output: Any = "Sunny", call_id: str = "call_1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def last_prompt(vendor: Any, key: str) -> str:
    """Returns the prompt of the last chat."""
    return vendor.requests(key, "/api/chat-with-ai")[-1]["body"]["promptObject"]["prompt"]


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]
