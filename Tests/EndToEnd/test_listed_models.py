"""`_MODELS=*`: the models that vendors list themselves, read in the background."""

import threading

import pytest
from chat import ask
from conftest import VENDOR_KEY, secrets
from fake_server import FakeServer, Handler
from relay_process import provider

YES, NO = {"supported": True}, {"supported": False}
CAPABILITIES = {
    "batch": YES, "effort": YES | dict.fromkeys(("high", "low", "max", "medium", "xhigh"), YES), "image_input": YES,
    "thinking": YES | {"types": {"adaptive": YES, "between_tools": YES, "disabled": NO, "enabled": NO}},
}  # fmt: skip
LISTS = {
    "openai": ("/v1/models", [{"data": [
        {"id": "big/model:2", "shutdown_date": "2031-12-09", "created": -7}, {"id": 7}, {},
        {"id": "big/model:1", "object": "model", "created": 1700000001},
    ]}]),
    "anthropic": ("/v1/models?limit=1000", [
        {"data": [{"id": "claude-a", "max_input_tokens": 40, "created_at": "2025-10-15T01:02:03Z", "lifecycle": "active", "retires_at": None,
                   "display_name": "Claude A", "capabilities": CAPABILITIES},
                  {"id": "claude-old", "created_at": "2023-01-01", "lifecycle": "retired", "retires_at": "2024-01-01"}], "has_more": True, "last_id": "claude a&b"},
        {"data": [{"id": "claude-b", "created_at": "?", "lifecycle": "deprecated", "retires_at": "2031-12-09T00:00:00Z"}], "has_more": False, "last_id": "claude-b"},
    ]),
    "gemini": ("/v1beta/models?pageSize=1000", [
        {"models": [
            {"name": "models/gem-a", "supportedGenerationMethods": ["generateContent"]},
            {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]},
        ], "nextPageToken": "more+=/"},
        {"models": [{"name": "models/gem-b", "supportedGenerationMethods": ["generateContent"], "inputTokenLimit": 40}]},
    ]),
    "cohere": ("/v1/models?endpoint=chat&page_size=1000", [
        {"models": [{"name": "command-a", "endpoints": ["chat"]}, {"endpoints": ["chat"]}], "next_page_token": "more+=/"},
        {"models": [{"name": "command-b", "context_length": 40.0}]},
    ]),
    "cloudflare": ("/client/v4/accounts/acc/ai/models/search?task=Text%20Generation&per_page=100", [
        {"success": True, "result": [{"name": "@cf/a", "task": {"name": "Text Generation"}}, {"name": "@cf/x", "task": {"name": "Other"}}, {}],
         "result_info": {"page": 1, "per_page": 100, "total_count": 101}},
        {"success": True, "result": [{"name": "@cf/b", "task": {"name": "Text Generation"}, "properties": [
            {"property_id": "context_window", "value": "40"}, {"property_id": "price", "value": [{}]},
            {"property_id": "planned_deprecation_date", "value": "2031-12-09"}]}], "result_info": {"page": 2, "total_count": 101}},
    ]),
}  # fmt: skip
NEXT = {"anthropic": "&after_id=claude%20a%26b", "gemini": "&pageToken=more%2B%3D%2F", "cohere": "&page_token=more%2B%3D%2F",
        "cloudflare": "&page=2"}  # fmt: skip
NAMES = {
    "openai": ["big/model:1", "big/model:2"], "anthropic": ["claude-a", "claude-b"], "gemini": ["gem-a", "gem-b"],
    "cohere": ["command-a", "command-b"], "cloudflare": ["@cf/a", "@cf/b"],
}  # fmt: skip
KEY_HEADER = {"openai": "authorization", "anthropic": "x-api-key", "gemini": "x-goog-api-key", "cohere": "authorization",
              "cloudflare": "authorization"}  # fmt: skip


REFUSAL = {"openai": 401, "anthropic": 401, "gemini": 400, "cohere": 401, "cloudflare": 403}
"""Of a key that the vendor does not know."""


class Lister(FakeServer):
    """A vendor that only lists its models, once `open` is set. It fails the first time. `revoked`: keys that it
    refuses."""

    def __init__(self, kind, revoked=()):
        self.open, self.asked, self.headers = threading.Event(), [], []
        path, pages = LISTS[kind]
        paths = {path: pages[0]} | ({path + NEXT[kind]: pages[1]} if len(pages) > 1 else {})
        lister = self

        class Lists(Handler):
            def do_GET(self):
                lister.open.wait(30)
                lister.asked.append(self.path)
                lister.headers.append(self.lowered())
                key = lister.headers[-1].get(KEY_HEADER[kind], "").removeprefix("Bearer ")
                page = paths.get(self.path) if len(lister.asked) > 1 and key not in revoked else None
                self.send(200 if page else REFUSAL[kind] if key in revoked else 500, page or {"error": {"message": "no"}})

        super().__init__(Lists)
        self.base_url += "/v1" if kind == "openai" else ""


@pytest.mark.parametrize("kind", LISTS)
def test_the_vendors_list_is_served_once_it_is_read(start_relay, caller, kind):
    lister = Lister(kind)
    relay = start_relay(
        **provider("ROW", kind, lister.base_url, f"*,own={NAMES[kind][0]}", API_KEY=VENDOR_KEY, MODEL_INFO="own=vision:false", CONNECT_TIMEOUT="1s", ACCOUNT_ID="acc" if kind == "cloudflare" else None),
        ANONYMOUS_MODELS="all", DEFAULT_MODEL="claude-b",
    )  # fmt: skip
    http = caller(relay)
    waits = ask(http, model=NAMES[kind][1])
    assert waits.status_code == 503 and waits.headers["retry-after"] == "1"
    assert [entry["id"] for entry in http.get("/v1/models").json()["data"]] == ["own"]
    lister.open.set()
    relay.wait_for_line(lambda line: line["message"] == "models not read" and line["provider"] == "row")
    line = relay.wait_for_line(lambda line: line["message"] == "models read")
    assert (line["provider"], line["listed"]) == ("row", 2)
    listed = http.get("/v1/models").json()["data"]
    assert [entry["id"] for entry in listed] == ["own", *NAMES[kind]]
    assert ask(http, model="no-such-model").status_code == 404
    assert VENDOR_KEY in lister.headers[-1][KEY_HEADER[kind]]
    created = [entry["created"] for entry in listed]
    known = {"openai": 1700000001, "anthropic": 1760490123}.get(kind, 1727389042)
    assert created == [known, known, 1727389042]
    if kind in ("openai", "cloudflare", "anthropic"):
        assert listed[2]["shutdown_date"] == "2031-12-09"
    if kind == "anthropic":
        assert_as_the_vendor_lists(http)
    if kind in ("gemini", "cohere", "cloudflare"):
        error = ask(http, "word " * 60, model=NAMES[kind][1]).json()["error"]
        assert error["code"] == "context_length_exceeded"


def assert_as_the_vendor_lists(http):
    own, one, other = http.get("/v1/models", headers={"anthropic-version": "2023-06-01"}).json()["data"]
    assert own["capabilities"]["image_input"] == own["capabilities"]["thinking"]["types"]["adaptive"] == NO, "the settings say otherwise"
    assert one["capabilities"] == other["capabilities"] | CAPABILITIES | {"batch": NO}, "the relay serves no batches"
    assert [model["display_name"] for model in (own, one, other)] == ["own", "Claude A", "claude-b"]
    assert other["capabilities"]["effort"] == NO | dict.fromkeys(("high", "low", "max", "medium", "xhigh"), NO)


@pytest.mark.parametrize("headers, waits", [({}, 503), ({"anthropic-version": "2023-06-01"}, 529)], ids=["openai", "anthropic"])
def test_a_model_that_may_be_listed_is_not_missing(start_relay, caller, headers, waits):
    lister = Lister("openai")
    relay = start_relay(**provider("ROW", "openai", lister.base_url, "*,own=big/model:1", API_KEY=VENDOR_KEY), ANONYMOUS_MODELS="big*,own")
    http = caller(relay, **headers)

    def status(name):
        answer = http.get(f"/v1/models/{name}")
        assert answer.headers.get("retry-after") == ("1" if answer.status_code == waits else None), answer.text
        return answer.status_code

    names = ["own", "big/model:1", "big%2Fmodel:2", "bigger", "small"]
    assert [status(name) for name in names] == [200, waits, waits, waits, 404]
    lister.open.set()
    relay.wait_for_line(lambda line: line["message"] == "models read")
    assert [status(name) for name in names] == [200, 200, 200, 404, 404]


def test_a_name_is_replaced_only_once_the_list_is_known_to_lack_it(start_relay, caller, server):
    lister = Lister("openai")
    relay = start_relay(
        **provider("ROW", "openai", lister.base_url, "*", API_KEY=VENDOR_KEY), ANONYMOUS_MODELS="all", MODEL_REPLACEMENTS="gone:other",
        **provider("OTHER", "openai", server.base_url, "other"),
    )  # fmt: skip
    http = caller(relay)
    assert ask(http, model="gone").status_code == 503
    lister.open.set()
    relay.wait_for_line(lambda line: line["message"] == "models read")
    answer = ask(http, model="gone")
    assert answer.status_code == 200 and answer.headers["x-relay-provider"] == "other"
    server.take_violations()


@pytest.mark.parametrize("fallback", [None, "own"])
def test_other_endpoints_wait_for_the_list(start_relay, caller, fallback):
    lister = Lister("openai")
    relay = start_relay(
        **provider("ROW", "openai", lister.base_url, "*,own=big/model:1", API_KEY=VENDOR_KEY), ANONYMOUS_MODELS="big*,experts,own",
        FALLBACK_MODEL=fallback, PANEL_EXPERTS_MODELS="own", PANEL_EXPERTS_SUMMARY_MODEL="own",
    )  # fmt: skip
    http = caller(relay)
    for path in ("embeddings", "moderations"):
        waits = http.post(f"/v1/{path}", json={"model": "big/model:2", "input": "x"})
        assert waits.status_code == 503 and waits.headers["retry-after"] == "1"
        for unknown in ("experts", "small"):
            if fallback is None:
                assert http.post(f"/v1/{path}", json={"model": unknown, "input": "x"}).status_code == 404
    waits = http.post("/v1/images/generations", json={"model": "big/model:2", "prompt": "x"})
    assert waits.status_code == 503
    lister.open.set()


def test_callers_without_the_right_to_a_name_do_not_wait_for_it(start_relay, caller):
    lister = Lister("openai")
    relay = start_relay(**provider("ROW", "openai", lister.base_url, "*", API_KEY=VENDOR_KEY), ANONYMOUS_MODELS="big*")
    assert ask(caller(relay), model="small").status_code == 404
    assert ask(caller(relay), model="bigger").status_code == 503
    lister.open.set()


@pytest.mark.parametrize("kind", LISTS)
def test_a_key_that_is_refused_hides_no_list(start_relay, caller, kind):
    """The next key is used for the list. A failing vendor is not called with one key after the other."""
    secrets.update(("revoked-key-of-the-list-1", "revoked-key-of-the-list-2"))
    lister = Lister(kind, revoked=("revoked-key-of-the-list-1", "revoked-key-of-the-list-2"))
    lister.open.set()
    relay = start_relay(
        **provider("ROW", kind, lister.base_url, "*", API_KEYS=f"revoked-key-of-the-list-1,revoked-key-of-the-list-2,{VENDOR_KEY},key-nobody-needs", ACCOUNT_ID="acc" if kind == "cloudflare" else None),
        ANONYMOUS_MODELS="all",
    )  # fmt: skip
    relay.wait_for_line(lambda line: line["message"] == "models read")
    assert [entry["id"] for entry in caller(relay).get("/v1/models").json()["data"]] == NAMES[kind]
    assert all("key-nobody-needs" not in headers[KEY_HEADER[kind]] for headers in lister.headers)


def test_a_list_that_was_read_outlasts_a_reload(start_relay, caller, tmp_path):
    """The list is kept as long as it would be read from the same place with one of the same keys."""
    lister, other = Lister("openai"), Lister("openai")
    lister.open.set()
    file = tmp_path / "relay.env"
    settings = {**provider("ROW", "openai", lister.base_url, "*", API_KEYS=VENDOR_KEY), "ANONYMOUS_MODELS": "all"}
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    relay = start_relay(ENV_FILE=str(file))
    http = caller(relay)
    relay.wait_for_line(lambda line: line["message"] == "models read")
    lister.open.clear()

    def listed_with(**changed):
        file.write_text("".join(f"{name}={value}\n" for name, value in (settings | changed).items()))
        assert http.post("/reload_config").status_code == 200
        return [entry["id"] for entry in http.get("/v1/models").json()["data"]]

    for change in (
        {"COST": "0.01"}, {"TIMEOUT": "9s"}, {"MODELS": "*,own=big/model:1"}, {"API_KEYS": f"new-key,{VENDOR_KEY}"},
        {"API_KEYS": "new-key"},
    ):  # fmt: skip
        listed = listed_with(**{f"PROVIDER_ROW_{name}": value for name, value in change.items()})
        assert listed[-2:] == NAMES["openai"], change
    assert listed_with(PROVIDER_ROW_API_KEYS="another-key") == []
    assert listed_with(PROVIDER_ROW_BASE_URL=other.base_url) == []
    for each in (lister, other):
        each.open.set()


ONE, OTHER, BAD = "key-of-the-first-vendor", "key-of-the-second-vendor", "key-of-neither-vendor"


@pytest.fixture
def two():
    """Two vendors, each of which accepts a key that the other one refuses, and settings with them."""
    secrets.update((ONE, OTHER, BAD))
    vendors = Lister("openai", revoked=(OTHER, BAD)), Lister("openai", revoked=(ONE, BAD))
    settings = {"THREADS": "1"}
    for name, vendor, models in zip("AB", vendors, ("first,both", "second,both"), strict=True):
        vendor.open.set()
        fields = {"KIND": "openai", "BASE_URL": vendor.base_url, "MODELS": models, "PASSTHROUGH": "true"}
        settings |= {f"PROVIDER_{name}_{field}": value for field, value in fields.items()}
    return vendors, settings


def test_a_key_lists_the_models_of_the_vendors_that_take_it(start_relay, caller, two):
    vendors, settings = two
    relay = start_relay(**settings)
    for _ in range(2):
        for key, names, hidden in ((ONE, ["first", "both"], "second"), (OTHER, ["second", "both"], "first")):
            http = caller(relay, key)
            assert [entry["id"] for entry in http.get("/v1/models").json()["data"]] == names
            assert [http.get(f"/v1/models/{name}").status_code for name in (*names, hidden)] == [200, 200, 404]
        assert caller(relay, BAD).get("/v1/models").status_code == 401
    assert [entry["id"] for entry in caller(relay).get("/v1/models").json()["data"]] == ["first", "both", "second"]
    for vendor in vendors:
        keys = [headers["authorization"].removeprefix("Bearer ") for headers in vendor.headers]
        assert sorted(keys) == sorted((ONE, OTHER, BAD)), "each is asked for each key once"
        assert set(vendor.asked) == {"/v1/models"}


def test_a_key_that_one_vendor_takes_is_no_guess_at_a_token(start_relay, caller, two):
    relay = start_relay(PROVIDER_C_KIND="echo", ANONYMOUS_MODELS="echo", RATE_LIMIT="1000/hour", RATE_LIMIT_FAILED_AUTH="1/hour", **two[1])
    assert [ask(caller(relay, key), model="echo").status_code for key in (ONE, OTHER, BAD)] == [200, 200, 429]


def test_a_silent_vendor_is_not_waited_for_longer_than_for_a_connection(start_relay, caller, two):
    (silent, _), settings = two
    silent.open.clear()
    relay = start_relay(PROVIDER_A_CONNECT_TIMEOUT="500ms", **settings)
    listed = caller(relay, ONE).get("/v1/models").json()["data"]
    assert silent.asked == [], "it has not answered yet"
    silent.open.set()
    assert [entry["id"] for entry in listed] == ["first", "both"]
