"""Return paths: each belongs to one notification, and nobody else can make one."""

import re
from uuid import UUID, uuid4

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from varsel.transports.return_path import ReturnPaths

DOMAIN = "bounce.etat.test"
OLD_KEY, NEW_KEY, FOREIGN_KEY = b"o" * 32, b"n" * 32, b"f" * 32
OURS = ReturnPaths(DOMAIN, [NEW_KEY, OLD_KEY])
ID = UUID("019ad0c0-0000-7000-8000-0000000000ff")
ADDRESS = OURS.address_of(ID)
LOCAL_PART = ADDRESS.partition("@")[0]


@settings(deadline=None)
@given(st.uuids())
def test_a_return_path_leads_back_to_its_notification(notification_id: UUID) -> None:
    assert OURS.notification_of(OURS.address_of(notification_id)) == notification_id


@settings(deadline=None)
@given(st.uuids())
def test_a_return_path_fits_every_mail_server(notification_id: UUID) -> None:
    local_part, _, domain = OURS.address_of(notification_id).partition("@")

    assert len(local_part) <= 64  # RFC 5321 section 4.5.3.1.1
    assert re.fullmatch(r"[a-z0-9+.]+", local_part)
    assert domain == DOMAIN


@settings(deadline=None)
@given(st.uuids(), st.uuids())
def test_two_notifications_never_share_a_return_path(one: UUID, other: UUID) -> None:
    assume(one != other)

    assert OURS.address_of(one) != OURS.address_of(other)


def test_a_return_path_is_always_the_same() -> None:
    assert OURS.address_of(ID) == ReturnPaths(DOMAIN, [NEW_KEY]).address_of(ID)


@pytest.mark.parametrize("address", [ADDRESS.upper(), ADDRESS.title(), ADDRESS.swapcase()])
def test_a_mail_server_may_change_the_case(address: str) -> None:
    assert OURS.notification_of(address) == ID


def test_the_domain_of_the_settings_may_have_capitals() -> None:
    assert ReturnPaths("Bounce.Etat.TEST", [NEW_KEY]).notification_of(ADDRESS) == ID


def test_the_newest_key_signs() -> None:
    assert ReturnPaths(DOMAIN, [NEW_KEY]).address_of(ID) == ADDRESS
    assert ReturnPaths(DOMAIN, [OLD_KEY]).address_of(ID) != ADDRESS


def test_what_an_older_key_signed_is_still_ours() -> None:
    assert OURS.notification_of(ReturnPaths(DOMAIN, [OLD_KEY]).address_of(ID)) == ID


def test_what_a_foreign_key_signed_is_not_ours() -> None:
    assert OURS.notification_of(ReturnPaths(DOMAIN, [FOREIGN_KEY]).address_of(ID)) is None


@pytest.mark.parametrize(
    "domain",
    ["etat.test", "other.test", "x.bounce.etat.test", "bounce.etat.test.", "bounce.etat.test.evil.test", "", "bounce"],
)
def test_another_domain_is_refused(domain: str) -> None:
    assert OURS.notification_of(f"{LOCAL_PART}@{domain}") is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        DOMAIN,
        f"@{DOMAIN}",
        LOCAL_PART,
        f"postmaster@{DOMAIN}",
        f"b+@{DOMAIN}",
        f"{LOCAL_PART}+tag@{DOMAIN}",
        f" {ADDRESS}",
        f"{ADDRESS}\n",
        f"<{ADDRESS}>",
        f'"{LOCAL_PART}"@{DOMAIN}',
        f"{LOCAL_PART}\n@{DOMAIN}",
        f"x@{ADDRESS}",
        f"{LOCAL_PART.partition('.')[0]}@{DOMAIN}",
        f"{LOCAL_PART.partition('.')[0]}.@{DOMAIN}",
        f"{LOCAL_PART.partition('.')[0]}.{'a' * 16}@{DOMAIN}",
    ],
    ids=repr,
)
def test_what_is_not_wholly_a_return_path_is_refused(address: str) -> None:
    assert OURS.notification_of(address) is None


def test_the_signature_of_one_notification_is_no_good_for_another() -> None:
    other = OURS.address_of(uuid4()).partition(".")[0]

    assert OURS.notification_of(f"{other}.{LOCAL_PART.partition('.')[2]}@{DOMAIN}") is None


@settings(deadline=None)
@given(st.integers(0, len(ADDRESS) - 1), st.characters(), st.sampled_from(["replace", "insert", "remove"]))
def test_an_address_with_one_character_changed_is_not_ours(position: int, character: str, change: str) -> None:
    before, after = ADDRESS[:position], ADDRESS[position + (change != "insert") :]
    changed = before + (character if change != "remove" else "") + after
    assume(changed.lower() != ADDRESS)

    assert OURS.notification_of(changed) is None


@settings(deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16))
def test_a_guessed_signature_is_refused(signature: str) -> None:
    assume(signature != LOCAL_PART.partition(".")[2])

    assert OURS.notification_of(f"{LOCAL_PART.partition('.')[0]}.{signature}@{DOMAIN}") is None


@settings(deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26), st.uuids())
def test_only_the_spelling_that_we_make_is_ours(digits: str, notification_id: UUID) -> None:
    signature = OURS.address_of(notification_id).partition(".")[2].partition("@")[0]
    address = f"b+{digits}.{signature}@{DOMAIN}"
    assume(address != OURS.address_of(notification_id))

    assert OURS.notification_of(address) is None


@pytest.mark.parametrize("digit", "bcd")
def test_spare_bits_of_the_last_digit_are_no_second_spelling(digit: str) -> None:
    # 26 digits hold 130 bits: the last of this id's digits could be written in four ways.
    zero = OURS.address_of(UUID(int=0))
    assert zero.startswith(f"b+{'a' * 26}.")

    assert OURS.notification_of(zero.replace("a.", f"{digit}.", 1)) is None


@settings(deadline=None)
@given(st.text())
def test_whatever_the_address_reading_it_never_fails(address: str) -> None:
    assert OURS.notification_of(address) is None
    assert OURS.notification_of(f"{address}@{DOMAIN}") is None
