"""`:online` at the end of a model's name: a web search."""

import json

import pytest
from chat import CHAT_PATH, ask
from memcached import wait_for
from test_onemin_today import SURFACES, request

NAME = "gpt-4o-mini:online"
USUAL = {"webSearch": True, "numOfSite": 3, "maxWord": 500}
TOKEN = "token-of-the-searching-one"


def search(seen):
    return seen["body"]["promptObject"].get("settings", {}).get("webSearchSettings")


@pytest.mark.parametrize("surface", SURFACES)
def test_the_suffix_searches_the_web(http, vendor, api_key, surface, is_streamed):
    vendor.answers(api_key, {"answer": "found", "progress": 2})
    answer = request(http, surface, is_streamed, model=NAME)
    assert answer.text == "found", answer.raw
    assert f'"{NAME}"' in answer.raw, "the answer has the name as it was asked"
    seen = vendor.request(api_key)
    assert seen["body"]["model"] == "gpt-4o-mini" and search(seen) == USUAL


def test_options_win_and_a_refusal_too(http, vendor, api_key):
    ask(http, model=NAME, web_search_options={"search_context_size": "high"})
    ask(http, model=NAME, web_search=False)
    ask(http, model=NAME, web_search=True)
    ask(http, model="gpt-4o-mini")
    found = [search(seen) for seen in vendor.requests(api_key, CHAT_PATH)]
    assert found == [USUAL | {"numOfSite": 5}, None, USUAL, None]


@pytest.mark.parametrize(
    "name", [":online", "gpt-4o:online:online", "no-such:online", "gpt-image-1:online", "tts-1:online", "gpt-4o:Online", "gpt-4o:onlin"]
)
def test_other_names_with_the_suffix_are_unknown(http, vendor, api_key, name):
    answer = ask(http, model=name)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert http.get(f"/v1/models/{name}").status_code == 404 and vendor.requests(api_key, CHAT_PATH) == []


def test_code_models_have_no_search(http, vendor, api_key):
    error = ask(http, model="qwen3-coder-plus:online")
    assert error.status_code == 400 and ":online" in error.json()["error"]["message"]
    assert error.json()["error"]["param"] == "model" and vendor.requests(api_key) == []


def test_other_endpoints_do_not_search(http, vendor, api_key):
    for path, fields in (
        ("images/generations", {"model": "gpt-image-1:online", "prompt": "a"}),
        ("audio/speech", {"model": "tts-1:online", "input": "a", "voice": "echo"}),
    ):
        assert http.post(f"/v1/{path}", json=fields).status_code == 404
    assert vendor.requests(api_key) == []


def test_a_model_with_the_suffix_is_found_and_not_listed(http):
    listed = [entry["id"] for entry in http.get("/v1/models").json()["data"]]
    assert not [name for name in listed if name.endswith(":online")]
    shown, plain = http.get(f"/v1/models/{NAME}").json(), http.get("/v1/models/gpt-4o-mini").json()
    assert shown == plain | {"id": NAME}


@pytest.fixture
def searching(start_relay, caller, vendor, new_key):
    """`searching(**settings)`: a client of a relay with a provider `a` of 1min.ai; `key` is its key."""

    def made(**settings):
        key = new_key()
        relay = start_relay(PROVIDER_A_KIND="onemin", PROVIDER_A_API_KEY=key, KEY_ANN_TOKEN=TOKEN, **settings)
        http = caller(relay, TOKEN)
        http.relay, http.key = relay, key
        return http

    return made


def test_rights_limits_and_records_see_the_model(searching, vendor, tmp_path):
    records = tmp_path / "records.jsonl"
    http = searching(KEY_ANN_MODELS="gpt-4o-mini", RATE_LIMIT_BY_MODEL="gpt-4o-mini=3/hour", USAGE_LOG_FILE=str(records))
    assert ask(http, model="gpt-4o:online").status_code == 404
    assert [ask(http, model=name).status_code for name in (NAME, "gpt-4o-mini", NAME, NAME)] == [200, 200, 200, 429]
    assert all(search(seen) for seen in vendor.requests(http.key, CHAT_PATH)[::2])
    wait_for(lambda: records.exists() and records.read_text().count('"/v1') + records.read_text().count("chat/completions") >= 5)
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    models = {line["model"] for line in lines if line["status"] == 200}
    assert models == {"gpt-4o-mini"}
    line = http.relay.wait_for_line(lambda line: line.get("model") == "gpt-4o-mini")
    assert "served_by" not in line


@pytest.mark.parametrize("name", ["gpt-4o", "gpt-4o:online"])
def test_a_model_that_really_ends_so_goes_first(searching, vendor, name):
    http = searching(PROVIDER_A_MODELS=f"gpt-4o:online=o3-mini,{name.removesuffix(':online')}")
    assert ask(http, model="gpt-4o:online").status_code == 200
    (seen,) = vendor.requests(http.key, CHAT_PATH)
    assert seen["body"]["model"] == "o3-mini" and search(seen) is None


def test_it_stands_in_settings_where_models_do(searching, vendor):
    http = searching(
        DEFAULT_MODEL="gpt-4o:online", FALLBACK_MODEL=NAME, GENERATE_MODEL=NAME, MODEL_REPLACEMENTS="gone:o3-mini:online,left:gpt-4o",
        PANEL_DUO_MODELS="gpt-4o:online,a/o3-mini:online", PANEL_DUO_SUMMARY_MODEL="gpt-4o-mini",
    )  # fmt: skip

    def asked(**fields):
        before = len(vendor.requests(http.key, CHAT_PATH))
        answer = http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]} | fields)
        assert answer.status_code == 200, answer.text
        return sorted((seen["body"]["model"], bool(search(seen))) for seen in vendor.requests(http.key, CHAT_PATH)[before:])

    assert asked() == [("gpt-4o", True)]
    assert asked(model="nobodys") == [("gpt-4o-mini", True)]
    assert asked(model="gone") == [("o3-mini", True)]
    assert asked(model="left") == [("gpt-4o", False)] and asked(model="left:online") == [("gpt-4o", True)]
    assert asked(model="duo") == [("gpt-4o", True), ("gpt-4o-mini", False), ("o3-mini", True)]
    before = len(vendor.requests(http.key, CHAT_PATH))
    assert http.post("/generate", json={"prompt": "Hi"}).status_code == 200
    assert search(vendor.requests(http.key, CHAT_PATH)[before]) == USUAL


def test_a_panel_has_no_search(searching):
    http = searching(PANEL_DUO_MODELS="gpt-4o,o3-mini", PANEL_DUO_SUMMARY_MODEL="gpt-4o-mini")
    assert ask(http, model="duo").status_code == 200 and ask(http, model="duo:online").status_code == 404


def test_other_vendors_have_no_suffix(team):
    answer = ask(team, model="fast:online")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def test_the_cache_keeps_answers_with_and_without_search_apart(searching, vendor):
    http = searching(CACHE="true")
    vendor.answers(http.key, {"answer": "plain"}, {"answer": "searched"})
    texts = [ask(http, model=name, temperature=0).json()["choices"][0]["message"]["content"] for name in ("gpt-4o-mini", NAME) * 2]
    assert texts == ["plain", "searched"] * 2 and len(vendor.requests(http.key, CHAT_PATH)) == 2


def test_what_a_search_adds_is_reserved(searching, vendor):
    http = searching(RATE_LIMIT_CHAT="1500 tokens/hour")
    vendor.answers(http.key, {"answer": "a"})
    assert ask(http, model=NAME, max_tokens=900).status_code == 429, "3 sites with 500 words are about 2,000 tokens"
    assert ask(http, model="gpt-4o-mini", max_tokens=900).status_code == 200
