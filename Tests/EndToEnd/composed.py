"""A stand-in for `docker`, as deploy/replace calls it: each container of the service `relay` is a process of this machine.

It runs as the compose files of the present folder say: their environment, their volumes as folders, no other folder to
write into. COMPOSED names the folder of its state; COMPOSED_MEMCACHED (`host:port`) and COMPOSED_POSTGRES (a URL) are what
runs in place of the other services, COMPOSED_RELAY is the program, and COMPOSED_PORTS has free ports. It imports little,
because deploy/replace runs it often.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

STATE = Path(os.environ["COMPOSED"])
CONTAINERS = STATE / "containers"
WRITTEN = dict(re.findall(r"^(\w+)=(\S*)", Path(".env").read_text(), re.MULTILINE))
"""What `.env` says to Compose."""


def filled(text: str) -> str:
    """Fills in `${NAME}`, `${NAME:-other}` and `${NAME-other}`."""

    def value(found: re.Match[str]) -> str:
        name, rule, other = found.groups()
        given = WRITTEN.get(name)
        return other or "" if given is None or (rule == ":-" and not given) else given

    return re.sub(r"\$\{(\w+)(?:(:?-)([^}]*))?\}", value, text)


def project() -> dict[str, Any]:
    """Returns the compose files as one, by Compose's rules for what they have."""
    services: dict[str, Any] = {}
    volumes: set[str] = set()
    for name in WRITTEN.get("COMPOSE_FILE", "docker-compose.yml").split(":"):
        content = yaml.safe_load(filled(Path(name).read_text()))
        volumes |= set(content.get("volumes", {}))
        for service, more in content["services"].items():
            known = services.setdefault(service, {})
            for field, value in more.items():
                if field in ("environment", "secrets") and field in known:
                    known[field] = known[field] | value
                elif field in ("volumes", "depends_on") and field in known:
                    known[field] = known[field] + [one for one in value if one not in known[field]]
                else:
                    known[field] = value
    return {"services": services, "volumes": volumes}


def environment() -> dict[str, str]:
    """Returns the environment of a new relay, with the paths and hosts of this machine."""
    known = project()
    services, relay = known["services"], known["services"]["relay"]
    assert relay["read_only"] and relay["volumes"]
    folders = {}
    for volume in relay["volumes"]:
        source, target, *_ = volume.split(":")
        assert source.startswith(".") or source in known["volumes"], f"{source} is no volume of the compose files"
        folders[target] = Path(source).resolve() if source.startswith(".") else STATE / "volumes" / source
        if not source.startswith("."):
            folders[target].mkdir(parents=True, exist_ok=True)
    settings = {name: str(value) for name, value in relay["environment"].items()}
    for name in ("ENV_FILE", "DATA_DIR"):
        if name in settings:
            settings[name] = str(folders[settings[name]])
    assert settings["MEMCACHED_HOST"] == "memcached" and services["memcached"]["networks"][0] in relay["networks"]
    settings["MEMCACHED_HOST"], settings["MEMCACHED_PORT"] = os.environ["COMPOSED_MEMCACHED"].split(":")
    if "USAGE_DATABASE_URL" in settings:
        server = services["postgres"]
        assert set(server["networks"]) & set(relay["networks"]) and "postgres" in relay["depends_on"]
        assert settings["USAGE_DATABASE_URL"] == f"postgres://{server['environment']['POSTGRES_USER']}@postgres/relay"
        settings["USAGE_DATABASE_URL"] = os.environ["COMPOSED_POSTGRES"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSED")}
    return inherited | settings | {"HOST": "127.0.0.1"}


def all_containers() -> list[dict[str, Any]]:
    return sorted((json.loads(file.read_text()) for file in CONTAINERS.glob("*.json")), key=lambda one: one["number"])


def runs(container: dict[str, Any]) -> bool:
    try:
        return Path(f"/proc/{container['pid']}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def health(container: dict[str, Any]) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", container["port"], timeout=10)
    try:
        connection.request("GET", "/health")
        return "healthy" if connection.getresponse().status == 200 else "unhealthy"
    except OSError:
        return "starting"
    finally:
        connection.close()


def up(count: int) -> None:
    listed = all_containers()
    first = max((one["number"] for one in listed), default=0) + 1
    for number in range(first, first + count - len(listed)):
        name, port = f"c{number}", os.environ["COMPOSED_PORTS"].split()[number]
        with (STATE / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [os.environ["COMPOSED_RELAY"]], env=environment() | {"PORT": port}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        container = {"id": name, "number": number, "pid": process.pid, "port": int(port)}
        (CONTAINERS / f"{name}.new").write_text(json.dumps(container))
        (CONTAINERS / f"{name}.new").rename(CONTAINERS / f"{name}.json")


def stop(container: dict[str, Any]) -> None:
    os.kill(container["pid"], signal.SIGTERM)
    ends = time.monotonic() + 40
    while runs(container):
        assert time.monotonic() < ends, "the relay does not end"
        time.sleep(0.02)


def compose(words: list[str]) -> None:
    match words:
        case ["version"] | ["build", "relay"] | ["rm", "--force", "relay"]:
            pass
        case ["ps", "--quiet", "relay"]:
            print("".join(f"{one['id']}\n" for one in all_containers()), end="")
        case ["up", "-d"]:
            up(int(WRITTEN.get("RELAYS", "1")))
        case ["up", "--detach", "--no-deps", "--no-build", "--no-recreate", *scale, "relay"]:
            up(int(scale[1].removeprefix("relay=") if scale else WRITTEN.get("RELAYS", "1")))
        case _:
            sys.exit(f"compose is called as it never is: {words}")


def main(words: list[str]) -> None:
    CONTAINERS.mkdir(exist_ok=True)
    if words[0] == "compose":
        return compose(words[1:])
    [container] = [one for one in all_containers() if one["id"] in words]
    match words:
        case ["inspect", "--format", form, _]:
            state = {".Name": f"/{container['id']}", ".RestartCount": 0, ".State.Status": "running" if runs(container) else "exited"}
            if "Health" in form:
                state[".State.Health.Status"] = health(container)
            print(re.sub(r"\{\{(.*?)\}\}", lambda found: str(state[found[1]]), form))
        case ["logs", "--tail", "20", name]:
            print("\n".join((STATE / f"{name}.log").read_text().splitlines()[-20:]))
        case ["stop", _]:
            stop(container)
        case ["rm", *_, name]:
            if runs(container):
                os.kill(container["pid"], signal.SIGKILL)
            (CONTAINERS / f"{name}.json").unlink()
        case _:
            sys.exit(f"docker is called as it never is: {words}")


if __name__ == "__main__":
    main(sys.argv[1:])
