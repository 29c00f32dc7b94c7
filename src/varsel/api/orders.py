"""The endpoints of orders: place, read, list, status, cancel."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from varsel.api.check_order import email_order, order
from varsel.api.desk import caller_of, desk_of, order_id_of, owner_of
from varsel.api.problems import empty, json, problem
from varsel.api.read_body import read_as, read_body
from varsel.api.views import order_placed, order_url, order_view, order_with_status
from varsel.api.wire import EmailOrderRequest, OrderList, OrderRequest
from varsel.errors import InvalidOrder
from varsel.orders.cancel import cancel_order
from varsel.orders.find import find_by_senders_reference, find_order, find_progress
from varsel.orders.order import NewOrder
from varsel.orders.place import place_order


async def post_email_order(request: Request) -> Response:
    """`POST /orders/email`."""
    desk, caller = desk_of(request), await caller_of(request)
    body = await read_body(request, desk.settings.max_body)
    wanted = read_as(body, EmailOrderRequest)
    checked = email_order(wanted, caller.owner or "", desk.settings.sender)
    owner_of(caller)  # after the body, as the contract has it: a caller without owner still learns what is wrong
    return await _placed(request, checked)


async def post_order(request: Request) -> Response:
    """`POST /orders`."""
    desk, caller = desk_of(request), await caller_of(request)
    body = await read_body(request, desk.settings.max_body)
    wanted = read_as(body, OrderRequest)
    checked = order(wanted, caller.owner or "", desk.settings.sender)
    owner_of(caller)
    return await _placed(request, checked)


async def post_sms_order(request: Request) -> Response:
    """`POST /orders/sms`: says that it is not built."""
    await caller_of(request)
    raise InvalidOrder({"NotificationChannel": ["Varsel does not send SMS yet. Use POST /orders/email."]})


async def _placed(request: Request, checked: NewOrder) -> Response:
    desk = desk_of(request)
    order_id: UUID = await place_order(desk.pool, checked)
    desk.order_placed()
    return json(order_placed(order_id, checked.recipients), 202, Location=order_url(desk.settings.base_url, order_id))


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
