"""Why a mail could not be handed to one relay though nothing is wrong with the mail."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from varsel.transports.transport import Accepted, Deferred, InDoubt, Rejected, Unreachable


class Trouble(StrEnum):
    """What a relay's trouble is; it decides whether the relay rests, for how long, and who is told."""

    DOWN = "down"  # no connection, no TLS, or no answer
    CROWDED = "crowded"  # 4yz before the first mail: too many of us, for now
    NEEDS_OPERATOR = "needs an operator"  # credentials, certificate or STARTTLS: waiting does not mend it
    LOST = "lost"  # a new connection was lost before the message was sent
    SLOW = "slow"  # the mail's turn did not come in time: the relay works, or its limits hold us back


@dataclass(frozen=True, slots=True)
class NotReached(Unreachable):
    """`Unreachable`, with the trouble; `reason` is for logs: it quotes nothing but codes."""

    trouble: Trouble = Trouble.DOWN
    reason: str = ""


# What one relay may answer to one mail.
Answer = Accepted | Deferred | Rejected | InDoubt | NotReached

LOST_PAUSE = timedelta(seconds=60)  # for a mail that lost two connections: the mail itself may be why
