"""Examples of what is asked and answered; the answers are made by the code that answers, so they cannot go stale."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from varsel.api.descriptions import ORDER_STATUS, SEND_STATUS
from varsel.api.openapi.pieces import Json
from varsel.api.problems import problem
from varsel.api.wire import (
    ChannelsSums,
    ChannelSums,
    EmailSummary,
    EmailTemplateView,
    NotificationView,
    OrderLinks,
    OrderList,
    OrderPlaced,
    OrderView,
    OrderWithStatusView,
    RecipientLookup,
    RecipientView,
    SelfLink,
    SendCondition,
    StatusView,
)
from varsel.notifications.send_status import SendStatus
from varsel.orders.order import Channel, ContentType, OrderStatus

ORDER_ID = "01a2073c-a329-73d9-98d0-29d63c9cc05b"
REFERENCE = "sak-42"
_PERSON = "01877512345"  # the month is beyond the calendar: such numbers are for tests, and belong to nobody
_PLACED_AT = "2026-11-23T07:09:03.121844Z"
_URL = f"https://varsel.example.no/notifications/api/v1/orders/{ORDER_ID}"
_TRACE_ID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def _one(summary: str, value: Any) -> Json:
    return {"summary": summary, "value": msgspec.to_builtins(value)}


EMAIL_ORDERS: Mapping[str, Json] = {
    "now": _one(
        "To two addresses, at once",
        {
            "sendersReference": REFERENCE,
            "subject": "Vedtak i saken din",
            "body": "Hei! Vedtaket ligger klart.",
            "recipients": [{"emailAddress": "delivered@sandbox.test"}, {"emailAddress": "bounced@sandbox.test"}],
        },
    ),
    "later": _one(
        "In HTML, to a person, at a time",
        {
            "subject": "Påminnelse",
            "body": "<p>Husk fristen.</p>",
            "contentType": "Html",
            "requestedSendTime": "2036-05-02T09:00:00+02:00",
            "recipients": [{"nationalIdentityNumber": _PERSON}],
            "ignoreReservation": True,
            "resourceId": "urn:altinn:resource:skattemelding",
            "resourceAction": "read",
        },
    ),
}
ORDERS: Mapping[str, Json] = {
    "email": _one(
        "By e-mail, with a sender",
        {
            "notificationChannel": "Email",
            "sendersReference": REFERENCE,
            "emailTemplate": {
                "fromAddress": "Etaten <noreply@example.no>",
                "subject": "Vedtak i saken din",
                "body": "Hei! Vedtaket ligger klart.",
                "contentType": "Plain",
            },
            "recipients": [{"emailAddress": "delivered@sandbox.test"}],
        },
    ),
}
SMS_ORDERS: Mapping[str, Json] = {
    "now": _one(
        "To a mobile number",
        {"senderNumber": "Etaten", "body": "Hei!", "recipients": [{"mobileNumber": "+4799999999"}]},
    ),
}

PLACED: Mapping[str, Json] = {
    "addresses": _one("Every recipient has an address", OrderPlaced(ORDER_ID)),
    "lookup": _one(
        "A recipient whom the contact register does not know",
        OrderPlaced(ORDER_ID, RecipientLookup("Failed", is_reserved=[], missing_contact=[_PERSON])),
    ),
}

_FACTS: dict[str, Any] = {
    "id": ORDER_ID,
    "senders_reference": REFERENCE,
    "requested_send_time": _PLACED_AT,
    "creator": "ttd",
    "created": _PLACED_AT,
    "notification_channel": Channel.EMAIL,
}
_ORDER = OrderView(
    **_FACTS,
    recipients=[RecipientView("delivered@sandbox.test"), RecipientView("bounced@sandbox.test")],
    email_template=EmailTemplateView(
        "noreply@example.no", "Vedtak i saken din", "Hei! Vedtaket ligger klart.", ContentType.PLAIN
    ),
    links=OrderLinks(itself=_URL, status=f"{_URL}/status"),
)
ORDER: Mapping[str, Json] = {"order": _one("An order", _ORDER)}
ORDER_LIST: Mapping[str, Json] = {
    "one": _one("One order", OrderList(1, [_ORDER])),
    "none": _one("No order has this reference", OrderList(0, [])),
}


def _order_with_status(status: OrderStatus, sums: ChannelsSums | None = None) -> OrderWithStatusView:
    standing = StatusView(status, ORDER_STATUS[status], "2026-11-23T07:09:04.302586Z")
    return OrderWithStatusView(**_FACTS, processing_status=standing, notifications_status_summary=sums)


_SUMS = ChannelsSums(ChannelSums(SelfLink(f"{_URL}/notifications/email"), generated=2, succeeded=1))
ORDER_STATUSES: Mapping[str, Json] = {
    "completed": _one("All notifications are final", _order_with_status(OrderStatus.COMPLETED, _SUMS)),
    "registered": _one("The order is for later", _order_with_status(OrderStatus.REGISTERED)),
}
CANCELLED: Mapping[str, Json] = {"cancelled": _one("Taken back in time", _order_with_status(OrderStatus.CANCELLED))}


def _notification(number: int, recipient: RecipientView, status: SendStatus, *, succeeded: bool) -> NotificationView:
    standing = StatusView(status, SEND_STATUS[status], f"2026-11-23T07:09:04.{number}02586Z")
    return NotificationView(f"01a2073c-a32b-7e04-8e6f-5d1c1f0a00{number:02}", succeeded, recipient, standing)


EMAIL_SUMMARY: Mapping[str, Json] = {
    "two": _one(
        "One mail arrived, one bounced",
        EmailSummary(
            order_id=ORDER_ID,
            senders_reference=REFERENCE,
            generated=2,
            succeeded=1,
            notifications=[
                _notification(1, RecipientView("delivered@sandbox.test"), SendStatus.DELIVERED, succeeded=True),
                _notification(2, RecipientView("bounced@sandbox.test"), SendStatus.FAILED_BOUNCED, succeeded=False),
            ],
        ),
    ),
}
SMS_SUMMARY: Mapping[str, Json] = {
    "none": _one("No SMS", EmailSummary(order_id=ORDER_ID, generated=0, succeeded=0, notifications=[])),
}


SEND_CONDITION: Mapping[str, Json] = {
    "met": _one("`conditionMet=true`", SendCondition(send_notification=True)),
    "not met": _one("Otherwise", SendCondition(send_notification=False)),
}


def problem_example(status: int, errors: Mapping[str, Sequence[str]] | None = None) -> Mapping[str, Json]:
    """The problem body of this HTTP status, as it is really answered but for the trace id."""
    body = msgspec.json.decode(problem(status, errors).body)
    return {"problem": _one(body["title"], body | {"traceId": _TRACE_ID})}


INVALID = {
    "Recipients[0].EmailAddress": ["Invalid email address format."],
    "RequestedSendTime": ["Send time must be in the future. Leave blank to send immediately."],
}
NO_GUID = {"id": ["The value '1337' is not valid."]}
NO_REFERENCE = {"sendersReference": ["The sendersReference field is required."]}
NO_CONDITION = {"conditionMet": ["The value 'yes' is not valid."]}
NO_SMS = {"NotificationChannel": ["Varsel does not send SMS yet. Use POST /orders/email."]}
