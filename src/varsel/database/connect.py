"""The way to PostgreSQL: a pool for statements, and single connections for what must outlive them.

A server that hangs answers nothing, not even a request to cancel. So whoever uses a connection of the pool gets a
bounded time for it, and then the connection is cut: everything that waits for it fails at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import TypeAlias

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

from varsel.errors import DatabaseUnavailable

# Quoted, because asyncpg's classes take parameters in their stubs only.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PooledConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
SingleConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

CONNECT_TIMEOUT = timedelta(seconds=10)  # for a connection, be it a new one or the next that is free
USE_LIMIT = timedelta(seconds=10)  # for one use of a connection; few take a tenth of a second
LONG_USE_LIMIT = timedelta(seconds=30)  # where an order is large: 100,000 recipients take about three seconds
COMMAND_TIMEOUT = timedelta(seconds=30)  # for a statement on a connection outside the pool

# What says "the database is not there, or not usable just now": worth another try later, never the client's fault.
UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a statement that falls between the server's last words and its end
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
    asyncpg.exceptions.PostgresSystemError,  # its disk, for example
    asyncpg.exceptions.TransactionRollbackError,  # a deadlock, or a failover in the middle
    asyncpg.exceptions.InvalidAuthorizationSpecificationError,  # while a password changes
    asyncpg.exceptions.InvalidCatalogNameError,  # while a backup is restored
    asyncpg.exceptions.ObjectNotInPrerequisiteStateError,  # while no connections are allowed, for maintenance
)

log = structlog.get_logger(__name__)


class _PooledConnection(asyncpg.Connection):
    """Is given back without a query: nobody leaves anything behind on it, and to make sure would be a round trip.

    An open transaction is rolled back all the same.
    """

    def get_reset_query(self) -> str:
        """None at all."""
        return ""


class _BoundedPool(asyncpg.Pool):
    """Bounds every use of its connections, that of its own `fetch` and the like included."""

    # Ours can be entered, not awaited.
    def acquire(  # type: ignore[override]
        self, *, timeout: float | None = None
    ) -> AbstractAsyncContextManager[PooledConnection]:
        return _lease(self, timedelta(seconds=timeout) if timeout is not None else CONNECT_TIMEOUT, USE_LIMIT)


async def open_pool(dsn: str, *, connections: int) -> Pool:
    """A pool that opens connections as they are needed, at most `connections`.

    Raises:
        DatabaseUnavailable: the server cannot be reached, or refuses us.
    """
    try:
        return await _BoundedPool(
            dsn,
            min_size=1,
            max_size=connections,
            max_queries=50_000,  # this and the next three are asyncpg's defaults
            max_inactive_connection_lifetime=300.0,  # seconds
            loop=None,
            connection_class=_PooledConnection,
            record_class=asyncpg.Record,
            command_timeout=COMMAND_TIMEOUT.total_seconds(),
            timeout=CONNECT_TIMEOUT.total_seconds(),
            server_settings={
                "application_name": "varsel",
                "jit": "off",  # compiling costs more than our statements take
                "plan_cache_mode": "force_generic_plan",  # so does planning them anew for each set of values
            },
        )
    except ValueError as error:  # asyncpg's own is one too; their words may quote a password that is not %-encoded
        raise DatabaseUnavailable(
            f"VARSEL_DATABASE_URL cannot be used ({type(error).__name__}): is the password %-encoded?"
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable(f"PostgreSQL cannot be reached: {type(error).__name__}: {error}") from error


async def open_connection(dsn: str) -> SingleConnection:
    """One connection outside the pool, for a session-level lock."""
    return await asyncpg.connect(
        dsn,
        command_timeout=COMMAND_TIMEOUT.total_seconds(),
        timeout=CONNECT_TIMEOUT.total_seconds(),
        server_settings={"application_name": "varsel worker"},
    )


def connection_of(pool: Pool, *, at_most: timedelta | None = None) -> AbstractAsyncContextManager[PooledConnection]:
    """A connection for one transaction; waits a bounded time for a free one, and is cut after `at_most`."""
    return _lease(pool, CONNECT_TIMEOUT, at_most or USE_LIMIT)


def changed_rows(tag: str) -> int:
    """How many rows a statement wrote, by its command tag: "UPDATE 3"."""
    return int(tag.rpartition(" ")[2])


@asynccontextmanager
async def _lease(pool: Pool, wait: timedelta, use: timedelta) -> AsyncIterator[PooledConnection]:
    conn = await asyncpg.Pool.acquire(pool, timeout=wait.total_seconds())
    watch = asyncio.get_running_loop().call_later(use.total_seconds(), _cut, conn)
    try:
        yield conn
    except (TimeoutError, asyncio.CancelledError):
        _cut(conn)  # else giving it back would wait until the server has cancelled what nobody waits for
        raise
    finally:
        try:
            await pool.release(conn)
        except UNAVAILABLE as error:
            # What was done on it is done; asyncpg opens another in its place.
            log.warning("a connection was lost when it was given back", error=type(error).__name__)
        finally:
            watch.cancel()


def _cut(conn: PooledConnection) -> None:
    with suppress(asyncpg.InterfaceError):  # it is given back already, or lost
        conn.terminate()
