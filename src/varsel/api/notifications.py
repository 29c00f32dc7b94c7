"""The central endpoint: the send status of every e-mail that an order generated.

What it answers is written by hand, piece by piece: most requests are for it. That the pieces make what the wire type
EmailSummary says, and what msgspec would make of it, is a test's.
"""

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from varsel.api.descriptions import SEND_STATUS, shown_send_status
from varsel.api.desk import caller_of, desk_of, order_id_of, owner_of
from varsel.api.problems import JSON, Json, empty
from varsel.notifications.find import Page
from varsel.notifications.send_status import SendStatus

_SUCCEEDED = (SendStatus.SUCCEEDED, SendStatus.DELIVERED)


def _before_recipient(status: SendStatus) -> str:
    return f'","succeeded":{"true" if status in _SUCCEEDED else "false"},"recipient":{{"emailAddress":'


def _after_recipient(status: SendStatus) -> str:
    description = msgspec.json.encode(SEND_STATUS[status]).decode()
    return f'}},"sendStatus":{{"status":"{shown_send_status(status)}","description":{description},"lastUpdate":"'


# What a status adds to a notification, before its recipient and behind it.
_PIECES = {str(status): (_before_recipient(status), _after_recipient(status)) for status in SendStatus}


async def get_email_notifications(request: Request) -> Response:
    """`GET /orders/{id}/notifications/email`, and the singular path of older documentation."""
    owner = owner_of(await caller_of(request))
    order_id = order_id_of(request)
    pages = desk_of(request).pages
    first = await pages.first(order_id, owner)
    if first is None:
        return empty(404)
    if first.is_last:
        return Json(_summary(order_id, first))
    return StreamingResponse(_streamed(order_id, first, pages.following(order_id, owner, first)), media_type=JSON)


def _summary(order_id: UUID, page: Page) -> bytes:
    sums = f'"generated":{len(page.ids)},"succeeded":{_count_succeeded(page)}'
    return f'{_head(order_id, page)}{sums},"notifications":[{_notifications(page)}]}}'.encode()


def _head(order_id: UUID, page: Page) -> str:
    """A blank reference counts as none here, as in the original."""
    reference = page.senders_reference
    if not reference or not reference.strip():
        return f'{{"orderId":"{order_id}",'
    return f'{{"orderId":"{order_id}","sendersReference":{msgspec.json.encode(reference).decode()},'


async def _streamed(order_id: UUID, first: Page, following: AsyncIterator[Page]) -> AsyncIterator[bytes]:
    """The same body page by page; the sums come last, so that they always agree with what was shown."""
    generated, succeeded = len(first.ids), _count_succeeded(first)
    yield f'{_head(order_id, first)}"notifications":[{_notifications(first)}'.encode()
    async for page in following:
        if page.ids:
            yield f",{_notifications(page)}".encode()
        generated, succeeded = generated + len(page.ids), succeeded + _count_succeeded(page)
    yield f'],"generated":{generated},"succeeded":{succeeded}}}'.encode()


def _notifications(page: Page) -> str:
    shown = map(
        _notification,
        page.ids,
        page.send_statuses,
        page.addresses,
        page.organization_numbers,
        page.national_identity_numbers,
        page.changed_at,
    )
    return ",".join(shown)


def _notification(
    id: str,  # noqa: A002  # the wire's name
    status: str,
    address: str,
    organization_number: str | None,
    person: str | None,
    changed_at: str,
) -> str:
    before, after = _PIECES[status]
    identity = _identity(organization_number, person) if organization_number or person else ""
    return f'{{"id":"{id}{before}{address}{identity}{after}{changed_at[:10]}T{changed_at[11:]}Z"}}}}'


def _identity(organization_number: str | None, national_identity_number: str | None) -> str:
    """Digits only, which the rules for orders see to."""
    number = f',"organizationNumber":"{organization_number}"' if organization_number else ""
    person = f',"nationalIdentityNumber":"{national_identity_number}"' if national_identity_number else ""
    return number + person


def _count_succeeded(page: Page) -> int:
    """How many were at least taken by the relay."""
    return sum(page.send_statuses.count(status) for status in _SUCCEEDED)


async def get_sms_notifications(request: Request) -> Response:
    """`GET /orders/{id}/notifications/sms`: zeros, as for any order without SMS."""
    owner = owner_of(await caller_of(request))
    order_id = order_id_of(request)
    first = await desk_of(request).pages.first(order_id, owner)
    if first is None:
        return empty(404)
    none = f'{_head(order_id, first)}"generated":0,"succeeded":0,"notifications":[]}}'
    return Json(none.encode())
