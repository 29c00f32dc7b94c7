"""An order as the core knows it: one message, one to many recipients, perhaps for later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct


class OrderStatus(StrEnum):
    """Where an order stands."""

    REGISTERED = "Registered"  # stored; awaits its send time
    PROCESSING = "Processing"  # due: others are asked and its notifications generated, or it waits to be tried again
    PROCESSED = "Processed"  # its notifications are generated; one at least is not final
    COMPLETED = "Completed"  # every notification is final; derived when read, never stored
    SEND_CONDITION_NOT_MET = "SendConditionNotMet"  # the owner's condition said no
    CANCELLED = "Cancelled"  # the owner took it back in time


class Channel(StrEnum):
    """The ways of reaching a recipient that an owner may ask for."""

    EMAIL = "Email"
    SMS = "Sms"
    EMAIL_PREFERRED = "EmailPreferred"
    SMS_PREFERRED = "SmsPreferred"
    EMAIL_AND_SMS = "EmailAndSms"


class ContentType(StrEnum):
    """What an e-mail's body is."""

    PLAIN = "Plain"
    HTML = "Html"


class Recipient(Struct, frozen=True, omit_defaults=True):
    """Whom to reach: an address, or an identity that the contact register turns into one.

    A Struct because an order of 100,000 is stored and read back as JSON in one go.
    """

    email_address: str | None = None
    mobile_number: str | None = None
    organization_number: str | None = None
    national_identity_number: str | None = None


@dataclass(frozen=True, slots=True)
class EmailTemplate:
    """The message, the same for every recipient."""

    subject: str
    body: str
    content_type: ContentType
    from_address: str


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What an owner asks for, checked; not stored yet."""

    owner: str
    channel: Channel
    recipients: Sequence[Recipient]
    template: EmailTemplate
    requested_send_time: datetime
    senders_reference: str | None = None
    ignore_reservation: bool | None = None
    resource_id: str | None = None
    resource_action: str | None = None
    condition_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A stored order, without its recipients and message."""

    id: UUID
    owner: str
    channel: Channel
    requested_send_time: datetime
    created_at: datetime
    senders_reference: str | None
    ignore_reservation: bool | None
    resource_id: str | None
    resource_action: str | None
    condition_endpoint: str | None
