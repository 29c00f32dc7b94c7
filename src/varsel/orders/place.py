"""Place orders: store them, and those that are due generate their notifications in the same transaction.

An order of at most 100 recipients is one statement, which is its transaction. Small ones that are placed at the same
time share it, and the commit, whoever places them. A larger order, or one on terms of its own, has several statements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import structlog

from varsel.database.connect import LONG_USE_LIMIT, Connection, Pool, connection_of
from varsel.database.lanes import Lanes
from varsel.database.statements import statements
from varsel.database.uuid7 import uuid7s
from varsel.orders.addressees import addressees
from varsel.orders.generate import BULK, TIME_TO_LIVE, generate_notifications
from varsel.orders.idempotency import IdempotencyKey, first_answer, keep_answer
from varsel.orders.limits import count_recipients
from varsel.orders.order import NewOrder, OrderStatus

log = structlog.get_logger(__name__)
SQL = statements("orders")

SMALL = 20  # recipients; a larger order gains nothing by sharing a commit, and makes the others wait for it


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an order is placed, beside what it asks for."""

    idempotency: IdempotencyKey | None = None
    recipients_a_day: int | None = None  # the owner's limit


NO_TERMS = Terms()


class Placing:
    """Places orders; when `place` returns, the order is committed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lanes: Lanes[NewOrder, UUID] = Lanes(self._place_together)

    async def place(self, order: NewOrder, terms: Terms = NO_TERMS) -> UUID:
        """Store the order and return its id.

        Raises:
            StillRunning: about the idempotency key.
            KeyReused: about the idempotency key.
            LimitReached: the owner has no room for so many recipients today.
            Overloaded: too many orders wait to be stored already.
        """
        if terms != NO_TERMS or len(order.recipients) > BULK:
            return await self._place_alone(order, terms)
        if len(order.recipients) > SMALL:
            return (await self._place_together([order]))[0]
        return await self._lanes.ask(order)

    async def _place_together(self, orders: Sequence[NewOrder]) -> Sequence[UUID]:
        async with connection_of(self._pool) as conn:
            order_ids = await _store(conn, orders)
        _log_placed(order_ids, orders)
        return order_ids

    async def _place_alone(self, order: NewOrder, terms: Terms) -> UUID:
        at_most = LONG_USE_LIMIT if len(order.recipients) > BULK else None
        async with connection_of(self._pool, at_most=at_most) as conn, conn.transaction():
            if terms.idempotency is not None:
                first = await first_answer(conn, order.owner, terms.idempotency)
                if first is not None:
                    return first
            if terms.recipients_a_day is not None:
                await count_recipients(conn, order.owner, len(order.recipients), terms.recipients_a_day)
            [order_id] = await _store(conn, [order])
            if terms.idempotency is not None:
                await keep_answer(conn, order.owner, terms.idempotency, order_id)
        _log_placed([order_id], [order])
        return order_id


def _log_placed(order_ids: Sequence[UUID], orders: Sequence[NewOrder]) -> None:
    log.info(
        "orders placed",
        orders=[str(order_id) for order_id in order_ids],
        recipients=[len(order.recipients) for order in orders],
    )


async def _store(conn: Connection, orders: Sequence[NewOrder]) -> Sequence[UUID]:
    """Store the orders, with the notifications of those that are due, by one statement; a large one in pieces."""
    order_ids = uuid7s(len(orders))
    placed = [
        (order_id, order, _can_be_generated_at_once(order)) for order_id, order in zip(order_ids, orders, strict=True)
    ]
    rows = [_row(order_id, order, at_once=at_once) for order_id, order, at_once in placed]
    due = [
        (order_id, recipient.email_address)
        for order_id, order, at_once in placed
        if at_once and len(order.recipients) <= BULK
        for recipient in order.recipients
    ]
    notifications = [
        {"order_id": order_id, "id": notification_id, "recipient_address": address}
        for (order_id, address), notification_id in zip(due, uuid7s(len(due)), strict=True)
    ]
    await conn.execute(SQL["place_orders"], _json(rows), _json(notifications), TIME_TO_LIVE)
    for order_id, order, at_once in placed:
        if at_once and len(order.recipients) > BULK:
            generated = addressees(order.recipients, {}, {}, ignore_reservation=False)
            await generate_notifications(
                conn, order_id, order.owner, order.requested_send_time, generated, is_bulk=True
            )
    return order_ids


def _json(rows: Sequence[object]) -> str:
    return msgspec.json.encode(rows).decode()


def _can_be_generated_at_once(order: NewOrder) -> bool:
    """Whether it is due and nobody else has to be asked; else the worker generates it when it is due."""
    return (
        order.requested_send_time <= datetime.now(UTC)
        and order.condition_endpoint is None
        and all(recipient.email_address for recipient in order.recipients)
    )


def _row(order_id: UUID, order: NewOrder, *, at_once: bool) -> dict[str, object]:
    """The order's columns, by their names."""
    return {
        "id": order_id,
        "owner": order.owner,
        "senders_reference": order.senders_reference,
        "requested_send_time": order.requested_send_time,
        "status": OrderStatus.PROCESSED if at_once else OrderStatus.REGISTERED,
        "channel": order.channel,
        "ignore_reservation": order.ignore_reservation,
        "resource_id": order.resource_id,
        "resource_action": order.resource_action,
        "condition_endpoint": order.condition_endpoint,
        "recipients": order.recipients,
        "from_address": order.template.from_address,
        "subject": order.template.subject,
        "body": order.template.body,
        "content_type": order.template.content_type,
    }
