"""Everything that runs by itself: LOOPS is the one list."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from varsel.database.connect import UNAVAILABLE, Pool
from varsel.delivery_reports.record import ReportRules, record_waiting
from varsel.notifications.liveness import GRACE, Worker, find_missing_workers
from varsel.notifications.send import Sender
from varsel.notifications.send_status import expire_unsent, fail_in_doubt, fail_unreported, resend_in_doubt
from varsel.notifications.suppression import forget_suppressions
from varsel.orders.idempotency import forget_idempotency_keys
from varsel.orders.limits import forget_usage
from varsel.orders.order_claims import release_lost_orders
from varsel.orders.orders_in_hand import OrdersInHand
from varsel.settings import Settings

log = structlog.get_logger(__name__)

ROUND_LIMIT = 1_000  # notifications a round
DRAIN = timedelta(seconds=6)  # for the mails in flight when we are told to stop; whatever is left is in doubt
LAST_CLAIM = timedelta(seconds=1)  # for a claim under way when we are told to stop
LAST_ROUNDS = timedelta(seconds=0.5)  # for the other loops; a hung database may hold them longer
BACK_OFF = timedelta(seconds=1)  # after a round that failed


@dataclass(frozen=True, slots=True)
class Station:
    """What the loops work with."""

    pool: Pool
    settings: Settings
    worker: Worker
    orders: OrdersInHand
    sender: Sender
    report_rules: ReportRules


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


async def _process_due_orders(station: Station) -> bool:
    number = station.worker.number
    return number is not None and await station.orders.process_due(number)


async def _prove_alive(station: Station) -> bool:
    await station.worker.prove_alive()
    return False


async def _find_missing_workers(station: Station) -> bool:
    return await find_missing_workers(station.pool)


async def _release_lost_orders(station: Station) -> bool:
    released = await release_lost_orders(station.pool, GRACE)
    if released:
        log.warning("orders put back: their worker is gone", orders=released)
    return False


async def _resolve_doubt(station: Station) -> bool:
    resolve = resend_in_doubt if station.settings.in_doubt == "resend" else fail_in_doubt
    resolved = await resolve(station.pool, station.settings.in_doubt_wait, ROUND_LIMIT)
    if resolved:
        log.warning("no evidence came for mails in doubt", mails=resolved, followed=station.settings.in_doubt)
    return resolved == ROUND_LIMIT


async def _expire_unsent(station: Station) -> bool:
    return await expire_unsent(station.pool, ROUND_LIMIT) == ROUND_LIMIT


async def _fail_unreported(station: Station) -> bool:
    return await fail_unreported(station.pool, ROUND_LIMIT) == ROUND_LIMIT


async def _record_reports_waiting(station: Station) -> bool:
    return await record_waiting(station.pool, station.report_rules)


async def _forget_what_is_old(station: Station) -> bool:
    await forget_idempotency_keys(station.pool)
    await forget_usage(station.pool)
    await forget_suppressions(station.pool)
    return False


# Short pauses are for work that other processes bring; an empty round costs the database less than 0.1 ms.
LOOPS = (
    Loop("send due notifications", _send_due, timedelta(milliseconds=150), is_woken=True, stops_first=True),
    Loop("process due orders", _process_due_orders, timedelta(milliseconds=200), is_woken=True, stops_first=True),
    Loop("prove that this worker lives", _prove_alive, timedelta(milliseconds=500)),
    Loop("put the claims of missing workers in doubt", _find_missing_workers, timedelta(seconds=1)),
    Loop("put back the orders of missing workers", _release_lost_orders, timedelta(seconds=1)),
    Loop("resolve what stays in doubt", _resolve_doubt, timedelta(seconds=1)),
    Loop("expire what was never sent", _expire_unsent, timedelta(seconds=5)),
    Loop("fail what is silent where reports are due", _fail_unreported, timedelta(seconds=30)),
    Loop("record reports that wait", _record_reports_waiting, timedelta(seconds=5)),
    Loop("forget what is old", _forget_what_is_old, timedelta(hours=1)),
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
    await _unless_told_to_stop(station.worker.prove_alive(), stop)
    end = asyncio.Event()
    tasks = {
        asyncio.create_task(_run(loop, station, wake, stop if loop.stops_first else end), name=loop.name): loop
        for loop in LOOPS
    }
    await stop.wait()
    wake()
    station.sender.close()
    deadline = asyncio.get_running_loop().time() + DRAIN.total_seconds()
    await asyncio.wait([task for task, loop in tasks.items() if loop.stops_first], timeout=LAST_CLAIM.total_seconds())
    with suppress(*UNAVAILABLE):  # they come free with the worker's lock as well
        async with asyncio.timeout(LAST_CLAIM.total_seconds()):
            await station.orders.stop()
    left = await station.sender.drain(timedelta(seconds=deadline - asyncio.get_running_loop().time()))
    if left:
        log.warning("mails in flight left in doubt", mails=left)
    # Only now the rest: until the last mail is through, the worker has to prove that it lives.
    end.set()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=LAST_ROUNDS.total_seconds())


async def _unless_told_to_stop(work: Coroutine[None, None, None], stop: asyncio.Event) -> None:
    task, told = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
    for unneeded in (task, told):
        unneeded.cancel()


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
    # Not wait_for: before Python 3.12 it loses a cancellation that comes just when the event is set.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
