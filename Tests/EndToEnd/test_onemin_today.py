"""The behaviour of 1min.ai's API since the autumn of 2026, on each surface where a caller can see it."""

import json

import httpx
import pytest
from balanced import MODEL
from chat import CHAT_PATH, ask
from onemin_rules import external, missing
from rawhttp import wait_until

SURFACES = ["chat", "responses", "messages", "completions"]
FEATURES = "/api/features"
TOOL = {"name": "get_weather", "description": "the weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
HALF_CALL = 'I look. <tool_call>{"name": "get_weather", "arguments": {"ci'


class Answer:
    """A surface's response: the text, how it ended, the tokens, and the error."""

    def __init__(self, surface, response):
        self.status, self.raw, self.headers = response.status_code, response.text, response.headers
        self.text, self.end, self.tokens, self.calls, self.error = "", None, None, 0, None
        is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
        if is_stream:
            lines = [line[5:].strip() for line in response.text.splitlines() if line.startswith("data:")]
            parts = [json.loads(line) for line in lines if line != "[DONE]"]
        else:
            parts = [response.json()]
        for part in parts:
            self.error = part.get("error") or self.error
            getattr(self, surface)(part, is_stream)

    def chat(self, part, is_stream):
        for choice in part.get("choices", ()):
            message = choice["delta" if is_stream else "message"]
            self.text += message.get("content") or ""
            self.calls += sum(1 for call in message.get("tool_calls") or () if call.get("id"))
            self.end = choice["finish_reason"] or self.end
        if part.get("usage"):
            self.tokens = (part["usage"]["prompt_tokens"], part["usage"]["completion_tokens"])

    def completions(self, part, is_stream):
        for choice in part.get("choices", ()):
            self.text += choice["text"]
            self.end = choice["finish_reason"] or self.end
        if part.get("usage"):
            self.tokens = (part["usage"]["prompt_tokens"], part["usage"]["completion_tokens"])

    def messages(self, part, is_stream):
        for block in part.get("content", ()) if not is_stream else ():
            self.text += block.get("text", "")
            self.calls += block["type"] == "tool_use"
        delta = part.get("delta", {})
        self.text += delta.get("text", "")
        self.calls += part.get("content_block", {}).get("type") == "tool_use"
        self.end = part.get("stop_reason") or delta.get("stop_reason") or self.end
        if usage := part.get("usage"):
            self.tokens = (usage.get("input_tokens", 0), usage["output_tokens"])

    def responses(self, part, is_stream):
        whole = part.get("response", part) if not is_stream or part["type"] in ("response.completed", "response.incomplete") else None
        if not whole or "output" not in whole:
            return
        for item in whole["output"]:
            self.calls += item["type"] == "function_call"
            self.text += "".join(content.get("text", "") for content in item.get("content", ()))
        details = whole.get("incomplete_details") or {}
        self.end = details.get("reason", whole["status"])
        self.tokens = (whole["usage"]["input_tokens"], whole["usage"]["output_tokens"])


def request(http, surface, is_streamed=False, prompt="Hello there", tools=False, required=False, **fields):
    fields = {"model": "gpt-4o-mini", "stream": is_streamed} | fields
    headers = {}
    if surface == "chat":
        fields |= {"messages": [{"role": "user", "content": prompt}]}
        if is_streamed:
            fields |= {"stream_options": {"include_usage": True}}
        if tools:
            fields |= {"tools": [{"type": "function", "function": TOOL}]} | ({"tool_choice": "required"} if required else {})
        path = "/v1/chat/completions"
    elif surface == "responses":
        fields |= {"input": prompt}
        if tools:
            fields |= {"tools": [{"type": "function"} | TOOL]} | ({"tool_choice": "required"} if required else {})
        path = "/v1/responses"
    elif surface == "messages":
        fields |= {"messages": [{"role": "user", "content": prompt}], "max_tokens": fields.get("max_tokens", 4000)}
        if tools:
            schema = {"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["parameters"]}
            fields |= {"tools": [schema]} | ({"tool_choice": {"type": "any"}} if required else {})
        path, headers = "/v1/messages", {"anthropic-version": "2023-06-01"}
    else:
        fields |= {"prompt": prompt} | ({"stream_options": {"include_usage": True}} if is_streamed else {})
        path = "/v1/completions"
    return Answer(surface, http.post(path, json=fields, headers=headers))


surfaces = pytest.mark.parametrize("surface", SURFACES)
CUT = {"chat": "length", "completions": "length", "messages": "max_tokens", "responses": "max_output_tokens"}
FILTERED = {"chat": "content_filter", "completions": "content_filter", "messages": "refusal", "responses": "content_filter"}
ENDED = {"chat": "stop", "completions": "stop", "messages": "end_turn", "responses": "completed"}


@surfaces
@pytest.mark.parametrize("reason, ends", [("length", CUT), (" Safety ", FILTERED), (None, ENDED), (7, ENDED)])
def test_the_reason_of_the_model_decides_how_an_answer_ended(http, vendor, api_key, surface, is_streamed, reason, ends):
    vendor.answers(api_key, {"answer": "Half a sen", "finish": reason})
    answer = request(http, surface, is_streamed)
    assert (answer.text, answer.end) == ("Half a sen", ends[surface]), answer.raw
    assert len(vendor.requests(api_key)) == 1


@pytest.mark.parametrize(
    ("surface", "required", "text", "left"),
    [
        ("chat", False, HALF_CALL, "I look."), ("responses", True, HALF_CALL, "I look."), ("messages", False, HALF_CALL, "I look."),
        ("chat", True, "I look. <tool_call>", "I look."), ("chat", False, "I look. <tool_ca", "I look."),
        ("responses", False, '{"name": "get_weather", "argum', ""), ("messages", True, '{"name": "get_w', ""),
        ("chat", True, '```json\n{"name": "get_weather", "arg', ""), ("messages", False, "I look. <function=get_weather>{", "I look."),
    ],
)  # fmt: skip
def test_half_a_tool_call_is_neither_call_nor_text(http, vendor, api_key, surface, is_streamed, required, text, left):
    vendor.answers(api_key, {"answer": text, "finish": "length"})
    answer = request(http, surface, is_streamed, tools=True, required=required)
    assert (answer.text.strip(), answer.calls, answer.end) == (left, 0, CUT[surface]), answer.raw
    assert len(vendor.requests(api_key)) == 1, "there is nothing to repair"


def test_a_whole_call_before_the_cut_stays(http, vendor, api_key, is_streamed):
    call = '<tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}}</tool_call>'
    vendor.answers(api_key, {"answer": f"{call}\n{HALF_CALL[8:]}", "finish": "length"})
    answer = request(http, "chat", is_streamed, tools=True)
    assert (answer.text, answer.calls, answer.end) == ("", 1, "length")


def test_json_that_was_cut_is_given_as_it_is(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"answer": '{"a": [1, 2', "finish": "length"})
    schema = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": {"type": "object"}}}
    for form in ({"type": "json_object"}, schema):
        answer = request(http, "chat", is_streamed, response_format=form)
        assert (answer.status, answer.text, answer.end) == (200, '{"a": [1, 2', "length")
    assert len(vendor.requests(api_key)) == 2


@pytest.mark.parametrize(
    "surface, counts",
    [
        ("chat", {"inputToken": 0, "outputToken": 0, "totalToken": 0}), ("responses", {"inputToken": 0, "outputToken": 5}),
        ("messages", {"inputToken": 7, "outputToken": 0}), ("completions", {"inputToken": -1, "outputToken": 5}),
    ],
    ids=str,
)  # fmt: skip
def test_counts_of_zero_are_not_reported(http, vendor, api_key, surface, is_streamed, counts):
    vendor.answers(api_key, {"answer": "one two three four five", "metadata": counts})
    answer = request(http, surface, is_streamed, prompt="word " * 40)
    prompt, made = answer.tokens
    assert 40 <= prompt <= 60 and made == 5, answer.raw


def test_the_input_that_is_billed_is_the_usage(http, vendor, api_key, is_streamed):
    told = {"credit": 45, "inputToken": 98, "promptToken": 11, "outputToken": 3, "totalToken": 101, "finishReason": "stop"}
    vendor.answers(api_key, {"answer": "one", "metadata": told})
    assert request(http, "chat", is_streamed).tokens == (98, 3)


def test_an_empty_answer_whose_prompt_was_counted_is_one(http, vendor, api_key, is_streamed):
    vendor.answers(api_key, {"deltas": [], "result_object": [""], "metadata": {"inputToken": 9, "outputToken": 0}})
    answer = request(http, "chat", is_streamed)
    assert (answer.status, answer.text, answer.tokens) == (200, "", (9, 0)), answer.raw


@pytest.mark.parametrize("nothing", [{"result_object": []}, {"result_object": [""], "uncounted": True}], ids=["no result", "not counted"])
def test_no_result_is_a_failure_that_is_repeated(http, vendor, api_key, is_streamed, nothing):
    vendor.answers(api_key, nothing | {"deltas": []}, {"answer": "good"})
    answer = request(http, "chat", is_streamed)
    assert (answer.status, answer.text) == (200, "good") and len(vendor.requests(api_key)) == 2
    vendor.answers(api_key, nothing | {"deltas": []})
    answer = request(http, "chat", is_streamed)
    assert answer.status == 502 and len(vendor.requests(api_key)) == 4


@pytest.mark.parametrize("tools, fields", [(False, {}), (True, {"max_tokens": 50}), (False, {"n": 2})], ids=["plain", "bounded", "choices"])
def test_estimates_are_marked_and_charged(start_relay, vendor, new_key, caller, is_streamed, tools, fields, tmp_path):
    key, records = new_key(), tmp_path / "records.jsonl"
    relay = start_relay(
        PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEY=key, KEY_ANN_TOKEN="tok-ann", RATE_LIMIT_CHAT="3000 tokens/hour",
        USAGE_LOG_FILE=str(records),
    )  # fmt: skip
    http = caller(relay, "tok-ann")
    vendor.answers(key, {"answer": "word " * 300, "uncounted": True})
    before = int(http.get("/v1/models").headers.get("x-ratelimit-remaining-tokens", 3000))
    answer = request(http, "chat", is_streamed, tools=tools, **fields)
    assert answer.status == 200
    line = json.loads(wait_lines(records)[0])
    assert line["estimated"] is True and line["prompt_tokens"] + line["completion_tokens"] > 40
    left = int(request(http, "chat", max_tokens=5).headers["x-ratelimit-remaining-tokens"])
    assert left < before - line["completion_tokens"]


def wait_lines(file):
    """Waits for the records of chats."""

    def lines():
        text = file.read_text() if file.exists() else ""
        return [line for line in text.splitlines() if "/chat/completions" in line and '"kind"' not in line]

    assert wait_until(lambda: bool(lines()), 10)
    return lines()


NESTED = {"code": "InvalidParameter", "message": "The size does not match the allowed sizes"}
REQUEST_SECRET = "models.internal.example"


@pytest.mark.parametrize("is_text", [True, False], ids=["string", "json"])
@pytest.mark.parametrize(
    "surface, data",
    [("chat", NESTED), ("responses", {"error": NESTED}), ("messages", [{"error": NESTED}]), ("completions", json.dumps(NESTED)),
     ("chat", {"error": json.dumps({"error": NESTED})})],
    ids=str,
)  # fmt: skip
def test_a_nested_400_is_the_callers_with_its_reason(http, vendor, api_key, surface, is_streamed, data, is_text):
    vendor.answers(api_key, {"status": 400, "json": external(400, data, is_text=is_text)})
    answer = request(http, surface, is_streamed)
    assert answer.status == 400 and answer.error["message"] == NESTED["message"], answer.raw
    assert "busy" not in answer.raw and REQUEST_SECRET not in answer.raw
    assert len(vendor.requests(api_key)) == 1


def test_a_nested_full_context_is_one(http, vendor, api_key):
    said = "prompt is too long: 99 tokens > 10 maximum"
    vendor.answers(api_key, {"status": 400, "json": external(400, {"error": {"type": "invalid_request_error", "message": said}})})
    answer = request(http, "chat")
    assert (answer.status, answer.error["code"], answer.error["message"]) == (400, "context_length_exceeded", said)


def test_details_that_are_a_list_name_the_field(http, vendor, api_key):
    details = json.dumps([{"field": "promptObject.prompt", "message": "it is odd"}])
    body = {"errorCode": "EXTERNAL_API_RESPONSE_WITH_ERROR", "message": "The service is a bit busy", "details": details}
    vendor.answers(api_key, {"status": 400, "json": body})
    answer = request(http, "chat")
    assert (answer.status, answer.error["message"], answer.error["param"]) == (400, "it is odd", "messages")


def event_of(body):
    return {"events": [["error", body]]}


@pytest.mark.parametrize("status", [500, "503"])
@pytest.mark.parametrize("as_event", [False, True], ids=["status", "event"])
def test_nested_failures_are_repeated_then_taken_elsewhere(serve, status, as_event):
    failure = external(status, {"message": "overloaded"})
    told = event_of(failure) if as_event else {"status": 400, "json": failure}
    providers, http = serve(a=1, b=1, PROVIDER_A_PRIORITY=1, PROVIDER_B_PRIORITY=2)
    providers.answers("a", told, {"answer": "second"})
    assert request(http, "chat", as_event, model=MODEL).text == "second" and providers.counts("a") == [2]
    providers.answers("a", told)
    providers.answers("b", {"answer": "other"})
    assert request(http, "chat", as_event, model=MODEL).text == "other"
    assert providers.counts("a") == [4] and providers.counts("b") == [1]


def test_a_nested_429_rests_the_model_and_not_the_key(serve):
    limited = external(429, {"message": "slow down"})
    providers, http = serve(a=1, b=1, PROVIDER_A_PRIORITY=1, PROVIDER_B_PRIORITY=2, PROVIDER_A_MODELS=f"{MODEL},o3-mini")
    providers.answers("a", {"status": 400, "json": limited}, {"answer": "a"})
    providers.answers("b", {"answer": "b"})
    texts = [request(http, "chat", model=MODEL).text for _ in range(3)]
    assert texts == ["b", "b", "b"] and providers.counts("a") == [1]
    assert request(http, "chat", model="o3-mini").text == "a", "the key does not rest"


def test_a_nested_429_alone_is_the_callers(http, vendor, api_key):
    limited = external(429, {"message": "slow down"})
    limited["details"] = limited["details"].replace('"data"', '"headers": {"retry-after": "7"}, "data"')
    vendor.answers(api_key, {"status": 400, "json": limited})
    answer = request(http, "chat")
    assert (answer.status, answer.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize("path", ["chat", "images", "speech"])
def test_missing_fields_that_have_a_default_are_added_once(http, vendor, api_key, path):
    field = {"chat": "quality", "images": "output_format", "speech": "speed"}[path]
    refusal = missing(field)
    vendor.answers(api_key, {"status": refusal.status, "json": refusal.body}, {})
    if path == "chat":
        answer = ask(http, model="gpt-4o-mini")
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (400, None) and "quality" in error["message"]
        return
    calls = {
        "images": ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a cat"}),
        "speech": ("/v1/audio/speech", {"model": "tts-1", "input": "a", "voice": "echo"}),
    }
    where, fields = calls[path]
    assert http.post(where, json=fields).status_code == 200
    first, second = [call["body"]["promptObject"] for call in vendor.requests(api_key, FEATURES)]
    assert field not in first and second.keys() - first.keys() == {field}


def test_missing_fields_without_a_default_are_told(http, vendor, api_key):
    refusal = missing("leonardo_seed")
    vendor.answers(api_key, {"status": 400, "json": refusal.body})
    answer = http.post("/v1/images/generations", json={"model": "gpt-image-1", "prompt": "a cat"})
    assert answer.status_code == 400 and "leonardo_seed" in answer.json()["error"]["message"]
    chat = ask(http, model="gpt-image-1").json()["error"]
    assert chat["param"] is None and "leonardo_seed" in chat["message"]
    assert len(vendor.requests(api_key)) == 2


@pytest.mark.parametrize("model", ["gpt-image-1", "gpt-image-1-mini", "gpt-image-2"])
def test_quality_is_sent_to_models_that_need_it(http, vendor, api_key, model):
    assert http.post("/v1/images/generations", json={"model": model, "prompt": "a cat"}).status_code == 200
    assert ask(http, model=model).status_code == 200
    assert [call["body"]["promptObject"]["quality"] for call in vendor.requests(api_key, FEATURES)] == ["medium", "medium"]


@pytest.mark.parametrize("status", ["FAILURE", "FAILED", "PROCESSING"])
def test_states_of_a_record(http, vendor, api_key, is_streamed, status):
    """Only the first two are failures. While the vendor still works, nobody pays twice."""
    vendor.answers(api_key, {"answer": "a text", "record": {"status": status}})
    answer = request(http, "chat", is_streamed)
    assert (answer.status == 200 and answer.error is None) == (status == "PROCESSING"), answer.raw
    vendor.answers(api_key, {"deltas": [], "result_object": [], "record": {"status": status}})
    before = len(vendor.requests(api_key))
    assert request(http, "chat", is_streamed).status == 502 and len(vendor.requests(api_key)) == before + 1


UNSUPPORTED = {"status": 400, "json": {"errorCode": "UNSUPPORTED_MODEL", "message": "Model x is not supported"}}


@surfaces
def test_an_unsupported_model_is_404(http, vendor, api_key, surface, is_streamed):
    vendor.answers(api_key, UNSUPPORTED)
    answer = request(http, surface, is_streamed)
    assert answer.status == 404 and len(vendor.requests(api_key)) == 1
    if surface != "messages":
        assert answer.error["code"] == "model_not_found"
    assert request(http, surface, is_streamed).status == 404 and len(vendor.requests(api_key)) == 1, "it is known by now"
    vendor.answers(api_key, {"answer": "good"})
    assert request(http, surface, is_streamed, model="gpt-4o").status == 200


@pytest.mark.parametrize("as_event", [False, True], ids=["status", "event"])
def test_an_unsupported_model_is_asked_elsewhere(serve, as_event):
    told = event_of(UNSUPPORTED["json"]) if as_event else UNSUPPORTED
    providers, http = serve(a=2, b=1, PROVIDER_A_PRIORITY=1, PROVIDER_B_PRIORITY=2)
    providers.answers("a", told)
    providers.answers("b", {"answer": "b"})
    assert [request(http, "chat", as_event, model=MODEL).text for _ in range(4)] == ["b"] * 4
    assert sum(providers.counts("a")) == 1, "the candidate is passed over at once, whichever key it has"


def test_what_is_learned_is_of_one_feature(start_relay, caller, vendor, new_key):
    """gpt-4o serves chat and code generation."""
    key = new_key()
    relay = start_relay(PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEY=key, KEY_ANN_TOKEN="tok-ann")
    http = caller(relay, "tok-ann")
    vendor.answers(key, UNSUPPORTED, {"answer": "good"})
    code = {"model": "gpt-4o", "messages": [{"role": "user", "content": "a"}], "tools": [{"type": "code_interpreter"}]}
    for _ in range(2):
        assert http.post("/v1/chat/completions", json=code).status_code == 404
    assert ask(http, model="gpt-4o").status_code == 200
    assert [seen["path"] for seen in vendor.requests(key)] == [FEATURES, CHAT_PATH]


def test_images_and_speech_of_an_unsupported_model(http, vendor, api_key):
    vendor.answers(api_key, UNSUPPORTED)
    for path, fields in (
        ("images/generations", {"model": "dall-e-3", "prompt": "a"}), ("audio/speech", {"model": "tts-1", "input": "a", "voice": "echo"}),
    ):  # fmt: skip
        for _ in range(2):
            answer = http.post(f"/v1/{path}", json=fields)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert len(vendor.requests(api_key)) == 2


def test_a_callers_own_key_takes_no_model_from_others(relay, vendor, new_key, caller):
    poor, rich = new_key(), new_key()
    mine, other = caller(relay, poor), caller(relay, rich)
    listed = other.get("/v1/models").json()
    vendor.answers(poor, UNSUPPORTED)
    vendor.answers(rich, {"answer": "good"})
    for _ in range(3):
        assert ask(mine, model="gpt-4o").status_code == 404
        assert ask(other, model="gpt-4o").status_code == 200
    assert len(vendor.requests(poor, CHAT_PATH)) == 1
    assert other.get("/v1/models").json() == listed and mine.get("/v1/models").json() == listed


def test_checking_a_key_reads_nothing_of_its_account(http, vendor, api_key):
    assert isinstance(http, httpx.Client)
    for _ in range(2):
        assert http.get("/v1/models").status_code == 200
    seen = vendor.request(api_key)
    assert seen["method"] == "GET" and seen["path"].startswith("/api/results/")
