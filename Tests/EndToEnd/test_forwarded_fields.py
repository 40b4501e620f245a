"""Fields of forwarded requests that a server may read differently than the relay does."""

import pytest
from limited import client as plain
from relay_process import provider
from test_openai_endpoints import MODEL, PNG

DISGUISED = ["Model", "MODEL", "N", "MaX_tokens", "max_to\u212aens", "u\u017fer", "Input", "Prompt", "Web_Search", "User", "\u017ftream"]
OTHERS = ["Odd", "\u017fodd", "nN", "mode"]
"""Names that no field of OpenAI's or the relay's is taken for."""


@pytest.mark.parametrize("path", ["embeddings", "images/generations", "audio/speech", "chat/completions"])
def test_fields_in_capitals_stay_here(team, server, path):
    server.says(MODEL, {"extra": True})
    fields = {"embeddings": {"input": "x"}, "images/generations": {"prompt": "x"}, "audio/speech": {"input": "x", "voice": "v"}}
    own = {"model": "fast"} | fields.get(path, {"messages": [{"role": "user", "content": "x"}]})
    for more in ({}, {"web_search": False}, {"new_input": "x"}):
        server.says(MODEL, {"extra": True})
        answer = team.post(f"/v1/{path}", json=own | more | dict.fromkeys(DISGUISED, 7) | dict.fromkeys(OTHERS, 7))
        assert answer.status_code == 200, answer.text
        seen = set(server.body(MODEL))
        assert set(OTHERS) <= seen and seen - set(OTHERS) == set(own), seen


def test_the_usage_of_a_stream_cannot_be_turned_off_in_capitals(team, server):
    server.says(MODEL, {"extra": True})
    asked = {"model": "fast", "messages": [{"role": "user", "content": "x"}], "stream": True}
    team.post("/v1/chat/completions", json=asked | {"stream_options": {"Include_Usage": False}, "Stream_Options": {}})
    assert server.body(MODEL)["stream_options"] == {"include_usage": True}


def test_form_fields_in_other_forms(team, server):
    server.says(MODEL, {"extra": True})
    picture = ("image", ("a.png", PNG, "image/png"))
    fields = [(name, (None, "7")) for name in [*DISGUISED[:4], "model[]", "Model[0]", "File_IDs[]", *OTHERS[::2]]]
    own = [("model", (None, "fast", "text/plain; charset=utf-16")), ("prompt", (None, "x")), ("n", (None, "2", "application/json"))]
    answer = team.post("/v1/images/edits", files=[*fields, *own, picture])
    assert answer.status_code == 200, answer.text
    assert set(server.body(MODEL)) == {"model", "prompt", "n", "image", *OTHERS[::2]}
    assert server.body(MODEL)["model"] == MODEL and server.body(MODEL)["n"] == "2"
    assert server.asked(MODEL)[0]["raw"].count(b"Content-Type") == 1


@pytest.mark.parametrize("size", [100, 2_000_000])
@pytest.mark.parametrize("name", ["model", "n", "n[]", "stream", "response_format", "user"])
def test_a_value_that_is_sent_as_a_file(team, server, name, size):
    server.says(MODEL, {})
    parts = [("model", (None, "fast")), ("prompt", (None, "x")), ("file", ("a.wav", bytes(size), "audio/wav")), (name, ("x", b"7"))]
    answer = team.post("/v1/audio/transcriptions", files=parts)
    assert answer.status_code == 400 and name.removesuffix("[]") in answer.json()["error"]["message"]
    if size < 1000:
        answer = team.post("/v1/images/edits", files=[*parts[:2], ("image", ("a.png", PNG, "image/png")), parts[3]])
        assert answer.status_code == 400 and server.asked(MODEL) == []
    server.take_violations()


OWN = ["mine=at/mine", "other=at/other", "secret=at/secret"]
FORMS = {"/v1/images/edits": ("image", ("a.png", PNG, "image/png")), "/v1/audio/transcriptions": ("file", ("a.wav", bytes(100), "audio/wav"))}


@pytest.fixture(scope="module")
def choosing(launch, server):
    """Sends a form with one more field as a caller that may use two of three models. Returns the response and what the server
    got in this field."""
    token = "token-of-models-in-forms"
    relay = launch(**provider("ROW", "openai", server.base_url, ",".join(OWN)), KEY_A_TOKEN=token, KEY_A_MODELS="mine,other")
    http = plain(relay, token)

    def sent(path, name, value):
        server.says("at/mine", {"extra": True})
        before = len(server.asked("at/mine"))
        answer = http.post(path, files=[("model", (None, "mine")), ("prompt", (None, "x")), (name, (None, value)), FORMS[path]])
        seen = server.asked("at/mine")[before:]
        server.take_violations()
        return answer, [bytes(seen[0]["raw"]).split(f'name="{name}"\r\n\r\n'.encode())[1].split(b"\r\n")[0].decode()] if seen else []

    yield sent
    http.close()


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("name", ["svg[model]", "svg[author_model]", "plugins[0][model]", "a[b_model]", "svg[models][]", "svg[Model]"])
def test_other_models_in_a_form_are_the_callers_and_get_the_servers_names(choosing, path, name):
    for model in ("other", "at/other"):
        answer, seen = choosing(path, name, model)
        assert (answer.status_code, seen) == (200, ["at/other"]), answer.text
    for model in ("secret", "at/secret", "unknown", "", "x" * 500):
        answer, seen = choosing(path, name, model)
        assert (answer.status_code, answer.json()["error"]["code"], seen) == (404, "model_not_found", [])


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("name", ["x_model", "svg_model", "author-model", "fallback", "fallback_models", "my_fallbacks", "svg.model", "x_model[a]"])
def test_fields_of_a_form_that_choose_models_stay_here(choosing, path, name):
    answer, seen = choosing(path, name, "other")
    assert (answer.status_code, answer.json()["error"]["code"], seen) == (400, "unsupported_parameter", []), answer.text
