"""A relay that answers what a test scripts, and remembers what it took."""

from collections.abc import Callable

from varsel.sandbox.handler import Answer, Envelope, Handler, Recipient


class ScriptedRelay(Handler):
    """Takes every mail; set an `answer_…` to have it answer something else."""

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[tuple[Envelope, bytes]] = []  # what it answered 250 to
        self.seen: list[bytes] = []  # every message that came as far as the final dot
        self.connections = 0
        self.answer_connect: Callable[[], Answer] = lambda: None
        self.answer_recipient: Callable[[str], Answer] = lambda address: None
        self.answer_message: Callable[[bytes], Answer] = lambda content: None

    async def on_connect(self) -> Answer:
        self.connections += 1
        return self.answer_connect()

    async def on_recipient(self, envelope: Envelope, recipient: Recipient) -> Answer:
        return self.answer_recipient(recipient.address)

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        self.seen.append(content)
        answer = self.answer_message(content)
        if answer is None:
            self.taken.append((envelope, content))
        return answer

    @property
    def recipients(self) -> list[str]:
        """Whose mails it took, in this order."""
        return [envelope.recipients[0].address for envelope, _ in self.taken]
