"""The Debian package of the program that is built (Scripts/package): its files, its service, its manual page, its completion.

`make package-test` runs this on the debug build.
"""

import csv
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("RELAY_BUILD", ROOT / ".build/debug"))
FILES = {
    "/etc/relay/": "drwxr-xr-x",
    "/etc/relay/relay.env": "-rw-r-----",
    "/etc/relay/secrets/": "drwxr-x---",
    "/lib/systemd/system/relay.service": "-rw-r--r--",
    "/usr/bin/relay": "-rwxr-xr-x",
    "/usr/share/bash-completion/completions/relay": "-rw-r--r--",
    "/usr/share/doc/relay/changelog.gz": "-rw-r--r--",
    "/usr/share/doc/relay/copyright": "-rw-r--r--",
    "/usr/share/doc/relay/examples/credentials.conf": "-rw-r--r--",
    "/usr/share/lintian/overrides/relay": "-rw-r--r--",
    "/usr/share/man/man1/relay.1.gz": "-rw-r--r--",
    "/usr/share/relay/relay.tokens": "-rw-r--r--",
}
"""All files of the package, and the folders that are its own."""

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="another system than Debian")


def run(*words: str | Path, **environment: str) -> str:
    done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def made(folder: Path, build: Path = BUILD, **environment: str) -> Path:
    run(ROOT / "Scripts/package", build, folder, SHORT="1", **environment)
    (package,) = folder.glob("relay_*.deb")
    return package


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def system(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder / of a system with nothing but the package's files."""
    folder = tmp_path_factory.mktemp("system")
    run("dpkg-deb", "--extract", package, folder)
    return folder


def test_lintian_has_no_complaint(package: Path) -> None:
    # A debug build finds Swift's libraries in the toolchain.
    tags = ["--suppress-tags", "custom-library-search-path"] if "libswiftCore.so" in run("ldd", BUILD / "relay") else []
    assert run("lintian", "--fail-on", "error,warning", "--allow-root", *tags, package) == ""


def test_the_package_has_these_files_and_they_belong_to_root(package: Path) -> None:
    found = {}
    for line in run("dpkg-deb", "--contents", package).splitlines():
        mode, owner, _, _, _, name = line.split(maxsplit=5)
        assert owner == "root/root", line
        name = name.removeprefix(".")
        if not name.endswith("/") or name.startswith("/etc/relay/"):
            found[name] = mode
    assert found == FILES
    assert run("dpkg-deb", "--info", package, "conffiles") == "/etc/relay/relay.env\n"


def test_equal_programs_give_equal_packages(package: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in ("relay", "relay.tokens"):
        shutil.copy(BUILD / name, copy)
    again = made(tmp_path / "made", copy, TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    assert again.name == package.name
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(package.read_bytes()).digest()


def test_the_version_orders_commits_by_time(package: Path) -> None:
    version = run("dpkg-deb", "--field", package, "Version").strip()
    number = run(BUILD / "relay", "version").split()[1]
    if version != number:
        assert re.fullmatch(re.escape(number) + r"~\d{14}\.\w{1,8}", version)
        run("dpkg", "--compare-versions", version, "lt", number)


def test_the_service_is_right_and_has_few_rights(system: Path) -> None:
    unit = system / "lib/systemd/system/relay.service"
    # The program is not installed here; nothing else may be missing.
    copy = system / "relay.service"
    copy.write_text(unit.read_text().replace("/usr/bin/relay", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", copy], capture_output=True, text=True)
    # It may also complain about units of this machine.
    assert (done.returncode, [line for line in done.stderr.splitlines() if "relay" in line]) == (0, []), done.stderr
    told = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
    exposure = re.search(r"Overall exposure level for relay\.service: ([\d.]+)", told)
    assert exposure and float(exposure[1]) <= 1.5, told


def test_the_service_and_the_scripts_use_what_each_system_has(system: Path, package: Path) -> None:
    unit = (system / "lib/systemd/system/relay.service").read_text()
    assert set(re.findall(r"^Exec\w+=(\S+)", unit, re.MULTILINE)) == {"/usr/bin/relay", "/bin/sh"}
    for name in ("postinst", "prerm", "postrm"):
        # It takes no action without a unit.
        assert re.findall(r"deb-systemd-invoke (?!(?:try-restart|stop) relay\.service)", run("dpkg-deb", "--info", package, name)) == []


def test_the_settings_are_valid_also_with_the_lines_for_a_trial(system: Path) -> None:
    settings = (system / "etc/relay/relay.env").read_text()
    trial, count = re.subn(r"^#((?:PROVIDER_DEMO|ANONYMOUS)\w+=\w+)$", r"\1", settings, flags=re.MULTILINE)
    assert count == 2 and "\nHOST=127.0.0.1\n" in trial
    for content in (settings, trial):
        (system / "settings").write_text(content.replace("/var/lib/relay", str(system)))
        told = subprocess.run([BUILD / "relay", "check"], env=os.environ | {"ENV_FILE": str(system / "settings")}, capture_output=True, text=True)
        assert (told.returncode, told.stderr) == (0, "")


def test_the_program_of_the_package_is_stamped_and_finds_its_vocabularies(system: Path) -> None:
    version = run(system / "usr/bin/relay", "--version")
    assert re.fullmatch(r"relay \S+ \(commit \w+(?: with changes)?, \d{4}-\d\d-\d\d\)\n", version)
    assert (system / "usr/bin/../share/relay/relay.tokens").read_bytes() == (BUILD / "relay.tokens").read_bytes()


def ask(port: int, method: str, path: str, key: str = "", body: str | None = None) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} if key else {}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()


def test_a_class_of_two_hundred_has_keys_limits_and_pages_within_a_minute(system: Path, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port = found.getsockname()[1]
    began = time.monotonic()
    settings = tmp_path / "settings"
    settings.write_text(f"""HOST=127.0.0.1
PORT={port}
PROVIDER_DEMO_KIND=echo
KEY_CLASS_SECRET=a-secret-of-this-test-0123456789-0123456789
KEY_CLASS_RATE_LIMIT=20/minute;5000 tokens/day
KEY_CLASS_GROUP=school
GROUP_SCHOOL_RATE_LIMIT=200/day
PUBLIC_USAGE_PAGE=true
""")
    (tmp_path / "names.txt").write_text("".join(f"Student {number}\n" for number in range(200)))
    program, environment = system / "usr/bin/relay", {"PATH": os.environ["PATH"], "ENV_FILE": str(settings)}
    made = [program, "key", "class", "--file", tmp_path / "names.txt", "--slug", "--output", tmp_path / "keys.csv"]
    subprocess.run(made, env=environment, check=True, timeout=60)
    keys = [row[-1] for row in csv.reader((tmp_path / "keys.csv").open()) if row[-1].startswith("rk-class.")]
    assert len(set(keys)) == 200
    with subprocess.Popen([program], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as relay:
        try:
            while True:
                try:
                    assert ask(port, "GET", "/health")[0] == 200
                    break
                except ConnectionError:
                    assert relay.poll() is None and time.monotonic() - began < 60
                    time.sleep(0.05)
            chat = json.dumps({"model": "echo", "messages": [{"role": "user", "content": "Hello"}]})
            for number, key in enumerate(keys):
                assert ask(port, "POST", "/v1/chat/completions", key, chat)[0] == 200
                status, own = ask(port, "GET", "/v1/usage", key)
                assert (status, json.loads(own)["caller"]) == (200, f"class.student-{number}")
            assert ask(port, "GET", "/usage")[0] == 200
            taken = time.monotonic() - began
            status, refusal = ask(port, "POST", "/v1/chat/completions", keys[0], chat)
            assert status == 429 and b"group school" in refusal, "the budget of all together"
        finally:
            relay.terminate()
    print(f"{taken:.1f} s from the settings to 200 members who all had a response and their own figures")
    assert taken < 60


def test_the_manual_page_has_each_command_and_setting(system: Path) -> None:
    page = system / "usr/share/man/man1/relay.1.gz"
    source = run("zcat", page)
    warnings = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", "-"], input=source, capture_output=True, text=True)
    assert (warnings.returncode, warnings.stderr) == (0, "")
    text = subprocess.run(["groff", "-man", "-Tascii", "-P-cbou", "-rLL=500n", "-"], input=source, capture_output=True, text=True, check=True).stdout
    for line in run(BUILD / "relay", "help").splitlines()[2:]:
        if not line.startswith("  "):
            assert line in text or line.startswith("Settings in"), line
            continue
        # The name, and all words about it, however they are broken into lines.
        words = line.split()
        head = words[0] if line[2:3].strip() else ""
        assert not head or re.search(rf"^ +(?:relay )?{re.escape(head)}\b", text, re.MULTILINE), line
        assert " ".join(words[-3:]) in " ".join(text.split()), line


def completed(system: Path, *words: str) -> list[str]:
    file = system / "usr/share/bash-completion/completions/relay"
    line = " ".join(f"'{word}'" for word in ("relay", *words))
    script = f'. {file}; complete -p relay >&2; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _relay; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return run("bash", "-c", script).split()


def test_bash_completes_commands_and_their_options(system: Path) -> None:
    usage = run(BUILD / "relay", "help").split("\nSettings")[0]
    commands = set(re.findall(r"^  (\w+)", usage, re.MULTILINE))
    assert set(completed(system, "")) == commands == set(completed(system, "help", ""))
    assert completed(system, "che") == ["check"]
    assert completed(system, "check", "--") == ["--strict", "--ask"]
    assert set(completed(system, "usage", "--")) == {"--by", "--days", "--json", "--bill"}
    assert completed(system, "config", "--") == []
