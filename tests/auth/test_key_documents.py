"""What an issuer publishes: read as far as it makes sense, and never for more than it is worth."""

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.auth.issuer_server import DISCOVERY_PATH, KEYS_PATH, IssuerServer
from tests.auth.tokens import KEY_ID, claims, jwk_of, token
from varsel.auth.bearer import BearerTokens
from varsel.auth.keys import DOCUMENT_LIMIT, RemoteKeys
from varsel.errors import NotAuthenticated


@pytest.mark.parametrize("path", [DISCOVERY_PATH, KEYS_PATH])
@pytest.mark.parametrize("size", [DOCUMENT_LIMIT + 1, 5 * DOCUMENT_LIMIT])
async def test_a_document_that_is_too_large_is_not_taken(
    server: IssuerServer, keys: RemoteKeys, path: str, size: int
) -> None:
    server.documents[path] = json.dumps(server.documents[path]).encode().ljust(size)

    assert await keys.find_key(KEY_ID) is None


@pytest.mark.parametrize("path", [DISCOVERY_PATH, KEYS_PATH])
@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"\xff\xfe",
        [],
        "keys",
        {},
        {"jwks_uri": None, "keys": None},
        {"jwks_uri": 1, "keys": 1},
        {"jwks_uri": "", "keys": [None]},
        {"jwks_uri": "http://[", "keys": ["key"]},
        {"jwks_uri": "/keys", "keys": [{}]},
        {"jwks_uri": "file:///etc/passwd", "keys": [{"kty": "RSA", "kid": KEY_ID, "n": "!", "e": "AQAB"}]},
        {"jwks_uri": "http://\x00/", "keys": {"kid": KEY_ID}},
        {"jwks_uri": "http://127.0.0.1:99999/", "keys": [{"kty": ["RSA"], "kid": KEY_ID}]},
    ],
)
async def test_a_document_that_makes_no_sense_yields_no_key(
    server: IssuerServer, keys: RemoteKeys, path: str, document: object
) -> None:
    server.documents[path] = document

    assert await keys.find_key(KEY_ID) is None


async def test_a_key_that_makes_no_sense_leaves_its_neighbours_usable(
    server: IssuerServer, keys: RemoteKeys, key: rsa.RSAPrivateKey
) -> None:
    unusable: list[dict[str, object]] = [{"kty": "XYZ", "kid": "a"}, {"kty": "EC", "crv": "P-0", "kid": "b"}]
    server.publish(*unusable, jwk_of(key.public_key()))

    assert await keys.find_key(KEY_ID) is not None


async def test_a_key_in_standard_base64_and_without_algorithm_verifies_a_token(
    server: IssuerServer, keys: RemoteKeys, key: rsa.RSAPrivateKey
) -> None:
    numbers = key.public_key().public_numbers()
    modulus, exponent = (
        base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8)).decode() for number in (numbers.n, numbers.e)
    )
    assert set(modulus) & set("+/=")
    server.publish({"kty": "RSA", "use": "sig", "kid": KEY_ID, "n": modulus, "e": exponent, "x5c": ["MIIB"]})
    tokens = BearerTokens({f"{server.url}/": keys})

    caller = await tokens.verify(token(key, claims(iss=f"{server.url}/")))

    assert caller.owner == "ttd"


async def test_a_shared_secret_that_an_issuer_publishes_verifies_nothing(
    server: IssuerServer, keys: RemoteKeys, key: rsa.RSAPrivateKey
) -> None:
    secret = b"s" * 32
    server.publish({"kty": "oct", "kid": KEY_ID, "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")})
    tokens = BearerTokens({f"{server.url}/": keys})
    payload = claims(iss=f"{server.url}/")

    for text in (token(key, payload), jwt.encode(payload, secret, algorithm="HS256", headers={"kid": KEY_ID})):
        with pytest.raises(NotAuthenticated):
            await tokens.verify(text)


async def test_a_key_of_an_elliptic_curve_is_found(
    server: IssuerServer, keys: RemoteKeys, elliptic_key: ec.EllipticCurvePrivateKey
) -> None:
    server.publish(jwk_of(elliptic_key.public_key(), "curve"))

    found = await keys.find_key("curve")

    assert found is not None
    assert found.algorithm_name == "ES256"
