"""An order's whole way as a story, every part real: HTTP, PostgreSQL, SMTP out, delivery reports in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import httpx2
import pytest

from tests.factories import BODY, SUBJECT
from tests.processing import CONDITION_HOST, condition_server, orders_in_hand
from varsel.database.connect import Pool
from varsel.delivery_reports.intake import ReportIntake
from varsel.delivery_reports.record import ReportRules
from varsel.mail_server import MailServer
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender, SendingRules
from varsel.relay import Relay
from varsel.sandbox.server import Sandbox
from varsel.settings import Settings
from varsel.transports.return_path import ReturnPaths
from varsel.transports.smtp import SmtpTransport
from varsel.worker import Station, Wake, run_loops

ORDERS = "/notifications/api/v1/orders"
LIMIT = 20.0  # seconds; a bound for a machine under load, not a measure


@pytest.fixture
async def sandbox(pool: Pool, dsn: str, settings: Settings, return_paths: ReturnPaths) -> AsyncIterator[Sandbox]:
    """Everything behind the API: the worker's loops, the report listener, and the sandbox as the relay."""
    listener = await ReportIntake(pool, ReportRules(return_paths)).listen(MailServer("lmtp", "127.0.0.1", 0))
    reports_to = MailServer("lmtp", "127.0.0.1", listener.sockets[0].getsockname()[1])
    async with Sandbox(reports_to=reports_to, report_delay=timedelta(milliseconds=20)) as sandbox:
        relay = Relay(MailServer("smtp", "127.0.0.1", sandbox.port), connections=4)
        transport = SmtpTransport(relay, notify=("success", "failure", "delay"))
        rules = SendingRules(
            "bounce.varsel.test",
            timedelta(seconds=0.1),
            timedelta(hours=1),
            least_in_hand=8,
            most_in_hand=64,
            unrecorded=8,
        )
        async with condition_server() as conditions:
            conditions.documents |= {"/ja": {"sendNotification": True}, "/nei": {"sendNotification": False}}
            orders = orders_in_hand(pool, condition_hosts={CONDITION_HOST: conditions.url})
            sender = Sender(pool, transport, return_paths, rules)
            station = Station(pool, settings, Worker(dsn), orders, sender, ReportRules(return_paths))
            stop = asyncio.Event()
            loops = asyncio.create_task(run_loops(station, Wake(), stop))
            yield sandbox
        stop.set()
        await loops
        await transport.close()
        await station.worker.let_go()
        listener.close()


async def summary_when(
    client: httpx2.AsyncClient, order_id: str, is_reached: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """The central endpoint's answer once it is as wanted."""
    async with asyncio.timeout(LIMIT):
        while True:
            summary: dict[str, Any] = (await client.get(f"{ORDERS}/{order_id}/notifications/email")).json()
            if is_reached(summary):
                return summary
            await asyncio.sleep(0.02)  # between two looks


def all_final(summary: dict[str, Any]) -> bool:
    open_statuses = ("New", "Sending", "Succeeded")
    return all(n["sendStatus"]["status"] not in open_statuses for n in summary["notifications"])


async def place(client: httpx2.AsyncClient, *addresses: str, **more: Any) -> str:
    recipients = [{"emailAddress": address} for address in addresses]
    body = {"subject": SUBJECT, "body": BODY, "recipients": recipients} | more
    answer = await client.post(f"{ORDERS}/email", json=body)
    assert answer.status_code == 202, answer.text
    order_id: str = answer.json()["orderId"]
    return order_id


async def test_every_fate_ends_in_its_status(client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    fates = {
        "delivered@sandbox.test": "Delivered",
        "bounced@sandbox.test": "Failed_Bounced",
        "spam@sandbox.test": "Failed_FilteredSpam",
        "quarantined@sandbox.test": "Failed_Quarantined",
        "invalid@sandbox.test": "Failed_InvalidEmailFormat",
        "failed@sandbox.test": "Failed",
        "deferred@sandbox.test": "Delivered",
    }

    order_id = await place(client, *fates)

    summary = await summary_when(client, order_id, all_final)
    found = {n["recipient"]["emailAddress"]: n["sendStatus"]["status"] for n in summary["notifications"]}
    assert found == fates
    assert (summary["generated"], summary["succeeded"]) == (7, 2)


async def test_the_order_is_completed_once_every_notification_is_final(
    client: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    order_id = await place(client, "delivered@sandbox.test", "bounced@sandbox.test")
    await summary_when(client, order_id, all_final)

    status = (await client.get(f"{ORDERS}/{order_id}/status")).json()

    assert status["processingStatus"]["status"] == "Completed"
    assert status["processingStatus"]["description"].startswith("Order processing is completed.")
    assert status["notificationsStatusSummary"]["email"]["generated"] == 2
    assert status["notificationsStatusSummary"]["email"]["succeeded"] == 1


async def test_the_mail_says_what_the_owner_wrote(client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    order_id = await place(client, "delivered@sandbox.test")
    summary = await summary_when(client, order_id, all_final)

    [mail] = sandbox.mailbox.newest()

    message = message_from_bytes(mail.content, policy=default)
    assert message["Subject"] == SUBJECT
    assert message["To"] == "delivered@sandbox.test"
    assert message["From"] == "noreply@varsel.test"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == f"<{summary['notifications'][0]['id']}@bounce.varsel.test>"
    assert message.get_content().splitlines() == [BODY]


async def test_a_deferred_mail_keeps_its_message_id_and_return_path(
    client: httpx2.AsyncClient, sandbox: Sandbox, pool: Pool
) -> None:
    order_id = await place(client, "deferred@sandbox.test")
    await summary_when(client, order_id, all_final)

    steps = await pool.fetch("SELECT send_status, attempt FROM send_status_history ORDER BY changed_at, attempt")

    assert [tuple(step) for step in steps] == [
        ("Sending", 1),
        ("New", 1),
        ("Sending", 2),
        ("Succeeded", 2),
        ("Delivered", 2),
    ]
    assert len(sandbox.mailbox) == 1


async def test_a_bounce_after_delivery_overrules_it(client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    order_id = await place(client, "late@sandbox.test")

    summary = await summary_when(
        client, order_id, lambda s: s["notifications"][0]["sendStatus"]["status"].startswith("Failed")
    )

    assert summary["succeeded"] == 0


async def test_without_a_report_a_mail_stays_succeeded(client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    order_id = await place(client, "silent@sandbox.test")

    summary = await summary_when(
        client, order_id, lambda s: s["notifications"][0]["sendStatus"]["status"] == "Succeeded"
    )

    assert summary["notifications"][0]["succeeded"] is True
    status = (await client.get(f"{ORDERS}/{order_id}/status")).json()["processingStatus"]
    assert status["status"] == "Completed"
    assert status["description"] == "Order processing is done. Notifications have been successfully generated."


async def test_an_order_for_later_is_sent_when_it_is_due(
    client: httpx2.AsyncClient, sandbox: Sandbox, pool: Pool
) -> None:
    order_id = await place(client, "delivered@sandbox.test", requestedSendTime="2090-01-01T08:00:00+01:00")
    early = (await client.get(f"{ORDERS}/{order_id}/notifications/email")).json()
    assert (early["generated"], early["notifications"]) == (0, [])

    await pool.execute("UPDATE orders SET requested_send_time = now()")

    summary = await summary_when(client, order_id, lambda s: bool(s["notifications"]) and all_final(s))
    assert summary["succeeded"] == 1


async def test_identities_are_mailed_at_their_addresses_unless_they_have_none_or_are_reserved(
    client: httpx2.AsyncClient, sandbox: Sandbox, pool: Pool
) -> None:
    await pool.execute(
        "INSERT INTO contacts (identity, name, email_addresses, is_reserved) VALUES"
        " ('310400009', 'Etaten', '{delivered+1@sandbox.test,delivered+2@sandbox.test}', false),"
        " ('03818011007', 'Ola', '{delivered+3@sandbox.test}', true)"
    )
    organizations = [{"organizationNumber": "310400009"}, {"organizationNumber": "310500003"}]
    answer = await client.post(
        f"{ORDERS}/email",
        json={
            "subject": f"{SUBJECT} til $recipientName$",
            "body": BODY,
            "recipients": [*organizations, {"nationalIdentityNumber": "03818011007"}],
        },
    )
    assert answer.json()["recipientLookup"] == {
        "status": "PartialSuccess",
        "isReserved": ["03818011007"],
        "missingContact": ["310500003"],
    }

    summary = await summary_when(client, answer.json()["orderId"], lambda s: s["generated"] == 4 and all_final(s))

    assert [(n["recipient"], n["sendStatus"]["status"]) for n in summary["notifications"]] == [
        ({"emailAddress": "delivered+1@sandbox.test", "organizationNumber": "310400009"}, "Delivered"),
        ({"emailAddress": "delivered+2@sandbox.test", "organizationNumber": "310400009"}, "Delivered"),
        ({"emailAddress": "", "organizationNumber": "310500003"}, "Failed_RecipientNotIdentified"),
        ({"emailAddress": "", "nationalIdentityNumber": "03818011007"}, "Failed_RecipientReserved"),
    ]
    assert {mail.header("Subject") for mail in sandbox.mailbox.newest()} == {f"{SUBJECT} til Etaten"}
    status = (await client.get(f"{ORDERS}/{summary['orderId']}/status")).json()
    assert status["processingStatus"]["status"] == "Completed"
    stored = (await client.get(f"{ORDERS}/{summary['orderId']}")).json()
    assert stored["emailTemplate"]["subject"] == f"{SUBJECT} til $recipientName$"
    assert stored["recipients"][:2] == organizations


async def test_an_order_whose_condition_is_met_is_sent(client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    order_id = await place(client, "delivered@sandbox.test", conditionEndpoint=f"https://{CONDITION_HOST}/ja")

    summary = await summary_when(client, order_id, lambda s: bool(s["notifications"]) and all_final(s))

    assert summary["succeeded"] == 1
    stored = (await client.get(f"{ORDERS}/{order_id}")).json()
    assert stored["conditionEndpoint"] == f"https://{CONDITION_HOST}/ja"


async def test_an_order_whose_condition_is_not_met_is_never_sent(client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    order_id = await place(client, "delivered@sandbox.test", conditionEndpoint=f"https://{CONDITION_HOST}/nei")

    async with asyncio.timeout(LIMIT):
        while True:
            status = (await client.get(f"{ORDERS}/{order_id}/status")).json()
            if status["processingStatus"]["status"] not in ("Registered", "Processing"):
                break
            await asyncio.sleep(0.02)  # between two looks

    assert status["processingStatus"]["status"] == "SendConditionNotMet"
    assert "notificationsStatusSummary" not in status
    assert (await client.get(f"{ORDERS}/{order_id}/notifications/email")).json()["generated"] == 0
    assert (await client.put(f"{ORDERS}/{order_id}/cancel")).status_code == 409
    assert len(sandbox.mailbox) == 0


async def test_reports_that_come_twice_count_once(client: httpx2.AsyncClient, sandbox: Sandbox, pool: Pool) -> None:
    order_id = await place(client, "twice@sandbox.test")
    await summary_when(client, order_id, all_final)
    async with asyncio.timeout(LIMIT):
        await sandbox.until_settled()

    assert await pool.fetchval("SELECT count(*) FROM send_status_history WHERE send_status = 'Delivered'") == 1


async def test_orders_are_many_mails_but_one_recipient_each(client: httpx2.AsyncClient, sandbox: Sandbox) -> None:
    order_id = await place(client, *(f"delivered+{number}@sandbox.test" for number in range(50)))

    summary = await summary_when(client, order_id, all_final)

    assert summary["succeeded"] == 50
    envelopes = [mail.envelope for mail in sandbox.mailbox.newest()]
    assert len({envelope.sender for envelope in envelopes}) == 50
    assert {len(envelope.recipients) for envelope in envelopes} == {1}
    assert replace(envelopes[0], recipients=()).envid is not None
