"""Record a delivery report: stored as it came, then classified, then it may move the send status.

Reports come late, twice, and in any order, before our own commit of the relay's answer too; what a report may
change is decided by the statements in notifications/send_status, never here.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Literal
from uuid import UUID

import structlog

from varsel.database.connect import UNAVAILABLE, Connection, Pool, connection_of
from varsel.database.statements import statements
from varsel.delivery_reports.dsn import Action, RecipientReport, read_dsn
from varsel.notifications.classify import classify_failure
from varsel.notifications.send_status import mark_bounced, mark_delivered

log = structlog.get_logger(__name__)
SQL = statements("delivery_reports")

NO_OUTCOME = "none"
LEFT_BEHIND_AFTER = timedelta(seconds=30)  # a report not recorded by then was left by a process that ended
LEFT_BEHIND_LIMIT = 100  # reports a round

Relayed = Literal["delivered", "succeeded"]


async def take_report(pool: Pool, notification_id: UUID, content: bytes, relayed: Relayed) -> None:
    """Store the report, then record it; when this returns, both are committed. A repeat changes nothing."""
    report_id = await pool.fetchval(SQL["store_report"], notification_id, sha256(content).digest(), content)
    if report_id is None:
        log.info("report repeated", notification=str(notification_id))
        return
    await _record(pool, report_id, notification_id, content, relayed)


async def record_left_behind(pool: Pool, relayed: Relayed) -> bool:
    """Record what was stored by a process that ended before it could go on; True where more may be left."""
    rows = await pool.fetch(SQL["reports_to_record"], LEFT_BEHIND_AFTER, LEFT_BEHIND_LIMIT)
    for row in rows:
        try:
            await _record(pool, row["id"], row["notification_id"], row["content"], relayed)
        except UNAVAILABLE:
            raise
        except Exception:
            # It stays, and costs the others nothing.
            log.exception("report cannot be recorded", notification=str(row["notification_id"]))
    return len(rows) == LEFT_BEHIND_LIMIT


async def _record(pool: Pool, report_id: int, notification_id: UUID, content: bytes, relayed: Relayed) -> None:
    outcome, rule = NO_OUTCOME, "not a delivery report"
    async with connection_of(pool) as conn, conn.transaction():
        order_id = await conn.fetchval(SQL["order_of_notification"], notification_id)
        for report in read_dsn(content) if order_id else []:
            outcome, rule = await _apply(conn, order_id, notification_id, report, relayed)
        await conn.execute(SQL["mark_recorded"], report_id, outcome, rule)
    log.info("report recorded", notification=str(notification_id), outcome=outcome, rule=rule)


async def _apply(
    conn: Connection, order_id: UUID, notification_id: UUID, report: RecipientReport, relayed: Relayed
) -> tuple[str, str]:
    """Let the report move the send status; returns what it was taken for, and by which rule."""
    words = report.diagnostic or report.status_code
    match report.action:
        case Action.FAILED:
            verdict = classify_failure(words, report.status_code)
            await mark_bounced(conn, order_id, notification_id, words, verdict.send_status)
            return verdict.send_status, verdict.rule
        case Action.RELAYED if relayed == "succeeded":
            return NO_OUTCOME, "action: relayed counts as succeeded"
        case Action.DELIVERED | Action.RELAYED:
            await mark_delivered(conn, order_id, notification_id, words)
            return "Delivered", f"action: {report.action}"
        case Action.DELAYED | Action.EXPANDED:
            return NO_OUTCOME, f"action: {report.action}"
