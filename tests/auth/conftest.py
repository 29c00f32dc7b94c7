"""Keys, made once because making one takes a tenth of a second, and who trusts them."""

from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.auth.grants import client, maskinporten_of
from tests.auth.issuer_server import IssuerServer, issuer_server
from tests.auth.tokens import ISSUER, KnownKey, jwk_of
from varsel.auth.bearer import BearerTokens
from varsel.auth.keys import RemoteKeys
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.signing_key import SigningKey
from varsel.token_issuer import TokenIssuer


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    """The key of the issuer that is trusted."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def another_key() -> rsa.RSAPrivateKey:
    """A key of somebody who is not."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def elliptic_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def source(key: rsa.RSAPrivateKey) -> KnownKey:
    return KnownKey(key.public_key())


@pytest.fixture
def tokens(source: KnownKey) -> BearerTokens:
    return BearerTokens({ISSUER: source})


@pytest.fixture
async def server(key: rsa.RSAPrivateKey) -> AsyncIterator[IssuerServer]:
    """An issuer that publishes one key."""
    async with issuer_server() as server:
        server.publish(jwk_of(key.public_key()))
        yield server


@pytest.fixture
def keys(server: IssuerServer) -> RemoteKeys:
    return RemoteKeys(TokenIssuer(f"{server.url}/"))


@pytest.fixture(scope="session")
def maskinporten_key() -> SigningKey:
    return SigningKey(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@pytest.fixture
def maskinporten(maskinporten_key: SigningKey, key: rsa.RSAPrivateKey) -> Maskinporten:
    """A Maskinporten with one client, who has registered one key."""
    return maskinporten_of(maskinporten_key, client(key.public_key()))
