"""The send status of a notification, and every change of it: one function and one statement of the same name each.

    New ──claim_notifications──> Sending ──mark_succeeded──> Succeeded ──mark_delivered──> Delivered
     ^  │                        │  │  │                        │                             │
     │  └─expire_unsent─> Failed │  │  └─mark_rejected─> Failed…│                             │
     ├───────mark_deferred───────┘  │                           └────────mark_bounced─────────┴──> Failed…
     └───────release_claims─────────┘

mark_delivered and mark_bounced also take New (after an attempt) and Sending: a report may overtake our own commit
of the relay's answer, and is the better evidence for a claim that is in doubt. What cannot be delivered from the
start (no address was found) is generated as Failed_RecipientNotIdentified and never changes.

A worker's result counts only under its claim, which is its number and the attempt; whoever lost the claim
changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from varsel.database.connect import Connection, Pool
from varsel.database.statements import statements

SQL = statements("send_status")


class SendStatus(StrEnum):
    """Where a notification's sending stands, in the contract's words (its spelling included)."""

    NEW = "New"  # generated, or put back after a deferral
    SENDING = "Sending"  # claimed by a worker
    SUCCEEDED = "Succeeded"  # the relay took it; somebody's report may follow
    DELIVERED = "Delivered"  # a report says so
    FAILED = "Failed"  # for a reason that has no status of its own, or expired unsent
    FAILED_RECIPIENT_RESERVED = "Failed_RecipientReserved"
    FAILED_RECIPIENT_NOT_IDENTIFIED = "Failed_RecipientNotIdentified"  # no address was found
    FAILED_INVALID_EMAIL_FORMAT = "Failed_InvalidEmailFormat"
    FAILED_SUPPRESSED_RECIPIENT = "Failed_SupressedRecipient"
    FAILED_BOUNCED = "Failed_Bounced"  # the address or its domain does not exist
    FAILED_FILTERED_SPAM = "Failed_FilteredSpam"
    FAILED_QUARANTINED = "Failed_Quarantined"
    FAILED_TTL = "Failed_TTL"  # Succeeded for too long, where reports were to be expected
    FAILED_INVALID_SAS_URL = "Failed_InvalidSasUrl"
    FAILED_PAYLOAD_TOO_LARGE = "Failed_PayloadTooLarge"


# Longer than the 10 minutes that a relay may take to answer the final dot (RFC 5321 section 4.5.3.2.6): a slow
# 250 must not be sent again by somebody else.
LEASE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's sole right to one notification, and what it needs to make one attempt."""

    order_id: UUID
    notification_id: UUID
    recipient_address: str
    attempt: int


async def claim_notifications(pool: Pool, worker: int, limit: int) -> list[Claim]:
    """New -> Sending, for at most `limit` that are due, longest due first."""
    rows = await pool.fetch(SQL["claim_notifications"], worker, limit, LEASE)
    return [Claim(row["order_id"], row["id"], row["recipient_address"], row["attempt"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a claim; `detail` is the relay's own words."""

    claim: Claim
    detail: str


@dataclass(frozen=True, slots=True)
class Success(Result):
    """The relay took it."""


@dataclass(frozen=True, slots=True)
class Deferral(Result):
    """The relay said "later": the next attempt follows after the pause."""

    pause: timedelta


@dataclass(frozen=True, slots=True)
class Rejection(Result):
    """The relay said "never"."""

    send_status: SendStatus


async def mark_succeeded(conn: Connection, worker: int, results: Sequence[Success]) -> int:
    """Sending -> Succeeded; returns how many were still under this worker's claim."""
    return len(await conn.fetch(SQL["mark_succeeded"], worker, *_columns(results)))


async def mark_deferred(conn: Connection, worker: int, results: Sequence[Deferral]) -> int:
    """Sending -> New, due again after the pause; returns how many were still under this worker's claim."""
    pauses = [result.pause for result in results]
    return len(await conn.fetch(SQL["mark_deferred"], worker, *_columns(results), pauses))


async def mark_rejected(conn: Connection, worker: int, results: Sequence[Rejection]) -> int:
    """Sending -> Failed…; returns how many were still under this worker's claim."""
    final = [result.send_status for result in results]
    return len(await conn.fetch(SQL["mark_rejected"], worker, *_columns(results), final))


async def mark_delivered(conn: Connection, order_id: UUID, notification_id: UUID, detail: str) -> bool:
    """New after an attempt, Sending, Succeeded -> Delivered; False where the status stays."""
    return bool(await conn.fetch(SQL["mark_delivered"], order_id, notification_id, detail))


async def mark_bounced(
    conn: Connection, order_id: UUID, notification_id: UUID, detail: str, send_status: SendStatus
) -> bool:
    """New after an attempt, Sending, Succeeded, Delivered -> Failed…; False where the status stays."""
    return bool(await conn.fetch(SQL["mark_bounced"], order_id, notification_id, detail, send_status))


async def release_claims(pool: Pool, missing_for: timedelta, limit: int) -> int:
    """Sending -> New, for claims of workers missing that long and for leases that ran out; returns how many."""
    return len(await pool.fetch(SQL["release_claims"], missing_for, limit))


async def expire_unsent(pool: Pool, limit: int) -> int:
    """New -> Failed, for what no relay took before it expired; returns how many."""
    return len(await pool.fetch(SQL["expire_unsent"], limit))


def _columns(results: Sequence[Result]) -> tuple[list[UUID], list[UUID], list[int], list[str]]:
    return (
        [result.claim.order_id for result in results],
        [result.claim.notification_id for result in results],
        [result.claim.attempt for result in results],
        [result.detail for result in results],
    )
