"""Who lives keeps its claims; who is gone loses them after the grace, and never before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from tests.factories import placed_notification, send_status_of
from varsel.database.connect import Pool
from varsel.notifications.liveness import GRACE, WORKER_LOCK, Worker, find_missing_workers
from varsel.notifications.send_status import SendStatus, claim_notifications

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure


async def workers(pool: Pool) -> list[int]:
    return [row["id"] for row in await pool.fetch("SELECT id FROM workers ORDER BY id")]


async def number_of(worker: Worker) -> int:
    await worker.prove_alive()
    assert worker.number is not None
    return worker.number


async def claim_one(pool: Pool, worker: Worker) -> None:
    await placed_notification(pool)
    assert len(await claim_notifications(pool, await number_of(worker), 1)) == 1


async def status(pool: Pool) -> SendStatus:
    return await send_status_of(pool, await pool.fetchval("SELECT id FROM notifications"))


async def missed_for(pool: Pool, duration: timedelta) -> None:
    """As if the lock had first been seen missing so long ago."""
    await find_missing_workers(pool)
    await pool.execute(
        "UPDATE workers SET missing_since = now() - $1::interval WHERE missing_since IS NOT NULL", duration
    )


HOLDER = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = $1 AND objid::bigint = $2"
    "   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def cut(pool: Pool, number: int) -> None:
    """End the connection on which the worker holds its lock, as a restart of the database does."""
    holder = await pool.fetchval(HOLDER, WORKER_LOCK, number)
    assert await pool.fetchval("SELECT pg_terminate_backend($1, 5000)", holder)


async def die(pool: Pool, worker: Worker) -> None:
    """Vanish, and wait for the server to notice."""
    number = await number_of(worker)
    await worker.let_go()
    async with asyncio.timeout(LIMIT):
        while await pool.fetchval(HOLDER, WORKER_LOCK, number):
            pass


@pytest.fixture
async def another(dsn: str) -> AsyncIterator[Worker]:
    worker = Worker(dsn)
    await worker.prove_alive()
    yield worker
    await worker.let_go()


async def test_a_dead_workers_claim_is_in_doubt_after_the_grace(pool: Pool, worker: Worker) -> None:
    await claim_one(pool, worker)
    await die(pool, worker)
    await missed_for(pool, GRACE)

    await find_missing_workers(pool)

    assert await status(pool) is SendStatus.SENDING
    assert await pool.fetchval("SELECT in_doubt_since IS NOT NULL AND attempt = 1 FROM notifications")


async def test_a_dead_workers_claim_is_kept_during_the_grace(pool: Pool, worker: Worker) -> None:
    await claim_one(pool, worker)
    await die(pool, worker)
    await missed_for(pool, GRACE / 2)

    await find_missing_workers(pool)

    assert not await pool.fetchval("SELECT in_doubt_since IS NOT NULL FROM notifications")


async def test_a_living_workers_claim_is_kept(pool: Pool, worker: Worker) -> None:
    await claim_one(pool, worker)
    await missed_for(pool, GRACE * 2)

    await find_missing_workers(pool)

    assert not await pool.fetchval("SELECT in_doubt_since IS NOT NULL FROM notifications")
    assert await workers(pool) == [worker.number]


async def test_a_lock_that_is_back_within_the_grace_is_forgiven(pool: Pool, worker: Worker) -> None:
    await claim_one(pool, worker)
    await die(pool, worker)
    await missed_for(pool, GRACE / 2)
    await worker.prove_alive()

    await find_missing_workers(pool)

    assert not await pool.fetchval("SELECT in_doubt_since IS NOT NULL FROM notifications")
    assert await pool.fetchval("SELECT missing_since IS NULL FROM workers")


async def test_a_dead_worker_without_claims_is_forgotten(pool: Pool, worker: Worker, another: Worker) -> None:
    await die(pool, worker)
    await missed_for(pool, GRACE)

    await find_missing_workers(pool)

    assert await workers(pool) == [another.number]


async def test_each_worker_has_a_number_of_its_own(worker: Worker, another: Worker) -> None:
    assert await number_of(worker) != await number_of(another)


async def test_a_worker_keeps_its_number_however_often_it_proves_that_it_lives(pool: Pool, worker: Worker) -> None:
    before = await number_of(worker)

    for _ in range(3):
        await worker.prove_alive()

    assert worker.number == before
    assert await workers(pool) == [before]


async def test_a_worker_whose_connection_was_cut_takes_its_lock_back(pool: Pool, worker: Worker) -> None:
    before = await number_of(worker)
    await cut(pool, before)

    await worker.prove_alive()  # finds out
    await worker.prove_alive()

    assert worker.number == before
    assert await workers(pool) == [before]
    await cut(pool, before)  # that is: the lock is held again


async def test_a_worker_that_cannot_prove_that_it_lives_has_no_number(pool: Pool, worker: Worker) -> None:
    await claim_one(pool, worker)
    await cut(pool, await number_of(worker))

    await worker.let_go()

    assert worker.number is None


async def test_a_worker_that_was_forgotten_registers_anew(pool: Pool, worker: Worker) -> None:
    before = await number_of(worker)
    await pool.execute("DELETE FROM workers")

    await worker.prove_alive()

    assert worker.number != before
    assert await workers(pool) == [worker.number]


async def test_a_worker_that_was_given_up_claims_nothing_under_its_old_number(pool: Pool, worker: Worker) -> None:
    before = await number_of(worker)
    await die(pool, worker)
    await missed_for(pool, GRACE)
    await find_missing_workers(pool)
    await placed_notification(pool)

    assert await claim_notifications(pool, before, 1) == []


async def test_a_lock_that_the_server_has_not_freed_yet_is_waited_for(pool: Pool, dsn: str, worker: Worker) -> None:
    before = await number_of(worker)
    await cut(pool, before)
    old = await asyncpg.connect(dsn)  # stands for our last connection, of whose end the server does not know
    await old.execute("SELECT pg_advisory_lock($1, $2)", WORKER_LOCK, before)
    await worker.prove_alive()
    await worker.prove_alive()
    meanwhile = worker.number
    await old.execute("SELECT pg_advisory_unlock($1, $2)", WORKER_LOCK, before)

    await worker.prove_alive()

    await old.close()
    assert (meanwhile, worker.number) == (None, before)


async def test_who_leaves_for_good_leaves_no_row(pool: Pool, worker: Worker, another: Worker) -> None:
    await worker.unregister(pool)

    assert await workers(pool) == [another.number]
    assert worker.number is None


async def test_who_leaves_claims_behind_leaves_the_row_too(pool: Pool, worker: Worker) -> None:
    await claim_one(pool, worker)
    before = await number_of(worker)

    await worker.unregister(pool)

    assert await workers(pool) == [before]
    assert worker.number is None


async def test_a_worker_that_lost_its_lock_can_still_leave(pool: Pool, worker: Worker) -> None:
    await cut(pool, await number_of(worker))
    await worker.prove_alive()

    await worker.unregister(pool)

    assert await workers(pool) == []


async def test_a_worker_without_a_database_does_not_fail(dsn: str) -> None:
    worker = Worker(dsn.rpartition("/")[0] + "/no_such_database")

    await worker.prove_alive()

    assert worker.number is None
