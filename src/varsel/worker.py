"""Everything that runs by itself: LOOPS is the one list."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from varsel.database.connect import UNAVAILABLE, Pool
from varsel.delivery_reports.record import record_left_behind
from varsel.notifications.liveness import Worker, release_missing_workers
from varsel.notifications.send import Sender
from varsel.notifications.send_status import expire_unsent
from varsel.orders.generate import generate_next_due
from varsel.orders.idempotency import forget_idempotency_keys
from varsel.orders.limits import forget_usage
from varsel.settings import Settings

log = structlog.get_logger(__name__)

EXPIRE_LIMIT = 1_000  # notifications a round
DRAIN = timedelta(seconds=5)  # for the mails in flight when we are told to stop; whatever is left is in doubt
LAST_CLAIM = timedelta(seconds=1)  # for a claim under way when we are told to stop
BACK_OFF = timedelta(seconds=1)  # after a round that failed


@dataclass(frozen=True, slots=True)
class Station:
    """What the loops work with."""

    pool: Pool
    settings: Settings
    worker: Worker
    sender: Sender


@dataclass(frozen=True, slots=True)
class Loop:
    """One thing that is done again and again: a round says True where more is waiting, else there is a pause."""

    name: str
    round: Callable[[Station], Awaitable[bool]]
    pause: timedelta
    is_woken: bool = False  # whether placing an order ends the pause
    stops_first: bool = False  # whether it ends before the mails in flight have finished


async def _send_due(station: Station) -> bool:
    number = station.worker.number
    return number is not None and await station.sender.send_due(number)


async def _generate_due_orders(station: Station) -> bool:
    return await generate_next_due(station.pool)


async def _prove_alive(station: Station) -> bool:
    await station.worker.prove_alive()
    return False


async def _release_missing_workers(station: Station) -> bool:
    return await release_missing_workers(station.pool)


async def _expire_unsent(station: Station) -> bool:
    return await expire_unsent(station.pool, EXPIRE_LIMIT) == EXPIRE_LIMIT


async def _record_reports_left_behind(station: Station) -> bool:
    return await record_left_behind(station.pool, station.settings.relayed)


async def _forget_what_is_old(station: Station) -> bool:
    await forget_idempotency_keys(station.pool)
    await forget_usage(station.pool)
    return False


# Short pauses are for work that other processes bring; an empty round costs the database less than 0.1 ms.
LOOPS = (
    Loop("send due notifications", _send_due, timedelta(milliseconds=150), is_woken=True, stops_first=True),
    Loop("generate the notifications of due orders", _generate_due_orders, timedelta(milliseconds=200), is_woken=True),
    Loop("prove that this worker lives", _prove_alive, timedelta(milliseconds=500)),
    Loop("release the claims of missing workers", _release_missing_workers, timedelta(seconds=1)),
    Loop("expire what was never sent", _expire_unsent, timedelta(seconds=5)),
    Loop("record reports left behind", _record_reports_left_behind, timedelta(seconds=10)),
    Loop("forget old idempotency keys and counts", _forget_what_is_old, timedelta(hours=1)),
)


class Wake:
    """Ends the pauses of the loops that an order concerns; `serve` gives it to the API and to the worker."""

    def __init__(self) -> None:
        self._sleepers: set[asyncio.Event] = set()

    def __call__(self) -> None:
        """Wake them; called in the same process, right after the commit."""
        for sleeper in self._sleepers:
            sleeper.set()

    def sleeper(self) -> asyncio.Event:
        """An event that is set on each call; the loop that waits clears it."""
        event = asyncio.Event()
        self._sleepers.add(event)
        return event


async def run_loops(station: Station, wake: Wake, stop: asyncio.Event) -> None:
    """Run every loop until `stop` is set; then claim nothing more, and let the mails in flight finish."""
    # Registered before the first claim, so that nothing waits for the second round.
    await station.worker.prove_alive()
    forever = asyncio.Event()
    tasks = {
        asyncio.create_task(_run(loop, station, wake, stop if loop.stops_first else forever), name=loop.name): loop
        for loop in LOOPS
    }
    await stop.wait()
    wake()
    station.sender.close()
    await asyncio.wait([task for task, loop in tasks.items() if loop.stops_first], timeout=LAST_CLAIM.total_seconds())
    left = await station.sender.drain(DRAIN)
    if left:
        log.warning("mails in flight left in doubt", mails=left)
    # Only now the rest: until the last mail is through, the worker has to prove that it lives.
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _run(loop: Loop, station: Station, wake: Wake, stop: asyncio.Event) -> None:
    woken = wake.sleeper() if loop.is_woken else asyncio.Event()
    while not stop.is_set():
        woken.clear()
        try:
            more = await loop.round(station)
        except UNAVAILABLE as error:
            log.warning("the database is away", loop=loop.name, error=type(error).__name__)
            await asyncio.sleep(BACK_OFF.total_seconds())
            continue
        except Exception:
            log.exception("a round failed", loop=loop.name)
            await asyncio.sleep(BACK_OFF.total_seconds())
            continue
        if not more:
            await _pause(loop.pause, woken)


async def _pause(pause: timedelta, woken: asyncio.Event) -> None:
    # Jitter, so that the processes that share a database do not come all at once.
    seconds = pause.total_seconds() * random.uniform(0.7, 1.3)  # noqa: S311
    try:
        await asyncio.wait_for(woken.wait(), seconds)
    except TimeoutError:
        return
