"""How PostgreSQL would go about each statement in a database that has filled up: by an index, never through a table."""

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.database.test_statements import SUBJECTS
from varsel.database.connect import Pool
from varsel.database.statements import statements

# Each with many rows in a service that has run for a while; `workers` and the like have a handful.
LARGE = ("orders", "notifications", "send_status_history", "delivery_reports", "suppressed_addresses", "contacts")
# What reads a whole table on purpose, for an operator or once an hour.
READS_ALL = (
    "suppressed_addresses",
    "forget_suppressions",
    "unmatched_reports",
    "all_entries",
    "change_contacts",
    "add_contacts",
    "remove_other_contacts",
)
NOT_PLANNED = ("create_incoming_contacts", "lock_contacts")

FILL = """
INSERT INTO orders (id, owner, senders_reference, requested_send_time, status, channel, recipients)
SELECT md5('order' || n)::uuid, 'owner' || n % 20, 'reference' || n, now(), 'Processed', 'Email', '[]'
  FROM generate_series(1, 4000) AS n;
INSERT INTO notifications (order_id, owner, id, recipient_address, send_status, attempt, expires_at, next_attempt_at)
SELECT md5('order' || n % 4000 + 1)::uuid, 'owner' || n % 20, md5('notification' || n)::uuid, n || '@sandbox.test',
       CASE WHEN n % 1000 = 0 THEN 'New' ELSE 'Delivered' END::send_status, 1, now() + interval '1 day',
       CASE WHEN n % 1000 = 0 THEN now() END
  FROM generate_series(1, 20000) AS n;
INSERT INTO send_status_history (order_id, notification_id, changed_at, send_status, attempt)
SELECT order_id, id, now(), send_status, 1 FROM notifications;
INSERT INTO delivery_reports (order_id, notification_id, signed_for, digest, content, recorded_at, next_match_at)
SELECT order_id, id, id, decode(md5(id::text), 'hex'), 'report', now(), NULL FROM notifications;
INSERT INTO suppressed_addresses (owner, address, reason)
SELECT owner, recipient_address, 'operator' FROM notifications;
INSERT INTO contacts (identity, name, email_addresses)
SELECT 10000000000 + n, 'Kari', ARRAY[n || '@sandbox.test']
  FROM generate_series(1, 20000) AS n;
"""


@pytest.fixture(scope="module")
async def full_database(migrated_dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    conn = await asyncpg.connect(migrated_dsn)
    filling = conn.transaction()
    await filling.start()
    await conn.execute(FILL)
    await conn.execute(statements("contacts")["create_incoming_contacts"])
    await conn.execute(f"ANALYZE {', '.join(LARGE)}")
    yield conn
    await filling.rollback()
    await conn.execute(f"ANALYZE {', '.join(LARGE)}")  # for the number of rows is not rolled back
    await conn.close()


async def plan_of(conn: "asyncpg.Connection[asyncpg.Record]", sql: str) -> str:
    """As the service plans it: once, for all values."""
    values = ", ".join("NULL" for _ in set(re.findall(r"\$\d+", sql)))
    await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    await conn.execute(f"PREPARE planned AS {sql}")
    try:
        rows = await conn.fetch(f"EXPLAIN EXECUTE planned ({values})" if values else "EXPLAIN EXECUTE planned")
    finally:
        await conn.execute("DEALLOCATE planned")
    return "\n".join(row[0] for row in rows)


def tables_read_through(plan: str) -> set[str]:
    return set(re.findall(r"Seq Scan on (\w+)", plan)) & set(LARGE)


@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if subject != "migrations"])
async def test_no_statement_reads_through_a_large_table(
    full_database: "asyncpg.Connection[asyncpg.Record]", subject: str
) -> None:
    plans = {
        name: await plan_of(full_database, sql)
        for name, sql in statements(subject).items()
        if name not in READS_ALL + NOT_PLANNED
    }

    assert {name: plan for name, plan in plans.items() if tables_read_through(plan)} == {}


async def test_the_plans_are_read_rightly(full_database: "asyncpg.Connection[asyncpg.Record]") -> None:
    through = await plan_of(full_database, "SELECT id FROM notifications WHERE status_detail = $1;")
    by_index = await plan_of(full_database, "SELECT id FROM notifications WHERE id = $1;")

    assert tables_read_through(through) == {"notifications"}
    assert tables_read_through(by_index) == set()


async def test_connections_of_the_pool_plan_once_for_all_values(pool: Pool) -> None:
    assert await pool.fetchval("SHOW plan_cache_mode") == "force_generic_plan"
