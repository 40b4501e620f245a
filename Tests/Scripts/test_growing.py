"""Relays that are alike but for one number."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "Benchmarks"))

import growing


def counts(settings: dict[str, str]) -> dict[str, int]:
    lists = [settings[f"PROVIDER_{name}_MODELS"] for name in settings["PROVIDERS"].split(",")]
    return {
        "callers": sum(name.startswith("KEY_") for name in settings),
        "limits": len(settings["RATE_LIMIT"].split(";")),
        "providers": sum(served.startswith(growing.ASKED_MODEL) for served in lists),
        "other providers": sum(served == "unasked-model" for served in lists),
        "models": len(settings["PROVIDER_P0_MODELS"].split(",")),
    }


@pytest.mark.parametrize("name", growing.NUMBERS)
def test_settings_have_the_numbers_that_they_were_asked_for(name: str) -> None:
    asked = growing.SMALL | {name: growing.LARGE[name]}
    assert counts(growing.settings(asked)) == asked


def test_only_bounded_growth_is_missed() -> None:
    assert growing.missed({"callers": 90, "limits": 90, "providers": 1.0, "other providers": -2.0, "models": 1.1}) == ["models"]
