"""One factory for each record, with defaults that are valid."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.log_privacy import MARKER
from varsel.database.connect import Pool
from varsel.notifications.send_status import SendStatus
from varsel.orders.order import Channel, ContentType, EmailTemplate, NewOrder, Recipient
from varsel.orders.place import Placing

SUBJECT = f"Hei på Ås, {MARKER}"
BODY = f"Hei på deg, {MARKER}!"
KARI = Recipient(email_address="kari@sandbox.test")


def new_order(recipients: Sequence[Recipient] = (KARI,), **changes: Any) -> NewOrder:
    """An order that is due at once."""
    defaults: dict[str, Any] = {
        "owner": "ttd",
        "channel": Channel.EMAIL,
        "template": EmailTemplate(SUBJECT, BODY, ContentType.PLAIN, "noreply@varsel.test"),
        "requested_send_time": datetime.now(UTC),
    }
    return NewOrder(recipients=recipients, **(defaults | changes))


async def placed_order(pool: Pool, recipients: Sequence[Recipient] = (KARI,), **changes: Any) -> UUID:
    """The id of an order that was placed."""
    return await Placing(pool).place(new_order(recipients, **changes))


async def placed_notification(pool: Pool, **columns: Any) -> tuple[UUID, UUID]:
    """Order and id of a notification whose row was then given these columns."""
    order_id = await placed_order(pool)
    notification_id: UUID = await pool.fetchval("SELECT id FROM notifications WHERE order_id = $1", order_id)
    if columns:
        assignments = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 2))
        await pool.execute(f"UPDATE notifications SET {assignments} WHERE id = $1", notification_id, *columns.values())
    return order_id, notification_id


async def notification_in(
    pool: Pool, status: SendStatus, worker: int = 1, attempt: int = 1, **columns: Any
) -> tuple[UUID, UUID]:
    """Order and id of a notification that stands at this status after an attempt; more columns as given."""
    now = datetime.now(UTC)
    is_sending, is_new = status is SendStatus.SENDING, status is SendStatus.NEW
    return await placed_notification(
        pool,
        send_status=status,
        attempt=attempt,
        claimed_by=worker if is_sending else None,
        claimed_until=now.replace(year=now.year + 1) if is_sending else None,
        next_attempt_at=now if is_new else None,
        **columns,
    )


async def send_status_of(pool: Pool, notification_id: UUID) -> SendStatus:
    """Where the notification stands now."""
    return SendStatus(await pool.fetchval("SELECT send_status FROM notifications WHERE id = $1", notification_id))
