"""Retry safety: a POST with an Idempotency-Key that comes again is answered like the first one."""

import asyncio
from datetime import timedelta

import httpx2
import pytest

from tests.api.bodies import ORDERS, email_body, order_body, reasons_in
from varsel.auth.caller import CREATE_SCOPE
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.database.connect import Pool, connection_of
from varsel.database.statements import statements
from varsel.orders.idempotency import forget_idempotency_keys

KEY = {"Idempotency-Key": "5b0f9d-1"}


async def orders_in(pool: Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM orders")
    return count


async def test_a_repeat_is_answered_like_the_first_and_places_nothing(client: httpx2.AsyncClient, pool: Pool) -> None:
    first = await client.post(f"{ORDERS}/email", json=email_body(), headers=KEY)
    again = await client.post(f"{ORDERS}/email/", json=email_body(), headers=KEY)

    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"]
    assert await orders_in(pool) == 1


async def test_the_key_with_another_body_is_422(client: httpx2.AsyncClient, pool: Pool) -> None:
    await client.post(f"{ORDERS}/email", json=email_body(), headers=KEY)

    answer = await client.post(f"{ORDERS}/email", json=email_body(subject="Noe annet"), headers=KEY)

    assert answer.status_code == 422
    assert answer.json()["title"] == "Unprocessable Content"
    assert await orders_in(pool) == 1


async def test_the_key_on_another_path_is_422(client: httpx2.AsyncClient) -> None:
    body = order_body() | email_body()
    await client.post(f"{ORDERS}/email", json=body, headers=KEY)

    assert (await client.post(ORDERS, json=body, headers=KEY)).status_code == 422


async def test_while_the_first_is_being_answered_the_second_is_409(client: httpx2.AsyncClient, pool: Pool) -> None:
    async with connection_of(pool) as conn, conn.transaction():
        assert await conn.fetchval(statements("idempotency")["take_key"], "ttd", KEY["Idempotency-Key"])

        answer = await client.post(f"{ORDERS}/email", json=email_body(), headers=KEY)

    assert answer.status_code == 409
    assert answer.json()["title"] == "Conflict"
    assert await orders_in(pool) == 0


async def test_many_at_once_place_one_order(client: httpx2.AsyncClient, pool: Pool) -> None:
    answers = await asyncio.gather(*(client.post(f"{ORDERS}/email", json=email_body(), headers=KEY) for _ in range(10)))

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.json()["orderId"] for answer in answers if answer.status_code == 202}) == 1
    assert await orders_in(pool) == 1


async def test_a_refused_order_does_not_use_up_the_key(client: httpx2.AsyncClient) -> None:
    refused = await client.post(f"{ORDERS}/email", json=email_body(recipients=[]), headers=KEY)
    mended = await client.post(f"{ORDERS}/email", json=email_body(), headers=KEY)

    assert (refused.status_code, mended.status_code) == (400, 202)


async def test_each_owner_has_keys_of_its_own(
    client: httpx2.AsyncClient, issuer: DevelopmentIssuer, pool: Pool
) -> None:
    await client.post(f"{ORDERS}/email", json=email_body(), headers=KEY)
    token = issuer.token(scopes=[CREATE_SCOPE], lifetime=timedelta(minutes=5), org="nav")

    await client.post(f"{ORDERS}/email", json=email_body(), headers={**KEY, "Authorization": f"Bearer {token}"})

    assert await orders_in(pool) == 2


async def test_without_a_key_each_post_places_an_order(client: httpx2.AsyncClient, pool: Pool) -> None:
    await client.post(f"{ORDERS}/email", json=email_body())
    await client.post(f"{ORDERS}/email", json=email_body())

    assert await orders_in(pool) == 2


@pytest.mark.parametrize("key", [b"", b"x" * 256, "æ".encode(), b"a\tb"])
async def test_a_key_that_is_none_is_refused(client: httpx2.AsyncClient, key: bytes) -> None:
    answer = await client.post(f"{ORDERS}/email", json=email_body(), headers=[(b"Idempotency-Key", key)])

    assert list(reasons_in(answer)) == ["Idempotency-Key"]


@pytest.mark.parametrize(("days", "orders"), [(7, 1), (9, 2)])
async def test_a_key_is_kept_for_a_week_at_least(
    client: httpx2.AsyncClient, pool: Pool, days: int, orders: int
) -> None:
    await client.post(f"{ORDERS}/email", json=email_body(), headers=KEY)
    await pool.execute("UPDATE idempotency_keys SET created_at = now() - $1::interval", timedelta(days=days))
    await forget_idempotency_keys(pool)

    await client.post(f"{ORDERS}/email", json=email_body(), headers=KEY)

    assert await orders_in(pool) == orders
