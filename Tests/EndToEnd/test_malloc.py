"""The tunables of malloc, for which the relay restarts itself: they are in the environment of the serving process."""

import os
from pathlib import Path

import pytest
from rawhttp import ECHO_RELAY
from relay_process import Relay, binary, preloads

TUNED = "glibc.malloc.tcache_count=32"


def environment(process: int) -> str:
    """Returns the entries, each behind a colon: glibc 2.36 ends the tunables where their colons are."""
    return ":" + Path(f"/proc/{process}/environ").read_bytes().decode().replace("\0", ":")


@pytest.mark.parametrize(
    ("given", "then"),
    [
        (None, TUNED),
        ("glibc.malloc.arena_max=4", f"glibc.malloc.arena_max=4:{TUNED}"),
    ],
    ids=["not given", "others given"],
)
def test_the_process_that_serves_has_them(given: str | None, then: str) -> None:
    relay = Relay(ECHO_RELAY | {"GLIBC_TUNABLES": given})
    try:
        found = environment(relay.process.pid)
        assert f":GLIBC_TUNABLES={then}:" in found and found.count("tcache_count") == then.count("tcache_count")
        assert all(f":{name}={value}:" in found for name, value in ECHO_RELAY.items())
        folder = Path(f"/proc/{relay.process.pid}")
        assert (folder / "comm").read_text() == "relay\n"
        assert (folder / "cmdline").read_bytes() == os.fsencode(binary()) + b"\0"
        assert not [line for line in relay.log_lines() if line["message"] == "configuration"]
    finally:
        relay.stop()


@preloads
def test_valgrind_goes_on_with_the_program_that_it_runs(tmp_path: Path) -> None:
    """The kernel has valgrind's own program at /proc/self/exe. A library with the name of valgrind's replaces it
    here."""
    library = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libm" in line)
    (tmp_path / "vgpreload_none.so").symlink_to(library)
    relay = Relay(ECHO_RELAY | {"GLIBC_TUNABLES": None, "LD_PRELOAD": str(tmp_path / "vgpreload_none.so")})
    try:
        assert "tcache_count" not in environment(relay.process.pid)
    finally:
        relay.stop()
