"""Chat by a provider of the kind cohere: requests as its vendor accepts them, whole and streamed responses, failures,
changes."""

import base64
import json

import cohere_vendor
import officials
import pytest
from chat import ask, either, refusal, stream, text_of
from cohere_vendor import end
from conftest import TEAM_TOKEN, VENDOR_KEY, http_of, running
from pictures import picture
from relay_process import provider

MODEL, THINKER = "command-a-03-2025", "command-a-reasoning-08-2025"
CALLS = [("weather_p1", "weather", '{"city":"Rome"}'), ("weather_p2", "weather", '{"city":"Oslo"}')]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": PARAMETERS}}


vendor_site = running(cohere_vendor.start)


@pytest.fixture(scope="module")
def cohere_relay(launch, vendor_site):
    return launch(
        **provider("CO", "cohere", vendor_site.base_url + "/v1", ",".join(cohere_vendor.MODELS), API_KEY=VENDOR_KEY, IDLE_TIMEOUT="3s", TIMEOUT="3s"),
        KEY_TEAM_TOKEN=TEAM_TOKEN,
    )  # fmt: skip


co = http_of("cohere_relay", "vendor_site", MODEL, THINKER)


official = officials.openai_of("cohere_relay")
def test_a_plain_request(co, vendor_site):
    assert text_of(ask(co, model="command")) == "Hello there"
    (seen,) = vendor_site.asked(MODEL)
    assert seen["body"] == {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
    assert seen["headers"]["authorization"] == f"Bearer {VENDOR_KEY}"
    assert stream(co, model="command").text() == "Hello there"
    assert vendor_site.asked(MODEL)[1]["body"]["stream"] is True


def test_wishes(co, vendor_site):
    ask(co, model="command", temperature=1.5, top_p=1, max_tokens=50, stop=["a", "b"], seed=7, presence_penalty=0.5,
        frequency_penalty=1.5, user="me", store=False, logit_bias={"1": 2}, reasoning_effort="high")  # fmt: skip
    assert vendor_site.body(MODEL) | {"messages": None} == {
        "model": MODEL, "messages": None, "temperature": 1, "p": 0.99, "max_tokens": 50, "stop_sequences": ["a", "b"], "seed": 7,
        "frequency_penalty": 1,
    }  # fmt: skip
    vendor_site.says(MODEL, {})
    ask(co, model="command", presence_penalty=-1, frequency_penalty=0)
    assert set(vendor_site.body(MODEL)) == {"model", "messages"}


@pytest.mark.parametrize(
    "effort, told",
    [("none", {"type": "disabled"}), ("low", {"type": "enabled", "token_budget": 1024}),
     ("medium", {"type": "enabled", "token_budget": 4096}), ("xhigh", {"type": "enabled"}), (None, None)],
)  # fmt: skip
def test_efforts(co, vendor_site, effort, told):
    ask(co, model="thinker", **({"reasoning_effort": effort} if effort else {}))
    assert vendor_site.body(THINKER).get("thinking") == told


def test_a_conversation(co, vendor_site):
    def call(id, name, arguments):
        return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}

    ask(co, model="command", tools=[TOOL], messages=[
        {"role": "developer", "content": "A"}, {"role": "user", "content": ""}, {"role": "assistant", "content": ""},
        {"role": "user", "content": "Hi"}, {"role": "system", "content": ""},
        {"role": "assistant", "content": None, "tool_calls": [call("a", "weather", '{"x":1}'), call("b", "odd näme-1", "no json"), call("c", "weather", "")]},
        {"role": "tool", "tool_call_id": "c", "content": ""}, {"role": "tool", "tool_call_id": "a", "content": "fine"},
        {"role": "tool", "tool_call_id": "a", "content": "again"},
        {"role": "assistant", "content": "x", "tool_calls": [call("a", "weather", "{}")]},
    ])  # fmt: skip
    calls = [call("a", "weather", '{"x":1}'), call("b", "odd_n__me_1", '{"_raw":"no json"}'), call("c", "weather", "{}")]
    assert vendor_site.body(MODEL)["messages"] == [
        {"role": "system", "content": "A"}, {"role": "user", "content": "."}, {"role": "assistant", "content": "."},
        {"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "fine"}, {"role": "tool", "tool_call_id": "b", "content": "No result."},
        {"role": "tool", "tool_call_id": "c", "content": "."}, {"role": "user", "content": "again"},
        {"role": "assistant", "content": "x", "tool_calls": [call("a_2", "weather", "{}")]},
        {"role": "tool", "tool_call_id": "a_2", "content": "No result."},
    ]  # fmt: skip


def test_results_that_stand_apart_from_their_calls(co, vendor_site):
    def call(id):
        return {"id": id, "type": "function", "function": {"name": "weather", "arguments": "{}"}}

    def result(id, said):
        return {"role": "tool", "tool_call_id": id, "content": said}

    ask(co, model="command", tools=[TOOL], messages=[
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": None, "tool_calls": [call("a"), call("b"), call("c"), call("c")]},
        result("c", "first"), {"role": "system", "content": "Be brief"}, result("a", "one"), {"role": "user", "content": "And?"},
        {"role": "assistant", "content": "Wait"}, result("b", "two"), result("c", "second"), result("c", "lost"),
        {"role": "assistant", "content": None, "tool_calls": [call("a")]}, {"role": "assistant", "content": None, "tool_calls": [call("a")]},
        result("a", "new"),
    ])  # fmt: skip
    sent = vendor_site.body(MODEL)["messages"]
    assert [(message["role"], message.get("content")) for message in sent] == [
        ("user", "Hi"), ("assistant", None), ("tool", "one"), ("tool", "two"), ("tool", "first"), ("tool", "second"),
        ("user", "<system-reminder>\nBe brief\n</system-reminder>"), ("user", "And?"), ("assistant", "Wait"), ("user", "lost"), ("assistant", None), ("tool", "new"), ("assistant", None), ("tool", "No result."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "choice, told, names",
    [("auto", None, ["weather", "other"]), ("none", "NONE", ["weather", "other"]), ("required", "REQUIRED", ["weather", "other"]),
     ({"type": "function", "function": {"name": "other"}}, "REQUIRED", ["other"])],
    ids=str,
)  # fmt: skip
def test_tool_choice(co, vendor_site, choice, told, names):
    vendor_site.says(MODEL, {"calls": [("a", "other", "{}")]})
    ask(co, model="command", tools=[TOOL, {"type": "function", "function": {"name": "other"}}], tool_choice=choice)
    body = vendor_site.body(MODEL)
    assert body.get("tool_choice") == told and [tool["function"]["name"] for tool in body["tools"]] == names
    assert body["tools"][-1]["function"]["parameters"] == {"type": "object", "properties": {}}


def test_strict_tools(co, vendor_site):
    strict = {"type": "function", "function": TOOL["function"] | {"strict": True}}
    ask(co, model="command", tools=[strict])
    assert vendor_site.body(MODEL)["strict_tools"] is True
    vendor_site.says(MODEL, {})
    ask(co, model="command", tools=[strict, {"type": "function", "function": {"name": "f", "strict": True}}])
    assert "strict_tools" not in vendor_site.body(MODEL)


def form_of(schema):
    return {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}


def test_formats(co, vendor_site, is_streamed):
    vendor_site.says(MODEL, {"text": '{"city":"Rome"}'})
    assert either(co, is_streamed, model="command", response_format=form_of(PARAMETERS))[0] == '{"city":"Rome"}'
    assert vendor_site.body(MODEL)["response_format"] == {"type": "json_object", "json_schema": PARAMETERS}
    vendor_site.says(MODEL, {"text": "{}"})
    assert either(co, is_streamed, model="command", response_format={"type": "json_object"})[0] == "{}"
    body = vendor_site.body(MODEL)
    assert body["response_format"] == {"type": "json_object"} and "JSON" in body["messages"][0]["content"]


def test_formats_that_are_written_into_the_prompt(co, vendor_site):
    vendor_site.says(MODEL, {"text": 'So: {"city": "Rome"}'})
    loose = {"type": "object", "properties": {"city": {"type": "string"}}}
    for fields in ({"response_format": form_of(loose)}, {"response_format": form_of(PARAMETERS), "tools": [TOOL]}):
        assert json.loads(either(co, False, model="command", **fields)[0]) == {"city": "Rome"}
        assert not {"response_format", "tools"} & set(vendor_site.asked(MODEL)[-1]["body"])


def test_formats_with_tools_that_may_not_be_called(co, vendor_site, is_streamed):
    """Earlier calls keep the tools, so the format is requested in the prompt."""
    vendor_site.says(MODEL, {"text": '{"city": "Rome"}'})
    fields = {"tools": [TOOL], "tool_choice": "none", "response_format": form_of(PARAMETERS)}
    assert json.loads(either(co, is_streamed, model="command", **fields)[0]) == {"city": "Rome"}
    body = vendor_site.body(MODEL)
    assert body["response_format"]["json_schema"] == PARAMETERS and not {"tools", "tool_choice"} & set(body)
    earlier = [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "7"},
    ]
    assert json.loads(either(co, is_streamed, model="command", messages=earlier, **fields)[0]) == {"city": "Rome"}
    body = vendor_site.asked(MODEL)[-1]["body"]
    assert body["tool_choice"] == "NONE" and "response_format" not in body


def data_url(kind, content):
    return f"data:{kind};base64," + base64.b64encode(content).decode()


def test_pictures_and_texts(co, vendor_site):
    shown = data_url("image/png", picture("one"))
    parts = [
        {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": shown, "detail": "low"}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": data_url("text/plain", b"plain words")}},
    ]  # fmt: skip
    ask(co, model="command", messages=[{"role": "user", "content": parts}])
    assert vendor_site.body(MODEL)["messages"][0]["content"] == [
        {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": shown, "detail": "low"}}, {"type": "text", "text": "plain words"},
    ]  # fmt: skip
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=", "format": "wav"}}
    pdf = {"type": "file", "file": {"filename": "a.pdf", "file_data": data_url("application/pdf", b"%PDF-1.4 x")}}
    for part in (sound, pdf):
        assert refusal(co, model="command", messages=[{"role": "user", "content": [part]}])[0] == 400
    assert len(vendor_site.asked(MODEL)) == 1


def test_pictures_of_others_than_the_user(co, vendor_site):
    shown = {"type": "image_url", "image_url": {"url": data_url("image/png", picture("one"))}}
    ask(co, model="command", messages=[
        {"role": "system", "content": [shown, {"type": "text", "text": "Be brief"}]}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "Here"}, shown]}, {"role": "user", "content": "And?"},
    ])  # fmt: skip
    assert vendor_site.body(MODEL)["messages"] == [
        {"role": "system", "content": "Be brief"}, {"role": "user", "content": [shown]}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Here"}, {"role": "user", "content": [shown]}, {"role": "user", "content": "And?"},
    ]  # fmt: skip


def test_names_and_functions_of_old(co, vendor_site):
    tools = [{"type": "function", "function": {"name": name}} for name in ("a-b", "a_b", "1c")]
    ask(co, model="command", tools=tools)
    sent = [tool["function"]["name"] for tool in vendor_site.body(MODEL)["tools"]]
    assert sent == ["a_b", "a_b_2", "_1c"]
    vendor_site.says(MODEL, {"calls": [(f"id{at}", name, "") for at, name in enumerate(sent)]})
    made = ask(co, model="command", tools=tools).json()["choices"][0]["message"]["tool_calls"]
    assert [(call["function"]["name"], call["function"]["arguments"]) for call in made] == [("a-b", "{}"), ("a_b", "{}"), ("1c", "{}")]
    vendor_site.says(MODEL, {"calls": CALLS})
    choice = ask(co, model="command", functions=[TOOL["function"]]).json()["choices"][0]
    assert choice["message"]["function_call"] == {"name": "weather", "arguments": '{"city":"Rome"}'}


def test_usage(co, vendor_site):
    vendor_site.says(MODEL, {"usage": {"tokens": {"input_tokens": 20.0, "output_tokens": 7.0}, "cached_tokens": 12.0}})
    for usage in (ask(co, model="command").json()["usage"], stream(co, model="command", stream_options={"include_usage": True}).usage()):
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]["cached_tokens"]) == (20, 7, 12)
    vendor_site.says(MODEL, {"usage": {"billed_units": {"input_tokens": 3, "output_tokens": 4}}})
    assert ask(co, model="command").json()["usage"]["total_tokens"] == 7
    vendor_site.says(MODEL, {"usage": {"tokens": {"input_tokens": 20.0}, "billed_units": {"input_tokens": 3, "output_tokens": 4000}}})
    for usage in (ask(co, model="command").json()["usage"], stream(co, model="command", stream_options={"include_usage": True}).usage()):
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (20, 4000)


def test_the_stop_that_ended_it(co, vendor_site, is_streamed):
    def ended(*stops):
        body = {"model": "command", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}], "stop_sequences": stops, "stream": is_streamed}
        answer = co.post("/v1/messages", json=body)
        if is_streamed:
            events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
            (end,) = (event["delta"] for event in events if event["type"] == "message_delta")
        else:
            end = answer.json()
        return end["stop_reason"], end["stop_sequence"]

    vendor_site.says(MODEL, {"finish": "STOP_SEQUENCE"})
    assert ended("END") == ("stop_sequence", "END")
    # Cohere does not say which.
    assert ended("END", "STOP") == ("end_turn", None)
    vendor_site.says(MODEL, {"finish": "COMPLETE"})
    assert ended("END") == ("end_turn", None)


def test_an_end_without_text(co, vendor_site, is_streamed):
    vendor_site.says(MODEL, {"finish": "MAX_TOKENS", "text": ""})
    assert either(co, is_streamed, model="command") == ("", "length")


def said(message):
    return {"id": "1", "message": message}


TABLE = [
    (400, said("It is wrong."), {}, 400, None, {}), (422, said("It is wrong."), {}, 400, None, {}),
    (400, said("too many tokens: size limit exceeded"), {}, 400, "context_length_exceeded", {}),
    (400, said("The input exceeds the maximum context length of 9 tokens"), {}, 400, "context_length_exceeded", {}),
    (400, said("model 'x' not found, make sure the correct model ID was used"), {}, 404, "model_not_found", {}),
    (401, said("invalid api token"), {}, 502, "upstream_error", {}), (498, said("blocked token"), {}, 502, "upstream_error", {}),
    (402, said("billing"), {}, 402, "insufficient_quota", {"x-should-retry": "false"}), (403, said("no"), {}, 502, "upstream_error", {}),
    (404, said("model not found"), {}, 404, "model_not_found", {}), (413, {}, {}, 413, "request_too_large", {}),
    (429, said("You are using a Trial key, which is limited to 20 API calls / minute."), {}, 429, "rate_limit_exceeded", {"retry-after": "60"}),
    (429, said("You are using a Trial key, which is limited to 1000 API calls / month."), {}, 402, "insufficient_quota", {}),
    (429, said("slow down"), {"Retry-After": "7"}, 429, "rate_limit_exceeded", {"retry-after": "7"}),
    (499, said("closed"), {}, 502, "upstream_error", {}), (500, "<html>no</html>", {}, 502, "upstream_error", {}),
    (503, said("busy"), {}, 503, "upstream_error", {}), (504, {}, {}, 504, "upstream_timeout", {}),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[4]}")
def test_the_table(co, vendor_site, case, is_streamed):
    status, body, headers, told, code, own = case
    sent = {"raw": body.encode(), "type": "text/html"} if isinstance(body, str) else {"json": body}
    vendor_site.says(MODEL, {"status": status, "headers": headers} | sent)
    got, found, head = refusal(co, is_streamed, model="command")
    assert (got, found["code"]) == (told, code), found
    assert {name: head[name] for name in own} == own and len(vendor_site.asked(MODEL)) == 1


FAULTS = {
    "error": ({"json": {"message": {"content": []}, "finish_reason": "ERROR"}}, 502),
    "time-out": ({"json": {"message": {"content": []}, "finish_reason": "TIMEOUT"}}, 504),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_without_an_answer(co, vendor_site, name, is_streamed):
    script, status = FAULTS[name]
    vendor_site.says(MODEL, script)
    assert refusal(co, is_streamed, model="command")[0] == status


def test_an_error_as_the_first_event(co, vendor_site):
    vendor_site.says(MODEL, {"events": [end("TIMEOUT", error="slow")]})
    assert refusal(co, True, model="command")[0] == 504


MENDS = [
    ("max tokens must be less than or equal to 8001", {"max_tokens": 9000}, {"max_tokens": 8001}),
    ("thinking is not supported for this model", {"reasoning_effort": "low"}, {}),
    ("strict_tools is not supported", {"tools": [{"type": "function", "function": TOOL["function"] | {"strict": True}}]}, {"tools"}),
    ("seed is not supported", {"seed": 5, "temperature": 0.5}, {"temperature": 0.5}),
    ("frequency_penalty is not supported", {"frequency_penalty": 0.5}, {}),
    ("too many tokens: max tokens must be less than or equal to 4096, the maximum output for this model - received 9000.",
     {"max_tokens": 9000}, {"max_tokens": 4096}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(MENDS)))
def test_mends(co, vendor_site, number, start_relay, caller):
    message, fields, left = MENDS[number]
    name = f"command-mend-{number}" if "thinking" not in message else "thinker"
    model = THINKER if name == "thinker" else name
    vendor_site.says(model, {"status": 400, "json": said(message)}, {})
    assert text_of(ask(co, model=name, **fields)) == "Hello there"
    assert stream(co, model=name, **fields).is_done
    first, second, third = [request["body"] for request in vendor_site.asked(model)]
    assert second == {name: value for name, value in third.items() if name != "stream"} and first != second
    assert set(second) - {"model", "messages"} == set(left)
    if isinstance(left, dict):
        assert {key: second[key] for key in left} == left


@pytest.mark.parametrize("number, fields", [(6, {"tools": [TOOL], "tool_choice": "required"}), (7, {"response_format": {"type": "json_object"}})])
def test_abilities_that_a_model_lacks(co, vendor_site, number, fields):
    name = f"command-mend-{number}"
    text = 'So: {"a": 1}' if number == 7 else '<tool_call>{"name":"weather","arguments":{"city":"Rome"}}</tool_call>'
    word = "response_format json" if number == 7 else "tool_choice"
    vendor_site.says(name, {"status": 400, "json": said(f"{word} is not supported with model {name}")}, {"text": text})
    choice = ask(co, model=name, **fields).json()["choices"][0]
    assert choice["finish_reason"] == ("stop" if number == 7 else "tool_calls")
    assert set(vendor_site.asked(name)[1]["body"]) == {"model", "messages"}


def test_the_callers_key_and_another_kind(start_relay, vendor_site, server, caller, new_key):
    relay = start_relay(
        **provider("OWN", "cohere", vendor_site.base_url + "/v2", "command-own", PASSTHROUGH="true", HEADERS="X-Client-Name: T"),
        ANONYMOUS_MODELS="shared", **provider("CO", "cohere", vendor_site.base_url, "shared=command-shared", API_KEY=VENDOR_KEY),
        **provider("ROW", "openai", server.base_url, "shared=shared/row", PRIORITY=2, API_KEY=VENDOR_KEY),
    )  # fmt: skip
    key = new_key()
    vendor_site.says("command-own", {"own_headers": ["x-client-name"]})
    http = caller(relay, key)
    assert text_of(ask(http, model="command-own")) == "Hello there"
    (seen,) = vendor_site.asked("command-own")
    assert seen["headers"]["authorization"] == f"Bearer {key}" and seen["headers"]["x-client-name"] == "T"
    for status, told, code in [(401, 401, "invalid_api_key"), (403, 403, "permission_denied"), (429, 429, "rate_limit_exceeded")]:
        vendor_site.says("command-own", {"status": status, "json": said("no"), "own_headers": ["x-client-name"]})
        got, found, _ = refusal(http, model="command-own")
        assert (got, found["code"]) == (told, code)
    for is_streamed in (False, True):
        vendor_site.says("command-shared", {"status": 503, "json": said("busy")})
        server.says("shared/row", {})
        assert either(caller(relay), is_streamed, model="shared") == ("Hello there", "stop")
    assert server.take_violations() == [] and vendor_site.take_violations() == []
