"""Compactions that a conversation's last item asks for: by the relay's summary, and by OpenAI's own Responses API."""

import pytest
import responding
from chat import PATH as CHAT
from chat import ask
from conftest import TEAM_TOKEN, http_of
from responding import PATH, error_of, events, final, respond, said, text_of

TRIGGER = {"type": "compaction_trigger"}
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
TURNS = [said("user", "Rome?"), responding.called(), responding.result("Sunny"), said("assistant", "It is sunny."), said("user", "Good.")]
IGNORED = {"text": "I go on."}
REFUSED = {"status": 400, "json": {"error": {"message": "Invalid value: 'compaction_trigger'"}}}
NAMES = ["sum", "own", "dull-1", "dull-2", "old-1", "old-2"]
AT = {name: f"compacting/{name}" for name in NAMES}


@pytest.fixture(scope="module")
def relay(launch, server):
    models = {"CHAT": ["sum"], "RESPONSES": NAMES[1:]}
    settings = {f"PROVIDER_{row}_MODELS": ",".join(f"{name}={AT[name]}" for name in names) for row, names in models.items()}
    for row in models:
        more = {"KIND": "openai", "BASE_URL": server.base_url, "API_KEY": f"key-of-{row}", "CHAT_VIA": row.lower()}
        settings |= {f"PROVIDER_{row}_{name}": value for name, value in more.items()}
    return launch(KEY_TEAM_TOKEN=TEAM_TOKEN, **settings)


http = http_of("relay", "server")


def compacted(http, model, is_streamed, items=TURNS, **fields):
    """Returns the only output item of a compaction."""
    answer = respond(http, [*items, TRIGGER], model=model, stream=is_streamed, **fields)
    assert answer.status_code == 200, answer.text
    if not is_streamed:
        (item,) = answer.json()["output"]
        return item
    got = events(answer)
    kinds = ["created", "in_progress", "output_item.added", "output_item.done", "completed"]
    assert [event["type"] for event in got] == [f"response.{kind}" for kind in kinds]
    (item,) = got[-1]["response"]["output"]
    assert got[3]["item"] == item and got[-1]["response"]["usage"]["total_tokens"] > 0
    return item


@pytest.mark.parametrize("first", [[], [IGNORED], [REFUSED]], ids=["by chats", "ignored", "refused"])
def test_the_relay_summarises(http, server, first, is_streamed):
    model = "sum" if not first else f"{'dull' if first == [IGNORED] else 'old'}-{1 + is_streamed}"
    server.says(AT[model], *first, {"text": "They like the sun."})
    item = compacted(http, model, is_streamed, tools=[TOOL])
    assert len(server.asked(AT[model])) == 1 + len(first), "what the server lacks is learned"
    server.says(AT[model], {"text": "They like the sun."})
    item = compacted(http, model, is_streamed, tools=[TOOL])
    assert item["type"] == "compaction" and item["id"].startswith("cmp_") and "the sun" not in item["encrypted_content"]
    body = server.body(AT[model])
    turns = body["messages" if model == "sum" else "input"]
    assert "Summarise the conversation above" in turns[-1]["content"] and turns[0]["content"] == "Rome?"
    # The prompt begins like the one before, so that the vendor's prompt cache finds it.
    assert [tool.get("function", tool)["name"] for tool in body["tools"]] == ["weather"] and body["tool_choice"] == "none"
    server.says(AT[model], {"text": "Fine."})
    assert text_of(final(http, is_streamed, [TURNS[0], item, said("user", "And now?")], model=model)) == "Fine."
    body = server.body(AT[model])
    texts = [turn["content"] for turn in body["messages" if model == "sum" else "input"]]
    assert texts == ["Rome?", "This is a summary of the conversation so far:\n\nThey like the sun.", "And now?"]


def test_openai_compacts_itself(http, server, is_streamed):
    server.says(AT["own"], {"compaction": "gAAAA.of-openai"})
    item = compacted(http, "own", is_streamed, tools=[TOOL])
    assert item == {"id": "cmp_v1", "type": "compaction", "encrypted_content": "gAAAA.of-openai"}
    sent = server.body(AT["own"])
    assert sent["input"][-1] == TRIGGER and sent["input"][:-1] == TURNS and "tool_choice" not in sent
    server.says(AT["own"], {"text": "Fine."})
    assert text_of(final(http, is_streamed, [TURNS[0], item, said("user", "And now?")], model="own")) == "Fine."
    assert server.body(AT["own"])["input"] == [TURNS[0], item, said("user", "And now?")]
    server.says(AT["own"], {"text": "Fine."})
    calls = [TURNS[0], item, responding.called(), responding.result()]
    assert text_of(final(http, is_streamed, calls, model="own", tools=[TOOL])) == "Fine."
    assert server.body(AT["own"])["input"] == calls


def test_what_openai_has_compacted_no_other_provider_reads(http, server):
    server.says(AT["sum"], {})
    item = {"type": "compaction", "id": "cmp_v1", "encrypted_content": "gAAAA.of-openai"}
    assert error_of(respond(http, [item, said("user", "Hi")], model="sum"), 400)["param"] == "input[0].encrypted_content"
    assert server.asked(AT["sum"]) == []


def test_a_compaction_of_a_stored_response(http, server):
    server.says(AT["sum"], {"text": "Blue."}, {"text": "They like blue."}, {"text": "Yes."})
    first = final(http, False, "Colour?", model="sum")
    second = final(http, True, [TRIGGER], model="sum", previous_response_id=first["id"])
    assert [item["type"] for item in second["output"]] == ["compaction"] and second["store"]
    assert text_of(final(http, False, "Sure?", model="sum", previous_response_id=second["id"])) == "Yes."
    texts = [turn["content"] for turn in server.asked(AT["sum"])[-1]["body"]["messages"]]
    assert texts == ["Colour?", "This is a summary of the conversation so far:\n\nThey like blue.", "Sure?"]


def test_a_summary_without_text_is_a_failure(http, server):
    server.says(AT["sum"], {"text": ""})
    for is_streamed in (False, True):
        error_of(respond(http, [*TURNS, TRIGGER], model="sum", stream=is_streamed), 502)


def test_only_the_last_item_asks_for_a_compaction(http, server):
    server.says(AT["sum"], {})
    error = error_of(respond(http, [TURNS[0], TRIGGER, TURNS[0]], model="sum"), 400)
    assert (error["param"], error["code"]) == ("input[1]", "invalid_value")
    assert error_of(respond(http, [TURNS[0], TRIGGER, TRIGGER], model="sum"), 400)["param"] == "input[1]"
    error = error_of(http.post(CHAT, json={"model": "sum", "input": [TURNS[0], TRIGGER]}), 400)
    assert error["param"] == "input[1]"
    assert server.asked(AT["sum"]) == []
    counted = http.post(f"{PATH}/input_tokens", json={"model": "sum", "input": [TURNS[0], TRIGGER]})
    assert counted.json()["input_tokens"] > 0
    assert ask(http, model="sum").status_code == 200
