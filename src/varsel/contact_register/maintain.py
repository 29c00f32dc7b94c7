"""Change and read the local register: all of a file, or nothing of it.

A file is copied piece by piece into a temporary table, in one transaction with the change of the register. So its size
does not matter, PostgreSQL finds the identity that it has twice, and each question sees the register as it was before
or as it is afterwards. An order asks one question for each 500 identities, so a large one may see both.
"""

from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import asyncpg

from varsel.contact_register.contact_file import Line
from varsel.contact_register.entry import Entry, Faulty
from varsel.database.connect import Connection, Pool, changed_rows, connection_of
from varsel.database.statements import statements

SQL = statements("contacts")

PIECE = 5_000  # lines a COPY, and rows a fetch: about a megabyte, and some hundredths of a second
FAULTS_SHOWN = 100
REASONS_SHOWN = 10  # of a line: a cell may hold thousands of addresses

# For a use of the whole register, of a million contacts: half a minute on a machine of two cores, and room for a disk
# or a reader that is twenty times as slow. Whoever only asks the register is not kept waiting meanwhile.
REGISTER_LIMIT = timedelta(minutes=10)

_COLUMNS = ("line", "identity", "name", "email_addresses", "mobile_numbers", "is_reserved")


@dataclass(frozen=True, slots=True)
class Imported:
    """How many entries came to be, were changed, stayed as they were, and are gone."""

    new: int
    changed: int
    unchanged: int
    removed: int


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was imported."""

    faults: Sequence[Fault]  # the first FAULTS_SHOWN, by line
    total: int


async def import_contacts(pool: Pool, lines: Iterable[Line], *, replace: bool) -> Imported | Refused:
    """Take in all lines, or none where one is faulty; with `replace`, whoever has no line is removed."""
    async with connection_of(pool, at_most=REGISTER_LIMIT) as conn, conn.transaction():
        refused = await _copy(conn, lines)
        if refused is not None:
            return refused
        total = await conn.fetchval(SQL["count_incoming_contacts"])
        if replace and not total:
            # More likely a file that was cut off than the wish to have everybody unknown, and nobody reserved.
            return Refused([Fault(1, "no contact follows, so that every contact would be removed")], 1)
        return await _take_in(conn, total, replace=replace)


async def remove_entry(pool: Pool, identity: str) -> bool:
    """Remove the entry; False where there is none."""
    return await pool.fetchval(SQL["remove_entry"], identity) is not None


async def entry_of_identity(pool: Pool, identity: str) -> tuple[Entry, datetime] | None:
    """The entry, and when it was changed last."""
    row = await pool.fetchrow(SQL["entry_of_identity"], identity)
    return (_entry(row), row["changed_at"]) if row is not None else None


async def all_entries(pool: Pool) -> AsyncGenerator[Entry, None]:
    """Everybody by identity, as it stands when the first is read; by a cursor, so there may be any number."""
    async with connection_of(pool, at_most=REGISTER_LIMIT) as conn, conn.transaction(readonly=True):
        async for row in conn.cursor(SQL["all_entries"], prefetch=PIECE):
            yield _entry(row)


async def _copy(conn: Connection, lines: Iterable[Line]) -> Refused | None:
    """Copy the lines into the temporary table; None where all are in order."""
    await conn.execute(SQL["create_incoming_contacts"])
    faults: list[Fault] = []
    total = 0
    remaining = iter(lines)
    while piece := list(islice(remaining, PIECE)):
        found = [fault for line in piece if (fault := _fault(line))]
        faults += found[: FAULTS_SHOWN - len(faults)]
        total += len(found)
        # Faulty ones too, where we know whose they are: then a repeated identity is named in the same round.
        records = [record for line in piece if (record := _record(line))]
        await conn.copy_records_to_table("incoming_contacts", records=records, columns=_COLUMNS)
    repeated = await conn.fetch(SQL["repeated_lines"], FAULTS_SHOWN, timeout=REGISTER_LIMIT.total_seconds())
    faults += [Fault(row["line"], f"the same identity as in line {row['first_line']}") for row in repeated]
    total += repeated[0]["total"] if repeated else 0
    return Refused(sorted(faults, key=lambda fault: fault.line)[:FAULTS_SHOWN], total) if total else None


def _fault(line: Line) -> Fault | None:
    if isinstance(line.content, Entry):
        return None
    return Fault(line.number, "; ".join(line.content.reasons[:REASONS_SHOWN]))


def _record(line: Line) -> tuple[object, ...] | None:
    match line.content:
        case Entry() as entry:
            lists = entry.email_addresses, entry.mobile_numbers
            return line.number, entry.identity, entry.name, *lists, entry.is_reserved
        case Faulty(identity=str(identity)):
            return line.number, identity, None, (), (), False
        case _:
            return None


async def _take_in(conn: Connection, total: int, *, replace: bool) -> Imported:
    await conn.execute(SQL["lock_contacts"], timeout=REGISTER_LIMIT.total_seconds())
    changed = await _count(conn, SQL["change_contacts"])
    new = await _count(conn, SQL["add_contacts"])
    removed = await _count(conn, SQL["remove_other_contacts"]) if replace else 0
    return Imported(new, changed, total - new - changed, removed)


async def _count(conn: Connection, sql: str) -> int:
    return changed_rows(await conn.execute(sql, timeout=REGISTER_LIMIT.total_seconds()))


def _entry(row: asyncpg.Record) -> Entry:
    addresses, numbers = tuple(row["email_addresses"]), tuple(row["mobile_numbers"])
    return Entry(row["identity"], row["name"], addresses, numbers, row["is_reserved"])
