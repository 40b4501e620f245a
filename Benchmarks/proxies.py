"""The proxies to compare with: nginx and HAProxy, each with the configuration beside this file."""

from __future__ import annotations

import csv
import getpass
import grp
import io
import os
import pwd
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import processes
from processes import HERE, Program, Setup, free_ports


@contextmanager
def nginx(
    setup: Setup, upstream_port: int, threads: int | None, connections: int = 1024, logs: bool = True, scheme: str = "http"
) -> Iterator[Program]:
    """nginx with `connections` for each worker; `threads` None: a worker for each core; `scheme`: of the vendor's address.
    One with a log and one without may run at once."""
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
        "SCHEME": scheme,
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


@dataclass(frozen=True)
class Front:
    """A port where the fake vendor is behind TLS, and the certificate to trust."""

    port: int
    certificate: Path
    statistics_port: int

    def accepted(self) -> int:
        """The number of connections that the front has accepted, including that of this request."""
        with urlopen(f"http://127.0.0.1:{self.statistics_port}/;csv", timeout=10) as told:
            rows = csv.DictReader(io.StringIO(told.read().decode().removeprefix("# ")))
            return sum(int(row["conn_tot"]) for row in rows if row["svname"] == "FRONTEND")


@contextmanager
def tls_front(setup: Setup, vendor_port: int, connections: int = 1024) -> Iterator[Front]:
    """HAProxy in front of the fake vendor, for `connections` at the same time."""
    folder = _fresh(setup, "tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, stderr=subprocess.DEVNULL)
    both = folder / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    port, statistics_port = free_ports(2)
    path = _configured("tls.cfg", folder, {
        "CONNECTIONS": str(connections), "PORT": str(port), "CERTIFICATE": str(both), "UPSTREAM": str(vendor_port),
        "STATISTICS_PORT": str(statistics_port),
    })
    process = subprocess.Popen([setup.haproxy, "-db", "-f", path], text=True)
    with processes.stopping(process):
        while process.poll() is None and not processes.is_open(port):
            time.sleep(0.02)
        yield Front(port, certificate, statistics_port)


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
