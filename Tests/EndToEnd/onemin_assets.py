"""The storage of the fake 1min.ai: uploaded files, and results, which its asset host serves without a key."""

import base64
import hashlib
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

import onemin_rules as rules
import pictures

EXTENSIONS = {
    "image/png": "png", "image/jpeg": "jpg jpeg", "image/webp": "webp", "image/gif": "gif", "image/svg+xml": "svg",
    "audio/mpeg": "mp3 mpeg mpga", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/flac": "flac",
    "audio/mp4": "m4a mp4", "audio/x-m4a": "m4a", "audio/m4a": "m4a", "video/mp4": "mp4", "audio/webm": "webm",
    "video/webm": "webm", "audio/ogg": "ogg oga", "audio/aac": "aac", "application/pdf": "pdf",
    "application/msword": "doc", "text/plain": "txt", "text/csv": "csv", "application/json": "json",
    "application/xml": "xml", "text/xml": "xml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
}  # fmt: skip
"""Content types that can be uploaded -> extensions that fit."""


@dataclass
class Upload:
    path: str
    uuid: str
    name: str
    type: str
    data: bytes

    def seen(self) -> dict[str, Any]:
        """Returns the upload as tests read it."""
        shown = {"data64": base64.b64encode(self.data).decode()} if len(self.data) <= 32 << 20 else {}
        return shown | {
            "path": self.path, "uuid": self.uuid, "name": self.name, "type": self.type, "size": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }  # fmt: skip


@dataclass
class Result:
    key: str
    path: str
    type: str
    data: bytes
    signature: str = field(default_factory=lambda: uuid.uuid4().hex)
    """For the signed address."""
    unsigned_status: int = 200

    def seen(self) -> dict[str, Any]:
        """Returns the result as tests read it."""
        return {"path": self.path, "type": self.type, "data64": base64.b64encode(self.data).decode()}


class Assets:
    """The uploads and results of all keys."""

    def __init__(self) -> None:
        self.base_url = ""
        self.uploads: dict[str, dict[str, Upload]] = {}
        """By key, then by path."""
        self.results: dict[str, Result] = {}
        """By path."""
        self.readable: dict[str, Result] = {}
        """The same, and uploads."""
        self.forgotten: set[str] = set()
        """Paths and uuids of uploads that are gone."""

    # --- uploads ---

    def upload(self, request: rules.Request) -> dict[str, Any]:
        """Serves POST /api/assets. Raises a Refusal where the vendor would refuse."""
        if request.query:
            request.violations.append(f"query is {request.query!r}")
        name, filename, kind, data = only_part(request)
        if name != "asset":
            request.violations.append(f"the part is called {name!r}")
            raise rules.error(400, "No file uploaded")
        extension = filename.rpartition(".")[2].lower() if "." in filename else ""
        base_kind = kind.partition(";")[0].strip().lower()
        fitting = EXTENSIONS.get(base_kind, "").split()
        problem = ""
        if extension not in fitting:
            problem = f"extension {extension!r} does not fit {kind!r}"
        elif not data:
            problem = "the upload is empty"
        elif not data.startswith(tuple(pictures.STARTS.get(base_kind, [b""]))):
            problem = f"the content is no {kind}"
        if problem:
            request.violations.append(problem)
            raise rules.error(400, "File type is not supported", "UNSUPPORTED_FILE_TYPE")
        folder = {"image": "images", "audio": "audios", "video": "videos"}.get(base_kind.partition("/")[0], "documents")
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
        path = f"{folder}/2026_01_02_03_04_05_{uuid.uuid4().hex[:12]}_{safe}"
        made = Upload(path, str(uuid.uuid4()), filename, kind, data)
        self.uploads.setdefault(request.key, {})[path] = made
        self.readable[path] = Result(request.key, path, kind, data)
        return {
            "asset": {
                "fieldname": "asset", "originalname": filename, "encoding": "7bit", "mimetype": kind,
                "size": len(data), "bucket": "asset.1min.ai", "key": path, "location": f"{self.base_url}/{path}",
                "etag": "x",
            },
            "fileContent": {"uuid": made.uuid, "path": path, "type": extension, "name": filename},
        }  # fmt: skip

    def forget(self, key: str) -> None:
        """Removes all uploads of a key."""
        for made in self.uploads.pop(key, {}).values():
            self.forgotten |= {made.path, made.uuid}

    def check_attachments(self, request: rules.Request) -> None:
        """Checks that a chat refers to uploads of its own key: images by path, files by uuid. Raises a Refusal."""
        attachments = request.json["promptObject"].get("attachments", {})
        kept = self.uploads.get(request.key, {})
        known = {"images": set(kept), "files": {made.uuid for made in kept.values()}}
        for name, ids in attachments.items():
            if not ids:
                request.violations.append(f"no attachments.{name}")
            for unknown in [value for value in ids if value not in known[name]]:
                if unknown not in self.forgotten:
                    request.violations.append(f"attachments.{name}: {unknown!r} was not uploaded with this key")
                raise rules.error(400, "Attachment could not be read")

    # --- results ---

    def keep(self, key: str, folder: str, extension: str, kind: str, data: bytes, unsigned_status: int) -> Result:
        path = f"{folder}/2026_01_02_03_04_05_{uuid.uuid4().hex[:12]} result.{extension}"
        made = Result(key, path, kind, data, unsigned_status=unsigned_status)
        self.results[path] = self.readable[path] = made
        return made

    def address(self, result: Result) -> str:
        return f"{self.base_url}/{result.path.replace(' ', '%20')}"

    def signed(self, result: Result) -> str:
        place = f"{self.base_url}/signed/{result.path.replace(' ', '%20')}"
        return f"{place}?X-Amz-Expires=604800&X-Amz-Signature={result.signature}"

    def find(self, path: str) -> tuple[Result | None, bool]:
        """Returns the result of a path, and whether the path is its signed address."""
        plain = path.replace("%20", " ").removeprefix("/")
        is_signed = plain.startswith("signed/")
        return self.readable.get(plain.removeprefix("signed/")), is_signed

    def read(self, request: rules.Request) -> tuple[int, str, bytes]:
        """Serves GET at the asset host. Returns status, content type and body."""
        rules.check_headers(request, with_key=False)
        if request.method != "GET":
            request.violations.append(f"{request.method} at the asset host")
        rules.check_no_body(request)
        result, is_signed = self.find(request.path)
        if result is None:
            return 404, "application/xml", b"<Error><Code>NoSuchKey</Code></Error>"
        wanted = f"X-Amz-Expires=604800&X-Amz-Signature={result.signature}" if is_signed else ""
        if request.query != wanted:
            request.violations.append(f"the query is {request.query!r}")
            return 403, "application/xml", b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
        if not is_signed and result.unsigned_status != 200:
            return result.unsigned_status, "application/xml", b"<Error><Code>AccessDenied</Code></Error>"
        return 200, result.type, result.data


def only_part(request: rules.Request) -> tuple[str, str, str, bytes]:
    """Returns name, filename, content type and content of the only part of a multipart body."""
    found = re.fullmatch(
        r'multipart/form-data; ?boundary=(?:"([^"]{1,70})"|([0-9A-Za-z\'()+_,./:=?-]{1,70}))',
        request.headers.get("content-type", ""),
    )
    refusal = rules.error(400, "Multipart: Boundary not found")
    if found is None:
        request.violations.append(f"Content-Type is {request.headers.get('content-type')!r}")
        raise refusal
    mark = b"--" + (found[1] or found[2]).encode()
    body = request.body
    if not body.startswith(mark + b"\r\n") or body.removesuffix(b"\r\n")[-len(mark) - 4 :] != b"\r\n" + mark + b"--":
        request.violations.append("the multipart body does not begin or end with its boundary")
        raise refusal
    parts = (b"\r\n" + body).split(b"\r\n" + mark)[1:-1]
    if len(parts) != 1:
        request.violations.append(f"{len(parts)} parts")
        raise refusal
    head, _, content = parts[0].removeprefix(b"\r\n").partition(b"\r\n\r\n")
    fields = {}
    for line in head.decode("utf-8").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() not in ("content-disposition", "content-type"):
            request.violations.append(f"the part has a field {name}")
        fields[name.lower()] = value.strip()
    said = re.fullmatch(r'form-data; name="([^"]+)"; filename="([^"]+)"', fields.get("content-disposition", ""))
    if said is None or "content-type" not in fields:
        request.violations.append(f"the part's head is {head!r}")
        raise refusal
    return said[1], said[2], fields["content-type"], content
