"""Panels: the requests to members and to the summary model, and the client's response."""

import json
import threading

import anthropic
import checked
import httpx2
import officials
import paneled
import pytest
from chat import PATH
from limited import client as plain
from openai_vendor import USAGE
from paneled import GOOD, KEY, TOKEN, asked, panel, stream, whole

MEMBERS = ("up-a", "up-b", "up-c")
PICTURE = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="},
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def paneling(launch, server, tmp_path_factory):
    prompt = tmp_path_factory.mktemp("prompts") / "summary.txt"
    prompt.write_text("From a file.\nTwo lines.\n")
    return launch(
        **paneled.settings(server.base_url, KEY_ONE_TOKEN="token-of-another-caller", KEY_ONE_MODELS="plain,direct"),
        **panel("PLAIN", SUMMARY_PROMPT="Sum up.", STATUS_FEEDBACK="off"),
        **panel("STANDARD"),
        **panel("TUNED", NAME="my/tuned", SUMMARY_PROMPT_FILE=prompt, KEEP_HISTORY="true", TEMPERATURE="0.1",
                SUMMARY_TEMPERATURE="0.2", REFERENCE_LABEL="[{n}/{n}] ", VISION_MODELS="va", VISION_SUMMARY_MODEL="vs",
                VISION_SUMMARY_PROMPT="What is seen?", MODELS="b,a"),
        **panel("DIRECT", MODE="direct", MODELS=None),
        **panel("DIRECT_KEEPING", MODE="direct", MODELS=None, KEEP_HISTORY="true"),
        **panel("TWO", MIN_ANSWERS="2"), **panel("THREE", MIN_ANSWERS="3", STATUS_FEEDBACK="off"),
        **panel("THINKING", STATUS_FEEDBACK="reasoning", SUMMARY_MODEL="thinker"),
        PROVIDER_DEMO_KIND="echo", PROVIDER_DEMO_MODELS="thinker=echo",
        **panel("REASONING", STATUS_FEEDBACK="reasoning"), **panel("COMMENT", STATUS_FEEDBACK="comment"),
        **panel("LAST", MODELS="b", SUMMARY_MODEL="two"),
        **panel("PINNED", MODELS="row/a,b"),
    )  # fmt: skip


@pytest.fixture
def team(paneling, server):
    """A plain client of the panel relay. After the test, its vendor must not have seen anything that it would
    refuse."""
    for name in ("a", "b", "c", "va"):
        server.says(f"up-{name}", {"text": f"Says {name}"})
    for name in ("s", "vs"):
        server.says(f"up-{name}", {"text": f"Sums {name}"})
    with plain(paneling, TOKEN) as http:
        yield http
    assert server.take_violations() == []


official = officials.openai_of("paneling", "team", token=TOKEN)


def user(text):
    return {"role": "user", "content": text}


def reference(number, text):
    return {"role": "assistant", "content": f"Reference answer {number}: {text}"}


def test_members_get_the_messages_and_the_summary_model_their_answers(team, server):
    server.says("up-s", {"text": '{"sum": "s"}'})
    answer = whole(
        team, "plain", "First", "Reply", "Last", max_tokens=77, stop=["END"], tools=[TOOL], user="u", seed=3, top_p=0.5,
        response_format={"type": "json_object"},
    )  # fmt: skip
    told = answer.json()
    assert told["model"] == "plain" and told["usage"] == USAGE and told["object"] == "chat.completion"
    assert told["choices"][0]["message"]["content"] == '{"sum": "s"}' and told["id"].startswith("chatcmpl-")
    messages = [user("First"), {"role": "assistant", "content": "Reply"}, user("Last")]
    for model in MEMBERS:
        assert server.body(model) == {"model": model, "messages": messages, "temperature": 0.7}
    summary = server.body("up-s")
    assert summary["messages"] == [reference(1, "Says a"), reference(2, "Says b"), reference(3, "Says c"), user("Sum up."), user("Last")]
    assert summary["temperature"] == 0.7 and summary["stop"] in ("END", ["END"]) and summary["tools"] == [TOOL]
    assert summary["response_format"] == {"type": "json_object"} and summary["seed"] == 3 and summary["user"] == "u"
    assert 77 in (summary.get("max_tokens"), summary.get("max_completion_tokens"))


def test_a_panel_may_be_tuned(team, server):
    assert whole(team, "my/tuned", {"role": "system", "content": "Be brief"}, "First", "Reply", user("Last"), temperature=0.9)
    assert server.body("up-a")["temperature"] == 0.1
    summary = server.body("up-s")
    # The caller's own temperature goes first.
    assert summary["temperature"] == 0.9
    server.says("up-s", {"text": "Sums"})
    assert whole(team, "my/tuned", {"role": "system", "content": "Be brief"}, user("First"), user("Last")).status_code == 200
    summary = server.body("up-s")
    assert summary["temperature"] == 0.2
    assert summary["messages"] == [
        {"role": "system", "content": "Be brief"}, user("First"), {"role": "assistant", "content": "[1/1] Says b"},
        {"role": "assistant", "content": "[2/2] Says a"}, user("From a file.\nTwo lines."), user("Last"),
    ]  # fmt: skip
    assert server.asked("up-c") == []


def test_direct_mode_asks_the_summary_model_alone(team, server):
    for name, messages in (("direct", [user("Last")]), ("direct-keeping", [user("First"), {"role": "assistant", "content": "Reply"}, user("Last")])):  # fmt: skip
        server.says("up-s", {"text": "Directly"})
        got = stream(team, name, "First", "Reply", "Last")
        assert got.text() == "Directly" and got.is_done
        assert server.body("up-s")["messages"] == messages
        assert server.body("up-s")["temperature"] == 0.7
    assert not any(server.asked(model) for model in MEMBERS)


def test_a_member_may_be_pinned_to_a_provider(team, server):
    assert whole(team, "pinned").status_code == 200
    assert len(server.asked("up-a")) == len(server.asked("up-b")) == 1


def test_panels_are_listed_and_need_the_right_to_their_name_only(team, paneling, caller, server):
    listed = {model["id"]: model for model in team.get("/v1/models").json()["data"]}
    assert listed["my/tuned"] == {"id": "my/tuned", "object": "model", "created": 1727389042, "owned_by": "relay"}
    assert team.get("/v1/models/my/tuned").json()["owned_by"] == "relay"
    other = caller(paneling, "token-of-another-caller")
    assert [model["id"] for model in other.get("/v1/models").json()["data"]] == ["direct", "plain"]
    assert whole(other, "plain").status_code == 200
    for name in ("a", "s", "standard", "plai"):
        refused = whole(other, name)
        assert refused.status_code == 404 and refused.json()["error"]["code"] == "model_not_found"
    assert "Did you mean `plain`?" in refused.json()["error"]["message"]


def test_a_panel_may_make_the_summary(team, server):
    got = stream(team, "last")
    assert got.text() == " b" + GOOD + "Sums s" and {chunk["model"] for chunk in got.chunks} == {"last"}
    assert whole(team, "last").json()["model"] == "last"


def test_the_stream_is_as_the_specification_shows(team):
    answer = team.post(PATH, json=asked("standard", stream=True))
    assert "x-relay-cost" not in answer.headers and answer.headers["cache-control"] == "no-cache"
    chunks = [json.loads(line[6:]) for line in answer.text.split("\n\n") if line.startswith("data: {")]
    assert {(chunk["object"], chunk["model"]) for chunk in chunks} == {("chat.completion.chunk", "standard")}
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0] == {"index": 0, "delta": {"role": "assistant", "content": " "}, "finish_reason": None}
    assert sorted(choice["delta"]["content"] for choice in choices[1:4]) == ["a" + GOOD, "b" + GOOD, "c" + GOOD]
    assert all(set(choice["delta"]) == {"content"} and choice["finish_reason"] is None for choice in choices[1:-1])
    assert "".join(choice["delta"]["content"] for choice in choices[4:-1]) == "Sums s"
    assert choices[-1] == {"index": 0, "delta": {}, "finish_reason": "stop"}
    assert answer.text.endswith("\n\ndata: [DONE]\n\n")


def test_without_feedback_the_first_chunk_is_the_usual_one(team):
    got = stream(team, "plain")
    assert got.chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert got.text() == "Sums s" and got.headers["x-relay-provider"] == "row" and got.headers["x-relay-attempts"] == "4"


@pytest.mark.parametrize("name", ["standard", "reasoning", "comment"])
def test_marks_arrive_while_members_still_run(team, server, name):
    gates = {model: threading.Event() for model in ("a", "b")}
    for model, gate in gates.items():
        server.says(f"up-{model}", {"gate": gate, "text": "Says"})
    with team.stream("POST", PATH, json=asked(name, stream=True)) as answer:
        lines = paneled.events(answer.iter_lines())
        seen = []
        opening = {"standard": 1, "reasoning": 2, "comment": 1}[name]
        for _ in range(opening):
            seen.append(next(lines))
        for model in ("c", "a", "b"):
            if model in gates:
                assert not server.asked("up-s")
                gates[model].set()
            seen.append(next(lines))
        rest = list(lines)
    marks = seen[opening:]
    if name == "comment":
        assert marks == [": c ✅", ": a ✅", ": b ✅"]
        assert seen[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    else:
        field = {"standard": "content", "reasoning": "reasoning_content"}[name]
        told = [event["choices"][0]["delta"] for event in marks]
        assert told == [{field: f"{model}{GOOD}"} for model in "cab"]
    texts = [event["choices"][0]["delta"].get("content", "") for event in rest if isinstance(event, dict)]
    assert "".join(texts) == "Sums s"


def test_responses(official):
    response = official.responses.create(model="standard", input="Hello", store=False)
    assert response.output_text == "Sums s" and response.model == "standard"
    with official.responses.stream(model="standard", input="Hello", store=False) as events:
        final = [event for event in events if event.type == "response.completed"]
    assert final[0].response.output_text.endswith("Sums s") and final[0].response.output_text.count("✅") == 3
    with official.responses.stream(model="reasoning", input="Hello", store=False) as events:
        deltas = [event for event in events if event.type.endswith(".delta")]
    assert "".join(event.delta for event in deltas if event.type == "response.reasoning_text.delta").count("✅") == 3
    assert "".join(event.delta for event in deltas if event.type == "response.output_text.delta") == "Sums s"


def test_messages(paneling, team):
    with checked.client(httpx2, timeout=30) as http:
        claude = anthropic.Anthropic(api_key=TOKEN, base_url=paneling.base_url, max_retries=0, http_client=http)
        answer = claude.messages.create(model="plain", max_tokens=50, messages=[user("Hello")])
        assert answer.content[0].text == "Sums s" and answer.model == "plain"
        with claude.messages.stream(model="standard", max_tokens=50, messages=[user("Hello")]) as events:
            assert events.get_final_text().endswith("Sums s")
        with claude.messages.stream(model="reasoning", max_tokens=50, messages=[user("Hello")]) as events:
            blocks = events.get_final_message().content
        assert [block.type for block in blocks] == ["thinking", "text"] and blocks[0].thinking.count("✅") == 3
    commented = team.post(
        "/v1/messages", json={"model": "comment", "max_tokens": 5, "messages": [user("Hello")], "stream": True},
        headers={"anthropic-version": "2023-06-01"},
    ).text  # fmt: skip
    assert commented.count(" ✅\n\n") == 3 and commented.index("message_start") < commented.index(": a ✅")


def test_a_signature_is_for_the_summary_models_own_thoughts(paneling, team):
    words = user("!think=2 One two three")
    with checked.client(httpx2, timeout=30) as http:
        claude = anthropic.Anthropic(api_key=TOKEN, base_url=paneling.base_url, max_retries=0, http_client=http)
        with claude.messages.stream(model="thinking", max_tokens=50, messages=[words]) as events:
            marks, thought, text = events.get_final_message().content
    assert marks.thinking.count("✅") == 3 and marks.signature == "relay.unsigned"
    assert (thought.thinking, thought.signature, text.text) == ("One two", "signed by echo", " three")
    with team.stream("POST", "/v1/responses", json={"model": "thinking", "input": "!think=2 One two three", "store": False, "stream": True}) as answer:
        final = json.loads([line for line in answer.iter_lines() if line.startswith("data: ")][-1][6:])
    marks, thought, _ = final["response"]["output"]
    assert json.dumps(marks, ensure_ascii=False).count("✅") == 3 and "encrypted_content" not in marks
    assert thought["content"][0]["text"] == "One two" and thought["encrypted_content"] == "signed by echo"
    got = stream(team, "thinking", words)
    assert got.text() == " three" and "thought_signature" not in json.dumps(got.chunks), "the marks stand before the thoughts"


def test_a_streamed_answer_comes_back_without_its_marks(team, server):
    first = stream(team, "standard").text()
    assert first.count("✅") == 3
    server.says("up-a", {"text": "Says a"})
    assert whole(team, "standard", "Hello", first, "More").status_code == 200
    assert server.body("up-a")["messages"][1] == {"role": "assistant", "content": "Sums s"}


def test_members_are_asked_with_the_providers_key(team, server):
    whole(team, "plain")
    assert {server.asked(model)[0]["headers"]["authorization"] for model in (*MEMBERS, "up-s")} == {f"Bearer {KEY}"}
