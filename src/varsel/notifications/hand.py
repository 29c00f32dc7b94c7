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

    def note_finished(self) -> None:
        """Count an attempt that has ended."""
        now = asyncio.get_running_loop().time()
        self._finished += 1
        if now - self._since >= WINDOW:
            in_a_window = round(self._finished * WINDOW / (now - self._since))
            self.size = min(self._most, max(self._least, in_a_window))
            self._finished, self._since = 0, now
