"""A private key of development mode: made at first start, kept in a file, and the same for all who come at once."""

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ALGORITHM = "RS256"


class SigningKey:
    """Signs tokens, and shows its public half to those who verify them."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self.id = hashlib.sha256(str(public["n"]).encode()).hexdigest()[:40]
        self.jwk: Mapping[str, object] = {**public, "kid": self.id, "use": "sig", "alg": ALGORITHM}

    @classmethod
    def open(cls, path: Path) -> "SigningKey":
        """Read the key from its file, or make it; processes that do so at once end up with one key."""
        if not path.exists():
            _make_key(path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101  # we made it
        return cls(key)

    @property
    def public(self) -> jwt.PyJWK:
        """The public half."""
        return jwt.PyJWK.from_dict(dict(self.jwk))

    @property
    def jwks(self) -> dict[str, object]:
        """The key set document (RFC 7517 section 5)."""
        return {"keys": [self.jwk]}

    def sign(self, claims: Mapping[str, object]) -> str:
        """A token that says this."""
        return jwt.encode(dict(claims), self._key, algorithm=ALGORITHM, headers={"kid": self.id})


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
