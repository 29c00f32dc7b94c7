"""A request's headers, straight from the server: what every request needs need not be turned into a mapping first."""

from starlette.requests import Request


def header_values(request: Request, name: bytes) -> list[str]:
    """Each value of a header, in their order; its name is given in lower case, as ASGI has them."""
    return [value.decode("latin-1").strip() for given, value in request.scope["headers"] if given == name]


def header_value(request: Request, name: bytes) -> str:
    """The first value of a header; "" where there is none."""
    return next(iter(header_values(request, name)), "")
