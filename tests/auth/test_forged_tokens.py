"""Tokens that somebody made up: none is trusted, and none makes us fail."""

import hashlib
import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.auth.tokens import KEY_ID, assembled, claims, jwk_of, token
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE, Caller
from varsel.errors import NotAuthenticated

TTD = Caller("ttd", frozenset({CREATE_SCOPE}))


async def assert_refused(tokens: BearerTokens, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        await tokens.verify(text)


async def test_a_key_of_somebody_else_under_the_right_id_is_refused(
    tokens: BearerTokens, another_key: rsa.RSAPrivateKey
) -> None:
    await assert_refused(tokens, token(another_key, claims()))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", [b"", b"x"])
async def test_a_token_that_nobody_signed_is_refused(tokens: BearerTokens, algorithm: str, signature: bytes) -> None:
    header = {"alg": algorithm, "kid": KEY_ID}

    await assert_refused(tokens, assembled(header, json.dumps(claims()).encode(), lambda _: signature))


@pytest.mark.parametrize("form", [serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1])
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_the_public_key_is_no_shared_secret(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, algorithm: str, form: serialization.PublicFormat
) -> None:
    secret = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    digest = getattr(hashlib, algorithm.replace("HS", "sha"))
    header = {"alg": algorithm, "kid": KEY_ID}

    await assert_refused(
        tokens, assembled(header, json.dumps(claims()).encode(), lambda data: hmac.digest(secret, data, digest))
    )


@pytest.mark.parametrize("algorithm", ["ES256", "ES512", "PS256", "RS512", "EdDSA", "RS257", "rs256", None, 1, []])
async def test_an_algorithm_that_the_signature_does_not_follow_is_refused(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, algorithm: object
) -> None:
    await assert_refused(tokens, token(key, claims(), alg=algorithm))


async def test_a_token_whose_payload_was_changed_is_refused(tokens: BearerTokens, key: rsa.RSAPrivateKey) -> None:
    header, _, signature = token(key, claims()).split(".")
    _, payload, _ = token(key, claims(**{"urn:altinn:org": "nav"})).split(".")

    await assert_refused(tokens, f"{header}.{payload}.{signature}")


async def test_a_token_whose_header_was_changed_is_refused(tokens: BearerTokens, key: rsa.RSAPrivateKey) -> None:
    _, payload, signature = token(key, claims()).split(".")
    header, _, _ = token(key, claims(), typ="at+jwt").split(".")

    await assert_refused(tokens, f"{header}.{payload}.{signature}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "....",
        "x",
        "x.y.z",
        "e30.e30.",
        "e30.e30.e30",
        "bnVsbA.bnVsbA.bnVsbA",
        "W10.W10.W10",
        "=.=.=",
        "æ.ø.å",
        "\x00.\x00.\x00",
        "\udcff.\udcff.\udcff",
        "🇳🇴.🇳🇴.🇳🇴",
        " ".join(["e30"] * 3),
        "." * 100_000,
        "A" * 100_000,
        "A" * 33_333 + "." + "A" * 33_333 + "." + "A" * 33_333,
    ],
    ids=lambda text: ascii(text[:20]),
)
async def test_what_is_no_token_is_refused(tokens: BearerTokens, text: str) -> None:
    await assert_refused(tokens, text)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"iss"',
        b"{",
        b"\xff",
        b"[" * 40_000,
        b'{"iss":' * 10_000,
        b'{"exp": ' + b"9" * 5_000 + b"}",
        b'{"iss": "\\ud800"}',
    ],
    ids=lambda payload: ascii(payload[:12]),
)
async def test_a_payload_that_is_no_set_of_claims_is_refused(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, payload: bytes
) -> None:
    await assert_refused(tokens, token(key, payload))


@pytest.mark.parametrize(
    "header",
    [
        None,
        [],
        "RS256",
        {},
        {"alg": "RS256", "crit": ["b64"], "b64": False, "kid": KEY_ID},
        b"",
        b"{",
        b"\xff",
        b"[" * 40_000,
        b'{"alg":' * 10_000,
    ],
    ids=lambda header: ascii(header)[:20],
)
async def test_a_header_that_is_none_is_refused(tokens: BearerTokens, header: object) -> None:
    await assert_refused(tokens, assembled(header, json.dumps(claims()).encode(), lambda _: b"x"))


async def test_a_key_that_the_token_brings_itself_is_not_looked_at(
    tokens: BearerTokens, another_key: rsa.RSAPrivateKey
) -> None:
    own = jwk_of(another_key.public_key())

    for header in (
        {"jwk": own},
        {"jwk": own, "kid": None},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/certificate"},
        {"x5c": ["MIIB"]},
        {"kid": "../../etc/passwd"},
    ):
        await assert_refused(tokens, token(another_key, claims(), **header))


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
async def test_what_the_header_offers_besides_does_not_harm_a_good_token(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, name: str
) -> None:
    assert await tokens.verify(token(key, claims(), **{name: "http://127.0.0.1:1/keys"})) == TTD
