"""Tokens made by hand, so that a test can make those that no library would."""

import base64
import json
import time
from collections.abc import Callable, Mapping

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from varsel.auth.caller import CREATE_SCOPE

ISSUER = "https://issuer.test/"
KEY_ID = "key-1"


def claims(**changes: object) -> dict[str, object]:
    """What a valid token says; a change to None leaves the claim out."""
    now = int(time.time())
    valid = {"iss": ISSUER, "exp": now + 60, "scope": CREATE_SCOPE, "urn:altinn:org": "ttd"}
    return {name: value for name, value in (valid | changes).items() if value is not None}


def assembled(header: object, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """A token of these parts, whatever they are; a header in bytes is taken as it is."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    signed = b".".join(_segment(part) for part in (head, payload))
    return b".".join([signed, _segment(sign(signed))]).decode("ascii")


def token(key: rsa.RSAPrivateKey, payload: Mapping[str, object] | bytes, **header: object) -> str:
    """A token that is signed RS256 whatever its header says."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return assembled({"alg": "RS256", "typ": "JWT", "kid": KEY_ID} | header, content, lambda data: _rs256(key, data))


def jwk_of(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, key_id: str | None = KEY_ID) -> dict[str, object]:
    """A public key as an issuer publishes it."""
    if isinstance(key, rsa.RSAPublicKey):
        members = RSAAlgorithm.to_jwk(key, as_dict=True)
    else:
        members = ECAlgorithm.to_jwk(key, as_dict=True)
    return {**members, "use": "sig"} | ({"kid": key_id} if key_id is not None else {})


class KnownKey:
    """A source of one key, which counts how often it was asked."""

    def __init__(self, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> None:
        self._key = jwt.PyJWK.from_dict(jwk_of(key))
        self.asked: list[str | None] = []

    async def find_key(self, key_id: str | None) -> jwt.PyJWK | None:
        self.asked.append(key_id)
        return self._key if key_id == KEY_ID else None


def _rs256(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _segment(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")
