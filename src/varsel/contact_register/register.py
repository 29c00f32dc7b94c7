"""The seam to a contact register: identities go in, contacts come out.

An identity is a national identity number (11 digits, a person) or an organisation number (9 digits). Whoever a
register does not know is absent from its answer; a register that cannot answer raises, and whoever asked tries later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

BATCH = 500  # identities a call, at most; the original asks its policy decision point for as many at a time

_PERSON_DIGITS = 11
_ADDRESS_LIMIT = 320  # characters: 64, an @ and 255; more is no address, and would not fit in an index either
_NAME_LIMIT = 500  # characters; it goes into a header


class Contact(Struct, frozen=True, gc=False):
    """What a register knows of an identity.

    A Struct because an order may have hundreds of thousands of them at once.
    """

    email_addresses: tuple[str, ...] = ()  # none blank, none twice whatever the case; of a person at most one
    is_reserved: bool = False  # a person who has reserved themselves from electronic communication


@dataclass(frozen=True, slots=True)
class Resource:
    """What an order is about, where the owner says so: who may act on it may be told of it."""

    id: str  # without the prefix urn:altinn:resource:
    action: str  # for example "read"


class ContactRegister(Protocol):
    """What Varsel needs of a contact register; each call is for at most BATCH identities.

    Every method raises `RegisterUnavailable` where it cannot answer, and then nobody may be taken for unknown.
    """

    async def contacts(self, identities: Sequence[str]) -> Mapping[str, Contact]:
        """The official contacts of persons and organisations."""
        ...

    async def registered_by_users(
        self, organizations: Sequence[str], resource: Resource
    ) -> Mapping[str, Sequence[str]]:
        """Addresses that people have registered for their work for an organisation, if they may use the resource."""
        ...

    async def names(self, identities: Sequence[str]) -> Mapping[str, str]:
        """The names of persons and organisations."""
        ...


def is_person(identity: str) -> bool:
    """Whether this is a national identity number, not an organisation number."""
    return len(identity) == _PERSON_DIGITS


def usable_addresses(*lists: Sequence[str | None]) -> tuple[str, ...]:
    """The addresses of all lists in their order, each once whatever its case, without what cannot be one at all."""
    found: dict[str, str] = {}
    for given in lists:
        for text in given:
            address = (text or "").strip()
            if address and len(address) <= _ADDRESS_LIMIT and "\0" not in address:
                found.setdefault(address.lower(), address)
    return tuple(found.values())


def usable_name(text: str | None) -> str | None:
    """A name in one line, fit for a header; None where nothing is left of it."""
    printable = "".join(character if character.isprintable() else " " for character in text or "")
    return " ".join(printable.split())[:_NAME_LIMIT] or None
