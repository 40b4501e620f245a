"""Prices: what a response costs by its usage, in each form in which vendors report it."""

import pytest
from anthropic_vendor import AnthropicServer
from chat import PATH, ask, body
from conftest import TEAM_TOKEN, VENDOR_KEY, running
from gemini_vendor import start
from metered import metadata
from openai_responses import events as response_events
from openai_responses import output, response
from openai_vendor import Server, chunk, usage_chunk, whole
from relay_process import provider
from usage import is_call, newer

CLAUDE = "3/15/0.3/3.75/6 per million"
GPT = "2.50/10/1.25 per million"
AUDIO = "2.50/10/1.25/2.5/2.5/40/80 per million"
LONG_GPT = "2.50/10/0.25 per million over 272000 5/15"
GEMINI = "1.25/10/0.125 per million over 200000 2.5/15/0.25"
FLASH = "0.30/2.50/0.03/0.3/0.3/1.00 per million"
MODELS = {"ANT": "claude-sonnet-4-5", "GPT": "big/model:1", "RSP": "responding/1", "GEM": "gemini-2.5-pro"}


def claude(new, out=50, **more):
    return {"input_tokens": new, "output_tokens": out} | more


def wrote(short, long):
    return {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long}


def gpt(prompt=1000, completion=500, **more):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion} | more


def cached(tokens, **more):
    return {"prompt_tokens_details": {"cached_tokens": tokens} | more}


def rsp(**details):
    usage = {"input_tokens": 1000, "output_tokens": 500, "total_tokens": 1500, "input_tokens_details": {"cached_tokens": 0}}
    return usage | {"output_tokens_details": {"reasoning_tokens": 100}} | details


def gem(prompt=1000, candidates=300, thoughts=200, **more):
    return {"promptTokenCount": prompt, "candidatesTokenCount": candidates, "thoughtsTokenCount": thoughts} | more


def heard(tokens):
    return [{"modality": "TEXT", "tokenCount": 1}, {"modality": "AUDIO", "tokenCount": tokens}]


# The provider, the price, the reported usage, what the response has beside it, and the cost in millionths of a dollar.
TABLE = {
    "plain": ("ANT", CLAUDE, claude(100), {}, 100 * 3 + 50 * 15),
    "read": ("ANT", CLAUDE, claude(100, cache_read_input_tokens=700), {}, 300 + 700 * 0.3 + 750),
    "written": ("ANT", CLAUDE, claude(100, cache_creation_input_tokens=200, cache_read_input_tokens=700), {}, 300 + 750 + 210 + 750),
    "both writes": (
        "ANT", CLAUDE, claude(100, cache_creation_input_tokens=300, cache_creation=wrote(200, 100), cache_read_input_tokens=700), {},
        300 + 200 * 3.75 + 100 * 6 + 210 + 750,
    ),
    "only the parts of writes": ("ANT", CLAUDE, claude(100, cache_creation=wrote(200, 100)), {}, 300 + 750 + 600 + 750),
    "written for an hour": ("ANT", CLAUDE, claude(0, 10, cache_creation_input_tokens=100, cache_creation=wrote(0, 100)), {}, 600 + 150),
    "writes without a price": ("ANT", "3/15/0.3 per million", claude(100, cache_creation_input_tokens=200), {}, 300 * 3 + 750),
    "hours without a price": (
        "ANT", "3/15/0.3/3.75 per million", claude(0, cache_creation_input_tokens=100, cache_creation=wrote(0, 100)), {}, 375 + 750,
    ),
    "a tier without a price": ("ANT", CLAUDE + " batch 1.5/7.5", claude(100, service_tier="priority"), {}, 1050),
    "fast": ("ANT", CLAUDE + " fast 30/150", claude(100, service_tier="standard", speed="fast"), {}, 3000 + 7500),
    "searches": ("ANT", CLAUDE, claude(100, server_tool_use={"web_search_requests": 2, "web_fetch_requests": 0}), {}, 1050 + 20000),
    "more searches than there can be": ("ANT", CLAUDE, claude(100, server_tool_use={"web_search_requests": 1_000_000}), {}, 1050 + 100 * 10000),
    "a tool without a fee": ("ANT", CLAUDE, claude(100, server_tool_use={"web_search_requests": 1, "web_fetch_requests": 4}), {}, 11050),
    "run code": ("ANT", CLAUDE, claude(100, server_tool_use={"code_execution_requests": 3}), {}, 1050 + 150000),
    "chat": ("GPT", GPT, gpt(), {}, 2500 + 5000),
    "chat cached": ("GPT", GPT, gpt(**cached(600)), {}, 400 * 2.5 + 600 * 1.25 + 5000),
    "reasoning": ("GPT", GPT, gpt(completion_tokens_details={"reasoning_tokens": 300}), {}, 7500),
    "reasoning beside the completion": (
        "GPT", GPT, gpt(total_tokens=2000, completion_tokens_details={"reasoning_tokens": 500}), {}, 2500 + 10000,
    ),
    "audio": (
        "GPT", AUDIO, gpt(prompt_tokens_details={"audio_tokens": 400}, completion_tokens_details={"audio_tokens": 200}), {},
        600 * 2.5 + 400 * 40 + 300 * 10 + 200 * 80,
    ),
    "audio at the price of text": ("GPT", GPT, gpt(prompt_tokens_details={"audio_tokens": 400}), {}, 7500),
    "audio beside what was cached": ("GPT", AUDIO, gpt(**cached(700, audio_tokens=400)), {}, 700 * 1.25 + 300 * 40 + 5000),
    "cached audio": (
        "GPT", AUDIO, gpt(**cached(500, audio_tokens=400, cached_tokens_details={"audio_tokens": 300})), {},
        400 * 2.5 + 500 * 1.25 + 100 * 40 + 5000,
    ),
    "flex": ("GPT", GPT + " flex 1.25/5/0.625", gpt(**cached(600)), {"service_tier": "flex"}, 500 + 375 + 2500),
    "chat with writes": ("GPT", "2.50/10/0.25/3.125 per million", gpt(**cached(600, cache_write_tokens=200)), {}, 500 + 150 + 625 + 5000),
    "chat over its bound": ("GPT", LONG_GPT, gpt(300000, 100, **cached(250000)), {}, 300000 * 5 + 1500),
    "DeepSeek": ("GPT", "0.28/0.42/0.028 per million", gpt(prompt_cache_hit_tokens=600), {}, 112 + 16.8 + 210),
    "OpenRouter's cost": ("GPT", "reported 0.001/0.004", gpt(cost=0.00014, cost_details={}), {}, 140),
    "no cost reported": ("GPT", "reported 0.001/0.004", gpt(), {}, 1000 + 2000),
    "no cost reported, and no price": ("GPT", "reported", gpt(), {}, None),
    "a cost of nothing": ("GPT", "reported 0.001/0.004", gpt(cost=0), {}, 0),
    "a cost that nobody asked for": ("GPT", GPT, gpt(cost=12.5), {}, 7500),
    "Perplexity's cost": ("GPT", "reported", gpt(cost={"input_tokens_cost": 0.1, "total_cost": 0.25}), {}, 250000),
    "OpenRouter's searches": ("GPT", GPT, gpt(server_tool_use={"web_search_requests": 3}), {}, 7500 + 30000),
    "Responses": ("RSP", GPT, rsp(), {}, 7500),
    "Responses with searches": (
        "RSP", GPT, rsp(input_tokens_details={"cached_tokens": 600}), {"tools": ["web_search_call", "web_search_call"]}, 6750 + 20000,
    ),
    "Responses with code": ("RSP", GPT, rsp(), {"tools": ["code_interpreter_call"]}, 7500 + 30000),
    "a word of the vendor's own": ("ANT", CLAUDE + " ultrafast 30/150", claude(100, service_tier="ultrafast"), {}, 3000 + 7500),
    "a word without a price": ("ANT", CLAUDE, claude(100, service_tier="ultrafast"), {}, 1050),
    "Responses at a tier": ("RSP", GPT + " priority 5/20", rsp(), {"service_tier": "priority"}, 15000),
    "thoughts": ("GEM", GEMINI, gem(), {}, 1250 + 5000),
    "Gemini cached": ("GEM", GEMINI, gem(cachedContentTokenCount=600), {}, 500 + 75 + 5000),
    "Gemini hears": ("GEM", FLASH, gem(promptTokensDetails=heard(400)), {}, 180 + 400 + 1250),
    "Gemini heard it before": (
        "GEM", FLASH, gem(promptTokensDetails=heard(400), cachedContentTokenCount=600, cacheTokensDetails=heard(300)), {},
        90 + 18 + 100 + 1250,
    ),
}  # fmt: skip


google = running(start)


claudes = running(AnthropicServer)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("prices") / "usage.log"


@pytest.fixture(scope="module")
def relay(launch, server, claudes, google, path):
    settings = {}
    for by, model in MODELS.items():
        rows = [(index, price) for index, (own, price, *_) in enumerate(TABLE.values()) if own == by]
        settings[f"PROVIDER_{by}_MODELS"] = ",".join(f"row-{index}={model}" for index, _ in rows)
        settings[f"PROVIDER_{by}_COSTS"] = ",".join(f"row-{index}={price}" for index, price in rows)
        settings[f"PROVIDER_{by}_API_KEY"] = VENDOR_KEY
    return launch(
        **settings, KEY_TEAM_TOKEN=TEAM_TOKEN, USAGE_LOG_FILE=path, RATE_LIMIT="off",
        **provider("ANT", "anthropic", claudes.base_url, FEES="web_search=0.01,code_execution=0.05"),
        **provider("GPT", "openai", server.base_url, FEES="web_search=0.01"),
        **provider("RSP", "openai", server.base_url, CHAT_VIA="responses", FEES="code_execution=0.03, web_search=0.01"),
        PROVIDER_GEM_KIND="gemini", PROVIDER_GEM_BASE_URL=google.base_url + "/v1beta",
    )  # fmt: skip


def script(provider, usage, more, is_streamed):
    if provider in ("ANT", "GEM"):
        return {"usage": usage}
    if provider == "RSP":
        items = [{"id": f"ws_{at}", "type": kind, "status": "completed"} for at, kind in enumerate(more.get("tools", ()))]
        told = {"items": items + output({})}
        ended = response(told, usage=usage, service_tier=more.get("service_tier", "default"))
        if not is_streamed:
            return {"json": ended}
        return {"events": [*response_events(told)[:-1], {"type": "response.completed", "response": ended}]}
    if not is_streamed:
        return {"json": whole({}) | {"usage": usage} | more}
    return {"events": [event | more for event in (chunk({"content": "Hi"}), chunk({}, "stop"), usage_chunk(**usage))]}


@pytest.mark.parametrize("name", TABLE)
def test_what_a_usage_costs(relay, server, claudes, google, caller, path, name, is_streamed):
    provider, _, usage, more, cost = TABLE[name]
    fake = {"ANT": claudes, "GEM": google}.get(provider, server)
    fake.says(MODELS[provider], script(provider, usage, more, is_streamed))
    records = newer(path)
    http, model = caller(relay, TEAM_TOKEN), f"row-{list(TABLE).index(name)}"
    if is_streamed:
        answer = http.post(PATH, json=body(model=model, stream=True, max_tokens=2000))
    else:
        answer = ask(http, model=model, max_tokens=2000)
    assert answer.status_code == 200, answer.text
    if not is_streamed:
        header = answer.headers.get("x-relay-cost")
        assert header is None if cost is None else float(header) == pytest.approx(cost / 1e6, abs=1e-12)
    expected = None if cost is None else pytest.approx(cost / 1e6, abs=1e-12)
    for record in records.more(2):
        assert record["cost"] == expected, ("call" if is_call(record) else "request", record)
        if is_call(record):
            lacks = ("a tool without a fee", "a tier without a price", "a word without a price")
            assert record.get("cost_is_partial", False) is (name in lacks)
    if name == "a word without a price":
        # Another row may have been first: the model is named once an hour.
        warned = relay.wait_for_line(lambda line: "service_tier" in line)
        assert (warned["level"], warned["provider"], warned["model"]) == ("warning", "ant", MODELS["ANT"])
        assert len([line for line in relay.log_lines() if "service_tier" in line]) == 1


LONG = {"min_prompt_tokens": 1001, "prompt": "0.000005", "input_cache_read": "0.0000005"}
LISTED = {
    "id": "listed/1",
    "pricing": {
        "prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.00000025", "request": "0",
        "overrides": [LONG, {"min_prompt_tokens": 1000, "prompt": "0.000003"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("serves_list", [True, False], ids=["whole list", "named"])
def test_prices_of_the_vendors_list(start_relay, caller, serves_list):
    vendor = Server()
    try:
        vendor.models = [LISTED, {"id": "unpriced/1"}, {"id": "other/1"}]
        vendor.says("listed/1", {"json": whole({}) | {"usage": gpt(**cached(600))}})
        models = {"MODELS": "*,l=listed/1,u=unpriced/1", "COST": "list"} if serves_list else {"MODELS": "l=listed/1,u=unpriced/1", "COSTS": "l=list"}
        relay = start_relay(
            PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=vendor.base_url, PROVIDER_ROW_API_KEY=VENDOR_KEY,
            **{f"PROVIDER_ROW_{name}": value for name, value in models.items()}, KEY_TEAM_TOKEN=TEAM_TOKEN,
        )  # fmt: skip
        relay.wait_for_line(lambda line: line["message"] == "models read")
        http = caller(relay, TEAM_TOKEN)
        answer = ask(http, model="l", max_tokens=2000)
        assert float(answer.headers["x-relay-cost"]) == pytest.approx((400 * 3 + 600 * 0.25 + 5000) / 1e6)
        assert "x-relay-cost" not in ask(http, model="u").headers
        models = {model["id"]: model for model in http.get("/v1/models").json()["data"]}
        assert ("other/1" in models) is serves_list and {"l", "u"} <= set(models)
        long = sorted(LISTED["pricing"]["overrides"], key=lambda price: price["min_prompt_tokens"])
        shown = models["l"]["pricing"]["overrides"]
        assert [price["prompt"] for price in shown] == [price["prompt"] for price in long]
    finally:
        vendor.stop()


@pytest.mark.parametrize("price", ["", "0.001/0.004"])
def test_credits_have_a_price(start_relay, caller, vendor, new_key, price):
    """Twelve credits, whatever the tokens are."""
    key = new_key()
    vendor.answers(key, {"answer": "good"} | metadata(10, 20, 12))
    relay = start_relay(
        PROVIDER_A_KIND="onemin", PROVIDER_A_BASE_URL=vendor.base_url, PROVIDER_A_API_KEY=key, PROVIDER_A_CREDIT_COST="0.00001",
        **({"PROVIDER_A_COST": price} if price else {}), KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_RATE_LIMIT="0.00112 usd/hour",
    )  # fmt: skip
    http = caller(relay, TEAM_TOKEN)
    answers = [ask(http, max_tokens=5) for _ in range(10)]
    # The first request reserves 100 credits, the others what the first one cost.
    assert [answer.status_code for answer in answers] == [200] * 9 + [429]
    assert {float(answer.headers["x-relay-cost"]) for answer in answers[:9]} == {0.00012}


def test_models_show_the_prices_of_cache_writes_and_searches(relay, caller):
    listed = {model["id"]: model for model in caller(relay, TEAM_TOKEN).get("/v1/models").json()["data"]}
    assert listed["row-0"]["pricing"] == {
        "prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003", "input_cache_write": "0.00000375",
        "input_cache_write_1h": "0.000006", "web_search": "0.01",
    }  # fmt: skip
    index = list(TABLE).index("no cost reported, and no price")
    assert "pricing" not in listed[f"row-{index}"]
