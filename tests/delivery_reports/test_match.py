"""Which mail a report is about: what names it first, what proves something, and what waits until it is known."""

from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.delivery_reports.samples import new_complaint, new_dsn, recipient_fields
from tests.factories import notification_in, placed_notification, send_status_of
from varsel.database.connect import Pool, connection_of
from varsel.delivery_reports.match import TRIED_LIMIT, Match, find_mail
from varsel.delivery_reports.read import References
from varsel.delivery_reports.record import ReportRules, record_waiting, take_report
from varsel.delivery_reports.unmatched import unmatched_reports
from varsel.notifications.send_status import SendStatus
from varsel.transports.return_path import ReturnPaths

S = SendStatus
BOUNCED = new_dsn(recipient_fields())
ANONYMOUS = "Feedback-Type: abuse\n"


async def sent_to(pool: Pool, address: str) -> UUID:
    """A notification that was handed over for this address."""
    _, notification_id = await notification_in(pool, S.SUCCEEDED, recipient_address=address)
    return notification_id


async def found(
    pool: Pool, return_paths: ReturnPaths, references: References, signed_for: UUID | None = None
) -> Match | None:
    async with connection_of(pool) as conn:
        return await find_mail(conn, signed_for, references, return_paths)


async def stored(pool: Pool) -> asyncpg.Record:
    [row] = await pool.fetch("SELECT *, next_match_at - now() AS pause FROM delivery_reports")
    return row


async def suppressed(pool: Pool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM suppressed_addresses")
    return count


@pytest.mark.parametrize(
    "named_by", ["return path", "enclosed return path", "envelope id", "Message-ID", "recipient", None]
)
async def test_what_proves_most_names_the_mail(pool: Pool, return_paths: ReturnPaths, named_by: str | None) -> None:
    ways = ["return path", "enclosed return path", "envelope id", "Message-ID", "recipient"]
    mails = {way: await sent_to(pool, f"{way.replace(' ', '.')}@etat.test") for way in ways}
    left = ways[ways.index(named_by) :] if named_by else []
    references = References(
        return_paths=(return_paths.address_of(mails["enclosed return path"]),) if ways[1] in left else (),
        envelope_ids=(str(mails["envelope id"]),) if ways[2] in left else (),
        message_ids=(f"{mails['Message-ID']}@varsel.test",) if ways[3] in left else (),
        recipients=("recipient@etat.test",) if ways[4] in left else (),
    )

    match = await found(pool, return_paths, references, mails["return path"] if ways[0] in left else None)

    assert (match and match.matched_by) == named_by
    assert (match and match.notification_id) == (mails[named_by] if named_by else None)


async def test_names_of_mails_that_we_do_not_know_are_passed_over(pool: Pool, return_paths: ReturnPaths) -> None:
    notification_id = await sent_to(pool, "kari@etat.test")
    references = References(
        return_paths=("b+7.x@bounce.varsel.test", return_paths.address_of(uuid4()), "kari@etat.test"),
        envelope_ids=("", "n-1", str(uuid4()), "x" * 998),
        message_ids=("CAF=1@mail.gmail.test", f"{uuid4()}@varsel.test", f"{notification_id}@varsel.test"),
    )

    match = await found(pool, return_paths, references)

    assert match is not None
    assert (match.notification_id, match.matched_by) == (notification_id, "Message-ID")


@pytest.mark.parametrize("others", [TRIED_LIMIT - 1, TRIED_LIMIT])
async def test_only_so_many_names_of_one_report_are_tried(pool: Pool, return_paths: ReturnPaths, others: int) -> None:
    notification_id = await sent_to(pool, "kari@etat.test")
    names = [uuid4() for _ in range(others)] + [notification_id]

    match = await found(pool, return_paths, References(message_ids=tuple(f"{name}@varsel.test" for name in names)))

    assert (match is not None) is (others < TRIED_LIMIT)


@pytest.mark.parametrize("capitals", [False, True])
async def test_the_recipient_names_the_only_mail_to_them(pool: Pool, return_paths: ReturnPaths, capitals: bool) -> None:
    notification_id = await sent_to(pool, "Kari@etat.test")
    address = "KARI@ETAT.TEST" if capitals else "kari@etat.test"

    match = await found(pool, return_paths, References(recipients=("ola@etat.test", address)))

    assert match is not None
    assert (match.notification_id, match.is_certain) == (notification_id, False)


async def test_of_two_mails_to_one_recipient_none_is_guessed(pool: Pool, return_paths: ReturnPaths) -> None:
    for _ in range(2):
        await sent_to(pool, "kari@etat.test")

    assert await found(pool, return_paths, References(recipients=("kari@etat.test",))) is None


async def test_a_mail_that_was_never_attempted_is_nobodys_answer(pool: Pool, return_paths: ReturnPaths) -> None:
    await placed_notification(pool, recipient_address="kari@etat.test")

    assert await found(pool, return_paths, References(recipients=("kari@etat.test",))) is None


@pytest.mark.parametrize("named_by", ["enclosed return path", "envelope id", "Message-ID", "recipient"])
async def test_no_status_follows_from_what_nobody_signed(
    pool: Pool, return_paths: ReturnPaths, report_rules: ReportRules, named_by: str
) -> None:
    notification_id = await sent_to(pool, "kari@etat.test" if named_by == "recipient" else "ola@etat.test")

    await take_report(pool, None, dsn_about(notification_id, return_paths, named_by), report_rules)

    row = await stored(pool)
    assert (row["notification_id"], row["matched_by"]) == (notification_id, named_by)
    assert (row["outcome"], await send_status_of(pool, notification_id)) == (S.FAILED_BOUNCED, S.SUCCEEDED)
    assert await suppressed(pool) == 0


@pytest.mark.parametrize("named_by", ["enclosed return path", "envelope id", "Message-ID", "recipient"])
async def test_a_signature_for_one_mail_moves_no_status_of_another(
    pool: Pool, return_paths: ReturnPaths, report_rules: ReportRules, named_by: str
) -> None:
    notification_id = await sent_to(pool, "kari@etat.test" if named_by == "recipient" else "ola@etat.test")
    forgotten = uuid4()  # its return path is known to whoever got it

    await take_report(pool, forgotten, dsn_about(notification_id, return_paths, named_by), report_rules)

    assert await send_status_of(pool, notification_id) is S.SUCCEEDED
    assert await suppressed(pool) == 0


def dsn_about(notification_id: UUID, return_paths: ReturnPaths, named_by: str) -> bytes:
    """A report of failure for kari@etat.test that names its mail in this one way."""
    mail_fields, enclosed = "Reporting-MTA: dns; mx.etat.test\r\n", ""
    if named_by == "enclosed return path":
        enclosed = f"Return-Path: <{return_paths.address_of(notification_id)}>\r\n"
    elif named_by == "envelope id":
        mail_fields += f"Original-Envelope-Id: {notification_id}\r\n"
    elif named_by == "Message-ID":
        enclosed = f"Message-ID: <{notification_id}@varsel.test>\r\n"
    return new_dsn(recipient_fields(), mail_fields=mail_fields.encode(), enclosed=enclosed.encode())


@pytest.mark.parametrize(
    ("named_by", "is_suppressed"), [("enclosed return path", True), ("Message-ID", True), ("recipient", False)]
)
async def test_an_unsigned_complaint_suppresses_only_where_somebody_had_the_mail(
    pool: Pool, return_paths: ReturnPaths, report_rules: ReportRules, named_by: str, is_suppressed: bool
) -> None:
    notification_id = await sent_to(pool, "kari@etat.test")
    enclosed = {
        "enclosed return path": f"Return-Path: <{return_paths.address_of(notification_id)}>\n",
        "Message-ID": f"Message-ID: <{notification_id}@varsel.test>\n",
        "recipient": "",
    }[named_by]
    fields = ANONYMOUS if enclosed else f"{ANONYMOUS}Original-Rcpt-To: <kari@etat.test>\n"

    await take_report(pool, None, new_complaint(fields, enclosed=enclosed), report_rules)

    row = await stored(pool)
    assert (row["notification_id"], row["matched_by"], row["outcome"]) == (notification_id, named_by, "complaint")
    assert await suppressed(pool) == is_suppressed


async def test_a_report_that_came_before_its_mail_counts_once_the_mail_is_there(
    pool: Pool, report_rules: ReportRules
) -> None:
    order_id, notification_id = await notification_in(pool, S.SUCCEEDED)
    early = uuid4()
    await take_report(pool, early, BOUNCED, report_rules)
    [unmatched] = await unmatched_reports(pool, 10)
    assert (unmatched.signed_for, unmatched.recipient, unmatched.outcome) == (
        early,
        "kari@etat.test",
        S.FAILED_BOUNCED,
    )
    await pool.execute(
        "UPDATE notifications SET id = $1 WHERE order_id = $2 AND id = $3", early, order_id, notification_id
    )
    await pool.execute("UPDATE delivery_reports SET next_match_at = now()")

    await record_waiting(pool, report_rules)

    assert await send_status_of(pool, early) is S.FAILED_BOUNCED
    assert await unmatched_reports(pool, 10) == []


@pytest.mark.parametrize(
    ("age", "pause"),
    [
        (timedelta(0), timedelta(seconds=5)),
        (timedelta(minutes=10), timedelta(minutes=10)),
        (timedelta(days=2), timedelta(hours=1)),
        (timedelta(days=29), timedelta(hours=1)),
        (timedelta(days=31), None),
    ],
    ids=str,
)
async def test_the_longer_a_report_waits_the_less_often_it_is_matched_until_it_only_stays(
    pool: Pool, report_rules: ReportRules, age: timedelta, pause: timedelta | None
) -> None:
    await take_report(pool, uuid4(), BOUNCED, report_rules)
    await pool.execute("UPDATE delivery_reports SET next_match_at = now(), received_at = now() - $1::interval", age)

    await record_waiting(pool, report_rules)

    row = await stored(pool)
    assert row["recorded_at"] is None
    if pause is None:
        assert row["next_match_at"] is None
    else:
        matched_at = row["next_match_at"] - pause
        assert row["received_at"] + age <= matched_at + timedelta(minutes=1)
        assert abs(row["pause"] - pause) < timedelta(minutes=1)  # a bound for a machine under load, not a measure
