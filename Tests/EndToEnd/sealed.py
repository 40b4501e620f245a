"""Values that the relay encrypts: ids of files, as any instance makes them for a caller with `token`, and stored
values."""

import base64
import hashlib
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derived(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def altered(data: bytes) -> bytes:
    """Returns the bytes with one bit of the last byte changed."""
    return data[:-1] + bytes([data[-1] ^ 1])


def plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def file_id(
    token: str,
    upload: dict[str, str],
    *,
    account: str | None = None,
    provider: str = "onemin",
    kind: str = "passed",
    secret: str | None = None,
    expires_at: int = 0,
    name: str = "ONE",
) -> str:
    """Returns the id of a file. `upload`: as the fake vendor shows it; `account`: the vendor's key; `kind`: that of the
    caller, or `known`, whose NAME is `name`."""
    numbers = (int(upload["size"]), 1_700_000_000, expires_at)
    coded = bytes([1, 5]) + struct.pack("<3Q", *numbers) + digest(token if account is None else account)[:8]
    for text in (provider, upload["uuid"], upload["path"], upload["name"]):
        coded += struct.pack("<H", len(text.encode())) + text.encode()
    whose = plain(digest(name)) if kind == "known" else plain(digest(token))[:16]
    owner = digest(f"{kind} {whose}")
    own = secret.encode() if secret else derived(token.encode(), b"secret of file ids")
    nonce, context = os.urandom(12), b"\1" + owner
    sealed = AESGCM(derived(own, b"file ids of " + owner)).encrypt(nonce, coded, context)
    return "file-" + plain(b"\1" + nonce + sealed)
