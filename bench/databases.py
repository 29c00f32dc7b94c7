"""The PostgreSQL server of a run: durable as in production, with sizes for this machine, and copies of databases.

Each measurement gets a copy of a filled database, so that none sees what another one left behind.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from varsel.database.connect import open_pool
from varsel.database.embedded.supervisor import DATABASE, ROLE, EmbeddedPostgres
from varsel.database.migrate import migrate

CONNECTIONS = 200
MOST_BUFFERS = 2_000  # megabytes
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
STATEMENT_LIMIT = 3_600.0  # seconds; filling the largest database takes minutes


class Databases:
    """A server of our own; used from the main thread, outside any event loop."""

    def __init__(self, folder: Path) -> None:
        binaries = os.environ.get("VARSEL_PG_BIN")
        self._folder = folder
        self.sizes = _sizes()
        self._server = EmbeddedPostgres(
            folder, binaries=Path(binaries) if binaries else None, max_connections=CONNECTIONS, sizes=self.sizes
        )

    def start(self) -> None:
        """Start it; it answers when this returns."""
        self._server.start()

    def stop(self) -> None:
        """End it; what it held is of no more use."""
        self._server.stop()

    @property
    def pid(self) -> int:
        """Of its first process."""
        [file] = self._folder.glob("postgres/data-*/postmaster.pid")
        return int(file.read_text().splitlines()[0])

    @property
    def version(self) -> str:
        """As the server says it."""
        return str(self.fetch(DATABASE, "SHOW server_version")[0][0])

    @property
    def durability(self) -> str:
        """What a commit waits for, as the server says it."""
        return ", ".join(f"{name} {self.fetch(DATABASE, f'SHOW {name}')[0][0]}" for name in DURABLE)

    def dsn(self, name: str) -> str:
        """The product's way to a database."""
        return self._server.dsn.replace(f"@/{DATABASE}?", f"@/{name}?")

    def environment(self, name: str) -> Mapping[str, str]:
        """The way to a database for programs that use libpq."""
        host = parse_qs(urlsplit(self._server.dsn).query)["host"][0]
        return {"PGHOST": host, "PGPORT": "5432", "PGUSER": ROLE, "PGDATABASE": name}

    def create(self, name: str) -> None:
        """Make a database with the product's schema."""
        self._as_superuser(f"CREATE DATABASE {name} OWNER {ROLE}")
        asyncio.run(_migrate(self.dsn(name)))

    @contextmanager
    def copy_of(self, template: str) -> Iterator[str]:
        """A copy of a database that nobody is connected to, for as long as the block."""
        name = f"{template}_copy"
        self._as_superuser(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {ROLE} STRATEGY file_copy")
        try:
            self.warm_up(name)
            yield name
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        """Delete a database, whoever is connected to it."""
        self._as_superuser(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self._as_superuser("CHECKPOINT")  # else the next measurement pays for writing what is left

    def warm_up(self, name: str) -> None:
        """Read everything once: a service that has run for a day has its database in memory."""
        dsn = self._server.superuser_dsn.replace("@/postgres?", f"@/{name}?")
        asyncio.run(_execute(dsn, "CREATE EXTENSION IF NOT EXISTS pg_prewarm"))
        tables = "'orders'::regclass, 'notifications'::regclass, 'send_status_history'::regclass"
        relations = f"SELECT unnest(array[{tables}]) UNION SELECT indexrelid FROM pg_index WHERE indrelid IN ({tables})"
        asyncio.run(_fetch(dsn, f"SELECT pg_prewarm(r.oid::regclass) FROM ({relations}) AS r (oid)"))

    def execute(self, name: str, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        for statement in statements:
            asyncio.run(_execute(self.dsn(name), statement))

    def fetch(self, name: str, statement: str, *values: object) -> list[Any]:
        """The rows of a query."""
        return asyncio.run(_fetch(self.dsn(name), statement, *values))

    def _as_superuser(self, statement: str) -> None:
        asyncio.run(_execute(self._server.superuser_dsn, statement))


def _sizes() -> Mapping[str, str]:
    """A quarter of the memory, as PostgreSQL's own manual advises, and checkpoints far apart."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1_000_000  # megabytes
    return {
        "shared_buffers": f"{min(memory // 4, MOST_BUFFERS)}MB",
        "effective_cache_size": f"{memory // 2}MB",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
    }


async def _migrate(dsn: str) -> None:
    pool = await open_pool(dsn, connections=2)
    try:
        await migrate(pool)
    finally:
        await pool.close()


async def _execute(dsn: str, statement: str) -> None:
    conn = await asyncpg.connect(dsn, command_timeout=STATEMENT_LIMIT)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


async def _fetch(dsn: str, statement: str, *values: object) -> list[Any]:
    conn = await asyncpg.connect(dsn, command_timeout=STATEMENT_LIMIT)
    try:
        return list(await conn.fetch(statement, *values))
    finally:
        await conn.close()
