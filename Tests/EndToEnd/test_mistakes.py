"""Each mistake of `mistakes.py`: its message word for word, and that the message's advice works."""

import os
import re
import socket
import ssl
import subprocess
import tempfile
from itertools import takewhile
from pathlib import Path

import local_http
import pytest
import trustme
from mistakes import ECHO, MISTAKES, TOKEN, Mistake
from relay_process import INHERITED, binary, free_port


def run(words: list[str], folder: Path, environment: dict[str, str], **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binary()), *words], env=INHERITED | environment, cwd=folder, capture_output=True, text=True, timeout=30, **more
    )  # type: ignore[call-overload,no-any-return]


def reported(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """Returns the problems and warnings, without their headings."""
    return [line.removeprefix("  ") for line in ended.stderr.splitlines() if line.startswith("  ")]


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: row.name)
def test_a_mistake_is_named_with_its_place_and_the_way_out(tmp_path: Path, row: Mistake) -> None:
    (tmp_path / "written").write_text(TOKEN + "\n")
    (tmp_path / "wrapped").write_text(f"{TOKEN}\n{TOKEN[:17]}\n")
    (tmp_path / "quoted").write_text(f'"{TOKEN}"\n')
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "damaged.pem").write_text((tmp_path / "ca.pem").read_text().replace("MII", "MIX"))
    port = free_port()

    def filled(text: str) -> str:
        return text.replace("{folder}", str(tmp_path)).replace("{port}", str(port))

    def check(file: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        (tmp_path / ".env").write_bytes(filled(file).encode(errors="surrogateescape"))
        # Without a folder, windows of an hour or more are a warning.
        kept = {} if "DATA_DIR" in file else {"DATA_DIR": str(tmp_path / "data")}
        return run(["check"], tmp_path, kept | {name: filled(value) for name, value in environment.items()})

    ended = check(row.file, row.environment)
    assert reported(ended) == [filled(row.line)], ended.stderr
    assert ended.returncode == (0 if row.is_warning else 78)
    mended = check(row.mended, row.environment if row.mended_environment is None else row.mended_environment)
    assert mended.returncode == 0 and filled(row.line) not in reported(mended)
    assert not reported(mended) or "CONFIG_REQUIRED" in row.mended, mended.stderr


def test_each_secret_of_the_docs_is_a_placeholder(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    names = r"KEY_\w+_(?:TOKEN|SECRET)|ADMIN_PASSWORD|ADMIN_SESSION_SECRET|FILE_ID_SECRET|STORE_SECRET"
    pages = [root / "README.md", root / ".env.example", *(root / "docs").glob("*.md")]
    found = {value for page in pages for value in re.findall(rf"(?:{names})=([\w.-]{{8,}})", page.read_text())}
    assert len(found) >= 8
    tokens = {f"KEY_K{number}_TOKEN": value for number, value in enumerate(sorted(found))}
    told = reported(run(["check"], tmp_path, {"PROVIDER_A_KIND": "echo"} | tokens))
    assert [name for name in tokens if not any(f"{name}: is a placeholder" in line for line in told)] == []
    other = run(["check"], tmp_path, {"PROVIDER_A_KIND": "echo", "KEY_A_TOKEN": TOKEN, "ADMIN_PASSWORD": "choose-a-long-one"})
    assert "ADMIN_PASSWORD: is a placeholder" in other.stderr


SETTINGS = {"PROVIDER_A_KIND": "echo", "ANONYMOUS_MODELS": "all"}


@pytest.mark.parametrize(
    ("words", "line", "usage", "mended"),
    [
        (["chek"], "unknown command: chek; did you mean check?", "[COMMAND]", ["check"]),
        (["help", "chek"], "unknown command: chek; did you mean check?", "[COMMAND]", ["help", "check"]),
        (["--verbose"], "unknown option: --verbose", "[COMMAND]", ["help"]),
        (["--port=80"], "unknown option: --port=80; set PORT in .env or in the environment", "[COMMAND]", ["help"]),
        (["serve", "--log-level", "debug"], "serve: unknown option --log-level; set LOG_LEVEL in .env or in the environment", "serve",
         ["check"]),
        (["check", "--aks"], "check: unknown option --aks; did you mean --ask?", "check [FILE]", ["check", "--ask"]),
        (["check", "--verbose"], "check: unknown option --verbose; expected at most one FILE, --ask and --strict", "check [FILE]",
         ["check", "--strict"]),
        (["check", "now", "then"], "check: expected at most one FILE, --ask and --strict", "check [FILE]", ["check", "--ask"]),
        (["--config", "x.env"], "unknown option: --config; set ENV_FILE to the path of a file of settings; `check FILE` checks one",
         "[COMMAND]", ["check"]),
        (["models", "--json", "--liv"], "models: unknown option --liv; did you mean --live?", "models", ["models", "--live"]),
        (["key", "--name"], "key: unknown option --name; expected a NAME, then optionally --json; or a NAME, then members or --file FILE",
         "key NAME | key NAME MEMBER ...", ["key", "name"]),
    ],
)  # fmt: skip
def test_a_command_that_is_none(tmp_path: Path, words: list[str], line: str, usage: str, mended: list[str]) -> None:
    ended = run(words, tmp_path, SETTINGS)
    first, second, *_ = ended.stderr.splitlines()
    assert (ended.returncode, first, second) == (64, line, f"usage: relay {usage}")
    assert run(mended, tmp_path, SETTINGS).returncode == 0


@pytest.mark.parametrize(
    "words",
    ["check own.env --strict", "models --live --json", "models --json", "key team --json", "usage --by model --days 7 --json",
     "usage --bill req_1 --json", "limits team --json", "limits --digest 0123456789abcdef --json", "limits team --give-back 3.20 usd --json",
     "limits team --give-back 3usd"],
)  # fmt: skip
def test_options_stand_anywhere(tmp_path: Path, words: str) -> None:
    (tmp_path / "own.env").write_text(ECHO)
    # An option and its value stay together.
    parts = re.findall(r"--give-back (?:\S+ usd|3usd)|--(?:by|days|bill|digest) \S+|\S+", words)
    options, others = [part for part in parts if part[0] == "-"], [part for part in parts if part[0] != "-"]
    results = []
    for form in (parts, options + others, [*others[:1], *options[::-1], *others[1:]]):
        ended = run(" ".join(form).split(), tmp_path, {"PROVIDER_A_KIND": "echo", "KEY_TEAM_TOKEN": TOKEN})
        results.append((ended.returncode, re.sub(r"sk-[\w-]+|[0-9a-f]{64}", "KEY", ended.stdout), ended.stderr))
    assert results[0] == results[1] == results[2] and results[0][0] != 64


@pytest.mark.parametrize(
    "words",
    ["serve now", "config --json", "key", "key a b", "limits", "limits a b", "limits a --give-back", "limits --digest d --give-back 1 usd",
     "usage --by", "usage --by nothing", "usage --days 0", "usage --days 7 --days 8", "usage --bill", "check --json", "models x", "reload now"],
)  # fmt: skip
def test_arguments_that_do_not_belong_together(tmp_path: Path, words: str) -> None:
    ended = run(words.split(), tmp_path, SETTINGS)
    assert (ended.returncode, ended.stdout) == (64, "") and ended.stderr.startswith(f"{words.split()[0]}: ")


def test_each_command_has_its_own_help(tmp_path: Path) -> None:
    whole = run(["help"], tmp_path, {}).stdout
    names = [line.split()[0] for line in whole.partition("\n\n")[2].partition("\n\n")[0].splitlines() if line[2] != " "]
    assert {"serve", "check", "key", "limits", "usage", "help", "version"} <= set(names)
    for name in names:
        forms = [run(words, tmp_path, {}) for words in (["help", name], [name, "--help"], [name, "-h"])]
        assert all((form.returncode, form.stdout, form.stderr) == (0, forms[0].stdout, "") for form in forms), name
        head, _, text = forms[0].stdout.partition("\n\n")
        assert head.startswith(f"usage: relay {name}") and text in whole and text.startswith(f"  {name}") and len(text.splitlines()) < 5


def test_problems_have_the_order_of_the_file(tmp_path: Path) -> None:
    lines = ["PORT=70000", "RATE_LIMT=3", "PORT=80", "FOO", "KEY_B_MODELS=x", "RATE_LIMIT=abc", "PROVIDER_A_KIND=echo"]
    (tmp_path / ".env").write_text("\n".join(lines))
    places = [line.partition(" ")[0] for line in reported(run(["check"], tmp_path, {"THREADS": "none"}))]
    assert places == ["environment", ".env:1", ".env:2", ".env:3", ".env:4", ".env:5", ".env:6"]


def test_https_at_the_port_is_called_so_in_the_log(start_relay) -> None:
    relay = start_relay(**SETTINGS)
    with socket.create_connection(("127.0.0.1", relay.port)) as plain, pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    line = relay.wait_for_line(lambda line: line["message"] == "request")
    text = "This is TLS, but the port serves plain HTTP. Use http://, or a proxy that ends TLS."
    assert (line["status"], line["cause"]) == (400, text)
    assert local_http.get(f"http://127.0.0.1:{relay.port}/").status_code == 200


def test_a_folder_on_a_read_only_file_system(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN={TOKEN}\nDATA_DIR={tmp_path}/data\n")
    mounted = f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,bind,ro "{tmp_path}" && cd "{tmp_path}" && exec "{binary()}" check'
    # As in a container of the compose file.
    ended = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted], env=INHERITED, capture_output=True, text=True, timeout=30
    )
    if "unshare" in ended.stderr or "mount:" in ended.stderr:
        pytest.skip("this machine lets nobody mount")
    assert reported(ended) == [
        f".env:3  DATA_DIR: {tmp_path}/data cannot be made: {tmp_path} is not writable (Read-only file system); mount a volume there, as "
        "deploy/data.yml does for Compose"
    ]


def test_places_that_cannot_be_written_and_databases_that_are_none(tmp_path: Path) -> None:
    form = "postgres://user:password@host:5432/database?sslmode=verify-full"
    (tmp_path / ".env").write_text(
        f"PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN={TOKEN}\nDATA_DIR=/proc/x\nUSAGE_LOG_FILE=/proc/y\n"
        "USAGE_DATABASE_URL=postgres://relay:hidden-password@db/relay?sslmod=require\nPORT=0\n"
    )
    for words in (["check"], []):
        ended = run(words, tmp_path, {})
        problems = reported(ended)
        assert ended.returncode == 78 and problems[0].startswith(".env:3  DATA_DIR: /proc/x cannot be made: "), ended.stderr
        assert problems[1].startswith(".env:4  USAGE_LOG_FILE: /proc/y cannot be made: ")
        assert problems[2:4] == [
            f".env:5  USAGE_DATABASE_URL: libpq rejects this URL; write it as {form}", '.env:6  PORT: "0" is not a number from 1 to 65535',
        ]  # fmt: skip
        assert "hidden-password" not in ended.stderr
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca))
    (tmp_path / "damaged.pem").write_text(ca.read_text().replace("MII", "MIX"))
    for file, mode, is_good in (("ca.pem", "verify-full", True), ("damaged.pem", "require", False), ("none", "verify-ca", False), ("none", "require", True)):
        (tmp_path / ".env").write_text(
            f"PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN={TOKEN}\nUSAGE_DATABASE_URL=postgres://relay@db/relay?sslmode={mode}&sslrootcert={file}\n"
        )
        told = f'.env:3  USAGE_DATABASE_URL: sslrootcert must name a PEM file, each of whose certificates can be read; "{file}" is none'
        assert reported(run(["check"], tmp_path, {})) == ([] if is_good else [told])
    (tmp_path / ".env").write_text(f"PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN={TOKEN}\nDATA_DIR=data\nUSAGE_LOG_FILE=log\n")
    assert run(["check"], tmp_path, {}).returncode == 0
    assert not (tmp_path / "data").exists() and not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ("", "not kept; DATA_DIR keeps them for one relay, USAGE_DATABASE_URL for several (with Compose: deploy/data.yml, deploy/postgres.yml)"),
        ("USAGE_LOG_FILE=records.jsonl\n", "in USAGE_LOG_FILE only; DATA_DIR keeps them for one relay, USAGE_DATABASE_URL for several (with "
         "Compose: deploy/data.yml, deploy/postgres.yml)"),
        ("COMPOSE_FILE=docker-compose.yml:deploy/data.yml\n", "kept with Docker Compose, as COMPOSE_FILE says; else not kept"),
        ("COMPOSE_FILE=docker-compose.yml:deploy/postgres.yml:own.yml\n", "kept with Docker Compose, as COMPOSE_FILE says; else not kept"),
        ("COMPOSE_FILE=docker-compose.yml:deploy/data.yml\nDATA_DIR=data\n", "in DATA_DIR, data"),
        ("DATA_DIR=data\nUSAGE_DATABASE_URL=postgres://relay@db/relay\n", "in the database of USAGE_DATABASE_URL"),
    ],
)  # fmt: skip
def test_it_says_where_records_are_kept(tmp_path: Path, settings: str, place: str) -> None:
    (tmp_path / ".env").write_text(f"PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN={TOKEN}\n{settings}")
    ended = run(["check"], tmp_path, {})
    read = f"settings: {tmp_path}/.env and the environment"
    assert (ended.returncode, ended.stdout) == (0, f"{read}\nconfiguration: no problems\nusage records: {place}\n")


def test_it_says_which_file_was_read(tmp_path: Path) -> None:
    alone = run(["check"], tmp_path, SETTINGS)
    assert alone.stdout.splitlines()[0] == f"settings: the environment alone; there is no .env in {tmp_path}"
    (tmp_path / "own.env").write_text(ECHO)
    for words, environment in (["check", "own.env"], {}), (["check"], {"ENV_FILE": "own.env"}):
        named = run(words, tmp_path, environment)
        assert (named.returncode, named.stdout.splitlines()[0]) == (0, f"settings: {tmp_path}/own.env and the environment")
    other = run(["check", str(tmp_path / "own.env"), "--strict"], tmp_path, {"ENV_FILE": "missing.env"})
    assert (other.returncode, other.stdout.splitlines()[0]) == (0, f"settings: {tmp_path}/own.env and the environment")
    missing = run(["check", "no.env"], tmp_path, {})
    assert missing.returncode == 78
    assert reported(missing) == ["no.env  no.env: No such file or directory; put the file there, or correct the path"]


def test_warnings_are_counted_and_fail_if_wanted(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN=short\n")
    assert run(["check"], tmp_path, {}).stdout.splitlines()[1] == "configuration: no problems, 1 warning"
    (tmp_path / ".env").write_text("PROVIDER_A_KIND=echo\nKEY_TEAM_TOKEN=short\nMETRICS_TOKEN=small\n")
    for words, status in (["check"], 0), (["check", "--strict"], 78):
        ended = run(words, tmp_path, {})
        assert (ended.returncode, ended.stdout.splitlines()[1]) == (status, "configuration: no problems, 2 warnings")


def test_no_settings_at_all(tmp_path: Path) -> None:
    ended = run(["check"], tmp_path, {"PORT": "5001"})
    assert (ended.returncode, reported(ended)) == (0, [
        f"the environment alone; there is no .env in {tmp_path}  no caller and no provider is set, so everybody with a 1min.ai key may use "
        "this relay; write settings into .env there, or set ENV_FILE to the path of their file"
    ])  # fmt: skip
    (tmp_path / ".env").write_text("PORT=5001\n")
    assert reported(run(["check"], tmp_path, {})) == []


def test_few_descriptors(tmp_path: Path) -> None:
    limited = ["sh", "-c", f"ulimit -n 64; exec '{binary()}' check"]
    ended = subprocess.run(limited, env=INHERITED | SETTINGS, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert reported(ended) == [
        "environment  this process may open only 64 files and connections; raise `ulimit -n` (LimitNOFILE of systemd, --ulimit of Docker) to "
        "1024 or more"
    ]


def test_the_package_s_settings_are_read_if_there_are_no_others(tmp_path: Path) -> None:
    mounted = f'mount -t tmpfs none /etc && mkdir /etc/relay && printf "%s" "$0" >/etc/relay/relay.env && cd "{tmp_path}" && exec "{binary()}" check'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted, ECHO]

    def first() -> str:
        ended = subprocess.run(words, env=INHERITED, capture_output=True, text=True, timeout=30)
        if "unshare" in ended.stderr or "mount:" in ended.stderr:
            pytest.skip("this machine lets nobody mount")
        return ended.stdout.partition("\n")[0]

    assert first() == "settings: /etc/relay/relay.env and the environment"
    (tmp_path / ".env").write_text(ECHO)
    assert first() == f"settings: {tmp_path}/.env and the environment"


def test_a_file_of_settings_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.mkdir()
    ended = run(["check"], tmp_path, {})
    assert reported(ended) == [".env  .env: Is a directory; set the path of a file, this is a folder"]
    file.rmdir()
    file.write_bytes("PORT=5001\n".encode("utf-16"))
    ended = run(["check"], tmp_path, {})
    assert reported(ended) == [".env  this file is UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"]
    converted = subprocess.run(["iconv", "-f", "UTF-16", "-t", "UTF-8", str(file)], capture_output=True, check=True)
    file.write_bytes(converted.stdout)
    assert run(["check"], tmp_path, {}).stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_another_user_may_not_read_or_have(tmp_path: Path) -> None:
    relay = tmp_path / "relay"
    relay.write_bytes(binary().read_bytes())
    # The folders of the tests are for one user alone.
    for path in (relay, *takewhile(lambda folder: folder != Path(tempfile.gettempdir()), (tmp_path, *tmp_path.parents))):
        path.chmod(0o755)
    file = tmp_path / ".env"
    file.write_text("HOST=127.0.0.1\nPORT=80\n")
    file.chmod(0o600)

    def as_nobody(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(relay), *words], env=INHERITED, cwd=tmp_path, capture_output=True, text=True, timeout=30, user=65534
        )

    unreadable = as_nobody("check")
    advice = "make it readable for user 65534, or set another path"
    assert reported(unreadable) == [f".env  .env: Permission denied; {advice}"], unreadable.stderr
    file.chmod(0o644)
    assert as_nobody("check").stderr == ""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 65534, 65534)
    (data / "usage.db").write_text("")
    (data / "usage.db").chmod(0o600)
    file.write_text(file.read_text() + f"DATA_DIR={data}\n")
    foreign = f".env:3  DATA_DIR: {data}/usage.db is not writable (Permission denied); run `chown -R 65534` on its folder"
    assert reported(as_nobody("check")) == [foreign]
    (data / "usage.db").unlink()
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        return
    refused = as_nobody()
    text = "cannot listen on 127.0.0.1 port 80: Permission denied; set PORT to 1024 or more, lower ones need CAP_NET_BIND_SERVICE"
    assert refused.returncode == 1 and text in refused.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7"])
def test_an_address_that_cannot_be_had(tmp_path: Path, host: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = run([], tmp_path, {"HOST": host, "PORT": str(port)})
    reason = {
        "127.0.0.1": "Address already in use; set PORT to a free port, or stop the program that uses it (`ss -ltnp` shows which)",
        "192.0.2.7": "Cannot assign requested address; set HOST to an address of this machine, or to 0.0.0.0 for all",
    }[host]
    assert ended.returncode == 1 and f"cannot listen on {host} port {port}: {reason}" in ended.stderr


def test_a_taken_port_of_the_admin_pages(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        own = f"127.0.0.1:{other.getsockname()[1]}"
        ended = run([], tmp_path, {"PORT": str(free_port()), "ADMIN_PASSWORD": TOKEN, "ADMIN_LISTEN": own})
    assert ended.returncode == 1 and "set the port of ADMIN_LISTEN to a free port, or" in ended.stderr


def test_another_key_for_a_caller_that_has_one_is_announced(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(ECHO + f"KEY_CLASS_SECRET={TOKEN}-and-more-of-it-for-a-secret\n")
    second = run(["key", "team"], tmp_path, {})
    assert second.stderr == (
        "key: KEY_TEAM_TOKEN is set already (.env:2); the new key replaces the present one, or is a second one as "
        "KEY_TEAM_TOKEN=NEW,PRESENT\n"
    )
    assert second.returncode == 0 and second.stdout.startswith("KEY_TEAM_TOKEN=sk-relay-")
    other = run(["key", "class", "--json"], tmp_path, {})
    assert other.stderr == (
        "key: KEY_CLASS_SECRET is set already (.env:3); a caller has only one of it and KEY_CLASS_TOKEN, so choose another NAME\n"
    )
    assert run(["key", "new"], tmp_path, {}).stderr == ""


@pytest.mark.parametrize("words", ["help", "version", "check", "config", "models", "key new"])
def test_output_that_cannot_be_written_is_a_failure(tmp_path: Path, words: str) -> None:
    (tmp_path / ".env").write_text(ECHO)
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [str(binary()), *words.split()], env=INHERITED, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30
        )
    assert ended.stderr.endswith("relay: the output cannot be written: No space left on device\n")
    assert ended.returncode == 74
