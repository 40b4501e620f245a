"""Several keys of the relay are called in turn: neither looking up a model nor a refused request uses a turn."""

import uuid

import pytest
from pictures import image

FEATURES = "/api/features"


@pytest.fixture
def keys():
    return [f"own-{uuid.uuid4().hex}" for _ in range(2)]


@pytest.fixture
def two_keys(start_relay, keys, caller):
    """`two_keys(SETTING=value)`: a client of a relay that has two keys."""

    def made(**settings):
        return caller(start_relay(ONE_MIN_API_KEYS=",".join(keys), ANONYMOUS_MODELS="all", **settings))

    return made


def vary(http, model):
    files = {"image": ("image.png", image("png"), "image/png")}
    return http.post("/v1/images/variations", data={"model": model}, files=files)


@pytest.mark.parametrize("model", ["recraft", "dzine"])
def test_variations_with_stand_ins_take_turns(two_keys, vendor, keys, model):
    http = two_keys()
    for _ in range(6):
        assert vary(http, model).status_code == 200
    assert [len(vendor.requests(key, FEATURES)) for key in keys] == [3, 3]
