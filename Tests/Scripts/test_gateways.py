"""The parsing of the requirements and of pip's output, for the gateways beside the relay."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "Benchmarks"))

import gateway_programs
from processes import HERE


def test_each_pinned_package_has_a_command() -> None:
    pinned = gateway_programs.packages((HERE / "gateways-requirements.txt").read_text())
    assert pinned.keys() == gateway_programs.COMMANDS.keys()
    assert all("==" in requirement for requirement in pinned.values())


def test_names_are_without_extras_and_versions() -> None:
    assert gateway_programs.packages("# a note\n\na[b]==1\nc==2\n") == {"a": "a[b]==1", "c": "c==2"}


def test_the_last_error_is_the_reason() -> None:
    output = "Collecting a\nERROR: Could not find a version (from versions: none)\nERROR: No matching distribution found for a==1\n"
    assert gateway_programs.reason(output) == "No matching distribution found for a==1"
    assert gateway_programs.reason("killed") == "pip failed without an error"
