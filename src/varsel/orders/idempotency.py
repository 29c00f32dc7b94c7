"""Retry safety: a POST that carries an Idempotency-Key and comes again is answered like the first one.

The key is kept in the transaction that places the order, so both are there or neither.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from varsel.database.connect import Connection, Pool
from varsel.database.statements import statements
from varsel.errors import KeyReused, StillRunning

SQL = statements("idempotency")

KEPT_FOR = timedelta(days=8)  # a day more than the seven that are promised


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The client's key, and a digest of what it asked for with it."""

    key: str
    fingerprint: bytes


async def first_answer(conn: Connection, owner: str, wanted: IdempotencyKey) -> UUID | None:
    """The order that this key has placed before; None where it is new, and then it is ours to the commit.

    Raises:
        StillRunning: another request holds the key at this moment.
        KeyReused: the order before was another one.
    """
    if not await conn.fetchval(SQL["take_key"], owner, wanted.key):
        raise StillRunning("a request with this idempotency key is being answered")
    row = await conn.fetchrow(SQL["first_answer"], owner, wanted.key)
    if row is None:
        return None
    if row["fingerprint"] != wanted.fingerprint:
        raise KeyReused("this idempotency key was used for another request")
    order_id: UUID = row["order_id"]
    return order_id


async def keep_answer(conn: Connection, owner: str, wanted: IdempotencyKey, order_id: UUID) -> None:
    """Remember what this key has placed."""
    await conn.execute(SQL["keep_answer"], owner, wanted.key, wanted.fingerprint, order_id)


async def forget_idempotency_keys(pool: Pool) -> None:
    """Delete keys that are older than we promise to keep them."""
    await pool.execute(SQL["forget_idempotency_keys"], KEPT_FOR)
