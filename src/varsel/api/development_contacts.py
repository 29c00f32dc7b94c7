"""The contact register, the name register and the list of those they know, as development mode plays them.

Paths, bodies and credentials are those of Altinn's platform, so a real client cannot tell the difference.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from varsel.api.desk import bearer_token, desk_of
from varsel.api.development_wire import (
    ContactPointsList,
    NamesRequest,
    OrganizationAddresses,
    OrganizationsRequest,
    PartyName,
    PartyNames,
    PersonsRequest,
    SandboxContacts,
    SandboxOrganization,
    SandboxPerson,
    SandboxUser,
    UnitContactPoints,
    UnitsRequest,
    UserContactPoints,
)
from varsel.api.headers import header_value
from varsel.api.problems import json, problem
from varsel.api.read_body import read_as, read_body
from varsel.api.routing import Resource, resource
from varsel.api.wire import AnyRequest
from varsel.sandbox.contact_player import ContactPlayer
from varsel.sandbox.contacts import (
    ORGANISATIONS,
    PERSONS,
    Organisation,
    Person,
    User,
    name_of,
    organisations_among,
    persons_among,
)

T = TypeVar("T", bound=AnyRequest)

PROFILE_PATH = "/profile/api/v1"
NAMES_PATH = "/register/api/v1/parties/nameslookup"
BODY_LIMIT = 1024 * 1024  # bytes; a lookup of a thousand identities has some twenty thousand


def contact_resources(slow_lookup: timedelta) -> Sequence[Resource]:
    """The resources of the registers; `slow_lookup` is what a slow lookup takes."""
    player = ContactPlayer(slow_lookup)

    async def post_persons(request: Request) -> Response:
        """The contact points of persons."""
        asked = await read_asked(request, PersonsRequest)
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


async def read_asked(request: Request, wire_type: type[T]) -> T:
    """What somebody asks who has a bearer token or a platform access token, whoever that is.

    Raises:
        NotAuthenticated: neither, or none that can be verified.
        NotJson, BodyTooLarge, BodyTooSlow, InvalidOrder: the body cannot be read.
    """
    if header_value(request, b"platformaccesstoken"):
        await _require_platform_token(request)
    else:
        await desk_of(request).tokens.verify(bearer_token(request))
    return read_as(await read_body(request, BODY_LIMIT), wire_type)


async def _require_platform_token(request: Request) -> None:
    await desk_of(request).platform_tokens.verify(header_value(request, b"platformaccesstoken"))


async def _post_organizations(request: Request) -> Response:
    """The official addresses of organisations."""
    asked = await read_asked(request, OrganizationsRequest)
    return json(ContactPointsList([_addresses(known) for known in organisations_among(asked.organization_numbers)]))


async def _post_units(request: Request) -> Response:
    """What users have registered for organisations; whether they may act is for another to say."""
    asked = await read_asked(request, UnitsRequest)
    known = organisations_among(asked.organization_numbers)
    return json(ContactPointsList([_unit(organisation) for organisation in known if organisation.users]))


async def _post_names(request: Request) -> Response:
    """The names of persons and organisations; a bearer token does not suffice."""
    await _require_platform_token(request)
    asked = await read_asked(request, NamesRequest)
    names = [
        PartyName(ssn=party.ssn, org_no=party.org_no, name=name_of(party.ssn or party.org_no or ""))
        for party in asked.parties
    ]
    return json(PartyNames(names))


async def _get_contacts(request: Request) -> Response:
    """Everybody whom the registers know, for whoever wants to try."""
    persons = [_listed_person(person) for person in PERSONS.values()]
    organizations = [_listed_organization(organisation) for organisation in ORGANISATIONS.values()]
    return json(SandboxContacts(persons, organizations))


def _person(person: Person) -> UserContactPoints:
    return UserContactPoints(
        user_id=person.user_id,
        national_identity_number=person.number,
        is_reserved=person.is_reserved,
        mobile_number=person.mobile,
        email=person.email,
    )


def _addresses(organisation: Organisation) -> OrganizationAddresses:
    return OrganizationAddresses(
        organization_number=organisation.number,
        party_id=organisation.party_id,
        mobile_number_list=organisation.mobiles,
        email_list=organisation.emails,
    )


def _unit(organisation: Organisation) -> UnitContactPoints:
    return UnitContactPoints(
        organization_number=organisation.number,
        party_id=organisation.party_id,
        user_contact_points=[_user(user) for user in organisation.users],
    )


def _user(user: User) -> UserContactPoints:
    return UserContactPoints(
        user_id=user.person.user_id,
        national_identity_number=user.person.number,
        is_reserved=False,  # nobody can be, at work
        mobile_number="",
        email=user.email,
    )


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


def _listed_organization(organisation: Organisation) -> SandboxOrganization:
    return SandboxOrganization(
        organization_number=organisation.number,
        party_id=organisation.party_id,
        name=organisation.name,
        email_addresses=organisation.emails,
        mobile_numbers=organisation.mobiles,
        users=[_listed_user(user) for user in organisation.users],
        what_happens=organisation.story,
        send_statuses=organisation.send_statuses,
    )


def _listed_user(user: User) -> SandboxUser:
    return SandboxUser(
        national_identity_number=user.person.number,
        user_id=user.person.user_id,
        email_address=user.email,
        may_act=user.may_act,
    )
