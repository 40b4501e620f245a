"""The vendor's own list of models, read in the background."""

import socket
from collections.abc import Callable
from typing import Any

import httpx
import pictures
import pytest
from chat import CHAT_PATH, ask
from chat import PATH as CHAT_COMPLETIONS
from limited import client as plain
from onemin_rules import DISABLED, FEATURE_TYPES
from rawhttp import wait_until
from relay_process import Relay, provider
from vendor import Vendor

CHAT = FEATURE_TYPES["chat"]
LISTS = len(FEATURE_TYPES)


def model(name: str, *inputs: str, **fields: Any) -> dict[str, Any]:
    return {"modelId": name, "provider": "lab", "modality": {"INPUT": list(inputs) or ["text"]}} | fields


def client(relay: Relay, key: str = "key-1") -> httpx.Client:
    return plain(relay, key)


def names(relay: Relay) -> list[str]:
    with client(relay) as http:
        return [listed["id"] for listed in http.get("/v1/models").json()["data"]]


def reads(source: Vendor) -> int:
    return len(source.requests("", "/models"))


def test_new_models_are_served_by_all_loops(start_relay: Callable[..., Relay], source: Vendor) -> None:
    source.lists(only={CHAT: [model("new-1", "text", "image"), model("gpt-4o")], "IMAGE_GENERATOR": [model("new-2")]})
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h", THREADS="4")
    line = relay.wait_for_line(lambda line: line["message"] == "models read")
    assert (line["listed"], line["new"]) == (3, 2)
    assert reads(source) == LISTS
    assert all("api-key" not in request["headers"] for request in source.requests(""))
    for _ in range(8):
        assert names(relay) == ["gpt-4o", "new-1", "new-2"]
    for _ in range(8):
        with client(relay) as http:
            ask(http, model="new-1")
            assert ask(http, model="new-2").status_code == 200, "a chat makes an image"
    asked = [request["body"]["model"] for request in source.requests("key-1", CHAT_PATH)]
    assert asked == ["new-1"] * 8
    made = [request["body"]["model"] for request in source.requests("key-1", "/api/features")]
    assert made == ["new-2"] * 8


def test_windows_are_the_lists_and_its_dates_end_nothing(start_relay: Callable[..., Relay], source: Vendor) -> None:
    dates = {"new-1": "2026-12-09", "new-2": "2026-12-09T00:00:00.000Z", "new-3": "soon", "new-4": 20261209, "new-5": None}
    models = [model(name, deprecationDate=date) for name, date in dates.items()]
    models.append(model("gpt-4o", creditMetadata={"CONTEXT": 50, "MAX_OUTPUT_TOKEN": 20}))
    models.append(model("o3-mini", creditMetadata={"CONTEXT": "many", "MAX_OUTPUT_TOKEN": -1}))
    models.append(model("gpt-4o-mini", creditMetadata={"CONTEXT": -(2**63), "MAX_OUTPUT_TOKEN": 2**63 - 1}))
    source.lists(only={CHAT: models})
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h")
    relay.wait_for_line(lambda line: line["message"] == "models read")
    with client(relay) as http:
        listed = {entry["id"]: entry.get("shutdown_date") for entry in http.get("/v1/models").json()["data"]}
        assert set(listed) == {*dates, "gpt-4o", "o3-mini", "gpt-4o-mini"} and set(listed.values()) == {None}
        assert ask(http, model="new-1").headers.get("sunset") is None
        error = ask(http, "word " * 60, model="gpt-4o").json()["error"]
        assert error["code"] == "context_length_exceeded" and "length is 50 tokens" in error["message"]
        for name in ("o3-mini", "gpt-4o-mini"):
            assert ask(http, "word " * 60, model=name).status_code == 200


def test_entries_that_are_not_usable_are_none(start_relay: Callable[..., Relay], source: Vendor) -> None:
    entries = [
        model("new-1", status="ACTIVE"), model("new-2", status="INACTIVE"), model("new-3", status="DEPRECATED"),
        model("new-4", status=""), model("NOT_APPLICABLE", status="ACTIVE"), model("NOT_APPLICABLE"), model("new-5"),
        model(""), model("a name"), model("a\nname"), model("n\u00e4me"), model("n" * 129), model(5), model(None),
    ]  # fmt: skip
    source.lists(only={CHAT: entries})
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h")
    line = relay.wait_for_line(lambda line: line["message"] == "models read")
    assert (line["listed"], line["new"]) == (2, 2)
    listed = names(relay)
    assert listed == ["new-1", "new-5"]


def test_the_subset_only_holds_for_new_models(start_relay: Callable[..., Relay], source: Vendor) -> None:
    source.lists(only={CHAT: [model("new-1"), model("o3-mini"), model("gpt-4o-mini"), model("gpt-4o", status="DISABLED")]})
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h", PERMIT_MODELS_FROM_SUBSET_ONLY="true")
    relay.wait_for_line(lambda line: line["message"] == "models read")
    assert names(relay) == ["gpt-4o-mini", "o3-mini"]


def test_the_whole_catalogue_takes_away_what_is_disabled(start_relay: Callable[..., Relay], relay: Relay, source: Vendor) -> None:
    live = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h")
    live.wait_for_line(lambda line: line["message"] == "models read" and line["new"] == 0)
    assert names(live) == [name for name in names(relay) if name not in DISABLED]


def test_a_disabled_model_is_not_asked_and_its_short_name_goes_to_its_family(start_relay: Callable[..., Relay], source: Vendor) -> None:
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h")
    relay.wait_for_line(lambda line: line["message"] == "models read")
    with client(relay) as http:
        for path in ("/v1/images/generations", CHAT_COMPLETIONS):
            fields = {"prompt": "a cat"} if path != CHAT_COMPLETIONS else {"messages": [{"role": "user", "content": "a"}]}
            refused = http.post(path, json={"model": "black-forest-labs/flux-schnell"} | fields)
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
            assert http.post(path, json={"model": "flux-schnell"} | fields).status_code == 200
        assert http.get("/v1/models/black-forest-labs/flux-schnell").status_code == 404
    made = source.requests("key-1", "/api/features")
    assert [call["body"]["model"] for call in made] == ["black-forest-labs/flux-krea-dev"] * 2


def test_a_model_that_left_the_list_is_unlisted_once_it_is_refused(start_relay, source, new_key):
    key = new_key()
    source.lists(only={CHAT: [model("gpt-4o"), model("o3-mini"), model("gpt-4o-mini")]})
    relay = start_relay(
        ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h", **provider("A", "onemin", source.base_url, API_KEY=key),
        KEY_ANN_TOKEN="tok-ann",
    )  # fmt: skip
    relay.wait_for_line(lambda line: line["message"] == "models read")
    http = client(relay, "tok-ann")

    def served():
        return [entry["id"] for entry in http.get("/v1/models").json()["data"]]

    source.lists(only={CHAT: [model("gpt-4o", status="DISABLED"), model("o3-mini"), model("gpt-4o-mini")]})
    source.answers(key, {"status": 400, "json": {"errorCode": "UNSUPPORTED_MODEL", "message": "Model x is not supported"}})
    assert "gpt-4o" in served() and ask(http, model="gpt-4o").status_code == 404
    assert wait_until(lambda: served() == ["gpt-4o-mini", "o3-mini"], 10)
    read = len(source.requests("", "/models"))
    assert ask(http, model="o3-mini").status_code == 404 and "o3-mini" in served(), "the list still has it"
    assert len(source.requests("", "/models")) == read, "it is read once a minute at most"


def test_variations_choose_no_disabled_model(start_relay: Callable[..., Relay], source: Vendor) -> None:
    entries = [model("magic-art_7_0", status="DISABLED"), model("magic-art_6_1", status="INACTIVE"), model("midjourney")]
    source.lists(only={CHAT: [model("gpt-4o")], "IMAGE_GENERATOR": entries, "IMAGE_VARIATOR": entries})
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h")
    relay.wait_for_line(lambda line: line["message"] == "models read")
    source.answers("key-1", {"status": 500}, {})
    picture = {"image": ("a.png", pictures.image("a", "png"), "image/png")}
    with client(relay) as http:
        answer = http.post("/v1/images/variations", files=picture, data={"model": "midjourney"})
        assert answer.status_code == 502, "no other model is left"
    asked = [call["body"]["model"] for call in source.requests("key-1", "/api/features")]
    assert set(asked) == {"midjourney"}


def test_a_list_that_changes_and_fails(start_relay: Callable[..., Relay], source: Vendor) -> None:
    """Known models stay while the list cannot be read, with one warning."""
    source.lists(only={CHAT: [model("new-1")]})
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1s")
    relay.wait_for_line(lambda line: line["message"] == "models read")
    source.lists(status=500)
    failed = reads(source)
    assert wait_until(lambda: reads(source) >= failed + 2, 10)
    assert "new-1" in names(relay)
    source.lists(only={CHAT: [model("new-3")]})
    assert wait_until(lambda: "new-3" in names(relay), 10)
    assert "new-1" not in names(relay)
    warnings = [line for line in relay.log_lines() if line["message"] == "models not read"]
    assert len(warnings) == 1 and warnings[0]["level"] == "warning" and "500" in warnings[0]["cause"]


@pytest.mark.parametrize(
    "how",
    [
        {"status": 404}, {"text": "<html>"}, {"text": ""}, {"text": "[]"}, {"text": '{"models":{}}'},
        {"text": '{"models":[]}'}, {"text": '{"models":[1,null,{},{"modelId":7},{"modelId":"a b"},{"modelId":""}]}'},
        {"text": '{"models":[' + ",".join(f'{{"modelId":"m{n}"}}' for n in range(2001)) + "]}"},
        {"text": '{"models":[],"x":"' + "x" * (5 << 20) + '"}'}, {"text": '{"models":[],"x":"' + "x" * (20 << 20) + '"}'},
    ],
    ids=["404", "html", "empty", "array", "object", "none", "odd", "many", "long", "endless"],
)  # fmt: skip
def test_lists_that_are_none(start_relay: Callable[..., Relay], source: Vendor, how: dict[str, Any]) -> None:
    source.lists(**how)
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, ONE_MIN_MODELS_REFRESH="1h")
    relay.wait_for_line(lambda line: line["message"] == "models not read", 10)
    assert len(names(relay)) > 100 and not [name for name in names(relay) if name.startswith("m1")]


def test_a_vendor_that_is_away_is_not_needed_to_start(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(ONE_MIN_BASE_URL="http://127.0.0.1:9", ONE_MIN_MODELS_REFRESH="1h")
    relay.wait_for_line(lambda line: line["message"] == "models not read")
    messages = [line["message"] for line in relay.log_lines()]
    assert "listening" in messages
    with client(relay) as http:
        del http.headers["Authorization"]
        assert http.get("/v1/models").status_code == 200


@pytest.mark.parametrize(
    "settings",
    [{"ONE_MIN_MODELS_REFRESH": "0"}, {"ONE_MIN_MODELS_REFRESH": "1s", "PROVIDER_DEMO_KIND": "echo", "ANONYMOUS_MODELS": "all"}],
    ids=["off", "no such provider"],
)
def test_nothing_is_read(start_relay: Callable[..., Relay], source: Vendor, settings: dict[str, str]) -> None:
    relay = start_relay(ONE_MIN_BASE_URL=source.base_url, **settings)
    with client(relay) as http:
        for _ in range(20):
            assert http.get("/health").status_code == 200
    relay.stop()
    assert source.requests("") == []


def test_ending_while_the_list_comes(start_relay: Callable[..., Relay], source: Vendor) -> None:
    """A relay whose vendor is silent ends like any other."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        relay = start_relay(ONE_MIN_BASE_URL=f"http://127.0.0.1:{silent.getsockname()[1]}", ONE_MIN_MODELS_REFRESH="1h")
        taken, _ = silent.accept()
        with taken:
            assert taken.recv(100).startswith(b"GET /models?feature=")
            relay.stop()
