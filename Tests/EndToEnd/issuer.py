"""An issuer of signed tokens (OpenID Connect) behind TLS, and the tokens that it and others make."""

from __future__ import annotations

import base64
import json
import ssl
import time
from pathlib import Path
from typing import Any

import trustme
from conftest import secrets
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from fake_server import FakeServer, Handler

AUDIENCE = "relay"


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int) -> str:
    return coded(value.to_bytes(size, "big"))


class Key:
    """A key for one of the algorithms."""

    def __init__(self, algorithm: str, kid: str | None) -> None:
        self.algorithm, self.kid = algorithm, kid
        self.private: Any = {
            "RS256": lambda: rsa.generate_private_key(65537, 2048),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }[algorithm]()

    def public(self) -> dict[str, str]:
        """Returns the key's row in the set of keys."""
        row = {"use": "sig", "alg": self.algorithm} | ({"kid": self.kid} if self.kid else {})
        public = self.private.public_key()
        if self.algorithm == "EdDSA":
            return row | {"kty": "OKP", "crv": "Ed25519", "x": coded(public.public_bytes_raw())}
        numbers = public.public_numbers()
        if self.algorithm == "ES256":
            return row | {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        return row | {"kty": "RSA", "n": number(numbers.n, 256), "e": number(numbers.e, 3)}

    def sign(self, message: bytes) -> bytes:
        if self.algorithm == "EdDSA":
            return self.private.sign(message)
        if self.algorithm == "RS256":
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def joined(header: Any, claims: Any, sign: Any) -> str:
    """Returns a token, which `sign` signs. No log may have it."""
    message = ".".join(coded(json.dumps(part).encode()) for part in (header, claims))
    token = f"{message}.{coded(sign(message.encode()))}"
    secrets.add(token)
    return token


class Answers(Handler):
    def do_GET(self) -> None:
        fake: Issuer = self.fake
        with fake.lock:
            fake.asked.append(self.path)
        if fake.status != 200:
            return self.send(fake.status)
        if self.path.endswith("/.well-known/openid-configuration"):
            return self.send(200, {"issuer": fake.named or fake.url, "jwks_uri": f"{fake.url}/keys"})
        return self.send(200, {"keys": [key.public() for key in fake.keys]})


class Issuer(FakeServer):
    """`asked` has the paths of requests; `keys` and `status` can be changed."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        authority = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.trusted = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.trusted))
        self.asked: list[str] = []
        self.keys = [Key(algorithm, f"key-{algorithm}") for algorithm in ("RS256", "ES256", "EdDSA")]
        self.status, self.named = 200, ""
        super().__init__(Answers, port)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.port}/realm"

    def settings(self, name: str = "SSO", **more: str) -> dict[str, str]:
        own = {f"KEY_{name}_JWT_ISSUER": self.url, f"KEY_{name}_JWT_AUDIENCE": AUDIENCE}
        return own | {"FILE_ID_SECRET": "secret-of-file-ids-0123456789", "SSL_CERT_FILE": str(self.trusted)} | more

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 300} | more
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key: Key | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Returns a token of the first key, or of another; a claim that is None is left out."""
        key = key or self.keys[0]
        head = {"alg": key.algorithm, "typ": "JWT"} | ({"kid": key.kid} if key.kid else {}) | (header or {})
        return joined(head, self.claims(**claims), key.sign)
