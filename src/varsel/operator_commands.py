"""What an operator asks about beside a single order: the suppression lists, and the reports that match no mail."""

import csv
import sys
from datetime import UTC, datetime

from varsel.contact_register.contact_file import FORMULA_SIGNS
from varsel.database.connect import Pool
from varsel.delivery_reports.unmatched import content_of_report, unmatched_reports
from varsel.errors import SettingsError
from varsel.notifications.suppression import (
    Suppression,
    lift_suppression,
    read_suppressions,
    suppress_by_operator,
)
from varsel.output import Output, text_output

REPORTS_SHOWN = 100
COLUMNS = ("owner", "address", "reason", "since", "until", "notification_id", "detail")


async def list_suppressions(pool: Pool, owner: str | None) -> None:
    """Print the addresses, one a line, with the reason."""
    async for entry in read_suppressions(pool, owner):
        until = f"until {_clock(entry.until)}" if entry.until else "until removed"
        words = " ".join((entry.detail or "").split())
        print(f"{entry.owner}  {entry.address}  {entry.reason} since {_clock(entry.since)}, {until}  {words}".rstrip())


async def export_suppressions(pool: Pool, owner: str | None) -> None:
    """Write them to stdout as CSV (RFC 4180), with a line of names first.

    Raises:
        SettingsError: stdout cannot be written to.
    """
    with text_output(sys.stdout.encoding) as text:
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        async for entry in read_suppressions(pool, owner):
            writer.writerow(_cells(entry))


async def add_suppression(pool: Pool, owner: str, address: str, detail: str | None) -> None:
    """Put the address on the owner's list.

    Raises:
        SettingsError: it is no address.
    """
    if not all(address.rpartition("@")[::2]) or any(c.isspace() for c in address):
        raise SettingsError(f"{address} is no e-mail address")
    await suppress_by_operator(pool, owner, address, detail)


async def remove_suppression(pool: Pool, owner: str, address: str) -> None:
    """Take the address off the owner's list.

    Raises:
        SettingsError: it is not on it.
    """
    if not await lift_suppression(pool, owner, address):
        raise SettingsError(f"{address} is not on the suppression list of {owner}")


async def list_reports(pool: Pool) -> None:
    """Print the reports that match no mail, the latest first."""
    for report in await unmatched_reports(pool, REPORTS_SHOWN):
        came_to = f"signed for {report.signed_for}" if report.signed_for else "complaint address"
        again = f"matched again {_clock(report.next_match_at)}" if report.next_match_at else "not matched again"
        print(
            f"{report.id}  {_clock(report.received_at)}  {report.size} bytes  {came_to}"
            f"  {report.outcome or 'not read yet'} ({report.rule or '-'})  {again}"
        )


async def print_report(pool: Pool, report_id: int) -> None:
    """Write the report to stdout as it came.

    Raises:
        SettingsError: there is no such report, or stdout cannot be written to.
    """
    content = await content_of_report(pool, report_id)
    if content is None:
        raise SettingsError(f"there is no report {report_id}")
    output = Output()
    output.write(content)
    output.flush()


def _cells(entry: Suppression) -> list[str]:
    values = (getattr(entry, name) for name in COLUMNS)
    return ["" if v is None else v.isoformat() if isinstance(v, datetime) else _harmless(str(v)) for v in values]


def _harmless(text: str) -> str:
    """A spreadsheet takes what begins like a formula for one, and the words are a stranger's."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _clock(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
