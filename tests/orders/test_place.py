"""Orders placed at the same time: each stored as it was given, none at the cost of another, all or nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.factories import new_order
from varsel.database.connect import Pool
from varsel.orders import generate, place
from varsel.orders.generate import BULK, TIME_TO_LIVE
from varsel.orders.idempotency import IdempotencyKey
from varsel.orders.order import Channel, ContentType, EmailTemplate, NewOrder, OrderStatus, Recipient
from varsel.orders.place import SMALL, Placing, Terms

LIMIT = 20.0  # seconds; a bound for a machine under load, not a measure
OWNERS = ("ttd", "skd", "nav")
WAITS_FOR_A_LOCK = """
    SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
                    WHERE NOT granted AND datname = current_database())
"""
LATE = "kari+late@sandbox.test"


def recipients(count: int, name: str = "kari") -> list[Recipient]:
    """Their addresses neither ascend nor descend, so that no order of rows is right by chance."""
    return [Recipient(email_address=f"{name}+{(number * 7) % count}.{number}@sandbox.test") for number in range(count)]


def order_number(number: int, *, count: int = 1, is_due: bool = True) -> NewOrder:
    """An order that differs from every other in all that it holds."""
    now = datetime.now(UTC)
    return new_order(
        recipients(count, f"kari{number}"),
        owner=OWNERS[number % len(OWNERS)],
        channel=(Channel.EMAIL, Channel.EMAIL_PREFERRED)[number % 2],
        template=EmailTemplate(
            f"Emne {number} “æøå” \U0001f600",
            f"Tekst {number}\nmed 'fnutter', \"gåseøyne\", \\ og {{klammer}}",
            (ContentType.PLAIN, ContentType.HTML)[number % 2],
            f"avsender{number}@varsel.test",
        ),
        requested_send_time=now - timedelta(minutes=number) if is_due else now + timedelta(days=1 + number),
        senders_reference=None if number % 4 == 0 else f"sak-{number}",
        ignore_reservation=(None, True, False)[number % 3],
        resource_id=None if number % 5 == 0 else f"urn:altinn:resource:{number}",
        resource_action=None if number % 7 == 0 else f"les {number}",
    )


async def place_all(placing: Placing, orders: Sequence[NewOrder]) -> list[UUID]:
    """Place them in the same moment."""
    async with asyncio.timeout(LIMIT):
        return await asyncio.gather(*(placing.place(order) for order in orders))


def as_it_must_be(order: NewOrder, status: OrderStatus) -> dict[str, Any]:
    """The columns of its row."""
    return {
        "owner": order.owner,
        "senders_reference": order.senders_reference,
        "requested_send_time": order.requested_send_time,
        "status": status,
        "channel": order.channel,
        "ignore_reservation": order.ignore_reservation,
        "resource_id": order.resource_id,
        "resource_action": order.resource_action,
        "condition_endpoint": order.condition_endpoint,
        "recipients": [{"emailAddress": r.email_address} for r in order.recipients],
        "from_address": order.template.from_address,
        "subject": order.template.subject,
        "body": order.template.body,
        "content_type": order.template.content_type,
    }


async def stored(pool: Pool, order_id: UUID) -> dict[str, Any]:
    row = await pool.fetchrow("SELECT * FROM orders WHERE id = $1", order_id)
    assert row is not None
    columns = {name: row[name] for name in as_it_must_be(new_order(), OrderStatus.REGISTERED)}
    names = {"email_address": "emailAddress"}
    columns["recipients"] = [
        {names.get(name, name): value for name, value in recipient.items()}
        for recipient in json.loads(row["recipients"])
    ]
    return columns


async def notified(pool: Pool, order_id: UUID) -> list[str]:
    """Whom its notifications are for, by their ids."""
    rows = await pool.fetch("SELECT recipient_address FROM notifications WHERE order_id = $1 ORDER BY id", order_id)
    return [row["recipient_address"] for row in rows]


def addresses(order: NewOrder) -> list[str]:
    return [recipient.email_address or "" for recipient in order.recipients]


async def count(pool: Pool, table: str) -> int:
    found: int = await pool.fetchval(f"SELECT count(*) FROM {table}")
    return found


@pytest.fixture
def placing(pool: Pool) -> Placing:
    return Placing(pool)


@pytest.fixture
async def no_late_notification(pool: Pool) -> AsyncIterator[None]:
    """A database that refuses the notification for one address, and with it everything before."""
    await pool.execute(f"ALTER TABLE notifications ADD CONSTRAINT never_late CHECK (recipient_address <> '{LATE}')")
    yield
    await pool.execute("ALTER TABLE notifications DROP CONSTRAINT never_late")


async def test_orders_placed_at_the_same_time_are_each_stored_as_they_were_given(pool: Pool, placing: Placing) -> None:
    orders = [order_number(n, count=1 + n % SMALL, is_due=n % 3 != 0) for n in range(150)]

    order_ids = await place_all(placing, orders)

    assert len(set(order_ids)) == len(orders)
    for order_id, order, number in zip(order_ids, orders, range(150), strict=True):
        is_due = number % 3 != 0
        status = OrderStatus.PROCESSED if is_due else OrderStatus.REGISTERED
        assert await stored(pool, order_id) == as_it_must_be(order, status)
        assert await notified(pool, order_id) == (addresses(order) if is_due else [])
    assert await count(pool, "orders") == len(orders)


async def test_small_and_large_orders_at_the_same_time_do_not_mix(pool: Pool, placing: Placing) -> None:
    sizes = [1, SMALL, SMALL + 1, 3, BULK, BULK + 1, 2, 250, SMALL - 1]
    orders = [order_number(number, count=size) for number, size in enumerate(sizes)]

    order_ids = await place_all(placing, orders)

    for order_id, order in zip(order_ids, orders, strict=True):
        assert await stored(pool, order_id) == as_it_must_be(order, OrderStatus.PROCESSED)
        assert await notified(pool, order_id) == addresses(order)
    assert await count(pool, "notifications") == sum(sizes)


@pytest.mark.parametrize("size", [1, SMALL, SMALL + 1, BULK, BULK + 1])
async def test_the_notifications_of_a_due_order_are_due_whatever_its_size(
    pool: Pool, placing: Placing, size: int
) -> None:
    order = order_number(5, count=size)

    order_id = await placing.place(order)

    rows = await pool.fetch(
        "SELECT owner, send_status, attempt, expires_at, is_bulk, next_attempt_at <= now() AS is_due"
        "  FROM notifications WHERE order_id = $1",
        order_id,
    )
    expected = (order.owner, "New", 0, order.requested_send_time + TIME_TO_LIVE, size > BULK, True)
    assert [tuple(row) for row in rows] == [expected] * size


async def test_the_same_order_twice_at_the_same_time_is_two_orders(pool: Pool, placing: Placing) -> None:
    order = order_number(1, count=2)

    first, second = await place_all(placing, [order, order])

    assert first != second
    assert await notified(pool, first) == await notified(pool, second) == addresses(order)


@pytest.mark.parametrize(
    "why",
    [
        {"recipients": [Recipient(email_address="kari@sandbox.test"), Recipient(organization_number="991825827")]},
        {"condition_endpoint": "https://owner.test/may-i-send"},
        {"requested_send_time": datetime.now(UTC) + timedelta(hours=1)},
    ],
    ids=["a recipient without address", "a condition", "not due"],
)
async def test_an_order_that_has_to_wait_does_so_beside_one_that_has_not(
    pool: Pool, placing: Placing, why: dict[str, Any]
) -> None:
    waiting, due = await place_all(placing, [new_order(**why), new_order()])

    statuses = [(await stored(pool, order_id))["status"] for order_id in (waiting, due)]
    assert statuses == [OrderStatus.REGISTERED, OrderStatus.PROCESSED]
    assert [len(await notified(pool, order_id)) for order_id in (waiting, due)] == [0, 1]


@pytest.mark.parametrize(
    "bad",
    [
        {"template": EmailTemplate("\ud800", "Hei", ContentType.PLAIN, "noreply@varsel.test")},
        {"template": EmailTemplate("Hei", "Hei\0", ContentType.PLAIN, "noreply@varsel.test")},
        {"senders_reference": "sak \udfff"},
        {"channel": "Pigeon"},
        {"recipients": [Recipient(email_address="kari@sandbox.test"), Recipient(email_address="\0@sandbox.test")]},
        {"recipients": [Recipient(email_address=LATE)]},
    ],
    ids=["surrogate", "nul", "surrogate in reference", "no such channel", "nul in an address", "refused address"],
)
@pytest.mark.usefixtures("no_late_notification")
async def test_an_order_that_cannot_be_stored_costs_the_others_nothing(
    pool: Pool, placing: Placing, bad: dict[str, Any]
) -> None:
    good = [order_number(number, count=2) for number in range(6)]
    orders = [*good[:3], new_order(**bad), *good[3:]]

    async with asyncio.timeout(LIMIT):
        answers = await asyncio.gather(*(placing.place(order) for order in orders), return_exceptions=True)

    refused = answers.pop(3)
    order_ids = [answer for answer in answers if isinstance(answer, UUID)]
    assert isinstance(refused, Exception)
    assert len(order_ids) == len(good)
    for order_id, order in zip(order_ids, good, strict=True):
        assert await stored(pool, order_id) == as_it_must_be(order, OrderStatus.PROCESSED)
        assert await notified(pool, order_id) == addresses(order)
    assert await count(pool, "orders") == len(good)
    assert await count(pool, "notifications") == 2 * len(good)


@pytest.mark.usefixtures("no_late_notification")
async def test_a_small_order_is_stored_with_all_its_notifications_or_not_at_all(pool: Pool, placing: Placing) -> None:
    order = new_order([*recipients(SMALL - 1), Recipient(email_address=LATE)])

    with pytest.raises(asyncpg.CheckViolationError):
        await placing.place(order)

    assert (await count(pool, "orders"), await count(pool, "notifications")) == (0, 0)


@pytest.mark.parametrize("late", [20, 24, 49])
@pytest.mark.usefixtures("no_late_notification")
async def test_a_large_order_is_stored_in_all_its_pieces_or_not_at_all(
    pool: Pool, placing: Placing, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "PIECE", 10)
    many = recipients(50)
    many[late] = Recipient(email_address=LATE)

    with pytest.raises(asyncpg.CheckViolationError):
        await placing.place(new_order(many))

    assert (await count(pool, "orders"), await count(pool, "notifications")) == (0, 0)


async def test_a_large_order_that_is_given_up_half_way_leaves_nothing(
    pool: Pool, placing: Placing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "PIECE", 10)
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE notifications IN SHARE MODE")  # holds whoever inserts
        placed = asyncio.create_task(placing.place(new_order(recipients(50))))
        async with asyncio.timeout(LIMIT):
            while not await other.fetchval(WAITS_FOR_A_LOCK):
                pass

        placed.cancel()

        await asyncio.wait({placed}, timeout=LIMIT)
    assert placed.cancelled()
    assert (await count(pool, "orders"), await count(pool, "notifications")) == (0, 0)
    assert await notified(pool, await placing.place(order_number(1, count=30))) == addresses(order_number(1, count=30))


@pytest.mark.parametrize("size", [21, 29, 30, 31, 95])
async def test_notifications_stand_in_the_order_of_the_recipients_across_pieces(
    pool: Pool, placing: Placing, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "PIECE", 10)
    order = order_number(3, count=size)

    order_id = await placing.place(order)

    assert await notified(pool, order_id) == addresses(order)


async def test_large_orders_at_the_same_time_each_keep_their_order(
    pool: Pool, placing: Placing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "PIECE", 7)
    orders = [order_number(number, count=40) for number in range(5)]

    order_ids = await place_all(placing, orders)

    assert [await notified(pool, order_id) for order_id in order_ids] == [addresses(order) for order in orders]


async def test_what_is_placed_is_committed(pool: Pool, placing: Placing, dsn: str) -> None:
    conn = await asyncpg.connect(dsn)

    order_id = await placing.place(order_number(1))

    assert await conn.fetchval("SELECT count(*) FROM notifications WHERE order_id = $1", order_id) == 1
    await conn.close()


async def test_one_who_gives_up_takes_no_order_of_others_along(pool: Pool, placing: Placing) -> None:
    orders = [order_number(number) for number in range(5)]
    async with pool.acquire() as other, other.transaction():
        await other.execute("LOCK TABLE orders IN SHARE MODE")  # holds whoever inserts
        tasks = [asyncio.create_task(placing.place(order)) for order in orders]
        async with asyncio.timeout(LIMIT):
            while not await other.fetchval(WAITS_FOR_A_LOCK):
                pass

        tasks[2].cancel()

        await asyncio.wait({tasks[2]}, timeout=LIMIT)
    async with asyncio.timeout(LIMIT):
        order_ids = await asyncio.gather(*tasks[:2], *tasks[3:])
    assert [await notified(pool, order_id) for order_id in order_ids] == [
        addresses(order) for order in [*orders[:2], *orders[3:]]
    ]


async def test_orders_on_terms_of_their_own_are_placed_beside_those_without(pool: Pool, placing: Placing) -> None:
    orders = [order_number(number, count=2) for number in range(8)]
    terms = [Terms(IdempotencyKey(f"key-{n}", bytes([n]) * 32)) if n % 2 else place.NO_TERMS for n in range(8)]

    async with asyncio.timeout(LIMIT):
        order_ids = await asyncio.gather(*(placing.place(o, t) for o, t in zip(orders, terms, strict=True)))

    assert [await notified(pool, order_id) for order_id in order_ids] == [addresses(order) for order in orders]
    assert await count(pool, "idempotency_keys") == 4
