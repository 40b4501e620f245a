"""Chat by a provider of the kind cloudflare: OpenAI's API, and the vendor's own for models that lack it."""

import base64
import json

import checked
import cloudflare_vendor
import httpx
import officials
import openai_vendor
import pytest
from chat import ask, either, refusal, stream, text_of
from cloudflare_vendor import ACCOUNT, BAD, LLAMA, ROOT, failure
from conftest import TEAM_TOKEN, VENDOR_KEY, http_of, secrets
from openai_endpoints import embeddings
from pictures import picture
from relay_process import provider
from test_gemini_chat import CALLS, TOOL
from test_openai_stream import Built

WRITTEN = [(f"call_{at}", name, json.dumps(arguments)) for at, (name, arguments) in enumerate(CALLS)]


@pytest.fixture(scope="module")
def cloud():
    running = cloudflare_vendor.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def relay(launch, cloud):
    more = [f"@cf/mend/{number}" for number in range(19)]
    return launch(
        **provider("CF", "cloudflare", cloud.base_url + "/client/v4", ",".join([f"llama={LLAMA}", "embed=@cf/baai/bge", *more]), API_KEY=VENDOR_KEY, ACCOUNT_ID=ACCOUNT, TIMEOUT="3s"),
        **provider("OPEN", "cloudflare", cloud.base_url, "open=@cf/open", PASSTHROUGH="true", ACCOUNT_ID=ACCOUNT), KEY_TEAM_TOKEN=TEAM_TOKEN,
    )  # fmt: skip


team = http_of("relay", "cloud", LLAMA)


official = officials.openai_of("relay")
def test_a_plain_request(team, cloud, is_streamed):
    assert either(team, is_streamed, model="llama") == ("Hello there", "stop")
    (seen,) = cloud.asked(LLAMA)
    assert seen["path"] == f"{ROOT}/v1/chat/completions" and seen["headers"]["authorization"] == f"Bearer {VENDOR_KEY}"
    more = {"stream": True, "stream_options": {"include_usage": True}} if is_streamed else {}
    assert seen["body"] == {"model": LLAMA, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4096} | more


def test_wishes(team, cloud):
    ask(team, model="llama", temperature=1.5, top_p=0.5, max_completion_tokens=50, seed=5, presence_penalty=0.5, user="me", store=False,
        metadata={"a": "b"}, service_tier="default", logit_bias={"1": 2}, verbosity="low", reasoning_effort="low", parallel_tool_calls=True,
        tools=[TOOL], prompt_cache_key="k", messages=[{"role": "developer", "content": "Be brief"}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "7"}])  # fmt: skip
    body = cloud.body(LLAMA)
    assert {name: body[name] for name in set(body) - {"messages", "tools", "model"}} == {
        "temperature": 1.5, "top_p": 0.5, "max_tokens": 50, "seed": 5, "presence_penalty": 0.5, "reasoning_effort": "low",
    }  # fmt: skip
    assert [(one["role"], one["content"]) for one in body["messages"]] == [("system", "Be brief"), ("user", "Hi"), ("assistant", ""), ("tool", "7")]


def test_what_it_lacks(team, cloud):
    assert ask(team, model="llama", logprobs=True).json()["error"]["code"] == "unsupported_parameter"
    cloud.says(LLAMA, {"text": "one two"})
    assert text_of(ask(team, model="llama", stop=["two"])) == "one "
    assert len(ask(team, model="llama", n=2).json()["choices"]) == 2
    pdf = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}}
    assert ask(team, model="llama", messages=[{"role": "user", "content": [pdf]}]).status_code == 400
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    assert ask(team, model="llama", messages=[{"role": "user", "content": [sound]}]).status_code == 400


def test_pictures_and_files_of_text(team, cloud):
    url = "data:image/png;base64," + base64.b64encode(picture("small")).decode()
    shown = {"type": "image_url", "image_url": {"url": url}}
    text = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,V29yZHM="}}
    ask(team, model="llama", messages=[{"role": "user", "content": [shown, text]}])
    assert cloud.body(LLAMA)["messages"][0]["content"] == [shown, {"type": "text", "text": "Words"}]


def test_texts_of_one_message_are_joined(team, cloud):
    """Cloudflare refuses lists of texts (5006)."""
    parts = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    assert ask(team, model="llama", messages=[{"role": "user", "content": parts}]).status_code == 200
    assert cloud.body(LLAMA)["messages"][0]["content"] == "One\nTwo"


def test_pictures_of_others_than_the_user(team, cloud):
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(picture("small")).decode()}}
    call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "Be brief"}, shown]}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "Here"}, shown], "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "7"}, {"role": "assistant", "content": [shown, {"type": "text", "text": "So"}]},
    ]  # fmt: skip
    assert text_of(ask(team, model="llama", messages=messages, tools=[TOOL])) == "Hello there"
    sent = cloud.body(LLAMA)["messages"]
    assert [(message["role"], message["content"]) for message in sent] == [
        ("system", "Be brief"), ("user", [shown]), ("user", "Hi"), ("assistant", "Here"), ("tool", "7"), ("user", [shown]), ("user", [shown]), ("assistant", "So"),
    ]  # fmt: skip


def test_a_demanded_tool_is_asked_for_in_the_text(team, cloud):
    cloud.says(LLAMA, {"text": '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>'})
    answer = ask(team, model="llama", tools=[TOOL], tool_choice="required").json()["choices"][0]
    assert answer["message"]["tool_calls"][0]["function"]["name"] == "weather"
    assert "tools" not in cloud.asked(LLAMA)[0]["body"]
    cloud.says(LLAMA, {"calls": WRITTEN[:1]})
    named = {"type": "function", "function": {"name": "weather"}}
    ask(team, model="llama", tools=[TOOL], tool_choice=named)
    assert cloud.body(LLAMA)["tool_choice"] == named


OF_THEIR_OWN = {
    "call": ([{"calls": WRITTEN[:1]}], CALLS[:1]),
    "calls": ([{"calls": WRITTEN}], CALLS),
    "own wire": ([{"own": True, "calls": CALLS}], CALLS),
    "beside a text": ([{"text": "Let me look.", "calls": WRITTEN[1:]}], CALLS[1:]),
    "beside a call": ([{"text": f"<tool_call>{json.dumps({'name': 'weather', 'arguments': {'city': 'Pisa'}})}</tool_call>",
                        "calls": WRITTEN}], [("weather", {"city": "Pisa"}), *CALLS]),
    "of another": ([{"calls": [("call_1", "else", "{}")]}, {"calls": WRITTEN[:1]}], CALLS[:1]),
    "broken": ([{"calls": [("call_1", "weather", '{"city":')]}, {"calls": WRITTEN[:1]}], CALLS[:1]),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_THEIR_OWN)
def test_a_demanded_tool_that_is_called_though_none_was_offered(team, cloud, is_streamed, name):
    scripts, made = OF_THEIR_OWN[name]
    at = LLAMA
    if "own" in scripts[0]:
        at, scripts = f"@cf/mend/{15 + is_streamed}", [{"status": 405, "json": failure(5007, "No such model")}, *scripts]
    cloud.says(at, *scripts)
    model = "llama" if at == LLAMA else at
    assert calls_of(team, is_streamed, model=model, tools=[TOOL], tool_choice="required") == made
    assert len(cloud.asked(at)) == len(scripts)


def test_one_call_at_most_though_no_tool_was_offered(team, cloud, is_streamed):
    cloud.says(LLAMA, {"calls": WRITTEN})
    asked = {"model": "llama", "tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
    assert calls_of(team, is_streamed, **asked) == CALLS[:1]


NAMED = {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}}
AS_TEXT = '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>'


def calls_of(http, is_streamed, **asked):
    if is_streamed:
        return Built(stream(http, **asked).chunks).told()[2]
    message = ask(http, **asked).json()["choices"][0]["message"]
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message["tool_calls"]]


@pytest.mark.parametrize("instead", [{"text": "It is sunny."}, {"calls": [("call_1", "else", "{}")]}], ids=["text", "another"])
def test_a_named_tool_that_is_not_called_is_asked_for_in_the_text(team, cloud, is_streamed, instead):
    model = f"@cf/mend/{9 + 2 * is_streamed + ('calls' in instead)}"
    cloud.says(model, instead, {"text": AS_TEXT})
    for _ in range(2):
        assert calls_of(team, is_streamed, model=model, **NAMED) == [("weather", {"city": "Rome"})]
    first, second, third = (seen["body"] for seen in cloud.asked(model))
    assert first["tool_choice"] == NAMED["tool_choice"] and first["tools"]
    assert not {"tools", "tool_choice"} & {*second, *third}


def test_a_named_tool_that_is_called_after_a_thought(team, cloud, is_streamed):
    cloud.says(LLAMA, {"reasoning": "Hm.", "calls": WRITTEN[:1]})
    assert calls_of(team, is_streamed, model="llama", **NAMED) == CALLS[:1]
    assert len(cloud.asked(LLAMA)) == 1


def test_a_callers_own_key_teaches_too(relay, team, cloud):
    cloud.says("@cf/open", {"text": "It is sunny."}, {"text": AS_TEXT})
    headers = {"Authorization": "Bearer own-key-of-a-caller"}
    secrets.add("own-key-of-a-caller")
    with checked.client(httpx, base_url=relay.base_url, headers=headers, timeout=30) as http:
        for _ in range(2):
            assert calls_of(http, False, model="open", **NAMED) == [("weather", {"city": "Rome"})]
    assert ["tools" in seen["body"] for seen in cloud.asked("@cf/open")] == [True, False, False]


def test_models_of_the_own_wire_are_remembered(team, cloud, is_streamed):
    model = f"@cf/mend/{int(is_streamed)}"
    cloud.says(model, {"status": 404, "json": failure(7003)}, {"own": True})
    for _ in range(2):
        assert either(team, is_streamed, model=model) == ("Hello there", "stop")
    first, second, third = cloud.asked(model)
    assert first["path"] == f"{ROOT}/v1/chat/completions" and second["path"] == third["path"] == f"{ROOT}/run/{model}"
    assert set(third["body"]) == {"messages", "max_tokens"} | ({"stream"} if is_streamed else set())


@pytest.mark.parametrize("response, told", [({"a": 1}, '{"a":1}'), (7, "7"), ("x", "x"), ("", ""), (None, "")], ids=str)
def test_what_responses_may_be(team, cloud, response, told, is_streamed):
    whole = {"result": {"response": response, "usage": cloudflare_vendor.USAGE}, "success": True}
    cloud.says(LLAMA, {"json": whole} if not is_streamed else {"events": [{"response": response, "p": "a"}, "data: [DONE]"]})
    assert either(team, is_streamed, model="llama") == (told, "stop")


@pytest.mark.parametrize("used, reason", [(49, "stop"), (50, "length")])
def test_the_end_by_the_bound(team, cloud, used, reason, is_streamed):
    cloud.says(LLAMA, {"own": True, "usage": {"prompt_tokens": 9, "completion_tokens": used}})
    assert either(team, is_streamed, model="llama", max_tokens=50) == ("Hello there", reason)


def test_schemas_by_both_wires(team, cloud):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    model = "@cf/mend/2"
    cloud.says(model, {"text": '{"a": 1}'}, {"status": 400, "json": failure(5007)}, {"json": {"result": {"response": {"a": 2}}, "success": True}})
    assert [json.loads(text_of(ask(team, model=model, response_format=form)))["a"] for _ in range(2)] == [1, 2]
    assert cloud.asked(model)[0]["body"]["response_format"] == form
    assert cloud.asked(model)[2]["body"]["response_format"] == {"type": "json_schema", "json_schema": schema}


def test_a_format_that_is_refused(team, cloud):
    model = "@cf/mend/3"
    refused = {"status": 400, "json": failure(5025, "This model doesn't support JSON Schema: response_format")}
    cloud.says(model, refused, {"text": '{"a": 1}'})
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}}
    assert json.loads(text_of(ask(team, model=model, response_format=form))) == {"a": 1}
    assert "response_format" not in cloud.asked(model)[1]["body"]


@pytest.mark.parametrize(
    "number, refused, is_streamed",
    [(14, failure(5025, "5025: This model doesn't suuport JSON Schema."), False),
     (15, failure(5023, "5023 JSON Schema mode is not supported with stream mode."), True),
     (16, failure(5025, "JSON Mode is not supported by this model."), False)],
)  # fmt: skip
def test_formats_that_a_model_lacks(team, cloud, number, refused, is_streamed):
    model = f"@cf/mend/{number}"
    cloud.says(model, {"status": 400, "json": refused}, {"text": '{"a": 1}'})
    form = {"type": "json_object"} if number == 16 else {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    for streams in (is_streamed, is_streamed, False):
        assert json.loads(either(team, streams, model=model, response_format=form)[0]) == {"a": 1}
    # What is refused together with streams is lacking beside them only.
    assert ["response_format" in seen["body"] for seen in cloud.asked(model)] == [True, False, False, number == 15]


def test_tools_that_a_model_lacks(team, cloud, is_streamed):
    model = f"@cf/mend/{17 + is_streamed}"
    cloud.says(model, {"status": 400, "json": {"error": {"message": "tools are not supported by this model"}}}, {"text": AS_TEXT})
    for _ in range(2):
        assert calls_of(team, is_streamed, model=model, tools=[TOOL]) == CALLS[:1]
    assert ["tools" in seen["body"] for seen in cloud.asked(model)] == [True, False, False]


def test_a_lower_bound(team, cloud):
    model = "@cf/mend/4"
    cloud.says(model, {"status": 400, "json": failure(5006, "Error: max_tokens must be lower")}, {})
    for _ in range(2):
        assert text_of(ask(team, model=model)) == "Hello there"
    assert text_of(ask(team, model=model, max_tokens=4096)) == "Hello there"
    assert [seen["body"]["max_tokens"] for seen in cloud.asked(model)] == [4096, 2048, 2048, 4096]


OPENAIS = openai_vendor.chunk


def test_a_mark_ends_a_call(team, cloud):
    end = {"id": None, "type": None, "function": {"name": None, "arguments": None}}
    for more in ({}, {"index": 0}):
        calls = [
            end, {"id": "a", "function": {"name": "weather", "arguments": ""}}, {"function": {"arguments": '{"city":'}}, {"function": {"arguments": '"Rome"}'}},
            end, end, {"function": {"name": "weather", "arguments": "{}"}}, end, {"function": {"name": "other"}}, {"function": {"arguments": '{"b":2}'}}, end,
        ]  # fmt: skip
        events = [OPENAIS({"tool_calls": [call | more]}) for call in calls]
        cloud.says(LLAMA, {"events": [*events, OPENAIS({}, "tool_calls"), "data: [DONE]"]})
        got = stream(team, model="llama", tools=[TOOL])
        assert Built([one for one in got.chunks if one["choices"]]).told() == (
            "", "", [("weather", {"city": "Rome"}), ("weather", {}), ("other", {"b": 2})], "tool_calls",
        )  # fmt: skip


TABLE = [
    # status, body -> status, code, requests
    (400, failure(5004), 400, None, 1), (400, failure(3003), 400, None, 1), (200, failure(3039), 400, None, 1),
    (400, failure(5007), 404, "model_not_found", 2), (404, failure(3042), 404, "model_not_found", 2), (405, failure(9999), 502, "upstream_error", 2),
    (403, failure(5016), 403, "permission_denied", 1), (403, failure(5018), 403, "permission_denied", 1),
    (403, failure(3041), 403, "permission_denied", 1), (403, failure(3023), 502, "upstream_error", 1), (401, BAD, 502, "upstream_error", 1),
    (403, BAD, 502, "upstream_error", 1), (413, failure(3006), 413, "request_too_large", 1), (408, failure(3007), 504, "upstream_timeout", 1),
    (408, failure(3008), 504, "upstream_timeout", 1), (429, failure(3036), 402, "insufficient_quota", 1), (429, failure(4006), 402, "insufficient_quota", 1), (429, failure(3040), 503, "upstream_error", 1),
    (429, {"error": {"message": "slow", "code": "rate_limit_exceeded"}}, 429, "rate_limit_exceeded", 1),
    (200, failure(5005), 502, "upstream_error", 1), (405, failure(5019), 502, "upstream_error", 2), (200, failure(3036), 402, "insufficient_quota", 1), (500, failure(1), 502, "upstream_error", 1),
    (413, {"errors": [{"code": 5021, "message": "The estimated number of input and maximum output tokens (9) exceeded this model context window limit (5)."}]},
     400, "context_length_exceeded", 1),
    (400, {"error": {"message": "maximum context length is 5"}}, 400, "context_length_exceeded", 1),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(TABLE)), ids=lambda at: f"{TABLE[at][0]}-{TABLE[at][2]}-{at}")
def test_the_table(team, cloud, at, is_streamed):
    status, body, told, code, times = TABLE[at]
    cloud.says(LLAMA, {"status": status, "json": body})
    got, found, _ = refusal(team, is_streamed, model="llama")
    assert (got, found["code"]) == (told, code), found
    assert len(cloud.asked(LLAMA)) == times


def test_embeddings_and_nothing_else(official, team, cloud):
    cloud.says("@cf/baai/bge", {"json": embeddings({"input": ["a", "b"]})})
    answer = official.embeddings.create(model="embed", input=["a", "b"], encoding_format="float")
    assert len(answer.data) == 2 and answer.model == "embed"
    assert cloud.asked("@cf/baai/bge")[0]["path"] == f"{ROOT}/v1/embeddings"
    refused = team.post("/v1/moderations", json={"model": "embed", "input": "x"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unsupported_endpoint")


@pytest.mark.parametrize("code", [10000, 3036, 3040, 7000, 5007])
def test_another_takes_over_from_a_failure_of_embeddings(start_relay, server, cloud, caller, code):
    relay = start_relay(
        **provider("CF", "cloudflare", cloud.base_url + "/client/v4", "m=@cf/told", ACCOUNT_ID=ACCOUNT, API_KEYS="key-1-of-cloudflare,key-2-of-cloudflare"),
        **provider("ROW", "openai", server.base_url, "m=at/row", PRIORITY=2), KEY_A_TOKEN="token-of-cloudflare-embeddings",
    )  # fmt: skip
    server.says("at/row", {})
    cloud.says("@cf/told", {"json": failure(code)})
    answer = caller(relay, "token-of-cloudflare-embeddings").post("/v1/embeddings", json={"model": "m", "input": "x"})
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "row"
    # A failure of the key goes to the next key first.
    assert len(cloud.asked("@cf/told")) == (2 if code in (10000, 3036) else 1)


def test_callers_with_keys_of_their_own(relay, cloud):
    cloud.says("@cf/open", {})
    with checked.client(httpx, base_url=relay.base_url, headers={"Authorization": "Bearer own-key-of-a-caller"}, timeout=30) as http:
        assert text_of(ask(http, model="open")) == "Hello there"
        assert cloud.asked("@cf/open")[0]["headers"]["authorization"] == "Bearer own-key-of-a-caller"
        cloud.says("@cf/open", {"status": 401, "json": BAD})
        assert ask(http, model="open").status_code == 401
    assert cloud.take_violations() == []
