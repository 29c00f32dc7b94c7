"""Who may call: the answers to callers without the right token, whatever else is wrong with their request."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.api.bodies import ORDERS, UNKNOWN, email_body, order_body, reasons_in
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.database.connect import Pool
from varsel.settings import Settings

MAX_BODY = 2_000
BAD_JSON: dict[str, Any] = {"content": b"{", "headers": {"Content-Type": "application/json"}}

# Each endpoint, asked for something that it would refuse with a 400 or 404 if it came to that.
ENDPOINTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", ORDERS, BAD_JSON),
    ("POST", f"{ORDERS}/email", BAD_JSON),
    ("POST", f"{ORDERS}/sms", BAD_JSON),
    ("POST", f"{ORDERS}/email", {"content": b"x" * (MAX_BODY + 1), "headers": {"Content-Type": "text/plain"}}),
    ("GET", ORDERS, {}),
    ("GET", f"{ORDERS}/1337;1=1", {}),
    ("GET", f"{ORDERS}/1337;1=1/status", {}),
    ("PUT", f"{ORDERS}/1337;1=1/cancel", {}),
    ("GET", f"{ORDERS}/1337;1=1/notifications/email", {}),
    ("GET", f"{ORDERS}/1337;1=1/notifications/sms", {}),
    ("GET", f"{ORDERS.removesuffix('s')}/1337;1=1/notifications/email", {}),
]
of_every_endpoint = pytest.mark.parametrize(("method", "path", "extra"), ENDPOINTS)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_body": MAX_BODY})


def token(issuer: DevelopmentIssuer, *scopes: str, org: str | None = "ttd", seconds: int = 300) -> str:
    return issuer.token(scopes=scopes, lifetime=timedelta(seconds=seconds), org=org)


async def ask(
    client: httpx2.AsyncClient, method: str, path: str, extra: dict[str, Any], authorization: str | None
) -> httpx2.Response:
    headers = dict(extra.get("headers", {}))
    if authorization is not None:
        headers["Authorization"] = authorization.encode("latin-1")
    return await client.request(method, path, **{**extra, "headers": headers})


@of_every_endpoint
async def test_without_a_valid_token_the_answer_is_an_empty_401(
    anonymous: httpx2.AsyncClient, issuer: DevelopmentIssuer, method: str, path: str, extra: dict[str, Any]
) -> None:
    expired = f"Bearer {token(issuer, CREATE_SCOPE, seconds=-60)}"

    for authorization in (None, "", "Bearer", "Bearer ", "Bearer x.y.z", "Basic dHRkOnR0ZA==", "Bearer æ.ø.å", expired):
        answer = await ask(anonymous, method, path, extra, authorization)

        assert (answer.status_code, answer.content) == (401, b""), authorization


@of_every_endpoint
async def test_without_the_scope_the_answer_is_an_empty_403(
    anonymous: httpx2.AsyncClient, issuer: DevelopmentIssuer, method: str, path: str, extra: dict[str, Any]
) -> None:
    for scope in ("", "altinn:serviceowner", CREATE_SCOPE.upper(), f"{CREATE_SCOPE}.all"):
        answer = await ask(anonymous, method, path, extra, f"Bearer {token(issuer, scope)}")

        assert (answer.status_code, answer.content) == (403, b""), scope


@pytest.mark.parametrize(("method", "path"), [(m, p.replace("1337;1=1", UNKNOWN)) for m, p, _ in ENDPOINTS[4:]])
async def test_a_token_without_owner_reads_and_cancels_nothing(
    anonymous: httpx2.AsyncClient, issuer: DevelopmentIssuer, method: str, path: str
) -> None:
    authorization = f"Bearer {token(issuer, CREATE_SCOPE, org=None)}"

    answer = await ask(anonymous, method, path, {"params": {"sendersReference": "x"}}, authorization)

    assert (answer.status_code, answer.content) == (403, b"")


@pytest.mark.parametrize(("path", "body"), [(f"{ORDERS}/email", email_body()), (ORDERS, order_body())])
async def test_a_token_without_owner_learns_what_is_wrong_before_it_is_refused(
    anonymous: httpx2.AsyncClient,
    issuer: DevelopmentIssuer,
    pool: Pool,
    orders_placed: list[None],
    path: str,
    body: dict[str, Any],
) -> None:
    authorization = f"Bearer {token(issuer, CREATE_SCOPE, org=None)}"

    invalid = await ask(anonymous, "POST", path, {"json": body | {"recipients": []}}, authorization)
    valid = await ask(anonymous, "POST", path, {"json": body}, authorization)

    assert list(reasons_in(invalid)) == ["Recipients"]
    assert (valid.status_code, valid.content) == (403, b"")
    assert await pool.fetchval("SELECT count(*) FROM orders") == 0
    assert orders_placed == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
async def test_a_token_is_taken_behind_its_scheme_in_any_case(
    anonymous: httpx2.AsyncClient, issuer: DevelopmentIssuer, scheme: str
) -> None:
    answer = await ask(anonymous, "GET", f"{ORDERS}/{UNKNOWN}", {}, f"{scheme} {token(issuer, CREATE_SCOPE)}")

    assert answer.status_code == 404
