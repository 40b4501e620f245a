"""Every field of a chat request: accepted and ignored, range-checked, or refused."""

import openai
import pytest
from chat import MODEL, PATH, ask, refusal, text_of
from onemin_replies import default_answer

RANGE = {"invalid_value", "decimal_above_max_value", "decimal_below_min_value", "integer_above_max_value", "integer_below_min_value"}
TYPE = {"invalid_type"}

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

BAD = [
    ("model", 5, TYPE, "model"), ("model", [], TYPE, "model"),
    ("stream", "true", TYPE, "stream"), ("stream", 1, TYPE, "stream"),
    ("temperature", -0.1, RANGE, "temperature"), ("temperature", 2.1, RANGE, "temperature"),
    ("temperature", "1", TYPE, "temperature"), ("temperature", True, TYPE, "temperature"),
    ("top_p", -0.01, RANGE, "top_p"), ("top_p", 1.01, RANGE, "top_p"), ("top_p", "1", TYPE, "top_p"),
    ("presence_penalty", -2.1, RANGE, "presence_penalty"), ("presence_penalty", 2.1, RANGE, "presence_penalty"),
    ("presence_penalty", "0", TYPE, "presence_penalty"),
    ("frequency_penalty", -2.1, RANGE, "frequency_penalty"), ("frequency_penalty", 3, RANGE, "frequency_penalty"),
    ("frequency_penalty", [], TYPE, "frequency_penalty"),
    ("seed", "x", TYPE, "seed"), ("logit_bias", [], TYPE, "logit_bias"), ("user", 5, TYPE, "user"),
    ("store", "yes", TYPE, "store"), ("metadata", "x", TYPE, "metadata"), ("metadata", [], TYPE, "metadata"),
    ("service_tier", 5, TYPE, "service_tier"), ("reasoning_effort", 5, TYPE, "reasoning_effort"),
    ("verbosity", 5, TYPE, "verbosity"), ("prompt_cache_key", 5, TYPE, "prompt_cache_key"),
    ("safety_identifier", 5, TYPE, "safety_identifier"), ("prediction", "x", TYPE, "prediction"),
    ("parallel_tool_calls", "x", TYPE, "parallel_tool_calls"),
    ("n", 0, RANGE, "n"), ("n", -1, RANGE, "n"), ("n", 9, {"invalid_value"}, "n"), ("n", 129, RANGE, "n"),
    ("n", "2", TYPE, "n"), ("n", 1.5, TYPE, "n"), ("n", True, TYPE, "n"),
    ("max_tokens", 0, RANGE, "max_tokens"), ("max_tokens", -1, RANGE, "max_tokens"),
    ("max_tokens", "5", TYPE, "max_tokens"), ("max_tokens", 1.5, TYPE, "max_tokens"),
    ("max_tokens", True, TYPE, "max_tokens"),
    ("max_completion_tokens", 0, RANGE, "max_completion_tokens"),
    ("max_completion_tokens", "5", TYPE, "max_completion_tokens"),
    ("stop", 5, TYPE, "stop"), ("stop", {}, TYPE, "stop"),
    ("logprobs", "x", TYPE, "logprobs"), ("top_logprobs", "x", TYPE, "top_logprobs"),
    ("top_logprobs", -1, RANGE, "top_logprobs"), ("top_logprobs", 21, RANGE, "top_logprobs"),
    ("modalities", "text", TYPE, "modalities"),
    ("tools", "x", TYPE, "tools"), ("tools", {}, TYPE, "tools"), ("functions", "x", TYPE, "functions"),
    ("response_format", "text", TYPE, "response_format"),
    ("response_format", {"type": "xml"}, {"invalid_value"}, "response_format.type"),
    ("response_format", {"type": 5}, TYPE, "response_format.type"),
    ("response_format", {}, {"missing_required_parameter"}, "response_format.type"),
    ("web_search", "yes", TYPE, "web_search"), ("num_of_site", "3", TYPE, "num_of_site"),
    ("max_word", "500", TYPE, "max_word"), ("new_input", 5, TYPE, "new_input"),
    ("web_search_options", "x", TYPE, "web_search_options"),
    ("web_search_options", {"search_context_size": "huge"}, {"invalid_value"}, "web_search_options.search_context_size"),
    ("web_search_options", {"search_context_size": 5}, TYPE, "web_search_options.search_context_size"),
]  # fmt: skip

UNSUPPORTED = [
    ({"logprobs": True}, {"logprobs"}),
    ({"logprobs": True, "top_logprobs": 2}, {"logprobs", "top_logprobs"}),
    ({"top_logprobs": 1}, {"logprobs", "top_logprobs"}),
    ({"modalities": ["audio"]}, {"modalities"}),
    ({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}, {"modalities", "audio"}),
    ({"audio": {"voice": "alloy", "format": "wav"}}, {"audio"}),
]
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


@pytest.mark.parametrize(("field", "value", "codes", "param"), BAD, ids=named)
def test_bad_values(http, vendor, api_key, field, value, codes, param):
    status, error, _ = refusal(http, **{field: value})
    assert (status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert error["code"] in codes
    assert vendor.requests(api_key) == []


@pytest.mark.parametrize("stop", [["a", 5], ["1", "2", "3", "4", "5"]], ids=named)
def test_bad_stop_lists(http, stop):
    status, error, _ = refusal(http, stop=stop)
    assert status == 400 and error["param"].startswith("stop")


@pytest.mark.parametrize(("fields", "params"), UNSUPPORTED, ids=named)
def test_what_cannot_be_done_is_refused(http, vendor, api_key, fields, params):
    status, error, _ = refusal(http, **fields)
    assert status == 400 and error["type"] == "invalid_request_error"
    assert error["code"] in ("unsupported_parameter", "unsupported_value")
    assert error["param"] in params
    assert vendor.requests(api_key) == []


def test_a_refusal_is_the_same_for_streams(http):
    for fields in ({"temperature": 3}, {"logprobs": True}, {"messages": []}, {"model": "nothing"}):
        whole, streamed = refusal(http, **fields), refusal(http, is_streamed=True, **fields)
        assert whole[:2] == streamed[:2]


def test_null_equals_absence(http, vendor, api_key):
    names = {field for field, *_ in ACCEPTED + BAD} - {"model"}
    names |= {"audio", "tools", "functions", "stream_options", "file_ids", "web_search_options", "prompt_cache_key"}
    for name in sorted(names):
        assert ask(http, **{name: None}).status_code == 200, name
    assert ask(http, **dict.fromkeys(names)).status_code == 200
    assert {seen["body"]["promptObject"]["prompt"] for seen in vendor.requests(api_key)} == {"Hello"}


def test_unknown_fields_are_ignored(http, vendor, api_key):
    assert ask(http, **UNKNOWN).status_code == 200
    assert vendor.prompt(api_key) == "Hello"


@pytest.mark.parametrize("model", ["nothing", "GPT-4O", "gpt-4o ", "whisper-1", "Qubico/hunyuan", "\u0000", "é" * 50])
def test_models_that_do_not_chat(http, vendor, api_key, model):
    status, error, _ = refusal(http, model=model)
    assert (status, error["type"]) == (404, "invalid_request_error")
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert vendor.requests(api_key) == []


def test_the_official_client_names_the_error(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nothing", messages=[{"role": "user", "content": "a"}])
    assert caught.value.code == "model_not_found" and caught.value.param == "model"


@pytest.mark.parametrize("is_streamed", [None, False])
@pytest.mark.parametrize("options", [{"include_usage": True}, {"include_usage": False}, {}], ids=named)
def test_stream_options_without_stream(http, is_streamed, options):
    answer = ask(http, stream=is_streamed, stream_options=options)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "stream_options"


@pytest.mark.parametrize(
    ("options", "param"),
    [("x", "stream_options"), ([], "stream_options"), ({"include_usage": "x"}, "stream_options.include_usage")],
    ids=named,
)
def test_bad_stream_options(http, options, param):
    status, error, _ = refusal(http, is_streamed=True, stream_options=options)
    assert (status, error["code"], error["param"]) == (400, "invalid_type", param)


def test_the_body_may_start_with_a_bom(http):
    text = b'\xef\xbb\xbf{"model":"%b","messages":[{"role":"user","content":"a"}]}' % MODEL.encode()
    assert http.post(PATH, content=text, headers={"Content-Type": "application/json"}).status_code == 200
