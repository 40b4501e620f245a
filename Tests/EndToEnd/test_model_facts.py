"""Facts in lists of models, as clients read them, and as `relay models` prints them."""

import json
import subprocess

import anthropic
import httpx2
import openai
import pytest
from conftest import VENDOR_KEY
from openai_vendor import Server
from relay_process import binary, provider

TOKEN = "token-of-the-one-who-lists"
ROUTED = {
    "id": "big/routed", "created": 1700000001, "context_length": 65536, "supported_parameters": ["temperature", "tools", "reasoning", 7, "a b"],
    "top_provider": {"max_completion_tokens": 8192},
    "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
    "pricing": {"prompt": "0.00000025", "completion": 0.000001, "input_cache_read": "-1", "image": "x", "request": "0", "web_search": "9"},
}  # fmt: skip
SERVED = {"id": "served", "max_model_len": 4096}
ODD = {"id": "odd", "context_length": -5, "max_output_tokens": "many", "pricing": [], "architecture": {"input_modalities": "text"}}


@pytest.fixture(scope="module")
def lists():
    server = Server()
    server.models = [ROUTED, SERVED, ODD, {"id": "bare"}]
    yield server
    server.stop()


def settings(lists):
    return {
        **provider("A", "onemin", API_KEY="key-of-the-relay-0", COSTS="gpt-4o=0.0025/0.01/0.00125,o3-mini=0", COST="0.001/0.002", MODEL_INFO="gpt-4o=output:99,reasoning:true;o3=tools:false,context:77,created:1800000000,owned_by:me"),
        "KEY_ANN_TOKEN": TOKEN,
        **provider("B", "openai", lists.base_url, "*,gpt-4.1=big/routed", API_KEY=VENDOR_KEY, MODEL_INFO="bare=input_modalities:text+audio,supported_parameters:top_p\nserved=vision:true", VISION="true"),
        "PANEL_DUO_MODELS": "gpt-4o,o3", "PANEL_DUO_SUMMARY_MODEL": "gpt-4o", "MODEL_REPLACEMENTS": "o3:gpt-4o",
    }  # fmt: skip


@pytest.fixture(scope="module")
def telling(launch, lists):
    relay = launch(**settings(lists))
    relay.wait_for_line(lambda line: line["message"] == "models read")
    return relay


@pytest.fixture(scope="module")
def listed(telling):
    with openai.OpenAI(api_key=TOKEN, base_url=telling.v1, max_retries=0, http_client=httpx2.Client(trust_env=False)) as client:
        return {model.id: model.model_dump() for model in client.models.list()}


EMULATED = ["max_tokens", "stop", "tools", "tool_choice", "response_format", "structured_outputs"]
NAMES = ("context_length", "max_output_tokens", "max_completion_tokens", "pricing", "architecture", "capabilities", "supported_parameters")


def told(entry):
    return {name: entry[name] for name in NAMES if name in entry}


def test_a_model_of_the_catalogue(listed):
    assert told(listed["gpt-4o"]) == {
        "context_length": 128000, "max_output_tokens": 99, "max_completion_tokens": 99,
        "pricing": {"prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.00000125"},
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "capabilities": ["tools", "vision", "reasoning", "structured_outputs", "streaming", "web_search"],
        "supported_parameters": [*EMULATED, "web_search_options", "reasoning"],
    }  # fmt: skip
    assert listed["o3-mini"]["pricing"] == {"prompt": "0", "completion": "0"}, "a price of zero is known"
    assert listed["gpt-4o-mini"]["pricing"] == {"prompt": "0.000001", "completion": "0.000002"}
    assert listed["qwen3.7-plus"].keys() & {"context_length", "max_output_tokens"} == set()
    code = listed["qwen3-coder-plus"]
    assert "web_search" not in code["capabilities"] and code["context_length"] == 1000000
    image = told(listed["gpt-image-1"])
    assert image == {"pricing": image["pricing"], "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["image"]}}
    assert listed["whisper-1"]["architecture"] == {"input_modalities": ["audio"], "output_modalities": ["text"]}


def test_settings_correct_it(listed):
    o3 = listed["o3"]
    assert (o3["context_length"], o3["created"], o3["owned_by"]) == (77, 1800000000, "me") and "tools" not in o3["capabilities"]
    assert not {"tools", "tool_choice"} & set(o3["supported_parameters"]) and "response_format" in o3["supported_parameters"]
    assert listed["bare"]["architecture"] == {"input_modalities": ["text", "audio"]}
    assert listed["bare"]["supported_parameters"] == ["top_p"] and "vision" in listed["served"]["capabilities"]


def test_the_list_of_another_vendor(listed):
    assert told(listed["big/routed"]) == {
        "context_length": 65536, "max_output_tokens": 8192, "max_completion_tokens": 8192,
        "pricing": {"prompt": "0.00000025", "completion": "0.000001", "request": "0", "web_search": "9"},
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "capabilities": ["tools", "vision", "reasoning", "structured_outputs", "streaming"],
        "supported_parameters": ["temperature", "tools", "reasoning"],
    }  # fmt: skip
    assert listed["big/routed"]["created"] == 1700000001
    assert listed["served"]["context_length"] == 4096 and "max_output_tokens" not in listed["served"]
    assert told(listed["odd"]) == {"capabilities": ["tools", "structured_outputs", "streaming"], "supported_parameters": EMULATED}


def test_a_model_of_two_providers_has_the_smallest_window(listed):
    both = listed["gpt-4.1"]
    assert (both["context_length"], both["max_output_tokens"]) == (65536, 8192)
    assert both["pricing"]["prompt"] == "0.000001" and both["supported_parameters"] == ["tools"]
    assert "web_search" not in both["capabilities"] and "vision" in both["capabilities"]


def test_nothing_is_known_of_a_panel(listed):
    assert told(listed["duo"]) == {}


def test_what_is_listed_is_never_billed(telling, lists, caller):
    lists.says("big/routed", {})
    http = caller(telling, TOKEN)
    answer = http.post("/v1/chat/completions", json={"model": "big/routed", "messages": [{"role": "user", "content": "a"}]})
    assert answer.status_code == 200 and "x-relay-cost" not in answer.headers


def test_anthropics_client_reads_it(telling):
    with anthropic.Anthropic(api_key=TOKEN, base_url=telling.base_url, max_retries=0, http_client=httpx2.Client(trust_env=False)) as client:
        models = {model.id: model for model in client.models.list(limit=1000)}
        one = client.models.retrieve("gpt-4o")
    assert one == models["gpt-4o"] and not one.model_extra
    assert (one.max_input_tokens, one.max_tokens, one.lifecycle, one.retires_at) == (128000, 99, "active", None)
    able = one.capabilities
    assert able.image_input.supported and able.structured_outputs.supported and able.thinking.supported
    assert able.server_tools.supported and able.server_tools.web_search.supported and not able.batch.supported
    assert models["o3"].lifecycle == "deprecated", "a replacement is set"
    assert models["qwen3.7-plus"].max_tokens is None and not models["qwen3.7-plus"].capabilities.image_input.supported
    assert not models["duo"].capabilities.structured_outputs.supported


def test_rules_of_other_clients(listed):
    """An entry, as OpenCode's discovery and Roo read it."""
    for name, entry in listed.items():
        limit = {"context": entry.get("context_length") or entry.get("max_input_tokens"), "output": entry.get("max_output_tokens")}
        price = entry.get("pricing") or {}
        cost = {part: float(price[part]) * 1e6 for part in ("prompt", "completion", "input_cache_read", "input_cache_write") if part in price}
        roo = {"contextWindow": entry.get("context_length"), "maxTokens": entry.get("max_output_tokens"), "images": "vision" in entry.get("capabilities", ())}
        if name == "gpt-4o":
            assert limit == {"context": 128000, "output": 99} and roo == {"contextWindow": 128000, "maxTokens": 99, "images": True}
            assert cost == {"prompt": 2.5, "completion": 10.0, "input_cache_read": 1.25}
        if name == "odd":
            assert limit == {"context": None, "output": None} and cost == {}
        assert all(value is None or isinstance(value, int) and value > 0 for value in limit.values())


def printed(*words, **environment):
    return subprocess.run([str(binary()), *words], env=environment, capture_output=True, text=True, timeout=60)


def test_the_command_tells_the_same(lists, listed):
    done = printed("models", "--json", **settings(lists))
    rows = {(row["model"], row["provider"]): row for row in json.loads(done.stdout)}
    assert told(rows["gpt-4o", "a"]) == told(listed["gpt-4o"])
    text = printed("models", **settings(lists)).stdout
    (line,) = [line for line in text.splitlines() if line.startswith("gpt-4o ")]
    assert "128000" in line and "vision" in line and "CONTEXT" in text.splitlines()[0]


def test_the_command_reads_the_lists(lists, source):
    live = settings(lists) | {"PROVIDER_A_BASE_URL": source.base_url}
    rows = {(row["model"], row["provider"]): row for row in json.loads(printed("models", "--live", "--json", **live).stdout)}
    assert rows["gpt-4o", "a"]["list"] == "active" and rows["black-forest-labs/flux-schnell", "a"]["list"] == "disabled"
    assert rows["o3-mini", "a"]["list"] == "dated 2026-10-21" and rows["gpt-5", "a"]["list"] == "dated 2026-12-09"
    assert rows["big/routed", "b"]["context_length"] == 65536
    text = printed("models", "--live", **live).stdout
    assert "dated 2026-10-21" in text and "disabled" in text
    source.lists(only={"UNIFY_CHAT_WITH_AI": [{"modelId": "gpt-4o"}, {"modelId": "brand-new"}]})
    rows = {(row["model"], row["provider"]): row for row in json.loads(printed("models", "--live", "--json", **live).stdout)}
    assert rows["o3-mini", "a"]["list"] == "not on the list" and rows["brand-new", "a"]["list"] == "active"


def test_a_list_that_cannot_be_read_is_told(lists):
    live = settings(lists) | {"PROVIDER_A_BASE_URL": "http://127.0.0.1:9"}
    done = printed("models", "--live", **live)
    assert done.returncode == 0 and "cannot read the model list of a" in done.stderr and "not read" in done.stdout
    assert printed("models", "--live", "--x", **live).returncode == 64


@pytest.mark.parametrize(
    ("info", "part"),
    [
        ("gpt-4o", "no model before ="), ("gpt-4o=colour:red", "is not one of context, output"), ("gpt-4o=context:many", "context must be a number"),
        ("gpt-4o=context:0", "context must be a number"), ("gpt-4o=tools:maybe", "tools must be true or false"),
        ("gpt-4o=context", "is not word:value"), ("gpt-4o=context:1;gpt-4o=output:1", "is listed twice"),
        ("gpt-4o=input_modalities:a b", "must be names joined by +"), ("gpt-4o=prompt:0.1", "is not one of"), ("=context:1", "no model before ="),
    ],
)  # fmt: skip
def test_a_fact_that_is_none_is_a_problem(lists, info, part):
    done = printed("check", **(settings(lists) | {"PROVIDER_A_MODEL_INFO": info}))
    assert done.returncode == 78 and "PROVIDER_A_MODEL_INFO" in done.stderr and part in done.stderr, done.stderr
