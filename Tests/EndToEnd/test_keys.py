"""Permissions: known callers, passthrough and anonymous ones, and the relay's keys."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from chat import CHAT_PATH, MODEL, PATH, ask, body, refusal, stream
from relay_process import Relay, provider
from vendor import Vendor

NO_SUCH = "The model `{}` does not exist or you do not have access to it."


def names(client: httpx.Client) -> list[str]:
    answer = client.get("/v1/models")
    assert answer.status_code == 200, answer.text
    return [model["id"] for model in answer.json()["data"]]


def error(answer: httpx.Response) -> tuple[int, str | None, str]:
    found = answer.json()["error"]
    return answer.status_code, found["code"], found["message"]


def cause(relay: Relay, answer: Any) -> str:
    request_id = answer.headers["x-request-id"]
    return relay.wait_for_line(lambda line: line.get("id") == request_id).get("cause", "")


@pytest.fixture(scope="module")
def team(launch: Callable[..., Relay]) -> tuple[Relay, str, str, str]:
    """A relay with a key of its own, one caller for everything and one for little, and their tokens."""
    own, all_token, little_token = (f"{kind}-{uuid.uuid4().hex}" for kind in ("own", "sk-all", "sk-little"))
    relay = launch(ONE_MIN_API_KEYS=own, KEY_TEAM_A_TOKEN=all_token, KEY_GUEST_TOKEN=little_token, KEY_GUEST_MODELS="glm*, gpt-4o-mini")
    return relay, own, all_token, little_token


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "api-key"])
def test_a_known_caller(team, caller, vendor, header, is_streamed):
    relay, own, token, _ = team
    client = caller(relay)
    client.headers[header] = f"bearer   {token}" if header == "Authorization" else token
    before = len(vendor.requests(own))
    answer = (stream if is_streamed else ask)(client)
    assert getattr(answer, "status", None) or answer.status_code == 200
    assert len(vendor.requests(own)) == before + 1 and not vendor.requests(token)
    assert answer.headers["x-relay-provider"] == "onemin"
    assert (answer.headers["x-relay-attempts"], answer.headers["x-relay-cache"]) == ("1", "off")
    request_id = answer.headers["x-request-id"]
    assert relay.wait_for_line(lambda line: line.get("id") == request_id)["caller"] == "team-a"


def test_rights(team, caller):
    relay, _, all_token, little_token = team
    guest = caller(relay, little_token)
    assert ask(guest, model="gpt-4o-mini").status_code == 200
    assert ask(guest, model="glm-5").status_code == 200
    assert ask(caller(relay, all_token), model="gpt-4o").status_code == 200
    for name, near in {
        "gpt-4o": None, "gpt-4o-mini-2": "gpt-4o-mini", "xglm": None, "GLM-5": "glm-5", "no-such-model": None,
        "gtp-4o-mini": "gpt-4o-mini", "o3-min": None, "x" * 300: None,
    }.items():  # fmt: skip
        message = NO_SUCH.format(name[:100]) + (f" Did you mean `{near}`?" if near else "")
        assert error(ask(guest, model=name)) == (404, "model_not_found", message)
        assert error(guest.get(f"/v1/models/{name}")) == (404, "model_not_found", message)


def test_the_nearest_name_is_one_that_the_endpoint_serves(team, caller):
    client = caller(team[0], team[2])
    image = client.post("/v1/images/generations", json={"model": "dall-e3", "prompt": "a"})
    assert error(image)[2].endswith(" Did you mean `dall-e-3`?")
    speech = client.post("/v1/audio/speech", json={"model": "dall-e-4", "input": "a", "voice": "alloy"})
    assert error(speech)[2] == NO_SUCH.format("dall-e-4")


def test_the_list_is_what_the_caller_may_use(team, caller):
    relay, _, all_token, little_token = team
    assert len(names(caller(relay, all_token))) > 100
    assert names(caller(relay, little_token)) == ["gpt-4o-mini", "glm-5", "glm-5.1", "glm-5.2", "glm-5.3"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/models/gpt-4o", "/chat/completions"])
@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, "No API key was provided"), ("sk-wrong-key-123456", "Incorrect API key provided: sk-w...56."),
        ("short", "Incorrect API key provided."), ("sk-little", "Incorrect API key provided."),
    ],
)  # fmt: skip
def test_wrong_keys(team, caller, path, token, message):
    client = caller(team[0], token)
    answer = client.post(path, json=body(model="no-such")) if "chat" in path else client.get(path)
    status, code, found = error(answer)
    assert (status, code) == (401, "invalid_api_key") and found.startswith(message)
    assert "x-relay-provider" not in answer.headers


def own_keys(count: int, prefix: str = "own") -> list[str]:
    return [f"{prefix}{number}-{uuid.uuid4().hex}" for number in range(count)]


def test_a_refused_key_of_the_relays_is_not_the_callers_fault(start_relay, caller, vendor, is_streamed):
    (key,) = own_keys(1, "bad-own")
    relay = start_relay(ONE_MIN_API_KEYS=key, KEY_A_TOKEN="sk-known-caller-1")
    client = caller(relay, "sk-known-caller-1")
    answer = client.post(PATH, json=body(stream=is_streamed))
    status, code, message = error(answer)
    assert (status, code) == (502, "upstream_error") and "The operator can check its key" in message
    assert "key k1 was rejected" in cause(relay, answer)
    assert key not in relay.text() + answer.text and client.get("/v1/models").status_code == 200


def test_a_vendor_that_quotes_the_relays_key(start_relay, caller, vendor):
    key = f"own.{uuid.uuid4().hex[:8]}"
    relay = start_relay(ONE_MIN_API_KEYS=key, KEY_A_TOKEN="sk-a")
    client = caller(relay, "sk-a")
    for status in (400, 401, 403, 404, 406, 429, 500):
        vendor.answers(key, {"status": status, "json": {"errorCode": f"X_{key}", "message": f"bad thing with {key}"}})
        for is_streamed in (False, True):
            answer = client.post(PATH, json=body(stream=is_streamed))
            assert answer.status_code >= 400
            assert key not in answer.text + str(answer.headers) + cause(relay, answer)
    vendor.answers(key, {"events": [["content", {"content": "a"}], ["error", {"error": f"no {key}"}]]})
    answer = client.post(PATH, json=body(stream=True))
    assert "[DONE]" not in answer.text and key not in answer.text
    assert key not in relay.text()


@pytest.fixture(scope="module")
def mixed(launch: Callable[..., Relay]) -> tuple[Relay, str, str]:
    """Pass-through beside a provider with a key, a caller that is known, and two models for everybody."""
    own, token = f"own-{uuid.uuid4().hex}", f"sk-{uuid.uuid4().hex}"
    relay = launch(
        PROVIDERS="own,pass", **provider("OWN", "onemin", API_KEY=own, MODELS="fast=gpt-4o-mini,slow=o3"), PROVIDER_PASS_KIND="onemin",
        PROVIDER_DEMO_KIND="echo", ANONYMOUS_MODELS="echo,fast", KEY_A_TOKEN=token,
    )  # fmt: skip
    return relay, own, token


def test_who_is_served_by_whom(mixed, caller, vendor: Vendor, new_key):
    relay, own, token = mixed
    key = new_key()
    served = {
        ("known", "fast"): "own", ("known", "slow"): "own", ("known", "echo"): "demo", ("known", "gpt-4o"): None,
        ("passing", "fast"): "own", ("passing", "slow"): None, ("passing", "echo"): "demo",
        ("passing", "gpt-4o"): "pass",
        ("anonymous", "fast"): "own", ("anonymous", "slow"): None, ("anonymous", "echo"): "demo",
        ("anonymous", "gpt-4o"): None,
    }  # fmt: skip
    clients = {"known": caller(relay, token), "passing": caller(relay, key), "anonymous": caller(relay)}
    for (who, model), by in served.items():
        own_before, key_before = len(vendor.requests(own)), len(vendor.requests(key))
        answer = ask(clients[who], model=model)
        if by is None:
            assert error(answer) == (404, "model_not_found", NO_SUCH.format(model)), (who, model)
        else:
            assert answer.status_code == 200, (who, model, answer.text)
            assert answer.headers["x-relay-provider"] == by and answer.json()["model"] == model
        assert len(vendor.requests(own)) - own_before == (by == "own"), (who, model)
        assert len(vendor.requests(key)) - key_before == (by == "pass"), (who, model)
    assert vendor.requests(token) == []


def test_what_each_sees(mixed, caller, new_key):
    relay, _, token = mixed
    assert names(caller(relay, token)) == ["fast", "slow", "echo"]
    assert names(caller(relay)) == ["fast", "echo"]
    passing = names(caller(relay, new_key()))
    assert passing[:4] == ["fast", "gpt-4o-mini", "gpt-4o", "o3-mini"] and passing[-1] == "echo"
    assert "slow" not in passing
    assert caller(relay, new_key("bad")).get("/v1/models").status_code == 401


def test_a_wrong_pass_through_key_is_the_callers(mixed, caller, new_key):
    key = new_key("bad")
    assert error(ask(caller(mixed[0], key), model="gpt-4o"))[:2] == (401, "invalid_api_key")


def test_without_pass_through_an_unknown_key_is_anonymous(start_relay, caller, vendor, new_key):
    (own,) = own_keys(1)
    key = new_key("stray")
    relay = start_relay(ONE_MIN_API_KEYS=own, ANONYMOUS_MODELS="gpt-4o*")
    client = caller(relay, key)
    assert ask(client).status_code == 200 and ask(client, model="o3").status_code == 404
    assert names(client) == ["gpt-4o-mini", "gpt-4o", "gpt-4o-transcribe", "gpt-4o-transcribe-diarize"]
    assert len(vendor.requests(own)) == 1 and vendor.requests(key) == []


def test_looking_needs_a_key_unless_all_is_passed_through(start_relay, caller, new_key):
    (own,) = own_keys(1)
    relay = start_relay(PROVIDER_OWN_KIND="onemin", PROVIDER_OWN_API_KEY=own, PROVIDER_PASS_KIND="onemin", KEY_A_TOKEN="sk-a")
    assert caller(relay).get("/v1/models").status_code == 401
    assert caller(relay, new_key()).get("/v1/models").status_code == 200
    assert error(ask(caller(relay)))[:2] == (401, "invalid_api_key")


def test_an_own_key_may_be_set_aside(start_relay, caller, vendor, new_key):
    (own,) = own_keys(1)
    key = new_key()
    relay = start_relay(PROVIDER_V_KIND="onemin", PROVIDER_V_API_KEY=own, PROVIDER_V_PASSTHROUGH="true")
    assert ask(caller(relay, key)).status_code == 200
    assert len(vendor.requests(key)) == 1 and vendor.requests(own) == []


def test_the_vendor_decides_about_unknown_names_of_the_subset(start_relay, caller, vendor, api_key):
    relay = start_relay(SUBSET_OF_ONE_MIN_PERMITTED_MODELS="gpt-4o,brand-new-1")
    relay.wait_for_line(lambda line: line["level"] == "warning" and "brand-new-1" in line.get("problem", ""))
    client = caller(relay, api_key)
    assert names(client)[:2] == ["gpt-4o", "brand-new-1"] and len(names(client)) > 100
    vendor.answers(api_key, {"status": 400, "json": {"message": "Invalid model brand-new-1 for AI feature X!"}})
    assert error(ask(client, model="brand-new-1"))[:2] == (404, "model_not_found")
    sent = vendor.requests(api_key, CHAT_PATH)
    assert [request["body"]["model"] for request in sent] == ["brand-new-1"]
    vendor.take_violations(api_key)


def test_default_and_fallback(start_relay, caller, vendor, is_streamed):
    (own,) = own_keys(1)
    relay = start_relay(
        ONE_MIN_API_KEYS=own, KEY_A_TOKEN="sk-a", KEY_B_TOKEN="sk-b", KEY_B_MODELS="old-*,old-one", DEFAULT_MODEL="o3",
        KEY_C_TOKEN="sk-c", KEY_C_MODELS="old-*,gpt-4o-mini", FALLBACK_MODEL="gpt-4o-mini",
    )  # fmt: skip

    def used(token: str, **fields: Any) -> tuple[str, str]:
        """Returns the model in the response, and the vendor's."""
        client = caller(relay, token)
        if is_streamed:
            got = stream(client, **fields)
            assert got.status == 200, got
            return got.chunks[0]["model"], vendor.requests(own)[-1]["body"]["model"]
        answer = ask(client, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()["model"], vendor.requests(own)[-1]["body"]["model"]

    assert used("sk-a", model=None) == ("o3", "o3")
    assert used("sk-a", model="gpt-4.1") == ("gpt-4.1", "gpt-4.1")
    assert used("sk-a", model="no-such") == ("no-such", "gpt-4o-mini")
    assert used("sk-b", model="old-one") == ("old-one", "gpt-4o-mini")
    assert used("sk-c", model="old-two") == ("old-two", "gpt-4o-mini")
    # The pattern fits also what nobody ever served.
    for name in ("no-such", "old-two", "gpt-4o-mini", None):
        assert refusal(caller(relay, "sk-b"), is_streamed, model=name)[1]["code"] == "model_not_found"
    assert refusal(caller(relay, "sk-a"), is_streamed, model="whisper-1")[1]["code"] == "model_not_found"


def test_without_a_default_the_model_is_missing(http):
    status, found, _ = refusal(http, model=None)
    assert (status, found["code"], found["param"]) == (400, "missing_required_parameter", "model")


def test_aliases(start_relay, caller, vendor, api_key):
    relay = start_relay(PROVIDER_V_KIND="onemin", PROVIDER_V_LABEL="my", PROVIDER_V_MODELS="fast=gpt-4o-mini,o3,mini=gpt-4o-mini")
    client = caller(relay, api_key)
    assert names(client) == ["fast", "o3", "mini"]
    assert {model["owned_by"] for model in client.get("/v1/models").json()["data"]} == {"1minai"}
    assert ask(client, model=MODEL).status_code == 404
    answer = ask(client, model="fast")
    assert answer.json()["model"] == "fast"
    assert vendor.requests(api_key, CHAT_PATH)[-1]["body"]["model"] == "gpt-4o-mini"
