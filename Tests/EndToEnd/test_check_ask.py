"""`relay check --ask`: which vendors accept which keys, tested with good and bad fakes. It costs nothing, and shows no
key."""

import contextlib
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import forwarders
import httpx
import local_http
import pytest
import trustme
from fake_server import FakeServer, Handler
from issuer import Issuer
from memcached import Memcached
from relay_process import INHERITED, Relay, binary, free_port

KEY = "sk-proj-0123456789abcdefghij"
BAD = "sk-proj-of-somebody-else-9876543210"
CALLER = {"KEY_TEAM_TOKEN": "sk-relay-for-tests-0001"}
READ = "; `relay models --live` reads the list, correct or remove it"
HOSTILE = f'\x1b[2J\x07\u202e{KEY} {KEY[3:14]} {KEY[-8:]} '


class Ways(Handler):
    """All fakes at one address. The first part of the path selects the fake and its behaviour."""

    def key(self) -> str:
        fields = self.headers
        given = fields.get("authorization", "").removeprefix("Bearer ")
        return given or fields.get("x-api-key") or fields.get("x-goog-api-key") or fields.get("api-key") or ""

    def do_POST(self) -> None:
        self.fake.seen.append(("POST", self.path))
        form = dict(parse_qsl(self.read().decode()))
        if self.path == "/token" and form["refresh_token"] == KEY:
            return self.send(200, {"access_token": "ya29.a-token-of-google", "expires_in": 300})
        self.send(400, {"error": "invalid_grant"})

    def do_GET(self) -> None:
        self.fake.seen.append(("GET", self.path))
        where = urlsplit(self.path)
        way = where.path.split("/")[1]
        try:
            getattr(self, f"like_{way}")(where.path.removeprefix(f"/{way}"))
        except OSError:
            self.close_connection = True

    def like_row(self, path: str) -> None:
        if path != "/v1/models":
            return self.send(404, {"error": {"message": "no such path"}})
        if self.key() != KEY:
            return self.send(401, {"error": {"message": f"Incorrect API key provided: {self.key()}"}})
        self.send(200, {"object": "list", "data": [{"id": "llama-3"}, {"id": "embed-1"}]})

    def like_page(self, path: str) -> None:
        self.send(200, b"<!doctype html><html></html>")

    def like_slow(self, path: str) -> None:
        self.fake.ending.wait(30)

    def like_large(self, path: str) -> None:
        self.send(200, b'{"data":[' + b" " * 10_000_000 + b"]}")

    def like_hostile(self, path: str) -> None:
        self.send(200, HOSTILE.encode() + b"<html>" + b"x" * 1_000)

    def like_redirect(self, path: str) -> None:
        self.send(302, {}, Location=f"{self.fake.base_url}/row{path}?key={self.key()}")

    def like_onemin(self, path: str) -> None:
        if path == "/models":
            return self.send(200, {"models": [{"modelId": "gpt-4o-mini", "status": "ACTIVE"}], "total": 1})
        assert re.fullmatch("/api/results/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", path)
        self.send(200, {"aiRecord": None}) if self.key() == KEY else self.send(401, {"message": "Unauthorized"})

    def like_claude(self, path: str) -> None:
        if self.key() != KEY:
            return self.send(401, {"error": {"message": "invalid x-api-key"}})
        if "after_id" not in self.path:
            return self.send(200, {"data": [{"id": "claude-a"}], "has_more": True, "last_id": "claude-a"})
        self.send(200, {"data": [{"id": "claude-b"}], "has_more": False, "last_id": "claude-b"})

    def like_google(self, path: str) -> None:
        if path == "/v1beta1/publishers/google/models":
            good = self.key() == "ya29.a-token-of-google" and self.headers["x-goog-user-project"] == "my-project"
            models = {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-pro"}]}
            return self.send(200, models) if good else self.send(403, {})
        if self.key() != KEY:
            details = [{"reason": "API_KEY_INVALID"}]
            return self.send(400, {"error": {"message": "API key not valid.", "details": details}})
        self.send(200, {"models": [{"name": "models/gemini-2.5-pro", "supportedGenerationMethods": ["generateContent"]}]})

    def like_cohere(self, path: str) -> None:
        self.send(200, {"models": [{"name": "command-r"}]}) if self.key() == KEY else self.send(498, {})

    def like_flare(self, path: str) -> None:
        good = self.key() == KEY and path == "/client/v4/accounts/acc/ai/models/search"
        self.send(200, {"result": [{"name": "@cf/m"}]}) if good else self.send(403, {})


@pytest.fixture(scope="module")
def vendors() -> Iterator[FakeServer]:
    fake = FakeServer(Ways)
    fake.seen, fake.ending = [], threading.Event()
    yield fake
    fake.ending.set()
    fake.stop()


def provider(name: str, base_url: str, *keys: str, kind: str = "openai", models: str = "llama-3", **more: str) -> dict[str, str]:
    fields = {"KIND": kind, "BASE_URL": base_url, "API_KEYS": ",".join(keys), "MODELS": models, **more}
    return {f"PROVIDER_{name}_{field}": value for field, value in fields.items()}


def chat(relay: Relay) -> httpx.Response:
    body = {"model": "llama-3", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": f"Bearer {CALLER['KEY_TEAM_TOKEN']}"}
    return local_http.post(f"http://127.0.0.1:{relay.port}/v1/chat/completions", json=body, headers=headers)


def ask(folder: Path, settings: dict[str, str]) -> tuple[int, list[str], float]:
    began = time.monotonic()
    done = subprocess.run([str(binary()), "check", "--ask"], env=INHERITED | settings, cwd=folder, capture_output=True, timeout=60)
    seconds = time.monotonic() - began
    text = done.stdout.decode() + done.stderr.decode()
    for secret in (KEY, BAD, KEY[3:14], KEY[-8:], "ya29.a-token"):
        assert secret not in text, text
    assert all(character.isprintable() for character in text.replace("\n", "")), ascii(text)
    assert all(len(line) < 600 for line in text.splitlines())
    sources, first, _, second, *lines = done.stdout.decode().splitlines()
    assert sources.startswith("settings: ") and first.partition(",")[0] == "configuration: no problems"
    assert second.endswith("problems") and second.startswith("providers: ")
    assert any(line.endswith(": problems") for line in (second, *lines)) == (done.returncode != 0)
    return done.returncode, [line.removeprefix("  ") for line in lines], seconds


def test_good_keys_of_all_kinds(vendors: FakeServer, tmp_path: Path) -> None:
    at = vendors.base_url
    vendors.seen.clear()
    google = {"API_KEYS": "", "PROJECT_ID": "my-project", "CLIENT_ID": "id", "CLIENT_SECRET": "client-secret-1"}
    settings = (
        provider("A", f"{at}/row/v1", KEY, models="llama-3,embed-1,mine=lama-3")
        | provider("B", f"{at}/claude", KEY, kind="anthropic", models="claude-a,claude-b")
        | provider("C", f"{at}/google", KEY, kind="gemini", models="gemini-2.5-pro")
        | provider("D", f"{at}/cohere", KEY, kind="cohere", models="command-r")
        | provider("E", f"{at}/flare", KEY, kind="cloudflare", models="@cf/m", ACCOUNT_ID="acc")
        | provider(
            "F", f"{at}/google", kind="vertexai_gemini", models="gemini-2.5-pro,gemini-9", REFRESH_TOKEN=KEY,
            TOKEN_URL=f"{at}/token", **google,
        )
        | provider("G", f"{at}/onemin", KEY, KEY[:-1] + "k", kind="onemin", models="fast=gpt-4o-mini,o3-mini")
        | {"PROVIDER_H_KIND": "echo"}
    )  # fmt: skip
    status, lines, _ = ask(tmp_path, CALLER | settings)
    assert status == 69
    assert lines == [
        "a k1: accepted",
        'a k1: "lama-3" (PROVIDER_A_MODELS) is not on the vendor\'s list; did you mean mine=llama-3?',
        "b k1: accepted", "c k1: accepted", "d k1: accepted", "e k1: accepted", "f k1: accepted",
        'f k1: "gemini-9" (PROVIDER_F_MODELS) is not on the vendor\'s list' + READ,
        "g k1: accepted", "g k2: rejected: the vendor answered 401: Unauthorized; correct PROVIDER_G_API_KEYS",
        "g models: read", 'g models: "o3-mini" (PROVIDER_G_MODELS) is not on the vendor\'s list' + READ,
        "h: not checked, uses no network",
    ]  # fmt: skip
    # The exchange of the token is the only POST that there is.
    assert [path for method, path in vendors.seen if method == "POST"] == ["/token"]
    good = {name: text for name, text in settings.items() if "PROVIDER_G" not in name}
    good |= {"PROVIDER_A_MODELS": "llama-3,embed-1", "PROVIDER_F_MODELS": "gemini-2.5-pro"}
    status, lines, _ = ask(tmp_path, CALLER | good)
    assert status == 0 and len([line for line in lines if line.endswith(": accepted")]) == 6


def test_all_that_can_be_wrong_at_once(vendors: FakeServer, tmp_path: Path) -> None:
    at = vendors.base_url
    vendors.seen.clear()
    nobody = free_port()
    settings = {}
    for number in range(20):
        settings |= provider(f"SLOW_{number}", f"{at}/slow/v1", KEY)
    settings |= (
        provider("BAD", f"{at}/row/v1", BAD)
        | provider("HOST", "http://no-such-host.invalid/v1", KEY)
        | provider("PORT", f"http://127.0.0.1:{nobody}/v1", KEY)
        | provider("PATH", f"{at}/row/v2", KEY)
        | provider("LARGE", f"{at}/large/v1", KEY)
        | provider("HOSTILE", f"{at}/hostile/v1", KEY)
        | provider("REDIRECT", f"{at}/redirect/v1", KEY)
        | provider("GEM", f"{at}/google", BAD, kind="gemini", models="g")
        | provider("OPEN", f"{at}/row/v1")
    )
    status, lines, seconds = ask(tmp_path, CALLER | settings)
    assert status == 69 and seconds < 15
    told = {line.split()[0]: line for line in lines}
    assert told["bad"] == "bad k1: rejected: the vendor answered 401: Incorrect API key provided: ...; correct PROVIDER_BAD_API_KEYS"
    assert told["gem"] == "gem k1: rejected: the vendor answered 400: API key not valid.; correct PROVIDER_GEM_API_KEYS"
    assert told["open"].startswith("open without a key: rejected: the vendor answered 401")
    assert told["host"].startswith("host k1: not confirmed: cannot resolve no-such-host.invalid")
    assert told["port"].startswith("port k1: not confirmed: cannot connect to 127.0.0.1:")
    assert told["port"].endswith(": connection refused; start the server there, or correct PROVIDER_PORT_BASE_URL")
    assert told["path"] == f"path k1: not confirmed: the vendor answered 404 to GET {at}/row/v2/models; check the base URL"
    assert told["large"].startswith("large k1: not confirmed: the response of ")
    assert told["hostile"].startswith("hostile k1: not confirmed: the response is not JSON")
    assert told["redirect"].startswith(f"redirect k1: not confirmed: the vendor redirects to {at}/row/v1/models?key=...")
    slow = [line for line in lines if line.startswith("slow-")]
    assert len(slow) == 20 and all(": not confirmed: " in line for line in slow)
    assert all(method == "GET" for method, _ in vendors.seen)
    assert not any(path.startswith("/row/v1/models?") for _, path in vendors.seen)


def test_settings_go_before_questions(vendors: FakeServer, tmp_path: Path) -> None:
    vendors.seen.clear()
    settings = provider("A", f"{vendors.base_url}/row/v1", KEY)
    done = subprocess.run([str(binary()), "check", "--ask"], env=INHERITED | settings, cwd=tmp_path, capture_output=True)
    assert done.returncode == 78 and not vendors.seen


def test_callers_own_keys_are_not_asked_for(vendors: FakeServer, tmp_path: Path) -> None:
    settings = {"ONE_MIN_BASE_URL": f"{vendors.base_url}/onemin", "SUBSET_OF_ONE_MIN_PERMITTED_MODELS": "gpt-4o-mini"}
    assert ask(tmp_path, settings)[:2] == (0, ["onemin models: read"])
    kept = settings | CALLER | {"ONE_MIN_API_KEYS": BAD}
    assert ask(tmp_path, kept)[:2] == (
        69, ["onemin k1: rejected: the vendor answered 401: Unauthorized; correct ONE_MIN_API_KEYS", "onemin models: read"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("models", "listed", "meant"),
    [
        ("lama-3", "lama-3", "llama-3"),
        ("fast=lama-3", "lama-3", "fast=llama-3"),
        ("llama-3=fast", "fast", "fast=llama-3"),
        ("fast:llama-3", "fast:llama-3", "fast=llama-3"),
    ],
)
def test_a_model_that_the_vendor_lacks_is_a_problem(vendors: FakeServer, tmp_path: Path, models: str, listed: str, meant: str) -> None:
    status, lines, _ = ask(tmp_path, CALLER | provider("A", f"{vendors.base_url}/row/v1", KEY, models=models))
    assert (status, lines[1]) == (69, f'a k1: "{listed}" (PROVIDER_A_MODELS) is not on the vendor\'s list; did you mean {meant}?')
    assert ask(tmp_path, CALLER | provider("A", f"{vendors.base_url}/row/v1", KEY, models=meant))[0] == 0


def test_a_web_page_is_no_api(vendors: FakeServer, tmp_path: Path) -> None:
    settings = CALLER | provider("A", f"{vendors.base_url}/page/v1", KEY)
    advice = "a web page; set the base URL to that of an API, such as https://host/v1"
    assert ask(tmp_path, settings)[1][0].startswith(f"a k1: not confirmed: the response is {advice}")


def test_servers_of_the_relay_itself_are_asked(vendors: FakeServer, tmp_path: Path, start_relay) -> None:
    nobody = free_port()
    at = f"127.0.0.1:{nobody}"
    settings = CALLER | provider("A", f"{vendors.base_url}/row/v1", KEY)
    settings |= {"MEMCACHED_SERVERS": at, "USAGE_DATABASE_URL": f"postgres://relay@{at}/relay", "UPSTREAM_PROXY": f"http://me:secret@{at}"}
    status, lines, _ = ask(tmp_path, settings)
    refused = "connection refused; start it, or correct UPSTREAM_PROXY"
    assert status == 69 and lines[0] == f"a k1: not confirmed: cannot connect to the proxy {at} (UPSTREAM_PROXY): {refused}"
    assert lines[1:3] == [
        "servers: problems",
        f"memcached {at}: connection refused; start memcached there, or correct MEMCACHED_HOST or MEMCACHED_SERVERS",
    ]
    assert lines[3].startswith("the database of USAGE_DATABASE_URL: ") and lines[3].endswith("; correct USAGE_DATABASE_URL, or start the database")
    assert lines[4] == f"the proxy of UPSTREAM_PROXY: cannot connect to the proxy {at} (UPSTREAM_PROXY): {refused}"
    answered = {name: text for name, text in settings.items() if name[:3] not in ("MEM", "USA", "UPS")}
    memcached = Memcached()
    try:
        status, lines, _ = ask(tmp_path, answered | {"MEMCACHED_SERVERS": memcached.address})
    finally:
        memcached.kill()
    assert (status, lines[1:]) == (0, ["servers: no problems", f"memcached {memcached.address}: responds"])
    relay = start_relay(**settings | {"MEMCACHED_SERVERS": "", "USAGE_DATABASE_URL": ""})
    response = chat(relay)
    assert response.status_code == 502 and "The relay has no connection to the provider through its proxy." in response.json()["error"]["message"]
    assert f"cannot connect to the proxy {at}" in relay.wait_for_line(lambda line: line["message"] == "request")["cause"]


def test_a_proxy_that_refuses_the_tunnel_costs_callers_nothing(tmp_path: Path, start_relay) -> None:
    def refuse(peer) -> None:
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n")

    with contextlib.closing(forwarders.Forwarder(refuse)) as proxy:
        refused = f"the proxy 127.0.0.1:{proxy.port} (UPSTREAM_PROXY) answered 407; write user:password in UPSTREAM_PROXY"
        settings = CALLER | provider("A", "https://a.example/v1", KEY) | {"UPSTREAM_PROXY": f"http://127.0.0.1:{proxy.port}"}
        status, lines, _ = ask(tmp_path, settings)
        assert (status, lines[0], lines[-1]) == (69, f"a k1: not confirmed: {refused}", f"the proxy of UPSTREAM_PROXY: {refused}")
        relay = start_relay(**settings | {"PROVIDER_A_COST": "1/4 per million"})
        response = chat(relay)
        line = relay.wait_for_line(lambda line: line["message"] == "request")
    assert response.status_code == 502 and "through its proxy" in response.json()["error"]["message"]
    assert line["cause"] == f"a: {refused}" and not line.get("prompt_tokens") and not line.get("cost")


def test_memcached_that_is_looked_for_or_is_none(vendors: FakeServer, tmp_path: Path) -> None:
    settings = CALLER | provider("A", f"{vendors.base_url}/row/v1", KEY)
    advice = "; start memcached there, or correct MEMCACHED_HOST or MEMCACHED_SERVERS"
    port = str(free_port())
    looking = settings | {"MEMCACHED_HOST": "auto", "MEMCACHED_PORT": port}
    status, lines, _ = ask(tmp_path, looking)
    assert status == 69 and lines[1] == "servers: problems"
    assert lines[2].startswith(f"memcached 127.0.0.1:{port} or memcached:{port}: 127.0.0.1:{port}: connection refused; memcached:{port}: ")
    assert lines[2].endswith(advice)
    memcached = Memcached()
    try:
        status, lines, _ = ask(tmp_path, looking | {"MEMCACHED_PORT": str(memcached.port)})
    finally:
        memcached.kill()
    name = f"127.0.0.1:{memcached.port} or memcached:{memcached.port}"
    assert (status, lines[1:]) == (0, ["servers: no problems", f"memcached {name}: responds"])
    # A server of HTTP waits for more than memcached's protocol sends.
    other = urlsplit(vendors.base_url).netloc
    status, lines, _ = ask(tmp_path, settings | {"MEMCACHED_SERVERS": other})
    assert (status, lines[2]) == (
        69, f"memcached {other}: no response in time from the program at this port, which may not be memcached{advice}"
    )  # fmt: skip


def test_a_certificate_of_an_unknown_authority(vendors: FakeServer, tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with forwarders.tls(urlsplit(vendors.base_url).port, context) as front:
        line = ask(tmp_path, CALLER | provider("A", f"https://127.0.0.1:{front.port}/row/v1", KEY))[1][0]
    reason = "is not trusted: unable to get local issuer certificate; add its certificate authority with SSL_CERT_FILE"
    assert line == f"a k1: not confirmed: the certificate of 127.0.0.1:{front.port} {reason}"


def test_tls_to_a_server_without_it(vendors: FakeServer, tmp_path: Path, start_relay) -> None:
    settings = CALLER | provider("A", f"{vendors.base_url.replace('http:', 'https:')}/row/v1", KEY)
    assert ask(tmp_path, settings)[1][0].endswith(": SSL connect error; if the server has no TLS, write http://")
    response = chat(start_relay(**settings))
    assert response.status_code == 502
    assert response.json()["error"]["message"].startswith("The relay has no TLS connection to the provider.")


def test_issuers_of_signed_tokens(vendors: FakeServer, tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    settings = provider("A", f"{vendors.base_url}/row/v1", KEY) | issuer.settings()
    line = "the issuer of KEY_SSO_JWT_ISSUER: "
    try:
        assert ask(tmp_path, settings)[:2] == (0, ["a k1: accepted", "servers: no problems", f"{line}responds"])
        issuer.named = "https://other.example"
        none = f"{line}its openid-configuration has another issuer, or no jwks_uri"
        assert ask(tmp_path, settings)[:2] == (69, ["a k1: accepted", "servers: problems", none])
        issuer.named = ""
        issuer.keys.clear()
        assert ask(tmp_path, settings)[1][-1] == f"{line}it has no key for RS256, ES256 or EdDSA"
    finally:
        issuer.stop()
    status, lines, _ = ask(tmp_path, settings)
    assert status == 69 and lines[-1].startswith(f"{line}cannot connect to 127.0.0.1:{issuer.port}")
