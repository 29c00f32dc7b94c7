"""The registers of development mode, asked by our own client as it is put together from the settings."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.api.served import served
from varsel.api.app import build_app
from varsel.api.desk import Desk
from varsel.api.development_contacts import contact_resources
from varsel.api.development_decisions import decision_resources
from varsel.asking import asking
from varsel.auth.bearer import BearerTokens
from varsel.auth.development_issuer import DevelopmentIssuer
from varsel.auth.platform_token import PlatformTokens
from varsel.contact_register.local import LocalRegister
from varsel.contact_register.lookups import look_up, look_up_names
from varsel.contact_register.register import Contact, ContactRegister, Resource
from varsel.database.connect import Pool
from varsel.errors import RegisterUnavailable
from varsel.orders.order import Recipient
from varsel.orders.reach import Reach, reach_of
from varsel.sandbox.contacts import ORGANIZATIONS, PERSONS, Lookup, Person
from varsel.settings import Settings, for_development, load_settings

RESOURCE = Resource("skjema", "read")
APP = Resource("app_ttd_skjema", "read")
ANSWERED = {number: person for number, person in PERSONS.items() if person.lookup is Lookup.ANSWERED}
UNKNOWN_PERSON, UNKNOWN_ORGANIZATION = "01018045678", "991825827"
USERS_ONLY = "310700002"
OFFICIAL: dict[str, tuple[str, ...]] = {
    "310300004": ("delivered+enkel@sandbox.test",),
    "310400009": ("delivered+post@sandbox.test", "delivered+arkiv@sandbox.test"),
    "310500003": (),
    "310600008": ("bounced+havn@sandbox.test", "delivered+havn@sandbox.test"),
    USERS_ONLY: (),
    "310800007": ("delivered+overlapp@sandbox.test",),
    "310900001": ("delivered+unnamed@sandbox.test",),
}
PERMITTED = {
    USERS_ONLY: ("delivered+kari.brukere@sandbox.test",),
    "310800007": ("delivered+ola.overlapp@sandbox.test",),
}
FALTERING, REFUSED = "09818011021", "10818011070"


@pytest.fixture
async def register(
    pool: Pool, settings: Settings, issuer: DevelopmentIssuer, tmp_path: Path
) -> AsyncIterator[ContactRegister]:
    """What a service in development mode asks, which is itself."""
    tokens, platform_tokens = BearerTokens({issuer.issuer: issuer}), PlatformTokens(development=issuer)
    desk = Desk(pool, settings, tokens, lambda: None, LocalRegister(pool), platform_tokens)
    resources = [*contact_resources(slow_lookup=timedelta(milliseconds=10)), *decision_resources()]
    async with served(build_app(desk, more_resources=resources)) as port:
        own = for_development(load_settings(dev=True, data_dir=tmp_path, port=port))
        async with asking(pool, own, issuer) as asked:
            yield asked.register


def contact_of(person: Person) -> Contact:
    return Contact((person.email,) if person.email else (), is_reserved=person.is_reserved)


async def test_each_documented_person_is_found_as_documented(register: ContactRegister) -> None:
    told = [person for person in PERSONS.values() if person.lookup is not Lookup.REFUSED]

    contacts = {person.number: await look_up(register, [person.number], RESOURCE) for person in told}
    names = {person.number: await look_up_names(register, [person.number]) for person in told}

    assert contacts == {person.number: {person.number: contact_of(person)} for person in told}
    assert names == {person.number: ({person.number: person.name} if person.name else {}) for person in told}


async def test_each_documented_organisation_is_found_as_documented(register: ContactRegister) -> None:
    official = {number: await look_up(register, [number]) for number in ORGANIZATIONS}
    about_resource = {number: await look_up(register, [number], RESOURCE) for number in ORGANIZATIONS}
    about_app = {number: await look_up(register, [number], APP) for number in ORGANIZATIONS}
    names = {number: await look_up_names(register, [number]) for number in ORGANIZATIONS}

    assert official == {number: {number: Contact(addresses)} for number, addresses in OFFICIAL.items()}
    permitted = {number: {number: Contact(OFFICIAL[number] + PERMITTED.get(number, ()))} for number in OFFICIAL}
    assert about_resource == about_app == permitted
    assert names == {number: ({number: o.name} if o.name else {}) for number, o in ORGANIZATIONS.items()}


async def test_users_may_do_what_is_documented(register: ContactRegister) -> None:
    found = {
        action: await look_up(register, [USERS_ONLY], Resource("skjema", action))
        for action in ("read", "access", "write", "")
    }

    may_act, may_not = {USERS_ONLY: Contact(PERMITTED[USERS_ONLY])}, {USERS_ONLY: Contact()}
    assert found == {"read": may_act, "access": may_act, "write": may_not, "": may_not}


async def test_everybody_is_found_at_once_and_nobody_else(register: ContactRegister) -> None:
    everybody = [*ANSWERED, UNKNOWN_PERSON, *ORGANIZATIONS, UNKNOWN_ORGANIZATION]

    contacts = await look_up(register, everybody, RESOURCE)
    names = await look_up_names(register, everybody)

    assert set(contacts) == {*ANSWERED, *ORGANIZATIONS}
    assert {number: contacts[number] for number in ANSWERED} == {n: contact_of(p) for n, p in ANSWERED.items()}
    documented = {n: person.name for n, person in ANSWERED.items()} | {n: o.name for n, o in ORGANIZATIONS.items()}
    assert names == {number: name for number, name in documented.items() if name}


async def test_an_absent_register_is_not_an_unknown_person(register: ContactRegister) -> None:
    with pytest.raises(RegisterUnavailable, match=r"^it says 503$"):
        await look_up(register, [*ANSWERED, REFUSED])


async def test_a_faltering_register_answers_the_first_and_the_third_lookup(register: ContactRegister) -> None:
    outcomes: list[bool] = []
    for _ in range(3):
        try:
            outcomes.append(FALTERING in await look_up(register, [FALTERING]))
        except RegisterUnavailable:
            outcomes.append(False)

    assert outcomes == [True, False, True]


async def test_who_could_be_reached_is_told_of_all_at_once(register: ContactRegister) -> None:
    persons = [Recipient(national_identity_number=number) for number in [*ANSWERED, UNKNOWN_PERSON]]
    organizations = [Recipient(organization_number=number) for number in [*ORGANIZATIONS, UNKNOWN_ORGANIZATION]]

    reach = await reach_of(register, [*persons, *organizations])

    assert reach == Reach(
        looked_up=len(persons) + len(organizations),
        reserved=["03818011007"],
        missing=["04818011046", "05818011085", UNKNOWN_PERSON, "310500003", "310700002", UNKNOWN_ORGANIZATION],
    )
