"""The central endpoint: the send status of every e-mail that an order generated."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from varsel.api.desk import caller_of, desk_of, order_id_of, owner_of
from varsel.api.problems import JSON, empty, json
from varsel.api.views import count_succeeded, notification_view
from varsel.api.wire import EmailSummary
from varsel.notifications.find import PAGE, Notification, find_order_reference, notifications_of_order


async def get_email_notifications(request: Request) -> Response:
    """`GET /orders/{id}/notifications/email`, and the singular path of older documentation."""
    desk, owner = desk_of(request), owner_of(await caller_of(request))
    order_id = order_id_of(request)
    reference = await find_order_reference(desk.pool, order_id, owner)
    if reference is None:
        return empty(404)
    pages = notifications_of_order(desk.pool, order_id)
    first: Sequence[Notification] = await anext(pages, [])
    if len(first) < PAGE:
        return json(_summary(order_id, reference.senders_reference, first))
    return StreamingResponse(_streamed(order_id, reference.senders_reference, first, pages), media_type=JSON)


def _summary(order_id: UUID, reference: str | None, notifications: Sequence[Notification]) -> EmailSummary:
    return EmailSummary(
        order_id=str(order_id),
        senders_reference=reference,
        generated=len(notifications),
        succeeded=count_succeeded(notifications),
        notifications=[notification_view(notification) for notification in notifications],
    )


async def _streamed(
    order_id: UUID, reference: str | None, first: Sequence[Notification], pages: AsyncIterator[Sequence[Notification]]
) -> AsyncIterator[bytes]:
    """The same body page by page; the sums come last, so that they always agree with what was shown."""
    head: dict[str, str] = {"orderId": str(order_id)} | ({"sendersReference": reference} if reference else {})
    yield msgspec.json.encode(head)[:-1] + b',"notifications":['
    generated, succeeded, separator = 0, 0, b""
    page: Sequence[Notification] = first
    while page:
        yield separator + msgspec.json.encode([notification_view(notification) for notification in page])[1:-1]
        generated, succeeded, separator = generated + len(page), succeeded + count_succeeded(page), b","
        page = await anext(pages, [])
    yield f'],"generated":{generated},"succeeded":{succeeded}}}'.encode()


async def get_sms_notifications(request: Request) -> Response:
    """`GET /orders/{id}/notifications/sms`: zeros, as for any order without SMS."""
    desk, owner = desk_of(request), owner_of(await caller_of(request))
    order_id = order_id_of(request)
    reference = await find_order_reference(desk.pool, order_id, owner)
    return json(_summary(order_id, reference.senders_reference, [])) if reference else empty(404)
