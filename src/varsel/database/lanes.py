"""Share queries: whoever asks while queries are under way is asked for together, by the next one.

There is no timer. A free lane takes all that waits at once, so an idle service asks for one at a time and loses
nothing; the busier it is, the more share a query, and for what is written a commit.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import structlog

from varsel.database.connect import UNAVAILABLE
from varsel.errors import Overloaded

log = structlog.get_logger(__name__)

Q = TypeVar("Q")
A = TypeVar("A")

LANES = 4  # queries at a time: while PostgreSQL is at one, we are at the answers of another
ENOUGH = 8  # questions that are worth a further lane; fewer go with the next query of the one under way
MOST = 64  # questions a query
WAITING_LIMIT = 2_000  # questions; at several thousand a second more would only wait longer than clients do


class Lanes(Generic[Q, A]):
    """Answers single questions by a function that answers many; one that is given up does not stop the others."""

    def __init__(
        self, answer_together: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, waiting_limit: int = WAITING_LIMIT
    ) -> None:
        self._answer_together = answer_together
        self._waiting_limit = waiting_limit
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._will_start = False

    async def ask(self, question: Q) -> A:
        """The answer to one question; whatever the function raises about it is raised here.

        Raises:
            Overloaded: too many wait already.
        """
        if len(self._waiting) >= self._waiting_limit:
            raise Overloaded("more requests wait for the database than it can answer soon")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        if not self._will_start:
            # Not at once: what came in the same turn of the event loop can go along.
            self._will_start = True
            loop.call_soon(self._start)
        return await future

    def _start(self) -> None:
        self._will_start = False
        while self._waiting and self._is_worth_a_lane():
            batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            task = asyncio.create_task(self._run(batch), name="answer together")
            self._under_way.add(task)
            task.add_done_callback(self._finished)

    def _is_worth_a_lane(self) -> bool:
        """A query costs as much as answering several, so further lanes are for many; the first is for anybody."""
        return not self._under_way or (len(self._under_way) < LANES and len(self._waiting) >= ENOUGH)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._start()

    async def _run(self, batch: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            with suppress(*UNAVAILABLE):  # which everybody in the batch was told
                await self._answer(batch)
        finally:
            for _, future in batch:
                future.cancel()  # which does nothing, unless we were cancelled ourselves

    async def _answer(self, batch: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._answer_together([question for question, _ in batch])
        except UNAVAILABLE as error:
            _fail(batch, error)
            raise
        except Exception as error:
            if len(batch) == 1:
                _fail(batch, error)
                return
            log.warning("one of many cannot be answered; each is tried alone", error=type(error).__name__)
            await self._answer_each(batch)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():  # else nobody waits any more
                    future.set_result(answer)

    async def _answer_each(self, batch: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        """Until the database is away: then the others need not find out one after the other."""
        for position in range(len(batch)):
            try:
                await self._answer(batch[position : position + 1])
            except UNAVAILABLE as error:
                _fail(batch[position:], error)
                raise


def _fail(batch: "Sequence[tuple[Q, asyncio.Future[A]]]", error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
