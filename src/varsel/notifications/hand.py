"""How many claims a sender holds at once: what it finishes in a moment, no more.

What is claimed is first come, first served; turns are taken when claiming. So a sender with more in hand than its
relay takes in a moment would make a newcomer wait behind it, however fair the claims are.
"""

import asyncio

WINDOW = 0.25  # seconds of work to hold


class Hand:
    """The size of the hand, from the rate at which attempts have just been finished."""

    def __init__(self, *, least: int, most: int) -> None:
        self.size = least
        self._least = least
        self._most = most
        self._finished = 0
        self._since = float("-inf")

    @property
    def refill_at(self) -> int:
        """How many are left when it is time to claim again.

        Half, because a claim for one row costs as much as one for many; but with a slow relay at once, so that
        whoever comes next has the next free connection.
        """
        return self.size - 1 if self.size == self._least else self.size // 2

    def note_finished(self) -> None:
        """Count an attempt that has ended."""
        now = asyncio.get_running_loop().time()
        self._finished += 1
        if now - self._since >= WINDOW:
            in_a_window = round(self._finished * WINDOW / (now - self._since))
            self.size = min(self._most, max(self._least, in_a_window))
            self._finished, self._since = 0, now
