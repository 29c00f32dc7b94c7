"""The exchange: which access tokens become Altinn tokens, and whose."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.auth.grants import CLIENT, MASKINPORTEN, ORG_NUMBER, SCOPE, assertion, client, maskinporten_of, now
from tests.auth.tokens import token
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import Caller
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.exchange import exchange
from varsel.auth.maskinporten import Maskinporten
from varsel.auth.signing_key import SigningKey
from varsel.errors import NotAuthenticated

CONSUMER = {"authority": "iso6523-actorid-upis", "ID": f"0192:{ORG_NUMBER}"}


def access_token(key: SigningKey, **changes: object) -> str:
    """An access token as Maskinporten signs it, which says whatever a test needs; None leaves the claim out."""
    valid: dict[str, object] = {
        "scope": SCOPE,
        "iss": MASKINPORTEN,
        "client_amr": "private_key_jwt",
        "token_type": "Bearer",
        "exp": now() + 120,
        "iat": now(),
        "client_id": CLIENT,
        "jti": "1",
        "consumer": CONSUMER,
    }
    return key.sign({name: value for name, value in (valid | changes).items() if value is not None})


async def exchanged(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, text: str, *, agency_is_test_org: bool = False
) -> dict[str, Any]:
    """What the Altinn token says."""
    altinn_token = exchange(maskinporten, issuer, text, agency_is_test_org=agency_is_test_org)
    key = await issuer.find_key(jwt.get_unverified_header(altinn_token)["kid"])
    assert key is not None
    claims: dict[str, Any] = jwt.decode(altinn_token, key.key, algorithms=["RS256"], issuer=issuer.issuer)
    return claims


def assert_refused(maskinporten: Maskinporten, issuer: DevelopmentIssuer, text: str) -> None:
    with pytest.raises(NotAuthenticated):
        exchange(maskinporten, issuer, text, agency_is_test_org=False)


async def test_the_altinn_token_adds_what_altinn_knows(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, key: rsa.RSAPrivateKey
) -> None:
    granted = maskinporten.grant(assertion(key)).text
    before = maskinporten.verify(granted)

    claims = await exchanged(maskinporten, issuer, granted)

    assert claims.pop("exp") - claims["iat"] == 1800
    assert abs(claims.pop("iat") - now()) <= 2
    assert abs(claims.pop("nbf") - now()) <= 2
    assert claims.pop("sid")
    assert claims == {
        "iss": issuer.issuer,
        "scope": SCOPE,
        "token_type": "Bearer",
        "client_id": CLIENT,
        "jti": before["jti"],
        "consumer": CONSUMER,
        "urn:altinn:org": "ttd",
        "urn:altinn:orgNumber": ORG_NUMBER,
        "urn:altinn:authenticatemethod": "maskinporten",
        "urn:altinn:authlevel": 3,
    }


async def test_other_claims_are_kept_but_none_that_is_altinns_to_say(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, maskinporten_key: SigningKey
) -> None:
    supplier = {"authority": "iso6523-actorid-upis", "ID": "0192:310000001"}
    own = {"urn:altinn:org": "nav", "urn:altinn:scope": "x", "urn:altinn:authlevel": 4, "urn:altinn:x": 1}
    text = access_token(
        maskinporten_key, supplier=supplier, delegation_source="x", sid="s", aud="a", scope="b", nbf=1, **own
    )

    claims = await exchanged(maskinporten, issuer, text)

    assert (claims["supplier"], claims["delegation_source"], claims["scope"]) == (supplier, "x", "b")
    assert (claims["urn:altinn:authlevel"], claims["sid"] != "s", claims["nbf"] > 1) == (3, True, True)
    assert not {"aud", "client_amr", "urn:altinn:org", "urn:altinn:scope", "urn:altinn:x"} & set(claims)


@pytest.mark.parametrize(
    ("changes", "org"),
    [
        ({}, "ttd"),
        ({"scope": "altinn:serviceowner"}, "ttd"),
        ({"scope": "a altinn:serviceowner/instances.read"}, "ttd"),
        ({"scope": "altinn:notifications.support.admin"}, None),
        ({"scope": "Altinn:ServiceOwner"}, None),
        ({"scope": ""}, None),
        ({"scope": None}, None),
        ({"consumer": {**CONSUMER, "ID": "0192:310000001"}}, None),
        ({"client_id": "client-2"}, None),
        ({"client_id": None}, None),
        ({"client_id": ["client-1"]}, None),
    ],
    ids=str,
)
async def test_only_a_known_client_with_a_service_owners_scope_is_a_service_owner(
    maskinporten: Maskinporten,
    issuer: DevelopmentIssuer,
    maskinporten_key: SigningKey,
    changes: dict[str, Any],
    org: str | None,
) -> None:
    claims = await exchanged(maskinporten, issuer, access_token(maskinporten_key, **changes))

    assert claims.get("urn:altinn:org") == org
    assert claims["urn:altinn:orgNumber"] == changes.get("consumer", CONSUMER)["ID"].split(":")[1]


async def test_a_client_without_org_is_no_service_owner(
    issuer: DevelopmentIssuer, maskinporten_key: SigningKey, key: rsa.RSAPrivateKey
) -> None:
    maskinporten = maskinporten_of(maskinporten_key, client(key.public_key(), org=None))

    claims = await exchanged(maskinporten, issuer, access_token(maskinporten_key))

    assert "urn:altinn:org" not in claims


@pytest.mark.parametrize(
    ("org", "agency_is_test_org", "shown"),
    [("digdir", True, "ttd"), ("digdir", False, "digdir"), ("nav", True, "nav"), (None, True, None)],
)
async def test_altinns_agency_acts_as_the_test_department_on_request(
    issuer: DevelopmentIssuer,
    maskinporten_key: SigningKey,
    key: rsa.RSAPrivateKey,
    org: str | None,
    agency_is_test_org: bool,
    shown: str | None,
) -> None:
    maskinporten = maskinporten_of(maskinporten_key, client(key.public_key(), org=org))
    text = access_token(maskinporten_key)

    claims = await exchanged(maskinporten, issuer, text, agency_is_test_org=agency_is_test_org)

    assert claims.get("urn:altinn:org") == shown


@pytest.mark.parametrize(
    "consumer",
    [
        None,
        "0192:310000000",
        [],
        {},
        {"ID": CONSUMER["ID"]},
        {**CONSUMER, "authority": "iso6523-actorid"},
        {**CONSUMER, "authority": "ISO6523-ACTORID-UPIS"},
        {"authority": CONSUMER["authority"]},
        {**CONSUMER, "ID": "310000000"},
        {**CONSUMER, "ID": "0192:"},
        {**CONSUMER, "ID": None},
        {**CONSUMER, "ID": 1},
    ],
    ids=str,
)
def test_a_token_that_names_no_organisation_is_refused(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, maskinporten_key: SigningKey, consumer: object
) -> None:
    assert_refused(maskinporten, issuer, access_token(maskinporten_key, consumer=consumer))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "never"},
        {"iss": None},
        {"iss": MASKINPORTEN.rstrip("/")},
        {"iss": "https://maskinporten.no/"},
        {"nbf": 2**40},
    ],
    ids=str,
)
def test_a_token_that_is_out_of_date_or_of_another_issuer_is_refused(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, maskinporten_key: SigningKey, changes: dict[str, object]
) -> None:
    assert_refused(maskinporten, issuer, access_token(maskinporten_key, **changes))


def test_a_token_may_be_ten_seconds_too_old(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, maskinporten_key: SigningKey
) -> None:
    assert exchange(maskinporten, issuer, access_token(maskinporten_key, exp=now() - 5), agency_is_test_org=False)
    assert_refused(maskinporten, issuer, access_token(maskinporten_key, exp=now() - 15))


def test_a_token_that_somebody_else_signed_is_refused(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, maskinporten_key: SigningKey, key: rsa.RSAPrivateKey
) -> None:
    _, payload, _ = access_token(maskinporten_key).split(".")
    claims = maskinporten.verify(access_token(maskinporten_key))

    assert_refused(maskinporten, issuer, SigningKey(key).sign(claims))
    assert_refused(maskinporten, issuer, token(key, claims, kid=maskinporten_key.id))
    assert_refused(maskinporten, issuer, jwt.encode(claims, "", algorithm="none"))
    assert_refused(maskinporten, issuer, jwt.encode(claims, "x" * 64, algorithm="HS256"))
    assert_refused(maskinporten, issuer, f"e30.{payload}.")
    assert_refused(maskinporten, issuer, assertion(key))


@pytest.mark.parametrize("text", ["", ".", "x", "e30.e30.e30", "æ.ø.å", "." * 9_999, "A" * 9_999])
def test_what_is_no_token_is_refused(maskinporten: Maskinporten, issuer: DevelopmentIssuer, text: str) -> None:
    assert_refused(maskinporten, issuer, text)


def test_an_altinn_token_is_not_exchanged_again(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, maskinporten_key: SigningKey
) -> None:
    altinn_token = exchange(maskinporten, issuer, access_token(maskinporten_key), agency_is_test_org=False)

    assert_refused(maskinporten, issuer, altinn_token)


def test_a_token_of_the_test_tool_is_not_exchanged_even_if_it_poses_as_maskinportens(
    maskinporten: Maskinporten, tmp_path: Path
) -> None:
    posing = DevelopmentIssuer.open(tmp_path, MASKINPORTEN)
    minute = timedelta(minutes=1)

    assert_refused(maskinporten, posing, posing.token(scopes=[SCOPE], lifetime=minute, org="ttd"))
    assert_refused(maskinporten, posing, posing.platform_token(MASKINPORTEN, "app", minute))


async def test_the_api_takes_the_altinn_token_and_not_the_access_token(
    maskinporten: Maskinporten, issuer: DevelopmentIssuer, maskinporten_key: SigningKey
) -> None:
    text = access_token(maskinporten_key)
    tokens = BearerTokens({issuer.issuer: issuer})

    caller = await tokens.verify(exchange(maskinporten, issuer, text, agency_is_test_org=False))

    assert caller == Caller("ttd", frozenset({SCOPE}))
    with pytest.raises(NotAuthenticated):
        await tokens.verify(text)
