"""Assertions that the client did not sign: none gets a token, and none makes us fail."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from tests.auth.grants import CLIENT, SCOPE, assertion, assertion_claims, client, maskinporten_of
from tests.auth.tokens import KEY_ID, assembled, jwk_of, token
from varsel.auth.assertion import GrantError, GrantRefused
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.signing_key import SigningKey


def assert_refused(maskinporten: Maskinporten, text: str) -> None:
    with pytest.raises(GrantRefused) as refused:
        maskinporten.grant(text)
    assert refused.value.error is GrantError.INVALID_GRANT
    assert str(refused.value).isascii()
    assert not set('"\\') & set(str(refused.value))  # RFC 6749 section 5.2


def certificate_of(key: rsa.RSAPrivateKey) -> str:
    """A certificate that the key's holder made, as `x5c` has it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, CLIENT)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(datetime.now(UTC)).not_valid_after(datetime.now(UTC) + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    return base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", [b"", b"x"])
def test_an_assertion_that_nobody_signed_is_refused(
    maskinporten: Maskinporten, algorithm: str, signature: bytes
) -> None:
    header = {"alg": algorithm, "kid": KEY_ID}

    assert_refused(maskinporten, assembled(header, json.dumps(assertion_claims()).encode(), lambda _: signature))


@pytest.mark.parametrize("form", [serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1])
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_registered_public_key_is_no_shared_secret(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, algorithm: str, form: serialization.PublicFormat
) -> None:
    secret = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    digest = getattr(hashlib, algorithm.replace("HS", "sha"))
    header = {"alg": algorithm, "kid": KEY_ID}
    payload = json.dumps(assertion_claims()).encode()

    assert_refused(maskinporten, assembled(header, payload, lambda data: hmac.digest(secret, data, digest)))


@pytest.mark.parametrize("algorithm", ["ES256", "ES512", "PS256", "RS512", "EdDSA", "RS257", "rs256", None, 1, []])
def test_an_algorithm_that_the_signature_does_not_follow_is_refused(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, algorithm: object
) -> None:
    assert_refused(maskinporten, token(key, assertion_claims(), alg=algorithm))


@pytest.mark.parametrize("header", [{}, {"kid": "key-2"}, {"kid": "../test-client-key.pem"}])
def test_a_key_of_somebody_else_is_refused(
    maskinporten: Maskinporten, another_key: rsa.RSAPrivateKey, header: dict[str, str]
) -> None:
    assert_refused(maskinporten, token(another_key, assertion_claims(), **header))


def test_no_client_can_sign_for_another(
    maskinporten_key: SigningKey, key: rsa.RSAPrivateKey, another_key: rsa.RSAPrivateKey
) -> None:
    clients = (client(key.public_key()), client(another_key.public_key(), client_id="client-2"))
    maskinporten = maskinporten_of(maskinporten_key, *clients)

    assert maskinporten.grant(assertion(another_key, iss="client-2")).scope == SCOPE
    assert_refused(maskinporten, assertion(another_key))
    assert_refused(maskinporten, assertion(key, iss="client-2"))


@pytest.mark.parametrize("name", ["jwk", "x5c", "jku", "x5u"])
@pytest.mark.parametrize("header", [{}, {"kid": KEY_ID}, {"kid": "own"}], ids=str)
def test_a_key_that_the_assertion_brings_itself_is_not_looked_at(
    maskinporten: Maskinporten, another_key: rsa.RSAPrivateKey, name: str, header: dict[str, object]
) -> None:
    offers: dict[str, object] = {
        "jwk": jwk_of(another_key.public_key(), "own"),
        "x5c": [certificate_of(another_key)],
        "jku": "http://127.0.0.1:1/keys",
        "x5u": "http://127.0.0.1:1/certificate",
    }
    headers = header | {name: offers[name]}

    assert_refused(maskinporten, jwt.encode(assertion_claims(), another_key, algorithm="RS256", headers=headers))


def test_a_certificate_in_the_header_does_not_harm_a_registered_key(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey
) -> None:
    assert maskinporten.grant(token(key, assertion_claims(), x5c=[certificate_of(key)])).scope == SCOPE


def test_an_assertion_that_was_changed_is_refused(maskinporten: Maskinporten, key: rsa.RSAPrivateKey) -> None:
    header, payload, signature = assertion(key).split(".")
    _, another, _ = assertion(key, exp=assertion_claims()["iat"]).split(".")
    typed, _, _ = token(key, assertion_claims(), typ="at+jwt").split(".")

    assert_refused(maskinporten, f"{header}.{another}.{signature}")
    assert_refused(maskinporten, f"{typed}.{payload}.{signature}")


def test_a_header_that_must_be_understood_and_is_not_is_refused(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey
) -> None:
    assert_refused(maskinporten, token(key, assertion_claims(), crit=["x"], x=1))
    assert_refused(maskinporten, token(key, assertion_claims(), crit=["b64"], b64=False))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "....",
        "x.y.z",
        "e30.e30.",
        "e30.e30.e30",
        "bnVsbA.bnVsbA.bnVsbA",
        "W10.W10.W10",
        "æ.ø.å",
        "\x00.\x00.\x00",
        "\udcff.\udcff.\udcff",
        "." * 60_000,
        "A" * 20_000 + "." + "A" * 20_000 + "." + "A" * 20_000,
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_what_is_no_assertion_is_refused(maskinporten: Maskinporten, text: str) -> None:
    assert_refused(maskinporten, text)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"null",
        b"[]",
        b'"iss"',
        b"{",
        b"\xff",
        b"[" * 40_000,
        b'{"iss":' * 9_000,
        b'{"x":' + b"[" * 40_000,
        b'{"iss": "\\ud800"}',
    ],
    ids=lambda part: ascii(part[:12]),
)
def test_a_part_that_is_no_object_is_refused(maskinporten: Maskinporten, key: rsa.RSAPrivateKey, part: bytes) -> None:
    assert_refused(maskinporten, token(key, part))
    assert_refused(maskinporten, assembled(part, json.dumps(assertion_claims()).encode(), lambda _: b"x"))


@pytest.mark.parametrize("name", ["iss", "aud", "scope"])
@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", "æøå", "\x00", "a\r\nSet-Cookie: x", "🇳🇴", "../../etc/passwd", "x" * 9_999], ids=ascii
)
def test_a_refusal_does_not_repeat_what_was_sent(
    maskinporten: Maskinporten, key: rsa.RSAPrivateKey, name: str, text: str
) -> None:
    with pytest.raises(GrantRefused) as refused:
        maskinporten.grant(assertion(key, **{name: text}))

    assert text not in str(refused.value)
