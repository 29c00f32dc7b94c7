"""Workers prove that they live by a lock that PostgreSQL frees the moment they do not.

A worker is a number and a session-level advisory lock on it, held on a connection of its own. When the process
dies, or its host vanishes, the lock is gone, and after a few seconds of grace everybody else may put its claims in
doubt. The grace is for a restart of the database, which frees all locks while the workers live and have mails in
flight. A worker that was given up all the same must register anew before it may claim again.
"""

from datetime import timedelta

import asyncpg
import structlog

from varsel.database.connect import UNAVAILABLE, Pool, SingleConnection, open_connection
from varsel.database.statements import statements
from varsel.notifications.send_status import mark_lost_in_doubt

log = structlog.get_logger(__name__)
SQL = statements("workers")

WORKER_LOCK = 0x56415253  # first key of the workers' advisory locks; the second is the worker's number
GRACE = timedelta(seconds=3)  # how long a lock must have been missing
CLAIMS_LIMIT = 1_000  # claims a round


class Worker:
    """This process's proof of life; `number` is None while it has none and may claim nothing."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._conn: SingleConnection | None = None
        self._last_number: int | None = None
        self.number: int | None = None

    async def prove_alive(self) -> None:
        """Hold the lock: keep it, take it back after a lost connection, or register anew where we were given up."""
        try:
            await self._hold()
        except (*UNAVAILABLE, asyncpg.PostgresError) as error:
            log.warning("worker cannot prove that it lives; it claims nothing", error=type(error).__name__)
            await self.let_go()

    async def let_go(self) -> None:
        """Close the connection; the lock goes with it."""
        self.number = None
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    async def unregister(self, pool: Pool) -> None:
        """Leave for good, unless claims are left behind: they need the row to be told from a living worker's."""
        if self._last_number is not None:
            await pool.execute(SQL["unregister_worker"], self._last_number)
        await self.let_go()

    def _lost(self, conn: object) -> None:
        """The connection has ended, and the lock with it: nothing may be claimed until there is another."""
        if conn is self._conn:
            self.number = None

    async def _hold(self) -> None:
        if self._conn is None or self._conn.is_closed():
            self.number = None
            self._conn = await open_connection(self._dsn)
            self._conn.add_termination_listener(self._lost)
        number = self._last_number
        if number is None or not await self._conn.fetchval(SQL["is_registered"], number):
            number = await self._conn.fetchval(SQL["register_worker"])
            log.info("worker registered", worker=number)
        # A lock is counted: taking it each time would need as many releases, so it is taken once a connection.
        if self.number != number and not await self._conn.fetchval(SQL["prove_alive"], WORKER_LOCK, number):
            # The server has not noticed yet that our last connection ended.
            return
        self._last_number = self.number = number


async def find_missing_workers(pool: Pool) -> bool:
    """Put in doubt the claims of workers whose lock has been missing; True where more may be left."""
    await pool.execute(SQL["note_missing_workers"], WORKER_LOCK)
    lost = await mark_lost_in_doubt(pool, GRACE, CLAIMS_LIMIT)
    if lost:
        log.warning("claims in doubt: their worker is gone", claims=lost)
    await pool.execute(SQL["forget_missing_workers"], GRACE)
    return lost == CLAIMS_LIMIT
