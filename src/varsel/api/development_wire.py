"""The wire types of the registers that development mode plays; not part of the contract.

As in `wire`, types whose name ends in Request are read, the others are written.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from varsel.api.wire import AnyRequest

LOOKUP_LIMIT = 1_000  # identities or questions a request; who has more asks again

Identities = Annotated[list[str], Meta(max_length=LOOKUP_LIMIT)]


class PersonsRequest(AnyRequest, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whose contact points are asked for; old ones are no different here, so that member says nothing."""

    parameter = "userContactPointLookup"

    national_identity_numbers: Identities
    use_stale_contact_info: bool | None = None


class OrganizationsRequest(AnyRequest, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whose official addresses are asked for."""

    parameter = "orgContactPointLookup"

    organization_numbers: Identities


class UnitsRequest(AnyRequest, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whose users are asked for, and what it is about."""

    parameter = "unitContactPointLookup"

    organization_numbers: Identities
    resource_id: str


class PartyRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A person or an organisation."""

    ssn: str | None = None
    org_no: str | None = None


class NamesRequest(AnyRequest, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whose names are asked for."""

    parameter = "partyNamesLookup"

    parties: Annotated[list[PartyRequest], Meta(max_length=LOOKUP_LIMIT)]


class AttributeRequest(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """A fact about a subject, an action or a resource."""

    attribute_id: str
    value: str | int | None = None
    include_in_result: bool = False


class CategoryRequest(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """A subject, an action or a resource; its id is what references name."""

    id: str | None = None
    attribute: list[AttributeRequest] = []


class ReferenceRequest(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """One question of several: which subject, action and resource belong together."""

    reference_id: list[str]


class ReferencesRequest(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """The questions of a request with several."""

    request_reference: Annotated[list[ReferenceRequest], Meta(max_length=LOOKUP_LIMIT)]


class XacmlRequest(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """What is asked of a policy decision point; without references it is one question."""

    access_subject: list[CategoryRequest] = []
    action: list[CategoryRequest] = []
    resource: list[CategoryRequest] = []
    multi_requests: ReferencesRequest | None = None


class DecisionRequest(AnyRequest, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """The envelope around it."""

    parameter = "xacmlJsonRequestRootExternal"

    request: XacmlRequest


class ContactPointsList(Struct, frozen=True, rename="camel"):
    """The answer to each lookup of contacts: those who are known."""

    contact_points_list: "Sequence[UserContactPoints | OrganizationAddresses | UnitContactPoints]"


class UserContactPoints(Struct, frozen=True, rename="camel"):
    """A person's contact points; an empty text where there is none."""

    user_id: int
    national_identity_number: str
    is_reserved: bool
    mobile_number: str
    email: str


class OrganizationAddresses(Struct, frozen=True, rename="camel"):
    """An organisation's official addresses."""

    organization_number: str
    party_id: int
    mobile_number_list: Sequence[str]
    email_list: Sequence[str]
    user_contact_points: Sequence[UserContactPoints] = ()


class UnitContactPoints(Struct, frozen=True, rename="camel"):
    """What users have registered for their work for an organisation."""

    organization_number: str
    party_id: int
    user_contact_points: Sequence[UserContactPoints]


class PartyName(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """The name of a person or an organisation: null where there is none."""

    ssn: str | None = None
    org_no: str | None = None
    name: str | None


class PartyNames(Struct, frozen=True, rename="camel"):
    """One for each that was asked for."""

    party_names: Sequence[PartyName]


class AttributeResult(Struct, frozen=True, rename="camel"):
    """An attribute that was to be included."""

    attribute_id: str
    value: str


class CategoryResult(Struct, frozen=True, rename="camel"):
    """The included attributes of a subject, an action or a resource."""

    category_id: str
    attribute: Sequence[AttributeResult]


class DecisionResult(Struct, frozen=True, rename="camel"):
    """The decision on one question, which its included attributes tell apart from the others."""

    decision: str
    category: Sequence[CategoryResult]


class DecisionResponse(Struct, frozen=True, rename="camel"):
    """The decisions."""

    response: Sequence[DecisionResult]


class SandboxPerson(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A test person."""

    national_identity_number: str
    user_id: int
    name: str | None = None
    email_address: str | None = None
    mobile_number: str | None = None
    is_reserved: bool
    what_happens: str
    send_statuses: Sequence[str]


class SandboxUser(Struct, frozen=True, rename="camel"):
    """A test person who has registered an address for an organisation."""

    national_identity_number: str
    user_id: int
    email_address: str
    may_act: bool


class SandboxOrganization(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A test organisation."""

    organization_number: str
    party_id: int
    name: str | None = None
    email_addresses: Sequence[str]
    mobile_numbers: Sequence[str]
    users: Sequence[SandboxUser]
    what_happens: str
    send_statuses: Sequence[str]


class SandboxContacts(Struct, frozen=True, rename="camel"):
    """Everybody whom the sandbox's registers know."""

    persons: Sequence[SandboxPerson]
    organizations: Sequence[SandboxOrganization]
