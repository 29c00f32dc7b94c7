"""Generate an order's notifications: one for each addressee, all of them or none, in one transaction."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from varsel.database.connect import Connection
from varsel.database.statements import statements
from varsel.database.uuid7 import uuid7s
from varsel.orders.addressees import Addressee

SQL = statements("orders")

TIME_TO_LIVE = timedelta(hours=48)  # from the requested send time; the contract's own number
BULK = 100  # notifications; a larger order waits in its owner's other queue, so that no single mail waits behind it
PIECE = 2_000  # notifications inserted by one statement; about 10 ms of this process's time


async def generate_notifications(
    conn: Connection,
    order_id: UUID,
    owner: str,
    requested_send_time: datetime,
    generated: Iterable[Addressee],
    *,
    is_bulk: bool,
) -> int:
    """Insert one notification an addressee; returns how many. The caller's transaction decides whether they come to be.

    In pieces, so that neither we nor the database hold a hundred thousand rows at once, and others get their turn.
    """
    count, rest = 0, iter(generated)
    while piece := list(islice(rest, PIECE)):
        await conn.execute(
            SQL["generate_notifications"],
            order_id,
            owner,
            is_bulk,
            requested_send_time + TIME_TO_LIVE,
            uuid7s(len(piece)),
            *(list(column) for column in zip(*piece, strict=True)),
        )
        count += len(piece)
    return count
