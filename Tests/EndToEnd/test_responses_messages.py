"""Several messages, phases and annotations of one response, from a Responses API and from chat completions."""

import officials
import openai
import pytest
from chat import ask, stream
from conftest import http_of, secrets
from relay_process import provider
from responding import PATH, events
from test_openai_chat import CALLS, TOOL

TOKEN = "token-of-several-messages"
AT, CHATS = "by/messages", "by/chats"
official = officials.openai_of("relay", token=TOKEN)


@pytest.fixture(scope="module")
def relay(launch, server):
    secrets.add(TOKEN)
    return launch(
        **provider("ROW", "openai", server.base_url, f"m={AT},kept=by/kept", CHAT_VIA="responses"),
        **provider("CHATS", "openai", server.base_url, f"c={CHATS}"), KEY_A_TOKEN=TOKEN, CACHE="true", CACHE_MODELS="kept",
    )  # fmt: skip


http = http_of("relay", "server", token=TOKEN)


def cited(at: int) -> dict:
    return {"type": "url_citation", "start_index": at, "end_index": at + 4, "title": f"Page {at}", "url": f"https://pages.example/{at}"}


def said(number: int, text: str, phase: str | None = None, *annotations: dict) -> dict:
    part = {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}
    item = {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    return item | ({"phase": phase} if phase else {})


def thought(number: int) -> dict:
    return {"id": f"rs_{number}", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA-sealed"}


def call(number: int) -> dict:
    id, name, arguments = CALLS[number]
    return {"id": f"fc_{number}", "type": "function_call", "status": "completed", "call_id": id, "name": name, "arguments": arguments}


ITEMS = [
    thought(0), said(1, "I will look it up.", "commentary"), thought(2), call(0), said(3, "And more.", "commentary"),
    said(4, "Rome is sunny \u2600 today.", "final_answer", cited(0), cited(8)), said(5, "Bye."),
]  # fmt: skip


def shape(item: dict) -> tuple:
    content = [(part["text"], part["annotations"]) for part in item.get("content", ()) if part["type"] == "output_text"]
    return item["type"], item.get("phase"), item.get("call_id"), content


def final(http, is_streamed, **fields) -> dict:
    answer = http.post(PATH, json={"model": "m", "input": "Hi", "stream": is_streamed} | fields)
    assert answer.status_code == 200, answer.text
    return events(answer)[-1]["response"] if is_streamed else answer.json()


def test_messages_phases_and_annotations(http, server, is_streamed):
    server.says(AT, {"items": ITEMS})
    got = final(http, is_streamed)
    assert [shape(item) for item in got["output"]] == [shape(item) for item in ITEMS]
    stored = http.get(f"{PATH}/{got['id']}").json()
    assert stored["output"] == got["output"]


def test_they_go_back_in_their_order(http, server, is_streamed):
    server.says(AT, {"items": ITEMS})
    got = final(http, is_streamed, input="Hi")
    result = {"type": "function_call_output", "call_id": CALLS[0][0], "output": "fine"}
    for fields in (
        {"previous_response_id": got["id"], "input": [result, {"role": "user", "content": "Go on"}]},
        {"input": [{"role": "user", "content": "Hi"}, *got["output"], result, {"role": "user", "content": "Go on"}], "store": False},
    ):
        server.says(AT, {"text": "Well."})
        final(http, is_streamed, **fields)
        sent = server.body(AT)["input"]
        assert [(item.get("type", item.get("role")), item.get("phase")) for item in sent if item.get("role") != "user"] == [
            ("reasoning", None), ("assistant", "commentary"), ("reasoning", None), ("function_call", None), ("assistant", "commentary"),
            ("assistant", "final_answer"), ("assistant", None), ("function_call_output", None),
        ]  # fmt: skip
        assert [item["id"] for item in sent if item.get("type") == "reasoning"] == ["rs_0", "rs_2"]


def test_the_official_client_reads_them(official, server, is_streamed):
    server.says(AT, {"items": ITEMS})
    if is_streamed:
        with official.responses.stream(model="m", input="Hi") as got:
            added = [event for event in got if event.type == "response.output_text.annotation.added"]
            whole = got.get_final_response()
        assert [event.annotation["url"] if isinstance(event.annotation, dict) else event.annotation.url for event in added] == [
            cited(0)["url"], cited(8)["url"],
        ]  # fmt: skip
    else:
        whole = official.responses.create(model="m", input="Hi")
    messages = [item for item in whole.output if item.type == "message"]
    assert [item.phase for item in messages] == ["commentary", "commentary", "final_answer", None]
    assert [note.title for note in messages[2].content[0].annotations] == ["Page 0", "Page 8"]


def test_chats_have_a_blank_line_between_messages(http, server, is_streamed):
    server.says(AT, {"items": ITEMS})
    text = "I will look it up.\n\nAnd more.\n\nRome is sunny \u2600 today.\n\nBye."
    if is_streamed:
        assert stream(http, model="m", tools=[TOOL]).text() == text
    else:
        assert ask(http, model="m", tools=[TOOL]).json()["choices"][0]["message"]["content"] == text
    answer = http.post("/v1/messages", json={"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": "Hi"}]})
    assert "".join(block["text"] for block in answer.json()["content"] if block["type"] == "text") == text
    answer = http.post("/v1/chat/completions", json={"model": "m", "input": "Hi"})
    assert answer.json()["choices"][0]["message"]["content"] == text


def test_chats_with_a_search_have_the_citations(http, server, is_streamed):
    server.says(AT, {"items": ITEMS})
    if is_streamed:
        got = stream(http, model="m", tools=[TOOL], web_search_options={})
        text, notes = got.text(), [note for chunk in got.chunks for choice in chunk["choices"] for note in choice["delta"].get("annotations", ())]
    else:
        message = ask(http, model="m", tools=[TOOL], web_search_options={}).json()["choices"][0]["message"]
        text, notes = message["content"], message["annotations"]
    start = text.index("Rome")
    assert [note["url_citation"] for note in notes] == [
        {key: value for key, value in cited(at).items() if key != "type"} | {"start_index": start + at, "end_index": start + at + 4} for at in (0, 8)
    ]
    assert all(note["type"] == "url_citation" for note in notes)


def test_reasoning_is_a_summary_if_asked(official, server, is_streamed):
    server.says(AT, {"reasoning": "First.\n\nSecond.", "text": "Well."})
    fields = {"model": "m", "input": "Hi", "reasoning": {"effort": "high", "summary": "detailed"}}
    if is_streamed:
        with official.responses.stream(**fields) as events:
            told = "".join(event.delta for event in events if event.type == "response.reasoning_summary_text.delta")
            got = events.get_final_response()
        assert told == "First.\n\nSecond."
    else:
        got = official.responses.create(**fields)
    assert [part.text for part in got.output[0].summary] == ["First.\n\nSecond."] and not got.output[0].content
    assert server.body(AT)["reasoning"] == {"effort": "high", "summary": "detailed"}


def test_reasoning_that_comes_back_by_its_id_is_the_stored_one(http, server):
    server.says(AT, {"reasoning": "First.", "text": "Well."})
    thought = final(http, False, reasoning={"effort": "high", "summary": "auto"})["output"][0]
    hello, well, more = ({"role": role, "content": text} for role, text in (("user", "Hi"), ("assistant", "Well."), ("user", "More")))
    for kept in ({"summary": []}, {"summary": thought["summary"]}):
        final(http, False, input=[hello, {"type": "reasoning", "id": thought["id"]} | kept, well, more])
        sent = server.asked(AT)[-1]["body"]["input"]
        assert sent[1]["encrypted_content"] == "gAAAA-sealed" and sent[1]["summary"] == [{"type": "summary_text", "text": "First."}]
    unknown = {"type": "reasoning", "id": thought["id"][:-2] + "z9", "summary": []}
    final(http, False, input=[hello, unknown, well, more])
    assert server.asked(AT)[-1]["body"]["input"] == [hello, well, more]


def test_a_cached_response_has_them(http, server):
    server.says("by/kept", {"items": ITEMS})
    for is_streamed in (False, True):
        for state in ("miss", "hit"):
            answer = http.post(PATH, json={"model": "kept", "input": "Hi", "stream": is_streamed, "store": False})
            assert answer.headers["x-relay-cache"] == state
            got = events(answer)[-1]["response"] if is_streamed else answer.json()
            assert [shape(item) for item in got["output"]] == [shape(item) for item in ITEMS]


NESTED = [{"type": "url_citation", "url_citation": {key: value for key, value in cited(at).items() if key != "type"}} for at in (0, 8)]


def test_annotations_of_a_chat_completion(http, server, is_streamed):
    usage = {"prompt_tokens": 9, "completion_tokens": 8, "total_tokens": 17}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "x"}
    message = {"role": "assistant", "content": "Rome is sunny.", "annotations": NESTED}
    chunks = [
        {"role": "assistant", "content": "Rome"}, {"content": " is sunny."}, {"annotations": NESTED[:1]}, {"content": "", "annotations": NESTED[1:]},
    ]  # fmt: skip
    server.says(CHATS, {
        "json": head | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage},
        "events": [head | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in chunks]
        + [head | {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}],
    })  # fmt: skip
    got = final(http, is_streamed, model="c")
    assert [shape(item) for item in got["output"]] == [("message", None, None, [("Rome is sunny.", [cited(0), cited(8)])])]


def test_an_official_client_continues_without_the_store(official, server):
    """The client's own objects, sent back as it reads them, are accepted with their phases."""
    server.says(AT, {"items": ITEMS})
    got = official.responses.create(model="m", input="Hi", store=False)
    assert isinstance(got, openai.types.responses.Response)
    result = {"type": "function_call_output", "call_id": CALLS[0][0], "output": "fine"}
    server.says(AT, {"text": "Well."})
    official.responses.create(model="m", input=[*[item.model_dump(exclude_none=True) for item in got.output], result], store=False)
    sent = server.body(AT)["input"]
    assert [item["phase"] for item in sent if "phase" in item] == ["commentary", "commentary", "final_answer"]
