"""The claim on a due order, and every change of an order's status that ends it.

    Registered ──claim_due_orders──> Processing ──mark_processed──────────> Processed
                         ^               │  │
                         │               │  └─────mark_condition_not_met──> SendConditionNotMet
                         └─postpone_order┘

A claim is a worker's number and the attempt. It ends with the worker, by its lease, or by one of these; whoever has
lost it changes nothing any more. Until its notifications are there an order is only ever delayed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from varsel.database.connect import Connection, Pool, changed_rows
from varsel.database.statements import statements

SQL = statements("order_claims")

LEASE = timedelta(hours=1)  # longer than processing may take, with everybody slow who is asked


@dataclass(frozen=True, slots=True)
class DueOrder:
    """A claimed order, without its recipients and message."""

    id: UUID
    owner: str
    attempt: int
    requested_send_time: datetime
    ignore_reservation: bool | None
    resource_id: str | None
    resource_action: str | None
    condition_endpoint: str | None
    condition_unanswered: bool  # whether the condition was left unanswered when it was asked last
    is_large: bool  # whether it takes much memory


async def claim_due_orders(pool: Pool, worker: int, limit: int, busy_owners: Collection[str] = ()) -> list[DueOrder]:
    """Registered, Processing -> Processing: at most so many, of each owner its share, the longest due first."""
    rows = await pool.fetch(SQL["claim_due_orders"], worker, limit, LEASE, list(busy_owners))
    return [DueOrder(**row) for row in rows]


async def mark_processed(conn: Connection, worker: int, order: DueOrder) -> bool:
    """Processing -> Processed, in the transaction that generates; False where the claim was lost: then roll it back."""
    return await conn.execute(SQL["mark_processed"], order.id, worker, order.attempt) == "UPDATE 1"


async def mark_condition_not_met(pool: Pool, worker: int, order: DueOrder) -> bool:
    """Processing -> SendConditionNotMet; False where the claim was lost."""
    return await pool.execute(SQL["mark_condition_not_met"], order.id, worker, order.attempt) == "UPDATE 1"


async def postpone_order(pool: Pool, worker: int, order: DueOrder, pause: timedelta) -> bool:
    """Give the claim back: the order is claimed again after the pause. False where the claim was lost."""
    arguments = (order.id, worker, order.attempt, pause, order.condition_unanswered)
    return await pool.execute(SQL["postpone_order"], *arguments) == "UPDATE 1"


async def release_orders_of_worker(pool: Pool, worker: int, in_hand: Sequence[UUID] = ()) -> int:
    """Free what is claimed by this worker and not in its hand; returns how many."""
    return changed_rows(await pool.execute(SQL["release_orders_of_worker"], worker, list(in_hand)))


async def release_lost_orders(pool: Pool, grace: timedelta) -> int:
    """Free what is claimed by workers that have been missing for longer than the grace; returns how many."""
    return changed_rows(await pool.execute(SQL["release_lost_orders"], grace))
