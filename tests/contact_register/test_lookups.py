"""Looking up many identities: in batches, a few at a time, all of them or none."""

import asyncio
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.contact_register.known_register import KnownRegister
from tests.contact_register.played_register import (
    LIMIT,
    NAMES,
    ORGANIZATIONS,
    PERSONS,
    PlayedRegister,
    contact_points,
    party_names,
    said,
)
from varsel.contact_register import calls
from varsel.contact_register.altinn import AltinnRegisters
from varsel.contact_register.lookups import AT_ONCE, look_up, look_up_names
from varsel.contact_register.register import BATCH, Contact, Resource
from varsel.errors import RegisterUnavailable

MANY = 100_000
RESOURCE = Resource("skjema", "read")
BEDRIFT, HAVN = "310300004", "310600008"


def persons(count: int) -> list[str]:
    """So many numbers of persons, all different."""
    return [f"{number:011}" for number in range(count)]


def organizations(count: int) -> list[str]:
    """So many numbers of organisations, all different."""
    return [f"{number:09}" for number in range(count)]


def address_of(identity: str) -> str:
    return f"{identity}@sandbox.test"


def everybody(identity: str) -> Contact:
    return Contact((address_of(identity),))


class PartlyDown:
    """Answers no batch with a certain identity, and no other batch as long as it runs."""

    def __init__(self, unanswered: str) -> None:
        self._unanswered = unanswered
        self.asked = 0
        self.given_up = 0
        self.is_busy = asyncio.Event()

    async def contacts(self, identities: Sequence[str]) -> Mapping[str, Contact]:
        self.asked += 1
        if self.asked == AT_ONCE:
            self.is_busy.set()
        if self._unanswered in identities:
            await self.is_busy.wait()
            raise RegisterUnavailable("it says 503")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        return {}

    async def registered_by_users(
        self, organizations: Sequence[str], resource: Resource
    ) -> Mapping[str, Sequence[str]]:
        return {}

    async def names(self, identities: Sequence[str]) -> Mapping[str, str]:
        await self.contacts(identities)
        return {}


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (BATCH, [BATCH]),
        (BATCH + 1, [BATCH, 1]),
        (6 * BATCH - 1, [*[BATCH] * 5, BATCH - 1]),
    ],
)
async def test_identities_are_asked_for_in_batches_and_in_order(count: int, sizes: list[int]) -> None:
    register = KnownRegister(everybody)

    contacts = await look_up(register, persons(count))

    assert [len(batch) for batch in register.asked] == sizes
    assert [identity for batch in register.asked for identity in batch] == persons(count)
    assert contacts == {identity: everybody(identity) for identity in persons(count)}


async def test_whoever_is_there_several_times_is_asked_for_once() -> None:
    register = KnownRegister(everybody)

    contacts = await look_up(register, iter([*persons(3), BEDRIFT, *persons(BATCH - 1), BEDRIFT]))

    assert register.asked == [[*persons(3), BEDRIFT, *persons(BATCH - 1)[3:]]]
    assert len(contacts) == BATCH


async def test_names_are_asked_for_in_batches_of_distinct_identities() -> None:
    everyone = [*persons(BATCH), BEDRIFT]
    register = KnownRegister({}, names={BEDRIFT: "Enkel Bedrift AS", "00000000001": "Kari", HAVN: "Not asked for"})

    names = await look_up_names(register, everyone * 2)

    assert register.asked_for_names == [everyone[:BATCH], [BEDRIFT]]
    assert names == {BEDRIFT: "Enkel Bedrift AS", "00000000001": "Kari"}


async def test_a_few_batches_are_asked_for_at_a_time() -> None:
    register = KnownRegister(everybody)

    await look_up(register, persons(10 * BATCH))
    await look_up_names(register, persons(10 * BATCH))

    assert register.most_at_once == AT_ONCE


@pytest.mark.parametrize("unanswered", [0, AT_ONCE - 1])
@pytest.mark.parametrize("act", [look_up, look_up_names])
async def test_one_batch_without_an_answer_is_the_end_of_all(unanswered: int, act: Any) -> None:
    register = PartlyDown(persons(MANY)[unanswered * BATCH])

    async with asyncio.timeout(LIMIT):
        with pytest.raises(RegisterUnavailable, match=r"^it says 503$"):
            await act(register, persons(2 * AT_ONCE * BATCH))

    assert (register.asked, register.given_up) == (AT_ONCE, AT_ONCE - 1)


async def test_a_lookup_that_is_given_up_gives_up_its_batches() -> None:
    register = PartlyDown("nobody")
    looking = asyncio.create_task(look_up(register, persons(AT_ONCE * BATCH)))
    async with asyncio.timeout(LIMIT):
        await register.is_busy.wait()

    looking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await looking
    assert register.given_up == AT_ONCE


@pytest.mark.parametrize(
    ("official", "by_users", "merged"),
    [
        (["a@x.no"], [], ["a@x.no"]),
        ([], ["u@x.no"], ["u@x.no"]),
        (["a@x.no", "b@x.no"], ["u@x.no"], ["a@x.no", "b@x.no", "u@x.no"]),
        (["a@x.no"], ["A@X.no", "u@x.no"], ["a@x.no", "u@x.no"]),
        (["A@x.no"], ["a@x.no"], ["A@x.no"]),
        (["a@x.no"], ["u@x.no", "U@x.no", "u@X.NO"], ["a@x.no", "u@x.no"]),
        ([], ["", " ", "u\0@x.no", "u" * 321, " u@x.no "], ["u@x.no"]),
        (["a@x.no"], ["å@x.no", "Å@x.no"], ["a@x.no", "å@x.no"]),
    ],
)
async def test_addresses_of_users_come_after_the_official_ones_each_once_whatever_its_case(
    official: list[str], by_users: list[str], merged: list[str]
) -> None:
    register = KnownRegister({BEDRIFT: Contact(tuple(official))} if official else {}, by_users={BEDRIFT: by_users})

    contacts = await look_up(register, [BEDRIFT], RESOURCE)

    assert contacts[BEDRIFT].email_addresses == tuple(merged)


async def test_the_same_address_of_two_organizations_counts_for_both() -> None:
    register = KnownRegister({BEDRIFT: Contact(("a@x.no",))}, by_users={HAVN: ["A@x.no"]})

    contacts = await look_up(register, [BEDRIFT, HAVN], RESOURCE)

    assert contacts == {BEDRIFT: Contact(("a@x.no",)), HAVN: Contact(("A@x.no",))}


async def test_users_of_organizations_that_were_not_asked_for_are_nobodys() -> None:
    register = KnownRegister({}, by_users={HAVN: ["u@x.no"]})

    assert await look_up(register, [BEDRIFT], RESOURCE) == {}


async def test_users_are_asked_for_by_organization_only_and_only_about_a_resource() -> None:
    register = KnownRegister(everybody)
    mixed = [*persons(BATCH), BEDRIFT, *persons(BATCH + 2)[BATCH:], HAVN]

    await look_up(register, mixed)
    assert register.asked_for_users == []
    await look_up(register, mixed, RESOURCE)
    assert register.asked_for_users == [([BEDRIFT, HAVN], RESOURCE)]


async def test_a_hundred_thousand_take_two_hundred_calls_and_little_more_memory_than_their_result() -> None:
    register = KnownRegister(everybody)
    identities = persons(MANY)
    tracemalloc.start()

    try:
        contacts = await look_up(register, identities)
        size, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(contacts) == MANY
    assert [len(batch) for batch in register.asked] == [BATCH] * (MANY // BATCH)
    # Besides the result there are the distinct identities and, of the register's own, the batches it remembers.
    assert peak < 1.5 * size


async def test_thousands_are_looked_up_over_http(registers: AltinnRegisters, played: PlayedRegister) -> None:
    everyone = [*persons(3_000), *organizations(700)]
    played.replies |= {
        PERSONS: lambda asked: contact_points(
            *({"nationalIdentityNumber": n, "email": address_of(n)} for n in asked.body["nationalIdentityNumbers"])
        ),
        ORGANIZATIONS: lambda asked: contact_points(
            *({"organizationNumber": n, "emailList": [address_of(n)]} for n in asked.body["organizationNumbers"])
        ),
        NAMES: lambda asked: party_names(*({**party, "name": "Kari"} for party in asked.body["parties"])),
    }

    contacts = await look_up(registers, everyone)
    names = await look_up_names(registers, everyone)

    assert contacts == {identity: everybody(identity) for identity in everyone}
    assert names == dict.fromkeys(everyone, "Kari")
    assert len(played.asked_at(PERSONS)) == 6
    assert sum(len(body["organizationNumbers"]) for body in played.asked_at(ORGANIZATIONS)) == 700
    assert [len(body["parties"]) for body in played.asked_at(NAMES)] == [BATCH] * 7 + [200]
    assert played.connections <= 2 * calls.AT_ONCE  # to Profile and to Register


async def test_thousands_are_unknown_only_if_every_batch_was_answered(
    registers: AltinnRegisters, played: PlayedRegister
) -> None:
    unlucky = persons(3_000)[-1]
    played.replies[PERSONS] = lambda asked: (
        said({}, 503) if unlucky in asked.body["nationalIdentityNumbers"] else contact_points()
    )

    with pytest.raises(RegisterUnavailable, match=r"^it says 503$"):
        await look_up(registers, persons(3_000))
