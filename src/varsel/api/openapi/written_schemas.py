"""The schemas of answers: what the wire types write, the two kinds of status told apart, and problem bodies."""

from collections.abc import Mapping, Sequence

from varsel.api.descriptions import ORDER_STATUS, SEND_STATUS, shown_order_status, shown_send_status
from varsel.api.openapi.pieces import Json, ref, without_null

Sentences = Sequence[tuple[str, str]]


def as_written(schema: Json) -> Json:
    """The schema of an answer; a member that would be null is left out."""
    if "enum" in schema:
        return schema | {"type": "string"}
    members = {name: without_null(member)[0] for name, member in schema["properties"].items()}
    return schema | {"properties": members}


def name_the_statuses(schemas: dict[str, Json]) -> None:
    """One wire type carries both kinds of status; the document has two, each with its words and their sentences."""
    either = schemas.pop("StatusView")
    orders = [(shown_order_status(status), sentence) for status, sentence in ORDER_STATUS.items()]
    sendings = [(shown_send_status(status), sentence) for status, sentence in SEND_STATUS.items()]
    schemas["ProcessingStatus"] = _status(either, "ProcessingStatus", "Where an order stands.", orders)
    schemas["SendStatus"] = _status(either, "SendStatus", "Where a notification's sending stands.", sendings)
    schemas["OrderWithStatusView"]["properties"]["processingStatus"] = ref("ProcessingStatus")
    members = schemas["NotificationView"]["properties"]
    members["sendStatus"] = ref("SendStatus")
    members["recipient"] = ref("RecipientView") | {"required": ["emailAddress"]}


def _status(either: Json, title: str, meaning: str, sentences: Sentences) -> Json:
    words = list(dict.fromkeys(status for status, _ in sentences))
    table = "\n".join(f"* `{status}`: {sentence}" for status, sentence in sentences)
    members = either["properties"] | {"status": {"type": "string", "enum": words}}
    return either | {"title": title, "description": f"{meaning}\n\n{table}", "properties": members}


# What `problems.problem` writes.
_PROBLEM: Json = {
    "title": "Problem",
    "description": "What is wrong, in the form of RFC 9457.",
    "type": "object",
    "required": ["type", "title", "status", "traceId"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "traceId": {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-00$"},
    },
}
_MESSAGES: Json = {"type": "array", "minItems": 1, "items": {"type": "string"}}
PROBLEMS: Mapping[str, Json] = {
    "Problem": _PROBLEM,
    "ValidationProblem": {
        "title": "ValidationProblem",
        "description": "Everything that is wrong with a request, by the place where it is wrong.",
        "type": "object",
        "required": [*_PROBLEM["required"], "errors"],
        "properties": _PROBLEM["properties"] | {"errors": {"type": "object", "additionalProperties": _MESSAGES}},
    },
}
