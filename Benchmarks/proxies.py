"""The proxies to compare with: nginx and HAProxy, each with the configuration beside this file."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import processes
from processes import HERE, Program, Setup, free_ports


@contextmanager
def nginx(setup: Setup, upstream_port: int, threads: int | None, connections: int = 1024, logs: bool = True) -> Iterator[Program]:
    """nginx with `connections` for each worker; `threads` None: a worker for each core. One with a log and one
    without may run at once."""
    name = "nginx" if logs else "nginx, no log"
    folder = _fresh(setup, name)
    whole_port, stream_port, upload_port = free_ports(3)
    group = grp.getgrgid(pwd.getpwuid(os.geteuid()).pw_gid).gr_name
    path = _configured("nginx.conf", folder, {
        "WORKERS": str(threads or "auto"),
        "DESCRIPTORS": str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        "FOLDER": str(folder),
        "LOG": f"{folder / 'access.log'} line" if logs else "off",
        "USER": f"user {getpass.getuser()} {group};" if os.geteuid() == 0 else "",
        "CONNECTIONS": str(connections),
        "UPSTREAM": str(upstream_port),
        "WHOLE_PORT": str(whole_port),
        "STREAM_PORT": str(stream_port),
        "UPLOAD_PORT": str(upload_port),
        "REUSE": "" if threads == 1 else "reuseport",
    })
    errors = folder / "error.log"
    begun = time.monotonic()
    process = subprocess.Popen([setup.nginx, "-p", folder, "-e", errors, "-c", path], text=True)
    with processes.stopping(process):
        program = Program(name, "onemin", process, whole_port, stream_port, upload_port)
        processes.await_first_answer(program, begun, errors)
        yield program


@contextmanager
def haproxy(setup: Setup, upstream_port: int, threads: int | None, connections: int = 1024) -> Iterator[Program]:
    """HAProxy for `connections` at the same time in all; `threads` None: a thread for each core. Its log lines go to
    its standard output, which is a file."""
    folder = _fresh(setup, "haproxy")
    port = free_ports(1)[0]
    path = _configured("haproxy.cfg", folder, {
        "THREADS": str(threads or os.cpu_count() or 1),
        "CONNECTIONS": str(connections),
        "UPSTREAM": str(upstream_port),
        "PORT": str(port),
    })
    errors = folder / "error.log"
    with open(folder / "access.log", "w") as lines, open(errors, "w") as complaints:
        begun = time.monotonic()
        process = subprocess.Popen([setup.haproxy, "-db", "-f", path], stdout=lines, stderr=complaints, text=True)
        with processes.stopping(process):
            program = Program("haproxy", "onemin", process, port, port)
            processes.await_first_answer(program, begun, errors)
            yield program


def _fresh(setup: Setup, name: str) -> Path:
    """Returns the folder of a proxy, without the log of an earlier run."""
    folder = setup.folder / processes.file_name(name)
    folder.mkdir(exist_ok=True)
    (folder / "access.log").unlink(missing_ok=True)
    return folder


def _configured(template: str, folder: Path, values: dict[str, str]) -> Path:
    path = folder / template
    path.write_text(processes.filled((HERE / template).read_text(), values))
    return path
