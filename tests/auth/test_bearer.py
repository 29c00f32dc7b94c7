"""Bearer tokens: which are trusted, and what their holder may do."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.auth.tokens import ISSUER, KEY_ID, KnownKey, claims, token
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE, Caller
from varsel.errors import NotAuthenticated, NotAuthorised

TTD = Caller("ttd", frozenset({CREATE_SCOPE}))


def now() -> int:
    return int(time.time())


async def assert_refused(tokens: BearerTokens, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        await tokens.verify(text)


async def test_a_token_of_a_trusted_issuer_names_its_holder(tokens: BearerTokens, key: rsa.RSAPrivateKey) -> None:
    assert await tokens.verify(token(key, claims())) == TTD


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
async def test_every_algorithm_of_an_rsa_key_is_taken(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, algorithm: str
) -> None:
    signed = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": KEY_ID})

    assert await tokens.verify(signed) == TTD


async def test_a_token_signed_with_an_elliptic_curve_is_taken(elliptic_key: ec.EllipticCurvePrivateKey) -> None:
    tokens = BearerTokens({ISSUER: KnownKey(elliptic_key.public_key())})

    assert await tokens.verify(jwt.encode(claims(), elliptic_key, algorithm="ES256", headers={"kid": KEY_ID})) == TTD


@pytest.mark.parametrize(
    ("claim", "seconds", "is_taken"),
    [
        ("exp", 60, True),
        ("exp", -5, True),
        ("exp", -15, False),
        ("exp", -86_400, False),
        ("nbf", -60, True),
        ("nbf", 5, True),
        ("nbf", 15, False),
        ("iat", 5, True),
    ],
)
async def test_a_clock_may_differ_by_ten_seconds(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, claim: str, seconds: int, is_taken: bool
) -> None:
    text = token(key, claims(**{claim: now() + seconds}))

    if is_taken:
        assert await tokens.verify(text) == TTD
    else:
        await assert_refused(tokens, text)


@pytest.mark.parametrize("exp", ["tomorrow", "", [], {}, True, -1, float("inf"), float("nan")])
async def test_an_expiry_that_is_no_time_to_come_is_none(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, exp: object
) -> None:
    await assert_refused(tokens, token(key, claims(exp=exp)))


async def test_a_token_without_expiry_is_refused(tokens: BearerTokens, key: rsa.RSAPrivateKey) -> None:
    await assert_refused(tokens, token(key, claims(exp=None)))


@pytest.mark.parametrize(
    "issuer",
    [None, "", ISSUER.rstrip("/"), ISSUER.upper(), f"{ISSUER} ", "https://else.test/", [ISSUER], {}, 1, "None"],
)
async def test_an_issuer_that_is_not_on_the_list_to_the_letter_is_refused(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, source: KnownKey, issuer: object
) -> None:
    await assert_refused(tokens, token(key, claims(iss=issuer)))

    assert source.asked == []


@pytest.mark.parametrize("key_id", [None, "", "key-2", "KEY-1", 1, ["key-1"], {"kid": "key-1"}])
async def test_a_key_that_the_issuer_does_not_publish_is_refused(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, key_id: object
) -> None:
    await assert_refused(tokens, token(key, claims(), kid=key_id))


@pytest.mark.parametrize("audience", ["https://else.test", ["a", "b"], None])
async def test_the_audience_does_not_matter(tokens: BearerTokens, key: rsa.RSAPrivateKey, audience: object) -> None:
    assert await tokens.verify(token(key, claims(aud=audience))) == TTD


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("a", {"a"}),
        ("a b:c/d", {"a", "b:c/d"}),
        ("  a   b ", {"a", "b"}),
        (["a", "b"], {"a", "b"}),
        (["a b", "c"], {"a", "b", "c"}),
        (["a", 1, None, ["b"]], {"a"}),
        ("a,b", {"a,b"}),
        ("", set()),
        ([], set()),
        (None, set()),
        (1, set()),
        ({"a": "b"}, set()),
    ],
)
async def test_scopes_come_as_words_or_as_a_list(
    tokens: BearerTokens, key: rsa.RSAPrivateKey, scope: object, scopes: set[str]
) -> None:
    caller = await tokens.verify(token(key, claims(scope=scope)))

    assert caller.scopes == scopes


@pytest.mark.parametrize(
    "scope",
    [
        CREATE_SCOPE.upper(),
        CREATE_SCOPE.title(),
        CREATE_SCOPE[:-1],
        f"{CREATE_SCOPE}d",
        f"x{CREATE_SCOPE}",
        "altinn:serviceowner",
        "*",
        f"{CREATE_SCOPE},x",
        f"x\t{CREATE_SCOPE}",
    ],
)
async def test_only_the_scope_itself_is_the_scope(tokens: BearerTokens, key: rsa.RSAPrivateKey, scope: str) -> None:
    caller = await tokens.verify(token(key, claims(scope=scope)))

    with pytest.raises(NotAuthorised):
        caller.require_scope(CREATE_SCOPE)


@pytest.mark.parametrize("org", [None, "", 1, ["ttd"], {"org": "ttd"}, True])
async def test_an_owner_that_is_no_name_is_none(tokens: BearerTokens, key: rsa.RSAPrivateKey, org: object) -> None:
    caller = await tokens.verify(token(key, claims(**{"urn:altinn:org": org})))

    assert caller.owner is None


async def test_each_issuer_signs_for_itself_only(key: rsa.RSAPrivateKey, another_key: rsa.RSAPrivateKey) -> None:
    both = BearerTokens({ISSUER: KnownKey(key.public_key()), "https://b.test/": KnownKey(another_key.public_key())})

    assert await both.verify(token(another_key, claims(iss="https://b.test/"))) == TTD
    await assert_refused(both, token(another_key, claims()))
    await assert_refused(both, token(key, claims(iss="https://b.test/")))
