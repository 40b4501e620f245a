"""Several providers behind one model name: turns, fallback, cooldowns of keys, the circuit breaker."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import local_http
import pytest
from chat import (
    ask,
    body,
    either,
    plain,
    refusal,
    stream,
    streamed,
    text_of,
    vendor_error,
)
from pictures import picture

OK = {"answer": "served"}
FAILED = {"status": 500, "text": ""}
PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def asks(http, count):
    for _ in range(count):
        assert ask(http).status_code == 200


@pytest.mark.parametrize(
    ("settings", "order"),
    [({"PROVIDER_B_WEIGHT": 2}, "abbabb"), ({"PROVIDER_A_WEIGHT": 3, "BALANCE": "smooth"}, "aabaaaba")],
    ids=["sequence", "smooth"],
)
def test_each_provider_is_used_as_often_as_its_weight_says(serve, settings, order):
    providers, http = serve(a=1, b=1, **settings)
    asks(http, len(order))
    assert providers.order() == order


def test_a_weight_of_zero_is_never_used_also_not_as_a_fallback(serve):
    providers, http = serve(a=1, b=1, c=1, PROVIDER_A_WEIGHT=3, PROVIDER_B_WEIGHTS="gpt-4o-mini=0")
    asks(http, 8)
    assert providers.order() == "aaacaaac"
    for name in "ac":
        providers.answers(name, FAILED)
    assert ask(http).status_code == 502
    assert providers.counts("b") == [0]


def test_weights_that_are_all_zero_are_an_unknown_model(serve):
    providers, http = serve(
        a=1, b=1, PROVIDER_A_MODELS="gpt-4o-mini,gpt-4o", PROVIDER_A_WEIGHTS="gpt-4o-mini=0", PROVIDER_B_WEIGHT=0,
        FALLBACK_MODEL="gpt-4o",
    )  # fmt: skip
    status, error, _ = refusal(http)
    assert (status, error["code"]) == (404, "model_not_found")
    assert [model["id"] for model in http.get("/v1/models").json()["data"]] == ["gpt-4o"]
    assert providers.order() == ""


def test_each_caller_has_turns_of_their_own_unless_these_are_global(serve, caller):
    tokens = {"KEY_ONE_TOKEN": "token-of-caller-one-1", "KEY_TWO_TOKEN": "token-of-caller-two-2"}
    for scope, order in (("caller", "aabb"), ("global", "abab")):
        providers, http = serve(a=1, b=1, BALANCE_SCOPE=scope, **tokens)
        one, two = (caller(http.relay, token) for token in tokens.values())
        for client in (one, two, one, two):
            asks(client, 1)
        assert providers.order() == order


def test_a_request_that_reaches_no_vendor_takes_no_turn(serve):
    providers, http = serve(a=1, b=1, RATE_LIMIT="4/hour")
    for _ in range(2):
        asks(http, 1)
        assert ask(http, logprobs=True).status_code == 400
        assert ask(http, prompt=7).status_code == 400
    asks(http, 2)
    assert ask(http).status_code == 429
    assert providers.order() == "abab"


def test_a_lower_priority_goes_first(serve):
    providers, http = serve(a=1, b=1, c=1, PROVIDER_A_PRIORITY=2, PROVIDERS="c,b")
    asks(http, 3)
    providers.answers("b", FAILED)
    providers.answers("c", FAILED)
    answer = ask(http)
    assert answer.headers["x-relay-provider"] == "a" and answer.headers["x-relay-attempts"] == "3"
    assert providers.order() == "cbc" + "bca"


def test_shares_are_exact_under_many_requests_at_once(serve):
    providers, http = serve(a=1, b=1, c=1, PROVIDER_B_WEIGHT=2, PROVIDER_C_WEIGHT=5, THREADS=2)

    async def all_at_once():
        limits = httpx.Limits(max_connections=50)
        async with local_http.AsyncClient(base_url=http.relay.base_url, timeout=60, limits=limits) as client:
            asked = (client.post("/v1/chat/completions", json=body()) for _ in range(200))
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert asyncio.run(all_at_once()) == [200] * 200
    assert [providers.counts(name) for name in "abc"] == [[25], [50], [125]]


FAULTS = [
    ({"status": 500, "text": "<html>"}, True), ({"status": 503, "text": ""}, True),
    ({"status": 404, "json": vendor_error("Cannot POST")}, True), ({"status": 408, "text": ""}, True),
    ({"status": 429, "json": vendor_error("Too many")}, True), ({"status": 401, "json": vendor_error("No")}, True),
    ({"status": 402, "json": vendor_error("Pay")}, True), ({"status": 403, "json": vendor_error("Forbidden")}, True),
    ({"status": 406, "json": vendor_error("Pay", code="INSUFFICIENT_CREDITS")}, True),
    ({"status": 400, "json": vendor_error("Invalid model gpt-4o-mini for AI feature X!")}, True),
    ({"status": 200, "text": "no json"}, True), ({"cut_at": -1}, True), ({"cut_at": 10}, True),
    ({"delay_head": 30}, True),
    ({"status": 400, "json": vendor_error("prompt is wrong")}, False),
    ({"status": 413, "json": vendor_error("too large")}, False),
    ({"status": 422, "json": vendor_error("no")}, False),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "goes_on"), FAULTS)
def test_faults(serve, vendor, fault, goes_on, is_streamed):
    providers, http = serve(a=1, b=1, PROVIDER_A_TIMEOUT="300ms", PROVIDER_B_PRIORITY=2)
    providers.answers("a", fault)
    providers.answers("b", OK)
    if goes_on:
        assert either(http, is_streamed)[0] == "served"
        assert providers.order() == "ab"
    else:
        status, _, headers = refusal(http, is_streamed)
        assert status == 400
        assert headers["x-relay-provider"] == "a" and providers.order() == "a"


def test_signs_of_life_are_no_answer(serve, vendor, clock, pool):
    wall = clock(0)
    providers, http = serve(a=1, b=1, **wall.environment)
    providers.answers("a", {"stall_at": -1, "status": 500, "text": ""})
    providers.answers("b", OK)
    content, begun = b"", threading.Event()
    pool.submit(wall.advance_until, begun.is_set, 15)
    with http.stream("POST", "/v1/chat/completions", json=body(stream=True)) as answer:
        begun.set()
        assert answer.status_code == 200
        vendor.release(providers.keys["a"][0])
        content = b"".join(answer.iter_bytes())
    got = streamed(200, answer.headers, content)
    assert got.is_done and got.text() == "served" and providers.order() == "ab"


def test_all_failures_are_told_without_keys_and_addresses(serve, is_streamed):
    providers, http = serve(a=1, b=1, PROVIDER_B_PRIORITY=2, PROVIDER_B_TIMEOUT="200ms")
    providers.answers("a", {"status": 429, "json": vendor_error("slow down")})
    providers.answers("b", {"delay_head": 30})
    status, error, headers = refusal(http, is_streamed)
    assert status == 504 and plain(error["message"]) == "All providers failed: a: 429 rate limited; b: timeout"
    assert headers["x-relay-attempts"] == "2"


def test_only_rate_limits_are_a_rate_limit(serve):
    providers, http = serve(a=1, b=1)
    providers.answers("a", {"status": 429, "json": vendor_error("a"), "headers": {"Retry-After": "7"}})
    providers.answers("b", {"status": 429, "json": vendor_error("b"), "headers": {"Retry-After": "9"}})
    status, error, headers = refusal(http)
    assert (status, error["code"], headers["retry-after"]) == (429, "rate_limit_exceeded", "7")
    assert headers["x-relay-limited-by"] == "upstream"
    providers.answers("a", FAILED)
    assert refusal(http)[0] == 502


def test_an_only_candidate_is_tried_more_often_too(serve, is_streamed):
    providers, http = serve(a=1, PROVIDER_A_RETRIES=2)
    providers.answers("a", FAILED, FAILED, OK)
    assert (stream(http).text() if is_streamed else text_of(ask(http))) == "served"
    assert providers.order() == "aaa"


def test_a_candidate_that_lacks_something_is_left_to_others(serve, vendor):
    providers, http = serve(
        a=1, b=1, PROVIDER_A_MODELS="m=qwen3-max", PROVIDER_B_MODELS="m=gpt-4o-mini", ANONYMOUS_MODELS="all"
    )
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    message = {"role": "user", "content": parts}
    for _ in range(2):
        answer = http.post("/v1/chat/completions", json={"model": "m", "messages": [message]})
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-relay-provider"] == "b"


def test_a_prompt_too_long_for_one_model_is_left_to_others(serve):
    models = {"PROVIDER_A_MODELS": "m=gpt-3.5-turbo", "PROVIDER_B_MODELS": "m=gpt-4o-mini"}
    providers, http = serve(a=1, b=1, **models)
    answer = ask(http, "many words " * 12_000, model="m")
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "b"
    assert refusal(http, model="m", messages=[{"role": "user", "content": "many words " * 90_000}])[1]["code"] == (
        "context_length_exceeded"
    )
    assert providers.counts("a") == [0]


def test_a_picture_is_uploaded_anew_for_another_provider_or_key(serve, vendor):
    providers, http = serve(a=2, b=1, PROVIDER_B_PRIORITY=2)
    for key, status in zip(providers.keys["a"], (402, 429), strict=True):
        vendor.answers(key, {"status": status, "json": vendor_error("no")})
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    answer = ask(http, messages=[{"role": "user", "content": parts}])
    assert answer.status_code == 200 and answer.headers["x-relay-attempts"] == "3"
    assert [len(vendor.uploads(key)) for key in providers.keys["a"] + providers.keys["b"]] == [1, 1, 1]


def test_other_endpoints_go_elsewhere_too(serve, vendor):
    providers, http = serve(
        a=1, b=1, PROVIDER_A_MODELS="dall-e-3,tts-1", PROVIDER_B_MODELS="dall-e-3,tts-1", PROVIDER_B_PRIORITY=2
    )
    providers.answers("a", FAILED)
    image = http.post("/v1/images/generations", json={"model": "dall-e-3", "prompt": "a house"})
    assert image.status_code == 200 and image.headers["x-relay-provider"] == "b"
    speech = http.post("/v1/audio/speech", json={"model": "tts-1", "input": "Hi", "voice": "alloy"})
    assert speech.status_code == 200 and speech.headers["x-relay-provider"] == "b"


DRAWING = picture("drawing")
SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40)
UPLOADS = {
    "audio/transcriptions": ("whisper-1", {}, {"file": ("a.wav", SOUND, "audio/wav")}),
    "audio/translations": ("whisper-1", {}, {"file": ("a.wav", SOUND, "audio/wav")}),
    "images/edits": ("gpt-image-1", {"prompt": "a hat"}, {"image": ("a.png", DRAWING, "image/png")}),
    "images/variations": ("dall-e-2", {}, {"image": ("a.png", DRAWING, "image/png")}),
}


@pytest.fixture(params=UPLOADS)
def uploading(request, serve):
    """`providers, http, upload = uploading(BREAKER_FAILURES=2)`: two providers of a model, and its call with an upload."""
    model, fields, files = UPLOADS[request.param]

    def made(**more):
        models = {f"PROVIDER_{name}_MODELS": f"{model},gpt-4o-mini" for name in "AB"}
        providers, http = serve(a=1, b=1, **models, **more)
        return providers, http, lambda: http.post(f"/v1/{request.param}", data={"model": model} | fields, files=files)

    return made


def by(answers):
    assert [answer.status_code for answer in answers] == [200] * len(answers), answers[-1].text
    return "".join(answer.headers["x-relay-provider"] for answer in answers)


def test_calls_with_uploads_take_turns(uploading):
    _, _, upload = uploading()
    assert by([upload() for _ in range(4)]) == "abab"


def test_calls_with_uploads_pass_over_a_broken_provider(uploading, vendor):
    providers, _, upload = uploading(BREAKER_FAILURES=2)
    key = providers.keys["a"][0]
    vendor.answers(key, FAILED)
    vendor.answers(f"upload:{key}", FAILED)
    assert by([upload() for _ in range(6)]) == "bbbbbb"
    assert len(vendor.requests(key)) == 2


def test_calls_with_uploads_pass_over_a_provider_without_room(uploading, vendor):
    providers, http, upload = uploading(PROVIDER_A_CONCURRENCY=1)
    key = providers.keys["a"][0]
    vendor.answers(key, {"stall_at": -1, "answer": "served"})
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(ask, http)
        vendor.wait(key, "stalled", 1)
        try:
            assert by([upload() for _ in range(2)]) == "bb"
        finally:
            vendor.release(key)
        assert text_of(held.result()) == "served"


KEY_FAULTS = [
    {"status": 401, "json": vendor_error("API Key has been deleted")},
    {"status": 402, "json": vendor_error("Pay")},
    {"status": 403, "json": vendor_error("Forbidden")},
    {"status": 406, "json": vendor_error("Pay", code="INSUFFICIENT_CREDITS")},
    {"status": 429, "json": vendor_error("Too many"), "headers": {"Retry-After": "60"}},
]


@pytest.mark.parametrize("fallback", ["true", "false"])
@pytest.mark.parametrize("fault", KEY_FAULTS)
def test_the_next_key_is_asked_and_the_first_rests(serve, vendor, fault, fallback, is_streamed):
    providers, http = serve(a=2, FALLBACK=fallback)
    vendor.answers(providers.keys["a"][0], fault)
    for _ in range(5):
        either(http, is_streamed)
    assert providers.counts("a") == [1, 5]
    line = http.relay.wait_for_line(lambda line: "failed" in line)
    assert line["failed"].startswith("a k1: ") and line["status"] == 200
    metrics = http.get("/metrics").text
    assert any('provider="a"' in row and not row.endswith(" 0") for row in metrics.splitlines() if "refused" in row)
    assert 'relay_provider_key_resting{provider="a",key="k1"} 1\n' in metrics and 'key="k2"' not in metrics


def test_keys_that_all_fail_are_one_failure_of_the_provider(serve, vendor):
    providers, http = serve(a=2)
    first, second = providers.keys["a"]
    vendor.answers(first, {"status": 401, "json": vendor_error("no")})
    vendor.answers(second, {"status": 429, "json": vendor_error("no")})
    status, error, headers = refusal(http)
    assert status == 502 and error["message"].startswith("The provider refused the relay.")
    assert headers["x-relay-attempts"] == "2"


def test_a_provider_whose_keys_rest_is_passed_over(serve):
    providers, http = serve(a=1, b=1)
    providers.answers("a", {"status": 402, "json": vendor_error("no")})
    asks(http, 5)
    assert providers.order() == "abbbbb"


@pytest.mark.parametrize("status", [429, 503])
def test_no_wait_that_is_told_is_longer_than_a_rest(serve, status):
    providers, http = serve(a=1)
    never = {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}
    providers.answers("a", {"status": status, "json": vendor_error("no"), "headers": never})
    answer = ask(http)
    assert answer.status_code == status and answer.headers["retry-after"] == "86400"


def test_an_uploads_key_rests_too(serve, vendor):
    providers, http = serve(a=2, PROVIDER_A_MODELS="whisper-1,gpt-4o-mini")
    vendor.answers(f"upload:{providers.keys['a'][0]}", {"status": 402, "json": vendor_error("no")})
    statuses = [
        http.post(
            "/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("a.wav", SOUND, "audio/wav")}
        ).status_code
        for _ in range(3)
    ]
    assert statuses == [200, 200, 200]
    assert vendor.uploaded(providers.keys["a"][1]) == [SOUND] * 3


def test_streams_that_break_off_break_their_candidate(serve):
    providers, http = serve(a=1, b=1, PROVIDER_B_PRIORITY=2, BREAKER_FAILURES=2)
    broken = {"events": [["content", {"content": "begun"}], ["error", vendor_error("Internal")]]}
    providers.answers("a", broken, OK, broken, broken, OK)
    providers.answers("b", {"answer": "other"})
    assert [stream(http).text() for _ in range(5)] == ["begun", "served", "begun", "begun", "other"]
    assert providers.order() == "aaaab"


def test_broken_candidates_are_asked_if_no_other_is_left(serve):
    providers, http = serve(a=1, b=1, BREAKER_FAILURES=1)
    providers.answers("a", FAILED)
    providers.answers("b", FAILED)
    assert ask(http).status_code == 502
    providers.answers("a", OK)
    asks(http, 1)


def test_every_surface_goes_elsewhere(serve, is_streamed):
    providers, http = serve(a=1, b=1, PROVIDER_B_PRIORITY=2, BREAKER_FAILURES=100)
    providers.answers("a", FAILED)
    providers.answers("b", OK)
    hello = [{"role": "user", "content": "Hello"}]
    calls = {
        "/v1/completions": {"prompt": "Hello"},
        "/v1/responses": {"input": "Hello"},
        "/v1/messages": {"messages": hello, "max_tokens": 100},
    }
    for path, fields in calls.items():
        answer = http.post(path, json={"model": "gpt-4o-mini", "stream": is_streamed} | fields)
        assert answer.status_code == 200 and "served" in answer.text, answer.text
        assert answer.headers["x-relay-attempts"] == "2"
    providers.answers("b", FAILED)
    for path, fields in calls.items():
        answer = http.post(path, json={"model": "gpt-4o-mini", "stream": is_streamed} | fields)
        assert answer.status_code == 502
        assert plain(answer.json()["error"]["message"]) == "All providers failed: a: 500 failed; b: 500 failed"


def test_a_candidate_that_refused_costs_nothing(serve, is_streamed):
    left = []
    for first in (FAILED, OK):
        providers, http = serve(a=1, b=1, PROVIDER_B_PRIORITY=2, RATE_LIMIT_CHAT="90000 tokens/hour")
        providers.answers("a", first)
        providers.answers("b", OK)
        assert either(http, is_streamed)[0] == "served"
        left.append(ask(http).headers["x-ratelimit-remaining-tokens"])
    assert left[0] == left[1]


def test_who_leaves_after_another_candidate_refused_pays_the_prompt(serve, vendor):
    for first in (FAILED, OK):
        providers, http = serve(a=1, b=1, PROVIDER_B_PRIORITY=2, RATE_LIMIT_CHAT="90000 tokens/hour")
        providers.answers("a", first)
        providers.answers("b", {"stall_at": -1}, OK)
        if first is FAILED:
            with pytest.raises(httpx.ReadTimeout):
                http.post("/v1/chat/completions", json=body(), timeout=0.5)
            vendor.wait(providers.keys["b"][0], "client_closed")
            http.relay.wait_for_line(lambda line: line.get("status") == 499)
            left = int(ask(http).headers["x-ratelimit-remaining-tokens"])
        else:
            assert int(ask(http).headers["x-ratelimit-remaining-tokens"]) > left


def test_credits_are_held_if_any_candidate_takes_some(serve, vendor):
    limits = {"RATE_LIMIT_CHAT": "50 credits/hour", "PROVIDERS": "z", "PROVIDER_Z_KIND": "echo"}
    _, http = serve(a=1, PROVIDER_Z_MODELS="gpt-4o-mini,other", PROVIDER_A_PRIORITY=2, **limits)
    assert ask(http, model="other").status_code == 200
    assert refusal(http)[0] == 429


def test_the_offline_vendor_stands_in(serve, vendor):
    providers, http = serve(
        a=1, PROVIDER_Z_KIND="echo", PROVIDER_Z_MODELS="gpt-4o-mini", PROVIDER_Z_PRIORITY=2
    )
    providers.answers("a", FAILED)
    for is_streamed in (False, True):
        assert either(http, is_streamed, "hello there") == ("hello there", "stop")


TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


def test_chats_with_tools_or_pictures_skip_a_provider_that_excludes_them(serve):
    providers, http = serve(a=1, b=1, PROVIDER_A_TOOLS="false", PROVIDER_A_VISION="false", FALLBACK_ATTEMPTS=1)
    assert ask(http).status_code == 200
    picture = [{"type": "image_url", "image_url": {"url": PICTURE}}]
    for fields in ({"tools": TOOLS}, {"messages": [{"role": "user", "content": picture}]}):
        before = providers.counts("a")
        answer = ask(http, **fields)
        assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "b"
        assert providers.counts("a") == before


def test_if_all_exclude_them_the_field_is_named(serve):
    _, http = serve(a=1, PROVIDER_A_TOOLS="false", PROVIDER_A_VISION="false")
    answer = ask(http, tools=TOOLS)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "tools"
    picture = [{"type": "image_url", "image_url": {"url": PICTURE}}]
    answer = ask(http, messages=[{"role": "user", "content": picture}])
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith("messages[0].content[0]")
