"""Several providers behind one model name: turns, fallback, cooldowns of keys, the circuit breaker."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from chat import ask, plain, refusal, text_of, vendor_error
from pictures import picture

OK = {"answer": "served"}
FAILED = {"status": 500, "text": ""}
PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def asks(http, count):
    for _ in range(count):
        assert ask(http).status_code == 200


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


def test_a_picture_is_uploaded_anew_for_another_provider_or_key(serve, vendor):
    providers, http = serve(a=2, b=1, PROVIDER_B_PRIORITY=2)
    for key, status in zip(providers.keys["a"], (402, 429), strict=True):
        vendor.answers(key, {"status": status, "json": vendor_error("no")})
    parts = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    answer = ask(http, messages=[{"role": "user", "content": parts}])
    assert answer.status_code == 200 and answer.headers["x-relay-attempts"] == "3"
    assert [len(vendor.uploads(key)) for key in providers.keys["a"] + providers.keys["b"]] == [1, 1, 1]


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


def test_log_and_metrics_name_the_key_that_rests(serve, vendor):
    providers, http = serve(a=2)
    vendor.answers(providers.keys["a"][0], {"status": 401, "json": vendor_error("API Key has been deleted")})
    asks(http, 5)
    assert providers.counts("a") == [1, 5]
    line = http.relay.wait_for_line(lambda line: "failed" in line)
    assert line["failed"].startswith("a k1: ") and line["status"] == 200
    metrics = http.get("/metrics").text
    assert any('provider="a"' in row and not row.endswith(" 0") for row in metrics.splitlines() if "refused" in row)
    assert 'relay_provider_key_resting{provider="a",key="k1"} 1\n' in metrics and 'key="k2"' not in metrics


def test_an_uploads_key_rests_too(serve, vendor):
    providers, http = serve(a=2, PROVIDER_A_MODELS="whisper-1,gpt-4o-mini")
    vendor.answers(f"upload:{providers.keys['a'][0]}", {"status": 402, "json": vendor_error("no")})
    statuses = [
        http.post("/v1/audio/transcriptions", data={"model": "whisper-1"}, files={"file": ("a.wav", SOUND, "audio/wav")}).status_code
        for _ in range(3)
    ]
    assert statuses == [200, 200, 200]
    assert vendor.uploaded(providers.keys["a"][1]) == [SOUND] * 3


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


def test_credits_are_held_if_any_candidate_takes_some(serve, vendor):
    limits = {"RATE_LIMIT_CHAT": "50 credits/hour", "PROVIDERS": "z", "PROVIDER_Z_KIND": "echo"}
    _, http = serve(a=1, PROVIDER_Z_MODELS="gpt-4o-mini,other", PROVIDER_A_PRIORITY=2, **limits)
    assert ask(http, model="other").status_code == 200
    assert refusal(http)[0] == 429


TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


def test_if_all_exclude_them_the_field_is_named(serve):
    _, http = serve(a=1, PROVIDER_A_TOOLS="false", PROVIDER_A_VISION="false")
    answer = ask(http, tools=TOOLS)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "tools"
    picture = [{"type": "image_url", "image_url": {"url": PICTURE}}]
    answer = ask(http, messages=[{"role": "user", "content": picture}])
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith("messages[0].content[0]")
