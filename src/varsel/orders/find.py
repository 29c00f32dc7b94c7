"""Find an owner's orders; somebody else's order is as unknown as one that never was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from varsel.database.connect import Pool
from varsel.database.statements import statements
from varsel.orders.order import Channel, ContentType, EmailTemplate, Order, OrderStatus, Recipient

SQL = statements("orders")


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as it was placed."""

    order: Order
    recipients: Sequence[Recipient]
    template: EmailTemplate


@dataclass(frozen=True, slots=True)
class OrderProgress:
    """How far an order has come."""

    order: Order
    status: OrderStatus
    changed_at: datetime
    generated: int
    succeeded: int


async def find_order(pool: Pool, order_id: UUID, owner: str) -> StoredOrder | None:
    """The owner's order with this id."""
    row = await pool.fetchrow(SQL["order_by_id"], order_id, owner)
    return _stored(row) if row else None


async def find_by_senders_reference(pool: Pool, reference: str, owner: str) -> list[StoredOrder]:
    """The owner's orders with this reference (exact), oldest first."""
    return [_stored(row) for row in await pool.fetch(SQL["orders_by_senders_reference"], owner, reference)]


async def find_progress(pool: Pool, order_id: UUID, owner: str) -> OrderProgress | None:
    """The order's status with the sums of its notifications.

    "Completed" is derived here: processed, and nothing pending any more. It then dates from the last change.
    """
    row = await pool.fetchrow(SQL["order_status"], order_id, owner)
    if row is None:
        return None
    status, changed_at = OrderStatus(row["status"]), row["status_at"]
    if status is OrderStatus.PROCESSED and row["pending"] == 0:
        status, changed_at = OrderStatus.COMPLETED, row["last_change_at"] or changed_at
    return OrderProgress(_order(row), status, changed_at, row["generated"], row["succeeded"])


def _stored(row: asyncpg.Record) -> StoredOrder:
    return StoredOrder(
        order=_order(row),
        recipients=msgspec.json.decode(row["recipients"], type=list[Recipient]),
        template=EmailTemplate(
            subject=row["subject"],
            body=row["body"],
            content_type=ContentType(row["content_type"]),
            from_address=row["from_address"],
        ),
    )


def _order(row: asyncpg.Record) -> Order:
    return Order(
        id=row["id"],
        owner=row["owner"],
        channel=Channel(row["channel"]),
        requested_send_time=row["requested_send_time"],
        created_at=row["created_at"],
        senders_reference=row["senders_reference"],
        ignore_reservation=row["ignore_reservation"],
        resource_id=row["resource_id"],
        resource_action=row["resource_action"],
        condition_endpoint=row["condition_endpoint"],
    )
