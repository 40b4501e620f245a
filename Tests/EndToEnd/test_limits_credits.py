"""Limits of credits with prices from 1min.ai's own list: the reserved and the counted credits."""

from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from metered import PROMPT, Account, account, assert_refused, assert_too_large, metadata
from onemin_rules import FEATURE_TYPES
from parts import data_url
from pictures import picture
from relay_process import Relay
from vendor import Vendor

CHAT, IMAGE, SPEECH = (FEATURE_TYPES[name] for name in ("chat", "image", "text_to_speech"))
MODEL = "gpt-4o-mini"
PRICE = {"INPUT": 1.5, "OUTPUT": 6, "CONTEXT": 128000, "MAX_OUTPUT_TOKEN": 16384}
HELD = 123
"""Of such a call: 2 tokens at 1.5 and 20 at 6."""
UNTOLD = {"metadata": {"inputToken": 10, "outputToken": 20}}


def entry(name: str, *inputs: str, **credits: Any) -> dict[str, Any]:
    return {
        "modelId": name, "name": name, "provider": "lab", "status": "ACTIVE",
        "modality": {"INPUT": list(inputs) or ["text"], "OUTPUT": ["text"]}, "creditMetadata": credits,
    }  # fmt: skip


@pytest.fixture
def priced(start_relay: Callable[..., Relay], source: Vendor, new_key: Callable[..., str]) -> Iterator[Any]:
    """`priced(lists, RATE_LIMIT_TOTAL="...")`: a caller of a relay that has read those lists."""
    opened: list[Any] = []

    def made(lists: dict[str, Any], **environment: Any) -> Account:
        source.lists(only=lists)
        relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h", **environment)
        relay.wait_for_line(lambda line: line["message"] == "models read")
        opened.append(account(relay, new_key()))
        return opened[-1].__enter__()

    yield made
    for each in opened:
        each.__exit__(None, None, None)


def of_day(credits: int) -> dict[str, str]:
    return {"RATE_LIMIT_TOTAL": f"{credits} credits/day"}


def too_large(one: Account, bound: int, **fields: Any) -> int:
    """Returns the credits that a request needs at least, which must be more than the limit."""
    error = one.refused(**fields)
    requested = error.message.rpartition(" ")[2].rstrip(".")
    assert_too_large(error, "credits", f"{bound} per day", requested)
    return int(requested)


LARGE = {"RATE_LIMIT_CHAT": f"{10**8} credits/day"}


def held(one: Account, source: Vendor, **fields: Any) -> int:
    """Returns the credits that a request reserves under a large limit. The vendor refuses it, so that it uses none."""
    source.answers(one.key, {"status": 400, "json": {"errorCode": "HTTP_EXCEPTION", "message": "no"}})
    budget = one.refused(**fields).response.headers["x-relay-budget"]
    return int(budget.partition(";used=")[2].partition(";")[0])


def test_what_a_chat_is_held_to(priced, source):
    one = priced({CHAT: [entry(MODEL, **PRICE)]}, **LARGE)
    assert held(one, source, max_tokens=20) == HELD
    assert held(one, source, max_tokens=20, stream=True) == HELD
    assert held(one, source, max_tokens=20, n=3) == 3 * HELD
    assert held(one, source, stream=True) == 3 + 6 * 1000  # what is likely
    assert held(one, source, max_tokens=20, messages=[{"role": "user", "content": " ".join([PROMPT] * 3)}]) > HELD
    assert held(one, source, max_tokens=10**6) == 3 + 6 * 10**6  # less than half of what is free
    assert held(one, source, max_tokens=10**6, stream=True) == 3 + 6 * 1000


def test_a_part_of_a_credit_is_one(priced):
    one = priced({CHAT: [entry(MODEL, **PRICE), entry("o3-mini", INPUT=0.0000001, OUTPUT=0)]}, **of_day(1))
    assert too_large(one, 1) == 3
    one.ask(model="o3-mini")


def test_the_vendor_tells_what_was_used(priced, source):
    one = priced({CHAT: [entry(MODEL, **PRICE)]}, **of_day(200))
    source.answers(one.key, *[{"answer": "good"} | metadata(credit=26)] * 4)
    for _ in range(3):  # 123 held, 26 used, whatever the mean is
        one.ask(max_tokens=20)
    assert_refused(one.refused(max_tokens=20), "credits", "200 per day")
    one.ask(max_tokens=19)


def test_where_it_does_not_the_list_does(priced, source, is_streamed):
    """10 tokens at 1.5 and 20 at 6 are 135 credits."""
    one = priced({CHAT: [entry(MODEL, **PRICE)]}, **of_day(2 * 135 + HELD - 1))
    source.answers(one.key, *[{"answer": "good"} | UNTOLD] * 3)
    for _ in range(2):
        one.ask(max_tokens=20, stream=is_streamed)
    assert_refused(one.refused(max_tokens=20, stream=is_streamed), "credits", f"{2 * 135 + HELD - 1} per day")
    one.ask(max_tokens=19, stream=is_streamed)


def test_choices_that_the_vendor_does_not_tell(priced, source):
    one = priced({CHAT: [entry(MODEL, **PRICE)]}, **of_day(3 * 135 + HELD))
    source.answers(one.key, *[{"answer": "good"} | UNTOLD] * 4)
    one.ask(max_tokens=20, n=3)
    one.ask(max_tokens=20)
    assert_refused(one.refused(max_tokens=1), "credits", f"{3 * 135 + HELD} per day")


def test_a_call_that_broke_off(priced, source):
    """The prompt and the delivered part of the output count: 2 tokens at 1.5, and one or a few at 6."""
    one = priced({CHAT: [entry(MODEL, **PRICE)]}, **of_day(HELD + 50))
    source.answers(one.key, {"answer": "good", "cut_at": 60}, {"answer": "good"} | metadata(credit=1))
    with pytest.raises(openai.APIError):
        one.ask(max_tokens=20, stream=True)
    one.ask(max_tokens=20)


def test_pictures_of_a_prompt(priced, source):
    lists = [entry(MODEL, "text", "image", **PRICE, LOW_IMAGE=250.5), entry("gpt-4o", "text", "image", **PRICE)]
    one = priced({CHAT: lists}, **LARGE)
    parts = [{"type": "text", "text": PROMPT}]
    shown = {"type": "image_url", "image_url": {"url": data_url(picture("one")), "detail": "low"}}

    def messages(count: int) -> list[dict[str, Any]]:
        return [{"role": "user", "content": parts + [shown] * count}]

    assert held(one, source, max_tokens=20, messages=messages(2)) == HELD + 501
    assert held(one, source, max_tokens=20, messages=messages(1), n=2) == 2 * (HELD + 251)
    # 85 tokens each, where they have no price of their own.
    assert held(one, source, model="gpt-4o", max_tokens=20, messages=messages(2)) == HELD + 255


@pytest.mark.parametrize(
    "credits",
    [
        {}, {"INPUT": 1}, {"OUTPUT": 1}, {"INPUT": "1", "OUTPUT": "1"}, {"INPUT": -1, "OUTPUT": 1}, {"LOW_IMAGE": 5},
        {"INPUT": 0, "OUTPUT": 0}, {"INPUT": 1, "OUTPUT": 1e30}, {"INPUT": None, "OUTPUT": [2]},
    ],
)  # fmt: skip
def test_a_list_that_does_not_tell(priced, source, credits):
    one = priced({CHAT: [entry(MODEL, **credits), entry("gpt-4o", **credits)]}, **of_day(150))
    assert too_large(one, 150, max_tokens=20, n=2) == 200
    assert too_large(one, 150, model="gpt-4o", n=2) == 200
    source.answers(one.key, *[{"answer": "good"} | metadata(credit=15)] * 3)
    for _ in range(3):  # 100 held, and then the mean of 15
        one.ask(max_tokens=20)


def test_a_provider_that_takes_none_counts_none(priced, source):
    """1min.ai fails, and another provider serves the call."""
    one = priced(
        {CHAT: [entry(MODEL, **PRICE)]}, **of_day(HELD), PROVIDERS="a,b", PROVIDER_A_KIND="onemin",
        PROVIDER_A_API_KEY="key-of-a", PROVIDER_A_MODELS=f"any={MODEL}", PROVIDER_A_PRIORITY="1",
        PROVIDER_B_KIND="echo", PROVIDER_B_MODELS="any=echo", PROVIDER_B_PRIORITY="2", ANONYMOUS_MODELS="all",
    )  # fmt: skip
    source.answers("key-of-a", *[{"status": 500, "text": ""}] * 10)
    for _ in range(2):
        assert one.ask(model="any", max_tokens=20)["x-relay-provider"] == "b"
        assert source.requests("key-of-a")


def images(one: Account, **fields: Any) -> Any:
    return one.http.post(
        f"{one.ai.base_url}images/generations", json={"model": "dall-e-2", "prompt": "a cat"} | fields,
        headers={"Authorization": f"Bearer {one.key}"},
    )  # fmt: skip


def message(answer: Any) -> str:
    return answer.json()["error"]["message"]


def test_images_are_held_by_their_number(priced, source):
    one = priced({IMAGE: [entry("dall-e-2", LOW_IMAGE=40.5)]}, **of_day(130))
    assert message(images(one, n=5)) == "Request too large for credits: limit 130 per day, requested 203."
    source.answers(one.key, {"metadata": {"credit": 20}}, {"metadata": {}})
    assert images(one, n=3).status_code == 200  # 122 held, 20 used
    assert images(one, n=2).status_code == 200  # 81 held, and counted: nothing was told
    assert images(one).status_code == 429


def test_images_of_several_calls(priced, source):
    flux = "black-forest-labs/flux-dev"
    one = priced({IMAGE: [entry(flux, LOW_IMAGE=12)]}, **of_day(130))
    source.answers(one.key, *[{"metadata": {}}] * 10)
    for _ in range(3):
        assert images(one, model=flux, n=3).status_code == 200
    assert images(one, model=flux, n=2).status_code == 429
    assert images(one, model=flux).status_code == 200


def test_dearer_images_are_held_to_what_others_took_as_far_as_it_is_free(priced, source):
    one = priced({IMAGE: [entry("dall-e-2", LOW_IMAGE=10)]}, **of_day(100))
    source.answers(one.key, {"metadata": {"credit": 60}}, {"metadata": {"credit": 31}})
    assert images(one).status_code == 200
    assert images(one).status_code == 200  # 40 held, 31 used
    assert images(one).status_code == 429  # the list's price does not fit


def test_a_chat_that_makes_an_image(priced, source):
    flux = "black-forest-labs/flux-dev"
    one = priced({IMAGE: [entry(flux, LOW_IMAGE=12)]}, **of_day(25))
    source.answers(one.key, *[{"metadata": {}}] * 3)
    one.ask(model=flux)
    one.ask(model=flux)
    assert_refused(one.refused(model=flux), "credits", "25 per day")


def test_the_list_has_no_units_of_speech(priced):
    one = priced({SPEECH: [entry("tts-1", INPUT=15, OUTPUT=0)]}, **of_day(99))
    answer = one.http.post(
        f"{one.ai.base_url}audio/speech", json={"model": "tts-1", "input": "a", "voice": "echo"},
        headers={"Authorization": f"Bearer {one.key}"},
    )  # fmt: skip
    assert message(answer) == "Request too large for credits: limit 99 per day, requested 100."


BY_CREDITS = {"PROVIDERS": "a", "PROVIDER_A_KIND": "onemin", "PROVIDER_A_PASSTHROUGH": "true", "PROVIDER_A_CREDIT_COST": "0.00001"}


def test_dollars_of_images_by_their_credits(priced, source):
    """Each takes 60 credits, 0.0006 dollars; the list's price of 41 is reserved at least."""
    one = priced({IMAGE: [entry("dall-e-2", LOW_IMAGE=40.5)]}, RATE_LIMIT_IMAGES="0.002 usd/day", **BY_CREDITS)
    source.answers(one.key, {"metadata": {"credit": 60}})
    assert [images(one).status_code for _ in range(4)] == [200, 200, 200, 429]
