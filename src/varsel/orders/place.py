"""Place an order: store it, and where it is due at once, generate its notifications in the same transaction."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import structlog

from varsel.database.connect import Pool, connection_of
from varsel.database.statements import statements
from varsel.database.uuid7 import uuid7
from varsel.orders.generate import generate_notifications
from varsel.orders.order import NewOrder, OrderStatus

log = structlog.get_logger(__name__)
SQL = statements("orders")


async def place_order(pool: Pool, order: NewOrder) -> UUID:
    """Store the order and return its id; when this returns, the order is committed."""
    order_id = uuid7()
    at_once = _can_be_generated_at_once(order)
    async with connection_of(pool) as conn, conn.transaction():
        status = OrderStatus.PROCESSED if at_once else OrderStatus.REGISTERED
        await conn.execute(SQL["place_order"], *_columns(order_id, order, status))
        if at_once:
            await generate_notifications(conn, order_id, order.requested_send_time, order.recipients)
    log.info("order placed", order=str(order_id), recipients=len(order.recipients), at_once=at_once)
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
