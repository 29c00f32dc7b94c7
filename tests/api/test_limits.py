"""What one owner may use: off unless set, counted for all processes together."""

from datetime import timedelta

import httpx2
import pytest

from tests.api.bodies import KARI, ORDERS, UNKNOWN, email_body
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.database.connect import Pool
from varsel.orders.limits import forget_usage
from varsel.settings import Settings


@pytest.fixture
def limits() -> dict[str, int]:
    return {}


@pytest.fixture
def settings(settings: Settings, limits: dict[str, int]) -> Settings:
    return settings.model_copy(update=limits)


async def test_without_limits_nothing_is_counted(client: httpx2.AsyncClient, pool: Pool) -> None:
    await client.post(f"{ORDERS}/email", json=email_body())

    assert await pool.fetchval("SELECT count(*) FROM owner_usage") == 0


@pytest.mark.parametrize("limits", [{"limit_requests": 2}])
async def test_requests_beyond_the_minutes_limit_are_429(client: httpx2.AsyncClient, pool: Pool) -> None:
    # The count of this minute and the next, so that a minute that ends meanwhile changes nothing.
    await pool.execute(
        "INSERT INTO owner_usage SELECT 'ttd', 'requests', date_trunc('minute', now(), 'UTC') + i * interval '1 min', 1"
        " FROM generate_series(0, 1) AS i"
    )

    last = await client.get(f"{ORDERS}/{UNKNOWN}")
    beyond = [await client.get(f"{ORDERS}/{UNKNOWN}") for _ in range(2)][-1]

    assert last.status_code == 404
    assert beyond.status_code == 429
    assert 1 <= int(beyond.headers["retry-after"]) <= 60
    assert beyond.json()["title"] == "Too Many Requests"


@pytest.mark.parametrize("limits", [{"limit_requests": 1}])
async def test_one_owners_requests_do_not_count_for_another(
    client: httpx2.AsyncClient, issuer: DevelopmentIssuer
) -> None:
    token = issuer.token(scopes=[CREATE_SCOPE], lifetime=timedelta(minutes=5), org="nav")
    await client.get(f"{ORDERS}/{UNKNOWN}")

    answer = await client.get(f"{ORDERS}/{UNKNOWN}", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 404


@pytest.mark.parametrize("limits", [{"limit_recipients": 3}])
async def test_recipients_beyond_the_days_limit_are_429_and_not_counted(client: httpx2.AsyncClient, pool: Pool) -> None:
    async def post(recipients: int) -> int:
        return (await client.post(f"{ORDERS}/email", json=email_body(recipients=[KARI] * recipients))).status_code

    assert [await post(2), await post(2), await post(1), await post(1)] == [202, 429, 202, 429]
    assert await pool.fetchval("SELECT count(*) FROM notifications") == 3


@pytest.mark.parametrize("limits", [{"limit_recipients": 1}])
async def test_a_repeat_by_its_key_uses_nothing(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await client.post(f"{ORDERS}/email", json=email_body(), headers=headers)

    again = await client.post(f"{ORDERS}/email", json=email_body(), headers=headers)

    assert (first.status_code, again.status_code) == (202, 202)


async def test_counts_of_days_long_past_are_forgotten(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO owner_usage SELECT 'ttd', 'recipients', date_trunc('day', now(), 'UTC') - i * interval '1 day', 1"
        " FROM generate_series(0, 9) AS i"
    )

    await forget_usage(pool)

    assert await pool.fetchval("SELECT count(*) FROM owner_usage") <= 3
