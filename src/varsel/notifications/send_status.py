"""The send status of a notification, and every change of it: one function and one statement of the same name each.

    New ──claim_notifications──> Sending ──mark_succeeded──> Succeeded ──mark_delivered──> Delivered
     ^  │                        │  │  │                      │     │                        │
     │  └─expire_unsent─> Failed │  │  └─mark_rejected─> Failed…  └─fail_unreported─> Failed_TTL
     ├───────mark_deferred───────┘  │                         └──────mark_bounced────────┴──> Failed…
     │                    mark_in_doubt, mark_lost_in_doubt
     └──────resend_in_doubt─────────┴─fail_in_doubt─> Failed     (and release_unheard, for a claim lost on its way)

mark_delivered and mark_bounced also take New (after an attempt) and Sending: a report may overtake our own commit
of the relay's answer, and settles what is in doubt. So does a 250 that comes late. What cannot be delivered from the
start is generated as Failed_RecipientNotIdentified or Failed_RecipientReserved and never changes.

A worker's "later" and "never" count only under its claim, which is its number and the attempt; its 250 counts always,
because it is true. Where we had to end a notification that was in doubt, later evidence overrules that end.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

import asyncpg

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
    FAILED_RECIPIENT_RESERVED = "Failed_RecipientReserved"  # a person who does not want electronic communication
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


# After the expiry, for a report that is on its way (reference: the original's 300 s).
REPORT_GRACE = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's sole right to one notification, and what it needs to make one attempt."""

    order_id: UUID
    notification_id: UUID
    recipient_address: str
    attempt: int
    suppressed: str | None = None  # why its owner's mail is not sent to this address
    recipient_name: str | None = None  # where the order has keywords, and the recipient is known by name
    organization_number: str | None = None


async def claim_notifications(pool: Pool, worker: int, limit: int) -> list[Claim]:
    """New -> Sending, for at most `limit` that are due: each queue its share, the longest due first."""
    rows = await pool.fetch(SQL["claim_notifications"], worker, limit, LEASE)
    return [_claim(row) for row in rows]


async def release_unheard(pool: Pool, worker: int, in_hand: Collection[UUID]) -> int:
    """Sending -> New, for claims of this worker that are not in its hand; returns how many."""
    return len(await pool.fetch(SQL["release_unheard"], worker, list(in_hand)))


def _claim(row: asyncpg.Record) -> Claim:
    suppressed = None
    if row["suppressed_for"]:
        suppressed = f"on the suppression list since {row['suppressed_since']:%Y-%m-%d}: {row['suppressed_for']}"
    return Claim(
        row["order_id"],
        row["id"],
        row["recipient_address"],
        row["attempt"],
        suppressed,
        row["recipient_name"],
        row["organization_number"],
    )


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a claim; `detail` is the relay's own words, `relay` its host:port."""

    claim: Claim
    detail: str
    relay: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class Success(Result):
    """The relay took it."""

    reports_successes: bool = field(default=False, kw_only=True)  # whether its silence would mean failure


@dataclass(frozen=True, slots=True)
class Deferral(Result):
    """The relay said "later": the next attempt follows after the pause."""

    pause: timedelta


@dataclass(frozen=True, slots=True)
class Rejection(Result):
    """The relay said "never", or nobody was asked."""

    send_status: SendStatus
    rule: str


@dataclass(frozen=True, slots=True)
class Doubt(Result):
    """The message was sent and no answer came."""


async def mark_succeeded(conn: Connection, results: Sequence[Success]) -> int:
    """New after the attempt, Sending -> Succeeded; returns how many were not decided yet."""
    reports = [result.reports_successes for result in results]
    return len(await conn.fetch(SQL["mark_succeeded"], *_columns(results), reports, REPORT_GRACE))


async def mark_deferred(conn: Connection, worker: int, results: Sequence[Deferral]) -> int:
    """Sending -> New, due again after the pause; returns how many were still under this worker's claim."""
    pauses = [result.pause for result in results]
    return len(await conn.fetch(SQL["mark_deferred"], worker, *_columns(results), pauses))


async def mark_rejected(conn: Connection, worker: int, results: Sequence[Rejection]) -> list[UUID]:
    """Sending -> Failed…; returns those that were still under this worker's claim."""
    final = [result.send_status for result in results]
    rules = [result.rule for result in results]
    rows = await conn.fetch(SQL["mark_rejected"], worker, *_columns(results), final, rules)
    return [row["id"] for row in rows]


async def mark_in_doubt(conn: Connection, worker: int, results: Sequence[Doubt]) -> int:
    """Sending, now in doubt; returns how many were still under this worker's claim."""
    return len(await conn.fetch(SQL["mark_in_doubt"], worker, *_columns(results)))


async def mark_lost_in_doubt(pool: Pool, missing_for: timedelta, limit: int) -> int:
    """Sending, now in doubt: claims of workers missing that long, and leases that ran out; returns how many."""
    return len(await pool.fetch(SQL["mark_lost_in_doubt"], missing_for, limit))


async def resend_in_doubt(pool: Pool, in_doubt_for: timedelta, limit: int) -> int:
    """Sending, in doubt for that long -> New; returns how many."""
    return len(await pool.fetch(SQL["resend_in_doubt"], in_doubt_for, limit))


async def fail_in_doubt(pool: Pool, in_doubt_for: timedelta, limit: int) -> int:
    """Sending, in doubt for that long -> Failed; returns how many."""
    return len(await pool.fetch(SQL["fail_in_doubt"], in_doubt_for, limit))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a stored report says about one notification."""

    order_id: UUID
    notification_id: UUID
    report_id: int
    rule: str  # that read it
    detail: str  # the other side's own words


@dataclass(frozen=True, slots=True)
class Bounce(Evidence):
    """Evidence of a final failure."""

    send_status: SendStatus


async def mark_delivered(conn: Connection, evidence: Sequence[Evidence]) -> int:
    """New after an attempt, Sending, Succeeded -> Delivered; each about another notification. Returns how many."""
    return len(await conn.fetch(SQL["mark_delivered"], *_evidence_columns(evidence)))


async def mark_bounced(conn: Connection, bounces: Sequence[Bounce]) -> list[UUID]:
    """New after an attempt, Sending, Succeeded, Delivered -> Failed…, as above; returns those that changed."""
    final = [bounce.send_status for bounce in bounces]
    return [row["id"] for row in await conn.fetch(SQL["mark_bounced"], *_evidence_columns(bounces), final)]


async def expect_no_report(conn: Connection, evidence: Sequence[Evidence]) -> None:
    """No change of status: from now on silence is no failure."""
    order_ids, notification_ids, *_ = _evidence_columns(evidence)
    await conn.execute(SQL["expect_no_report"], order_ids, notification_ids)


async def expire_unsent(pool: Pool, limit: int) -> int:
    """New -> Failed, for what no relay took before it expired; returns how many."""
    return len(await pool.fetch(SQL["expire_unsent"], limit))


async def fail_unreported(pool: Pool, limit: int) -> int:
    """Succeeded -> Failed_TTL, where the relay reports successes and has not in time; returns how many."""
    return len(await pool.fetch(SQL["fail_unreported"], limit))


def _columns(results: Sequence[Result]) -> tuple[list[UUID], list[UUID], list[int], list[str], list[str]]:
    return (
        [result.claim.order_id for result in results],
        [result.claim.notification_id for result in results],
        [result.claim.attempt for result in results],
        [result.detail for result in results],
        [result.relay for result in results],
    )


def _evidence_columns(
    evidence: Sequence[Evidence],
) -> tuple[list[UUID], list[UUID], list[str], list[str], list[int]]:
    return (
        [each.order_id for each in evidence],
        [each.notification_id for each in evidence],
        [each.detail for each in evidence],
        [each.rule for each in evidence],
        [each.report_id for each in evidence],
    )
