"""The owner comes from a credential that was verified, and from nowhere else."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from tests.api.bodies import ORDERS, email_body
from tests.auth.platform import OTHER_KEY, certificate, platform_token
from varsel.api.app import build_app
from varsel.api.desk import Desk
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.platform_token import CertificateFolder, PlatformTokens
from varsel.contact_register.local import LocalRegister
from varsel.database.connect import Pool
from varsel.settings import Settings

HEADER = "PlatformAccessToken"


@pytest.fixture
async def caller(
    pool: Pool, settings: Settings, issuer: DevelopmentIssuer, tmp_path: Path
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without credentials, of a service that knows a certificate of ttd."""
    (tmp_path / "ttd.pem").write_bytes(certificate())
    tokens = BearerTokens({issuer.issuer: issuer})
    desk = Desk(pool, settings, tokens, lambda: None, LocalRegister(pool), PlatformTokens(CertificateFolder(tmp_path)))
    transport = httpx2.ASGITransport(build_app(desk), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://varsel.test") as client:
        yield client


def bearer(issuer: DevelopmentIssuer, org: str | None = "ttd", scope: str = CREATE_SCOPE) -> dict[str, str]:
    token = issuer.token(scopes=[scope], lifetime=timedelta(minutes=5), org=org)
    return {"Authorization": f"Bearer {token}"}


async def test_a_platform_access_token_suffices_alone(caller: httpx2.AsyncClient) -> None:
    caller.headers[HEADER] = platform_token()

    placed = await caller.post(f"{ORDERS}/email", json=email_body())

    assert placed.status_code == 202
    assert (await caller.get(placed.headers["location"])).json()["creator"] == "ttd"
    assert (await caller.get(f"{placed.headers['location']}/notifications/email")).status_code == 200
    assert (await caller.put(f"{placed.headers['location']}/cancel")).status_code == 409


@pytest.mark.parametrize("token", ["x", "a.b.c", platform_token(OTHER_KEY), platform_token(iss="nav"), "Bearer x"])
async def test_an_invalid_platform_access_token_is_401_even_beside_a_good_bearer(
    caller: httpx2.AsyncClient, issuer: DevelopmentIssuer, token: str
) -> None:
    answer = await caller.get(f"{ORDERS}?sendersReference=x", headers={HEADER: token, **bearer(issuer)})

    assert (answer.status_code, answer.content) == (401, b"")


async def test_two_valid_credentials_that_disagree_are_403(
    caller: httpx2.AsyncClient, issuer: DevelopmentIssuer
) -> None:
    answer = await caller.get(
        f"{ORDERS}?sendersReference=x", headers={HEADER: platform_token(), **bearer(issuer, "nav")}
    )

    assert (answer.status_code, answer.content) == (403, b"")


async def test_a_made_up_issuer_never_becomes_the_owner(
    caller: httpx2.AsyncClient, issuer: DevelopmentIssuer, pool: Pool
) -> None:
    headers = {HEADER: platform_token(OTHER_KEY, iss="nav"), **bearer(issuer)}

    await caller.post(f"{ORDERS}/email", json=email_body(), headers=headers)

    assert await pool.fetchval("SELECT count(*) FROM orders") == 0


@pytest.mark.parametrize("org", ["ttd", None])
async def test_two_credentials_of_one_owner_are_one(
    caller: httpx2.AsyncClient, issuer: DevelopmentIssuer, org: str | None
) -> None:
    headers = {HEADER: platform_token(), **bearer(issuer, org, scope="another:scope")}

    assert (await caller.get(f"{ORDERS}?sendersReference=x", headers=headers)).status_code == 200


@pytest.mark.parametrize("authorization", ["Bearer x", "Basic eDp5", "Bearer"])
async def test_an_invalid_bearer_beside_a_valid_platform_access_token_does_not_matter(
    caller: httpx2.AsyncClient, authorization: str
) -> None:
    headers = {HEADER: platform_token(), "Authorization": authorization}

    assert (await caller.get(f"{ORDERS}?sendersReference=x", headers=headers)).status_code == 200


async def test_an_empty_platform_access_token_is_none(caller: httpx2.AsyncClient, issuer: DevelopmentIssuer) -> None:
    good = await caller.get(f"{ORDERS}?sendersReference=x", headers={HEADER: " ", **bearer(issuer)})
    without = await caller.get(f"{ORDERS}?sendersReference=x", headers={HEADER: ""})

    assert (good.status_code, without.status_code) == (200, 401)


async def test_two_platform_access_tokens_are_too_many(caller: httpx2.AsyncClient) -> None:
    headers = [(HEADER, platform_token()), (HEADER, platform_token())]

    assert (await caller.get(f"{ORDERS}?sendersReference=x", headers=headers)).status_code == 401
