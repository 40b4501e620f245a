"""Requested output comes whichever vendor serves it: tool calls, a single call, JSON. Vendors with native ways to
request it are called by these, and once more in the prompt if their model does something else."""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import anthropic_vendor
import cloudflare_vendor
import cohere_vendor
import gemini_vendor
import openai_vendor
import pytest
import test_vertex
import vertex_vendor
from chat import PATH, body, streamed
from conftest import TEAM_TOKEN, VENDOR_KEY, secrets
from limited import client as plain
from memcached import wait_for
from test_openai_stream import Built
from usage import is_call, lines_so_far

CUT = {"anthropic": "max_tokens", "openai": "length", "cloudflare": "length", "responses": "max_output_tokens"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NAMES = ("weather", "time")
TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in NAMES]
NAMED = {"type": "function", "function": {"name": "weather"}}
ROME = ("weather", {"city": "Rome"})
OSLO = ("weather", {"city": "Oslo"})
NOW = ("time", {"city": "Rome"})
IN_WORDS = {"text": '<tool_call>{"name": "weather", "arguments": {"city": "Rome"}}</tool_call>'}
OBJECT = {"type": "json_object"}
STRICT = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA | {"additionalProperties": False}}}
ROWS = {
    "claude": ("anthropic", "claude-sonnet-4-6"), "google": ("gemini", "gemini-3-flash"), "cohere": ("cohere", "command-a-03-2025"),
    "cf": ("cloudflare", None), "vgoogle": ("gemini", test_vertex.PRO), "vclaude": ("anthropic", vertex_vendor.CLAUDE),
    "newest": ("anthropic", "claude-opus-5-5"), "vnewest": ("anthropic", "claude-opus-5-5"),
    "open": ("openai", "open-model"), "resp": ("responses", "resp-model"),
}  # fmt: skip
NATIVE = [row for row in ROWS if row != "open"]
"""The answers of the other pass through to chat completions as they come."""
ALL = [(row, "chat") for row in NATIVE] + [(row, "messages") for row, (wire, _) in ROWS.items() if wire != "anthropic"]
"""Messages to Anthropic's API go on as they came, so nothing is demanded there."""
EACH = pytest.mark.parametrize("row, surface", ALL, ids=["-".join(one) for one in ALL])
numbers = itertools.count()
METERED_TOKEN = "token-of-the-metered-team"
"""Of a caller with a limit of tokens."""


@pytest.fixture(scope="module")
def fakes():
    secrets.update((VENDOR_KEY, TEAM_TOKEN, METERED_TOKEN, vertex_vendor.REFRESH, vertex_vendor.CLIENT["client_secret"], "ya29.token-number"))
    vertex, openai, claude = vertex_vendor.Vertex(), openai_vendor.Server(), anthropic_vendor.AnthropicServer()
    running = {
        "claude": claude, "newest": claude, "vnewest": vertex, "google": gemini_vendor.start(), "cohere": cohere_vendor.start(),
        "cf": cloudflare_vendor.start(), "vgoogle": vertex, "vclaude": vertex, "open": openai, "resp": openai,
    }  # fmt: skip
    yield running
    for one in {id(one): one for one in running.values()}.values():
        one.stop()


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    return tmp_path_factory.mktemp("usage") / "app.log"


@pytest.fixture(scope="module")
def relay(launch, fakes, records):
    settings = {"USAGE_LOG_FILE": records, "KEY_METERED_TOKEN": METERED_TOKEN, "KEY_METERED_RATE_LIMIT": "90000 tokens/hour"}
    settings |= {f"PROVIDER_{row.upper()}_COST": "1" for row in ROWS}
    for row, (wire, model) in ROWS.items():
        kind = "openai" if wire == "responses" else wire
        models = f"{row}={model}" if model else ",".join(f"cf-{number}=@cf/demand/{number}" for number in range(100))
        if row.startswith("v"):
            kind = "vertexai_gemini" if wire == "gemini" else "vertexai_claude"
            settings |= test_vertex.settings(kind, fakes[row], row.upper(), MODELS=models)
            continue
        more = {"KIND": kind, "BASE_URL": fakes[row].base_url, "API_KEY": VENDOR_KEY, "MODELS": models}
        more |= {"CHAT_VIA": "responses"} if wire == "responses" else {}
        more |= {"ACCOUNT_ID": cloudflare_vendor.ACCOUNT} if wire == "cloudflare" else {}
        settings |= {f"PROVIDER_{row.upper()}_{name}": value for name, value in more.items()}
    return launch(**settings, KEY_TEAM_TOKEN=TEAM_TOKEN)


@pytest.fixture
def team(relay, fakes):
    with plain(relay, TEAM_TOKEN) as http:
        yield http
    assert [found for fake in fakes.values() for found in fake.take_violations()] == []


@dataclass
class Vendor:
    """The model of one provider. Clients use the name `alias`."""

    fake: object
    wire: str
    model: str
    alias: str

    def says(self, *said):
        self.fake.says(self.model, *(self.script(**one) for one in said))

    def script(self, text=None, calls=(), is_cut=False):
        calls = [(f"call_{at}", name, arguments) for at, (name, arguments) in enumerate(calls)]
        if self.wire == "anthropic":
            content = [anthropic_vendor.text(text)] if text else []
            content += [anthropic_vendor.use(f"toolu_{id}", name, arguments) for id, name, arguments in calls]
            script = {"content": content}
        else:
            written = [(name, arguments) for _, name, arguments in calls]
            if self.wire != "gemini":
                written = [(id, name, json.dumps(arguments)) for id, name, arguments in calls]
            script = ({"text": text} if text else {}) | ({"calls": written} if calls else {})
        return script | ({"stop" if self.wire == "anthropic" else "finish": CUT.get(self.wire, "MAX_TOKENS")} if is_cut else {})

    @property
    def times(self):
        return len(self.fake.asked(self.model))

    def has_tools(self, at):
        return "tools" in self.fake.asked(self.model)[at]["body"]


@pytest.fixture
def vendor_of(fakes):
    def made(row):
        wire, model = ROWS[row]
        if model:
            return Vendor(fakes[row], wire, model, row)
        # The relay remembers what a model of this vendor does not do.
        number = next(numbers)
        return Vendor(fakes[row], wire, f"@cf/demand/{number}", f"cf-{number}")

    return made


@dataclass
class Got:
    text: str = ""
    calls: tuple = ()
    finish: str | None = None
    status: int = 200
    error: dict | None = None
    retry: str | None = None


def chat(http, is_streamed, **fields):
    answer = http.post(PATH, json=body(**fields) | ({"stream": True} if is_streamed else {}))
    head = {"status": answer.status_code, "retry": answer.headers.get("x-should-retry")}
    if is_streamed:
        read = streamed(answer.status_code, answer.headers, answer.content)
        built = Built(read.chunks)
        return Got(built.text, tuple(built.told()[2]), built.finish, error=read.error, **head)
    if answer.status_code != 200:
        return Got(error=answer.json()["error"], **head)
    choice = answer.json()["choices"][0]
    calls = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in choice["message"].get("tool_calls", ())]
    return Got(choice["message"]["content"] or "", tuple(calls), choice["finish_reason"], **head)


def messages(http, is_streamed, model, tools=TOOLS, tool_choice="auto", parallel_tool_calls=True):
    choice = {"required": {"type": "any"}, "auto": {"type": "auto"}}.get(str(tool_choice), {"type": "tool", "name": "weather"})
    asked = {
        "model": model, "max_tokens": 500, "messages": [{"role": "user", "content": "Weather?"}], "stream": is_streamed,
        "tools": [{"name": tool["function"]["name"], "input_schema": SCHEMA} for tool in tools],
        "tool_choice": choice | ({} if parallel_tool_calls else {"disable_parallel_tool_use": True}),
    }  # fmt: skip
    answer = http.post("/v1/messages", json=asked)
    head = {"status": answer.status_code, "retry": answer.headers.get("x-should-retry")}
    if answer.status_code != 200:
        return Got(error=answer.json()["error"], **head)
    if not is_streamed:
        content = answer.json()["content"]
        calls = [(block["name"], block["input"]) for block in content if block["type"] == "tool_use"]
        text = "".join(block["text"] for block in content if block["type"] == "text")
        return Got(text, tuple(calls), answer.json()["stop_reason"], **head)
    got, written = Got(**head), []
    for event in answer.text.strip().split("\n\n"):
        data = json.loads(event.split("data: ")[1])
        if data["type"] == "content_block_start" and data["content_block"]["type"] == "tool_use":
            written.append([data["content_block"]["name"], ""])
        elif data["type"] == "content_block_delta":
            got.text += data["delta"].get("text", "")
            if "partial_json" in data["delta"]:
                written[-1][1] += data["delta"]["partial_json"]
        elif data["type"] == "message_delta":
            got.finish = data["delta"]["stop_reason"]
        elif data["type"] == "error":
            got.error = data["error"]
    got.calls = tuple((name, json.loads(arguments)) for name, arguments in written)
    return got


SURFACES = {"chat": chat, "messages": messages}
FINISH = {"chat": "tool_calls", "messages": "tool_use"}


def assert_unmet(got):
    assert got.status == 502 and got.retry == "false", got
    assert got.error.get("code", "upstream_error") == "upstream_error" and got.error["type"] in ("server_error", "api_error")


@EACH
@pytest.mark.parametrize(
    "choice, instead",
    [("required", {"text": "It is sunny."}), (NAMED, {"calls": [NOW]})],
    ids=["required-text", "named-another"],
)
def test_a_call_that_is_not_made_is_asked_for_in_words(team, vendor_of, row, surface, choice, instead, is_streamed):
    vendor = vendor_of(row)
    vendor.says(instead, IN_WORDS)
    got = SURFACES[surface](team, is_streamed, model=vendor.alias, tools=TOOLS, tool_choice=choice)
    assert (got.calls, got.finish, got.text) == ((ROME,), FINISH[surface], "")
    assert vendor.times == 2 and not vendor.has_tools(1)


@EACH
def test_a_call_that_never_comes_is_a_failure(team, vendor_of, row, surface, is_streamed):
    vendor = vendor_of(row)
    vendor.says({"text": "It is sunny."})
    assert_unmet(SURFACES[surface](team, is_streamed, model=vendor.alias, tools=TOOLS, tool_choice=NAMED))
    assert vendor.times == 2


@EACH
def test_one_call_alone(team, vendor_of, row, surface, is_streamed):
    for choice in ("auto", NAMED):
        vendor = vendor_of(row)
        vendor.says({"calls": [ROME, OSLO]})
        got = SURFACES[surface](team, is_streamed, model=vendor.alias, tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)
        assert (got.calls, got.finish) == ((ROME,), FINISH[surface]) and vendor.times == 1


def test_a_tool_that_cannot_be_described_in_words(team, vendor_of):
    vendor = vendor_of("google")
    vendor.says({"text": "It is sunny."})
    function = {"name": "weather", "strict": True, "parameters": {"type": "object", "properties": {"a": {"$ref": "https://a.example/b"}}}}
    assert_unmet(chat(team, False, model="google", tools=[{"type": "function", "function": function}], tool_choice="required"))
    assert vendor.times == 1


def test_text_before_the_end_is_bounded(team, vendor_of):
    vendor = vendor_of("google")
    events = [{"candidates": [{"content": {"role": "model", "parts": [{"text": "x" * 900_000}]}, "index": 0}]}] * 6
    vendor.fake.says(vendor.model, {"events": events}, vendor.script(**IN_WORDS))
    assert chat(team, True, model="google", tools=TOOLS, tool_choice=NAMED).calls == (ROME,)


FORMED = [row for row in NATIVE if ROWS[row][0] != "anthropic"]
"""Claude knows schemas only."""


@pytest.mark.parametrize("row", NATIVE)
@pytest.mark.parametrize("form", [OBJECT, STRICT], ids=["object", "strict"])
def test_a_document_is_asked_for_in_words(team, vendor_of, row, form, is_streamed):
    vendor = vendor_of(row)
    vendor.says({"text": "I would rather not."}, {"text": '{"city": "Rome"}'})
    got = chat(team, is_streamed, model=vendor.alias, response_format=form)
    assert (got.text, got.finish, vendor.times) == ('{"city": "Rome"}', "stop", 2)
    vendor.says({"text": "I would rather not."})
    assert_unmet(chat(team, is_streamed, model=vendor.alias, response_format=form))
    assert vendor.times == 2


@pytest.mark.parametrize("row", FORMED)
def test_a_stream_that_only_begins_as_an_object_ends_by_an_error(team, vendor_of, row):
    vendor = vendor_of(row)
    for said in ('{"a": 1} That is it.', '{"a": 1'):
        vendor.says({"text": said}, {"text": '{"a": 1}'})
        got = chat(team, True, model=vendor.alias, response_format=OBJECT)
        assert (got.status, got.text, got.finish, got.error["code"]) == (200, said, None, "upstream_error")
        assert chat(team, False, model=vendor.alias, response_format=OBJECT).text == '{"a": 1}'


@pytest.mark.parametrize("row", NATIVE)
def test_a_schema_that_is_not_kept_to(team, vendor_of, row):
    vendor = vendor_of(row)
    vendor.says({"text": '{"city": 7}'}, {"text": '{"city": "Rome"}'})
    assert chat(team, False, model=vendor.alias, response_format=STRICT).text == '{"city": "Rome"}'
    assert vendor.times == 2


@pytest.mark.parametrize("row", FORMED)
def test_a_call_in_place_of_an_object(team, vendor_of, row, is_streamed):
    vendor = vendor_of(row)
    vendor.says({"calls": [ROME]})
    if row == "cohere":  # it takes no format beside tools
        vendor.says(IN_WORDS)
    got = chat(team, is_streamed, model=vendor.alias, response_format=OBJECT, tools=TOOLS)
    assert (got.calls, got.finish, vendor.times) == ((ROME,), "tool_calls", 1)


@pytest.mark.parametrize("said", ['{"city": 7}', "I would rather not."], ids=["unfit", "none"])
def test_a_document_beside_tools_is_mended_as_a_document(team, vendor_of, said, is_streamed):
    vendor = vendor_of("cohere")  # it takes no format beside tools
    vendor.says({"text": said}, {"text": '{"city": "Rome"}'})
    got = chat(team, is_streamed, model=vendor.alias, response_format=STRICT, tools=TOOLS)
    assert (got.text, got.calls, got.finish, vendor.times) == ('{"city": "Rome"}', (), "stop", 2)
    words = json.dumps(vendor.fake.asked(vendor.model)[1]["body"]["messages"][-1])
    assert "Write the whole corrected JSON" in words and "tool call" not in words
    vendor.says({"text": '<tool_call>{"name": "wether", "arguments": {}}</tool_call>'}, IN_WORDS)
    got = chat(team, is_streamed, model=vendor.alias, response_format=STRICT, tools=TOOLS)
    assert (got.calls, vendor.times) == ((ROME,), 2)
    assert "valid tool call" in json.dumps(vendor.fake.asked(vendor.model)[1]["body"]["messages"][-1])


TEXTUAL = [("open", "messages"), *((row, surface) for row in ("cohere", "resp", "cf") for surface in ("chat", "messages"))]
"""Their vendors tell arguments as text."""


def said_with(vendor, arguments):
    return {"calls": [("call_0", "weather", arguments), ("call_1", "time", '{"city": "Rome"}')], "pieces": 2}


@pytest.mark.parametrize("row, surface", TEXTUAL)
def test_null_arguments_are_none(team, vendor_of, row, surface, is_streamed):
    vendor = vendor_of(row)
    for arguments in ("null", ""):
        vendor.fake.says(vendor.model, said_with(vendor, arguments))
        got = SURFACES[surface](team, is_streamed, model=vendor.alias, tools=TOOLS)
        assert (got.calls, got.finish) == ((("weather", {}), NOW), FINISH[surface])


@pytest.mark.parametrize("row", ["open", "cohere", "resp", "cf"])
@pytest.mark.parametrize("arguments", ["[1]", 'no "JSON"', "nul", '"{}"', "5", "nulls"])
def test_arguments_of_messages_are_an_object(team, vendor_of, row, arguments, is_streamed):
    vendor = vendor_of(row)
    vendor.fake.says(vendor.model, said_with(vendor, arguments))
    got = messages(team, is_streamed, model=vendor.alias)
    # An object in a JSON string is what the tool wants.
    wanted = {} if arguments == '"{}"' else {"_raw": arguments}
    assert (got.calls, got.finish) == ((("weather", wanted), NOW), "tool_use")


@pytest.mark.parametrize("row", NATIVE)
@pytest.mark.parametrize("said", [{"text": "It is sunny.", "calls": [ROME]}, {"calls": [ROME]}], ids=["text", "call"])
def test_a_call_that_is_ruled_out_is_left_out(team, vendor_of, row, said, is_streamed):
    vendor = vendor_of(row)
    vendor.says(said, {"text": "It is sunny."})
    got = chat(team, is_streamed, model=vendor.alias, tools=TOOLS, tool_choice="none")
    # Gemini is asked again where it says nothing.
    text, times = ("It is sunny.", 2) if vendor.wire == "gemini" and "text" not in said else (said.get("text", ""), 1)
    assert (got.text, got.calls, got.finish, vendor.times) == (text, (), "stop", times)


@pytest.mark.parametrize("row", ["cf", "open"])
def test_tools_that_are_ruled_out_are_not_offered(team, vendor_of, row):
    """Servers may call excluded tools anyway, so these are not offered. Earlier calls keep theirs."""
    vendor = vendor_of(row)
    asked = {"model": vendor.alias, "max_tokens": 50, "tools": [{"name": "weather", "input_schema": SCHEMA}], "tool_choice": {"type": "none"}}
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    for messages, has_tools in ((said[:1], False), (said, True)):
        vendor.says({"text": "Hello."})
        answer = team.post("/v1/messages", json=asked | {"messages": messages})
        assert answer.json()["stop_reason"] == "end_turn"
        sent = vendor.fake.asked(vendor.model)[0]["body"]
        assert ("tools" in sent, sent.get("tool_choice")) == (has_tools, "none" if has_tools else None)


def whole_usage(http, path, **fields):
    answer = http.post(path, json=fields)
    assert answer.status_code == 200, answer.text
    return answer.headers, answer.json()["usage"]


def streamed_usage(http, path, **fields):
    answer = http.post(path, json=fields | {"stream": True})
    told = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    at_end = {"/v1/responses": told[-1].get("response", {}), "/v1/messages": told[-2], PATH: told[-1]}[path]
    return answer.headers, at_end["usage"]


def asked_usage(http, path, is_streamed, **fields):
    return (streamed_usage if is_streamed else whole_usage)(http, path, **fields)


def assert_used(http, records, headers, before, tokens, calls, is_streamed, billed=None):
    """Asserts that the tokens of all calls count for the caller, and are in the records."""
    cost = (billed or sum(tokens)) / 1000
    if not is_streamed:
        assert float(headers["x-relay-cost"]) == cost
    wait_for(lambda: before - left(http) >= sum(tokens))
    assert before - left(http) == sum(tokens)
    own = []

    def are_there():
        own[:] = [one for one in lines_so_far(records) if one["request_id"] == headers["x-request-id"]]
        return len(own) == calls + 1

    wait_for(are_there)
    (request,) = (one for one in own if not is_call(one))
    assert (request["prompt_tokens"], request["completion_tokens"], request["cost"]) == (*tokens, cost)
    part = tuple(number // calls for number in tokens)
    assert [(one["prompt_tokens"], one["completion_tokens"]) for one in own if is_call(one)] == calls * [part]


def left(http):
    """Returns the tokens that are left: a request that is too large for the limit reports them, and uses none."""
    answer = http.post(PATH, json=body("x " * 250_000, model="claude"))
    assert answer.status_code == 429, answer.text
    return int(answer.headers["x-ratelimit-remaining-tokens"])


@pytest.mark.parametrize("row", NATIVE)
@pytest.mark.parametrize(
    "fields, said",
    [
        ({"response_format": STRICT}, ({"text": "I would rather not."}, {"text": '{"city": "Rome"}'})),
        ({"tools": TOOLS, "tool_choice": "required"}, ({"text": "It is sunny."}, IN_WORDS)),
    ],
    ids=["document", "call"],
)
def test_both_answers_are_used(relay, fakes, records, vendor_of, row, fields, said, is_streamed):
    vendor = vendor_of(row)
    vendor.says(*said)
    with plain(relay, METERED_TOKEN) as http:
        before = left(http)
        more = {"stream_options": {"include_usage": True}} if is_streamed else {}
        headers, usage = asked_usage(http, PATH, is_streamed, **body(model=vendor.alias), **fields, **more)
        tokens = (18, 22 if vendor.wire == "gemini" else 16)  # 9, and 8 or with thoughts 11
        assert (usage["prompt_tokens"], usage["completion_tokens"], vendor.times) == (*tokens, 2)
        # Cohere bills 5 and 6 of its tokens.
        assert_used(http, records, headers, before, tokens, 2, is_streamed, 22 if vendor.wire == "cohere" else None)
        assert usage["total_tokens"] == sum(tokens)
    thoughts = usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    assert thoughts == (6 if vendor.wire in ("gemini", "responses") else 0)
    assert usage.get("prompt_tokens_details", {}).get("cached_tokens", 0) == (8 if vendor.wire == "responses" else 0)
    assert [found for fake in fakes.values() for found in fake.take_violations()] == []


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
def test_both_answers_are_used_on_other_surfaces(relay, records, vendor_of, path, is_streamed):
    vendor = vendor_of("resp")
    vendor.says({"text": "It is sunny."}, IN_WORDS)
    asked = {
        "/v1/messages": {
            "max_tokens": 500, "messages": [{"role": "user", "content": "Weather?"}], "tool_choice": {"type": "any"},
            "tools": [{"name": name, "input_schema": SCHEMA} for name in NAMES],
        },
        "/v1/responses": {"input": "Weather?", "tools": [{"type": "function"} | tool["function"] for tool in TOOLS], "tool_choice": "required"},
    }[path]  # fmt: skip
    with plain(relay, METERED_TOKEN) as http:
        before = left(http)
        headers, usage = asked_usage(http, path, is_streamed, model=vendor.alias, **asked)
        told = usage["input_tokens"] + usage.get("cache_read_input_tokens", 0), usage["output_tokens"]
        assert (told, vendor.times) == ((18, 16), 2)
        assert_used(http, records, headers, before, (18, 16), 2, is_streamed)


def test_choices_that_are_made_anew_are_used(relay, records, vendor_of, is_streamed):
    vendor = vendor_of("claude")
    fine = vendor.script(text='{"city": "Rome"}')
    # The vendor has both calls, but not yet the second choice, when the first one turns out to be of no use.
    both = threading.Event()
    useless = vendor.script(text="I would rather not.") | {"gate": both}
    vendor.fake.says(vendor.model, useless, fine | {"gate": threading.Event()}, fine)
    with plain(relay, METERED_TOKEN) as http, ThreadPoolExecutor() as pool:
        before = left(http)
        pool.submit(lambda: wait_for(lambda: vendor.times == 2) or both.set())
        more = {"stream_options": {"include_usage": True}} if is_streamed else {}
        _, usage = asked_usage(http, PATH, is_streamed, **body(model=vendor.alias), response_format=STRICT, n=2, **more)
        # The prompt counts once for both choices, of which the relay estimates one, with its schema (28), and once more for
        # both in words (9).
        assert usage["prompt_tokens"] == 28 + 9 and usage["completion_tokens"] >= 24
        wait_for(lambda: before - left(http) >= usage["total_tokens"])
