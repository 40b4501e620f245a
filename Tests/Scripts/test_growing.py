"""Relays that differ in one number."""

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


@pytest.mark.parametrize("step", growing.STEPS)
def test_settings_have_the_numbers_that_they_were_asked_for(step: growing.Step) -> None:
    for count in (step.before, step.after):
        asked = growing.SMALL | {step.name: count}
        assert counts(growing.settings(asked)) == asked


def test_only_bounded_growth_is_missed() -> None:
    assert not growing.is_missed(growing.Step("limits", 1, 100), 90)
    bounded = growing.Step("models", 10, 1_000, bound=1.0)
    assert not growing.is_missed(bounded, 1.0)
    assert growing.is_missed(bounded, 1.1)
