"""Instructions in the middle of a conversation. `VendorBodyTests` has what each vendor gets of them."""

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


def turn(role, content):
    return {"role": role, "content": content}


def texts(*said):
    return [{"type": "text", "text": text} for text in said]


HI, YES, MORE = turn("user", "Hi"), turn("assistant", "Yes"), turn("user", "More")


USE = turn("assistant", [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}])
RESULT = turn("user", [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}])


def test_system_turns_are_counted(anthropics):
    def count(*messages, **fields):
        return anthropics.messages.count_tokens(model="open", messages=[HI, *messages], **fields).input_tokens

    assert count(turn("system", "Answer in one short word.")) > count(turn("system", "")) == count()
    assert count(system=[*texts(ATTRIBUTION), *texts("Be brief.")]) == count(system="Be brief.") > count()


ATTRIBUTION = "x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;"


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
    wanted = [
        ("system", "T\n\nU"), ("user", "Hi"), ("assistant", None), ("tool", "sunny"),
        ("user", "<system-reminder>\nA\n</system-reminder>"), ("assistant", "Yes"), ("user", "More"),
    ]  # fmt: skip
    for asked in (2, 1):
        assert client.messages.create(model="row", max_tokens=9, system=texts("T", "U"), tools=[WEATHER], messages=messages).content
        sent = server.asked("row")[-1]["body"]["messages"]
        assert [(one["role"], one.get("content")) for one in sent] == wanted and len(server.asked("row")) == asked
        server.says("row", {})
    assert server.take_violations() == []
    server.stop()
