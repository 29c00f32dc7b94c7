"""What can be asked: one entry for each method of each path, in the order that a reader needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from varsel.api.openapi import examples
from varsel.api.openapi.answers import answer, invalid, json_content, placed, says, shows
from varsel.api.openapi.pieces import Json, ref
from varsel.api.views import BASE_PATH

ORDERS = f"{BASE_PATH}/orders"
ONE_ORDER = f"{ORDERS}/{{id}}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; `answers` holds what it does not share with the others."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str
    answers: Mapping[str, Json]
    parameters: Sequence[str] = ()
    body: Json = field(default_factory=dict)
    is_public: bool = False
    is_deprecated: bool = False

    def as_json(self) -> Json:
        """The OpenAPI operation object."""
        shared = {} if self.is_public else _OF_EVERY_CALLER
        return {
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            **({"deprecated": True} if self.is_deprecated else {}),
            **({"security": []} if self.is_public else {}),
            **({"parameters": [ref(name, "parameters") for name in self.parameters]} if self.parameters else {}),
            **({"requestBody": {"required": True, "content": self.body}} if self.body else {}),
            "responses": dict(sorted({**self.answers, **shared}.items())),
        }


_OF_EVERY_CALLER = {
    "401": answer("NotAuthenticated"),
    "403": answer("NotAuthorised"),
    "429": answer("LimitReached"),
    "503": answer("Unavailable"),
}
_OF_AN_ORDER = {"400": invalid(examples.NO_GUID), "404": answer("NotFound")}
_OF_PLACING = {
    "202": placed(examples.PLACED),
    "400": invalid(examples.INVALID),
    "408": answer("BodyTooSlow"),
    "409": answer("StillRunning"),
    "413": answer("BodyTooLarge"),
    "415": answer("NotJson"),
    "422": answer("KeyReused"),
}

OPERATIONS: Sequence[Operation] = (
    Operation(
        "post",
        f"{ORDERS}/email",
        "placeEmailOrder",
        "Orders",
        "Place an order of e-mail",
        "One e-mail to each address, at once or at `requestedSendTime`: of an organisation to each that the contact"
        " register knows, to a reserved person none unless `ignoreReservation` says so. The order is stored, and its"
        " mails will be tried for 48 hours, once 202 is answered.",
        _OF_PLACING,
        parameters=["idempotencyKey"],
        body=json_content("EmailOrderRequest", examples.EMAIL_ORDERS),
    ),
    Operation(
        "post",
        ORDERS,
        "placeOrder",
        "Orders",
        "Place an order on a channel",
        "The same as an order of e-mail, with a sender of its own if need be. E-mail is the only channel so far.",
        _OF_PLACING,
        parameters=["idempotencyKey"],
        body=json_content("OrderRequest", examples.ORDERS),
    ),
    Operation(
        "post",
        f"{ORDERS}/sms",
        "placeSmsOrder",
        "Orders",
        "Place an order of SMS (not built yet)",
        "Always 400, with a message that says so; the body is not read.",
        {"400": invalid(examples.NO_SMS)},
        body={"application/json": {"schema": True, "examples": dict(examples.SMS_ORDERS)}},
    ),
    Operation(
        "get",
        ONE_ORDER,
        "getOrder",
        "Orders",
        "Read an order",
        "The order as it was placed, with defaults applied.",
        {"200": shows("The order.", "OrderView", examples.ORDER), **_OF_AN_ORDER},
        parameters=["id"],
    ),
    Operation(
        "get",
        ORDERS,
        "findOrders",
        "Orders",
        "Find orders by sender's reference",
        "The caller's orders that carry exactly this reference; there may be none.",
        {
            "200": shows("The orders.", "OrderList", examples.ORDER_LIST),
            "400": invalid(examples.NO_REFERENCE),
        },
        parameters=["sendersReference"],
    ),
    Operation(
        "put",
        f"{ONE_ORDER}/cancel",
        "cancelOrder",
        "Orders",
        "Cancel an order",
        "Possible until five minutes before the requested send time. To cancel what is cancelled already changes"
        " nothing and is answered with 200. No body is needed.",
        {
            "200": shows("The order is cancelled.", "OrderWithStatusView", examples.CANCELLED),
            "400": invalid(examples.NO_GUID),
            "404": answer("NoOrderToCancel"),
            "409": answer("TooLateToCancel"),
        },
        parameters=["id"],
    ),
    Operation(
        "get",
        f"{ONE_ORDER}/status",
        "getOrderStatus",
        "Status",
        "Read the status of an order",
        "Where the order stands, with the sums of its notifications.",
        {"200": shows("The order and its status.", "OrderWithStatusView", examples.ORDER_STATUSES), **_OF_AN_ORDER},
        parameters=["id"],
    ),
    Operation(
        "get",
        f"{ONE_ORDER}/notifications/email",
        "getEmailNotifications",
        "Status",
        "Read the send status of every e-mail",
        "One entry for each e-mail that the order generated; none before the order is due.",
        {"200": shows("The e-mails.", "EmailSummary", examples.EMAIL_SUMMARY), **_OF_AN_ORDER},
        parameters=["id"],
    ),
    Operation(
        "get",
        f"{ONE_ORDER}/notifications/sms",
        "getSmsNotifications",
        "Status",
        "Read the send status of every SMS",
        "Of the same form as for e-mail, and always without entries: SMS is not built yet.",
        {"200": shows("No SMS.", "EmailSummary", examples.SMS_SUMMARY), **_OF_AN_ORDER},
        parameters=["id"],
    ),
    Operation(
        "get",
        f"{BASE_PATH}/order/{{id}}/notifications/email",
        "getEmailNotificationsByOldPath",
        "Status",
        "Read the send status of every e-mail (older path)",
        "The same as below `/orders/`: an older edition of the contract's documentation writes it so.",
        {"200": shows("The e-mails.", "EmailSummary", examples.EMAIL_SUMMARY), **_OF_AN_ORDER},
        parameters=["id"],
        is_deprecated=True,
    ),
    Operation(
        "get",
        f"{BASE_PATH}/tests/sendcondition",
        "getTestSendCondition",
        "Service",
        "Try out a condition endpoint",
        "Answers as the condition endpoint of an order does, with what it is told.",
        {
            "200": shows("Whether to send.", "SendCondition", examples.SEND_CONDITION),
            "400": invalid(examples.NO_CONDITION),
        },
        parameters=["conditionMet"],
        is_public=True,
    ),
    Operation(
        "get",
        "/health",
        "getHealth",
        "Service",
        "Ask whether the service can do its job",
        "Which it cannot without its database.",
        {"200": says("It can.", "Healthy"), "503": says("It cannot.", "Unhealthy")},
        is_public=True,
    ),
)
