"""Find the notifications of an order, a page at a time, so that an order of any size is read in bounded memory."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from varsel.database.connect import Pool
from varsel.database.statements import statements
from varsel.notifications.send_status import SendStatus

SQL = statements("notifications")

PAGE = 1_000  # rows; about 200 kB in memory
_BEFORE_ALL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one recipient, and where its sending stands."""

    id: UUID
    recipient_address: str
    organization_number: str | None
    national_identity_number: str | None
    send_status: SendStatus
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class OrderReference:
    """That the owner has the order, and what it calls it."""

    senders_reference: str | None


async def find_order_reference(pool: Pool, order_id: UUID, owner: str) -> OrderReference | None:
    """None where the owner has no such order. A blank reference counts as none here, as in the original."""
    row = await pool.fetchrow(SQL["senders_reference_of_order"], order_id, owner)
    if row is None:
        return None
    reference = row["senders_reference"]
    return OrderReference(reference if reference and reference.strip() else None)


async def notifications_of_order(pool: Pool, order_id: UUID) -> AsyncIterator[Sequence[Notification]]:
    """The order's notifications in the order of its recipients, in pages; no page at all where there is none.

    Each page is read by itself, so no connection is held while the caller passes a page on.
    """
    after = _BEFORE_ALL
    while True:
        rows = await pool.fetch(SQL["notifications_of_order"], order_id, after, PAGE)
        if rows:
            after = rows[-1]["id"]
            yield [
                Notification(
                    row["id"],
                    row["recipient_address"],
                    row["organization_number"],
                    row["national_identity_number"],
                    SendStatus(row["send_status"]),
                    row["send_status_at"],
                )
                for row in rows
            ]
        if len(rows) < PAGE:
            return
