"""The rendered messages of the orders in hand: one rendering serves all recipients of an order.

Where messages are each recipient's own, `prepare` is where that is decided, and nothing else changes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from uuid import UUID

from varsel.database.connect import Pool
from varsel.database.lanes import Lanes
from varsel.database.statements import statements
from varsel.notifications.compose import Content, render
from varsel.notifications.send_status import Claim

SQL = statements("notifications")

KEPT_LIMIT = 8 * 1024 * 1024  # bytes kept for the other recipients of their orders
OVERHEAD = 400  # bytes that keeping one takes beside the message itself
SIZE_A_CHARACTER = 2  # bytes of the message for each character of the body: encoded, or as HTML and as plain text

# The message for the recipient of a claim, but for the headers that address it.
Message = Callable[[Claim], bytes]


def same_for_all(content: Content) -> Message:
    """Rendered once."""
    message = render(content)
    return lambda claim: message


class RenderedMessages:
    """Prepares an order's message when first asked; what was used longest ago is forgotten first."""

    def __init__(self, pool: Pool, prepare: Callable[[Content], Message] = same_for_all) -> None:
        self._pool = pool
        self._prepare = prepare
        self._size = 0
        self._kept: OrderedDict[UUID, tuple[Message, int]] = OrderedDict()
        self._being_prepared: dict[UUID, asyncio.Task[Message]] = {}
        self._contents: Lanes[UUID, Content] = Lanes(self._read)

    async def of(self, claim: Claim) -> bytes:
        """The message for the claim's recipient; those that ask for an order at the same time share one read."""
        order_id = claim.order_id
        if order_id in self._kept:
            self._kept.move_to_end(order_id)
            return self._kept[order_id][0](claim)
        task = self._being_prepared.get(order_id)
        if task is None:
            task = asyncio.create_task(self._prepare_order(order_id), name=f"render {order_id}")
            self._being_prepared[order_id] = task
            task.add_done_callback(lambda _: self._being_prepared.pop(order_id, None))
        return (await asyncio.shield(task))(claim)

    async def _prepare_order(self, order_id: UUID) -> Message:
        content = await self._contents.ask(order_id)
        message = self._prepare(content)
        self._keep(order_id, message, SIZE_A_CHARACTER * len(content.body) + OVERHEAD)
        return message

    async def _read(self, order_ids: Sequence[UUID]) -> Sequence[Content]:
        rows = await self._pool.fetch(SQL["contents_of_orders"], order_ids)
        found = {
            row["id"]: Content(
                subject=row["subject"],
                body=row["body"],
                is_html=row["content_type"] == "Html",
                from_address=row["from_address"],
                placed_at=row["created_at"],
            )
            for row in rows
        }
        return [found[order_id] for order_id in order_ids]

    def _keep(self, order_id: UUID, message: Message, size: int) -> None:
        self._kept[order_id] = message, size
        self._size += size
        while self._size > KEPT_LIMIT and len(self._kept) > 1:
            self._size -= self._kept.popitem(last=False)[1][1]
