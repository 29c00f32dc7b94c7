"""The records of the kill test: what was asked for, what was seen, what was done, and what may turn out broken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

from varsel.orders.send_condition import Condition
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
    DOUBLED_NOTIFICATION = "recipients notified twice"  # an order generated twice, or somebody else's recipients
    CONDITION = "sent or withheld wrongly"
    SUBJECT = "mails with a wrong subject"  # without the recipient's own name, for example
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
    recipients: tuple[str, ...]  # their addresses, also where the request has their identity numbers instead
    has_key: bool
    order_id: str | None
    by_identity: bool = False
    subject: str = ""  # with the keyword for the recipient's name, where the order has it
    condition: Condition | None = None  # what its endpoint says; None: it is on no condition


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail that the relay took."""

    at: float  # on the clock of this program
    message_id: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """What we have seen and said ourselves: the relay by recipient, the condition endpoint by sender's reference."""

    arrivals: dict[str, list[Arrival]] = field(default_factory=dict)
    answered: dict[str, list[Action]] = field(default_factory=dict)  # reports answered 250
    unanswered: Mapping[str, int] = field(default_factory=dict)  # how often the endpoint said neither yes nor no


@dataclass(frozen=True, slots=True)
class Shown:
    """What the API shows at the end."""

    orders: Mapping[str, Sequence[str]]  # ids by sender's reference
    notifications: Mapping[str, Sequence[tuple[str, str]]]  # recipient and send status, by order id
    statuses: Mapping[str, str] = field(default_factory=dict)  # of the orders, by order id


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
