"""From recipients to addressees: an identity becomes as many as the contact register has addresses for it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from varsel.contact_register.register import Contact
from varsel.notifications.send_status import SendStatus
from varsel.orders.order import Recipient

NOBODY = Contact()


class Addressee(NamedTuple):
    """What becomes one notification."""

    address: str  # "" where there is none to send to
    organization_number: str | None
    national_identity_number: str | None
    name: str | None
    send_status: SendStatus


def identity_of(recipient: Recipient) -> str | None:
    """What to look up; None for a recipient who has an address."""
    return None if recipient.email_address else recipient.national_identity_number or recipient.organization_number


def count_addressees(recipients: Sequence[Recipient], contacts: Mapping[str, Contact]) -> int:
    """How many there will be at most."""
    return sum(max(1, len(contacts.get(identity_of(r) or "", NOBODY).email_addresses)) for r in recipients)


def addressees(
    recipients: Sequence[Recipient],
    contacts: Mapping[str, Contact],
    names: Mapping[str, str],
    *,
    ignore_reservation: bool,
) -> Iterator[Addressee]:
    """The addressees in the order of the recipients; the same recipient twice is two."""
    for recipient in recipients:
        identity = identity_of(recipient)
        numbers = (recipient.organization_number, recipient.national_identity_number)
        if identity is None:
            yield Addressee(recipient.email_address or "", *numbers, None, SendStatus.NEW)
            continue
        contact, name = contacts.get(identity, NOBODY), names.get(identity)
        if contact.is_reserved and not ignore_reservation:
            yield Addressee("", *numbers, name, SendStatus.FAILED_RECIPIENT_RESERVED)
        elif not contact.email_addresses:
            yield Addressee("", *numbers, name, SendStatus.FAILED_RECIPIENT_NOT_IDENTIFIED)
        else:
            for address in contact.email_addresses:
                yield Addressee(address, *numbers, name, SendStatus.NEW)
