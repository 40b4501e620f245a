"""Files of the strict fake `openai_vendor`: each belongs to the key that it was uploaded with."""

import json
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

PURPOSES = {"assistants", "batch", "fine-tune", "vision", "user_data", "evals"}
SCRIPT = "files"
"""The model whose scripts answer requests for files."""


def problems_of(form: dict[str, Any]) -> Iterator[str]:
    """Returns the problems of an upload's form."""
    if unknown := set(form) - {"file", "purpose", "expires_after"}:
        yield f"/files with {sorted(unknown)}"
    if form.get("purpose") not in PURPOSES:
        yield f"/files with the purpose {form.get('purpose')}"
    if not isinstance(form.get("file"), tuple):
        yield "/files without one file"
    if "expires_after" in form:
        anchor, seconds = form["expires_after"]
        if anchor != "created_at" or not 3_600 <= int(seconds) <= 2_592_000:
            yield f"/files with {form['expires_after']}"


class Shelf:
    """The files by key and id: (name, type, bytes, purpose)."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], tuple[str, str, bytes, str]] = {}
        self.ends: dict[str, list[str]] = {}

    def of(self, key: str) -> dict[str, tuple[str, str, bytes, str]]:
        return {id: file for (owner, id), file in self.files.items() if owner == f"Bearer {key}"}

    def add(self, owner: str, form: dict[str, Any]) -> dict[str, Any]:
        id = f"file-{uuid.uuid4().hex[:22]}"
        self.files[owner, id] = (*form["file"], form["purpose"])
        self.ends[id] = form.get("expires_after", [])
        return {
            "id": id, "object": "file", "bytes": len(form["file"][2]), "created_at": 1700000000, "filename": form["file"][0],
            "purpose": form["purpose"], "status": "processed", "expires_at": None, "status_details": None,
        }  # fmt: skip

    def missing(self, owner: str, body: dict[str, Any]) -> str | None:
        """Returns the first file that a chat or an edit names and the key does not have."""
        mask = body.get("mask")
        for picture in [*body.get("images", ()), *([mask] if isinstance(mask, dict) else [])]:
            if "file_id" in picture and (owner, picture["file_id"]) not in self.files:
                return picture["file_id"]
        for message in [*body.get("messages", ()), *body.get("input", ())]:
            content = message.get("content") if isinstance(message, dict) else None
            for part in content if isinstance(content, list) else ():
                id = part.get("file", part).get("file_id") if part["type"] != "text" else None
                if id is not None and (owner, id) not in self.files:
                    return id
        return None

    def answer(self, handler: BaseHTTPRequestHandler, method: str, path: str, script: dict[str, Any]) -> None:
        """Serves GET and DELETE below `/files/`."""
        owner = handler.headers.get("authorization", "")
        id, _, rest = path.removeprefix("/files/").partition("/")
        kind, data = "application/json", b""
        status = script.get("status", 200 if (owner, id) in self.files else 404)
        if status != 200:
            error = {"message": f"No such File object: {id}", "type": "invalid_request_error", "param": "id", "code": None}
            data = json.dumps(script.get("json") or {"error": error}).encode()
        elif method == "DELETE":
            kind = script.get("type", kind)
            data = script.get("says", json.dumps({"id": id, "object": "file", "deleted": True}).encode())
            if "says" not in script or not data:
                del self.files[owner, id]
        elif rest == "content":
            kind, data = "application/octet-stream", self.files[owner, id][2]
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        data = data[: script.get("part")]
        handler.send_header("Content-Length", str(len(data) + (10 if script.get("cut") else 0)))
        handler.end_headers()
        handler.wfile.write(data)
        handler.close_connection = bool(script.get("cut"))
