"""Every answer that the document promises, got from the service and judged by the document."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.api.bodies import ORDERS, UNKNOWN, email_body, order_body, place
from tests.api.document import assert_documented, operations
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.database.connect import Pool, connection_of
from varsel.database.statements import statements
from varsel.settings import Settings

MAX_BODY = 2_000
LATER = "2036-05-02T09:00:00+02:00"
SEND_CONDITION = "/notifications/api/v1/tests/sendcondition"
KEY = {"Idempotency-Key": "5b0f9d-1"}

# Each operation of a caller, asked for something that it answers well where it can.
BODIES = {f"{ORDERS}/email": email_body(), ORDERS: order_body(), f"{ORDERS}/sms": {"body": "Hei"}}
ASKED = [(method, path) for method, path, operation in operations() if operation.get("security") != []]
OF_AN_ORDER = [(method, path) for method, path in ASKED if "{id}" in path]
PLACING = [f"{ORDERS}/email", ORDERS]


@pytest.fixture
def limits() -> dict[str, int]:
    return {}


@pytest.fixture
def settings(settings: Settings, limits: dict[str, int]) -> Settings:
    return settings.model_copy(update={"max_body": MAX_BODY, **limits})


async def ask(
    client: httpx2.AsyncClient, method: str, path: str, order_id: str = UNKNOWN, **extra: Any
) -> httpx2.Response:
    usual = {"json": BODIES[path]} if method == "post" else {"params": {"sendersReference": "sak-42"}}
    answer = await client.request(method.upper(), path.replace("{id}", order_id), **(usual | extra))
    assert_documented(answer, method, path)
    return answer


@pytest.mark.parametrize("path", PLACING)
async def test_orders_are_placed_as_documented(client: httpx2.AsyncClient, path: str) -> None:
    looked_up = {"recipients": [{"nationalIdentityNumber": "01877512345"}]}

    answers = [await ask(client, "post", path), await ask(client, "post", path, json=BODIES[path] | looked_up)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert "recipientLookup" in answers[1].json()


@pytest.mark.parametrize(("method", "path"), OF_AN_ORDER)
@pytest.mark.parametrize("time", [None, LATER])
@pytest.mark.parametrize("reference", [None, "sak-42"])
async def test_orders_are_shown_as_documented(
    client: httpx2.AsyncClient, method: str, path: str, time: str | None, reference: str | None
) -> None:
    more = {"requestedSendTime": time} if time else {}
    order_id = await place(
        client,
        sendersReference=reference,
        ignoreReservation=True,
        resourceId="urn:x",
        resourceAction="read",
        conditionEndpoint="https://etaten.no/x",
        **more,
    )

    answer = await ask(client, method, path, order_id)

    assert answer.status_code == (409 if method == "put" and time is None else 200)


async def test_orders_are_found_as_documented(client: httpx2.AsyncClient) -> None:
    await place(client, sendersReference="sak-42")

    answer = await ask(client, "get", ORDERS)

    assert (answer.status_code, answer.json()["count"]) == (200, 1)


@pytest.mark.parametrize(("method", "path"), OF_AN_ORDER)
async def test_what_is_no_order_is_answered_as_documented(client: httpx2.AsyncClient, method: str, path: str) -> None:
    unknown = await ask(client, method, path)
    malformed = await ask(client, method, path, "1337")

    assert (unknown.status_code, malformed.status_code) == (404, 400)


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_callers_without_the_right_token_are_answered_as_documented(
    anonymous: httpx2.AsyncClient, issuer: DevelopmentIssuer, method: str, path: str
) -> None:
    token = issuer.token(scopes=["altinn:serviceowner"], lifetime=timedelta(minutes=5), org="ttd")

    no_token = await ask(anonymous, method, path)
    no_scope = await ask(anonymous, method, path, headers={"Authorization": f"Bearer {token}"})

    assert (no_token.status_code, no_scope.status_code) == (401, 403)


@pytest.mark.parametrize("path", PLACING)
async def test_bodies_that_are_not_taken_are_answered_as_documented(client: httpx2.AsyncClient, path: str) -> None:
    invalid = await ask(client, "post", path, json=BODIES[path] | {"recipients": [{"emailAddress": "x"}]})
    broken = await ask(client, "post", path, json=None, content=b"{", headers={"Content-Type": "application/json"})
    large = await ask(client, "post", path, json={"body": "x" * MAX_BODY})
    text = await ask(client, "post", path, json=None, content=b"Hei", headers={"Content-Type": "text/plain"})

    assert [answer.status_code for answer in (invalid, broken, large, text)] == [400, 400, 413, 415]


async def test_what_is_not_built_is_answered_as_documented(client: httpx2.AsyncClient) -> None:
    assert (await ask(client, "post", f"{ORDERS}/sms")).status_code == 400


async def test_a_search_for_nothing_is_answered_as_documented(client: httpx2.AsyncClient) -> None:
    assert (await ask(client, "get", ORDERS, params={})).status_code == 400


@pytest.mark.parametrize("path", PLACING)
async def test_repeats_are_answered_as_documented(client: httpx2.AsyncClient, pool: Pool, path: str) -> None:
    async with connection_of(pool) as conn, conn.transaction():
        await conn.fetchval(statements("idempotency")["take_key"], "ttd", KEY["Idempotency-Key"])
        while_running = await ask(client, "post", path, headers=KEY)
    first = await ask(client, "post", path, headers=KEY)
    again = await ask(client, "post", path, headers=KEY)
    other = await ask(client, "post", path, headers=KEY, json=BODIES[path] | {"sendersReference": "sak-43"})
    bad_key = await ask(client, "post", path, headers={"Idempotency-Key": "x" * 256})

    answers = [while_running, first, again, other, bad_key]
    assert [answer.status_code for answer in answers] == [409, 202, 202, 422, 400]


@pytest.mark.parametrize(("method", "path"), ASKED)
@pytest.mark.parametrize("limits", [{"limit_requests": 1}])
async def test_beyond_the_limit_the_answer_is_as_documented(
    client: httpx2.AsyncClient, pool: Pool, method: str, path: str
) -> None:
    # The count of this minute and the next, so that a minute that ends meanwhile changes nothing.
    await pool.execute(
        "INSERT INTO owner_usage SELECT 'ttd', 'requests', date_trunc('minute', now(), 'UTC') + i * interval '1 min', 1"
        " FROM generate_series(0, 1) AS i"
    )

    assert (await ask(client, method, path)).status_code == 429


@pytest.mark.parametrize(("method", "path"), ASKED)
@pytest.mark.parametrize("limits", [{"limit_requests": 1}])
async def test_without_its_database_the_answer_is_as_documented(
    client: httpx2.AsyncClient, pool: Pool, method: str, path: str
) -> None:
    await pool.close()

    assert (await ask(client, method, path)).status_code == 503


async def test_a_condition_is_answered_as_documented(anonymous: httpx2.AsyncClient) -> None:
    answers = [
        await ask(anonymous, "get", SEND_CONDITION, params={"conditionMet": given}) for given in ("true", "false", "x")
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 400]


async def test_health_is_answered_as_documented(anonymous: httpx2.AsyncClient, pool: Pool) -> None:
    well = await ask(anonymous, "get", "/health")
    await pool.close()
    unwell = await ask(anonymous, "get", "/health")

    assert (well.status_code, unwell.status_code) == (200, 503)
