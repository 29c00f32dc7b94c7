"""Plays the fates: answers the SMTP server's questions as the recipients' names ask for."""

import asyncio
from datetime import timedelta

from varsel.sandbox.fates import AtDot, Refuses, fate_of
from varsel.sandbox.handler import DROP, Answer, Envelope, Handler, Recipient, Reply
from varsel.sandbox.mailbox import Mailbox
from varsel.sandbox.outbox import Outbox
from varsel.sandbox.reports import reports_on

REMEMBERED_ATTEMPTS = 10_000  # the oldest are forgotten: such a mail is deferred or dropped once more


class FatePlayer(Handler):
    """Keeps what it takes in the mailbox, and posts the reports that its fate brings."""

    def __init__(self, mailbox: Mailbox, outbox: Outbox, *, slow_reply: timedelta) -> None:
        self._mailbox = mailbox
        self._outbox = outbox
        self._slow_reply = slow_reply.total_seconds()
        self._attempted: dict[tuple[str, str], None] = {}

    async def on_recipient(self, envelope: Envelope, recipient: Recipient) -> Answer:
        """Refuse those whose fate is to be refused."""
        fate = fate_of(recipient.address)
        if fate.refusal is None:
            return None
        if fate.refuses is Refuses.ALWAYS or self._is_first_attempt(envelope, recipient):
            return fate.refusal
        return None

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        """Take the message and post its reports; of several recipients' fates the worst is played."""
        if self._is_first_with(AtDot.LOST, envelope):
            return DROP
        if self._outbox.is_full:
            return Reply(452, "4.3.1 Insufficient system storage: too many reports are waiting")
        message = self._mailbox.keep(envelope, content)
        if any(fate_of(recipient.address).at_dot is AtDot.SLOW for recipient in envelope.recipients):
            await asyncio.sleep(self._slow_reply)
        for reports in reports_on(message):
            self._outbox.post(reports)
        if self._is_first_with(AtDot.UNANSWERED, envelope):
            return DROP
        return Reply(250, f"2.0.0 Ok: queued as {message.id}")

    def _is_first_with(self, at_dot: AtDot, envelope: Envelope) -> bool:
        attempts = [
            self._is_first_attempt(envelope, recipient)
            for recipient in envelope.recipients
            if fate_of(recipient.address).at_dot is at_dot
        ]
        return any(attempts)  # a list before, so that each recipient's attempt has been counted

    def _is_first_attempt(self, envelope: Envelope, recipient: Recipient) -> bool:
        """Whether nobody has asked about this mail and recipient before; to ask counts as an attempt."""
        attempt = (envelope.envid or envelope.sender, recipient.address.casefold())
        if attempt in self._attempted:
            return False
        self._attempted[attempt] = None
        if len(self._attempted) > REMEMBERED_ATTEMPTS:
            del self._attempted[next(iter(self._attempted))]
        return True
