"""The wire types: the only place that knows the JSON names of the contract.

Types whose name ends in Request are read, the others are written. Written nulls are left out. The OpenAPI document
is generated from them, so what a class's docstring says is read by clients too.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from varsel.orders.order import Channel, ContentType

# What written texts and numbers look like, for the OpenAPI document; nothing is checked by these.
Guid = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Timestamp = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Url = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
Count = Annotated[int, Meta(extra_json_schema={"minimum": 0})]
LookupStatus = Annotated[str, Meta(extra_json_schema={"enum": ["Success", "PartialSuccess", "Failed"]})]


class RecipientRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whom to reach: by e-mail address, or by an identity that the contact register turns into one."""

    email_address: str | None = None
    mobile_number: str | None = None
    organization_number: str | None = None
    national_identity_number: str | None = None
    is_reserved: bool | None = None


class EmailTemplateRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The message of an order on `POST /orders`."""

    from_address: str | None = ""
    subject: str | None = ""
    body: str | None = ""
    content_type: ContentType | None = None


class AnyRequest(Struct, frozen=True):
    """What every body is that is read."""

    parameter: ClassVar[str]  # what error keys call the whole body


class AnyOrderRequest(AnyRequest, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What every body that places an order may hold."""

    senders_reference: str | None = None
    requested_send_time: str | UnsetType = UNSET
    condition_endpoint: str | None = None
    recipients: list[RecipientRequest] | None = []
    ignore_reservation: bool | None = None
    resource_id: str | None = None
    resource_action: str | None = None


class EmailOrderRequest(AnyOrderRequest, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /orders/email`."""

    parameter = "emailNotificationOrderRequest"

    subject: str | None = None
    body: str | None = None
    content_type: ContentType | None = None


class OrderRequest(AnyOrderRequest, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /orders`."""

    parameter = "notificationOrderRequest"

    notification_channel: Channel | None = None
    email_template: EmailTemplateRequest | None = None


class RecipientLookup(Struct, frozen=True, rename="camel"):
    """What the contact register knows of the recipients that were given by identity."""

    status: LookupStatus
    is_reserved: Sequence[str]
    missing_contact: Sequence[str]


class OrderPlaced(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The answer to an order: 202; the lookup only where somebody had to be looked up."""

    order_id: Guid
    recipient_lookup: RecipientLookup | None = None


class OrderLinks(Struct, frozen=True, rename={"itself": "self"}):
    """Where the order and its status are read."""

    itself: Url
    status: Url


class RecipientView(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A recipient as it was ordered, or as it was mailed."""

    email_address: str | None = None
    mobile_number: str | None = None
    organization_number: str | None = None
    national_identity_number: str | None = None


class EmailTemplateView(Struct, frozen=True, rename="camel"):
    """The message as stored: defaults applied, line breaks in the subject replaced."""

    from_address: str
    subject: str
    body: str
    content_type: ContentType


class _OrderFacts(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    id: Guid
    senders_reference: str | None = None
    requested_send_time: Timestamp
    creator: str
    created: Timestamp
    notification_channel: Channel
    ignore_reservation: bool | None = None
    resource_id: str | None = None
    resource_action: str | None = None
    condition_endpoint: str | None = None


class OrderView(_OrderFacts, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An order as it was placed."""

    recipients: Sequence[RecipientView]
    email_template: EmailTemplateView | None = None
    links: OrderLinks


class OrderList(Struct, frozen=True, rename="camel"):
    """The orders of one sender's reference."""

    count: Count
    orders: Sequence[OrderView]


class StatusView(Struct, frozen=True, rename="camel"):
    """A status, what it means, and since when it stands."""

    status: str
    description: str
    last_update: Timestamp


class SelfLink(Struct, frozen=True, rename={"itself": "self"}):
    """Where the notifications are read."""

    itself: Url


class ChannelSums(Struct, frozen=True, rename="camel"):
    """How many notifications an order has on one channel."""

    links: SelfLink
    generated: Count
    succeeded: Count


class ChannelsSums(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The sums of the channels that an order has notifications on."""

    email: ChannelSums | None = None


class OrderWithStatusView(_OrderFacts, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An order with its status."""

    processing_status: StatusView
    notifications_status_summary: ChannelsSums | None = None


class NotificationView(Struct, frozen=True, rename="camel"):
    """One notification and its send status."""

    id: Guid
    succeeded: bool
    recipient: RecipientView
    send_status: StatusView


class EmailSummary(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """The send status of every e-mail that an order generated."""

    order_id: Guid
    senders_reference: str | None = None
    generated: Count
    succeeded: Count
    notifications: Sequence[NotificationView]


class SendCondition(Struct, frozen=True, rename="camel"):
    """What a condition endpoint says: whether the notifications of an order are to be sent."""

    send_notification: bool


class SandboxMessage(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A mail that the sandbox received; not part of the contract."""

    id: str
    received_at: Timestamp
    return_path: str
    recipients: Sequence[str]
    sender: str | None = None
    subject: str | None = None
    size: Count
    raw: str


def timestamp(moment: datetime) -> str:
    """UTC with `Z`, the fraction without trailing zeros and left out where it is zero."""
    # asyncpg reads back the last moment of all as PostgreSQL's infinity, and that without a zone.
    text = (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
