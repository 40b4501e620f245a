"""The Responses API: create, whole and streamed, by the official client and by plain requests."""

import asyncio
import json
from typing import Any

import checked
import httpx2
import openai
import pytest
from chat import MODEL, deltas_of
from pydantic import BaseModel
from responding import PATH, ROME, WEATHER, body, called, error_of, events, final, last_prompt, respond, result, said, text_of

SIZES = [1, 3, 1000]


def answers(vendor: Any, key: str, *texts: str, size: int = 3) -> None:
    vendor.answers(key, *({"answer": text, "deltas": deltas_of(text, size)} for text in texts))


# Text


def test_a_string(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, "Hi there.")
    got = final(http, is_streamed, "Hello")
    assert (text_of(got), got["status"], got["model"], got["store"]) == ("Hi there.", "completed", MODEL, True)
    assert vendor.prompt(api_key) == "Hello"


def test_without_v1(http, vendor, api_key):
    answers(vendor, api_key, "Hi.")
    assert text_of(http.post("/responses", json=body()).json()) == "Hi."


def test_instructions_and_items(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, "Four.")
    turns = [
        said("developer", "Count."),
        said("user", "One"),
        {"type": "message", "role": "assistant", "phase": "commentary", "content": [
            {"type": "output_text", "text": "Two", "annotations": []}, {"type": "refusal", "refusal": "No"},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
        {"role": "user", "content": [{"type": "input_text", "text": "Three", "prompt_cache_breakpoint": {}}]},
    ]  # fmt: skip
    assert text_of(final(http, is_streamed, turns, instructions="Be brief.")) == "Four."
    prompt = vendor.prompt(api_key)
    places = [prompt.index(word) for word in ("Be brief.", "Count.", "One", "Two", "No", "Three")]
    assert places == sorted(places)


def test_the_response_repeats_the_request(http, vendor, api_key, is_streamed):
    fields = {
        "instructions": "Be \"brief\".", "metadata": {"a": "b"}, "temperature": 0.5, "top_p": 0.25, "truncation": "auto",
        "max_output_tokens": 500, "tools": [WEATHER], "tool_choice": "auto", "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "auto"}, "user": "me", "prompt_cache_key": "k", "store": False,
        "text": {"format": {"type": "text"}, "verbosity": "low"}, "include": ["reasoning.encrypted_content"],
        "service_tier": "auto", "safety_identifier": "s",
    }  # fmt: skip
    answers(vendor, api_key, "Yes.")
    got = final(http, is_streamed, **fields)
    for name in set(fields) - {"include", "service_tier"}:
        assert got[name] == fields[name], name


def test_cut_by_length(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, "one two three four five six seven eight nine ten eleven twelve")
    got = final(http, is_streamed, max_output_tokens=3)
    assert (got["status"], got["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert got["output"][0]["status"] == "incomplete" and text_of(got).startswith("one")


def test_an_empty_answer_of_a_stream_is_a_message(http, vendor, api_key):
    answers(vendor, api_key, ROME)
    got = final(http, True, tools=[WEATHER])
    assert [item["type"] for item in got["output"]] == ["function_call"]


@pytest.mark.parametrize("size", SIZES)
def test_pieces_of_the_vendor_do_not_matter(http, vendor, api_key, size):
    text = f"Let me look — 你好 🎉.\n\n{ROME}"
    answers(vendor, api_key, text, text, size=size)
    whole, streamed = (final(http, is_streamed, tools=[WEATHER]) for is_streamed in (False, True))

    def plain(response: dict[str, Any]) -> list[Any]:
        return [{key: value for key, value in item.items() if key not in ("id", "call_id")} for item in response["output"]]

    assert plain(whole)[1:] == plain(streamed)[1:]
    assert text_of(whole).strip() == text_of(streamed).strip() == "Let me look — 你好 🎉."


# Failures


def test_a_failure_before_the_first_byte_has_its_status(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"status": 500})
    answer = respond(http, stream=is_streamed)
    assert answer.status_code == 502 and answer.json()["error"]["type"] == "server_error"


def test_a_stream_that_breaks_off_fails(http, vendor, api_key):
    vendor.answers(api_key, {"events": [["content", {"content": "One "}], ["content", {"content": "two" * 99}]], "cut_at": 150})
    got = events(respond(http, stream=True))
    assert got[-1]["type"] == "response.failed" and got[-1]["response"]["error"]["code"] == "server_error"
    assert got[-1]["response"]["store"] is False


# Tools


def test_a_call(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, ROME)
    got = final(http, is_streamed, tools=[WEATHER])
    (call,) = got["output"]
    assert (call["type"], call["name"], json.loads(call["arguments"])) == ("function_call", "weather", {"city": "Rome"})
    assert call["id"].startswith("fc_") and call["call_id"].startswith("call_") and call["status"] == "completed"


def test_calls_and_results_of_earlier_turns(http, vendor, api_key):
    answers(vendor, api_key, "It is sunny.")
    turns = [said("user", "Weather?"), called(), called("call_2"), result(), result([{"type": "input_text", "text": "Wet"}], "call_2")]
    assert text_of(final(http, False, turns, tools=[WEATHER])) == "It is sunny."
    prompt = vendor.prompt(api_key)
    assert '<tool_response id="call_1" name="weather">\nSunny' in prompt and "Wet" in prompt


def test_custom_tools(http, vendor, api_key, is_streamed):
    patch = "*** Begin Patch\n+\"é\"\n*** End Patch"
    answers(vendor, api_key, "<tool_call>\n" + json.dumps({"name": "apply_patch", "arguments": {"input": patch}}) + "\n</tool_call>")
    tool = {
        "type": "custom", "name": "apply_patch", "description": "Patches",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch"},
    }  # fmt: skip
    got = final(http, is_streamed, [said("user", "Patch it")], tools=[tool])
    (call,) = got["output"]
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "apply_patch", patch)
    assert "begin_patch" in vendor.prompt(api_key)
    turns = [said("user", "Patch it"), call, {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Done"}]
    final(http, is_streamed, turns, tools=[tool])
    assert "*** Begin Patch" in last_prompt(vendor, api_key)


def test_tools_in_a_namespace(http, vendor, api_key, is_streamed):
    answers(vendor, api_key, ROME.replace("weather", "mcp__maps__weather"))
    space = {"type": "namespace", "name": "mcp__maps", "description": "Maps", "tools": [WEATHER]}
    (call,) = final(http, is_streamed, tools=[space])["output"]
    assert (call["namespace"], call["name"]) == ("mcp__maps", "weather")


def test_allowed_tools(http, vendor, api_key):
    answers(vendor, api_key, ROME)
    other = WEATHER | {"name": "time"}
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "weather"}]}
    got = final(http, False, tools=[WEATHER, other], tool_choice=choice)
    assert got["output"][0]["name"] == "weather" and got["tool_choice"] == choice
    assert '"time"' not in vendor.prompt(api_key)


def test_web_search(http, vendor, api_key):
    answers(vendor, api_key, "Found.", "Not looked for.")
    final(http, False, tools=[{"type": "web_search", "search_context_size": "low"}])
    final(http, False, tools=[{"type": "web_search", "external_web_access": False}])
    first, second = (request["body"]["promptObject"] for request in vendor.requests(api_key))
    assert "webSearch" in json.dumps(first) and "webSearch\": true" not in json.dumps(second)


# Refusals


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": [said("user", "a"), result()]}, "input[1].call_id", "invalid_value"),
        ({"tools": [WEATHER | {"parameters": {"$ref": "#/odd"}}]}, "tools[0].parameters", "invalid_value"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "previous_response_not_found"),
    ],
)  # fmt: skip
def test_what_is_refused(http, fields, param, code):
    sent = {key: value for key, value in (body() | fields).items() if value is not None}
    error = error_of(http.post(PATH, json=sent), 400)
    assert (error["param"], error["code"]) == (param, code)


def test_words_and_texts_that_the_response_repeats(http):
    most = {"\u00e9" * 64: "\u00e9" * 512} | {str(at): "" for at in range(15)}
    fields = {"metadata": most, "reasoning": {"effort": None, "summary": "detailed"}}
    told = http.post(PATH, json=body() | fields).json()
    assert (told["metadata"], told["reasoning"]) == (most, fields["reasoning"])


ITEMS = [
    {"type": "local_shell_call", "id": "a", "call_id": "c", "action": {"type": "exec", "command": ["ls"]}, "status": "completed"},
    {"type": "local_shell_call_output", "id": "c", "output": "{}"},
    {"type": "shell_call", "call_id": "d", "action": {"commands": ["ls"]}, "status": "completed"},
    {"type": "shell_call_output", "call_id": "d", "output": [{"stdout": "x", "outcome": {"type": "exit", "exit_code": 0}}]},
    {"type": "apply_patch_call", "call_id": "e", "operation": {"type": "delete_file", "path": "p"}, "status": "completed"},
    {"type": "apply_patch_call_output", "call_id": "e", "status": "completed"},
    {"type": "tool_search_call", "call_id": "f", "arguments": {"query": "q"}},
    {"type": "tool_search_output", "call_id": "f", "tools": []},
    {"type": "program", "call_id": "g", "code": "1"},
    {"type": "program_output", "call_id": "g", "result": "2"},
    {"type": "mcp_call", "id": "h", "server_label": "s", "name": "n", "arguments": "{}", "output": "o"},
    {"type": "mcp_list_tools", "id": "i", "server_label": "s", "tools": []},
    {"type": "web_search_call", "id": "j", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "configuration_update", "reasoning": {"effort": "high"}},
    {"type": "additional_tools", "role": "developer", "tools": [WEATHER]},
]  # fmt: skip


def test_rare_items(http, vendor, api_key):
    answers(vendor, api_key, "Well.")
    assert text_of(final(http, False, [said("user", "Go"), *ITEMS])) == "Well."
    prompt = vendor.prompt(api_key)
    assert all(word in prompt for word in ("shell", "apply_patch", "delete_file", '"name": "weather"', "tool_search"))


def test_a_configuration_holds_for_what_follows(http, vendor, api_key):
    answers(vendor, api_key, "```json\n{\"a\": 1}\n```")
    update = {"type": "configuration_update", "text": {"format": {"type": "json_object"}}}
    assert text_of(final(http, False, [update, said("user", "JSON")])) == '{"a": 1}'


def test_pictures(http, vendor, api_key):
    picture = "data:image/png;base64," + PNG
    parts = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": picture, "detail": "auto"}]
    answers(vendor, api_key, "A dot.")
    got = final(http, False, [{"role": "user", "content": parts}])
    assert text_of(got) == "A dot." and len(vendor.uploads(api_key)) == 1


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


# The official client


class City(BaseModel):
    name: str
    inhabitants: int


class Country(BaseModel):
    name: str
    cities: list[City]


def test_parse(client, vendor, api_key):
    text = '{"name": "Italy", "cities": [{"name": "Rome", "inhabitants": 3}]}'
    answers(vendor, api_key, f"Here you are:\n```json\n{text}\n```")
    got = client.responses.parse(model=MODEL, input="Italy", text_format=Country)
    assert got.output_parsed == Country(name="Italy", cities=[City(name="Rome", inhabitants=3)])


def test_the_streaming_helper(client, vendor, api_key):
    answers(vendor, api_key, "One two three.")
    with client.responses.stream(model=MODEL, input="Count") as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        got = stream.get_final_response()
    assert "".join(pieces) == got.output_text == "One two three." and len(pieces) > 1


def test_the_streaming_helper_with_tools(client, vendor, api_key):
    answers(vendor, api_key, ROME)
    with client.responses.stream(model=MODEL, input="Weather", tools=[WEATHER]) as stream:
        got = stream.get_final_response()
    assert got.output[0].parsed_arguments == {"city": "Rome"}


@pytest.mark.parametrize("by_id", [False, True], ids=["all items", "previous_response_id"])
def test_a_tool_loop(client, vendor, api_key, by_id):
    answers(vendor, api_key, ROME, ROME.replace("Rome", "Oslo"), "Sunny in both.")
    turns: list[Any] = [said("user", "Rome and Oslo?")]
    previous: dict[str, str] = {}
    for city in ("Rome", "Oslo"):
        got = client.responses.create(model=MODEL, input=turns, tools=[WEATHER], **previous)
        (call,) = got.output
        assert json.loads(call.arguments) == {"city": city}
        if by_id:
            turns, previous = [], {"previous_response_id": got.id}
        else:
            turns += got.output
        turns.append(result(f"Sunny in {city}", call.call_id))
    last = client.responses.create(model=MODEL, input=turns, tools=[WEATHER], **previous)
    assert last.output_text == "Sunny in both."
    prompt = last_prompt(vendor, api_key)
    assert "Sunny in Rome" in prompt and "Sunny in Oslo" in prompt and "Rome and Oslo?" in prompt


def test_a_tool_loop_async(relay, vendor, api_key):
    answers(vendor, api_key, ROME, "Sunny.")

    async def loop() -> str:
        async with checked.async_client(httpx2, timeout=30) as http:
            client = openai.AsyncOpenAI(api_key=api_key, base_url=relay.v1, max_retries=0, http_client=http)
            async with client.responses.stream(model=MODEL, input="Rome?", tools=[WEATHER]) as stream:
                got = await stream.get_final_response()
            turns: Any = [result("Sunny", got.output[0].call_id)]
            last = await client.responses.create(model=MODEL, input=turns, tools=[WEATHER], previous_response_id=got.id)
            return last.output_text

    assert asyncio.run(loop()) == "Sunny."


# Others


def test_websockets_are_told_to_go_on_by_http(http):
    answer = http.get(PATH, headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"})
    assert answer.status_code == 426 and answer.headers["connection"] == "close"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert error_of(http.get(PATH), 405)["code"] == "method_not_allowed"


def test_input_tokens(http, vendor, api_key):
    few = http.post(f"{PATH}/input_tokens", json=body("Hello")).json()["input_tokens"]
    more = http.post(f"{PATH}/input_tokens", json=body("Hello " * 50, tools=[WEATHER], instructions="Be brief")).json()
    assert 0 < few < 5 < 50 < more["input_tokens"] and vendor.requests(api_key) == []
    assert http.post(f"{PATH}/input_tokens", json={"input": "Hello"}).json()["input_tokens"] > 0
    assert http.post(f"{PATH}/input_tokens", json={}).status_code == 200
    wrong = http.post(f"{PATH}/input_tokens", json=body(tools=[WEATHER | {"parameters": {"$ref": "#/odd"}}]))
    assert error_of(wrong, 400)["param"] == "tools[0].parameters"


@pytest.mark.parametrize("is_stream", [False, True])
def test_chat_completions_understand_the_body(http, vendor, api_key, is_stream):
    answers(vendor, api_key, ROME)
    sent = body([said("user", "Rome?")], tools=[WEATHER], stream=is_stream, instructions="Be brief.")
    answer = http.post("/v1/chat/completions", json=sent)
    assert answer.status_code == 200 and '"tool_calls":[{' in answer.text and "Be brief." in vendor.prompt(api_key)
    refused = http.post("/v1/chat/completions", json=sent | {"previous_response_id": "resp_1"})
    assert error_of(refused, 400)["param"] == "previous_response_id"
