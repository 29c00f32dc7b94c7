"""Reports that come at the same time: they share a commit, and none is any other's trouble."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from uuid import UUID, uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from tests.delivery_reports.samples import new_complaint, new_dsn, recipient_fields
from tests.delivery_reports.test_record import BOUNCED, CHANGES, DELIVERED, report_of, stored
from tests.factories import notification_in, send_status_of
from varsel.database.connect import Pool, open_pool
from varsel.delivery_reports.dsn import Action
from varsel.delivery_reports.record import READ_ELSEWHERE, ReportRules
from varsel.delivery_reports.take import Taking
from varsel.notifications.results import Recorder
from varsel.notifications.send_status import Claim, SendStatus, Success

S = SendStatus
LIMIT = 20.0  # seconds; a bound for a machine under load, not a measure
POISON = new_dsn(recipient_fields(diagnostic="smtp; 550 5.1.1 poison"))


@pytest.fixture
def taking(pool: Pool, report_rules: ReportRules) -> Taking:
    return Taking(pool, report_rules)


async def mails(pool: Pool, number: int, status: SendStatus = S.SUCCEEDED) -> list[UUID]:
    """So many notifications that stand at this status, the first one's id the lowest."""
    return sorted([(await notification_in(pool, status))[1] for _ in range(number)])


async def take_together(taking: Taking, *reports: tuple[UUID, bytes]) -> list[BaseException | None]:
    """Bring the reports at one moment; what each one raised."""
    async with asyncio.timeout(LIMIT):
        return await asyncio.gather(*(taking.take(*report) for report in reports), return_exceptions=True)


async def commits(pool: Pool) -> int:
    """How many transactions the stored reports are from."""
    count: int = await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM delivery_reports")
    return count


async def history_of(pool: Pool, notification_id: UUID) -> list[SendStatus]:
    """What the reports did to it."""
    query = "SELECT send_status FROM send_status_history WHERE notification_id = $1 AND report_id IS NOT NULL"
    return [SendStatus(row["send_status"]) for row in await pool.fetch(f"{query} ORDER BY changed_at", notification_id)]


async def test_reports_that_come_together_share_a_commit_and_each_has_its_effect(pool: Pool, taking: Taking) -> None:
    delivered, bounced, delayed = await mails(pool, 3)

    await take_together(taking, (delivered, DELIVERED), (bounced, BOUNCED), (delayed, report_of(Action.DELAYED)))

    assert await commits(pool) == 1
    found = [await send_status_of(pool, each) for each in (delivered, bounced, delayed)]
    assert found == [S.DELIVERED, S.FAILED_BOUNCED, S.SUCCEEDED]
    rows = await pool.fetch("SELECT notification_id, matched_by, outcome, recorded_at, digest FROM delivery_reports")
    assert {(row["notification_id"], row["matched_by"], row["outcome"]) for row in rows} == {
        (delivered, "return path", "Delivered"),
        (bounced, "return path", "Failed_Bounced"),
        (delayed, "return path", "none"),
    }
    assert all(row["recorded_at"] for row in rows)
    assert await pool.fetchval("SELECT notification_id FROM suppressed_addresses") == bounced


async def test_together_too_a_report_changes_exactly_the_statuses_that_it_may(pool: Pool, taking: Taking) -> None:
    cases = [((await notification_in(pool, before))[1], before, action) for before in SendStatus for action in Action]

    await take_together(taking, *((mail, report_of(action)) for mail, _, action in cases))

    assert [
        (before, action, found)
        for mail, before, action in cases
        if (found := await send_status_of(pool, mail)) is not CHANGES[action].get(before, before)
    ] == []
    assert await commits(pool) < len(cases) / 10


@pytest.mark.parametrize(
    ("reports", "steps"),
    [([DELIVERED, BOUNCED], [S.DELIVERED, S.FAILED_BOUNCED]), ([BOUNCED, DELIVERED], [S.FAILED_BOUNCED])],
    ids=["bounce last", "bounce first"],
)
async def test_two_reports_on_one_mail_that_come_together_count_in_their_order(
    pool: Pool, taking: Taking, reports: Sequence[bytes], steps: list[SendStatus]
) -> None:
    another, mail = await mails(pool, 2)

    await take_together(taking, *((mail, content) for content in reports), (another, DELIVERED))

    assert await history_of(pool, mail) == steps
    assert await history_of(pool, another) == [S.DELIVERED]
    assert await pool.fetchval("SELECT count(recorded_at) FROM delivery_reports") == 3


async def test_a_repeat_that_comes_together_with_the_first_changes_nothing(pool: Pool, taking: Taking) -> None:
    [mail] = await mails(pool, 1)

    raised = await take_together(taking, *[(mail, DELIVERED)] * 3)

    assert raised == [None] * 3
    assert (await stored(pool))["recorded_at"] is not None
    assert await history_of(pool, mail) == [S.DELIVERED]


@asynccontextmanager
async def no_poison_can_be_recorded(pool: Pool) -> AsyncIterator[None]:
    await pool.execute("ALTER TABLE notifications ADD CONSTRAINT no_poison CHECK (status_detail NOT LIKE '%poison')")
    try:
        yield
    finally:
        await pool.execute("ALTER TABLE notifications DROP CONSTRAINT no_poison")


async def test_a_report_that_cannot_be_recorded_is_kept_and_costs_the_others_nothing(
    pool: Pool, taking: Taking
) -> None:
    delivered, poisoned, bounced = await mails(pool, 3)

    async with no_poison_can_be_recorded(pool):
        with capture_logs():
            raised = await take_together(taking, (delivered, DELIVERED), (poisoned, POISON), (bounced, BOUNCED))

    assert [type(error) for error in raised] == [type(None), asyncpg.CheckViolationError, type(None)]
    found = [await send_status_of(pool, each) for each in (delivered, poisoned, bounced)]
    assert found == [S.DELIVERED, S.SUCCEEDED, S.FAILED_BOUNCED]
    kept = await pool.fetch("SELECT signed_for, content FROM delivery_reports WHERE recorded_at IS NULL")
    assert [tuple(row) for row in kept] == [(poisoned, POISON)]


async def test_what_could_not_be_recorded_counts_when_it_comes_again(pool: Pool, taking: Taking) -> None:
    [mail] = await mails(pool, 1)
    async with no_poison_can_be_recorded(pool):
        with capture_logs():
            await take_together(taking, (mail, POISON))

    await take_together(taking, (mail, POISON))

    assert await send_status_of(pool, mail) is S.FAILED_BOUNCED
    assert (await stored(pool))["recorded_at"] is not None


async def test_a_report_about_an_unknown_mail_is_kept_beside_those_that_are_recorded(
    pool: Pool, taking: Taking
) -> None:
    [mail] = await mails(pool, 1)
    unknown = uuid4()

    raised = await take_together(taking, (unknown, BOUNCED), (mail, DELIVERED))

    assert raised == [None] * 2
    assert await send_status_of(pool, mail) is S.DELIVERED
    assert await pool.fetchval("SELECT signed_for FROM delivery_reports WHERE recorded_at IS NULL") == unknown


async def test_complaints_and_large_reports_count_beside_the_others(pool: Pool, taking: Taking) -> None:
    delivered, complained_of, bounced = await mails(pool, 3)
    large = BOUNCED + b"\r\n" * READ_ELSEWHERE

    await take_together(taking, (delivered, DELIVERED), (complained_of, new_complaint()), (bounced, large))

    found = [await send_status_of(pool, each) for each in (delivered, complained_of, bounced)]
    assert found == [S.DELIVERED, S.SUCCEEDED, S.FAILED_BOUNCED]
    assert await pool.fetchval("SELECT count(recorded_at) FROM delivery_reports") == 3
    assert await pool.fetchval("SELECT reason FROM suppressed_addresses") == "complaint"


@asynccontextmanager
async def held_until_both_wait(pool: Pool, dsn: str, mail: UUID) -> AsyncIterator[None]:
    """Holds one mail's row until two others have taken what they could and wait."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    conn = await asyncpg.connect(dsn)
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("SELECT FROM notifications WHERE id = $1 FOR UPDATE", mail)
    yield
    async with asyncio.timeout(LIMIT):
        while await pool.fetchval(waiting) < 2:
            pass
    await transaction.rollback()
    await conn.close()


async def test_batches_over_the_same_mails_in_opposite_order_do_not_deadlock(
    pool: Pool, dsn: str, report_rules: ReportRules
) -> None:
    both = await mails(pool, 60)
    reports = [(mail, [DELIVERED, BOUNCED][number % 2]) for number, mail in enumerate(both)]
    opposite = [(mail, [BOUNCED, DELIVERED][number % 2]) for number, mail in enumerate(both)][::-1]

    async with held_until_both_wait(pool, dsn, both[30]):
        takings = asyncio.gather(
            take_together(Taking(pool, report_rules), *reports), take_together(Taking(pool, report_rules), *opposite)
        )

    assert set(chain(*await takings)) == {None}
    assert {await send_status_of(pool, mail) for mail in both} == {S.FAILED_BOUNCED}


async def test_reports_and_the_senders_results_on_the_same_mails_do_not_deadlock(
    dsn: str, report_rules: ReportRules, pool: Pool
) -> None:
    order_of = dict([(await notification_in(pool, S.SENDING))[::-1] for _ in range(60)])
    both = sorted(order_of)
    successes = [Success(Claim(order_of[mail], mail, "kari@etat.test", attempt=1), "250 Ok") for mail in both[::-1]]
    # A table of this size would be read from end to end; one that has grown is read by its index, row by row.
    senders_pool = await open_pool(f"{dsn}{'&' if '?' in dsn else '?'}enable_seqscan=off", connections=1)
    recorder = Recorder(senders_pool)

    with capture_logs() as logs:
        async with held_until_both_wait(pool, dsn, both[30]):
            recorded = asyncio.gather(*(recorder.record(1, success) for success in successes))
            reports = [(mail, DELIVERED) for mail in both]
            taken = asyncio.create_task(take_together(Taking(pool, report_rules), *reports))
        await recorded
    senders_pool.terminate()

    assert set(await taken) == {None}
    assert [line for line in logs if line["log_level"] != "info"] == []
    assert {await send_status_of(pool, mail) for mail in both} == {S.DELIVERED}
