"""A contact register over HTTP, as Altinn's Profile and Register have it, with a policy decision point if there is one.

Persons come by national identity number, organisations by organisation number; each kind is a request of its own.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from varsel.contact_register.calls import Calls
from varsel.contact_register.decisions import Decisions, User
from varsel.contact_register.register import Contact, Resource, is_person, usable_addresses, usable_name

Number = Annotated[int, Meta(ge=0)]


class _Person(Struct, frozen=True, rename="camel"):
    national_identity_number: str | None = None
    is_reserved: bool | None = None
    email: str | None = None


class _Persons(Struct, frozen=True, rename="camel"):
    contact_points_list: list[_Person]


class _UserContact(Struct, frozen=True, rename="camel"):
    user_id: Number
    email: str | None = None


class _Organization(Struct, frozen=True, rename="camel"):
    organization_number: str | None = None
    email_list: list[str | None] | None = None


class _Organizations(Struct, frozen=True, rename="camel"):
    contact_points_list: list[_Organization]


class _Unit(Struct, frozen=True, rename="camel"):
    party_id: Number
    organization_number: str | None = None
    user_contact_points: list[_UserContact] | None = None


class _Units(Struct, frozen=True, rename="camel"):
    contact_points_list: list[_Unit]


class _Name(Struct, frozen=True, rename="camel"):
    ssn: str | None = None
    org_no: str | None = None
    name: str | None = None


class _Names(Struct, frozen=True, rename="camel"):
    party_names: list[_Name]


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
        found = await asyncio.gather(self._persons(persons), self._organizations(organizations))
        return found[0] | found[1]

    async def registered_by_users(
        self, organizations: Sequence[str], resource: Resource
    ) -> Mapping[str, Sequence[str]]:
        """As the seam has it; who may use the resource is the policy decision point's to say."""
        if self._decisions is None or not organizations:
            return {}
        body = {"organizationNumbers": organizations, "resourceId": resource.id}
        answer = await self._profile.post("/units/contactpoint/lookup", body, _Units)
        users = {
            User(contact.user_id, unit.party_id): contact.email
            for unit in answer.contact_points_list
            for contact in unit.user_contact_points or ()
            if usable_addresses([contact.email])
        }
        permitted = await self._decisions.permitted(list(users), resource)
        return {
            unit.organization_number: [
                contact.email or ""
                for contact in unit.user_contact_points or ()
                if User(contact.user_id, unit.party_id) in permitted
            ]
            for unit in answer.contact_points_list
            if unit.organization_number
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
            person.national_identity_number: Contact(usable_addresses([person.email]), bool(person.is_reserved))
            for person in answer.contact_points_list
            if person.national_identity_number
        }

    async def _organizations(self, numbers: Sequence[str]) -> dict[str, Contact]:
        if not numbers:
            return {}
        path = "/organizations/notificationaddresses/lookup"
        answer = await self._profile.post(path, {"organizationNumbers": numbers}, _Organizations)
        lists: defaultdict[str, list[Sequence[str | None]]] = defaultdict(list)
        for organization in answer.contact_points_list:
            lists[organization.organization_number or ""].append(organization.email_list or ())
        return {number: Contact(usable_addresses(*given)) for number, given in lists.items() if number}
