"""Instructions in the middle of a conversation, as each vendor gets them."""

import anthropic
import anthropic_vendor
import cloudflare_vendor
import cohere_vendor
import gemini_vendor
import officials
import openai_vendor
import pytest
import vertex_vendor
from conftest import TEAM_TOKEN, VENDOR_KEY, secrets
from relay_process import provider

# Rows of settings, with the models of each by the relay's names.
MODELS = {
    "open": {"open": "open-model"}, "resp": {"resp": "resp-model"}, "cf": {"cf": "@cf/x/model"}, "co": {"co": "command-a-03-2025"},
    "gem": {"gem": "gemini-2.5-flash"}, "claude": {"new": "claude-opus-4-8", "old": "claude-sonnet-4-5", "foreign": "other-model"},
    "vgem": {"vgem": "gemini-3.1-pro"}, "vclaude": {"vold": vertex_vendor.CLAUDE, "vnew": "claude-opus-4-8"},
}  # fmt: skip
ROWS = {name: (row, model) for row, models in MODELS.items() for name, model in models.items()}
KINDS = {
    "open": "openai", "resp": "openai", "cf": "cloudflare", "co": "cohere", "gem": "gemini", "claude": "anthropic",
    "vgem": "vertexai_gemini", "vclaude": "vertexai_claude",
}  # fmt: skip
OTHERS = [name for name, (row, _) in ROWS.items() if "claude" not in row]
"""The models of vendors with another API than Anthropic's. To Anthropic's API, messages go on as they came."""
ROLES = {"open": "system", "resp": "developer", "new": "system", "vnew": "system", "foreign": "system"}
"""The roles of later instructions. For the other models they are reminders of the user."""
WEATHER = {"name": "weather", "input_schema": {"type": "object"}}


@pytest.fixture(scope="module")
def sites():
    open_server, vertex = openai_vendor.Server(), vertex_vendor.Vertex()
    sites = {
        "open": open_server, "resp": open_server, "cf": cloudflare_vendor.start(), "co": cohere_vendor.start(),
        "gem": gemini_vendor.start(), "claude": anthropic_vendor.AnthropicServer(), "vgem": vertex, "vclaude": vertex,
    }  # fmt: skip
    yield sites
    for site in {id(site): site for site in sites.values()}.values():
        site.stop()


def rows(sites):
    """Returns the settings of all rows."""
    secrets.update((vertex_vendor.REFRESH, vertex_vendor.CLIENT["client_secret"], "ya29.token-number"))
    settings = {"PROVIDER_RESP_CHAT_VIA": "responses", "PROVIDER_CF_ACCOUNT_ID": cloudflare_vendor.ACCOUNT, "KEY_TEAM_TOKEN": TEAM_TOKEN}
    for row, kind in KINDS.items():
        models = ",".join(f"{name}={model}" for name, model in MODELS[row].items())
        more = {"KIND": kind, "BASE_URL": sites[row].base_url, "API_KEY": VENDOR_KEY, "MODELS": models}
        if kind.startswith("vertexai"):
            more |= {"BASE_URL": sites[row].base_url + "/v1", "API_KEY": None, "PROJECT_ID": vertex_vendor.PROJECT, "REFRESH_TOKEN": vertex_vendor.REFRESH}
            more |= {"CLIENT_ID": vertex_vendor.CLIENT["client_id"], "CLIENT_SECRET": vertex_vendor.CLIENT["client_secret"], "TOKEN_URL": sites[row].tokens.url}
        settings |= {f"PROVIDER_{row.upper()}_{name}": value for name, value in more.items()}
    return settings


@pytest.fixture(scope="module")
def turns_relay(launch, sites):
    return launch(**rows(sites))


official = officials.openai_of("turns_relay")
anthropics = officials.anthropic_of("turns_relay")


@pytest.fixture
def prepare(sites):
    """Scripts the vendor of a model. Returns a function that returns the body of its last request."""

    def prepare(name, *answers):
        row, model = ROWS[name]
        usual = {"content": [anthropic_vendor.text("Fine.")]} if "claude" in row else {"text": "Fine."}
        sites[row].says(model, *answers, usual)
        return lambda: sites[row].asked(model)[-1]["body"]

    yield prepare
    assert [one for site in sites.values() for one in site.take_violations()] == []


@pytest.fixture
def ask(anthropics, prepare):
    """Sends a conversation to a model. Returns the vendor's last request."""

    def ask(name, messages, *answers, **fields):
        last = prepare(name, *answers)
        assert anthropics.messages.create(**{"model": name, "max_tokens": 600, "messages": messages} | fields).content
        return last()

    return ask


def raw_turns(body):
    """Returns the messages of a vendor's request."""
    return body.get("messages") or body.get("input") or body["contents"]


def said(body):
    """Returns the texts of a vendor's request in order, each with its role: `[("user", "Hi")]`."""
    found = []
    tops = [body.get("system") or [], body.get("systemInstruction", {}).get("parts", [])]
    for top in tops:
        found += [("system", part["text"]) for part in top]
    for turn in raw_turns(body):
        role = {"model": "assistant"}.get(turn.get("role"), turn.get("role"))
        content = turn.get("content", turn.get("parts")) or []
        for part in [content] if isinstance(content, str) else content:
            text = part if isinstance(part, str) else part.get("text")
            if text is not None and role != "tool":
                found.append((role, text))
    return found


def wanted(name, turns):
    """Returns what a vendor must get of turns whose later instructions have the role `later`."""
    role = ROLES.get(name)
    return [
        (kind, text) if kind != "later" else (role, text) if role else ("user", f"<system-reminder>\n{text}\n</system-reminder>")
        for kind, text in turns
    ]  # fmt: skip


def turn(role, content):
    return {"role": role, "content": content}


def texts(*said):
    return [{"type": "text", "text": text} for text in said]


HI, YES, MORE = turn("user", "Hi"), turn("assistant", "Yes"), turn("user", "More")
REST = [("assistant", "Yes"), ("user", "More")]
SHAPES = {
    "last": ([HI, turn("system", "A")], [("user", "Hi"), ("later", "A")]),
    "in the middle": ([HI, turn("system", "A"), YES, MORE], [("user", "Hi"), ("later", "A"), *REST]),
    "twice": ([HI, turn("system", "A"), YES, MORE, turn("system", texts("B"))], [("user", "Hi"), ("later", "A"), *REST, ("later", "B")]),
    "first": ([turn("system", "A"), HI], [("system", "A"), ("user", "Hi")]),
    "first as blocks": ([turn("system", texts("A")), turn("system", "B"), HI], [("system", "A"), ("system", "B"), ("user", "Hi")]),
    "empty": ([HI, turn("system", ""), YES, turn("user", "More"), turn("system", [])], [("user", "Hi"), *REST]),
    "blank": ([turn("system", " \n"), HI, turn("system", texts("", " "))], [("user", "Hi")]),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OTHERS)
def test_a_system_turn_stays_where_it_is(ask, name, shape):
    messages, turns = SHAPES[shape]
    assert said(ask(name, messages)) == wanted(name, turns)


@pytest.mark.parametrize("name", OTHERS)
def test_adjacent_system_turns_stay_together(ask, name):
    body = ask(name, [HI, turn("system", texts("A", "B")), turn("system", "C"), YES, MORE])
    found = said(body)
    # A message of several parts may be one text.
    if name == "cf":
        reminder = "<system-reminder>\n{}\n</system-reminder>"
        assert found == [("user", "Hi"), ("user", f"{reminder.format('A')}\n{reminder.format('B')}"), ("user", reminder.format("C")), *REST]
    elif name == "resp":
        assert found == [("user", "Hi"), ("developer", "A\nB"), ("developer", "C"), *REST]
    else:
        assert found == wanted(name, [("user", "Hi"), ("later", "A"), ("later", "B"), ("later", "C"), *REST])


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("messages", [[HI, YES, turn("system", "A"), MORE], [HI, YES, MORE, turn("system", "A"), turn("user", "Go")]])
def test_a_system_turn_before_the_user_stays_there_too(ask, name, messages):
    turns = [("later" if one["role"] == "system" else one["role"], one["content"]) for one in messages]
    assert said(ask(name, messages)) == wanted(name, turns)


USE = turn("assistant", [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}])
RESULT = turn("user", [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}])


@pytest.mark.parametrize("name", OTHERS)
def test_a_system_turn_between_a_call_and_its_result_comes_behind_the_result(ask, name):
    body = ask(name, [HI, USE, turn("system", "A"), RESULT], tools=[WEATHER])
    # The fakes refuse a call without its result right behind it.
    assert said(body) == wanted(name, [("user", "Hi"), ("later", "A")])
    assert said(ask(name, [HI, USE, RESULT, turn("system", "A")], tools=[WEATHER])) == said(body)


@pytest.mark.parametrize("role", ["system", "developer"])
@pytest.mark.parametrize("name", ROWS)
def test_chats_with_instructions_in_the_middle(official, prepare, name, role):
    last = prepare(name)
    official.chat.completions.create(model=name, messages=[turn("system", "Top"), HI, turn(role, "A"), YES, MORE])
    found = said(last())
    if name == "open":
        # What the client sent goes on as it came.
        assert found == [("system", "Top"), ("user", "Hi"), (role, "A"), *REST]
    else:
        assert found == wanted(name, [("system", "Top"), ("user", "Hi"), ("later", "A"), *REST])


@pytest.mark.parametrize("name", ROWS)
def test_responses_with_instructions_in_the_middle(official, prepare, name):
    last = prepare(name)
    official.responses.create(model=name, instructions="Top", input=[HI, turn("developer", "A"), YES, MORE])
    assert said(last()) == wanted(name, [("system", "Top"), ("user", "Hi"), ("later", "A"), *REST])


def test_what_system_turns_cannot_contain(anthropics):
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    for content, path in [([picture], "messages[1].content[0].type"), ([*texts("A"), RESULT["content"][0]], "messages[1].content[1].type"), (5, "messages[1].content")]:
        for send in (anthropics.messages.create, anthropics.messages.count_tokens):
            more = {"max_tokens": 9} if send == anthropics.messages.create else {}
            with pytest.raises(anthropic.BadRequestError) as caught:
                send(model="open", messages=[HI, turn("system", content)], **more)
            assert path in str(caught.value)
    with pytest.raises(anthropic.BadRequestError) as caught:
        anthropics.messages.create(model="open", max_tokens=9, messages=[turn("system", "")])
    assert "'messages' must not be empty" in str(caught.value)


def test_system_turns_are_counted(anthropics):
    def count(*messages, **fields):
        return anthropics.messages.count_tokens(model="open", messages=[HI, *messages], **fields).input_tokens

    assert count(turn("system", "Answer in one short word.")) > count(turn("system", "")) == count()
    assert count(system=[*texts(ATTRIBUTION), *texts("Be brief.")]) == count(system="Be brief.") > count()


ATTRIBUTION = "x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;"


@pytest.mark.parametrize("name", ["open", "resp", "cf", "co", "gem", "vgem"])
def test_other_vendors_do_not_get_the_attribution_line(ask, name):
    system = [*texts(ATTRIBUTION), {"type": "text", "text": "Top", "cache_control": {"type": "ephemeral"}}]
    assert said(ask(name, [HI], system=system)) == [("system", "Top"), ("user", "Hi")]
    assert said(ask(name, [HI], system=f"{ATTRIBUTION}\nTop")) == [("system", "Top"), ("user", "Hi")]


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "System message must be at the beginning."), (400, "Unexpected role 'system' after role 'user'"), (500, "Jinja Exception: System message must be at the beginning.")],
)
def test_a_server_that_knows_one_instruction_gets_reminders(launch, sites, status, words):
    server = openai_vendor.Server()
    relay = launch(**provider("ROW", "openai", server.base_url, "row", API_KEY=VENDOR_KEY), KEY_TEAM_TOKEN=TEAM_TOKEN)
    refused = {"status": status, "json": {"error": {"message": words, "type": "BadRequestError", "code": status}}}
    server.says("row", refused, {})
    client = anthropic.Anthropic(api_key=TEAM_TOKEN, base_url=relay.base_url, max_retries=0)
    messages = [HI, USE, turn("system", "A"), RESULT, YES, MORE]
    wanted = [("system", "T\n\nU"), ("user", "Hi"), ("user", "<system-reminder>\nA\n</system-reminder>"), *REST]
    for asked in (2, 1):
        assert client.messages.create(model="row", max_tokens=9, system=texts("T", "U"), tools=[WEATHER], messages=messages).content
        body = server.asked("row")[-1]["body"]
        assert said(body) == wanted and len(server.asked("row")) == asked
        assert [one["role"] for one in body["messages"]] == ["system", "user", "assistant", "tool", "user", "assistant", "user"]
        server.says("row", {})
    assert server.take_violations() == []
    server.stop()


def test_the_prompt_for_1min_ai_keeps_instructions_in_their_order(claude, vendor, api_key):
    messages = [turn("system", "First"), HI, turn("system", "A"), YES, MORE, turn("system", texts("B"))]
    claude.messages.create(model="gpt-4o-mini", max_tokens=99, system="Top", messages=messages)
    prompt = vendor.prompt(api_key)
    reminders = ["User: <system-reminder>\nA\n</system-reminder>\n\n", "User: <system-reminder>\nB\n</system-reminder>\n\n"]
    assert prompt.startswith(f"Instructions:\nTop\n\nFirst\n\nUser: Hi\n\n{reminders[0]}Assistant: Yes\n\nUser: More\n\n{reminders[1]}")
