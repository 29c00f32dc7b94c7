"""Results are recorded together, before the caller goes on, and whatever happens to the database meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.factories import notification_in, send_status_of
from varsel.database.connect import Pool, SingleConnection
from varsel.notifications import results
from varsel.notifications.results import Recorder
from varsel.notifications.send_status import Claim, Deferral, Rejection, SendStatus, Success

S = SendStatus
OURS, ANOTHER = 1, 2  # workers' numbers
LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure


@pytest.fixture
def recorder(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.setattr(results, "RETRY_PAUSE", 0.01)
    return Recorder(pool)


async def claim_by(pool: Pool, worker: int = OURS) -> Claim:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=worker)
    return Claim(order_id, notification_id, "kari@sandbox.test", 1)


@asynccontextmanager
async def held(dsn: str, notification_id: UUID) -> AsyncIterator[SingleConnection]:
    """Keeps everybody else from changing the notification; gives the connection that does."""
    conn = await asyncpg.connect(dsn)
    try:
        async with conn.transaction():
            await conn.execute("SELECT FROM notifications WHERE id = $1 FOR UPDATE", notification_id)
            yield conn
    finally:
        await conn.close()


async def waiting_backend(conn: SingleConnection) -> int:
    """The process that waits for a lock, once there is one."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(LIMIT):
        while (pid := await conn.fetchval(waiting)) is None:
            # Within a transaction the view stands still until it is told otherwise.
            await conn.execute("SELECT pg_stat_clear_snapshot()")
    return int(pid)


async def test_results_that_come_together_share_one_commit(pool: Pool, recorder: Recorder) -> None:
    claims = [await claim_by(pool) for _ in range(10)]

    await asyncio.gather(*(recorder.record(OURS, Success(claim, "250 OK")) for claim in claims))

    rows = await pool.fetch("SELECT changed_at FROM send_status_history WHERE send_status = 'Succeeded'")
    assert len(rows) == 10
    assert len({row["changed_at"] for row in rows}) == 1  # a transaction's now() is one moment


async def test_each_kind_of_result_gets_its_status(pool: Pool, recorder: Recorder) -> None:
    taken, put_off, refused = [await claim_by(pool) for _ in range(3)]

    await asyncio.gather(
        recorder.record(OURS, Success(taken, "250 OK")),
        recorder.record(OURS, Deferral(put_off, "451 later", timedelta(minutes=1))),
        recorder.record(OURS, Rejection(refused, "550 no", S.FAILED_BOUNCED, "text: no such recipient")),
    )

    found = [await send_status_of(pool, claim.notification_id) for claim in (taken, put_off, refused)]
    assert found == [S.SUCCEEDED, S.NEW, S.FAILED_BOUNCED]
    details = await pool.fetch("SELECT status_detail FROM notifications ORDER BY id")
    assert [row["status_detail"] for row in details] == ["250 OK", "451 later", "550 no"]


async def test_results_of_two_workers_each_count_under_their_own_claim(pool: Pool, recorder: Recorder) -> None:
    ours, anothers = await claim_by(pool), await claim_by(pool, ANOTHER)

    await asyncio.gather(
        recorder.record(OURS, Success(ours, "250 OK")),
        recorder.record(ANOTHER, Success(anothers, "250 OK")),
    )

    found = [await send_status_of(pool, claim.notification_id) for claim in (ours, anothers)]
    assert found == [S.SUCCEEDED, S.SUCCEEDED]


async def test_the_result_of_a_lost_claim_is_dropped_and_the_others_stay(pool: Pool, recorder: Recorder) -> None:
    ours, anothers = await claim_by(pool), await claim_by(pool, ANOTHER)

    await asyncio.gather(
        *(recorder.record(OURS, Deferral(claim, "451 later", timedelta(minutes=1))) for claim in (ours, anothers))
    )

    found = [await send_status_of(pool, claim.notification_id) for claim in (ours, anothers)]
    assert found == [S.NEW, S.SENDING]


async def test_a_caller_goes_on_only_after_the_commit(pool: Pool, dsn: str, recorder: Recorder) -> None:
    claim = await claim_by(pool)
    async with held(dsn, claim.notification_id) as conn:
        caller = asyncio.create_task(recorder.record(OURS, Success(claim, "250 OK")))

        await waiting_backend(conn)

        assert not caller.done()
    await asyncio.wait_for(caller, LIMIT)
    assert await send_status_of(pool, claim.notification_id) is S.SUCCEEDED


async def test_a_result_survives_that_its_connection_is_cut_again_and_again(
    pool: Pool, dsn: str, recorder: Recorder
) -> None:
    claim = await claim_by(pool)
    async with held(dsn, claim.notification_id) as conn:
        caller = asyncio.create_task(recorder.record(OURS, Success(claim, "250 OK")))

        for _ in range(3):
            pid = await waiting_backend(conn)
            await conn.execute("SELECT pg_terminate_backend($1, 5000)", pid)

    await asyncio.wait_for(caller, LIMIT)
    assert await send_status_of(pool, claim.notification_id) is S.SUCCEEDED


async def test_a_result_survives_that_every_idle_connection_was_cut(pool: Pool, dsn: str, recorder: Recorder) -> None:
    claim = await claim_by(pool)
    conn = await asyncpg.connect(dsn)
    await conn.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    await conn.close()

    await asyncio.wait_for(recorder.record(OURS, Success(claim, "250 OK")), LIMIT)

    assert await send_status_of(pool, claim.notification_id) is S.SUCCEEDED


async def test_what_a_caller_leaves_is_still_written(pool: Pool, dsn: str, recorder: Recorder) -> None:
    left, later = await claim_by(pool), await claim_by(pool)
    async with held(dsn, left.notification_id) as conn:
        caller = asyncio.create_task(recorder.record(OURS, Success(left, "250 OK")))
        await waiting_backend(conn)

        caller.cancel()

    await asyncio.wait_for(recorder.record(OURS, Success(later, "250 OK")), LIMIT)
    assert caller.cancelled()
    assert await send_status_of(pool, left.notification_id) is S.SUCCEEDED


async def test_words_that_cannot_be_stored_do_not_cost_the_others_their_result(pool: Pool, recorder: Recorder) -> None:
    fine, odd = await claim_by(pool), await claim_by(pool)

    with capture_logs():
        await asyncio.gather(
            recorder.record(OURS, Success(fine, "250 OK")),
            recorder.record(OURS, Success(odd, "250 takk fra p\udce5feltet")),  # an octet that is no UTF-8
            return_exceptions=True,
        )

    assert await send_status_of(pool, fine.notification_id) is S.SUCCEEDED
