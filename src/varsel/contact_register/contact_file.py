"""Files of contacts: CSV (RFC 4180) in UTF-8, the columns in any order, apart by commas or semicolons.

What is written is read back the same. A cell that a spreadsheet would take for a formula gets an apostrophe in front,
and so does one that begins with an apostrophe; reading takes it off again. So a file may pass through a spreadsheet,
which would otherwise make 4791234567 of the number +4791234567, and a name may come from a stranger.

A file is read line by line, and of one row no more than ROW_LIMIT is held, whatever is in it.
"""

import csv
from collections.abc import Callable, Iterator, Sequence, Set
from io import TextIOWrapper
from itertools import chain, zip_longest
from typing import BinaryIO, TextIO

from msgspec import Struct

from varsel.contact_register.entry import COLUMNS, Entry, Faulty, GivenEntry, read_entry
from varsel.errors import SettingsError

ROW_LIMIT = 1_000_000  # characters: more than five cells of the 131,072 that csv allows (csv.field_size_limit)

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")  # OWASP, "CSV Injection"
_TO_ESCAPE = (*FORMULA_SIGNS, "'")
_ESCAPED = tuple(f"'{sign}" for sign in _TO_ESCAPE)


class Line(Struct, frozen=True, gc=False):
    """What a line of a file says; where its cells have line breaks, `number` is that of the first."""

    number: int
    content: Entry | Faulty


class _RowTooLong(Exception):
    """There is no end of the row in sight."""


class _Lines:
    """Gives csv the lines of a file, of one row no more than `left`."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.left = ROW_LIMIT

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(self.left + 1)
        except OSError as error:
            raise SettingsError(f"the file cannot be read: {error.strerror}") from error
        self.left -= len(line)
        if self.left < 0:
            raise _RowTooLong
        if not line:
            raise StopIteration
        return line


def read_contacts(file: BinaryIO, internal_domains: Set[str]) -> Iterator[Line]:
    """Every line that is not blank, beneath the one with the names of the columns; a wrong one of these comes alone.

    The file is closed at the end.

    Raises:
        SettingsError: the system cannot read the file.
    """
    # Bytes that are no UTF-8 become surrogates, which no text has: so the line with them can be named.
    with TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        rows = _rows(_Lines(text))
        number, names = next(rows, (1, Faulty(("the names of the columns are missing",))))
        columns = names if isinstance(names, Faulty) else _columns(names)
        if isinstance(columns, Faulty):
            yield Line(number, columns)
            return
        for number, cells in rows:
            yield Line(number, cells if isinstance(cells, Faulty) else _content(cells, columns, internal_domains))


def _rows(lines: _Lines) -> Iterator[tuple[int, list[str] | Faulty]]:
    """The cells of each row that has any, with the number of its first line."""
    number = 1
    try:
        first = next(lines, "")
        # Excel separates cells as the country does: in Norway by semicolons, for the comma stands in numbers.
        delimiter = ";" if first.count(";") > first.count(",") else ","
        rows = csv.reader(chain((first,), lines), delimiter=delimiter, strict=True)
        while (cells := _next_row(rows)) is not None:
            if isinstance(cells, Faulty) or any(map(str.strip, cells)):
                yield number, cells
            number = rows.line_num + 1
            lines.left = ROW_LIMIT
    except _RowTooLong:
        yield number, Faulty((f"longer than {ROW_LIMIT:,} characters; what follows was not read",))


def _next_row(rows: Iterator[list[str]]) -> list[str] | Faulty | None:
    try:
        cells = next(rows, None)
    except csv.Error as error:
        return Faulty((f"not CSV: {error}",))
    if cells and not _is_text("".join(cells)):
        return Faulty(("not UTF-8: save the file as CSV UTF-8",))
    return cells


def _is_text(cells: str) -> bool:
    try:
        cells.encode()
    except UnicodeEncodeError:
        return False
    return True


def _columns(names: Sequence[str]) -> list[str] | Faulty:
    columns = [name.strip().lower() for name in names]
    # By number: where the line of names was forgotten, this is a person's data.
    reasons = [
        f"column {number} has no name that is known" for number, name in enumerate(columns, 1) if name not in COLUMNS
    ]
    if len(set(columns)) < len(columns):
        reasons.append("two columns have the same name")
    if "identity" not in columns:
        reasons.append("the column identity is missing")
    return Faulty((*reasons, f"the columns are {', '.join(COLUMNS)}")) if reasons else columns


def _content(cells: Sequence[str], columns: Sequence[str], internal_domains: Set[str]) -> Entry | Faulty:
    if len(cells) > len(columns):
        return Faulty(("more cells than there are columns",))
    given = GivenEntry(**dict(zip_longest(columns, map(_unescaped, cells), fillvalue="")))
    return read_entry(given, internal_domains)


def contact_writer(file: TextIO) -> Callable[[Entry], None]:
    """Writes the names of the columns, and then an entry a call; the file is in UTF-8 and leaves line ends alone."""
    rows = csv.writer(file)
    rows.writerow(COLUMNS)
    return lambda entry: rows.writerow(map(_escaped, _cells(entry)))


def _cells(entry: Entry) -> tuple[str, ...]:
    return (
        entry.identity,
        entry.name or "",
        " ".join(entry.email_addresses),
        " ".join(entry.mobile_numbers),
        "true" if entry.is_reserved else "false",
    )


def _escaped(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_TO_ESCAPE) else cell


def _unescaped(cell: str) -> str:
    return cell[1:] if cell.startswith(_ESCAPED) else cell
