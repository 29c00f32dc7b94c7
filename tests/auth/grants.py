"""Assertions of clients, with claims that are valid until a test changes them."""

import time
from collections.abc import Sequence
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.auth.tokens import jwk_of, token
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.registered_clients import RegisteredClient
from varsel.auth.signing_key import SigningKey

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MASKINPORTEN = "https://maskinporten.test/"
CLIENT = "client-1"
ORG_NUMBER = "310000000"
SCOPE = "altinn:serviceowner/notifications.create"


def now() -> int:
    return int(time.time())


def assertion_claims(**changes: object) -> dict[str, object]:
    """What a valid assertion says; a change to None leaves the claim out."""
    valid = {
        "iss": CLIENT,
        "aud": MASKINPORTEN,
        "scope": SCOPE,
        "iat": now(),
        "exp": now() + 120,
        "jti": str(uuid4()),
    }
    return {name: value for name, value in (valid | changes).items() if value is not None}


def assertion(key: rsa.RSAPrivateKey, **changes: object) -> str:
    """An assertion that is signed RS256 by this key under the id of the registered one."""
    return token(key, assertion_claims(**changes))


def client(
    *keys: PublicKey, client_id: str = CLIENT, org: str | None = "ttd", scopes: Sequence[str] = (SCOPE,)
) -> RegisteredClient:
    """A client that has registered these keys, the first as `key-1`."""
    jwks = [jwt.PyJWK.from_dict(jwk_of(key, f"key-{number}")) for number, key in enumerate(keys, 1)]
    return RegisteredClient(client_id, ORG_NUMBER, org, frozenset(scopes), jwks)


def maskinporten_of(key: SigningKey, *clients: RegisteredClient) -> Maskinporten:
    """A Maskinporten that knows these clients."""
    return Maskinporten(MASKINPORTEN, key, {one.id: one for one in clients})
