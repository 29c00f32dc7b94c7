"""The records of the kill test: what was asked for, what was seen, what was done, and what may turn out broken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

from varsel.sandbox.fates import Action

_BEGAN_AT = monotonic()


def clock() -> float:
    """Seconds since this program began: what arrivals and faults are dated by."""
    return monotonic() - _BEGAN_AT


class Promise(StrEnum):
    """What may be broken, in the words of the table."""

    ORDER = "lost orders"  # answered 202 and not there, or not with all its recipients
    MAIL = "lost mails"  # of an order that is there, and never at the relay
    REPORT = "lost reports"  # answered 250, and the send status does not show it
    OPEN = "left open"  # New or Sending, or a report that nobody took
    DOUBLED_ORDER = "orders placed twice"
    DOUBLED_MAIL = "mails doubled beyond that"
    ANOTHER_ID = "resent as another mail"  # another Message-ID
    STRAY = "mails of no order"
    REFUSED = "refused or unanswered"  # answers that no healthy request or report gets
    STOPPED = "ended by itself, or late"


@dataclass(frozen=True, slots=True)
class Broken:
    """One promise broken, and by which item."""

    promise: Promise
    what: str
    order_id: str | None = None  # for `varsel show`
    address: str | None = None


@dataclass(frozen=True, slots=True)
class AskedOrder:
    """What a client asked for; `order_id` is what the 202 said, None where none came."""

    reference: str
    recipients: tuple[str, ...]
    has_key: bool
    order_id: str | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail that the relay took."""

    at: float  # on the clock of this program
    message_id: str


@dataclass(frozen=True, slots=True)
class Books:
    """What we have seen ourselves: the relay by recipient."""

    arrivals: dict[str, list[Arrival]] = field(default_factory=dict)
    answered: dict[str, list[Action]] = field(default_factory=dict)  # reports answered 250


@dataclass(frozen=True, slots=True)
class Shown:
    """What the API shows at the end."""

    orders: Mapping[str, Sequence[str]]  # ids by sender's reference
    notifications: Mapping[str, Sequence[tuple[str, str]]]  # recipient and send status, by order id


@dataclass(frozen=True, slots=True)
class WorkerKill:
    """When a worker was killed, and how many mails it may have had in flight."""

    at: float  # on the clock of this program
    in_flight: int


@dataclass(frozen=True, slots=True)
class Doubling:
    """A mail that came again."""

    address: str
    first_at: float
    again_at: float
