"""What the outcomes of its mails say about a relay: whether it rests, and who is told, once.

A relay rests at once where it cannot be reached. One lost connection, or one deferral, may be the mail's own fault;
several in a row, of different recipients and with no other answer in between, are the relay's. A relay that only
defers rests only while another is usable: as the last one it is better than none.
"""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from varsel.transports.breaker import Breaker, Pass, Pauses, State
from varsel.transports.transport import Accepted, Deferred, InDoubt, Rejected
from varsel.transports.trouble import Answer, NotReached, Trouble

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How many different recipients in a row it takes."""

    deferrals: int = 10  # the mails of one greylisting domain are not enough, a full relay shows in a second
    losses: int = 3  # of connections in the middle of a transaction


class _Streak:
    """The recipients whose mails met the same, one after another."""

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._recipients: set[str] = set()

    def add(self, recipient: str) -> bool:
        """Count one more; True where that is enough."""
        if len(self._recipients) < self._enough:
            self._recipients.add(recipient)
        return len(self._recipients) >= self._enough

    def end(self) -> None:
        self._recipients.clear()


class Health:
    """Whether one relay is usable, as far as its answers tell."""

    def __init__(self, relay: str, pauses: Pauses, patience: Patience, clock: Callable[[], float]) -> None:
        self._relay = relay
        self._pauses = pauses
        self.breaker = Breaker(pauses, clock)
        self._deferrals = _Streak(patience.deferrals)
        self._losses = _Streak(patience.losses)
        self._is_down_for: set[str] = set()  # what has been told since it was last usable
        self._only_defers = False

    @property
    def is_better_than_none(self) -> bool:
        """Whether it rests only because it defers."""
        return self.breaker.state is State.RESTING and self._only_defers

    def admit_as_last(self) -> Pass | None:
        """A pass for a relay that rests because it defers, now that no other is usable."""
        if not self.is_better_than_none:
            return None
        self._be_back()
        self.breaker.be_usable()
        return self.breaker.admit()

    def record(self, given: Pass, answer: Answer, recipient: str, *, is_alone: bool) -> None:
        """Learn from one mail; `is_alone` says that no other relay is usable."""
        match answer:
            case Accepted() | Rejected():
                self._answered(given)
            case Deferred() | InDoubt():
                self._losses.end()
                self._not_taken(given, answer, recipient, is_alone=is_alone)
            case NotReached(trouble=Trouble.LOST):
                if self._losses.add(recipient) or given.is_trial:
                    self._rest(given, answer.reason)
            case NotReached(trouble=Trouble.SLOW):
                self.breaker.give_back(given)
            case NotReached(trouble=Trouble.NEEDS_OPERATOR):
                self._rest_for_operator(given, answer.reason)
            case NotReached():
                self._rest(given, answer.reason)

    def _answered(self, given: Pass) -> None:
        self._deferrals.end()
        self._losses.end()
        if self.breaker.recover(given):
            self._be_back()

    def _not_taken(self, given: Pass, answer: Deferred | InDoubt, recipient: str, *, is_alone: bool) -> None:
        is_enough = self._deferrals.add(recipient)
        is_trial_failed = given.is_trial and (self._only_defers or isinstance(answer, InDoubt))
        if (is_enough and not is_alone) or is_trial_failed:
            self._rest(given, "defers everything", only_defers=True)
        elif self.breaker.recover(given):
            self._be_back()

    def _rest(self, given: Pass, reason: str, *, only_defers: bool = False) -> None:
        if self.breaker.rest(given):
            self._only_defers = only_defers
            if not self._is_down_for:
                log.warning("relay is down", relay=self._relay, reason=reason)
            self._is_down_for.add("down")

    def _rest_for_operator(self, given: Pass, reason: str) -> None:
        if self.breaker.rest(given, at_least=self._pauses.operator):
            self._only_defers = False
            if reason not in self._is_down_for:
                log.error("relay needs an operator", relay=self._relay, reason=reason)
            self._is_down_for.add(reason)

    def _be_back(self) -> None:
        self._is_down_for.clear()
        self._deferrals.end()
        self._losses.end()
        log.info("relay is back", relay=self._relay)
