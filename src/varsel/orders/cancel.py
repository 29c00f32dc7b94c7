"""Cancel an order, as long as its send time is far enough away."""

from datetime import timedelta
from uuid import UUID

import structlog

from varsel.database.connect import Pool
from varsel.database.statements import statements
from varsel.orders.find import OrderProgress, find_progress
from varsel.orders.order import OrderStatus

log = structlog.get_logger(__name__)
SQL = statements("orders")

NOTICE = timedelta(minutes=5)  # the contract's own number: closer to the send time nothing can be cancelled


async def cancel_order(pool: Pool, order_id: UUID, owner: str) -> tuple[bool, OrderProgress | None]:
    """Cancel it if that is still possible; cancelling twice is as good as once.

    Returns:
        Whether the order is cancelled now, and how it stands; None where the owner has no such order.
    """
    # One statement decides and changes. So does a worker's claim, which leaves Registered too: one of them is too late.
    changed = await pool.execute(SQL["cancel_order"], order_id, owner, NOTICE)
    progress = await find_progress(pool, order_id, owner)
    if changed == "UPDATE 1":
        log.info("order cancelled", order=str(order_id))
    return progress is not None and progress.status is OrderStatus.CANCELLED, progress
