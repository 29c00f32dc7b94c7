"""What an operator may say of an identity, and in which form it is kept."""

from typing import Any

import pytest

from varsel.contact_register.entry import Entry, Faulty, GivenEntry, read_entry

PERSON = "01017012345"
ORGANIZATION = "991825827"
NOBODY: frozenset[str] = frozenset()


def reasons_against(identity: str = ORGANIZATION, **given: str) -> tuple[str, ...]:
    read = read_entry(GivenEntry(identity, **given), NOBODY)
    assert isinstance(read, Faulty)
    return read.reasons


@pytest.mark.parametrize(
    "identity", ["991825827", "991 825 827", " 991\u00a0825\u00a0827 ", "01017012345", "010170 12345"]
)
def test_spaces_in_an_identity_do_not_count(identity: str) -> None:
    assert read_entry(GivenEntry(identity), NOBODY) == Entry("".join(identity.split()))


@pytest.mark.parametrize(
    "identity",
    ["", "1017012345", "99182582", "010170123456", "99182582a", "+91825827", "９９１８２５８２７", "991825827\0"],
)
def test_what_has_neither_9_nor_11_digits_is_no_identity(identity: str) -> None:
    assert reasons_against(identity) == ("the identity has neither 9 nor 11 digits",)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"name": "  Kari \u00a0 Nordmann "}, {"name": "Kari Nordmann"}),
        ({"name": " "}, {"name": None}),
        ({"email_addresses": "a@etat.test b@etat.test"}, {"email_addresses": ("a@etat.test", "b@etat.test")}),
        ({"email_addresses": "a@etat.test;\r\n b@etat.test;"}, {"email_addresses": ("a@etat.test", "b@etat.test")}),
        ({"email_addresses": "A@etat.test a@Etat.test"}, {"email_addresses": ("A@etat.test",)}),
        ({"mobile_numbers": "91234567"}, {"mobile_numbers": ("+4791234567",)}),
        ({"mobile_numbers": "412 34 567"}, {"mobile_numbers": ("+4741234567",)}),
        ({"mobile_numbers": "+47 412 34 567"}, {"mobile_numbers": ("+4741234567",)}),
        ({"mobile_numbers": "0047 41234567"}, {"mobile_numbers": ("+4741234567",)}),
        ({"mobile_numbers": "0046 70 123 45 67"}, {"mobile_numbers": ("+46701234567",)}),
        ({"mobile_numbers": "91234567 +4641234567"}, {"mobile_numbers": ("+4791234567", "+4641234567")}),
        ({"mobile_numbers": "912 34 567; 412 34 567\n"}, {"mobile_numbers": ("+4791234567", "+4741234567")}),
        ({"mobile_numbers": "91234567 +4791234567"}, {"mobile_numbers": ("+4791234567",)}),
        ({"mobile_numbers": "+1234567"}, {"mobile_numbers": ("+1234567",)}),
        ({"mobile_numbers": "+123456789012345"}, {"mobile_numbers": ("+123456789012345",)}),
        ({"reserved": " NEI "}, {"is_reserved": False}),
    ],
)
def test_what_is_given_is_kept_in_one_form(given: dict[str, str], kept: dict[str, Any]) -> None:
    assert read_entry(GivenEntry(ORGANIZATION, **given), NOBODY) == Entry(ORGANIZATION, **kept)


@pytest.mark.parametrize(
    "number",
    ["21234567", "9123456", "912345678", "+123456", "+1234567890123456", "+", "00", "+47-91234567", "+47９1234567"],
)
def test_what_is_no_mobile_number_in_full_is_named_by_its_place(number: str) -> None:
    assert reasons_against(mobile_numbers=f"91234567;{number}") == ("mobile number 2 is not valid",)


@pytest.mark.parametrize(
    "address", ["kari", "kari@", "kari@etat", "kari,ola@etat.test", "ka\0ri@etat.test", "\udcff@etat.test"]
)
def test_what_is_no_address_is_named_by_its_place(address: str) -> None:
    assert reasons_against(email_addresses=f"kari@etat.test {address}") == ("e-mail address 2 is not valid",)


def test_an_internal_domain_may_be_one_that_the_internet_does_not_know() -> None:
    given = GivenEntry(ORGANIZATION, email_addresses="post@arkiv.local")

    assert read_entry(given, frozenset({"local"})) == Entry(ORGANIZATION, email_addresses=("post@arkiv.local",))


@pytest.mark.parametrize("word", ["true", "YES", "1", "Ja", "SANN"])
def test_a_person_can_be_reserved_in_any_of_these_words(word: str) -> None:
    assert read_entry(GivenEntry(PERSON, reserved=word), NOBODY) == Entry(PERSON, is_reserved=True)


def test_an_organisation_cannot_be_reserved() -> None:
    assert reasons_against(reserved="ja") == ("only a person can be reserved",)


def test_what_is_neither_yes_nor_no_does_not_reserve() -> None:
    assert reasons_against(PERSON, reserved="kanskje") == ("reserved says neither yes nor no",)


def test_a_person_has_one_address_and_one_number_at_the_most() -> None:
    assert reasons_against(PERSON, email_addresses="a@etat.test b@etat.test", mobile_numbers="91234567 41234567") == (
        "a person has at most one e-mail address",
        "a person has at most one mobile number",
    )


def test_the_same_address_twice_is_one() -> None:
    given = GivenEntry(PERSON, email_addresses="kari@etat.test KARI@etat.test")

    assert read_entry(given, NOBODY) == Entry(PERSON, email_addresses=("kari@etat.test",))


@pytest.mark.parametrize("name", ["Ka\0ri", "Kari\nNordmann", "\x1b[31mKari", "Kari\x85", "Kari\udcff"])
def test_a_name_has_no_control_character_in_it(name: str) -> None:
    assert reasons_against(name=name) == ("the name has a control character in it",)


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert len(reasons_against("1", name="\0", email_addresses="x y", mobile_numbers="z", reserved="?")) == 6
