"""The exchange and the test tool in development mode, as Altinn's clients use them."""

from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.api.bodies import ORDERS, email_body
from tests.api.grants import EXCHANGE, SCOPE, access_token, claims_of, exchanged
from varsel.auth.development_issuer import DevelopmentIssuer

ISSUER = "http://varsel.test/authentication/api/v1/openid/"
PLATFORM_TOKEN = "/api/GetPlatformAccessToken"


async def place_order(client: httpx2.AsyncClient, **headers: str) -> int:
    """Status of an order that is placed with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await client.post(f"{ORDERS}/email", json=email_body(), headers=named)).status_code


def assert_refused(answer: httpx2.Response) -> None:
    assert (answer.status_code, answer.content) == (401, b"")


async def test_a_clients_own_token_code_places_an_order(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey
) -> None:
    token = await access_token(developer, built_in_key)
    answer = await exchanged(developer, token)

    status = await place_order(developer, Authorization=f"Bearer {answer.text}")

    assert status == 202


async def test_the_exchange_answers_with_the_bare_token(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey
) -> None:
    answer = await exchanged(developer, await access_token(developer, built_in_key))

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    discovery = (await developer.get(f"{ISSUER}.well-known/openid-configuration")).json()
    keys = jwt.PyJWKSet.from_dict((await developer.get(discovery["jwks_uri"])).json())
    key = keys[jwt.get_unverified_header(answer.text)["kid"]]
    claims = jwt.decode(answer.text, key.key, algorithms=["RS256"], issuer=ISSUER)
    assert (claims["urn:altinn:org"], claims["urn:altinn:orgNumber"]) == ("ttd", "991825827")
    assert claims["exp"] - claims["iat"] == 1800


@pytest.mark.parametrize(
    ("accept", "is_json"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json, text/plain", True),
        ("text/plain, application/json", False),
        ("application/json, text/plain, */*", False),
        ("*/*", False),
        ("text/plain", False),
        ("text/html", False),
        ("", False),
        (",;,q=", False),
    ],
)
async def test_the_exchange_quotes_the_token_for_those_who_ask_for_json(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey, accept: str, is_json: bool
) -> None:
    answer = await exchanged(developer, await access_token(developer, built_in_key), Accept=accept)

    assert answer.headers["Content-Type"].startswith("application/json") is is_json
    token = answer.json() if is_json else answer.text
    assert claims_of(token)["iss"] == ISSUER


@pytest.mark.parametrize("path", [EXCHANGE, f"{EXCHANGE}/", EXCHANGE.upper(), f"{EXCHANGE}?test=false"])
async def test_the_exchange_is_found_however_it_is_written(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey, path: str
) -> None:
    answer = await exchanged(developer, await access_token(developer, built_in_key), path)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("query", "org"),
    [("", "digdir"), ("?test=true", "ttd"), ("?test=True", "ttd"), ("?test=false", "digdir"), ("?test=", "digdir")],
)
async def test_altinns_agency_acts_as_the_test_department_on_request(
    developer: httpx2.AsyncClient, agency_key: rsa.RSAPrivateKey, query: str, org: str
) -> None:
    answer = await exchanged(developer, await access_token(developer, agency_key, iss="agency"), EXCHANGE + query)

    assert claims_of(answer.text)["urn:altinn:org"] == org


async def test_without_a_service_owners_scope_the_api_knows_no_owner(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey
) -> None:
    answer = await exchanged(developer, await access_token(developer, built_in_key, scope="altinn:x"))

    assert "urn:altinn:org" not in claims_of(answer.text)
    assert await place_order(developer, Authorization=f"Bearer {answer.text}") == 403


async def test_a_token_of_maskinporten_alone_is_refused_by_the_api(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey
) -> None:
    token = await access_token(developer, built_in_key)

    assert await place_order(developer, Authorization=f"Bearer {token}") == 401


async def test_a_token_of_the_exchange_is_not_exchanged_again(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey
) -> None:
    token = (await exchanged(developer, await access_token(developer, built_in_key))).text

    assert_refused(await exchanged(developer, token))


@pytest.mark.parametrize("path", ["/api/GetEnterpriseToken?org=ttd", PLATFORM_TOKEN])
async def test_a_token_of_the_test_tool_is_not_exchanged(developer: httpx2.AsyncClient, path: str) -> None:
    token = (await developer.get(path)).text

    assert_refused(await exchanged(developer, token))


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "bearer e30.e30.", "Bearer a b c"]
)
async def test_without_a_token_there_is_nothing_to_exchange(
    developer: httpx2.AsyncClient, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    assert_refused(await developer.get(EXCHANGE, headers=headers))


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
async def test_the_scheme_may_be_written_in_any_case(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey, scheme: str
) -> None:
    token = await access_token(developer, built_in_key)

    answer = await developer.get(EXCHANGE, headers={"Authorization": f"{scheme} {token}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("provider", ["id-porten", "altinnstudio", "maskinporten2", "%20maskinporten", "%00"])
async def test_tokens_of_other_providers_are_not_exchanged(
    developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey, provider: str
) -> None:
    path = EXCHANGE.replace("maskinporten", provider)

    answer = await exchanged(developer, await access_token(developer, built_in_key), path)

    assert answer.status_code == 400


async def test_enterprise_users_are_gone(developer: httpx2.AsyncClient, built_in_key: rsa.RSAPrivateKey) -> None:
    token = await access_token(developer, built_in_key)

    answer = await exchanged(developer, token, **{"x-altinn-enterpriseuser-authentication": "eDp5"})

    assert answer.status_code == 410


@pytest.mark.parametrize(
    ("query", "claims", "seconds"),
    [
        ({}, {"iss": "ttd", "urn:altinn:app": "varsel-test"}, 300),
        ({"env": "tt02", "org": "nav", "app": "notify"}, {"iss": "nav", "urn:altinn:app": "notify"}, 300),
        ({"org": "", "app": "", "ttl": ""}, {"iss": "ttd", "urn:altinn:app": "varsel-test"}, 300),
        ({"org": "platform", "ttl": "60"}, {"iss": "platform"}, 60),
        ({"ttl": "999999999"}, {}, 365 * 86_400),
        ({"ttl": "-1"}, {}, 300),
    ],
    ids=str,
)
async def test_a_platform_token_says_what_was_asked_for(
    developer: httpx2.AsyncClient, query: dict[str, str], claims: dict[str, Any], seconds: int
) -> None:
    answer = await developer.get(PLATFORM_TOKEN, params=query)

    said = claims_of(answer.text)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert claims.items() <= said.items()
    assert (said["aud"], said["exp"] - said["nbf"]) == ("platform.altinn.no", seconds + 5)


@pytest.mark.parametrize("path", [PLATFORM_TOKEN, f"{PLATFORM_TOKEN.lower()}/"])
async def test_a_platform_token_places_an_order_alone(
    developer: httpx2.AsyncClient, issuer: DevelopmentIssuer, path: str
) -> None:
    token = (await developer.get(path)).text

    assert await issuer.find_key(jwt.get_unverified_header(token)["kid"]) is not None
    assert await place_order(developer, PlatformAccessToken=token) == 202


async def test_a_platform_token_is_no_bearer_token(developer: httpx2.AsyncClient) -> None:
    token = (await developer.get(PLATFORM_TOKEN, params={"org": "ttd"})).text

    assert await place_order(developer, Authorization=f"Bearer {token}") == 401


async def test_an_enterprise_token_may_name_who_acts_for_its_holder(developer: httpx2.AsyncClient) -> None:
    query = {"org": "ttd", "supplierOrgNo": "310000001", "clientId": "x", "delegationSource": "http://y/"}

    claims = claims_of((await developer.get("/api/GetEnterpriseToken", params=query)).text)

    assert claims["supplier"] == {"authority": "iso6523-actorid-upis", "ID": "0192:310000001"}
    assert (claims["client_id"], claims["delegation_source"]) == ("x", "http://y/")
    assert claims["scope"] == SCOPE


async def test_an_enterprise_token_names_nobody_else_unless_asked(developer: httpx2.AsyncClient) -> None:
    query = {"supplierOrgNo": "", "clientId": "", "delegationSource": ""}

    claims = claims_of((await developer.get("/api/GetEnterpriseToken", params=query)).text)

    assert not {"supplier", "delegation_source"} & set(claims)
    assert claims["client_id"]
