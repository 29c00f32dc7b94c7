"""What the tests of sending share: a relay that waits, a transport that answers, one round with all its results."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from tests.relay import ScriptedRelay
from varsel.notifications.liveness import Worker
from varsel.notifications.send import Sender, SendingRules
from varsel.sandbox.handler import Answer, Envelope
from varsel.transports.transport import Mail, Outcome

LIMIT = 10.0  # seconds; a bound for a machine under load, not a measure
RULES = SendingRules(
    domain="bounce.varsel.test",
    retry_first=timedelta(seconds=60),
    retry_max=timedelta(hours=1),
    least_in_hand=16,
    most_in_hand=16,
    unrecorded=8,
)


class PatientRelay(ScriptedRelay):
    """Remembers every envelope, and answers the final dot only while its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._arrived = asyncio.Condition()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        async with self._arrived:
            self.envelopes.append(envelope)
            self._arrived.notify_all()
        await self.gate.wait()
        return await super().on_message(envelope, content)

    async def until_here(self, mails: int) -> None:
        async with asyncio.timeout(LIMIT), self._arrived:
            await self._arrived.wait_for(lambda: len(self.envelopes) >= mails)


@dataclass
class FakeTransport:
    """Answers every mail alike, and keeps them."""

    answer: Outcome | Exception
    submitted: list[Mail] = field(default_factory=list)

    async def submit(self, mail: Mail) -> Outcome:
        self.submitted.append(mail)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def wait_until_usable(self) -> None:
        pass

    async def close(self) -> None:
        pass


def number_of(worker: Worker) -> int:
    assert worker.number is not None
    return worker.number


async def send_all(sender: Sender, worker: Worker) -> None:
    """One round, and all that comes of it."""
    async with asyncio.timeout(LIMIT):
        await sender.send_due(number_of(worker))
        await sender.drain()
