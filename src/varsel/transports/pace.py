"""Pace: so many mails a second and no more, evenly spaced."""

import asyncio
import time
from collections.abc import Awaitable, Callable

CATCH_UP = 0.1  # seconds; who was late by no more than this is not put further back, so that the rate is kept


class Pace:
    """Gives turns one after another; a cancelled wait takes none."""

    def __init__(
        self,
        mails_a_second: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = 1 / mails_a_second if mails_a_second else 0.0
        self._clock = clock
        self._sleep = sleep
        self._next_at = float("-inf")
        self._line = asyncio.Lock()  # first come, first served

    @property
    def is_limited(self) -> bool:
        """Whether a turn may have to be waited for."""
        return self._interval > 0

    async def turn(self) -> None:
        """Return when the next mail may go."""
        if not self._interval:
            return
        came_at = self._clock()
        async with self._line:
            turn_at = max(self._next_at, came_at, self._clock() - CATCH_UP)
            if (wait := turn_at - self._clock()) > 0:
                await self._sleep(wait)
            self._next_at = turn_at + self._interval
