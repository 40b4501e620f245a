"""Chat by a provider of the kind openai: forwarded and rewritten requests, whole and streamed responses."""

import json

import officials
import pytest
from chat import PATH, ask, stream, text_of
from conftest import TEAM_TOKEN, VENDOR_KEY
from openai_vendor import USAGE, chunk, usage_chunk, whole
from relay_process import provider

MODEL = "big/model:1"
CALLS = [("call_a", "weather", '{"city":"Rome"}'), ("call_b", "weather", '{"city":"Oslo"}')]
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


official = officials.openai_of("passing")
anthropics = officials.anthropic_of("passing")


def test_a_request_goes_on_as_it_came_but_for_the_model(team, server):
    server.says(MODEL, {"extra": True, "nulls": True})
    text = """ {"messages": [{"role":"user" , "content":"H\\u00e9llo \\"x\\" }]", "odd":[1.50, -0, 18446744073709551615]}],
        "model":"fast","temperature" : 0.30, "top_k":5, "seed":null,"vendor_own":{"a":[ ],"b":null,"modes":"x"}} """
    answer = team.post(PATH, content=text, headers={"Content-Type": "application/json"})
    assert text_of(answer) == "Hello there"
    (seen,) = server.asked(MODEL)
    assert seen["body"] == json.loads(text) | {"model": MODEL}
    assert b"[1.50, -0, 18446744073709551615]" in seen["raw"] and b'"temperature" : 0.30' in seen["raw"]
    assert seen["headers"]["authorization"] == f"Bearer {VENDOR_KEY}"


def test_options_of_a_search_that_only_one_vendor_has_are_named(team, server):
    asked = ask(team, model="fast", web_search=True, num_of_site=2, max_word=100)
    assert asked.headers["x-relay-ignored"] == "num_of_site, max_word"
    asked = ask(team, model="fast", web_search_options={"search_context_size": "low"}, num_of_site=2)
    assert asked.headers["x-relay-ignored"] == "num_of_site"


def test_what_only_the_relay_knows_is_written_anew(team, server):
    asked = ask(team, model="fast", new_input="And more", temperature=0.5, tools=[{"type": "retrieval"}, {"type": "code_interpreter"}, TOOL])
    assert text_of(asked) == "Hello there" and asked.headers["x-relay-ignored"] == "code_interpreter, retrieval"
    body = server.body(MODEL)
    assert body["messages"] == [{"role": "user", "content": "Hello"}, {"role": "user", "content": "And more"}]
    assert body["tools"] == [TOOL] and body["temperature"] == 0.5


def test_a_field_that_is_there_twice_does_not_pass(team, server):
    text = '{"model":"fast","messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}'
    team.post(PATH, content=text, headers={"Content-Type": "application/json"})
    assert server.body(MODEL)["messages"] == [{"role": "user", "content": "a"}]
    server.says(MODEL, {})
    escaped = '{"mod\\u0065l":"fast","messages":[{"role":"user","content":"a"}]}'
    assert text_of(team.post(PATH, content=escaped, headers={"Content-Type": "application/json"}))
    assert server.body(MODEL)["messages"] == [{"role": "user", "content": "a"}]


@pytest.mark.parametrize("options", [{}, {"include_usage": True}, {"include_usage": False, "include_obfuscation": False}])
def test_usage_is_told_iff_it_was_asked_for(team, server, options):
    got = stream(team, model="fast", **({"stream_options": options} if options else {}))
    assert got.text() == "Hello there" and got.finish() == "stop" and got.is_done
    assert server.body(MODEL)["stream_options"] == options | {"include_usage": True}
    usages = [chunk["usage"] for chunk in got.chunks if chunk.get("usage")]
    assert usages == ([USAGE] if options.get("include_usage") else [])
    assert all(("usage" in chunk) == bool(options.get("include_usage")) for chunk in got.chunks)


def test_a_whole_answer_keeps_all_but_the_model(team, server):
    told = whole({"text": "Hi"}) | {"service_tier": "flex", "extra": {"a": [1.250, None]}}
    told["choices"][0] |= {"content_filter_results": {"hate": {"filtered": False}}}
    server.says(MODEL, {"json": told})
    answer = ask(team, model="fast")
    assert answer.json() == told | {"model": "fast"}
    assert answer.headers["x-relay-provider"] == "row"


def test_an_id_of_another_form_is_replaced(team, server):
    server.says(MODEL, {"json": whole({}) | {"id": "gen-1"}})
    assert ask(team, model="fast").json()["id"].startswith("chatcmpl-")


def test_chunks_pass_one_by_one(team, server):
    got = stream(team, model="fast")
    assert [chunk["choices"][0]["delta"] for chunk in got.chunks] == [
        {"role": "assistant", "content": "", "refusal": None}, {"content": "Hello"}, {"content": " there"}, {},
    ]  # fmt: skip
    assert {(chunk["id"], chunk["model"], chunk["system_fingerprint"]) for chunk in got.chunks} == {
        ("chatcmpl-vendor", "fast", "fp_vendor")
    }


def test_tools_by_the_official_client(official, server, is_streamed):
    server.says(MODEL, {"calls": CALLS, "text": "Let me look."})
    asked = {"model": "fast", "messages": [{"role": "user", "content": "Weather?"}], "tools": [TOOL]}
    choice = officials.choice(official, is_streamed, **asked)
    made = [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls]
    assert made == CALLS and choice.finish_reason == "tool_calls" and choice.message.content == "Let me look."
    messages = [*asked["messages"], choice.message.model_dump(exclude_none=True, exclude={"parsed"})]
    messages[1] = {"role": "assistant", "content": "Let me look.", "tool_calls": [
        {"id": id, "type": "function", "function": {"name": name, "arguments": text}} for id, name, text in CALLS]}
    messages += [{"role": "tool", "tool_call_id": id, "content": "fine"} for id, _, _ in CALLS]
    server.says(MODEL, {"text": "Fine in both."})
    final = official.chat.completions.create(model="fast", messages=messages, tools=[TOOL])
    assert final.choices[0].message.content == "Fine in both." and final.usage.prompt_tokens == 9
    assert server.body(MODEL)["messages"] == messages


def test_tools_by_messages(anthropics, server, is_streamed):
    server.says(MODEL, {"calls": CALLS, "text": "Let me look."})
    tool = {"name": "weather", "input_schema": TOOL["function"]["parameters"]}
    asked = {"model": "fast", "max_tokens": 100, "tools": [tool], "system": "Be brief."}
    turns = [{"role": "user", "content": "Weather?"}]
    message = officials.message(anthropics, is_streamed, messages=turns, **asked)
    assert message.stop_reason == "tool_use" and message.usage.output_tokens == 8
    assert message.content[0].text == "Let me look."
    assert [(block.id, block.name, block.input) for block in message.content[1:]] == [
        (id.replace("call", "toolu"), name, json.loads(text)) for id, name, text in CALLS
    ]
    body = server.body(MODEL)
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"}]
    assert body["max_tokens"] == 100 and body["tools"][0]["function"]["name"] == "weather"
    ids = [block.id for block in message.content[1:]]
    results = [{"type": "tool_result", "tool_use_id": id, "content": "fine"} for id in ids]
    turns += [{"role": "assistant", "content": message.model_dump()["content"]}, {"role": "user", "content": results}]
    server.says(MODEL, {"text": "Fine in both."})
    assert anthropics.messages.create(messages=turns, **asked).content[0].text == "Fine in both."
    sent = server.body(MODEL)["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool", "tool"]
    assert [call["id"] for call in sent[2]["tool_calls"]] == ids
    assert [message["tool_call_id"] for message in sent[3:]] == ids


def test_reasoning_reaches_every_surface(official, team, server):
    server.says(MODEL, {"reasoning": "I think.", "text": "So."})
    answer = ask(team, model="fast").json()["choices"][0]["message"]
    assert answer["reasoning_content"] == "I think." and answer["content"] == "So."
    chunks = stream(team, model="fast").choices(0)
    assert "".join(choice["delta"].get("reasoning_content") or "" for choice in chunks) == "I think."
    assert official.responses.create(model="fast", input="Hi", store=False).output_text == "So."


def test_legacy_completions(official, server):
    server.says(MODEL, {})
    assert official.completions.create(model="fast", prompt=["Hi", "Ho"], max_tokens=9).choices[1].text == "Hello there"
    assert {request["body"]["messages"][0]["content"] for request in server.asked(MODEL)} == {"Hi", "Ho"}


def test_usage_with_its_details(team, anthropics, server):
    details = USAGE | {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 3}, "cost": 0.1}
    server.says(MODEL, {"json": whole({}) | {"usage": details}})
    assert ask(team, model="fast").json()["usage"] == details
    asked = {"model": "fast", "max_tokens": 10, "messages": [{"role": "user", "content": "Hi"}]}
    usage = anthropics.messages.create(**asked).usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (5, 4, 8)
    told = team.post("/v1/responses", json={"model": "fast", "input": "Hi", "store": False}).json()["usage"]
    assert told["input_tokens"] == 9 and told["input_tokens_details"]["cached_tokens"] == 4
    assert told["output_tokens_details"]["reasoning_tokens"] == 3
    server.says(MODEL, {"events": [chunk({"role": "assistant", "content": "Hi"}), chunk({}, "stop"), usage_chunk(**details)]})
    with anthropics.messages.stream(**asked) as events:
        usage = events.get_final_message().usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (5, 4, 8)


def test_numbers_of_any_size_pass(team, server, is_streamed):
    large = 10**30
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": f'{{"x":{large}}}'}}
    turns = [
        {"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
    ]  # fmt: skip
    sent = {"model": "fast", "messages": turns, "metadata_of_ours": large}
    if is_streamed:
        server.says(MODEL, {"events": [chunk({"role": "assistant", "content": "Hi"}, x_large=large), chunk({}, "stop"), usage_chunk()]})
        got = stream(team, **sent)
        assert got.text() == "Hi" and got.chunks[0]["x_large"] == large
    else:
        server.says(MODEL, {"json": whole({}) | {"x_large": large}})
        assert ask(team, **sent).json()["x_large"] == large
    body = server.body(MODEL)
    assert body["metadata_of_ours"] == large and body["messages"] == turns
    assert server.take_violations() == ["unknown fields ['metadata_of_ours']"]


def test_what_1minai_lacks_passes(team, server):
    told = whole({})
    told["choices"][0]["logprobs"] = {"content": [{"token": "Hi", "logprob": -0.25, "bytes": None, "top_logprobs": []}], "refusal": None}
    server.says(MODEL, {"json": told})
    custom = {"type": "custom", "custom": {"name": "shell", "format": {"type": "text"}}}
    answer = ask(team, model="fast", logprobs=True, tools=[custom], logit_bias={"1": 2}, verbosity="low", store=False)
    assert answer.json()["choices"][0]["logprobs"] == told["choices"][0]["logprobs"]
    assert server.body(MODEL)["tools"] == [custom] and server.body(MODEL)["logit_bias"] == {"1": 2}


def test_functions_of_old(team, server):
    told = whole({"finish": "function_call"})
    told["choices"][0]["message"] |= {"content": None, "function_call": {"name": "f", "arguments": "{}"}}
    server.says(MODEL, {"json": told})
    function = {"name": "f", "parameters": {"type": "object"}}
    choice = ask(team, model="fast", functions=[function]).json()["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert choice["finish_reason"] == "function_call"
    server.says(MODEL, {})
    ask(team, model="fast", functions=[function], function_call={"name": "f"}, new_input="y")
    assert server.body(MODEL)["functions"] == [function] and server.body(MODEL)["function_call"] == {"name": "f"}


def test_the_log_names_the_provider_and_its_usage(team, passing, server):
    ask(team, "a line of its own", model="fast")
    line = passing.wait_for_line(lambda line: line.get("provider") == "row" and line.get("prompt_tokens") == 9)
    assert line["model"] == "fast" and line["completion_tokens"] == 8


def test_models_have_prices_of_their_own_also_for_what_was_cached(start_relay, server, caller):
    relay = start_relay(
        **provider("ROW", "openai", server.base_url, "fast=big/model:1,slow=big/model:1,free=big/model:1", API_KEY=VENDOR_KEY, COST="0.5", COSTS="fast=1/2/0.25,free=0"),
        KEY_TEAM_TOKEN=TEAM_TOKEN,
    )  # fmt: skip
    usage = USAGE | {"prompt_tokens_details": {"cached_tokens": 4}}
    server.says(MODEL, {"json": whole({}) | {"usage": usage}})
    http = caller(relay, TEAM_TOKEN)
    costs = {name: ask(http, model=name).headers.get("x-relay-cost") for name in ("fast", "slow", "free")}
    # 5 new and 4 cached tokens of the prompt, 8 of the answer.
    assert costs == {"fast": "0.022", "slow": "0.0085", "free": "0"}
    line = relay.wait_for_line(lambda line: line.get("model") == "fast")
    assert line["cost"] == 0.022
    assert server.take_violations() == []
