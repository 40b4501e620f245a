"""Anthropic's messages by vendors with other APIs."""

import anthropic_vendor
import cloudflare_vendor
import cohere_vendor
import gemini_vendor
import officials
import openai_vendor
import pytest
from conftest import TEAM_TOKEN, VENDOR_KEY

# Rows of settings, with the models of each by the relay's names.
MODELS = {
    "open": {"open": "open-model", "plain-1": "plain-1", "plain-2": "plain-2", "plain-3": "plain-3"}, "resp": {"resp": "resp-model"}, "cf": {"cf": "@cf/x/model"},
    "co": {"command": "command-a-03-2025", "thinker": "command-a-reasoning-08-2025"},
    "gem": {"flash": "gemini-2.5-flash", "pro": "gemini-3.1-pro"}, "claude": {"opus": "claude-opus-4-8"},
}  # fmt: skip
ROWS = {name: (row, model) for row, models in MODELS.items() for name, model in models.items()}
KINDS = {"open": "openai", "resp": "openai", "cf": "cloudflare", "co": "cohere", "gem": "gemini", "claude": "anthropic"}
WEATHER = {"name": "weather", "input_schema": {"type": "object"}}


@pytest.fixture(scope="module")
def sites():
    open_server = openai_vendor.Server()
    sites = {
        "open": open_server, "resp": open_server, "cf": cloudflare_vendor.start(), "co": cohere_vendor.start(),
        "gem": gemini_vendor.start(), "claude": anthropic_vendor.AnthropicServer(),
    }  # fmt: skip
    yield sites
    for site in {id(site): site for site in sites.values()}.values():
        site.stop()


@pytest.fixture(scope="module")
def elsewhere_relay(launch, sites):
    settings = {"PROVIDER_RESP_CHAT_VIA": "responses", "PROVIDER_CF_ACCOUNT_ID": cloudflare_vendor.ACCOUNT}
    for row, kind in KINDS.items():
        models = ",".join(f"{name}={model}" for name, model in MODELS[row].items())
        more = {"KIND": kind, "BASE_URL": sites[row].base_url, "API_KEY": VENDOR_KEY, "MODELS": models}
        settings |= {f"PROVIDER_{row.upper()}_{name}": value for name, value in more.items()}
    return launch(KEY_TEAM_TOKEN=TEAM_TOKEN, **settings)


official = officials.openai_of("elsewhere_relay")
anthropics = officials.anthropic_of("elsewhere_relay")


@pytest.fixture
def ask(anthropics, sites):
    """Calls a model by its name. Returns the vendor's last request."""

    def ask(name, *answers, **fields):
        row, model = ROWS[name]
        sites[row].says(model, *(answers or [{"content": [anthropic_vendor.text("Fine.")]} if row == "claude" else {"text": "Fine."}]))
        asked = {"model": name, "max_tokens": 6000, "messages": [{"role": "user", "content": "Hi"}]} | fields
        assert anthropics.messages.create(**asked).content
        return sites[row].asked(model)[-1]["body"]

    yield ask
    assert [one for site in sites.values() for one in site.take_violations()] == []


@pytest.mark.parametrize("content", ["boom", "", None], ids=["words", "empty", "missing"])
@pytest.mark.parametrize("name", ["open", "resp", "cf", "command"])
def test_a_failed_result_says_so(ask, name, content):
    use = [{"type": "tool_use", "id": f"toolu_{at}", "name": "weather", "input": {}} for at in (1, 2)]
    failed = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True} | ({} if content is None else {"content": content})
    results = [failed, {"type": "tool_result", "tool_use_id": "toolu_2", "content": "sunny"}]
    turns = [{"role": "assistant", "content": use}, {"role": "user", "content": results}]
    body = ask(name, tools=[WEATHER], messages=[{"role": "user", "content": "Hi"}, *turns])
    said = [one["output"] if name == "resp" else one["content"] for one in (body.get("messages") or body["input"])[-2:]]
    assert said == [f"Error: {content or ''}", "sunny"]


@pytest.mark.parametrize("required", [["n"], []])
@pytest.mark.parametrize("name", ["open", "resp"])
def test_a_schema_is_strict_only_by_openais_rules(ask, name, required):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": required, "additionalProperties": False}
    tool = {"name": "count", "input_schema": schema, "strict": True}
    body = ask(name, {"text": "{}" if not required else '{"n":1}'}, tools=[tool], output_config={"format": {"type": "json_schema", "schema": schema}})
    form = body["text"]["format"] if name == "resp" else body["response_format"]["json_schema"]
    (sent,) = body["tools"]
    assert form["strict"] is (sent if name == "resp" else sent["function"])["strict"] is bool(required)


# Each asks for thinking; then comes what the vendors are told.
THINKING = {
    "off": ({"type": "disabled"}, "none", 0, None), "a little": ({"type": "enabled", "budget_tokens": 1500}, "low", 1500, 1500),
    "some": ({"type": "enabled", "budget_tokens": 5000}, "medium", 5000, 5000), "much": ({"type": "enabled", "budget_tokens": 9000}, "high", 9000, 9000),
    "its own way": ({"type": "adaptive"}, "medium", 8192, 4096),
}  # fmt: skip


@pytest.mark.parametrize("wish", THINKING)
def test_thinking_is_told_in_the_vendors_words(ask, wish):
    thinking, effort, budget, tokens = THINKING[wish]
    asked = {"thinking": thinking, "max_tokens": 10_000}
    assert ask("open", **asked)["reasoning_effort"] == ask("cf", **asked)["reasoning_effort"] == effort
    is_off = effort == "none"
    assert ask("resp", **asked)["reasoning"] == {"effort": effort} | ({} if is_off else {"summary": "auto"})
    assert ask("thinker", **asked)["thinking"] == ({"type": "disabled"} if is_off else {"type": "enabled", "token_budget": tokens})
    shown = {} if is_off else {"includeThoughts": True}
    assert ask("flash", **asked)["generationConfig"]["thinkingConfig"] == shown | {"thinkingBudget": budget}
    # This one always thinks.
    assert ask("pro", **asked)["generationConfig"]["thinkingConfig"] == shown | {"thinkingLevel": "low" if is_off else effort}


def test_an_effort_beside_thinking(ask):
    for kind, effort in [("adaptive", "high"), ("disabled", "none")]:
        body = ask("open", thinking={"type": kind}, output_config={"effort": "high"})
        assert body["reasoning_effort"] == effort
    body = ask("resp", thinking={"type": "adaptive", "display": "omitted"})
    assert body["reasoning"] == {"effort": "medium"}
    hidden = ask("pro", thinking={"type": "adaptive", "display": "omitted"})
    assert hidden["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "medium"}
    assert "reasoning_effort" not in ask("open") and "reasoning" not in ask("resp")


@pytest.mark.parametrize(
    "name, status, refusal, effort",
    [
        # vLLM, Ollama and Groq.
        ("plain-1", 400, {"object": "error", "type": "BadRequestError", "code": 400, "message":
            "[{'type': 'literal_error', 'loc': ('body', 'reasoning_effort'), 'msg': \"Input should be 'low', 'medium' or 'high'\", 'input': 'none'}]"}, "low"),
        ("plain-2", 400, {"error": {"message": '"small" does not support thinking', "type": "invalid_request_error", "param": None, "code": None}}, None),
        ("plain-3", 400, {"error": {"message": "reasoning_effort must be one of `default` or `on`", "type": "invalid_request_error"}}, None),
    ],
)  # fmt: skip
def test_an_effort_that_a_server_refuses(ask, sites, name, status, refusal, effort):
    refused = {"status": status, "json": refusal}
    thinking = {"type": "adaptive" if name == "plain-2" else "disabled"}
    assert ask(name, refused, {"text": "Fine."}, thinking=thinking).get("reasoning_effort") == effort
    # It is remembered.
    assert ask(name, thinking=thinking).get("reasoning_effort") == effort
    assert len(sites["open"].asked(name)) == 1


def anthropics_parts():
    first, second = [anthropic_vendor.thought(f"Thought {at}.", f"{anthropic_vendor.SIGNATURE}{at}") for at in (1, 2)]
    one, two = [anthropic_vendor.use(f"toolu_{at}", "weather", {"at": at}) for at in (1, 2)]
    sealed = anthropic_vendor.sealed(anthropic_vendor.SEALED + "3")
    return [first, anthropic_vendor.text("A"), one, second, sealed, anthropic_vendor.text("B"), two, anthropic_vendor.text("C")]


def googles_parts(site, is_streamed):
    parts = [{"text": "A"}, {"functionCall": {"name": "weather", "args": {"at": 1}}}, {"text": "B"},
             {"functionCall": {"name": "weather", "args": {"at": 2}}}, {"text": "C"}]  # fmt: skip
    if not is_streamed:
        return {"json": site.wire.answer(parts, "STOP", {})}
    return {"events": [site.wire.answer([part], "STOP" if part == parts[-1] else None, {}) for part in parts]}


def test_calls_stay_between_texts_and_thoughts(anthropics, sites, is_streamed):
    """They are also sent back in this order."""
    parts = anthropics_parts()
    # What the client makes of the response goes back as it is.
    sites["claude"].says(MODELS["claude"]["opus"], {"content": parts, "open": True}, {"content": [anthropic_vendor.text("Fine.")], "open": True})
    asked = {"model": "opus", "max_tokens": 4000, "tools": [WEATHER], "thinking": {"type": "adaptive"}}
    history = [{"role": "user", "content": "Hi"}]
    content = officials.message(anthropics, is_streamed, messages=history, **asked).content
    assert [block.type for block in content] == [part["type"] for part in parts]
    results = [{"type": "tool_result", "tool_use_id": f"toolu_{at}", "content": "Sunny"} for at in (1, 2)]
    history += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
    anthropics.messages.create(messages=history, **asked)
    sent = sites["claude"].asked(MODELS["claude"]["opus"])[-1]["body"]["messages"][1]["content"]
    assert sent == parts
    assert sites["claude"].take_violations() == []


def test_calls_stay_between_items(official, sites, is_streamed):
    parts = anthropics_parts()
    sites["claude"].says(MODELS["claude"]["opus"], {"content": parts}, {"content": [anthropic_vendor.text("Fine.")]})
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
    asked = {"model": "opus", "store": False, "tools": [tool], "reasoning": {"effort": "low"}}
    output = officials.response(official, is_streamed, input="Hi", **asked).output
    kinds = {"thinking": "reasoning", "redacted_thinking": "reasoning", "text": "message", "tool_use": "function_call"}
    assert [item.type for item in output] == [kinds[part["type"]] for part in parts]
    items = [item.model_dump(exclude_unset=True, exclude={"parsed_arguments"}) for item in output]
    results = [{"type": "function_call_output", "call_id": f"toolu_{at}", "output": "Sunny"} for at in (1, 2)]
    official.responses.create(input=[{"role": "user", "content": "Hi"}, *items, *results], **asked)
    sent = sites["claude"].asked(MODELS["claude"]["opus"])[-1]["body"]["messages"][1]["content"]
    assert [block["type"] for block in sent] == [part["type"] for part in parts]
    assert sites["claude"].take_violations() == []


def test_googles_calls_stay_between_texts(anthropics, sites, is_streamed):
    sites["gem"].says(MODELS["gem"]["pro"], googles_parts(sites["gem"], is_streamed))
    asked = {"model": "pro", "max_tokens": 4000, "tools": [WEATHER], "messages": [{"role": "user", "content": "Hi"}]}
    content = officials.message(anthropics, is_streamed, **asked).content
    assert [block.type for block in content] == ["text", "tool_use", "text", "tool_use", "text"]
    assert [block.text for block in content if block.type == "text"] == ["A", "B", "C"]
    assert sites["gem"].take_violations() == []
