"""The way to the vendor: names, TLS, proxies."""

import ipaddress
import ssl
from pathlib import Path

import forwarders
import httpx
import pytest
import trustme
from chat import PATH, body


def ask(relay, key, **fields):
    return httpx.post(
        relay.base_url + PATH,
        json=body(**fields),
        headers={"Authorization": f"Bearer {key}"},
        timeout=10,
        trust_env=False,
    )


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def served_by(authority, *names):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_an_authority_that_is_added_is_trusted(vendor, start_relay, authority, tmp_path, api_key):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with forwarders.tls(vendor.port, served_by(authority, "127.0.0.1")) as front:
        relay = start_relay(
            ONE_MIN_BASE_URL=f"https://127.0.0.1:{front.port}", SSL_CERT_FILE=str(tmp_path / "ca.pem")
        )
        assert ask(relay, api_key).status_code == 200
        assert ask(relay, api_key, stream=True).text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("fault", ["unknown authority", "other name"])
def test_a_vendor_that_cannot_prove_itself_gets_no_key(vendor, start_relay, authority, tmp_path, api_key, fault):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    name = "127.0.0.1" if fault == "unknown authority" else "another.example"
    trusted = None if fault == "unknown authority" else str(tmp_path / "ca.pem")
    with forwarders.tls(vendor.port, served_by(authority, name)) as front:
        relay = start_relay(ONE_MIN_BASE_URL=f"https://127.0.0.1:{front.port}", SSL_CERT_FILE=trusted)
        for is_streamed in (False, True):
            answer = ask(relay, api_key, stream=is_streamed)
            assert answer.status_code == 502
            assert answer.json()["error"]["code"] == "upstream_error"
            line = relay.wait_for_line(lambda line, kind=is_streamed: line.get("stream") is kind)
            assert "insecure" in line["cause"]
    assert vendor.requests(api_key) == []


def test_http2_is_a_wish_that_a_vendor_may_decline(vendor, start_relay, authority, tmp_path, api_key):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = served_by(authority, "127.0.0.1")
    context.set_alpn_protocols(["http/1.1"])
    with forwarders.tls(vendor.port, context) as front:
        relay = start_relay(
            PROVIDER_A_KIND="onemin",
            PROVIDER_A_BASE_URL=f"https://127.0.0.1:{front.port}",
            PROVIDER_A_HTTP2="true",
            SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        )
        assert ask(relay, api_key).status_code == 200


def test_calls_go_through_the_proxy_of_the_settings_only(vendor, start_relay, authority, tmp_path, api_key):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    seen = []
    with forwarders.proxy(seen) as proxy, forwarders.tls(vendor.port, served_by(authority, "127.0.0.1")) as front:
        address = f"http://127.0.0.1:{proxy.port}"
        plain = start_relay(UPSTREAM_PROXY=address)
        assert ask(plain, api_key).status_code == 200
        assert [line.split(" ")[:2] for line in seen] == [["POST", vendor.base_url + "/api/chat-with-ai"]]
        seen.clear()
        secure = start_relay(
            UPSTREAM_PROXY=address,
            ONE_MIN_BASE_URL=f"https://127.0.0.1:{front.port}",
            SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        )
        assert ask(secure, api_key).status_code == 200
        assert ask(secure, api_key, stream=True).text.endswith("data: [DONE]\n\n")
        assert {line.split(" ")[0] for line in seen} == {"CONNECT"}
        seen.clear()
        direct = start_relay(HTTP_PROXY=address, http_proxy=address, ALL_PROXY=address, all_proxy=address)
        assert ask(direct, api_key).status_code == 200
        assert seen == []


def names_of_this_machine():
    """Names in the hosts file that mean an IPv4 loopback address; libcurl itself answers `localhost`."""
    hosts = Path("/etc/hosts")
    for line in hosts.read_text().splitlines() if hosts.exists() else []:
        address, *names = line.split("#")[0].split() or [""]
        if address.startswith("127.") and ipaddress.ip_address(address):
            yield from ((address, name) for name in names if not name.startswith("localhost"))


def test_a_vendor_known_by_name_is_found_again_and_again(vendor, start_relay, new_key):
    found = next(names_of_this_machine(), None)
    if found is None:
        pytest.skip("the hosts file has no other name of a loopback address")
    address, name = found
    with forwarders.plain(vendor.port, address) as front:
        relay = start_relay(ONE_MIN_BASE_URL=f"http://{name}:{front.port}", THREADS="1")
        for turn in range(6):
            assert ask(relay, new_key(), stream=bool(turn % 2)).status_code == 200
