"""Turns for what takes much memory while it waits for others: a few at a time, and a few in line."""

import asyncio
from types import TracebackType

from varsel.errors import Overloaded


class Turns:
    """A context that so many are in at once, while at most so many more wait for it."""

    def __init__(self, at_once: int, *, in_line: int) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._in_line = in_line
        self._waiting = 0

    async def __aenter__(self) -> None:
        """Wait for a turn.

        Raises:
            Overloaded: too many wait already.
        """
        if self._waiting >= self._in_line and self._room.locked():
            raise Overloaded("too many large orders wait for the contact register")
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._room.release()
