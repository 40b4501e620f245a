"""Names of tools that are too long for OpenAI: the vendor gets a short name, and the client reads its own."""

import json

import openai_vendor
import pytest
from conftest import TEAM_TOKEN, VENDOR_KEY, running
from limited import client as plain

NAME = "mcp__" + "a_server_with_a_very_long_name_" * 3
OTHER = NAME + "_too"
LIMIT = 64
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WIRES = pytest.mark.parametrize("wire", ["chat", "responses"])
MESSAGES = {
    "too long": "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64, but got a string with length 98 instead.",
    "pattern": "Invalid 'tools[0].name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]{1,64}$'.",
}  # fmt: skip


openai_fake = running(openai_vendor.Server)


@pytest.fixture(scope="module")
def team(launch, openai_fake):
    models = ",".join(f"m{at}" for at in range(20))
    settings = {}
    for wire in ("chat", "responses"):
        more = {"KIND": "openai", "BASE_URL": openai_fake.base_url, "API_KEY": VENDOR_KEY, "CHAT_VIA": wire}
        more["MODELS"] = ",".join(f"{wire}-{model}" for model in models.split(","))
        settings |= {f"PROVIDER_{wire.upper()}_{name}": value for name, value in more.items()}
    relay = launch(**settings, KEY_TEAM_TOKEN=TEAM_TOKEN)
    with plain(relay, TEAM_TOKEN) as http:
        yield http


def create(team, model, is_streamed, names, **fields):
    messages = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": names[0], "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun"}]},
    ]
    tools = [{"name": name, "input_schema": SCHEMA} for name in names]
    answer = team.post("/v1/messages", json={"model": model, "max_tokens": 99, "messages": messages, "tools": tools, "stream": is_streamed} | fields)
    assert answer.status_code == 200, answer.text
    if not is_streamed:
        return [block["name"] for block in answer.json()["content"] if block["type"] == "tool_use"]
    events = [json.loads(line[6:]) for line in answer.text.split("\n") if line.startswith("data: ")]
    return [event["content_block"]["name"] for event in events if event["type"] == "content_block_start" and "name" in event["content_block"]]


def sent(wire, body):
    """Returns the names in a request: of tools, of the choice, of earlier calls."""
    if wire == "responses":
        earlier = [item["name"] for item in body["input"] if item.get("type") == "function_call"]
        return [tool["name"] for tool in body["tools"]], body.get("tool_choice", {}).get("name"), earlier
    earlier = [call["function"]["name"] for message in body["messages"] for call in message.get("tool_calls", ())]
    return [tool["function"]["name"] for tool in body["tools"]], body.get("tool_choice", {}).get("function", {}).get("name"), earlier


@WIRES
@pytest.mark.parametrize("said", MESSAGES)
def test_a_long_name_is_short_after_a_refusal(team, openai_fake, wire, said, is_streamed):
    model = f"{wire}-m{2 * list(MESSAGES).index(said) + is_streamed}"
    refused = {"status": 400, "json": {"error": {"message": MESSAGES[said], "type": "invalid_request_error", "param": "tools[0].function.name", "code": None}}}
    openai_fake.says(model, refused, {"text": "Sunny."})
    fields = {"tool_choice": {"type": "tool", "name": OTHER}}
    names = [NAME, OTHER, "fits", "y" * LIMIT]
    openai_fake.says(model, refused, {"calls": [("call_1", "fits", "{}")]})
    create(team, model, is_streamed, names)
    first, second = [sent(wire, request["body"]) for request in openai_fake.asked(model)]
    assert first == (names, None, [NAME])
    short = second[0]
    assert all(len(name) <= LIMIT for name in short) and short[2:] == names[2:] and len(set(short)) == 4
    assert second[2] == short[:1] and short[0].startswith(NAME[:40])
    # It is remembered, for other tools too, and the same name stays the same.
    openai_fake.says(model, {"calls": [("call_1", short[1], '{"city":"Rome"}')]})
    assert create(team, model, is_streamed, names[1:], **fields) == [OTHER]
    (again,) = [sent(wire, request["body"]) for request in openai_fake.asked(model)]
    assert again == (short[1:], short[1], [short[1]])
    openai_fake.says(model, {"calls": [("call_1", short[0], "{}"), ("call_2", "fits", "{}")]})
    assert create(team, model, is_streamed, names) == [NAME, "fits"]


def test_responses_take_names_as_long_as_messages(team, openai_fake, is_streamed):
    model, name = f"chat-m{16 + is_streamed}", NAME.ljust(128, "z")
    choice = {"type": "function", "name": name}
    body = {"model": model, "input": "Hi", "tools": [{"type": "function", "name": name, "parameters": SCHEMA}], "tool_choice": choice, "stream": is_streamed}
    openai_fake.says(model, {"calls": [("call_1", name, "{}")]})
    assert f'"name":"{name}"' in team.post("/v1/responses", json=body).text.replace('": "', '":"')
    assert openai_fake.body(model)["tools"][0]["function"]["name"] == name
    body["tools"][0]["name"] += "z"
    assert team.post("/v1/responses", json=body).json()["error"]["code"] == "string_above_max_length"


def test_a_name_in_a_namespace_is_shortened_too(team, openai_fake):
    model = "chat-m15"
    refused = {"status": 400, "json": {"error": {"message": MESSAGES["too long"], "type": "invalid_request_error"}}}
    openai_fake.says(model, refused, {"calls": [("call_1", "x", "{}")]})
    space, inner = "s" * 40, "t" * 40
    tools = [{"type": "namespace", "name": space, "description": "d", "tools": [{"type": "function", "name": inner, "parameters": SCHEMA}]}]
    answer = team.post("/v1/responses", json={"model": model, "input": "Hi", "tools": tools})
    short = openai_fake.asked(model)[-1]["body"]["tools"][0]["function"]["name"]
    assert answer.status_code == 200 and len(short) <= LIMIT
    openai_fake.says(model, {"calls": [("call_1", short, "{}")]})
    (call,) = [item for item in team.post("/v1/responses", json={"model": model, "input": "Hi", "tools": tools}).json()["output"] if item["type"] == "function_call"]
    assert (call["name"], call["namespace"]) == (inner, space)
