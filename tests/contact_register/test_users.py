"""Addresses that users have registered for an organisation count where they may act."""

from typing import Any

import httpx2
import pytest

from tests.contact_register.played_decisions import asked_about, permit
from tests.contact_register.played_register import (
    DECISION,
    ORGANIZATIONS,
    PERSONS,
    UNITS,
    PlayedRegister,
    altinn_registers,
    contact_points,
    said,
)
from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.decisions import User
from varsel.contact_register.lookups import look_up
from varsel.contact_register.register import Contact, Resource
from varsel.errors import RegisterUnavailable

KARI = User(20001, 50005)
BRUKERE, OVERLAPP = "310700002", "310800007"
RESOURCE = Resource("skjema", "read")


def unit(number: str | None, party_id: int, *users: tuple[int, object]) -> dict[str, Any]:
    """As Profile writes one."""
    contacts = [
        {"userId": user_id, "nationalIdentityNumber": "", "isReserved": False, "mobileNumber": "", "email": address}
        for user_id, address in users
    ]
    return {"organizationNumber": number, "partyId": party_id, "userContactPoints": contacts}


async def test_addresses_of_users_count_where_they_may_act(registers: AltinnRegisters, played: PlayedRegister) -> None:
    played.replies |= {
        UNITS: contact_points(
            unit(BRUKERE, 50005, (20001, "kari@sandbox.test"), (20002, "ola@sandbox.test")),
            unit(OVERLAPP, 50006, (20002, "ola.overlapp@sandbox.test"), (20001, "kari.overlapp@sandbox.test")),
        ),
        DECISION: permit([KARI, User(20002, 50006)]),
    }

    found = await registers.registered_by_users([BRUKERE, OVERLAPP], RESOURCE)

    assert found == {BRUKERE: ["kari@sandbox.test"], OVERLAPP: ["ola.overlapp@sandbox.test"]}


async def test_only_users_who_could_be_told_are_asked_about(registers: AltinnRegisters, played: PlayedRegister) -> None:
    played.replies |= {
        UNITS: contact_points(
            unit(
                BRUKERE, 50005, (1, "a@sandbox.test"), (2, ""), (3, None), (4, " "), (5, "b" * 321), (6, "c\0@d.test")
            ),
            unit(BRUKERE, 50005, (1, "A.again@sandbox.test")),
            unit(OVERLAPP, 50006, (7, "not.asked.for@sandbox.test")),
            unit(None, 50007, (8, "nobodys@sandbox.test")),
            {"organizationNumber": "310300004", "partyId": 50001},
        ),
        DECISION: lambda asked: permit(asked_about(asked.body))(asked),
    }

    found = await registers.registered_by_users([BRUKERE, "310300004"], RESOURCE)

    assert found == {BRUKERE: ["a@sandbox.test", "A.again@sandbox.test"], "310300004": []}
    assert [asked_about(body) for body in played.asked_at(DECISION)] == [[User(1, 50005)]]


async def test_a_lookup_with_a_resource_adds_the_permitted_users_to_official_addresses(
    registers: AltinnRegisters, played: PlayedRegister
) -> None:
    played.replies |= {
        PERSONS: contact_points({"nationalIdentityNumber": "01818011039", "email": "kari@sandbox.test"}),
        ORGANIZATIONS: contact_points({"organizationNumber": OVERLAPP, "emailList": ["post@sandbox.test"]}),
        UNITS: contact_points(
            unit(OVERLAPP, 50006, (1, "POST@sandbox.test"), (2, "ola@sandbox.test")),
            unit(BRUKERE, 50005, (1, "kari@sandbox.test"), (2, "ola@sandbox.test")),
        ),
        DECISION: permit([User(1, 50006), User(2, 50006), User(2, 50005)]),
    }

    contacts = await look_up(registers, [BRUKERE, "01818011039", OVERLAPP], RESOURCE)

    assert contacts == {
        "01818011039": Contact(("kari@sandbox.test",)),
        OVERLAPP: Contact(("post@sandbox.test", "ola@sandbox.test")),
        BRUKERE: Contact(("ola@sandbox.test",)),
    }
    assert played.asked_at(UNITS) == [{"organizationNumbers": [BRUKERE, OVERLAPP], "resourceId": "skjema"}]


@pytest.mark.parametrize("silent", [UNITS, DECISION])
async def test_nobody_is_told_officially_where_the_users_are_not_known(
    registers: AltinnRegisters, played: PlayedRegister, silent: str
) -> None:
    played.replies |= {
        ORGANIZATIONS: contact_points({"organizationNumber": BRUKERE, "emailList": ["post@sandbox.test"]}),
        UNITS: contact_points(unit(BRUKERE, 50005, (1, "kari@sandbox.test"))),
        DECISION: permit([]),
        silent: said({}, 503),
    }

    with pytest.raises(RegisterUnavailable, match=r"^it says 503$"):
        await look_up(registers, [BRUKERE], RESOURCE)


@pytest.mark.parametrize(
    ("identities", "resource", "decides"),
    [(["01818011039"], RESOURCE, True), ([BRUKERE], None, True), ([BRUKERE], RESOURCE, False)],
    ids=["a person", "no resource", "no policy decision point"],
)
async def test_users_are_asked_for_only_where_they_could_count(
    played: PlayedRegister, http: httpx2.AsyncClient, identities: list[str], resource: Resource | None, decides: bool
) -> None:
    played.replies |= {PERSONS: contact_points(), ORGANIZATIONS: contact_points()}

    await look_up(altinn_registers(played, http, decides=decides), identities, resource)

    assert not {UNITS, DECISION} & set(played.paths)
