"""The errors that Varsel raises on purpose; what happens daily is a value, not an error.

VarselError
├── SettingsError          the settings cannot work together: the program does not start
├── DatabaseUnavailable    no usable PostgreSQL: exit, or answer "try again later"
├── RegisterUnavailable    no contact register that answers: try later, and take nobody for unknown
├── Overloaded             more is asked at once than can be answered soon: "try again later"
├── InvalidOrder           what the owner sent cannot be an order; carries the reasons by field
├── NotAuthenticated       no credential that we trust
├── NotAuthorised          a credential that we trust, but not for this
├── LimitReached           the owner has used up what it may use; later there is more
├── StillRunning           a request with the same idempotency key is not answered yet
└── KeyReused              the idempotency key belongs to another request
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta


class VarselError(Exception):
    """Something that a caller may want to tell apart; its text is fit for the reader it is meant for."""


class SettingsError(VarselError):
    """The settings are incomplete or contradict each other; the text names every one that is at fault."""


class DatabaseUnavailable(VarselError):
    """PostgreSQL cannot be started or reached; the text is one line that says what to do."""


class RegisterUnavailable(VarselError):
    """The contact register does not answer, or not in a way that can be used; the text says how, without whom."""


class Overloaded(VarselError):
    """More is asked at once than can be answered soon; nothing was done."""


class InvalidOrder(VarselError):
    """The order cannot be accepted; `reasons` holds the messages by the field that they concern."""

    def __init__(self, reasons: Mapping[str, Sequence[str]]) -> None:
        super().__init__("the order is not valid")
        self.reasons = reasons


class NotAuthenticated(VarselError):
    """The request carries no credential, or none that can be verified."""


class NotAuthorised(VarselError):
    """The caller is known, but its credential does not cover what it asks for."""


class LimitReached(VarselError):
    """The owner has used up what it may use; there is more after `retry_after`."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("the limit is reached")
        self.retry_after = retry_after


class StillRunning(VarselError):
    """A request with the same idempotency key is being answered at this moment."""


class KeyReused(VarselError):
    """The idempotency key was used for a request that asked for something else."""
