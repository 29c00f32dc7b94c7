"""Recipients become addressees: one, several or a failed one, in their order."""

import pytest

from varsel.contact_register.register import Contact
from varsel.notifications.send_status import SendStatus
from varsel.orders.addressees import Addressee, addressees, count_addressees, identity_of
from varsel.orders.order import Recipient

KARI, RESERVED, SILENT, RESERVED_SILENT, UNKNOWN = (
    "01818011039",
    "03818011007",
    "04818011046",
    "05818011085",
    "01018045678",
)
BEDRIFT, EMPTY = "310300004", "310500003"
NEW = SendStatus.NEW
NOT_IDENTIFIED, IS_RESERVED = SendStatus.FAILED_RECIPIENT_NOT_IDENTIFIED, SendStatus.FAILED_RECIPIENT_RESERVED

CONTACTS = {
    KARI: Contact(("kari@sandbox.test",)),
    RESERVED: Contact(("rolf@sandbox.test",), is_reserved=True),
    RESERVED_SILENT: Contact(is_reserved=True),
    SILENT: Contact(),
    BEDRIFT: Contact(("post@sandbox.test", "not an address", "arkiv@sandbox.test")),
    EMPTY: Contact(),
}
NAMES = {KARI: "Kari Nordmann", RESERVED: "Rolf Reservert", BEDRIFT: "Enkel Bedrift AS"}


def person(number: str) -> Recipient:
    return Recipient(national_identity_number=number)


def organization(number: str) -> Recipient:
    return Recipient(organization_number=number)


def generated(*recipients: Recipient, ignore_reservation: bool = False) -> list[Addressee]:
    return list(addressees(recipients, CONTACTS, NAMES, ignore_reservation=ignore_reservation))


@pytest.mark.parametrize("ignore_reservation", [False, True])
@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        (person(KARI), [Addressee("kari@sandbox.test", None, KARI, "Kari Nordmann", NEW)]),
        (person(SILENT), [Addressee("", None, SILENT, None, NOT_IDENTIFIED)]),
        (person(UNKNOWN), [Addressee("", None, UNKNOWN, None, NOT_IDENTIFIED)]),
        (organization(EMPTY), [Addressee("", EMPTY, None, None, NOT_IDENTIFIED)]),
        (organization("991825827"), [Addressee("", "991825827", None, None, NOT_IDENTIFIED)]),
        (
            organization(BEDRIFT),
            [
                Addressee("post@sandbox.test", BEDRIFT, None, "Enkel Bedrift AS", NEW),
                Addressee("not an address", BEDRIFT, None, "Enkel Bedrift AS", NEW),
                Addressee("arkiv@sandbox.test", BEDRIFT, None, "Enkel Bedrift AS", NEW),
            ],
        ),
        (Recipient(email_address="ola@sandbox.test"), [Addressee("ola@sandbox.test", None, None, None, NEW)]),
    ],
)
def test_a_recipient_becomes_as_many_addressees_as_there_are_addresses_or_a_failed_one(
    recipient: Recipient, expected: list[Addressee], ignore_reservation: bool
) -> None:
    assert generated(recipient, ignore_reservation=ignore_reservation) == expected


def test_a_reserved_person_becomes_a_failed_addressee_without_the_address() -> None:
    assert generated(person(RESERVED)) == [Addressee("", None, RESERVED, "Rolf Reservert", IS_RESERVED)]


def test_a_reservation_is_told_before_a_missing_address() -> None:
    assert generated(person(RESERVED_SILENT)) == [Addressee("", None, RESERVED_SILENT, None, IS_RESERVED)]


def test_a_reserved_person_is_like_others_for_an_order_that_ignores_it() -> None:
    assert generated(person(RESERVED), person(RESERVED_SILENT), ignore_reservation=True) == [
        Addressee("rolf@sandbox.test", None, RESERVED, "Rolf Reservert", NEW),
        Addressee("", None, RESERVED_SILENT, None, NOT_IDENTIFIED),
    ]


def test_addressees_come_in_the_order_of_the_recipients_and_the_same_twice_is_two() -> None:
    recipients = [
        organization(BEDRIFT),
        Recipient(email_address="kari@sandbox.test"),
        person(UNKNOWN),
        person(KARI),
        Recipient(email_address="kari@sandbox.test"),
        person(KARI),
        person(RESERVED),
        person(UNKNOWN),
    ]

    found = generated(*recipients)

    assert [(addressee.address, addressee.send_status) for addressee in found] == [
        ("post@sandbox.test", NEW),
        ("not an address", NEW),
        ("arkiv@sandbox.test", NEW),
        ("kari@sandbox.test", NEW),
        ("", NOT_IDENTIFIED),
        ("kari@sandbox.test", NEW),
        ("kari@sandbox.test", NEW),
        ("kari@sandbox.test", NEW),
        ("", IS_RESERVED),
        ("", NOT_IDENTIFIED),
    ]
    assert count_addressees(recipients, CONTACTS) == len(found)


def test_a_name_that_nobody_looked_up_is_none() -> None:
    [addressee] = addressees([person(KARI)], CONTACTS, {}, ignore_reservation=False)

    assert addressee.name is None


@pytest.mark.parametrize(
    ("recipient", "identity"),
    [
        (person(KARI), KARI),
        (organization(BEDRIFT), BEDRIFT),
        (Recipient(organization_number=BEDRIFT, national_identity_number=KARI), KARI),
        (Recipient(email_address="ola@sandbox.test"), None),
        (Recipient(email_address="ola@sandbox.test", national_identity_number=KARI), None),
        (Recipient(email_address="", national_identity_number=KARI), KARI),
        (Recipient(mobile_number="+4799999999", national_identity_number=KARI), KARI),
        (Recipient(email_address="", organization_number=BEDRIFT, national_identity_number=""), BEDRIFT),
    ],
)
def test_an_identity_is_looked_up_only_where_there_is_no_address(recipient: Recipient, identity: str | None) -> None:
    assert identity_of(recipient) == identity


def test_there_are_never_more_addressees_than_were_counted() -> None:
    recipients = [person(number) for number in (KARI, RESERVED, SILENT, RESERVED_SILENT, UNKNOWN)]
    recipients += [organization(BEDRIFT), organization(EMPTY), Recipient(email_address="ola@sandbox.test")]

    assert count_addressees(recipients, CONTACTS) == 10
    assert len(generated(*recipients)) == len(generated(*recipients, ignore_reservation=True)) == 10
    assert count_addressees([], CONTACTS) == 0
