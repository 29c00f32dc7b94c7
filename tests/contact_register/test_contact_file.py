"""Files of contacts: what a spreadsheet or another system may write, and what is said of one that is wrong."""

import csv
import itertools
import os
from errno import EIO
from io import BytesIO, StringIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varsel.contact_register.contact_file import ROW_LIMIT, Line, contact_writer, read_contacts
from varsel.contact_register.entry import Entry, Faulty, GivenEntry, read_entry
from varsel.errors import SettingsError

KARI = Entry("01017012345", "Kari Nordmann", ("kari@etat.test",), ("+4791234567",), True)
NOBODY: frozenset[str] = frozenset()
KNOWN = "the columns are identity, name, email_addresses, mobile_numbers, reserved"


def lines_of(content: bytes | str) -> list[Line]:
    file = BytesIO(content.encode() if isinstance(content, str) else content)
    return list(read_contacts(file, NOBODY))


def faults_of(content: bytes | str) -> list[tuple[int, tuple[str, ...]]]:
    return [(line.number, line.content.reasons) for line in lines_of(content) if isinstance(line.content, Faulty)]


def written(*entries: Entry) -> bytes:
    file = StringIO(newline="")
    write = contact_writer(file)
    for entry in entries:
        write(entry)
    return file.getvalue().encode()


COMMAS = "identity,name,email_addresses,mobile_numbers,reserved"
SEMICOLONS = COMMAS.replace(",", ";")


@pytest.mark.parametrize(
    "content",
    [
        f"{COMMAS}\n01017012345,Kari Nordmann,kari@etat.test,91234567,true\n",
        f"{SEMICOLONS}\r\n01017012345;Kari Nordmann;kari@etat.test;91234567;ja\r\n",
        f"\ufeff{SEMICOLONS}\n01017012345;Kari Nordmann;kari@etat.test;91234567;1",
        f"{COMMAS}\r01017012345,Kari Nordmann,kari@etat.test,91234567,yes\r",
        f"{COMMAS.title()}\n010170 12345, Kari Nordmann ,kari@etat.test ,+47 912 34 567,TRUE\n",
        'reserved,mobile_numbers,"email_addresses",identity,name\n'
        '1,"91234567","kari@etat.test;\n",01017012345,"Kari Nordmann"\n',
        f"{COMMAS}\n01017012345,Kari Nordmann,kari@etat.test,'+4791234567,SANN\n",
    ],
    ids=["commas", "Excel in Norway", "byte order mark", "old Mac", "case and spaces", "another order", "escaped"],
)
def test_however_it_is_written_it_says_the_same(content: str) -> None:
    assert lines_of(content) == [Line(2, KARI)]


def test_only_the_identity_is_needed() -> None:
    assert lines_of("identity\n991825827\n") == [Line(2, Entry("991825827"))]


def test_cells_that_are_missing_at_the_end_of_a_line_are_empty() -> None:
    assert lines_of("name,identity,reserved\nBrann AS,991825827\n") == [Line(2, Entry("991825827", "Brann AS"))]


def test_a_line_without_an_identity_is_faulty() -> None:
    assert faults_of("name,identity\nBrann AS\n") == [(2, ("the identity has neither 9 nor 11 digits",))]


def test_blank_lines_are_passed_over_and_counted() -> None:
    assert [line.number for line in lines_of("identity;name\n\n ; \n991825827;\n;\n991825828;\n")] == [4, 6]


def test_a_line_is_known_by_where_it_begins() -> None:
    content = 'identity,email_addresses\n991825827,"a@etat.test\nb@etat.test"\n991825828,kari\n'

    addresses = ("a@etat.test", "b@etat.test")
    assert lines_of(content) == [
        Line(2, Entry("991825827", email_addresses=addresses)),
        Line(4, Faulty(("e-mail address 1 is not valid",), "991825828")),
    ]


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        ("", ("the names of the columns are missing",)),
        ("\ufeff", ("the names of the columns are missing",)),
        ("name,reserved\n991825827,\n", ("the column identity is missing", KNOWN)),
        ("identity,phone\n991825827,\n", ("column 2 has no name that is known", KNOWN)),
        ("identity,\n991825827,\n", ("column 2 has no name that is known", KNOWN)),
        ("identity,Identity\n991825827,\n", ("two columns have the same name", KNOWN)),
        ("identity,name;reserved\n991825827\n", ("column 2 has no name that is known", KNOWN)),
        ("991825827\n", ("column 1 has no name that is known", "the column identity is missing", KNOWN)),
        ("identity,name\n991825827,Kari\n".encode("utf-16"), ("not UTF-8: save the file as CSV UTF-8",)),
        ('identity,"name', ("not CSV: unexpected end of data",)),
        ("identity" * ROW_LIMIT, ("longer than 1,000,000 characters; what follows was not read",)),
    ],
)
def test_what_is_wrong_with_the_names_of_the_columns_is_all_that_is_said(
    content: bytes | str, reasons: tuple[str, ...]
) -> None:
    assert lines_of(content) == [Line(1, Faulty(reasons))]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("991825828,Kari,", "more cells than there are columns"),
        ("991825828,K\udce5re", "not UTF-8: save the file as CSV UTF-8"),
        ('991825828,"Kari" Nordmann', "not CSV: ',' expected after '\"'"),
        (f"991825828,{'x' * 140_000}", "not CSV: field larger than field limit (131072)"),
        ("991825828,Ka\0ri", "the name has a control character in it"),
        ('991825828,"Kari\tNordmann"', "the name has a control character in it"),
    ],
)
def test_a_faulty_line_is_named_and_the_next_is_read(line: str, reason: str) -> None:
    content = f"identity,name\n991825827,Ola\n{line}\n1,Per\n".encode(errors="surrogateescape")

    assert faults_of(content) == [(3, (reason,)), (4, ("the identity has neither 9 nor 11 digits",))]


def test_a_quotation_mark_that_is_never_closed_is_found_where_it_opens() -> None:
    assert faults_of('identity,name\n991825827,"Ola\n991825828,Kari\n') == [(2, ("not CSV: unexpected end of data",))]


class Endless(BytesIO):
    """A file without an end: reading all of it would take for ever, and all memory."""

    def __init__(self, piece: bytes) -> None:
        super().__init__()
        self._pieces = itertools.chain((b"identity,name\n",), itertools.repeat(piece))

    def read1(self, size: int | None = -1) -> bytes:
        return next(self._pieces)


def test_a_file_without_an_end_is_read_as_far_as_somebody_asks() -> None:
    lines = read_contacts(Endless(b"991825827,Kari\n"), NOBODY)

    assert [line.number for line in itertools.islice(lines, 3)] == [2, 3, 4]


def test_a_file_may_be_longer_than_a_row() -> None:
    lines = read_contacts(Endless(b"991825827," + b"x" * 1000 + b"\n"), NOBODY)

    assert all(isinstance(line.content, Entry) for line in itertools.islice(lines, ROW_LIMIT // 1000))


@pytest.mark.parametrize("piece", [b"x", b'","', b'"\n",'], ids=["one cell", "many cells", "many lines"])
def test_a_row_without_an_end_is_read_no_further_than_the_limit(piece: bytes) -> None:
    *_, last = read_contacts(Endless(piece * 1000), NOBODY)

    assert isinstance(last.content, Faulty)
    assert last.content.reasons == ("longer than 1,000,000 characters; what follows was not read",)


class Unreadable(BytesIO):
    def read1(self, size: int | None = -1) -> bytes:
        raise OSError(EIO, os.strerror(EIO))


def test_a_disk_that_fails_is_told_in_the_systems_words() -> None:
    with pytest.raises(SettingsError, match="the file cannot be read: Input/output error"):
        list(read_contacts(Unreadable(), NOBODY))


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)
addresses = st.sampled_from(
    ["kari@etat.test", "=1+1@etat.test", "+x@etat.test", "-x@etat.test", "'x@etat.test", "blåbær@etat.test"]
)
numbers = st.integers(10**6, 10**15 - 1).map("+{}".format)
persons = st.builds(
    Entry,
    st.integers(0, 10**11 - 1).map("{:011}".format),
    names.map(lambda name: " ".join(name.split()) or None),
    st.lists(addresses, max_size=1).map(tuple),
    st.lists(numbers, max_size=1).map(tuple),
    st.booleans(),
)
organizations = st.builds(
    Entry,
    st.integers(0, 10**9 - 1).map("{:09}".format),
    names.map(lambda name: " ".join(name.split()) or None),
    st.lists(addresses, unique=True).map(tuple),
    st.lists(numbers, unique=True, max_size=3).map(tuple),
)
some_entries = st.lists(persons | organizations, max_size=5)


@settings(deadline=None)
@given(some_entries)
@example([Entry("991825827", "=1+1"), Entry("991825828", "'=1+1"), Entry("991825829", "'"), Entry("991825830", "''+")])
@example(
    [Entry("991825827", 'Kari "Kaja", \r'.strip()), Entry("991825828", "\ufeffKari;"), Entry("991825829", "\u200bKari")]
)
def test_what_is_written_is_read_back_the_same(entries: list[Entry]) -> None:
    assert [line.content for line in lines_of(written(*entries))] == entries


@settings(deadline=None)
@given(some_entries)
def test_nothing_that_is_written_is_a_formula(entries: list[Entry]) -> None:
    cells = [cell for row in csv.reader(StringIO(written(*entries).decode(), newline="")) for cell in row]

    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@settings(deadline=None)
@given(st.binary() | st.text('",;\r\n\0 \ufeff19å').map(str.encode))
def test_whatever_is_in_a_file_it_is_read_to_its_end(content: bytes) -> None:
    assert all(isinstance(line.content, Entry | Faulty) for line in lines_of(b"identity,name\n" + content))


@settings(deadline=None)
@given(st.lists(st.text(min_size=7), min_size=5, max_size=5))
def test_a_reason_never_repeats_what_was_given(cells: list[str]) -> None:
    read = read_entry(GivenEntry(*cells), NOBODY)

    assert isinstance(read, Faulty)
    assert not [cell for cell in cells if cell in " ".join(read.reasons)]
