"""What the local register answers of those whom an operator has filled in."""

import pytest

from varsel.contact_register.contact_file import Line
from varsel.contact_register.entry import Entry
from varsel.contact_register.local import LocalRegister
from varsel.contact_register.maintain import import_contacts
from varsel.contact_register.register import BATCH, Contact, ContactRegister, Resource
from varsel.database.connect import UNAVAILABLE, Pool, connection_of
from varsel.database.statements import statements

KARI = Entry("01017012345", "Kari Nordmann", ("kari@etat.test",), ("+4791234567",))
OLA = Entry("02017012345", None, is_reserved=True)
BRANN = Entry("991825827", "Brann AS", ("post@brann.test", "vakt@brann.test"))
STRANGER = "03017012345"


@pytest.fixture
async def register(pool: Pool) -> ContactRegister:
    lines = [Line(number, entry) for number, entry in enumerate((KARI, OLA, BRANN), 2)]
    await import_contacts(pool, lines, replace=False)
    return LocalRegister(pool)


async def test_whoever_is_in_it_has_a_contact_and_whoever_is_not_is_absent(register: ContactRegister) -> None:
    contacts = await register.contacts([KARI.identity, STRANGER, BRANN.identity])

    assert contacts == {
        KARI.identity: Contact(("kari@etat.test",)),
        BRANN.identity: Contact(("post@brann.test", "vakt@brann.test")),
    }


async def test_who_is_reserved_is_known_without_an_address(register: ContactRegister) -> None:
    assert await register.contacts([OLA.identity]) == {OLA.identity: Contact((), is_reserved=True)}


async def test_names_are_of_those_who_have_one(register: ContactRegister) -> None:
    names = await register.names([KARI.identity, OLA.identity, BRANN.identity, STRANGER])

    assert names == {KARI.identity: "Kari Nordmann", BRANN.identity: "Brann AS"}


async def test_what_reached_the_table_by_another_way_is_made_usable(pool: Pool, register: ContactRegister) -> None:
    await pool.execute(
        "UPDATE contacts SET name = $2, email_addresses = $3 WHERE identity = $1",
        BRANN.identity,
        "Brann\r\nAS",
        ["post@brann.test", " ", "POST@brann.test "],
    )

    contacts, names = await register.contacts([BRANN.identity]), await register.names([BRANN.identity])

    assert contacts == {BRANN.identity: Contact(("post@brann.test",))}
    assert names == {BRANN.identity: "Brann AS"}


async def test_nobody_is_asked_for_and_nobody_answered(register: ContactRegister) -> None:
    assert (await register.contacts([]), await register.names([])) == ({}, {})


async def test_as_many_as_one_call_allows_are_answered(pool: Pool, register: ContactRegister) -> None:
    identities = [f"{number:09}" for number in range(BATCH)]
    lines = [Line(number, Entry(identity)) for number, identity in enumerate(identities, 2)]
    await import_contacts(pool, lines, replace=False)

    assert set(await register.contacts(identities)) == set(identities)


async def test_addresses_that_users_have_registered_are_not_known_here(register: ContactRegister) -> None:
    assert await register.registered_by_users([BRANN.identity], Resource("nav_sykepenger", "read")) == {}


async def test_it_answers_while_an_import_changes_the_table(pool: Pool, register: ContactRegister) -> None:
    async with connection_of(pool) as conn, conn.transaction():
        await conn.execute(statements("contacts")["lock_contacts"])

        assert await register.contacts([OLA.identity])


async def test_where_the_database_is_away_nobody_is_taken_for_unknown(pool: Pool, register: ContactRegister) -> None:
    pool.terminate()

    with pytest.raises(UNAVAILABLE):
        await register.contacts([KARI.identity])
