"""Maskinporten's endpoints in development mode: its metadata, its keys, and tokens against a JWT grant."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from varsel.api.problems import json
from varsel.api.read_body import BodyTooLarge
from varsel.api.routing import Resource, resource
from varsel.auth.assertion import GrantError, GrantRefused
from varsel.auth.maskinporten import GRANT_TYPE, Maskinporten

FORM = "application/x-www-form-urlencoded"
FORM_LIMIT = 64 * 1024  # bytes; an assertion with a chain of certificates has some ten thousand
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1


def maskinporten_resources(maskinporten: Maskinporten) -> Sequence[Resource]:
    """The resources at the root, where the original has them too."""

    async def get_discovery(request: Request) -> Response:
        return json(maskinporten.discovery())

    async def get_keys(request: Request) -> Response:
        return json(maskinporten.jwks())

    async def post_token(request: Request) -> Response:
        """An access token, or the reason why not (RFC 6749 sections 5.1 and 5.2)."""
        try:
            token = maskinporten.grant(_assertion_in(await _read_form(request)))
        except GrantRefused as refused:
            status = 401 if refused.error is GrantError.INVALID_CLIENT else 400
            return json({"error": refused.error, "error_description": str(refused)}, status, **NOT_STORED)
        answer = {
            "access_token": token.text,
            "token_type": "Bearer",
            "expires_in": int(token.lifetime.total_seconds()),
            "scope": token.scope,
        }
        return json(answer, 200, **NOT_STORED)

    return (
        resource("/.well-known/oauth-authorization-server", GET=get_discovery),
        resource("/.well-known/openid-configuration", GET=get_discovery),
        resource("/jwk", GET=get_keys),
        resource("/token", POST=post_token),
    )


async def _read_form(request: Request) -> Mapping[str, str]:
    """The form's parameters.

    Raises:
        BodyTooLarge: it is larger than `FORM_LIMIT`.
        GrantRefused: it is no form, or has a parameter twice (RFC 6749 section 3.2).
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise GrantRefused(GrantError.INVALID_REQUEST, f"the content type must be {FORM}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            raise BodyTooLarge("the form is too large")
    pairs = parse_qsl(body.decode(errors="replace"))
    if len(dict(pairs)) < len(pairs):
        raise GrantRefused(GrantError.INVALID_REQUEST, "a parameter is there more than once")
    return dict(pairs)


def _assertion_in(form: Mapping[str, str]) -> str:
    for name in ("grant_type", "assertion"):
        if name not in form:
            raise GrantRefused(GrantError.INVALID_REQUEST, f"{name} is missing")
    if form["grant_type"] != GRANT_TYPE:
        raise GrantRefused(GrantError.UNSUPPORTED_GRANT_TYPE, f"grant_type must be {GRANT_TYPE}")
    return form["assertion"]
