"""Who pays for calls that failed: what limits, usage records and prices say about a call that had no use."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import ask, stream
from conftest import memcached_of_file
from limited import client as plain
from limited import metric
from memcached import wait_for
from metered import metadata
from pictures import picture
from relay_process import provider
from test_openai_endpoints import ASKS, generate, transcribe
from usage import File

N = 100_000
TOKENS = f"{N} tokens/hour"
STREAMED = {
    "streamed generations": lambda http, model: generate(http, model=model, stream=True),
    "streamed speech": lambda http, model: http.post(
        "/v1/audio/speech", json={"model": model, "input": "Hi", "voice": "coral", "stream_format": "sse"}
    ),
    "streamed transcriptions": lambda http, model: transcribe(http, model=model, stream="true"),
}
FORWARDED = ASKS | STREAMED
FAILED = {"status": 500, "json": {"error": {"message": "It broke."}}}


def remaining(answer):
    return int(answer.headers["x-ratelimit-remaining-tokens"])


@pytest.fixture(params=["late", "refused"])
def failed(request, start_relay, server, tmp_path):
    """Whether the first calls were late, and for each endpoint: the response to a request whose call fails, the response
    to the same request when the vendor answers, and the records of the first one. All wait at the same time."""
    is_late = request.param == "late"
    models = {name: f"{request.param}-{name}".replace(" ", "-") for name in FORWARDED}
    tokens = {name: f"token-of-{model}" for name, model in models.items()}
    keys = {f"KEY_A{at}_TOKEN": token for at, token in enumerate(tokens.values())}
    relay = start_relay(
        **keys, USAGE_LOG_FILE=tmp_path / "records", FALLBACK_DEADLINE="4s", RATE_LIMIT_CHAT=TOKENS, RATE_LIMIT_IMAGES=TOKENS,
        RATE_LIMIT_AUDIO=TOKENS, PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_COST="1/2",
        PROVIDER_ROW_API_KEYS="late-key-1,late-key-2", PROVIDER_ROW_MODELS=",".join(f"{model}=at/{model}" for model in models.values()),
    )  # fmt: skip

    def asked(name):
        with plain(relay, tokens[name]) as http:
            return FORWARDED[name](http, models[name])

    with ThreadPoolExecutor(len(models)) as pool:
        for model in models.values():
            server.says(f"at/{model}", {"gate": threading.Event()} if is_late else FAILED)
        first = dict(zip(models, pool.map(asked, models), strict=True))
        for model in models.values():
            server.says(f"at/{model}", {})
        second = dict(zip(models, pool.map(asked, models), strict=True))
    records = File(tmp_path / "records").more(4 * len(models))
    ids = {name: answer.headers["x-request-id"] for name, answer in first.items()}
    yield is_late, {
        name: (first[name], second[name], [record for record in records if record["request_id"] == ids[name]]) for name in models
    }
    server.take_violations()


def test_a_forwarded_request_that_is_too_late_pays_for_its_prompt_and_its_time(failed):
    is_late, answers = failed
    for name, (first, second, records) in answers.items():
        assert (first.status_code, second.status_code) == (504 if is_late else 502, 200), name
        request, call = sorted(records, key=lambda record: "kind" in record)
        for record in (request, call):
            # Until the deadline, a vendor writes 50 tokens a second.
            has_output = is_late and name not in ("embeddings", "moderations", "rerank")
            assert record["completion_tokens"] in (range(190, 400) if has_output else (0,)), (name, record)
            assert record["cost"] == pytest.approx((record["prompt_tokens"] + 2 * record["completion_tokens"]) / 1000), (name, record)
        assert ("FALLBACK_DEADLINE" if is_late else "500") in call["error"], (name, call)
        # Both reserve the same, so that the difference is what the first one used.
        assert remaining(first) - remaining(second) == request["tokens"] == call["tokens"], name
        has_texts = "generations" in name or name in ("edits", "embeddings", "moderations", "rerank", "speech", "streamed speech")
        assert (request["prompt_tokens"] > 0) == (is_late and has_texts), name


PICTURE = picture("mine")
FLUX = "black-forest-labs/flux-dev"
"""1min.ai makes its images one by one."""
EDITED = {"image": ("a.png", PICTURE, "image/png")}
MADE = {
    "forwarded": ("row", lambda http, n: generate(http, model="m", n=n)),
    "forwarded and streamed": ("row", lambda http, n: generate(http, model="m", n=n, stream=True)),
    "forwarded edits": ("row", lambda http, n: http.post("/v1/images/edits", data={"model": "m", "prompt": "x", "n": n}, files=EDITED)),
    "forwarded variations": ("row", lambda http, n: http.post("/v1/images/variations", data={"model": "m", "n": n}, files=EDITED)),
    "generations": ("main", lambda http, n: generate(http, model="dall-e-2", n=n)),
    "generations by several calls": ("main", lambda http, n: generate(http, model=FLUX, n=n)),
    "edits": ("main", lambda http, n: http.post("/v1/images/edits", data={"model": "gpt-image-1", "prompt": "x", "n": n}, files=EDITED)),
    "variations": ("main", lambda http, n: http.post("/v1/images/variations", data={"model": "dall-e-2", "n": n}, files=EDITED)),
}  # fmt: skip


memcached = memcached_of_file()


@pytest.fixture(scope="module", params=["memory", "memcached"])
def counting(request, launch, server, memcached, new_key):
    """A relay with a limit of three images, and the key of its provider of the kind onemin."""
    shared = {"MEMCACHED_SERVERS": memcached.address, "MEMCACHED_TIMEOUT": "5s"} if request.param == "memcached" else {}
    key = new_key()
    tokens = {f"KEY_A{at}_TOKEN": f"token-of-images-{at}-{request.param}" for at in range(30)}
    relay = launch(
        **tokens, **shared, RATE_LIMIT_IMAGES="3 images/hour", RATE_LIMIT_CHAT="3 images/hour",
        **provider("ROW", "openai", server.base_url, "m=at/m", TIMEOUT="300ms"), **provider("MAIN", "onemin", API_KEY=key, TIMEOUT="300ms"),
    )  # fmt: skip
    return relay, key, iter(tokens.values())


@pytest.fixture
def http(counting):
    relay, _, tokens = counting
    with plain(relay, next(tokens)) as own:
        yield own


@pytest.fixture
def vendors(counting, server, vendor):
    """`vendors(provider, fault)`: the provider's next calls have this fault; without one they succeed."""
    key = counting[1]

    def answer(provider, fault=None):
        if provider == "row":
            server.says("at/m", {None: {}, "refused": FAILED, "late": {"gate": threading.Event()}}[fault])
        else:
            busy = {"status": 500, "json": {"message": "no"}}
            vendor.answers(key, {None: {}, "refused": busy, "late": {"stall_at": -1}}[fault])

    yield answer
    vendor.answers(key, {})
    server.take_violations()


@pytest.mark.parametrize("name", MADE)
def test_images_that_the_vendor_refused_are_given_back(http, vendors, name):
    provider, make = MADE[name]
    vendors(provider, "refused")
    for _ in range(2):
        wait_for(lambda: make(http, 3).status_code == 502)
    vendors(provider)
    wait_for(lambda: make(http, 3).status_code == 200)
    assert make(http, 1).status_code == 429


@pytest.mark.parametrize("name", ["forwarded", "generations", "generations by several calls"])
def test_images_that_the_vendor_may_have_made_are_spent(http, vendors, name):
    provider, make = MADE[name]
    vendors(provider, "late")
    assert make(http, 3).status_code == 504
    vendors(provider)
    assert make(http, 1).status_code == 429


def test_images_of_chats_that_the_vendor_refused_are_given_back(http, vendors, is_streamed):
    vendors("main", "refused")
    for _ in range(4):
        wait_for(lambda: ask(http, model="dall-e-2", stream=is_streamed).status_code == 502)
    vendors("main")
    for _ in range(3):
        wait_for(lambda: ask(http, model="dall-e-2", stream=is_streamed).status_code == 200)
    assert ask(http, model="dall-e-2", stream=is_streamed).status_code == 429


GOOD = {"answer": "good"} | metadata()
CLAUDE = "claude-sonnet-4-5"


@pytest.fixture
def choosing(start_relay, vendor, anthropic_server, new_key, tmp_path, caller):
    """`choosing(kind)`: a client of a provider that makes one of three choices at a time, of which the second fails; and the
    relay and its records."""

    def made(kind, *answers):
        key = new_key()
        relay = start_relay(
            USAGE_LOG_FILE=tmp_path / "records", KEY_A_TOKEN="token-of-choices", RATE_LIMIT_CHAT=TOKENS, RATE_LIMIT_IMAGES="3 images/hour",
            **provider("ONE", kind, anthropic_server.base_url if kind == "anthropic" else None, f"m={CLAUDE}" if kind == "anthropic" else f"m=gpt-4o-mini,flux={FLUX}", API_KEY=key, CONCURRENCY=1, COST="1/2"),
        )  # fmt: skip
        if kind == "anthropic":
            anthropic_server.says(CLAUDE, {"usage": {"input_tokens": 10, "output_tokens": 20}}, FAILED, {"usage": {"input_tokens": 10, "output_tokens": 20}})
        else:
            vendor.answers(key, *(answers or (GOOD, FAILED, GOOD)))
        return caller(relay, "token-of-choices"), relay, File(tmp_path / "records")

    yield made
    anthropic_server.take_violations()


@pytest.mark.parametrize("kind", ["onemin", "anthropic"])
def test_choices_that_came_are_delivered_and_paid(choosing, kind, is_streamed):
    http, relay, records = choosing(kind)
    if is_streamed:
        got = stream(http, model="m", n=3)
        assert [got.finish(index) for index in range(3)] == ["stop", None, "stop"]
        assert got.error["code"] == "upstream_error" and not got.is_done
        answer = got
    else:
        answer = ask(http, model="m", n=3)
        assert answer.status_code == 200 and len(answer.json()["choices"]) == 2
        usage = answer.json()["usage"]
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (10, 40)
        assert answer.headers["x-relay-cost"] == "0.1"
        assert metric(relay, "relay_upstream_errors_total", provider="one", cause="failed") == 1
    request, *calls = records.more(4)
    assert (request["prompt_tokens"], request["completion_tokens"], request["success"]) == (10, 40, not is_streamed)
    assert [(call["tokens"], call["success"]) for call in calls] == [(30, True), (0, False), (30, True)]
    assert request["cost"] == pytest.approx(sum(call["cost"] for call in calls)) == 0.1
    # What was reserved of the first request was given back.
    again = ask(http, model="m", max_tokens=100)
    assert remaining(again) > N - 50 - 200


def test_if_the_first_choice_fails_there_is_no_response(choosing, is_streamed):
    http, _, records = choosing("onemin", FAILED, GOOD, GOOD)
    answer = stream(http, model="m", n=3) if is_streamed else ask(http, model="m", n=3)
    assert (answer.status if is_streamed else answer.status_code) == 502
    request, call = records.more(2)
    assert request["tokens"] == call["tokens"] == 0


def test_images_that_came_are_delivered_and_paid(choosing):
    http, relay, records = choosing("onemin", {}, FAILED, {})
    answer = generate(http, model="flux", n=3)
    assert answer.status_code == 200 and len(answer.json()["data"]) == 2
    assert [call["success"] for call in records.more(4)[1:]] == [True, False, True]
    assert generate(http, model="flux").status_code == 200
    assert generate(http, model="flux").status_code == 429
