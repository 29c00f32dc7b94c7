"""An entry of the local register: read from the texts that an operator gives, or all that is wrong with them.

A reason never repeats what was given: it goes to a terminal or a job's log, where a person's data does not belong.
"""

import re
import unicodedata
from collections.abc import Set

from msgspec import Struct

from varsel.contact_register.register import is_person, usable_addresses
from varsel.email_address import is_deliverable

_IDENTITY = re.compile(r"[0-9]{9}|[0-9]{11}")  # no checksum: the contract takes any, and so do test populations
_FULL_NUMBER = re.compile(r"\+[0-9]{7,15}")  # 15 digits at the most (ITU-T E.164)
_NORWEGIAN_MOBILE = re.compile(r"[49][0-9]{7}")

# A spreadsheet whose language is Norwegian makes SANN of true, and USANN of false.
_RESERVED = dict.fromkeys(("true", "yes", "1", "ja", "sann"), True) | dict.fromkeys(
    ("", "false", "no", "0", "nei", "usann"), False
)

NO_IDENTITY = "the identity has neither 9 nor 11 digits"


class GivenEntry(Struct, frozen=True, gc=False):
    """What an operator says of an identity, as text; its fields are the columns of a file."""

    identity: str  # spaces in it do not count
    name: str = ""
    email_addresses: str = ""  # apart by spaces, semicolons or line breaks
    mobile_numbers: str = ""  # the same; a number may have spaces in it
    reserved: str = ""


COLUMNS = GivenEntry.__struct_fields__


class Entry(Struct, frozen=True, gc=False):
    """What the local register holds of an identity; a Struct because a file may have a million of them."""

    identity: str
    name: str | None = None
    email_addresses: tuple[str, ...] = ()
    mobile_numbers: tuple[str, ...] = ()  # E.164
    is_reserved: bool = False


class Faulty(Struct, frozen=True, gc=False):
    """What was given cannot be an entry, and why."""

    reasons: tuple[str, ...]
    identity: str | None = None  # where at least that is right


def read_entry(given: GivenEntry, internal_domains: Set[str]) -> Entry | Faulty:
    """The entry in the form in which it is kept, or everything that is wrong with it."""
    reasons: list[str] = []
    identity = read_identity(given.identity)
    entry = Entry(
        identity or "",
        _name(given.name, reasons),
        _email_addresses(given.email_addresses, internal_domains, reasons),
        _mobile_numbers(given.mobile_numbers, reasons),
        _is_reserved(given.reserved, reasons),
    )
    if identity is None:
        reasons.append(NO_IDENTITY)
    else:
        _check_kind(entry, reasons)
    return Faulty(tuple(reasons), identity) if reasons else entry


def read_identity(text: str) -> str | None:
    """The identity without the spaces that people write in it; None where it cannot be one."""
    identity = "".join(text.split())
    return identity if _IDENTITY.fullmatch(identity) else None


def _check_kind(entry: Entry, reasons: list[str]) -> None:
    if not is_person(entry.identity):
        if entry.is_reserved:
            reasons.append("only a person can be reserved")
        return
    if len(entry.email_addresses) > 1:
        reasons.append("a person has at most one e-mail address")
    if len(entry.mobile_numbers) > 1:
        reasons.append("a person has at most one mobile number")


def _name(text: str, reasons: list[str]) -> str | None:
    # Cc: control characters; Cs: what is left of bytes that are no UTF-8, on a command line
    if not text.isprintable() and any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        reasons.append("the name has a control character in it")
    return " ".join(text.split()) or None


def _email_addresses(text: str, internal_domains: Set[str], reasons: list[str]) -> tuple[str, ...]:
    addresses = text.replace(";", " ").split()
    for position, address in enumerate(addresses, 1):
        if not is_deliverable(address, internal_domains):
            reasons.append(f"e-mail address {position} is not valid")
    return usable_addresses(addresses)


def _mobile_numbers(text: str, reasons: list[str]) -> tuple[str, ...]:
    numbers = [number for part in re.split(r"[;\r\n]", text) for number in _numbers_in(part)]
    for position, number in enumerate(numbers, 1):
        if not _FULL_NUMBER.fullmatch(number):
            reasons.append(f"mobile number {position} is not valid")
    return tuple(dict.fromkeys(numbers))


def _numbers_in(part: str) -> list[str]:
    """Several numbers apart by spaces, or one with spaces in it: several only where each could stand alone."""
    each = [_in_full(word) for word in part.split()]
    return each if all(map(_FULL_NUMBER.fullmatch, each)) else [_in_full("".join(part.split()))]


def _in_full(number: str) -> str:
    """With the country's code, by the rules of the original's registers."""
    if number.startswith("00"):
        number = f"+{number[2:]}"
    return f"+47{number}" if _NORWEGIAN_MOBILE.fullmatch(number) else number


def _is_reserved(text: str, reasons: list[str]) -> bool:
    is_reserved = _RESERVED.get(text.strip().lower())
    if is_reserved is None:
        reasons.append("reserved says neither yes nor no")
    return bool(is_reserved)
