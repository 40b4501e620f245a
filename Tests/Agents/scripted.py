"""A scripted model: it knows by a mark in its own last turn which step comes next, whatever wire the history came by."""

import json
from dataclasses import dataclass, field
from typing import Any

import onemin_acting


@dataclass(frozen=True)
class Call:
    """A call of a tool. `arguments` of a freeform tool are a string."""

    name: str
    arguments: dict[str, Any] | str

    def fields(self) -> dict[str, Any]:
        """Returns the arguments as those of a function."""
        return {"input": self.arguments} if isinstance(self.arguments, str) else self.arguments


@dataclass(frozen=True)
class Reply:
    """One turn of the model. `thought`: its reasoning, empty if it has none that may be read."""

    text: str
    calls: tuple[Call, ...] = ()
    thought: str | None = None


SUMMARIES = ("Respond with TEXT ONLY", "CONTEXT CHECKPOINT COMPACTION", "Summarise the conversation above")
"""Words of the programs, and of the relay, by which a request for a summary of the conversation is known."""


@dataclass
class Script:
    """The model's turns."""

    steps: list[Reply]
    aside: str = "A title"
    """The response to requests without tools that are no request for a summary."""
    failures: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The response in place of the first reply to a step, as `openai_vendor` describes it."""
    summaries: int = 0
    """How many summaries were asked for."""

    def reply(self, turns: list[Any], *, has_tools: bool) -> tuple[int | None, Reply]:
        """Returns the number and the content of the step that follows these turns. After the last one all is done."""
        at = max(map(int, onemin_acting.MARK.findall(json.dumps(turns))), default=-1) + 1
        if any(words in json.dumps(turns[-1]) for words in SUMMARIES):
            self.summaries += 1
            return None, Reply(f"<summary>Step {at - 1} of the script. So it was.</summary>")
        if not has_tools:
            return None, Reply(self.aside)
        step = self.steps[at] if at < len(self.steps) else Reply("")
        return at, Reply(onemin_acting.next_step(json.dumps(turns), [step.text for step in self.steps]), step.calls, step.thought)
