"""Place an order: store it, and where it is due at once, generate its notifications in the same transaction."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import structlog

from varsel.database.connect import LONG_USE_LIMIT, Connection, Pool, connection_of
from varsel.database.statements import statements
from varsel.database.uuid7 import uuid7
from varsel.orders.generate import BULK, generate_notifications
from varsel.orders.idempotency import IdempotencyKey, first_answer, keep_answer
from varsel.orders.limits import count_recipients
from varsel.orders.order import NewOrder, OrderStatus

log = structlog.get_logger(__name__)
SQL = statements("orders")


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms an order is placed, beside what it asks for."""

    idempotency: IdempotencyKey | None = None
    recipients_a_day: int | None = None  # the owner's limit


NO_TERMS = Terms()


async def place_order(pool: Pool, order: NewOrder, terms: Terms = NO_TERMS) -> UUID:
    """Store the order and return its id; when this returns, the order is committed.

    Raises:
        StillRunning: about the idempotency key.
        KeyReused: about the idempotency key.
        LimitReached: the owner has no room for so many recipients today.
    """
    at_once = _can_be_generated_at_once(order)
    at_most = LONG_USE_LIMIT if len(order.recipients) > BULK else None
    async with connection_of(pool, at_most=at_most) as conn, conn.transaction():
        if terms.idempotency is not None:
            first = await first_answer(conn, order.owner, terms.idempotency)
            if first is not None:
                return first
        if terms.recipients_a_day is not None:
            await count_recipients(conn, order.owner, len(order.recipients), terms.recipients_a_day)
        order_id = await _store(conn, order, at_once=at_once)
        if terms.idempotency is not None:
            await keep_answer(conn, order.owner, terms.idempotency, order_id)
    log.info("order placed", order=str(order_id), recipients=len(order.recipients), at_once=at_once)
    return order_id


async def _store(conn: Connection, order: NewOrder, *, at_once: bool) -> UUID:
    order_id = uuid7()
    status = OrderStatus.PROCESSED if at_once else OrderStatus.REGISTERED
    await conn.execute(SQL["place_order"], *_columns(order_id, order, status))
    if at_once:
        await generate_notifications(conn, order_id, order.owner, order.requested_send_time, order.recipients)
    return order_id


def _can_be_generated_at_once(order: NewOrder) -> bool:
    """Whether it is due and nobody else has to be asked; else the worker generates it when it is due."""
    return (
        order.requested_send_time <= datetime.now(UTC)
        and order.condition_endpoint is None
        and all(recipient.email_address for recipient in order.recipients)
    )


def _columns(order_id: UUID, order: NewOrder, status: OrderStatus) -> tuple[object, ...]:
    """The values of the statement place_order, in its order."""
    return (
        order_id,
        order.owner,
        order.senders_reference,
        order.requested_send_time,
        status,
        order.channel,
        order.ignore_reservation,
        order.resource_id,
        order.resource_action,
        order.condition_endpoint,
        msgspec.json.encode(order.recipients).decode(),
        order.template.from_address,
        order.template.subject,
        order.template.body,
        order.template.content_type,
    )
