"""Signatures of calls that one instance received are known to the others that share its store."""

import conftest
import gemini_vendor
import pytest
from chat import ask
from conftest import TEAM_TOKEN, VENDOR_KEY
from relay_process import provider

MODEL = "gemini-3.1-pro"
SKIP = "skip_thought_signature_validator"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def instance(start_relay, google, store, caller):
    """`instance(...)`: a client of one of several relays on a store."""

    def made(**more):
        settings = {
            **provider("GEM", "gemini", google.base_url + "/v1beta", ",".join(gemini_vendor.MODELS), API_KEY=VENDOR_KEY),
            "KEY_TEAM_TOKEN": TEAM_TOKEN, "MEMCACHED_SERVERS": store.address,
        }  # fmt: skip
        return caller(start_relay(**settings | more), TEAM_TOKEN)

    yield made
    assert google.take_violations() == []


def called(http, google, signature):
    """Returns a conversation in which the model has called twice, without the model's signatures."""
    google.says(MODEL, {"calls": [("weather", {}), ("weather", {"city": "Oslo"})], "signature": signature})
    message = ask(http, model="pro", tools=[TOOL]).json()["choices"][0]["message"]
    calls = [{name: value for name, value in call.items() if name != "extra_content"} for call in message["tool_calls"]]
    return [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "tool_calls": calls},
        *({"role": "tool", "tool_call_id": call["id"], "content": "fine"} for call in calls),
    ]


def sent(http, google, messages):
    """Returns the signatures of these calls that the vendor receives."""
    google.says(MODEL, {"text": "Fine."})
    assert ask(http, model="pro", messages=messages, tools=[TOOL]).status_code == 200
    return [part.get("thoughtSignature") for part in google.body(MODEL)["contents"][1]["parts"]]


def test_another_instance_knows_a_call(instance, google, store):
    one, other = instance(), instance()
    messages = called(one, google, "EpEgShrd")
    assert sent(one, google, messages) == ["EpEgShrd", None]
    assert sent(other, google, messages) == ["EpEgShrd", None]
    # A signature that was read once stays known.
    store.kill()
    assert sent(other, google, messages) == ["EpEgShrd", None]


def test_a_store_that_is_gone_costs_the_signature_only(instance, google, store):
    one, other = instance(), instance()
    messages = called(one, google, "EpEgGone")
    store.kill()
    assert sent(other, google, messages) == [SKIP, None]
    assert sent(one, google, messages) == ["EpEgGone", None]


def test_an_account_does_not_know_those_of_another(instance, google):
    conftest.secrets.add("key-of-another-account-there")
    one, other = instance(), instance(PROVIDER_GEM_API_KEY="key-of-another-account-there")
    messages = called(one, google, "EpEgOwn1")
    assert sent(other, google, messages) == [SKIP, None]
