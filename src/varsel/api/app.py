"""The application: its resources, and how its errors are answered."""

import asyncio
import math
from collections.abc import Sequence

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from varsel.api.desk import Desk, desk_of
from varsel.api.notifications import get_email_notifications, get_sms_notifications
from varsel.api.openapi.page import get_document, get_page, get_page_file
from varsel.api.orders import (
    get_order,
    get_orders,
    get_status,
    post_email_order,
    post_order,
    post_sms_order,
    put_cancel,
)
from varsel.api.problems import empty, problem
from varsel.api.read_body import BodyTooLarge, BodyTooSlow, NotJson
from varsel.api.routing import Application, ErrorAnswer, Resource, resource
from varsel.api.send_condition import get_send_condition
from varsel.api.views import BASE_PATH
from varsel.database.connect import UNAVAILABLE
from varsel.database.statements import statements
from varsel.errors import (
    InvalidOrder,
    KeyReused,
    LimitReached,
    NotAuthenticated,
    NotAuthorised,
    Overloaded,
    RegisterUnavailable,
    StillRunning,
)

log = structlog.get_logger(__name__)

HEALTH_TIMEOUT = 2.0  # seconds; whoever asks wants an answer, not a wait


async def get_health(request: Request) -> Response:
    """Whether this process can do its job, which it cannot without its database."""
    try:
        await asyncio.wait_for(desk_of(request).pool.fetchval(statements("health")["is_reachable"]), HEALTH_TIMEOUT)
    except UNAVAILABLE:
        return PlainTextResponse("Unhealthy", 503)
    return PlainTextResponse("Healthy")


# The two that are asked for most come first. GET /orders/email is an order whose id is no GUID.
RESOURCES: Sequence[Resource] = (
    resource(f"{BASE_PATH}/orders/{{id}}/notifications/email", GET=get_email_notifications),
    resource(f"{BASE_PATH}/orders/email", POST=post_email_order),
    resource(f"{BASE_PATH}/orders", GET=get_orders, POST=post_order),
    resource("/health", GET=get_health),
    resource(f"{BASE_PATH}/orders/sms", POST=post_sms_order),
    resource(f"{BASE_PATH}/orders/{{id}}", GET=get_order),
    resource(f"{BASE_PATH}/orders/{{id}}/status", GET=get_status),
    resource(f"{BASE_PATH}/orders/{{id}}/cancel", PUT=put_cancel),
    resource(f"{BASE_PATH}/orders/{{id}}/notifications/sms", GET=get_sms_notifications),
    resource(f"{BASE_PATH}/tests/sendcondition", GET=get_send_condition),
    # As an older edition of the original's documentation writes it.
    resource(f"{BASE_PATH}/order/{{id}}/notifications/email", GET=get_email_notifications),
)

# What tells about the resources above; no part of the contract.
DOCUMENTATION: Sequence[Resource] = (
    resource("/openapi.json", GET=get_document),
    resource("/docs", GET=get_page),
    resource("/docs/{file}", GET=get_page_file),
)


def build_app(desk: Desk, *, more_resources: Sequence[Resource] = ()) -> Application:
    """The application; `more_resources` are those of development mode."""
    answers = {
        InvalidOrder: _as_problem,
        NotAuthenticated: _answer(401),
        NotAuthorised: _answer(403),
        NotJson: _problem(415),
        StillRunning: _problem(409),
        KeyReused: _problem(422),
        LimitReached: _limit_reached,
        BodyTooLarge: _answer(413),
        BodyTooSlow: _answer(408),
        Exception: _unexpected,
        RegisterUnavailable: _register_unavailable,
        **dict.fromkeys((*UNAVAILABLE, Overloaded), _unavailable),
    }
    return Application(desk, [*RESOURCES, *DOCUMENTATION, *more_resources], answers)


def _answer(status: int) -> ErrorAnswer:
    return lambda request, error: empty(status)


def _as_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidOrder)  # noqa: S101
    return problem(400, error.reasons)


def _problem(status: int) -> ErrorAnswer:
    return lambda request, error: problem(status)


def _limit_reached(request: Request, error: Exception) -> Response:
    assert isinstance(error, LimitReached)  # noqa: S101
    return problem(429, Retry_After=str(math.ceil(error.retry_after.total_seconds())))


def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("request answered 503: the database is away, or overloaded", error=type(error).__name__)
    return problem(503, Retry_After="1")


def _register_unavailable(request: Request, error: Exception) -> Response:
    log.warning("request answered 503: the contact register does not answer", reason=str(error))
    return problem(503, Retry_After="5")


def _unexpected(request: Request, error: Exception) -> Response:
    # The type and the place, not the text: an error's words may quote what the request held.
    log.error("request failed", error=type(error).__name__, route=request.scope.get("route"), exc_info=error)
    return empty(500)
