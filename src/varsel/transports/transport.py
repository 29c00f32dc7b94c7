"""The one narrow seam between a notification and the outside: hand over a mail, learn what became of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """A message in its envelope (RFC 5321 section 2.3.1)."""

    return_path: str
    recipient_address: str
    envelope_id: str  # comes back in reports as Original-Envelope-Id (RFC 3461 section 4.4)
    message: bytes  # RFC 5322, lines end in CRLF


@dataclass(frozen=True, slots=True)
class Accepted:
    """The relay answered 250 to the final dot: it has taken responsibility."""

    reply: str
    relay: str = ""  # host:port of who said so, for people
    reports_successes: bool = False  # whether that relay is said to report every delivery


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now (4yz); nothing was handed over."""

    reply: str
    relay: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never (5yz); `reply` is code and text as the relay gave them."""

    reply: str
    relay: str = ""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The message was sent and no answer came: only the relay knows whether it took it."""

    reply: str
    relay: str = ""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The relay is down, refuses us, or has no room: nothing was handed over, and the mail is not to blame."""

    reply: str
    relay: str = ""
    retry_in: timedelta = timedelta(seconds=1)  # when the relay is worth another try


Outcome = Accepted | Deferred | Rejected | InDoubt | Unreachable


def readable(reply: str) -> str:
    """The other side's words as they came, but for what no database's text can hold: NUL, and octets of no character.

    The latter reach us as lone surrogates, and leave as U+FFFD.
    """
    return reply.replace("\0", "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Transport(Protocol):
    """A way out. `submit` never raises for what a relay may do; it answers with a value."""

    async def submit(self, mail: Mail) -> Outcome:
        """Hand over one mail; bounded by the transport's own timeouts."""
        ...

    async def wait_until_usable(self) -> None:
        """Return once mails can be handed over: at once, unless every relay is down or refuses us."""
        ...

    async def close(self) -> None:
        """Say goodbye to the relay."""
        ...
