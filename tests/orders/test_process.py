"""A due order becomes one notification for each addressee: all of them, once, or none."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest
from structlog.testing import capture_logs

from tests.factories import new_order, placed_order
from tests.processing import (
    CONDITION,
    CONDITION_HOST,
    RECIPIENTS,
    RETRY,
    DownRegister,
    condition_server,
    due_order,
    generated,
    let_retry_come,
    order_row,
    orders_in_hand,
    process_due,
    status_of,
)
from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.calls import Calls
from varsel.contact_register.register import Contact
from varsel.database.connect import Pool
from varsel.notifications.liveness import Worker
from varsel.orders.order import OrderStatus, Recipient
from varsel.orders.orders_in_hand import OrdersInHand
from varsel.outgoing.credentials import Credentials

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
KARI, OLA = "01818011039", "03818011007"
ORGANIZATION = "310400009"


async def known(pool: Pool, identity: str, *addresses: str, name: str | None = None, reserved: bool = False) -> None:
    await pool.execute(
        "INSERT INTO contacts (identity, email_addresses, name, is_reserved) VALUES ($1, $2, $3, $4)",
        identity,
        list(addresses),
        name,
        reserved,
    )


async def test_a_due_order_becomes_a_notification_for_each_recipient_in_order(
    pool: Pool, orders: OrdersInHand, worker: Worker
) -> None:
    order_id = await due_order(pool)

    assert await process_due(orders, worker) == 1

    rows = await generated(pool)
    assert [row["recipient_address"] for row in rows] == [recipient.email_address for recipient in RECIPIENTS]
    assert {row["order_id"] for row in rows} == {order_id}
    assert {(row["send_status"], row["attempt"], row["status_detail"]) for row in rows} == {("New", 0, None)}
    order = await order_row(pool, order_id)
    assert (order["status"], order["claimed_by"], order["claimed_until"]) == ("Processed", None, None)


async def test_notifications_are_due_at_once_and_expire_48_hours_after_the_send_time(
    pool: Pool, orders: OrdersInHand, worker: Worker
) -> None:
    await due_order(pool, ago=timedelta(hours=3))

    await process_due(orders, worker)

    row = await pool.fetchrow(
        "SELECT bool_and(next_attempt_at <= now()) AS due,"
        "       bool_and(expires_at = requested_send_time + interval '48 hours') AS expiring"
        "  FROM notifications JOIN orders ON orders.id = order_id"
    )
    assert row is not None
    assert (row["due"], row["expiring"]) == (True, True)


async def test_an_identity_becomes_as_many_notifications_as_it_has_addresses(
    pool: Pool, orders: OrdersInHand, worker: Worker
) -> None:
    await known(pool, ORGANIZATION, "post@sandbox.test", "arkiv@sandbox.test", "POST@sandbox.test")
    await known(pool, KARI, "kari@sandbox.test")
    await due_order(
        pool,
        Recipient(organization_number=ORGANIZATION),
        Recipient(national_identity_number=KARI),
        Recipient(national_identity_number="01018045678"),
        Recipient(email_address="ola@sandbox.test"),
    )

    await process_due(orders, worker)

    columns = ("recipient_address", "organization_number", "national_identity_number", "send_status")
    assert [tuple(row[name] for name in columns) for row in await generated(pool)] == [
        ("post@sandbox.test", ORGANIZATION, None, "New"),
        ("arkiv@sandbox.test", ORGANIZATION, None, "New"),
        ("kari@sandbox.test", None, KARI, "New"),
        ("", None, "01018045678", "Failed_RecipientNotIdentified"),
        ("ola@sandbox.test", None, None, "New"),
    ]


@pytest.mark.parametrize(
    ("ignore_reservation", "row"),
    [
        (None, ("", "Failed_RecipientReserved")),
        (False, ("", "Failed_RecipientReserved")),
        (True, ("ola@sandbox.test", "New")),
    ],
)
async def test_a_reserved_person_is_mailed_only_by_an_order_that_ignores_it(
    pool: Pool, orders: OrdersInHand, worker: Worker, ignore_reservation: bool | None, row: tuple[str, str]
) -> None:
    await known(pool, OLA, "ola@sandbox.test", reserved=True)
    await due_order(pool, Recipient(national_identity_number=OLA), ignore_reservation=ignore_reservation)

    await process_due(orders, worker)

    [found] = await generated(pool)
    assert (found["recipient_address"], found["send_status"]) == row


async def test_the_register_is_asked_when_the_order_is_due_not_when_it_was_placed(
    pool: Pool, orders: OrdersInHand, worker: Worker
) -> None:
    await due_order(pool, Recipient(national_identity_number=KARI))
    await known(pool, KARI, "ny@sandbox.test")

    await process_due(orders, worker)

    assert [row["recipient_address"] for row in await generated(pool)] == ["ny@sandbox.test"]


@pytest.mark.parametrize(
    ("body", "name"),
    [("Hei $recipientName$", "Kari Nordmann"), ("Hei $recipientNumber$", "Kari Nordmann"), ("Hei", None)],
)
async def test_names_are_looked_up_where_the_order_has_keywords(
    pool: Pool, orders: OrdersInHand, worker: Worker, body: str, name: str | None
) -> None:
    await known(pool, KARI, "kari@sandbox.test", name="Kari Nordmann")
    template = new_order().template
    await due_order(
        pool,
        Recipient(national_identity_number=KARI),
        template=type(template)(template.subject, body, template.content_type, template.from_address),
    )

    await process_due(orders, worker)

    assert [row["recipient_name"] for row in await generated(pool)] == [name]


async def test_a_register_that_is_down_delays_the_order_longer_each_time_and_loses_nothing(
    pool: Pool, worker: Worker
) -> None:
    register = DownRegister()
    orders = orders_in_hand(pool, register=register)
    order_id = await due_order(pool, Recipient(national_identity_number=KARI), Recipient(email_address="a@b.no"))
    pauses = []

    for _ in range(4):
        assert await process_due(orders, worker) == 1
        order = await order_row(pool, order_id)
        assert (order["status"], order["claimed_by"]) == ("Processing", None)
        pauses.append(order["pause"].total_seconds())
        assert await generated(pool) == []
        await let_retry_come(pool)
    register.known = {KARI: Contact(("kari@sandbox.test",))}
    await process_due(orders, worker)

    assert pauses == sorted(pauses)
    assert 14 < pauses[-1] < 18
    assert [row["recipient_address"] for row in await generated(pool)] == ["kari@sandbox.test", "a@b.no"]
    assert await status_of(pool, order_id) is OrderStatus.PROCESSED


async def test_a_register_that_is_absent_delays_the_order(pool: Pool, worker: Worker) -> None:
    async with httpx2.AsyncClient() as client:
        nobody = Calls(client, Credentials(), "http://127.0.0.1:1", within=timedelta(seconds=5))
        orders = orders_in_hand(pool, register=AltinnRegisters(nobody, nobody, None))
        order_id = await due_order(pool, Recipient(national_identity_number=KARI))

        with capture_logs() as logs:
            await process_due(orders, worker)

    [delayed] = [line for line in logs if line["event"] == "order delayed"]
    assert (delayed["order"], delayed["reason"]) == (
        str(order_id),
        "contact register: ConnectError from ConnectionRefusedError",
    )
    assert (await order_row(pool, order_id))["pause"] is not None


async def test_an_order_of_addresses_needs_no_register(pool: Pool, worker: Worker) -> None:
    register = DownRegister()
    order_id = await due_order(pool)

    await process_due(orders_in_hand(pool, register=register), worker)

    assert register.asked == []
    assert await status_of(pool, order_id) is OrderStatus.PROCESSED


async def test_nothing_due_is_nothing_done(pool: Pool, orders: OrdersInHand, worker: Worker) -> None:
    await placed_order(pool, requested_send_time=datetime.now(UTC) + timedelta(seconds=30))

    assert await process_due(orders, worker) == 0
    assert await generated(pool) == []


@pytest.mark.parametrize("status", [status for status in OrderStatus if status is not OrderStatus.COMPLETED])
async def test_only_an_order_that_waits_is_processed(
    pool: Pool, orders: OrdersInHand, worker: Worker, status: OrderStatus
) -> None:
    await due_order(pool)
    await pool.execute("UPDATE orders SET status = $1", status)

    found = await process_due(orders, worker)

    assert found == (status in (OrderStatus.REGISTERED, OrderStatus.PROCESSING))
    assert len(await generated(pool)) == (len(RECIPIENTS) if found else 0)


async def test_an_order_whose_retry_is_ahead_waits(pool: Pool, orders: OrdersInHand, worker: Worker) -> None:
    await due_order(pool)
    await pool.execute("UPDATE orders SET status = 'Processing', retry_at = now() + interval '1 minute'")

    assert await process_due(orders, worker) == 0


async def make_impossible(pool: Pool, order_id: UUID) -> None:
    """Its last recipient cannot be stored: PostgreSQL's text has no NUL."""
    addresses = ["kari@sandbox.test", "ola@sandbox.test", "\0@sandbox.test"]
    recipients = json.dumps([{"email_address": address} for address in addresses])
    await pool.execute("UPDATE orders SET recipients = $2 WHERE id = $1", order_id, recipients)


async def test_an_order_is_generated_wholly_or_not_at_all(pool: Pool, orders: OrdersInHand, worker: Worker) -> None:
    order_id = await due_order(pool)
    await make_impossible(pool, order_id)

    with capture_logs() as logs:
        await process_due(orders, worker)

    assert [line["log_level"] for line in logs] == ["error", "warning"]
    assert await generated(pool) == []
    order = await order_row(pool, order_id)
    assert (order["status"], order["claimed_by"], order["retry_at"] is None) == ("Processing", None, False)


async def test_an_order_whose_condition_is_met_is_sent(pool: Pool, worker: Worker) -> None:
    order_id = await due_order(pool, condition_endpoint=CONDITION)
    async with condition_server({"sendNotification": True}) as server:
        await process_due(orders_in_hand(pool, condition_hosts={CONDITION_HOST: server.url}), worker)

    assert server.asked == ["/sjekk"]
    assert len(await generated(pool)) == len(RECIPIENTS)
    assert await status_of(pool, order_id) is OrderStatus.PROCESSED


async def test_an_order_whose_condition_is_not_met_has_no_notifications(pool: Pool, worker: Worker) -> None:
    order_id = await due_order(pool, condition_endpoint=CONDITION)
    async with condition_server({"sendNotification": False}) as server:
        orders = orders_in_hand(pool, condition_hosts={CONDITION_HOST: server.url})
        await process_due(orders, worker)
        await process_due(orders, worker)

    assert server.asked == ["/sjekk"]
    assert await generated(pool) == []
    assert await status_of(pool, order_id) is OrderStatus.SEND_CONDITION_NOT_MET


async def test_a_condition_without_an_answer_is_asked_once_more_after_the_pause(pool: Pool, worker: Worker) -> None:
    order_id = await due_order(pool, condition_endpoint=CONDITION)
    async with condition_server() as server:
        orders = orders_in_hand(pool, condition_hosts={CONDITION_HOST: server.url})
        await process_due(orders, worker)
        waiting = await order_row(pool, order_id)
        server.documents["/sjekk"] = {"sendNotification": False}
        await let_retry_come(pool)
        await process_due(orders, worker)

    assert waiting["status"] == "Processing"
    assert RETRY - timedelta(seconds=10) < waiting["pause"] <= RETRY
    assert server.asked == ["/sjekk"] * 2
    assert await status_of(pool, order_id) is OrderStatus.SEND_CONDITION_NOT_MET


@pytest.mark.parametrize(
    ("then", "status", "notifications"),
    [
        ("send", OrderStatus.PROCESSED, len(RECIPIENTS)),
        ("withhold", OrderStatus.SEND_CONDITION_NOT_MET, 0),
    ],
)
async def test_a_condition_that_stays_unanswered_means_what_the_setting_says(
    pool: Pool, worker: Worker, then: Any, status: OrderStatus, notifications: int
) -> None:
    order_id = await due_order(pool, condition_endpoint=CONDITION)
    async with condition_server() as server:
        orders = orders_in_hand(pool, condition_hosts={CONDITION_HOST: server.url}, then=then)
        await process_due(orders, worker)
        await let_retry_come(pool)
        with capture_logs() as logs:
            await process_due(orders, worker)

    assert server.asked == ["/sjekk"] * 2
    assert (await status_of(pool, order_id), len(await generated(pool))) == (status, notifications)
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["send condition unanswered again"]


async def test_an_answer_gives_the_condition_its_second_chance_back(pool: Pool, worker: Worker) -> None:
    order_id = await due_order(pool, Recipient(national_identity_number=KARI), condition_endpoint=CONDITION)
    async with condition_server() as server:
        orders = orders_in_hand(
            pool, register=DownRegister(), condition_hosts={CONDITION_HOST: server.url}, then="withhold"
        )
        for answer in (None, {"sendNotification": True}, None):
            server.documents["/sjekk"] = answer
            await let_retry_come(pool)
            await process_due(orders, worker)

    order = await order_row(pool, order_id)
    assert (order["status"], order["condition_unanswered"], server.asked) == ("Processing", True, ["/sjekk"] * 3)


async def test_an_order_that_is_sent_unanswered_stays_so_while_the_register_is_down(pool: Pool, worker: Worker) -> None:
    order_id = await due_order(pool, Recipient(national_identity_number=KARI), condition_endpoint=CONDITION)
    register = DownRegister()
    async with condition_server() as server:
        orders = orders_in_hand(pool, register=register, condition_hosts={CONDITION_HOST: server.url})
        for _ in range(3):
            await let_retry_come(pool)
            await process_due(orders, worker)
        register.known = {KARI: Contact(("kari@sandbox.test",))}
        await let_retry_come(pool)
        await process_due(orders, worker)

    assert len(register.asked) == 3
    assert await status_of(pool, order_id) is OrderStatus.PROCESSED


async def test_the_condition_is_asked_before_the_register(pool: Pool, worker: Worker) -> None:
    register = DownRegister()
    await due_order(pool, Recipient(national_identity_number=KARI), condition_endpoint=CONDITION)
    async with condition_server({"sendNotification": False}) as server:
        hosts = {CONDITION_HOST: server.url}
        await process_due(orders_in_hand(pool, register=register, condition_hosts=hosts), worker)

    assert register.asked == []


async def test_no_identity_address_or_endpoint_is_logged(pool: Pool, worker: Worker) -> None:
    await known(pool, KARI, "kari@sandbox.test", name="Kari Nordmann")
    await due_order(pool, Recipient(national_identity_number=KARI), condition_endpoint=CONDITION)
    await due_order(pool, Recipient(national_identity_number=KARI))
    async with condition_server() as server:
        orders = orders_in_hand(pool, condition_hosts={CONDITION_HOST: server.url})

        with capture_logs() as logs:
            await process_due(orders, worker)

    assert {line["event"] for line in logs} == {"send condition unanswered", "order processed"}
    assert not any(private in str(logs) for private in ("kari", "Kari", KARI, "sjekk", CONDITION_HOST))


async def test_an_order_without_a_condition_is_not_warned_of(pool: Pool, orders: OrdersInHand, worker: Worker) -> None:
    await due_order(pool)

    with capture_logs() as logs:
        await process_due(orders, worker)

    assert [line["log_level"] for line in logs] == ["info"]
