"""The table of test persons and organisations, and the page that shows it."""

from pathlib import Path

import pytest

from varsel.contact_register.register import usable_addresses
from varsel.notifications.send_status import SendStatus
from varsel.sandbox.contacts import ORGANIZATIONS, PERSONS, Lookup, Organization, Person, User
from varsel.sandbox.fates import DOMAIN, FATES, fate_of

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"

persons = pytest.mark.parametrize("person", PERSONS.values(), ids=PERSONS)
organizations = pytest.mark.parametrize("organization", ORGANIZATIONS.values(), ids=ORGANIZATIONS)


def remainder(number: str, weights: str) -> int:
    """What is left of the weighted sum: zero where the control digit, whose weight is 1, is right."""
    return sum(int(weight) * int(digit) for weight, digit in zip(weights, number, strict=True)) % 11


def addresses_in(text: tuple[str, ...]) -> str:
    return ", ".join(f"`{address}`" for address in text) or "–"


def users_in(users: tuple[User, ...]) -> str:
    return ", ".join(f"{(user.person.name or '').split()[0]} `{user.email}`" for user in users) or "–"


@persons
def test_a_persons_number_is_valid_and_its_month_is_in_no_calendar(person: Person) -> None:
    number = person.number

    assert (len(number), number.isdigit()) == (11, True)
    assert remainder(number[:10], "3761894521") == 0
    assert remainder(number, "54327654321") == 0
    assert 81 <= int(number[2:4]) <= 92


@organizations
def test_an_organisations_number_is_valid_and_of_the_synthetic_ones(organization: Organization) -> None:
    number = organization.number

    assert (len(number), number.isdigit(), number[:2]) == (9, True, "31")
    assert remainder(number, "327654321") == 0


def test_nobody_shares_a_number_or_an_id_with_another() -> None:
    user_ids = {person.user_id for person in PERSONS.values()}
    party_ids = {organization.party_id for organization in ORGANIZATIONS.values()}

    assert (len(user_ids), len(party_ids)) == (len(PERSONS), len(ORGANIZATIONS))
    assert not user_ids & party_ids


def test_every_address_has_a_fate_of_its_own_choice() -> None:
    addresses = [
        *(person.email for person in PERSONS.values() if person.email),
        *(address for organization in ORGANIZATIONS.values() for address in organization.emails),
        *(user.email for organization in ORGANIZATIONS.values() for user in organization.users),
    ]

    for address in addresses:
        local_part, _, domain = address.lower().partition("@")
        assert domain == DOMAIN
        assert local_part.partition("+")[0] in FATES


@persons
def test_a_persons_address_plays_the_fate_that_is_told(person: Person) -> None:
    if person.lookup is Lookup.REFUSED:
        expected: tuple[str, ...] = ()
    elif person.is_reserved:
        expected = (SendStatus.FAILED_RECIPIENT_RESERVED,)
    elif not person.email:
        expected = (SendStatus.FAILED_RECIPIENT_NOT_IDENTIFIED,)
    else:
        expected = (fate_of(person.email).send_status,)

    assert person.send_statuses == expected


@organizations
def test_an_organisations_addresses_play_the_fates_that_are_told(organization: Organization) -> None:
    of_users = [user.email for user in organization.users if user.may_act]
    fates = [fate_of(address) for address in usable_addresses(organization.emails, of_users)]

    expected = tuple(fate.send_status for fate in fates) or (SendStatus.FAILED_RECIPIENT_NOT_IDENTIFIED,)
    assert organization.send_statuses == expected


@persons
def test_the_page_tells_of_every_person(person: Person) -> None:
    addresses, statuses = addresses_in(tuple(filter(None, [person.email]))), addresses_in(person.send_statuses)
    row = f"| `{person.number}` | {person.name or '–'} | {addresses} | {person.story} | {statuses} |"

    assert row in PAGE.read_text(encoding="utf-8").splitlines()


@organizations
def test_the_page_tells_of_every_organisation(organization: Organization) -> None:
    cells = (
        f"`{organization.number}`",
        organization.name or "–",
        addresses_in(organization.emails),
        users_in(organization.users),
        organization.story,
        addresses_in(organization.send_statuses),
    )

    assert f"| {' | '.join(cells)} |" in PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_tells_of_nobody_else() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(("| `0", "| `1", "| `3"))]

    assert len(rows) == len(PERSONS) + len(ORGANIZATIONS)
