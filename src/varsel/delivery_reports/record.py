"""Record a delivery report: stored as it came, then read and matched, then it may move the send status.

Reports come late, twice, and in any order, before our own commit of the relay's answer too; what a report may
change is decided by the statements in notifications/send_status, never here. A report that matches no mail stays,
and is matched again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import structlog

from varsel.database.connect import UNAVAILABLE, Connection, Pool, connection_of
from varsel.database.statements import statements
from varsel.delivery_reports.dsn import Action
from varsel.delivery_reports.match import Match, find_mail
from varsel.delivery_reports.read import Reading, Report, read_report
from varsel.notifications.send_status import (
    Bounce,
    Evidence,
    SendStatus,
    expect_no_report,
    mark_bounced,
    mark_delivered,
)
from varsel.notifications.suppression import suppress_bounced, suppress_complainant
from varsel.settings import Settings
from varsel.transports.return_path import ReturnPaths

log = structlog.get_logger(__name__)
SQL = statements("delivery_reports")

LEFT_BEHIND_AFTER = timedelta(seconds=30)  # a report not recorded by then was left by a process that ended
MATCHED_AGAIN_FOR = timedelta(days=30)  # then it only waits for somebody to look at it
ROUND_LIMIT = 100  # reports a round
READ_ELSEWHERE = 64 * 1024  # bytes; a larger mail is read in a thread, so that nobody waits for it


@dataclass(frozen=True, slots=True)
class ReportRules:
    """How reports are matched, and what they may do."""

    return_paths: ReturnPaths
    relayed_is_delivered: bool = True
    suppresses_bounces: bool = True
    suppresses_complaints: bool = True

    @classmethod
    def of(cls, settings: Settings, return_paths: ReturnPaths) -> "ReportRules":
        """As the settings say."""
        return cls(
            return_paths,
            relayed_is_delivered=settings.relayed == "delivered",
            suppresses_bounces="bounces" in settings.suppress,
            suppresses_complaints="complaints" in settings.suppress,
        )


async def take_report(pool: Pool, signed_for: UUID | None, content: bytes, rules: ReportRules) -> None:
    """Store the report, then record it, whatever others do; when this returns, both are committed.

    A repeat changes nothing. Where recording fails the report is stored nevertheless.
    `signed_for` is from the signed return path that it came to; without one it can only be a complaint.
    """
    digest = sha256(content).digest()
    report_id = await pool.fetchval(SQL["store_report"], signed_for, digest, content, LEFT_BEHIND_AFTER)
    if report_id is None:
        log.info("report repeated", notification=str(signed_for))
        # Perhaps because we ended between storing and recording: the relay that repeats it is the first to know.
        report_id = await pool.fetchval(SQL["unrecorded_report"], signed_for, digest)
    if report_id is None:
        return
    await _record(pool, report_id, signed_for, content, rules)


async def record_waiting(pool: Pool, rules: ReportRules) -> bool:
    """Record what a process left behind that ended, and match again what matched nothing; True where more is due."""
    rows = await pool.fetch(SQL["reports_to_record"], ROUND_LIMIT)
    for row in rows:
        try:
            await _record(pool, row["id"], row["signed_for"], row["content"], rules)
        except UNAVAILABLE:
            raise
        except Exception:
            # It stays, and costs the others nothing.
            log.exception("report cannot be recorded", report=row["id"])
            await pool.execute(SQL["put_off"], row["id"])
    return len(rows) == ROUND_LIMIT


async def _record(pool: Pool, report_id: int, signed_for: UUID | None, content: bytes, rules: ReportRules) -> None:
    report = await _read(content)
    reading = weightiest(report)
    async with connection_of(pool) as conn, conn.transaction():
        match = await find_mail(conn, signed_for, report.references, rules.return_paths)
        if match is None:
            values = (reading.recipient, reading.outcome, reading.rule, reading.detail)
            await conn.execute(SQL["mark_unmatched"], report_id, *values, MATCHED_AGAIN_FOR)
            log.warning("report matches no mail; it is kept", report=report_id, outcome=reading.outcome)
            return
        await _apply(conn, report_id, match, reading, rules, is_signed=match.notification_id == signed_for)
        await _mark_recorded(conn, report_id, match, reading)
    log.info(
        "report recorded",
        notification=str(match.notification_id),
        report=report_id,
        outcome=reading.outcome,
        rule=reading.rule,
        matched_by=match.matched_by,
    )


async def _read(content: bytes) -> Report:
    return read_report(content) if len(content) < READ_ELSEWHERE else await asyncio.to_thread(read_report, content)


def weightiest(report: Report) -> Reading:
    """One notification has one recipient; where a report tells of several (a list's members), a failure counts."""

    def weight(reading: Reading) -> int:
        if reading.outcome == "none":
            return 0
        if reading.outcome == "complaint":
            return 1
        return 2 if reading.outcome is SendStatus.DELIVERED else 3

    return max(report.readings, key=weight)


async def _apply(
    conn: Connection, report_id: int, match: Match, reading: Reading, rules: ReportRules, *, is_signed: bool
) -> None:
    """Let the report have its effect. Not signed for this very mail it may be anybody's: no status follows from it."""
    evidence = Evidence(match.order_id, match.notification_id, report_id, reading.rule, reading.detail)
    if reading.outcome == "complaint":
        if rules.suppresses_complaints and match.is_certain:
            await suppress_complainant(conn, match.notification_id, reading.detail)
    elif is_signed:
        await move_statuses(conn, [(evidence, reading)], rules)


async def move_statuses(conn: Connection, told: Sequence[tuple[Evidence, Reading]], rules: ReportRules) -> None:
    """Let reports that were signed for their mails have their effect, each on another mail."""
    passed_on = [evidence for evidence, reading in told if _is_passed_on(reading, rules)]
    final = [(evidence, reading.outcome) for evidence, reading in told if not _is_passed_on(reading, rules)]
    delivered = [evidence for evidence, outcome in final if outcome is SendStatus.DELIVERED]
    bounces = [
        Bounce(each.order_id, each.notification_id, each.report_id, each.rule, each.detail, outcome)
        for each, outcome in final
        if isinstance(outcome, SendStatus) and outcome is not SendStatus.DELIVERED
    ]
    if passed_on:
        await expect_no_report(conn, passed_on)
    if delivered:
        await mark_delivered(conn, delivered)
    if bounces:
        changed = await mark_bounced(conn, bounces)
        if rules.suppresses_bounces:
            await suppress_bounced(conn, changed)


def _is_passed_on(reading: Reading, rules: ReportRules) -> bool:
    """Whether the mail has left the servers that report."""
    return reading.action is Action.EXPANDED or (reading.action is Action.RELAYED and not rules.relayed_is_delivered)


async def _mark_recorded(conn: Connection, report_id: int, match: Match, reading: Reading) -> None:
    await conn.execute(
        SQL["mark_recorded"],
        report_id,
        match.order_id,
        match.notification_id,
        match.matched_by,
        reading.recipient,
        reading.outcome,
        reading.rule,
        reading.detail,
    )
