"""What asks others, put together from settings: with the keys and authorities that they name, or not at all."""

from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from tests.auth.platform import KEY, certificate
from tests.outgoing.conditions import MET
from tests.outgoing.web_server import WebServer, http_answer, web_server
from tests.transports.certificates import Authority
from varsel.asking import _authorities, asking
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.platform_token import CertificateFolder, PlatformTokens
from varsel.database.connect import Pool
from varsel.errors import SettingsError
from varsel.orders.send_condition import Condition
from varsel.outgoing.guard import Refused
from varsel.settings import load_settings

PERSON = "01818011039"
PKCS8 = PrivateFormat.PKCS8


@pytest.fixture
async def issuer_server() -> AsyncIterator[WebServer]:
    """Gives our own client its tokens."""
    async with web_server() as server:
        server.answers["/token"] = http_answer(body=b'{"access_token":"ours","expires_in":60}')
        yield server


@pytest.fixture
async def register() -> AsyncIterator[WebServer]:
    """Knows nobody."""
    async with web_server() as server:
        server.otherwise = http_answer(body=b'{"contactPointsList":[]}')
        yield server


@pytest.fixture
def own_key(tmp_path: Path) -> Path:
    file = tmp_path / "own.pem"
    file.write_bytes(KEY.private_bytes(Encoding.PEM, PKCS8, NoEncryption()))
    return file


@pytest.mark.parametrize("name", ["client_key", "platform_key"])
@pytest.mark.parametrize(
    "content",
    [None, b"", certificate(KEY), KEY.private_bytes(Encoding.PEM, PKCS8, BestAvailableEncryption(b"password"))],
    ids=["no file", "nothing", "a certificate", "a password"],
)
async def test_a_key_that_cannot_be_used_is_said_by_name(
    pool: Pool, tmp_path: Path, name: str, content: bytes | None
) -> None:
    file = tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    registers = {"profile_url": "https://profile.test", "register_url": "https://register.test"}
    given = {"token_url": "https://issuer.test/token", "client_id": "varsel", "contact_register": "http", name: file}
    if name == "platform_key":
        given["client_secret"] = "secret"

    with pytest.raises(SettingsError, match=f"VARSEL_{name.upper()}: ") as error:
        async with asking(pool, load_settings(**given, **registers), None):
            pass

    assert str(file) not in str(error.value)


async def test_a_platform_key_that_is_no_rsa_key_is_refused(pool: Pool, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PKCS8, NoEncryption()))
    registers = {"profile_url": "https://profile.test", "register_url": "https://register.test"}

    with pytest.raises(SettingsError, match="VARSEL_PLATFORM_KEY: must be an RSA key"):
        async with asking(pool, load_settings(contact_register="http", platform_key=file, **registers), None):
            pass


async def test_authorities_of_our_own_are_trusted_beside_the_systems(tmp_path: Path) -> None:
    system = len(_authorities(None).get_ca_certs())

    assert len(_authorities(Authority(tmp_path).file).get_ca_certs()) == system + 1


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
async def test_authorities_that_cannot_be_read_are_said_by_name(
    pool: Pool, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match="VARSEL_HTTP_CA: "):
        async with asking(pool, load_settings(http_ca=file), None):
            pass


@pytest.mark.parametrize("proof", ["client_key", "client_secret"])
async def test_a_condition_is_asked_with_a_token_of_our_own_over_tls_that_our_authority_vouches_for(
    pool: Pool, tmp_path: Path, own_key: Path, issuer_server: WebServer, proof: str
) -> None:
    authority = Authority(tmp_path)
    settings = load_settings(
        token_url=f"{issuer_server.url}/token",
        client_id="varsel",
        http_ca=authority.file,
        condition_private=True,
        **{proof: own_key if proof == "client_key" else "secret"},
    )

    async with web_server(authority.server("localhost")) as endpoint, asking(pool, settings, None) as asked:
        endpoint.otherwise = http_answer(body=MET)
        said = await asked.conditions.ask(f"https://localhost:{endpoint.port}/")

    assert said is Condition.MET
    assert [request.headers["authorization"] for request in endpoint.asked] == ["Bearer ours"]
    assert issuer_server.targets == ["/token"]


async def test_unless_settings_allow_it_no_condition_is_asked_in_a_private_network(pool: Pool) -> None:
    async with web_server() as inside, asking(pool, load_settings(), None) as asked:
        with pytest.raises(Refused):
            await asked.conditions.ask(f"{inside.url}/")

        assert inside.connections == 0


@pytest.mark.parametrize("scope", ["altinn:register", None])
async def test_a_register_is_shown_a_platform_token_and_an_access_token_where_it_has_a_scope(
    pool: Pool, tmp_path: Path, own_key: Path, issuer_server: WebServer, register: WebServer, scope: str | None
) -> None:
    (tmp_path / "etaten.pem").write_bytes(certificate(KEY))
    settings = load_settings(
        contact_register="http",
        profile_url=register.url,
        register_url=register.url,
        register_scope=scope,
        token_url=f"{issuer_server.url}/token",
        client_id="varsel",
        client_secret="secret",
        platform_key=own_key,
        platform_issuer="etaten",
    )

    async with asking(pool, settings, None) as asked:
        assert await asked.register.contacts([PERSON]) == {}

    [request] = register.asked
    assert request.headers.get("authorization") == ("Bearer ours" if scope else None)
    tokens = PlatformTokens(CertificateFolder(tmp_path))
    assert (await tokens.verify(request.headers["platformaccesstoken"])).owner == "etaten"


async def test_in_development_mode_the_test_issuer_says_who_we_are(
    pool: Pool, issuer: DevelopmentIssuer, register: WebServer
) -> None:
    settings = load_settings(contact_register="http", profile_url=register.url, register_url=register.url)

    async with asking(pool, settings, issuer) as asked:
        await asked.register.contacts([PERSON])

    [request] = register.asked
    [key] = jwt.PyJWKSet.from_dict(issuer.jwks()).keys
    for token in (request.headers["authorization"].removeprefix("Bearer "), request.headers["platformaccesstoken"]):
        jwt.decode(token, key, algorithms=["RS256"], options={"verify_aud": False})
