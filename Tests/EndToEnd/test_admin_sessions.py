"""Logging in at the operator's side: sessions, who may do what, guesses, and ways around the login."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import conftest
import local_http
import pytest
from operating import ECHO, PASSWORD, SECRET, SETTINGS, Operator, login, token
from relay_process import free_port

NOT_LOGGED_IN = {"status": 1, "msg": "Not logged in"}


@pytest.fixture(scope="module")
def operated(launch):
    """A relay that an operator may log in to."""
    conftest.secrets.update((PASSWORD, SECRET))
    relay = launch(**SETTINGS, PUBLIC_URL="https://ai.example", KEY_TEAM_TOKEN="token-of-the-admin-tests-1")
    yield relay
    relay.stop()


def raw(relay, target: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Returns status and whole response to a request that no client library has changed."""
    with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as peer:
        lines = [f"{method} {target} HTTP/1.1", "Host: a", "Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
        peer.sendall("\r\n".join([*lines, "", ""]).encode())
        got = b""
        while data := peer.recv(65536):
            got += data
    return int(got.split()[1]), got.decode()


def test_a_login(operated):
    answer = login(operated.base_url)
    session = answer.json()["data"]["token"]
    assert answer.status_code == 200 and answer.json()["msg"] == "Login successful"
    cookie = answer.headers["set-cookie"]
    assert cookie == f"token={session}; Path=/admin; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers
    assert Operator(operated.base_url, session).get("/admin/config").status_code == 200
    line = operated.wait_for_line(lambda line: line.get("event") == "admin" and line["act"] == "login")
    assert (line["user"], line["address"]) == ("admin", "10.1.1.1")


@pytest.mark.parametrize(("user", "password"), [("admin", "wrong-horse-battery"), ("root", PASSWORD), ("", ""), ("admin", PASSWORD + "x")])
def test_wrong_logins(operated, user, password):
    answer = login(operated.base_url, password, user, **{"X-Forwarded-For": f"10.2.0.{len(user + password)}"})
    assert answer.status_code == 401 and answer.json() == {"status": 1, "msg": "Wrong username or password"}
    assert "set-cookie" not in answer.headers


def test_bodies_that_are_no_login(operated):
    for content in (b"", b"[]", b'{"username":1,"password":2}', b"{" * 4000, b'{"username":"' + b"a" * 5000):
        headers = {"X-Forwarded-For": f"10.3.0.{len(content) % 250}", "Content-Type": "application/json"}
        answer = local_http.post(f"{operated.base_url}/admin/login", content=content, headers=headers)
        assert answer.status_code in (400, 413) and answer.json()["status"] == 1, answer.text


def test_five_a_minute_of_each_address(operated):
    """Right or wrong passwords, twenty at once; a /64 is one address. Other addresses can log in meanwhile."""
    def attempt(place: int) -> int:
        return login(operated.base_url, "wrong-horse-battery", **{"X-Forwarded-For": f"2001:db8::{place + 1:x}"}).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(attempt, range(20)))
    assert sorted(statuses) == [401] * 5 + [429] * 15
    refused = login(operated.base_url, **{"X-Forwarded-For": "2001:db8::ffff"})
    found = re.fullmatch(r"Too many logins\. Try again in (\d+) s\.", refused.json()["msg"])
    assert found and refused.headers["retry-after"] == found[1] and 1 <= int(found[1]) <= 62
    assert login(operated.base_url, **{"X-Forwarded-For": "2001:db8:0:1::1"}).status_code == 200


def test_who_is_not_logged_in(operated):
    session = token(operated.base_url, "10.4.0.1")
    changed = session[:-1] + ("A" if session[-1] != "A" else "B")
    for bearer in ("token-of-the-admin-tests-1", PASSWORD, SECRET, "x", changed, session + "A", "a" * 5000):
        answer = Operator(operated.base_url, bearer).get("/admin/config")
        assert answer.status_code == 401 and answer.json() == NOT_LOGGED_IN
        cookie = local_http.get(f"{operated.base_url}/admin/config", headers={"Cookie": f"token={bearer}"})
        assert cookie.status_code == 401
    for header in ("X-API-Key", "Api-Key"):
        answer = local_http.get(f"{operated.base_url}/admin/config", headers={header: session})
        assert answer.status_code == 401
    # The token opens nothing else.
    assert local_http.get(f"{operated.v1}/models", headers={"Authorization": f"Bearer {session}"}).status_code in (200, 401)


def test_a_cookie_that_somebody_else_set_is_not_taken_over(operated):
    planted = "A" * 40
    answer = login(operated.base_url, **{"X-Forwarded-For": "10.5.0.1", "Cookie": f"token={planted}"})
    session = answer.json()["data"]["token"]
    assert session != planted
    for cookies, status in ((f"token={planted}", 401), (f"token={planted}; token={session}", 200)):
        answer = local_http.get(f"{operated.base_url}/admin/config", headers={"Cookie": cookies})
        assert answer.status_code == status


def test_changes_by_cookie_need_a_page_of_the_relays_own(operated):
    cookie = {"Cookie": f"token={token(operated.base_url, '10.6.0.1')}"}
    url = f"{operated.base_url}/admin/reload"
    own = f"http://127.0.0.1:{operated.port}"
    for origin in (None, "null", "https://evil.example", own + "0", f"https://127.0.0.1:{operated.port}", "http://127.0.0.1", "https://ai.example.evil", "http://ai.example"):
        answer = local_http.post(url, headers=cookie | ({"Origin": origin} if origin else {}))
        assert answer.status_code == 403 and answer.json()["status"] == 1, (origin, answer.text)
    for origin in (own, "https://ai.example", "https://AI.example:443"):
        assert local_http.post(url, headers=cookie | {"Origin": origin}).status_code == 200
    for origins in ((own, "https://evil.example"), ("https://evil.example", own), (own, own)):
        lines = [("Cookie", cookie["Cookie"]), *(("Origin", origin) for origin in origins), ("Content-Length", "0")]
        assert local_http.post(url, headers=lines).status_code == 403, origins
    over_tls = cookie | {"X-Forwarded-Proto": "https", "Origin": f"https://127.0.0.1:{operated.port}"}
    assert local_http.post(url, headers=over_tls).status_code == 200
    # Reading needs none, and a token in the header none either.
    assert local_http.get(f"{operated.base_url}/admin/config", headers=cookie).status_code == 200
    bearer = cookie["Cookie"].replace("token=", "Bearer ")
    assert local_http.post(url, headers={"Authorization": bearer, "Origin": "https://evil.example"}).status_code == 200


def test_reloading_by_the_other_path(operated):
    session = token(operated.base_url, "10.6.0.2")
    url = f"{operated.base_url}/reload_config"
    assert local_http.post(url).status_code == 403
    assert local_http.post(url, headers={"Cookie": f"token={session}"}).status_code == 403
    assert local_http.post(url, headers={"Authorization": f"Bearer {session}"}).status_code == 200


def test_a_logout(operated):
    session = token(operated.base_url, "10.7.0.1")
    one = Operator(operated.base_url, session)
    answer = one.get("/admin/logout")
    assert (answer.status_code, answer.headers["location"]) == (302, "/admin")
    assert answer.headers["set-cookie"].startswith("token=; Path=/admin; Max-Age=0;")
    assert one.get("/admin/config").status_code == 401
    assert one.get("/admin/logout").status_code == 302


def test_methods_and_paths(operated):
    one = Operator(operated.base_url, token(operated.base_url, "10.8.0.1"))
    for method, path in (("POST", "/admin/config"), ("PUT", "/admin/config"), ("PATCH", "/admin/login"), ("DELETE", "/admin"), ("OPTIONS", "/admin/config")):
        answer = one.ask(method, path)
        assert answer.status_code == 405 and answer.json()["status"] == 1 and "allow" in answer.headers, (method, path)
        stranger = local_http.request(method, operated.base_url + path)
        assert (stranger.status_code, stranger.json(), "allow" in stranger.headers) == (401, NOT_LOGGED_IN, False), (method, path)
    for path in ("/admin/nothing", "/admin/provider/x/y/z", "/admin/login/x"):
        assert one.get(path).json() == {"status": 1, "msg": "Not found"}
    assert one.ask("HEAD", "/admin/config").content == b""


@pytest.mark.parametrize(
    "target",
    ["/admin//", "//admin", "/admin//config", "/ADMIN", "/Admin/config", "/%61dmin", "/admin%2fconfig", "/admin/%63onfig", "/v1/admin", "/anthropic/admin", "/adminx", "/admin/config/"],
)  # fmt: skip
def test_other_spellings_lead_nowhere(operated, target):
    session = token(operated.base_url, f"10.8.1.{len(target) + sum(map(ord, target)) % 200}")
    status, text = raw(operated, target, Authorization=f"Bearer {session}")
    assert status == 404, text
    if re.match("/+(%61|a)dmin(/|%2f|$)", target):
        assert text.endswith('{"status":1,"msg":"Not found"}'), text


@pytest.mark.parametrize("target", ["/admin/../v1/models", "/v1/../admin/config", "/admin/%2e%2e/v1/models", "/admin/.%2e/config"])
def test_parents_are_refused(operated, target):
    assert raw(operated, target)[0] == 400


def test_without_a_password_there_is_nothing(start_relay):
    relay = start_relay(**ECHO)
    for method in ("GET", "POST", "PUT", "OPTIONS", "DELETE"):
        for path in ("/admin", "/admin/login", "/admin/config"):
            answer = local_http.request(method, relay.base_url + path)
            assert answer.status_code == 404 and "set-cookie" not in answer.headers


def test_a_socket_of_its_own(start_relay):
    port = free_port()
    keys = {f"KEY_{name}_TOKEN": f"token-of-the-key-{name}" for name in ("OFF", "OLD", "TEAM")}
    relay = start_relay(
        **SETTINGS, **keys, KEY_OFF_ENABLED="false", KEY_OLD_EXPIRES="2020-01-31", HOST="0.0.0.0", ADMIN_LISTEN=f"127.0.0.1:{port}",
        NOT_FOUND_REDIRECT_URL="https://example.org/",
    )  # fmt: skip
    own = f"http://127.0.0.1:{port}"
    assert local_http.get(f"{relay.base_url}/admin").status_code == 404
    assert login(relay.base_url).status_code == 404
    one = Operator(own)
    assert one.get("/admin/config").status_code == 200
    assert Operator(relay.base_url, one.token).get("/admin/config").status_code == 404
    # Clients are told the relay's port, not that of the page.
    told = one.get("/admin/clients").json()
    assert (told["address"], told["key"]) == (f"http://127.0.0.1:{relay.port}", "team")
    assert [caller["key"] for caller in told["callers"] if caller["kind"] == "known"] == ["team", "off", "old"]
    assert local_http.get(f"{own}/health").status_code == local_http.get(f"{own}/metrics").status_code == 200
    for path in ("/v1/models", "/", "/ready", "/reload_config", "/models"):
        assert local_http.get(own + path, headers={"Authorization": f"Bearer {one.token}"}).status_code == 404
    answer = local_http.post(f"{own}/v1/chat/completions", json={})
    assert answer.json()["error"]["message"] == "Invalid URL (POST /v1/chat/completions). This socket serves /admin, /health and /metrics only."


def test_a_changed_password_ends_all_sessions(start_relay, tmp_path):
    path = tmp_path / "relay.env"
    path.write_text("".join(f"{name}={value}\n" for name, value in SETTINGS.items()))
    relay = start_relay(ENV_FILE=str(path))
    one = Operator(relay.base_url)
    assert one.get("/admin/config").status_code == 200
    other = "another-horse-battery"
    conftest.secrets.add(other)
    path.write_text(path.read_text().replace(PASSWORD, other))
    assert one.post("/admin/reload").status_code == 200
    assert one.get("/admin/config").status_code == 401
    assert login(relay.base_url, **{"X-Forwarded-For": "10.1.2.3"}).status_code == 401
    assert login(relay.base_url, other).status_code == 200


def test_logins_are_limited_while_the_store_is_unavailable(start_relay, store):
    relay = start_relay(**SETTINGS, MEMCACHED_SERVERS=store.address, RATE_LIMIT_STORE_DOWN="allow", RATE_LIMIT_INSTANCES="1")
    store.kill()
    statuses = [login(relay.base_url, "wrong-horse-battery").status_code for _ in range(12)]
    assert 1 <= statuses.count(401) <= 5 and statuses[-1] == 429, statuses
