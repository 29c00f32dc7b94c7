"""A contact register over HTTP, as Altinn's Profile and Register have it, with a policy decision point if there is one.

Persons come by national identity number, organisations by organisation number; each kind is a request of its own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from msgspec import Meta, Struct, field

from varsel.contact_register.calls import Calls
from varsel.contact_register.decisions import Decisions, User
from varsel.contact_register.register import Contact, Resource, is_person, usable_addresses, usable_name
from varsel.contact_register.together import all_of

Number = Annotated[int, Meta(ge=0)]


class _Person(Struct, frozen=True, rename="camel"):
    number: str | None = field(default=None, name="nationalIdentityNumber")
    is_reserved: bool | None = None
    email: str | None = None


class _Persons(Struct, frozen=True, rename="camel"):
    contact_points_list: list[_Person]


class _UserContact(Struct, frozen=True, rename="camel"):
    user_id: Number
    email: str | None = None


class _Organization(Struct, frozen=True, rename="camel"):
    number: str | None = field(default=None, name="organizationNumber")
    email_list: list[str | None] | None = None


class _Organizations(Struct, frozen=True, rename="camel"):
    contact_points_list: list[_Organization]


class _Unit(Struct, frozen=True, rename="camel"):
    party_id: Number
    number: str | None = field(default=None, name="organizationNumber")
    user_contact_points: list[_UserContact] | None = None


class _Units(Struct, frozen=True, rename="camel"):
    contact_points_list: list[_Unit]


class _Name(Struct, frozen=True, rename="camel"):
    ssn: str | None = None
    org_no: str | None = None
    name: str | None = None


class _Names(Struct, frozen=True, rename="camel"):
    party_names: list[_Name]


Told = TypeVar("Told", _Person, _Organization, _Unit)


class AltinnRegisters:
    """Asks Profile for contacts, Register for names; without `decisions` nobody registered by users is asked for."""

    def __init__(self, profile: Calls, register: Calls, decisions: Decisions | None) -> None:
        self._profile = profile
        self._register = register
        self._decisions = decisions

    async def contacts(self, identities: Sequence[str]) -> Mapping[str, Contact]:
        """As the seam has it."""
        persons = [identity for identity in identities if is_person(identity)]
        organizations = [identity for identity in identities if not is_person(identity)]
        found = await all_of(self._persons(persons), self._organizations(organizations))
        return found[0] | found[1]

    async def registered_by_users(
        self, organizations: Sequence[str], resource: Resource
    ) -> Mapping[str, Sequence[str]]:
        """As the seam has it; who may use the resource is the policy decision point's to say."""
        if self._decisions is None or not organizations:
            return {}
        body = {"organizationNumbers": organizations, "resourceId": resource.id}
        answer = await self._profile.post("/units/contactpoint/lookup", body, _Units)
        registered = {
            organization: [
                (User(contact.user_id, unit.party_id), contact.email or "")
                for unit in units
                for contact in unit.user_contact_points or ()
                if usable_addresses([contact.email])
            ]
            for organization, units in _entries_of(organizations, answer.contact_points_list).items()
        }
        users = dict.fromkeys(user for contacts in registered.values() for user, _ in contacts)
        permitted = await self._decisions.permitted(list(users), resource)
        return {
            organization: [address for user, address in contacts if user in permitted]
            for organization, contacts in registered.items()
        }

    async def names(self, identities: Sequence[str]) -> Mapping[str, str]:
        """As the seam has it."""
        parties = [{"ssn" if is_person(identity) else "orgNo": identity} for identity in identities]
        answer = await self._register.post("/parties/nameslookup", {"parties": parties}, _Names)
        named = ((party.ssn or party.org_no, usable_name(party.name)) for party in answer.party_names)
        return {identity: name for identity, name in named if identity and name}

    async def _persons(self, numbers: Sequence[str]) -> dict[str, Contact]:
        if not numbers:
            return {}
        # Contacts that their owner has not confirmed for long are stale; the original does not use them either.
        body = {"nationalIdentityNumbers": numbers, "useStaleContactInfo": False}
        answer = await self._profile.post("/users/contactpoint/lookup", body, _Persons)
        return {
            number: Contact(
                # One of them is their only one, but no reservation is overlooked.
                usable_addresses([person.email for person in persons])[:1],
                is_reserved=any(person.is_reserved for person in persons),
            )
            for number, persons in _entries_of(numbers, answer.contact_points_list).items()
        }

    async def _organizations(self, numbers: Sequence[str]) -> dict[str, Contact]:
        if not numbers:
            return {}
        path = "/organizations/notificationaddresses/lookup"
        answer = await self._profile.post(path, {"organizationNumbers": numbers}, _Organizations)
        return {
            number: Contact(usable_addresses(*(organization.email_list or () for organization in organizations)))
            for number, organizations in _entries_of(numbers, answer.contact_points_list).items()
        }


def _entries_of(numbers: Sequence[str], entries: Sequence[Told]) -> Mapping[str, Sequence[Told]]:
    """What an answer says of those who were asked for, each of whom may be in it several times."""
    asked = frozenset(numbers)
    found: defaultdict[str, list[Told]] = defaultdict(list)
    for entry in entries:
        if entry.number in asked:
            found[entry.number].append(entry)
    return found
