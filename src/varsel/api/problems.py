"""What is answered when something is wrong: problem bodies (RFC 9457) and empty ones, as the contract has them."""

import secrets
from collections.abc import Mapping, Sequence

import msgspec
from starlette.responses import Response

JSON = "application/json; charset=utf-8"  # not application/problem+json: the contract forces it for every body

_TITLES = {
    400: ("rfc9110#section-15.5.1", "One or more validation errors occurred."),
    404: ("rfc9110#section-15.5.5", "Not Found"),
    409: ("rfc9110#section-15.5.10", "Conflict"),
    415: ("rfc9110#section-15.5.16", "Unsupported Media Type"),
    422: ("rfc9110#section-15.5.21", "Unprocessable Content"),
    429: ("rfc6585#section-4", "Too Many Requests"),
    503: ("rfc9110#section-15.6.4", "Service Unavailable"),
}


def problem(status: int, errors: Mapping[str, Sequence[str]] | None = None, **headers: str) -> Response:
    """A problem body for this HTTP status, with the messages by field where there are any."""
    section, title = _TITLES[status]
    body: dict[str, object] = {
        "type": f"https://tools.ietf.org/html/{section}",
        "title": title,
        "status": status,
    }
    if errors is not None:
        body["errors"] = errors
    body["traceId"] = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"
    return Response(msgspec.json.encode(body), status, _named(headers), media_type=JSON)


def empty(status: int, **headers: str) -> Response:
    """No body at all; header names are written with underscores."""
    return Response(None, status, _named(headers))


def json(content: object, status: int = 200, **headers: str) -> Response:
    """A wire type as JSON."""
    return Json(msgspec.json.encode(content), status, **headers)


class Json(Response):
    """A body that is JSON already; most answers are, so their headers are put together the shortest way."""

    def __init__(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = [
            (b"content-type", JSON.encode()),
            (b"content-length", str(len(body)).encode()),
            *[(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        ]


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
