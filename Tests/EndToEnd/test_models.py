"""GET /v1/models and /v1/models/{id}."""

from urllib.parse import quote

import pytest
from chat import CHAT_PATH, ask
from onemin_rules import CATALOGUE

CHAT = {name for name, model in CATALOGUE.items() if {"chat", "code"} & set(model["features"])}
SERVED = {"chat", "code", "image", "image_edit", "image_inpaint", "image_variation", "text_to_speech", "speech_to_text"}
NEVER = {name for name, model in CATALOGUE.items() if not SERVED & set(model["features"])}


@pytest.fixture
def keyless(http):
    del http.headers["Authorization"]
    return http


@pytest.fixture
def listed(http):
    answer = http.get("/v1/models")
    assert answer.status_code == 200
    return answer.json()["data"]


SHORT_NAMES = {
    "6b645e3a-d64f-4341-a6d8-7a3690fbf042": "phoenix", "b24e16ff-06e3-43eb-8d33-4416c2d75876": "lightning-xl",
    "e71a1c2f-4f80-4800-934f-2c68979d8cc8": "anime-xl", "1e60896f-3c26-4296-8ecc-53e2afecc132": "diffusion-xl",
    "aa77f04e-3eec-4034-9c07-d0f619684628": "kino-xl", "5c232a9e-9061-4777-980a-ddc8e65647c6": "vision-xl",
    "2067ae52-33fd-4a82-bb92-c2c55e7d2786": "albedo-base-xl",
}  # fmt: skip


def shown(name):
    """Returns the model's name in the list, which has short names in place of UUIDs."""
    return SHORT_NAMES.get(name, name)


def test_the_list(listed):
    ids = [model["id"] for model in listed]
    assert len(set(ids)) == len(ids)
    assert CHAT <= set(ids) <= {shown(name) for name in set(CATALOGUE) - NEVER}
    assert set(SHORT_NAMES.values()) <= set(ids)
    assert ids[:3] == ["gpt-4o-mini", "gpt-4o", "o3-mini"]
    assert {(model["object"], model["created"], model["owned_by"]) for model in listed} == {("model", 1727389042, "1minai")}


def test_the_list_for_the_official_client(client):
    assert "gpt-4o" in [model.id for model in client.models.list()]
    assert client.models.retrieve("meta/llama-4-scout-instruct").id == "meta/llama-4-scout-instruct"


@pytest.mark.parametrize("path", ["/models", "/v1/models/", "/v1//models", "/v1/models?limit=5"])
def test_other_ways_to_the_list(http, listed, path):
    assert http.get(path).json()["data"] == listed


def test_the_list_for_codex(http, listed):
    """Entries of `models` would replace Codex's own prompts, and without the list it complains."""
    answer = http.get("/v1/models", params={"client_version": "0.150.0"})
    assert answer.json() == {"object": "list", "data": listed, "models": []}
    assert "models" not in http.get("/v1/models").json()


KINDS = {
    "chat": {"chat", "code"}, "image": {"image", "image_edit", "image_inpaint", "image_variation"},
    "speech": {"text_to_speech"}, "transcription": {"speech_to_text"},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_list_of_one_kind(http, listed, kind):
    """A model that does several things is in several lists."""
    able = {shown(name) for name, model in CATALOGUE.items() if KINDS[kind] & set(model["features"])}
    answer = http.get("/v1/models", params={"type": kind})
    assert answer.json()["object"] == "list" and len(answer.json()["data"]) > 1
    assert answer.json()["data"] == [model for model in listed if model["id"] in able]
    assert http.get(f"/v1/models/gpt-4o?type={kind}").status_code == 200


@pytest.mark.parametrize("kind", ["", "Chat", "embedding", "chat,image", "chat%00"])
def test_an_unknown_kind(http, kind):
    answer = http.get("/v1/models", params={"type": kind})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", "type")


def test_each_listed_model_is_found(http, listed):
    for model in listed:
        for name in {model["id"], quote(model["id"], safe="")}:
            answer = http.get(f"/v1/models/{name}")
            assert answer.status_code == 200, name
            assert answer.json() == model
    assert http.get("/models/gpt-4o").json()["id"] == "gpt-4o"


@pytest.mark.parametrize("name", ["nothing", "GPT-4O", "gpt-4o%20", "a/b/c", "x" * 300, *sorted(NEVER)[:2]])
def test_unknown_models(http, name):
    answer = http.get(f"/v1/models/{name}")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "model_not_found")


def test_deleting_models(http):
    assert http.delete("/v1/models/gpt-4o").status_code in (403, 405)


def test_without_a_key(keyless, vendor, api_key):
    assert keyless.get("/v1/models").status_code == 200
    assert keyless.get("/v1/models/gpt-4o").status_code == 200
    assert vendor.requests(api_key) == []


def test_a_good_key_is_checked_once(http, vendor, api_key):
    for _ in range(3):
        assert http.get("/v1/models").status_code == 200
    seen = vendor.request(api_key)
    assert seen["method"] == "GET" and seen["path"].startswith("/api/results/")


@pytest.mark.parametrize("prefix", ["bad", "bad-inactive"])
def test_a_bad_key(http, vendor, new_key, prefix):
    key = new_key(prefix)
    for _ in range(2):
        answer = http.get("/v1/models", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 401
        error = answer.json()["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
        assert key not in answer.text
    assert len(vendor.requests(key)) == 1


def test_good_and_bad_keys_are_kept_apart(http, vendor, new_key):
    good, bad = new_key(), new_key("bad")
    for key, status in ((good, 200), (bad, 401), (good, 200), (bad, 401)):
        assert http.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code == status


@pytest.mark.parametrize("status", [500, 404, 429, 403])
def test_only_a_401_makes_a_key_bad(http, vendor, api_key, status):
    vendor.fail_checks(api_key, status)
    assert http.get("/v1/models").status_code == 200


def test_no_key_is_checked_for_a_chat(http, vendor, api_key):
    assert ask(http).status_code == 200
    assert vendor.request(api_key)["path"] == CHAT_PATH
