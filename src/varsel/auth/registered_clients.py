"""The clients that the test Maskinporten knows: one of our own, and those of a file.

A client is known by its public keys. The private key of our own lies in the data directory beside the issuer's, for
whoever tries things out; the private keys of the others are theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jwt
import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from msgspec import Meta, Struct

from varsel.auth.development_issuer import TEST_ORG, TEST_ORG_NUMBER
from varsel.auth.signing_key import SigningKey
from varsel.errors import SettingsError

BUILT_IN_ID = "varsel-test-client"
BUILT_IN_KEY_FILE = "test-client-key.pem"
ALL_SCOPES = "*"
SMALLEST_RSA_KEY = 2048  # bits; smaller ones Maskinporten refuses as well

NonEmpty = Annotated[str, Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """Somebody who may ask for tokens; without `org` an organisation that is no service owner."""

    id: str
    org_number: str
    org: str | None
    scopes: frozenset[str]
    keys: Sequence[jwt.PyJWK]

    def may_have(self, scopes: Iterable[str]) -> bool:
        """Whether each of these was granted to it."""
        return ALL_SCOPES in self.scopes or self.scopes.issuperset(scopes)

    def keys_for(self, key_id: str | None) -> Sequence[jwt.PyJWK]:
        """Its keys that may have signed; one that was registered without id stands for any."""
        return [key for key in self.keys if key_id is None or key.key_id in (key_id, None)]


class _KeySet(Struct, frozen=True):
    keys: Annotated[list[dict[str, object]], Meta(min_length=1)]


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A client as the file has it."""

    client_id: NonEmpty
    org_number: Annotated[str, Meta(pattern=r"^[0-9]{9}\Z")]
    scopes: list[NonEmpty]
    org: NonEmpty | None = None
    jwks: _KeySet | None = None
    public_key_pem: NonEmpty | None = None


def registered_clients(data_dir: Path, file: Path | None) -> Mapping[str, RegisteredClient]:
    """All by their ids.

    Raises:
        SettingsError: the file cannot be used; says which client is at fault and why.
    """
    clients = {BUILT_IN_ID: _built_in_client(data_dir)}
    try:
        for client in _clients_of(file) if file else ():
            if client.id in clients:
                raise ValueError(f"client {client.id!r}: the id is taken")
            clients[client.id] = client
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(f"VARSEL_TEST_CLIENTS: {reason}") from error
    return clients


def _built_in_client(data_dir: Path) -> RegisteredClient:
    key = SigningKey.open(data_dir / BUILT_IN_KEY_FILE).public
    return RegisteredClient(BUILT_IN_ID, TEST_ORG_NUMBER, TEST_ORG, frozenset({ALL_SCOPES}), (key,))


def _clients_of(file: Path) -> Iterable[RegisteredClient]:
    for entry in msgspec.json.decode(file.read_bytes(), type=list[_Entry]):
        try:
            keys = [_read_jwk(key) for key in entry.jwks.keys] if entry.jwks else []
            keys += [_read_pem(entry.public_key_pem)] if entry.public_key_pem else []
            if not keys:
                raise ValueError("needs jwks or public_key_pem")
        except ValueError as error:
            raise ValueError(f"client {entry.client_id!r}: {error}") from error
        yield RegisteredClient(entry.client_id, entry.org_number, entry.org, frozenset(entry.scopes), keys)


def _read_jwk(members: dict[str, object]) -> jwt.PyJWK:
    if members.get("kty") not in ("RSA", "EC"):
        raise ValueError("a key in jwks has a kty other than RSA and EC")
    if "d" in members:
        raise ValueError("a key in jwks is private; register its public half only")
    try:
        key = jwt.PyJWK.from_dict(members)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        # Without the library's words, which quote the key.
        raise ValueError("a key in jwks cannot be read") from error
    _require_strength(key.key)
    return key


def _read_pem(pem: str) -> jwt.PyJWK:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except ValueError as error:
        raise ValueError("public_key_pem cannot be read as a public key") from error
    _require_strength(key)
    if isinstance(key, rsa.RSAPublicKey):
        return jwt.PyJWK.from_dict(RSAAlgorithm.to_jwk(key, as_dict=True))
    if isinstance(key, ec.EllipticCurvePublicKey):
        return jwt.PyJWK.from_dict(ECAlgorithm.to_jwk(key, as_dict=True))
    raise ValueError("public_key_pem is neither an RSA nor an elliptic curve key")


def _require_strength(key: object) -> None:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_RSA_KEY:
        raise ValueError(f"an RSA key is smaller than {SMALLEST_RSA_KEY} bits")
