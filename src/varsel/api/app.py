"""The application: which path leads to which endpoint, and how errors are answered."""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Sequence

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

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
from varsel.api.views import BASE_PATH
from varsel.database.connect import UNAVAILABLE
from varsel.database.statements import statements
from varsel.errors import InvalidOrder, KeyReused, LimitReached, NotAuthenticated, NotAuthorised, StillRunning

log = structlog.get_logger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]
HEALTH_TIMEOUT = 2.0  # seconds; whoever asks wants an answer, not a wait


def resource(path: str, **endpoints: Endpoint) -> Route:
    """One path with an endpoint for each method; any letter case, with or without a slash at the end."""

    async def dispatch(request: Request) -> Response:
        return await endpoints[request.method](request)

    route = Route(path, dispatch)
    route.methods = set(endpoints)  # not HEAD, which Starlette would add and the contract answers with 405
    route.path_regex = re.compile(route.path_regex.pattern.removesuffix("$") + "/?$", re.IGNORECASE)
    return route


async def get_health(request: Request) -> Response:
    """Whether this process can do its job, which it cannot without its database."""
    try:
        await asyncio.wait_for(desk_of(request).pool.fetchval(statements("health")["is_reachable"]), HEALTH_TIMEOUT)
    except UNAVAILABLE:
        return PlainTextResponse("Unhealthy", 503)
    return PlainTextResponse("Healthy")


# First match wins; a path that matches with another method only is asked last, so GET /orders/email is an order
# whose id is no GUID.
ROUTES: Sequence[BaseRoute] = (
    resource("/health", GET=get_health),
    resource(f"{BASE_PATH}/orders", GET=get_orders, POST=post_order),
    resource(f"{BASE_PATH}/orders/email", POST=post_email_order),
    resource(f"{BASE_PATH}/orders/sms", POST=post_sms_order),
    resource(f"{BASE_PATH}/orders/{{id}}", GET=get_order),
    resource(f"{BASE_PATH}/orders/{{id}}/status", GET=get_status),
    resource(f"{BASE_PATH}/orders/{{id}}/cancel", PUT=put_cancel),
    resource(f"{BASE_PATH}/orders/{{id}}/notifications/email", GET=get_email_notifications),
    resource(f"{BASE_PATH}/orders/{{id}}/notifications/sms", GET=get_sms_notifications),
    # As an older edition of the original's documentation writes it.
    resource(f"{BASE_PATH}/order/{{id}}/notifications/email", GET=get_email_notifications),
)

# What tells about the routes above; no part of the contract.
DOCUMENTATION: Sequence[BaseRoute] = (
    resource("/openapi.json", GET=get_document),
    resource("/docs", GET=get_page),
    resource("/docs/{file}", GET=get_page_file),
)


def build_app(desk: Desk, *, more_routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The application; `more_routes` are those of development mode."""
    app = Starlette(
        routes=[*ROUTES, *DOCUMENTATION, *more_routes],
        exception_handlers={
            HTTPException: _as_empty,
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
            **dict.fromkeys(UNAVAILABLE, _unavailable),
        },
    )
    app.router.redirect_slashes = False
    app.state.desk = desk
    return app


def _answer(status: int) -> Callable[[Request, Exception], Response]:
    return lambda request, error: empty(status)


def _as_empty(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return Response(None, error.status_code, error.headers)


def _as_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidOrder)  # noqa: S101
    return problem(400, error.reasons)


def _problem(status: int) -> Callable[[Request, Exception], Response]:
    return lambda request, error: problem(status)


def _limit_reached(request: Request, error: Exception) -> Response:
    assert isinstance(error, LimitReached)  # noqa: S101
    return problem(429, Retry_After=str(math.ceil(error.retry_after.total_seconds())))


def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("request answered 503: the database is away", error=type(error).__name__)
    return problem(503, Retry_After="1")


def _unexpected(request: Request, error: Exception) -> Response:
    # The type and the place, not the text: an error's words may quote what the request held.
    log.error("request failed", error=type(error).__name__, route=str(request.scope.get("route")), exc_info=error)
    return empty(500)
