"""Reasoning that led to calls, for servers that need it back from clients that do not keep it."""

import itertools

import conftest
import forwarders
import gemini_vendor
import pytest
import trustme
from chat import ask, either, refusal, stream, text_of
from conftest import http_of
from memcached import wait_for
from openai_vendor import THOUGHTLESS, chunk, usage_chunk, whole
from relay_process import provider
from responding import PATH as RESPONSES
from responding import events
from test_network import served_by
from test_openai_chat import TOOL
from test_openai_responses import calls_of

ONE, OTHER = "token-of-thoughts-0001", "token-of-thoughts-0002"
numbers = itertools.count()
CALL = ("weather", '{"city":"Rome"}')


def settings(server, *models, **more):
    return {**provider("ROW", "openai", server.base_url, ",".join(models)), "KEY_ONE_TOKEN": ONE, "KEY_OTHER_TOKEN": OTHER} | more


@pytest.fixture(scope="module")
def thinking(launch, server):
    return launch(**settings(server, *(f"deep-{number}" for number in range(40))))


@pytest.fixture
def model():
    """A model about which nothing is known."""
    return f"deep-{next(numbers)}"


http = http_of("thinking", "server", token=ONE)


def calling(server, model, id, thought="So it is Rome."):
    """Scripts a response with reasoning and a call."""
    server.says(model, {"thinks": True, "reasoning": thought, "calls": [(id, *CALL), (id + "b", *CALL)]})


def called(http, model, *ids, is_streamed=False, **fields):
    """Returns the ids of the calls of the response to a conversation in which these calls were made before."""
    fields = {"model": model, "tools": [TOOL], "messages": history(*ids)} | fields
    if is_streamed:
        got = stream(http, **fields)
        assert got.error is None and got.is_done, got
        return [id for id, _, _ in calls_of(got)]
    answer = ask(http, **fields)
    assert answer.status_code == 200, answer.text
    return [call["id"] for call in answer.json()["choices"][0]["message"]["tool_calls"]]


def history(*ids):
    """Returns the history as clients have it that keep no reasoning."""
    messages = [{"role": "user", "content": "Hi"}]
    for id in ids:
        calls = [{"id": one, "type": "function", "function": {"name": CALL[0], "arguments": CALL[1]}} for one in (id, id + "b")]
        messages.append({"role": "assistant", "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": "fine"} for call in calls]
    return messages


def thoughts(server, model):
    """Returns the reasoning in the last request, with the request's number."""
    seen = server.asked(model)
    return len(seen), [message.get("reasoning_content") for message in seen[-1]["body"]["messages"] if message.get("tool_calls")]


def learn(http, server, model):
    """Makes the relay learn that the model needs the reasoning."""
    calling(server, model, "call_first")
    called(http, model, "call_unknown")
    assert thoughts(server, model) == (2, [""])


def test_what_the_client_drops_is_given_back(http, server, model, is_streamed):
    calling(server, model, "call_a", "First.")
    assert called(http, model, is_streamed=is_streamed) == ["call_a", "call_ab"]
    # Only the refusal shows that the reasoning is needed.
    calling(server, model, "call_b", "Then \u00e9 \"so\".\n")
    assert called(http, model, "call_a", is_streamed=is_streamed) == ["call_b", "call_bb"]
    assert thoughts(server, model) == (2, [""])
    calling(server, model, "call_c", "Last.")
    called(http, model, "call_a", "call_b", is_streamed=is_streamed)
    assert thoughts(server, model) == (1, ["", "Then \u00e9 \"so\".\n"])
    calling(server, model, "call_d")
    called(http, model, "call_a", "call_b", "call_c", is_streamed=is_streamed)
    assert thoughts(server, model) == (1, ["", "Then \u00e9 \"so\".\n", "Last."])


def test_what_the_client_keeps_goes_on_as_it_is(http, server, model):
    learn(http, server, model)
    calling(server, model, "call_b")
    messages = history("call_first", "call_x", "call_first")
    messages[1]["reasoning_content"], messages[4]["reasoning_content"], messages[7]["reasoning_content"] = "mine", "", None
    called(http, model, messages=messages)
    assert thoughts(server, model) == (1, ["mine", "", "So it is Rome."])


@pytest.mark.parametrize("path", ["/v1/messages", RESPONSES])
def test_signatures_of_calls_are_given_back(http, server, model, is_streamed, path):
    """Google's models refuse a history whose calls lack them, and these clients have no place for them."""
    call = {"index": 0, "id": "call_sig", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    call["extra_content"] = {"google": {"thought_signature": "c2ln"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    if is_streamed:
        events = [{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": message, "finish_reason": "tool_calls"}]}]
        server.says(model, {"events": events, "bare": True})
    else:
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        server.says(model, {"json": {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}})
    parameters = {"type": "object", "properties": {}}
    if path == RESPONSES:
        asked = {"model": model, "tools": [{"type": "function", "name": "weather", "parameters": parameters}]}
        first = asked | {"input": "Hi", "stream": is_streamed}
        items = [{"type": "function_call", "call_id": "call_sig", "name": "weather", "arguments": "{}"}, {"type": "function_call_output", "call_id": "call_sig", "output": "fine"}]
        second = asked | {"input": [{"role": "user", "content": "Hi"}, *items]}
    else:
        asked = {"model": model, "max_tokens": 50, "tools": [{"name": "weather", "input_schema": parameters}]}
        first = asked | {"messages": [{"role": "user", "content": "Hi"}], "stream": is_streamed}
        blocks = [{"type": "tool_use", "id": "toolu_sig", "name": "weather", "input": {}}]
        results = [{"type": "tool_result", "tool_use_id": "toolu_sig", "content": "fine"}]
        second = asked | {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": blocks}, {"role": "user", "content": results}]}
    assert http.post(path, json=first).status_code == 200
    server.says(model, {"extra": True})
    assert http.post(path, json=second).status_code == 200
    sent = [made for said in server.asked(model)[-1]["body"]["messages"] for made in said.get("tool_calls", ())]
    assert [made.get("extra_content") for made in sent] == [call["extra_content"]]


def test_messages(http, server, model, is_streamed):
    learn(http, server, model)
    tools = [{"name": "weather", "input_schema": {"type": "object", "properties": {}}}]
    asked = {"model": model, "max_tokens": 100, "tools": tools, "stream": is_streamed}

    def turn(blocks):
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": id, "content": "fine"} for id in calls]
        return [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]

    def use(id):
        return {"type": "tool_use", "id": id, "name": "weather", "input": {}}

    def said(*more):
        answer = http.post("/v1/messages", json=asked | {"messages": [{"role": "user", "content": "Hi"}, *more]})
        assert answer.status_code == 200, answer.text

    calling(server, model, "call_m", "Mine.")
    said()
    # It is remembered by the vendor's id, whatever the client calls it.
    calling(server, model, "call_n")
    said(*turn([use("toolu_m"), use("toolu_mb")]))
    assert thoughts(server, model) == (1, ["Mine."])
    # The client's own reasoning is better than the remembered one.
    kept = {"type": "thinking", "thinking": "Kept.", "signature": ""}
    signed = kept | {"thinking": "Another vendor's.", "signature": "Eq=="}
    said(*turn([kept, use("toolu_z")]), *turn([signed, use("toolu_n")]), *turn([use("toolu_y")]))
    assert thoughts(server, model) == (2, ["Kept.", "So it is Rome.", ""])


def test_responses(http, server, model, is_streamed):
    learn(http, server, model)
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}
    asked = {"model": model, "tools": [tool], "store": False, "stream": is_streamed}
    calling(server, model, "call_r", "Mine.")
    answer = http.post(RESPONSES, json=asked | {"input": "Hi"})
    output = (events(answer)[-1]["response"] if is_streamed else answer.json())["output"]
    calls = [item for item in output if item["type"] == "function_call"]
    assert [call["call_id"] for call in calls] == ["call_r", "call_rb"]
    results = [{"type": "function_call_output", "call_id": call["call_id"], "output": "fine"} for call in calls]
    calling(server, model, "call_s")
    answer = http.post(RESPONSES, json=asked | {"input": [{"role": "user", "content": "Hi"}, *calls, *results]})
    assert answer.status_code == 200, answer.text
    assert thoughts(server, model) == (1, ["Mine."])


@pytest.mark.parametrize("path", ["/v1/messages", RESPONSES])
def test_reasoning_that_clients_send_back_goes_on(http, server, model, path):
    """Also to a model about which nothing is known."""
    server.says(model, {"reasoning": "So it is Rome.", "calls": [("call_a", *CALL)]}, {"extra": True}, {"extra": True})
    parameters = {"type": "object", "properties": {}}
    if path == RESPONSES:
        asked = {"model": model, "tools": [{"type": "function", "name": "weather", "parameters": parameters}]}
        first = http.post(path, json=asked | {"input": "Hi"}).json()
        result = [{"type": "function_call_output", "call_id": "call_a", "output": "fine"}]
        following = [{"input": ["Hi", *first["output"], *result]}, {"input": result, "previous_response_id": first["id"]}]
        following[0]["input"][0] = {"role": "user", "content": "Hi"}
    else:
        asked = {"model": model, "max_tokens": 50, "tools": [{"name": "weather", "input_schema": parameters}]}
        said = [{"role": "user", "content": "Hi"}]
        content = http.post(path, json=asked | {"messages": said}).json()["content"]
        assert content[0] == {"type": "thinking", "thinking": "So it is Rome.", "signature": "relay.unsigned"}
        result = [{"type": "tool_result", "tool_use_id": content[-1]["id"], "content": "fine"}]
        following = [{"messages": [*said, {"role": "assistant", "content": content}, {"role": "user", "content": result}]}]
    for fields in following:
        answer = http.post(path, json=asked | fields)
        assert answer.status_code == 200, answer.text
        assert thoughts(server, model)[1] == ["So it is Rome."]


def test_no_caller_knows_those_of_another(http, thinking, caller, server, model):
    learn(http, server, model)
    called(caller(thinking, OTHER), model, "call_first")
    # The other caller has to learn by itself that the model needs the reasoning.
    assert thoughts(server, model) == (4, [""])
    called(http, model, "call_first")
    assert thoughts(server, model) == (5, ["So it is Rome."])


def test_a_thought_may_be_too_long(http, server, model, is_streamed):
    learn(http, server, model)
    for length, thought in ((65_536, "x" * 65_536), (65_537, "")):
        calling(server, model, f"call_{length}", "x" * length)
        called(http, model, is_streamed=is_streamed)
        calling(server, model, "call_b")
        called(http, model, f"call_{length}")
        assert thoughts(server, model) == (1, [thought])


def test_a_server_that_wants_more_than_that(http, server, model):
    server.says(model, {"status": 400, "json": THOUGHTLESS})
    status, error, _ = refusal(http, model=model, tools=[TOOL], messages=history("call_a"))
    assert status == 400 and "reasoning_content" in error["message"]
    assert thoughts(server, model) == (2, [""])
    assert refusal(http, model=model, tools=[TOOL])[0] == 400
    assert len(server.asked(model)) == 3


def test_other_instances_know_them(start_relay, caller, server, store, model):
    shared = settings(server, model, MEMCACHED_SERVERS=store.address, MEMCACHED_TIMEOUT="5s")
    one, other = (caller(start_relay(**shared), ONE) for _ in range(2))
    for http in (one, other):
        learn(http, server, model)
    calling(server, model, "call_a", "Nobody else may read this.")
    called(one, model)

    def kept():
        return [key for key in store.keys() if key.startswith("relay:1:thought:")]

    wait_for(lambda: len(kept()) == 2)
    for http in (other, one):
        calling(server, model, "call_b")
        called(http, model, "call_a")
        assert thoughts(server, model) == (1, ["Nobody else may read this."])
    assert kept() and b"Nobody" not in store.dump()
    # It stays known, and what cannot be read is not.
    store.kill()
    calling(server, model, "call_b")
    called(other, model, "call_c", "call_a")
    assert thoughts(server, model) == (1, ["", "Nobody else may read this."])


def test_deepseek_is_known_by_its_address(start_relay, caller, server, tmp_path, model):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    port = int(server.base_url.rpartition(":")[2].removesuffix("/v1"))
    with forwarders.tls(port, served_by(authority, "api.deepseek.com")) as front, forwarders.proxy([], to=front.port) as proxy:
        relay = start_relay(
            **settings(server, model, PROVIDER_ROW_BASE_URL="https://api.deepseek.com/v1"),
            UPSTREAM_PROXY=f"http://127.0.0.1:{proxy.port}", SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        )  # fmt: skip
        http = caller(relay, ONE)
        calling(server, model, "call_a", "First.")
        called(http, model)
        called(http, model, "call_a")
        assert thoughts(server, model) == (3, ["First."])


def test_thoughts_of_another_vendor_do_not_go_to_the_one_that_takes_over(start_relay, caller, server, google, is_streamed):
    http = caller(start_relay(
        ANONYMOUS_MODELS="all",
        **provider("GEM", "gemini", google.base_url + "/v1beta", "smart=gemini-3-flash", API_KEY=conftest.VENDOR_KEY, PRIORITY=1),
        **provider("ROW", "openai", server.base_url, "smart=plain", PRIORITY=2),
    ))  # fmt: skip
    fails = {"status": 503, "json": gemini_vendor.error(503, "UNAVAILABLE")}
    google.says("gemini-3-flash", {"calls": [("weather", {})], "signature": "c2ln", "reasoning": "Hm."}, fails)
    message = ask(http, model="smart", tools=[TOOL]).json()["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert call["extra_content"] == {"google": {"thought_signature": "c2ln"}} and message["reasoning_content"] == "Hm."
    said = {"role": "assistant", "content": "So.", "reasoning_content": "Oh.", "extra_content": {"thought_signature": "gemini.c2ln"}}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "fine"}
    asked = [{"role": "user", "content": "Hi"}, message, result, said, {"role": "user", "content": "Go on"}]
    server.says("plain", {"nulls": True})
    assert either(http, is_streamed, model="smart", tools=[TOOL], messages=asked) == ("Hello there", "stop")
    sent = server.body("plain")["messages"]
    del message["refusal"], message["reasoning_content"], call["extra_content"], said["reasoning_content"], said["extra_content"]
    assert sent == asked
    assert server.take_violations() == []


def test_what_the_server_gave_itself_goes_back(http, server, model):
    """Google's own API of this form has signatures of calls."""
    messages = history("call_x")
    messages[1] |= {"reasoning_content": "Hm.", "extra_content": {"google": {"a": 1}}}
    messages[1]["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "c2ln"}}
    assert text_of(ask(http, model=model, tools=[TOOL], messages=messages)) == "Hello there"
    assert server.body(model)["messages"] == messages


REFUSED = {
    "groq": {"status": 400, "json": {"error": {
        "message": "'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : property 'reasoning_content' is unsupported)]",
        "type": "invalid_request_error"}}},
    "mistral": {"status": 422, "json": {"object": "error", "message": {"detail": [
        {"type": "extra_forbidden", "loc": ["body", "messages", 1, "assistant", *place], "msg": "Extra inputs are not permitted"}
        for place in (["reasoning_content"], ["tool_calls", 0, "extra_content"])]}, "type": "invalid_request_error"}},
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_thoughts_that_a_server_refuses_are_left_out(http, server, model, name, is_streamed):
    messages = history("call_x")
    messages[1]["reasoning_content"] = "Hm."
    if name == "mistral":
        messages[1]["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "c2ln"}}
    server.says(model, REFUSED[name], {})
    for calls in (2, 3):
        assert either(http, is_streamed, model=model, tools=[TOOL], messages=messages) == ("Hello there", "stop")
        seen = server.asked(model)
        assert len(seen) == calls and seen[-1]["body"]["messages"] == history("call_x")


@pytest.mark.parametrize("is_streamed", [False, True])
def test_signatures_that_a_server_demands_need_no_check(http, server, model, is_streamed):
    missing = "Function call is missing a thought_signature in functionCall parts. Additional data, function call `default_api:weather`, position 2."
    messages = history("call_x", "call_y")
    messages[4]["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "c2ln"}}
    server.says(model, {"status": 400, "json": {"error": {"message": missing, "code": 400, "status": "INVALID_ARGUMENT"}}}, {})
    for calls in (2, 3):
        assert either(http, is_streamed, model=model, tools=[TOOL], messages=messages) == ("Hello there", "stop")
        seen = server.asked(model)
        sent = [call.get("extra_content") for message in seen[-1]["body"]["messages"] for call in message.get("tool_calls", ())]
        unchecked, own = [{"google": {"thought_signature": signature}} for signature in ("skip_thought_signature_validator", "c2ln")]
        assert len(seen) == calls and sent == [unchecked, None, own, None]


DETAILS = [
    {"type": "reasoning.text", "text": "So it \\ is \u00e9", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "text": " Rome.", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.encrypted", "data": "gAAA", "id": "call_d", "format": "google-gemini-v1", "index": 1},
]  # fmt: skip
JOINED = [{"type": "reasoning.text", "text": "So it \\ is \u00e9 Rome.", "format": "anthropic-claude-v1", "index": 0, "signature": "c2ln"}, DETAILS[2]]


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("api", ["messages", "responses"])
def test_details_of_reasoning_go_back(http, server, caller, thinking, model, api, is_streamed):
    """OpenRouter wants them back, and these clients have no place for them."""
    call = {"id": "call_d", "type": "function", "function": {"name": CALL[0], "arguments": CALL[1]}}
    if is_streamed:
        script = {"events": [chunk({"role": "assistant", "content": ""}), *(chunk({"reasoning_details": [detail]}) for detail in DETAILS[:2]),
                             chunk({"tool_calls": [call | {"index": 0}], "reasoning_details": DETAILS[2:]}), chunk({}, "tool_calls"), usage_chunk()]}  # fmt: skip
    else:
        script = {"json": whole({"calls": [("call_d", *CALL)]})}
        script["json"]["choices"][0]["message"]["reasoning_details"] = JOINED
    server.says(model, script)
    schema = {"type": "object", "properties": {}}
    if api == "messages":
        fields = {"max_tokens": 99, "tools": [{"name": CALL[0], "input_schema": schema}]}
        first = [{"role": "user", "content": "Hi"}]
        later = [*first, {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_d", "name": CALL[0], "input": {}}]},
                 {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_d", "content": "fine"}]}]  # fmt: skip
    else:
        fields = {"store": False, "tools": [{"type": "function", "name": CALL[0], "parameters": schema}]}
        first = [{"role": "user", "content": "Hi"}]
        later = [*first, {"type": "function_call", "call_id": "call_d", "name": CALL[0], "arguments": "{}"}, {"type": "function_call_output", "call_id": "call_d", "output": "fine"}]
    name = "messages" if api == "messages" else "input"
    asked = {"model": model, "stream": is_streamed} | fields
    assert http.post(f"/v1/{api}", json=asked | {name: first}).status_code == 200
    for client, wanted in ((http, JOINED), (caller(thinking, OTHER), None)):
        server.says(model, {"extra": True})
        assert client.post(f"/v1/{api}", json=asked | {name: later}).status_code == 200
        assert server.body(model)["messages"][1].get("reasoning_details") == wanted
