"""Each transition, from every status: those that must do nothing too."""

import inspect
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.factories import notification_in, placed_notification, placed_order, send_status_of
from varsel.database.connect import Pool, connection_of
from varsel.database.statements import statements
from varsel.notifications import send_status
from varsel.notifications.liveness import Worker
from varsel.notifications.send_status import (
    Bounce,
    Claim,
    Deferral,
    Doubt,
    Evidence,
    Rejection,
    SendStatus,
    Success,
    claim_notifications,
    expect_no_report,
    expire_unsent,
    fail_in_doubt,
    fail_unreported,
    mark_bounced,
    mark_deferred,
    mark_delivered,
    mark_in_doubt,
    mark_lost_in_doubt,
    mark_rejected,
    mark_succeeded,
    release_unheard,
    resend_in_doubt,
)

OURS, ANOTHER = 1, 2  # workers' numbers
S = SendStatus


def claim_of(order_id: UUID, notification_id: UUID, attempt: int = 1) -> Claim:
    return Claim(order_id, notification_id, "kari@sandbox.test", attempt)


def evidence_about(order_id: UUID, notification_id: UUID, detail: str) -> Evidence:
    return Evidence(order_id, notification_id, 4711, "action: failed", detail)


def bounce_of(order_id: UUID, notification_id: UUID, detail: str) -> Bounce:
    return Bounce(order_id, notification_id, 4711, "action: failed", detail, S.FAILED_BOUNCED)


async def succeed(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_succeeded(conn, [Success(claim_of(order_id, notification_id), "250 OK", relay="relay.test:25")])


async def succeed_where_silence_is_failure(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        success = Success(claim_of(order_id, notification_id), "250 OK", reports_successes=True)
        await mark_succeeded(conn, [success])


async def defer(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_deferred(conn, OURS, [Deferral(claim_of(order_id, notification_id), "451 later", timedelta(0))])


async def reject(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    rejection = Rejection(claim_of(order_id, notification_id), "550 no", S.FAILED_BOUNCED, "text: no such recipient")
    async with connection_of(pool) as conn:
        await mark_rejected(conn, OURS, [rejection])


async def doubt(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_in_doubt(conn, OURS, [Doubt(claim_of(order_id, notification_id), "no answer")])


async def deliver(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_delivered(conn, [evidence_about(order_id, notification_id, "250 delivered")])


async def bounce(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_bounced(conn, [bounce_of(order_id, notification_id, "550 no such user")])


async def lose(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    await mark_lost_in_doubt(pool, timedelta(0), 10)


async def resend(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    await lose(pool, order_id, notification_id)
    await resend_in_doubt(pool, timedelta(0), 10)


async def give_up(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    await lose(pool, order_id, notification_id)
    await fail_in_doubt(pool, timedelta(0), 10)


async def expire(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    await pool.execute("UPDATE notifications SET expires_at = now()")
    await expire_unsent(pool, 10)


async def wait_in_vain(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    await pool.execute("UPDATE notifications SET report_due_at = now()")
    await fail_unreported(pool, 10)


TRANSITIONS: dict[Callable[[Pool, UUID, UUID], Awaitable[None]], dict[SendStatus, SendStatus]] = {
    succeed: dict.fromkeys((S.NEW, S.SENDING), S.SUCCEEDED),
    defer: {S.SENDING: S.NEW},
    reject: {S.SENDING: S.FAILED_BOUNCED},
    doubt: {},
    deliver: dict.fromkeys((S.NEW, S.SENDING, S.SUCCEEDED), S.DELIVERED),
    bounce: dict.fromkeys((S.NEW, S.SENDING, S.SUCCEEDED, S.DELIVERED), S.FAILED_BOUNCED),
    lose: {},
    resend: {S.SENDING: S.NEW},
    give_up: {S.SENDING: S.FAILED},
    expire: {S.NEW: S.FAILED},
    wait_in_vain: {S.SUCCEEDED: S.FAILED_TTL},
}


@pytest.mark.parametrize("before", list(SendStatus))
@pytest.mark.parametrize("change", list(TRANSITIONS), ids=lambda change: change.__name__)
async def test_a_change_leaves_exactly_the_statuses_that_it_names(
    pool: Pool, change: Callable[[Pool, UUID, UUID], Awaitable[None]], before: SendStatus
) -> None:
    order_id, notification_id = await notification_in(pool, before, worker=OURS)

    await change(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is TRANSITIONS[change].get(before, before)


@pytest.mark.parametrize("before", list(SendStatus))
async def test_only_what_is_new_is_claimed(pool: Pool, worker: Worker, before: SendStatus) -> None:
    _, notification_id = await notification_in(pool, before)
    assert worker.number is not None

    claims = await claim_notifications(pool, worker.number, 10)

    assert [claim.notification_id for claim in claims] == ([notification_id] if before is S.NEW else [])


@pytest.mark.parametrize("change", [defer, reject, doubt], ids=lambda change: change.__name__)
async def test_a_worker_that_lost_its_claim_cannot_record_a_result(
    pool: Pool, change: Callable[[Pool, UUID, UUID], Awaitable[None]]
) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=ANOTHER)

    await change(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.SENDING
    assert await pool.fetchval("SELECT in_doubt_since IS NULL FROM notifications")


@pytest.mark.parametrize("change", [defer, reject, doubt], ids=lambda change: change.__name__)
async def test_the_result_of_an_earlier_attempt_does_not_end_a_later_one(
    pool: Pool, change: Callable[[Pool, UUID, UUID], Awaitable[None]]
) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS, attempt=2)

    await change(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.SENDING


async def test_a_notification_is_claimed_by_one_worker_only(pool: Pool, worker: Worker) -> None:
    await placed_order(pool)
    assert worker.number is not None

    first = await claim_notifications(pool, worker.number, 10)
    second = await claim_notifications(pool, worker.number, 10)

    assert (len(first), len(second)) == (1, 0)


async def test_a_worker_that_is_not_registered_claims_nothing(pool: Pool) -> None:
    await placed_order(pool)

    assert await claim_notifications(pool, 4711, 10) == []


async def test_what_is_due_longest_is_claimed_first(pool: Pool, worker: Worker) -> None:
    _, later = await placed_notification(pool)
    _, earlier = await placed_notification(pool)
    await pool.execute("UPDATE notifications SET next_attempt_at = now() - interval '1 hour' WHERE id = $1", earlier)
    assert worker.number is not None

    claims = await claim_notifications(pool, worker.number, 1)

    assert [claim.notification_id for claim in claims] == [earlier] != [later]


async def test_a_claim_counts_the_attempt(pool: Pool, worker: Worker) -> None:
    await notification_in(pool, S.NEW, attempt=3)
    assert worker.number is not None

    [claim] = await claim_notifications(pool, worker.number, 10)

    assert claim.attempt == 4


async def test_what_has_expired_is_not_claimed(pool: Pool, worker: Worker) -> None:
    await placed_order(pool)
    await pool.execute("UPDATE notifications SET expires_at = now()")
    assert worker.number is not None

    assert await claim_notifications(pool, worker.number, 10) == []


async def test_a_deferral_does_not_reach_beyond_the_expiry(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    deferral = Deferral(claim_of(order_id, notification_id), "451 later", timedelta(days=30))

    async with connection_of(pool) as conn:
        await mark_deferred(conn, OURS, [deferral])

    assert await pool.fetchval("SELECT next_attempt_at = expires_at FROM notifications")


async def test_what_expires_unsent_keeps_the_last_reply(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await defer(pool, order_id, notification_id)

    await expire(pool, order_id, notification_id)

    assert await pool.fetchval("SELECT status_detail FROM notifications") == "451 later"


@pytest.mark.parametrize("change", [deliver, bounce], ids=lambda change: change.__name__)
async def test_a_report_about_what_was_never_attempted_changes_nothing(
    pool: Pool, change: Callable[[Pool, UUID, UUID], Awaitable[None]]
) -> None:
    order_id, notification_id = await placed_notification(pool)

    await change(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.NEW


async def test_a_failure_report_after_the_expiry_changes_nothing(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.DELIVERED)
    await pool.execute("UPDATE notifications SET expires_at = now()")

    await bounce(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.DELIVERED


async def test_a_result_that_comes_after_a_report_is_ignored(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await deliver(pool, order_id, notification_id)

    await succeed(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.DELIVERED


@pytest.mark.parametrize("worker_number", [OURS, ANOTHER])
async def test_a_250_counts_whoever_holds_the_claim_by_now(pool: Pool, worker_number: int) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=worker_number, attempt=2)

    await succeed(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.SUCCEEDED


async def test_a_250_of_an_attempt_that_is_not_in_the_database_counts_for_nothing(pool: Pool) -> None:
    order_id, notification_id = await placed_notification(pool)

    await succeed(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.NEW


async def test_what_was_sent_again_in_doubt_is_not_sent_a_third_time_when_the_first_250_comes(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await resend(pool, order_id, notification_id)

    await succeed(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.SUCCEEDED


@pytest.mark.parametrize("end", [give_up, reject, expire], ids=lambda end: end.__name__)
@pytest.mark.parametrize(
    ("evidence", "status"),
    [(succeed, S.SUCCEEDED), (deliver, S.DELIVERED), (bounce, S.FAILED_BOUNCED)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_evidence_about_what_was_in_doubt_overrules_the_end_that_we_gave_it(
    pool: Pool,
    end: Callable[[Pool, UUID, UUID], Awaitable[None]],
    evidence: Callable[[Pool, UUID, UUID], Awaitable[None]],
    status: SendStatus,
) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await doubt(pool, order_id, notification_id)
    if end is expire:
        await resend_in_doubt(pool, timedelta(0), 10)
    await end(pool, order_id, notification_id)
    assert (await send_status_of(pool, notification_id)).startswith("Failed")

    await evidence(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is status


@pytest.mark.parametrize("evidence", [succeed, deliver], ids=lambda change: change.__name__)
async def test_a_failure_without_doubt_is_not_overruled(
    pool: Pool, evidence: Callable[[Pool, UUID, UUID], Awaitable[None]]
) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await reject(pool, order_id, notification_id)

    await evidence(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED


async def test_the_claim_of_a_worker_that_lives_is_in_no_doubt(pool: Pool, worker: Worker) -> None:
    await placed_order(pool)
    assert worker.number is not None
    await claim_notifications(pool, worker.number, 1)

    assert await mark_lost_in_doubt(pool, timedelta(0), 10) == 0


async def test_a_claim_whose_lease_ran_out_is_in_doubt_and_then_sent_again(pool: Pool, worker: Worker) -> None:
    _, notification_id = await placed_notification(pool)
    assert worker.number is not None
    await claim_notifications(pool, worker.number, 1)
    await pool.execute("UPDATE notifications SET claimed_until = now() - interval '1 second'")

    assert await mark_lost_in_doubt(pool, timedelta(0), 10) == 1
    assert await send_status_of(pool, notification_id) is S.SENDING
    assert await resend_in_doubt(pool, timedelta(0), 10) == 1
    assert await send_status_of(pool, notification_id) is S.NEW


async def test_what_is_in_doubt_waits_for_evidence_first(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await doubt(pool, order_id, notification_id)

    assert await resend_in_doubt(pool, timedelta(seconds=60), 10) == 0
    assert await fail_in_doubt(pool, timedelta(seconds=60), 10) == 0
    assert await send_status_of(pool, notification_id) is S.SENDING


async def test_the_mail_of_a_worker_that_is_back_is_not_sent_again_while_it_may_be_in_flight(
    pool: Pool, worker: Worker
) -> None:
    await placed_order(pool)
    assert worker.number is not None
    await claim_notifications(pool, worker.number, 1)
    await pool.execute("UPDATE workers SET missing_since = now() - interval '1 minute'")
    assert await mark_lost_in_doubt(pool, timedelta(seconds=3), 10) == 1
    await pool.execute("UPDATE workers SET missing_since = NULL")

    assert await resend_in_doubt(pool, timedelta(0), 10) == 0
    assert await fail_in_doubt(pool, timedelta(0), 10) == 0


async def test_a_worker_that_is_missing_claims_nothing(pool: Pool, worker: Worker) -> None:
    await placed_order(pool)
    await pool.execute("UPDATE workers SET missing_since = now()")
    assert worker.number is not None

    assert await claim_notifications(pool, worker.number, 10) == []


async def test_only_claims_of_ours_that_are_not_in_hand_are_put_back(pool: Pool) -> None:
    _, in_hand = await notification_in(pool, S.SENDING, worker=OURS)
    _, unheard = await notification_in(pool, S.SENDING, worker=OURS)
    _, anothers = await notification_in(pool, S.SENDING, worker=ANOTHER)
    doubtful = await notification_in(pool, S.SENDING, worker=OURS)
    await doubt(pool, *doubtful)

    assert await release_unheard(pool, OURS, [in_hand]) == 1

    found = [await send_status_of(pool, each) for each in (in_hand, unheard, anothers, doubtful[1])]
    assert found == [S.SENDING, S.NEW, S.SENDING, S.SENDING]


async def test_silence_is_no_failure_unless_the_relay_reports_successes(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await succeed(pool, order_id, notification_id)

    assert await pool.fetchval("SELECT report_due_at FROM notifications") is None


async def test_a_report_of_success_is_due_a_grace_after_the_expiry(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await succeed_where_silence_is_failure(pool, order_id, notification_id)

    assert await pool.fetchval("SELECT report_due_at - expires_at FROM notifications") == timedelta(seconds=300)
    assert await fail_unreported(pool, 10) == 0
    await pool.execute("UPDATE notifications SET report_due_at = now()")
    assert await fail_unreported(pool, 10) == 1
    assert await send_status_of(pool, notification_id) is S.FAILED_TTL


@pytest.mark.parametrize("comes_first", [True, False])
async def test_what_has_left_the_servers_that_report_is_not_waited_for(pool: Pool, comes_first: bool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    steps: list[Callable[[], Awaitable[None]]] = [
        lambda: succeed_where_silence_is_failure(pool, order_id, notification_id),
        lambda: relayed(pool, order_id, notification_id),
    ]

    for step in reversed(steps) if comes_first else steps:
        await step()

    await pool.execute("UPDATE notifications SET expires_at = now() - interval '1 day'")
    assert await fail_unreported(pool, 10) == 0
    assert await pool.fetchval("SELECT report_due_at = 'infinity' FROM notifications")


async def relayed(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await expect_no_report(conn, [evidence_about(order_id, notification_id, "250 relayed")])


async def test_every_step_after_the_creation_is_in_the_history(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await succeed(pool, order_id, notification_id)
    await bounce(pool, order_id, notification_id)

    columns = "send_status, status_detail, status_rule, relay, report_id, in_doubt"
    rows = await pool.fetch(f"SELECT {columns} FROM send_status_history ORDER BY changed_at")

    assert [tuple(row) for row in rows] == [
        ("Sending", None, None, None, None, False),
        ("Succeeded", "250 OK", None, "relay.test:25", None, False),
        ("Failed_Bounced", "550 no such user", "action: failed", "relay.test:25", 4711, False),
    ]


async def test_that_a_mail_is_in_doubt_is_a_step_of_its_own_and_no_new_status(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    since = await pool.fetchval("SELECT send_status_at FROM notifications")

    await doubt(pool, order_id, notification_id)

    step = await pool.fetchrow("SELECT send_status, in_doubt FROM send_status_history WHERE in_doubt")
    assert step is not None
    assert tuple(step) == ("Sending", True)
    assert await pool.fetchval("SELECT send_status_at FROM notifications") == since


async def test_a_change_that_changes_no_status_is_no_step(pool: Pool) -> None:
    await placed_notification(pool, attempt=5)

    assert await pool.fetchval("SELECT count(*) FROM send_status_history") == 0


async def test_sending_without_a_claim_cannot_be_stored(pool: Pool) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="claimed_exactly_while_sending"):
        await placed_notification(pool, send_status=S.SENDING, next_attempt_at=None)


async def test_new_without_a_due_time_cannot_be_stored(pool: Pool) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="due_exactly_while_new"):
        await placed_notification(pool, next_attempt_at=None)


def test_each_change_is_a_function_and_a_statement_of_the_same_name() -> None:
    functions = {name for name, _ in inspect.getmembers(send_status, inspect.iscoroutinefunction)}

    assert functions == set(statements("send_status"))


def test_no_other_statement_sets_a_send_status() -> None:
    others = ("orders", "notifications", "workers", "delivery_reports", "suppression", "return_path_keys", "migrations")

    assert not [
        name
        for subject in others
        for name, sql in statements(subject).items()
        if re.search(r"SET[^;]*\bsend_status\s*=", sql)
    ]
