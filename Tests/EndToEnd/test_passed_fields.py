"""Fields of forwarded requests: none selects another model, nor requests more than is reserved."""

import json

import pytest
from chat import PATH, body
from conftest import TEAM_TOKEN, VENDOR_KEY, http_of
from limited import client as plain
from relay_process import provider

FIELDS = {
    "models": ["secret"], "route": "fallback", "preset": "other", "fallbacks": [{"model": "secret"}],
    "context_window_fallbacks": [{"m": ["secret"]}], "engine": "secret", "deployment": "secret", "deployment_id": "secret",
    "user_config": {"model_list": []}, "api_base": "http://elsewhere", "base_url": "http://elsewhere",
    "custom_llm_provider": "other", "cached_content": "cachedContents/secret",
    "router_settings_override": {"fallbacks": [{"m": ["secret"]}]}, "model_group_alias": {"m": "secret"}, "deployment_name": "secret",
    "data_sources": [{"type": "azure_search", "parameters": {"index_name": "secret"}}], "vector_store_ids": ["secret"],
}  # fmt: skip


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def escaped(text):
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


def spellings(name):
    """Returns the spellings of a JSON member's name, as they are written between its quotes."""
    return {
        name, name.upper(), name.title(), camel(name), name.replace("_", "-"), escaped(name[0]) + name[1:], name[:-1] + escaped(name[-1]),
        escaped(name.upper()), name.replace("s", "\u017f", 1), name.replace("k", "\u212a", 1), name + "\\u0000", name + "[]",
        "".join(chr(ord(letter) - 0x61 + 0xFF41) if letter != "_" else letter for letter in name),
    }  # fmt: skip


ALL = sorted({(spelling, name) for name in FIELDS for spelling in spellings(name)})
assert len(ALL) >= 90


@pytest.fixture(scope="module")
def relay(launch, server):
    """A relay with `good`, which uses the relay's key, and `own`, which uses the caller's."""
    at = {f"PROVIDER_{name}_BASE_URL": server.base_url for name in ("ROW", "OWN")}
    return launch(
        **at, KEY_TEAM_TOKEN=TEAM_TOKEN, RATE_LIMIT_CHAT="1000000 tokens/hour",
        **provider("ROW", "openai", API_KEY=VENDOR_KEY, MODELS="good=good,emb=emb/1,picture=gpt-image-1,ear=whisper-1"),
        **provider("OWN", "openai", PASSTHROUGH="true", MODELS="own=own"),
    )  # fmt: skip


team = http_of("relay", "server", is_strict=False)


def sent(http, path, fields, *members):
    """Posts an object with some more members, unchanged."""
    text = json.dumps(fields)[:-1] + "".join(f", {member}" for member in members) + "}"
    return http.post(path, content=text.encode(), headers={"content-type": "application/json"})


def refused(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]


MESSAGES = {"model": "good", "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize("is_nested", [False, True], ids=["top", "extra_body"])
def test_no_field_of_a_chat_chooses_another_model(team, server, is_nested):
    server.says("good", {"extra": True})
    for spelling, name in ALL:
        member = f'"{spelling}": {json.dumps(FIELDS[name])}'
        if is_nested:
            member = f'"extra_body": {{"top_k": 5, {member}}}'
        error = refused(sent(team, PATH, body(model="good"), member))
        assert error["code"] == "unsupported_parameter", (spelling, error)
        assert error["param"] == ("extra_body." if is_nested else "") + name
    for member in ['"models": [], "models": ["secret"]', '"extra_body": {"extra_body": {"models": ["secret"]}}', '"extra_body": "models"',
                   '"google": {"cachedContent": "secret"}', '"extra_body": {"google": {"cached_content": "secret"}}']:  # fmt: skip
        refused(sent(team, PATH, body(model="good"), member))
    assert server.asked("good") == []
    # Others pass.
    assert sent(team, PATH, body(model="good"), '"top_k": 5, "modelsx": 1, "extra_body": {"google": {"top_k": 3}}').status_code == 200
    assert server.body("good")["extra_body"] == {"google": {"top_k": 3}}


@pytest.mark.parametrize(
    "path, fields",
    [
        ("/v1/responses", {"model": "good", "input": "Hello", "store": False}), ("/v1/messages", MESSAGES),
        ("/v1/completions", {"model": "good", "prompt": "Hello"}), ("/v1/embeddings", {"model": "emb", "input": "Hello"}),
        ("/v1/images/generations", {"model": "picture", "prompt": "Hello"}),
    ],
)  # fmt: skip
def test_nor_of_other_endpoints(team, server, path, fields):
    """Some endpoints leave out unknown fields."""
    known = {"good": "good", "emb": "emb/1", "picture": "gpt-image-1"}[fields["model"]]
    for spelling, name in ALL:
        server.says(known, {})
        answer = sent(team, path, fields, f'"{spelling}": {json.dumps(FIELDS[name])}')
        if answer.status_code == 400:
            continue
        assert answer.status_code == 200, answer.text
        raw = server.asked(known)[0]["raw"]
        assert b"secret" not in raw and b"elsewhere" not in raw and name.encode() not in raw, raw
    if known != "good":
        for name in FIELDS:
            assert refused(sent(team, path, fields, f'"{name}": "x"'))["param"] == name


def test_nor_of_forms(team, server):
    server.says("whisper-1", {})
    for spelling in ["models", "Models", "models[]", "models[0]", "route", "api_base", "API-Base", "extra_body", "deployment_id"]:
        form = {"model": "ear", spelling: "secret"}
        answer = team.post("/v1/audio/transcriptions", data=form, files={"file": ("a.wav", b"RIFF", "audio/wav")})
        assert refused(answer)["code"] == "unsupported_parameter", answer.text
    answer = team.post("/v1/audio/transcriptions", data={"model": "ear"}, files={"file": ("a.wav", b"RIFF", "audio/wav")})
    assert answer.status_code == 200, answer.text


def test_with_a_key_of_his_own_the_caller_may(relay, server, new_key):
    with plain(relay, new_key()) as http:
        for name, value in FIELDS.items():
            server.says("own", {"extra": True})
            assert sent(http, PATH, body(model="own"), f'"{name}": {json.dumps(value)}').status_code == 200
            assert server.body("own")[name] == value
    server.take_violations()


def test_some_may_be_allowed(start_relay, server):
    relay = start_relay(
        ANONYMOUS_MODELS="all", **provider("OPEN", "openai", server.base_url, "open=open", API_KEY=VENDOR_KEY, ALLOW_FIELDS="models,route"),
    )  # fmt: skip
    with plain(relay) as http:
        for name, value in FIELDS.items():
            server.says("open", {"extra": True})
            answer = sent(http, PATH, body(model="open"), f'"{name}": {json.dumps(value)}')
            assert answer.status_code == (200 if name in ("models", "route") else 400), name
    server.take_violations()


def test_of_two_bounds_the_larger_is_sent(team, server):
    for stream in (False, True):
        for newer, older in [(1, 100_000), (100_000, 1)]:
            server.says("good", {"streams": stream})
            answer = team.post(PATH, json=body(model="good", max_completion_tokens=newer, max_tokens=older, stream=stream))
            assert answer.status_code == 200, answer.text
            asked = server.body("good")
            assert asked["max_tokens"] == 100_000 and "max_completion_tokens" not in asked
    server.says("good", {})
    assert team.post(PATH, json=body(model="good", max_completion_tokens=5)).status_code == 200
    assert server.body("good")["max_completion_tokens"] == 5


def test_more_choices_are_not_asked_for_by_other_names(team, server):
    for spelling in ("best_of", "num_choices", "bestOf", "Best_Of", "num-choices", "\\u0062est_of"):
        server.says("good", {"extra": True})
        for value in ("9", "3", "1.5", '"2"', "1e3", "-1e9", "[2]", "2000"):
            for member in (f'"{spelling}": {value}', f'"extra_body": {{"{spelling}": {value}}}'):
                assert refused(sent(team, PATH, body(model="good", n=2), member))["code"] == "unsupported_parameter", member
        assert server.asked("good") == []
    for value in ("null", "0", "1"):
        server.says("good", {"extra": True, "nulls": True})
        assert sent(team, PATH, body(model="good"), f'"best_of": {value}').status_code == 200


CLOUD = {"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}}


def test_a_place_in_the_cloud_is_not_read_with_the_operators_account(start_relay, google, new_key):
    relay = start_relay(
        KEY_TEAM_TOKEN=TEAM_TOKEN, **provider("G", "gemini", google.base_url, "g=gemini-2.5-flash", API_KEY=VENDOR_KEY),
        **provider("P", "gemini", google.base_url, "p=gemini-2.5-pro", PASSTHROUGH="true"),
    )  # fmt: skip
    messages = [{"role": "user", "content": [CLOUD]}]
    with plain(relay, TEAM_TOKEN) as http:
        error = refused(http.post(PATH, json=body(model="g", messages=messages)))
        assert error["param"] == "messages[0].content[0].image_url.url" or "messages" in error["param"]
        source = {"type": "document", "source": {"type": "url", "url": "gs://bucket/a.pdf"}}
        answer = http.post("/v1/messages", json=MESSAGES | {"model": "g", "messages": [{"role": "user", "content": [source]}]})
        assert answer.status_code == 400, answer.text
        part = {"type": "input_image", "image_url": "gs://bucket/a.png"}
        answer = http.post("/v1/responses", json={"model": "g", "input": [{"role": "user", "content": [part]}], "store": False})
        assert answer.status_code == 400, answer.text
    with plain(relay, new_key()) as http:
        assert http.post(PATH, json=body(model="p", messages=messages)).status_code == 200


def test_names_of_fields_add_no_lines_to_the_head(start_relay, google):
    """Without a provider of OpenAI's kind, a chat is read from the decoded names."""
    relay = start_relay(KEY_TEAM_TOKEN=TEAM_TOKEN, **provider("G", "gemini", google.base_url, "g=gemini-2.5-flash", API_KEY=VENDOR_KEY))
    names = ["a\r\nX-Evil: 1", "b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "c\0", "d\x7f", "e" * 65, "\u00e4", "min_p", "f,g"]
    with plain(relay, TEAM_TOKEN) as http:
        answer = http.post(PATH, json=body(model="g") | dict.fromkeys(names, 1))
    assert answer.status_code == 200 and answer.headers["x-relay-ignored"] == "min_p, f,g" and "x-evil" not in answer.headers
