"""Tools of forwarded requests: they are checked like those that the relay parses, and forwarded byte by byte."""

import json

import pytest
from chat import PATH, ask, body
from conftest import TEAM_TOKEN, VENDOR_KEY, http_of
from openai_vendor import whole
from relay_process import provider

NATIVE, MODEL, LACKING = "fast", "unread/1", "unread/lacking"
"""A model that is passed on, and its name there; one whose server has no tools."""
READ = "gpt-4o-mini"
"""A model of a vendor of another wire."""


def function(**fields):
    return {"type": "function", "function": {"name": "weather", "description": "of a city"} | fields}


def without(tool, name):
    return tool | {"function": {key: value for key, value in tool["function"].items() if key != name}}


NAMED = {"type": "function", "function": {"name": "other"}}
BAD = [
    {"tools": {}}, {"tools": [5]}, {"tools": [{}]}, {"tools": [{"type": 5}]},
    {"tools": [{"type": "function"}]}, {"tools": [{"type": "function", "function": []}]}, {"tools": [without(function(), "name")]},
    {"tools": [function(name=5)]}, {"tools": [function(name="")]}, {"tools": [function(name="a b")]}, {"tools": [function(name="x" * 65)]},
    {"tools": [function(description=5)]}, {"tools": [function(parameters=[])]}, {"tools": [function(strict="yes")]},
    {"tools": [function(), function(name="é")]}, {"tools": [{"type": "custom"}]}, {"tools": [{"type": "custom", "custom": {"name": 1}}]},
    {"tools": [], "tool_choice": "required"}, {"tools": [function()], "tool_choice": "maybe"}, {"tools": [function()], "tool_choice": NAMED},
    {"tools": [function()], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}},
    {"tools": [function()], "functions": [{"name": 5}]}, {"tools": [function()], "function_call": {"name": "other"}},
]  # fmt: skip
FLAT = {"type": "function", "name": "flat", "parameters": {"type": "object"}}
GOOD = [
    {"tools": [function()]}, {"tools": [function(parameters={"type": "object", "x": 1.0}), FLAT]}, {"tools": [function(description=None)]},
    {"tools": [function()], "tool_choice": "required"}, {"tools": [function()], "tool_choice": "none"},
    {"tools": [function(), function(name="other")], "tool_choice": NAMED, "parallel_tool_calls": False},
    {"tools": [function()], "functions": [{"name": "old"}]}, {"tools": []}, {"tools": None},
]  # fmt: skip


@pytest.fixture(scope="module")
def relay(launch, server):
    return launch(
        KEY_TEAM_TOKEN=TEAM_TOKEN, RATE_LIMIT_CHAT="10000000 tokens/hour",
        **provider("ROW", "openai", server.base_url, f"{NATIVE}={MODEL},lacking={LACKING}", API_KEY=VENDOR_KEY), PROVIDER_MAIN_KIND="onemin",
        PROVIDER_MAIN_API_KEY=VENDOR_KEY,
    )  # fmt: skip


http = http_of("relay", "server", is_strict=False)


BROWSER = {"type": "browser", "mode": "fast"}


@pytest.mark.parametrize("fields", [{"tools": [BROWSER]}, {"tools": [function(), BROWSER], "tool_choice": {"type": "browser"}}], ids=json.dumps)
def test_a_tool_of_an_unknown_type_goes_on_as_it_came(http, server, fields):
    server.says(MODEL, {"extra": True})
    assert ask(http, model=NATIVE, **fields).status_code == 200
    assert {name: server.body(MODEL)[name] for name in fields} == fields
    # Other vendors do not have it as the only or the required tool, and what belongs to the provider's account is not the caller's.
    for model, tools in ((READ, fields["tools"]), (NATIVE, [BROWSER | {"vector_store_ids": ["vs_1"]}])):
        refused = http.post(PATH, json=body(model=model, **fields | {"tools": tools}))
        assert refused.status_code == 400 and refused.json()["error"]["param"].startswith("tools["), refused.text


def test_a_format_of_an_unknown_type_goes_on_as_it_came(http, server):
    server.says(MODEL, {"extra": True})
    form = {"type": "structural_tag", "structures": [{"begin": "<f>", "schema": {"properties": {"file_id": {}}}, "end": "</f>"}]}
    assert ask(http, model=NATIVE, response_format=form).status_code == 200
    assert server.body(MODEL)["response_format"] == form
    for model, more, param in ((READ, {}, "response_format.type"), (NATIVE, {"file_id": "file_1"}, "response_format.file_id")):
        refused = http.post(PATH, json=body(model=model, response_format=form | more))
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param), refused.text


@pytest.mark.parametrize("fields", BAD, ids=json.dumps)
def test_bad_tools_are_refused_alike(http, fields):
    passed, read = (http.post(PATH, json=body(model=model, **fields)) for model in (NATIVE, READ))
    assert (passed.status_code, passed.json()) == (read.status_code, read.json())
    assert passed.status_code == 400, passed.text


@pytest.mark.parametrize("fields", GOOD, ids=json.dumps)
def test_tools_go_on_as_they_came(http, server, fields):
    server.says(MODEL, {"json": whole({"text": "fine"})})
    sent = body(model=NATIVE, **fields)
    # Two spaces, which no writer makes.
    answer = http.post(PATH, content=json.dumps(sent).replace(": ", ":  "), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    (request,) = server.asked(MODEL)
    written = json.dumps({"tools": fields["tools"]}).replace(": ", ":  ")[1:-1]
    assert written in request["raw"].decode(), request["raw"]
    assert {name: request["body"].get(name) for name in fields} == fields


DEEP = "[" * 70 + "]" * 70
BROKEN = [
    "[1,]", "01", "1.", "-", "tru", "truex", '"\\x"', '"\\u12g4"', '"\\ud83d"', '"\\udc00"', '"a" "b"', '5"a"', "{5:1}", '{"a"}', '{"a":}', "[}", "{]",
    "[1 2]", '"\t"', "\\", "[" * 1_100 + "]" * 1_100, "",
]  # fmt: skip
WHOLE = ["1e400", "123456789012345678901234567890", '"\\ud83d\\ude00 \\u00e4 \\/ \\""', DEEP, '{"":{"":[{},[],-0.5e-7]}}', "null"]


def raw(model, value):
    """A request whose tools have this JSON text in their parameters. The model comes last, so that positions are the same."""
    tool = f'{{"type":"function","function":{{"name":"weather","parameters":{{"x":{value}}}}}}}'
    text = "Hi" * 2_500  # Tools of smaller requests are parsed.
    return f'{{"messages":[{{"role":"user","content":"{text}"}}],"tools":[{tool}],"model":"{model}"}}'


@pytest.mark.parametrize("value", BROKEN, ids=lambda value: value[:20])
def test_tools_that_are_not_json_are_refused_alike(http, value):
    headers = {"Content-Type": "application/json"}
    passed, read = (http.post(PATH, content=raw(model, value), headers=headers) for model in (NATIVE, READ))
    assert (passed.status_code, passed.json()) == (read.status_code, read.json())
    assert passed.status_code == 400, passed.text


@pytest.mark.parametrize("value", WHOLE, ids=lambda value: value[:20])
def test_any_json_in_tools_goes_on_as_it_came(http, server, value):
    server.says(MODEL, {"json": whole({"text": "fine"})})
    answer = http.post(PATH, content=raw(NATIVE, value), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    (request,) = server.asked(MODEL)
    assert f'"parameters":{{"x":{value}}}' in request["raw"].decode()


def test_tools_are_read_where_the_server_turns_out_to_have_none(http, server):
    refusal = {"status": 400, "json": {"error": {"message": "tools is not supported by this model", "param": "tools"}}}
    server.says(LACKING, refusal, {"json": whole({"text": '<tool_call>{"name": "weather", "arguments": {}}</tool_call>'})})
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    answer = ask(http, model="lacking", tools=[function(parameters=schema, description="The weather of a city")]).json()
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "weather"
    told = json.dumps(server.asked(LACKING)[-1]["body"]["messages"])
    assert "The weather of a city" in told and "properties" in told
