"""Settings of relays that are alike but for one number: callers, limits, providers, models."""

from __future__ import annotations

ASKED_MODEL = "gpt-4o-mini"
FIRST_TOKEN, ASKED_TOKEN = "bench-key-0123456789", "bench-key-0000000000"  # of the first answer's request, and of the load's
SMALL = {"callers": 1, "limits": 1, "providers": 1, "other providers": 0, "models": 10}
LARGE = {"callers": 1_000, "limits": 100, "providers": 50, "other providers": 49, "models": 1_000}
BOUNDS_PERCENT = {"providers": 1.0, "other providers": 1.0, "models": 1.0}
NUMBERS = tuple(SMALL)


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
    """In percent."""
    return (after / before - 1) * 100


def missed(percents: dict[str, float]) -> list[str]:
    """The numbers whose growth costs more than it may."""
    return [name for name, bound in BOUNDS_PERCENT.items() if percents[name] > bound]
