"""Prompt caches: whatever the relay translates or emulates, the vendor's request for a longer history begins with the one
before, and equal requests give equal bytes, from every relay."""

import copy
import json
import os

import anthropic_vendor
import conftest
import pytest
from agent_sessions import SURFACES, Session, broken, demanding, history_of
from conftest import TEAM_TOKEN
from limited import client
from test_system_turns import ROWS, rows, sites

__all__ = ["sites"]

ONEMIN_KEY = "key-of-the-sessions-at-1min"
ROWS = ROWS | {"onemin": ("onemin", "gpt-4o-mini")}
SESSIONS = int(os.environ.get("SESSIONS", "1"))
"""The number of random sessions for each surface and vendor."""


@pytest.fixture(scope="module")
def settings(sites):
    conftest.secrets.add(ONEMIN_KEY)
    return rows(sites) | {"PROVIDER_ONE_KIND": "onemin", "PROVIDER_ONE_API_KEY": ONEMIN_KEY, "PROVIDER_ONE_MODELS": "onemin=gpt-4o-mini"}


@pytest.fixture(scope="module")
def relay(launch, settings):
    return launch(**settings)


@pytest.fixture
def send(sites, vendor):
    """`send(http, name, path, body)`: returns the bytes of the vendor's request for it."""

    def send(http, name, path, body, answer="Fine."):
        row, model = ROWS[name]
        if row == "onemin":
            vendor.answers(ONEMIN_KEY, {"answer": answer})
        else:
            # The fake takes no neighbours of one role, except in a body that goes on as it came.
            script = {"open": True} if is_passed_on(path, name) else {}
            sites[row].says(model, script | ({"content": [anthropic_vendor.text("Fine.")]} if "claude" in row else {"text": "Fine."}))
        answer = http.post(path, json={"model": name} | body)
        assert answer.status_code == 200, (answer.text, body)
        if row == "onemin":
            body = vendor.requests(ONEMIN_KEY, "/api/chat-with-ai")[-1]["body"]
            # The vendor gives each upload another name.
            body["promptObject"].pop("attachments", None)
            body["promptObject"].pop("imageList", None)
            return json.dumps(body).encode()
        return sites[row].asked(model)[-1]["raw"]

    return send


def is_passed_on(path, name):
    """Whether Anthropic gets the client's body."""
    return path == "/v1/messages" and name in ("new", "old", "foreign")


def bodies(surface, seed, turns=16):
    """Returns path and body of each request of a random session."""
    path, write = SURFACES[surface]
    session = Session(seed, turns)
    return [(path, write(session, session.steps[:count])) for count in session.asks]


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("name", ROWS)
def test_a_longer_history_begins_with_the_shorter_one(relay, send, surface, name):
    with client(relay, TEAM_TOKEN) as http:
        for seed in range(SESSIONS):
            # Each pair of surface and vendor has sessions of its own.
            seed += 1_000 * list(SURFACES).index(surface) + 100_000 * list(ROWS).index(name)
            before = None
            for number, (path, body) in enumerate(bodies(surface, seed)):
                after = send(http, name, path, body)
                if before is not None:
                    assert (found := broken(before, after)) is None, f"seed {seed}, request {number}: {found}"
                before = after


CALL = '<tool_call>\n{"name": "%s", "arguments": {"path": "x"}}\n</tool_call>'
FORMATS = [
    None, {"type": "json_object"},
    {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}},
]  # fmt: skip


@pytest.mark.parametrize("surface", SURFACES)
def test_what_one_request_demands_stands_behind_the_history(relay, send, surface):
    """At 1min.ai, where the prompt has the tools, a demanded call and the form of the answer."""
    with client(relay, TEAM_TOKEN) as http:
        for seed in (0, 2, *range(3, 2 + SESSIONS)):
            before, session = None, Session(seed)
            for number, (path, body) in enumerate(bodies(surface, seed)):
                choice = session.choices[number] if session.has_tools else "auto"
                answer = "Fine." if choice == "auto" else CALL % ("search" if choice == "required" else choice)
                more = demanding(surface, choice)
                if not session.has_tools and surface == "chat" and (format := FORMATS[number % 3]):
                    more, answer = {"response_format": format}, '{"a":1}'
                after = send(http, "onemin", path, body | more, answer)
                if before is not None:
                    assert (found := broken(before, after)) is None, f"seed {seed}, request {number}: {found}"
                before = after


def test_equal_requests_give_equal_bytes(launch, settings, send, clock):
    """Of two relays with other clocks, and after a restart."""
    slow = clock(-90_000)
    first, second = launch(**settings), launch(**settings | clock(86_400 * 40).environment)
    requests = [(name, surface, *bodies(surface, 7, 6)[at]) for name in ROWS for surface in SURFACES for at in (0, 5)]

    def sent(relay):
        with client(relay, TEAM_TOKEN) as http:
            return [send(http, name, path, body) for name, _, path, body in requests]

    expected = sent(first)
    assert sent(first) == expected
    assert sent(second) == expected
    first.stop()
    assert sent(launch(**settings | slow.environment)) == expected


def planted(raw, change):
    body = json.loads(raw)
    change(body)
    return json.dumps(body).encode()


def hoisted(body):
    """An instruction of the middle goes to the top."""
    at = next(at for at, turn in enumerate(body["messages"]) if at and turn["role"] == "system")
    body["messages"].insert(0, body["messages"].pop(at))


def marked(body):
    """The mark of an older turn is within its text."""
    body["messages"][0]["content"] = [{"type": "text", "text": body["messages"][0]["content"]}]


MISTAKES = {
    "a clock": (lambda body: body["messages"][0].update(content="It is noon."), lambda body: body["messages"][0].update(content="It is one.")),
    "a random id": (
        lambda body: body["messages"][2]["tool_calls"][0].update(id="call_a"), lambda body: body["messages"][2]["tool_calls"][0].update(id="call_b"),
    ),
    "the order of a set": (lambda body: None, lambda body: body["tools"].reverse()),
    "the order of members": (lambda body: None, lambda body: body["tools"][0].update(type=body["tools"][0].pop("type"))),
    "a hoisted instruction": (lambda body: body["messages"].__delitem__(slice(4, None)), hoisted),
    "a moved mark": (lambda body: None, marked),
    "a text that grew": (lambda body: None, lambda body: body["messages"][-2].update(content=body["messages"][-2]["content"] + "\n\nMore.")),
    "a turn that is gone": (lambda body: None, lambda body: body["messages"].pop(1)),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_planted_mistakes_are_found(mistake):
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Well?"},
    ]  # fmt: skip
    tools = [{"type": "function", "function": {"name": name}} for name in ("read_file", "search")]
    whole = {"model": "m", "messages": messages, "tools": tools}
    shorter = copy.deepcopy(whole)
    longer = copy.deepcopy(whole)
    longer["messages"].append({"role": "assistant", "content": "Yes"})
    assert broken(*(json.dumps(body).encode() for body in (shorter, longer))) is None
    assert history_of(whole) == "messages"
    pair = [planted(json.dumps(body), change) for body, change in zip((shorter, longer), MISTAKES[mistake], strict=True)]
    assert broken(*pair) is not None
