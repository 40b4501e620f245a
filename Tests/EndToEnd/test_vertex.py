"""Chat by providers of the kinds vertexai_gemini and vertexai_claude: tokens, locations, and requests as their vendor
accepts them."""

import concurrent.futures
import json

import anthropic_vendor
import checked
import gemini_vendor
import httpx
import local_http
import pytest
from balanced import Providers
from chat import MODEL, PATH, ask, either, refusal, stream, text_of
from conftest import TEAM_TOKEN, secrets
from limited import client as plain
from relay_process import Relay
from usage import File, is_call
from vertex_vendor import CLAUDE, CLIENT, PROJECT, REFRESH, Vertex, waited

PRO = "gemini-3.1-pro"
HELLO = {"content": [anthropic_vendor.text("Hello there")]}


def settings(kind, fake, name="V", **more):
    given = {
        "KIND": kind, "BASE_URL": fake.base_url + "/v1", "PROJECT_ID": PROJECT, "CLIENT_ID": CLIENT["client_id"],
        "CLIENT_SECRET": CLIENT["client_secret"], "REFRESH_TOKEN": REFRESH, "TOKEN_URL": fake.tokens.url,
    }  # fmt: skip
    return {f"PROVIDER_{name}_{field}": value for field, value in (given | more).items() if value is not None}


@pytest.fixture(scope="module")
def vertex():
    secrets.update((REFRESH, CLIENT["client_secret"], "ya29.token-number", TEAM_TOKEN))
    running = Vertex()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def relay(launch, vertex) -> Relay:
    """A relay with `pro` and `claude` at one location, `far` and `farther` at three."""
    return launch(
        **settings("vertexai_gemini", vertex, "GEM", MODELS=f"pro={PRO},gemini-2.5-flash"),
        **settings("vertexai_claude", vertex, "ANT", MODELS=f"claude={CLAUDE},claude-opus-4-8"),
        **settings("vertexai_gemini", vertex, "FAR", MODELS="far=gemini-3-far", LOCATIONS="europe-west4,eu,global"),
        **settings("vertexai_claude", vertex, "OUT", MODELS="farther=claude-far", LOCATIONS="us,us-east5"),
        **settings("vertexai_gemini", vertex, "OPEN", MODELS="open=gemini-3-open", PASSTHROUGH="true", REFRESH_TOKEN=None,
                   CLIENT_ID=None, CLIENT_SECRET=None, HEADERS="x-own: 1"),
        KEY_TEAM_TOKEN=TEAM_TOKEN, FALLBACK="true",
    )  # fmt: skip


@pytest.fixture
def team(relay, vertex):
    vertex.says(PRO, {})
    vertex.says(CLAUDE, HELLO)
    with plain(relay, TEAM_TOKEN) as http:
        yield http
    assert vertex.take_violations() == []
    vertex.tokens.reset()


@pytest.fixture
def lone(launch, vertex, caller):
    """`lone(**more)`: a client of a new relay with one provider of Gemini."""

    def made(kind="vertexai_gemini", **more):
        relay = launch(**settings(kind, vertex, **({"MODELS": f"pro={PRO}"} | more)), KEY_TEAM_TOKEN=TEAM_TOKEN, FALLBACK="true")
        return caller(relay, TEAM_TOKEN)

    vertex.tokens.reset()
    vertex.says(PRO, {})
    yield made
    assert vertex.take_violations() == []
    vertex.tokens.reset()


def bearer(seen):
    return seen["headers"]["authorization"].removeprefix("Bearer ")


def test_plain_requests(team, vertex, is_streamed):
    place = f"/v1/projects/{PROJECT}/locations/global/publishers"
    assert either(team, is_streamed, model="pro", temperature=0.5) == ("Hello there", "stop")
    (seen,) = vertex.asked(PRO)
    assert seen["path"] == f"{place}/google/models/{PRO}:" + ("streamGenerateContent?alt=sse" if is_streamed else "generateContent")
    assert seen["body"] == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}], "generationConfig": {"temperature": 0.5}}
    assert either(team, is_streamed, model="claude", max_tokens=50, temperature=0.5) == ("Hello there", "stop")
    (seen,) = vertex.asked(CLAUDE)
    assert seen["path"] == f"{place}/anthropic/models/{CLAUDE}:" + ("streamRawPredict" if is_streamed else "rawPredict")
    assert seen["body"] == {
        "anthropic_version": "vertex-2023-10-16", "max_tokens": 50, "temperature": 0.5,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    } | ({"stream": True} if is_streamed else {})  # fmt: skip


def test_files_in_the_cloud_are_not_read_with_the_operators_account(team):
    messages = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}}]}]
    for model in ("pro", "claude"):
        assert ask(team, model=model, max_tokens=50, messages=messages).status_code == 400


def test_long_answers_are_gathered_from_streams(team, vertex):
    assert text_of(ask(team, model="claude")) == "Hello there"
    (seen,) = vertex.asked(CLAUDE)
    assert seen["path"].endswith(":streamRawPredict") and seen["body"]["stream"] is True and seen["body"]["max_tokens"] == 64000


def test_an_emulated_document_is_asked_for_again_as_it_was_first(team, vertex, is_streamed):
    vertex.says(CLAUDE, {"content": [anthropic_vendor.text("No document.")]}, {"content": [anthropic_vendor.text('{"a": 1}')]})
    assert either(team, is_streamed, model="claude", max_tokens=99, response_format={"type": "json_object"}) == ('{"a": 1}', "stop")
    paths = [seen["path"].rpartition(":")[2] for seen in vertex.asked(CLAUDE)]
    assert paths == ["streamRawPredict" if is_streamed else "rawPredict"] * 2


OPEN = {
    "type": "OBJECT", "required": ["a"],
    "properties": {
        "a": {"type": "STRING", "nullable": True},
        "d": {"type": "OBJECT", "description": "no", "properties": {"d": {}, "n": {"type": "INTEGER", "minimum": 0}}},
    },
}  # fmt: skip


def test_messages_as_they_came(relay, vertex, is_streamed):
    version = '"anthropic_version":"vertex-2023-10-16"'
    tool = {"name": "t", "input_schema": {"type": "object"}, "defer_loading": True}
    fields = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50, "tools": [tool], "stream": is_streamed}
    body = '{ "model" : "claude",' + json.dumps(fields, indent=1)[1:]
    headers = {"x-api-key": TEAM_TOKEN, "anthropic-beta": "a-1,b-2", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    vertex.says(CLAUDE, HELLO | {"own_headers": ["anthropic-beta"]})
    answer = local_http.post(f"{relay.base_url}/v1/messages", content=body, headers=headers)
    (seen,) = vertex.asked(CLAUDE)
    assert seen["raw"].decode() == body.replace('"model" : "claude"', version) and seen["headers"]["anthropic-beta"] == "a-1,b-2"
    if is_streamed:
        assert answer.text == "".join(f"{event}\n\n" for event in vertex.wire.events(HELLO))
    else:
        assert answer.json() == anthropic_vendor.whole(HELLO)
    vertex.says("count-tokens", {"json": {"input_tokens": 7}, "own_headers": ["anthropic-beta"]})
    body = '{ "model" : "claude",' + json.dumps({"messages": fields["messages"], "tools": [tool]})[1:]
    answer = local_http.post(f"{relay.base_url}/v1/messages/count_tokens", content=body, headers=headers)
    (seen,) = vertex.asked("count-tokens")
    assert answer.json() == {"input_tokens": 7}
    assert seen["raw"].decode() == body.replace('{ "model" : "claude"', "{" + version + f', "model" : "{CLAUDE}"')
    assert vertex.take_violations() == []


def test_formats_that_the_organisation_does_not_permit(team, vertex):
    said = "Structured outputs are not allowed by vertexai.allowedPartnerModelFeatures of the organization policy."
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"a": {"type": "integer"}},
            "required": ["a"], "additionalProperties": False}}}  # fmt: skip
    refused = {"status": 400, "json": gemini_vendor.error(400, "FAILED_PRECONDITION", said)}
    vertex.says("claude-opus-4-8", refused, {"content": [anthropic_vendor.text('{"a": 1}')]})
    for _ in range(2):
        assert json.loads(text_of(ask(team, model="claude-opus-4-8", max_tokens=99, response_format=form))) == {"a": 1}
    first, second, third = (seen["body"] for seen in vertex.asked("claude-opus-4-8"))
    assert "format" in first["output_config"] and "output_config" not in second and "output_config" not in third


OWN = anthropic_vendor.failure
GOOGLES = gemini_vendor.error
TABLE = [
    # model, status, body -> status, code
    ("pro", 400, GOOGLES(400, "FAILED_PRECONDITION"), 502, "upstream_error"),
    ("pro", 403, GOOGLES(403, "PERMISSION_DENIED"), 502, "upstream_error"),
    ("pro", 404, GOOGLES(404, "NOT_FOUND", "Publisher Model `x` was not found or your project does not have access"), 404, "model_not_found"),
    ("claude", 400, OWN("invalid_request_error", "prompt is too long: 1 > 0"), 400, "context_length_exceeded"),
    ("claude", 403, [GOOGLES(403, "PERMISSION_DENIED")], 502, "upstream_error"),
    ("claude", 404, [GOOGLES(404, "NOT_FOUND", "Publisher Model was not found")], 404, "model_not_found"),
    ("claude", 429, [GOOGLES(429, "RESOURCE_EXHAUSTED")], 429, "rate_limit_exceeded"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case[0]}-{case[1]}-{case[4]}")
def test_the_table(team, vertex, case, is_streamed):
    model, status, body, told, code = case
    upstream = PRO if model == "pro" else CLAUDE
    vertex.says(upstream, {"status": status, "json": body})
    got, found, _ = refusal(team, is_streamed, model=model)
    assert (got, found["code"]) == (told, code), found
    assert len(vertex.asked(upstream)) == 1


def test_a_token_in_a_refusal_is_not_told(lone, vertex, is_streamed):
    token = "ya29.own-7"
    told = GOOGLES(400, "INVALID_ARGUMENT", f"The request with token={token}, is odd.")
    vertex.tokens.answers = [(200, {"access_token": token, "expires_in": 3599})]
    http = lone()
    vertex.says(PRO, {"status": 400, "json": told})
    got, found, _ = refusal(http, is_streamed, model="pro")
    assert got == 400 and "ya29" not in found["message"] and bearer(vertex.asked(PRO)[0]) == token


def test_a_token_in_an_event_is_not_told(lone, vertex):
    token = "ya29.own-7"
    begun = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "index": 0}]}
    told = GOOGLES(400, "INVALID_ARGUMENT", f"The request with token={token}, is odd.")
    vertex.tokens.answers = [(200, {"access_token": token, "expires_in": 3599})]
    http = lone()
    vertex.says(PRO, {"events": [begun, told]})
    got = stream(http, model="pro")
    assert got.text() == "Hello" and got.error is not None and "ya29" not in got.error["message"]


def test_a_project_that_has_to_be_named(team, vertex):
    vertex.says(PRO, {"status": 403, "json": GOOGLES(403, "PERMISSION_DENIED", "The API requires a quota project")},
                {"own_headers": ["x-goog-user-project"]})  # fmt: skip
    assert text_of(ask(team, model="pro")) == "Hello there"
    assert vertex.asked(PRO)[1]["headers"]["x-goog-user-project"] == PROJECT


def asked_at(vertex, model, *locations):
    return [len(vertex.asked(f"{location}/{model}")) for location in locations]


FAR = ("europe-west4", "eu", "global")


@pytest.mark.parametrize("status", [500, 503, 504])
def test_the_next_location(team, vertex, status, is_streamed):
    for location in FAR:
        vertex.says(f"{location}/gemini-3-far", {})
    vertex.says("europe-west4/gemini-3-far", {"status": status, "json": GOOGLES(status, "INTERNAL")})
    assert either(team, is_streamed, model="far") == ("Hello there", "stop")
    assert asked_at(vertex, "gemini-3-far", *FAR) == [1, 1, 0]


def test_what_a_failed_location_tells_counts_once(launch, caller, vertex, tmp_path, is_streamed):
    log = File(tmp_path / "usage.jsonl")
    more = {"MODELS": "far=gemini-3-far", "LOCATIONS": ",".join(FAR[:2]), "COST": "0.001/0.002"}
    relay = launch(**settings("vertexai_gemini", vertex, **more), KEY_TEAM_TOKEN=TEAM_TOKEN, USAGE_LOG_FILE=log.path)
    empty = {"candidates": [], "usageMetadata": {"promptTokenCount": 31}}
    vertex.says("europe-west4/gemini-3-far", {"json": empty})
    vertex.says("eu/gemini-3-far", {"status": 404, "json": GOOGLES(404, "NOT_FOUND")})
    assert refusal(caller(relay, TEAM_TOKEN), is_streamed, model="far")[0] >= 500
    *calls, request = sorted(log.more(3), key=lambda record: not is_call(record))
    assert [call["cost"] for call in calls] == [pytest.approx(0.000031), 0] and request["cost"] == pytest.approx(0.000031)


def test_locations_rest_and_models_are_missing(lone, vertex):
    """A location at its limit is skipped, one without the model is tried last."""
    http = lone(MODELS="far=gemini-3-far", LOCATIONS=",".join(FAR))
    for location in FAR:
        vertex.says(f"{location}/gemini-3-far", {})
    vertex.says("europe-west4/gemini-3-far", {"status": 429, "json": GOOGLES(429, "RESOURCE_EXHAUSTED"), "headers": {"Retry-After": "60"}})
    vertex.says("eu/gemini-3-far", {"status": 404, "json": GOOGLES(404, "NOT_FOUND")}, {})
    for _ in range(3):
        assert text_of(ask(http, model="far")) == "Hello there"
    assert asked_at(vertex, "gemini-3-far", *FAR) == [1, 1, 3]
    vertex.says("global/gemini-3-far", {"status": 500, "json": GOOGLES(500, "INTERNAL")})
    assert text_of(ask(http, model="far")) == "Hello there"
    assert asked_at(vertex, "gemini-3-far", *FAR) == [1, 2, 1]


def test_a_reload_keeps_the_rests_of_locations(launch, vertex, tmp_path):
    file = tmp_path / "relay.env"
    file.write_text(f"PROVIDER_V_LOCATIONS={','.join(FAR)}\n")
    relay = launch(ENV_FILE=str(file), **settings("vertexai_gemini", vertex, MODELS="far=gemini-3-far"), KEY_TEAM_TOKEN=TEAM_TOKEN)
    for location in FAR:
        vertex.says(f"{location}/gemini-3-far", {})
    vertex.says("europe-west4/gemini-3-far", {"status": 429, "json": GOOGLES(429, "RESOURCE_EXHAUSTED"), "headers": {"Retry-After": "60"}})
    vertex.says("eu/gemini-3-far", {"status": 404, "json": GOOGLES(404, "NOT_FOUND")})
    headers = {"Authorization": f"Bearer {TEAM_TOKEN}"}
    with checked.client(httpx, base_url=relay.base_url, headers=headers, timeout=30) as http:

        def asked_after_reload():
            assert local_http.post(f"{relay.base_url}/reload_config").status_code == 200
            assert text_of(ask(http, model="far")) == "Hello there"
            return asked_at(vertex, "gemini-3-far", *FAR)

        assert text_of(ask(http, model="far")) == "Hello there"
        assert asked_at(vertex, "gemini-3-far", *FAR) == [1, 1, 1]
        assert asked_after_reload() == [1, 1, 2]
        file.write_text("PROVIDER_V_LOCATIONS=europe-west4,global\n")
        assert asked_after_reload() == [2, 1, 3]


def test_no_location_is_left(team, vertex):
    vertex.says("us/claude-far", {"status": 529, "json": OWN("overloaded_error")})
    vertex.says("us-east5/claude-far", {"status": 404, "json": [GOOGLES(404, "NOT_FOUND")]})
    for is_streamed in (False, True):
        got, found, _ = refusal(team, is_streamed, model="farther", max_tokens=9)
        assert (got, found["code"]) == (503, "upstream_error")
    assert asked_at(vertex, "claude-far", "us", "us-east5") == [2, 2]


def test_what_the_caller_did_is_not_tried_elsewhere(team, vertex):
    for location in FAR:
        vertex.says(f"{location}/gemini-3-far", {"status": 400, "json": GOOGLES(400, "INVALID_ARGUMENT")})
    assert ask(team, model="far").status_code == 400
    assert asked_at(vertex, "gemini-3-far", *FAR) == [1, 0, 0]


def test_one_exchange_for_many_first_requests(lone, vertex):
    http = lone()
    vertex.tokens.gate.clear()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(ask if at % 2 else stream, http, model="pro") for at in range(20)]
        waited(lambda: vertex.tokens.forms)
        assert vertex.asked(PRO) == []
        vertex.tokens.gate.set()
        assert [one.result().status_code if at % 2 else one.result().status for at, one in enumerate(asked)] == [200] * 20
    assert len(vertex.tokens.forms) == 1 and len(vertex.asked(PRO)) == 20


def test_providers_of_one_account_share_its_tokens(launch, lone, vertex):
    settings_of_claude = settings("vertexai_claude", vertex, "ANT", MODELS=f"claude={CLAUDE}")
    other = settings("vertexai_claude", vertex, "OTHER", MODELS="other=claude-far", CLIENT_ID="another")
    relay = launch(**settings("vertexai_gemini", vertex, MODELS=f"pro={PRO}"), **settings_of_claude, **other, KEY_TEAM_TOKEN=TEAM_TOKEN)
    vertex.says(CLAUDE, HELLO)
    vertex.says("claude-far", HELLO)
    headers = {"Authorization": f"Bearer {TEAM_TOKEN}"}
    with checked.client(httpx, base_url=relay.base_url, headers=headers, timeout=30) as http:
        for model in ("pro", "claude"):
            assert text_of(ask(http, model=model, max_tokens=9)) == "Hello there"
        assert len(vertex.tokens.forms) == 1
        assert text_of(ask(http, model="other", max_tokens=9)) == "Hello there"
        assert [form["client_id"] for form in vertex.tokens.forms] == [CLIENT["client_id"], "another"]
    assert len(vertex.take_violations()) == 1  # of the other client


def test_a_new_refresh_token_is_used(lone, vertex):
    http = lone()
    vertex.tokens.answers = [(200, {"access_token": "ya29.own-1", "expires_in": 1, "refresh_token": "1//another"})]
    assert text_of(ask(http, model="pro")) == "Hello there"

    def is_exchanged():
        assert text_of(ask(http, model="pro")) == "Hello there"
        return len(vertex.tokens.forms) > 1

    waited(is_exchanged)
    assert vertex.tokens.forms[1]["refresh_token"] == "1//another"


def test_a_refused_token_is_renewed_once(lone, vertex, is_streamed):
    http = lone()
    refused = {"status": 401, "json": GOOGLES(401, "UNAUTHENTICATED")}
    vertex.says(PRO, refused, {})
    assert either(http, is_streamed, model="pro") == ("Hello there", "stop")
    assert len({bearer(seen) for seen in vertex.asked(PRO)}) == 2 == len(vertex.tokens.forms)
    vertex.says(PRO, refused)
    got, found, _ = refusal(http, is_streamed, model="pro")
    assert (got, found["code"]) == (502, "upstream_error") and "refused the relay" in found["message"]
    assert len(vertex.asked(PRO)) == 1 and len(vertex.tokens.forms) == 2


REFUSED = {"error": "invalid_grant", "error_description": "Token has been expired or revoked.", "error_subtype": "invalid_rapt"}


@pytest.mark.parametrize("status, body", [(400, REFUSED), (401, {"error": "invalid_client"}), (403, "no")], ids=["grant", "client", "other"])
def test_an_account_that_is_refused(launch, lone, vertex, status, body, is_streamed):
    http = lone()
    vertex.tokens.answers = [(status, body)]
    for _ in range(3):
        got, found, _ = refusal(http, is_streamed, model="pro")
        assert (got, found["code"]) == (502, "upstream_error") and found["message"].startswith("The provider refused the relay.")
    assert len(vertex.tokens.forms) == 1 and vertex.asked(PRO) == []


def test_another_provider_is_asked(launch, lone, vertex):
    other = settings("vertexai_gemini", vertex, "OTHER", MODELS=f"pro={PRO}", CLIENT_ID="another", PRIORITY="2")
    relay = launch(**settings("vertexai_gemini", vertex, MODELS=f"pro={PRO}"), **other, KEY_TEAM_TOKEN=TEAM_TOKEN)
    vertex.tokens.answers = [(400, REFUSED)]
    with plain(relay, TEAM_TOKEN) as http:
        answer = ask(http, model="pro")
        assert text_of(answer) == "Hello there" and answer.headers["x-relay-provider"] == "other"
    assert len(vertex.asked(PRO)) == 1
    assert [problem for problem in vertex.take_violations() if "another" not in problem] == []


def test_a_caller_who_leaves_before_there_is_a_token(lone, vertex):
    http = lone()
    vertex.tokens.gate.clear()
    with pytest.raises(httpx.ReadTimeout):
        http.post(PATH, json={"model": "pro", "messages": [{"role": "user", "content": "Hi"}]}, timeout=0.3)
    vertex.tokens.gate.set()
    assert text_of(ask(http, model="pro")) == "Hello there"
    assert len(vertex.asked(PRO)) == 1 == len(vertex.tokens.forms)


def test_a_token_server_that_fails(lone, vertex):
    """The server is called four times, and then not for a while."""
    http = lone()
    vertex.tokens.answers = [(503, {}), (500, "x"), (200, {"token_type": "Bearer"}), (429, {"error": "rate"})]
    for at in range(2):
        got, found, head = refusal(http, is_streamed=at == 1, model="pro")
        assert (got, found["code"], head["retry-after"]) == (503, "upstream_error", "1")
    assert len(vertex.tokens.forms) == 4
    waited(lambda: ask(http, model="pro").status_code == 200)


@pytest.mark.parametrize("answer", [(503, {}), (200, {"access_token": "ya29.own\r\nX-Bad: 1"})], ids=["failed", "broken"])
def test_a_token_server_that_fails_for_a_moment(lone, vertex, answer):
    """A server whose token cannot be sent in a header fails, too."""
    http = lone()
    vertex.tokens.answers = [answer]
    assert text_of(ask(http, model="pro")) == "Hello there"
    assert len(vertex.tokens.forms) == 2


def test_a_token_server_that_hangs(lone, vertex):
    """The request waits no longer than its provider's time."""
    http = lone(TIMEOUT="300ms")
    vertex.tokens.gate.clear()
    got, found, _ = refusal(http, is_streamed=False, model="pro")
    assert (got, found["code"]) == (504, "upstream_timeout")


def test_callers_with_tokens_of_their_own(relay, vertex):
    vertex.says("gemini-3-open", {"own_headers": ["x-own"]})
    headers = {"Authorization": "Bearer ya29.own-of-a-caller"}
    with checked.client(httpx, base_url=relay.base_url, headers=headers, timeout=30) as http:
        assert text_of(ask(http, model="open")) == "Hello there"
        (seen,) = vertex.asked("gemini-3-open")
        assert bearer(seen) == "ya29.own-of-a-caller" and seen["headers"]["x-own"] == "1"
        vertex.says("gemini-3-open", {"status": 401, "json": GOOGLES(401, "UNAUTHENTICATED"), "own_headers": ["x-own"]})
        answer = ask(http, model="open")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        assert len(vertex.asked("gemini-3-open")) == 1
    assert vertex.take_violations() == []


@pytest.mark.parametrize("status, word, first", [(404, "NOT_FOUND", (200, [1, 1])), (429, "RESOURCE_EXHAUSTED", (429, [1, 0]))])
def test_the_refusals_of_a_callers_token_rest_no_location(launch, vertex, status, word, first):
    more = {"MODELS": "far=gemini-3-far", "LOCATIONS": ",".join(FAR[:2]), "PASSTHROUGH": "true"}
    relay = launch(**settings("vertexai_gemini", vertex, REFRESH_TOKEN=None, CLIENT_ID=None, CLIENT_SECRET=None, **more))
    for location in FAR:
        vertex.says(f"{location}/gemini-3-far", {})
    vertex.says("europe-west4/gemini-3-far", {"status": status, "json": GOOGLES(status, word), "headers": {"Retry-After": "60"}}, {})
    for caller, expected in [("a", first), ("b", (200, [2, first[1][1]]))]:
        headers = {"Authorization": f"Bearer ya29.own-of-caller-{caller}"}
        with checked.client(httpx, base_url=relay.base_url, headers=headers, timeout=30) as http:
            assert ask(http, model="far").status_code == expected[0]
        assert asked_at(vertex, "gemini-3-far", *FAR[:2]) == expected[1]
    assert vertex.take_violations() == []


def test_locations_that_have_no_room_give_way_to_another_provider(start_relay, vendor, vertex, caller, is_streamed):
    providers = Providers(vendor, secrets.add, one=1)
    providers.answers("one", {"answer": "by one"})
    for location in FAR:
        vertex.says(f"{location}/gemini-3-far", {"status": 503, "json": GOOGLES(503, "UNAVAILABLE")})
    far = settings("vertexai_gemini", vertex, "FAR", MODELS=f"{MODEL}=gemini-3-far", LOCATIONS="europe-west4,eu,global", QPS=0.05)
    http = caller(start_relay(**providers.settings(PROVIDER_ONE_PRIORITY=2), **far))
    assert either(http, is_streamed) == ("by one", "stop")
    assert sum(asked_at(vertex, "gemini-3-far", *FAR)) == 1
    assert vertex.take_violations() == []
