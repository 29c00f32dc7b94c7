"""What the sandbox has received: the last messages, newest first, in memory only."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import HeaderRegistry
from email.parser import BytesHeaderParser
from email.policy import EmailPolicy

from varsel.sandbox.handler import Envelope

MESSAGES = 1_000
TOTAL_BYTES = 50_000_000

# Every header is read as plain text: the parsers of addresses raise on some of what people try out.
_LENIENT = EmailPolicy(header_factory=HeaderRegistry(use_default_map=False))


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message as it was taken over; `id` is the queue id that the client was told."""

    id: str
    received_at: datetime
    envelope: Envelope
    content: bytes

    @property
    def headers(self) -> bytes:
        """The header section as it came, with the CRLF of its last line."""
        end = self.content.find(b"\r\n\r\n")
        return self.content if end < 0 else self.content[: end + 2]

    def header(self, name: str) -> str | None:
        """The decoded text of a header (`Subject`, `From`, `To`), or None where the message has none."""
        value = BytesHeaderParser(policy=_LENIENT).parsebytes(self.headers)[name]
        return None if value is None else str(value)


class Mailbox:
    """Keeps at most so many messages and bytes; the oldest make room for the newest."""

    def __init__(self, *, messages: int = MESSAGES, total_bytes: int = TOTAL_BYTES) -> None:
        self._most_messages = messages
        self._most_bytes = total_bytes
        self._bytes = 0
        self._messages: OrderedDict[str, ReceivedMessage] = OrderedDict()

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, envelope: Envelope, content: bytes) -> ReceivedMessage:
        """Take a message in and give it its id."""
        message = ReceivedMessage(secrets.token_hex(6).upper(), datetime.now(UTC), envelope, content)
        self._messages[message.id] = message
        self._bytes += len(content)
        while len(self._messages) > self._most_messages or self._bytes > self._most_bytes:
            _, oldest = self._messages.popitem(last=False)
            self._bytes -= len(oldest.content)
        return message

    def newest(self, limit: int = MESSAGES) -> list[ReceivedMessage]:
        """The messages that are still kept, newest first."""
        return [message for message, _ in zip(reversed(self._messages.values()), range(limit), strict=False)]

    def find(self, id: str) -> ReceivedMessage | None:  # noqa: A002  # the field's own word
        """The message with this id, or None if it never came or has made room for others."""
        return self._messages.get(id)
