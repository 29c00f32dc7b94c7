"""The reports that match no mail, for an operator to look at."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from varsel.database.connect import Pool
from varsel.database.statements import statements

SQL = statements("delivery_reports")


@dataclass(frozen=True, slots=True)
class UnmatchedReport:
    """A report that is kept, what it was read as, and when it is matched again."""

    id: int
    received_at: datetime
    signed_for: UUID | None  # None: it came to the address for complaints
    recipient: str | None
    outcome: str | None  # None: not read yet
    rule: str | None
    detail: str | None
    size: int  # bytes
    next_match_at: datetime | None  # None: no more by itself


async def unmatched_reports(pool: Pool, limit: int) -> list[UnmatchedReport]:
    """The latest first, at most `limit`."""
    return [UnmatchedReport(**row) for row in await pool.fetch(SQL["unmatched_reports"], limit)]


async def content_of_report(pool: Pool, report_id: int) -> bytes | None:
    """The mail as it came; None where there is no such report."""
    content: bytes | None = await pool.fetchval(SQL["content_of_report"], report_id)
    return content
