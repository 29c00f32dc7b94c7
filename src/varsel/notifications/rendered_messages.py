"""The rendered messages of the orders in hand: one rendering serves all recipients of an order."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from varsel.database.connect import Pool
from varsel.database.lanes import Lanes
from varsel.database.statements import statements
from varsel.notifications.compose import Content, render
from varsel.notifications.send_status import Claim

SQL = statements("notifications")

RENDERED_LIMIT = 8 * 1024 * 1024  # bytes kept for the other recipients of their orders
OVERHEAD = 400  # bytes that keeping one takes beside the message itself


class Messages(Protocol):
    """What the mails say. Where it is each recipient's own, that is decided here and nowhere else."""

    async def of(self, claim: Claim) -> bytes:
        """The message for the claim's recipient, but for the headers that address it."""
        ...


class RenderedMessages:
    """Renders when first asked; what was used longest ago is forgotten first."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._size = 0
        self._kept: OrderedDict[UUID, bytes] = OrderedDict()
        self._being_rendered: dict[UUID, asyncio.Task[bytes]] = {}
        self._contents: Lanes[UUID, Content] = Lanes(self._read)

    async def of(self, claim: Claim) -> bytes:
        """The message of the claim's order; recipients that ask for it at the same time share one read."""
        order_id = claim.order_id
        if order_id in self._kept:
            self._kept.move_to_end(order_id)
            return self._kept[order_id]
        task = self._being_rendered.get(order_id)
        if task is None:
            task = asyncio.create_task(self._render(order_id), name=f"render {order_id}")
            self._being_rendered[order_id] = task
            task.add_done_callback(lambda _: self._being_rendered.pop(order_id, None))
        return await asyncio.shield(task)

    async def _render(self, order_id: UUID) -> bytes:
        content = await self._contents.ask(order_id)
        message = render(content)
        self._keep(order_id, message)
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

    def _keep(self, order_id: UUID, message: bytes) -> None:
        self._kept[order_id] = message
        self._size += len(message) + OVERHEAD
        while self._size > RENDERED_LIMIT and len(self._kept) > 1:
            self._size -= len(self._kept.popitem(last=False)[1]) + OVERHEAD
