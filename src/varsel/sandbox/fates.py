"""Which local part of `sandbox.test` meets which fate: the one table, which the documentation shows too."""

from dataclasses import dataclass
from enum import Enum, StrEnum

from varsel.sandbox.handler import Reply

DOMAIN = "sandbox.test"


class Action(StrEnum):
    """What a report says was done with the mail (RFC 3464 section 2.3.3)."""

    DELIVERED = "delivered"
    RELAYED = "relayed"  # handed to a server that will not report
    DELAYED = "delayed"  # still being tried: never final
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a DSN tells: its action, its status code (RFC 3463), and the other server's own words."""

    action: Action
    status: str
    diagnostic: str  # with its type: `smtp; 550 5.1.1 No such user`


@dataclass(frozen=True, slots=True)
class Complaint:
    """A recipient's "this is spam" (RFC 5965); no DSN, so NOTIFY has no say in it."""

    feedback: str = "abuse"


class Refuses(Enum):
    """How often RCPT gets the fate's refusal."""

    ALWAYS = "always"
    ONCE = "once"  # the first attempt of each mail


class AtDot(Enum):
    """What the client sees after the final dot."""

    ANSWERED = "answered"
    SLOW = "slow"  # answered only after a while
    LOST = "lost"  # first attempt: connection closed, message not taken
    UNANSWERED = "unanswered"  # first attempt: message taken, and the connection closed before the 250


DELIVERED = Outcome(Action.DELIVERED, "2.0.0", "smtp; 250 2.0.0 Ok: delivered to mailbox")
RELAYED = Outcome(Action.RELAYED, "2.0.0", "smtp; 250 2.0.0 Ok: queued elsewhere")
DELAYED = Outcome(Action.DELAYED, "4.4.1", f"X-Postfix; connect to mx.{DOMAIN}:25: Connection timed out")


def _failed(status: str, words: str) -> Outcome:
    return Outcome(Action.FAILED, status, f"smtp; {words}")


_USER_UNKNOWN = _failed("5.1.1", "550 5.1.1 Recipient address rejected: User unknown in virtual mailbox table")


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of mail to one local part; by default it is taken and reported as delivered."""

    name: str
    send_status: str  # what the notification then shows, under default settings, until much later
    story: str  # for the user: what the server does, in order
    refusal: Reply | None = None
    refuses: Refuses = Refuses.ALWAYS
    at_dot: AtDot = AtDot.ANSWERED
    reports: tuple[Outcome | Complaint, ...] = (DELIVERED,)


ORDINARY = Fate("delivered", "Delivered", "Taken, then reported as delivered.")

_ALL = (
    ORDINARY,
    Fate(
        "relayed",
        "Delivered",
        "Taken, then reported as relayed to a server that sends no reports.",
        reports=(RELAYED,),
    ),
    Fate(
        "bounced",
        "Failed_Bounced",
        "Taken, then reported as failed: 5.1.1, user unknown.",
        reports=(_USER_UNKNOWN,),
    ),
    Fate(
        "spam",
        "Failed_FilteredSpam",
        "Taken, then reported as failed: 5.7.1, rejected as spam.",
        reports=(_failed("5.7.1", "550 5.7.1 Message rejected as spam by content filter"),),
    ),
    Fate(
        "quarantined",
        "Failed_Quarantined",
        "Taken, then reported as failed: 5.7.0, quarantined.",
        reports=(_failed("5.7.0", "550 5.7.0 Message quarantined as Q123 (spam)"),),
    ),
    Fate(
        "failed",
        "Failed",
        "Taken, then reported as failed: 5.0.0, without a telling reason.",
        reports=(_failed("5.0.0", "554 5.0.0 Transaction failed"),),
    ),
    Fate(
        "rejected",
        "Failed_Bounced",
        "Refused at once: `550 5.1.1`, user unknown.",
        refusal=Reply(550, "5.1.1 Recipient address rejected: User unknown"),
    ),
    Fate(
        "invalid",
        "Failed_InvalidEmailFormat",
        "Refused at once: `553 5.1.3`, bad address syntax.",
        refusal=Reply(553, "5.1.3 Bad recipient address syntax"),
    ),
    Fate(
        "full",
        "Failed",
        "Refused at once: `552 5.2.2`, mailbox full.",
        refusal=Reply(552, "5.2.2 Mailbox full"),
    ),
    Fate(
        "deferred",
        "Delivered",
        "Greylisted: the first attempt gets `451 4.7.1`; the next is taken and reported as delivered.",
        refusal=Reply(451, "4.7.1 Greylisted, please try again later"),
        refuses=Refuses.ONCE,
    ),
    Fate(
        "alwaysdeferred",
        "New",
        "Every attempt gets `450 4.2.1`, mailbox temporarily unavailable, until the sender gives up.",
        refusal=Reply(450, "4.2.1 Mailbox temporarily unavailable"),
    ),
    Fate(
        "slow",
        "Delivered",
        "The final dot is answered after a few seconds only; then reported as delivered.",
        at_dot=AtDot.SLOW,
    ),
    Fate(
        "drop",
        "Delivered",
        "First attempt: the connection is closed after the final dot, and the message not taken. "
        "Next attempt: taken and reported as delivered.",
        at_dot=AtDot.LOST,
    ),
    Fate(
        "unanswered",
        "Delivered",
        "First attempt: taken and reported as delivered, but the connection is closed before the 250. "
        "A next attempt is taken and reported once more, as by any server.",
        at_dot=AtDot.UNANSWERED,
    ),
    Fate(
        "delayed",
        "Delivered",
        "Taken, reported as delayed (4.4.1), and after that as delivered.",
        reports=(DELAYED, DELIVERED),
    ),
    Fate(
        "late",
        "Failed_Bounced",
        "Taken, reported as delivered, and after that as failed (5.1.1, user unknown).",
        reports=(DELIVERED, _USER_UNKNOWN),
    ),
    Fate(
        "twice",
        "Delivered",
        "Taken, and the same delivered report comes two times.",
        reports=(DELIVERED, DELIVERED),
    ),
    Fate("silent", "Succeeded", "Taken, and never heard of again.", reports=()),
    Fate(
        "complaint",
        "Delivered",
        "Taken, reported as delivered, and then the recipient complains: an abuse report (RFC 5965).",
        reports=(DELIVERED, Complaint()),
    ),
)

FATES = {fate.name: fate for fate in _ALL}


def fate_of(address: str) -> Fate:
    """The fate of mail to this address: case does not matter, nor does a `+tag`; all others are delivered."""
    local_part, _, domain = address.casefold().rpartition("@")
    if domain != DOMAIN and not domain.endswith(f".{DOMAIN}"):
        return ORDINARY
    return FATES.get(local_part.partition("+")[0], ORDINARY)
