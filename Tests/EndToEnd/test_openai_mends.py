"""Requests that a server refuses: changed as its refusal says, retried, and remembered."""

import base64
import json
from types import SimpleNamespace

import local_http
import pytest
from chat import PATH, ask, either, refusal, stream, text_of
from openai_vendor import USAGE, chunk, usage_chunk, whole
from pictures import picture
from relay_process import provider
from test_chat_pictures import host
from test_openai_chat import TOOL
from test_openai_responses import calls_of

MODELS = [f"mended-{number}" for number in range(150)]
"""More than there are tests."""
TOKEN = "token-of-mended-requests"
HISTORY = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_long", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "call_long", "content": "fine"},
]  # fmt: skip


def said(message, **fields):
    return {"status": 400, "json": {"error": {"message": message, "type": "invalid_request_error"} | fields}}


def dropped(name, value):
    unsupported = {"param": name, "code": "unsupported_parameter"}
    return said(f"Unsupported parameter: '{name}'", **unsupported), {name: value}, lambda body: name not in body


def messages(wanted):
    return lambda body: body["messages"] == wanted


PARTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def forbidden(*fields):
    """Returns a refusal of fields in Mistral's form."""
    told = [{"type": "extra_forbidden", "loc": ["body", *field.split(".")], "msg": "Extra inputs are not permitted"} for field in fields]
    return {"status": 422, "json": {"object": "error", "message": {"detail": told}, "type": "invalid_request_error"}}


CASES = {
    "newer bound": (said("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", param="max_tokens", code="unsupported_parameter"),
                    {"max_tokens": 9}, lambda body: body["max_completion_tokens"] == 9 and "max_tokens" not in body),
    "parts in serde's words": (said("Failed to deserialize the JSON body into the target type: messages[0]: invalid type: sequence, expected a string at line 1 column 97"),
                               {"messages": [{"role": "user", "content": PARTS}, *HISTORY[1:]], "tools": [TOOL]},
                               messages([{"role": "user", "content": "a\nb"}, *HISTORY[1:]])),
    "alternate": (said("Conversation roles must alternate user/assistant/user/assistant/..."),
                  {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": PARTS}, {"role": "system", "content": "s"}, {"role": "assistant", "content": "b"}, {"role": "assistant", "content": "c"}]},
                  messages([{"role": "user", "content": [{"type": "text", "text": "a"}, *PARTS, {"type": "text", "text": "\n\n<system-reminder>\ns\n</system-reminder>"}]}, {"role": "assistant", "content": "b\n\nc"}])),
}  # fmt: skip


@pytest.fixture(scope="module")
def mending(launch, server):
    """A relay with a model for each test, which may download images, and the names of unused models."""
    relay = launch(
        PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_MODELS=",".join(MODELS), KEY_A_TOKEN=TOKEN,
        FETCH_IMAGES="http", FETCH_ALLOW_NETWORKS="127.0.0.1/32",
    )  # fmt: skip
    yield relay, iter(MODELS)
    relay.stop()


@pytest.fixture
def model(mending, caller):
    """A client, and a model about which nothing is known."""
    relay, names = mending
    return caller(relay, TOKEN), next(names)


@pytest.mark.parametrize("name", CASES)
def test_each_mend(model, server, name, is_streamed):
    refused, fields, is_right = CASES[name]
    http, at = model
    fine = {"extra": True, "nulls": True}
    server.says(at, refused | fine, fine)
    for calls in (2, 3):
        if is_streamed:
            got = stream(http, model=at, **fields)
            assert got.text() == "Hello there" and got.error is None, got
        else:
            answer = ask(http, model=at, **fields)
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-relay-attempts"] == "1"
        seen = server.asked(at)
        # The second request is changed at once.
        assert len(seen) == calls and is_right(seen[-1]["body"]), seen[-1]["body"]
    server.take_violations()


def test_a_stream_without_options(model, server):
    http, at = model
    refused = {"status": 422, "json": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}}
    server.says(at, refused, {"bare": True, "events": [chunk({"role": "assistant", "content": "Hi"}), chunk({}, "stop")]})
    got = stream(http, model=at, stream_options={"include_usage": True})
    assert got.text() == "Hi" and got.usage()["completion_tokens"] > 0 and got.usage() != USAGE
    assert "stream_options" not in server.asked(at)[-1]["body"]


@pytest.mark.parametrize("changed", [{}, {"PROVIDER_ROW_TIMEOUT": "77"}], ids=["same", "other"])
def test_a_reload_forgets(start_relay, server, caller, tmp_path, changed):
    path = tmp_path / "relay.env"

    def write(**more):
        settings = {**provider("ROW", "openai", server.base_url, "forgotten"), "KEY_A_TOKEN": TOKEN} | more
        path.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    write()
    relay = start_relay(ENV_FILE=str(path))
    http = caller(relay, TOKEN)
    for _ in range(2):
        server.says("forgotten", dropped("temperature", 0)[0], {})
        for calls in (2, 3):
            assert ask(http, model="forgotten", temperature=0.5).status_code == 200
            assert len(server.asked("forgotten")) == calls
        write(**changed)
        assert local_http.post(f"{relay.base_url}/reload_config").status_code == 200


def test_a_mend_that_did_not_help_is_not_kept(model, server):
    http, at = model
    server.says(at, dropped("temperature", 0)[0], said("It is wrong."))
    assert refusal(http, model=at, temperature=0.5)[1]["message"] == "It is wrong."
    server.says(at, {})
    ask(http, model=at, temperature=0.5)
    assert server.body(at)["temperature"] == 0.5


@pytest.mark.parametrize("second, kept", [("'store' and 'user' are not supported", ["store"]), ("'user' is not supported", [])])
def test_only_what_helped_is_kept(model, server, second, kept):
    http, at = model
    server.says(at, said("'store' is not supported"), said(second), {})
    ask(http, model=at, store=True, user="u")
    assert len(server.asked(at)) == 3
    server.says(at, {})
    ask(http, model=at, store=True, user="u")
    assert [name for name in ("store", "user") if name in server.body(at)] == kept


@pytest.mark.parametrize(
    "refused, fields",
    [
        (said("Invalid 'temperature': decimal above maximum value. Expected a value <= 1.", param="temperature", code="decimal_above_max_value"), {"temperature": 1.5}),
        (said("max_tokens is too small: 9. This model wants at least 50", param="max_tokens"), {"max_tokens": 9}),
        (said("logprobs is not supported", param="logprobs", code="unsupported_parameter"), {"logprobs": True}),
        (said("Unsupported parameter: 'tools'", param="tools", code="unsupported_parameter"), {}),
        (said("Unsupported value: 'temperature'", param="temperature", code="unsupported_value"), {}),
    ],
)  # fmt: skip
def test_what_is_the_callers_fault(model, server, refused, fields):
    http, at = model
    server.says(at, refused)
    status, error, _ = refusal(http, model=at, **fields)
    assert status == 400 and error["message"] == refused["json"]["error"]["message"]
    assert len(server.asked(at)) == 1


def test_a_call_of_another_surface_is_mended_too(model, server):
    http, at = model
    server.says(at, CASES["newer bound"][0], {})
    asked = {"model": at, "max_tokens": 7, "messages": [{"role": "user", "content": "Hi"}]}
    for _ in range(2):
        answer = http.post("/v1/messages", json=asked)
        assert answer.status_code == 200, answer.text
        assert server.asked(at)[-1]["body"]["max_completion_tokens"] == 7
    assert http.post(PATH, json=asked).status_code == 200
    assert len(server.asked(at)) == 4


def test_what_a_server_does_not_know_of_a_response_is_left_out(model, server):
    http, at = model
    server.says(at, forbidden("prompt_cache_key", "user", "metadata", "verbosity"), {})
    asked = {"model": at, "input": "Hi", "store": True, "metadata": {"a": "b"}, "user": "u", "text": {"verbosity": "low"}, "prompt_cache_key": "k"}
    for calls in (2, 3):
        answer = http.post("/v1/responses", json=asked)
        assert answer.status_code == 200 and answer.json()["metadata"] == {"a": "b"}, answer.text
        seen = server.asked(at)
        # The relay itself stores the response.
        assert len(seen) == calls and set(seen[-1]["body"]) == {"model", "messages"} and "store" not in seen[0]["body"]
    server.says(at, {})
    http.post("/v1/messages", json={"model": at, "max_tokens": 7, "messages": [{"role": "user", "content": "Hi"}], "metadata": {"user_id": "u"}})
    assert "user" not in server.body(at)
    assert server.take_violations() == []


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
FORMATS = {
    "objects": (said("'response_format.type' must be 'json_schema' or 'text'"), {"type": "json_object"}),
    "schemas": (said("This response_format type is unavailable now"),
                {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA}}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_made_up_for(model, server, name, is_streamed):
    http, at = model
    refused, form = FORMATS[name]
    server.says(at, refused, {"text": 'Sure: {"a":1}'})
    for calls in (2, 3):
        asked = {"model": at, "response_format": form, "temperature": 0.5}
        if is_streamed:
            assert stream(http, **asked).text() == '{"a":1}'
        else:
            answer = ask(http, **asked)
            assert text_of(answer) == '{"a":1}' and answer.headers["x-relay-attempts"] == "1"
        seen = server.asked(at)
        assert len(seen) == calls and "response_format" not in seen[-1]["body"]
        assert "JSON" in json.dumps(seen[-1]["body"]["messages"]) and seen[-1]["body"]["temperature"] == 0.5


def assert_made_up_for(http, at, server, is_streamed, first=3):
    """Asserts that one call for more than one choice was made, or is made by the first of these two requests, which
    makes `first` calls."""
    for calls in (first, first + 2):
        if is_streamed:
            got = stream(http, model=at, n=2)
            assert [got.text(0), got.text(1)] == ["Hello there"] * 2 and got.finish(1) == "stop"
        else:
            assert [one["message"]["content"] for one in ask(http, model=at, n=2).json()["choices"]] == ["Hello there"] * 2
        assert len(server.asked(at)) == calls and "n" not in server.asked(at)[-1]["body"]


def test_choices_are_made_up_for(model, server, is_streamed):
    http, at = model
    server.says(at, said("'n' : number must be at most 1", param="n"), {})
    assert_made_up_for(http, at, server, is_streamed)


def test_choices_that_are_made_up_for_share_what_a_refusal_shows(model, server, is_streamed):
    http, at = model
    are_together = SimpleNamespace(is_set=lambda: len(server.asked(at)) >= 3)
    refused = said("top_p is not supported with this model") | {"gate": are_together}
    server.says(at, said("'n' : number must be at most 1", param="n"), refused, refused, {})
    fields = {"n": 2, "top_p": 0.4, "seed": 3}
    if is_streamed:
        got = stream(http, model=at, **fields)
        assert [got.text(0), got.text(1)] == ["Hello there"] * 2, got
    else:
        assert [one["message"]["content"] for one in ask(http, model=at, **fields).json()["choices"]] == ["Hello there"] * 2
    sent = [{"n", "top_p", "seed"} & set(request["body"]) for request in server.asked(at)]
    assert sent == [{"n", "top_p", "seed"}, *[{"top_p", "seed"}] * 2, *[{"seed"}] * 2]


def test_choices_that_a_server_ignores_are_made_up_for(model, server, is_streamed):
    http, at = model
    server.says(at, {})
    if is_streamed:
        got = stream(http, model=at, n=2)
        assert got.text() == "Hello there" and got.finish() == "stop" and len(server.asked(at)) == 1
    # The choice of a whole answer is kept.
    assert_made_up_for(http, at, server, is_streamed, first=3 if is_streamed else 2)


def test_choices_that_are_made_up_for_keep_their_citations(model, server, is_streamed):
    http, at = model
    cited = [{"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 5}}]
    script = {"json": whole({})}
    script["json"]["choices"][0]["message"]["annotations"] = cited
    if is_streamed:
        script = {"events": [chunk({"role": "assistant", "content": "Hello"}), chunk({"annotations": cited}), chunk({}, "stop"), usage_chunk()]}
    server.says(at, said("'n' : number must be at most 1", param="n") if is_streamed else script, script)
    if is_streamed:
        got = stream(http, model=at, n=2)
        found = [[one for choice in got.choices(index) for one in choice["delta"].get("annotations", ())] for index in (0, 1)]
    else:
        found = [choice["message"]["annotations"] for choice in ask(http, model=at, n=2).json()["choices"]]
    assert found == [cited, cited]


EMULATED = {
    "n": (said("'n' : number must be at most 1", param="n"), {"n": 2}, {}),
    "objects": (FORMATS["objects"][0], {"response_format": FORMATS["objects"][1]}, {"text": '{"a":1}'}),
    "schemas": (FORMATS["schemas"][0], {"response_format": FORMATS["schemas"][1]}, {"text": '{"a":1}'}),
}  # fmt: skip


@pytest.mark.parametrize("name", EMULATED)
def test_what_is_made_up_for_keeps_unknown_fields(model, server, name, is_streamed):
    http, at = model
    refused, fields, script = EMULATED[name]
    unknown = {"chat_template_kwargs": {"thinking": False, "a": [1.50, None]}, "top_k": 5, "web_search_options": {}}
    server.says(at, refused | {"extra": True, "nulls": True}, script | {"extra": True, "nulls": True})
    for _ in range(2):
        more = {"temperature": 0.5, "file_ids": [], "web_search": False, "user": "u"}
        if is_streamed:
            got = stream(http, model=at, **fields, **unknown, **more)
            assert got.status == 200 and got.error is None, got
        else:
            assert ask(http, model=at, **fields, **unknown, **more).status_code == 200
        seen = server.asked(at)[-1]["body"]
        assert {key: seen[key] for key in unknown} == unknown
        names = {"model", "messages", "temperature", "user", *unknown} | ({"stream", "stream_options"} if is_streamed else set())
        assert set(seen) == names and b'"a":[1.5,null]' in server.asked(at)[-1]["raw"].replace(b" ", b"")
    server.take_violations()


@pytest.mark.parametrize("name", EMULATED)
def test_what_has_no_place_in_an_answer_that_is_made_up_is_refused(model, server, name):
    http, at = model
    refused, fields, script = EMULATED[name]
    for _ in range(2):
        # What no request has shown to help is not remembered.
        server.says(at, refused, script)
        status, error, _ = refusal(http, model=at, logprobs=True, **fields)
        assert (status, error["param"], error["code"]) == (400, "logprobs", "unsupported_parameter")
        assert len(server.asked(at)) == 1
    assert ask(http, model=at, **fields).status_code == 200


def test_a_request_for_the_relay_keeps_unknown_fields(model, server):
    http, at = model
    server.says(at, {"extra": True})
    assert ask(http, model=at, new_input="More", top_k=5).status_code == 200
    seen = server.body(at)
    assert seen["top_k"] == 5 and set(seen) == {"model", "messages", "top_k"} and seen["messages"][-1]["content"] == "More"


CALL_TEXT = '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>'
CALLED = [("weather", '{"city":"Rome"}')]
TOOLLESS = {
    "vllm": {"status": 400, "json": {"object": "error", "message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', "type": "BadRequestError", "param": None, "code": 400}},
    "ollama": said("registry.ollama.ai/library/x does not support tools"),
    "param": said("Unsupported parameter: 'tools'", param="tools", code="unsupported_parameter"),
}  # fmt: skip


def called(http, is_streamed, **fields):
    """Returns names and compact arguments of the calls of a response, and its end."""
    if is_streamed:
        got = stream(http, **fields)
        assert got.error is None and got.is_done, got
        return [(name, arguments) for _, name, arguments in calls_of(got)], got.finish()
    answer = ask(http, **fields)
    assert answer.status_code == 200, answer.text
    (choice,) = answer.json()["choices"]
    made = [one["function"] for one in choice["message"].get("tool_calls", ())]
    return [(one["name"], one["arguments"]) for one in made], choice["finish_reason"]


@pytest.mark.parametrize("name", TOOLLESS)
def test_tools_are_made_up_for(model, server, name, is_streamed):
    http, at = model
    server.says(at, TOOLLESS[name] | {"nulls": True}, {"text": CALL_TEXT})
    for calls in (2, 3):
        made, finish = called(http, is_streamed, model=at, tools=[TOOL], messages=HISTORY, parallel_tool_calls=False)
        assert [(one, json.loads(arguments)) for one, arguments in made] == [("weather", {"city": "Rome"})]
        assert finish == "tool_calls" and len(server.asked(at)) == calls
        seen = server.asked(at)[-1]["body"]
        assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(seen) and "weather" in seen["messages"][0]["content"]
        assert [one["role"] for one in seen["messages"]] == ["system", "user", "assistant", "user"]
    assert server.take_violations() == []


def test_a_demand_for_a_call_is_made_up_for(model, server, is_streamed):
    http, at = model
    refused = said("tool_choice 'required' is not supported", param="tool_choice")
    server.says(at, refused, {"text": "I would rather not."}, {"text": CALL_TEXT})
    for calls in (3, 4):
        made, finish = called(http, is_streamed, model=at, tools=[TOOL], tool_choice="required")
        assert [(one, json.loads(arguments)) for one, arguments in made] == [("weather", {"city": "Rome"})]
        assert finish == "tool_calls" and len(server.asked(at)) == calls
        assert not {"tools", "tool_choice"} & set(server.asked(at)[-1]["body"])
    # All else it can do.
    named = {"type": "function", "function": {"name": "weather"}}
    for choice in ("none", "auto", named):
        assert ask(http, model=at, tools=[TOOL], tool_choice=choice).status_code == 200
        assert server.asked(at)[-1]["body"]["tool_choice"] == choice


def test_long_ids_become_short_and_others_stay(model, server):
    http, at = model
    long = "weather_of_the_next_days_in_a_city_0123456789"
    refused = said("Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 45 instead.",
                   param="messages[1].tool_calls[0].id")  # fmt: skip
    server.says(at, refused, {})
    ids = [long, "call_a"]
    calls = [{"id": id, "type": "function", "function": {"name": "weather", "arguments": "{}"}} for id in ids]
    results = [{"role": "tool", "tool_call_id": id, "content": "fine"} for id in ids]
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": calls}, *results]
    for asked in (2, 3):
        assert ask(http, model=at, messages=messages, tools=[TOOL]).status_code == 200
        _, turn, *told = server.asked(at)[-1]["body"]["messages"]
        sent = [call["id"] for call in turn["tool_calls"]]
        assert len(server.asked(at)) == asked and sent == [result["tool_call_id"] for result in told]
        assert len(sent[0]) == 9 and sent[1] == "call_a"
    # Others go on as they came.
    http.post(PATH, content=json.dumps({"model": at, "messages": HISTORY, "tools": [TOOL]}, indent=3))
    assert b'"messages": [\n' in server.asked(at)[-1]["raw"]
    server.take_violations()


def test_one_call_at_most_is_made_up_for(model, server, is_streamed):
    http, at = model
    two = [("a", "weather", '{"city":"Rome"}'), ("b", "weather", '{"city":"Oslo"}')]
    server.says(at, said("Unsupported parameter: parallel_tool_calls"), {"calls": two, "text": "Look"})
    for _ in range(2):
        assert called(http, is_streamed, model=at, tools=[TOOL], parallel_tool_calls=False) == (CALLED, "tool_calls")
    assert len(called(http, is_streamed, model=at, tools=[TOOL], parallel_tool_calls=True)[0]) == 2
    assert len(called(http, is_streamed, model=at, tools=[TOOL])[0]) == 2


def test_tools_beside_a_format_that_is_made_up_for(model, server, is_streamed):
    http, at = model
    server.says(at, FORMATS["objects"][0], {"text": CALL_TEXT})
    made, finish = called(http, is_streamed, model=at, tools=[TOOL], response_format={"type": "json_object"})
    assert [(one, json.loads(arguments)) for one, arguments in made] == [("weather", {"city": "Rome"})]
    assert finish == "tool_calls"


ADDRESSLESS = {
    "ollama": said("invalid image input"),
    "llama.cpp": said("image_url.url must be a base64 encoded picture"),
    "words": said("image URLs are not currently supported, please use base64 encoded data instead"),
}


@pytest.mark.parametrize("name", ADDRESSLESS)
def test_pictures_are_fetched_for_a_server_that_does_not(model, server, name, is_streamed):
    (http, at), mine = model, picture("fetched")
    server.says(at, ADDRESSLESS[name] | {"extra": True}, {"extra": True})
    data = "data:image/png;base64," + base64.b64encode(mine).decode()
    with host({"/a.png": mine}) as (address, got):
        parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": address + "/a.png"}}]
        fields = {"model": at, "messages": [{"role": "user", "content": parts}], "top_k": 5}
        for calls in (2, 3):
            assert either(http, is_streamed, **fields) == ("Hello there", "stop")
            assert len(server.asked(at)) == calls and len(got) == calls - 1
            seen = server.asked(at)[-1]["body"]
            assert seen["messages"][0]["content"] == [parts[0], {"type": "image_url", "image_url": {"url": data}}]
            assert seen["top_k"] == 5
    # An image with its data is forwarded unchanged.
    parts[1]["image_url"]["url"] = data
    assert either(http, is_streamed, logprobs=True, **fields) == ("Hello there", "stop")
    assert server.asked(at)[-1]["body"]["logprobs"] is True
    assert server.take_violations() == []


def test_a_picture_that_the_server_cannot_fetch_is_the_callers_fault(model, server):
    http, at = model
    parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}}]
    for words in ("Failed to download image from the URL", "This model does not support image input"):
        server.says(at, said(words))
        status, error, _ = refusal(http, model=at, messages=[{"role": "user", "content": parts}])
        assert status == 400 and len(server.asked(at)) == 1


def test_what_a_callers_key_teaches_is_for_this_key_only(start_relay, server, caller, new_key):
    relay = start_relay(**provider("OWN", "openai", server.base_url, "m6", PASSTHROUGH="true"))
    for http in (caller(relay, new_key()), caller(relay, new_key()), caller(relay, new_key())):
        server.says("m6", dropped("temperature", 0)[0], {})
        for _ in range(2):
            assert ask(http, model="m6", temperature=0.5).status_code == 200
        assert [("temperature" in request["body"]) for request in server.asked("m6")] == [True, False, False]
        server.says("m6", FORMATS["objects"][0], {"text": "{}"})
        for _ in range(2):
            assert ask(http, model="m6", response_format={"type": "json_object"}).status_code == 200
        assert ["response_format" in request["body"] for request in server.asked("m6")] == [True, False, False]


WITHIN = [
    ({"message": "Unsupported parameter: 'temperature'", "type": "invalid_request_error"}, {"temperature": 0.5}, lambda body: "temperature" not in body),
    ({"message": "x does not support tools", "code": 400}, {"tools": [TOOL]}, lambda body: "tools" not in body),
    ({"message": "Error rendering prompt with jinja template: \"Conversation roles must alternate user/assistant\"."},
     {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}, lambda body: len(body["messages"]) == 1),
]  # fmt: skip


@pytest.mark.parametrize("row", range(len(WITHIN)))
def test_a_refusal_with_status_200_changes_the_request(model, server, row, is_streamed):
    error, fields, is_changed = WITHIN[row]
    http, at = model
    server.says(at, {"events": [{"error": error}], "done": False} if is_streamed else {"json": {"error": error}}, {})
    either(http, is_streamed, model=at, **fields)
    assert [is_changed(request["body"]) for request in server.asked(at)] == [False, True]
