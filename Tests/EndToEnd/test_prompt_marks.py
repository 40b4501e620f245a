"""Cache marks that the relay sets for clients that set none, measured with a prompt cache that counts as Anthropic's."""

import itertools
import json
import random
from itertools import pairwise

import anthropic_vendor
import pytest
import vertex_vendor
from anthropic_vendor import failure, use
from conftest import CLAUDE_KEY, TEAM_TOKEN, running, secrets
from limited import client
from prompt_caching import PromptCache, dollars, whole
from relay_process import provider

TURNS = 8
WORDS = "the relay reads files and writes patches until all tests pass".split()
MATE_TOKEN = "token-of-the-mate-with-marks"
NEW, NEWEST, OLD, VERTEX = "claude-opus-4-8", "claude-opus-5-5", "claude-sonnet-4-5", vertex_vendor.CLAUDE
PRICE = "5/25/0.5/6.25/10 per million"
numbers = itertools.count(1)


def words(count, seed):
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def long_tools(name="read_file"):
    """Tools of about 3,500 tokens."""
    schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
    return [{"name": name if at == 0 else f"tool_{at}", "description": words(500, at), "parameters": schema} for at in range(5)]


SYSTEM = words(12_000, "system")
"""Instructions of about 16,500 tokens."""


class Chat:
    """An agent with chats. Each answer is a call, whose result is about 2,500 tokens."""

    path = "/v1/chat/completions"
    more = {}

    def __init__(self):
        self.messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Make the tests pass."}]

    def body(self):
        return {"messages": self.messages, "tools": [{"type": "function", "function": tool} for tool in long_tools()]} | self.more

    def go_on(self, answer, turn):
        message = answer["choices"][0]["message"]
        (call,) = message["tool_calls"]
        self.messages = [*self.messages, message, {"role": "tool", "tool_call_id": call["id"], "content": words(1900, turn)}]


class Emulated(Chat):
    """A client whose form of output Claude does not have, so that the prompt has tools and form."""

    more = {"response_format": {"type": "json_object"}}


class Plain(Chat):
    """A chat without tools."""

    def body(self):
        return {"messages": self.messages}

    def go_on(self, answer, turn):
        said = answer["choices"][0]["message"]
        # More was said meanwhile.
        self.messages = [*self.messages, said, {"role": "user", "content": words(1900, turn)}, {"role": "user", "content": "Well?"}]


class Responses:
    """Responses as Codex sends them: the whole conversation and `prompt_cache_key`."""

    path = "/v1/responses"

    def __init__(self):
        self.input = [{"role": "developer", "content": words(500, "more")}, {"role": "user", "content": "Make the tests pass."}]

    def body(self):
        tools = [{"type": "function", "strict": False} | tool for tool in long_tools()]
        return {"instructions": SYSTEM, "input": self.input, "tools": tools, "store": False, "prompt_cache_key": "session-1"}

    def go_on(self, answer, turn):
        calls = [item for item in answer["output"] if item["type"] == "function_call"]
        self.input = [*self.input, *answer["output"], *({"type": "function_call_output", "call_id": call["call_id"], "output": words(1900, turn)} for call in calls)]


class Stored(Responses):
    """Responses that the relay stores: each request has only what is new."""

    earlier = None

    def body(self):
        body = super().body() | {"store": True, "previous_response_id": self.earlier}
        return {name: value for name, value in body.items() if name != "prompt_cache_key"}

    def go_on(self, answer, turn):
        self.input, self.earlier = [], answer["id"]
        super().go_on({"output": answer["output"]}, turn)
        self.input = self.input[len(answer["output"]) :]


CLIENTS = [Chat, Emulated, Plain, Responses, Stored]


def answers(kind):
    """Returns what the model says in each turn."""
    if kind is Emulated:
        call = '<tool_call>\n{"name": "read_file", "arguments": {"path": "a%d"}}\n</tool_call>'
        return [[anthropic_vendor.text(call % turn)] for turn in range(TURNS)]
    if kind is Plain:
        return [[anthropic_vendor.text(words(100, f"said {turn}"))] for turn in range(TURNS)]
    return [[anthropic_vendor.text(f"Step {turn}."), use(f"toolu_{turn}", "read_file", {"path": f"a{turn}"})] for turn in range(TURNS)]


claude = running(anthropic_vendor.AnthropicServer)


vertex = running(vertex_vendor.Vertex)


@pytest.fixture
def site(claude):
    claude.cache = PromptCache()
    yield claude
    assert claude.take_violations() == []


def settings(claude, **more):
    secrets.add(MATE_TOKEN)
    made = {
        **provider("ANT", "anthropic", claude.base_url, f"{NEW},{NEWEST},{OLD}", API_KEY=CLAUDE_KEY, COST=PRICE, PROMPT_CACHE="5m"),
        "KEY_TEAM_TOKEN": TEAM_TOKEN, "KEY_MATE_TOKEN": MATE_TOKEN,
    }  # fmt: skip
    return made | {f"PROVIDER_ANT_{name}": value for name, value in more.items()}


@pytest.fixture(scope="module")
def marking(launch, claude, vertex):
    secrets.update((vertex_vendor.REFRESH, vertex_vendor.CLIENT["client_secret"], "ya29.token-number"))
    google = {
        "KIND": "vertexai_claude", "BASE_URL": vertex.base_url + "/v1", "PROJECT_ID": vertex_vendor.PROJECT, "REFRESH_TOKEN": vertex_vendor.REFRESH,
        "CLIENT_ID": vertex_vendor.CLIENT["client_id"], "CLIENT_SECRET": vertex_vendor.CLIENT["client_secret"],
        "TOKEN_URL": vertex.tokens.url, "MODELS": f"{VERTEX}", "COST": PRICE,
    }  # fmt: skip
    return launch(**settings(claude), **{f"PROVIDER_GOO_{name}": value for name, value in google.items()})


@pytest.fixture
def team(marking):
    with client(marking, TEAM_TOKEN) as http:
        yield http


def post(http, path, **body):
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer


def ask(http, site, **body):
    """Sends a chat. Returns the vendor's request."""
    site.says(body["model"], {"content": [anthropic_vendor.text("Fine.")]})
    post(http, Chat.path, **body)
    return site.body(body["model"])


def marks(value, path=""):
    """Returns the paths of all marks, each with its time to live."""
    if isinstance(value, list):
        return [mark for at, inner in enumerate(value) for mark in marks(inner, f"{path}.{at}")]
    if not isinstance(value, dict):
        return []
    own = [(path.removeprefix("."), value["cache_control"].get("ttl"))] if "cache_control" in value else []
    return own + [mark for name, inner in value.items() if name != "cache_control" for mark in marks(inner, f"{path}.{name}")]


@pytest.mark.parametrize("model", [NEW, NEWEST, OLD, VERTEX])
@pytest.mark.parametrize("kind", CLIENTS)
def test_a_session_reads_what_the_turn_before_sent(team, site, vertex, kind, model):
    vendor = vertex if model == VERTEX else site
    vendor.says(model, *({"content": content} for content in answers(kind)))
    session, reported = kind(), []
    for turn in range(TURNS):
        answer = post(team, session.path, model=model, **session.body())
        reported.append(json.loads(answer.text)["usage"])
        if turn < TURNS - 1:
            session.go_on(json.loads(answer.text), turn)
    bodies = [request["body"] for request in vendor.asked(model)]
    assert len(bodies) == TURNS
    cache = PromptCache()
    usages = [cache.usage(body) for body in bodies]
    lengths = [whole(usage) for usage in usages]
    assert 15_000 < lengths[0] < 25_000 < lengths[-1] < 50_000
    found = [usage["cache_read_input_tokens"] for usage in usages]
    print(kind.__name__, model, [f"{100 * read / before:.0f}" for before, read in zip(lengths, found[1:], strict=False)])
    assert all(read >= 0.9 * before for before, read in list(zip(lengths, found[1:], strict=False))[1:]), (lengths, found)
    cost, unmarked = sum(map(dollars, usages)), sum(lengths) * 5 / 1e6
    print(f"{cost:.3f} of {unmarked:.3f} dollars")
    assert cost < unmarked / 2
    if vendor is site:
        details = "input_tokens_details" if issubclass(kind, Responses) else "prompt_tokens_details"
        assert [usage.get(details, {}).get("cached_tokens", 0) for usage in reported] == found
    assert vertex.take_violations() == []


def test_single_requests_with_one_forced_tool_are_unmarked(team, site):
    tool = {"type": "function", "function": {"name": "extract", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}}}
    choice = {"type": "function", "function": {"name": "extract"}}
    site.says(OLD, {"content": [use("toolu_1", "extract", {"name": "Ann"})]})
    for number in range(100):
        messages = [{"role": "system", "content": "Extract the name."}, {"role": "user", "content": words(1500, number)}]
        post(team, Chat.path, model=OLD, messages=messages, tools=[tool], tool_choice=choice)
    asked = site.asked(OLD)
    assert len(asked) == 100
    assert not any(b"cache_control" in request["raw"] for request in asked)
    cache = PromptCache()
    usages = [cache.usage(request["body"]) for request in asked]
    assert sum(map(dollars, usages)) == pytest.approx(sum(map(whole, usages)) * 5 / 1e6)
    assert min(map(whole, usages)) > 1024


def conversation(text, *turns):
    return [{"role": "system", "content": text}] + [{"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(turns)]


BEGINNING = "system.0"


def single(model, text=None, **more):
    """Returns a request of one turn whose beginning is sent for the first time."""
    return {"model": model, "messages": conversation(text or words(5000, f"beginning {next(numbers)}"), "Hi")} | more


def test_a_beginning_that_is_sent_again_is_marked(team, site, marking):
    body = single(OLD)
    other = body | {"messages": [body["messages"][0], {"role": "user", "content": "Another question"}]}
    assert marks(ask(team, site, **body)) == []
    with client(marking, MATE_TOKEN) as mate:
        assert marks(ask(mate, site, **body)) == []
    assert marks(ask(team, site, **other)) == [(BEGINNING, None)]
    assert marks(ask(team, site, **other | {"model": NEW})) == []
    # The vendor does not cache so short a beginning.
    short = single(OLD, "Be brief.")
    short["messages"][1]["content"] = words(5000, "question")
    assert marks(ask(team, site, **short)) == marks(ask(team, site, **short)) == []


def test_a_beginning_is_forgotten_after_five_minutes(start_relay, claude, clock):
    time = clock(0)
    relay = start_relay(**settings(claude), **time.environment)
    body = single(OLD)
    with client(relay, TEAM_TOKEN) as http:
        found = []
        for seconds in (0, 290, 580, 890):
            time.set(seconds)
            found.append(len(marks(ask(http, claude, **body))))
    assert found == [0, 1, 1, 0]


def test_what_decides_about_marks(team, site):
    tool = {"type": "function", "function": {"name": "weather"}}
    both = [("tools.0", None), (BEGINNING, None)]
    turns = [("messages.0.content.0", None), ("messages.2.content.0", None)]
    assert marks(ask(team, site, **single(OLD, tools=[tool]))) == []
    assert marks(ask(team, site, **single(OLD, tools=[tool], prompt_cache_key="k"))) == [both[1], both[0]]
    long = words(5000, "long")
    asked = {"model": OLD, "messages": conversation(long, "a", "b", "c"), "tools": [tool]}
    assert sorted(marks(ask(team, site, **asked))) == sorted(both + turns)
    day = marks(ask(team, site, **asked, prompt_cache_retention="24h"))
    assert sorted(day, key=str) == sorted([("tools.0", "1h"), (BEGINNING, "1h"), *turns], key=str)
    assert marks(ask(team, site, **asked | {"messages": conversation("Be brief.", "a", "b", "c")})) == []
    late = {"model": OLD, "messages": conversation(long, "a", "b", "c", "d", "e")}
    assert [path for path, _ in marks(ask(team, site, **late))] == [BEGINNING, "messages.2.content.0", "messages.4.content.0"]


@pytest.mark.parametrize(("setting", "expected"), [("auto", set()), ("off", set()), ("5m", {None}), ("1h", {None, "1h"})])
def test_the_setting_decides_where_marks_are(start_relay, site, setting, expected):
    relay = start_relay(**settings(site, PROMPT_CACHE=setting))
    with client(relay, TEAM_TOKEN) as http:
        body = ask(http, site, model=OLD, messages=conversation(words(5000, "setting"), "a", "b", "c"))
    assert {ttl for _, ttl in marks(body)} == expected
    if setting == "1h":
        assert dict(marks(body)) == {BEGINNING: "1h", "messages.0.content.0": None, "messages.2.content.0": None}


def test_marks_of_the_client_are_never_touched(team, site):
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    long = words(5000, "own marks")
    messages = conversation(long, "a", "b", "c")
    messages[1]["content"] = [{"type": "text", "text": "a"} | mark]
    assert marks(ask(team, site, model=OLD, messages=messages)) == [("messages.0.content.0", "1h")]
    plain = conversation(long, "a", "b", "c")
    assert marks(ask(team, site, model=OLD, messages=plain, **mark)) == [("", "1h")]
    assert marks(ask(team, site, **single(OLD), **mark)) == [("", "1h")]


@pytest.mark.parametrize("top", [{}, {"cache_control": {"type": "ephemeral"}}])
def test_messages_go_on_as_they_came(team, site, top):
    turns = [{"role": role, "content": words(3000, role)} for role in ("user", "assistant", "user")]
    raw = json.dumps({"model": OLD, "max_tokens": 100, "system": words(3000, "s"), "messages": turns} | top)
    site.says(OLD, {"usage": anthropic_vendor.USAGE})
    assert team.post("/v1/messages", content=raw, headers={"content-type": "application/json"}).status_code == 200
    (asked,) = site.asked(OLD)
    assert asked["raw"].decode() == raw


def test_a_refused_mark_is_left_out_and_the_refusal_remembered(start_relay, site):
    relay = start_relay(**settings(site))
    text = "messages.0.content.0.text.cache_control: Extra inputs are not permitted"
    refusal = {"status": 400, "json": failure("invalid_request_error", text)}
    asked = {"model": OLD, "messages": conversation(words(5000, "refused"), "a", "b", "c")}
    with client(relay, TEAM_TOKEN) as http:
        site.says(OLD, refusal, {})
        post(http, Chat.path, **asked)
        post(http, Chat.path, **asked)
        first, second, third = [request["body"] for request in site.asked(OLD)]
        assert (len(marks(first)), marks(second), marks(third)) == (3, [], [])
        assert without_marks(first) == second == third
        # A client's own marks are refused as the relay's are.
        site.says(OLD, {})
        own = asked["messages"][:-1] + [{"role": "user", "content": [{"type": "text", "text": "c", "cache_control": {"type": "ephemeral"}}]}]
        assert http.post(Chat.path, json=asked | {"messages": own}).status_code == 200
        assert [len(marks(request["body"])) for request in site.asked(OLD)] == [0]
        body = {"model": OLD, "max_tokens": 9, "messages": [{"role": "user", "content": own[-1]["content"]}]}
        site.says(OLD, {"usage": anthropic_vendor.USAGE})
        post(http, "/v1/messages", **body)
        assert marks(site.body(OLD)) == []


def without_marks(value):
    if isinstance(value, dict):
        return {name: without_marks(inner) for name, inner in value.items() if name != "cache_control"}
    return [without_marks(inner) for inner in value] if isinstance(value, list) else value


def test_what_a_turn_read_is_found_again_beyond_twenty_blocks(team, site):
    """A turn of 30 results, of which the next request has a mark at the last."""
    cache, tools = PromptCache(), [{"type": "function", "function": tool} for tool in long_tools()]
    messages, lengths, found = conversation(SYSTEM, "Read all."), [], []
    for turn in range(4):
        ids = [f"call_{turn}_{at}" for at in range(30)]
        body = ask(team, site, model=NEW, messages=messages, tools=tools)
        usage = cache.usage(body)
        lengths.append(whole(usage))
        found.append(usage["cache_read_input_tokens"])
        calls = [{"id": id, "type": "function", "function": {"name": "read_file", "arguments": '{"path":"a"}'}} for id in ids]
        messages = [*messages, {"role": "assistant", "content": None, "tool_calls": calls}]
        messages += [{"role": "tool", "tool_call_id": id, "content": words(20, id)} for id in ids]
    assert all(read >= 0.9 * before for before, read in list(pairwise_of(lengths, found))[1:]), (lengths, found)


def pairwise_of(lengths, found):
    return zip(lengths, [read for _, read in pairwise(found)], strict=False)
