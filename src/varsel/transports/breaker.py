"""Whether a relay may be tried: a circuit breaker with words of its own.

    USABLE ──────── rest ────────> RESTING
       ^                            │   ^
    recover                pause over   rest: twice the pause; give_back: at once
       │                            v   │
       └────────── ON_TRIAL <───────┘   │
                       └────────────────┘

Mails that were under way when the state changed tell nothing about the state that follows, so every mail carries a
pass, and only what comes of a pass of the present state counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class State(StrEnum):
    """Where a relay stands."""

    USABLE = "usable"
    RESTING = "resting"  # not tried before its pause is over
    ON_TRIAL = "on trial"  # one mail finds out, the others go elsewhere


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long a relay rests."""

    first: timedelta = timedelta(seconds=1)  # doubles with each trial that fails
    longest: timedelta = timedelta(seconds=60)
    operator: timedelta = timedelta(seconds=60)  # where somebody has to mend something first


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to try the relay."""

    number: int
    is_trial: bool


class Breaker:
    """The state of one relay; `clock` tells seconds, as the loop does."""

    def __init__(self, pauses: Pauses, clock: Callable[[], float]) -> None:
        self._pauses = pauses
        self._clock = clock
        self._pause = pauses.first
        self._try_at = float("-inf")
        self._number = 0  # of the present state: grows with each change
        self.state = State.USABLE

    @property
    def may_be_tried(self) -> bool:
        """Whether `admit` would."""
        return self.state is State.USABLE or (self.state is State.RESTING and self._clock() >= self._try_at)

    @property
    def remaining(self) -> timedelta:
        """How long until a try is worth while; a trial under way may end well at any moment."""
        if self.state is State.ON_TRIAL:
            return self._pauses.first
        return timedelta(seconds=max(0.0, self._try_at - self._clock()))

    def admit(self) -> Pass | None:
        """A pass for one mail; the first after the pause is the trial."""
        if not self.may_be_tried:
            return None
        if self.state is State.RESTING:
            self._become(State.ON_TRIAL)
        return Pass(self._number, self.state is State.ON_TRIAL)

    def recover(self, given: Pass) -> bool:
        """The relay works; returns whether it was thought not to."""
        if given.number != self._number or self.state is State.USABLE:
            return False
        self.be_usable()
        return True

    def rest(self, given: Pass, *, at_least: timedelta = timedelta(0)) -> bool:
        """The relay does not work; returns whether that is news."""
        if given.number != self._number:
            return False
        self._become(State.RESTING)
        self._try_at = self._clock() + max(self._pause, at_least).total_seconds()
        self._pause = min(self._pause * 2, self._pauses.longest)
        return True

    def give_back(self, given: Pass) -> None:
        """The mail did not find out; the next one may."""
        if given.is_trial and given.number == self._number:
            self._become(State.RESTING)
            self._try_at = self._clock()

    def be_usable(self) -> None:
        """Whatever it was."""
        self._become(State.USABLE)
        self._pause = self._pauses.first

    def _become(self, state: State) -> None:
        self.state = state
        self._number += 1
