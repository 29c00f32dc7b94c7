"""The suppression list: addresses that an owner's mail is no longer sent to, each with the reason.

The rule: an address whose mail ended Failed_Bounced (it or its domain does not exist) is on the list of that owner
for SUPPRESSED_AFTER_BOUNCE; one that complained, or that an operator put there, until somebody takes it off.
VARSEL_SUPPRESS says which of these happen by themselves. Other owners are not concerned: what one sender is to a
recipient says nothing of another.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from varsel.database.connect import Connection, Pool, connection_of
from varsel.database.statements import statements

SQL = statements("suppression")

# Long enough for what is sent weekly, and an address that comes to exist is not shut out for good.
SUPPRESSED_AFTER_BOUNCE = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why mail of this owner is not sent to this address."""

    owner: str
    address: str  # in lower case
    reason: str  # bounce, complaint, operator
    since: datetime
    until: datetime | None  # None: until somebody takes it off
    notification_id: UUID | None
    detail: str | None  # the other side's words, or the operator's


async def suppress_bounced(conn: Connection, notification_ids: Sequence[UUID]) -> None:
    """Put on their owners' lists the addresses of those that have ended Failed_Bounced."""
    if notification_ids:
        await conn.execute(SQL["suppress_bounced"], notification_ids, SUPPRESSED_AFTER_BOUNCE)


async def suppress_complainant(conn: Connection, notification_id: UUID, detail: str) -> None:
    """Put the notification's recipient on its owner's list, for good."""
    await conn.execute(SQL["suppress_complainant"], notification_id, detail)


async def suppress_by_operator(pool: Pool, owner: str, address: str, detail: str | None) -> None:
    """Put the address on the owner's list, for good."""
    await pool.execute(SQL["suppress_by_operator"], owner, address, detail)


async def lift_suppression(pool: Pool, owner: str, address: str) -> bool:
    """Take the address off the owner's list; False where it was not on it."""
    return await pool.fetchval(SQL["lift_suppression"], owner, address) is not None


async def read_suppressions(pool: Pool, owner: str | None) -> AsyncIterator[Suppression]:
    """The list in force of one owner, or of all; read by a cursor, so it may be of any length."""
    async with connection_of(pool) as conn, conn.transaction(readonly=True):
        async for row in conn.cursor(SQL["suppressed_addresses"], owner):
            yield Suppression(**row)


async def forget_suppressions(pool: Pool) -> None:
    """Forget what is over."""
    await pool.execute(SQL["forget_suppressions"])
