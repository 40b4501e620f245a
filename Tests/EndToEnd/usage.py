"""Usage records, read as lines of a file and compared with the log."""

import json
from pathlib import Path
from typing import Any

from memcached import wait_for

REQUEST = (
    "time", "request_id", "endpoint", "caller", "model", "model_used", "provider", "prompt_tokens", "completion_tokens", "tokens",
    "cost", "duration_ms", "attempts", "stream", "cached", "success", "status", "error",
)  # fmt: skip
CALL = (
    "time", "kind", "request_id", "endpoint", "caller", "model", "model_used", "provider", "key", "prompt_tokens",
    "completion_tokens", "tokens", "cost", "duration_ms", "success", "status", "error",
)  # fmt: skip
DETAILS = ("cached_tokens", "cache_writes", "cache_writes_1h", "service_tier", "tool_uses")
OPTIONAL = (*DETAILS, "credits", "session", "user", "lowered_max_tokens", "rebuilt", "cost_is_partial", "exact", "estimated")
"""The members of a line, in their order, but for `credits`, `rebuilt`, `exact` and `estimated`."""


def lines(text: str) -> list[dict[str, Any]]:
    """Returns the records, which must be complete and have the right members."""
    records = [json.loads(line) for line in text.splitlines()]
    assert not text or text.endswith("\n"), "the last line is cut"
    for record in records:
        members = tuple(name for name in record if name not in OPTIONAL)
        assert members == (CALL if is_call(record) else REQUEST), record
        assert all(record.get(name, True) for name in DETAILS), record
        assert all(record.get(name, True) is True for name in ("estimated", "rebuilt", "cost_is_partial"))
        assert record.get("exact", True) is True and ("exact" not in record or "estimated" in record)
        assert record["tokens"] == record["prompt_tokens"] + record["completion_tokens"]
        assert record["success"] is (record["error"] in (None, "budget")), record
    return records


def lines_so_far(path: Path) -> list[dict[str, Any]]:
    """Returns the records that a running relay has written; a read beside a write may see only the beginning of a line."""
    text = path.read_text()
    return lines(text[: text.rfind("\n") + 1])


def is_call(record: dict[str, Any]) -> bool:
    return record.get("kind") == "call"


def compare(text: str, log: list[dict[str, Any]]) -> None:
    """Checks that each logged request has one record with the same contents, except those of strangers that no vendor
    served."""
    if log[0]["level"] != "info":
        return
    logged = [line for line in log if line["message"] == "request" and line["level"] != "debug"]
    # Looking after the relay is no use of it.
    logged = [line for line in logged if line.get("route") not in ("/admin", "/usage")]
    records = [record for record in lines(text) if not is_call(record)]
    assert len(records) <= len(logged), f"{len(records)} records of {len(logged)} requests: {log}"
    by_id = {record["request_id"]: record for record in records}
    same = ("caller", "status", "duration_ms")
    for line in logged:
        # A client may give several requests one id.
        if "request_id" not in line:
            record = by_id.get(line["id"])
            if record is None:
                # Callers without a name in the settings have a digest of 16 characters.
                is_recorded_once_a_minute = line["status"] == 429 and "caller" not in line
                assert line["status"] >= 400 and line["status"] != 429 or is_recorded_once_a_minute or "route" not in line, line
                assert "caller" not in line or len(line["caller"]) == 16, line
                continue
            assert [line.get(name) for name in same] == [record[name] for name in same], (line, record)


class File:
    """A file of records that grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = 0

    def more(self, count: int) -> list[dict[str, Any]]:
        """Returns the next `count` records, and waits for them if necessary."""
        wait_for(lambda: self.path.exists() and self.path.read_bytes().count(b"\n") >= self.seen + count)
        new = lines_so_far(self.path)[self.seen :]
        self.seen += len(new)
        assert len(new) == count, new
        return new


def newer(path: Path) -> File:
    """Returns the records that are written from now on."""
    records = File(path)
    records.seen = path.read_bytes().count(b"\n") if path.exists() else 0
    return records
