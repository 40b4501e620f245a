"""Models that are shut down: their last day as clients and operators see it, and the models that replace them."""

import pytest
from chat import CHAT_PATH, ask
from limited import metric
from memcached import wait_for
from onemin_rules import FEATURE_TYPES
from openai_vendor import Server
from pictures import audio
from test_models_live import model
from vendor import Vendor

ENDED, TO_COME = "2020-02-29", "2031-12-09"
KEY = "key-1"


@pytest.fixture(scope="module")
def ending():
    running = Vendor()
    models = [
        model("o3-mini", status="DISABLED"), model("gpt-4o", deprecationDate=ENDED), model("gpt-4o-mini"),
        model("gpt-5", status="DISABLED"),
    ]  # fmt: skip
    running.lists(only={FEATURE_TYPES["chat"]: models})
    yield running
    running.stop()


@pytest.fixture(scope="module")
def aging(launch, ending):
    relay = launch(
        ONE_MIN_BASE_URL=ending.base_url, ONE_MIN_MODELS_REFRESH="1h",
        MODEL_REPLACEMENTS="o3-mini:gpt-5,gpt-5:gpt-4o-mini,gpt-4o:gpt-4o-mini,gone:gpt-4o",
        KEY_NARROW_TOKEN="token-of-the-narrow-one", KEY_NARROW_MODELS="gpt-4o-mini",
    )  # fmt: skip
    relay.wait_for_line(lambda line: line["message"] == "models read")
    return relay


@pytest.fixture
def http(aging, caller):
    return caller(aging, KEY)


def served(source):
    return source.requests(KEY, CHAT_PATH)[-1]["body"]["model"]


def test_a_model_that_has_ended_is_served_by_its_replacement_under_its_name(http, aging, ending):
    answer = ask(http, model="o3-mini")
    assert answer.status_code == 200 and answer.json()["model"] == "o3-mini"
    assert served(ending) == "gpt-4o-mini" and "sunset" not in answer.headers
    line = aging.wait_for_line(lambda line: line.get("model") == "o3-mini")
    assert line["served_by"] == "gpt-4o-mini"


def test_a_date_of_1min_ai_ends_nothing(http, aging, ending):
    answer = ask(http, model="gpt-4o")
    assert served(ending) == "gpt-4o" and "sunset" not in answer.headers
    assert "served_by" not in aging.wait_for_line(lambda line: line.get("model") == "gpt-4o")
    assert "shutdown_date" not in http.get("/v1/models").text and ENDED not in aging.text()
    assert "models end" not in aging.text() and "relay_model_shutdown_timestamp_seconds{" not in http.get("/metrics").text


def test_a_name_that_nobody_serves_is_replaced(http, ending):
    answer = ask(http, model="gone")
    assert answer.status_code == 200 and answer.json()["model"] == "gone" and served(ending) == "gpt-4o"


def test_the_right_to_the_name_that_was_asked_counts(aging, caller):
    answer = ask(caller(aging, "token-of-the-narrow-one"), model="o3-mini")
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "model_not_found"


@pytest.fixture
def dated():
    """A vendor of another kind, whose dates are shutdown dates."""
    server = Server()
    server.models = [{"id": "past", "shutdown_date": ENDED}, {"id": "next", "shutdown_date": TO_COME}, {"id": "new"}]
    yield server
    server.stop()


def aged(start_relay, dated, **settings):
    relay = start_relay(
        PROVIDER_B_KIND="openai", PROVIDER_B_BASE_URL=dated.base_url, PROVIDER_B_API_KEY="vendor-key", PROVIDER_B_MODELS="*",
        MODEL_REPLACEMENTS="past:new,next:new", KEY_ANY_TOKEN=KEY, **settings,
    )  # fmt: skip
    relay.wait_for_line(lambda line: line["message"] == "models read")
    return relay


def test_the_last_day_of_another_vendor_is_listed_warned_of_and_measured(start_relay, caller, dated):
    relay = aged(start_relay, dated)
    http = caller(relay, KEY)
    listed = {entry["id"]: entry.get("shutdown_date") for entry in http.get("/v1/models").json()["data"]}
    assert listed == {"new": None, "next": TO_COME, "past": ENDED}
    line = relay.wait_for_line(lambda line: line["message"] == "models end")
    assert line["level"] == "warning" and line["models"] == f"past {ENDED}"
    assert metric(relay, "relay_model_shutdown_timestamp_seconds", model="past") == 1582934400
    answer = ask(http, model="next")
    assert answer.headers["sunset"] == "Tue, 09 Dec 2031 00:00:00 GMT" and dated.requests[-1]["body"]["model"] == "next"
    assert ask(http, model="past").json()["model"] == "past" and dated.requests[-1]["body"]["model"] == "new"


@pytest.mark.parametrize(("given", "names"), [(None, ["gpt-4o-mini", "gpt-4o"]), ("o3-mini", [])])
def test_the_default_subset_leaves_out_what_has_ended(start_relay, caller, ending, given, names):
    more = {"SUBSET_OF_ONE_MIN_PERMITTED_MODELS": given} if given else {}
    relay = start_relay(ONE_MIN_BASE_URL=ending.base_url, ONE_MIN_MODELS_REFRESH="1h", PERMIT_MODELS_FROM_SUBSET_ONLY="true", **more)
    relay.wait_for_line(lambda line: line["message"] == "models read")
    assert [entry["id"] for entry in caller(relay, KEY).get("/v1/models").json()["data"]] == names


ONLY = {"PERMIT_MODELS_FROM_SUBSET_ONLY": "true"}


@pytest.mark.parametrize(
    "settings",
    [
        ONLY, ONLY | {"SUBSET_OF_ONE_MIN_PERMITTED_MODELS": "gpt-4o-mini"},
        {"PROVIDER_A_KIND": "onemin", "PROVIDER_A_WEIGHTS": "o3-mini=0,gpt-4o=0", "PROVIDER_B_KIND": "onemin"},
        {"PROVIDER_A_KIND": "onemin", "PROVIDER_A_WEIGHTS": "o3-mini=0,gpt-4o=0"},
    ],
    ids=["default subset", "subset", "weight at one", "weight"],
)  # fmt: skip
def test_a_model_that_has_ended_is_replaced_also_where_it_may_not_be_used(start_relay, caller, ending, settings):
    """A model that may not be used has no replacement before its end."""
    relay = start_relay(
        ONE_MIN_BASE_URL=ending.base_url, ONE_MIN_MODELS_REFRESH="1h",
        MODEL_REPLACEMENTS="o3-mini:gpt-4o-mini,gpt-4o:gpt-4o-mini", **settings,
    )  # fmt: skip
    relay.wait_for_line(lambda line: line["message"] == "models read")
    http = caller(relay, KEY)
    answer = ask(http, model="o3-mini")
    assert answer.status_code == 200 and answer.json()["model"] == "o3-mini" and served(ending) == "gpt-4o-mini"
    usable = "gpt-4o" in [entry["id"] for entry in http.get("/v1/models").json()["data"]]
    answer = ask(http, model="gpt-4o")
    assert answer.status_code == (200 if usable else 404)
    if usable:
        assert served(ending) == "gpt-4o"


def retiring(start_relay, ending, **settings):
    relay = start_relay(ONE_MIN_BASE_URL=ending.base_url, ONE_MIN_MODELS_REFRESH="1h", MODEL_REPLACEMENTS="o3-mini:gpt-4o-mini", **settings)
    relay.wait_for_line(lambda line: line["message"] == "models read")
    return relay


def test_a_fallback_that_has_ended_is_replaced(start_relay, caller, ending):
    relay = retiring(start_relay, ending, FALLBACK_MODEL="o3-mini")
    assert ask(caller(relay, KEY), model="nobodys").json()["model"] == "nobodys" and served(ending) == "gpt-4o-mini"
    assert relay.wait_for_line(lambda line: line.get("model") == "nobodys")["served_by"] == "gpt-4o-mini"


TOKEN = "token-of-the-retired-models-caller"
OWN = {"PROVIDER_A_KIND": "onemin", "PROVIDER_A_API_KEY": KEY, "KEY_TEAM_TOKEN": TOKEN}


@pytest.mark.parametrize("name", ["PROVIDER_A_GENERATE_MODEL", "GENERATE_MODEL"])
def test_a_model_for_calls_without_a_name_that_has_ended_is_replaced(start_relay, caller, ending, name):
    http = caller(retiring(start_relay, ending, **OWN, **{name: "o3-mini"}), TOKEN)
    assert http.post("/generate", json={"prompt": "Hi"}).status_code == 200 and served(ending) == "gpt-4o-mini"


@pytest.mark.parametrize("place", ["a/", ""], ids=["of one provider", "of any"])
def test_a_member_of_a_panel_that_has_ended_is_replaced(start_relay, caller, ending, place):
    panel = {"PANEL_EXPERTS_MODELS": f"{place}o3-mini,gpt-4o", "PANEL_EXPERTS_SUMMARY_MODEL": f"{place}o3-mini"}
    http = caller(retiring(start_relay, ending, **OWN, **panel), TOKEN)
    before = len(ending.requests(KEY, CHAT_PATH))
    assert ask(http, model="experts").status_code == 200
    models = sorted(request["body"]["model"] for request in ending.requests(KEY, CHAT_PATH)[before:])
    assert models == ["gpt-4o", "gpt-4o-mini", "gpt-4o-mini"]


def test_a_panel_serves_its_name_whatever_may_replace_that(start_relay, caller, ending):
    panel = {"PANEL_EXPERTS_MODE": "direct", "PANEL_EXPERTS_SUMMARY_MODEL": "gpt-4o-mini"}
    relay = start_relay(ONE_MIN_BASE_URL=ending.base_url, MODEL_REPLACEMENTS="experts:gpt-4o", **OWN, **panel)
    assert ask(caller(relay, TOKEN), model="experts").status_code == 200 and served(ending) == "gpt-4o-mini"


def test_a_model_ends_while_the_relay_runs(start_relay, caller, dated, clock):
    """The vendor's list is unchanged; only the day is different."""
    clock = clock(0)
    http = caller(aged(start_relay, dated, **clock.environment), KEY)

    def served_model():
        assert ask(http, model="next").status_code == 200
        return dated.requests[-1]["body"]["model"]

    assert served_model() == "next"
    clock.set(6 * 366 * 86_400)
    wait_for(lambda: served_model() == "new")


def test_a_recording_before_its_model_is_for_who_serves_the_name(start_relay, caller, vendor, new_key):
    key = new_key()
    relay = start_relay(
        PROVIDER_MAIN_KIND="onemin", PROVIDER_MAIN_API_KEY=key, MODEL_REPLACEMENTS="gone:whisper-1",
        KEY_NARROW_TOKEN="token-of-the-narrow-one", KEY_NARROW_MODELS="gone",
    )  # fmt: skip
    http = caller(relay, "token-of-the-narrow-one")
    parts = [("file", ("a.mp3", audio("mine"), "audio/mpeg")), ("model", (None, "gone"))]
    answer = http.post("/v1/audio/transcriptions", files=parts)
    assert answer.status_code == 200 and answer.json()["text"], answer.text
    assert vendor.requests(key)[-1]["body"]["model"] == "whisper-1"


@pytest.mark.parametrize("name", [None, "o3-mini"], ids=["the first", "a named one"])
def test_the_right_to_a_name_that_has_ended_serves_calls_without_one(start_relay, caller, ending, name):
    rights = OWN | {"PROVIDER_A_MODELS": "o3-mini,gpt-4o-mini", "KEY_TEAM_MODELS": "o3-mini"}
    http = caller(retiring(start_relay, ending, **rights, PROVIDER_A_GENERATE_MODEL=name), TOKEN)
    assert http.post("/generate", json={"prompt": "Hi"}).status_code == 200 and served(ending) == "gpt-4o-mini"


def test_a_fallback_that_has_ended_keeps_its_limits(start_relay, caller, ending):
    relay = retiring(start_relay, ending, FALLBACK_MODEL="o3-mini", RATE_LIMIT_BY_MODEL="o3-mini=2/hour")
    http = caller(relay, "key-of-the-limited-one")
    assert [ask(http, model=name).status_code for name in ("nobodys", "unknown", "o3-mini")] == [200, 200, 429]
