"""Panels among providers: fallback, capacity and limits of their models, names that stand for them, callers' own keys."""

import threading

import paneled
import pytest
from chat import ask, stream, text_of
from limited import client, metric
from openai_vendor import USAGE
from paneled import FAILED, TOKEN, panel, whole
from relay_process import provider


@pytest.fixture(scope="module")
def spread(launch, server):
    return launch(
        **paneled.settings(
            server.base_url, **provider("NARROW", "openai", server.base_url, "n=up-n", CONCURRENCY="1"),
            **provider("SPARE", "openai", server.base_url, "a=up-spare", PRIORITY="2"), QUEUE_TIMEOUT="10s", BREAKER_FAILURES="2",
            DEFAULT_MODEL="plain", FALLBACK_MODEL="plain", KEY_TIGHT_TOKEN="token-of-the-tight-caller", KEY_TIGHT_MODELS="plain,tight,nobody",
            RATE_LIMIT_BY_MODEL="b=1/hour;2000 tokens/hour,tight=2/hour",
        ),
        **panel("PLAIN", STATUS_FEEDBACK="off", ATTEMPTS="1"), **panel("NARROW", MODELS="n,n,n", MIN_ANSWERS="3"),
        **panel("PINNED", MODELS="row/a", MIN_ANSWERS="1", ATTEMPTS="1"),
        **panel("TIGHT", MODELS="b,c", ATTEMPTS="1", STATUS_FEEDBACK="off"),
        **panel("BOUND", MODELS="b,c", ATTEMPTS="1", MIN_ANSWERS="2"),
    )  # fmt: skip


@pytest.fixture
def team(spread, server):
    for name in ("a", "b", "c", "n", "spare"):
        server.says(f"up-{name}", {"text": f"Says {name}"})
    server.says("up-s", {"text": "Sums"})
    with client(spread, TOKEN) as plain:
        yield plain
    assert server.take_violations() == []


def references(server):
    return [message["content"].split(": ")[1] for message in server.asked("up-s")[-1]["body"]["messages"][:-2]]


def test_a_member_has_the_fallback_of_its_model(team, server):
    server.says("up-a", FAILED)
    answer = whole(team, "plain")
    assert answer.status_code == 200 and references(server)[0] == "Says spare"
    assert answer.headers["x-relay-attempts"] == "5" and answer.headers["x-relay-provider"] == "row"
    # A pinned one has not.
    assert "a: 500 failed" in whole(team, "pinned").json()["error"]["message"]
    # The breaker knows both failures.
    server.says("up-a", {"text": "Says a"})
    assert whole(team, "plain").status_code == 200 and references(server)[0] == "Says spare"


def test_members_wait_for_capacity(team, server):
    gate = threading.Event()
    server.says("up-n", {"gate": gate, "text": "One"}, {"text": "Two"})
    done = []
    thread = threading.Thread(target=lambda: done.append(whole(team, "narrow")))
    thread.start()
    while not server.asked("up-n"):
        threading.Event().wait(0.005)
    assert len(server.asked("up-n")) == 1
    gate.set()
    thread.join()
    assert done[0].status_code == 200 and sorted(references(server)) == ["One", "Two", "Two"]


def test_panels_may_be_the_default_and_the_fallback(team):
    told = team.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hello"}]}).json()
    assert told["model"] == "plain" and told["choices"][0]["message"]["content"] == "Sums"
    told = whole(team, "nobody").json()
    assert told["model"] == "nobody" and told["choices"][0]["message"]["content"] == "Sums"


def test_limits_of_models_count_members_but_not_as_requests(spread, team, caller, server):
    http = caller(spread, "token-of-the-tight-caller")
    answers = [whole(http, "tight") for _ in range(3)]
    # Two requests of the panel, though its member b may be asked once an hour; 2,000 tokens are enough for one call
    # at a time.
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert len(server.asked("up-b")) == 2
    server.says("up-b", {"text": "Says b"})
    assert whole(http, "plain", "x" * 9_000).status_code == 200
    # The prompt of b was too long for its limit.
    assert server.asked("up-b") == [] and references(server)[1:] == ["Says c"]
    assert "answered (2 needed): b: over a limit of the relay (429)" in whole(team, "bound", "x" * 9_000).text


@pytest.mark.parametrize("name", ["old", "row/old"])
def test_a_replaced_member_counts_under_its_own_name(start_relay, server, name, is_streamed):
    relay = start_relay(
        **paneled.settings(server.base_url, MODEL_REPLACEMENTS="old:a", RATE_LIMIT_BY_MODEL="old=1000 tokens/hour,a=1000 tokens/hour"),
        **panel("EXPERTS", MODELS=name, SUMMARY_MODEL="row/s", ATTEMPTS="1", MIN_ANSWERS="1"),
    )  # fmt: skip
    for model in ("a", "s"):
        server.says(f"up-{model}", {})
    with client(relay, TOKEN) as http:
        assert (stream if is_streamed else ask)(http, "Hello", model="experts")

        def left(model):
            refused = ask(http, "x " * 12_000, model=model)
            assert refused.status_code == 429
            return int(refused.headers["x-ratelimit-remaining-tokens"])

        assert left("old") == 1000 - USAGE["total_tokens"] and left("a") == 1000
    for kind in ("prompt", "completion"):
        tokens = USAGE[f"{kind}_tokens"]
        assert metric(relay, "relay_tokens_total", model="old", kind=kind) == tokens
        assert metric(relay, "relay_tokens_total", model="experts", kind=kind) == tokens
    assert server.take_violations() == []


def test_callers_own_keys_are_passed_on(start_relay, vendor, new_key):
    relay = start_relay(PANEL_MIN_MODELS="gpt-4o-mini,gpt-4o", PANEL_MIN_SUMMARY_MODEL="o3-mini", PERMIT_MODELS_FROM_SUBSET_ONLY="true")
    with client(relay, new_key()) as http:
        answer = ask(http, model="min")
        assert text_of(answer) and answer.headers["x-relay-attempts"] == "3"
        assert stream(http, model="min").text().count("✅") == 2
        assert [model["id"] for model in http.get("/v1/models").json()["data"]][-1] == "min"
    with client(relay) as nobody:
        assert ask(nobody, model="min").status_code == 401
        assert nobody.get("/v1/models").json()["data"][-1]["id"] == "min"


def test_anonymous_callers_may_use_a_panel_alone(start_relay, server):
    relay = start_relay(**(paneled.settings(server.base_url, ANONYMOUS_MODELS="plain") | {"KEY_TEAM_TOKEN": None}), **panel("PLAIN"))
    server.says("up-s", {"text": "Sums"})
    with client(relay) as http:
        assert whole(http, "plain").json()["choices"][0]["message"]["content"] == "Sums"
        assert whole(http, "a").status_code == 404
        assert [model["id"] for model in http.get("/v1/models").json()["data"]] == ["plain"]
    server.take_violations()


def test_an_answer_that_is_too_long_counts_as_failed(team, server):
    server.says("up-c", {"text": "x" * 1_100_000})
    assert whole(team, "plain").status_code == 200
    assert "Says c" not in references(server) and len(references(server)) == 2
    server.says("up-c", {"text": "y" * 1_000_000})
    assert whole(team, "plain", "Hi").status_code == 200
    assert len(references(server)[-1]) == 1_000_000


def test_the_copies_of_a_long_request_need_memory(start_relay, server):
    relay = start_relay(
        **paneled.settings(server.base_url, MEMORY_MB="32"), **panel("WIDE", MODELS=",".join("aaaabbbb")), **panel("THIN", MODELS="a"),
    )  # fmt: skip
    for name in "abs":
        server.says(f"up-{name}", {})
    with client(relay, TOKEN) as http:
        refused = whole(http, "wide", "word " * 400_000)
        assert refused.status_code == 503 and not server.asked("up-a")
        # Memory that was kept would not be enough for as many.
        assert [whole(http, "thin", "word " * 400_000).status_code for _ in range(8)] == [200] * 8
        assert whole(http, "wide").status_code == 200 and len(server.asked("up-b")) == 4
    assert server.take_violations() == []
