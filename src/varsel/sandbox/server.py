"""The sandbox as a whole: an SMTP server, a mailbox, and the reports that it sends back."""

from datetime import timedelta
from typing import Self

import structlog

from varsel.errors import SettingsError
from varsel.mail_server import MailServer
from varsel.sandbox.fate_player import FatePlayer
from varsel.sandbox.mailbox import Mailbox
from varsel.sandbox.outbox import Outbox
from varsel.sandbox.smtp_server import SmtpServer

REPORT_DELAY = timedelta(milliseconds=100)
SLOW_REPLY = timedelta(seconds=5)

log = structlog.get_logger(__name__)


class Sandbox:
    """A mail server on loopback that takes mail for anybody, passes none on, and plays what `fates` lists.

    `mailbox` holds what it has taken. `reports_to` is where the reports go, an LMTP or SMTP server; as its
    port is often known only later it may be set at any time, and the reports wait until then.
    """

    def __init__(
        self,
        *,
        reports_to: MailServer | None = None,
        port: int = 0,
        report_delay: timedelta = REPORT_DELAY,
        slow_reply: timedelta = SLOW_REPLY,
    ) -> None:
        self.mailbox = Mailbox()
        self._outbox = Outbox(reports_to=reports_to, delay=report_delay)
        self._server = SmtpServer(FatePlayer(self.mailbox, self._outbox, slow_reply=slow_reply), port=port)

    @property
    def port(self) -> int:
        """Where it listens, once it has started."""
        return self._server.port

    @property
    def reports_to(self) -> MailServer | None:
        """Who takes the reports; None as long as nobody does."""
        return self._outbox.reports_to

    @reports_to.setter
    def reports_to(self, listener: MailServer | None) -> None:
        self._outbox.reports_to = listener

    @property
    def reports_waiting(self) -> int:
        """Of how many recipients there are reports that the listener has not taken yet."""
        return self._outbox.waiting

    async def until_settled(self) -> None:
        """Wait until every report has been taken or dropped; the caller sets the time limit."""
        await self._outbox.until_settled()

    async def start(self) -> None:
        """Begin to take mail.

        Raises:
            SettingsError: the port is taken, or not ours to take.
        """
        try:
            await self._server.start()
        except OSError as error:
            raise SettingsError(f"the sandbox cannot listen on port {self.port}: {error.strerror}") from error
        self._outbox.start()
        log.info("sandbox listens", port=self.port)

    async def stop(self) -> None:
        """Close all connections; reports that are still waiting are forgotten."""
        await self._server.stop()
        await self._outbox.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()
