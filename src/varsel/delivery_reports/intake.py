"""The listener that takes delivery reports for the return-path domain, over LMTP or SMTP.

RCPT  an address that we did not sign: 550 at once, so forged reports never get further
DATA  stored, classified, recorded: 250 only after the commit; any trouble of ours is 451, so that the relay
      keeps the report and comes again
"""

import asyncio

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from varsel.database.connect import Pool
from varsel.delivery_reports.record import Relayed, take_report
from varsel.mail_server import MailServer
from varsel.transports.return_path import ReturnPaths

log = structlog.get_logger(__name__)

REPORT_LIMIT = 10 * 1024 * 1024  # bytes; we ask relays for headers only (RET=HDRS), so reports are a few kB
LINE_LIMIT = 64 * 1024  # bytes; twice the longest line seen in real reports, which ignore the 998 of RFC 5322
IDLE_TIMEOUT = 300.0  # seconds (RFC 5321 section 4.5.3.2.7)
IDENT = "Varsel delivery reports"


class _LmtpServer(LMTP):
    line_length_limit = LINE_LIMIT


class _SmtpServer(SMTP):
    line_length_limit = LINE_LIMIT


class ReportIntake:
    """Answers the relay; aiosmtpd calls the `handle_` functions, one for each command."""

    def __init__(self, pool: Pool, return_paths: ReturnPaths, relayed: Relayed) -> None:
        self._pool = pool
        self._return_paths = return_paths
        self._relayed = relayed

    async def listen(self, server: MailServer) -> asyncio.Server:
        """Open the listener; port 0 takes a free one."""
        protocol = _LmtpServer if server.scheme == "lmtp" else _SmtpServer

        def connection() -> asyncio.Protocol:
            conversation: asyncio.Protocol = protocol(
                self, data_size_limit=REPORT_LIMIT, enable_SMTPUTF8=True, ident=IDENT, timeout=IDLE_TIMEOUT
            )
            return conversation

        return await asyncio.get_running_loop().create_server(connection, server.host, server.port)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Take the one recipient that a report can have: the return path of one of our mails."""
        if envelope.rcpt_tos:
            # Two return paths in one transaction would need two replies; the relay sends the other one again.
            return "452 4.5.3 One recipient at a time"
        if self._return_paths.notification_of(address) is None:
            log.info("report refused: not a return path of ours")
            return "550 5.1.1 No such return path"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store and record; say 250 only once that is committed."""
        notification_id = self._return_paths.notification_of(envelope.rcpt_tos[0])
        if notification_id is None or not isinstance(envelope.content, bytes):
            return "451 4.3.0 Try again later"
        try:
            await take_report(self._pool, notification_id, envelope.content, self._relayed)
        except Exception:
            log.exception("report not taken; the relay keeps it", notification=str(notification_id))
            return "451 4.3.0 Try again later"
        return "250 2.0.0 Report taken"

    async def handle_exception(self, error: Exception) -> str:
        """Trouble of ours is never the relay's to give up over."""
        log.error("report listener failed", error=type(error).__name__)
        return "451 4.3.0 Try again later"
