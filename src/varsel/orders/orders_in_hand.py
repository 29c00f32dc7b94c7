"""The due orders that this worker has claimed: a bounded number, each a task of its own, each owner a share of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from varsel.database.connect import UNAVAILABLE, Pool
from varsel.orders.order_claims import DueOrder, claim_due_orders, release_orders_of_worker
from varsel.orders.process import OrderProcess

log = structlog.get_logger(__name__)

IN_HAND = 64  # nearly all of them wait for somebody's answer
IN_HAND_OF_OWNER = 8  # from here on an owner's further orders wait, so that others' need not wait for its endpoints
UNHEARD_FOR = 60.0  # seconds; twice what a statement may take


class OrdersInHand:
    """Claims orders and has them processed; `processed` is called after each, so that others can go on at once."""

    def __init__(self, pool: Pool, process: OrderProcess, processed: Callable[[], None]) -> None:
        self._pool = pool
        self._process = process
        self._processed = processed
        self._tasks: dict[asyncio.Task[None], DueOrder] = {}
        self._unheard_until = float("-inf")
        self._worker: int | None = None

    async def process_due(self, worker: int) -> bool:
        """Claim what there is room for and start on it; True where more may be due at once."""
        self._worker = worker
        if len(self._tasks) >= IN_HAND:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        counts = Counter(order.owner for order in self._tasks.values())
        busy = [owner for owner, count in counts.items() if count >= IN_HAND_OF_OWNER]
        claimed = await self._claim(worker, min(IN_HAND - len(self._tasks), IN_HAND_OF_OWNER), busy)
        for order in claimed:
            task = asyncio.create_task(self._process_one(worker, order), name=f"process {order.id}")
            self._tasks[task] = order
            task.add_done_callback(self._finished)
        return bool(claimed)

    async def until_idle(self) -> None:
        """Wait for what is in hand."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Give up what is in hand, for others to take; nothing of it is half done."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._worker is not None:
            await release_orders_of_worker(self._pool, self._worker)

    async def _claim(self, worker: int, limit: int, busy_owners: Sequence[str]) -> Sequence[DueOrder]:
        """Claim; where the database was away, first free what may be claimed without being in hand."""
        if asyncio.get_running_loop().time() < self._unheard_until:
            in_hand = [order.id for order in self._tasks.values()]
            released = await release_orders_of_worker(self._pool, worker, in_hand)
            if released:
                log.warning("orders put back: the database was away", orders=released)
        try:
            return await claim_due_orders(self._pool, worker, limit, busy_owners)
        except BaseException:
            self._note_unheard()
            raise

    async def _process_one(self, worker: int, order: DueOrder) -> None:
        try:
            await self._process.process(worker, order)
        except UNAVAILABLE as error:
            self._note_unheard()
            log.warning("order not processed: the database is away", order=str(order.id), error=type(error).__name__)

    def _note_unheard(self) -> None:
        self._unheard_until = asyncio.get_running_loop().time() + UNHEARD_FOR

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._processed()
