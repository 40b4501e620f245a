"""Limits by address: anonymous callers, trusted and untrusted proxies, wrong keys."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from chat import ask
from limited import MODELS, assert_none, assert_refused, assert_refused_for_wrong_keys, chat
from relay_process import Relay

KNOWN = "sk-known-by-its-token"
OTHER = "sk-another-known-token"


@pytest.fixture
def limited(start_relay: Callable[..., Relay]) -> Callable[..., Relay]:
    """`limited(RATE_LIMIT="2/second")`: serves `echo` to two known callers and to anybody."""

    def started(**environment: Any) -> Relay:
        return start_relay(
            **{
                "PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "echo", "KEY_A_TOKEN": KNOWN, "KEY_B_TOKEN": OTHER,
                "RATE_LIMIT": "2/hour",
            } | environment
        )  # fmt: skip

    return started


def left(answer: httpx.Response) -> int:
    """Returns how many more requests the caller has; -1 if it was refused."""
    if answer.status_code == 200:
        return int(answer.headers["x-ratelimit-remaining-requests"])
    assert answer.status_code == 429, answer.text
    return -1


def test_anonymous_callers_are_their_addresses(limited, caller):
    relay = limited()
    for address in ("127.0.0.1", "127.0.0.2"):
        assert [left(chat(caller(relay, address=address))) for _ in range(3)] == [1, 0, -1]
    assert left(chat(caller(relay, KNOWN))) == 1


def test_unknown_bearers_do_not_make_callers(limited, caller):
    relay = limited()
    seen = [left(chat(caller(relay, f"sk-{uuid.uuid4().hex}"))) for _ in range(3)] + [left(chat(caller(relay)))]
    assert seen == [1, 0, -1, -1]


def test_by_key(limited, caller):
    relay = limited(RATE_LIMIT_BY="key")
    assert [left(chat(caller(relay, KNOWN, f"127.0.0.{n}"))) for n in (1, 2, 3)] == [1, 0, -1]
    assert left(chat(caller(relay, OTHER))) == 1


def test_by_address(limited, caller):
    relay = limited(RATE_LIMIT_BY="ip")
    assert [left(chat(caller(relay, token))) for token in (KNOWN, OTHER, None)] == [1, 0, -1]
    assert [left(chat(caller(relay, KNOWN, "127.0.0.2"))) for _ in range(3)] == [1, 0, -1]


def test_by_key_and_address(limited, caller):
    relay = limited(RATE_LIMIT_BY="key+ip")
    for token in (KNOWN, OTHER, None):
        for address in ("127.0.0.1", "127.0.0.2"):
            assert [left(chat(caller(relay, token, address))) for _ in range(3)] == [1, 0, -1], (token, address)


def test_a_keys_own_limit_is_its_own_wherever_it_comes_from(limited, caller):
    relay = limited(RATE_LIMIT_BY="ip", KEY_A_RATE_LIMIT_CHAT="2/hour", RATE_LIMIT="1/hour")
    assert [left(chat(caller(relay, KNOWN, f"127.0.0.{n}"))) for n in (1, 2, 3)] == [1, 0, -1]
    assert [left(chat(caller(relay, OTHER, f"127.0.0.{n}"))) for n in (1, 1, 2)] == [0, -1, 0]


def test_a_proxy_that_is_trusted_names_the_client(limited, caller):
    """`ClientAddressTests` has all forms of the header."""
    relay = limited(TRUSTED_PROXIES="127.0.0.1/32, 10.0.0.0/8,2001:db8:ffff::/48")

    def behind(forwarded, address="127.0.0.1"):
        return left(chat(caller(relay, address=address, **{"X-Forwarded-For": forwarded})))

    assert [behind("198.51.100.1"), behind("203.0.113.9, 198.51.100.1"), behind("198.51.100.1,10.1.2.3")] == [1, 0, -1]
    assert [behind(f"198.51.100.{n}", "127.0.0.2") for n in range(2, 5)] == [1, 0, -1], "a forger is itself"
    assert behind("127.0.0.2") == -1, "the same caller, through a proxy that may say so"
    for name in ("X-Real-IP", "Forwarded", "True-Client-IP", "X-Client-IP", "CF-Connecting-IP"):
        left(chat(caller(relay, **{name: "198.51.100.2"})))
    assert behind("198.51.100.2") == 1 and left(chat(caller(relay))) == -1


def assert_wrong(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key"), answer.text


def wrong() -> str:
    return f"sk-wrong-{uuid.uuid4().hex}"


@pytest.fixture
def guarded(limited) -> Relay:
    """A relay for known callers only, without a limit of their own, and with three wrong keys per hour."""
    return limited(ANONYMOUS_MODELS="", RATE_LIMIT="off", RATE_LIMIT_FAILED_AUTH="3/hour", TRUSTED_PROXIES="127.0.0.1")


def test_wrong_keys(guarded, caller, is_streamed):
    for _ in range(3):
        assert_wrong(chat(caller(guarded, wrong()), stream=is_streamed))
    for _ in range(3):
        assert_refused_for_wrong_keys(chat(caller(guarded, wrong()), stream=is_streamed), "3 per hour")
        assert_refused_for_wrong_keys(caller(guarded, wrong()).get(MODELS), "3 per hour")
        answer = chat(caller(guarded, KNOWN), stream=is_streamed)
        assert answer.status_code == 200, "a good key is never refused for others' wrong ones"
        assert_none(answer)
    assert_wrong(chat(caller(guarded, wrong(), "127.0.0.2")))
    assert_wrong(chat(caller(guarded, wrong(), **{"X-Forwarded-For": "198.51.100.1"})))


def test_no_key_is_not_a_wrong_one(guarded, caller):
    for _ in range(5):
        assert_wrong(chat(caller(guarded)))
    for _ in range(3):
        assert_wrong(chat(caller(guarded, wrong())))
    assert_refused_for_wrong_keys(chat(caller(guarded, wrong())), "3 per hour")
    assert_wrong(chat(caller(guarded)))


def test_good_keys_are_not_counted_as_wrong(guarded, caller):
    for _ in range(5):
        assert chat(caller(guarded, KNOWN)).status_code == 200
    assert chat(caller(guarded, KNOWN), model="no-such").status_code == 404
    for _ in range(3):
        assert_wrong(chat(caller(guarded, wrong())))


def test_keys_that_the_vendor_refuses(start_relay, caller, vendor, new_key):
    relay = start_relay(RATE_LIMIT="off", RATE_LIMIT_FAILED_AUTH="3/hour")
    assert_wrong(ask(caller(relay, new_key("bad"))))
    assert_wrong(ask(caller(relay, new_key("bad")), stream=True))
    assert_wrong(caller(relay, new_key("bad")).get(MODELS))
    for answer in (
        ask(caller(relay, new_key("bad"))), ask(caller(relay, new_key("bad")), stream=True),
        caller(relay, new_key("bad")).get(MODELS),
    ):  # fmt: skip
        assert_refused_for_wrong_keys(answer, "3 per hour")
    good = caller(relay, new_key())
    assert ask(good).status_code == ask(good, stream=True).status_code == good.get(MODELS).status_code == 200
    assert_wrong(ask(caller(relay, new_key("bad"), "127.0.0.2")))


def test_a_callers_own_limit_comes_first(start_relay, caller, vendor, new_key):
    relay = start_relay(RATE_LIMIT="1/hour", RATE_LIMIT_FAILED_AUTH="3/hour")
    key = new_key("bad")
    assert_wrong(ask(caller(relay, key)))
    assert_refused(ask(caller(relay, key)), "1 per hour")
    assert len(vendor.requests(key)) == 1
    for _ in range(2):
        assert_wrong(ask(caller(relay, new_key("bad"))))
    assert_refused_for_wrong_keys(ask(caller(relay, new_key("bad"))), "3 per hour")


@pytest.fixture
def open_to_all(limited) -> Relay:
    """A relay where anybody may use `echo`, with two known callers and three wrong keys per hour."""
    return limited(RATE_LIMIT="off", RATE_LIMIT_FAILED_AUTH="3/hour", KEY_A_MODELS="echo", METRICS_TOKEN="m" * 24)


PLACEHOLDER = "sk-no-key-required"


def test_a_placeholder_key_counts_once(open_to_all, caller):
    for _ in range(10):
        assert chat(caller(open_to_all, PLACEHOLDER)).status_code == 200
    for _ in range(2):
        assert chat(caller(open_to_all, wrong())).status_code == 200
    for _ in range(3):
        assert_refused_for_wrong_keys(chat(caller(open_to_all, wrong())), "3 per hour")
        assert_refused_for_wrong_keys(caller(open_to_all, wrong()).get(MODELS), "3 per hour")
        for served in (PLACEHOLDER, None, KNOWN):
            answer = chat(caller(open_to_all, served))
            assert answer.status_code == 200, served
            assert_none(answer)
    assert chat(caller(open_to_all, wrong(), "127.0.0.2")).status_code == 200, "of another address"
    refused = wrong()
    for _ in range(2):
        assert_refused_for_wrong_keys(chat(caller(open_to_all, refused)), "3 per hour")


def test_guesses_count_on_every_endpoint(open_to_all, caller):
    assert chat(caller(open_to_all, wrong()), stream=True).status_code == 200
    assert caller(open_to_all, wrong()).get(MODELS).status_code == 200
    assert chat(caller(open_to_all, wrong()), model="no-such").status_code == 404
    files = {"file": ("a.wav", b"RIFF")}
    for path, how in {
        "/v1/audio/speech": {"json": {}}, "/v1/images/generations": {"json": {}}, MODELS + "/echo": None,
        "/v1/images/edits": {"files": files}, "/v1/images/variations": {"files": files},
        "/v1/audio/transcriptions": {"files": files},
    }.items():  # fmt: skip
        http = caller(open_to_all, wrong())
        assert_refused_for_wrong_keys(http.get(path) if how is None else http.post(path, **how), "3 per hour")


def test_wrong_metrics_tokens_count_alike(open_to_all, caller):
    for _ in range(3):
        assert_wrong(caller(open_to_all, wrong()).get("/metrics"))
    assert_refused_for_wrong_keys(caller(open_to_all, wrong()).get("/metrics"), "3 per hour")
    assert_refused_for_wrong_keys(chat(caller(open_to_all, wrong())), "3 per hour")
    assert caller(open_to_all, "m" * 24).get("/metrics").status_code == 200
    assert_wrong(caller(open_to_all).get("/metrics"))


def test_keys_of_a_vendor_beside_models_for_all(start_relay, caller, vendor, new_key):
    """A vendor key that is not needed counts as unknown. The vendor is called before it is refused."""
    relay = start_relay(
        PROVIDER_PASS_KIND="onemin", PROVIDER_DEMO_KIND="echo", ANONYMOUS_MODELS="echo", KEY_A_TOKEN=KNOWN,
        RATE_LIMIT_FAILED_AUTH="3/hour",
    )  # fmt: skip
    keys = [new_key() for _ in range(2)]
    for key in (*keys, *keys, new_key("bad"), *keys):
        assert chat(caller(relay, key)).status_code == 200
        assert vendor.requests(key) == []
    for key in (new_key("bad"), new_key("bad")):
        assert_refused_for_wrong_keys(chat(caller(relay, key)), "3 per hour")
    good = new_key()
    for served in (good, keys[0], None, KNOWN):
        assert chat(caller(relay, served)).status_code == 200
    assert vendor.request(good)["path"].startswith("/api/results/")
    assert ask(caller(relay, good), model="gpt-4o").status_code == 200
