"""An owner takes an order back in time, or does not; nothing in between."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from tests.factories import placed_order
from tests.processing import process_due
from varsel.database.connect import Pool, connection_of
from varsel.database.statements import statements
from varsel.notifications.liveness import Worker
from varsel.orders.cancel import NOTICE, cancel_order
from varsel.orders.order import OrderStatus, Recipient
from varsel.orders.orders_in_hand import OrdersInHand

SQL = statements("orders")
LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
KARI = Recipient(email_address="kari@sandbox.test")


async def order_for(pool: Pool, *, ahead: timedelta = timedelta(hours=1)) -> UUID:
    """An order whose send time is so far ahead."""
    order_id = await placed_order(pool, requested_send_time=datetime.now(UTC) + timedelta(days=1))
    await pool.execute("UPDATE orders SET requested_send_time = now() + $1::interval", ahead)
    return order_id


async def status_of(pool: Pool, order_id: UUID) -> OrderStatus:
    return OrderStatus(await pool.fetchval("SELECT status FROM orders WHERE id = $1", order_id))


async def notifications(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT count(*) FROM notifications"))


async def test_an_order_for_later_is_cancelled(pool: Pool) -> None:
    order_id = await order_for(pool)

    is_cancelled, progress = await cancel_order(pool, order_id, "ttd")

    assert is_cancelled
    assert progress is not None
    assert (progress.order.id, progress.status, progress.generated) == (order_id, OrderStatus.CANCELLED, 0)
    assert await status_of(pool, order_id) is OrderStatus.CANCELLED


async def test_cancelling_twice_is_as_good_as_once(pool: Pool) -> None:
    order_id = await order_for(pool)
    _, first = await cancel_order(pool, order_id, "ttd")

    is_cancelled, second = await cancel_order(pool, order_id, "ttd")

    assert is_cancelled
    assert first == second


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (NOTICE + timedelta(seconds=30), OrderStatus.CANCELLED),
        (NOTICE - timedelta(seconds=1), OrderStatus.REGISTERED),
        (timedelta(0), OrderStatus.REGISTERED),
        (timedelta(hours=-1), OrderStatus.REGISTERED),
    ],
)
async def test_an_order_is_cancelled_only_with_five_minutes_notice(
    pool: Pool, ahead: timedelta, expected: OrderStatus
) -> None:
    order_id = await order_for(pool, ahead=ahead)

    is_cancelled, progress = await cancel_order(pool, order_id, "ttd")

    assert is_cancelled is (expected is OrderStatus.CANCELLED)
    assert progress is not None
    assert progress.status is await status_of(pool, order_id) is expected


@pytest.mark.parametrize("before", [status for status in OrderStatus if status is not OrderStatus.COMPLETED])
async def test_only_a_registered_order_can_become_cancelled(pool: Pool, before: OrderStatus) -> None:
    order_id = await order_for(pool)
    await pool.execute("UPDATE orders SET status = $1", before)

    is_cancelled, _ = await cancel_order(pool, order_id, "ttd")

    can_be = before in (OrderStatus.REGISTERED, OrderStatus.CANCELLED)
    assert is_cancelled is can_be
    assert await status_of(pool, order_id) is (OrderStatus.CANCELLED if can_be else before)


async def test_somebody_elses_order_is_as_unknown_as_none(pool: Pool) -> None:
    order_id = await order_for(pool)

    found = [await cancel_order(pool, order_id, "nav"), await cancel_order(pool, uuid4(), "ttd")]

    assert found == [(False, None), (False, None)]
    assert await status_of(pool, order_id) is OrderStatus.REGISTERED


async def test_a_cancelled_order_is_never_generated(pool: Pool, orders: OrdersInHand, worker: Worker) -> None:
    order_id = await order_for(pool)
    await cancel_order(pool, order_id, "ttd")
    await pool.execute("UPDATE orders SET requested_send_time = now() - interval '1 hour'")

    assert await process_due(orders, worker) == 0
    assert await notifications(pool) == 0


async def test_who_cancels_while_the_order_is_claimed_comes_too_late(pool: Pool, worker: Worker) -> None:
    order_id = await order_for(pool)
    assert worker.number is not None
    async with connection_of(pool) as conn, conn.transaction():
        # What a worker does whose round began just before: the row is locked until the claim is there.
        await conn.execute("SELECT FROM orders WHERE id = $1 FOR UPDATE", order_id)
        cancelling = asyncio.create_task(cancel_order(pool, order_id, "ttd"))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(LIMIT):
            while not await pool.fetchval(waiting):
                pass
        await conn.execute(
            "UPDATE orders SET status = 'Processing', claimed_by = $1, claimed_until = now() + interval '1 hour'",
            worker.number,
        )

    is_cancelled, progress = await asyncio.wait_for(cancelling, LIMIT)

    assert not is_cancelled
    assert progress is not None
    assert progress.status is OrderStatus.PROCESSING


async def test_who_generates_while_the_order_is_cancelled_generates_nothing(
    pool: Pool, orders: OrdersInHand, worker: Worker
) -> None:
    order_id = await order_for(pool)
    async with connection_of(pool) as owner, owner.transaction():
        await owner.execute(SQL["cancel_order"], order_id, "ttd", NOTICE)

        found = await process_due(orders, worker)

    assert found == 0
    assert await status_of(pool, order_id) is OrderStatus.CANCELLED
    assert await notifications(pool) == 0


async def test_however_the_race_ends_an_order_is_cancelled_or_sent_and_never_both(
    pool: Pool, orders: OrdersInHand, worker: Worker
) -> None:
    async def let_it_become_due() -> None:
        await pool.execute("UPDATE orders SET requested_send_time = now() WHERE status = 'Registered'")
        await process_due(orders, worker)

    ends = set()
    for number in range(20):
        order_id = await order_for(pool)
        rivals = [cancel_order(pool, order_id, "ttd"), let_it_become_due()]

        await asyncio.gather(*(rivals if number % 2 else reversed(rivals)))
        # A claim passes over a row that is being cancelled, though that may come too late: then the next round has it.
        await process_due(orders, worker)

        made = await pool.fetchval("SELECT count(*) FROM notifications WHERE order_id = $1", order_id)
        ends.add((await status_of(pool, order_id), made))
    assert ends <= {(OrderStatus.CANCELLED, 0), (OrderStatus.PROCESSED, 1)}
