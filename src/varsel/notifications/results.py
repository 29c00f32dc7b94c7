"""Record what came of the claims: many results share one commit, and none waits for a timer.

While one batch is being committed the next gathers; an idle sender's result is committed at once. Each caller goes
on only after the commit that holds its result, so at most the mails in flight can be in doubt after a crash.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import structlog

from varsel.database.connect import UNAVAILABLE, Connection, Pool, connection_of
from varsel.database.lanes import Lanes
from varsel.notifications.send_status import (
    Deferral,
    Doubt,
    Rejection,
    Result,
    Success,
    mark_deferred,
    mark_in_doubt,
    mark_rejected,
    mark_succeeded,
)
from varsel.notifications.suppression import suppress_bounced

log = structlog.get_logger(__name__)

Owned: TypeAlias = tuple[int, Result]  # the worker, and its result

RETRY_PAUSE = 0.5  # seconds between tries while the database is away


class Recorder:
    """Writes results under one worker's claims, and keeps trying for as long as it takes the database to return."""

    def __init__(self, pool: Pool, *, suppresses_bounces: bool = True) -> None:
        self._pool = pool
        self._suppresses_bounces = suppresses_bounces
        # Bounded by the claims in hand, and none of them may be turned away.
        self._lanes: Lanes[Owned, None] = Lanes(self._write_until_committed, waiting_limit=sys.maxsize)

    async def record(self, worker: int, result: Result) -> None:
        """Return once the result is committed. What a caller leaves by cancellation is still written."""
        try:
            await self._lanes.ask((worker, result))
        except Exception:
            # It must not cost the others theirs; its own claim runs out.
            log.exception("result cannot be recorded", notification=str(result.claim.notification_id))
            raise

    async def _write_until_committed(self, batch: Sequence[Owned]) -> Sequence[None]:
        while True:
            try:
                for worker in {worker for worker, _ in batch}:
                    await self._write(worker, [result for owner, result in batch if owner == worker])
                return [None] * len(batch)
            except UNAVAILABLE as error:
                # The relay has spoken; its word is kept here until it can be written.
                log.warning("results wait for the database", results=len(batch), error=type(error).__name__)
                await asyncio.sleep(RETRY_PAUSE)

    async def _write(self, worker: int, results: Sequence[Result]) -> None:
        # Locked in the order of their ids, as by whoever brings reports on them, so that one waits for the other.
        results = sorted(results, key=lambda result: result.claim.notification_id)
        successes = [result for result in results if isinstance(result, Success)]
        deferrals = [result for result in results if isinstance(result, Deferral)]
        rejections = [result for result in results if isinstance(result, Rejection)]
        doubts = [result for result in results if isinstance(result, Doubt)]
        async with connection_of(self._pool) as conn:
            if len(successes) == len(results):
                # One statement, and nearly always the only one: its own transaction, without two round trips.
                recorded = await mark_succeeded(conn, successes)
            else:
                async with conn.transaction():
                    recorded = await _count(successes, lambda: mark_succeeded(conn, successes))
                    recorded += await _count(deferrals, lambda: mark_deferred(conn, worker, deferrals))
                    recorded += await _count(rejections, lambda: self._reject(conn, worker, rejections))
                    recorded += await _count(doubts, lambda: mark_in_doubt(conn, worker, doubts))
        log.info(
            "attempts recorded",
            succeeded=len(successes),
            deferred=len(deferrals),
            rejected=len(rejections),
            in_doubt=len(doubts),
            claim_lost=len(results) - recorded,
        )

    async def _reject(self, conn: Connection, worker: int, rejections: Sequence[Rejection]) -> int:
        rejected = await mark_rejected(conn, worker, rejections)
        if self._suppresses_bounces:
            await suppress_bounced(conn, rejected)
        return len(rejected)


async def _count(results: Sequence[Result], mark: Callable[[], Awaitable[int]]) -> int:
    return await mark() if results else 0
