"""The way to PostgreSQL: a pool for statements, and single connections for what must outlive them."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from varsel.errors import DatabaseUnavailable

# Quoted, because asyncpg's classes take parameters in their stubs only.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PooledConnection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"
SingleConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

COMMAND_TIMEOUT = timedelta(seconds=30)  # no statement of ours takes seconds; a hung one must not hold a caller
CONNECT_TIMEOUT = timedelta(seconds=10)

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
)


async def open_pool(dsn: str, *, connections: int) -> Pool:
    """A pool that opens connections as they are needed, at most `connections`.

    Raises:
        DatabaseUnavailable: the server cannot be reached, or refuses us.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections,
            command_timeout=COMMAND_TIMEOUT.total_seconds(),
            timeout=CONNECT_TIMEOUT.total_seconds(),
            # Compiling costs more than our statements take.
            server_settings={"application_name": "varsel", "jit": "off"},
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise DatabaseUnavailable(f"PostgreSQL cannot be reached: {type(error).__name__}: {error}") from error


async def open_connection(dsn: str) -> SingleConnection:
    """One connection outside the pool, for a session-level lock."""
    return await asyncpg.connect(
        dsn,
        command_timeout=COMMAND_TIMEOUT.total_seconds(),
        timeout=CONNECT_TIMEOUT.total_seconds(),
        server_settings={"application_name": "varsel worker"},
    )


def connection_of(pool: Pool) -> AbstractAsyncContextManager[PooledConnection]:
    """A connection for one transaction; waits a bounded time for a free one."""
    return pool.acquire(timeout=CONNECT_TIMEOUT.total_seconds())
