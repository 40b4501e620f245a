"""Implausible usage that a vendor reports, or zero usage beside a text."""

import json

import metered
import pytest
from chat import ask, body
from conftest import TEAM_TOKEN, VENDOR_KEY, http_of
from limited import client as plain
from memcached import wait_for
from openai_vendor import chunk, usage_chunk, whole
from relay_process import preloads, provider
from usage import newer

TEXT = "one two three"
WRONG = "the provider reported impossible usage; the relay's own count is used"
EMBEDDED = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "emb/1"}
MILLION = "1000000 tokens/hour"


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("usage") / "records"


@pytest.fixture(scope="module")
def relay(launch, server, anthropic_server, path):
    """A relay with models of two APIs; `small` has a known largest output, context and price."""
    return launch(
        USAGE_LOG_FILE=path, KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_OTHER_TOKEN="another-token-of-others", RATE_LIMIT_CHAT=MILLION,
        KEY_RICH_TOKEN="the-token-of-rich-ones", KEY_RICH_RATE_LIMIT_CHAT="1000000000 tokens/hour",
        **provider("ROW", "openai", server.base_url, "a=row/1,b=row/2,d=row/4,e=row/5,emb=emb/1", API_KEY=VENDOR_KEY, COST="0.001/0.002"),
        **provider("SAGE", "anthropic", anthropic_server.base_url, "c=claude-sonnet-4-5", API_KEY=VENDOR_KEY, COST="0.001/0.002", FEES="web_search=0.01"),
    )  # fmt: skip


@pytest.fixture
def file(path):
    return newer(path)


team = http_of("relay", "server", is_strict=False)


rich = http_of("relay", "server", token="the-token-of-rich-ones", is_strict=False)
"""A caller for whom large usage is plausible."""


@pytest.fixture
def others(relay):
    with plain(relay, "another-token-of-others") as http:
        yield http


def told(completion, prompt=9):
    """Returns the usage object that the vendor reports."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": 17}


def says(server, usage, text=TEXT, model="row/1"):
    """Scripts the next whole response of the model. Returns the script of a streamed one."""
    scripts = [chunk({"role": "assistant", "content": text}), chunk({}, "stop"), usage_chunk(**usage)]
    server.says(model, {"json": whole({"text": text}) | {"usage": usage}})
    return {"events": scripts}


def asked(http, server, usage, *, is_streamed, **fields):
    """Returns the usage members of the response's text, and the parsed usage."""
    script = says(server, usage)
    fields = {"model": "a"} | fields
    if is_streamed:
        server.says("row/1", script)
        fields |= {"stream": True, "stream_options": {"include_usage": True}}
    answer = http.post("/v1/chat/completions", json=body(**fields))
    assert answer.status_code == 200, answer.text
    text = answer.text.split("data: ")[-2] if is_streamed else answer.text
    assert text.count('"usage"') == 1, text
    return json.loads(text)["usage"]


FALSE = [-1, -(2**31), 1.5, "7", 10**9, 10**12, 2**62, 2**63, 2**70, True, [5], {}]


@pytest.mark.parametrize("figure", FALSE, ids=str)
def test_a_completion_that_cannot_be_is_counted_by_the_relay(team, others, server, relay, file, figure, is_streamed):
    before = wrong_lines(relay)
    usage = asked(team, server, told(figure), is_streamed=is_streamed)
    assert usage["prompt_tokens"] == 9 and 1 <= usage["completion_tokens"] <= 10
    assert usage["total_tokens"] == 9 + usage["completion_tokens"]
    request, call = file.more(2)
    assert request["estimated"] and call["estimated"]
    assert request["completion_tokens"] == usage["completion_tokens"] and 0 < request["cost"] < 0.001
    # Nobody is kept out by it.
    server.says("row/1", {})
    assert ask(others, model="a").status_code == 200
    file.more(2)
    wait_for(lambda: wrong_lines(relay) == before + 1)


def wrong_lines(relay):
    lines = [line for line in relay.log_lines() if line["message"] == WRONG]
    assert all(line["provider"] in ("row", "sage") for line in lines)
    return len(lines)


@pytest.mark.parametrize("figure", [-1, 1.5, "7", 10**8, 10**12, 2**63], ids=str)
def test_a_prompt_that_cannot_be_is_counted_by_the_relay(team, server, file, figure, is_streamed):
    usage = asked(team, server, told(8, prompt=figure), is_streamed=is_streamed)
    assert usage == {"prompt_tokens": usage["prompt_tokens"], "completion_tokens": 8, "total_tokens": usage["prompt_tokens"] + 8}
    assert 1 <= usage["prompt_tokens"] < 20
    assert all(record["estimated"] for record in file.more(2))


def test_zeros_beside_a_text_are_not_believed(team, server, file, relay, is_streamed):
    for prompt, completion in [(9, 0), (0, 8), (0, 0)]:
        usage = asked(team, server, told(completion, prompt) | {"total_tokens": prompt + completion}, is_streamed=is_streamed)
        assert usage["prompt_tokens"] == 9 if prompt else 1 <= usage["prompt_tokens"] < 20
        assert usage["completion_tokens"] == 8 if completion else 1 <= usage["completion_tokens"] <= 10
        records = file.more(2)
        assert all(record["estimated"] and record["tokens"] == usage["total_tokens"] for record in records)
        told_lines = [line for line in relay.log_lines() if line.get("id") == records[0]["request_id"]]
        assert WRONG not in [line["message"] for line in told_lines]


@pytest.mark.parametrize(
    ("usage", "prompt", "completion"),
    [
        ({"prompt_tokens": 900, "completion_tokens": None}, 900, None), ({"prompt_tokens": 900}, 900, None),
        ({"prompt_tokens": 900, "total_tokens": 977}, 900, 77), ({"completion_tokens": 77}, None, 77),
        ({"completion_tokens": 77, "total_tokens": 977, "prompt_tokens": None}, 900, 77),
    ],
    ids=str,
)  # fmt: skip
def test_of_two_figures_one_may_be_missing(team, server, file, usage, prompt, completion, is_streamed):
    told = asked(team, server, usage, is_streamed=is_streamed)
    assert told["prompt_tokens"] == prompt if prompt else 1 <= told["prompt_tokens"] < 20
    assert told["completion_tokens"] == completion if completion else 1 <= told["completion_tokens"] <= 10
    is_estimated = not (prompt and completion)
    assert all(record.get("estimated", False) is is_estimated and record["tokens"] == told["total_tokens"] for record in file.more(2))


def test_tools_and_formats_are_part_of_a_prompt_without_usage(team, server, file, is_streamed):
    about = "What this is for, in words that make up a text of some length. " * 20
    tools = [{"type": "function", "function": {"name": f"tool_{n}", "description": about, "parameters": {"type": "object"}}} for n in range(4)]
    form = {"type": "json_schema", "json_schema": {"name": "form", "schema": {"type": "object", "description": about}}}
    for fields, least in (({"tools": tools}, 1000), ({"response_format": form}, 250), ({"tools": tools, "tool_choice": "none"}, 1)):
        usage = asked(team, server, told(None, prompt=None), is_streamed=is_streamed, **fields)
        assert least <= usage["prompt_tokens"] <= 2 * least + 20
        assert all(record["prompt_tokens"] == usage["prompt_tokens"] and record["cost"] >= least / 10**6 for record in file.more(2)[:1])


def test_a_completion_of_nothing_may_have_no_tokens(team, server, file):
    says(server, told(0) | {"total_tokens": 9}, text="")
    answer = ask(team, model="a").json()
    assert answer["usage"] == {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}
    assert not any("estimated" in record for record in file.more(2))


def test_all_else_is_believed(rich, server, file, is_streamed):
    """Reasoning without its own count, and additions of searches and documents: forty times the relay's own count, and
    more."""
    for figure in (120, 10_000, 900_000):
        usage = asked(rich, server, told(figure, prompt=500_000) | {"total_tokens": 500_000 + figure}, is_streamed=is_streamed)
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (500_000, figure)
        request, call = file.more(2)
        assert "estimated" not in request and call["completion_tokens"] == figure


def test_the_larger_of_the_callers_and_the_models_bound_counts(rich, anthropic_server, server, file):
    """The largest output of these models is unknown. The relay adds room for reasoning, which counts."""
    for fields, figure, is_believed in [
        ({"max_tokens": 50}, 50, True), ({"max_tokens": 50}, 51, False), ({}, 900_000, True), ({}, 1_000_001, False),
        ({"max_tokens": 50, "reasoning_effort": "high"}, 9_000, True),
        ({"max_tokens": 50, "reasoning_effort": "high"}, 90_000, False),
    ]:  # fmt: skip
        anthropic_server.says("claude-sonnet-4-5", {"usage": {"input_tokens": 10, "output_tokens": figure}})
        answer = ask(rich, model="c", **fields)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["usage"]["completion_tokens"] == figure) == is_believed, answer.text
        request, _ = file.more(2)
        assert ("estimated" not in request) == is_believed
    says(server, told(51) | {"total_tokens": 60})
    assert ask(rich, model="a", max_tokens=50).json()["usage"]["completion_tokens"] < 10
    file.more(2)


def test_impossible_numbers_of_searches_are_lowered_and_cost_their_fee(rich, anthropic_server, file):
    for figure in (10**6, 2**40, 2**60, 10**30):
        usage = {"input_tokens": 10, "output_tokens": 5, "server_tool_use": {"web_search_requests": figure}}
        anthropic_server.says("claude-sonnet-4-5", {"usage": usage})
        assert ask(rich, model="c").status_code == 200
        _, call = file.more(2)
        assert call["tool_uses"] == {"web_search": 100} and call["cost"] == pytest.approx(100 * 0.01 + 20 / 1e6)


def test_the_first_vendors_figures_are_judged_by_its_list(start_relay, vendor, new_key, is_streamed):
    """gpt-4o-mini: at most 16,384 tokens, in a context of 128,000; the relay applies the caller's bound itself."""
    key = new_key()
    with plain(start_relay(), key) as http:
        for prompt, figure, is_believed in [(10, 16_384, True), (10, 16_385, False), (128_001, 8, False), (128_000, 8, True)]:
            vendor.answers(key, {"answer": TEXT} | metered.metadata(prompt, figure))
            fields = {"stream": True, "stream_options": {"include_usage": True}} if is_streamed else {}
            answer = ask(http, max_tokens=500, **fields).text
            usage = json.loads(answer.split("data: ")[-2] if is_streamed else answer)["usage"]
            assert (usage["prompt_tokens"] == prompt and usage["completion_tokens"] == figure) == is_believed, usage


def test_usage_beside_too_few_choices_is_judged(team, others, server, file):
    for alias, figure in (("b", "7"), ("d", 2**63), ("e", -1)):
        script = whole({"text": TEXT}) | {"usage": told(8, prompt=figure)}
        script["choices"][0]["message"]["images"] = [{"image_url": {"url": "http://x/y"}}]
        server.says({"b": "row/2", "d": "row/4", "e": "row/5"}[alias], {"json": script})
        answer = ask(team, model=alias, n=2).json()
        assert [choice["message"]["content"] for choice in answer["choices"]] == [TEXT + "![Image 1](http://x/y)"] * 2
        assert 1 <= answer["usage"]["prompt_tokens"] < 20 and answer["usage"]["completion_tokens"] == 16
        request, *_ = file.more(3)
        assert request["tokens"] == answer["usage"]["total_tokens"]
        assert ask(others, model="a").status_code == 200
        file.more(2)


def test_the_metric_counts_each_call(team, server, relay, file):
    asked(team, server, told(10**12), is_streamed=False)
    file.more(2)
    with plain(relay) as http:
        lines = [line for line in http.get("/metrics").text.splitlines() if line.startswith("relay_upstream_impossible_usage_total{")]
    assert any(line.startswith('relay_upstream_impossible_usage_total{provider="row"} ') for line in lines), lines


def test_embeddings_are_judged_too(team, server, file):
    for figure in (-5, 10**12, 1.5):
        server.says("emb/1", {"json": EMBEDDED | {"usage": {"prompt_tokens": figure, "total_tokens": figure}}})
        assert team.post("/v1/embeddings", json={"model": "emb", "input": "one two"}).status_code == 200
        request, call = file.more(2)
        assert request["estimated"] and 1 <= call["prompt_tokens"] < 10


@preloads
def test_a_wrong_mean_is_cut_to_the_limit_and_forgotten(start_relay, server, clock):
    """The mean is plausible, but too large for the limit that later requests must fit in."""
    own = clock(0)
    relay = start_relay(
        RATE_LIMIT_CHAT="10000 tokens/10 minutes", KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_OTHER_TOKEN="another-token-of-others",
        KEY_THIRD_TOKEN="the-third-token-of-others", **provider("ROW", "openai", server.base_url, "a=row/1"), **own.environment,
    )  # fmt: skip
    with plain(relay, TEAM_TOKEN) as team, plain(relay, "another-token-of-others") as others:
        says(server, told(160_000) | {"total_tokens": 160_009})
        assert ask(team, model="a").status_code == 200
        server.says("row/1", {"status": 400, "json": {"error": {"message": "no"}}})
        answer = ask(others, model="a")
        assert answer.status_code == 400, answer.text
        assert answer.headers["x-ratelimit-remaining-tokens"] == "0"
        # The caller's own bound refuses nothing.
        assert ask(others, model="a", max_tokens=10_000).status_code == 400
        for minutes, held in [(10, 10_000), (50, 10_000), (60, 5_000), (70, 4_096), (1_000, 4_096)]:
            own.set(minutes * 60 + 5)
            left = int(ask(others, model="a").headers["x-ratelimit-remaining-tokens"])
            assert abs(10_000 - left - held) < 20, (minutes, left)
    server.take_violations()
