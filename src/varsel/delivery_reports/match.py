"""Find the mail that a report is about: by the signed return path, else by what the report says.

What the report says nobody has signed. A Message-ID or an envelope id is at least known only to those who saw the
mail; a bare address is known to anybody, so it matches only where there is no choice, and proves nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from varsel.database.connect import Connection
from varsel.database.statements import statements
from varsel.database.uuid7 import first_uuid7_at
from varsel.delivery_reports.read import References
from varsel.transports.return_path import ReturnPaths

SQL = statements("delivery_reports")

TRIED_LIMIT = 20  # names that one report may give its mail
RECENT = timedelta(days=7)  # complaints and bounces come within days
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Match:
    """A notification, and what named it."""

    order_id: UUID
    notification_id: UUID
    matched_by: str

    @property
    def is_certain(self) -> bool:
        """Whether only somebody who saw the mail can have named it."""
        return self.matched_by != "recipient"


async def find_mail(
    conn: Connection, signed_for: UUID | None, references: References, return_paths: ReturnPaths
) -> Match | None:
    """The notification that the report is about; None where nothing names one that we know."""
    tried: set[UUID] = set()
    for matched_by, notification_id in _names(signed_for, references, return_paths):
        if notification_id in tried or len(tried) == TRIED_LIMIT:
            continue
        tried.add(notification_id)
        row = await conn.fetchrow(SQL["mail_by_id"], notification_id)
        if row is not None:
            return Match(row["order_id"], row["id"], matched_by)
    return await _only_mail_to(conn, references)


def _names(signed_for: UUID | None, references: References, return_paths: ReturnPaths) -> Iterator[tuple[str, UUID]]:
    if signed_for is not None:
        yield "return path", signed_for
    for address in references.return_paths:
        enclosed = return_paths.notification_of(address)
        if enclosed is not None:
            yield "enclosed return path", enclosed
    for name, values in (("envelope id", references.envelope_ids), ("Message-ID", references.message_ids)):
        for value in values:
            found = _ID.match(value)
            if found:
                yield name, UUID(found[0])


async def _only_mail_to(conn: Connection, references: References) -> Match | None:
    since = first_uuid7_at(datetime.now(UTC) - RECENT)
    for address in dict.fromkeys(references.recipients[:TRIED_LIMIT]):
        rows = await conn.fetch(SQL["last_notifications_to"], address, since)
        if len(rows) == 1:
            return Match(rows[0]["order_id"], rows[0]["id"], "recipient")
    return None
