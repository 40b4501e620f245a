"""What a service manager such as systemd learns of a relay (sd_notify(3)), and what `--version` says of a stamped one."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import local_http
import pytest
from operating import ECHO
from relay_process import INHERITED, ROOT, Relay, binary


class Manager:
    """A service manager's socket. `name` is a path, or `@` and an abstract name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(20)

    def hear(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))

    def heard_all(self) -> bool:
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(4096)
        except BlockingIOError:
            return True


class ManagedRelay(Relay):
    """A relay that is asked once, as soon as it says that it is ready."""

    def __init__(self, manager: Manager, **environment: str) -> None:
        self.manager = manager
        super().__init__(ECHO | {"NOTIFY_SOCKET": manager.name} | environment)

    def await_ready(self) -> None:
        assert self.manager.hear() == {"READY": "1"}
        assert local_http.get(self.base_url + "/ready").status_code == 200


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}")
    yield made
    made.socket.close()


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_relay_is_ready_once_it_answers_and_says_when_it_stops(manager: Manager, threads: str) -> None:
    relay = ManagedRelay(manager, THREADS=threads)
    body = {"model": "echo", "stream": True, "messages": [{"role": "user", "content": "!delay=200 one two three"}]}
    with local_http.stream("POST", relay.v1 + "/chat/completions", json=body) as answer:
        pieces = answer.iter_lines()
        next(pieces)
        relay.begin_to_stop()
        assert manager.hear() == {"STOPPING": "1"}
        assert list(pieces)[-2:] == ["data: [DONE]", ""], "what had begun did not go on"
    relay.stop()
    assert manager.heard_all()


def test_a_reload_is_announced_and_its_end_too(manager: Manager, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("RATE_LIMIT_CHAT=7/minute\n")
    relay = ManagedRelay(manager, ENV_FILE=str(file))
    # The last one is a mistake: the relay is then ready, too, with the settings of before.
    for content in ("RATE_LIMIT_CHAT=8/minute\n", "RATE_LIMIT_CHAT=nonsense\n"):
        file.write_text(content)
        began = time.monotonic_ns() // 1000
        relay.signal(signal.SIGHUP)
        told = manager.hear()
        assert told.pop("RELOADING") == "1"
        assert began <= int(told.pop("MONOTONIC_USEC")) <= time.monotonic_ns() // 1000 and not told
        assert manager.hear() == {"READY": "1"}
    relay.stop()
    assert manager.hear() == {"STOPPING": "1"}
    assert manager.heard_all()
    messages = [line["message"] for line in relay.log_lines()]
    assert messages.index("settings reloaded") < messages.index("settings were not reloaded")


@pytest.mark.parametrize("name", ["relative", "/" + "x" * 200, "/nowhere/notify", "@nobody-listens-here"])
def test_a_relay_that_cannot_tell_its_manager_serves_and_says_why(name: str) -> None:
    relay = Relay(ECHO | {"NOTIFY_SOCKET": name})
    line = relay.wait_for_line(lambda line: "service manager" in line["message"])
    assert line["level"] == "warning" and line["cause"]
    relay.stop()


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The program in a folder `bin`, alone."""
    folder = tmp_path / "prefix/bin"
    folder.mkdir(parents=True)
    return Path(shutil.copy2(binary(), folder))


def version(program: Path) -> str:
    return subprocess.run([program, "--version"], env=INHERITED, capture_output=True, text=True, check=True).stdout


def stamp(program: Path, **environment: str) -> None:
    subprocess.run([ROOT / "Scripts/stamp", program], env=INHERITED | environment, check=True)


def test_the_version_has_the_commit_and_its_date_once_stamped(installed: Path) -> None:
    before = installed.stat()
    assert version(installed).split()[:1] == ["relay"]
    stamp(installed, COMMIT="0123456789ab", SOURCE_DATE_EPOCH="1767225599")
    number = version(installed).split()[1]
    assert version(installed) == f"relay {number} (commit 0123456789ab, 2025-12-31)\n"
    stamp(installed, COMMIT="a", SOURCE_DATE_EPOCH="1767225600")
    assert version(installed) == f"relay {number} (commit a, 2026-01-01)\n"
    after = installed.stat()
    # Else the build would link it again.
    assert (after.st_size, after.st_mtime_ns, after.st_mode) == (before.st_size, before.st_mtime_ns, before.st_mode)
