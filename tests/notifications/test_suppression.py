"""The suppression list: what puts an address on it, whose mail it stops, and how an address comes off again."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.delivery_reports.samples import new_complaint, new_dsn, recipient_fields
from tests.factories import notification_in, placed_notification, placed_order, send_status_of
from tests.notifications.sending import RULES, send_all
from tests.relay import ScriptedRelay
from varsel.database.connect import Pool
from varsel.delivery_reports.record import ReportRules, take_report
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender
from varsel.notifications.send_status import SendStatus
from varsel.notifications.suppression import (
    SUPPRESSED_AFTER_BOUNCE,
    Suppression,
    forget_suppressions,
    lift_suppression,
    read_suppressions,
    suppress_by_operator,
)
from varsel.orders.order import Recipient
from varsel.sandbox.handler import Reply
from varsel.settings import load_settings
from varsel.transports.return_path import ReturnPaths
from varsel.transports.smtp import SmtpTransport

S = SendStatus
KARI = "kari@sandbox.test"
OTHER_FAILURES = ["550 5.7.1 Rejected as spam", "552 5.2.2 Mailbox full", "552 5.3.4 Too big", "554 5.0.0 Failed"]
BOUNCED = new_dsn(recipient_fields())


async def listed(pool: Pool, owner: str | None = None) -> list[Suppression]:
    return [suppression async for suppression in read_suppressions(pool, owner)]


async def reasons(pool: Pool) -> list[str]:
    return [suppression.reason for suppression in await listed(pool)]


async def only_entry(pool: Pool) -> Suppression:
    [suppression] = await listed(pool)
    return suppression


async def bounce(pool: Pool, report_rules: ReportRules, address: str = KARI, content: bytes = BOUNCED) -> UUID:
    """The id of a mail to this address that a report has said is undeliverable."""
    _, notification_id = await notification_in(pool, S.SUCCEEDED, recipient_address=address)
    await take_report(pool, notification_id, content, report_rules)
    return notification_id


async def complain(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.DELIVERED)
    await take_report(pool, notification_id, new_complaint(), report_rules)


async def ended(pool: Pool, sender: Sender, worker: Worker, owner: str = "ttd", address: str = KARI) -> asyncpg.Record:
    """How the next mail to this address ended."""
    order_id = await placed_order(pool, [Recipient(email_address=address)], owner=owner)
    await send_all(sender, worker)
    row = await pool.fetchrow(
        "SELECT send_status, status_detail, status_rule FROM notifications WHERE order_id = $1", order_id
    )
    assert row is not None
    return row


@pytest.fixture
async def on_the_list(pool: Pool, report_rules: ReportRules) -> None:
    """That kari's mail of ttd has bounced."""
    await bounce(pool, report_rules)


async def test_an_address_that_the_relay_does_not_know_is_suppressed_for_a_while(
    pool: Pool, relay: ScriptedRelay, sender: Sender, worker: Worker
) -> None:
    _, notification_id = await placed_notification(pool, recipient_address="Kari@Sandbox.test")
    relay.answer_recipient = lambda address: Reply(550, "5.1.1 User unknown")

    await send_all(sender, worker)

    entry = await only_entry(pool)
    assert (entry.owner, entry.address, entry.reason) == ("ttd", KARI, "bounce")
    assert (entry.notification_id, entry.detail) == (notification_id, "550 5.1.1 User unknown")
    assert entry.until == entry.since + SUPPRESSED_AFTER_BOUNCE == entry.since + timedelta(days=14)


async def test_an_address_that_a_report_does_not_know_is_suppressed_for_a_while(
    pool: Pool, report_rules: ReportRules
) -> None:
    notification_id = await bounce(pool, report_rules)

    entry = await only_entry(pool)
    assert (entry.owner, entry.address, entry.reason) == ("ttd", KARI, "bounce")
    assert (entry.notification_id, entry.detail) == (notification_id, "550 5.1.1 User unknown")
    assert entry.until == entry.since + SUPPRESSED_AFTER_BOUNCE


@pytest.mark.parametrize("words", OTHER_FAILURES)
async def test_no_other_refusal_suppresses(
    pool: Pool, relay: ScriptedRelay, sender: Sender, worker: Worker, words: str
) -> None:
    await placed_order(pool)
    relay.answer_recipient = lambda address: Reply(int(words[:3]), words[4:])

    await send_all(sender, worker)

    assert str(await pool.fetchval("SELECT send_status FROM notifications")).startswith("Failed")
    assert await listed(pool) == []


@pytest.mark.parametrize("words", OTHER_FAILURES)
async def test_no_other_report_of_failure_suppresses(pool: Pool, report_rules: ReportRules, words: str) -> None:
    content = new_dsn(recipient_fields("failed", words.split()[1], f"smtp; {words}"))

    notification_id = await bounce(pool, report_rules, content=content)

    assert (await send_status_of(pool, notification_id)).startswith("Failed")
    assert await listed(pool) == []


async def test_a_bounce_that_changes_no_status_suppresses_nothing(pool: Pool, report_rules: ReportRules) -> None:
    _, notification_id = await notification_in(pool, S.FAILED)

    await take_report(pool, notification_id, BOUNCED, report_rules)

    assert await listed(pool) == []


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("", []), ("bounces", ["bounce"]), ("complaints", ["complaint"]), ("bounces,complaints", ["bounce", "complaint"])],
)
async def test_the_setting_says_what_suppresses(
    pool: Pool, return_paths: ReturnPaths, monkeypatch: pytest.MonkeyPatch, setting: str, expected: list[str]
) -> None:
    monkeypatch.setenv("VARSEL_SUPPRESS", setting)
    rules = ReportRules.of(load_settings(dev=True, public_url="http://varsel.test"), return_paths)

    await bounce(pool, rules, "gone@sandbox.test")
    await complain(pool, rules)

    assert sorted(await reasons(pool)) == expected


async def test_a_sender_told_so_suppresses_nothing(
    pool: Pool, relay: ScriptedRelay, transport: SmtpTransport, return_paths: ReturnPaths, worker: Worker
) -> None:
    await placed_order(pool)
    relay.answer_recipient = lambda address: Reply(550, "5.1.1 User unknown")
    lenient = Sender(pool, transport, return_paths, replace(RULES, suppresses_bounces=False))

    await send_all(lenient, worker)

    assert await pool.fetchval("SELECT send_status FROM notifications") == S.FAILED_BOUNCED
    assert await listed(pool) == []


@pytest.mark.parametrize("address", [KARI, "KARI@Sandbox.Test"])
@pytest.mark.usefixtures("on_the_list")
async def test_mail_to_a_suppressed_address_fails_without_a_relay_and_says_why(
    pool: Pool, relay: ScriptedRelay, sender: Sender, worker: Worker, address: str
) -> None:
    row = await ended(pool, sender, worker, address=address)

    today = await pool.fetchval("SELECT to_char(now(), 'YYYY-MM-DD')")
    assert row["send_status"] == S.FAILED_SUPPRESSED_RECIPIENT
    assert row["status_detail"] == f"on the suppression list since {today}: bounce"
    assert row["status_rule"] == "suppression list"
    assert (relay.connections, relay.seen) == (0, [])


@pytest.mark.usefixtures("on_the_list")
async def test_another_owners_mail_still_goes(pool: Pool, relay: ScriptedRelay, sender: Sender, worker: Worker) -> None:
    row = await ended(pool, sender, worker, owner="digdir")

    assert (row["send_status"], relay.recipients) == (S.SUCCEEDED, [KARI])


@pytest.mark.usefixtures("on_the_list")
async def test_mail_to_another_address_still_goes(
    pool: Pool, relay: ScriptedRelay, sender: Sender, worker: Worker
) -> None:
    row = await ended(pool, sender, worker, address="kari+2@sandbox.test")

    assert (row["send_status"], relay.recipients) == (S.SUCCEEDED, ["kari+2@sandbox.test"])


@pytest.mark.usefixtures("on_the_list")
async def test_what_was_lifted_is_sent_again(pool: Pool, sender: Sender, worker: Worker) -> None:
    tries = [("digdir", KARI), ("ttd", "ola@sandbox.test"), ("ttd", KARI.upper()), ("ttd", KARI)]

    lifted = [await lift_suppression(pool, owner, address) for owner, address in tries]

    assert lifted == [False, False, True, False]
    assert (await ended(pool, sender, worker))["send_status"] == S.SUCCEEDED


@pytest.mark.usefixtures("on_the_list")
async def test_what_is_over_stops_nothing_and_is_not_listed(pool: Pool, sender: Sender, worker: Worker) -> None:
    await pool.execute("UPDATE suppressed_addresses SET until = now()")

    assert (await ended(pool, sender, worker))["send_status"] == S.SUCCEEDED
    assert await listed(pool) == []


@pytest.mark.usefixtures("on_the_list")
async def test_a_renewed_bounce_counts_from_then(pool: Pool, report_rules: ReportRules) -> None:
    ago = timedelta(days=13)
    await pool.execute(
        "UPDATE suppressed_addresses SET since = since - $1::interval, until = until - $1::interval", ago
    )
    before = await only_entry(pool)

    notification_id = await bounce(pool, report_rules)

    after = await only_entry(pool)
    assert (after.notification_id, after.until) == (notification_id, after.since + SUPPRESSED_AFTER_BOUNCE)
    assert after.since >= before.since + ago


async def test_a_later_bounce_does_not_shorten_a_complaint(pool: Pool, report_rules: ReportRules) -> None:
    await complain(pool, report_rules)
    complaint = await only_entry(pool)

    await bounce(pool, report_rules)

    assert await only_entry(pool) == complaint
    assert (complaint.reason, complaint.until) == ("complaint", None)


@pytest.mark.usefixtures("on_the_list")
async def test_a_complaint_makes_a_bounces_entry_one_for_good(pool: Pool, report_rules: ReportRules) -> None:
    await complain(pool, report_rules)

    entry = await only_entry(pool)
    assert (entry.reason, entry.until) == ("complaint", None)


@pytest.mark.parametrize("later", [bounce, complain], ids=lambda act: act.__name__)
async def test_what_an_operator_put_there_stays_as_it_is(
    pool: Pool,
    sender: Sender,
    worker: Worker,
    report_rules: ReportRules,
    later: Callable[[Pool, ReportRules], Awaitable[object]],
) -> None:
    await suppress_by_operator(pool, "ttd", "Kari@Sandbox.test", "asked us to")
    entry = await only_entry(pool)

    await later(pool, report_rules)

    assert await only_entry(pool) == entry
    assert (entry.address, entry.reason, entry.until, entry.detail) == (KARI, "operator", None, "asked us to")
    assert (await ended(pool, sender, worker))["status_detail"].endswith(": operator")


@pytest.mark.usefixtures("on_the_list")
async def test_an_operators_entry_replaces_what_was_there(pool: Pool) -> None:
    await suppress_by_operator(pool, "ttd", KARI, None)

    entry = await only_entry(pool)
    assert (entry.reason, entry.until, entry.detail) == ("operator", None, None)


async def test_only_what_is_over_is_forgotten(pool: Pool) -> None:
    now = datetime.now(UTC)
    untils = {"over": now - timedelta(hours=1), "running": now + timedelta(hours=1), "for.good": None}
    for name, until in untils.items():
        await suppress_by_operator(pool, "ttd", f"{name}@sandbox.test", None)
        await pool.execute(
            "UPDATE suppressed_addresses SET until = $1 WHERE address = $2", until, f"{name}@sandbox.test"
        )

    await forget_suppressions(pool)

    rows = await pool.fetch("SELECT address FROM suppressed_addresses ORDER BY address")
    assert [row["address"] for row in rows] == ["for.good@sandbox.test", "running@sandbox.test"]


async def test_the_list_is_read_in_order_of_one_owner_or_of_all(pool: Pool) -> None:
    for owner, address in (("ttd", "b@x.test"), ("digdir", "c@x.test"), ("ttd", "a@x.test")):
        await suppress_by_operator(pool, owner, address, None)

    everything, one_owners = await listed(pool), await listed(pool, "ttd")

    assert [(each.owner, each.address) for each in everything] == [
        ("digdir", "c@x.test"),
        ("ttd", "a@x.test"),
        ("ttd", "b@x.test"),
    ]
    assert one_owners == everything[1:]


async def test_a_list_of_any_length_is_read_by_and_by(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO suppressed_addresses (owner, address, reason)"
        " SELECT 'ttd', 'kari+' || n || '@x.test', 'operator' FROM generate_series(1, 5000) AS n"
    )

    addresses = {suppression.address async for suppression in read_suppressions(pool, None)}

    assert len(addresses) == 5_000
    assert pool.get_size() == pool.get_idle_size()
