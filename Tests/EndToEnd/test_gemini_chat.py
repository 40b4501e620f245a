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


def test_formats(gem, google, is_streamed):
    google.says(MODEL, {"text": '{"a":1}'})
    assert either(gem, is_streamed, model="pro", response_format={"type": "json_object"}) == ('{"a":1}', "stop")
    assert google.body(MODEL)["generationConfig"] == {"responseMimeType": "application/json"}


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
