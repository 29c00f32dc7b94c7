"""When the played registers answer, and who may act for whom."""

import asyncio
from datetime import timedelta

import pytest

from varsel.sandbox.contact_player import ACTIONS, ContactPlayer, Decision, decision_on
from varsel.sandbox.contacts import KARI, OLA, ORGANIZATIONS, PERSONS, Lookup, Organization, Person, User

SOON = 0.01  # seconds
USERS = [(organization, user) for organization in ORGANIZATIONS.values() for user in organization.users]


def person_who_is(lookup: Lookup) -> Person:
    [person] = [person for person in PERSONS.values() if person.lookup is lookup]
    return person


@pytest.fixture
def player() -> ContactPlayer:
    """A player whom nobody lives to see slow."""
    return ContactPlayer(slow_lookup=timedelta(hours=1))


async def test_a_lookup_of_ordinary_people_is_answered_at_once(player: ContactPlayer) -> None:
    ordinary = [person for person in PERSONS.values() if person.lookup is Lookup.ANSWERED]

    assert [await player.answers(persons) for persons in ([], ordinary)] == [True, True]


async def test_a_lookup_with_a_slow_person_is_not_answered_at_once(player: ContactPlayer) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(player.answers([KARI, person_who_is(Lookup.SLOW)]), SOON)


async def test_a_lookup_with_a_slow_person_is_answered_in_the_end() -> None:
    player = ContactPlayer(slow_lookup=timedelta(0))

    assert await player.answers([person_who_is(Lookup.SLOW)])


async def test_a_faltering_register_refuses_two_lookups_of_four(player: ContactPlayer) -> None:
    faltering = person_who_is(Lookup.FALTERING)

    answered = [await player.answers([KARI, faltering]) for _ in range(8)]

    assert answered == [True, False, False, True] * 2


async def test_a_lookup_without_the_faltering_person_changes_nothing(player: ContactPlayer) -> None:
    faltering = person_who_is(Lookup.FALTERING)
    await player.answers([faltering])

    answered = [await player.answers([person]) for person in (KARI, faltering, KARI, faltering, KARI, faltering)]

    assert answered == [True, False, True, False, True, True]


async def test_every_player_begins_anew(player: ContactPlayer) -> None:
    await player.answers([person_who_is(Lookup.FALTERING)])

    assert await ContactPlayer().answers([person_who_is(Lookup.FALTERING)])


async def test_a_register_that_is_away_never_answers(player: ContactPlayer) -> None:
    away = person_who_is(Lookup.REFUSED)

    assert [await player.answers([KARI, away]) for _ in range(5)] == [False] * 5


@pytest.mark.parametrize(("organization", "user"), USERS)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_user_may_act_where_the_table_says_so(organization: Organization, user: User, action: str) -> None:
    decision = decision_on(str(user.person.user_id), str(organization.party_id), action)

    assert decision is (Decision.PERMIT if user.may_act else Decision.DENY)


@pytest.mark.parametrize(
    ("user_id", "party_id", "action"),
    [
        (str(KARI.user_id), "50005", "write"),
        (str(KARI.user_id), "50005", "Read"),
        (str(KARI.user_id), "50005", ""),
        (str(KARI.user_id), "50001", "read"),
        (str(KARI.user_id), "", "read"),
        (str(KARI.user_id), "x", "read"),
        (str(OLA.user_id), "50001", "read"),
        ("20003", "50005", "read"),
        ("", "50005", "read"),
        ("50005", str(KARI.user_id), "read"),
    ],
)
def test_of_anything_else_no_policy_speaks(user_id: str, party_id: str, action: str) -> None:
    assert decision_on(user_id, party_id, action) is Decision.NOT_APPLICABLE
