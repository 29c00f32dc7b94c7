"""A service in development mode, and the clients that are registered with its Maskinporten."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.auth.tokens import jwk_of
from varsel.api.app import build_app
from varsel.api.desk import Desk
from varsel.api.development import development_resources
from varsel.auth.bearer import BearerTokens
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.platform_token import PlatformTokens
from varsel.auth.registered_clients import BUILT_IN_KEY_FILE
from varsel.contact_register.local import LocalRegister
from varsel.database.connect import Pool
from varsel.settings import Settings


@pytest.fixture(scope="session")
def token_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of the test Maskinporten."""
    return tmp_path_factory.mktemp("maskinporten")


@pytest.fixture(scope="session")
def agency_key() -> rsa.RSAPrivateKey:
    """The key of the client `agency`, registered as `key-1`."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def maskinporten(token_folder: Path, agency_key: rsa.RSAPrivateKey) -> Maskinporten:
    """A Maskinporten that knows, beside the built-in client, one of Altinn's agency."""
    agency = {
        "client_id": "agency",
        "org_number": "991825827",
        "org": "digdir",
        "scopes": ["altinn:serviceowner/notifications.create"],
        "jwks": {"keys": [jwk_of(agency_key.public_key())]},
    }
    file = token_folder / "clients.json"
    file.write_text(json.dumps([agency]), encoding="utf-8")
    return Maskinporten.open(token_folder, "http://varsel.test/", file)


@pytest.fixture(scope="session")
def built_in_key(maskinporten: Maskinporten, token_folder: Path) -> rsa.RSAPrivateKey:
    """The key of the built-in client, read as a developer would."""
    key = serialization.load_pem_private_key((token_folder / BUILT_IN_KEY_FILE).read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.fixture
async def developer(
    pool: Pool, settings: Settings, issuer: DevelopmentIssuer, maskinporten: Maskinporten
) -> AsyncIterator[httpx2.AsyncClient]:
    """Whoever tries out a client against a service in development mode."""
    tokens = BearerTokens({issuer.issuer: issuer})
    desk = Desk(pool, settings, tokens, lambda: None, LocalRegister(pool), PlatformTokens(development=issuer))
    routes = development_resources(issuer, maskinporten, None, slow_lookup=timedelta(milliseconds=10))
    app = build_app(desk, more_resources=routes)
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://varsel.test") as client:
        yield client
