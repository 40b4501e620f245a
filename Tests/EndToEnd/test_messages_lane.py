"""Messages to a provider that has Anthropic's API: they go on byte for byte, and so do its responses and errors."""

import hashlib
import json

import local_http
import pytest
from anthropic_vendor import all_events, events, failure, text, thought, use, whole
from conftest import CLAUDE_KEY, TEAM_TOKEN, secrets
from limited import client as plain
from memcached import wait_for
from operating import PASSWORD, Operator
from usage import is_call, lines_so_far

MODEL = "claude-opus-5-5"
PATH = "/v1/messages?beta=true"
USER = {"role": "user", "content": "Hi"}
LINE = "x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;"
OPEN = {"open": True, "own_headers": ["anthropic-beta"]}
BETAS = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"


def settings(server, **more):
    made = {
        "PROVIDER_ANT_KIND": "anthropic", "PROVIDER_ANT_BASE_URL": server.base_url, "PROVIDER_ANT_API_KEY": CLAUDE_KEY,
        "PROVIDER_ANT_MODELS": f"claude={MODEL},{MODEL}", "KEY_TEAM_TOKEN": TEAM_TOKEN, "BREAKER_FAILURES": "1000",
    }  # fmt: skip
    return made | {f"PROVIDER_ANT_{name}": value for name, value in more.items()}


@pytest.fixture(scope="module")
def lane_relay(launch, anthropic_server):
    return launch(**settings(anthropic_server, CLIENT_INFO="all"))


def client(relay, token=TEAM_TOKEN, **headers):
    """An unchecked client: what comes may be newer than any schema."""
    return local_http.Client(base_url=relay.base_url, headers={"x-api-key": token, "Content-Type": "application/json"} | headers, timeout=30)


@pytest.fixture
def lane(lane_relay, anthropic_server):
    with client(lane_relay) as http:
        yield http
    assert anthropic_server.take_violations() == []


def asked(**fields):
    return {"model": "claude", "max_tokens": 32_000, "messages": [USER]} | fields


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": "5", "output_tokens": "6"}])
def test_a_loose_usage_goes_on_as_it_came(lane, anthropic_server, usage):
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": [{"type": "text", "text": "Hello"}],
            "stop_reason": "end_turn", "stop_sequence": None}  # fmt: skip
    told |= {"usage": usage} if usage != {} else {}
    anthropic_server.says(MODEL, OPEN | {"json": told})
    answer = lane.post(PATH, json=asked())
    assert answer.status_code == 200 and answer.json() == told


def sent(http, server, body, script=None, **headers):
    """Sends the bytes of a body. Returns the response and the vendor's only request."""
    server.says(MODEL, OPEN | (script or {}))
    answer = http.post(PATH, content=body, headers=headers)
    (seen,) = server.asked(MODEL)
    return answer, seen


def system_turn(*blocks):
    return {"messages": [USER, {"role": "system", "content": list(blocks)}]}


TOOL = {"name": "t", "input_schema": {"type": "object", "properties": {"é": {"enum": [1.0, 1e2, 10000000000000000000000]}}}}
SHAPES = {
    "a system turn": system_turn({"type": "text", "text": "Be brief."}),
    "deferred tools": {"tools": [TOOL | {"defer_loading": True, "input_examples": [{"a": 1}], "eager_input_streaming": True, "allowed_callers": ["direct"]}]},
    "a search": {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8, "allowed_domains": ["a.example"]}],
                 "tool_choice": {"type": "tool", "name": "web_search"}},
    "a blank stop": {"stop_sequences": [" ", "a" * 2000]}, "fields of nobody": {"x-new": {"a": [{"b": "\u0000é\U0001f600"}]}, "": 1, "n": 3},
}  # fmt: skip


def written(body, style):
    """The bytes of a body in some style, in which another writer would write other bytes."""
    if style == "compact":
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    return b" \r\n" + json.dumps(dict(reversed(body.items())), indent=3).replace("/", "\\/").encode() + b"\n\t"


@pytest.mark.parametrize("style", ["compact", "wide"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_go_on_as_they_came(lane, anthropic_server, shape, style):
    body = written(asked(**SHAPES[shape]), style)
    answer, seen = sent(lane, anthropic_server, body)
    assert answer.status_code == 200, answer.text
    assert seen["raw"] == body.replace(b'"claude"', f'"{MODEL}"'.encode())
    assert answer.json() == whole({})


def test_reasoning_of_other_vendors_does_not_go_on(lane, anthropic_server):
    own, empty, signed = thought("Hm", "relay.unsigned"), thought("", "relay.unsigned"), thought("Hm", "c2ln")
    sealed = {"type": "redacted_thinking", "data": "c2ln"}
    others = [thought("Hm", "rs_1.gAAAAx"), thought("", "gemini.x")]
    others += [sealed | {"data": data} for data in ("rs_.gAAAAx", "cmp_1.gAAAAx", 'item.{"type":"new"}')]

    def turns(*contents):
        return [turn for content in contents for turn in (USER, {"role": "assistant", "content": content})] + [USER]

    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        for contents, escape in (([own, text("A")], "."), ([empty, text("A")], "."), ([own, text("A")], "\\u002e")):
            body = asked(messages=turns(contents, [contents[0]], [signed, text("B")]), container={"skills": []})
            anthropic_server.says(MODEL, {"open": True})
            lane.post(path, content=json.dumps(body).replace("relay.unsigned", f"relay{escape}unsigned").encode())
            (seen,) = anthropic_server.asked(MODEL)
            assert seen["body"]["messages"] == turns([text("A")], [{"type": "text", "text": "."}], [signed, text("B")])
        body = asked(messages=turns([*others, sealed, text("A")], [signed, text("B")]), container={"skills": []})
        anthropic_server.says(MODEL, {"open": True})
        lane.post(path, json=body)
        (seen,) = anthropic_server.asked(MODEL)
        assert seen["body"]["messages"] == turns([sealed, text("A")], [signed, text("B")])


@pytest.mark.parametrize("shape", ["a system turn", "fields of nobody", "a search"])
def test_large_bodies(lane, anthropic_server, shape, is_streamed):
    """They are read on another thread."""
    fields = SHAPES[shape] | {"padding": "x" * 400_000, "stream": is_streamed}
    body = written(asked(**fields), "wide")
    answer, seen = sent(lane, anthropic_server, body)
    assert answer.status_code == 200 and seen["raw"] == body.replace(b'"claude"', f'"{MODEL}"'.encode())


def test_a_byte_order_mark_does_not_go_on(lane, anthropic_server):
    body = written(asked(system=[{"type": "text", "text": LINE}]), "compact")
    _, seen = sent(lane, anthropic_server, body)
    _, marked = sent(lane, anthropic_server, b"\xef\xbb\xbf" + body)
    assert marked["raw"] == seen["raw"]


NEW_EVENTS = [
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-own\",\"content\":[],"
    "\"stop_reason\":null,\"new\":{\"a\":1},\"usage\":{\"input_tokens\":9,\"cache_creation\":{\"ephemeral_1h_input_tokens\":2},\"cache_creation_input_tokens\":2,\"output_tokens\":1}}   }",
    "event: ping\ndata: {\"type\": \"ping\"}",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"new_block\",\"x\":[]}}",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"new_delta\",\"estimate\":50}}",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0 }",
    "event: news\ndata: {\"type\":\"news\",\"error\":null}",
    "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}",
    *[f"event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{part}\"}}}}" for part in ("Hel", "lo \\u00e9", "\\ud83d", "\\ude00")],
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"padded\"}      }",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"new_reason\",\"stop_sequence\":null},\"safeguard_results\":[1],\"usage\":{\"output_tokens\":40,\"iterations\":[1]},"
    "\"context_management\":{\"applied_edits\":[]}}",
    "event: message_stop\ndata: {\"type\":\"message_stop\",\"amazon\":{\"x\":1}}",
]  # fmt: skip


@pytest.mark.parametrize("pieces", [None, 1, 7, 100])
def test_events_go_on_as_they_came(lane, anthropic_server, pieces):
    answer, _ = sent(lane, anthropic_server, written(asked(stream=True), "compact"), {"events": NEW_EVENTS} | ({"pieces": pieces} if pieces else {}))
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == events({"events": NEW_EVENTS})


def test_usual_events_go_on_as_they_came(lane, anthropic_server):
    script = {"content": [thought("Hm"), text("Hello é there"), use("toolu_1", "t", {"a": [1]}), use("toolu_2", "t", {})]}
    answer, _ = sent(lane, anthropic_server, written(asked(stream=True), "compact"), script)
    assert answer.content == events(script)


def test_an_end_without_its_last_event(lane, anthropic_server):
    script = {"events": list(all_events({}))[:-1]}
    answer, _ = sent(lane, anthropic_server, written(asked(stream=True), "compact"), script)
    assert answer.content == events(script) + b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def test_line_ends(lane, anthropic_server):
    script = {"line_end": "\r\n"}
    answer, _ = sent(lane, anthropic_server, written(asked(stream=True), "compact"), script)
    assert answer.content == events({})


def test_a_response_with_new_fields(lane, anthropic_server):
    raw = json.dumps(whole({}) | {"content": [{"type": "new", "x": 1}, text("A")], "stop_reason": "new", "safeguard_results": []}, indent=2).encode()
    answer, _ = sent(lane, anthropic_server, written(asked(), "compact"), {"raw": raw})
    assert answer.content == raw and answer.headers["content-type"] == "application/json"


def test_a_pause_goes_on(lane, anthropic_server):
    for is_streamed in (False, True):
        answer, _ = sent(lane, anthropic_server, written(asked(stream=is_streamed), "compact"), {"stop": "pause_turn"})
        assert b'"pause_turn"' in answer.content and len(anthropic_server.asked(MODEL)) == 1


def test_both_headers_go_on(lane, anthropic_server):
    more = {"anthropic-version": "2031-01-01", "x-claude-code-session-id": "s", "x-app": "cli", "X-Stainless-Lang": "js"}
    _, seen = sent(lane, anthropic_server, written(asked(), "compact"), **{"anthropic-beta": f"{BETAS}, x-1"}, **more)
    assert seen["headers"]["anthropic-beta"] == f"{BETAS}, x-1" and seen["headers"]["anthropic-version"] == "2031-01-01"
    _, seen = sent(lane, anthropic_server, written(asked(), "compact"))
    assert "anthropic-beta" not in seen["headers"] and seen["headers"]["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("path", [PATH, "/v1/messages/count_tokens"])
def test_a_long_version_is_refused(lane, anthropic_server, path):
    anthropic_server.says(MODEL, OPEN | {"json": whole({}) | {"input_tokens": 14}})
    for count, status in ((64, 200), (65, 400), (20_000, 400)):
        answer = lane.post(path, json=asked(), headers={"anthropic-version": "v" * count})
        assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"] == "Invalid 'anthropic-version': string too long: 20000 bytes, the maximum is 64."
    assert len(anthropic_server.asked(MODEL)) == 1


def test_several_lines_are_joined(lane, anthropic_server):
    anthropic_server.says(MODEL, OPEN)
    lines = [("x-api-key", TEAM_TOKEN), ("anthropic-beta", "b,a"), ("Anthropic-Beta", "c, a")]
    assert lane.post(PATH, json=asked(), headers=lines).status_code == 200
    assert anthropic_server.asked(MODEL)[0]["headers"]["anthropic-beta"] == "b,a,c"


def test_a_long_context(lane, anthropic_server):
    for betas, told in [(None, "context-1m-2025-08-07"), ("a", "a,context-1m-2025-08-07"), ("context-1m-2025-08-07,a", "context-1m-2025-08-07,a")]:
        body = written(asked(model="claude[1m]"), "compact")
        answer, seen = sent(lane, anthropic_server, body, **({"anthropic-beta": betas} if betas else {}))
        assert answer.status_code == 200 and seen["raw"] == body.replace(b'"claude[1m]"', f'"{MODEL}"'.encode())
        assert seen["headers"]["anthropic-beta"] == told
    assert lane.post(PATH, json=asked(model="claude[2m]")).status_code == 404
    assert lane.post(PATH, json=asked(model="nothing[1m]")).status_code == 404


def test_own_headers_stand_first(start_relay, anthropic_server):
    relay = start_relay(**settings(anthropic_server, HEADERS="anthropic-beta: mine, b; anthropic-version: 2024-01-01"))
    with client(relay) as http:
        _, seen = sent(http, anthropic_server, written(asked(), "compact"), **{"anthropic-beta": "a,b"})
        assert seen["headers"]["anthropic-beta"] == "mine,b,a" and seen["headers"]["anthropic-version"] == "2024-01-01"
        _, seen = sent(http, anthropic_server, written(asked(), "compact"), **{"anthropic-version": "2023-06-01"})
        assert seen["headers"]["anthropic-beta"] == "mine,b" and seen["headers"]["anthropic-version"] == "2023-06-01"
    assert anthropic_server.take_violations() == []


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
def test_a_callers_key_goes_on_in_its_way(start_relay, anthropic_server, name):
    made = settings(anthropic_server, PASSTHROUGH="true")
    del made["PROVIDER_ANT_API_KEY"], made["KEY_TEAM_TOKEN"]
    relay = start_relay(**made)
    key = "sk-ant-oat01-callers"
    value = f"Bearer {key}" if name == "authorization" else key
    anthropic_server.says(MODEL, OPEN | {"own_headers": ["authorization"]})
    assert local_http.post(f"{relay.base_url}/v1/messages", json=asked(), headers={name: value}).status_code == 200
    headers = anthropic_server.asked(MODEL)[0]["headers"]
    assert headers[name] == value and not {"authorization", "x-api-key"} - {name} & set(headers)
    assert anthropic_server.take_violations() == []


ID = "{\"device_id\":\"d\",\"session_id\":\"é\"}"
DIGEST = hashlib.sha256(ID.encode()).hexdigest()
PROMPT = {"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize("value", ["own", "none", "all"])
def test_what_is_told_of_the_client(start_relay, anthropic_server, value):
    relay = start_relay(**settings(anthropic_server, CLIENT_INFO=value))
    systems = [
        ([{"type": "text", "text": LINE}, PROMPT], [PROMPT]), ([PROMPT, {"type": "text", "text": f"{LINE}\nS"}], [PROMPT, {"type": "text", "text": "S"}]),
        (f"{LINE}\nS", "S"), ([{"type": "text", "text": LINE}], []), ("x-anthropic", "x-anthropic"),
    ]  # fmt: skip
    with client(relay) as http:
        for system, told in systems:
            body = written(asked(system=system, metadata={"a": 1, "user_id": ID, "b": 2}), "compact")
            _, seen = sent(http, anthropic_server, body)
            metadata = {"own": {"a": 1, "user_id": DIGEST, "b": 2}, "none": {"a": 1, "b": 2}, "all": {"a": 1, "user_id": ID, "b": 2}}
            expected = asked(system=system if value == "all" else told, metadata=metadata[value], model=MODEL)
            assert seen["raw"] == written(expected, "compact")
        hidden = json.dumps(asked(system=LINE, metadata={"user_id": ID})).replace("x-anthropic", "\\u0078-anthropic").replace("user_id", "user\\u005fid")
        _, seen = sent(http, anthropic_server, hidden.encode())
        assert (b"cc_version" in seen["raw"] and b"device_id" in seen["raw"]) == (value == "all")
        assert b"cc_version" in seen["raw"] or b"device_id" not in seen["raw"]
    assert anthropic_server.take_violations() == []


@pytest.fixture(scope="module")
def limited_relay(launch, anthropic_server):
    return launch(**settings(anthropic_server) | {"KEY_TEAM_MODELS": "claude"})


@pytest.fixture
def limited(limited_relay, anthropic_server):
    with client(limited_relay) as http:
        yield http
    assert anthropic_server.take_violations() == []


@pytest.mark.parametrize("body", [
    '{"model":"claude","model":"claude-opus-4-8",%s}', '{"model":"claude","\\u006dodel":"claude-opus-4-8",%s}',
    '{"model":"claude","Model":"claude-opus-4-8",%s}',
])  # fmt: skip
def test_a_hidden_model_never_goes_on(limited, anthropic_server, body):
    rest = json.dumps(asked(max_tokens=100))[1:-1].replace('"model": "claude", ', "")
    anthropic_server.says(MODEL, {})
    answer = limited.post(PATH, content=body % rest)
    (seen,) = anthropic_server.asked(MODEL)
    # It is written anew, and so it has what a strict server takes.
    assert answer.status_code == 200 and set(seen["body"]) == {"model", "max_tokens", "messages"} and seen["body"]["model"] == MODEL
    strange = (body % rest)[:-1] + ',"thinking":{"type":5}}'
    assert limited.post(PATH, content=strange).status_code == 400 and len(anthropic_server.asked(MODEL)) == 1


@pytest.mark.parametrize("fields, status", [
    ({"fallbacks": [{"model": "claude"}, "claude"]}, 200), ({"fallbacks": None}, 200), ({"fallbacks": [{"model": "claude-opus-4-8"}]}, 404),
    ({"fallbacks": "default"}, 404), ({"fallbacks": [{"mod": "claude"}]}, 404), ({"models": ["claude-opus-4-8"]}, 400), ({"best_of": 5}, 400),
    ({"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}]}, 400),
])  # fmt: skip
def test_fields_that_choose_other_models(limited, anthropic_server, fields, status):
    anthropic_server.says(MODEL, OPEN)
    answer = limited.post(PATH, json=asked(**fields))
    assert answer.status_code == status, answer.text
    assert len(anthropic_server.asked(MODEL)) == (status == 200)


def test_a_stream_must_be_a_flag(lane, anthropic_server):
    anthropic_server.says(MODEL, OPEN)
    assert lane.post(PATH, json=asked(stream="yes")).status_code == 400 and not anthropic_server.asked(MODEL)


def test_other_surfaces_do_not_take_the_lane(lane_relay, anthropic_server):
    anthropic_server.says(MODEL, {})
    with plain(lane_relay, TEAM_TOKEN) as http:
        answer = http.post("/v1/chat/completions", json={"model": "claude", "messages": [USER]}, headers={"anthropic-beta": "a"})
    assert answer.status_code == 200 and "anthropic-beta" not in anthropic_server.asked(MODEL)[0]["headers"]
    assert anthropic_server.take_violations() == []


ERRORS = [
    # status, type, message, whether the client gets it although the relay's key was used
    (400, "invalid_request_error", "tools.0.custom.input_schema.type: Field required", True),
    (400, "invalid_request_error", "context_management.edits.0.clear_thinking_20251015.keep:  Extra inputs are not permitted", True),
    (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum", True),
    (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", False),
    (401, "authentication_error", "invalid x-api-key", False), (402, "billing_error", "Pay.", False), (403, "permission_error", "Not you.", False),
    (404, "not_found_error", "model: claude-sonnet-4-5-20250929", True), (413, "request_too_large", "Request exceeds the maximum size", True),
    (422, "invalid_request_error", "It is wrong.", True), (429, "rate_limit_error", "Slow down.", True), (500, "api_error", "Internal server error", True),
    (504, "timeout_error", "Timed out.", True), (529, "overloaded_error", "Overloaded", True),
]  # fmt: skip


@pytest.fixture(scope="module")
def own_key(launch, anthropic_server):
    """A client of a relay whose callers use their own keys."""
    made = settings(anthropic_server, PASSTHROUGH="true")
    del made["PROVIDER_ANT_API_KEY"], made["KEY_TEAM_TOKEN"]
    with client(launch(**made), "sk-ant-callers-own-key") as http:
        yield http
    assert anthropic_server.take_violations() == []


@pytest.mark.parametrize("is_own", [False, True], ids=["relays", "own"])
@pytest.mark.parametrize("case", ERRORS, ids=lambda case: f"{case[0]}-{case[2][:6]}")
def test_errors(lane, own_key, anthropic_server, case, is_own, is_streamed):
    status, kind, said, passes = case
    raw = json.dumps(failure(kind, said, details={"new": [1]}), indent=1).encode()
    script = {"status": status, "raw": raw, "headers": {"Retry-After": "7"}}
    answer, _ = sent(own_key if is_own else lane, anthropic_server, written(asked(stream=is_streamed), "compact"), script)
    if passes or is_own:
        assert (answer.status_code, answer.json()) == (status, json.loads(raw))
        assert answer.headers["retry-after"] == "7"
    else:
        assert answer.json()["request_id"] == answer.headers["request-id"] and said not in answer.text
        assert answer.status_code == (402 if status in (400, 402) else 502)


@pytest.mark.parametrize("script", [{}, {"status": 429, "json": failure("rate_limit_error", "Later.")}], ids=["answered", "refused"])
@pytest.mark.parametrize("is_own", [False, True], ids=["relays", "own"])
def test_fields_of_the_vendor(lane, own_key, anthropic_server, is_own, is_streamed, script):
    fields = {
        "request-id": "req_vendor", "anthropic-organization-id": "org-1", "anthropic-ratelimit-unified-5h-status": "allowed",
        "anthropic-ratelimit-requests-limit": "50",
    }  # fmt: skip
    script = script | {"headers": fields | {"x-internal": "host-7"}}
    answer, _ = sent(own_key if is_own else lane, anthropic_server, written(asked(stream=is_streamed), "compact"), script)
    got = {name: answer.headers.get_list(name) for name in (*fields, "x-internal", "x-relay-upstream-request-id")}
    nothing = {name: [] for name in got}
    if is_own:
        assert got == nothing | {name: [value] for name, value in fields.items()}
        assert "anthropic-ratelimit-unified-5h-status" in answer.headers["access-control-expose-headers"]
    else:
        assert got == nothing | {"request-id": [answer.headers["x-request-id"]], "x-relay-upstream-request-id": ["req_vendor"]}


@pytest.mark.parametrize("said, shown", [
    ("See https://api.internal.example/x for more.", "See … for more."), ("Key sk-ant-abcdef is used up.", "Key … is used up."),
    ("The organization `acme-prod-1` may not.", "The organization … may not."), ("Ask a.person@example.com", "Ask …"),
])  # fmt: skip
def test_errors_tell_nothing_private(lane, anthropic_server, said, shown):
    for more in ({}, {"details": {"at": said}}):
        answer, _ = sent(lane, anthropic_server, written(asked(), "compact"), {"status": 400, "json": failure("invalid_request_error", said, **more)})
        assert answer.status_code == 400
        assert answer.json() == failure("invalid_request_error", shown)
    body = failure("invalid_request_error", "It is wrong.", details={"at": said})
    answer, _ = sent(lane, anthropic_server, written(asked(), "compact"), {"status": 400, "json": body})
    assert answer.json() == failure("invalid_request_error", "It is wrong.")


@pytest.mark.parametrize("status", [600, 999])
@pytest.mark.parametrize("wait, shown", [("1e9", "86400"), ("-5", None), ("Fri, 31 Dec 9999 23:59:59 GMT", "86400")])
def test_statuses_that_http_does_not_have_and_waits_without_end(lane, lane_relay, anthropic_server, status, wait, shown):
    script = {"status": status, "json": failure("api_error", "It failed."), "headers": {"Retry-After": wait}}
    answer, _ = sent(lane, anthropic_server, written(asked(), "compact"), script)
    assert answer.status_code == 502 and answer.headers.get("retry-after") == shown
    cause = f"the vendor answered {status}, a status that HTTP does not have at "
    lane_relay.wait_for_line(lambda line: line.get("cause", "").startswith(f"ant: {cause}"))


HIDDEN = {
    "an address in a name": (lambda it: it["error"].update({"10.0.0.5:8080": 1}), "10.0.0.5"),
    "an address in an inner message": (lambda it: it["error"].update(details=[{"message": "See https://inner.example/x."}]), "inner.example"),
    "an account in an inner request id": (lambda it: it["error"].update(request_id="acct_1234567890"), "acct_"),
    "an address as the request id": (lambda it: it.update(request_id="http://inner.example/x"), "inner.example"),
    "an account as the type": (lambda it: it["error"].update(type="acct_1234567890"), "acct_"),
    "the number of an account": (lambda it: it.update(owner=123456789012), "123456789012"),
    "an address in the second of two errors": (lambda it: it.update(second={"message": "See https://inner.example/x."}), "inner.example"),
    "the key as the type": (lambda it: it["error"].update(type=CLAUDE_KEY), CLAUDE_KEY),
    "the key as the request id": (lambda it: it.update(request_id=CLAUDE_KEY), CLAUDE_KEY),
    "the key as a name": (lambda it: it.update({CLAUDE_KEY: 1}), CLAUDE_KEY),
    "the key in an inner message": (lambda it: it["error"].update(inner={"message": f"{CLAUDE_KEY}\u0301"}), CLAUDE_KEY),
}  # fmt: skip


@pytest.mark.parametrize("is_event", [False, True], ids=["response", "event"])
@pytest.mark.parametrize("is_escaped", [False, True], ids=["plain", "escaped"])
@pytest.mark.parametrize("name", HIDDEN)
def test_errors_hide_what_is_private_wherever_it_stands(lane, anthropic_server, name, is_escaped, is_event):
    change, private = HIDDEN[name]
    error = failure("invalid_request_error", "It is wrong.", new=1)
    change(error)
    raw = json.dumps(error).replace('"second"', '"error"')
    if is_escaped and not private.isdigit():
        raw = raw.replace(private, "".join(f"\\u{ord(letter):04x}" for letter in private))
    script = {"events": [f"event: error\ndata: {raw}"]} if is_event else {"status": 400, "raw": raw.encode()}
    answer, _ = sent(lane, anthropic_server, written(asked(stream=is_event), "compact"), script)
    assert answer.status_code >= 400
    assert private not in answer.text and private not in json.dumps(answer.json())


def test_what_is_no_error_of_anthropics(lane, anthropic_server):
    for raw in (b"<html>secret</html>", b'{"error":"secret"}', b'{"type":"error","error":{"type":"api_error"}}'):
        answer, _ = sent(lane, anthropic_server, written(asked(), "compact"), {"status": 500, "raw": raw, "type": "text/html"})
        assert answer.status_code == 502 and "secret" not in answer.text
        assert answer.json()["request_id"] == answer.headers["request-id"]


@pytest.mark.parametrize("kind, status", [("overloaded_error", 529), ("api_error", 500), ("rate_limit_error", 429), ("invalid_request_error", 400), ("authentication_error", 502)])
def test_errors_in_streams(lane, anthropic_server, kind, status):
    error = failure(kind, "It failed.", new=1)
    head = list(all_events({"content": [text("Hello there")]}))
    body = written(asked(stream=True), "compact")
    answer, _ = sent(lane, anthropic_server, body, {"events": [*head[:2], error]})
    assert answer.status_code == status
    assert (answer.json() == error) == (kind != "authentication_error")
    answer, _ = sent(lane, anthropic_server, body, {"events": [*head[:4], error]})
    assert answer.status_code == 200 and answer.content.startswith(events({"events": head[:4]}))
    last = answer.content[len(events({"events": head[:4]})):]
    assert last.startswith(b"event: error\ndata: {") and last.endswith(b"}\n\n")
    assert (json.loads(last[19:]) == error) == (kind != "authentication_error")


def test_a_stream_that_breaks_off(lane, anthropic_server):
    head = list(all_events({"content": [text("Hello there")]}))[:4]
    answer, _ = sent(lane, anthropic_server, written(asked(stream=True), "compact"), {"events": head, "cut": True})
    assert answer.content.startswith(events({"events": head})) and b"event: error\n" in answer.content


def test_the_last_of_several_errors(start_relay, anthropic_server):
    more = {"PROVIDER_B_KIND": "anthropic", "PROVIDER_B_BASE_URL": anthropic_server.base_url, "PROVIDER_B_API_KEY": CLAUDE_KEY, "PROVIDER_B_MODELS": "claude=claude-opus-4-8"}
    relay = start_relay(**settings(anthropic_server) | more)
    anthropic_server.says(MODEL, OPEN | {"status": 500, "json": failure("api_error", "First.")})
    anthropic_server.says("claude-opus-4-8", OPEN | {"status": 529, "json": failure("overloaded_error", "Last.")})
    with client(relay) as http:
        answer = http.post(PATH, json=asked())
    assert answer.status_code == 529 and answer.json() == failure("overloaded_error", "Last.")


@pytest.mark.parametrize("is_larger", [True, False])
def test_a_prompt_that_is_too_long_goes_to_a_larger_window(start_relay, anthropic_server, is_larger):
    more = {"PROVIDER_B_KIND": "anthropic", "PROVIDER_B_BASE_URL": anthropic_server.base_url, "PROVIDER_B_API_KEY": CLAUDE_KEY, "PROVIDER_B_MODELS": "claude=claude-opus-4-8"}
    more |= {"PROVIDER_B_PRIORITY": "2", "PROVIDER_ANT_MODEL_INFO": "claude=context:200000", "PROVIDER_B_MODEL_INFO": f"claude=context:{1_000_000 if is_larger else 200_000}"}
    relay = start_relay(**settings(anthropic_server) | more)
    long = failure("invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum")
    for is_streamed in (False, True):
        anthropic_server.says(MODEL, OPEN | {"status": 400, "json": long})
        anthropic_server.says("claude-opus-4-8", OPEN | {"content": [text("From the larger one")]})
        with client(relay) as http:
            answer = http.post(PATH, json=asked(stream=is_streamed))
        assert answer.status_code == (200 if is_larger else 400)
        assert "larger one" in answer.text if is_larger else answer.json() == long, answer.text


def test_a_candidate_of_another_kind_is_skipped(start_relay, anthropic_server):
    """It would not understand the request. Then the first vendor's error stands."""
    more = {"PROVIDER_B_KIND": "echo", "PROVIDER_B_MODELS": "claude=echo"}
    relay = start_relay(**settings(anthropic_server) | more)
    anthropic_server.says(MODEL, OPEN | {"status": 529, "json": failure("overloaded_error", "Busy.")})
    with client(relay) as http:
        answer = http.post(PATH, json=asked(messages=[{"role": "user", "content": [{"type": "video"}]}]))
        assert answer.status_code == 529 and answer.json() == failure("overloaded_error", "Busy.")
        answer = http.post(PATH, json=asked(diagnostics=["c"]))
        assert answer.status_code == 200 and answer.json()["content"][0]["text"]
        answer = http.post(PATH, json=asked(diagnostics=["c"], stream=True))
        assert answer.status_code == 200 and answer.text.startswith("event: message_start\n") and "message_stop" in answer.text


def test_an_unknown_beta_is_left_out(start_relay, anthropic_server):
    relay = start_relay(**settings(anthropic_server))
    said = "Unexpected value(s) `new-2027-01-01`, `newer-1` for the `anthropic-beta` header. Please consult our documentation."
    with client(relay) as http:
        anthropic_server.says(MODEL, OPEN | {"status": 400, "json": failure("invalid_request_error", said)}, OPEN)
        body = b' {"model" : "claude", "max_tokens": 5, "messages": [], "new": 1}'
        assert http.post(PATH, content=body, headers={"anthropic-beta": f"new-2027-01-01,{BETAS},newer-1"}).status_code == 200
        first, second = anthropic_server.asked(MODEL)
        assert first["headers"]["anthropic-beta"] == f"new-2027-01-01,{BETAS},newer-1" and second["headers"]["anthropic-beta"] == BETAS
        assert first["raw"] == second["raw"] == body.replace(b'"claude"', f'"{MODEL}"'.encode())
        # It is remembered; and a further one is learned.
        anthropic_server.says(MODEL, OPEN | {"status": 400, "json": failure("invalid_request_error", "`third-1` is no anthropic-beta")}, OPEN)
        assert http.post(PATH, content=body, headers={"anthropic-beta": "a,newer-1,third-1"}).status_code == 200
        assert [seen["headers"]["anthropic-beta"] for seen in anthropic_server.asked(MODEL)] == ["a,third-1", "a"]
        # A refusal whose words are a caller's own teaches nothing.
        refused = failure("invalid_request_error", "anthropic-beta b-1: Extra inputs are not permitted")
        anthropic_server.says(MODEL, OPEN | {"status": 400, "json": refused})
        assert http.post(PATH, content=body, headers={"anthropic-beta": "b-1"}).json() == refused
        _, seen = sent(http, anthropic_server, body, **{"anthropic-beta": "b-1"})
        assert seen["headers"]["anthropic-beta"] == "b-1"
        # A long name is no beta.
        refused = failure("invalid_request_error", f"{'long-' * 13} is no anthropic-beta")
        answer, _ = sent(http, anthropic_server, body, {"status": 400, "json": refused}, **{"anthropic-beta": "long-" * 13})
        assert answer.status_code == 400 and answer.json() == refused
        # What is no beta of the client's cannot be left out.
        refused = failure("invalid_request_error", "`other-1` is no anthropic-beta")
        answer, _ = sent(http, anthropic_server, body, {"status": 400, "json": refused}, **{"anthropic-beta": "a"})
        assert answer.status_code == 400 and answer.json() == refused
    assert anthropic_server.take_violations() == []


def test_a_misplaced_system_turn_teaches_nothing(lane, anthropic_server):
    refused = failure("invalid_request_error", "messages.1: role 'system' must follow a user turn")
    body = written(asked(messages=[{"role": "assistant", "content": "A"}, {"role": "system", "content": "B"}]), "compact")
    for _ in range(2):
        answer, seen = sent(lane, anthropic_server, body, {"status": 400, "json": refused})
        assert answer.json() == refused and seen["raw"] == body.replace(b'"claude"', f'"{MODEL}"'.encode())


def test_a_rewritten_body_keeps_what_the_relay_does_not_know(start_relay, anthropic_server):
    relay = start_relay(**settings(anthropic_server))
    body = asked(new={"a": 1}, temperature=0.5, messages=[{"role": "user", "content": [{"type": "video"}]}], thinking={"type": "adaptive"}, z=[])
    with client(relay) as http:
        anthropic_server.says(MODEL, OPEN | {"status": 400, "json": failure("invalid_request_error", "`temperature` is deprecated for this model.")}, OPEN)
        assert http.post(PATH, json=body).status_code == 200
        second = anthropic_server.asked(MODEL)[1]["body"]
    del body["temperature"]
    assert list(second.items()) == list((body | {"model": MODEL}).items())


def test_an_emulated_format_keeps_what_the_relay_does_not_know(start_relay, anthropic_server, is_streamed):
    relay = start_relay(**settings(anthropic_server))
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
    body = asked(new={"a": 1}, output_config={"format": {"type": "json_schema", "schema": schema}}, stream=is_streamed, max_tokens=90)
    said = "output_config.format: structured outputs are not supported on this model"
    refused = OPEN | {"status": 400, "json": failure("invalid_request_error", said)}
    with client(relay) as http:
        anthropic_server.says(MODEL, refused, OPEN | {"content": [text('{"a": 1}')]})
        answer = http.post(PATH, json=body, headers={"anthropic-beta": "a"})
        assert answer.status_code == 200 and answer.text.count("message_start") == 2 * is_streamed
        for seen in anthropic_server.asked(MODEL)[1:]:
            assert seen["body"]["new"] == {"a": 1} and "format" not in seen["body"].get("output_config", {})
            assert seen["headers"]["anthropic-beta"] == "a"
        assert http.post(PATH, json=body | {"models": ["b"]}).status_code == 400
        # What only the vendor understands cannot be written anew.
        assert "max_tokens" in http.post(PATH, json=body | {"max_tokens": 0}).json()["error"]["message"]
    assert anthropic_server.take_violations() == []


def test_records_say_whether_a_body_was_rebuilt(start_relay, anthropic_server, clock, tmp_path):
    file, watch = tmp_path / "usage.log", clock(0)
    relay = start_relay(**settings(anthropic_server), USAGE_LOG_FILE=file, ADMIN_PASSWORD=PASSWORD, **watch.environment)
    refused = OPEN | {"status": 400, "json": failure("invalid_request_error", "`temperature` is deprecated for this model.")}
    with client(relay) as http:
        sent(http, anthropic_server, written(asked(), "wide"))
        anthropic_server.says(MODEL, refused, OPEN)
        assert http.post(PATH, json=asked(temperature=0.5)).status_code == 200
        # The quirk is known now: a body without the field goes on as it came.
        for body in (asked(temperature=0.5), asked()):
            sent(http, anthropic_server, written(body, "compact"))
        # Which of both names a vendor reads is not certain.
        twice = written(asked(), "compact").replace(b'"max_tokens"', b'"max_tokens":7,"max_tokens"')
        assert http.post(PATH, content=twice).status_code == 200
        anthropic_server.asked(MODEL)
        chat = {"model": "claude", "messages": [USER]}
        assert http.post("/v1/chat/completions", json=chat, headers={"Authorization": f"Bearer {TEAM_TOKEN}"}).status_code == 200
        # After an hour a request finds out whether the refusal still holds.
        watch.set(3600)
        sent(http, anthropic_server, written(asked(temperature=0.5), "compact"))
    wait_for(lambda: file.read_bytes().count(b"\n") >= 15)
    found = [(is_call(record), record.get("rebuilt", False)) for record in lines_so_far(file)]
    requests = [is_rebuilt for is_of_call, is_rebuilt in found if not is_of_call]
    assert requests == [False, True, True, False, True, False, False]
    assert [is_rebuilt for is_of_call, is_rebuilt in found if is_of_call] == [False, False, True, True, False, True, False, False]
    operator = Operator(relay.base_url)
    wait_for(lambda: [record["rebuilt"] for record in operator.items("/admin/req_logs", order_dir="asc")] == requests)


def attributed(line):
    return {"system": [{"type": "text", "text": line}, PROMPT]}


@pytest.mark.parametrize(("info", "states"), [("all", ["miss", "miss", "hit"]), ("own", ["miss", "hit", "hit"])])
def test_a_line_that_the_vendor_reads_is_not_shared(start_relay, anthropic_server, info, states):
    relay = start_relay(**settings(anthropic_server, CLIENT_INFO=info), CACHE="true", CACHE_SCOPE="shared", KEY_MATE_TOKEN="token-of-the-mate-of-all")
    anthropic_server.says(MODEL, OPEN)
    other = LINE.replace("2.1.332.a1b", "Say-yes")
    found = []
    for token, line in ((TEAM_TOKEN, other), ("token-of-the-mate-of-all", LINE), (TEAM_TOKEN, LINE)):
        with client(relay, token) as http:
            answer = http.post(PATH, json=asked(**attributed(line)))
            assert answer.status_code == 200
            found.append(answer.headers["x-relay-cache"])
    sent = [b"Say-yes" in seen["raw"] for seen in anthropic_server.asked(MODEL)]
    assert found == states and sent == ([True, False] if info == "all" else [False])


def test_the_cache(start_relay, anthropic_server):
    relay = start_relay(**settings(anthropic_server), CACHE="true")
    anthropic_server.says(MODEL, OPEN)

    def hits(count, headers=None, other=None, **how):
        before = len(anthropic_server.asked(MODEL))
        got = []
        with client(relay) as http:
            for more in ({}, other or {}):
                answer = http.post(PATH, json=asked(**how | more), headers=headers)
                assert answer.status_code == 200
                got.append(answer.headers["x-relay-cache"])
        assert len(anthropic_server.asked(MODEL)) - before == 2 - count, got
        return answer

    for is_streamed in (False, True):
        answer = hits(1, stream=is_streamed)
        assert '"input_tokens":0' not in answer.text
        assert "Hello there" in answer.text.replace('"}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"', "")
        hits(1, stream=is_streamed, headers={"anthropic-beta": "a"})
        hits(1, stream=is_streamed, headers={"anthropic-version": "2031-01-01"})
        hits(0, stream=is_streamed, other={"system": "a"}, system="b")
        # A hit can repeat the usual reasons alone.
        anthropic_server.says(MODEL, OPEN | {"stop": "model_context_window_exceeded"})
        hits(0, stream=is_streamed, top_k=6)
        if is_streamed:
            anthropic_server.says(MODEL, OPEN | {"events": NEW_EVENTS})
        else:
            anthropic_server.says(MODEL, OPEN | {"json": whole({}) | {"new": 1}})
        hits(0, stream=is_streamed, new=is_streamed)
        anthropic_server.says(MODEL, OPEN)
    assert anthropic_server.take_violations() == []


@pytest.mark.parametrize("shape", ["a system turn", "deferred tools", "fields of nobody"])
def test_the_vendor_counts(lane, anthropic_server, shape):
    body = asked(**SHAPES[shape])
    del body["max_tokens"]
    anthropic_server.says(MODEL, OPEN | {"json": {"input_tokens": 14, "new": {"a": 1}}})
    raw = written(body, "wide")
    answer = lane.post("/v1/messages/count_tokens?beta=true", content=raw, headers={"anthropic-beta": BETAS})
    (seen,) = anthropic_server.asked(MODEL)
    assert answer.json() == {"input_tokens": 14, "new": {"a": 1}} and seen["path"] == "/v1/messages/count_tokens"
    assert seen["raw"] == raw.replace(b'"claude"', f'"{MODEL}"'.encode()) and seen["headers"]["anthropic-beta"] == BETAS


@pytest.mark.parametrize("script", [{"status": 404, "json": failure("not_found_error")}, {"status": 429, "json": failure("rate_limit_error")}, {"json": {}}, {"raw": b"x"}])
def test_the_relay_estimates_what_the_vendor_does_not_count(lane, anthropic_server, script):
    anthropic_server.says(MODEL, OPEN | script)
    few = lane.post("/v1/messages/count_tokens", json={"model": "claude", "messages": [USER]}).json()["input_tokens"]
    block = {"type": "video", "words": "many words of a block that is not known " * 20}
    many = lane.post("/v1/messages/count_tokens", json={"model": "claude", "messages": [{"role": "user", "content": [block]}]}).json()["input_tokens"]
    assert 0 < few < 20 and many > 100
    assert len(anthropic_server.asked(MODEL)) == 2


@pytest.mark.parametrize("header", ["anthropic-beta", "anthropic-version"])
def test_a_header_that_the_vendor_quotes_rests_no_key(launch, anthropic_server, header):
    keys = [f"{CLAUDE_KEY}-{number}" for number in range(2)]
    secrets.update(keys)
    more = {"PROVIDER_ANT_API_KEY": None, "PROVIDER_ANT_API_KEYS": ",".join(keys), "KEY_OTHER_TOKEN": "token-of-a-neighbour"}
    relay = launch(**settings(anthropic_server, CLIENT_INFO="all") | more)
    words = "your credit balance is too low"
    quoted = failure("invalid_request_error", f"{header}: `{words}` is not a valid value")
    anthropic_server.says(MODEL, {"status": 400, "json": quoted} | OPEN, {"content": [text("Hello")]} | OPEN)
    body = {"model": "claude", "max_tokens": 9, "messages": [USER]}
    with client(relay, **{header: words}) as http:
        assert http.post(PATH, json=body).status_code in (200, 400)
    with client(relay, "token-of-a-neighbour") as http:
        for _ in range(4):
            assert http.post(PATH, json=body).status_code == 200
    used = [seen["headers"]["x-api-key"] for seen in anthropic_server.asked(MODEL)]
    assert set(used[-4:]) == set(keys)
    anthropic_server.take_violations()
