"""Who pays for calls that failed: what limits, usage records and prices say about a call that had no use."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from limited import client as plain
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


# --- The deadline -----------------------------------------------------------------------------


@pytest.fixture(params=["late", "refused"])
def failed(request, start_relay, server, tmp_path):
    """Whether the first calls were late, and for each endpoint: the response to a request whose call fails, the response
    to the same request when the vendor answers, and the records of the first one. All wait at the same time."""
    is_late = request.param == "late"
    models = {name: f"{request.param}-{name}".replace(" ", "-") for name in FORWARDED}
    tokens = {name: f"token-of-{model}" for name, model in models.items()}
    keys = {f"KEY_A{at}_TOKEN": token for at, token in enumerate(tokens.values())}
    relay = start_relay(
        **keys, USAGE_LOG_FILE=tmp_path / "records", FALLBACK_DEADLINE="1s", RATE_LIMIT_CHAT=TOKENS, RATE_LIMIT_IMAGES=TOKENS,
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


def test_a_forwarded_request_that_is_too_late_pays_for_its_prompt(failed):
    is_late, answers = failed
    for name, (first, second, records) in answers.items():
        assert (first.status_code, second.status_code) == (504 if is_late else 502, 200), name
        request, call = sorted(records, key=lambda record: "kind" in record)
        for record in (request, call):
            assert record["completion_tokens"] == 0, (name, record)
            assert record["cost"] == record["prompt_tokens"] / 1000, (name, record)
        assert ("FALLBACK_DEADLINE" if is_late else "500") in call["error"], (name, call)
        # Both reserve the same, so that the difference is what the first one used.
        assert remaining(first) - remaining(second) == request["tokens"] == call["tokens"], name
        has_texts = "generations" in name or name in ("embeddings", "moderations", "speech", "streamed speech")
        assert (request["tokens"] > 0) == (is_late and has_texts), name
