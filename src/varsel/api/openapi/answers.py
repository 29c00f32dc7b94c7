"""What each operation may answer: bodies with their examples, empty answers, headers."""

from collections.abc import Mapping

from varsel.api.openapi.examples import problem_example
from varsel.api.openapi.pieces import Json, ref

_RETRY_AFTER: Json = {
    "Retry-After": {
        "description": "Seconds to wait before the next try.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    }
}
_LOCATION: Json = {
    "Location": {
        "description": "Where the order is read.",
        "required": True,
        "schema": {"type": "string", "format": "uri"},
    }
}


def shows(description: str, schema: str, examples: Mapping[str, Json], **more: Json) -> Json:
    """An answer with a JSON body; `more` are other members of the OpenAPI object."""
    return {"description": description, "content": json_content(schema, examples), **more}


def json_content(schema: str, examples: Mapping[str, Json]) -> Json:
    """A JSON body of this schema."""
    return {"application/json": {"schema": ref(schema), "examples": dict(examples)}}


def says(description: str, word: str) -> Json:
    """An answer that is one word of plain text."""
    return {"description": description, "content": {"text/plain": {"schema": {"type": "string", "const": word}}}}


def invalid(example: Mapping[str, list[str]]) -> Json:
    """400, with everything that is wrong."""
    return shows("Something is wrong with the request.", "ValidationProblem", problem_example(400, example))


def placed(examples: Mapping[str, Json]) -> Json:
    """202, and where to go from here."""
    onward = {
        "order": "getOrder",
        "status": "getOrderStatus",
        "cancel": "cancelOrder",
        "email notifications": "getEmailNotifications",
        "sms notifications": "getSmsNotifications",
    }
    links = {
        name: {"operationId": operation, "parameters": {"id": "$response.body#/orderId"}}
        for name, operation in onward.items()
    }
    return shows("The order is placed.", "OrderPlaced", examples, headers=_LOCATION, links=links)


def _problem(status: int, description: str, **more: Json) -> Json:
    return shows(description, "Problem", problem_example(status), **more)


# Answers that several operations share, by name; `answer` refers to them.
ANSWERS: Mapping[str, Json] = {
    "NotAuthenticated": {
        "description": "No credential, or one that cannot be verified. A `PlatformAccessToken` that cannot be verified"
        " is never ignored, whatever stands beside it. The body is empty."
    },
    "NotAuthorised": {
        "description": "The bearer token lacks the scope, no credential names an owner, or two credentials name"
        " different ones. The body is empty."
    },
    "NotFound": {"description": "The caller has no such order. The body is empty."},
    "NoOrderToCancel": _problem(404, "The caller has no such order."),
    "TooLateToCancel": _problem(409, "It is too late: the order is due within five minutes, or is on its way."),
    "StillRunning": _problem(409, "A request with this `Idempotency-Key` is being answered at this moment."),
    "BodyTooSlow": {"description": "Nothing more of the body came for 30 seconds. The body of the answer is empty."},
    "BodyTooLarge": {"description": "The body is larger than the service takes. The body of the answer is empty."},
    "NotJson": _problem(415, "The body's content type is not `application/json`."),
    "KeyReused": _problem(422, "The `Idempotency-Key` was used for a request that asked for something else."),
    "LimitReached": _problem(
        429, "The owner has used up its requests of this minute or its recipients of this day.", headers=_RETRY_AFTER
    ),
    "Unavailable": _problem(
        503,
        "The database is away, full, or read-only; or the contact register does not answer, which an order by identity"
        " needs. Come back later.",
        headers=_RETRY_AFTER,
    ),
}


def answer(name: str) -> Json:
    """A reference to one of the shared answers."""
    return ref(name, "responses")
