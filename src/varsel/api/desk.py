"""What every endpoint works with, and who is standing before it."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from starlette.requests import Request

from varsel.api.check_order import HouseRules
from varsel.api.headers import header_value, header_values
from varsel.api.turns import Turns
from varsel.auth.bearer import BearerTokens
from varsel.auth.caller import CREATE_SCOPE, Caller
from varsel.auth.platform_token import PlatformTokens
from varsel.contact_register.register import ContactRegister
from varsel.database.connect import Pool
from varsel.database.uuid7 import read_uuid
from varsel.errors import InvalidOrder, NotAuthenticated, NotAuthorised
from varsel.notifications.find import NotificationPages
from varsel.orders.limits import count_request
from varsel.orders.place import Placing
from varsel.settings import Settings

LARGE_BODIES = 2  # that are read at the same time; each takes several times its size in memory
LARGE_LOOKUPS = 4  # orders of more than 100 recipients whose contacts are looked up at the same time
LARGE_LOOKUPS_IN_LINE = 8  # that wait for their turn, some 20 MB each where they have 100,000

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
    register: ContactRegister
    platform_tokens: PlatformTokens = field(default_factory=PlatformTokens)
    house_rules: HouseRules = field(init=False)  # what the settings add to the contract's rules for orders
    pages: NotificationPages = field(init=False)
    placing: Placing = field(init=False)
    large_bodies: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LARGE_BODIES))
    large_lookups: Turns = field(default_factory=lambda: Turns(LARGE_LOOKUPS, in_line=LARGE_LOOKUPS_IN_LINE))

    def __post_init__(self) -> None:
        house_rules = HouseRules(self.settings.sender, self.settings.internal_domains)
        object.__setattr__(self, "house_rules", house_rules)
        object.__setattr__(self, "pages", NotificationPages(self.pool))
        object.__setattr__(self, "placing", Placing(self.pool))


def desk_of(request: Request) -> Desk:
    """The desk of this application."""
    desk = request.scope["context"]
    assert isinstance(desk, Desk)  # noqa: S101
    return desk


async def caller_of(request: Request) -> Caller:
    """The caller, who may order notifications: by a bearer token with the scope, or by a platform access token.

    Raises:
        NotAuthenticated: no credential, or none that can be verified; a platform access token that is there and
            cannot be verified is never ignored, whatever stands beside it.
        NotAuthorised: the scope is missing, or two credentials name different owners.
        LimitReached: the owner has asked too often.
    """
    caller = await _platform_caller(request) or await _bearer_caller(request)
    desk = desk_of(request)
    if desk.settings.limit_requests is not None and caller.owner is not None:
        await count_request(desk.pool, caller.owner, desk.settings.limit_requests)
    return caller


async def _platform_caller(request: Request) -> Caller | None:
    given = header_values(request, b"platformaccesstoken")
    if not any(given):
        return None
    if len(given) > 1:
        raise NotAuthenticated("more than one platform access token")
    caller = await desk_of(request).platform_tokens.verify(given[0])
    with suppress(NotAuthenticated):  # alone it suffices, so a bearer token beside it need not hold
        bearer = await desk_of(request).tokens.verify(bearer_token(request))
        if bearer.owner not in (None, caller.owner):
            raise NotAuthorised("two credentials name different service owners")
    return caller


async def _bearer_caller(request: Request) -> Caller:
    caller = await desk_of(request).tokens.verify(bearer_token(request))
    caller.require_scope(CREATE_SCOPE)
    return caller


def bearer_token(request: Request) -> str:
    """The token of the Authorization header (RFC 6750 section 2.1).

    Raises:
        NotAuthenticated: there is none.
    """
    scheme, _, token = header_value(request, b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotAuthenticated("no bearer token")
    return token.strip()


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
    return read_uuid(text.strip("{}()"))
