"""Whose requests a refusal changes, for how long, and what a refusal cannot teach."""

import json
import re
from pathlib import Path

import local_http
import pytest
from chat import ask, either, stream
from conftest import CLAUDE_KEY
from relay_process import provider
from test_messages_lane import OPEN, USER
from test_openai_mends import FORMATS, SCHEMA, TOOL, dropped, said

ALICE, BOB, CAROL = "token-of-alice-0001", "token-of-bob-00000001", "token-of-carol-0001"
REFUSALS = Path(__file__).with_name("refusals.md")
HOUR = 3_601


@pytest.fixture
def quirky(start_relay, server, clock):
    """`quirky(model)`: a relay with three callers and anonymous ones, and a settable clock."""
    watch = clock(0)

    def start(*models, **settings):
        relay = start_relay(
            PROVIDER_ROW_KIND="openai", PROVIDER_ROW_BASE_URL=server.base_url, PROVIDER_ROW_MODELS=",".join(models),
            KEY_ALICE_TOKEN=ALICE, KEY_BOB_TOKEN=BOB, KEY_CAROL_TOKEN=CAROL, ANONYMOUS_MODELS="*", **watch.environment, **settings,
        )  # fmt: skip
        return relay, watch

    return start


def sends(http, server, at, is_streamed=False, **fields):
    """Returns the fields of the bodies that one request leads to."""
    before = len(server.asked(at))
    assert either(http, is_streamed, model=at, **fields)[1] in ("stop", "tool_calls")
    return [request["body"] for request in server.asked(at)[before:]]


def learned(relay, lines):
    """Waits for the log lines about what the relay learned."""
    def are_there():
        return sum("learned how a model's requests must be changed" in line for line in relay.stderr) == lines

    with relay.arrived:
        assert relay.arrived.wait_for(are_there, 5), relay.stderr


TOLD = dropped("temperature", 0)[0]


def test_for_whom_and_how_long(quirky, server, caller, is_streamed):
    at = f"whose-{is_streamed}"
    relay, watch = quirky(at)
    alice, bob, carol, nobody, another = (caller(relay, token) for token in (ALICE, BOB, CAROL, None, None))

    def warm(http):
        return ["temperature" in body for body in sends(http, server, at, is_streamed, temperature=0.5)]

    server.says(at, TOLD, {})
    assert warm(alice) == [True, False] and warm(alice) == [False], "the caller at once"
    server.says(at, {})
    assert warm(bob) == warm(nobody) == [True], "not others"
    server.says(at, TOLD, {})
    assert warm(nobody) == [True, False] and warm(another) == [False], "anonymous callers share a memory"
    server.says(at, {})
    assert warm(bob) == warm(carol) == [True], "and no other one"
    server.says(at, TOLD, {})
    assert warm(bob) == [True, False]
    assert warm(carol) == warm(alice) == [False], "after two known callers all"
    learned(relay, 3)
    watch.set(HOUR)
    server.says(at, TOLD, {})
    assert warm(carol) == [True, False], "one request tries the original"
    assert warm(alice) == warm(bob) == [False], "and no other one"
    watch.set(2 * HOUR)
    server.says(at, {})
    assert sends(alice, server, at, is_streamed)[0].get("temperature") is None, "a request without the field tries nothing"
    assert warm(alice) == [True] and warm(bob) == [True], "what is no longer refused is forgotten"


def test_an_emulation_that_fails_teaches_nothing(quirky, server, caller):
    at = "failed"
    relay, _ = quirky(at)
    refused, form = FORMATS["objects"]
    http = caller(relay, ALICE)
    server.says(at, refused, said("It is wrong."))
    assert ask(http, model=at, response_format=form).status_code == 400
    server.says(at, {"text": "{}"})
    assert ["response_format" in body for body in sends(http, server, at, response_format=form)] == [True]


def test_none_learns_nothing(quirky, server, caller):
    at = "none"
    relay, _ = quirky(at, PROVIDER_ROW_QUIRKS="none")
    http = caller(relay, ALICE)
    for _ in range(2):
        server.says(at, TOLD, {})
        assert len(sends(http, server, at, temperature=0.5)) == 2
    assert "learned how" not in relay.text()


LONG = "my app says that tools are not supported by this model, and roles must alternate"
NAMED = [{"role": "user", "name": "a b", "content": "Hi"}]
ONCE = {
    # What one request must not change for the next: refusal, fields, calls of the request (nil: it is refused).
    "a beginner's schema": (said("Invalid schema for response_format 'thing': In context=(), 'additionalProperties' is required to be supplied and must be false.", param="response_format", code="invalid_json_schema"),
                            {"response_format": {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA, "strict": True}}}, {"text": '{"a":1}'}, 2),
    "a quoted text": (said(f"Invalid value: '{LONG}'. It is not supported.", param="metadata.k"), {"metadata": {"k": LONG}, "tools": [TOOL]}, {}, None),
    "an unquoted text": (said(f"Bad request body, {LONG}."), {"metadata": {"k": LONG}, "tools": [TOOL]}, {}, None),
    "a temperature": (said("temperature: 1.9 is not supported, it must be between 0 and 1"), {"temperature": 1.9}, {}, 2),
    "a long value": (said("metadata.k: a value too long is not allowed"), {"metadata": {"k": "x" * 600}}, {}, 2),
    "a service tier": (said("service_tier 'flex' is not supported for this model"), {"service_tier": "flex"}, {}, 2),
    "a bad name": (said("Invalid 'messages[0].name': these characters are not allowed, the pattern is '^[a-z]+$'"), {"messages": NAMED}, {}, 2),
    "roles in a prompt": (said(f'The prompt "{LONG}" was refused.'), {"messages": [{"role": "user", "content": LONG}, {"role": "user", "content": "b"}]}, {}, None),
    "a tool's name": (said("Tool 'metadata' has an invalid type, which is not supported"), {"metadata": {"k": "v"}, "tools": [TOOL | {"function": TOOL["function"] | {"name": "metadata"}}]}, {}, None),
    "a template": (said("While executing CallExpression in source:\n...{%- if tools %}{{ raise_exception('store is not supp...\n ^\nError: Jinja Exception: No user query."),
                   {"store": True, "tools": [TOOL]}, {}, None),
    "an escaped text": (said(f"Cannot read {LONG} as a number"), {"user": LONG, "tools": [TOOL]}, {}, None),
}  # fmt: skip


def test_one_request_changes_no_other(quirky, server, caller, is_streamed):
    relay, _ = quirky(*(f"once-{number}" for number in range(len(ONCE))))
    alice = caller(relay, ALICE)
    for number, (name, (refused, fields, fine, calls)) in enumerate(ONCE.items()):
        at = f"once-{number}"
        for _ in range(2):
            server.says(at, refused | {"extra": True}, fine | {"extra": True})
            if is_streamed:
                assert (stream(alice, model=at, **fields).error is None) == (calls is not None), name
            else:
                assert (ask(alice, model=at, **fields).status_code == 200) == (calls is not None), name
            seen = server.asked(at)
            assert len(seen) == (calls or 1), name
            # The second request is sent as it is, too.
            assert all(seen[0]["body"][field] == value for field, value in fields.items()), name
    assert "learned how" not in relay.text()
    server.take_violations()


def test_a_list_changes_only_other_values(quirky, server, caller):
    at = "list"
    relay, _ = quirky(at)
    http = caller(relay, ALICE)
    server.says(at, said("Invalid value: 'priority' is not supported. Supported values are: 'auto', 'default' and 'flex'.", param="service_tier", code="unsupported_value"), {})
    assert len(sends(http, server, at, service_tier="priority")) == 2
    assert [body.get("service_tier") for body in sends(http, server, at, service_tier="flex")] == ["flex"]
    assert [body.get("service_tier") for body in sends(http, server, at, service_tier="scale")] == [None]
    server.says(at, said("temperature does not support 0.5 with this model. Only the default (1) value is supported."), {})
    assert len(sends(http, server, at, temperature=0.5)) == 2
    assert [body.get("temperature") for body in sends(http, server, at, temperature=1.0)] == [1.0]
    assert [body.get("temperature") for body in sends(http, server, at, temperature=0.7)] == [None]


FIELDS = {
    "max_tokens": 9, "max_completion_tokens": 9, "temperature": 0.7, "top_p": 0.5, "presence_penalty": 0.5, "frequency_penalty": 0.5,
    "logprobs": True, "seed": 3, "store": True, "user": "me", "service_tier": "priority", "reasoning_effort": "minimal",
    "parallel_tool_calls": False, "n": 2, "metadata": {"a": "b"}, "response_format": {"type": "json_object"}, "prompt_cache_key": "k",
    "verbosity": "low", "tools": [TOOL], "stream_options": {"include_usage": True}, "safety_identifier": "s", "echo": True,
    "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "developer": [{"role": "developer", "content": "a"}, {"role": "user", "content": "b"}],
    "system": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
    "name": [{"role": "user", "name": "x", "content": "a"}],
    "schema": {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA}}, "no reasoning": "none",
}  # fmt: skip
ROW = re.compile(r"^\| ([\w. ]+) \| (\d{3}) (?:`` (.*?) ``|`(.*?)`)( \((?:param|code) .*?\))? \| `([\w ]+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)
PLACES = {"developer": "messages", "system": "messages", "parts": "messages", "name": "messages", "schema": "response_format", "no reasoning": "reasoning_effort"}


def rows():
    return [(row[0], row[1], row[2] or row[3], *row[4:]) for row in (match.groups() for match in ROW.finditer(REFUSALS.read_text()))]


def refusal_of(status, words, error):
    told = {"message": words} | {name: value.strip("`") for name, value in re.findall(r"(param|code) (`[^`]*`)", error or "")}
    return {"status": int(status), "json": {"error": told}, "extra": True, "nulls": True}


@pytest.mark.parametrize("prompt", ["plain", "docs", "quoted"])
def test_the_table_of_refusals(quirky, server, caller, prompt):
    table = rows()
    assert len(table) >= 30, len(table)
    relay, watch = quirky(*(f"row-{number}" for number in range(len(table))))
    alice, bob = caller(relay, ALICE), caller(relay, BOB)
    wrong = []
    for number, (_, status, words, error, field, change, kept) in enumerate(table):
        at, place = f"row-{number}", PLACES.get(field, field)
        asked = {place: FIELDS[field]}
        if field in ("reasoning_effort", "parallel_tool_calls") and "tool" in words.lower():
            asked["tools"] = [TOOL]
        if prompt == "docs" and place != "messages":
            asked["messages"] = [{"role": "user", "content": REFUSALS.read_text()}]
        refused = refusal_of(status, words, error)
        if prompt == "quoted":
            # Each text as a value of the caller that the server quotes.
            asked |= {"prediction": {"type": "content", "content": words}}
            refused = refusal_of(status, json.dumps(f"Invalid value: '{words}'. Try another one."), None)
        fine = {"text": '{"a":1}', "extra": True, "nulls": True}
        server.says(at, refused, fine)
        first = ask(alice, model=at, **asked)
        calls = len(server.asked(at))
        server.says(at, fine)
        ask(alice, model=at, **asked)
        again = server.asked(at)[0]["body"]
        server.says(at, fine)
        ask(bob, model=at, **asked)
        others = server.asked(at)[0]["body"]
        is_changed, is_kept = calls > 1, again.get(place) != asked[place]
        should_change, should_keep = change != "none", kept == "an hour"
        if prompt == "quoted":
            should_change = should_keep = False
        if (is_changed, is_kept, others.get(place)) != (should_change, should_keep, asked[place]) or (first.status_code == 200) != should_change:
            wrong.append((words, first.status_code, calls, is_kept))
    assert not wrong, wrong
    watch.set(HOUR)
    for number, (_, _, _, _, field, _, _) in enumerate(table):
        # After an hour the original is sent again.
        at, place = f"row-{number}", PLACES.get(field, field)
        asked = {place: FIELDS[field]} | ({"tools": [TOOL]} if field == "reasoning_effort" else {})
        server.says(at, {"text": '{"a":1}', "extra": True, "nulls": True})
        assert ask(alice, model=at, **asked).status_code == 200
        assert server.asked(at)[0]["body"].get(place) == FIELDS[field], table[number]
    server.take_violations()


MAPPED = [{"name": "t", "input_schema": {"type": "object", "properties": {"a": {"type": "string", "enum": ["b"]}}}}]
LATER = {
    # name: kind, words of the refusal, fields, header of the client, whether a request is the original, whether others ever learn it
    "betas": ("anthropic", "Unexpected value(s) `new-1` for the `anthropic-beta` header.", {}, {"anthropic-beta": "old-1,new-1"},
              lambda seen: "new-1" in seen["headers"].get("anthropic-beta", ""), True),
    "system turns": ("anthropic", "role 'system' is not supported on this model", {"messages": [USER, {"role": "system", "content": "Be brief."}]}, {},
                     lambda seen: seen["body"]["messages"][-1]["role"] == "system", True),
    "schemas": ("anthropic", "tools.0.custom.input_schema: unknown rule", {"tools": MAPPED}, {},
                lambda seen: "enum" in json.dumps(seen["body"]["tools"]), False),
    "long names": ("openai", "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64.",
                   {"tools": [MAPPED[0] | {"name": "n" * 99}]}, {}, lambda seen: len(seen["body"]["tools"][0]["function"]["name"]) > 64, True),
    "grammars": ("openai", "Failed to initialize samplers: failed to parse grammar", {"tools": MAPPED}, {}, lambda seen: "tools" in seen["body"], False),
}  # fmt: skip


@pytest.fixture
def later(start_relay, server, anthropic_server, clock):
    """`later(name, token)`: the function that sends the request of a row, and the vendor. They have a settable clock."""
    watch = clock(0)

    def start(name, **settings):
        kind, _, fields, header, is_original, _ = LATER[name]
        vendor = anthropic_server if kind == "anthropic" else server
        relay = start_relay(
            PROVIDER_ROW_KIND=kind, PROVIDER_ROW_BASE_URL=vendor.base_url, PROVIDER_ROW_API_KEY=CLAUDE_KEY, PROVIDER_ROW_MODELS="later",
            KEY_ALICE_TOKEN=ALICE, KEY_BOB_TOKEN=BOB, KEY_CAROL_TOKEN=CAROL, ANONYMOUS_MODELS="*", **watch.environment, **settings,
        )  # fmt: skip
        body = {"model": "later", "max_tokens": 9, "messages": [USER]} | fields

        def sent(token, *scripts, status=200):
            vendor.says("later", *[OPEN | {"extra": True} | script for script in scripts])
            answer = local_http.post(f"{relay.base_url}/v1/messages", json=body, headers={"x-api-key": token} | header if token else header)
            assert answer.status_code == status, answer.text
            return [is_original(request) for request in vendor.asked("later")]

        return relay, watch, sent

    yield start
    server.take_violations()


def refusal_in(kind, words):
    error = {"type": "invalid_request_error", "message": words}
    return {"status": 400, "json": {"type": "error", "error": error} if kind == "anthropic" else {"error": error}}


@pytest.mark.parametrize("name", LATER)
def test_other_quirks_follow_the_rules(later, name):
    relay, watch, sent = later(name)
    kind, words, _, _, _, is_for_all = LATER[name]
    told, other = refusal_in(kind, words), refusal_in(kind, "It is wrong.")
    assert sent(ALICE, told, {}) == [True, False] and sent(ALICE, {}) == [False], "the caller at once"
    assert sent(BOB, {}) == sent(None, {}) == [True], "not others"
    assert sent(BOB, told, other, status=400) == [True, False] and sent(BOB, {}) == [True], "only after the changed request succeeded"
    assert sent(None, told, {}) == [True, False] and sent(None, {}) == [False] and sent(CAROL, {}) == [True], "anonymous callers have a memory"
    assert sent(BOB, told, {}) == [True, False]
    assert sent(CAROL, {}) == [not is_for_all], "after two known callers all"
    learned(relay, 3)
    watch.set(HOUR)
    assert sent(ALICE, told, {}) == [True, False] and sent(ALICE, {}) == sent(BOB, {}) == [False], "one request tries the original"
    watch.set(2 * HOUR)
    assert sent(BOB, {}) == [True] and sent(BOB, {}) == sent(ALICE, {}) == [True], "what is no longer refused is forgotten"


@pytest.mark.parametrize("name", LATER)
def test_other_quirks_are_not_learned(later, name):
    relay, _, sent = later(name, PROVIDER_ROW_QUIRKS="none")
    for _ in range(2):
        assert sent(ALICE, refusal_in(*LATER[name][:2]), {}) == [True, False]
    assert "learned how" not in relay.text()


@pytest.fixture
def asked_with_beta(start_relay, anthropic_server):
    """Sends a message with this header to a relay that has learned nothing."""
    relay = start_relay(**provider("ROW", "anthropic", anthropic_server.base_url, "later", API_KEY=CLAUDE_KEY), KEY_ALICE_TOKEN=ALICE)

    def sent(beta, **fields):
        body = {"model": "later", "max_tokens": 9, "messages": [USER]} | fields
        return local_http.post(f"{relay.base_url}/v1/messages", json=body, headers={"x-api-key": ALICE, "anthropic-beta": beta})

    return sent


@pytest.mark.parametrize(("sent", "left"), [("New-1,other", "other"), ("new-1", None), ("New-1,new-1", None)])
def test_a_beta_is_refused_in_its_own_letter_case(asked_with_beta, anthropic_server, sent, left):
    refused = refusal_in("anthropic", "Unexpected value(s) `New-1` for the `anthropic-beta` header.")
    anthropic_server.says("later", OPEN | {"extra": True} | refused, OPEN | {"extra": True})
    asked_with_beta(sent)
    assert [seen["headers"].get("anthropic-beta") for seen in anthropic_server.asked("later")] == [sent] + ([left] if left else [])
    anthropic_server.take_violations()


def test_a_prompt_about_betas_takes_none_away(asked_with_beta, anthropic_server):
    said = "anthropic-beta new-1 is not a value that this server knows"
    anthropic_server.says("later", OPEN | refusal_in("anthropic", f"Cannot read the text '{said}' of a user."), OPEN)
    answer = asked_with_beta("new-1", messages=[{"role": "user", "content": said}])
    assert answer.status_code == 400 and len(anthropic_server.asked("later")) == 1


SEARCHLESS = refusal_in("openai", "Unknown parameter: 'web_search_options'.")


def test_a_search_that_one_server_refuses_is_made_by_another(quirky, server, caller, is_streamed):
    strict, searching = (f"{name}-search-{is_streamed}" for name in ("strict", "able"))
    more = {"KIND": "openai", "BASE_URL": server.base_url, "MODELS": f"{strict}={searching}", "PRIORITY": 2}
    relay, watch = quirky(strict, PROVIDER_ROW_PRIORITY=1, **{f"PROVIDER_NEXT_{name}": value for name, value in more.items()})
    alice, bob = caller(relay, ALICE), caller(relay, BOB)
    server.says(strict, SEARCHLESS)
    server.says(searching, {})
    for http, calls in [(alice, 1), (alice, 0), (bob, 1)]:
        before = [len(server.asked(at)) for at in (strict, searching)]
        assert either(http, is_streamed, model=strict, web_search_options={})[1] == "stop"
        assert [len(server.asked(at)) for at in (strict, searching)] == [before[0] + calls, before[1] + 1], "learned for the caller"
    learned(relay, 2)
    watch.set(HOUR)
    server.says(strict, {})
    for _ in range(2):
        before = len(server.asked(strict))
        assert either(alice, is_streamed, model=strict, web_search_options={})[1] == "stop" and len(server.asked(strict)) == before + 1
