"""What the SMTP server asks at each step of a transaction, and what can be answered.

A scripted relay is a `Handler` with one method overridden; whatever is left alone is accepted:

    class FullRelay(Handler):
        async def on_recipient(self, envelope, recipient):
            return Reply(452, "4.3.1 Insufficient system storage")
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply code and its text, enhanced status code first; each line of the text is one of the reply."""

    code: int
    text: str

    def __str__(self) -> str:
        """The reply as it is sent, without the last CRLF: `550 5.1.1 No such user`."""
        *before, last = self.text.split("\n")
        return "".join(f"{self.code}-{line}\r\n" for line in before) + f"{self.code} {last}"

    @property
    def is_positive(self) -> bool:
        """Whether the command was obeyed, or goes on (354)."""
        return self.code < 400


class Drop(Enum):
    """The answer that is none: the connection is closed and the client left in doubt."""

    DROP = "drop"


DROP: Final = Drop.DROP

# None is the server's own positive reply. After a 421 the connection is closed (RFC 5321 section 3.8).
Answer: TypeAlias = Reply | Drop | None


@dataclass(frozen=True, slots=True)
class Recipient:
    """One RCPT TO with what RFC 3461 lets the client ask for."""

    address: str
    notify: frozenset[str] = frozenset()  # NEVER, or some of SUCCESS, FAILURE, DELAY; empty: nothing was asked
    orcpt: str | None = None  # with its type and decoded: `rfc822;a+b@example.no`


@dataclass(frozen=True, slots=True)
class Envelope:
    """MAIL FROM with its parameters, and the recipients accepted so far."""

    sender: str
    recipients: tuple[Recipient, ...] = ()
    envid: str | None = None  # decoded
    ret: Literal["FULL", "HDRS"] | None = None
    smtputf8: bool = False


class Handler:
    """Decides what an `SmtpServer` answers; one handler serves all connections of a server."""

    async def on_connect(self) -> Answer:
        """Answer a new connection; a negative reply closes it."""
        return None

    async def on_mail(self, envelope: Envelope) -> Answer:
        """Answer MAIL FROM; a negative reply opens no transaction."""
        return None

    async def on_recipient(self, envelope: Envelope, recipient: Recipient) -> Answer:
        """Answer RCPT TO; only after a positive reply is the recipient one of the envelope's."""
        return None

    async def on_data(self, envelope: Envelope) -> Answer:
        """Answer DATA before any content is sent; a positive answer other than None makes no sense here."""
        return None

    async def on_message(self, envelope: Envelope, content: bytes) -> Answer:
        """Answer the final dot; `content` is the message with CRLF line ends, dots unstuffed."""
        return None
