"""The contact register, the name register and the list of those they know, as development mode plays them.

Paths, bodies and credentials are those of Altinn's platform, so a real client runs unchanged.
"""

from collections.abc import Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from varsel.api.development_wire import (
    ContactPointsList,
    NamesRequest,
    OrganizationAddresses,
    OrganizationsRequest,
    PartyName,
    PartyNames,
    PartyRequest,
    PersonsRequest,
    SandboxContacts,
    SandboxOrganization,
    SandboxPerson,
    SandboxUser,
    UnitContactPoints,
    UnitsRequest,
    UserContactPoints,
)
from varsel.api.problems import json, problem
from varsel.api.read_lookup import read_lookup
from varsel.api.routing import Resource, resource
from varsel.sandbox.contact_player import ContactPlayer
from varsel.sandbox.contacts import (
    ORGANIZATIONS,
    PERSONS,
    Organization,
    Person,
    User,
    organizations_among,
    persons_among,
)

PROFILE_PATH = "/profile/api/v1"
NAMES_PATH = "/register/api/v1/parties/nameslookup"


def contact_resources(slow_lookup: timedelta) -> Sequence[Resource]:
    """The resources of the registers; `slow_lookup` is what a slow lookup takes."""
    player = ContactPlayer(slow_lookup)

    async def post_persons(request: Request) -> Response:
        """The contact points of persons."""
        asked = await read_lookup(request, PersonsRequest)
        persons = persons_among(asked.national_identity_numbers)
        if not await player.answers(persons):
            return problem(503)
        return json(ContactPointsList([_person(person) for person in persons]))

    return (
        resource(f"{PROFILE_PATH}/users/contactpoint/lookup", POST=post_persons),
        resource(f"{PROFILE_PATH}/organizations/notificationaddresses/lookup", POST=_post_organizations),
        resource(f"{PROFILE_PATH}/units/contactpoint/lookup", POST=_post_units),
        resource(NAMES_PATH, POST=_post_names),
        resource("/sandbox/contacts", GET=_get_contacts),
    )


async def _post_organizations(request: Request) -> Response:
    """The official addresses of organisations."""
    asked = await read_lookup(request, OrganizationsRequest)
    return json(ContactPointsList([_addresses(known) for known in organizations_among(asked.organization_numbers)]))


async def _post_units(request: Request) -> Response:
    """What users have registered for organisations; whether they may act is for another to say."""
    asked = await read_lookup(request, UnitsRequest)
    known = organizations_among(asked.organization_numbers)
    return json(ContactPointsList([_unit(organization) for organization in known if organization.users]))


async def _post_names(request: Request) -> Response:
    """The names of persons and organisations; a bearer token does not suffice."""
    asked = await read_lookup(request, NamesRequest, needs_platform_token=True)
    return json(PartyNames([_named(party) for party in asked.parties]))


async def _get_contacts(request: Request) -> Response:
    """Everybody whom the registers know, for whoever wants to try."""
    persons = [_listed_person(person) for person in PERSONS.values()]
    organizations = [_listed_organization(organization) for organization in ORGANIZATIONS.values()]
    return json(SandboxContacts(persons, organizations))


def _person(person: Person) -> UserContactPoints:
    return UserContactPoints(
        user_id=person.user_id,
        national_identity_number=person.number,
        is_reserved=person.is_reserved,
        mobile_number=person.mobile,
        email=person.email,
    )


def _addresses(organization: Organization) -> OrganizationAddresses:
    return OrganizationAddresses(
        organization_number=organization.number,
        party_id=organization.party_id,
        mobile_number_list=organization.mobiles,
        email_list=organization.emails,
    )


def _unit(organization: Organization) -> UnitContactPoints:
    return UnitContactPoints(
        organization_number=organization.number,
        party_id=organization.party_id,
        user_contact_points=[_user(user) for user in organization.users],
    )


def _user(user: User) -> UserContactPoints:
    return UserContactPoints(
        user_id=user.person.user_id,
        national_identity_number=user.person.number,
        is_reserved=False,  # nobody can be, at work
        mobile_number="",
        email=user.email,
    )


def _named(party: PartyRequest) -> PartyName:
    known = PERSONS.get(party.ssn or "") or ORGANIZATIONS.get(party.org_no or "")
    return PartyName(ssn=party.ssn, org_no=party.org_no, name=known.name if known else None)


def _listed_person(person: Person) -> SandboxPerson:
    return SandboxPerson(
        national_identity_number=person.number,
        user_id=person.user_id,
        name=person.name,
        email_address=person.email or None,
        mobile_number=person.mobile or None,
        is_reserved=person.is_reserved,
        what_happens=person.story,
        send_statuses=person.send_statuses,
    )


def _listed_organization(organization: Organization) -> SandboxOrganization:
    return SandboxOrganization(
        organization_number=organization.number,
        party_id=organization.party_id,
        name=organization.name,
        email_addresses=organization.emails,
        mobile_numbers=organization.mobiles,
        users=[_listed_user(user) for user in organization.users],
        what_happens=organization.story,
        send_statuses=organization.send_statuses,
    )


def _listed_user(user: User) -> SandboxUser:
    return SandboxUser(
        national_identity_number=user.person.number,
        user_id=user.person.user_id,
        email_address=user.email,
        may_act=user.may_act,
    )
