"""Generate an order's notifications: one for each recipient, all of them or none, in one transaction."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from varsel.database.connect import LONG_USE_LIMIT, Connection, Pool, connection_of
from varsel.database.statements import statements
from varsel.database.uuid7 import uuid7s
from varsel.notifications.send_status import SendStatus
from varsel.orders.order import Recipient

log = structlog.get_logger(__name__)
SQL = statements("orders")

TIME_TO_LIVE = timedelta(hours=48)  # from the requested send time; the contract's own number
BULK = 100  # recipients; a larger order waits in its owner's other queue, so that no single mail waits behind it
PIECE = 2_000  # recipients inserted by one statement; about 10 ms of this process's time


async def generate_notifications(
    conn: Connection, order_id: UUID, owner: str, requested_send_time: datetime, recipients: Sequence[Recipient]
) -> None:
    """Insert one notification a recipient; the caller's transaction decides whether they come to be.

    In pieces, so that neither we nor the database hold a hundred thousand rows at once, and others get their turn.
    """
    for start in range(0, len(recipients), PIECE):
        piece = recipients[start : start + PIECE]
        await conn.execute(
            SQL["generate_notifications"],
            order_id,
            owner,
            len(recipients) > BULK,
            requested_send_time + TIME_TO_LIVE,
            uuid7s(len(piece)),
            [r.email_address or "" for r in piece],
            [r.organization_number for r in piece],
            [r.national_identity_number for r in piece],
            [SendStatus.NEW if r.email_address else SendStatus.FAILED_RECIPIENT_NOT_IDENTIFIED for r in piece],
        )


async def generate_next_due(pool: Pool) -> bool:
    """Take the order that has been due longest and generate its notifications; False where none is due."""
    async with connection_of(pool, at_most=LONG_USE_LIMIT) as conn, conn.transaction():
        order = await conn.fetchrow(SQL["next_due_order"])
        if order is None:
            return False
        if order["condition_endpoint"]:
            log.warning("send condition counts as unanswered: the order is sent", order=str(order["id"]))
        recipients = msgspec.json.decode(order["recipients"], type=list[Recipient])
        await generate_notifications(conn, order["id"], order["owner"], order["requested_send_time"], recipients)
        await conn.execute(SQL["mark_processed"], order["id"])
    log.info("order processed", order=str(order["id"]), notifications=len(recipients))
    return True
