"""Bring a database to the present schema: numbered SQL files, forward only, each in a transaction of its own."""

import os
from collections.abc import Iterator
from datetime import timedelta
from importlib.resources import files

import structlog

from varsel.database.connect import Connection, Pool, connection_of
from varsel.database.statements import statements

log = structlog.get_logger(__name__)

MIGRATION_LOCK = 0x76617273656C  # "varsel" in ASCII; any number does, as long as every process takes the same
MIGRATION_LIMIT = timedelta(hours=1)  # for all that are missing; each has its own timeouts
RETURN_PATH_KEY_SIZE = 32  # bytes: the size of the hash that it keys


async def migrate(pool: Pool) -> list[str]:
    """Apply what is missing and return its names; processes that do so at the same time wait for each other."""
    async with connection_of(pool, at_most=MIGRATION_LIMIT) as conn:
        await conn.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        try:
            applied = [name for name, sql in await _missing(conn) if await _apply(conn, name, sql)]
            await conn.execute(statements("return_path_keys")["add_key_if_none"], os.urandom(RETURN_PATH_KEY_SIZE))
        finally:
            await conn.execute("SELECT pg_advisory_unlock($1)", MIGRATION_LOCK)
    return applied


def migrations() -> Iterator[tuple[str, str]]:
    """Every migration's name and SQL, oldest first."""
    folder = files("varsel.database").joinpath("migrations")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            yield file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")


async def _missing(conn: Connection) -> list[tuple[str, str]]:
    await conn.execute(statements("migrations")["create_migrations_table"])
    done = {row["name"] for row in await conn.fetch(statements("migrations")["applied_migrations"])}
    return [(name, sql) for name, sql in migrations() if name not in done]


async def _apply(conn: Connection, name: str, sql: str) -> bool:
    async with conn.transaction():
        # A migration that cannot get its lock at once must not queue up the traffic behind it.
        await conn.execute("SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '10min'")
        await conn.execute(sql, timeout=660)
        await conn.execute(statements("migrations")["add_migration"], name)
    log.info("migration applied", migration=name)
    return True
