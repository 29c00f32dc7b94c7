"""A private key of our own: which files hold one, and what it signs."""

import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.auth.platform import KEY as RSA_KEY
from tests.auth.platform import OTHER_KEY, certificate
from varsel.auth.platform_token import CertificateFolder, PlatformTokens
from varsel.errors import NotAuthenticated
from varsel.outgoing.own_key import PLATFORM_HEAD_START, PLATFORM_LIFETIME, OwnKey

EC_KEY = ec.generate_private_key(ec.SECP256R1())
PrivateKey = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | dsa.DSAPrivateKey
    | ed25519.Ed25519PrivateKey
    | ed448.Ed448PrivateKey
    | x25519.X25519PrivateKey
)


def pem(key: PrivateKey, format_: PrivateFormat = PrivateFormat.PKCS8, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, format_, encryption)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (RSA_KEY, "RS256"),
        (EC_KEY, "ES256"),
        (ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (ec.generate_private_key(ec.SECP521R1()), "ES512"),
    ],
    ids=["RSA", "P-256", "P-384", "P-521"],
)
@pytest.mark.parametrize("format_", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_what_a_key_signs_its_public_half_verifies(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, algorithm: str, format_: PrivateFormat
) -> None:
    own = OwnKey.read(pem(key, format_), "key-1")

    token = own.platform_token("platform", "notifications")

    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "key-1"}
    jwt.decode(token, key.public_key(), algorithms=[algorithm], audience="platform.altinn.no")


def test_a_key_without_a_name_names_none() -> None:
    token = OwnKey.read(pem(RSA_KEY)).platform_token("platform", "notifications")

    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT"}


@pytest.mark.parametrize(
    "file",
    [
        b"Bag Attributes\n  friendlyName: varsel\n" + pem(RSA_KEY),
        pem(RSA_KEY).replace(b"\n", b"\r\n"),
        pem(RSA_KEY) + b"\n\n",
        pem(RSA_KEY) + certificate(RSA_KEY),
    ],
    ids=["text before", "line ends", "empty lines", "certificate behind"],
)
def test_a_file_may_hold_more_than_the_key(file: bytes) -> None:
    assert OwnKey.read(file).algorithm == "RS256"


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"hemmelig",
        b"\x00\xff" * 100,
        b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nhemmelig\n-----END PRIVATE KEY-----\n",
        pem(RSA_KEY)[:-100],
        pem(RSA_KEY, password=b"password"),
        pem(RSA_KEY, PrivateFormat.TraditionalOpenSSL, password=b"password"),
        pem(EC_KEY, password=b"password"),
        RSA_KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        certificate(RSA_KEY),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(ec.generate_private_key(ec.SECP224R1())),
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ed448.Ed448PrivateKey.generate()),
        pem(x25519.X25519PrivateKey.generate()),
        pem(dsa.generate_private_key(1024)),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        b'{"kty":"RSA","n":"hemmelig","e":"AQAB"}',
    ],
    ids=range(20),
)
def test_a_file_with_no_key_that_tokens_are_signed_with_is_refused(file: bytes) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # asking.py tells which setting it is
        OwnKey.read(file)

    assert "hemmelig" not in str(error.value)


def test_a_platform_token_says_who_we_are_for_five_minutes() -> None:
    now = time.time()

    token = OwnKey.read(pem(RSA_KEY)).platform_token("platform", "notifications")

    claims = jwt.decode(token, options={"verify_signature": False})
    assert {name: claims[name] for name in ("iss", "urn:altinn:app", "aud")} == {
        "iss": "platform",
        "urn:altinn:app": "notifications",
        "aud": "platform.altinn.no",
    }
    assert claims["nbf"] <= time.time() - PLATFORM_HEAD_START.total_seconds()
    assert now < claims["exp"] <= time.time() + PLATFORM_LIFETIME.total_seconds()


async def test_a_platform_token_is_taken_where_our_certificate_lies(tmp_path: Path) -> None:
    (tmp_path / "platform.pem").write_bytes(certificate(RSA_KEY))

    caller = await PlatformTokens(CertificateFolder(tmp_path)).verify(
        OwnKey.read(pem(RSA_KEY)).platform_token("platform", "notifications")
    )

    assert caller.owner == "platform"


@pytest.mark.parametrize("key", [OTHER_KEY, EC_KEY])
async def test_a_platform_token_of_another_key_is_not(tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    (tmp_path / "platform.pem").write_bytes(certificate(RSA_KEY))

    with pytest.raises(NotAuthenticated):
        await PlatformTokens(CertificateFolder(tmp_path)).verify(
            OwnKey.read(pem(key)).platform_token("platform", "notifications")
        )
