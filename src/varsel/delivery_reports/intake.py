"""The listener that takes delivery reports for the return-path domain, over LMTP or SMTP.

RCPT  an address that we did not sign: 550 at once, so forged reports never get further; the one exception is the
      address for complaints, which nobody can sign: it takes few, and small ones
DATA  a message of any size and shape; stored, read, recorded: 250 only after the commit; any trouble of ours is
      451, so that the relay keeps the report and comes again
"""

import asyncio
import socket
from collections import deque
from dataclasses import dataclass
from functools import cache

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from varsel.database.connect import UNAVAILABLE, Pool
from varsel.database.statements import statements
from varsel.delivery_reports.conversation import Busy, LmtpConversation, ReportEnvelope, SmtpConversation
from varsel.delivery_reports.record import ReportRules
from varsel.delivery_reports.take import Taking
from varsel.mail_server import MailServer

log = structlog.get_logger(__name__)
SQL = statements("delivery_reports")

CONNECTIONS_LIMIT = 50  # a relay opens a handful; each may hold a report of the largest size in memory
COMPLAINT_LIMIT = 1024 * 1024  # bytes; feedback loops enclose the mail, without what was attached to it
UNMATCHED_COMPLAINTS_LIMIT = 1_000  # anybody can send them, so they may fill no disk
MINUTE = 60.0  # seconds
IDLE_TIMEOUT = 300.0  # seconds (RFC 5321 section 4.5.3.2.7)
IDENT = "Varsel delivery reports"
TRY_AGAIN = "451 4.3.0 Try again later"  # the relay keeps the report

_own_name = cache(socket.getfqdn)  # asks the resolver, which may take its time: not for every connection


@dataclass(frozen=True, slots=True)
class ComplaintRules:
    """Who may complain without a signature, and how often."""

    address: str | None = None  # in lower case; None: no such complaints are taken
    a_minute: int = 60


NO_COMPLAINTS = ComplaintRules()


class ReportIntake:
    """Answers the relay; aiosmtpd calls the `handle_` functions, one for each command."""

    def __init__(self, pool: Pool, rules: ReportRules, complaints: ComplaintRules = NO_COMPLAINTS) -> None:
        self._pool = pool
        self._return_paths = rules.return_paths
        self._taking = Taking(pool, rules)
        self._complaints = complaints
        self._complaints_taken: deque[float] = deque(maxlen=complaints.a_minute)
        self.connections = 0

    async def listen(self, server: MailServer) -> asyncio.Server:
        """Open the listener; port 0 takes a free one."""
        protocol = LmtpConversation if server.scheme == "lmtp" else SmtpConversation

        def connection() -> asyncio.Protocol:
            if self.connections >= CONNECTIONS_LIMIT:
                return Busy()
            conversation: asyncio.Protocol = protocol(
                self,
                data_size_limit=None,
                enable_SMTPUTF8=True,
                hostname=_own_name(),
                ident=IDENT,
                timeout=IDLE_TIMEOUT,
            )
            return conversation

        return await asyncio.get_running_loop().create_server(connection, server.host, server.port)

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name; LHLO comes here too
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Say, too, that commands may come together."""
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]]

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: ReportEnvelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Take the one recipient that a report can have: the return path of one of our mails."""
        if envelope.rcpt_tos:
            # Two return paths in one transaction would need two replies; the relay sends the other one again.
            return "452 4.5.3 One recipient at a time"
        if address.lower() == self._complaints.address:
            if not self._takes_another_complaint():
                return "452 4.3.2 Too many complaints, try again later"
        elif (signed_for := self._return_paths.notification_of(address)) is None:
            log.info("report refused: not a return path of ours")
            return "550 5.1.1 No such return path"
        else:
            envelope.signed_for = signed_for
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: ReportEnvelope) -> str:  # noqa: N802
        """Store and record; say 250 only once that is committed."""
        signed_for = envelope.signed_for
        content = envelope.content
        if not isinstance(content, bytes):
            return TRY_AGAIN
        try:
            if signed_for is None:
                return await self._take_complaint(content)
            await self._taking.take(signed_for, content)
        except UNAVAILABLE as error:
            log.warning("report not taken; the relay keeps it: the database is away", error=type(error).__name__)
            return TRY_AGAIN
        except Exception:
            log.exception("report not taken; the relay keeps it", notification=str(signed_for))
            return TRY_AGAIN
        return "250 2.0.0 Report taken"

    async def _take_complaint(self, content: bytes) -> str:
        if len(content) > COMPLAINT_LIMIT:
            return "552 5.3.4 Too large for a complaint"
        if await self._pool.fetchval(SQL["unmatched_complaints"]) >= UNMATCHED_COMPLAINTS_LIMIT:
            log.error("complaints are put off: too many wait that match no mail")
            return "452 4.3.1 Too many complaints, try again later"
        await self._taking.take(None, content)
        return "250 2.0.0 Report taken"

    def _takes_another_complaint(self) -> bool:
        """Whether the last minute has room for one more."""
        now = asyncio.get_running_loop().time()
        taken = self._complaints_taken
        if len(taken) == taken.maxlen and now - taken[0] < MINUTE:
            return False
        taken.append(now)
        return True

    async def handle_exception(self, error: Exception) -> str:
        """Trouble of ours is never the relay's to give up over."""
        log.error("report listener failed", error=type(error).__name__)
        return TRY_AGAIN
