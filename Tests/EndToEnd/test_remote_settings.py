"""Settings in a remote document: plain and encrypted, at the start, on reload and polled."""

import base64
import hashlib
import signal
import socket
import subprocess
import threading
from pathlib import Path

import conftest
import local_http
import pytest
from chat import ask
from fake_server import FakeServer, Handler
from limited import client as plain
from memcached import wait_for
from relay_process import binary

TOKEN = "token-of-the-remote-settings-tests"
KEY = "document-key-1"
BASE = f"KEY_A_TOKEN={TOKEN}\nPROVIDER_E_KIND=echo\n"


class Host(FakeServer):
    """A server of one document. `asked`: the values of If-None-Match; `status`: the status in place of 200; `gate`:
    responses wait while it is closed; `hides_length`: the end of the connection is the only end of the document."""

    def __init__(self):
        self.document, self.tag, self.status, self.asked, self.moves = b"", '"1"', 200, [], 0
        self.hides_length = False
        self.gate = threading.Event()
        self.gate.set()
        host = self

        class Documents(Handler):
            protocol_version = "HTTP/1.0"

            def do_GET(self):  # noqa: N802
                host.asked.append(self.headers.get("If-None-Match"))
                host.gate.wait(20)
                if host.moves and not self.path.endswith("moved" * host.moves):
                    self.send(302, Location=self.path + "moved")
                elif host.status != 200 or host.tag and host.asked[-1] == host.tag:
                    self.send(host.status if host.status != 200 else 304)
                else:
                    self.send_response(200)
                    if host.tag:
                        self.send_header("ETag", host.tag)
                    if not host.hides_length:
                        self.send_header("Content-Length", str(len(host.document)))
                    self.end_headers()
                    self.wfile.write(host.document)

        super().__init__(Documents)
        self.url = f"{self.base_url}/settings?token=secret-in-the-query"

    def says(self, text, tag=None):
        self.document, self.tag = (text if isinstance(text, bytes) else text.encode(), tag or f'"{len(self.asked)}-{len(text)}"')


@pytest.fixture
def host():
    conftest.secrets.update((TOKEN, KEY, "secret-in-the-query"))
    host = Host()
    host.says(BASE)
    yield host
    host.stop()


@pytest.fixture
def start(start_relay, tmp_path, host):
    (tmp_path / "empty.env").write_text("")
    return lambda **more: start_relay(CONFIG_URL=host.url, ENV_FILE=str(tmp_path / "empty.env"), **more)


def check(**environment):
    """Returns the output of `relay check`."""
    done = subprocess.run([str(binary()), "check"], env={"ENV_FILE": "/dev/null"} | environment, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr


def ecb(text, key=KEY):
    """Encrypts as openssl does, with line breaks."""
    padded = (key.encode() + bytes(16))[:16].hex()
    return subprocess.run(
        ["openssl", "enc", "-aes-128-ecb", "-K", padded, "-base64"],
        input=text.encode(),
        capture_output=True,
        check=True,
    ).stdout


def serves(relay, model="echo"):
    with plain(relay, TOKEN) as http:
        return ask(http, model=model).status_code == 200


def test_the_document_stands_between_environment_and_file(start_relay, tmp_path, host):
    host.says(BASE + "PROVIDER_E_MODELS=remote\nLOG_LEVEL=error\nSHUTDOWN_SECONDS=7\n")
    (tmp_path / "own.env").write_text(f"CONFIG_URL={host.url}\nPROVIDER_E_MODELS=file\nMAX_UPLOAD_MB=3\n")
    relay = start_relay(ENV_FILE=str(tmp_path / "own.env"), LOG_LEVEL="info")
    assert serves(relay, "remote") and not serves(relay, "file")
    listed = subprocess.run(
        [str(binary()), "config"], env={"ENV_FILE": str(tmp_path / "own.env"), "LOG_LEVEL": "info"},
        capture_output=True, text=True, timeout=30,
    ).stdout  # fmt: skip
    assert (
        "LOG_LEVEL=info  # environment\n" in listed
        and "SHUTDOWN_SECONDS=7  # CONFIG_URL:5\n" in listed
    )
    assert (
        f"MAX_UPLOAD_MB=3  # {tmp_path}/own.env:3\n" in listed
        and "secret-in-the-query" not in listed
    )


def test_a_sealed_document(start, host):
    host.says(ecb(BASE))
    assert serves(start(CONFIG_KEY=KEY))
    assert check(config_url=host.url, secret_key=KEY)[0] == 0, ("the names that other relays use")
    vector = b"Kfx/Zga8ks7WMvGNYKbsag=="
    host.says(vector)
    code, said = check(CONFIG_URL=host.url, CONFIG_KEY="123456789", ANONYMOUS_MODELS="all", PROVIDER_E_KIND="echo")
    assert code == 0, said


def test_a_document_sealed_with_gcm(start, host):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = bytes(range(12))
    sealed = nonce + AESGCM(hashlib.sha256(KEY.encode()).digest()).encrypt(nonce, BASE.encode(), None)
    host.says("aes-256-gcm:" + base64.b64encode(sealed).decode())
    assert serves(start(CONFIG_KEY=KEY))
    code, said = check(CONFIG_URL=host.url)
    assert code == 78 and "set CONFIG_KEY" in said
    host.says("aes-256-gcm:" + base64.b64encode(sealed[:-1] + bytes([sealed[-1] ^ 1])).decode())
    code, said = check(CONFIG_URL=host.url, CONFIG_KEY=KEY)
    assert code == 78 and "cannot be decrypted" in said


@pytest.mark.parametrize(
    ("document", "environment", "words"),
    [
        (BASE, {"CONFIG_KEY": KEY}, "the document cannot be decrypted with CONFIG_KEY"),
        (ecb(BASE, "another key"), {"CONFIG_KEY": KEY}, "the document cannot be decrypted with CONFIG_KEY"),
        ("a: 1\nproviders:\n  - x\n", {}, "the document is YAML"),
        (BASE + "LOG_LEVL=info\n", {}, "CONFIG_URL:3  LOG_LEVL: unknown variable; did you mean LOG_LEVEL?"),
        (BASE + "CONFIG_KEY=x\n", {}, "CONFIG_KEY: can only be set in the process environment and the .env file"),
        (
            BASE + "PORT=5002\nCONFIG_REFRESH_SECONDS=1\n", {},
            "CONFIG_URL:4  CONFIG_REFRESH_SECONDS: can only be set in the process environment and the .env file\n"
            "configuration: 1 warning\n  CONFIG_URL:3  PORT: `relay health` does not see it here;",
        ),  # fmt: skip
        (b"A=" + bytes(1 << 20), {}, "the document is larger than 1 MB"),
    ],
)
def test_what_is_wrong_with_a_document(host, document, environment, words):
    host.says(document)
    code, said = check(CONFIG_URL=host.url, **environment)
    assert code == 78 and words in said, said
    assert "secret-in-the-query" not in said and TOKEN not in said


def test_a_signal_ends_a_relay_that_waits_for_the_document():
    """Also as the first process of a container, where a signal without a handler has no effect."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        own = {"ENV_FILE": "/dev/null", "CONFIG_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/settings"}
        waiting = subprocess.Popen([str(binary())], env=own, stderr=subprocess.PIPE)
        silent.accept()
        waiting.terminate()
        assert waiting.wait(timeout=20) == 0
        assert waiting.stderr.read() == b""


def test_a_document_that_cannot_be_had(start, host):
    host.status = 503
    own = {"ANONYMOUS_MODELS": "all", "PROVIDER_E_KIND": "echo"}
    code, said = check(CONFIG_URL=host.url, **own)
    assert code == 78 and "CONFIG_URL: the document cannot be read: the server returned 503" in said
    assert check(CONFIG_URL=host.url, CONFIG_REQUIRED="false", **own)[0] == 0
    host.status, host.moves = 200, 5
    assert serves(relay := start())
    host.moves = 6
    answer = local_http.post(f"{relay.base_url}/reload_config")
    assert answer.status_code == 502 and answer.json()["status"] == 1 and serves(relay)


def test_reload_and_poll(start, host):
    relay = start(CONFIG_REFRESH_SECONDS="100ms")
    host.says(BASE + "PROVIDER_E_MODELS=second\n")
    wait_for(lambda: serves(relay, "second"))
    told = len(host.asked)
    wait_for(lambda: len(host.asked) > told + 2)
    assert host.asked[-1] == host.tag, "an unchanged document is not sent again"
    host.says("BAD=1\n")
    relay.wait_for_line(lambda line: line["message"] == "settings were not reloaded")
    told = len(host.asked)
    wait_for(lambda: len(host.asked) > told + 3)
    assert serves(relay, "second")
    assert sum(line["message"] == "settings were not reloaded" for line in relay.log_lines()) < 5, "told once"
    host.says(BASE + "PROVIDER_E_MODELS=third\nCONFIG_REFRESH_SECONDS=0\n")
    wait_for(lambda: serves(relay, "third"))
    host.says(BASE + "PROVIDER_E_MODELS=fourth\n")
    relay.signal(signal.SIGHUP)
    wait_for(lambda: serves(relay, "fourth"))


@pytest.mark.parametrize("document", [b"", b"# nothing\n", b"\n \n"], ids=["empty", "a comment", "blank"])
def test_a_document_without_a_setting_cannot_be_read(start, host, document):
    relay = start(CONFIG_REFRESH_SECONDS="100ms")
    host.says(document, tag='"empty"')
    line = relay.wait_for_line(lambda line: line["message"] == "settings were not reloaded")
    assert "the document cannot be read: it has no setting" in line["problem"]
    relay.signal(signal.SIGHUP)
    told = len(host.asked)
    wait_for(lambda: len(host.asked) > told + 3)
    assert serves(relay), "the old document stays"
    status, errors = check(CONFIG_URL=host.url)
    assert status == 78 and "it has no setting; correct it, or set CONFIG_REQUIRED=false" in errors


def test_a_document_that_may_be_cut_off_cannot_be_read(start, host):
    relay = start(CONFIG_REFRESH_SECONDS="100ms")
    host.hides_length = True
    host.says("KEY_A_TOKEN=" + TOKEN)
    line = relay.wait_for_line(lambda line: line["message"] == "settings were not reloaded")
    assert "has no length and no end, so it may be cut off" in line["problem"]
    assert serves(relay)


@pytest.mark.parametrize(
    "document, lost",
    [("PROVIDER_E_KIND=echo\nANONYMOUS_MODELS=all\n", "keys"), (f"KEY_A_TOKEN={TOKEN}\n", "providers"), (f"KEY_A_TOKEN={TOKEN}\nPROVIDER_F_KIND=echo\n", "providers")],
)
def test_a_polled_document_does_not_remove_all_keys_or_providers(start, host, document, lost):
    relay = start(CONFIG_REFRESH_SECONDS="100ms")
    host.says(document)
    line = relay.wait_for_line(lambda line: line["message"] == "settings were not reloaded")
    assert line["level"] == "error" and f"removes all {lost}" in line["problem"]
    assert serves(relay)
    with plain(relay) as stranger:
        assert ask(stranger, model="echo").status_code == 401
    # An operator who reloads by hand wants it.
    relay.signal(signal.SIGHUP)
    relay.wait_for_line(lambda line: line["message"] == "settings reloaded")


def in_reload(start, host):
    """Returns a relay whose reload waits for the document until the gate opens, and how often it was asked for before."""
    relay = start()
    told = len(host.asked)
    host.gate.clear()
    relay.signal(signal.SIGHUP)
    wait_for(lambda: len(host.asked) == told + 1)
    return relay, told


def test_signals_during_a_reload_are_one_more(start, host):
    relay, told = in_reload(start, host)
    for _ in range(10):
        relay.signal(signal.SIGHUP)
        wait_for(lambda: not is_pending(relay, signal.SIGHUP))
    host.gate.set()
    wait_for(lambda: len(host.asked) == told + 2)
    host.says(BASE + "PROVIDER_E_MODELS=second\n")
    relay.signal(signal.SIGHUP)
    wait_for(lambda: serves(relay, "second"))
    assert len(host.asked) == told + 3


def test_a_stop_does_not_wait_for_the_document(start, host):
    relay, _ = in_reload(start, host)
    relay.signal(signal.SIGTERM)
    assert relay.process.wait(timeout=6) == 0, "a download may take 10 s"
    host.gate.set()
    assert not any(line["message"] == "settings were not reloaded" for line in relay.log_lines())


def is_pending(relay, number):
    """Returns whether a signal was sent that the process has not handled yet."""
    status = Path(f"/proc/{relay.process.pid}/status").read_text()
    pending = next(line for line in status.splitlines() if line.startswith("ShdPnd:"))
    return bool(int(pending.split()[1], 16) >> (number - 1) & 1)


def test_the_document_is_the_one_of_the_start(start_relay, tmp_path, host):
    """Changes of CONFIG_* on reload are reported, and used from the next start on."""
    other, file = Host(), tmp_path / "own.env"
    other.says(BASE + "PROVIDER_E_MODELS=other\n")
    file.write_text(f"CONFIG_URL={host.url}\n")
    relay = start_relay(ENV_FILE=str(file))

    def reload(text):
        file.write_text(text)
        return local_http.post(f"{relay.base_url}/reload_config")

    host.says(BASE + "PROVIDER_E_MODELS=second\n")
    change = f"CONFIG_URL={other.url}\nCONFIG_KEY={KEY}\nCONFIG_REQUIRED=false\nCONFIG_REFRESH_SECONDS=1h\n"
    assert reload(change).status_code == 200 and serves(relay, "second") and other.asked == []
    line = relay.wait_for_line(lambda line: line["message"] == "settings that need a restart have changed")
    assert line["settings"] == "CONFIG_URL, CONFIG_KEY, CONFIG_REQUIRED, CONFIG_REFRESH_SECONDS"
    host.says(BASE + "PROVIDER_E_MODELS=third\n")
    assert reload("LOG_LEVEL=info\n").status_code == 200 and serves(relay, "third"), "also if the file names none any more"
    host.status = 503
    assert reload(change).status_code == 502 and serves(relay, "third")
    other.stop()


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_document_that_was_not_needed_at_the_start_is_kept_later(start, host, is_sealed):
    host.says(ecb(BASE) if is_sealed else BASE)
    host.tag = "" if is_sealed else host.tag
    relay = start(CONFIG_REQUIRED="false", **({"CONFIG_KEY": KEY} if is_sealed else {}))
    host.status = 503
    answer = local_http.post(f"{relay.base_url}/reload_config")
    assert answer.status_code == 502 and serves(relay), "what was read stays in use"


def test_a_start_without_the_document_says_so(start, host):
    host.status = 503
    relay = start(CONFIG_REQUIRED="false", ANONYMOUS_MODELS="all", PROVIDER_E_KIND="echo")
    relay.wait_for_line(lambda line: "the document cannot be read: the server returned 503" in line.get("problem", ""))
    host.status = 200
    relay.signal(signal.SIGHUP)
    wait_for(lambda: serves(relay))


def test_health_asks_no_document(start, host):
    relay = start()
    told = len(host.asked)
    done = subprocess.run(
        [str(binary()), "health"], timeout=30, capture_output=True,
        env={"CONFIG_URL": host.url, "PORT": str(relay.port), "RATE_LIMIT": "wrong", "ENV_FILE": "/dev/null"},
    )  # fmt: skip
    assert done.returncode == 0 and len(host.asked) == told
