from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from tests.sandbox.report_sink import ReportSink, listener_at
from tests.sandbox.smtp_client import connected, run
from varsel.sandbox.fate_player import FatePlayer
from varsel.sandbox.handler import Envelope, Recipient, Reply
from varsel.sandbox.mailbox import Mailbox, ReceivedMessage
from varsel.sandbox.outbox import Outbox
from varsel.sandbox.reports import Report, reports_on
from varsel.sandbox.smtp_server import SmtpServer

AT_ONCE = timedelta(0)


def bounces(count: int) -> list[list[Report]]:
    recipients = tuple(Recipient(f"bounced+{number}@sandbox.test") for number in range(count))
    return reports_on(ReceivedMessage("4F", datetime.now(UTC), Envelope("b+1@bounce.test", recipients), b""))


def test_a_full_outbox_makes_the_server_put_off_mail() -> None:
    async def sending() -> tuple[str, str, int]:
        mailbox, outbox = Mailbox(), Outbox(delay=AT_ONCE, capacity=1)
        player = FatePlayer(mailbox, outbox, slow_reply=AT_ONCE)
        async with SmtpServer(player) as server, connected(server.port) as client:
            first = await client.deliver("bounced@sandbox.test")
            second = await client.deliver("bounced@sandbox.test")
        await outbox.stop()
        return first, second, len(mailbox)

    first, second, kept = run(sending())

    assert first.startswith("250")
    assert second.startswith("452 4.3.1")
    assert kept == 1


def test_a_report_that_nobody_takes_is_dropped_in_the_end_with_a_warning() -> None:
    async def sending() -> None:
        outbox = Outbox(delay=AT_ONCE, retried_for=timedelta(0))
        outbox.start()
        for reports in bounces(1):
            outbox.post(reports)
        await outbox.until_settled()
        await outbox.stop()

    with capture_logs() as logs:
        run(sending())

    assert [(entry["log_level"], entry["event"]) for entry in logs] == [
        ("warning", "report dropped: the listener did not take it in time")
    ]


def test_the_warning_about_a_refused_report_holds_its_code_and_no_address() -> None:
    async def sending() -> None:
        sink = ReportSink(Reply(550, "5.1.1 <b+1@bounce.test> is unknown"))
        async with SmtpServer(sink) as listener:
            outbox = Outbox(reports_to=listener_at(listener.port), delay=AT_ONCE)
            outbox.start()
            for reports in bounces(1):
                outbox.post(reports)
            await sink.until_offered(1)
            await outbox.until_settled()
            await outbox.stop()

    with capture_logs() as logs:
        run(sending())

    assert logs == [{"event": "report dropped: the listener refused it", "log_level": "warning", "code": 550}]
