"""What an owner may use: requests a minute, recipients a day; counted in the database, for all processes together."""

from varsel.database.connect import Connection, Pool, connection_of
from varsel.database.statements import statements
from varsel.errors import LimitReached

SQL = statements("limits")


async def count_request(pool: Pool, owner: str, limit: int) -> None:
    """Count one request of this minute.

    Raises:
        LimitReached: there were `limit` of them already.
    """
    async with connection_of(pool) as conn:
        await _use(conn, owner, "requests", "minute", 1, limit)


async def count_recipients(conn: Connection, owner: str, recipients: int, limit: int) -> None:
    """Count the recipients of an order of today (UTC), in the transaction that places it.

    Raises:
        LimitReached: they are more than are left of `limit`.
    """
    await _use(conn, owner, "recipients", "day", recipients, limit)


async def forget_usage(pool: Pool) -> None:
    """Delete the counts of days long past."""
    await pool.execute(SQL["forget_usage"])


async def _use(conn: Connection, owner: str, measure: str, window: str, amount: int, limit: int) -> None:
    row = await conn.fetchrow(SQL["use"], owner, measure, window, amount)
    assert row is not None  # noqa: S101  # an upsert returns its row
    if row["used"] > limit:
        raise LimitReached(row["retry_after"])
