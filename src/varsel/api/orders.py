"""The endpoints of orders: place, read, list, status, cancel."""

import asyncio
import re
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from varsel.api.check_order import HouseRules, email_order, order
from varsel.api.desk import Desk, caller_of, desk_of, order_id_of, owner_of
from varsel.api.headers import header_values
from varsel.api.problems import empty, json, problem
from varsel.api.read_body import read_as, read_body
from varsel.api.views import order_placed, order_url, order_view, order_with_status
from varsel.api.wire import EmailOrderRequest, OrderList, OrderRequest
from varsel.errors import InvalidOrder
from varsel.orders.cancel import cancel_order
from varsel.orders.find import find_by_senders_reference, find_order, find_progress
from varsel.orders.generate import BULK
from varsel.orders.idempotency import IdempotencyKey
from varsel.orders.order import NewOrder
from varsel.orders.place import Terms
from varsel.orders.reach import reach_of

T = TypeVar("T", EmailOrderRequest, OrderRequest)

READ_ELSEWHERE = 64 * 1024  # bytes; a larger body is read in a thread, so that nobody waits for it

_KEY = re.compile(r"[ -~]{1,255}", re.ASCII)


async def post_email_order(request: Request) -> Response:
    """`POST /orders/email`."""
    return await _place(request, EmailOrderRequest, email_order)


async def post_order(request: Request) -> Response:
    """`POST /orders`."""
    return await _place(request, OrderRequest, order)


async def _place(request: Request, wire_type: type[T], check: Callable[[T, str, HouseRules], NewOrder]) -> Response:
    desk, caller = desk_of(request), await caller_of(request)
    body = await read_body(request, desk.settings.max_body)
    checked = await _checked(
        desk, body, lambda body: check(read_as(body, wire_type), caller.owner or "", desk.house_rules)
    )
    # Only after the body, as the contract has it: a caller without an owner still learns what is wrong with it.
    owner_of(caller)
    terms = Terms(_idempotency_key(request, body), desk.settings.limit_recipients)
    del body  # up to 30 MB, of which a lookup has no need
    # Before it is stored: where the register does not answer there is no order, and the client comes again.
    in_turn = desk.large_lookups if len(checked.recipients) > BULK else None
    reach = await reach_of(desk.register, checked.recipients, in_turn)
    order_id = await desk.placing.place(checked, terms)
    desk.order_placed()
    url = order_url(desk.settings.base_url, order_id)
    return json(order_placed(order_id, reach), 202, Location=url)


async def _checked(desk: Desk, body: bytes, check: Callable[[bytes], NewOrder]) -> NewOrder:
    if len(body) < READ_ELSEWHERE:
        return check(body)
    async with desk.large_bodies:
        return await asyncio.to_thread(check, body)


async def post_sms_order(request: Request) -> Response:
    """`POST /orders/sms`: says that it is not built."""
    await caller_of(request)
    raise InvalidOrder({"NotificationChannel": ["Varsel does not send SMS yet. Use POST /orders/email."]})


def _idempotency_key(request: Request, body: bytes) -> IdempotencyKey | None:
    """The client's key with a digest of what it asks for: the path, however it is spelled, and the body."""
    given = header_values(request, b"idempotency-key")
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        message = "The Idempotency-Key header must be given once, with 1 to 255 printable ASCII characters."
        raise InvalidOrder({"Idempotency-Key": [message]})
    path = request.url.path.rstrip("/").lower()
    return IdempotencyKey(given[0], sha256(path.encode() + b"\n" + body).digest())


async def get_order(request: Request) -> Response:
    """`GET /orders/{id}`."""
    desk, owner = desk_of(request), owner_of(await caller_of(request))
    stored = await find_order(desk.pool, order_id_of(request), owner)
    return json(order_view(stored, desk.settings.base_url)) if stored else empty(404)


async def get_orders(request: Request) -> Response:
    """`GET /orders?sendersReference=`."""
    desk, owner = desk_of(request), owner_of(await caller_of(request))
    given = {name.lower(): value for name, value in request.query_params.items()}
    reference = given.get("sendersreference")
    if reference is None:
        message = "A value for the 'sendersReference' parameter or property was not provided."
        raise InvalidOrder({"sendersReference": [message]})
    if not reference.strip():
        raise InvalidOrder({"sendersReference": ["The sendersReference field is required."]})
    found = [] if "\0" in reference else await find_by_senders_reference(desk.pool, reference, owner)
    return json(OrderList(len(found), [order_view(stored, desk.settings.base_url) for stored in found]))


async def get_status(request: Request) -> Response:
    """`GET /orders/{id}/status`."""
    desk, owner = desk_of(request), owner_of(await caller_of(request))
    progress = await find_progress(desk.pool, order_id_of(request), owner)
    return json(order_with_status(progress, desk.settings.base_url)) if progress else empty(404)


async def put_cancel(request: Request) -> Response:
    """`PUT /orders/{id}/cancel`; its 404 has a body, unlike that of the GETs."""
    desk, owner = desk_of(request), owner_of(await caller_of(request))
    is_cancelled, progress = await cancel_order(desk.pool, order_id_of(request), owner)
    if progress is None:
        return problem(404)
    return json(order_with_status(progress, desk.settings.base_url)) if is_cancelled else problem(409)
