"""POST /generate: one prompt, served by the cheapest provider that can."""

import json

import conftest
import pytest

TOKEN = "token-of-the-generate-tests-1"
LIMITED = "token-of-the-generate-tests-2"
FAILED = {"status": 500, "json": {"error": {"message": "no"}}}
MISSING = {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": {}}]}
MODELS = ("dear/1", "cheap/1", "cheap/2", "last/1", "off/1")


@pytest.fixture(scope="module")
def settings(server):
    conftest.secrets.update((TOKEN, LIMITED))
    providers = {
        "DEAR": {"MODELS": "fine=dear/1", "COST": "0.002"},
        "CHEAP": {"MODELS": "other=cheap/2,quick=cheap/1", "COST": "0.001/0.002", "GENERATE_MODEL": "quick"},
        "LAST": {"MODELS": "late=last/1", "PRIORITY": "2"},
        "OFF": {"MODELS": "silent=off/1", "GENERATE": "false"},
    }
    return {
        f"PROVIDER_{name}_{field}": value
        for name, fields in providers.items()
        for field, value in ({"KIND": "openai", "BASE_URL": server.base_url} | fields).items()
    } | {"KEY_TEAM_TOKEN": TOKEN, "KEY_LITTLE_TOKEN": LIMITED, "KEY_LITTLE_MODELS": "late",
         "KEY_LITTLE_RATE_LIMIT": "2/hour"}  # fmt: skip


@pytest.fixture(scope="module")
def generating(launch, settings):
    return launch(**settings)


@pytest.fixture
def http(generating, server, caller):
    for model in MODELS:
        server.says(model, {"text": f"by {model}"})
    yield caller(generating, TOKEN)
    assert server.take_violations() == []


def generate(http, prompt="Explain quantum computing", **fields):
    return http.post("/generate", json={"prompt": prompt} | fields)


def test_the_cheapest_of_the_first_priority_answers(http, server):
    server.says("cheap/1", {"text": "Quantum computing is"})
    answer = generate(http, max_tokens=77, temperature=0.5)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"modelUsed": "cheap/1", "tokens": 17, "cost": 0.000025, "response": "Quantum computing is"}
    assert list(answer.json()) == ["modelUsed", "tokens", "cost", "response"]
    body = server.body("cheap/1")
    assert body["messages"] == [{"role": "user", "content": "Explain quantum computing"}]
    assert body["temperature"] == 0.5 and 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))
    assert answer.headers["x-relay-provider"] == "cheap"


def test_without_a_price_there_is_no_cost(http):
    answer = generate(http, model="late")
    assert answer.json() == {"modelUsed": "last/1", "tokens": 17, "response": "by last/1"}
    assert "x-relay-cost" not in answer.headers


def test_others_follow_by_cost_and_then_by_priority(http, server):
    server.says("cheap/1", FAILED)
    assert generate(http).json()["modelUsed"] == "dear/1"
    server.says("dear/1", FAILED)
    assert generate(http).json()["modelUsed"] == "last/1"
    server.says("last/1", FAILED)
    answer = generate(http)
    assert answer.status_code == 503
    said = "cheap: 500 failed; dear: 500 failed; last: 500 failed"
    assert answer.json() == {"detail": f"All providers failed: {said}"}


def test_a_model_may_be_named(http, server):
    assert generate(http, model="silent").json()["modelUsed"] == "off/1"
    assert generate(http, model="other").json()["modelUsed"] == "cheap/2"
    answer = generate(http, model="unknown-model")
    assert answer.status_code == 404
    assert answer.json() == {"detail": "The model `unknown-model` does not exist or you do not have access to it."}
    server.says("off/1", FAILED)
    answer = generate(http, model="silent")
    assert answer.status_code == 503 and set(answer.json()) == {"detail"}


def test_the_body_may_be_a_string_with_json_in_it(http):
    answer = http.post("/generate", json=json.dumps({"prompt": "Hi", "model": "late"}))
    assert answer.status_code == 200 and answer.json()["modelUsed"] == "last/1"
    again = json.dumps(json.dumps({"prompt": "Hi"}))
    assert http.post("/generate", json=again).json() == MISSING


@pytest.mark.parametrize("body", [[], 5, {}, {"prompt": None}, "[]", '{"x": 1}'])
def test_what_has_no_prompt_is_refused_as_fastapi_does(http, body):
    answer = http.post("/generate", json=body)
    assert answer.status_code == 422 and answer.json() == MISSING


def test_other_faults_of_the_body_name_their_place(http):
    for prompt, message in [(5, "expected a string"), ("", "must not be empty")]:
        answer = generate(http, prompt)
        assert answer.status_code == 422
        (detail,) = answer.json()["detail"]
        assert detail["loc"] == ["body", "prompt"] and detail["type"] == "value_error" and message in detail["msg"]
    answer = generate(http, max_tokens=0)
    assert answer.status_code == 422
    (detail,) = answer.json()["detail"]
    assert detail["loc"] == ["body", "max_tokens"] and detail["type"] == "value_error"
    for content in (b"{", b'"{"'):
        answer = http.post("/generate", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422 and answer.json()["detail"][0]["type"] == "json_invalid"


def test_rights_and_limits_are_those_of_chat(generating, http, caller):
    for headers in ({}, {"Authorization": "Bearer wrong-key-of-nobody"}):
        answer = caller(generating).post("/generate", json={"prompt": "Hi"}, headers=headers)
        assert answer.status_code == 401 and isinstance(answer.json()["detail"], str)
    little = caller(generating, LIMITED)
    assert generate(little).json()["modelUsed"] == "last/1"
    assert generate(little, model="fine").status_code == 404
    assert generate(little).status_code == 200
    answer = generate(little)
    assert answer.status_code == 429 and isinstance(answer.json()["detail"], str) and "retry-after" in answer.headers


def test_a_key_without_a_model_for_it_is_refused(start_relay, settings, caller):
    http = caller(start_relay(**settings | {"KEY_TEAM_MODELS": "silent"}), TOKEN)
    answer = generate(http)
    assert answer.status_code == 403 and "Name one of yours." in answer.json()["detail"]
    assert generate(http, model="silent").status_code == 200


def test_the_price_of_the_dearest_is_reserved(start_relay, settings, server, caller):
    """The cheapest provider is called first, but another may have to serve the call."""
    http = caller(start_relay(**settings | {"PROVIDER_DEAR_COST": "1", "KEY_TEAM_RATE_LIMIT": "0.0005 usd/hour"}), TOKEN)
    answer = generate(http, max_tokens=1000)
    assert answer.status_code == 429 and "usd" in answer.json()["detail"], answer.text
    http = caller(start_relay(**settings | {"PROVIDER_DEAR_COST": "1", "KEY_TEAM_RATE_LIMIT": "0.5 usd/hour"}), TOKEN)
    assert generate(http, max_tokens=1000).json()["modelUsed"] == "cheap/1"
    assert server.take_violations() == []


def test_it_stands_at_its_own_path_only(http):
    assert http.post("/v1/generate", json={"prompt": "Hi"}).status_code == 404
    assert http.get("/generate").status_code == 405


def test_one_model_may_serve_all_that_name_none(start_relay, settings, server, caller):
    server.says("off/1", {"text": "by off"})
    http = caller(start_relay(**settings, GENERATE_MODEL="silent"), TOKEN)
    assert generate(http).json()["modelUsed"] == "off/1"
    server.take_violations()


def test_a_prompt_that_is_too_long_names_its_place(start_relay, settings, caller):
    http = caller(start_relay(**settings, PROVIDER_CHEAP_MODEL_INFO="quick=context:20"), TOKEN)
    answer = generate(http, "word " * 100, model="quick")
    assert answer.status_code == 422 and answer.json()["detail"][0]["loc"] == ["body", "prompt"], answer.text


def test_a_panel_may_be_named(start_relay, settings, server, caller):
    for model in MODELS:
        server.says(model, {"text": f"by {model}"})
    more = {"PANEL_MIX_MODELS": "fine,quick", "PANEL_MIX_SUMMARY_MODEL": "late"}
    answer = generate(caller(start_relay(**settings, **more), TOKEN), model="mix").json()
    assert answer["modelUsed"] == "last/1" and answer["response"] == "by last/1"
    assert "cost" not in answer, "the summary's model has no price"
    server.take_violations()
