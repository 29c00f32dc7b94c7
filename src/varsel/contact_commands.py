"""What an operator does with the local contact register: fill it from a file, and look after single entries."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Set
from contextlib import aclosing, contextmanager
from datetime import UTC
from typing import BinaryIO

from varsel.contact_register.contact_file import Line, contact_writer, read_contacts
from varsel.contact_register.entry import COLUMNS, NO_IDENTITY, Entry, Faulty, GivenEntry, read_entry, read_identity
from varsel.contact_register.maintain import (
    Imported,
    Refused,
    all_entries,
    entry_of_identity,
    import_contacts,
    remove_entry,
)
from varsel.contact_register.register import is_person
from varsel.database.connect import Pool
from varsel.errors import SettingsError
from varsel.output import text_output

STDIN = "-"
UNKNOWN = "the contact register has no such identity"


async def import_file(pool: Pool, name: str, internal_domains: Set[str], *, replace: bool) -> None:
    """Take in a CSV file; with `replace`, whoever is not in it is removed.

    Raises:
        SettingsError: it cannot be read, or a line is faulty; nothing is changed then.
    """
    with _opened(name) as file:
        result = await import_contacts(pool, read_contacts(file, internal_domains), replace=replace)
    match result:
        case Refused(faults, total):
            for fault in faults:
                print(f"line {fault.line}: {fault.reason}", file=sys.stderr)
            if total > len(faults):
                print(f"and {total - len(faults)} more", file=sys.stderr)
            raise SettingsError(f"nothing was imported: {total} {'fault' if total == 1 else 'faults'}")
        case Imported():
            removed = f", {result.removed} removed" if replace else ""
            print(f"{result.new} new, {result.changed} changed, {result.unchanged} unchanged{removed}")


async def add_contact(pool: Pool, given: GivenEntry, internal_domains: Set[str]) -> None:
    """Add an entry, or put it in the place of the one there is.

    Raises:
        SettingsError: something about it is wrong.
    """
    entry = read_entry(given, internal_domains)
    if isinstance(entry, Faulty):
        raise SettingsError("; ".join(entry.reasons))
    match await import_contacts(pool, [Line(1, entry)], replace=False):
        case Imported(new=1):
            print("new")
        case Imported(changed=1):
            print("changed")
        case _:
            print("unchanged")


async def remove_contact(pool: Pool, identity: str) -> None:
    """Remove an entry.

    Raises:
        SettingsError: there is none.
    """
    if not await remove_entry(pool, _identity(identity)):
        raise SettingsError(UNKNOWN)


async def show_contact(pool: Pool, identity: str) -> None:
    """Print an entry, a line for each thing that is known.

    Raises:
        SettingsError: there is none.
    """
    found = await entry_of_identity(pool, _identity(identity))
    if found is None:
        raise SettingsError(UNKNOWN)
    entry, changed_at = found
    for label, value in _described(entry):
        print(f"{label:<16}{value}")
    print(f"{'changed':<16}{changed_at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}")


async def export_contacts(pool: Pool) -> None:
    """Write everybody to stdout, as a file that import reads back to the same.

    Raises:
        SettingsError: stdout cannot be written to.
    """
    with text_output("utf-8") as text:
        write = contact_writer(text)
        async with aclosing(all_entries(pool)) as entries:
            async for entry in entries:
                write(entry)


def add_contact_actions(parser: ArgumentParser) -> Iterable[ArgumentParser]:
    """`varsel contacts import FILE`, `add|remove|show IDENTITY`, `export`; `act` takes pool, options and domains."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    one = actions.add_parser("import", help="take in a CSV file: all of it, or nothing where a line is faulty")
    one.add_argument("file", help=f"with the columns {', '.join(COLUMNS)}; - is standard input")
    one.add_argument("--replace", action="store_true", help="remove whoever is not in the file")
    one.set_defaults(
        act=lambda pool, options, domains: import_file(pool, options.file, domains, replace=options.replace)
    )
    one = actions.add_parser("export", help="write everybody to stdout, as such a file")
    one.set_defaults(act=lambda pool, options, domains: export_contacts(pool))
    one = actions.add_parser("add", help="add an entry, or put it in the place of the one there is")
    _add_entry_arguments(one)
    one.set_defaults(act=lambda pool, options, domains: add_contact(pool, _given(options), domains))
    for name, act, help_text in (
        ("remove", remove_contact, "remove an entry"),
        ("show", show_contact, "print an entry"),
    ):
        one = actions.add_parser(name, help=help_text)
        one.add_argument("identity", help="organisation number or national identity number")
        one.set_defaults(act=lambda pool, options, domains, act=act: act(pool, options.identity))
    return actions.choices.values()


def _add_entry_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("identity", help="organisation number or national identity number")
    parser.add_argument("--name", default="", help="of the person or organisation")
    parser.add_argument("--email", action="append", default=[], metavar="ADDRESS", help="may be repeated")
    parser.add_argument("--mobile", action="append", default=[], metavar="NUMBER", help="may be repeated")
    parser.add_argument("--reserved", action="store_true", help="a person who is not to be reached electronically")


def _given(options: Namespace) -> GivenEntry:
    reserved = "yes" if options.reserved else "no"
    return GivenEntry(options.identity, options.name, ";".join(options.email), ";".join(options.mobile), reserved)


def _identity(text: str) -> str:
    identity = read_identity(text)
    if identity is None:
        raise SettingsError(NO_IDENTITY)
    return identity


def _described(entry: Entry) -> Iterator[tuple[str, str]]:
    yield ("person" if is_person(entry.identity) else "organisation"), entry.identity
    yield "name", entry.name or "-"
    yield "e-mail", ", ".join(entry.email_addresses) or "-"
    yield "mobile", ", ".join(entry.mobile_numbers) or "-"
    if is_person(entry.identity):
        yield "reserved", "yes" if entry.is_reserved else "no"


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = open(name, "rb")  # noqa: SIM115
    except OSError as error:
        raise SettingsError(f"{name} cannot be read: {error.strerror}") from error
    with file:
        yield file
