"""How many connections a relay bears: half of them when it has no room, one more after so many mails.

Additive increase, multiplicative decrease: several processes that share a relay find a fair share without talking.
"""

import structlog

log = structlog.get_logger(__name__)

GROW_AFTER = 50  # mails taken, for each further connection


class Width:
    """The number of connections that we allow ourselves now."""

    def __init__(self, relay: str, most: int, *, grow_after: int = GROW_AFTER) -> None:
        self._relay = relay
        self._most = most
        self._grow_after = grow_after
        self._taken = 0  # mails since the last change
        self.now = most
        self.halvings = 0

    def halve(self, *, seen: int) -> None:
        """The relay has no room; counts once for all that began when `seen` halvings had been made."""
        self._taken = 0
        if seen != self.halvings:
            return
        if self.now == self._most:
            log.warning("relay takes fewer connections than it is given", relay=self._relay, given=self._most)
        self.halvings += 1
        self.now = max(1, self.now // 2)

    def grow(self) -> None:
        """A mail was taken."""
        if self.now == self._most:
            return
        self._taken += 1
        if self._taken >= self._grow_after:
            self._taken = 0
            self.now += 1
            if self.now == self._most:
                log.info("relay takes all connections again", relay=self._relay, given=self._most)
