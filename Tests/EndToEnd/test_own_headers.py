"""Values of `PROVIDER_<NAME>_HEADERS` are for the vendor alone: no client sees them in the vendor's texts."""

import json

import pytest
from chat import PATH, body, stream
from conftest import TEAM_TOKEN, VENDOR_KEY
from relay_process import provider
from test_openai_endpoints import ASKS

MODEL = "told/model"
WORD, SHORT = "team-blue-4711", "red"
HEADERS = f"X-Team: {SHORT} {WORD}; X-Title: My app"
REPEATED = f"The team {WORD} may not do this."
OWN = {"own_headers": ["x-team", "x-title"]}
KINDS = ["openai", "anthropic", "gemini"]


def error(message, status=400):
    return {"error": {"message": message, "type": "invalid_request_error", "code": status}}


@pytest.fixture(scope="module")
def told(launch, server):
    return launch(**provider("ROW", "openai", server.base_url, f"fast={MODEL}", API_KEY=VENDOR_KEY, HEADERS=HEADERS), KEY_TEAM_TOKEN=TEAM_TOKEN)


@pytest.fixture
def http(told, caller, server):
    """A client; `http.says(script)` scripts the vendor's response."""
    client = caller(told, TEAM_TOKEN)

    def says(script):
        for model in (MODEL, "files"):
            server.says(model, script | OWN)

    client.says = says
    yield client
    assert server.take_violations() == []


def ask_chat(http, model="fast", is_streamed=False):
    return http.post(PATH, json=body(model=model, stream=is_streamed))


EVERY = ASKS | {
    "chat": ask_chat,
    "stream": lambda http, model="fast": ask_chat(http, model, True),
    "messages": lambda http, model="fast": http.post("/v1/messages", json=body(model=model, max_tokens=9)),
    "responses": lambda http, model="fast": http.post("/v1/responses", json={"model": model, "input": "Hi", "store": False}),
}
every = pytest.mark.parametrize("name", EVERY)


@every
def test_refusals(http, name):
    http.says({"status": 400, "json": error(REPEATED)})
    answer = EVERY[name](http)
    assert answer.status_code == 400 and WORD not in answer.text, answer.text
    assert answer.json()["error"]["message"] == "The provider rejected this request."
    # Other words of the vendor are told.
    http.says({"status": 400, "json": error(f"It is {SHORT} and wrong.")})
    assert EVERY[name](http).json()["error"]["message"] == f"It is {SHORT} and wrong."


@every
def test_failures_within_a_good_answer(http, name):
    http.says({"json": error(REPEATED)})
    answer = EVERY[name](http)
    assert answer.status_code >= 400 and WORD not in answer.text, answer.text


@pytest.mark.parametrize("comes_first", [False, True])
def test_failures_within_a_stream(http, comes_first):
    begin = [] if comes_first else [json.loads(CHUNK)]
    http.says({"events": [*begin, error(REPEATED)], "done": False})
    got = stream(http, model="fast")
    assert got.error is not None and WORD not in json.dumps(got.error), got.error
    http.says({"events": [*begin, error("It is wrong.")], "done": False})
    assert stream(http, model="fast").error["message"] == "It is wrong."


CHUNK = '{"id":"a","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}'


def test_files(http, server):
    def upload():
        return http.post("/v1/files", data={"purpose": "user_data"}, files={"file": ("a.txt", b"text", "text/plain")})

    http.says({})
    id = upload().json()["id"]
    http.says({"status": 400, "json": error(REPEATED)})
    for answer in (upload(), http.get(f"/v1/files/{id}/content"), http.delete(f"/v1/files/{id}")):
        assert answer.status_code >= 400 and WORD not in answer.text, answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_kinds(start_relay, caller, server, anthropic_server, google, kind, is_streamed):
    vendor = {"openai": server, "anthropic": anthropic_server, "gemini": google}[kind]
    vendor.says("m", {"status": 400, "json": error(REPEATED)} | OWN)
    relay = start_relay(**provider("A", kind, vendor.base_url, "m", API_KEY=VENDOR_KEY, HEADERS=HEADERS), KEY_TEAM_TOKEN=TEAM_TOKEN)
    answer = ask_chat(caller(relay, TEAM_TOKEN), "m", is_streamed)
    assert answer.status_code == 400 and answer.json()["error"]["message"] == "The provider rejected this request."
    assert vendor.take_violations() == []
