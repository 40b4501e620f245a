"""Chat by a provider of the kind gemini: requests as its vendor accepts them, whole and streamed responses."""

import base64

import gemini_vendor
import local_http
import officials
import pytest
import responding
from chat import ask, either, refusal, stream, text_of
from conftest import TEAM_TOKEN, VENDOR_KEY
from fake_server import FakeServer, Handler
from limited import client as plain
from pictures import picture
from relay_process import provider

MODEL = "gemini-3.1-pro"
SIGNATURE = "EpEgAbcd"
CALLS = [("weather", {"city": "Rome"}), ("weather", {"city": "Oslo", "days": 2})]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "weather", "description": "d", "parameters": PARAMETERS}}


official = officials.openai_of("google_relay")
anthropics = officials.anthropic_of("google_relay")


def user(text):
    return {"role": "user", "parts": [{"text": text}]}


def test_a_plain_request(gem, google):
    assert text_of(ask(gem, model="pro")) == "Hello there"
    (seen,) = google.asked(MODEL)
    assert seen["body"] == {"contents": [user("Hello")]}
    assert seen["headers"]["x-goog-api-key"] == VENDOR_KEY and "authorization" not in seen["headers"]
    assert seen["path"] == "/v1beta/models/gemini-3.1-pro:generateContent"
    assert stream(gem, model="pro").text() == "Hello there"
    assert google.asked(MODEL)[1]["path"].endswith(":streamGenerateContent?alt=sse")


@pytest.mark.parametrize("name, path", [("tuned", "tunedModels/my-model%231"), ("gone", "models/gemini-3-gone")])
def test_names_of_models_in_paths(gem, google, name, path):
    assert text_of(ask(gem, model=name)) == "Hello there"
    assert google.asked(path.replace("%23", "#").removeprefix("models/"))[0]["path"] == f"/v1beta/{path}:generateContent"


def test_wishes(gem, google):
    ask(gem, model="pro", temperature=1.5, top_p=0.5, max_tokens=50, stop=["a", "b"], seed=2**31 + 5, presence_penalty=0.5,
        frequency_penalty=0, user="me", metadata={"a": "b"}, service_tier="default", store=False, logit_bias={"1": 2},
        verbosity="low")  # fmt: skip
    assert google.body(MODEL)["generationConfig"] == {
        "temperature": 1.5, "topP": 0.5, "maxOutputTokens": 50, "stopSequences": ["a", "b"], "seed": 5, "presencePenalty": 0.5,
    }  # fmt: skip
    assert set(google.body(MODEL)) == {"contents", "generationConfig"}


def test_many_stops_are_looked_for_here(anthropics, gem, google):
    google.says(MODEL, {"text": "one six two"})
    asked = {"model": "pro", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    message = anthropics.messages.create(stop_sequences=["three", "four", "five", "six", "seven", "eight"], **asked)
    assert message.content[0].text == "one " and message.stop_sequence == "six"
    assert "stopSequences" not in google.body(MODEL)["generationConfig"]


THINKING = [
    ("pro", "none", {"thinkingLevel": "low"}), ("pro", "low", {"thinkingLevel": "low"}), ("pro", "medium", {"thinkingLevel": "medium"}),
    ("pro", "xhigh", {"thinkingLevel": "high"}), ("gemini-3-flash", "minimal", {"thinkingLevel": "minimal"}),
    ("gemini-3.7-flash", "minimal", {"thinkingLevel": "low"}), ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
    ("gemini-2.5-pro", "high", {"thinkingBudget": 32768}), ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
    ("gemini-2.5-flash", "low", {"thinkingBudget": 1024}), ("gemini-2.5-flash-lite", "medium", {"thinkingBudget": 8192}),
    ("gemini-2.5-flash", "max", {"thinkingBudget": 24576}), ("gemini-2.0-flash", "high", None), ("gemma-3-27b-it", "high", None),
]  # fmt: skip


@pytest.mark.parametrize("name, effort, told", THINKING, ids=lambda value: str(value))
def test_efforts(gem, google, name, effort, told):
    model = MODEL if name == "pro" else name
    google.says(model, {})
    assert text_of(ask(gem, model=name, reasoning_effort=effort)) == "Hello there"
    wanted = None if told is None else told | ({} if effort == "none" else {"includeThoughts": True})
    assert google.body(model).get("generationConfig", {}).get("thinkingConfig") == wanted


def test_a_conversation_becomes_turns(gem, google):
    ask(gem, model="pro", messages=[
        {"role": "assistant", "content": "First"}, {"role": "system", "content": "A"}, {"role": "user", "content": "one"},
        {"role": "developer", "content": "B"}, {"role": "user", "content": [{"type": "text", "text": "two"}]},
        {"role": "assistant", "content": ""}, {"role": "user", "content": ""}, {"role": "assistant", "content": "Last"},
    ])  # fmt: skip
    body = google.body(MODEL)
    assert "systemInstruction" not in body
    first, second = ({"text": f"<system-reminder>\n{said}\n</system-reminder>"} for said in "AB")
    assert body["contents"] == [
        user("."), {"role": "model", "parts": [{"text": "First"}]}, {"role": "user", "parts": [first, {"text": "one"}, second, {"text": "two"}]},
        {"role": "model", "parts": [{"text": "."}]}, user("."), {"role": "model", "parts": [{"text": "Last"}]},
    ]  # fmt: skip


def test_gemma_has_no_instructions(gem, google):
    google.says("gemma-3-27b-it", {})
    ask(gem, model="gemma-3-27b-it", messages=[{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}])
    assert google.body("gemma-3-27b-it") == {"contents": [{"role": "user", "parts": [{"text": "Be brief"}, {"text": "Hi"}]}]}


def test_results_of_calls(gem, google):
    def call(id, name, arguments):
        return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}

    ask(gem, model="pro", tools=[TOOL], messages=[
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [
            call("a", "weather", '{"x":1}'), call("b", "1 odd näme", "no json"), call("c", "weather", ""), call("d", "weather", "[1]")]},
        {"role": "tool", "tool_call_id": "d", "content": "four"}, {"role": "tool", "tool_call_id": "a", "content": '{"deg":7}'},
        {"role": "tool", "tool_call_id": "a", "content": "again"}, {"role": "user", "content": "So?"},
        {"role": "assistant", "tool_calls": [call("e", "weather", "{}")]},
    ])  # fmt: skip
    contents = google.body(MODEL)["contents"]
    odd = "_1_odd_n__me"
    calls = [part["functionCall"] for part in contents[1]["parts"]]
    assert calls == [
        {"name": "weather", "args": {"x": 1}}, {"name": odd, "args": {"_raw": "no json"}}, {"name": "weather", "args": {}},
        {"name": "weather", "args": {"_raw": "[1]"}},
    ]  # fmt: skip
    results = [part["functionResponse"] for part in contents[2]["parts"] if "functionResponse" in part]
    assert results == [
        {"name": "weather", "response": {"deg": 7}}, {"name": odd, "response": {"error": "no result"}},
        {"name": "weather", "response": {"error": "no result"}}, {"name": "weather", "response": {"output": "four"}},
    ]  # fmt: skip
    assert contents[2]["parts"][4:] == [{"text": "again"}, {"text": "So?"}]
    assert contents[4]["parts"] == [{"functionResponse": {"name": "weather", "response": {"error": "no result"}}}]
    skipped = [part.get("thoughtSignature") for part in contents[1]["parts"]]
    assert skipped == ["skip_thought_signature_validator", None, None, None]


@pytest.mark.parametrize(
    "choice, told",
    [("auto", None), ("none", {"mode": "NONE"}), ("required", {"mode": "ANY"}),
     ({"type": "function", "function": {"name": "weather"}}, {"mode": "ANY", "allowedFunctionNames": ["weather"]})],
    ids=str,
)  # fmt: skip
def test_tool_choice(gem, google, choice, told):
    google.says(MODEL, {} if choice == "none" else {"calls": CALLS})
    ask(gem, model="pro", tools=[TOOL], tool_choice=choice)
    config = google.body(MODEL).get("toolConfig")
    assert config == (told and {"functionCallingConfig": told})
    assert google.body(MODEL)["tools"] == [
        {"functionDeclarations": [{"name": "weather", "description": "d", "parametersJsonSchema": PARAMETERS}]}
    ]


def test_strict_tools_are_validated(gem, google):
    ask(gem, model="pro", tools=[{"type": "function", "function": {"name": "f", "strict": True, "parameters": {}}}])
    assert google.body(MODEL)["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert google.body(MODEL)["tools"] == [{"functionDeclarations": [{"name": "f"}]}]


def test_formats(gem, google, is_streamed):
    google.says(MODEL, {"text": '{"a":1}'})
    assert either(gem, is_streamed, model="pro", response_format={"type": "json_object"}) == ('{"a":1}', "stop")
    assert google.body(MODEL)["generationConfig"] == {"responseMimeType": "application/json"}


@pytest.mark.parametrize("name", ["gemini-2.5-flash", "gemma-3-27b-it"])
def test_formats_with_tools_are_written_into_the_prompt(gem, google, name):
    google.says(name, {"text": 'So: {"a": 1}'})
    form = {"type": "json_object"}
    assert either(gem, False, model=name, response_format=form, tools=[TOOL]) == ('{"a": 1}', "stop")
    assert "generationConfig" not in google.body(name) and "tools" not in google.body(name)


EARLIER = [
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "7"},
]


def test_formats_with_tools_that_may_not_be_called(gem, google, is_streamed):
    """Earlier calls keep the tools, so the format is requested in the prompt."""
    fields = {"tools": [TOOL], "tool_choice": "none", "response_format": {"type": "json_object"}}
    google.says(MODEL, {"text": '{"a": 1}'})
    google.says("gemini-2.5-flash", {"text": '{"a": 1}'})
    assert either(gem, is_streamed, model="gemini-2.5-flash", **fields) == ('{"a": 1}', "stop")
    body = google.body("gemini-2.5-flash")
    assert not {"tools", "toolConfig"} & set(body) and body["generationConfig"] == {"responseMimeType": "application/json"}
    assert either(gem, is_streamed, model="gemini-2.5-flash", messages=EARLIER, **fields) == ('{"a": 1}', "stop")
    body = google.asked("gemini-2.5-flash")[-1]["body"]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "NONE"}} and "generationConfig" not in body
    assert either(gem, is_streamed, model="pro", **fields) == ('{"a": 1}', "stop")
    assert "tools" in google.body(MODEL) and google.body(MODEL)["generationConfig"] == {"responseMimeType": "application/json"}


def data_url(kind, content):
    return f"data:{kind};base64," + base64.b64encode(content).decode()


PDF = b"%PDF-1.4 tiny"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x00\x00\x00\x00"


def test_pictures_documents_and_sounds(gem, google):
    shown = picture("one")
    parts = [
        {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": data_url("image/png", shown)}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": data_url("application/pdf", PDF)}},
        {"type": "file", "file": {"filename": "a.txt", "file_data": data_url("text/plain", b"plain words")}},
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(WAV).decode(), "format": "wav"}},
    ]  # fmt: skip
    assert text_of(ask(gem, model="pro", messages=[{"role": "user", "content": parts}])) == "Hello there"
    seen = google.body(MODEL)["contents"][0]["parts"]
    assert seen[0] == {"text": "x"}
    assert [(part["inlineData"]["mimeType"], base64.b64decode(part["inlineData"]["data"])) for part in seen[1:]] == [
        ("image/png", shown), ("application/pdf", PDF), ("text/plain", b"plain words"), ("audio/wav", WAV),
    ]  # fmt: skip


def test_pictures_of_others_than_the_user(gem, google):
    shown = picture("one")
    image = {"type": "image_url", "image_url": {"url": data_url("image/png", shown)}}
    ask(gem, model="pro", messages=[
        {"role": "system", "content": [{"type": "text", "text": "Be brief"}, image]}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "Here"}, image]}, {"role": "user", "content": "And?"},
    ])  # fmt: skip
    body = google.body(MODEL)
    sent = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(shown).decode()}}
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief"}]}
    assert [turn["parts"] for turn in body["contents"]] == [[sent, {"text": "Hi"}], [{"text": "Here"}], [sent, {"text": "And?"}]]


@pytest.fixture
def site():
    shown = picture("fetched")

    class Files(Handler):
        def do_GET(self):
            content = {"/a.png": shown, "/a.pdf": PDF}.get(self.path)
            self.send(200 if content else 404, content or b"<html>")

    server = FakeServer(Files)
    yield server.base_url, shown
    server.stop()


OWN = "https://generativelanguage.googleapis.com/v1beta/files/abc-123"


def test_addresses_of_google_go_on(gem, google, site):
    urls = [OWN, google.base_url + "/v1beta/files/x"]
    content = [{"type": "text", "text": "x"}, *({"type": "image_url", "image_url": {"url": url}} for url in [*urls, site[0] + "/a.png"])]
    ask(gem, model="pro", messages=[{"role": "user", "content": content}])
    *files, last = google.body(MODEL)["contents"][0]["parts"][1:]
    assert files == [{"fileData": {"fileUri": url}} for url in urls] and "inlineData" in last


def test_a_caller_with_his_own_key_may_name_a_place_in_the_cloud(start_relay, google, new_key):
    relay = start_relay(**provider("G", "gemini", google.base_url, f"pro={MODEL}", PASSTHROUGH="true"))
    urls = ["gs://bucket/a b.PNG", "gs://bucket/none"]
    content = [{"type": "text", "text": "x"}, *({"type": "image_url", "image_url": {"url": url}} for url in urls)]
    with plain(relay, new_key()) as http:
        google.says(MODEL, {})
        assert ask(http, model="pro", messages=[{"role": "user", "content": content}]).status_code == 200
        files = google.body(MODEL)["contents"][0]["parts"][1:]
        types = [{"mimeType": "image/png"}, {"mimeType": "image/jpeg"}]
        assert files == [{"fileData": {"fileUri": url} | kind} for url, kind in zip(urls, types, strict=True)]
        google.says(MODEL, {})
        source = {"type": "url", "url": "gs://bucket/a.pdf"}
        body = {"model": "pro", "max_tokens": 50, "messages": [{"role": "user", "content": [{"type": "document", "source": source}]}]}
        assert http.post("/v1/messages", json=body).status_code == 200
        (part,) = google.body(MODEL)["contents"][0]["parts"]
        assert part == {"fileData": {"fileUri": "gs://bucket/a.pdf", "mimeType": "application/pdf"}}


def test_nobody_else_reads_googles_cloud(launch, anthropic_server):
    relay = launch(
        **provider("A", "anthropic", anthropic_server.base_url, "claude", API_KEY="key-of-a-claude"), PROVIDER_E_KIND="echo",
        **provider("O", "openai", anthropic_server.base_url, "other"), KEY_TEAM_TOKEN=TEAM_TOKEN, FETCH_IMAGES="http",
    )  # fmt: skip
    content = [{"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}}]
    with plain(relay, TEAM_TOKEN) as http:
        for model in ("claude", "echo", "other"):
            status, error, _ = refusal(http, model=model, messages=[{"role": "user", "content": content}])
            assert (status, error["code"], error["param"]) == (400, "invalid_image_url", "messages[0].content[0].image_url")
    assert anthropic_server.asked("claude") == []


def test_addresses_are_fetched(gem, google, site, is_streamed):
    url, shown = site
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": f"{url}/a.png"}}]
    assert either(gem, is_streamed, model="pro", messages=[{"role": "user", "content": content}])[0] == "Hello there"
    (part,) = google.body(MODEL)["contents"][0]["parts"][1:]
    assert (part["inlineData"]["mimeType"], base64.b64decode(part["inlineData"]["data"])) == ("image/png", shown)
    content[1]["image_url"]["url"] = f"{url}/gone.png"
    answer = ask(gem, model="pro", messages=[{"role": "user", "content": content}])
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "invalid_image_url"


def test_a_picture_in_a_result(anthropics, gem, google):
    shown = base64.b64encode(picture("seen")).decode()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": shown}}
    anthropics.messages.create(
        model="pro", max_tokens=10, tools=[{"name": "look", "input_schema": {"type": "object"}}],
        messages=[
            {"role": "user", "content": "This?"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": [{"type": "text", "text": "dim"}, image]}]},
        ],
    )  # fmt: skip
    assert google.body(MODEL)["contents"][2]["parts"] == [
        {"functionResponse": {"name": "look", "response": {"error": "dim"}}}, {"text": "[Attachments of the result of look, call 1:]"},
        {"inlineData": {"mimeType": "image/png", "data": shown}},
    ]


def test_what_is_not_taken(gem, google):
    for fields, param in [
        ({"file_ids": ["file-1"]}, "file_ids[0]"), ({"logprobs": True}, "logprobs"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"filename": "a.zip", "file_data": data_url("application/zip", b"PK\x03\x04" + bytes(30))}}]}]},
         "messages[0].content[0].file"),
    ]:  # fmt: skip
        answer = ask(gem, model="pro", **fields)
        assert answer.status_code == 400 and answer.json()["error"]["param"].startswith(param), answer.text
    assert google.asked(MODEL) == []


def test_tools_and_thoughts_by_messages(anthropics, gem, google, is_streamed):
    google.says(MODEL, {"reasoning": "Hm.", "calls": CALLS, "text": "Let me look.", "signature": SIGNATURE})
    asked = {"model": "pro", "max_tokens": 2000, "tools": [{"name": "weather", "input_schema": PARAMETERS}], "system": "Be brief.",
             "thinking": {"type": "enabled", "budget_tokens": 1024}}  # fmt: skip
    turns = [{"role": "user", "content": "Weather?"}]
    message = officials.message(anthropics, is_streamed, messages=turns, **asked)
    assert message.stop_reason == "tool_use" and message.usage.output_tokens == 11
    kinds = [block.type for block in message.content]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"] and message.content[0].thinking == "Hm."
    assert [(block.name, block.input) for block in message.content[2:]] == CALLS
    config = google.body(MODEL)["generationConfig"]
    assert config == {"maxOutputTokens": 2000, "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"}}
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "fine"} for block in message.content[2:]]
    turns += [{"role": "assistant", "content": message.model_dump()["content"]}, {"role": "user", "content": results}]
    google.says(MODEL, {"text": "Fine in both."})
    assert anthropics.messages.create(messages=turns, **asked).content[0].text == "Fine in both."
    sent = google.body(MODEL)["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in sent] == [None, SIGNATURE, None], sent


def test_ids_of_the_vendor_go_back(gem, google):
    google.says(MODEL, {"calls": [("weather", {}, {"id": "own-1"})]})
    (call,) = ask(gem, model="pro", tools=[TOOL]).json()["choices"][0]["message"]["tool_calls"]
    assert call["id"] == "own-1"
    ask(gem, model="pro", tools=[TOOL], messages=[
        {"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "own-1", "content": "fine"},
    ])  # fmt: skip
    contents = google.asked(MODEL)[1]["body"]["contents"]
    assert contents[1]["parts"][0]["functionCall"]["id"] == contents[2]["parts"][0]["functionResponse"]["id"] == "own-1"


@pytest.mark.parametrize("api", ["chat", "messages", "responses"])
def test_a_forced_search_needs_no_other_tool(gem, google, api):
    schema = {"type": "object", "properties": {}}
    google.says(MODEL, {"text": "Found."})
    if api == "messages":
        tools = [{"name": "f", "input_schema": schema}, {"type": "web_search_20250305", "name": "web_search"}]
        fields = {"max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}], "tools": tools, "tool_choice": {"type": "tool", "name": "web_search"}}
    elif api == "chat":
        tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}, {"type": "web_search"}]
        fields = {"messages": [{"role": "user", "content": "Hi"}], "tools": tools, "tool_choice": {"type": "web_search"}}
    else:
        tools = [{"type": "function", "name": "f", "parameters": schema}, {"type": "web_search"}]
        fields = {"input": "Hi", "tools": tools, "tool_choice": {"type": "web_search"}}
    path = "/v1/chat/completions" if api == "chat" else f"/v1/{api}"
    answer = gem.post(path, json={"model": "pro"} | fields)
    assert answer.status_code == 200, answer.text
    assert google.body(MODEL)["tools"] == [{"googleSearch": {}}] and "toolConfig" not in google.body(MODEL)
    google.says(MODEL, {"text": "Said."})
    assert gem.post(path, json={"model": "pro"} | fields | {"tool_choice": {"type": "auto"} if api == "messages" else "auto"}).status_code == 200
    assert "functionDeclarations" in google.body(MODEL)["tools"][0]


def test_signatures_of_texts_go_over_turns(anthropics, gem, google, is_streamed):
    own = SIGNATURE + ("c3RyZWFt" if is_streamed else "d2hvbGUx")
    google.says(MODEL, {"reasoning": "Hm.", "text": "So.", "signature": own})
    turns = [{"role": "user", "content": "Hi"}]
    asked = {"model": "pro", "max_tokens": 99}
    message = officials.message(anthropics, is_streamed, messages=turns, **asked)
    # A stream cannot end with a thought, so the relay remembers the signature for the text.
    assert (f"gemini.{own}" in [getattr(block, "signature", None) for block in message.content]) is not is_streamed
    assert message.content[-1].type == "text"
    google.says(MODEL, {})
    other = {"type": "thinking", "thinking": "Of another vendor.", "signature": "another"}
    turns += [{"role": "assistant", "content": message.model_dump()["content"]}, {"role": "user", "content": "More"},
              {"role": "assistant", "content": [other, {"type": "text", "text": "Yes."}]}, {"role": "user", "content": "More"}]  # fmt: skip
    anthropics.messages.create(messages=turns, **asked)
    contents = google.body(MODEL)["contents"]
    assert contents[1]["parts"] == [{"text": "So.", "thoughtSignature": own}]
    assert contents[3]["parts"] == [{"text": "Yes."}]


def test_calls_between_texts_keep_their_places(anthropics, gem, google):
    google.says(MODEL, {})
    content = []
    for number in (1, 2):
        content += [{"type": "text", "text": f"Text {number}."}, {"type": "tool_use", "id": f"toolu_{number}", "name": "weather", "input": {"n": number}}]
    results = [{"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "fine"} for number in (1, 2)]
    tool = {"name": "weather", "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}, {"role": "user", "content": results}]
    anthropics.messages.create(model="pro", max_tokens=99, tools=[tool], messages=turns)
    parts = google.body(MODEL)["contents"][1]["parts"]
    assert [part.get("text") or part["functionCall"]["args"] for part in parts] == ["Text 1.", {"n": 1}, "Text 2.", {"n": 2}]


USAGE = {"promptTokenCount": 20.0, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 7, "thoughtsTokenCount": 30,
         "cachedContentTokenCount": 12, "totalTokenCount": 62}  # fmt: skip


def test_usage(gem, google):
    google.says(MODEL, {"usage": USAGE})
    whole = ask(gem, model="pro").json()["usage"]
    streamed = stream(gem, model="pro", stream_options={"include_usage": True}).usage()
    for usage in (whole, streamed):
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (25, 37, 62)
        assert usage["prompt_tokens_details"]["cached_tokens"] == 12
        assert usage["completion_tokens_details"]["reasoning_tokens"] == 30


def test_pictures_of_the_model(gem, google):
    parts = [{"text": "Here:"}, {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}, {"executableCode": {"code": "x"}},
             {"inlineData": {"mimeType": "image/png", "data": "REVG"}}]  # fmt: skip
    told = gemini_vendor.GeminiWire.answer(parts, "STOP", {})
    google.says(MODEL, {"json": told})
    wanted = "Here:![Image 1](data:image/png;base64,QUJD)\n![Image 2](data:image/png;base64,REVG)"
    assert text_of(ask(gem, model="pro")) == wanted
    google.says(MODEL, {"events": [told]})
    assert stream(gem, model="pro").text() == wanted


MEGABYTE = 1_048_576


def drawn(bytes):
    """Returns an event with an image of so many bytes as text."""
    return gemini_vendor.GeminiWire.answer([{"inlineData": {"mimeType": "image/png", "data": "QUJD" * (bytes // 4)}}], None, {})


def ending():
    return gemini_vendor.GeminiWire.answer([{"text": "!"}], "STOP", {})


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("comes_first", [False, True])
def test_long_events_with_pictures(gem, google, comes_first, line_end):
    begin = [] if comes_first else [gemini_vendor.GeminiWire.answer([{"text": "Here: "}], None, {})]
    google.says(MODEL, {"events": [*begin, drawn(5 * MEGABYTE), drawn(15 * MEGABYTE), ending()], "line_end": line_end})
    one, other = ("QUJD" * (megabytes * MEGABYTE // 4) for megabytes in (5, 15))
    wanted = f"![Image 1](data:image/png;base64,{one})\n![Image 2](data:image/png;base64,{other})!"
    got = stream(gem, model="pro")
    assert got.error is None and got.is_done and got.text() == ("" if comes_first else "Here: ") + wanted


def test_a_picture_in_a_streamed_response(gem, google):
    google.says(MODEL, {"events": [drawn(3 * MEGABYTE), ending()]})
    seen = responding.events(gem.post("/v1/responses", json={"model": "pro", "input": "Hi", "stream": True}))
    wanted = "![Image 1](data:image/png;base64," + "QUJD" * (3 * MEGABYTE // 4) + ")!"
    assert seen[-1]["type"] == "response.completed" and responding.text_of(seen[-1]["response"]) == wanted
    assert "".join(event["delta"] for event in seen if event["type"] == "response.output_text.delta") == wanted


def test_a_streamed_response_has_a_bound(google_relay, google):
    call = gemini_vendor.GeminiWire.answer([{"functionCall": {"name": "weather", "args": {}}}], None, {})
    long = drawn(15 * MEGABYTE)
    google.says(MODEL, {"events": [long, drawn(4 * MEGABYTE), call, ending()]}, {"events": [long, long, long, ending()]})
    tool = {"type": "function", "name": "weather", "parameters": PARAMETERS}
    asked = {"model": "pro", "input": "Hi", "stream": True, "tools": [tool]}
    headers = {"Authorization": f"Bearer {TEAM_TOKEN}"}
    whole, cut = (
        # Without checks of each event, which take long.
        responding.events(local_http.post(f"{google_relay.v1}/responses", json=asked, headers=headers, timeout=30))[-1]
        for _ in range(2)
    )
    assert whole["type"] == "response.completed"
    assert [item["type"] for item in whole["response"]["output"]] == ["message", "function_call", "message"]
    assert (cut["type"], cut["response"]["error"]["code"]) == ("response.failed", "server_error")


@pytest.mark.parametrize("comes_first", [False, True])
def test_an_event_that_is_too_long(gem, google, comes_first):
    begin = [] if comes_first else [gemini_vendor.GeminiWire.answer([{"text": "Here: "}], None, {})]
    google.says(MODEL, {"events": [*begin, drawn(17 * MEGABYTE), ending()]})
    got = stream(gem, model="pro")
    assert got.status == (502 if comes_first else 200) and not got.is_done
    assert (got.error["code"], got.text()) == ("upstream_error", "" if comes_first else "Here: ")


def test_long_events_take_memory(start_relay, google, caller):
    relay = start_relay(**provider("GEM", "gemini", google.base_url, MODEL, API_KEY=VENDOR_KEY), KEY_TEAM_TOKEN=TEAM_TOKEN, MEMORY_MB="32")
    http = caller(relay, TEAM_TOKEN)
    google.says(MODEL, {"events": [drawn(6 * MEGABYTE), ending()]}, {"events": [drawn(3 * MEGABYTE), ending()]}, {})
    got = stream(http, model=MODEL)
    assert (got.status, got.error["code"]) == (503, "overloaded"), got.error
    assert len(stream(http, model=MODEL).text()) > 3 * MEGABYTE
    assert stream(http, model=MODEL).text() == "Hello there"


def test_the_callers_key(start_relay, google, caller, new_key):
    relay = start_relay(**provider("OWN", "gemini", google.base_url, "gemini-3-own", HEADERS="X-Title: T"))
    key = new_key()
    google.says("gemini-3-own", {"own_headers": ["x-title"]})
    http = caller(relay, key)
    assert text_of(ask(http, model="gemini-3-own")) == "Hello there"
    (seen,) = google.asked("gemini-3-own")
    assert seen["headers"]["x-goog-api-key"] == key and seen["headers"]["x-title"] == "T"
    google.says("gemini-3-own", {"status": 400, "json": gemini_vendor.BAD_KEY, "own_headers": ["x-title"]})
    answer = ask(http, model="gemini-3-own")
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
    bad = new_key("bad")
    models = [local_http.get(f"{relay.v1}/models", headers={"Authorization": f"Bearer {one}"}) for one in (key, bad)]
    assert [answer.status_code for answer in models] == [200, 401]
    assert google.take_violations() == []


@pytest.fixture(scope="module")
def beside_another_kind(launch, google, server):
    """A relay whose models `shared` and `spoken` are Gemini's first, and then an OpenAI-compatible server's."""
    return launch(
        ANONYMOUS_MODELS="all", PROVIDERS="gem,row",
        **provider("GEM", "gemini", google.base_url, "shared=gemini-3-shared,spoken=gemini-3-spoken,alone=gemini-3-spoken", API_KEY=VENDOR_KEY),
        **provider("ROW", "openai", server.base_url, "shared=shared/row,spoken=spoken/row", PRIORITY=2, API_KEY=VENDOR_KEY),
    )  # fmt: skip


def test_only_its_vendor_knows_a_spoken_answer(beside_another_kind, google, server, caller, is_streamed):
    http = caller(beside_another_kind)
    google.says("gemini-3-spoken", {})
    server.says("spoken/row", {"extra": True})
    said = {"role": "assistant", "audio": {"id": "audio_1"}}
    messages = [{"role": "user", "content": "Say a number"}, said, {"role": "user", "content": "Which?"}]
    status, error, _ = refusal(http, is_streamed, model="alone", messages=messages)
    assert (status, error["code"], error["param"]) == (400, "unsupported_parameter", "messages")
    assert either(http, is_streamed, model="spoken", messages=messages) == ("Hello there", "stop")
    assert server.body("spoken/row")["messages"] == messages and not google.asked("gemini-3-spoken")
    for words in ({"audio": {"id": "audio_1", "transcript": "Seven"}}, {"content": "Seven"}):
        told = [messages[0], said | words, messages[2]]
        assert either(http, is_streamed, model="alone", messages=told) == ("Hello there", "stop")
        turns = google.asked("gemini-3-spoken")[-1]["body"]["contents"]
        assert turns[1] == {"role": "model", "parts": [{"text": "Seven"}]}
    assert server.take_violations() == google.take_violations() == []
