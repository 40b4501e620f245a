"""The rows of the storm: a vendor's kind, the way in which it fails, and the other providers.

Each row has a model and providers of its own, since breakers open and keys rest. A key names its row, and whether it fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cloudflare_vendor import ACCOUNT
from vendor_faults import AFTER_ITS_BEGINNING, GOOD, WIRES, Cell

FAULTS = [
    "refuses connections", "resets at once", "resets in its answer", "500", "429", "401", "cuts at once", "cuts in its answer", "never answers",
    "stalls in its answer", "breaks its JSON", "fails in its answer", "says too much",
]  # fmt: skip
OFTEN = ["resets at once", "500", "429", "cuts in its answer", "breaks its JSON", "never answers"]
OF_KEYS = ["401", "402", "429"]
OF_TIME = {"never answers", "stalls in its answer"}
FLOODS = {"says too much", "says too much in its answer"}
SHORT = {"TIMEOUT": "2s", "IDLE_TIMEOUT": "2s", "TOTAL_TIMEOUT": "4s"}
LONG = {"TIMEOUT": "20s", "IDLE_TIMEOUT": "20s", "TOTAL_TIMEOUT": "30s"}
"""Of those that answer soon: on a slow machine this takes longer than the others have."""
GOOGLE = {"PROJECT_ID": "my-project", "CLIENT_ID": "id-1", "CLIENT_SECRET": "secret-of-the-client"}


@dataclass(frozen=True)
class Shape:
    """A shape of providers. `providers`: the keys of each, in the order of their priority; `bad` ones fail, others are
    good."""

    providers: tuple[tuple[str, ...], ...]
    faults: list[str]
    is_panel: bool = False
    is_cached: bool = False
    """Its requests are equal."""


SHAPES = {
    "alone": Shape((("bad",),), FAULTS),
    "fallback": Shape((("bad",), ("good",)), FAULTS),
    "two": Shape((("bad",), ("bad",)), OFTEN),
    "keys": Shape((("bad-1", "bad-2"),), OFTEN),
    "next-key": Shape((("bad", "good"),), OF_KEYS),
    "panel": Shape((("bad",), ("good",)), OFTEN, is_panel=True),
    "cached": Shape((("bad",), ("good",)), OFTEN, is_cached=True),
    # One after the other asks.
    "cached-alone": Shape((("bad",),), [fault for fault in OFTEN if fault not in OF_TIME], is_cached=True),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    kind: str
    fault: str
    shape_name: str

    @property
    def shape(self) -> Shape:
        return SHAPES[self.shape_name]

    @property
    def model(self) -> str:
        words = re.sub("[^a-z0-9]+", "-", f"{self.kind} {self.fault}".lower())
        return f"{self.shape_name}-{words}"

    @property
    def count(self) -> int:
        """The number of requests at once. Each flood uses up to 64 MB."""
        return 3 if self.fault in FLOODS else 40

    @property
    def is_saved(self) -> bool:
        return any("good" in keys for keys in self.shape.providers)

    def explains(self, status: int, is_streamed: bool) -> bool:
        """Returns whether the row's fault explains a failure of this status, or one in a stream that was begun
        (200)."""
        if status == 200:
            return is_streamed and self.fault in AFTER_ITS_BEGINNING and not self.shape.is_panel
        known = Cell(self.kind, self.fault, is_streamed, True).status
        # Time may be up before a first text has come, or all of a flood.
        return not self.is_saved and status in ({known, 504} if self.fault in FLOODS | OF_TIME else {known})

    def passes_on(self, status: int, kind: str) -> bool:
        """Returns whether a failure is the vendor's own: Messages go on to Claude as they came, and so do its errors."""
        is_of_claude = self.kind == "anthropic" or "claude" in self.kind
        # That fault is an error of 500 in a stream, which may come in place of a whole message.
        failure = "500" if self.fault == "fails in its answer" else self.fault
        return is_of_claude and kind.endswith("message") and not self.is_saved and failure == str(status)

    @property
    def may_be_answered(self) -> bool:
        return self.is_saved or self.fault in GOOD

    def settings(self, url: str, dead_url: str) -> Iterator[tuple[str, str]]:
        name = self.model.upper().replace("-", "_")
        member = f"{self.model}-member" if self.shape.is_panel else self.model
        for at, keys in enumerate(self.shape.providers):
            is_bad = keys[0].startswith("bad")
            kind = self.kind if is_bad else "openai"
            fields = {
                "KIND": kind, "PRIORITY": str(at if self.is_saved else 1), "MODELS": f"{member}={WIRES[kind].model}",
                "API_KEYS": ",".join(f"cell-{self.model}-as-{key}-key" for key in keys), "COST": "0.01/0.02",
                "BASE_URL": dead_url if is_bad and self.fault == "refuses connections" else url,
            } | (SHORT if is_bad and self.fault in OF_TIME else LONG)  # fmt: skip
            if kind == "cloudflare":
                fields["ACCOUNT_ID"] = ACCOUNT
            if kind.startswith("vertexai"):
                fields |= GOOGLE | {"REFRESH_TOKEN": fields.pop("API_KEYS"), "TOKEN_URL": f"{url}/token"}
            yield from ((f"PROVIDER_{name}_{at}_{field}", value) for field, value in fields.items())
        if self.shape.is_panel:
            members = f"{name.lower().replace('_', '-')}-0/{member},healthy"
            fields = {"NAME": self.model, "MODELS": members, "SUMMARY_MODEL": "healthy", "RETRY_DELAY": "10ms", "ATTEMPTS": "2"}
            yield from ((f"PANEL_{name}_{field}", value) for field, value in fields.items())


ROWS = [
    Row(kind, fault, name)
    for name, shape in SHAPES.items()
    for kind in WIRES
    for fault in shape.faults
    # An account of Google has one refresh token.
    if not (len(shape.providers[0]) > 1 and kind.startswith("vertexai"))
]
BY_MODEL = {row.model: row for row in ROWS}
