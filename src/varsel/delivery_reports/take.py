"""Take in reports: those that are there at the same time share one transaction, and so one commit.

    small, signed for a mail that we know, new   stored as recorded and counted together with others
    a repeat, or about a mail that we do not know \
    a complaint, or large                          > stored alone, then recorded alone (record.take_report)
    what fails together with others and by itself /

A mail counts one report at a time, in the order in which they came.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import structlog

from varsel.database.connect import UNAVAILABLE, Pool, connection_of
from varsel.database.lanes import Lanes
from varsel.database.statements import statements
from varsel.delivery_reports.read import Reading, read_report
from varsel.delivery_reports.record import READ_ELSEWHERE, ReportRules, move_statuses, take_report, weightiest
from varsel.notifications.send_status import Evidence

log = structlog.get_logger(__name__)
SQL = statements("delivery_reports")


@dataclass(frozen=True, slots=True)
class _Incoming:
    """A report that can share a transaction."""

    signed_for: UUID
    content: bytes
    reading: Reading


class Taking:
    """Takes reports; when `take` returns, the report and its effect are committed. A repeat changes nothing."""

    def __init__(self, pool: Pool, rules: ReportRules) -> None:
        self._pool = pool
        self._rules = rules
        # Whoever brings a report waits for the answer, so no more can wait here than there are connections.
        self._lanes: Lanes[_Incoming, bool] = Lanes(self._take_together)

    async def take(self, signed_for: UUID | None, content: bytes) -> None:
        """Store and record one report; `signed_for` is from the signed return path that it came to, if it did."""
        if signed_for is None or len(content) >= READ_ELSEWHERE or not await self._is_taken(signed_for, content):
            await take_report(self._pool, signed_for, content, self._rules)

    async def _is_taken(self, signed_for: UUID, content: bytes) -> bool:
        """Take it together with others; False where it has to be taken alone."""
        try:
            reading = weightiest(read_report(content))
            return reading.outcome != "complaint" and await self._lanes.ask(_Incoming(signed_for, content, reading))
        except UNAVAILABLE:
            raise
        except Exception as error:
            # Alone it is at least stored, whatever it is in it that cannot be read or recorded.
            log.warning("report cannot be taken with others", notification=str(signed_for), error=type(error).__name__)
            return False

    async def _take_together(self, reports: Sequence[_Incoming]) -> Sequence[bool]:
        taken = [False] * len(reports)
        for turn in _turns(reports):
            found = await self._take_turn([reports[position] for position in turn])
            for position in turn:
                taken[position] = reports[position].signed_for in found
        return taken

    async def _take_turn(self, reports: Sequence[_Incoming]) -> set[UUID]:
        """Take what is new and about mails that we know; returns which mails these are."""
        reading_of = {report.signed_for: report.reading for report in reports}
        async with connection_of(self._pool) as conn, conn.transaction():
            rows = await conn.fetch(SQL["take_reports"], *_columns(reports))
            told: list[tuple[Evidence, Reading]] = []
            for report_id, order_id, notification_id in rows:
                reading = reading_of[notification_id]
                told.append((Evidence(order_id, notification_id, report_id, reading.rule, reading.detail), reading))
            await move_statuses(conn, told, self._rules)
        _log_recorded(told)
        return {evidence.notification_id for evidence, _ in told}


def _log_recorded(told: Sequence[tuple[Evidence, Reading]]) -> None:
    if told:
        log.info(
            "reports recorded",
            notifications=[str(evidence.notification_id) for evidence, _ in told],
            reports=[evidence.report_id for evidence, _ in told],
            outcomes=[reading.outcome for _, reading in told],
            rules=[reading.rule for _, reading in told],
        )


def _turns(reports: Sequence[_Incoming]) -> Sequence[Sequence[int]]:
    """The positions of the reports, so divided that of each mail there is one a turn, in the order of arrival."""
    turns: list[dict[UUID, int]] = []
    for position, report in enumerate(reports):
        turn = next((turn for turn in turns if report.signed_for not in turn), None)
        if turn is None:
            turns.append(turn := {})
        turn[report.signed_for] = position
    return [list(turn.values()) for turn in turns]


def _columns(reports: Sequence[_Incoming]) -> Sequence[Sequence[object]]:
    """The reports' columns in the statement take_reports, in its order."""
    return (
        [report.signed_for for report in reports],
        [sha256(report.content).digest() for report in reports],
        [report.content for report in reports],
        [report.reading.recipient for report in reports],
        [report.reading.outcome for report in reports],
        [report.reading.rule for report in reports],
        [report.reading.detail for report in reports],
    )
