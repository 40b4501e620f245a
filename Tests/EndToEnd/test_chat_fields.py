"""Every field of a chat request that is accepted and ignored. `EndpointFieldsTests` has those that are refused."""

import openai
import pytest
from chat import MODEL, PATH, ask, refusal, text_of
from onemin_replies import default_answer

ACCEPTED = [
    ("temperature", 0), ("temperature", 2), ("temperature", 0.7), ("temperature", 1e-9), ("temperature", 1.0),
    ("top_p", 0), ("top_p", 1), ("top_p", 0.5),
    ("presence_penalty", -2), ("presence_penalty", 2.0), ("frequency_penalty", -2.0), ("frequency_penalty", 2),
    ("seed", 0), ("seed", -5), ("seed", 2**53), ("logit_bias", {}), ("logit_bias", {"50256": -100, "11": 5}),
    ("user", "somebody"), ("store", True), ("store", False), ("metadata", {}), ("metadata", {"a": "b"}),
    ("service_tier", "auto"), ("service_tier", "flex"),
    ("reasoning_effort", "low"), ("reasoning_effort", "high"), ("verbosity", "low"),
    ("prediction", {"type": "content", "content": "x"}), ("prompt_cache_key", "k"), ("safety_identifier", "s"),
    ("modalities", ["text"]), ("parallel_tool_calls", True), ("parallel_tool_calls", False),
    ("tool_choice", "none"), ("tool_choice", "auto"), ("function_call", "none"), ("function_call", "auto"),
    ("response_format", {"type": "text"}), ("logprobs", False), ("top_logprobs", 0),
    ("n", 1), ("max_tokens", 100_000), ("max_completion_tokens", 100_000), ("stop", "never-there"),
    ("stop", ["never-1", "never-2", "never-3", "never-4"]), ("stream", False), ("web_search", False),
]  # fmt: skip


UNKNOWN = {
    "top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1, "chat_id": "x", "session_id": "y", "transforms": [],
    "provider": {}, "reasoning": {"effort": "low"}, "thinking": {"type": "enabled"}, "cache_prompt": True,
    "num_ctx": 4096, "": 1, "日本": None,
}  # fmt: skip


def named(value):
    return str(value)[:40]


@pytest.mark.parametrize(("field", "value"), ACCEPTED, ids=named)
def test_accepted_fields_change_nothing(http, vendor, api_key, field, value):
    assert text_of(ask(http, "Hello", **{field: value})) == default_answer("Hello")
    assert vendor.prompt(api_key) == "Hello"


def test_a_refusal_is_the_same_for_streams(http):
    for fields in ({"temperature": 3}, {"logprobs": True}, {"messages": []}, {"model": "nothing"}):
        whole, streamed = refusal(http, **fields), refusal(http, is_streamed=True, **fields)
        assert whole[:2] == streamed[:2]


def test_null_equals_absence(http, vendor, api_key):
    names = {field for field, _ in ACCEPTED} | {"audio", "tools", "functions", "stream_options", "file_ids", "web_search_options", "new_input"}
    for name in sorted(names):
        assert ask(http, **{name: None}).status_code == 200, name
    assert ask(http, **dict.fromkeys(names)).status_code == 200
    assert {seen["body"]["promptObject"]["prompt"] for seen in vendor.requests(api_key)} == {"Hello"}


def test_unknown_fields_are_ignored(http, vendor, api_key):
    assert ask(http, **UNKNOWN).status_code == 200
    assert vendor.prompt(api_key) == "Hello"


def test_the_official_client_names_the_error(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nothing", messages=[{"role": "user", "content": "a"}])
    assert caught.value.code == "model_not_found" and caught.value.param == "model"


def test_the_body_may_start_with_a_bom(http):
    text = b'\xef\xbb\xbf{"model":"%b","messages":[{"role":"user","content":"a"}]}' % MODEL.encode()
    assert http.post(PATH, content=text, headers={"Content-Type": "application/json"}).status_code == 200
