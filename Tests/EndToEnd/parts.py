"""Parts of chat messages other than text, and where they arrive."""

import base64
import json
import socket
from typing import Any

from chat import PATH, body
from relay_process import Relay


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def picture(data: bytes | str, **more: Any) -> dict[str, Any]:
    """Returns an image part by its bytes, or by a URL."""
    return {"type": "image_url", "image_url": {"url": data if isinstance(data, str) else data_url(data)} | more}


def file(data: bytes, name: str = "notes.txt", kind: str = "text/plain") -> dict[str, Any]:
    return {"type": "file", "file": {"filename": name, "file_data": data_url(data, kind)}}


def sound(data: bytes, kind: str = "wav") -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": kind}}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def call(vendor: Any, key: str) -> dict[str, Any]:
    """Returns the `promptObject` of the last chat call of `key`."""
    return vendor.requests(key, "/api/chat-with-ai")[-1]["body"]["promptObject"]


def pictures_of(vendor: Any, key: str) -> list[bytes]:
    """Returns the images of the last chat call of `key`, as the vendor has them, in its order."""
    kept = {upload["path"]: base64.b64decode(upload["data64"]) for upload in vendor.uploads(key)}
    return [kept[path] for path in call(vendor, key)["attachments"]["images"]]


def files_of(vendor: Any, key: str) -> list[dict[str, Any]]:
    """Returns the files of the last chat call of `key`, as the vendor has them, in its order."""
    kept = {upload["uuid"]: upload for upload in vendor.uploads(key)}
    return [kept[uuid] for uuid in call(vendor, key)["attachments"]["files"]]


def sending(relay: Relay, key: str, *messages: dict[str, Any], **fields: Any) -> socket.socket:
    """Returns a connection on which a chat request was just sent."""
    content = json.dumps(body(messages=list(messages), **fields)).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    peer = socket.create_connection(("127.0.0.1", relay.port), timeout=10)
    peer.sendall(head.encode() + content)
    return peer
