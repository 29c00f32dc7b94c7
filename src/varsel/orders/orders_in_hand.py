"""The due orders that this worker has claimed: a bounded number, each a task of its own, each owner a share of them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from varsel.database.connect import UNAVAILABLE, Pool
from varsel.database.lost_answers import LostAnswers
from varsel.orders.order_claims import DueOrder, claim_due_orders, release_orders_of_worker
from varsel.orders.process import OrderProcess

log = structlog.get_logger(__name__)

IN_HAND = 64  # nearly all of them wait for somebody's answer
IN_HAND_OF_OWNER = 8  # from here on an owner's further orders wait, so that others' need not wait for its endpoints


class OrdersInHand:
    """Claims orders and has them processed; `processed` is called after each, so that others can go on at once."""

    def __init__(self, pool: Pool, process: OrderProcess, processed: Callable[[], None]) -> None:
        self._pool = pool
        self._process = process
        self._processed = processed
        self._tasks: dict[asyncio.Task[None], DueOrder] = {}
        self._left: list[tuple[int, DueOrder]] = []  # whose claims stay, because the database was away at their end
        self._lost_answers = LostAnswers()
        self._worker: int | None = None
        self._closed = False

    async def process_due(self, worker: int) -> bool:
        """Claim what there is room for and start on it; True where more may be due at once."""
        self._worker = worker
        if len(self._tasks) >= IN_HAND:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        if self._closed:
            return False
        await self._put_back_what_was_left()
        claimed = await self._claim(worker)
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
        """Claim nothing more and give up what is in hand, for others to take; nothing of it is half done."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._worker is not None:
            await release_orders_of_worker(self._pool, self._worker)

    async def _put_back_what_was_left(self) -> None:
        """With the usual pause: it may be the order itself that the database cannot take."""
        while self._left:
            await self._process.try_later(*self._left[-1], "the database was away")
            self._left.pop()

    async def _claim(self, worker: int) -> Sequence[DueOrder]:
        """Claim; where an answer of the database was lost, first free what may be claimed without being in hand."""
        if self._lost_answers.may_be():
            released = await release_orders_of_worker(self._pool, worker, [o.id for o in self._tasks.values()])
            self._lost_answers.looked()
            if released:
                log.warning("orders put back: the database was away", orders=released)
        counts = Counter(order.owner for order in self._tasks.values())
        busy = [owner for owner, count in counts.items() if count >= IN_HAND_OF_OWNER]
        room = min(IN_HAND - len(self._tasks), IN_HAND_OF_OWNER)
        try:
            claimed = await claim_due_orders(self._pool, worker, room, busy)
        except BaseException:
            self._lost_answers.note()
            raise
        if self._closed and claimed:  # told to stop meanwhile
            await release_orders_of_worker(self._pool, worker)
            return []
        return claimed

    async def _process_one(self, worker: int, order: DueOrder) -> None:
        try:
            await self._process.process(worker, order)
        except UNAVAILABLE as error:
            self._left.append((worker, order))
            log.warning("order not processed: the database is away", order=str(order.id), error=type(error).__name__)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._processed()
