"""The test issuer of development mode: a key of our own, and tokens like those that real clients bring.

The key is made at first start and kept in the data directory, so `varsel token` works without a running server and
tokens outlive a restart. Whoever can read that folder can be anybody: that is what development mode is for.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEY_FILE = "test-issuer-key.pem"
ALGORITHM = "RS256"


class DevelopmentIssuer:
    """Signs and publishes; also a `KeySource`, so that our own tokens are verified without a request to ourselves."""

    def __init__(self, issuer: str, key: rsa.RSAPrivateKey) -> None:
        self.issuer = issuer
        self._key = key
        self._public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self._key_id = hashlib.sha256(str(self._public["n"]).encode()).hexdigest()[:40]

    @classmethod
    def open(cls, data_dir: Path, issuer: str) -> "DevelopmentIssuer":
        """Read the key from the data directory, or make it; processes that do so at once end up with one key."""
        path = data_dir / KEY_FILE
        if not path.exists():
            _make_key(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101  # we made it
        return cls(issuer, key)

    async def find_key(self, key_id: str | None) -> jwt.PyJWK | None:
        """Our own public key."""
        return jwt.PyJWK.from_dict(self._jwk()) if key_id == self._key_id else None

    def jwks(self) -> dict[str, object]:
        """The key set document (RFC 7517 section 5)."""
        return {"keys": [self._jwk()]}

    def discovery(self) -> dict[str, object]:
        """The discovery document, as far as clients of a token issuer read it."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}.well-known/openid-configuration/jwks",
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
        }

    def token(
        self, *, scopes: Sequence[str], lifetime: timedelta, org: str | None, org_number: str = "991825827"
    ) -> str:
        """An enterprise token as the exchange hands it out; without `org` the holder is no service owner."""
        now = int(time.time())
        claims: dict[str, object] = {
            "scope": " ".join(scopes),
            "token_type": "Bearer",
            "exp": now + int(lifetime.total_seconds()),
            "iat": now,
            "nbf": now,
            "client_id": secrets.token_hex(16),
            "jti": secrets.token_urlsafe(32),
            "consumer": {"authority": "iso6523-actorid-upis", "ID": f"0192:{org_number}"},
            "urn:altinn:orgNumber": org_number,
            "urn:altinn:authenticatemethod": "maskinporten",
            "urn:altinn:authlevel": 3,
            "iss": self.issuer,
        }
        if org:
            claims["urn:altinn:org"] = org
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._key_id})

    def _jwk(self) -> dict[str, object]:
        return {**self._public, "kid": self._key_id, "use": "sig", "alg": ALGORITHM}


def _make_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    # Open to pass through: the embedded database lives below it, under a user of its own when we are root.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    unique = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with open(os.open(unique, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    try:
        # A link fails where the name is taken, so the first process wins and nobody reads half a key.
        os.link(unique, path)
    except FileExistsError:
        pass
    finally:
        unique.unlink()
