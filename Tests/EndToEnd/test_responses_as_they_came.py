"""Requests of the Responses API reach a provider that has one as they came, and so do its events and responses. A request
that refers to what only the relay knows is written anew, and other providers get a translation."""

import json

import local_http
import pytest
from conftest import TEAM_TOKEN, VENDOR_KEY
from openai_responses import events as vendor_events
from openai_responses import response
from relay_process import provider
from usage import File

AT = "as/it-came"
CUSTOM = {"type": "custom", "name": "apply_patch", "description": "Edits files", "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'}}
FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
HISTORY = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_of_tomorrow", "data": [1.50, 1e3]}]},
    {"type": "reasoning", "id": "rs_" + "0a" * 24, "summary": [{"type": "summary_text", "text": "Hm"}], "content": None, "encrypted_content": "gAAAA-other"},
    {"type": "custom_tool_call", "id": "ctc_" + "0b" * 24, "call_id": "call_1", "name": "apply_patch", "input": "*** Begin"},
    {"type": "custom_tool_call_output", "call_id": "call_1", "output": "done"},
    {"type": "item_of_tomorrow", "x": {"y": []}},
]  # fmt: skip
BODY = {
    "instructions": "Be brief. \u2600", "input": HISTORY, "tools": [CUSTOM, {"type": "web_search", "external_web_access": True}, FUNCTION],
    "model": "m", "store": False, "include": ["reasoning.encrypted_content"], "truncation": "auto", "max_tool_calls": 3, "moderation": {"x": 1},
    "reasoning": {"summary": "word_of_tomorrow"}, "parallel_tool_calls": True, "field_of_tomorrow": {"a": [None, ""]},
}  # fmt: skip
ITEMS = [
    {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "I think."}], "encrypted_content": "gAAAA-own"},
    {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "Well.", "annotations": [], "logprobs": []}]},
    {"id": "it_1", "type": "output_of_tomorrow", "z": 1},
]  # fmt: skip


@pytest.fixture(scope="module")
def relay(launch, server):
    return launch(**settings(server), KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_MODELS="m,both,chats")


def settings(server):
    return {
        **provider("ROW", "openai", server.base_url, f"m={AT},both={AT},other=as/other", API_KEY=VENDOR_KEY, CHAT_VIA="responses", COST="5/25 per million"),
        **provider("CHATS", "openai", server.base_url, "both=as/chats,chats=as/chats"),
    }  # fmt: skip


@pytest.fixture
def http(relay, server, unchecked):
    with unchecked(relay, TEAM_TOKEN) as client:
        yield client
    server.take_violations()


@pytest.fixture
def unchecked():
    """`unchecked(relay, token)`: a client that does not check responses by OpenAI's schemas, which lack items of these tests."""
    return lambda relay, token: local_http.Client(base_url=relay.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def written(body):
    """Returns the body in a writing that no parser would give again."""
    return json.dumps(body, indent=1).encode()


def post(http, body, **more):
    return http.post("/v1/responses", content=written(body | more), headers={"Content-Type": "application/json"})


def test_bodies_and_responses_pass_as_they_came(http, server, is_streamed):
    script = {"items": ITEMS}
    server.says(AT, script)
    answer = post(http, BODY, stream=is_streamed)
    assert answer.status_code == 200, answer.text
    (asked,) = server.asked(AT)
    assert asked["raw"] == written(BODY | {"stream": is_streamed}).replace(b'"model": "m"', b'"model": "%s"' % AT.encode())
    if is_streamed:
        assert answer.text == "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in vendor_events(script))
    else:
        assert answer.text == json.dumps(response(script), separators=(",", ":"))


def test_a_usage_that_is_null_is_counted(http, server, is_streamed):
    told = [event | {"response": event["response"] | {"usage": None}} if "response" in event else event for event in vendor_events({"items": ITEMS})]
    raw = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in told).encode()
    server.says(AT, {"raw": raw, "type": "text/event-stream"} if is_streamed else {"json": told[-1]["response"]})
    answer = post(http, BODY, stream=is_streamed)
    found = json.loads(answer.text.strip().splitlines()[-1].removeprefix("data: ")) if is_streamed else {"response": answer.json()}
    usage = found["response"].pop("usage")
    assert usage["input_tokens"] > 0 < usage["output_tokens"] and usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert found["response"] | {"usage": None} == told[-1]["response"]
    assert not is_streamed or answer.text.encode().startswith(raw[: raw.rindex(b"event: ")])


def test_what_refers_to_the_relay_is_written_anew(http, server):
    made = [
        {"store": True, "input": "Hi"}, {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "rs_1.gAAAA"}, *HISTORY[3:4]]},
        {"input": [{"type": "message", "id": "msg_" + "aB3" * 8 + "0", "role": "assistant", "content": "So."}, {"role": "user", "content": "Hi"}]},
    ]  # fmt: skip
    for more in made:
        body = {"model": "m", "store": False} | more
        body["input"] = [item for item in body["input"] if item.get("type") != "custom_tool_call_output"] if isinstance(body["input"], list) else body["input"]
        server.says(AT, {})
        answer = post(http, body)
        assert answer.status_code == 200, answer.text
        (asked,) = server.asked(AT)
        assert asked["body"]["store"] is False and asked["body"]["include"] == ["reasoning.encrypted_content"]
        assert answer.json()["id"] != "resp_vendor"


def test_a_fallback_gets_a_translation(http, server):
    for more in ({}, {"stream": True}):
        server.says(AT, {"status": 503, "json": {"error": {"message": "busy"}}})
        server.says("as/chats", {"text": "Fine."})
        body = {"model": "both", "input": [{"role": "user", "content": "Hi"}], "store": False, "tools": [FUNCTION]} | more
        answer = post(http, body)
        assert answer.status_code == 200 and "Fine." in answer.text
        (asked,) = server.asked("as/chats")
        assert asked["body"]["messages"] == [{"role": "user", "content": "Hi"}]


def test_what_only_a_responses_api_understands_is_refused_elsewhere(http, server):
    server.says("as/chats", {})
    answer = post(http, {"model": "chats", "input": HISTORY[:1], "store": False})
    assert answer.status_code == 400 and "input[0].content[1]" in answer.json()["error"]["param"]
    assert server.asked("as/chats") == []


def test_models_and_resources_of_others_are_refused(http, server):
    server.says(AT, {})
    tool = {"type": "image_generation", "model": "other"}
    answer = post(http, BODY | {"tools": [tool]})
    assert answer.status_code == 404 and "tools[0].model" in answer.text
    for part in ({"type": "input_file", "file_id": "file-abc"}, {"type": "input_of_tomorrow", "container_id": "cntr_1"}):
        answer = post(http, BODY | {"input": [{"role": "user", "content": [part]}]})
        assert answer.status_code in (400, 404), answer.text
    assert server.asked(AT) == []


def test_a_name_that_stands_twice_is_not_passed(http, server):
    server.says(AT, {})
    raw = b'{"model":"m","store":false,"input":"Hi","max_output_tokens":20,"max_output_tokens":30}'
    answer = http.post("/v1/responses", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200 and server.asked(AT)[0]["raw"].count(b"max_output_tokens") == 1


def test_usage_is_recorded(start_relay, server, unchecked, tmp_path):
    relay = start_relay(**settings(server), KEY_TEAM_TOKEN=TEAM_TOKEN, USAGE_LOG_FILE=str(tmp_path / "usage"))
    server.says(AT, {"items": ITEMS}, {"items": ITEMS}, {"items": ITEMS, "refuses_fields": ["field_of_tomorrow"]})
    with unchecked(relay, TEAM_TOKEN) as http:
        for is_streamed in (False, True, True):
            assert post(http, BODY, stream=is_streamed).status_code == 200
    records = [record for record in File(tmp_path / "usage").more(7) if "attempts" in record]
    # The last one was written anew, without a field that the vendor had refused.
    assert [record.get("rebuilt", False) for record in records] == [False, False, True]
    for record in records:
        assert (record["prompt_tokens"], record["completion_tokens"]) == (9, 8) and record["cost"] == pytest.approx((9 * 5 + 8 * 25) / 1e6)
    server.take_violations()


def test_a_response_without_usage_gets_one_of_its_api(http, server):
    server.says(AT, {"json": response({"items": ITEMS}) | {"usage": None}})
    usage = http.post("/v1/responses", json=BODY).json()["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    # Most of them are the tools'.
    assert usage["input_tokens"] > 50 and 1 <= usage["output_tokens"] < 10


def test_a_budget_lowers_nothing_but_the_digits(start_relay, server, unchecked):
    relay = start_relay(**settings(server), KEY_TEAM_TOKEN=TEAM_TOKEN, RATE_LIMIT="off", KEY_TEAM_RATE_LIMIT="0.03 usd/day")
    server.says(AT, {})
    body = {"model": "m", "input": "Hi", "store": False, "stream": True, "max_output_tokens": 100_000}
    with unchecked(relay, TEAM_TOKEN) as http:
        answer = post(http, body)
    assert answer.status_code == 200
    lowered = int(answer.headers["x-relay-max-tokens"])
    assert server.asked(AT)[0]["raw"] == written(body).replace(b'"m"', b'"%s"' % AT.encode()).replace(b"100000", b"%d" % lowered)


def test_an_own_compaction_alone_is_written_anew(http, server, is_streamed):
    server.says(AT, {"text": "They like the sun."})
    items = [{"type": "message", "role": "user", "content": "Rome?"}, {"type": "message", "role": "assistant", "content": "Sunny."}]
    compacted = http.post("/v1/responses/compact", json={"model": "m", "input": items}).json()["output"]
    assert compacted[-1]["type"] == "compaction" and "gAAAA" not in compacted[-1]["encrypted_content"]
    script = {"items": ITEMS}
    server.says(AT, script)
    answer = post(http, BODY | {"input": [*compacted, *HISTORY]}, stream=is_streamed)
    assert answer.status_code == 200, answer.text
    (asked,) = server.asked(AT)
    user = {name: value for name, value in compacted[0].items() if name != "id"}
    summary = {"type": "message", "role": "user", "content": "This is a summary of the conversation so far:\n\nThey like the sun."}
    assert asked["body"] == BODY | {"model": AT, "stream": is_streamed, "input": [user, summary, *HISTORY]}
    assert "output_of_tomorrow" in answer.text


def test_a_stream_that_breaks_off_ends_as_it_began(http, server):
    whole = [event | {"sequence_number": event["sequence_number"] + 7} for event in vendor_events({"items": ITEMS})]
    for ending in ({"cut": True}, {"events": [*whole[:9], {"type": "error", "message": "no", "sequence_number": 16}]}):
        server.says(AT, {"events": whole[:9]} | ending)
        answer = post(http, BODY, stream=True)
        found = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n") if line.startswith("data: ")]
        assert found[:-1] == whole[:9] and found[-1]["type"] == "response.failed"
        last = found[-1]["response"]
        assert (last["id"], last["model"], last["created_at"]) == ("resp_vendor", "the-server's-own", 1700000000)
        assert last["status"] == "failed" and found[-1]["sequence_number"] == 16


def test_codes_of_images_go_on(http, server):
    begun = vendor_events({"items": ITEMS})[:3]
    failed = {"status": "failed", "error": {"code": "invalid_base64_image", "message": "It is no image."}}
    server.says(AT, {"events": [*begun, {"type": "response.failed", "response": response({"items": []}, **failed)}]})
    answer = post(http, BODY, stream=True)
    error = json.loads(answer.text.split("data: ")[-1])
    assert (error["response"]["error"] if "response" in error else error["error"])["code"] == "invalid_base64_image"
    server.says(AT, {"json": response({"items": []}, **failed)})
    answer = post(http, BODY)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_base64_image"


@pytest.mark.parametrize("said", [
    {"message": "Invalid value: 'web_search'. Supported values are: 'function' and 'custom'.", "param": "tools[1].type", "code": "invalid_value"},
    {"message": "Hosted tool 'web_search' is not supported with this model.", "param": "tools", "code": None},
    {"message": "Unsupported tool type: web_search"}, {"message": "'type' of tool must be 'function'"}, {"message": "This tool type is not supported."},
], ids=["value", "hosted", "type", "function", "unnamed"])  # fmt: skip
def test_a_refused_search_tool_is_left_out(start_relay, server, unchecked, said):
    relay = start_relay(**settings(server), KEY_TEAM_TOKEN=TEAM_TOKEN)
    server.says(AT, {"status": 400, "json": {"error": {"type": "invalid_request_error"} | said}}, {"items": ITEMS})
    without = [CUSTOM, FUNCTION]
    with unchecked(relay, TEAM_TOKEN) as http:
        for is_streamed in (True, False):
            answer = post(http, BODY, stream=is_streamed)
            assert answer.status_code == 200 and answer.headers["x-relay-ignored"] == "web_search", answer.text
            assert "output_of_tomorrow" in answer.text
        tools = [asked["body"]["tools"] for asked in server.asked(AT)]
        assert tools == [BODY["tools"], without, without], "the refusal is remembered"
        server.says(AT, {"status": 400, "json": {"error": {"type": "invalid_request_error"} | said}})
        answer = post(http, BODY | {"tools": BODY["tools"][1:2]})
        assert answer.status_code == 400 and server.asked(AT)[0]["body"]["tools"] == BODY["tools"][1:2]
    server.take_violations()


def test_a_search_that_is_refused_with_a_low_effort_is_sent_with_others(start_relay, server, unchecked):
    relay = start_relay(**settings(server), KEY_TEAM_TOKEN=TEAM_TOKEN)
    error = {"message": "The following tools cannot be used with reasoning.effort 'minimal': web_search.", "param": "tools", "code": None}
    server.says(AT, {"status": 400, "json": {"error": error}}, {"items": ITEMS})
    with unchecked(relay, TEAM_TOKEN) as http:
        for effort in ("minimal", "low"):
            assert post(http, BODY | {"reasoning": {"effort": effort}}).status_code == 200
    assert [len(asked["body"]["tools"]) for asked in server.asked(AT)] == [3, 2, 3]
    server.take_violations()


def test_a_refused_other_tool_leaves_the_search(start_relay, server, unchecked):
    relay = start_relay(**settings(server), KEY_TEAM_TOKEN=TEAM_TOKEN)
    error = {"message": "Invalid value: 'custom'. Supported values are: 'function' and 'web_search'.", "param": "tools[0].type", "code": "invalid_value"}
    server.says(AT, {"status": 400, "json": {"error": error}})
    with unchecked(relay, TEAM_TOKEN) as http:
        assert post(http, BODY).status_code == 400
    assert len(server.asked(AT)) == 1
    server.take_violations()


def test_a_cached_response_comes_as_it_came(start_relay, server, unchecked, is_streamed):
    relay = start_relay(**settings(server), KEY_TEAM_TOKEN=TEAM_TOKEN, CACHE="true", CACHE_MODELS="m")
    items = [*ITEMS, {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "c", "namespace": "mcp", "name": "f", "arguments": "{}", "new": 1}]
    server.says(AT, {"items": items})
    with unchecked(relay, TEAM_TOKEN) as http:
        first, second = (post(http, BODY, stream=is_streamed) for _ in range(2))
    assert (first.headers["x-relay-cache"], second.headers["x-relay-cache"]) == ("miss", "hit") and len(server.asked(AT)) == 1
    assert second.text == first.text and second.headers["content-type"] == first.headers["content-type"]
    server.take_violations()


def test_reasoning_of_openai_stays_with_openai(http, server):
    """A request that is written anew keeps it, with or without an id."""
    for item in (HISTORY[1], {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA-other"}, HISTORY[1] | {"id": "rs.1"}):
        server.says(AT, {})
        made = {"type": "message", "id": "msg_" + "aB3" * 8 + "0", "role": "assistant", "content": "So."}
        answer = post(http, {"model": "m", "store": False, "input": [item, made, {"role": "user", "content": "Hi"}]})
        assert answer.status_code == 200, answer.text
        sent = server.asked(AT)[0]["body"]["input"][0]
        assert sent == {name: value for name, value in item.items() if value not in (None, "rs.1")}


OF_OTHERS = [
    {"type": "reasoning", "id": "rs_6f1c-4e", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "Zm9v+/8="},
    {"type": "reasoning", "id": "rs_0123456789abcdef", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]},
]


@pytest.mark.parametrize("item", OF_OTHERS)
def test_reasoning_of_other_servers_goes_back_to_them(http, server, item):
    made = {"type": "message", "id": "msg_" + "aB3" * 8 + "0", "role": "assistant", "content": "So."}
    body = {"store": False, "input": [item, made, {"role": "user", "content": "Hi"}]}
    for name, at in (("m", AT), ("chats", "as/chats")):
        server.says(at, {})
        assert post(http, body | {"model": name}).status_code == 200
        sent = server.asked(at)[0]["body"]
        assert sent["input"][0] == item if name == "m" else "Hm" not in str(sent) and "Zm9v" not in str(sent)


def test_a_byte_order_mark_does_not_go_on(http, server):
    server.says(AT, {})
    raw = written(BODY)
    answer = http.post("/v1/responses", content=b"\xef\xbb\xbf" + raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200 and server.asked(AT)[0]["raw"] == raw.replace(b'"model": "m"', b'"model": "%s"' % AT.encode())


def test_items_that_the_server_does_not_keep_are_sent_without_their_ids(http, server):
    words = "Item with id '{0}' not found. Items are not persisted when `store` is set to false. Try again, or remove this item from your input."
    unknown = [{"status": 404, "json": {"error": {"message": words.format(id), "type": "invalid_request_error", "param": "input", "code": None}}} for id in ("rs_1", "msg_1")]
    server.says(AT, *unknown, {})
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA-other"}
    said = {"type": "message", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "Yes", "annotations": []}]}
    hi, more = [{"role": "user", "content": text} for text in ("Hi", "So?")]
    answer = http.post("/v1/responses", json={"model": "m", "store": False, "input": [hi, thought, {"id": "msg_1"} | said, more]})
    assert answer.status_code == 200, answer.text
    assert [seen["body"]["input"] for seen in server.asked(AT)][1:] == [[hi, {"id": "msg_1"} | said, more], [hi, said, more]]
