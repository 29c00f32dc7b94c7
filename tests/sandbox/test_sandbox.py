import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import aiosmtplib
import pytest
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as ListenerEnvelope
from aiosmtpd.smtp import Session as ListenerSession

from tests.sandbox.report_sink import ReportSink, TakenReport, listener_at
from tests.sandbox.smtp_client import connected, run
from varsel.errors import SettingsError
from varsel.sandbox.fates import FATES
from varsel.sandbox.handler import DROP, Answer, Envelope, Handler, Reply
from varsel.sandbox.server import Sandbox
from varsel.sandbox.smtp_server import SmtpServer

AT_ONCE = timedelta(milliseconds=1)
NOTIFY_ALL = "NOTIFY=SUCCESS,FAILURE,DELAY"

DELIVERED, BOUNCED = ("delivered", "2.0.0"), ("failed", "5.1.1")
REPORTED = {
    "delivered": [DELIVERED],
    "relayed": [("relayed", "2.0.0")],
    "bounced": [BOUNCED],
    "spam": [("failed", "5.7.1")],
    "quarantined": [("failed", "5.7.0")],
    "failed": [("failed", "5.0.0")],
    "slow": [DELIVERED],
    "delayed": [("delayed", "4.4.1"), DELIVERED],
    "late": [DELIVERED, BOUNCED],
    "twice": [DELIVERED, DELIVERED],
    "silent": [],
    "complaint": [DELIVERED, ("complaint", "")],
    "anybody": [DELIVERED],
}
REFUSED = {
    "rejected": "550 5.1.1 Recipient address rejected: User unknown",
    "invalid": "553 5.1.3 Bad recipient address syntax",
    "full": "552 5.2.2 Mailbox full",
    "alwaysdeferred": "450 4.2.1 Mailbox temporarily unavailable",
}


@asynccontextmanager
async def sandbox_with(sink: Handler, *, slow_reply: timedelta = AT_ONCE) -> AsyncIterator[Sandbox]:
    async with (
        SmtpServer(sink) as listener,
        Sandbox(reports_to=listener_at(listener.port), report_delay=AT_ONCE, slow_reply=slow_reply) as sandbox,
    ):
        yield sandbox


async def send(sandbox: Sandbox, recipient: str, *, envid: str = "n-1", notify: str = NOTIFY_ALL) -> str:
    """What the relay said in the end, as a sender logs it: code and text, or `lost`."""
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=sandbox.port, start_tls=False)
    try:
        async with client:
            _, text = await client.sendmail(
                "b+1.x@bounce.test",
                [recipient],
                b"From: a@b.test\r\nTo: c@d.test\r\nSubject: Hei\r\n\r\nHei\r\n",
                mail_options=["RET=HDRS", f"ENVID={envid}"],
                rcpt_options=[notify],
            )
        return f"250 {text}"
    except aiosmtplib.SMTPRecipientsRefused as refusal:
        return f"{refusal.recipients[0].code} {refusal.recipients[0].message}"
    except aiosmtplib.SMTPServerDisconnected:
        return "lost"


def play(local_part: str, *, attempts: int = 1) -> tuple[list[str], list[TakenReport]]:
    """The replies to so many attempts, and the reports that came."""

    async def sending() -> tuple[list[str], list[TakenReport]]:
        sink = ReportSink()
        async with sandbox_with(sink) as sandbox:
            replies = [await send(sandbox, f"{local_part}@sandbox.test") for _ in range(attempts)]
            await sandbox.until_settled()
        return replies, sink.taken

    return run(sending())


def fields(reports: list[TakenReport]) -> list[tuple[str, str]]:
    return [(report.action, report.blocks()[-1].get("Status", "")) for report in reports]


@pytest.mark.parametrize(("local_part", "expected"), REPORTED.items())
def test_mail_that_is_taken_is_reported_on(local_part: str, expected: list[tuple[str, str]]) -> None:
    [reply], reports = play(local_part)

    assert reply.startswith("250 2.0.0 Ok: queued as ")
    assert fields(reports) == expected


@pytest.mark.parametrize(("local_part", "reply"), REFUSED.items())
def test_who_is_refused_is_refused_every_time_and_not_reported_on(local_part: str, reply: str) -> None:
    replies, reports = play(local_part, attempts=3)

    assert replies == [reply] * 3
    assert reports == []


def test_a_greylisted_mail_is_taken_from_the_second_attempt_on() -> None:
    [first, second, third], reports = play("deferred", attempts=3)

    assert first == "451 4.7.1 Greylisted, please try again later"
    assert second.startswith("250")
    assert third.startswith("250")
    assert fields(reports) == [DELIVERED] * 2


def test_every_mail_is_greylisted_for_itself() -> None:
    async def sending() -> list[str]:
        async with sandbox_with(ReportSink()) as sandbox:
            return [
                (await send(sandbox, recipient, envid=envid))[:3]
                for envid in ("n-1", "n-2")
                for recipient in ("deferred@sandbox.test", "deferred+2@sandbox.test", "Deferred@sandbox.test")
            ]

    assert run(sending()) == ["451", "451", "250"] * 2


def test_a_dropped_mail_leaves_no_trace_until_it_is_sent_again() -> None:
    [first, second], reports = play("drop", attempts=2)

    assert first == "lost"
    assert second.startswith("250")
    assert fields(reports) == [DELIVERED]


def test_an_unanswered_mail_was_taken_all_the_same() -> None:
    [first], reports = play("unanswered")
    [_, second], reports_of_both = play("unanswered", attempts=2)

    assert first == "lost"
    assert fields(reports) == [DELIVERED]
    assert second.startswith("250")
    assert len(reports_of_both) == 2


def test_a_slow_server_answers_the_final_dot_after_its_time() -> None:
    async def sending() -> tuple[float, str]:
        async with sandbox_with(ReportSink(), slow_reply=timedelta(milliseconds=50)) as sandbox:
            started = asyncio.get_running_loop().time()
            reply = await send(sandbox, "slow@sandbox.test")
            return asyncio.get_running_loop().time() - started, reply

    seconds, reply = run(sending())

    assert seconds >= 0.05
    assert reply.startswith("250")


def test_no_fate_is_forgotten_here() -> None:
    assert {*REPORTED, *REFUSED, "deferred", "drop", "unanswered"} == {*FATES, "anybody"}


def test_a_report_has_the_null_sender_and_goes_to_the_return_path() -> None:
    _, [report] = play("bounced")

    assert report.envelope.sender == ""
    assert [recipient.address for recipient in report.envelope.recipients] == ["b+1.x@bounce.test"]
    assert report.blocks()[0]["Original-Envelope-Id"] == "n-1"


def test_nothing_is_reported_when_never_was_asked() -> None:
    async def sending() -> list[TakenReport]:
        sink = ReportSink()
        async with sandbox_with(sink) as sandbox:
            for fate in ("delivered", "bounced", "late", "delayed"):
                await send(sandbox, f"{fate}@sandbox.test", notify="NOTIFY=NEVER")
            await sandbox.until_settled()
        return sink.taken

    assert run(sending()) == []


def test_what_was_taken_can_be_read_in_the_mailbox() -> None:
    async def sending() -> tuple[str, Sandbox]:
        async with sandbox_with(ReportSink()) as sandbox:
            await send(sandbox, "rejected@sandbox.test")
            return await send(sandbox, "bounced@sandbox.test"), sandbox

    reply, sandbox = run(sending())

    [message] = sandbox.mailbox.newest()
    assert reply == f"250 2.0.0 Ok: queued as {message.id}"
    assert message.header("Subject") == "Hei"
    assert message.envelope.recipients[0].address == "bounced@sandbox.test"
    assert message.content.endswith(b"\r\n\r\nHei\r\n")


def test_reports_wait_until_it_is_known_where_they_go() -> None:
    async def sending() -> list[TakenReport]:
        sink = ReportSink()
        async with Sandbox(report_delay=AT_ONCE) as sandbox:
            await send(sandbox, "bounced@sandbox.test")
            assert sandbox.reports_waiting == 1
            async with SmtpServer(sink) as listener:
                sandbox.reports_to = listener_at(listener.port)
                return await sink.reports(1)

    assert fields(run(sending())) == [BOUNCED]


def test_a_report_arrives_when_the_listener_is_up_again() -> None:
    async def sending() -> list[TakenReport]:
        sink = ReportSink()
        listener = SmtpServer(sink)
        await listener.start()
        async with Sandbox(reports_to=listener_at(listener.port), report_delay=AT_ONCE) as sandbox:
            await send(sandbox, "delivered@sandbox.test")
            await sink.reports(1)
            await listener.stop()
            await send(sandbox, "bounced@sandbox.test")
            async with listener:
                return await sink.reports(2)

    assert fields(run(sending())) == [DELIVERED, BOUNCED]


@pytest.mark.parametrize("answer", [Reply(451, "4.3.0 Later"), Reply(421, "4.3.2 Later"), DROP])
def test_a_report_that_was_not_taken_comes_again_with_the_same_message_id(answer: Answer) -> None:
    class Remembering(ReportSink):
        def __init__(self) -> None:
            super().__init__(answer)
            self.ids: list[str] = []

        async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
            self.ids.append(TakenReport(envelope, content).message["Message-ID"])
            return await super().on_message(envelope, content)

    async def sending() -> list[str]:
        sink = Remembering()
        async with sandbox_with(sink) as sandbox:
            await send(sandbox, "bounced@sandbox.test")
            await sink.reports(1)
        return sink.ids

    first, second = run(sending())

    assert first == second


@pytest.mark.parametrize("step", ["on_recipient", "on_message"])
def test_a_report_that_the_listener_refuses_is_not_tried_again_but_the_next_one_is(step: str) -> None:
    class Refusing(ReportSink):
        refused = 0

        async def on_recipient(self, envelope: Envelope, recipient: object) -> Answer:
            return self._refuse_once("on_recipient")

        async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
            return self._refuse_once("on_message") or await super().on_message(envelope, content)

        def _refuse_once(self, here: str) -> Answer:
            if here != step or self.refused:
                return None
            self.refused += 1
            return Reply(550, "5.1.1 No such return path")

    async def sending() -> list[TakenReport]:
        sink = Refusing()
        async with sandbox_with(sink) as sandbox:
            await send(sandbox, "late@sandbox.test")
            await sandbox.until_settled()
        return sink.taken

    assert fields(run(sending())) == [BOUNCED]


@pytest.mark.parametrize("offers_utf8", [True, False])
def test_an_lmtp_listener_gets_reports_one_after_the_other(offers_utf8: bool) -> None:
    class Keeping:
        def __init__(self) -> None:
            self.options: list[list[str]] = []

        async def handle_DATA(  # noqa: N802  # the library's name
            self, server: SMTP, session: ListenerSession, envelope: ListenerEnvelope
        ) -> str:
            self.options.append(envelope.mail_options)
            return "250 2.0.0 Ok"

    async def sending() -> list[list[str]]:
        keeping, loop = Keeping(), asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: LMTP(keeping, enable_SMTPUTF8=offers_utf8, loop=loop), "127.0.0.1", 0
        )
        port = listener.sockets[0].getsockname()[1]
        async with Sandbox(reports_to=listener_at(port, "lmtp"), report_delay=AT_ONCE) as sandbox:
            await send(sandbox, "late@sandbox.test")
            async with connected(sandbox.port) as client:
                await client.deliver("bounced+å@sandbox.test", mail=" SMTPUTF8")
            await sandbox.until_settled()
        listener.close()
        await listener.wait_closed()
        return keeping.options

    options = run(sending())

    assert len(options) == 3
    assert [options for options in options if "SMTPUTF8" in options] == [["BODY=8BITMIME", "SMTPUTF8"]] * offers_utf8


def test_thousands_of_reports_go_over_a_few_connections() -> None:
    mails, connections = 2_000, 4

    class Counting(ReportSink):
        connected = 0

        async def on_connect(self) -> Answer:
            self.connected += 1
            return None

    async def deliver_many(port: int) -> None:
        async with connected(port) as client:
            for _ in range(mails // connections):
                await client.deliver("bounced@sandbox.test")

    async def sending() -> tuple[int, int, int]:
        sink = Counting()
        async with sandbox_with(sink) as sandbox:
            await asyncio.gather(*(deliver_many(sandbox.port) for _ in range(connections)))
            await sink.reports(mails)
            await sandbox.until_settled()
            return len(sink.taken), sink.connected, len(sandbox.mailbox)

    reports, connections_used, kept = run(sending())

    assert reports == mails
    assert connections_used <= 4
    assert kept == 1_000


def test_a_stopped_sandbox_leaves_no_task_behind() -> None:
    async def sending() -> int:
        async with Sandbox(report_delay=AT_ONCE) as sandbox:
            for fate in ("late", "bounced"):
                await send(sandbox, f"{fate}@sandbox.test")
        return len(asyncio.all_tasks())

    assert run(sending()) <= 2


def test_a_port_that_is_taken_is_a_matter_of_settings() -> None:
    async def start_twice() -> None:
        async with Sandbox() as first, Sandbox(port=first.port):
            pass

    with pytest.raises(SettingsError, match=r"cannot listen on port \d+"):
        run(start_twice())
