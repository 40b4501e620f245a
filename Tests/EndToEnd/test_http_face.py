"""Properties of every route: paths, methods, keys, content types, errors, CORS, request ids."""

import datetime
import json
import re
from collections.abc import Callable, Iterator

import pytest
from conftest import echo_of_file
from rawhttp import CHAT, ECHO_RELAY, HOST, Answer, ask, assert_error, assert_owed, chat_body, connected, request
from relay_process import Relay
from vendor import Vendor

GETS = ["/", "/health", "/ready", "/v1/models", "/models", "/v1/models/echo", "/models/echo"]
POSTS = ["/v1/chat/completions", "/chat/completions"]
EXPOSED = [
    "x-request-id", "retry-after", "x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens", "ratelimit", "ratelimit-policy", "retry-after-ms",
]  # fmt: skip


echo = echo_of_file()


@pytest.fixture(scope="module")
def keyed(vendor: Vendor) -> Iterator[Relay]:
    """A relay that passes keys through to the vendor; nothing works without one."""
    running = Relay({"ONE_MIN_BASE_URL": vendor.base_url, "RATE_LIMIT": "off", "MAX_BODY_MB": "1"})
    yield running
    running.stop()


def post(relay: Relay, body: bytes, **fields: str | None) -> Answer:
    return ask(relay.port, request("POST", CHAT, body, **fields))


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("form", ["{}", "{}?api-version=1&x=%20", "/{}"], ids=["plain", "query", "doubled slash"])
def test_get_routes(echo: Relay, path: str, form: str) -> None:
    answer = ask(echo.port, request("GET", form.format(path)))
    assert answer.status == (404 if form == "/{}" and path in ("/health", "/ready") else 200), answer.body
    assert_owed(answer)


@pytest.mark.parametrize("path", ["/v1/models/", "/v1//models", "/v1/models//echo", "//v1/models/echo/"])
def test_a_slash_too_many_is_served_without_a_redirect(echo: Relay, path: str) -> None:
    assert ask(echo.port, request("GET", path)).status == 200


@pytest.mark.parametrize("name", ["health", "ready", "metrics"])
def test_service_paths_have_one_spelling(echo: Relay, name: str) -> None:
    """A proxy in front that blocks some of the paths can compare them."""
    path = f"/{name}"
    assert ask(echo.port, request("GET", path)).status == ask(echo.port, request("GET", path + "?a=b")).status == 200
    assert ask(echo.port, request("GET", "http://relay.test" + path)).status == 200
    escaped = "/%" + f"{ord(name[0]):02x}" + name[1:]
    for other in (path + "/", "/" + path, path + "%2f", path + "//", escaped, path.upper(), "/v1" + path, path + ";a"):
        assert_error(ask(echo.port, request("GET", other)), 404)
    assert ask(echo.port, request("GET", "//")).status == 200, "the front page is for all"


@pytest.mark.parametrize("path", [*POSTS, CHAT + "/", "/v1//chat//completions", CHAT + "?beta=true"])
def test_post_routes(echo: Relay, path: str) -> None:
    answer = ask(echo.port, request("POST", path, chat_body()))
    assert answer.status == 200, answer.body
    assert answer.json()["object"] == "chat.completion"


@pytest.mark.parametrize(
    "path",
    ["/v1" + CHAT, "/api" + CHAT, "/openai" + CHAT, "/openai/chat/completions?api-version=2026-01-01", "/openai/deployments/echo/chat/completions?api-version=2026-01-01"],
)
@pytest.mark.parametrize("model", ["echo", "another"])
def test_paths_of_other_servers(echo: Relay, path: str, model: str) -> None:
    """Azure's deployment is the model, whatever the body says."""
    is_azure = "deployments" in path
    if model == "another" and not is_azure:
        return
    answer = ask(echo.port, request("POST", path, chat_body(model=model)))
    assert answer.status == 200 and answer.json()["model"] == "echo", answer.body
    if is_azure:
        body = json.dumps({"messages": [{"role": "user", "content": "Hi"}]}).encode()
        assert ask(echo.port, request("POST", path, body)).status == 200
        assert ask(echo.port, request("GET", "/openai/deployments/echo/health")).status == 404
        assert ask(echo.port, request("GET", "/openai/models/echo?api-version=1")).json()["id"] == "echo"
        assert ask(echo.port, request("GET", "/openai/health")).status == 404


@pytest.mark.parametrize("path", GETS)
def test_head_on_a_get_route_is_get_without_a_body(echo: Relay, path: str) -> None:
    with connected(echo.port) as connection:
        whole = connection.ask(request("GET", path))
        head = connection.ask(request("HEAD", path), method="HEAD")
        connection.assert_open()
    assert head.status == whole.status
    varying = {"x-request-id", "date", "content-length"}
    assert {name.lower() for name, _ in head.fields} == {name.lower() for name, _ in whole.fields}
    for name in {name.lower() for name, _ in whole.fields} - varying:
        assert head.all(name) == whole.all(name)


@pytest.mark.parametrize(("path", "status"), [(CHAT, 405), ("/nothing", 404), ("/v1/models/no-such-model", 404)])
def test_head_elsewhere_has_no_body(echo: Relay, path: str, status: int) -> None:
    with connected(echo.port) as connection:
        answer = connection.ask(request("HEAD", path), method="HEAD")
        assert answer.status == status
        assert_owed(answer)
        connection.assert_open()


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/nothing", "/v1/chat", "/v1/chat/completions/more", "/v2/models"])
def test_an_unknown_path(echo: Relay, method: str, path: str) -> None:
    error = assert_error(ask(echo.port, request(method, path + "?secret=query")), 404)
    meant = ". Did you mean /v1/models?" if path == "/v2/models" else ""
    assert error == {"message": f"Invalid URL ({method} {path}){meant}", "type": "invalid_request_error", "param": None, "code": None}


@pytest.mark.parametrize("size", [199, 200, 201, 5_000])
def test_an_unknown_path_is_cut_in_the_message(echo: Relay, size: int) -> None:
    path = "/" + "x" * (size - 1)
    error = assert_error(ask(echo.port, request("GET", path)), 404)
    assert error["message"] == f"Invalid URL (GET {path[:200]})"


@pytest.mark.parametrize(("path", "allowed"), [(path, {"GET", "HEAD"}) for path in GETS] + [(path, {"POST"}) for path in POSTS])
def test_a_wrong_method(echo: Relay, path: str, allowed: set[str]) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        answer = ask(echo.port, request(method, path))
        error = assert_error(answer, 405)
        assert error["code"] == "method_not_allowed" and error["param"] is None
        assert allowed <= {name.strip() for name in (answer["allow"] or "").split(",")}, answer["allow"]
        if (method, path) == ("POST", "/"):
            assert error["message"] == "Incorrect Endpoint. Please use the /v1/chat/completions endpoint."


@pytest.mark.parametrize("path", [*GETS, *POSTS, "/nothing", "/v1/files"])
def test_preflight_needs_no_key_on_any_path(keyed: Relay, path: str) -> None:
    wanted = "authorization, content-type, x-stainless-lang"
    answer = ask(
        keyed.port,
        request("OPTIONS", path, origin="https://chat.test", access_control_request_method="POST", access_control_request_headers=wanted),
    )  # fmt: skip
    assert answer.status in (200, 204) and answer.body == b""
    assert answer["access-control-allow-origin"] in ("*", "https://chat.test")
    assert {"GET", "POST"} <= {name.strip() for name in (answer["access-control-allow-methods"] or "").split(",")}
    assert answer["access-control-allow-headers"] == wanted
    assert int(answer["access-control-max-age"] or "") > 0
    assert answer["x-request-id"]


@pytest.mark.parametrize(
    "data",
    [
        request("GET", "/v1/models"), request("GET", "/nothing"), request("PUT", CHAT), request("POST", CHAT, b"{"),
        request("POST", CHAT, chat_body()), request("POST", CHAT, chat_body(stream=True)), b"BAD\r\n\r\n",
        request("POST", CHAT, b"", content_length="99999999"), request("POST", CHAT, b"x", content_type="text/plain"),
    ],
    ids=["200", "404", "405", "400", "chat", "stream", "not HTTP", "413", "415"],
)  # fmt: skip
def test_cors_on_every_answer(echo: Relay, data: bytes) -> None:
    answer = ask(echo.port, data.replace(b"\r\n", b"\r\nOrigin: https://chat.test\r\n", 1))
    assert answer["access-control-allow-origin"] in ("*", "https://chat.test")
    exposed = [name.strip().lower() for name in (answer["access-control-expose-headers"] or "").split(",")]
    assert set(EXPOSED) <= set(exposed), exposed
    assert answer["access-control-allow-credentials"] is None


def test_cors_of_named_origins(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(**ECHO_RELAY, CORS_ORIGINS="https://chat.test,https://other.test")
    for data in (request("GET", "/v1/models"), request("OPTIONS", CHAT), request("GET", "/nothing")):
        for origin in ("https://chat.test", "https://other.test"):
            named = ask(relay.port, data.replace(b"\r\n", f"\r\nOrigin: {origin}\r\n".encode(), 1))
            assert named["access-control-allow-origin"] == origin
            assert "origin" in (named["vary"] or "").lower()
        for origin in ("https://evil.test", "https://chat.test.evil.test", "http://chat.test", "null"):
            other = ask(relay.port, data.replace(b"\r\n", f"\r\nOrigin: {origin}\r\n".encode(), 1))
            assert other["access-control-allow-origin"] not in ("*", origin)


@pytest.mark.parametrize("origin", ["https://evil.test", "https://chat.test.evil.test", "null", "https://chat.test\r\nOrigin: https://evil.test"])
def test_pages_of_other_origins_cause_no_call(start_relay: Callable[..., Relay], origin: str) -> None:
    """A browser sends a POST without a JSON type from any page, and asks nobody before."""
    relay = start_relay(**ECHO_RELAY, CORS_ORIGINS="https://chat.test")

    def sent(data: bytes, origin: str) -> Answer:
        return ask(relay.port, data.replace(b"\r\n", f"\r\nOrigin: {origin}\r\n".encode(), 1))

    for kind in (None, "application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        for path in (CHAT, "/v1/messages", "/generate", "/llm/chat", "/v1/embeddings", "/v1/files", "/v1/audio/transcriptions"):
            refused = sent(request("POST", path, chat_body(), content_type=kind), origin)
            assert refused.status == 403 and b"CORS_ORIGINS" in refused.body, (kind, path)
            assert refused["access-control-allow-origin"] is None
    assert sent(request("DELETE", "/v1/files/file-1"), origin).status == 403
    assert sent(request("GET", "/v1/models"), origin).status == 200
    for known in ("https://chat.test", "https://CHAT.test", "http://relay.test"):
        assert sent(request("POST", CHAT, chat_body()), known).status == 200


@pytest.mark.parametrize("name", ["my-request.1_A", "x", "a" * 64])
def test_the_header_id_is_the_logs(echo: Relay, name: str) -> None:
    assert post(echo, chat_body(), id=name).status == 200
    echo.wait_for_line(lambda line: name in line.values())


@pytest.mark.parametrize("name", ["a" * 65, "white space", "slash/es", 'quo"te', "\xe9t\xe9", "semi;colon"])
def test_another_header_id_is_ignored(echo: Relay, name: str) -> None:
    own = post(echo, chat_body(), id=name)["x-request-id"]
    line = echo.wait_for_line(lambda line: own in line.values())
    assert name not in json.dumps(line, ensure_ascii=False)


@pytest.mark.parametrize(
    "form", ["Authorization: Bearer {}", "authorization: bearer {}", "AUTHORIZATION: BEARER   {}  ", "x-api-key: {}",
             "X-API-Key:   {}  ", "api-key: {}", "Authorization: {}", "X-Goog-Api-Key: {}"],
)  # fmt: skip
def test_key_forms(keyed: Relay, vendor: Vendor, api_key: str, form: str) -> None:
    data = request("POST", CHAT, chat_body(model="gpt-4o-mini"))
    answer = ask(keyed.port, data.replace(b"\r\n", f"\r\n{form.format(api_key)}\r\n".encode(), 1))
    assert answer.status == 200, answer.body
    assert vendor.request(api_key)


def test_several_forms_of_one_key(keyed: Relay, vendor: Vendor, new_key: Callable[..., str]) -> None:
    """Anthropic's client sends two; different keys are refused (test_callers_ways.py)."""
    wanted, other = new_key(), new_key()
    body = chat_body(model="gpt-4o-mini")
    answer = post(keyed, body, x_api_key=wanted, api_key=wanted, authorization=f"Bearer {wanted}")
    assert answer.status == 200, answer.body
    assert vendor.request(wanted)
    answer = post(keyed, body, x_api_key=other, authorization=f"Bearer {wanted}")
    assert answer.status == 400 and not vendor.requests(other)


def test_client_headers_are_not_forwarded(keyed: Relay, vendor: Vendor, api_key: str) -> None:
    extra = {
        "openai_organization": "org-1", "openai_project": "proj-1", "openai_beta": "x=v1", "idempotency_key": "k-1",
        "x_stainless_lang": "python", "x_client_request_id": "c-1", "http_referer": "https://app.test",
        "x_title": "App", "anthropic_version": "2023-06-01", "anthropic_beta": "b", "cookie": "a=b",
        "anthropic_dangerous_direct_browser_access": "true", "x_forwarded_for": "192.0.2.7",
    }  # fmt: skip
    answer = post(keyed, chat_body(model="gpt-4o-mini"), authorization=f"Bearer {api_key}", **extra)
    assert answer.status == 200, answer.body
    sent = {name.lower() for name in vendor.request(api_key)["headers"]}
    assert not sent & ({name.replace("_", "-") for name in extra} | {"authorization", "origin"})


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token abc", "Bearer  "])
def test_no_key(keyed: Relay, authorization: str | None) -> None:
    for _ in range(2):
        error = assert_error(post(keyed, chat_body(model="gpt-4o-mini"), authorization=authorization), 401)
        assert error["code"] in (None, "invalid_api_key") and error["param"] is None


def test_wrong_key(keyed: Relay, new_key: Callable[..., str], is_streamed: bool) -> None:
    key = new_key("bad")
    body = chat_body(model="gpt-4o-mini", stream=is_streamed)
    error = assert_error(post(keyed, body, authorization=f"Bearer {key}"), 401)
    assert error["code"] == "invalid_api_key" and error["param"] is None
    assert key[:5] not in error["message"] and key[-3:] not in error["message"]


def test_a_short_wrong_key_is_not_shown_at_all(keyed: Relay) -> None:
    error = assert_error(post(keyed, chat_body(model="gpt-4o-mini"), authorization="Bearer bad-Zq7"), 401)
    assert "Zq7" not in error["message"] and "bad-" not in error["message"]


@pytest.mark.parametrize(
    "value",
    [None, "application/json", "Application/JSON", "application/json; charset=utf-8", "application/json;charset=UTF-8",
     'application/json; charset="utf-8"', "application/json; profile=x; charset=utf8", "application/json ; x=y"],
)  # fmt: skip
def test_content_types_that_are_json(echo: Relay, value: str | None) -> None:
    answer = post(echo, chat_body(), content_type=value)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    "value",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp",
     "application/json; charset=iso-8859-1", "application/json;charset=utf-16", "application/octet-stream", "json",
     "text/json-seq", "application"],
)  # fmt: skip
def test_other_content_types(echo: Relay, value: str) -> None:
    error = assert_error(post(echo, chat_body(), content_type=value), 415)
    assert error["code"] == "unsupported_media_type"


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/event-stream", "application/octet-stream", "text/html", "x"])
def test_accept_is_never_a_reason(echo: Relay, accept: str) -> None:
    assert post(echo, chat_body(), accept=accept).status == 200
    assert_error(post(echo, b"{", accept=accept), 400)
    assert_error(ask(echo.port, request("GET", "/nothing", accept=accept)), 404)


MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'


def with_member(text: bytes) -> bytes:
    """Returns a valid request with one more member, which the relay does not know."""
    return b'{"model":"echo",' + MESSAGES + b',"extra":' + text + b"}"


BROKEN = {
    "empty": b"", "not closed": chat_body()[:-1], "an array with a request": b"[" + chat_body() + b"]", "null": b"null",
    "a string that holds a request": json.dumps(chat_body().decode()).encode(), "two documents": chat_body() * 2,
    "form": b"model=echo&messages=hi", "UTF-16": chat_body().decode().encode("utf-16"),
    "a number that is none": with_member(b"NaN"), "half a surrogate pair": with_member(b'"\\ud800"'), "a byte that is not UTF-8": with_member(b'"\xff"'),
    "10,000 arrays": b"[" * 10_000, "10,000 objects inside": with_member(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
}  # fmt: skip
"""Some of what `JSONParserTests` refuse."""


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_is_no_json_object(echo: Relay, body: bytes) -> None:
    with connected(echo.port) as connection:
        error = assert_error(connection.ask(request("POST", CHAT, body)), 400)
        is_deep = body[-1:] in b"]}" and (b"[" * 2_000 in body or b'{"a":' * 2_000 in body)
        assert error["type"] == "invalid_request_error" and error["param"] is None
        assert error["code"] == ("nested_too_deeply" if is_deep else None)
        connection.assert_open()


def test_the_order_of_checks(keyed: Relay, api_key: str) -> None:
    """Each request has every fault from some check on. The first one is reported."""
    key = f"Bearer {api_key}"
    large, unknown = "9999999", json.dumps({"model": "no-such-model"}).encode()

    def told(method: str, path: str, body: bytes, **fields: str | None) -> tuple[int, str | None]:
        answer = ask(keyed.port, request(method, path, body, **fields))
        error = assert_error(answer, answer.status)
        return answer.status, error["code"]

    wrong_type, too_large = {"content_type": "text/plain"}, {"content_length": large}
    assert told("PUT", "/v1/nothing", b"", **wrong_type, **too_large)[0] == 404
    assert told("PUT", CHAT, b"", **wrong_type, **too_large)[0] == 405
    assert told("POST", CHAT, b"", **wrong_type, **too_large)[0] == 401
    assert told("POST", CHAT, b"", authorization=key, **wrong_type, **too_large)[0] == 415
    assert told("POST", CHAT, b"", authorization=key, **too_large)[0] == 413
    assert told("POST", CHAT, b"{" + unknown, authorization=key) == (400, None)
    assert told("POST", CHAT, unknown, authorization=key) == (400, "missing_required_parameter")
    assert told("POST", CHAT, chat_body(model="no-such-model"), authorization=key) == (404, "model_not_found")
    assert told("POST", CHAT, chat_body(model="no-such-model"))[0] == 401


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_health_and_ready(keyed: Relay, path: str) -> None:
    answer = ask(keyed.port, request("GET", path))
    assert answer.status == 200 and (answer["content-type"] or "").startswith("application/json")
    whole = answer.json()
    assert set(whole) == {"status", "timestamp"} and whole["status"] == "ok"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", whole["timestamp"]), whole
    told = datetime.datetime.fromisoformat(whole["timestamp"])
    assert abs((datetime.datetime.now(datetime.UTC) - told).total_seconds()) < 10


def test_the_front_page(echo: Relay) -> None:
    text = ask(echo.port, request("GET", "/"))
    assert text.status == 200 and (text["content-type"] or "").startswith("text/plain")
    assert text.body.decode() == (
        "Congratulations! Your API is working! You can now make requests to the API.\n\n"
        f"Endpoint: http://{HOST}:{echo.port}/v1"
    )
    for accept in ("application/json", "application/json, */*"):
        told = ask(echo.port, request("GET", "/", accept=accept))
        assert (told["content-type"] or "").startswith("application/json")
        assert set(told.json()) == {"name", "version", "url"}
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", told.json()["version"])


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_the_front_page_names_an_address_that_can_be_pasted(start_relay: Callable[..., Relay], address: str) -> None:
    relay = start_relay(**ECHO_RELAY, HOST=address)
    for host, shown in {
        f"192.0.2.7:{relay.port}": f"192.0.2.7:{relay.port}", "relay.test": "relay.test", "[::1]:81": "[::1]:81",
        "0.0.0.0:81": f"127.0.0.1:{relay.port}", "0.0.0.0": f"127.0.0.1:{relay.port}",
        f"[::]:{relay.port}": f"127.0.0.1:{relay.port}",
    }.items():  # fmt: skip
        text = ask(relay.port, request("GET", "/", host=host)).body.decode()
        assert text.endswith(f"Endpoint: http://{shown}/v1"), host
    text = ask(relay.port, b"GET / HTTP/1.0\r\n\r\n").body.decode()
    assert text.endswith(f"Endpoint: http://127.0.0.1:{relay.port}/v1")


def test_the_front_page_shows_the_public_url(start_relay: Callable[..., Relay]) -> None:
    relay = start_relay(**ECHO_RELAY, PUBLIC_URL="https://relay.example.org")
    text = ask(relay.port, request("GET", "/")).body.decode()
    assert text.endswith("Endpoint: https://relay.example.org/v1")


@pytest.mark.parametrize("name", ["no-such-model", "a%2Fb", "a/b", "a:b.c", "%C3%A9", "%22"])
def test_an_unknown_model(echo: Relay, name: str) -> None:
    error = assert_error(ask(echo.port, request("GET", f"/v1/models/{name}")), 404)
    assert error["code"] == "model_not_found" and error["param"] in ("model", None)
    assert_error(ask(echo.port, request("DELETE", f"/v1/models/{name}")), 405, 403)


def test_a_stream_has_its_headers(echo: Relay) -> None:
    answer = post(echo, chat_body("one two", stream=True))
    assert answer.status == 200 and answer.is_chunked
    assert (answer["content-type"] or "").startswith("text/event-stream")
    assert answer["cache-control"] == "no-cache" and answer["content-encoding"] is None
    assert_owed(answer)
    assert answer.events()[-1] == "[DONE]"
