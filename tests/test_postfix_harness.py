"""The Postfix of tests/postfix.py itself: what it delivers, what it reports, and what it leaves behind."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

import aiosmtplib
import pytest
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.postfix import Postfix, ReportsScheme, needs_postfix, running_postfix

RETURN_PATH = "b+x@bounce.test"
NOBODY_LISTENS = 9  # where a test expects no report
# Without Date and Message-ID, which a relay may add; with dots, 8-bit text and spaces that it could spoil.
MAIL = "From: sender@varsel.test\r\nTo: kari@ok.test\r\nSubject: Hei\r\n\r\n.blåbær  \r\n..\r\n".encode()


class Listener:
    """Takes the reports that the relay hands over."""

    def __init__(self) -> None:
        self.port = 0
        self._arrived: asyncio.Queue[tuple[list[str], Message]] = asyncio.Queue()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self._arrived.put_nowait((envelope.rcpt_tos, message_from_bytes(content, policy=policy.default)))
        return "250 2.0.0 Ok"

    async def next_report(self) -> tuple[list[str], Message]:
        """The envelope's recipients and the block about the one recipient of the mail (RFC 3464)."""
        recipients, report = await asyncio.wait_for(self._arrived.get(), timeout=20)
        status = next(part for part in report.walk() if part.get_content_type() == "message/delivery-status")
        blocks = status.get_payload()
        assert isinstance(blocks, list)
        _about_the_mail, about_the_recipient = blocks
        assert isinstance(about_the_recipient, Message)
        return recipients, about_the_recipient


@asynccontextmanager
async def listening(protocol: type[SMTP] = LMTP) -> AsyncIterator[Listener]:
    loop = asyncio.get_running_loop()
    listener = Listener()
    server = await loop.create_server(lambda: protocol(listener, loop=loop), "127.0.0.1", 0)
    async with server:
        listener.port = server.sockets[0].getsockname()[1]
        yield listener


async def hand_over(relay: Postfix, recipient: str, *rcpt_options: str) -> None:
    await aiosmtplib.send(
        MAIL,
        sender=RETURN_PATH,
        recipients=[recipient],
        hostname="127.0.0.1",
        port=relay.port,
        start_tls=False,
        mail_options=["RET=HDRS", "ENVID=x"],
        rcpt_options=list(rcpt_options),
    )


def as_stored(mail: bytes) -> bytes:
    return mail.replace(b"\r\n", b"\n")


@needs_postfix
def test_a_mail_to_a_known_recipient_is_stored_unchanged_and_reported_as_delivered() -> None:
    async def scenario() -> None:
        async with listening() as listener:
            with running_postfix(listener.port) as relay:
                await hand_over(relay, "kari@ok.test", "NOTIFY=SUCCESS,FAILURE")

                recipients, block = await listener.next_report()

                assert recipients == [RETURN_PATH]
                assert (block["Action"], block["Status"]) == ("delivered", "2.0.0")
                assert block["Final-Recipient"] == "rfc822; kari@ok.test"
                (stored,) = relay.mailbox("kari")
                trace, mail = stored[: -len(as_stored(MAIL))], stored[-len(as_stored(MAIL)) :]
                assert mail == as_stored(MAIL)
                assert trace.startswith(b"Return-Path: <b+x@bounce.test>\n")

    asyncio.run(scenario())


@needs_postfix
@pytest.mark.parametrize(("scheme", "protocol"), [("lmtp", LMTP), ("smtp", SMTP)])
@pytest.mark.parametrize(("recipient", "status"), [("unknown@ok.test", "5.1.1"), ("somebody@nowhere.test", "5.4.4")])
def test_a_mail_that_cannot_arrive_is_accepted_and_reported_as_failed(
    recipient: str, status: str, scheme: ReportsScheme, protocol: type[SMTP]
) -> None:
    async def scenario() -> None:
        async with listening(protocol) as listener:
            with running_postfix(listener.port, reports_scheme=scheme) as relay:
                await hand_over(relay, recipient)

                recipients, block = await listener.next_report()

                assert recipients == [RETURN_PATH]
                assert (block["Action"], block["Status"]) == ("failed", status)
                assert block["Final-Recipient"] == f"rfc822; {recipient}"

    asyncio.run(scenario())


@needs_postfix
def test_a_setting_of_the_test_wins_over_that_of_the_harness() -> None:
    async def scenario() -> None:
        with running_postfix(NOBODY_LISTENS, settings={"smtpd_reject_unlisted_recipient": "yes"}) as relay:
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
                await hand_over(relay, "unknown@ok.test")

            assert refused.value.recipients[0].code == 550
            assert "5.1.1" in refused.value.recipients[0].message

    asyncio.run(scenario())


@needs_postfix
def test_two_relays_run_beside_each_other_with_mailboxes_of_their_own() -> None:
    async def scenario() -> None:
        async with listening() as listener:
            with (
                running_postfix(listener.port) as one,
                running_postfix(listener.port, users=["kari", "ola"]) as other,
            ):
                await hand_over(other, "ola@ok.test", "NOTIFY=SUCCESS")
                await hand_over(other, "kari@ok.test", "NOTIFY=SUCCESS")
                for _ in range(2):
                    await listener.next_report()

                assert [len(other.mailbox(user)) for user in ("kari", "ola")] == [1, 1]
                assert one.mailbox("kari") == []

    asyncio.run(scenario())


@needs_postfix
def test_a_relay_leaves_neither_files_nor_a_listener_behind() -> None:
    with running_postfix(NOBODY_LISTENS) as relay:
        pass

    assert not relay.directory.exists()
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that end do not count
        taker.bind(("127.0.0.1", relay.port))  # refused while anybody listens there


@needs_postfix
def test_a_relay_dies_with_the_process_that_started_it() -> None:
    run_for_ever = (
        "from tests.postfix import running_postfix\n"
        f"with running_postfix({NOBODY_LISTENS}) as relay:\n"
        "    print(relay.port, relay.directory, flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", run_for_ever],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        port, directory = process.stdout.readline().split()
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as client:
            assert client.recv(1024).startswith(b"220 ")

            process.kill()

            assert client.recv(1024) == b""
    shutil.rmtree(directory, ignore_errors=True)


@needs_postfix
def test_a_relay_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(RuntimeError, match="fatal: in parameter smtpd_relay_restrictions"),
        running_postfix(NOBODY_LISTENS, settings={"smtpd_relay_restrictions": ""}),
    ):
        pass


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 failed")])
def test_without_postfix_a_developer_skips_what_needs_it_and_ci_fails(ci: str, outcome: str, tmp_path: Path) -> None:
    one_test = f"{__file__}::{test_a_setting_of_the_test_wins_over_that_of_the_harness.__name__}"

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--noconftest", "-p", "no:cacheprovider", one_test],
        env={"PATH": os.fspath(tmp_path), "CI": ci},
        capture_output=True,
        text=True,
    )

    assert outcome in run.stdout
    assert "Postfix is not installed: apt-get install postfix" in run.stdout
