"""Settings of relays that differ in one number: callers, limits, providers, models."""

from __future__ import annotations

from dataclasses import dataclass

ASKED_MODEL = "gpt-4o-mini"
FIRST_TOKEN, ASKED_TOKEN = "bench-key-0123456789", "bench-key-0000000000"  # of the first answer's request, and of the load's
SMALL = {"callers": 1, "limits": 1, "providers": 1, "other providers": 0, "models": 10}
NUMBERS = tuple(SMALL)


@dataclass(frozen=True)
class Step:
    """A number that grows while the others stay as in SMALL. percent: the largest allowed growth of the
    instructions."""

    name: str
    before: int
    after: int
    bound: float | None = None


# A second provider brings the choice among them and what it takes to ask another; the further ones are more of the same.
STEPS = [
    Step("callers", 1, 1_000),
    Step("limits", 1, 100),
    Step("providers", 1, 2),
    Step("providers", 2, 50, bound=1.0),
    Step("other providers", 0, 49, bound=1.0),
    Step("models", 10, 1_000, bound=1.0),
]


def settings(numbers: dict[str, int]) -> dict[str, str]:
    """Each provider serves all models, with a key of its own, the other providers one that nobody asks for; each limit
    has a window of its own, and never refuses."""
    callers, limits, providers, others, models = (numbers[name] for name in NUMBERS)
    served = ",".join([ASKED_MODEL, *(f"model-{number}" for number in range(1, models))])
    listed = {"PROVIDERS": ",".join(f"P{number}" for number in range(providers + others))}
    for number in range(providers + others):
        listed |= {
            f"PROVIDER_P{number}_KIND": "onemin",
            f"PROVIDER_P{number}_API_KEYS": f"vendor-key-{number:010}",
            f"PROVIDER_P{number}_MODELS": served if number < providers else "unasked-model",
        }
    for number in range(callers - 1):
        listed[f"KEY_C{number}_TOKEN"] = f"other-key-{number:010}"
    listed["KEY_ASKING_TOKEN"] = f"{FIRST_TOKEN},{ASKED_TOKEN}"
    listed["RATE_LIMIT"] = ";".join(f"1000000000/{60 + number} seconds" for number in range(limits))
    return listed


def grown(before: float, after: float) -> float:
    """Returns the growth in percent."""
    return (after / before - 1) * 100


def is_missed(step: Step, percent: float) -> bool:
    return step.bound is not None and percent > step.bound
