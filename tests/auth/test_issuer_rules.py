"""Issuers that differ from Altinn's own: audience, algorithms, claims, and owners by our own list."""

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.auth.tokens import ISSUER, KEY_ID, KnownKey, claims
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import Caller
from varsel.errors import NotAuthenticated
from varsel.token_issuer import TokenIssuer

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


async def verified(rules: TokenIssuer, algorithm: str = "RS256", /, **changes: object) -> Caller:
    key = EC_KEY if algorithm.startswith("ES") else KEY
    token = jwt.encode(dict(claims(**changes)), key, algorithm=algorithm, headers={"kid": KEY_ID})
    return await BearerTokens({ISSUER: KnownKey(key.public_key())}, [rules]).verify(token)


@pytest.mark.parametrize("audience", ["varsel", ["varsel", "another"]])
async def test_a_token_for_our_audience_is_taken(audience: object) -> None:
    rules = TokenIssuer(ISSUER, audience=("varsel", "varsel-test"))

    assert (await verified(rules, aud=audience)).owner == "ttd"


@pytest.mark.parametrize("audience", ["another", ["another"], [], None, 7])
async def test_a_token_for_another_audience_is_not(audience: object) -> None:
    with pytest.raises(NotAuthenticated):
        await verified(TokenIssuer(ISSUER, audience=("varsel",)), aud=audience)


async def test_without_an_audience_of_ours_the_tokens_own_does_not_matter() -> None:
    assert (await verified(TokenIssuer(ISSUER), aud="another")).owner == "ttd"


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256"])
async def test_every_algorithm_on_the_list_is_taken(algorithm: str) -> None:
    assert (await verified(TokenIssuer(ISSUER), algorithm)).owner == "ttd"


async def test_an_algorithm_that_the_issuer_may_not_use_is_not() -> None:
    with pytest.raises(NotAuthenticated):
        await verified(TokenIssuer(ISSUER, algorithms=("RS256",)), "PS256")


async def test_the_owner_may_be_named_by_another_claim() -> None:
    rules = TokenIssuer(ISSUER, org_claim="etat")

    assert (await verified(rules, etat="skd")).owner == "skd"
    assert (await verified(rules)).owner is None


@pytest.mark.parametrize(
    "named",
    [
        {"client_id": "klient-1"},
        {"azp": "klient-1"},
        {"consumer": {"authority": "iso6523-actorid-upis", "ID": "0192:974761076"}},
        {"urn:altinn:orgNumber": "974761076"},
    ],
    ids=lambda named: next(iter(named)),
)
async def test_the_owner_may_be_known_by_client_or_organisation_number(named: dict[str, object]) -> None:
    rules = TokenIssuer(ISSUER, orgs={"klient-1": "skd", "974761076": "skd"})

    assert (await verified(rules, **{"urn:altinn:org": None, **named})).owner == "skd"


async def test_whom_our_list_does_not_know_is_no_owner() -> None:
    rules = TokenIssuer(ISSUER, orgs={"klient-1": "skd"})

    assert (await verified(rules, **{"urn:altinn:org": None, "client_id": "klient-2"})).owner is None


@pytest.mark.parametrize("odd", [7, ["skd"], {"ID": 7}, {"ID": None}, {}])
async def test_claims_of_the_wrong_kind_name_nobody(odd: object) -> None:
    rules = TokenIssuer(ISSUER, orgs={"klient-1": "skd"})

    assert (await verified(rules, **{"urn:altinn:org": odd, "client_id": odd, "consumer": odd})).owner is None


async def test_of_two_scope_claims_the_first_on_the_list_counts() -> None:
    both = {"urn:altinn:scope": "a:b", "scope": "c:d"}

    assert (await verified(TokenIssuer(ISSUER), **both)).scopes == {"a:b"}
    assert (await verified(TokenIssuer(ISSUER, scope_claims=("scp", "scope")), **both)).scopes == {"c:d"}


async def test_each_issuer_is_read_by_its_own_rules() -> None:
    other = "https://other.test/"
    keys = {ISSUER: KnownKey(KEY.public_key()), other: KnownKey(KEY.public_key())}
    tokens = BearerTokens(keys, [TokenIssuer(ISSUER), TokenIssuer(other, org_claim="etat")])
    made = {"iss": other, "exp": int(time.time()) + 60, "etat": "skd", "urn:altinn:org": "ttd"}

    caller = await tokens.verify(jwt.encode(made, KEY, algorithm="RS256", headers={"kid": KEY_ID}))

    assert caller.owner == "skd"
