"""Chats by the Responses API of a provider of the kind openai."""

import json

import pytest
import responding
from chat import PATH, ask, refusal, stream, text_of
from conftest import http_of, secrets
from openai_responses import USAGE, events, response
from relay_process import provider
from test_chat_pictures import host
from test_openai_chat import CALLS, TOOL

TOKEN = "token-of-chats-by-responses"
AT = "by/responses"
REFUSED = {
    "status": 400,
    "json": {"error": {"message": "Function tools with reasoning_effort are not supported for this model in /v1/chat/completions. Please use /v1/responses instead.",
                       "type": "invalid_request_error", "param": "reasoning_effort", "code": None}},
}  # fmt: skip
HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "Be kind."},
    {"role": "user", "content": [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png", "detail": "low"}}]},
    {"role": "assistant", "content": "I look", "tool_calls": [
        {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_a", "content": "fine"},
]  # fmt: skip


@pytest.fixture(scope="module")
def relay(launch, server):
    secrets.add(TOKEN)
    return launch(
        **provider("ROW", "openai", server.base_url, f"m={AT},m1,m2,m3,m4,m5", CHAT_VIA="responses"),
        **provider("AUTO", "openai", server.base_url, "a1,a2,a3,a4,a5,a6,a7", CHAT_VIA="auto"), KEY_A_TOKEN=TOKEN,
    )  # fmt: skip


http = http_of("relay", "server", AT, token=TOKEN)


def either(http, is_streamed, **fields):
    """Returns (message, finish, usage)."""
    if not is_streamed:
        answer = ask(http, **fields)
        assert answer.status_code == 200, answer.text
        (choice,) = answer.json()["choices"]
        return choice["message"], choice["finish_reason"], answer.json()["usage"]
    got = stream(http, stream_options={"include_usage": True}, **fields)
    assert got.error is None and got.is_done, got
    return got, got.finish(), got.usage()


def calls_of(got):
    """Returns (id, name, arguments) of a stream's calls."""
    calls = {}
    for choice in got.choices(0):
        for piece in choice["delta"].get("tool_calls", ()):
            one = calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
            one["id"] += piece.get("id", "")
            one["name"] += piece["function"].get("name", "")
            one["arguments"] += piece["function"].get("arguments", "")
    return [tuple(one.values()) for one in calls.values()]


def test_texts(http, is_streamed):
    message, finish, usage = either(http, is_streamed, model="m")
    assert (message.text() if is_streamed else message["content"]) == "Hello there" and finish == "stop"
    assert usage["prompt_tokens"] == USAGE["input_tokens"] and usage["completion_tokens"] == USAGE["output_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 4
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 3


@pytest.mark.parametrize("at_once", [False, True])
def test_calls(http, server, is_streamed, at_once):
    server.says(AT, {"calls": CALLS, "text": "I ask", "at_once": at_once})
    message, finish, _ = either(http, is_streamed, model="m", tools=[TOOL])
    assert finish == "tool_calls"
    if is_streamed:
        assert calls_of(message) == CALLS and message.text() == "I ask"
        return
    assert message["content"] == "I ask"
    told = [(one["id"], one["function"]["name"], one["function"]["arguments"]) for one in message["tool_calls"]]
    assert told == CALLS


@pytest.mark.parametrize("script, finish", [
    ({"finish": "max_output_tokens"}, "length"), ({"finish": "content_filter"}, "content_filter"), ({"text": ""}, "stop"),
    ({"finish": "unsaid"}, "length"),
])  # fmt: skip
def test_ends(http, server, script, finish, is_streamed):
    server.says(AT, script)
    assert either(http, is_streamed, model="m")[1] == finish


def test_refusals_and_older_functions(http, server):
    server.says(AT, {"text": "I will not", "refuses": True})
    message, finish, _ = either(http, False, model="m")
    assert message["refusal"] == "I will not" and message["content"] is None
    server.says(AT, {"calls": CALLS[:1]})
    told = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
        {"role": "function", "name": "weather", "content": "fine"},
    ]
    message, finish, _ = either(http, False, model="m", messages=told, functions=[TOOL["function"]])
    assert finish == "function_call" and message["function_call"] == {"name": "weather", "arguments": CALLS[0][2]}
    kinds = [item.get("type") for item in server.body(AT)["input"]]
    assert kinds == [None, "function_call", "function_call_output"]


def test_what_it_lacks_is_made_up_for(http, server):
    server.says(AT, {"text": "one two END three"})
    answer = ask(http, model="m", n=2, stop=["END"])
    assert [one["message"]["content"] for one in answer.json()["choices"]] == ["one two ", "one two "]
    assert len(server.asked(AT)) == 2
    # What the vendor wrote and bills, not what is left of it.
    assert answer.json()["usage"]["completion_tokens"] == 2 * USAGE["output_tokens"]
    answer = ask(http, model="m", max_tokens=2)
    assert answer.json()["usage"]["completion_tokens"] == USAGE["output_tokens"]
    assert answer.json()["choices"][0]["finish_reason"] == "length"
    assert server.asked(AT)[-1]["body"]["max_output_tokens"] == 16


@pytest.mark.parametrize("name", ["tools", "functions"])
def test_what_is_asked_for_in_words_has_no_results_without_calls(http, server, name, is_streamed):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    fields = {"tools": [TOOL], "messages": HISTORY}
    if name == "functions":
        made = {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}}
        result = {"role": "function", "name": "weather", "content": "fine"}
        fields = {"functions": [TOOL["function"]], "messages": [*HISTORY[:3], made, result]}
    server.says(AT, {"text": "no"}, {"text": '{"a":"b"}'})
    got = either(
        http, is_streamed, model="m", **fields,
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}},
    )[0]  # fmt: skip
    assert (got.text() if is_streamed else got["content"]) == '{"a":"b"}'
    first, second = (seen["body"]["input"] for seen in server.asked(AT))
    assert [item["output"] for item in first if item.get("type") == "function_call_output"] == ["fine"]
    assert all("type" not in item for item in second)
    assert [item["role"] for item in second[:6]] == ["system", "developer", "system", "user", "assistant", "user"]
    assert "fine" in second[5]["content"]


@pytest.mark.parametrize("thoughts", ["First.\n\nSecond.", ""])
def test_thoughts_go_both_ways(http, server, is_streamed, thoughts):
    server.says(AT, {"reasoning": thoughts, "calls": CALLS[:1]})
    body = {
        "model": "m", "max_tokens": 2000, "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"name": "weather", "input_schema": TOOL["function"]["parameters"]}], "stream": is_streamed,
    }  # fmt: skip
    answer = http.post("/v1/messages", json=body)
    assert answer.status_code == 200, answer.text
    if is_streamed:
        told = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        deltas = [event["delta"] for event in told if event["type"] == "content_block_delta"]
        if thoughts:
            thinking = "".join(delta.get("thinking", "") for delta in deltas)
            signature = "".join(delta.get("signature", "") for delta in deltas)
            blocks = [{"type": "thinking", "thinking": thinking, "signature": signature}]
        else:
            starts = [event["content_block"] for event in told if event["type"] == "content_block_start"]
            blocks = [block for block in starts if block["type"] == "redacted_thinking"]
        blocks.append({"type": "tool_use", "id": CALLS[0][0], "name": "weather", "input": json.loads(CALLS[0][2])})
    else:
        blocks = answer.json()["content"]
    assert blocks[0].get("thinking", "") == thoughts
    result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "fine"}
    body["messages"] += [{"role": "assistant", "content": blocks}, {"role": "user", "content": [result]}]
    server.says(AT, {})
    answer = http.post("/v1/messages", json=body | {"stream": False})
    assert answer.status_code == 200, (blocks, answer.text)
    item = server.body(AT)["input"][1]
    assert item["type"] == "reasoning" and item["encrypted_content"] == "gAAAA-sealed" and item["id"] == "rs_1"
    assert "".join(part["text"] for part in item["summary"]) == thoughts


def test_a_file_by_url_is_fetched_for_a_server_that_does_not(start_relay, server, caller, is_streamed):
    at = provider("ROW", "openai", server.base_url, f"m={AT}", CHAT_VIA="responses")
    http = caller(start_relay(**at, KEY_A_TOKEN=TOKEN, FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.1/32"), TOKEN)
    refused = {"error": {"message": "Unsupported parameter: 'input[0].content[0].file_url'.", "type": "invalid_request_error", "param": None, "code": None}}
    server.says(AT, {"status": 400, "json": refused}, {}, {})
    with host({"/a.pdf": b"%PDF-1.4 mine"}) as (address, _):
        sent = {"model": "m", "store": False, "stream": is_streamed, "input": [{"role": "user", "content": [{"type": "input_file", "file_url": address + "/a.pdf"}]}]}
        for calls in (2, 3):
            assert http.post("/v1/responses", json=sent).status_code == 200
            assert len(server.asked(AT)) == calls
            (part,) = server.asked(AT)[-1]["body"]["input"][0]["content"]
            assert part["type"] == "input_file" and part["file_data"].startswith("data:application/pdf;base64,")


def test_the_vendors_tier(http, server, is_streamed):
    server.says(AT, {"tier": "flex"}, {"tier": "flex"})
    got = http.post("/v1/responses", json={"model": "m", "input": "Hi", "stream": is_streamed})
    assert (responding.events(got)[-1]["response"] if is_streamed else got.json())["service_tier"] == "flex"
    fields = {"model": "m", "stream": is_streamed} | ({"stream_options": {"include_usage": True}} if is_streamed else {})
    assert '"service_tier":"flex"' in ask(http, **fields).text


FAULTS = [
    ({"status": 429, "json": {"error": {"type": "insufficient_quota", "message": "x"}}}, 402, "insufficient_quota"),
    ({"status": 400, "json": {"error": {"message": "Bad.", "param": "input[0]", "code": "bad_thing"}}}, 400, "bad_thing"),
    ({"json": response({}, status="failed", error={"code": "rate_limit_exceeded", "message": "x"})}, 429, "rate_limit_exceeded"),
    ({"json": {"id": "x"}}, 502, "upstream_error"),
]


@pytest.mark.parametrize("script, status, code", FAULTS)
def test_faults(start_relay, server, caller, script, status, code):
    relay = start_relay(**provider("ROW", "openai", server.base_url, f"m={AT},m1,m2,m3,m4,m5", CHAT_VIA="responses"), KEY_A_TOKEN=TOKEN)
    http = caller(relay, TOKEN)
    server.says(AT, script)
    assert refusal(http, model="m")[0] == status
    got, error, _ = refusal(http, True, model="m")
    assert (got, error["code"]) == (status, code)
    assert server.take_violations() == []


def test_faults_in_a_stream(http, server):
    failed = {"type": "response.failed", "response": response({}, status="failed", error={"code": "server_error", "message": "x"})}
    server.says(AT, {"events": [*events({})[:5], failed]})
    got = stream(http, model="m")
    assert got.error and not got.is_done and got.text()
    server.says(AT, {"events": events({})[:5]})
    got = stream(http, model="m")
    assert got.error and not got.is_done
    server.says(AT, {"events": [{"type": "error", "code": "server_is_overloaded", "message": "x"}]})
    assert refusal(http, True, model="m")[0] == 503


def test_an_answer_that_was_cancelled_is_a_failure(http, server, is_streamed):
    ended = response({}, status="cancelled")
    server.says(AT, {"events": [{"type": "response.cancelled", "response": ended}], "json": ended})
    assert refusal(http, is_streamed, model="m")[0] == 502


def test_tokens_that_are_kept_are_told(http, server, is_streamed):
    usage = USAGE | {"input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2}}
    told = response({}) | {"usage": usage}
    server.says(AT, {"events": [*events({})[:-1], {"type": "response.completed", "response": told}]} if is_streamed else {"json": told})
    details = either(http, is_streamed, model="m")[2]["prompt_tokens_details"]
    assert details == {"cached_tokens": 4, "cache_write_tokens": 2}


def test_sound_has_no_place(http, server, is_streamed):
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=", "format": "wav"}}
    messages = [{"role": "user", "content": [sound]}]
    status, error, _ = refusal(http, is_streamed, model="m", messages=messages)
    assert (status, error["code"], error["param"]) == (400, "unsupported_parameter", "messages[0].content[0].input_audio.data")
    assert server.asked(AT) == []
    # A model that has refused tools with an effort is asked for sound by the other endpoint all the same.
    at = "a6" if is_streamed else "a5"
    server.says(at, REFUSED, {})
    tools = {"tools": [TOOL], "reasoning_effort": "low"}
    assert text_of(ask(http, model=at, **tools)) == "Hello there"
    assert either(http, is_streamed, model=at, messages=messages, **tools)[1] == "stop"
    assert [seen["path"] for seen in server.asked(at)] == ["/chat/completions", "/responses", "/chat/completions"]


MENDS = {
    "m1": ({"message": "Unsupported value: 'minimal' is not supported with this model. Supported values are: 'none', 'low', and 'high'.", "param": "reasoning.effort", "code": "unsupported_value"},
           {"reasoning_effort": "minimal"}, lambda body: body["reasoning"]["effort"] == "none"),
    "m3": ({"message": "Unknown parameter: 'tools[0].strict'.", "param": "tools[0].strict", "code": "unknown_parameter"},
           {"tools": [TOOL]}, lambda body: "strict" not in body["tools"][0] and body["tools"][0]["name"] == "weather"),
    "m4": ({"message": "Unknown parameter: 'text.verbosity'.", "param": "text.verbosity", "code": "unknown_parameter"},
           {"verbosity": "low", "response_format": {"type": "json_object"}}, lambda body: body["text"] == {"format": {"type": "json_object"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", MENDS)
def test_requests_are_mended(http, server, name):
    said, fields, is_mended = MENDS[name]
    server.says(name, {"status": 400, "json": {"error": said}}, {"text": "{}"})
    for calls in (2, 3):
        assert text_of(ask(http, model=name, **fields)) == "{}"
        assert len(server.asked(name)) == calls and is_mended(server.asked(name)[-1]["body"])


def test_a_stream_that_lies(http, server):
    """Unknown events and values of a wrong type are skipped."""
    call = {"type": "function_call", "id": "fc_9", "call_id": None, "name": "weather", "arguments": '{"a":1}'}
    odd = [
        {"type": "response.unheard_of", "delta": "x"}, {"type": None}, {"type": 7, "delta": []},
        {"type": "response.output_text.delta", "delta": None}, {"type": "response.output_text.delta", "delta": ["x"]},
        {"type": "response.output_item.added", "item": None}, {"type": "response.output_item.added", "item": {"type": 5}},
        {"type": "response.function_call_arguments.delta", "output_index": 3, "delta": "early"},
        {"type": "response.reasoning_summary_text.delta", "output_index": "one", "summary_index": {}, "delta": 5},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "Hi"},
        {"type": "response.output_item.done", "output_index": 1, "item": {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}},
        {"type": "response.output_item.done", "output_index": 4, "item": call},
        {"type": "response.output_item.done", "output_index": 4, "item": call},
        {"type": "response.output_item.done", "output_index": 5, "item": {"type": "reasoning", "id": 4, "encrypted_content": "x"}},
        {"type": "response.completed"},
        {"type": "response.completed", "response": {"usage": {"input_tokens": -1, "output_tokens": "x"}, "incomplete_details": 5}},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "late"},
    ]  # fmt: skip
    lines = [f"data: {json.dumps(event)}\n\n" for event in odd]
    server.says(AT, {"raw": "".join(lines).encode(), "streams": True, "type": "text/event-stream"})
    got = stream(http, model="m", tools=[TOOL])
    assert got.text() == "Hi" and got.finish() == "tool_calls" and got.is_done
    ((id, name, arguments),) = calls_of(got)
    assert id.startswith("call_") and (name, arguments) == ("weather", '{"a":1}')


@pytest.mark.parametrize("is_streamed, name", [(False, "a1"), (True, "a2")])
def test_a_refusal_teaches(http, server, is_streamed, name):
    server.says(name, REFUSED, {"calls": CALLS})
    fields = {"model": name, "tools": [TOOL], "reasoning_effort": "low"}
    for _ in range(2):
        assert either(http, is_streamed, **fields)[1] == "tool_calls"
    assert [one["path"] for one in server.asked(name)] == ["/chat/completions", "/responses", "/responses"]
    # Without tools all is as before.
    ask(http, model=name)
    assert server.asked(name)[-1]["path"] == "/chat/completions"


def test_a_model_that_has_only_responses(http, server):
    said = {"message": "This model is only supported in v1/responses and not in v1/chat/completions.", "param": "model", "code": None}
    server.says("a3", {"status": 404, "json": {"error": said}}, {})
    assert text_of(ask(http, model="a3")) == "Hello there"
    assert [one["path"] for one in server.asked("a3")] == ["/chat/completions", "/responses"]


def test_thoughts_that_a_model_does_not_have(http, server):
    said = {"message": "Encrypted content is not supported with this model.", "param": "include", "code": None}
    server.says("a4", REFUSED, {"status": 400, "json": {"error": said}}, {})
    assert text_of(ask(http, model="a4", tools=[TOOL], reasoning_effort="low")) == "Hello there"
    body = server.asked("a4")[-1]["body"]
    assert "include" not in body and body["reasoning"] == {"effort": "low"}


def test_summaries_that_a_model_does_not_have(http, server):
    said = {"message": "Your organization must be verified to generate reasoning summaries.", "param": "reasoning.summary", "code": "unsupported_value"}
    server.says("a7", REFUSED, {"status": 400, "json": {"error": said}}, {})
    assert text_of(ask(http, model="a7", tools=[TOOL], reasoning_effort="low")) == "Hello there"
    body = server.asked("a7")[-1]["body"]
    assert body["include"] == ["reasoning.encrypted_content"] and body["reasoning"] == {"effort": "low"}


def test_where_it_is_not_wanted(team, server):
    server.says("big/model:1", REFUSED, {})
    answer = team.post(PATH, json={"model": "fast", "messages": [{"role": "user", "content": "Hi"}], "tools": [TOOL], "reasoning_effort": "low"})
    assert answer.status_code == 200 and server.asked("big/model:1")[-1]["body"]["reasoning_effort"] == "none"
    server.says("big/model:1", {})


def test_the_setting_is_of_one_kind(start_relay, vendor):
    with pytest.raises(AssertionError, match="CHAT_VIA"):
        start_relay(PROVIDER_ONE_KIND="onemin", PROVIDER_ONE_CHAT_VIA="auto")


SEALED = {"error": {"message": "The encrypted content gAAA... could not be verified. Reason: Encrypted content could not be decrypted or parsed.",
                    "type": "invalid_request_error", "param": None, "code": "invalid_encrypted_content"}}  # fmt: skip
RESULTS = [{"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}, {"type": "function_call_output", "call_id": "c", "output": "fine"}]


@pytest.mark.parametrize("api", ["messages", "responses"])
def test_reasoning_of_another_key_is_left_out(http, server, api):
    server.says(AT, {"status": 400, "json": SEALED}, {})
    if api == "messages":
        thought = {"type": "thinking", "thinking": "Hm.", "signature": "rs_1.gAAAA-other"}
        use = {"type": "tool_use", "id": "c", "name": "weather", "input": {}}
        fields = {"max_tokens": 99, "tools": [{"name": "weather", "input_schema": {"type": "object"}}], "messages": [
            {"role": "user", "content": "Hi"}, {"role": "assistant", "content": [thought, use]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "fine"}]}]}  # fmt: skip
    else:
        thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA-other"}
        fields = {"store": False, "include": ["reasoning.encrypted_content"], "input": [{"role": "user", "content": "Hi"}, thought, *RESULTS]}
    answer = http.post(f"/v1/{api}", json={"model": "m"} | fields)
    assert answer.status_code == 200, answer.text
    first, second = [request["body"] for request in server.asked(AT)]
    assert [item.get("type") for item in first["input"]] == [None, "reasoning", "function_call", "function_call_output"]
    assert second == first | {"input": [item for item in first["input"] if item.get("type") != "reasoning"]}
    server.says(AT, {})
    assert http.post(f"/v1/{api}", json={"model": "m"} | fields).status_code == 200
    assert "reasoning" in str(server.body(AT)["input"]), "it is for this request only"


def test_a_thought_without_an_answer_does_not_go_back(http, server, is_streamed):
    """The response was cut off during the reasoning."""
    server.says(AT, {"reasoning": "Hm", "text": None, "finish": "max_output_tokens"}, {})
    hi, on = {"role": "user", "content": "Hi"}, {"role": "user", "content": "Go on"}
    asked = {"model": "m", "max_tokens": 100, "thinking": {"type": "adaptive"}}
    thought = http.post("/v1/messages", json=asked | {"messages": [hi]}).json()["content"]
    assert [block["type"] for block in thought] == ["thinking"]
    messages = [hi, {"role": "assistant", "content": thought}, on]
    assert http.post("/v1/messages", json=asked | {"messages": messages}).status_code == 200
    assert [item["role"] for item in server.asked(AT)[-1]["body"]["input"]] == ["user", "user"]

    server.says(AT, {"reasoning": "Hm", "text": None, "finish": "max_output_tokens"}, {})
    asked = {"model": "m", "input": "Hi", "reasoning": {"effort": "low"}, "stream": is_streamed}
    answer = http.post("/v1/responses", json=asked)
    cut = responding.events(answer)[-1]["response"] if is_streamed else answer.json()
    assert cut["status"] == "incomplete" and cut["output"][0]["type"] == "reasoning"
    assert http.post("/v1/responses", json={"input": "Go on", "previous_response_id": cut["id"]}).status_code == 200
    assert "reasoning" not in [item.get("type") for item in server.asked(AT)[-1]["body"]["input"]]
