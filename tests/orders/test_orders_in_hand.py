"""Due orders are claimed: each by one worker, of each owner a share, and free again when their worker is not there."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.processing import (
    RECIPIENTS,
    DownRegister,
    HeldRegister,
    due_order,
    generated,
    let_retry_come,
    order_row,
    orders_in_hand,
    process_due,
    status_of,
)
from varsel.contact_register import lookups
from varsel.contact_register.register import Contact
from varsel.database.connect import Pool
from varsel.notifications.liveness import GRACE, Worker
from varsel.orders import orders_in_hand as hand
from varsel.orders import process
from varsel.orders.order import OrderStatus, Recipient
from varsel.orders.order_claims import (
    claim_due_orders,
    mark_condition_not_met,
    mark_processed,
    postpone_order,
    release_lost_orders,
)
from varsel.orders.orders_in_hand import OrdersInHand

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
KARI = "01818011039"


async def test_two_workers_at_once_process_an_order_once(pool: Pool, worker: Worker) -> None:
    await due_order(pool)

    await asyncio.gather(*(process_due(orders_in_hand(pool), worker) for _ in range(4)))

    assert len(await generated(pool)) == len(RECIPIENTS)


async def test_many_workers_share_many_orders(pool: Pool, worker: Worker) -> None:
    placed = [await due_order(pool) for _ in range(30)]

    await asyncio.gather(*(process_due(orders_in_hand(pool), worker) for _ in range(3)))

    assert len(await generated(pool)) == len(placed) * len(RECIPIENTS)
    assert {await status_of(pool, order_id) for order_id in placed} == {OrderStatus.PROCESSED}


async def test_an_order_that_a_worker_has_in_hand_is_nobody_elses(
    pool: Pool, orders: OrdersInHand, worker: Worker
) -> None:
    assert worker.number is not None
    in_hand = await due_order(pool, ago=timedelta(hours=1))
    await claim_due_orders(pool, worker.number, 1)
    other = await due_order(pool)

    await process_due(orders, worker)

    assert await status_of(pool, other) is OrderStatus.PROCESSED
    assert await status_of(pool, in_hand) is OrderStatus.PROCESSING


async def test_a_worker_that_is_missing_claims_no_order(pool: Pool, worker: Worker) -> None:
    assert worker.number is not None
    await due_order(pool)
    await pool.execute("UPDATE workers SET missing_since = now()")

    assert await claim_due_orders(pool, worker.number, 1) == []


async def test_what_has_been_due_longest_comes_first(pool: Pool, worker: Worker) -> None:
    assert worker.number is not None
    _, earlier = await due_order(pool), await due_order(pool, ago=timedelta(hours=1))

    [order] = await claim_due_orders(pool, worker.number, 1)

    assert order.id == earlier


async def test_an_owner_who_has_enough_in_hand_waits_while_others_do_not(pool: Pool, worker: Worker) -> None:
    register = HeldRegister()
    orders = orders_in_hand(pool, register=register)
    for _ in range(hand.IN_HAND_OF_OWNER + 3):
        await due_order(pool, Recipient(national_identity_number=KARI), ago=timedelta(hours=1))
    assert worker.number is not None
    await orders.process_due(worker.number)
    other = await due_order(pool, owner="nav")

    await orders.process_due(worker.number)

    async with asyncio.timeout(LIMIT):
        while await status_of(pool, other) is not OrderStatus.PROCESSED:
            pass
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE status = 'Registered'") == 3
    await orders.stop()


async def test_a_worker_that_stops_puts_its_orders_back_at_once(pool: Pool, worker: Worker) -> None:
    assert worker.number is not None
    order_id = await due_order(pool, Recipient(national_identity_number=KARI))
    held = orders_in_hand(pool, register=HeldRegister())
    await held.process_due(worker.number)

    await held.stop()

    assert (await order_row(pool, order_id))["claimed_by"] is None
    await process_due(orders_in_hand(pool), worker)
    assert await status_of(pool, order_id) is OrderStatus.PROCESSED


@pytest.mark.parametrize(
    ("how", "is_released"),
    [
        ("UPDATE workers SET missing_since = now() - interval '1 minute'", True),
        ("DELETE FROM workers", True),
        ("UPDATE orders SET claimed_until = now() - interval '1 second'", True),
        ("UPDATE workers SET missing_since = now()", False),
        ("UPDATE workers SET missing_since = NULL", False),
    ],
)
async def test_an_order_is_released_once_its_worker_is_gone(
    pool: Pool, worker: Worker, how: str, is_released: bool
) -> None:
    assert worker.number is not None
    order_id = await due_order(pool)
    await claim_due_orders(pool, worker.number, 1)
    await pool.execute(how)

    assert await release_lost_orders(pool, GRACE) == is_released

    assert ((await order_row(pool, order_id))["claimed_by"] is None) is is_released


async def test_a_worker_that_lost_its_claim_generates_nothing_and_changes_nothing(pool: Pool, worker: Worker) -> None:
    assert worker.number is not None
    register = DownRegister()
    order_id = await due_order(pool, Recipient(national_identity_number=KARI))
    [lost] = await claim_due_orders(pool, worker.number, 1)
    await pool.execute("UPDATE orders SET claimed_by = NULL, claimed_until = NULL")
    [_] = await claim_due_orders(pool, worker.number, 1)
    orders = orders_in_hand(pool, register=register)

    register.known = {KARI: Contact(("kari@sandbox.test",))}
    await orders._process.process(worker.number, lost)

    assert await generated(pool) == []
    assert not await postpone_order(pool, worker.number, lost, timedelta(0))
    async with pool.acquire() as conn:
        assert not await mark_processed(conn, worker.number, lost)
    assert (await order_row(pool, order_id))["attempt"] == 2


async def test_owners_share_what_is_claimed(pool: Pool, worker: Worker) -> None:
    assert worker.number is not None
    for owner, ago in (("ttd", 2), ("nav", 1)):
        for _ in range(10):
            await due_order(pool, owner=owner, ago=timedelta(hours=ago))

    claimed = await claim_due_orders(pool, worker.number, 8)

    assert sorted(order.owner for order in claimed) == ["nav"] * 4 + ["ttd"] * 4


class AwayOnce(DownRegister):
    """Stands for a database that goes away while an order is in hand."""

    async def contacts(self, identities: Any) -> dict[str, Contact]:
        self.asked.append(list(identities))
        if len(self.asked) == 1:
            raise ConnectionResetError
        return {}


async def test_an_order_whose_end_the_database_did_not_hear_of_is_put_back_with_a_pause(
    pool: Pool, worker: Worker
) -> None:
    order_id = await due_order(pool, Recipient(national_identity_number=KARI))
    assert worker.number is not None
    orders = orders_in_hand(pool, register=AwayOnce())
    await orders.process_due(worker.number)
    await orders.until_idle()
    left = await order_row(pool, order_id)

    await process_due(orders, worker)

    assert left["claimed_by"] == worker.number
    put_back = await order_row(pool, order_id)
    assert (put_back["status"], put_back["claimed_by"], put_back["attempt"]) == ("Processing", None, 1)
    assert put_back["pause"] > timedelta(seconds=1)
    await let_retry_come(pool)
    await process_due(orders, worker)
    assert await status_of(pool, order_id) is OrderStatus.PROCESSED


@pytest.mark.parametrize("outage", [timedelta(0), timedelta(hours=3)])
async def test_a_claim_that_its_worker_never_heard_of_is_put_back_however_long_the_database_was_away(
    pool: Pool, worker: Worker, outage: timedelta
) -> None:
    assert worker.number is not None
    order_id = await due_order(pool)
    await claim_due_orders(pool, worker.number, 1)
    orders = orders_in_hand(pool)
    orders._lost_answers.note()
    assert orders._lost_answers._last_at is not None
    orders._lost_answers._last_at -= outage.total_seconds()

    with capture_logs() as logs:
        await process_due(orders, worker)

    assert await status_of(pool, order_id) is OrderStatus.PROCESSED
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == [
        "orders put back: the database was away"
    ]


async def test_what_is_in_hand_is_not_put_back_with_what_was_never_heard_of(pool: Pool, worker: Worker) -> None:
    assert worker.number is not None
    in_hand = await due_order(pool, Recipient(national_identity_number=KARI))
    orders = orders_in_hand(pool, register=HeldRegister())
    await orders.process_due(worker.number)
    orders._lost_answers.note()

    await orders.process_due(worker.number)

    assert (await order_row(pool, in_hand))["claimed_by"] == worker.number
    await orders.stop()


async def test_a_worker_that_stops_with_its_hand_full_claims_nothing_more(
    pool: Pool, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand, "IN_HAND", 1)
    assert worker.number is not None
    for _ in range(3):
        await due_order(pool, Recipient(national_identity_number=KARI))
    orders = orders_in_hand(pool, register=HeldRegister())
    await orders.process_due(worker.number)
    waiting = asyncio.create_task(orders.process_due(worker.number))
    await asyncio.sleep(0)  # so that it begins

    await orders.stop()

    assert await waiting is False
    assert await orders.process_due(worker.number) is False
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE claimed_by IS NOT NULL") == 0


async def test_an_order_whose_lookups_take_too_long_is_tried_again(
    pool: Pool, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "TIME_LIMIT", timedelta(seconds=0.05))
    order_id = await due_order(pool, Recipient(national_identity_number=KARI))

    with capture_logs() as logs:
        await process_due(orders_in_hand(pool, register=HeldRegister()), worker)

    assert (await order_row(pool, order_id))["retry_at"] is not None
    [delayed] = [line for line in logs if line["event"] == "order delayed"]
    assert delayed["reason"] == "contact register: not all answers within 0:00:00.050000"


MAKE_LARGE = """
UPDATE orders
   SET recipients = (SELECT json_agg(json_build_object(
                                'national_identity_number', (random() * 8e10 + 1e10)::bigint::text))
                       FROM generate_series(1, 20000))
"""


async def test_of_large_orders_only_a_few_take_their_memory_at_the_same_time(pool: Pool, worker: Worker) -> None:
    assert worker.number is not None
    for _ in range(process.LARGE_IN_HAND + 1):
        await due_order(pool, Recipient(national_identity_number=KARI))
    await pool.execute(MAKE_LARGE)
    register = HeldRegister()
    orders = orders_in_hand(pool, register=register)
    wanted = process.LARGE_IN_HAND * lookups.AT_ONCE
    await orders.process_due(worker.number)

    async with asyncio.timeout(LIMIT):
        while len(register.asked) < wanted:
            await pool.fetchval("SELECT 1")
    for _ in range(50):
        await pool.fetchval("SELECT 1")

    assert len(register.asked) == wanted
    assert await pool.fetchval("SELECT count(*) FROM orders WHERE claimed_by IS NOT NULL") == process.LARGE_IN_HAND + 1
    await orders.stop()


async def test_a_condition_not_met_under_a_lost_claim_changes_nothing(pool: Pool, worker: Worker) -> None:
    assert worker.number is not None
    order_id = await due_order(pool)
    [lost] = await claim_due_orders(pool, worker.number, 1)
    await pool.execute("UPDATE orders SET claimed_by = NULL, claimed_until = NULL")

    assert not await mark_condition_not_met(pool, worker.number, lost)

    assert await status_of(pool, order_id) is OrderStatus.PROCESSING
