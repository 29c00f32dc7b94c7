"""The wire types: the only place that knows the JSON names of the contract.

Types whose name ends in Request are read, the others are written. Written nulls are left out.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType

from varsel.orders.order import Channel, ContentType


class RecipientRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Whom to reach; `isReserved` is taken and ignored, as the original does."""

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


class AnyOrderRequest(Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What every body that places an order may hold."""

    parameter: ClassVar[str]  # what error keys call the whole body

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

    status: str  # Success, PartialSuccess or Failed
    is_reserved: Sequence[str]
    missing_contact: Sequence[str]


class OrderPlaced(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The answer to an order: 202; the lookup only where somebody had to be looked up."""

    order_id: str
    recipient_lookup: RecipientLookup | None = None


class OrderLinks(Struct, frozen=True, rename={"itself": "self"}):
    """Where the order and its status are read."""

    itself: str
    status: str


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
    id: str
    senders_reference: str | None = None
    requested_send_time: str
    creator: str
    created: str
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

    count: int
    orders: Sequence[OrderView]


class StatusView(Struct, frozen=True, rename="camel"):
    """A status, what it means, and since when it stands."""

    status: str
    description: str
    last_update: str


class SelfLink(Struct, frozen=True, rename={"itself": "self"}):
    """Where the notifications are read."""

    itself: str


class ChannelSums(Struct, frozen=True, rename="camel"):
    """How many notifications an order has on one channel."""

    links: SelfLink
    generated: int
    succeeded: int


class ChannelsSums(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The sums of the channels that an order has notifications on."""

    email: ChannelSums | None = None


class OrderWithStatusView(_OrderFacts, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An order with its status."""

    processing_status: StatusView
    notifications_status_summary: ChannelsSums | None = None


class NotificationView(Struct, frozen=True, rename="camel"):
    """One notification and its send status."""

    id: str
    succeeded: bool
    recipient: RecipientView
    send_status: StatusView


class EmailSummary(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """The send status of every e-mail that an order generated."""

    order_id: str
    senders_reference: str | None = None
    generated: int
    succeeded: int
    notifications: Sequence[NotificationView]


class SandboxMessage(Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A mail that the sandbox received; not part of the contract."""

    id: str
    received_at: str
    return_path: str
    recipients: Sequence[str]
    sender: str | None = None
    subject: str | None = None
    size: int
    raw: str


def timestamp(moment: datetime) -> str:
    """UTC with `Z`, the fraction without trailing zeros and left out where it is zero."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
