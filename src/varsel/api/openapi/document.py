"""The OpenAPI 3.1 document: who we are, how callers prove who they are, what can be asked, what is answered."""

from functools import cache
from importlib.metadata import version

import msgspec

from varsel.api.openapi.answers import ANSWERS
from varsel.api.openapi.examples import ORDER_ID, REFERENCE
from varsel.api.openapi.operations import OPERATIONS
from varsel.api.openapi.pieces import Json
from varsel.api.openapi.schemas import build_schemas
from varsel.auth.caller import CREATE_SCOPE

_ABOUT = """
Varsel sends e-mail for service owners. On the wire it is Altinn Notifications version 1.

A service owner places an **order**: one message, one to many recipients, at once or for later. Varsel generates a
**notification** for each recipient (of an organisation for each of its addresses), hands it to a mail relay, follows
it to its final **send status** by real delivery reports, and tells. Reserved persons are sent nothing, unless the order
says so: their notification ends at once.

* **Who calls** is told by a bearer token with the scope `SCOPE`, or by a
  `PlatformAccessToken` alone. An owner sees only its own orders; those of others do not exist for it.
* **Bodies are read leniently**: names of members in any letter case, enum names in any letter case or by number,
  unknown members ignored, the last of a member that is given twice. Null means "not given", where it is allowed. A
  text must not contain U+0000.
* **Answers** leave out what is null. Times are UTC with `Z`, with up to six digits of a second.
* **Paths** are taken in any letter case, with or without a slash at the end. Another method than those listed is
  answered 405 with `Allow`, HEAD and OPTIONS included; but GET on `/orders/email` and `/orders/sms` reads the order
  with that id, which is no GUID: 400.
* **Retries**: a POST that carries an `Idempotency-Key` and comes again is answered like the first one, for seven days
  at least.
* **Limits** are set by the operator for each owner. Whoever reaches one is answered 429 with `Retry-After`.
"""

_HEX = "[0-9a-fA-F]"
_HYPHENATED = f"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_PARAMETERS: dict[str, Json] = {
    "id": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The id of the order, a GUID: with hyphens or without, in braces or parentheses, in any case.",
        "schema": {
            "type": "string",
            "pattern": rf"^({_HEX}{{32}}|{_HYPHENATED}|\{{{_HYPHENATED}\}}|\({_HYPHENATED}\))$",
        },
        "example": ORDER_ID,
    },
    "sendersReference": {
        "name": "sendersReference",
        "in": "query",
        "required": True,
        "description": "The owner's own id for the order, compared exactly. Blank is as good as absent.",
        "schema": {"type": "string", "pattern": r"\S"},
        "example": REFERENCE,
    },
    "conditionMet": {
        "name": "conditionMet",
        "in": "query",
        "description": "What shall be answered; in any letter case. Absent is as good as false.",
        "schema": {"type": "boolean"},
        "example": True,
    },
    "idempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes a repeat safe: chosen by the client, a new one (a UUID, say) for each order, the same one"
        " for its retries.",
        # No space at either end: HTTP does not count it as part of the value.
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    },
}
_SECURITY_SCHEMES: dict[str, Json] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": f"A token of an issuer that the service trusts. Its scopes include `{CREATE_SCOPE}`, and it"
        " names the service owner.",
    },
    "platformAccessToken": {
        "type": "apiKey",
        "in": "header",
        "name": "PlatformAccessToken",
        "description": "A short-lived JWT that a service owner signs with its own certificate. It suffices alone; no"
        " scope is asked of it.",
    },
}
_FOR_TESTS = " In development mode `GET /api/GetEnterpriseToken?org=ttd` makes one."
_TAGS = (
    {"name": "Orders", "description": "Place, read, find and cancel orders."},
    {"name": "Status", "description": "What became of an order and of each of its notifications."},
    {"name": "Service", "description": "The service itself."},
)


@cache
def encoded_document(base_url: str, is_development: bool) -> bytes:
    """The document as it is served; built once."""
    return msgspec.json.encode(build_document(base_url, is_development=is_development))


def build_document(base_url: str, *, is_development: bool = False) -> Json:
    """The document of the service that clients reach at this URL."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation.as_json()
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Varsel",
            "summary": "A self-hosted notification service, wire-compatible with Altinn Notifications",
            "description": _ABOUT.strip().replace("SCOPE", CREATE_SCOPE),
            "version": version("varsel"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base_url, "description": "Where clients reach the service."}],
        "security": [{"bearer": []}, {"platformAccessToken": []}],
        "tags": list(_TAGS),
        "paths": paths,
        "components": {
            "schemas": build_schemas(),
            "parameters": _PARAMETERS,
            "responses": dict(ANSWERS),
            "securitySchemes": _security_schemes(is_development),
        },
    }


def _security_schemes(is_development: bool) -> dict[str, Json]:
    if not is_development:
        return _SECURITY_SCHEMES
    bearer = _SECURITY_SCHEMES["bearer"]
    return _SECURITY_SCHEMES | {"bearer": bearer | {"description": bearer["description"] + _FOR_TESTS}}
