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
    Claim,
    Deferral,
    Rejection,
    SendStatus,
    Success,
    claim_notifications,
    expire_unsent,
    mark_bounced,
    mark_deferred,
    mark_delivered,
    mark_rejected,
    mark_succeeded,
    release_claims,
)

OURS, ANOTHER = 1, 2  # workers' numbers
S = SendStatus


def claim_of(order_id: UUID, notification_id: UUID, attempt: int = 1) -> Claim:
    return Claim(order_id, notification_id, "kari@sandbox.test", attempt)


async def succeed(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_succeeded(conn, OURS, [Success(claim_of(order_id, notification_id), "250 OK")])


async def defer(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_deferred(conn, OURS, [Deferral(claim_of(order_id, notification_id), "451 later", timedelta(0))])


async def reject(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_rejected(conn, OURS, [Rejection(claim_of(order_id, notification_id), "550 no", S.FAILED_BOUNCED)])


async def deliver(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_delivered(conn, order_id, notification_id, "250 delivered")


async def bounce(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    async with connection_of(pool) as conn:
        await mark_bounced(conn, order_id, notification_id, "550 no such user", S.FAILED_BOUNCED)


async def release(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    await release_claims(pool, timedelta(0), 10)


async def expire(pool: Pool, order_id: UUID, notification_id: UUID) -> None:
    await pool.execute("UPDATE notifications SET expires_at = now()")
    await expire_unsent(pool, 10)


TRANSITIONS: dict[Callable[[Pool, UUID, UUID], Awaitable[None]], dict[SendStatus, SendStatus]] = {
    succeed: {S.SENDING: S.SUCCEEDED},
    defer: {S.SENDING: S.NEW},
    reject: {S.SENDING: S.FAILED_BOUNCED},
    deliver: dict.fromkeys((S.NEW, S.SENDING, S.SUCCEEDED), S.DELIVERED),
    bounce: dict.fromkeys((S.NEW, S.SENDING, S.SUCCEEDED, S.DELIVERED), S.FAILED_BOUNCED),
    release: {S.SENDING: S.NEW},
    expire: {S.NEW: S.FAILED},
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


@pytest.mark.parametrize("change", [succeed, defer, reject], ids=lambda change: change.__name__)
async def test_a_worker_that_lost_its_claim_cannot_record_a_result(
    pool: Pool, change: Callable[[Pool, UUID, UUID], Awaitable[None]]
) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=ANOTHER)

    await change(pool, order_id, notification_id)

    assert await send_status_of(pool, notification_id) is S.SENDING


@pytest.mark.parametrize("change", [succeed, defer, reject], ids=lambda change: change.__name__)
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


async def test_the_claim_of_a_worker_that_lives_is_not_released(pool: Pool, worker: Worker) -> None:
    _, notification_id = await placed_notification(pool)
    assert worker.number is not None
    await claim_notifications(pool, worker.number, 1)

    await release_claims(pool, timedelta(0), 10)

    assert await send_status_of(pool, notification_id) is S.SENDING


async def test_a_claim_whose_lease_ran_out_is_released(pool: Pool, worker: Worker) -> None:
    _, notification_id = await placed_notification(pool)
    assert worker.number is not None
    await claim_notifications(pool, worker.number, 1)
    await pool.execute("UPDATE notifications SET claimed_until = now() - interval '1 second'")

    await release_claims(pool, timedelta(0), 10)

    assert await send_status_of(pool, notification_id) is S.NEW


async def test_every_step_after_the_creation_is_in_the_history(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    await succeed(pool, order_id, notification_id)
    await bounce(pool, order_id, notification_id)

    rows = await pool.fetch("SELECT send_status, status_detail FROM send_status_history ORDER BY changed_at")

    assert [tuple(row) for row in rows] == [
        ("Sending", None),
        ("Succeeded", "250 OK"),
        ("Failed_Bounced", "550 no such user"),
    ]


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
    others = ("orders", "notifications", "workers", "delivery_reports", "return_path_keys", "migrations")

    assert not [
        name
        for subject in others
        for name, sql in statements(subject).items()
        if re.search(r"SET[^;]*\bsend_status\s*=", sql)
    ]
