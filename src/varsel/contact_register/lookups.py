"""Look up many identities: in batches, a few at a time, whatever the size of an order."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from varsel.contact_register.register import (
    BATCH,
    Contact,
    ContactRegister,
    Resource,
    is_person,
    usable_addresses,
)
from varsel.contact_register.together import all_of

AT_ONCE = 4  # batches of one order; others want to be answered too

T = TypeVar("T")


async def look_up(
    register: ContactRegister, identities: Iterable[str], resource: Resource | None = None
) -> Mapping[str, Contact]:
    """The contacts of these identities; with a resource, also those that users have registered and may use it.

    Raises:
        RegisterUnavailable: one of the batches was not answered, so nobody may be taken for unknown.
    """

    async def ask(batch: Sequence[str]) -> Mapping[str, Contact]:
        contacts = await register.contacts(batch)
        organizations = [identity for identity in batch if not is_person(identity)]
        if resource is None or not organizations:
            return contacts
        return _merged(contacts, await register.registered_by_users(organizations, resource))

    return await _in_batches(ask, identities)


async def look_up_names(register: ContactRegister, identities: Iterable[str]) -> Mapping[str, str]:
    """The names of these identities.

    Raises:
        RegisterUnavailable: one of the batches was not answered.
    """
    return await _in_batches(register.names, identities)


def _merged(contacts: Mapping[str, Contact], by_users: Mapping[str, Sequence[str]]) -> dict[str, Contact]:
    """Official addresses first; one that is there already, in whatever case, is not added."""
    merged = dict(contacts)
    for organization, addresses in by_users.items():
        official = merged.get(organization, Contact())
        merged[organization] = Contact(usable_addresses(official.email_addresses, addresses), official.is_reserved)
    return merged


async def _in_batches(
    ask: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]], identities: Iterable[str]
) -> Mapping[str, T]:
    distinct = list(dict.fromkeys(identities))
    batches = (distinct[start : start + BATCH] for start in range(0, len(distinct), BATCH))
    found: dict[str, T] = {}

    async def take_batches() -> None:
        for batch in batches:  # shared: each task takes the next
            answered = await ask(batch)
            # Nobody whom we did not ask for, whatever the register says.
            found.update((identity, answered[identity]) for identity in batch if identity in answered)

    await all_of(*(take_batches() for _ in range(AT_ONCE)))
    return found
