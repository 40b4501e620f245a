"""Input that once ended the process, or could have: the relay responds to it, and to the next request, too."""

import pytest
from anthropic_vendor import text
from chat import ask, either, text_of
from conftest import CLAUDE_KEY
from openai_vendor import chunk
from rawhttp import ECHO_RELAY
from relay_process import provider
from test_openai_chat import TOOL

TOKEN = "token-of-hostile-requests"
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}


@pytest.fixture(scope="module")
def relay(launch, server, anthropic_server):
    names = ",".join(f"trap-{number}" for number in range(9))
    return launch(
        PROVIDERS="row,ant,echo", **provider("ROW", "openai", server.base_url, names),
        **provider("ANT", "anthropic", anthropic_server.base_url, "marked", API_KEY=CLAUDE_KEY), PROVIDER_ECHO_KIND="echo", KEY_A_TOKEN=TOKEN,
    )  # fmt: skip


@pytest.fixture
def http(relay, caller):
    client = caller(relay, TOKEN)
    yield client
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("value", [";", ";;", "; charset=utf-8", ";charset"])
def test_a_content_type_without_a_type(http, value):
    answer = http.post("/v1/chat/completions", content=b"{}", headers={"Content-Type": value})
    assert answer.status_code == 415 and answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("names", [{"title": "", "source": ""}, {}])
def test_a_cache_mark_on_a_block_without_content(http, anthropic_server, names):
    """The mark would follow the last message."""
    anthropic_server.says("marked", {"content": [text("Fine")]})
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}, IMAGE]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": "x"},
            {"type": "search_result", **names, "content": [], "cache_control": {"type": "ephemeral"}}]},
    ]  # fmt: skip
    tool = {"name": "f", "input_schema": {"type": "object"}}
    asked = {"model": "marked", "max_tokens": 9, "tools": [tool], "messages": messages}
    answer = http.post("/v1/messages", json=asked)
    assert answer.status_code in (200, 400), answer.text
    anthropic_server.take_violations()


def test_native_calls_without_text_and_without_usage(http, server, is_streamed):
    """The server refuses tools and gets them in the prompt, but makes native calls of them anyway."""
    model = f"trap-{int(is_streamed)}"
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    refused = {"status": 400, "json": {"error": {"message": "registry.ollama.ai/library/x does not support tools"}}}
    whole = {"id": "x", "object": "chat.completion", "created": 1, "model": model,
             "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}  # fmt: skip
    server.says(model, refused, {"bare": True, "json": whole, "events": [chunk(message), chunk({}, "tool_calls")]})
    answer = either(http, is_streamed, model=model, tools=[TOOL])
    assert answer[1] == "tool_calls", answer
    assert "tools" not in server.asked(model)[-1]["body"]
    server.take_violations()


HUGE = [2**63 - 1, -(2**63), 2**63, 10**30, 1e300, -1e300]
CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
NUMBERS = {
    "/v1/chat/completions": (CHAT, ["n", "max_tokens", "max_completion_tokens", "seed", "top_logprobs", "temperature", "top_p"]),
    "/v1/completions": ({"prompt": ["Hi", "Ho"]}, ["n", "best_of", "logprobs", "max_tokens"]),
    "/v1/responses": ({"input": "Hi"}, ["max_output_tokens", "top_logprobs", "temperature"]),
    "/v1/messages": (CHAT | {"max_tokens": 9}, ["max_tokens", "top_k", "temperature"]),
}


@pytest.mark.parametrize("path", NUMBERS)
def test_numbers_that_no_parameter_has(http, path):
    """A number is refused, or has no effect."""
    fields, names = NUMBERS[path]
    for name in names:
        for number in HUGE:
            answer = http.post(path, json={"model": "echo"} | fields | {name: number})
            assert answer.status_code in (200, 400), (name, number, answer.text)
    answer = http.post(path, json={"model": "echo"} | fields | {names[0]: 10**30})
    assert answer.status_code == 400, answer.text


def call_piece(index, name, arguments):
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": f"call_{name}", "type": "function", "function": function}]}


@pytest.mark.parametrize("index", [-1, 7, 2**31, 2**63 - 1, -(2**63), 2**63, 1e300])
def test_indices_that_no_list_has(http, server, index):
    """A choice that was not requested is dropped. A tool call may have any number."""
    wrong = {"index": index, "delta": {"content": "no"}, "finish_reason": None}
    other = chunk({}) | {"choices": [wrong]}
    end = [chunk({"content": "Hello"}), chunk({}, "stop")]
    server.says("trap-2", {"bare": True, "events": end if isinstance(index, float) or index >= 2**63 else [other, *end]})
    assert either(http, True, model="trap-2") == ("Hello", "stop")
    pieces = [chunk(call_piece(index, "weather", '{"city":')), chunk(call_piece(index, "weather", '"Rome"}'))]
    server.says("trap-3", {"bare": True, "events": [*pieces, chunk({}, "tool_calls")]})
    assert either(http, True, model="trap-3", tools=[TOOL])[1] == "tool_calls"
    server.take_violations()


def test_a_count_of_words_without_end(start_relay, caller):
    relay = start_relay(**ECHO_RELAY)
    answer = ask(caller(relay, TOKEN), model="echo", messages=[{"role": "user", "content": "!think=9223372036854775807 a"}])
    assert answer.status_code == 200 and text_of(answer) is not None
