"""A due order becomes one notification for each recipient: all of them, once, or none."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.factories import placed_order
from varsel.database.connect import Pool, connection_of
from varsel.database.statements import statements
from varsel.orders.generate import generate_next_due
from varsel.orders.order import OrderStatus, Recipient

RECIPIENTS = [Recipient(email_address=f"kari+{number}@sandbox.test") for number in range(5)]


async def due_order(pool: Pool, *recipients: Recipient, ago: timedelta = timedelta(0), **changes: Any) -> UUID:
    """An order that was placed for later, and whose time has come."""
    later = datetime.now(UTC) + timedelta(days=1)
    order_id = await placed_order(pool, recipients or RECIPIENTS, requested_send_time=later, **changes)
    await pool.execute("UPDATE orders SET requested_send_time = now() - $2::interval WHERE id = $1", order_id, ago)
    return order_id


async def status_of(pool: Pool, order_id: UUID) -> OrderStatus:
    return OrderStatus(await pool.fetchval("SELECT status FROM orders WHERE id = $1", order_id))


async def generated(pool: Pool) -> list[asyncpg.Record]:
    return await pool.fetch("SELECT * FROM notifications ORDER BY id")


async def test_a_due_order_becomes_a_notification_for_each_recipient_in_order(pool: Pool) -> None:
    order_id = await due_order(pool)

    found = await generate_next_due(pool)

    assert found is True
    rows = await generated(pool)
    assert [row["recipient_address"] for row in rows] == [recipient.email_address for recipient in RECIPIENTS]
    assert {row["order_id"] for row in rows} == {order_id}
    assert {(row["send_status"], row["attempt"], row["status_detail"]) for row in rows} == {("New", 0, None)}
    assert await status_of(pool, order_id) is OrderStatus.PROCESSED


async def test_notifications_are_due_at_once_and_expire_48_hours_after_the_send_time(pool: Pool) -> None:
    await due_order(pool, ago=timedelta(hours=3))

    await generate_next_due(pool)

    row = await pool.fetchrow(
        "SELECT bool_and(next_attempt_at <= now()) AS due,"
        "       bool_and(expires_at = requested_send_time + interval '48 hours') AS expiring"
        "  FROM notifications JOIN orders ON orders.id = order_id"
    )
    assert row is not None
    assert (row["due"], row["expiring"]) == (True, True)


async def test_a_recipient_without_an_address_is_not_identified(pool: Pool) -> None:
    await due_order(
        pool,
        Recipient(organization_number="991825827"),
        Recipient(national_identity_number="01018045678"),
        Recipient(email_address="kari@sandbox.test", organization_number="991825827"),
    )

    await generate_next_due(pool)

    columns = ("recipient_address", "organization_number", "national_identity_number", "send_status")
    assert [tuple(row[name] for name in columns) for row in await generated(pool)] == [
        ("", "991825827", None, "Failed_RecipientNotIdentified"),
        ("", None, "01018045678", "Failed_RecipientNotIdentified"),
        ("kari@sandbox.test", "991825827", None, "New"),
    ]


async def test_nothing_due_is_nothing_done(pool: Pool) -> None:
    await placed_order(pool, requested_send_time=datetime.now(UTC) + timedelta(seconds=30))

    assert await generate_next_due(pool) is False
    assert await generated(pool) == []


@pytest.mark.parametrize("status", [status for status in OrderStatus if status is not OrderStatus.COMPLETED])
async def test_only_a_registered_order_is_generated(pool: Pool, status: OrderStatus) -> None:
    await due_order(pool)
    await pool.execute("UPDATE orders SET status = $1", status)

    found = await generate_next_due(pool)

    assert found is (status is OrderStatus.REGISTERED)
    assert len(await generated(pool)) == (len(RECIPIENTS) if found else 0)


async def test_an_order_is_generated_once(pool: Pool) -> None:
    await due_order(pool)

    found = [await generate_next_due(pool) for _ in range(2)]

    assert found == [True, False]
    assert len(await generated(pool)) == len(RECIPIENTS)


async def test_two_workers_at_once_generate_an_order_once(pool: Pool) -> None:
    await due_order(pool)

    found = await asyncio.gather(*(generate_next_due(pool) for _ in range(4)))

    assert sorted(found) == [False, False, False, True]
    assert len(await generated(pool)) == len(RECIPIENTS)


async def test_many_workers_share_many_orders(pool: Pool) -> None:
    orders = [await due_order(pool) for _ in range(6)]

    await asyncio.gather(*(generate_next_due(pool) for _ in range(6)))
    while await generate_next_due(pool):
        pass

    assert len(await generated(pool)) == len(orders) * len(RECIPIENTS)
    assert {await status_of(pool, order_id) for order_id in orders} == {OrderStatus.PROCESSED}


async def test_an_order_that_another_worker_has_in_hand_holds_up_nobody(pool: Pool) -> None:
    in_hand = await due_order(pool, ago=timedelta(hours=1))
    other = await due_order(pool)
    async with connection_of(pool) as conn, conn.transaction():
        row = await conn.fetchrow(statements("orders")["next_due_order"])
        assert row is not None
        assert row["id"] == in_hand

        assert await generate_next_due(pool) is True
        assert await generate_next_due(pool) is False

    assert await status_of(pool, other) is OrderStatus.PROCESSED
    assert await status_of(pool, in_hand) is OrderStatus.REGISTERED


async def test_what_has_been_due_longest_comes_first(pool: Pool) -> None:
    later, earlier = await due_order(pool), await due_order(pool, ago=timedelta(hours=1))

    await generate_next_due(pool)

    assert await status_of(pool, earlier) is OrderStatus.PROCESSED
    assert await status_of(pool, later) is OrderStatus.REGISTERED


async def make_impossible(pool: Pool, order_id: UUID) -> None:
    """Its last recipient cannot be stored: PostgreSQL's text has no NUL."""
    addresses = ["kari@sandbox.test", "ola@sandbox.test", "\0@sandbox.test"]
    recipients = json.dumps([{"email_address": address} for address in addresses])
    await pool.execute("UPDATE orders SET recipients = $2 WHERE id = $1", order_id, recipients)


async def test_an_order_is_generated_wholly_or_not_at_all(pool: Pool) -> None:
    order_id = await due_order(pool)
    await make_impossible(pool, order_id)

    with pytest.raises(asyncpg.PostgresError):
        await generate_next_due(pool)

    assert await generated(pool) == []
    assert await status_of(pool, order_id) is OrderStatus.REGISTERED


async def test_a_condition_that_nobody_asks_about_is_warned_of_and_does_not_keep_the_order(pool: Pool) -> None:
    order_id = await due_order(pool, condition_endpoint="https://vilkar.etat.test/sjekk")

    with capture_logs() as logs:
        await generate_next_due(pool)

    [warning] = [line for line in logs if line["log_level"] == "warning"]
    assert warning["order"] == str(order_id)
    assert "condition" in warning["event"]
    assert len(await generated(pool)) == len(RECIPIENTS)


async def test_an_order_without_a_condition_is_not_warned_of(pool: Pool) -> None:
    await due_order(pool)

    with capture_logs() as logs:
        await generate_next_due(pool)

    assert [line["log_level"] for line in logs] == ["info"]


async def test_no_address_is_logged(pool: Pool) -> None:
    await due_order(
        pool, Recipient(email_address="kari@sandbox.test"), Recipient(national_identity_number="01018045678")
    )

    with capture_logs() as logs:
        await generate_next_due(pool)

    assert not any(private in str(logs) for private in ("kari", "01018045678"))
