"""What every endpoint works with, and who is standing before it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request

from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE, Caller
from varsel.database.connect import Pool
from varsel.errors import InvalidOrder, NotAuthenticated, NotAuthorised
from varsel.settings import Settings

_HEX = "[0-9a-fA-F]"
_HYPHENATED = f"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_GUID = re.compile(rf"{_HEX}{{32}}|{_HYPHENATED}|\{{{_HYPHENATED}\}}|\({_HYPHENATED}\)")


@dataclass(frozen=True, slots=True)
class Desk:
    """Where requests are answered; `order_placed` tells the worker of this process."""

    pool: Pool
    settings: Settings
    tokens: BearerTokens
    order_placed: Callable[[], None]


def desk_of(request: Request) -> Desk:
    """The desk of this application."""
    desk = request.app.state.desk
    assert isinstance(desk, Desk)  # noqa: S101
    return desk


async def caller_of(request: Request) -> Caller:
    """The caller, who may order notifications.

    Raises:
        NotAuthenticated: no bearer token, or none that can be verified.
        NotAuthorised: it lacks the scope.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("no bearer token")
    caller = await desk_of(request).tokens.verify(token.strip())
    caller.require_scope(CREATE_SCOPE)
    return caller


def owner_of(caller: Caller) -> str:
    """The service owner on whose behalf the caller acts.

    Raises:
        NotAuthorised: the credential names none.
    """
    if caller.owner is None:
        raise NotAuthorised("the token names no service owner")
    return caller.owner


def order_id_of(request: Request) -> UUID:
    """The order that the path names, in any of the forms that .NET reads.

    Raises:
        InvalidOrder: it is no GUID.
    """
    text = request.path_params["id"]
    if not _GUID.fullmatch(text):
        raise InvalidOrder({"id": [f"The value '{text}' is not valid."]})
    return UUID(text.strip("{}()"))
