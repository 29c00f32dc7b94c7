"""Migrations are applied in their order, once, however many processes start at the same time."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from varsel.database.connect import Pool, open_pool
from varsel.database.migrate import migrate, migrations

NAMES = [name for name, _ in migrations()]


@pytest.fixture
async def empty_dsn(superuser_dsn: str) -> AsyncIterator[str]:
    """A database in which nothing is yet."""
    name = f"empty_{uuid4().hex}"
    conn = await asyncpg.connect(superuser_dsn)
    await conn.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 STRATEGY FILE_COPY')
    yield urlunsplit(urlsplit(superuser_dsn)._replace(path=f"/{name}"))
    await conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await conn.close()


async def applied(pool: Pool) -> list[str]:
    return [row["name"] for row in await pool.fetch("SELECT name FROM schema_migrations ORDER BY applied_at, name")]


async def keys(pool: Pool) -> list[bytes]:
    return [row["secret"] for row in await pool.fetch("SELECT secret FROM return_path_keys")]


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [name.partition("_")[0] for name in NAMES]

    assert numbers == [f"{number:04}" for number in range(1, len(NAMES) + 1)]


async def test_processes_that_migrate_at_once_apply_everything_once(empty_dsn: str) -> None:
    pools = [await open_pool(empty_dsn, connections=2) for _ in range(3)]

    found = await asyncio.gather(*(migrate(pool) for pool in pools))

    assert sorted(found) == [[], [], NAMES]
    assert await applied(pools[0]) == NAMES
    assert [len(key) for key in await keys(pools[0])] == [32]
    for pool in pools:
        await pool.close()


async def test_a_second_run_changes_nothing(pool: Pool) -> None:
    before = (await applied(pool), await keys(pool))

    found = await migrate(pool)

    assert found == []
    assert (await applied(pool), await keys(pool)) == before


async def test_a_key_that_is_there_stays_the_only_one(pool: Pool) -> None:
    before = await keys(pool)

    await asyncio.gather(*(migrate(pool) for _ in range(3)))

    assert await keys(pool) == before
    assert len(before) == 1


async def test_a_migration_that_fails_leaves_nothing_behind(empty_dsn: str) -> None:
    pool = await open_pool(empty_dsn, connections=2)
    await pool.execute("CREATE TABLE notifications (in_the_way integer)")

    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(pool)

    assert await applied(pool) == []
    assert await pool.fetchval("SELECT to_regclass('orders') IS NULL")
    await pool.execute("DROP TABLE notifications")
    assert await migrate(pool) == NAMES  # and nobody is locked out
    await pool.close()
