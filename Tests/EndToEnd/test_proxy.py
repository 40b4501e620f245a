"""The proxy of the compose file, deploy/nginx.conf, before a relay: the paths that it blocks."""

import re
from collections.abc import Iterator

import pytest
from conftest import echo_of_file
from proxied import compose_proxy
from rawhttp import ask, request
from relay_process import Relay

relay = echo_of_file()


@pytest.fixture(scope="module")
def proxy(relay: Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the proxy before two addresses, of which the relay has the first."""
    nginx = compose_proxy(tmp_path_factory.mktemp("proxy"), [f"127.0.0.1:{relay.port}", f"127.0.0.2:{relay.port}"], relay.port)
    yield nginx.port
    nginx.stop()


def test_what_it_passes(proxy: int, relay: Relay) -> None:
    assert ask(proxy, request("GET", "/v1/models")).json() == ask(relay.port, request("GET", "/v1/models")).json()
    assert ask(proxy, request("GET", "/health")).json()["status"] == "ok"
    assert ask(proxy, request("GET", "/v1/models/ready")).json()["error"]["code"] == "model_not_found"


SPELLINGS = [
    "/{0}", "/{0}/", "//{0}", "///{0}//", "/{0}%2f", "/{0}%2F", "%2f{0}", "/%2f{0}", "/./{0}", "/{0}/.", "/x/../{0}",
    "/x/%2e%2e/{0}", "/{0}?a=b", "/{0}/?a", "/{0}/more", "/{0};a", "/{0}%3b", "/{0}%20", "/{0}%3fa", "/{0}%23",
    "http://relay.test/{0}", "http://relay.test//{0}/", "/v1/{0}", "/v1/../{0}", "/{0}%00", "/{0}\\",
]  # fmt: skip


def spellings(name: str) -> list[str]:
    """Returns spellings of a path, some of which no server needs to understand."""
    first, last = f"%{ord(name[0]):02x}{name[1:]}", f"{name[:-1]}%{ord(name[-1]):02X}"
    names = [name, name.upper(), name.title(), first, last, "".join(f"%{ord(letter):02x}" for letter in name)]
    return [form.format(each) for form in SPELLINGS for each in names]


@pytest.mark.parametrize("name", ["metrics", "ready"])
def test_what_is_about_one_instance_has_no_way_out(proxy: int, relay: Relay, name: str) -> None:
    assert ask(relay.port, request("GET", f"/{name}")).status == 200
    for path in spellings(name):
        if not path.startswith(("/", "http")):
            continue
        for method in ("GET", "HEAD"):
            answer = ask(proxy, request(method, path), method=method)
            assert answer.status in (400, 404), (path, answer.status, answer.body[:200])
            assert b"relay_" not in answer.body and b"timestamp" not in answer.body, path


def test_nothing_of_it_reaches_the_relay(proxy: int, relay: Relay) -> None:
    """The proxy alone suffices, and so does the relay's single spelling."""
    passed = []
    for name in ("metrics", "ready"):
        for path in (f"/{name}", f"/{name}/", f"/{name}%2f", f"/{name.upper()}", f"/%{ord(name[0]):x}{name[1:]}/"):
            answer = ask(proxy, request("GET", path))
            assert answer.status == 404
            passed += [path] if re.search(r"x-request-id", str(answer.fields).lower()) else []
    assert passed == []


def test_an_operator_keeps_to_one_relay(proxy: int, relay: Relay) -> None:
    """Of the two addresses of `both` the first has a relay, so a cookie with the second one leads to any."""

    def cookies(given: str | None = None) -> list[str]:
        answer = ask(proxy, request("GET", "/admin", cookie=given))
        assert answer.status == 404 and b"Invalid URL" in answer.body, answer.body
        return answer.all("set-cookie")

    kept = "relay=127.0.0.1; Path=/admin; HttpOnly; SameSite=Strict"
    assert cookies() == []
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.9", "x", "127.0.0.1:1"):
        for _ in range(3):
            assert cookies(f"token=t; relay={address}") == [kept], address
    assert ask(proxy, request("GET", "/v1/models", cookie="token=t; relay=127.0.0.2")).status == 200
