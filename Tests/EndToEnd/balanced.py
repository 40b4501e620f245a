"""Relays with several providers of one model, which the fake vendor distinguishes by their keys."""

import uuid
from collections.abc import Callable
from typing import Any

from chat import CHAT_PATH, MODEL


class Providers:
    """Keys by provider: `keys["a"]` has the keys of provider `a`. All serve MODEL."""

    def __init__(self, vendor: Any, remember: Callable[[str], None], **counts: int) -> None:
        self.vendor = vendor
        self.keys = {name: [f"own-{uuid.uuid4().hex}" for _ in range(count)] for name, count in counts.items()}
        for keys in self.keys.values():
            for key in keys:
                remember(key)

    def settings(self, **more: Any) -> dict[str, Any]:
        settings: dict[str, Any] = {"ANONYMOUS_MODELS": "all"}
        for name, keys in self.keys.items():
            prefix = f"PROVIDER_{name.upper()}_"
            settings |= {
                prefix + "KIND": "onemin", prefix + "BASE_URL": self.vendor.base_url,
                prefix + "API_KEYS": ",".join(keys), prefix + "MODELS": MODEL,
            }  # fmt: skip
        return settings | more

    def answers(self, name: str, *scenarios: dict[str, Any]) -> None:
        """Scripts the response to all keys of a provider."""
        for key in self.keys[name]:
            self.vendor.answers(key, *scenarios)

    def counts(self, name: str) -> list[int]:
        """Returns the number of chat calls by each key of a provider."""
        return [len(self.vendor.requests(key, CHAT_PATH)) for key in self.keys[name]]

    def order(self) -> str:
        """Returns the providers in the order of their calls so far."""
        calls = [
            (request["number"], name)
            for name, keys in self.keys.items()
            for key in keys
            for request in self.vendor.requests(key, CHAT_PATH)
        ]
        return "".join(name for _, name in sorted(calls))


def assert_apart(times: list[float], bound: int) -> None:
    """Asserts that no more calls than `bound` reached the vendor in a second, less what the machine may be late with one."""
    for first, last in zip(times, times[bound:], strict=False):
        assert last - first > 0.7, (first, last)


def places(providers: Providers, path: str = CHAT_PATH) -> list[str]:
    """Returns provider and key of each call so far, in their order."""
    calls = [
        (request["number"], f"{name}{at}")
        for name, keys in providers.keys.items()
        for at, key in enumerate(keys)
        for request in providers.vendor.requests(key, path)
    ]
    return [place for _, place in sorted(calls)]
