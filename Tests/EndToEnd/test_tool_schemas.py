"""Schemas that a vendor cannot express: what the original accepts is accepted, and what was promised is checked."""

import itertools
import json

import pytest
from chat import PATH
from conftest import TEAM_TOKEN, VENDOR_KEY
from limited import client as plain
from test_demands import FINISH, ROWS, SURFACES, fakes, records, relay, team, vendor_of  # noqa: F401
from test_openai_stream import Built

CLAUDE = [row for row in ROWS if ROWS[row][0] == "anthropic"]
NUMBER, TEXT = {"type": "integer"}, {"type": "string"}
CLOSED = {"additionalProperties": False}


def record(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)} | CLOSED


FREE = {"type": "object", "additionalProperties": TEXT}
DEFINED = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}} | CLOSED
OPEN = {
    # name: schema, a value of it, a value that it refuses
    "map": (record(["headers"], headers=FREE), {"headers": {"a": "b"}}, {"headers": {"a": 1}}),
    "any": (record(value={}), {"value": {"a": [1]}}, {"other": 1}),
    "all free": (record(options={"type": "object"}), {"options": {"x": 1}}, {"options": 1}),
    "true": (record(options={"type": "object", "properties": {"a": TEXT}, "additionalProperties": True}), {"options": {"b": 1}}, {"options": 1}),
    "patterns": (record(p={"type": "object", "patternProperties": {"^x": NUMBER}}), {"p": {"x1": 1}}, {"p": {"x1": "a"}}),
    "in a list": (record(list={"type": "array", "items": FREE}), {"list": [{"a": "b"}]}, {"list": [{"a": 1}]}),
    "in a choice": (record(v={"anyOf": [TEXT, FREE]}), {"v": {"a": "b"}}, {"v": 1}),
    "in a definition": (record(v={"$ref": "#/$defs/m"}) | {"$defs": {"m": FREE}}, {"v": {"a": "b"}}, {"v": {"a": 1}}),
    "recursive": (record(v={"$ref": "#/$defs/node"}) | {"$defs": {"node": DEFINED}}, {"v": {"next": {}}}, {"v": {"next": 1}}),
    "parts": (record(v={"allOf": [{"properties": {"a": NUMBER}}, {"properties": {"b": NUMBER}}]}), {"v": {"a": 1, "b": 2}}, {"v": {"a": "x"}}),
    "objects as values": (record(v={"enum": [{"a": 1}, 2]}), {"v": {"a": 1}}, {"v": 3}),
    "unevaluated": (record(v={"type": "object", "properties": {"a": TEXT}, "unevaluatedProperties": NUMBER}), {"v": {"b": 1}}, {"v": {"b": "x"}}),
    "extended": (record(v={"$ref": "#/$defs/a", "properties": {"b": NUMBER}}) | {"$defs": {"a": {"type": "object", "properties": {"a": TEXT}}}},
                 {"v": {"a": "x", "b": 1}}, {"v": {"b": "x"}}),
    "required alone": (record(v={"type": "object", "properties": {"a": TEXT}, "required": ["b"]}), {"v": {"b": 1}}, {"v": {"a": "x"}}),
}  # fmt: skip
WIDE = {
    "length": (record(["city"], city={"type": "string", "minLength": 2}), {"city": "Rome"}, {"city": "R"}, "minLength: 2"),
    "tuple": (record(at={"type": "array", "prefixItems": [NUMBER, TEXT], "items": False}), {"at": [1, "a"]}, {"at": ["a", 1]}, "prefixItems"),
    "one of": (record(a={"oneOf": [NUMBER, {"const": 7}]}), {"a": 3}, {"a": 7}, None),
    "not": (record(a={"type": "string", "not": {"const": "x"}}), {"a": "y"}, {"a": "x"}, "not"),
    "if": (record(a=TEXT, b=TEXT) | {"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {"a": "x", "b": "y"}, {"a": "x"}, "then"),
    "contains": (record(a={"type": "array", "items": NUMBER, "contains": {"const": 1}}), {"a": [1]}, {"a": [2]}, "contains"),
    "either": (record(a=TEXT, b=TEXT) | {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": "x"}, {}, "anyOf"),
}  # fmt: skip


def ask(http, surface, model, schema, is_streamed, is_strict=True, **fields):
    """Offers the tool `weather` with this schema. Returns the calls, the text and the error."""
    strict = {"strict": True} if is_strict else {}
    if surface == "chat":
        tool = {"type": "function", "function": {"name": "weather", "parameters": schema} | strict}
        asked = {"model": model, "messages": [{"role": "user", "content": "Weather?"}], "tools": [tool], "stream": is_streamed} | fields
        answer = http.post(PATH, json=asked)
    else:
        asked = {"model": model, "input": "Weather?", "tools": [{"type": "function", "name": "weather", "parameters": schema} | strict]}
        if surface == "messages":
            asked = {"model": model, "max_tokens": 500, "messages": [{"role": "user", "content": "Weather?"}]}
            asked["tools"] = [{"name": "weather", "input_schema": schema} | strict]
        answer = http.post("/v1/messages" if surface == "messages" else "/v1/responses", json=asked | {"stream": is_streamed} | fields)
    assert answer.status_code == 200, answer.text
    return answer.text


def arguments(surface, text, is_streamed):
    """Returns the arguments of the only tool call in a response, and its text."""
    if surface == "chat" and is_streamed:
        built = Built([json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: {")])
        ((name, made),) = built.told()[2]
        assert name == "weather"
        return made, built.text
    events = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")] if is_streamed else [json.loads(text)]
    if surface == "chat":
        message = events[0]["choices"][0]["message"]
        (call,) = message["tool_calls"]
        return json.loads(call["function"]["arguments"]), message["content"]
    if surface == "messages":
        if is_streamed:
            made = "".join(event["delta"].get("partial_json", "") for event in events if event["type"] == "content_block_delta")
            return json.loads(made), "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
        (use,) = [block for block in events[0]["content"] if block["type"] == "tool_use"]
        return use["input"], "".join(block.get("text", "") for block in events[0]["content"])
    response = events[-1]["response"] if is_streamed else events[0]
    (call,) = [item for item in response["output"] if item["type"] == "function_call"]
    return json.loads(call["arguments"]), ""


def in_words(value):
    return {"text": f'<tool_call>{{"name": "weather", "arguments": {json.dumps(value)}}}</tool_call>'}


SURFACE = pytest.mark.parametrize("surface", ["chat", "responses"])
"""Messages go on to Claude as they came."""


@SURFACE
@pytest.mark.parametrize("row", CLAUDE)
def test_a_free_map_stays_free(team, vendor_of, row, surface, is_streamed):  # noqa: F811
    schema, good, bad = OPEN["map"]
    vendor = vendor_of(row)
    vendor.says({"calls": [("weather", good)]})
    assert arguments(surface, ask(team, surface, vendor.alias, schema, is_streamed), is_streamed)[0] == good
    (tool,) = vendor.fake.body(vendor.model)["tools"]
    assert tool["input_schema"] == schema and "strict" not in tool
    vendor.says({"calls": [("weather", bad)]}, in_words(good))
    assert arguments(surface, ask(team, surface, vendor.alias, schema, is_streamed), is_streamed)[0] == good
    assert vendor.times == 2


@pytest.mark.parametrize("name", OPEN)
def test_what_claude_cannot_express_is_not_narrowed(team, vendor_of, name):  # noqa: F811
    schema, good, bad = OPEN[name]
    vendor = vendor_of("claude")
    vendor.says({"calls": [("weather", bad)]}, in_words(good))
    assert arguments("chat", ask(team, "chat", vendor.alias, schema, False), False)[0] == good
    first, second = vendor.fake.asked(vendor.model)
    assert first["body"]["tools"] == [{"name": "weather", "input_schema": schema}] and "tools" not in second["body"]


@pytest.mark.parametrize("row", CLAUDE)
@pytest.mark.parametrize("name", ["map", "recursive"])
def test_a_format_that_claude_cannot_express_is_asked_for_in_words(team, vendor_of, row, name, is_streamed):  # noqa: F811
    schema, good, bad = OPEN[name]
    vendor = vendor_of(row)
    for is_strict in (True, None):
        vendor.says({"text": json.dumps(bad)}, {"text": json.dumps(good)})
        form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema} | ({"strict": True} if is_strict else {})}
        got = SURFACES["chat"](team, is_streamed, model=vendor.alias, response_format=form)
        assert (json.loads(got.text), vendor.times) == (good, 2)
        body = vendor.fake.asked(vendor.model)[0]["body"]
        assert "format" not in body.get("output_config", {}) and "JSON Schema" in json.dumps([body.get("system"), body["messages"]])


@pytest.mark.parametrize("name", WIDE)
def test_what_claude_only_describes_is_checked(team, vendor_of, name, is_streamed):  # noqa: F811
    schema, good, bad, words = WIDE[name]
    vendor = vendor_of("claude")
    vendor.says({"calls": [("weather", good)]})
    assert arguments("chat", ask(team, "chat", vendor.alias, schema, is_streamed), is_streamed)[0] == good
    (tool,) = vendor.fake.body(vendor.model)["tools"]
    assert tool["strict"] is True and (words is None or words in json.dumps(tool["input_schema"]))
    vendor.says({"calls": [("weather", bad)]}, in_words(good))
    assert arguments("chat", ask(team, "chat", vendor.alias, schema, is_streamed), is_streamed)[0] == good
    assert vendor.times == 2


@pytest.mark.parametrize("row", ["claude", "google", "vgoogle", "cohere", "cf"])
def test_arguments_after_text(team, vendor_of, row, is_streamed):  # noqa: F811
    schema, good, bad, _ = WIDE["length"]
    vendor = vendor_of(row)
    vendor.says({"text": "I look.", "calls": [("weather", good)]})
    made, text = arguments("chat", ask(team, "chat", vendor.alias, schema, is_streamed), is_streamed)
    assert (made, text, vendor.times) == (good, "I look.", 1)
    vendor.says({"text": "I look.", "calls": [("weather", bad)]}, in_words(good))
    text = ask(team, "chat", vendor.alias, schema, is_streamed)
    if is_streamed:
        chunks = [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: {")]
        assert Built([chunk for chunk in chunks if "choices" in chunk]).told() == ("I look.", "", [], None)
        assert chunks[-1]["error"]["code"] == "upstream_error" and vendor.times == 1
    else:
        assert (arguments("chat", text, False), vendor.times) == ((good, None), 2)
    vendor.says({"text": "Only words."})
    ask(team, "chat", vendor.alias, schema, is_streamed)
    assert vendor.times == 1


def test_arguments_that_never_fit_are_a_failure(team, vendor_of, is_streamed):  # noqa: F811
    schema, _, bad = OPEN["map"]
    vendor = vendor_of("claude")
    vendor.says({"calls": [("weather", bad)]}, in_words(bad))
    # As with every tool that is asked for in words, the client gets the words of a call that cannot be made.
    tool = {"type": "function", "function": {"name": "weather", "parameters": schema, "strict": True}}
    got = SURFACES["chat"](team, is_streamed, model=vendor.alias, tools=[tool])
    assert (got.text, got.calls, vendor.times) == (in_words(bad)["text"], (), 2)


def test_a_demanded_call_is_checked_too(team, vendor_of, is_streamed):  # noqa: F811
    schema, good, bad = OPEN["map"]
    vendor = vendor_of("claude")
    vendor.says({"calls": [("weather", bad)]}, in_words(good))
    text = ask(team, "chat", vendor.alias, schema, is_streamed, tool_choice="required")
    assert (arguments("chat", text, is_streamed)[0], vendor.times) == (good, 2)
    assert FINISH["chat"] in text
    vendor.says({"calls": [("weather", bad)], "is_cut": True})
    ask(team, "chat", vendor.alias, schema, is_streamed)
    assert vendor.times == 1


@pytest.mark.parametrize("surface", ["chat", "messages"])
def test_an_open_tool_that_is_not_strict_is_sent_as_it_is(team, vendor_of, surface):  # noqa: F811
    schema, _, bad = OPEN["map"]
    vendor = vendor_of("claude")
    vendor.says({"calls": [("weather", bad)]})
    assert arguments(surface, ask(team, surface, vendor.alias, schema, False, is_strict=False), False)[0] == bad
    assert vendor.fake.body(vendor.model)["tools"] == [{"name": "weather", "input_schema": schema}]


A, B = record(["kind", "a"], kind={"const": "a"}, a=NUMBER), record(["kind", "b"], kind={"const": "b"}, b=TEXT)
UNIONS = {
    "anyOf": {"anyOf": [A, B]},
    "oneOf": {"type": "object", "oneOf": [A, B]},
    "ref": {"$ref": "#/$defs/u", "$defs": {"u": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]}, "a": A, "b": B}},
    "null": {"anyOf": [A, B, {"type": "null"}]},
    "inner": {"allOf": [{"anyOf": [A, B]}]},
    "beside": {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}, "required": ["kind"], "anyOf": [A, B]},
}


@SURFACE
@pytest.mark.parametrize("name", UNIONS)
@pytest.mark.parametrize("is_strict", [True, False], ids=["strict", "open"])
def test_a_union_at_the_top_is_merged(team, vendor_of, surface, name, is_strict, is_streamed):  # noqa: F811
    vendor, schema, good = vendor_of("claude"), UNIONS[name], {"kind": "b", "b": "x"}
    vendor.says({"calls": [("weather", good)]})
    assert arguments(surface, ask(team, surface, vendor.alias, schema, is_streamed, is_strict), is_streamed)[0] == good
    (tool,) = vendor.fake.body(vendor.model)["tools"]
    sent = tool["input_schema"]
    assert sent["type"] == "object" and set(sent["properties"]) == {"kind", "a", "b"} and sent["required"] == ["kind"]
    assert "anyOf" in sent["description"] or "oneOf" in sent["description"]
    assert {"const": "a"} in sent["properties"]["kind"]["anyOf"] and sent["additionalProperties"] is False
    bad = {"kind": "b", "a": 1}
    vendor.says({"calls": [("weather", bad)]}, in_words(good))
    text = ask(team, surface, vendor.alias, schema, is_streamed, is_strict)
    assert (arguments(surface, text, is_streamed)[0], vendor.times) == ((good, 2) if is_strict else (bad, 1))


@pytest.mark.parametrize("row", ["open", "resp"])
def test_arguments_are_checked_where_strict_was_refused(team, vendor_of, row):  # noqa: F811
    vendor, schema, good, bad = vendor_of(row), record(["city"], city=TEXT), {"city": "Rome"}, {"city": 1}
    refused = {"error": {"message": "Unsupported parameter: 'strict'.", "type": "invalid_request_error", "param": "tools[0].function.strict"}}
    vendor.fake.says(vendor.model, {"status": 400, "json": refused}, vendor.script(calls=[("weather", good)]))
    assert arguments("chat", ask(team, "chat", vendor.alias, schema, False), False)[0] == good and vendor.times == 2
    for surface, is_streamed in itertools.product(["chat", "responses", "messages"], [False, True]):
        vendor.says({"calls": [("weather", bad)]}, in_words(good))
        assert arguments(surface, ask(team, surface, vendor.alias, schema, is_streamed), is_streamed)[0] == good, (surface, is_streamed)
        vendor.says({"calls": [("weather", bad)]})
        assert arguments(surface, ask(team, surface, vendor.alias, schema, is_streamed, is_strict=False), is_streamed)[0] == bad


GOOGLE = pytest.mark.parametrize("row", ["google", "vgoogle"])
LISTED = {"type": ["object", "null"], "properties": {"a": NUMBER}}
PICKS = {
    # name: schema of `v`, good values, a bad one, words in what Google gets
    "empty text": ({"type": "string", "enum": ["", "a"]}, ["", "a"], "b", 'One of: "", "a"'),
    "null": ({"type": ["string", "null"], "enum": ["a", None]}, [None, "a"], "b", "null"),
    "null without type": ({"enum": ["a", "b", None], "description": "d"}, [None, "a"], "c", "null"),
    "flag": ({"const": True}, [True], False, "One of: true"),
    "mixed": ({"enum": ["a", 1]}, ["a", 1], 2, 'One of: "a", 1'),
    "only null": ({"enum": [None]}, [None], 1, ""),
    "null type": ({"type": ["null"], "enum": [2.5, None]}, [None], 2.5, "2.5"),
    "items": ({"type": "array", "items": LISTED}, [[None, {"a": 1}]], [1], "null"),
    "picked items": ({"type": "array", "items": {"enum": ["a", None]}}, [[None, "a"]], [1], "null"),
    "patterns": ({"type": "object", "patternProperties": {"^x": NUMBER}, "additionalProperties": False}, [{"x1": 1}], {"y": 1}, ""),
}  # fmt: skip


@SURFACE
@GOOGLE
@pytest.mark.parametrize("name", PICKS)
def test_values_that_google_does_not_list(team, vendor_of, row, surface, name, is_streamed):  # noqa: F811
    value, good, bad, words = PICKS[name]
    vendor, schema = vendor_of(row), record(["v"], v=value)
    for one in good:
        vendor.says({"calls": [("weather", {"v": one})]})
        assert arguments(surface, ask(team, surface, vendor.alias, schema, is_streamed), is_streamed)[0] == {"v": one}
    (declared,) = vendor.fake.asked(vendor.model)[-1]["body"]["tools"][0]["functionDeclarations"]
    sent = json.dumps(declared.get("parametersJsonSchema", declared.get("parameters")), ensure_ascii=False)
    assert words in sent.replace("\\", "") or row == "vgoogle" and words == "null" and "nullable" in sent
    vendor.says({"calls": [("weather", {"v": bad})]}, in_words({"v": good[0]}))
    assert arguments(surface, ask(team, surface, vendor.alias, schema, is_streamed), is_streamed)[0] == {"v": good[0]}
    assert vendor.times == 2


@pytest.mark.parametrize("name", ["map", "all free", "in a list", "patterns"])
def test_a_map_in_a_format_at_vertex_is_asked_for_in_words(team, vendor_of, name, is_streamed):  # noqa: F811
    schema, good, bad = OPEN[name]
    vendor = vendor_of("vgoogle")
    vendor.says({"text": json.dumps(bad)}, {"text": json.dumps(good)})
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    got = SURFACES["chat"](team, is_streamed, model=vendor.alias, response_format=form)
    assert (json.loads(got.text), vendor.times) == (good, 2)
    assert "responseSchema" not in vendor.fake.asked(vendor.model)[0]["body"].get("generationConfig", {})


REFUSED = {
    "google": {"error": {"code": 400, "message": "GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[v].enum[0]: "
                         "unknown rule", "status": "INVALID_ARGUMENT"}},
    "claude": {"type": "error", "error": {"type": "invalid_request_error", "message": "tools.0.custom.input_schema: unknown rule"}},
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED)
def test_a_refused_schema_is_sent_plainly_from_then_on(learning, fakes, row, is_streamed):  # noqa: F811
    wire, alias, model = ROWS[row][0], f"{row}-{is_streamed}".lower(), f"learned-{is_streamed}".lower()
    said = {"content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"v": "a"}}]}
    said = said if wire == "anthropic" else {"calls": [("weather", {"v": "a"})]}
    schema = record(["v"], v={"type": "string", "enum": ["a", "b"], "description": "d"})
    fakes[row].says(model, {"status": 400, "json": REFUSED[row]}, said, said)
    for _ in range(2):
        assert arguments("chat", ask(learning, "chat", alias, schema, is_streamed, is_strict=False), is_streamed)[0] == {"v": "a"}
    bodies = [request["body"] for request in fakes[row].asked(model)]
    sent = [body["tools"][0]["input_schema"] if wire == "anthropic" else body["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] for body in bodies]
    plain = {"type": "object", "properties": {"v": {"type": "string", "description": "d"}}, "required": ["v"]}
    assert (sent[1], sent[2], len(sent)) == (plain, plain, 3) and "enum" in json.dumps(sent[0])


@pytest.fixture(scope="module")
def learning(launch, fakes):  # noqa: F811
    settings = {}
    for row in REFUSED:
        more = {"KIND": ROWS[row][0], "BASE_URL": fakes[row].base_url, "API_KEY": VENDOR_KEY, "MODELS": f"{row}-true=learned-true,{row}-false=learned-false"}
        settings |= {f"PROVIDER_{row.upper()}_{name}": value for name, value in more.items()}
    own = launch(**settings, KEY_TEAM_TOKEN=TEAM_TOKEN)
    with plain(own, TEAM_TOKEN) as http:
        yield http
