"""Refused optional fields as clients see them: a sample of the grammar that `RefusalGrammarTests` has as a whole."""

import random

import local_http
import pytest
from conftest import CLAUDE_KEY
from test_messages_lane import OPEN, USER
from test_open_rule import OPTIONAL, WORDS
from test_openai_mends import said
from test_quirks import refusal_in

TOKEN = "token-of-the-grammar-1"
TEXT = "Is it supported? Say what parameter, field and argument mean."
PLACES = [
    lambda words: words, lambda words: f"Bad request to the engine: {words}", lambda words: f"{words} The reference has a list of all fields.",
]  # fmt: skip
PATHS = {
    "chat": ("/v1/chat/completions", {"messages": [USER | {"content": TEXT}]}), "messages": ("/v1/messages", {"max_tokens": 9, "messages": [USER | {"content": TEXT}]}),
    "responses": ("/v1/responses", {"store": False, "input": [USER | {"content": TEXT}]}),
}  # fmt: skip
# What the relay itself reads or checks in these APIs, so that its values are no vendor's matter.
OWN = {"store", "metadata", "parallel_tool_calls", "reasoning", "thinking", "service_tier", "user", "verbosity", "usage", "extra_body", "plugins", "provider"}
# Claude's models refuse these three together.
SAMPLING = {"temperature", "top_p", "top_k"}
SAMPLE = 24


@pytest.fixture(scope="module")
def relay(launch, server, anthropic_server):
    models = {api: ",".join(f"{api}-{number}" for number in range(4 * SAMPLE)) for api in PATHS}
    return launch(
        PROVIDER_CHAT_KIND="openai", PROVIDER_CHAT_BASE_URL=server.base_url, PROVIDER_CHAT_MODELS=models["chat"], KEY_A_TOKEN=TOKEN,
        PROVIDER_OWN_KIND="openai", PROVIDER_OWN_BASE_URL=server.base_url, PROVIDER_OWN_MODELS=models["responses"], PROVIDER_OWN_CHAT_VIA="responses",
        PROVIDER_ANT_KIND="anthropic", PROVIDER_ANT_BASE_URL=anthropic_server.base_url, PROVIDER_ANT_API_KEY=CLAUDE_KEY,
        PROVIDER_ANT_MODELS=models["messages"],
    )  # fmt: skip


def told(api, words, name, place):
    """Returns the script of a refusal in a server's words, at one of the places that the field can have in it."""
    if place == len(PLACES):
        return said("Extra inputs are not permitted", param=name)
    script = WORDS[words](name)
    error = script["json"].get("error")
    if error is None or "code" in error:
        return script
    message = PLACES[place](error["message"])
    return refusal_in("anthropic", message) if api == "messages" else said(message)


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("api", PATHS)
def test_the_field_is_left_out_and_all_else_stays(relay, server, anthropic_server, api, is_streamed):
    fake = anthropic_server if api == "messages" else server
    draw = random.Random(f"{api} {is_streamed}")
    path, asked = PATHS[api]
    names = [name for name in OPTIONAL if api == "chat" or name not in OWN | SAMPLING]
    fine = OPEN | {"extra": True, "nulls": True, "own": {"fields": [*OPTIONAL]}}
    wrong = []
    for number in range(SAMPLE):
        at = f"{api}-{2 * number + is_streamed}"
        name, *others = draw.sample(names, 4)
        words, place = draw.choice([*WORDS]), draw.randrange(len(PLACES) + 1)
        body = asked | {"model": at, "stream": is_streamed} | {field: OPTIONAL[field] for field in draw.sample([name, *others], 4)}
        for scripts, calls in ([told(api, words, name, place) | fine, fine], 2), ([fine], 1):
            fake.says(at, *scripts)
            answer = local_http.post(relay.base_url + path, json=body, headers={"Authorization": f"Bearer {TOKEN}"})
            bodies = [request["body"] for request in fake.asked(at)]
            left = {field: value for field, value in bodies[0].items() if field != name}
            if answer.status_code != 200 or len(bodies) != calls or bodies[-1] != left or set(others) - set(left):
                wrong.append((words, place, name, answer.status_code, [sorted(body) for body in bodies], answer.text[:200]))
    assert wrong == []
    fake.take_violations()


@pytest.mark.parametrize("api", PATHS)
def test_quoted_words_of_the_request_change_nothing(relay, server, anthropic_server, api):
    fake = anthropic_server if api == "messages" else server
    draw = random.Random(api)
    path, asked = PATHS[api]
    for number in range(SAMPLE // 4):
        at = f"{api}-{2 * SAMPLE + number}"
        name, words = draw.choice([name for name in OPTIONAL if name not in OWN]), draw.choice([words for words in WORDS if "error" in WORDS[words]("x")["json"]])
        text = f"Tell me why it says: {WORDS[words](name)['json']['error']['message']} and what I should do"
        message = f"The text '{text}' cannot be read"
        body = asked | {"model": at, name: OPTIONAL[name]} | {"input" if api == "responses" else "messages": [USER | {"content": text}]}
        fake.says(at, (refusal_in("anthropic", message) if api == "messages" else said(message)) | OPEN | {"extra": True})
        answer = local_http.post(relay.base_url + path, json=body, headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 400 and len(fake.asked(at)) == 1, (words, name)
    fake.take_violations()
