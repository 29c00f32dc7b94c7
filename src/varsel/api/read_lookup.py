"""Read what is asked of the registers that development mode plays, once it is known that somebody may ask."""

from typing import TypeVar

from starlette.requests import Request

from varsel.api.desk import bearer_token, desk_of
from varsel.api.headers import header_value
from varsel.api.read_body import read_as, read_body
from varsel.api.wire import AnyRequest

T = TypeVar("T", bound=AnyRequest)

BODY_LIMIT = 1024 * 1024  # bytes; five hundred decisions have some two hundred thousand


async def read_lookup(request: Request, wire_type: type[T], *, needs_platform_token: bool = False) -> T:
    """What is asked by whoever has a bearer token or a platform access token; no scope is wanted.

    Raises:
        NotAuthenticated: neither, or none that can be verified.
        NotJson, BodyTooLarge, BodyTooSlow, InvalidOrder: the body cannot be read.
    """
    desk, platform_token = desk_of(request), header_value(request, b"platformaccesstoken")
    if platform_token or needs_platform_token:
        await desk.platform_tokens.verify(platform_token)
    else:
        await desk.tokens.verify(bearer_token(request))
    return read_as(await read_body(request, BODY_LIMIT), wire_type)
