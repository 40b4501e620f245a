"""Context windows: limits that are cut to what a window leaves, and candidates that are passed over for their window."""

import pytest
import responding
from chat import ask, text_of
from conftest import TEAM_TOKEN
from openai_vendor import Server
from relay_process import provider
from test_openai_errors import openai_error

AT = {"SMALL": "window/small", "LARGE": "window/large", "WIDE": "window/wide", "TIGHT": "window/tight"}
WINDOWS = {"SMALL": 8_000, "LARGE": 200_000, "WIDE": 200_000, "TIGHT": 32_768}
LONG = "word " * 20_000
PROMPT = "word " * 17_000
COUNTED = "gpt-4o-2024-08-06"
TOO_MUCH = openai_error("This model's maximum context length is 32768 tokens. However, you requested 49001 tokens (17001 in the messages, 32000 in the completion).")
TOGETHER = {"status": 400, "json": TOO_MUCH, "extra": True}


@pytest.fixture
def http(start_relay, server, caller):
    """A caller of a relay. `m` and `three` are served by providers with small and large windows, `none` by two with small ones."""
    models = {"SMALL": ["m", "three", "none"], "LARGE": ["m", "three"], "WIDE": ["three"], "TIGHT": ["tight", "none"]}
    settings = {"BALANCE": "sequence", "PROVIDER_SMALL_WEIGHT": "2"}
    for row, names in models.items():
        facts = ";".join(f"{name}=context:{8_000 if name == 'none' else WINDOWS[row]}" for name in names)
        more = {"KIND": "openai", "BASE_URL": server.base_url, "API_KEY": f"key-{row}", "MODEL_INFO": facts}
        more["MODELS"] = ",".join(f"{name}={AT[row]}" for name in names)
        if row == "TIGHT":
            # The relay has the vocabulary of this model, so that prompts are counted.
            more |= {"MODELS": f"{more['MODELS']},counted={COUNTED}", "MODEL_INFO": f"{facts};counted=context:32768"}
        settings |= {f"PROVIDER_{row}_{name}": value for name, value in more.items()}
    relay = start_relay(KEY_TEAM_TOKEN=TEAM_TOKEN, PROVIDERS="small,large,wide,tight", **settings)
    for model in (*AT.values(), COUNTED):
        server.says(model, {})
    yield caller(relay, TEAM_TOKEN)
    assert server.take_violations() == []


def test_a_candidate_whose_window_is_too_small_is_passed_over(http, server, is_streamed):
    answer = ask(http, LONG, model="m", stream=is_streamed)
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "large"
    assert answer.headers["x-relay-attempts"] == "1"
    assert server.asked(AT["SMALL"]) == [] and len(server.asked(AT["LARGE"])) == 1


@pytest.mark.parametrize("path", [responding.PATH, "/v1/messages", "/v1/chat/completions"])
def test_two_windows_that_are_too_small_are_one_clear_error(http, server, path):
    turns = [{"role": "user", "content": LONG}]
    body = {"input": turns} if path == responding.PATH else {"messages": turns, "max_tokens": 5_000}
    error = responding.error_of(http.post(path, json=body | {"model": "none"}), 400)
    said = "This model's maximum context length is 8000 tokens. However, your messages resulted in about 20000 tokens. Please reduce the length of the messages."
    assert error["message"] == (f"prompt is too long: {said}" if path == "/v1/messages" else said)
    assert path == "/v1/messages" or error["code"] == "context_length_exceeded"
    assert server.asked(AT["SMALL"]) == server.asked(AT["TIGHT"]) == []


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_limit_is_cut_to_what_the_window_leaves(http, server, field, is_streamed):
    server.says(COUNTED, {"extra": True})
    answer = ask(http, PROMPT, model="counted", stream=is_streamed, odd={"kept": [1.50]}, **{field: 32_000})
    assert answer.status_code == 200, answer.text
    body = server.body(COUNTED)
    assert 32_768 - 17_100 <= body[field] <= 32_768 - 17_000
    assert body["odd"] == {"kept": [1.5]} and {"max_tokens", "max_completion_tokens"} & set(body) == {field}


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_vendors_numbers_cut_a_limit_beside_an_estimate(http, server, field, is_streamed):
    server.says(AT["TIGHT"], TOGETHER, {"extra": True})
    answer = ask(http, PROMPT, model="tight", stream=is_streamed, odd={"kept": [1.50]}, **{field: 32_000})
    assert answer.status_code == 200, answer.text
    first, second = [request["body"] for request in server.asked(AT["TIGHT"])]
    assert first[field] == 32_000 and second == first | {field: 32_768 - 17_001}


def test_a_limit_is_cut_on_other_surfaces(http, server):
    body = {"max_tokens": 32_000, "messages": [{"role": "user", "content": PROMPT}]}
    for model, at, scripts in (("counted", COUNTED, [{}]), ("tight", AT["TIGHT"], [TOGETHER, {}])):
        server.says(at, *scripts)
        assert http.post("/v1/messages", json=body | {"model": model}).status_code == 200
        assert 32_768 - 17_100 <= server.asked(at)[-1]["body"]["max_tokens"] <= 32_768 - 17_000
        server.says(at, *scripts)
        assert responding.respond(http, PROMPT, model=model, max_output_tokens=32_000).status_code == 200
        assert 32_768 - 17_100 <= server.asked(at)[-1]["body"]["max_tokens"] <= 32_768 - 17_000


def test_a_limit_that_fits_goes_on_as_it_came(http, server):
    assert text_of(ask(http, "Hello", model="tight", max_tokens=32_000)) == "Hello there"
    assert server.body(AT["TIGHT"])["max_tokens"] == 32_000
    # Half the window is left for tools, which count, too.
    tools = [{"type": "function", "function": {"name": "t", "description": "word " * 17_000, "parameters": {"type": "object"}}}]
    assert ask(http, "Hello", model="counted", max_tokens=32_000, tools=tools).status_code == 200
    assert 32_768 - 17_100 <= server.body(COUNTED)["max_tokens"] <= 32_768 - 17_000


def test_the_window_of_a_list(start_relay, caller):
    own = Server()
    own.models = [{"id": "window/listed", "max_model_len": 9_000}]
    relay = start_relay(KEY_TEAM_TOKEN=TEAM_TOKEN, **provider("ROW", "openai", own.base_url, "*", API_KEY="key-of-a-list"))
    relay.wait_for_line(lambda line: line["message"] == "models read")
    error = responding.error_of(ask(caller(relay, TEAM_TOKEN), LONG, model="window/listed"), 400)
    assert "length is 9000 tokens" in error["message"] and own.asked("window/listed") == []
    own.stop()


REFUSED = {"status": 400, "json": openai_error("This model's maximum context length is 8000 tokens. However, your messages resulted in 8999 tokens.")}


@pytest.mark.parametrize("surface", ["chat", "messages", "responses"])
def test_a_prompt_that_a_vendor_finds_too_long_goes_to_a_larger_window_once(http, server, surface, is_streamed):
    server.says(AT["SMALL"], REFUSED)
    server.says(AT["WIDE"], REFUSED)
    turns = [{"role": "user", "content": "Hi"}]
    body = {"input": turns} if surface == "responses" else {"messages": turns, "max_tokens": 500}
    path = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": responding.PATH}[surface]
    answer = http.post(path, json=body | {"model": "m", "stream": is_streamed})
    assert answer.status_code == 200, answer.text
    assert (answer.headers["x-relay-provider"], answer.headers["x-relay-attempts"]) == ("large", "2")


def test_windows_that_are_not_larger_are_not_asked(http, server):
    for row in ("SMALL", "LARGE", "WIDE"):
        server.says(AT[row], REFUSED)
    answer = ask(http, "Hi", model="three")
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "context_length_exceeded"
    assert len(server.asked(AT["SMALL"])) == 1
    assert len(server.asked(AT["LARGE"])) + len(server.asked(AT["WIDE"])) == 1
    server.says(AT["TIGHT"], REFUSED)
    assert ask(http, "Hi", model="tight").status_code == 400
    assert len(server.asked(AT["TIGHT"])) == 1
