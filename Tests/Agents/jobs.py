"""Small jobs for both programs: the turns of the model, and what must have come of them."""

import json
import re
from pathlib import Path
from typing import Any

import openai_responses
from programs import Run
from scripted import Call, Reply, Script

KINDS = {"claude": ["anthropic", "openai", "onemin"], "codex": ["openai", "responses", "anthropic", "onemin"]}
"""The kinds of vendors for each program. `responses` is the kind openai by its Responses API."""
PROMPT = "Write the file greeting.txt, read it, and count its bytes."
TEXT = "hello there\n"
DONE = "It has 12 bytes."
PATCH = "*** Begin Patch\n*** Add File: greeting.txt\n+hello there\n*** End Patch\n"


def claude_job(folder: Path) -> Script:
    """Returns a job for Claude Code: a file is written and read, a command runs, and the answer comes."""
    path = str(folder / "greeting.txt")
    return Script(
        [
            Reply("I write the file.", (Call("Write", {"file_path": path, "content": TEXT}),), "A file first."),
            Reply("I read it.", (Call("Read", {"file_path": path}),), ""),
            Reply("I count.", (Call("Bash", {"command": "wc -c greeting.txt", "description": "Count the bytes"}),)),
            Reply(DONE),
        ]
    )


def codex_job() -> Script:
    """Returns the same job for Codex, whose tool for files is freeform."""
    return Script(
        [
            Reply("I write the file.", (Call("apply_patch", PATCH),), "A file first."),
            Reply("I read it.", (Call("exec_command", {"cmd": "cat greeting.txt"}),)),
            Reply("I count.", (Call("exec_command", {"cmd": "wc -c greeting.txt"}),)),
            Reply(DONE),
        ]
    )


def long_claude_job(folder: Path) -> Script:
    """Returns eight turns in two prompts: the fourth ends the first one."""
    path = str(folder / "greeting.txt")
    edit = {"file_path": path, "old_string": "there", "new_string": "again", "replace_all": False}
    count = {"command": "wc -c greeting.txt", "description": "Count the bytes"}
    return Script(
        [
            *claude_job(folder).steps[:3],
            Reply("It has 12 bytes. Shall I go on?"),
            Reply("I edit it.", (Call("Edit", edit),), "Now the edit."),
            Reply("Both at once.", (Call("Read", {"file_path": path}), Call("Bash", count))),
            Reply("Once more.", (Call("Bash", {"command": "cat greeting.txt", "description": "Show the file"}),), ""),
            Reply(DONE),
        ]
    )


def wide_claude_job() -> Script:
    """Returns a job that uses what Claude Code has besides: a deferred tool, a search of the web, and a subagent."""
    task = {"description": "A small task", "prompt": "Step 9 of the script. Say that it is done.", "subagent_type": "general-purpose"}
    return Script(
        [
            Reply("I look for a tool.", (Call("ToolSearch", {"query": "select:WebSearch", "max_results": 1}),), "A tool first."),
            Reply("I search.", (Call("WebSearch", {"query": "relays"}),), ""),
            Reply("I delegate.", (Call("Agent", task),)),
        ]
    )


def long_codex_job() -> Script:
    """Returns eight turns in two prompts: the fourth ends the first one."""
    edit = "*** Begin Patch\n*** Update File: greeting.txt\n-hello there\n+hello again\n*** End Patch\n"
    return Script(
        [
            *codex_job().steps[:3],
            Reply("It has 12 bytes. Shall I go on?"),
            Reply("I edit it.", (Call("apply_patch", edit),), "Now the edit."),
            Reply("Both at once.", (Call("exec_command", {"cmd": "cat greeting.txt"}), Call("exec_command", {"cmd": "wc -c greeting.txt"}))),
            Reply("Once more.", (Call("exec_command", {"cmd": "cat greeting.txt"}),)),
            Reply(DONE),
        ]
    )


def full_response() -> dict[str, Any]:
    """Returns OpenAI's response to a prompt that is too long, as a vendor's script."""
    failed = {"status": "failed", "error": {"code": "context_length_exceeded", "message": "Your input exceeds the context window."}}
    started = openai_responses.response({"text": ""}, output=[], usage=None, status="in_progress")
    events = [{"type": "response.created", "response": started}, {"type": "response.failed", "response": started | failed}]
    return openai_responses.answered({"stream": True}, {"events": [event | {"sequence_number": at} for at, event in enumerate(events)]})


def problems_of(run: Run, folder: Path) -> list[str]:
    """Returns what is wrong with a run of the job: it must end well, with its file and answer."""
    found = faults_of(run)
    written = folder / "greeting.txt"
    if not written.exists() or written.read_text() != TEXT:
        found.append("the file was not written")
    if DONE not in run.out or "12 greeting.txt" not in run.out:
        found.append(f"no answer: {run.out[-2000:]}")
    return found


def faults_of(run: Run) -> list[str]:
    """Returns what went wrong in a run: its exit, errors, retries, and tools that failed."""
    found = [] if run.code == 0 else [f"exit {run.code}: {run.error[-2000:]} {run.out[-2000:]}"]
    for line in run.lines():
        kind = line.get("subtype") or line["type"]
        if kind in ("api_retry", "error", "turn.failed") or line.get("is_error") or "Reconnecting" in str(line.get("message")):
            found.append(str(line)[:500])
        found += [str(block)[:500] for block in blocks(line) if block.get("type") == "tool_result" and block.get("is_error")]
    return found


def blocks(line: dict) -> list[dict]:
    content = line["message"].get("content", []) if isinstance(line.get("message"), dict) else []
    return content if isinstance(content, list) else []


VOLATILE = [
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"), (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}", "ID"), (r"http://127\.0\.0\.1:\d+(/v1)?", "URL"),
    (r"/tmp/\S*?/(straight|relayed)\b", "HOME"), (r"-tmp-\S*?-(straight|relayed)-", "HOME"), (r"\b(call|toolu|req)_\w+", "ID"), (r"snapshot-bash-\S+", "SNAPSHOT"),
    (r"\b\d+\.\d+\b", "N"), (r"\b[0-9a-f]{8,64}\b", "HEX"), (r"\d+", "N"),
]  # fmt: skip


def kinds_of_lines(out: str) -> set[str]:
    """Returns the kinds of lines that a program wrote."""
    names = ("type", "subtype", "status", "terminal_reason", "stop_reason")
    return {"/".join(str(line.get(name)) for name in names) for line in map(json.loads, out.splitlines())}


ELSEWHERE = ("took longer than expected", "[fs.watch probe]", 'unhandled responses event: "response.reasoning_text.done"')
"""Words of lines that need no counterpart: they depend on the machine's speed, or, the last, tell that Codex shows no raw
reasoning, as chats have it."""


def steady(text: str) -> set[str]:
    """Returns the lines of a log without what differs from run to run."""
    for pattern, name in VOLATILE:
        text = re.sub(pattern, name, text)
    return {line for line in text.splitlines() if not any(words in line for words in ELSEWHERE)}
