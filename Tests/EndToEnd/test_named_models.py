"""Models that a request names beside its own: in tools, plugins, fallbacks and unknown fields. With a key of the relay, only those that the caller may use
reach the vendor, by the vendor's ids."""

import json
import random

import local_http
import pytest
from anthropic_vendor import all_events, whole
from conftest import CLAUDE_KEY, TEAM_TOKEN, VENDOR_KEY
from operating import SETTINGS, Operator
from relay_process import provider

OWN, CHEAP, SECRET = "claude-opus-5-5", "claude-haiku-5-5", "claude-opus-4-8"
GPT, MINI, DEAR = "gpt/own", "gpt/mini", "gpt/dear"
OPEN = {"open": True, "own_headers": ["anthropic-beta"]}
USER = {"role": "user", "content": "Hi"}


@pytest.fixture(scope="module")
def relay(launch, server, anthropic_server):
    return launch(
        **provider("ANT", "anthropic", anthropic_server.base_url, f"claude={OWN},little={CHEAP},secret={SECRET}", API_KEY=CLAUDE_KEY),
        **provider("ROW", "openai", server.base_url, f"gpt={GPT},mini={MINI},dear={DEAR}", API_KEY=VENDOR_KEY),
        **provider("VIA", "openai", server.base_url, "via=via/own,viamini=via/mini,viadear=via/dear", API_KEY=VENDOR_KEY, CHAT_VIA="responses"),
        KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_MODELS="claude,little,gpt,mini,via,viamini", BREAKER_FAILURES="1000",
    )  # fmt: skip


@pytest.fixture
def http(relay, server, anthropic_server):
    with local_http.Client(base_url=relay.base_url, headers={"x-api-key": TEAM_TOKEN, "Content-Type": "application/json"}, timeout=30) as client:
        yield client
    server.take_violations()


class Surface:
    def __init__(self, path, body, vendor_model, names):
        self.path, self.body, self.vendor_model = path, body, vendor_model
        self.alias, self.id, self.other_alias, self.other_id = names


SURFACES = {
    "messages": Surface("/v1/messages", {"model": "claude", "max_tokens": 1000, "messages": [USER]}, OWN, ("little", CHEAP, "secret", SECRET)),
    "count_tokens": Surface("/v1/messages/count_tokens", {"model": "claude", "messages": [USER]}, OWN, ("little", CHEAP, "secret", SECRET)),
    "chat": Surface("/v1/chat/completions", {"model": "gpt", "messages": [USER]}, GPT, ("mini", MINI, "dear", DEAR)),
    "responses": Surface("/v1/responses", {"model": "via", "input": "Hi", "store": False}, "via/own", ("viamini", "via/mini", "viadear", "via/dear")),
}  # fmt: skip

NAMES = ["model", "Model", "models", "model_id", "model_name", "advisor_model", "advisorModel", "advisorModelId", "REVIEW-MODEL", "m\\u006fdel", "mode\\u006c", "judge.models"]
SERVER_TOOL = {"type": "web_research_20270101", "name": "research"}


def places(name, value):
    """Places of a member in a request: the JSON text of a top-level member, and where its value is after parsing."""
    member = f'"{name}": {value}'
    key = json.loads(f'"{name}"')
    tool = json.dumps(SERVER_TOOL)[:-1]
    return {
        "a server tool": (f'"tools": [{tool}, {member}}}]', lambda body: body["tools"][-1][key]),
        "deep in a server tool": (f'"tools": [{tool}, "options": {{"steps": [{{{member}}}]}}}}]', lambda body: body["tools"][-1]["options"]["steps"][0][key]),
        "parameters of a server tool": (f'"tools": [{tool}, "parameters": {{{member}}}}}]', lambda body: body["tools"][-1]["parameters"][key]),
        "a client's tool": (f'"tools": [{{"name": "t", "input_schema": {{"type": "object"}}, {member}}}]', lambda body: body["tools"][0][key]),
        "plugins": (f'"plugins": [{{"id": "web", {member}}}]', lambda body: body["plugins"][0][key]),
        "an unknown field": (f'"x_new": {{"deep": [[{{{member}}}]]}}', lambda body: body["x_new"]["deep"][0][0][key]),
        "an advisor": (f'"advisor": {{{member}}}', lambda body: body["advisor"][key]),
    }  # fmt: skip


def fits(surface, place):
    """Whether the relay passes such a part on."""
    if surface == "chat":
        return "tool" not in place
    return surface != "responses" or place != "a client's tool"


def forms():
    """At least 300 forms: a surface, a place, a spelling of the name, a shape of the value, and which model it names."""
    draw = random.Random(7)
    made = []
    for surface in SURFACES:
        for place in places("model", '""'):
            if not fits(surface, place):
                continue
            for right in ("alias", "id", "other_alias", "other_id", "unknown"):
                for name in draw.sample(NAMES, 3):
                    made.append((surface, place, right, name, draw.choice(["string", "list", "object"])))
    return made


FORMS = forms()
assert len(FORMS) >= 300


def says(server, anthropic_server):
    anthropic_server.says(OWN, OPEN)
    server.says(GPT, {"extra": True})
    server.says("via/own", {"extra": True})


@pytest.mark.parametrize("surface", SURFACES)
def test_only_models_of_the_caller_reach_the_vendor(http, server, anthropic_server, surface):
    says(server, anthropic_server)
    of, wrong = SURFACES[surface], []
    vendor = anthropic_server if of.vendor_model == OWN else server
    for _, place, right, name, shape in [form for form in FORMS if form[0] == surface]:
        model = "made-up" if right == "unknown" else getattr(of, right)
        value = {"string": json.dumps(model), "list": json.dumps([model]), "object": json.dumps({"first": model})}[shape]
        member, find = places(name, value)[place]
        text = json.dumps(of.body)[:-1] + f", {member}}}"
        before = len(vendor.asked(of.vendor_model))
        answer = http.post(of.path, content=text.encode())
        seen = vendor.asked(of.vendor_model)[before:]
        if right in ("alias", "id"):
            expected = {"string": of.id, "list": [of.id], "object": {"first": of.id}}[shape]
            if answer.status_code != 200 or len(seen) != 1 or find(seen[0]["body"]) != expected:
                wrong.append((place, right, name, shape, answer.status_code, answer.text[:200]))
        elif surface == "count_tokens":  # The relay counts itself where the vendor must not.
            if seen or answer.status_code != 200:
                wrong.append((place, right, name, shape, answer.status_code))
        elif answer.status_code != 404 or seen or "names" not in answer.text:
            wrong.append((place, right, name, shape, answer.status_code, answer.text[:200]))
    assert wrong == []


@pytest.mark.parametrize("surface", ["messages", "chat", "responses"])
@pytest.mark.parametrize("name", ["fallback_models", "model_fallbacks", "advisor_model", "modelId", "models"])
def test_top_level_fields_that_choose_models_stay_here(http, server, anthropic_server, surface, name):
    says(server, anthropic_server)
    of = SURFACES[surface]
    for value in ([of.alias], of.alias):
        answer = http.post(of.path, json=of.body | {name: value})
        assert answer.status_code == 400 and name in answer.text, answer.text


WORDS = ["model", "models", "model_name", "modelId", "car_model", "file_id", "container", "container_id", "vector_store_id", "skill_id", "connector_id"]


def client_tool(index, is_chat):
    """A definition as public MCP servers have them: a tool about cars has a `model`, one about containers an id of them."""
    draw = random.Random(index)
    names = draw.sample(WORDS, 3)
    properties = {name: {"type": "string", "description": f"The {name}", "enum": ["golf", "polo"], "default": "golf"} for name in names}
    nested = {"type": "object", "properties": {"model": {"anyOf": [{"const": "golf"}, {"type": "null"}]}}, "$defs": {"model": {"const": "a"}}}
    schema = {"type": "object", "properties": properties | {"filter": nested}, "required": names, "examples": [{"model": "golf"}]}
    if is_chat:
        return {"type": "function", "function": {"name": f"tool_{index}", "description": "model: golf", "parameters": schema, "strict": False}}
    more = {"input_examples": [{"model": "golf", "file_id": "f"}]} if index % 2 else {}
    return {"name": f"tool_{index}", "description": "model: golf", "input_schema": schema} | more | ({"type": "custom"} if index % 3 else {})


@pytest.mark.parametrize("surface", ["messages", "count_tokens", "chat", "responses"])
def test_tools_of_clients_pass_unchanged(http, server, anthropic_server, surface):
    says(server, anthropic_server)
    of = SURFACES[surface]
    vendor = anthropic_server if of.vendor_model == OWN else server
    tools = [client_tool(index, surface in ("chat", "responses")) for index in range(200)]
    if surface == "responses":
        tools = [{"type": "function"} | tool["function"] for tool in tools]
    for part in (tools[:100], tools[100:]):
        answer = http.post(of.path, json=of.body | {"tools": part})
        assert answer.status_code == 200, answer.text
        assert vendor.asked(of.vendor_model)[-1]["body"]["tools"] == part


def test_calls_of_tools_about_containers_pass(http, server, anthropic_server):
    """Arguments, results in text and metadata are data of the client's own."""
    says(server, anthropic_server)
    call = {"type": "tool_use", "id": "toolu_1", "name": "stop", "input": {"container_id": "c1", "file_id": "f", "model": "golf"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "container_id: c1"}
    body = SURFACES["messages"].body | {"messages": [USER, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}],
                                        "metadata": {"user_id": "a", "file_id": "b"}, "container": {"type": "auto"}}  # fmt: skip
    assert http.post("/v1/messages", json=body).status_code == 200


def test_messages_with_equal_names_are_written_anew(http, anthropic_server):
    """The vendor reads the last of two equal names, the relay the first."""
    anthropic_server.says(OWN, OPEN)
    long = json.dumps("word " * 1000)
    for messages in [
        f'[{{"role": "user", "content": "Hi", "content": {long}}}]', f'[{{"role": "user", "content": "Hi", "c\\u006fntent": {long}}}]',
        f'[{{"role": "user", "content": [{{"type": "text", "text": "Hi", "text": {long}}}]}}]',
    ]:  # fmt: skip
        answer = http.post("/v1/messages", content=f'{{"model": "claude", "max_tokens": 50, "messages": {messages}}}'.encode())
        assert answer.status_code == 200, answer.text
        seen = anthropic_server.asked(OWN)[-1]
        assert b"word" not in seen["raw"] and b"Hi" in seen["raw"]
    many = ", ".join(f'"n{index}": 1' for index in range(40))
    answer = http.post("/v1/messages", content=f'{{"model": "claude", "max_tokens": 50, "messages": [{json.dumps(USER)}], "new": {{{many}, "n7": 2}}}}'.encode())
    assert answer.status_code == 200 and "new" not in anthropic_server.asked(OWN)[-1]["body"]


def test_chats_with_equal_names_are_written_anew(http, server):
    server.says(GPT, {"extra": True})
    text = '{"model": "gpt", "messages": [{"role": "user", "content": "Hi", "content": "word word"}]}'
    assert http.post("/v1/chat/completions", content=text.encode()).status_code == 200
    assert server.asked(GPT)[-1]["body"]["messages"] == [USER]


BLOCK = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
RESOURCES = {
    "a block": {"messages": [{"role": "user", "content": [BLOCK]}]},
    "a block of a new type": {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "file_1"}]}]},
    "in a result": {"messages": [USER, {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "a", "input": {}}]},
                                 {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [BLOCK]}]}]},
    "the system": {"system": [{"type": "text", "text": "a", "attachment": {"fileId": "file_1"}}]},
    "the choice of a tool": {"tool_choice": {"type": "tool", "name": "a", "container_id": "cntr_1"}},
    "a tool": {"tools": [{"type": "code_execution_20270101", "name": "code", "file_ids": ["file_1"]}]},
    "a container": {"container": "container_1"},
    "a container's id": {"container": {"id": "container_1", "skills": []}},
    "a skill": {"container": {"skills": [{"type": "custom", "skill_id": "skill_1", "version": "latest"}]}},
    "a connector": {"new": [{"connector_id": "connector_1"}]},
    "vector stores": {"x": {"vector_store_ids": ["vs_1"]}},
}  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("place", RESOURCES)
def test_ids_of_the_accounts_resources_stay_here(http, anthropic_server, path, place):
    anthropic_server.says(OWN, OPEN)
    answer = http.post(path, json=SURFACES["messages"].body | RESOURCES[place])
    assert anthropic_server.asked(OWN) == []
    # The relay itself counts a prompt that the vendor must not get.
    assert answer.status_code == 400 or path.endswith("count_tokens") and answer.status_code == 200, answer.text


@pytest.mark.parametrize("thread", [{"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}])
def test_threads_of_the_account_stay_here(http, anthropic_server, thread):
    """Clients that know the code send the whole conversation instead."""
    answer = http.post("/v1/messages", json=SURFACES["messages"].body | {"thread": thread})
    assert (answer.status_code, answer.json()["error"]["details"]) == (400, {"error_code": "thread_unsupported_request"})
    assert anthropic_server.asked(OWN) == []


def advisor(model, **more):
    return {"tools": [{"name": "t", "input_schema": {"type": "object"}}, {"type": "advisor_20260301", "name": "advisor", "model": model} | more]}


@pytest.mark.parametrize("setting", ["drop", "refuse", "allow"])
def test_an_advisor_that_the_caller_may_not_use(start_relay, anthropic_server, setting):
    relay = start_relay(
        **provider("ANT", "anthropic", anthropic_server.base_url, f"claude={OWN},little={CHEAP},secret={SECRET}", API_KEY=CLAUDE_KEY),
        KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_MODELS="claude,little", **{} if setting == "drop" else {"PROVIDER_ANT_ADVISOR": setting},
    )  # fmt: skip
    betas = {"anthropic-beta": "a-1,advisor-tool-2026-03-01,b-2"}
    with local_http.Client(base_url=relay.base_url, headers={"x-api-key": TEAM_TOKEN}, timeout=30) as http:
        for is_streamed in (False, True):
            body = SURFACES["messages"].body | {"stream": is_streamed}
            anthropic_server.says(OWN, OPEN)
            answer = http.post("/v1/messages", json=body | advisor(SECRET), headers=betas)
            if setting == "refuse":
                assert answer.status_code == 404 and "tools[1].model" in answer.text
                continue
            (seen,) = anthropic_server.asked(OWN)
            is_there = setting == "allow"
            assert answer.status_code == 200 and [tool["name"] for tool in seen["body"]["tools"]] == (["t", "advisor"] if is_there else ["t"])
            assert seen["headers"]["anthropic-beta"] == ("a-1,advisor-tool-2026-03-01,b-2" if is_there else "a-1,b-2")
            assert answer.headers.get("x-relay-ignored") == (None if is_there else "advisor")
        # One that the caller may use goes on, by the vendor's id.
        anthropic_server.says(OWN, OPEN)
        assert http.post("/v1/messages", json=SURFACES["messages"].body | advisor("little"), headers=betas).status_code == 200
        (seen,) = anthropic_server.asked(OWN)
        assert seen["body"]["tools"][1]["model"] == CHEAP and "advisor" in seen["headers"]["anthropic-beta"]


def usage_of(**more):
    return {"input_tokens": 1000, "output_tokens": 100} | more


def step(kind, prompt, completion, **more):
    return {"type": kind, "input_tokens": prompt, "output_tokens": completion} | more


BILLS = {
    "no iterations": (usage_of(), {}, 1000 * 1 + 100 * 5, 1100),
    "one iteration": (usage_of(iterations=[step("message", 1000, 100)]), {}, 1000 * 1 + 100 * 5, 1100),
    "an advisor": (usage_of(iterations=[step("message", 600, 40), step("advisor_message", 5000, 500, model=SECRET), step("message", 400, 60)]), {},
                   1000 * 1 + 100 * 5 + 5000 * 10 + 500 * 50, 6600),
    "a cached advisor": (usage_of(iterations=[step("message", 1000, 100), step("advisor_message", 100, 500, model=SECRET, cache_read_input_tokens=4000)]), {},
                         1000 * 1 + 100 * 5 + 100 * 10 + 4000 * 10 + 500 * 50, 5700),
    "a compaction": (usage_of(iterations=[step("compaction", 90_000, 3000), step("message", 1000, 100)]), {}, 91_000 * 1 + 3100 * 5, 94_100),
    "a fallback": (usage_of(iterations=[step("message", 1000, 0, model=OWN), step("fallback_message", 1000, 100, model=SECRET)]), {"model": SECRET},
                   1000 * 1 + 1000 * 10 + 100 * 50, 2100),
    "a fallback without iterations": (usage_of(), {"model": SECRET}, 1000 * 10 + 100 * 50, 1100),
    "a version of the model": (usage_of(iterations=[step("message", 1000, 100, model=f"{OWN}-20261001")]), {"model": f"{OWN}-20261001"}, 1000 * 1 + 100 * 5, 1100),
    "a name of a gateway's": (usage_of(iterations=[step("message", 600, 40), step("message", 400, 60)]), {"model": f"anthropic/{OWN}"}, 1000 * 1 + 100 * 5, 1100),
    "totals of all": (usage_of(input_tokens=6000, output_tokens=600, iterations=[step("message", 1000, 100), step("advisor_message", 5000, 500, model=SECRET)]), {},
                      1000 * 1 + 100 * 5 + 5000 * 10 + 500 * 50, 6600),
    "nonsense": (usage_of(iterations=[1, None, {"type": 3, "input_tokens": -5, "model": 7}]), {}, 1000 * 1 + 100 * 5, 1100),
}  # fmt: skip


@pytest.fixture(scope="module")
def priced(launch, anthropic_server):
    return launch(
        **provider("ANT", "anthropic", anthropic_server.base_url, f"claude={OWN},secret={SECRET}", API_KEY=CLAUDE_KEY, COSTS="claude=1/5 per million,secret=10/50 per million"),
        KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_TEAM_RATE_LIMIT="1000 usd/hour;100000000 tokens/hour", **SETTINGS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def operator(priced):
    return Operator(priced.base_url)


def used(operator):
    return {limit["unit"]: float(limit["used"]) for limit in operator.items("/admin/limits", caller="team")}


@pytest.mark.parametrize("case", BILLS)
def test_each_model_that_worked_is_billed_at_its_price(priced, operator, anthropic_server, case, is_streamed):
    usage, more, microdollars, tokens = BILLS[case]
    with local_http.Client(base_url=priced.base_url, headers={"x-api-key": TEAM_TOKEN}, timeout=30) as http:
        before = used(operator)
        if is_streamed:
            start, *rest = all_events({})
            start["message"] |= {"model": OWN} | more | {"usage": {"input_tokens": 1, "output_tokens": 1}}
            rest[-2] |= {"usage": usage}
            anthropic_server.says(OWN, OPEN | {"events": [start, *rest]})
        else:
            anthropic_server.says(OWN, OPEN | {"raw": json.dumps(whole({}) | {"model": OWN} | more | {"usage": usage}).encode()})
        answer = http.post("/v1/messages", json=SURFACES["messages"].body | {"stream": is_streamed})
        assert answer.status_code == 200, answer.text
        if not is_streamed:
            assert answer.headers["x-relay-cost"] == f"{microdollars / 1e6:.10f}".rstrip("0")
        after = used(operator)
    assert round((after["usd"] - before["usd"]) * 1e6) == microdollars
    assert after["tokens"] - before["tokens"] == tokens


def test_a_model_without_a_price_makes_the_cost_unknown(start_relay, anthropic_server):
    relay = start_relay(
        PROVIDER_ANT_KIND="anthropic", PROVIDER_ANT_BASE_URL=anthropic_server.base_url, PROVIDER_ANT_API_KEY=CLAUDE_KEY,
        PROVIDER_ANT_MODELS=f"claude={OWN}", PROVIDER_ANT_COSTS="claude=1/5 per million", KEY_TEAM_TOKEN=TEAM_TOKEN,
    )  # fmt: skip
    usage = usage_of(iterations=[step("message", 1000, 100), step("advisor_message", 5000, 500, model="claude-unheard-of")])
    anthropic_server.says(OWN, OPEN | {"raw": json.dumps(whole({}) | {"model": OWN, "usage": usage}).encode()})
    answer = local_http.post(f"{relay.base_url}/v1/messages", json=SURFACES["messages"].body, headers={"x-api-key": TEAM_TOKEN})
    assert answer.status_code == 200 and "x-relay-cost" not in answer.headers
