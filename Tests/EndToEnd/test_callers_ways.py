"""Attempts of callers, and of pages in their browsers, that must fail: different keys, reloads from elsewhere,
redirects."""

import socket
import ssl

import conftest
import forwarders
import local_http
import pytest
import rawhttp
import trustme
from conftest import TEAM_TOKEN
from fake_server import FakeServer, Handler
from relay_process import Relay
from test_remote_settings import check

OTHER = "another-token-of-this-relay"
CHAT = b'{"model":"echo","messages":[{"role":"user","content":"Hello"}]}'


@pytest.fixture(scope="module")
def relay(launch):
    conftest.secrets.add(OTHER)
    return launch(PROVIDER_E_KIND="echo", KEY_TEAM_TOKEN=TEAM_TOKEN, KEY_OTHER_TOKEN=OTHER, CORS_ORIGINS="*", METRICS_TOKEN=OTHER)


def status(relay: Relay, *lines: str, target: str = "POST /v1/chat/completions", host: str = "127.0.0.1") -> int:
    """Returns the status of a request with these header lines, sent by a plain socket."""
    content = CHAT if target.startswith("POST") else b""
    head = [f"{target} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(content)}", *lines]
    connection = rawhttp.Connection(relay.port)
    try:
        return connection.ask("\r\n".join([*head, "", ""]).encode() + content).status
    finally:
        connection.socket.close()


LOGIN = "Authorization: Bearer sk-ant-oat01-the-login-of-an-app"
A, B = f"Authorization: Bearer {TEAM_TOKEN}", f"Authorization: Bearer {OTHER}"


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([A], 200), ([A, B], 400), ([B, A], 400), ([A, A], 400), ([A, "Authorization: Basic eDp5"], 400),
        (["Authorization:", A], 400), ([A, "authorization:"], 400),
        ([f"x-api-key: {TEAM_TOKEN}", f"X-Api-Key: {TEAM_TOKEN}"], 400), ([f"api-key: {TEAM_TOKEN}", f"api-key: {OTHER}"], 400),
        ([A, f"x-api-key: {OTHER}"], 400), ([f"x-api-key: {OTHER}", A], 400), ([A, f"api-key: {OTHER}"], 400),
        ([f"x-api-key: {TEAM_TOKEN}", f"api-key: {OTHER}"], 400), ([A, f"x-api-key: {TEAM_TOKEN}", f"api-key: {OTHER}"], 400),
        ([A, f"x-api-key: {TEAM_TOKEN}"], 200), ([A, f"x-api-key: {TEAM_TOKEN}", f"api-key: {TEAM_TOKEN}"], 200),
        ([f"authorization: bearer   {TEAM_TOKEN}", f"API-KEY: {TEAM_TOKEN}"], 200),
        (["Authorization: Basic eDp5", f"x-api-key: {TEAM_TOKEN}"], 200), (["Authorization:", f"x-api-key: {TEAM_TOKEN}"], 200),
        ([LOGIN, f"x-api-key: {TEAM_TOKEN}"], 200), ([LOGIN, f"api-key: {TEAM_TOKEN}"], 200), ([LOGIN, f"x-api-key: {OTHER}x"], 401),
        ([LOGIN], 401), ([LOGIN, f"x-api-key: {TEAM_TOKEN}", f"api-key: {OTHER}"], 400),
        ([A, f"x-api-key: {TEAM_TOKEN}x"], 400), ([A, f"x-api-key: {TEAM_TOKEN[:-1]}"], 400),
    ],
)  # fmt: skip
def test_a_proxy_in_front_sees_the_key_that_counts(relay, lines, expected):
    assert status(relay, *lines) == expected


def test_metrics_have_one_key_as_well(relay):
    assert status(relay, B, target="GET /metrics") == 200
    assert status(relay, A, B, target="GET /metrics") == 400
    assert status(relay, B, f"x-api-key: {TEAM_TOKEN}", target="GET /metrics") == 400


@pytest.fixture(scope="module")
def reloading(launch):
    return launch(PROVIDER_E_KIND="echo", ANONYMOUS_MODELS="all", CORS_ORIGINS="*", PUBLIC_URL="https://relay.example.org/base")


def browser(origin: str | None, site: str | None, mode: str = "cors") -> list[str]:
    """The header lines of a browser."""
    lines = ["User-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "Accept: */*", f"Sec-Fetch-Mode: {mode}", "Sec-Fetch-Dest: empty"]
    return lines + ([f"Origin: {origin}"] if origin else []) + ([f"Sec-Fetch-Site: {site}"] if site else [])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_others_reload_nothing(reloading, method):
    port = reloading.port
    here = f"127.0.0.1:{port}"

    def tried(*lines: str, host: str = here) -> int:
        return status(reloading, *lines, target=f"{method} /reload_config", host=host)

    for lines in (
        [], browser(f"http://{here}", "same-origin"), browser(None, "none", "navigate"), browser("https://relay.example.org", None),
    ):  # fmt: skip
        assert tried(*lines) == 200, lines
    assert tried(host=f"localhost:{port}") == tried(host=f"[::1]:{port}") == tried(host="relay.example.org") == 200
    assert tried(*browser(f"http://localhost:{port}", "same-origin"), host=f"localhost:{port}") == 200
    for lines in (
        browser("https://evil.example", "cross-site"), browser("https://evil.example", None), browser("null", "cross-site"),
        browser("null", None), browser(None, "cross-site", "no-cors"), browser(None, "cross-site", "navigate"),
        browser(None, "same-site", "no-cors"), browser(f"http://127.0.0.1:{port + 1}", "same-site"),
        browser(f"http://127.0.0.1:{port + 1}", None), browser(f"http://{here}.evil.example", None),
        browser("https://relay.example.org.evil.example", None), browser(f"http://{here}", "Cross-Site"),
    ):  # fmt: skip
        assert tried(*lines) == 403, lines
    # A name of another site that leads to this machine: the page is of that origin, as is the request.
    for host in (f"evil.example:{port}", f"localhost.evil.example:{port}", f"127.0.0.1.evil.example:{port}", "1.2.3.4", f"localhost.:{port}"):
        assert tried(*browser(f"http://{host}", "same-origin"), host=host) == 403
        assert tried(host=host) == 403


def test_no_page_reads_what_is_wrong_with_settings(reloading):
    foreign = {"Origin": "https://evil.example"}

    def asked(method, path, headers):
        return local_http.request(method, reloading.base_url + path, headers=headers)

    for method, headers in (
        ("GET", {}), ("GET", foreign), ("PUT", foreign), ("OPTIONS", foreign | {"Access-Control-Request-Method": "POST"}),
    ):  # fmt: skip
        answer = asked(method, "/reload_config", headers)
        assert not [name for name in answer.headers if name.lower().startswith("access-control")], (method, answer.headers)
        assert answer.status_code == {"PUT": 405, "OPTIONS": 403}.get(method, 403 if headers else 200)
    for path in ("/health", "/ready", "/metrics"):
        answer = asked("GET", path, foreign)
        assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == "*"
        assert asked("OPTIONS", path, foreign).status_code == 204


class Site(FakeServer):
    """A server that redirects all paths except /end, which has a document."""

    def __init__(self) -> None:
        self.target = "/end"
        self.asked: list[str] = []
        site = self

        class Paths(Handler):
            def do_GET(self):  # noqa: N802
                site.asked.append(self.path)
                document = b"PROVIDER_E_KIND=echo\nANONYMOUS_MODELS=all\n" if self.path.startswith("/end") else b""
                self.send(200 if document else 302, document, **({} if document else {"Location": site.target}))

        super().__init__(Paths)


@pytest.fixture
def sites():
    both = Site(), Site()
    yield both
    for site in both:
        site.stop()


@pytest.fixture
def certified(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}, context


SECRET = "/secret-in-the-path?token=secret-in-the-query"


def test_redirects_stay_with_the_host(sites, certified):
    one, other = sites
    trust, context = certified
    with forwarders.tls(one.port, context) as front, forwarders.tls(other.port, context) as elsewhere:
        safe, unsafe = f"https://127.0.0.1:{front.port}", f"http://127.0.0.1:{one.port}"
        for start, target, more, is_followed in [
            (unsafe, "/end", {}, True), (safe, "/end", {}, True), (safe, f"{safe}/end", {}, True),
            (unsafe, f"http://127.0.0.1:{other.port}/end{SECRET}", {}, False),
            (unsafe, f"http://localhost:{one.port}/end{SECRET}", {"CONFIG_KEY": "x"}, False),
            (unsafe, f"https://127.0.0.1:{elsewhere.port}/end{SECRET}", {"CONFIG_KEY": "x"}, False),
            (safe, f"http://127.0.0.1:{one.port}/end{SECRET}", {"CONFIG_KEY": "x"}, False),
            (safe, f"http://127.0.0.1:{other.port}/end{SECRET}", {}, False),
            (safe, f"https://127.0.0.1:{elsewhere.port}/end{SECRET}", {}, False),
            (safe, "ftp://127.0.0.1/end", {}, False), (safe, "file:///end", {}, False),
        ]:  # fmt: skip
            one.target = target
            other.asked.clear()
            one.asked.clear()
            code, text = check(CONFIG_URL=start + SECRET, **trust, **more)
            assert (code == 0) == is_followed, (start, target, text)
            assert "secret" not in text
            if not is_followed:
                assert other.asked == [] and "/end" not in one.asked
                assert "127.0.0.1 to " in text or target.startswith("file:"), text
        # An encrypted document may come from another host: it is downloaded, and cannot be opened here.
        one.target = f"https://127.0.0.1:{elsewhere.port}/end"
        code, text = check(CONFIG_URL=safe, CONFIG_KEY="x", **trust)
        assert code == 78 and "cannot be decrypted with CONFIG_KEY" in text and other.asked == ["/end"]


def test_redirects_end(sites):
    one, _ = sites
    one.target = "/again"
    code, text = check(CONFIG_URL=f"http://127.0.0.1:{one.port}/")
    assert code == 78 and "redirects more than 5 times" in text and len(one.asked) == 6


def test_connections_over_an_addresss_quarter_are_told_so(start_relay):
    """Each connection holds some kilobytes. An address has a quarter of the smallest memory."""
    relay = start_relay(PROVIDER_E_KIND="echo", ANONYMOUS_MODELS="all", MEMORY_MB="32", THREADS="1")
    held: list[socket.socket] = []
    try:
        for _ in range(4_000):
            one = socket.create_connection(("127.0.0.1", relay.port))
            held.append(one)
            one.settimeout(0 if len(held) % 50 else 0.2)
            try:
                got = one.recv(4096)
            except (BlockingIOError, TimeoutError):
                continue
            break
        else:
            raise AssertionError("nobody was refused")
        assert got.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in got and b"\r\nConnection: close\r\n" in got
        answer = rawhttp.Connection(relay.port)
        # Data that the client sends meanwhile is read, so that it is not reset before it has read the response.
        told = answer.ask(rawhttp.request("POST", "/v1/chat/completions", CHAT))
        assert told.status == 503 and told.json()["error"]["code"] == "overloaded"
    finally:
        for one in held:
            one.close()
