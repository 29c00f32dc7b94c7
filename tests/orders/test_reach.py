"""Who could be reached if an order were sent now."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from tests.contact_register.known_register import KnownRegister
from varsel.contact_register.register import Contact
from varsel.errors import RegisterUnavailable
from varsel.orders import reach
from varsel.orders.order import Recipient
from varsel.orders.reach import Reach, reach_of

KARI, RESERVED, SILENT = "01818011039", "03818011007", "04818011046"
RESERVED_SILENT, UNKNOWN = "05818011085", "01018045678"
BEDRIFT, EMPTY = "310300004", "310500003"

REGISTER = {
    KARI: Contact(("kari@sandbox.test",)),
    RESERVED: Contact(("rolf@sandbox.test",), is_reserved=True),
    RESERVED_SILENT: Contact(is_reserved=True),
    SILENT: Contact(),
    BEDRIFT: Contact(("a@sandbox.test", "b@sandbox.test")),
    EMPTY: Contact(),
}


def recipient(identity: str) -> Recipient:
    """By whatever this is."""
    if "@" in identity:
        return Recipient(email_address=identity)
    is_person = len(identity) == 11
    return Recipient(national_identity_number=identity) if is_person else Recipient(organization_number=identity)


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        ([KARI, BEDRIFT], Reach(2, [], [])),
        ([RESERVED], Reach(1, [RESERVED], [])),
        ([RESERVED_SILENT], Reach(1, [RESERVED_SILENT], [])),
        ([SILENT, EMPTY, UNKNOWN], Reach(3, [], [SILENT, EMPTY, UNKNOWN])),
        ([UNKNOWN, RESERVED, KARI, EMPTY, RESERVED_SILENT], Reach(5, [RESERVED, RESERVED_SILENT], [UNKNOWN, EMPTY])),
        ([KARI, KARI], Reach(2, [], [])),
        ([UNKNOWN, UNKNOWN], Reach(2, [], [UNKNOWN])),
        ([RESERVED, UNKNOWN, RESERVED], Reach(3, [RESERVED], [UNKNOWN])),
        (["ola@sandbox.test", UNKNOWN], Reach(1, [], [UNKNOWN])),
        (["ola@sandbox.test"], Reach(0, [], [])),
        ([], Reach(0, [], [])),
    ],
)
async def test_reach_counts_everybody_and_names_each_once(recipients: list[str], expected: Reach) -> None:
    assert await reach_of(KnownRegister(REGISTER), [recipient(identity) for identity in recipients]) == expected


async def test_only_those_without_an_address_are_looked_up_each_once() -> None:
    register = KnownRegister(REGISTER)

    await reach_of(register, [recipient(who) for who in ["ola@sandbox.test", KARI, BEDRIFT, KARI]])

    assert register.asked == [[KARI, BEDRIFT]]


async def test_where_everybody_has_an_address_nobody_is_looked_up() -> None:
    register = KnownRegister(REGISTER)

    await reach_of(
        register, [recipient("ola@sandbox.test"), Recipient("kari@sandbox.test", organization_number=BEDRIFT)]
    )

    assert register.asked == []


async def test_a_person_counts_before_the_organization_beside_them() -> None:
    register = KnownRegister(REGISTER)

    await reach_of(register, [Recipient(organization_number=BEDRIFT, national_identity_number=KARI)])

    assert register.asked == [[KARI]]


async def test_addresses_of_users_do_not_count_when_an_order_is_placed() -> None:
    register = KnownRegister(REGISTER, by_users={EMPTY: ["user@sandbox.test"]})

    found = await reach_of(register, [recipient(EMPTY)])

    assert (found.missing, register.asked_for_users) == ([EMPTY], [])


class SilentRegister(KnownRegister):
    """Never answers."""

    async def contacts(self, identities: Sequence[str]) -> Mapping[str, Contact]:
        await asyncio.Event().wait()
        return {}


class BrokenRegister(KnownRegister):
    """Raises this instead of an answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__({})
        self._error = error

    async def contacts(self, identities: Sequence[str]) -> Mapping[str, Contact]:
        raise self._error


@pytest.mark.parametrize("error", [RegisterUnavailable("it says 503"), TimeoutError(), OSError()], ids=repr)
async def test_while_the_register_is_down_nobody_knows(error: Exception) -> None:
    register = BrokenRegister(error)

    with pytest.raises(type(error)):  # that of our own database, where the register is there, is nobody else's
        await reach_of(register, [recipient(KARI)])
    assert await reach_of(register, [recipient("ola@sandbox.test")]) == Reach(0, [], [])


async def test_who_is_not_told_in_time_is_not_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "LIMIT", 0.02)

    with pytest.raises(RegisterUnavailable, match=r"^not all answers within 0\.02 s$"):
        await reach_of(SilentRegister({}), [recipient(KARI)])


async def test_the_time_to_wait_for_ones_turn_is_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "LIMIT", 0.02)
    nobodys_turn = asyncio.Semaphore(0)
    register = KnownRegister(REGISTER)

    with pytest.raises(RegisterUnavailable):
        await reach_of(register, [recipient(KARI)], nobodys_turn)
    assert register.asked == []
    assert await reach_of(register, [recipient("ola@sandbox.test")], nobodys_turn) == Reach(0, [], [])
