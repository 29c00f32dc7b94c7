"""What a report does to the notification that it is about, whenever and however often it comes."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.delivery_reports.samples import new_dsn, recipient_fields
from tests.factories import notification_in, send_status_of
from varsel.database.connect import Pool
from varsel.delivery_reports.dsn import Action
from varsel.delivery_reports.record import LEFT_BEHIND_AFTER, ReportRules, record_waiting, take_report
from varsel.notifications.send_status import SendStatus

S = SendStatus
DELIVERED = new_dsn(recipient_fields("delivered", "2.0.0", "smtp; 250 2.0.0 Delivered"))
BOUNCED = new_dsn(recipient_fields())
STATUS_CODES = {Action.FAILED: "5.1.1", Action.DELAYED: "4.4.1"}
CHANGES: dict[Action, dict[SendStatus, SendStatus]] = {
    Action.DELIVERED: dict.fromkeys((S.NEW, S.SENDING, S.SUCCEEDED), S.DELIVERED),
    Action.RELAYED: dict.fromkeys((S.NEW, S.SENDING, S.SUCCEEDED), S.DELIVERED),
    Action.FAILED: dict.fromkeys((S.NEW, S.SENDING, S.SUCCEEDED, S.DELIVERED), S.FAILED_BOUNCED),
    Action.DELAYED: {},
    Action.EXPANDED: {},
}


def report_of(action: Action) -> bytes:
    code = STATUS_CODES.get(action, "2.0.0")
    return new_dsn(recipient_fields(action, code, f"smtp; {code[0]}50 {code} The server's own words"))


async def stored(pool: Pool) -> asyncpg.Record:
    [row] = await pool.fetch("SELECT * FROM delivery_reports")
    return row


async def store_only(pool: Pool, notification_id: UUID, content: bytes, *, age: timedelta = timedelta(hours=1)) -> None:
    """As a process leaves it that ends between storing and recording."""
    await pool.execute(
        "INSERT INTO delivery_reports (signed_for, digest, content, received_at, next_match_at)"
        " VALUES ($1, $2, $3, now() - $4::interval, now() - $4::interval + $5::interval)",
        notification_id,
        sha256(content).digest(),
        content,
        age,
        LEFT_BEHIND_AFTER,
    )


@pytest.mark.parametrize("before", list(SendStatus))
@pytest.mark.parametrize("action", list(Action))
async def test_a_report_changes_exactly_the_statuses_that_it_may(
    pool: Pool, action: Action, before: SendStatus, report_rules: ReportRules
) -> None:
    _, notification_id = await notification_in(pool, before)

    await take_report(pool, notification_id, report_of(action), report_rules)

    assert await send_status_of(pool, notification_id) is CHANGES[action].get(before, before)


@pytest.mark.parametrize("before", [S.NEW, S.SENDING, S.SUCCEEDED, S.DELIVERED, S.FAILED_BOUNCED])
async def test_relayed_can_be_set_to_mean_nothing_new(
    pool: Pool, before: SendStatus, report_rules: ReportRules
) -> None:
    _, notification_id = await notification_in(pool, before)

    await take_report(
        pool, notification_id, report_of(Action.RELAYED), replace(report_rules, relayed_is_delivered=False)
    )

    assert await send_status_of(pool, notification_id) is before


@pytest.mark.parametrize("relayed_is_delivered", [True, False])
async def test_delivered_means_delivered_whatever_relayed_means(
    pool: Pool, relayed_is_delivered: bool, report_rules: ReportRules
) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    await take_report(
        pool, notification_id, DELIVERED, replace(report_rules, relayed_is_delivered=relayed_is_delivered)
    )

    assert await send_status_of(pool, notification_id) is S.DELIVERED


async def test_the_servers_words_become_the_detail(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    await take_report(pool, notification_id, BOUNCED, report_rules)

    assert await pool.fetchval("SELECT status_detail FROM notifications") == "550 5.1.1 User unknown"


async def test_without_words_the_code_becomes_the_detail(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    await take_report(pool, notification_id, new_dsn(recipient_fields(diagnostic="")), report_rules)

    assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED
    assert await pool.fetchval("SELECT status_detail FROM notifications") == "5.1.1"


@pytest.mark.parametrize(
    ("diagnostic", "send_status"),
    [
        ("smtp; 550 5.7.1 Rejected as spam", S.FAILED_FILTERED_SPAM),
        ("smtp; 550 5.7.0 Quarantined", S.FAILED_QUARANTINED),
        ("smtp; 553 5.1.3 Bad syntax", S.FAILED_INVALID_EMAIL_FORMAT),
        ("smtp; 552 5.3.4 Too big", S.FAILED),
        ("smtp; 554 Transaction failed", S.FAILED),
    ],
)
async def test_a_failure_is_classified_by_the_servers_words(
    pool: Pool, diagnostic: str, send_status: SendStatus, report_rules: ReportRules
) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    await take_report(pool, notification_id, new_dsn(recipient_fields("failed", "5.0.0", diagnostic)), report_rules)

    assert await send_status_of(pool, notification_id) is send_status
    assert (await stored(pool))["outcome"] == send_status


async def test_what_came_is_kept_as_it_came(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)
    content = BOUNCED + b"\0\xff\xfe rest\n"

    await take_report(pool, notification_id, content, report_rules)

    row = await stored(pool)
    assert (row["notification_id"], row["content"]) == (notification_id, content)
    assert (row["outcome"], row["rule"]) == ("Failed_Bounced", "text: no such recipient")
    assert row["recorded_at"] is not None


async def test_a_repeat_is_stored_once_and_counts_once(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    for _ in range(3):
        await take_report(pool, notification_id, DELIVERED, report_rules)

    await stored(pool)
    assert await pool.fetchval("SELECT count(*) FROM send_status_history WHERE send_status = 'Delivered'") == 1


async def test_the_same_words_about_another_notification_are_another_report(
    pool: Pool, report_rules: ReportRules
) -> None:
    notifications = [(await notification_in(pool, S.SUCCEEDED))[1] for _ in range(2)]

    for notification_id in notifications:
        await take_report(pool, notification_id, BOUNCED, report_rules)

    assert [await send_status_of(pool, each) for each in notifications] == [S.FAILED_BOUNCED] * 2


@pytest.mark.parametrize("reports", [[DELIVERED, BOUNCED], [BOUNCED, DELIVERED]], ids=["bounce last", "bounce first"])
async def test_a_bounce_wins_in_whatever_order_reports_come(
    pool: Pool, reports: list[bytes], report_rules: ReportRules
) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    for content in reports:
        await take_report(pool, notification_id, content, report_rules)

    assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED


async def test_a_delay_after_the_delivery_changes_nothing(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)
    await take_report(pool, notification_id, DELIVERED, report_rules)

    await take_report(pool, notification_id, report_of(Action.DELAYED), report_rules)

    assert await send_status_of(pool, notification_id) is S.DELIVERED


@pytest.mark.parametrize("content", [BOUNCED, b"Subject: Away\r\n\r\nBack on Monday.\r\n", b"", b"\0\xff"])
async def test_a_report_about_an_unknown_notification_is_kept(
    pool: Pool, content: bytes, report_rules: ReportRules
) -> None:
    notification_id = uuid4()

    await take_report(pool, notification_id, content, report_rules)

    row = await stored(pool)
    assert (row["signed_for"], row["notification_id"], row["content"]) == (notification_id, None, content)
    assert row["recorded_at"] is None


async def test_what_is_no_report_is_kept_and_changes_nothing(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)

    await take_report(pool, notification_id, b"Subject: Away\r\n\r\nBack on Monday.\r\n", report_rules)

    assert await send_status_of(pool, notification_id) is S.SUCCEEDED
    row = await stored(pool)
    assert (row["outcome"], row["rule"]) == ("none", "not a delivery report")


async def test_what_was_stored_only_is_recorded_later(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)
    await store_only(pool, notification_id, BOUNCED)

    more = await record_waiting(pool, report_rules)

    assert more is False
    assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED
    assert (await stored(pool))["recorded_at"] is not None


async def test_a_repeat_of_what_was_stored_only_is_recorded_at_once(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)
    await store_only(pool, notification_id, BOUNCED, age=timedelta(seconds=1))

    await take_report(pool, notification_id, BOUNCED, report_rules)

    assert await send_status_of(pool, notification_id) is S.FAILED_BOUNCED
    assert (await stored(pool))["recorded_at"] is not None


async def test_what_was_stored_just_now_is_left_to_who_stored_it(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)
    await store_only(pool, notification_id, BOUNCED, age=timedelta(seconds=1))

    await record_waiting(pool, report_rules)

    assert (await stored(pool))["recorded_at"] is None


async def test_what_was_recorded_is_not_recorded_again(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.SUCCEEDED)
    await take_report(pool, notification_id, DELIVERED, report_rules)
    await pool.execute("UPDATE delivery_reports SET next_match_at = now(), outcome = 'as it was'")

    await record_waiting(pool, report_rules)

    assert (await stored(pool))["outcome"] == "as it was"


async def test_a_report_that_cannot_be_recorded_holds_up_no_other(pool: Pool, report_rules: ReportRules) -> None:
    _, broken = await notification_in(pool, S.SUCCEEDED)
    _, fine = await notification_in(pool, S.SUCCEEDED)
    await store_only(pool, broken, b"Content-Type: message/rfc822\r\n\r\n" * 5_000)  # nested beyond all reason
    await store_only(pool, fine, BOUNCED)

    await record_waiting(pool, report_rules)

    assert await send_status_of(pool, fine) is S.FAILED_BOUNCED
