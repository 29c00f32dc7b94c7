"""The relay of the kill test: takes its time for each mail, keeps books, and reports as the recipient's name asks.

The names are the sandbox's (`bounced+1@sandbox.test`). The tag `early` makes the first report come before the 250.
"""

import asyncio
from collections import Counter
from email.parser import BytesHeaderParser
from email.policy import compat32

from bench.chaos_records import Arrival, Books, clock
from bench.chaos_reports import ReportQueue
from varsel.sandbox.fates import Refuses, fate_of
from varsel.sandbox.handler import Answer, Envelope, Handler, Recipient, Reply
from varsel.sandbox.mailbox import Mailbox
from varsel.sandbox.reports import reports_on

EARLY = "+early"
EARLY_LIMIT = 1.0  # seconds that the 250 waits for a report before it; the listener may be dead


class ChaosRelay(Handler):
    """Takes every mail, but for a greylisted one's first attempt."""

    def __init__(self, reports: ReportQueue, *, seconds_a_mail: float) -> None:
        self._reports = reports
        self._seconds_a_mail = seconds_a_mail
        self._mailbox = Mailbox(messages=1)  # for the form that the sandbox's reports want
        self._arrivals: dict[str, list[Arrival]] = {}
        self._refused: Counter[str] = Counter()
        self.in_hand = 0  # mails whose 250 is awaited

    def books_now(self) -> Books:
        """What was seen so far; may be asked for from any thread."""
        # Copying a dictionary is one step of the interpreter: nothing comes in between.
        return Books(self._arrivals.copy(), self._reports.answered.copy())

    async def on_recipient(self, envelope: Envelope, recipient: Recipient) -> Answer:
        """Greylist those whose fate it is."""
        fate = fate_of(recipient.address)
        if fate.refuses is Refuses.ONCE and not self._refused[recipient.address]:
            self._refused[recipient.address] += 1
            return fate.refusal
        return None

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        """Take it, whether or not the client is still there for the 250."""
        self.in_hand += 1
        try:
            return await self._take(envelope, content)
        finally:
            self.in_hand -= 1

    async def _take(self, envelope: Envelope, content: bytes) -> Answer:
        address = envelope.recipients[0].address
        message = self._mailbox.keep(envelope, content)
        headers = BytesHeaderParser(policy=compat32).parsebytes(message.headers)
        await asyncio.sleep(self._seconds_a_mail)
        arrival = Arrival(clock(), str(headers["Message-ID"]), str(headers["Subject"]))
        self._arrivals.setdefault(address, []).append(arrival)
        chains = [self._reports.post(chain, at_once=EARLY in address) for chain in reports_on(message)]
        if chains and EARLY in address:
            await asyncio.wait([chain.first_answered for chain in chains], timeout=EARLY_LIMIT)
        return Reply(250, f"2.0.0 Ok: queued as {message.id}")
