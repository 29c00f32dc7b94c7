"""A listener for reports that keeps what it gets; what it answers can be scripted."""

import asyncio
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

from varsel.mail_server import MailServer
from varsel.sandbox.smtp_server import Answer, Envelope, Handler


@dataclass(frozen=True, slots=True)
class TakenReport:
    envelope: Envelope
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return BytesParser(policy=default).parsebytes(self.content)

    def blocks(self) -> list[dict[str, str]]:
        """The header blocks of the part for machines, split by hand: the parser knows only some of its types."""
        part = self.content.split(b"\r\nContent-Description: ")[2]
        _, *blocks = part.split(b"\r\n\r\n")
        return [
            dict(line.split(": ", 1) for line in block.decode().split("\r\n") if ": " in line)
            for block in blocks
            if block.strip() and not block.startswith(b"--")
        ]

    @property
    def action(self) -> str:
        return self.blocks()[-1].get("Action", "complaint")


class ReportSink(Handler):
    """Takes reports after `answers` are used up."""

    def __init__(self, *answers: Answer) -> None:
        self.taken: list[TakenReport] = []
        self.offered = 0
        self._answers = list(answers)
        self._changed = asyncio.Condition()

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        async with self._changed:
            self.offered += 1
            self._changed.notify_all()
            if self._answers:
                return self._answers.pop(0)
            self.taken.append(TakenReport(envelope, content))
            return None

    async def reports(self, count: int) -> list[TakenReport]:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.taken) >= count)
            return list(self.taken)

    async def until_offered(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.offered >= count)


def listener_at(port: int, scheme: str = "smtp") -> MailServer:
    return MailServer.from_url(f"{scheme}://127.0.0.1:{port}")
