"""A contact register over HTTP: what Profile and Register are asked, and what their answers are taken for."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.contact_register.played_register import (
    CLOSE,
    DECISION,
    HANG,
    LIMIT,
    NAMES,
    ORGANIZATIONS,
    PERSONS,
    UNITS,
    PlayedRegister,
    altinn_registers,
    contact_points,
    party_names,
    said,
)
from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.lookups import look_up, look_up_names
from varsel.contact_register.register import Contact, Resource
from varsel.errors import RegisterUnavailable

KARI, OLA = "01818011039", "02818011078"
BEDRIFT, HAVN = "310300004", "310600008"
RESOURCE = Resource("skjema", "read")


def person(number: str | None = KARI, **members: Any) -> dict[str, Any]:
    """As Profile writes one."""
    defaults = {"userId": 20001, "isReserved": False, "mobileNumber": "", "email": ""}
    return {"nationalIdentityNumber": number} | defaults | members


def organization(number: str | None, *addresses: object, **members: Any) -> dict[str, Any]:
    """As Profile writes one."""
    lists = {"mobileNumberList": [], "emailList": addresses, "userContactPoints": []}
    return {"organizationNumber": number, "partyId": 50001} | lists | members


async def test_persons_are_asked_for_by_number_and_without_stale_contacts(
    registers: AltinnRegisters, played: PlayedRegister
) -> None:
    played.replies[PERSONS] = contact_points(person(KARI, email="kari@sandbox.test"))

    contacts = await registers.contacts([KARI, OLA])

    assert contacts == {KARI: Contact(("kari@sandbox.test",))}
    [asked] = played.asked
    assert asked.path == PERSONS
    assert asked.body == {"nationalIdentityNumbers": [KARI, OLA], "useStaleContactInfo": False}


async def test_organizations_are_asked_for_by_number(registers: AltinnRegisters, played: PlayedRegister) -> None:
    played.replies[ORGANIZATIONS] = contact_points(organization(BEDRIFT, "post@sandbox.test", "arkiv@sandbox.test"))

    contacts = await registers.contacts([BEDRIFT, HAVN])

    assert contacts == {BEDRIFT: Contact(("post@sandbox.test", "arkiv@sandbox.test"))}
    assert [(asked.path, asked.body) for asked in played.asked] == [
        (ORGANIZATIONS, {"organizationNumbers": [BEDRIFT, HAVN]})
    ]


async def test_persons_and_organizations_are_asked_for_apart(
    registers: AltinnRegisters, played: PlayedRegister
) -> None:
    played.replies[PERSONS] = contact_points(person(KARI, email="kari@sandbox.test"))
    played.replies[ORGANIZATIONS] = contact_points(organization(HAVN, "havn@sandbox.test"))

    contacts = await registers.contacts([HAVN, KARI, BEDRIFT, OLA])

    assert contacts == {KARI: Contact(("kari@sandbox.test",)), HAVN: Contact(("havn@sandbox.test",))}
    assert played.asked_at(PERSONS) == [{"nationalIdentityNumbers": [KARI, OLA], "useStaleContactInfo": False}]
    assert played.asked_at(ORGANIZATIONS) == [{"organizationNumbers": [HAVN, BEDRIFT]}]


async def test_names_are_asked_for_by_the_kind_of_number(registers: AltinnRegisters, played: PlayedRegister) -> None:
    played.replies[NAMES] = party_names(
        {"name": "Enkel Bedrift AS", "orgNo": BEDRIFT}, {"name": "Kari Nordmann", "ssn": KARI}, {"name": None}
    )

    names = await registers.names([KARI, BEDRIFT, OLA])

    assert names == {KARI: "Kari Nordmann", BEDRIFT: "Enkel Bedrift AS"}
    assert [(asked.path, asked.body) for asked in played.asked] == [
        (NAMES, {"parties": [{"ssn": KARI}, {"orgNo": BEDRIFT}, {"ssn": OLA}]})
    ]


async def test_users_are_asked_for_by_organization_and_resource(
    registers: AltinnRegisters, played: PlayedRegister
) -> None:
    played.replies[UNITS] = contact_points()

    assert await registers.registered_by_users([BEDRIFT, HAVN], RESOURCE) == {}
    assert [(asked.path, asked.body) for asked in played.asked] == [
        (UNITS, {"organizationNumbers": [BEDRIFT, HAVN], "resourceId": "skjema"})
    ]


async def test_without_a_policy_decision_point_no_users_are_asked_for(
    played: PlayedRegister, http: httpx2.AsyncClient
) -> None:
    assert await altinn_registers(played, http).registered_by_users([BEDRIFT], RESOURCE) == {}
    assert played.paths == []


async def test_whoever_asks_for_nobody_asks_nobody(registers: AltinnRegisters, played: PlayedRegister) -> None:
    assert await registers.contacts([]) == {}
    assert await registers.registered_by_users([], RESOURCE) == {}
    assert await look_up(registers, [], RESOURCE) == {}
    assert await look_up_names(registers, []) == {}
    assert played.paths == []


@pytest.mark.parametrize(
    ("entry", "contact"),
    [
        (person(email="kari@sandbox.test"), Contact(("kari@sandbox.test",))),
        (person(email="kari@sandbox.test", isReserved=True), Contact(("kari@sandbox.test",), is_reserved=True)),
        (person(email="", isReserved=True), Contact(is_reserved=True)),
        (person(email=""), Contact()),
        (person(email=" \t"), Contact()),
        (person(email=None, isReserved=None, mobileNumber=None), Contact()),
        ({"nationalIdentityNumber": KARI}, Contact()),
        (person(email=" kari@sandbox.test\n"), Contact(("kari@sandbox.test",))),
        (person(email="Kåre.Æ@Sandbox.test"), Contact(("Kåre.Æ@Sandbox.test",))),
        (person(email="not an address"), Contact(("not an address",))),
        (person(email="kari\0@sandbox.test"), Contact()),
        (person(email="k" * 320), Contact(("k" * 320,))),
        (person(email="k" * 321), Contact()),
        (person(email="kari@sandbox.test", unknown={"more": [1]}, userId="text"), Contact(("kari@sandbox.test",))),
    ],
)
async def test_what_is_told_of_a_person_is_their_contact(
    registers: AltinnRegisters, played: PlayedRegister, entry: object, contact: Contact
) -> None:
    played.replies[PERSONS] = contact_points(entry)

    assert await registers.contacts([KARI]) == {KARI: contact}


@pytest.mark.parametrize(
    ("entry", "contact"),
    [
        (organization(BEDRIFT), Contact()),
        (organization(BEDRIFT, emailList=None), Contact()),
        ({"organizationNumber": BEDRIFT}, Contact()),
        (organization(BEDRIFT, None, "", " ", "b\0@sandbox.test", "b" * 321), Contact()),
        (organization(BEDRIFT, None, " b@sandbox.test ", ""), Contact(("b@sandbox.test",))),
        (
            organization(BEDRIFT, "b@sandbox.test", "a@sandbox.test", "B@Sandbox.TEST"),
            Contact(("b@sandbox.test", "a@sandbox.test")),
        ),
        (organization(BEDRIFT, "Æ@sandbox.test", "æ@sandbox.test"), Contact(("Æ@sandbox.test",))),
        (organization(BEDRIFT, userContactPoints=[{"userId": 1, "email": "u@sandbox.test"}]), Contact()),
    ],
)
async def test_what_is_told_of_an_organization_is_its_official_contact(
    registers: AltinnRegisters, played: PlayedRegister, entry: object, contact: Contact
) -> None:
    played.replies[ORGANIZATIONS] = contact_points(entry)

    assert await registers.contacts([BEDRIFT]) == {BEDRIFT: contact}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Kari Nordmann", "Kari Nordmann"),
        ("  Kari \t Nordmann\r\n", "Kari Nordmann"),
        ("Kari\r\nBcc: ola@sandbox.test", "Kari Bcc: ola@sandbox.test"),
        ("Kari\0\x1b[2J\u202eNordmann\u2028", "Kari [2J Nordmann"),
        ("Åse Ørbæk-Ñandú 山田", "Åse Ørbæk-Ñandú 山田"),
        ("n" * 501, "n" * 500),
        ("", None),
        (" \0\r\n", None),
        (None, None),
    ],
)
async def test_a_name_is_one_line_that_fits_into_a_header(
    registers: AltinnRegisters, played: PlayedRegister, given: str | None, name: str | None
) -> None:
    played.replies[NAMES] = party_names({"name": given, "ssn": KARI})

    assert await registers.names([KARI]) == ({KARI: name} if name else {})


async def test_nobody_is_told_of_who_was_not_asked_for(registers: AltinnRegisters, played: PlayedRegister) -> None:
    played.replies[PERSONS] = contact_points(
        person(OLA, email="ola@sandbox.test"), person(None, email="nobody@sandbox.test"), person("", email="x@y.test")
    )
    played.replies[ORGANIZATIONS] = contact_points(
        organization(HAVN, "havn@sandbox.test"), organization(None, "nobody@sandbox.test")
    )
    played.replies[NAMES] = party_names({"name": "Ola", "ssn": OLA}, {"name": "Havn", "orgNo": HAVN}, {"name": "X"})

    assert await look_up(registers, [KARI, BEDRIFT]) == {}
    assert await look_up_names(registers, [KARI, BEDRIFT]) == {}


async def test_an_answer_about_organizations_says_nothing_of_persons(
    registers: AltinnRegisters, played: PlayedRegister
) -> None:
    played.replies[PERSONS] = contact_points(person(KARI, email="kari@sandbox.test", isReserved=True))
    played.replies[ORGANIZATIONS] = contact_points(organization(KARI, "post@sandbox.test"))

    assert await registers.contacts([KARI, BEDRIFT]) == {KARI: Contact(("kari@sandbox.test",), is_reserved=True)}


@pytest.mark.parametrize("is_first", [True, False])
async def test_a_person_who_is_there_twice_is_reserved_if_either_says_so(
    registers: AltinnRegisters, played: PlayedRegister, is_first: bool
) -> None:
    entries = [person(KARI, isReserved=True), person(KARI, email="kari@sandbox.test")]
    played.replies[PERSONS] = contact_points(*(entries if is_first else reversed(entries)))

    assert await registers.contacts([KARI]) == {KARI: Contact(("kari@sandbox.test",), is_reserved=True)}


async def test_a_person_has_one_address_even_if_there_twice(registers: AltinnRegisters, played: PlayedRegister) -> None:
    played.replies[PERSONS] = contact_points(person(email="a@sandbox.test"), person(email="b@sandbox.test"))

    assert await registers.contacts([KARI]) == {KARI: Contact(("a@sandbox.test",))}


async def test_an_organization_that_is_there_twice_has_all_its_addresses_once(
    registers: AltinnRegisters, played: PlayedRegister
) -> None:
    played.replies[ORGANIZATIONS] = contact_points(
        organization(BEDRIFT, "a@sandbox.test"),
        organization(HAVN, "h@sandbox.test"),
        organization(BEDRIFT, "A@sandbox.test", "b@sandbox.test"),
    )

    contacts = await registers.contacts([BEDRIFT, HAVN])

    assert contacts == {BEDRIFT: Contact(("a@sandbox.test", "b@sandbox.test")), HAVN: Contact(("h@sandbox.test",))}


UNREADABLE: list[object] = [
    b"<html></html>",
    b'{"contactPointsList": [',
    None,
    [],
    {},
    {"contactPointsList": None},
    {"contactPointsList": {}},
    {"contactPointsList": [None]},
    {"contactPointsList": ["01818011039"]},
    {"ContactPointsList": []},
]


@pytest.mark.parametrize(
    "document",
    [
        *UNREADABLE,
        {"contactPointsList": [person(1818011039)]},  # type: ignore[arg-type]
        {"contactPointsList": [person(email=["kari@sandbox.test"])]},
        {"contactPointsList": [person(isReserved="false")]},
        {"contactPointsList": [person(isReserved=0)]},
    ],
)
async def test_nobody_is_taken_for_unknown_where_persons_are_told_in_another_form(
    registers: AltinnRegisters, played: PlayedRegister, document: object
) -> None:
    played.replies[PERSONS] = said(document)

    with pytest.raises(RegisterUnavailable, match=r"^its answer cannot be read$"):
        await registers.contacts([KARI])


@pytest.mark.parametrize(
    "document",
    [
        *UNREADABLE,
        {"contactPointsList": [organization(310300004)]},  # type: ignore[arg-type]
        {"contactPointsList": [organization(BEDRIFT, emailList="post@sandbox.test")]},
        {"contactPointsList": [organization(BEDRIFT, {"email": "post@sandbox.test"})]},
    ],
)
async def test_nobody_is_taken_for_unknown_where_organizations_are_told_in_another_form(
    registers: AltinnRegisters, played: PlayedRegister, document: object
) -> None:
    played.replies[ORGANIZATIONS] = said(document)

    with pytest.raises(RegisterUnavailable, match=r"^its answer cannot be read$"):
        await registers.contacts([BEDRIFT])


@pytest.mark.parametrize(
    "document",
    [
        *UNREADABLE,
        {"contactPointsList": [organization(BEDRIFT, partyId=None)]},
        {"contactPointsList": [organization(BEDRIFT, partyId=-1)]},
        {"contactPointsList": [organization(BEDRIFT, userContactPoints=[{"email": "u@sandbox.test"}])]},
        {"contactPointsList": [organization(BEDRIFT, userContactPoints=[{"userId": "1", "email": "u@sandbox.test"}])]},
    ],
)
async def test_nobody_is_taken_for_unknown_where_users_are_told_in_another_form(
    registers: AltinnRegisters, played: PlayedRegister, document: object
) -> None:
    played.replies[UNITS] = said(document)

    with pytest.raises(RegisterUnavailable, match=r"^its answer cannot be read$"):
        await registers.registered_by_users([BEDRIFT], RESOURCE)
    assert DECISION not in played.paths


@pytest.mark.parametrize(
    "document",
    [
        b"<html></html>",
        None,
        {},
        {"partyNames": None},
        {"partyNames": [None]},
        {"partyNames": [{"ssn": 1, "name": "K"}]},
    ],
)
async def test_nobody_is_taken_for_nameless_where_names_are_told_in_another_form(
    registers: AltinnRegisters, played: PlayedRegister, document: object
) -> None:
    played.replies[NAMES] = said(document)

    with pytest.raises(RegisterUnavailable, match=r"^its answer cannot be read$"):
        await registers.names([KARI])


@pytest.mark.parametrize("silent", [PERSONS, ORGANIZATIONS])
async def test_where_one_kind_is_not_told_the_other_is_not_either(
    registers: AltinnRegisters, played: PlayedRegister, silent: str
) -> None:
    played.replies |= {PERSONS: contact_points(person()), ORGANIZATIONS: contact_points(organization(BEDRIFT))}
    played.replies[silent] = CLOSE

    with pytest.raises(RegisterUnavailable):
        await registers.contacts([KARI, BEDRIFT])


@pytest.mark.parametrize(("refused", "slow"), [(PERSONS, ORGANIZATIONS), (ORGANIZATIONS, PERSONS)])
async def test_where_one_kind_is_not_told_nobody_waits_for_the_other_any_more(
    registers: AltinnRegisters, played: PlayedRegister, refused: str, slow: str
) -> None:
    may_refuse = played.hold(refused)
    played.replies |= {refused: said({}, 503), slow: HANG}
    asking = asyncio.create_task(registers.contacts([KARI, BEDRIFT]))
    await played.until_in_flight(slow, 1)

    may_refuse.set()

    async with asyncio.timeout(LIMIT):
        with pytest.raises(RegisterUnavailable):
            await asking
    await played.until_in_flight(slow, 0)
