"""What is due is handed to the relay, and what the relay says is what the notification shows."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes

import asyncpg
import pytest

from tests.factories import placed_notification, placed_order
from tests.notifications.sending import RULES, FakeTransport, PatientRelay, send_all
from tests.relay import ScriptedRelay
from varsel.database.connect import Pool
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender
from varsel.notifications.send_status import SendStatus, resend_in_doubt
from varsel.orders.order import Recipient
from varsel.sandbox.handler import DROP, Answer, Reply
from varsel.sandbox.smtp_server import SmtpServer
from varsel.transports.return_path import ReturnPaths
from varsel.transports.smtp import SmtpTransport
from varsel.transports.transport import Accepted, Rejected

S = SendStatus


@pytest.fixture
async def relay() -> AsyncIterator[PatientRelay]:
    script = PatientRelay()
    async with SmtpServer(script) as server:
        script.port = server.port
        yield script


async def now_due(pool: Pool) -> None:
    await pool.execute("UPDATE notifications SET next_attempt_at = now() WHERE send_status = 'New'")


async def only_row(pool: Pool) -> asyncpg.Record:
    [row] = await pool.fetch(
        "SELECT send_status, attempt, status_detail, next_attempt_at, in_doubt_since FROM notifications"
    )
    return row


def answer_at(relay: ScriptedRelay, stage: str, answer: Answer) -> None:
    relay.answer_recipient = lambda address: answer if stage == "recipient" else None
    relay.answer_message = lambda content: answer if stage == "message" else None


async def test_what_the_relay_takes_has_succeeded_with_its_words(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    await placed_order(pool)
    answer_at(relay, "message", Reply(250, "2.0.0 Ok: queued as 4F0A"))

    await send_all(sender, worker)

    row = await only_row(pool)
    assert (row["send_status"], row["attempt"]) == (S.SUCCEEDED, 1)
    assert row["status_detail"] == "250 2.0.0 Ok: queued as 4F0A"


@pytest.mark.parametrize("stage", ["recipient", "message"])
async def test_what_the_relay_puts_off_is_due_again_later(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker, stage: str
) -> None:
    await placed_order(pool)
    answer_at(relay, stage, Reply(451, "4.7.1 Greylisted"))

    await send_all(sender, worker)

    row = await only_row(pool)
    assert (row["send_status"], row["attempt"]) == (S.NEW, 1)
    assert row["status_detail"] == "451 4.7.1 Greylisted"
    pause = row["next_attempt_at"] - await pool.fetchval("SELECT now()")
    assert timedelta(seconds=50) < pause < timedelta(seconds=67)


@pytest.mark.parametrize("stage", ["recipient", "message"])
@pytest.mark.parametrize(
    ("reply", "send_status"),
    [
        (Reply(550, "5.1.1 User unknown"), S.FAILED_BOUNCED),
        (Reply(550, "5.7.1 Rejected as spam"), S.FAILED_FILTERED_SPAM),
        (Reply(553, "5.1.3 Bad address syntax"), S.FAILED_INVALID_EMAIL_FORMAT),
        (Reply(552, "5.3.4 Too big"), S.FAILED),
        (Reply(554, "5.0.0 Transaction failed"), S.FAILED),
    ],
    ids=lambda value: str(value).partition(" ")[0],
)
async def test_what_the_relay_refuses_has_failed_for_its_reason(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker, stage: str, reply: Reply, send_status: SendStatus
) -> None:
    await placed_order(pool)
    answer_at(relay, stage, reply)

    await send_all(sender, worker)

    row = await only_row(pool)
    assert (row["send_status"], row["status_detail"]) == (send_status, f"{reply.code} {reply.text}")


async def test_one_refused_recipient_is_nobody_elses_matter(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    recipients = [Recipient(email_address=f"{name}@sandbox.test") for name in ("kari", "gone", "ola")]
    await placed_order(pool, recipients)
    relay.answer_recipient = lambda address: Reply(550, "5.1.1 User unknown") if "gone" in address else None

    await send_all(sender, worker)

    rows = await pool.fetch("SELECT send_status FROM notifications ORDER BY id")
    assert [row["send_status"] for row in rows] == [S.SUCCEEDED, S.FAILED_BOUNCED, S.SUCCEEDED]
    assert sorted(relay.recipients) == ["kari@sandbox.test", "ola@sandbox.test"]


@pytest.mark.parametrize(
    "address", ["kari nordmann@sandbox.test", "kari", "", "kari@blåbær..test", "<kari@sandbox.test>"]
)
async def test_an_address_that_cannot_be_mailed_fails_before_the_relay_hears_of_it(
    pool: Pool, return_paths: ReturnPaths, worker: Worker, address: str
) -> None:
    await placed_notification(pool, recipient_address=address)
    transport = FakeTransport(Accepted("250 OK"))

    await send_all(Sender(pool, transport, return_paths, RULES), worker)

    assert (await only_row(pool))["send_status"] == S.FAILED_INVALID_EMAIL_FORMAT
    assert transport.submitted == []


async def test_a_domain_is_mailed_in_its_ascii_form(pool: Pool, return_paths: ReturnPaths, worker: Worker) -> None:
    await placed_notification(pool, recipient_address="Kari@blåbær.test")
    transport = FakeTransport(Accepted("250 OK"))

    await send_all(Sender(pool, transport, return_paths, RULES), worker)

    [mail] = transport.submitted
    assert mail.recipient_address == "Kari@xn--blbr-roah.test"
    assert message_from_bytes(mail.message)["To"] == "Kari@xn--blbr-roah.test"


@pytest.mark.parametrize("answer", [Reply(451, "4.3.0 Later"), DROP])
async def test_a_second_attempt_is_the_same_mail_in_the_same_envelope(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker, answer: Answer
) -> None:
    _, notification_id = await placed_notification(pool)
    answer_at(relay, "message", answer)
    await send_all(sender, worker)
    answer_at(relay, "message", None)
    await resend_in_doubt(pool, timedelta(0), 10)
    await now_due(pool)

    await send_all(sender, worker)

    row = await only_row(pool)
    assert (row["send_status"], row["attempt"]) == (S.SUCCEEDED, 2)
    assert len(relay.seen) == 2
    assert relay.seen[0] == relay.seen[1]
    assert relay.envelopes[0] == relay.envelopes[1]
    assert relay.envelopes[0].envid == str(notification_id)
    assert message_from_bytes(relay.seen[0])["Message-ID"] == f"<{notification_id}@bounce.varsel.test>"


async def test_another_process_makes_the_same_second_attempt(
    pool: Pool,
    relay: PatientRelay,
    sender: Sender,
    worker: Worker,
    transport: SmtpTransport,
    return_paths: ReturnPaths,
) -> None:
    await placed_order(pool)
    answer_at(relay, "message", Reply(451, "4.3.0 Later"))
    await send_all(sender, worker)
    await now_due(pool)

    await send_all(Sender(pool, transport, return_paths, RULES), worker)

    assert relay.seen[0] == relay.seen[1]
    assert relay.envelopes[0] == relay.envelopes[1]


async def test_the_return_path_leads_back_to_the_notification(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker, return_paths: ReturnPaths
) -> None:
    _, notification_id = await placed_notification(pool)

    await send_all(sender, worker)

    [(envelope, _)] = relay.taken
    assert return_paths.notification_of(envelope.sender) == notification_id


async def test_a_relay_that_closes_after_the_dot_leaves_the_mail_in_doubt(
    pool: Pool, relay: PatientRelay, sender: Sender, worker: Worker
) -> None:
    await placed_order(pool)
    answer_at(relay, "message", DROP)

    await send_all(sender, worker)

    row = await only_row(pool)
    assert (row["send_status"], row["attempt"]) == (S.SENDING, 1)
    assert row["status_detail"].startswith("in doubt")
    assert row["in_doubt_since"] is not None


@pytest.mark.parametrize(
    ("outcome", "send_status"),
    [(Accepted("250 takk"), S.SUCCEEDED), (Rejected("550 5.1.1 ukjent bruker"), S.FAILED_BOUNCED)],
)
@pytest.mark.parametrize("oddity", ["\0", "\udce5"], ids=["NUL", "an octet that is no UTF-8"])
async def test_odd_characters_in_the_relays_words_cost_no_result(
    pool: Pool,
    return_paths: ReturnPaths,
    worker: Worker,
    outcome: Accepted | Rejected,
    send_status: SendStatus,
    oddity: str,
) -> None:
    await placed_order(pool)
    transport = FakeTransport(replace(outcome, reply=f"{outcome.reply} p{oddity} feltet"))

    await send_all(Sender(pool, transport, return_paths, RULES), worker)

    row = await only_row(pool)
    assert row["send_status"] == send_status
    assert row["status_detail"].startswith(outcome.reply)
