"""A real PostgreSQL of the tests, which they stop, pause and query."""

import subprocess
import tempfile
from pathlib import Path

from relay_process import ROOT

PROGRAM = ROOT / "Tests" / "postgres-server"
PASSWORD = "pass-word-of-the-database"


class Postgres:
    """A server on a socket; `url` contains its password."""

    def __init__(self, *start: str) -> None:
        """Starts the server: for `start`, the seconds after which it ends by itself and its memory, see the program."""
        self.folder = Path(tempfile.mkdtemp(prefix="relay-pg."))
        self.folder.chmod(0o755)
        self.place = self.folder / "server"
        self.url = f"postgresql://relay:{PASSWORD}@/postgres?host={self.place}"
        self.run("init", PASSWORD)
        self.run("start", *start)

    def run(self, command: str, *more: str) -> None:
        # Its output is not kept: the server would hold the pipe open.
        subprocess.run([PROGRAM, command, self.place, *more], check=True, stdin=subprocess.DEVNULL, timeout=60)

    def remove(self) -> None:
        self.run("remove")
        self.folder.rmdir()

    def ask(self, sql: str) -> list[list[str]]:
        """Returns the rows of a query. An empty text also stands for no value."""
        command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t", self.url, "--command", sql]
        got = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
        return [line.split("\t") for line in got.stdout.splitlines()]
