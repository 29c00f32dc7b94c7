"""Development mode: test tokens under the paths that real clients ask, and the sandbox's mails."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx2
import jwt
import pytest

from tests.api.bodies import KARI, ORDERS, email_body
from varsel.api.app import build_app
from varsel.api.desk import Desk
from varsel.api.development import development_resources
from varsel.auth.bearer import BearerTokens
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.maskinporten import Maskinporten
from varsel.contact_register.local import LocalRegister
from varsel.database.connect import Pool
from varsel.sandbox.handler import Envelope, Recipient
from varsel.sandbox.mailbox import Mailbox
from varsel.settings import Settings

TOKEN_PATH = "/api/GetEnterpriseToken"
DISCOVERY_PATH = "/authentication/api/v1/openid/.well-known/openid-configuration"
SCOPE = "altinn:serviceowner/notifications.create"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
async def visitor(
    pool: Pool, settings: Settings, issuer: DevelopmentIssuer, maskinporten: Maskinporten, mailbox: Mailbox
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service in development mode."""
    desk = Desk(pool, settings, BearerTokens({issuer.issuer: issuer}), lambda: None, LocalRegister(pool))
    routes = development_resources(issuer, maskinporten, mailbox)
    transport = httpx2.ASGITransport(build_app(desk, more_resources=routes))
    async with httpx2.AsyncClient(transport=transport, base_url="http://varsel.test") as client:
        yield client


async def claims_of(visitor: httpx2.AsyncClient, **query: Any) -> dict[str, Any]:
    """What a token says that was fetched and verified as a client would do it."""
    answer = await visitor.get(TOKEN_PATH, params=query)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    discovery = (await visitor.get(DISCOVERY_PATH)).json()
    keys = jwt.PyJWKSet.from_dict((await visitor.get(discovery["jwks_uri"])).json())
    key = keys[jwt.get_unverified_header(answer.text)["kid"]]
    claims: dict[str, Any] = jwt.decode(answer.text, key.key, algorithms=["RS256"], issuer=discovery["issuer"])
    return claims


async def test_the_issuer_tells_where_its_keys_are(visitor: httpx2.AsyncClient) -> None:
    answer = await visitor.get(DISCOVERY_PATH)

    assert answer.json()["issuer"] == "http://varsel.test/authentication/api/v1/openid/"
    assert answer.json()["jwks_uri"] == f"http://varsel.test{DISCOVERY_PATH}/jwks"
    assert answer.json()["id_token_signing_alg_values_supported"] == ["RS256"]


async def test_the_keys_tell_nothing_private(visitor: httpx2.AsyncClient) -> None:
    [key] = (await visitor.get(f"{DISCOVERY_PATH}/jwks")).json()["keys"]

    assert {name: key[name] for name in ("kty", "use", "alg")} == {"kty": "RSA", "use": "sig", "alg": "RS256"}
    assert not set(key) & {"d", "p", "q", "dp", "dq", "qi", "k"}


async def test_a_test_token_may_order_by_default_but_names_no_owner(visitor: httpx2.AsyncClient) -> None:
    claims = await claims_of(visitor)

    assert claims["scope"] == SCOPE
    assert "urn:altinn:org" not in claims
    assert claims["urn:altinn:orgNumber"] == "991825827"
    assert claims["consumer"] == {"authority": "iso6523-actorid-upis", "ID": "0192:991825827"}
    assert claims["exp"] - claims["iat"] == 1800


@pytest.mark.parametrize("org", ["ttd", "digdir", "Etat-1"])
async def test_a_test_token_names_the_owner_that_was_asked_for(visitor: httpx2.AsyncClient, org: str) -> None:
    claims = await claims_of(visitor, org=org, orgNo="310000000")

    assert claims["urn:altinn:org"] == org
    assert (claims["urn:altinn:orgNumber"], claims["consumer"]["ID"]) == ("310000000", "0192:310000000")


@pytest.mark.parametrize(
    ("scopes", "scope"), [("a:b,c/d", "a:b c/d"), ("a:b c/d", "a:b c/d"), ("a, b", "a b"), ("", "")]
)
async def test_scopes_stand_apart_by_commas_or_spaces(visitor: httpx2.AsyncClient, scopes: str, scope: str) -> None:
    claims = await claims_of(visitor, scopes=scopes)

    assert claims["scope"] == scope


@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        ("60", 60),
        ("86400", 86_400),
        ("999999999", 365 * 86_400),
        ("", 1800),
        ("-1", 1800),
        ("x", 1800),
        ("9" * 99, 1800),
    ],
)
async def test_a_test_token_lives_as_long_as_was_asked(visitor: httpx2.AsyncClient, ttl: str, seconds: int) -> None:
    claims = await claims_of(visitor, ttl=ttl)

    assert claims["exp"] - claims["iat"] == seconds


async def test_what_the_originals_tool_takes_besides_is_ignored(visitor: httpx2.AsyncClient) -> None:
    query = {"env": "tt02", "bulkCount": "2", "dump": "true"}

    claims = await claims_of(visitor, org="ttd", **query)

    assert (claims["urn:altinn:org"], claims["scope"]) == ("ttd", SCOPE)


async def test_a_test_token_places_an_order(visitor: httpx2.AsyncClient) -> None:
    token = (await visitor.get(TOKEN_PATH.lower(), params={"org": "ttd"})).text

    answer = await visitor.post(f"{ORDERS}/email", json=email_body(), headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 202


async def test_the_sandbox_lists_what_it_received_newest_first(visitor: httpx2.AsyncClient, mailbox: Mailbox) -> None:
    envelope = Envelope("b@bounce.varsel.test", (Recipient(KARI["emailAddress"]),))
    first = mailbox.keep(envelope, b"Subject: =?utf-8?q?Bl=C3=A5?=\r\nFrom: Etaten <a@b.no>\r\n\r\nHei\r\n")
    second = mailbox.keep(envelope, b"\r\nHei\r\n")

    listed = (await visitor.get("/sandbox/messages")).json()

    assert [message["id"] for message in listed] == [second.id, first.id]
    assert datetime.fromisoformat(listed[1].pop("receivedAt")) == first.received_at
    assert listed[1] == {
        "id": first.id,
        "returnPath": "b@bounce.varsel.test",
        "recipients": [KARI["emailAddress"]],
        "sender": "Etaten <a@b.no>",
        "subject": "Blå",
        "size": len(first.content),
        "raw": f"/sandbox/messages/{first.id}",
    }
    assert not {"sender", "subject"} & set(listed[0])


async def test_the_sandbox_shows_a_mail_to_the_byte(visitor: httpx2.AsyncClient, mailbox: Mailbox) -> None:
    content = b"Subject: Hei\r\n\r\nbl\xe5b\xc3\xa6r \xff\r\n.\r\n"
    message = mailbox.keep(Envelope("b@bounce.varsel.test"), content)

    answer = await visitor.get(f"/sandbox/messages/{message.id}")

    assert answer.content == content
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_a_mail_that_never_came_is_not_found(visitor: httpx2.AsyncClient) -> None:
    answer = await visitor.get("/sandbox/messages/0123456789AB")

    assert (answer.status_code, answer.content) == (404, b"")


async def test_without_a_sandbox_there_are_no_mails(
    pool: Pool, settings: Settings, issuer: DevelopmentIssuer, maskinporten: Maskinporten
) -> None:
    desk = Desk(pool, settings, BearerTokens({}), lambda: None, LocalRegister(pool))
    app = build_app(desk, more_resources=development_resources(issuer, maskinporten, mailbox=None))

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://varsel.test") as client:
        answers = [await client.get(path) for path in ("/sandbox/messages", "/sandbox/messages/1")]

    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "[]"), (404, "")]
