"""The other endpoints of the strict fake `openai_vendor`: their refusals, and their responses without a script."""

import base64
import email
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

ENDPOINTS = {
    "/embeddings": ({"input"}, {"encoding_format", "dimensions", "user"}),
    "/moderations": ({"input"}, set()),
    "/rerank": ({"query", "documents"}, {"top_n", "return_documents", "max_tokens_per_doc"}),
    "/images/generations": (
        {"prompt"},
        {"n", "size", "quality", "style", "background", "moderation", "output_format", "response_format", "stream", "user", "partial_images"},
    ),
    "/images/edits": ({"prompt", "image"}, {"mask", "n", "size", "quality", "response_format", "stream", "background"}),
    "/images/variations": ({"image"}, {"n", "size", "response_format"}),
    "/audio/speech": ({"input", "voice"}, {"response_format", "speed", "instructions", "stream_format"}),
    "/audio/transcriptions": (
        {"file"}, {"language", "prompt", "temperature", "response_format", "timestamp_granularities", "stream", "include", "chunking_strategy"},
    ),
    "/audio/translations": ({"file"}, {"prompt", "temperature", "response_format"}),
}  # fmt: skip
FORMS = {"/images/edits", "/images/variations", "/audio/transcriptions", "/audio/translations"}
SOUND = b"ID3\x04" + bytes(range(256)) * 900
PICTURE = base64.b64encode(b"\x89PNG\r\n" + bytes(range(256))).decode()


def form(source: BinaryIO, headers: dict[str, str]) -> tuple[bytes, dict[str, Any]]:
    """Returns the bytes of a form, and its parts: texts, or (file name, type, bytes)."""
    if headers.get("transfer-encoding") == "chunked":
        chunks = []
        while size := int(source.readline(), 16):
            chunks.append(source.read(size))
            source.readline()
        source.readline()
        raw = b"".join(chunks)
    else:
        raw = source.read(int(headers["content-length"]))
    message = email.message_from_bytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + raw)
    parts: dict[str, Any] = {}
    for part in message.get_payload():
        name = part.get_param("name", header="content-disposition").split("[")[0]
        content = part.get_payload(decode=True)
        filename = part.get_filename()
        value = content.decode() if filename is None else (filename, part.get_content_type(), content)
        parts[name] = [parts[name], value] if name in parts and not isinstance(parts[name], list) else value
    if parts.get("stream") in ("true", "false"):
        parts["stream"] = parts["stream"] == "true"
    return raw, parts


def problems_of(path: str, body: dict[str, Any], script: dict[str, Any], *, is_form: bool) -> Iterator[str]:
    needed, others = ENDPOINTS[path]
    if path == "/images/edits" and not is_form:
        needed = {"prompt", "images"}
        for picture in [*body.get("images", ()), *([body["mask"]] if "mask" in body else ())]:
            if len({"file_id", "image_url"} & set(picture)) != 1 or set(picture) - {"file_id", "image_url"}:
                yield f"{path} with a picture of {sorted(picture)}"
    if not body.get("model"):
        yield f"{path} without a model"
    if missing := needed - set(body):
        yield f"{path} without {sorted(missing)}"
    if unknown := set(body) - needed - others - {"model"}:
        if not script.get("extra"):
            yield f"{path} with {sorted(unknown)}"
    if is_form != (path in FORMS) and path != "/images/edits":
        yield f"{path} of the wrong type"


def embeddings(body: dict[str, Any], tokens: int = 7) -> dict[str, Any]:
    inputs = body["input"] if isinstance(body["input"], list) and not isinstance(body["input"][0], int) else [body["input"]]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": at, "embedding": [0.25, -0.5, at]} for at in range(len(inputs))],
        "model": "the-server's-own", "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }  # fmt: skip


MODERATION = {
    "id": "modr-1", "model": "the-server's-own",
    "results": [{"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.75}, "category_applied_input_types": {}}],
}  # fmt: skip
RANKED = {
    "id": "rank-1", "model": "the-server's-own", "results": [{"index": 1, "relevance_score": 0.75}, {"index": 0, "relevance_score": 0.25}],
    "usage": {"prompt_tokens": 9, "total_tokens": 9},
}  # fmt: skip
IMAGES = {
    "created": 1700000000, "data": [{"b64_json": PICTURE}], "size": "1024x1024",
    "usage": {"input_tokens": 11, "output_tokens": 40, "total_tokens": 51, "input_tokens_details": {"text_tokens": 11, "image_tokens": 0}},
}  # fmt: skip
TRANSCRIPT = {"text": "Hello there", "usage": {"type": "tokens", "input_tokens": 12, "output_tokens": 3, "total_tokens": 15}}


def event(data: dict[str, Any], *, is_named: bool = False) -> str:
    return (f"event: {data['type']}\n" if is_named else "") + f"data: {json.dumps(data)}\n\n"


def answered(path: str, body: dict[str, Any], script: dict[str, Any]) -> dict[str, Any]:
    """Returns the script with the endpoint's usual response, if it has none of its own."""
    if {"json", "raw", "status"} & set(script):
        return script
    usage = TRANSCRIPT["usage"]
    match path:
        case "/embeddings":
            return script | {"json": embeddings(body)}
        case "/moderations":
            return script | {"json": MODERATION}
        case "/rerank":
            return script | {"json": RANKED}
        case "/audio/speech" if body.get("stream_format") == "sse":
            pieces = [event({"type": "speech.audio.delta", "audio": PICTURE}), event({"type": "speech.audio.done", "usage": usage})]
        case "/audio/speech":
            return script | {"raw": SOUND, "type": "audio/mpeg"}
        case "/audio/transcriptions" | "/audio/translations" if body.get("stream") is True:
            pieces = [
                event({"type": "transcript.text.delta", "delta": "Hello "}),
                event({"type": "transcript.text.done", "text": "Hello there", "usage": usage}),
            ]
        case "/audio/transcriptions" | "/audio/translations":
            if body.get("response_format") in ("text", "srt"):
                return script | {"raw": b"Hello there\n", "type": "text/plain; charset=utf-8"}
            return script | {"json": TRANSCRIPT}
        case _ if body.get("stream") is True:
            kind = "image_edit" if path.endswith("edits") else "image_generation"
            pieces = [
                event({"type": f"{kind}.partial_image", "b64_json": PICTURE, "partial_image_index": 0}, is_named=True),
                event({"type": f"{kind}.completed", "b64_json": PICTURE, "usage": IMAGES["usage"]}, is_named=True),
            ]
        case _:
            count = int(body.get("n", 1))
            return script | {"json": IMAGES | {"data": IMAGES["data"] * count}}
    return script | {"raw": "".join(pieces).encode(), "streams": True, "type": "text/event-stream"}
