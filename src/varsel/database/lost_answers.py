"""Whether a statement may have done its work without our hearing of it: the database went away in between.

Whoever claims by a statement then has claims that it does not know. It looks for them until a look has succeeded at a
time at which no statement of before can be under way any more.
"""

import time

UNDER_WAY_FOR = 60.0  # seconds; twice what a statement may take


class LostAnswers:
    """Begins with none."""

    def __init__(self) -> None:
        self._last_at: float | None = None

    def note(self) -> None:
        """A statement has failed, and perhaps only for us."""
        self._last_at = time.monotonic()

    def may_be(self) -> bool:
        """Whether to look for what was done."""
        return self._last_at is not None

    def looked(self) -> None:
        """A look has succeeded: it was the last one unless a statement may still be under way."""
        if self._last_at is not None and time.monotonic() - self._last_at > UNDER_WAY_FOR:
            self._last_at = None
