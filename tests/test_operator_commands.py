"""What an operator reads and changes on the command line, beside the API."""

import asyncio
import csv
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest

from tests.delivery_reports.samples import new_dsn, recipient_fields
from tests.factories import notification_in, placed_notification, placed_order
from varsel.database.connect import Pool, connection_of
from varsel.delivery_reports.record import ReportRules, take_report
from varsel.errors import SettingsError
from varsel.notifications.liveness import Worker
from varsel.notifications.send_status import (
    Claim,
    Doubt,
    SendStatus,
    Success,
    mark_in_doubt,
    mark_succeeded,
)
from varsel.operator_commands import (
    add_suppression,
    export_suppressions,
    list_reports,
    list_suppressions,
    print_report,
    remove_suppression,
)
from varsel.orders.cancel import cancel_order
from varsel.orders.order_claims import DueOrder, claim_due_orders, postpone_order
from varsel.show import show_order

S = SendStatus
OURS = 1  # a worker's number
BOUNCED = new_dsn(recipient_fields())
DELAYED = new_dsn(recipient_fields("delayed", "4.4.1", "smtp; 451 4.4.1 Try again"))
DELIVERED = new_dsn(recipient_fields("delivered", "2.0.0", "smtp; 250 2.0.0 In the mailbox"))


def claim_of(order_id: UUID, notification_id: UUID) -> Claim:
    return Claim(order_id, notification_id, "kari@sandbox.test", 1)


async def shown(pool: Pool, order_id: UUID) -> str:
    text = await show_order(pool, order_id)
    assert text is not None
    return text


async def test_every_step_is_shown_with_its_relay_its_report_the_rule_and_the_words(
    pool: Pool, report_rules: ReportRules
) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    async with connection_of(pool) as conn:
        success = Success(claim_of(order_id, notification_id), "250 2.0.0 queued as 4711", relay="relay.test:25")
        await mark_succeeded(conn, [success])
    for content in (DELAYED, DELIVERED):
        await take_report(pool, notification_id, content, report_rules)

    delayed, delivered = [row["id"] for row in await pool.fetch("SELECT id FROM delivery_reports ORDER BY id")]
    steps = [" ".join(line.split()[2:]) for line in (await shown(pool, order_id)).splitlines()[4:]]

    assert steps == [
        "attempt 1 Sending",
        "attempt 1 Succeeded by relay.test:25 250 2.0.0 queued as 4711",
        f"report {delayed} came (action: delayed) 451 4.4.1 Try again",
        f"report {delivered} Delivered (action: delivered) 250 2.0.0 In the mailbox",
    ]


async def test_that_a_mail_is_in_doubt_is_shown(pool: Pool) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    async with connection_of(pool) as conn:
        await mark_in_doubt(conn, OURS, [Doubt(claim_of(order_id, notification_id), "no answer to the final dot")])

    assert "Sending, in doubt" in await shown(pool, order_id)


async def test_words_of_several_lines_are_shown_on_one(pool: Pool, report_rules: ReportRules) -> None:
    order_id, notification_id = await notification_in(pool, S.SENDING, worker=OURS)
    async with connection_of(pool) as conn:
        await mark_succeeded(conn, [Success(claim_of(order_id, notification_id), "250-first\r\n250 second")])

    assert "250-first 250 second" in await shown(pool, order_id)


@pytest.fixture
async def due_order(pool: Pool, worker: Worker) -> DueOrder:
    """An order that the worker has claimed."""
    await placed_order(pool, condition_endpoint="https://vilkar.etat.no/sjekk")
    assert worker.number is not None
    [order] = await claim_due_orders(pool, worker.number, 1)
    return order


async def test_an_order_in_hand_is_shown_with_its_worker_and_not_since_when(
    pool: Pool, worker: Worker, due_order: DueOrder
) -> None:
    first, _, process = (await shown(pool, due_order.id)).splitlines()

    assert first == f"Order {due_order.id} of ttd, Email, Processing"
    assert process == f"  attempt 1: in hand of worker {worker.number}"


@pytest.mark.parametrize(("is_unanswered", "why"), [(False, ""), (True, ", its send condition was left unanswered")])
async def test_an_order_that_waits_is_shown_with_its_next_attempt(
    pool: Pool, worker: Worker, due_order: DueOrder, is_unanswered: bool, why: str
) -> None:
    assert worker.number is not None
    delayed = replace(due_order, condition_unanswered=is_unanswered)
    await postpone_order(pool, worker.number, delayed, timedelta(minutes=1))

    *_, process = (await shown(pool, due_order.id)).splitlines()

    retry_at = await pool.fetchval("SELECT retry_at FROM orders")
    shown_at = retry_at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    assert process == f"  attempt 1: waits, tried again {shown_at}Z{why}"


async def test_an_order_that_was_taken_back_is_shown_since_when(pool: Pool) -> None:
    order_id = await placed_order(pool, requested_send_time=datetime.now(UTC) + timedelta(hours=1))
    await cancel_order(pool, order_id, "ttd")

    assert ", Cancelled since 20" in await shown(pool, order_id)


async def test_an_address_is_added_listed_and_removed_in_any_case(
    pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    await add_suppression(pool, "ttd", "Kari@Sandbox.test", "asked us to")

    await list_suppressions(pool, None)
    listed = capsys.readouterr().out
    await remove_suppression(pool, "ttd", "KARI@sandbox.test")
    await list_suppressions(pool, None)

    assert listed.startswith("ttd  kari@sandbox.test  operator since ")
    assert listed.endswith("until removed  asked us to\n")
    assert capsys.readouterr().out == ""


async def test_only_the_owner_asked_for_is_listed(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    for owner in ("ttd", "digdir"):
        await add_suppression(pool, owner, "kari@sandbox.test", None)

    await list_suppressions(pool, "digdir")

    assert capsys.readouterr().out.count("\n") == 1


async def test_what_is_not_on_the_list_cannot_be_removed(pool: Pool) -> None:
    with pytest.raises(SettingsError, match="not on the suppression list of ttd"):
        await remove_suppression(pool, "ttd", "kari@sandbox.test")


@pytest.mark.parametrize("address", ["", "kari", "@sandbox.test", "kari@", "kari nordmann@sandbox.test"])
async def test_what_is_no_address_is_not_added(pool: Pool, address: str) -> None:
    with pytest.raises(SettingsError, match="is no e-mail address"):
        await add_suppression(pool, "ttd", address, None)


async def test_the_export_is_csv_and_nothing_in_it_is_a_formula(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    await add_suppression(pool, "ttd", "kari@sandbox.test", '=cmd|"calc", and\nmore')

    await export_suppressions(pool, None)

    [names, cells] = csv.reader(StringIO(capsys.readouterr().out))
    entry = dict(zip(names, cells, strict=True))
    assert entry["detail"] == '\'=cmd|"calc", and\nmore'
    assert (entry["address"], entry["reason"], entry["until"]) == ("kari@sandbox.test", "operator", "")
    assert datetime.fromisoformat(entry["since"]).tzinfo is not None


@pytest.mark.parametrize("addresses", [1, 2_000])
async def test_an_export_that_cannot_be_written_is_one_line(dsn: str, pool: Pool, addresses: int) -> None:
    for n in range(addresses):
        await add_suppression(pool, "ttd", f"kari{n}@sandbox.test", "asked us to")
    command = [sys.executable, "-m", "varsel", "suppressions", "export"]

    full = os.open("/dev/full", os.O_WRONLY)

    ended = await asyncio.to_thread(
        subprocess.run, command, stdout=full, stderr=subprocess.PIPE, env={"VARSEL_DATABASE_URL": dsn}
    )

    os.close(full)
    assert (ended.returncode, ended.stderr) == (
        2,
        b"varsel: the output cannot be written: No space left on device\n",
    )


async def test_a_report_that_matches_no_mail_is_listed_and_can_be_read(
    pool: Pool, report_rules: ReportRules, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    unknown = uuid4()
    await take_report(pool, unknown, BOUNCED, report_rules)
    report_id = await pool.fetchval("SELECT id FROM delivery_reports")
    capsysbinary.readouterr()

    await list_reports(pool)
    listed = capsysbinary.readouterr().out.decode()
    await print_report(pool, report_id)

    assert listed.startswith(f"{report_id}  ")
    assert f"signed for {unknown}  Failed_Bounced (text: no such recipient)  matched again " in listed
    assert capsysbinary.readouterr().out == BOUNCED


async def test_a_report_that_was_matched_is_not_among_them(
    pool: Pool, report_rules: ReportRules, capsys: pytest.CaptureFixture[str]
) -> None:
    _, notification_id = await placed_notification(pool)
    await take_report(pool, notification_id, BOUNCED, report_rules)
    capsys.readouterr()

    await list_reports(pool)

    assert capsys.readouterr().out == ""


async def test_a_report_that_is_not_there_is_said_to_be_so(pool: Pool) -> None:
    with pytest.raises(SettingsError, match="there is no report 4711"):
        await print_report(pool, 4711)
