"""Images and speech that two providers with two keys make in their own form: they fail over as chats do."""

import pytest
from balanced import places
from chat import vendor_error
from pictures import picture
from test_balance import FAILED

FEATURES = "/api/features"
MODELS = "gpt-image-1,dall-e-2,tts-1"
FILE = {"image": ("a.png", picture("cat"), "image/png")}
WAYS = {
    "generations": lambda http, **more: http.post("/v1/images/generations", json={"model": "gpt-image-1", "prompt": "A cat"} | more),
    "edits": lambda http, **more: http.post("/v1/images/edits", data={"model": "gpt-image-1", "prompt": "A hat"} | more, files=FILE),
    "variations": lambda http, **more: http.post("/v1/images/variations", data={"model": "dall-e-2"} | more, files=FILE),
    "speech": lambda http, **more: http.post("/v1/audio/speech", json={"model": "tts-1", "input": "Hi", "voice": "coral"} | more),
}
every = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def made(serve):
    """`made(a=2, b=2)`: providers with so many keys, and a function that asks a relay that has them."""

    def started(**how):
        models = {f"PROVIDER_{name.upper()}_MODELS": MODELS for name in ("a", "b")}
        return serve(PROVIDERS="a,b", **(models | how))

    return started


@every
def test_calls_of_one_user_keep_to_one_provider_and_key(made, way):
    providers, http = made(a=2, b=2, AFFINITY="user")
    for number in range(48):
        for _ in range(2):
            assert WAYS[way](http, user=f"user {number}").status_code == 200
    seen = places(providers)
    assert all(len(set(seen[at : at + 2])) == 1 for at in range(0, 96, 2))
    assert len(set(seen)) == 4


@every
def test_the_next_key_and_then_the_next_provider_serve(made, vendor, way):
    providers, http = made(a=2, b=2, PROVIDER_A_PRIORITY=1, PROVIDER_B_PRIORITY=2)
    for key in providers.keys["a"]:
        for kind in ("", "upload:"):
            vendor.answers(kind + key, {"status": 401, "json": vendor_error("No")})
    answer = WAYS[way](http)
    assert (answer.status_code, answer.headers["x-relay-provider"], answer.headers["x-relay-attempts"]) == (200, "b", "3")


BUDGETS = {"PROVIDER_A_PRIORITY": 1, "PROVIDER_B_PRIORITY": 2, "RATE_LIMIT_IMAGES": "1 usd/hour", "RATE_LIMIT_AUDIO": "1 usd/hour"}


@every
def test_a_request_reserves_what_the_dearest_provider_may_cost(made, way):
    """The first credits of a model are guessed: 100 dollars at the price of the second provider."""
    providers, http = made(a=1, b=1, **BUDGETS, PROVIDER_A_CREDIT_COST="0.00001", PROVIDER_B_CREDIT_COST="1")
    assert WAYS[way](http).status_code == 429
    assert places(providers, FEATURES) == []


@pytest.mark.parametrize("way", ["generations", "edits", "variations"])
def test_a_response_costs_what_its_provider_takes(made, way):
    providers, http = made(a=1, b=1, **BUDGETS, PROVIDER_A_CREDIT_COST="0.00001", PROVIDER_B_CREDIT_COST="0.00002")
    first = WAYS[way](http)
    providers.answers("a", FAILED)
    second = WAYS[way](http)
    assert [answer.headers["x-relay-provider"] for answer in (first, second)] == ["a", "b"]
    assert float(second.headers["x-relay-cost"]) == pytest.approx(2 * float(first.headers["x-relay-cost"]))
