"""A private key of our own, by which others know that it is us; and the platform access tokens that it signs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PLATFORM_LIFETIME = timedelta(seconds=300)  # this and the next two as the original's own clients have it
PLATFORM_HEAD_START = timedelta(seconds=5)  # valid before it was made, for clocks that go after ours
PLATFORM_AUDIENCE = "platform.altinn.no"

SMALLEST_RSA_KEY = 2048  # bits (RFC 7518 section 3.3)
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A private key, what it signs by, and the name under which others have its public half."""

    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey  # not its PEM: reading that takes 50 ms, signing not one
    algorithm: str
    id: str | None = None

    @classmethod
    def read(cls, pem: bytes, key_id: str | None = None) -> "OwnKey":
        """The key of a file.

        Raises:
            ValueError: it is no private key in PEM without a password, or none that tokens are signed with.
        """
        try:
            key = load_pem_private_key(pem, password=None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("has a password, or is of an unknown kind") from error
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= SMALLEST_RSA_KEY:
            return cls(key, "RS256", key_id)
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
            return cls(key, _CURVES[key.curve.name], key_id)
        raise ValueError(f"neither an RSA key of {SMALLEST_RSA_KEY} bits nor one on P-256, P-384 or P-521")

    def sign(self, claims: Mapping[str, object]) -> str:
        """A token that says this."""
        headers = {"kid": self.id} if self.id else None
        return jwt.encode(dict(claims), self.private, algorithm=self.algorithm, headers=headers)

    def platform_token(self, issuer: str, app: str) -> str:
        """A platform access token in the name of an app."""
        return self.sign(platform_claims(issuer, app, PLATFORM_LIFETIME))


def platform_claims(issuer: str, app: str, lifetime: timedelta) -> Mapping[str, object]:
    """What a platform access token says that is made now."""
    now = int(time.time())
    return {
        "iss": issuer,
        "urn:altinn:app": app,
        "aud": PLATFORM_AUDIENCE,
        "nbf": now - int(PLATFORM_HEAD_START.total_seconds()),
        "exp": now + int(lifetime.total_seconds()),
    }
