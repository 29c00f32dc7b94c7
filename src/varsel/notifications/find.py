"""Find the notifications of an order, a page at a time, so that an order of any size is read in bounded memory."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from varsel.database.connect import Pool
from varsel.database.lanes import Lanes
from varsel.database.statements import statements

SQL = statements("notifications")

PAGE = 1_000  # notifications; about 400 kB in memory
_BEFORE_ALL = UUID(int=0)


class _Wanted(NamedTuple):
    """A page of the owner's order: what comes after this notification."""

    order_id: UUID
    owner: str
    after: UUID


@dataclass(frozen=True, slots=True)
class Page:
    """Some notifications of an order, by columns, in the texts that PostgreSQL wrote at a fraction of our cost."""

    senders_reference: str | None
    ids: Sequence[str]
    addresses: Sequence[str]  # of the recipients, as JSON strings
    organization_numbers: Sequence[str | None]
    national_identity_numbers: Sequence[str | None]
    send_statuses: Sequence[str]
    changed_at: Sequence[str]  # ISO 8601, in UTC, without a zone

    @property
    def is_last(self) -> bool:
        """Whether nothing can follow."""
        return len(self.ids) < PAGE


class NotificationPages:
    """Reads pages; those that are asked for at the same time share a query, whoever asks."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lanes: Lanes[_Wanted, Page | None] = Lanes(self._read)

    async def first(self, order_id: UUID, owner: str) -> Page | None:
        """The first page of an order, in the order of its recipients; None where the owner has no such order."""
        return await self._lanes.ask(_Wanted(order_id, owner, _BEFORE_ALL))

    async def following(self, order_id: UUID, owner: str, first: Page) -> AsyncIterator[Page]:
        """The pages after the first. Each is read by itself: no connection is held while a page is passed on."""
        page: Page | None = first
        while page is not None and not page.is_last:
            page = await self._lanes.ask(_Wanted(order_id, owner, UUID(page.ids[-1])))
            if page is not None:
                yield page

    async def _read(self, wanted: Sequence[_Wanted]) -> Sequence[Page | None]:
        each_once = list(dict.fromkeys(wanted))
        rows = await self._pool.fetch(SQL["pages_of_orders"], *zip(*each_once, strict=True), PAGE)
        found = {each_once[row[0] - 1]: Page(*row[1:]) for row in rows}
        return [found.get(one) for one in wanted]
