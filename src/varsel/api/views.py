"""Turn what the core found into what the wire shows."""

from typing import Any
from uuid import UUID

from varsel.api.descriptions import ORDER_STATUS, shown_order_status
from varsel.api.wire import (
    ChannelsSums,
    ChannelSums,
    EmailTemplateView,
    OrderLinks,
    OrderPlaced,
    OrderView,
    OrderWithStatusView,
    RecipientLookup,
    RecipientView,
    SelfLink,
    StatusView,
    timestamp,
)
from varsel.orders.find import OrderProgress, StoredOrder
from varsel.orders.order import Order
from varsel.orders.reach import Reach

BASE_PATH = "/notifications/api/v1"


def order_url(base_url: str, order_id: UUID) -> str:
    """Where this order is read."""
    return f"{base_url}{BASE_PATH}/orders/{order_id}"


def order_placed(order_id: UUID, reach: Reach) -> OrderPlaced:
    """The answer to an order, with what the contact register says of those whom it was asked about."""
    if not reach.looked_up:
        return OrderPlaced(str(order_id))
    unreachable = len(reach.reserved) + len(reach.missing)
    # As the original counts: distinct ones against all, so that duplicates make it PartialSuccess.
    status = "Failed" if unreachable == reach.looked_up else "PartialSuccess" if unreachable else "Success"
    return OrderPlaced(
        str(order_id), RecipientLookup(status, is_reserved=reach.reserved, missing_contact=reach.missing)
    )


def order_view(stored: StoredOrder, base_url: str) -> OrderView:
    """An order as `GET /orders/{id}` shows it."""
    url = order_url(base_url, stored.order.id)
    template = stored.template
    return OrderView(
        **_facts(stored.order),
        recipients=[
            RecipientView(
                recipient.email_address,
                recipient.mobile_number,
                recipient.organization_number,
                recipient.national_identity_number,
            )
            for recipient in stored.recipients
        ],
        email_template=EmailTemplateView(template.from_address, template.subject, template.body, template.content_type),
        links=OrderLinks(itself=url, status=f"{url}/status"),
    )


def order_with_status(progress: OrderProgress, base_url: str) -> OrderWithStatusView:
    """An order as `GET /orders/{id}/status` and the cancellation show it."""
    link = SelfLink(f"{order_url(base_url, progress.order.id)}/notifications/email")
    sums = ChannelsSums(email=ChannelSums(link, progress.generated, progress.succeeded))
    return OrderWithStatusView(
        **_facts(progress.order),
        processing_status=StatusView(
            shown_order_status(progress.status), ORDER_STATUS[progress.status], timestamp(progress.changed_at)
        ),
        notifications_status_summary=sums if progress.generated else None,
    )


def _facts(order: Order) -> dict[str, Any]:
    return {
        "id": str(order.id),
        "senders_reference": order.senders_reference,
        "requested_send_time": timestamp(order.requested_send_time),
        "creator": order.owner,
        "created": timestamp(order.created_at),
        "notification_channel": order.channel,
        "ignore_reservation": order.ignore_reservation,
        "resource_id": order.resource_id,
        "resource_action": order.resource_action,
        "condition_endpoint": order.condition_endpoint,
    }
