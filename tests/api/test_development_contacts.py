"""The contact and name registers that development mode plays, as Varsel's own client and anybody's curl ask them."""

from typing import Any

import httpx2
import pytest

from tests.api.registers import NAMES, ORGANIZATIONS, PERSONS, UNITS, ask, contact_points
from varsel.sandbox import contacts
from varsel.sandbox.contacts import Lookup, Organization, Person

KARI, OLA, ROLF, UNNI, MONA, BIRGER, UNNAMED, SVERRE, STAALE, NINA = contacts.PERSONS
ENKEL, MANGE, ADRESSELOES, HALVVEIS, BARE_BRUKERE, OVERLAPP, UNNAMED_ORG = contacts.ORGANIZATIONS
UNKNOWN_PERSON, UNKNOWN_ORG = "11818011000", "310000019"


def names_of(answer: httpx2.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    names: list[dict[str, Any]] = answer.json()["partyNames"]
    return names


@pytest.mark.parametrize(
    "person", [person for person in contacts.PERSONS.values() if person.lookup in (Lookup.ANSWERED, Lookup.SLOW)]
)
async def test_a_known_person_is_told_as_the_table_has_them(developer: httpx2.AsyncClient, person: Person) -> None:
    found = await contact_points(developer, PERSONS, {"nationalIdentityNumbers": [person.number]})

    assert found == [
        {
            "userId": person.user_id,
            "nationalIdentityNumber": person.number,
            "isReserved": person.is_reserved,
            "mobileNumber": person.mobile,
            "email": person.email,
        }
    ]


async def test_whoever_is_unknown_is_absent_and_everybody_else_is_there_once(developer: httpx2.AsyncClient) -> None:
    asked = [UNKNOWN_PERSON, ROLF, "", KARI, ENKEL, KARI, f"{ROLF} "]

    found = await contact_points(developer, PERSONS, {"nationalIdentityNumbers": asked})

    assert sorted(person["nationalIdentityNumber"] for person in found) == [KARI, ROLF]


async def test_a_lookup_of_nobody_finds_nobody(developer: httpx2.AsyncClient) -> None:
    assert await contact_points(developer, PERSONS, {"nationalIdentityNumbers": []}) == []
    assert await contact_points(developer, ORGANIZATIONS, {"organizationNumbers": []}) == []
    assert await contact_points(developer, UNITS, {"organizationNumbers": [], "resourceId": "x"}) == []
    assert names_of(await ask(developer, NAMES, {"parties": []})) == []


async def test_a_reserved_person_has_an_address_all_the_same(developer: httpx2.AsyncClient) -> None:
    [rolf] = await contact_points(developer, PERSONS, {"nationalIdentityNumbers": [ROLF]})

    assert (rolf["isReserved"], rolf["email"]) == (True, "delivered+rolf@sandbox.test")


async def test_nobody_is_told_in_a_lookup_with_the_person_for_whom_the_register_is_away(
    developer: httpx2.AsyncClient,
) -> None:
    answers = [await ask(developer, PERSONS, {"nationalIdentityNumbers": [KARI, NINA]}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503] * 3
    assert answers[0].json()["title"] == "Service Unavailable"


async def test_a_faltering_register_answers_then_does_not_then_does_again(developer: httpx2.AsyncClient) -> None:
    answers = [await ask(developer, PERSONS, {"nationalIdentityNumbers": [KARI, STAALE]}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 503, 503, 200]
    assert answers[3].content == answers[0].content


@pytest.mark.parametrize("organization", contacts.ORGANIZATIONS.values(), ids=contacts.ORGANIZATIONS)
async def test_a_known_organisation_is_told_with_its_official_addresses_only(
    developer: httpx2.AsyncClient, organization: Organization
) -> None:
    found = await contact_points(developer, ORGANIZATIONS, {"organizationNumbers": [organization.number]})

    assert found == [
        {
            "organizationNumber": organization.number,
            "partyId": organization.party_id,
            "mobileNumberList": list(organization.mobiles),
            "emailList": list(organization.emails),
            "userContactPoints": [],
        }
    ]


async def test_an_address_that_is_there_twice_is_told_twice(developer: httpx2.AsyncClient) -> None:
    [found] = await contact_points(developer, ORGANIZATIONS, {"organizationNumbers": [MANGE]})

    lower = [address.lower() for address in found["emailList"]]
    assert (len(found["emailList"]), len(set(found["emailList"])), len(set(lower))) == (3, 3, 2)


async def test_of_several_organisations_the_known_ones_are_told(developer: httpx2.AsyncClient) -> None:
    asked = [HALVVEIS, UNKNOWN_ORG, KARI, ADRESSELOES, HALVVEIS]

    found = await contact_points(developer, ORGANIZATIONS, {"organizationNumbers": asked})

    assert sorted(each["organizationNumber"] for each in found) == [ADRESSELOES, HALVVEIS]


async def test_users_are_told_whether_they_may_act_or_not(developer: httpx2.AsyncClient) -> None:
    body = {"organizationNumbers": [BARE_BRUKERE], "resourceId": "skattemelding"}

    [found] = await contact_points(developer, UNITS, body)

    users = found.pop("userContactPoints")
    assert found == {"organizationNumber": BARE_BRUKERE, "partyId": 50005}
    assert users == [
        {
            "userId": user_id,
            "nationalIdentityNumber": number,
            "isReserved": False,
            "mobileNumber": "",
            "email": f"delivered+{name}.brukere@sandbox.test",
        }
        for user_id, number, name in ((20001, KARI, "kari"), (20002, OLA, "ola"))
    ]


async def test_an_official_address_may_be_a_users_too_in_other_letters(developer: httpx2.AsyncClient) -> None:
    [official] = await contact_points(developer, ORGANIZATIONS, {"organizationNumbers": [OVERLAPP]})
    [of_users] = await contact_points(developer, UNITS, {"organizationNumbers": [OVERLAPP], "resourceId": "x"})

    given, registered = official["emailList"], [user["email"] for user in of_users["userContactPoints"]]
    assert not set(given) & set(registered)
    assert {address.lower() for address in given} & {address.lower() for address in registered}


async def test_an_organisation_without_users_is_absent_where_users_are_asked_for(
    developer: httpx2.AsyncClient,
) -> None:
    asked = [*contacts.ORGANIZATIONS, UNKNOWN_ORG]

    found = await contact_points(developer, UNITS, {"organizationNumbers": asked, "resourceId": "x"})

    assert sorted(each["organizationNumber"] for each in found) == [BARE_BRUKERE, OVERLAPP]


async def test_each_party_that_is_asked_for_has_its_name_or_none(developer: httpx2.AsyncClient) -> None:
    parties = [
        {"ssn": KARI},
        {"orgNo": OVERLAPP},
        {"ssn": UNNAMED},
        {"orgNo": UNNAMED_ORG},
        {"ssn": UNKNOWN_PERSON},
        {"orgNo": UNKNOWN_ORG},
        {"ssn": ENKEL},
        {"orgNo": KARI},
        {"ssn": KARI, "orgNo": None},
        {},
    ]

    names = names_of(await ask(developer, NAMES, {"parties": parties}))

    assert names == [
        {"ssn": KARI, "name": "Kari Nordmann"},
        {"orgNo": OVERLAPP, "name": "Overlapp og Sønn ANS"},
        {"ssn": UNNAMED, "name": None},
        {"orgNo": UNNAMED_ORG, "name": None},
        {"ssn": UNKNOWN_PERSON, "name": None},
        {"orgNo": UNKNOWN_ORG, "name": None},
        {"ssn": ENKEL, "name": None},
        {"orgNo": KARI, "name": None},
        {"ssn": KARI, "name": "Kari Nordmann"},
        {"name": None},
    ]


async def test_the_name_register_knows_those_of_whom_the_contact_register_does_not_tell(
    developer: httpx2.AsyncClient,
) -> None:
    names = names_of(await ask(developer, NAMES, {"parties": [{"ssn": NINA}, {"ssn": SVERRE}, {"ssn": UNNI}]}))

    assert [party["name"] for party in names] == ["Nina Nede", "Sverre Sein", "Unni Utenom"]


async def test_everybody_is_listed_for_whoever_asks(developer: httpx2.AsyncClient) -> None:
    listed = (await developer.get("/sandbox/contacts")).json()

    assert [each["nationalIdentityNumber"] for each in listed["persons"]] == list(contacts.PERSONS)
    assert [each["organizationNumber"] for each in listed["organizations"]] == list(contacts.ORGANIZATIONS)
    assert [each["whatHappens"] for each in listed["persons"]] == [each.story for each in contacts.PERSONS.values()]


async def test_a_person_is_listed_with_all_that_there_is_to_know(developer: httpx2.AsyncClient) -> None:
    persons = (await developer.get("/sandbox/contacts")).json()["persons"]

    by_number = {person.pop("nationalIdentityNumber"): person for person in persons}
    assert by_number[ROLF] == {
        "userId": 20003,
        "name": "Rolf Reservert",
        "emailAddress": "delivered+rolf@sandbox.test",
        "mobileNumber": "+4799999999",
        "isReserved": True,
        "whatHappens": contacts.PERSONS[ROLF].story,
        "sendStatuses": ["Failed_RecipientReserved"],
    }
    assert "emailAddress" not in by_number[MONA]
    assert not {"emailAddress", "mobileNumber"} & set(by_number[UNNI])
    assert "name" not in by_number[UNNAMED]


async def test_an_organisation_is_listed_with_all_that_there_is_to_know(developer: httpx2.AsyncClient) -> None:
    organizations = (await developer.get("/sandbox/contacts")).json()["organizations"]

    by_number = {organization.pop("organizationNumber"): organization for organization in organizations}
    assert by_number[BARE_BRUKERE] == {
        "partyId": 50005,
        "name": "Bare Brukere SA",
        "emailAddresses": [],
        "mobileNumbers": [],
        "users": [
            {
                "nationalIdentityNumber": number,
                "userId": user_id,
                "emailAddress": f"delivered+{name}.brukere@sandbox.test",
                "mayAct": may_act,
            }
            for number, user_id, name, may_act in ((KARI, 20001, "kari", True), (OLA, 20002, "ola", False))
        ],
        "whatHappens": contacts.ORGANIZATIONS[BARE_BRUKERE].story,
        "sendStatuses": ["Delivered"],
    }
